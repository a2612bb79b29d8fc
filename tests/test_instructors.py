"""INSTRUCTORS.md keeps its word: hints as students see them, minutes that add up, true figures."""

from __future__ import annotations

import ast
import collections
import functools
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from checks import crashes, engine, models, parameters, reference
from tests.places import place, stated_minutes
from tools import build

pytestmark = pytest.mark.ours
ROOT = build.ROOT
GUIDE = ROOT / "INSTRUCTORS.md"
SOURCES = build.sources()

EXERCISE = re.compile(r"^### ✏️ Exercise (\d+)", flags=re.M)
PLAN = "Two days, hour by hour"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?")


def chapter(text: str, title: str) -> str:
    """What stands under ``## title``, up to the next heading of that level."""
    _, found, rest = f"\n{text}".partition(f"\n## {title}\n")
    assert found, f"{GUIDE.name} has no chapter “{title}”"
    return re.split(r"^## ", rest, maxsplit=1, flags=re.M)[0]


def text_of_guide() -> str:
    return GUIDE.read_text(encoding="utf-8")


def student(source: Path) -> str:
    return build.student_path(source).relative_to(ROOT).as_posix()


def part_on(source: Path) -> str:
    """The text on a notebook, from its heading, which links to it."""
    _, *parts = re.split(r"^### ", chapter(text_of_guide(), "Notebook by notebook"), flags=re.M)
    found = [part for part in parts if f"]({student(source)})" in part.partition("\n")[0]]
    where = place(GUIDE, "## Notebook by notebook")
    assert found, f"{where}: no part has {student(source)} in its heading"
    return found[0]


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", text)


def table(part: str, first_heading: str) -> list[list[str]]:
    """The rows, without the heading, of the table whose first column has this heading."""
    _, found, rest = part.partition(f"\n| {first_heading} |")
    assert found, f"no table that begins with “{first_heading}”"
    _, _, *lines = rest.partition("\n\n")[0].split("\n")
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


@functools.cache
def text_of(source: Path) -> str:
    return "\n".join(cell.source for cell in build.read_source(source).cells)


def sentences(name: str) -> dict[str, str]:
    """For each exercise of a notebook, by its number, all that its check may say."""
    module = importlib.import_module(f"checks.{name}")
    explained = (crashes.EXPLANATIONS, crashes.FROM_NONE)
    of_all = [text for table in explained for text in table.values()]
    machinery = (engine, models, parameters)
    of_all += [text for part in machinery for text in texts(ast.parse(inspect.getsource(part)))]
    exported = reference.exported(name)["exercises"]
    return {
        exported[check]["number"]: "\n".join(
            [*used_by(check, module), *of_all]
            + [row.sentence for row in reference.rows(exercise.table)]
            + [sentence for sentence, _ in exercise.reference.mutants]
        )
        for check, exercise in vars(module).items()
        if isinstance(exercise, engine.Exercise) and check in exported
    }


def used_by(name: str, module: ModuleType) -> Iterator[str]:
    """The strings in what a module's top level defines by a name, and in what this uses in turn."""
    tree, wanted = ast.parse(inspect.getsource(module)), {name}
    statements = [n for n in tree.body if not isinstance(n, ast.Import | ast.ImportFrom)]
    left = {statement: build._names(ast.unparse(statement)) for statement in statements}
    while found := [statement for statement, (bound, _) in left.items() if wanted & bound]:
        for statement in found:
            _, needed = left.pop(statement)
            wanted |= needed
            yield from texts(statement)


def texts(tree: ast.AST) -> Iterator[str]:
    """The strings in a piece of code; what an f-string computes is an ellipsis."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(str(text)):
                yield text
            case ast.JoinedStr(parts):
                yield "".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)


@functools.cache
def printed_by(source: Path) -> list[str]:
    """All numbers in the texts and tables that the executed solution shows."""
    notebook = nbformat.read(build.solution_path(source), as_version=4)
    outputs = [output for cell in build.code_cells(notebook) for output in cell.outputs]
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


def test_every_notebook_has_its_part_and_no_other():
    """In the order of teaching, under a heading that links to both notebooks."""
    headings = re.findall(r"^### (.*)", chapter(text_of_guide(), "Notebook by notebook"), re.M)
    for heading, source in itertools.zip_longest(headings, SOURCES, fillvalue=""):
        where = place(GUIDE, f"### {heading}" if heading else "## Notebook by notebook")
        assert source, f"{where}: no part belongs here"
        day, number = source.parent.name[-1], source.name.partition("_")[0]
        solution = build.solution_path(source).relative_to(ROOT).as_posix()
        goals = f"({student(source)}) ([solution]({solution}))"
        right = re.escape(f"Day {day}, notebook {number}: [TITLE]{goals}").replace("TITLE", "[^]]+")
        assert re.fullmatch(right, heading), (
            f"{where}: “Day {day}, notebook {number}: [its title]{goals}” belongs here"
        )


def test_students_see_the_hints(source):
    part, said = part_on(source), sentences(build.references_path(source).stem)
    rows, problems = table(part, "exercise"), []
    in_class = EXERCISE.findall(text_of(source).partition("\n## After class\n")[0])
    assert {number for number, _, _ in rows} == set(in_class), (
        f"{place(GUIDE, part)}: the table of mistakes has rows for other exercises than 1 to "
        f"{in_class[-1]}, those in class"
    )
    for number, mistake, hint in rows:
        fragment = hint.strip("“”")
        if fragment not in said.get(number, ""):
            others = ", ".join(f"that of {n}" for n, text in said.items() if fragment in text)
            problems.append(
                f"{place(GUIDE, f'| {mistake} | {hint} |')}: the check of exercise {number} never "
                f"says {hint}; {others or 'none'} does"
            )
    assert not problems, "\n".join(problems)


def test_figures_are_on_the_screen(source):
    part = part_on(source)
    figures = [code for code in re.findall(r"`([^`]+)`", part) if NUMBER.fullmatch(code)]
    assert figures, f"{place(GUIDE, part)}: not one number of the solution"
    missing = [
        f"{place(GUIDE, line)}: the solution prints no `{figure}`; take the number of its last fit"
        for line in part.splitlines()
        for figure in figures
        if f"`{figure}`" in line and not is_shown(figure, printed_by(source))
    ]
    assert not missing, "\n".join(missing)


@functools.cache
def plan() -> list[tuple[int, str, int]]:
    """Of every line of the two days: the minute of the day at which it begins, what, how long."""
    rows = re.findall(
        r"^\| (\d+):(\d\d) \| (.*) \| (\d+) \|$", chapter(text_of_guide(), PLAN), flags=re.M
    )
    return [(60 * int(hour) + int(m), what, int(length)) for hour, m, what, length in rows]


def days() -> list[list[tuple[int, str, int]]]:
    second = [begins for begins, _, _ in plan()].index(9 * 60, 1)
    return [plan()[:second], plan()[second:]]


def test_the_plan_is_the_sum_of_its_parts():
    """Each line begins when the one before ends, and notebooks have their own minutes."""
    notebooks = collections.Counter()
    for day in days():
        ends = [begins + minutes for begins, _, minutes in day]
        assert [begins for begins, _, _ in day] == [9 * 60, *ends[:-1]]
        assert ends[-1] == 17 * 60
        for _, what, minutes in day:
            for link in links(what):
                notebooks[link] += minutes
    stated = {student(source): stated_minutes(source) for source in SOURCES}
    where = place(GUIDE, f"## {PLAN}")
    assert notebooks == stated, f"{where}: notebooks have the minutes of their first cells"


@pytest.mark.parametrize("day", [0, 1])
def test_nobody_sits_too_long_and_every_half_day_has_slack(day):
    lines = [(what, minutes) for _, what, minutes in days()[day]]
    assert [minutes for what, minutes in lines if what == "Lunch"] == [60]
    assert [what for what, _ in lines].count("Break") == 3
    lunch = lines.index(("Lunch", 60))
    for half in (lines[:lunch], lines[lunch:]):
        assert [minutes for what, minutes in half if what == "Slack"] == [10]
    at_rest = itertools.groupby(lines, lambda line: line[0] in ("Break", "Lunch"))
    blocks = [sum(minutes for _, minutes in block) for rest, block in at_rest if not rest]
    assert max(blocks) <= 95
