"""The methods of the sources, one file each, and their baselines, one file per family.

``shade``              SHADE (Robert 2019, Chapter 2): within-mode variance of the pre-activations
``shade_variants``     what the thesis leaves open in it: other moving means, a hard mode, the logarithm kept
``variance``           its relatives without the mode: VarEntropy, and the class-conditional oracle
``binary_activation``  BinAct (Robert 2019, §A.2.2): a ReLU that says one bit, and what lies above it
``discriminative``     the part of features that a linear layer reads, and how two-peaked a unit is
``jacobian``           the squared Frobenius norm of the Jacobian of the logits
``stability``          all pairs of several noisy passes over one image (Robert 2019, Eq. 2.7)
``information``        entropies of discrete codes, and what they tell about labels, counted from samples
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
from course_lib.methods.information import alone, conditional_entropy, entropy, in_bins, mutual_information
from course_lib.methods.jacobian import jacobian_penalty
from course_lib.methods.preactivations import PreActivations, pre_activations
from course_lib.methods.shade import Shade, ShadeUnit, shade_penalty, update_moving_averages
from course_lib.methods.shade_variants import (
    ShadeVariant,
    hard_penalty,
    log_penalty,
    update_hard_averages,
    update_self_normalised,
)
from course_lib.methods.stability import all_pairs_stability
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
    "ShadeVariant",
    "VarEntropy",
    "VarEntropyUnit",
    "all_pairs_stability",
    "alone",
    "bimodality_coefficient",
    "binarised",
    "class_variance_penalty",
    "conditional_entropy",
    "discriminative_component",
    "discriminative_split",
    "entropy",
    "hard_penalty",
    "in_bins",
    "jacobian_penalty",
    "log_penalty",
    "mixture_gain",
    "mutual_information",
    "parameters_above",
    "positive_means",
    "pre_activations",
    "shade_penalty",
    "update_hard_averages",
    "update_moving_averages",
    "update_moving_mean",
    "update_self_normalised",
    "varentropy_penalty",
]
