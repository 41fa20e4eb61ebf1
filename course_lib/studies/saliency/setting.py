"""What the studies of this chapter look at: which nets, how they learn, on which images they are asked."""

from dataclasses import dataclass

NETS = {"gap": "ends in an average (ResNet50)", "fc": "ends in dense layers (VGG16)"}
RATES = {"gap": 3e-3, "fc": 1e-3}  # of learning; with 3e-3 the dense layers learn nothing
LONGER = {"gap": 1, "fc": 3}  # how many times as many steps: dense layers learn more slowly
STAGES = {
    "input": "image", "1": "stage 1", "2": "stage 2", "3": "stage 3", "4": "stage 4", "last": "last maps",
}  # fmt: skip

# The methods of Table 3 by the tags of the source, in its order.
METHODS = {
    "CEB": "contrastive_excitation_backprop",
    "EB": "excitation_backprop",
    "GC": "grad_cam",
    "Gd": "gradient",
    "Gds": "gradient_sum",
    "Gui": "guided_backprop",
    "LA": "linear_approximation",
    "NG": "normgrad",
    "sNG": "selective_normgrad",
}
NAMES = {
    "CEB": "contrastive excitation backprop",
    "EB": "excitation backprop",
    "GC": "Grad-CAM",
    "Gd": "gradient",
    "Gds": "gradient, summed",
    "Gui": "guided backprop",
    "LA": "linear approximation",
    "NG": "NormGrad",
    "sNG": "selective NormGrad",
}


@dataclass(frozen=True)
class Setting:
    """Nets and images of a study.

    Attributes:
        data: ``scenes``, or a set of photographs of the user's: ``voc2007``, ``coco2014``, ``imagenet``.
        nets: which nets, out of ``NETS``.
        clutter: at most so many things without a class in a scene.
        alone: steps on scenes with one object, which is what ImageNet is to the source; times ``LONGER``.
        several: steps on scenes with one to three objects, its VOC; times ``LONGER``.
        batch_size, weight_decay: of AdamW, whose rates are in ``RATES``; they fall to a fifth for the last
            30 % of each part.
        learned: training scenes of each kind.
        tested: test images that saliency methods are asked about; None is all.
        tolerance: how far from an object a map may point, exclusively, in pixels.
    """

    data: str = "scenes"
    nets: tuple[str, ...] = ("gap", "fc")
    clutter: int = 2
    alone: int = 300
    several: int = 700
    batch_size: int = 32
    weight_decay: float = 1e-3
    learned: int = 3000
    tested: int | None = 600
    tolerance: float = 3.0
