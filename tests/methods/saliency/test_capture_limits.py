"""The limits of capturing: what is refused, in which words, and unusual layers, images and classes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency import capture, class_score
from course_lib.methods.saliency.capture import checked, passing_through


def images(n=3):
    return torch.randn(n, 2, 5, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


class Net(nn.Module):
    """What is given, conv, ReLU, mean, linear; ``twice`` is a second name of the ReLU's module."""

    def __init__(self, start=None):
        super().__init__()
        torch.manual_seed(6)
        self.start = nn.Identity() if start is None else start
        self.conv, self.head = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)
        self.relu = self.twice = nn.ReLU()
        self.double()

    def forward(self, x):
        return self.head(self.relu(self.conv(self.start(x))).mean((2, 3)))


class Calls(nn.Module):
    """A layer that is called by another one: how, ``call`` says."""

    def __init__(self, inner, call):
        super().__init__()
        self.inner, self.call = inner, call

    def forward(self, x):
        return self.call(self.inner, x)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Constant(nn.Module):
    """Its output depends on no image, and is kept by the module itself."""

    def __init__(self):
        super().__init__()
        self.register_buffer("pattern", images())

    def forward(self, x):
        return self.pattern


# --- the score of a class --------------------------------------------------------------------------------


def test_outputs_that_are_no_tensor_have_no_score():
    with pytest.raises(TypeError, match="^The model returns tuple, a score of a class needs logits"):
        class_score((torch.zeros(2, 3), torch.zeros(2, 3)), torch.tensor([0, 1]))


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4), (2, 3, 4, 4, 4)])
def test_logits_have_two_or_four_dimensions(shape):
    with pytest.raises(ValueError, match="possible are"):
        class_score(torch.zeros(shape), torch.tensor([0, 0]))


@pytest.mark.parametrize(
    ("y", "range_"), [([0, -1, 1], "-1 to 1"), ([-2, -1, -1], "-2 to -1"), ([0, 3, 2], "0 to 3")]
)
def test_one_class_that_does_not_exist_is_enough(y, range_):
    with pytest.raises(ValueError, match=f"^y has classes from {range_}, possible are 0 to 2"):
        class_score(torch.zeros(3, 3), torch.tensor(y))


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2, 4)])
def test_no_images_have_no_scores(shape):
    assert class_score(torch.zeros(shape), torch.zeros(0, dtype=torch.int64)).shape == (0,)


# --- images and classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "given"),
    [
        (images()[0], r"torch\.float64 \(2, 5, 7\)"),
        (images().int(), r"torch\.int32 \(3, 2, 5, 7\)"),
        ([[0.0]], "list"),
    ],
)
@pytest.mark.parametrize("y", [0, torch.tensor([0, 1, 2])])
def test_what_is_no_image_is_called_by_its_name(x, given, y):
    with pytest.raises(ValueError, match=f"^x is {given}, needed are images"):
        checked(x, y)


@pytest.mark.parametrize("y", [True, torch.tensor([True, False, True]), 1.0])
def test_classes_are_whole_numbers(y):
    with pytest.raises(ValueError, match=r"^y has dtype torch\.(bool|float32), classes are whole numbers"):
        checked(images(), y)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_whole_numbers_of_every_type_are_classes(dtype):
    y = torch.tensor([0, 1, 2])
    assert checked(images(), y.to(dtype))[1].dtype == torch.int64
    found = capture(Net(), images(), y.to(dtype), "conv")["conv"].g
    assert torch.equal(found, capture(Net(), images(), y, "conv")["conv"].g)


@pytest.mark.parametrize("y", [1, torch.tensor([0, 1, 2])])
def test_classes_come_to_where_the_images_are(y):
    assert checked(images().to("meta"), y)[1].device.type == "meta"


# --- the images are not touched --------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [None, "conv", ["conv", None]])
def test_a_net_that_begins_in_place_leaves_the_images_as_they_are(layers):
    x = images()
    found = capture(Net(nn.ReLU(inplace=True)), x, 1, layers)
    wanted = capture(Net(nn.ReLU()), x, 1, layers)
    assert torch.equal(x, images())
    for name, one in wanted.items():
        assert torch.equal(found[name].x, one.x) and torch.equal(found[name].g, one.g)


def test_nothing_is_recorded_for_images_that_need_a_gradient():
    entered = []
    net = Net(Calls(nn.Identity(), lambda inner, x: entered.append(x) or x))
    x = images().requires_grad_()
    capture(net, x, 1, "conv")
    assert not entered[0].requires_grad and x.grad is None


def test_gradients_are_empty_until_there_are_any():
    with passing_through(Net(), images(), ["conv", None]) as (outputs, caught):
        assert outputs.shape == (3, 3)
        assert [one.g.shape for one in caught.values()] == [(0,), (0,)]


# --- which layers ----------------------------------------------------------------------------------------


def test_without_layers_it_is_the_image():
    net, x = Net(), images()
    assert list(capture(net, x, 1)) == ["input"]
    assert torch.equal(capture(net, x, 1)["input"].g, capture(net, x, 1, "input")["input"].g)


def test_a_container_is_one_layer():
    net = Net(nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU()))
    assert list(capture(net, images(), 1, net.start)) == ["start"]


def test_layers_may_come_one_by_one():
    assert list(capture(Net(), images(), 1, iter(["relu", "conv"]))) == ["relu", "conv"]
    with pytest.raises(ValueError, match="layers is empty"):
        capture(Net(), images(), 1, iter([]))


def test_a_module_of_two_names_answers_to_both():
    net, x = Net(), images()
    assert torch.equal(capture(net, x, 1, "twice")["twice"].g, capture(net, x, 1, "relu")["relu"].g)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ("relu#0", "The layer 'relu#0' has '0' behind the #, needed is a number from 1.$"),
        ("relu#2", "'relu#2' has no map to show: it runs only 1 times in a forward pass.$"),
        ("unused", "'unused' has no map to show: it runs never in a forward pass.$"),
        (["conv", "unused"], "'unused' has no map to show: it runs never in a forward pass.$"),
        ("start.inner", r"'start.inner' runs 2 times .*: choose of start.inner#1, start.inner#2.$"),
        (["conv", "aside"], "The layer 'aside' does not influence the score, so it has no saliency map.$"),
        ("head", r"The output of 'head' is \(3, 3\), a saliency map needs"),
        ("pair", r"The output of 'pair' is tuple, a saliency map needs maps \(B, K, h, w\)"),
        ("pair#1", r"The output of 'pair' is tuple, a saliency map needs maps \(B, K, h, w\)"),
    ],
)
def test_a_layer_without_a_map_is_told_in_a_sentence(layers, says):
    net = Net(Calls(nn.Identity(), lambda inner, x: inner(inner(x))))
    net.unused, net.aside, net.pair = nn.ReLU(), nn.Conv2d(2, 1, 1).double(), Pair()
    for module in (net.aside, net.pair):
        net.start.register_forward_hook(lambda _, inputs, output, module=module: (module(inputs[0]), None)[1])
    with pytest.raises(ValueError, match=says):
        capture(net, images(), 1, layers)


def test_a_constant_of_the_model_stays_one():
    net = Net(Constant())
    found = capture(net, images(), 1, "start")["start"]
    assert torch.equal(found.x, images()) and found.g.abs().sum() > 0
    assert not net.start.pattern.requires_grad


# --- what enters a layer ---------------------------------------------------------------------------------


def test_what_enters_has_no_gradient_where_a_lower_layer_is_asked_for():
    found = capture(Net(), images(), 1, ["conv", "relu", None], entering=True)
    assert torch.equal(found["relu"].entering, found["conv"].x)
    assert not found["relu"].entering.requires_grad and not found["conv"].entering.requires_grad


class Concatenation(nn.Module):
    def forward(self, parts):
        return torch.cat(parts, 1)


class Weighted(nn.Module):
    def forward(self, weight, x):
        return weight * x


@pytest.mark.parametrize(
    ("inner", "call"),
    [
        (nn.Conv2d(2, 2, 1), lambda inner, x: inner(input=x)),
        (Weighted(), lambda inner, x: inner(2.0, x)),
        (Weighted(), lambda inner, x: inner(2.0, x=x)),
        (Weighted(), lambda inner, x: inner(x, x=torch.full_like(x, 2))),
    ],
    ids=["by keyword", "the second", "the second by keyword", "the first of two"],
)
def test_it_is_the_first_tensor(inner, call):
    net = Net(Calls(inner, call))
    found = capture(net, images(), 1, "start.inner", entering=True)["start.inner"]
    assert torch.equal(found.entering, images())


@pytest.mark.parametrize("use", [1, 2])
def test_each_use_has_its_own(use):
    net = Net(Calls(nn.ReLU(), lambda inner, x: inner(inner(x) - 1)))
    found = capture(net, images(), 1, f"start.inner#{use}", entering=True)[f"start.inner#{use}"]
    assert torch.equal(found.entering, images() if use == 1 else images().clamp(min=0) - 1)


def test_it_is_kept_only_where_it_is_asked_for():
    with passing_through(Net(), images(), "conv") as (_, caught):
        assert caught["conv"].entering is None
    with passing_through(Net(), images(), "conv", entering=True) as (_, caught):
        assert torch.equal(caught["conv"].entering, images())


def test_nothing_is_said_to_enter_where_no_tensor_is_given():
    net = Net(Calls(Concatenation(), lambda inner, x: inner([x[:, :1], x[:, 1:]])))
    found = capture(net, images(), 1, "start.inner", entering=True)["start.inner"]
    assert found.entering is None
    assert found.x.shape == found.g.shape == (3, 2, 5, 7)


def test_it_is_the_gradient_of_the_score_for_such_layers_too():
    net, x = Net(Calls(nn.Conv2d(2, 2, 1), lambda inner, x: inner(input=x))), images()
    z = net.start.inner(x).detach().requires_grad_()
    (wanted,) = torch.autograd.grad(net.head(F.relu(net.conv(z)).mean((2, 3)))[:, 1].sum(), z)
    assert torch.allclose(capture(net, x, 1, "start.inner")["start.inner"].g, wanted, rtol=1e-12)
