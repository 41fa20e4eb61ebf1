"""Measuring a study seed by seed, so that a stopped run continues where it was.

While a study is measured with ``save``, what is finished stands in ``<result file>.partial``; when all seeds
are there it takes the place of the result file.  So a result file is always a whole run, and an older result
stays until the new one is complete.  Seeds on file are reused when the code, the configuration, the packages
and the device are the same; otherwise they are measured anew.

Where torchrun started several processes, they measure different seeds, or with ``share="batches"`` train each
net together; process 0 alone reads and writes files.
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
from course_lib.studies.provenance import code_digest, environment, uses
from course_lib.studies.registry import Cell, Study, data_of, get, settings
from course_lib.studies.results import Result
from course_lib.training import processes

SHARED = ("seeds", "batches")  # what the processes of torchrun share
SEEDS = {"smoke": 2, "cpu": 3, "gpu": 5}  # how many seeds a scale measures unless told


def run(
    study: str | Study,
    scale: str | None = None,
    seeds: int | Sequence[int] | None = None,
    data: str | None = None,
    *,
    save: bool | Path = False,
    progress: bool | None = None,
    share: str = "seeds",
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
        share: with torchrun, whether each process measures ``seeds`` of its own, or all of them share the
            ``batches`` of each seed, for studies that train with `course_lib.training.distributed.fit`.
        changes: other fields of the study's configuration, such as ``labels=(50, 100)``.

    Raises:
        ValueError: no such study, scale, or setting; no seed; changes are to be recorded in ``results/``,
            which holds what the studies declare; or batches cannot be shared.
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
    processes.start()
    made_on = environment(runtime.device()) | _together(study, config, share)
    result = Result(
        study,
        scale,
        data_of(config),
        config=settings(config),
        code=code_digest(study.measure, named=[data_of(config)]),
        environment=made_on,
    )
    if processes.rank() > 0:
        result.values = processes.from_first(None)
        _measure_all(result, config, wanted, False, share)
        return result
    if not save:
        processes.from_first(result.values)
        _measure_all(result, config, wanted, progress, share)
        return result
    folder = result_files.results_folder() if save is True else Path(save)
    path = folder / result_files.file_name(result)
    partial = path.with_name(f"{path.name}.partial")
    _reuse(result, path, partial)
    processes.from_first(result.values)
    try:
        _measure_all(result, config, wanted, progress, share, partial)
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
    result: Result,
    config: Any,
    seeds: list[int],
    progress: bool | None,
    share: str,
    partial: Path | None = None,
) -> None:
    """Measure the seeds that the result lacks, and write what is finished to ``partial`` after each."""
    lacking = [seed for seed in seeds if seed not in result.values]
    if partial is not None and lacking:
        result_files.write(result, partial)  # a folder that cannot be written to is better noticed now
    quiet = runtime.in_book() if progress is None else not progress
    at_once = processes.world() if share == "seeds" else 1
    with tqdm(total=len(lacking), desc=result.study.id, unit="seed", disable=quiet) as bar:
        for first in range(0, len(lacking), at_once):
            some = lacking[first : first + at_once]
            for seed, values, seconds in _measure(result.study, config, some, share):
                result.values[seed] = _checked(result, values)
                result.seconds += seconds
                bar.update()
            result.finished = datetime.now(UTC).date().isoformat()
            if partial is not None:
                result_files.write(result, partial)


def _measure(
    study: Study, config: Any, seeds: list[int], share: str
) -> list[tuple[int, Mapping[Cell, float], float]]:
    """The values of some seeds, one for each process or one for all, and the seconds that each took."""
    apart = share == "seeds"
    mine = seeds[processes.rank() :][:1] if apart else seeds
    found = []
    for seed in mine:
        began = time.perf_counter()
        with isolated_random_state(seed), processes.apart() if apart else contextlib.nullcontext():
            values = study.measure(config, seed)
        found.append((seed, values, time.perf_counter() - began))
    if not apart:
        return processes.from_first(found)
    return [one for some in processes.of_everybody(found) for one in some]


def _together(study: Study, config: Any, share: str) -> dict[str, str]:
    """What is to be recorded about processes that share batches."""
    if share not in SHARED:
        raise ValueError(f"share is {share!r}, possible are {', '.join(SHARED)}.")
    if share == "seeds" or processes.world() == 1:
        return {}
    if not uses(study.measure, "course_lib.training.distributed"):
        raise ValueError(
            f"{study.id} trains each net in one process, so batches cannot be shared; share seeds instead."
        )
    if getattr(config, "target", None) == "te":  # its averages would hear of one share only
        raise ValueError(
            f"{study.id} remembers its answers to every image (Temporal Ensembling), and each process would "
            "remember those to its share only; share seeds instead."
        )
    return {"processes": f"{processes.world()}, which share each batch"}


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
