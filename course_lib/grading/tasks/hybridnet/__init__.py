"""The tasks of the HybridNet chapter (Robert 2019, Chapter 3), in the order of the exercise."""

from course_lib.grading.tasks.hybridnet import (
    balanced,
    branch_report,
    conv_large,
    hybrid_loss,
    mean_teacher,
    pooling,
    probes,
    project,
    ramps,
    schedules,
    shake_shake,
    temporal_ensemble,
    two_streams,
    unpooling,
    upsample,
)

TASKS = (
    balanced.TASK,
    pooling.TASK,
    unpooling.TASK,
    upsample.TASK,
    conv_large.TASK,
    hybrid_loss.TASK,
    ramps.TASK,
    schedules.TASK,
    temporal_ensemble.TASK,
    mean_teacher.TASK,
    shake_shake.TASK,
    two_streams.TASK,
    branch_report.TASK,
    probes.TASK,
    project.TASK,
)
