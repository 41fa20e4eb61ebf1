"""Entropy of discrete codes and what they tell about labels, counted from samples, in nats.

Robert 2019, §2.3.2, in the discrete form in which Eq. 2.10, 2.15 and A.1 hold. Symbols: a code ``c`` has K
values that occur among N samples; ``p(c)`` is the share of the samples with that value.

N samples cannot show more than log N nats. Where most samples have a code of their own, the numbers below say
how many samples there were and nothing about the code: look at `alone` first.
"""

import torch
from torch import Tensor

CORRECTIONS = (None, "miller-madow")


def entropy(code: Tensor, *, correction: str | None = None) -> float:
    """H(C) = -Σ_c p(c) log p(c), with the shares of the samples for p ("plug-in").

    Args:
        code: whole numbers (N,), or (N, D) where a row is one joint code.
        correction: ``miller-madow`` adds (K - 1) / 2N, the first term of what the shares miss on average;
            None adds nothing.

    Returns:
        nats; without a correction in [0, log N].

    Raises:
        TypeError: the code is of floating type.
        ValueError: the code has no samples or other dimensions, or there is no such correction.
    """
    return float(_entropies(_places(code).bincount()[None], correction))


def conditional_entropy(code: Tensor, y: Tensor, *, correction: str | None = None) -> float:
    """H(C | Y) = Σ_y p(y) H(C | Y=y): what is left to guess of the code of a sample whose label is known.

    Args:
        code: whole numbers (N,), or (N, D) where a row is one joint code.
        y: labels (N,), whole numbers.
        correction: as for `entropy`, in each class with its own K and N.

    Returns:
        nats; without a correction in [0, H(C)].

    Raises:
        TypeError: the code or the labels are of floating type.
        ValueError: there is not one label for each sample, or as for `entropy`.
    """
    counts = _table(code, y)
    of_classes = counts.sum(1).double() / counts.sum()
    return float((of_classes * _entropies(counts, correction)).sum())


def mutual_information(code: Tensor, y: Tensor, *, correction: str | None = None) -> float:
    """I(C, Y) = H(C) - H(C | Y), Eq. 2.10.

    The shares alone make it too large, by about (K - 1)(number of classes - 1) / 2N for codes that every
    class has. With a correction it may come out a little below 0.

    Args:
        code, y, correction: as for `conditional_entropy`; both entropies are corrected.

    Returns:
        nats; without a correction in [0, H(Y)].

    Raises:
        TypeError, ValueError: as for `conditional_entropy`.
    """
    return entropy(code, correction=correction) - conditional_entropy(code, y, correction=correction)


def alone(code: Tensor, y: Tensor) -> float:
    """The part of the samples whose code no other sample of their class has, in [0, 1].

    It estimates how likely the next sample has a code not seen yet (Good and Turing). Near 1, an entropy
    counted from these samples is that of the samples.

    Args:
        code, y: as for `conditional_entropy`.

    Raises:
        TypeError, ValueError: as for `conditional_entropy`.
    """
    counts = _table(code, y)
    return float((counts == 1).sum() / counts.sum())


def in_bins(h: Tensor, width: Tensor | float) -> Tensor:
    """The code of each unit: in which bin of this width its value lies; bin 0 has its middle at 0.

    Args:
        h: (N, D).
        width: of the bins, above 0: one for all, or (D,).

    Returns:
        (N, D) int64.

    Raises:
        ValueError: a width is not above 0.
    """
    width = torch.as_tensor(width, dtype=h.dtype, device=h.device)
    if not (width > 0).all():
        raise ValueError(f"width is {width.tolist()}, possible are numbers above 0.")
    return (h / width).round().long()


def _places(code: Tensor) -> Tensor:
    """(N,) which of the K codes that occur each sample has."""
    if code.is_floating_point():
        raise TypeError(f"The code has type {code.dtype}, needed are whole numbers: put it in bins first.")
    if code.ndim not in (1, 2) or code.numel() == 0:
        raise ValueError(
            f"The code has shape {tuple(code.shape)}, needed is (N,) or (N, D) with at least one sample."
        )
    return code.unique(dim=0, return_inverse=True)[1]


def _table(code: Tensor, y: Tensor) -> Tensor:
    """(classes that occur, K) how many samples have this label and this code."""
    places = _places(code)
    if y.is_floating_point():
        raise TypeError(f"y has type {y.dtype}, needed are labels of integer type.")
    if y.shape != places.shape:
        raise ValueError(
            f"y has shape {tuple(y.shape)}, needed is one label for each of {len(places)} samples."
        )
    names, classes = y.unique(return_inverse=True)
    codes = int(places.max()) + 1
    return (classes.to(places) * codes + places).bincount(minlength=len(names) * codes).view(-1, codes)


def _entropies(counts: Tensor, correction: str | None) -> Tensor:
    """(rows, K) counts to (rows,) entropies in float64."""
    if correction not in CORRECTIONS:
        raise ValueError(f"correction is {correction!r}, possible are None and 'miller-madow'.")
    samples = counts.sum(1)
    found = -torch.special.xlogy(shares := counts.double() / samples[:, None], shares).sum(1)
    if correction is None:
        return found.clamp(min=0)
    return found + ((counts > 0).sum(1) - 1) / (2 * samples.double())
