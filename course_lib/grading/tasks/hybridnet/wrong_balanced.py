"""Wrong answers to hybridnet.balanced: most are the right one with another loss, or with another decision."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.grading.task import Misconception


def error(one: Tensor, other: Tensor) -> Tensor:
    """The mean squared difference of each image, (B,)."""
    return (one - other).square().flatten(1).mean(1)


def behind(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
    """Whether the u-branch is behind, or both are equally far, for each image, (B,)."""
    return error(x_u, x) >= error(x_c, x)


def decided(decision: Callable) -> Callable:
    """The loss with another decision: a boolean for each image, or for each pixel (B, C, H, W)."""

    def balanced(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
        to_u = decision(x, x_c, x_u)
        to_u = to_u if to_u.ndim == 4 else to_u[:, None, None, None]
        total = torch.where(to_u, x_u + x_c.detach(), x_u.detach() + x_c)
        return (total - x).square().mean()

    return balanced


def both_terms(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
    return error(x_u + x_c.detach(), x).mean() + error(x_u.detach() + x_c, x).mean()


def one_decision(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
    if error(x_u, x).mean() >= error(x_c, x).mean():
        return error(x_u + x_c.detach(), x).mean()
    return error(x_u.detach() + x_c, x).mean()


def each_group_by_itself(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
    to_u = behind(x, x_c, x_u)
    for_u, for_c = error(x_u + x_c.detach(), x), error(x_u.detach() + x_c, x)
    return for_u[to_u].mean() + for_c[~to_u].mean()


def writes_into_x_c(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
    to_u = behind(x, x_c, x_u)
    for_u = error(x_u + x_c.detach(), x)
    x_c += x_u.detach()
    return torch.where(to_u, for_u, error(x_c, x)).mean()


def numbers_of_the_value(value: Callable) -> Callable:
    """The right decision with another value: a function of what the sum is off, (B, C, H, W)."""

    def balanced(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
        to_u = behind(x, x_c, x_u)[:, None, None, None]
        return value(torch.where(to_u, x_u + x_c.detach(), x_u.detach() + x_c) - x)

    return balanced


VALUES = (
    Misconception(
        "sum over the pixels",
        numbers_of_the_value(lambda off: off.square().flatten(1).sum(1).mean()),
        "The squares of an image are added up. Take their mean over channels and pixels, as this task asks; "
        "then the weight of the loss does not depend on the size of the images.",
    ),
    Misconception(
        "sum over the images",
        numbers_of_the_value(lambda off: off.square().flatten(1).mean(1).sum()),
        "The losses of the images are added up. Take their mean over the batch.",
    ),
    Misconception(
        "sum over everything",
        numbers_of_the_value(lambda off: off.square().sum()),
        "All squares of the batch are added up. "
        "Take the mean: over the pixels of an image, then over the images.",
    ),
    Misconception(
        "one number for each image",
        numbers_of_the_value(lambda off: off.square().flatten(1).mean(1)),
        "There is one number for each image. Take the mean of these numbers over the batch.",
    ),
    Misconception(
        "absolute difference",
        numbers_of_the_value(lambda off: off.abs().mean()),
        "The differences are not squared. The reconstruction loss is a mean of squares.",
    ),
    Misconception(
        "root",
        numbers_of_the_value(lambda off: off.square().flatten(1).mean(1).sqrt().mean()),
        "This is the root of each image's mean square. Leave the square as it is.",
    ),
    Misconception(
        "half the square",
        numbers_of_the_value(lambda off: off.square().mean() / 2),
        "This is half of it. There is no factor ½ in this loss.",
    ),
    Misconception(
        "the branch behind alone",
        lambda x, x_c, x_u: torch.maximum(error(x_c, x), error(x_u, x)).mean(),
        "You return the error of the branch that is behind, taken alone. "
        "The partial errors only decide; the loss is always that of the sum x_c + x_u.",
    ),
    Misconception(
        "the branch ahead alone",
        lambda x, x_c, x_u: torch.minimum(error(x_c, x), error(x_u, x)).mean(),
        "You return the error of the branch that is ahead, taken alone. "
        "The partial errors only decide; the loss is always that of the sum x_c + x_u.",
    ),
    Misconception(
        "each branch shall equal x",
        lambda x, x_c, x_u: (error(x_c, x) + error(x_u, x)).mean(),
        "Each branch is compared with the whole picture. "
        "No branch has to draw all of x: compare the sum x_c + x_u with it.",
    ),
    Misconception(
        "both terms",
        both_terms,
        "Both cases are added, which doubles the loss and trains both branches. "
        "For each image only one of the two cases holds.",
    ),
    Misconception(
        "mean of the two branches",
        lambda x, x_c, x_u: decided(behind)(2 * x, x_c, x_u) / 4,
        "The two partial pictures are averaged. The branches add up: the reconstruction is x_c + x_u.",
    ),
    Misconception(
        "difference of the branches",
        lambda x, x_c, x_u: decided(lambda *_: behind(x, x_c, x_u))(x, -x_c, x_u),
        "One partial picture is subtracted from the other. Add them: the reconstruction is x_c + x_u.",
    ),
    Misconception(
        "each group by itself",
        each_group_by_itself,
        "You take one mean over the images that go to x_u and one over those that go to x_c. "
        "A group can be empty, and its mean is then no number: take one mean over all images.",
    ),
)

GRADIENTS = (
    Misconception(
        "no balancing",
        lambda x, x_c, x_u: error(x_c + x_u, x).mean(),
        "Both branches get the gradient: this is the plain loss, Eq. 3.10. "
        "In each image stop the gradient of the branch that is ahead, with .detach().",
    ),
    Misconception(
        "one decision for the batch",
        one_decision,
        "You decide once for the whole batch. "
        "Each image decides for itself: compare its two errors, and keep one decision for each image.",
    ),
    Misconception(
        "the branch ahead is trained",
        decided(lambda x, x_c, x_u: error(x_u, x) < error(x_c, x)),
        "The gradient goes to the branch that is ahead, which then does all the work. "
        "Send it to the one with the larger error.",
    ),
    Misconception(
        "a tie goes to c",
        decided(lambda x, x_c, x_u: error(x_u, x) > error(x_c, x)),
        "Where both errors are equal, the gradient goes to x_c. "
        "Eq. 3.12 has a ≥ there: an equal error sends it to x_u.",
    ),
    Misconception(
        "both are stopped",
        lambda x, x_c, x_u: error(x_c.detach() + x_u.detach(), x).mean(),
        "Both branches are cut off, so the loss trains nothing. Stop only the one that is ahead.",
    ),
    Misconception(
        "always u",
        lambda x, x_c, x_u: error(x_u + x_c.detach(), x).mean(),
        "Every image trains x_u. Compare the two errors, and let x_c have the images in which it is behind.",
    ),
    Misconception(
        "always c",
        lambda x, x_c, x_u: error(x_u.detach() + x_c, x).mean(),
        "Every image trains x_c. Compare the two errors, and let x_u have the images in which it is behind.",
    ),
    Misconception(
        "each pixel decides",
        decided(lambda x, x_c, x_u: (x_u - x).abs() >= (x_c - x).abs()),
        "Each pixel decides for itself which branch it trains. "
        "Take the mean over the pixels before you compare, so that an image goes to one branch as a whole.",
    ),
    Misconception(
        "each channel decides",
        decided(
            lambda x, x_c, x_u: (
                ((x_u - x) ** 2).mean((2, 3), True).expand_as(x) >= ((x_c - x) ** 2).mean((2, 3), True)
            )
        ),
        "Each channel decides for itself. The error of an image is over its channels and pixels together.",
    ),
    Misconception(
        "the smaller picture is behind",
        decided(lambda x, x_c, x_u: error(x_u, 0 * x) <= error(x_c, 0 * x)),
        "You compare how large the two partial pictures are. "
        "Compare how far each is from x: a large picture can be far from it, too.",
    ),
    Misconception(
        "the larger picture is behind",
        decided(lambda x, x_c, x_u: error(x_u, 0 * x) >= error(x_c, 0 * x)),
        "You compare how large the two partial pictures are, without x. Compare their differences from x.",
    ),
    Misconception(
        "decides by sizes",
        decided(lambda x, x_c, x_u: (x_u - x).abs().flatten(1).sum(1) >= (x_c - x).abs().flatten(1).sum(1)),
        "The decision compares absolute differences. Compare squares, as in the loss: "
        "few pixels that are far off then weigh more than many that are nearly right.",
    ),
    Misconception(
        "decides by the mean difference",
        decided(lambda x, x_c, x_u: (x_u - x).flatten(1).mean(1) >= (x_c - x).flatten(1).mean(1)),
        "The decision compares differences that are not squared, so those of opposite sign cancel. "
        "Square them first.",
    ),
    Misconception(
        "half to each",
        lambda x, x_c, x_u: both_terms(x, x_c, x_u) / 2,
        "Each branch gets half of every image's gradient. "
        "Choose one branch for each image, and give it the whole.",
    ),
    Misconception(
        "writes into x_c",
        writes_into_x_c,
        "Write `x_c + …` into a new name where you write `x_c += …`: the picture belongs to the caller.",
    ),
)

MISCONCEPTIONS = (*VALUES, *GRADIENTS)
