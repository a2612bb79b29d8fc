"""Measure the times that README quotes: ``make bench``.

Nothing else should run on the machine meanwhile. Times are wall-clock seconds.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time

import torch

from tools import notebooks


def machine() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {device}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def notebook_times() -> list[tuple[str, float]]:
    """Wall time of each solution, from starting the kernel to the last output."""
    rows = []
    for source in notebooks.sources():
        began = time.perf_counter()
        notebooks.execute(notebooks.read_source(source), source.parent)
        rows.append((f"{source.parent.name}/{source.stem}", time.perf_counter() - began))
    return rows


def mnist_times() -> list[tuple[str, float]]:
    """First and second call in a fresh process, the files being unpacked already."""
    code = (
        "import time; from utils.data import load_mnist\n"
        "for _ in range(2):\n"
        "    began = time.perf_counter(); load_mnist(); print(time.perf_counter() - began)"
    )
    load = [sys.executable, "-c", code]
    subprocess.run(load, check=True, capture_output=True, cwd=notebooks.ROOT)
    done = subprocess.run(load, check=True, capture_output=True, text=True, cwd=notebooks.ROOT)
    first, second = map(float, done.stdout.split())
    return [("MNIST, first call", first), ("MNIST, second call", second)]


def main() -> None:
    print(f"{machine()}\n\n| what | seconds |\n| --- | ---: |")
    for what, seconds in [*notebook_times(), *mnist_times()]:
        print(f"| {what} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
