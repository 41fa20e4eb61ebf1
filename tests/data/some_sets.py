"""Sets of random images, and what the tests of batches ask of them."""

import torch

from course_lib.data.image_set import ImageSet


def some_set(n=23, channels=3, height=8, width=8):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(n) % 5)


def order(batches):
    return torch.cat([batch.index for batch in batches]).tolist()


def same(a, b):
    """Whether two passes give the very same batches."""
    a, b = list(a), list(b)
    return len(a) == len(b) and all(
        torch.equal(p.index, q.index) and torch.equal(p.y, q.y) and all(map(torch.equal, p.views, q.views))
        for p, q in zip(a, b)
    )
