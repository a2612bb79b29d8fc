"""Every notebook: in step with its source, and whole.

nbval executes the solutions in full; it is part of the same pytest run (see pyproject.toml). A
student's notebook runs in test_colab.py and test_browser.py.
"""

from __future__ import annotations

import re
from collections import Counter

import nbformat
import pytest

from checks.crashes import BLANK
from tests.places import find, place, stated_minutes
from tools import build

ROOT = build.ROOT
SOURCES = build.sources()
EXERCISE = r"^# ### ✏️ Exercise (\d+): .* \((\d+) min\)$"
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def test_in_step_with_its_source(source):
    problems = build.out_of_step(source)
    assert not problems, "\n".join(problems)


def test_checks_know_the_stub_of_a_blank():
    assert BLANK in build.STUB


def test_every_notebook_has_a_source():
    left = [path.relative_to(ROOT).as_posix() for path in build.orphans()]
    assert not left, f"no source makes {', '.join(left)}: delete what is left of a notebook"
    numbers = [f"{source.parent.name}/{source.name.partition('_')[0]}" for source in SOURCES]
    twice = {number for number in numbers if numbers.count(number) > 1}
    assert not twice, f"two notebooks have the place {', '.join(twice)}: rename one"


def test_exercises_are_counted_right(source):
    """Their headings, and the sentence that tells a reader how many there are."""
    in_class, _, home = source.read_text(encoding="utf-8").partition("\n# ## After class\n")
    found = [len(re.findall(EXERCISE, half, re.M)) for half in (in_class, home)]
    problems = [
        f"{where}: this is exercise {n}, not {heading[1]}"
        for n, (where, heading) in enumerate(find(EXERCISE, source), 1)
        if int(heading[1]) != n
    ]
    problems += [
        f"{where}: a heading of an exercise is `### ✏️ Exercise N: subject (6 min)`"
        for where, heading in find(r"^# #+ ✏️.*", source)
        if not re.fullmatch(EXERCISE, heading[0])
    ]
    right = "{} exercise{} in class and {} after it".format(
        NUMBERS[found[0]].capitalize(), "" if found[0] == 1 else "s", NUMBERS[found[1]]
    )
    said = list(find(r"^# (\w+ exercises? in class and \w+ after it)\b", source))
    if [sentence[1] for _, sentence in said] != [right]:
        where = said[0].place if said else place(source, "**Time:**")
        problems.append(f"{where}: “{right}”, it should say, once")
    assert not problems, "\n".join(problems)


def test_prose_names_exercises_and_notebooks_by_their_subject():
    """For their numbers change when one is dropped or moved."""
    pages = [*SOURCES, ROOT / "INSTRUCTORS.md", *(ROOT / "talks").glob("*.md")]
    numbered = [
        f"{where}: “{mention[1]}” may have another number tomorrow: name its subject"
        for page in pages
        for where, mention in find(r"^(?!.*#{3} ).*?\b((?i:exercises?|notebook)[\s#]+\d+)", page)
    ]
    assert not numbered, "\n".join(numbered)


def test_anatomy(source):
    """What the build, the checks and nbgrader count on, save what the build itself refuses."""
    notebook, file = build.read_source(source), source.relative_to(ROOT)
    seeds = [cell.source for cell in notebook.cells if "parameters" in build.tags(cell)]
    where = place(source, '"parameters"')
    assert seeds == ["SEED = 0"], f"{where}: one cell is tagged `parameters`: `SEED = 0`, alone"
    assert notebook.cells[0].cell_type == "markdown", f"{file}:1: the title, where badges go"
    _, *parts = "\n".join(cell.source for cell in notebook.cells).split("### ✏️ Exercise ")
    problems = []
    for part in parts:  # from its heading to the next one, which may have further checks behind it
        task, check, rest = part.partition("\ncheck.")
        where = place(source, f"### ✏️ Exercise {part.splitlines()[0]}")
        if task.count("<details><summary>Hint") != 1:
            problems.append(f"{where}: an exercise has one folded hint")
        if task.count(build.BEGIN) not in (1, 2) or build.BEGIN in rest:
            problems.append(f"{where}: one blank, or the two of a pair, stands before its check")
        if not check:
            problems.append(f"{where}: no cell begins with `check.` behind it")
    checks = sum(cell.source.startswith("check.") for cell in notebook.cells)
    if not problems and checks != len(parts) + 1:
        where = place(source, "Scorecard")
        problems.append(
            f"{where}: each exercise and the scorecard have one check, which begins a cell"
        )
    assert not problems, "\n".join(problems)


@pytest.mark.ours
def test_sections(source):
    text, file = source.read_text(encoding="utf-8"), source.relative_to(ROOT)
    assert len(re.findall(EXERCISE, text, re.M)) >= 3, f"{file}: fewer than three exercises"
    for section in ("you will be able to", "**Time:**", "Scorecard", "Going further", "References"):
        assert section in text, f"{file}: “{section}” is missing"


def part(cells: list[nbformat.NotebookNode]) -> Counter[str]:
    """What a reader has to get through."""
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = [cell for cell in cells if cell.cell_type == "code"]
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    exercises = [int(n) for n in re.findall(r"^### ✏️ .*?\((\d+) min\)$", text, re.M)]
    in_all = {"exercises": len(exercises), "minutes": sum(exercises)}
    return Counter(in_all, words=len(text.split()), lines=lines)


def class_and_home(source) -> tuple[Counter[str], Counter[str]]:
    """The class part of a student's notebook, up to the scorecard, and what follows it.

    Setup, the cells before the first section, is not counted.
    """
    cells = build.student_version(build.read_source(source)).cells
    headings = {cell.source.partition("\n")[0]: i for i, cell in enumerate(cells)}
    home = headings["## After class"]
    assert any(re.match(r"## \d+\. Scorecard", heading) for heading in list(headings)[:home])
    (setup,) = (i for heading, i in headings.items() if heading.startswith("## 1. "))
    return part([cells[0], *cells[setup:home]]), part(cells[home:])


@pytest.mark.ours
def test_the_course_fits_into_two_days():
    parts = [class_and_home(source) for source in SOURCES]
    in_class, at_home = (sum(half, Counter()) for half in zip(*parts, strict=True))
    for half, found, limits in (
        ("in class", in_class, {"words": 20_000, "lines": 1_700, "exercises": 44}),
        ("after class", at_home, {"words": 20_000 * 2 / 3, "lines": 1_700 * 2 / 3}),
    ):
        for what, limit in limits.items():
            n = found[what]
            assert n <= limit, f"solutions: {n} {what} {half}; {limit:.0f} at most"
    for day in ("Day1", "Day2"):
        minutes = sum(stated_minutes(s) for s in SOURCES if s.parent.name == day)
        assert minutes == 270, f"solutions/{day}: {minutes} minutes in class, by their first cells"


@pytest.mark.ours
def test_a_class_part_leaves_time_to_think(source):
    in_class, _ = class_and_home(source)
    stated, where = stated_minutes(source), place(source, "**Time:**")
    exercises, minutes = in_class["exercises"], in_class["minutes"]
    assert 4 <= exercises <= 6, f"{where}: 4 to 6 exercises in class, not {exercises}"
    assert minutes <= 0.75 * stated, (
        f"{where}: the exercises alone take {minutes} minutes, more than three quarters"
    )
    text = "\n".join(cell.source for cell in build.read_source(source).cells)
    assert "**Predict.**" in text.partition("\n## After class")[0]


def test_code_is_readable_from_the_last_row(source):
    student = build.student_version(build.read_source(source))
    lines = [line for cell in build.code_cells(student) for line in cell.source.splitlines()]
    long = [f"{place(source, line)}: more than 80 characters" for line in lines if len(line) > 80]
    assert not long, "\n".join(long)


@pytest.mark.ours
def test_references_can_be_followed(source):
    text = build.read_source(source).cells[-1].source
    _, _, references = text.partition("### References")
    items = re.split(r"^- ", references, flags=re.M)[1:]
    assert items
    for item in items:
        assert "https://" in item, item


def test_stored_outputs_are_fit_to_be_seen(source):
    """The build itself refuses warnings, widgets, and a notebook that is too large."""
    for cell in build.code_cells(nbformat.read(build.solution_path(source), as_version=4)):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert str(ROOT) not in str(output)
            assert " at 0x" not in str(output), "a memory address changes from run to run"


def test_blanks_hold_no_solution(source):
    solution = build.read_source(source)
    cells = zip(build.student_version(solution).cells, solution.cells, strict=True)
    blanks = [(blank, solved) for blank, solved in cells if build.BEGIN in solved.source]
    assert blanks
    for blank, solved in blanks:
        region = solved.source.partition(build.BEGIN)[2].partition(build.END)[0]
        for line in map(str.strip, region.splitlines()):
            if any(map(str.isalnum, line)):  # a lone bracket gives nothing away
                assert line not in blank.source
        assert "raise NotImplementedError" in blank.source
        compile(blank.source, "blank", "exec")  # a blank is no syntax error
