"""The notebooks in Colab: alone in an empty folder, with git and a clone of the course.

Colab itself is not needed: the module `google.colab` stands in for it, and git takes what it is
asked to fetch from GitHub out of a folder.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tools import build
from utils import start

NAME, BRANCH = "some-body/a.course", "spring/2026"


def git(*arguments: str | Path) -> str:
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def published_course(tmp_path_factory) -> Path:
    """What stands for github.com: the course as it is here, on one branch, and none on another."""
    work = tmp_path_factory.mktemp("working tree")
    git("init", "--quiet", "--initial-branch=main", work)
    git("-C", work, "commit", "--quiet", "--allow-empty", "--message=Empty")
    git("-C", work, "switch", "--quiet", "--create", BRANCH)
    for folder in ("utils", "checks", "data"):
        skip = shutil.ignore_patterns("__pycache__", "MNIST")
        shutil.copytree(build.ROOT / folder, work / folder, ignore=skip)
    git("-C", work, "add", ".")
    git("-C", work, "commit", "--quiet", "--message=Spring")
    git("-C", work, "tag", "v1.0")
    github = tmp_path_factory.mktemp("github")
    git("clone", "--quiet", "--bare", work, github / NAME)
    return github


@pytest.fixture
def github(published_course, tmp_path, monkeypatch) -> Path:
    """The same, to be changed; from here on git finds all of github.com in this folder."""
    folder = shutil.copytree(published_course, tmp_path / "github")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{folder}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    return folder


@pytest.fixture
def content(tmp_path) -> Path:
    """The empty folder in which Colab starts a notebook; here its name is awkward."""
    (tmp_path / "côntent of Ω").mkdir()
    return tmp_path / "côntent of Ω"


@pytest.fixture
def opened(monkeypatch):
    """A student's notebook, and its setup cell, as they are when the course is published."""

    def made(name: str = NAME, branch: str = BRANCH) -> tuple[NotebookNode, str]:
        sources = build.sources()
        source = next((s for s in sources if "bayesian_regression" in s.stem), sources[0])
        monkeypatch.setattr(build, "publication", lambda root: (name, branch))
        notebook = build.published(build.student_version(build.read_source(source)), source)
        return notebook, next(c.source for c in notebook.cells if "setup" in build.tags(c))

    return made


@pytest.fixture
def run_setup_cell(content, opened, monkeypatch):
    """Run a notebook's setup cell here, as in Colab; return where the course is."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    shell = types.SimpleNamespace(system=lambda command: subprocess.run(command, shell=True))

    def run(*home: str) -> Path:
        monkeypatch.chdir(content)
        monkeypatch.setattr(sys, "path", list(sys.path))
        cell = TransformerManager().transform_cell(opened(*home)[1])
        exec(cell, {"get_ipython": lambda: shell})
        return Path(sys.path[0])

    return run


@pytest.mark.parametrize("version", [BRANCH, "v1.0"])
def test_it_fetches_a_branch_or_a_tag(github, run_setup_cell, content, version):
    assert run_setup_cell(NAME, version) == content / "course"
    assert list(content.iterdir()) == [content / "course"]


@pytest.mark.parametrize(
    ("home", "reason", "left"),
    [
        (("no-body/a.course", "main"), "no-body/a.course' does not", None),
        ((NAME, "autumn"), "Remote branch autumn not found", None),
        ((NAME, BRANCH), "destination path 'course' already exists", "course/utils"),  # half of it
        ((NAME, "main"), "", "course/.git"),  # no course at all
        (("", "main"), "", None),  # not published
    ],
)
def test_a_failure_is_a_clear_error(github, run_setup_cell, content, capfd, home, reason, left):
    if "utils" in (left or ""):
        (content / left).mkdir(parents=True)
    with pytest.raises(AssertionError) as caught:
        run_setup_cell(*home)
    message = f"No course in {content} or above: ask your teacher."
    assert str(caught.value) == message
    assert reason in capfd.readouterr().err
    assert {path.name for path in content.iterdir()} == ({"course"} if left else set())
    shutil.rmtree(content / "course", ignore_errors=True)
    assert run_setup_cell() == content / "course"  # after a mend it just works


PROBE = """\
import os, utils
hooks = get_ipython().events.callbacks["post_run_cell"].count(utils.start.explain_missing_name)
print([utils.__path__[0], os.getcwd(), "torchvision" in sys.modules, hooks])
"""


def test_a_students_notebook_runs_twice(github, opened, content, monkeypatch):
    """Up to its first blank, in a kernel like Colab's, which has `google.colab` loaded."""
    package = github.parent / "packages" / "google" / "colab"
    startup = github.parent / "ipython" / "profile_default" / "startup"
    for folder in (package, startup):
        folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    (startup / "colab.py").write_text("import google.colab\n")
    monkeypatch.setenv("PYTHONPATH", str(package.parents[1]), prepend=os.pathsep)
    monkeypatch.setenv("IPYTHONDIR", str(startup.parents[1]))

    notebook, setup = opened()
    first = ["before = set(globals())", setup, "print(set(globals()) - before)"]
    no_network = f"import shutil; shutil.rmtree({str(github)!r})"
    first = [new_code_cell(code) for code in (*first, no_network, "tensor", PROBE)]
    first[4].metadata["tags"] = ["raises-exception"]
    notebook.cells = [*first, *notebook.cells]
    with pytest.raises(CellExecutionError) as stop:
        build.run(notebook, content)
    assert stop.value.ename in ("NotImplementedError", "StillBlank"), stop.value

    names = {name for name in ast.literal_eval(first[2].outputs[0].text) if name[0] != "_"}
    assert names == {"before", "sys", "Path", "near", "found", *start.__all__}
    assert first[4].outputs[-1].text.startswith("`tensor` has no value")
    course = content / "course"
    expected = [f"{course}/utils", str(content), False, 1]
    assert ast.literal_eval(first[5].outputs[0].text) == expected
    assert git("-C", course, "status", "--porcelain", "--ignored", ":!*__pycache__") == ""
