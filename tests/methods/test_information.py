"""Entropies of codes: SciPy, scikit-learn, plain loops, and the inequalities that must hold exactly."""

import math
from collections import Counter

import pytest
import torch
from scipy import stats
from sklearn.metrics import mutual_info_score

from course_lib.methods.information import (
    alone,
    conditional_entropy,
    entropy,
    in_bins,
    mutual_information,
)

CORRECTIONS = [None, "miller-madow"]


def drawn(n=400, units=3, levels=4, classes=5, seed=0):
    """Codes that depend on the label, with negative values, unequal classes and gaps in the numbering."""
    generator = torch.Generator().manual_seed(seed)
    y = (torch.rand(n, generator=generator).square() * classes).long() * 3 - 2
    noise = torch.randint(levels, (n, units), generator=generator)
    return noise * (1 + y[:, None] % 2) - 2 * levels, y


def loop_entropy(rows, correction):
    """The definition, one code at a time, in Python's float64."""
    counts = Counter(rows)
    total = -sum(n / len(rows) * math.log(n / len(rows)) for n in counts.values())
    return total + ((len(counts) - 1) / (2 * len(rows)) if correction else 0)


def loop_conditional(rows, labels, correction):
    return sum(
        labels.count(label)
        / len(labels)
        * loop_entropy([row for row, y in zip(rows, labels) if y == label], correction)
        for label in set(labels)
    )


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("units", [1, 3])
def test_each_is_the_loop_over_codes(units, correction):
    code, y = drawn(units=units)
    rows, labels = [tuple(row) for row in code.tolist()], y.tolist()
    whole, given = loop_entropy(rows, correction), loop_conditional(rows, labels, correction)
    assert entropy(code, correction=correction) == pytest.approx(whole, abs=1e-12)
    assert conditional_entropy(code, y, correction=correction) == pytest.approx(given, abs=1e-12)
    assert mutual_information(code, y, correction=correction) == pytest.approx(whole - given, abs=1e-12)


def test_they_are_those_of_scipy_and_scikit_learn():
    code, y = drawn(units=1)
    code = code[:, 0]
    assert entropy(code) == pytest.approx(stats.entropy(list(Counter(code.tolist()).values())), abs=1e-12)
    assert mutual_information(code, y) == pytest.approx(mutual_info_score(y, code), abs=1e-12)


def test_the_information_is_the_same_the_other_way_round():
    code, y = drawn(units=1)
    assert mutual_information(code[:, 0], y) == pytest.approx(mutual_information(y, code[:, 0]), abs=1e-12)


def test_limits():
    y = torch.arange(40) % 4
    assert entropy(torch.zeros(40).long()) == 0
    assert entropy(torch.arange(40)) == pytest.approx(math.log(40))
    assert conditional_entropy(y, y) == 0 and mutual_information(y, y) == pytest.approx(math.log(4))
    other = torch.arange(40) // 4 % 2  # as often 0 as 1 in each class
    assert mutual_information(other, y) == pytest.approx(0, abs=1e-12)
    assert conditional_entropy(other, y) == pytest.approx(math.log(2))


def test_a_row_is_one_code():
    code, y = drawn(units=2)
    joined = code[:, 0] * 1000 + code[:, 1]
    assert entropy(code) == entropy(joined)
    assert conditional_entropy(code, y) == conditional_entropy(joined, y)
    assert entropy(code) < entropy(code[:, 0]) + entropy(code[:, 1])


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("seed", range(5))
def test_a_function_of_the_code_has_less_of_both(seed, correction):
    """Eq. A.1 on the samples themselves; it holds with the correction, as K only shrinks."""
    code, y = drawn(seed=seed)
    merged = code.div(2, rounding_mode="floor") * torch.tensor([1, 0, 3])
    assert conditional_entropy(merged, y, correction=correction) < conditional_entropy(
        code, y, correction=correction
    )
    assert entropy(merged, correction=correction) < entropy(code, correction=correction)
    assert mutual_information(merged, y) <= mutual_information(code, y)


@pytest.mark.parametrize("seed", range(5))
def test_the_units_bound_the_layer(seed):
    """H(H_l | Y) <= Σ_i H(H_{l,i} | Y), below Eq. A.2."""
    code, y = drawn(seed=seed)
    assert conditional_entropy(code, y) <= sum(conditional_entropy(unit, y) for unit in code.T) + 1e-12


def test_the_correction_brings_few_samples_nearer_to_the_truth():
    y, plain, corrected = torch.arange(60) % 2, [], []
    for seed in range(200):
        code = torch.randint(8, (60,), generator=torch.Generator().manual_seed(seed))
        plain.append(entropy(code))
        corrected.append(entropy(code, correction="miller-madow"))
    truth = math.log(8)
    assert truth - 0.09 < sum(plain) / 200 < truth - 0.03
    assert sum(corrected) / 200 == pytest.approx(truth, abs=0.01)
    assert abs(mutual_information(code, y, correction="miller-madow")) < mutual_information(code, y)


def test_alone_counts_codes_that_a_class_has_once():
    code, y = torch.tensor([1, 1, 2, 2, 3, 3, 4]), torch.tensor([0, 0, 0, 1, 1, 1, 1])
    assert alone(code, y) == pytest.approx(3 / 7)  # the 2 of each class, and the 4
    assert alone(torch.arange(7), y) == 1 and alone(torch.zeros(7).long(), y) == 0


def test_bins_have_their_width_and_a_middle_at_zero():
    h = torch.tensor([[-0.26, 0.9], [-0.24, 1.1], [0.24, 3.1], [0.26, -3.1]])
    assert in_bins(h, 0.5).tolist() == [[-1, 2], [0, 2], [0, 6], [1, -6]]
    assert in_bins(h, torch.tensor([0.5, 2.0])).tolist() == [[-1, 0], [0, 1], [0, 2], [1, -2]]


def test_shrinking_a_unit_lowers_the_entropy_of_fixed_bins():
    """Which is why a fixed width alone does not tell invariance from a small scale."""
    h = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0))
    assert entropy(in_bins(h / 4, 0.5)) < entropy(in_bins(h, 0.5)) - 1
    assert entropy(in_bins(h / 4, h.std(0) / 8)) == entropy(in_bins(h, h.std(0) / 2))


def test_what_does_not_fit_is_refused():
    code, y = drawn()
    with pytest.raises(TypeError, match="put it in bins first"):
        entropy(code.float())
    with pytest.raises(TypeError, match="y has type torch.float32"):
        conditional_entropy(code, y.float())
    with pytest.raises(ValueError, match=r"y has shape \(399,\), needed is one label for each of 400"):
        mutual_information(code, y[1:])
    with pytest.raises(ValueError, match=r"shape \(0, 3\)"):
        entropy(code[:0])
    with pytest.raises(ValueError, match="correction is 'jackknife', possible are None and 'miller-madow'"):
        entropy(code, correction="jackknife")
    with pytest.raises(ValueError, match=r"width is 0.0, possible"):
        in_bins(torch.zeros(2, 2), 0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_it_takes_tensors_of_the_gpu():
    code, y = drawn()
    assert mutual_information(code.cuda(), y) == pytest.approx(mutual_information(code, y), abs=1e-12)
