"""ImageSet: its checks, its statistics against NumPy, its digest."""

import numpy as np
import pytest
import torch

from course_lib.data import ImageSet


def small(n=6, **changes):
    generator = torch.Generator().manual_seed(3)
    parts = dict(
        images=torch.randint(256, (n, 3, 4, 5), generator=generator, dtype=torch.uint8),
        labels=torch.arange(n) % 3,
        factors={"angle": torch.linspace(0, 1, n)},
        masks=torch.rand(n, 2, 4, 5, generator=generator) > 0.5,
        class_names=("a", "b", "c"),
        name="small",
        split="train",
    )
    return ImageSet(**(parts | changes))


def test_statistics_are_numpys_mean_and_deviation():
    data = small(5000)  # more than one piece of the sum
    pixels = data.images.numpy().astype(np.float64) / 255
    mean, deviation = data.statistics()
    assert mean.shape == deviation.shape == (3,)
    np.testing.assert_allclose(mean, pixels.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(deviation, pixels.std((0, 2, 3)), rtol=1e-6)


@pytest.mark.parametrize("indices", [[4, 1], torch.tensor([4, 1]), np.array([4, 1])])
def test_subset_takes_everything_along(indices):
    data = small()
    part = data.subset(indices)
    assert len(part) == 2 and part.class_names == data.class_names and part.name == "small"
    assert torch.equal(part.images, data.images[[4, 1]])
    assert torch.equal(part.labels, data.labels[[4, 1]])
    assert torch.equal(part.factors["angle"], data.factors["angle"][[4, 1]])
    assert torch.equal(part.masks, data.masks[[4, 1]])


def test_subset_by_booleans_and_empty():
    data = small()
    assert torch.equal(data.subset(data.labels == 1).images, data.images[[1, 4]])
    assert len(data.subset([])) == 0


def test_num_classes_counts_names_or_labels():
    assert small().num_classes == 3
    assert small(class_names=None).num_classes == 3
    assert small(class_names=("a", "b", "c", "never seen")).num_classes == 4


def test_digest_sees_pixels_labels_and_shape_only():
    data = small()
    images = data.images.clone()
    images[0, 0, 0, 0] ^= 1
    assert small().digest() == data.digest() == small(name="other", factors=None, masks=None).digest()
    assert small(images=images).digest() != data.digest()
    assert small(labels=data.labels.flip(0)).digest() != data.digest()
    reshaped = small(images=data.images.reshape(6, 3, 5, 4), masks=None)
    assert reshaped.digest() != data.digest()


def test_to_keeps_everything():
    moved = small().to("cpu")
    assert moved.digest() == small().digest() and moved.factors.keys() == {"angle"}


def test_repr_says_what_it_is():
    text = repr(small())
    assert all(word in text for word in ("small/train", "6 images", "3x4x5", "3 classes", "angle"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"images": torch.zeros(6, 3, 4, 5)}, "uint8"),
        ({"images": torch.zeros(6, 4, 5, dtype=torch.uint8)}, "images"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, "labels"),
        ({"labels": torch.zeros(6)}, "int64"),
        ({"factors": {"angle": torch.zeros(4)}}, "angle"),
        ({"masks": torch.zeros(6, 2, 4, 4, dtype=torch.bool)}, "masks"),
        ({"masks": torch.zeros(6, 2, 4, 5)}, "bool"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        small(**changes)
