"""Table 3.4 again, with its own images and net, for one number of labels and a fraction of the steps."""

from course_lib.studies.hybridnet import scales
from course_lib.studies.hybridnet.lines import NAMES, Lines, measure_lines
from course_lib.studies.hybridnet.table_3_4 import CLAIMS, PAPER, PAPER_LABELS, ROWS, TITLES
from course_lib.studies.registry import Study

LABELS = 2000
STEPS = 3000
UNLABELLED = 50_000 - LABELS
PASSES = STEPS * scales.CIFAR.n_unlabelled / UNLABELLED
SOURCE_PASSES = scales.CIFAR.steps * scales.CIFAR.n_unlabelled / UNLABELLED

# Chosen before anything was measured. A temporal ensemble with 0.6 remembers 1 / (1 - 0.6) = 2.5 passes: a
# fortieth of the source's run, but a large part of this one, and it has no target in the first pass.
TEACHER = {"target": "mt", "decay": 0.97}

PHOTOGRAPHS_SAY = (
    "The images, net, batches, augmentation and weights are those of Tables 3.3 and B.2, "
    f"with {LABELS} labels. "
    f"Training takes {STEPS} steps instead of 60 000, one in {scales.CIFAR.steps // STEPS}; "
    "the schedules are shortened with it. "
    f"So a net sees each image without a label {PASSES:.1f} times instead of {SOURCE_PASSES:.0f} times, "
    "and nothing here tells where longer training would end. "
    "The stability target is a Mean Teacher with 0.97, the value of the source's code for another net, "
    "and not Temporal Ensembling, "
    "whose memory of two or three passes would be a large part of so short a run. "
    "λ of stability is still 100, which the source chose for Temporal Ensembling. "
    "Squared norms are means, as its weights require; convolutions are computed in bfloat16."
)
FEW_SAY = (
    "The net has an eighth of ConvLarge's maps and takes 200 steps, tested on the first 2000 test images; "
    "the stability target is a Mean Teacher with 0.97. All else is that of Tables 3.3 and B.2."
)

TABLE_3_4_PHOTOGRAPHS = Study(
    id="hybridnet.table_3_4_photographs",
    title="Table 3.4 on CIFAR-10, in a fraction of the steps",
    source="Robert 2019, Table 3.4",
    claim="The full HybridNet is ahead of each of its parts; here after a short training.",
    axes=("quantity", "row", "labels"),
    unit="test accuracy (%), errors per pixel, share of x̂_c (%)",
    names=NAMES | TITLES,
    paper={("accuracy", row, LABELS): PAPER[row][PAPER_LABELS.index(LABELS)] for row in ROWS},
    reading="The source gives neither a spread nor the number of runs.",
    configs={
        "smoke": scales.of(Lines, scales.DIGITS, steps=2, lines=ROWS, labels=(20,), tested=50),
        "cpu": scales.of(
            Lines,
            scales.CIFAR,
            **TEACHER,
            net_options=(("width", 0.125),),
            steps=200,
            lines=ROWS,
            labels=(LABELS,),
            tested=2000,
        ),
        "gpu": scales.of(Lines, scales.CIFAR, **TEACHER, steps=STEPS, lines=ROWS, labels=(LABELS,)),
    },
    protocol={"smoke": scales.SMOKE_SAYS, "cpu": FEW_SAY, "gpu": PHOTOGRAPHS_SAY},
    measure=measure_lines,
    shown=tuple(("accuracy", row, LABELS) for row in ROWS),
    claims=CLAIMS,
)
