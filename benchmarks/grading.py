"""How long a learner waits: a check of each task's reference and of a wrong answer, and a whole notebook.

These are times and not ratios, because what is promised is a time: a check in a second, a notebook in 25.
They depend on the machine, which the record names.
"""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.common import arguments, record
from course_lib.grading import grade_files, tasks
from course_lib.grading.judge import judge
from course_lib.grading.observe import observe
from tools.mutation.references import references
from tools.project import ROOT


def check_seconds(chapter: str) -> dict[str, dict[str, float]]:
    """For each task: a right answer, the first wrong one of a session, and a later one."""
    found = {}
    for reference in references(chapter):
        task, answer = reference.task, reference.answer()
        wrong = task.misconceptions[-1].wrong  # nearly all others are looked at before it is recognised
        judge(task, observe(task, answer))  # whatever is imported once
        times = {}
        for name, tried in (("right", answer), ("first wrong", wrong), ("later wrong", wrong)):
            began = time.perf_counter()
            judge(task, observe(task, tried, watched=tried is answer))
            times[name] = round(time.perf_counter() - began, 3)
        found[task.id] = times
    return found


def notebook_seconds(chapter: str) -> float:
    """A notebook with every answer in it, from the start of its process to the last verdict."""
    (notebook,) = (ROOT / "solutions").glob(f"[0-9][0-9]_{chapter}.ipynb")
    with TemporaryDirectory() as folder:
        out = Path(folder) / "points.json"
        began = time.perf_counter()
        grade_files([str(notebook)], json_out=out, brief=True)
        seconds = time.perf_counter() - began
        report = json.loads(out.read_text())
    assert report["points"] == report["max_points"]
    return round(seconds, 1)


def main() -> None:
    options = arguments(__doc__).parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    for chapter in tasks.chapters():
        checks = check_seconds(chapter)
        slowest = {name: max(times[name] for times in checks.values()) for name in ("right", "first wrong")}
        found = {"notebook": notebook_seconds(chapter), "slowest check": slowest, "checks": checks}
        print(json.dumps(found, indent=2))
        if options.record:
            print(record("grading", chapter, {"seconds": found}))


if __name__ == "__main__":
    main()
