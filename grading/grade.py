"""Grade a day: put its files in order, run nbgrader for each student, report every notebook.

    python grading/grade.py Day1 [--jobs 2] [--student NAME] [--force]

For nbgrader alone a file that it cannot read costs the whole day, and one with another name was
not handed in. Here each notebook has a line in `report_Day1.csv`: its points, or why it has none.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import nbformat
from hooks import digest, marks, words
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader

HERE = Path(__file__).parent
ENOUGH = 5  # cells by which a notebook is known again
NBGRADERS_OWN = ("timestamp.txt", "submission_secret.txt")


class Line(NamedTuple):
    """What the report says of a notebook, or of a file that is none."""

    student: str
    notebook: str
    points: float | None = None
    of: float | None = None
    wrong: str = ""
    remark: str = ""

    def __str__(self) -> str:
        points = "-" if self.points is None else f"{self.points:g} of {self.of:g}"
        wrong = f"wrong: {self.wrong}" if self.wrong else ""
        return "  ".join(filter(None, [self.student, self.notebook, points, wrong, self.remark]))


def known_by(notebook: NotebookNode) -> set[str]:
    return set().union(*map(marks, notebook.cells), map(words, notebook.cells)) - {""}


def released_on(day: str) -> dict[str, NotebookNode]:
    """The notebooks that students got, by name."""
    paths = sorted((HERE / "release" / day).glob("*.ipynb"))
    return {path.stem: nbformat.read(path, as_version=4) for path in paths}


def put_in_order(folder: Path, released: dict[str, NotebookNode]) -> dict[str, str]:
    """Give a student's files the names that nbgrader expects; return what it cannot grade, and why.

    Such a notebook is renamed to `NAME.ungraded`: it stays, and costs no other its points.

    Args:
        folder: a day's files of a student.
        released: the day's notebooks, by name.
    """
    problems = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts  # hidden: of Jupyter, or of an archive from a Mac
        hidden = any(part.startswith((".", "__MACOSX")) for part in inside)
        if hidden or not path.is_file() or path.name in NBGRADERS_OWN:
            continue
        if path.suffix != ".ipynb":
            problems[path.name] = "is no notebook, or none to grade"
            continue
        try:
            found = known_by(nbformat.read(path, as_version=4))
            shared = {name: len(found & known_by(notebook)) for name, notebook in released.items()}
            name = max(shared, key=shared.get)
            problem = "" if shared[name] >= ENOUGH else "is none of this day's notebooks"
        except Exception as error:  # whatever a damaged file causes
            problem = f"cannot be read as a notebook: {error!r:.100}"
        if not problem and path != (target := folder / f"{name}.ipynb"):
            if target.exists():
                problem = f"is a second {target.name}"
            else:
                path.rename(target)
        if problem:
            path = path.rename(path.with_name(f"{path.name}.ungraded"))
            problems[path.name] = problem
    return problems


def autograde(day: str, student: str, notebook: str = "*", *, force: bool) -> str:
    """Run nbgrader on a student's notebooks, or on one; return its log if it fails."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(HERE)).load_config()
    config.CourseDirectory.update(root=str(HERE), notebook_id=notebook)
    done = NbGraderAPI(config=config).autograde(day, student, force=force)
    return "" if done["success"] else f"{done.get('log', '')}\n{done['error']}"


def is_graded(submitted: Path, graded: Path) -> bool:
    """Whether what was graded is this file, as it is now."""
    if not graded.exists():
        return False
    return nbformat.read(graded, as_version=4).metadata.get("submitted") == digest(submitted)


def grade(day: str, student: str, force: bool = False) -> list[Line]:
    """Grade all that a student handed in; a notebook that fails costs no other its points."""
    folder, graded = (HERE / step / student / day for step in ("submitted", "autograded"))
    released = released_on(day)
    problems = put_in_order(folder, released) if folder.is_dir() else {}
    names = [name for name in released if (folder / f"{name}.ipynb").exists()]
    files = [f"{name}.ipynb" for name in names]
    force |= not all(is_graded(folder / file, graded / file) for file in files)
    logs = {}
    if names and autograde(day, student, force=force):
        logs = {name: autograde(day, student, name, force=force) for name in names}
    lines = []
    with Gradebook(f"sqlite:///{HERE / 'gradebook.db'}", "pyro") as book:
        for name in released:
            if log := logs.get(name):
                path = HERE / "logs" / f"{student}_{day}_{name}.txt"
                path.parent.mkdir(exist_ok=True)
                path.write_text(log, encoding="utf-8")
                remark = f"NOT GRADED: nbgrader failed, see {path.relative_to(HERE)}"
                lines.append(Line(student, name, remark=remark))
            elif name in names:
                marked = book.find_submission_notebook(name, day, student)
                notebook = nbformat.read(graded / f"{name}.ipynb", as_version=4)
                remark = "; ".join(notebook.metadata.get("restored", []))
                grades = marked.grades
                wrong = [g.name.removeprefix("check_") for g in grades if g.score < g.max_score]
                points = marked.score, marked.max_score
                lines.append(Line(student, name, *points, ", ".join(wrong), remark))
            else:
                why = "NOT GRADED: see this student's other files" if problems else "not handed in"
                lines.append(Line(student, name, remark=why))
    return lines + [Line(student, name, remark=f"FILE: {why}") for name, why in problems.items()]


def write_report(path: Path, lines: list[Line]) -> None:
    """Write the lines of some students, or of all; those of others stay."""
    others = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            graded = {line.student for line in lines}
            others = [line for line in [*csv.reader(file)][1:] if line[0] not in graded]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = sorted([*others, *lines], key=lambda line: line[0])
        csv.writer(file).writerows([Line._fields, *rows])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python grading/grade.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("day", help="Day1 or Day2")
    parser.add_argument("--jobs", type=int, default=2, help="students graded at the same time")
    parser.add_argument("--student", help="one student alone")
    parser.add_argument("--force", action="store_true", help="grade again what has marks")
    options = parser.parse_args(argv)
    if not released_on(options.day):
        parser.error(f"nothing was released as {options.day}: run `make assignments`")
    with Gradebook(f"sqlite:///{HERE / 'gradebook.db'}", "pyro") as book:
        students = {student.id for student in book.students}
    students |= {path.name for path in (HERE / "submitted").glob("*") if path.is_dir()}
    if options.student:
        students &= {options.student}
    if not students:
        parser.error(f"nobody handed in: notebooks belong into submitted/STUDENT/{options.day}/")
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // options.jobs))
    lines = []
    with ProcessPoolExecutor(options.jobs) as pool:
        todo = [pool.submit(grade, options.day, who, options.force) for who in sorted(students)]
        for done in as_completed(todo):
            lines += done.result()
            print(*done.result(), sep="\n", flush=True)
    write_report(HERE / f"report_{options.day}.csv", lines)
    return int(any(line.remark.startswith("NOT GRADED") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
