"""A file is whole or not there."""

import errno
import os
from pathlib import Path

import pytest

from course_lib import files
from course_lib.runtime import CourseError


def test_writes_text_bytes_and_functions(tmp_path):
    assert files.write_atomically(tmp_path / "new" / "a.txt", "é").read_bytes() == "é".encode()
    assert files.write_atomically(tmp_path / "b", b"12").read_bytes() == b"12"
    files.write_atomically(tmp_path / "c", lambda file: file.write(b"34"))
    assert (tmp_path / "c").read_bytes() == b"34"


def test_a_failure_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    target = files.write_atomically(tmp_path / "a", "old")

    def half(file):
        file.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(target, half)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not be written to")],
)
def test_a_disk_that_refuses_is_one_sentence(tmp_path, code, reason):
    def refuse(file):
        raise OSError(code, os.strerror(code))

    with pytest.raises(CourseError, match=reason) as raised:
        files.write_atomically(tmp_path / "a", refuse)
    assert str(tmp_path / "a") in str(raised.value)
    assert os.listdir(tmp_path) == []


def test_a_file_in_the_place_of_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(CourseError, match="Could not write"):
        files.write_atomically(tmp_path / "a" / "b", "x")


def test_the_cache_folder_follows_its_variable(monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", "~/elsewhere")
    assert files.cache_folder() == Path.home() / "elsewhere"
    monkeypatch.delenv("COURSE_CACHE")
    assert files.cache_folder().name == "learned-representations"


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "a").write_text("abc")
    assert files.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
