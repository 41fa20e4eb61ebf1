"""The task saliency.pointing_game: right answers pass in any form, wrong ones get their own message."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from course_lib import localisation
from course_lib.grading.tasks.saliency.pointing_game import TASK, enlarged, highest, is_hit, oracle
from course_lib.grading.tasks.saliency.wrong_pointing_game import game
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def pair_by_pair(maps, masks, classes, tolerance, subset=None):
    """With an `if` for each pair, and the distance to each pixel of the mask."""
    hits = {}
    for i, k in enumerate(classes.tolist()):
        if subset is not None and not subset[i]:
            continue
        large = F.interpolate(maps[i : i + 1], masks.shape[-2:], mode="bilinear")[0, 0]
        row, column = divmod(large.argmax().item(), large.shape[1])
        hit = any(math.dist((row, column), place) < tolerance for place in masks[i, k].nonzero().tolist())
        hits.setdefault(k, []).append(hit)
    per_class = [sum(hits[k]) / len(hits[k]) if k in hits else math.nan for k in range(masks.shape[1])]
    known = [each for each in per_class if each == each]
    return per_class, sum(known) / len(known)


def with_distance_maps(maps, masks, classes, tolerance, subset=None):
    """SciPy says of each pixel how far the object is; hits and pairs are counted in float32."""
    height, width = masks.shape[2:]
    large = F.interpolate(maps, (height, width), mode="bilinear", align_corners=False).flatten(2)
    hits, pairs = torch.zeros(masks.shape[1]), torch.zeros(masks.shape[1])
    for k, mask, place in zip(classes, masks[range(len(masks)), classes], large.argmax(2)[:, 0]):
        pairs[k] += 1
        hits[k] += ndimage.distance_transform_edt(~mask.numpy()).flat[place] < tolerance
    if subset is not None:
        for k, mask, place, counts in zip(
            classes, masks[range(len(masks)), classes], large.argmax(2), subset
        ):
            if not counts:
                pairs[k] -= 1
                hits[k] -= ndimage.distance_transform_edt(~mask.numpy()).flat[place.item()] < tolerance
    accuracy = hits / pairs
    return accuracy, accuracy[pairs > 0].mean()


def with_grown_masks(maps, masks, classes, tolerance, subset=None):
    """Each mask is grown by a disc; the map is enlarged by two matrices; sums come from one-hot classes."""

    def matrix(cells, pixels):
        return F.interpolate(torch.eye(cells, dtype=maps.dtype)[None], pixels, mode="linear")[
            0
        ]  # (cells, pixels)

    (h, w), (height, width) = maps.shape[2:], masks.shape[2:]
    large = torch.einsum("byx,yr,xc->brc", maps[:, 0], matrix(h, height), matrix(w, width))
    reach = math.ceil(tolerance)
    y, x = torch.meshgrid(*[torch.arange(-reach, reach + 1.0)] * 2, indexing="ij")
    disc = (y**2 + x**2 < tolerance**2).float()
    own = torch.einsum("bkrc,bk->brc", masks.float(), F.one_hot(classes, masks.shape[1]).float())
    grown = F.conv2d(own[:, None], disc[None, None], padding=reach)[:, 0] > 0.5
    hit = grown.flatten(1).gather(1, large.flatten(1).argmax(1, keepdim=True))[:, 0]
    weight = F.one_hot(classes, masks.shape[1]).double()
    if subset is not None:
        weight = weight * subset[:, None]
    per_class = (weight * hit[:, None]).sum(0) / weight.sum(0)
    return per_class, per_class[weight.any(0)].mean()


def in_two_steps(maps, masks, classes, tol, only=None):
    """The row of the largest value first, then its column; distances by cdist; unique classes."""
    B, K, H, W = masks.shape
    large = torch.nn.Upsample((H, W), mode="bilinear")(maps).squeeze(1)
    row = large.amax(2).argmax(1)
    column = large[torch.arange(B), row].argmax(1)
    point = torch.stack([row, column], 1).double()
    hit = []
    for b in range(B):
        pixels = masks[b, classes[b]].nonzero().double()
        hit.append(torch.cdist(point[b : b + 1], pixels).min() < tol)
    hit = torch.stack(hit)
    keep = torch.arange(B) if only is None else only.nonzero()[:, 0]
    per_class = torch.full((K,), torch.nan, dtype=maps.dtype)
    for k in classes[keep].unique():
        per_class[k] = hit[keep][classes[keep] == k].float().mean()
    return per_class, per_class.nanmean()


def of_the_library(maps, masks, classes, tolerance, subset=None):
    score = localisation.pointing_game(maps, masks, classes, tolerance, subset)
    return torch.tensor([score.per_class.get(k, math.nan) for k in range(masks.shape[1])]), score.mean


RIGHT = [pair_by_pair, with_distance_maps, with_grown_masks, in_two_steps, of_the_library, game()]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"only classes that occur": "shape", "NaN spreads": "finite"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def counted_over_all(maps, masks, classes, tolerance, subset=None):
        per_class, _ = pair_by_pair(maps, masks, classes, tolerance, subset)
        counts = torch.bincount(classes if subset is None else classes[subset], minlength=len(per_class))
        return per_class, (torch.tensor(per_class).nan_to_num() * counts).sum() / counts.sum()

    assert verdict(TASK, counted_over_all).misconception == "pooled"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda maps, masks, classes, tolerance, subset=None: torch.zeros(3),
            "tuple of two, per_class and mean",
        ),
        (
            lambda maps, masks, classes, tolerance: ([0.5] * masks.shape[1], 0.5),
            "4 positional arguments but 5",
        ),
        (lambda maps, masks, classes, tolerance, subset=None: ({}, 0.5), "per_class must be a tensor"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(TASK, answer)
    assert outcome.cause == "unusable" and words in outcome.message


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_enlarged_map_of_the_oracle_is_torchs_to_the_last_bit(number):
    given = TASK.cases[number].exact()
    for dtype in (torch.float32, torch.float64):
        large = F.interpolate(given["maps"].to(dtype), given["masks"].shape[2:], mode="bilinear")
        for one, values in zip(given["maps"][:, 0], large[:, 0]):
            assert torch.equal(torch.tensor(enlarged(one.tolist(), *values.shape)), values.float())


def test_one_peak_by_hand():
    cells = [[0.0, 0.0], [0.0, 8.0], [0.0, 0.0]]
    large = enlarged(cells, 6, 4)
    assert highest(large) == (2, 3)  # of the four pixels of the cell, two are far from the left column
    assert large[2] == [0.0, 1.5, 4.5, 6.0] and large[3] == large[2]
    assert highest([[1.0, 1.0], [1.0, 1.0]]) == (0, 0)


def test_the_tolerance_is_a_circle_without_its_rim():
    mask = [[False] * 8 for _ in range(6)]
    mask[4][5] = True
    assert not is_hit((0, 2), mask, 5)  # 3, 4, 5
    assert is_hit((0, 2), mask, 5.01) and is_hit((1, 2), mask, 5)
    assert is_hit((4, 5), mask, 0.5) and not is_hit((4, 4), mask, 1)


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    given = TASK.cases[1].exact()
    assert given["classes"].bincount().tolist() == [9, 3, 1]
    missing, per_class, mean = oracle(**given)
    assert not missing.any() and mean.item() == pytest.approx(per_class.mean().item())
    assert abs(mean - (per_class @ torch.tensor([9.0, 3, 1]).double()) / 13) > 0.02


def test_absent_classes_have_no_accuracy_and_no_part_in_the_mean():
    assert oracle(**TASK.cases[2].exact())[0].tolist() == [0, 0, 1, 0, 1]
    given = TASK.cases[3].exact()
    missing, per_class, mean = oracle(**given)
    assert missing.tolist() == [0, 0, 1] and (given["classes"] == 2).any()
    assert mean.item() == pytest.approx(per_class[:2].mean().item())


def test_the_cases_hold_distances_of_exactly_the_tolerance_and_constant_maps():
    exact = 0
    for case in TASK.cases:
        given = case.exact()
        for one, mask in zip(
            given["maps"][:, 0], given["masks"][range(len(given["maps"])), given["classes"]]
        ):
            row, column = highest(enlarged(one.tolist(), *mask.shape))
            exact += (
                min(math.dist((row, column), place) for place in mask.nonzero().tolist())
                == given["tolerance"]
            )
    assert exact >= 4
    assert sum(len(one.unique()) == 1 for one in TASK.cases[4].exact()["maps"]) == 4


def test_hits_and_misses_are_mixed():
    for case in TASK.cases:
        assert 0.1 < oracle(**case.exact())[2] < 0.9
