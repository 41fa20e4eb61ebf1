"""Shapes as signed distances: each takes local coordinates ``u, v`` (y downwards) and is negative inside.

Each fits in the unit circle and fills a good part of it. Union, intersection and difference are ``minimum``,
``maximum`` and ``maximum`` with a minus sign, so new shapes (a face, a sign, a car) are made of these.
"""

from collections.abc import Callable, Sequence

import numpy as np

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]


def disc(u, v, radius=0.85):
    return np.sqrt(u * u + v * v) - np.float32(radius)


def ring(u, v):
    return np.abs(disc(u, v, 0.68)) - np.float32(0.22)


def half_disc(u, v):
    return np.maximum(disc(u, v + np.float32(0.35), 0.95), -v - np.float32(0.35))


def crescent(u, v):
    return np.maximum(disc(u, v, 0.9), -disc(u - np.float32(0.45), v, 0.72))


def rectangle(u, v, width=1.0, height=1.0):
    return np.maximum(np.abs(u) - np.float32(width), np.abs(v) - np.float32(height))


def square(u, v):
    return rectangle(u, v, 0.7, 0.7)


def cross(u, v):
    return np.minimum(rectangle(u, v, 0.85, 0.27), rectangle(u, v, 0.27, 0.85))


def ellipse(u, v, width=0.9, height=0.55):
    a, b = u / np.float32(width), v / np.float32(height)
    slope = np.sqrt(a * a / np.float32(width**2) + b * b / np.float32(height**2))
    return (a * a + b * b - 1) / np.maximum(2 * slope, np.float32(1e-3))


def heart(u, v):
    """A square on its corner, with a disc on each of the upper sides."""
    u, v = np.abs(u), v - np.float32(0.85)  # the corner at the bottom is the origin
    side, half = np.float32(1.05), np.float32(0.5**0.5)
    along, across = (u - v) * half, (u + v) * half  # the square's own axes
    body = rectangle(along - side / 2, across + side / 2, side / 2, side / 2)
    return np.minimum(body, disc(along - side, across + side / 2, side / 2))


def polygon(corners: Sequence[tuple[float, float]]) -> Shape:
    """The exact signed distance to a closed polygon, convex or not, given by its corners in order."""
    points = np.asarray(corners, np.float32)

    def distance(u, v):
        nearest = np.full_like(u, 1e9)
        inside = np.zeros(u.shape, bool)
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            ex, ey = x1 - x0, y1 - y0
            du, dv = u - x0, v - y0
            along = np.clip((du * ex + dv * ey) / (ex * ex + ey * ey), 0, 1)
            across_u, across_v = du - along * ex, dv - along * ey
            nearest = np.minimum(nearest, across_u * across_u + across_v * across_v)
            if ey != 0:  # does a ray to the right of the pixel cross this side?
                inside ^= ((v >= y0) != (v >= y1)) & (du < dv * (ex / ey))
        nearest = np.sqrt(nearest)
        return np.where(inside, -nearest, nearest)

    return distance


def _around(radii: Sequence[float]) -> list[tuple[float, float]]:
    angles = np.arange(len(radii)) * (2 * np.pi / len(radii))
    return [(r * np.sin(a), -r * np.cos(a)) for r, a in zip(radii, angles, strict=True)]


triangle = polygon(_around([0.95] * 3))
star = polygon(_around([0.98, 0.42] * 5))
arrow = polygon([(0, -0.95), (0.75, -0.1), (0.3, -0.1), (0.3, 0.9), (-0.3, 0.9), (-0.3, -0.1), (-0.75, -0.1)])

SHAPES: dict[str, Shape] = {
    "disc": disc,
    "ring": ring,
    "half disc": half_disc,
    "crescent": crescent,
    "heart": heart,
    "triangle": triangle,
    "square": square,
    "cross": cross,
    "star": star,
    "arrow": arrow,
}


def distances(shapes: Sequence[Shape], which: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The distances of N things (N, H, W), thing i being ``shapes[which[i]]``."""
    out = np.empty_like(u)
    for k in np.unique(which):
        chosen = which == k
        out[chosen] = shapes[k](u[chosen], v[chosen])
    return out


def flower(u, v):
    """Four petals, each a disc."""
    a, b = np.abs(u), np.abs(v)
    petals = np.minimum(disc(a - np.float32(0.48), b, 0.42), disc(a, b - np.float32(0.48), 0.42))
    return np.minimum(petals, disc(u, v, 0.3))
