"""Checks of probabilistic_models."""

from __future__ import annotations

from typing import Any

import torch

from checks.engine import call, exercise, same_function, solution
from checks.models import same_guide, same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]


@exercise("your first model")
def temperature_model(answer: Any) -> None:
    reading = torch.tensor(-3.4)
    same_model(answer, [call(reading), call(), call(sensor=reading)])


@exercise("the log joint")
def log_joint(answer: Any) -> None:
    calls = [call(*torch.tensor(pair)) for pair in ([14.2, 18.4], [21.0, 17.3])]
    drawn = (
        "the value changes from call to call, so some site is still drawn.",
        "Are both sites in the data, and does the trace run the *conditioned* model?",
    )
    hint = "Let the model compute it: is it the log_prob_sum of a run with just these values?"
    same_function(answer, calls, returns=("total",), hint=hint, if_random=drawn)


@exercise("two normals make a normal")
def normal_posterior(answer: Any) -> None:
    mean, prior_sd, noise_sd = torch.tensor([-4.0, 3.0, 1.7])
    calls = [
        call(mean, prior_sd, torch.tensor(-7.0), noise_sd),
        call(mean + 10, noise_sd, torch.tensor([2.0, 9.0, -1.0]), prior_sd),
    ]
    hint = "The precision 1 / s² is a sum of two, and s² is a factor of the whole mean."
    same_function(answer, calls, returns=("mean", "sd"), hint=hint)


@exercise("your first guide")
def guide(answer: Any) -> None:
    calls = [call(torch.tensor(18.4)), call(torch.tensor(-3.4))]
    same_guide(answer, solution("temperature_model"), calls)


@exercise("ten days in a plate")
def days_model(answer: Any) -> None:
    same_model(answer, [call(7, 18 + torch.randn(7)), call(4)])


@exercise("a hierarchical model")
def hierarchical_model(answer: Any) -> None:
    same_model(answer, [call(7, 18 + torch.randn(7)), call(4)])


@exercise("a robust model")
def robust_model(answer: Any) -> None:
    same_model(answer, [call(7, 18 + torch.randn(7)), call(4)])
