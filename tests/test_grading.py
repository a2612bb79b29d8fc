"""nbgrader: every solution is accepted, and marks are what the answers deserve."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from tools import assignments, grading, notebooks

SOURCES = notebooks.sources()
GRADED = "1_probability_distributions"  # the quickest to execute
DAY = "Day1"
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)

# --------------------------------------------------------------------------- what is graded


def cell(source: str, **metadata) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def exercise(number: int) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(f"Prose.\n\n### ✏️ Exercise {number}: a task\n\nMore.")


def stamped(*cells: NotebookNode) -> list[NotebookNode | None]:
    """What nbgrader is told about each code cell."""
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    grading.stamp(notebook, blank=notebooks.BEGIN)
    return [c.metadata.get("nbgrader") for c in notebook.cells if c.cell_type == "code"]


BLANK = f"{notebooks.BEGIN}\nx = 1\n{notebooks.END}"
SCORECARD = nbformat.v4.new_markdown_cell("## 8. Scorecard")


def test_ids_come_from_the_headings():
    cells = stamped(
        cell("import os", tags=["setup"]),
        cell("SEED = 0", tags=["parameters"]),
        cell("from utils.checks import x as check"),
        *(exercise(1), cell(BLANK), cell("check.first(x)")),
        cell("print(x)"),
        *(exercise(2), cell(BLANK), cell("y = 2\n" + BLANK), cell("check.second(x, y)")),
        *(SCORECARD, cell("check.scorecard_within(scorecard)")),
    )
    ids = [c and c.grade_id for c in cells]
    assert ids[:5] == ["setup", "parameters", None, "exercise_1", "check_1"]
    assert ids[5:] == [None, "exercise_2", "exercise_2_2", "check_2", "check_scorecard"]
    roles = {c.grade_id: (c.solution, c.grade, c.locked) for c in cells if c}
    assert roles["setup"] == roles["parameters"] == (False, False, True)
    assert roles["exercise_2_2"] == (True, False, False)
    assert roles["check_2"] == roles["check_scorecard"] == (False, True, True)


def test_points_are_one_or_what_the_source_says():
    text = '# %% tags=["nbval-check-output"] points=2.5\ncheck.second(x)\n'
    (second,) = notebooks.jupytext.reads(text, fmt="py:percent").cells
    checks = stamped(exercise(1), cell("check.first(x)"), exercise(2), second)
    assert [c.points for c in checks] == [1, 2.5]
    assert "points" not in second.metadata


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([cell("check.first(x)")], "`check.first(x)` belongs to no exercise"),
        ([cell("x = None\n" + BLANK)], "`x = None` belongs to no exercise"),
        ([exercise(1), cell("check.a(x)"), cell("check.b(x)")], "`check.b(x)` is a second check"),
        ([exercise(1), cell("x = 1", points=2)], "`x = 1` has points, and is no check"),
        ([exercise(1), cell("check.a(x)", points=-1)], "points=-1 for `check.a(x)`"),
        ([exercise(1), cell("check.a(x)", points="2")], "points='2' for `check.a(x)`"),
        ([exercise(1), cell("check.a(x)", points=True)], "points=True for `check.a(x)`"),
    ],
)
def test_what_cannot_be_graded_is_refused(cells, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        stamped(*cells)


def test_the_build_names_the_source_that_cannot_be_graded(tmp_path):
    source = tmp_path / "9_new_solution.py"
    source.write_text("# %%\ncheck.first(x)\n")
    with pytest.raises(notebooks.BuildError, match=r"9_new_solution\.py: `check\.first\(x\)`"):
        notebooks.read_source(source)


# -------------------------------------------------------------------------- the assignments


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A copy of the course with nbgrader's releases, and a home of its own."""
    course = tmp_path_factory.mktemp("graded course")
    skip = shutil.ignore_patterns("__pycache__", "MNIST", ".ipynb_checkpoints")
    for folder in ("utils", "data", "images", "solutions", "Day1", "Day2"):
        shutil.copytree(notebooks.ROOT / folder, course / folder, ignore=skip)
    for file in ("pyproject.toml", "tools/setup_cell.py", "grading/nbgrader_config.py"):
        (course / file).parent.mkdir(exist_ok=True)
        shutil.copy(notebooks.ROOT / file, course / file)
    (course / "home").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(course / "home"))
        for assignment in assignments.lay_out(course):
            assignments.release(assignment, course)
    return course


def gradebook(folder: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "pyro")


def released(course: Path, source: Path) -> NotebookNode:
    name = notebooks.student_path(source).relative_to(notebooks.ROOT)
    return nbformat.read(course / "grading" / "release" / name, as_version=4)


@each_source
def test_nbgrader_releases_the_students_notebook(course, source):
    release = released(course, source)
    student = nbformat.read(notebooks.student_path(source), as_version=4)
    assert [c.source for c in release.cells] == [c.source for c in student.cells]
    assert all(not c.outputs for c in notebooks.code_cells(release))
    fixed = [c for c in release.cells if not c.metadata.get("editable", True)]
    checks = [c for c in release.cells if c.source.startswith(grading.CHECK)]
    assert [c.metadata.get("tags") for c in fixed[:2]] == [["setup"], ["parameters"]]
    assert fixed[2:] == checks


@each_source
def test_every_exercise_and_the_scorecard_give_points(course, source):
    release = released(course, source)
    told = [c.metadata.nbgrader for c in release.cells if "nbgrader" in c.metadata]
    points = {c.grade_id: c.points for c in told if c.grade}
    exercises = {c.grade_id.split("_")[1] for c in told if c.solution}
    assert points.keys() == {f"check_{part}" for part in (*exercises, "scorecard")}
    assert min(points.values()) > 0
    with gradebook(course / "grading") as book:
        name = notebooks.student_path(source).stem
        recorded = book.find_notebook(name, source.parent.name).grade_cells
        assert {c.name: c.max_score for c in recorded} == points


def test_a_solution_out_of_step_is_not_handed_out(tmp_path):
    shutil.copytree(notebooks.ROOT / "solutions" / DAY, tmp_path / "solutions" / DAY)
    for file in ("pyproject.toml", "tools/setup_cell.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(notebooks.ROOT / file, tmp_path / file)
    with pytest.raises(notebooks.BuildError, match="was not executed with this code: run `make"):
        assignments.lay_out(tmp_path)  # without `utils`, and so without what was executed
    assert not (tmp_path / "grading").exists()


# --------------------------------------------------------------------------------- the marks

WRONG = {  # typical mistakes, of tests/test_answers_probability_distributions.py
    "exercise_1": ("dist.Normal(24.0, 3.0)", "dist.Normal(24.0, 9.0)"),
    "exercise_5": (".log_prob(readings).sum(-1)", ".log_prob(readings).sum(0)"),
}


def by_id(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}


def marks_of(notebook: NotebookNode, student: str, course: Path) -> dict[str, float]:
    """Hand a notebook in, have nbgrader grade it, and return the marks in its gradebook.

    Every student has a copy of nbgrader's folder, so that several can be graded at a time.
    """
    folder = course / f"grading {student}"
    shutil.copytree(course / "grading", folder)
    path = folder / "submitted" / student / DAY / f"{GRADED}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbgrader", "autograde", DAY, f"--notebook={GRADED}"]
    home = os.environ | {"HOME": str(course / "home")}
    subprocess.run(command, cwd=folder, env=home, check=True)
    with gradebook(folder) as book:
        submission = book.find_submission_notebook(GRADED, DAY, student)
        return {grade.name: grade.score for grade in submission.grades}


@pytest.fixture(scope="module")
def marks(course) -> dict[str, dict[str, float]]:
    """For each student, the marks of one notebook."""
    (source,) = (s for s in SOURCES if notebooks.student_path(s).stem == GRADED)
    blank, solved, two_wrong = (released(course, source) for _ in range(3))
    for grade_id, c in by_id(notebooks.read_source(source)).items():
        by_id(solved)[grade_id].source = by_id(two_wrong)[grade_id].source = c.source

    answers = by_id(two_wrong)
    for grade_id, (right, wrong) in WRONG.items():
        assert right in answers[grade_id].source
        answers[grade_id].source = answers[grade_id].source.replace(right, wrong)
    # Who wrote this also made one check say yes, one give more points, and deleted a third.
    answers["check_1"].source = "print('✓ Exercise 1')"
    answers["check_2"].metadata.nbgrader.points = 100
    two_wrong.cells.remove(answers["check_3"])
    # Exercise 6 is right, but chatty.
    chatty = "    print('drawing', file=sys.stderr)\n    values ="
    assert "    values =" in answers["exercise_6"].source
    answers["exercise_6"].source = answers["exercise_6"].source.replace("    values =", chatty)

    submissions = {"blank": blank, "solved": solved, "two_wrong": two_wrong}
    with ThreadPoolExecutor() as pool:
        graded = pool.map(lambda s: marks_of(submissions[s], s, course), submissions)
        return dict(zip(submissions, graded, strict=True))


def test_the_solution_gets_full_marks(marks):
    assert len(marks["solved"]) == 8
    assert set(marks["solved"].values()) == {1}


def test_a_blank_notebook_gets_none(marks):
    assert marks["blank"].keys() == marks["solved"].keys()
    assert set(marks["blank"].values()) == {0}


def test_two_wrong_answers_cost_their_own_marks_whatever_was_done_to_the_checks(marks):
    assert {check for check, mark in marks["two_wrong"].items() if mark == 0} == {
        answer.replace("exercise", "check") for answer in WRONG
    }
    assert sum(marks["two_wrong"].values()) == 6
