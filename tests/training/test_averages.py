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


@pytest.mark.parametrize("start", [False, True])
def test_a_warm_up_by_the_mean_is_a_plain_mean_until_the_decay_is_reached(start):
    values = [3.0, -1.0, 4.0, 8.0, -5.0]
    average = Average(one_number(7.0), decay=0.8, warm_up="mean with start" if start else "mean")
    seen = [7.0] if start else []
    for value in values[: 4 if start else 5]:  # until 1 - 1 / 5 is the decay
        average.update(one_number(value))
        seen.append(value)
        assert weight(average.model) == pytest.approx(sum(seen) / len(seen))
    before = weight(average.model)
    average.update(one_number(20.0))
    assert weight(average.model) == pytest.approx(0.8 * before + 0.2 * 20)


def test_without_a_warm_up_the_first_update_has_the_full_decay():
    for average in (Average(one_number(1.0)), Average(one_number(1.0), warm_up=False)):
        average.update(one_number(0.0))
        assert weight(average.model) == pytest.approx(0.999)


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


def several_parts(seed):
    """A net in which a module and a tensor occur twice, and places for a module, tensors are empty."""
    torch.manual_seed(seed)
    twice = nn.Linear(3, 3)
    net = nn.Sequential(
        nn.Linear(3, 3, bias=False),
        twice,
        nn.BatchNorm1d(3),
        nn.Sequential(nn.Tanh(), twice),
        nn.Linear(3, 3),
    )
    net[0].register_module("shortcut", None)
    net[0].register_buffer("nothing", None)
    net[0].register_buffer("mask", torch.rand(3))
    net[4].weight = net[0].weight
    for buffer in net[2].buffers():
        buffer.add_(1 + seed)
    return net


@pytest.mark.parametrize("buffers", ["copy", "average", "own"])
def test_shared_and_missing_parts_are_averaged_once(buffers):
    first, second = several_parts(0), several_parts(1)
    average = Average(first, decay=0.9, buffers=buffers)
    average.update(second)
    before, after = dict(first.named_parameters()), dict(second.named_parameters())
    assert len(before) == 6
    for name, mine in average.model.named_parameters():
        torch.testing.assert_close(mine, 0.9 * before[name] + 0.1 * after[name])
    before, after = dict(first.named_buffers()), dict(second.named_buffers())
    assert len(before) == 4
    for name, mine in average.model.named_buffers():
        expected = {"copy": after[name], "own": before[name], "average": after[name]}[buffers]
        if buffers == "average" and mine.is_floating_point():
            expected = 0.9 * before[name] + 0.1 * after[name]
        torch.testing.assert_close(mine, expected)
    assert average.model[4].weight is average.model[0].weight
    assert average.model[3][1] is average.model[1]


@pytest.mark.parametrize("buffers", ["copy", "average", "own"])
def test_tensors_that_were_exchanged_are_noticed(buffers):
    """Those of either side may be other objects in the next update, such as after ``.to(device)``."""
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    average = Average(model, decay=0.5, buffers=buffers)
    average.update(model)
    model[1].running_mean = torch.full((1,), 8.0)
    model[0].weight = nn.Parameter(torch.full((1, 1), 6.0))
    average.model[1].running_mean = torch.full((1,), 2.0)
    average.model[0].weight = nn.Parameter(torch.full((1, 1), 4.0), requires_grad=False)
    average.update(model)
    assert average.model[0].weight.item() == 5
    assert average.model[1].running_mean.item() == {"copy": 8, "average": 5, "own": 2}[buffers]
    model[1] = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="differ"):
        average.update(model)


def test_a_parameter_in_the_place_of_a_buffer_is_noticed():
    model, other = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    other.running_var = None
    other.register_parameter("extra", nn.Parameter(torch.ones(1)))
    with pytest.raises(ValueError, match="differ"):
        Average(model).update(other)


def test_a_model_without_parameters_or_without_buffers_can_be_followed():
    for model in (nn.Tanh(), nn.Linear(1, 1), nn.BatchNorm1d(1, affine=False)):
        for buffers in ("copy", "average", "own"):
            average = Average(model, buffers=buffers)
            average.update(model)
            assert average.updates == 1


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
        (
            lambda: Average(one_number(0), warm_up="linear"),
            "'linear', possible are False, True, 'mean', 'mean",
        ),
        (lambda: Average(one_number(0)).update(nn.Linear(2, 1, bias=False)), "differ"),
        (lambda: Average(one_number(0)).update(nn.Linear(1, 1)), "differ"),
    ],
)
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
