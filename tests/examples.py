"""Variables that a notebook has computed before an exercise, and that its check takes: made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def gaussian_fit() -> dict[str, Any]:
    x = 5 + torch.randn(100, generator=torch.Generator("cpu").manual_seed(2), device="cpu")
    # By coordinate ascent:
    optimum = {"nu_mu": 5.029625720488082, "nu_sigma2": 0.00992711996674847}
    optimum |= {"nu_alpha": 51.0, "nu_beta": 50.62836208979961}

    def fit_gaussian(x: Tensor, start: dict[str, float], **settings: Any) -> tuple[dict, list]:
        return dict(optimum), [150.0] * settings["steps"]  # a real fit takes ten seconds

    return {"x": x, "optimum": optimum, "fit_gaussian": fit_gaussian, "settings": {}}


def few_images() -> dict[str, Any]:
    """Eigenvalues that fall far, and test images that vary a little more along every axis.

    The held-out log-likelihood climbs from -819 to 97 nats at 240 factors, then falls.
    """
    falling = torch.linspace(2, -8, 500, dtype=torch.float64).exp()
    eigenvalues = torch.cat([falling, torch.full((284,), 1e-3, dtype=torch.float64)])
    return {"few_eigenvalues": eigenvalues, "few_v": eigenvalues + 0.005}


EXAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "simple_gaussian_model.gaussian_fit": gaussian_fit,
    "factor_analysis.number_of_factors": few_images,
}
# Not with every mutant: a fit takes seconds each time, and its stand-in ignores its settings.
SLOW = ("simple_gaussian_model.gaussian_fit",)
