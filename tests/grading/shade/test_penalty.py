"""The task shade.penalty: right answers pass however they are written, wrong ones get their own message."""

import torch
from torch import sigmoid

from course_lib.grading import tasks
from course_lib.grading.tasks.shade.penalty import oracle as penalty_oracle
from course_lib.methods.shade import shade_penalty
from tests.grading.answers import right
from tests.grading.trying import verdict as verdict_on

TASK = tasks.get("shade.penalty")


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def loops(h, mu):
    """Element by element, into a float32 tensor."""
    out = torch.zeros(h.shape[1])
    for d in range(h.shape[1]):
        for x in h[:, d]:
            q = 1 / (1 + torch.exp(-x))
            out[d] += ((1 - q) * (x - mu[0, d]) ** 2 + q * (x - mu[1, d]) ** 2) / len(h)
    return out


def with_einsum(h, mu):
    q = torch.stack([sigmoid(-h), sigmoid(h)])
    return torch.einsum("zkd,zkd->d", q, (h - mu[:, None]) ** 2) / len(h)


def from_the_identity(h, mu):
    """Square of the soft mean plus what that leaves out, σ(1-σ)(μ¹-μ⁰)²."""
    q = sigmoid(h)
    return ((h - torch.lerp(mu[:1], mu[1:], q)) ** 2 + q * (1 - q) * (mu[1] - mu[0]) ** 2).mean(0)


def with_softmax(h, mu):
    """p(z|h) as a softmax over the logits 0 and h."""
    q = torch.stack([torch.zeros_like(h), h]).softmax(0)
    return (q * torch.stack([h - mu[0], h - mu[1]]).square()).sum(0).mean(0)


def in_float32(h, mu):
    return right(h.float(), mu.float())


def more_parameters(h, mu, *, eps=0.0, reduction="mean", **options):
    return right(h, mu) + eps


def as_a_view(h, mu):
    return right(h, mu).expand(3, -1)[1]


def other_names(pre_activations, modes):
    return right(pre_activations, modes)


def works_in_place_on_copies(h, mu):
    q, h = sigmoid(h), h.clone()
    far = (h - mu[1]) ** 2
    h -= mu[0]
    return (q * far + (1 - q) * h**2).mean(0)


class AModule(torch.nn.Module):
    def forward(self, h, mu):
        return right(h, mu)


RIGHT = [
    right, loops, with_einsum, from_the_identity, with_softmax, in_float32, more_parameters, as_a_view,
    other_names, works_in_place_on_copies, AModule(), penalty_oracle, shade_penalty,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "K - 1": "finite",
    "mean over the units too": "shape",
    "mean over the units": "shape",
    "no mean": "shape",
    "σ cut from the gradient": "gradient",
    "h cut from the gradient": "gradient",
    "writes into h": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def swapped_in_float32_loops(h, mu):
        return loops(h.float(), torch.stack([mu[1], mu[0]]))

    assert verdict(swapped_in_float32_loops).misconception == "modes swapped"


def test_an_unknown_mistake_gets_no_advice():
    outcome = verdict(lambda h, mu: 1.1 * right(h, mu))
    assert (outcome.cause, outcome.misconception, outcome.advice) == ("value", None, "")


# --- the oracle, against what the source says of the penalty ----------------------------------


def test_the_oracle_is_a_mean_of_squares_where_the_modes_are_one():
    h, m = torch.randn(6, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    assert torch.allclose(penalty_oracle(h, torch.stack([m, m])), ((h - m) ** 2).mean(0), rtol=0, atol=1e-12)


def test_the_oracle_is_symmetric_under_a_change_of_sign():
    h, mu = torch.randn(6, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    assert torch.allclose(penalty_oracle(h, mu), penalty_oracle(-h, -mu.flip(0)), rtol=0, atol=1e-12)


def test_the_oracles_gradient_is_the_closed_form():
    """2(h - m(h)) - σ(1-σ)(μ¹-μ⁰)(2h-μ⁰-μ¹), for one sample."""
    h = torch.randn(1, 5, dtype=torch.float64, requires_grad=True)
    mu = torch.randn(2, 5, dtype=torch.float64)
    (found,) = torch.autograd.grad(penalty_oracle(h, mu).sum(), h)
    q = sigmoid(h)
    pull = 2 * (h - (1 - q) * mu[0] - q * mu[1])
    push = q * (1 - q) * (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])
    assert torch.allclose(found, pull - push, rtol=0, atol=1e-12)
