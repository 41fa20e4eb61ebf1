"""shade.averages: the moving averages that know where the modes are (Robert 2019, Algorithm A.1)."""

from functools import partial

import torch
from torch import Tensor, relu, sigmoid

from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Misconception, Task


def oracle(h: Tensor, mu: Tensor, p: Tensor, decay: float = 0.8) -> tuple[Tensor, Tensor]:
    """Algorithm A.1 line by line, from the values of h only: no gradient leads back to it."""
    values = h.detach()
    samples, units = values.shape
    new_mu, new_p = torch.zeros_like(mu), torch.zeros_like(p)
    for d in range(units):
        present = 1 / (1 + torch.exp(-values[:, d]))
        for z, q in ((0, 1 - present), (1, present)):
            new_p[z, d] = decay * p[z, d] + (1 - decay) * sum(q) / samples
            mean = sum(q[k] / new_p[z, d] * values[k, d] for k in range(samples)) / samples
            new_mu[z, d] = decay * mu[z, d] + (1 - decay) * mean
    return new_mu, new_p


def batch(samples: int, units: int, **decay: float):
    """Values on both sides of 0, means that are nowhere symmetric, and a p that sums to 1."""

    def make(generator: torch.Generator) -> dict[str, Tensor | float]:
        side = torch.tensor([-1.2, 1.6], dtype=torch.float64).repeat(samples)[:samples, None]
        middle = torch.tensor([[-1.3], [2.1]], dtype=torch.float64)
        present = 0.3 + 0.3 * uniform(generator, units)
        return {
            "h": side + 0.8 * normal(generator, samples, units),
            "mu": middle + 0.5 * normal(generator, 2, units),
            "p": torch.stack([1 - present, present]),
            **decay,
        }

    return make


def any_sum(generator: torch.Generator) -> dict[str, Tensor | float]:
    """p as it may be given: each row is an average of its own."""
    made = batch(4, 3)(generator)
    return {**made, "p": 0.4 + 0.5 * uniform(generator, 2, 3)}


def constant_two(generator: torch.Generator, *, before: int = 0) -> dict[str, Tensor]:
    """All values are 2; the averages start at -1, 1 and one half, and have seen some batches before."""
    h = torch.full((3, 1), 2.0, dtype=torch.float64)
    mu = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    p = torch.full((2, 1), 0.5, dtype=torch.float64)
    for _ in range(before):
        mu, p = oracle(h, mu, p)
    return {"h": h, "mu": mu, "p": p}


# --- wrong answers are variations of one right answer ----------------------------------------


def both(h: Tensor) -> Tensor:
    """p(z|h) for both modes, (2, K, D)."""
    return torch.stack([sigmoid(-h), sigmoid(h)])


def move(old: Tensor, new: Tensor, decay: float) -> Tensor:
    return decay * old + (1 - decay) * new


def averages(h, mu, p, decay=0.8, *, q=None, divisor=None):
    """Algorithm A.1 with other probabilities q, or with another p to divide by."""
    h = h.detach()
    q = both(h) if q is None else q.detach()
    new_p = move(p, q.mean(1), decay)
    divisor = new_p if divisor is None else divisor
    return move(mu, (q * h).mean(1) / divisor, decay), new_p


def p_of_the_batch(h, mu, p, decay=0.8):
    q = both(h.detach())
    return move(mu, (q * h.detach()).mean(1) / q.mean(1), decay), q.mean(1)


def divides_the_old_mean_too(h, mu, p, decay=0.8):
    q = both(h.detach())
    new_p = move(p, q.mean(1), decay)
    return move(mu, (q * h.detach()).mean(1), decay) / new_p, new_p


def sums(h, mu, p, decay=0.8):
    q = both(h.detach())
    new_p = move(p, q.sum(1), decay)
    return move(mu, (q * h.detach()).sum(1) / new_p, decay), new_p


def one_number_for_all_units(h, mu, p, decay=0.8):
    q = both(h.detach())
    new_p = move(p, q.mean((1, 2)).unsqueeze(1), decay)
    return move(mu, (q * h.detach()).mean((1, 2)).unsqueeze(1) / new_p, decay), new_p


def p0_from_p1(h, mu, p, decay=0.8):
    present = move(p[1], sigmoid(h.detach()).mean(0), decay)
    new_p = torch.stack([1 - present, present])
    return averages(h, mu, p, decay, divisor=new_p)[0], new_p


def p_made_to_sum_to_one(h, mu, p, decay=0.8):
    new_p = averages(h, mu, p, decay)[1]
    new_p = new_p / new_p.sum(0)
    return averages(h, mu, p, decay, divisor=new_p)[0], new_p


def without_detaching(h, mu, p, decay=0.8):
    new_p = move(p, both(h).mean(1), decay)
    return move(mu, (both(h) * h).mean(1) / new_p, decay), new_p


def p_without_detaching(h, mu, p, decay=0.8):
    return averages(h, mu, p, decay)[0], move(p, both(h).mean(1), decay)


def into_the_buffers(h, mu, p, decay=0.8):
    new_mu, new_p = averages(h, mu, p, decay)
    return mu.copy_(new_mu), p.copy_(new_p)


TASK = Task(
    id="shade.averages",
    title="Where the two modes are",
    difficulty=3,
    minutes=20,
    points=2,
    function="update_moving_averages",
    takes={"h": "(K, D)", "mu": "(2, D)", "p": "(2, D)", "decay": "number = 0.8"},
    gives={"mu": "(2, D)", "p": "(2, D)"},
    hints=(
        "For each mode there are two averages, and the second needs the first: "
        "how much of a batch is in the mode, and the mean of what is in it. "
        "Move p first, then use the p that you have just moved.",
        "p[z]  <- decay · p[z]  + (1 - decay) · mean over k of p(z|h[k])\n"
        "mu[z] <- decay · mu[z] + (1 - decay) · mean over k of p(z|h[k]) / p[z] · h[k]\n"
        "with p(1|h) = σ(h) and p(0|h) = 1 - σ(h), and with the new p[z] in the second line",
        "h <- h without its gradient\n"
        "for z in 0, 1:\n"
        "    q      <- σ(h) if z is 1, else 1 - σ(h)                          # (K, D)\n"
        "    new_p  <- decay * p[z]  + (1 - decay) * mean of q over k         # (D,)\n"
        "    mean   <- mean of q / new_p * h over k                           # (D,)\n"
        "    new_mu <- decay * mu[z] + (1 - decay) * mean                     # (D,)\n"
        "return both new_mu stacked, both new_p stacked                       # (2, D) each",
    ),
    oracle=oracle,
    gradients=("h",),
    tolerance=1e-5,  # room for a small guard in the division
    cases=(
        Case("5 samples of 3 units", batch(5, 3)),
        Case("the first batch of the constant 2", constant_two),
        Case("the second batch of the constant 2", partial(constant_two, before=1)),
        Case("2 samples of 2 units", batch(2, 2)),  # where a mean over the wrong axis has the same shape
        Case("decay 0 and 6 samples of 2 units", batch(6, 2, decay=0.0)),
        Case("decay 1 and 3 samples of 4 units", batch(3, 4, decay=1.0)),
        Case("decay 0.35 and 7 samples of 1 unit", batch(7, 1, decay=0.35)),
        Case("a p that does not sum to 1", any_sum),
        Case("1 sample of 4 units in float32", batch(1, 4, decay=0.9), dtype=torch.float32),
    ),
    large=Case("64 samples of 16 units", batch(64, 16)),
    misconceptions=(
        Misconception(
            "old p",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay, divisor=p),
            "The division is by the p from before this batch. Update p first, then divide by the new p.",
        ),
        Misconception(
            "normalised within the batch",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay, divisor=both(h.detach()).mean(1)),
            "The weights are divided by their own mean in this batch. "
            "Divide by the moving average p: in a batch that hardly has a mode, its mean then hardly counts.",
        ),
        Misconception(
            "decay the wrong way round",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, 1 - decay),
            "The roles of decay and 1 - decay are exchanged. "
            "The old average keeps the weight decay, and the batch gets the rest.",
        ),
        Misconception(
            "decay fixed",
            lambda h, mu, p, decay=0.8: averages(h, mu, p),
            "The decay is always 0.8. Use the argument decay.",
        ),
        Misconception(
            "hard modes",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay, q=torch.stack([h <= 0, h > 0]).to(h.dtype)),
            "Each value is given wholly to one mode, by its sign. "
            "Let it count in both, with the probabilities 1 - σ(h) and σ(h).",
        ),
        Misconception(
            "σ for both modes",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay, q=torch.stack([sigmoid(h), sigmoid(h)])),
            "Both modes are weighted with σ(h). The mode “absent” has the remaining probability, 1 - σ(h).",
        ),
        Misconception(
            "modes swapped",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay, q=both(h).flip(0)),
            "The two modes are swapped: σ(h) belongs to mu[1] and p[1].",
        ),
        Misconception(
            "no division",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay, divisor=torch.ones_like(p)),
            "The division by p is missing. "
            "Without it a rare mode's mean shrinks to zero, because few values count in it.",
        ),
        Misconception(
            "old mean divided too",
            divides_the_old_mean_too,
            "The old mean is divided by p as well. Only the values of the batch are.",
        ),
        Misconception(
            "p of this batch",
            p_of_the_batch,
            "p is that of this batch alone. It is a moving average too, with the same decay as mu.",
        ),
        Misconception(
            "sum over the samples",
            sums,
            "The batch is summed. Take the mean over its samples, for p and for mu.",
        ),
        Misconception(
            "all values alike",
            lambda h, mu, p, decay=0.8: (move(mu, h.detach().mean(0), decay), averages(h, mu, p, decay)[1]),
            "Both means move to the plain mean of the batch. "
            "Weight each value with the probability that it is in the mode.",
        ),
        Misconception(
            "one number for all units",
            one_number_for_all_units,
            "The mean is taken over the units as well. "
            "Each unit has modes of its own: take the mean over the samples only.",
        ),
        Misconception(
            "ReLU first",
            lambda h, mu, p, decay=0.8: averages(relu(h), mu, p, decay),
            "This is what comes out after a ReLU. Use h as it is: the mode “absent” lives below zero.",
        ),
        Misconception(
            "p[0] as 1 - p[1]",
            p0_from_p1,
            "p[0] is computed as 1 - p[1]. "
            "Each row is an average of its own, and the given p need not sum to 1.",
        ),
        Misconception(
            "p made to sum to 1",
            p_made_to_sum_to_one,
            "The two rows of p are scaled to sum to 1. Algorithm A.1 leaves them as they come.",
        ),
        Misconception(
            "mu stays",
            lambda h, mu, p, decay=0.8: (mu.clone(), averages(h, mu, p, decay)[1]),
            "The mu that comes back is the old one. Move it as well, after p.",
        ),
        Misconception(
            "results the wrong way round",
            lambda h, mu, p, decay=0.8: averages(h, mu, p, decay)[::-1],
            "The results come in the order p, mu. Return mu first, then p.",
        ),
        Misconception(
            "gradient leaks",
            without_detaching,
            "The new averages still hang on h for autograd. "
            "They are constants for the loss: start from h.detach(), or compute under torch.no_grad().",
        ),
        Misconception(
            "gradient leaks through p",
            p_without_detaching,
            "The new mu is a constant, but the new p still hangs on h for autograd. Detach h for both.",
        ),
        Misconception(
            "writes into mu and p",
            into_the_buffers,
            "The numbers are right, but they are written into the given mu and p. "
            "Make new tensors; whoever called decides what to keep.",
        ),
    ),
)
