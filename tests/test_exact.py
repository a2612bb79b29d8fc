"""The tool that makes the exact answers: its models are the notebooks', its moments are right."""

from __future__ import annotations

import functools

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro import sample

from tools import build, exact
from utils import data

pytestmark = pytest.mark.ours


@functools.cache
def problems() -> dict[str, exact.Problem]:
    try:
        shops = {f"shop {version}": problem for version, problem in exact.ice_cream()}
        return shops | {"gap": next(exact.gap())[1]}
    except (KeyError, build.BuildError) as missing:
        pytest.fail(
            f"tools/exact.py finds no {missing} in the solutions: mend its `ice_cream`, `gap`"
        )


def prior_draws(problem: exact.Problem, draws: int = 6, *_) -> exact.Arrays:
    """In the place of chains, whose compilation takes half a minute."""

    def draw(key):
        trace = exact.handlers.trace(exact.handlers.seed(problem.model, key))
        sites = trace.get_trace(*problem.data)
        return {name: s["value"] for name, s in sites.items() if not s["is_observed"]}

    keys = jax.random.split(jax.random.PRNGKey(0), (exact.CHAINS, draws))
    return {name: np.asarray(v) for name, v in jax.vmap(jax.vmap(draw))(keys).items()}


@pytest.mark.parametrize("name", ["shop 1", "shop 2", "shop 3", "gap"])
def test_models_are_those_of_the_notebooks(name):
    problem = problems()[name]
    assert exact.same_density(problem)

    def with_another_term(*arguments):
        problem.model(*arguments)
        sample("a reading more", dist.Normal(0, 1), obs=0.1)

    assert not exact.same_density(problem._replace(model=with_another_term))


@pytest.mark.parametrize("name", ["ice_cream", "gap"])
def test_files_are_like_the_stored_ones(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exact, "chains_of", prior_draws)
    assert exact.main([name, "--draws", "6", "--to", str(tmp_path)]) == 0
    assert f"{name}_nuts_draws.npz" in capsys.readouterr().out
    stored, stored_draws = getattr(data, f"load_{name}_posterior")()
    summary = pd.read_csv(tmp_path / f"{name}_nuts_summary.csv").set_index(stored.index.names)
    assert list(summary.columns) == list(stored.columns)
    assert not set(summary.index) - set(stored.index)
    assert not summary.isna().to_numpy().any()
    with np.load(tmp_path / f"{name}_nuts_draws.npz") as draws:
        assert draws.keys() == stored_draws.keys()
        for site, values in draws.items():
            assert (len(values), values.dtype) == (6 * exact.CHAINS, np.float32)
            assert values.shape[1:] == stored_draws[site].shape[1:]


def test_chains_find_a_posterior_in_closed_form(monkeypatch):
    monkeypatch.setattr(exact, "CHAINS", 1)

    def reading(sensor):
        temp = sample("temp", dist.Normal(15.0, 2.0))
        sample("sensor", dist.Normal(temp, 1.0), obs=sensor)

    problem = exact.Problem(reading, reading, (np.array(18.0),), lambda draws: (draws, draws), 10)
    draws = exact.chains_of(problem, draws=1000, warmup=200)
    assert draws["temp"].shape == (1, 1000)
    row = exact.summarise(draws).loc["temp"]
    assert abs(row["mean"] - 17.4) < 4 * row["sd"] / row["ess"] ** 0.5
    assert row["sd"] == pytest.approx(0.8**0.5, rel=4 / (2 * row["ess"]) ** 0.5)
    assert row["r_hat"] < 1.05


def test_chains_that_disagree_are_noticed():
    apart = np.random.default_rng(0).standard_normal((2, 500)) + np.array([[0.0], [3.0]])
    summary = exact.summarise({"h": apart, "always": np.ones((2, 500))})
    assert summary.loc["h", "r_hat"] > 1.5
    assert summary.loc["h", "ess"] < 50
    assert summary.loc["always"].tolist() == [1.0, 0.0, 1.0, 1000]


def test_predictions_are_those_of_a_rounded_normal_variable():
    unknown = {"alpha": 30.0, "beta": 0.0, "gamma": 0.0, "noise": 3.0}
    unknown |= {"temp_10": 20.0, "humidity_10": 80.0}
    draws = {name: np.full((2, 50), value, np.float32) for name, value in unknown.items()}
    found, kept = problems()["shop 3"].results(draws)  # the weather has no effect: the rate is 30
    assert np.allclose(found["rate_11"], 30.0)
    at_most_35 = float(dist.Normal(30.0, 3.0).cdf(35.5))
    assert found["P(sales_11 <= 35)"].mean() == pytest.approx(at_most_35, abs=1e-5)
    assert found["P(beta > 0)"].mean() == 0
    names = ("alpha", "beta", "gamma", "noise", "rate_11")
    assert kept.keys() == {f"{name} | version 3" for name in names}
