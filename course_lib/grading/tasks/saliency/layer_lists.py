"""The networks that the check of saliency.excitation hands over, as lists of layers, and each layer as wires.

Whatever is summed up after the first ReLU is not negative, as excitation backprop wants it.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from course_lib.grading.tasks.saliency.tiny_nets import blank, drawn, filled


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AvgPool2d((3, 2)),
        nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def strided() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(inplace=True), nn.AvgPool2d(2, stride=1),
        nn.Conv2d(3, 3, (2, 1), stride=(2, 1), bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2, stride=1),
        nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4),
    )  # fmt: skip


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


LISTS: dict[str, tuple[Callable[[], nn.Sequential], tuple[int, ...]]] = {  # with the shape of one input
    "convolutions with batch norm": (convolutions, (2, 6, 4)),
    "strides and dense layers": (strided, (2, 9, 7)),
    "a perceptron": (perceptron, (4,)),
}


def build_layers(net: str, weights: Tensor, statistics: Tensor) -> nn.Sequential:
    return filled(blank(LISTS[net][0]), weights, statistics)


def draw_layers(net: str, generator: Generator) -> dict[str, Tensor]:
    """Weights and statistics; most units are awake, and each class has weights of either sign."""
    layers = blank(LISTS[net][0])
    made = drawn(layers, generator)
    lean = [torch.full((p.numel(),), 1.0 if p.dim() == 1 else 0.2) for p in layers.parameters()]
    filled(layers, made["weights"] + torch.cat(lean), made["statistics"])
    last = layers[-1].weight
    with torch.no_grad():
        signs = 1.0 - 2.0 * (torch.arange(last.numel()).reshape(last.shape) % 2)
        last.copy_(signs * (0.1 + last.abs()))
    return made | {"weights": torch.cat([p.detach().flatten() for p in layers.parameters()])}


# --- what a layer does to one sample, in loops -------------------------------------------------

Place = tuple[int, ...]
Wires = dict[Place, list[tuple[float, Place]]]


def wires(layer: nn.Module, shape: tuple[int, ...]) -> Wires | None:
    """For each place of the output of a layer that sums: which inputs it sums, and with which weight.

    Places count channel, row, column.  None for a layer that does not sum.
    """
    if isinstance(layer, nn.Linear):
        rows = layer.weight.tolist()
        return {(o,): [(w, (k,)) for k, w in enumerate(row)] for o, row in enumerate(rows)}
    if isinstance(layer, nn.Conv2d):
        filters = layer.weight.tolist()
        found: Wires = {}
        for (r, c), window in windows(shape, layer.kernel_size, layer.stride, layer.padding).items():
            for o, cube in enumerate(filters):
                found[o, r, c] = [
                    (square[i][j], (k, *at)) for k, square in enumerate(cube) for (i, j), at in window
                ]
        return found
    if isinstance(layer, nn.AvgPool2d):
        found = {}
        for (r, c), window in windows(shape, layer.kernel_size, layer.stride, 0).items():
            for k in range(shape[0]):
                found[k, r, c] = [(1 / len(window), (k, *at)) for _, at in window]
        return found
    return None


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def windows(shape: tuple[int, ...], kernel, stride, padding) -> dict[Place, list[tuple[Place, Place]]]:
    """For each place of the output: the places in the kernel and in the image that meet there."""
    (_, height, width), kernel, stride, padding = shape, pair(kernel), pair(stride), pair(padding)
    rows, columns = (
        (size + 2 * pad - side) // step + 1
        for size, side, step, pad in zip((height, width), kernel, stride, padding)
    )
    found = {}
    for r in range(rows):
        for c in range(columns):
            met = []
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    y, x = r * stride[0] + i - padding[0], c * stride[1] + j - padding[1]
                    if 0 <= y < height and 0 <= x < width:
                        met.append(((i, j), (y, x)))
            found[r, c] = met
    return found


def places(shape: tuple[int, ...]) -> list[Place]:
    return [tuple(int(i) for i in at) for at in torch.ones(shape).nonzero()]


def shape_of(values: dict[Place, float]) -> tuple[int, ...]:
    return tuple(1 + max(at[axis] for at in values) for axis in range(len(next(iter(values)))))


def computed(layer: nn.Module, x: dict[Place, float]) -> dict[Place, float]:
    """The output of a layer in evaluation mode, place by place."""
    shape = shape_of(x)
    summed = wires(layer, shape)
    if summed is not None:
        bias = getattr(layer, "bias", None)
        return {
            at: sum(w * x[k] for w, k in terms) + (0.0 if bias is None else bias[at[0]].item())
            for at, terms in summed.items()
        }
    if isinstance(layer, nn.BatchNorm2d):
        mean, var = layer.running_mean.tolist(), layer.running_var.tolist()
        scale, shift = layer.weight.tolist(), layer.bias.tolist()
        return {
            (k, *at): scale[k] * (value - mean[k]) / (var[k] + layer.eps) ** 0.5 + shift[k]
            for (k, *at), value in x.items()
        }
    if isinstance(layer, nn.ReLU):
        return {at: max(0.0, value) for at, value in x.items()}
    if isinstance(layer, nn.MaxPool2d):
        return {at: x[winner] for at, winner in winners(layer, x).items()}
    return {(n,): x[at] for n, at in enumerate(places(shape))}


def winners(layer: nn.MaxPool2d, x: dict[Place, float]) -> dict[Place, Place]:
    """Where the largest number of each window stands, the first one of equals."""
    shape = shape_of(x)
    return {
        (k, *at): max(((k, *place) for _, place in window), key=lambda place: x[place])
        for at, window in windows(shape, layer.kernel_size, layer.stride, 0).items()
        for k in range(shape[0])
    }
