"""Meaningful perturbation against a second writing of its descent, and on nets that use a known region."""

import math

import pytest
import torch

from course_lib.methods.saliency.masking import degraded, gaussian_blur
from course_lib.methods.saliency.meaningful_perturbation import meaningful_perturbation, total_variation
from tests.methods.saliency.masked_nets import RegionNet, image_net, images, left_as_found, passes


def literal_variation(mask, power):
    """Σ over cells of the length of (down - here, right - here), to a power; 0 beyond the border."""
    total, (height, width) = 0.0, mask.shape
    for i in range(height):
        for j in range(width):
            down = mask[i + 1, j] - mask[i, j] if i + 1 < height else mask.new_zeros(())
            right = mask[i, j + 1] - mask[i, j] if j + 1 < width else mask.new_zeros(())
            total = total + (down * down + right * right) ** (power / 2)
    return total


def enlarging(side, cells):
    """(side, cells): bilinear weights of the cells for each pixel, the ends repeated."""
    matrix = torch.zeros(side, cells, dtype=torch.float64)
    for place in range(side):
        at = (place + 0.5) * cells / side - 0.5
        low = math.floor(at)
        for cell, weight in ((low, 1 - (at - low)), (low + 1, at - low)):
            matrix[place, min(max(cell, 0), cells - 1)] += weight
    return matrix


def literal(net, image, k, steps, l1, tv, lr=0.1, power=3.0, shifts=None):
    """Adam written out, on one image, with a mask of 3 x 4 cells for 7 x 9 pixels; perhaps under shifts."""
    rows, columns = enlarging(7, 3), enlarging(9, 4)
    hidden = degraded(image[None], "blur", 10 / 224)[0]
    mask = torch.full((3, 4), 0.5, dtype=torch.float64)
    first, second = torch.zeros_like(mask), torch.zeros_like(mask)

    def laid_over(mask):
        return gaussian_blur((rows @ mask @ columns.T)[None, None], 5 / 224 * 9)[0, 0]

    for step in range(1, steps + 1):
        mask.requires_grad_()
        m = laid_over(mask)
        shown, behind = image, hidden
        if shifts is not None:
            down, right = shifts[step - 1]
            shown, behind = (
                torch.cat([whole[:, -down:], whole[:, :-down]], 1) if down else whole
                for whole in (shown, behind)
            )
            shown, behind = (
                torch.cat([whole[:, :, -right:], whole[:, :, :-right]], 2) if right else whole
                for whole in (shown, behind)
            )
        score = net(((m * shown) + (1 - m) * behind)[None]).softmax(1)[0, k]
        loss = l1 * (1 - mask).sum() + tv * literal_variation(mask, power) + score
        (g,) = torch.autograd.grad(loss, mask)
        mask = mask.detach()
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        moved = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        mask = (mask - lr * moved).clamp(0, 1)
    return 1 - laid_over(mask)


@pytest.mark.parametrize(
    "options",
    [
        {"l1": 0.01, "tv": 0.3},
        {"l1": 0.01, "tv": 3.0, "tv_power": 2.0},
        {"l1": 0.0, "tv": 0.0},
        {"l1": 0.05, "tv": 0.0},
        {"l1": 0.01, "tv": 0.3, "jitter": 2},
    ],
    ids=str,
)
def test_it_is_the_descent_written_out(options):
    net, (x, y) = image_net(), images(2)
    found = meaningful_perturbation(net, x, y, iterations=8, lr=0.02, cells=4, seed=5, **options)
    judge = image_net().eval()
    shifts = None
    if "jitter" in options:
        shifts = torch.randint(-2, 3, (8, 2), generator=torch.Generator().manual_seed(5)).tolist()
        assert min(map(min, shifts)) == -2 and max(map(max, shifts)) == 2
    power = options.get("tv_power", 3.0)
    for i in range(2):
        expected = literal(judge, x[i], y[i], 8, options["l1"], options["tv"], 0.02, power, shifts)
        torch.testing.assert_close(found[i, 0], expected)
    assert 0.1 < found.min() < found.max() < 0.9  # nothing has met its bounds, where all penalties are alike


def test_until_its_bounds():
    net, (x, y) = image_net(), images(2)
    found = meaningful_perturbation(net, x, y, iterations=8, cells=4)
    for i in range(2):
        torch.testing.assert_close(found[i, 0], literal(image_net().eval(), x[i], y[i], 8, 1e-4, 1e-2))


def test_the_variation_is_the_sum_over_cells():
    masks = torch.rand(3, 1, 4, 5, dtype=torch.float64)
    for power in (2.0, 3.0):
        found = total_variation(masks, power)
        for mask, value in zip(masks, found):
            torch.testing.assert_close(value, literal_variation(mask[0], power))
    assert torch.equal(total_variation(masks), total_variation(masks, 3.0))
    flat = torch.full((1, 1, 3, 3), 0.3, dtype=torch.float64, requires_grad=True)
    total_variation(flat).sum().backward()
    assert torch.equal(flat.grad, torch.zeros_like(flat))


@pytest.fixture(scope="module")
def region():
    """A net that looks at rows 4 to 9 and columns 10 to 17 of an image with noise on it, 20 x 24 pixels."""
    torch.manual_seed(0)
    x = 0.2 * torch.randn(2, 1, 20, 24)
    x[:, :, 4:10, 10:18] += torch.tensor([1.0, 1.5]).view(2, 1, 1, 1)
    inside = torch.zeros(20, 24, dtype=torch.bool)
    inside[4:10, 10:18] = True
    return RegionNet((4, 10), (10, 18), gain=8.0, offset=-4.0), x, inside


@pytest.mark.parametrize("options", [{}, {"jitter": 1}, {"degradation": "noise"}])
def test_it_hides_what_the_net_uses_and_nothing_else(region, options):
    net, x, inside = region
    found = meaningful_perturbation(
        net, x, 0, iterations=60, cells=12, l1=1e-3, **{"degradation": "zero", **options}
    )
    for image in found[:, 0]:
        assert image[5:9, 12:16].mean() > 0.4 and image[12:, :8].mean() < 0.05
        assert inside.flatten()[image.argmax()]
    assert found.min() >= 0 and found.max() <= 1


def test_the_score_falls_and_a_dearer_mask_is_smaller(region):
    net, x, _ = region
    areas = []
    for l1 in (1e-4, 1e-2):
        hide = meaningful_perturbation(net, x, 0, iterations=60, cells=12, l1=l1, degradation="zero")
        areas.append(hide.mean().item())
        if l1 == 1e-4:
            assert net(x).softmax(1)[:, 0].min() > 0.95 > 0.2 > net((1 - hide) * x).softmax(1)[:, 0].max()
    assert areas[1] < 0.8 * areas[0]


def test_a_batch_is_one_image_after_the_other():
    net, (x, y) = image_net(), images(4)
    options = {"iterations": 5, "cells": 4, "jitter": 2, "degradation": "noise"}
    together = meaningful_perturbation(net, x, y, **options)
    torch.testing.assert_close(meaningful_perturbation(net, x, y, batch_size=3, **options), together)
    one_by_one = [meaningful_perturbation(net, x[i : i + 1], y[i : i + 1], **options) for i in range(4)]
    torch.testing.assert_close(torch.cat(one_by_one), together)
    assert together.shape == (4, 1, 7, 9) and together.dtype == torch.float64


def test_the_seed_decides_the_jitter():
    net, (x, y) = image_net(), images()
    options = {"iterations": 5, "cells": 4, "jitter": 2}
    first, again, other = (meaningful_perturbation(net, x, y, seed=seed, **options) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    still = meaningful_perturbation(net, x, y, iterations=5, cells=4)
    assert torch.equal(still, meaningful_perturbation(net, x, y, iterations=5, cells=4, seed=1))
    assert not torch.allclose(first, still)
    noisy = [
        meaningful_perturbation(net, x, y, iterations=3, cells=4, degradation="noise", seed=seed)
        for seed in (0, 1, 1)
    ]
    assert not torch.allclose(noisy[0], noisy[1]) and torch.equal(noisy[1], noisy[2])


def test_everything_is_as_before():
    net, (x, y) = image_net(), images()
    net[1].eval()
    with left_as_found(net, x):
        with torch.no_grad():
            assert not meaningful_perturbation(net, x, y, iterations=2, jitter=1).requires_grad
        with torch.inference_mode():
            meaningful_perturbation(net, x, y, iterations=2)
            meaningful_perturbation(net, x.clone(), y, iterations=2)
        with pytest.raises(ValueError, match=r"y has classes from 0 to 5"):
            meaningful_perturbation(net, x, torch.tensor([0, 1, 5]), iterations=2)
    assert not meaningful_perturbation(net, x, y, iterations=2).requires_grad
    sizes = passes(net)
    meaningful_perturbation(net, x, y, iterations=4)
    assert sizes == [3, 3, 3, 3]


def test_the_smallest_numbers_are_possible():
    net, (x, y) = image_net(), images()
    smallest = {"l1": 0, "tv": 0, "smooth": 0, "iterations": 1, "cells": 1, "tv_power": 2, "lr": 0}
    for start in (0, 0.25, 1):
        found = meaningful_perturbation(net, x, y, start=start, **smallest)
        torch.testing.assert_close(found, torch.full_like(found, 1 - start))


def test_there_is_at_most_one_cell_a_pixel():
    net, (x, y) = image_net(), images()
    each = [meaningful_perturbation(net, x, y, iterations=3, cells=cells) for cells in (7, 9, 32)]
    assert torch.equal(each[1], each[2]) and not torch.allclose(each[0], each[1])


@pytest.mark.parametrize(
    ("option", "value", "possible"),
    [
        ("l1", -1, "numbers from 0"), ("tv", -0.5, "numbers from 0"), ("smooth", -1, "numbers from 0"),
        ("jitter", -1, "numbers from 0"), ("iterations", 0, "whole numbers from 1"),
        ("cells", 0, "whole numbers from 1"), ("tv_power", 1.5, "numbers from 2"),
        ("start", 1.5, "numbers from 0 to 1"),
    ],
)  # fmt: skip
def test_impossible_input(option, value, possible):
    net, (x, y) = image_net(), images()
    with pytest.raises(ValueError, match=f"{option} is {value}, possible are {possible}"):
        meaningful_perturbation(net, x, y, **{option: value})
