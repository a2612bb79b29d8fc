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

import pytest
import yaml
from packaging.requirements import Requirement

packages_distributions = cache(metadata.packages_distributions)  # it reads every package

# conda-forge's names of what is smaller there: without CUDA, and without windows of its own.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


@pytest.fixture
def requirements(root) -> list[Requirement]:
    """What `make lab` installs."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.fixture
def binder(root) -> dict:
    return yaml.safe_load((root / ".binder" / "environment.yml").read_text(encoding="utf-8"))


@pytest.fixture
def container(root) -> dict:
    return json.loads((root / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


def test_binder_installs_what_make_lab_does(binder, requirements):
    names = {r.name: CONDA_NAMES.get(r.name, r.name) for r in requirements}
    expected = [f"{names[r.name]}{r.specifier}" for r in requirements]
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
    assert set(container["customizations"]["vscode"]["extensions"]) == {
        "ms-python.python",
        "ms-toolsai.jupyter",
    }


@pytest.mark.parametrize("folder", ["utils", "checks", "tools", "tests"])
def test_every_imported_package_is_declared(root, folder):
    files = [root / name for name in ("requirements.txt", "requirements-dev.txt")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    declared = {Requirement(line).name.lower() for line in lines if line[:1] not in "#-"}
    declared.add("ipython")  # by `jupyter`
    imported = set()
    for source in (root / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    providers = packages_distributions()
    packages = {
        name: {p.lower().replace("_", "-") for p in providers[name]}
        for name in imported & providers.keys()
    }
    assert [name for name, by in packages.items() if not by & declared] == []
