"""All sets by name: ``load`` them, describe them, fetch and verify them."""

import difflib
from pathlib import Path

from course_lib.data import embedded
from course_lib.data.embedded.source import Embedded
from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo, Verification
from course_lib.data.real.fetch import fetch_real
from course_lib.data.real.table import MNIST_M, REAL

_EMBEDDED = tuple(Embedded(module.INFO, module.make) for module in embedded.modules())
_SETS = {source.info.name: source for source in (*_EMBEDDED, *REAL)}
KINDS = ("embedded", "real")


def load(name: str, split: str = "train", **options) -> ImageSet:
    """An image set.

    Args:
        name: one of :func:`names`.
        split: usually "train" or "test"; ``describe(name).sizes`` lists them.
        options: what this set takes besides; ``describe(name).options`` lists them with their defaults.

    Raises:
        ValueError: there is no such set, split, option or value.
        CourseError: a real set is not in the data folder, or is damaged. Nothing is ever downloaded here.
    """
    source = _find(name)
    info = source.info
    if split not in info.sizes:
        raise ValueError(f"split is {split!r}, possible for {name} are {', '.join(info.sizes)}.")
    for key, value in options.items():
        if key not in info.options:
            possible = ", ".join(info.options) or "none"
            raise ValueError(f"{name} has no option {key!r}, possible are: {possible}.")
        if key in info.choices and value not in info.choices[key]:
            possible = ", ".join(map(repr, info.choices[key]))
            raise ValueError(f"{key} is {value!r}, possible for {name} are {possible}.")
        if key in ("size", "n") and not (_whole(value) or (value is None and info.options[key] is None)):
            raise ValueError(f"{key} is {value!r}, possible are whole numbers from 1.")
    return source.make(split, **options)


def names(kind: str | None = None) -> list[str]:
    """The names of all sets, or of one kind: "embedded" (made by code) or "real" (read from files)."""
    if kind not in (None, *KINDS):
        raise ValueError(f"kind is {kind!r}, possible are {', '.join(KINDS)}.")
    return [name for name, source in _SETS.items() if kind in (None, source.info.kind)]


def describe(name: str) -> SetInfo:
    """What a set is, whose it is, and how large."""
    return _find(name).info


def available(name: str) -> bool:
    """Whether ``load`` finds files of the set (it does not look into them); true for embedded sets."""
    return _find(name).available()


def fetch(name: str) -> Path:
    """Download a real set into the data folder; done at once where it is there and whole.

    Returns:
        The data folder.

    Raises:
        ValueError: there is no such set, or it is made by code.
        CourseError: it cannot be downloaded; one sentence says why, and nothing is left half-written.
    """
    source = _find(name)
    if source.info.kind == "embedded":
        raise ValueError(f"The set {name} is made by code, there is nothing to fetch: load it.")
    parts = (source.mnist, source.photos) if source is MNIST_M else (source,)
    return [fetch_real(part) for part in parts][-1]


def verify(name: str) -> Verification:
    """Whether a set is here and whole: "ok", "missing", "broken" or "differs", with a sentence."""
    return _find(name).verify()


def listing() -> str:
    """A table of all sets for the terminal: name, kind, images, shape, whether it is here, title."""
    rows = [("name", "kind", "images", "shape", "here", "what it is")]
    for name, source in _SETS.items():
        info = source.info
        images = " + ".join(map(str, info.sizes.values()))
        here = "yes" if source.available() else "fetch" if info.download else "no"
        rows.append((name, info.kind, images, "x".join(map(str, info.shape)), here, info.title))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _find(name):
    if name not in _SETS:
        near = difflib.get_close_matches(str(name).lower(), _SETS)
        known = f"the nearest are {', '.join(near)}" if near else f"possible are {', '.join(_SETS)}"
        raise ValueError(f"There is no image set {name!r}; {known}.")
    return _SETS[name]


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
