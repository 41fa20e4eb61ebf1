"""shade.whitening: inputs made white, so that VarEntropy is weight decay (Robert 2019, after Eq. 2.22)."""

from typing import Any

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Misconception, Task


def oracle(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What every whitening W of x has in common: mean 0, Λ = I, and products (x_k - m)ᵀ Λ⁻¹ (x_l - m)."""
    samples, inputs = x.shape
    centred = x - sum(x) / samples
    inverse = torch.linalg.inv(sum(torch.outer(row, row) for row in centred) / samples)
    products = [[one @ inverse @ other for other in centred] for one in centred]
    return (
        torch.ones(inputs, dtype=x.dtype),
        torch.eye(inputs, dtype=x.dtype),
        torch.stack([torch.stack(row) for row in products]),
    )


def use(answer: Any, x: Tensor) -> Any:
    """The answer's result by what does not depend on how it is turned.  The 1 keeps the tolerance, which is
    relative, above 0.  Two whitenings have the same inner products of rows, and only they do."""
    white = answer(x)
    if white is None or white is ...:
        return white
    if not isinstance(white, Tensor) or white.dim() != 2:
        return white, white, white
    mean = white.sum(0) / len(white)
    return 1 + mean, covariance(white), white @ white.T


def mixed(samples: int, inputs: int):
    """Inputs that hang together, some of them contrary, with means far from 0."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        own = normal(generator, samples, inputs)
        common = normal(generator, samples, 1)
        signs = torch.arange(inputs, dtype=torch.float64) % 2 * 2 - 1
        sizes = torch.linspace(0.6, 2, inputs, dtype=torch.float64)
        return {"x": (own + common * signs) * sizes + 2 + normal(generator, inputs)}

    return make


def white_already(generator: torch.Generator) -> dict[str, Tensor]:
    """The corners of a cube, moved off 0: only the mean is left to take away."""
    corners = [[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    return {"x": torch.tensor(corners, dtype=torch.float64) + normal(generator, 3)}


def without_correlation(generator: torch.Generator) -> dict[str, Tensor]:
    """The corners of a box: dividing each input by its own standard deviation is enough here."""
    sizes = torch.tensor([3.0, 0.4, 1.2], dtype=torch.float64)
    return {"x": white_already(generator)["x"] * sizes}


def covariance(x: Tensor) -> Tensor:
    centred = x - x.sum(0) / len(x)
    return centred.T @ centred / len(x)


def centre(x: Tensor) -> Tensor:
    return x - x.mean(0)


def power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values**exponent @ vectors.T


def axes(x: Tensor) -> Tensor:
    return torch.linalg.eigh(covariance(x)).eigenvectors


def sizes(x: Tensor) -> Tensor:
    return torch.linalg.eigh(covariance(x)).eigenvalues


def standardised(x: Tensor) -> Tensor:
    return centre(x) / covariance(x).diagonal().sqrt()


def writes_into_x(x: Tensor) -> Tensor:
    x -= x.mean(0)
    return x @ power(covariance(x), -0.5)


TASK = Task(
    id="shade.whitening",
    title="White inputs",
    difficulty=3,
    minutes=25,
    points=3,
    function="whiten",
    takes={"x": "(N, D)"},
    gives={
        "mean of the result plus 1": "(D,)",
        "covariance of the result": "(D, D)",
        "inner products of the rows of the result": "(N, N)",
    },
    hints=(
        "Move the cloud of samples so that its mean is 0. "
        "Turn it so that its inputs no longer vary together, then scale each direction to variance 1.",
        "Λ = V diag(λ) Vᵀ, the eigenvalues λ being the variances along the columns of V.\n"
        "Row k of the result:  (x_k - m)ᵀ V diag(1 / √λ)",
        "centred    <- x minus its mean over the samples         # (N, D)\n"
        "covariance <- centred transposed times centred, over N  # (D, D)\n"
        "values, vectors <- torch.linalg.eigh of covariance      # (D,), and (D, D) with columns\n"
        "turned     <- centred times vectors                     # (N, D), inputs no longer vary together\n"
        "return turned, each column divided by the root of its value",
    ),
    oracle=oracle,
    use=use,
    written="whiten(x: (N, D)) -> (N, D)",
    tolerance=1e-3,
    cases=(
        Case("20 samples of 3 inputs", mixed(20, 3)),
        Case("9 samples of 4 inputs", mixed(9, 4)),
        Case("30 samples of 2 inputs", mixed(30, 2)),
        Case("inputs that are white but for their mean", white_already),
        Case("inputs without correlation", without_correlation),
        Case("20 samples of 5 inputs in float32", mixed(20, 5), dtype=torch.float32),
    ),
    large=Case("400 samples of 16 inputs", mixed(400, 16)),
    misconceptions=(
        Misconception(
            "each input by itself",
            standardised,
            "Each input is divided by its own standard deviation, so they still vary together. "
            "Use all of Λ: turn the samples to its eigenvectors first.",
        ),
        Misconception(
            "each input by itself, N - 1",
            lambda x: (x - x.mean(0)) / x.std(0),
            "Each input is divided by its own standard deviation (with N - 1), and they still vary together. "
            "Take the eigenvectors of the whole covariance Λ, with 1/N.",
        ),
        Misconception(
            "correlation instead of covariance",
            lambda x: centre(x) @ power(torch.corrcoef(x.T), -0.5),
            "You whiten with the correlation of the inputs, which knows nothing of their sizes. "
            "Take the eigenvectors and eigenvalues of the covariance.",
        ),
        Misconception(
            "N - 1",
            lambda x: centre(x) @ power(torch.cov(x.T), -0.5),
            "The covariance that you whiten with is divided by N - 1. Divide by N: correction=0.",
        ),
        Misconception(
            "no N",
            lambda x: torch.linalg.qr(centre(x)).Q,
            "The covariance of the result is the identity divided by N: the columns have length 1. "
            "Divide the products by N; with an SVD or QR, multiply the result by √N.",
        ),
        Misconception(
            "not centred",
            lambda x: x @ power(covariance(x), -0.5),
            "The covariance is right, but the mean of x is still in the result. "
            "Subtract it from x before you multiply.",
        ),
        Misconception(
            "second moments",
            lambda x: x @ power(x.T @ x / len(x), -0.5),
            "You make the mean of the products x xᵀ the identity, with the mean of x inside. "
            "Subtract the mean first, and use the result for both steps.",
        ),
        Misconception(
            "mean added back",
            lambda x: centre(x) @ power(covariance(x), -0.5) + x.mean(0),
            "The mean of x is added to the result again. Leave it away: white inputs have mean 0.",
        ),
        Misconception(
            "centred only",
            centre,
            "The mean is gone, but the covariance is still that of x. "
            "Multiply with a matrix that makes it the identity.",
        ),
        Misconception(
            "turned only",
            lambda x: centre(x) @ axes(x),
            "The samples are turned so that the inputs no longer vary together, but their variances are λ. "
            "Divide each column by the root of its eigenvalue.",
        ),
        Misconception(
            "divided by the eigenvalues",
            lambda x: centre(x) @ axes(x) / sizes(x),
            "Each column is divided by its eigenvalue, which is a variance. "
            "Divide by its root, the standard deviation.",
        ),
        Misconception(
            "multiplied by the roots",
            lambda x: centre(x) @ axes(x) * sizes(x).sqrt(),
            "The columns are multiplied with the roots of the eigenvalues, which makes wide ones wider. "
            "Divide by the roots.",
        ),
        Misconception(
            "Λ to the power ½",
            lambda x: centre(x) @ power(covariance(x), 0.5),
            "You multiply with the root of Λ. White inputs need its inverse, Λ to the power -½.",
        ),
        Misconception(
            "Λ⁻¹",
            lambda x: centre(x) @ torch.linalg.inv(covariance(x)),
            "You multiply with Λ⁻¹, so the covariance becomes Λ⁻¹ Λ Λ⁻¹ = Λ⁻¹. "
            "Only a root of the inverse makes it the identity.",
        ),
        Misconception(
            "root of each number",
            lambda x: centre(x) @ covariance(x) ** -0.5,
            "The power is taken of each number of Λ by itself. "
            "Take it of the matrix: V diag(λ to the power -½) Vᵀ.",
        ),
        Misconception(
            "rows of V",
            lambda x: centre(x) @ axes(x).T / sizes(x).sqrt(),
            "The eigenvectors are read from the rows. "
            "torch.linalg.eigh gives them as columns, so multiply with V and not with Vᵀ.",
        ),
        Misconception(
            "Cholesky turned over",
            lambda x: centre(x) @ torch.linalg.inv(torch.linalg.cholesky(covariance(x))),
            "The Cholesky factor L stands the wrong way round. "
            "The samples are rows: multiply with the transposed of L⁻¹.",
        ),
        Misconception(
            "Cholesky not inverted",
            lambda x: centre(x) @ torch.linalg.cholesky(covariance(x)),
            "You multiply with the Cholesky factor L itself. Solve with it: the inverse makes samples white.",
        ),
        Misconception(
            "one scale for all",
            lambda x: centre(x) / centre(x).square().mean().sqrt(),
            "All inputs are divided by one number. Each direction needs a scale of its own.",
        ),
        Misconception(
            "rows of length 1",
            lambda x: centre(x) / centre(x).norm(dim=1, keepdim=True),
            "Each sample is scaled to length 1. "
            "One matrix must serve all samples, so that lengths stay comparable.",
        ),
        Misconception(
            "between 0 and 1",
            lambda x: (x - x.amin(0)) / (x.amax(0) - x.amin(0)),
            "Each input is moved to the range from 0 to 1. White means mean 0, variance 1 and no covariance.",
        ),
        Misconception(
            "transposed",
            lambda x: (centre(x) @ power(covariance(x), -0.5)).T,
            "The result has the inputs as rows. Keep the samples as rows, shape (N, D), as in x.",
        ),
        Misconception(
            "the matrix alone",
            lambda x: power(covariance(x), -0.5),
            "You return the matrix that makes samples white. "
            "Multiply the centred x with it and return the samples.",
        ),
        Misconception(
            "writes into x",
            writes_into_x,
            "Write `centred = x - x.mean(0)`: with `-=` the x of the caller changes too.",
        ),
    ),
)
