"""Small changes of a piece of Python: each gives a mutant that differs in one place.

The changes are those that mutation testing commonly makes (operators and their order, numbers, conditions,
arguments, one parameter for another, statements), and a few that matter for tensors: an axis, a reduction, a
logarithm, a dropped call.
"""

import ast
import copy
import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

OTHER_OPERATOR = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
OTHER_COMPARISON = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
OTHER_NAME = {
    "mean": "sum", "sum": "mean", "max": "min", "min": "max", "amax": "amin", "amin": "amax",
    "argmax": "argmin", "argmin": "argmax", "sigmoid": "tanh", "log": "log2", "exp": "exp2", "sqrt": "square",
    "square": "abs", "abs": "square", "ones": "zeros", "zeros": "ones", "ones_like": "zeros_like",
    "zeros_like": "ones_like", "any": "all", "all": "any", "std": "var", "var": "std", "floor": "ceil",
    "ceil": "floor", "sin": "cos", "cos": "sin", "append": "extend", "eigh": "svd", "pinv": "inv",
}  # fmt: skip


MODULES = ("torch", "math", "np", "nn", "stats", "super()")  # `torch.exp(x)` → `torch` says nothing


@dataclass(frozen=True)
class Mutant:
    """A changed piece of code.

    Args:
        code: the whole text.
        change: what was changed, and in which line: `` `a + b` → `a - b` in `return a + b` ``.
    """

    code: str
    change: str


def mutants(code: str, lines: set[int] | None = None) -> Iterator[Mutant]:
    """Every mutant of a text, each once.

    Args:
        code: the text.
        lines: the lines that may change; None means all.
    """
    tree = ast.parse(code)
    kept = pickle.dumps(tree)
    seen = {ast.unparse(tree)}
    parameters = sorted({each.arg for each in ast.walk(tree) if isinstance(each, ast.arg)} - {"self"})
    told: Counter[str] = Counter()
    for number, node in enumerate(ast.walk(tree)):
        line = getattr(node, "lineno", None)
        if line is None or (lines is not None and line not in lines):
            continue
        for other in (*changed(node), *of_parameter(node, parameters)):
            made = replaced(kept, number, other)
            try:
                text = ast.unparse(made)
                compile(text, "mutant", "exec")
            except (SyntaxError, ValueError, TypeError):  # not every change makes a program
                continue
            if text not in seen:
                seen.add(text)
                where = " ".join(code.split("\n")[line - 1].split("#")[0].split()).replace("`", "'")
                change = f"`{short(node)}` → `{short(other) or 'nothing'}` in `{where}`"
                told[change] += 1
                yield Mutant(text, change + (f" ({told[change]})" if told[change] > 1 else ""))


def replaced(kept: bytes, number: int, other: ast.AST | list) -> ast.Module:
    """A pickled tree with the node of this number (in the order of ``ast.walk``) replaced or taken out.

    Pickled, because ``deepcopy`` takes several times as long, and there are thousands of copies.
    """
    made = pickle.loads(kept)
    target = list(ast.walk(made))[number]

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST):
            return copy.deepcopy(other) if node is target else self.generic_visit(node)

    return Replace().visit(made)


def short(node: ast.AST | list | None) -> str:
    if node is None or isinstance(node, ast.Pass):
        return ""
    parts = node if isinstance(node, list) else [node]
    text = "; ".join(ast.unparse(part) for part in parts).replace("\n", "; ")
    text = " ".join(text.split()).replace("`", "'")
    return text if len(text) <= 90 else text[:89] + "…"


# --- the changes of one node -----------------------------------------------------------------


def changed(node: ast.AST) -> Iterator[ast.AST | list]:
    """What may stand in the place of a node."""
    for kind, changes in CHANGES.items():
        if isinstance(node, kind):
            yield from changes(node)


def like(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with other fields."""
    made = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def of_operation(node: ast.BinOp) -> Iterator[ast.AST]:
    other = OTHER_OPERATOR.get(type(node.op))
    if other:
        yield like(node, op=other())
    yield node.left
    yield node.right
    if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
        yield like(node, left=node.right, right=node.left)


def of_unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def of_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for other in OTHER_COMPARISON.get(type(node.ops[0]), ()):
        yield like(node, ops=[other(), *node.ops[1:]])


def of_boolean(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield like(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    yield from node.values


def of_constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
        if value:
            yield ast.Constant(-value)
    elif isinstance(value, str):
        yield ast.Constant(value + "_")


def of_call(node: ast.Call) -> Iterator[ast.AST]:
    if node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).split(".")[0] not in MODULES:
        yield node.func.value
    for place in range(len(node.args)):
        yield like(node, args=[*node.args[:place], *node.args[place + 1 :]])
    for place in range(len(node.keywords)):
        yield like(node, keywords=[*node.keywords[:place], *node.keywords[place + 1 :]])
    if len(node.args) >= 2:
        yield like(node, args=[node.args[1], node.args[0], *node.args[2:]])


def of_attribute(node: ast.Attribute) -> Iterator[ast.AST]:
    if node.attr in OTHER_NAME:
        yield like(node, attr=OTHER_NAME[node.attr])
    if node.attr in ("T", "mT", "real"):
        yield node.value


def of_name(node: ast.Name) -> Iterator[ast.AST]:
    if node.id in OTHER_NAME and isinstance(node.ctx, ast.Load):
        yield like(node, id=OTHER_NAME[node.id])


def of_parameter(node: ast.AST, parameters: list[str]) -> Iterator[ast.AST]:
    """Another parameter in the place of one."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in parameters:
        yield from (like(node, id=other) for other in parameters if other != node.id)


def of_subscript(node: ast.Subscript) -> Iterator[ast.AST]:
    if isinstance(node.ctx, ast.Load):
        yield node.value


def of_slice(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper", "step"):
        if getattr(node, name) is not None:
            yield like(node, **{name: None})


def of_choice(node: ast.IfExp) -> Iterator[ast.AST]:
    yield node.body
    yield node.orelse


def of_condition(node: ast.If | ast.While) -> Iterator[ast.AST]:
    yield like(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.If):
        yield node.body
        yield node.orelse or ast.Pass()


def of_augmented(node: ast.AugAssign) -> Iterator[ast.AST]:
    other = OTHER_OPERATOR.get(type(node.op))
    if other:
        yield like(node, op=other())
    yield ast.Pass()


def of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def of_with(node: ast.With) -> Iterator[list]:
    yield node.body


def of_list(node: ast.List | ast.Tuple) -> Iterator[ast.AST]:
    if isinstance(node.ctx, ast.Load) and len(node.elts) >= 2:
        yield like(node, elts=list(reversed(node.elts)))


CHANGES = {
    ast.BinOp: of_operation,
    ast.UnaryOp: of_unary,
    ast.Compare: of_comparison,
    ast.BoolOp: of_boolean,
    ast.Constant: of_constant,
    ast.Call: of_call,
    ast.Attribute: of_attribute,
    ast.Name: of_name,
    ast.Subscript: of_subscript,
    ast.Slice: of_slice,
    ast.IfExp: of_choice,
    (ast.If, ast.While): of_condition,
    ast.AugAssign: of_augmented,
    (ast.Assign, ast.Expr, ast.Return, ast.Break, ast.Continue): of_statement,
    ast.With: of_with,
    (ast.List, ast.Tuple): of_list,
}
