"""Variants of SHADE that the thesis leaves open: other moving means, a hard mode, the logarithm kept.

Each has `course_lib.methods.shade.ShadeUnit` for a parent and changes one thing of it; `ShadeVariant`
attaches one to a model. What is a switch of `course_lib.methods.shade.Shade` already is no variant here.
"""

import math
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from course_lib.methods.layerwise import MovingPenalty, as_samples, beside, constant
from course_lib.methods.named_layers import Layer
from course_lib.methods.shade import MODES, ShadeUnit, shade_penalty

VARIANCE_FLOOR = 1e-6  # added to a variance before its logarithm


def update_self_normalised(
    h: Tensor, mu: Tensor, p: Tensor, decay: float = 0.8, eps: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """Moving averages of p(z|h) h and of p(z|h), whose ratio is mu: a weighted mean of what was seen.

    Algorithm A.1 averages a ratio instead, and so its mu can leave the range of h. Here mu moves towards the
    batch's own mean of the mode by the share of the batch in p, which is never more than the whole way.

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mu, p: (2, D) before this batch; (2, 1) stands for all units. The numerator is their product.
        decay: weight of the old averages, in [0, 1].
        eps: least divisor; a mode that hardly any sample is in keeps its mean.

    Returns:
        new mu and p, each (2, D), without gradient; the given ones are not changed.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit, or decay is outside [0, 1].
    """
    h, mu, p, samples = _before_update(h, mu, p, decay)
    q = torch.stack([torch.sigmoid(-h), torch.sigmoid(h)])
    mass, moment = _means(q, samples), _means(q * h, samples)
    new_p = decay * p + (1 - decay) * mass
    return mu + (1 - decay) * (moment - mass * mu) / new_p.clamp(min=eps), new_p


def hard_penalty(h: Tensor, mu: Tensor) -> Tensor:
    """The mean over samples of (h - mu[z])² with z = 1 where h > 0: a mode that is certain.

    As z is a step, its derivative is zero, and only the pull towards the own mean is left.

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mu: (2, D) means of the modes, absent and present; (2, 1) stands for all units. A constant.

    Returns:
        (D,) in float32, or float64 for float64 input.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit.
    """
    h, samples = as_samples(h)
    absent, present = beside(constant("mu", mu, h, MODES), h)
    return (h - torch.where(h > 0, present, absent)).square().mean(samples)


def update_hard_averages(
    h: Tensor, mu: Tensor, p: Tensor, decay: float = 0.8, eps: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """One step of Algorithm A.1 with 1[h > 0] in the place of sigmoid(h).

    Args:
        h, mu, p, decay: see `update_self_normalised`.
        eps: least divisor; a mode that no sample was in for long would otherwise give 0/0.

    Returns:
        new mu and p, each (2, D), without gradient; the given ones are not changed.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit, or decay is outside [0, 1].
    """
    h, mu, p, samples = _before_update(h, mu, p, decay)
    z = torch.stack([h <= 0, h > 0]).to(h)
    new_p = decay * p + (1 - decay) * _means(z, samples)
    return decay * mu + (1 - decay) * _means(z * h, samples) / new_p.clamp(min=eps), new_p


def log_penalty(h: Tensor, mu: Tensor, floor: float = VARIANCE_FLOOR) -> Tensor:
    """½ ln(2πe v) with v the within-mode variance of each unit: the bound on its entropy (Eq. 2.19).

    The thesis drops logarithm and constant. The logarithm divides the gradient of a unit by 2 v, so loud and
    quiet units count alike; the constant, kept here, makes the value an entropy.

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mu: (2, D) means of the modes, absent and present; (2, 1) stands for all units. A constant.
        floor: added to v, so that a unit that says nothing has a finite bound and no infinite gradient.

    Returns:
        (D,) in nats, in float32, or float64 for float64 input.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit.
    """
    return 0.5 * torch.log(2 * math.pi * math.e * (shade_penalty(h, mu) + floor))


class SelfNormalisedUnit(ShadeUnit):
    """`ShadeUnit` with the averages of `update_self_normalised`."""

    def update(self, h: Tensor) -> None:
        """Move the averages by one batch h (K, D) or (B, D, ...)."""
        self.mu, self.p = update_self_normalised(h, self.mu, self.p, self.decay, self.eps)


class HardUnit(ShadeUnit):
    """`ShadeUnit` whose mode is 1[h > 0], in penalty and averages."""

    def forward(self, h: Tensor) -> Tensor:
        """h (K, D) or (B, D, ...) to penalties (D,), with the averages as they are."""
        return hard_penalty(h, self.mu)

    def update(self, h: Tensor) -> None:
        """Move the averages by one batch h (K, D) or (B, D, ...)."""
        self.mu, self.p = update_hard_averages(h, self.mu, self.p, self.decay, self.eps)


class LogUnit(ShadeUnit):
    """`ShadeUnit` whose penalty is the bound on the entropy, `log_penalty`."""

    def forward(self, h: Tensor) -> Tensor:
        """h (K, D) or (B, D, ...) to bounds (D,) in nats, with the averages as they are."""
        return log_penalty(h, self.mu)


VARIANTS = {"self-normalised": SelfNormalisedUnit, "hard": HardUnit, "log": LogUnit}


class ShadeVariant(MovingPenalty):
    """A variant of SHADE on all layers of a model; used like `course_lib.methods.shade.Shade`.

    Args:
        model, layers, statistics, decay, update_first, include_logits: as for ``Shade``.
        variant: ``self-normalised``, ``hard`` or ``log``.
        reduction: as for ``Shade``; a bound on an entropy is no sum over samples, so ``log`` has no ``sum``.

    Raises:
        ValueError: the model has no such layer or no ReLU, or an argument has an impossible value.
        TypeError: a layer is neither a module nor a name.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layer | Iterable[Layer] | None = None,
        *,
        variant: str,
        statistics: str = "channel",
        reduction: str = "mean",
        decay: float = 0.8,
        update_first: bool = False,
        include_logits: bool | Layer = False,
    ):
        if variant not in VARIANTS:
            raise ValueError(f"variant is {variant!r}, possible are {', '.join(VARIANTS)}.")
        if variant == "log" and reduction == "sum":
            raise ValueError("reduction is 'sum', possible for the variant 'log' is mean.")
        super().__init__(
            model,
            layers,
            partial(VARIANTS[variant], decay=decay),
            statistics=statistics,
            reduction=reduction,
            update_first=update_first,
            include_logits=include_logits,
        )
        self.variant = variant

    def extra_repr(self) -> str:
        return f"variant={self.variant}, {super().extra_repr()}"


def _before_update(
    h: Tensor, mu: Tensor, p: Tensor, decay: float
) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...]]:
    """A batch, the averages in its type and place, and the dimensions of its samples; or a refusal."""
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}, possible is 0 to 1.")
    h, samples = as_samples(h.detach())
    return h, constant("mu", mu, h, MODES), constant("p", p, h, MODES), samples


def _means(of_modes: Tensor, samples: tuple[int, ...]) -> Tensor:
    """Values (2, B, D, ...) of both modes to their means over samples (2, D)."""
    return of_modes.mean([dimension + 1 for dimension in samples])
