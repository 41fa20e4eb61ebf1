"""The task shade.decomposition: right answers pass however written, wrong ones get their own message."""

import pytest
import torch

from course_lib.grading.tasks.shade.decomposition import TASK, oracle
from course_lib.grading.tasks.shade.penalty import oracle as penalty
from tests.grading.trying import verdict


def right(h, q):
    w = torch.stack([1 - q, q])
    p = w.mean(dim=1)
    mean = (w * h).mean(dim=1) / p
    within = (w * (h - mean[:, None]) ** 2).sum(dim=0).mean(dim=0)
    return h.var(dim=0, correction=0), within, p[0] * p[1] * (mean[1] - mean[0]) ** 2


def with_loops(h, q):
    """Element by element, and between as what is left."""
    columns = []
    for x, w in zip(h.T, q.T):
        total = within = 0.0
        mean = [((1 - w) * x).sum() / (1 - w).sum(), (w * x).sum() / w.sum()]
        for value, weight in zip(x, w):
            total = total + (value - x.mean()) ** 2 / len(x)
            apart = (1 - weight) * (value - mean[0]) ** 2 + weight * (value - mean[1]) ** 2
            within = within + apart / len(x)
        columns.append(torch.stack([total, within, total - within]))
    return tuple(torch.stack(columns, dim=1))


def with_einsum_in_float32(h, q):
    h, q = h.float(), q.float()
    w = torch.stack([q, 1 - q])  # the other way round: the parts do not mind
    mean = torch.einsum("zkd,kd->zd", w, h) / w.sum(1)
    within = torch.einsum("zkd,zkd->d", w, (h - mean.unsqueeze(1)) ** 2) / h.shape[0]
    between = torch.einsum("zd,zd->d", w.mean(1), (mean - h.mean(0)) ** 2)
    return [((h - h.mean(0)) ** 2).mean(0), within, between]


def from_moments(h, q):
    """Variances as mean of squares minus square of the mean."""
    p1 = q.mean(0)
    p0 = 1 - p1
    m0, m1 = ((1 - q) * h).mean(0) / p0, (q * h).mean(0) / p1
    v0 = ((1 - q) * h**2).mean(0) / p0 - m0**2
    v1 = (q * h**2).mean(0) / p1 - m1**2
    return torch.var(h, 0, unbiased=False), p0 * v0 + p1 * v1, p0 * p1 * (m1 - m0).square()


def with_matmul_and_a_guard(h, q, *, eps=1e-6, **options):
    w = torch.stack([1 - q, q], dim=-1).transpose(0, 1)  # (D, K, 2)
    mass = w.sum(1)  # (D, 2)
    mean = (h.T[:, None] @ w)[:, 0] / (mass + eps)  # (D, 2)
    within = (w * (h.T[:, :, None] - mean[:, None]) ** 2).sum((1, 2)) / len(h)
    share = mass / len(h)
    return h.std(0, correction=0) ** 2, within, share[:, 0] * share[:, 1] * mean.diff(dim=1)[:, 0] ** 2


def within_with_fixed_means(h, q):
    """Within has no slope in the means, so cutting them there changes nothing."""
    w = torch.stack([1 - q, q])
    mean = ((w * h).sum(1) / w.sum(1)).detach()
    within = (w * (h - mean[:, None]) ** 2).sum(0).mean(0)
    total, _, between = right(h, q)
    return total, within, between


RIGHT = [
    right, with_loops, with_einsum_in_float32, from_moments, with_matmul_and_a_guard, within_with_fixed_means,
    oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"hard modes": "finite", "gradient cut from between": "gradient", "writes into h": "inputs"}


def test_the_variance_of_torch_is_recognised_in_another_spelling():
    def with_torch_var(h, q):
        return torch.var(h, dim=0), *right(h, q)[1:]

    assert verdict(TASK, with_torch_var).misconception == "K - 1 in the total"


# --- the oracle, against what the source says -------------------------------------------------


def random_layer():
    return torch.randn(8, 4, dtype=torch.float64), torch.rand(8, 4, dtype=torch.float64)


def test_the_parts_add_up_and_none_is_negative():
    total, within, between = oracle(*random_layer())
    assert torch.allclose(total, within + between, rtol=0, atol=1e-12)
    assert (within >= 0).all() and (between >= 0).all() and (within <= total).all()


def test_within_is_the_penalty_with_the_means_of_the_batch():
    h, _ = random_layer()
    w = torch.stack([1 - torch.sigmoid(h), torch.sigmoid(h)])
    mean = (w * h).sum(1) / w.sum(1)
    assert torch.allclose(oracle(h, w[1])[1], penalty(h, mean), rtol=0, atol=1e-12)


def test_nothing_lies_between_where_q_is_constant():
    h, q = random_layer()
    total, within, between = oracle(h, q[:1].expand(8, -1))
    assert torch.allclose(total, within, rtol=0, atol=1e-12)
    assert between.abs().max() < 1e-12


def test_hard_modes_give_the_variances_of_two_groups():
    h, q = torch.randn(8, 1, dtype=torch.float64), torch.zeros(8, 1, dtype=torch.float64)
    q[:3] = 1
    within = (3 * h[:3].var(correction=0) + 5 * h[3:].var(correction=0)) / 8
    assert oracle(h, q)[1].item() == pytest.approx(within.item(), abs=1e-12)
