"""The variants of SHADE against their loops, at their limits, and attached to a model."""

import math

import pytest
import torch

from course_lib.methods import (
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
from tests.methods.small_nets import batch_for, conv_net, dense_net, inputs_of_relus
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


@pytest.mark.parametrize("name", ["self-normalised", "hard"])
def test_eps_bounds_the_divisor(name):
    """Of four samples one is above 0; at decay 0 the mean of the upper mode is its moment over its mass."""
    h, start = torch.tensor([[0.5], [-5.0], [-5.0], [-5.0]]).double(), torch.tensor([[-1.0], [0.0]]).double()
    weights = [float(value > 0) if name == "hard" else p(1, value) for value in h.flatten().tolist()]
    mass = sum(weights) / 4
    moment = sum(weight * value for weight, value in zip(weights, h.flatten().tolist())) / 4
    for eps, divisor in ((1e-6, mass), (0.5, 0.5)):
        unit = UNITS[name](1, decay=0.0, eps=eps)
        unit.mu = start
        unit.update(h)
        assert unit.mu[1].item() == pytest.approx(moment / divisor, rel=1e-12)
        assert unit.p[1].item() == pytest.approx(mass, rel=1e-12)


def test_without_a_word_eps_is_a_millionth():
    start = torch.tensor([[-1.0], [0.0]]).double()
    tiny = torch.full((4, 1), -30.0, dtype=torch.float64)
    mu, _ = update_self_normalised(tiny, start, INITIAL_P, 0.0)
    assert mu[1].item() == pytest.approx(-30 * p(1, -30.0) / 1e-6, rel=1e-4)
    rare = torch.full((2_000_000, 1), -1.0, dtype=torch.float64)
    rare[0] = 3.0
    assert update_hard_averages(rare, start, INITIAL_P, 0.0)[0][1].item() == pytest.approx(3 / 2e6 / 1e-6)
