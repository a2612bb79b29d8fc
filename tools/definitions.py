"""The functions and classes of a solution, without its data, fits and pictures."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"


def definitions(name: str, constants: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a solution imports and defines, and these ``constants``; its cells are not run.

    Raises:
        ValueError: no solution, or more than one, has ``name`` in its own.
    """
    sources = [source for source in SOLUTIONS.glob("Day*/*.py") if name in source.stem]
    if len(sources) != 1:
        raise ValueError(f"{len(sources)} solutions have {name!r} in their name.")
    tree = ast.parse(sources[0].read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in constants)
    ]
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(tree, sources[0].name, "exec"), namespace)
    return namespace
