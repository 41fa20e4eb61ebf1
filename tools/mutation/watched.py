"""Which tests watch over which file of the library: the file by its module, the tests in ``tests/``."""

SHADE = ("methods/test_shade_formulas.py", "methods/test_shade_limits.py", "methods/test_shade.py")
ATTACHED = ("methods/test_shade.py", "methods/test_shade_state.py", "methods/test_shade_in_training.py")
WATCHED = {
    "methods.shade": SHADE,
    "methods.variance": ("methods/test_variance.py",),
    "methods.layerwise": (*ATTACHED, "methods/test_variance.py", "methods/test_shade_limits.py"),
    "methods.discriminative": ("methods/test_discriminative.py", "methods/test_discriminative_limits.py"),
    "methods.binary_activation": (
        "methods/test_binary_activation.py",
        "methods/test_binary_activation_limits.py",
        "methods/test_binarised.py",
    ),
    "methods.shade_variants": ("methods/test_shade_variants.py", "methods/test_shade_variants_state.py"),
    "methods.jacobian": ("methods/test_jacobian.py",),
    "methods.stability": (
        "methods/test_stability.py",
        "methods/test_stability_loss.py",
        "methods/test_stability_second_pass.py",
    ),
    "nets.weldon": ("nets/test_weldon.py",),
    "methods.hybrid_losses": ("methods/test_hybrid_losses.py", "methods/test_hybrid_losses_limits.py"),
    "methods.branches": ("methods/test_branches.py",),
    "methods.gradient_matrix": ("methods/test_gradient_matrix.py",),
    "methods.hybridnet": ("methods/test_hybridnet.py",),
    "methods.fusion": ("methods/test_fusion.py",),
    "methods.hybrid_training": ("methods/test_hybrid_training.py", "methods/test_hybrid_training_runs.py"),
    "data.two_streams": ("data/test_two_streams.py",),
    "methods.mean_teacher": ("methods/test_mean_teacher.py",),
    "methods.virtual_adversarial": ("methods/test_virtual_adversarial.py",),
    "methods.saliency.contributions": (
        "methods/saliency/test_contributions.py",
        "methods/saliency/test_contributions_limits.py",
    ),
    "methods.saliency.aggregation": (
        "methods/saliency/test_aggregation.py",
        "methods/saliency/test_aggregation_limits.py",
    ),
    "methods.saliency.combination": ("methods/saliency/test_combination.py",),
    "methods.saliency.sensitivity": ("methods/saliency/test_sensitivity.py",),
    "methods.saliency.meta": ("methods/saliency/test_meta.py", "methods/saliency/test_meta_limits.py"),
    "methods.saliency.capture": (
        "methods/saliency/test_capture.py",
        "methods/saliency/test_capture_limits.py",
    ),
    "methods.saliency.modified_relu": (
        "methods/saliency/test_modified_relu.py",
        "methods/saliency/test_modified_relu_forms.py",
    ),
    "methods.saliency.maps": (
        "methods/saliency/test_maps.py",
        "methods/saliency/test_maps_limits.py",
        "methods/saliency/test_normgrad_conv.py",
    ),
    "methods.saliency.layer_weights": ("methods/saliency/test_layer_weights.py",),
    "methods.saliency.randomisation": ("methods/saliency/test_randomisation.py",),
    "methods.saliency.excitation": (
        "methods/saliency/test_excitation.py",
        "methods/saliency/test_contrastive_excitation.py",
        "methods/saliency/test_excitation_state.py",
    ),
    "methods.saliency.excitation_rules": (
        "methods/saliency/test_excitation_rules.py",
        "methods/saliency/test_excitation_rules_branches.py",
        "methods/saliency/test_contrastive_excitation.py",
        "methods/saliency/test_excitation_state.py",
        "methods/saliency/test_excitation.py",
    ),
    "methods.saliency.masking": ("methods/saliency/test_masking.py",),
    "methods.saliency.occlusion": (
        "methods/saliency/test_occlusion.py",
        "methods/saliency/test_mask_defaults.py",
    ),
    "methods.saliency.rise": ("methods/saliency/test_rise.py", "methods/saliency/test_mask_defaults.py"),
    "methods.saliency.meaningful_perturbation": (
        "methods/saliency/test_meaningful_perturbation.py",
        "methods/saliency/test_mask_defaults.py",
    ),
    "methods.saliency.extremal": (
        "methods/saliency/test_extremal.py",
        "methods/saliency/test_mask_defaults.py",
    ),
    "localisation.inputs": ("localisation/test_pointing.py", "localisation/test_boxes.py"),
    "localisation.resizing": ("localisation/test_resizing.py",),
    "localisation.pointing": ("localisation/test_pointing.py", "localisation/test_resizing.py"),
    "localisation.boxes": ("localisation/test_boxes.py",),
}
