"""The script that made the exact answers of the notebook on Bayesian neural networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tools import gap_nuts
from utils.data import load_gap, load_gap_posterior


def test_data_are_those_of_the_course():
    pd.testing.assert_frame_equal(gap_nuts.make_data(), load_gap())


def test_density_is_that_of_the_model():
    assert gap_nuts.same_density(load_gap())


def test_another_model_is_noticed(monkeypatch):
    def without_floor(g):
        return np.logaddexp(0, g)

    monkeypatch.setattr(gap_nuts, "variance", without_floor)
    assert not gap_nuts.same_density(load_gap())


def test_other_priors_are_noticed(monkeypatch):
    right = gap_nuts.priors()
    wrong = right | {"h.output.bias": 2 * right["h.output.bias"]}
    monkeypatch.setattr(gap_nuts, "priors", lambda: wrong)
    assert not gap_nuts.same_density(load_gap())


def test_stored_summary_is_that_of_the_stored_grid():
    summary, _ = load_gap_posterior()
    names = [f"h(x) | x = {x:g}" for x in gap_nuts.GRID]
    names += [f"ln var(x) | x = {x:g}" for x in gap_nuts.GRID]
    assert summary.index.tolist() == names


def test_chains_that_disagree_are_noticed():
    apart = np.random.default_rng(0).standard_normal((2, 500)) + np.array([[0.0], [3.0]])
    row = gap_nuts.summarise({"h": apart}).iloc[0]
    assert row["r_hat"] > 1.5
    assert row["ess"] < 50


def test_three_files_are_written(tmp_path, capsys, monkeypatch):
    def from_the_prior(data, chains, draws, warmup):  # compiling NUTS takes half a minute
        random = np.random.default_rng(0)
        return {
            name: scale * random.standard_normal((chains, draws, *scale.shape))
            for name, scale in gap_nuts.priors().items()
        }, 0

    monkeypatch.setattr(gap_nuts, "chains_of", from_the_prior)
    short = ["--chains", "2", "--draws", "6", "--to", str(tmp_path)]
    assert gap_nuts.main(short) == 0
    assert "R-hat" in capsys.readouterr().out
    assert (tmp_path / "gap.csv").read_bytes().replace(b"\r\n", b"\n") == (
        gap_nuts.DATA / "gap.csv"
    ).read_bytes().replace(b"\r\n", b"\n")
    stored = pd.read_csv(gap_nuts.DATA / "gap_nuts_draws.csv", nrows=1)
    draws = pd.read_csv(tmp_path / "gap_nuts_draws.csv")
    assert sorted(draws.columns) == sorted(stored.columns)
    assert len(draws) == 12
    summary = pd.read_csv(tmp_path / "gap_nuts_summary.csv")
    assert list(summary.columns) == ["quantity", "mean", "sd", "r_hat", "ess"]


def test_a_short_chain_has_the_shapes_of_the_model():
    weights, diverged = gap_nuts.chains_of(gap_nuts.make_data(), chains=1, draws=5, warmup=5)
    shapes = {name: values.shape for name, values in weights.items()}
    assert shapes == {name: (1, 5, *scale.shape) for name, scale in gap_nuts.priors().items()}
    assert 0 <= diverged <= 5
    assert all(np.isfinite(values).all() for values in weights.values())


def test_the_stored_chains_have_converged():
    summary, _ = load_gap_posterior()
    assert summary["r_hat"].max() < 1.01
    assert summary["ess"].min() > 1000
