"""Excitation backprop through layers and averages, against its formula one number at a time."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.excitation_rules import quotient
from tests.methods.saliency.literal_excitation import (
    average_table,
    conv_table,
    draw,
    linear_table,
    shared_out,
    signals,
)


def assert_shared_out(layer, x, table, negated=None):
    """That the layer's rule is the literal one for each sample, and its values are the ordinary ones."""
    y, p, (found,) = signals(layer, x, negated=negated)
    assert torch.equal(y, layer(x))
    for sample, signal, down in zip(x, p, found):
        expected = shared_out(signal.flatten().tolist(), sample.flatten().tolist(), table)
        expected = torch.tensor(expected, dtype=x.dtype).view_as(sample)
        torch.testing.assert_close(down, expected)


# --- the formula -----------------------------------------------------------------------------------------


def test_the_formula_by_hand():
    weight = torch.tensor([[1.0, -5.0, 2.0], [3.0, 1.0, -1.0]], dtype=torch.float64)
    x = torch.tensor([[2.0, 7.0, 3.0]], dtype=torch.float64)
    p = torch.tensor([[4.0, 26.0]], dtype=torch.float64)
    _, _, (found,) = signals(lambda x: F.linear(x, weight), x, p=p)
    # Unit 0 is excited by 2 and 6, unit 1 by 6 and 7.
    assert found.tolist() == [[4 * 2 / 8 + 26 * 6 / 13, 26 * 7 / 13, 4 * 6 / 8]]


def test_the_formula_in_two_layers():
    first, second = draw(5, 4, seed=1) + 0.5, draw(3, 5, seed=2) + 0.5
    x = draw(2, 4).abs()
    h = F.relu(x @ first.T)
    p = draw(2, 3, seed=8)
    inner = h * ((p / (h @ second.clamp(min=0).T)) @ second.clamp(min=0))
    expected = x * ((inner / (x @ first.clamp(min=0).T)) @ first.clamp(min=0))
    _, _, (found,) = signals(lambda x: F.linear(F.relu(F.linear(x, first)), second), x, p=p)
    torch.testing.assert_close(found, expected)


SIGNS = {"both": lambda x: x, "not negative": F.relu, "negative": lambda x: -x.abs()}
CONVOLUTIONS = [
    dict(),
    dict(stride=2),
    dict(padding=1),
    dict(dilation=2),
    dict(groups=2),
    dict(stride=2, padding=2, dilation=2, groups=2),
]


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("sign", SIGNS)
def test_convolutions(options, sign):
    x = SIGNS[sign](draw(2, 4, 6, 5))
    layer = nn.Conv2d(4, 6, (3, 2), **options).double()
    assert_shared_out(layer, x, conv_table(layer.weight, x.shape[1:], **options))


def test_convolutions_in_one_dimension_and_transposed():
    x = F.relu(draw(2, 3, 9))
    layer = nn.Conv1d(3, 4, 3, stride=2, padding=1).double()
    found = signals(layer, x)[2][0]
    flat = nn.Conv2d(3, 4, (1, 3), stride=(1, 2), padding=(0, 1)).double()
    flat.weight.data = layer.weight.data[:, :, None]
    expected = signals(flat, x[:, :, None], p=draw(2, 4, 1, 5, seed=8))[2][0]
    torch.testing.assert_close(found, expected[:, :, 0])
    # Without overlap and with one input channel, each value has its outputs to itself, and takes all of p.
    up = nn.ConvTranspose2d(1, 1, 2, stride=2).double()
    up.weight.data.abs_()
    x = draw(2, 1, 3, 3).abs() + 0.1
    _, p, (found,) = signals(up, x)
    torch.testing.assert_close(found, F.avg_pool2d(p, 2) * 4)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("kind", ["conv", "conv_transpose", "avg_pool", "adaptive_avg_pool"])
def test_in_every_number_of_dimensions(kind, dimensions):
    """Where one dimension counts, the others being 1 long, all forms are the same."""
    x, weight = F.relu(draw(2, 3, 9)) + 0.1, draw(3, 3, 3, seed=4)

    def layer(x):
        there = x[(..., *[None] * (dimensions - 1))]
        function = getattr(F, f"{kind}{dimensions}d")
        if kind == "avg_pool":
            out = function(there, (3, *[1] * (dimensions - 1)))
        elif kind == "adaptive_avg_pool":
            out = function(there, (4, *[1] * (dimensions - 1)))
        else:
            out = function(there, weight[(..., *[None] * (dimensions - 1))])
        return out.flatten(2)

    y, p, (found,) = signals(layer, x)
    ones = {
        "conv": lambda x: F.conv1d(x, weight),
        "conv_transpose": lambda x: F.conv_transpose1d(x, weight),
        "avg_pool": lambda x: F.avg_pool1d(x, 3),
        "adaptive_avg_pool": lambda x: F.adaptive_avg_pool1d(x, 4),
    }[kind]
    table = torch.autograd.functional.jacobian(lambda one: ones(one[None]).flatten(), x[0]).flatten(1)
    torch.testing.assert_close(y, ones(x))
    for sample, signal, down in zip(x, p, found):
        expected = shared_out(signal.flatten().tolist(), sample.flatten().tolist(), linear_table(table))
        torch.testing.assert_close(down.flatten().tolist(), expected)


@pytest.mark.parametrize("sign", SIGNS)
def test_linear_layers(sign):
    x = SIGNS[sign](draw(3, 5))
    layer = nn.Linear(5, 4).double()
    assert_shared_out(layer, x, linear_table(layer.weight))


def test_arguments_may_be_named():
    weight, x = draw(4, 3, 2, 2, seed=3), F.relu(draw(2, 3, 4, 4))
    by_place = signals(lambda x: F.conv2d(x, weight, draw(4), 2, 1), x)
    by_name = signals(lambda x: F.conv2d(input=x, weight=weight, bias=draw(4), stride=2, padding=1), x)
    assert torch.equal(by_place[0], by_name[0]) and torch.equal(by_place[2][0], by_name[2][0])
    by_name = signals(lambda x: F.batch_norm(input=x, running_mean=draw(3), running_var=draw(3).abs()), x)
    assert torch.equal(by_name[1], by_name[2][0])
    norm = {"weight": None, "bias": None, "running_mean": draw(3), "running_var": draw(3).abs()}
    norm |= {"training": False, "momentum": 0.1, "eps": 1e-5, "cudnn_enabled": False}
    by_name = signals(lambda x: torch.batch_norm(input=x, **norm), x)
    assert torch.equal(by_name[1], by_name[2][0])
    assert torch.equal(by_name[0], torch.batch_norm(x, **norm))
    named = signals(lambda x: torch.mean(input=x, dim=(2, 3)), x)[2][0]
    assert torch.equal(named, signals(lambda x: x.mean((2, 3)), x)[2][0])


def test_what_has_no_cause_is_dropped():
    weight = torch.tensor([[-1.0, -2.0], [1.0, 0.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    _, _, (found,) = signals(lambda x: F.linear(x, weight), x, p=torch.full((2, 2), 3.0, dtype=torch.float64))
    assert found.tolist() == [[3, 0], [0, 0]]


def test_negated_weights_count_with_the_other_sign_and_stay():
    x = F.relu(draw(2, 4, 5, 5))
    layer, other = (nn.Conv2d(4, 3, 2).double() for _ in range(2))
    before = layer.weight.clone()
    for weight, negated in ((-layer.weight, layer), (layer.weight, other), (layer.weight, None)):
        assert_shared_out(layer, x, conv_table(weight, x.shape[1:]), negated)
    assert torch.equal(layer.weight, before)


def test_the_quotient_drops_what_is_zero_up_to_rounding():
    z = torch.tensor([[2.0, 1e-20, 0.0, -1e-20], [1e-20, 1e-20, 0.0, 0.0]], dtype=torch.float64)
    p = torch.tensor([[3.0, 5.0, 7.0, 9.0], [3.0, 5.0, 0.0, 7.0]], dtype=torch.float64)
    assert quotient(p, z).tolist() == [[1.5, 0, 0, 0], [3e20, 5e20, 0, 0]]
    assert quotient(p[0], z[0]).tolist() == [1.5, 0, 0, 0]
    eps = torch.finfo(torch.float64).eps
    near = torch.tensor([[1.0, eps, 2 * eps]], dtype=torch.float64)
    assert quotient(torch.ones(1, 3), near).tolist() == [[1, 0, 1 / (2 * eps)]]


# --- averages --------------------------------------------------------------------------------------------


def blocks(*ends):
    return [range(start, end) for start, end in ends]


WHOLE = [(range(5), range(4))]
POOLS = {
    "avg_pool2d": (
        lambda x: F.avg_pool2d(x, 2),
        [(r, c) for r in blocks((0, 2), (2, 4)) for c in blocks((0, 2), (2, 4))],
    ),
    "avg_pool2d, overlapping and padded": (
        nn.AvgPool2d(3, 2, 1),
        [(r, c) for r in blocks((0, 2), (1, 4), (3, 5)) for c in blocks((0, 2), (1, 4))],
    ),
    "adaptive_avg_pool2d": (
        nn.AdaptiveAvgPool2d(2),
        [(r, c) for r in blocks((0, 3), (2, 5)) for c in blocks((0, 2), (2, 4))],
    ),
    "global": (nn.AdaptiveAvgPool2d(1), WHOLE),
    "Tensor.mean": (lambda x: x.mean((2, 3)), WHOLE),
    "torch.mean": (lambda x: torch.mean(x, dim=(2, 3), keepdim=True), WHOLE),
    "flattened mean": (lambda x: x.flatten(2).mean(-1), WHOLE),
    "sum": (lambda x: x.sum((-2, -1)), WHOLE),
}  # fmt: skip


@pytest.mark.parametrize("name", POOLS)
def test_averages(name):
    layer, windows = POOLS[name]
    x = F.relu(draw(2, 3, 5, 4)) + 0.1
    assert_shared_out(layer, x, average_table(x.shape[1:], windows))


def test_in_an_average_what_is_below_zero_gets_nothing():
    x = torch.tensor([[[[-3.0, 1.0], [0.0, 3.0]]]], dtype=torch.float64)
    _, _, (found,) = signals(lambda x: x.mean((2, 3)), x, p=torch.full((1, 1), 8.0, dtype=torch.float64))
    assert found.tolist() == [[[[0, 2], [0, 6]]]]
