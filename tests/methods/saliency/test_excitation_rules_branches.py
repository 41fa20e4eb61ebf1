"""Excitation backprop: sums of branches, what passes, what stays ordinary, what is refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.excitation_rules import excitation_rules
from tests.methods.saliency.literal_excitation import draw, signals

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
    "Tensor.add_, named": lambda a, b: a.add_(other=b),
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
    for add in (
        lambda a, b: torch.add(a, b, alpha=-2),
        lambda a, b: torch.add(input=a, other=b, alpha=-2),
        lambda a, b: a.add(other=b, alpha=-2),
    ):
        y, p, (first, second) = signals(add, a, b)
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
        assert torch.equal(torch.sigmoid(x), x.sigmoid())  # no rule is needed
    with excitation_rules():
        assert not F.linear(draw(1, 3), draw(2, 3)).requires_grad
        assert torch.equal(torch.sigmoid(draw(2, 3)), draw(2, 3).sigmoid())  # on the way to no signal


def test_the_signal_has_no_derivative():
    x = draw(1, 3).requires_grad_()
    with excitation_rules():
        y = F.linear(x, draw(2, 3))
        z = F.relu(x)
    (p,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert not p.requires_grad
    (p,) = torch.autograd.grad(z, x, draw(1, 3).requires_grad_(), create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        p.sum().backward()


REFUSED = {
    "mul": lambda x: x * x,
    "mul_": lambda x: x.clone().mul_(2),
    "multiply": lambda x: torch.multiply(x, 2),
    "div": lambda x: x / 2,
    "__rdiv__": lambda x: 2 / x,
    "divide": lambda x: torch.divide(x, 2),
    "true_divide": lambda x: torch.true_divide(x, 2),
    "sub": lambda x: x - x.flip(0),
    "subtract": lambda x: torch.subtract(x, 1),
    "__rsub__": lambda x: 1 - x,
    "pow": lambda x: x**2,
    "__rpow__": lambda x: 2**x,
    "square": lambda x: x.square(),
    "sqrt": lambda x: x.sqrt(),
    "exp": lambda x: x.exp(),
    "matmul": lambda x: x @ x,
    "__rmatmul__": lambda x: x.__rmatmul__(x),
    "mm": lambda x: torch.mm(x[0, 0], x[0, 0]),
    "mv": lambda x: torch.mv(x[0, 0], x[0, 0, 0]),
    "bmm": lambda x: torch.bmm(x[0], x[0]),
    "addmm": lambda x: torch.addmm(x[0, 0], x[0, 0], x[0, 0]),
    "baddbmm": lambda x: torch.baddbmm(x[0], x[0], x[0]),
    "einsum": lambda x: torch.einsum("bkij,bkij->b", x, x),
    "bilinear": lambda x: F.bilinear(x, x, draw(2, 4, 4)),
    "scaled_dot_product_attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "multi_head_attention_forward": lambda x: nn.MultiheadAttention(4, 1).double()(x[0], x[0], x[0]),
    "interpolate": nn.Upsample(scale_factor=2),
    "softmax": lambda x: x.softmax(1),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "layer_norm": nn.LayerNorm(4).double(),
    "group_norm": nn.GroupNorm(3, 3).double(),
    "instance_norm": nn.InstanceNorm2d(3),
    "local_response_norm": nn.LocalResponseNorm(2),
    "rms_norm": lambda x: F.rms_norm(x, (4,)),
    "log_sigmoid": F.logsigmoid,
    "prelu": nn.PReLU().double(),
    **{
        name: getattr(F, name)
        for name in (
            "sigmoid", "hardsigmoid", "tanh", "hardtanh", "relu6", "leaky_relu", "rrelu", "elu",
            "selu", "celu", "gelu", "silu", "hardswish", "mish", "softplus", "softsign", "glu", "normalize",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_functions_without_a_rule_are_refused(name):
    with pytest.raises(ValueError, match=r"has no rule for `(\w+)`; possible are convolutions") as refusal:
        signals(REFUSED[name], draw(2, 3, 4, 4).abs())
    assert f"`{name}`" in str(refusal.value)


@pytest.mark.parametrize(
    "negated", [nn.ReLU(), "head", nn.BatchNorm2d(3), torch.ones(2, 2)], ids=lambda n: type(n).__name__
)
def test_only_layers_with_weights_can_be_negated(negated):
    with pytest.raises(TypeError, match="possible are linear and convolutional layers"):
        excitation_rules(negated)
