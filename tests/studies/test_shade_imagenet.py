"""Reading ImageNet: the right labels, the same batches for a seed, and one clear sentence where it lacks."""

import shutil
from functools import partial

import pytest
import torch
from PIL import Image
from torchvision import models

from course_lib.runtime import CourseError
from course_lib.studies.shade.imagenet import (
    MEAN,
    STD,
    Streamed,
    image_folder,
    middle,
    pretrained,
    require_classes,
    spread,
    squeezed,
    ten_crops,
    top_accuracies,
)
from course_lib.training import fit
from tests.studies.drawn_imagenet import COLOURS, WNIDS, draw

SMALL = partial(squeezed, side=8)


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(draw(tmp_path)))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "imagenet"


def test_labels_follow_the_order_of_the_folders(imagenet):
    images = image_folder("train", SMALL)
    assert images.classes == list(WNIDS) and images.targets == [0] * 4 + [1] * 4 + [2] * 4
    pixels, label = images[-1]
    assert pixels.dtype == torch.uint8 and pixels.shape == (3, 8, 8) and label == 2
    assert pixels[:, :, 4:].float().mean((1, 2)).tolist() == pytest.approx(COLOURS[2], abs=8)


def test_kept_classes_are_numbered_anew_and_images_counted(imagenet):
    images = image_folder("val", SMALL, classes=2, per_class=3)
    assert images.targets == [0] * 3 + [1] * 3 and len(images) == 6
    assert {path.split("/")[-2] for path, label in images.samples if label == 1} == {WNIDS[2]}
    assert images.classes == list(WNIDS)  # still all of them, since their order says what an output means
    assert spread(1000, None) == list(range(1000)) and spread(1000, 4) == [0, 333, 666, 999]


def test_windows_are_where_they_should_be():
    """On a slope from left to right, each window tells where it was cut."""
    row = torch.arange(256, dtype=torch.uint8).expand(128, 256)
    image = Image.fromarray(row.numpy()).convert("RGB")  # twice as wide as high
    assert squeezed(image, 16).shape == (3, 16, 16)
    assert squeezed(image, 16).float().mean() == pytest.approx(127.5, abs=1)
    crop = middle(image, 112)  # the shorter side is 128 already
    assert crop.shape == (3, 112, 112) and crop[0, 0, 0] == 72 and crop[0, 0, -1] == 183
    crops = ten_crops(image, 112)
    assert crops.shape == (10, 3, 112, 112)
    assert torch.equal(crops[4], crop) and torch.equal(crops[9], crop.flip(-1))
    assert [int(c[0, 0, 0]) for c in crops[:4]] == [0, 144, 0, 144]


def test_batches_are_normalised_images_in_order(imagenet):
    images = image_folder("val", SMALL)
    batches = list(Streamed(images, 5, training=False))
    assert [len(x) for x, _ in batches] == [5, 5, 2] and len(Streamed(images, 5, training=False)) == 3
    assert torch.cat([y for _, y in batches]).tolist() == images.targets
    x = batches[0][0][0].cpu()
    wanted = (images[0][0] / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert torch.allclose(x, wanted, atol=1e-5)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_pass_depends_on_seed_and_number_alone(imagenet, workers):
    images = image_folder("train", SMALL)

    def two_passes(seed):
        batches = Streamed(images, 12, training=True, seed=seed, workers=workers)
        return [next(iter(batches)) for _ in range(2)]

    state = torch.get_rng_state()
    first, second = two_passes(3)
    torch.rand(1)
    again = two_passes(3)
    torch.set_rng_state(state)
    for (x, y), (x_again, y_again) in zip((first, second), again):
        assert torch.equal(x, x_again) and torch.equal(y, y_again)
    assert not torch.equal(first[1], second[1]) and not torch.equal(first[1], two_passes(4)[0][1])
    continued = Streamed(images, 12, training=True, seed=3, workers=workers)
    continued.load_state_dict({"epoch": 1})
    assert torch.equal(next(iter(continued))[0], second[0])


def test_some_training_images_are_mirrored_each_by_itself(imagenet):
    batches = Streamed(image_folder("train", SMALL), 12, training=True, seed=0)
    x = torch.cat([x for x, _ in batches] + [x for x, _ in batches])
    right_is_lighter = (x[..., 4:].mean((1, 2, 3)) > x[..., :4].mean((1, 2, 3))).float().mean()
    assert 0.2 < right_is_lighter < 0.8


def test_they_go_through_the_one_training_loop(imagenet):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 3))
    images = image_folder("train", SMALL)
    batches = Streamed(images, 4, training=True)
    assert fit(model.to(batches.device), batches, steps=60, lr=0.01, progress=False).steps == 60
    assert top_accuracies(model, images, 5, 0) == {"top-1": 100, "top-5": 100}


def test_what_is_missing_is_said_with_the_layout(imagenet):
    with pytest.raises(CourseError, match="put a folder for each class there, imagenet/test/<wnid>/"):
        image_folder("test", SMALL)
    with pytest.raises(CourseError, match="3 folders of classes, but 4 classes are asked for"):
        image_folder("train", SMALL, classes=4)
    with pytest.raises(CourseError, match="state dict of torchvision's resnet18 into .*resnet18.pth"):
        pretrained("resnet18")


def test_weights_come_from_the_folder_or_from_torch_hubs_cache(imagenet):
    torch.manual_seed(0)
    theirs = models.resnet18(num_classes=3)
    path = imagenet / "resnet18.pth"
    torch.save(theirs.state_dict(), path)
    own = pretrained("resnet18")
    assert torch.equal(own.fc.weight, theirs.fc.weight) and own.fc.out_features == 3
    cache = imagenet.parent / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    path.rename(cache / "resnet18-f37072fd.pth")
    assert torch.equal(pretrained("resnet18").conv1.weight, theirs.conv1.weight)
    require_classes(own, "resnet18", image_folder("val", SMALL))
    shutil.rmtree(imagenet / "val" / WNIDS[1])
    with pytest.raises(CourseError, match="2 folders of classes and resnet18 has 3 outputs"):
        require_classes(own, "resnet18", image_folder("val", SMALL))


@pytest.mark.parametrize("content", [b"nothing", None])
def test_weights_that_do_not_fit_are_refused(imagenet, content):
    path = imagenet / "resnet18.pth"
    if content is None:
        torch.save(models.resnet34(num_classes=3).state_dict(), path)
    else:
        path.write_bytes(content)
    with pytest.raises(CourseError, match="resnet18.pth holds no weights of torchvision's resnet18"):
        pretrained("resnet18")
