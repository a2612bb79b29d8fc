"""Mistakes that people make in any formula, made in the syntax tree of a solution.

Each rule changes one place between ``### BEGIN SOLUTION`` and ``### END SOLUTION``, and says in a
sentence what somebody who does so has done. That is mutation testing, used the other way round: the
error models of Singh, Gulwani and Solar-Lezama (2013), https://doi.org/10.1145/2491956.2462195.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
Change = tuple[ast.AST, str, Any]  # a node of the tree, one of its fields, and what it becomes


class Mutant(NamedTuple):
    """A changed solution, and the sentence for somebody whose answer behaves like it."""

    sentence: str
    code: CodeType


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
RULES: dict[str, dict[str, str]] = _TABLES["rules"]  # pattern -> replacement -> sentence
TOO_MUCH: dict[str, str] = _TABLES["too_much"]
OF_RESULT: dict[str, str] = _TABLES["of_result"]
OTHER_NUMBERS = ("-A", "2 * A", "A / 2", "A ** 2", "A ** 0.5", "1 / A", "A + 1", "A - 1", "0", "1")


def mutants(source: str) -> Iterator[Mutant]:
    """Every mistake of this module in the solution regions of a cell, one at a time."""
    cell = _Cell(source)
    for sentence, (node, field, new) in cell.changes():
        old = getattr(node, field)
        setattr(node, field, new)
        try:
            code = compile(ast.fix_missing_locations(cell.tree), "<mutant>", "exec")
        except (SyntaxError, ValueError, TypeError):
            continue
        finally:
            setattr(node, field, old)
        yield Mutant(sentence, code)


class _Cell:
    """The syntax tree of a cell, and what the reader sees of its names."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        inside, self.lines = False, set()
        for number, line in enumerate(source.splitlines(), 1):
            inside = (inside or BEGIN in line) and END not in line
            if inside:
                self.lines.add(number)
        nodes = list(ast.walk(self.tree))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        stored = {n.id for n in names if isinstance(n.ctx, ast.Store) and n.lineno in self.lines}
        outside = {n.id for n in names if n.lineno not in self.lines}
        parents = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        calls = [node.func for node in nodes if isinstance(node, ast.Call)]
        called = {func.id for func in calls if isinstance(func, ast.Name)}
        arguments = {node.arg for node in nodes if isinstance(node, ast.arg)} - {"self"}
        strings = {node.value for node in nodes if _is_text(node)}
        self.steps = sorted(stored - outside - strings)
        self.outputs = sorted(stored & outside)
        inside_names = {n.id for n in names if n.lineno in self.lines}
        self.inputs = sorted(arguments & inside_names)
        data = {n.id for n in names if id(n) not in parents} | arguments | stored
        self.variables = sorted(data - called - set(self.steps))
        subscripts = [node.slice for node in nodes if isinstance(node, ast.Subscript)]
        self.keys = sorted({node.value for node in subscripts if _is_text(node)})

    def words(self, node: ast.AST) -> str:
        """A part of the solution in words that do not spell it out."""
        match node:
            case ast.Constant(value=int() | float() as value):
                return f"the number {value:g}"
            case ast.Name(id=name) if name in self.variables:
                return f"`{name}`"
            case ast.Subscript(slice=ast.Constant(value=str() as key)):
                return f"`{key}`"
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in self.variables]
        keys = [n.value for n in ast.walk(node) if _is_text(n) and n.value in self.keys]
        known = list(dict.fromkeys(keys or names))[:3]
        return f"the part with {' and '.join(f'`{k}`' for k in known)}" if known else "one part"

    def changes(self) -> Iterator[tuple[str, Change]]:
        for parent in list(ast.walk(self.tree)):
            for field, value in ast.iter_fields(parent):
                many = isinstance(value, list)
                for place, node in enumerate(value if many else [value]):
                    if isinstance(node, ast.expr) and node.lineno in self.lines:
                        for sentence, new in self.replacements(node, parent):
                            new = _spliced(value, place, [new]) if many else new
                            yield sentence, (parent, field, new)
        for parent in list(ast.walk(self.tree)):
            for field in ("body", "orelse"):
                body = getattr(parent, field, None)
                body = body if isinstance(body, list) else []  # a lambda's is an expression
                places = [k for k, node in enumerate(body) if node.lineno in self.lines]
                for place in places:
                    for sentence, new in self.of_statement(body[place], alone=len(body) == 1):
                        yield sentence, (parent, field, _spliced(body, place, new))
                if places and getattr(parent, "lineno", 0) not in self.lines:
                    first, last = places[0], places[-1] + 1
                    for sentence, *more in self.of_region():
                        before, after = (ast.parse(code).body for code in more)
                        new = [*body[:first], *before, *body[first:last], *after, *body[last:]]
                        yield sentence, (parent, field, new)

    def replacements(self, node: ast.expr, parent: ast.AST) -> Iterator[tuple[str, ast.expr]]:
        for pattern, changes in RULES.items():
            if (found := _match(_parsed(pattern), node)) is not None:
                yield from self.rewritten(changes, found)
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name in self.variables:
                for other in (variable for variable in self.variables if variable != name):
                    new = ast.Name(other, node.ctx)
                    yield f"you use `{other}` where `{name}` belongs.", new
                if not (isinstance(parent, ast.Call) and _name_of(parent) == "len"):
                    yield from self.rewritten(TOO_MUCH, {"A": node})
            case ast.Subscript(slice=ast.Constant(value=key), ctx=ast.Load()):
                others = self.keys if isinstance(key, str) else (0, 1, -1)
                said = ("`{}`" if isinstance(key, str) else "entry {}").format
                for other in (other for other in others if other != key):
                    new = ast.Subscript(node.value, ast.Constant(other), node.ctx)
                    yield f"you use {said(other)} where {said(key)} belongs.", new
                yield from self.rewritten(TOO_MUCH, {"A": node})
            case ast.Constant(int() | float() as number) if not isinstance(parent, ast.Subscript):
                for template in OTHER_NUMBERS:
                    try:
                        value = eval(template, {"A": number})
                    except ArithmeticError:
                        continue
                    if value != number and not isinstance(value, complex) and abs(value) <= 1000:
                        new = _filled(template, {"A": node})
                        yield f"you have {value:g} where {number:g} belongs.", new
            case ast.Call(func=func, keywords=keywords) if keywords:
                for keyword in keywords:
                    rest = [k for k in keywords if k is not keyword]
                    yield f"`{keyword.arg}=` is missing.", ast.Call(func, node.args, rest)
        if isinstance(node, ast.BinOp) and not isinstance(parent, ast.BinOp):
            yield from self.swapped(node)
        inner = _receiver(node)
        if (innermost := _receiver(inner)) is not None:
            order = f"first `{_name_of(inner)}`, then `{_name_of(node)}`"
            yield f"the order is wrong: {order}.", _around(inner, _around(node, innermost))

    def swapped(self, node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        """Two variables, or two keys, that have changed places in a formula."""
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & set(self.variables)
        texts = {n.value for n in ast.walk(node) if _is_text(n)} & set(self.keys)
        for names in (used, texts):
            for one, other in itertools.combinations(sorted(names), 2):
                new = copy.deepcopy(node)
                turned = {one: other, other: one}
                for part in ast.walk(new):
                    if isinstance(part, ast.Name) and names is used:
                        part.id = turned.get(part.id, part.id)
                    elif _is_text(part) and names is texts:
                        part.value = turned.get(part.value, part.value)
                yield f"`{one}` and `{other}` have changed places.", new

    def rewritten(
        self, changes: dict[str, str], found: dict[str, ast.expr]
    ) -> Iterator[tuple[str, ast.expr]]:
        words = {name: self.words(node) for name, node in found.items()}
        for template, sentence in changes.items():
            yield sentence.format(**words), _filled(template, found)

    def of_statement(self, node: ast.stmt, *, alone: bool) -> Iterator[tuple[str, list[ast.stmt]]]:
        """What may stand in the place of a statement, which may be ``alone`` in its block."""
        match node:
            case ast.With(items=[ast.withitem(context_expr=ast.Call() as context)], body=inner):
                yield f"`{_name_of(context)}` is missing.", inner
            case ast.If(body=first, orelse=second) if second:
                turned = ast.If(node.test, second, first)
                yield "the two cases of the `if` have changed places.", [turned]
                for only in (first, second):
                    yield "two cases are not told apart.", only
            case ast.Expr(value=ast.Call() as left_out) if not alone:
                yield f"a step is missing: `{_name_of(left_out)}`.", []
            case ast.Return(value=ast.expr() as value):
                for template, sentence in (TOO_MUCH | OF_RESULT).items():
                    new = ast.Return(_filled(template, {"A": value}))
                    yield sentence.format(A="the result"), [new]

    def of_region(self) -> Iterator[tuple[str, str, str]]:
        """The sentence, and the code of a mistake made before and after the whole solution."""

        def assign(name: str, template: str) -> str:
            return f"{name} = {ast.unparse(_filled(template, {'A': ast.Name(name, ast.Load())}))}"

        for one, other in itertools.combinations(self.inputs, 2):
            swap = f"{one}, {other} = {other}, {one}"
            yield f"`{one}` and `{other}` have changed places.", swap, ""
        for one, other in itertools.combinations(self.outputs, 2):
            swap = f"{one}, {other} = {other}, {one}"
            yield f"`{one}` and `{other}` have changed places.", "", swap
        for name in self.inputs:
            for template, sentence in TOO_MUCH.items():
                yield sentence.format(A=f"`{name}`"), assign(name, template), ""
        for name in self.outputs:
            for template, sentence in (TOO_MUCH | OF_RESULT).items():
                yield sentence.format(A="the result"), "", assign(name, template)
            for other in (*self.steps, *self.inputs, *self.outputs):
                if other != name:
                    what = "a step on the way" if other in self.steps else f"`{other}`"
                    yield f"that is {what}: the calculation goes on.", "", f"{name} = {other}"
                    for op in "+-*/":
                        change = f"{name} = {name} {op} {other}"
                        yield f"{what} does not belong in `{name}`.", "", change


# ------------------------------------------------------------------------------- syntax trees


@functools.cache
def _parsed(pattern: str) -> ast.expr:
    return ast.parse(pattern, mode="eval").body


def _match(pattern: ast.AST, node: ast.AST) -> dict[str, ast.expr] | None:
    """What A, B and C stand for, if the node has the form of the pattern."""
    if isinstance(pattern, ast.Name) and pattern.id in ("A", "B", "C"):
        return {pattern.id: node} if isinstance(node, ast.expr) else None
    if type(pattern) is not type(node):
        return None
    found: dict[str, ast.expr] = {}
    for field, part in ast.iter_fields(pattern):
        other = getattr(node, field)
        parts, others = (x if isinstance(x, list) else [x] for x in (part, other))
        if len(parts) != len(others):
            return None
        for one, two in zip(parts, others, strict=True):
            if not isinstance(one, ast.AST):
                if one != two or type(one) is not type(two):
                    return None
            elif (inside := _match(one, two)) is None:
                return None
            else:
                found |= inside
    return found


def _filled(template: str, values: dict[str, ast.expr]) -> ast.expr:
    class Filling(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802  (ast's own convention)
            return copy.deepcopy(values[node.id]) if node.id in values else node

    return Filling().visit(copy.deepcopy(_parsed(template)))


def _receiver(call: ast.expr | None) -> ast.expr | None:
    """The x of x.f() or m.f(x) or f(x), if it is a call of these."""
    if not isinstance(call, ast.Call):
        return None
    if isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name):
        return call.func.value
    return call.args[0] if len(call.args) == 1 and not call.keywords else None


def _around(call: ast.Call, inner: ast.expr) -> ast.Call:
    """The same call of something else."""
    if isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name):
        func = ast.Attribute(inner, call.func.attr, ast.Load())
        return ast.Call(func, call.args, call.keywords)
    return ast.Call(call.func, [inner], [])


def _spliced(nodes: list, place: int, new: list) -> list:
    return [*nodes[:place], *new, *nodes[place + 1 :]]


def _name_of(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", "a call"))


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
