"""Result files: ``results/<study>.<scale>.<data>.json``, written whole, one line a cell."""

import json
import math
from pathlib import Path

from course_lib import __version__
from course_lib.files import write_atomically
from course_lib.runtime import CourseError
from course_lib.studies.registry import Cell, Study, data_of, get
from course_lib.studies.results import Result

ROOT = Path(__file__).resolve().parents[2]
PACKAGED = Path(__file__).resolve().parents[1] / "recorded"  # what an installed course carries of results/
MAKING = (
    "scale",
    "data",
    "config",
    "code",
    "environment",
    "seconds",
    "finished",
)  # fields stored as they are


def results_folder() -> Path:
    """Where results are recorded: ``results/`` of the checkout, else of the folder we are in."""
    return (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / "results"


def file_name(result: Result) -> str:
    return f"{result.study.id}.{result.scale}.{result.data}.json"


def write(result: Result, path: Path) -> None:
    """Write a result; a reader sees the old file or the new one, never half of it.

    Raises:
        CourseError: the folder cannot be written to.
    """
    held = {
        "study": result.study.id,
        "source": result.study.source,
        "unit": result.study.unit,
        "axes": result.study.axes,
        "course": __version__,
        **{name: getattr(result, name) for name in MAKING},
        "seeds": result.seeds,
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in held.items()]
    cells = [f"  {json.dumps(_entry(result, cell))}" for cell in result.cells]
    write_atomically(path, "{\n" + ",\n".join(lines) + ',\n "cells": [\n' + ",\n".join(cells) + "\n ]\n}\n")


def _entry(result: Result, cell: Cell) -> dict:
    samples = result.samples(*cell).tolist()
    return {"at": cell, "values": [value if math.isfinite(value) else None for value in samples]}


def read(path: Path, study: Study) -> Result:
    """Read a result file.

    Raises:
        CourseError: the file is broken, or belongs to another study.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["study"] != study.id:
            raise ValueError(f"it belongs to {held['study']}")
        values: dict[int, dict[Cell, float]] = {int(seed): {} for seed in held["seeds"]}
        for entry in held["cells"]:
            for seed, value in zip(values, entry["values"], strict=True):
                values[seed][tuple(entry["at"])] = math.nan if value is None else float(value)
        return Result(study, values=values, **{name: held[name] for name in MAKING})
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CourseError(
            f"The result file {path} cannot be read ({type(problem).__name__}: {problem}); "
            "remove it and measure again."
        ) from problem


def recorded(study: str | Study, folder: Path | None = None) -> list[Result]:
    """The recorded results of a study: small scales first, and in the order of the data sets' names.

    Args:
        study: its id, or the study itself.
        folder: where the files are; None looks in ``results/``, and for what is not there among the results
            that an installed course carries along.
    """
    study = get(study) if isinstance(study, str) else study
    folders = (PACKAGED, results_folder()) if folder is None else (folder,)
    paths = {path.name: path for place in folders for path in place.glob(f"{study.id}.*.json")}
    found = [read(paths[name], study) for name in sorted(paths)]
    return sorted(found, key=lambda result: (list(study.configs).index(result.scale), result.data))


def look_up(study: str | Study, scale: str = "cpu", data: str | None = None) -> Result:
    """The recorded result of a study at a scale, for a page that shows what took too long to measure there.

    Args:
        study: its id, or the study itself.
        scale: ``smoke``, ``cpu`` or ``gpu``.
        data: the image set; None takes the one that the study declares for this scale.

    Raises:
        CourseError: it is not on record.
        ValueError: there is no such study or scale.
    """
    study = get(study) if isinstance(study, str) else study
    wanted = data_of(study.configure(scale)) if data is None else data
    for result in recorded(study):
        if (result.scale, result.data) == (scale, wanted):
            return result
    raise CourseError(
        f"{study.id} has no recorded result at {scale} scale on {wanted}; measure it with: "
        f"course study run {study.id} --scale {scale}" + (f" --data {data}." if data else ".")
    )
