"""The settings of the chapter's studies at each scale, and how each differs from the source."""

from typing import Any

from course_lib.studies.hybridnet.setting import CONV_LARGE, CONV_STL, Setting

PLAIN = (("strength", 0.0),)  # digits on black, moved about by the augmentation
WEAK_GROUND = (("strength", 0.4),)  # so weak that a hundred labels are enough to begin with

DIGITS = Setting("digits_m", PLAIN, steps=600, translate=2)
DIGITS_ON_GROUND = Setting("digits_m", WEAK_GROUND, steps=600, stab=10.0)

CIFAR = Setting(
    "cifar10",
    net="conv_large",
    steps=60_000,
    n_labelled=20,
    n_unlabelled=80,
    schedules=CONV_LARGE,
    standardise=False,
    translate=2,
    flip=True,
    inter=1.0,
    stab=100.0,
    target="te",
    decay=0.6,
)
STL = Setting(
    "stl10",
    net="conv_stl",
    steps=150_000,
    n_labelled=2,
    n_unlabelled=30,
    lr=1e-3,
    schedules=CONV_STL,
    standardise=False,
    translate=12,
    flip=True,
    inter=1.0,
    stab=300.0,
    target="te",
    decay=0.6,
)

SMOKE_SAYS = "Only a few steps are taken, so the numbers mean nothing."
DIGITS_SAY = (
    "The images are scikit-learn's handwritten digits at 16×16, white on black, moved by up to two pixels, "
    "instead of CIFAR-10. The net has ConvLarge's plan with one convolution a stage and 16 and 32 maps. "
    "It takes 600 steps of 16 labelled and 48 unlabelled images along the schedules of Table B.2. "
    "λ of stability is 20 and that of the intermediate terms ½, chosen by the hidden labels of "
    "training images of another seed; the stability target is a Mean Teacher instead of Temporal Ensembling. "
    "Squared norms are means, and intermediate targets are constants."
)
GROUND_SAYS = (
    "The images are digits on a weak coloured ground (Digits-M at strength 0.4) instead of STL-10, "
    "with 100 labels and 600 steps. The net and all else are those of the other column, "
    "but λ of stability is 10."
)
CIFAR_SAYS = (
    "The net, steps, batches, schedules and weights are those of Tables 3.3 and B.2. "
    "The source does not give the weight of past predictions in Temporal Ensembling, here 0.6, "
    "nor the number of runs. Squared norms are means, as its weights require."
)
STL_SAYS = (
    "The net, steps, batches, schedules and weights are those of Tables B.3 and B.4, on 1000 of the 5000 "
    "labelled images, drawn by the seed, instead of one of the ten folds; Temporal Ensembling with 0.6."
)


def of(kind: type, setting: Setting, **more: Any) -> Any:
    """A study's configuration: the fields of a setting, some of them changed, and the study's own."""
    return kind(**(vars(setting) | more))
