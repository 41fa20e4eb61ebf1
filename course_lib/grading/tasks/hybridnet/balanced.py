"""hybridnet.balanced: a reconstruction loss that trains the branch that is behind (Robert 2019, Eq. 3.12)."""

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.hybridnet.wrong_balanced import MISCONCEPTIONS


def oracle(x: Tensor, x_c: Tensor, x_u: Tensor) -> Tensor:
    """Eq. 3.12 image by image, with means in place of the sums; a stopped picture is its plain numbers."""

    def apart(one: Tensor, other: Tensor) -> Tensor:
        total, pixels = 0.0, 0
        for a, b in zip(one.flatten(), other.flatten()):
            total, pixels = total + (a - b) ** 2, pixels + 1
        return total / pixels

    losses = []
    for picture, c, u in zip(x, x_c, x_u):
        if apart(u.detach(), picture) >= apart(c.detach(), picture):
            losses.append(apart(u + c.detach(), picture))
        else:
            losses.append(apart(u.detach() + c, picture))
    return sum(losses) / len(losses)


# --- inputs ----------------------------------------------------------------------------------


def drawn(images: int, channels: int, height: int, width: int, behind: str):
    """Pictures and two partial reconstructions, of which c or u is behind, image by image as spelled.

    The branch that is behind has the smaller picture, or the larger, in turn, so that sizes tell nothing.
    """

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        x = 0.2 + 0.6 * normal(generator, images, channels, height, width)
        made = {"c": [], "u": []}
        for number, (picture, worse) in enumerate(zip(x, behind)):
            better = "u" if worse == "c" else "c"
            share = 0.1 if number % 2 else 1.9
            made[better].append(
                (0.75 if number % 2 else 0.8) * picture + 0.1 * normal(generator, *picture.shape)
            )
            made[worse].append(share * picture + 0.1 * normal(generator, *picture.shape))
        return {"x": x, "x_c": torch.stack(made["c"]), "x_u": torch.stack(made["u"])}

    return make


def tied(generator: torch.Generator) -> dict[str, Tensor]:
    """Both branches draw the same in the first image and the last; in the second c is behind."""
    made = drawn(3, 2, 3, 4, "ucu")(generator)
    for number in (0, 2):
        made["x_c"][number] = made["x_u"][number]
    return made


def few_pixels_far_off(generator: torch.Generator) -> dict[str, Tensor]:
    """One branch is a little wrong everywhere, the other far off in a few pixels: squares and sizes disagree.

    In the first image c has the larger sum of squares and the smaller sum of sizes, in the second u.
    """
    x = 0.3 + 0.5 * normal(generator, 2, 2, 4, 3)
    little = x + 0.4 * normal(generator, *x.shape).sign()
    far = x + 0.01 * normal(generator, *x.shape)
    far[:, :, 1, 2] = x[:, :, 1, 2] - 2.5
    swap = torch.tensor([True, False])[:, None, None, None]
    return {"x": x, "x_c": torch.where(swap, far, little), "x_u": torch.where(swap, little, far)}


def channels_disagree(generator: torch.Generator) -> dict[str, Tensor]:
    """In the first channel the other branch is behind than in the image as a whole."""
    x = 0.3 + 0.5 * normal(generator, 2, 3, 2, 4)
    off = torch.tensor([[0.9, 0.2, 0.3], [0.3, 0.8, 0.7]], dtype=torch.float64)[..., None, None]
    other = torch.tensor([[0.4, 0.8, 0.9], [0.9, 0.1, 0.2]], dtype=torch.float64)[..., None, None]
    return {"x": x, "x_c": x + off * (1 + 0.1 * normal(generator, *x.shape)), "x_u": x - other}


TASK = Task(
    id="hybridnet.balanced",
    title="The branch that is behind",
    difficulty=2,
    minutes=20,
    points=2,
    function="balanced_rec_loss",
    takes={"x": "(B, C, H, W)", "x_c": "(B, C, H, W)", "x_u": "(B, C, H, W)"},
    gives={"loss": "scalar"},
    hints=(
        "The number is that of an ordinary reconstruction loss; only the gradient is special. "
        "So ask two questions of every image: how wrong is the sum, and which branch shall hear of it?",
        "e_b[k]  = mean over the pixels of (x_b[k] - x[k])²,   for b = c, u\n"
        "loss[k] = mean over the pixels of (x_u[k] + stop(x_c[k]) - x[k])²   if e_u[k] ≥ e_c[k]\n"
        "          mean over the pixels of (stop(x_u[k]) + x_c[k] - x[k])²   otherwise\n"
        "result  = mean over k of loss[k]",
        "without gradient:\n"
        "    e_c, e_u <- mean squared difference of x_c and x, of x_u and x, image by image   # (B,)\n"
        "    to_u     <- e_u >= e_c                                                           # (B,)\n"
        "for_u <- mean squared difference of x_u + (x_c without gradient) and x               # (B,)\n"
        "for_c <- mean squared difference of (x_u without gradient) + x_c and x               # (B,)\n"
        "return the mean over the images of: for_u where to_u holds, for_c elsewhere",
    ),
    oracle=oracle,
    gradients=("x_c", "x_u"),
    cases=(
        Case("5 images of which 2 go to x_c", drawn(5, 2, 4, 3, "ucuuc")),
        Case("1 image for x_c", drawn(1, 3, 3, 2, "c")),
        Case("1 image for x_u", drawn(1, 1, 2, 5, "u")),
        Case("4 images that all go to x_u", drawn(4, 1, 3, 3, "uuuu")),
        Case("3 images, two of them drawn alike by both branches", tied),
        Case("2 images in which a few pixels are far off", few_pixels_far_off),
        Case("2 images in which the channels disagree", channels_disagree),
        Case("4 images of 3 channels in float32", drawn(4, 3, 2, 3, "cuuc"), dtype=torch.float32),
    ),
    large=Case("32 images of 3 channels and 8×8 pixels", drawn(32, 3, 8, 8, "cuuc" * 8)),
    misconceptions=MISCONCEPTIONS,
)
