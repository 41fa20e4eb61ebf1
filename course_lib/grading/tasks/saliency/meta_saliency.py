"""saliency.meta_saliency: any method on a model one step ahead, image by image (Rebuffi 2020, §4.4)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_lib.grading.calling import is_blank
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.saliency.left_as_found import TRACES, Snapshot, in_use
from course_lib.grading.tasks.saliency.nudged_weights import images_to_step_on, stepped
from course_lib.grading.tasks.saliency.tiny_nets import TinyNet, build, class_activation_map
from course_lib.grading.tasks.saliency.wrong_meta_maps import MISCONCEPTIONS

AVERAGE, FREE = "a net with global average pooling", "a net without biases"


def oracle(
    net: str,
    weights: Tensor,
    statistics: Tensor,
    x: Tensor,
    y: Tensor,
    frozen: str,
    eps: float,
    sign: int = 1,
) -> tuple[Tensor, ...]:
    """For each image a step of its own by definition, then Σ_k w_{y,k} x_k at each location."""
    maps = []
    for b in range(len(x)):
        image, label = x[b : b + 1], y[b : b + 1]
        model = build(net, stepped(net, weights, statistics, image, label, eps, sign), statistics).eval()
        with torch.no_grad():
            features = model.body[:-2](image.clone())[0]
            row = model.head.weight[y[b]]
            maps.append(sum(w * channel for w, channel in zip(row, features))[None])
    return torch.stack(maps), *[x.new_zeros(())] * (1 + len(TRACES))


# --- the scenario ----------------------------------------------------------------------------


def use(
    answer: Callable,
    net: str,
    weights: Tensor,
    statistics: Tensor,
    x: Tensor,
    y: Tensor,
    frozen: str,
    eps: float,
    sign: int | None = None,
) -> Any:
    """Hand over CAM as the method and a model in the midst of training; look what is left on the model."""
    if is_blank(answer):
        return NotImplemented
    model = in_use(build(net, weights, statistics))
    model.requires_grad_(frozen == "no")
    before = Snapshot(model)
    given = (class_activation_map, model, x, y, eps)
    maps = answer(*given) if sign is None else answer(*given, sign)
    if not isinstance(maps, Tensor):
        kind = "None" if maps is None else f"a {type(maps).__name__}"
        raise Unfit(f"meta_saliency must return a tensor, the maps of all images, but it returned {kind}")
    hanging = torch.tensor(float(maps.requires_grad)).to(x)
    return maps.detach(), hanging, *before.traces(x)


TASK = Task(
    id="saliency.meta_saliency",
    title="Explain the model of tomorrow",
    difficulty=2,
    minutes=15,
    points=2,
    function="meta_saliency",
    takes={
        "net": "text",
        "weights": "(P,)",
        "statistics": "(Q,)",
        "x": "(B, C, H, W)",
        "y": "(B,)",
        "frozen": "text",
        "eps": "number",
        "sign": "number = 1",
    },
    gives={
        "maps": "(B, 1, h, w)",
        "number of maps that hold on to a graph": "scalar",
        **dict.fromkeys(TRACES, "scalar"),
    },
    written="meta_saliency(fn, model, x, y, eps, sign=1) -> (B, 1, h, w)",
    use=use,
    may_use=(TinyNet.__module__,),
    hints=(
        "What is explained is one image, so it alone may decide on the step. "
        "How many models does a batch need?",
        "m_b = fn(θ'_b, x_b, y_b)   with   θ'_b = θ - sign · 2ε · ∇ℓ(θ, x_b, y_b)",
        "maps <- an empty list\n"
        "for each image, kept as a batch of one, and its class:\n"
        "  stepped <- your meta_step of the model that was given, for this image\n"
        "  add fn of stepped, the image and the class to the maps\n"
        "join the maps along their first axis",
    ),
    oracle=oracle,
    cases=(
        Case("3 images", images_to_step_on(AVERAGE, 3, (6, 4), 0.01)),
        Case("2 images and a step upwards", images_to_step_on(AVERAGE, 2, (4, 6), 0.01, -1)),
        Case("2 images in a net without biases", images_to_step_on(FREE, 2, (5, 7), 0.03, 1)),
        Case("a step of length 0", images_to_step_on(AVERAGE, 2, (6, 4), 0.0)),
        Case("a model that is frozen", images_to_step_on(AVERAGE, 2, (6, 4), 0.02, 1, "yes")),
    ),
    misconceptions=MISCONCEPTIONS,
)
