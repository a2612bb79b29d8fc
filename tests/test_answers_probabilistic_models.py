"""Day1/2_probabilistic_models: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import probabilistic_models as check

# --------------------------------------------------------------- Exercise 1, your first model


def temperature(
    temp=lambda: dist.Normal(15.0, 2.0),
    likelihood=lambda temp: dist.Normal(temp, 1.0),
    names=("temp", "sensor"),
    observe=lambda sensor: sensor,
):
    def temperature_model(sensor=None):
        drawn = pyro.sample(names[0], temp())
        return pyro.sample(names[1], likelihood(drawn), obs=observe(sensor))

    return temperature_model


def temp_observed(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0), obs=sensor)
    return pyro.sample("sensor", dist.Normal(temp, 1.0))


def one_site(sensor=None):
    return pyro.sample("sensor", dist.Normal(15.0, 5**0.5), obs=sensor)


def temp_without_pyro(sensor=None):
    temp = dist.Normal(15.0, 2.0).sample()
    return pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def nothing_returned(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def argument_returned(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    return sensor


def temp_returned(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    return temp


def names_equal(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    return pyro.sample("temp", dist.Normal(temp, 1.0), obs=sensor)


def distribution_first(sensor=None):
    temp = pyro.sample(dist.Normal(15.0, 2.0), "temp")
    return pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def data_by_position(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    return pyro.sample("sensor", dist.Normal(temp, 1.0), sensor)


def through_an_error(sensor=None):
    """The same model: the sd from a variance, other names of the variables."""
    truth = pyro.sample("temp", dist.Normal(torch.tensor(15.0), math.sqrt(4)))
    shown = pyro.sample("sensor", dist.Normal(loc=truth, scale=torch.ones(())), obs=sensor)
    return shown


def with_tensors(sensor=None):
    mean, sd, error = torch.tensor([15.0, 2.0, 1.0])
    temp = pyro.sample("temp", dist.Normal(mean, sd))
    return pyro.sample("sensor", dist.Normal(temp, error), obs=sensor)


def blank(*arguments):
    raise NotImplementedError


def with_another_argument(reading=None):
    return temperature()(reading)


T = check.temperature_model
WRONG = [
    Wrong(T, "argument renamed", "unexpected keyword argument 'sensor'", (with_another_argument,)),
    Wrong(T, "variance", "you gave the variance", (temperature(lambda: dist.Normal(15.0, 4.0)),)),
    Wrong(T, "no obs", "ignores the data", (temperature(observe=lambda sensor: None),)),
    Wrong(T, "temp observed", "readings of `sensor`", (temp_observed,)),
    Wrong(T, "capital letter", "nearest is `Temp`", (temperature(names=("Temp", "sensor")),)),
    Wrong(T, "misspelt", "nearest is `senser`", (temperature(names=("temp", "senser")),)),
    Wrong(T, "independent", "does not depend on `temp`",
          (temperature(likelihood=lambda temp: dist.Normal(15.0, 1.0)),)),
    Wrong(T, "15 twice", "adds 15 once more",
          (temperature(likelihood=lambda temp: dist.Normal(15.0 + temp, 1.0)),)),
    Wrong(T, "sds swapped", "changed places",
          (temperature(lambda: dist.Normal(15.0, 1.0), lambda temp: dist.Normal(temp, 2.0)),)),
    Wrong(T, "other sd", "standard deviation (scale)",
          (temperature(lambda: dist.Normal(15.0, 3.0)),)),
    Wrong(T, "uniform", "should be any real number",
          (temperature(lambda: dist.Uniform(5.0, 25.0)),)),
    Wrong(T, "marginal", "no site named `temp`", (one_site,)),
    Wrong(T, "sample without pyro", "no site named `temp`", (temp_without_pyro,)),
    Wrong(T, "no return", "returns None", (nothing_returned,)),
    Wrong(T, "argument returned", "the argument `sensor`", (argument_returned,)),
    Wrong(T, "temp returned", "does not return the value of `sensor`", (temp_returned,)),
    Wrong(T, "one name twice", "two sites are named", (names_equal,)),
    Wrong(T, "name second", "Look at", (distribution_first,)),
    Wrong(T, "always 18", "is observed",
          (temperature(observe=lambda sensor: torch.tensor(18.0)),)),
    Wrong(T, "a number", "a fixed number", (temperature(observe=lambda sensor: 18.0),)),
    Wrong(T, "obs by position", "by name, `obs=`", (data_by_position,)),
    Wrong(T, "called", "is a function", (torch.tensor(18.0),)),
    Wrong(T, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT = [
    Right(T, "as in the solution", (temperature(),)),
    Right(T, "other words", (through_an_error,)),
    Right(T, "with tensors", (with_tensors,)),
]

# ------------------------------------------------------------------- Exercise 2, the log joint

model = temperature()


def by_condition(temp, sensor):
    conditioned = pyro.condition(model, data={"temp": temp, "sensor": sensor})
    return poutine.trace(conditioned).get_trace().log_prob_sum()


def by_condition_and_obs(temp, sensor):
    return poutine.trace(pyro.condition(model, {"temp": temp})).get_trace(sensor).log_prob_sum()


def by_summing_sites(temp, sensor):
    trace = poutine.trace(poutine.condition(model, {"temp": temp})).get_trace(sensor=sensor)
    trace.compute_log_prob()
    return sum(trace.nodes[name]["log_prob"] for name in ("temp", "sensor"))


def only_sensor_conditioned(temp, sensor):
    conditioned = pyro.condition(model, data={"sensor": sensor})
    return poutine.trace(conditioned).get_trace().log_prob_sum()


def only_temp_conditioned(temp, sensor):
    return poutine.trace(pyro.condition(model, data={"temp": temp})).get_trace().log_prob_sum()


def unconditioned(temp, sensor):
    pyro.condition(model, data={"temp": temp, "sensor": sensor})
    return poutine.trace(model).get_trace().log_prob_sum()


def swapped_data(temp, sensor):
    return by_condition(sensor, temp)


def names_misspelt(temp, sensor):
    conditioned = pyro.condition(model, data={"temperature": temp, "sensor": sensor})
    return poutine.trace(conditioned).get_trace().log_prob_sum()


def the_trace(temp, sensor):
    return poutine.trace(pyro.condition(model, {"temp": temp, "sensor": sensor})).get_trace()


def trace_not_run(temp, sensor):
    return poutine.trace(pyro.condition(model, {"temp": temp, "sensor": sensor})).log_prob_sum()


def method_not_called(temp, sensor):
    return the_trace(temp, sensor).log_prob_sum


def numbers_conditioned(temp, sensor):
    return by_condition(temp.item(), sensor.item())


def one_site_only(name):
    def log_joint(temp, sensor):
        trace = the_trace(temp, sensor)
        trace.compute_log_prob()
        return trace.nodes[name]["log_prob"]

    return log_joint


L = check.log_joint
WRONG += [
    Wrong(L, "only sensor", "some site is still drawn", (only_sensor_conditioned,)),
    Wrong(L, "only temp", "some site is still drawn", (only_temp_conditioned,)),
    Wrong(L, "unconditioned", "some site is still drawn", (unconditioned,)),
    Wrong(L, "names misspelt", "some site is still drawn", (names_misspelt,)),
    Wrong(L, "swapped", "changed places", (swapped_data,)),
    Wrong(L, "exp", "its *logarithm*", (lambda temp, sensor: by_condition(temp, sensor).exp(),)),
    Wrong(L, "likelihood only", "of `temp` is missing", (one_site_only("sensor"),)),
    Wrong(L, "prior only", "of `sensor` is missing", (one_site_only("temp"),)),
    Wrong(L, "loss", "sign is reversed", (lambda temp, sensor: -by_condition(temp, sensor),)),
    Wrong(L, "trace", "log_prob_sum()", (the_trace,)),
    Wrong(L, "no get_trace", "Look at", (trace_not_run,)),
    Wrong(L, "method not called", "call it", (method_not_called,)),
    Wrong(L, "numbers for tensors", "Look at", (numbers_conditioned,)),
    Wrong(L, "product of logs", "logarithms are added",
          (lambda temp, sensor: one_site_only("temp")(temp, sensor)
           * one_site_only("sensor")(temp, sensor),)),
    Wrong(L, "none", "end in a `return`", (lambda temp, sensor: None,)),
    Wrong(L, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(L, "condition both", (by_condition,)),
    Right(L, "condition one, observe the other", (by_condition_and_obs,)),
    Right(L, "sum of the sites", (by_summing_sites,)),
]

# ------------------------------------------------------- Exercise 3, Bayes' rule on a grid


def on_grid(density=lambda j, e, s: j / e, evidence=lambda j, s: j.sum() * s):
    def bayes_on_grid(log_joint_on_grid, grid):
        joint, step = log_joint_on_grid.exp(), grid[1] - grid[0]
        total = evidence(joint, step)
        return density(joint, total, step), total

    return bayes_on_grid


def on_grid_of_logs(log_joint_on_grid, grid):
    evidence = log_joint_on_grid.sum() * (grid[1] - grid[0])
    return log_joint_on_grid / evidence, evidence


def on_grid_by_softmax(log_joint_on_grid, grid):
    step = grid[1] - grid[0]
    return log_joint_on_grid.softmax(0), log_joint_on_grid.exp().sum() * step


def on_grid_by_logsumexp(log_joint_on_grid, grid):
    step = grid[1] - grid[0]
    evidence = log_joint_on_grid.logsumexp(0).exp() * step
    return log_joint_on_grid.softmax(0) / step, evidence


def on_grid_by_trapezoids(log_joint_on_grid, grid):
    joint = log_joint_on_grid.exp()
    evidence = torch.trapezoid(joint, grid)
    return joint / evidence, evidence


def on_grid_swapped(log_joint_on_grid, grid):
    return on_grid()(log_joint_on_grid, grid)[::-1]


def on_grid_log_evidence(log_joint_on_grid, grid):
    density, evidence = on_grid()(log_joint_on_grid, grid)
    return density, evidence.log()


B = check.bayes_on_grid
WRONG += [
    Wrong(B, "logs", "holds logarithms", (on_grid_of_logs,)),
    Wrong(B, "no step", "multiplied by `step`", (on_grid(evidence=lambda j, s: j.sum()),)),
    Wrong(B, "softmax", "its *integral* should be 1", (on_grid_by_softmax,)),
    Wrong(B, "joint", "is not divided by it", (on_grid(lambda j, e, s: j),)),
    Wrong(B, "times", "*divided* by the evidence", (on_grid(lambda j, e, s: j * e),)),
    Wrong(B, "minus", "*divided* by the evidence", (on_grid(lambda j, e, s: j - e),)),
    Wrong(B, "mean", "not a mean", (on_grid(evidence=lambda j, s: j.mean()),)),
    Wrong(B, "divided by step", "not divided", (on_grid(evidence=lambda j, s: j.sum() / s),)),
    Wrong(B, "step twice", "its *integral* should be 1", (on_grid(lambda j, e, s: j * s / e),)),
    Wrong(B, "log evidence", "is its logarithm", (on_grid_log_evidence,)),
    Wrong(B, "log density", "logarithm of the density", (on_grid(lambda j, e, s: (j / e).log()),)),
    Wrong(B, "maximum", "maximum of 1", (on_grid(lambda j, e, s: j / j.max()),)),
    Wrong(B, "swapped", "changed places", (on_grid_swapped,)),
    Wrong(B, "not summed", "should be a single number", (on_grid(evidence=lambda j, s: j * s),)),
    Wrong(B, "density alone", "should return 2 values", (lambda lj, grid: lj.softmax(0),)),
    Wrong(B, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(B, "as in the solution", (on_grid(),)),
    Right(B, "softmax and logsumexp", (on_grid_by_logsumexp,)),
    Right(B, "trapezoids", (on_grid_by_trapezoids,)),
]

# ------------------------------------------------ Exercise 4, two normals make a normal


def posterior(
    mean=lambda m0, a, y, b: (m0 * a + y * b) / (a + b),
    sd=lambda a, b: (a + b) ** -0.5,
    weight=lambda sd: 1 / sd**2,
):
    def normal_posterior(prior_mean, prior_sd, reading, noise_sd):
        a, b = weight(prior_sd), weight(noise_sd)
        return mean(prior_mean, a, reading, b), sd(a, b)

    return normal_posterior


def posterior_by_gain(prior_mean, prior_sd, reading, noise_sd):
    gain = prior_sd**2 / (prior_sd**2 + noise_sd**2)
    return prior_mean + gain * (reading - prior_mean), torch.sqrt((1 - gain) * prior_sd**2)


def posterior_by_math(prior_mean, prior_sd, reading, noise_sd):
    variance = 1 / (1 / prior_sd**2 + 1 / noise_sd**2)
    return variance * (prior_mean / prior_sd**2 + reading / noise_sd**2), math.sqrt(variance)


def variances_added(prior_mean, prior_sd, reading, noise_sd):
    variance = prior_sd**2 + noise_sd**2
    return variance * (prior_mean / prior_sd**2 + reading / noise_sd**2), variance**0.5


def variances_added_in_sd(prior_mean, prior_sd, reading, noise_sd):
    mean, _ = posterior_by_math(prior_mean, prior_sd, reading, noise_sd)
    return mean, (prior_sd**2 + noise_sd**2) ** 0.5


def with_precedence_slip(prior_mean, prior_sd, reading, noise_sd):
    precision = 1 / prior_sd**2 + 1 / noise_sd**2
    return prior_mean / prior_sd**2 + reading / noise_sd**2 / precision, precision**-0.5


def posterior_with_carets(prior_mean, prior_sd, reading, noise_sd):
    precision = 1 / prior_sd ^ 2 + 1 / noise_sd ^ 2
    return prior_mean, precision**-0.5


N = check.normal_posterior
WRONG += [
    Wrong(N, "carets", "the square of x is x**2", (posterior_with_carets,)),
    Wrong(N, "variance", "is a variance", (posterior(sd=lambda a, b: 1 / (a + b)),)),
    Wrong(N, "precision", "is the precision", (posterior(sd=lambda a, b: a + b),)),
    Wrong(N, "root precision", "square root of the precision",
          (posterior(sd=lambda a, b: (a + b) ** 0.5),)),
    Wrong(N, "weights swapped", "each other's weight",
          (posterior(lambda m0, a, y, b: (m0 * b + y * a) / (a + b)),)),
    Wrong(N, "plain average", "no plain average", (posterior(lambda m0, a, y, b: (m0 + y) / 2),)),
    Wrong(N, "one over the sd", "one over the *variance*", (posterior(weight=lambda sd: 1 / sd),)),
    Wrong(N, "one over the sd, no root", "one over the *variance*",
          (posterior(weight=lambda sd: 1 / sd, sd=lambda a, b: 1 / (a + b)),)),
    Wrong(N, "no s²", "the factor s² is missing", (posterior(lambda m0, a, y, b: m0 * a + y * b),)),
    Wrong(N, "s for s²", "the factor is s²",
          (posterior(lambda m0, a, y, b: (m0 * a + y * b) / (a + b) ** 0.5),)),
    Wrong(N, "times precision", "multiply by the precision",
          (posterior(lambda m0, a, y, b: (m0 * a + y * b) * (a + b)),)),
    Wrong(N, "variances added", "not the variances", (variances_added,)),
    Wrong(N, "variances added in sd", "not the variances", (variances_added_in_sd,)),
    Wrong(N, "no prior", "the prior is missing",
          (posterior(lambda m0, a, y, b: y * b / (a + b)),)),
    Wrong(N, "no reading", "the reading is missing",
          (posterior(lambda m0, a, y, b: m0 * a / (a + b)),)),
    Wrong(N, "brackets", "your brackets", (with_precedence_slip,)),
    Wrong(N, "no brackets", "your brackets",
          (posterior(lambda m0, a, y, b: m0 * a / (a + b) + y * b),)),
    Wrong(N, "sds added", "not the standard deviations",
          (lambda m0, s0, y, s: (posterior_by_math(m0, s0, y, s)[0], s0 + s),)),
    Wrong(N, "swapped", "changed places", (lambda *a: posterior_by_math(*a)[::-1],)),
    Wrong(N, "mean only", "should return 2 values", (lambda *a: posterior_by_math(*a)[0],)),
    Wrong(N, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(N, "as in the solution", (posterior(),)),
    Right(N, "Kalman gain", (posterior_by_gain,)),
    Right(N, "math.sqrt", (posterior_by_math,)),
]

# ---------------------------------------------------------------- Exercise 5, your first guide


def a_guide(
    q=lambda mean, scale: dist.Normal(mean, scale),
    names=("mean", "scale"),
    site="temp",
    start=(15.0, 1.0),
    constrained=True,
    obs=False,
):
    def guide(sensor=None):
        mean = pyro.param(names[0], torch.tensor(start[0]))
        constraint = constraints.positive if constrained else constraints.real
        scale = pyro.param(names[1], torch.tensor(start[1]), constraint=constraint)
        temp = pyro.sample(site, q(mean, scale), obs=sensor if obs else None)
        return {"temp": temp}

    return guide


def guide_is_the_prior(sensor=None):
    return {"temp": pyro.sample("temp", dist.Normal(15.0, 2.0))}


def guide_samples_sensor(sensor=None):
    draws = a_guide()(sensor)
    pyro.sample("sensor", dist.Normal(draws["temp"], 1.0))
    return draws


def guide_observes_sensor(sensor=None):
    draws = a_guide()(sensor)
    pyro.sample("sensor", dist.Normal(draws["temp"], 1.0), obs=sensor)
    return draws


def guide_with_samples_for_params(sensor=None):
    mean = pyro.sample("mean", dist.Normal(15.0, 2.0))
    scale = pyro.param("scale", torch.tensor(1.0), constraint=constraints.positive)
    return {"temp": pyro.sample("temp", dist.Normal(mean, scale))}


def guide_with_plain_tensors(sensor=None):
    mean, scale = torch.tensor(15.0), torch.tensor(1.0)
    return {"temp": pyro.sample("temp", dist.Normal(mean, scale))}


def guide_with_fixed_scale(sensor=None):
    mean = pyro.param("mean", torch.tensor(15.0))
    return {"temp": pyro.sample("temp", dist.Normal(mean, 1.0))}


def guide_both_positive(sensor=None):
    mean = pyro.param("mean", torch.tensor(15.0), constraint=constraints.positive)
    scale = pyro.param("scale", torch.tensor(1.0), constraint=constraints.positive)
    return {"temp": pyro.sample("temp", dist.Normal(mean, scale))}


def guide_without_draw(sensor=None):
    a_guide()(sensor)
    temp = pyro.param("mean")
    return {"temp": temp}


def guide_with_floats(sensor=None):
    mean = pyro.param("mean", 15.0)
    scale = pyro.param("scale", 1.0, constraint=constraints.positive)
    return {"temp": pyro.sample("temp", dist.Normal(mean, scale))}


def guide_with_whole_numbers(sensor=None):
    mean = pyro.param("mean", torch.tensor(15))
    scale = pyro.param("scale", torch.tensor(1), constraint=constraints.positive)
    return {"temp": pyro.sample("temp", dist.Normal(mean, scale))}


def guide_with_functions(sensor=None):
    """The same guide: initial values from functions, another order, another constraint."""
    scale = pyro.param("scale", lambda: torch.ones(()), constraint=constraints.softplus_positive)
    mean = pyro.param("mean", lambda: torch.tensor(15.0), constraint=constraints.real)
    q = dist.Normal(loc=mean, scale=scale)
    return {"temp": pyro.sample("temp", q)}


def guide_with_one_name(sensor=None):
    mean = pyro.param("mean", torch.tensor(15.0))
    scale = pyro.param("mean", torch.tensor(1.0), constraint=constraints.positive)
    return {"temp": pyro.sample("temp", dist.Normal(mean, scale))}


G = check.guide
WRONG += [
    Wrong(G, "numbers taken out", "`mean` does not reach",
          (a_guide(lambda mean, scale: dist.Normal(mean.item(), scale.item())),)),
    Wrong(G, "detached", "`mean` does not reach",
          (a_guide(lambda mean, scale: dist.Normal(mean.detach(), scale)),)),
    Wrong(G, "one name for both", "Do both have the same name", (guide_with_one_name,)),
    Wrong(G, "no constraint", "keeps `scale` positive", (a_guide(constrained=False),)),
    Wrong(G, "site misspelt", "nearest is `temperature`", (a_guide(site="temperature"),)),
    Wrong(G, "param misspelt", "no parameter named `mean`", (a_guide(names=("loc", "scale")),)),
    Wrong(G, "scale misspelt", "no parameter named `scale`", (a_guide(names=("mean", "sd")),)),
    Wrong(G, "observed", "obs= in the guide", (a_guide(obs=True),)),
    Wrong(G, "prior", "no parameters", (guide_is_the_prior,)),
    Wrong(G, "plain tensors", "no parameters", (guide_with_plain_tensors,)),
    Wrong(G, "sensor sampled", "samples `sensor`, which is observed", (guide_samples_sensor,)),
    Wrong(G, "sensor observed", "samples `sensor`, which is observed", (guide_observes_sensor,)),
    Wrong(G, "sample for param", "a site `mean` that is not", (guide_with_samples_for_params,)),
    Wrong(G, "fixed scale", "no parameter named `scale`", (guide_with_fixed_scale,)),
    Wrong(G, "mean positive", "it needs no constraint", (guide_both_positive,)),
    Wrong(G, "swapped", "changed places", (a_guide(lambda mean, scale: dist.Normal(scale, mean)),)),
    Wrong(G, "exp", "no exp", (a_guide(lambda mean, scale: dist.Normal(mean, scale.exp())),)),
    Wrong(G, "variance", "no square root",
          (a_guide(lambda mean, scale: dist.Normal(mean, scale.sqrt())),)),
    Wrong(G, "prior's sd", "`scale` does not reach",
          (a_guide(lambda mean, scale: dist.Normal(mean, 2.0)),)),
    Wrong(G, "starts at 0", "it should start at 15", (a_guide(start=(0.0, 1.0)),)),
    Wrong(G, "a point", "single point", (a_guide(lambda mean, scale: dist.Delta(mean)),)),
    Wrong(G, "mean returned", "should return its draw", (guide_without_draw,)),
    Wrong(G, "floats", "is a tensor", (guide_with_floats,)),
    Wrong(G, "whole numbers", "with a decimal point", (guide_with_whole_numbers,)),
    Wrong(G, "no argument", "does not take the arguments", (lambda: None,)),
    Wrong(G, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(G, "as in the solution", (a_guide(),)),
    Right(G, "functions, other order", (guide_with_functions,)),
]

# ------------------------------------------------------- Exercise 6, ten days in a plate


def days(
    temp=lambda: dist.Normal(15.0, 2.0),
    likelihood=lambda temp: dist.Normal(temp, 1.0),
    size=lambda n: n,
    observe=lambda sensor: sensor,
    names=("temp", "sensor"),
):
    def days_model(n, sensor=None):
        with pyro.plate("days", size(n)):
            drawn = pyro.sample(names[0], temp())
            pyro.sample(names[1], likelihood(drawn), obs=observe(sensor))

    return days_model


def days_in_a_loop(n, sensor=None):
    for i in pyro.plate("days", n):
        temp = pyro.sample(f"temp_{i}", dist.Normal(15.0, 2.0))
        pyro.sample(
            f"sensor_{i}", dist.Normal(temp, 1.0), obs=None if sensor is None else sensor[i]
        )


def days_one_temp(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", n):
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_sensor_outside(n, sensor=None):
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_without_plate(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0).expand([n]))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_as_vectors(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0).expand([n]).to_event(1))
    pyro.sample("sensor", dist.Normal(temp, 1.0).to_event(1), obs=sensor)


def days_with_range(n, sensor=None):
    with pyro.plate("days", n):
        for i in range(n):
            temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
            pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor[i])


def days_len_of_sensor(n, sensor=None):
    with pyro.plate("days", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_without_with(n, sensor=None):
    pyro.plate("days", n)
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_temp_observed(n, sensor=None):
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(15.0, 2.0), obs=sensor)
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_in_two_plates(n, sensor=None):
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    with pyro.plate("readings", n):
        return pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def days_with_a_name(n, sensor=None):
    plate = pyro.plate("time", size=n)
    with plate:
        temp = pyro.sample("temp", dist.Normal(torch.tensor(15.0), 4**0.5))
    with plate:
        pyro.sample("sensor", dist.Normal(temp, torch.ones(n)), obs=sensor)


D = check.days_model
WRONG += [
    Wrong(D, "loop", "that is a loop", (days_in_a_loop,)),
    Wrong(D, "one temperature", "all days share one `temp`", (days_one_temp,)),
    Wrong(D, "sensor outside", "no plate says", (days_sensor_outside,)),
    Wrong(D, "no plate", "no plate says", (days_without_plate,)),
    Wrong(D, "to_event", "declare them with pyro.plate", (days_as_vectors,)),
    Wrong(D, "ten for n", "from the model's arguments", (days(size=lambda n: 10),)),
    Wrong(D, "no obs", "ignores the data", (days(observe=lambda sensor: None),)),
    Wrong(D, "variance", "you gave the variance", (days(lambda: dist.Normal(15.0, 4.0)),)),
    Wrong(D, "names", "nearest is `temps`", (days(names=("temps", "sensor")),)),
    Wrong(D, "independent", "does not depend on `temp`",
          (days(likelihood=lambda temp: dist.Normal(15.0, 1.0)),)),
    Wrong(D, "average", "not the day's own",
          (days(likelihood=lambda temp: dist.Normal(temp.mean(), 1.0)),)),
    Wrong(D, "sds swapped", "changed places",
          (days(lambda: dist.Normal(15.0, 1.0), lambda temp: dist.Normal(temp, 2.0)),)),
    Wrong(D, "loop in the plate", "two sites are named", (days_with_range,)),
    Wrong(D, "no with", "needs a `with`", (days_without_with,)),
    Wrong(D, "temp observed", "readings of `sensor`", (days_temp_observed,)),
    Wrong(D, "length of nothing", "Look at", (days_len_of_sensor,)),
    Wrong(D, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(D, "as in the solution", (days(),)),
    Right(D, "two plates", (days_in_two_plates,)),
    Right(D, "one plate, twice", (days_with_a_name,)),
]

# ------------------------------------------------------ Exercise 7, a hierarchical model


def hierarchy(
    mean=lambda: dist.Normal(15.0, 2.0),
    temp=lambda m: dist.Normal(m, 2.0),
    likelihood=lambda m, t: dist.Normal(t, 1.0),
    observe=lambda sensor: sensor,
    names=("mean_temp", "temp", "sensor"),
):
    def hierarchical_model(n, sensor=None):
        m = pyro.sample(names[0], mean())
        with pyro.plate("days", n):
            t = pyro.sample(names[1], temp(m))
            pyro.sample(names[2], likelihood(m, t), obs=observe(sensor))

    return hierarchical_model


def hierarchy_all_inside(n, sensor=None):
    with pyro.plate("days", n):
        mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def hierarchy_temp_outside(n, sensor=None):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
    with pyro.plate("days", n):
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def hierarchy_with_param(n, sensor=None):
    mean_temp = pyro.param("mean_temp", torch.tensor(15.0))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def hierarchy_with_one_plate_too_many(n, sensor=None):
    with pyro.plate("mean", 1):
        mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def hierarchy_in_a_loop(n, sensor=None):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    for i in range(n):
        temp = pyro.sample(f"temp_{i}", dist.Normal(mean_temp, 2.0))
        pyro.sample(
            f"sensor_{i}", dist.Normal(temp, 1.0), obs=None if sensor is None else sensor[i]
        )


def hierarchy_in_two_plates(n, sensor=None):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0 * torch.ones(n)))
    with pyro.plate("readings", n):
        return pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


H = check.hierarchical_model
WRONG += [
    Wrong(H, "all inside", "every data point gets its own", (hierarchy_all_inside,)),
    Wrong(H, "temp outside", "all days share one `temp`", (hierarchy_temp_outside,)),
    Wrong(H, "param", "is a pyro.param", (hierarchy_with_param,)),
    Wrong(H, "temp around 15", "its mean is still 15",
          (hierarchy(temp=lambda m: dist.Normal(15.0, 2.0)),)),
    Wrong(H, "15 twice", "adds 15 once more",
          (hierarchy(temp=lambda m: dist.Normal(15.0 + m, 2.0)),)),
    Wrong(H, "sensor of the mean", "reads `mean_temp`",
          (hierarchy(likelihood=lambda m, t: dist.Normal(m, 1.0)),)),
    Wrong(H, "sum", "which contains it already",
          (hierarchy(likelihood=lambda m, t: dist.Normal(m + t, 1.0)),)),
    Wrong(H, "sds swapped", "each other's standard deviation",
          (hierarchy(temp=lambda m: dist.Normal(m, 1.0),
                     likelihood=lambda m, t: dist.Normal(t, 2.0)),)),
    Wrong(H, "variance", "you gave the variance",
          (hierarchy(temp=lambda m: dist.Normal(m, 4.0)),)),
    Wrong(H, "no obs", "ignores the data", (hierarchy(observe=lambda sensor: None),)),
    Wrong(H, "name", "nearest is `mean`", (hierarchy(names=("mean", "temp", "sensor")),)),
    Wrong(H, "old model", "no site named `mean_temp`", (days(),)),
    Wrong(H, "loop", "that is a loop", (hierarchy_in_a_loop,)),
    Wrong(H, "plate of one", "is inside the plate `mean`", (hierarchy_with_one_plate_too_many,)),
    Wrong(H, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(H, "as in the solution", (hierarchy(),)),
    Right(H, "two plates", (hierarchy_in_two_plates,)),
]

# ---------------------------------------------------------- Exercise 8, a robust model


def robust(
    likelihood=lambda t, s: dist.StudentT(3.0, t, s),
    temp=lambda: dist.Normal(15.0, 2.0),
    noise=lambda: dist.LogNormal(0.0, 0.5),
    names=("temp", "noise", "sensor"),
    observe=lambda sensor: sensor,
):
    def robust_model(n, sensor=None):
        t, s = pyro.sample(names[0], temp()), pyro.sample(names[1], noise())
        with pyro.plate("readings", n):
            pyro.sample(names[2], likelihood(t, s), obs=observe(sensor))

    return robust_model


def robust_temp_inside(n, sensor=None):
    noise = pyro.sample("noise", dist.LogNormal(0.0, 0.5))
    with pyro.plate("readings", n):
        temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
        pyro.sample("sensor", dist.StudentT(3.0, temp, noise), obs=sensor)


def robust_without_plate(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    noise = pyro.sample("noise", dist.LogNormal(0.0, 0.5))
    pyro.sample("sensor", dist.StudentT(3.0, temp, noise).expand([n]), obs=sensor)


def robust_with_fixed_noise(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    with pyro.plate("readings", n):
        pyro.sample("sensor", dist.StudentT(3.0, temp, 1.0), obs=sensor)


def robust_by_keywords(n, sensor=None):
    """The same model: keywords, another order, the noise as a transformed normal."""
    log_normal = dist.TransformedDistribution(
        dist.Normal(0.0, 0.5), [dist.transforms.ExpTransform()]
    )
    noise = pyro.sample("noise", log_normal)
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    with pyro.plate("minutes", n):
        pyro.sample("sensor", dist.StudentT(df=3, scale=noise, loc=temp), obs=sensor)


R = check.robust_model
WRONG += [
    Wrong(R, "still normal", "is still normal", (robust(lambda t, s: dist.Normal(t, s)),)),
    Wrong(R, "no df", "the scale is missing", (robust(lambda t, s: dist.StudentT(t.abs(), s)),)),
    Wrong(R, "df last", "wrong order", (robust(lambda t, s: dist.StudentT(t.abs(), s, 3.0)),)),
    Wrong(R, "loc and scale", "wrong order",
          (robust(lambda t, s: dist.StudentT(3.0, s, t.abs())),)),
    Wrong(R, "df and scale", "wrong order", (robust(lambda t, s: dist.StudentT(s, t, 3.0)),)),
    Wrong(R, "squared", "no square.", (robust(lambda t, s: dist.StudentT(3.0, t, s**2)),)),
    Wrong(R, "root", "no square root", (robust(lambda t, s: dist.StudentT(3.0, t, s.sqrt())),)),
    Wrong(R, "fixed scale", "`noise` is not used", (robust(lambda t, s: dist.StudentT(3.0, t)),)),
    Wrong(R, "no noise", "no site named `noise`", (robust_with_fixed_noise,)),
    Wrong(R, "Cauchy", "that is a Cauchy", (robust(lambda t, s: dist.Cauchy(t, s)),)),
    Wrong(R, "df 1", "df = 1", (robust(lambda t, s: dist.StudentT(1.0, t, s)),)),
    Wrong(R, "df 30", "the df of its StudentT", (robust(lambda t, s: dist.StudentT(30.0, t, s)),)),
    Wrong(R, "normal noise", "`noise` should be any positive number",
          (robust(noise=lambda: dist.Normal(1.0, 0.5)),)),
    Wrong(R, "noise 1", "the loc of its LogNormal",
          (robust(noise=lambda: dist.LogNormal(1.0, 0.5)),)),
    Wrong(R, "t prior", "`temp` has the family StudentT",
          (robust(temp=lambda: dist.StudentT(3.0, 15.0, 2.0)),)),
    Wrong(R, "no obs", "ignores the data", (robust(observe=lambda sensor: None),)),
    Wrong(R, "temp inside", "every data point gets its own", (robust_temp_inside,)),
    Wrong(R, "no plate", "no plate says", (robust_without_plate,)),
    Wrong(R, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(R, "as in the solution", (robust(),)),
    Right(R, "keywords, transformed normal", (robust_by_keywords,)),
]


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


def test_enough_answers_for_every_exercise():
    assert_enough(check, WRONG, RIGHT)
