"""Checks of Day1/3_ice_cream_shop, and the models that they compare with.

The models are those of the notebook's formulas; ``tools/ice_cream_nuts.py`` runs NUTS on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor
from torch.nn.functional import softplus

from utils.checks.engine import (
    Twin,
    call,
    close_to,
    exercise,
    fail,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_model

__all__ = [
    "best_stock",
    "expected_cost",
    "filter_step",
    "humid_shop_model",
    "scorecard_within",
    "shop_in_time",
    "shop_model",
    "tomorrow",
    "warm_day",
    "weather_model",
]

Draws = Mapping[str, Tensor]

# ---------------------------------------------------------------------------------- the models


def shop(sensor, sales=None, rate=lambda a, b, t, reading, mean: softplus(a + b * (t - 20))):
    """Version 1: portions sold depend on the true temperature, which a sensor measures."""
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
        pyro.sample("sales", dist.Poisson(rate(alpha, beta, temp, sensor, mean_temp)), obs=sales)


def linear_rate(a, b, g, t, h):
    return softplus(a + b * (t - 20) + g * (h - 80))


def humid_shop(sensor, humidity_sensor, sales=None, rate=linear_rate):
    """Version 2: humidity joins, with a mean, a sensor and a coefficient of its own."""
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    mean_humidity = pyro.sample("mean_humidity", dist.Normal(80.0, 10.0))
    with pyro.plate("days", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        humidity = pyro.sample("humidity", dist.Normal(mean_humidity, 8.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
        pyro.sample("humidity_sensor", dist.Normal(humidity, 4.0), obs=humidity_sensor)
        expected = rate(alpha, beta, gamma, temp, humidity)
        pyro.sample("sales", dist.Poisson(expected), obs=sales)


def yesterday(latent, readings):
    return latent[-1]


def weather(sensor, humidity_sensor, previous=yesterday, previous_humidity=yesterday, first_day=1):
    """Version 3: today's temperature and humidity are yesterday's and a change."""
    temps, humidities = [], []
    for t in range(len(sensor)):
        day = t + first_day
        prior = dist.Normal(15.0, 2.0), dist.Normal(80.0, 10.0)
        if t:
            prior = (
                dist.Normal(previous(temps, sensor[:t]), 0.7),
                dist.Normal(previous_humidity(humidities, humidity_sensor[:t]), 6.0),
            )
        temps.append(pyro.sample(f"temp_{day}", prior[0]))
        humidities.append(pyro.sample(f"humidity_{day}", prior[1]))
        pyro.sample(f"sensor_{day}", dist.Normal(temps[t], 1.0), obs=sensor[t])
        pyro.sample(
            f"humidity_sensor_{day}", dist.Normal(humidities[t], 4.0), obs=humidity_sensor[t]
        )
    return temps, humidities


def shop_over_time(sensor, humidity_sensor, sales, rate=linear_rate, day_of=lambda t: t):
    """Version 4: the weather of version 3, and the sales."""
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    temps, humidities = weather(sensor, humidity_sensor)
    for t in range(len(sales)):
        expected = rate(alpha, beta, gamma, temps[day_of(t)], humidities[day_of(t)])
        pyro.sample(f"sales_{t + 1}", dist.Poisson(expected), obs=sales[t])


def tomorrow_from(draws: Draws, steps=(0.7, 6.0)) -> tuple[Tensor, Tensor]:
    """One draw of tomorrow's expected and actual sales for each draw of the posterior."""
    temp = draws["temp_10"] + steps[0] * torch.randn_like(draws["temp_10"])
    humidity = draws["humidity_10"] + steps[1] * torch.randn_like(draws["humidity_10"])
    rate = linear_rate(draws["alpha"], draws["beta"], draws["gamma"], temp, humidity)
    return rate, torch.poisson(rate)


# ------------------------------------------------------------------------- versions 1 and 2


def _rate_at(predictor: float, answer: Callable, arguments: tuple, site: str) -> Tensor:
    """The rate of the sales where the linear predictor has this value."""
    values = {"alpha": predictor, "beta": 0.0, "gamma": 0.0}
    fixed = {name: torch.tensor(value) for name, value in values.items()}
    with pyro.validation_enabled(False):
        trace = poutine.trace(poutine.condition(answer, data=fixed)).get_trace(*arguments)
    return trace.nodes[site]["fn"].rate


def _reject_wrong_link(answer: Callable, arguments: tuple, site: str) -> None:
    try:
        rate = _rate_at(1.0, answer, arguments, site)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return  # something else is wrong, and same_model finds it
    if torch.allclose(rate, torch.tensor(1.0).exp().to(rate), rtol=1e-3):
        fail(
            "`sales`: exp is the log link, and makes the coefficients mean something else.",
            "The formula says softplus.",
        )
    if torch.allclose(rate, torch.ones_like(rate), rtol=1e-3):
        _reject_unsafe_rate(answer, arguments, site)


def _reject_unsafe_rate(answer: Callable, arguments: tuple, site: str) -> None:
    """Where the linear predictor is negative, the rate must be softplus of it."""
    rate = _rate_at(-3.0, answer, arguments, site)
    expected = softplus(torch.tensor(-3.0))
    if torch.allclose(rate, expected.to(rate), rtol=1e-3):
        return
    if (rate <= 0).any():
        fail(
            "`sales`: where the linear predictor is negative, so is your rate.",
            "A Poisson rate is positive: softplus makes it so.",
        )
    fail(
        "`sales`: where the linear predictor is negative, your rate is not its softplus.",
        "A clamp has no gradient there, and abs turns a decrease into an increase.",
    )


def _same_shop_model(answer, reference, calls, *, twins, site="sales") -> None:
    _reject_wrong_link(answer, calls[0].args, site)
    same_model(answer, reference, calls, twins=twins)
    _reject_unsafe_rate(answer, calls[0].args, site)


@exercise("Exercise 1, the shop")
def shop_model(answer) -> None:
    sensor = torch.tensor([17.0, 18.5, 21.0, 24.0, 19.5])
    sales = torch.tensor([41.0, 55.0, 47.0, 60.0, 52.0])

    def twin(message: str, rate: Callable) -> Twin:
        return Twin(lambda sensor, sales=None: shop(sensor, sales, rate), message)

    _same_shop_model(
        answer,
        shop,
        [call(sensor, sales), call(sensor[:3], sales[:3]), call(sensor[:4])],
        twins=[
            twin(
                "`sales`: beta multiplies temp − 20, so that alpha is the sales at 20 degrees.",
                lambda a, b, t, reading, mean: softplus(a + b * t),
            ),
            twin(
                "`sales` depends on the sensor's reading; customers feel the true temperature.",
                lambda a, b, t, reading, mean: softplus(a + b * (reading - 20)),
            ),
            twin(
                "`sales`: beta multiplies temp − 20, not the distance from the mean temperature.",
                lambda a, b, t, reading, mean: softplus(a + b * (t - mean)),
            ),
            twin(
                "`sales`: beta multiplies temp − 20; 15 is the mean of the prior.",
                lambda a, b, t, reading, mean: softplus(a + b * (t - 15)),
            ),
            twin(
                "`sales`: the sign of the slope is reversed.",
                lambda a, b, t, reading, mean: softplus(a - b * (t - 20)),
            ),
            twin(
                "`sales`: you have alpha and beta the other way round.",
                lambda a, b, t, reading, mean: softplus(b + a * (t - 20)),
            ),
            twin(
                "`sales`: the slope beta is missing.",
                lambda a, b, t, reading, mean: softplus(a + t - 20),
            ),
            twin(
                "`sales`: the intercept alpha is missing.",
                lambda a, b, t, reading, mean: softplus(b * (t - 20)),
            ),
            twin(
                "`sales`: softplus is taken of the *whole* linear predictor, alpha included.",
                lambda a, b, t, reading, mean: a + softplus(b * (t - 20)),
            ),
            twin(
                "`sales`: softplus is taken twice.",
                lambda a, b, t, reading, mean: softplus(softplus(a + b * (t - 20))) + 0 * reading,
            ),
        ],
    )


def _near(value: Any, other: float) -> bool:
    number = isinstance(value, float | int) or (isinstance(value, Tensor) and value.numel() == 1)
    return number and abs(float(value) - other) <= 1


@exercise("Exercise 2, a warm day")
def warm_day(low: Any, high: Any, draws: Draws) -> None:
    alpha, beta = draws["alpha"], draws["beta"]

    def interval(values: Tensor, inside: float = 0.9) -> tuple[float, float]:
        tails = torch.tensor([(1 - inside) / 2, (1 + inside) / 2]).to(values)
        bottom, top = values.quantile(tails).tolist()
        return bottom, top

    expected = softplus(alpha + 5 * beta)
    at_25 = softplus(alpha + 25 * beta)
    at_20 = softplus(alpha)
    right = interval(expected)
    centre, spread = expected.mean().item(), expected.std().item()
    with_noise = interval(torch.poisson(expected))
    near_noise = [k for k, value in enumerate((low, high)) if _near(value, with_noise[k])]
    if near_noise == [0, 1]:
        fail(
            "that is the interval of the sales, the chance of the buyers included.",
            "The question is what we *expect*: no Poisson draws are needed.",
        )
    wrong = {
        "`{}`: the model's predictor is alpha + beta (temp − 20), and 25 − 20 is 5.": interval(
            at_25
        ),
        "`{}`: that is the expected sales on a day of 20 degrees.": interval(at_20),
        "`{}` belongs to a 95% interval; 90% leave 5% on either side.": interval(expected, 0.95),
        "`{}` belongs to an 80% interval; 90% leave 5% on either side.": interval(expected, 0.8),
        "`{}` is one standard deviation from the mean; the interval holds 90%.": (
            centre - spread,
            centre + spread,
        ),
        "`{}`: the parameters' quantiles do not make the quantiles of their sum.\n"
        "  Compute the expected sales for each draw, then take the quantiles.": (
            sum(c * q for c, q in ((1, interval(alpha)[0]), (5, interval(beta)[0]))),
            sum(c * q for c, q in ((1, interval(alpha)[1]), (5, interval(beta)[1]))),
        ),
    }
    for k, (name, value) in enumerate((("low", low), ("high", high))):
        close_to(
            name,
            value,
            right[k],
            tolerance=0.02,
            twins=[
                Twin(right[1 - k], "`low` and `high` have changed places."),
                *(Twin(answer[k], message.format(name)) for message, answer in wrong.items()),
            ],
            hint="Is it a quantile, over the draws, of softplus(alpha + 5 beta)?",
        )


@exercise("Exercise 3, humidity")
def humid_shop_model(answer) -> None:
    sensor = torch.tensor([17.0, 18.5, 21.0, 24.0, 19.5])
    humidity = torch.tensor([70.0, 92.0, 65.0, 88.0, 79.0])
    sales = torch.tensor([41.0, 55.0, 47.0, 60.0, 52.0])

    def twin(message: str, rate: Callable) -> Twin:
        return Twin(
            lambda sensor, humidity_sensor, sales=None: humid_shop(
                sensor, humidity_sensor, sales, rate
            ),
            message,
        )

    _same_shop_model(
        answer,
        humid_shop,
        [
            call(sensor, humidity, sales),
            call(sensor[:3], humidity[:3], sales[:3]),
            call(sensor[:4], humidity[:4]),
        ],
        twins=[
            twin(
                "`sales`: gamma multiplies humidity − 80.",
                lambda a, b, g, t, h: softplus(a + b * (t - 20) + g * h),
            ),
            twin(
                "`sales`: beta multiplies temp − 20.",
                lambda a, b, g, t, h: softplus(a + b * t + g * (h - 80)),
            ),
            twin(
                "`sales`: beta multiplies temp − 20, and gamma humidity − 80.",
                lambda a, b, g, t, h: softplus(a + b * t + g * h),
            ),
            Twin(
                lambda sensor, humidity_sensor, sales=None: humid_shop(
                    sensor,
                    humidity_sensor,
                    sales,
                    lambda a, b, g, t, h: linear_rate(a, b, g, t, humidity_sensor),
                ),
                "`sales` depends on the hygrometer's reading; customers feel the true humidity.",
            ),
            twin(
                "`sales`: the humidity does not enter the rate yet.",
                lambda a, b, g, t, h: softplus(a + b * (t - 20)),
            ),
            twin(
                "`sales`: beta and gamma have changed places.",
                lambda a, b, g, t, h: softplus(a + g * (t - 20) + b * (h - 80)),
            ),
            twin(
                "`sales`: both deviations are multiplied by beta; humidity has gamma.",
                lambda a, b, g, t, h: softplus(a + b * (t - 20) + b * (h - 80)),
            ),
            twin(
                "`sales`: the sign of gamma is reversed.",
                lambda a, b, g, t, h: softplus(a + b * (t - 20) - g * (h - 80)),
            ),
        ],
    )


# ------------------------------------------------------------------------------- version 3


@exercise("Exercise 4, the weather")
def weather_model(answer) -> None:
    sensor = torch.tensor([17.0, 18.5, 21.0, 24.0, 19.5])
    humidity = torch.tensor([70.0, 92.0, 65.0, 88.0, 79.0])

    def twin(message: str, **changes) -> Twin:
        return Twin(lambda *arguments: weather(*arguments, **changes), message)

    def independent_days(sensor, humidity_sensor):
        for t in range(len(sensor)):
            temp = pyro.sample(f"temp_{t + 1}", dist.Normal(15.0, 2.0))
            humidity = pyro.sample(f"humidity_{t + 1}", dist.Normal(80.0, 10.0))
            pyro.sample(f"sensor_{t + 1}", dist.Normal(temp, 1.0), obs=sensor[t])
            pyro.sample(
                f"humidity_sensor_{t + 1}", dist.Normal(humidity, 4.0), obs=humidity_sensor[t]
            )

    same_model(
        answer,
        weather,
        [call(sensor, humidity), call(sensor[:3], humidity[:3])],
        twins=[
            twin(
                "the days are numbered from 1, and range counts from 0.\n"
                "  The sites of the first day are temp_1, humidity_1 and so on.",
                first_day=0,
            ),
            *(
                twin(message, **dict.fromkeys(changed, wrong))
                for changed in (
                    ("previous", "previous_humidity"),
                    ("previous",),
                    ("previous_humidity",),
                )
                for message, wrong in (
                    (
                        "a day depends on yesterday's *reading*; it should on yesterday's true "
                        "value.",
                        lambda latent, readings: readings[-1],
                    ),
                    (
                        "every day depends on the first one; it should depend on the day before.",
                        lambda latent, readings: latent[0],
                    ),
                )
            ),
            Twin(
                independent_days,
                "every day is drawn afresh; from the second day on, yesterday's value is the mean.",
            ),
        ],
    )
    trace = poutine.trace(answer).get_trace(sensor, humidity)
    returned = trace.nodes["_RETURN"]["value"]
    if not isinstance(returned, tuple) or any(len(part) != len(sensor) for part in returned):
        fail(
            "the model should return two lists, with one value for each day.",
            "Append today's `temp` to `temps` and today's `humidity` to `humidities`.",
        )
    temps, humidities = returned
    for name, values in (("temp", temps), ("humidity", humidities)):
        sites = [trace.nodes[f"{name}_{t + 1}"]["value"] for t in range(len(sensor))]
        if not all(torch.equal(value, site) for value, site in zip(values, sites, strict=True)):
            fail(f"the list of the {name} values does not hold the sites in the order of the days.")


def _filter_step(mean, variance, reading, step_sd, noise_sd):
    variance = variance + step_sd**2
    gain = variance / (variance + noise_sd**2)
    return mean + gain * (reading - mean), (1 - gain) * variance


@exercise("Exercise 5, one day of the filter")
def filter_step(answer) -> None:
    def twin(message: str, wrong: Callable) -> Twin:
        def step(mean, variance, reading, step_sd, noise_sd):
            return wrong(mean, variance, reading, step_sd, noise_sd)

        return Twin(step, message)

    def with_gain(gain_of, predict=lambda v, q: v + q**2):
        def step(m, v, y, q, r):
            predicted = predict(v, q)
            gain = gain_of(predicted, r)
            return m + gain * (y - m), (1 - gain) * predicted

        return step

    def right_gain(v, r):
        return v / (v + r**2)

    numbers = [
        torch.tensor(value, dtype=torch.float64, device="cpu") for value in (18.3, 0.6, 21.2)
    ]
    mean, variance, reading = numbers
    same_function(
        answer,
        _filter_step,
        [
            call(mean, variance, reading, 0.7, 1.3),
            call(mean, 4 * variance, reading - 5, step_sd=6.0, noise_sd=4.0),
        ],
        name="filter_step",
        returns=("mean", "variance"),
        twins=[
            twin(
                "the day's change is missing: predict first, which adds step_sd² to the variance.",
                with_gain(right_gain, lambda v, q: v),
            ),
            twin(
                "variances add up: the prediction adds step_sd², and you add step_sd.",
                with_gain(right_gain, lambda v, q: v + q),
            ),
            twin(
                "the gain compares variances: noise_sd is squared in it.",
                with_gain(lambda v, r: v / (v + r)),
            ),
            twin(
                "variances are squares of standard deviations: square step_sd and noise_sd.",
                with_gain(lambda v, r: v / (v + r), lambda v, q: v + q),
            ),
            twin(
                "step_sd and noise_sd have changed places.",
                lambda m, v, y, q, r: _filter_step(m, v, y, r, q),
            ),
            twin(
                "the gain is computed from yesterday's variance; it takes the *predicted* one.",
                lambda m, v, y, q, r: (
                    m + right_gain(v, r) * (y - m),
                    (1 - right_gain(v, r)) * (v + q**2),
                ),
            ),
            twin(
                "the gain multiplies y − m, the difference, not the reading itself.",
                lambda m, v, y, q, r: (
                    m + right_gain(v + q**2, r) * y,
                    _filter_step(m, v, y, q, r)[1],
                ),
            ),
            twin(
                "the numbers 0.7 and 1.0 are fixed: use the arguments step_sd and noise_sd.",
                lambda m, v, y, q, r: _filter_step(m, v, y, 0.7, 1.0),
            ),
            twin(
                "the mean has not moved: the reading pulls it by gain times y − m.",
                lambda m, v, y, q, r: (m, _filter_step(m, v, y, q, r)[1]),
            ),
            twin(
                "the gain has the two variances the other way round: a noisier sensor counts less.",
                with_gain(lambda v, r: r**2 / (v + r**2)),
            ),
            twin(
                "the new variance is (1 − gain) times the predicted one, not gain times.",
                lambda m, v, y, q, r: (
                    _filter_step(m, v, y, q, r)[0],
                    right_gain(v + q**2, r) * (v + q**2),
                ),
            ),
            twin(
                "the second value is a standard deviation; return the variance.",
                lambda m, v, y, q, r: (
                    _filter_step(m, v, y, q, r)[0],
                    _filter_step(m, v, y, q, r)[1] ** 0.5,
                ),
            ),
            twin(
                "the variance is still that of the prediction: the reading makes it smaller.",
                lambda m, v, y, q, r: (_filter_step(m, v, y, q, r)[0], v + q**2),
            ),
            twin(
                "the new variance starts from the *predicted* variance, not from yesterday's.",
                lambda m, v, y, q, r: (
                    _filter_step(m, v, y, q, r)[0],
                    (1 - right_gain(v + q**2, r)) * v,
                ),
            ),
            twin(
                "the correction has the wrong sign: the mean moves *towards* the reading.",
                lambda m, v, y, q, r: (
                    m - right_gain(v + q**2, r) * (y - m),
                    _filter_step(m, v, y, q, r)[1],
                ),
            ),
            twin(
                "gain × reading alone is not the new mean: it starts from the old one.",
                lambda m, v, y, q, r: (
                    right_gain(v + q**2, r) * (y - m),
                    _filter_step(m, v, y, q, r)[1],
                ),
            ),
            twin(
                "mean and variance have changed places.",
                lambda m, v, y, q, r: _filter_step(m, v, y, q, r)[::-1],
            ),
        ],
    )


@exercise("Exercise 6, the shop over time")
def shop_in_time(answer) -> None:
    sensor = torch.tensor([17.0, 18.5, 21.0, 24.0, 19.5])
    humidity = torch.tensor([70.0, 92.0, 65.0, 88.0, 79.0])
    sales = torch.tensor([41.0, 55.0, 47.0, 60.0, 52.0])

    def twin(message: str, **changes) -> Twin:
        return Twin(lambda *arguments: shop_over_time(*arguments, **changes), message)

    def on_readings(sensor, humidity_sensor, sales):
        alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
        beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
        gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
        weather(sensor, humidity_sensor)
        for t in range(len(sales)):
            rate = linear_rate(alpha, beta, gamma, sensor[t], humidity_sensor[t])
            pyro.sample(f"sales_{t + 1}", dist.Poisson(rate), obs=sales[t])

    def zero_based(sensor, humidity_sensor, sales):
        alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
        beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
        gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
        temps, humidities = weather(sensor, humidity_sensor)
        for t in range(len(sales)):
            rate = linear_rate(alpha, beta, gamma, temps[t], humidities[t])
            pyro.sample(f"sales_{t}", dist.Poisson(rate), obs=sales[t])

    _same_shop_model(
        answer,
        shop_over_time,
        [call(sensor, humidity, sales), call(sensor[:3], humidity[:3], sales[:3])],
        site="sales_1",
        twins=[
            Twin(
                on_readings,
                "the sales depend on the readings; customers feel the weather's true values.",
            ),
            Twin(zero_based, "the days are numbered from 1: the first day's sales are sales_1."),
            twin(
                "all sales depend on the last day's weather; those of day t depend on day t's.",
                day_of=lambda t: -1,
            ),
            twin(
                "the sales depend on the weather of the day before; they depend on the day's own.",
                day_of=lambda t: max(t - 1, 0),
            ),
            twin(
                "`sales`: beta multiplies temp − 20, and gamma humidity − 80.",
                rate=lambda a, b, g, t, h: softplus(a + b * t + g * h),
            ),
            twin(
                "`sales`: gamma multiplies humidity − 80.",
                rate=lambda a, b, g, t, h: softplus(a + b * (t - 20) + g * h),
            ),
            twin(
                "`sales`: the humidity does not enter the rate yet.",
                rate=lambda a, b, g, t, h: softplus(a + b * (t - 20)),
            ),
            twin(
                "`sales`: beta and gamma have changed places.",
                rate=lambda a, b, g, t, h: softplus(a + g * (t - 20) + b * (h - 80)),
            ),
        ],
    )


# ---------------------------------------------------------------------------- the decision


@exercise("Exercise 7, tomorrow")
def tomorrow(answer) -> None:
    n = 20_000

    def draw(draws: Draws) -> tuple[Tensor, Tensor]:
        result = answer(dict(draws))
        if not isinstance(result, tuple | list) or len(result) != 2:
            fail("`tomorrow` should return two tensors, `rate` and `sales`.")
        for name, values in zip(("rate", "sales"), result, strict=True):
            if not isinstance(values, Tensor):
                fail(f"`{name}` should be a tensor, not {type(values).__name__}.")
            if values.shape != (n,):
                fail(
                    f"`{name}` should have one entry for each draw, shape ({n},); "
                    f"yours has shape {tuple(values.shape)}.",
                    "A distribution made from n means draws n numbers in one call.",
                )
        return result[0], result[1]

    # All draws alike, so that every spread comes from what `tomorrow` adds.
    def alike(**values: float) -> dict[str, Tensor]:
        base = {"alpha": 900.0, "beta": 0.0, "gamma": 0.0, "temp_10": 22.0, "humidity_10": 70.0}
        return {name: torch.full((n,), value) for name, value in (base | values).items()}

    rate, sales = draw(alike())
    if rate.std() > 1:
        fail("`rate` is the expected number itself. Have `rate` and `sales` changed places?")
    if torch.equal(draw(alike())[1], sales) and not torch.equal(rate, sales):
        fail("it draws the same tomorrow each time.", "Does it set the seed of the random numbers?")
    for coefficient, value, what, centred, shift, sd, wrong in (
        ("beta", 10.0, "temperature", "temp − 20", 2.0, 0.7, {"variance": 0.49, "noise": 1.0}),
        ("gamma", 1.5, "humidity", "humidity − 80", -10.0, 6.0, {"variance": 36.0, "noise": 4.0}),
    ):
        rate, _ = draw(alike(**{coefficient: value}))
        mean, spread = rate.mean().item(), rate.std().item()
        if abs(mean - 900) < 0.5 and spread < 0.1:
            fail(f"`rate`: the {what} does not enter; its coefficient is {coefficient}.")
        _check_step(what, spread / value, sd, wrong)
        if abs(mean - 900 - value * shift) > 1:
            fail(f"`rate`: {coefficient} multiplies {centred}.")
    # Scaled so that both changes move the rate by 42: independent ones add up to 59, equal to 84.
    if draw(alike(beta=60.0, gamma=7.0))[0].std() > 70:
        fail(
            "the temperature and the humidity change by the same random number.",
            "Each has an overnight change of its own.",
        )

    rate, sales = draw(alike())
    if torch.equal(rate, sales):
        fail("`sales` is the expected number itself; draw from the Poisson distribution.")
    if not torch.equal(sales, sales.round()):
        fail("`sales` is not a whole number; the distribution of a count is Poisson.")
    if abs(sales.mean() - rate.mean()) > 1.5 or abs(sales.std() - 30) > 1:
        fail("`sales` does not have the mean and the spread of a Poisson distribution.")
    low, low_sales = draw(alike(alpha=-3.0))
    expected = softplus(torch.tensor(-3.0)).item()
    if abs(low.mean() - expected) > 1e-3 or abs(low_sales.mean() - expected) > 0.01:
        fail("`rate`: a negative predictor occurs, too; softplus keeps the rate positive.")
    # The same tomorrow for expected and actual sales: given the rate, only Poisson noise is left.
    rate, sales = draw(alike(beta=30.0))
    if abs(((sales - rate) / rate.sqrt()).std() - 1) > 0.1:
        fail("`sales` is drawn from another rate than the one that you return.")
    # All draws different: each goes with its own values.
    spread = {"alpha": 900, "beta": 5, "gamma": 1, "temp_10": 1000, "humidity_10": 1000}
    draws = {name: value * (1 + 0.3 * torch.rand(n)) for name, value in spread.items()}
    today = linear_rate(*(draws[name] for name in ("alpha", "beta", "gamma")),
                        draws["temp_10"], draws["humidity_10"])  # fmt: skip
    change = ((0.7 * draws["beta"]) ** 2 + (6 * draws["gamma"]) ** 2).sqrt()
    if ((draw(draws)[0] - today).abs() > 6 * change).any():
        fail(
            "a draw's rate is not computed from that draw's own values.",
            "No means over the draws, and no change of their order.",
        )


def _check_step(what: str, spread: float, right: float, wrong: Mapping[str, float]) -> None:
    """The spread of tomorrow's weather tells by how much it changes overnight."""
    if abs(spread / right - 1) < 0.03:
        return
    if spread < 0.1 * right:
        fail(
            f"the overnight change of the {what} is missing, or the same for all draws.",
            "Draw one for each draw, from a normal around today's value, as the weather model "
            "does.",
        )
    messages = {
        "variance": f"the overnight change of the {what}: Normal takes the standard deviation.",
        "noise": f"the overnight change of the {what} has the sd of the sensor.",
    }
    for mistake, value in wrong.items():
        if abs(spread / value - 1) < 0.03:
            fail(messages[mistake])
    fail(f"the overnight change of the {what} does not have the sd of the weather model.")


def _expected_cost(stock, sales, too_many, too_few):
    left, short = (stock - sales).clamp(min=0), (sales - stock).clamp(min=0)
    return (too_many * left + too_few * short).mean()


@exercise("Exercise 8, the expected cost")
def expected_cost(answer) -> None:
    sales = dist.Poisson(torch.tensor(50.0)).sample((2000,))

    def wrong(rule: Callable) -> Callable:
        def cost(stock, sales, too_many, too_few):
            left, short = (stock - sales).clamp(min=0), (sales - stock).clamp(min=0)
            return rule(left, short, too_many, too_few)

        return cost

    same_function(
        answer,
        _expected_cost,
        [call(stock, sales, 0.5, 2.0) for stock in (45, 60)] + [call(50, sales, 3.0, 1.0)],
        name="expected_cost",
        returns=("cost",),
        twins=[
            Twin(
                wrong(lambda left, short, m, f: (f * left + m * short).mean()),
                "the two prices have changed places.",
            ),
            Twin(
                wrong(lambda left, short, m, f: m * left + f * short),
                "that is the cost of each draw; the expected cost is their mean.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * left + f * short).sum()),
                "that is the sum over all draws; the expected cost is their mean.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * (left > 0) + f * (short > 0)).mean()),
                "the cost grows with *how many* are left over or missing.",
            ),
            Twin(
                lambda stock, sales, too_many, too_few: _expected_cost(
                    stock, sales.mean(), too_many, too_few
                ),
                "that is the cost at the average sales; take the average of the costs.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * left).mean()),
                "missing portions cost something, too.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (f * short).mean()),
                "portions left over cost something, too.",
            ),
            Twin(
                lambda stock, sales, too_many, too_few: (
                    too_many * (stock - sales) + too_few * (sales - stock)
                ).mean(),
                "a shortage is not a negative surplus: neither number may be below 0.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * left - f * short).mean()),
                "both costs are added.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * left**2 + f * short**2).mean()),
                "the cost is proportional to the number of portions; nothing is squared.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * left + f * short).median()),
                "that is the median; the expected cost is the mean.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (m * (left + short) + f * (left + short)).mean()),
                "each portion off costs both prices: .abs() cannot tell left over from missing.",
            ),
            Twin(
                wrong(lambda left, short, m, f: (0.5 * left + 2.0 * short).mean()),
                "the prices 0.5 and 2 are fixed: use the arguments too_many and too_few.",
            ),
        ],
    )


@exercise("Exercise 9, the best stock")
def best_stock(answer) -> None:
    if not callable(answer):
        fail(f"`best_stock` should be a function, not {type(answer).__name__}.")
    tens = torch.arange(10.0, 101.0, 10.0)  # any two draws are ten apart
    skewed = torch.poisson(dist.Gamma(4.0, 0.08).sample((20_001,)))

    for sales, too_many, too_few in ((skewed, 0.5, 2.0), (skewed, 3.0, 1.0), (tens, 7.0, 18.0)):

        def quantile(probability: float, sales=sales) -> float:
            return sales.quantile(probability, interpolation="higher").item()

        p = too_few / (too_few + too_many)
        right = quantile(p)
        value = answer(sales, too_many, too_few)
        number = None
        if isinstance(value, float | int | Tensor) and torch.as_tensor(value).numel() == 1:
            number = float(value)
            if 0 < number < 1:
                fail(
                    "that is a probability; the stock is the number of portions that it belongs to."
                )
            if number != right and number == sales.quantile(p).item():
                fail(
                    f"your quantile lies between two draws ({number:g}).",
                    "The stock is the smallest whole number that is enough.",
                )
        mean = sales.mean().item()
        twins = {
            "the two prices have changed places: if a shortage costs more, stock more.": quantile(
                1 - p
            ),
            "that is the median of the sales, whatever the prices.": sales.median().item(),
            "that is the mean of the sales, whatever the prices.": mean,
            "that is the mean of the sales, whatever the prices": round(mean),
            "that is the largest number of sales.": sales.max().item(),
            "the probability is too_few / (too_few + too_many).": quantile(
                min(too_few / too_many, too_many / too_few)
            ),
            "the probability is too_few / (too_few + too_many), with both prices.": quantile(
                max(1 - too_many / too_few, 0)
            ),
            "the prices are fixed: use the arguments too_many and too_few.": quantile(0.8),
        }
        if number is not None and number in (right - 1, right + 1):
            fail(
                "one portion off: the smallest number that is enough with that probability.",
                "Is the probability that of sales ≤ stock?",
            )
        close_to(
            "best_stock",
            value,
            right,
            tolerance=1e-3,
            twins=[Twin(wrong, message) for message, wrong in twins.items()],
            hint="It is a quantile of the draws, at the probability of the formula.",
        )
