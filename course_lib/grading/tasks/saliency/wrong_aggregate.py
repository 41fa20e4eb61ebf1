"""Wrong answers to saliency.aggregate: what people get wrong about matrices, and about vectors."""

import torch.nn.functional as F

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.aggregate_pieces import (
    aggregating,
    both_signs,
    ends,
    kernel_ignored,
    largest,
    max_by_pooling,
    middle_channel,
    most,
    norm,
    other_cell,
    patches,
    right,
    total,
    with_matrices,
    writes_into_g,
)

CONVOLUTION = (
    Misconception(
        "two negatives forgotten",
        aggregating(matrix={"filter_norm": lambda p, g: norm(g.relu()) * norm(p.relu())}),
        "In (conv, filter_norm) you multiply the norms of the positive parts. The product of two negative "
        "numbers is positive too, so the negative parts add ‖g₋‖²‖p₋‖² under the root.",
    ),
    Misconception(
        "filter after the norm",
        aggregating(
            vector={"filter_norm": lambda v: norm(v).relu()},
            matrix={"filter_norm": lambda p, g: (norm(p) * norm(g)).relu()},
        ),
        "The filter comes after the norm, where nothing is negative any more. Filter the entries first.",
    ),
    Misconception(
        "filter on one side",
        aggregating(matrix={"filter_norm": lambda p, g: norm(g.relu()) * norm(p)}),
        "In (conv, filter_norm) only g is filtered. Whether an entry is positive depends on both of its "
        "factors.",
    ),
    Misconception(
        "roots added",
        aggregating(
            matrix={
                "filter_norm": lambda p, g: (
                    norm(g.relu()) * norm(p.relu()) + norm((-g).relu()) * norm((-p).relu())
                )
            }
        ),
        "In (conv, filter_norm) the two norms are added. Their squares add up: the root comes at the end.",
    ),
    Misconception(
        "largest times largest",
        aggregating(matrix={"max": lambda p, g: most(p) * most(g)}),
        "In (conv, max) you multiply the two largest numbers. Two very negative ones can give more, and "
        "where "
        "all of g is negative another end of p wins: compare the products of all four ends.",
    ),
    Misconception(
        "two of four products",
        aggregating(matrix={"max": lambda p, g: largest(*ends(p, g)[:2])}),
        "In (conv, max) you compare max · max and min · min. If g is positive and p negative, the largest "
        "entry "
        "is min g · max p: compare all four products.",
    ),
    Misconception(
        "padding left out of the maximum",
        max_by_pooling,
        "In (conv, max) the zeros beyond the border are left out, as max_pool2d does. "
        "They are entries of the patch: pad with zeros yourself first.",
    ),
    Misconception(
        "channels matched in the sum",
        aggregating(matrix={"sum": lambda p, g: total(g * middle_channel(p, g))}),
        "In (conv, sum) each channel of g meets its own channel only, which is the sum of a scaling. "
        "All entries of the matrix are added up: (Σ g)(Σ p).",
    ),
    Misconception(
        "channels matched in the norm",
        aggregating(matrix={"norm": lambda p, g: norm(g * middle_channel(p, g))}),
        "In (conv, norm) each channel of g meets its own channel only, which is the norm of a scaling. "
        "The matrix holds all products: its norm is ‖g‖ ‖p‖.",
    ),
    Misconception(
        "border repeated",
        aggregating(cut=lambda x, n: patches(x, n, "replicate")),
        "Beyond the border the last pixel is repeated. The convolution pads with zeros.",
    ),
    Misconception(
        "kernel size ignored",
        kernel_ignored,
        "The patch is a single pixel whatever kernel_size says. Take the N×N pixels around u.",
    ),
    Misconception(
        "patch averaged",
        aggregating(cut=lambda x, n: F.avg_pool2d(x, n, 1, n // 2)),
        "The patch is averaged to one pixel first. It holds K·N² numbers, and all of them are aggregated.",
    ),
    Misconception(
        "matrices made",
        with_matrices,
        "The maps are right, but you make the K × K·N² matrix of every location. Each aggregation of a "
        "matrix "
        "g pᵀ follows from g and p: use the closed forms.",
    ),
)

VECTORS = (
    Misconception(
        "size of the linear approximation",
        other_cell("scaling", "sum", lambda x, g: total(g * x).abs()),
        "In (scaling, sum) the sign is taken away. A location can speak against the class: leave it "
        "negative.",
    ),
    Misconception(
        "sizes added up",
        other_cell("scaling", "sum", lambda x, g: total((g * x).abs())),
        "In (scaling, sum) you add up sizes. Votes for and against cancel: add them up with their signs.",
    ),
    Misconception(
        "largest size",
        aggregating(
            vector={"max": lambda v: most(v.abs())},
            matrix={"max": lambda p, g: most(p.abs()) * most(g.abs())},
        ),
        "max takes the largest size. In this grid it is the largest entry with its sign; "
        "the sizes are another aggregation.",
    ),
    Misconception(
        "means in place of sums",
        aggregating(
            vector={"sum": lambda v: v.mean(1, keepdim=True)},
            matrix={"sum": lambda p, g: p.mean(1, keepdim=True) * g.mean(1, keepdim=True)},
        ),
        "sum averages over the entries. Add them up.",
    ),
    Misconception(
        "squared norms",
        aggregating(
            vector={"norm": lambda v: norm(v).square(), "filter_norm": lambda v: norm(v.relu()).square()},
            matrix={
                "norm": lambda p, g: (norm(p) * norm(g)).square(),
                "filter_norm": lambda p, g: both_signs(p, g).square(),
            },
        ),
        "The norms are squared still. Take the root.",
    ),
    Misconception(
        "bias times x",
        aggregating(bias=lambda x, g: g * x),
        "The contribution of a bias is g alone: the derivative of x + b in b is 1.",
    ),
    Misconception(
        "scaling without x",
        aggregating(scaling=lambda x, g: g),
        "The contribution of a scaling is g · x: the derivative of α · x in α is x.",
    ),
    Misconception(
        "scaling as a 1×1 convolution",
        lambda kind, how, x, g, kernel_size=1: right(
            "conv" if kind == "scaling" else kind, how, x, g, kernel_size
        ),
        "scaling is treated as a 1×1 convolution. Its contribution is the vector g ⊙ x, the diagonal of g "
        "xᵀ.",
    ),
    Misconception(
        "filter before the product",
        other_cell("scaling", "filter_norm", lambda x, g: norm(g.relu() * x.relu())),
        "In (scaling, filter_norm) g and x are filtered one by one. Filter their product: "
        "two negative factors make a positive vote.",
    ),
    Misconception(
        "votes against",
        aggregating(vector={"filter_norm": lambda v: norm((-v).relu())}),
        "The filter keeps the negative entries. Keep the positive ones: they are the votes for the class.",
    ),
    Misconception(
        "scaled to the largest",
        aggregating(final=lambda m: m / m.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)),
        "Each map is scaled to its largest value. Give the aggregated numbers as they are.",
    ),
    Misconception(
        "no axis for the map",
        aggregating(final=lambda m: m[:, 0]),
        "The maps have no axis of their own. Keep it: (B, 1, h, w), as all maps of this course.",
    ),
    Misconception(
        "writes into g",
        writes_into_g,
        "Write `g.relu()` where you write `g.relu_()`: the gradients belong to whoever called.",
    ),
)

MISCONCEPTIONS = (*CONVOLUTION, *VECTORS)
