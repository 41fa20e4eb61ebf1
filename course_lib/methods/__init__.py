"""The methods of the sources, one file each, and their baselines, one file per family.

``shade``              SHADE (Robert 2019, Chapter 2): within-mode variance of the pre-activations
``variance``           its relatives without the mode: VarEntropy, and the class-conditional oracle
``binary_activation``  BinAct (Robert 2019, §A.2.2): a ReLU that says one bit, and what lies above it
``discriminative``     the part of features that a linear layer reads, and how two-peaked a unit is
``layerwise``          what penalties on pre-activations share: hooks, moving averages, sums over layers
``preactivations``     recording what enters a model's ReLUs
``named_layers``       a layer, by module or by dotted name
"""

from course_lib.methods.binary_activation import (
    BinaryActivation,
    binarised,
    parameters_above,
    positive_means,
)
from course_lib.methods.discriminative import (
    bimodality_coefficient,
    discriminative_component,
    discriminative_split,
    mixture_gain,
)
from course_lib.methods.preactivations import PreActivations, pre_activations
from course_lib.methods.shade import Shade, ShadeUnit, shade_penalty, update_moving_averages
from course_lib.methods.variance import (
    ClassVariance,
    VarEntropy,
    VarEntropyUnit,
    class_variance_penalty,
    update_moving_mean,
    varentropy_penalty,
)

__all__ = [
    "BinaryActivation",
    "ClassVariance",
    "PreActivations",
    "Shade",
    "ShadeUnit",
    "VarEntropy",
    "VarEntropyUnit",
    "bimodality_coefficient",
    "binarised",
    "class_variance_penalty",
    "discriminative_component",
    "discriminative_split",
    "mixture_gain",
    "parameters_above",
    "positive_means",
    "pre_activations",
    "shade_penalty",
    "update_moving_averages",
    "update_moving_mean",
    "varentropy_penalty",
]
