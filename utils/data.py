"""The data sets of the course: an ice-cream shop, points with a gap, rugged countries, and MNIST.

Every file is verified before it is read. A missing, truncated or altered file raises
`DataError`, which names the file and the command that restores it. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

__all__ = [
    "DataError",
    "load_gap",
    "load_gap_posterior",
    "load_ice_cream",
    "load_ice_cream_posterior",
    "load_mnist",
    "load_rugged",
]

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "data"
SHA256 = {  # of each file with LF line ends
    # Made by tools/gap_nuts.py:
    "gap.csv": "8103eb56038ddb7be78a1352bbb901959385e45c00027b33b907926d0483d2e7",
    "gap_nuts_summary.csv": "8e55c7ceaf9e682011fcc41dbf18139b8d0a7fc91000cef09ede4ca43c30cafe",
    "gap_nuts_draws.csv": "5a1482a740f6a2fb840b4e21f996d1a4424bf322a665c87379dce26732ab15be",
    "ice_cream.csv": "76bee095cea2012565884e52c1135710f4a52ba7373971fde06cc36076a17a38",
    # Made by tools/ice_cream_nuts.py:
    "ice_cream_nuts_summary.csv": (
        "f946c1ef3f077f374457a2a42411b2986bc02576dd484397916a9fedaed057d9"
    ),
    "ice_cream_nuts_draws.csv": "1ce44bcbcbfa8069ba035584f2737b16de5cda55e1741cfc9d6c367bef3414d4",
    "rugged.csv": "1777824c287d5287c0c3a1c17b74b84b2aa3d45ced13b53d6b91e3797d405978",
}


class DataError(RuntimeError):
    """A data file is missing, truncated or altered; the message says how to restore it."""


def _data_error(path: Path) -> DataError:
    problem = "is truncated or altered" if path.exists() else "is missing"
    if path.is_relative_to(REPOSITORY):
        file = path.relative_to(REPOSITORY).as_posix()
        mend = f"from the top folder of the repository, run: git checkout -- {file}"
    else:
        file = str(path)
        mend = f"replace it with the copy of {path.name} in the course repository"
    return DataError(f"{file} {problem}. To mend it, {mend}")


def _read_csv(name: str, path: str | Path | None = None) -> pd.DataFrame:
    """Read a table of the course after its checksum (line ends apart: Windows may change them)."""
    path = DATA / name if path is None else Path(path).resolve()
    if not path.is_file():
        raise _data_error(path)
    content = path.read_bytes().replace(b"\r\n", b"\n")
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise _data_error(path)
    return pd.read_csv(io.BytesIO(content), encoding="utf-8")


def load_ice_cream(path: str | Path | None = None) -> pd.DataFrame:
    """Ten days of an ice-cream shop, made up for teaching.

    Args:
        path: the CSV file; by default `data/ice_cream.csv` of this repository.

    Returns:
        One row per day, in order:

        - `day`: 1 to 10;
        - `sensor`: reading of the thermometer, in °C;
        - `humidity_sensor`: reading of the hygrometer, in % relative humidity;
        - `sales`: portions sold.

    Raises:
        DataError: the file is missing or altered.
    """
    return _read_csv("ice_cream.csv", path)


def load_ice_cream_posterior() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The exact posterior of the ice-cream models: long NUTS chains (`tools/ice_cream_nuts.py`).

    Returns:
        - a summary with index (`version`, `quantity`) and columns `mean`, `sd`, `r_hat` and `ess`
          (effective sample size); the mean of a quantity `P(...)` is that probability;
        - 4,000 thinned draws, one column for each `QUANTITY | version N`.

    Raises:
        DataError: one of the two files is missing or altered.
    """
    summary = _read_csv("ice_cream_nuts_summary.csv").set_index(["version", "quantity"])
    return summary, _read_csv("ice_cream_nuts_draws.csv")


def load_gap(path: str | Path | None = None) -> pd.DataFrame:
    """120 points of a curve with a gap between them, made up for teaching.

    Args:
        path: the CSV file; by default `data/gap.csv` of this repository.

    Returns:
        Columns `x`, in [-10, 0] and [5, 10] and in increasing order, and `y`.

    Raises:
        DataError: the file is missing or altered.
    """
    return _read_csv("gap.csv", path)


def load_gap_posterior() -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """The exact posterior of the neural regressor: long NUTS chains (`tools/gap_nuts.py`).

    Returns:
        - a summary with index `quantity` (`h(x) | x = ...` and `ln var(x) | x = ...`) and columns
          `mean`, `sd`, `r_hat` and `ess` (effective sample size);
        - 2,000 thinned draws of the weights: site -> float32 tensor of shape (2000, ...), with the
          site's own shape on the right, on the default device.

    Raises:
        DataError: one of the two files is missing or altered.
    """
    summary = _read_csv("gap_nuts_summary.csv").set_index("quantity")
    columns = _read_csv("gap_nuts_draws.csv")
    draws = {}
    for site in dict.fromkeys(name.rpartition(" ")[0] for name in columns):
        own = [name for name in columns if name.rpartition(" ")[0] == site]
        values = torch.tensor(columns[own].to_numpy(), dtype=torch.float32)
        inputs_first = site.endswith(
            "hidden.weight"
        )  # one input; the other weights have one output
        shape = (1, -1) if inputs_first else (-1, 1) if site.endswith("weight") else (-1,)
        draws[site] = values.reshape(len(values), *shape)
    return summary, draws


def load_rugged(keep_unknown: bool = False, path: str | Path | None = None) -> pd.DataFrame:
    """Terrain ruggedness and wealth of the world's countries.

    Args:
        keep_unknown: keep the 64 countries with unknown GDP (NaN in the last two columns).
        path: the CSV file; by default `data/rugged.csv` of this repository.

    Returns:
        One row per country, 170 (49 of them in Africa) or 234, in order of `isocode`:

        - `isocode`, `country`: ISO 3166-1 alpha-3 code and common English name;
        - `rugged`: terrain ruggedness index, in 100 m;
        - `cont_africa`: 1 in Africa, 0 elsewhere;
        - `rgdppc_2000`: real GDP per person in 2000, in international dollars;
        - `log_gdp`: natural logarithm of `rgdppc_2000`.

    Raises:
        DataError: the file is missing or altered (line ends apart: Windows may change them).

    Source: N. Nunn and D. Puga (2012), Ruggedness: the blessing of bad geography in Africa,
    Review of Economics and Statistics 94(1), 20–36.
    """
    if not isinstance(keep_unknown, bool):
        raise TypeError(f"keep_unknown must be True or False, not {keep_unknown!r}")
    countries = _read_csv("rugged.csv", path)
    countries["log_gdp"] = np.log(countries["rgdppc_2000"])
    return countries if keep_unknown else countries.dropna(ignore_index=True)


def load_mnist(
    train: bool = True,
    *,
    digits: Sequence[int] | None = None,
    n: int | None = None,
    binarise: Literal["threshold", "sample"] | None = None,
    seed: int | None = None,
    root: str | Path | None = None,
    device: torch.device | str | None = None,
) -> tuple[Tensor, Tensor]:
    """Handwritten digits, 28 × 28 pixels, one image a row.

    The first call verifies and unpacks the files (nothing unpacked stays on the disk); later calls
    read from memory. The tensors are fresh each time, so they may be changed in place.

    Args:
        train: the training set (60,000 images) or the test set (10,000).
        digits: keep only the images of these digits, in the order of the file.
        n: keep only the first `n` images (after the choice of `digits`).
        binarise: "threshold" makes a pixel 1 where it is above 0.5, "sample" with a probability
            equal to its brightness; both leave only 0 and 1.
        seed: for "sample": the seed of a generator of its own; the global random state stays
            as it is. Without it, the draws come from PyTorch's global CPU generator.
        root: the folder that holds `MNIST/raw`; by default `data` of this repository.
        device: where to put the result, by default `torch.get_default_device()`.

    Returns:
        Images, float32 of shape (N, 784), rows from the top, 0 (background) to 1 (ink);
        labels, int64 of shape (N,), 0 to 9.

    Raises:
        DataError: one of the four `.gz` files is missing, truncated or altered, or there is no
            place to unpack them.
        ValueError: no such digit, number of images or `binarise`, or `seed` without "sample".
        TypeError: an argument has the wrong type.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database (CC BY-SA 3.0).
    """
    if not isinstance(train, bool):
        raise TypeError(f"train must be True or False, not {train!r}")
    if binarise not in (None, "threshold", "sample"):
        raise ValueError(f"binarise must be 'threshold', 'sample' or None, not {binarise!r}")
    if seed is not None and binarise != "sample":
        raise ValueError("seed has an effect only with binarise='sample'")
    images, labels = _read_mnist(Path(root or DATA).expanduser().resolve(), train)
    if digits is not None:
        keep = torch.isin(labels, labels.new_tensor(_check_digits(digits)))
        images, labels = images[keep], labels[keep]
    if n is not None:
        if not 1 <= _check_int("n", n) <= len(labels):
            raise ValueError(f"n must be from 1 to {len(labels)}, the images there are, not {n}")
        images, labels = images[:n], labels[:n]
    x, y = images.to(torch.float32).div_(255), labels.to(torch.int64)
    if binarise == "threshold":
        x.gt_(0.5)
    elif binarise == "sample":
        generator = None
        if seed is not None:
            generator = torch.Generator("cpu").manual_seed(_check_int("seed", seed))
        x = torch.bernoulli(x, generator=generator)
    device = torch.get_default_device() if device is None else device
    return x.to(device), y.to(device)


def _check_int(name: str, value: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    return int(value)


def _check_digits(digits: Sequence[int]) -> list[int]:
    if isinstance(digits, (str, Integral)):
        raise TypeError(f"digits must be a list such as [3, 5], not {digits!r}")
    wanted = [_check_int("each of digits", digit) for digit in digits]
    if not wanted or not set(wanted) <= set(range(10)):
        raise ValueError(f"digits must be some of 0 to 9, not {wanted}")
    return wanted


@lru_cache(maxsize=4)
def _read_mnist(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    """Images (N, 784) and labels (N,), both uint8 on the CPU and not to be changed.

    The files are verified, and unpacked into a temporary folder that is gone at the end: so the
    checkout may be read-only, and nobody ever sees half a file. Torchvision's own `download=True`
    takes half-unpacked files for whole ones and, if a packed file is damaged, turns to the network.
    """
    from torchvision.datasets import mnist  # not at the top: it takes seconds to import
    from torchvision.datasets.utils import check_integrity, extract_archive

    archives = [root / "MNIST" / "raw" / name for name, _ in mnist.MNIST.resources]
    for archive, (_, md5) in zip(archives, mnist.MNIST.resources, strict=True):
        if not check_integrity(archive, md5):
            raise _data_error(archive)
    images, labels = archives[:2] if train else archives[2:]
    try:
        with tempfile.TemporaryDirectory() as folder:
            for archive in (images, labels):
                extract_archive(archive, folder)
            return (
                mnist.read_image_file(Path(folder, images.stem)).flatten(1),
                mnist.read_label_file(Path(folder, labels.stem)).to(torch.uint8),
            )
    except OSError as error:
        raise DataError(
            f"MNIST cannot be unpacked into a temporary folder ({error}). To mend it, free 60 MB "
            "on the disk, or set the environment variable TMPDIR to a folder that you may write to"
        ) from error
