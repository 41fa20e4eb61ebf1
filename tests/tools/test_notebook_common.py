"""Generated notebooks are the same each time, and never take the place of somebody's work."""

import json

import nbformat
import pytest

from tools.notebook_common import digest, finish, is_edited, write_safely


def notebook(*sources):
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return made


@pytest.fixture
def student(tmp_path):
    """A generated notebook on disk."""
    path = tmp_path / "exercises" / "01_x.ipynb"
    write_safely(path, finish(notebook("x = 1", "y = 2"), "01_x"))
    return path


def edit(path, source):
    content = json.loads(path.read_text())
    content["cells"][0]["source"] = [source]
    path.write_text(json.dumps(content))


def test_finish_gives_the_same_text_each_time_and_changes_nothing():
    made = notebook("x = 1")
    before = json.dumps(made)
    assert finish(made, "01_x") == finish(notebook("x = 1"), "01_x")
    assert json.dumps(made) == before


def test_finish_leaves_no_trace_of_a_run():
    made = notebook("x = 1")
    made.cells[0].outputs = [nbformat.v4.new_output("stream", text="hello")]
    made.cells[0].execution_count = 7
    cell = json.loads(finish(made, "01_x"))["cells"][0]
    assert cell["outputs"] == [] and cell["execution_count"] is None


def test_colab_starts_with_a_gpu():
    metadata = json.loads(finish(notebook("x = 1"), "01_x"))["metadata"]
    assert metadata["accelerator"] == "GPU" and metadata["colab"]["gpuType"] == "T4"


def test_ids_are_valid_unique_and_made_from_the_name():
    cells = nbformat.reads(finish(notebook("a", "a", "b"), "01_a_long_topic"), 4).cells
    assert [cell.id for cell in cells] == [
        "01-a-long-topic-000",
        "01-a-long-topic-001",
        "01-a-long-topic-002",
    ]


def test_a_new_version_replaces_a_file_that_nobody_edited(student):
    text = finish(notebook("x = 3"), "01_x")
    assert write_safely(student, text) == student
    assert student.read_text() == text


def test_running_a_notebook_is_no_edit(student):
    content = nbformat.read(student, 4)
    content.cells[0].outputs = [nbformat.v4.new_output("stream", text="hello")]
    nbformat.write(content, student)
    assert not is_edited(student)


def test_an_edited_file_stays_and_the_new_version_goes_beside_it(student):
    edit(student, "x = 'my answer'")
    mine = student.read_bytes()
    text = finish(notebook("x = 3"), "01_x")
    place = write_safely(student, text)
    assert student.read_bytes() == mine
    assert place.name == "01_x.new.ipynb" and place.read_text() == text
    assert write_safely(student, text) == place  # the second time there is nothing to do


def test_what_was_edited_beside_it_stays_too(student):
    edit(student, "x = 'my answer'")
    beside = write_safely(student, finish(notebook("x = 3"), "01_x"))
    edit(beside, "x = 'my second answer'")
    place = write_safely(student, finish(notebook("x = 4"), "01_x"))
    assert place.name == "01_x.new-2.ipynb"
    assert "my second answer" in beside.read_text()


@pytest.mark.parametrize("content", ["", "not json", "[]", '{"cells": []}', '{"metadata": null}'])
def test_a_file_of_unknown_origin_counts_as_edited(student, content):
    student.write_text(content)
    assert is_edited(student)
    assert write_safely(student, finish(notebook("x"), "01_x")) != student
    assert student.read_text() == content


def test_removing_or_adding_a_cell_is_an_edit():
    assert len({digest(notebook("a", "b")), digest(notebook("a")), digest(notebook("b", "a"))}) == 3


def test_no_half_written_file_stays(student):
    assert [path.name for path in student.parent.iterdir()] == ["01_x.ipynb"]
