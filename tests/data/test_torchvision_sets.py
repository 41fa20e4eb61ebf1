"""Sets in torchvision's own layout, read by torchvision itself where a small one can be written."""

import bz2
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from course_lib import data
from course_lib.data.real import torchvision_sets
from course_lib.runtime import CourseError
from tests.data.small_files import N, images, one_sentence, write_mnist, write_mnist_pack


@pytest.mark.parametrize(
    ("name", "layout"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_mnist_and_its_like(folder, shrink, name, layout):
    shrink(name)
    write_mnist(folder, name=layout)
    assert data.available(name)
    for split, n in N.items():
        found = data.load(name, split)
        np.testing.assert_array_equal(found.images, images(n))
        assert found.labels.tolist() == [i % 10 for i in range(n)] and found.num_classes == 10
    assert data.verify(name).state == "ok"


def test_usps(folder, shrink):
    shrink("usps")
    for split, file in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        rows = []
        for label, picture in enumerate(images(N[split], size=16)):
            values = (picture.reshape(-1) + 0.5) / 255 * 2 - 1
            rows.append(f"{label % 10 + 1} " + " ".join(f"{i + 1}:{v:.6f}" for i, v in enumerate(values)))
        (folder / file).write_bytes(bz2.compress("\n".join(rows).encode()))
    found = data.load("usps", "test")
    np.testing.assert_array_equal(found.images, images(20, size=16))
    assert found.labels.tolist() == [i % 10 for i in range(20)]


def test_arrays_of_every_order_become_n_c_h_w():
    x = images(4, 3, 8)
    cifar = SimpleNamespace(data=x.transpose(0, 2, 3, 1), targets=[3, 1, 2, 0], classes=["a", "b", "c", "d"])
    svhn = SimpleNamespace(data=x, labels=np.array([3, 1, 2, 0]))
    mnist = SimpleNamespace(data=torch.from_numpy(x[:, 0]), targets=torch.tensor([3, 1, 2, 0]))
    for dataset, expected in ((cifar, x), (svhn, x), (mnist, x[:, :1])):
        found = torchvision_sets.in_memory(dataset, "train")
        np.testing.assert_array_equal(found.images, expected)
        assert found.labels.tolist() == [3, 1, 2, 0] and found.images.is_contiguous()


def test_pictures_of_any_size_are_squashed(folder, shrink, monkeypatch):
    shrink("gtsrb", train=2)
    (folder / "gtsrb").mkdir()
    pictures = [(Image.new("RGB", (40, 20), (10, 20, 30)), 7), (Image.new("L", (9, 31), 50), 42)]
    monkeypatch.setattr(torchvision.datasets, "GTSRB", lambda root, download, split: pictures)
    found = data.load("gtsrb", size=16)
    assert found.shape == (3, 16, 16) and found.labels.tolist() == [7, 42]
    assert found.images[0].amax((1, 2)).tolist() == [10, 20, 30] and (found.images[1] == 50).all()


def test_omniglot_is_sorted_by_name_and_white_on_black(folder, shrink, monkeypatch):
    shrink("omniglot", train=8, test=0)
    monkeypatch.setattr(torchvision.datasets.Omniglot, "_check_integrity", lambda self: True)
    base = folder / "omniglot-py" / "images_background"
    for k, (alphabet, character, drawer) in enumerate(np.ndindex(2, 2, 2)):
        place = base / ("Zulu", "Armenian")[alphabet] / f"character{2 - character:02d}"
        place.mkdir(parents=True, exist_ok=True)
        ink = np.full((105, 105), 255, np.uint8)
        ink[:, k] = 0
        Image.fromarray(ink).convert("1").save(place / f"0{place.name[-2:]}0_{2 - drawer:02d}.png")
    found = data.load("omniglot", size=105)
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (
        found.factors["alphabet"].tolist() == [0] * 4 + [1] * 4
        and found.factors["drawer"].tolist() == [0, 1] * 4
    )
    columns = [int(image[0].float().mean(0).argmax()) for image in found.images]
    assert columns == [7, 6, 5, 4, 3, 2, 1, 0] and found.images[0, 0, :, 7].min() == 255


class Celeba(list):
    attr_names = ("Bald", "Smiling", "")
    attr = torch.tensor([[0, 1], [1, 1], [1, 0]])
    identity = torch.tensor([[5], [1], [3]])

    def __init__(self, root, download, split, target_type):
        assert split == "valid" and target_type == []
        face = np.zeros((218, 178, 3), np.uint8)
        face[20:198] = 200
        super().__init__([(Image.fromarray(face), None)] * 3)


def test_celeba_crops_faces_and_takes_people_as_classes(folder, shrink, monkeypatch):
    shrink("celeba", val=3)
    (folder / "celeba").mkdir()
    monkeypatch.setattr(torchvision.datasets, "CelebA", Celeba)
    found = data.load("celeba", "val", size=32)
    assert found.labels.tolist() == [4, 0, 2] and (found.images == 200).all()
    assert {key: values.tolist() for key, values in found.factors.items()} == {
        "Bald": [0, 1, 1],
        "Smiling": [1, 1, 0],
    }
    assert len(data.load("celeba", "val", n=2)) == 2


def test_voc_has_one_mask_per_class_and_the_largest_as_label(folder, shrink, monkeypatch):
    shrink("voc", val=1)
    (folder / "VOCdevkit" / "VOC2012").mkdir(parents=True)
    regions = np.zeros((20, 40), np.uint8)
    regions[:10, :20], regions[10:, :] = 15, 3
    regions[:, 0] = 255  # the border that nobody decided on
    scene = (Image.new("RGB", (40, 20)), Image.fromarray(regions))
    monkeypatch.setattr(torchvision.datasets, "VOCSegmentation", lambda root, download, **options: [scene])
    found = data.load("voc", "val", size=20)
    assert found.masks.shape == (1, 20, 20, 20) and found.class_names[found.labels[0]] == "bird"
    assert found.masks[0].sum((1, 2)).nonzero().flatten().tolist() == [2, 14]
    assert found.masks.sum() == (np.asarray(scene[1].resize((20, 20), Image.NEAREST)) % 255 > 0).sum()


def test_a_layout_that_is_cut_off_says_so(folder, shrink):
    shrink("mnist")
    write_mnist(folder)
    file = folder / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(CourseError) as problem:
        data.load("mnist")
    text = one_sentence(problem)
    assert str(folder) in text and "damaged or not all there" in text and "course data fetch mnist" in text
    assert "delete" not in text  # the folder holds other sets too
    found = data.verify("mnist")
    assert found.state == "broken" and "course data fetch mnist" in one_sentence(found.says)


def test_a_layout_with_files_missing_says_so(folder, shrink):
    shrink("mnist")
    write_mnist(folder)
    (folder / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(CourseError, match="damaged or not all there"):
        data.load("mnist", "test")


def test_torchvisions_own_checksum_is_kept(folder, shrink):
    shrink("cifar10")
    (folder / "cifar-10-batches-py").mkdir()
    (folder / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"not the official batch")
    with pytest.raises(CourseError, match="corrupted"):
        data.load("cifar10")


def test_a_damaged_layout_gives_way_to_a_whole_packed_file(folder, shrink):
    shrink("mnist")
    (folder / "MNIST" / "raw").mkdir(parents=True)
    write_mnist_pack(folder)
    assert len(data.load("mnist")) == 30


def test_torchvisions_layout_comes_before_the_packed_file(folder, shrink):
    shrink("mnist")
    write_mnist(folder)
    (folder / "mnist.npz").write_bytes(b"not a packed file")
    assert len(data.load("mnist")) == 30


def test_other_images_than_the_official_ones_are_not_ok(folder, shrink):
    source = shrink("mnist")
    write_mnist(folder)
    source.info.digests["test"] = "0" * 64
    found = data.verify("mnist")
    assert found.state == "broken" and "not the official ones" in found.says
