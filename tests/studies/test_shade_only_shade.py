"""Fig. 2.7c: the images that only SHADE gets right are found, with what is known about them."""

import math

import pytest
import torch

from course_lib import data, studies
from course_lib.studies.shade.labels_curve import LabelsCurve
from course_lib.studies.shade.only_shade import FACTORS, GROUPS, background, compare, groups, only_shade

STUDY = studies.get("shade.figure_2_7c")
QUICK = {"labels": (50,), "steps": 30, "width": 4}


@pytest.fixture(scope="module")
def compared():
    return compare(LabelsCurve("digits_m", weight=3.0, **QUICK), seed=0)


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke", 2)
    assert set(result.cells) == {(q, g) for q in ("share", *FACTORS) for g in GROUPS}
    for cells in result.values.values():
        assert sum(cells["share", group] for group in GROUPS) == pytest.approx(100)


def test_the_gpu_scale_runs_with_tiny_numbers():
    result = studies.run(STUDY, "gpu", 1, "digits_m", **(QUICK | {"steps": 2}))
    assert result.config["size"] == 32 and len(result.cells) == 16


def test_without_its_penalty_shade_gets_nothing_right_alone():
    cells = studies.run(STUDY, "smoke", 1, weight=0.0, **QUICK).values[0]
    assert cells["share", "shade"] == cells["share", "none"] == 0
    assert math.isnan(cells["roughness", "shade"])


def test_the_shares_are_the_accuracies_of_figure_2_7a():
    ours = studies.run(STUDY, "smoke", 1, **QUICK).values[0]
    curve = studies.run("shade.figure_2_7a", "smoke", 1, methods=("none", "shade"), **QUICK).values[0]
    for method in ("none", "shade"):
        assert ours["share", "both"] + ours["share", method] == pytest.approx(curve[method, 50], abs=1e-4)


def test_every_image_is_in_one_group(compared):
    assert torch.stack(list(groups(compared).values())).sum(0).eq(1).all()
    assert len(compared) == len(data.load("digits_m", "test"))


def test_only_shade_gets_them_right(compared):
    found = only_shade(compared)
    assert 0 < len(found) < len(compared)
    assert torch.equal(found.factors["shade"], found.labels)
    assert (found.factors["none"] != found.labels).all()
    assert set(found.factors) == {"none", "shade", *FACTORS} and found.masks is not None


def test_what_is_known_of_the_images_is_kept():
    found = compare(LabelsCurve("objects", labels=(50,), steps=1, width=2), seed=0)
    assert {"hue", "texture", "none", "shade", "roughness"} <= set(found.factors)


def test_the_background_is_read_off_the_frame():
    images = torch.full((3, 3, 16, 16), 51, dtype=torch.uint8)
    images[0, :, 2:14, 2:14] = 255  # a digit: does not count
    images[1, :, :, ::2] = 153  # stripes
    images[2, 0] = 204  # red
    found = background(images)
    assert found["roughness"].tolist() == pytest.approx([0, 0.2, 0], abs=1e-6)
    assert found["colour"].tolist() == pytest.approx([0, 0, 0.6 * 2**0.5 / 3], abs=1e-6)
    assert found["contrast"].tolist() == pytest.approx([0.6, 0.2, 0.6], abs=1e-6)
