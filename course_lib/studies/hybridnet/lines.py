"""The lines of Tables 3.4 and 3.5, and what is measured of each: accuracy, errors, shares, linear probes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib import data
from course_lib.methods.branches import branch_report
from course_lib.methods.hybridnet import HybridNet
from course_lib.studies.hybridnet.pictures import described, reconstructions
from course_lib.studies.hybridnet.setting import Setting
from course_lib.studies.hybridnet.shared import (
    Images,
    Line,
    images,
    in_order,
    make_net,
    test_accuracy,
    train,
)
from course_lib.studies.probes import class_probe, pooled_latents, value_probe
from course_lib.studies.registry import Cell
from course_lib.training import evaluation_mode

LINES = {
    "a": Line("cls"),
    "b": Line("cls", stab=True),
    "c": Line(rec=True),
    "d": Line(rec=True, inter=True),
    "e": Line(rec=True, inter=True, balanced=True),
    "f": Line(stab=True, rec=True),
    "g": Line(stab=True, rec=True, balanced=True),
    "h": Line(stab=True, rec=True, inter=True),
    "i": Line(stab=True, rec=True, inter=True, balanced=True),
    # Table 3.4 has two more; what the source calls an auto-encoder has no second branch.
    "ae": Line("ae", rec=True, inter=True),
    "ae+stab": Line("ae", stab=True, rec=True, inter=True),
    # The course's own controls.
    "unpool in both": Line(stab=True, rec=True, inter=True, balanced=True, up_c="unpool"),
    "unpool in neither": Line(stab=True, rec=True, inter=True, balanced=True, up_u="nearest"),
    "unpool in c": Line(stab=True, rec=True, inter=True, balanced=True, up_c="unpool", up_u="nearest"),
    "early": Line(stab=True, rec=True, fusion="early_add"),
    "ae, unpool": Line("ae", stab=True, rec=True, inter=True, up_c="unpool"),
}
TERMS = {
    "a": "cls",
    "b": "cls, stab",
    "c": "cls, rec",
    "d": "cls, rec, inter",
    "e": "cls, rec, inter, balanced",
    "f": "cls, stab, rec",
    "g": "cls, stab, rec, balanced",
    "h": "cls, stab, rec, inter",
    "i": "all",
}
NAMES = {
    "untrained": "nothing trained",
    **{line: f"{line}: {terms}" for line, terms in TERMS.items()},
    "ae": "auto-encoder",
    "ae+stab": "auto-encoder, stab",
    "early": "early fusion: cls, stab, rec",
    "ae, unpool": "auto-encoder with switches, stab",
}


@dataclass(frozen=True)
class Lines(Setting):
    """Which lines are trained on how many labels.

    Attributes:
        lines: names in ``LINES``.
        labels: numbers of labelled images.
        probed: whether latents are probed for the class and for what lies around the object.
    """

    lines: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    probed: bool = False


def measure_lines(config: Lines, seed: int) -> dict[Cell, float]:
    """What is found of every line, by (quantity, line, labels)."""
    found: dict[Cell, float] = {}
    for n in config.labels:
        streams = images(config, n, seed)
        if config.probed:
            torch.manual_seed(seed)
            untrained = probes(make_net(config, LINES["i"], streams), config, streams)
            found |= {(quantity, "untrained", n): value for quantity, value in untrained.items()}
        for name in config.lines:
            net, _ = train(config, LINES[name], streams, seed)
            found["accuracy", name, n] = test_accuracy(net, config, streams)
            measured = contributions(net, config, streams)
            if config.probed:
                measured |= probes(net, config, streams)
                measured |= drawn(net, config, streams)
            found |= {(quantity, name, n): value for quantity, value in measured.items()}
    return found


@torch.no_grad()
def contributions(net: HybridNet, config: Setting, streams: Images) -> dict[str, float]:
    """Errors per pixel of the branches on test images, and the share of x̂_c (%).

    Errors are in units of the variance of the pixels where these are standardised.
    """
    if net.branches != "hybrid" or net.decoder is not None:
        return {}
    with evaluation_mode(net):
        reports = [
            branch_report(batch.x, out.x_c, out.x_u)
            for batch in in_order(config, streams, streams.test)
            for out in [net(batch.x)]
        ]
    means = {
        name: torch.cat([getattr(report, name) for report in reports]).mean().item()
        for name in ("error_c", "error_u", "error", "share_c")
    }
    return {
        "error of c": means["error_c"],
        "error of u": means["error_u"],
        "error": means["error"],
        "share of c": 100 * means["share_c"],
    }


def drawn(net: HybridNet, config: Setting, streams: Images) -> dict[str, float]:
    """What is in the test images' partial reconstructions (%), where there are two branches."""
    if net.branches != "hybrid" or net.decoder is not None:
        return {}
    values = described(reconstructions(net, in_order(config, streams, streams.test)))
    return {
        f"{quantity} of {part}": value for (quantity, part), value in values.items() if quantity != "error"
    }


def relative_gap(c: float, u: float) -> float:
    """How far apart two partial errors are, over their sum: 0 where the branches are level, at most 1."""
    return (c - u) / (c + u)


def probes(net: HybridNet, config: Setting, streams: Images) -> dict[str, float]:
    """What linear maps read from h_c and h_u of test images: the class, and the colour of the ground.

    The probes learn from all training images and all their labels, which the nets have not had.
    """
    found = {}
    learn = (streams.labelled, streams.unlabelled)
    for branch, encoder in (("h_c", net.encoder_c), ("h_u", net.encoder_u)):
        if encoder is None:
            continue
        h = torch.cat([pooled_latents(encoder, in_order(config, streams, part)) for part in learn])
        h_test = pooled_latents(encoder, in_order(config, streams, streams.test))
        y = torch.cat([part.labels for part in learn])
        found[f"class from {branch}"] = class_probe(h, y, h_test, streams.test.labels)
        if streams.test.masks is not None:
            colours = torch.cat([ground(part) for part in learn])
            found[f"ground from {branch}"] = value_probe(h, colours, h_test, ground(streams.test))
    return found


def ground(images: data.ImageSet) -> Tensor:
    """The mean colour around the object of each image, (N, C), in [0, 1]."""
    around = ~images.masks.bool()  # (N, 1, H, W)
    return (images.images / 255 * around).sum((2, 3)) / around.sum((2, 3))
