"""The mutants of a file of the library, one definition after the other.

Only what runs is changed: no docstring, no annotation, no message of an error, no text for people.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import indent

from tools.mutation.operators import mutants

SHOWN = ("extra_repr", "__repr__")  # definitions that only make text for people


@dataclass(frozen=True)
class FileMutant:
    """A changed file.

    Args:
        code: the whole text.
        definition: the dotted name of the function or method that was changed; empty for a statement outside.
        change: where and what was changed: ``Shade.update: `a + b` → `a - b` in `return a + b` ``.
    """

    code: str
    definition: str
    change: str


def file_mutants(code: str) -> Iterator[FileMutant]:
    """Every mutant of a file, each once."""
    statements = list(_statements(bare(code)))
    texts = [each.text for each in statements]
    for place, each in enumerate(statements):
        if not each.changes:
            continue
        where = each.definition or each.holder or "file"
        for mutant in mutants(each.text, outside_of_raise(each.text)):
            whole = [*texts[:place], mutant.code or "pass", *texts[place + 1 :]]
            made = "\n".join(indent(text, s.margin) for text, s in zip(whole, statements))
            yield FileMutant(made, each.definition, f"{where}: {mutant.change}")


@dataclass(frozen=True)
class _Statement:
    """A statement of a file or of a class in it, or the head of a class."""

    text: str
    margin: str
    holder: str
    definition: str
    changes: bool


def _statements(tree: ast.Module) -> Iterator[_Statement]:
    for outer in tree.body:
        if isinstance(outer, ast.ClassDef):
            body, outer.body = outer.body, [ast.Pass()]
            head = ast.unparse(outer).removesuffix("\n    pass")
            yield _Statement(head, "", outer.name, "", changes=False)
            yield from (_statement(inner, "    ", outer.name) for inner in body)
        else:
            yield _statement(outer, "", "")


def _statement(node: ast.stmt, margin: str, holder: str) -> _Statement:
    name = getattr(node, "name", "")
    definition = ".".join(part for part in (holder, name) if name and part)
    changes = name not in SHOWN and not isinstance(node, ast.Import | ast.ImportFrom)
    return _Statement(ast.unparse(node), margin, holder, definition, changes)


def bare(code: str) -> ast.Module:
    """A file's tree without docstrings and annotations, which no test could miss."""
    return ast.fix_missing_locations(_Bare().visit(ast.parse(code)))


def outside_of_raise(code: str) -> set[int]:
    """The lines of a text in which no error is raised."""
    lines = set(range(1, code.count("\n") + 2))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Raise):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return lines


class _Bare(ast.NodeTransformer):
    def visit_Module(self, node):
        return self._without_docstring(node)

    def visit_ClassDef(self, node):
        for each in node.body:
            if isinstance(each, ast.AnnAssign):  # a dataclass or a named tuple is nothing without its fields
                each.annotation, each.kept = ast.Name("object", ast.Load()), True
        return self._without_docstring(node)

    def visit_FunctionDef(self, node):
        node.returns = None
        return self._without_docstring(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        if getattr(node, "kept", False):
            return node
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def _without_docstring(self, node):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node
