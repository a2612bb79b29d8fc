"""utils.data: the values, and an error that names the file and the mend if one is damaged."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from pyro import poutine
from torchvision.datasets import MNIST

from tools.build import definitions
from utils import data

SUMS = (data.DATA / "SHA256SUMS").read_text(encoding="utf-8")
NAMES = [line.split("  ")[1] for line in SUMS.splitlines()]


def load(name: str) -> object:
    """Call the loader that reads a file, by the name of the file."""
    subject, chains, _ = name.removesuffix(".csv").partition("_nuts")
    if name.startswith("MNIST"):
        return data.load_mnist(train="/train" in name)
    return getattr(data, f"load_{subject}{chains and '_posterior'}")()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the data, which may be damaged."""
    shutil.copytree(data.DATA, tmp_path / "data")
    monkeypatch.setattr(data, "DATA", tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_truncated_or_altered_file_is_named_with_the_mend(copy, name):
    path, content = copy / name, (copy / name).read_bytes()
    altered = content[:99] + bytes([content[99] ^ 1]) + content[100:]
    for damaged in (content[:-100], b"", altered):
        path.write_bytes(damaged)
        with pytest.raises(data.DataError, match=rf"{re.escape(str(path))} is truncated or alt.*"):
            load(name)
    path.unlink()
    with pytest.raises(data.DataError, match=rf"{name} is missing.* `git checkout -- data`"):
        load(name)
    path.write_bytes(content)
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(data.DataError, match="SHA256SUMS is missing"):
        load(name)
    assert not any(copy.rglob("*-ubyte")), "nothing is unpacked to the disk"


def test_tables_may_have_the_line_ends_of_windows(copy):
    before = data.load_rugged()
    table = copy / "rugged.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    pd.testing.assert_frame_equal(data.load_rugged(), before)


def test_every_file_has_its_checksum_and_its_line_in_the_readme():
    files = [path for path in data.DATA.rglob("*.*") if path.suffix != ".md"]
    assert sorted(NAMES) == sorted(path.relative_to(data.DATA).as_posix() for path in files)
    readme = (data.DATA / "README.md").read_text(encoding="utf-8")
    assert [n for n in NAMES if n not in readme and not n.startswith("MNIST")] == []


def test_mnist_is_byte_identical_to_the_published_files():
    for name, md5 in MNIST.resources:
        packed = (data.DATA / "MNIST" / "raw" / name).read_bytes()
        assert hashlib.md5(packed).hexdigest() == md5


@pytest.mark.parametrize(("train", "size"), [(True, 60_000), (False, 10_000)])
def test_mnist_is_what_is_in_the_files(train, size):
    x, y = data.load_mnist(train)
    assert (x.shape, x.dtype) == ((size, 784), torch.float32)
    assert (y.shape, y.dtype) == ((size,), torch.int64)
    assert (x.min(), x.max()) == (0, 1)
    raw, part = data.DATA / "MNIST" / "raw", "train" if train else "t10k"
    pixels = gzip.decompress((raw / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((raw / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert x.mul(255).round().to(torch.uint8).numpy().tobytes() == pixels
    assert y.to(torch.uint8).numpy().tobytes() == labels
    assert y[:5].tolist() == ([5, 0, 4, 1, 9] if train else [7, 2, 1, 0, 4])


def test_data_lie_on_the_default_device():
    torch.set_default_device("meta")  # a tensor made there by accident has no values
    try:
        loaded = [*data.load_mnist(train=False), *data.load_gap_posterior()[1].values()]
    finally:
        torch.set_default_device(None)
    assert {tensor.device.type for tensor in loaded} == {"meta"}


def test_rugged_has_the_countries_with_known_gdp():
    df = data.load_rugged()
    columns = ["isocode", "country", "rugged", "cont_africa", "rgdppc_2000", "log_gdp"]
    assert list(df.columns) == columns
    assert df.index.equals(pd.RangeIndex(170))
    assert df["cont_africa"].value_counts().to_dict() == {0: 121, 1: 49}
    assert not df.isna().to_numpy().any()
    df = df.set_index("isocode")
    assert df.loc["AGO", ["rugged", "rgdppc_2000"]].tolist() == [0.858, 1794.729]
    assert df.loc["AGO", "log_gdp"] == pytest.approx(np.log(1794.729), rel=1e-15)
    assert df.loc["CIV", "country"] == "Côte d'Ivoire"


def test_ice_cream_has_ten_days():
    days = data.load_ice_cream()
    assert days["day"].tolist() == list(range(1, 11))
    assert days["sensor"].sum() == pytest.approx(197.5)
    assert days["humidity_sensor"].iloc[[0, -1]].tolist() == [82.8, 93.2]
    assert days["sales"].tolist() == [46, 47, 49, 44, 50, 54, 51, 52, 49, 53]


def test_gap_has_points_in_two_pieces():
    df = data.load_gap()
    assert df.shape == (120, 2)
    assert df["x"].is_monotonic_increasing
    assert (df["x"].between(-10, 0) | df["x"].between(5, 10)).all()
    assert df.iloc[0].tolist() == [-9.8316, -11.0427]


def test_the_long_chains_of_the_shop_have_converged():
    summary, draws = data.load_ice_cream_posterior()
    assert set(summary.index.get_level_values("version")) == {1, 2, 3}
    assert summary["r_hat"].max() < 1.01
    assert summary["ess"].min() > 10_000
    assert not summary.isna().to_numpy().any()
    for name, values in draws.items():  # within four standard errors of 4,000 draws
        assert (values.shape, values.dtype) == ((4000,), torch.float32)
        quantity, version = name.split(" | version ")
        row = summary.loc[int(version), quantity]
        assert abs(values.mean() - row["mean"]) < 4 * row["sd"] / 4000**0.5
        assert abs(values.std() / row["sd"] - 1) < 0.06
    chance = [summary.loc[3, f"P(sales_11 <= {k})"]["mean"] for k in range(121)]
    assert chance == sorted(chance)
    assert (chance[0], chance[-1]) == pytest.approx((0, 1), abs=1e-6)
    # The expected sales, both ways: E[n] is the sum of P(n > k).
    assert sum(1 - p for p in chance) == pytest.approx(summary.loc[3, "rate_11"]["mean"], rel=1e-3)


@pytest.mark.ours
def test_the_long_chains_of_the_neural_regressor_are_those_of_the_model():
    summary, draws = data.load_gap_posterior()
    assert (summary.index.name, len(summary)) == ("quantity", 2 * 53)
    assert summary["r_hat"].max() < 1.01
    assert summary["ess"].min() > 1000
    x = torch.tensor([-5.0, 2.5, 7.5])
    regressor = definitions("bayesian_neural", "NeuralRegressor")["NeuralRegressor"]()
    trace = poutine.trace(regressor).get_trace(x, torch.zeros(3))
    sites = {name: site["value"].shape for name, site in trace.iter_stochastic_nodes()}
    assert {name: values.shape[1:] for name, values in draws.items()} == sites
    assert {len(values) for values in draws.values()} == {2000}
    with poutine.condition(data=draws):
        h = regressor.h(x)
    for k, place in enumerate(("-5", "2.5", "7.5")):
        row = summary.loc[f"h(x) | x = {place}"]
        assert abs(h[:, k].mean().item() - row["mean"]) < 4 * row["sd"] / 1000**0.5
        assert h[:, k].std().item() == pytest.approx(row["sd"], rel=0.15)
