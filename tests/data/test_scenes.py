"""Composed scenes: what is in them, where, and that colours and places tell nothing of the class."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from course_lib.data import load
from tests.data.drawn import whole

SEVERAL = {"several": True, "n": 400}


@pytest.fixture(scope="module")
def crowded():
    return whole("scenes", "test", **SEVERAL)


def present(scenes):
    return scenes.masks.flatten(2).any(2)


def test_one_object_a_scene_is_the_label():
    scenes = whole("scenes", "test")
    assert (present(scenes).sum(1) == 1).all()
    assert torch.equal(present(scenes).int().argmax(1), scenes.labels)
    assert (scenes.factors["objects"] == 1).all()


def test_several_objects_are_of_different_classes_and_have_no_label(crowded):
    assert (crowded.labels == -1).all() and crowded.num_classes == 6
    assert torch.equal(present(crowded).sum(1), crowded.factors["objects"])
    assert set(crowded.factors["objects"].tolist()) == {1, 2, 3}
    often = present(crowded).sum(0)
    assert often.min() > 0.7 * often.max()


def test_no_pixel_belongs_to_two_objects(crowded):
    assert (crowded.masks.sum(1) <= 1).all()


def test_every_object_is_whole(crowded):
    for mask in crowded.masks[present(crowded)][:200]:
        assert ndimage.label(mask.numpy(), structure=np.ones((3, 3)))[1] == 1


def test_objects_lie_within_the_picture_and_are_of_moderate_size(crowded):
    edge = torch.ones(48, 48, dtype=torch.bool)
    edge[1:-1, 1:-1] = False
    areas = crowded.masks.flatten(2).sum(2)[present(crowded)].double() / 48**2
    assert areas.min() > 0.015 and areas.max() < 0.2 and 0.05 < areas.mean() < 0.09
    assert (crowded.masks & edge).flatten(1).any(1).double().mean() < 0.05


def test_the_masks_are_where_the_picture_differs_from_the_same_one_without_objects():
    """Things have a colour that stands off; the ground under a mask and beside it does not differ."""
    scenes = whole("scenes", "test", clutter=0, n=120)
    pictures = scenes.images.double() / 255
    ground = torch.stack([x[:, ~m.any(0)].mean(1) for x, m in zip(pictures, scenes.masks)])
    inside = torch.stack([x[:, m.any(0)].mean(1) for x, m in zip(pictures, scenes.masks)])
    apart = (inside - ground).abs().sum(1)
    assert apart.median() > 0.6 and (apart > 0.3).double().mean() > 0.95


def test_colour_does_not_tell_the_class():
    scenes = whole("scenes", "train")
    mean = (scenes.images.float() / 255).mean((2, 3))
    by_class = torch.stack([mean[scenes.labels == c].mean(0) for c in range(6)])
    assert (by_class - mean.mean(0)).abs().max() < 0.04


def test_clutter_is_an_option():
    assert whole("scenes", "test", clutter=0, n=60).factors["clutter"].sum() == 0
    found = whole("scenes", "test", n=300).factors["clutter"]
    assert set(found.tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match="clutter is 7, possible for scenes are 0, 1, 2"):
        load("scenes", clutter=7)


def test_the_two_kinds_of_scenes_are_different_pictures():
    one, other = whole("scenes", "test", n=60), whole("scenes", "test", several=True, n=60)
    assert not (one.images == other.images).flatten(1).all(1).any()
