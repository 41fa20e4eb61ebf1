"""The task shade.averages: right answers pass however they are written, wrong ones get their own message."""

import numpy as np
import pytest
import torch
from torch import sigmoid

from course_lib.grading.tasks.shade.averages import TASK, oracle
from course_lib.methods.shade import update_moving_averages as of_the_library
from tests.grading.trying import verdict


def right(h, mu, p, decay=0.8):
    h = h.detach()
    q = torch.stack([1 - sigmoid(h), sigmoid(h)])
    p = decay * p + (1 - decay) * q.mean(dim=1)
    return decay * mu + (1 - decay) * (q / p[:, None] * h).mean(dim=1), p


@torch.no_grad()
def with_einsum(h, mu, p, decay=0.8):
    q = torch.stack([sigmoid(-h), sigmoid(h)]) / len(h)
    new_p = torch.lerp(q.sum(1), p, decay)
    return torch.lerp(torch.einsum("zkd,kd->zd", q, h) / new_p, mu, decay), new_p


def with_loops_in_float32(h, mu, p, decay=0.8):
    new_mu, new_p = torch.zeros(2, h.shape[1]), torch.zeros(2, h.shape[1])
    for z in (0, 1):
        for d in range(h.shape[1]):
            values = h[:, d].tolist()
            q = [1 / (1 + np.exp(-x if z else x)) for x in values]
            new_p[z, d] = decay * p[z, d] + (1 - decay) * np.mean(q)
            mean = sum(a * x for a, x in zip(q, values)) / len(values) / new_p[z, d]
            new_mu[z, d] = decay * mu[z, d] + (1 - decay) * mean
    return new_mu, new_p


def with_numpy(h, mu, p, decay=0.8):
    h, mu, p = (np.asarray(x.detach()) for x in (h, mu, p))
    present = 1 / (1 + np.exp(-h))
    q = np.stack([1 - present, present])
    p = decay * p + (1 - decay) * q.mean(1)
    mu = decay * mu + (1 - decay) * (q * h).mean(1) / p
    return torch.from_numpy(mu), torch.from_numpy(p)


def by_a_step(h, mu, p, decay=0.8):
    """A step of 1 - decay towards the batch, with a guard in the division."""
    q = torch.stack([sigmoid(-h), sigmoid(h)]).detach()
    new_p = p + (1 - decay) * (q.mean(1) - p)
    return mu + (1 - decay) * ((q * h.detach()).mean(1) / (new_p + 1e-6) - mu), new_p


def clamped(h, mu, p, decay=0.8, *, eps=1e-6, **options):
    h = h.detach()
    q = torch.stack([sigmoid(-h), sigmoid(h)])
    new_p = (decay * p + (1 - decay) * q.mean(1)).clamp(min=eps)
    return [decay * mu + (1 - decay) * (q * h).mean(1) / new_p, new_p.contiguous()]


def in_place_on_copies(pre_activations, means, weights, momentum=0.8):
    mu, p, h = means.clone(), weights.clone(), pre_activations.detach()
    for z in range(2):
        q = sigmoid(h) if z else 1 - sigmoid(h)
        p[z] = p[z] * momentum + (1 - momentum) * q.mean(0)
        mu[z] = mu[z] * momentum + (1 - momentum) * (q * h / p[z]).mean(0)
    return mu, p


class AModule(torch.nn.Module):
    def forward(self, h, mu, p, decay=0.8):
        return right(h, mu, p, decay)


RIGHT = [
    right, with_einsum, with_loops_in_float32, with_numpy, by_a_step, clamped, in_place_on_copies, AModule(),
    oracle, of_the_library,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "gradient leaks": "gradient",
    "gradient leaks through p": "gradient",
    "writes into mu and p": "inputs",
}


def test_a_required_decay_is_a_wrong_signature():
    outcome = verdict(TASK, lambda h, mu, p, decay: right(h, mu, p, decay))
    assert outcome.cause == "signature" and "decay" in outcome.message


def test_no_decay_at_all_is_a_wrong_signature():
    outcome = verdict(TASK, lambda h, mu, p: right(h, mu, p))
    assert outcome.cause == "signature" and "decay" in outcome.message


# --- the oracle, against what the source says -------------------------------------------------


def start(units):
    mu = torch.tensor([[-1.0], [1.0]], dtype=torch.float64).repeat(1, units)
    return mu, torch.full((2, units), 0.5, dtype=torch.float64)


def test_the_trace_of_a_constant_input():
    h, (mu, p) = torch.full((3, 1), 2.0, dtype=torch.float64), start(1)
    trace = []
    for _ in range(60):
        mu, p = oracle(h, mu, p)
        trace.append((p[1].item(), mu[1].item(), mu[0].item()))
    assert [round(step[0], 3) for step in trace[:3]] == [0.576, 0.637, 0.686]
    assert [round(step[1], 4) for step in trace[:3]] == [1.4115, 1.6822, 1.8595]
    assert [round(step[2], 3) for step in trace[:3]] == [-0.688, -0.419, -0.183]
    assert max(step[1] for step in trace) > 2.1  # it overshoots, then settles
    assert trace[-1] == pytest.approx((sigmoid(torch.tensor(2.0)).item(), 2.0, 2.0), abs=1e-3)


def test_decay_1_changes_nothing_and_decay_0_gives_the_weighted_means():
    h, (mu, p) = torch.randn(6, 3, dtype=torch.float64), start(3)
    assert all(torch.equal(a, b) for a, b in zip(oracle(h, mu, p, decay=1.0), (mu, p)))
    q = torch.stack([1 - sigmoid(h), sigmoid(h)])
    new_mu, new_p = oracle(h, mu, p, decay=0.0)
    assert torch.allclose(new_p, q.mean(1), rtol=0, atol=1e-12)
    assert torch.allclose(new_mu, (q * h).sum(1) / q.sum(1), rtol=0, atol=1e-12)


def test_p_goes_on_summing_to_1_and_nothing_needs_a_gradient():
    h, (mu, p) = torch.randn(5, 2, dtype=torch.float64, requires_grad=True), start(2)
    new_mu, new_p = oracle(h, mu, p)
    assert torch.allclose(new_p.sum(0), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)
    assert not new_mu.requires_grad and not new_p.requires_grad
