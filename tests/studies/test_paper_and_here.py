"""The page *Paper and here* says what the result files say, the same way each time."""

import re
import shutil
from itertools import pairwise

import pytest

from course_lib import studies
from course_lib.runtime import CourseError
from course_lib.studies import paper_and_here
from course_lib.studies.drawings import Drawing, all_drawings
from course_lib.studies.paper_and_here import page
from tests.studies.toys import Settings, make_study


@pytest.fixture
def measured(study, tmp_path):
    """Two studies, one measured on two sets and one not at all; and the folder of the results."""
    studies.run(study, "cpu", 3, save=tmp_path)
    studies.run(study, "cpu", 2, "cats", save=tmp_path)
    return [study, make_study(id="toys.table_2", source="Nobody 1900, Table 2", needs=("films",))], tmp_path


def test_the_same_results_give_the_same_page(measured, tmp_path_factory):
    declared, folder = measured
    copy = tmp_path_factory.mktemp("copy")
    for path in sorted(folder.iterdir(), reverse=True):
        shutil.copy(path, copy)
    assert page(declared, folder) == page(declared, copy)


def test_another_number_gives_another_page(measured):
    declared, folder = measured
    before = page(declared, folder)
    path = folder / "toys.table_1.cpu.toys.json"
    path.write_text(path.read_text().replace("[20.0, 21.0, 22.0]", "[20.0, 21.0, 27.0]"))
    assert page(declared, folder) != before


def test_the_page_shows_paper_here_interval_verdict_and_command(measured):
    text = page(*measured)
    assert (
        "| It gains at 50. | +8.0 | +5.1 | +4.9 to +5.3 | 3 | agrees | The interval lies above 0. |" in text
    )
    assert (
        "| It gains ten at 100. | +2.0 | +5.1 | +4.9 to +5.3 | 3 | does not | The interval lies below 10. |"
        in text
    )
    assert "| It gains at 500. | — | — | — | — | not measured | This scale does not measure it. |" in text
    assert "| no \\| method | 50 | 20.0 ± 1.5 | 21.0 | 18.5 to 23.5 | 3 |" in text
    assert "| method | 500 | 60.0 | — | — | — |" in text
    assert "course study run toys.table_1 --scale cpu --seeds 3\n" in text
    assert "course study run toys.table_1 --scale cpu --seeds 2 --data cats\n" in text
    assert "cats instead of this scale's own image set" in text
    assert "Toys instead of animals." in text
    assert "| [Nobody 1900, Table 1](#study-toys-table-1) | Toys | cpu, toys | 1 | 1 | 0 |" in text


def test_a_result_with_other_settings_than_declared_is_called_out_of_date(measured):
    declared, folder = measured
    assert "Out of date" not in page(declared, folder)
    changed = make_study(configs={"smoke": Settings(), "cpu": Settings(gain=6.0)})
    assert page([changed], folder).count("**Out of date:**") == 2


def test_smoke_runs_are_not_shown(measured):
    declared, folder = measured
    before = page(declared, folder)
    studies.run(declared[0], "smoke", 2, save=folder)
    assert page(declared, folder) == before


def test_a_study_without_results_says_how_to_measure_it(measured):
    text = page(*measured)
    assert "| [Nobody 1900, Table 2](#study-toys-table-2) | Toys | not measured yet |" in text
    assert "Needs data that may not be shipped:** films." in text
    assert "course study run toys.table_2 --scale cpu\n" in text


def test_every_link_has_its_target_and_headings_step_by_one(measured):
    text = page(*measured)
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= set(re.findall(r"^\(([\w-]+)\)=$", text, re.M))
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.M)]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def test_a_figure_without_a_measurement_has_its_row(study):
    drawn = [
        Drawing("Nobody 1900, Fig. 1", "A | B", "Not drawn: it is $known$."),
        Drawing("Nobody 1900, Fig. 2", "A cat", "Drawn with two cats.", "cats-play"),
    ]
    text = page([study], drawings=drawn)
    assert "## Figures that hold no measurement\n\n| source | what it shows | here |\n" in text
    assert "| Nobody 1900, Fig. 1 | A \\| B | Not drawn: it is \\$known\\$. |\n" in text
    assert "| Nobody 1900, Fig. 2 | A cat | {ref}`Drawn with two cats. <cats-play>` |\n" in text
    assert "hold no measurement" not in page([study], drawings=[])


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (("N, Fig. 1", "A cat", " "), "has an empty here"),
        (("N, Fig. 1", "A cat", "Drawn as a | b.", "play"), "its sentence holds no"),
    ],
)
def test_a_drawing_that_the_page_cannot_show_is_refused(parts, says):
    with pytest.raises(ValueError, match=says):
        Drawing(*parts)


def test_every_table_and_figure_of_the_source_has_a_row():
    figures = ("1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7a", "2.7b", "2.7c", "A.1", "A.2")
    tables = ("2.1", "2.2", "2.3", "A.1")
    listed = [study.source for study in studies.all_studies()] + [drawn.source for drawn in all_drawings()]
    for place in (*(f"Fig. {n}" for n in figures), *(f"Table {n}" for n in tables)):
        assert listed.count(f"Robert 2019, {place}") == 1, place
    assert all(f"| {drawn.source} |" in page() for drawn in all_drawings())


def test_drawings_lead_to_sections_that_the_book_has():
    book = "\n".join(path.read_text() for path in paper_and_here.PAGE.parent.glob("*.md"))
    labels = set(re.findall(r"^(?:\(([\w-]+)\)=|:name: ([\w-]+))$", book + page(), re.M))
    labels = {label for pair in labels for label in pair}
    assert {drawn.section for drawn in all_drawings()} <= labels | {""}


def test_prose_has_one_sentence_a_line():
    for line in paper_and_here.OPENING.splitlines():
        if not line.startswith(("#", "%", "(")):
            assert not re.search(r"[.:!?] [A-Z]", line), line


def test_report_writes_the_page_and_check_compares(measured, monkeypatch, tmp_path_factory, capsys):
    declared, folder = measured
    root = tmp_path_factory.mktemp("checkout")
    (root / "book").mkdir()
    monkeypatch.setattr(paper_and_here, "ROOT", root)
    monkeypatch.setattr(paper_and_here, "PAGE", root / "book" / "paper_and_here.md")
    monkeypatch.setattr(paper_and_here, "all_studies", lambda: declared)
    monkeypatch.setattr(paper_and_here, "results_folder", lambda: folder)
    monkeypatch.setattr(studies.result_files, "results_folder", lambda: folder)
    assert studies.report(check=True) == 1
    assert studies.report() == 0
    assert paper_and_here.PAGE.read_text() == page(declared, folder)
    assert studies.report(check=True) == 0
    (folder / "toys.table_1.cpu.cats.json").unlink()
    assert studies.report(check=True) == 1
    assert "not current; write it with: course study report" in capsys.readouterr().out
    shutil.rmtree(root / "book")
    with pytest.raises(CourseError, match="in a checkout of the course"):
        studies.report()


def test_the_page_of_the_book_is_current(capsys):
    assert studies.report(check=True) == 0, capsys.readouterr().out
