"""JUnit XML for continuous integration: a suite for each notebook, a test case for each task.

The form is the one that Jenkins' xUnit plugin publishes as junit-10.xsd, which GitLab, GitHub's reporters
and pytest's own tests agree with.  Three decisions:

- Points that were not reached are *failures*, also of a task that nobody has attempted.  A *skipped* test
  counts as no problem for every consumer, so that an empty notebook would show as green.
- What could not be graded is an *error*: nothing is known about the answer.
- A notebook runs once for all of its tasks, and consumers add up the times of test cases: each gets an even
  share of the notebook's time.
"""

import xml.etree.ElementTree as ET
from pathlib import PurePath
from typing import Any

from course_lib.grading.exports.reading import parts_of, reached

FIRST_LINE = 200  # characters: what consumers show in one line; the whole text stands inside


def convert(report: dict[str, Any]) -> str:
    """The report as JUnit XML."""
    root = ET.Element("testsuites", name="course grade")
    taken: set[str] = set()
    suites = [suite(file, class_name(file["file"], taken)) for file in report["files"]]
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(one.get(key)) for one in suites)))
    root.set("time", seconds(sum(file["seconds"] for file in report["files"])))
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def suite(file: dict[str, Any], name: str) -> ET.Element:
    cases = [case(file, task, name) for task in file["tasks"]]
    if not file["graded"] and not cases:  # a suite without a test would show as green
        cases = [problem_case(name, "notebook", "error", "not graded", file["message"], "")]
    counts = {kind: sum(one.find(kind) is not None for one in cases) for kind in ("failure", "error")}
    for one in cases:
        one.set("time", seconds(file["seconds"] / len(cases)))
    made = ET.Element(
        "testsuite",
        name=file["file"] or name,
        tests=str(len(cases)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped="0",
        time=seconds(file["seconds"]),
    )
    made.extend(cases)
    if file["notes"]:
        ET.SubElement(made, "system-out").text = "\n".join(file["notes"])
    return made


def case(file: dict[str, Any], task: dict[str, Any], name: str) -> ET.Element:
    if reached(task):
        return ET.Element("testcase", classname=name, name=task["task"])
    kind = "failure" if file["graded"] else "error"
    said = task["message"] or ("" if file["graded"] else file["message"]) or task["state"]
    facts = f"{task['title']}\n{task['state']}, {task['points']} of {task['max_points']} points"
    return problem_case(name, task["task"], kind, task["cause"] or task["state"], said, facts)


def problem_case(name: str, test: str, kind: str, cause: str, said: str, facts: str) -> ET.Element:
    made = ET.Element("testcase", classname=name, name=test)
    line = " ".join(said.split()) or cause
    line = line if len(line) <= FIRST_LINE else line[: FIRST_LINE - 1] + "…"
    text = f"{facts}\n{said}".strip()
    ET.SubElement(made, kind, message=line, type=cause).text = text
    return made


def class_name(file: str, taken: set[str]) -> str:
    """``students/ada/01_shade.ipynb`` as ``students.ada.01_shade``: consumers group by the dots.

    It tells apart the notebooks of a class, whose tasks are all called the same.
    """
    *folders, last = parts_of(file) or ["notebook"]
    parts = [part.strip(". ").replace(".", "_") for part in [*folders, PurePath(last).stem]]
    plain = ".".join(filter(None, parts)) or "notebook"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    taken.add(name)
    return name


def seconds(value: float) -> str:
    return f"{value:.3f}"
