"""What the studies of this chapter share: the data in two streams, the net of a line, its training."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_lib import data, runtime
from course_lib.methods.hybrid_losses import COURSE
from course_lib.methods.hybrid_training import HybridLoss
from course_lib.methods.hybridnet import HybridNet
from course_lib.methods.mean_teacher import MeanTeacher
from course_lib.methods.stability import SecondPass
from course_lib.methods.temporal_ensembling import TemporalEnsembling
from course_lib.nets import mirrored
from course_lib.studies.hybridnet.setting import Setting
from course_lib.training import History, accuracy_of
from course_lib.training.distributed import fit

SYMMETRIC = {"mean": 0.5, "std": 0.5}  # pixels in [0, 1] come to lie in [-1, 1]


@dataclass(frozen=True)
class Line:
    """One line of an ablation: which parts the net has, and which terms its loss.

    Attributes:
        branches: ``cls``, ``ae`` or ``hybrid``.
        stab, rec, inter, balanced: which terms are there.
        fusion, up_c, up_u: of the net.
    """

    branches: str = "hybrid"
    stab: bool = False
    rec: bool = False
    inter: bool = False
    balanced: bool = False
    fusion: str = "late_add"
    up_c: str = "nearest"
    up_u: str = "unpool"


@dataclass(frozen=True)
class Images:
    """The data of one seed: labelled and unlabelled training images, and those to test on."""

    labelled: data.ImageSet
    unlabelled: data.ImageSet
    test: data.ImageSet


def images(setting: Setting, labels: int, seed: int) -> Images:
    """The streams of a seed: ``labels`` images show their label, and all others of the set hide theirs.

    A set that comes with images of no known class, such as STL-10, hides these instead.
    """
    known_options = data.describe(setting.data).options  # another set may not have those of the study's own
    options = {name: value for name, value in setting.options if name in known_options}

    def load(split: str) -> data.ImageSet:
        return data.load(setting.data, split, **options).to(runtime.device())

    train, test = load("train"), load("test")
    known = data.balanced_subset(train.labels, labels, seed)
    if "unlabelled" in data.describe(setting.data).sizes:
        hidden = load("unlabelled")
    else:
        rest = torch.ones(len(train), dtype=torch.bool, device=known.device)
        rest[known] = False
        hidden = train.subset(rest.nonzero().flatten())
    if setting.tested is not None:
        test = test.subset(torch.arange(min(setting.tested, len(test)), device=known.device))
    return Images(train.subset(known), hidden, test)


def make_net(setting: Setting, line: Line, streams: Images) -> HybridNet:
    """The net of a line, with fresh weights, on the device."""
    options = dict(setting.net_options)
    family = mirrored.build(
        setting.net,
        num_classes=streams.labelled.num_classes,
        in_channels=streams.labelled.shape[0],
        **options,
    )
    net = HybridNet(family, branches=line.branches, fusion=line.fusion, up_c=line.up_c, up_u=line.up_u)
    return net.to(runtime.device())


def train(setting: Setting, line: Line, streams: Images, seed: int) -> tuple[HybridNet, History]:
    """Train the net of a line; lines share the first weights of E_c and C, the labels and the batches."""
    torch.manual_seed(seed)
    net = make_net(setting, line, streams)
    target = stability_target(setting, net.deployed, streams) if line.stab else None
    loss = HybridLoss(
        setting.weights(rec=line.rec, inter=line.inter, stab=line.stab),
        balanced=line.balanced,
        target=target,
        noise=setting.noise,
        convention=COURSE,
    )
    two_views = line.stab and setting.target != "te"
    return net, minimise(setting, net, loss, two_streams(setting, streams, seed, 1 + two_views))


def minimise(setting: Setting, net: nn.Module, loss: HybridLoss, batches: data.TwoStreams) -> History:
    """Train a net with the optimiser, steps and schedules of the setting."""
    optimizer = setting.make_optimizer(net.parameters())
    slow = setting.slow(optimizer)

    def after_step(model: nn.Module, step) -> None:
        loss.after_step(model, step)
        slow(step.progress)

    return fit(
        net,
        batches,
        loss,
        steps=setting.steps,
        optimizer=optimizer,
        schedule=setting.schedules.rate,
        on_step=after_step,
        channels_last=True,
        progress=False,
        stateful={"target": loss.target} if hasattr(loss.target, "state_dict") else None,
    )


def two_streams(setting: Setting, streams: Images, seed: int, views: int = 1) -> data.TwoStreams:
    """The batches of a run."""
    return data.TwoStreams(
        streams.labelled,
        streams.unlabelled,
        setting.n_labelled,
        setting.n_unlabelled,
        augment=data.Augment(translate=setting.translate, flip=setting.flip),
        views=views,
        seed=seed,
        channels_last=True,
        **pixels(setting, streams),
    )


def stability_target(setting: Setting, student: nn.Module, streams: Images) -> Any:
    """What the predictions are held to.

    Raises:
        ValueError: the setting names none of the possible targets.
    """
    if setting.target == "mt":
        return MeanTeacher(student, setting.decay, noise=setting.noise)
    if setting.target == "te":
        n = len(streams.labelled) + len(streams.unlabelled)
        return TemporalEnsembling(n, streams.labelled.num_classes, setting.decay)
    if setting.target == "pi":
        return SecondPass(student, noise=setting.noise)
    raise ValueError(f"target is {setting.target!r}, possible are mt, te, pi.")


def pixels(setting: Setting, streams: Images) -> dict[str, Any]:
    """The normalisation of the nets' inputs, for `Batches`."""
    if not setting.standardise:
        return SYMMETRIC
    mean, std = streams.unlabelled.statistics()
    return {"mean": mean, "std": std}


def in_order(setting: Setting, streams: Images, chosen: data.ImageSet) -> data.Batches:
    """Images as the nets see them when they are tested: in order, unchanged and without noise."""
    return data.Batches(chosen, 500, shuffle=False, channels_last=True, **pixels(setting, streams))


def test_accuracy(net: HybridNet, setting: Setting, streams: Images) -> float:
    """Accuracy (%) of C∘E_c on the test images."""
    return 100 * accuracy_of(net.deployed, in_order(setting, streams, streams.test))
