"""The task shade.varentropy: right answers pass however written, wrong ones get their own message."""

import pytest
import torch

from course_lib.grading.draws import normal
from course_lib.grading.tasks.shade.varentropy import TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_the_covariance(x, w, b):
    centred = x - x.mean(0)
    return w @ (centred.T @ centred / len(x)) @ w


def of_the_values(x, w, b):
    return torch.var(x @ w + b, correction=0)


def with_torch_cov(x, w, b):
    return torch.einsum("i,ij,j", w, torch.cov(x.T, correction=0), w)


def loops(x, w, b):
    """Number by number, into a float32 tensor."""
    mean = [x[:, d].sum() / len(x) for d in range(x.shape[1])]
    out = torch.zeros(())
    for k in range(len(x)):
        deviation = 0
        for d in range(x.shape[1]):
            deviation = deviation + w[d] * (x[k, d] - mean[d])
        out = out + deviation**2 / len(x)
    return out


def mean_of_squares_less_square_of_mean(x, w, b):
    h = torch.nn.functional.linear(x, w[None], b[None])
    return ((h**2).mean(0) - h.mean(0) ** 2).squeeze()


def squared_deviation(x, w, b):
    return (x @ w + b).std(unbiased=False) ** 2


def in_float32(x, w, b):
    return of_the_values(x.float(), w.float(), b.float())


def the_mean_held_constant(x, w, b):
    """What goes through the mean cancels: the deviations add up to 0."""
    h = x @ w + b
    return (h - h.mean().detach()).square().mean()


def with_the_bias_as_a_weight(x, w, b):
    inputs = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    return with_the_covariance(inputs, torch.cat([w, b[None]]), None)


def as_a_view(x, w, b):
    return of_the_values(x, w, b).expand(3)[1]


def more_parameters(inputs, weights, bias, *, correction=0, **options):
    return (inputs @ weights + bias).var(correction=correction)


class AModule(torch.nn.Module):
    def forward(self, x, w, b):
        return of_the_values(x, w, b)


RIGHT = [
    with_the_covariance, of_the_values, with_torch_cov, loops, mean_of_squares_less_square_of_mean,
    squared_deviation, in_float32, the_mean_held_constant, with_the_bias_as_a_weight, as_a_view,
    more_parameters, AModule(), oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "N - 1": "finite",
    "correlation": "finite",
    "entropy bound": "finite",
    "Λ w": "shape",
    "a matrix of one number": "shape",
    "no mean": "shape",
    "no gradient": "gradient",
    "writes into x": "inputs",
}


@pytest.mark.parametrize(
    "answer, name",
    [
        (lambda x, w, b: (x @ w - (x @ w).mean()).square().sum() / (len(x) - 1), "N - 1"),
        (lambda x, w, b: (x @ w + b - (x @ w).mean()).square().mean(), "b² added"),
        (lambda x, w, b: ((x - x.mean(0)) / x.std(0, correction=0) @ w).var(correction=0), "correlation"),
        (lambda x, w, b: torch.tensor((x @ w + b).var(correction=0).item()), "no gradient"),
        (lambda x, w, b: (x @ w - (x @ w).mean())[:, None].pow(2).mean(1), "no mean"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(TASK, answer).misconception == name


def test_an_unknown_mistake_gets_no_advice():
    outcome = verdict(TASK, lambda x, w, b: 1.1 * of_the_values(x, w, b))
    assert (outcome.cause, outcome.misconception, outcome.advice) == ("value", None, "")


def test_a_gradient_at_the_bias_is_refused():
    outcome = verdict(TASK, lambda x, w, b: of_the_values(x, w, b) + (b - b.detach()))
    assert (outcome.cause, "gradient at b" in outcome.says) == ("gradient", True)


# --- the oracle, against what the source says of VarEntropy -----------------------------------


def draw(samples, inputs):
    generator = torch.Generator().manual_seed(samples)
    return normal(generator, samples, inputs), normal(generator, inputs), normal(generator)


def test_the_oracle_is_the_quadratic_form_of_the_covariance():
    x, w, b = draw(9, 4)
    assert torch.allclose(oracle(x, w, b), w @ torch.cov(x.T, correction=0) @ w, rtol=0, atol=1e-12)


def test_the_oracles_gradient_is_twice_the_covariance_times_w_and_nothing_at_the_bias():
    x, w, b = draw(9, 4)
    at_w, at_b = torch.autograd.grad(oracle(x, w.requires_grad_(), b.requires_grad_()), [w, b])
    assert torch.allclose(at_w, 2 * torch.cov(x.T, correction=0) @ w.detach(), rtol=0, atol=1e-12)
    assert at_b.abs() < 1e-12


def test_where_the_inputs_are_white_the_oracle_is_weight_decay():
    x, w, b = draw(12, 3)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    white = (x - x.mean(0)) @ vectors @ torch.diag(values**-0.5) @ vectors.T  # ZCA
    assert torch.allclose(oracle(white, w, b), w @ w, rtol=0, atol=1e-10)


def test_the_oracles_gradient_at_the_bias_is_exactly_0_on_every_case():
    for case in TASK.cases:
        made = case.exact()
        (at_b,) = torch.autograd.grad(oracle(**{**made, "b": made["b"].requires_grad_()}), made["b"])
        assert at_b == 0
