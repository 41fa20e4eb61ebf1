"""The task shade.entropy_bound: right answers pass however written, wrong ones get their own message."""

import math

import pytest
import torch
from torch.distributions import Normal

from course_lib.grading.draws import normal, uniform
from course_lib.grading.tasks.shade.entropy_bound import TASK, between, gauss, modes, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def in_the_variances(h, q):
    total = ((h - h.mean()) ** 2).mean()
    within = 0
    for weights in (1 - q, q):
        mu = (weights * h).sum() / weights.sum()
        within = within + (weights * (h - mu) ** 2).mean()
    return 0.5 * torch.log(2 * math.pi * math.e * total), 0.5 * torch.log(2 * math.pi * math.e * within)


def with_einsum(h, q):
    weights = torch.stack([q, 1 - q], 1)
    mu = torch.einsum("kz,k->z", weights, h) / weights.sum(0)
    within = torch.einsum("kz,kz->", weights, (h[:, None] - mu) ** 2) / len(h)
    constant = (1 + math.log(2 * math.pi)) / 2
    return constant + h.std(correction=0).log(), constant + within.sqrt().log()


def from_the_decomposition(h, q):
    """What is left inside the modes is the total less what is between them."""
    p = q.mean()
    gap = (q * h).mean() / p - ((1 - q) * h).mean() / (1 - p)
    total = torch.var(h, unbiased=False)
    return tuple(
        math.log(2 * math.pi * math.e) / 2 + v.log() / 2 for v in (total, total - p * (1 - p) * gap**2)
    )


def from_the_entropy_of_a_gaussian(h, q):
    p = torch.stack([1 - q, q]).mean(1)
    mu = torch.stack([((1 - q) * h).mean(), (q * h).mean()]) / p
    v = torch.stack([((1 - q) * (h - mu[0]) ** 2).mean(), (q * (h - mu[1]) ** 2).mean()]) / p
    return [Normal(0, s.sqrt()).entropy() for s in (h.var(correction=0), (p * v).sum())]


def the_means_held_constant(h, q):
    """What goes through the means cancels in the gradient."""
    weights = torch.stack([1 - q, q])
    mu = (weights @ h / weights.sum(1)).detach()
    within = (weights * (h - mu[:, None]) ** 2).mean(1).sum()
    scale = 2 * torch.pi * torch.e
    return (scale * (h - h.mean().detach()).square().mean()).log() / 2, (scale * within).log() / 2


def loops(h, q):
    """Number by number, into float32 tensors."""
    mass, first = torch.zeros(2), torch.zeros(2)
    for k in range(len(h)):
        weights = torch.stack([1 - q[k], q[k]])
        mass, first = mass + weights, first + weights * h[k]
    mu, out = first / mass, torch.zeros(2)
    for value, weight in zip(h, q):
        out = out + torch.stack([(value - h.mean()) ** 2, (1 - weight) * (value - mu[0]) ** 2]) / len(h)
        out = out + torch.stack([value * 0, weight * (value - mu[1]) ** 2]) / len(h)
    return tuple((math.log(2 * math.pi * math.e) + out.log()) / 2)


def in_float32(h, q):
    return in_the_variances(h.float(), q.float())


def more_parameters(values, weights, *, eps=0.0, **options):
    return in_the_variances(values, weights + eps)


class AModule(torch.nn.Module):
    def forward(self, h, q):
        return in_the_variances(h, q)


RIGHT = [
    in_the_variances, with_einsum, from_the_decomposition, from_the_entropy_of_a_gaussian,
    the_means_held_constant, loops, in_float32, more_parameters, AModule(), oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "variance between the modes": "finite",
    "hard modes": "finite",
    "no gradient": "gradient",
    "writes into h": "inputs",
}


def from_the_overall_mean(h, q):
    first, _ = in_the_variances(h, q)
    mean = (((1 - q) * (h - h.mean()) ** 2) + q * (h - h.mean()) ** 2).mean()
    return first, torch.log(2 * math.pi * math.e * mean) / 2


def with_between_added(h, q):
    return gauss(h.var(correction=0)), gauss(modes(h, q)[0] @ modes(h, q)[2] + between(h, q))


@pytest.mark.parametrize(
    "answer, name",
    [
        (from_the_overall_mean, "the same bound twice"),
        (with_between_added, "the same bound twice"),
        (lambda h, q: tuple(torch.log2(b.exp()) for b in in_the_variances(h, q)), "log2"),
        (lambda h, q: in_the_variances(h, q)[::-1], "bounds swapped"),
        (lambda h, q: tuple(torch.tensor(b.item()) for b in in_the_variances(h, q)), "no gradient"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(TASK, answer).misconception == name


def test_an_unknown_mistake_gets_no_advice():
    outcome = verdict(TASK, lambda h, q: tuple(1.1 * b for b in in_the_variances(h, q)))
    assert (outcome.cause, outcome.misconception, outcome.advice) == ("value", None, "")


# --- the oracle, against what the source says of the bound ------------------------------------


def draw(samples=12):
    generator = torch.Generator().manual_seed(0)
    return normal(generator, samples), uniform(generator, samples)


def test_the_oracles_second_bound_is_between_the_mean_of_logarithms_and_the_first():
    h, q = draw()
    p, _, v = modes(h, q)
    bound, given_z = oracle(h, q)
    assert p @ gauss(v) < given_z < bound


def test_the_oracle_gains_the_logarithm_of_a_factor():
    """Differential entropy depends on the scale, so the bounds do."""
    h, q = draw()
    for one, other in zip(oracle(h, q), oracle(5 * h - 2, q)):
        assert torch.allclose(other - one, torch.tensor(5.0).log().double(), rtol=0, atol=1e-7)


def test_the_oracles_bounds_come_apart_with_the_modes():
    h, _ = draw()
    q = torch.arange(12).remainder(2).double()
    gaps = []
    for a in (0.5, 1, 2, 4):
        bound, given_z = oracle(h / 2 + a * (2 * q - 1), q)
        gaps.append(bound - given_z)
    assert gaps[0] > 0 and gaps == sorted(gaps)


def test_the_oracles_gap_is_that_of_a_uniform_and_an_exponential_distribution():
    """½ ln(2πe/12) and ½ ln(2πe) - 1, from quantiles that stand close."""
    u = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    q = torch.full_like(u, 0.5)
    assert oracle(3 * u, q)[0] - math.log(3) == pytest.approx(
        math.log(2 * math.pi * math.e / 12) / 2, abs=1e-6
    )
    assert oracle(-u.log(), q)[0] - 1 == pytest.approx(math.log(2 * math.pi * math.e) / 2 - 1, abs=2e-3)
