"""Scale, device and seeds come from the argument, then the environment, then the default."""

import random

import numpy as np
import pytest
import torch

from course_lib import runtime
from course_lib.runtime import CourseError


def test_scale_argument_wins_over_the_environment(monkeypatch):
    assert runtime.scale() == "cpu"
    monkeypatch.setenv("COURSE_SCALE", "smoke")
    assert runtime.scale() == "smoke"
    assert runtime.scale("gpu") == "gpu"


def test_an_unknown_scale_is_one_sentence(monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "huge")
    with pytest.raises(ValueError, match=r"^scale is 'huge', possible are smoke, cpu, gpu\.$"):
        runtime.scale()


def test_device_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert runtime.device() == torch.device("cpu")


def test_a_missing_gpu_is_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runtime.device() == torch.device("cpu")
    with pytest.raises(
        CourseError, match="'cuda' was asked for, but torch sees no CUDA device here; use 'cpu'"
    ):
        runtime.device("cuda")


def test_one_seed_fixes_all_three_generators():
    def draws():
        return random.random(), np.random.rand(), torch.rand(1).item()

    runtime.seed_everything(7)
    first = draws()
    assert draws() != first
    runtime.seed_everything(7)
    assert draws() == first


def test_in_book_only_where_the_builder_says_so(monkeypatch):
    assert not runtime.in_book()
    monkeypatch.setenv("COURSE_BOOK", "1")
    assert runtime.in_book()
