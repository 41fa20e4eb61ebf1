"""Saliency: which part of an image a net used (Rebuffi 2020, Chapter 8).

``maps``            every method by one call, ``saliency(model, x, y, method=…, layer=…)``
``capture``         activations and gradients at layers, from one forward and one backward pass
``contributions``   phase 1, extract: what each location adds to a weight's gradient; virtual identities
``aggregation``     phase 2, aggregate: NormGrad, linear approximation, gradient, Grad-CAM, CAM
``combination``     maps of several stages as one; ``layer_weights``: how much each stage counts
``modified_relu``   deconvnet and guided backprop
``excitation``      excitation backprop, also contrastive; its ``excitation_rules``
``occlusion``, ``rise``, ``meaningful_perturbation``, ``extremal``   hiding parts of the image; ``masking``
``meta``            one training step first, then the map
``sensitivity``     do the maps of two classes differ? ``randomisation``: do those of another net?
"""

from course_lib.methods.saliency.aggregation import (
    aggregate,
    cam,
    grad_cam,
    gradient_map,
    gradient_sum,
    linear_approximation,
    normgrad,
    selective_normgrad,
)
from course_lib.methods.saliency.capture import Captured, capture, class_score
from course_lib.methods.saliency.combination import combine, min_max
from course_lib.methods.saliency.contributions import Identity, inserted_identity, spatial_contributions
from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from course_lib.methods.saliency.extremal import extremal_perturbation
from course_lib.methods.saliency.layer_weights import (
    accuracy_weights,
    linear_weights,
    spread_weights,
    uniform_weights,
)
from course_lib.methods.saliency.maps import METHODS, compare, saliency, smooth
from course_lib.methods.saliency.meaningful_perturbation import meaningful_perturbation
from course_lib.methods.saliency.meta import meta_saliency, meta_step
from course_lib.methods.saliency.modified_relu import backward_rule
from course_lib.methods.saliency.occlusion import occlusion
from course_lib.methods.saliency.randomisation import cascade
from course_lib.methods.saliency.rise import rise
from course_lib.methods.saliency.sensitivity import Sensitivity, class_sensitivity, extreme_classes

__all__ = [
    "METHODS",
    "Captured",
    "Identity",
    "Sensitivity",
    "accuracy_weights",
    "aggregate",
    "backward_rule",
    "cam",
    "capture",
    "cascade",
    "class_score",
    "class_sensitivity",
    "combine",
    "compare",
    "contrastive_excitation_backprop",
    "excitation_backprop",
    "extremal_perturbation",
    "extreme_classes",
    "grad_cam",
    "gradient_map",
    "gradient_sum",
    "inserted_identity",
    "linear_approximation",
    "linear_weights",
    "meaningful_perturbation",
    "meta_saliency",
    "meta_step",
    "min_max",
    "normgrad",
    "occlusion",
    "rise",
    "saliency",
    "selective_normgrad",
    "smooth",
    "spatial_contributions",
    "spread_weights",
    "uniform_weights",
]
