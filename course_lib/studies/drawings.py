"""Figures of a source that hold no measurement, so that there is nothing to measure beside them.

A chapter's drawings stand where its studies do, in a tuple ``DRAWINGS``; they are found by that name alone.
They have a file of their own, so that their wording is no part of the code that measures.
"""

import importlib
import pkgutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Drawing:
    """A figure without a measurement.

    Attributes:
        source: where it stands, such as "Robert 2019, Fig. 1.1".
        title: what it shows, in a few words.
        here: where the course shows its own, or why it shows none, in a sentence.
        section: the label in the book that the sentence leads to, such as ``shade-play``; empty: none.
    """

    source: str
    title: str
    here: str
    section: str = ""

    def __post_init__(self):
        for name in ("source", "title", "here"):
            if not getattr(self, name).strip():
                raise ValueError(f"The drawing {self.source!r} has an empty {name}.")
        if self.section and set(self.here) & set("`<>|"):
            raise ValueError(
                f"The drawing {self.source!r} leads to a section, so its sentence holds no ` < > or |."
            )


def all_drawings() -> list[Drawing]:
    """Every drawing of every chapter, in the order of the files' names."""
    package = importlib.import_module("course_lib.studies")
    found = []
    for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        found.extend(getattr(importlib.import_module(f"course_lib.studies.{module}"), "DRAWINGS", ()))
    return found
