"""The methods of the sources, one file each, and their baselines, one file per family.

``shade``           SHADE (Robert 2019, Chapter 2): within-mode variance of the pre-activations
``variance``        its relatives without the mode: VarEntropy, and the class-conditional oracle
``layerwise``       what penalties on pre-activations share: hooks, moving averages, sums over layers
``preactivations``  recording what enters a model's ReLUs
``named_layers``    a layer, by module or by dotted name
"""

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
    "ClassVariance",
    "PreActivations",
    "Shade",
    "ShadeUnit",
    "VarEntropy",
    "VarEntropyUnit",
    "class_variance_penalty",
    "pre_activations",
    "shade_penalty",
    "update_moving_averages",
    "update_moving_mean",
    "varentropy_penalty",
]
