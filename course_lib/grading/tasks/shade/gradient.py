"""shade.gradient: where SHADE moves a value, in closed form (the derivative of Robert 2019, Eq. A.8)."""

from functools import partial

import torch
from torch import Tensor, sigmoid

from course_lib.grading.task import Case, Misconception, Task
from course_lib.grading.tasks.shade.layers import far, layer, one_mode


def oracle(h: Tensor, mu: Tensor, detach_p: bool = False) -> Tensor:
    """Σ_z p(z|h) (h - μ^z)² differentiated term by term, with the product rule, for each value by itself."""
    grad = torch.zeros_like(h)
    samples, units = h.shape
    for k in range(samples):
        for d in range(units):
            present = 1 / (1 + torch.exp(-h[k, d]))
            slope = 0.0 if detach_p else present * (1 - present)
            for z, q, dq in ((0, 1 - present, -slope), (1, present, slope)):
                distance = h[k, d] - mu[z, d]
                grad[k, d] += dq * distance**2 + q * 2 * distance
    return grad


# --- wrong answers are variations of one right answer ----------------------------------------


def soft_mean(h, mu):
    return torch.lerp(mu[:1], mu[1:], sigmoid(h))


def slope(h):
    return sigmoid(h) * (1 - sigmoid(h))


def pull(h, mu):
    return 2 * (h - soft_mean(h, mu))


def push(h, mu):
    return slope(h) * (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])


def grad(h, mu, detach_p=False, *, pull=pull, push=push):
    """The closed form, with another pull or another push."""
    return pull(h, mu) if detach_p else pull(h, mu) - push(h, mu)


def but_with(**terms):
    return partial(grad, **terms)


def writes_into_h(h, mu, detach_p=False):
    result = grad(h.clone(), mu, detach_p)
    h -= soft_mean(h, mu)
    return result


TASK = Task(
    id="shade.gradient",
    title="Where SHADE moves a value",
    difficulty=3,
    minutes=25,
    points=2,
    function="shade_grad",
    takes={"h": "(K, D)", "mu": "(2, D)", "detach_p": "bool = False"},
    gives={"grad": "(K, D)"},
    hints=(
        "ω(h) is a sum of two products, and h stands in both factors of each: use the product rule. "
        "The terms with the derivatives of the squares make one group, those with that of σ another.",
        "grad = 2 (h - m) - σ(h) (1 - σ(h)) · (mu[1] - mu[0]) · (2h - mu[0] - mu[1])\n"
        "with m = (1 - σ(h)) · mu[0] + σ(h) · mu[1]\n"
        "and without the second part if detach_p is True",
        "q    <- sigmoid of h                                        # (K, D)\n"
        "m    <- (1 - q) * mu[0] + q * mu[1]                         # (K, D)\n"
        "pull <- 2 * (h - m)                                         # (K, D)\n"
        "if detach_p: return pull\n"
        "push <- q * (1 - q) * (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])\n"
        "return pull - push",
    ),
    oracle=oracle,
    cases=(
        Case("5 samples of 3 units", layer(5, 3)),
        Case("detach_p=True and 4 samples of 3 units", layer(4, 3, detach_p=True)),
        Case("detach_p=False and 2 samples of 2 units", layer(2, 2, detach_p=False)),
        Case("7 samples of 1 unit", layer(7, 1)),
        Case("two modes that are the same", one_mode),
        Case("values far from zero", far(12)),
        Case("detach_p=True and 1 sample of 4 units", layer(1, 4, detach_p=True)),
        Case("6 samples of 5 units in float32", layer(6, 5), dtype=torch.float32),
    ),
    large=Case("64 samples of 16 units", layer(64, 16)),
    misconceptions=(
        Misconception(
            "hard average",
            lambda h, mu, detach_p=False: 2 * h - mu[0] - mu[1],
            "Both modes count the same here. "
            "Weight their pulls with 1 - σ(h) and σ(h): that gives the soft mean m(h).",
        ),
        Misconception(
            "hard average in the pull",
            but_with(pull=lambda h, mu: 2 * h - mu[0] - mu[1]),
            "The push is right, but the pull goes to the middle of the two means. "
            "It goes to the soft mean m(h), which weights mu[0] with 1 - σ(h) and mu[1] with σ(h).",
        ),
        Misconception(
            "one mode by the sign",
            but_with(pull=lambda h, mu: 2 * (h - torch.where(h > 0, mu[1], mu[0]))),
            "Each value is pulled to one mode only, by its sign. Let it be pulled to the soft mean m(h).",
        ),
        Misconception(
            "no push",
            lambda h, mu, detach_p=False: pull(h, mu),
            "σ(h) is always treated as a constant. "
            "Unless detach_p is True it moves with h too: add the part with its derivative σ(1 - σ).",
        ),
        Misconception(
            "push in the detached one",
            lambda h, mu, detach_p=False: pull(h, mu) - push(h, mu),
            "The argument detach_p is not used. "
            "If it is True, σ(h) is a constant and the part with its derivative is gone.",
        ),
        Misconception(
            "detach_p the wrong way round",
            lambda h, mu, detach_p=False: grad(h, mu, not detach_p),
            "detach_p does the opposite: if it is True the push is left out, if it is False it is there.",
        ),
        Misconception(
            "only the push when detached",
            lambda h, mu, detach_p=False: -push(h, mu) if detach_p else pull(h, mu) - push(h, mu),
            "With detach_p=True only the push is left. "
            "It is σ(h) that becomes a constant, not the distances: keep the pull.",
        ),
        Misconception(
            "sign of the push",
            but_with(push=lambda h, mu: -push(h, mu)),
            "The push has the wrong sign. "
            "Where h moves up, σ grows: the square to mu[1] gains weight, the square to mu[0] loses it.",
        ),
        Misconception(
            "σ for its derivative",
            but_with(push=lambda h, mu: sigmoid(h) * (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])),
            "The push has σ where its derivative belongs. The derivative of σ is σ(1 - σ).",
        ),
        Misconception(
            "no derivative of σ at all",
            but_with(push=lambda h, mu: (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])),
            "The factor σ(1 - σ) is missing in the push. By the chain rule it stands before the two squares.",
        ),
        Misconception(
            "derivative of tanh",
            but_with(push=lambda h, mu: (1 - sigmoid(h) ** 2) * push(h, mu) / slope(h)),
            "The push has 1 - σ², which is how tanh is differentiated. The derivative of σ is σ(1 - σ).",
        ),
        Misconception(
            "pull without its 2",
            but_with(pull=lambda h, mu: h - soft_mean(h, mu)),
            "The 2 of the squares is missing in the pull: the derivative of (h - m)² is 2(h - m).",
        ),
        Misconception(
            "push without the gap",
            but_with(push=lambda h, mu: slope(h) * (2 * h - mu[0] - mu[1])),
            "The factor mu[1] - mu[0] is missing in the push. "
            "The difference of the two squares is (mu[0] - mu[1]) · (2h - mu[0] - mu[1]).",
        ),
        Misconception(
            "push from h for 2h",
            but_with(push=lambda h, mu: slope(h) * (mu[1] - mu[0]) * (h - mu[0] - mu[1])),
            "The push has h - mu[0] - mu[1]. It has 2h there, so that it is zero halfway between the means.",
        ),
        Misconception(
            "half of the push",
            but_with(push=lambda h, mu: push(h, mu) / 2),
            "The push is half of what it should be. "
            "It holds 2h - mu[0] - mu[1], which is twice the way from the midpoint to h.",
        ),
        Misconception(
            "push from zero",
            but_with(push=lambda h, mu: slope(h) * (mu[1] - mu[0]) * 2 * h),
            "The push is measured from 0. Measure it from the midpoint between mu[0] and mu[1].",
        ),
        Misconception(
            "one σ left undifferentiated",
            but_with(push=lambda h, mu: -slope(h) * (h - mu[1]) ** 2),
            "Only σ(h) is differentiated, and 1 - σ(h) is not. "
            "Its derivative is -σ(1 - σ), and it stands before the square to mu[0].",
        ),
        Misconception(
            "modes swapped",
            lambda h, mu, detach_p=False: grad(h, mu.flip(0), detach_p),
            "The two modes are swapped: σ(h) weights mu[1], and 1 - σ(h) weights mu[0].",
        ),
        Misconception(
            "σ for both modes",
            but_with(pull=lambda h, mu: 2 * (h - sigmoid(h) * (mu[0] + mu[1]))),
            "Your soft mean weights both means with σ(h). The weight of mu[0] is 1 - σ(h).",
        ),
        Misconception(
            "square of the soft mean",
            lambda h, mu, detach_p=False: pull(h, mu) * (1 if detach_p else 1 - slope(h) * (mu[1] - mu[0])),
            "This is the derivative of (h - m(h))², where the means are mixed before the square. "
            "Differentiate the two weighted squares instead.",
        ),
        Misconception(
            "mean over the samples",
            lambda h, mu, detach_p=False: grad(h, mu, detach_p) / len(h),
            "The result is divided by K. Here each value stands for itself: no mean is taken.",
        ),
        Misconception(
            "downhill",
            lambda h, mu, detach_p=False: -grad(h, mu, detach_p),
            "This is the step downhill. The derivative itself has the opposite sign.",
        ),
        Misconception(
            "the penalty itself",
            lambda h, mu, detach_p=False: torch.lerp((h - mu[0]) ** 2, (h - mu[1]) ** 2, sigmoid(h)),
            "This is ω(h), the penalty of each value. Return its derivative.",
        ),
        Misconception(
            "summed over the samples",
            lambda h, mu, detach_p=False: grad(h, mu, detach_p).sum(0),
            "The derivatives of the samples are summed. Keep one for each value.",
        ),
        Misconception(
            "writes into h",
            writes_into_h,
            "Write `away = h - m` where you write `h -= m`.",
        ),
    ),
)
