"""The part of features that a linear layer reads, and the two measures of how two-peaked a unit is."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm

from course_lib.methods import (
    bimodality_coefficient,
    discriminative_component,
    discriminative_split,
    mixture_gain,
)
from tests.methods.small_nets import DEVICES


def uneven(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(shape, generator=generator, dtype=torch.float64)
    return h + 0.3 * h**2 + torch.arange(shape[1], dtype=torch.float64)


def of_rank(rank, rows, columns):
    return uneven(rows, rank, seed=1) @ uneven(rank, columns, seed=2)


def literal_component(H, W):
    """Gram and Schmidt on the rows of W, then one coordinate after the other, with plain loops."""
    basis = []
    for row in W.tolist():
        for _ in range(2):  # the second time takes away what rounding left
            for b in basis:
                along = sum(x * y for x, y in zip(row, b))
                row = [x - along * y for x, y in zip(row, b)]
        length = math.sqrt(sum(x * x for x in row))
        if length > 1e-9:
            basis.append([x / length for x in row])
    found = []
    for h in H.tolist():
        star = [0.0] * len(h)
        for b in basis:
            along = sum(x * y for x, y in zip(h, b))
            star = [s + along * y for s, y in zip(star, b)]
        found.append(star)
    return torch.tensor(found, dtype=torch.float64)


# --- the projection --------------------------------------------------------------------------------------

WEIGHTS = {
    "full rank": uneven(3, 7, seed=1),
    "two of four": of_rank(2, 4, 7),
    "more rows than columns": of_rank(3, 9, 5),
    "one row": uneven(1, 6, seed=3),
    "all zero": torch.zeros(3, 6, dtype=torch.float64),
}


@pytest.mark.parametrize("W", WEIGHTS.values(), ids=WEIGHTS)
def test_it_is_the_projection_on_the_rows(W):
    H = uneven(11, W.shape[1])
    star, perp = discriminative_split(H, W)
    torch.testing.assert_close(star, literal_component(H, W), atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(star @ W.T, H @ W.T, atol=1e-8, rtol=0)
    torch.testing.assert_close(perp @ W.T, torch.zeros_like(H @ W.T), atol=1e-8, rtol=0)
    torch.testing.assert_close(star + perp, H, atol=1e-12, rtol=0)
    assert (star * perp).sum(1).abs().max() < 1e-8
    assert torch.equal(discriminative_component(H, W), star)


@pytest.mark.parametrize("W", WEIGHTS.values(), ids=WEIGHTS)
def test_it_is_a_projector_of_the_rank_of_the_weight(W):
    eye = torch.eye(W.shape[1], dtype=torch.float64)
    P = discriminative_component(eye, W)
    torch.testing.assert_close(P @ P, P, atol=1e-10, rtol=0)
    torch.testing.assert_close(P, P.T, atol=1e-10, rtol=0)
    assert P.trace().item() == pytest.approx(torch.linalg.matrix_rank(W).item(), abs=1e-9)


def test_nearly_dependent_rows_keep_their_scores():
    W = uneven(3, 8, seed=1)
    W[2] = W[0] + 1e-7 * W[1]
    W[1] = 1e4 * W[1]
    H = uneven(5, 8)
    torch.testing.assert_close(discriminative_component(H, W) @ W.T, H @ W.T, atol=1e-7, rtol=1e-12)


def test_rows_that_differ_by_rounding_only_are_one():
    row = uneven(1, 8, seed=4)
    P = discriminative_component(
        torch.eye(8, dtype=torch.float64), torch.cat([row, row * (1 + 1e-16), 3 * row])
    )
    assert P.trace().item() == pytest.approx(1, abs=1e-12)


def test_gradient_is_the_projected_one_and_none_reaches_the_weight():
    H, W = uneven(4, 6).requires_grad_(), uneven(2, 6, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda H: discriminative_component(H, W), H)
    kept = H.detach().clone(), W.detach().clone()
    direction = uneven(4, 6, seed=5)
    star, perp = discriminative_split(H, W)
    (gradient,) = torch.autograd.grad((star * direction).sum(), H, retain_graph=True)
    torch.testing.assert_close(gradient, discriminative_component(direction, W.detach()))
    (gradient,) = torch.autograd.grad((perp * direction).sum(), H)
    torch.testing.assert_close(gradient, direction - discriminative_component(direction, W.detach()))
    assert not discriminative_component(H.detach(), W).requires_grad
    assert torch.equal(H.detach(), kept[0]) and torch.equal(W.detach(), kept[1])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_low_precision_is_computed_in_float32(dtype, device):
    H, W = uneven(6, 5).to(device, dtype), uneven(2, 5, seed=1).to(device, dtype)
    plain = discriminative_split(H, W)
    with torch.autocast(device, dtype=torch.bfloat16):
        inside = discriminative_split(H, W)
    for part, same, exact in zip(plain, inside, discriminative_split(H.double(), W.double())):
        assert part.dtype == torch.float32 and part.device == H.device
        assert torch.equal(part, same)
        torch.testing.assert_close(part.double(), exact, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "H, W, error, words",
    [
        (torch.zeros(3, 4), torch.zeros(2, 3), ValueError, r"shapes \(3, 4\) and \(2, 3\), needed are"),
        (torch.zeros(4), torch.zeros(2, 4), ValueError, r"shapes \(4,\)"),
        (torch.zeros(3, 4), torch.zeros(4), ValueError, r"and \(4,\)"),
        (torch.zeros(3, 4), torch.zeros(0, 4), ValueError, r"and \(0, 4\)"),
        (torch.zeros(3, 4, dtype=torch.int64), torch.zeros(2, 4), TypeError, "H has type torch.int64"),
        (torch.zeros(3, 4), torch.zeros(2, 4, dtype=torch.int64), TypeError, "W has type torch.int64"),
    ],
)
def test_impossible_features_and_weights_are_refused(H, W, error, words):
    with pytest.raises(error, match=words):
        discriminative_component(H, W)


# --- two modes -------------------------------------------------------------------------------------------


def quantiles(n=4000):
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n


def gaussian(n=4000):
    return torch.as_tensor(norm.ppf(quantiles(n).numpy()))


def two_modes(distance, n=4000):
    return torch.cat([gaussian(n // 2) - distance, gaussian(n // 2) + distance])


def literal_coefficient(values):
    """The printed formula of the SAS guide, with its corrected skewness and kurtosis."""
    n = len(values)
    mean = sum(values) / n
    s = math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1))
    m3 = n / ((n - 1) * (n - 2)) * sum(((x - mean) / s) ** 3 for x in values)
    m4 = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * sum(((x - mean) / s) ** 4 for x in values)
    m4 -= 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    return (m3**2 + 1) / (m4 + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))


@pytest.mark.parametrize("n", [4, 5, 30])
def test_coefficient_is_the_printed_formula(n):
    h = uneven(n, 3)
    expected = [literal_coefficient(values) for values in h.T.tolist()]
    assert bimodality_coefficient(h).tolist() == pytest.approx(expected, rel=1e-9)


def test_coefficient_of_known_distributions():
    two_values = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(2000)
    exponential = -torch.log1p(-quantiles(200_000))
    h = torch.stack([gaussian(), quantiles(), two_values], 1)
    assert bimodality_coefficient(h).tolist() == pytest.approx([1 / 3, 5 / 9, 1], abs=2e-3)
    assert bimodality_coefficient(exponential[:, None]).item() == pytest.approx(5 / 9, abs=2e-3)


def test_gain_is_that_of_the_integral():
    """Against the two densities integrated on a grid, where EM cannot be far from the mixture itself."""
    for distance in (3.0, 4.0):
        x = np.linspace(-12, 12, 20001)
        density = (norm.pdf(x, -distance) + norm.pdf(x, distance)) / 2
        single = norm.pdf(x, 0, math.sqrt(1 + distance**2))
        expected = trapezoid(density * np.log(density / single), x)
        assert mixture_gain(two_modes(distance)[:, None]).item() == pytest.approx(expected, abs=5e-3)
        assert expected == pytest.approx(math.log(math.sqrt(1 + distance**2)) - math.log(2), abs=2e-2)


def test_both_grow_with_the_distance_of_the_modes():
    h = torch.stack([two_modes(distance) for distance in (0.0, 1.5, 2.5, 4.0)], 1)
    for found in (bimodality_coefficient(h), mixture_gain(h)):
        assert (found.diff() > 0.03).all()
    assert mixture_gain(h)[0].item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("measure", [bimodality_coefficient, mixture_gain])
def test_place_scale_sign_and_order_do_not_matter(measure):
    h = torch.stack([two_modes(2.0, 600) ** 3, gaussian(600), two_modes(1.0, 600).exp()], 1)
    expected = measure(h)
    scaled = measure(torch.tensor([1e3, -1e-3, 7.0], dtype=torch.float64) * h.flip(0) - 5)
    torch.testing.assert_close(scaled, expected, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(measure(h[:, [2, 0]]), expected[[2, 0]])
    torch.testing.assert_close(measure(h + 1e5), expected, atol=1e-4, rtol=1e-4)


def test_zeros_behind_a_relu_are_a_mode_without_width():
    gain = mixture_gain(gaussian(600).clamp(min=0)[:, None]).item()
    assert 2 < gain < math.log(1e3)


@pytest.mark.parametrize("measure", [bimodality_coefficient, mixture_gain])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("device", DEVICES)
def test_measures_are_plain_numbers_and_leave_no_trace(measure, dtype, device):
    h = torch.stack([two_modes(3.0, 200), torch.full((200,), 0.1, dtype=torch.float64)], 1)
    h = h.to(device, dtype).requires_grad_()
    kept, random, numpys = h.detach().clone(), torch.get_rng_state(), np.random.get_state()[1].copy()
    found = measure(h)
    assert found.dtype == torch.float64 and found.device.type == "cpu" and not found.requires_grad
    assert found[0] > 0.4 and found[1].isnan()
    assert torch.equal(found[:1], measure(h)[:1])
    assert torch.equal(h.detach(), kept) and torch.equal(random, torch.get_rng_state())
    assert (numpys == np.random.get_state()[1]).all()


@pytest.mark.parametrize("measure, least", [(bimodality_coefficient, 4), (mixture_gain, 2)])
def test_too_few_samples_and_other_shapes_are_refused(measure, least):
    for h in (torch.zeros(least - 1, 2), torch.zeros(9), torch.zeros(9, 2, 2)):
        with pytest.raises(ValueError, match=f"with at least {least} samples"):
            measure(h)
