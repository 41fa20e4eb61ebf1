"""An instructor's own cases: tried on every answer by `course grade`, unknown to the notebooks.

They stand in a Python file of the instructor's::

    from course_lib.grading.task import Case
    from course_lib.grading.tasks.shade.layers import layer

    CASES = {"shade.penalty": [Case("9 samples of 4 units", layer(9, 4))]}

A notebook's process gets the inputs as numbers, never the file and never what should come out.
"""

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_lib.grading import tasks
from course_lib.grading.task import Case, Task
from course_lib.runtime import CourseError


def read_cases(path: str | Path) -> dict[str, Task]:
    """The tasks of an instructor's file, each with the hidden cases as its only ones.

    Raises:
        CourseError: the file cannot be run, or holds no cases that fit the tasks.
    """
    try:
        cases = runpy.run_path(str(path))["CASES"]
        return {
            task_id: replace(tasks.get(task_id), cases=tuple(own), large=None)
            for task_id, own in cases.items()
        }
    except KeyError:
        raise CourseError(f"The file of hidden cases {path} defines no CASES.") from None
    except Exception as problem:  # whatever an instructor's file may do
        said = str(problem) or type(problem).__name__
        raise CourseError(f"The file of hidden cases {path} cannot be used: {said}") from None


def to_data(task: Task) -> list[dict]:
    """The cases of a task as JSON can hold them."""

    def plain(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return {"is": value}
        dtype = str(value.dtype).removeprefix("torch.")
        return {"shape": list(value.shape), "dtype": dtype, "numbers": value.flatten().tolist()}

    return [
        {
            "dtype": str(case.dtype).removeprefix("torch."),
            "inputs": {name: plain(value) for name, value in case.inputs().items()},
        }
        for case in task.cases
    ]


def with_cases(task: Task, data: list[dict]) -> Task:
    """The inverse of ``to_data``; nothing but the inputs comes with it."""

    def given(entry: dict) -> Any:
        if "is" in entry:
            return entry["is"]
        return torch.tensor(entry["numbers"], dtype=getattr(torch, entry["dtype"])).reshape(entry["shape"])

    def case(number: int, each: dict) -> Case:
        inputs = {name: given(entry) for name, entry in each["inputs"].items()}
        return Case(f"hidden case {number}", lambda _: dict(inputs), getattr(torch, each["dtype"]))

    return replace(task, cases=tuple(case(n, each) for n, each in enumerate(data, start=1)), large=None)
