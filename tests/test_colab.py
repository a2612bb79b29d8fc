"""The notebooks in Colab: alone in an empty folder, with git and a clone of the course.

Colab itself is not needed: kernels that have the module `google.colab` loaded stand in for it, and
git takes what it is asked to fetch from GitHub out of a folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tools import notebooks
from tools.notebooks import ROOT, Publication

COURSE = Publication("https://github.com/some-body/a.course", "spring/2026")


def git(*arguments: str | Path) -> None:
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def published_course(tmp_path_factory) -> Path:
    """What stands for github.com: the course as it is here, on one branch, and old on another."""
    work = tmp_path_factory.mktemp("working tree")
    git("init", "--quiet", "--initial-branch=main", work)
    (work / "edition.txt").write_text("old")
    git("-C", work, "add", ".")
    git("-C", work, "commit", "--quiet", "--message=Old")
    git("-C", work, "switch", "--quiet", "--create", COURSE.branch)
    skip = shutil.ignore_patterns("__pycache__", "*-ubyte")
    for folder in ("utils", "data"):
        shutil.copytree(ROOT / folder, work / folder, ignore=skip)
    (work / "edition.txt").write_text(COURSE.branch)
    git("-C", work, "add", ".")
    git("-C", work, "commit", "--quiet", "--message=Spring")
    git("-C", work, "tag", "v1.0")
    github = tmp_path_factory.mktemp("github")
    git("clone", "--quiet", "--bare", work, github / "some-body" / "a.course")
    return github


@pytest.fixture
def github(published_course, tmp_path, monkeypatch) -> Path:
    """The same, to be changed; from here on git finds all of github.com in this folder."""
    copy = tmp_path / "github"
    shutil.copytree(published_course, copy, copy_function=_link)
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{copy}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    return copy


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


@pytest.fixture
def content(tmp_path) -> Path:
    """The empty folder in which Colab starts a notebook."""
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


def named(part: str) -> Path:
    return next(source for source in notebooks.sources() if part in source.stem)


def opened(source: Path, *, student: bool, home: Publication = COURSE) -> NotebookNode:
    """A notebook as the build makes it when the course is published there."""
    notebook = notebooks.read_source(source)
    for cell in filter(notebooks.is_setup, notebook.cells):
        cell.source = notebooks.setup_cell()
    notebook = notebooks.student_version(notebook) if student else notebook
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "publication", lambda root: home)
        return notebooks.published(notebook, source)


# ---------------------------------------------------------------------------- in this process


@pytest.fixture
def run_setup_cell(content, monkeypatch) -> Callable[..., dict]:
    """Run a notebook's setup cell here, as in Colab."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))

    def run(home: Publication = COURSE) -> dict:
        monkeypatch.chdir(content)  # where every kernel starts
        monkeypatch.setattr(sys, "path", list(sys.path))
        notebook = opened(notebooks.sources()[0], student=True, home=home)
        (setup,) = filter(notebooks.is_setup, notebook.cells)
        names: dict = {}
        with mpl.rc_context():
            exec(setup.source, names)
        return names

    return run


@pytest.mark.parametrize("version", [COURSE.branch, "v1.0"])
def test_it_fetches_the_right_version_and_goes_there(run_setup_cell, github, content, version):
    names = run_setup_cell(Publication(COURSE.repository, version))
    assert names["root"] == content / "course" == Path.cwd()
    assert (content / "course" / "edition.txt").read_text() == COURSE.branch
    assert list(content.iterdir()) == [content / "course"]


def test_the_second_time_it_needs_no_network(run_setup_cell, github, content):
    run_setup_cell()
    shutil.rmtree(github)
    (content / "course" / "mine.txt").write_text("the student's own file stays")
    assert run_setup_cell()["root"] == content / "course"
    assert (content / "course" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("repository", "branch", "reason"),
    [
        ("https://github.com/no-body/a.course", "main", "no-body/a.course"),
        ("https://github.com/some-body/a.course", "autumn", "Remote branch autumn not found"),
    ],
)
def test_a_wrong_repository_is_a_clear_error(
    run_setup_cell, github, content, repository, branch, reason
):
    with pytest.raises(RuntimeError) as caught:
        run_setup_cell(Publication(repository, branch))
    message, _, git_says = str(caught.value).partition("Git says:")
    assert f"could not be fetched from {repository}, branch {branch}." in message
    assert "online" in message
    assert reason in git_says
    assert list(content.iterdir()) == []
    assert run_setup_cell()["root"] == content / "course"  # after a mend it just works


def test_a_repository_without_the_course_is_a_clear_error(run_setup_cell, github, content):
    with pytest.raises(RuntimeError, match=r"a\.course, branch main, does not hold this course"):
        run_setup_cell(Publication(COURSE.repository, "main"))
    assert list(content.iterdir()) == []


def test_an_interrupted_fetch_leaves_nothing(run_setup_cell, github, content, monkeypatch):
    fetch = subprocess.run

    def interrupt(command, **options):
        fetch(command, **options)
        shutil.rmtree(Path(command[-1], "data"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_setup_cell()
    assert list(content.iterdir()) == []
    assert (run_setup_cell()["root"] / "data").is_dir()


def test_half_a_course_is_not_taken_for_a_whole_one(run_setup_cell, github, content):
    (content / "course" / ".git").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="course is not the whole course: rename or delete"):
        run_setup_cell()


def test_a_course_that_is_not_published_is_a_clear_error(run_setup_cell):
    with pytest.raises(FileNotFoundError, match="does not know its repository"):
        run_setup_cell(Publication("", "main"))


# ---------------------------------------------------------------------------- in a kernel


PROBE = """\
import json, utils
print(json.dumps([str(root), str(Path.cwd()), utils.__path__[0]]))
"""


@pytest.fixture
def colab(tmp_path, monkeypatch) -> None:
    """New kernels look like Colab's: they start with `google.colab` loaded."""
    package = tmp_path / "packages" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(package.parents[1]), prepend=os.pathsep)
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "colab.py").write_text("import google.colab\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def assert_in_the_fetched_course(probe: NotebookNode, content: Path) -> None:
    course = str(content / "course")
    assert json.loads(probe.outputs[0].text) == [course, course, f"{course}/utils"]


@pytest.mark.usefixtures("colab")
def test_a_solution_runs_and_runs_again_without_a_network(github, content):
    notebook = opened(named("probabilistic_models"), student=False)
    (setup,) = filter(notebooks.is_setup, notebook.cells)
    first_check = next(i for i, c in enumerate(notebook.cells) if c.source.startswith("check."))
    new_cell = nbformat.v4.new_code_cell
    notebook.cells = [
        *notebook.cells[: first_check + 1],
        new_cell(f"import shutil; shutil.rmtree({str(github)!r})"),
        new_cell(setup.source),
        new_cell(PROBE),
    ]
    notebooks.run(notebook, content)
    assert "✓" in notebook.cells[first_check].outputs[0].text
    assert_in_the_fetched_course(notebook.cells[-1], content)
    assert list(content.iterdir()) == [content / "course"]


@pytest.mark.usefixtures("colab", "github")
def test_a_student_notebook_runs_up_to_the_first_blank(content):
    notebook = opened(named("factor_analysis"), student=True)
    setup = next(i for i, cell in enumerate(notebook.cells) if notebooks.is_setup(cell))
    notebook.cells.insert(setup + 1, nbformat.v4.new_code_cell(PROBE))
    with pytest.raises(CellExecutionError) as stop:
        notebooks.run(notebook, content)
    assert stop.value.ename in ("NotImplementedError", "StillBlank"), stop.value
    assert_in_the_fetched_course(notebook.cells[setup + 1], content)
    # The digits were read from the fetched course, which is as it was.
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--ignored", ":!*__pycache__"],
        cwd=content / "course",
        capture_output=True,
        check=True,
    )
    assert changed.stdout == b""
