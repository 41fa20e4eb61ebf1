"""Extremal perturbation: its parts against loops, its ascent written out, the region that it finds."""

import math

import pytest
import torch
from torch import nn

from course_lib.methods.saliency.extremal import (
    FLOOR,
    _templates,
    area_penalty,
    extremal_perturbation,
    smooth_mask,
)
from course_lib.methods.saliency.masking import degraded, gaussian_blur
from tests.methods.saliency.masked_nets import RegionNet, image_net, images, left_as_found, passes

# --- the mask --------------------------------------------------------------------------------------------


def literal_mask(coarse, size, reach, sharpness):
    """The power mean over all cells, weighted by the Gaussian to the same power, for each pixel."""
    height, width = coarse.shape
    found = torch.zeros(size, dtype=torch.float64)
    for i in range(size[0]):
        for j in range(size[1]):
            total = weights = 0.0
            for a in range(height):
                for b in range(width):
                    down = (i + 0.5) - (a + 0.5) * size[0] / height
                    right = (j + 0.5) - (b + 0.5) * size[1] / width
                    k = math.exp(-(down**2 + right**2) / (2 * reach**2))
                    weights += k**sharpness
                    total += (k * coarse[a, b].item()) ** sharpness
            found[i, j] = ((total / weights) ** (1 / sharpness) - FLOOR) / (1 - FLOOR)
    return found


@pytest.mark.parametrize("sharpness", [1.0, 20.0])
def test_a_smooth_mask_is_a_power_mean_of_bumps(sharpness):
    coarse = FLOOR + (1 - FLOOR) * torch.rand(2, 1, 3, 4, dtype=torch.float64)
    found = smooth_mask(coarse, (7, 9), 2.5, sharpness)
    for one, mask in zip(coarse, found):
        torch.testing.assert_close(mask[0], literal_mask(one[0], (7, 9), 2.5, sharpness))


def test_a_very_sharp_one_is_the_highest_bump():
    coarse = FLOOR + (1 - FLOOR) * torch.rand(1, 1, 6, 6, dtype=torch.float64)
    found = smooth_mask(coarse, (6, 6), 2.0, 150.0)[0, 0]
    for i in range(6):
        for j in range(6):
            bumps = [
                coarse[0, 0, a, b].item() * math.exp(-((i - a) ** 2 + (j - b) ** 2) / 8)
                for a in range(6)
                for b in range(6)
            ]
            assert found[i, j].item() == pytest.approx((max(bumps) - FLOOR) / (1 - FLOOR), abs=0.02)


def test_all_or_nothing_stays_so_and_one_cell_reaches_nearly_one():
    for value, expected in ((FLOOR, 0.0), (1.0, 1.0)):
        mask = smooth_mask(torch.full((1, 1, 5, 5), value), (20, 24), 3.0)
        torch.testing.assert_close(mask, torch.full_like(mask, expected), atol=1e-5, rtol=0)
    for seed in range(20):
        coarse = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(seed)).round().clamp(FLOOR)
        mask = smooth_mask(coarse, (20, 24), 1.0)
        assert mask.min() >= 0 and mask.max() <= 1
    one = torch.full((1, 1, 9, 9), FLOOR)
    one[..., 4, 4] = 1
    mask = smooth_mask(one, (27, 27), 5.0)
    assert mask.argmax() == 27 * 13 + 13 and mask.max() > 0.9
    assert (
        gaussian_blur(nn.functional.interpolate(one, (27, 27)), 5.0).max() < 0.2
    )  # what a plain blur leaves


def test_the_penalty_compares_sorted_values_with_a_template():
    masks = torch.rand(2, 1, 3, 4, dtype=torch.float64)
    wanted = torch.tensor([[0.0] * 9 + [1.0] * 3, [0.0] * 2 + [1.0] * 10]).double()
    found = area_penalty(masks, wanted)
    for mask, template, value in zip(masks, wanted.tolist(), found):
        values = sorted(mask.flatten().tolist())
        assert value.item() == pytest.approx(sum((a - b) ** 2 for a, b in zip(values, template)) / 12)
    binary = torch.tensor([[0.0, 1.0, 0.0, 1.0, 1.0, 0.0] + [0.0] * 6]).view(1, 1, 3, 4)
    assert area_penalty(binary, torch.tensor([[0.0] * 9 + [1.0] * 3])) == 0


# --- the ascent ------------------------------------------------------------------------------------------


def literal(net, image, k, area, steps, variant, lr=0.05, momentum=0.9, weight=30.0, growth=1.1):
    """The ascent on one image, with a mask of 3 x 4 cells: λ grows, and the first step has no penalty."""
    hidden = degraded(image[None], "blur", 20 / 224)[0]
    coarse, speed = torch.full((1, 1, 3, 4), 0.5, dtype=torch.float64), 0.0
    for step in range(steps):
        coarse.requires_grad_()
        m = smooth_mask(coarse, (7, 9), 21 / 224 * 9)[0, 0]
        energy = 0.0
        if variant in ("preserve", "dual"):
            energy = energy + net((m * image + (1 - m) * hidden)[None])[0, k]
        if variant in ("delete", "dual"):
            energy = energy - net(((1 - m) * image + m * hidden)[None])[0, k]
        if step > 0:
            values = m.flatten().sort().values
            penalty = 0.0
            for place, value in enumerate(values):
                target = 1.0 if place >= 63 - round(63 * area) else 0.0
                penalty = penalty + (value - target) ** 2 / 63
            energy = energy - weight * growth**step * penalty
        (g,) = torch.autograd.grad(energy, coarse)
        speed = momentum * speed + g
        coarse = (coarse.detach() + lr * speed).clamp(FLOOR, 1)
    return smooth_mask(coarse, (7, 9), 21 / 224 * 9)[0, 0]


@pytest.mark.parametrize("variant", ["preserve", "delete", "dual"])
def test_it_is_the_ascent_written_out(variant):
    net, (x, y) = image_net(), images(2)
    found = extremal_perturbation(
        net, x, y, 0.3, variant=variant, iterations=6, lr=0.05, weight=30.0, growth=1.1, cells=4
    )
    judge = image_net().eval()
    for i in range(2):
        torch.testing.assert_close(found[i, 0], literal(judge, x[i], y[i], 0.3, 6, variant))


REGION = ((5, 13), (14, 22))  # 8 x 8 of 24 x 32 pixels, a twelfth


@pytest.mark.parametrize("variant", ["preserve", "delete", "dual"])
def test_it_finds_the_region_and_has_the_area(variant):
    """The score is the mean of a known region: of all masks of its size, the best one is there."""
    inside = torch.zeros(24, 32, dtype=torch.bool)
    inside[slice(*REGION[0]), slice(*REGION[1])] = True
    x = torch.ones(2, 1, 24, 32) + 0.1 * torch.randn(2, 1, 24, 32)
    area = inside.float().mean().item()
    found = extremal_perturbation(
        RegionNet(*REGION, gain=5.0), x, 0, area, variant=variant,
        iterations=150, lr=0.03, cells=16, reach=0.06, degradation="zero",
    )  # fmt: skip
    for mask in found[:, 0]:
        chosen = mask > 0.5
        assert (chosen & inside).sum() / (chosen | inside).sum() > 0.7
        assert mask.mean().item() == pytest.approx(area, rel=0.2)
        assert chosen.float().mean().item() == pytest.approx(area, rel=0.2)
    assert found.min() >= 0 and found.max() <= 1


def test_equal_values_are_not_sorted_by_their_place():
    """With a score in one corner, the first penalty must not pull towards another."""
    net = RegionNet((0, 6), (0, 6), gain=0.5)
    found = extremal_perturbation(
        net, torch.ones(1, 1, 24, 24), 0, 1 / 16, iterations=60, lr=0.03, cells=12, degradation="zero"
    )[0, 0]
    assert found[:8, :8].sum() > 0.7 * found.sum() and found[16:, 16:].max() < 0.1


def test_the_area_is_what_is_asked_for():
    x = torch.ones(1, 1, 24, 32)
    for area in (0.05, 0.25):
        found = extremal_perturbation(
            RegionNet(*REGION, gain=5.0), x, 0, area,
            iterations=120, lr=0.03, cells=16, reach=0.06, degradation="zero",
        )  # fmt: skip
        assert found.mean().item() == pytest.approx(area, rel=0.25)


def test_several_areas_are_added_up():
    net, (x, y) = image_net(), images()
    options = {"iterations": 5, "cells": 4, "weight": 30.0}
    single = [extremal_perturbation(net, x, y, area, **options) for area in (0.1, 0.3)]
    both = extremal_perturbation(net, x, y, (0.1, 0.3), smooth=0, **options)
    torch.testing.assert_close(both, single[0] + single[1])
    assert not torch.allclose(single[0], single[1])
    one = extremal_perturbation(net, x, y, 0.1, smooth=0.2, **options)
    torch.testing.assert_close(one, gaussian_blur(single[0], 0.2 * 7))
    smoothed = extremal_perturbation(net, x, y, (0.1, 0.3), **options)
    torch.testing.assert_close(smoothed, gaussian_blur(both, 0.09 * 7))
    torch.testing.assert_close(extremal_perturbation(net, x, y, [0.1], **options), single[0])


def test_a_batch_is_one_image_after_the_other():
    net, (x, y) = image_net(), images(4)
    options = {"area": (0.1, 0.3), "iterations": 5, "cells": 4, "degradation": "noise"}
    together = extremal_perturbation(net, x, y, **options)
    torch.testing.assert_close(extremal_perturbation(net, x, y, batch_size=3, **options), together)
    one_by_one = [extremal_perturbation(net, x[i : i + 1], y[i : i + 1], **options) for i in range(4)]
    torch.testing.assert_close(torch.cat(one_by_one), together)
    assert together.shape == (4, 1, 7, 9) and together.dtype == torch.float64


def test_everything_is_as_before_and_the_cost():
    net, (x, y) = image_net(), images()
    net[1].eval()
    with left_as_found(net, x):
        with torch.no_grad():
            assert not extremal_perturbation(net, x, y, iterations=2).requires_grad
        with torch.inference_mode():
            extremal_perturbation(net, x, y, iterations=2)
            extremal_perturbation(net, x.clone(), y, iterations=2)
        with pytest.raises(ValueError, match=r"y has classes from 0 to 5"):
            extremal_perturbation(net, x, torch.tensor([0, 1, 5]), iterations=2)
    assert not extremal_perturbation(net, x, y, iterations=2).requires_grad
    sizes = passes(net)
    extremal_perturbation(net, x, y, (0.1, 0.2), iterations=2)
    assert sizes == [6, 6]
    sizes.clear()
    extremal_perturbation(net, x, y, iterations=2, variant="dual", batch_size=2)
    assert sizes == [2, 2, 2, 2, 1, 1, 1, 1]


def test_the_smallest_numbers_are_possible():
    net, (x, y) = image_net(), images()
    found = extremal_perturbation(net, x, y, iterations=1, cells=1, sharpness=1, lr=0)
    torch.testing.assert_close(found, torch.full_like(found, (0.5 - FLOOR) / (1 - FLOOR)))


def test_there_is_at_most_one_cell_a_pixel():
    net, (x, y) = image_net(), images()
    each = [extremal_perturbation(net, x, y, iterations=3, cells=cells) for cells in (7, 9, 32)]
    assert torch.equal(each[1], each[2]) and not torch.allclose(each[0], each[1])


def test_an_area_has_a_pixel_at_least():
    assert _templates([0.001, 0.5, 0.26], 10).tolist() == [
        [0.0] * 9 + [1.0],
        [0.0] * 5 + [1.0] * 5,
        [0.0] * 7 + [1.0] * 3,
    ]


@pytest.mark.parametrize("area", [0, 1, -0.1, 1.5, (), (0.1, 2)])
def test_impossible_areas(area):
    net, (x, y) = image_net(), images()
    with pytest.raises(ValueError, match="possible are shares of the image above 0 and below 1"):
        extremal_perturbation(net, x, y, area)


@pytest.mark.parametrize(
    ("option", "value", "possible"),
    [
        ("variant", "keep", "preserve, delete, dual"), ("iterations", 0, "whole numbers from 1"),
        ("cells", 0, "whole numbers from 1"), ("weight", 0, "numbers above 0"),
        ("growth", -1, "numbers above 0"), ("reach", 0, "numbers above 0"),
        ("sharpness", 0.5, "numbers from 1"),
    ],
)  # fmt: skip
def test_impossible_input(option, value, possible):
    net, (x, y) = image_net(), images()
    with pytest.raises(ValueError, match=f"{option} is {value!r}, possible are {possible}"):
        extremal_perturbation(net, x, y, **{option: value})
