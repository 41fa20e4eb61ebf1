"""Sprites in the manner of dSprites (Matthey et al. 2017): one white shape, five factors, nothing else."""

import numpy as np
import torch

from course_lib.data.drawing import canvas, shapes
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo

INFO = SetInfo(
    name="sprites",
    kind="embedded",
    title="Sprites: a white shape with five known factors, in the manner of dSprites",
    licence="made here (MIT)",
    source="drawn by code",
    shape=(1, 32, 32),
    classes=3,
    sizes={"train": 8000, "test": 2000},
    options={"n": None, "size": 32, "grid": None, "seed": 0},
    digests={
        "train": "a306e2c43e13acb608dc0955cc670b44b2b65b9141b46d9ad1de39ba136ab091",
        "test": "fbc3ac2392c09d4374610f53106fc4522a222006e6143187bca22ec57172ba74",
    },
    note="grid=(scales, angles, xs, ys) gives every combination of factors instead of random ones",
)

NAMES = ("square", "ellipse", "heart")
_SHAPES = (shapes.square, lambda u, v: shapes.ellipse(u, v, 0.95, 0.5), shapes.heart)
_TURN = np.array([90.0, 180.0, 360.0])  # after which the shape looks the same
_SCALE, _PLACE = (0.3, 0.55), (-0.45, 0.45)
_SHARE = 5  # of a grid, one cell in five is for the test


def make(split: str, n: int | None = None, size: int = 32, grid=None, seed: int = 0) -> ImageSet:
    """White sprites on black.

    The class is the shape. ``factors``: ``shape``; ``scale``, local unit over half the picture; ``angle``,
    degrees counter-clockwise, 0 up to the turn after which the shape looks the same (90 for the square, 180
    for the ellipse, 360 for the heart), so that a factor never says more than the picture shows; ``x`` to the
    right and ``y`` downwards, -1 to 1 across the picture.

    Args:
        split: "train" or "test"; with ``grid`` a random fifth of the combinations is the test.
        n: how many random sprites; None for the default size. Not with ``grid``.
        size: side in pixels; 64 is dSprites' own.
        grid: numbers of values (scales, angles, xs, ys), evenly spaced; ``(6, 40, 32, 32)`` is
            dSprites' own, and takes 6 GB at size 64.
        seed: of the factors, or of the grid's division into training and test.

    Returns:
        Images (N, 1, size, size); ``masks`` (N, 1, size, size) are the sprites' pixels.
    """
    if grid is not None and n is not None:
        raise ValueError("n and grid are both given: a grid has as many sprites as it has combinations.")
    if grid is not None and (np.shape(grid) != (4,) or min(grid) < 1):
        raise ValueError(f"grid is {grid!r}, possible are four positive numbers (scales, angles, xs, ys).")
    factors = (
        _random(split, INFO.sizes[split] if n is None else n, seed)
        if grid is None
        else _grid(split, grid, seed)
    )
    shape = factors["shape"]
    pictures = np.empty((len(shape), 1, size, size), np.uint8)
    masks = np.empty(pictures.shape, bool)
    for part in canvas.blocks(len(shape)):
        u, v, pixel = canvas.place(size, *(factors[key][part] for key in ("x", "y", "scale", "angle")))
        cover = canvas.coverage(shapes.distances(_SHAPES, shape[part], u, v), pixel)
        pictures[part, 0], masks[part, 0] = canvas.to_uint8(cover), cover >= 0.5
    return ImageSet(
        images=torch.from_numpy(pictures),
        labels=torch.from_numpy(shape),
        factors={key: torch.from_numpy(values) for key, values in factors.items()},
        masks=torch.from_numpy(masks),
        class_names=NAMES,
        name=INFO.name,
        split=split,
    )


def _random(split, n, seed):
    rng = np.random.default_rng([seed, split == "test"])
    shape = canvas.balanced(rng, n, len(NAMES))
    return {
        "shape": shape,
        "scale": rng.uniform(*_SCALE, n),
        "angle": rng.random(n) * _TURN[shape],
        "x": rng.uniform(*_PLACE, n),
        "y": rng.uniform(*_PLACE, n),
    }


def _grid(split, grid, seed):
    scales, angles, xs, ys = grid
    axes = (len(NAMES), scales, angles, xs, ys)
    cells = np.random.default_rng(seed).permutation(np.arange(np.prod(axes, dtype=np.int64)))
    test = len(cells) // _SHARE
    cells = np.sort(cells[:test] if split == "test" else cells[test:])
    shape, *steps = np.unravel_index(cells, axes)
    return {
        "shape": shape.astype(np.int64),
        "scale": np.linspace(*_SCALE, scales)[steps[0]],
        "angle": steps[1] / angles * _TURN[shape],
        "x": np.linspace(*_PLACE, xs)[steps[2]],
        "y": np.linspace(*_PLACE, ys)[steps[3]],
    }
