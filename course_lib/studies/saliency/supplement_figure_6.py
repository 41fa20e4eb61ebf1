"""Fig. 6 of the supplement: maps of captions, at several stages and combined."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.captioner import Captions
from course_lib.studies.saliency.captions import CAPTION, COMBINED, NOUNS, measure_captions
from course_lib.studies.saliency.setting import NAMES, STAGES

METHODS = Captions.methods
WORDS = {CAPTION: "whole caption", "first": "first noun", "second": "second noun"}
WHAT = {
    "exact": "captions that are right",
    "named": "captions that name both objects",
    "points": "points at what is meant",
    "other": "points at the other object",
    "inside": "part of the map on what is meant",
}
OTHERS = {
    "net": "captioner",
    "centre": "centre of the image",
    "flat": "flat map",
    COMBINED: "stages 2 and 3 and the last maps, combined",
}


def over_stages(at: Mapping[Cell, float], what: str, words: str, method: str) -> float:
    """How far the combination is ahead of the best of the stages that it combines, in points."""
    single = [at[what, words, method, stage] for stage in Captions.combined]
    return at[what, words, method, COMBINED] - max(single)


def own_over_other(at: Mapping[Cell, float], noun: str, method: str) -> float:
    """How much more often a noun's combined map points at its own object than at the other, in points."""
    return at["points", noun, method, COMBINED] - at["other", noun, method, COMBINED]


SUPPLEMENT_FIGURE_6 = Study(
    id="saliency.supplement_figure_6",
    title="Maps of a caption, and of the nouns in it",
    source="Rebuffi 2020, Chapter 8, supplement, Fig. 6, and Fig. 1.5",
    claim="Maps of a caption at single stages cover much of the image; the product of three stages with "
    "linear weights is sharper and keeps to what matters.",
    axes=("what", "words", "method", "stage"),
    unit="captions, hits, or parts of a map (%)",
    names=STAGES | NAMES | WORDS | WHAT | OTHERS,
    paper={},
    reading="The source shows pictures, of selective NormGrad for whole captions; linear approximation and "
    "the maps of single nouns are added here. What is below 0 in a map counts as 0 before maps are combined. "
    "The source's layers are the first blocks of the last two stages of ResNet101 and what its average "
    "reads; here they are stages 2, 3 and the last maps, of which stage 2 is finer than any of the source's.",
    configs={
        "smoke": scales.smoke(Captions, drawn=30, steps=200, captions=8),
        "cpu": Captions(),
        "gpu": Captions(drawn=60_000, units=256, steps=12_000, tested=3000),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY + " About 3000 scenes with two objects have a caption by rule, such as "
        "“a striped square left of a ring”. A GRU of 128 units learns them for 1500 steps of 64, from the "
        "last maps of the net that ends in an average, in 6×6 cells; the net itself stays as it is. The "
        "source has ResNet101, an LSTM, and photographs.",
        "gpu": scales.SCENES_SAY + " About 20 000 scenes with two objects have a caption by rule, and a GRU "
        "of 256 units learns them for 12 000 steps. The source's photographs with their captions, and its "
        "captioner, are out of reach.",
    },
    measure=measure_captions,
    claims=(
        *(
            Claim(
                f"The combination points better than each of its stages: whole caption, {NAMES[method]}.",
                lambda at, method=method: over_stages(at, "points", CAPTION, method),
                above=0,
            )
            for method in METHODS
        ),
        *(
            Claim(
                "More of the combination is on the objects than of each of its stages: whole caption, "
                f"{NAMES[method]}.",
                lambda at, method=method: over_stages(at, "inside", CAPTION, method),
                above=0,
            )
            for method in METHODS
        ),
        *(
            Claim(
                f"A noun's map points at its own object rather than at the other: {WORDS[noun]}, "
                f"{NAMES[method]}.",
                lambda at, noun=noun, method=method: own_over_other(at, noun, method),
                above=0,
            )
            for noun in NOUNS
            for method in METHODS
        ),
        *(
            Claim(
                f"The combination points better than each of its stages: {WORDS[noun]}, {NAMES[method]}.",
                lambda at, noun=noun, method=method: over_stages(at, "points", noun, method),
                above=0,
            )
            for noun in NOUNS
            for method in METHODS
        ),
    ),
)
