"""The hooks: what is recorded, when, and that nobody else notices."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.methods import PreActivations, pre_activations
from tests.methods.hooked_models import Reversed, Shared, conv_net, images


def test_takes_what_enters_each_relu_with_its_graph():
    net, x = conv_net(), images()
    recorder = PreActivations(net)
    logits = net(x)
    taken = recorder.take()
    assert recorder.names == tuple(taken) == ("1", "3")
    assert torch.equal(taken["1"], net[0](x)) and torch.equal(taken["3"], net[:3](x))
    assert (taken["1"] < 0).any()
    assert torch.equal(logits, net[5](net[:5](x)))
    taken["3"].sum().backward()
    assert net[0].weight.grad.abs().sum() > 0 and net[5].weight.grad is None


def test_order_is_that_of_use():
    recorder = PreActivations(net := Reversed())
    net(x := torch.randn(3, 2, requires_grad=True))
    assert recorder.names == ("late", "early")
    taken = recorder.take()
    assert list(taken) == ["early", "late"]
    assert torch.equal(taken["early"], x) and torch.equal(taken["late"], x.relu() - 1)


def test_named_layers_and_modules():
    net, x = conv_net(), images()
    for layers in (["3", "5"], [net[3], "5"], iter([net[3], net[5]])):
        with PreActivations(net, layers) as recorder:
            net(x)
            taken = recorder.take()
        assert list(taken) == ["3", "5"]
        assert torch.equal(taken["5"], net[:5](x))
    for layer in ("3", net[3]):
        assert PreActivations(net, layer).names == ("3",)


def test_logits_are_the_output_of_the_head():
    net, x = Shared(), torch.randn(5, 3)
    for include in (True, "head", net.head):
        with PreActivations(net, "head", include) as recorder:
            logits = net(x)
            taken = recorder.take()
        assert list(taken) == ["head", "head:output"]
        assert torch.equal(taken["head:output"], logits) and taken["head"].shape == (5, 6)


def test_one_relu_used_twice_is_two_layers():
    net, x = Shared(), torch.randn(5, 3)
    recorder = PreActivations(net)
    for _ in range(2):
        net(x)
        taken = recorder.take()
        assert list(taken) == ["relu", "relu#2"]
        assert torch.equal(taken["relu"], net.first(x))
        assert torch.equal(taken["relu#2"], net.second(net.first(x).relu()))


def test_a_call_that_fails_half_way_does_not_confuse_the_next():
    net, x = Shared(), torch.randn(5, 3)
    net.second, second = nn.Linear(9, 6), net.second
    recorder = PreActivations(net)
    with pytest.raises(RuntimeError):
        net(x)
    recorder.forget()
    net.relu(net.first(x))
    assert list(recorder.take()) == ["relu"]
    net.second = second
    net(x)
    assert list(recorder.take()) == ["relu", "relu#2"]


def test_a_part_of_the_model_called_by_itself_counts():
    net, x = Shared(), torch.randn(5, 3)
    recorder = PreActivations(net)
    for _ in range(2):
        net.relu(net.first(x)), net.relu(net.first(x))  # two passes, not two uses in one
        taken = recorder.take()
        assert list(taken) == ["relu"] and taken["relu"].shape == (10, 4)
        net(x)
        recorder.take()


def test_tensors_are_neither_copied_nor_replaced():
    net, x = nn.Sequential(nn.Identity()), torch.randn(5, 3)
    recorder = PreActivations(net, "0")
    assert net(x) is x and recorder.take()["0"] is x
    inplace = nn.Sequential(nn.ReLU(inplace=True))
    recorder = PreActivations(inplace)
    with torch.no_grad():
        assert inplace(x) is x  # nothing is recorded here, so nothing needs a copy


def test_an_in_place_relu_leaves_the_record_alone():
    net, plain, x = Shared(inplace=True), Shared(), torch.randn(5, 3)
    with torch.no_grad():
        expected = net(x)
    with PreActivations(net) as recorder, PreActivations(plain) as other:
        assert torch.equal(net(x), expected)
        plain(x)
        taken, wanted = recorder.take(), other.take()
    assert all(torch.equal(taken[name], wanted[name]) for name in wanted)
    assert (taken["relu"] < 0).any()


def test_an_in_place_layer_of_several_inputs():
    class Add(nn.Module):
        inplace = True

        def forward(self, x, y):
            return x.add_(y)

    net = Add()
    holder = nn.ModuleDict({"add": net})
    recorder = PreActivations(holder, "add")
    x, y = torch.randn(3, 2), torch.randn(3, 2)
    before = x.clone()
    assert torch.equal(net(x, y), before + y)
    assert torch.equal(recorder.take()["add"], before)


def test_a_record_changed_in_place_is_refused():
    class Careless(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 4)

        def forward(self, x):
            return F.relu_(self.head(x))

    net = Careless()
    recorder = PreActivations(net, "head", include_logits=True)
    net(torch.randn(2, 3))
    with pytest.raises(RuntimeError, match="'head:output' were changed in place"):
        recorder.take()


# --- observing, copying, removing ------------------------------------------------------------------------


def test_observe_looks_without_touching():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.ReLU())
    net(images())
    net[1].eval()
    recorder = PreActivations(net)
    net(images(2))
    before = copy.deepcopy(net.state_dict())
    random = torch.get_rng_state()
    seen = recorder.observe(images())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert [m.training for m in net] == [True, False, True, True, True] and net.training
    assert list(seen) == ["2", "4"] and not seen["2"].requires_grad
    assert torch.equal(seen["4"], seen["2"].relu())
    assert recorder.take()["2"].shape[0] == 2
    with torch.no_grad():
        net(images())
    with pytest.raises(RuntimeError, match="No forward pass"):
        recorder.take()


def test_pre_activations_is_observe_for_once():
    net = conv_net()
    seen = pre_activations(net, images())
    assert torch.equal(seen["3"], net[:3](images())) and not seen["3"].requires_grad
    assert list(pre_activations(net, images(), layers="1", include_logits="5")) == ["1", "5:output"]
    assert no_hooks(net)


def no_hooks(net):
    return not any(module._forward_pre_hooks or module._forward_hooks for module in net.modules())


def test_removing_leaves_the_model_as_it_was():
    net = conv_net()
    with PreActivations(net, include_logits="5") as recorder:
        assert not no_hooks(net)
        net(images())
    assert no_hooks(net) and recorder.model is None
    recorder.remove()
    for refused in (recorder.take, lambda: recorder.observe(images())):
        with pytest.raises(RuntimeError, match="attached to no model any more"):
            refused()


def test_a_lost_recorder_records_nothing_and_dies():
    net = conv_net()
    recorder = PreActivations(net)
    net(images())
    dead = weakref.ref(recorder)
    del recorder
    gc.collect()
    assert dead() is None
    assert net(images()).shape == (6, 5)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))], ids=["deepcopy", "pickle"]
)
def test_a_copied_model_and_a_copied_recorder_are_free(copied):
    net = conv_net()
    recorder = PreActivations(net, include_logits="5")
    net(images(3))
    twin = copied(net)
    assert torch.equal(twin(images()), conv_net()(images()))
    other = copied(recorder)
    assert other.names == recorder.names and other.model is None
    with pytest.raises(RuntimeError, match="attached to no model"):
        other.take()
    other.remove()
    assert recorder.take()["1"].shape[0] == 3
    own = PreActivations(twin)
    twin(images(2))
    assert own.take()["1"].shape[0] == 2


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers, words",
    [
        (["7"], "Sequential has no layer '7', possible are 0, 1, 2, 3, 4, 5."),
        ("", "Sequential has no layer ''"),
        (nn.ReLU(), "Sequential has no layer this ReLU"),
        (["1", "1"], "The layer '1' is given twice."),
        ([], "layers is empty"),
    ],
)
def test_impossible_layers(layers, words):
    net = conv_net()
    with pytest.raises(ValueError) as refusal:
        PreActivations(net, layers)
    assert words in str(refusal.value)
    assert no_hooks(net)


def test_other_impossible_arguments():
    with pytest.raises(ValueError, match=r"Linear contains no nn.ReLU module"):
        PreActivations(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="A layer is a module or its dotted name, not int"):
        PreActivations(conv_net(), [1])
    with pytest.raises(ValueError, match="Sequential has no layer `head`"):
        PreActivations(conv_net(), include_logits=True)
    with pytest.raises(TypeError, match="not NoneType"):
        PreActivations(conv_net(), include_logits=None)
    for count, end in ((30, r"28, 29\."), (33, r"28, 29 and 3 more\.")):
        with pytest.raises(ValueError, match=end):
            PreActivations(nn.Sequential(*[nn.ReLU() for _ in range(count)]), "x")
    twice = nn.ModuleDict({"a": (relu := nn.ReLU()), "b": relu})
    with pytest.raises(ValueError, match="'b' is given twice"):
        PreActivations(twice, ["a", "b"])
    assert PreActivations(twice, "b").names == ("b",)


@pytest.mark.parametrize(
    "x, words",
    [
        (torch.zeros(3, 2, dtype=torch.int64), r"'0' has torch.int64 \(3, 2\)"),
        (torch.zeros(3), r"'0' has torch.float32 \(3,\)"),
        ([1.0], "'0' has list"),
    ],
)
def test_inputs_that_are_no_pre_activations(x, words):
    net = nn.Sequential(nn.Identity())
    recorder = PreActivations(net, "0")
    with pytest.raises(TypeError, match=words):
        net(x)
    with pytest.raises(TypeError, match="'0' has NoneType"):
        net[0](input=x)
    recorder.remove()
    assert net(x) is x
