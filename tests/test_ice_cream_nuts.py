"""The script that made the exact answers of the ice-cream notebook, on a known posterior."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch

from tools.ice_cream_nuts import chains_of, summarise, with_predictions


def two_readings(readings):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", len(readings)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=readings)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_chains_find_a_posterior_in_closed_form():
    readings = torch.tensor([18.0, 20.0])
    draws = chains_of(two_readings, readings, chains=2, draws=400, warmup=200)
    assert {name: tuple(values.shape) for name, values in draws.items()} == dict.fromkeys(
        ("mean_temp", "temp_1", "temp_2"), (2, 400)
    )
    summary = summarise(draws).set_index("quantity")
    # The average of two readings is a reading of mean_temp with variance (2² + 1²) / 2.
    precision = 1 / 4 + 2 / 5
    mean, sd = (15 / 4 + 19 * 2 / 5) / precision, precision**-0.5
    row = summary.loc["mean_temp"]
    assert abs(row["mean"] - mean) < 4 * sd / row["ess"] ** 0.5
    assert row["sd"] == pytest.approx(sd, rel=4 / (2 * row["ess"]) ** 0.5)
    assert summary["r_hat"].max() < 1.05


def test_chains_that_disagree_are_noticed():
    apart = torch.randn(2, 500) + torch.tensor([[0.0], [3.0]])
    row = summarise({"alpha": apart}).iloc[0]
    assert row["r_hat"] > 1.5
    assert row["ess"] < 50


def test_predictions_are_those_of_a_poisson_variable():
    names = ("alpha", "beta", "gamma", "temp_10", "humidity_10")
    values = (30.0, 0.0, 0.0, 20.0, 80.0)  # the weather has no effect: the rate is 30
    draws = with_predictions(
        {name: torch.full((2, 50), value) for name, value in zip(names, values, strict=True)}
    )
    torch.testing.assert_close(draws["rate_11"], torch.full((2, 50), 30.0))
    probability = torch.distributions.Poisson(30.0).log_prob(torch.arange(36.0)).exp().sum()
    assert draws["P(sales_11 <= 35)"].mean().item() == pytest.approx(probability.item(), abs=1e-5)
    assert draws["P(beta > 0)"].mean() == 0
    assert summarise(draws)["r_hat"].eq(1.0).any()  # of what does not vary
