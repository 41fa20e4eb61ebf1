"""The formulas of SHADE against the loop of the thesis, their derivatives, limits and symmetries."""

import math

import pytest
import torch

from benchmarks.shade import recorded, unit_by_unit
from course_lib.methods import ShadeUnit, shade_penalty, update_moving_averages
from tests.methods.literal import LiteralUnit, columns, mu_of, p_of
from tests.methods.units import INITIAL_MU, INITIAL_P, uneven, uneven_mu

# --- the loop of Algorithm A.1 ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(13, 4), (3, 4, 5), (2, 4, 3, 2)])
@pytest.mark.parametrize("decay", [0.8, 0.35])
def test_penalty_and_averages_are_those_of_the_loop_over_units(shape, decay):
    loop = [LiteralUnit(decay) for _ in range(shape[1])]
    mu, p = INITIAL_MU, INITIAL_P
    for batch in range(6):
        h = uneven(*shape, seed=batch)
        penalties = [unit.penalty(hs) for unit, hs in zip(loop, columns(h))]
        assert shade_penalty(h, mu).tolist() == pytest.approx(penalties, abs=1e-10, rel=1e-12)
        mu, p = update_moving_averages(h, mu, p, decay)
        for unit, hs in zip(loop, columns(h)):
            unit.update(hs)
        assert mu.shape == p.shape == (2, shape[1])
        torch.testing.assert_close(mu, mu_of(loop), atol=1e-10, rtol=0)
        torch.testing.assert_close(p, p_of(loop), atol=1e-10, rtol=0)


def test_unit_module_is_the_two_functions():
    loop = [LiteralUnit(0.6) for _ in range(3)]
    unit = ShadeUnit(3, decay=0.6)
    for batch in range(4):
        h = uneven(9, 3, seed=batch)
        assert unit(h).tolist() == pytest.approx(
            [u.penalty(hs) for u, hs in zip(loop, columns(h))], abs=1e-10
        )
        unit.update(h)
        for u, hs in zip(loop, columns(h)):
            u.update(hs)
        torch.testing.assert_close(unit.mu, mu_of(loop), atol=1e-10, rtol=0)
        torch.testing.assert_close(unit.p, p_of(loop), atol=1e-10, rtol=0)


def test_contestants_of_the_benchmark_do_the_same_work():
    h, mu = uneven(13, 4), uneven_mu(4)
    for contestant in (unit_by_unit, recorded):
        torch.testing.assert_close(contestant(h, mu), shade_penalty(h, mu))


def test_averages_start_where_the_algorithm_says():
    for unit, width in ((ShadeUnit(3), 3), (ShadeUnit(), 1)):
        assert unit.mu.tolist() == [[-1.0] * width, [1.0] * width]
        assert unit.p.tolist() == [[0.5] * width, [0.5] * width]
    assert (unit.decay, unit.eps, unit.detach_p) == (0.8, 1e-6, False)


def test_trace_of_a_constant_input():
    """The division by the updated p is no weighted mean: mu overshoots before it settles."""
    h, mu, p = torch.full((5, 1), 2.0, dtype=torch.float64), INITIAL_MU, INITIAL_P
    trace = []
    for _ in range(200):
        mu, p = update_moving_averages(h, mu, p)
        trace.append((p[1].item(), mu[1].item(), mu[0].item()))
    start = [(0.5762, 1.4115, -0.6875), (0.6371, 1.6822, -0.4186), (0.6858, 1.8595, -0.1831)]
    for found, expected in zip(trace, start):
        assert found == pytest.approx(expected, abs=6e-5)
    assert trace[8][1] == max(mu1 for _, mu1, _ in trace) == pytest.approx(2.1198, abs=6e-5)
    assert trace[10][1] == pytest.approx(2.1077, abs=6e-5)
    assert trace[-1] == pytest.approx((1 / (1 + math.exp(-2)), 2.0, 2.0), abs=1e-6)


# --- derivatives -----------------------------------------------------------------------------------------


def closed_form(h, mu, detach_p):
    sigma = 1 / (1 + torch.exp(-h))
    mean = sigma * mu[1] + (1 - sigma) * mu[0]
    push = sigma * (1 - sigma) * (mu[1] - mu[0]) * (2 * h - mu[0] - mu[1])
    return 2 * (h - mean) - (0 if detach_p else push)


@pytest.mark.parametrize("detach_p", [False, True])
def test_gradient_is_the_closed_form(detach_p):
    h, mu = uneven(11, 3).requires_grad_(), uneven_mu(3)
    weight = torch.tensor([0.3, -1.7, 2.9], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((weight * shade_penalty(h, mu, detach_p=detach_p)).sum(), h)
    expected = weight * closed_form(h.detach(), mu, detach_p) / 11
    torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("detach_p", [False, True])
def test_gradient_is_that_of_recording_each_operation(detach_p):
    h, mu = uneven(3, 2, 4, 2).requires_grad_(), uneven_mu(2)[..., None, None]
    q = torch.sigmoid(h.detach() if detach_p else h)
    each = (1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2
    (expected,) = torch.autograd.grad(each.mean((0, 2, 3)).sum(), h)
    (gradient,) = torch.autograd.grad(shade_penalty(h, uneven_mu(2), detach_p=detach_p).sum(), h)
    torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 2)])
def test_gradcheck_first_and_second(shape):
    h, mu = uneven(*shape).requires_grad_(), uneven_mu(3)
    assert torch.autograd.gradcheck(lambda h: shade_penalty(h, mu), h)
    assert torch.autograd.gradgradcheck(lambda h: shade_penalty(h, mu), h)


def test_no_gradient_reaches_the_means():
    mu = uneven_mu(3).requires_grad_()
    assert not shade_penalty(uneven(5, 3), mu).requires_grad
    shade_penalty(uneven(5, 3).requires_grad_(), mu).sum().backward()
    assert mu.grad is None


@pytest.mark.parametrize(
    "m, well", [(0.5, 0.0), (1.0, 0.0), (1.1, 0.77), (1.5, 1.7040), (2.0, 2.3994), (3.0, 3.44)]
)
def test_two_wells_appear_when_the_half_gap_exceeds_one(m, well):
    mu = torch.tensor([[-m], [m]], dtype=torch.float64)
    grid = torch.linspace(0, 6, 60001, dtype=torch.float64)
    values = torch.cat([shade_penalty(part[None, :], mu.expand(2, len(part))) for part in grid.split(7000)])
    assert grid[values.argmin()].item() == pytest.approx(well, abs=5e-3)
    zero = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    assert shade_penalty(zero, mu).item() == pytest.approx(m**2)
    (slope,) = torch.autograd.grad(shade_penalty(zero, mu).sum(), zero, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), zero)
    assert (slope.item(), curvature.item()) == pytest.approx((0, 2 - 2 * m), abs=1e-12)


@pytest.mark.parametrize(
    "a, detach_p, keeps", [(1.5, False, False), (2.0, False, False), (3.0, False, True), (3.0, True, False)]
)
def test_modes_stay_apart_only_beyond_a_distance_and_with_p_in_the_gradient(a, detach_p, keeps):
    generator = torch.Generator().manual_seed(1)
    side = torch.cat([torch.full((100,), -a), torch.full((100,), a)])
    h = (side + 0.3 * torch.randn(200, generator=generator))[:, None].double()
    mu, p = INITIAL_MU, INITIAL_P
    for _ in range(60):
        mu, p = update_moving_averages(h, mu, p)
    h.requires_grad_()
    for _ in range(600):
        (gradient,) = torch.autograd.grad(shade_penalty(h, mu, detach_p=detach_p).sum() * len(h), h)
        h.data -= 0.02 * gradient
        mu, p = update_moving_averages(h, mu, p)
    gap = (h[100:].mean() - h[:100].mean()).item()
    assert (gap > 2 * a) if keeps else (gap < 0.1)
