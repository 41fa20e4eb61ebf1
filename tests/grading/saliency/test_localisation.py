"""The task saliency.localisation: right answers pass in any form, wrong ones get their own message."""

import pytest
import torch
from torchvision.ops import box_iou, masks_to_boxes

from course_lib import localisation
from course_lib.grading.tasks.saliency.localisation import TASK, box_of, oracle, overlap
from course_lib.grading.tasks.saliency.wrong_localisation import sweeping
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def map_by_map(maps, boxes, thresholds):
    table = torch.zeros(len(thresholds), len(maps), dtype=maps.dtype)
    for i, t in enumerate(thresholds.tolist()):
        for j, (m, (top, left, bottom, right)) in enumerate(zip(maps[:, 0], boxes.tolist())):
            places = (m - m.min() >= t * (m.max() - m.min())).nonzero()
            (t0, l0), (b0, r0) = places.min(0).values.tolist(), (places.max(0).values + 1).tolist()
            both = max(0, min(bottom, b0) - max(top, t0)) * max(0, min(right, r0) - max(left, l0))
            table[i, j] = both / ((bottom - top) * (right - left) + (b0 - t0) * (r0 - l0) - both)
    return table, torch.tensor([(row > 0.5).sum() / len(row) for row in table])


def with_torchvision(maps, boxes, thresholds):
    """Its boxes are x first, and their last row and column lie inside."""
    low, high = maps.amin((1, 2, 3)), maps.amax((1, 2, 3))
    table = []
    for t in thresholds:
        kept = maps[:, 0] >= (low + t * (high - low))[:, None, None]
        found = masks_to_boxes(kept) + torch.tensor([0.0, 0.0, 1.0, 1.0])
        table.append(box_iou(found, boxes[:, [1, 0, 3, 2]].float()).diagonal())
    table = torch.stack(table)
    return table, (table > 0.5).float().mean(dim=1)


def by_painting(maps, boxes, thresholds):
    """All thresholds at once: boxes as filled pictures, from sums that run from both ends."""
    flat = maps[:, 0].flatten(1)
    level = (flat - flat.min(1, keepdim=True).values) / (flat.max(1).values - flat.min(1).values)[:, None]
    kept = (level.nan_to_num(nan=1.0) >= thresholds[:, None, None]).unflatten(
        2, maps.shape[2:]
    )  # (T, B, H, W)

    def filled(line):
        return (line.cumsum(2) > 0) & (line.flip(2).cumsum(2).flip(2) > 0)

    found = filled(kept.any(3))[..., None] & filled(kept.any(2))[:, :, None]
    true = torch.zeros_like(kept[0])
    for picture, (top, left, bottom, right) in zip(true, boxes):
        picture[top:bottom, left:right] = True
    iou = (found & true).sum((2, 3)) / (found | true).sum((2, 3))
    return [iou, iou.gt(0.5).to(maps.dtype).mean(1)]


def of_the_library(maps, boxes, thresholds):
    table = [localisation.overlaps(maps, boxes, t) for t in thresholds.tolist()]
    accuracy = [localisation.localisation_accuracy(maps, boxes, t) for t in thresholds.tolist()]
    return torch.stack(table), torch.tensor(accuracy)


RIGHT = [map_by_map, with_torchvision, by_painting, of_the_library, sweeping()]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"best threshold only": "shape", "maps before thresholds": "shape"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def from_a_half_on(maps, boxes, thresholds):
        iou, _ = with_torchvision(maps, boxes, thresholds)
        return iou, torch.tensor([sum(each >= 0.5 for each in row) / len(row) for row in iou.tolist()])

    assert verdict(TASK, from_a_half_on).misconception == "a half is enough"


def test_another_signature_is_told():
    assert verdict(TASK, lambda maps, boxes: maps).cause == "signature"


# --- the oracle ------------------------------------------------------------------------------


def test_by_hand():
    values = [[0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 4.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    assert box_of(values, 0.0) == (0, 0, 3, 4)
    assert box_of(values, 0.25) == (1, 1, 3, 3)
    assert box_of(values, 0.5) == (1, 1, 2, 3)
    assert box_of(values, 1.0) == (1, 2, 2, 3)
    assert box_of([[5.0, 5.0]], 0.7) == (0, 0, 1, 2)
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0 and overlap((0, 1, 2, 4), (0, 1, 2, 4)) == 1


def test_what_a_method_scores_hangs_on_its_threshold():
    _, accuracy = oracle(**TASK.cases[0].exact())
    assert accuracy.max() - accuracy.min() >= 0.4


def test_squaring_moves_the_threshold_and_changes_no_box():
    """The criticism, exactly: two methods that rank all pixels alike need different thresholds."""
    given = TASK.cases[0].exact()
    low = given["maps"].amin((1, 2, 3), keepdim=True)
    given["maps"] = given["maps"] - low
    squared = given | {"maps": given["maps"] ** 2, "thresholds": given["thresholds"] ** 2}
    assert torch.equal(oracle(**given)[0], oracle(**squared)[0])
    assert not torch.equal(oracle(**given)[1], oracle(**squared | {"thresholds": given["thresholds"]})[1])


def test_the_cases_hold_overlaps_of_exactly_a_half_and_boxes_that_do_not_meet():
    assert oracle(**TASK.cases[4].exact())[0].unique().tolist() == pytest.approx([0.5, 15 / 28])
    assert (oracle(**TASK.cases[5].exact())[0] == 0).any()


def test_scale_and_shift_of_a_map_do_not_matter():
    given = TASK.cases[1].exact()
    moved = given | {"maps": 4 * given["maps"] + 3}
    for before, after in zip(oracle(**given), oracle(**moved)):
        assert torch.equal(before, after)
