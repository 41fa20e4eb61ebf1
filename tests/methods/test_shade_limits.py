"""SHADE where it must reduce to something known, at the edges of its numbers, and on impossible input."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.methods import ShadeUnit, shade_penalty, update_moving_averages
from tests.methods.units import DEVICES, INITIAL_MU, INITIAL_P, modes_of, uneven, uneven_mu

# --- limits and identities -------------------------------------------------------------------------------


def test_equal_means_give_the_mean_square_around_them():
    h, mu = uneven(9, 2), torch.tensor([[0.4, -2.0], [0.4, -2.0]], dtype=torch.float64)
    torch.testing.assert_close(shade_penalty(h, mu), ((h - mu[0]) ** 2).mean(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("h", [40.0, 1000.25, 1e6, -40.0, -1000.25, -1e6])
def test_a_certain_mode_leaves_its_own_square(h, dtype):
    mu = torch.tensor([[-1000.0], [1000.0]], dtype=dtype)
    expected = (h - 1000) ** 2 if h > 0 else (h + 1000) ** 2
    assert shade_penalty(torch.full((3, 1), h, dtype=dtype), mu).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "offset, spread", [(0.0, 1.0), (12.0, 2.0), (-12.0, 2.0), (500.0, 0.5), (-500.0, 0.5)]
)
def test_float32_agrees_with_float64(offset, spread):
    h = (offset + spread * uneven(400, 3)).float()
    mu = (offset + uneven_mu(3)).float()
    torch.testing.assert_close(
        shade_penalty(h, mu).double(), shade_penalty(h.double(), mu.double()), rtol=1e-5, atol=0
    )
    p = torch.tensor([[1e-5], [1e-5]])
    for single, double in zip(
        update_moving_averages(h, mu, p), update_moving_averages(h.double(), mu.double(), p.double())
    ):
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


def test_decomposition_of_the_variance():
    h = uneven(50, 3)
    _, mu, mass = modes_of(h)
    total = h.var(0, correction=0)
    between = mass[0] * mass[1] * (mu[1] - mu[0]) ** 2
    torch.testing.assert_close(shade_penalty(h, mu), total - between, rtol=1e-12, atol=0)
    assert (shade_penalty(h, mu) <= total).all()


def test_the_modes_of_a_unit_gaussian_lie_close_together():
    """Right after batch norm the modes are at ±0.41, and SHADE is 0.83 of the variance."""
    h = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(20000).double() + 0.5) / 20000)[:, None]
    mu, p = INITIAL_MU, INITIAL_P
    for _ in range(100):
        mu, p = update_moving_averages(h, mu, p)
    assert mu.flatten().tolist() == pytest.approx([-0.41, 0.41], abs=5e-3)
    assert shade_penalty(h, mu).item() == pytest.approx(0.83, abs=5e-3)


numbers = st.floats(-30, 30, allow_subnormal=False, width=32)
batches = st.integers(1, 4).flatmap(
    lambda d: st.tuples(
        st.lists(st.lists(numbers, min_size=d, max_size=d), min_size=1, max_size=6),
        st.lists(st.lists(numbers, min_size=d, max_size=d), min_size=2, max_size=2),
        st.lists(st.floats(0.05, 0.95), min_size=d, max_size=d),
    )
)


def tensors(batch):
    h, mu, p1 = (torch.tensor(part, dtype=torch.float64) for part in batch)
    return h, mu, torch.stack([1 - p1, p1])


@settings(deadline=None, max_examples=60)
@given(batches)
def test_sign_of_h_and_order_of_modes_are_one_symmetry(batch):
    h, mu, p = tensors(batch)
    torch.testing.assert_close(shade_penalty(h, mu), shade_penalty(-h, -mu.flip(0)))
    new_mu, new_p = update_moving_averages(h, mu, p)
    mirrored_mu, mirrored_p = update_moving_averages(-h, -mu.flip(0), p.flip(0))
    torch.testing.assert_close(new_mu, -mirrored_mu.flip(0))
    torch.testing.assert_close(new_p, mirrored_p.flip(0))


@settings(deadline=None, max_examples=60)
@given(batches, st.randoms())
def test_samples_have_no_order_and_units_keep_theirs(batch, random):
    h, mu, p = tensors(batch)
    samples = random.sample(range(h.shape[0]), h.shape[0])
    units = random.sample(range(h.shape[1]), h.shape[1])
    shuffled = shade_penalty(h[samples][:, units], mu[:, units])
    torch.testing.assert_close(shuffled, shade_penalty(h, mu)[units])
    for ours, theirs in zip(
        update_moving_averages(h, mu, p),
        update_moving_averages(h[samples][:, units], mu[:, units], p[:, units]),
    ):
        torch.testing.assert_close(ours[:, units], theirs)


@settings(deadline=None, max_examples=60)
@given(batches)
def test_the_masses_of_the_modes_add_up_to_one_and_nothing_is_negative(batch):
    h, mu, p = tensors(batch)
    _, new_p = update_moving_averages(h, mu, p)
    torch.testing.assert_close(new_p.sum(0), torch.ones(h.shape[1], dtype=torch.float64))
    assert (shade_penalty(h, mu) >= 0).all()


# --- the averages at their limits ------------------------------------------------------------------------


def test_decay_one_keeps_and_decay_zero_forgets():
    h, mu = uneven(20, 3), uneven_mu(3)
    p = torch.tensor([[0.3] * 3, [0.7] * 3], dtype=torch.float64)
    kept_mu, kept_p = update_moving_averages(h, mu, p, decay=1.0)
    assert torch.equal(kept_mu, mu) and torch.equal(kept_p, p)
    _, batch_mu, batch_p = modes_of(h)
    new_mu, new_p = update_moving_averages(h, mu, p, decay=0.0)
    torch.testing.assert_close(new_mu, batch_mu)
    torch.testing.assert_close(new_p, batch_p)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("h", [-200.0, 200.0, -1e4, 1e4])
def test_an_empty_mode_stays_finite(h, dtype):
    mu, p = INITIAL_MU.to(dtype), INITIAL_P.to(dtype)
    for decay in (0.8, 0.0):
        new_mu, new_p = update_moving_averages(torch.full((4, 1), h, dtype=dtype), mu, p, decay)
        full, empty = (1, 0) if h > 0 else (0, 1)
        assert new_p[full].item() == pytest.approx(0.5 * decay + 1 - decay)
        assert new_p[empty].item() == pytest.approx(0.5 * decay, rel=1e-6, abs=1e-30)
        assert new_mu[empty].item() == pytest.approx(decay * mu[empty].item(), rel=1e-6, abs=1e-12)


def test_eps_bounds_the_divisor():
    h = torch.full((2, 1), -5.0, dtype=torch.float64)
    p_given_h = 1 / (1 + math.exp(5))
    for eps, divisor in ((1e-6, p_given_h), (0.1, 0.1)):
        mu, p = update_moving_averages(h, INITIAL_MU, INITIAL_P, decay=0.0, eps=eps)
        assert mu[1].item() == pytest.approx(-5 * p_given_h / divisor, rel=1e-12)
        assert p[1].item() == pytest.approx(p_given_h, rel=1e-12)
        unit = ShadeUnit(1, decay=0.0, eps=eps)
        unit.update(h)
        assert unit.mu[1].item() == mu[1].item()
    unlikely = torch.full((2, 1), -20.0, dtype=torch.float64)
    mu, _ = update_moving_averages(unlikely, INITIAL_MU, INITIAL_P, decay=0.0)
    assert mu[1].item() == pytest.approx(-20 / (1 + math.exp(20)) / 1e-6, rel=1e-9)


def test_update_changes_nothing_it_was_given_and_leaks_no_gradient():
    h, mu, p = uneven(6, 2).requires_grad_(), uneven_mu(2).requires_grad_(), INITIAL_P.expand(2, 2)
    before = [t.detach().clone() for t in (h, mu, p)]
    new = update_moving_averages(h, mu, p)
    assert not any(t.requires_grad for t in new)
    assert all(torch.equal(a, b) for a, b in zip((h, mu, p), before))
    assert torch.is_grad_enabled()


# --- types, devices, refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_computed_in_float32(dtype):
    h = (10 * uneven(64, 3)).to(dtype)
    low, mu = h.clone().requires_grad_(), uneven_mu(3).float()
    penalty = shade_penalty(low, mu)
    assert penalty.dtype == torch.float32
    assert torch.equal(penalty.detach(), shade_penalty(h.float(), mu))
    penalty.sum().backward()
    assert low.grad.dtype == dtype
    new_mu, new_p = update_moving_averages(h, mu, INITIAL_P.float())
    assert new_mu.dtype == new_p.dtype == torch.float32


def test_autocast_does_not_lower_the_precision():
    h, mu = uneven(64, 3).float(), uneven_mu(3).float()
    plain = shade_penalty(h, mu), *update_moving_averages(h, mu, INITIAL_P.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = shade_penalty(h, mu), *update_moving_averages(h, mu, INITIAL_P.float())
    assert all(torch.equal(a, b) for a, b in zip(plain, inside))


@pytest.mark.parametrize("device", DEVICES)
def test_results_are_where_h_is(device):
    h = uneven(6, 2).float().to(device)
    unit = ShadeUnit()
    assert unit(h).device == h.device
    unit.update(h)
    assert unit.mu.device == unit.p.device == h.device
    assert unit(h).cpu().tolist() == pytest.approx(shade_penalty(h.cpu(), unit.mu.cpu()).tolist(), rel=1e-5)


@pytest.mark.parametrize(
    "h, mu, words",
    [
        (torch.zeros(4), torch.zeros(2, 4), "h has shape (4,)"),
        (torch.zeros(0, 4), torch.zeros(2, 4), "h has shape (0, 4)"),
        (torch.zeros(3, 4), torch.zeros(4, 2), "mu has shape (4, 2)"),
        (torch.zeros(3, 4), torch.zeros(2), "mu has shape (2,)"),
        (
            torch.zeros(3, 4),
            torch.zeros(2, 3),
            "mu has shape (2, 3), needed is (2, 4), or (2, 1) for all units.",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(h, mu, words):
    for call in (
        lambda: shade_penalty(h, mu),
        lambda: update_moving_averages(h, mu, torch.full((2, 1), 0.5)),
    ):
        with pytest.raises(ValueError) as refusal:
            call()
        assert words in str(refusal.value)


def test_other_impossible_input_is_refused():
    h, mu, p = torch.zeros(3, 4), torch.zeros(2, 4), torch.full((2, 4), 0.5)
    with pytest.raises(TypeError, match=r"h has type torch.int64"):
        shade_penalty(h.long(), mu)
    with pytest.raises(ValueError, match=r"p has shape \(2, 3\), needed is \(2, 4\)"):
        update_moving_averages(h, mu, p[:, :3])
    with pytest.raises(ValueError, match=r"p has shape \(4,\)"):
        update_moving_averages(h, mu, p[0])
    for decay in (-0.1, 1.1):
        with pytest.raises(ValueError, match=rf"decay is {decay}, possible is 0 to 1"):
            update_moving_averages(h, mu, p, decay=decay)
        with pytest.raises(ValueError, match=rf"decay is {decay}, possible is 0 to 1"):
            ShadeUnit(decay=decay)
    assert [ShadeUnit(decay=decay).decay for decay in (0, 1)] == [0, 1]


def test_a_unit_takes_the_shape_of_what_it_loads():
    trained = ShadeUnit()
    trained.update(uneven(6, 3))
    fresh = ShadeUnit()
    state = trained.state_dict()
    fresh.load_state_dict(state)
    assert torch.equal(fresh.mu, trained.mu) and torch.equal(fresh.p, trained.p)
    assert fresh.mu.data_ptr() != state["mu"].data_ptr()  # a copy of its own
    assert fresh.mu.dtype == torch.float64
    sized = ShadeUnit(3)
    sized.load_state_dict(trained.state_dict())
    assert torch.equal(sized.mu, trained.mu)
    back = ShadeUnit().state_dict()
    fresh.load_state_dict(back)
    assert fresh.mu.shape == (2, 1) and torch.equal(fresh.mu, back["mu"])
    for unit, state in (
        (ShadeUnit(4), trained.state_dict()),
        (ShadeUnit(), {"mu": torch.zeros(3, 1), "p": torch.zeros(3, 1)}),
        (ShadeUnit(), {"mu": torch.zeros(2), "p": torch.zeros(2)}),
    ):
        with pytest.raises(RuntimeError, match="size mismatch"):
            unit.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Missing key"):
        nn.ModuleList([ShadeUnit(4)]).load_state_dict({})
