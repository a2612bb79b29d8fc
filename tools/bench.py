"""Measure the times that README quotes: ``make bench``.

Nothing else should run on the machine meanwhile. Times are wall-clock. What is compared runs in
turns, in one process, and the medians count. ``make bench`` keeps the tables in tools/bench.md.
"""

from __future__ import annotations

import argparse
import ast
import functools
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch, as in the setup cell
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pyro
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from tools import notebooks
from utils.data import load_gap_posterior, load_mnist
from utils.device import course_device

ROUNDS = 25
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


def mnist_times(processes: int = 5) -> Iterator[Row]:
    """First and second call in a fresh process: medians over several, after one to warm up."""
    code = (
        "import time; from utils.data import load_mnist\n"
        "for _ in range(2):\n"
        "    began = time.perf_counter(); load_mnist(); print(time.perf_counter() - began)"
    )
    times = []
    for _ in range(processes + 1):
        load = [sys.executable, "-c", code]
        done = subprocess.run(load, check=True, capture_output=True, text=True, cwd=notebooks.ROOT)
        times.append([float(line) for line in done.stdout.split()])
    medians = map(statistics.median, zip(*times[1:], strict=True))
    yield from zip(("first call", "second call"), medians, strict=True)


def step_times() -> Iterator[Row]:
    """A step of the notebooks' loops against the same network and objective in plain PyTorch.

    PyTorch's loss is written twice: with the log-densities of `torch.distributions`, as Pyro's is,
    and with formulas by hand, which skip what cancels and never spread a scale over the pixels.
    """
    for name, fits, steps in (factor_analysis(), autoencoder()):
        median = {fit: 1000 * time / steps for fit, time in in_turns(fits).items()}
        pyro_time = median["pyro"]
        yield name, *median.values(), *(median[k] / pyro_time for k in ("distributions", "by hand"))


def autoencoder_notebook(n_images: int | None = None) -> dict[str, Any]:
    """Its functions, ready to fit the first ``n_images`` training images, or all of them."""
    notebook = definitions("5_variational", constants=("settings",))
    images = load_mnist(n=n_images)[0]
    notebook |= {"images": images, "mean_image": images.mean(0), "trange": quiet_range}
    notebook["device"] = images.device
    return notebook


def autoencoder(n_images: int = 10_000) -> tuple[str, dict[str, Callable], int]:
    """Name, one epoch by the notebook and by two loops in plain PyTorch, and the steps of each."""
    notebook = autoencoder_notebook(n_images)
    images = notebook["images"]
    pyro.set_rng_seed(0)
    vae, twin = notebook["deep"](50), notebook["deep"](50)
    batch = notebook["settings"]["batch"]
    steps = len(images.split(batch))

    def by_distributions(x: Tensor) -> Tensor:
        q = Normal(*twin.encoder(x), validate_args=False)
        z = q.rsample()
        p = Bernoulli(logits=twin.decoder(z), validate_args=False)
        return kl_divergence(q, Normal(torch.zeros(50), 1.0)).sum() - p.log_prob(x).sum()

    def by_hand(x: Tensor) -> Tensor:
        mean, sd = twin.encoder(x)
        z = mean + sd * torch.randn_like(mean)
        rate = 0.5 * (mean**2 + sd**2 - 2 * sd.log() - 1).sum()
        return rate + binary_cross_entropy_with_logits(twin.decoder(z), x, reduction="sum")

    def plain_epoch(negative_elbo: Callable[[Tensor], Tensor]) -> None:
        rate, fused = 0.003, images.device.type in ("cpu", "cuda")
        optimiser = torch.optim.Adam(twin.parameters(), rate, fused=fused)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rate, total_steps=steps, pct_start=0.1, div_factor=10, final_div_factor=100
        )
        losses = []
        for chosen in torch.randperm(len(images)).split(batch):
            x = notebook["binarise"](images[chosen])
            loss = negative_elbo(x) / len(x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())

    fits = {
        "pyro": lambda: notebook["fit"](vae, 1),
        "distributions": lambda: plain_epoch(by_distributions),
        "by hand": lambda: plain_epoch(by_hand),
    }
    return "variational autoencoder, d = 50", fits, steps


def factor_analysis(
    q: int = 10, steps: int = 50, batch: int = 400
) -> tuple[str, dict[str, Callable], int]:
    """Name, some steps by the notebook and by two loops in plain PyTorch, and their number."""
    notebook = definitions("4_factor")
    images, _ = load_mnist()
    mean_image = images.mean(0)
    notebook |= {"images": images, "mean_image": mean_image, "tqdm": quiet}
    pyro.set_rng_seed(0)
    model, guide = notebook["factor_model"], notebook["factor_guide"]

    def by_distributions(x: Tensor, W, b, V, log_sigma, log_s) -> Tensor:
        q_z = Normal((x - mean_image) @ V.T, log_s.exp(), validate_args=False)
        z = q_z.rsample()
        p_z = Normal(torch.zeros(q), 1.0, validate_args=False)
        p_x = Normal(z @ W.T + b, log_sigma.exp(), validate_args=False)
        return (q_z.log_prob(z) - p_z.log_prob(z)).sum() - p_x.log_prob(x).sum()

    def by_hand(x: Tensor, W, b, V, log_sigma, log_s) -> Tensor:
        mean = (x - mean_image) @ V.T
        noise = torch.randn_like(mean)
        z = mean + log_s.exp() * noise
        misfit = 0.5 * ((x - z @ W.T - b) / log_sigma.exp()).square().sum()
        log_ratio = 0.5 * (z.square() - noise.square()).sum() - batch * log_s.sum()
        return misfit + x.numel() * log_sigma + log_ratio

    def plain_fit(negative_elbo: Callable[..., Tensor]) -> None:
        W, b = 0.1 * torch.randn(784, q), mean_image.clone()
        V, log_sigma, log_s = torch.zeros(q, 784), torch.tensor(0.0), torch.zeros(q)
        parameters = [p.requires_grad_() for p in (W, b, V, log_sigma, log_s)]
        optimiser = torch.optim.Adam(parameters, lr=0.03)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.999)
        losses = []
        for chosen in torch.randint(len(images), (steps, batch)):
            loss = negative_elbo(images[chosen], *parameters) / batch
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_(parameters, 10.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())

    fits = {
        "pyro": lambda: notebook["fit"](model, guide, q, steps=steps, batch=batch),
        "distributions": lambda: plain_fit(by_distributions),
        "by hand": lambda: plain_fit(by_hand),
    }
    return f"factor analysis, q = {q}", fits, steps


def predictive_draws(draws: int = 1000) -> Iterator[Row]:
    """Draws of 261 predictions from the Bayesian regressor: all in one call, and one by one."""
    notebook = definitions("3_bayesian", constants=("starts",))
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
        _, fits, steps = autoencoder(n_images)
        median = in_turns({"pyro": fits["pyro"]}, rounds=3)["pyro"]
        yield f"{n_images:,}", steps, median, 1000 * median / steps


def autoencoder_fits(n_images: int | None = None) -> Iterator[Row]:
    """The notebook's two fits, each whole and once, and what they reach."""
    notebook = autoencoder_notebook(n_images)
    test_images, _ = load_mnist(train=False, binarise="sample", seed=0)
    settings = notebook["settings"]
    for d, epochs in settings["epochs"].items():
        pyro.set_rng_seed(0)
        vae = notebook["deep"](d)
        fit = functools.partial(notebook["fit"], vae, epochs, rate=settings["rate"][d])
        time_of_fit = seconds(fit)
        elbo = notebook["elbo_per_image"](vae, test_images).mean().item()
        yield f"{d}", f"{epochs}", time_of_fit, f"{elbo:.2f}"


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
            (
                "model",
                "the course's loop (ms)",
                "PyTorch with its distributions (ms)",
                "PyTorch with formulas by hand (ms)",
                "throughput relative to the former",
                "to the latter",
            ),
            step_times,
        ),
        ("MNIST", ("load_mnist", "seconds"), mnist_times),
        ("Predictive draws", ("of a Bayesian network", "draws per second"), predictive_draws),
        (
            "An epoch of the autoencoder",
            ("images", "steps", "seconds", "ms per step"),
            epoch_times,
        ),
        (
            "The fits of the autoencoder",
            ("dimensions", "epochs", "seconds", "test ELBO (nats per image)"),
            autoencoder_fits,
        ),
    ):
        parts.append(table(title, columns, rows()))
        print(parts[-1], flush=True)
    if options.to:
        options.to.write_text("\n".join(parts), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
