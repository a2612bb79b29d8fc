"""The SVI loop: against a posterior in closed form, and its errors."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import AutoNormal

from utils.inference import FitFailed, draw, fit

SETTINGS = {
    "steps": 1000,
    "learning_rate": 0.3,
    "final_learning_rate": 0.003,
    "particles": 16,
    "max_plate_nesting": 0,
    "progress": False,
}


def temperature(sensor):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def test_fit_finds_the_closed_form_posterior():
    guide = AutoNormal(temperature)
    losses = fit(temperature, guide, torch.tensor(18.0), **SETTINGS)
    assert len(losses) == 1000
    assert all(isinstance(loss, float) for loss in losses)
    assert guide.median()["temp"].item() == pytest.approx(17.4, abs=0.02)
    assert guide.scales.temp.item() == pytest.approx(0.8**0.5, rel=0.02)
    evidence = dist.Normal(15.0, 5**0.5).log_prob(torch.tensor(18.0)).item()
    assert -sum(losses[-50:]) / 50 == pytest.approx(evidence, abs=0.01)


def test_fit_is_reproducible():
    runs = []
    for _ in range(2):
        pyro.clear_param_store()
        pyro.set_rng_seed(3)
        runs.append(fit(temperature, AutoNormal(temperature), torch.tensor(18.0), **SETTINGS))
    assert runs[0] == runs[1]


def test_learning_rate_decays_to_its_final_value(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "utils.inference.ClippedAdam", lambda settings: seen.update(settings) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        fit(temperature, AutoNormal(temperature), torch.tensor(18.0), **SETTINGS)
    assert seen["lr"] * seen["lrd"] ** 1000 == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps and particles"),
        ({"particles": 0}, "steps and particles"),
        ({"final_learning_rate": 0.0}, "final_learning_rate"),
        ({"final_learning_rate": 1.0}, "final_learning_rate"),
    ],
)
def test_fit_refuses_impossible_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        fit(temperature, AutoNormal(temperature), torch.tensor(18.0), **SETTINGS | changes)


def test_fit_refuses_a_class_or_a_tuple():
    with pytest.raises(TypeError, match=r"AutoNormal\(model\)"):
        fit(temperature, AutoNormal, torch.tensor(18.0), **SETTINGS)
    with pytest.raises(TypeError, match="put a \\* before it"):
        fit(temperature, AutoNormal(temperature), (torch.tensor(18.0),), **SETTINGS)


def guide_of_temp(sensor):
    loc = pyro.param("loc", torch.tensor(15.0))
    pyro.sample("temp", dist.Normal(loc, 1.0))


def scaled(sensor):
    """A model whose second argument may be an impossible scale."""
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, sensor), obs=torch.tensor(18.0))


@pytest.mark.filterwarnings("ignore:Encountered NaN")
@pytest.mark.parametrize("validate", [True, False])
def test_failure_names_the_site_whose_density_is_not_finite(validate):
    with pyro.validation_enabled(validate), pytest.raises(FitFailed, match="site `sensor` of the"):
        fit(scaled, guide_of_temp, torch.tensor(-1.0), **SETTINGS)


@pytest.mark.filterwarnings("ignore:Encountered NaN")
@pytest.mark.parametrize("validate", [True, False])
def test_failure_names_the_parameter_that_is_not_finite(validate):
    def guide(sensor):
        loc = pyro.param("loc", torch.tensor(float("nan")))
        pyro.sample("temp", dist.Normal(loc, 1.0))

    with pyro.validation_enabled(validate), pytest.raises(FitFailed, match="Step 0.*`loc` of the"):
        fit(temperature, guide, torch.tensor(18.0), **SETTINGS)


def test_an_error_that_is_not_numerical_stays_as_it_is():
    def broken(sensor):
        raise ValueError("my own")

    with pytest.raises(ValueError, match="my own"):
        fit(broken, guide_of_temp, torch.tensor(18.0), **SETTINGS)


def test_fit_shows_a_progress_bar(capsys):
    settings = SETTINGS | {"steps": 3, "progress": True}
    fit(temperature, guide_of_temp, torch.tensor(18.0), **settings)
    assert "SVI" in capsys.readouterr().err
    fit(temperature, guide_of_temp, torch.tensor(18.0), **settings | {"progress": False})
    assert capsys.readouterr().err == ""


def hierarchy(readings):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", len(readings)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=readings)


def test_draw_gives_each_site_its_own_shape():
    readings = torch.tensor([18.0, 18.7, 19.2])
    guide = AutoNormal(hierarchy)
    draws = draw(guide, readings, n=5000, max_plate_nesting=1)
    assert {site: tuple(values.shape) for site, values in draws.items()} == {
        "mean_temp": (5000,),
        "temp": (5000, 3),
    }
    assert draws["temp"].std(0).min() > 0.05  # of the guide: each draw is one of its own
    assert not draws["temp"].requires_grad


def test_draw_wants_the_draws_of_a_guide_of_ones_own():
    with pytest.raises(TypeError, match="returns its draws"):
        draw(lambda: pyro.sample("temp", dist.Normal(0.0, 1.0)), n=10, max_plate_nesting=0)
