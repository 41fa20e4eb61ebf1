"""The large nets, in narrow: fully convolutional without a difference, their layers, and how they learn."""

import copy
import math
from functools import partial

import pytest
import torch
from torch import nn
from torchvision import models

from course_lib.methods.saliency.capture import capture
from course_lib.runtime import CourseError
from course_lib.studies.saliency import fine_tuning, large_nets, photographs
from course_lib.studies.saliency.annotated_sets import annotated
from course_lib.studies.saliency.annotation import Pictures
from course_lib.studies.saliency.setting import Setting
from course_lib.studies.shade.imagenet import Streamed, squeezed
from course_lib.training import fit
from course_lib.training.batches import Pair
from course_lib.training.loop import Step
from tests.studies import drawn_voc
from tests.studies.narrow_nets import narrow

NETS = tuple(large_nets.NAMES)
START = Step(0, 0, 0.0)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(drawn_voc.draw(tmp_path)))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setattr(large_nets, "pretrained", seeded)
    monkeypatch.setattr(fine_tuning, "WORKERS", 0)
    monkeypatch.setitem(fine_tuning.FINE_TUNING, "epochs", 1)
    monkeypatch.setitem(fine_tuning.FINE_TUNING, "batch_size", 4)


def seeded(name: str) -> nn.Module:
    """The same narrow net each time, as from a file."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return narrow(name)


@pytest.mark.parametrize("net", NETS)
def test_at_224_pixels_nothing_changes(net):
    model = narrow(large_nets.NAMES[net])
    x = torch.randn(2, 3, 224, 224)
    wide = large_nets.fully_convolutional(copy.deepcopy(model)).eval()
    with torch.no_grad():
        logits = wide(x)
        assert logits.shape == (2, 3, 1, 1)
        assert torch.allclose(logits[..., 0, 0], model(x), rtol=1e-4, atol=1e-5)
    assert wide(x[:1, :, :, :].repeat(1, 1, 2, 1)[:, :, :288]).shape == (1, 3, 3, 1)


@pytest.mark.parametrize("net", NETS)
def test_each_place_has_the_logits_of_a_window_of_the_last_maps(net):
    model = narrow(large_nets.NAMES[net])
    wide = large_nets.fully_convolutional(copy.deepcopy(model)).eval()
    x = torch.randn(1, 3, 224, 288)
    last = large_nets.STAGES[net]["last"]
    with torch.no_grad():
        logits = wide(x)
        kept = []
        handle = wide.get_submodule(last).register_forward_hook(lambda *given: kept.append(given[2]))
        wide(x)
        handle.remove()
        maps = kept[0] if net == "gap" else nn.functional.max_pool2d(kept[0], 2)
        assert logits.shape[2:] == (1, 3) and maps.shape[2:] == (7, 9)
        for place in range(3):
            window = maps[..., place : place + 7]
            seen = window.mean((2, 3)) if net == "gap" else window.flatten(1)
            dense = model.fc if net == "gap" else model.classifier
            assert torch.allclose(logits[..., 0, place], dense(seen), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("net", NETS)
def test_stages_and_convolutions_are_those_of_torchvision_s_nets(net):
    with torch.device("meta"):
        model = models.get_model(large_nets.NAMES[net])
    for name in filter(None, large_nets.STAGES[net].values()):
        assert isinstance(model.get_submodule(name), nn.ReLU if net == "fc" else nn.Sequential)
    for stage, name in large_nets.CONVOLUTIONS[net].items():
        convolution = model.get_submodule(name)
        assert convolution.kernel_size == ((3, 3) if net == "fc" else (1, 1))
        assert stage in large_nets.STAGES[net]
    if net == "fc":  # each is the last of its width, and is pooled next
        parts = list(model.features)
        for name in filter(None, large_nets.STAGES[net].values()):
            assert isinstance(parts[int(name.split(".")[1]) + 1], nn.MaxPool2d)


@pytest.mark.parametrize("net", NETS)
def test_layers_in_place_are_seen_as_they_were(net):
    """torchvision's ReLUs overwrite what enters them; activations and gradients must not show it."""
    model = large_nets.fully_convolutional(narrow(large_nets.NAMES[net])).eval()
    apart = copy.deepcopy(model)
    for module in apart.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    layers = [*large_nets.STAGES[net].values(), *large_nets.CONVOLUTIONS[net].values()]
    x, y = torch.randn(2, 3, 224, 256), torch.tensor([0, 2])
    found, wanted = capture(model, x, y, layers), capture(apart, x, y, layers)
    assert len(found) == len(layers)
    for name, at in wanted.items():
        assert torch.equal(found[name].x, at.x)
        assert torch.allclose(found[name].g, at.g, rtol=1e-4, atol=1e-8)
        assert at.g.abs().sum() > 0
    for name in large_nets.CONVOLUTIONS[net].values():
        assert (found[name].x < 0).any()  # before the ReLU


@pytest.mark.parametrize("net", NETS)
def test_only_the_dense_layers_learn(data, net, monkeypatch):
    before, dense = seeded(large_nets.NAMES[net]).state_dict(), large_nets.DENSE[net]
    used = []

    def watched(model, *given, **settings):
        used.append(model)
        for module in model.modules():
            assert module.training != isinstance(module, nn.BatchNorm2d)  # dropout is active
        return fit(model, *given, **settings)

    monkeypatch.setattr(fine_tuning, "fit", watched)
    after = fine_tuning.fine_tuned(net, "voc2007", 0)
    for name, value in used[0].state_dict().items():
        if not name.startswith(f"{dense}."):
            assert torch.equal(value, before[name]), name
        elif name == "classifier.0.weight":
            assert not torch.equal(value, before[name])
        assert torch.equal(value, after.state_dict()[name])
    last = after.fc if net == "gap" else after.classifier[6]
    assert last.out_features == 20 and all(p.requires_grad for p in after.parameters())


def test_a_net_is_made_once_for_a_seed(data, monkeypatch):
    first = fine_tuning.fine_tuned("gap", "voc2007", 0)
    other = fine_tuning.fine_tuned("gap", "voc2007", 1)
    assert not torch.equal(first.fc.weight, other.fc.weight)
    monkeypatch.setattr(fine_tuning, "fit", None)  # nobody learns again
    again = fine_tuning.fine_tuned("gap", "voc2007", 0)
    assert torch.equal(first.fc.weight, again.fc.weight)


def test_learning_lowers_the_loss_and_leaves_the_random_state(data):
    state = torch.get_rng_state()
    config = {**fine_tuning.FINE_TUNING, "epochs": 4, "lr": 0.3}
    learned = fine_tuning.dense_state("gap", "voc2007", 0, **config)
    assert torch.equal(torch.get_rng_state(), state)
    model = seeded("resnet50")
    large_nets.give_classes(model, "gap", 20)
    images = annotated("voc2007", "train")
    seen = Pictures(images.paths, images.labels, partial(squeezed, side=224))
    batch = Pair(*next(iter(Streamed(seen, 6, training=False))))
    before = fine_tuning.each_class(model, batch, START).item()
    assert 20 * 0.3 < before < 20 * 1.5  # nothing is known yet of twenty classes
    model.fc.load_state_dict(learned)
    assert fine_tuning.each_class(model, batch, START).item() < 0.7 * before


def test_the_loss_is_the_cross_entropy_of_each_class_that_counts():
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[1, 0, -1, 0], [0, 0, 0, 0], [1, 1, 0, -1]])
    total = 0.0
    for i in range(3):
        for c in range(4):
            p = 1 / (1 + math.exp(-logits[i, c].item()))
            total -= {1: math.log(p), 0: math.log(1 - p), -1: 0.0}[int(y[i, c])]
    loss = fine_tuning.each_class(lambda x: x.float(), Pair(logits, y), START)
    assert loss.item() == pytest.approx(total / 3, rel=1e-5)
    loss.backward()
    assert (logits.grad == 0).equal(y == -1)


@pytest.mark.parametrize("net", NETS)
def test_a_subject_is_ready_to_be_asked(data, net):
    asked = photographs.subject(Setting(data="voc2007"), net, 0)
    assert not any(module.training for module in asked.net.modules())
    assert asked.net(torch.zeros(1, 3, 224, 256)).shape == (1, 20, 1, 2)
    known = photographs.subject(Setting(data="imagenet"), net, 0)
    assert known.net(torch.zeros(1, 3, 224, 224)).shape == (1, 3)
    assert ["input", *asked.convolutions] == list(asked.stages)


def test_other_nets_are_refused():
    with pytest.raises(TypeError, match="model is Linear, possible are VGG and ResNet of torchvision"):
        large_nets.fully_convolutional(nn.Linear(2, 2))


def test_learning_needs_the_photographs(data, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(CourseError, match="The split trainval of VOC 2007 is not in .*nowhere"):
        photographs.subject(Setting(data="voc2007"), "gap", 0)
