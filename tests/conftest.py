"""What every test starts from: fixed seeds, one thread, and no trace of the user's own settings."""

import os

import pytest
import torch

OURS = [name for name in os.environ if name.startswith("COURSE_")]
KEPT = ("COURSE_DATA", "COURSE_BROWSER", "COURSE_REQUIRE_BROWSER")  # what a test run is told from outside


@pytest.fixture(autouse=True)
def clean_start(monkeypatch, tmp_path_factory):
    for name in OURS:
        if name not in KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path_factory.getbasetemp() / "course-cache"))
    torch.manual_seed(0)


def pytest_configure():
    torch.set_num_threads(1)
