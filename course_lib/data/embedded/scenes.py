"""Composed scenes: patterned shapes on coloured noise, alone or several with clutter, with exact masks."""

import numpy as np
import torch

from course_lib.data.drawing import canvas, shapes, textures
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo

INFO = SetInfo(
    name="scenes",
    kind="embedded",
    title="Scenes: shapes with a pattern, one or several, among clutter, with the mask of each class",
    licence="made here (MIT)",
    source="drawn by code",
    shape=(3, 48, 48),
    classes=6,
    sizes={"train": 3000, "test": 600},
    options={"n": None, "size": 48, "several": False, "clutter": 2, "seed": 0},
    choices={"several": (False, True), "clutter": (0, 1, 2)},
    digests={
        "train": "fb0af55399e5f61d408c421ccf7bd8b3ebca3c6a10feee141953307dad112fb1",
        "test": "911b15cceaa4232a42fccb439484b8c96ed9875976ac844341e967859980296b",
    },
    note="several=True: one to three objects a picture; labels are then -1, and the masks tell the classes",
)

_CLASSES = {  # name -> (shape, the pattern on it)
    "disc": (shapes.disc, "plain"),
    "striped square": (shapes.square, "rows"),
    "striped triangle": (shapes.triangle, "columns"),
    "ring": (shapes.ring, "plain"),
    "checked cross": (shapes.cross, "checks"),
    "striped flower": (shapes.flower, "diagonals"),
}
_CLUTTER = (shapes.star, shapes.crescent, shapes.heart, shapes.arrow, shapes.half_disc)
_PATTERNS = ("plain", "rows", "columns", "checks", "diagonals")
_SHAPES = tuple(shape for shape, _ in _CLASSES.values()) + _CLUTTER
_PERIOD = 5 / 24  # of the patterns, on the canvas: five pixels of 48
_AMPLITUDE = 0.22  # of the patterns, around the colour of the thing
_TILT = np.rad2deg(0.3)
_LAYOUTS = 64  # drawn for each picture; the first in which nothing overlaps is taken


def make(
    split: str,
    n: int | None = None,
    size: int = 48,
    several: bool = False,
    clutter: int = 2,
    seed: int = 0,
) -> ImageSet:
    """Objects of six classes, each a shape with a pattern of its own, in random colours.

    Colours and places say nothing about the class. Clutter is other shapes with any of the patterns: it has
    edges and stripes like an object, and no class. Nothing overlaps, so the masks are exact.

    ``factors``: ``objects`` and ``clutter``, how many there are.

    Args:
        split: "train" or "test".
        n: how many, None for the default size; with one object a picture, the classes equally often.
        size: side in pixels.
        several: one to three objects of different classes; otherwise one.
        clutter: at most so many other things.
        seed: of everything random.

    Returns:
        Images (N, 3, size, size); ``labels`` (N,), -1 where ``several``; ``masks`` (N, 6, size, size), the
        pixels of the object of each class.
    """
    n = INFO.sizes[split] if n is None else n
    rng = np.random.default_rng([seed, split == "test", several])
    classes = len(_CLASSES)
    labels = canvas.balanced(rng, n, classes)
    objects = rng.integers(1, 4, n) if several else np.ones(n, np.int64)
    extra = rng.integers(0, clutter + 1, n)

    # A picture's things in slots: first up to three objects of different classes, then the clutter.
    slots = (3 if several else 1) + clutter
    shape = np.empty((n, slots), np.int64)
    others = (labels[:, None] + rng.permuted(np.tile(np.arange(1, classes), (n, 1)), axis=1)) % classes
    shape[:, 0], shape[:, 1 : slots - clutter] = labels, others[:, : slots - clutter - 1]
    shape[:, slots - clutter :] = rng.integers(classes, len(_SHAPES), (n, clutter))
    own = np.array([_PATTERNS.index(name) for _, name in _CLASSES.values()] + [0] * len(_CLUTTER))
    pattern = np.where(shape < classes, own[shape], rng.integers(len(_PATTERNS), size=(n, slots)))
    slot = np.arange(slots)
    there = np.where(
        slot < slots - clutter, slot < objects[:, None], slot - (slots - clutter) < extra[:, None]
    )

    radius = rng.uniform(0.30, 0.46, (n, slots))
    x, y, there = _apart(rng, radius, there, slots - clutter)
    angle = rng.uniform(-_TILT, _TILT, (n, slots))

    pictures = np.empty((n, 3, size, size), np.uint8)
    masks = np.zeros((n, classes, size, size), bool)
    for part in canvas.blocks(n):
        picture = textures.coloured_noise(rng, len(labels[part]), size, contrast=0.3).astype(np.float32)
        colour = _standing_off(rng, picture, slots)
        for k in range(slots):
            local = canvas.place(size, x[part, k], y[part, k], radius[part, k], angle[part, k])
            distance = shapes.distances(_SHAPES, shape[part, k], local.u, local.v)
            cover = canvas.coverage(distance, local.pixel) * there[part, k, None, None]
            light = cover * _light(local, pattern[part, k], radius[part, k])
            tones = np.clip(colour[:, k, None] + np.array([-_AMPLITUDE, _AMPLITUDE])[:, None], 0, 1)
            picture, _ = canvas.compose(picture, cover[:, None], tones[:, :1])
            picture, _ = canvas.compose(picture, light[:, None], tones[:, 1:])
            if k < slots - clutter:
                masks[np.arange(n)[part], shape[part, k]] |= cover >= 0.5
        pictures[part] = canvas.to_uint8(picture + 0.05 * rng.standard_normal(picture.shape))
    if several:
        labels = np.full(n, -1, np.int64)
    return ImageSet(
        images=torch.from_numpy(pictures),
        labels=torch.from_numpy(labels),
        factors={
            "objects": torch.from_numpy(there[:, : slots - clutter].sum(1)),
            "clutter": torch.from_numpy(there[:, slots - clutter :].sum(1)),
        },
        masks=torch.from_numpy(masks),
        class_names=tuple(_CLASSES),
        name=INFO.name,
        split=split,
    )


def _apart(rng, radius, there, objects):
    """Places (N, M) at which no two things touch; what finds no place is left out, clutter first."""
    n, things = radius.shape
    reach = 1 - radius[:, None]
    x, y = rng.uniform(-1, 1, (2, n, _LAYOUTS, things)) * reach
    touching = np.zeros((n, _LAYOUTS), bool)
    crossing = np.zeros((n, _LAYOUTS, things), bool)
    for k in range(things):
        for j in range(k):
            far = (x[..., k] - x[..., j]) ** 2 + (y[..., k] - y[..., j]) ** 2
            near = far < ((radius[:, k] + radius[:, j]) ** 2)[:, None]
            both = (there[:, k] & there[:, j])[:, None]
            crossing[..., k] |= near & both
    touching = crossing.any(-1)
    first = np.where(
        touching.all(1), crossing[..., :objects].any(-1).argmin(1), touching.argmin(1)
    )  # at worst one in which at least the objects do not touch each other
    rows = np.arange(n)
    return x[rows, first], y[rows, first], there & ~crossing[rows, first]


def _light(local, pattern, radius):
    """The part of each pixel that has the lighter tone, (N, H, W): one half all over is no pattern."""
    wave = 2 * np.pi / _PERIOD * radius[:, None, None]
    rows, columns = np.sin(wave * local.v), np.sin(wave * local.u)
    diagonals = np.sin(wave * (local.u + local.v) * np.sqrt(0.5))
    kind = pattern[:, None, None]
    waves = [rows, columns, rows * columns, diagonals]
    level = np.select([kind == k for k in (1, 2, 3, 4)], waves, default=0.0)
    return np.clip(0.5 + 2 * level, 0, 1).astype(np.float32)


def _standing_off(rng, ground, things, tries=12, distance=0.75):
    """A colour (N, M, 3) for each thing, far from the mean ground in its three channels together."""
    n = len(ground)
    mean = ground.mean((2, 3), dtype=np.float64)[:, None, None]
    colours = rng.random((n, things, tries, 3))
    apart = np.abs(colours - mean).sum(-1)
    pick = np.where((apart > distance).any(-1), (apart > distance).argmax(-1), apart.argmax(-1))
    return np.take_along_axis(colours, pick[..., None, None], axis=2)[:, :, 0]
