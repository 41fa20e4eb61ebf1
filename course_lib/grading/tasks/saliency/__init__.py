"""The tasks of the saliency chapter (Rebuffi 2020, Chapter 8), in the order of the exercise."""

from course_lib.grading.tasks.saliency import (
    aggregate,
    cascade,
    class_sensitivity,
    combine,
    contributions,
    difficult,
    excitation,
    localisation,
    maps,
    meta_saliency,
    meta_step,
    modified_relu,
    normgrad,
    pointing_game,
    spearman,
    virtual_identity,
)

TASKS = (
    contributions.TASK,
    normgrad.TASK,
    aggregate.TASK,
    virtual_identity.TASK,
    maps.TASK,
    modified_relu.TASK,
    excitation.TASK,
    combine.TASK,
    spearman.TASK,
    class_sensitivity.TASK,
    pointing_game.TASK,
    difficult.TASK,
    localisation.TASK,
    meta_step.TASK,
    meta_saliency.TASK,
    cascade.TASK,
)
