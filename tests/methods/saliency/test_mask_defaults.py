"""What methods that hide parts of an image take by themselves: numbers of papers and authors' code."""

import inspect

import pytest

from course_lib.methods.saliency.extremal import POINTING_AREAS, extremal_perturbation
from course_lib.methods.saliency.meaningful_perturbation import meaningful_perturbation
from course_lib.methods.saliency.occlusion import occlusion
from course_lib.methods.saliency.rise import random_masks, rise

DEFAULTS = {
    occlusion: {"size": None, "stride": None, "fill": "mean", "score": "probability", "batch_size": 64},
    rise: {
        "n_masks": 1000, "cells": 7, "p": 0.5, "score": "probability", "fill": "zero", "seed": 0,
        "generator": None, "batch_size": 64,
    },
    random_masks: {"cells": 7, "p": 0.5, "generator": None},
    meaningful_perturbation: {
        "l1": 1e-4, "tv": 1e-2, "tv_power": 3.0, "iterations": 300, "lr": 0.1, "cells": 28, "start": 0.5,
        "smooth": 5 / 224, "degradation": "blur", "sigma": 10 / 224, "jitter": 0, "score": "probability",
        "seed": 0, "batch_size": 64,
    },
    extremal_perturbation: {
        "area": 0.1, "variant": "preserve", "iterations": 800, "lr": 0.01, "momentum": 0.9, "weight": 300.0,
        "growth": 1.0035, "cells": 32, "reach": 21 / 224, "sharpness": 20.0, "degradation": "blur",
        "sigma": 20 / 224, "smooth": None, "score": "logit", "batch_size": 64,
    },
}  # fmt: skip


@pytest.mark.parametrize("method", DEFAULTS, ids=lambda method: method.__name__)
def test_the_numbers_of_the_source(method):
    given = {
        name: parameter.default
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name != "dtype"
    }
    assert given == DEFAULTS[method]


def test_the_areas_of_the_pointing_game():
    assert POINTING_AREAS == (0.025, 0.05, 0.1, 0.2)
