"""`course doctor` answers in plain words, whatever it finds."""

import importlib.metadata
import shutil
import socket
from collections import namedtuple

import pytest
import torch

from course_lib import doctor


def refuse(*arguments, **named):
    raise OSError("no route")


def test_this_machine_can_run_the_course(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", refuse)
    findings = doctor.examine()
    assert {f.state for f in findings} <= {"ok", "note"}
    text = doctor.report(findings)
    assert text.endswith("This machine can run the course.")
    assert len(text.splitlines()) == len(findings) + 2


def test_no_network_is_a_note_that_says_what_still_works(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", refuse)
    finding = doctor.network()
    assert finding.state == "note"
    assert "every page work without" in finding.says


def test_an_old_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED_PYTHON", (99, 0))
    finding = doctor.python()
    assert finding.state == "problem" and "install Python 99.0 or newer" in finding.says


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    def version(name):
        if name == "torchvision":
            raise importlib.metadata.PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    finding = doctor.packages()
    assert finding.state == "problem" and "pip install torchvision" in finding.says


def test_a_full_disk_is_a_problem(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10, 10, 0))
    finding = doctor.disk()
    assert finding.state == "problem" and "make room" in finding.says


def test_a_wrong_data_folder_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    finding = doctor.data()
    assert finding.state == "problem" and "which is no folder" in finding.says


def test_a_cache_that_is_not_writable_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert doctor.cache().state == "note"


def test_no_gpu_is_a_note(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.graphics().state == "note"


def test_little_memory_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor, "_memory", lambda: 2**30)
    assert doctor.processor().state == "note"


def test_a_question_that_fails_is_a_problem_and_not_a_traceback(monkeypatch):
    def breaks():
        raise RuntimeError("boom")

    monkeypatch.setattr(doctor, "disk", breaks)
    problems = [f for f in doctor.examine() if f.state == "problem"]
    assert [p.says for p in problems] == ["could not be examined (RuntimeError: boom)."]
    assert "mend first: breaks" in doctor.report(problems)


@pytest.mark.parametrize("missing", ["torch", "torchvision"])
def test_questions_answer_without_torch(monkeypatch, missing):
    real = doctor.importlib.util.find_spec
    monkeypatch.setattr(
        doctor.importlib.util, "find_spec", lambda name: None if name == missing else real(name)
    )
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert {doctor.graphics().state, doctor.network().state} <= {"note", "ok"}
