"""The two tables of a result: the paper's values beside ours, and what became of its claims."""

from typing import TYPE_CHECKING

import numpy as np

from course_lib.metrics import Interval, mean_interval
from course_lib.studies.registry import Cell
from course_lib.studies.tables import Table, number
from course_lib.studies.verdicts import Verdict

if TYPE_CHECKING:
    from course_lib.studies.results import Result

NOTHING = "—"


def values_table(result: "Result", unmeasured: bool = False) -> Table:
    """Cell by cell: paper, here, interval, seeds; ``unmeasured`` also lists what only the paper gives."""
    study, measured = result.study, result.cells
    listed = dict.fromkeys((*study.paper, *measured) if study.shown is None else study.shown)
    listed = [cell for cell in listed if cell in measured or (unmeasured and cell in study.paper)]
    heading = [*study.axes, "paper", "here", "95 % interval", "seeds"]
    numbers = frozenset(range(len(study.axes), len(heading)))
    return Table(heading, [_value_row(result, cell) for cell in listed], study.unit, numbers)


def claims_table(result: "Result") -> Table:
    """Claim by claim: paper, here, interval, seeds, agrees?, why."""
    heading = ["claim", "paper", "here", "95 % interval", "seeds", "agrees?", "why"]
    rows = [_claim_row(verdict, result.study.digits) for verdict in result.verdicts()]
    return Table(heading, rows, f"What is claimed in {result.study.source}", frozenset(range(1, 5)))


def _value_row(result: "Result", cell: Cell) -> list[str]:
    study, digits = result.study, result.study.digits
    paper = number(study.paper[cell], digits) if cell in study.paper else NOTHING
    if cell in study.spread:
        paper += f" ± {number(study.spread[cell], digits)}"
    coordinates = [study.show(coordinate) for coordinate in cell]
    if cell not in result.cells:
        return [*coordinates, paper, NOTHING, NOTHING, NOTHING]
    samples = result.samples(*cell)
    certain = len(samples) > 1 and np.isfinite(samples).all()
    interval = _between(mean_interval(samples) if certain else None, digits)
    return [*coordinates, paper, number(samples.mean(), digits), interval, str(len(samples))]


def _claim_row(verdict: Verdict, digits: int) -> list[str]:
    paper = NOTHING if verdict.paper is None else number(verdict.paper, digits, signed=True)
    here = NOTHING if verdict.mean is None else number(verdict.mean, digits, signed=True)
    interval = _between(verdict.interval, digits, signed=True)
    seeds = NOTHING if verdict.mean is None else str(verdict.seeds)
    return [verdict.claim, paper, here, interval, seeds, verdict.state, verdict.reason]


def _between(interval: Interval | None, digits: int, signed: bool = False) -> str:
    if interval is None:
        return NOTHING
    return f"{number(interval.low, digits, signed)} to {number(interval.high, digits, signed)}"
