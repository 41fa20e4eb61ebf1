"""Grading a class: several notebooks at the same time, in the order given, to be stopped and continued."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from course_lib.files import write_atomically
from course_lib.grading.hand_ins import result
from course_lib.grading.hand_ins.journal import Journal, digest_of
from course_lib.grading.hand_ins.one import grade_notebook
from course_lib.grading.hand_ins.result import Grade
from course_lib.runtime import CourseError


def grade_files(
    files: Sequence[str],
    *,
    timeout: float = 120.0,
    json_out: str | Path | None = None,
    csv_out: str | Path | None = None,
    feedback: str | Path | None = None,
    hidden: str | Path | None = None,
    jobs: int | None = None,
    brief: bool = False,
    anew: bool = False,
) -> int:
    """Grade notebooks, each in a process of its own, and print a table.

    A run that is stopped keeps what it has finished: the same call goes on with the rest.

    Args:
        files: the notebooks, or folders of them.
        timeout: seconds that each may take, not counting the loading of torch.
        json_out: where to write the report as JSON.
        csv_out: where to write one row a notebook, for a spreadsheet.
        feedback: a folder for pages to hand back, one a notebook.
        hidden: a Python file with an instructor's own cases, see ``hand_ins.hidden``.
        jobs: notebooks at the same time; None means one for each core.
        brief: one line a notebook instead of one a task.
        anew: grade again what a stopped run had finished.

    Returns:
        0 when every point is reached, 1 when not, 2 when a file could not be graded.

    Raises:
        ValueError: timeout or jobs is not positive.
        CourseError: there is nothing to grade, the file of hidden cases cannot be used, or a report cannot
            be written.
    """
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout}, possible are positive numbers of seconds.")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}, possible are 1 and more.")
    files = list(notebooks(files))
    cases, settings = None, [timeout]
    if hidden is not None:
        from course_lib.grading.hand_ins.hidden import read_cases

        cases = read_cases(hidden)
        settings.append(digest_of(str(hidden)))
    journal = Journal(files, settings)
    if anew:
        journal.remove()
        journal.done = {}
    grades = []
    for grade in in_order(files, timeout, cases, jobs or cores(), journal):
        grades.append(grade)
        if not brief:
            print(result.table(grade), flush=True)
    if brief or len(grades) > 1:
        print(result.class_table(grades), flush=True)
    write_reports(grades, json_out, csv_out, feedback)
    journal.remove()
    return result.exit_code(grades)


def notebooks(files: Sequence[str]) -> Iterator[str]:
    """The files as they are, and the notebooks in the folders among them, in the order of their names.

    Raises:
        CourseError: a folder holds no notebook.
    """
    for file in files:
        if not os.path.isdir(file):
            yield str(file)
            continue
        found = [
            p for p in sorted(Path(file).rglob("*.ipynb")) if not any(q.startswith(".") for q in p.parts)
        ]
        if not found:
            raise CourseError(f"The folder {file} holds no notebook (a file that ends in .ipynb).")
        yield from map(str, found)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    files: list[str], timeout: float, hidden: dict | None, jobs: int, journal: Journal
) -> Iterator[Grade]:
    """The grades in the order of the files, each as soon as it and all before it are there."""
    from tqdm import tqdm

    done = {file: grade for file in files if (grade := journal.grade_of(file)) is not None}
    if done:
        print(f"Going on with a run that was stopped: {len(done)} of {len(files)} notebooks are graded.")
    silent = None if len(files) > 1 else True  # None: a bar where a person looks
    bar = tqdm(total=len(files), initial=len(done), unit="notebook", disable=silent, file=sys.stderr)
    pool = ThreadPoolExecutor(max_workers=jobs)
    stop = threading.Event()

    def grade(file: str) -> Grade:
        digest = digest_of(file)
        found = grade_notebook(file, timeout, hidden, stop)
        journal.add(found, digest)
        bar.update()
        return found

    waiting: list[Future[Grade] | Grade] = []
    with contextlib.closing(bar), stopped_by_the_system():
        try:
            waiting += [done[file] if file in done else pool.submit(grade, file) for file in files]
            for each in waiting:
                found = each.result() if isinstance(each, Future) else each
                bar.clear()
                yield found
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()


@contextlib.contextmanager
def stopped_by_the_system() -> Iterator[None]:
    """A request to end (SIGTERM) stops as Ctrl-C does; only the main thread can be told."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def write_reports(grades: list[Grade], json_out, csv_out, feedback) -> None:
    """The files that were asked for, besides the printed table."""
    report = result.to_data(grades)
    if json_out is not None:
        write_atomically(json_out, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if csv_out is not None:
        from course_lib.grading.exports import convert

        write_atomically(csv_out, convert(report, "csv"))
    if feedback is not None:
        from course_lib.grading.exports.feedback import write_feedback

        pages = write_feedback(report, feedback)
        print(f"{len(pages)} pages of feedback are in {feedback}.")
