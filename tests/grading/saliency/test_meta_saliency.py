"""The task saliency.meta_saliency: each image steps by itself, however that is written."""

import copy

import pytest
import torch
from torch.nn import functional as F

from course_lib.grading.tasks.saliency.meta_saliency import TASK, oracle, use
from course_lib.grading.tasks.saliency.tiny_nets import build, class_activation_map
from course_lib.grading.tasks.saliency.wrong_meta_maps import explaining
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def gradients_of(model, x, y):
    """∇ℓ on a copy in evaluation mode, so that nothing happens to the model."""
    model = copy.deepcopy(model).eval().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))


def forth_and_back(fn, model, x, y, eps, sign=1):
    """The model itself steps, is explained, and gets its numbers back."""
    start, maps = [p.detach().clone() for p in model.parameters()], []
    for b in range(len(x)):
        found = gradients_of(model, x[b : b + 1], y[b : b + 1])
        with torch.no_grad():
            for p, g in zip(model.parameters(), found):
                p -= 2 * sign * eps * g
            maps.append(fn(model, x[b : b + 1], y[b : b + 1]))
            for p, kept in zip(model.parameters(), start):
                p.copy_(kept)
    return torch.cat(maps)


def one_copy_for_all(fn, model, x, y, eps, sign=+1):
    """One copy, filled anew for each image."""
    stepped, maps = copy.deepcopy(model).eval(), None
    for b, (image, label) in enumerate(zip(x.unsqueeze(1), y.unsqueeze(1))):
        found = gradients_of(model, image, label)
        for p, q, g in zip(stepped.parameters(), model.parameters(), found):
            p.data = q.data - (2 * eps) * (sign * g)
        made = fn(stepped, image, label).detach()
        maps = made.new_zeros(len(x), *made.shape[1:]) if maps is None else maps
        maps[b] = made[0]
    return maps


def all_models_first(fn, model, x, y, eps, sign=1):
    """A model for each image; each explains the whole batch, and only its own map is kept."""
    models = []
    for b in range(len(x)):
        stepped = copy.deepcopy(model)
        found = gradients_of(model, x[[b]], y[[b]])
        state = stepped.state_dict()
        for (name, p), g in zip(model.named_parameters(), found):
            state[name] = p.detach() - 2 * sign * eps * g
        stepped.load_state_dict(state)
        models.append(stepped)
    return torch.stack([fn(each, x, y)[b] for b, each in enumerate(models)])


RIGHT = [explaining(), forth_and_back, one_copy_for_all, all_models_first]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"last image only": "shape", "stacked": "shape"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def together(fn, model, x, y, eps, sign=1):
        stepped, found = copy.deepcopy(model), gradients_of(model, x, y)
        for p, g in zip(stepped.parameters(), found):
            p.data.sub_(2 * sign * eps * g)
        return fn(stepped, x, y)

    def without_sign(fn, model, x, y, eps, sign=1):
        return forth_and_back(fn, model, x, y, eps)

    assert verdict(together).misconception == "one step for the batch"
    assert verdict(without_sign).misconception == "sign ignored"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda fn, model, x, y, eps, sign=1: [fn(model, x, y)], "but it returned a list"),
        (lambda fn, model, x, y, eps, sign=1: print(x), "but it returned None"),
        (lambda fn, model, x, y: x, "takes 4 positional arguments but 5 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(fn, model, x, y, eps, sign=1):
        raise NotImplementedError("saliency.meta_saliency")

    assert verdict(stub).state == verdict(lambda *given: None).state == "not attempted"


def test_the_method_that_is_handed_over_may_be_called():
    assert verdict(forth_and_back, watch=True).passed


# --- the oracle ------------------------------------------------------------------------------


def maps_of(number, **other):
    given = TASK.cases[number].exact() | other
    return given, oracle(**given)[0]


def plain(given):
    model = build(given["net"], given["weights"], given["statistics"]).eval()
    return class_activation_map(model, given["x"], given["y"])


def test_without_a_step_it_is_the_method_itself():
    given, maps = maps_of(3)
    assert given["eps"] == 0 and torch.allclose(maps, plain(given), rtol=1e-12)


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_step_changes_the_map_and_the_other_sign_changes_it_back(number):
    given, maps = maps_of(number, eps=1e-5)
    _, other = maps_of(number, eps=1e-5, sign=-TASK.cases[number].exact().get("sign", 1))
    change, against = maps - plain(given), other - plain(given)
    assert change.abs().max() > 1e-6
    assert torch.allclose(change, -against, atol=1e-2 * change.abs().max().item())


def test_what_is_shown_for_an_image_does_not_depend_on_the_others():
    given, maps = maps_of(0)
    _, alone = maps_of(0, x=given["x"][1:2], y=given["y"][1:2])
    assert torch.allclose(maps[1:2], alone, rtol=1e-12)


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(explaining(), **given)
    for name, value in TASK.cases[0].inputs().items():
        assert torch.equal(value, given[name]) if isinstance(value, torch.Tensor) else value == given[name]
