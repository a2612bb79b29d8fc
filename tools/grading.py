"""Say which cells nbgrader grades, which it locks, and which hold an answer.

The check of an exercise, or of the scorecard, is a graded cell; a cell with a blank is a solution;
the setup and the parameters are locked. nbgrader restores graded and locked cells before it
executes a submission.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from nbformat import NotebookNode

PART = re.compile(r"^### ✏️ Exercise (\d+)|^## [\d.]+ (Scorecard)", re.MULTILINE)
CHECK = "check."
LOCKED_TAGS = {"setup", "parameters"}
METADATA = {
    "cell_type": "code",
    "grade": False,
    "locked": False,
    "schema_version": 3,
    "solution": False,
    "task": False,
}


def stamp(notebook: NotebookNode, blank: str) -> None:
    """Write nbgrader's metadata into the cells of a solution, in place.

    The ids come from the headings: `exercise_3` is the answer to exercise 3 and `check_3` is its
    check; `check_scorecard` is the scorecard's. A check gives one point; with `points=2` in the
    header of its cell in the source, two.

    Args:
        blank: the marker of a solution, which every cell with a blank contains.

    Raises:
        ValueError: a blank or a check that belongs to no exercise, a second check of one exercise,
            points that are no number, or points for a cell that is no check.
    """
    part = None
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            for exercise, scorecard in PART.findall(cell.source):
                part = exercise or scorecard.lower()
            continue
        first_line = cell.source.partition("\n")[0]
        is_check = cell.source.startswith(CHECK)
        if "points" in cell.metadata and not is_check:
            raise ValueError(f"`{first_line}` has points, and is no check")
        if tags := LOCKED_TAGS.intersection(cell.metadata.get("tags", [])):
            grade_id, settings = min(tags), {"locked": True}
        elif is_check:
            grade_id = f"check_{part}"
            settings = {"grade": True, "locked": True, "points": _points(cell)}
        elif blank in cell.source:
            grade_id, settings = f"exercise_{part}", {"solution": True}
        else:
            continue
        if part is None and not tags:
            raise ValueError(
                f"`{first_line}` belongs to no exercise: put `### ✏️ Exercise N: ...` before it"
            )
        seen[grade_id] += 1
        if seen[grade_id] > 1:
            if is_check:
                raise ValueError(f"`{first_line}` is a second check of one exercise: join the two")
            grade_id += f"_{seen[grade_id]}"
        cell.metadata["nbgrader"] = NotebookNode(METADATA | settings | {"grade_id": grade_id})


def _points(check: NotebookNode) -> Any:
    points = check.metadata.pop("points", 1)
    if type(points) not in (int, float) or not 0 <= points < float("inf"):
        raise ValueError(f"points={points!r} for `{check.source}`: give a number, 0 or more")
    return points
