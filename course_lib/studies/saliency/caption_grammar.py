"""Captions of two objects by rule: "a striped square left of a ring", or "a disc above a striped flower"."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

END = "<end>"
ARTICLE = "a"
RELATIONS = ("left of", "above")


class Meaning(NamedTuple):
    """What a caption says.

    Attributes:
        first, second: the classes of the two objects, in the order in which they are named.
        relation: of the first to the second, out of ``RELATIONS``.
    """

    first: int
    relation: str
    second: int


class Grammar:
    """The sentences "a NOUN left of a NOUN" and "a NOUN above a NOUN", as tokens.

    Each scene of two objects has one caption. It is about the axis along which the centroids of the objects
    are further apart (the horizontal one where they are equally far), and the object on the left, or above,
    comes first.

    Args:
        nouns: one for each class; a noun may have several words, such as "striped square".

    Attributes:
        words: all words; a token is a place in it. The end of a caption is the token 0.
        length: tokens of the longest caption, with the one of its end.
    """

    def __init__(self, nouns: Sequence[str]):
        self.nouns = tuple(nouns)
        known = " ".join((END, ARTICLE, *RELATIONS, *self.nouns)).split()
        self.words = tuple(dict.fromkeys(known))
        self.length = max(len(tokens) for tokens in self._meanings)

    @cached_property
    def _meanings(self) -> dict[tuple[int, ...], Meaning]:
        classes = range(len(self.nouns))
        all_of_them = [Meaning(a, relation, b) for a in classes for relation in RELATIONS for b in classes]
        return {self._tokens(meaning): meaning for meaning in all_of_them}

    def sentence(self, meaning: Meaning) -> str:
        """The caption in words, without its end."""
        return (
            f"{ARTICLE} {self.nouns[meaning.first]} {meaning.relation} {ARTICLE} {self.nouns[meaning.second]}"
        )

    def encode(self, meanings: Sequence[Meaning]) -> Tensor:
        """Tokens (N, length) int64; what comes after the end of a caption is the end again."""
        tokens = torch.zeros(len(meanings), self.length, dtype=torch.int64)
        for row, meaning in zip(tokens, meanings):
            own = self._tokens(meaning)
            row[: len(own)] = torch.tensor(own)
        return tokens

    def read(self, tokens: Tensor) -> list[str]:
        """Captions (N, T) in words, up to their ends."""
        return [" ".join(self.words[t] for t in self._until_end(row)) for row in tokens.tolist()]

    def understand(self, tokens: Tensor) -> list[Meaning | None]:
        """What each caption (N, T) says, or None where it is not a sentence of this grammar."""
        return [self._meanings.get((*self._until_end(row), 0)) for row in tokens.tolist()]

    def place(self, meaning: Meaning, noun: int) -> slice:
        """Where in the caption the words of a noun are, without the article; ``noun`` is 0 or 1."""
        first, second = (len(self.nouns[c].split()) for c in (meaning.first, meaning.second))
        begins = len(ARTICLE.split())
        if noun == 1:
            begins += first + len(f"{meaning.relation} {ARTICLE}".split())
        return slice(begins, begins + (first, second)[noun])

    def _tokens(self, meaning: Meaning) -> tuple[int, ...]:
        return tuple(self.words.index(word) for word in f"{self.sentence(meaning)} {END}".split())

    @staticmethod
    def _until_end(tokens: list[int]) -> list[int]:
        return tokens[: tokens.index(0)] if 0 in tokens else tokens


def counted(tokens: Tensor) -> Tensor:
    """Which tokens (N, T) belong to the captions: those up to the first end, which belongs to them."""
    ended = (tokens == 0).cumsum(1)
    return (ended == 0) | ((ended == 1) & (tokens == 0))


def meanings_of(masks: Tensor) -> list[Meaning]:
    """What there is to say of scenes with two objects.

    Args:
        masks: (N, C, H, W) bool, the pixels of each class; exactly two classes a scene have some.

    Raises:
        ValueError: a scene has more classes or fewer.
    """
    there = masks.flatten(2).any(2)
    if not bool((there.sum(1) == 2).all()):
        raise ValueError(f"the scenes have {there.sum(1).unique().tolist()} objects, a caption is about 2.")
    pixels = masks.flatten(2).sum(2).clamp(min=1)
    rows, columns = (torch.arange(n, device=masks.device, dtype=torch.float64) for n in masks.shape[2:])
    y = (masks.sum(3) * rows).sum(2) / pixels
    x = (masks.sum(2) * columns).sum(2) / pixels
    found = []
    for i, (a, b) in enumerate(there.nonzero()[:, 1].view(-1, 2).tolist()):
        right, down = (x[i, b] - x[i, a]).item(), (y[i, b] - y[i, a]).item()
        beside = abs(right) >= abs(down)
        first, second = (a, b) if (right if beside else down) > 0 else (b, a)
        found.append(Meaning(first, RELATIONS[0] if beside else RELATIONS[1], second))
    return found
