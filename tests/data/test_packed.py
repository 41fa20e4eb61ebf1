"""Packed files: what each form and each set means, and damage of every kind in one sentence."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data
from course_lib.data.real import packs
from course_lib.files import sha256
from course_lib.runtime import CourseError
from tests.data.small_files import N, images, one_sentence, write_mnist_pack, write_npz, write_strips


def test_npz_is_read_as_it_is(folder, shrink):
    shrink("mnist")
    write_mnist_pack(folder)
    for split, n in N.items():
        found = data.load("mnist", split)
        np.testing.assert_array_equal(found.images, images(n))
        assert found.labels.tolist() == [i % 10 for i in range(n)] and found.labels.dtype == torch.int64
        assert (found.name, found.split, found.class_names) == ("mnist", split, tuple("0123456789"))


@pytest.mark.parametrize("channels", [1, 3])
def test_strips_are_put_together_in_order(tmp_path, channels):
    x = images(30, channels, 12)
    path = write_strips(tmp_path / "x.zip", {"x_train": x}, strip=8, y_train=np.arange(30))
    found = packs.read(path, "x_train", "y_train", "classes")
    assert set(found) == {"x_train", "y_train"}
    np.testing.assert_array_equal(found["x_train"], x)
    np.testing.assert_array_equal(found["y_train"], np.arange(30))


def test_packed_files_are_found_at_their_place_or_at_the_top(folder, shrink):
    shrink("cmaterdb_bangla", train=30)
    arrays = {"x_train": images(30), "y_train": np.zeros(30, np.uint8)}
    path = write_npz(folder / "cmaterdb_bangla.npz", **arrays)
    assert data.available("cmaterdb_bangla") and len(data.load("cmaterdb_bangla")) == 30
    (folder / "digits").mkdir()
    path.rename(folder / "digits" / path.name)
    assert len(data.load("cmaterdb_bangla")) == 30


def test_omniglot_unpacks_ink_and_numbers_characters_by_name(folder, shrink):
    shrink("omniglot", train=8, test=4)
    ink = np.random.default_rng(0).random((12, 105, 105)) > 0.5
    write_npz(
        folder / "omniglot.npz",
        bits=np.packbits(ink, axis=2),
        alphabets=np.array(["Zulu", "Armenian", "Greek"]),
        alphabet=np.repeat([0, 1, 2], 4).astype(np.uint8),
        character_of_alphabet=np.tile([1, 1, 0, 0], 3).astype(np.uint8),
        drawer=np.tile([1, 0], 6).astype(np.uint8),
        evaluation=np.repeat([False, False, True], 4),
    )
    train, test = data.load("omniglot", size=105), data.load("omniglot", "test", size=105)
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]  # Armenian 0, 1, then Zulu 0, 1
    assert train.factors["alphabet"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert train.factors["drawer"].tolist() == [0, 1] * 4
    np.testing.assert_array_equal(train.images[:, 0] == 255, ink[[7, 6, 5, 4, 3, 2, 1, 0]])
    assert test.labels.tolist() == [0, 0, 1, 1]
    small = data.load("omniglot", size=35)
    boxes = train.images.double().reshape(8, 1, 35, 3, 35, 3).mean((3, 5))
    assert (small.images - boxes).abs().max() <= 1


def test_pacs_is_divided_by_split_and_domain(folder, shrink):
    shrink("pacs64", train=24, test=6)
    test = np.arange(30) % 5 == 0
    write_strips(
        folder / "pacs64.zip",
        {"x": images(30, 3, 16)},
        y=np.arange(30) % 7,
        domain=np.arange(30) % 4,
        test=test,
        classes=np.array(list("abcdefg")),
        domains=np.array(["art_painting", "cartoon", "photo", "sketch"]),
    )
    assert torch.equal(data.load("pacs64", "test").images, torch.from_numpy(images(30, 3, 16)[test]))
    photos = data.load("pacs64", "train", domain="photo")
    chosen = [i for i in range(30) if i % 4 == 2 and i % 5]
    assert photos.labels.tolist() == [i % 7 for i in chosen] and set(photos.factors["domain"].tolist()) == {2}


def test_yaleb_gives_half_of_each_person_to_the_test(folder, shrink):
    shrink("yaleb", train=20, test=20, all=40)
    subject = np.arange(40) % 4
    light = {"azimuth": np.arange(40, dtype=np.int16), "elevation": -np.arange(40, dtype=np.int16)}
    write_npz(folder / "yaleb_48x42.npz", x=images(40), subject=subject, **light)
    train, test, every = (data.load("yaleb", split) for split in ("train", "test", "all"))
    assert torch.bincount(test.labels).tolist() == torch.bincount(train.labels).tolist() == [5] * 4
    assert sorted(train.factors["azimuth"].tolist() + test.factors["azimuth"].tolist()) == list(range(40))
    assert every.factors["elevation"].tolist() == [-i for i in range(40)]


def photo(width, height, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def test_cub_scales_its_boxes_with_the_photos(folder, shrink):
    shrink("cub20", train=2, test=1)
    rows = ["file,x0,y0,x1,y1,width,height"]
    with zipfile.ZipFile(folder / "cub20.zip", "w") as archive:
        for name, size in (
            ("train/002.B_b/1", (40, 20)),
            ("train/001.A_a/2", (20, 30)),
            ("test/001.A_a/3", (20, 20)),
        ):
            archive.writestr(f"{name}.png", photo(*size))
            rows.append(f"{name}.png,5,10,15,20,{size[0]},{size[1]}")
        archive.writestr("boxes.csv", "\n".join(rows))
    found = data.load("cub20", size=60)
    assert found.class_names == ("A a", "B b") and found.labels.tolist() == [0, 1]
    boxes = torch.stack([found.factors[key] for key in ("x0", "y0", "x1", "y1")], 1)
    assert boxes.tolist() == [[15, 20, 45, 40], [7.5, 30, 22.5, 60]]


def test_gtsrb_and_cifar_keep_what_is_known_of_each_image(folder, shrink):
    shrink("gtsrb32", train=5)
    roi = np.arange(20, dtype=np.float32).reshape(5, 4)
    known = dict(y_train=np.arange(5), roi_train=roi, track_train=np.arange(5, dtype=np.int32) + 7)
    write_strips(folder / "gtsrb32.zip", {"x_train": images(5, 3, 32)}, **known)
    found = data.load("gtsrb32")
    assert found.factors["y1"].tolist() == [3, 7, 11, 15, 19] and found.factors["track"].tolist() == [
        7,
        8,
        9,
        10,
        11,
    ]
    assert found.num_classes == 43 and found.class_names[14] == "stop"
    shrink("cifar100_subset", train=5)
    known = dict(y_train=np.arange(5), index_train=np.arange(5) * 10, classes=np.array(list("abcde")))
    write_strips(folder / "cifar100_subset.zip", {"x_train": images(5, 3, 32)}, **known)
    assert data.load("cifar100_subset").factors["index"].tolist() == [0, 10, 20, 30, 40]


def test_photos_give_their_square_middles(folder, shrink):
    shrink("bsds300_small", train=2, test=1)
    with zipfile.ZipFile(folder / "bsds300_small.zip", "w") as archive:
        for name, size in (("train/1", (50, 30)), ("train/2", (30, 40)), ("val/3", (30, 30))):
            archive.writestr(f"{name}.png", photo(*size))
    found = data.load("bsds300_small", size=30)
    wide = np.asarray(Image.open(io.BytesIO(photo(50, 30)))).transpose(2, 0, 1)
    np.testing.assert_array_equal(found.images[0], wide[:, :, 10:40])
    assert found.labels.tolist() == [-1, -1] and found.num_classes == 0
    assert data.load("bsds300_small", "test", size=30).shape == (3, 30, 30)


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["mnist", "gtsrb32"])
def test_a_file_that_is_cut_off_says_so(folder, shrink, name, kept):
    shrink(name, train=30)
    if name == "mnist":
        path = write_mnist_pack(folder)
    else:
        known = dict(y_train=np.zeros(30), roi_train=np.zeros((30, 4)), track_train=np.zeros(30))
        path = write_strips(folder / "gtsrb32.zip", {"x_train": images(30, 3, 32)}, **known)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CourseError) as problem:
        data.load(name)
    text = one_sentence(problem)
    assert str(path) in text and "damaged or not all there" in text and "replace it" in text
    assert data.verify(name).state == "broken" and str(path) in one_sentence(data.verify(name).says)


def test_a_flipped_byte_says_so(folder, shrink):
    shrink("mnist")
    path = write_mnist_pack(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CourseError, match="damaged"):
        data.load("mnist")


def test_something_else_under_the_name_says_so(folder, shrink):
    shrink("mnist")
    (folder / "mnist.npz").write_text("<html>not found</html>")
    with pytest.raises(CourseError, match="damaged"):
        data.load("mnist")
    np.savez(folder / "mnist.npz", something=np.arange(3))
    with pytest.raises(CourseError, match="x_train"):
        data.load("mnist")


def test_a_wrong_number_of_images_says_so(folder, shrink):
    shrink("mnist", train=31, test=20)
    write_mnist_pack(folder)
    with pytest.raises(CourseError, match="30 images where 31 belong"):
        data.load("mnist")
    assert len(data.load("mnist", "test")) == 20


def test_verify_compares_the_checksum_of_the_file(folder, shrink, monkeypatch):
    source = shrink("mnist")
    path = write_mnist_pack(folder)
    found = data.verify("mnist")
    assert found.state == "differs" and str(path) in one_sentence(found.says)
    object.__setattr__(source.info, "sha256", sha256(path))
    assert data.verify("mnist").state == "ok"
