"""A measured result: its values by seed and cell, their statistics, and what they say about the claims."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_lib.metrics import Interval, mean_interval, paired_interval
from course_lib.studies.registry import Cell, Study
from course_lib.studies.tables import Table
from course_lib.studies.verdicts import Verdict, judge
from course_lib.studies.views import claims_table, values_table


@dataclass
class Result:
    """What a study measured.

    Attributes:
        study: the study.
        scale: the scale it was measured at.
        data: the image set it was measured on.
        config: the configuration, as plain JSON.
        code: the digest of the code that measured it.
        environment: versions of the packages, and the device.
        values: seed -> cell -> value.
        seconds: what the measurement took, all seeds together.
        finished: the day the last seed was measured, or empty.
    """

    study: Study
    scale: str
    data: str
    config: dict[str, Any]
    code: str
    environment: dict[str, str]
    values: dict[int, dict[Cell, float]] = field(default_factory=dict)
    seconds: float = 0.0
    finished: str = ""

    @property
    def seeds(self) -> list[int]:
        return sorted(self.values)

    @property
    def cells(self) -> list[Cell]:
        """The measured cells, in the order they were measured in."""
        return list(next(iter(self.values.values()), {}))

    def samples(self, *cell: str | int | float) -> np.ndarray:
        """The values of a cell, one a seed: ``result.samples("shade", 100)``, shape (seeds,)."""
        if cell not in self.cells:
            raise ValueError(f"{self.study.id} has not measured {cell}, possible are {self.cells}.")
        return np.array([self.values[seed][cell] for seed in self.seeds])

    def interval(self, *cell: str | int | float) -> Interval:
        """The mean of a cell over seeds and its 95 % Student interval."""
        return mean_interval(self.samples(*cell))

    def paired(self, a: Cell, b: Cell) -> Interval:
        """The mean of a minus b over seeds, paired by seed, and its 95 % interval."""
        return paired_interval(self.samples(*a), self.samples(*b))

    def series(self, along: str, **fixed: str | int | float) -> tuple[list, np.ndarray]:
        """A curve: ``result.series("labels", method="shade")``.

        Args:
            along: the axis that runs.
            fixed: the coordinates on every other axis.

        Returns:
            the coordinates along the axis, and the values, shape (seeds, coordinates).

        Raises:
            ValueError: the axes named are not the study's axes, or nothing was measured there.
        """
        axes = self.study.axes
        if {along, *fixed} != set(axes) or along in fixed:
            raise ValueError(
                f"{self.study.id} has the axes {', '.join(axes)}: let one run and fix every other."
            )
        where = axes.index(along)
        rest = tuple(fixed[axis] for axis in axes if axis != along)
        chosen = [cell for cell in self.cells if cell[:where] + cell[where + 1 :] == rest]
        if not chosen:
            raise ValueError(f"{self.study.id} has not measured {fixed}, possible are {self.cells}.")
        return [cell[where] for cell in chosen], np.stack([self.samples(*cell) for cell in chosen], axis=1)

    def verdicts(self) -> list[Verdict]:
        """What this measurement says about each claim of the study."""
        values = [self.values[seed] for seed in self.seeds]
        return [judge(claim, self.study.paper, values, self.study.digits) for claim in self.study.claims]

    def table(self, *, unmeasured: bool = False) -> Table:
        """The paper's values beside the measured ones, cell by cell.

        Args:
            unmeasured: also list the paper's cells that this scale does not measure.
        """
        return values_table(self, unmeasured)

    def claims(self) -> Table:
        """What the paper claims, and whether this measurement agrees."""
        return claims_table(self)

    def about(self) -> str:
        """Scale, data, seeds, device and time in a line."""
        seeds = f"{len(self.seeds)} {'seed' if len(self.seeds) == 1 else 'seeds'}"
        device = self.environment["device"]
        return f"{self.scale} scale on {self.data}, {seeds}, {device}, {self.seconds:.0f} s"

    def same_making(self, other: "Result") -> bool:
        """Whether the other was made by the same code, configuration, packages and device."""
        return (self.config, self.code, self.environment) == (other.config, other.code, other.environment)

    def _tables(self) -> list[Table]:
        return [self.table(), *([self.claims()] if self.study.claims else [])]

    def __str__(self) -> str:
        return "\n\n".join(
            [f"{self.study.title} ({self.study.source})\n{self.about()}", *map(str, self._tables())]
        )

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self._tables())
