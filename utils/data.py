"""The data sets of the course: an ice-cream shop, points with a gap, rugged countries, and MNIST.

Every file is compared with `data/SHA256SUMS` before it is used. A missing, truncated or altered one
raises `DataError`, which names it and the mend. Nothing is downloaded or unpacked to the disk.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

DATA = Path(__file__).resolve().parents[1] / "data"


class DataError(RuntimeError):
    """A data file is missing, truncated or altered; the message says how to restore it."""

    def __init__(self, path: Path) -> None:
        problem = "is truncated or altered" if path.is_file() else "is missing"
        super().__init__(
            f"{path} {problem}. To mend it, run `git checkout -- data` in the course's folder, "
            "or download the course again."
        )


def load_ice_cream() -> pd.DataFrame:
    """Ten days of an ice-cream shop, made up for teaching: one row a day, in order.

    Columns: `day`, 1 to 10; `sensor`, reading of the thermometer, in °C; `humidity_sensor`, reading
    of the hygrometer, in % relative humidity; `sales`, portions sold.
    """
    return _read_csv("ice_cream.csv")


def load_ice_cream_posterior() -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """The exact posterior of the ice-cream models: long NUTS chains (`tools/exact.py`).

    Returns:
        - a summary with index (`version`, `quantity`) and columns `mean`, `sd`, `r_hat` and `ess`
          (effective sample size); the mean of a quantity `P(...)` is that probability;
        - thinned draws, on the default device: `QUANTITY | version N` -> float32, shape (4000,).
    """
    return _read_posterior("ice_cream", ["version", "quantity"])


def load_gap() -> pd.DataFrame:
    """120 points (`x`, `y`) of a curve, made up for teaching: x in [-10, 0] and [5, 10], sorted."""
    return _read_csv("gap.csv")


def load_gap_posterior() -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """The exact posterior of the neural regressor: long NUTS chains (`tools/exact.py`).

    Returns:
        - a summary with index `quantity` (`h(x) | x = ...` and `ln var(x) | x = ...`) and columns
          as above;
        - thinned draws of the weights, on the default device: site -> float32, shape (2000, *the
          site's own).
    """
    return _read_posterior("gap", ["quantity"])


def load_rugged() -> pd.DataFrame:
    """Ruggedness and wealth of the 170 countries whose GDP is known, in order of `isocode`.

    Columns: `isocode`, `country`: ISO 3166-1 alpha-3 code and common English name; `rugged`:
    terrain ruggedness index, in 100 m; `cont_africa`: 1 in Africa (49 countries), 0 elsewhere;
    `rgdppc_2000`: real GDP per person in 2000, in international dollars; `log_gdp`: its natural
    logarithm. Source: Nunn and Puga (2012), Review of Economics and Statistics 94(1), 20–36.
    """
    countries = _read_csv("rugged.csv").dropna(ignore_index=True)
    return countries.assign(log_gdp=np.log(countries["rgdppc_2000"]))


def load_mnist(train: bool = True) -> tuple[Tensor, Tensor]:
    """60,000 (``train``) or 10,000 handwritten digits of 28 × 28 pixels, on the default device.

    Returns:
        Images, float32 of shape (N, 784), rows from the top, 0 (background) to 1 (ink);
        labels, int64 of shape (N,), 0 to 9. Source: LeCun, Cortes and Burges (CC BY-SA 3.0).
    """
    part, device = "train" if train else "t10k", torch.get_default_device()
    pixels, labels = (
        np.frombuffer(
            gzip.decompress(_read(f"MNIST/raw/{part}-{name}-ubyte.gz")), np.uint8, -1, header
        )
        for name, header in (("images-idx3", 16), ("labels-idx1", 8))
    )
    images = torch.from_numpy(pixels.astype(np.float32)).div_(255).reshape(-1, 784)
    return images.to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def _read(name: str) -> bytes:
    """The verified content of a file in `data`; a table may have the line ends of Windows."""
    sums, path = DATA / "SHA256SUMS", DATA / name
    for file in (sums, path):
        if not file.is_file():
            raise DataError(file)
    content = path.read_bytes()
    if path.suffix == ".csv":
        content = content.replace(b"\r\n", b"\n")
    if f"{hashlib.sha256(content).hexdigest()}  {name}" not in sums.read_text().splitlines():
        raise DataError(path)
    return content


def _read_csv(name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(_read(name)), encoding="utf-8")


def _read_posterior(name: str, index: list[str]) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    summary = _read_csv(f"{name}_nuts_summary.csv").set_index(index)
    with np.load(io.BytesIO(_read(f"{name}_nuts_draws.npz"))) as draws:
        return summary, {key: torch.tensor(values) for key, values in draws.items()}
