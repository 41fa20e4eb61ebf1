"""A result's statistics, its tables, and its file."""

import json
import math

import numpy as np
import pytest

from course_lib import studies
from course_lib.metrics import mean_interval, paired_interval
from course_lib.runtime import CourseError
from course_lib.studies import result_files
from tests.studies.toys import make_study


@pytest.fixture
def result(study):
    return studies.run(study, "cpu", 3)


def test_samples_intervals_and_pairs(result):
    assert result.samples("plain", 100).tolist() == [30, 31, 32]
    assert result.interval("plain", 100) == mean_interval([30, 31, 32])
    paired = result.paired(("method", 50), ("plain", 50))
    assert paired == pytest.approx(paired_interval([25, 26.1, 27.2], [20, 21, 22]))
    assert (
        paired.high - paired.low < 1 < result.interval("method", 50).high - result.interval("method", 50).low
    )


def test_a_series_is_a_curve_over_seeds(result):
    labels, values = result.series("labels", method="method")
    assert labels == [50, 100]
    assert values == pytest.approx(np.array([[25, 35], [26.1, 36.1], [27.2, 37.2]]))
    assert result.series("method", labels=50)[0] == ["plain", "method"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda result: result.samples("plain", 7), r"has not measured \('plain', 7\), possible are"),
        (lambda result: result.series("labels"), "has the axes method, labels"),
        (lambda result: result.series("labels", method="x"), "has not measured"),
    ],
)
def test_what_was_not_measured_is_said(result, wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong(result)


def test_the_tables_put_the_paper_beside_the_measurement(result):
    rows = {tuple(row[:2]): row[2:] for row in result.table().rows}
    assert rows["no | method", "50"] == ["20.0 ± 1.5", "21.0", "18.5 to 23.5", "3"]
    assert rows["method", "100"] == ["33.0", "36.1", "33.4 to 38.8", "3"]
    assert ("method", "500") not in rows
    assert result.table(unmeasured=True).rows[-1] == ["method", "500", "60.0", "—", "—", "—"]
    claims = result.claims().rows
    assert [row[5] for row in claims] == ["agrees", "does not", "not measured"]
    assert claims[0][1:5] == ["+8.0", "+5.1", "+4.9 to +5.3", "3"]


def test_tables_may_name_the_cells_they_show():
    few = studies.run(make_study(shown=(("method", 100),)), "cpu", 2)
    assert [row[:2] for row in few.table().rows] == [["method", "100"]]
    nowhere = studies.run(make_study(shown=(("method", 100), ("method", 7))), "cpu", 2)
    assert nowhere.table(unmeasured=True).rows == few.table().rows


def test_text_html_and_markdown_say_the_same(result):
    table = result.table()
    for shown in (str(table), table._repr_html_(), table.markdown()):
        assert "18.5 to 23.5" in shown and "20.0 ± 1.5" in shown
    assert r"no \| method" in table.markdown()
    assert len({line.replace(r"\|", "").count("|") for line in table.markdown().splitlines()}) == 1
    assert 'scope="col"' in result._repr_html_() and "The interval lies above 0." in result._repr_html_()
    assert "Nobody 1900" in str(result) and "cpu scale on toys, 3 seeds" in str(result)


def test_a_result_comes_back_from_its_file(result, tmp_path):
    path = tmp_path / result_files.file_name(result)
    assert path.name == "toys.table_1.cpu.toys.json"
    result.values[2]["plain", 50] = math.nan
    result_files.write(result, path)
    back = result_files.read(path, result.study)
    assert json.loads(path.read_text())["cells"][0] == {"at": ["plain", 50], "values": [20.0, 21.0, None]}
    assert back.cells == result.cells and back.seeds == result.seeds
    assert math.isnan(back.values[2].pop(("plain", 50))) and math.isnan(result.values[2].pop(("plain", 50)))
    assert back == result
    assert back.same_making(result)


def test_a_diverged_seed_is_shown_and_gives_no_interval(result):
    result.values[0]["plain", 50] = math.nan
    assert result.table().rows[0][3:] == ["nan", "—", "3"]
    assert result.claims().rows[0][5] == "undecided"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"study": "other.table_1"}', '{"study": "toys.table_1"}']
)
def test_a_broken_result_file_is_named(study, tmp_path, content):
    path = tmp_path / "toys.table_1.cpu.toys.json"
    path.write_text(content)
    with pytest.raises(CourseError, match=r"toys.table_1.cpu.toys.json cannot be read .* measure again"):
        studies.recorded(study, tmp_path)


def test_recorded_results_come_by_scale_and_data(study, tmp_path):
    for scale, data in (("cpu", "toys"), ("cpu", "cats"), ("smoke", "toys")):
        studies.run(study, scale, 2, data, save=tmp_path)
    (tmp_path / "toys.table_10.cpu.toys.json").write_text("another study's")
    (tmp_path / "toys.table_1.cpu.dogs.json.partial").write_text("not finished")
    found = studies.recorded(study, tmp_path)
    assert [(r.scale, r.data) for r in found] == [("smoke", "toys"), ("cpu", "cats"), ("cpu", "toys")]


def test_an_installed_course_shows_the_results_that_it_carries(study, tmp_path, monkeypatch):
    packaged, own = tmp_path / "packaged", tmp_path / "results"
    monkeypatch.setattr(result_files, "PACKAGED", packaged)
    monkeypatch.setattr(result_files, "results_folder", lambda: own)
    carried = studies.run(study, "cpu", 2, save=packaged)
    assert studies.recorded(study) == [carried]
    later = studies.run(study, "cpu", 3, save=own)
    assert studies.recorded(study) == [later]


def test_one_result_is_looked_up(study, tmp_path, monkeypatch):
    monkeypatch.setattr(result_files, "PACKAGED", tmp_path)
    monkeypatch.setattr(result_files, "results_folder", lambda: tmp_path)
    own = studies.run(study, "cpu", 2, save=tmp_path)
    cats = studies.run(study, "cpu", 2, "cats", save=tmp_path)
    assert studies.look_up(study) == own and studies.look_up(study, data="cats") == cats
    with pytest.raises(CourseError, match=r"no recorded result at cpu scale on dogs; .* --data dogs\."):
        studies.look_up(study, data="dogs")
    with pytest.raises(CourseError, match=r"course study run toys.table_1 --scale smoke\."):
        studies.look_up(study, "smoke")
