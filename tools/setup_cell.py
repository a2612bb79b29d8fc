# Find the course: this folder or one above it. In Colab, fetch the course and what it needs.
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY, BRANCH = "", "main"


def find_course(start: Path) -> Path | None:
    folders = [start, *start.parents]
    return next((f for f in folders if (f / "utils" / "checks").is_dir()), None)


def run_command(*command: str, problem: str) -> None:
    no_questions = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=no_questions)
    if done.returncode != 0:
        raise RuntimeError(f"{problem}\n{done.stderr.strip()}")


def fetch_course(to: Path) -> Path:
    if to.exists():
        raise FileExistsError(f"{to} is not the whole course: rename or delete it, and try again.")
    problem = (
        f"The course could not be fetched from {REPOSITORY}, branch {BRANCH}. Are you online? "
        "Does the address open in a browser where you are not signed in? Git says:"
    )
    with tempfile.TemporaryDirectory(dir=to.parent) as scratch:  # for half a course is no course
        git_clone = ("git", "clone", "--quiet", "--depth=1", f"--branch={BRANCH}")
        run_command(*git_clone, REPOSITORY, f"{scratch}/course", problem=problem)
        if not Path(scratch, "course", "utils", "checks").is_dir():
            raise RuntimeError(f"{REPOSITORY}, branch {BRANCH}, does not hold this course.")
        return Path(scratch, "course").rename(to)


in_colab = "google.colab" in sys.modules
root = find_course(Path.cwd()) or find_course(Path.cwd() / "course")
if root is None and not in_colab:
    raise FileNotFoundError("Open this notebook from inside the course's folder.")
if root is None and not REPOSITORY:
    raise FileNotFoundError(
        "This notebook does not know its repository: name it in pyproject.toml, `make notebooks`."
    )
root = root or fetch_course(Path.cwd() / "course")

packages = {"pyro": "pyro-ppl"} | {p: p for p in ("torchvision", "pandas", "matplotlib", "tqdm")}
missing = [pip for name, pip in packages.items() if importlib.util.find_spec(name) is None]
if missing and not in_colab:
    raise ModuleNotFoundError(f"Run `pip install -r {root / 'requirements.txt'}`, then restart.")
if missing:
    keep = f"torch=={importlib.metadata.version('torch')}"  # Colab's own, made for its GPU
    pip_install = (sys.executable, "-m", "pip", "install", "--quiet", keep)
    problem = f"{', '.join(missing)} could not be installed. Pip says:"
    run_command(*pip_install, *missing, problem=problem)
    importlib.invalidate_caches()
if in_colab:
    os.chdir(root)
sys.path.insert(0, str(root))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # so that two notebooks can share a processor
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # on Linux: some 10 µs awake, then asleep
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what Apple's GPU lacks runs on the CPU

import matplotlib.pyplot as plt
import pandas as pd
import pyro
import pyro.distributions as dist
import torch

from utils import plotting
from utils.device import course_device

plotting.use_course_style()
device = course_device()
