"""The four schemes of layer weights: literal formulas, both readings of the spread, and a probe by hand."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from course_lib.methods.saliency import combination
from course_lib.methods.saliency.layer_weights import (
    accuracy_weights,
    feature_spread,
    linear_weights,
    normalised,
    probe_accuracy,
    spread_weights,
    uniform_weights,
)
from tests.methods.small_nets import DEVICES


def features(seed=0, m=5, k=3, h=2, w=4):
    return torch.randn(m, k, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.3


def literal_spread(x, reading):
    """(1/M) Σ_i |x̄^i - x̄^μ| for every channel, then their mean."""
    spreads = []
    for k in range(x.shape[1]):
        pooled = []
        for image in x[:, k].flatten(1).tolist():
            pooled.append(sum(image) / (len(image) if reading == "course" else 1))
        if reading == "course":
            centre = sum(pooled) / len(pooled)
        else:
            centre = sum(abs(p) for p in pooled) / len(pooled)
        spreads.append(sum(abs(p - centre) for p in pooled) / len(pooled))
    return sum(spreads) / len(spreads)


@given(st.integers(1, 50))
def test_uniform_and_linear(n):
    assert uniform_weights(n) == pytest.approx([1 / n] * n)
    assert linear_weights(n) == pytest.approx([2 * j / (n * (n + 1)) for j in range(1, n + 1)])
    assert sum(linear_weights(n)) == pytest.approx(1) == sum(uniform_weights(n))


def test_the_numbers_of_the_source():
    assert linear_weights(5) == pytest.approx([0.0667, 0.1333, 0.2, 0.2667, 0.3333], abs=1e-4)
    assert linear_weights(4) == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("reading", ["course", "printed"])
def test_the_spread_is_the_formula(reading):
    for seed in range(5):
        assert feature_spread(features(seed), reading) == pytest.approx(
            literal_spread(features(seed), reading)
        )
    assert feature_spread(features(), "course") == feature_spread(features())
    assert feature_spread(features()[:, :, 0, 0], reading) == pytest.approx(
        literal_spread(features()[:, :, :1, :1], reading)
    )


def test_where_the_readings_part():
    x = torch.tensor([[-1.0], [1.0]])
    assert feature_spread(x) == 1.0  # both 1 from 0
    assert feature_spread(x, "printed") == 1.0  # one 2, one 0 from |x̄| = 1
    x = torch.tensor([[-1.0], [3.0]])
    assert feature_spread(x) == 2.0 and feature_spread(x, "printed") == 2.0
    x = torch.tensor([[-1.0], [-3.0]])
    assert feature_spread(x) == 1.0 and feature_spread(x, "printed") == 4.0
    positive = features().abs()
    assert feature_spread(positive, "printed") == pytest.approx(8 * feature_spread(positive))  # 2 x 4 places


def test_spread_is_a_difference_between_images_not_between_places():
    same = features()[:1].repeat(5, 1, 1, 1)
    assert feature_spread(same) == pytest.approx(0, abs=1e-15)
    shuffled = features().flatten(2)[:, :, torch.randperm(8)].view(5, 3, 2, 4)
    assert feature_spread(shuffled) == pytest.approx(feature_spread(features()))
    assert feature_spread(3 * features() + 2) == pytest.approx(3 * feature_spread(features()))


@pytest.mark.parametrize("reading", ["course", "printed"])
def test_spread_weights_add_up_to_1_in_the_layers_order(reading):
    named = {"late": features(1, k=7), "early": 3 * features(2, h=5), "flat": features(3)[:, :, 0, 0]}
    found = spread_weights(named, reading)
    assert list(found) == ["late", "early", "flat"] and sum(found.values()) == pytest.approx(1)
    total = sum(literal_spread(x if x.ndim == 4 else x[:, :, None], reading) for x in named.values())
    assert found["early"] == pytest.approx(literal_spread(named["early"], reading) / total)


@pytest.mark.parametrize("places", [(2, 4), ()])
def test_the_spread_is_computed_in_full(places):
    x = (100 + torch.rand(50, 3, *places, generator=torch.Generator().manual_seed(0))).bfloat16()
    assert feature_spread(x) == pytest.approx(feature_spread(x.double()), rel=1e-12)


def test_weights_may_be_0_but_not_below():
    assert normalised([0, 3, 1]) == [0, 0.75, 0.25]
    for weights in ([-1, 3], [3, -1], [0, 0], [1, math.inf], [1, math.nan]):
        with pytest.raises(ValueError, match="needed are numbers of at least 0 and one above it"):
            normalised(weights)


# --- probes ----------------------------------------------------------------------------------------------


def labelled(noise, m=60, k=4, seed=0):
    """Three classes, each with a channel of its own that is brighter on average over the locations."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(m) % 3
    x = noise * torch.randn(m, k, 2, 3, generator=generator)
    x[torch.arange(m), labels] += 1
    return x, labels


def test_a_probe_reads_what_is_there():
    x, labels = labelled(0.1)
    assert probe_accuracy(x, labels) == 1.0
    assert probe_accuracy(x.mean((2, 3)), labels) == 1.0
    chance = [probe_accuracy(torch.randn(60, 4), labels, seed) for seed in range(10)]
    assert 0.15 < sum(chance) / 10 < 0.5  # measured on what it has not seen


def test_a_probe_learns_from_one_half_of_each_class_and_is_measured_on_the_other():
    x, labels = labelled(2.0, m=31)
    found = probe_accuracy(x, labels, seed=3)
    assert found * 16 == pytest.approx(round(found * 16)) and found < 1  # 16 of 31 are measured
    several = {probe_accuracy(x, labels, seed) for seed in range(6)}
    assert len(several) > 1 and probe_accuracy(x, labels, seed=3) == found == probe_accuracy(x, labels, 3)


def test_two_classes_of_two_images_are_enough():
    x, labels = torch.tensor([[-1.0], [-1.0], [1.0], [1.0]]), [0, 0, 1, 1]
    assert probe_accuracy(x, labels) == 1.0 and type(probe_accuracy(x, labels)) is float


def test_without_a_seed_it_is_0():
    x, labels = labelled(2.0, m=31)
    each = [probe_accuracy(x, labels, seed) for seed in range(2)]
    assert probe_accuracy(x, labels) == each[0] != each[1]
    sharp, _ = labelled(0.1, m=31)
    layers = {"noisy": x, "sharp": sharp}
    weights = [accuracy_weights(layers, labels, seed) for seed in range(2)]
    assert accuracy_weights(layers, labels) == weights[0] != weights[1]


def test_a_probe_is_multinomial_regression_of_standardised_means():
    x, labels = labelled(2.0, m=80)
    x[:, 3] *= 1000  # what it has to be standardised for
    x[:, 3] += 5000
    pooled = x.double().mean((2, 3)).numpy()
    learn, measure = train_test_split(np.arange(80), test_size=0.5, stratify=labels, random_state=1)
    seen = np.bincount(labels[learn])
    assert seen.max() - seen.min() <= 1
    mean, deviation = pooled[learn].mean(0), pooled[learn].std(0)
    regression = LogisticRegression(max_iter=1000).fit((pooled[learn] - mean) / deviation, labels[learn])
    right = regression.predict((pooled[measure] - mean) / deviation) == labels[measure].numpy()
    assert probe_accuracy(x, labels, seed=1) == pytest.approx(right.mean())


def test_accuracy_weights_use_one_split_and_add_up_to_1():
    (sharp, labels), (noisy, _) = labelled(0.1), labelled(4.0)
    found = accuracy_weights({"noisy": noisy, "sharp": sharp}, labels, seed=2)
    accuracies = [probe_accuracy(noisy, labels, 2), probe_accuracy(sharp, labels, 2)]
    assert list(found.values()) == pytest.approx([a / sum(accuracies) for a in accuracies])
    assert found["sharp"] > found["noisy"]
    assert accuracy_weights({"noisy": noisy, "sharp": sharp}, labels.tolist(), 2) == found
    equal = accuracy_weights({"a": noisy, "b": noisy}, labels)
    assert equal == {"a": 0.5, "b": 0.5} == accuracy_weights({"a": noisy, "b": noisy}, labels, seed=0)


@pytest.mark.parametrize("device", DEVICES)
def test_random_state_inputs_and_devices(device):
    x, labels = labelled(1.0)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    there = x.to(device).requires_grad_()
    assert probe_accuracy(there, labels.to(device)) == probe_accuracy(x, labels)
    pooled = there.mean((2, 3))
    assert probe_accuracy(pooled, labels.to(device)) == probe_accuracy(pooled.detach(), labels)
    assert feature_spread(there) == pytest.approx(feature_spread(x))
    assert feature_spread(x.bfloat16()) == pytest.approx(feature_spread(x), rel=0.02)
    assert torch.equal(states[0], torch.get_rng_state()) and states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()


def test_the_schemes_are_found_beside_combine():
    for name in ("accuracy_weights", "linear_weights", "spread_weights", "uniform_weights"):
        assert name in combination.__all__ and callable(getattr(combination, name))


X, Y = labelled(1.0, m=6)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: uniform_weights(0), "layers is 0, needed is at least one"),
        (lambda: linear_weights(-1), "layers is -1"),
        (lambda: spread_weights({}), "needed is at least one layer"),
        (lambda: spread_weights({"a": X, "b": X[:3]}), r"'b': \(3, 4, 2, 3\).*the same images"),
        (lambda: accuracy_weights({"a": X, "b": X[:3]}, Y), "the same images"),
        (lambda: spread_weights({"a": torch.zeros(2, 3)}), r"weights are \[0.0\]"),
        (lambda: feature_spread(X, "mean"), "reading is 'mean', possible are course, printed"),
        (lambda: feature_spread(X[0]), r"features have shape \(4, 2, 3\)"),
        (lambda: feature_spread(X[:0]), "not empty"),
        (lambda: feature_spread(X * math.nan), "NaN or infinity"),
        (lambda: feature_spread(torch.tensor([[1.0, math.nan]])), "NaN or infinity"),
        (lambda: probe_accuracy(X, Y[:3]), r"labels are torch.int64 \(3,\), needed are 6 whole numbers"),
        (lambda: probe_accuracy(X, Y.float()), "labels are torch.float32"),
        (lambda: probe_accuracy(X, [0, 0, 1, 1, 2, 3]), "labels have 4 classes, the smallest with 1 images"),
        (lambda: probe_accuracy(X, [0] * 6), "labels have 1 classes, the smallest with 6"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
