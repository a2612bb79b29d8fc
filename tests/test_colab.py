"""The notebooks in Colab: alone in an empty folder, with git and a clone of the course.

Colab itself is not needed: the module `google.colab` stands in for it, and git takes what it is
asked to fetch from GitHub out of a folder.
"""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tools import build, hand_out
from utils import start

NAME, BRANCH = "some-body/a.course", "spring/2026"
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # what git calls a tree without files
NOT_COPIED = (".git", ".venv", "build", "__pycache__", ".*_cache", "source", "release")


def git(*arguments: str | Path) -> str:
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def fork(tmp_path_factory) -> Path:
    """The course as it is here, published elsewhere, with the branch that its students get."""
    fork, ignored = tmp_path_factory.mktemp("fork") / "côurse", shutil.ignore_patterns(*NOT_COPIED)
    shutil.copytree(build.ROOT, fork, ignore=ignored)
    setting = (fork / "pyproject.toml").read_text(encoding="utf-8")
    for key, value in {"repository": f"https://github.com/{NAME}", "students": BRANCH}.items():
        setting = re.sub(rf'^{key} = ".*"$', f'{key} = "{value}"', setting, flags=re.M)
    (fork / "pyproject.toml").write_text(setting, encoding="utf-8")
    for source in build.sources(fork):
        assert build.build(source, root=fork) == "not executed"
    git("init", "--quiet", "--initial-branch=main", fork)
    (fork / ".git" / "info" / "exclude").write_text("build/\n")
    git("-C", fork, "add", ".")
    git("-C", fork, "commit", "--quiet", "--message=All of it")
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Nobody")
            patch.setenv(f"GIT_{role}_EMAIL", "nobody@example.org")
        assert hand_out.commit(hand_out.make_students(fork), fork) == BRANCH
        before = git("-C", fork, "rev-parse", BRANCH)
        hand_out.commit(fork / "build" / "students", fork)
    assert git("-C", fork, "rev-parse", BRANCH) == before, "nothing new: no new commit"
    assert git("-C", fork, "status", "--porcelain") == ""
    git("-C", fork, "tag", "v1.0", BRANCH)
    git("-C", fork, "branch", "empty", git("-C", fork, "commit-tree", EMPTY, "-m", "-").strip())
    return fork


@pytest.fixture(scope="module")
def published_course(fork, tmp_path_factory) -> Path:
    """What stands for github.com."""
    github = tmp_path_factory.mktemp("github")
    git("clone", "--quiet", "--bare", fork, github / NAME)
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
def opened(fork):
    """A student's notebook, as its badge opens it, and its setup cell."""

    def made(name: str = NAME, branch: str = BRANCH) -> tuple[NotebookNode, str]:
        *_, path = sorted((fork / "build" / "students" / "Day1").glob("*.ipynb"))
        notebook = nbformat.read(path, as_version=4)
        (setup,) = (c for c in notebook.cells if "setup" in build.tags(c))
        setup.source = setup.source.replace(NAME, name).replace(BRANCH, branch)
        if not name:  # not published
            setup.source = re.sub(
                r'^if "google.colab".*\n.*git clone.*\n', "", setup.source, flags=re.M
            )
        return notebook, setup.source

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
        ((NAME, "empty"), "", "course/.git"),  # no course at all
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


def test_students_get_all_that_their_notebooks_read(fork):
    branch = set(git("-C", fork, "ls-tree", "-r", "--name-only", BRANCH).splitlines())
    sums = (fork / "data" / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    expected = {f"data/{line.split()[1]}" for line in sums}
    expected |= {build.student_path(s).relative_to(fork).as_posix() for s in build.sources(fork)}
    expected |= {p.relative_to(fork).as_posix() for p in fork.glob("utils/*") if p.is_file()}
    expected |= {p.relative_to(fork).as_posix() for p in fork.glob("checks/*.toml")}
    packed = (p.relative_to(fork) for p in fork.glob("checks/*/*") if p.suffix in (".json", ".txt"))
    expected |= {f"{path.as_posix()}.gz" for path in packed}
    assert expected <= branch


def test_students_get_no_solution(fork):
    """In the branch are the notebooks and what they need; nothing leads from it to an answer."""
    branch = git("-C", fork, "ls-tree", "-r", "--name-only", BRANCH).splitlines()
    assert {name.partition("/")[0] for name in branch} == {"Day1", "Day2", "README.md"} | {
        name.partition("/")[0] for name in hand_out.HANDED_OUT
    }
    folder = fork / "build" / "students"
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in (".py", ".md", ".ipynb", ".json", ".txt")
    }
    assert not [path for path, text in texts.items() if re.search(r"solutions/|_solution\.", text)]
    for source in build.sources(fork):
        student = folder / build.student_path(source).relative_to(fork)
        badges = nbformat.read(student, as_version=4).cells[0].source.partition("\n\n")[0]
        assert badges.count("\n") == (source.parent.name in build.FITS_BINDER)
        for place in re.findall(r"\)\]\((\S+)\)", badges):
            assert re.search(
                f"{NAME}/blob/{BRANCH}/Day|/{quote(BRANCH, safe='')}.labpath=Day", place
            )
        answers = ("\n".join(e["cell"]) for e in exported(source)["exercises"].values())
        for answer in answers:
            region = answer.partition(build.BEGIN)[2].partition(build.END)[0].strip()
            if region.count("\n") > 1:
                assert not [path for path, text in texts.items() if region in text]


def exported(source: Path) -> dict:
    return json.loads(build.references_path(source).read_bytes())


@pytest.mark.ours
def test_from_handing_out_to_marks(fork, opened):
    """A notebook comes back from Colab, which has ids and metadata of its own, and is graded."""
    hand_out.make_assignments(fork)
    notebook, _ = opened()
    (source,) = (s for s in build.sources(fork) if "bayesian_regression" in s.stem)
    solved = {cell.id: cell for cell in build.read_source(source).cells}
    for cell in notebook.cells:
        if build.grade_id(cell) in ("exercise_1", "exercise_2"):
            cell.source = solved[cell.id].source
        cell.metadata = {"id": cell.pop("id")}
    notebook.nbformat_minor = 0
    folder = fork / "grading" / "submitted" / "Somebody Else" / "Day1"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "Copy of 4_bayesian_regression.ipynb")
    command = [sys.executable, "grading/grade.py", "Day1"]
    done = subprocess.run(command, cwd=fork, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with (fork / "grading" / "report_Day1.csv").open(encoding="utf-8") as file:
        points = {line["notebook"]: line["points"] for line in csv.DictReader(file)}
    assert points.pop("4_bayesian_regression") == "2.0"
    assert set(points.values()) == {""}


@pytest.mark.ours
def test_latecomers_get_the_first_answers(fork):
    path = hand_out.make_catch_up("ice_cream", 3, fork)
    notebook = nbformat.read(path, as_version=4)
    sources = {build.grade_id(cell): cell.source for cell in notebook.cells}
    for n in range(1, 6):
        assert ("NotImplementedError" in sources[f"exercise_{n}"]) == (n >= 3)
    assert not [source for source in sources.values() if build.BEGIN in source]
    with pytest.raises(build.BuildError, match="has no exercise 99"):
        hand_out.make_catch_up("ice_cream", 99, fork)
    with pytest.raises(build.BuildError, match="8 notebooks have '' in their name; it takes one"):
        hand_out.make_catch_up("", 1, fork)
