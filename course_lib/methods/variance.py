"""Two relatives of SHADE that penalise a variance without its binary mode.

VarEntropy (Robert 2019, Eq. 2.22) takes the whole variance of each unit, and knows neither modes nor classes.
The class-conditional variance is the course's own oracle: it uses the labels that SHADE's mode stands in for.
"""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from course_lib.methods.layerwise import (
    LayerPenalty,
    MovingPenalty,
    MovingUnits,
    as_samples,
    beside,
    constant,
)
from course_lib.methods.named_layers import Layer


def varentropy_penalty(h: Tensor, mean: Tensor) -> Tensor:
    """Mean over samples of (h - mean)², for each unit (Eq. 2.22).

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mean: (D,) estimate of E(H); (1,) stands for all units. A constant: no gradient reaches it.

    Returns:
        (D,) in float32, or float64 for float64 input.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit.
    """
    h, samples = as_samples(h)
    return (h - beside(constant("mean", mean, h), h)).square().mean(samples)


def update_moving_mean(h: Tensor, mean: Tensor, decay: float = 0.8) -> Tensor:
    """The moving average of E(H): ``decay * mean + (1 - decay) * h.mean()`` for each unit.

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mean: (D,) average before this batch; (1,) stands for all units.
        decay: weight of the old average, in [0, 1].

    Returns:
        the new average (D,), without gradient; the given one is not changed.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit, or decay is outside [0, 1].
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}, possible is 0 to 1.")
    h, samples = as_samples(h.detach())
    return decay * constant("mean", mean, h) + (1 - decay) * h.mean(samples)


def class_variance_penalty(h: Tensor, y: Tensor) -> Tensor:
    """Variance of each unit around the mean of the sample's class in this batch: E[Var(H | Y)], estimated.

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        y: labels of the K samples or B images, whole numbers.

    Returns:
        (D,) in float32, or float64 for float64 input.

    Raises:
        TypeError: h is not of floating type, or y is.
        ValueError: there is not one label for each sample.
    """
    h, samples = as_samples(h)
    if y.is_floating_point():
        raise TypeError(f"y has type {y.dtype}, needed are labels of integer type.")
    if y.shape != h.shape[:1]:
        raise ValueError(
            f"y has shape {tuple(y.shape)}, needed is one label for each of {h.shape[0]} images."
        )
    with (
        torch.no_grad(),
        torch.autocast(h.device.type, enabled=False),
    ):  # to first order, moving a class mean does not change the variance around it
        members = one_hot(y.unique(return_inverse=True)[1]).to(h)  # (B, classes that occur)
        of_images = h.mean(samples[1:]) if h.ndim > 2 else h
        of_classes = members.T @ of_images / members.sum(0)[:, None]
    own_mean = of_classes[members.argmax(1)]
    return (h - beside(own_mean, h)).square().mean(samples)


class VarEntropyUnit(MovingUnits):
    """The units of one layer, with a moving average of their mean.

    Args:
        num_units: D; None takes it from the first batch.
        decay: weight of the old average, in [0, 1].

    Attributes:
        mean: buffer (D,), or (1,) while D is not known; starts at 0.
    """

    mean: Tensor

    def __init__(self, num_units: int | None = None, decay: float = 0.8):
        super().__init__()
        if not 0 <= decay <= 1:
            raise ValueError(f"decay is {decay}, possible is 0 to 1.")
        self.decay = decay
        self.register_buffer("mean", torch.zeros(num_units or 1))

    def forward(self, h: Tensor) -> Tensor:
        """h (K, D) or (B, D, ...) to penalties (D,), with the average as it is."""
        return varentropy_penalty(h, self.mean)

    def update(self, h: Tensor) -> None:
        """Move the average by one batch h (K, D) or (B, D, ...)."""
        self.mean = update_moving_mean(h, self.mean, self.decay)


class VarEntropy(MovingPenalty):
    """VarEntropy on all layers of a model; used like `course_lib.methods.shade.Shade`.

    Args:
        model, layers, statistics, reduction, update_first, include_logits: as for ``Shade``.
        decay: weight of the old average. With ``decay=0, update_first=True`` the mean is that of the batch
            itself and the penalty its exact variance.

    Raises:
        ValueError: the model has no such layer or no ReLU, or an argument has an impossible value.
        TypeError: a layer is neither a module nor a name.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layer | Iterable[Layer] | None = None,
        *,
        statistics: str = "channel",
        reduction: str = "mean",
        decay: float = 0.8,
        update_first: bool = False,
        include_logits: bool | Layer = False,
    ):
        super().__init__(
            model,
            layers,
            partial(VarEntropyUnit, decay=decay),
            statistics=statistics,
            reduction=reduction,
            update_first=update_first,
            include_logits=include_logits,
        )


class ClassVariance(LayerPenalty):
    """The oracle: class-conditional variance on all layers of a model, for data with labels.

    Args:
        model, layers, statistics, reduction, include_logits: as for ``Shade``.
    """

    def penalty(self, y: Tensor) -> Tensor:
        """The penalty of the forward passes since the last call, which are then forgotten.

        Args:
            y: labels (B,) of their images, in the order of the passes.

        Returns:
            a scalar, in float32 or float64, on the device of the layers.

        Raises:
            RuntimeError: there was no forward pass in the model's present mode with gradients enabled.
            ValueError: there is not one label for each image.
        """
        return self._sum_over_layers(lambda name, h: class_variance_penalty(h, y))
