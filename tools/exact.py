"""Make the exact answers that notebooks compare with: long NUTS chains of their models.

    python -m tools.exact ice_cream|gap [--draws 5000] [--to data]

Writes NAME_nuts_summary.csv (mean, sd, R-hat and effective sample size of each quantity, from all
draws) and NAME_nuts_draws.npz (evenly thinned draws), and prints their lines of data/SHA256SUMS.

The models are written again in NumPyro, which compiles them and needs a fiftieth of Pyro's time;
`same_density` makes sure that they are the notebooks'. The R-hat of a network is that of its
functions h(x) and g(x): its weights have many equal copies, for units can be exchanged.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pandas as pd
import torch
from jax.nn import softplus
from numpyro import diagnostics, handlers, sample
from numpyro.distributions import LogNormal, Normal, Poisson
from numpyro.infer import MCMC, NUTS, init_to_sample
from numpyro.infer.util import log_density
from pyro import poutine

from tools import build
from utils.data import DATA, load_gap, load_ice_cream

CHAINS = 4
GRID = np.linspace(-13, 13, 53)
Arrays = dict[str, np.ndarray]


class Problem(NamedTuple):
    """A posterior to draw from: the model in NumPyro, the notebook's in Pyro, and their data.

    ``results`` makes of draws, site -> (chains, draws, *the site's own shape), what to summarise,
    name -> (chains, draws), and what to store, thinned to ``keep`` draws.
    """

    model: Callable[..., None]
    in_pyro: Callable[..., object]
    data: tuple[np.ndarray, ...]
    results: Callable[[Arrays], tuple[Arrays, Arrays]]
    keep: int


def weather(site, readings, mean, mean_sd, spread, error, in_time):
    """The true weather, around an unknown mean or changing from day to day, and its readings."""
    if in_time:
        days = [sample(f"{site}_1", Normal(mean, mean_sd))]
        for t in range(2, len(readings) + 1):
            days.append(sample(f"{site}_{t}", Normal(days[-1], spread)))
        days = jnp.stack(days)
    else:
        centre = sample(f"mean_{site}", Normal(mean, mean_sd))
        days = sample(site, Normal(centre, spread).expand([len(readings)]))
    sample(f"readings of {site}", Normal(days, error), obs=readings)
    return days


def shop(version, sensor, humidity_sensor, sales):
    in_time = version == 3
    temp = weather("temp", sensor, 15, 2, 0.7 if in_time else 2, 1, in_time)
    level = sample("alpha", Normal(50, 10)) + sample("beta", Normal(0, 2)) * (temp - 20)
    if in_time:
        humidity = weather("humidity", humidity_sensor, 80, 10, 6, 4, in_time)
        level += sample("gamma", Normal(0, 0.5)) * (humidity - 80)
    rate = softplus(level)
    chance = Poisson(rate) if version == 1 else Normal(rate, sample("noise", LogNormal(1, 0.4)))
    sample("sales", chance, obs=sales)


def ice_cream() -> Iterator[tuple[int, Problem]]:
    """The three versions of the shop: Poisson sales; normal sales; humidity and time."""
    names = ("shop_model", "regular_shop_model", "shop_in_time", "tomorrow")
    notebook, days = build.definitions("ice_cream_shop", *names), load_ice_cream()
    data = tuple(days[name].to_numpy(float) for name in ("sensor", "humidity_sensor", "sales"))

    def results(version: int, draws: Arrays) -> tuple[Arrays, Arrays]:
        found = {site: values for site, values in draws.items() if values.ndim == 2}
        for site in draws.keys() - found.keys():
            found |= {
                f"{site}_{t}": day for t, day in enumerate(np.moveaxis(draws[site], -1, 0), 1)
            }
        for name in draws.keys() & {"beta", "gamma"}:
            found[f"P({name} > 0)"] = (draws[name] > 0).astype(float)
        if version == 3:
            rate = notebook["tomorrow"]({k: torch.tensor(v) for k, v in draws.items()})[0]
            found["rate_11"] = rate = rate.numpy(force=True)
            for k in range(121):  # the probability that a normal variable rounds to at most k
                z = (k + 0.5 - rate) / found["noise"]
                found[f"P(sales_11 <= {k})"] = np.asarray(jax.scipy.stats.norm.cdf(z))
        kept = found.keys() & {"alpha", "beta", "gamma", "noise", "mean_temp", "rate_11"}
        return found, {f"{name} | version {version}": found[name] for name in sorted(kept)}

    in_pyro = {
        1: lambda sensor, _, sales: notebook["shop_model"](sensor, sales),
        2: lambda sensor, _, sales: notebook["regular_shop_model"](sensor, sales),
        3: notebook["shop_in_time"],
    }
    for version, theirs in in_pyro.items():
        of_version = functools.partial(results, version)
        yield version, Problem(functools.partial(shop, version), theirs, data, of_version, 4000)


def network(name, weights, x):
    """The network `h` or `g` at points of shape (n,), shape (n,)."""
    w = {k.removeprefix(f"{name}."): v for k, v in weights.items()}
    inner = jnp.tanh(x[:, None] / 5 @ w["hidden.weight"] + w["hidden.bias"])
    return (inner @ w["output.weight"] + w["output.bias"])[:, 0]


def predict(weights, x):
    """The mean and the variance of y."""
    return network("h", weights, x), softplus(network("g", weights, x)) + 0.01


def gap() -> Iterator[tuple[None, Problem]]:
    regressor = build.definitions("bayesian_neural", "NeuralRegressor")["NeuralRegressor"]()
    sites = poutine.trace(regressor).get_trace(torch.zeros(2)).iter_stochastic_nodes()
    scales = {k: s["fn"].stddev.numpy(force=True) for k, s in sites if k != "y"}

    def model(x, y):
        weights = {name: sample(name, Normal(0, scale)) for name, scale in scales.items()}
        mean, variance = predict(weights, x)
        sample("y", Normal(mean, jnp.sqrt(variance)), obs=y)

    def results(draws: Arrays) -> tuple[Arrays, Arrays]:
        h, variance = jax.vmap(jax.vmap(lambda weights: predict(weights, GRID)))(draws)
        found = {f"h(x) | x = {x:g}": h[..., i] for i, x in enumerate(GRID)}
        found |= {f"ln var(x) | x = {x:g}": jnp.log(variance[..., i]) for i, x in enumerate(GRID)}
        return {name: np.asarray(values) for name, values in found.items()}, draws

    data = tuple(load_gap()[name].to_numpy() for name in ("x", "y"))
    yield None, Problem(model, regressor, data, results, 2000)


def same_density(problem: Problem, draws: int = 5) -> bool:
    """Whether both models give the same log joint, at draws from the prior."""
    for seed in range(draws):
        trace = handlers.trace(handlers.seed(problem.model, seed)).get_trace(*problem.data)
        values = {k: np.asarray(s["value"]) for k, s in trace.items() if not s["is_observed"]}
        here, _ = log_density(problem.model, problem.data, {}, values)
        tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()}
        theirs = poutine.trace(poutine.condition(problem.in_pyro, data=tensors))
        arguments = (torch.tensor(a, dtype=torch.float64) for a in problem.data)
        there = theirs.get_trace(*arguments).log_prob_sum().item()
        if not np.isclose(float(here), there, rtol=1e-4):
            return False
    return True


def chains_of(problem: Problem, draws: int, warmup: int = 1000) -> Arrays:
    """NUTS draws by site; the number of divergences is printed."""
    kernel = NUTS(problem.model, init_strategy=init_to_sample, target_accept_prob=0.95)
    lengths = {"num_warmup": warmup, "num_samples": draws, "num_chains": CHAINS}
    mcmc = MCMC(kernel, **lengths, progress_bar=False)
    mcmc.run(jax.random.PRNGKey(0), *problem.data)
    print(f"{mcmc.get_extra_fields()['diverging'].sum()} divergences", flush=True)
    return {k: np.asarray(v) for k, v in mcmc.get_samples(group_by_chain=True).items()}


def summarise(quantities: Arrays) -> pd.DataFrame:
    """Mean, sd, split R-hat and effective sample size of draws of shape (chains, draws)."""
    with np.errstate(invalid="ignore"):  # of what is always the same
        found = diagnostics.summary(quantities)
    rows = pd.DataFrame.from_dict(found, orient="index").astype(float)
    rows = rows.rename(columns={"std": "sd", "n_eff": "ess"}).rename_axis("quantity")
    constant = {"r_hat": 1.0, "ess": next(iter(quantities.values())).size}
    return rows[["mean", "sd", "r_hat", "ess"]].fillna(constant)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.exact", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", choices=("ice_cream", "gap"))
    parser.add_argument("--draws", type=int, default=5000, help=f"draws of each of {CHAINS} chains")
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER")
    options = parser.parse_args(argv)
    summaries, stored = {}, {}
    for version, problem in {"ice_cream": ice_cream, "gap": gap}[options.name]():
        if not same_density(problem):
            raise SystemExit("The density here is not that of the notebook's model.")
        quantities, kept = problem.results(chains_of(problem, options.draws))
        summaries[version] = summarise(quantities)
        print(summaries[version].agg({"r_hat": "max", "ess": "min"}).to_string())
        total = CHAINS * options.draws
        thinned = np.linspace(0, total - 1, min(problem.keep, total)).astype(int)
        for name, values in kept.items():
            stored[name] = values.reshape(total, *values.shape[2:])[thinned].astype(np.float32)
    files = [options.to / f"{options.name}_nuts_{kind}" for kind in ("summary.csv", "draws.npz")]
    summary = pd.concat(summaries, names=["version"]) if len(summaries) > 1 else summaries[None]
    summary.to_csv(files[0], float_format="%.8g", lineterminator="\n")
    np.savez(files[1], **stored)
    for file in files:
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")
    return 0


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    numpyro.set_host_device_count(CHAINS)  # chains in parallel
    sys.exit(main())
