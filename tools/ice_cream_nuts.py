"""Make the exact answers of the ice-cream notebook: long NUTS chains of its models.

    python -m tools.ice_cream_nuts [--chains 4] [--draws 5000] [--warmup 1000] [--to data]

Writes ``ice_cream_nuts_summary.csv`` (mean, sd, R-hat and effective sample size of each quantity,
from all draws) and ``ice_cream_nuts_draws.csv`` (evenly thinned draws, for densities). Takes about
a quarter of an hour on one core. Then put the new checksums, which it prints, into utils/data.py.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

import pandas as pd
import pyro
import torch
from pyro.infer import MCMC, NUTS
from pyro.infer.autoguide import init_to_sample
from pyro.ops.stats import effective_sample_size, split_gelman_rubin
from torch import Tensor

from utils.checks.ice_cream_shop import humid_shop, shop, shop_over_time, tomorrow_from
from utils.data import DATA, load_ice_cream

STORED = 4000  # thinned draws of each version
FOR_DENSITIES = {
    "1": ("alpha", "beta", "mean_temp"),
    "2": ("alpha", "beta", "gamma", "mean_temp", "mean_humidity"),
    "4": ("alpha", "beta", "gamma", "rate_11"),
}


def chains_of(model, *args, chains: int, draws: int, warmup: int) -> dict[str, Tensor]:
    """NUTS draws by scalar quantity, shape (chains, draws); entries of a plate count from 1."""
    runs = []
    for seed in range(chains):
        pyro.set_rng_seed(seed)
        kernel = NUTS(
            model, jit_compile=True, ignore_jit_warnings=True, init_strategy=init_to_sample
        )
        mcmc = MCMC(kernel, num_samples=draws, warmup_steps=warmup, disable_progbar=True)
        mcmc.run(*args)
        runs.append(mcmc.get_samples())
    scalars = {}
    for site in runs[0]:
        values = torch.stack([run[site] for run in runs])
        if values.ndim == 2:
            scalars[site] = values
        else:
            scalars |= {f"{site}_{i + 1}": values[..., i] for i in range(values.shape[-1])}
    return scalars


def with_predictions(draws: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add what is a function of the draws: probabilities of signs, and tomorrow's sales."""
    derived = {
        f"P({name} > 0)": (draws[name] > 0).float() for name in ("beta", "gamma") if name in draws
    }
    if "temp_10" in draws and "gamma" in draws:
        rate, _ = tomorrow_from(draws)
        derived["rate_11"] = rate
        for k in range(121):  # the probability of a Poisson variable to be at most k
            derived[f"P(sales_11 <= {k})"] = torch.special.gammaincc(
                torch.tensor(k + 1.0, dtype=torch.float64), rate.double()
            )
    return draws | derived


def summarise(draws: dict[str, Tensor]) -> pd.DataFrame:
    rows = []
    for quantity, values in draws.items():
        values = values.double()
        varies = values.std() > 1e-9
        rows.append(
            {
                "quantity": quantity,
                "mean": values.mean().item(),
                "sd": values.std().item(),
                "r_hat": split_gelman_rubin(values, 0, 1).item() if varies else 1.0,
                "ess": effective_sample_size(values, 0, 1).item() if varies else values.numel(),
            }
        )
    return pd.DataFrame(rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.ice_cream_nuts", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=5000, help="draws of each chain")
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER")
    options = parser.parse_args(argv)
    length = {"chains": options.chains, "draws": options.draws, "warmup": options.warmup}

    torch.set_num_threads(1)  # the tensors are tiny
    days = load_ice_cream()
    sensor, humidity_sensor, sales = (
        torch.tensor(days[column].to_numpy(), dtype=torch.float32, device="cpu")
        for column in ("sensor", "humidity_sensor", "sales")
    )
    versions = {
        "1": (shop, sensor, sales),
        "2": (humid_shop, sensor, humidity_sensor, sales),
        "4": (shop_over_time, sensor, humidity_sensor, sales),
    }
    summaries, stored = {}, {}
    for version, (model, *args) in versions.items():
        began = time.perf_counter()
        draws = with_predictions(chains_of(model, *args, **length))
        summaries[version] = summarise(draws)
        total = options.chains * options.draws
        thinned = torch.linspace(0, total - 1, min(STORED, total)).long()
        for name in FOR_DENSITIES[version]:
            stored[f"{name} | version {version}"] = draws[name].flatten()[thinned].numpy()
        worst = summaries[version]["r_hat"].max(), summaries[version]["ess"].min()
        print(
            f"version {version}: {time.perf_counter() - began:.0f} s, "
            f"R-hat at most {worst[0]:.4f}, ESS at least {worst[1]:.0f}",
            flush=True,
        )

    summary = pd.concat(summaries, names=["version"]).reset_index("version")
    files = {
        "ice_cream_nuts_summary.csv": (summary, "%.8g"),
        "ice_cream_nuts_draws.csv": (pd.DataFrame(stored), "%.5g"),
    }
    for name, (frame, digits) in files.items():
        path = options.to / name
        frame.to_csv(path, index=False, float_format=digits, lineterminator="\n")
        print(hashlib.sha256(path.read_bytes()).hexdigest(), name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
