"""The task hybridnet.branch_report: right measurements pass, and each slip gets its own message."""

import copy

import pytest
import torch

from course_lib.grading.tasks.hybridnet.branch_report import TASK, oracle, use
from course_lib.grading.tasks.hybridnet.report_pieces import reporting
from course_lib.methods.branches import branch_report as of_the_course
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def with_totals(model, batches):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    totals, n = 0, 0
    with torch.inference_mode():
        for x in batches:
            out = model(x)
            x_hat, dims = out.x_c + out.x_u, (1, 2, 3)
            energy = x_hat.square().mean(dims)
            c = ((out.x_c * x_hat).mean(dims) / energy).nan_to_num(nan=0.5)
            rows = [(p - x).square().mean(dims) for p in (out.x_c, out.x_u, x_hat)]
            rows += [(out.x_c * out.x_u).mean(dims), c, 1 - c]
            totals, n = totals + torch.stack(rows).sum(1), n + len(x)
    for module, mode in modes:
        module.train(mode) if not list(module.children()) else setattr(module, "training", mode)
    return totals[:3] / n, totals[3] / n, totals[4:] / n


def loops(model, batches):
    """On a copy of the model, image by image, in plain numbers."""
    model = copy.deepcopy(model).eval()
    rows = []
    for batch in batches:
        for image in batch:
            out = model(image[None])
            c, u, x = (t.detach().flatten().double().tolist() for t in (out.x_c, out.x_u, image))
            dot = lambda a, b: sum(p * q for p, q in zip(a, b)) / len(a)
            far = lambda a, x=x: sum((p - q) ** 2 for p, q in zip(a, x)) / len(x)
            both = [p + q for p, q in zip(c, u)]
            energy = dot(both, both)
            part = (dot(c, both) / energy, dot(u, both) / energy) if energy else (0.5, 0.5)
            rows.append([far(c), far(u), far(both), dot(c, u), *part])
    means = torch.tensor(rows, dtype=torch.float64).mean(0)
    return means[:3], means[3], means[4:]


def all_at_once(model, batches):
    """Runs on everything together, and finds the inner product and the total error by the identities."""
    x = torch.cat(list(batches))
    modes = {name: m.training for name, m in model.named_modules()}
    out = model.eval()(x)
    for name, m in model.named_modules():
        m.training = modes[name]
    x_c, x_u = out.x_c.detach().flatten(1), out.x_u.detach().flatten(1)
    x, d = x.flatten(1), x[0].numel()
    cc, uu, cu = (torch.einsum("nd,nd->n", a, b) / d for a, b in ((x_c, x_c), (x_u, x_u), (x_c, x_u)))
    e_c, e_u = ((p - x).norm(dim=1) ** 2 / d for p in (x_c, x_u))
    total = e_c + e_u - x.norm(dim=1) ** 2 / d + 2 * cu
    energy = cc + uu + 2 * cu
    nothing = energy <= 1e-12
    s_c, s_u = ((a + cu).div(energy).masked_fill(nothing, 0.5) for a in (cc, uu))
    return [e_c.mean(), e_u.mean(), total.mean()], cu.mean().item(), torch.stack([s_c, s_u], 1).mean(0)


def with_the_courses_report(model, batches):
    rows, modes = [], [m.training for m in model.modules()]
    model.eval()
    for x in batches:
        with torch.no_grad():
            out = model(x)
        rows.append(torch.stack(of_the_course(x, out.x_c, out.x_u)))
    for m, mode in zip(model.modules(), modes):
        m.training = mode
    means = torch.cat(rows, dim=1).mean(1)
    return means[:3], means[3], means[4:]


RIGHT = [reporting(), with_totals, loops, all_at_once, with_the_courses_report]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"share of nothing": "finite"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def averages_batches(model, batches):
        found = [all_at_once(model, [x]) for x in batches]
        n = len(found)
        return (
            sum(torch.stack(e) for e, _, _ in found) / n,
            sum(i for _, i, _ in found) / n,
            sum(s for _, _, s in found) / n,
        )

    def leaves_it(model, batches):
        result = all_at_once(model, batches)
        model.eval()
        return result

    assert verdict(averages_batches).misconception == "mean of the batches"
    assert verdict(leaves_it).misconception == "left in evaluation mode"


def test_reading_the_batches_twice_shows():
    def twice(model, batches):
        for x in batches:
            model(x)
        return all_at_once(model, batches)

    assert verdict(twice).cause == "unusable"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda model, batches: torch.zeros(3), "must be a tuple of three, errors, inner, shares"),
        (lambda model, batches: print(model), "its result is None"),
        (lambda model: None, "takes 1 positional argument but 2 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(model, batches):
        raise NotImplementedError("hybridnet.branch_report")

    assert verdict(stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number):
    return dict(zip(TASK.gives, oracle(**TASK.cases[number].exact())))


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_identity_holds_and_shares_add_up(number):
    found, x = results(number), TASK.cases[number].exact()["x"]
    c, u, both = found["errors"]
    assert both.item() == pytest.approx((c + u - x.square().mean() + 2 * found["inner"]).item(), rel=1e-10)
    assert found["shares"].sum().item() == pytest.approx(1)


def test_the_special_cases_are_what_they_say():
    assert results(2)["shares"].tolist() == pytest.approx([0, 1])
    assert results(4)["shares"].tolist() == [0.5, 0.5]
    against = results(3)
    assert against["inner"] < 0 and against["shares"].min() < 0


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(reporting(), **given)
    for name, tensor in TASK.cases[0].inputs().items():
        assert torch.equal(tensor, given[name])
