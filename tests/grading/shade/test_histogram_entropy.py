"""The task shade.histogram_entropy: right answers pass however written, wrong ones get their own message."""

import math

import numpy as np
import pytest
import torch

from course_lib.grading.draws import normal
from course_lib.grading.tasks.shade.entropy_bound import oracle as bounds
from course_lib.grading.tasks.shade.histogram_entropy import TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_histc(h, bins=30):
    p = torch.histc(h, bins, min=h.min().item(), max=h.max().item()) / len(h)
    p = p[p > 0]
    return -(p * torch.log(p / ((h.max() - h.min()) / bins))).sum()


def with_torch_histogram(h, bins=30):
    """From the density, which times the width is the mass."""
    found = torch.histogram(h, bins, density=True)
    width = found.bin_edges.diff()
    mass = found.hist * width
    return -torch.special.xlogy(mass, found.hist).sum()


def with_numpy(h, bins=30):
    counts, edges = np.histogram(h.numpy(), bins=bins)
    p = counts[counts > 0] / counts.sum()
    return torch.tensor(-np.sum(p * np.log(p)) + np.log(edges[1] - edges[0]))


def with_bincount(h, bins=30):
    width = (h.max() - h.min()) / bins
    place = ((h - h.min()) / width).long().clamp(max=bins - 1)
    p = torch.bincount(place, minlength=bins) / len(h)
    return torch.special.entr(p).sum() + width.log()


def with_bucketize(h, bins=30):
    edges = torch.linspace(h.min().item(), h.max().item(), bins + 1, dtype=h.dtype)
    place = torch.bucketize(h, edges[1:-1], right=True)
    _, counts = place.unique(return_counts=True)
    p = counts.double() / counts.sum()
    return (p * (edges.diff()[0] / p).log()).sum()


def loops(h, bins=30):
    """Bin by bin, into a float32 tensor."""
    low, high = float(min(h)), float(max(h))
    width, out = (high - low) / bins, torch.zeros(())
    for i in range(bins):
        left, right = low + i * width, low + (i + 1) * width
        inside = [v for v in h.tolist() if left <= v < right or (i == bins - 1 and v >= left)]
        if inside:
            out -= len(inside) / len(h) * math.log(len(inside) / len(h) / width)
    return out


def mean_over_the_values(h, bins=30):
    """Each value says how dense its bin is."""
    width = (h.max() - h.min()) / bins
    place = ((h - h.min()) / width).floor().clamp(max=bins - 1)
    together = (place[:, None] == place).double().mean(1)
    return -(together / width).log().mean()


def with_a_small_eps(h, bins=30, eps=1e-8):
    p = torch.histc(h.float(), bins) / len(h)
    return -(p * ((p + eps) * bins / (h.max() - h.min())).log()).sum()


def more_parameters(values, n=30, *, base=None, **options):
    return with_bincount(values, n)


class AModule(torch.nn.Module):
    def forward(self, h, bins=30):
        return with_histc(h, bins)


RIGHT = [
    with_histc, with_torch_histogram, with_numpy, with_bincount, with_bucketize, loops, mean_over_the_values,
    with_a_small_eps, more_parameters, AModule(), oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"empty bins": "finite", "one number for each bin": "shape", "sorts h": "inputs"}


def discrete(h, bins=30):
    counts = np.histogram(h.numpy(), bins)[0]
    return torch.distributions.Categorical(probs=torch.from_numpy(counts / len(h))).entropy()


def nan_where_empty(h, bins=30):
    density = torch.histogram(h, bins, density=True).hist
    return -(density * density.log() * (h.max() - h.min()) / bins).sum()


@pytest.mark.parametrize(
    "answer, name",
    [
        (discrete, "no width"),
        (nan_where_empty, "empty bins"),
        (lambda h, bins=30: with_numpy(h), "always 30 bins"),
        (lambda h, bins=30: with_bucketize(h, bins) / np.log(2), "log2"),
        (lambda h, bins=30: -loops(h, bins), "sign"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(TASK, answer).misconception == name


def test_an_unknown_mistake_gets_no_advice():
    outcome = verdict(TASK, lambda h, bins=30: 1.1 * with_histc(h, bins))
    assert (outcome.cause, outcome.misconception, outcome.advice) == ("value", None, "")


@pytest.mark.parametrize("answer", [lambda h: with_histc(h), lambda h, bins: with_histc(h, bins)])
def test_the_bins_can_be_given_and_need_not_be(answer):
    assert verdict(TASK, answer).cause == "signature"


# --- the oracle, against what is known of differential entropy --------------------------------


def quantiles(count=6000):
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def gap(h, bins):
    """How much higher the Gaussian bound is."""
    return float(bounds(h, torch.full_like(h, 0.5))[0] - oracle(h, bins))


def test_the_oracle_of_a_uniform_distribution_is_the_logarithm_of_its_length():
    h = 2 + 3 * quantiles()
    assert oracle(h) == pytest.approx(math.log(3), abs=1e-3)
    assert gap(h, 30) == pytest.approx(math.log(2 * math.pi * math.e / 12) / 2, abs=1e-3)  # 0.1765


def test_the_oracles_gap_to_the_bound_is_that_of_an_exponential_and_of_a_gaussian():
    assert gap(-quantiles().log(), 200) == pytest.approx(0.4189, abs=0.01)
    assert gap(torch.special.ndtri(quantiles()), 60) == pytest.approx(0, abs=0.01)


def test_the_oracle_gains_the_logarithm_of_a_factor_and_can_be_negative():
    h = normal(torch.Generator().manual_seed(0), 100)
    assert oracle(4 * h - 1) - oracle(h) == pytest.approx(math.log(4), abs=1e-9)
    assert oracle(h / 100) < 0


def test_no_value_of_a_case_lies_near_an_inner_edge():
    for case in TASK.cases:
        made = case.exact()
        h, bins = made["h"], made.get("bins", 30)
        place = (h - h.min()) / (h.max() - h.min()) * bins
        inner = place[(place > 0.01) & (place < bins - 0.01)]
        assert ((inner - inner.round()).abs() > 0.05).all()
