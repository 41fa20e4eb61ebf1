"""Spearman's correlation against SciPy and a plain loop: ties, order alone counts, no order is NaN."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from course_lib.metrics import spearman

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def maps(seed, *shape, levels=None, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    if levels:
        return torch.randint(levels, shape, generator=generator).to(dtype)
    return torch.randn(shape, generator=generator, dtype=dtype)


def literal(a, b):
    """Pearson's correlation of average ranks, for one sample, by counting."""
    a, b = a.flatten().tolist(), b.flatten().tolist()

    def ranks(values):
        return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]

    a, b = ranks(a), ranks(b)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    together = sum((p - mean_a) * (q - mean_b) for p, q in zip(a, b, strict=True))
    return together / math.sqrt(sum((p - mean_a) ** 2 for p in a) * sum((q - mean_b) ** 2 for q in b))


@pytest.mark.parametrize("levels", [None, 2, 5])  # 2 and 5 values for 35 places: almost all are tied
def test_it_equals_scipy_and_the_loop(levels):
    a, b = maps(0, 6, 1, 5, 7, levels=levels), maps(1, 6, 1, 5, 7, levels=levels)
    b = b + 0.5 * a if levels is None else (b + a).clamp(max=levels - 1)
    found = spearman(a, b)
    assert found.shape == (6,) and found.dtype == torch.float64
    for rho, one, other in zip(found.tolist(), a, b, strict=True):
        expected = stats.spearmanr(one.flatten().numpy(), other.flatten().numpy()).statistic
        assert rho == pytest.approx(expected, abs=1e-12)
        assert rho == pytest.approx(literal(one, other), abs=1e-12)


def test_a_sample_is_compared_with_itself_only():
    a, b = maps(2, 4, 3, 3), maps(3, 4, 3, 3)
    assert torch.equal(spearman(a, b), torch.cat([spearman(a[i : i + 1], b[i : i + 1]) for i in range(4)]))
    assert torch.equal(spearman(a, b)[[2, 0, 3, 1]], spearman(a[[2, 0, 3, 1]], b[[2, 0, 3, 1]]))


def test_by_hand():
    a = torch.tensor([[1.0, 2.0, 3.0]])
    assert spearman(a, torch.tensor([[1.0, 3.0, 2.0]])).item() == 0.5
    tied = torch.tensor([[7.0, 7.0, 9.0]])  # ranks 1.5, 1.5, 3
    assert spearman(a, tied).item() == pytest.approx(math.sqrt(3) / 2, abs=1e-15)
    assert spearman(a, tied.flip(1)).item() == pytest.approx(-math.sqrt(3) / 2, abs=1e-15)


def test_tied_places_have_no_order_among_themselves():
    """Ranks given by position would agree on zeros that two maps share: -0.09 in place of -0.48."""
    a = torch.tensor([[0.0, 0.0, 0.0, 2.0, 1.0, 0.0]])
    b = torch.tensor([[0.0, 1.0, 2.0, 0.0, 0.0, 0.0]])
    assert spearman(a, b).item() == pytest.approx(literal(a, b), abs=1e-15)
    assert spearman(a, b).item() == pytest.approx(-0.48, abs=1e-15)
    places = [3, 1, 5, 0, 4, 2]
    assert spearman(a, b).item() == spearman(a[:, places], b[:, places]).item()


@given(st.integers(0, 10_000), st.sampled_from([None, 2, 4]), st.integers(2, 12))
def test_only_the_order_counts(seed, levels, n):
    a, b = maps(seed, 3, n, levels=levels), maps(seed + 1, 3, n, levels=levels)
    found = spearman(a, b)
    for rising in (torch.exp, torch.atan, lambda x: 3 * x - 7, lambda x: x**3):
        assert torch.equal(found.nan_to_num(9), spearman(rising(a), b).nan_to_num(9))
    assert torch.equal(found.nan_to_num(9), spearman(b, a).nan_to_num(9))
    assert torch.equal(found.neg().nan_to_num(9), spearman(-a, b).nan_to_num(9))
    assert (found.nan_to_num(0).abs() <= 1).all()
    several = (a != a[:, :1]).any(1)
    assert (spearman(a, a)[several] == 1).all() and (spearman(a, -a)[several] == -1).all()
    assert spearman(a, a)[~several].isnan().all()


def test_it_is_neither_pearson_nor_of_magnitudes():
    a = torch.tensor([[-3.0, -1.0, 0.0, 2.0]])
    assert spearman(a, a**3).item() == 1.0  # Pearson finds less
    assert spearman(a, a.abs()).item() == pytest.approx(-0.4, abs=1e-15)


def test_a_map_without_order_gives_nan_and_no_warning():
    a = maps(4, 5, 2, 3)
    b = a.clone()
    a[1], b[2] = 3.0, -1.0
    a[3, 0, 0] = math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = spearman(a, b)
    assert found.isnan().tolist() == [False, True, True, True, False]
    assert spearman(torch.zeros(2, 1), torch.ones(2, 1)).isnan().all()
    assert spearman(-a.new_zeros(1, 2), torch.tensor([[0.0, 1.0]])).isnan().all()


def test_infinity_has_a_rank():
    a = torch.tensor([[-math.inf, 0.0, 1.0, math.inf]])
    assert spearman(a, torch.tensor([[1.0, 2.0, 3.0, 4.0]])).item() == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("device", DEVICES)
def test_every_floating_type_and_device(dtype, device):
    a, b = maps(5, 3, 20, dtype=torch.float32).to(dtype), maps(6, 3, 20, dtype=torch.float32).to(dtype)
    found = spearman(a.to(device).requires_grad_(), b.to(device))
    assert found.dtype == torch.float64 and found.device.type == device and not found.requires_grad
    assert torch.equal(found.cpu(), spearman(a.double(), b.double()))


def test_large_maps_are_exactly_one_with_themselves():
    a = maps(7, 2, 1, 224, 224, levels=1000)
    assert spearman(a, 2 * a).tolist() == [1.0, 1.0]
    assert spearman(a, -a).tolist() == [-1.0, -1.0]


@pytest.mark.parametrize(
    "a, b",
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4)),
        (torch.zeros(1, 4), torch.zeros(2, 4)),
        (torch.zeros(4), torch.zeros(4)),
        (torch.zeros(0, 4), torch.zeros(0, 4)),
        (torch.zeros(2, 0), torch.zeros(2, 0)),
    ],
)
def test_shapes_that_cannot_be_compared(a, b):
    with pytest.raises(ValueError, match=r"a has shape \(.*\) and b \(.*\), needed is one shape \(B, ...\)"):
        spearman(a, b)


def test_complex_numbers_have_no_order():
    real, odd = torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.complex64)
    for pair in ((real, odd), (odd, real)):
        with pytest.raises(TypeError, match="complex numbers have no order"):
            spearman(*pair)
