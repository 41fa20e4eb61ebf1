"""Saliency of captions: maps for the log-probability of a whole caption, and of one noun in it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.localisation import energy_inside, hits, pointing_score
from course_lib.methods import saliency
from course_lib.studies.registry import Cell
from course_lib.studies.saliency import composed
from course_lib.studies.saliency.caption_grammar import Meaning, meanings_of
from course_lib.studies.saliency.captioner import (
    Captioner,
    Captions,
    captioner,
    of_caption,
    of_noun,
    two_objects,
)
from course_lib.studies.saliency.setting import METHODS

COMBINED = "combined"
CAPTION = "caption"
NOUNS = ("first", "second")


class Asked(NamedTuple):
    """Images and what of their captions is explained.

    Attributes:
        x: (B, 3, h, w).
        score: of what the captioner tells, (B,).
        own: (B, h, w) bool, where what the words mean is.
        other: (B, h, w) bool, the object that a noun does not mean; None for a whole caption.
        y: (B,) the class of the noun; 0 for a whole caption.
    """

    x: Tensor
    score: Callable
    own: Tensor
    other: Tensor | None
    y: Tensor


def measure_captions(config: Captions, seed: int) -> dict[Cell, float]:
    """What the captions say, where their maps point, and how much of them lies on the objects (%).

    Cells are (what, words, method, stage), of maps between 0 and 1:

    * ("exact", "caption", "net", "net") and ("named", …): captions that are right, and those that name the
      two objects, in whichever order.
    * "points": the pointing game. The words "caption" mean any of the two objects; the words "first" and
      "second" are a noun of the caption, and mean its own object, in the mean over classes. "other" is
      pointing at the object that the noun does not mean. The method "centre" is the centre of the image.
    * "inside": the part of a map that lies on what the words mean; the method "flat" is a flat map.

    Nouns are asked about where they name an object that is there, in a caption that is a sentence.
    """
    model = captioner(config, seed)
    seen = two_objects(config, "test", config.tested)
    x = composed.as_seen(seen)
    with torch.no_grad():
        tokens = torch.cat([model(some).tokens for some in x.split(100)])
    said = model.grammar.understand(tokens)
    found = agreement(said, meanings_of(seen.masks))
    for words, asked in explained(model, x, seen.masks, said).items():
        told = places(config, model, asked)
        found |= {(what, words, *cell): value for (what, *cell), value in told.items()}
    return found


def agreement(said: list[Meaning | None], truth: list[Meaning]) -> dict[Cell, float]:
    """How many captions (%) are right, and how many name the right objects."""
    exact = [one == true for one, true in zip(said, truth)]
    named = [
        one is not None and {one.first, one.second} == {true.first, true.second}
        for one, true in zip(said, truth)
    ]
    return {
        (what, "caption", "net", "net"): 100 * sum(right) / len(right)
        for what, right in (("exact", exact), ("named", named))
    }


def explained(model: Captioner, x: Tensor, masks: Tensor, said: list[Meaning | None]) -> dict[str, Asked]:
    """Whole captions of all images, and the nouns of those whose noun is there, by the words."""
    nobody = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    found = {CAPTION: Asked(x, of_caption, masks.any(1), None, nobody)}
    there = masks.flatten(2).any(2).tolist()
    for noun, words in enumerate(NOUNS):
        named = [-1 if one is None else (one.first, one.second)[noun] for one in said]
        right = [i for i, c in enumerate(named) if c >= 0 and there[i][c]]
        if right:
            y = torch.tensor([named[i] for i in right], device=x.device)
            own = masks[right, y]
            found[words] = Asked(x[right], of_noun(model.grammar, noun), own, masks[right].any(1) & ~own, y)
    return found


def places(config: Captions, model: Captioner, asked: Asked) -> dict[Cell, float]:
    """Where the maps of some words point, and what lies inside (%), by (what, method, stage)."""
    kept: dict[Cell, list[Tensor]] = {}
    for i in torch.arange(len(asked.x), device=asked.x.device).split(100):
        own, other = asked.own[i], None if asked.other is None else asked.other[i]
        maps = maps_of(config, model, asked.x[i], asked.score) | without_a_map(own)
        for (tag, stage), each in maps.items():
            read = {}
            if tag != "flat":
                read["points"] = hits(each, own, config.tolerance)
            if tag != "flat" and other is not None:
                read["other"] = hits(each, other, config.tolerance)
            if tag != "centre":
                read["inside"] = energy_inside(each, own).nan_to_num(0)  # where a map shows nothing
            for what, values in read.items():
                kept.setdefault((what, tag, stage), []).append(values.cpu())
    y = asked.y.cpu()
    return {cell: 100 * pointing_score(torch.cat(each), y).mean for cell, each in kept.items()}


def maps_of(config: Captions, model: Captioner, x: Tensor, score: Callable) -> dict[Cell, Tensor]:
    """Maps of the size of the images, from 0 to 1 each, by (method, stage); the product is "combined".

    What speaks against the words, below 0, is left out before: otherwise the smallest value would become 0,
    and all that says nothing a mean grey.
    """
    layers = {stage: composed.STAGES[stage] for stage in config.stages}
    size = tuple(x.shape[2:])
    found: dict[Cell, Tensor] = {}
    for tag in config.methods:
        maps = saliency.saliency(model, x, 0, METHODS[tag], list(layers.values()), size=size, score=score)
        for stage, layer in layers.items():
            found[tag, stage] = saliency.min_max(maps[layer].clamp(min=0))
        found[tag, COMBINED] = saliency.combine(
            [found[tag, stage] for stage in config.combined],
            saliency.linear_weights(len(config.combined)),
            mode="product",
        )
    return found


def without_a_map(masks: Tensor) -> dict[Cell, Tensor]:
    """The centre of the image, and a flat map, for masks (B, h, w)."""
    flat = torch.ones_like(masks[:, None], dtype=torch.float32)
    middle = torch.zeros_like(flat)
    middle[:, :, masks.shape[1] // 2, masks.shape[2] // 2] = 1
    return {("centre", "centre"): middle, ("flat", "flat"): flat}
