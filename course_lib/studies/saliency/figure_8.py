"""Fig. 8 and Fig. 5 of the supplement: what is left of a map when the weights are drawn anew."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.figures_6_and_7 import mean
from course_lib.studies.saliency.randomised import META, Randomised, measure_randomised
from course_lib.studies.saliency.setting import NAMES, NETS, STAGES

PARTS = {
    "head": "last layer",
    "relu5": "dense layer",
    **{
        f"{kind}{n}": f"{said} {n}"
        for kind, said in (("conv", "convolution"), ("norm", "norm"))
        for n in range(1, 5)
    },
}
WITH_META = {tag + META: f"{NAMES[tag]}, meta" for tag in ("sNG", "LA")}
ALL = "conv1"  # once this is drawn anew, nothing of the trained net is left


def left(at: Mapping[Cell, float], method: str, part: str, stage: str = "2") -> float:
    """The correlation with the trained net's map, in the mean over the nets."""
    values = [at[net, method, stage, part] for net in NETS if (net, method, stage, part) in at]
    return mean(values)


FIGURE_8 = Study(
    id="saliency.figure_8",
    title="Drawing the weights anew, from the output backwards",
    source="Rebuffi 2020, Chapter 8, Fig. 8 and supplement, Fig. 5",
    claim="Maps of selective NormGrad and of linear approximation are destroyed when the weights are; with "
    "meta-saliency it takes longer.",
    axes=("net", "method", "stage", "part"),
    unit="rank correlation with the map of the trained net",
    names=NETS | NAMES | WITH_META | STAGES | PARTS,
    paper={},
    reading="The source shows pictures. The class that is explained stays the one that the trained net "
    "says; in the authors' program it is the one of the new net.",
    configs={
        "smoke": scales.smoke(Randomised, asked=4),
        "cpu": Randomised(),
        "gpu": scales.imagenet(Randomised, asked=200, every=5),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY + " The maps of 60 scenes with one object are followed; ε is 0.01.",
        "gpu": scales.IMAGENET_SAYS + " Every fifth part that is drawn anew is looked at.",
    },
    measure=measure_randomised,
    digits=2,
    shown=tuple(
        (net, method, "2", part)
        for net in NETS
        for method in (*Randomised.methods, *WITH_META)
        for part in ("head", "conv4", "conv3", "conv2", "conv1")
    ),
    claims=(
        Claim(
            "Nothing is left of linear approximation in a net of random weights: below 0.2 in size.",
            lambda at: left(at, "LA", ALL),
            above=-0.2,
            below=0.2,
        ),
        Claim(
            "Nothing is left of selective NormGrad in a net of random weights: below 0.2.",
            lambda at: left(at, "sNG", ALL),
            below=0.2,
        ),
        Claim(
            "Nothing is left of NormGrad in a net of random weights: below 0.2.",
            lambda at: left(at, "NG", ALL),
            below=0.2,
        ),
        Claim(
            "More is left of guided backprop than of linear approximation.",
            lambda at: left(at, "Gui", ALL) - left(at, "LA", ALL),
            above=0,
        ),
        *(
            Claim(
                f"With meta-saliency more of {NAMES[tag]} is left when the last layer is drawn anew.",
                lambda at, tag=tag: left(at, tag + META, "head") - left(at, tag, "head"),
                above=0,
            )
            for tag in ("LA", "sNG")
        ),
    ),
)
