"""Every setting of the chapter's studies by scale, and what there is to say of it."""

from course_lib.studies.saliency.setting import Setting

SMALL = {"alone": 2, "several": 2, "learned": 60, "tested": 12}
SMOKE_SAYS = "A few steps on a few scenes: it shows that the study runs, and no more."
SCENES_SAY = (
    "The images are composed scenes of 48×48 pixels: one to three patterned shapes of six classes, among at "
    "most two things without a class. The nets are TinyVGG, with four stages, trained here from nothing for "
    "1000 steps of 32 scenes, the one with dense layers for 3000: first on scenes with one object, then on "
    "those with several. Two of the five nets with dense layers have learned less well by then than the "
    "others, so the intervals of this net are wide."
)
VOC = {"data": "voc2007", "tested": None, "tolerance": 15.0}
VOC_SAYS = (
    "PASCAL VOC 2007, the test images, with torchvision's ResNet50 and VGG16. The source's nets are "
    "converted "
    "from another program; here ImageNet weights are fine-tuned on the training images: the last layer of "
    "ResNet50, the fully connected ones of VGG16, for 10 epochs."
)
IMAGENET_SAYS = "ImageNet's validation images, with torchvision's ResNet50 and VGG16 and their weights."
POINTING_SAYS = {
    "smoke": SMOKE_SAYS,
    "cpu": SCENES_SAY + " A hit may be less than 3 pixels off, about one cell of the coarsest maps.",
    "gpu": VOC_SAYS,
}
PLAIN_SAYS = {
    "smoke": SMOKE_SAYS,
    "cpu": SCENES_SAY + " In this study there is nothing without a class.",
    "gpu": SCENES_SAY + " In this study there is nothing without a class, and four times as long is learned.",
}


def smoke(kind: type[Setting], **changes) -> Setting:
    """A configuration that shows that a study runs."""
    return kind(**(SMALL | changes))


def pointing(kind: type[Setting], **changes) -> dict[str, Setting]:
    """The pointing game at the three scales."""
    return {"smoke": smoke(kind, **changes), "cpu": kind(**changes), "gpu": kind(**(VOC | changes))}


def plain(kind: type[Setting]) -> dict[str, Setting]:
    """The same in a world without clutter."""
    small = {"nets": ("gap",), "clutter": 0}
    large = kind(**small, alone=1200, several=2800, learned=12_000, tested=2400)
    return {"smoke": smoke(kind, **small), "cpu": kind(**small), "gpu": large}


def imagenet(kind: type[Setting], **changes) -> Setting:
    """ImageNet's validation images."""
    return kind(data="imagenet", **changes)
