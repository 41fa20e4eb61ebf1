"""shade.varentropy: the variance of a linear unit (Robert 2019, Eq. 2.22); weight decay is a case."""

import math

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Misconception, Task


def oracle(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Eq. 2.22 letter by letter: the mean of (h - E(H))² over the samples, for h = Σ_d x_d w_d + b."""
    samples, inputs = x.shape
    h = []
    for k in range(samples):
        value = b
        for d in range(inputs):
            value = value + x[k, d] * w[d]
        h.append(value)
    mean = sum(h) / samples
    return sum((value - mean) ** 2 for value in h) / samples


# Numbers on a grid, and 1, 4, 8 or 16 samples: every mean is exact then, in float32 too, and so the gradient
# at b is 0 and not merely near it.
def grid(numbers: Tensor) -> Tensor:
    return (4 * numbers).round() / 4


def unit(samples: int, inputs: int):
    """Inputs that hang together, with means far from 0, and a bias."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        common = normal(generator, samples, 1)
        return {
            "x": grid(1.5 * normal(generator, samples, inputs) + common + 2 * normal(generator, inputs)),
            "w": grid(0.25 + normal(generator, inputs)),
            "b": grid(1.5 + normal(generator).abs()),
        }

    return make


def white(generator: torch.Generator) -> dict[str, Tensor]:
    """The corners of a square, moved off 0: their covariance is the identity."""
    corners = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    return {**unit(4, 2)(generator), "x": corners + 2}


def in_pairs(generator: torch.Generator) -> dict[str, Tensor]:
    """Two pairs of samples, each pair mirrored at the mean."""
    made = unit(2, 3)(generator)
    pairs = torch.stack([made["x"], -made["x"]], dim=1).reshape(4, 3)
    return {**made, "x": pairs + 2.5}


def covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / len(x)


def correlation(x: Tensor) -> Tensor:
    sizes = covariance(x).diagonal().sqrt()
    return covariance(x) / torch.outer(sizes, sizes)


def centred_along_the_inputs(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    return ((centred @ w) ** 2).mean()


def writes_into_x(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    x -= x.mean(0)
    return ((x @ w) ** 2).mean()


TASK = Task(
    id="shade.varentropy",
    title="VarEntropy of a linear unit",
    difficulty=2,
    minutes=15,
    points=2,
    function="projected_variance",
    takes={"x": "(N, D)", "w": "(D,)", "b": "()"},
    gives={"variance": "()"},
    hints=(
        "What does the bias do to the values of the unit, and what does that do to their spread? "
        "Then write how two inputs vary together into a (D, D) matrix.",
        "Λ = 1/N · Σ_k (x_k - m)(x_k - m)ᵀ   with   m = mean of the x_k\nVar(x w + b) = wᵀ Λ w",
        "centred    <- x minus its mean over the samples           # (N, D)\n"
        "covariance <- centred transposed times centred, over N    # (D, D)\n"
        "return w times covariance times w                         # a single number",
    ),
    oracle=oracle,
    gradients=("w", "b"),
    cases=(
        Case("8 samples of 3 inputs", unit(8, 3)),
        Case("4 samples of 4 inputs", unit(4, 4)),  # where x w and xᵀ w both exist
        Case("16 samples of 2 inputs", unit(16, 2)),
        Case("white inputs", white),
        Case("1 sample of 3 inputs", unit(1, 3)),
        Case("4 samples of 3 inputs in float32", in_pairs, dtype=torch.float32),
    ),
    large=Case("512 samples of 16 inputs", unit(512, 16)),
    misconceptions=(
        Misconception(
            "E[h²]",
            lambda x, w, b: ((x @ w + b) ** 2).mean(),
            "This is the mean of h², so the mean of h counts too. Subtract the mean before you square.",
        ),
        Misconception(
            "E[xxᵀ]",
            lambda x, w, b: w @ (x.T @ x / len(x)) @ w,
            "The matrix is the mean of the products x xᵀ. "
            "For the covariance, subtract the mean of x over the samples first.",
        ),
        Misconception(
            "square of the mean",
            lambda x, w, b: (x @ w + b).mean() ** 2,
            "This is the square of the mean of h. "
            "The variance is the mean of the squares, each measured from the mean.",
        ),
        Misconception(
            "N - 1",
            lambda x, w, b: len(x) * (w @ covariance(x) @ w) / torch.tensor(len(x) - 1.0),
            "The sum of squares is divided by N - 1, as var() and torch.cov do if not told otherwise. "
            "Divide by N: correction=0.",
        ),
        Misconception(
            "sum over the samples",
            lambda x, w, b: len(x) * (w @ covariance(x) @ w),
            "This grows with the number of samples, because it is a sum over them. Divide by N.",
        ),
        Misconception(
            "divided by D",
            lambda x, w, b: len(x) * (w @ covariance(x) @ w) / x.shape[1],
            "The sum over the samples is divided by the number of inputs D. "
            "Divide by the number of samples N, the length of the first axis.",
        ),
        Misconception(
            "correlation",
            lambda x, w, b: w @ correlation(x) @ w,
            "The inputs are scaled to variance 1 first, so Λ is their correlation. "
            "Take the covariance: an input that varies more makes the unit vary more.",
        ),
        Misconception(
            "‖w‖²",
            lambda x, w, b: (w**2).sum(),
            "This is ‖w‖², which ignores x. It equals the variance only where the inputs are white.",
        ),
        Misconception(
            "diagonal of Λ",
            lambda x, w, b: (w**2 * covariance(x).diagonal()).sum(),
            "Only the variances of the inputs count here. "
            "Inputs that vary together add up or cancel: use all of Λ, not its diagonal alone.",
        ),
        Misconception(
            "Λ w",
            lambda x, w, b: covariance(x) @ w,
            "This is Λ w, one number for each input. Multiply with w once more, from the left.",
        ),
        Misconception(
            "sum of Λ w",
            lambda x, w, b: (covariance(x) @ w).sum(),
            "The weights come in once only, and the numbers of Λ w are added up. "
            "Weight them with w as well; a variance is quadratic in w.",
        ),
        Misconception(
            "a matrix of one number",
            lambda x, w, b: w[None] @ covariance(x) @ w[:, None],
            "The number is right but stands in a matrix of shape (1, 1). "
            "Write `w @ Λ @ w` with the vector w, or take it out with [0, 0].",
        ),
        Misconception(
            "b² added",
            lambda x, w, b: w @ covariance(x) @ w + b**2,
            "This is too much by b². "
            "The bias moves all values and their mean alike: it must be in both or in neither.",
        ),
        Misconception(
            "b added",
            lambda x, w, b: w @ covariance(x) @ w + b,
            "The bias is added to the variance. "
            "It belongs to h; in the variance it drops out, because the mean of h moves along.",
        ),
        Misconception(
            "centred along the inputs",
            centred_along_the_inputs,
            "The mean is taken over the inputs of a sample. "
            "Take it over the samples, axis 0, for each input by itself.",
        ),
        Misconception(
            "one mean for all inputs",
            lambda x, w, b: (((x - x.mean()) @ w) ** 2).mean(),
            "One mean is subtracted from all inputs alike. "
            "Each input has a mean of its own: x.mean(0), of shape (D,).",
        ),
        Misconception(
            "one half of it",
            lambda x, w, b: w @ covariance(x) @ w / 2,
            "This is half of the variance. "
            "The ½ belongs to weight decay as it is often written, ½‖w‖², and not to the variance.",
        ),
        Misconception(
            "standard deviation",
            lambda x, w, b: (w @ covariance(x) @ w).sqrt(),
            "This is the standard deviation. VarEntropy is the variance itself, without the root.",
        ),
        Misconception(
            "mean absolute deviation",
            lambda x, w, b: (x @ w - (x @ w).mean()).abs().mean(),
            "The distances from the mean are not squared. A variance is a mean of squares.",
        ),
        Misconception(
            "entropy bound",
            lambda x, w, b: (2 * math.pi * math.e * (w @ covariance(x) @ w)).log() / 2,
            "This is the bound on the entropy, ½ ln(2πe Var). VarEntropy drops the logarithm: return Var.",
        ),
        Misconception(
            "no mean",
            lambda x, w, b: (x @ w - (x @ w).mean()) ** 2,
            "The squared distances are right, but their mean over the samples is missing.",
        ),
        Misconception(
            "no gradient",
            lambda x, w, b: (w @ covariance(x) @ w).detach(),
            "The result is cut off from w, so nothing can learn from it. "
            "Stay with torch operations, without .detach(), .item(), NumPy or torch.no_grad().",
        ),
        Misconception(
            "writes into x",
            writes_into_x,
            "Write `centred = x - x.mean(0)` where you write `x -= x.mean(0)`.",
        ),
    ),
)
