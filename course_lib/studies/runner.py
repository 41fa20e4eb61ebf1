"""Measuring a study seed by seed, so that a stopped run continues where it was.

While a study is measured with ``save``, what is finished stands in ``<result file>.partial``; when all seeds
are there it takes the place of the result file.  So a result file is always a whole run, and an older result
stays until the new one is complete.  Seeds on file are reused when the code, the configuration, the packages
and the device are the same; otherwise they are measured anew.
"""

import contextlib
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
import torch
from tqdm.auto import tqdm

from course_lib import runtime
from course_lib.data.real.folder import data_folder
from course_lib.runtime import CourseError
from course_lib.studies import result_files
from course_lib.studies.provenance import code_digest, environment
from course_lib.studies.registry import Cell, Study, data_of, get, settings
from course_lib.studies.results import Result

SEEDS = {"smoke": 2, "cpu": 3, "gpu": 5}  # how many seeds a scale measures unless told


def run(
    study: str | Study,
    scale: str | None = None,
    seeds: int | Sequence[int] | None = None,
    data: str | None = None,
    *,
    save: bool | Path = False,
    progress: bool | None = None,
    **changes: Any,
) -> Result:
    """Measure a study.

    Args:
        study: its id, such as ``shade.figure_2_7a``, or the study itself.
        scale: ``smoke``, ``cpu`` or ``gpu``; None reads ``COURSE_SCALE``.
        seeds: how many seeds, counted from 0, or which; None takes 2, 3 or 5 by the scale.
        data: another image set than the study's own.
        save: True records the result in ``results/`` (a folder: there) and reuses the seeds recorded so far,
            which the result then holds too; False measures everything and writes nothing.
        progress: whether to show a progress bar; None shows it except in the book.
        changes: other fields of the study's configuration, such as ``labels=(50, 100)``.

    Raises:
        ValueError: no such study, scale, or setting; no seed; or changes are to be recorded in ``results/``,
            which holds what the studies declare.
        CourseError: data that the study needs are not here, or the result cannot be written.
    """
    study = get(study) if isinstance(study, str) else study
    scale = runtime.scale(scale)
    config = study.configure(scale, data, **changes)
    if save is True and changes:
        raise ValueError(
            f"{', '.join(changes)} changed: results/ holds declared settings, save it elsewhere."
        )
    wanted = _seeds(SEEDS[scale] if seeds is None else seeds)
    require_data(study)
    result = Result(
        study,
        scale,
        data_of(config),
        config=settings(config),
        code=code_digest(study.measure),
        environment=environment(runtime.device()),
    )
    if not save:
        _measure_all(result, config, wanted, progress)
        return result
    folder = result_files.results_folder() if save is True else Path(save)
    path = folder / result_files.file_name(result)
    partial = path.with_name(f"{path.name}.partial")
    _reuse(result, path, partial)
    try:
        _measure_all(result, config, wanted, progress, partial)
    finally:
        if partial.exists() and not result.values:
            partial.unlink()  # it failed at once, so there is nothing to continue
    if partial.exists():
        partial.replace(path)
    return result


def missing_data(study: Study) -> list[str]:
    """What the study needs below ``COURSE_DATA`` and does not find there."""
    return [name for name in study.needs if not (data_folder() / name).exists()]


def require_data(study: Study) -> None:
    """Raise a CourseError when the user has not brought the data that the study needs."""
    if missing := missing_data(study):
        raise CourseError(
            f"{study.id} needs data that may not be shipped: put {' and '.join(missing)} into "
            f"{data_folder()} (or set COURSE_DATA to the folder that holds it) and run it again."
        )


def _measure_all(
    result: Result, config: Any, seeds: list[int], progress: bool | None, partial: Path | None = None
) -> None:
    """Measure the seeds that the result lacks, and write what is finished to ``partial`` after each."""
    lacking = [seed for seed in seeds if seed not in result.values]
    if partial is not None and lacking:
        result_files.write(result, partial)  # a folder that cannot be written to is better noticed now
    quiet = runtime.in_book() if progress is None else not progress
    for seed in tqdm(lacking, desc=result.study.id, unit="seed", disable=quiet):
        began = time.perf_counter()
        with isolated_random_state(seed):
            values = result.study.measure(config, seed)
        result.values[seed] = _checked(result, values)
        result.seconds += time.perf_counter() - began
        result.finished = datetime.now(UTC).date().isoformat()
        if partial is not None:
            result_files.write(result, partial)


def _reuse(result: Result, path: Path, partial: Path) -> None:
    """Take over the seeds that were measured the same way, by a run that was stopped or by a complete one."""
    begun, complete = _same_making(result, partial), _same_making(result, path)
    if begun is None or (complete is not None and len(complete.values) >= len(begun.values)):
        if partial.exists():
            partial.unlink()
        begun = complete
    if begun is not None:
        result.values, result.seconds, result.finished = begun.values, begun.seconds, begun.finished


def _same_making(result: Result, path: Path) -> Result | None:
    """The result on file if it was made as this one is being made; a broken file is of no use either."""
    with contextlib.suppress(CourseError):
        held = result_files.read(path, result.study)
        if held.same_making(result):
            return held
    return None


def _checked(result: Result, values: Mapping[Cell, float]) -> dict[Cell, float]:
    """The values as they stand in a file: finite or NaN, eight digits, the same cells for every seed."""
    axes = result.study.axes
    checked = {cell: float(f"{float(value):.8g}") for cell, value in values.items()}
    checked = {cell: value if math.isfinite(value) else math.nan for cell, value in checked.items()}
    wrong = [cell for cell in checked if not isinstance(cell, tuple) or len(cell) != len(axes)]
    if wrong or not checked or any(set(cells) != set(checked) for cells in result.values.values()):
        raise ValueError(
            f"{result.study.id} measured {wrong or list(checked)}: every seed must give the same cells, "
            f"each with the coordinates {', '.join(axes)}."
        )
    return checked


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(dict.fromkeys(seeds))
    if not chosen:
        raise ValueError(f"seeds is {seeds!r}, but at least one seed is needed.")
    return chosen


@contextlib.contextmanager
def isolated_random_state(seed: int) -> Iterator[None]:
    """Random numbers that depend on the seed alone; the caller's go on as if none had been drawn."""
    python, arrays = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng(list(range(torch.cuda.device_count()))):
        try:
            runtime.seed_everything(seed)
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(arrays)
