"""Both forms of excitation backprop: what they leave behind, which is nothing, and what they refuse."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from tests.methods.saliency.excited_nets import CLASSES, LAYERS, Aside, Net, images

# --- what is left behind ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_nothing_is_left_behind(function):
    net, x = Net().train(), images()
    net.block.eval()
    net.head.bias.requires_grad_(False)
    before, kept_x = copy.deepcopy(net.state_dict()), x.clone()
    identity = {name: (id(p), p._version, p.requires_grad) for name, p in net.named_parameters()}
    random = torch.get_rng_state()
    with torch.no_grad():
        found = function(net, x, CLASSES, [None, *LAYERS])
    assert all(torch.equal(a, b) for a, b in zip(before.values(), net.state_dict().values()))
    assert identity == {name: (id(p), p._version, p.requires_grad) for name, p in net.named_parameters()}
    assert [m.training for m in net.modules()] == [
        not name.startswith("block") for name, _ in net.named_modules()
    ]
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(x, kept_x) and not x.requires_grad
    assert not any(p.requires_grad for p in found.values())
    leaf = x.clone().requires_grad_()
    outputs = net(leaf)[:, 0].sum()
    (gradient,) = torch.autograd.grad(outputs, leaf)
    assert not torch.allclose(gradient.sum(), torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_nothing_is_left_behind_after_an_error(function):
    net = Net().train()
    with pytest.raises(ValueError, match="possible are 0 to 4"):
        function(net, images(), 5, "block")
    net.conv1.in_channels = net.conv1.weight.shape[1]
    with pytest.raises(RuntimeError):
        function(net, images()[:, :1], 0, "block")
    assert net.training and not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    x = images().requires_grad_()
    (p,) = torch.autograd.grad(F.linear(x, torch.ones(1, 8, dtype=torch.float64)).sum(), x)
    assert torch.equal(p, torch.ones_like(x))


class Counted(Net):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_one_forward_pass_for_all_layers(function):
    net = Counted()
    function(net, images(), CLASSES, [None, *LAYERS])
    assert net.calls == 1


# --- refused ---------------------------------------------------------------------------------------------


def test_unclear_requests_are_refused():
    net, x = Net(), images()
    for function in (excitation_backprop, contrastive_excitation_backprop):
        with pytest.raises(ValueError, match="no layer 'conv9'"):
            function(net, x, CLASSES, "conv9")
        with pytest.raises(ValueError, match="saliency map needs maps"):
            function(net, x, CLASSES, "head")
        with pytest.raises(ValueError, match=r"y has shape \(2,\)"):
            function(net, x, CLASSES[:2])
        with pytest.raises(ValueError, match="has no rule for `sigmoid`"):
            function(nn.Sequential(net, nn.Sigmoid()), x, CLASSES)


def test_layers_that_take_no_part_are_refused():
    net, x = Aside(), images()
    with pytest.raises(ValueError, match="'aside' does not influence the score"):
        excitation_backprop(net, x, CLASSES, ["used", "aside"])
    with pytest.raises(ValueError, match="weights of the classifier 'spare' are not used"):
        contrastive_excitation_backprop(net, x, CLASSES)
    with pytest.raises(
        ValueError, match="'aside' does not lie below the contrast layer, the input of 'head'.$"
    ):
        contrastive_excitation_backprop(net, x, CLASSES, "aside", classifier="head")
    with pytest.raises(ValueError, match="contrast layer, aside, does not influence the score"):
        contrastive_excitation_backprop(net, x, CLASSES, None, "aside", classifier="head")
    with pytest.raises(ValueError, match="contrast layer, spare, runs 0 times"):
        contrastive_excitation_backprop(net, x, CLASSES, None, "spare", classifier="head")
    found = contrastive_excitation_backprop(net, x, CLASSES, "used", classifier=net.head)
    assert list(found) == ["used"]


def test_contrasts_that_make_no_sense_are_refused():
    net, x = Net(), images()
    with pytest.raises(ValueError, match="'pool2' does not lie below the contrast layer, block"):
        contrastive_excitation_backprop(net, x, CLASSES, [None, "pool2"], "block")
    with pytest.raises(TypeError, match="classifier 'relu' is ReLU, possible are linear and conv"):
        contrastive_excitation_backprop(net, x, CLASSES, classifier="relu")
    with pytest.raises(ValueError, match="neither a linear layer nor a convolution"):
        contrastive_excitation_backprop(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), x, 0)
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shared = nn.Sequential(net.conv1, net.relu, net.block, net.relu, *pooled, net.head)
    with pytest.raises(ValueError, match="contrast layer, 1, runs 2 times"):
        contrastive_excitation_backprop(shared, x, CLASSES, None, net.relu)
