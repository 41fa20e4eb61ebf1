"""Training: one loop for every method of the course, and the small things that it is made of."""

from course_lib.training import schedules
from course_lib.training.averages import Average
from course_lib.training.history import History
from course_lib.training.loop import Step, cross_entropy, fit
from course_lib.training.modes import evaluation_mode, training_mode
from course_lib.training.prediction import accuracy_of, predict
from course_lib.training.randomness import undisturbed
from course_lib.training.schedules import (
    constant,
    cosine,
    exponential,
    linear_ramp,
    milestones,
    sigmoid_ramp,
    sigmoid_ramp_down,
)

__all__ = [
    "Average",
    "History",
    "Step",
    "accuracy_of",
    "constant",
    "cosine",
    "cross_entropy",
    "evaluation_mode",
    "exponential",
    "fit",
    "linear_ramp",
    "milestones",
    "predict",
    "schedules",
    "sigmoid_ramp",
    "sigmoid_ramp_down",
    "training_mode",
    "undisturbed",
]
