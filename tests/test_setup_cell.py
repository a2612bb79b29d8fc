"""The first cell: where it finds the course, what it says if it does not, and what it brings.

How it fetches the course in Colab: see test_colab.py.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tests.test_environments import read_requirements
from tools import build
from utils import start


@pytest.fixture(scope="module")
def cell() -> str:
    cells = [c for s in build.sources() for c in build.read_source(s).cells]
    (same,) = {cell.source for cell in cells if "setup" in build.tags(cell)}
    assert len(same.splitlines() + build.FETCH.splitlines()) <= 10
    return same


@pytest.mark.parametrize("place", [".", "Day2", "solutions/Day2", "VS Code"])
def test_it_finds_the_course(cell, root, monkeypatch, tmp_path, place):
    names: dict = {"__vsc_ipynb_file__": str(root / "Day2" / "x.ipynb")} if " " in place else {}
    folder = tmp_path if " " in place else root / place
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(cell, names)
    assert sys.path[0] == str(root)
    assert set(start.__all__) <= names.keys()
    assert Path.cwd() == folder


def test_outside_the_course_it_says_where_it_looked(cell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=f"No course in {re.escape(str(tmp_path))} or"):
        exec(cell, {"__vsc_ipynb_file__": "c:\\elsewhere.ipynb"})


@pytest.fixture
def pip(monkeypatch) -> list[list[str]]:
    """Without Pyro: the commands that are run, but only noted; the second one fails."""
    commands: list[list[str]] = []
    find = importlib.util.find_spec

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1, stderr="no network")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "pyro" else find(n))
    return commands


def test_a_missing_package_is_named_with_its_mend(root, pip):
    mend = re.escape(f"`pip install -r {root / 'requirements.txt'}`, then restart")
    with pytest.raises(ModuleNotFoundError, match=mend):
        start.require_packages()
    assert pip == []


def test_colab_installs_only_what_is_missing_and_never_its_torch(pip, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    start.require_packages()
    keep = f"torch=={importlib.metadata.version('torch')}"
    assert pip == [[sys.executable, "-m", "pip", "install", "--quiet", keep, "pyro-ppl"]]
    with pytest.raises(RuntimeError, match=r"pyro-ppl could not be installed:\nno network"):
        start.require_packages()


def test_what_colab_is_asked_for_is_what_the_course_requires(root):
    required = {r.name for r in read_requirements(root / "requirements.txt")}
    assert required - {"jupyter", "ipywidgets", "torchvision"} == set(start.PACKAGES.values())


def test_threads_are_told_before_torch_comes():
    told, _, rest = Path(start.__file__).read_text(encoding="utf-8").partition("\nimport matpl")
    settings = dict(re.findall(r'setdefault\("(\w+)", "(\w+)"\)', told))
    assert settings["OMP_WAIT_POLICY"] == "PASSIVE"
    assert settings["GOMP_SPINCOUNT"] == "1000"
    assert settings["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"
    assert "import torch" in rest
    assert not re.search(r"^(import (torch|pyro)|from utils)", told, re.M)
