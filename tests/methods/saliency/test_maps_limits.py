"""One call for every method: which there are, what they cost, their scores, and smoothing by the formula."""

import math

import pytest
import torch
from torch import nn

from course_lib.methods.saliency import METHODS, class_score, compare, saliency, smooth
from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from course_lib.methods.saliency.maps import BY_MASKS
from tests.methods.saliency.test_maps import LAST, Y, images, net


def test_these_are_the_methods():
    assert sorted(METHODS) == [
        "cam",
        "contrastive_excitation_backprop",
        "deconvnet",
        "excitation_backprop",
        "extremal_perturbation",
        "grad_cam",
        "gradient",
        "gradient_sum",
        "guided_backprop",
        "linear_approximation",
        "meaningful_perturbation",
        "normgrad",
        "normgrad_bias",
        "normgrad_conv",
        "normgrad_scaling",
        "occlusion",
        "rise",
        "selective_normgrad",
    ]


@pytest.mark.parametrize("method", ["cam", "normgrad", "guided_backprop", "excitation_backprop"])
def test_one_number_is_that_class_for_all(method):
    model, x = net(), images()
    each = saliency(model, x, torch.full((3,), 2), method, LAST)
    assert torch.equal(saliency(model, x, 2, method, LAST), each)


def test_one_layer_gives_maps_and_several_a_dict_of_them():
    model, x = net(), images()
    maps = saliency(model, x, Y, layer=LAST)
    assert torch.equal(saliency(model, x, Y, layer=model.body.relu4), maps)
    assert saliency(model, x, Y).shape == (3, 1, 24, 32)
    for several in ([LAST], (LAST,), iter([LAST]), [model.body.relu4]):
        found = saliency(model, x, Y, layer=several)
        assert list(found) == [LAST] and torch.equal(found[LAST], maps)
    assert list(saliency(model, x, Y, layer=[None])) == ["input"]


@pytest.mark.parametrize("method", METHODS)
def test_options_that_a_method_does_not_have_are_refused(method):
    layer = {"normgrad_conv": "body.conv3"}.get(method, LAST)
    layer = None if method in BY_MASKS else layer
    with pytest.raises(TypeError, match="strength"):
        saliency(net(), images(), Y, method, layer, strength=3)


@pytest.mark.parametrize(
    ("methods", "passes"),
    [
        (["normgrad", "grad_cam", "gradient", "normgrad_bias"], 1),
        (["deconvnet"], 1),
        (["deconvnet", "normgrad", "excitation_backprop"], 3),
    ],
)
def test_what_comparing_costs(methods, passes):
    model, count = net(), []
    model.register_forward_hook(lambda *_: count.append(1))
    compare(model, images(), Y, methods, [LAST, "body.relu2"])
    assert len(count) == passes


def test_maps_of_excitation_backprop_are_sums_over_channels_and_contrasts_lose_what_is_below_0():
    model, x = net(), images()
    signals = excitation_backprop(model, x, Y, [None, "body.relu3"])
    maps = saliency(model, x, Y, "excitation_backprop", [None, "body.relu3"])
    contrasts = contrastive_excitation_backprop(model, x, Y, [None, "body.relu3"])
    found = saliency(model, x, Y, "contrastive_excitation_backprop", [None, "body.relu3"])
    for name in signals:
        torch.testing.assert_close(maps[name][:, 0], sum(signals[name].unbind(1)))
        total = sum(contrasts[name].unbind(1))
        torch.testing.assert_close(found[name][:, 0], total.clamp(min=0))
        assert total.min() < 0 < total.max()


# --- CAM -------------------------------------------------------------------------------------------------


class Averaging(nn.Module):
    """A convolution, a mean that may be a little off, a linear layer, and something behind it."""

    def __init__(self, factor=1.0, shift=0.0, overwritten=False):
        super().__init__()
        torch.manual_seed(4)
        self.conv, self.head, self.softmax = nn.Conv2d(3, 5, 3), nn.Linear(5, 4), nn.Softmax(1)
        self.factor, self.shift, self.overwritten = factor, shift, overwritten
        self.double()

    def forward(self, x):
        mean = self.conv(x).mean((2, 3)) * self.factor + self.shift
        outputs = self.softmax(self.head(mean))
        if self.overwritten:
            mean.zero_()
        return outputs


def test_cam_is_the_weighted_sum_of_the_maps():
    x = images()
    for model in (Averaging(), Averaging(overwritten=True), Averaging(1 + 5e-4), Averaging(shift=4e-6)):
        maps = model.conv(x)
        if model.shift:
            maps = maps - maps.mean((2, 3), keepdim=True)
            model.conv.register_forward_hook(lambda m, i, out: out - out.mean((2, 3), keepdim=True))
        found = saliency(model, x, Y, "cam", "conv")
        for n in range(3):
            wanted = sum(model.head.weight[Y[n], k] * maps[n, k] for k in range(5))
            torch.testing.assert_close(found[n, 0], wanted.detach())


@pytest.mark.parametrize(
    ("model", "layer", "says"),
    [
        (
            Averaging(1 + 5e-3),
            "conv",
            "whose mean enters the last linear layer, 'head'; those of 'conv' are not",
        ),
        (Averaging(shift=1e-2), "conv", "those of 'conv' are not"),
        (Averaging(), None, "those of 'input' are not"),
        (nn.Sequential(nn.Conv2d(3, 4, 24), nn.Flatten()), "0", "averaged maps, Sequential has none.$"),
    ],
)
def test_cam_is_refused_where_it_has_no_meaning(model, layer, says):
    with pytest.raises(ValueError, match=says):
        saliency(model.double(), images(), Y, "cam", layer)


# --- the score -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "layer", "options"),
    [
        ("gradient", LAST, {}),
        ("normgrad", "body.relu2", {}),
        ("normgrad_conv", "body.conv3", {}),
        ("guided_backprop", None, {}),
        ("deconvnet", "body.relu2", {"how": "sum"}),
    ],
)
def test_a_score_of_ones_own(method, layer, options):
    model, x = net(), images()
    plain = saliency(model, x, Y, method, layer, **options)
    given = saliency(model, x, Y, method, layer, score=lambda out, y: 3 * class_score(out, y), **options)
    torch.testing.assert_close(given, 3 * plain)
    assert plain.abs().max() > 0


def test_a_negative_score_turns_the_linear_approximation_over():
    model, x = net(), images()
    given = saliency(model, x, Y, "linear_approximation", LAST, score=lambda out, y: -class_score(out, y))
    torch.testing.assert_close(given, -saliency(model, x, Y, "linear_approximation", LAST))


# --- smoothing -------------------------------------------------------------------------------------------


def literal_smooth(one, deviation, reach):
    """A sum over the neighbours up to ``reach``, mirrored at the border without repeating the last pixel."""

    def mirrored(i, n):
        return i if 0 <= i < n else (-i if i < 0 else 2 * (n - 1) - i)

    near = range(-reach, reach + 1)
    weights = [math.exp(-(d**2) / (2 * deviation**2)) for d in near]
    h, w = one.shape
    return [
        [
            sum(
                p * q * one[mirrored(r + i, h), mirrored(c + j, w)].item()
                for i, p in zip(near, weights)
                for j, q in zip(near, weights)
            )
            / sum(weights) ** 2
            for c in range(w)
        ]
        for r in range(h)
    ]


@pytest.mark.parametrize(
    ("size", "strength", "deviation", "reach"),
    [
        ((12, 8), 0.1, 1.2, 4),
        ((8, 12), 0.1, 1.2, 4),
        ((6, 10), 0.07, 0.7, 3),
        ((5, 4), 0.02, 0.1, 1),
    ],
)
def test_smoothing_is_the_formula(size, strength, deviation, reach):
    maps = torch.randn(15, 1, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = smooth(maps, strength)
    for n in (0, 14):
        wanted = torch.tensor(literal_smooth(maps[n, 0], deviation, reach), dtype=torch.float64)
        torch.testing.assert_close(found[n, 0], wanted, rtol=1e-6, atol=1e-6)


def test_smoothing_by_itself_is_a_fiftieth_of_the_longer_side():
    maps = torch.rand(2, 1, 50, 20)
    assert torch.equal(smooth(maps), smooth(maps, 0.02)) and not torch.equal(smooth(maps), smooth(maps, 0.03))
