"""An empty data folder, and sets that are allowed to be small."""

import dataclasses
from pathlib import Path

import pytest

from course_lib.data import registry
from tests.data.small_files import N


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty data folder."""
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(path))
    return path


@pytest.fixture
def shrink(monkeypatch):
    """``shrink(name, **sizes)``: let a set be small; its recorded digests are put away."""

    def change(name, **sizes):
        source = registry._SETS[name]
        info = dataclasses.replace(source.info, sizes=sizes or N, digests={}, download=0.001)
        source = dataclasses.replace(source, info=info)
        monkeypatch.setitem(registry._SETS, name, source)
        return source

    return change
