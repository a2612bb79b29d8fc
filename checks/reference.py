"""The solutions, as the build exports them, and what becomes of them by a mistake."""

from __future__ import annotations

import ast
import functools
import gzip
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from checks.mistakes import BEGIN, END, mutants

FOLDER = Path(__file__).parent / "references"
TABLES = Path(__file__).parent / "tables"


class Reference:
    """The solution of one exercise.

    Args:
        cell: the answer's cell, solved.
        check: the cell that checks it, a call.
        known: what the notebook imports and defines, as far as its solutions need it.
    """

    def __init__(self, cell: str, check: str, known: Mapping[str, Any]) -> None:
        self.cell, self.check, self.known = cell, check, known
        tree = ast.parse(cell)
        defined = {node.name for node in tree.body if hasattr(node, "name")} | {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        arguments = ast.parse(check).body[-1].value.args
        #: what the reader calls the answers: the arguments of the check that the cell defines
        self.answers = [a.id for a in arguments if isinstance(a, ast.Name) and a.id in defined]

    @classmethod
    def stored(cls, notebook: str, exercise: str) -> Reference:
        """The solution that the build has exported.

        Args:
            notebook: the name of the notebook, without its number.
            exercise: the name of the check.
        """
        found = exported(notebook)["exercises"][exercise]
        return cls("\n".join(found["cell"]), "\n".join(found["check"]), context(notebook))

    def run(self, code: str | CodeType | None = None, **given: Any) -> dict[str, Any]:
        """The variables after the answer's cell; ``given`` are variables of the notebook."""
        namespace = dict(self.known) | given
        exec(self.cell if code is None else code, namespace)
        return namespace

    def changed(self, row: Row) -> Iterator[str]:
        """The cell with the mistake of a row; with each of them, if there are several ways.

        Raises:
            ValueError: what is to be changed is not in the cell, or what comes of it is no Python.
        """
        for way in range(max(change.count(" || ") for change in row.changes) + 1):
            source = self.cell
            for change in row.changes:
                source = edited(source, change, way)
            try:
                ast.parse(source)
            except SyntaxError as error:
                raise ValueError(f"{row.changes[0]!r} makes no Python: {error}") from error
            yield source

    @functools.cached_property
    def mutants(self) -> list[tuple[str, CodeType]]:
        """The generic mistakes, each as a sentence and code."""
        return list(mutants(self.cell))


def sections(text: str) -> list[tuple[str, str]]:
    """The (heading, text) of what stands below lines that begin with ``# %% ``."""
    _, *parts = re.split(r"^# %% (.*)$", text, flags=re.M)
    return list(zip(parts[::2], parts[1::2], strict=True))


class Row(NamedTuple):
    """A mistake: how to make it in the text of a cell, and the sentence for who has made it.

    ``old => new`` replaces; several changes are made at once; ``=> code`` adds lines after the
    solution, and ``* => code`` puts them in its place; ``=> a || b`` are two ways to go wrong.
    """

    changes: list[str]
    sentence: str


def rows(table: str) -> Iterator[Row]:
    """The rows of a table of mistakes: changes, and below them an indented sentence."""
    text = textwrap.dedent(table).strip("\n")
    for changes, sentence in re.findall(r"((?:^(?!    ).*\n)*)((?:^    .*\n?)+)", text, flags=re.M):
        lines = [line.strip() for line in sentence.splitlines()]
        yield Row([change for change in changes.splitlines() if change.strip()], "\n".join(lines))


def edited(source: str, change: str, way: int = 0) -> str:
    """The source of a cell after one change of a table of mistakes."""
    change = f" {change} ".replace("\\n", "\n")
    old, arrow, new = (part.strip() for part in change.partition(" => "))
    ways = [part.strip() for part in new.split(" || ")]
    new = ways[min(way, len(ways) - 1)]
    if not arrow:
        raise ValueError(f"no ` => ` in the change {change!r}")
    if old in ("", "*"):
        return with_solution(source, new, keep=not old)
    if old not in source:
        raise ValueError(f"{old!r} is not in the solution:\n{source}")
    return source.replace(old, new)


def with_solution(cell: str, code: str, *, keep: bool = False) -> str:
    """The cell with code in the place of its (last) solution, or after it."""
    *_, region = re.finditer(rf"^( *){BEGIN}\n(.*?)^ *{END}", cell, flags=re.M | re.S)
    text = textwrap.indent(code, region[1]) + "\n"
    begin, end = region.span(2)
    return cell[: end if keep else begin] + text + cell[end:]


@functools.cache
def exported(notebook: str) -> Mapping[str, Any]:
    """What the build has exported of a notebook: its context and its exercises."""
    return json.loads(stored_text(FOLDER / f"{notebook}.json"))


def stored_text(path: Path) -> str:
    """A file's text; in what students get, it is packed, so that nobody reads it by chance."""
    packed = path.with_name(f"{path.name}.gz")
    content = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    return content.decode("utf-8")


@functools.cache
def context(notebook: str) -> Mapping[str, Any]:
    """What the notebook imports and defines, as far as its solutions need it."""
    namespace: dict[str, Any] = {"__name__": f"checks.references.{notebook}"}
    exec("\n".join(exported(notebook)["context"]), namespace)
    return namespace
