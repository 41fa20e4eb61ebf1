"""MNIST-M: the literal difference, from the right photos, and what happens where there are none."""

import functools
import io
import time
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data.real.mnist_m import MnistM
from course_lib.runtime import CourseError
from tests.data.small_files import images, one_sentence, write_mnist_pack

PHOTOS = {f"{part}/{k}": (41 + 3 * k, 37 + k) for part in ("train", "val") for k in range(3)}


@functools.cache
def scene(name):
    width, height = PHOTOS[name]
    noise = np.random.default_rng(sum(map(ord, name))).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return noise


@pytest.fixture
def mnist_m(folder, shrink):
    write_mnist_pack(folder)
    with zipfile.ZipFile(folder / "bsds300_small.zip", "w") as archive:
        for name in PHOTOS:
            file = io.BytesIO()
            Image.fromarray(scene(name)).save(file, "PNG")
            archive.writestr(f"{name}.png", file.getvalue())
    return MnistM(shrink("mnist"), shrink("bsds300_small", train=3, test=3))


@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("test", "val")])
@pytest.mark.parametrize("size", [28, 32])
def test_every_image_is_a_patch_of_a_photo_minus_the_digit(mnist_m, split, part, size):
    found = mnist_m.make(split, size=size)
    digits = images({"train": 30, "test": 20}[split])[:, 0].astype(int)
    ink = np.zeros((len(digits), size, size), int)
    edge = (size - 28) // 2
    ink[:, edge : edge + 28, edge : edge + 28] = digits
    places = set()
    for picture, digit in zip(found.images.numpy().astype(int), ink, strict=True):
        matches = [
            (name, y, x)
            for name, (width, height) in PHOTOS.items()
            for y in range(height - size + 1)
            for x in range(width - size + 1)
            if (abs(scene(name)[y, x].astype(int) - digit[0, 0]) == picture[:, 0, 0]).all()
            and (
                abs(scene(name)[y : y + size, x : x + size].transpose(2, 0, 1).astype(int) - digit) == picture
            ).all()
        ]
        assert len(matches) == 1 and matches[0][0].startswith(part)
        places.add(matches[0])
    assert len({name for name, _, _ in places}) == 3 and len(places) > 15
    assert found.labels.tolist() == [i % 10 for i in range(len(digits))]
    assert (found.masks[:, 0].numpy() == (ink >= 128)).all()


def test_the_seed_chooses_the_patches(mnist_m):
    assert (
        mnist_m.make("train").digest()
        == mnist_m.make("train").digest()
        != mnist_m.make("train", seed=1).digest()
    )


def test_without_photos_it_says_so_and_textures_are_at_hand(mnist_m, folder):
    (folder / "bsds300_small.zip").unlink()
    with pytest.raises(CourseError) as problem:
        mnist_m.make("train")
    text = one_sentence(problem)
    assert "bsds300_small.zip" in text and 'backgrounds="textures"' in text and str(folder) in text
    assert mnist_m.verify().state == "missing" and "bsds300_small" in one_sentence(mnist_m.verify().says)
    found = mnist_m.make("train", backgrounds="textures")
    assert found.shape == (3, 28, 28) and found.images.float().std() > 30


def test_damaged_photos_say_so(mnist_m, folder):
    file = folder / "bsds300_small.zip"
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(CourseError, match="damaged"):
        mnist_m.make("train")


def test_ten_thousand_images_a_second(mnist_m):
    rng, n = np.random.default_rng(0), 20000
    mnist_m._patches(rng, "train", 100, 28)
    start = time.process_time()
    patches = mnist_m._patches(rng, "train", n, 28)
    assert n / (time.process_time() - start) > 10000
    assert patches.shape == (n, 3, 28, 28)


def test_the_digits_alone_are_needed_first(folder, shrink):
    with pytest.raises(CourseError, match="The set mnist was asked for"):
        MnistM(shrink("mnist"), shrink("bsds300_small")).make("train")
    assert not torch.cuda.is_initialized()
