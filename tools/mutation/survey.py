"""Change every reference in every small way, ask the graders, and record what they let through.

``python -m tools.mutation.survey`` writes ``results/graders/CHAPTER.json``.
"""

import argparse
import json
import tomllib
import warnings
from pathlib import Path

import torch

from course_lib.files import write_atomically
from course_lib.grading import tasks
from course_lib.grading.judge import first_fault
from course_lib.grading.observe import observe
from tools.mutation.operators import Mutant, mutants
from tools.mutation.references import Reference, references
from tools.project import ROOT

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
RESULTS = ROOT / "results" / "graders"


def survey(reference: Reference) -> dict:
    """What the grader of one task makes of every mutant of its reference.

    Returns:
        the number of ``mutants``, how many were ``refused`` by which cause, and the changes that passed:
        ``equivalent`` with their reasons, and ``survivors`` without.
    """
    reasons = known_equivalents().get(reference.task.id, {})
    causes: dict[str, int] = {}
    equivalent, survivors, count = {}, [], 0
    for mutant in mutants(reference.code, set(reference.lines)):
        count += 1
        cause = refused(reference, mutant)
        if cause is not None:
            causes[cause] = causes.get(cause, 0) + 1
        elif mutant.change in reasons:
            equivalent[mutant.change] = reasons[mutant.change]
        else:
            survivors.append(mutant.change)
    return {
        "mutants": count,
        "refused": dict(sorted(causes.items())),
        "equivalent": equivalent,
        "survivors": survivors,
        "wrong answers": len(reference.task.misconceptions),
    }


def refused(reference: Reference, mutant: Mutant) -> str | None:
    """The cause by which the grader refuses a mutant; None where it passes."""
    try:
        answer = reference.answer(mutant.code)
    except Exception:  # it does not even run: the notebook would say so
        return "unusable"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fault = first_fault(reference.task, observe(reference.task, answer, devices=("cpu",), watched=False))
    return fault[0] if fault else None


def known_equivalents() -> dict[str, dict[str, str]]:
    """For each task the changes that leave its reference right, with the reason."""
    return tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))


def rate(entry: dict) -> float:
    """The share that is refused, of the mutants that run to their end and are not equivalent."""
    refused_ones = sum(count for cause, count in entry["refused"].items() if cause != "unusable")
    return refused_ones / (refused_ones + len(entry["survivors"]))


def record(chapter: str) -> Path:
    """Survey a chapter and write its result."""
    found = {}
    for reference in references(chapter):
        found[reference.task.id] = survey(reference)
        print(
            f"{reference.task.id}: {rate(found[reference.task.id]):.1%}", found[reference.task.id], flush=True
        )
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    return write_atomically(RESULTS / f"{chapter}.json", text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.mutation.survey", description=__doc__)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="none: every chapter that has tasks")
    torch.set_num_threads(1)
    for chapter in parser.parse_args().chapters or tasks.chapters():
        print(f"wrote {record(chapter).relative_to(ROOT).as_posix()}")


if __name__ == "__main__":
    main()
