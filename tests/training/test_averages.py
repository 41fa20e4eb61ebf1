"""The moving average: against its formula by hand, for parameters and for each choice about buffers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib.training import Average


def one_number(value):
    layer = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(layer.weight, value)
    return layer


def weight(model):
    return model.weight.item()


def test_one_update_keeps_most_of_the_old_average():
    average = Average(one_number(1.0), decay=0.9)
    average.update(one_number(11.0))
    assert weight(average.model) == pytest.approx(0.9 * 1 + 0.1 * 11)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0, 0.999), st.booleans())
def test_updates_equal_a_loop(values, decay, warm_up):
    average, expected = Average(one_number(2.0), decay=decay, warm_up=warm_up), 2.0
    for t, value in enumerate(values):
        average.update(one_number(value))
        d = min(decay, (1 + t) / (10 + t)) if warm_up else decay
        expected = d * expected + (1 - d) * value
    assert weight(average.model) == pytest.approx(expected, abs=1e-9)


def test_warm_up_starts_at_a_tenth():
    average = Average(one_number(1.0), decay=0.999, warm_up=True)
    average.update(one_number(0.0))
    assert weight(average.model) == pytest.approx(0.1)
    average.update(one_number(0.0))
    assert weight(average.model) == pytest.approx(0.1 * 2 / 11)


@pytest.mark.parametrize("buffers, mean, counted", [("copy", 4.0, 7), ("average", 0.4, 7), ("own", 0.0, 0)])
def test_buffers_are_treated_as_named(buffers, mean, counted):
    model = nn.BatchNorm1d(1)
    average = Average(model, decay=0.9, buffers=buffers)
    model.running_mean.fill_(4.0)
    model.num_batches_tracked.fill_(7)
    average.update(model)
    assert average.model.running_mean.item() == pytest.approx(mean)
    assert average.model.num_batches_tracked.item() == counted
    assert model.running_mean.item() == 4.0


def test_the_copy_stands_alone():
    model = one_number(1.0)
    called = []
    model.register_forward_pre_hook(lambda *_: called.append("before"))
    model.register_forward_hook(lambda *_: called.append("after"))
    average = Average(model)
    assert not average.model.training and model.training
    assert not average.model.weight.requires_grad and model.weight.requires_grad
    average.model(torch.ones(1, 1, dtype=torch.float64))
    assert called == []
    model(torch.ones(1, 1, dtype=torch.float64))
    assert called == ["before", "after"]


def test_an_update_leaves_the_model_and_the_random_state_alone():
    model, other = one_number(3.0), one_number(1.0)
    random = torch.get_rng_state()
    average = Average(other)
    average.update(model)
    assert weight(model) == 3.0 and weight(other) == 1.0 and model.weight.grad is None
    assert torch.equal(random, torch.get_rng_state())


def test_state_goes_over():
    first = Average(one_number(1.0), warm_up=True)
    first.update(one_number(5.0))
    second = Average(one_number(0.0), warm_up=True)
    second.load_state_dict(first.state_dict())
    for average in (first, second):
        average.update(one_number(9.0))
    assert weight(first.model) == weight(second.model)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: Average(one_number(0), decay=1.0), "decay is 1.0"),
        (lambda: Average(one_number(0), decay=-0.1), "decay is -0.1"),
        (lambda: Average(one_number(0), buffers="mean"), "'mean', possible are copy, average, own"),
        (lambda: Average(one_number(0)).update(nn.Linear(2, 1, bias=False)), "differ"),
        (lambda: Average(one_number(0)).update(nn.Linear(1, 1)), "differ"),
    ],
)
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
