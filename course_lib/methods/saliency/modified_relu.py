"""Deconvnet and guided backprop: the forward pass of a net as it is, another backward rule at its ReLUs.

For a ReLU with input z, and p the signal that arrives from above (Rebuffi 2020, §2.5.1):

* the gradient goes on as p 1[z > 0];
* ``deconvnet`` (Zeiler and Fergus 2014) sends p_+ on;
* ``guided`` (Springenberg et al. 2015) sends p_+ 1[z > 0] on.

Hooks on ``nn.ReLU`` modules would miss every ``F.relu``, without a word. So the rule is attached to the
function: a mode sees each call that PyTorch makes, in whatever form it is written.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

RULES = ("deconvnet", "guided")


def backward_rule(rule: str) -> TorchFunctionMode:
    """A context in which every ReLU of a forward pass has another backward rule.

    What counts is where the forward pass runs; its backward pass may come later::

        with backward_rule("guided"):
            logits = net(x)
        (p,) = torch.autograd.grad(logits[:, 3].sum(), x)  # (B, C, H, W)

    Caught are ``nn.ReLU``, ``F.relu``, ``torch.relu``, ``Tensor.relu`` and their in-place forms, which really
    change their input. Values are the ordinary ones. Other threads, and what runs outside, notice nothing.

    What comes before a ReLU has the rule's signal. At a ReLU's own output p itself stands, if you ask for it
    through `capture`; ``autograd.grad`` with respect to that output alone gives p_+ under ``guided``. The
    inner one of two nested rules does not replace the outer one: guided inside deconvnet is deconvnet.

    Not ReLUs here: ReLU6 and its like, ``clamp(min=0)``, and a ReLU that is fused into a larger kernel or
    compiled by ``torch.jit``. They keep their gradient.

    Args:
        rule: ``deconvnet`` or ``guided``.

    Raises:
        ValueError: there is no such rule.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}, possible are {', '.join(RULES)}.")
    return _ModifiedRelus(guided=rule == "guided")


def relu_call(func: Callable, args: tuple, kwargs: dict[str, Any]) -> tuple[Tensor, bool] | None:
    """The input of a call of ReLU, and whether it works in place; None where ``func`` is something else."""
    name = getattr(func, "__name__", "")
    if name not in ("relu", "relu_"):
        return None
    return args[0] if args else kwargs["input"], name == "relu_" or kwargs.get("inplace", False)


class _ModifiedRelus(TorchFunctionMode):
    def __init__(self, guided: bool):
        super().__init__()
        self.guided = guided

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        call = relu_call(func, args, kwargs)
        if call is None:
            return func(*args, **kwargs)
        z, in_place = call
        if self.guided and not (in_place and z._is_view()):  # a hook on a part of a tensor sees nothing
            y = func(*args, **kwargs)
            if y.requires_grad:
                y.register_hook(_positive_part)  # p_+, to which the ReLU itself then adds its 1[z > 0]
            return y
        y = _ModifiedRelu.apply(z, self.guided)
        # Writing the result over z changes what every later user of z sees, as the in-place ReLU would.
        return z.copy_(y) if in_place else y


def _positive_part(p: Tensor) -> Tensor:
    return p.clamp(min=0)


class _ModifiedRelu(torch.autograd.Function):
    """y = max(z, 0); backwards p_+, or p_+ 1[z > 0]."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, guided: bool) -> Tensor:
        return torch.relu(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, bool], output: Tensor) -> None:
        ctx.guided = inputs[1]
        if ctx.guided:
            ctx.save_for_backward(output > 0)

    @staticmethod
    def backward(ctx: Any, p: Tensor) -> tuple[Tensor, None]:
        p = _positive_part(p)
        if ctx.guided:
            (active,) = ctx.saved_tensors
            p = torch.where(active, p, 0)
        return p, None
