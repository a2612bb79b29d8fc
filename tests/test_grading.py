"""nbgrader: what it is told about the notebooks, and that marks are what answers deserve."""

from __future__ import annotations

import copy
import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import CheckCellMetadata

from tools import build, hand_out

NOTEBOOKS = ("1_graded", "2_graded")
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


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course with two notebooks in a day, of four exercises each, handed out; its path is odd."""
    course = tmp_path_factory.mktemp("graded course Ω")
    text = (
        SETUP.replace("COURSE", str(course))
        + "# %%\nfrom checks import graded as check\n\n"
        + "".join(EXERCISE.format(n, " points=2" if n == 4 else "") for n in range(1, 5))
        + SCORECARD
    )
    files = {
        "checks/graded.py": "def is_(right, answer):\n    assert answer() == right\n",
        "data/SHA256SUMS": "",
        "pyproject.toml": '[tool.course]\nrepository = ""\nbranch = "main"\nstudents = "s"\n',
        "solutions/Day1/1_graded_solution.py": text,
        "solutions/Day1/2_graded_solution.py": text.replace("a task", "another task"),
    }
    for name, content in files.items():
        build.write(course / name, content.encode())
    for path in (build.ROOT / "grading").glob("*.py"):
        build.write(course / "grading" / path.name, path.read_bytes())
    with (course / "grading" / "nbgrader_config.py").open("a") as config:
        config.write("\nc.Execute.timeout = 4\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "run", lambda notebook, folder: None)
        with pytest.raises(build.BuildError, match="was not executed with this code: run `make"):
            hand_out.make_assignments(course)
        assert not (course / "grading" / "source").exists()
        for source in build.sources(course):
            build.build(source, root=course)
        patch.setenv("HOME", str(course / "home"))
        hand_out.make_assignments(course)
    return course


def test_what_nbgrader_releases_is_what_students_have(course):
    for name in NOTEBOOKS:
        released, student = (
            nbformat.read(folder / "Day1" / f"{name}.ipynb", as_version=4)
            for folder in (course / "grading" / "release", course)
        )
        assert [(c.source, c.metadata) for c in released.cells] == [
            (c.source, c.metadata) for c in student.cells
        ]


# ------------------------------------------------------------------ what students hand in

Edit = Callable[[NotebookNode], Any]
FULL = {"1": 1, "2": 1, "3": 1, "4": 2, "scorecard": 1}


def place(notebook: NotebookNode, grade_id: str) -> int:
    return next(i for i, cell in enumerate(notebook.cells) if build.grade_id(cell) == grade_id)


def cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return notebook.cells[place(notebook, grade_id)]


def answer(n: int, code: str) -> Edit:
    """The answer to an exercise is this code, in the place of its right answer."""
    return lambda notebook: cell(notebook, f"exercise_{n}").update(source=code)


def without(*grade_ids: str) -> Edit:
    return lambda notebook: [notebook.cells.pop(place(notebook, name)) for name in grade_ids]


def copied(*grade_ids: str, first: str | None = None) -> Edit:
    """These cells twice, with their metadata, as JupyterLab copies them."""

    def edit(notebook: NotebookNode) -> None:
        for name in grade_ids:
            twin = copy.deepcopy(cell(notebook, name))
            twin.id = f"copy-{name}"
            notebook.cells.insert(place(notebook, name), twin)
            twin.source = first or twin.source

    return edit


def split(grade_id: str) -> Edit:
    def edit(notebook: NotebookNode) -> None:
        copied(grade_id)(notebook)
        lines = cell(notebook, grade_id).source.splitlines(keepends=True)
        whole = place(notebook, grade_id)
        notebook.cells[whole].source, notebook.cells[whole + 1].source = (
            lines[0],
            "".join(lines[1:]),
        )

    return edit


def retyped(n: int, *, check: bool) -> Edit:
    """The answer in a cell of its own; the blank is gone, and so is the check, or typed as well."""

    def edit(notebook: NotebookNode) -> None:
        where = place(notebook, f"exercise_{n}")
        typed = [cell(notebook, f"{kind}_{n}").source for kind in ("exercise", "check")]
        notebook.cells[where : where + 2] = map(new_code_cell, typed if check else typed[:1])

    return edit


def by_another_editor(notebook: NotebookNode) -> None:
    """No metadata, no ids, an older format, and outputs of a kind of its own."""
    notebook.nbformat_minor, notebook.metadata = 2, {"colab": {"provenance": []}}
    for this in notebook.cells:
        this.metadata = {"id": this.pop("id"), "outputId": "x"} if "✏️" in this.source else {}
        this.pop("id", None)


def in_another_order(notebook: NotebookNode) -> None:
    for name in ("exercise_3", "check_3"):
        notebook.cells.append(notebook.cells.pop(place(notebook, name)))


def as_text(*grade_ids: str) -> Edit:
    def edit(notebook: NotebookNode) -> None:
        for name in grade_ids:
            old, where = cell(notebook, name), place(notebook, name)
            notebook.cells[where] = new_markdown_cell(
                old.source, metadata=old.metadata, attachments={"a.png": {"image/png": "aa"}}
            )

    return edit


def all_of(*edits: Edit) -> Edit:
    return lambda notebook: [edit(notebook) for edit in edits]


def in_setup(code: str) -> Edit:
    return lambda notebook: notebook.cells.insert(3, new_code_cell(code))


def body(n: int, code: str) -> Edit:
    return answer(n, f"def answer_{n}():\n    {code}")


CRASH = "import os\nos._exit(1)"
STUBBORN = """\
import time
while True:
    try:
        time.sleep(9)
    except BaseException:
        pass
"""
LOST: dict[str, tuple[Edit, set[str]]] = {  # what was done to a right notebook, what it may cost
    "nothing": (lambda notebook: None, set()),
    "a wrong answer": (body(2, "return 3"), {"2"}),
    "a blank": (answer(2, build.STUB), {"2"}),
    "no Python": (answer(2, "def answer_2(:"), {"2"}),
    "an answer copied, the last counts": (copied("exercise_2", first="def answer_2(): 1"), set()),
    "a check copied": (copied("check_2", "check_scorecard"), set()),
    "answer and check copied": (copied("exercise_2", "check_2"), set()),
    "an answer split": (split("exercise_2"), {"2"}),
    "an answer split where it can be": (
        all_of(answer(2, "two = 2\ndef answer_2(): return two"), split("exercise_2")),
        set(),
    ),
    "a check split": (
        all_of(
            lambda n: cell(n, "check_2").update(source="check.is_(2,\n answer_2)"), split("check_2")
        ),
        set(),
    ),
    "a check deleted": (without("check_2"), set()),
    "an answer deleted": (without("exercise_2"), {"2"}),
    "answer and check deleted": (without("exercise_2", "check_2"), {"2"}),
    "all at the end deleted": (without("exercise_4", "check_4", "check_scorecard"), {"4"}),
    "setup, import and an exercise deleted": (
        all_of(without("setup", "exercise_1", "check_1"), lambda n: n.cells.pop(0)),
        {"1", "scorecard"},
    ),
    "an answer retyped, its check deleted": (retyped(2, check=False), set()),
    "an answer and its check retyped": (retyped(2, check=True), set()),
    "exit()": (answer(2, "exit()"), {"2"}),
    "quit() within the answer": (body(2, "quit()"), {"2"}),
    "the kernel ended": (answer(2, CRASH), {"2"}),
    "the kernel ended twice": (
        all_of(answer(2, CRASH), body(4, "import os; os._exit(9)")),
        {"2", "4"},
    ),
    "out of memory": (
        answer(2, "full = []\nwhile True:\n    full.append(bytearray(10**9))"),
        {"2"},
    ),
    "an endless loop": (answer(2, "while True: pass"), {"2"}),
    "an endless loop that cannot be stopped": (answer(2, STUBBORN), {"2"}),
    "a question": (body(2, "return int(input())"), {"2"}),
    "huge output": (answer(2, "print('much ' * 10**7)\ndef answer_2(): return 2"), set()),
    "a warning": (body(2, "import sys; print('w', file=sys.stderr); return 2"), set()),
    "a check edited": (lambda n: cell(n, "check_2").update(source="print('✓')"), set()),
    "a wrong answer with an edited check": (
        all_of(body(2, "return 3"), lambda n: cell(n, "check_2").update(source="print('✓')")),
        {"2"},
    ),
    "a check that is to be skipped": (
        all_of(
            body(2, "return 3"),
            lambda n: cell(n, "check_2").metadata.update(tags=["skip-execution"]),
        ),
        {"2"},
    ),
    "more points than there are": (
        lambda n: cell(n, "check_2").metadata.nbgrader.update(points=100),
        set(),
    ),
    "cells moved": (in_another_order, set()),
    "answer and check as text": (as_text("exercise_2", "check_2"), set()),
    "no metadata": (by_another_editor, set()),
    "an unknown kernel": (
        lambda n: n.metadata.update(kernelspec={"name": "julia-1.9", "display_name": "Julia"}),
        set(),
    ),
}


def right(course: Path, name: str = "1_graded") -> NotebookNode:
    """A student's notebook with right answers."""
    notebook = nbformat.read(course / "Day1" / f"{name}.ipynb", as_version=4)
    for n in range(1, 5):
        body(n, f"return {n}")(notebook)
    return notebook


def files_of_some(course: Path) -> dict[str, dict[str, bytes]]:
    """What some students handed in, by the files' names."""
    one, two = (nbformat.writes(right(course, name)).encode() for name in NOTEBOOKS)
    other = nbformat.writes(new_notebook(cells=[new_code_cell("1 + 1")])).encode()
    return {
        "renamed": {"1_graded.ipynb": one, "2_graded (1).ipynb": two},
        "in a folder": {"Day1/my graded.ipynb": one, "2_graded.ipynb": two},
        "two of one": {"1_graded.ipynb": one, "1_graded (1).ipynb": one, "2_graded.ipynb": two},
        "a page of the web": {"1_graded.ipynb": b"<html>", "2_graded.ipynb": two},
        "an empty file": {"1_graded.ipynb": b"", "2_graded.ipynb": two},
        "no cells": {"1_graded.ipynb": b'{"nbformat": 4}', "2_graded.ipynb": two},
        "a document": {"answers.docx": b"PK", "2_graded.ipynb": two},
        "another notebook": {"1_graded.ipynb": other, "2_graded.ipynb": two},
        "half": {"2_graded.ipynb": two, "timestamp.txt": b"", "submission_secret.txt": b"a"},
        "Windows": {"1_graded.ipynb": one.replace(b"\n", b"\r\n"), "2_graded.ipynb": two},
        "Zoë Ω": {"1_graded.ipynb": one, "2_graded.ipynb": two},
        "a Mac": {
            **{"1_graded.ipynb": one, "2_graded.ipynb": two, ".DS_Store": b"x"},
            **{"__MACOSX/._1_graded.ipynb": b"x", "._2_graded.ipynb": b"x"},
        },
    }


@pytest.fixture(scope="module")
def report(course) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of the report, by student and notebook, once all that was handed in is graded."""
    grading = course / "grading"
    for student, files in files_of_some(course).items():
        for name, content in files.items():
            build.write(grading / "submitted" / student / "Day1" / name, content)
    for student, (edit, _) in LOST.items():
        notebook = right(course)
        edit(notebook)
        folder = grading / "submitted" / student / "Day1"
        folder.mkdir(parents=True)
        (folder / "1_graded.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        nbformat.write(right(course, "2_graded"), folder / "2_graded.ipynb")
    (grading / "submitted" / "nobody").mkdir()
    command = [sys.executable, "grade.py", "Day1", "--jobs=2"]
    env = dict(os.environ, HOME=str(course / "home"))
    done = subprocess.run(command, cwd=grading, env=env, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr  # some could not be graded
    return read_report(course)


def read_report(course: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (course / "grading" / "report_Day1.csv").open(encoding="utf-8", newline="") as file:
        return {(line["student"], line["notebook"]): line for line in csv.DictReader(file)}


def marks(course: Path, student: str) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}", "pyro") as book:
        grades = book.find_submission_notebook("1_graded", "Day1", student).grades
        return {grade.name.removeprefix("check_"): grade.score for grade in grades}


@pytest.mark.parametrize("student", LOST)
def test_one_bad_cell_costs_at_most_its_own_exercise(course, report, student):
    expected = FULL | dict.fromkeys(LOST[student][1], 0)
    assert marks(course, student) == expected, report[student, "1_graded"]
    assert set(filter(None, report[student, "1_graded"]["wrong"].split(", "))) == LOST[student][1]
    assert float(report[student, "1_graded"]["points"]) == sum(expected.values())
    assert float(report[student, "2_graded"]["points"]) == 6


@pytest.mark.parametrize(
    ("student", "remarks"),
    [
        ("renamed", {}),
        ("in a folder", {}),
        (
            "two of one",
            {"1_graded (1).ipynb.ungraded": "FILE: is a second 1_graded.ipynb"},
        ),
        *(
            (student, {"1_graded": "NOT GRADED", "1_graded.ipynb.ungraded": "cannot be read"})
            for student in ("a page of the web", "an empty file", "no cells")
        ),
        ("a document", {"1_graded": "NOT GRADED", "answers.docx": "is no notebook"}),
        (
            "another notebook",
            {"1_graded": "NOT GRADED", "1_graded.ipynb.ungraded": "none of this day's"},
        ),
        ("half", {"1_graded": "not handed in"}),
        ("nobody", {"1_graded": "not handed in", "2_graded": "not handed in"}),
        ("Windows", {}),
        ("Zoë Ω", {}),
        ("a Mac", {}),
    ],
)
def test_what_cannot_be_graded_is_named(report, student, remarks):
    lines = {name: line for (who, name), line in report.items() if who == student}
    assert set(lines) == {*NOTEBOOKS, *remarks}
    for name, line in lines.items():
        if name in remarks:
            assert remarks[name] in line["remark"]
        assert line["points"] == ("" if name in remarks else "6.0")


@pytest.mark.parametrize(
    ("student", "remark"),
    [
        ("exit()", "exercise_2: left out: exit()"),
        ("the kernel ended", "exercise_2: left out: Kernel died"),
        ("an endless loop", "exercise_2: stopped after 4 s"),
        ("an endless loop that cannot be stopped", "exercise_2: left out: it never ends"),
        ("a check copied", "check_2: the last of 2 cells counts"),
        ("an answer deleted", "exercise_2: was missing"),
    ],
)
def test_what_became_of_a_cell_is_in_the_report(report, student, remark):
    assert remark in report[student, "1_graded"]["remark"]


def test_feedback_and_a_second_run_work(course, report):
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", "Day1", "--student=exit()"]
    subprocess.run(command, cwd=course / "grading", check=True, capture_output=True)
    page = course / "grading" / "feedback" / "exit()" / "Day1" / "1_graded.html"
    assert "This cell was left out: exit()" in page.read_text(encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in page.parents[3].glob("autograded/*/*/*")}
    again = [sys.executable, "grade.py", "Day1", "--student=half"]
    lines = ["half  1_graded  -  not handed in", "half  2_graded  6 of 6"]
    done = subprocess.run(again, cwd=course / "grading", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == lines
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read_report(course) == report


def test_what_is_handed_in_later_is_graded(course, report):
    """A notebook that was missing, and a better version of one that was there."""
    folder = course / "grading" / "submitted" / "half" / "Day1"
    for name in NOTEBOOKS:
        notebook = right(course, name)
        body(4, "return 5")(notebook)
        nbformat.write(notebook, folder / f"{name}.ipynb")
    again = [sys.executable, "grade.py", "Day1", "--student=half"]
    done = subprocess.run(again, cwd=course / "grading", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"half  {name}  4 of 6  wrong: 4" for name in NOTEBOOKS]


def test_what_was_released_stays_when_nbgrader_refuses(course, report, monkeypatch):
    """As it does when something was handed in: here a notebook is new."""
    monkeypatch.setenv("HOME", str(course / "home"))
    monkeypatch.setattr(build, "run", lambda notebook, folder: None)
    new, release = (
        build.sources(course)[0].with_name("3_new_solution.py"),
        course / "grading/release",
    )
    new.write_bytes(build.sources(course)[0].read_bytes())
    build.build(new, root=course)
    before = {path: path.read_bytes() for path in release.rglob("*.ipynb")}
    with pytest.raises(build.BuildError, match="Once something was handed in"):
        hand_out.make_assignments(course)
    assert {path: path.read_bytes() for path in release.rglob("*.ipynb")} == before
    new.unlink()


def test_an_archive_of_a_learning_platform_is_collected(course):
    grading, name = course / "grading", "1_graded.ipynb"
    archive = grading / "downloaded" / "Day1" / "archive" / "submissions.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        for student, after in (("Jane Roe", "_/"), ("Zoë", "_"), ("Max", "/")):  # by version
            place = f"{student}_12345_assignsubmission_file{after}{name}"
            file.writestr(place, nbformat.writes(right(course)))
    command = [sys.executable, "-m", "nbgrader", "zip_collect", "Day1"]
    subprocess.run(command, cwd=grading, check=True, capture_output=True)
    for student in ("Jane Roe", "Zoë", "Max"):
        assert (grading / "submitted" / student / "Day1" / name).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Day3"], "nothing was released as Day3: run `make assignments`"),
        (
            ["Day1", "--student=x"],
            "nobody handed in: notebooks belong into submitted/STUDENT/Day1/",
        ),
    ],
)
def test_nothing_to_grade_is_told(course, arguments, message):
    command = [sys.executable, "grade.py", *arguments]
    done = subprocess.run(command, cwd=course / "grading", capture_output=True, text=True)
    assert message in done.stderr
    assert done.returncode == 2
