"""shade.decomposition: what of a unit's variance SHADE leaves alone (law of total variance, from Eq. A.8)."""

import torch
from torch import Tensor

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Misconception, Task


def oracle(h: Tensor, q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each unit: its variance, the mean of the variances in the modes, the variance of their means."""
    samples, units = h.shape
    parts = []
    for d in range(units):
        centre = sum(h[:, d]) / samples
        total = sum((h[k, d] - centre) ** 2 for k in range(samples)) / samples
        within = between = 0.0
        for weights in (1 - q[:, d], q[:, d]):
            share = sum(weights) / samples
            mean = sum(weights[k] * h[k, d] for k in range(samples)) / sum(weights)
            inside = sum(weights[k] * (h[k, d] - mean) ** 2 for k in range(samples)) / sum(weights)
            within = within + share * inside
            between = between + share * (mean - centre) ** 2
        parts.append(torch.stack([total, within, between]))
    total, within, between = torch.stack(parts).unbind(1)
    return total, within, between


def layer(samples: int, units: int):
    """Values not centred, and probabilities that depend on them only loosely."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        h = 0.7 + 1.6 * normal(generator, samples, units)
        return {"h": h, "q": torch.sigmoid(0.6 * h - 0.5 + normal(generator, samples, units))}

    return make


def one_constant(generator: torch.Generator) -> dict[str, Tensor]:
    """In the first unit q says nothing about the mode: both means are the same there."""
    made = layer(6, 3)(generator)
    made["q"][:, 0] = 0.3
    return made


def hard(generator: torch.Generator) -> dict[str, Tensor]:
    """Two groups: in each unit, three samples in one and four in the other."""
    order = torch.argsort(uniform(generator, 7, 3), dim=0)
    return {"h": 0.7 + 1.6 * normal(generator, 7, 3), "q": (order < 4).double()}


# --- wrong answers are variations of one right answer ----------------------------------------


def modes(h: Tensor, q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (2, K, D), shares (2, D) and means (2, D) of the modes."""
    weights = torch.stack([1 - q, q])
    return weights, weights.mean(1), (weights * h).sum(1) / weights.sum(1)


def parts(h: Tensor, q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    weights, share, mean = modes(h, q)
    within = (weights * (h - mean[:, None]) ** 2).sum(0).mean(0)
    return h.var(0, correction=0), within, share.prod(0) * (mean[1] - mean[0]) ** 2


def variances(h: Tensor, q: Tensor) -> Tensor:
    """The variance in each mode, (2, D)."""
    weights, share, mean = modes(h, q)
    return (weights * (h - mean[:, None]) ** 2).mean(1) / share


def unbiased_total(h, q):
    return h.var(0), *parts(h, q)[1:]


def unbiased(h, q):
    _, within, between = parts(h, q)
    return h.var(0), within * len(h) / (len(h) - 1), between


def with_within(h, q, within):
    total, _, between = parts(h, q)
    return total, within, between


def with_between(h, q, between):
    return *parts(h, q)[:2], between


def gap(h: Tensor, q: Tensor) -> Tensor:
    mean = modes(h, q)[2]
    return mean[1] - mean[0]


def soft_mean(h, q):
    _, _, mean = modes(h, q)
    return with_within(h, q, ((h - torch.lerp(mean[:1], mean[1:], q)) ** 2).mean(0))


def one_mode(h, q):
    return with_within(h, q, (q * (h - modes(h, q)[2][1]) ** 2).mean(0))


def means_not_normalised(h, q):
    weights, share, _ = modes(h, q)
    mean = (weights * h).mean(1)
    within = (weights * (h - mean[:, None]) ** 2).sum(0).mean(0)
    return h.var(0, correction=0), within, share.prod(0) * (mean[1] - mean[0]) ** 2


def means_cut_off(h, q):
    total, within, between = parts(h, q)
    return total, within, between.detach()


def writes_into_h(h, q):
    results = parts(h.clone(), q)
    h -= h.mean(0)
    return results


TASK = Task(
    id="shade.decomposition",
    title="The variance that SHADE forgives",
    difficulty=3,
    minutes=25,
    points=3,
    function="variance_decomposition",
    takes={"h": "(K, D)", "q": "(K, D)"},
    gives={"total": "(D,)", "within": "(D,)", "between": "(D,)"},
    hints=(
        "Each mode has a share of the samples, a mean and a variance, all three weighted. "
        "Get shares and means first; what lies within and what lies between follows from them.",
        "p[z]    = mean over k of q[z, k],   with q[1] = q and q[0] = 1 - q\n"
        "mean[z] = sum over k of q[z, k] · h[k]  /  sum over k of q[z, k]\n"
        "within  = mean over k of  Σ_z q[z, k] · (h[k] - mean[z])²\n"
        "between = p[0] · p[1] · (mean[1] - mean[0])²",
        "total <- mean over k of (h - mean of h)²                 # (D,)\n"
        "for z in 0, 1:\n"
        "    w       <- q if z is 1, else 1 - q                   # (K, D)\n"
        "    p[z]    <- mean of w over k                          # (D,)\n"
        "    mean[z] <- sum of w * h over k / sum of w over k     # (D,)\n"
        "    add the mean over k of w * (h - mean[z])² to within  # (D,)\n"
        "between <- p[0] * p[1] * (mean[1] - mean[0])²            # (D,)\n"
        "return total, within, between",
    ),
    oracle=oracle,
    gradients=("h",),
    tolerance=1e-5,  # room for a small guard in the divisions
    cases=(
        Case("5 samples of 3 units", layer(5, 3)),
        Case("2 samples of 2 units", layer(2, 2)),  # where a mean over the wrong axis has the same shape
        Case("2 samples of 4 units", layer(2, 4)),
        Case("9 samples of 1 unit", layer(9, 1)),
        Case("a q that is the same for every sample of a unit", one_constant),
        Case("a q of zeros and ones", hard),
        Case("6 samples of 5 units in float32", layer(6, 5), dtype=torch.float32),
    ),
    large=Case("64 samples of 16 units", layer(64, 16)),
    misconceptions=(
        Misconception(
            "K - 1 in the total",
            unbiased_total,
            "The total variance is divided by K - 1, as torch.var does. "
            "Divide by K (correction=0), or the two parts do not add up to it.",
        ),
        Misconception(
            "K - 1 in total and within",
            unbiased,
            "Total and within are divided by K - 1. Here all means are over the K samples: divide by K.",
        ),
        Misconception(
            "total not centred",
            lambda h, q: ((h**2).mean(0), *parts(h, q)[1:]),
            "The total is the mean of h². Subtract the mean of h before you square.",
        ),
        Misconception(
            "plain mean of the variances",
            lambda h, q: with_within(h, q, variances(h, q).mean(0)),
            "The two variances count the same in your within. "
            "Weight each with the share of its mode, p[0] or p[1].",
        ),
        Misconception(
            "sum of the variances",
            lambda h, q: with_within(h, q, variances(h, q).sum(0)),
            "Your within is the plain sum of the two variances. "
            "Weight them with the shares of the modes, which add up to 1.",
        ),
        Misconception(
            "within around the common mean",
            lambda h, q: with_within(h, q, parts(h, q)[0]),
            "Your within measures from the mean of all samples, so it is the total again. "
            "Measure from the mean of each mode.",
        ),
        Misconception(
            "square of the soft mean",
            soft_mean,
            "Your within mixes the two means first and squares one distance. "
            "Square the distance to each mean by itself, then weight the two squares.",
        ),
        Misconception(
            "one mode only",
            one_mode,
            "Only mode 1 is in your within. Add mode 0, with the weights 1 - q.",
        ),
        Misconception(
            "between without the shares",
            lambda h, q: with_between(h, q, gap(h, q) ** 2),
            "Your between is the squared gap of the means alone. "
            "Multiply it with both shares, p[0] and p[1].",
        ),
        Misconception(
            "shares of one half",
            lambda h, q: with_between(h, q, gap(h, q) ** 2 / 4),
            "Your between is right only if each mode has half of the samples: "
            "it measures from halfway between the two means. Use the shares p[0] and p[1].",
        ),
        Misconception(
            "mean of the product",
            lambda h, q: with_between(h, q, (q * (1 - q)).mean(0) * gap(h, q) ** 2),
            "Your between has the mean of q(1 - q). "
            "Take the mean of each first and multiply then: p[0] · p[1].",
        ),
        Misconception(
            "gap not squared",
            lambda h, q: with_between(h, q, modes(h, q)[1].prod(0) * gap(h, q).abs()),
            "The gap of the means is not squared in your between.",
        ),
        Misconception(
            "within and between swapped",
            lambda h, q: tuple(parts(h, q)[i] for i in (0, 2, 1)),
            "Within and between are exchanged: total first, then within, then between.",
        ),
        Misconception(
            "total last",
            lambda h, q: tuple(parts(h, q)[i] for i in (1, 2, 0)),
            "The total comes last. Return it first, then within and between.",
        ),
        Misconception(
            "means not normalised",
            means_not_normalised,
            "The means of the modes are not divided by the weights. "
            "Divide the sum of q · h by the sum of q, not by K.",
        ),
        Misconception(
            "hard modes",
            lambda h, q: parts(h, (q > 0.5).to(h.dtype)),
            "Each sample is given wholly to its likelier mode. Let it count in both, with q and 1 - q.",
        ),
        Misconception(
            "q computed anew",
            lambda h, q: parts(h, torch.sigmoid(h)),
            "The probabilities are computed from h. They are given: use the argument q, whatever made it.",
        ),
        Misconception(
            "sums for means",
            lambda h, q: tuple(len(h) * part for part in parts(h, q)),
            "All three are sums over the samples. A variance is a mean: divide by K.",
        ),
        Misconception(
            "standard deviations",
            lambda h, q: tuple(part.sqrt() for part in parts(h, q)),
            "These are standard deviations, and those do not add up. Return the variances themselves.",
        ),
        Misconception(
            "gradient cut from between",
            means_cut_off,
            "Your between is a constant for autograd. "
            "The means of the modes move with h: compute them without .detach().",
        ),
        Misconception(
            "writes into h",
            writes_into_h,
            "Write `centred = h - h.mean(0)` where you write `h -= h.mean(0)`.",
        ),
    ),
)
