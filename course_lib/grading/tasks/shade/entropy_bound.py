"""shade.entropy_bound: Gaussian bounds on the entropy of a unit (Robert 2019, Eq. 2.19)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, sigmoid

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Misconception, Task


def oracle(h: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """½ ln(2πe Var(h)) and ½ ln(2πe Σ_z p_z v_z), letter by letter."""
    samples = len(h)
    mean = sum(h) / samples
    total = sum((value - mean) ** 2 for value in h) / samples
    within = 0.0
    for weights in (1 - q, q):
        mode = sum(weight * value for weight, value in zip(weights, h)) / sum(weights)
        spread = sum(weight * (value - mode) ** 2 for weight, value in zip(weights, h))
        variance, probability = spread / sum(weights), sum(weights) / samples
        within = within + probability * variance
    return torch.log(2 * math.pi * math.e * total) / 2, torch.log(2 * math.pi * math.e * within) / 2


def soft(samples: int):
    """Values off 0, and weights that have little to do with them."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        return {
            "h": 0.7 + 1.5 * normal(generator, samples),
            "q": 0.05 + 0.9 * uniform(generator, samples) ** 2,
        }

    return make


def constant(generator: torch.Generator) -> dict[str, Tensor]:
    """Both modes have the same mean, exactly so: the values stand on a grid."""
    h = (8 * normal(generator, 8)).round() / 8
    return {"h": h, "q": torch.full_like(h, 0.25)}


def hard(generator: torch.Generator) -> dict[str, Tensor]:
    h = normal(generator, 7)
    q = torch.tensor([1, 0, 0, 1, 1, 0, 0], dtype=h.dtype)
    return {"h": (1 + q) * h + q, "q": q}


def far_apart(generator: torch.Generator) -> dict[str, Tensor]:
    signs = torch.tensor([1, -1, 1, 1, -1, 1, 1, -1, 1], dtype=torch.float64)
    h = 3 * signs + 0.4 * normal(generator, 9)
    return {"h": h, "q": sigmoid(2 * h)}


def narrow(generator: torch.Generator) -> dict[str, Tensor]:
    """So little variance that both bounds are below 0."""
    made = soft(6)(generator)
    return {"h": made["h"] / 50, "q": made["q"]}


def modes(h: Tensor, q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probability, mean and variance of each mode, (2,) each."""
    weights = torch.stack([1 - q, q])
    mass = weights.sum(1)
    mean = weights @ h / mass
    return mass / len(h), mean, (weights * (h - mean[:, None]) ** 2).sum(1) / mass


def total(h: Tensor) -> Tensor:
    return h.var(correction=0)


def within(h: Tensor, q: Tensor) -> Tensor:
    p, _, v = modes(h, q)
    return p @ v


def between(h: Tensor, q: Tensor) -> Tensor:
    p, mean, _ = modes(h, q)
    return p[0] * p[1] * (mean[1] - mean[0]) ** 2


def gauss(variance: Tensor) -> Tensor:
    return (2 * math.pi * math.e * variance).log() / 2


def both(of: Callable[[Tensor], Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """A wrong answer with the right variances and the wrong function of them."""
    return lambda h, q: (of(total(h)), of(within(h, q)))


def given_z(of: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """A wrong answer whose first bound is right."""
    return lambda h, q: (gauss(total(h)), of(h, q))


def undivided_means(h: Tensor, q: Tensor) -> Tensor:
    weights = torch.stack([1 - q, q])
    mean = (weights * h).mean(1, keepdim=True)
    return gauss((weights * (h - mean) ** 2).sum() / len(h))


def writes_into_h(h: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    second = gauss(within(h, q))
    h -= h.mean()
    return gauss((h**2).mean()), second


TASK = Task(
    id="shade.entropy_bound",
    title="Entropy is at most that of a Gaussian",
    difficulty=2,
    minutes=20,
    points=2,
    function="gaussian_entropy_bound",
    takes={"h": "(K,)", "q": "(K,)"},
    gives={"bound": "()", "bound_given_z": "()"},
    hints=(
        "Both bounds are the same function of a variance. "
        "For the second, find the variance that is left on average once you know the mode.",
        "bound = ½ ln(2πe · mean of (h_k - m)²)\n"
        "bound_given_z = ½ ln(2πe · 1/K · Σ_k [(1 - q_k)(h_k - μ⁰)² + q_k (h_k - μ¹)²])\n"
        "with   μ¹ = Σ_k q_k h_k / Σ_k q_k   and   μ⁰ the same with 1 - q_k",
        "total  <- mean squared distance of h from its mean\n"
        "within <- 0\n"
        "for weights in (1 - q, q):\n"
        "    mu     <- weighted mean of h, divided by the sum of the weights\n"
        "    within <- within + mean of weights * (h - mu)²\n"
        "return half the log of 2πe * total, half the log of 2πe * within",
    ),
    oracle=oracle,
    gradients=("h",),
    cases=(
        Case("8 values with soft weights", soft(8)),
        Case("5 values with soft weights", soft(5)),
        Case("the same weight for all values", constant),
        Case("weights that are 0 or 1", hard),
        Case("two modes far apart", far_apart),
        Case("values close together", narrow),
        Case("10 values in float32", soft(10), dtype=torch.float32),
    ),
    large=Case("512 values with soft weights", soft(512)),
    misconceptions=(
        Misconception(
            "average of the logarithms",
            given_z(lambda h, q: modes(h, q)[0] @ gauss(modes(h, q)[2])),
            "The second bound averages the logarithms of the two variances. "
            "Average the variances first and take one logarithm of that, which is never smaller (Jensen).",
        ),
        Misconception(
            "log2",
            both(lambda v: gauss(v) / math.log(2)),
            "The logarithm has base 2, so this is in bits. Use the natural one, torch.log.",
        ),
        Misconception(
            "log10",
            both(lambda v: gauss(v) / math.log(10)),
            "The logarithm has base 10. Use the natural one, torch.log.",
        ),
        Misconception(
            "½ forgotten",
            both(lambda v: 2 * gauss(v)),
            "Both bounds are twice as large as they should be. "
            "The ½ before the logarithm is missing; it makes a standard deviation of the variance.",
        ),
        Misconception(
            "e forgotten",
            both(lambda v: gauss(v / math.e)),
            "The e inside the logarithm is missing, which is ½ too little. Take the logarithm of 2πe Var.",
        ),
        Misconception(
            "2π forgotten",
            both(lambda v: gauss(v / (2 * math.pi))),
            "The 2π inside the logarithm is missing. It comes from the height of the Gaussian's density.",
        ),
        Misconception(
            "2 forgotten",
            both(lambda v: gauss(v / 2)),
            "Inside the logarithm stands πe. It has to be 2πe.",
        ),
        Misconception(
            "no constant",
            both(lambda v: v.log() / 2),
            "This is ½ ln Var alone. Multiply the variance by 2πe first, or it is no bound.",
        ),
        Misconception(
            "standard deviation",
            both(lambda v: gauss(v.sqrt())),
            "Inside the logarithm stands the standard deviation. Put the variance there.",
        ),
        Misconception(
            "the variances",
            both(lambda v: v),
            "These are the two variances. Turn each into a bound: ½ ln(2πe Var).",
        ),
        Misconception(
            "not centred",
            lambda h, q: (gauss((h**2).mean()), gauss(within(h, q))),
            "The first bound takes the mean of h² for the variance. Subtract the mean of h first.",
        ),
        Misconception(
            "K - 1",
            lambda h, q: (gauss(h.var()), gauss(within(h, q))),
            "The variance in the first bound is divided by K - 1. "
            "Divide by K, with correction=0, or the two bounds do not fit together.",
        ),
        Misconception(
            "K - 1 in both",
            lambda h, q: (gauss(h.var()), gauss(within(h, q) * len(h) / (len(h) - 1))),
            "The sums of squares in both bounds are divided by K - 1. Divide by K.",
        ),
        Misconception(
            "unweighted mean",
            given_z(lambda h, q: gauss(modes(h, q)[2].mean())),
            "The variances of the two modes count one half each. "
            "Weight each with the probability of its mode, the mean of its weights.",
        ),
        Misconception(
            "sum of the variances",
            given_z(lambda h, q: gauss(modes(h, q)[2].sum())),
            "The variances of the two modes are added up without weights. "
            "Multiply each with the probability of its mode first.",
        ),
        Misconception(
            "probabilities swapped",
            given_z(lambda h, q: gauss(modes(h, q)[0].flip(0) @ modes(h, q)[2])),
            "Each variance has the probability of the other mode. "
            "The one around μ¹ counts with the mean of q, the one around μ⁰ with the mean of 1 - q.",
        ),
        Misconception(
            "one mode only",
            given_z(lambda h, q: gauss(modes(h, q)[2][1])),
            "The second bound knows the variance of one mode only. Average over both modes.",
        ),
        Misconception(
            "the same bound twice",
            given_z(lambda h, q: gauss(total(h))),
            "The second bound equals the first, as if Z told nothing. "
            "Measure distances from the mean of each mode, not from the mean of all.",
        ),
        Misconception(
            "variance between the modes",
            given_z(lambda h, q: gauss(between(h, q))),
            "The second bound takes the variance between the two means. "
            "Take the one that is left inside the modes.",
        ),
        Misconception(
            "means not divided",
            given_z(undivided_means),
            "The means of the modes are divided by K. "
            "Divide each weighted sum by the sum of its weights, so that it is a mean.",
        ),
        Misconception(
            "hard modes",
            given_z(lambda h, q: gauss(within(h, q.round()))),
            "Each value is given wholly to one mode. Let it count in both, with weights 1 - q and q.",
        ),
        Misconception(
            "weights from h",
            given_z(lambda h, q: gauss(within(h, sigmoid(h)))),
            "The weights are computed as σ(h). They are given: use the argument q.",
        ),
        Misconception(
            "bounds swapped",
            lambda h, q: (gauss(within(h, q)), gauss(total(h))),
            "The two bounds are in the wrong order. First comes the one for H alone, then the one given Z.",
        ),
        Misconception(
            "no gradient",
            lambda h, q: (gauss(total(h)).detach(), gauss(within(h, q)).detach()),
            "The bounds are cut off from h. "
            "Stay with torch operations: torch.log and not math.log, no .item() and no .detach().",
        ),
        Misconception(
            "writes into h",
            writes_into_h,
            "Write `h - h.mean()` where you write `h -= h.mean()`.",
        ),
    ),
)
