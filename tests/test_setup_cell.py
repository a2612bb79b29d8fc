"""The setup cell: clear errors where the course or a package is missing, and Colab's branch."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import types
from pathlib import Path

import matplotlib as mpl
import pytest

from tools import notebooks


@pytest.fixture
def run_cell(monkeypatch, tmp_path):
    """Run the cell in a folder, by default an empty one."""

    def run(folder: Path = tmp_path, repository: str = ""):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        stamp = f'REPOSITORY, BRANCH = "{repository}"'
        cell = re.sub(r'REPOSITORY, BRANCH = "[^"]*"', stamp, notebooks.setup_cell())
        names: dict = {}
        with mpl.rc_context():
            exec(cell, names)
        return names

    return run


@pytest.fixture
def commands(monkeypatch):
    """Pretend to be in Colab; return the commands that are run instead of running them."""
    done: list[list[str]] = []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(subprocess, "run", lambda command, check: done.append(command))
    return done


def without(monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else found(name, *rest),
    )


@pytest.mark.parametrize("folder", [".", "Day2", "solutions/Day2"])
def test_the_course_is_found_from_its_folders(run_cell, root, folder):
    names = run_cell(root / folder)
    assert names["root"] == root
    assert {"torch", "pyro", "dist", "pd", "plt", "plotting", "device"} <= set(names)


def test_outside_the_course_the_error_says_what_to_do(run_cell):
    with pytest.raises(FileNotFoundError, match="inside the course's folder"):
        run_cell()


def test_a_missing_package_is_named_with_its_mend(run_cell, root, monkeypatch):
    without(monkeypatch, "pyro")
    with pytest.raises(ModuleNotFoundError, match="pip install -r .*requirements.txt"):
        run_cell(root)


def test_colab_installs_only_what_is_missing(run_cell, root, monkeypatch, commands):
    run_cell(root)
    assert commands == []
    without(monkeypatch, "pyro")
    run_cell(root)
    assert commands == [[sys.executable, "-m", "pip", "install", "--quiet", "pyro-ppl"]]


def test_colab_does_not_fetch_the_course_twice(run_cell, tmp_path, commands):
    (tmp_path / "course" / "utils" / "checks").mkdir(parents=True)
    assert run_cell(repository="https://example.org/a/b")["root"] == tmp_path / "course"
    assert commands == []


def test_colab_fetches_the_course_if_it_knows_from_where(run_cell, tmp_path, commands):
    run_cell(repository="https://example.org/a/b")
    (clone,) = commands
    assert clone[:2] == ["git", "clone"]
    assert clone[-2:] == ["https://example.org/a/b", "course"]
    with pytest.raises(FileNotFoundError, match="does not know its repository"):
        run_cell()
