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


def conv_net():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    )


def images(n=6, seed=0):
    return torch.randn(n, 2, 6, 6, generator=torch.Generator().manual_seed(seed))


class Shared(nn.Module):
    """One ReLU module that serves twice, like those of torchvision's residual blocks."""

    def __init__(self, inplace=False):
        super().__init__()
        torch.manual_seed(4)
        self.first, self.second, self.head = nn.Linear(3, 4), nn.Linear(4, 6), nn.Linear(6, 2)
        self.relu = nn.ReLU(inplace)

    def forward(self, x):
        return self.head(self.relu(self.second(self.relu(self.first(x)))))


class Reversed(nn.Module):
    """Defined in one order, used in the other."""

    def __init__(self):
        super().__init__()
        self.late, self.early = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.late(self.early(x) - 1)


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


# --- which passes count ----------------------------------------------------------------------------------


def test_several_passes_are_one_batch():
    net = conv_net()
    recorder = PreActivations(net)
    net(images(4, 1)), net(images(3, 2))
    taken = recorder.take()
    assert torch.equal(taken["1"], net[0](torch.cat([images(4, 1), images(3, 2)])))
    with pytest.raises(RuntimeError, match="No forward pass in training mode with gradients enabled"):
        recorder.take()


def test_passes_of_different_size_are_refused():
    net = conv_net()[:4]
    recorder = PreActivations(net)
    net(images()), net(torch.randn(6, 2, 8, 6))
    with pytest.raises(ValueError, match=r"'1' make no batch, .* \(6, 3, 4, 4\), \(6, 3, 6, 4\)"):
        recorder.take()
    relu = nn.Sequential(nn.ReLU())
    recorder = PreActivations(relu)
    relu(torch.randn(5, 4)), relu(torch.randn(5, 6))  # without gradients to wait for, the last one counts
    assert recorder.take()["0"].shape == (5, 6)
    relu(torch.randn(5, 4, requires_grad=True)), relu(torch.randn(5, 6))
    with pytest.raises(ValueError, match=r"'0' make no batch, .* \(5, 4\), \(5, 6\)"):
        recorder.take()


def test_passes_without_gradients_leave_no_trace():
    net = conv_net()
    recorder = PreActivations(net)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            net(images())
        with pytest.raises(RuntimeError, match="No forward pass"):
            recorder.take()
    net(images(3))
    with torch.no_grad():
        net(images(5))
    assert recorder.take()["1"].shape[0] == 3


def test_an_evaluation_in_between_does_not_count():
    net = conv_net()
    recorder = PreActivations(net)
    net(images(3))
    net.eval()
    net(images(5))
    net.train()
    net(images(2, 1))
    assert torch.equal(recorder.take()["1"], net[0](torch.cat([images(3), images(2, 1)])))
    net(images(3))
    net.eval()
    with pytest.raises(RuntimeError, match="No forward pass in evaluation mode"):
        recorder.take()
    net.train()
    assert recorder.take()["1"].shape[0] == 3


def test_in_evaluation_mode_the_last_pass_counts():
    net = conv_net().eval()
    recorder = PreActivations(net)
    for n in (3, 5, 2):
        net(images(n))
    assert recorder.take()["1"].shape[0] == 2


def test_a_pass_whose_backward_pass_is_over_is_displaced_by_the_next():
    net = conv_net()
    recorder = PreActivations(net)
    for seed in range(3):  # steps that did not use the record
        net(images(4, seed)).sum().backward()
    net(images(2, 9))
    assert recorder.take()["1"].shape[0] == 2


def test_a_graph_kept_for_a_second_backward_pass_still_counts():
    net = conv_net()
    recorder = PreActivations(net)
    net(images()).sum().backward(retain_graph=True)
    recorder.take()["1"].sum().backward()


def test_layers_below_which_nothing_is_trained_do_not_pile_up():
    net = conv_net()
    net[0].requires_grad_(False)
    recorder = PreActivations(net)
    for seed in range(3):
        net(images(4, seed)).sum().backward()
    taken = recorder.take()
    assert taken["1"].shape[0] == taken["3"].shape[0] == 4


def test_forget():
    net = conv_net()
    recorder = PreActivations(net)
    net(images())
    recorder.forget()
    net(images(2))
    assert recorder.take()["1"].shape[0] == 2


def test_nothing_is_kept_alive_after_taking():
    net = conv_net()
    recorder = PreActivations(net)
    net(images())
    taken = recorder.take()
    dead = weakref.ref(taken["1"])
    (taken["1"].sum() + taken["3"].sum()).backward()
    del taken
    assert dead() is None  # at once, without the garbage collector
    x = images().requires_grad_()
    with PreActivations(net, "0") as recorder:
        net(x)
    dead = weakref.ref(x)
    del x
    assert dead() is None


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
