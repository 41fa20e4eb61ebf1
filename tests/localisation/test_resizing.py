"""Resizing against the formula of bilinear weights; what is resized first, and what stays constant."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import localisation as loc

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def literal_to_size(one, height, width):
    """Pixel i of H looks at place (i + 1/2) h / H - 1/2 of the map, between its two neighbours there."""

    def neighbours(i, n, size):
        place = min(max((i + 0.5) * n / size - 0.5, 0), n - 1)
        low = math.floor(place)
        return (low, 1 - (place - low)), (min(low + 1, n - 1), place - low)

    h, w = one.shape
    return [
        [
            sum(
                p * q * one[r, c].item()
                for r, p in neighbours(i, h, height)
                for c, q in neighbours(j, w, width)
            )
            for j in range(width)
        ]
        for i in range(height)
    ]


@pytest.mark.parametrize("size", [(8, 15), (7, 5), (4, 9), (2, 3)])
def test_it_is_bilinear_with_cells_in_their_place(size):
    maps = torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = loc.to_size(maps, size)
    assert found.shape == (2, 1, *size)
    for one, large in zip(maps, found, strict=True):
        assert torch.allclose(
            large[0], torch.tensor(literal_to_size(one[0], *size), dtype=torch.float64), atol=1e-12
        )


def test_one_number_is_a_square_and_the_same_size_changes_nothing():
    maps = torch.randn(2, 1, 4, 5)
    assert torch.equal(loc.to_size(maps, 6), loc.to_size(maps, (6, 6)))
    assert loc.to_size(maps, (4, 5)) is maps
    assert loc.to_size(maps, (5, 4)).shape == (2, 1, 5, 4)
    assert loc.to_size(maps, (1, 1)).shape == (2, 1, 1, 1)
    wide = torch.randn(1, 1, 4, 4)
    assert loc.to_size(wide, (4, 6)).shape == (1, 1, 4, 6) and loc.to_size(wide, (6, 4)).shape == (1, 1, 6, 4)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7, 1e-9, -0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_map_stays_constant_and_points_at_the_first_pixel(value, dtype):
    maps = torch.full((2, 1, 5, 7), value, dtype=dtype)
    maps[1] = -5.3  # another level beside it
    maps[1, 0, 2, 2] += 1
    large = loc.to_size(maps, 48)
    assert (large[0] == maps[0, 0, 0, 0]).all() and large.dtype == dtype
    first = torch.zeros(1, 48, 48, dtype=torch.bool)
    first[0, 0, 0] = True
    assert loc.hits(maps[:1], first, 0).item() and not loc.hits(maps[:1], ~first, 0).item()


def test_small_maps_are_resized_before_the_peak_is_read():
    """Two strong neighbours have their peak between them, where neither of them alone has it."""
    low = torch.zeros(1, 1, 4, 6)
    low[0, 0, 1, 1], low[0, 0, 1, 2], low[0, 0, 3, 5] = 1.0, 0.9, 0.95
    low[0, 0, 2, 1] = 0.8
    scale = 4
    large = F.interpolate(low, (16, 24), mode="bilinear", align_corners=False)
    found = loc.peaks(large)[0].tolist()
    assert found != (loc.peaks(low)[0] * scale).tolist()
    assert found != loc.peaks(F.interpolate(low, (16, 24), mode="bilinear", align_corners=True))[0].tolist()
    assert found != loc.peaks(F.interpolate(low, (16, 24), mode="nearest"))[0].tolist()
    mask = torch.zeros(1, 16, 24, dtype=torch.bool)
    mask[0, found[0], found[1]] = True
    assert loc.hits(low, mask, 0).tolist() == [True] == loc.hits(large, mask, 0).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(dtype):
    maps = torch.rand(2, 1, 3, 3).to(dtype)
    assert torch.equal(loc.to_size(maps, 12), loc.to_size(maps.float(), 12))
    assert loc.to_size(maps, 3).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("device", DEVICES)
def test_half_precision_and_devices(dtype, device):
    maps = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    masks = torch.zeros(4, 1, 24, 24, dtype=torch.bool)
    for i, (row, column) in enumerate(loc.peaks(loc.to_size(maps.float(), 24)).tolist()):
        masks[i, 0, row, column] = True
    found = loc.hits(maps.to(device), masks, 0)
    assert found.all() and found.device.type == device
    assert loc.pointing_game(maps.to(device), masks.to(device), [0, 1, 0, 1], 0).mean == 1


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: loc.to_size(torch.zeros(1, 1, 4, 5), 0), r"size is \(0, 0\), needed are at least 1 by 1"),
        (lambda: loc.to_size(torch.zeros(1, 1, 4, 5), (3, -1)), r"size is \(3, -1\)"),
        (lambda: loc.to_size(torch.zeros(1, 1, 4, 5), (0, 3)), r"size is \(0, 3\)"),
        (lambda: loc.to_size(torch.zeros(1, 1, 4, 5), (3, 0)), r"size is \(3, 0\)"),
        (lambda: loc.to_size(torch.zeros(1, 4, 5), 3), r"maps have shape \(1, 4, 5\)"),
    ],
)
def test_impossible_sizes_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
