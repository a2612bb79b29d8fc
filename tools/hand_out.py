"""Make what students get: their folder, a branch of it, nbgrader's releases, a catch-up notebook.

    python -m tools.hand_out students [--branch]
    python -m tools.hand_out assignments
    python -m tools.hand_out catch-up NAME EXERCISE

`build/students` holds the student notebooks and what they need, and no solution that can be read.
With ``--branch`` it is also committed as the branch that pyproject.toml names: one with a history
of its own, which Colab, Binder and nbgitpuller can open.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from tools import build
from tools.build import ROOT, BuildError

HANDED_OUT = ("utils", "checks", "data", ".binder", "requirements.txt", "LICENSE")
NOT_HANDED_OUT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.tmp")


def sources_in_step(root: Path) -> list[Path]:
    """All sources; raises BuildError if what was made of one is not of this version."""
    sources = build.sources(root)
    if problems := [problem for source in sources for problem in build.out_of_step(source, root)]:
        raise BuildError("\n".join(problems))
    return sources


def make_students(root: Path = ROOT) -> Path:
    """Make ``build/students`` anew; return it.

    Raises:
        BuildError: a notebook is out of step with its source; the old folder stays then.
    """
    sources, folder = sources_in_step(root), root / "build" / "students"
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as new:
        made = Path(new) / "students"
        for name in HANDED_OUT:
            path = root / name
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, made / name, ignore=NOT_HANDED_OUT)
            else:
                shutil.copy(path, made / name)
        shutil.copy(root / "STUDENTS.md", made / "README.md")
        for source in sources:
            student = build.student_path(source)
            build.write(made / student.relative_to(root), student.read_bytes())
        # The checks compare with solutions: they get them, but nobody reads them by chance.
        for file in [*made.glob("checks/references/*.json"), *made.glob("checks/tables/*.txt")]:
            packed = gzip.compress(file.read_bytes(), mtime=0)
            file.with_name(f"{file.name}.gz").write_bytes(packed)
            file.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return folder


def commit(folder: Path, root: Path = ROOT) -> str:
    """Commit the folder as the students' branch, and touch nothing else; return the branch's name.

    Raises:
        BuildError: the students' branch is that of the whole course, or git refuses.
    """
    _, course, branch = build.publication(root)
    if branch == course:
        raise BuildError(
            "[tool.course] in pyproject.toml: `students` must be another branch than `branch`, or "
            "students get the whole course, solutions included"
        )
    with tempfile.TemporaryDirectory() as scratch:
        env = os.environ | {"GIT_INDEX_FILE": f"{scratch}/index"}

        def git(*arguments: str, check: bool = True) -> str:
            command = ["git", "-C", str(folder), *arguments]
            done = subprocess.run(command, env=env, capture_output=True, text=True)
            if check and done.returncode:
                raise BuildError(f"git {arguments[0]} refuses: {done.stderr.strip()}")
            return done.stdout.strip()

        git("add", "--force", ".")
        tree = git("write-tree", f"--prefix={git('rev-parse', '--show-prefix')}")
        heads = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}")
        known = (git("rev-parse", "--quiet", "--verify", head, check=False) for head in heads)
        old = next(filter(None, known), "")
        if not old or git("rev-parse", f"{old}^{{tree}}") != tree:
            parent = ("-p", old) if old else ()
            old = git("commit-tree", tree, *parent, "-m", "What students get")
        git("update-ref", heads[0], old)
    return branch


def make_assignments(root: Path = ROOT) -> None:
    """Give nbgrader the solutions, and have it make each day's release: the student notebooks.

    Raises:
        BuildError: a solution is out of step with its source; nothing is written then. Or nbgrader
            refuses, and has said why; what it released before stays.
    """
    sources = sources_in_step(root)
    for source in sources:
        student = build.student_path(source)
        notebook = build.published(build.read_source(source), student, root)
        copied = root / "grading" / "source" / student.relative_to(root)
        build.write(copied, nbformat.writes(notebook).encode())
    for day in sorted({source.parent.name for source in sources}):
        command = [sys.executable, "-m", "nbgrader", "generate_assignment", day, "--force"]
        release = root / "grading" / "release" / day
        with tempfile.TemporaryDirectory() as scratch:  # nbgrader deletes it, and then refuses
            kept = Path(scratch) / day
            if release.is_dir():
                shutil.copytree(release, kept)
            if subprocess.run(command, cwd=root / "grading").returncode:
                if kept.is_dir():
                    shutil.copytree(kept, release, dirs_exist_ok=True)
                raise BuildError(
                    f"nbgrader has not taken {day} anew, see above. Once something was handed in, "
                    "it takes no notebook or exercise more or less; what was released stays."
                )


def make_catch_up(name: str, exercise: int, root: Path = ROOT) -> Path:
    """Make a student's notebook in which the exercises before ``exercise`` are solved.

    Raises:
        BuildError: not one notebook has ``name`` in its own, or it has no such exercise.
    """
    source = build.source_named(name, root)
    notebook = build.read_source(source)
    if f"exercise_{exercise}" not in map(build.grade_id, notebook.cells):
        raise BuildError(f"{source.stem} has no exercise {exercise}")
    student = build.student_path(source)
    notebook = build.published(build.student_version(notebook, exercise), student, root)
    name = f"{student.stem}_from_exercise_{exercise}.ipynb"  # beside the student's own
    path = root / "build" / "catch_up" / student.relative_to(root).with_name(name)
    build.write(path, nbformat.writes(notebook).encode())
    return path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.hand_out", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_subparsers(dest="what", required=True)
    students = what.add_parser("students", help="make build/students")
    students.add_argument("--branch", action="store_true", help="and commit it as a branch")
    what.add_parser("assignments", help="make what nbgrader grades")
    late = what.add_parser("catch-up", help="make a notebook with the first exercises solved")
    late.add_argument("name", help="a part of the notebook's name")
    late.add_argument("exercise", type=int, help="the first exercise that stays blank")
    options = parser.parse_args(argv)
    try:
        if options.what == "assignments":
            make_assignments()
        elif options.what == "catch-up":
            print(make_catch_up(options.name, options.exercise).relative_to(ROOT))
        else:
            print(folder := make_students().relative_to(ROOT))
            if options.branch:
                print(f"Now run `git push origin {commit(ROOT / folder)}`.")
    except BuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
