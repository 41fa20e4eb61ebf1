"""Combined maps against loops over pixels; what must not change them: units, other samples, dead layers."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib.localisation import to_size
from course_lib.methods.saliency.combination import combine, linear_weights, min_max
from tests.methods.small_nets import DEVICES

SIZES = [(12, 15), (6, 5), (3, 5)]


def layers(seed=0, n=2, dtype=torch.float64, sizes=SIZES):
    generator = torch.Generator().manual_seed(seed)
    return [
        (j + 1.0) ** 3 * torch.randn(n, 1, *size, generator=generator, dtype=torch.float64).to(dtype) + j
        for j, size in enumerate(sizes)
    ]


def literal(maps, weights, size, mode):
    """Resize, normalise, combine: one sample and one pixel at a time."""
    total = sum(weights)
    result = []
    for i in range(len(maps[0])):
        sample = [F.interpolate(m[i : i + 1], size, mode="bilinear", align_corners=False)[0, 0] for m in maps]
        low, high = [min(m.flatten().tolist()) for m in sample], [max(m.flatten().tolist()) for m in sample]
        for r in range(size[0]):
            for c in range(size[1]):
                value = 0.0 if mode == "sum" else 1.0
                for j, m in enumerate(sample):
                    part = (m[r, c].item() - low[j]) / (high[j] - low[j])
                    value = (
                        value + weights[j] / total * part
                        if mode == "sum"
                        else value * part ** (weights[j] / total)
                    )
                result.append(value)
    return torch.tensor(result, dtype=torch.float64).view(len(maps[0]), 1, *size)


@pytest.mark.parametrize("mode", ["sum", "product"])
@pytest.mark.parametrize("size", [(12, 15), (9, 7)])
@pytest.mark.parametrize("weights", [[1, 1, 1], [0.2, 3, 1.5], [0.0, 1.0, 2.0]])
def test_it_is_the_formula(mode, size, weights):
    expected = literal(layers(), weights, size, mode)
    assert torch.allclose(combine(layers(), weights, size, mode), expected, rtol=1e-9, atol=1e-12)


def test_what_is_left_out():
    maps = layers()
    assert torch.equal(combine(maps), combine(maps, [1, 1, 1], (12, 15), "sum"))
    assert combine(maps[1:]).shape == (2, 1, 6, 5) and combine(maps[::-1]).shape == (2, 1, 12, 15)
    assert torch.equal(combine(maps, size=9), combine(maps, size=(9, 9)))
    wide = layers(sizes=[(2, 20), (5, 6)])
    assert combine(wide).shape == (2, 1, 2, 20)


def test_maps_and_weights_by_name():
    names = ["conv1", "conv2", "conv3"]
    maps, weights = dict(zip(names, layers(), strict=True)), {"conv3": 3.0, "conv1": 1.0, "conv2": 0.5}
    expected = combine(layers(), [1.0, 0.5, 3.0])
    assert torch.equal(combine(maps, weights), expected)
    assert torch.equal(combine(maps, [1.0, 0.5, 3.0]), expected)
    assert torch.equal(combine(maps, torch.tensor([1.0, 0.5, 3.0])), expected)
    assert torch.equal(combine(maps, linear_weights(3)), combine(layers(), [1, 2, 3]))


# --- invariances and limits --------------------------------------------------------------------------------

weight = st.floats(0, 5)


@given(st.integers(0, 1000), st.lists(weight, min_size=3, max_size=3), st.sampled_from(["sum", "product"]))
def test_it_stays_between_0_and_1_and_a_product_below_the_sum(seed, weights, mode):
    if sum(weights) < 0.1:
        weights[0] = 1.0
    maps = layers(seed)
    found = combine(maps, weights, mode=mode)
    assert found.isfinite().all() and (found >= 0).all() and (found <= 1).all()
    assert (combine(maps, weights, mode="product") <= combine(maps, weights) + 1e-12).all()


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50), st.sampled_from(["sum", "product"]))
def test_units_of_maps_and_of_weights_do_not_matter(seed, scale, shift, mode):
    maps, weights = layers(seed), [0.5, 1.0, 2.0]
    found = combine(maps, weights, mode=mode)
    for j in range(3):
        moved = [scale * m + shift if i == j else m for i, m in enumerate(maps)]
        assert torch.allclose(combine(moved, weights, mode=mode), found, rtol=1e-5, atol=1e-5)
    assert torch.allclose(combine(maps, [scale * w for w in weights], mode=mode), found, atol=1e-12)


@pytest.mark.parametrize("mode", ["sum", "product"])
def test_samples_do_not_meet(mode):
    maps = layers(n=3)
    for m in maps:
        m[0] *= 100
    found = combine(maps, mode=mode)
    alone = torch.cat([combine([m[i : i + 1] for m in maps], mode=mode) for i in range(3)])
    assert torch.equal(found, alone)


@pytest.mark.parametrize("mode", ["sum", "product"])
def test_one_layer_is_its_normalised_map(mode):
    maps = layers()[1]
    assert torch.allclose(combine([maps], [7.0], mode=mode), min_max(maps))
    assert torch.allclose(combine([maps], size=(9, 11), mode=mode), min_max(to_size(maps, (9, 11))))


def test_a_product_of_the_same_map_is_that_map():
    maps = layers()[0]
    assert torch.allclose(combine([maps, maps, maps], [1, 2, 3], mode="product"), min_max(maps))


@pytest.mark.parametrize("mode", ["sum", "product"])
def test_a_layer_of_weight_0_does_not_count_where_it_is_0_either(mode):
    maps = layers()
    maps[1] = torch.zeros_like(maps[1])
    found = combine(maps, [1.0, 0.0, 2.0], mode=mode)
    assert torch.equal(found, combine([maps[0], maps[2]], [1.0, 2.0], mode=mode)) and found.max() > 0.5


def test_a_constant_map_adds_nothing_and_multiplies_to_nothing():
    maps = layers()
    maps[1] = torch.full_like(maps[1], 0.1)  # resized without care it would be rounding, blown up to [0, 1]
    assert combine(maps, mode="product").eq(0).all()
    assert torch.allclose(3 * combine(maps), 2 * combine([maps[0], maps[2]]))


def test_each_layer_counts_by_its_own_weight():
    first, second = torch.zeros(1, 1, 1, 3), torch.zeros(1, 1, 1, 3)
    first[..., 0], second[..., 1] = 1.0, 50.0
    assert combine([first, second], [1, 3]).flatten().tolist() == [0.25, 0.75, 0.0]
    half = torch.tensor([[[[0.0, 0.5, 1.0]]]]), torch.tensor([[[[1.0, 0.0625, 0.0]]]])
    assert combine(half, [1, 3], mode="product").flatten().tolist() == pytest.approx([0, 0.5**0.25 / 8, 0])


@given(st.integers(0, 1000))
def test_min_max_ends_at_0_and_1(seed):
    maps = torch.randn(4, 1, 3, 5, generator=torch.Generator().manual_seed(seed)) * 1e-3 + 7
    found = min_max(maps)
    assert found.amin((1, 2, 3)).tolist() == [0] * 4 and found.amax((1, 2, 3)).tolist() == [1] * 4
    assert torch.equal(found.flatten(1).argsort(1), maps.flatten(1).argsort(1))
    assert min_max(torch.full((1, 1, 2, 2), -3.3)).eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("device", DEVICES)
def test_every_floating_type_and_device(dtype, device):
    maps = [m.to(device) for m in layers(dtype=dtype)]
    kept = [m.clone() for m in maps]
    for mode in ("sum", "product"):
        found = combine(maps, [0.1, 0.3, 0.7], mode=mode)
        assert found.dtype == torch.float32 and found.device.type == device and found.max() <= 1
        exact = combine([m.double() for m in maps], [0.1, 0.3, 0.7], mode=mode)
        assert torch.allclose(found.double(), exact, atol=1e-4)
    assert min_max(maps[0]).dtype == torch.float32
    assert all(torch.equal(m, before) for m, before in zip(maps, kept, strict=True))


def test_three_thirds_are_not_more_than_one():
    peak = torch.zeros(1, 1, 1, 2)
    peak[..., 0] = 1
    for n in range(1, 40):
        assert combine([peak] * n).max() <= 1


NAMED = {"a": torch.ones(2, 1, 3, 3), "b": torch.ones(2, 1, 2, 2)}


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: combine([]), "nothing to combine"),
        (lambda: combine(layers(), mode="mean"), "mode is 'mean', possible are sum, product"),
        (lambda: combine([*layers(), torch.rand(3, 1, 4, 4)]), r"maps have \[2, 2, 2, 3\] samples"),
        (lambda: combine(layers(), [1, 2]), "there are 2 weights for 3 maps"),
        (lambda: combine(layers(), [1, -1, 2]), "weights are .*, needed are numbers of at least 0"),
        (lambda: combine(layers(), [0, 0, 0]), "one above it"),
        (lambda: combine(layers(), [1, math.inf, 0]), "weights are"),
        (lambda: combine(layers(), [1, math.nan, 0]), "weights are"),
        (lambda: combine(NAMED, {"a": 1}), "weights are of a, the maps of a, b"),
        (lambda: combine(NAMED, {"a": 1, "b": 1, "c": 1}), "weights are of a, b, c, the maps of a, b"),
        (lambda: combine(layers(), {"a": 1, "b": 1, "c": 0}), "the maps of no names"),
        (lambda: combine([torch.rand(2, 3, 3)]), r"maps have shape \(2, 3, 3\), needed is"),
        (lambda: combine([math.nan * NAMED["a"]]), "NaN or infinity"),
        (lambda: min_max(torch.rand(2, 2, 3, 3)), r"maps have shape \(2, 2, 3, 3\)"),
        (lambda: min_max(NAMED["a"] / 0), "NaN or infinity"),
        (lambda: min_max(NAMED["a"][:0]), "not empty"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
