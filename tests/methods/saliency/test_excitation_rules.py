"""The rules of excitation backprop, layer by layer, against their formulas one number at a time."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.excitation_rules import excitation_rules, quotient
from tests.methods.saliency.literal_excitation import average_table, conv_table, linear_table, shared_out


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def signals(layer, *inputs, p=None, negated=None):
    """The layer's output, the signal p given to it (random, at first), and what it sends to its inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    with excitation_rules(negated):
        y = layer(*(leaf.clone() for leaf in leaves))
    p = draw(*y.shape, seed=8) if p is None else p
    return y.detach(), p, torch.autograd.grad(y, leaves, p)


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


CONVOLUTIONS = [
    dict(),
    dict(stride=2),
    dict(padding=1),
    dict(dilation=2),
    dict(groups=2),
    dict(stride=2, padding=2, dilation=2, groups=2),
]


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("sign", ["of both signs", "not negative"])
def test_convolutions(options, sign):
    x = draw(2, 4, 6, 5) if sign == "of both signs" else F.relu(draw(2, 4, 6, 5))
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


@pytest.mark.parametrize("sign", ["of both signs", "not negative"])
def test_linear_layers(sign):
    x = draw(3, 5) if sign == "of both signs" else F.relu(draw(3, 5))
    layer = nn.Linear(5, 4).double()
    assert_shared_out(layer, x, linear_table(layer.weight))


def test_arguments_may_be_named():
    weight, x = draw(4, 3, 2, 2, seed=3), F.relu(draw(2, 3, 4, 4))
    by_place = signals(lambda x: F.conv2d(x, weight, draw(4), 2, 1), x)
    by_name = signals(lambda x: F.conv2d(input=x, weight=weight, bias=draw(4), stride=2, padding=1), x)
    assert torch.equal(by_place[0], by_name[0]) and torch.equal(by_place[2][0], by_name[2][0])
    by_name = signals(lambda x: F.batch_norm(input=x, running_mean=draw(3), running_var=draw(3).abs()), x)
    assert torch.equal(by_name[1], by_name[2][0])
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


# --- what passes, what is ordinary -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(3).double().eval(),
        lambda x: torch.batch_norm(x, None, None, draw(3), draw(3).abs() + 1, False, 0.1, 1e-5, False),
        nn.Dropout().eval(),
        nn.Dropout(inplace=True).eval(),
        nn.Identity(),
        lambda x: x + 3,
        lambda x: 3 + x,
        lambda x: x + draw(1, 3, 1, 1),
        lambda x: draw(2, 3, 4, 4) + x,
        lambda x: x + nn.Parameter(draw(3, 1, 1)),
        lambda x: x.add_(2),
        lambda x: sum([x]),
        lambda x: x.clone(),
    ],
)  # fmt: skip
def test_the_signal_passes(layer):
    x = draw(2, 3, 4, 4)
    y, p, (found,) = signals(layer, x)
    torch.testing.assert_close(y, layer(x.clone()).detach())
    assert torch.equal(found, p)


@pytest.mark.parametrize(
    "layer",
    [
        nn.MaxPool2d(3, 2, 1),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        lambda x: x.reshape(2, 6, 8),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: F.pad(x, (1, 2, 0, 1)),
        lambda x: torch.cat([x, x.flip(2)], 1),
        lambda x: x[:, 1:],
        lambda x: x.amax((2, 3)),
    ],
)
def test_backpropagation_is_ordinary(layer):
    x = draw(2, 3, 4, 4)
    y, p, (found,) = signals(layer, x)
    assert torch.equal(y, layer(x))
    leaf = x.clone().requires_grad_()
    assert torch.equal(found, torch.autograd.grad(layer(leaf), leaf, p)[0])


# --- sums of branches ------------------------------------------------------------------------------------

ADDITIONS = {
    "+": lambda a, b: a + b,
    "torch.add": lambda a, b: torch.add(a, b),
    "torch.add, named": lambda a, b: torch.add(input=a, other=b),
    "Tensor.add": lambda a, b: a.add(b),
    "+=": lambda a, b: a.__iadd__(b),
    "Tensor.add_": lambda a, b: a.add_(b),
    "sum": lambda a, b: sum([a, b]),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_branches_share_by_what_they_bring(name):
    a, b = draw(2, 3, 2, 2, seed=1), draw(2, 3, 2, 2, seed=2)
    a[0, 0, 0, 0], b[0, 0, 0, 0] = 1.5, -1.5
    y, p, found = signals(ADDITIONS[name], a, b)
    assert torch.equal(y, a + b)
    for x, down in zip((a, b), found):
        for one, whole, signal, got in zip(*(t.flatten().tolist() for t in (x, y, p, down))):
            assert got == pytest.approx(one / whole * signal if whole else 0.0, rel=1e-12)


def test_an_in_place_sum_changes_its_first_summand():
    a, b = draw(2, 3).requires_grad_(), draw(2, 3, seed=1)
    with excitation_rules():
        out = a.clone()
        assert (out.__iadd__(b)) is out
        assert torch.equal(out, a + b)


def test_a_weighted_sum_of_branches():
    a, b = draw(2, 3, seed=1), draw(2, 3, seed=2)
    y, p, (first, second) = signals(lambda a, b: torch.add(a, b, alpha=-2), a, b)
    assert torch.equal(y, a - 2 * b)
    torch.testing.assert_close(first, a / y * p)
    torch.testing.assert_close(second, -2 * b / y * p)


def test_a_branch_for_all_positions():
    a, b = draw(2, 3, 4, 4, seed=1), draw(2, 3, 1, 1, seed=2)
    y, p, (first, second) = signals(lambda a, b: a + b, a, b)
    torch.testing.assert_close(first, a / y * p)
    torch.testing.assert_close(second, (b / y * p).sum((2, 3), keepdim=True))


def test_twice_the_same_branch_gets_both_parts():
    x = draw(2, 3)
    _, p, (found,) = signals(lambda x: x + x, x)
    assert torch.equal(found, p)


# --- the context -----------------------------------------------------------------------------------------


def test_a_later_change_in_place_does_not_matter():
    weight, x = draw(4, 3, seed=1), draw(2, 3)

    def net(x):
        y = F.linear(x, weight)
        x.relu_()
        return y

    assert torch.equal(signals(net, x)[2][0], signals(lambda x: F.linear(x, weight), x)[2][0])


def test_one_forward_pass_bears_several_backward_passes_inside_or_outside():
    layer = nn.Conv2d(2, 3, 2).double()
    x = draw(1, 2, 4, 4).requires_grad_()
    p = draw(1, 3, 3, 3)
    with excitation_rules():
        y = layer(x).relu()
        (inside,) = torch.autograd.grad(y, x, p, retain_graph=True)
    (outside,) = torch.autograd.grad(y, x, p)
    assert torch.equal(inside, outside)


def test_without_gradients_nothing_is_recorded():
    x = draw(1, 3)
    with excitation_rules(), torch.no_grad():
        assert not F.linear(x.requires_grad_(), draw(2, 3)).requires_grad
    with excitation_rules():
        assert not F.linear(draw(1, 3), draw(2, 3)).requires_grad
        assert torch.equal(torch.sigmoid(draw(2, 3)), draw(2, 3).sigmoid())  # on the way to no signal


def test_the_signal_has_no_derivative():
    x = draw(1, 3).requires_grad_()
    with excitation_rules():
        y = F.linear(x, draw(2, 3))
    (p,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert not p.requires_grad


REFUSED = {
    "mul": lambda x: x * x,
    "div": lambda x: x / 2,
    "sub": lambda x: x - x.flip(0),
    "matmul": lambda x: x @ x.mT,
    "sigmoid": torch.sigmoid,
    "tanh": lambda x: x.tanh(),
    "softmax": lambda x: x.softmax(1),
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "layer_norm": nn.LayerNorm(4).double(),
    "group_norm": nn.GroupNorm(3, 3).double(),
    "interpolate": nn.Upsample(scale_factor=2),
    "mul_": lambda x: x.clone().mul_(2),
    "__rsub__": lambda x: 1 - x,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_functions_without_a_rule_are_refused(name):
    with pytest.raises(ValueError, match="has no rule for `.*`; possible are convolutions"):
        signals(REFUSED[name], draw(2, 3, 4, 4))


@pytest.mark.parametrize(
    "negated", [nn.ReLU(), "head", nn.BatchNorm2d(3), torch.ones(2, 2)], ids=lambda n: type(n).__name__
)
def test_only_layers_with_weights_can_be_negated(negated):
    with pytest.raises(TypeError, match="possible are linear and convolutional layers"):
        excitation_rules(negated)


def test_the_quotient_drops_what_is_zero_up_to_rounding():
    z = torch.tensor([[2.0, 1e-20, 0.0, -1e-20], [1e-20, 1e-20, 0.0, 0.0]], dtype=torch.float64)
    p = torch.tensor([[3.0, 5.0, 7.0, 9.0], [3.0, 5.0, 0.0, 7.0]], dtype=torch.float64)
    assert quotient(p, z).tolist() == [[1.5, 0, 0, 0], [3e20, 5e20, 0, 0]]
    assert quotient(p[0], z[0]).tolist() == [1.5, 0, 0, 0]
    eps = torch.finfo(torch.float64).eps
    near = torch.tensor([[1.0, eps, 2 * eps]], dtype=torch.float64)
    assert quotient(torch.ones(1, 3), near).tolist() == [[1, 0, 1 / (2 * eps)]]
