"""What Rebuffi 2020, Chapter 8, shows without measuring, and where the course has it."""

from course_lib.studies.drawings import Drawing

DRAWINGS = (
    Drawing(
        "Rebuffi 2020, Chapter 8, Table 1",
        "What each location adds to the gradient of a bias, a scaling and a convolution.",
        "Derived, computed, and asserted to add up to the gradient that autograd gives.",
        "saliency-extract",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, Table 2",
        "Known methods and new ones as an extraction and an aggregation.",
        "Computed: the whole grid of both phases for one scene.",
        "saliency-grid",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, Fig. 1",
        "The virtual identity.",
        "Drawn, and shown by really inserting one.",
        "saliency-identity",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, Fig. 2",
        "Linear approximation and selective NormGrad at five depths, and combined.",
        "The same for scenes, with the masks known.",
        "saliency-combine",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, Fig. 4",
        "Grad-CAM at several depths: it means something at the last maps only.",
        "In the page's player; the pointing game of Fig. 3 says it in numbers.",
        "saliency-player",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, Fig. 5",
        "Maps of three classes, with meta-saliency and without.",
        "The same for a scene; Figs. 6 and 7 have the numbers.",
        "saliency-meta",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, supplement, Fig. 4",
        "Negative, no and positive meta-saliency.",
        "The same for scenes.",
        "saliency-meta",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, supplement, Fig. 7",
        "Gradient, linear approximation, NormGrad and its selective form on a picture of a cat and a dog.",
        "The same for a scene with two objects.",
        "saliency-two-objects",
    ),
    Drawing(
        "Rebuffi 2020, Chapter 8, supplement, §A",
        "The pointing game on COCO, which is announced; no numbers are given.",
        "Declared at full size, so it runs where COCO is.",
    ),
)
