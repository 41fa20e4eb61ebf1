"""SHADE: pull each pre-activation towards the mean of its own mode, "pattern present" or "pattern absent".

Robert 2019, §2.3.3 and Appendix A.1. Symbols: ``h`` pre-activations, K samples of D units; ``Z`` the binary
mode of a unit; ``p(Z=1|h) = sigmoid(h)``; ``mu`` (2, D), row z estimates E(H | Z=z); ``p`` (2, D), row z
estimates p(Z=z), and only serves to make ``mu``.
"""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from course_lib.methods.layerwise import MovingPenalty, MovingUnits, as_samples, beside, constant
from course_lib.methods.named_layers import Layer

MODES = (2,)  # the pattern is absent, present


def shade_penalty(h: Tensor, mu: Tensor, *, detach_p: bool = False) -> Tensor:
    """Within-mode variance of each unit: the mean over samples of Σ_z p(z|h) (h - mu[z])² (Eq. A.8 and 2.21).

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mu: (2, D) means of the modes, absent and present; (2, 1) stands for all units. A constant: no
            gradient reaches it.
        detach_p: also treat p(z|h) as a constant, which the thesis does not: it removes what keeps two modes
            apart.

    Returns:
        (D,) in float32, or float64 for float64 input. Times K and summed over units it is Eq. 2.21.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit.
    """
    h, samples = as_samples(h)
    absent, present = beside(constant("mu", mu, h, MODES), h)
    return _WithinModes.apply(h, absent, present, samples, detach_p)


def update_moving_averages(
    h: Tensor, mu: Tensor, p: Tensor, decay: float = 0.8, eps: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """One step of Algorithm A.1, which divides by the p that it has just updated.

    Args:
        h: pre-activations (K, D), or (B, D, ...) where each position of each image is a sample.
        mu, p: (2, D) averages before this batch; (2, 1) stands for all units.
        decay: weight of the old averages, in [0, 1].
        eps: least divisor; a mode that hardly any sample is in would otherwise give 0/0.

    Returns:
        new mu and p, each (2, D), without gradient; the given ones are not changed.

    Raises:
        TypeError: h is not of floating type.
        ValueError: the shapes do not fit, or decay is outside [0, 1].
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}, possible is 0 to 1.")
    h, samples = as_samples(h.detach())
    mu, p = constant("mu", mu, h, MODES), constant("p", p, h, MODES)
    new_mu, new_p = [], []
    for z in (0, 1):
        # not 1 - sigmoid(h), which is 0 from h = 17 on
        p_z_given_h = torch.sigmoid(h) if z else torch.neg(h).sigmoid_()
        p_z = decay * p[z] + (1 - decay) * p_z_given_h.mean(samples)
        mean_h = p_z_given_h.mul_(h).mean(samples) / p_z.clamp(min=eps)
        new_mu.append(decay * mu[z] + (1 - decay) * mean_h)
        new_p.append(p_z)
    return torch.stack(new_mu), torch.stack(new_p)


class ShadeUnit(MovingUnits):
    """The units of one layer, with the moving averages of Algorithm A.1.

    Args:
        num_units: D; None takes it from the first batch.
        decay: weight of the old averages, in [0, 1].
        eps: least divisor in the update.
        detach_p: see `shade_penalty`.

    Attributes:
        mu, p: buffers (2, D), or (2, 1) while D is not known.
    """

    mu: Tensor
    p: Tensor

    def __init__(
        self, num_units: int | None = None, decay: float = 0.8, eps: float = 1e-6, detach_p: bool = False
    ):
        super().__init__()
        if not 0 <= decay <= 1:
            raise ValueError(f"decay is {decay}, possible is 0 to 1.")
        self.decay, self.eps, self.detach_p = decay, eps, detach_p
        self.register_buffer("mu", torch.tensor([[-1.0], [1.0]]).repeat(1, num_units or 1))
        self.register_buffer("p", torch.full((2, num_units or 1), 0.5))

    def forward(self, h: Tensor) -> Tensor:
        """h (K, D) or (B, D, ...) to penalties (D,), with the averages as they are."""
        return shade_penalty(h, self.mu, detach_p=self.detach_p)

    def update(self, h: Tensor) -> None:
        """Move the averages by one batch h (K, D) or (B, D, ...)."""
        self.mu, self.p = update_moving_averages(h, self.mu, self.p, self.decay, self.eps)


class Shade(MovingPenalty):
    """SHADE on all layers of a model, attached by one call::

        with Shade(model) as shade:
            for x, y in batches:
                loss = cross_entropy(model(x), y) + 0.1 * shade.penalty()
                ...

    Its state is in ``state_dict`` (not in the model's): give it to ``fit(..., stateful={"shade": shade})``.
    Where there is a C++ compiler, torch can compile the penalty of each layer; its values stay the same::

        for units in shade.units.values():
            units.compile()

    Args:
        model: the model; the tensor that enters a ReLU is penalised (after batch norm, if there is one).
        layers: whose inputs to penalise, modules or dotted names; None means every ``nn.ReLU``.
        statistics: ``channel`` (default): one pair of means per channel, each position of each image is a
            sample; ``location``: one pair per channel and position.
        reduction: ``mean`` (default): mean over samples and units, sum over layers; ``sum``: Eq. 2.21 to the
            letter, which is K·D times as much for a layer of D units that sees K samples.
        decay: weight of the old averages (Algorithm A.1: 0.8). With ``decay=0, update_first=True`` the means
            are those of the batch itself.
        detach_p: treat p(z|h) as a constant, see `shade_penalty`.
        update_first: move the averages before the penalty is computed instead of after it.
        include_logits: also penalise the output of ``model.head`` (True), or of this module or dotted name.

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
        detach_p: bool = False,
        update_first: bool = False,
        include_logits: bool | Layer = False,
    ):
        super().__init__(
            model,
            layers,
            partial(ShadeUnit, decay=decay, detach_p=detach_p),
            statistics=statistics,
            reduction=reduction,
            update_first=update_first,
            include_logits=include_logits,
        )


class _WithinModes(torch.autograd.Function):
    """Mean over samples of σ(h) (h - μ¹)² + (1 - σ(h)) (h - μ⁰)², with its derivative in closed form.

    So h is all that is kept for the backward pass, instead of one tensor for each operation. The
    interpolation keeps its precision where one mode is certain, however large h is.

    A new tensor as large as a layer costs more than the arithmetic, so what is made here is overwritten where
    it can be; in ``backward`` that is only what a second derivative does not need.
    """

    @staticmethod
    def forward(
        ctx, h: Tensor, absent: Tensor, present: Tensor, samples: tuple[int, ...], detach_p: bool
    ) -> Tensor:
        ctx.save_for_backward(h, absent, present)
        ctx.samples, ctx.detach_p = samples, detach_p
        square = (h - absent).square_().lerp_((h - present).square_(), torch.sigmoid(h))
        return square.mean(samples)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """dω/dh = 2 (h - m(h)) - σ'(h) (μ¹ - μ⁰) (2h - μ⁰ - μ¹), with m(h) = σ(h) μ¹ + (1 - σ(h)) μ⁰.

        Half of it is h - μ⁰ - (μ¹ - μ⁰) (σ(h) + σ'(h) (h - midpoint)).
        """
        h, absent, present = ctx.saved_tensors
        pull = sigma = torch.sigmoid(h)  # towards the mean of both modes, weighted
        if not ctx.detach_p:  # and away from the midpoint between them
            slope = torch.addcmul(sigma, sigma, sigma, value=-1)
            pull = torch.addcmul(sigma, slope, h - (absent + present) / 2)
        half = (h - absent).addcmul_(pull, present - absent, value=-1)
        scale = 2 * gradient * h.shape[1] / h.numel()
        return half.mul_(beside(scale, h)), None, None, None, None
