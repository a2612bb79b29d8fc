"""Where the course runs besides `make lab`: Binder, and a container for VS Code and Codespaces.

Neither can be built without a network; that they say what `make lab` says can be tested.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

packages_distributions = cache(metadata.packages_distributions)  # it reads every package

# conda-forge's names of what is smaller there: without CUDA, and without windows of its own.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


def read_requirements(path: Path) -> list[Requirement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line[:1] not in ("", "#", "-")]


@pytest.fixture
def binder(root) -> dict:
    return yaml.safe_load((root / ".binder" / "environment.yml").read_text(encoding="utf-8"))


@pytest.fixture
def container(root) -> dict:
    return json.loads((root / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


def test_binder_installs_what_make_lab_does(root, binder):
    requirements = read_requirements(root / "requirements.txt")
    expected = [f"{CONDA_NAMES.get(r.name, r.name)}{r.specifier}" for r in requirements]
    python, *packages = binder["dependencies"]
    assert python.startswith("python=3.")
    (for_hubs,) = set(packages) - set(expected)
    assert for_hubs.startswith("nbgitpuller")
    assert set(expected) < set(packages)
    assert binder["channels"] == ["conda-forge"]


def test_the_container_makes_the_environment_that_make_lab_does(root, container):
    command, target = container["postCreateCommand"].split()
    assert command == "make"
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^lab: {re.escape(target)}\b", makefile, flags=re.M)
    subprocess.run([command, "--dry-run", target], cwd=root, check=True, capture_output=True)
    interpreter = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python"
    assert re.search(r"^\.venv/bin/python:", makefile, flags=re.M)


def test_the_container_is_an_official_python_that_fits(container, binder):
    image, _, version = container["image"].partition(":")
    assert image == "mcr.microsoft.com/devcontainers/python"
    assert f"python={version}" in binder["dependencies"], "one version of Python everywhere"
    extensions = container["customizations"]["vscode"]["extensions"]
    assert sorted(extensions) == ["ms-python.python", "ms-toolsai.jupyter"]


@pytest.mark.parametrize("folder", ["utils", "checks", "tools", "tests"])
def test_every_imported_package_is_declared(root, folder):
    files = [root / name for name in ("requirements.txt", "requirements-dev.txt")]
    declared = {r.name.lower() for file in files for r in read_requirements(file)}
    declared.add("ipython")  # by `jupyter`
    imported = set()
    for source in (root / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names):
                    imported |= {alias.name.partition(".")[0] for alias in names}
                case ast.ImportFrom(str(module)):
                    imported.add(module.partition(".")[0])
    providers = packages_distributions()
    missing = {
        name: providers[name]
        for name in imported & providers.keys()
        if declared.isdisjoint(p.lower().replace("_", "-") for p in providers[name])
    }
    assert missing == {}
