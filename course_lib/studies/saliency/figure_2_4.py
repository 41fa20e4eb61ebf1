"""Fig. 2.4 and its neighbours: methods that hide parts of the image beside those that go backwards."""

from collections.abc import Mapping

from course_lib.studies.registry import Cell, Claim, Study
from course_lib.studies.saliency import scales
from course_lib.studies.saliency.neighbours import CUSTOMARY, Neighbours, measure_neighbours
from course_lib.studies.saliency.pointing import IMAGES
from course_lib.studies.saliency.setting import NETS

SHOWN = {
    "gradient": "gradient, at the image",
    "deconvnet": "deconvnet, at the image",
    "guided_backprop": "guided backprop, at the image",
    "excitation_backprop": "excitation backprop",
    "contrastive_excitation_backprop": "contrastive excitation backprop",
    "grad_cam": "Grad-CAM",
    "occlusion": "occlusion",
    "rise": "RISE",
    "meaningful_perturbation": "meaningful perturbation",
    "extremal_perturbation": "extremal perturbation",
}
PEERS = {  # (VGG16 all, difficult, ResNet50 all, difficult), PASCAL VOC 2007
    "gradient": (76.3, 56.9, 72.3, 56.8),
    "deconvnet": (67.5, 44.2, 68.6, 44.7),
    "guided_backprop": (75.9, 53.0, 77.2, 59.4),
    "excitation_backprop": (77.1, 56.6, 84.5, 70.8),
    "contrastive_excitation_backprop": (79.9, 66.5, 90.7, 82.1),
    "rise": (86.9, 75.1, 86.4, 78.8),
    "grad_cam": (86.6, 74.0, 90.4, 82.3),
    "extremal_perturbation": (88.0, 76.1, 88.9, 78.7),
}
CHEAP = ("gradient", "guided_backprop", "excitation_backprop", "grad_cam")


def times(at: Mapping[Cell, float], net: str, method: str) -> float:
    """How many times as long a method takes as Grad-CAM."""
    return at[net, "time", method] / at[net, "time", "grad_cam"]


FIGURE_2_4 = Study(
    id="saliency.figure_2_4",
    title="Going backwards, or hiding parts of the image",
    source="Rebuffi 2020, §2.5 and Fig. 2.4",
    claim="Methods that hide parts of the image point as well as the best ones that go backwards, for "
    "hundreds of passes through the net.",
    axes=("net", "images", "method"),
    unit="pointing accuracy (%), mean over classes; milliseconds an image",
    names=NETS | IMAGES | {"time": "time"} | SHOWN,
    paper={
        (net, images, method): value
        for method, values in PEERS.items()
        for (net, images), value in zip(
            [(net, images) for net in ("fc", "gap") for images in ("all", "difficult")], values, strict=True
        )
    },
    reading="The source's figure shows pictures out of another paper, and its experiments use the TorchRay "
    "library: the numbers are those of TorchRay's documentation.",
    configs={
        "smoke": scales.smoke(Neighbours, pairs=4, masks=20, iterations=2),
        "cpu": Neighbours(nets=("gap",), pairs=150, masks=1000, iterations=200),
        "gpu": Neighbours(**scales.VOC),
    },
    protocol={
        "smoke": scales.SMOKE_SAYS,
        "cpu": scales.SCENES_SAY
        + " The first 150 pairs of a scene and a class are asked; RISE has 1000 masks, and "
        "the two methods that optimise a mask take 200 steps.",
        "gpu": scales.VOC_SAYS + " RISE has 4000 masks, and the methods that optimise a mask take 800 steps.",
    },
    measure=measure_neighbours,
    shown=tuple((net, what, method) for net in NETS for what in ("all", "time") for method in CUSTOMARY),
    claims=(
        *(
            Claim(
                f"{SHOWN[method][0].upper() + SHOWN[method][1:]} points better than the "
                f"gradient at "
                "the image.",
                lambda at, method=method: at["gap", "all", method] - at["gap", "all", "gradient"],
                above=0,
            )
            for method in ("rise", "extremal_perturbation", "grad_cam", "contrastive_excitation_backprop")
        ),
        Claim(
            "Deconvnet points worse than the gradient at the image.",
            lambda at: at["gap", "all", "deconvnet"] - at["gap", "all", "gradient"],
            below=0,
        ),
        Claim(
            "Extremal perturbations take more than a hundred times as long as Grad-CAM.",
            lambda at: times(at, "gap", "extremal_perturbation"),
            above=100,
        ),
    ),
)
