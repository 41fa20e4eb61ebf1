"""The tasks of the SHADE chapter (Robert 2019, Chapter 2 and Appendix A), in the order of the exercise."""

from course_lib.grading.tasks.shade import (
    averages,
    binact,
    decomposition,
    discriminative,
    entropy_bound,
    gradient,
    histogram_entropy,
    landscape,
    penalty,
    regularizer,
    small_labels,
    varentropy,
    whitening,
)

TASKS = (
    penalty.TASK,
    averages.TASK,
    decomposition.TASK,
    gradient.TASK,
    landscape.TASK,
    regularizer.TASK,
    varentropy.TASK,
    whitening.TASK,
    entropy_bound.TASK,
    histogram_entropy.TASK,
    discriminative.TASK,
    binact.TASK,
    small_labels.TASK,
)
