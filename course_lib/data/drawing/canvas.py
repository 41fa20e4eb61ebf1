"""The canvas: where things stand, how much of a pixel they cover, and how layers lie on each other.

The picture spans ``[-1, 1]`` in both directions, x to the right and y downwards, whatever its size in pixels.
A thing is a function of local coordinates that gives the signed distance to its outline, negative inside;
:func:`place` makes the local coordinates, :func:`coverage` the soft silhouette, :func:`compose` the picture.
"""

from typing import NamedTuple

import numpy as np


class Local(NamedTuple):
    """Local coordinates ``u``, ``v`` (N, H, W) of all pixel centres; a pixel's width, ``pixel`` (N, 1, 1)."""

    u: np.ndarray
    v: np.ndarray
    pixel: np.ndarray


def place(size: int, x, y, scale, angle=0.0, shear=0.0) -> Local:
    """The local coordinates of N things, each with its own place, scale, angle and slant.

    Args:
        size: the side of the picture in pixels.
        x, y: (N,) the place of the thing's origin on the canvas.
        scale: (N,) the length on the canvas of one local unit.
        angle: (N,) or number, degrees, counter-clockwise as seen.
        shear: (N,) or number, how far the point one unit above the origin is pushed to the right, in local
            units.

    Returns:
        The inverse of "slant, turn, scale, move" applied to every pixel centre.
    """
    x, y, scale, angle, shear = np.broadcast_arrays(*np.atleast_1d(x, y, scale, angle, shear))
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    centres = ((2 * np.arange(size) + 1) / size - 1).astype(np.float32)

    def line(a, b, c):  # a * column + b * row + c, with one number of each per image
        a, b, c = (np.asarray(k, np.float32)[:, None] for k in (a, b, c))
        return (a * centres + c)[:, None, :] + (b * centres)[:, :, None]

    # With y downwards, turning by the angle as seen is (x, y) -> (cos x + sin y, cos y - sin x).
    u_x, u_y = cos / scale, -sin / scale
    v_x, v_y = sin / scale, cos / scale
    u_x, u_y = u_x + shear * v_x, u_y + shear * v_y
    u = line(u_x, u_y, -(u_x * x + u_y * y))
    v = line(v_x, v_y, -(v_x * x + v_y * y))
    return Local(u, v, (2 / (size * scale)).astype(np.float32)[:, None, None])


def coverage(distance: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """How much of each pixel lies inside, 0 to 1: the signed distance softened over one pixel."""
    return np.clip(np.float32(0.5) - distance / pixel, 0, 1)


def compose(background: np.ndarray, covers: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay M things on a background, the first one deepest.

    Args:
        background: (N, C, H, W) float, 0 to 1.
        covers: (N, M, H, W) float, 0 to 1, from :func:`coverage`.
        colours: (N, M, C) float, 0 to 1.

    Returns:
        The pictures (N, C, H, W), and masks (N, M, H, W) bool: the pixels that show more of that thing than
        half a pixel and that no later thing hides, so each pixel belongs to one thing at most.
    """
    covers, colours = covers.astype(np.float32, copy=False), colours.astype(np.float32, copy=False)
    picture = background.astype(np.float32)
    masks = covers >= 0.5
    for m in range(covers.shape[1]):
        picture += covers[:, m, None] * (colours[:, m, :, None, None] - picture)
        masks[:, :m] &= ~masks[:, m, None]
    return picture, masks


def difference(background: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """|background - cover|, the manner of MNIST-M (Ganin and Lempitsky 2015): ink inverts what is behind it.

    Args:
        background: (N, C, H, W) float, 0 to 1.
        cover: (N, H, W) float, 0 to 1.
    """
    return np.abs(background - cover[:, None])


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """0 to 1 as the nearest grey level, 0 to 255."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def blocks(n: int, size: int = 512):
    """Slices that cover ``range(n)``: a large set is drawn in pieces that fit the processor's cache."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def balanced(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    """(n,) int64 labels in random order, every class as often as every other, give or take one."""
    return rng.permutation(np.arange(n, dtype=np.int64) % classes)
