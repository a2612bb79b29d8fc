"""The SVI loop and its draws: against a posterior in closed form, and their errors."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from utils.inference import FitFailed, convergence, draw, fit, trust

READING = torch.tensor(18.0)
SETTINGS = {"steps": 1000, "learning_rate": 0.3, "final_learning_rate": 0.003}
SETTINGS |= {"particles": 16, "max_plate_nesting": 0}


def temperature(sensor, noise=1.0):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, noise), obs=sensor)


def guide_of_temp(sensor, noise=1.0, loc=15.0):
    temp = pyro.sample("temp", dist.Normal(pyro.param("loc", torch.tensor(loc)), 1.0))
    return {"temp": temp}


def test_fit_finds_the_closed_form_posterior(capsys):
    guide = AutoNormal(temperature)
    losses = fit(temperature, guide, READING, **SETTINGS)
    assert len(losses) == 1000
    assert guide.median()["temp"].item() == pytest.approx(17.4, abs=0.02)
    assert guide.scales.temp.item() == pytest.approx(0.8**0.5, rel=0.02)
    evidence = dist.Normal(15.0, 5**0.5).log_prob(READING).item()
    assert -sum(losses[-50:]) / 50 == pytest.approx(evidence, abs=0.01)
    assert "SVI" in capsys.readouterr().err, "a progress bar"


def test_fit_is_reproducible():
    runs = []
    for _ in range(2):
        pyro.clear_param_store()
        pyro.set_rng_seed(3)
        runs.append(fit(temperature, guide_of_temp, READING, **SETTINGS | {"steps": 20}))
    assert runs[0] == runs[1]


def test_learning_rate_decays_to_its_final_value(monkeypatch):
    seen = {}
    monkeypatch.setattr("utils.inference.ClippedAdam", lambda rates: seen.update(rates) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(temperature, guide_of_temp, READING, **SETTINGS)
    assert (seen["lr"], seen["lr"] * seen["lrd"] ** 1000) == pytest.approx((0.3, 0.003))


@pytest.mark.parametrize(
    ("guide", "argument", "changes", "message"),
    [
        (guide_of_temp, READING, {"steps": 0}, "steps and particles"),
        (guide_of_temp, READING, {"particles": 0}, "steps and particles"),
        (guide_of_temp, READING, {"final_learning_rate": 0.0}, "final_learning_rate"),
        (guide_of_temp, READING, {"final_learning_rate": 1.0}, "final_learning_rate"),
        (AutoNormal, READING, {}, r"AutoNormal\(model\)"),
        (guide_of_temp, (READING,), {}, "put a \\* before it"),
    ],
)
def test_fit_refuses_impossible_settings(guide, argument, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit(temperature, guide, argument, **SETTINGS | changes)


@pytest.mark.filterwarnings("ignore:Encountered NaN")
@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((READING, torch.tensor(-1.0)), "Step 0.*site `sensor` of the model"),
        ((READING, 1.0, float("nan")), "Step 0.*parameter `loc` of the guide"),
    ],
)
def test_failure_names_what_is_not_finite(arguments, message, validate):
    def model(sensor, noise, *_):
        temperature(sensor, noise)

    with pyro.validation_enabled(validate), pytest.raises(FitFailed, match=message):
        fit(model, guide_of_temp, *arguments, **SETTINGS)


def test_an_error_that_is_not_numerical_stays_as_it_is():
    def broken(sensor):
        raise ValueError("my own")

    with pytest.raises(ValueError, match="my own"):
        fit(broken, guide_of_temp, READING, **SETTINGS)


def weeks(n_weeks, n_days):
    """Sites outside of plates, in one and in two, and one with an event of one number."""
    pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    pyro.sample("line", dist.Normal(torch.zeros(1), 1.0).to_event(1))
    with pyro.plate("weeks", n_weeks, dim=-2):
        pyro.sample("week", dist.Normal(0.0, 1.0))
        with pyro.plate("days", n_days, dim=-1):
            pyro.sample("temp", dist.Normal(torch.zeros(3), 1.0).to_event(1))


@pytest.mark.parametrize("size", [(2, 5), (1, 5), (2, 1), (1, 1)])
@pytest.mark.parametrize("kind", [AutoNormal, AutoMultivariateNormal])
def test_draw_gives_each_site_its_own_shape(kind, size):
    draws = draw(kind(weeks), *size, max_plate_nesting=2)
    own = {"mean_temp": (), "line": (1,), "week": size[:1], "temp": (*size, 3)}
    assert {site: tuple(x.shape) for site, x in draws.items()} == {
        site: (200_000, *shape) for site, shape in own.items()
    }


def test_draws_are_those_of_the_guide():
    for guide in (guide_of_temp, lambda *args: guide_of_temp(*args) and None):
        draws = draw(guide, READING, max_plate_nesting=0)
        assert draws.keys() == {"temp"}
        moments = draws["temp"].mean().item(), draws["temp"].std().item()
        assert moments == pytest.approx((15, 1), abs=0.02)
        assert not draws["temp"].requires_grad


@pytest.mark.parametrize(("sd", "good"), [(1.0, True), (0.8, True), (0.3, False)])
def test_a_guide_that_is_too_narrow_is_not_trusted(sd, good):
    q = dist.Normal(0.0, sd)
    z = q.sample((5000,))
    found = trust(dist.Normal(0.0, 1.0).log_prob(z) - q.log_prob(z) - 7.0)
    assert (found["Pareto k̂"] < 0.7) == good
    assert 0 < found["share of effective draws"] <= 1 + 1e-9
    assert (found["share of effective draws"] > 0.6) == good


def test_chains_that_disagree_in_one_quantity_are_noticed():
    chains = torch.randn(4, 500, 2, 3)
    mixed = convergence(chains)
    assert mixed["R-hat"] < 1.02
    assert 1000 < mixed["effective draws"] < 3000
    chains[0, :, 1, 2] += 3
    assert convergence(chains)["R-hat"] > 1.2
