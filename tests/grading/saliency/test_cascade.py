"""The task saliency.cascade: however new weights are drawn, a cascade passes; each slip is told apart."""

import copy
import math

import pytest
import torch
from torch import nn

from course_lib.grading.tasks.saliency.cascade import TASK, oracle, use
from course_lib.grading.tasks.saliency.cascade_pieces import cascading
from course_lib.grading.tasks.saliency.known_layers import NETS, layers_of, made_by, numbers_of
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def step_by_step(model, seed=0):
    """A generator that keeps a random state of its own between two models."""
    current = copy.deepcopy(model)
    own = torch.Generator().manual_seed(seed).get_state()
    names = [name for name, part in model.named_modules() if hasattr(part, "reset_parameters")]
    while names:
        name = names.pop()
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(own)
            current.get_submodule(name).reset_parameters()
            own = torch.get_rng_state()
        yield name, copy.deepcopy(current)


def written_by_hand(model, seed=0):
    """Draws from a generator object, evenly within ±1/√inputs, and never touches the global one."""
    generator, models = torch.Generator().manual_seed(seed), []
    current = copy.deepcopy(model)
    for name, _ in reversed(list(model.named_modules())):
        part = current.get_submodule(name)
        if isinstance(part, nn.BatchNorm2d):
            with torch.no_grad():
                for tensor, value in ((part.weight, 1), (part.bias, 0), (part.running_mean, 0)):
                    tensor.fill_(value)
                part.running_var.fill_(1)
                part.num_batches_tracked.zero_()
        elif isinstance(part, nn.Conv2d | nn.Linear):
            bound = 1 / math.sqrt(part.weight[0].numel())
            for p in part.parameters():
                p.data.uniform_(-bound, bound, generator=generator)
        else:
            continue
        models.append([name, copy.deepcopy(current)])
    return models


def layers_replaced(model, seed=0):
    """Puts new modules in place of the old ones, after the random state was kept by hand."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    new = {}
    for name, part in model.named_modules():
        if isinstance(part, nn.Conv2d):
            new[name] = nn.Conv2d(part.in_channels, part.out_channels, part.kernel_size)
        elif isinstance(part, nn.Linear):
            new[name] = nn.Linear(part.in_features, part.out_features)
        elif isinstance(part, nn.BatchNorm2d):
            new[name] = nn.BatchNorm2d(part.num_features)
    torch.set_rng_state(state)
    for done in range(1, len(new) + 1):
        made = copy.deepcopy(model)
        for name in list(new)[-done:]:
            old = model.get_submodule(name)
            layer = copy.deepcopy(new[name]).to(old.weight.dtype).train(old.training)
            for p, q in zip(layer.parameters(), old.parameters()):
                p.requires_grad_(q.requires_grad)
            parent, _, last = name.rpartition(".")
            setattr(made.get_submodule(parent), last, layer)
        yield list(new)[-done], made


RIGHT = [cascading(), step_by_step, written_by_hand, layers_replaced]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = dict.fromkeys(
    (
        "without batch norm",
        "all leaves",
        "whole blocks",
        "the model as it is comes first",
        "the first layer stays",
    ),
    "shape",
)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda model, seed=0: step_by_step(model, 3), "always the same seed"),
        (lambda model, seed=0: list(written_by_hand(model, seed))[::-1], None),
        (lambda model, seed=0: [(name, model) for name, _ in step_by_step(model, seed)], None),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    outcome = verdict(answer)
    assert outcome.cause == "value" and outcome.misconception == name


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda model, seed=0: print(seed), "one pair after the other, but it returned None"),
        (lambda model, seed=0: [model], "must give pairs (name, model), but it gives a TinyNet"),
        (lambda model, seed=0: [(model, "head")], "but it gives a TinyNet and a str"),
        (lambda model, seed=0: [("head", model.head)], "is not of the build of the model that was given"),
        (lambda model: step_by_step(model), "takes 1 positional argument but 2 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_a_cascade_without_end_is_cut_off():
    def endless(model, seed=0):
        while True:
            yield from step_by_step(model, seed)

    assert verdict(endless).cause == "shape"


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(model, seed=0):
        raise NotImplementedError("saliency.cascade")

    assert verdict(stub).state == verdict(lambda *given: None).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number):
    return dict(zip(TASK.gives, oracle(**TASK.cases[number].exact())))


def test_the_layers_are_those_with_weights_in_their_order():
    weights = torch.ones(numbers_of("a ConvNet with batch norm"), dtype=torch.float64)
    assert layers_of(made_by("a ConvNet with batch norm", weights)) == [
        "body.conv1", "body.norm1", "body.conv2", "body.conv3", "body.norm3", "head"
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_first_model_has_lost_the_last_layer_and_the_last_one_everything(number):
    order, new = list(results(number).values())[:2]
    assert order.tolist() == list(range(len(order)))[::-1]
    assert new[0].tolist() == [0] * (len(order) - 1) + [1]
    assert new[-1].tolist() == [1] * len(order)
    assert new.sum().item() == len(order) * (len(order) + 1) / 2


@pytest.mark.parametrize("net", NETS)
def test_two_layers_have_weights_of_the_same_shape(net):
    model = made_by(net, torch.ones(numbers_of(net)))
    shapes = [p.shape for p in model.parameters() if p.dim() > 1]
    assert len(set(shapes)) < len(shapes)


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(cascading(), **given)
    assert torch.equal(given["weights"], TASK.cases[0].inputs()["weights"])
