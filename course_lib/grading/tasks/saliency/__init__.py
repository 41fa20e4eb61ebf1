"""The tasks of the saliency chapter (Rebuffi 2020, Chapter 8), in the order of the exercise."""

from course_lib.grading.tasks.saliency import (
    aggregate,
    combine,
    contributions,
    normgrad,
    virtual_identity,
)

TASKS = (
    contributions.TASK,
    normgrad.TASK,
    aggregate.TASK,
    virtual_identity.TASK,
    combine.TASK,
)
