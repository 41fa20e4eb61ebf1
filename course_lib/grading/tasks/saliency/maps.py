"""saliency.maps: six saliency maps from one pair of tensors at any layer (Rebuffi 2020, Table 2).

The gradient is that of the logit of the asked class.  The source writes it with the loss included and gives
no sign; with the loss, the maps that look at the sign would show what speaks against the class.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.grading.calling import is_blank
from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.duals import features_and_gradient
from course_lib.grading.tasks.saliency.left_as_found import TRACES, Snapshot, in_use
from course_lib.grading.tasks.saliency.tiny_nets import TinyNet, build, draw, steps
from course_lib.grading.tasks.saliency.wrong_maps import MISCONCEPTIONS

METHODS = {
    "gradient": "gradient map",
    "linear_approximation": "linear approximation",
    "grad_cam": "Grad-CAM map",
    "cam": "CAM map",
    "normgrad": "NormGrad map",
    "selective_normgrad": "selective NormGrad map",
}
AVERAGE, DENSE, FREE = "a net with global average pooling", "a net with dense layers", "a net without biases"


# --- the oracle ------------------------------------------------------------------------------


def at_one_place(method: str, x: list[float], g: list[float], g_mean: list[float], w: list[float]) -> float:
    """A map at one location, from what its K channels hold there (Table 2)."""
    if method == "gradient":
        return max(abs(each) for each in g)
    if method == "linear_approximation":
        return sum(a * b for a, b in zip(g, x))
    if method == "grad_cam":
        return max(0.0, sum(a * b for a, b in zip(g_mean, x)))
    if method == "cam":
        return sum(a * b for a, b in zip(w, x))
    if method == "normgrad":  # the Frobenius norm of the matrix g xᵀ, entry by entry
        return sum((a * b) ** 2 for a in g for b in x) ** 0.5
    return sum(max(0.0, a * b) ** 2 for a, b in zip(g, x)) ** 0.5


def oracle(
    net: str, weights: Tensor, statistics: Tensor, x: Tensor, y: Tensor, layer: str | None, frozen: str
) -> tuple[Tensor, ...]:
    """Each map, location by location, with the gradient by definition; and no trace on the model."""
    model = build(net, weights, statistics)
    features, gradient = features_and_gradient(model, x, y, layer)
    batch, _, height, width = features.shape
    maps = []
    for method in METHODS:
        if method == "cam" and not has_cam(model, layer):
            maps.append(x.new_empty(0))
            continue
        made = x.new_zeros(batch, 1, height, width)
        for b in range(batch):
            w = model.head.weight[y[b]].tolist()
            g_mean = [sum(row) / len(row) for row in gradient[b].flatten(1).tolist()]
            for i in range(height):
                for j in range(width):
                    here = features[b, :, i, j].tolist(), gradient[b, :, i, j].tolist()
                    made[b, 0, i, j] = at_one_place(method, *here, g_mean, w)
        maps.append(made)
    return (*maps, *[x.new_zeros(())] * (2 + len(TRACES)))


def has_cam(model: TinyNet, layer: str | None) -> bool:
    """Whether nothing but a global average and the classifier follow."""
    after, kinds = [], (nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear)
    for name, each in steps(model):
        after = [] if name == layer else [*after, each]
    return len(after) == len(kinds) and all(map(isinstance, after, kinds))


# --- the scenario ----------------------------------------------------------------------------


def use(
    answer: Callable,
    net: str,
    weights: Tensor,
    statistics: Tensor,
    x: Tensor,
    y: Tensor,
    layer: str | None,
    frozen: str,
) -> Any:
    """Ask for every map of a model that is in the midst of training, then look what is left on it."""
    if is_blank(answer):
        return NotImplemented
    model = in_use(build(net, weights, statistics))
    model.requires_grad_(frozen == "no")
    before = Snapshot(model)
    maps, graphs = [], 0
    for method in METHODS:
        if method == "cam" and not has_cam(model, layer):
            maps.append(x.new_empty(0))
            continue
        made = answer(model, x, y, layer, method)
        if not isinstance(made, Tensor):
            kind = "None" if made is None else f"a {type(made).__name__}"
            raise Unfit(f"saliency_map must return a tensor, but for the method {method!r} it returns {kind}")
        graphs += made.requires_grad
        maps.append(made.detach())
    traces = before.traces(x)
    count = torch.tensor(float(graphs)), torch.tensor(float(x.requires_grad) + (x.grad is not None))
    return (*maps, *(each.to(x) for each in count), *traces)


def images(net: str, many: int, side: tuple[int, int], layer: str | None, frozen: str = "no"):
    """Images of either sign, each explained for a class of its own."""

    def make(generator: torch.Generator) -> dict[str, Any]:
        return {
            "net": net,
            **draw(net, generator),
            "x": 0.2 + normal(generator, many, 2, *side),
            "y": (1 + torch.arange(many)) % 3,
            "layer": layer,
            "frozen": frozen,
        }

    return make


TASK = Task(
    id="saliency.maps",
    title="Six maps from one pair of tensors",
    difficulty=4,
    minutes=45,
    points=4,
    function="saliency_map",
    takes={
        "net": "text",
        "weights": "(P,)",
        "statistics": "(Q,)",
        "x": "(B, C, H, W)",
        "y": "(B,)",
        "layer": "text or None",
        "frozen": "text",
    },
    gives={
        **dict.fromkeys(METHODS.values(), "(B, 1, h, w)"),
        METHODS["cam"]: "(B, 1, h, w), or (0,) where it is not asked for",
        "number of maps that hold on to a graph": "scalar",
        "number of traces on x (requires_grad, .grad)": "scalar",
        **dict.fromkeys(TRACES, "scalar"),
    },
    written="saliency_map(model, x, y, layer, method) -> (B, 1, h, w)",
    use=use,
    may_use=(TinyNet.__module__,),
    hints=(
        "All six maps need the same two tensors: what the layer gives, and the gradient of the logits there. "
        "Write a function that gets these two, then six short formulas. "
        "And who else holds the tensor that your hook has kept?",
        "score = Σ_b logits[b, y_b];   x = the layer's output;   g = ∂score/∂x,   both (B, K, h, w)\n"
        "gradient  max_k |g_k|          linear approximation  Σ_k g_k x_k\n"
        "Grad-CAM  (Σ_k ḡ_k x_k)₊       with ḡ_k the mean of g_k over the locations\n"
        "CAM       Σ_k w_{y,k} x_k      with w the weights of model.head\n"
        "NormGrad  ‖g‖ ‖x‖              selective NormGrad  ‖(g ⊙ x)₊‖       norms over the channels k",
        "remember the mode of every module; model to evaluation mode\n"
        "hook on the layer: keep its output, and hand a clone of it on\n"
        "image <- a copy of x that needs a gradient\n"
        "logits <- the model on the image\n"
        "score <- the sum of the logits of the asked classes\n"
        "g <- torch.autograd.grad of the score at what was kept\n"
        "take the hook away, put every mode back\n"
        "the formula of the method, over axis 1, which stays as an axis of size 1; without graph",
    ),
    oracle=oracle,
    cases=(
        Case("3 images at the last maps before the average", images(AVERAGE, 3, (6, 4), "body.relu2")),
        Case(
            "2 images at a layer before a ReLU that works in place", images(AVERAGE, 2, (4, 6), "body.norm2")
        ),
        Case("2 images in a net with dense layers", images(DENSE, 2, (6, 4), "body.relu2")),
        Case("2 images at the image itself", images(DENSE, 2, (6, 4), None)),
        Case("3 images in a net without biases", images(FREE, 3, (5, 7), "body.relu1")),
        Case("1 image and a model that is frozen", images(AVERAGE, 1, (6, 4), "body.pool1", "yes")),
    ),
    misconceptions=MISCONCEPTIONS,
)
