"""Fig. 2.7c: the test images that SHADE gets right and the baseline does not, with 250 labels."""

import dataclasses
import math

import torch
from torch import Tensor

from course_lib import data
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.shade.labels_curve import LabelsCurve, trained_net
from course_lib.studies.shade.shared import splits
from course_lib.training import predict

GROUPS = ("both", "shade", "none", "neither")
FACTORS = ("roughness", "colour", "contrast")


def compare(config: LabelsCurve, seed: int) -> data.ImageSet:
    """The test images with what a net trained without and one trained with SHADE say of each.

    Args:
        config: as for Fig. 2.7a; the first of its numbers of labels counts.
        seed: of the first weights, the labelled images and the batches, which both nets share.

    Returns:
        the test split on the CPU. Its factors are those of the set, and ``none`` and ``shade``, the label
        that each net gives; ``roughness``, ``colour`` and ``contrast`` of the background, see `background`.
    """
    pool, test = splits(config.data, config.size)
    mean, std = pool.statistics()
    batches = data.Batches(test, 1024, mean=mean, std=std)
    said = {
        method: predict(trained_net(pool, config.labels[0], method, config, seed), batches).argmax(1).cpu()
        for method in ("none", "shade")
    }
    test = test.to("cpu")
    factors = {**(test.factors or {}), **said, **background(test.images)}
    return dataclasses.replace(test, factors=factors)


def only_shade(compared: data.ImageSet) -> data.ImageSet:
    """Of the images that ``compare`` returns, those which only the net trained with SHADE gets right."""
    return compared.subset(groups(compared)["shade"])


def groups(compared: data.ImageSet) -> dict[str, Tensor]:
    """Which images both nets get right, only ``shade``, only ``none``, or neither: (N,) booleans by name."""
    plain, shade = (compared.factors[method] == compared.labels for method in ("none", "shade"))
    return {
        "both": plain & shade,
        "shade": shade & ~plain,
        "none": plain & ~shade,
        "neither": ~plain & ~shade,
    }


def background(images: Tensor) -> dict[str, Tensor]:
    """What a background is like, read off the frame around the image, where no digit is.

    Args:
        images: (N, C, H, W) uint8. The frame is an eighth of the side wide.

    Returns:
        (N,) each, in parts of the full range: ``roughness``, the deviation of the frame's pixels in a
        channel, averaged over channels; ``colour``, the deviation between the channels' means; ``contrast``,
        how far a digit that inverts the frame's mean colour stands off from it, averaged over channels.
    """
    height, width = images.shape[2:]
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[height // 8 : height - height // 8, width // 8 : width - width // 8] = True
    frame = images[:, :, ~inside].float() / 255  # (N, C, pixels)
    colour = frame.mean(2)
    return {
        "roughness": frame.std(2, correction=0).mean(1),
        "colour": colour.std(1, correction=0),
        "contrast": (1 - 2 * colour).abs().mean(1),
    }


def measure_only_shade(config: LabelsCurve, seed: int) -> dict[Cell, float]:
    """Share of each group and mean of each factor in it, in %; a factor of an empty group is NaN."""
    compared = compare(config, seed)
    values = {}
    for group, members in groups(compared).items():
        values["share", group] = 100 * members.float().mean().item()
        for name in FACTORS:
            values[name, group] = 100 * compared.factors[name][members].mean().item()
    return values


SETTINGS = {"labels": (250,), "methods": ("none", "shade")}

FIGURE_2_7C = Study(
    id="shade.figure_2_7c",
    title="The images that only SHADE gets right",
    source="Robert 2019, Fig. 2.7c",
    claim="With 250 labels SHADE gets images right whose colour and texture vary strongly.",
    axes=("quantity", "images"),
    unit="share of the test images (%), and means over them (% of the full range)",
    names={
        "share": "share",
        "roughness": "roughness of the background",
        "colour": "colour of the background",
        "contrast": "contrast of the digit with it",
        "both": "right with both",
        "shade": "right only with SHADE",
        "none": "right only with the baseline",
        "neither": "right with neither",
    },
    paper={},
    reading=(
        "The source shows a strip of chosen images and gives no number. "
        "Here the background is read off a frame around the image. "
        "Its roughness is the deviation of its pixels, its colour the deviation between its channels. "
        "The contrast is that of a digit which inverts the frame's mean colour."
    ),
    configs={
        "smoke": LabelsCurve("digits_m", width=8, steps=3, **SETTINGS),
        "cpu": LabelsCurve("digits_m", **SETTINGS),
        "gpu": LabelsCurve("mnist_m", size=32, width=64, steps=10_000, batch_size=128, **SETTINGS),
    },
    protocol={
        "smoke": "Only a few steps are taken, so the numbers mean nothing.",
        "cpu": (
            "Nets, images and steps are those of Fig. 2.7a at this scale, and every test image is counted. "
            "Digits-M draws its backgrounds at one strength of noise, so their roughness differs little. "
            "The contrast is no part of the source's figure."
        ),
        "gpu": (
            "Nets, images and steps are those of Fig. 2.7a at this scale, and every test image is counted. "
            "The contrast is no part of the source's figure."
        ),
    },
    measure=measure_only_shade,
    claims=(
        Claim(
            "More images are right only with SHADE than only with the baseline.",
            lambda at: at["share", "shade"] - at["share", "none"],
            above=0,
        ),
        *(
            Claim(
                f"{what} where only SHADE is right than where both are.",
                lambda at, name=name: at[name, "shade"] - at[name, "both"],
                above=low,
                below=high,
            )
            for name, what, low, high in (
                ("roughness", "The background is rougher", 0, math.inf),
                ("colour", "The background is more colourful", 0, math.inf),
                ("contrast", "The digit has less contrast", -math.inf, 0),
            )
        ),
    ),
)
