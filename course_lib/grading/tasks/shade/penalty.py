"""shade.penalty: how far the values of each unit are from their modes (Robert 2019, Eq. A.8)."""

import torch
from torch import Tensor, relu, sigmoid

from course_lib.grading.task import Case, Misconception, Task
from course_lib.grading.tasks.shade.layers import far, layer, one_mode


def oracle(h: Tensor, mu: Tensor) -> Tensor:
    """Eq. A.8 letter by letter: for each unit, the mean over the samples of Σ_z p(z|h) (h - μ^z)²."""
    samples, units = h.shape
    penalties = []
    for d in range(units):
        total = 0.0
        for k in range(samples):
            present = 1 / (1 + torch.exp(-h[k, d]))
            for z, q in ((0, 1 - present), (1, present)):
                total = total + q * (h[k, d] - mu[z, d]) ** 2
        penalties.append(total / samples)
    return torch.stack(penalties)


def both_modes(h: Tensor, mu: Tensor, q: Tensor) -> Tensor:
    """The weighted squares before any mean; wrong answers differ in what they pass, and in the mean."""
    return (1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2


def writes_into_h(h: Tensor, mu: Tensor) -> Tensor:
    q = sigmoid(h)
    present = q * (h - mu[1]) ** 2
    h -= mu[0]
    return (present + (1 - q) * h**2).mean(0)


def means_of_this_batch(h: Tensor, mu: Tensor) -> Tensor:
    q = sigmoid(h)
    own = torch.stack([((1 - q) * h).sum(0) / (1 - q).sum(0), (q * h).sum(0) / q.sum(0)])
    return both_modes(h, own, q).mean(0)


TASK = Task(
    id="shade.penalty",
    title="The SHADE penalty of one layer",
    difficulty=2,
    minutes=15,
    points=2,
    function="shade_penalty",
    takes={"h": "(K, D)", "mu": "(2, D)"},
    gives={"penalty": "(D,)"},
    hints=(
        "Each value belongs to both modes at once, to each with its own probability. "
        "Ask two things of every value: how far is it from each mode, and how much does each distance count?",
        "penalty[d] = mean over k of\n"
        "  (1 - σ(h[k, d])) · (h[k, d] - mu[0, d])²  +  σ(h[k, d]) · (h[k, d] - mu[1, d])²",
        "q       <- sigmoid of h                      # (K, D), probability that the pattern is there\n"
        "absent  <- squared distance of h to mu[0]    # (K, D)\n"
        "present <- squared distance of h to mu[1]    # (K, D)\n"
        "each    <- (1 - q) * absent + q * present    # (K, D)\n"
        "return the mean of each over the samples     # (D,)",
    ),
    oracle=oracle,
    gradients=("h",),
    cases=(
        Case("5 samples of 3 units", layer(5, 3)),
        Case("2 samples of 2 units", layer(2, 2)),  # where h - mu broadcasts, though it means nothing
        Case("1 sample of 4 units", layer(1, 4)),
        Case("7 samples of 1 unit", layer(7, 1)),
        Case("two modes that are the same", one_mode),
        Case("values far from zero", far(25)),
        Case("6 samples of 5 units in float32", layer(6, 5), dtype=torch.float32),
    ),
    large=Case("64 samples of 16 units", layer(64, 16)),
    misconceptions=(
        Misconception(
            "σ for both modes",
            lambda h, mu: (sigmoid(h) * ((h - mu[0]) ** 2 + (h - mu[1]) ** 2)).mean(0),
            "Both distances are weighted with σ(h). "
            "The mode is absent with the remaining probability, so the distance to mu[0] counts 1 - σ(h).",
        ),
        Misconception(
            "modes swapped",
            lambda h, mu: both_modes(h, mu.flip(0), sigmoid(h)).mean(0),
            "The two modes are swapped: σ(h) is the probability of the mode whose mean is mu[1].",
        ),
        Misconception(
            "sum over the samples",
            lambda h, mu: both_modes(h, mu, sigmoid(h)).sum(0),
            "This is the sum over the samples. "
            "Take their mean, so that the size of the batch does not matter.",
        ),
        Misconception(
            "ReLU first",
            lambda h, mu: both_modes(relu(h), mu, sigmoid(relu(h))).mean(0),
            "This is what comes out when negative values are cut off first. "
            "The penalty reads h before the ReLU: there the mode “absent” is on the negative side.",
        ),
        Misconception(
            "ReLU in the distance",
            lambda h, mu: both_modes(relu(h), mu, sigmoid(h)).mean(0),
            "The distances are those of relu(h). Measure them from h itself, the value before the ReLU.",
        ),
        Misconception(
            "square of the soft mean",
            lambda h, mu: ((h - (1 - sigmoid(h)) * mu[0] - sigmoid(h) * mu[1]) ** 2).mean(0),
            "The two means are mixed first and one distance is squared. "
            "Square each distance by itself, then weight the two squares.",
        ),
        Misconception(
            "absolute distance",
            lambda h, mu: ((1 - sigmoid(h)) * (h - mu[0]).abs() + sigmoid(h) * (h - mu[1]).abs()).mean(0),
            "The distances are not squared. The penalty is a variance, a mean of squares.",
        ),
        Misconception(
            "weight squared too",
            lambda h, mu: (((1 - sigmoid(h)) * (h - mu[0])) ** 2 + (sigmoid(h) * (h - mu[1])) ** 2).mean(0),
            "The probability is squared along with the distance. Square the distance alone, then weight it.",
        ),
        Misconception(
            "no weights",
            lambda h, mu: ((h - mu[0]) ** 2 + (h - mu[1]) ** 2).mean(0),
            "Both distances count fully. "
            "Weight them with the probabilities of their modes, 1 - σ(h) and σ(h).",
        ),
        Misconception(
            "mean over the modes",
            lambda h, mu: both_modes(h, mu, sigmoid(h)).mean(0) / 2,
            "This is half of it. The two modes are summed: their probabilities already add up to 1.",
        ),
        Misconception(
            "one mode only",
            lambda h, mu: (sigmoid(h) * (h - mu[1]) ** 2).mean(0),
            "Only the mode “present” is there. "
            "Add the other one: (1 - σ(h)) times the squared distance to mu[0].",
        ),
        Misconception(
            "hard modes",
            lambda h, mu: both_modes(h, mu, (h > 0).to(h.dtype)).mean(0),
            "Each value is given wholly to one mode, by its sign. "
            "Let both count, with the probabilities 1 - σ(h) and σ(h).",
        ),
        Misconception(
            "softmax over the units",
            lambda h, mu: both_modes(h, mu, h.softmax(1)).mean(0),
            "The probabilities are a softmax over the units, which makes the units compete. "
            "Each unit decides for itself: use the sigmoid of its own value.",
        ),
        Misconception(
            "standard deviation",
            lambda h, mu: both_modes(h, mu, sigmoid(h)).mean(0).sqrt(),
            "This is the square root of the penalty, a standard deviation. "
            "The penalty is the variance itself.",
        ),
        Misconception(
            "K - 1",
            lambda h, mu: both_modes(h, mu, sigmoid(h)).sum(0) / (len(h) - 1),
            "The sum is divided by K - 1. "
            "The means are given and not estimated from these samples, so divide by K.",
        ),
        Misconception(
            "means of this batch",
            means_of_this_batch,
            "The modes' means are computed from this batch. They are given: use the argument mu.",
        ),
        Misconception(
            "one global mean",
            lambda h, mu: ((h - h.mean(0)) ** 2).mean(0),
            "This is the variance around one mean, which pulls the two modes together. "
            "Measure each value from the means of its modes, mu[0] and mu[1].",
        ),
        Misconception(
            "mean over the units too",
            lambda h, mu: both_modes(h, mu, sigmoid(h)).mean(),
            "The mean is taken over everything. "
            "Take it over the samples only and keep one number for each unit.",
        ),
        Misconception(
            "mean over the units",
            lambda h, mu: both_modes(h, mu, sigmoid(h)).mean(1),
            "The mean is taken over the units. It belongs over the samples, the first axis of h.",
        ),
        Misconception(
            "no mean",
            lambda h, mu: both_modes(h, mu, sigmoid(h)),
            "The mean over the samples is missing.",
        ),
        Misconception(
            "σ cut from the gradient",
            lambda h, mu: both_modes(h, mu, sigmoid(h.detach())).mean(0),
            "The probabilities are cut from the gradient. "
            "Let it flow through σ(h) as well: "
            "that part pushes values away from the middle and keeps the modes apart.",
        ),
        Misconception(
            "h cut from the gradient",
            lambda h, mu: both_modes(h.detach(), mu, sigmoid(h)).mean(0),
            "The distances are cut from the gradient; only σ(h) is left to move. Let it flow through both.",
        ),
        Misconception(
            "writes into h",
            writes_into_h,
            "Write `h - mu[0]` where you write `h -= mu[0]`.",
        ),
    ),
)
