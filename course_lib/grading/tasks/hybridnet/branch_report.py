"""hybridnet.branch_report: how much of the picture each branch draws, measured over a set of images."""

from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet.known_branches import EPS, KnownBranches
from course_lib.grading.tasks.hybridnet.wrong_reports import MISCONCEPTIONS

NAMES = ("errors", "inner", "shares")


def oracle(x: Tensor, sizes: Tensor, weights: Tensor, statistics: Tensor) -> tuple[Tensor, ...]:
    """Image by image and pixel by pixel, in evaluation mode; nothing of the model changes."""
    n, d = len(x), x[0].numel()
    error = [0.0, 0.0, 0.0]
    inner, share = 0.0, [0.0, 0.0]
    for image in x:
        x_c, x_u = (drawn(image, *each) for each in zip(weights, statistics))
        energy = product(x_c + x_u, x_c + x_u)
        for k, picture in enumerate((x_c, x_u, x_c + x_u)):
            error[k] = error[k] + product(picture - image, picture - image) / d / n
        inner = inner + product(x_c, x_u) / d / n
        for k, picture in enumerate((x_c, x_u)):
            part = product(picture, x_c + x_u) / energy if energy > 0 else torch.tensor(0.5)
            share[k] = share[k] + part / n
    zero = torch.zeros((), dtype=x.dtype)
    return torch.stack(error), inner, torch.stack(share), zero, zero, zero


def drawn(image: Tensor, weights: Tensor, statistics: Tensor) -> Tensor:
    """A partial reconstruction: each map a mixture of the image's channels, then batch norm as known."""
    maps = []
    for row, (mean, var, scale, shift) in zip(weights, statistics):
        mixture = sum(w * channel for w, channel in zip(row, image))
        maps.append(scale * (mixture - mean) / (var + EPS) ** 0.5 + shift)
    return torch.stack(maps)


def product(one: Tensor, other: Tensor) -> Tensor:
    return sum(a * b for a, b in zip(one.flatten(), other.flatten()))


def use(answer: Any, x: Tensor, sizes: Tensor, weights: Tensor, statistics: Tensor) -> Any:
    """Report on a known model in training mode, with a frozen part, from batches that come only once."""
    model = KnownBranches(weights, statistics).to(x).train()
    model.frozen.eval()
    modes = [module.training for module in model.modules()]
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    result = answer(model, iter(x.split(sizes.tolist())))
    if result is None or result is NotImplemented or result is ...:
        return result
    if not isinstance(result, tuple | list) or len(result) != len(NAMES):
        raise Unfit(f"The result must be a tuple of three, {', '.join(NAMES)}")
    tables = [torch.as_tensor(each, device=x.device) for each in result]
    changed = sum(not torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    turned = sum(a != m.training for a, m in zip(modes, model.modules()))
    graphs = sum(each.requires_grad for each in tables)
    return *(each.detach() for each in tables), *(torch.tensor(n).to(x) for n in (turned, changed, graphs))


def images(*sizes: int, shape: tuple[int, int, int] = (3, 2, 3), kind: str = ""):
    """Images in batches of these sizes, and a model that mixes channels and normalises them."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        channels = shape[0]
        weights = 0.3 + 0.5 * normal(generator, 2, channels, channels)
        statistics = torch.stack(
            [
                0.3 * normal(generator, 2, channels),
                0.5 + uniform(generator, 2, channels),
                0.6 + 0.4 * uniform(generator, 2, channels),
                0.2 * normal(generator, 2, channels),
            ],
            dim=2,
        )
        x = (0.2 + normal(generator, sum(sizes), *shape)) * (
            0.3 + 2 * uniform(generator, sum(sizes), 1, 1, 1)
        )
        if kind == "grey":
            statistics[0, :, 2:] = 0.0
        if kind == "nothing":
            statistics[:, :, 2:] = 0.0
        if kind == "against":
            weights[1] = -0.7 * weights[0]
            statistics[1, :, 0], statistics[1, :, 1] = -0.7 * statistics[0, :, 0], statistics[0, :, 1]
            statistics[1, :, 2:] = statistics[0, :, 2:] * torch.tensor([1.0, -0.9])
        return {"x": x, "sizes": torch.tensor(sizes), "weights": weights, "statistics": statistics}

    return make


TASK = Task(
    id="hybridnet.branch_report",
    title="Who draws the picture?",
    difficulty=3,
    minutes=30,
    points=3,
    function="branch_report",
    takes={
        "x": "(N, C, H, W)",
        "sizes": "(batches,)",
        "weights": "(2, C, C)",
        "statistics": "(2, C, 4)",
    },
    gives={
        "errors": "(3,)",
        "inner": "scalar",
        "shares": "(2,)",
        "number of modules left in another mode": "scalar",
        "number of buffers of the model that have changed": "scalar",
        "number of results that hold on to a graph": "scalar",
    },
    written="branch_report(model, batches) -> errors (3,), inner (), shares (2,)",
    use=use,
    may_use=(KnownBranches.__module__,),
    hints=(
        "Which numbers are means over images, and are all batches of the same size? "
        "And what does a model do to itself, and to its outputs, when it is run in training mode?",
        "for each image, with means over its pixels ⟨a, b⟩ and ‖a‖² of itself with itself:\n"
        "  errors  ‖x_c - x‖²,  ‖x_u - x‖²,  ‖x_c + x_u - x‖²;   inner  ⟨x_c, x_u⟩\n"
        "  shares  ⟨x_c, x_hat⟩ / ‖x_hat‖²,  ⟨x_u, x_hat⟩ / ‖x_hat‖²;   both 1/2 where x_hat is 0\n"
        "then the mean over all images",
        "modes <- the mode of each module of the model;   model to evaluation mode\n"
        "without gradient, for each batch x:\n"
        "  run the model once\n"
        "  rows <- the six numbers of each image                    # (B, 6)\n"
        "  add the sum of the rows to the totals, and B to the number of images\n"
        "each module back to its own mode\n"
        "means <- totals over the number of images                  # (6,)",
    ),
    oracle=oracle,
    cases=(
        Case("batches of 4, 4 and 1 images", images(4, 4, 1)),
        Case("a single batch of 3 images", images(3, shape=(2, 3, 2))),
        Case("a branch c that draws nothing", images(2, 3, kind="grey")),
        Case("branches that draw against each other", images(3, 1, kind="against")),
        Case("branches that both draw nothing", images(2, 1, kind="nothing")),
        Case("batches of 3 and 2 images in float32", images(3, 2), dtype=torch.float32),
    ),
    large=Case("120 batches of 4 images", images(*[4] * 120)),
    misconceptions=MISCONCEPTIONS,
)
