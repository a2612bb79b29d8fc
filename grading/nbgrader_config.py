# How nbgrader grades this course: see README.md beside this file.
import os
import sys
import warnings
from pathlib import Path

# nbgrader calls `alembic`, which lies beside it, even where the environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

c = get_config()  # noqa: F821

# An assignment is a day: source/Day1 and source/Day2.
c.CourseDirectory.course_id = "pyro"

# `python grading/grade.py` has a day's notebooks put in order first. From an archive of a learning
# platform, "Jane Roe_12345_assignsubmission_file_/1_probability_distributions.ipynb" is collected.
c.FileNameCollectorPlugin.named_regexp = (
    r".*/(?P<student_id>[^/]+?)_\d+_assignsubmission_file[_/]+(?P<file_id>.+)"
)

# Students see the stubs of the course's own notebooks, which the checks recognise as blank, and may
# edit all cells but the checks.
c.ClearSolutions.code_stub = {
    "python": ('# YOUR CODE HERE\nraise NotImplementedError("Still blank: put your code here.")')
}
c.LockCells.lock_readonly_cells = False

# The slowest cell of a solution takes a minute on two cores; an endless loop is stopped here.
c.Execute.timeout = 600
c.Execute.shutdown_kernel = "immediate"

# `make grades` prints its report, and no kernel's remark on its connection or the database's.
c.Execute.extra_arguments = ["--log-level=ERROR"]
warnings.filterwarnings("ignore", module=r"nbgrader\.api")

# However a notebook was edited: what is missing is put back, and one bad cell costs no other.
sys.path.insert(0, str(Path(__file__).parent))
c.Autograde.sanitize_preprocessors = [
    "hooks.Restore",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "hooks.ExecuteAll",
    "nbgrader.preprocessors.IgnorePattern",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# A warning or a progress bar that a right answer writes to stderr would count as a failure.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = ".*"
