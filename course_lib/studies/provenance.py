"""Which code made a number: a digest that changes when, and only when, code that takes part in it changes.

From a function we follow what it uses: the definitions of its own file, one by one, and the modules of this
library that they import, whole.  A name that a package only passes on (``from course_lib.nets import
SmallConvNet``) leads to the module that defines it, so a new net leaves the digests of other chapters alone.
Comments, docstrings and annotations do not count; neither do packages that are not ours, whose versions are
recorded beside the digest.
"""

import hashlib
import inspect
import platform
from collections.abc import Callable
from pathlib import Path

import numpy
import torch

from course_lib.studies import source

LIBRARY = Path(__file__).resolve().parents[1]
COMPUTING = ("data", "nets", "metrics", "training", "methods", "runtime")  # rooms that numbers come from


def environment(device: torch.device) -> dict[str, str]:
    """What else a number depends on in its last digits: the packages and the device."""
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {"torch": torch.__version__, "numpy": numpy.__version__, "device": f"{device.type} ({chip})"}


def code_digest(function: Callable, library: Path = LIBRARY) -> str:
    """The digest of the code that a function runs (16 hexadecimal digits).

    Args:
        function: a function of the library, which is followed precisely; or one from elsewhere, such as a
            notebook, which counts with its own text and with everything in the library that computes.
        library: the folder of the library's package.
    """
    pieces = _Pieces(library)
    module = getattr(function, "__module__", None) or ""
    if module.split(".")[0] == library.name:
        pieces.add_definition(module, function.__qualname__.split(".")[0])
    else:
        pieces.found.add(("", _text_of(function)))
        for room in COMPUTING:
            for path in [library / f"{room}.py", *(library / room).rglob("*.py")]:
                if path.exists():
                    pieces.add_module(".".join(path.relative_to(library.parent).with_suffix("").parts))
    return hashlib.sha256(repr(sorted(pieces.found)).encode()).hexdigest()[:16]


def _text_of(function: Callable) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed into a console, or no plain function
        return repr(getattr(getattr(function, "__code__", None), "co_code", function))


class _Pieces:
    """The pieces of code found so far, with the modules they stand in."""

    def __init__(self, library: Path):
        self.library = library
        self.found: set[tuple[str, str]] = set()
        self.whole: set[str] = set()

    def add_definition(self, module: str, name: str) -> None:
        """Add a top-level definition of a module, what it uses of that module, and what that imports."""
        file = source.read(self.path(module))
        waiting, seen = [name], {name}
        while waiting:
            for definition in file.definitions.get(waiting.pop(), ()):
                self.found.add((module, definition.text))
                waiting.extend((definition.names & file.definitions.keys()) - seen)
                seen |= definition.names
                used = [file.imported[value] for value in definition.values & file.imported.keys()]
                for imported in (*definition.imports, *used):
                    self.follow(*imported)

    def add_module(self, module: str) -> None:
        """Add a whole module, and what it imports."""
        if module in self.whole:
            return
        self.whole.add(module)
        file = source.read(self.path(module))
        self.found.add((module, file.text))
        for imported in file.imports:
            self.follow(*imported)

    def follow(self, module: str, name: str | None) -> None:
        """Add the module of this library that an import leads to."""
        if module.split(".")[0] != self.library.name:
            return
        if name is not None and self.path(f"{module}.{name}") is not None:
            self.add_module(f"{module}.{name}")
            return
        path = self.path(module)
        if path is None:
            return
        passed_on = source.read(path).imported.get(name) if path.name == "__init__.py" else None
        if passed_on is not None and passed_on[0].startswith(f"{module}."):
            self.follow(*passed_on)
        else:
            self.add_module(module)

    def path(self, module: str) -> Path | None:
        """The file of a module."""
        base = self.library.parent.joinpath(*module.split("."))
        return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
