"""How a study is declared: a table or figure of a source, what it claims, and how it is measured here.

A chapter's studies stand in the file or folder that carries the chapter's name, in a tuple ``STUDIES``; they
are found there by that name alone, so a new chapter adds its own and touches none.
"""

import dataclasses
import importlib
import json
import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from course_lib.runtime import SCALES

Cell = tuple[str | int | float, ...]  # the coordinates of one number, such as ("shade", 100)


@dataclass(frozen=True)
class Claim:
    """Something that a source says: a quantity lies between two bounds.

    Attributes:
        text: the claim, as a sentence.
        quantity: computes the quantity from the cells.  It is given the paper's values and each seed's,
            so that differences are paired: ``lambda at: at["shade", 50] - at["none", 50]``.
        above: the claim holds where the quantity is larger than this.
        below: and smaller than this.
    """

    text: str
    quantity: Callable[[Mapping[Cell, float]], float]
    above: float = -math.inf
    below: float = math.inf

    def __post_init__(self):
        if not self.above < self.below or (math.isinf(self.above) and math.isinf(self.below)):
            raise ValueError(
                f"The claim {self.text!r} lies above {self.above} and below {self.below}, which says nothing."
            )


@dataclass(frozen=True)
class Study:
    """A table or figure of a source, and how this course measures it.

    Attributes:
        id: chapter and place, such as ``shade.figure_2_7a``.
        title: what is studied, in a few words.
        source: where it stands, such as "Robert 2019, Fig. 2.7a".
        claim: what the source claims with it, in a sentence.
        axes: the names of a cell's coordinates, such as ``("method", "labels")``.
        unit: what the numbers are, such as "test accuracy (%)".
        paper: the source's values by cell.
        configs: scale -> the configuration, a frozen dataclass; its field ``data`` names the image set.
        protocol: scale -> what differs from the source at this scale, in sentences.
        measure: ``measure(config, seed)`` returns the value of every cell for one seed.
        claims: what is judged.
        spread: the spread that the source gives for its values, where it gives one.
        reading: how the source's values were read, where that matters.
        names: how coordinates are shown, such as ``{"none": "baseline"}``.
        shown: the cells that tables list; None lists all (a curve over epochs would rather name some).
        needs: files or folders below ``COURSE_DATA`` that the user must bring, because nobody may ship them.
        digits: decimals shown.
    """

    id: str
    title: str
    source: str
    claim: str
    axes: tuple[str, ...]
    unit: str
    paper: Mapping[Cell, float]
    configs: Mapping[str, Any]
    protocol: Mapping[str, str]
    measure: Callable[[Any, int], Mapping[Cell, float]]
    claims: tuple[Claim, ...] = ()
    spread: Mapping[Cell, float] = field(default_factory=dict)
    reading: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    shown: tuple[Cell, ...] | None = None
    needs: tuple[str, ...] = ()
    digits: int = 1

    def __post_init__(self):
        for cell in (*self.paper, *self.spread, *(self.shown or ())):
            if len(cell) != len(self.axes):
                raise ValueError(f"{self.id}: the cell {cell} does not have the coordinates {self.axes}.")
        if not self.configs or set(self.configs) - set(SCALES) or set(self.configs) != set(self.protocol):
            raise ValueError(
                f"{self.id}: configurations {sorted(self.configs)} and protocols {sorted(self.protocol)} "
                f"must be given for the same scales out of {', '.join(SCALES)}."
            )

    def configure(self, scale: str, data: str | None = None, **changes) -> Any:
        """The configuration of a scale, with another image set or other fields where asked.

        Raises:
            ValueError: the study has no such scale or field, or its data are not a choice.
        """
        if scale not in self.configs:
            raise ValueError(f"{self.id} has no scale {scale!r}, possible are {', '.join(self.configs)}.")
        config = self.configs[scale]
        fields = [field.name for field in dataclasses.fields(config)]
        if data is not None:
            if "data" not in fields:
                raise ValueError(f"{self.id} makes its own data, so data={data!r} has no meaning there.")
            changes["data"] = data
        for name in changes:
            if name not in fields:
                raise ValueError(f"{self.id} has no setting {name!r}, possible are {', '.join(fields)}.")
        return dataclasses.replace(config, **changes)

    def show(self, coordinate: str | int | float) -> str:
        """A coordinate as readers see it."""
        if isinstance(coordinate, str):
            return self.names.get(coordinate, coordinate)
        return f"{coordinate:,}".replace(",", " ") if isinstance(coordinate, int) else f"{coordinate:g}"


def data_of(config: Any) -> str:
    """The name of the image set of a configuration; studies without one make their own data."""
    return getattr(config, "data", "made")


def settings(config: Any) -> dict[str, Any]:
    """A configuration as JSON knows it: tuples become lists, keys become text."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def all_studies() -> list[Study]:
    """Every study of every chapter, in the order of the files' names."""
    package = importlib.import_module("course_lib.studies")
    found = []
    for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        found.extend(getattr(importlib.import_module(f"course_lib.studies.{module}"), "STUDIES", ()))
    return found


def get(id: str) -> Study:
    """The study of this id.

    Raises:
        ValueError: there is none.
    """
    studies = {study.id: study for study in all_studies()}
    if id not in studies:
        raise ValueError(f"There is no study {id!r}, possible are {', '.join(studies)}.")
    return studies[id]
