"""Checks of probabilistic_models."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro import poutine
from torch import Tensor

from checks.engine import CheckFailed, call, describe, exercise, fail, same_function, solution
from checks.models import same_guide, same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]


@exercise("your first model")
def temperature_model(answer: Any) -> None:
    reading = torch.tensor(-3.4)
    same_model(answer, [call(reading), call(), call(sensor=reading)])
    for data in ((reading,), ()):
        nodes = poutine.trace(answer).get_trace(*data).nodes
        returned, right = nodes["_RETURN"]["value"], nodes["sensor"]["value"]
        if returned is None:
            fail(
                f"the model is right, but {'' if data else 'without data '}it returns None.",
                "Assign the value of the second pyro.sample to `sensor`.",
            )
        if not isinstance(returned, Tensor) or not torch.equal(returned, right):
            fail("the model is right, but it does not return the value of `sensor`.")


@exercise("the log joint")
def log_joint(answer: Any) -> None:
    calls = [call(*torch.tensor(pair)) for pair in ([14.2, 18.4], [21.0, 17.3])]
    if callable(answer):
        values = [answer(*calls[0].args) for _ in range(2)]
        if all(isinstance(value, Tensor) for value in values) and not torch.equal(*values):
            fail(
                "the value changes from call to call, so some site is still drawn.",
                "Are both sites in the data, and does the trace run the *conditioned* model?",
            )
    hint = "Let the model compute it: is it the log_prob_sum of a run with just these values?"
    same_function(answer, calls, returns=("total",), hint=hint)


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
    reading = call(torch.tensor(18.4))
    pyro.clear_param_store()
    try:
        same_guide(answer, solution("temperature_model"), [reading])
    except CheckFailed as problem:
        if "keeps `mean` positive" in str(problem):
            fail(
                "the parameter `mean` is the standard deviation of your Normal.",
                "Look at the order of its arguments, and at the name of each parameter.",
            )
        raise
    store = pyro.get_param_store()
    for name, start in (("mean", 15.0), ("scale", 1.0)):
        _check_parameter(name, start)
    if extra := sorted(set(store) - {"mean", "scale"}):
        fail(f"the guide has a parameter `{extra[0]}` that is not in the formula.")
    store["mean"], store["scale"] = torch.tensor(3.7), torch.tensor(0.7)
    same_model(answer, [reading, call(torch.tensor(-3.4))])
    nodes = poutine.trace(answer).get_trace(*reading.args).nodes
    returned = nodes["_RETURN"]["value"]
    if not isinstance(returned, dict) or returned.get("temp") is not nodes["temp"]["value"]:
        fail(
            'the guide should return its draw, as the last line `return {"temp": temp}` does.',
            "Does the name `temp` hold what pyro.sample returned?",
        )


def _check_parameter(name: str, start: float) -> None:
    """Fail unless the parameter is there, starts as it should, and can go wherever it may."""
    store = pyro.get_param_store()
    if name not in store:
        fail(
            f"the guide has no parameter named `{name}`; it has {', '.join(sorted(store))}.",
            "The name in quotes is the first argument of pyro.param; each has its own.",
        )
    value = store[name].detach()
    if value.shape or abs(value.item() - start) > 1e-3:
        fail(
            f"`{name}` starts at {describe(value)}; it should start at the number {start:g}.",
            "The initial value is the second argument of pyro.param.",
        )
    leaf, ends = store[name].unconstrained(), []
    for end in (-1e4, 1e4):
        leaf.data.fill_(end)
        ends.append(store[name].item())
    if ends[0] > (0.2 if name == "scale" else -1e3) or ends[1] < 1e3:
        fail(
            f"`{name}` can only lie between {round(ends[0], 3):g} and {ends[1]:g} in the fit.",
            "`mean` may be any number, and `scale` any positive one: look at each constraint.",
        )


@exercise("ten days in a plate")
def days_model(answer: Any) -> None:
    same_model(answer, [call(7, 18 + torch.randn(7)), call(4)])


@exercise("a hierarchical model")
def hierarchical_model(answer: Any) -> None:
    same_model(answer, [call(7, 18 + torch.randn(7)), call(4)])


@exercise("a robust model")
def robust_model(answer: Any) -> None:
    same_model(answer, [call(7, 18 + torch.randn(7)), call(4)])
