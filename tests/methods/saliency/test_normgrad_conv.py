"""NormGrad of a real convolution: inputs that are overwritten, and convolutions of every shape."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency import saliency


class Branching(nn.Module):
    """stem, then beside one another a convolution and a ReLU of the same tensor, then mean and linear."""

    def __init__(self, inplace, conv=nn.Conv2d, by_name=False):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv = nn.Conv2d(3, 4, 3, padding=1), conv(4, 4, 3, padding=1)
        self.relu, self.head = nn.ReLU(inplace=inplace), nn.Linear(4, 3)
        self.by_name = by_name

    def forward(self, x):
        z = self.stem(x)
        y = self.conv(input=z) if self.by_name else self.conv(z)
        return self.head((y + self.relu(z)).mean((2, 3)))


class Emptying(nn.Conv2d):
    """A convolution that overwrites what entered it."""

    def forward(self, z):
        y = super().forward(z)
        z.zero_()
        return y


class Twice(Branching):
    """The same convolution two times, the first time beside a ReLU of what entered it."""

    def forward(self, x):
        z = self.stem(x)
        again = self.conv(z) + self.relu(z)
        return self.head((self.conv(again) + again).mean((2, 3)))


X, Y = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2])


def maps(net, layer="conv"):
    return saliency(net.eval(), X, Y, "normgrad_conv", layer)


def by_hand(net):
    """The norm of the gradient's part of each place, from patches and gradients: Table 2, row 5."""
    z = net.stem(X).detach()
    y = net.conv(z.clone()).detach().requires_grad_()
    [g] = torch.autograd.grad(net.head((y + F.relu(z)).mean((2, 3)))[range(2), Y].sum(), y)
    patches = F.unfold(z, 3, padding=1).unflatten(2, (6, 7))
    return patches.norm(dim=1, keepdim=True) * g.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_a_relu_in_place_beside_the_convolution_changes_nothing(inplace, by_name):
    net = Branching(inplace, by_name=by_name)
    torch.testing.assert_close(maps(net), by_hand(Branching(False)))


def test_nor_does_a_convolution_that_overwrites_what_entered_it():
    class Last(Branching):
        def forward(self, x):
            return self.head(self.conv(self.stem(x)).mean((2, 3)))

    torch.testing.assert_close(maps(Last(False, Emptying)), maps(Last(False)))
    assert maps(Last(False)).min() > 0


@pytest.mark.parametrize("use", ["conv#1", "conv#2"])
def test_each_use_of_a_convolution_has_what_entered_it_that_time(use):
    torch.testing.assert_close(maps(Twice(True), use), maps(Twice(False), use))
    assert not torch.allclose(maps(Twice(False), "conv#1"), maps(Twice(False), "conv#2"))


# --- convolutions of every shape ---------------------------------------------------------------------------


class Shaped(nn.Module):
    def __init__(self, **how):
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.head = nn.Conv2d(3, 4, **how), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.conv(x).square().mean((2, 3)))


@pytest.mark.parametrize(
    "how",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 1, "padding": 2},
        {"kernel_size": 2, "stride": 3},
        {"kernel_size": 3, "dilation": 2, "padding": 1},
        {"kernel_size": 1},
    ],
    ids=str,
)
def test_it_is_the_norm_of_the_weight_gradient_of_each_place(how):
    """One place's part of the gradient: that of the weights where only this place of the output counts."""
    net = Shaped(**how)
    found = maps(net)
    outputs = net.conv(X)
    g = torch.autograd.grad(net.head(outputs.square().mean((2, 3)))[range(2), Y].sum(), outputs)[0]
    assert found.shape == (2, 1, *outputs.shape[2:])
    for row in range(outputs.shape[2]):
        for column in range(outputs.shape[3]):
            part = (net.conv(X)[1] * g[1])[:, row, column].sum()
            (weight,) = torch.autograd.grad(part, net.conv.weight)
            assert found[1, 0, row, column].item() == pytest.approx(weight.norm().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"kernel_size": (3, 1)}, "square kernels with the same stride and padding both ways.$"),
        ({"kernel_size": 3, "stride": (1, 2)}, "square kernels"),
        ({"kernel_size": 3, "dilation": (1, 2)}, "square kernels"),
        ({"kernel_size": 3, "padding": (0, 1)}, "square kernels"),
        ({"kernel_size": 3, "padding": "same"}, "square kernels"),
        (
            {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
            "normgrad_conv needs padding by zeros, not 'reflect'.$",
        ),
    ],
    ids=str,
)
def test_what_it_has_no_formula_for_is_refused(how, says):
    with pytest.raises(ValueError, match=says):
        maps(Shaped(**how))


def test_groups_and_the_image_are_refused():
    net = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="Conv2d of one group, '0' is Conv2d.$"):
        maps(net, "0")
    with pytest.raises(ValueError, match="Conv2d of one group, 'input' is the image.$"):
        maps(net, None)
