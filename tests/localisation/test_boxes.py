"""Boxes against a walk over the pixels and against counting; thresholds, and that each map wants its own."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import localisation as loc

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def literal_box(mask):
    places = [(r, c) for r, row in enumerate(mask.tolist()) for c, inside in enumerate(row) if inside]
    if not places:
        return [0, 0, 0, 0]
    rows, columns = zip(*places, strict=True)
    return [min(rows), min(columns), max(rows) + 1, max(columns) + 1]


def filled(box, height=7, width=9):
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


boxes = st.tuples(st.integers(0, 7), st.integers(0, 9), st.integers(0, 7), st.integers(0, 9)).map(
    lambda b: [min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])]
)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.1, 0.9]))
def test_the_tightest_box_by_walking(seed, part):
    masks = torch.rand(2, 3, 5, 8, generator=torch.Generator().manual_seed(seed)) < part
    found = loc.boxes_of(masks)
    assert found.shape == (2, 3, 4) and found.dtype == torch.int64
    assert found.tolist() == [[literal_box(mask) for mask in row] for row in masks]


def test_a_box_has_the_area_of_its_pixels():
    assert loc.boxes_of(filled([2, 3, 6, 5])).tolist() == [2, 3, 6, 5]
    assert loc.boxes_of(filled([6, 8, 7, 9])).tolist() == [6, 8, 7, 9]
    assert loc.boxes_of(torch.ones(7, 9, dtype=torch.bool)).tolist() == [0, 0, 7, 9]


@given(boxes, boxes)
def test_iou_counts_pixels(a, b):
    one, other = filled(a), filled(b)
    union = (one | other).sum().item()
    expected = (one & other).sum().item() / union if union else 0.0
    assert loc.iou(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(expected)
    assert loc.iou(torch.tensor(b), torch.tensor(a)).item() == pytest.approx(expected)


def test_iou_broadcasts_and_takes_parts_of_pixels():
    a = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 1.0, 1.5], [2.0, 0.0, 3.0, 1.0], [0.0, 1.0, 1.0, 2.0]])
    found = loc.iou(a, torch.tensor([0, 0, 1, 1]))
    assert found.tolist() == pytest.approx([1.0, 1 / 3, 0.0, 0.0]) and found.dtype == torch.float64
    apart = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([5.0, 5.0, 6.0, 6.0])
    assert loc.iou(*apart).item() == 0.0  # two negative sides are no intersection
    assert loc.iou(torch.zeros(4), torch.zeros(4)).item() == 0.0


# --- boxes of maps ---------------------------------------------------------------------------------------


def bump():
    """0 far away, 1 to 4 towards the middle of a column, and a second, lower one."""
    one = torch.zeros(1, 1, 7, 9)
    one[0, 0, 1:6, 2:5] = 1.0
    one[0, 0, 2:5, 2:5] = 2.0
    one[0, 0, 3, 3] = 4.0
    one[0, 0, 6, 8] = 3.0
    return one


@pytest.mark.parametrize(
    "threshold, box, largest",
    [
        (0.0, [0, 0, 7, 9], [0, 0, 7, 9]),
        (0.2, [1, 2, 7, 9], [1, 2, 6, 5]),
        (0.25, [1, 2, 7, 9], [1, 2, 6, 5]),  # at the threshold is above it
        (0.26, [2, 2, 7, 9], [2, 2, 5, 5]),
        (0.6, [3, 3, 7, 9], [3, 3, 4, 4]),  # two parts of one pixel: the first of them
        (1.0, [3, 3, 4, 4], [3, 3, 4, 4]),
    ],
)
def test_what_remains_of_a_map(threshold, box, largest):
    maps = torch.cat([bump(), 10 * bump() - 3, 0.01 * bump() + 5])  # a part of the range, not of the values
    assert loc.box_of_map(maps.double(), threshold).tolist() == [box] * 3
    assert loc.box_of_map(maps.double(), threshold, largest_component=True).tolist() == [largest] * 3


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_the_box_of_a_map_by_walking(seed, threshold):
    maps = torch.randn(3, 1, 5, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for one, found in zip(maps, loc.box_of_map(maps, threshold).tolist(), strict=True):
        low, high = one.min(), one.max()
        assert found == literal_box(one[0] - low >= threshold * (high - low))


def test_every_range_has_its_peak_and_a_flat_map_keeps_everything():
    maps = torch.rand(200, 1, 3, 3, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.7
    ends = torch.cat([loc.peaks(maps), loc.peaks(maps) + 1], dim=1)
    assert torch.equal(loc.box_of_map(maps, 1.0), ends)
    assert loc.box_of_map(torch.full((1, 1, 3, 4), 0.1), 0.9).tolist() == [[0, 0, 3, 4]]


def test_parts_touch_by_edges_not_corners():
    one = torch.zeros(1, 1, 5, 5)
    one[0, 0, 0, 0] = one[0, 0, 1, 1] = one[0, 0, 2, 2] = 1.0
    one[0, 0, 4, 3:5] = 1.0
    assert loc.box_of_map(one, 0.5, largest_component=True).tolist() == [[4, 3, 5, 5]]


@pytest.mark.parametrize("device", DEVICES)
def test_boxes_stay_on_the_device(device):
    for largest in (False, True):
        found = loc.box_of_map(bump().to(device), 0.26, largest_component=largest)
        assert found.device.type == device
    assert loc.localisation_accuracy(bump().to(device), torch.tensor([[2, 2, 7, 9]]), 0.26) == 1.0


# --- accuracy and its threshold ----------------------------------------------------------------------------


def test_just_half_is_no_success():
    maps = torch.cat([bump(), bump(), bump()])  # boxes of 3 by 3 pixels, the largest part at 0.26
    true = torch.tensor([[2, 2, 5, 8], [2, 2, 5, 7], [2, 2, 5, 5]])  # 1/2, 3/5, 1
    options = {"threshold": 0.26, "largest_component": True}
    assert loc.overlaps(maps, true, **options).tolist() == pytest.approx([0.5, 0.6, 1.0])
    assert loc.localisation_accuracy(maps, true, **options) == pytest.approx(2 / 3)
    assert loc.localisation_accuracy(maps, true, iou=0.49, **options) == 1.0
    assert type(loc.localisation_accuracy(maps, true, iou=0.49, **options)) is float
    assert loc.overlaps(maps[:1], torch.tensor([[2, 2, 7, 9]]), 0.26).tolist() == [1.0]  # by itself all parts
    assert loc.localisation_accuracy(maps, true, iou=0.7, **options) == pytest.approx(1 / 3)
    assert loc.localisation_accuracy(maps, true, threshold=0.2) == 0.0  # the lower bump widens the boxes


def test_each_kind_of_map_wants_a_threshold_of_its_own():
    """The same objects, seen sharply and blurred: what is best for one is bad for the other."""
    rows, columns = torch.arange(24)[:, None], torch.arange(24)[None]
    middles, radii = [(8, 9), (14, 13), (11, 12)], [4, 5, 4]
    apart = [
        torch.maximum((rows - r).abs(), (columns - c).abs()) / radius
        for (r, c), radius in zip(middles, radii, strict=True)
    ]
    true = loc.boxes_of(torch.stack([one <= 1 for one in apart]))
    blurred = torch.stack([(-0.5 * one).exp() for one in apart])[:, None]
    sharp = blurred**8
    thresholds = [0.02, 0.05, 0.2, 0.5, 0.9]
    found = [loc.best_threshold(maps, true, thresholds) for maps in (blurred, sharp)]
    assert [one.accuracy for one in found] == [1.0, 1.0]
    assert found[0].threshold > found[1].threshold
    assert found[0].by_threshold[found[1].threshold] == 0.0
    for maps, search in zip((blurred, sharp), found, strict=True):
        one_by_one = {t: loc.localisation_accuracy(maps, true, t) for t in thresholds}
        assert search.by_threshold == one_by_one and max(one_by_one.values()) == search.accuracy


def test_the_first_of_equal_thresholds_and_all_options():
    true = torch.tensor([[2, 2, 5, 5]])
    search = loc.best_threshold(bump(), true, torch.tensor([0.0, 0.5, 0.375]), largest_component=True)
    assert search == (0.5, 1.0, {0.0: 0.0, 0.5: 1.0, 0.375: 1.0})
    assert loc.best_threshold(bump(), true, [0.5]).accuracy == 0.0
    assert loc.best_threshold(bump(), true, [0.5], iou=0.2).accuracy == 1.0


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: loc.box_of_map(bump(), 1.5), "threshold is 1.5, possible is 0 to 1"),
        (lambda: loc.box_of_map(bump(), -0.1), "threshold is -0.1"),
        (lambda: loc.box_of_map(bump()[0], 0.5), r"maps have shape \(1, 7, 9\)"),
        (lambda: loc.box_of_map(bump() * math.nan, 0.5), "maps contain NaN or infinity"),
        (lambda: loc.iou(torch.zeros(3), torch.zeros(4)), r"a has shape \(3,\), needed are boxes"),
        (lambda: loc.iou(torch.zeros(4), torch.zeros(4, 1)), r"b has shape \(4, 1\)"),
        (
            lambda: loc.iou(torch.tensor([[0, 0, 1, 1], [2, 0, 1, 1]]), torch.zeros(4)),
            r"a contains \[2, 0, 1, 1\]",
        ),
        (lambda: loc.iou(torch.zeros(4), torch.tensor([0, 2, 1, 1])), r"b contains \[0, 2, 1, 1\]"),
        (lambda: loc.overlaps(bump(), torch.zeros(2, 4), 0.5), r"boxes have shape \(2, 4\), for 1 maps"),
        (lambda: loc.overlaps(bump(), torch.zeros(4), 0.5), r"boxes have shape \(4,\)"),
        (lambda: loc.best_threshold(bump(), torch.zeros(1, 4), []), "thresholds are empty"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_masks_are_bool():
    with pytest.raises(TypeError, match="masks have type torch.int32, needed is torch.bool"):
        loc.boxes_of(filled([2, 3, 6, 5]).int())
