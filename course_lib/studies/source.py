"""A Python file as pieces: what its top level defines, what it imports, which of its lines do something."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

Import = tuple[str, str | None]  # (module, name taken from it)


@dataclass(frozen=True)
class Definition:
    """A statement of the top level.

    Attributes:
        text: its lines, without docstrings, comments and blank lines.
        names: every name that occurs in it.
        values: those that occur outside of annotations, so that they take part when it runs.
        reached: what is taken from them with a dot, ``(name, attribute)``.
        bare: those of the values that occur without a dot behind them.
        imports: what is imported inside of it.
        strings: the texts that are written in it, names of sets among them.
    """

    text: str
    names: frozenset[str]
    values: frozenset[str]
    reached: frozenset[tuple[str, str]]
    bare: frozenset[str]
    imports: tuple[Import, ...]
    strings: frozenset[str]


@dataclass(frozen=True)
class Source:
    """A file.

    Attributes:
        text: its lines, without docstrings, comments and blank lines.
        definitions: name -> the top-level statements that define it, assign to it or put items into it.
        doing: the top-level statements that run when the file is imported and define nothing.
        imported: name -> where the top level imports it from.
        imports: everything that the file imports, at any depth.
    """

    text: str
    definitions: dict[str, list[Definition]]
    doing: tuple[Definition, ...]
    imported: dict[str, Import]
    imports: tuple[Import, ...]


def read(path: Path) -> Source:
    """Read a file; files that have not changed are read once."""
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _read(path: Path, _changed: int) -> Source:
    code = path.read_text(encoding="utf-8")
    tree, lines = ast.parse(code), code.splitlines()
    definitions: dict[str, list[Definition]] = {}
    imported: dict[str, Import] = {}
    doing: list[Definition] = []
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias, found in zip(statement.names, _imports(statement)):
                imported[alias.asname or alias.name.split(".")[0]] = found
            continue
        if statement is tree.body[0] and _is_text(getattr(statement, "value", None)):
            continue  # the docstring of the module
        definition = _definition(statement, lines)
        bound = _bound(statement)
        for name in bound:
            definitions.setdefault(name, []).append(definition)
        if not bound:
            doing.append(definition)
    text = _text(lines, range(1, len(lines) + 1), _docstrings(tree))
    return Source(text, definitions, tuple(doing), imported, _imports(tree))


def _definition(statement: ast.stmt, lines: list[str]) -> Definition:
    first = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", ()))])
    annotations = [
        annotation
        for node in ast.walk(statement)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(annotation, ast.AST)
    ]
    silent = {id(node) for annotation in annotations for node in ast.walk(annotation)}
    running = [node for node in ast.walk(statement) if id(node) not in silent]
    dotted = [
        node for node in running if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]
    behind_a_dot = {id(node.value) for node in dotted}
    return Definition(
        _text(lines, range(first, statement.end_lineno + 1), _docstrings(statement)),
        frozenset(_names(ast.walk(statement))),
        frozenset(_names(running)),
        frozenset((node.value.id, node.attr) for node in dotted),
        frozenset(_names(node for node in running if id(node) not in behind_a_dot and _is_read(node))),
        _imports(statement),
        frozenset(node.value for node in running if _is_text(node)),
    )


def _text(lines: list[str], numbers: range, silent: set[int]) -> str:
    kept = (lines[number - 1].rstrip() for number in numbers if number not in silent)
    return "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))


def _is_read(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement defines, assigns to, or puts an item into."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names = set()
    for node in _outside_of_scopes(statement):
        if isinstance(getattr(node, "ctx", None), ast.Store):
            while isinstance(node, ast.Subscript | ast.Attribute):
                node = node.value
            if isinstance(node, ast.Name):
                names.add(node.id)
    return names


def _outside_of_scopes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one, except those in comprehensions and lambdas, whose variables are their own."""
    yield node
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda):
            yield from _outside_of_scopes(inner)


def _imports(node: ast.AST) -> tuple[Import, ...]:
    found: list[Import] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            found += [(alias.name, None) for alias in inner.names]
        elif isinstance(inner, ast.ImportFrom) and inner.level == 0:
            found += [(inner.module, alias.name) for alias in inner.names]
    return tuple(found)


def _docstrings(node: ast.AST) -> set[int]:
    """The numbers of the lines of docstrings."""
    lines: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(inner):
            lines.update(range(inner.body[0].lineno, inner.body[0].end_lineno + 1))
    return lines
