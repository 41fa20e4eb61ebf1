"""hybridnet.shake_shake: the block of the Shake-Shake ResNet and its mirror image (Robert 2019, Fig. B.3).

Evaluation is compared number by number, with weights that the check puts into the layers.  What is drawn in
training is read off from four hundred images: which weights the branches have in each output and gradient.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn, relu

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet import known_weights as known
from course_lib.grading.tasks.hybridnet.literal_layers import convolution, normalised, transposed
from course_lib.grading.tasks.hybridnet.wrong_blocks import MISCONCEPTIONS

IMAGES, SIDES = 400, (4, 4)  # of the training batch
EXACT = 1e-5
RIGHT_DRAWS = (1.0, 1.0, 1.0, 0.0, 0.0, 0.3, 0.5)  # what `draws` finds of a number drawn evenly in [0, 1]


# --- the oracle -------------------------------------------------------------------------------


def branches(maps: int, out: int, stride: int, mirrored: bool, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The skip connection and the two branches in evaluation mode, with the weights of `known_weights`."""

    def layer(x: Tensor, key: str, out: int, size: int, stride: int) -> Tensor:
        maps, padding = x.shape[1], size // 2
        if mirrored:
            x = transposed(x, known.weights(key, (maps, out, size, size)), stride, padding)
        else:
            x = convolution(x, known.weights(key, (out, maps, size, size)), stride, padding)
        return normalised(x, known.norm(key, out))

    skip = x if maps == out and stride == 1 else layer(x, "skip", out, 1, stride)
    both = []
    for first, second in (("main 0", "main 1"), ("main 2", "main 3")):
        if mirrored:
            inner = layer(relu(x), first, maps, 3, 1)
            both.append(layer(relu(inner), second, out, 3, stride))
        else:
            inner = layer(relu(x), first, out, 3, stride)
            both.append(layer(relu(inner), second, out, 3, 1))
    return skip, *both


def oracle(maps: int, out: int, stride: int, mirrored: bool, x: Tensor) -> tuple[Tensor, ...]:
    """The evaluation by the formula; of what is drawn in training, what a right answer must show."""
    x = x.detach().requires_grad_()
    skip, first, second = branches(maps, out, stride, mirrored, x)
    output = skip + 0.5 * first + 0.5 * second
    (gradient,) = torch.autograd.grad((output * arriving(output)).sum(), x)
    same, *drawn = (torch.tensor(n, dtype=x.dtype) for n in (0.0, *RIGHT_DRAWS, *RIGHT_DRAWS, 0.0))
    return same, output.detach(), gradient, *drawn


def arriving(output: Tensor) -> Tensor:
    """The gradient that arrives at an output."""
    return known.drawn("gradient", tuple(output.shape)).to(output)


# --- the scenario -----------------------------------------------------------------------------


class Batch(NamedTuple):
    """A training batch: images, and skip, first and second branch for the outputs and for the gradients."""

    x: Tensor
    outputs: tuple[Tensor, Tensor, Tensor]
    gradients: tuple[Tensor, Tensor, Tensor]


@cache
def batch(maps: int, out: int, stride: int, mirrored: bool) -> Batch:
    x = known.drawn("images", (IMAGES, maps, *SIDES), middle=0.3).requires_grad_()
    outputs = branches(maps, out, stride, mirrored, x)
    gradients = [torch.autograd.grad((o * arriving(o)).sum(), x, retain_graph=True)[0] for o in outputs]
    return Batch(x.detach(), tuple(o.detach() for o in outputs), tuple(gradients))


def use(answer: type, maps: int, out: int, stride: int, mirrored: bool, x: Tensor) -> tuple[Tensor, ...]:
    """Evaluate a block with known weights, then look at what it draws in training."""
    block = answer(maps, out, stride, mirrored)
    if not isinstance(block, nn.Module):
        raise Unfit(f"{answer.__name__} must be derived from nn.Module")
    block.to(x).eval()
    fill(block, x)
    output = block(x).detach()
    again, gradient = backward(block, x)
    differs = not torch.allclose(output, again)
    if differs:  # these numbers are chance, and say nothing
        output, gradient = torch.zeros_like(output), torch.zeros_like(gradient)
    seen = in_training(block, batch(maps, out, stride, mirrored), x)
    return torch.tensor(differs).to(x), output, gradient, *(torch.tensor(n).to(x) for n in seen)


def fill(block: nn.Module, x: Tensor) -> None:
    """Weights by the order in which the layers work; 1x1 is the skip connection, a norm follows its layer."""
    count, key = 0, "first"
    kinds = set()
    for layer in known.in_order(block, lambda: kinds.add(type(block(x.clone())))):
        if isinstance(layer, known.CONVOLUTIONS):
            key = "skip" if tuple(layer.kernel_size) == (1, 1) else f"main {count}"
            count += key != "skip"
        known.put(layer, key, biased=False)
    for kind in kinds - {Tensor}:
        raise Unfit(f"A block gives a tensor, but yours gave a {kind.__name__}")


def backward(block: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output for x, and the gradient at x."""
    leaf = x.detach().clone().requires_grad_()
    output = block(leaf * 1)  # a copy may be written into, a leaf not
    (gradient,) = torch.autograd.grad((output * arriving(output)).sum(), leaf)
    return output.detach(), gradient


def in_training(block: nn.Module, one: Batch, like: Tensor) -> tuple[float, ...]:
    """What it draws for the outputs and the gradients, and how the two hang together."""
    block.train()
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # so that no image has a say in another one's output
    one = Batch(one.x.to(like), *(tuple(t.to(like) for t in part) for part in one[1:]))
    passes = [backward(block, one.x) for _ in range(2)]
    if passes[0][0].shape != one.outputs[0].shape:
        return *RIGHT_DRAWS, *RIGHT_DRAWS, 0.0  # the wrong shape is told of the evaluation
    forward, back = ([mixture(seen[i], *one[1 + i]) for seen in passes] for i in (0, 1))
    return *draws(*forward), *draws(*back), correlation(forward[0], back[0])


def mixture(mixed: Tensor, skip: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """For each image the numbers a and b of skip + a · first + b · second, and what remains, (3, images)."""
    rest, u, v = ((t.double().flatten(1)) for t in (mixed - skip, first, second))
    uu, vv, uv = (u * u).sum(1), (v * v).sum(1), (u * v).sum(1)
    ur, vr, determinant = (u * rest).sum(1), (v * rest).sum(1), uu * vv - uv**2
    a, b = (vv * ur - uv * vr) / determinant, (uu * vr - uv * ur) / determinant
    remains = (rest - a[:, None] * u - b[:, None] * v).norm(dim=1) / (uu + vv).sqrt()
    told = determinant > 1e-3 * uu * vv  # where the branches are alike, nobody can tell the numbers apart
    return torch.stack([a, b, remains])[:, told]


def draws(this: Tensor, following: Tensor) -> tuple[float, ...]:
    """What can be said of the numbers whatever order they are drawn in; see the names in TASK."""
    a, b, remains = this
    fits = share(remains < EXACT)
    if fits < 1:
        return fits, *RIGHT_DRAWS[1:]
    spread = stepped(a.std().item(), 0.15)
    return (
        fits,
        share((a + b - 1).abs() < EXACT),
        share((a > -EXACT) & (a < 1 + EXACT)),
        share((a - following[0]).abs() < EXACT),
        share((a - 0.5).abs() < EXACT),
        spread,
        stepped(a.mean().item(), 0.25) if spread else 0.5,
    )


def share(holds: Tensor) -> float:
    return round(holds.double().mean().item(), 1)


def correlation(one: Tensor, other: Tensor) -> float:
    """Of the first numbers."""
    if one.shape != other.shape or one[0].std() < EXACT or other[0].std() < EXACT or (one[2] > EXACT).any():
        return 0.0
    return stepped(torch.corrcoef(torch.stack([one[0], other[0]]))[0, 1].item(), 0.5)


def stepped(value: float, step: float) -> float:
    """To the next multiple of a step, which is five standard errors and more away from where it changes."""
    return round(value / step) * step + 0.0


def given(maps: int, out: int, stride: int, mirrored: bool, *shape: int):
    def make(generator: torch.Generator) -> dict:
        x = 0.3 + normal(generator, shape[0], maps, *shape[1:])
        return {"maps": maps, "out": out, "stride": stride, "mirrored": mirrored, "x": x}

    return make


WHAT = (
    "share of images that are the skip and a number times each branch, in the {}",
    "share of images in which the two numbers add up to 1, in the {}",
    "share of images whose first number lies in [0, 1], in the {}",
    "share of images with the same number in the next pass, in the {}",
    "share of images whose first number is 1/2, in the {}",
    "standard deviation of the first number over the images, in the {}",
    "mean of the first number over the images, in the {}",
)

TASK = Task(
    id="hybridnet.shake_shake",
    title="A block that shakes",
    difficulty=4,
    minutes=45,
    points=4,
    function="ShakeShakeBlock",
    takes={
        "maps": "number",
        "out": "number",
        "stride": "number",
        "mirrored": "yes or no",
        "x": "(B, maps, H, W)",
    },
    gives={
        "number of evaluations that differ from the one before": "scalar",
        "output in evaluation mode": "(B, out, H', W')",
        "gradient at x in evaluation mode": "(B, maps, H, W)",
        **{what.format(where): "scalar" for where in ("output", "gradient") for what in WHAT},
        "correlation of the first numbers of output and gradient": "scalar",
    },
    written="ShakeShakeBlock(maps, out, stride=1, mirrored=False)",
    kind="class",
    use=use,
    hints=(
        "Write the block without shaking first: skip connection plus the mean of two branches. "
        "Then ask where the two coefficients live. "
        "One belongs to the forward pass, the other to the backward pass, and autograd knows only the first.",
        "output = skip + α · first + (1 - α) · second,   α of shape (B, 1, 1, 1)\n"
        "gradient to first = β · g,  gradient to second = (1 - β) · g,   β drawn like α, on its own\n"
        "With a + (b - a).detach() the value is that of b and the gradient that of a.",
        "draw alpha and beta, one number in [0, 1] for each image     # (B, 1, 1, 1); both 1/2 in "
        "evaluation\n"
        "forward  <- alpha * first + (1 - alpha) * second             # the value that counts\n"
        "backward <- beta * first + (1 - beta) * second               # the gradient that counts\n"
        "mixed    <- backward + (forward - backward) without gradient\n"
        "result   <- skip + mixed",
    ),
    oracle=oracle,
    tolerance=1e-5,
    may_use=(known.__name__,),
    cases=(
        Case("3 maps to 3", given(3, 3, 1, False, 2, 4, 6)),
        Case("2 maps to 4 with stride 2", given(2, 4, 2, False, 3, 6, 4)),
        Case("4 maps to 2 with stride 2, mirrored", given(4, 2, 2, True, 2, 3, 5)),
        Case("3 maps to 2, mirrored", given(3, 2, 1, True, 2, 4, 3)),
        Case("3 maps to 3 with stride 2", given(3, 3, 2, False, 1, 4, 4)),
    ),
    misconceptions=MISCONCEPTIONS,
)
