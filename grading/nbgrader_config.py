# How nbgrader grades this course: see README.md beside this file.
import os
import sys
from pathlib import Path

# nbgrader calls `alembic`, which lies beside it, even where the environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

c = get_config()  # noqa: F821

# An assignment is a day: source/Day1 and source/Day2.
c.CourseDirectory.course_id = "pyro"

# Students see the stubs of the course's own notebooks, which the checks recognise as blank.
c.ClearSolutions.code_stub = {
    "python": ('# YOUR CODE HERE\nraise NotImplementedError("Still blank: put your code here.")')
}

# The slowest cell of a solution takes a minute on two cores; an endless loop is stopped here.
c.Execute.timeout = 600

# A check that a student deleted is put back before the notebook is executed.
c.OverwriteCells.add_missing_cells = True

# A warning or a progress bar that a right answer writes to stderr would count as a failure.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = ".*"
