"""VarEntropy and the class-conditional oracle: plain loops, and ties to SHADE and to weight decay."""

import copy

import pytest
import torch
from torch import nn

from course_lib.methods import (
    ClassVariance,
    Shade,
    VarEntropy,
    VarEntropyUnit,
    class_variance_penalty,
    shade_penalty,
    update_moving_mean,
    varentropy_penalty,
)
from tests.methods.literal import LiteralVarEntropyUnit, columns, layer_penalty


def uneven(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(shape, generator=generator, dtype=torch.float64)
    unit = torch.arange(shape[1], dtype=torch.float64).reshape(-1, *[1] * (len(shape) - 2))
    return (1 + 0.4 * unit) * h + 0.3 * h**2 + 0.7 * unit - 0.9


def conv_net():
    torch.manual_seed(6)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()).double()


def images(seed=0, n=6):
    return torch.randn(n, 2, 6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


def inputs_of_relus(net, x):
    bare = copy.deepcopy(net)
    return bare[0](x), bare[:3](x)


# --- VarEntropy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(13, 4), (3, 4, 5), (2, 4, 3, 2)])
@pytest.mark.parametrize("decay", [0.8, 0.35])
def test_varentropy_is_the_loop_over_units(shape, decay):
    loop = [LiteralVarEntropyUnit(decay) for _ in range(shape[1])]
    unit = VarEntropyUnit(decay=decay)
    for batch in range(5):
        h = uneven(*shape, seed=batch)
        expected = [u.penalty(hs) for u, hs in zip(loop, columns(h))]
        assert unit(h).tolist() == pytest.approx(expected, abs=1e-10, rel=1e-12)
        unit.update(h)
        for u, hs in zip(loop, columns(h)):
            u.update(hs)
        assert unit.mean.tolist() == pytest.approx([u.mean for u in loop], abs=1e-10)


@pytest.mark.parametrize("statistics", ["channel", "location"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("update_first", [False, True])
def test_attached_varentropy_is_the_loop_over_units(statistics, reduction, update_first):
    net = conv_net()
    penalty = VarEntropy(
        net, ["1", "3"], statistics=statistics, reduction=reduction, decay=0.6, update_first=update_first
    )
    loops = None
    for step in range(3):
        net(images(step))
        layers = [h.flatten(1) if statistics == "location" else h for h in inputs_of_relus(net, images(step))]
        loops = loops or [[LiteralVarEntropyUnit(0.6) for _ in range(h.shape[1])] for h in layers]
        expected = sum(layer_penalty(loop, h, reduction, update_first) for loop, h in zip(loops, layers))
        assert penalty.penalty().item() == pytest.approx(expected, abs=1e-10, rel=1e-12)


def test_varentropy_defaults():
    penalty = VarEntropy(conv_net(), include_logits="2")
    assert (penalty.statistics, penalty.reduction, penalty.update_first) == ("channel", "mean", False)
    assert penalty.layers == ("1", "3", "2:output")
    assert penalty.unit("1").decay == 0.8 and penalty.unit("1").mean.tolist() == [0.0]
    assert VarEntropyUnit(3).mean.tolist() == [0.0] * 3 and VarEntropyUnit().decay == 0.8


def test_varentropy_of_the_batch_itself_is_its_variance():
    net = conv_net()
    penalty = VarEntropy(net, decay=0, update_first=True)
    for seed in range(2):
        net(images(seed))
        layers = inputs_of_relus(net, images(seed))
        expected = sum(h.var((0, 2, 3), correction=0).mean() for h in layers)
        torch.testing.assert_close(penalty.penalty(), expected)


def test_varentropy_gradient():
    h, mean = uneven(5, 3).requires_grad_(), torch.tensor([0.2, -1.0, 3.0], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(varentropy_penalty(h, mean).sum(), h)
    torch.testing.assert_close(gradient, 2 * (h - mean).detach() / 5)
    assert torch.autograd.gradcheck(lambda h: varentropy_penalty(h, mean), h)
    moving = mean.clone().requires_grad_()
    varentropy_penalty(h, moving).sum().backward()
    assert moving.grad is None
    assert not update_moving_mean(h, moving).requires_grad
    assert torch.equal(moving.detach(), mean)


def test_varentropy_is_shade_with_one_mode():
    h, mean = uneven(9, 3), torch.tensor([0.2, -1.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(varentropy_penalty(h, mean), shade_penalty(h, torch.stack([mean, mean])))
    assert torch.equal(varentropy_penalty(h, mean[:1]), varentropy_penalty(h, mean[:1].expand(3)))


def test_varentropy_of_a_linear_unit_is_weight_decay_where_inputs_are_white():
    x = uneven(200, 4)
    w = torch.tensor([0.5, -1.0, 2.0, 0.3], dtype=torch.float64)
    variance = varentropy_penalty((x @ w + 0.7)[:, None], (x @ w + 0.7).mean()[None])
    assert variance.item() == pytest.approx((w @ torch.cov(x.T, correction=0) @ w).item(), rel=1e-10)
    white = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T, correction=0))).T
    variance = varentropy_penalty((white @ w)[:, None], torch.zeros(1))
    assert variance.item() == pytest.approx(w.square().sum().item(), rel=1e-9)


def test_update_moving_mean_at_its_limits():
    h, mean = uneven(5, 3), torch.tensor([0.2, -1.0, 3.0], dtype=torch.float64)
    assert torch.equal(update_moving_mean(h, mean, decay=1), mean)
    torch.testing.assert_close(update_moving_mean(h, mean, decay=0), h.mean(0))
    torch.testing.assert_close(update_moving_mean(h, mean), 0.8 * mean + 0.2 * h.mean(0))
    constant = torch.full((4, 1), 2.0)
    assert update_moving_mean(constant, torch.zeros(1)).item() == pytest.approx(0.4)


def test_varentropy_state():
    net = conv_net()
    penalty = VarEntropy(net)
    net(images())
    penalty.penalty()
    fresh = VarEntropy(net)
    fresh.load_state_dict(penalty.state_dict())
    assert fresh.unit("3").mean.shape == (4,)
    assert torch.equal(fresh.unit("3").mean, penalty.unit("3").mean)
    net.eval()
    net(images(1))
    penalty.penalty()
    assert torch.equal(fresh.unit("3").mean, penalty.unit("3").mean)
    with pytest.raises(RuntimeError, match="size mismatch"):
        VarEntropyUnit().load_state_dict({"mean": torch.tensor(0.5)})
    assert penalty.measure(images())["3"].shape == (4,)


# --- the oracle ------------------------------------------------------------------------------------------


def class_variance_by_loop(h, y):
    found = []
    for hs in h.movedim(1, 0):  # one unit: (K,) or (B, positions)
        total = 0.0
        for label in set(y.tolist()):
            samples = hs[y == label].flatten().tolist()
            mean = sum(samples) / len(samples)
            total += sum((value - mean) ** 2 for value in samples)
        found.append(total / hs.numel())
    return found


@pytest.mark.parametrize("shape", [(9, 4), (9, 4, 5), (9, 4, 3, 2)])
def test_class_variance_is_the_loop_over_classes(shape):
    h, y = uneven(*shape), torch.tensor([7, 0, 3, 0, 0, 7, 3, 0, 11])
    expected = class_variance_by_loop(h, y)
    assert class_variance_penalty(h, y).tolist() == pytest.approx(expected, rel=1e-12)


def test_class_variance_at_its_limits():
    h = uneven(8, 3)
    torch.testing.assert_close(class_variance_penalty(h, torch.zeros(8).long()), h.var(0, correction=0))
    assert class_variance_penalty(h, torch.arange(8)).tolist() == [0, 0, 0]
    y = torch.arange(8) // 3
    assert (class_variance_penalty(h, y) <= h.var(0, correction=0)).all()


@pytest.mark.parametrize("shape", [(6, 2), (6, 2, 3)])
def test_class_variance_gradient(shape):
    """The derivative through the class means is zero, so it is exact although they are constants."""
    h, y = uneven(*shape).requires_grad_(), torch.tensor([0, 1, 1, 0, 2, 0])
    assert torch.autograd.gradcheck(lambda h: class_variance_penalty(h, y), h)


@pytest.mark.parametrize("statistics", ["channel", "location"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_attached_class_variance(statistics, reduction):
    net, y = conv_net(), torch.tensor([0, 1, 1, 0, 2, 0])
    oracle = ClassVariance(net, statistics=statistics, reduction=reduction)
    net(images(n=4)), net(images(1, n=2))  # two passes, one batch
    penalty = oracle.penalty(y)
    expected = 0.0
    for h in inputs_of_relus(net, torch.cat([images(n=4), images(1, n=2)])):
        units = class_variance_by_loop(h.flatten(1) if statistics == "location" else h, y)
        expected += sum(units) / len(units) if reduction == "mean" else sum(units) * h.numel() / len(units)
    assert penalty.item() == pytest.approx(expected, rel=1e-10)
    penalty.backward()
    assert net[2].weight.grad.abs().sum() > 0
    assert oracle.state_dict() == {}
    oracle.remove()
    with pytest.raises(RuntimeError, match="attached to no model"):
        oracle.penalty(y)


def test_class_means_are_not_rounded_under_autocast():
    h, y = uneven(64, 3).float() + 100, torch.arange(64) % 4
    exact = class_variance_penalty(h.double(), y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(class_variance_penalty(h, y).double(), exact, rtol=1e-4, atol=0)


# --- together, and refusals ------------------------------------------------------------------------------


def test_several_penalties_on_one_model_do_not_disturb_each_other():
    net, y = conv_net(), torch.tensor([0, 1, 1, 0, 2, 0])
    alone = []
    for make in (Shade, VarEntropy):
        with make(net) as penalty:
            net(images())
            alone.append(penalty.penalty().item())
    shade, varentropy, oracle = Shade(net), VarEntropy(net), ClassVariance(net)
    net(images())
    assert [shade.penalty().item(), varentropy.penalty().item()] == alone
    assert oracle.penalty(y).item() > 0


def test_impossible_input():
    h = torch.zeros(3, 4)
    for call in (lambda mean: varentropy_penalty(h, mean), lambda mean: update_moving_mean(h, mean)):
        for given in (torch.zeros(2, 4), torch.zeros(3), torch.zeros(())):
            with pytest.raises(
                ValueError, match=r"mean has shape .* needed is \(4,\), or \(1,\) for all units"
            ):
                call(given)
    for decay in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"decay is {decay}"):
            update_moving_mean(h, torch.zeros(1), decay)
        with pytest.raises(ValueError, match=f"decay is {decay}"):
            VarEntropyUnit(decay=decay)
    assert [VarEntropyUnit(decay=decay).decay for decay in (0, 1)] == [0, 1]
    with pytest.raises(ValueError, match=r"y has shape \(4,\), needed is one label for each of 3 images"):
        class_variance_penalty(h, torch.zeros(4).long())
    with pytest.raises(TypeError, match=r"y has type torch.float32"):
        class_variance_penalty(h, torch.zeros(3))
    with pytest.raises(TypeError, match=r"h has type torch.int64"):
        class_variance_penalty(h.long(), torch.zeros(3).long())
