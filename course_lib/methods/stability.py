"""Stability: several noisy passes over one image should say the same (Robert 2019, §2.2.4.3 and §3.2.1).

Sajjadi et al. 2016 compare all pairs of passes (Eq. 2.7 and 3.1). Later methods compare one pass with a
target (Eq. 3.2 and 3.13), and differ in where that comes from: a second pass here, an average of past answers
in `temporal_ensembling`, the answer of an averaged model in `mean_teacher`. No label takes part.

All makers of targets have the methods of `TargetMaker`, so that one training step serves them all.
"""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

CLASSES = ("sum", "mean")


class StabilityTarget(NamedTuple):
    """What the predictions of a batch should agree with."""

    prob: Tensor  # (B, C) probabilities, without gradient
    known: Tensor  # (B,) bool: False where there is no target yet


class TargetMaker(Protocol):
    """What a training step asks of a maker of targets, in this order.

    A batch has ``.x`` (B, ...), ``.index`` (B,), the places of the images in the whole set, and may have
    ``.views``, of which the second is another augmentation of the same images.
    """

    def observe(self, batch: Any, prob: Tensor, epoch: int) -> None:
        """Take note of what the student says, softmax probabilities (B, C), in this pass over the data."""

    def target(self, batch: Any, epoch: int | None = None) -> StabilityTarget:
        """The targets of the images of a batch; only an average over passes asks for the epoch."""

    def update(self) -> None:
        """To be called after each step of the optimiser."""


def all_pairs_stability(predictions: Tensor) -> Tensor:
    """Mean over samples of Σ_j Σ_k ‖ŷ_k - ŷ_j‖², over all pairs of passes, each counted twice (Eq. 2.7).

    It is computed as 2K Σ_k ‖ŷ_k - ȳ‖², with ȳ the mean of a sample's passes, which needs no pairs.

    Args:
        predictions: (K, B, C), what K passes say about B samples. Gradients reach all of them.

    Returns:
        a scalar, in float32, or float64 for float64 input.

    Raises:
        TypeError: predictions are not of floating type.
        ValueError: the shape does not fit, or there are fewer than two passes, or no samples.
    """
    if not predictions.is_floating_point():
        raise TypeError(f"predictions have type {predictions.dtype}, needed is a floating type.")
    if predictions.ndim != 3 or len(predictions) < 2 or predictions.numel() == 0:
        raise ValueError(
            f"predictions have shape {tuple(predictions.shape)}, needed is (K, B, C) with K at least 2."
        )
    y = predictions if predictions.element_size() == 8 else predictions.float()
    return 2 * len(y) * (y - y.mean(0)).square().sum((0, 2)).mean()


def stability_loss(
    prob: Tensor, target: Tensor, known: Tensor | None = None, classes: str = "sum", both: bool = False
) -> Tensor:
    """Mean over the batch of ‖ŷ - ỹ‖² (Eq. 3.2 and 3.13).

    Args:
        prob: ŷ (B, C), the student's softmax probabilities. The gradient reaches them.
        target: ỹ (B, C), a constant: no gradient reaches it.
        known: (B,) bool; where it is False, a sample adds 0, whatever its target holds. It still counts in
            the mean, so that the others do not weigh more in a batch of few known targets. None: all.
        classes: "sum" is the equation. "mean" divides by C, as the released codes of HybridNet, Mean Teacher
            and Temporal Ensembling do; the weights printed beside them (100, 300) are for this form.
        both: let the gradient reach the target as well, as in Algorithm 1 of Laine & Aila 2017. With two
            passes that have the same distribution, this doubles the gradient on average.

    Returns:
        a scalar, in float32, or float64 for float64 probabilities.

    Raises:
        TypeError: prob or target is not of floating type, or known not bool.
        ValueError: the shapes do not fit, the batch is empty, or classes has an impossible value.
    """
    for name, value in (("prob", prob), ("target", target)):
        if not value.is_floating_point():
            raise TypeError(f"{name} has type {value.dtype}, needed is a floating type.")
    if prob.ndim != 2 or prob.numel() == 0 or target.shape != prob.shape:
        raise ValueError(
            f"prob and target have shapes {tuple(prob.shape)} and {tuple(target.shape)}, "
            "needed is (B, C) for both."
        )
    if classes not in CLASSES:
        raise ValueError(f"classes is {classes!r}, possible are {', '.join(CLASSES)}.")
    gap = in_full(prob) - in_full(target if both else target.detach())
    if known is not None:
        if known.dtype != torch.bool:
            raise TypeError(f"known has type {known.dtype}, needed is bool.")
        if known.shape != prob.shape[:1]:
            raise ValueError(f"known has shape {tuple(known.shape)}, needed is ({len(prob)},).")
        gap = torch.where(known[:, None], gap, 0)
    squares = gap.square().sum(1).mean()
    return squares / prob.shape[1] if classes == "mean" else squares


class SecondPass:
    """The Π model: the target is a second pass of the student, with other noise (Laine & Aila 2017).

    The student keeps its mode and, in training mode, drops and normalises as it does in training; but this
    pass does not move its buffers, such as the running statistics of batch norm.

    Args:
        student: maps images (B, ...) to logits (B, C).
        noise: standard deviation of the Gaussian noise on the images of the second pass.
        generator: of that noise; None takes torch's own, as dropout always does.
        both: give targets with a graph, for ``stability_loss(..., both=True)``.

    Raises:
        ValueError: noise is negative.
    """

    def __init__(
        self,
        student: nn.Module,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
        both: bool = False,
    ):
        self.student, self.both = student, both
        self.noise = Noise(noise, generator)

    def observe(self, batch: Any, prob: Tensor, epoch: int) -> None:
        """Nothing: a second pass has no memory."""

    def target(self, batch: Any, epoch: int | None = None) -> StabilityTarget:
        """What the student says about the second view of the batch (the only one where there is one)."""
        with torch.set_grad_enabled(self.both and torch.is_grad_enabled()):
            return all_known(without_trace(self.student, self.noise(second_view(batch))))

    def update(self) -> None:
        """Nothing: the student is its own teacher."""

    def state_dict(self) -> dict[str, Tensor]:
        """The state of the generator, if one was given."""
        return self.noise.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what ``state_dict`` gave."""
        self.noise.load_state_dict(state)


# --- what the makers of targets share ------------------------------------------------------------


class Noise:
    """Gaussian noise on images.

    Args:
        std: its standard deviation; with 0 nothing is drawn.
        generator: on the device of the images; None takes torch's own.
    """

    def __init__(self, std: float, generator: torch.Generator | None = None):
        if not std >= 0:
            raise ValueError(f"noise is {std}, possible are standard deviations from 0.")
        self.std, self.generator = std, generator

    def __call__(self, x: Tensor) -> Tensor:
        """Images (B, ...) of floating type with noise, new ones."""
        if self.std == 0:
            return x
        drawn = torch.randn(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return x + self.std * drawn

    def state_dict(self) -> dict[str, Tensor]:
        return {} if self.generator is None else {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if self.generator is not None:
            self.generator.set_state(state["generator"])


def second_view(batch: Any) -> Tensor:
    """The second of a batch's views, or its images where there is no second."""
    views = getattr(batch, "views", ())
    return views[1] if len(views) > 1 else batch.x


def without_trace(model: nn.Module, x: Tensor) -> Tensor:
    """``model(x)`` on copies of the model's buffers: whatever the pass writes into them is dropped."""
    return functional_call(model, {name: buffer.clone() for name, buffer in model.named_buffers()}, (x,))


def all_known(logits: Tensor) -> StabilityTarget:
    """Softmax probabilities (B, C) as the target of a whole batch."""
    known = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    return StabilityTarget(in_full(logits).softmax(1), known)


def in_full(values: Tensor) -> Tensor:
    """In float32; float64 stays as it is."""
    return values if values.dtype == torch.float64 else values.float()
