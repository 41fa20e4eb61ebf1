"""Backgrounds: coloured noise, and two-coloured patterns, as batches (N, 3, H, W) of numbers from 0 to 1."""

import numpy as np

KINDS = ("plain", "noise", "stripes", "checks", "dots")
_CELLS, _WEIGHTS = (2, 5, 9), (0.5, 0.35, 0.25)


def bicubic(cells: int, size: int) -> np.ndarray:
    """The matrix (size, cells) that enlarges a row of cells with Keys' cubic kernel, a = -0.5, like Pillow.

    A picture z becomes ``bicubic(h, H) @ z @ bicubic(w, W).T``. Each row sums to one; kernel weights that
    fall outside the picture are left out.
    """
    centres = (np.arange(size) + 0.5) * cells / size - 0.5
    t = np.abs(centres[:, None] - np.arange(cells))
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    return weights / weights.sum(1, keepdims=True)


def coloured_noise(rng: np.random.Generator, n: int, size: int, contrast: float = 0.5) -> np.ndarray:
    """A flat colour and on it smooth noise of three grains.

    ``clip(base + contrast * 0.35 * (0.5 n2 + 0.35 n5 + 0.25 n9), 0, 1)``: ``base`` is uniform, one number per
    image and channel; ``nk`` is k x k Gaussian noise in three channels, enlarged bicubically.

    Args:
        rng: the source of randomness.
        n: how many.
        size: the side in pixels.
        contrast: 0 leaves the flat colour, 1 is rough.

    Returns:
        (n, 3, size, size) float64.
    """
    base = rng.random((n, 3, 1, 1))
    return np.clip(base + contrast * _grain(rng, n, size), 0, 1)


def _grain(rng, n, size):
    grain = np.zeros((n, 3, size, size))
    for cells, weight in zip(_CELLS, _WEIGHTS, strict=True):
        enlarge = bicubic(cells, size)
        grain += weight * (enlarge @ rng.standard_normal((n, 3, cells, cells)) @ enlarge.T)
    return 0.35 * grain


def patterns(
    rng: np.random.Generator, kinds: np.ndarray, size: int, colours: np.ndarray, contrast: float = 1.0
) -> np.ndarray:
    """Backgrounds of several kinds, each between two colours, at a random direction, width and phase.

    Args:
        rng: the source of randomness.
        kinds: (N,) integers, places in ``KINDS``.
        size: the side in pixels.
        colours: (N, 2, 3), 0 to 1; the first is the ground, the second what the pattern adds.
        contrast: 0 leaves the ground plain, 1 goes all the way to the second colour.

    Returns:
        (N, 3, size, size) float64.
    """
    n = len(kinds)
    angle, phase_s, phase_t = (a[:, None, None] for a in rng.random((3, n)) * 2 * np.pi)
    waves = rng.uniform(2, 5, (n, 1, 1))  # periods across the picture
    grain = _grain(rng, n, size)

    centres = (2 * np.arange(size) + 1) / size - 1
    along = np.cos(angle) * centres + np.sin(angle) * centres[:, None]
    across = np.cos(angle) * centres[:, None] - np.sin(angle) * centres
    s = np.sin(np.pi * waves * along + phase_s)
    t = np.sin(np.pi * waves * across + phase_t)

    sharp = size / (4 * waves)  # about one pixel from one colour to the other
    kind = np.asarray(kinds)[:, None, None]
    level = np.select([kind == k for k in (2, 3, 4)], [s, s * t, s + t - 0.8], default=-1.0)
    level = np.clip(0.5 + sharp * level, 0, 1)[:, None]
    ground, added = colours[:, 0, :, None, None], colours[:, 1, :, None, None]
    noisy = (kind == KINDS.index("noise"))[:, None]
    return np.clip(ground + contrast * (level * (added - ground) + 2 * noisy * grain), 0, 1)
