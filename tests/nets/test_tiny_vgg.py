"""TinyVGG: its size by hand, its two heads, and how much of the image a location sees."""

import itertools

import pytest
import torch

from course_lib import nets


def conv_norm(inputs, outputs):
    return 9 * inputs * outputs + 2 * outputs


@pytest.mark.parametrize("width", [1, 2])
def test_it_has_the_parameters_of_its_formula(width):
    maps = [3, *(width * n for n in (16, 32, 64, 64))]
    body = sum(conv_norm(a, b) for a, b in itertools.pairwise(maps))
    averaged = nets.TinyVGG(width=width)
    assert nets.count_parameters(averaged) == body + maps[-1] * 6 + 6
    dense = nets.TinyVGG(head="fc", width=width)
    assert nets.count_parameters(dense) == body + maps[-1] * 36 * 64 + 64 + 64 * 6 + 6


def test_the_default_is_as_small_as_the_chapter_says():
    assert nets.count_parameters(nets.TinyVGG()) == 61_078


@pytest.mark.parametrize("head", ["gap", "fc"])
def test_logits_and_stages(head):
    net = nets.TinyVGG((3, 32, 48), 5, head=head).eval()
    sizes = {}
    for name in ("relu1", "relu2", "relu3", "relu4"):
        getattr(net.body, name).register_forward_hook(
            lambda m, i, o, name=name: sizes.update({name: o.shape[1:]})
        )
    assert net(torch.zeros(2, 3, 32, 48)).shape == (2, 5)
    assert sizes == {
        "relu1": (16, 32, 48), "relu2": (32, 16, 24), "relu3": (64, 8, 12), "relu4": (64, 8, 12),
    }  # fmt: skip


def test_only_the_average_takes_other_sizes():
    assert nets.TinyVGG().eval()(torch.zeros(1, 3, 64, 40)).shape == (1, 6)
    with pytest.raises(ValueError, match="this TinyVGG takes"):
        nets.TinyVGG(head="fc").eval()(torch.zeros(1, 3, 64, 40))


def test_the_average_is_the_mean_of_the_last_maps():
    net = nets.TinyVGG().double().eval()
    x = torch.rand(2, 3, 48, 48, dtype=torch.float64)
    assert torch.allclose(net.features(x), net.body[:14](x).mean((2, 3)), rtol=1e-12)
    assert type(net.body[13]) is torch.nn.ReLU


def test_a_location_of_the_last_maps_sees_26_pixels():
    torch.manual_seed(0)
    net = nets.TinyVGG().double().eval()
    x = torch.rand(1, 3, 48, 48, dtype=torch.float64, requires_grad=True)
    [g] = torch.autograd.grad(
        net.body[:13](x)[0, :, 6, 6].sum(), x
    )  # before the last ReLU, which may be zero
    rows = g.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 <= 26 and rows[-1] - rows[0] >= 22


def test_there_is_no_other_head():
    with pytest.raises(ValueError, match="head is 'mean', possible are gap, fc"):
        nets.TinyVGG(head="mean")
