"""Measure the times that README quotes: ``make bench``.

Nothing else should run on the machine meanwhile. Times are wall-clock. What is compared runs in
turns, in one process, and the medians count. ``make bench`` keeps the tables in tools/bench.md.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyro
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from tools import notebooks
from utils.data import load_gap_posterior, load_mnist
from utils.device import course_device

ROUNDS = 9
Row = tuple[str | float, ...]


def machine() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {device}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, pyro {pyro.__version__}"
    )


def table(title: str, columns: tuple[str, ...], rows: Iterator[Row]) -> str:
    """A table in Markdown; numbers with three significant digits."""
    lines = [
        f"## {title}\n",
        f"| {' | '.join(columns)} |",
        f"| --- |{' ---: |' * (len(columns) - 1)}",
    ]
    for row in rows:
        cells = (cell if isinstance(cell, str) else f"{cell:,.3g}" for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------- the notebooks' code


def definitions(name: str, constants: tuple[str, ...] = ()) -> dict[str, Any]:
    """The imports, functions and classes of a solution, and the constants asked for, ready to use.

    So what is measured is the code of the notebook, not a copy.

    Raises:
        ValueError: no solution, or more than one, has ``name`` in its own.
    """
    sources = [source for source in notebooks.sources() if name in source.stem]
    if len(sources) != 1:
        raise ValueError(f"{len(sources)} solutions have {name!r} in their name.")
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    tree = ast.parse(sources[0].read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, kept)
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in constants)
    ]
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(tree, sources[0].name, "exec"), namespace)
    return namespace


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def in_turns(actions: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of each action; each runs once to warm up, then all by turns."""
    for action in actions.values():
        action()
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return {name: statistics.median(values) for name, values in times.items()}


# -------------------------------------------------------------------------------- what is measured


def notebook_times() -> Iterator[Row]:
    """Wall time of each solution, from starting the kernel to the last output."""
    for source in notebooks.sources():
        began = time.perf_counter()
        notebooks.execute(notebooks.read_source(source), source.parent)
        yield f"{source.parent.name}/{source.stem}", time.perf_counter() - began


def mnist_times() -> Iterator[Row]:
    """First and second call in a fresh process, the files being unpacked already."""
    code = (
        "import time; from utils.data import load_mnist\n"
        "for _ in range(2):\n"
        "    began = time.perf_counter(); load_mnist(); print(time.perf_counter() - began)"
    )
    load = [sys.executable, "-c", code]
    subprocess.run(load, check=True, capture_output=True, cwd=notebooks.ROOT)
    done = subprocess.run(load, check=True, capture_output=True, text=True, cwd=notebooks.ROOT)
    yield from zip(("first call", "second call"), map(float, done.stdout.split()), strict=True)


def step_times() -> Iterator[Row]:
    """A step of the notebooks' loops against the same network and objective in plain PyTorch."""
    for name, pyro_fit, plain_fit, steps in (factor_analysis(), autoencoder()):
        median = in_turns({"pyro": pyro_fit, "plain": plain_fit})
        yield (
            name,
            1000 * median["pyro"] / steps,
            1000 * median["plain"] / steps,
            median["plain"] / median["pyro"],
        )


def autoencoder(n_images: int = 10_000) -> tuple[str, Callable, Callable, int]:
    """Name, one epoch of the notebook, one in plain PyTorch, and the steps of each."""
    notebook = definitions("5_variational", constants=("settings",))
    images = load_mnist(n=n_images)[0]
    notebook |= {"images": images, "mean_image": images.mean(0), "trange": quiet_range}
    pyro.set_rng_seed(0)
    vae, twin = notebook["deep"](50), notebook["deep"](50)
    batch = notebook["settings"]["batch"]
    steps = len(images.split(batch))

    def plain_epoch() -> None:
        rate = 0.003
        optimiser = torch.optim.Adam(twin.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rate, total_steps=steps, pct_start=0.1, div_factor=10, final_div_factor=100
        )
        losses = []
        for chosen in torch.randperm(len(images)).split(batch):
            x = notebook["binarise"](images[chosen])
            mean, sd = twin.encoder(x)
            z = mean + sd * torch.randn_like(mean)
            distortion = binary_cross_entropy_with_logits(twin.decoder(z), x, reduction="sum")
            rate_term = 0.5 * (mean**2 + sd**2 - 2 * sd.log() - 1).sum()
            loss = (distortion + rate_term) / len(x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())

    return "variational autoencoder, d = 50", lambda: notebook["fit"](vae, 1), plain_epoch, steps


def factor_analysis(q: int = 10, steps: int = 50, batch: int = 400) -> tuple:
    """Name, some steps of the notebook, the same in plain PyTorch, and their number."""
    notebook = definitions("4_factor")
    images, _ = load_mnist()
    mean_image = images.mean(0)
    notebook |= {"images": images, "mean_image": mean_image, "tqdm": quiet}
    pyro.set_rng_seed(0)
    model, guide = notebook["factor_model"], notebook["factor_guide"]

    def plain_fit() -> None:
        W, b = 0.1 * torch.randn(784, q), mean_image.clone()
        V, log_sigma, log_s = torch.zeros(q, 784), torch.tensor(0.0), torch.zeros(q)
        parameters = [p.requires_grad_() for p in (W, b, V, log_sigma, log_s)]
        optimiser = torch.optim.Adam(parameters, lr=0.03)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.999)
        losses = []
        for chosen in torch.randint(len(images), (steps, batch)):
            x = images[chosen]
            mean, s = (x - mean_image) @ V.T, log_s.exp()
            noise = torch.randn_like(mean)
            z, sigma = mean + s * noise, log_sigma.exp()
            misfit = 0.5 * ((x - z @ W.T - b) / sigma).square().sum() + x.numel() * log_sigma
            log_ratio = 0.5 * (z.square() - noise.square()).sum() - batch * log_s.sum()
            loss = (misfit + log_ratio) / batch
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(parameters, 10.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())

    def pyro_fit() -> None:
        notebook["fit"](model, guide, q, steps=steps, batch=batch)

    return f"factor analysis, q = {q}", pyro_fit, plain_fit, steps


def predictive_draws(draws: int = 1000) -> Iterator[Row]:
    """Draws of 261 predictions from the Bayesian regressor: all in one call, and one by one."""
    notebook = definitions("3_bayesian")
    regressor = notebook["NeuralRegressor"]()
    _, weights = load_gap_posterior()
    weights = {site: values[:draws] for site, values in weights.items()}
    points = torch.linspace(-13, 13, 261)

    def one_call() -> None:
        with torch.no_grad():
            pyro.condition(regressor, data=weights)(points)

    def loop() -> None:
        with torch.no_grad():
            for j in range(draws):
                one = {site: values[j] for site, values in weights.items()}
                pyro.condition(regressor, data=one)(points)

    for name, median in in_turns({"one call": one_call, "a loop": loop}, rounds=5).items():
        yield name, draws / median


def epoch_times() -> Iterator[Row]:
    """One epoch of the autoencoder against the number of images."""
    for n_images in (5_000, 10_000, 20_000, 40_000, 60_000):
        _, epoch, _, steps = autoencoder(n_images)
        median = in_turns({"epoch": epoch}, rounds=3)["epoch"]
        yield f"{n_images:,}", steps, median, 1000 * median / steps


class quiet(list):  # noqa: N801  (in the place of tqdm)
    """No progress bar: a list that takes a bar's settings."""

    def __init__(self, iterable, **_) -> None:
        super().__init__(iterable)


def quiet_range(n: int, **_) -> range:
    return range(n)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--to", type=Path, metavar="FILE", help="also write the tables here")
    options = parser.parse_args(argv)
    course_device()

    parts = [f"# Measured by `make bench`\n\n{machine()}\n"]
    print(parts[0], flush=True)
    for title, columns, rows in (
        ("Notebooks", ("solution", "seconds"), notebook_times),
        (
            "A training step",
            ("model", "the course's loop (ms)", "plain PyTorch (ms)", "throughput, relative"),
            step_times,
        ),
        ("MNIST", ("load_mnist", "seconds"), mnist_times),
        ("Predictive draws", ("of a Bayesian network", "draws per second"), predictive_draws),
        (
            "An epoch of the autoencoder",
            ("images", "steps", "seconds", "ms per step"),
            epoch_times,
        ),
    ):
        parts.append(table(title, columns, rows()))
        print(parts[-1], flush=True)
    if options.to:
        options.to.write_text("\n".join(parts), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
