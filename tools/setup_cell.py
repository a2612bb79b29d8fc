# Find the course: this folder or one above it. In Colab, fetch the course and what it needs.
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY, BRANCH = "", "main"


def find_course(start: Path) -> Path | None:
    folders = [start, *start.parents]
    return next((f for f in folders if (f / "utils" / "checks").is_dir()), None)


in_colab = "google.colab" in sys.modules
root = find_course(Path.cwd()) or find_course(Path.cwd() / "course")
if root is None and in_colab and REPOSITORY:
    clone = ["git", "clone", "--quiet", "--depth=1", f"--branch={BRANCH}", REPOSITORY, "course"]
    subprocess.run(clone, check=True)
    root = Path.cwd() / "course"
if root is None:
    raise FileNotFoundError(
        "Open this notebook from inside the course's folder."
        if not in_colab
        else "This notebook does not know its repository: see `repository` in pyproject.toml."
    )
packages = {"pyro": "pyro-ppl"} | {p: p for p in ("torchvision", "pandas", "matplotlib", "tqdm")}
missing = [pip for name, pip in packages.items() if importlib.util.find_spec(name) is None]
if missing and in_colab:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
elif missing:
    raise ModuleNotFoundError(f"Run `pip install -r {root / 'requirements.txt'}`, then restart.")
sys.path.insert(0, str(root))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # so that two notebooks can share a processor
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
