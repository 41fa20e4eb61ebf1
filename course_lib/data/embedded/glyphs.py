"""Glyphs: characters of many faces, each slanted, turned, scaled and moved, plain or on coloured noise."""

from collections.abc import Sequence

import numpy as np
import torch

from course_lib.data.drawing import canvas, fonts, textures
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo

INFO = SetInfo(
    name="glyphs",
    kind="embedded",
    title="Glyphs: printed characters of 20 faces, plain or textured in the manner of MNIST-M",
    licence="pictures made here (MIT); fonts DejaVu, STIX and Computer Modern, free to use",
    source="the fonts that matplotlib ships",
    shape=(1, 28, 28),
    classes=10,
    sizes={"train": 6000, "test": 2000},
    options={
        "characters": "0123456789",
        "textured": False,
        "faces": "all",
        "contrast": 0.5,
        "n": None,
        "size": 28,
        "seed": 0,
    },
    digests={
        "train": "acdba5c6c9c5bd9e14ea146ef8f1356a2486f0dac27524880310b6638d92978c",
        "test": "4ac8dba82426339c0a454dce4157546f5689cda4f180caf07e273a7ed4ef61ab",
    },
    drawn_with="matplotlib",
    note='faces="seen" and faces="unseen" share no face; textured=True has three channels',
)

# One or two of each family are kept apart, so that "unseen" means another face, not another script.
UNSEEN = ("DejaVuSans-Oblique", "DejaVuSansMono-Bold", "DejaVuSerif-Italic", "STIXGeneralBol", "cmss10")


def make(
    split: str,
    characters: str = "0123456789",
    textured: bool = False,
    faces: str | Sequence[str] = "all",
    contrast: float = 0.5,
    n: int | None = None,
    size: int = 28,
    seed: int = 0,
) -> ImageSet:
    """White characters on black, or ``|background - character|`` on coloured noise.

    ``factors``: ``character`` (the label); ``face``, a place in ``fonts.FACES``; ``angle``, degrees
    counter-clockwise; ``shear``, the slant to the right; ``scale``, the height that all the characters' ink
    needs over the picture's; ``dx``, ``dy``, pixels to the right and downwards. Training and test differ in
    every random number, and in the faces where asked.

    Args:
        split: "train" or "test".
        characters: the classes, in order; each once.
        textured: three channels on :func:`textures.coloured_noise`, the manner of MNIST-M.
        faces: "all", "seen", "unseen" (no face in common with "seen"), or names from ``fonts.FACES``. The
            three words leave out faces that lack one of the characters.
        contrast: of the noise, with ``textured``.
        n: how many, the characters equally often; None for the default size.
        size: side in pixels.
        seed: of everything random.

    Returns:
        Images (N, 1 or 3, size, size); ``masks`` (N, 1, size, size) are the characters' pixels.
    """
    if not characters or len(set(characters)) != len(characters) or any(c.isspace() for c in characters):
        raise ValueError(f"characters is {characters!r}, possible are visible characters, each once.")
    places = _faces(faces, characters)
    n = INFO.sizes[split] if n is None else n
    rng = np.random.default_rng([seed, split == "test"])
    character = canvas.balanced(rng, n, len(characters))
    face = rng.integers(len(places), size=n)
    factors = {
        "character": character,
        "face": places[face],
        "angle": rng.uniform(-18, 18, n),
        "shear": rng.uniform(-0.25, 0.35, n),
        "scale": rng.uniform(0.5, 0.72, n),
        "dx": rng.uniform(-2.5, 2.5, n) * size / 28,
        "dy": rng.uniform(-2.5, 2.5, n) * size / 28,
    }

    fields = np.stack([fonts.field(fonts.FACES[f], c) for f in places for c in characters])
    which = face * len(characters) + character
    middle, half = (np.float32(value) for value in fonts.frame(fields))
    pictures = np.empty((n, 3 if textured else 1, size, size), np.uint8)
    masks = np.empty((n, 1, size, size), bool)
    x, y = 2 * factors["dx"] / size, 2 * factors["dy"] / size
    for part in canvas.blocks(n):
        move = (x[part], y[part], *(factors[key][part] for key in ("scale", "angle", "shear")))
        u, v, pixel = canvas.place(size, *move)
        distance = fonts.distances(fields, which[part], u * half, v * half + middle)
        cover = canvas.coverage(distance, pixel * half)
        background = textures.coloured_noise(rng, len(cover), size, contrast) if textured else np.zeros(1)
        pictures[part] = canvas.to_uint8(canvas.difference(background, cover))
        masks[part, 0] = cover >= 0.5
    return ImageSet(
        images=torch.from_numpy(pictures),
        labels=torch.from_numpy(character),
        factors={key: torch.from_numpy(values) for key, values in factors.items()},
        masks=torch.from_numpy(masks),
        class_names=tuple(characters),
        name=INFO.name,
        split=split,
    )


def _faces(faces, characters) -> np.ndarray:
    if isinstance(faces, str):
        groups = {
            "all": fonts.FACES,
            "seen": [face for face in fonts.FACES if face not in UNSEEN],
            "unseen": UNSEEN,
        }
        if faces not in groups:
            raise ValueError(
                f"faces is {faces!r}, possible are {', '.join(groups)}, or a list of names of faces."
            )
        chosen = [face for face in groups[faces] if fonts.has(face, characters)]
        if not chosen:
            raise ValueError(f"No face of faces={faces!r} has all of the characters {characters!r}.")
    else:
        chosen = list(faces)
        unknown = [face for face in chosen if face not in fonts.FACES]
        if unknown or not chosen:
            raise ValueError(f"faces is {chosen}, possible are names from {', '.join(fonts.FACES)}.")
        lacking = [face for face in chosen if not fonts.has(face, characters)]
        if lacking:
            raise ValueError(f"The face {lacking[0]} lacks one of the characters {characters!r}.")
    return np.array([fonts.FACES.index(face) for face in chosen])
