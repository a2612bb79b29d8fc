"""Checks of Day2/1_bayesian_regression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyro.distributions as dist
import torch
from pyro.infer.autoguide import AutoDiagonalNormal, AutoNormal
from torch import Tensor

from checks.engine import (
    CheckFailed,
    call,
    error_of_share,
    exercise,
    fail,
    same_function,
    same_values,
    solution,
)
from checks.models import same_guide, same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]

Draws = Mapping[str, Tensor]


@exercise("Exercise 1, a gradient step")
def gradient_step(answer: Any) -> None:
    x, y, w = torch.randn(7), torch.randn(7), torch.randn(2)
    calls = [call(w, x, y, learning_rate=rate) for rate in (0.03, 0.2)]
    same_function(answer, calls, returns=("new_w",))


@exercise("Exercise 2, the linear model")
def linear_model(answer: Any) -> None:
    same_model(answer, [call(torch.randn(7), torch.randn(7)), call(torch.randn(5))])


@exercise("Exercise 3, the weights given the noise")
def conditional_posterior(answer: Any) -> None:
    # With so few points, and so noisy ones, the prior's precision shows.
    X = torch.stack([torch.ones(4), 1.5 + torch.randn(4)], dim=1)
    y = 3 * torch.randn(4, 1)
    calls = [call(s, X, y) for s in (torch.tensor([0.5, 20.0, 70.0]), torch.tensor(30.0))]
    same_function(answer, calls, returns=("mean", "covariance"), tolerance=1e-3)


@exercise("Exercise 4, the African group")
def african_fit(
    african_guide: Any, african_losses: Any, x: Tensor, y: Tensor, log_evidence: float
) -> None:
    if isinstance(african_guide, list):
        fail(
            "`african_guide` is a list of losses.",
            "inference.fit changes the guide in place; keep the guide, not what fit returns.",
        )
    if isinstance(african_guide, type):
        fail(
            "`african_guide` is the class itself; make a guide with AutoMultivariateNormal(model)."
        )
    if isinstance(african_guide, AutoDiagonalNormal | AutoNormal):
        fail(
            "this guide treats w0 and w1 as independent (its turn comes in section 5.3).",
            "A full covariance matrix is what AutoMultivariateNormal has.",
        )
    if not isinstance(african_losses, Sequence) or not african_losses:
        fail("`african_losses` should be the list that inference.fit returns.")
    reached = -sum(african_losses[-50:]) / len(african_losses[-50:])
    try:
        same_guide(
            african_guide,
            solution("model"),
            [call(x, y)],
            best_elbo=log_evidence,
            elbo_tolerance=0.12,
        )
    except CheckFailed as problem:
        earlier = -sum(african_losses[-100:-50]) / max(1, len(african_losses[-100:-50]))
        flat = len(african_losses) >= 100 and abs(reached - earlier) < 0.5
        if flat and abs(reached - log_evidence) > 1 and "can be reached" in str(problem):
            fail(
                f"the fit converged to {reached:.1f}, but not for the African countries.",
                "Which data, in which order, did you give to inference.fit?",
            )
        raise


@exercise("Exercise 5, probabilities from draws")
def slope_probabilities(
    p_outside: Any, p_inside: Any, p_both: Any, draws: Mapping[str, Draws]
) -> None:
    shares = {"p_outside": draws["non-African"]["w1"] < 0, "p_inside": draws["African"]["w1"] > 0}
    both = math.prod(share.float().mean().item() for share in shares.values())
    same_values(
        {"p_outside": p_outside, "p_inside": p_inside, "p_both": p_both},
        given={"draws": draws},
        tolerance={
            "p_outside": 1e-4,
            "p_inside": 1e-4,
            "p_both": error_of_share(both, len(shares["p_inside"])),
        },
        hints=dict.fromkeys(shares, "Is it the share of the draws of `w1` with that sign?"),
        probabilities=("p_outside", "p_inside", "p_both"),
    )


@exercise("Exercise 6, two variances")
def variance_parts(answer: Any) -> None:
    w0 = torch.randn(3000) + 9
    w1 = -0.8 * (w0 - 9) + 0.3 * torch.randn(3000)
    d = {"w0": w0, "w1": w1, "sigma2": dist.Gamma(5.0, 5.0).sample((3000,))}
    x = torch.tensor([0.0, 1.0, 2.0, 5.0])
    same_function(answer, [call(d, x)], returns=("epistemic", "aleatoric"), tolerance=2e-3)


@exercise("Exercise 7, the logistic model")
def logistic_model(answer: Any) -> None:
    y = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    same_model(answer, [call(torch.randn(7, 2), y), call(torch.randn(5, 2))])


@exercise("Exercise 8, a predictive probability")
def predictive_probability(answer: Any) -> None:
    # Wide draws, so that the mean of the sigmoid and the sigmoid of the mean differ clearly.
    d = {"b": 1 + 2 * torch.randn(400), "w": torch.tensor([1.0, -2.0]) + torch.randn(400, 2)}
    x = torch.randn(6, 2)
    first, second = answer(x, d), answer(x, d)
    if isinstance(first, Tensor) and not torch.equal(first, second):
        fail(
            "you draw 0s and 1s and average them: right in the long run, but noisy.",
            "The probabilities themselves are known: average these.",
        )
    same_function(answer, [call(x, d)], returns=("probability",))
