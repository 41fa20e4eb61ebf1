"""Penalties on pre-activations: one number per unit, averaged over a layer, added up over the layers."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from course_lib.methods.named_layers import Layer
from course_lib.methods.preactivations import PreActivations

STATISTICS = ("channel", "location")
REDUCTIONS = ("mean", "sum")


def as_samples(h: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """A layer's tensor in a precision that bears squares, and the dimensions that run over its samples.

    Args:
        h: (K, D), or (B, D, ...) where each position of each image is a sample of D units.

    Returns:
        h in float32 (float64 stays) and the dimensions to average over: all but the second.

    Raises:
        TypeError: h is not of floating type.
        ValueError: h has fewer than two dimensions, or no samples.
    """
    if not h.is_floating_point():
        raise TypeError(f"h has type {h.dtype}, needed is a floating type.")
    if h.ndim < 2 or h.numel() == 0:
        raise ValueError(
            f"h has shape {tuple(h.shape)}, needed is (K, D) or (B, D, ...) with at least one sample."
        )
    return h if h.dtype == torch.float64 else h.float(), (0, *range(2, h.ndim))


def constant(name: str, average: Tensor, h: Tensor, rows: tuple[int, ...] = ()) -> Tensor:
    """An average of each unit of h, or one that stands for all, without gradient and in h's type and place.

    Args:
        name: what to call it in the refusal.
        average: (*rows, D) or (*rows, 1).
        h: (K, D) or (B, D, ...).
        rows: dimensions before that of the units.

    Raises:
        ValueError: the average has another shape.
    """
    possible = (*rows, h.shape[1]), (*rows, 1)
    if tuple(average.shape) not in possible:
        raise ValueError(
            f"{name} has shape {tuple(average.shape)}, "
            f"needed is {possible[0]}, or {possible[1]} for all units."
        )
    return average.detach().to(h)


def beside(units: Tensor, h: Tensor) -> Tensor:
    """Values of units (..., D) in a shape (..., D, 1, 1) that broadcasts with h (B, D, height, width)."""
    return units.reshape(*units.shape, *[1] * (h.ndim - 2))


class LayerPenalty(nn.Module):
    """What the penalties of this room share: hooks on a model, and the sum over its layers.

    Args:
        model: the model; it is not made a part of this module.
        layers: whose inputs are penalised, modules or dotted names; None means every ``nn.ReLU``.
        statistics: ``channel``: one unit per channel, each position of each image is a sample;
            ``location``: one unit per channel and position, each image is a sample.
        reduction: ``mean``: mean over samples and units, sum over layers; ``sum``: sum over all of them.
        include_logits: also penalise the output of ``model.head`` (True), or of this layer.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layer | Iterable[Layer] | None = None,
        *,
        statistics: str = "channel",
        reduction: str = "mean",
        include_logits: bool | Layer = False,
    ):
        super().__init__()
        for name, value, possible in (
            ("statistics", statistics, STATISTICS),
            ("reduction", reduction, REDUCTIONS),
        ):
            if value not in possible:
                raise ValueError(f"{name} is {value!r}, possible are {', '.join(possible)}.")
        self.statistics = statistics
        self.reduction = reduction
        self.recorder = PreActivations(model, layers, include_logits)

    @property
    def layers(self) -> tuple[str, ...]:
        """Dotted names of the penalised layers."""
        return self.recorder.names

    def forget(self) -> None:
        """Drop the forward passes since the last ``penalty``."""
        self.recorder.forget()

    def remove(self) -> None:
        """Take the hooks off the model; the averages stay."""
        self.recorder.remove()

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def extra_repr(self) -> str:
        return f"statistics={self.statistics}, reduction={self.reduction}"

    def _units(self, layers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: h.flatten(1) if self.statistics == "location" else h for name, h in layers.items()}

    def _sum_over_layers(self, penalty_of: Callable[[str, Tensor], Tensor]) -> Tensor:
        """Add up ``penalty_of(name, h)``, which is a mean over samples for each unit (D,)."""
        total = torch.zeros(())
        for name, h in self._units(self.recorder.take()).items():
            units = penalty_of(name, h)
            samples = h.numel() // h.shape[1]
            total = total + (units.mean() if self.reduction == "mean" else samples * units.sum())
        return total


class MovingUnits(nn.Module):
    """The units of one layer, with moving averages as buffers whose last dimension runs over the units.

    Until the first batch tells how many units there are, each average is one number that stands for all.
    Afterwards the averages are where the layer is: same device, same floating type.

    A subclass gives ``forward(h) -> (D,)``, the penalty with the averages as they are, and ``update(h)``.
    """

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: object) -> None:
        for name, own in self._buffers.items():
            given = state_dict.get(prefix + name)
            if given is not None and _fits(own.shape, given.shape):
                setattr(self, name, torch.empty_like(given, device=own.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class MovingPenalty(LayerPenalty):
    """A layer penalty that compares each unit with moving averages of itself.

    Args:
        make_units: makes the `MovingUnits` of a layer.
        update_first: move the averages before the penalty is computed instead of after it.
        model, layers, kept: see `LayerPenalty`.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layer | Iterable[Layer] | None,
        make_units: Callable[[], MovingUnits],
        *,
        update_first: bool,
        **kept: object,
    ):
        make_units()  # refuses impossible options before anything is hooked
        super().__init__(model, layers, **kept)
        self.update_first = update_first
        self._make_units = make_units
        self.units = nn.ModuleDict()
        for name in self.layers:
            self.unit(name)

    def unit(self, layer: str) -> MovingUnits:
        """The units and averages of a layer, by its dotted name."""
        key = layer.replace(".", "/")  # a ModuleDict takes no dots
        if key not in self.units:
            self.units[key] = self._make_units()
        return self.units[key]

    def penalty(self) -> Tensor:
        """The penalty of the forward passes since the last call, which are then forgotten.

        The averages count as constants. Where model and penalty are in training mode, this batch moves them
        (afterwards, unless ``update_first``); in evaluation mode they stay.

        Returns:
            a scalar, in float32 or float64, on the device of the layers.

        Raises:
            RuntimeError: there was no forward pass in the model's present mode with gradients enabled.
        """
        moving = self.training and self.recorder.attached().training

        def of_layer(name: str, h: Tensor) -> Tensor:
            units = self.unit(name)
            if moving and self.update_first:
                units.update(h)
            penalty = units(h)
            if moving and not self.update_first:
                units.update(h)
            return penalty

        return self._sum_over_layers(of_layer)

    def measure(self, x: Tensor) -> dict[str, Tensor]:
        """The penalty of each unit on a batch, in evaluation mode; averages and recorded passes stay.

        Args:
            x: what the model takes.

        Returns:
            (D,) means over samples, by layer name, in the order of use.
        """
        return {name: self.unit(name)(h) for name, h in self._units(self.recorder.observe(x)).items()}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, update_first={self.update_first}"

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: object) -> None:
        start = f"{prefix}units."
        for key in state_dict:
            if key.startswith(start):  # a layer used a second time in one call is only known once it ran
                self.unit(key.removeprefix(start).split(".")[0])
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _fits(own: torch.Size, given: torch.Size) -> bool:
    """Whether averages of one shape may take the place of those of another: one of them is of no size yet."""
    same_rows = len(own) == len(given) and own[:-1] == given[:-1]
    return own == given or (same_rows and 1 in (own[-1], given[-1]))
