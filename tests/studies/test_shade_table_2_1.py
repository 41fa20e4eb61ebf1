"""Table 2.1: layers and parameters are counted by the stated rule."""

import pytest
import torch
from torch import nn
from torchvision import models

from course_lib import studies
from course_lib.runtime import CourseError
from course_lib.studies.shade.table_2_1 import NETS, PAPER, Architectures, OverCrops, depth, deviation, make
from course_lib.studies.verdicts import AGREES, DOES_NOT, NOT_MEASURED, quantity
from tests.studies.drawn_imagenet import draw

STUDY = studies.get("shade.table_2_1")


class Branches(nn.Module):
    """A long branch of two layers beside a short one, a shortcut, and a head of one."""

    def __init__(self):
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 3, 1))
        self.short = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head((self.long(x) + self.short(x) + x).mean((2, 3)))


def test_depth_is_the_longest_way():
    assert depth(Branches()) == 3
    assert depth(nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))) == 2


def test_parameters_are_those_of_the_net_with_numbers_and_no_heads():
    vgg = 64 * 28 + 64 * 577 + 128 * 577 + 128 * 1153 + 256 * 1153 + 2 * 256 * 2305 + 512 * 2305
    vgg += 5 * 512 * 4609 + 4096 * (25088 + 1) + 4096 * 4097 + 1000 * 4097
    assert STUDY.measure(Architectures(nets=("vgg16",)), 0)["vgg16", "parameters"] == vgg / 1e6
    cells = STUDY.measure(Architectures(nets=("googlenet",)), 0)
    net = models.googlenet(weights=None, init_weights=False, aux_logits=True)
    heads = sum(p.numel() for name, p in net.named_parameters() if name.startswith("aux"))
    both = sum(p.numel() for p in net.parameters())
    assert cells["googlenet", "with heads"] == both / 1e6
    assert cells["googlenet", "parameters"] == (both - heads) / 1e6


def test_counting_makes_no_numbers():
    assert {parameter.device.type for parameter in make("resnet152").parameters()} == {"meta"}


def test_every_seed_gives_the_same_and_the_interval_is_a_point():
    result = studies.run(STUDY, "cpu", 2)
    assert result.values[0] == result.values[1]
    assert set(result.cells) == (
        {(net, quantity) for net in NETS for quantity in ("layers", "parameters")}
        | {(net, "with heads") for net in ("googlenet", "inception_v3")}
    )
    assert result.interval("vgg16", "layers")[:3] == (16, 16, 16)
    verdicts = result.verdicts()
    assert [verdict.state for verdict in verdicts] == [
        AGREES, AGREES, AGREES, DOES_NOT, *[AGREES] * 4, NOT_MEASURED,
    ]  # fmt: skip
    assert verdicts[0].mean == 0  # all seven have the source's layers


def test_the_papers_own_numbers_hold_its_claims():
    for claim in STUDY.claims:
        assert claim.above < quantity(claim, STUDY.paper) < claim.below
    assert PAPER["inception_v3", "error"] == 5.6 and PAPER["resnet152", "layers"] == 152
    assert deviation({("alexnet", "parameters"): 65.1}, "alexnet") == pytest.approx(5)


def test_probabilities_are_averaged_over_the_crops():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    x = torch.randn(2, 10, 3, 2, 2)
    wanted = [sum(net(crop[None]).softmax(1)[0] for crop in image) / 10 for image in x]
    assert torch.allclose(OverCrops(net)(x), torch.stack(wanted), atol=1e-6)


def test_the_error_is_measured_where_images_and_weights_are(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(draw(tmp_path, each=2)))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    config = STUDY.configure("gpu", nets=("resnet50",), side=32, workers=0)
    with pytest.raises(CourseError, match="The weights of resnet50 are not here"):
        STUDY.measure(config, 0)
    net = models.resnet50(num_classes=3)
    torch.save(net.state_dict(), tmp_path / "imagenet" / "resnet50.pth")
    assert STUDY.measure(config, 0)["resnet50", "error"] == 0  # the five best of three are all of them


def test_without_images_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    with pytest.raises(CourseError, match="imagenet/val/<wnid>"):
        STUDY.measure(STUDY.configure("gpu", nets=("resnet50",)), 0)
