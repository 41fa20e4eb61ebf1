"""saliency.virtual_identity: a layer that changes nothing, real and imagined (Rebuffi 2020, Ch. 8, §3.1.2).

An answer gets a small net.  Its copy with the identity in it is run, differentiated, and run again with other
weights in the identity; then the net itself is asked for the contributions, and must be as it was.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency import contributions, left_as_found, residual_net, tiny_nets
from course_lib.grading.tasks.saliency.residual_net import RESIDUAL, build
from course_lib.grading.tasks.saliency.wrong_virtual_identity import MISCONCEPTIONS

AVERAGE, STRIDED, DENSE = (
    "a net with global average pooling",
    "a net without biases",
    "a net with dense layers",
)

# --- the oracle ------------------------------------------------------------------------------


def run(model: nn.Module, layer: str, images: Tensor, change: Callable) -> Tensor:
    """The logits, with another output of one layer."""
    handle = model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: change(output))
    logits = model(images)
    handle.remove()
    return logits


def at_layer(model: nn.Module, layer: str, images: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The output of the layer, and the gradient of each image's own class score in it."""
    seen = []

    def keep(output: Tensor) -> Tensor:
        seen.append(output.detach().clone().requires_grad_())
        return seen[0].clone()

    logits = run(model, layer, images, keep)
    score = sum(row[label] for row, label in zip(logits, y.tolist()))
    (g,) = torch.autograd.grad(score, seen[0])
    return seen[0].detach(), g


def identity(kind: str, channels: int, n: int, like: Tensor) -> Tensor:
    """b = 0; α = 1; w[k, k', i, j] = 1 where k = k' and (i, j) is the middle."""
    if kind != "conv":
        return torch.full((channels,), float(kind == "scaling")).to(like)
    weight = torch.zeros(channels, channels, n, n).to(like)
    for k in range(channels):
        weight[k, k, n // 2, n // 2] = 1
    return weight


def with_weight(kind: str, weight: Tensor, x: Tensor) -> Tensor:
    """What the identity layer makes of x with these weights in it."""
    if kind == "bias":
        return x + weight[:, None, None]
    if kind == "scaling":
        return x * weight[:, None, None]
    n = weight.shape[-1]
    patches = contributions.oracle("conv", x, torch.ones_like(x[:, :1]), n, 1, n // 2)[:, 0]
    return torch.stack([sum(w * p for w, p in zip(row, patches.unbind(1))) for row in weight.flatten(1)], 1)


def other_weights(like: Tensor) -> Tensor:
    """What is written into the identity to see whether it is at work."""
    return torch.linspace(-0.6, 1.1, like.numel()).to(like).reshape(like.shape)


def oracle(
    net: str, weights: Tensor, statistics: Tensor, images: Tensor, y: Tensor, layer: str, kind: str,
    channels: int, frozen: bool, kernel_size: int = 3,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Identity: the same logits. Gradient: the sum of the contributions g, g ⊙ x, g pᵀ at the layer."""
    model = build(net, weights, statistics).eval()
    logits = model(images)
    x, g = at_layer(model, layer, images, y)
    weight = identity(kind, channels, kernel_size, x)
    each = contributions.oracle(kind, x, g, kernel_size, 1, kernel_size // 2)
    changed = run(model, layer, images, lambda x: with_weight(kind, other_weights(weight), x))
    gradient = each.sum((0, -2, -1)).reshape(weight.shape)
    more, none = (torch.tensor(float(number), dtype=x.dtype) for number in (weight.numel(), 0))
    made = (logits, weight, gradient, changed, more, each, logits)
    return *(one.detach() for one in made), *[none] * len(left_as_found.TRACES)


# --- the scenario ----------------------------------------------------------------------------


def use(
    answer: type, net: str, weights: Tensor, statistics: Tensor, images: Tensor, y: Tensor, layer: str,
    kind: str, channels: int, frozen: bool, **kernel_size: int,
) -> Any:  # fmt: skip
    """Put the identity in, look at it from all sides, then ask for the contributions without it."""
    model = build(net, weights, statistics).eval().requires_grad_(not frozen)
    before = left_as_found.Snapshot(model)
    virtual = answer(model, layer, kind, channels, *kernel_size.values())
    inserted = virtual.insert()
    if inserted is None or inserted is ... or inserted is NotImplemented:
        return inserted
    changing, weight = pair_of(inserted)
    start = weight.detach().clone()
    logits = changing(images)
    (gradient,) = torch.autograd.grad(score_of(logits, y), weight, allow_unused=True)
    if gradient is None:
        raise Unfit("The weight that insert() returns takes no part in what the net computes")
    with torch.no_grad():
        weight.copy_(other_weights(weight))
    changed = changing(images)
    more = sum(p.numel() for p in changing.parameters()) - sum(p.numel() for p in model.parameters())
    each = virtual.contributions(images, y)
    if each is None or each is ... or each is NotImplemented:
        return each
    after = model(images)
    made = (logits, start, gradient, changed, torch.tensor(float(more)).to(weights), each, after)
    return *(one.detach() for one in made), *before.traces(weights)


def pair_of(inserted: Any) -> tuple[nn.Module, Tensor]:
    fits = isinstance(inserted, tuple | list) and len(inserted) == 2
    if not fits or not isinstance(inserted[0], nn.Module) or not isinstance(inserted[1], Tensor):
        raise Unfit(
            "insert() must return two things: a net (nn.Module), and the weight of the identity in it"
        )
    if not inserted[1].requires_grad:
        raise Unfit("The weight that insert() returns needs no gradient; make it an nn.Parameter")
    return tuple(inserted)


def score_of(logits: Tensor, y: Tensor) -> Tensor:
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise Unfit("The net that insert() returns must give logits (B, C), as the model does")
    if not logits.requires_grad:
        raise Unfit("The weight that insert() returns takes no part in what the net computes")
    return logits[torch.arange(len(y), device=y.device), y].sum()


# --- inputs ----------------------------------------------------------------------------------


def behind(
    net: str, layer: str, kind: str, channels: int, *size: int, frozen: bool = False, **kernel_size: int
):
    """Images (B, 2, H, W) of this size, and the layer that the identity comes behind."""

    def make(generator: torch.Generator) -> dict:
        images, height, width = size
        return {
            "net": net,
            **residual_net.draw(net, generator),
            "images": 0.2 + normal(generator, images, tiny_nets.IMAGE, height, width),
            "y": (torch.arange(images) + 1) % tiny_nets.CLASSES,
            "layer": layer,
            "kind": kind,
            "channels": channels,
            "frozen": frozen,
            **kernel_size,
        }

    return make


TASK = Task(
    id="saliency.virtual_identity",
    title="A layer that is not there",
    difficulty=3,
    minutes=40,
    points=3,
    function="VirtualIdentity",
    takes={
        "net": "text",
        "weights": "(P,)",
        "statistics": "(Q,)",
        "images": "(B, 2, H, W)",
        "y": "(B,)",
        "layer": "text",
        "kind": "text",
        "channels": "number",
        "frozen": "yes or no",
        "kernel_size": "number = 3",
    },
    gives={
        "logits of the net with the identity in it": "(B, C)",
        "weight of the identity": "(K,), or (K, K, N, N) for conv",
        "gradient of the class scores in that weight": "(K,), or (K, K, N, N) for conv",
        "logits once that weight is changed": "(B, C)",
        "number of weights that the net has more": "scalar",
        "contributions": "(B, K, h, w), or (B, K, K·N², h, w) for conv",
        "logits of the model afterwards": "(B, C)",
        **dict.fromkeys(left_as_found.TRACES, "scalar"),
    },
    written="VirtualIdentity(model, layer, kind, channels, kernel_size=3)",
    kind="class",
    use=use,
    may_use=tuple(module.__name__ for module in (residual_net, tiny_nets)),
    hints=(
        "Both methods need one thing: a hand on what the layer gives out. A forward hook has it, and what "
        "the "
        "hook returns is what the rest of the net gets to see. In insert() that is the output with the "
        "weight "
        "applied; in contributions() it is a fresh tensor that you can ask for its gradient.",
        "bias: b = 0,   scaling: α = 1,   conv: w[k, k', i, j] = 1 if k = k' and (i, j) is the middle, else "
        "0\n"
        "contributions at u:  g_u,   g_u ⊙ x_u,   g_u p_uᵀ\n"
        "x: the output of the layer, p: its N×N patches;   g = d(class score) / dx",
        "insert():\n"
        "    net    <- a deep copy of the model\n"
        "    weight <- a parameter: zeros (K,), ones (K,), or zeros (K, K, N, N) with ones at [k, k, N//2, "
        "N//2]\n"
        "    register it in net, and a forward hook at the layer that returns\n"
        "        output + weight, output · weight, or the convolution of output with weight, padding N//2\n"
        "    give back net and weight\n"
        "contributions(images, y):\n"
        "    hook of the layer: x <- a detached copy of the output that needs a gradient; return a copy of "
        "x\n"
        "    logits <- the model on the images; remove the hook\n"
        "    g <- gradient in x of the sum over the images of logits[image, y[image]]\n"
        "    g, g · x, or g[:, :, None] · patches[:, None] with the patches of x from unfold, padding N//2",
    ),
    oracle=oracle,
    # No case is in float32: a GPU may round convolutions more coarsely there than any tolerance allows.
    cases=(
        Case("a scaling behind relu1", behind(AVERAGE, "body.relu1", "scaling", 3, 2, 5, 6)),
        Case("a 3×3 convolution behind relu2", behind(STRIDED, "body.relu2", "conv", 4, 3, 6, 5)),
        Case("a bias behind norm2", behind(AVERAGE, "body.norm2", "bias", 4, 2, 6, 4)),
        Case("a scaling behind norm1", behind(AVERAGE, "body.norm1", "scaling", 3, 3, 4, 5)),
        Case(
            "a 5×5 convolution behind relu1",
            behind(STRIDED, "body.relu1", "conv", 3, 2, 11, 9, kernel_size=5),
        ),
        Case("a scaling behind a branch", behind(RESIDUAL, "branch", "scaling", 3, 2, 4, 5)),
        Case(
            "a 3×3 convolution behind the image", behind(RESIDUAL, "image", "conv", 2, 2, 4, 3, kernel_size=3)
        ),
        Case("a frozen net", behind(DENSE, "body.relu1", "conv", 3, 2, 6, 4, frozen=True, kernel_size=1)),
    ),
    misconceptions=MISCONCEPTIONS,
)
