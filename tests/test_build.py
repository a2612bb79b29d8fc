"""The build, on a small course of its own: what is made, kept, noticed and refused."""

from __future__ import annotations

import base64
import inspect
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_output

from tools import build
from utils import data

ADDRESS = "https://github.com/some-body/a.course"
SOURCE = """\
# %% [markdown]
# # Title

# %% tags=["setup"]
import sys

sys.path.insert(0, "../..")
from utils.start import *

# %%
import math

from checks import first as check
from utils.data import load_gap, load_gap_posterior

seven = {"a": -7.0}


def half(x):
    return x / 2


# %% [markdown]
# ### ✏️ Exercise 1: twice

# %%
def double(x):
    ### BEGIN SOLUTION
    return 4 * half(x) * math.copysign(1, seven["a"] ** 2)
    ### END SOLUTION


# %%
check.double(double, print)

# %% [markdown]
# ## 2. A picture

# %% tags=["picture=square"]
import time

from tqdm.auto import tqdm

print(len(list(tqdm(range(5)))), flush=True)
time.sleep(0.6)
print(double(21))
_ = plt.figure(figsize=(2, 2)).add_subplot(title="A square", xlabel="$x$", ylabel="")
"""
PY, IPYNB = (f"solutions/Day1/1_first_solution.{ending}" for ending in ("py", "ipynb"))
FILES = {
    PY: SOURCE,
    "checks/first.py": "def double(answer, say):\n    say('✓' if answer(2) == 4 else 'a hint')\n",
    "pyproject.toml": '[tool.course]\nrepository = ""\nbranch = "main"\nstudents = "class/2026"\n',
    "data/SHA256SUMS": "aa  gap.csv\nbb  gap_draws.npz\ncc  MNIST/digits.gz\n",
    "utils/data.py": "def load_gap():\n    pass\n\n\ndef load_gap_posterior():\n    pass\n",
    "utils/start.py": "import matplotlib.pyplot as plt\n\nfrom utils import plotting\n",
    "utils/plotting.py": "STYLE = 'course.mplstyle'\n",
    "utils/course.mplstyle": "axes.grid: True\n",
    "utils/unused.py": "A = 1\n",
}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A course of one notebook, built: with the only kernel of these tests."""
    course = tmp_path_factory.mktemp("course")
    for name, text in FILES.items():
        build.write(course / name, text.encode())
    assert build.build(course / PY, root=course) == "executed"
    return course


@pytest.fixture
def course(original, tmp_path) -> Path:
    return shutil.copytree(original, tmp_path / "course")


@pytest.fixture
def kernel(original, monkeypatch) -> list[str]:
    """A stand-in for kernels, which knows the outputs of the original; it notes its runs."""
    old = build.code_cells(nbformat.read(original / IPYNB, as_version=4))
    runs = []

    def run(notebook, folder):
        runs.append(last := notebook.cells[-1].source)
        if "1 / 0" in last:
            raise CellExecutionError("traceback", "ZeroDivisionError", "by zero")
        for cell, done in zip(build.code_cells(notebook), old, strict=False):
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
        for word, name in (("stderr", "stderr"), ("million", "stdout")):
            if word in last:
                output = new_output("stream", name=name, text=word * 10**6)
                notebook.cells[-1].outputs.append(output)

    monkeypatch.setattr(build, "run", run)
    return runs


def content(course: Path) -> dict[Path, tuple[bytes, int]]:
    files = (path for path in course.rglob("*.*") if path.is_file() and path.suffix != ".pyc")
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def notebooks(course: Path) -> list[nbformat.NotebookNode]:
    return [nbformat.read(course / name, as_version=4) for name in (IPYNB, "Day1/1_first.ipynb")]


def test_both_notebooks_are_made(course):
    solution, student = notebooks(course)
    nbformat.validate(solution)
    nbformat.validate(student)
    stub = build.STUB.replace("\n", "\n    ")
    assert student.cells[4].source == f"def double(x):\n    {stub}"
    assert solution.cells[5].outputs[0].text == "✓\n"
    for given, solved in zip(student.cells, solution.cells, strict=True):
        assert given.id == solved.id
        assert given.source == solved.source or given is student.cells[4]
        assert not given.get("outputs")
        assert given.get("execution_count") is None
        assert given.metadata.get("tags") == solved.metadata.get("tags")
    assert len({cell.id for cell in student.cells}) == len(student.cells)
    assert build.out_of_step(course / PY, course) == build.orphans(course) == []


def test_outputs_are_few_and_small_and_pictures_have_words(course):
    printed, picture = notebooks(course)[0].cells[-1].outputs  # and no widget
    assert printed.text == "5\n42.0\n"
    assert picture.metadata["image/png"]["alt"] == "2. A picture: A square; $x$"
    png = base64.b64decode(picture.data["image/png"])
    assert png[25] == 3  # a palette
    assert (course / "images" / "square.png").read_bytes() == png


def test_an_answer_is_a_reference_with_what_it_needs(course):
    reference = json.loads(build.references_path(course / PY).read_text(encoding="utf-8"))
    needed = ["import math", "seven = {'a': -7.0}", "def half(x):", "    return x / 2"]
    assert reference["context"] == ["from utils.start import *", *needed]
    answer, check = (c.source.splitlines() for c in notebooks(course)[0].cells[4:6])
    assert reference["exercises"] == {"double": {"number": "1", "cell": answer, "check": check}}


EXECUTED = {  # file, old, new
    "its code": (PY, "double(21)", "double(22)"),
    "a module": ("utils/data.py", "pass", "return"),
    "a module's module": ("utils/plotting.py", "STYLE", "LOOK"),
    "a file that a module names": ("utils/course.mplstyle", "True", "False"),
    "its data": ("data/SHA256SUMS", "bb", "dd"),
    "an output": (IPYNB, "42.0", "43.0"),
    "a notebook with a cell less": (IPYNB, '"cells": [', '"cells": [], "others": ['),
    "a damaged notebook": (IPYNB, '"cells"', '"'),
}
NOT_EXECUTED = {
    "its text": (PY, "# Title", "# A better title"),
    "a hint": ("checks/first.py", "hint", "help"),
    "another module": ("utils/unused.py", "A", "B"),
    "other data": ("data/SHA256SUMS", "cc", "dd"),
    "points": (PY, "# %%\ncheck", "# %% points=2\ncheck"),
    "the student's notebook": ("Day1/1_first.ipynb", "Title", "Titel"),
    "the solution's text": (IPYNB, "Title", "Titel"),
    "a reference": ("checks/references/first.json", "half", "whole"),
    "a picture": ("images/square.png", "", ""),
}


@pytest.mark.parametrize("change", [*EXECUTED, *NOT_EXECUTED])
def test_what_executes_a_notebook_again(course, kernel, change):
    before = content(course)
    name, old, new = (EXECUTED | NOT_EXECUTED)[change]
    if old:
        edit(course / name, old, new)
    else:
        (course / name).write_bytes(b"another")
    problems = build.out_of_step(course / PY, course)
    assert bool(problems) == (change not in ("a hint", "another module", "other data"))
    assert all("run `make notebooks`" in problem for problem in problems)
    done = build.build(course / PY, root=course)
    assert (done, len(kernel)) == (("executed", 1) if change in EXECUTED else ("not executed", 0))
    after = content(course)
    if name not in FILES:  # what is made is as it was
        assert {path: old for path, (old, _) in before.items()} == {
            path: new for path, (new, _) in after.items()
        }
    assert build.build(course / PY, root=course) == "not executed"
    assert content(course) == after


def test_a_second_notebook_leaves_the_first_alone(course, kernel):
    before = content(course)
    second = course / "solutions" / "Day1" / "2_second_solution.py"
    second.write_text(SOURCE.partition("# ## 2.")[0], encoding="utf-8")
    build.build(second, root=course)
    assert build.out_of_step(course / PY, course) == []
    second.unlink()
    for orphan in build.orphans(course):
        orphan.unlink()
    assert content(course) == before


def test_publishing_the_course_is_one_setting_and_executes_nothing(course, kernel):
    edit(course / "pyproject.toml", '= ""', f'= "{ADDRESS}.git/"')
    edit(course / "pyproject.toml", "main", "spring/2026")
    assert len(build.out_of_step(course / PY, course)) == 2  # the solution and the student's
    assert build.build(course / PY, root=course) == "not executed"
    solution, student = notebooks(course)
    assert student.cells[0].source == (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        "(https://colab.research.google.com/github/some-body/a.course/blob/class/2026/"
        "Day1/1_first.ipynb)\n"
        "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        "(https://mybinder.org/v2/gh/some-body/a.course/class%2F2026"
        "?labpath=Day1%2F1_first.ipynb)\n\n# Title"
    )
    assert f"/blob/spring/2026/{IPYNB})" in solution.cells[0].source
    for notebook, branch in ((solution, "spring/2026"), (student, "class/2026")):
        fetch = f"    !git clone --quiet --depth=1 --branch={branch} {ADDRESS} course"
        assert notebook.cells[1].source.splitlines()[3] == fetch
    edit(course / "pyproject.toml", f"{ADDRESS}.git/", "")
    assert build.build(course / PY, root=course) == "not executed"
    assert notebooks(course)[1].cells[0].source == "# Title"


ADDRESSES = [f"{start}some-body/a.course" for start in ("", "http://github.com/", "git@")]
ADDRESSES += [f"https://github.com/{end}" for end in ("a", 'a/"; print("', "a/b/c", "a/b\n")]
BRANCHES = ["", " ", "-b", "a b", "a..b", "a//b", "a/", 'a"b', "a\n", 1]
# JSON is TOML, as far as strings and numbers go.
SETTINGS = [('repository = ""', f"repository = {json.dumps(odd)}") for odd in [*ADDRESSES, " ", 7]]
SETTINGS += [('branch = "main"', f"branch = {json.dumps(odd)}") for odd in BRANCHES]


@pytest.mark.parametrize(
    ("message", "file", "old", "new"),
    [
        *((r"\[tool.course\] in pyproject.toml", "pyproject.toml", *odd) for odd in SETTINGS),
        ("not as many ### BEGIN", PY, "    ### END SOLUTION\n", ""),
        ("1_first_solution.py needs one setup cell", PY, ' tags=["setup"]', ""),
        ("the cell `import time`: invalid syntax", PY, "print(double(21))", "print(1 1)"),
        ("picture=circle draws nothing", PY, "# %%\ncheck", '# %% tags=["picture=circle"]\ncheck'),
        ("lower a figure's dpi", PY, "time.sleep", "million = time.sleep"),
        ("warns instead of just working: stderr", PY, "time.sleep", "stderr = time.sleep"),
        ("a cell fails with ZeroDivisionError: by zero", PY, "double(21)", "double(1 / 0)"),
    ],
)
def test_what_cannot_be_built_is_refused_and_leaves_the_notebooks(
    course, kernel, message, file, old, new
):
    edit(course / file, old, new)
    before = content(course)
    with pytest.raises(build.BuildError, match=message):
        build.build(course / PY, root=course, force=True)
    assert content(course) == before
    assert kernel == [] or file == PY  # an odd setting is told at once


def test_loaders_read_only_the_data_that_their_names_promise(monkeypatch):
    seen, read = [], data._read
    monkeypatch.setattr(data, "_read", lambda name: seen.append(name) or read(name))
    for name, load in inspect.getmembers(data, inspect.isfunction):
        if name.startswith("load_"):
            load()
            subject = name.removeprefix("load_").removesuffix("_posterior")
            assert {file.lower().startswith(subject) for file in seen} == {True}
            seen.clear()


def test_command_line(course, monkeypatch, capsys):
    monkeypatch.setattr(build, "sources", lambda: [course / PY])
    monkeypatch.setattr(build.out_of_step, "__defaults__", (course,))
    assert build.main(["--check"]) == 0
    edit(course / PY, "# Title", "# A better title")
    assert build.main(["--check"]) == 1
    assert "Day1/1_first.ipynb is not what 1_first_solution.py makes" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        build.main(["--only", "no such notebook"])
    assert "no such notebook" in capsys.readouterr().err
