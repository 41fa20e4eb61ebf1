"""Spatial contributions against autograd's weight gradients and against loops; the inserted identity."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency import capture, inserted_identity, spatial_contributions
from course_lib.nets import TinyVGG


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


GEOMETRIES = [
    (1, 1, 0, 1),
    (3, 1, 1, 1),
    (3, 2, 1, 1),
    (5, 1, 2, 1),
    (3, 2, 0, 1),
    (3, 1, 2, 2),
    (2, 2, 0, 1),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRIES)
def test_a_convolution_s_contributions_add_up_to_its_weight_gradient(kernel, stride, padding, dilation):
    x, weight = drawn(2, 3, 7, 9), drawn(4, 3, kernel, kernel, seed=1).requires_grad_()
    out = F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation)
    g = drawn(*out.shape, seed=2)
    [wanted] = torch.autograd.grad(out, weight, g)
    each = spatial_contributions("conv", x, g, kernel, stride, padding, dilation)
    assert each.shape == (2, 4, kernel**2 * 3, *out.shape[2:])
    assert torch.allclose(each.sum((0, 3, 4)), wanted.flatten(1), rtol=1e-12)


def test_a_convolution_s_contributions_by_loops():
    x, g = drawn(2, 2, 4, 5), drawn(2, 3, 2, 3, seed=1)
    each = spatial_contributions("conv", x, g, 3, stride=2, padding=1)
    padded = F.pad(x, (1, 1, 1, 1))
    for b, o, k, i, j, r, c in itertools.product(
        range(2), range(3), range(2), range(3), range(3), range(2), range(3)
    ):
        wanted = g[b, o, r, c] * padded[b, k, 2 * r + i, 2 * c + j]
        assert each[b, o, 9 * k + 3 * i + j, r, c] == wanted


def test_depthwise_contributions_add_up_to_the_weight_gradient():
    x, weight = drawn(2, 3, 5, 6), drawn(3, 1, 3, 3, seed=1).requires_grad_()
    out = F.conv2d(x, weight, padding=1, groups=3)
    g = drawn(*out.shape, seed=2)
    [wanted] = torch.autograd.grad(out, weight, g)
    each = spatial_contributions("depthwise", x, g, 3)
    assert torch.allclose(each.sum((0, 3, 4)), wanted.flatten(1), rtol=1e-12)


def test_bias_and_scaling():
    x, g = drawn(2, 3, 4, 5), drawn(2, 3, 4, 5, seed=1)
    assert torch.equal(spatial_contributions("bias", x, g), g)
    assert torch.equal(spatial_contributions("scaling", x, g), g * x)


def test_only_the_patch_of_a_location_counts():
    x, g = drawn(1, 2, 6, 6), drawn(1, 2, 6, 6, seed=1)
    before = spatial_contributions("conv", x, g, 3)
    x[0, :, 5, 5] += 1
    changed = (spatial_contributions("conv", x, g, 3) != before).any(1).any(1)[0].nonzero()
    assert changed.min() == 4 and len(changed) == 4


@pytest.mark.parametrize("layer", ["body.relu2", "body.conv3", "body.pool1"])
@pytest.mark.parametrize(
    ("kind", "kernel"), [("bias", 1), ("scaling", 1), ("conv", 1), ("conv", 3), ("depthwise", 3)]
)
def test_an_identity_that_is_really_inserted_agrees(layer, kind, kernel):
    torch.manual_seed(0)
    net = TinyVGG((3, 16, 24), 4).double().eval()
    x, y = drawn(3, 3, 16, 24), torch.tensor([2, 0, 3])
    plain = net(x)
    taken = capture(net, x, y, layer)[layer]
    with inserted_identity(net, layer, kind, taken.x.shape[1], kernel) as identity:
        logits = net(x)
        assert torch.equal(logits, plain)
        [wanted] = torch.autograd.grad(logits[range(3), y].sum(), identity.weight)
        assert sum(len(module._forward_hooks) for module in net.modules()) == 1
    each = spatial_contributions(kind, taken.x, taken.g, kernel)
    total = each.sum((0, -2, -1))
    if kind == "conv" or kind == "depthwise":
        wanted = wanted.flatten(1)
    assert torch.allclose(total, wanted, rtol=1e-9, atol=1e-12)
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("linear", drawn(1, 2, 3, 3), drawn(1, 2, 3, 3)), "kind is 'linear'"),
        (("scaling", drawn(1, 2, 3, 3), drawn(1, 3, 3, 3)), "different tensors"),
        (("scaling", drawn(2, 3, 3), drawn(2, 3, 3)), "x has shape"),
        (("conv", drawn(1, 2, 6, 6), drawn(1, 2, 6, 6), 3, 2), "makes maps of 3x3"),
        (("conv", drawn(1, 2, 6, 6), drawn(1, 2, 6, 6), 2), "odd numbers"),
        (("depthwise", drawn(1, 2, 6, 6), drawn(1, 3, 6, 6), 3), "needs the same"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(arguments, says):
    with pytest.raises(ValueError, match=says):
        spatial_contributions(*arguments)


def test_there_is_no_identity_of_another_kind():
    with (
        pytest.raises(ValueError, match="kind is 'dense'"),
        inserted_identity(nn.Sequential(nn.ReLU()), "0", "dense", 2),
    ):
        pass
