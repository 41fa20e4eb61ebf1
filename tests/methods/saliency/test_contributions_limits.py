"""Spatial contributions: what holds if nothing is said, nets without weights, and what does not fit."""

import pytest
import torch
from torch import nn

from course_lib.methods.saliency import inserted_identity, spatial_contributions
from course_lib.methods.saliency.contributions import Identity, patches_of, same_padding


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_kernel_is_of_one_location_if_nothing_is_said():
    x, g = drawn(1, 2, 3, 4), drawn(1, 3, 3, 4, seed=1)
    assert torch.equal(spatial_contributions("conv", x, g), spatial_contributions("conv", x, g, 1, 1, 0, 1))
    assert torch.equal(patches_of(x, g, 3), patches_of(x, g, 3, 1, 1, 1))
    assert Identity("conv", 2).weight.shape == (2, 2, 1, 1)
    with inserted_identity(nn.Sequential(nn.ReLU()), "0", "conv", 2) as identity:
        assert identity.weight.shape == (2, 2, 1, 1)


def test_a_net_without_weights_can_have_an_identity_inserted():
    net, x = nn.Sequential(nn.ReLU()), torch.randn(1, 2, 3, 4)
    with inserted_identity(net, "0", "scaling", 2) as identity:
        assert torch.equal(net(x), x.relu())
        assert identity.weight.dtype == torch.float32


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_padding_that_keeps_the_size(kernel, dilation):
    x = torch.zeros(1, 1, 13, 14)
    padding = same_padding(kernel, dilation)
    assert nn.Conv2d(1, 1, kernel, padding=padding, dilation=dilation)(x).shape == x.shape
    assert patches_of(x, x, kernel, dilation=dilation).shape == (1, 1, kernel**2, 13, 14)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bias", None, drawn(2, 3, 3)), r"^g has shape \(2, 3, 3\), needed is \(B, K, h, w\)"),
        (("conv", drawn(1, 2, 3, 3), drawn(2, 3, 3)), r"^g has shape \(2, 3, 3\)"),
        (("conv", drawn(2, 3, 3), drawn(1, 2, 3, 3)), r"^x has shape \(2, 3, 3\)"),
        (("conv", drawn(2, 2, 3, 3), drawn(1, 2, 3, 3)), r"x \(2, 2, 3, 3\) and g \(1, 2, 3, 3\) do not fit"),
        (("scaling", drawn(1, 2, 3, 3), drawn(1, 1, 3, 3)), r"^x \(1, 2, 3, 3\) and g \(1, 1, 3, 3\) belong"),
        (("conv", drawn(1, 2, 3, 3), drawn(1, 2, 3, 3), -1), "kernel_size is -1, possible"),
        (("conv", drawn(1, 2, 3, 3), drawn(1, 2, 3, 3), 0), "kernel_size is 0, possible"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(arguments, says):
    with pytest.raises(ValueError, match=says):
        spatial_contributions(*arguments)
