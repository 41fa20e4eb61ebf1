"""Fig. 3.8: what SHADE does to the partial reconstructions, and whether it is too strong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.first_version import FirstVersion, Row, train_row
from course_lib.studies.hybridnet.pictures import described
from course_lib.studies.hybridnet.shared import images, in_order, test_accuracy
from course_lib.studies.hybridnet.table_3_2 import FIRST, FIRST_LARGE
from course_lib.studies.probes import class_probe, pooled_latents
from course_lib.studies.registry import Cell, Claim, Study
from course_lib.training import evaluation_mode


@dataclass(frozen=True)
class Strengths(FirstVersion):
    """Which weights of SHADE.

    Attributes:
        labels: labelled images.
        weights: of SHADE; 0 is the net without it.
    """

    labels: int = 100
    weights: tuple[float, ...] = (0.0, 0.01, 0.1, 1.0)


@torch.no_grad()
def measure_strengths(config: Strengths, seed: int) -> dict[Cell, float]:
    """By (quantity, part, weight): what is in D(h_c), D(h_u) and D(h_c + h_u), accuracy, and probes of h."""
    streams = images(config, config.labels, seed)
    learn, test = (in_order(config, streams, part) for part in (streams.unlabelled, streams.test))
    found: dict[Cell, float] = {}
    for weight in config.weights:
        with torch.enable_grad():
            net = train_row(
                replace(config, shade_weight=weight), Row("hybrid", shade=weight > 0), streams, seed
            )
        drawn: dict[str, list[torch.Tensor]] = {"image": [], "c": [], "u": [], "x": []}
        with evaluation_mode(net):
            for batch in test:
                pictures = (batch.x, *net.partial_reconstructions(batch.x), net(batch.x).x_hat)
                for name, picture in zip(drawn, pictures):
                    drawn[name].append(picture.float())
        values = described({name: torch.cat(pictures) for name, pictures in drawn.items()})
        found |= {(*cell, weight): value for cell, value in values.items() if cell[1] != "image"}
        found["accuracy", "c", weight] = test_accuracy(net, config, streams)
        for part, encoder in (("c", net.encoder_c), ("u", net.encoder_u)):
            h, h_test = pooled_latents(encoder, learn), pooled_latents(encoder, test)
            found["class probe", part, weight] = class_probe(
                h, streams.unlabelled.labels, h_test, streams.test.labels
            )
    return found


def change(at: Mapping[Cell, float], quantity: str, part: str, weight: float = 0.1) -> float:
    """What SHADE of this weight adds to a quantity."""
    return at[quantity, part, weight] - at[quantity, part, 0.0]


FIGURE_3_8 = Study(
    id="hybridnet.figure_3_8",
    title="What SHADE leaves for each branch to draw",
    source="Robert 2019, Fig. 3.8 and the discussion after it",
    claim="With SHADE, h_u carries colour and texture and h_c barely the shape; SHADE is too strong.",
    axes=("quantity", "part", "weight"),
    unit="error per pixel; contrast in % of the image's; colour, fine detail, accuracy and probe in %",
    names={"c": "D(h_c)", "u": "D(h_u)", "x": "D(h_c + h_u)"},
    paper={},
    reading="The source shows four images with SHADE and without, and gives no number.",
    configs={
        "smoke": scales.of(Strengths, FIRST, steps=2, tested=100, weights=(0.0, 0.1, 1.0)),
        "cpu": scales.of(Strengths, FIRST),
        "gpu": scales.of(Strengths, FIRST_LARGE, options=(("size", 32),), labels=1000),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": (
            "The images are Digits-M with 100 labels instead of MNIST-M; net, steps and batches are those of "
            "Table 3.2 here. The source does not give the weight of SHADE."
        ),
        "gpu": "MNIST-M is composed here, at 32×32. Net, steps and batches are those of Table 3.2 here.",
    },
    measure=measure_strengths,
    claims=(
        Claim(
            "SHADE (0.1) flattens what h_c draws alone.",
            lambda at: change(at, "contrast", "c"),
            below=0,
        ),
        Claim(
            "With SHADE (0.1), what h_u draws alone is nearer to the image than without.",
            lambda at: change(at, "error", "u"),
            below=0,
        ),
        Claim(
            "With SHADE (0.1), the whole reconstruction is better.",
            lambda at: change(at, "error", "x"),
            below=0,
        ),
        Claim(
            "SHADE (0.1) takes colour out of what h_c draws.",
            lambda at: change(at, "colour", "c"),
            below=0,
        ),
        Claim(
            "Ten times stronger, h_c draws less than a tenth of the image's contrast.",
            lambda at: at["contrast", "c", 1.0],
            below=10,
        ),
        Claim(
            "Ten times stronger, the classifier is worse than with 0.1.",
            lambda at: at["accuracy", "c", 1.0] - at["accuracy", "c", 0.1],
            below=0,
        ),
    ),
)
