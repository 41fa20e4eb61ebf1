"""One pass, many layers: right tensors and gradients however ReLUs are written, and nothing left behind."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency import capture, class_score
from course_lib.nets import TinyVGG


def images(n=3, side=12):
    return torch.randn(n, 2, side, side + 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Net(nn.Module):
    """conv, ReLU, conv, ReLU, mean, linear; the way in which the ReLUs are written is given."""

    def __init__(self, first, second):
        super().__init__()
        torch.manual_seed(1)
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 5, 3, stride=2)
        self.first, self.second = first, second
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x = self.first(self.conv1(x))
        x = self.second(self.conv2(x))
        return self.head(x.mean((2, 3)))


SHARED = nn.ReLU()
WAYS = {
    "modules": (nn.ReLU(), nn.ReLU()),
    "in place": (nn.ReLU(inplace=True), nn.ReLU(inplace=True)),
    "shared": (SHARED, SHARED),
    "F.relu": (F.relu, F.relu),
    "method": (Tensor_relu := torch.Tensor.relu, Tensor_relu),
    "in-place functions": (torch.Tensor.relu_, F.relu_),
}


def by_hand(net, x, y):
    """The output of each convolution and the gradient of the logit there, with plain ReLUs."""
    first = net.conv1(x)
    second = net.conv2(first.clamp(min=0))
    logits = net.head(second.clamp(min=0).mean((2, 3)))
    found = torch.autograd.grad(logits[range(len(y)), y].sum(), [first, second])
    return {"conv1": (first, found[0]), "conv2": (second, found[1])}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_layer_gave_is_kept_whatever_happens_to_it_later(way):
    net, x, y = Net(*WAYS[way]).double(), images(), torch.tensor([0, 2, 1])
    found = capture(net, x, y, ["conv1", net.conv2])
    for name, (activation, gradient) in by_hand(net, x, y).items():
        assert (found[name].x < 0).any()
        assert torch.allclose(found[name].x, activation, rtol=1e-12)
        assert torch.allclose(found[name].g, gradient, rtol=1e-12)
        assert not found[name].x.requires_grad and not found[name].g.requires_grad


def test_the_image_and_what_enters_a_layer():
    net, x = Net(nn.ReLU(), nn.ReLU()).double(), images()
    found = capture(net, x, 1, [None, "conv2"], entering=True)
    assert list(found) == ["input", "conv2"] and found["input"].entering is None
    x_grad = x.clone().requires_grad_()
    [wanted] = torch.autograd.grad(net(x_grad)[:, 1].sum(), x_grad)
    assert torch.equal(found["input"].x, x) and torch.allclose(found["input"].g, wanted, rtol=1e-12)
    assert torch.allclose(found["conv2"].entering, net.conv1(x).clamp(min=0), rtol=1e-12)
    assert capture(net, x, 1, "conv2")["conv2"].entering is None


def test_what_enters_a_layer_that_works_in_place():
    net, x = Net(nn.ReLU(inplace=True), nn.ReLU(inplace=True)).double(), images()
    found = capture(net, x, 1, "first", entering=True)["first"]
    assert torch.allclose(found.entering, net.conv1(x), rtol=1e-12) and (found.entering < 0).any()
    assert torch.equal(found.x, found.entering.clamp(min=0))


def test_a_batch_is_its_images_one_by_one():
    torch.manual_seed(0)
    net = TinyVGG((2, 12, 16), 4).double().train()
    x, y = images(), torch.tensor([3, 0, 2])
    together = capture(net, x, y, ["body.relu2", None])
    for n in range(3):
        alone = capture(net, x[n : n + 1], y[n : n + 1], ["body.relu2", None])
        for name in together:
            assert torch.allclose(together[name].g[n], alone[name].g[0], rtol=1e-9, atol=1e-14)


def test_the_model_is_left_as_it_was():
    net = TinyVGG((2, 12, 16), 4).double().train()
    net.body.norm2.eval()
    net.body.conv3.weight.requires_grad_(False)
    net.head.bias.grad = torch.ones(4, dtype=torch.float64)
    x = images().requires_grad_()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    state = torch.get_rng_state()
    capture(net, x, 2, ["body.relu1", None])
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert not net.body.conv3.weight.requires_grad and net.body.conv1.weight.requires_grad
    assert torch.equal(net.head.bias.grad, torch.ones(4, dtype=torch.float64)) and x.grad is None
    assert sum(p.grad is not None for p in net.parameters()) == 1
    assert not any(hooks for m in net.modules() for hooks in (m._forward_hooks, m._forward_pre_hooks))
    assert torch.equal(torch.get_rng_state(), state)


def test_also_when_something_goes_wrong():
    net = TinyVGG((2, 12, 16), 4).double().train()
    with pytest.raises(ValueError, match="possible are 0 to 3"):
        capture(net, images(), 9, "body.relu1")
    assert net.training and not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("surrounding", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(surrounding):
    net, x = Net(nn.ReLU(), nn.ReLU()).double(), images()
    wanted = capture(net, x, 1, "conv1")["conv1"].g
    with surrounding():
        assert torch.equal(capture(net, x, 1, "conv1")["conv1"].g, wanted)


def test_it_works_on_a_frozen_model():
    net, x = Net(nn.ReLU(), nn.ReLU()).double(), images()
    wanted = capture(net, x, 1, "conv1")["conv1"].g
    assert torch.equal(capture(net.requires_grad_(False), x, 1, "conv1")["conv1"].g, wanted)


def test_the_weights_get_no_gradient_and_lower_layers_are_not_recorded():
    entered = []

    def relu(z):
        entered.append(z)
        return z.relu()

    capture(Net(relu, relu).double(), images(), 1, "conv2")
    first, second = entered
    assert not first.requires_grad and type(second.grad_fn).__name__ == "CloneBackward0"


def test_a_module_that_runs_twice_is_asked_for_by_the_time():
    net, x, y = Net(SHARED, SHARED).double(), images(), torch.tensor([0, 2, 1])
    with pytest.raises(ValueError, match="'first' runs 2 times in a .*: choose of first#1, first#2"):
        capture(net, x, y, "first")
    second = capture(net, x, y, "first#2")["first#2"]
    assert torch.allclose(second.x, by_hand(net, x, y)["conv2"][0].clamp(min=0), rtol=1e-12)
    first = capture(net, x, y, ["first#1", "first#2"])["first#1"]
    assert first.x.shape[1] == 4


def test_the_score_of_a_fully_convolutional_net_is_pooled():
    logits = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([2, 0])
    score = class_score(logits, y)
    for n in range(2):
        assert torch.allclose(score[n], logits[n, y[n]].exp().sum().log())
    [g] = torch.autograd.grad(score.sum(), logits)
    for n in range(2):
        assert torch.allclose(g[n, y[n]].flatten(), logits[n, y[n]].flatten().softmax(0))
        assert g[n].sum() == pytest.approx(1)


def test_a_score_of_one_s_own():
    net, x = Net(nn.ReLU(), nn.ReLU()).double(), images()
    doubled = capture(net, x, 1, "conv1", score=lambda logits, y: 2 * logits[range(3), y])["conv1"].g
    assert torch.allclose(doubled, 2 * capture(net, x, 1, "conv1")["conv1"].g, rtol=1e-12)
    with pytest.raises(ValueError, match="one number a sample"):
        capture(net, x, 1, "conv1", score=lambda logits, y: logits.sum())


@pytest.mark.parametrize(
    ("x", "y", "layers", "says"),
    [
        (images()[0], 0, "conv1", "needed are images"),
        (images().long(), 0, "conv1", "floating type"),
        (images(), torch.tensor([0, 1]), "conv1", "with 3 images it is"),
        (images(), torch.tensor([0.0, 1.0, 2.0]), "conv1", "whole numbers"),
        (images(), 0, "conv9", "has no layer 'conv9'"),
        (images(), 0, [], "layers is empty"),
        (images(), 0, ["conv1", "conv1"], "given twice"),
        (images(), 0, [None, "input"], "given twice"),
        (images(), 0, "head", r"The output of 'head' is \(3, 3\)"),
        (images(), 0, "first#3", "runs only 1 times"),
        (images(), 0, "first#x", "needed is a number from 1"),
        (images(), 0, "unused", "runs never"),
        (images(), 0, "aside", "does not influence the score"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(x, y, layers, says):
    net = Net(nn.ReLU(), nn.ReLU()).double()
    net.unused, net.aside = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 1, 1).double()
    net.conv1.register_forward_pre_hook(lambda module, inputs: print(end=str(net.aside(inputs[0]))[:0]))
    with pytest.raises(ValueError, match=says):
        capture(net, x, y, layers)
