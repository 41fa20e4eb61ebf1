"""The task saliency.class_sensitivity: right answers pass in any form, wrong ones get their own message."""

import math

import pytest
import torch
from scipy import stats

from course_lib.grading.tasks.saliency.class_sensitivity import TASK, oracle
from course_lib.grading.tasks.saliency.known_maps import KnownMethod, KnownNet
from course_lib.grading.tasks.saliency.wrong_class_sensitivity import comparing
from course_lib.metrics import spearman
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_the_metric(fn, model, x):
    logits = model(x)
    rho = spearman(fn(model, x, logits.argmax(dim=1)), fn(model, x, logits.argmin(dim=1)))
    return rho.nanmean(), rho.isfinite().sum()


def one_by_one(fn, model, x):
    """An image at a time, with SciPy and plain numbers."""
    found = []
    for image in x:
        image = image[None]
        scores = model(image)[0].tolist()
        a, b = (
            fn(model, image, torch.tensor([scores.index(pick(scores))])).flatten().tolist()
            for pick in (max, min)
        )
        if len(set(a)) > 1 and len(set(b)) > 1:
            found.append(stats.spearmanr(a, b).statistic)
    return (sum(found) / len(found) if found else math.nan), len(found)


def in_batches(fn, model, x, size=2):
    """From probabilities, in batches from the end, with ranks that come from counting, in float32."""

    def ranks(maps):
        v = maps.flatten(1)
        r = ((v[:, None] < v[:, :, None]).sum(2) - (v[:, None] > v[:, :, None]).sum(2)).float()
        return r / r.norm(dim=1, keepdim=True)

    total, valid = 0.0, 0
    for part in reversed(x.split(size)):
        p = model(part).softmax(dim=1)
        a = ranks(fn(model, part, p.max(dim=1).indices))
        rho = (a * ranks(fn(model, part, p.min(dim=1).indices))).sum(1)
        total, valid = total + rho.nansum().item(), valid + (~rho.isnan()).sum().item()
    return torch.tensor(total) / valid, torch.tensor(valid)


def both_classes_in_one_call(fn, model, x):
    """Every image twice, with the numbers of the classes in one line; a list comes back."""
    with torch.no_grad():
        order = model(x).argsort(dim=1)
    maps = fn(model, torch.cat([x, x]), torch.cat([order[:, -1], order[:, 0]]))
    a, b = maps.chunk(2)
    known = [k for k in range(len(x)) if a[k].unique().numel() > 1 and b[k].unique().numel() > 1]
    rho = spearman(a[known], b[known]) if known else a.new_zeros(0)
    return [rho.mean(), torch.tensor(float(len(known)))]


RIGHT = [with_the_metric, one_by_one, in_batches, both_classes_in_one_call, comparing()]


def test_asking_the_known_network_is_not_borrowing():
    assert verdict(TASK, with_the_metric, watch=True).passed


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"results swapped": "finite"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def nan_as_nothing(fn, model, x):
        rho = spearman(*(fn(model, x, k) for k in (model(x).argmax(1), model(x).argmin(1))))
        rho[rho.isnan()] = 0
        return rho.mean(), len(rho)

    assert verdict(TASK, nan_as_nothing).misconception == "a flat map counts 0"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda fn, model, x: fn(x, model(x).argmax(1)), "missing 1 required positional argument"),
        (lambda fn, model, x: fn(x, model, model(x).argmax(1)), "its model is a Tensor"),
        (lambda fn, model, x: fn(model, x, 0), "a class for each image, not a int"),
        (lambda fn, model, x: fn(model, x, model(x)), "not torch.float64 of shape (6, 4)"),
        (lambda fn, model, x: model(x[0]), "images are a tensor (B, 2, 3, 4), not shape (2, 3, 4)"),
        (lambda fn, model, x: model(x + 1), "none of the images in x"),
        (lambda fn, model, x: model(x).mean(), "a tuple of two, mean and n_valid"),
        (lambda fn, model, x: ("mean", 3), "mean must be a tensor or a number, but it is a str"),
        (lambda fn, model, x: print(model(x)), "its result is None"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(TASK, answer)
    assert outcome.cause == "unusable" and words in outcome.message


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_oracle_is_scipys_correlation_of_the_two_maps(number):
    given = TASK.cases[number].exact()
    model = KnownNet(given["x"], given["logits"])
    mean, valid = one_by_one(KnownMethod(model, given["maps"]), model, given["x"])
    found_valid, missing, found_mean = oracle(**given)
    assert found_valid == valid and missing == math.isnan(mean)
    assert found_mean.item() == pytest.approx(0 if math.isnan(mean) else mean, abs=1e-12)


def test_a_method_that_does_not_look_at_the_class_gets_exactly_1():
    given = TASK.cases[0].exact()
    given["maps"] = given["maps"][:, :1] * torch.tensor([1.0, 3.0, 0.5, 2.0])[:, None, None]
    assert oracle(**given)[0] == 6 and oracle(**given)[2].item() == pytest.approx(1, abs=1e-12)
    given["maps"] *= given["logits"].sign()[..., None, None]  # and -1 if it only turns the sign
    given["logits"][:, 0], given["logits"][:, 1] = 9.0, -9.0
    given["maps"][:, 0], given["maps"][:, 1] = given["maps"][:, 2], -given["maps"][:, 2]
    assert oracle(**given)[2].item() == pytest.approx(-1, abs=1e-12)


def test_logits_and_probabilities_name_the_same_classes():
    for case in TASK.cases:
        given = case.exact()
        assert torch.equal(oracle(**given)[2], oracle(**given | {"logits": given["logits"].softmax(1)})[2])


def test_some_cases_leave_images_out_and_one_leaves_out_all():
    valid = [(int(oracle(**case.exact())[0]), len(case.exact()["x"])) for case in TASK.cases]
    assert valid == [(6, 6), (3, 5), (3, 4), (5, 7), (0, 2), (1, 1), (5, 5)]


def test_the_most_and_the_least_likely_class_are_no_close_calls():
    for case in TASK.cases:
        order = case.exact()["logits"].sort(dim=1).values
        assert (order[:, 1] - order[:, 0]).min() > 1e-3 and (order[:, -1] - order[:, -2]).min() > 1e-3


def test_the_known_network_takes_images_in_any_order():
    given = TASK.cases[0].exact()
    model = KnownNet(given["x"], given["logits"])
    assert torch.equal(model(given["x"].flip(0)), given["logits"].flip(0))
    y = torch.tensor([3, 1])
    maps = KnownMethod(model, given["maps"])(model, given["x"][[4, 4]], y)
    assert torch.equal(maps, given["maps"][[4, 4], y][:, None])
