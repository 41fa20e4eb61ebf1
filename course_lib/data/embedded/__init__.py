"""Sets made by code: seeded, in seconds, without network. One file a set, each with ``INFO`` and ``make``."""

import importlib
import pkgutil
from types import ModuleType


def modules() -> list[ModuleType]:
    """The files of the sets, by their names, which are the sets' names too: a new file is a new set.

    They are found and not listed, so that a new set does not touch what makes the others.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "source")
    return [importlib.import_module(f"{__name__}.{name}") for name in names]
