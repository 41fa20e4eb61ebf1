"""The task saliency.difficult: right answers pass in any form, wrong ones get their own message."""

import torch
import torch.nn.functional as F

from course_lib import localisation
from course_lib.grading.tasks.saliency.difficult import TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_areas(masks, classes):
    area = masks.double().mean((2, 3))
    return (area.gather(1, classes[:, None]).squeeze(1) < 0.25) & (area.count_nonzero(1) > 1)


def pair_by_pair(masks, classes):
    found = []
    for image, k in zip(masks, classes.tolist()):
        rest = [mask for other, mask in enumerate(image) if other != k]
        found.append(4 * int(image[k].sum()) < image[k].numel() and any(mask.any() for mask in rest))
    return torch.tensor(found, dtype=torch.bool)


def with_one_hot(masks, classes):
    own = F.one_hot(classes, masks.shape[1]).bool()
    area = torch.einsum("bkhw->bk", masks.float())
    large = ((area / masks[0, 0].numel() >= 1 / 4) & own).any(1)
    alone = ~((area > 0) & ~own).any(1)
    return ~(large | alone)


def by_index(masks, classes):
    b = torch.arange(len(masks))
    own, whole = masks[b, classes], masks.clone()
    whole[b, classes] = False
    return torch.logical_and(own.sum((1, 2)) < own.shape[1] * own.shape[2] / 4, whole.flatten(1).any(1))


RIGHT = [with_areas, pair_by_pair, with_one_hot, by_index, localisation.difficult]


# --- wrong answers ---------------------------------------------------------------------------


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def of_the_rest(masks, classes):
        area = masks.float().mean((2, 3))
        rest = masks & ~F.one_hot(classes, masks.shape[1]).bool()[..., None, None]
        return (rest.any(1).float().mean((1, 2)) < 0.25) & ((area > 0).sum(1) > 1)

    assert verdict(TASK, of_the_rest).misconception == "other classes' area"


def test_numbers_are_no_answer():
    outcome = verdict(TASK, lambda masks, classes: with_areas(masks, classes).float())
    assert outcome.cause == "dtype" and "bool" in outcome.message


# --- the oracle ------------------------------------------------------------------------------


def test_the_oracle_by_hand():
    assert oracle(**TASK.cases[0].exact()).tolist() == [True, False, False, True, False, True]
    assert oracle(**TASK.cases[1].exact()).tolist() == [False, False, True, False, False]


def test_the_class_that_is_asked_for_is_there():
    for case in TASK.cases:
        given = case.exact()
        assert given["masks"][range(len(given["classes"])), given["classes"]].flatten(1).any(1).all()


def test_more_company_and_fewer_pixels_never_make_a_pair_easy():
    for case in TASK.cases:
        given = case.exact()
        before = oracle(**given)
        masks = given["masks"].clone()
        b = torch.arange(len(masks))
        masks[b, (given["classes"] + 1) % masks.shape[1], 0, 0] = True
        masks[b, given["classes"], -1] = False
        assert (oracle(masks, given["classes"]) >= before).all()
