"""utils.data: the values, the options, and what happens when a file is damaged."""

import errno
import gzip
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from pyro import poutine

import utils.data
from utils.checks.bayesian_neural_networks import NeuralRegressor
from utils.data import (
    DATA,
    SHA256,
    DataError,
    load_gap,
    load_gap_posterior,
    load_ice_cream,
    load_ice_cream_posterior,
    load_mnist,
    load_rugged,
)

RAW = DATA / "MNIST" / "raw"
ARCHIVES = [name for name, _ in torchvision.datasets.MNIST.resources]
IMAGES = "t10k-images-idx3-ubyte"


@pytest.fixture
def root(tmp_path):
    """A data folder of our own with links to the packed files; nothing is in memory yet."""
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name in ARCHIVES:
        (tmp_path / "MNIST" / "raw" / name).symlink_to(RAW / name)
    utils.data._read_mnist.cache_clear()
    yield tmp_path
    utils.data._read_mnist.cache_clear()


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """The folder in which temporary files are made."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("tried to download")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", refuse)
    monkeypatch.setattr("torchvision.datasets.utils.download_url", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)


# ---------------------------------------------------------------------------- rugged.csv


def test_rugged_has_the_countries_with_known_gdp():
    df = load_rugged()
    assert list(df.columns) == [
        *("isocode", "country", "rugged", "cont_africa", "rgdppc_2000", "log_gdp")
    ]
    assert df.index.equals(pd.RangeIndex(170))
    assert df["cont_africa"].value_counts().to_dict() == {0: 121, 1: 49}
    assert pd.api.types.is_integer_dtype(df["cont_africa"])
    assert df["isocode"].head(3).tolist() == ["AGO", "ALB", "ARE"]
    assert not df.isna().to_numpy().any()


def test_rugged_has_known_values():
    df = load_rugged(keep_unknown=True).set_index("isocode")
    assert df.loc["AGO", ["rugged", "rgdppc_2000"]].tolist() == [0.858, 1794.729]
    assert df.loc["AGO", "log_gdp"] == pytest.approx(np.log(1794.729), rel=1e-15)
    assert df.loc["CIV", "country"] == "Côte d'Ivoire"
    assert df.loc["NAM", "cont_africa"] == 1
    assert df["rugged"].idxmax() == "GIB"


def test_rugged_can_keep_the_unknown():
    df = load_rugged(keep_unknown=True)
    assert df.index.equals(pd.RangeIndex(234))
    assert df["rgdppc_2000"].isna().sum() == 64
    assert df["log_gdp"].isna().equals(df["rgdppc_2000"].isna())
    assert not df[["isocode", "country", "rugged", "cont_africa"]].isna().to_numpy().any()


def test_rugged_is_fresh_each_time():
    df = load_rugged()
    df["rugged"] = 0.0
    assert load_rugged()["rugged"].sum() > 0


def test_rugged_works_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(load_rugged()) == 170


def test_rugged_takes_windows_line_ends(tmp_path):
    copy = tmp_path / "rugged.csv"
    copy.write_bytes((DATA / "rugged.csv").read_bytes().replace(b"\n", b"\r\n"))
    pd.testing.assert_frame_equal(load_rugged(path=copy), load_rugged())


def _without_a_row(lines):
    return lines[:100] + lines[101:]


def _one_byte_changed(lines):
    return [*lines[:-1], lines[-1].replace(b"1.194", b"1.195")]


@pytest.mark.parametrize(
    "damage", [_without_a_row, _one_byte_changed, lambda lines: lines[:50], lambda lines: []]
)
def test_rugged_damaged(tmp_path, damage):
    lines = (DATA / "rugged.csv").read_bytes().splitlines(keepends=True)
    copy = tmp_path / "rugged.csv"
    copy.write_bytes(b"".join(damage(lines)))
    with pytest.raises(DataError, match=rf"{re.escape(str(copy))} is truncated or altered"):
        load_rugged(path=copy)


def test_the_message_names_the_file_and_the_mend(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"elsewhere\.csv is missing.* replace it"):
        load_rugged(path=tmp_path / "elsewhere.csv")
    monkeypatch.setattr(utils.data, "REPOSITORY", tmp_path)
    monkeypatch.setattr(utils.data, "DATA", tmp_path / "data")
    with pytest.raises(DataError, match=r"^data/rugged.csv is missing") as error:
        load_rugged()
    assert str(error.value).endswith("git checkout -- data/rugged.csv")


def test_rugged_refuses_a_path_in_the_wrong_place():
    with pytest.raises(TypeError, match="keep_unknown must be True or False"):
        load_rugged("rugged.csv")


def test_the_readme_gives_the_checksums():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for name, md5 in torchvision.datasets.MNIST.resources:
        assert f"{md5}  {name}" in readme
    for name, sha256 in SHA256.items():
        assert f"{sha256}  {name}" in readme


# ------------------------------------------------------------------------- the ice-cream shop


def test_ice_cream_has_ten_days():
    days = load_ice_cream()
    assert list(days.columns) == ["day", "sensor", "humidity_sensor", "sales"]
    assert days["day"].tolist() == list(range(1, 11))
    assert days["sensor"].sum() == pytest.approx(197.5)
    assert days["humidity_sensor"].iloc[[0, -1]].tolist() == [82.8, 93.2]
    assert days["sales"].tolist() == [46, 47, 49, 44, 50, 54, 51, 52, 49, 53]


def test_ice_cream_damaged(tmp_path):
    copy = tmp_path / "ice_cream.csv"
    copy.write_bytes((DATA / "ice_cream.csv").read_bytes().replace(b"22.4", b"24.2"))
    with pytest.raises(DataError, match="is truncated or altered"):
        load_ice_cream(copy)


def test_the_long_chains_have_converged():
    summary, draws = load_ice_cream_posterior()
    assert set(summary.index.get_level_values("version")) == {1, 2, 4}
    assert summary["r_hat"].max() < 1.01
    assert summary["ess"].min() > 10_000
    assert not summary.isna().to_numpy().any()
    # Thinned draws and summary tell the same, within four standard errors of 4,000 draws.
    assert len(draws) == 4000
    for column in draws:
        name, version = column.split(" | version ")
        row = summary.loc[int(version), name]
        assert abs(draws[column].mean() - row["mean"]) < 4 * row["sd"] / 4000**0.5
        assert abs(draws[column].std() / row["sd"] - 1) < 0.06


def test_the_chance_of_tomorrow_s_sales_rises_to_one():
    summary, _ = load_ice_cream_posterior()
    chance = [summary.loc[4, f"P(sales_11 <= {k})"]["mean"] for k in range(121)]
    assert chance == sorted(chance)
    assert chance[0] < 1e-6
    assert chance[-1] == pytest.approx(1, abs=1e-6)
    # The expected sales, both ways: E[n] is the sum of P(n > k).
    assert sum(1 - p for p in chance) == pytest.approx(summary.loc[4, "rate_11"]["mean"], rel=1e-4)


def test_a_missing_posterior_names_the_mend(tmp_path, monkeypatch):
    monkeypatch.setattr(utils.data, "DATA", tmp_path)
    with pytest.raises(DataError, match=r"ice_cream_nuts_summary\.csv is missing"):
        load_ice_cream_posterior()


# ---------------------------------------------------------------------------- MNIST: values


@pytest.mark.parametrize(("train", "size"), [(True, 60_000), (False, 10_000)])
def test_mnist_is_what_is_in_the_files(train, size):
    x, y = load_mnist(train)
    assert (x.shape, x.dtype) == ((size, 784), torch.float32)
    assert (y.shape, y.dtype) == ((size,), torch.int64)
    assert x.min() == 0
    assert x.max() == 1
    split = "train" if train else "t10k"
    pixels = gzip.decompress((RAW / f"{split}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((RAW / f"{split}-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert x.mul(255).round().to(torch.uint8).numpy().tobytes() == pixels
    assert y.to(torch.uint8).numpy().tobytes() == labels


def test_mnist_has_known_values():
    x, y = load_mnist()
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert x.mean().item() == pytest.approx(0.1307, abs=5e-5)  # as published by everyone
    assert x.std().item() == pytest.approx(0.3081, abs=5e-5)
    assert load_mnist(train=False)[1][:5].tolist() == [7, 2, 1, 0, 4]


def test_mnist_digits_come_in_the_order_of_the_file():
    x, y = load_mnist(train=False)
    keep = (y == 3) | (y == 8)
    for digits in ([3, 8], (8, 3, 3), np.array([3, 8])):
        some_x, some_y = load_mnist(train=False, digits=digits)
        assert torch.equal(some_x, x[keep])
        assert torch.equal(some_y, y[keep])


def test_mnist_n_counts_after_digits():
    x, y = load_mnist(train=False, digits=[7])
    first_x, first_y = load_mnist(train=False, digits=[7], n=20)
    assert torch.equal(first_x, x[:20])
    assert torch.equal(first_y, y[:20])
    assert len(load_mnist(train=False, n=10_000)[0]) == 10_000


def test_mnist_threshold():
    x, _ = load_mnist(train=False)
    binary, _ = load_mnist(train=False, binarise="threshold")
    assert binary.dtype == torch.float32
    assert torch.equal(binary, (x > 0.5).float())


def test_mnist_sample_has_the_brightness_as_its_mean():
    x, _ = load_mnist(train=False)
    binary, _ = load_mnist(train=False, binarise="sample", seed=0)
    assert binary.dtype == torch.float32
    assert ((binary == 0) | (binary == 1)).all()
    assert torch.equal(binary[x == 0], x[x == 0])
    assert torch.equal(binary[x == 1], x[x == 1])
    standard_error = (x * (1 - x)).sum().sqrt() / x.numel()
    assert abs(binary.mean() - x.mean()) < 4 * standard_error


def test_mnist_seed_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    one, _ = load_mnist(train=False, n=100, binarise="sample", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, load_mnist(train=False, n=100, binarise="sample", seed=1)[0])
    assert not torch.equal(one, load_mnist(train=False, n=100, binarise="sample", seed=2)[0])


def test_mnist_sample_follows_the_global_random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        one, _ = load_mnist(train=False, n=100, binarise="sample")
        two, _ = load_mnist(train=False, n=100, binarise="sample")
        torch.manual_seed(3)
        again, _ = load_mnist(train=False, n=100, binarise="sample")
    assert torch.equal(one, again)
    assert not torch.equal(one, two)


def test_mnist_may_be_changed_in_place():
    x, y = load_mnist(train=False)
    expected_x, expected_y = x.clone(), y.clone()
    x.fill_(9)
    y.fill_(9)
    x, y = load_mnist(train=False)
    assert torch.equal(x, expected_x)
    assert torch.equal(y, expected_y)


@pytest.mark.parametrize("options", [{}, {"digits": [1], "binarise": "sample", "seed": 0}])
def test_mnist_makes_nothing_on_the_default_device_by_accident(root, options):
    expected = load_mnist(train=False, n=50, **options)
    utils.data._read_mnist.cache_clear()
    torch.set_default_device("meta")  # a tensor made there by accident has no values
    try:
        assert load_mnist(train=False, n=50, root=root, **options)[0].device.type == "meta"
        result = load_mnist(train=False, n=50, root=root, device="cpu", **options)
    finally:
        torch.set_default_device("cpu")
    assert torch.equal(result[0], expected[0])
    assert torch.equal(result[1], expected[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_mnist_is_the_same_on_a_gpu():
    for options in ({}, {"binarise": "threshold"}, {"binarise": "sample", "seed": 0}):
        expected = load_mnist(train=False, **options)
        x, y = load_mnist(train=False, device="cuda", **options)
        assert x.is_cuda
        assert torch.equal(x.cpu(), expected[0])
        assert torch.equal(y.cpu(), expected[1])


# ---------------------------------------------------------------------------- gap


def test_gap_has_points_in_two_pieces():
    df = load_gap()
    assert list(df.columns) == ["x", "y"]
    assert len(df) == 120
    assert df["x"].is_monotonic_increasing
    assert (df["x"].between(-10, 0) | df["x"].between(5, 10)).all()
    assert df.iloc[0].tolist() == [-9.8316, -11.0427]


def test_gap_posterior_has_chains_that_agree():
    summary, _ = load_gap_posterior()
    assert summary.index.name == "quantity"
    assert list(summary.columns) == ["mean", "sd", "r_hat", "ess"]
    assert len(summary) == 2 * 53
    assert summary["r_hat"].max() < 1.01
    assert summary["ess"].min() > 1000


def test_gap_posterior_has_draws_that_the_model_takes():
    summary, draws = load_gap_posterior()
    x, y = torch.tensor([-5.0, 2.5, 7.5]), torch.zeros(3)
    trace = poutine.trace(NeuralRegressor()).get_trace(x, y)
    sites = {name: tuple(node["value"].shape) for name, node in trace.iter_stochastic_nodes()}
    assert {name: tuple(values.shape[1:]) for name, values in draws.items()} == sites
    assert {len(values) for values in draws.values()} == {2000}
    assert {values.dtype for values in draws.values()} == {torch.float32}
    # The functions of these draws have the moments of the summary, so the entries are in order.
    with poutine.condition(data=draws):
        h = NeuralRegressor().h(x)
    for k, place in enumerate(("-5", "2.5", "7.5")):
        row = summary.loc[f"h(x) | x = {place}"]
        assert abs(h[:, k].mean().item() - row["mean"]) < 4 * row["sd"] / 1000**0.5
        assert h[:, k].std().item() == pytest.approx(row["sd"], rel=0.15)


# ---------------------------------------------------------------------------- MNIST: arguments


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"digits": []}, ValueError, "some of 0 to 9"),
        ({"digits": [3, 10]}, ValueError, "some of 0 to 9"),
        ({"digits": [-1]}, ValueError, "some of 0 to 9"),
        ({"digits": 3}, TypeError, r"a list such as \[3, 5\]"),
        ({"digits": "35"}, TypeError, r"a list such as \[3, 5\]"),
        ({"digits": [3.0]}, TypeError, "whole number"),
        ({"digits": [True]}, TypeError, "whole number"),
        ({"n": 0}, ValueError, "from 1 to 10000"),
        ({"n": -5}, ValueError, "from 1 to 10000"),
        ({"n": 10_001}, ValueError, "from 1 to 10000"),
        ({"n": 1000, "digits": [5]}, ValueError, "from 1 to 892"),
        ({"n": 10.0}, TypeError, "n must be a whole number"),
        ({"n": True}, TypeError, "n must be a whole number"),
        ({"binarise": "round"}, ValueError, "'threshold', 'sample' or None, not 'round'"),
        ({"binarise": True}, ValueError, "'threshold', 'sample' or None, not True"),
        ({"binarise": "sample", "seed": "0"}, TypeError, "seed must be a whole number"),
        ({"seed": 0}, ValueError, "only with binarise='sample'"),
        ({"binarise": "threshold", "seed": 0}, ValueError, "only with binarise='sample'"),
        ({"train": "test"}, TypeError, "train must be True or False"),
    ],
)
def test_mnist_refuses(options, error, message):
    with pytest.raises(error, match=message):
        load_mnist(**{"train": False, **options})


# ---------------------------------------------------------------------------- MNIST: files


def test_mnist_reads_the_files_once(root):
    load_mnist(train=False, root=root)
    shutil.rmtree(root / "MNIST")
    assert len(load_mnist(train=False, root=str(root), digits=[0])[0]) == 980


@pytest.mark.parametrize("name", ARCHIVES)
def test_mnist_archive_missing(root, name):
    archive = root / "MNIST" / "raw" / name
    archive.unlink()
    with pytest.raises(DataError, match=rf"{re.escape(str(archive))} is missing"):
        load_mnist(train=False, root=root)


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b"", "byte"])
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"])
def test_mnist_archive_damaged(root, name, damage):
    content = bytearray((RAW / name).read_bytes())
    if damage == "byte":
        content[len(content) // 2] ^= 1
    else:
        content = damage(content)
    archive = root / "MNIST" / "raw" / name
    archive.unlink()
    archive.write_bytes(content)
    with pytest.raises(DataError, match=rf"{re.escape(str(archive))} is truncated or altered"):
        load_mnist(train=False, root=root)
    assert sorted(os.listdir(archive.parent)) == sorted(ARCHIVES)  # nothing half-written


def test_mnist_message_names_the_mend(root, monkeypatch):
    monkeypatch.setattr(utils.data, "REPOSITORY", root.parent)
    (root / "MNIST" / "raw" / ARCHIVES[0]).unlink()
    file = f"{root.name}/MNIST/raw/{ARCHIVES[0]}"
    with pytest.raises(DataError, match=rf"^{file} is missing.*git checkout -- {file}$"):
        load_mnist(root=root)


def test_mnist_from_a_read_only_folder_leaves_nothing_on_the_disk(root, temporary):
    raw = root / "MNIST" / "raw"
    raw.chmod(0o555)
    before = raw.stat().st_mtime_ns  # as root no folder is read-only, but this would change
    load_mnist(root=root)
    load_mnist(train=False, root=root)
    assert raw.stat().st_mtime_ns == before
    assert list(temporary.iterdir()) == []
    raw.chmod(0o755)


@pytest.mark.parametrize("step", ["utils.extract_archive", "mnist.read_image_file"])
def test_mnist_interrupted_unpacking_leaves_nothing(root, temporary, monkeypatch, step):
    def interrupt(source, folder=None):
        if folder:  # in the midst of unpacking
            Path(folder, Path(source).stem).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"torchvision.datasets.{step}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_mnist(train=False, root=root)
    assert list(temporary.iterdir()) == []
    assert len(load_mnist(train=False, root=root)[0]) == 10_000


def test_mnist_ignores_half_unpacked_files(root):
    (root / "MNIST" / "raw" / IMAGES).write_bytes(b"half")
    assert torch.equal(load_mnist(train=False, root=root)[0], load_mnist(train=False)[0])


@pytest.mark.parametrize("problem", ["no folder", "no space"])
def test_mnist_without_a_place_to_unpack_names_the_mend(root, temporary, monkeypatch, problem):
    if problem == "no folder":
        temporary.rmdir()
    else:

        def full(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("torchvision.datasets.utils.extract_archive", full)
    with pytest.raises(DataError, match="free 60 MB .* TMPDIR"):
        load_mnist(train=False, root=root)
