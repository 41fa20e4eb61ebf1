"""The variants of SHADE against their loops, at their limits, and attached to a model."""

import math

import pytest
import torch

from course_lib.methods import (
    Shade,
    ShadeVariant,
    hard_penalty,
    log_penalty,
    shade_penalty,
    update_hard_averages,
    update_moving_averages,
    update_self_normalised,
)
from course_lib.methods.shade_variants import VARIANCE_FLOOR, HardUnit, LogUnit, SelfNormalisedUnit
from tests.methods.literal import LiteralUnit, columns, layer_penalty, mu_of, p, p_of
from tests.methods.small_nets import averages, batch_for, conv_net, dense_net, inputs_of_relus, same
from tests.methods.units import INITIAL_MU, INITIAL_P, modes_of, uneven, uneven_mu

UPDATES = (update_self_normalised, update_hard_averages)


class SelfNormalised(LiteralUnit):
    """Two moving averages, of p(z|h) h and of p(z|h); the mean is their ratio."""

    def __init__(self, decay=0.8):
        super().__init__(decay)
        self.numerator = [p_z * mu_z for p_z, mu_z in zip(self.p, self.mu)]

    def update(self, hs):
        for z in (0, 1):
            mass, moment = (sum(p(z, h) * factor(h) for h in hs) / len(hs) for factor in (lambda h: 1, float))
            self.p[z] = self.decay * self.p[z] + (1 - self.decay) * mass
            self.numerator[z] = self.decay * self.numerator[z] + (1 - self.decay) * moment
            self.mu[z] = self.numerator[z] / self.p[z]


class Hard(LiteralUnit):
    """Algorithm A.1 and Eq. A.8 with a mode that is certain."""

    def penalty(self, hs):
        return sum((h - self.mu[1 if h > 0 else 0]) ** 2 for h in hs) / len(hs)

    def update(self, hs):
        for z in (0, 1):
            inside = [h for h in hs if (h > 0) == (z == 1)]
            self.p[z] = self.decay * self.p[z] + (1 - self.decay) * len(inside) / len(hs)
            self.mu[z] = self.decay * self.mu[z] + (1 - self.decay) * sum(inside) / self.p[z] / len(hs)


class Log(LiteralUnit):
    """Eq. 2.19 around the averages of Algorithm A.1."""

    def penalty(self, hs):
        return math.log(2 * math.pi * math.e * (super().penalty(hs) + VARIANCE_FLOOR)) / 2


LOOPS = {"self-normalised": SelfNormalised, "hard": Hard, "log": Log}
UNITS = {"self-normalised": SelfNormalisedUnit, "hard": HardUnit, "log": LogUnit}

# --- the loops -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("shape", [(13, 4), (3, 4, 5), (2, 4, 3, 2)])
@pytest.mark.parametrize("decay", [0.8, 0.35])
def test_units_are_their_loops(name, shape, decay):
    loops, unit = [LOOPS[name](decay) for _ in range(shape[1])], UNITS[name](decay=decay)
    for batch in range(5):
        h = uneven(*shape, seed=batch)
        expected = [loop.penalty(hs) for loop, hs in zip(loops, columns(h))]
        assert unit(h).tolist() == pytest.approx(expected, abs=1e-10, rel=1e-12)
        unit.update(h)
        for loop, hs in zip(loops, columns(h)):
            loop.update(hs)
        torch.testing.assert_close(unit.mu, mu_of(loops), atol=1e-10, rtol=0)
        torch.testing.assert_close(unit.p, p_of(loops), atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("statistics", ["channel", "location"])
@pytest.mark.parametrize("update_first", [False, True])
def test_attached_variants_are_the_loops_over_layers(name, statistics, update_first):
    net = conv_net()
    options = {"statistics": statistics, "update_first": update_first, "decay": 0.7, "include_logits": "5"}
    penalised = ShadeVariant(net, variant=name, **options)
    loops = None
    for seed in range(3):
        x, _ = batch_for(net, seed)
        net(x)
        with torch.no_grad():
            layers = inputs_of_relus(net, x)
        layers = [h.flatten(1) for h in layers] if statistics == "location" else layers
        loops = loops or [[LOOPS[name](0.7) for _ in range(h.shape[1])] for h in layers]
        expected = sum(layer_penalty(loop, h, "mean", update_first) for loop, h in zip(loops, layers))
        assert penalised.penalty().item() == pytest.approx(expected, abs=1e-10, rel=1e-12)


@pytest.mark.parametrize("name", ["self-normalised", "hard"])
def test_the_sum_is_that_of_shade(name):
    net = dense_net()
    mean, total = (ShadeVariant(net, "1", variant=name, reduction=r) for r in ("mean", "sum"))
    net(batch_for(net)[0])
    assert total.penalty().item() == pytest.approx(7 * 6 * mean.penalty().item(), rel=1e-12)


# --- derivatives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [hard_penalty, log_penalty])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 2)])
def test_gradcheck_first_and_second(penalty, shape):
    h, mu = uneven(*shape).requires_grad_(), uneven_mu(3)
    assert torch.autograd.gradcheck(lambda h: penalty(h, mu), h)
    assert torch.autograd.gradgradcheck(lambda h: penalty(h, mu), h)
    moving = mu.clone().requires_grad_()
    penalty(h, moving).sum().backward()
    assert moving.grad is None


def test_the_logarithm_divides_the_gradient_by_twice_the_variance():
    h, mu = uneven(9, 3).requires_grad_(), uneven_mu(3)
    v = shade_penalty(h, mu)
    (plain,) = torch.autograd.grad(v.sum(), h, retain_graph=True)
    (logged,) = torch.autograd.grad(log_penalty(h, mu, floor=0.0).sum(), h)
    torch.testing.assert_close(logged, plain / (2 * v.detach()))


def test_no_gradient_leaks_out_of_an_update_and_nothing_given_changes():
    h, mu, p = uneven(6, 2).requires_grad_(), uneven_mu(2).requires_grad_(), INITIAL_P.expand(2, 2)
    before = [t.detach().clone() for t in (h, mu, p)]
    for update in UPDATES:
        assert not any(t.requires_grad for t in update(h, mu, p))
        assert all(torch.equal(a, b) for a, b in zip((h, mu, p), before))


# --- limits ----------------------------------------------------------------------------------------------


def test_self_normalised_means_of_the_batch_are_those_of_the_algorithm():
    """Where only this batch counts, p is the batch's own, and the two ways to average are one."""
    h, mu = uneven(20, 3), uneven_mu(3)
    _, batch_mu, batch_p = modes_of(h)
    for found in (update_self_normalised(h, mu, INITIAL_P, 0.0), update_moving_averages(h, mu, INITIAL_P, 0)):
        torch.testing.assert_close(found[0], batch_mu)
        torch.testing.assert_close(found[1], batch_p)


def test_a_constant_input_draws_self_normalised_means_without_overshoot():
    h, mu, p = torch.full((5, 1), 2.0, dtype=torch.float64), INITIAL_MU, INITIAL_P
    last = mu
    for _ in range(200):
        mu, p = update_self_normalised(h, mu, p)
        assert (mu > last - 1e-12).all() and (mu <= 2 + 1e-12).all()
        last = mu
    assert mu.flatten().tolist() == pytest.approx([2, 2], abs=1e-9)
    assert p[1].item() == pytest.approx(1 / (1 + math.exp(-2)))


def test_hard_and_soft_are_one_where_the_modes_are_certain():
    h = torch.cat([uneven(9, 3) - 60, uneven(5, 3, seed=1) + 60])
    mu = 60 * torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    torch.testing.assert_close(hard_penalty(h, mu), shade_penalty(h, mu))
    for hard, soft in zip(update_hard_averages(h, mu, INITIAL_P), update_moving_averages(h, mu, INITIAL_P)):
        torch.testing.assert_close(hard, soft)


def test_zero_is_no_pattern():
    zero, mu = torch.zeros(2, 1, dtype=torch.float64), torch.tensor([[3.0], [5.0]], dtype=torch.float64)
    assert hard_penalty(zero, mu).item() == 9
    assert update_hard_averages(zero, mu, INITIAL_P, decay=0.0)[1].flatten().tolist() == [1, 0]


def test_hard_means_of_the_batch_are_group_means():
    h = uneven(30, 1)
    mu, p = update_hard_averages(h, INITIAL_MU, INITIAL_P, decay=0.0)
    assert mu.flatten().tolist() == pytest.approx([h[h <= 0].mean().item(), h[h > 0].mean().item()])
    assert p[1].item() == pytest.approx((h > 0).double().mean().item())


def test_the_bound_is_that_of_a_gaussian_and_adds_the_log_of_a_scale():
    h = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(20000).double() + 0.5) / 20000)[:, None]
    nothing = torch.zeros(2, 1, dtype=torch.float64)
    assert log_penalty(h, nothing).item() == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=1e-3)
    scaled = log_penalty(3 * h, nothing, floor=0.0) - log_penalty(h, nothing, floor=0.0)
    assert scaled.item() == pytest.approx(math.log(3))


def test_a_silent_unit_has_a_finite_bound():
    h, mu = torch.zeros(4, 2, dtype=torch.float64, requires_grad=True), torch.zeros(2, 1)
    bound = log_penalty(h, mu)
    bound.sum().backward()
    expected = 0.5 * math.log(2 * math.pi * math.e * 1e-6)
    assert bound.tolist() == pytest.approx([expected] * 2) and h.grad.tolist() == [[0, 0]] * 4


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_decay_one_keeps_and_an_empty_mode_stays_finite(update, dtype):
    mu, p = uneven_mu(3).to(dtype), torch.tensor([[0.3] * 3, [0.7] * 3], dtype=dtype)
    kept = update(uneven(9, 3).to(dtype), mu, p, 1.0)
    assert torch.equal(kept[0], mu) and torch.equal(kept[1], p)
    for h in (-200.0, 200.0):
        for decay in (0.8, 0.0):
            found = update(torch.full((4, 3), h, dtype=dtype), mu, p, decay)
            assert all(part.isfinite().all() for part in found)


def test_an_empty_mode_keeps_its_self_normalised_mean():
    h, mu = torch.full((4, 1), -200.0), torch.tensor([[-1.0], [7.0]])
    for decay in (0.8, 0.0):
        assert update_self_normalised(h, mu, INITIAL_P.float(), decay)[0][1].item() == 7


@pytest.mark.parametrize("update", UPDATES)
def test_eps_bounds_the_divisor(update):
    h, start = torch.full((4, 1), -5.0, dtype=torch.float64), torch.tensor([[-1.0], [0.0]]).double()
    h[0] = 0.5
    mass = {update_hard_averages: 1 / 4}.get(update, (p(1, 0.5) + 3 * p(1, -5.0)) / 4)
    moment = {update_hard_averages: 0.5 / 4}.get(update, (p(1, 0.5) * 0.5 - 15 * p(1, -5.0)) / 4)
    for eps, divisor in ((1e-6, mass), (0.5, 0.5)):
        found = update(h, start, INITIAL_P, 0.0, eps)[0][1].item()
        assert found == pytest.approx(moment / divisor, rel=1e-12)
    tiny = torch.full((4, 1), -30.0, dtype=torch.float64)
    if update is update_self_normalised:
        assert update(tiny, start, INITIAL_P, 0.0)[0][1].item() == pytest.approx(
            -30 * p(1, -30.0) / 1e-6, rel=1e-4
        )
    else:
        tiny = torch.full((2_000_000, 1), -1.0, dtype=torch.float64)
        tiny[0] = 3.0
        assert update(tiny, start, INITIAL_P, 0.0)[0][1].item() == pytest.approx(3 / 2e6 / 1e-6)


# --- types, state, refusals ------------------------------------------------------------------------------


def test_low_precision_is_computed_in_float32():
    h, mu = uneven(8, 2).bfloat16(), uneven_mu(2).float()
    for penalty in (hard_penalty, log_penalty):
        assert torch.equal(penalty(h, mu), penalty(h.float(), mu))
    for update in UPDATES:
        assert all(part.dtype == torch.float32 for part in update(h, mu, INITIAL_P.float()))


@pytest.mark.parametrize("name", LOOPS)
def test_state_goes_into_a_fresh_one_and_on(name):
    net = conv_net()
    penalised = ShadeVariant(net, variant=name)
    for step in range(2):
        net(batch_for(net, step)[0])
        penalised.penalty()
    resumed = ShadeVariant(net, variant=name)
    resumed.load_state_dict(penalised.state_dict())
    assert same(averages(penalised), averages(resumed))
    net(batch_for(net, 7)[0])
    assert penalised.penalty().item() == resumed.penalty().item()
    assert same(averages(penalised), averages(resumed))
    before = averages(resumed)
    net.eval()
    net(batch_for(net, 8)[0])
    resumed.penalty().backward()
    assert same(before, averages(resumed)) and net[0].weight.grad.abs().sum() > 0
    assert set(before) == set(averages(Shade(net)))


def test_defaults_are_those_of_shade():
    penalised = ShadeVariant(dense_net(), variant="log")
    assert penalised.unit("1").decay == 0.8 and penalised.layers == ("1", "3")
    assert "variant=log, statistics=channel, reduction=mean, update_first=False" in repr(penalised)
    assert VARIANCE_FLOOR == 1e-6


def test_impossible_input():
    net, h, mu, p = dense_net(), torch.zeros(3, 4), torch.zeros(2, 4), torch.full((2, 4), 0.5)
    with pytest.raises(ValueError, match="variant is 'soft', possible are self-normalised, hard, log"):
        ShadeVariant(net, variant="soft")
    with pytest.raises(ValueError, match="reduction is 'sum', possible for the variant 'log' is mean"):
        ShadeVariant(net, variant="log", reduction="sum")
    with pytest.raises(ValueError, match="decay is 1.5"):
        ShadeVariant(net, variant="hard", decay=1.5)
    assert not any(m._forward_pre_hooks for m in net.modules())
    for update in UPDATES:
        for decay in (-0.1, 1.1):
            with pytest.raises(ValueError, match=f"decay is {decay}, possible is 0 to 1"):
                update(h, mu, p, decay)
        with pytest.raises(ValueError, match=r"mu has shape \(2, 3\)"):
            update(h, mu[:, :3], p)
        with pytest.raises(ValueError, match=r"p has shape \(4,\)"):
            update(h, mu, p[0])
    for penalty in (hard_penalty, log_penalty):
        with pytest.raises(TypeError, match=r"h has type torch.int64"):
            penalty(h.long(), mu)
        with pytest.raises(ValueError, match=r"mu has shape \(2, 3\), needed is \(2, 4\)"):
            penalty(h, mu[:, :3])
