"""The task saliency.meta_step: every way to take the step passes, and each slip is told apart."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from course_lib.grading.tasks.saliency.meta_step import TASK, oracle, use
from course_lib.grading.tasks.saliency.nudged_weights import loss_of, slopes
from course_lib.grading.tasks.saliency.step_pieces import stepping
from course_lib.grading.tasks.saliency.tiny_nets import build
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def with_a_function(model, x, y, eps, sign=+1):
    """The loss as a function of the weights; the copy is filled through its state."""
    other = copy.deepcopy(model).eval()
    weights = {name: p.detach().clone().requires_grad_() for name, p in other.named_parameters()}
    logits = torch.func.functional_call(other, weights, (x,))
    loss = (torch.logsumexp(logits, 1) - logits[torch.arange(len(y)), y]).mean()
    found = torch.autograd.grad(loss, list(weights.values()))
    with torch.no_grad():
        new = {name: w - 2 * eps * sign * g for (name, w), g in zip(weights.items(), found)}
    stepped = copy.deepcopy(model)
    stepped.load_state_dict(new, strict=False)
    return stepped


def as_one_vector(model, x, y, eps, sign=1):
    stepped = copy.deepcopy(model)
    modes = [m.training for m in stepped.modules()]
    flags = [p.requires_grad for p in stepped.parameters()]
    for p in stepped.parameters():
        p.requires_grad, p.grad = True, None
    loss = sum(-F.log_softmax(stepped.eval()(x[b : b + 1]), 1)[0, y[b]] for b in range(len(x))) / len(x)
    loss.backward()
    start = parameters_to_vector(stepped.parameters()).detach()
    slope = parameters_to_vector([p.grad for p in stepped.parameters()])
    vector_to_parameters(start - 2 * sign * eps * slope, stepped.parameters())
    for p, flag in zip(stepped.parameters(), flags):
        p.requires_grad_(flag)
    for m, mode in zip(stepped.modules(), modes):
        m.training = mode
    return stepped


def on_the_model_and_back(model, x, y, eps, sign=1):
    """Takes the gradient on the model, whose modes and flags are put back."""
    modes, flags = (
        [(m, m.training) for m in model.modules()],
        [(p, p.requires_grad) for p in model.parameters()],
    )
    model.eval().requires_grad_()
    gradients = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    for m, mode in modes:
        m.training = mode
    for p, flag in flags:
        p.requires_grad_(flag)
    stepped = copy.deepcopy(model)
    for p, g in zip(stepped.parameters(), gradients):
        p.data.add_(g, alpha=-2 * sign * eps)
    return stepped


RIGHT = [stepping(), with_a_function, as_one_vector, on_the_model_and_back]


def with_torchs_optimizer(make):
    """The step of an optimiser; its first use imports for seconds, so it is no part of RIGHT."""

    def answer(model, x, y, eps, sign=1):
        stepped = copy.deepcopy(model).eval()
        flags = [p.requires_grad for p in stepped.parameters()]
        stepped.requires_grad_(True)
        optimizer = make(stepped.parameters(), 2 * eps, sign < 0)
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(stepped(x), y).backward()
        optimizer.step()
        for p, flag in zip(stepped.parameters(), flags):
            p.requires_grad = flag
        return stepped

    return answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, None),
        ({"momentum": 0.9}, None),  # which makes no difference to the first step
        ({"momentum": 0.9, "nesterov": True}, "momentum"),
        ({"weight_decay": 5e-4}, "weight decay"),
    ],
)
def test_an_optimizer_may_take_the_step_if_it_takes_no_other(options, name):
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)  # all of its imports, before the clock runs
    outcome = verdict(
        with_torchs_optimizer(lambda p, lr, up: torch.optim.SGD(p, lr=lr, maximize=up, **options))
    )
    assert outcome.misconception == name and outcome.passed == (name is None)


@pytest.mark.slow
def test_adam_is_told():
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    adam = with_torchs_optimizer(lambda p, lr, up: torch.optim.Adam(p, lr=lr, maximize=up))
    assert verdict(adam).misconception == "Adam"


# --- wrong answers ---------------------------------------------------------------------------


def turns_the_model(model, x, y, eps, sign=1):
    return as_one_vector(model.eval(), x, y, eps, sign)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda model, x, y, eps, sign=1: as_one_vector(model, x, y, eps / 2, sign), "half a step"),
        (lambda model, x, y, eps, sign=1: with_a_function(model, x, y, eps), "sign ignored"),
        (lambda model, x, y, eps, sign=1: copy.deepcopy(model), "no step"),
        (turns_the_model, "model left in evaluation mode"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(answer).misconception == name


def no_sign(model, x, y, eps):
    return as_one_vector(model, x, y, eps)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda model, x, y, eps, sign=1: model(x), "a network (an nn.Module), but it returned a Tensor"),
        (lambda model, x, y, eps, sign=1: print(eps), "but it returned None"),
        (lambda model, x, y, eps, sign=1: nn.Linear(2, 3), "a network of the same build"),
        (no_sign, "takes 4 positional arguments but 5 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(model, x, y, eps, sign=1):
        raise NotImplementedError("saliency.meta_step")

    assert verdict(stub).state == verdict(lambda *given: None).state == "not attempted"


def test_the_model_that_is_handed_over_may_be_run():
    assert verdict(as_one_vector, watch=True).passed


# --- the oracle ------------------------------------------------------------------------------


def given_of(number):
    given = TASK.cases[number].exact()
    return given, {name: given[name] for name in ("net", "weights", "statistics", "x", "y")}


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_slopes_are_those_of_autograd(number):
    given, five = given_of(number)
    model = build(given["net"], given["weights"], given["statistics"]).eval()
    loss = F.cross_entropy(model(given["x"]), given["y"])
    assert loss.item() == pytest.approx(loss_of(model, given["x"], given["y"]), rel=1e-12)
    exact = parameters_to_vector(torch.autograd.grad(loss, list(model.parameters())))
    assert torch.allclose(slopes(**five), exact, atol=2e-9)


def losses(number, **other):
    """The loss before and after the step of the oracle."""
    given, _ = given_of(number)
    after = oracle(**given | other)[0]
    return tuple(
        loss_of(build(given["net"], w, given["statistics"]).eval(), given["x"], given["y"])
        for w in (given["weights"], after)
    )


@pytest.mark.parametrize("number", [0, 2, 4])
def test_downhill_the_loss_falls_and_uphill_it_rises(number):
    before, after = losses(number, sign=1, eps=0.01)
    assert after < before
    before, after = losses(number, sign=-1, eps=0.01)
    assert after > before


def test_a_step_of_length_zero_is_no_step():
    given, _ = given_of(3)
    assert torch.equal(oracle(**given)[0], given["weights"])


def test_twice_epsilon_is_what_makes_the_error_fall_with_its_square():
    """∇ℓ(θ') against the gradient of Eq. 4, ℓ(θ - ε∇ℓ(θ)), which needs a second derivative."""
    given, _ = given_of(2)
    model = build(given["net"], given["weights"], given["statistics"])
    names, x, y = [name for name, _ in model.named_parameters()], given["x"], given["y"]

    def loss(weights):
        return F.cross_entropy(torch.func.functional_call(model, dict(zip(names, weights)), (x,)), y)

    def error(eps, step):
        weights = list(model.parameters())
        inner = torch.autograd.grad(loss(weights), weights, create_graph=True)
        exact = torch.autograd.grad(loss([w - eps * g for w, g in zip(weights, inner)]), weights)
        moved = [(w - step * eps * g).detach().requires_grad_() for w, g in zip(weights, inner)]
        found = torch.autograd.grad(loss(moved), moved)
        return (parameters_to_vector(exact) - parameters_to_vector(found)).norm().item()

    assert error(1e-2, 2) / error(1e-3, 2) == pytest.approx(100, rel=0.3)
    assert error(1e-2, 1) / error(1e-3, 1) == pytest.approx(10, rel=0.3)


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(stepping(), **given)
    for name, value in TASK.cases[0].inputs().items():
        assert torch.equal(value, given[name]) if isinstance(value, torch.Tensor) else value == given[name]
