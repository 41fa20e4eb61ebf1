"""Reading students' notebooks: what runs, what is replaced, whose exercise it is, and what cannot be read."""

import json

import pytest

from course_lib.grading.hand_ins.notebook import (
    Step,
    Unreadable,
    chapter_of,
    checked_task,
    read_cells,
    source_of,
    steps,
)

IDS = ["shade.penalty", "shade.update"]
END = [Step(task=name) for name in IDS]


def code(source, grade_id=None):
    metadata = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return {"cell_type": "code", "source": source, "metadata": metadata}


def test_check_cells_are_replaced_in_their_place_whatever_they_say():
    cells = [
        code("def shade_penalty(): ..."),
        code("print('✓ passed')", "shade-penalty-check"),
        code("x = 1"),
        code('check("shade.update", lambda h: h)'),
    ]
    assert steps(cells, IDS) == [
        Step(1, "def shade_penalty(): ..."),
        Step(task="shade.penalty"),
        Step(3, "x = 1"),
        Step(task="shade.update"),
        *END,
    ]


def test_a_deleted_check_is_made_at_the_end():
    assert steps([code("x = 1")], IDS) == [Step(1, "x = 1"), *END]


def test_the_set_up_cell_is_left_out():
    assert steps([code("def set_up_course():\n    pass\nset_up_course()")], []) == []


@pytest.mark.parametrize(
    ("source", "task"),
    [
        ('check("shade.penalty", shade_penalty)', "shade.penalty"),
        (" check('shade.penalty', lambda h: h) ;\n", "shade.penalty"),
        ('check("shade.penalty", f)\nx = 1', None),
        ('x = check("shade.penalty", f)', None),
        ("check(1)", None),
    ],
)
def test_a_lone_check_call_is_a_check_cell(source, task):
    assert checked_task(code(source)) == task


def test_the_source_may_be_a_list_of_lines():
    assert source_of({"source": ["a\n", "b"]}) == "a\nb"


@pytest.mark.parametrize(
    ("name", "cells", "chapter"),
    [
        ("anna.ipynb", [code("", "shade-penalty")], "shade"),
        ("anna.ipynb", [code('check("shade.penalty", f)  # mine')], "shade"),
        ("01_shade.ipynb", [], "shade"),
        ("01_shade (2).ipynb", [code("x")], "shade"),
        ("01_shade.ipynb", [code("", "lsd-loss"), code("", "lsd-loss-check")], "lsd"),
        ("anna.ipynb", [code("import torch\ndef shade_penalty(h, mu):\n    return h")], "shade"),
        ("01_lsd.ipynb", [code("def shade_penalty(h, mu):\n    return h")], "shade"),
        ("anna.ipynb", [code("shade_penalty = 1")], None),
        ("anna.ipynb", [code("x")], None),
    ],
)
def test_the_chapter_is_known_by_checks_then_by_definitions_then_by_the_name(name, cells, chapter):
    assert chapter_of(name, cells, {"lsd": ["lsd_loss"], "shade": ["shade_penalty"]}) == chapter


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"PK\x03\x04\xff\xfe", "no JSON"),
        (b"{" * 100_000, "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no list of cells"),
        (b'{"worksheets": []}', "no list of cells"),
    ],
)
def test_what_is_no_notebook_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unreadable, match=sentence):
        read_cells(path)


def test_odd_cells_do_no_harm(tmp_path):
    path = tmp_path / "a.ipynb"
    odd = {"cell_type": "code", "source": 3, "metadata": {"nbgrader": {"grade_id": 7}}}
    path.write_text(json.dumps({"cells": [None, 3, {}, odd, {"cell_type": "code", "metadata": None}]}))
    cells = read_cells(path)
    assert len(cells) == 2
    assert chapter_of(path, cells, {"shade": ["shade_penalty"]}) is None
    assert [step.source for step in steps(cells, [])] == ["3", ""]
