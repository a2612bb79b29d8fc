"""Variables that a notebook has computed before an exercise, and that its check takes: made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from utils.data import load_rugged

FIT = {
    "steps": 500,
    "learning_rate": 0.2,
    "final_learning_rate": 0.001,
    "particles": 16,
    "max_plate_nesting": 1,
}


def warm_day() -> dict[str, Any]:
    alpha, beta = 50 + 2.3 * torch.randn(20_000), 1 + 1.3 * torch.randn(20_000)
    return {"draws_1": {"alpha": alpha, "beta": beta}}


def african_countries() -> dict[str, Any]:
    countries = load_rugged()
    rows = countries[countries["cont_africa"] == 1]
    x, y = (torch.tensor(rows[c].to_numpy(), dtype=torch.float32) for c in ("rugged", "log_gdp"))
    evidence = -74.8893  # by the notebook's quadrature
    data, exact = {"African": (x, y)}, {"African": {"log_evidence": evidence}}
    return {"SEED": 0, "settings": FIT, "data": data, "exact": exact}


def slopes() -> dict[str, Any]:
    def around(slope: float) -> dict[str, Tensor]:
        return {"w0": 9 + torch.randn(50_000), "w1": slope + 0.1 * torch.randn(50_000)}

    return {"draws": {"non-African": around(-0.17), "African": around(0.15)}}


def gaussian_fit() -> dict[str, Any]:
    x = 5 + torch.randn(100, generator=torch.Generator("cpu").manual_seed(2), device="cpu")
    optimum = {  # by coordinate ascent
        "nu_mu": 5.029625720488082,
        "nu_sigma2": 0.00992711996674847,
        "nu_alpha": 51.0,
        "nu_beta": 50.62836208979961,
    }

    def fit_gaussian(x: Tensor, start: dict[str, float], **settings: Any) -> tuple[dict, list]:
        return dict(optimum), [150.0] * settings["steps"]  # a real fit takes ten seconds

    return {"x": x, "optimum": optimum, "fit_gaussian": fit_gaussian}


def few_images() -> dict[str, Any]:
    """Eigenvalues that fall far, and test images that vary a little more along every axis.

    The held-out log-likelihood climbs from -819 to 97 nats at 240 factors, then falls.
    """
    falling = torch.linspace(2, -8, 500, dtype=torch.float64).exp()
    eigenvalues = torch.cat([falling, torch.full((284,), 1e-3, dtype=torch.float64)])
    return {"few_eigenvalues": eigenvalues, "few_v": eigenvalues + 0.005}


EXAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "ice_cream_shop.warm_day": warm_day,
    "bayesian_regression.african_fit": african_countries,
    "bayesian_regression.slope_probabilities": slopes,
    "simple_gaussian_model.gaussian_fit": gaussian_fit,
    "factor_analysis.number_of_factors": few_images,
}
# Not with every mutant: a fit takes seconds each time, and its stand-in ignores its settings.
SLOW = ("bayesian_regression.african_fit", "simple_gaussian_model.gaussian_fit")
