"""The pointing game against a search over all pixels; its geometry, its means, and who is difficult."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import localisation as loc


def point(row, column, height=9, width=14):
    one = torch.zeros(1, 1, height, width)
    one[0, 0, row, column] = 1
    return one


def literal_hit(one, mask, tolerance):
    """Search the first largest value, then a pixel of the mask at less than the tolerance."""
    one, mask = one.tolist(), mask.tolist()
    best, place = -math.inf, None
    for r, row in enumerate(one):
        for c, value in enumerate(row):
            if value > best:
                best, place = value, (r, c)
    if tolerance == 0:
        return mask[place[0]][place[1]]
    return any(
        inside and (r - place[0]) ** 2 + (c - place[1]) ** 2 < tolerance**2
        for r, row in enumerate(mask)
        for c, inside in enumerate(row)
    )


@given(st.integers(0, 10_000), st.sampled_from([0, 1, 1.5, 2, 3, 5]), st.sampled_from([0.005, 0.03, 0.3]))
def test_hits_equal_the_search(seed, tolerance, filled):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(30, (3, 1, 9, 14), generator=generator).double() - 15  # with ties
    masks = torch.rand(3, 1, 9, 14, generator=generator) < filled
    expected = [literal_hit(one[0], mask[0], tolerance) for one, mask in zip(maps, masks, strict=True)]
    assert loc.hits(maps, masks, tolerance).tolist() == expected
    assert loc.hits(maps, masks[:, 0], tolerance).tolist() == expected
    assert [loc.hit(*pair, tolerance) for pair in zip(maps, masks, strict=True)] == expected
    assert [loc.hit(one[0], mask[0], tolerance) for one, mask in zip(maps, masks, strict=True)] == expected


# --- peaks -----------------------------------------------------------------------------------------------


def test_a_peak_is_row_and_column():
    maps = torch.cat([point(2, 11), point(8, 0), point(0, 13)])
    found = loc.peaks(maps)
    assert found.tolist() == [[2, 11], [8, 0], [0, 13]] and found.dtype == torch.int64


def test_of_equal_values_the_first_row_by_row():
    maps = point(3, 10) + point(3, 12) + point(5, 1)
    assert loc.peaks(maps).tolist() == [[3, 10]]
    assert loc.peaks(torch.cat([torch.full_like(maps, 0.3), -maps])).tolist() == [[0, 0], [0, 0]]


def test_the_largest_value_not_the_largest_magnitude():
    assert loc.peaks(point(1, 2) - 5 * point(4, 4)).tolist() == [[1, 2]]


# --- tolerance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row, column, tolerance, expected",
    [
        (4, 7, 3, False),  # exactly 3 away
        (4, 7, 3.01, True),
        (4, 6, 3, True),
        (6, 6, 3, True),  # √8
        (7, 4, 3, False),
        (8, 7, 5, False),  # 3, 4, 5
        (7, 7, 3.5, False),  # √18: a square of side 3.5 would have it
        (4, 5, 1, False),
        (4, 4, 1, True),
        (4, 4, 0, True),
        (4, 5, 0, False),
        (4, 5, 1.2, True),
        (8, 13, math.inf, True),
    ],
)
def test_the_distance_must_be_below_the_tolerance(row, column, tolerance, expected):
    assert loc.hit(point(row, column)[0], point(4, 4)[0] > 0, tolerance) is expected


def test_rows_and_columns_are_not_mixed_up():
    tall = torch.zeros(2, 1, 12, 4)
    tall[0, 0, 10, 1] = tall[1, 0, 1, 3] = 1
    masks = torch.zeros(2, 12, 4, dtype=torch.bool)
    masks[:, 9:, :2] = True
    assert loc.hits(tall, masks, 2).tolist() == [True, False]
    assert loc.hits(tall.mT, masks.mT, 2).tolist() == [True, False]


def test_the_nearest_pixel_of_the_region_counts_not_its_centre():
    ring = torch.zeros(9, 14, dtype=torch.bool)
    ring[0, :] = ring[8, :] = ring[:, 0] = ring[:, 13] = True
    assert not loc.hit(point(4, 6)[0], ring, 4) and loc.hit(point(4, 6)[0], ring, 4.1)
    assert not loc.hit(point(4, 6)[0], ring, 0)


def test_an_empty_region_is_never_hit():
    assert loc.hits(point(1, 1), torch.zeros(1, 9, 14, dtype=torch.bool), 100).tolist() == [False]


# --- the score -------------------------------------------------------------------------------------------


def scene():
    """Five pairs of class 0, one of class 2 (hit), one of class 3; class 1 is in images, never asked for."""
    masks = torch.zeros(7, 4, 9, 14, dtype=torch.bool)
    masks[:, 1, :2, :2] = True
    masks[:5, 0, 6:, 10:] = True
    masks[5, 2, 4, 4] = True
    masks[6, 3, 0:8, 5:10] = True
    maps = torch.cat([point(7, 12), point(0, 0), point(8, 13), point(0, 1), point(0, 1)])
    maps = torch.cat([maps, point(4, 4), point(8, 13)])
    return maps, masks, torch.tensor([0, 0, 0, 0, 0, 2, 3])


def test_the_mean_is_over_classes_and_only_the_own_region_counts():
    score = loc.pointing_game(*scene(), tolerance=2)
    assert score.per_class == {0: 0.4, 2: 1.0, 3: 0.0}  # the hits of class 1 by class 0's maps are misses
    assert score.mean == pytest.approx(1.4 / 3) and score.n == 7
    assert score.mean != pytest.approx(3 / 7)  # all pairs in one pot
    assert {type(part) for part in (score.mean, *score.per_class.values())} == {float}


def test_the_region_alone_gives_the_same():
    maps, masks, classes = scene()
    own = torch.stack([masks[i, c] for i, c in enumerate(classes.tolist())])[:, None]
    assert loc.pointing_game(maps, own, classes, 2) == loc.pointing_game(maps, masks, classes, 2)
    assert loc.pointing_game(maps, own, classes.tolist(), 2) == loc.pointing_game(maps, masks, classes, 2)


def test_classes_without_a_pair_in_the_subset_stay_out():
    maps, masks, classes = scene()
    subset = torch.tensor([True, True, False, False, False, True, False])
    score = loc.pointing_game(maps, masks, classes, 2, subset)
    assert score == ({0: 0.5, 2: 1.0}, 0.75, 3)
    assert loc.pointing_game(maps, masks, classes, 2, torch.ones(7, dtype=torch.bool)).n == 7


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_the_score_equals_counting(pairs):
    hit, classes, subset = (list(column) for column in zip(*pairs, strict=True))
    if not any(subset):
        subset[0] = True
    pot = {}
    for was_hit, c, counts in zip(hit, classes, subset, strict=True):
        if counts:
            pot.setdefault(c, []).append(was_hit)
    found = loc.pointing_score(hit, classes, torch.tensor(subset))
    assert found.per_class == pytest.approx({c: sum(of) / len(of) for c, of in pot.items()})
    assert found.mean == pytest.approx(sum(sum(of) / len(of) for of in pot.values()) / len(pot))
    assert found.n == sum(subset)


def test_difficult_is_small_and_not_alone():
    masks = torch.zeros(6, 3, 8, 8, dtype=torch.bool)
    masks[0, 0, :2, :2] = masks[0, 2, 4:] = True  # small; the other one is large
    masks[1, 0, :2, :2] = True  # alone
    masks[2, 0, :2] = masks[2, 1, 7, 7] = True  # exactly a quarter
    masks[3, 2, 4:] = masks[3, 0, 0, 0] = True  # the large one of the first
    masks[4, 1, :2, :7] = masks[4, 1, 5, 5] = masks[4, 2, 0, 0] = True  # 15 of 64, overlapped
    masks[5] = True
    classes = [0, 0, 0, 2, 1, 1]
    assert loc.difficult(masks, classes).tolist() == [True, False, False, False, True, False]
    assert loc.difficult(masks[:1].repeat(2, 1, 1, 1), [0, 2]).tolist() == [True, False]
    assert loc.difficult(masks[:, :1][[0]], [0]).tolist() == [False]


def test_masks_of_one_row():
    maps = torch.tensor([[[[0.0, 1.0, 0.0]]], [[[1.0, 0.0, 0.0]]]])
    masks = torch.tensor([[[False, True, False]], [[False, True, True]]])
    assert loc.hits(maps, masks, 0).tolist() == [True, False] == loc.hits(maps, masks[:, None], 0).tolist()


# --- mass ------------------------------------------------------------------------------------------------


def test_energy_inside_is_a_part_of_the_positive_mass():
    maps = torch.tensor([[[[3.0, 1.0, -7.0], [0.0, 2.0, 2.0]]]]).repeat(3, 1, 1, 1)
    masks = torch.zeros(3, 1, 2, 3, dtype=torch.bool)
    masks[0, 0, 0] = masks[1, 0, 1, 1] = masks[2] = True
    found = loc.energy_inside(maps, masks)
    assert found.tolist() == [0.5, 0.25, 1.0] and found.dtype == torch.float64
    assert torch.equal(loc.energy_inside(5 * maps, masks[:, 0]), found)
    assert loc.energy_inside(torch.ones(3, 1, 2, 3), masks).tolist() == pytest.approx([0.5, 1 / 6, 1.0])
    assert loc.energy_inside(-maps.abs(), masks).isnan().all()
    several = torch.cat([maps[:1], maps[:1].flip(2)])
    assert loc.energy_inside(several, masks[:1].repeat(2, 1, 1, 1)).tolist() == [0.5, 0.5]
    several[1, 0, 0] *= 3
    assert loc.energy_inside(several, masks[:1].repeat(2, 1, 1, 1)).tolist() == [0.5, 0.75]


# --- refusals --------------------------------------------------------------------------------------------

MAPS, MASKS = torch.zeros(2, 1, 4, 5), torch.ones(2, 3, 4, 5, dtype=torch.bool)
HOLE, SPOILT = MASKS.clone(), MAPS.clone()
HOLE[1, 2], SPOILT[1, 0, 2, 2] = False, math.nan


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: loc.peaks(MAPS[:, 0]), r"maps have shape \(2, 4, 5\), needed is \(B, 1, H, W\)"),
        (lambda: loc.peaks(MAPS.repeat(1, 3, 1, 1)), r"maps have shape \(2, 3, 4, 5\)"),
        (lambda: loc.peaks(MAPS[:0]), "not empty"),
        (lambda: loc.peaks(MAPS + math.nan), "NaN, which has no largest value"),
        (lambda: loc.peaks(SPOILT), "NaN, which has no largest value"),
        (
            lambda: loc.hits(MAPS, MASKS, 1),
            r"masks have shape \(2, 3, 4, 5\), for 2 maps it is \(2, 1, H, W\)",
        ),
        (lambda: loc.hits(MAPS, MASKS[:1, :1], 1), r"masks have shape \(1, 4, 5\), for 2"),
        (lambda: loc.hits(MAPS, MASKS[:, 0, :0], 1), r"masks have shape \(2, 0, 5\)"),
        (lambda: loc.hits(MAPS, MASKS[:, 0], -1), "tolerance is -1, possible is 0 or more"),
        (lambda: loc.hits(MAPS, MASKS[:, 0], math.nan), "tolerance is nan"),
        (lambda: loc.hit(MAPS[:, 0], MASKS[:, 0], 1), r"map has shape \(2, 4, 5\) and mask \(2, 4, 5\)"),
        (lambda: loc.hit(MAPS[0, 0], MASKS, 1), r"mask \(2, 3, 4, 5\), needed are"),
        (lambda: loc.hit(MAPS[0, 0, 0], MASKS[0, 0], 1), r"map has shape \(5,\)"),
        (lambda: loc.pointing_game(MAPS, MASKS, [0, 3], 1), "classes contain 3, possible .* 3 .* 0 to 2"),
        (lambda: loc.pointing_game(MAPS, MASKS, [-1, 0], 1), "classes contain -1"),
        (lambda: loc.pointing_game(MAPS, MASKS[:, :2], [0, 2], 1), "classes contain 2, possible .* 0 to 1"),
        (lambda: loc.pointing_game(MAPS, MASKS[:, :, :0], [0, 1], 1), "not empty"),
        (lambda: loc.pointing_game(MAPS, MASKS, [0], 1), r"classes \(1,\), needed"),
        (
            lambda: loc.pointing_game(MAPS, MASKS[:, 0], [0, 0], 1),
            r"masks have shape \(2, 4, 5\) and classes",
        ),
        (lambda: loc.pointing_game(MAPS, MASKS, [0.0, 1.0], 1), "classes have type torch.float32"),
        (lambda: loc.pointing_game(MAPS, HOLE, [2, 2], 1), "class 2 of pair 1 is not in its image"),
        (lambda: loc.difficult(HOLE, [0, 2]), "class 2 of pair 1"),
        (lambda: loc.difficult(HOLE[:0], []), "not empty"),
        (
            lambda: loc.pointing_score([True], [0, 1]),
            r"hit has shape \(1,\), classes \(2,\) and subset \(1,\)",
        ),
        (
            lambda: loc.pointing_score([True], [0, 1], torch.ones(2).bool()),
            r"hit has shape \(1,\), classes \(2,\)",
        ),
        (lambda: loc.pointing_score([[True]], [[0]], torch.tensor([[True]])), r"needed is \(B,\)"),
        (lambda: loc.pointing_score([True], [0], torch.tensor([False])), "none of the 1 pairs counts"),
        (lambda: loc.energy_inside(MAPS, MASKS[:, 0, 1:]), r"maps are \(4, 5\) and masks \(3, 5\)"),
        (lambda: loc.energy_inside(MAPS + math.inf, MASKS[:, 0]), "maps contain NaN or infinity"),
        (lambda: loc.energy_inside(SPOILT, MASKS[:, 0]), "maps contain NaN or infinity"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_masks_and_subsets_are_bool():
    for call in (
        lambda: loc.hits(MAPS, MASKS[:, 0].byte(), 1),
        lambda: loc.difficult(MASKS.float(), [0, 0]),
        lambda: loc.boxes_of(MASKS.int()),
        lambda: loc.pointing_score([True], [0], torch.tensor([0])),
    ):
        with pytest.raises(TypeError, match="ha(s|ve) type torch.*, needed is"):
            call()
