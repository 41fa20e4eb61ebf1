"""Meta-saliency: one step towards the class, then explain the net that took it (Rebuffi 2020, Ch. 8, §4.4).

What is looked for is the gradient of L(θ) = ℓ(θ - ε ∇ℓ(θ)) (Eq. 4), the loss after one step of learning. To
first order in ε it is ∇ℓ - 2ε H ∇ℓ (Eq. 6), H the Hessian; and a backward finite difference of step 2ε turns
this into the plain gradient ∇ℓ(θ') at θ' = θ - 2ε ∇ℓ(θ). Twice the ε: half of it comes from the derivative of
the step itself. So every saliency method of first order has its meta version, for one more forward and
backward pass. With ascent instead of descent it shows what would degrade the net.
"""

import copy
import math
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.methods.saliency.capture import checked
from course_lib.methods.stability import in_full

Model = TypeVar("Model", bound=nn.Module)
Loss = Callable[[Tensor, Tensor], Tensor]
Maps = Tensor | dict[str, Tensor]


def target_loss(outputs: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the class, mean over the samples; logits (B, C), or (B, C, h, w).

    Fully convolutional logits have a cross-entropy at each position, and the mean of these is taken.
    """
    if outputs.ndim > 2:
        y = y.view(-1, *[1] * (outputs.ndim - 2)).expand(-1, *outputs.shape[2:])
    return F.cross_entropy(in_full(outputs), y)


def meta_step(
    model: Model, x: Tensor, y: Tensor | int, eps: float, sign: int = +1, loss: Loss | None = None
) -> Model:
    """A copy of the model that took one step of gradient descent: θ' = θ - sign · 2ε ∇ℓ(θ, x).

    The step is taken on all parameters that the loss reaches, whether or not they are being trained, without
    momentum or weight decay. The model is not changed: not its weights, nor its buffers, mode or ``.grad``.

    Args:
        model: maps images to logits.
        x: images (B, C, H, W). All of them share this one step; the source takes one image at a time, as
            `meta_saliency` does.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        eps: ε of Eq. 4; the step has the learning rate 2ε. With 0 the copy has the weights of the model.
        sign: +1 descends, -1 ascends (negative meta-saliency).
        loss: takes what the model returns and y; None is the cross-entropy of the class, `target_loss`.

    Returns:
        the copy, in evaluation mode.

    Raises:
        ValueError: x, y, eps or sign is impossible, or the loss depends on no parameter.
    """
    x, y = checked(x, y)
    step = _Step(model, eps, sign, loss)
    step.take(x, y)
    return step.copy


def meta_saliency(
    fn: Callable[[nn.Module, Tensor, Tensor], Maps],
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    eps: float,
    sign: int = +1,
    loss: Loss | None = None,
) -> Maps:
    """Any saliency method on nets that took a step, each image on a net of its own (§4.4).

    One copy of the model is made and its weights are set anew for each image, so that an image costs what
    ``fn`` costs for one image, and a forward and a backward pass for the step.

    Args:
        fn: takes a model in evaluation mode, an image (1, C, H, W) and its class (1,), and gives maps
            (1, 1, h, w), or a dict of such, for several layers. It must not keep the model.
        model: maps images to logits; not changed, see `meta_step`.
        x: images (B, C, H, W).
        y: (B,) int64; a number means this class for all.
        eps, sign, loss: as in `meta_step`.

    Returns:
        maps (B, 1, h, w), or a dict of such, without gradient.

    Raises:
        ValueError: x, y, eps or sign is impossible, or fn gives something else than one map an image.
    """
    x, y = checked(x, y)
    if len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}, needed is at least one image.")
    step, found = _Step(model, eps, sign, loss), []
    for image, class_of_it in zip(x.split(1), y.split(1)):
        step.take(image, class_of_it)
        found.append(_detached(fn(step.copy, image, class_of_it)))
    if isinstance(found[0], dict):
        return {name: torch.cat([maps[name] for maps in found]) for name in found[0]}
    return torch.cat(found)


class _Step:
    """A copy of a model whose weights are, after ``take``, those of the model after a step on these images.

    The gradient is taken on the copy as well, so that hooks, modes and flags of the model play no part.
    """

    def __init__(self, model: nn.Module, eps: float, sign: int, loss: Loss | None):
        if not 0 <= eps < math.inf:
            raise ValueError(f"eps is {eps}, possible are finite numbers from 0.")
        if sign not in (-1, 1):
            raise ValueError(f"sign is {sign}, possible are +1 (descent) and -1 (ascent).")
        self.length, self.loss = 2 * eps * sign, target_loss if loss is None else loss
        with torch.inference_mode(False):
            self.copy = copy.deepcopy(model).eval()
            self.copy.zero_grad(set_to_none=True)
            self.parameters = [p for p in self.copy.parameters() if p.is_floating_point()]
            self.start = [p.detach().clone() for p in self.parameters]

    def take(self, x: Tensor, y: Tensor) -> None:
        """Set the copy's weights to θ - sign · 2ε ∇ℓ(θ, x)."""
        with torch.no_grad():
            for parameter, start in zip(self.parameters, self.start):
                parameter.copy_(start)
        gradients = self._gradients(x, y)
        with torch.no_grad():
            for parameter, gradient in zip(self.parameters, gradients):
                if gradient is not None:
                    parameter.sub_(gradient, alpha=self.length)

    def _gradients(self, x: Tensor, y: Tensor) -> tuple[Tensor | None, ...]:
        """∇ℓ at the weights that the copy has, also for parameters that are not being trained."""
        frozen = [p for p in self.parameters if not p.requires_grad]
        try:
            for parameter in frozen:
                parameter.requires_grad_(True)
            with torch.inference_mode(False), torch.enable_grad():
                value = self.loss(self.copy(x.detach().clone()), y)
                if not value.requires_grad:
                    raise ValueError("The loss depends on no parameter of the model, so there is no step.")
                return torch.autograd.grad(value, self.parameters, allow_unused=True)
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)


def _detached(maps: Maps) -> Maps:
    if isinstance(maps, dict):
        return {name: _detached(map_) for name, map_ in maps.items()}
    if not isinstance(maps, Tensor) or maps.ndim != 4 or maps.shape[:2] != (1, 1):
        given = f"shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else f"type {type(maps).__name__}"
        raise ValueError(
            f"fn gives maps of {given}, needed is (1, 1, h, w) for one image, or a dict of such."
        )
    return maps.detach()
