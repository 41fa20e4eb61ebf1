"""The methods of the sources, one file each, and their baselines, one file per family.

``shade``              SHADE (Robert 2019, Chapter 2): within-mode variance of the pre-activations
``shade_variants``     what the thesis leaves open in it: other moving means, a hard mode, the logarithm kept
``variance``           its relatives without the mode: VarEntropy, and the class-conditional oracle
``binary_activation``  BinAct (Robert 2019, §A.2.2): a ReLU that says one bit, and what lies above it
``discriminative``     the part of features that a linear layer reads, and how two-peaked a unit is
``jacobian``           the squared Frobenius norm of the Jacobian of the logits
``stability``          predictions that should not change: all pairs (Eq. 2.7), a target (Eq. 3.2), Π-model
``temporal_ensembling``, ``mean_teacher``   targets from past answers, and from an averaged model
``virtual_adversarial``   the perturbation that changes the answer most
``autoencoders``       auto-encoders with a classifier: plain, denoising, with pooling switches (SWWAE)
``ladder``             the Ladder network, on ``ladder_steps``
``hybridnet``          HybridNet (Robert 2019, Chapter 3): two branches whose pictures add up; ``fusion``
``hybrid_losses``, ``hybrid_training``   the terms of its loss, and all of it as the training loop takes it
``branches``           who redraws the image; ``gradient_matrix``: which loss moves which part
``information``        entropies of discrete codes, and what they tell about labels, counted from samples
``layerwise``          what penalties on pre-activations share: hooks, moving averages, sums over layers
``preactivations``     recording what enters a model's ReLUs
``named_layers``       a layer, by module or by dotted name
"""

from course_lib.methods.autoencoders import Autoencoder, AutoencoderLoss
from course_lib.methods.binary_activation import (
    BinaryActivation,
    binarised,
    parameters_above,
    positive_means,
)
from course_lib.methods.branches import BranchReport, branch_report
from course_lib.methods.discriminative import (
    bimodality_coefficient,
    discriminative_component,
    discriminative_split,
    mixture_gain,
)
from course_lib.methods.fusion import Merge
from course_lib.methods.gradient_matrix import gradient_matrix
from course_lib.methods.hybrid_losses import (
    Convention,
    balanced_reconstruction_loss,
    classification_loss,
    intermediate_loss,
    reconstruction_loss,
)
from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.hybridnet import Deployed, HybridNet, HybridOutput
from course_lib.methods.information import alone, conditional_entropy, entropy, in_bins, mutual_information
from course_lib.methods.jacobian import jacobian_penalty
from course_lib.methods.ladder import Ladder, LadderLoss, denoising_costs
from course_lib.methods.ladder_steps import Dense, Mean, layers_like
from course_lib.methods.mean_teacher import MeanTeacher
from course_lib.methods.preactivations import PreActivations, pre_activations
from course_lib.methods.shade import Shade, ShadeUnit, shade_penalty, update_moving_averages
from course_lib.methods.shade_variants import (
    ShadeVariant,
    hard_penalty,
    log_penalty,
    update_hard_averages,
    update_self_normalised,
)
from course_lib.methods.stability import SecondPass, StabilityTarget, all_pairs_stability, stability_loss
from course_lib.methods.temporal_ensembling import TemporalEnsembling
from course_lib.methods.variance import (
    ClassVariance,
    VarEntropy,
    VarEntropyUnit,
    class_variance_penalty,
    update_moving_mean,
    varentropy_penalty,
)
from course_lib.methods.virtual_adversarial import vat_loss

__all__ = [
    "Autoencoder",
    "AutoencoderLoss",
    "BinaryActivation",
    "BranchReport",
    "ClassVariance",
    "Convention",
    "Dense",
    "Deployed",
    "HybridLoss",
    "HybridNet",
    "HybridOutput",
    "Ladder",
    "LadderLoss",
    "Mean",
    "MeanTeacher",
    "Merge",
    "PreActivations",
    "SecondPass",
    "Shade",
    "ShadeUnit",
    "ShadeVariant",
    "StabilityTarget",
    "TemporalEnsembling",
    "VarEntropy",
    "VarEntropyUnit",
    "Weights",
    "all_pairs_stability",
    "alone",
    "balanced_reconstruction_loss",
    "bimodality_coefficient",
    "binarised",
    "branch_report",
    "class_variance_penalty",
    "classification_loss",
    "conditional_entropy",
    "denoising_costs",
    "discriminative_component",
    "discriminative_split",
    "entropy",
    "gradient_matrix",
    "hard_penalty",
    "in_bins",
    "intermediate_loss",
    "jacobian_penalty",
    "layers_like",
    "log_penalty",
    "mixture_gain",
    "mutual_information",
    "parameters_above",
    "positive_means",
    "pre_activations",
    "reconstruction_loss",
    "shade_penalty",
    "stability_loss",
    "update_hard_averages",
    "update_moving_averages",
    "update_moving_mean",
    "update_self_normalised",
    "varentropy_penalty",
    "vat_loss",
]
