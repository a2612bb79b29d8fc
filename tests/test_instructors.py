"""INSTRUCTORS.md keeps its word: hints as students see them, minutes that add up, true figures."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from tools import notebooks

ROOT = notebooks.ROOT
GUIDE = ROOT / "INSTRUCTORS.md"
SOURCES = notebooks.sources()
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)

EXERCISE = re.compile(r"^### ✏️ Exercise (\d+)", flags=re.M)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?")


# ------------------------------------------------------------------------------ the guide


def chapter(text: str, title: str) -> str:
    """What stands under ``## title``, up to the next heading of that level."""
    _, found, rest = f"\n{text}".partition(f"\n## {title}\n")
    assert found, f"{GUIDE.name} has no chapter “{title}”"
    return re.split(r"^## ", rest, maxsplit=1, flags=re.M)[0]


@functools.cache
def parts() -> dict[str, str]:
    """The text on each notebook, by the path of the student notebook that its heading links to."""
    _, *found = re.split(
        r"^### ", chapter(GUIDE.read_text(encoding="utf-8"), "Notebook by notebook"), flags=re.M
    )
    return {links(part.partition("\n")[0])[0]: part for part in found}


def part_on(source: Path) -> str:
    return parts()[notebooks.student_path(source).relative_to(ROOT).as_posix()]


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", text)


def table(part: str, first_heading: str) -> list[list[str]]:
    """The rows, without the heading, of the table whose first column has this heading."""
    _, found, rest = part.partition(f"\n| {first_heading} |")
    assert found, f"no table that begins with “{first_heading}”"
    _, _, *lines = rest.partition("\n\n")[0].split("\n")
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def numbers_of(words: str) -> set[int]:
    """The whole numbers that "1", "3, 4", "7–9" or "3.1–3.3" (the sections 3) stand for."""
    found: set[int] = set()
    for piece in words.split(", "):
        if piece != "–":
            first, _, last = piece.partition("–")
            found |= set(range(int(float(first)), int(float(last or first)) + 1))
    return found


# ------------------------------------------------------------------------------- the notebooks


@functools.cache
def text_of(source: Path) -> str:
    return "\n".join(cell.source for cell in notebooks.read_source(source).cells)


def minutes_of(source: Path) -> int:
    return int(re.search(r"\*\*Time:\*\* (\d+) minutes", text_of(source))[1])


def exercises_of(source: Path) -> dict[str, int]:
    """The number of the exercise that each check belongs to."""
    _, *found = EXERCISE.split(text_of(source))
    tasks = zip(found[::2], found[1::2], strict=True)
    return {re.search(r"^check\.(\w+)\(", task, flags=re.M)[1]: int(n) for n, task in tasks}


class Asserted(NamedTuple):
    check: str
    message: str


@functools.cache
def asserted_messages(source: Path) -> list[Asserted]:
    """Of each wrong answer in the tests: its check, and the part of the message it has to get."""
    name = notebooks.student_path(source).stem.partition("_")[2]
    tree = ast.parse((ROOT / f"tests/test_answers_{name}.py").read_text(encoding="utf-8"))
    names = {"check": "check"} | dict(aliases(tree))
    return [
        Asserted(resolved(node.args[0], names), ast.literal_eval(node.args[2]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Wrong"
    ]


def aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Short names for checks, as in ``J = check.july`` or ``J, K = check.july, 3``."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if ast.unparse(value).startswith("check."):
                    yield ast.unparse(name), ast.unparse(value).removeprefix("check.")


def resolved(node: ast.expr, names: dict[str, str]) -> str:
    text = ast.unparse(node)
    return names[text] if text in names else text.removeprefix("check.")


@functools.cache
def printed_by(source: Path) -> list[str]:
    """All numbers in the texts and tables that the executed solution shows."""
    notebook = nbformat.read(notebooks.solution_path(source), as_version=4)
    outputs = [output for cell in notebooks.code_cells(notebook) for output in cell.outputs]
    shown = []
    for output in outputs:
        data = output.get("data", {})
        html = re.sub(r"<style.*?</style>|<[^>]*>", " ", data.get("text/html", ""), flags=re.S)
        shown += [output.get("text", ""), data.get("text/plain", ""), html]
    return NUMBER.findall("\n".join(shown))


def is_shown(figure: str, printed: list[str]) -> bool:
    """Whether one of the numbers is ``figure``, once it is rounded to as many digits."""
    plain = figure.replace(",", "").rstrip("%")
    digits = len(plain.partition(".")[2])
    return any(
        f"{float(number.replace(',', '').rstrip('%')):.{digits}f}" == f"{float(plain):.{digits}f}"
        for number in printed
        if number.endswith("%") == figure.endswith("%")
    )


# ----------------------------------------------------------------------------------- the tests


def test_every_notebook_has_its_part_and_no_other():
    expected = [notebooks.student_path(source).relative_to(ROOT).as_posix() for source in SOURCES]
    assert list(parts()) == expected


@each_source
def test_the_heading_links_to_both_notebooks(source):
    heading, _, _ = part_on(source).partition("\n")
    both = (notebooks.student_path(source), notebooks.solution_path(source))
    assert [ROOT / link for link in links(heading)] == list(both)
    for path in both:
        assert path.is_file()


@each_source
def test_minutes_add_up(source):
    *rows, total = table(part_on(source), "sections")
    whole, short = (int(cell.strip("*")) for cell in total[3:5])
    assert whole == minutes_of(source), "the notebook's first cell says how long it takes"
    assert sum(int(row[3]) for row in rows) == whole
    assert sum(int(row[4]) for row in rows) == short
    for row in rows:
        assert 0 <= int(row[4]) <= int(row[3])


@each_source
def test_every_section_and_exercise_has_its_minutes(source):
    *rows, _ = table(part_on(source), "sections")
    sections = [numbers_of(row[0]) for row in rows]
    assert [min(group) for group in sections] == sorted(min(group) for group in sections)
    headings = re.findall(r"^## (\d+)\. ", text_of(source), flags=re.M)
    assert set().union(*sections) == {int(number) for number in headings}
    exercises = [number for row in rows for number in sorted(numbers_of(row[2]))]
    assert exercises == sorted(exercises_of(source).values())


@each_source
def test_exercises_stand_in_their_sections(source):
    section, place = 0, {}
    for line in text_of(source).splitlines():
        if found := re.match(r"## (\d+)\. ", line):
            section = int(found[1])
        elif found := EXERCISE.match(line):
            place[int(found[1])] = section
    *rows, _ = table(part_on(source), "sections")
    for row in rows:
        for number in numbers_of(row[2]):
            assert place[number] in numbers_of(row[0]), f"exercise {number}"


@each_source
def test_students_see_the_hints(source):
    exercises, rows = exercises_of(source), table(part_on(source), "exercise")
    assert 5 <= len(rows) <= 10
    asserted = [(exercises[check], message) for check, message in asserted_messages(source)]
    for number, mistake, hint, _ in rows:
        (fragment,) = re.fullmatch("“(.+)”", hint).groups()
        assert any(fragment in message for n, message in asserted if n == int(number)), (
            f"no wrong answer to exercise {number} is known to get “{fragment}” ({mistake})"
        )


@each_source
def test_figures_are_on_the_screen(source):
    figures = [code for code in re.findall(r"`([^`]+)`", part_on(source)) if NUMBER.fullmatch(code)]
    assert len(figures) >= 5
    missing = [figure for figure in figures if not is_shown(figure, printed_by(source))]
    assert not missing, "the solution prints no such numbers: after a new fit, take the new ones"


def test_short_times_are_those_of_the_schedule():
    text = GUIDE.read_text(encoding="utf-8")
    if "\n## Two days, hour by hour\n" not in text:
        pytest.skip("no schedule yet")
    schedule = dict(
        re.findall(
            r"^\| [\d:]+ \| .*?\]\((Day[^)]+\.ipynb)\).*? \| (\d+) \|",
            chapter(text, "Two days, hour by hour"),
            flags=re.M,
        )
    )
    short = {path: table(part, "sections")[-1][4].strip("*") for path, part in parts().items()}
    assert schedule == short
