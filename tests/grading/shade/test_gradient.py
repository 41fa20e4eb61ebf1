"""The task shade.gradient: right answers pass however they are written, wrong ones get their own message."""

import numpy as np
import pytest
import torch
from torch import sigmoid

from course_lib.grading.tasks.shade.gradient import TASK, oracle
from course_lib.grading.tasks.shade.penalty import oracle as penalty
from tests.grading.trying import verdict


def right(h, mu, detach_p=False):
    q = sigmoid(h)
    pull = 2 * (h - (1 - q) * mu[0] - q * mu[1])
    return pull if detach_p else pull - q * (1 - q) * (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])


def with_loops_in_float32(h, mu, detach_p=False):
    grad = torch.zeros(h.shape)
    for k, row in enumerate(h.tolist()):
        for d, x in enumerate(row):
            a, b = mu[0, d].item(), mu[1, d].item()
            q = 1 / (1 + np.exp(-x))
            grad[k, d] = 2 * ((1 - q) * (x - a) + q * (x - b))
            if not detach_p:
                grad[k, d] += q * (1 - q) * ((x - b) ** 2 - (x - a) ** 2)
    return grad


def with_autograd(h, mu, detach_p=False):
    """The formula of the penalty, differentiated by torch on a leaf of its own."""
    leaf = h.clone().requires_grad_()
    q = sigmoid(leaf.detach() if detach_p else leaf)
    omega = (1 - q) * (leaf - mu[0]) ** 2 + q * (leaf - mu[1]) ** 2
    omega.sum().backward()
    return leaf.grad


def with_autograd_on_the_argument(h, mu, detach_p=False):
    h.requires_grad_()
    q = sigmoid(h.detach() if detach_p else h)
    return torch.autograd.grad(torch.lerp((h - mu[0]) ** 2, (h - mu[1]) ** 2, q).sum(), h)[0]


def with_einsum(h, mu, detach_p=False, **options):
    q = torch.stack([sigmoid(-h), sigmoid(h)])
    way = h - mu[:, None]
    grad = 2 * torch.einsum("zkd,zkd->kd", q, way)
    if not detach_p:
        grad += torch.einsum("zkd,zkd,z->kd", q.prod(0).expand(2, -1, -1), way**2, h.new_tensor([-1, 1]))
    return grad


def with_tanh(pre_activations, modes, fixed=False):
    """σ by tanh, and the push from the midpoint."""
    t = torch.tanh(pre_activations / 2)
    middle, half = modes.mean(0), (modes[1] - modes[0]) / 2
    away = pre_activations - middle
    return 2 * (away - half * t) - (0 if fixed else (1 - t**2) * half * away)


def with_numpy_as_a_view(h, mu, detach_p=False):
    x, (absent, present) = h.numpy().astype("float64"), mu.numpy().astype("float64")
    q = np.exp(x) / (1 + np.exp(x))
    grad = 2 * (x - absent - q * (present - absent))
    if detach_p is False:
        grad += q * (1 - q) * ((x - present) ** 2 - (x - absent) ** 2)
    return torch.from_numpy(grad).expand(2, -1, -1)[1]


class AModule(torch.nn.Module):
    def forward(self, h, mu, detach_p=False):
        return right(h, mu, detach_p)


RIGHT = [
    right, with_loops_in_float32, with_autograd, with_autograd_on_the_argument, with_einsum, with_tanh,
    with_numpy_as_a_view, AModule(), oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"summed over the samples": "shape", "writes into h": "inputs"}


def test_an_answer_that_expects_inputs_with_a_gradient_is_told_so():
    def on_a_missing_leaf(h, mu, detach_p=False):
        return torch.autograd.grad((h * sigmoid(h)).sum(), h)[0]

    outcome = verdict(TASK, on_a_missing_leaf)
    assert outcome.cause == "unusable" and "does not require grad" in outcome.message


# --- the oracle, against what the source says -------------------------------------------------


def test_the_oracle_is_the_derivative_of_the_penalty():
    h = torch.randn(1, 6, dtype=torch.float64, requires_grad=True)
    mu = torch.randn(2, 6, dtype=torch.float64)
    (found,) = torch.autograd.grad(penalty(h, mu).sum(), h)
    assert torch.allclose(oracle(h.detach(), mu), found, rtol=0, atol=1e-12)


def test_detached_it_is_twice_the_way_to_the_soft_mean():
    h, mu = torch.randn(4, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    m = (1 - sigmoid(h)) * mu[0] + sigmoid(h) * mu[1]
    assert torch.allclose(oracle(h, mu, detach_p=True), 2 * (h - m), rtol=0, atol=1e-12)


def test_beyond_the_midpoint_the_push_goes_outward():
    h = torch.tensor([[2.0], [-2.0]], dtype=torch.float64)
    mu = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    push = oracle(h, mu, detach_p=True) - oracle(h, mu)
    assert push[0].item() > 0 > push[1].item()


@pytest.mark.parametrize(("m", "well"), [(0.5, 0.0), (1.0, 0.0), (1.5, 1.7040), (2.0, 2.3994)])
def test_wells_and_curvature_of_symmetric_modes(m, well):
    mu = torch.tensor([[-m], [m]], dtype=torch.float64)

    def slope(x):
        return oracle(torch.tensor([[x]], dtype=torch.float64), mu).item()

    assert slope(well) == pytest.approx(0, abs=2e-4)
    assert (slope(1e-4) - slope(-1e-4)) / 2e-4 == pytest.approx(2 - 2 * m, abs=1e-6)
