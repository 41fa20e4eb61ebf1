"""Which code made a number: a digest that changes when, and only when, code that takes part in it changes.

From a function we follow what it uses, definition by definition, through all files of this library: what its
own file defines, what that imports, and what those use in turn.  A new function beside one that takes part,
or a new name that a package passes on, leaves the digest alone, so a new chapter does not make the results
of another look old.  Where a module is used otherwise than by ``module.name``, it counts as a whole.
Comments, docstrings and annotations do not count; neither do packages that are not ours, whose versions are
recorded beside the digest.

A set that is drawn by code is asked for by its name, so its file counts where the name is written: in code
that takes part, or in the study's configuration.
"""

import hashlib
import inspect
import platform
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy
import torch

from course_lib.studies import source

LIBRARY = Path(__file__).resolve().parents[1]
COMPUTING = (
    "data",
    "nets",
    "metrics",
    "localisation",
    "training",
    "methods",
    "runtime",
)  # rooms that numbers come from


def environment(device: torch.device) -> dict[str, str]:
    """What else a number depends on in its last digits: the packages and the device."""
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {"torch": torch.__version__, "numpy": numpy.__version__, "device": f"{device.type} ({chip})"}


def code_digest(function: Callable, library: Path = LIBRARY, named: Iterable[str] = ()) -> str:
    """The digest of the code that a function runs (16 hexadecimal digits).

    Args:
        function: a function of the library, which is followed precisely; or one from elsewhere, such as a
            notebook, which counts with its own text and with everything in the library that computes.
        library: the folder of the library's package.
        named: names of image sets that the function is given, such as the one of a configuration.
    """
    pieces = _pieces(function, library)
    for name in named:
        pieces.add_set(name)
    return hashlib.sha256(repr(sorted(pieces.counted())).encode()).hexdigest()[:16]


def uses(function: Callable, module: str, library: Path = LIBRARY) -> bool:
    """Whether a module takes part in what a function runs, by the same reckoning."""
    return any(name == module for name, _ in _pieces(function, library).counted())


def _pieces(function: Callable, library: Path) -> "_Pieces":
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
    return pieces


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
        self.seen: set[tuple[str, str]] = set()

    def counted(self) -> set[tuple[str, str]]:
        """The pieces, without definitions of modules that count as a whole: so order does not matter."""
        whole = {(module, source.read(self.path(module)).text) for module in self.whole}
        return whole | {(module, text) for module, text in self.found if module not in self.whole}

    def add_definition(self, module: str, name: str) -> None:
        """Add a top-level definition of a module and what it uses; for an unknown name, the whole module."""
        if (module, name) in self.seen or module in self.whole:
            return
        self.seen.add((module, name))
        file = source.read(self.path(module))
        if name in file.imported and name not in file.definitions:
            self.follow(*file.imported[name])
            return
        if name not in file.definitions:
            self.add_module(module)
            return
        for definition in (*file.definitions[name], *file.doing):
            self.found.add((module, definition.text))
            for used in definition.names & file.definitions.keys():
                self.add_definition(module, used)
            for imported in definition.imports:
                self.follow(*imported)
            for text in definition.strings:
                self.add_set(text)
            for used in definition.values & file.imported.keys():
                self.use(file.imported[used], used, definition)

    def use(self, imported: source.Import, name: str, definition: source.Definition) -> None:
        """Add what a definition takes of something imported: of a module, the names behind its dots."""
        module = self.module_of(imported)
        if module is None or name in definition.bare:
            self.follow(*imported)
            return
        for base, attribute in definition.reached:
            if base == name:
                self.follow(module, attribute)

    def add_set(self, name: str) -> None:
        """Add the file of the embedded set of this name, if there is one."""
        module = f"{self.library.name}.data.embedded.{name}"
        if name.isidentifier() and self.path(module) is not None:
            self.add_module(module)

    def add_module(self, module: str) -> None:
        """Add a whole module, and what it imports."""
        if module in self.whole:
            return
        self.whole.add(module)
        for imported in source.read(self.path(module)).imports:
            self.follow(*imported)

    def follow(self, module: str, name: str | None) -> None:
        """Add what an import leads to: a definition of a module of this library, or one of its modules."""
        whole = self.module_of((module, name))
        if whole is not None:
            self.add_module(whole)
        elif module.split(".")[0] == self.library.name and self.path(module) is not None:
            self.add_definition(module, name)

    def module_of(self, imported: source.Import) -> str | None:
        """The module of this library that an import names; None where it names a part of one, or nothing."""
        module, name = imported
        if module.split(".")[0] != self.library.name:
            return None
        full = module if name is None else f"{module}.{name}"
        return full if self.path(full) is not None else None

    def path(self, module: str) -> Path | None:
        """The file of a module."""
        base = self.library.parent.joinpath(*module.split("."))
        return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
