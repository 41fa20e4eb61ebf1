"""Reports that the tests of the exports convert, the nasty ones above all."""

import json
from pathlib import Path

import jsonschema

NASTY = [
    "<script>alert(1)</script>",
    "\"double\" & 'single' `tick",
    "🦊 ünï ∇ 漢字",
    "NUL \x00 bell \x07 escape \x1b[31mred\x1b[0m vertical \x0b \x85 \ufffe",
    "a lone surrogate \ud800 and ]]> <![CDATA[",
    "<b>two\r\nlines\rand</b> three",
    "x" * 100_000,
    '=HYPERLINK("http://127.0.0.1","click")',
    "",
]


def task(name="shade.penalty", points=2, most=2, state="passed", message="", title="A title", cause=None):
    return {
        "task": name,
        "title": title,
        "points": points,
        "max_points": most,
        "state": state,
        "cause": cause,
        "message": message,
    }


def notebook(file="01_shade.ipynb", *tasks, graded=True, message="", notes=(), seconds=6.0):
    return {
        "file": file,
        "graded": graded,
        "chapter": "shade",
        "message": message,
        "notes": list(notes),
        "points": sum(one["points"] for one in tasks),
        "max_points": sum(one["max_points"] for one in tasks),
        "seconds": seconds,
        "tasks": list(tasks),
    }


def report(*files):
    return {
        "schema": "course-grade/1",
        "points": sum(one["points"] for one in files),
        "max_points": sum(one["max_points"] for one in files),
        "files": list(files),
    }


def every_state(file="01_shade.ipynb"):
    """A notebook with a task in every state that a graded one can have."""
    return notebook(
        file,
        task(),
        task("shade.update", 0, 3, "not yet", "With 5 samples `h` is too large.", cause="values"),
        task("shade.entropy", 0, 1, "not attempted", cause="not attempted"),
        task("shade.plot", 0, 1, "stopped", "Not reached: code cell 4 ended the process.", cause="stopped"),
        task("shade.layer", 0, 2, "missing", "The notebook defines no Layer.", cause="unusable"),
        notes=["code cell 3 failed: it raised `NameError`"],
    )


def ungraded(file="broken.ipynb", *tasks):
    return notebook(file, *tasks, graded=False, message="it is not JSON", seconds=0.0)


def nasty():
    """A notebook in which everything that a student can choose is nasty."""
    tasks = [task(f"t{n} {text}"[:200], 0, 1, "not yet", text, text, text) for n, text in enumerate(NASTY)]
    return notebook("../<b>\x00'\"/=cmd|' /C calc'!A0.ipynb", *tasks, task(), task(), notes=NASTY)


def fits(text, name):
    """The parsed JSON, after it was held against the published form."""
    data = json.loads(text)
    schema = json.loads((Path(__file__).parent / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema, jsonschema.Draft202012Validator)
    text.encode()  # a lone surrogate could not be written
    return data
