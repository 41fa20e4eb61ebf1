"""What a stopped run keeps, and what it does not take for its own."""

from course_lib.grading.hand_ins import journal as module
from course_lib.grading.hand_ins.journal import Journal, digest_of
from course_lib.grading.hand_ins.result import Grade, Row, class_table, exit_code, short_names

ROW = Row("shade.penalty", "A title", 2, 2, "passed")


def graded(path, points=2):
    return Grade(str(path), True, "shade", "", (ROW,), ("a note.",), 1.5)


def test_a_grade_is_kept_for_the_same_file_and_content(tmp_path):
    file, other = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    file.write_text("one")
    other.write_text("one")
    files = [str(file), str(other)]
    journal = Journal(files, [120], tmp_path / "journals")
    journal.add(graded(file), digest_of(str(file)))
    again = Journal(files, [120], tmp_path / "journals")
    assert again.grade_of(str(file)) == graded(file)
    assert again.grade_of(str(other)) is None
    file.write_text("two")
    assert again.grade_of(str(file)) is None
    assert Journal(files, [60], tmp_path / "journals").grade_of(str(file)) is None
    again.remove()
    assert Journal(files, [120], tmp_path / "journals").done == {}


def test_a_change_of_the_graders_begins_anew(tmp_path, monkeypatch):
    file = tmp_path / "a.ipynb"
    file.write_text("one")
    Journal([str(file)], [], tmp_path).add(graded(file), digest_of(str(file)))
    monkeypatch.setattr(module, "library_digest", lambda: "another")
    assert Journal([str(file)], [], tmp_path).done == {}


def test_a_torn_line_costs_itself_only(tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text("one")
    journal = Journal([str(file)], [], tmp_path)
    journal.path.parent.mkdir(exist_ok=True)
    journal.path.write_text('{"sha256": "abc", "grade": {"file": "b.ip')
    journal.add(graded(file), digest_of(str(file)))
    with open(journal.path, "a") as end:
        end.write('[1, 2]\n{"grade": 3}\n{"sha2')
    assert Journal([str(file)], [], tmp_path).grade_of(str(file)) == graded(file)


def test_a_place_that_cannot_be_written_to_costs_nothing(tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text("one")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file stands here")
    journal = Journal([str(file)], [], blocked)
    journal.add(graded(file), digest_of(str(file)))
    journal.remove()
    assert Journal([str(file)], [], blocked).grade_of(str(file)) is None
    assert digest_of(str(tmp_path / "gone")) is None


def test_the_exit_code_is_that_of_the_worst():
    whole, less = graded("a"), Grade("b", True, "shade", "", (Row("t", "T", 0, 2, "not yet"),))
    unreadable = Grade("c", False, None, "it is empty.")
    assert [exit_code(each) for each in ([whole], [whole, less], [whole, unreadable], [])] == [0, 1, 2, 0]


def test_the_table_of_a_class_leaves_out_what_all_names_share():
    assert short_names(["/x/class/a.ipynb", "/x/class/b/c.ipynb"]) == ["a.ipynb", "b/c.ipynb"]
    assert short_names(["a.ipynb", "/x/b.ipynb"]) == ["a.ipynb", "/x/b.ipynb"]
    assert short_names(["a.ipynb", "b.ipynb"]) == ["a.ipynb", "b.ipynb"]
    text = class_table(
        [graded("/x/class/anna.ipynb"), Grade("/x/class/ben.ipynb", False, None, "it is empty.")]
    )
    assert "/x/class" not in text
    assert "anna.ipynb    2 / 2    1 passed" in text
    assert "could not be graded: it is empty." in text and text.endswith("2 / 2")
