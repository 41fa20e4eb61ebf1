"""saliency.excitation: excitation backprop (Zhang et al. 2016) through a list of layers.

The source names the method without its formulas.  The rule is the published one: probabilities go back along
positive weights, in proportion to what each input contributes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.grading.calling import is_blank
from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.layer_lists import (
    LISTS,
    Place,
    build_layers,
    computed,
    draw_layers,
    places,
    shape_of,
    winners,
    wires,
)
from course_lib.grading.tasks.saliency.left_as_found import TRACES, Snapshot, in_use
from course_lib.grading.tasks.saliency.wrong_excitations import MISCONCEPTIONS

Signal = dict[Place, float]


# --- the oracle ------------------------------------------------------------------------------


def back(layer: nn.Module, x: Signal, p: Signal, sign: float = 1.0) -> Signal:
    """The signal at a layer's input, from that at its output, wire by wire; the weights times ``sign``."""
    found = dict.fromkeys(x, 0.0)
    summed = wires(layer, shape_of(x))
    if summed is not None:
        for at, terms in summed.items():
            excited = [(max(0.0, sign * w) * x[k], k) for w, k in terms]
            total = sum(share for share, _ in excited)
            for share, k in excited:
                found[k] += share / total * p[at] if total > 0 else 0.0
    elif isinstance(layer, nn.MaxPool2d):
        for at, winner in winners(layer, x).items():
            found[winner] += p[at]
    elif isinstance(layer, nn.Flatten):
        found = {at: p[(n,)] for n, at in enumerate(places(shape_of(x)))}
    else:  # ReLU and batch norm let it pass
        found = dict(p)
    return found


def oracle(
    net: str, weights: Tensor, statistics: Tensor, x: Tensor, y: Tensor, stop: int, contrastive: bool
) -> tuple[Tensor, ...]:
    """Sample by sample; with a contrast the difference of two signals goes on below the classifier."""
    layers = list(build_layers(net, weights, statistics))
    signals = []
    for sample, label in zip(x, y.tolist()):
        values = [{at: sample[at].item() for at in places(tuple(sample.shape))}]
        for layer in layers:
            values.append(computed(layer, values[-1]))

        def down(p: Signal, first: int, last: int, sign: float = 1.0, values=values) -> Signal:
            """From the output of the layer ``first`` to that of the layer ``last``."""
            for n in range(first, last, -1):
                p = back(layers[n], values[n], p, sign if layers[n] is layers[-1] else 1.0)
            return p

        top = len(layers) - 1
        p = {at: float(at[0] == label) for at in values[-1]}
        if contrastive:
            against = down(p, top, top - 1, sign=-1.0)
            p = {at: value - against[at] for at, value in down(p, top, top - 1).items()}
            p = down(p, top - 1, stop)
        else:
            p = down(p, top, stop)
        rows = torch.tensor([p[at] for at in sorted(p)], dtype=x.dtype)
        signals.append(rows.reshape(shape_of(p)))
    signal = torch.stack(signals)
    total = sum(signal[:, k : k + 1] for k in range(signal.shape[1]))
    none = x.new_zeros(())
    return signal, total.clamp(min=0) if contrastive else total, *[none] * (1 + len(TRACES))


# --- the scenario ----------------------------------------------------------------------------


def use(
    answer: Callable,
    net: str,
    weights: Tensor,
    statistics: Tensor,
    x: Tensor,
    y: Tensor,
    stop: int,
    contrastive: bool,
) -> Any:
    """Hand over the layers of a net that is in the midst of training, then look what is left on them."""
    if is_blank(answer):
        return NotImplemented
    layers = in_use(build_layers(net, weights, statistics))
    before = Snapshot(layers)
    given = (list(layers), x, y, stop)
    result = answer(*given, True) if contrastive else answer(*given)
    if result is None or result is NotImplemented or result is ...:
        return result
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Unfit("The result must be a tuple of two, the signal and the map")
    if not all(isinstance(part, Tensor) for part in result):
        kinds = " and ".join(type(part).__name__ for part in result)
        raise Unfit(f"The signal and the map must be tensors, but they are {kinds}")
    graphs = torch.tensor(float(sum(part.requires_grad for part in result))).to(x)
    return *(part.detach() for part in result), graphs, *before.traces(x)


def samples(net: str, many: int, stop: int, contrastive: bool = False, silent: str = ""):
    """Samples, each with a class of its own.

    silent: "class" gives one class nothing but negative weights, "maps" leaves the first maps at 0.
    """

    def make(generator: torch.Generator) -> dict[str, Any]:
        given = draw_layers(net, generator)
        layers = build_layers(net, **given)
        with torch.no_grad():
            if silent == "class":
                layers[-1].weight[1] = -layers[-1].weight[1].abs()
            if silent == "maps":  # the next ones live by their batch norm's shift, and nothing excites them
                layers[0].bias.fill_(-9.0)
        flat = torch.cat([each.detach().flatten() for each in layers.parameters()])
        return {
            "net": net,
            "weights": flat,
            "statistics": given["statistics"],
            "x": 0.3 + normal(generator, many, *LISTS[net][1]),
            "y": (1 + torch.arange(many)) % layers[-1].out_features,
            "stop": stop,
            "contrastive": contrastive,
        }

    return make


CONVOLUTIONS, STRIDED, PERCEPTRON = LISTS

TASK = Task(
    id="saliency.excitation",
    title="Excitation backprop, and its contrast",
    difficulty=5,
    minutes=75,
    points=5,
    function="excitation_backprop",
    takes={
        "net": "text",
        "weights": "(P,)",
        "statistics": "(Q,)",
        "x": "(B, C, H, W) or (B, D)",
        "y": "(B,)",
        "stop": "number",
        "contrastive": "True or False",
    },
    gives={
        "signal": "as the output of layers[stop]",
        "map": "(B, 1, h, w) or (B, 1)",
        "number of results that hold on to a graph": "scalar",
        **dict.fromkeys(TRACES, "scalar"),
    },
    written="excitation_backprop(layers, x, y, stop, contrastive=False) -> signal, map",
    use=use,
    hints=(
        "First run the layers and write down what enters each of them. Then go back, layer by layer: what "
        "does this kind of layer do to a signal? For those that sum, a few lines serve all three of them.",
        "a layer that sums, y_i = Σ_j w_ij x_j + b_i:   p'_j = x_j Σ_i w⁺_ij · p_i / Σ_k w⁺_ik x_k\n"
        "  with w⁺ = max(w, 0), without b, and 0 where the divisor is 0;  average pooling: all w are equal\n"
        "max-pooling: to the largest of each window;  flatten: back into shape;  ReLU, batch norm: p' = p\n"
        "contrast: p - p̃ below the last layer, where p̃ is found with -w in place of its w\n"
        "map: the sum of p over the channels, with a contrast no less than 0",
        "modes <- those of the layers; all to evaluation mode\n"
        "run the layers, and keep a copy of what enters each\n"
        "one step back through a layer, with its input x, a signal p and a sign:\n"
        "  convolution or linear: z <- the layer's sum of x, with the weights (sign · w)⁺ and no bias\n"
        "  average pooling:       z <- the layer on x\n"
        "    for both:  ratio <- p / z, a constant, 0 where z is 0\n"
        "               p <- x · the gradient of Σ z · ratio by x\n"
        "  max-pooling:           p <- the gradient of Σ output · p by x\n"
        "  flatten:               p <- p in the shape of x\n"
        "p <- 1 at the class and 0 elsewhere\n"
        "through the last layer with the sign 1, and for a contrast minus the same with the sign -1\n"
        "then down to the output of layers[stop]",
    ),
    oracle=oracle,
    cases=(
        Case("3 images, down to the first max-pooling", samples(CONVOLUTIONS, 3, 3)),
        Case("3 images, down to the first ReLU with contrast", samples(CONVOLUTIONS, 3, 2, True)),
        Case("2 images and overlapping windows", samples(STRIDED, 2, 1)),
        Case("2 images and overlapping windows with contrast", samples(STRIDED, 2, 2, True)),
        Case("4 samples of a perceptron", samples(PERCEPTRON, 4, 1)),
        Case(
            "3 samples just below the classifier with contrast",
            samples(PERCEPTRON, 3, 3, True),
        ),
        Case("a class without a positive weight", samples(PERCEPTRON, 3, 1, silent="class")),
        Case("maps that are 0 everywhere", samples(CONVOLUTIONS, 2, 1, silent="maps")),
    ),
    misconceptions=MISCONCEPTIONS,
)
