"""The real sets themselves, where COURSE_DATA names a folder that holds them."""

import struct

import numpy as np
import pytest
import torch

from course_lib import data

HELD = [name for name in data.names("real") if name != "celeba"]


def need(name):
    if not data.available(name):
        pytest.skip(f"{name} is not in the data folder; set COURSE_DATA to a folder that holds it")
    return data.describe(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", HELD)
def test_real_sets_are_as_described(name):
    info = need(name)
    assert data.verify(name).state in ("ok", "differs")
    for split, n in info.sizes.items():
        found = data.load(name, split)
        assert len(found) == n and found.shape == info.shape and found.images.is_contiguous()
        assert (found.name, found.split) == (name, split)
        if info.classes:
            assert found.labels.min() == 0 and found.labels.max() == found.num_classes - 1
        if split in info.digests:
            assert found.digest() == info.digests[split]
        if split == "train" and info.classes:
            assert found.num_classes == info.classes
        assert found.class_names is None or len(found.class_names) == found.num_classes
        for values in (found.factors or {}).values():
            assert torch.isfinite(values.double()).all() and values.unique().numel() > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "usps", "cifar10", "gtsrb32", "kannada_mnist"])
def test_no_test_image_is_in_the_training_set(name):
    need(name)
    train, test = (
        {x.tobytes() for x in data.load(name, split).images.numpy()} for split in ("train", "test")
    )
    assert not train & test


def test_mnist_has_the_known_statistics():
    need("mnist")
    train = data.load("mnist")
    mean, deviation = train.statistics()
    assert (mean.item(), deviation.item()) == (
        pytest.approx(0.1307, abs=1e-4),
        pytest.approx(0.3081, abs=1e-4),
    )
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


@pytest.mark.slow
def test_cifar10_has_the_known_statistics():
    need("cifar10")
    train = data.load("cifar10")
    mean, deviation = train.statistics()
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=1e-4)
    np.testing.assert_allclose(deviation, [0.2470, 0.2435, 0.2616], atol=1e-4)
    assert torch.bincount(train.labels).tolist() == [5000] * 10
    assert [train.class_names[label] for label in train.labels[:3]] == ["frog", "truck", "truck"]


@pytest.mark.slow
def test_boxes_lie_in_the_picture():
    for name, size in (("cub20", 64), ("gtsrb32", 32)):
        need(name)
        f = data.load(name).factors
        assert ((f["x0"] < f["x1"]) & (f["y0"] < f["y1"])).all()
        assert min(f["x0"].min(), f["y0"].min()) >= -1 and max(f["x1"].max(), f["y1"].max()) <= size + 1


@pytest.mark.slow
def test_mnist_m_is_mnist_on_photos():
    need("mnist_m")
    digits, found = data.load("mnist", "test"), data.load("mnist_m", "test", size=32)
    assert found.shape == (3, 32, 32) and torch.equal(found.labels, digits.labels)
    black = digits.images[:, 0] == 0
    inner = found.images[:, :, 2:-2, 2:-2]
    natural = inner.permute(0, 2, 3, 1)[black].double() / 255
    assert 0.3 < natural.mean() < 0.6 and natural.std() > 0.2


@pytest.mark.slow
def test_the_official_files_and_the_packed_one_are_one_set(tmp_path, monkeypatch):
    """MNIST's own files, written from the packed one, give the recorded digests through torchvision."""
    need("mnist")
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        found = data.load("mnist", split)
        x, y = found.images.numpy(), found.labels.numpy().astype(np.uint8)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 2051, len(x), 28, 28) + x.tobytes()
        )
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, len(y)) + y.tobytes())
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    found = data.verify("mnist")
    assert found.state == "ok" and "torchvision" in found.says
