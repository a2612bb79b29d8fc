"""Measure the times that the README quotes: ``make bench``, which writes them to tools/bench.md.

Nothing else should run on the machine meanwhile. Times are wall-clock. A step of the autoencoder's
loop is compared with one of the same network and objective in plain PyTorch: both run by turns, in
one process, and the medians count.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch, as in the notebooks
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ["TQDM_DISABLE"] = "1"

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from tools import build
from utils.data import load_mnist
from utils.device import course_device

Row = tuple[str, float, float | None]
Contest = tuple[str, int, dict[str, Callable[[], object]]]  # name, steps, loops of so many steps


def in_turns(actions: Mapping[str, Callable[[], object]], rounds: int = 25) -> dict[str, float]:
    """Median seconds of each action; each runs once to warm up, then all by turns."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds + 1):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def plain_loop(
    batches: Tensor, loss_of: Callable[[Tensor], Tensor], parameters: list[Tensor]
) -> list[float]:
    """Adam in plain PyTorch, one step a batch (row of indices); return the losses per image."""
    optimiser = torch.optim.Adam(parameters, 0.003, fused=True)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.999)
    losses = []
    for chosen in batches:
        loss = loss_of(chosen) / len(chosen)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def autoencoder(steps: int = 50, d: int = 50) -> Contest:
    notebook = build.definitions("variational_autoencoder", "deep", "fit", "settings")
    batch = notebook["settings"]["batch"]
    images = load_mnist()[0][: steps * batch]
    notebook |= {"images": images, "mean_image": images.mean(0), "device": images.device}
    vae, twin = notebook["deep"](d), notebook["deep"](d)

    def negative_elbo(chosen: Tensor) -> Tensor:
        x = notebook["binarise"](images[chosen])
        q_z = Normal(*twin.encoder(x), validate_args=False)
        p_x = Bernoulli(logits=twin.decoder(q_z.rsample()), validate_args=False)
        return kl_divergence(q_z, Normal(torch.zeros(d), 1.0)).sum() - p_x.log_prob(x).sum()

    batches, parameters = torch.randperm(len(images)).reshape(steps, batch), [*twin.parameters()]
    loops = {
        "pyro": lambda: notebook["fit"](vae, 1),
        "plain": lambda: plain_loop(batches, negative_elbo, parameters),
    }
    return f"a step of the autoencoder, d = {d}", steps, loops


def rows() -> Iterator[Row]:
    """What was measured, its seconds, and those of plain PyTorch."""
    for source in build.sources():
        began = time.perf_counter()
        build.execute(build.read_source(source), source.parent)
        yield f"{source.parent.name}/{source.stem}", time.perf_counter() - began, None
    name, steps, loops = autoencoder()
    median = in_turns(loops)
    yield name, median["pyro"] / steps, median["plain"] / steps


def lines(measured: Iterator[Row]) -> Iterator[str]:
    """The machine, and a table in Markdown; numbers with three significant digits."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    software = f"Python {platform.python_version()}, torch {torch.__version__}"
    yield f"# Measured by `make bench`\n\n{os.cpu_count()} cores, {device}, {software}\n"
    yield "| | seconds | in plain PyTorch | speed relative to that |"
    yield "| --- | ---: | ---: | ---: |"
    for name, seconds, plain in measured:
        compared = f"{plain:.3g} | {plain / seconds:.2f}" if plain else "|"
        yield f"| {name} | {seconds:.3g} | {compared} |"


if __name__ == "__main__":
    course_device()
    for line in lines(rows()):
        print(line, flush=True)
