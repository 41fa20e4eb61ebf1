"""The backward rules of excitation backprop (Zhang et al. 2016): each unit is shared out among its causes.

The thesis names the method without its formulas (Rebuffi 2020, §2.5.1); these are the usual ones. For a layer
y_i = Σ_j w_ij x_j, with x >= 0 and W+ the positive weights,

    p'_j = Σ_i  W+_ij x_j / (Σ_k W+_ik x_k)  p_i,     that is     p' = x ⊙ W+ᵀ (p ⊘ W+ x),

so Σ p stays the same wherever the denominators are above 0. What 0/0 would share out is dropped.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from course_lib.methods.saliency.modified_relu import relu_call

WEIGHTED = {"linear", *(f"{kind}{n}d" for kind in ("conv", "conv_transpose") for n in (1, 2, 3))}
AVERAGES = {"mean", "sum", *(f"{kind}_pool{n}d" for kind in ("avg", "adaptive_avg") for n in (1, 2, 3))}
SUMS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
UNRULED = {
    "mul", "multiply", "div", "divide", "true_divide", "rdiv", "sub", "subtract", "rsub", "pow", "rpow",
    "square", "sqrt", "exp", "matmul", "rmatmul", "mm", "mv", "bmm", "addmm", "baddbmm", "einsum",
    "bilinear", "scaled_dot_product_attention", "multi_head_attention_forward", "interpolate", "upsample",
    "softmax", "log_softmax", "normalize", "layer_norm", "group_norm", "instance_norm",
    "local_response_norm", "rms_norm", "sigmoid", "log_sigmoid", "hardsigmoid", "tanh", "hardtanh",
    "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "hardswish", "mish",
    "softplus", "softsign", "glu",
}  # fmt: skip
Rule = Callable[[Tensor], tuple[Tensor, ...]]


def excitation_rules(negated: nn.Module | None = None) -> "ExcitationRules":
    """A context in which the layers of a forward pass have the backward rules of excitation backprop.

    Values are the ordinary ones. What ``backward`` or ``autograd.grad`` then hand down is the signal p. The
    model should be in evaluation mode, and the context should hold its forward pass only::

        with excitation_rules():
            logits = net(x)
        (p,) = torch.autograd.grad(logits[:, 3].sum(), x)  # (B, C, H, W); map: p.sum(1, keepdim=True)

    The rules:

    * convolutions, linear layers: p' = x ⊙ W+ᵀ (p ⊘ W+ x), without the bias;
    * average pooling, means, sums over axes: the same, with their equal weights;
    * ReLU, batch norm, and the addition of a constant: p passes as it is;
    * a sum of branches y = Σ x_i, in place or not: x_i gets x_i / y p. A branch below 0 gets a share below 0;
    * max pooling, concatenation, flattening, padding and the like: as in ordinary backpropagation;
    * products of activations, other norms and other activation functions: refused, there is no rule.

    The formula needs x >= 0. Where x has values below 0, as an image may have, the contributions that excite
    are those with w_ij x_j > 0, of either sign, so

        p'_j = Σ_i  (w_ij x_j)_+ / (Σ_k (w_ik x_k)_+)  p_i,

    which is the formula above where x >= 0, keeps p >= 0 and Σ p, and is the rule of α-LRP with α = 1 (of
    which Rebuffi 2020, chapter 8, section 2 says that it is excitation backprop's). An average has no
    negative weight, so there what is below 0 gets nothing.

    Weights get no gradient, and the signal has no derivative.

    Args:
        negated: a linear or convolutional layer whose weights count with the opposite sign, for contrastive
            excitation backprop. The weights themselves stay as they are.

    Raises:
        ValueError: on the way, at a function without a rule.
        TypeError: ``negated`` is no such layer.
    """
    if negated is not None and not is_weighted(negated):
        raise TypeError(
            f"negated is {type(negated).__name__}, possible are linear and convolutional layers, or None."
        )
    return ExcitationRules(negated)


def is_weighted(module: object) -> bool:
    """Whether this is a layer with weights that excitation backprop can share by, or negate."""
    return isinstance(module, nn.Linear | nn.modules.conv._ConvNd)


class ExcitationRules(TorchFunctionMode):
    """See `excitation_rules`.

    Attributes:
        negated: the layer whose weights count with the opposite sign, or None.
        negating: whether they do so in the next backward pass; two of them can thus follow one forward pass.
        met: whether the forward pass has used that layer.
    """

    def __init__(self, negated: nn.Module | None = None):
        super().__init__()
        self.negated = negated
        self.negating = True
        self.met = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if not torch.is_grad_enabled() or not any(_has_gradient(a) for a in (*args, *kwargs.values())):
            return func(*args, **kwargs)
        if (call := relu_call(func, args, kwargs)) is not None:
            z, in_place = call
            return _written(z, _Ruled.apply(lambda: torch.relu(z), _pass, z), in_place)
        if name == "batch_norm":
            (x,), _ = _named(("input",), args, kwargs)
            return _Ruled.apply(lambda: func(*args, **kwargs), _pass, x)
        if name in WEIGHTED:
            return self._weighted(func, args, kwargs)
        if name in AVERAGES:
            (x,), others = _named(("input",), args, kwargs)
            share = _sharing(lambda x, _: func(x, *args[1:], **others), x)
            return _Ruled.apply(lambda: func(*args, **kwargs), lambda p: (share(p),), x)
        if name in SUMS:
            (x, other), others = _named(("input", "other"), args, kwargs)
            return _written(x, _branches(x, other, **others), in_place=name in ("add_", "__iadd__"))
        if name.strip("_") in UNRULED:
            raise ValueError(
                f"Excitation backprop has no rule for `{name}`; possible are convolutions, linear layers, "
                "average and max pooling, ReLU, batch norm, sums of branches, and changes of shape."
            )
        return func(*args, **kwargs)

    def _weighted(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        (x, weight, _), others = _named(("input", "weight", "bias"), args, kwargs)

        def without_bias(x: Tensor, weight: Tensor) -> Tensor:
            return func(x, weight, None, *args[3:], **others)

        share = _sharing(without_bias, x, weight)
        against = None
        if self.negated is not None and weight is self.negated.weight:
            self.met = True
            against = _sharing(without_bias, x, -weight)

        def rule(p: Tensor) -> tuple[Tensor]:
            return ((against if against and self.negating else share)(p),)

        return _Ruled.apply(lambda: func(*args, **kwargs), rule, x)


class _Ruled(torch.autograd.Function):
    """What ``forward()`` gives; backwards, what ``rule`` makes of the signal, for each of the inputs."""

    @staticmethod
    def forward(ctx: Any, forward: Callable[[], Tensor], rule: Rule, *inputs: Tensor) -> Tensor:
        ctx.rule = rule
        return forward()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, p: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.rule(p)


def quotient(p: Tensor, z: Tensor) -> Tensor:
    """p ⊘ z, of shape (B, ...), for z >= 0; 0 where z is 0.

    As 0 counts what is within rounding of it, measured by the sample's largest z: some fast convolutions
    give 1e-9 for 0, and a quotient of that size drowns its neighbours in the next convolution.
    """
    largest = z.flatten(1).amax(1).view(-1, *[1] * (z.ndim - 1)) if z.ndim > 1 else z.amax()
    return torch.where(z > torch.finfo(z.dtype).eps * largest, p / z, 0)


def _sharing(
    layer: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, weight: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """p to p' for y = layer(x, weight), linear in both; without a weight, for an average.

    The transposed layer is the gradient of the layer, so that strides, padding, dilation and groups need no
    thought. It is recorded here, during the forward pass, from copies that nothing changes later.
    """
    x, weight = x.detach(), None if weight is None else weight.detach()
    halves = [(x.clamp(min=0), None if weight is None else weight.clamp(min=0))]
    if weight is not None and (x < 0).any():
        halves.append((x.clamp(max=0), weight.clamp(max=0)))
    exciting = [half.requires_grad_() for half, _ in halves]
    z = sum(layer(half, w) for half, w in halves)

    def share(p: Tensor) -> Tensor:
        down = torch.autograd.grad(z, exciting, quotient(p, z.detach()), retain_graph=True)
        return sum(half.detach() * d for half, d in zip(exciting, down))

    return share


def _branches(x: Tensor, other: Tensor | float, alpha: float = 1) -> Tensor:
    """x + alpha other, of which each summand gets its part; a constant (number, bias) gets nothing."""
    summands = [t for t in (x, other) if _has_gradient(t) and not isinstance(t, nn.Parameter)]
    with torch.no_grad():
        y = torch.add(x, other, alpha=alpha)
        parts = [torch.where(y == 0, 0, term / y) for term in (x, other * alpha)]
    if len(summands) < 2:
        parts = [1]

    def rule(p: Tensor) -> tuple[Tensor, ...]:
        return tuple((p * part).sum_to_size(t.shape) for part, t in zip(parts, summands))

    return _Ruled.apply(lambda: y, rule, *summands)


def _named(names: tuple[str, ...], args: tuple, kwargs: dict[str, Any]) -> tuple[list, dict[str, Any]]:
    """The first arguments of a call, given by place or by name, and the other named ones."""
    given = {**dict.fromkeys(names), **dict(zip(names, args)), **kwargs}
    return [given.pop(name) for name in names], given


def _pass(p: Tensor) -> tuple[Tensor]:
    return (p,)


def _written(x: Tensor, y: Tensor, in_place: bool) -> Tensor:
    return x.copy_(y) if in_place else y


def _has_gradient(value: object) -> bool:
    return isinstance(value, Tensor) and value.requires_grad
