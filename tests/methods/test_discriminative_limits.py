"""The edges of the discriminative component and of the two measures: rounding, scale, constants, settings."""

import pytest
import torch
from sklearn.mixture import GaussianMixture

from course_lib.methods import bimodality_coefficient, discriminative_component, mixture_gain

EPS = torch.finfo(torch.float64).eps


@pytest.mark.parametrize("shape", [(1000, 3), (2, 1000)])
@pytest.mark.parametrize("part, seen", [(0.5, False), (2.0, True)])
def test_a_direction_counts_from_the_rounding_error_of_the_largest_on(shape, part, seen):
    """That error is the strength of the first, times the longer side of W, times the precision of H."""
    W = torch.zeros(shape, dtype=torch.float64)
    W[0, 0], W[1, 1] = 7.0, 7.0 * 1000 * EPS * part
    H = torch.ones(4, shape[1], dtype=torch.float64)
    found = discriminative_component(H, W)
    assert found[:, 0].tolist() == pytest.approx([1] * 4)
    assert found[:, 1].tolist() == pytest.approx([float(seen)] * 4)


def test_the_precision_is_that_of_the_features():
    W = torch.tensor([[1.0, 0, 0], [0, 1e-10, 0]])
    H = torch.ones(2, 3)
    assert discriminative_component(H.double(), W)[:, 1].tolist() == pytest.approx([1, 1])
    found = discriminative_component(H, W.double())
    assert found[:, 1].tolist() == [0, 0] and found.dtype == torch.float32
    assert discriminative_component(H.bfloat16(), W.double()).dtype == torch.float32


# --- the two measures ------------------------------------------------------------------------------------


def uneven(n=300, seed=1):
    """Four modes at uneven distances: where EM ends depends on where it starts."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(n, generator=generator, dtype=torch.float64)
    uniform = torch.rand(n, generator=generator, dtype=torch.float64)
    return 0.7 * normal + 3 * (uniform * 4).floor() ** 1.5


def overlapping(seed, n=300):
    """Two modes that hardly differ: EM takes long."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(n, generator=generator, dtype=torch.float64)
    return normal + 2 * (torch.rand(n, generator=generator, dtype=torch.float64) < 0.5)


def three(seed=1, n=300):
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(n, generator=generator, dtype=torch.float64)
    return 0.5 * normal + 4 * (torch.rand(n, generator=generator, dtype=torch.float64) * 3).floor()


UNITS = {"four": uneven(), "three": three(), "1": overlapping(1), "5": overlapping(5)}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("h", UNITS.values(), ids=UNITS)
def test_the_gain_is_that_of_scikit_learn_with_the_settings_of_the_course(h, seed):
    """Two starts, from the seed; at most 500 steps, until one adds less than a millionth."""
    unit = ((h - h.mean()) / h.std(correction=0))[:, None].numpy()
    one, two = (
        GaussianMixture(k, reg_covar=1e-6, tol=1e-6, max_iter=500, n_init=2, random_state=seed)
        .fit(unit)
        .score(unit)
        for k in (1, 2)
    )
    assert mixture_gain(h[:, None], seed).item() == pytest.approx(two - one, abs=1e-9)
    if seed == 0:
        assert mixture_gain(h[:, None]).item() == mixture_gain(h[:, None], 0).item()


def test_the_seed_decides_where_it_starts():
    h = uneven()[:, None]
    assert mixture_gain(h).item() == mixture_gain(h, 0).item() != mixture_gain(h, 1).item()


def test_the_floor_is_a_part_of_the_units_own_variance():
    """So place and scale do not matter, however small the unit is and however far from 0."""
    zeros = torch.zeros(100, dtype=torch.float64)
    h = torch.stack([overlapping(0), torch.cat([zeros, overlapping(3)[:200] + 5])], 1)
    for measure in (mixture_gain, bimodality_coefficient):
        expected = measure(h)
        for scale in (1e-4, 1e4):
            assert measure(scale * h).tolist() == pytest.approx(expected.tolist(), rel=1e-6)
            moved = scale * h + torch.tensor([1e3, -5e3]).double() * scale
            assert measure(moved).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize("measure", [bimodality_coefficient, mixture_gain])
@pytest.mark.parametrize("value", [0.1, 1.0])
def test_a_constant_unit_is_not_a_number_and_the_others_are(measure, value):
    constant = torch.full((6,), value, dtype=torch.float64)  # the mean of six times 0.1 is not quite 0.1
    h = torch.stack([overlapping(0, 6), constant], 1)
    assert measure(h).isnan().tolist() == [False, True]


def test_two_samples_are_enough_for_the_gain():
    assert mixture_gain(torch.tensor([[0.0], [1.0]])).isfinite().all()
