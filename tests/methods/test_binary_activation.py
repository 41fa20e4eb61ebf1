"""BinAct against Eq. A.11 to the letter, the levels that it takes, and what counts as above a layer."""

import copy

import pytest
import torch
from torch import nn

from course_lib import nets
from course_lib.methods import BinaryActivation, Shade, binarised, parameters_above, positive_means
from tests.methods.literal import columns
from tests.methods.small_nets import (
    DEVICES,
    batch_for,
    batches_for,
    conv_net,
    dense_net,
    inputs_of_relus,
    net_with_norms,
    same,
)

LEVELS = torch.tensor([0.7, 2.0, 1.3, 5.5], dtype=torch.float64)


def literal(h, level):
    """Eq. A.11."""
    return 0.0 if h <= 0 else level


def literal_means(h):
    means = []
    for hs in columns(h):
        positive = [value for value in hs if value > 0]
        means.append(sum(positive) / len(positive) if positive else 1.0)
    return means


# --- the activation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 4), (3, 4, 5), (2, 4, 3, 2)])
def test_values_are_those_of_the_equation(shape):
    h = torch.randn(shape, dtype=torch.float64)
    h[0, 1], h[1, 2] = 0.0, -0.0
    for found, given, level in zip(columns(BinaryActivation(LEVELS)(h)), columns(h), LEVELS.tolist()):
        assert found == [literal(value, level) for value in given]


def test_twice_is_once_and_the_input_stays():
    h = torch.randn(20, 4, dtype=torch.float64)
    kept, act = h.clone(), BinaryActivation(LEVELS)
    once = act(h)
    assert torch.equal(act(once), once) and torch.equal(h, kept)
    assert set(once.flatten().tolist()) == {0.0, *LEVELS.tolist()}


def test_no_gradient_passes():
    h = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert not BinaryActivation(LEVELS)(h).requires_grad
    weight = torch.tensor([2.0, 3.0, 4.0, 5.0], dtype=torch.float64, requires_grad=True)
    (weight * BinaryActivation(LEVELS)(h) + h).sum().backward()
    assert torch.equal(h.grad, torch.ones_like(h))
    assert weight.grad.tolist() == pytest.approx(((h > 0).sum(0) * LEVELS).tolist())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_type_and_place_are_those_of_h(dtype, device):
    h = torch.randn(6, 4, 2).to(device, dtype)
    act = BinaryActivation(LEVELS)
    out = act(h)
    assert out.dtype == dtype and out.device == h.device
    assert torch.equal(out > 0, h > 0)
    assert act.levels.dtype == torch.float64


def test_levels_are_a_buffer_of_their_own_and_survive_a_file(tmp_path):
    given = LEVELS.clone()
    act = BinaryActivation(given)
    given.zero_()
    assert torch.equal(act.levels, LEVELS) and list(act.parameters()) == []
    torch.save(act.state_dict(), tmp_path / "act.pt")
    again = BinaryActivation(torch.ones(4, dtype=torch.float64))
    again.load_state_dict(torch.load(tmp_path / "act.pt"))
    assert torch.equal(again.levels, LEVELS) and "4 units" in repr(again)


@pytest.mark.parametrize(
    "levels, words",
    [
        (torch.ones(2, 2), r"levels is torch.float32 \(2, 2\), needed is one number for each unit"),
        (torch.ones(3, dtype=torch.int64), r"levels is torch.int64 \(3,\)"),
        (torch.tensor([1.0, 0.0]), "levels has 0 in it"),
        (torch.tensor([1.0, -2.0]), "levels has -2 in it"),
        (torch.tensor([1.0, float("nan")]), "levels has nan in it"),
    ],
)
def test_impossible_levels_are_refused(levels, words):
    with pytest.raises(ValueError, match=words):
        BinaryActivation(levels)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (4, 3)])
def test_other_numbers_of_units_are_refused(shape):
    with pytest.raises(ValueError, match=r"needed is \(B, 4, ...\)"):
        BinaryActivation(LEVELS)(torch.zeros(shape))


# --- its levels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make, layers", [(dense_net, ("1", "3")), (conv_net, ("1", "3"))])
def test_levels_are_the_means_over_what_is_positive_in_all_batches_together(make, layers):
    net = make()
    batches = batches_for(net)
    with torch.no_grad():
        inputs = inputs_of_relus(net, torch.cat([x for x, _ in batches]))
    for layer, h in zip(layers, inputs):
        assert positive_means(net, layer, batches).tolist() == pytest.approx(literal_means(h), rel=1e-12)
        by_module = positive_means(net, net.get_submodule(layer), iter(batches))
        assert by_module.tolist() == pytest.approx(literal_means(h), rel=1e-12)


def test_a_unit_that_is_never_positive_gets_one():
    net = dense_net()
    with torch.no_grad():
        net[0].bias[2] = -1e3
        net[0].bias[3] = -net[0](batch_for(net)[0])[:, 3].max() + net[0].bias[3]  # its largest is 0
    levels = positive_means(net, "1", [batch_for(net)])
    assert levels[2] == 1 and torch.isfinite(levels).all()
    assert (levels > 0).all()


def test_an_inplace_relu_gives_the_same_levels():
    net = conv_net()
    expected = positive_means(net, "1", batches_for(net))
    net[1] = nn.ReLU(inplace=True)
    assert torch.equal(positive_means(net, "1", batches_for(net)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_is_summed_in_float32(dtype):
    net = dense_net(dtype)
    levels = positive_means(net, "3", [batch_for(net)])
    assert levels.dtype == torch.float32
    with torch.no_grad():
        h = inputs_of_relus(net, batch_for(net)[0])[1]
    assert levels.tolist() == pytest.approx(literal_means(h), rel=1e-5)


def test_the_model_is_left_as_found():
    net = net_with_norms()
    net[1].eval()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    shade = Shade(net, "3")
    state, modes = copy.deepcopy(net.state_dict()), [m.training for m in net.modules()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    flags, random = [p.requires_grad for p in net.parameters()], torch.get_rng_state()
    batches = batches_for(net)
    positive_means(net, "3", batches)
    parameters_above(net, "3", batches[0][0])
    binary = binarised(net, "3", batches)
    assert same(state, net.state_dict()) and modes == [m.training for m in net.modules()]
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    assert flags == [p.requires_grad for p in net.parameters()]
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(net[0].weight.grad, torch.ones_like(net[0].weight))
    assert isinstance(net[3], nn.ReLU) and isinstance(binary[3], BinaryActivation)
    assert binary[0].weight.grad is None
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()


# --- what is above ---------------------------------------------------------------------------------------


def test_in_a_row_the_layers_defined_later_are_above():
    net = nets.MLP((1, 4, 4), 3, width=5)
    names, x = [name for name, _ in net.named_parameters()], torch.randn(2, 1, 4, 4)
    for layer, first in (("body.relu1", "body.fc2.weight"), ("body.relu3", "head.weight")):
        above = parameters_above(net, layer, x)
        assert list(above) == names[names.index(first) :]
        assert all(above[name] is parameter for name, parameter in net.named_parameters() if name in above)


def test_in_a_residual_net_the_shortcuts_do_not_put_what_is_below_above():
    net = nets.WideResNet((3, 8, 8), 3, depth=10, width=1)
    x = torch.randn(2, 3, 8, 8)
    below = {"body.conv1.weight"}
    below |= {f"body.group1_block1.norm{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}
    below |= {"body.group1_block1.conv1.weight"}
    above = set(parameters_above(net, "body.group1_block1.relu2", x))
    assert above == {name for name, _ in net.named_parameters()} - below
    above = set(parameters_above(net, "body.group2_block1.relu2", x))
    assert "body.group2_block1.shortcut.weight" in above  # it lies beside
    assert not any(name.startswith("body.group1") for name in above)
    assert set(parameters_above(net, "body.relu", x)) == {"head.weight", "head.bias"}


def test_in_an_inception_the_parallel_branch_counts_as_above():
    net = nets.SmallInception((3, 8, 8), 3)
    above = set(parameters_above(net, "body.stage1_inception2.ones.relu", torch.randn(2, 3, 8, 8)))
    assert not any(name.startswith(("body.stem", "body.stage1_inception1")) for name in above)
    assert {name.split(".")[2] for name in above if "stage1_inception2" in name} == {"threes"}
    assert "body.stage1_down.conv.conv.weight" in above and "head.bias" in above


def test_parameters_used_without_a_module_and_frozen_ones():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.shift = nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(3))
            self.relu, self.unused = nn.ReLU(), nn.ReLU()

        def forward(self, x):
            return self.scale * self.relu(x + self.shift)

    net, x = Odd(), torch.randn(4, 3)
    with torch.no_grad():
        assert list(parameters_above(net, "relu", x)) == ["scale"]
    net.scale.requires_grad_(False)
    assert parameters_above(net, net.relu, x) == {}
    with pytest.raises(ValueError, match="'unused' did not run"):
        parameters_above(net, "unused", x)
