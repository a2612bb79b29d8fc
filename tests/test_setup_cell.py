"""The setup cell: where it finds the course, and what it says if that or a package is missing.

How it fetches the course in Colab: see test_colab.py.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
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

    def run(folder: Path = tmp_path):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        names: dict = {}
        with mpl.rc_context():
            exec(notebooks.setup_cell(), names)
        return names

    return run


@pytest.fixture
def commands(monkeypatch):
    """Pretend to be in Colab; return the commands that are run instead of running them."""
    done: list[tuple[str, ...]] = []

    def run(command, **options):
        done.append(command)
        return subprocess.CompletedProcess(command, returncode=0)

    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(subprocess, "run", run)
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


def test_colab_installs_only_what_is_missing_and_never_its_torch(
    run_cell, root, monkeypatch, commands
):
    run_cell(root)
    assert commands == []
    without(monkeypatch, "pyro")
    run_cell(root)
    keep = f"torch=={importlib.metadata.version('torch')}"
    pip_install = (sys.executable, "-m", "pip", "install", "--quiet")
    assert commands == [(*pip_install, keep, "pyro-ppl")]


def test_colab_says_why_a_package_cannot_be_installed(run_cell, root, monkeypatch, commands):
    def fail(command, **options):
        return subprocess.CompletedProcess(command, returncode=1, stderr="ERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", fail)
    without(monkeypatch, "pyro")
    with pytest.raises(RuntimeError, match=r"pyro-ppl could not .*\nERROR: no network$"):
        run_cell(root)


def test_outside_colab_nothing_is_fetched_or_moved(run_cell, root):
    run_cell(root / "Day2")
    assert Path.cwd() == root / "Day2"
