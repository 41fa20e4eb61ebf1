"""The task saliency.modified_relu: every way to change what goes back passes, and each slip is told apart."""

import pytest
import torch
from torch.nn import functional as F

from course_lib.grading.tasks.saliency.modified_relu import TASK, oracle, use
from course_lib.grading.tasks.saliency.wrong_relus import going_back
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


class Guided(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        out = z.relu()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, p):
        (out,) = ctx.saved_tensors
        return torch.where((out > 0) & (p > 0), p, torch.zeros_like(p))


class Deconvnet(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        return torch.maximum(z, torch.zeros_like(z))

    @staticmethod
    def backward(ctx, p):
        return F.relu(p)


def two_functions(z, rule):
    return (Guided if rule == "guided" else Deconvnet).apply(z)


def with_a_hook(z, rule):
    """A hook on the output drops negative signals; the deconvnet's ReLU is a constant added to z."""
    if not z.requires_grad:
        return z.relu()
    out = z.relu() if rule == "guided" else z + (z.relu() - z).detach()
    out.register_hook(lambda p: p.clamp(min=0))
    return out


def mask_written_into_the_context(z, rule):
    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.mask = torch.ones_like(z) if rule == "deconvnet" else z.gt(0).to(z.dtype)
            return z * z.gt(0)

        @staticmethod
        def backward(ctx, p):
            return (p + p.abs()) / 2 * ctx.mask

    return Rule.apply(z)


def hook_before_and_behind(z, rule):
    class Positive(torch.autograd.Function):
        @staticmethod
        def forward(ctx, out):
            return out.view_as(out)

        @staticmethod
        def backward(ctx, p):
            return p * (p > 0)

    forward = F.relu(z) if rule == "guided" else z - (z - F.relu(z)).detach()
    return Positive.apply(forward)


RIGHT = [going_back(), two_functions, with_a_hook, mask_written_into_the_context, hook_before_and_behind]


# --- wrong answers ---------------------------------------------------------------------------


def in_place(z, rule):
    out = two_functions(z, rule)
    z.data.clamp_(min=0)
    return out


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda z, rule: F.relu(z), "plain ReLU"),
        (lambda z, rule: Deconvnet.apply(z), "guided without mask"),
        (in_place, "written in place"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(answer).misconception == name


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda z, rule: z.relu().detach(), "No signal can go back"),
        (lambda z, rule: z.relu().sum(), "must keep the shape (4, 5), but it returned ()"),
        (lambda z, rule: z.tolist(), "it returned a list"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(z, rule):
        raise NotImplementedError("saliency.modified_relu")

    assert verdict(stub).state == verdict(lambda *given: None).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number, **other):
    return dict(zip(TASK.gives, oracle(**(TASK.cases[number].exact() | other))))


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_forward_it_is_a_relu_and_back_nothing_is_negative(number):
    found, given = results(number), TASK.cases[number].exact()
    assert torch.equal(found["output"], given["z"].relu())
    assert found["signal at z"].min() >= 0
    assert found["signal through two layers"].min() >= 0 < found["signal through two layers"].max()


def test_where_everything_is_positive_both_rules_are_the_plain_gradient():
    given = TASK.cases[0].exact()
    given = {k: v.abs() if isinstance(v, torch.Tensor) else v for k, v in given.items()}
    z = given["z"].clone().requires_grad_()
    (plain,) = torch.autograd.grad((z.relu() @ given["weights"]).relu() @ given["weights"].T, z, given["p"])
    for rule in ("guided", "deconvnet"):
        found = dict(zip(TASK.gives, oracle(**(given | {"rule": rule}))))
        assert torch.allclose(found["signal through two layers"], plain, rtol=1e-12)


def test_the_two_rules_differ_where_the_input_is_not_positive():
    given = TASK.cases[4].exact()
    guided, deconvnet = results(4), results(4, rule="deconvnet")
    silent = given["z"] <= 0
    assert not guided["signal at z"][silent].any() and deconvnet["signal at z"][silent].any()
    assert torch.equal(guided["signal at z"][~silent], deconvnet["signal at z"][~silent])
    assert (given["z"] == 0).sum() >= 6


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(two_functions, **given)
    for name, value in TASK.cases[0].inputs().items():
        assert torch.equal(value, given[name]) if isinstance(value, torch.Tensor) else value == given[name]
