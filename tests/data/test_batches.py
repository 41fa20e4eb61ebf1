"""Batches: which images, in which order, from which randomness, and how they are normalised."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF

from course_lib.data.augment import Augment
from course_lib.data.batches import Batches
from course_lib.data.image_set import ImageSet
from tests.data.some_sets import order, same, some_set

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]
EVERYTHING = Augment(crop=6, pad=2, flip=True, translate=1, rotate=10, colour=0.3, noise=0.1)


def test_normalisation_is_the_literal_formula():
    data = some_set(4, height=3, width=5)
    (batch,) = Batches(data, 4, shuffle=False, dtype=torch.float64)
    mean, std = data.statistics()
    for n, c, y, x in np.ndindex(4, 3, 3, 5):
        expected = (data.images[n, c, y, x].item() / 255 - mean[c].item()) / std[c].item()
        assert batch.x[n, c, y, x].item() == pytest.approx(expected, abs=1e-13)


def test_normalisation_equals_torchvision():
    data, mean, std = some_set(9), (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
    (batch,) = Batches(data, 9, shuffle=False, mean=mean, std=std)
    torch.testing.assert_close(batch.x, TF.normalize(data.images / 255, mean, std), atol=1e-6, rtol=0)


def test_one_number_normalises_all_channels():
    data = some_set(9)
    (batch,) = Batches(data, 9, shuffle=False, mean=0.5, std=torch.tensor([0.25]))
    torch.testing.assert_close(batch.x, (data.images / 255 - 0.5) / 0.25)


def test_by_default_the_pixels_have_mean_zero_and_deviation_one():
    batches = Batches(some_set(200), 64)
    x = torch.cat([batch.x for batch in batches])
    torch.testing.assert_close(x.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_one_split_is_normalised_like_another():
    train, test = Batches(some_set(50), 10), some_set(7)
    (batch,) = Batches(test, 7, shuffle=False, mean=train.mean, std=train.std)
    expected = (test.images / 255 - train.mean.view(-1, 1, 1)) / train.std.view(-1, 1, 1)
    torch.testing.assert_close(batch.x, expected)


def test_a_channel_that_never_changes_becomes_zero():
    images = some_set(6).images.clone()
    images[:, 1] = 77
    (batch,) = Batches(ImageSet(images, torch.zeros(6, dtype=torch.int64)), 6)
    assert batch.x[:, 1].abs().max() < 1e-6
    assert batch.x.isfinite().all()


def test_views_show_the_same_images_differently():
    data = some_set()
    for batch in Batches(data, 5, augment=Augment(noise=0.01), views=3, mean=0, std=1):
        assert len(batch.views) == 3 and batch.x is batch.views[0]
        for view in batch.views:
            assert (view - data.images[batch.index] / 255).abs().max() < 0.06
        assert not torch.equal(batch.views[0], batch.views[1])
        assert not torch.equal(batch.views[1], batch.views[2])


@pytest.mark.parametrize("augment", [Augment(crop=6), EVERYTHING, Augment(crop=4, pad=1, translate=2)])
def test_evaluation_is_the_central_window_in_the_order_of_the_set(augment):
    data = some_set()
    batches = Batches(
        data,
        5,
        augment=augment,
        steps=2,
        replacement=True,
        views=2,
        drop_last=True,
        seed=9,
        mean=0.3,
        std=0.7,
    )
    evaluation = batches.evaluation()
    assert order(evaluation) == list(range(23))
    x = torch.cat([batch.x for batch in evaluation])
    expected = (TF.center_crop(data.images, [augment.crop] * 2) / 255 - 0.3) / 0.7
    torch.testing.assert_close(x, expected)
    assert evaluation.shape == batches.shape == tuple(x.shape[1:])
    assert torch.equal(torch.cat([batch.y for batch in evaluation]), data.labels)
    assert len(evaluation.evaluation()) == len(evaluation)
    assert batches.state_dict() == {"epoch": 0}


def test_training_and_evaluation_normalise_to_the_last_bit_alike():
    data = some_set()
    batches = Batches(data, 23, shuffle=False, mean=[0.1, 0.2, 0.3], std=[0.7, 0.77, 0.777])
    assert same(batches, batches.evaluation())


def test_evaluation_of_a_window_larger_than_the_image_shows_the_mirror_image_around_it():
    data = some_set(4)
    (batch,) = Batches(data, 4, augment=Augment(crop=12, pad=3), mean=0, std=1).evaluation()
    expected = torch.nn.functional.pad(data.images / 255, (2, 2, 2, 2), mode="reflect")
    torch.testing.assert_close(batch.x, expected)


@pytest.mark.parametrize("augment", [None, Augment(flip=True), EVERYTHING])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_need_not_be_square_nor_coloured(augment, channels):
    batches = Batches(some_set(channels=channels, height=7, width=11), 5, augment=augment)
    side = (6, 6) if augment is EVERYTHING else (7, 11)
    assert batches.shape == (channels, *side)
    assert all(batch.x.shape[1:] == batches.shape and batch.x.isfinite().all() for batch in batches)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_another_dtype_is_the_same_batch_rounded(dtype):
    augment = Augment(crop=6, pad=2, flip=True)
    plain, other = (Batches(some_set(), 5, augment=augment, dtype=t) for t in (torch.float32, dtype))
    for a, b in zip(plain, other):
        assert b.x.dtype == dtype
        torch.testing.assert_close(b.x, a.x.to(dtype), atol=1e-6, rtol=0)


def test_channels_last_changes_the_memory_and_not_the_values():
    augment = Augment(crop=6, pad=2, flip=True)
    plain = Batches(some_set(), 5, augment=augment, views=2)
    other = Batches(some_set(), 5, augment=augment, views=2, channels_last=True)
    for a, b in zip(plain, other):
        for v, w in zip(a.views, b.views):
            assert torch.equal(v, w) and w.is_contiguous(memory_format=torch.channels_last)


def test_the_set_is_neither_copied_nor_changed_when_it_need_not_be():
    data = some_set()
    digest = data.digest()
    batches = Batches(data, 5, augment=Augment(crop=6, flip=True, colour=0.5, noise=1))
    order(batches)
    assert data.digest() == digest
    assert batches._padded.data_ptr() == data.images.data_ptr()


@pytest.mark.parametrize("device", DEVICES)
def test_batches_are_on_the_device_that_is_asked_for(device):
    batches = Batches(some_set(), 5, augment=EVERYTHING, views=2, device=device)
    for batch in batches:
        assert {tensor.device.type for tensor in (*batch.views, batch.y, batch.index)} == {device}
    there = Batches(some_set().to(device), 5, augment=EVERYTHING, views=2)
    assert there.device.type == there.evaluation().device.type == device
    batches.load_state_dict({"epoch": 0})
    assert same(batches, there)


def test_anything_with_images_and_labels_will_do():
    data = some_set()
    plain = SimpleNamespace(images=data.images, labels=data.labels)
    assert same(Batches(plain, 5), Batches(data, 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0, possible are whole numbers from 1"),
        ({"batch_size": 2.0}, "batch_size is 2.0"),
        ({"views": 0}, "views is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"seed": -1}, "seed is -1, possible are whole numbers from 0"),
        ({"batch_size": 24, "drop_last": True}, "batch_size is 24 with drop_last, but there are 23 images"),
        ({"shuffle": False, "replacement": True}, "cannot go with shuffle=False"),
        ({"dtype": torch.uint8}, "dtype is torch.uint8, possible are floating types"),
        ({"mean": [0.1, 0.2]}, r"mean must be one number or one for each of 3 channels, given \(2,\)"),
        ({"std": 0.0}, "std is .*possible are numbers above 0"),
    ],
)
def test_impossible_arguments_are_refused_in_one_sentence(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Batches(some_set(), **{"batch_size": 5, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(0, 3, 8, 8, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64), "data has no images"),
        (torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.int64), "images must be uint8"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), "labels must be"),
    ],
)
def test_impossible_data_are_refused_in_one_sentence(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Batches(SimpleNamespace(images=images, labels=labels), 5)
