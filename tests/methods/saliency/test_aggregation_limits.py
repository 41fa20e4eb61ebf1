"""Aggregation: real convolutions of every geometry, and what does not fit."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.methods.saliency import (
    aggregate,
    grad_cam,
    linear_approximation,
    normgrad,
    selective_normgrad,
)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


GEOMETRIES = [
    (1, 1, 0, 1),
    (1, 1, 1, 1),
    (1, 2, 0, 1),
    (2, 1, 0, 1),
    (3, 1, 0, 1),
    (3, 2, 1, 1),
    (3, 1, None, 2),
    (5, 2, 3, 1),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRIES)
def test_normgrad_of_a_real_convolution(kernel, stride, padding, dilation):
    x = drawn(2, 3, 7, 9)
    border = dilation * (kernel - 1) // 2 if padding is None else padding
    weight = torch.zeros(1, 3, kernel, kernel, dtype=torch.float64)
    out = F.conv2d(x, weight, stride=stride, padding=border, dilation=dilation)
    g = drawn(2, 4, *out.shape[2:], seed=1)
    patches = F.unfold(x, kernel, dilation=dilation, padding=border, stride=stride)
    wanted = patches.norm(dim=1).view_as(out) * g.norm(dim=1, keepdim=True)
    torch.testing.assert_close(normgrad(x, g, kernel, stride, padding, dilation), wanted)


def test_the_kernel_is_of_one_location_if_nothing_is_said():
    x, g = drawn(2, 3, 4, 5), drawn(2, 3, 4, 5, seed=1)
    assert torch.equal(aggregate("conv", "sum", x, g), aggregate("conv", "sum", x, g, 1))
    assert torch.equal(normgrad(x, g), normgrad(x, g, 1, 1, 0, 1))


@pytest.mark.parametrize(
    "method",
    [
        selective_normgrad,
        linear_approximation,
        grad_cam,
        lambda x, g: aggregate("scaling", "sum", x, g),
        lambda x, g: aggregate("bias", "norm", x, g),
        lambda x, g: aggregate("conv", "max", x, g),
    ],
)
@pytest.mark.parametrize("other", [(2, 3, 4, 1), (1, 3, 4, 5), (2, 1, 4, 5)])
def test_an_activation_and_a_gradient_that_would_broadcast_are_refused(method, other):
    with pytest.raises(ValueError, match=r"^x \(2, 3, 4, 5\) and g \(\d, \d, 4, \d\) belong to different"):
        method(drawn(2, 3, 4, 5), drawn(*other))


def test_normgrad_wants_a_gradient_of_the_layers_output():
    for g in (drawn(2, 4, 4, 4), drawn(1, 4, 4, 5)):
        with pytest.raises(ValueError, match="this layer makes maps of 4x5"):
            normgrad(drawn(2, 3, 4, 5), g, 3)
