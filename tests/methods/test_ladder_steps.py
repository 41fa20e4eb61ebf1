"""The steps of a ladder: the combinator in loops, the batch norm against torch's, the ways up and down."""

import pytest
import torch
from torch import nn

from course_lib.methods.ladder_steps import (
    Combinator,
    Conv,
    Dense,
    Mean,
    Norm,
    Pool,
    Rung,
    build_rungs,
    layers_like,
)
from course_lib.nets import mirrored
from course_lib.nets.mirrored.convs import Drop
from tests.methods.literal_ladder import combined
from tests.methods.partly_labelled import state_of


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uneven_combinator(units, seed=3):
    g = Combinator(units).double()
    with torch.no_grad():
        g.a.copy_(normal(10, units, seed=seed))
    return g


# --- the combinator --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 4)])
def test_the_combinator_is_the_formula_unit_by_unit(shape):
    g, z, u = uneven_combinator(3), normal(*shape, seed=1), normal(*shape, seed=2)
    found = g(z, u)
    for b in range(shape[0]):
        for c in range(3):
            values = zip(found[b, c].reshape(-1).tolist(), z[b, c].reshape(-1), u[b, c].reshape(-1))
            for value, z_one, u_one in values:
                expected = combined(g.a[:, c].tolist(), z_one.item(), u_one.item())
                assert value == pytest.approx(expected, rel=1e-12)


def test_ten_parameters_a_unit_and_the_mean_at_first():
    g = Combinator(3)
    assert [tuple(p.shape) for p in g.parameters()] == [(10, 3)]
    assert g.a.detach().nonzero().tolist() == [[1, 0], [1, 1], [1, 2], [6, 0], [6, 1], [6, 2]]
    assert g.a[1].tolist() == g.a[6].tolist() == [1, 1, 1]
    assert torch.equal(g(normal(4, 3), normal(4, 3, seed=1)), torch.zeros(4, 3))


def test_limits_of_the_combinator():
    """All trust gives the skip back; none gives what is expected from above."""
    z, u = normal(4, 3), normal(4, 3, seed=1)
    g = uneven_combinator(3)
    with torch.no_grad():
        g.a[5] = g.a[8] = 0
        g.a[9] = 1
        torch.testing.assert_close(g(z, u), z)
        g.a[9] = 0
        torch.testing.assert_close(g(z, u), g(normal(4, 3, seed=5), u))
        g.a[0] = 0
        torch.testing.assert_close(g(z, u), g.a[3] * u + g.a[4])


def test_gradcheck_of_the_combinator():
    g = uneven_combinator(2)
    z, u = normal(3, 2).requires_grad_(), normal(3, 2, seed=1).requires_grad_()
    call = torch.func.functional_call
    assert torch.autograd.gradcheck(lambda a, z, u: call(g, {"a": a}, (z, u)), (g.a, z, u))


# --- batch norm ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, torchs", [((7, 3), nn.BatchNorm1d), ((4, 3, 2, 5), nn.BatchNorm2d)])
def test_it_is_torchs_batch_norm_that_tells_what_it_used(shape, torchs):
    mine, theirs = Norm(3).double(), torchs(3, affine=False).double()
    for seed in range(3):
        z = 2 * normal(*shape, seed=seed) + 0.7
        found, mean, std = mine.with_statistics(z)
        torch.testing.assert_close(found, theirs(z))
        torch.testing.assert_close(found * std + mean, z)
        assert mean.numel() == std.numel() == 3
    torch.testing.assert_close(mine.mean, theirs.running_mean)
    torch.testing.assert_close(mine.var, theirs.running_var)
    mine.eval(), theirs.eval()
    before = state_of(mine)
    torch.testing.assert_close(mine(z), theirs(z))
    _, mean, std = mine.with_statistics(z)
    torch.testing.assert_close(mean.flatten(), theirs.running_mean)
    torch.testing.assert_close(std.flatten(), (theirs.running_var + theirs.eps).sqrt())
    assert all(torch.equal(before[name], value) for name, value in mine.state_dict().items())


def test_a_look_does_not_move_the_averages():
    norm, z = Norm(3).double(), normal(5, 3) + 1
    before = state_of(norm)
    looked = norm.with_statistics(z, moves=False)[0]
    assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())
    torch.testing.assert_close(norm(z), looked)
    assert not torch.equal(norm.mean, before["mean"]) and not torch.equal(norm.var, before["var"])
    assert not norm.mean.requires_grad


def test_two_samples_are_half_an_estimate_of_the_variance():
    """The variance around the mean, ((0 - 1)² + (2 - 1)²) / 2, counts double in the moving average."""
    norm = Norm(1).double()
    norm(torch.tensor([[0.0], [2.0]], dtype=torch.float64))
    assert norm.var.item() == pytest.approx(0.9 + 0.1 * 2)


def test_one_sample_is_its_own_mean():
    norm = Norm(3).double()
    assert torch.equal(norm(normal(1, 3)), torch.zeros(1, 3))
    torch.testing.assert_close(norm.var, torch.full((3,), 0.9, dtype=torch.float64))


def test_gradcheck_of_the_norm():
    norm = Norm(2).double()
    assert torch.autograd.gradcheck(norm.with_statistics, (normal(4, 2).requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_low_precision_is_normalised_in_float32(dtype):
    z = (100 + normal(64, 2)).to(dtype)
    norm = Norm(2).to(dtype)
    found, mean, std = norm.with_statistics(z)
    assert found.dtype == mean.dtype == std.dtype == torch.float32
    assert norm.mean.dtype == norm.var.dtype == dtype and (norm.mean > 5).all()
    exact = Norm(2).double()(z.double())
    torch.testing.assert_close(found.double(), exact, atol=1e-3, rtol=1e-3)


# --- rungs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", [False, True])
def test_activations(top):
    rung = Rung(nn.Identity(), nn.Identity(), 3, learns=True, top=top).double()
    z = normal(4, 3, 2, 2)
    torch.testing.assert_close(rung.activate(z), z if top else z.clamp(min=0))
    with torch.no_grad():
        rung.gain.copy_(torch.tensor([2.0, 0.5, 3.0]))
        rung.shift.copy_(torch.tensor([0.3, -0.2, 0.1]))
    for c, (gain, shift) in enumerate([(2.0, 0.3), (0.5, -0.2), (3.0, 0.1)]):
        expected = gain * (z[:, c] + shift)
        torch.testing.assert_close(rung.activate(z)[:, c], expected if top else expected.clamp(min=0))


def test_a_pooling_has_neither_activation_nor_parameters():
    rung = Rung(nn.Identity(), nn.Identity(), 3, learns=False)
    z = normal(4, 3, 2, 2)
    assert torch.equal(rung.activate(z), z) and not list(rung.parameters())


STACK = (Conv(4), Pool(), Conv(5, 3, same=False), Conv(6, 1), Mean(), Dense(3))


def test_each_way_down_undoes_the_shape_of_its_way_up():
    rungs, shapes = build_rungs(STACK, (2, 8, 12))
    assert shapes == ((2, 8, 12), (4, 8, 12), (4, 4, 6), (5, 2, 4), (6, 2, 4), (6, 1, 1), (3,))
    for rung, below, above in zip(rungs, shapes[:-1], shapes[1:], strict=True):
        h = normal(2, *below).float()
        z = rung.up(h)
        assert z.shape == (2, *above) and rung.norm.mean.shape == above[:1]
        assert rung.down(z).shape == h.shape
    assert [rung.gain is not None for rung in rungs] == [True, False, True, True, False, True]
    assert [rung.top for rung in rungs] == [False] * 5 + [True]


def test_what_is_before_a_norm_has_no_bias():
    rungs, _ = build_rungs((*STACK[:-1], Dense(7), Dense(3)), (2, 8, 8))
    assert all(not name.endswith("bias") for rung in rungs for name, _ in rung.named_parameters())


def test_what_the_ways_do():
    rungs, _ = build_rungs(STACK, (2, 8, 8))
    conv, pool, mean = rungs[0], rungs[1], rungs[4]
    x, z = normal(2, 2, 8, 8).float(), normal(2, 4, 8, 8, seed=1).float()
    torch.testing.assert_close(conv.up(x), nn.functional.conv2d(x, conv.up.weight, padding=1))
    torch.testing.assert_close(conv.down(z), nn.functional.conv_transpose2d(z, conv.down.weight, padding=1))
    torch.testing.assert_close(pool.up(z), nn.functional.max_pool2d(z, 2))
    torch.testing.assert_close(pool.down(z), z.repeat_interleave(2, 2).repeat_interleave(2, 3))
    maps = normal(3, 6, 2, 2).float()
    torch.testing.assert_close(mean.up(maps), maps.mean((2, 3), keepdim=True))
    torch.testing.assert_close(mean.down(maps[:, :, :1, :1]), maps[:, :, :1, :1].expand(3, 6, 2, 2))


def test_pixels_are_units_of_a_dense_layer():
    rungs, shapes = build_rungs((Dense(5), Dense(3)), (2, 4, 3))
    assert shapes == ((24,), (5,), (3,))
    weight = rungs[0].up[1].weight
    x = normal(2, 24).float()
    torch.testing.assert_close(rungs[0].up(x), x @ weight.T)
    assert rungs[0].down(normal(2, 5).float()).shape == (2, 24)


def test_layers_of_a_mirrored_encoder():
    encoder = mirrored.build("conv_small", in_channels=2, width=4).make_encoder()
    layers = layers_like(encoder, 7)
    assert layers == (Conv(4), Pool(), Conv(8), Pool(), Conv(8), Mean(), Dense(7))
    assert [type(layer) for layer in layers] == [Conv, Pool, Conv, Pool, Conv, Mean, Dense]


@pytest.mark.parametrize(
    "layers, in_shape, match",
    [
        ((), (2, 8, 8), "layers end without a Dense"),
        ((Conv(4), Mean()), (2, 8, 8), "layers end without a Dense"),
        ((Dense(3),), (2, 8), "in_shape is \\(2, 8\\), needed are"),
        ((Dense(3),), (2, 8, 8, 1), "needed are \\(channels, height, width\\)"),
        ((Dense(3),), (2, 0, 8), "height is 0"),
        ((Dense(3),), (0, 8, 8), "channels is 0"),
        ((Dense(3),), (2, 8, -1), "width is -1"),
        ((Dense(5), Conv(4), Dense(3)), (2, 8, 8), "needs maps below it"),
        ((Dense(5), Mean(), Dense(3)), (2, 8, 8), "needs maps below it"),
        ((Pool(), Dense(3)), (2, 7, 8), "maps of 7x8, which it cannot halve"),
        ((Pool(), Dense(3)), (2, 8, 7), "maps of 8x7, which it cannot halve"),
        ((Conv(4, 5, same=False), Dense(3)), (2, 4, 8), "leaves nothing of maps of 4x8"),
        ((Conv(4, 5, same=False), Dense(3)), (2, 8, 4), "leaves nothing of maps of 8x4"),
        (("conv", Dense(3)), (2, 8, 8), "conv is no layer of a ladder"),
        ((Conv(4), Drop(0.5), Dense(3)), (2, 8, 8), "Drop\\(p=0.5\\) is no layer of a ladder"),
    ],
)
def test_impossible_ladders(layers, in_shape, match):
    with pytest.raises(ValueError, match=match):
        build_rungs(layers, in_shape)


def test_the_smallest_maps_are_possible():
    _, shapes = build_rungs((Conv(1, 5, same=False), Mean(), Dense(1)), (1, 5, 5))
    assert shapes == ((1, 5, 5), (1, 1, 1), (1, 1, 1), (1,))
