"""Table 2.3 on a tiny drawn ImageNet: all four nets are made, and only tuning moves weights."""

import dataclasses
import shutil
from functools import partial

import pytest
import torch
from torchvision import models

from course_lib import studies
from course_lib.nets import weldon_from_resnet
from course_lib.runtime import CourseError
from course_lib.studies import runner
from course_lib.studies.shade import table_2_3
from course_lib.studies.shade.imagenet import Streamed, image_folder, squeezed
from course_lib.studies.shade.table_2_3 import ROWS, make_resnet, tuned
from course_lib.studies.verdicts import quantity
from course_lib.training import predict
from tests.studies.drawn_imagenet import WNIDS, draw

STUDY = studies.get("shade.table_2_3")
TINY = dataclasses.replace(STUDY.configs["smoke"], classes=None, lr=0.05, weight=0.1)


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(draw(tmp_path)))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(0)
    return tmp_path / "imagenet"


def weights(net):
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def test_all_rows_run_at_smoke_scale(imagenet):
    result = studies.run(STUDY, "smoke", 2)
    assert set(result.cells) == {(row, top) for row in ROWS for top in ("top-1", "top-5")}
    for cells in result.values.values():
        assert all(0 <= cells[row, "top-1"] <= cells[row, "top-5"] == 100 for row in ROWS)


def test_each_row_is_tuned_as_its_name_says(imagenet, monkeypatch):
    seen = []
    monkeypatch.setattr(table_2_3, "train", lambda net, batches, method, **how: seen.append((method, how)))
    STUDY.measure(TINY, 0)
    how = {"steps": 2, "lr": 0.05, "momentum": 0.9, "weight": 0.1}
    assert seen == [("none", how), ("shade", how)]


@pytest.mark.parametrize("scale", ["cpu", "gpu"])
def test_the_other_scales_run_with_tiny_numbers(imagenet, scale):
    tiny = {"net": "resnet18", "trained": False, "side": 64, "crop": 32, "steps": 1, "batch_size": 6}
    tiny |= {"train_images": 2, "val_images": 2, "workers": 0, "rows": ("weldon", "shade")}
    config = STUDY.configure(scale, **tiny, **({"classes": 2} if scale == "cpu" else {}))
    assert STUDY.measure(config, 0).keys() == {(r, t) for r in tiny["rows"] for t in ("top-1", "top-5")}


def test_the_scales_are_those_of_the_text():
    cpu, gpu = STUDY.configs["cpu"], STUDY.configs["gpu"]
    assert (cpu.net, cpu.side, cpu.classes, cpu.steps, cpu.batch_size) == ("resnet50", 288, 100, 400, 16)
    assert (gpu.net, gpu.side, gpu.classes, gpu.steps, gpu.weight) == ("resnet101", 448, None, 40_000, 1e-3)


def test_small_maps_give_all_their_places_so_weldon_is_the_resnet(imagenet):
    """At 64 pixels a map has 2x2 places: the 50 highest and the 50 lowest are cut to all four, twice."""
    resnet = make_resnet(TINY)
    weldon = weldon_from_resnet(resnet)
    assert (weldon.pool.highest, weldon.pool.lowest) == (50, 50)
    batches = Streamed(image_folder("val", partial(squeezed, side=64)), 6, training=False)
    x = next(iter(batches))[0].cpu()
    assert weldon.class_maps(x).shape == (6, 3, 2, 2)
    assert torch.allclose(predict(weldon, x), predict(resnet, x), atol=1e-5)
    x = torch.nn.functional.interpolate(x, scale_factor=6)  # 12x12 places, of which 100 count
    assert not torch.allclose(predict(weldon, x), predict(resnet, x), atol=1e-5)


def test_tuning_moves_a_copy_and_shade_moves_it_otherwise(imagenet):
    weldon = weldon_from_resnet(make_resnet(TINY))
    before = weights(weldon)
    plain, shade = (tuned(weldon, method, TINY, seed=0) for method in ("none", "shade"))
    assert torch.equal(weights(weldon), before)
    assert not torch.allclose(weights(plain), before) and not torch.allclose(weights(shade), weights(plain))
    assert (plain.pool.highest, plain.pool.lowest) == (50, 50)
    for parameter, old in zip(shade.parameters(), weldon.parameters(), strict=True):
        assert not torch.equal(parameter, old)  # every layer


def test_without_its_penalty_shade_is_the_control(imagenet):
    """So both see the same batches, mirrored alike."""
    weldon = weldon_from_resnet(make_resnet(TINY))
    free = dataclasses.replace(TINY, weight=0.0)
    plain, shade = (tuned(weldon, method, free, seed=1) for method in ("none", "shade"))
    assert torch.equal(weights(plain), weights(shade))
    assert not torch.equal(weights(plain), weights(tuned(weldon, "none", free, seed=2)))


def test_the_users_weights_are_taken_and_cut_to_the_kept_classes(imagenet):
    net = models.resnet18(num_classes=3)
    torch.save(net.state_dict(), imagenet / "resnet18.pth")
    kept = make_resnet(dataclasses.replace(TINY, trained=True, classes=2))
    assert torch.equal(kept.fc.weight, net.fc.weight[[0, 2]]) and torch.equal(
        kept.fc.bias, net.fc.bias[[0, 2]]
    )
    assert torch.equal(kept.layer4[1].conv2.weight, net.layer4[1].conv2.weight)
    assert not kept.training


def test_folders_that_differ_and_weights_that_lack_are_said(imagenet):
    with pytest.raises(CourseError, match="The weights of resnet18 are not here"):
        make_resnet(dataclasses.replace(TINY, trained=True))
    shutil.rmtree(imagenet / "val" / WNIDS[0])
    with pytest.raises(CourseError, match="have not the same folders of classes"):
        make_resnet(TINY)


def test_the_list_says_that_it_needs_data(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    (line,) = (line for line in studies.listing().splitlines() if line.startswith(STUDY.id))
    assert line.endswith("needs data")
    assert runner.missing_data(STUDY) == ["imagenet/train", "imagenet/val"]
    with pytest.raises(CourseError, match="put imagenet/train and imagenet/val into"):
        studies.run(STUDY, "smoke", 1)


def test_the_papers_own_numbers_hold_its_claims():
    gains = [quantity(claim, STUDY.paper) for claim in STUDY.claims]
    assert gains[:4] == pytest.approx([0.95, 0.76, 1.63, 0.70]) and gains[4:] == [None, None]
    assert all(claim.above == 0 for claim in STUDY.claims)
