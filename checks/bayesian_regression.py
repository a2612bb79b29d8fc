"""Checks of bayesian_regression."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch

from checks.engine import call, exercise, same_function
from checks.models import same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]


@exercise("the linear model")
def linear_model(answer: Any) -> None:
    same_model(answer, [call(torch.randn(7), torch.randn(7)), call(torch.randn(5))])


@exercise("a better origin")
def origin(answer: Any) -> None:
    # Skewed, so that mean, median and midrange differ; and also below 0.
    x = dist.Gamma(1.0, 0.8).sample((9,))
    same_function(answer, [call(2 + x), call(1 - 3 * x[:7])], returns=("c",))


@exercise("three probabilities")
def slope_probabilities(answer: Any) -> None:
    # Far from certain, and skewed: a formula that is nearly right for sure things is not here.
    draws = 10_000  # all pairs of which fit into a laptop
    outside = 0.3 - 0.4 * dist.Gamma(1.5, 1.0).sample((draws,))
    inside = -0.6 + 0.4 * dist.Gamma(1.0, 1.0).sample((draws,))
    names = ("p_outside", "p_inside", "p_both", "p_larger")
    four_errors = 4 * (0.25 / draws) ** 0.5  # standard errors of a share
    same_function(answer, [call(outside, inside)], returns=names, tolerance=four_errors)


@exercise("two variances")
def variance_parts(answer: Any) -> None:
    w0 = torch.randn(3000) + 9
    w1 = -0.8 * (w0 - 9) + 0.3 * torch.randn(3000)
    d = {"w0": w0, "w1": w1, "sigma2": dist.Gamma(5.0, 5.0).sample((3000,))}
    x = torch.tensor([0.0, 1.0, 2.0, 5.0])
    same_function(answer, [call(d, x)], returns=("epistemic", "aleatoric"), tolerance=2e-3)


@exercise("the logistic model")
def logistic_model(answer: Any) -> None:
    y = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    same_model(answer, [call(torch.randn(7, 2), y), call(torch.randn(5, 2))])


@exercise("a predictive probability")
def predictive_probability(answer: Any) -> None:
    # Wide draws, so that the mean of the sigmoid and the sigmoid of the mean differ clearly.
    d = {"b": 1 + 2 * torch.randn(400), "w": torch.tensor([1.0, -2.0]) + torch.randn(400, 2)}
    x = torch.randn(6, 2)
    noisy = (
        "you draw 0s and 1s and average them: right in the long run, but noisy.",
        "The probabilities themselves are known: average these.",
    )
    same_function(answer, [call(x, d)], returns=("probability",), if_random=noisy)
