"""What every test starts from: fixed seeds, one thread, and no trace of the user's own settings."""

import os
import uuid

import pytest
import torch

OURS = [name for name in os.environ if name.startswith("COURSE_")]
# What a test run is told from outside.
KEPT = ("COURSE_DATA", "COURSE_BROWSER", "COURSE_REQUIRE_BROWSER", "COURSE_REQUIRE_NBGRADER")


@pytest.fixture(autouse=True)
def clean_start(monkeypatch, tmp_path_factory):
    for name in OURS:
        if name not in KEPT:
            monkeypatch.delenv(name)
    ours = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("COURSE_CACHE", str(ours / "course-cache"))
    # Each test begins without progress, and so do the processes that it starts.
    monkeypatch.setenv("COURSE_PROGRESS", str(ours / "course-progress" / f"{uuid.uuid4().hex}.jsonl"))
    torch.manual_seed(0)


def pytest_configure():
    os.environ["COURSE_PROGRESS"] = "off"  # for what runs before a test's own setting holds
    torch.set_num_threads(1)
