"""Make nbgrader's assignments from the solutions: one for each day.

    python -m tools.assignments

copies `solutions/DayN/NAME_solution.ipynb` to `grading/source/DayN/NAME.ipynb`, and has nbgrader
make what students get, `grading/release/DayN/NAME.ipynb`. The rest is in grading/README.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools import notebooks


def lay_out(root: Path = notebooks.ROOT) -> list[str]:
    """Write nbgrader's source folder; return the names of the assignments.

    Raises:
        notebooks.BuildError: a solution is out of step with its source. Nothing is written then.
    """
    sources = notebooks.sources(root)
    if problems := [p for source in sources for p in notebooks.out_of_step(source, root)]:
        raise notebooks.BuildError("\n".join(problems))
    for source in sources:
        name = notebooks.student_path(source).relative_to(root)
        solution = notebooks.stored(notebooks.solution_path(source))
        notebooks.write(solution, root / "grading" / "source" / name)
    return sorted({source.parent.name for source in sources})


def release(assignment: str, root: Path = notebooks.ROOT) -> None:
    """Have nbgrader make an assignment's release, in place of an earlier one.

    Raises:
        subprocess.CalledProcessError: nbgrader refuses; it has said why.
    """
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", assignment, "--force"]
    subprocess.run(command, cwd=root / "grading", check=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.assignments", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.parse_args(argv)
    try:
        for assignment in lay_out():
            release(assignment)
    except notebooks.BuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as problem:
        return problem.returncode
    print("Now in grading/release: what students get. grading/README.md says how to go on.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
