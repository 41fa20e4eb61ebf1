"""RISE against loops, against its exact expectation on a linear net, and its masks against loops."""

import itertools
import math

import pytest
import torch
from torch import nn

from course_lib.methods.saliency.rise import _draws, _enlarged, random_masks, rise
from tests.methods.saliency.masked_nets import image_net, images, left_as_found, linear_net, passes


def weights_of_cells(place, step, cells):
    """What each cell of one axis counts for a pixel of the enlarged mask; the ends are repeated."""
    enlarged = (cells + 1) * step
    at = (place + 0.5) * cells / enlarged - 0.5
    low = math.floor(at)
    found = [0.0] * cells
    for cell, weight in ((low, 1 - (at - low)), (low + 1, at - low)):
        found[min(max(cell, 0), cells - 1)] += weight
    return found


def literal_mask(grid, shift, size):
    cells = len(grid)
    steps = [math.ceil(side / cells) for side in size]
    mask = torch.zeros(size, dtype=torch.float64)
    for i in range(size[0]):
        for j in range(size[1]):
            rows = weights_of_cells(i + shift[0], steps[0], cells)
            columns = weights_of_cells(j + shift[1], steps[1], cells)
            mask[i, j] = sum(
                rows[a] * columns[b] * grid[a][b] for a in range(cells) for b in range(cells)
            )  # fmt: skip
    return mask


# --- the masks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "cells"), [((7, 9), 3), ((6, 4), 2), ((5, 5), 5), ((4, 9), 1)])
def test_masks_are_enlarged_and_shifted_grids(size, cells):
    grids, shifts = _draws(6, size, cells, 0.4, torch.Generator().manual_seed(3))
    found = _enlarged(grids, shifts, size, torch.float64)
    for grid, shift, mask in zip(grids, shifts, found):
        expected = literal_mask(grid[0].double().tolist(), shift.tolist(), size)
        torch.testing.assert_close(mask[0], expected)
    same = random_masks(6, size, cells, 0.4, torch.Generator().manual_seed(3), torch.float64)
    assert torch.equal(same, found) and same.shape == (6, 1, *size)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_every_pixel_is_visible_with_probability_p(p):
    masks = random_masks(4000, (6, 9), 3, p, torch.Generator().manual_seed(0))
    assert masks.min() >= 0 and masks.max() <= 1
    error = masks.std(0) / 4000**0.5
    assert ((masks.mean(0) - p).abs() < 4.5 * error).all()
    assert torch.equal(random_masks(5, (6, 9), 3, p=1.0), torch.ones(5, 1, 6, 9))


def test_shifts_are_uniform_over_a_cell_and_separate_for_each_mask_and_axis():
    grids, shifts = _draws(3000, (20, 12), 4, 0.5, torch.Generator().manual_seed(0))
    for axis, step in enumerate((5, 3)):
        counts = torch.bincount(shifts[:, axis], minlength=step)
        assert len(counts) == step and (counts / 3000 - 1 / step).abs().max() < 0.04
    pairs = torch.bincount(shifts[:, 0] * 3 + shifts[:, 1], minlength=15) / 3000
    assert (pairs - 1 / 15).abs().max() < 0.03
    assert abs(grids.double().mean().item() - 0.5) < 0.02


# --- the map ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["probability", "logit"])
def test_it_is_the_sum_of_masks_times_scores(score):
    net, (x, y) = image_net(), images(2)
    masks = random_masks(11, (7, 9), 3, 0.3, torch.Generator().manual_seed(5), torch.float64)
    judge, expected = image_net().eval(), torch.zeros(2, 1, 7, 9, dtype=torch.float64)
    for i in range(2):
        for mask in masks:
            with torch.no_grad():
                logits = judge(x[i : i + 1] * mask)[0].tolist()
            value = logits[y[i]]
            if score == "probability":
                value = math.exp(value) / sum(math.exp(other) for other in logits)
            expected[i] += value * mask / (11 * 0.3)
    found = rise(net, x, y, 11, cells=3, p=0.3, score=score, seed=5)
    torch.testing.assert_close(found, expected)


def expected_products(size, cells, p):
    """E[M(u) M(v)] for all pixels u, v, exactly: over all shifts, for independent cells."""
    steps = [math.ceil(side / cells) for side in size]
    total, shifts = 0, list(itertools.product(*(range(step) for step in steps)))
    for shift in shifts:
        cell_by_cell = []
        for a in range(cells):
            for b in range(cells):
                grid = [[float((row, column) == (a, b)) for column in range(cells)] for row in range(cells)]
                cell_by_cell.append(literal_mask(grid, shift, size).flatten())
        weights = torch.stack(cell_by_cell)  # (cells², pixels)
        total = total + p * p + p * (1 - p) * weights.T @ weights
    return total / len(shifts)


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_it_is_unbiased_on_a_linear_net(p):
    """E[(Σ_v w_v x_v M(v) + b) M(u)] / p, which the mean over many runs must meet within its error."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1, 4, 6, generator=generator, dtype=torch.float64)
    x = torch.randn(1, 1, 4, 6, generator=generator, dtype=torch.float64)
    exact = expected_products((4, 6), 2, p) @ (weight * x).flatten() / p + 0.7
    net = linear_net(weight, bias=0.7)
    runs = torch.stack(
        [
            rise(net, x, 0, 100, cells=2, p=p, score="logit", generator=generator, batch_size=100)[0, 0]
            for _ in range(60)
        ]
    )
    error = runs.std(0) / 60**0.5
    gap = (runs.mean(0) - exact.view(4, 6)).abs()
    assert (gap < 4.5 * error).all()
    assert error.max() < 0.15 * (exact.max() - exact.min())  # the test can tell


def test_a_batch_is_one_image_after_the_other_behind_the_same_masks():
    net, (x, y) = image_net(), images(4)
    together = rise(net, x, y, 20, cells=3)
    for batch_size in (1, 7, 1000):
        torch.testing.assert_close(rise(net, x, y, 20, cells=3, batch_size=batch_size), together)
    one_by_one = [rise(net, x[i : i + 1], y[i : i + 1], 20, cells=3) for i in range(4)]
    torch.testing.assert_close(torch.cat(one_by_one), together)
    assert together.shape == (4, 1, 7, 9) and together.dtype == torch.float64


def test_seed_and_generator():
    net, (x, y) = image_net(), images()
    first = rise(net, x, y, 9, cells=3)
    assert torch.equal(first, rise(net, x, y, 9, cells=3, seed=0))
    assert not torch.equal(first, rise(net, x, y, 9, cells=3, seed=1))
    generator = torch.Generator().manual_seed(1)
    assert torch.equal(rise(net, x, y, 9, cells=3, seed=1), rise(net, x, y, 9, cells=3, generator=generator))
    assert not torch.equal(
        rise(net, x, y, 9, cells=3, seed=1), rise(net, x, y, 9, cells=3, generator=generator)
    )


def test_the_pixels_that_count_are_found():
    weight = torch.zeros(1, 30, 30)
    weight[0, 4:9, 20:26] = 0.3
    found = rise(linear_net(weight, -5.0), torch.ones(1, 1, 30, 30), 0, 400)[0, 0]
    row, column = divmod(found.argmax().item(), 30)
    assert 3 <= row <= 9 and 19 <= column <= 26
    against = rise(linear_net(-weight, 5.0), torch.ones(1, 1, 30, 30), 0, 400)[0, 0]
    row, column = divmod(against.argmin().item(), 30)
    assert 3 <= row <= 9 and 19 <= column <= 26


def test_what_stands_behind_the_mask_can_be_chosen():
    """Where the image is as grey as what hides it, hiding it changes nothing."""
    net, x = image_net(), torch.full((1, 2, 7, 9), 0.5).double()
    grey = rise(net, x, 0, 30, cells=3, fill="mean")
    masks = random_masks(30, (7, 9), 3, 0.5, torch.Generator().manual_seed(0), torch.float64)
    constant = net.eval()(x).softmax(1)[0, 0].item() * masks.sum(0) / 15
    torch.testing.assert_close(grey[0], constant)
    assert not torch.allclose(grey, rise(net, x, 0, 30, cells=3))


def test_everything_is_as_before_and_the_cost_is_the_masks():
    net, (x, y) = image_net(), images()
    net[1].eval()
    with left_as_found(net, x):
        rise(net, x, y, 9, cells=3)
        with pytest.raises(ValueError, match=r"y has classes from 5 to 5"):
            rise(net, x, torch.tensor([0, 1, 5]), 9, cells=3)
    sizes = passes(net)
    rise(net, x, y, 9, cells=3, batch_size=4)
    assert sizes == [4, 4, 4, 4, 4, 4, 1, 1, 1]
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    sizes = passes(net)
    assert rise(net, torch.rand(1, 3, 48, 48), 0).shape == (1, 1, 48, 48) and sum(sizes) == 1000


def test_all_that_is_random():
    grids, shifts = _draws(400, (7, 9), 4, 0.3, torch.Generator().manual_seed(0))
    assert grids.shape == (400, 1, 4, 4) and grids.dtype == torch.bool and shifts.shape == (400, 2)
    assert [sorted(set(shifts[:, axis].tolist())) for axis in (0, 1)] == [[0, 1], [0, 1, 2]]
    assert grids.double().mean().item() == pytest.approx(0.3, abs=0.03)
    assert random_masks(2, (8, 8)).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_in_another_precision(dtype):
    net, (x, y) = image_net().to(dtype), images(dtype=dtype)
    found = rise(net, x, y, 9, cells=3)
    assert found.dtype == torch.float32
    exact = rise(image_net().to(dtype).double(), x.double(), y, 9, cells=3)
    torch.testing.assert_close(found.double(), exact, rtol=0.05 if dtype == torch.bfloat16 else 1e-4, atol=0)


def test_one_mask_is_enough():
    net, (x, y) = image_net(), images()
    mask = random_masks(1, (7, 9), 3, 0.5, torch.Generator().manual_seed(0), torch.float64)[0, 0]
    found = rise(net, x, y, 1, cells=3)
    given = net.eval()(x * mask).softmax(1)[range(3), y]
    torch.testing.assert_close(found[:, 0], given.detach()[:, None, None] * mask / 0.5)


def test_impossible_input():
    net, (x, y) = image_net(), images()
    with pytest.raises(ValueError, match="n_masks is 0, possible are whole numbers from 1"):
        rise(net, x, y, 0)
    for cells in (0, 8):
        with pytest.raises(ValueError, match=rf"cells is {cells}, possible are 1 to 7"):
            rise(net, x, y, 5, cells=cells)
    for p in (0, 1.5):
        with pytest.raises(ValueError, match=rf"p is {p}, possible are probabilities"):
            rise(net, x, y, 5, cells=3, p=p)
