"""The mutants of a module: its text with one small error in it, made from its syntax tree."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
TURNED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.MatMult: ast.Mult,
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum",
    "amin": "amax", "amax": "amin", "sum": "mean", "mean": "sum", "argmax": "argmin", "argmin": "argmax",
    "floor": "ceil", "ceil": "floor", "zeros_like": "ones_like", "ones_like": "zeros_like", "cumsum": "cumprod",
    "nansum": "nanmean", "isfinite": "isnan", "quantile": "median", "searchsorted": "digitize",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One error: where it stands, what it was, and the module's text with it."""

    module: str
    line: int
    last: int
    before: str
    after: str
    text: str


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its lines."""
    starts = [0]
    raw = text.encode()  # columns of the tree count bytes
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _code(ast.parse(text)):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        for after in _errors(node):
            changed = (raw[:first] + after.encode() + raw[last:]).decode()
            yield Mutant(module, node.lineno, node.end_lineno, raw[first:last].decode(), after, changed)


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """Expressions and statements that do something: no annotations, no text, nothing that only refuses."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Raise | ast.Assert) or _declares(child) or _strict(child):
                continue
            if isinstance(child, ast.If) and _for_types(child.test):
                continue
            if hasattr(child, "lineno"):
                yield child
            yield from _code(child)


def _for_types(test: ast.AST) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _declares(node: ast.AST) -> bool:
    """A table of words or a setting with its help: what they say is for people."""
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in ("param", "required", "TypeVar", "cast", "dataclass")


def _strict(node: ast.AST) -> bool:
    """`zip(..., strict=True)` asserts that lengths are equal."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _errors(node: ast.AST) -> Iterator[str]:
    for make in ERRORS:
        for changed in make(node):
            yield _written(changed, node)


def _written(changed: ast.AST, node: ast.AST) -> str:
    text = ast.unparse(changed)
    if isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.Call):
        return f"({text})"
    # A block that is put on one line would need its own indentation.
    return text if isinstance(node, ast.expr) else text.replace("\n", "\n" + " " * node.col_offset)


def _comparison(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for table in (COMPARE, TURNED):
            for place, operator in enumerate(node.ops):
                if type(operator) in table:
                    ops = [*node.ops]
                    ops[place] = table[type(operator)]()
                    yield ast.Compare(node.left, ops, node.comparators)


def _arithmetic(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        if not any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right)):
            yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield node.operand


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _constant(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int):
            yield ast.Constant(node.value + 1)
        elif isinstance(node.value, float):
            yield ast.Constant(node.value * 1.5 if node.value else 1.0)


def _condition(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name) and called.id in NAMES:
            yield ast.Call(ast.Name(NAMES[called.id]), node.args, node.keywords)
        elif isinstance(called, ast.Attribute) and called.attr in NAMES:
            yield ast.Call(ast.Attribute(called.value, NAMES[called.attr]), node.args, node.keywords)


def _statement(node: ast.AST) -> Iterator[ast.AST]:
    if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(node, ast.AugAssign):
        yield ast.Pass()
    elif isinstance(node, ast.If | ast.While):
        yield type(node)(ast.Constant(value=False), node.body, node.orelse)
        if isinstance(node, ast.If):
            yield ast.If(ast.Constant(value=True), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))


ERRORS: tuple[Callable[[ast.AST], Iterator[ast.AST]], ...] = (
    _comparison,
    _arithmetic,
    _constant,
    _condition,
    _statement,
)
