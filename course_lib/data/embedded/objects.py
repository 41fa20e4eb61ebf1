"""Coloured objects: the shape is the class; colour, size, place, angle and background are known nuisances."""

import numpy as np
import torch

from course_lib.data.drawing import canvas, shapes, textures
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo

INFO = SetInfo(
    name="objects",
    kind="embedded",
    title="Objects: ten coloured shapes on textured grounds, with exact masks",
    licence="made here (MIT)",
    source="drawn by code",
    shape=(3, 32, 32),
    classes=10,
    sizes={"train": 6000, "test": 2000},
    options={"n": None, "size": 32, "contrast": 0.5, "seed": 0},
    digests={
        "train": "b51f1b1a520a4e81713fe91092fe10dfa4e79af6a544fb0b36a04180255c4c7c",
        "test": "dc127cffed5db1b5c3ceedbe1c600efeeda6f10af2062c5b90e518aa7520d9be",
    },
    note="contrast is that of the patterns behind the objects",
)

_SHAPES = tuple(shapes.SHAPES.values())
_TILT = 30.0  # degrees to either side: an arrow stays an arrow that points up


def make(split: str, n: int | None = None, size: int = 32, contrast: float = 0.5, seed: int = 0) -> ImageSet:
    """One shape a picture on a plain, noisy, striped, checked or dotted ground of two colours.

    ``factors``: ``shape`` (the label); ``hue``, ``lightness`` of the object, 0 to 1; ``scale``, half the
    object's length over half the picture; ``angle``, degrees counter-clockwise; ``x`` to the right and ``y``
    downwards, -1 to 1 across the picture; ``texture``, a place in ``textures.KINDS``. The object's colour
    stands off from both colours of the ground, so every object can be seen.

    Args:
        split: "train" or "test".
        n: how many, the classes equally often; None for the default size.
        size: side in pixels.
        contrast: of the patterns behind the objects, 0 (plain) to 1.
        seed: of everything random.

    Returns:
        Images (N, 3, size, size); ``masks`` (N, 1, size, size) are the objects' pixels.
    """
    n = INFO.sizes[split] if n is None else n
    rng = np.random.default_rng([seed, split == "test"])
    shape = canvas.balanced(rng, n, len(_SHAPES))
    scale = rng.uniform(0.45, 0.75, n)
    reach = 1.0 - scale
    factors = {
        "shape": shape,
        "scale": scale,
        "angle": rng.uniform(-_TILT, _TILT, n),
        "x": rng.uniform(-reach, reach),
        "y": rng.uniform(-reach, reach),
        "texture": rng.integers(len(textures.KINDS), size=n),
    }
    ground = rng.random((n, 2, 3))
    ground[:, 1] = ground[:, 0] + contrast * (ground[:, 1] - ground[:, 0])
    factors["hue"], factors["lightness"], colour = _standing_off(rng, ground)

    pictures = np.empty((n, 3, size, size), np.uint8)
    masks = np.empty((n, 1, size, size), bool)
    for part in canvas.blocks(n):
        background = textures.patterns(rng, factors["texture"][part], size, ground[part], contrast)
        u, v, pixel = canvas.place(size, *(factors[key][part] for key in ("x", "y", "scale", "angle")))
        cover = canvas.coverage(shapes.distances(_SHAPES, shape[part], u, v), pixel)
        picture, masks[part] = canvas.compose(background, cover[:, None], colour[part, None])
        pictures[part] = canvas.to_uint8(picture)
    return ImageSet(
        images=torch.from_numpy(pictures),
        labels=torch.from_numpy(shape),
        factors={key: torch.from_numpy(values) for key, values in factors.items()},
        masks=torch.from_numpy(masks),
        class_names=tuple(shapes.SHAPES),
        name=INFO.name,
        split=split,
    )


def _standing_off(rng, ground, tries=12, distance=0.55):
    """Of a few random colours the first that is far from both of the ground's, else the farthest."""
    n = len(ground)
    hue, lightness = rng.random((n, tries)), rng.uniform(0.25, 0.85, (n, tries))
    colours = _rgb(hue, lightness)
    apart = np.sqrt(((colours[:, :, None] - ground[:, None]) ** 2).sum(-1)).min(-1)
    pick = np.where((apart > distance).any(1), (apart > distance).argmax(1), apart.argmax(1))
    rows = np.arange(n)
    return hue[rows, pick], lightness[rows, pick], colours[rows, pick]


def _rgb(hue, lightness, saturation=0.85):
    """HSL to RGB, as in the CSS colour specification."""
    k = (hue[..., None] * 12 + np.array([0.0, 8.0, 4.0])) % 12
    reach = saturation * np.minimum(lightness, 1 - lightness)[..., None]
    return lightness[..., None] - reach * np.clip(np.minimum(k - 3, 9 - k), -1, 1)
