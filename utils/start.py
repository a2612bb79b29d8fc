"""What every notebook begins with: ``from utils.start import *``.

Once in a kernel, the import sets the course up: it installs what Colab lacks, lets threads share
the processor, chooses the device and the style of plots, and has missing names explained.
"""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["device", "dist", "pd", "plotting", "plt", "pyro", "torch"]

PACKAGES = {"pyro": "pyro-ppl", "arviz_stats": "arviz-stats", "arviz_plots": "arviz-plots"} | {
    name: name for name in ("torch", "numpy", "pandas", "matplotlib", "pygraphviz", "tqdm")
}


def require_packages() -> None:
    """Install the packages that Colab lacks; elsewhere, say how to.

    Raises:
        ModuleNotFoundError: a package is missing, and this is not Colab.
        RuntimeError: pip failed; the message has its words.
    """
    missing = [pip for name, pip in PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing and "google.colab" not in sys.modules:
        requirements = Path(__file__).resolve().parents[1] / "requirements.txt"
        raise ModuleNotFoundError(f"Run `pip install -r {requirements}`, then restart the kernel.")
    if missing:
        keep = f"torch=={importlib.metadata.version('torch')}"  # Colab's own, made for its GPU
        command = [sys.executable, "-m", "pip", "install", "--quiet", keep, *missing]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{', '.join(missing)} could not be installed:\n{done.stderr}")
        importlib.invalidate_caches()


require_packages()
# Before torch comes: between two steps, a thread is awake for some 10 µs, and then asleep, so that
# two notebooks can share a processor; and what Apple's GPU lacks runs on the CPU.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

import matplotlib.pyplot as plt
import pandas as pd
import pyro
import pyro.distributions as dist
import torch
from IPython import get_ipython
from IPython.core.interactiveshell import ExecutionResult

from utils import plotting
from utils.device import course_device


def explain_missing_name(result: ExecutionResult) -> None:
    """After a cell that stopped at a name without a value: one line on what mends it."""
    error = result.error_in_exec
    if isinstance(error, NameError) and error.name:
        print(
            f"`{error.name}` has no value. If the name is not misspelt: run the cells above, from "
            "the top. Did one of them stop, at a blank or with an error? Begin with that one."
        )


plotting.use_course_style()
device = course_device()
if shell := get_ipython():
    shell.events.register("post_run_cell", explain_missing_name)
