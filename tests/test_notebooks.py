"""Every notebook: in step with its source, and whole.

nbval executes the solutions in full; it is part of the same pytest run (see pyproject.toml). A
student's notebook runs in test_colab.py and test_browser.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import nbformat
import pytest

from checks.crashes import BLANK
from tools import build

ROOT = build.ROOT
SOURCES = build.sources()
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)


@each_source
def test_in_step_with_its_source(source):
    assert build.out_of_step(source) == []


def test_checks_know_the_stub_of_a_blank():
    assert BLANK in build.STUB


def test_every_notebook_has_a_source():
    assert build.orphans() == []


@each_source
def test_anatomy(source):
    notebook = build.read_source(source)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert tags.count("setup") == 1
    assert tags.count("parameters") == 1
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    assert parameters.source == "SEED = 0"
    assert notebook.cells[0].cell_type == "markdown"  # the title, and the place of the badges
    text = "\n".join(cell.source for cell in notebook.cells)
    exercises = text.count("### ✏️ Exercise ")
    assert exercises >= 3
    _, *parts = text.split("### ✏️ Exercise ")
    for part in parts:  # from its heading to the next one, which may have further checks behind it
        task, _, _ = part.partition("\ncheck.")
        assert task.count("<details><summary>Hint") == 1
        assert task.count(build.BEGIN) in (1, 2), "one blank, or the two of a pair"
    assert text.count(build.BEGIN) == sum(
        part.partition("\ncheck.")[0].count(build.BEGIN) for part in parts
    ), "a blank outside an exercise has no check"
    checks = sum(cell.source.startswith("check.") for cell in notebook.cells)
    assert checks == exercises + 1, "one check for each exercise, and one for the scorecard"
    for section in ("you will be able to", "**Time:**", "Scorecard", "Going further", "References"):
        assert section in text


class Part(NamedTuple):
    """What a reader has to get through: words, lines of code on the page, exercises, minutes."""

    words: int
    lines: int
    exercises: int
    minutes: int


def part(cells: list[nbformat.NotebookNode]) -> Part:
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = [cell for cell in cells if cell.cell_type == "code"]
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    exercises = re.findall(r"^### ✏️ .*?\((\d+) min\)$", text, re.M)
    assert len(exercises) == text.count("### ✏️"), "an exercise states its minutes"
    return Part(len(text.split()), lines, len(exercises), sum(map(int, exercises)))


def stated_minutes(source) -> int:
    title = build.read_source(source).cells[0].source
    return int(re.search(r"\*\*Time:\*\* (\d+) minutes in class", title)[1])


def class_and_home(source) -> tuple[Part, Part]:
    """The class part of a student's notebook, up to the scorecard, and what follows it.

    Setup, the cells before the first section, is not counted.
    """
    cells = build.student_version(build.read_source(source)).cells
    headings = {cell.source.partition("\n")[0]: i for i, cell in enumerate(cells)}
    home = headings["## After class"]
    assert any(re.match(r"## \d+\. Scorecard", heading) for heading in list(headings)[:home])
    (setup,) = (i for heading, i in headings.items() if heading.startswith("## 1. "))
    return part([cells[0], *cells[setup:home]]), part(cells[home:])


def test_the_course_fits_into_two_days():
    parts = [class_and_home(source) for source in SOURCES]
    in_class, at_home = (
        Part(*map(sum, zip(*half, strict=True))) for half in zip(*parts, strict=True)
    )
    assert in_class.words <= 20_000
    assert in_class.lines <= 1_700
    assert in_class.exercises <= 44
    assert at_home.words <= 20_000 * 2 / 3
    assert at_home.lines <= 1_700 * 2 / 3
    for day in ("Day1", "Day2"):
        assert sum(stated_minutes(s) for s in SOURCES if s.parent.name == day) == 270


@each_source
def test_a_class_part_leaves_time_to_think(source):
    in_class, _ = class_and_home(source)
    stated = int(
        re.search(r"\*\*Time:\*\* (\d+) minutes", build.read_source(source).cells[0].source)[1]
    )
    assert 4 <= in_class.exercises <= 6
    assert in_class.minutes <= 0.75 * stated
    text = "\n".join(cell.source for cell in build.read_source(source).cells)
    assert "**Predict.**" in text.partition("\n## After class")[0]


@each_source
def test_code_is_readable_from_the_last_row(source):
    student = build.student_version(build.read_source(source))
    for cell in build.code_cells(student):
        for line in cell.source.splitlines():
            assert len(line) <= 80, line


@each_source
def test_references_can_be_followed(source):
    text = build.read_source(source).cells[-1].source
    _, _, references = text.partition("### References")
    items = re.split(r"^- ", references, flags=re.M)[1:]
    assert items
    for item in items:
        assert "https://" in item, item


@each_source
def test_stored_outputs_are_fit_to_be_seen(source):
    path = build.solution_path(source)
    assert path.stat().st_size < build.MAX_BYTES
    for cell in build.code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert build.WIDGET not in output.get("data", {})
            assert str(ROOT) not in str(output)
            assert " at 0x" not in str(output), "a memory address changes from run to run"


@each_source
def test_student_notebook_holds_no_solution(source):
    path = build.student_path(source)
    student = nbformat.read(path, as_version=4)
    solution = build.published(build.read_source(source), path)
    assert len(student.cells) == len(solution.cells)
    blanks = 0
    for given, solved in zip(student.cells, solution.cells, strict=True):
        assert not given.get("outputs")
        assert given.get("execution_count") is None
        if build.BEGIN not in solved.source:
            assert given.source == solved.source
            continue
        blanks += 1
        _, _, rest = solved.source.partition(build.BEGIN)
        region, _, _ = rest.partition(build.END)
        for line in map(str.strip, region.splitlines()):
            if any(map(str.isalnum, line)):  # a lone bracket gives nothing away
                assert line not in given.source
        assert "raise NotImplementedError" in given.source
        compile(given.source, "blank", "exec")  # a blank is no syntax error
    assert blanks >= 3
