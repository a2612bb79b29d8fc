"""Where something stands, so that a test can name it: `INSTRUCTORS.md:203`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.build import ROOT


class Found(NamedTuple):
    place: str
    match: re.Match[str]


def find(pattern: str, path: Path) -> Iterator[Found]:
    """What a pattern finds in a file (`^` and `$` are those of a line), and where."""
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(pattern, text, re.M):
        line = text.count("\n", 0, match.start()) + 1
        yield Found(f"{path.relative_to(ROOT).as_posix()}:{line}", match)


def place(path: Path, text: str) -> str:
    """Where a text stands first; the file alone if it is not there."""
    name = path.relative_to(ROOT).as_posix()
    return next((place for place, _ in find(re.escape(text), path)), name)


def stated_minutes(source: Path) -> int:
    """The minutes in class that the first cell of a notebook states."""
    found = re.search(r"\*\*Time:\*\* (\d+) minutes in class", source.read_text("utf-8"))
    assert found, f"{place(source, '**Time:**')}: “**Time:** N minutes in class.”, it should say"
    return int(found[1])
