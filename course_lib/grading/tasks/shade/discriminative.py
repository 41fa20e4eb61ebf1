"""shade.discriminative: the part of a representation that the classes can see (Robert 2019, §A.2.2)."""

import torch
from torch import Tensor, linalg

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Misconception, Task


def oracle(H: Tensor, W: Tensor) -> Tensor:
    """H* = H^⊥ taken away, W H^⊥ = 0: a basis of the rows of W by Gram and Schmidt, then a sum along it."""
    basis: list[Tensor] = []
    for row in W:
        rest = row
        for _ in range(2):  # once more, against rounding
            for direction in basis:
                rest = rest - (rest @ direction) * direction
        if rest.norm() > 1e-8 * W.norm():
            basis.append(rest / rest.norm())
    seen = []
    for h in H:
        seen.append(sum(((h @ direction) * direction for direction in basis), torch.zeros_like(h)))
    return torch.stack(seen)


def layer(samples: int, classes: int, units: int, scale: float = 1.0):
    """Features that are not centred, and weights whose rows have different lengths and are not orthogonal."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        H = 0.7 + normal(generator, samples, units)
        lengths = torch.linspace(0.5, 2, classes, dtype=torch.float64)[:, None]
        return {"H": H, "W": scale * lengths * (0.4 + normal(generator, classes, units))}

    return make


def same_weights(generator: torch.Generator) -> dict[str, Tensor]:
    """The last class repeats the first: W has rank 2."""
    made = layer(6, 3, 5)(generator)
    return {"H": made["H"], "W": torch.cat([made["W"][:2], made["W"][:1]])}


def zero_weights(generator: torch.Generator) -> dict[str, Tensor]:
    made = layer(2, 3, 4, scale=0.01)(generator)
    made["W"][1] = 0
    return made


def shared_directions(generator: torch.Generator) -> dict[str, Tensor]:
    """Five classes in two directions of four; the mixing numbers keep the sums exact, so the rank is 2."""
    made = layer(3, 2, 4)(generator)
    directions = (64 * made["W"]).round() / 64
    mixed = torch.tensor([[1, 0], [0, 1], [2, 1], [-1, 1], [1, 3]], dtype=torch.float64)
    return {"H": made["H"], "W": mixed @ directions}


def along(directions: Tensor, H: Tensor) -> Tensor:
    """The sum of the parts of H along directions, as if these were orthogonal and of length 1."""
    return H @ directions.T @ directions


def projected(H: Tensor, W: Tensor) -> Tensor:
    return H @ linalg.pinv(W) @ W


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=-1, keepdim=True).clamp(min=1e-30)


def with_a_ridge(H: Tensor, W: Tensor) -> Tensor:
    gram = W @ W.T + 1e-6 * torch.eye(len(W)).to(W)
    return H @ W.T @ linalg.inv(gram) @ W


def writes_into_h(H: Tensor, W: Tensor) -> Tensor:
    H -= H - projected(H, W)
    return H


TASK = Task(
    id="shade.discriminative",
    title="What the classes can see",
    difficulty=3,
    minutes=20,
    points=2,
    function="discriminative_component",
    takes={"H": "(N, D)", "W": "(C, D)"},
    gives={"H_star": "(N, D)"},
    hints=(
        "A class sees a sample only through the product with its own row of W. "
        "So what counts is the space that the rows span: keep the part of each sample within it.",
        "P = pinv(W) · W   (D, D): symmetric, P·P = P, W·P = W\nH_star[n] = P · H[n]   for each sample n",
        "inverse <- pseudo-inverse of W           # (D, C), torch.linalg.pinv\n"
        "P       <- inverse times W               # (D, D), keeps what lies in the rows of W\n"
        "return H times P                         # (N, D): each row of H is one sample, and P is symmetric",
    ),
    oracle=oracle,
    cases=(
        Case("4 samples, 3 classes and 5 units", layer(4, 3, 5)),
        Case("as many samples as units", layer(4, 2, 4)),  # where P may stand on the wrong side
        Case("two classes with the same weights", same_weights),
        Case("a class whose weights are zero", zero_weights),
        Case("one class only", layer(3, 1, 6)),
        Case("more classes than units", layer(5, 6, 3)),
        Case("5 classes that share two directions", shared_directions),
        Case("7 samples, 4 classes and 6 units in float32", layer(7, 4, 6), dtype=torch.float32),
    ),
    large=Case("200 samples, 10 classes and 64 units", layer(200, 10, 64)),
    misconceptions=(
        Misconception(
            "the other part",
            lambda H, W: H - projected(H, W),
            "This is what the classes cannot see: W times it is 0. The part they do see is the rest of H.",
        ),
        Misconception(
            "W'W is no projection",
            lambda H, W: along(W, H),
            "WᵀW is no projection: applied twice it gives something else again. "
            "The rows of W are neither orthogonal nor of length 1; the pseudo-inverse makes up for that.",
        ),
        Misconception(
            "rows of length 1",
            lambda H, W: along(unit(W), H),
            "The rows are brought to length 1, but they are not orthogonal, "
            "so what two classes share is counted twice. Use the pseudo-inverse of W.",
        ),
        Misconception(
            "W'W by its norm",
            lambda H, W: along(W, H) / linalg.matrix_norm(W, 2) ** 2,
            "WᵀW is divided by one number, the square of the norm of W. "
            "That is right along one direction only; each direction needs a factor of its own.",
        ),
        Misconception(
            "with a ridge",
            with_a_ridge,
            "The small number that you add to W Wᵀ before inverting it changes the result a little. "
            "The pseudo-inverse needs none, whatever the rank of W.",
        ),
        Misconception(
            "rank not looked at",
            lambda H, W: along(linalg.svd(W, full_matrices=False).Vh, H),
            "Where the rows of W depend on each other, some singular values are 0, "
            "and their directions do not belong to W. "
            "Keep only the directions with a singular value above 0.",
        ),
        Misconception(
            "rank not looked at, in QR",
            lambda H, W: along(linalg.qr(W.T).Q.T, H),
            "QR makes a direction of every row, also of one that the others make up already. "
            "There it is made of rounding errors: count the rank, or use the pseudo-inverse.",
        ),
        Misconception(
            "all directions",
            lambda H, W: H.clone(),
            "This is H itself, as if every direction were seen by some class. "
            "The full set of singular vectors spans the whole space; take those that belong to rows of W.",
        ),
        Misconception(
            "strongest direction only",
            lambda H, W: along(linalg.svd(W).Vh[:1], H),
            "Only the direction with the largest singular value is kept. "
            "Every direction counts whose singular value is above 0.",
        ),
        Misconception(
            "mean of the rows",
            lambda H, W: along(unit(W.mean(0, keepdim=True)), H),
            "H is projected on one direction, the mean of the rows of W. "
            "Project on the space that all rows span.",
        ),
        Misconception(
            "centred rows",
            lambda H, W: projected(H, W - W.mean(0)),
            "The mean of the rows is taken from W first. "
            "That would keep the class probabilities; asked for is what keeps every product with W.",
        ),
        Misconception(
            "centred samples",
            lambda H, W: projected(H - H.mean(0), W),
            "The samples are centred first. Project them as they are: this is no PCA.",
        ),
        Misconception(
            "products with W",
            lambda H, W: H @ W.T,
            "These are the products with W, one for each class. "
            "Asked for is the part of H itself that makes these products.",
        ),
        Misconception(
            "pseudo-inverse alone",
            lambda H, W: H @ linalg.pinv(W),
            "Here W is missing: pinv(W) leads to the classes, and W back to the units. "
            "The projection is pinv(W) @ W.",
        ),
        Misconception(
            "samples as columns",
            lambda H, W: projected(H, W).T,
            "The result is transposed. In H and in the result each row is one sample.",
        ),
        Misconception(
            "the projection itself",
            lambda H, W: linalg.pinv(W) @ W,
            "This is the projection. Apply it to each sample.",
        ),
        Misconception(
            "writes into H",
            writes_into_h,
            "Write `H = H - …` where you write `H -= …`.",
        ),
    ),
)
