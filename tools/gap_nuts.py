"""Make the exact answers of the notebook on Bayesian neural networks: its data, and NUTS chains.

    python -m tools.gap_nuts [--chains 4] [--draws 5000] [--warmup 1000] [--to data]

Writes ``gap.csv`` (120 points with a gap between them), ``gap_nuts_summary.csv`` (mean, sd, R-hat
and effective sample size of what the networks predict, from all draws) and ``gap_nuts_draws.csv``
(evenly thinned draws of all weights). Takes some ten minutes on two cores. Then put the new
checksums, which it prints, into utils/data.py.

NUTS takes up to a thousand steps a draw here; NumPyro, which compiles the model,
needs a fiftieth of the time that Pyro needs. Priors and shapes are read from the notebook's model,
and ``same_density`` makes sure that the rest agrees with it, too.

The posterior of a network's weights has many copies of each mode: units can be exchanged, and the
signs of a unit's weights flipped. R-hat and the effective sample size are therefore those of the
functions h(x) and g(x), which are the same in all copies, not those of the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import torch
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS, init_to_sample
from numpyro.infer.util import log_density
from pyro import poutine

from utils.checks.bayesian_neural_networks import NeuralRegressor, true_mean, true_sd
from utils.data import DATA

STORED = 2000  # thinned draws
GRID = np.linspace(-13, 13, 53)

Weights = dict[str, jax.Array]


def make_data(n: int = 120, seed: int = 1) -> pd.DataFrame:
    """Points on [-10, 0] and [5, 10], two thirds of them on the left, sorted and rounded."""
    generator = torch.Generator("cpu").manual_seed(seed)
    u = 15 * torch.rand(n, generator=generator, device="cpu")
    x, _ = torch.where(u < 10, u - 10, u - 5).sort()
    noise = torch.randn(n, generator=generator, device="cpu")
    y = true_mean(x) + true_sd(x) * noise
    return pd.DataFrame({"x": x.numpy(), "y": y.numpy()}).astype("float64").round(4)


def priors() -> dict[str, np.ndarray]:
    """Site -> standard deviation of the normal prior (around 0) of each weight."""
    trace = poutine.trace(NeuralRegressor()).get_trace(torch.zeros(2))
    return {
        name: site["fn"].stddev.cpu().double().numpy()
        for name, site in trace.iter_stochastic_nodes()
        if name != "y"
    }


def networks(weights: Weights, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The networks h and g at points of shape (n,): each of shape (n,)."""

    def network(name: str) -> jax.Array:
        inner = x[:, None] / 5 @ weights[f"{name}.hidden.weight"] + weights[f"{name}.hidden.bias"]
        outer = jnp.tanh(inner) @ weights[f"{name}.output.weight"] + weights[f"{name}.output.bias"]
        return outer[:, 0]

    return network("h"), network("g")


def variance(g: jax.Array) -> jax.Array:
    return jax.nn.softplus(g) + 0.01


def regressor(scales: dict[str, np.ndarray], x: jax.Array, y: jax.Array) -> None:
    """The notebook's model."""
    weights = {
        name: numpyro.sample(name, dist.Normal(0, scale).to_event())
        for name, scale in scales.items()
    }
    h, g = networks(weights, x)
    numpyro.sample("y", dist.Normal(h, jnp.sqrt(variance(g))).to_event(1), obs=y)


def same_density(data: pd.DataFrame, seed: int = 0) -> bool:
    """Whether the log joint is that of the notebook's model, at random weights."""
    x, y = (data[name].to_numpy() for name in ("x", "y"))
    random, scales = np.random.default_rng(seed), priors()
    for _ in range(5):
        weights = {
            name: scale * random.standard_normal(scale.shape) for name, scale in scales.items()
        }
        here, _ = log_density(regressor, (scales, x, y), {}, weights)
        tensors = {name: torch.tensor(value, device="cpu") for name, value in weights.items()}
        model = poutine.condition(NeuralRegressor(), data=tensors)
        arguments = (torch.tensor(values, device="cpu") for values in (x, y))
        there = poutine.trace(model).get_trace(*arguments).log_prob_sum().item()
        if not np.isclose(float(here), there, rtol=1e-4):
            return False
    return True


def chains_of(data: pd.DataFrame, chains: int, draws: int, warmup: int) -> tuple[Weights, int]:
    """NUTS draws by site, shape (chains, draws, *the site's own), and the number of divergences."""
    kernel = NUTS(
        regressor, init_strategy=init_to_sample, target_accept_prob=0.95, max_tree_depth=10
    )
    mcmc = MCMC(kernel, num_warmup=warmup, num_samples=draws, num_chains=chains, progress_bar=False)
    arguments = (priors(), jnp.array(data["x"]), jnp.array(data["y"]))
    mcmc.run(jax.random.PRNGKey(0), *arguments)
    diverged = int(mcmc.get_extra_fields()["diverging"].sum())
    return mcmc.get_samples(group_by_chain=True), diverged


def summarise(quantities: dict[str, np.ndarray]) -> pd.DataFrame:
    """Mean, sd, split R-hat and effective sample size of draws of shape (chains, draws)."""
    return pd.DataFrame(
        [
            {
                "quantity": name,
                "mean": values.mean(),
                "sd": values.std(ddof=1),
                "r_hat": split_gelman_rubin(values),
                "ess": effective_sample_size(values),
            }
            for name, values in quantities.items()
        ]
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.gap_nuts", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=5000, help="draws of each chain")
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER")
    options = parser.parse_args(argv)

    data = make_data()
    if not same_density(data):
        raise SystemExit("The density here is not that of the notebook's model.")
    began = time.perf_counter()
    weights, diverged = chains_of(data, options.chains, options.draws, options.warmup)

    per_draw = jax.vmap(jax.vmap(lambda draw: networks(draw, GRID)))
    h, g = (np.asarray(values) for values in per_draw(weights))
    log_variance = np.log(variance(g))
    quantities = {f"h(x) | x = {x:g}": h[..., i] for i, x in enumerate(GRID)}
    quantities |= {f"ln var(x) | x = {x:g}": log_variance[..., i] for i, x in enumerate(GRID)}
    summary = summarise(quantities)
    print(
        f"{time.perf_counter() - began:.0f} s, R-hat at most {summary['r_hat'].max():.4f}, "
        f"ESS at least {summary['ess'].min():.0f}, {diverged} divergences in "
        f"{options.chains * options.draws} draws"
    )

    total = options.chains * options.draws
    thinned = np.linspace(0, total - 1, min(STORED, total)).astype(int)
    stored = {}
    for name, values in weights.items():
        flat = np.asarray(values).reshape(total, -1)[thinned]
        stored |= {f"{name} {i}": column for i, column in enumerate(flat.T)}
    files = {
        "gap.csv": (data, "%.4f"),
        "gap_nuts_summary.csv": (summary, "%.8g"),
        "gap_nuts_draws.csv": (pd.DataFrame(stored), "%.5g"),
    }
    for name, (frame, digits) in files.items():
        path = options.to / name
        frame.to_csv(path, index=False, float_format=digits, lineterminator="\n")
        print(hashlib.sha256(path.read_bytes()).hexdigest(), name)
    return 0


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    numpyro.set_host_device_count(4)  # chains in parallel
    sys.exit(main())
