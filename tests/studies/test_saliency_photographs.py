"""The world of photographs: where each class is, what nets see, and one sentence where something lacks."""

import dataclasses
import shutil
import sys

import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as F

from course_lib.runtime import CourseError
from course_lib.studies.saliency import annotated_sets, fine_tuning, large_nets, photographs, voc
from course_lib.studies.saliency.annotation import evenly
from course_lib.studies.saliency.pointing import Pointing, measure_pointing
from course_lib.studies.saliency.setting import Setting
from course_lib.studies.shade.imagenet import MEAN, STD
from tests.studies import drawn_coco, drawn_imagenet, drawn_voc
from tests.studies.narrow_nets import narrow

VOC, COCO = Setting(data="voc2007", tested=None), Setting(data="coco2014", tested=None)
CAT, CHAIR, DOG, PERSON = (voc.CLASSES.index(name) for name in ("cat", "chair", "dog", "person"))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    return drawn_imagenet.draw(drawn_coco.draw(drawn_voc.draw(root)))


@pytest.fixture
def data(drawn, tmp_path, monkeypatch):
    """The drawn sets, with a stand-in for pycocotools where it is not installed, and a cache of one's own."""
    monkeypatch.setenv("COURSE_DATA", str(drawn))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setattr(photographs, "IMAGENET_CLASSES", 3)
    try:
        import pycocotools.coco  # noqa: F401
    except ImportError:
        for name, module in drawn_coco.pycocotools().items():
            monkeypatch.setitem(sys.modules, name, module)
    return drawn


@pytest.fixture
def narrow_nets(monkeypatch):
    monkeypatch.setattr(large_nets, "pretrained", narrow)
    monkeypatch.setattr(fine_tuning, "WORKERS", 0)
    monkeypatch.setitem(fine_tuning.FINE_TUNING, "epochs", 1)


def test_a_box_becomes_the_pixels_inside_its_ends(data):
    images = annotated_sets.annotated("voc2007", "test")
    masks = images.regions(0, (drawn_voc.HEIGHT, drawn_voc.WIDTH))
    assert masks.shape == (20, 75, 100) and masks.dtype == torch.bool
    wanted = torch.zeros_like(masks)
    wanted[DOG, 5:70, 10:90] = True
    wanted[CAT, 1:4, 2:7] = True
    wanted[CAT, 70:75, 94:100] = True  # hard to see, but a cat all the same
    assert torch.equal(masks, wanted)


def test_a_class_that_is_only_hard_to_see_is_left_open(data):
    train = annotated_sets.annotated("voc2007", "train")
    wanted = torch.zeros(6, 20, dtype=torch.int64)
    for i, label in ((0, DOG), (1, DOG), (2, CAT), (3, CAT), (4, CAT), (4, PERSON), (5, DOG)):
        wanted[i, label] = 1
    wanted[5, CHAIR] = -1
    assert torch.equal(train.labels, wanted)
    assert train.showing_one().tolist() == [0, 1, 2, 3]


def test_numbers_of_classes_are_voc_s_own():
    assert len(voc.CLASSES) == annotated_sets.CLASSES["voc2007"] == 20
    assert sorted(voc.CLASSES) == list(voc.CLASSES)
    assert {"diningtable", "pottedplant", "tvmonitor"} < set(voc.CLASSES)


def test_corners_may_be_fractions_and_marks_may_lack(tmp_path):
    box = "<xmin>45.7</xmin><ymin>2</ymin><xmax>90</xmax><ymax>60.2</ymax>"
    path = tmp_path / "some.xml"
    path.write_text(f"<annotation><object><name>sofa</name><bndbox>{box}</bndbox></object></annotation>")
    assert voc.things_in(str(path)) == [(voc.CLASSES.index("sofa"), (1, 45, 60, 90), False)]


def test_pairs_are_the_classes_of_an_image_at_a_time(data):
    found = list(photographs.pairs(VOC))
    # The third photograph has nothing but a chair that is hard to see.
    assert [each.y.tolist() for each in found] == [[CAT, DOG], [PERSON], [CAT], [DOG, PERSON], [DOG]]
    for each in found:
        assert each.x.shape == (len(each.y), 3, 224, 298)  # 100x75 pixels
        assert each.masks.shape == (len(each.y), 75, 100) and each.masks.flatten(1).any(1).all()
        assert torch.equal(each.x[0], each.x[-1])
    assert found[0].masks.flatten(1).sum(1).tolist() == [15 + 30, 65 * 80]
    # Small, and something else is there: a chair that is hard to see counts as something else.
    assert [each.hard.tolist() for each in found] == [[True, False], [True], [False], [True, False], [False]]
    assert len(list(photographs.pairs(Setting(data="voc2007", tested=3)))) == 2


def test_nets_see_normalised_pixels_in_proportion(data):
    first = next(photographs.pairs(VOC))
    picture = Image.open(data / "VOCdevkit" / "VOC2007" / "JPEGImages" / "000007.jpg")
    pixels = F.pil_to_tensor(F.resize(picture, 224)).double() / 255
    wanted = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    assert (first.x[0].double() - wanted).abs().max() < 1.5 / 255 / min(STD)  # Pillow rounds otherwise
    dog = first.x[1, :, 60:150, 110:230].mean((1, 2)).double()
    colour = torch.tensor(drawn_voc.COLOURS["dog"]) / 255
    assert torch.allclose(dog, (colour - torch.tensor(MEAN)).double() / torch.tensor(STD), atol=0.05)


def test_outlines_become_masks_by_the_order_of_the_ids(data, capsys):
    images = annotated_sets.annotated("coco2014", "test")
    assert capsys.readouterr().out == ""
    assert [path.name for path in images.paths] == ["4.jpg", "6.jpg", "9.jpg"]
    assert images.labels.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]  # ids 3, 7, 50
    masks = images.regions(2, (90, 60))
    wanted = torch.zeros(3, 90, 60, dtype=torch.bool)
    wanted[0, 20:60, 10:40] = wanted[0, 80:90, 50:60] = wanted[2, 0:8, 0:6] = True
    assert torch.equal(masks, wanted)
    found = list(photographs.pairs(COCO))
    assert [each.y.tolist() for each in found] == [[1], [0, 2]]
    assert [each.x.shape for each in found] == [(1, 3, 336, 224), (2, 3, 336, 224)]
    assert [each.hard.tolist() for each in found] == [[False], [True, True]]


def test_a_class_without_a_pixel_is_no_pair(data):
    images = annotated_sets.annotated("voc2007", "test")

    def without_dogs(i, size):
        masks = images.regions(i, size)
        masks[DOG] = False
        return masks

    found = photographs._pairs_of(dataclasses.replace(images, regions=without_dogs), None)
    assert [each.y.tolist() for each in found] == [[CAT], [PERSON], [CAT], [PERSON]]


def test_labelled_photographs_have_one_class_and_come_evenly(data):
    x, y = photographs.labelled(VOC, "train", 3)
    assert x.shape == (3, 3, 224, 224) and y.tolist() == [CAT, DOG, CAT]
    assert len(photographs.labelled(VOC, "train", 9)[1]) == 4
    assert photographs.labelled(VOC, "test", 9)[1].tolist() == [CAT, DOG]
    x, y = photographs.labelled(COCO, "test", 2)
    assert y.tolist() == [1]


def test_labelled_images_of_imagenet_are_one_of_each_class_first(data):
    config = Setting(data="imagenet")
    x, y = photographs.labelled(config, "test", 5)
    assert x.shape == (5, 3, 224, 224) and y.tolist() == [0, 1, 2, 0, 1]
    shown = x.mean((2, 3)) * torch.tensor(STD) + torch.tensor(MEAN)
    for image, label in zip(shown, y):
        assert (255 * image).tolist() == pytest.approx([c - 15 for c in drawn_imagenet.COLOURS[label]], abs=8)
    assert photographs.labelled(config, "train", 2)[1].tolist() == [0, 1]


def test_images_are_chosen_evenly_over_classes():
    labels = torch.tensor([2, 0, 0, 0, 5, 2, 0])
    assert evenly(labels, 3).tolist() == [1, 0, 4]
    assert evenly(labels, 5).tolist() == [1, 0, 4, 2, 5]
    assert evenly(labels, 99).tolist() == [1, 0, 4, 2, 5, 3, 6]
    assert labels[evenly(labels, 1)].tolist() == [0]
    thousand = torch.arange(1000).repeat(2)
    assert evenly(thousand, 4).tolist() == [0, 250, 500, 750]
    assert thousand[evenly(thousand, 1500)][1000:].unique().numel() == 500


def test_the_pointing_game_runs_on_photographs(data, narrow_nets):
    config = Pointing(
        data="voc2007", nets=("gap",), methods=("GC", "NG", "CEB"), weighed_on=4, tested=2, tolerance=15
    )
    found = measure_pointing(config, 0)
    assert found["gap", "all", "centre", "centre"] == pytest.approx(100 * 2 / 3)
    stages = {where for _, _, method, where in found if method == "NG"}
    assert {"input", "1", "2", "3", "last", "accuracy sum", "uniform product"} <= stages
    assert {images for _, images, _, _ in found} == {"all", "difficult"}
    assert all(0 <= value <= 100 for value in found.values())


@pytest.mark.parametrize(
    "damage, what",
    [
        ("VOCdevkit", "The split test of VOC 2007 is not in .* unpack VOCtrainval_06-Nov-2007.tar and"),
        ("VOCdevkit/VOC2007/ImageSets/Main/test.txt", "The split test of VOC 2007"),
        ("VOCdevkit/VOC2007/Annotations/000009.xml", "The split test of VOC 2007"),
        ("VOCdevkit/VOC2007/JPEGImages/000008.jpg", "000008.jpg is missing or damaged"),
    ],
)
def test_what_lacks_of_voc_is_said_in_one_sentence(data, tmp_path, monkeypatch, damage, what):
    shutil.copytree(data / "VOCdevkit", tmp_path / "VOCdevkit")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    lost = tmp_path / damage
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    with pytest.raises(CourseError, match=what) as told:
        list(photographs.pairs(VOC))
    assert "\n" not in str(told.value)


def test_an_annotation_of_another_kind_is_refused(data, tmp_path, monkeypatch):
    shutil.copytree(data / "VOCdevkit", tmp_path / "VOCdevkit")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    path = tmp_path / "VOCdevkit" / "VOC2007" / "Annotations" / "000007.xml"
    for text in ("<annotation>", "<annotation><object><name>dragon</name></object></annotation>"):
        path.write_text(text)
        with pytest.raises(CourseError, match="not in .* or not all of it"):
            photographs.pairs(VOC)


def test_what_lacks_of_coco_is_said_in_one_sentence(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(CourseError, match="pycocotools, which is not installed: type `pip install pyco"):
        photographs.pairs(COCO)
    monkeypatch.undo()
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(CourseError, match="put its folder val2014 and annotations/instances_val2014.json"):
        photographs.pairs(COCO)


def test_what_lacks_of_imagenet_is_said_in_one_sentence(data, tmp_path, monkeypatch):
    config = Setting(data="imagenet")
    with pytest.raises(ValueError, match="where each class is in an image is known of voc2007 and coco2014"):
        photographs.pairs(config)
    with pytest.raises(CourseError, match=r"The weights of resnet50 are not here: put a state dict"):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        photographs.subject(config, "gap", 0)
    monkeypatch.setattr(photographs, "IMAGENET_CLASSES", 1000)
    with pytest.raises(CourseError, match="has 3 folders of classes where 1000 belong"):
        photographs.labelled(config, "test", 2)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(CourseError, match="imagenet/val/<wnid>"):
        photographs.labelled(config, "test", 2)


def test_impossible_settings_are_refused(data, narrow_nets):
    with pytest.raises(ValueError, match="net is 'alexnet', possible are gap, fc"):
        photographs.subject(VOC, "alexnet", 0)
    with pytest.raises(ValueError, match="data is 'voc', possible are voc2007, coco2014"):
        photographs.subject(Setting(data="voc"), "gap", 0)
    with pytest.raises(ValueError, match="split is 'val', possible are train and test"):
        photographs.labelled(VOC, "val", 2)
    with pytest.raises(ValueError, match="split is 'val', possible are train and test"):
        photographs.labelled(Setting(data="imagenet"), "val", 2)
