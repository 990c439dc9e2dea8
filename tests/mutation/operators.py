"""Small changes to a module's source, each as likely a slip as the next: what tests must notice.

A mutant is the source with one piece replaced, found by its place in the syntax tree, so that all else stays as it was
written. Words for people are left alone: docstrings, annotations, messages of errors and of the log.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

COMPARED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,  # codespell:ignore notin
}  # fmt: skip
COMPUTED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
FOR_PEOPLE = ("logger",)


@dataclass(frozen=True)
class Mutant:
    """One module with one piece of it replaced."""

    path: Path
    line: int
    before: str
    after: str
    source: str

    @property
    def is_python(self) -> bool:
        """Whether it can be compiled: not every piece may stand everywhere."""
        try:
            compile(self.source, "mutant", "exec")
        except SyntaxError:
            return False
        return True

    def __str__(self) -> str:
        """Where, and what has become what."""
        return f"{self.path}:{self.line}: {_short(self.before)} → {_short(self.after)}"


def mutants(path: Path, source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    text = source.encode()
    starts = list(accumulate((len(line) for line in text.splitlines(keepends=True)), initial=0))
    found = []
    for node, changed in _changes(ast.parse(source)):
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        before, after = text[start:end].decode(), _written(node, changed)
        if before != after:
            made = (text[:start] + after.encode() + text[end:]).decode()
            found.append(Mutant(path, node.lineno, before, after, made))
    return found


def _written(node: ast.AST, changed: ast.AST) -> str:
    text = ast.unparse(changed)
    return f"({text})" if isinstance(node, ast.expr) and not isinstance(changed, (ast.Constant, ast.Call)) else text


def _changes(node: ast.AST) -> Iterator[tuple[Any, ast.AST]]:
    """Each node that may be another, and what it may be; nothing below what is for people or for the type checker."""
    if _is_for_people(node):
        return
    for make in MAKERS.get(type(node), ()):
        for changed in make(node):
            yield node, changed
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "format_spec"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from _changes(child)


def _is_for_people(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.value
    return isinstance(node, (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)) or (
        isinstance(named, ast.Name) and named.id in FOR_PEOPLE
    )


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# ── what may become what ────────────────────────────────────────────────────────────────────────────────────


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        changed = copy.deepcopy(node)
        changed.ops[at] = COMPARED[type(operator)]()
        yield changed


def _join(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for at in range(len(node.values)):
        left = node.values[:at] + node.values[at + 1 :]
        yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _deny(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def _compute(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in COMPUTED:
        yield ast.BinOp(node.left, COMPUTED[type(node.op)](), node.right)


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
    elif isinstance(node.value, str):
        yield ast.Constant(node.value + "X")


def _choose(node: ast.IfExp) -> Iterator[ast.AST]:
    yield ast.IfExp(node.test, node.orelse, node.body)


def _branch(node: ast.If) -> Iterator[ast.AST]:
    changed = copy.deepcopy(node)
    changed.test = ast.UnaryOp(ast.Not(), changed.test)
    yield changed


def _answer(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _statement(node: ast.Expr) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Call) and not _is_for_people(node.value):
        yield ast.Pass()


def _call(node: ast.Call) -> Iterator[ast.AST]:
    for at, keyword in enumerate(node.keywords):
        if keyword.arg:
            yield ast.Call(node.func, node.args, node.keywords[:at] + node.keywords[at + 1 :])


def _stop(node: ast.Break) -> Iterator[ast.AST]:
    yield ast.Continue()


def _go_on(node: ast.Continue) -> Iterator[ast.AST]:
    yield ast.Break()


MAKERS: dict[type, tuple[Callable[..., Iterator[ast.AST]], ...]] = {
    ast.Compare: (_compare,), ast.BoolOp: (_join,), ast.UnaryOp: (_deny,), ast.BinOp: (_compute,),
    ast.Constant: (_constant,), ast.IfExp: (_choose,), ast.If: (_branch,), ast.Return: (_answer,),
    ast.Expr: (_statement,), ast.Call: (_call,), ast.Break: (_stop,), ast.Continue: (_go_on,),
}  # fmt: skip


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:69]}…"
