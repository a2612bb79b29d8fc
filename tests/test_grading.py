"""nbgrader: what it is told about the notebooks, and that marks are what answers deserve."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import CheckCellMetadata

from tools import build

SETUP = '# %% tags=["setup"]\nimport sys\n\nsys.path.insert(0, "COURSE")\n\n'
EXERCISE = (
    "# %% [markdown]\n# ### ✏️ Exercise {0}: a task\n\n"
    "# %%\ndef answer_{0}():\n    ### BEGIN SOLUTION\n    return {0}\n    ### END SOLUTION\n\n\n"
    "# %%{1}\ncheck.is_({0}, answer_{0})\n\n"
)
SCORECARD = "# %% [markdown]\n# ## 8. Scorecard\n\n# %%\ncheck.is_(1, answer_1)\n"


@pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem)
def test_every_exercise_and_the_scorecard_give_points(source):
    notebook = build.read_source(source)
    MetadataValidator().validate_nb(notebook)
    CheckCellMetadata().preprocess(notebook, {})  # ids are unique
    cells = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    told = {grade_id: cell.metadata.nbgrader for grade_id, cell in cells.items()}
    assert all(told[name].locked and not told[name].grade for name in ("setup", "parameters"))
    graded = {grade_id for grade_id in told if told[grade_id].grade}
    assert all(told[name].points > 0 and told[name].locked for name in graded)
    answers = {grade_id.split("_")[1] for grade_id in told if told[grade_id].solution}
    assert graded == {f"check_{part}" for part in (*answers, "scorecard")}
    checks = {c.source for c in notebook.cells if c.source.startswith("check.")}
    assert {cells[grade_id].source for grade_id in graded} == checks


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("# %%\ncheck.is_(1, x)\n", "`check.is_(1, x)`: no exercise before it"),
        (
            "# %%\nx = None\n### BEGIN SOLUTION\n### END SOLUTION\n",
            "`x = None`: no exercise before",
        ),
        (SCORECARD + "\n# %%\ncheck.is_(2, x)\n", "`check.is_(2, x)`: a second check of one exerc"),
        (EXERCISE.format(1, "") + "# %% points=2\nx = 1\n", "`x = 1`: points=2"),
        *((EXERCISE.format(1, f" points={p}"), f"points={p}") for p in (-1, "'2'", "true")),
    ],
)
def test_what_cannot_be_graded_is_refused(tmp_path, cells, message):
    source = tmp_path / "9_new_solution.py"
    source.write_text(SETUP + cells, encoding="utf-8")
    with pytest.raises(build.BuildError, match=re.escape(message).replace("true", "True")):
        build.read_source(source)


@pytest.fixture
def course(tmp_path, monkeypatch) -> Path:
    """A course with a notebook of five exercises, and a home of its own."""
    course, exercises = tmp_path / "graded course", (EXERCISE.format(n, "") for n in range(1, 5))
    files = {
        "checks/graded.py": "def is_(right, answer):\n    assert answer() == right\n",
        "data/SHA256SUMS": "",
        "pyproject.toml": '[tool.course]\nrepository = ""\nbranch = "main"\n',
        "solutions/Day1/1_graded_solution.py": (
            SETUP.replace("COURSE", str(course))
            + "# %%\nfrom checks import graded as check\n\n"
            + "".join([*exercises, EXERCISE.format(5, " points=2"), SCORECARD])
        ),
    }
    for name, text in files.items():
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text(text, encoding="utf-8")
    (course / "grading").mkdir()
    shutil.copy(build.ROOT / "grading" / "nbgrader_config.py", course / "grading")
    monkeypatch.setenv("HOME", str(course / "home"))
    monkeypatch.setattr(build, "run", lambda notebook, folder: None)
    return course


def test_marks_are_what_answers_deserve(course):
    (source,) = build.sources(course)
    with pytest.raises(build.BuildError, match="was not executed with this code: run `make"):
        build.make_assignments(course)
    assert not (course / "grading" / "source").exists()
    build.build(source, root=course)
    build.make_assignments(course)

    grading, name = course / "grading", "Day1/1_graded.ipynb"
    notebook = nbformat.read(grading / "release" / name, as_version=4)
    student = nbformat.read(course / name, as_version=4)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in student.cells]

    def cell(grade_id: str) -> NotebookNode:
        told = (
            c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
        )
        return next(told)

    for n, answer in {
        1: "return print(1, file=sys.stderr) or 1",
        2: "return 3",
        3: "return 3",
    }.items():
        cell(f"exercise_{n}").source = f"def answer_{n}():\n    {answer}"
    cell("exercise_5").source = "def answer_5():\n    return 5"
    cell("check_2").source = "print('✓ Exercise 2')"
    notebook.cells.remove(cell("check_3"))
    cell("check_5").metadata.nbgrader.points = 100
    path = grading / "submitted" / "somebody" / name
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbgrader", "autograde", "Day1"]
    subprocess.run(command, cwd=grading, env=dict(os.environ), check=True)
    with Gradebook(f"sqlite:///{grading / 'gradebook.db'}", "pyro") as book:
        grades = book.find_submission_notebook("1_graded", "Day1", "somebody").grades
        marks = {grade.name.removeprefix("check_"): grade.score for grade in grades}
    assert marks == {"1": 1, "2": 0, "3": 1, "4": 0, "5": 2, "scorecard": 1}
