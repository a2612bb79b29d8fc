"""Checks of Day1/2_probabilistic_models."""

from __future__ import annotations

import math
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from torch import Tensor

from utils.checks.engine import (
    Call,
    Twin,
    call,
    exercise,
    fail,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_guide, same_model

__all__ = [
    "bayes_on_grid",
    "days_model",
    "guide",
    "hierarchical_model",
    "log_joint",
    "normal_posterior",
    "robust_model",
    "scorecard_within",
    "temperature_model",
]


def _temperature_model(sensor=None, sensor_mean=lambda temp: temp, temp_sd=2.0, sensor_sd=1.0):
    temp = pyro.sample("temp", dist.Normal(15.0, temp_sd))
    return pyro.sample("sensor", dist.Normal(sensor_mean(temp), sensor_sd), obs=sensor)


def _reject_misplaced_data(answer: Any, c: Call) -> None:
    """Mistakes with obs= that general rules would take for another one."""
    if not callable(answer):
        return
    try:
        nodes = poutine.trace(answer).get_trace(*c.args).nodes
    except TypeError as error:
        if "0-d tensor" in str(error):
            fail("pyro.sample takes data by name, `obs=`, not as its third argument.")
        raise
    for name in ("temp", "mean_temp", "noise"):
        if nodes.get(name, {}).get("is_observed"):
            fail(
                f"`{name}` is observed; the data are readings of `sensor`.", "Which site has obs=?"
            )
    if isinstance(nodes.get("sensor", {}).get("value"), float | int):
        fail("`sensor` is observed with a fixed number.", "obs= takes the function's argument.")


@exercise("Exercise 1, your first model")
def temperature_model(answer) -> None:
    def twin(message, **changes):
        return Twin(lambda sensor=None: _temperature_model(sensor, **changes), message)

    reading = torch.tensor(18.4)
    calls = [call(reading), call(), call(sensor=reading)]
    _reject_misplaced_data(answer, calls[0])
    same_model(
        answer,
        _temperature_model,
        calls,
        twins=[
            twin(
                "`sensor` does not depend on `temp`: its mean is the temperature that was drawn.",
                sensor_mean=lambda temp: 15.0,
            ),
            twin(
                "`sensor` adds 15 once more: its mean is `temp` itself.",
                sensor_mean=lambda temp: temp + 15.0,
            ),
            twin("the two standard deviations have changed places.", temp_sd=1.0, sensor_sd=2.0),
        ],
    )
    trace = poutine.trace(answer).get_trace(reading)
    returned = trace.nodes["_RETURN"]["value"]
    if returned is None:
        fail(
            "the model is right, but it returns None.",
            "Assign the value of the second pyro.sample to `sensor`.",
        )
    with pyro.validation_enabled(False):
        trace = poutine.trace(answer).get_trace()
    if trace.nodes["_RETURN"]["value"] is None:
        fail(
            "the model returns the argument `sensor`, which is None when there are no data.",
            "Assign the value of the second pyro.sample to `sensor`.",
        )
    if trace.nodes["_RETURN"]["value"] is not trace.nodes["sensor"]["value"]:
        fail("the model is right, but it does not return the value of `sensor`.")


def _log_joint(temp: Tensor, sensor: Tensor) -> Tensor:
    return dist.Normal(15.0, 2.0).log_prob(temp) + dist.Normal(temp, 1.0).log_prob(sensor)


@exercise("Exercise 2, the log joint")
def log_joint(answer) -> None:
    calls = [call(*torch.tensor(pair)) for pair in ([14.2, 18.4], [21.0, 17.3])]
    _reject_random(answer, calls[0])
    normal = dist.Normal
    same_function(
        answer,
        _log_joint,
        calls,
        name="log_joint",
        returns=("total",),
        twins=[
            Twin(
                lambda temp, sensor: normal(temp, 1.0).log_prob(sensor),
                "the log density of `temp` is missing: the joint has both sites.",
            ),
            Twin(
                lambda temp, sensor: normal(15.0, 2.0).log_prob(temp),
                "the log density of `sensor` is missing: the joint has both sites.",
            ),
            Twin(
                lambda temp, sensor: _log_joint(temp, sensor).exp(),
                "that is the joint density; its *logarithm* is asked for.",
            ),
            Twin(lambda temp, sensor: -_log_joint(temp, sensor), "the sign is reversed."),
            Twin(
                lambda temp, sensor: _log_joint(sensor, temp),
                "`temp` and `sensor` have changed places in the data.",
            ),
            Twin(
                lambda temp, sensor: (
                    normal(15.0, 2.0).log_prob(temp) * normal(temp, 1.0).log_prob(sensor)
                ),
                "logarithms are added where densities are multiplied.",
            ),
        ],
    )


def _reject_random(answer: Any, c: Call) -> None:
    """The value of a conditioned model does not change from call to call."""
    if not callable(answer):
        fail(f"`log_joint` should be a function, not {type(answer).__name__}.")
    values = [answer(*c.args) for _ in range(3)]
    if isinstance(values[0], poutine.Trace):
        fail("`total` is a whole trace; its method log_prob_sum() returns the number.")
    if callable(values[0]) and not isinstance(values[0], Tensor):
        fail("`total` is a function; call it, to get the number.")
    numbers = [torch.as_tensor(value).detach() for value in values if value is not None]
    if len(numbers) == 3 and any(not torch.equal(numbers[0], n) for n in numbers[1:]):
        fail(
            "the value changes from call to call, so some site is still drawn.",
            "Are both sites in the data, and does the trace run the *conditioned* model?",
        )


def _bayes_on_grid(log_joint: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    joint = log_joint.exp()
    evidence = joint.sum() * (grid[1] - grid[0])
    return joint / evidence, evidence


@exercise("Exercise 3, Bayes' rule on a grid")
def bayes_on_grid(answer) -> None:
    # Neither the reader's grid nor a density that is normalised, or near it, already.
    grid = torch.linspace(-3.0, 4.0, 36)
    log_joint = dist.Normal(1.0, 0.8).log_prob(grid) + dist.Laplace(0.0, 1.0).log_prob(grid) - 0.7
    step = grid[1] - grid[0]
    joint = log_joint.exp()
    density, evidence = _bayes_on_grid(log_joint, grid)

    def twin(wrong_density, wrong_evidence, message):
        return Twin(lambda log_joint, grid: (wrong_density, wrong_evidence), message)

    no_step = "the evidence is an integral: each term of the sum is multiplied by `step`."
    logs = "`log_joint_on_grid` holds logarithms: take .exp() before you sum."
    log_sum = log_joint.sum()
    wrong = [
        twin(evidence, density, "density and evidence have changed places."),
        twin(log_joint / (log_sum * step), log_sum * step, logs),
        twin(log_joint / log_sum, log_sum, logs),
        twin(log_joint / evidence, evidence, "the evidence is right; the density still has logs."),
        twin(joint, evidence, "the evidence is right, but the density is not divided by it."),
        twin(joint * evidence, evidence, "the joint is *divided* by the evidence."),
        twin(joint - evidence, evidence, "the joint is *divided* by the evidence."),
        twin(joint / joint.sum(), joint.sum(), no_step),
        twin(
            joint / joint.sum(),
            evidence,
            "the evidence is right; the density sums to 1, but its *integral* should be 1.",
        ),
        twin(density, joint.sum(), no_step),
        twin(joint / joint.max(), evidence, "the density is scaled to a maximum of 1."),
        twin(joint / joint.mean(), joint.mean(), "the evidence is a sum times `step`, not a mean."),
        twin(density, evidence.log(), "the density is right; `evidence` is its logarithm."),
        twin(density.log(), evidence, "that is the logarithm of the density."),
        twin(
            joint / (joint.sum() / step),
            joint.sum() / step,
            "the sum is *multiplied* by `step`, not divided.",
        ),
    ]
    result = answer(log_joint.clone(), grid.clone())
    if isinstance(result, tuple) and len(result) == 2:
        shapes = [tuple(torch.as_tensor(part).shape) for part in result]
        if shapes == [(36,), (36,)]:
            fail("`evidence` should be a single number; yours has shape (36,).", "Is it a sum?")
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail("`bayes_on_grid` should return 2 values, as its last line does.")
    same_function(
        lambda *arguments: answer(*arguments)[1],
        lambda *arguments: _bayes_on_grid(*arguments)[1],
        [call(log_joint, grid)],
        name="bayes_on_grid",
        returns=("evidence",),
        twins=[
            Twin(lambda *a, t=t: t.answer(*a)[1], t.message)
            for t in wrong
            if not torch.equal(torch.as_tensor(t.answer(0, 0)[1]), evidence)
        ]
        + [
            Twin(lambda *a: joint.mean() * step, "the evidence is a *sum* times `step`."),
            Twin(lambda *a: joint.sum() * step**2, "the sum is multiplied by `step` once."),
            Twin(lambda *a: joint.sum() * 0.02, "use `step`, which comes from the grid."),
            Twin(lambda *a: log_sum.exp() * step, "take .exp() first, and then the sum."),
            Twin(
                lambda *a: (joint * grid).sum() * step, "leave out the grid's values: no mean yet."
            ),
        ],
    )
    same_function(
        answer,
        _bayes_on_grid,
        [call(log_joint, grid)],
        name="bayes_on_grid",
        returns=("density", "evidence"),
        twins=wrong,
    )


def _normal_posterior(prior_mean, prior_sd, reading, noise_sd, power=2, weights=None, spread=-0.5):
    """``power`` turns an sd into what is inverted to a weight."""
    a, b = prior_sd**-power, noise_sd**-power
    u, v = weights(a, b) if weights else (a, b)
    return (u * prior_mean + v * reading) / (u + v), (a + b) ** spread


@exercise("Exercise 4, two normals make a normal")
def normal_posterior(answer) -> None:
    mean, prior_sd, noise_sd = torch.tensor([-4.0, 3.0, 0.7])
    calls = [
        call(mean, prior_sd, torch.tensor(5.0), noise_sd),
        call(mean + 10, noise_sd, torch.tensor([2.0, 9.0, -1.0]), prior_sd),
    ]

    def twin(message, **changes):
        return Twin(lambda *a: _normal_posterior(*a, **changes), message)

    def rule(message, wrong):
        """A wrong answer, made from the right one and the arguments."""
        return Twin(lambda *a: wrong(*_normal_posterior(*a), *a), message)

    variance = "`sd` is a variance: the square root is missing."
    same_function(
        answer,
        _normal_posterior,
        calls,
        name="normal_posterior",
        returns=("mean", "sd"),
        twins=[
            twin(variance, spread=-1),
            twin("`sd` is the precision: one over its square root is the sd.", spread=1),
            twin("`sd` is the square root of the precision; one over that is the sd.", spread=0.5),
            twin(
                "prior and reading have each other's weight: the *more* precise one counts more.",
                weights=lambda a, b: (b, a),
            ),
            twin(
                "the mean is no plain average: the weights are the precisions.",
                weights=lambda a, b: (1.0, 1.0),
            ),
            twin("a precision is one over the *variance*, not over the sd.", power=1),
            twin("a precision is one over the *variance*, not over the sd.", power=1, spread=-1),
            rule("the two values have changed places.", lambda m, s, *a: (s, m)),
            rule(
                "in the mean the factor s² is missing: the weights have to add up to 1.",
                lambda m, s, *a: (m / s**2, s),
            ),
            rule(
                "in the mean the factor is s², and you have s.",
                lambda m, s, *a: (m / s, s),
            ),
            rule(
                "in the mean you multiply by the precision; s² is one over it.",
                lambda m, s, *a: (m / s**4, s),
            ),
            *(
                rule(
                    "the factor s² belongs to the whole sum: look at your brackets.",
                    lambda m, s, mu, prior, y, noise, u=u, v=v: (
                        s ** (2 * u) * mu / prior**2 + s ** (2 * v) * y / noise**2,
                        s,
                    ),
                )
                for u, v in ((0, 1), (1, 0))
            ),
            rule(
                "the precisions add up, not the variances: a posterior is narrower than the prior.",
                lambda m, s, mu, prior, y, noise: (
                    (prior**2 + noise**2) * (mu / prior**2 + y / noise**2),
                    (prior**2 + noise**2) ** 0.5,
                ),
            ),
            rule(
                "`mean` is right, but the precisions add up, not the variances.",
                lambda m, s, mu, prior, y, noise: (m, (prior**2 + noise**2) ** 0.5),
            ),
            rule(
                "`mean` is right, but the precisions add up, not the standard deviations.",
                lambda m, s, mu, prior, y, noise: (m, prior + noise),
            ),
            rule(
                "`mean` is right, but `sd` is that of the prior.",
                lambda m, s, mu, prior, y, noise: (m, prior),
            ),
            rule(
                "the prior is missing from the mean: it has a term μ₀ / σ₀², too.",
                lambda m, s, mu, prior, y, noise: (s**2 * y / noise**2, s),
            ),
            rule(
                "the reading is missing from the mean: it has a term y / σ², too.",
                lambda m, s, mu, prior, y, noise: (s**2 * mu / prior**2, s),
            ),
        ],
    )


def _reject_early(answer: Any, c: Call) -> None:
    """Mistakes that general rules would take for another one."""
    try:
        trace = poutine.trace(answer).get_trace(*c.args)
    except AttributeError as error:
        if "contiguous" in str(error):
            fail("the initial value of a pyro.param is a tensor: torch.tensor(15.0), not 15.0.")
        raise
    except RuntimeError as error:
        if "floating point" in str(error):
            fail("an initial value is a whole number: write 15.0 and 1.0, with a decimal point.")
        raise
    if not {"mean", "scale", "temp"} <= set(trace.nodes):
        return
    q, mean, scale = (trace.nodes[name] for name in ("temp", "mean", "scale"))
    if isinstance(q["fn"], dist.Normal) and mean["type"] == scale["type"] == "param":
        given = [q["fn"].loc.item(), q["fn"].scale.item()]
        params = [mean["value"].item(), scale["value"].item()]
        if given == params[::-1] != params:
            fail("`mean` and `scale` have changed places in the Normal.")


@exercise("Exercise 5, your first guide")
def guide(answer) -> None:
    reading = call(torch.tensor(18.4))
    pyro.clear_param_store()
    _reject_early(answer, reading)
    poutine.trace(answer).get_trace(*reading.args)
    if list(pyro.get_param_store().keys()) == ["mean"]:
        fail(
            "the guide has no parameter named `scale`; it has only `mean`.",
            "Do both have the same name? It is the first argument of pyro.param.",
        )
    same_guide(answer, _temperature_model, [reading])
    store = pyro.get_param_store()
    names = list(store.keys())
    for name in ("mean", "scale"):
        if name not in names:
            fail(
                f"the guide has no parameter named `{name}`; it has {', '.join(sorted(names))}.",
                "The name in quotes is the first argument of pyro.param.",
            )
    if extra := [name for name in names if name not in ("mean", "scale")]:
        fail(f"the guide has a parameter `{extra[0]}` that is not in the formula.")
    if store._constraints["mean"] is not constraints.real:
        fail("`mean` may be any number: it needs no constraint.", "Which parameter is positive?")
    start = {name: store[name].detach().clone() for name in names}
    for name, value in start.items():
        if value.shape:
            fail(f"`{name}` should be a single number; its shape is {tuple(value.shape)}.")
    for name, right in (("mean", 15.0), ("scale", 1.0)):
        if abs(start[name].item() - right) > 1e-3:
            fail(
                f"`{name}` starts at {start[name].item():.3g}; it should start at {right:g}.",
                "The initial value is the second argument of pyro.param.",
            )

    values = {"mean": torch.tensor(3.7), "scale": torch.tensor(2.3)}
    with poutine.substitute(data=values):
        trace = poutine.trace(answer).get_trace(*reading.args)
    q = trace.nodes["temp"]["fn"]
    loc, scale = torch.as_tensor(q.mean).item(), torch.as_tensor(q.stddev).item()
    if not isinstance(q, dist.Normal):
        fail(f"q(temp) should be a Normal; yours is {type(q).__name__}.")
    for name, got, right in (("mean", loc, 3.7), ("scale", scale, 2.3)):
        if math.isclose(got, right, rel_tol=1e-4):
            continue
        if name == "scale" and math.isclose(got, right**0.5, rel_tol=1e-4):
            fail("`scale` is the standard deviation itself: no square root.")
        if name == "scale" and math.isclose(got, math.exp(right), rel_tol=1e-4):
            fail("`scale` is the parameter itself, kept positive by its constraint: no exp.")
        if name == "scale" and math.isclose(got, right**2, rel_tol=1e-4):
            fail("`scale` is the standard deviation itself: no square.")
        fail(f"the Normal of `temp` does not have `{name}` as its {name}.")
    returned = trace.nodes["_RETURN"]["value"]
    if not isinstance(returned, dict) or returned.get("temp") is not trace.nodes["temp"]["value"]:
        fail(
            'the guide should return its draw, as the last line `return {"temp": temp}` does.',
            "Does the name `temp` hold what pyro.sample returned?",
        )


def _days_model(n, sensor=None, sensor_mean=lambda temp: temp, temp_sd=2.0, sensor_sd=1.0):
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(15.0, temp_sd))
        pyro.sample("sensor", dist.Normal(sensor_mean(temp), sensor_sd), obs=sensor)


def _one_temperature(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", n):
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


@exercise("Exercise 6, ten days in a plate")
def days_model(answer) -> None:
    calls = [call(7, 18 + torch.randn(7)), call(4)]
    _reject_misplaced_data(answer, calls[0])
    _reject_loop(answer, calls[0])
    same_model(
        answer,
        _days_model,
        calls,
        twins=[
            Twin(
                _one_temperature,
                "all days share one `temp`: every day has its own, so it belongs inside the plate.",
            ),
            Twin(
                lambda n, sensor=None: _days_model(n, sensor, sensor_mean=lambda temp: 15.0),
                "`sensor` does not depend on `temp`.",
            ),
            Twin(
                lambda n, sensor=None: _days_model(n, sensor, sensor_mean=lambda temp: temp.mean()),
                "`sensor` has the average of all temperatures as its mean, not the day's own.",
            ),
            Twin(
                lambda n, sensor=None: _days_model(n, sensor, temp_sd=1.0, sensor_sd=2.0),
                "the two standard deviations have changed places.",
            ),
        ],
    )


def _reject_loop(answer: Any, c: Call) -> None:
    if not callable(answer):
        return
    nodes = poutine.trace(answer).get_trace(*c.args).nodes
    numbered = [name for name in nodes if name.startswith(("temp_", "sensor_"))]
    if len(numbered) >= 7:
        fail(
            f"there are separate sites such as `{numbered[0]}`: that is a loop over the days.",
            "`with pyro.plate(name, size):` makes one site of them; leave out the indices.",
        )
    sites = [nodes[name] for name in ("temp", "sensor") if name in nodes]
    outside = not any(site["cond_indep_stack"] for site in sites)
    if outside and sites and sites[0]["value"].shape == ():
        fail(
            "no site is inside a plate.",
            "A plate needs a `with` in front, and a block that is indented below it.",
        )


def _hierarchical_model(
    n, sensor=None, temp_mean=lambda mean: mean, sensor_mean=lambda mean, temp: temp, sds=(2, 2, 1)
):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, float(sds[0])))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(temp_mean(mean_temp), float(sds[1])))
        pyro.sample("sensor", dist.Normal(sensor_mean(mean_temp, temp), float(sds[2])), obs=sensor)


def _one_temperature_below_the_mean(n, sensor=None):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
    with pyro.plate("days", n):
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


@exercise("Exercise 7, a hierarchical model")
def hierarchical_model(answer) -> None:
    def twin(message, **changes):
        return Twin(lambda n, sensor=None: _hierarchical_model(n, sensor, **changes), message)

    calls = [call(7, 18 + torch.randn(7)), call(4)]
    _reject_misplaced_data(answer, calls[0])
    _reject_loop(answer, calls[0])
    same_model(
        answer,
        _hierarchical_model,
        calls,
        twins=[
            Twin(
                _one_temperature_below_the_mean,
                "all days share one `temp`: every day has its own, so it belongs inside the plate.",
            ),
            twin(
                "`temp` does not depend on `mean_temp`: its mean is still 15.",
                temp_mean=lambda mean: 15.0,
            ),
            twin(
                "`temp` adds 15 once more: its mean is `mean_temp` itself.",
                temp_mean=lambda mean: mean + 15.0,
            ),
            twin(
                "`sensor` reads `mean_temp`; it should read the day's own `temp`.",
                sensor_mean=lambda mean, temp: mean,
            ),
            twin(
                "`sensor` adds `mean_temp` to `temp`, which contains it already.",
                sensor_mean=lambda mean, temp: mean + temp,
            ),
            twin("`temp` and `sensor` have each other's standard deviation.", sds=(2, 1, 2)),
        ],
    )


def _robust_model(n, sensor=None, likelihood=dist.StudentT, arguments=lambda t, s: (3.0, t, s)):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    noise = pyro.sample("noise", dist.LogNormal(0.0, 0.5))
    with pyro.plate("readings", n):
        pyro.sample("sensor", likelihood(*arguments(temp, noise)), obs=sensor)


@exercise("Exercise 8, a robust model")
def robust_model(answer) -> None:
    def twin(message, arguments, likelihood=dist.StudentT):
        def model(n, sensor=None):
            _robust_model(n, sensor, likelihood, arguments)

        return Twin(model, message)

    order = "the arguments of StudentT are in the wrong order: df, loc, scale."
    calls = [call(7, 18 + torch.randn(7)), call(4)]
    _reject_misplaced_data(answer, calls[0])
    same_model(
        answer,
        _robust_model,
        calls,
        twins=[
            twin(
                "`sensor` is still normal: that is `noise_model`.",
                lambda t, s: (t, s),
                dist.Normal,
            ),
            twin(
                "the first argument of StudentT is df; yours is `temp`, and the scale is missing.",
                lambda t, s: (t.abs(), s),
            ),
            twin(order, lambda t, s: (t.abs(), s, 3.0)),
            twin(order, lambda t, s: (3.0, s, t.abs())),
            twin(order, lambda t, s: (s, t, 3.0)),
            twin("the scale is `noise` itself: no square.", lambda t, s: (3.0, t, s**2)),
            twin("the scale is `noise` itself: no square root.", lambda t, s: (3.0, t, s.sqrt())),
            twin("`noise` is not used: it is the scale.", lambda t, s: (3.0, t, 1.0)),
            twin("that is a Cauchy: its tails are those of df = 1.", lambda t, s: (1.0, t, s)),
            twin("df is not a number of readings: it is 3.", lambda t, s: (2.0, t, s)),
        ],
    )
