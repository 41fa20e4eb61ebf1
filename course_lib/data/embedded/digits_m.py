"""Digits-M: scikit-learn's handwritten digits in the manner of MNIST-M, on coloured noise."""

import numpy as np
import torch

from course_lib.data.drawing import canvas, textures
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo

INFO = SetInfo(
    name="digits_m",
    kind="embedded",
    title="Digits-M: handwritten digits that invert coloured noise",
    licence="digits CC BY 4.0 (Alpaydin and Kaynak 1998); backgrounds made here",
    source="scikit-learn's load_digits",
    shape=(3, 16, 16),
    classes=10,
    sizes={"train": 1200, "test": 597},
    options={"contrast": 0.5, "strength": 1.0, "size": 16, "seed": 0},
    digests={
        "train": "518263f6cc5e5a439749ba8abca40f38c005fe5b970b68589a4da3e82b7adee0",
        "test": "859350a5f778297f1e5eaea3481ca6f2e8bb658f63e3c918cb4c72e26d8a2fa1",
    },
    note="contrast is the roughness of the noise, strength multiplies the whole background",
)


def make(split: str, contrast: float = 0.5, strength: float = 1.0, size: int = 16, seed: int = 0) -> ImageSet:
    """``|strength * background - digit|`` per channel, for each of the 1797 digits once.

    A digit of 8 x 8 grey values is enlarged bicubically to 3/4 of the picture, made black and white at 0.45
    and set in the middle; the background is :func:`textures.coloured_noise`. One permutation gives the first
    1200 to training and the other 597 to test.

    Args:
        split: "train" or "test".
        contrast: roughness of the background, 0 to about 1 (0.5 is the course's, 1 is much harder).
        strength: 0 leaves white digits on black.
        size: side in pixels, a multiple of 4.
        seed: of the backgrounds and of the permutation.

    Returns:
        Images (N, 3, size, size); ``masks`` (N, 1, size, size) are the digits' pixels.
    """
    if size < 8 or size % 4:
        raise ValueError(f"size is {size}, possible are the multiples of 4 from 8.")
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits.target))
    background = textures.coloured_noise(rng, len(order), size, contrast)

    inner, margin = size * 3 // 4, size // 8
    enlarge = textures.bicubic(8, inner)
    ink = np.zeros((len(order), size, size), bool)
    ink[:, margin : margin + inner, margin : margin + inner] = (
        enlarge @ (digits.images / 16) @ enlarge.T > 0.45
    )

    chosen = order[:1200] if split == "train" else order[1200:]
    pictures = canvas.to_uint8(canvas.difference(strength * background[chosen], ink[chosen].astype(float)))
    return ImageSet(
        images=torch.from_numpy(pictures),
        labels=torch.from_numpy(digits.target[chosen].astype(np.int64)),
        masks=torch.from_numpy(ink[chosen])[:, None],
        class_names=tuple("0123456789"),
        name=INFO.name,
        split=split,
    )
