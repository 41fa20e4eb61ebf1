"""Measuring: stopped runs continue, files stay whole, and what changed is measured anew."""

import dataclasses
import json
import random

import numpy
import pytest
import torch

from course_lib import files, studies
from course_lib.runtime import CourseError
from course_lib.studies import runner
from tests.studies.toys import Settings, make_study, measure

NAME = "toys.table_1.cpu.toys.json"


@pytest.fixture
def counted():
    """A study that notes which seeds it measures, and one that stops at a seed as Ctrl-C would."""
    measured, stop_at = [], set()

    def noting(config, seed):
        if seed in stop_at:
            raise KeyboardInterrupt
        measured.append(seed)
        return measure(config, seed)

    return make_study(measure=noting), measured, stop_at


def test_without_save_nothing_is_written(study, tmp_path, monkeypatch):
    monkeypatch.setattr(runner.result_files, "results_folder", lambda: tmp_path / "results")
    assert studies.run(study, "cpu", 2).seeds == [0, 1]
    assert list(tmp_path.iterdir()) == []
    studies.run(study, "cpu", 2, save=True)
    assert [path.name for path in (tmp_path / "results").iterdir()] == [NAME]


def test_what_is_changed_is_not_recorded_as_if_it_were_declared(study, tmp_path):
    with pytest.raises(ValueError, match="gain changed: results/ holds declared settings"):
        studies.run(study, "cpu", 1, save=True, gain=3.0)
    assert studies.run(study, "cpu", 1, save=tmp_path, gain=3.0).config["gain"] == 3.0


def test_a_stopped_run_continues_where_it_was(counted, tmp_path):
    study, measured, stop_at = counted
    stop_at.add(2)
    with pytest.raises(KeyboardInterrupt):
        studies.run(study, "cpu", 5, save=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME + ".partial"]
    stop_at.clear()
    result = studies.run(study, "cpu", 5, save=tmp_path)
    assert measured == [0, 1, 2, 3, 4]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert result.values == studies.run(study, "cpu", 5).values == studies.recorded(study, tmp_path)[0].values


def test_a_run_that_fails_at_once_leaves_no_file(counted, tmp_path):
    study, _, stop_at = counted
    stop_at.add(0)
    with pytest.raises(KeyboardInterrupt):
        studies.run(study, "cpu", 2, save=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_seeds_are_added_and_fewer_take_none_away(counted, tmp_path):
    study, measured, _ = counted
    studies.run(study, "cpu", 2, save=tmp_path)
    studies.run(study, "cpu", 4, save=tmp_path)
    assert studies.run(study, "cpu", 3, save=tmp_path).seeds == [0, 1, 2, 3]
    assert measured == [0, 1, 2, 3]


@pytest.mark.parametrize("changed", ["config", "code", "torch"])
def test_what_was_made_otherwise_is_measured_anew(counted, tmp_path, monkeypatch, changed):
    study, measured, stop_at = counted
    before = studies.run(study, "cpu", 2, save=tmp_path)
    if changed == "config":
        configs = {"smoke": Settings(), "cpu": Settings(gain=7.0)}
        study = dataclasses.replace(study, configs=configs)
    elif changed == "code":
        monkeypatch.setattr(runner, "code_digest", lambda function, **named: "other")
    else:
        monkeypatch.setattr(torch, "__version__", "2.99")
    stop_at.add(1)
    with pytest.raises(KeyboardInterrupt):
        studies.run(study, "cpu", 2, save=tmp_path)
    assert studies.recorded(study, tmp_path)[0] == dataclasses.replace(before, study=study)
    stop_at.clear()
    after = studies.run(study, "cpu", 2, save=tmp_path)
    assert measured == [0, 1, 0, 1]
    assert not after.same_making(before)
    assert studies.recorded(study, tmp_path) == [after]


def test_a_partial_file_of_other_code_does_not_replace_a_complete_result(counted, tmp_path):
    study, _, _ = counted
    result = studies.run(study, "cpu", 2, save=tmp_path)
    partial = tmp_path / (NAME + ".partial")
    partial.write_text((tmp_path / NAME).read_text().replace(result.code, "0" * 16))
    assert studies.run(study, "cpu", 2, save=tmp_path) == result
    assert studies.recorded(study, tmp_path) == [result] and not partial.exists()


def test_a_run_killed_before_its_last_rename_is_complete_without_measuring(counted, tmp_path):
    study, measured, _ = counted
    result = studies.run(study, "cpu", 2, save=tmp_path)
    (tmp_path / NAME).rename(tmp_path / (NAME + ".partial"))
    assert studies.run(study, "cpu", 2, save=tmp_path) == result
    assert measured == [0, 1] and [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_broken_file_is_measured_anew(counted, tmp_path):
    study, measured, _ = counted
    studies.run(study, "cpu", 1, save=tmp_path)
    (tmp_path / NAME).write_text((tmp_path / NAME).read_text()[:-40])
    (tmp_path / (NAME + ".partial")).write_text("{")
    studies.run(study, "cpu", 1, save=tmp_path)
    assert measured == [0, 0]
    assert json.loads((tmp_path / NAME).read_text())["seeds"] == [0]


def test_a_write_that_fails_leaves_the_old_result(counted, tmp_path, monkeypatch):
    study, _, _ = counted
    studies.run(study, "cpu", 1, save=tmp_path)
    before = (tmp_path / NAME).read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(CourseError, match="disk is full"):
        studies.run(study, "cpu", 2, save=tmp_path)
    assert (tmp_path / NAME).read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_folder_that_cannot_be_written_to_is_noticed_before_measuring(counted, tmp_path):
    study, measured, _ = counted
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CourseError, match="a file stands where a folder is needed"):
        studies.run(study, "cpu", 1, save=tmp_path / "file" / "results")
    assert measured == []


def test_measuring_leaves_the_callers_random_state_alone_and_depends_on_the_seed_only(study):
    def drawing(config, seed):
        return {("plain", 50): random.random() + numpy.random.rand() + torch.rand(()).item()}

    drawn = make_study(measure=drawing)
    torch.manual_seed(3), random.seed(3), numpy.random.seed(3)
    expected = torch.rand(1), random.random(), numpy.random.rand()
    torch.manual_seed(3), random.seed(3), numpy.random.seed(3)
    first = studies.run(drawn, "cpu", [4, 7])
    assert (torch.rand(1), random.random(), numpy.random.rand()) == expected
    assert studies.run(drawn, "cpu", [7, 4]).values == first.values
    assert first.values[4] != first.values[7]


@pytest.mark.parametrize("gives", [{}, {"plain": 1.0}, {("plain",): 1.0}])
def test_a_measurement_with_wrong_cells_is_refused(gives):
    with pytest.raises(ValueError, match="each with the coordinates method, labels"):
        studies.run(make_study(measure=lambda config, seed: gives), "cpu", 1)


def test_seeds_that_give_different_cells_are_refused():
    with pytest.raises(ValueError, match="every seed must give the same cells"):
        studies.run(make_study(measure=lambda config, seed: {("plain", seed): 1.0}), "cpu", 2)


@pytest.mark.parametrize("seeds", [0, -1, []])
def test_no_seed_is_no_measurement(study, seeds):
    with pytest.raises(ValueError, match="at least one seed"):
        studies.run(study, "cpu", seeds)


def test_the_scale_of_the_environment_is_used(study, monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "smoke")
    result = studies.run(study)
    assert (result.scale, result.seeds, result.cells) == ("smoke", [0, 1], [("plain", 50), ("method", 50)])


def test_the_bar_is_quiet_in_the_book(study, monkeypatch, capfd):
    studies.run(study, "cpu", 2)
    assert "toys.table_1" in capfd.readouterr().err
    monkeypatch.setenv("COURSE_BOOK", "1")
    studies.run(study, "cpu", 2)
    assert capfd.readouterr() == ("", "")
