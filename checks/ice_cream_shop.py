"""Checks of ice_cream_shop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor

from checks.engine import call, describe, exercise, fail, need_tensor, same_function
from checks.models import same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]

Draws = Mapping[str, Tensor]


def _days(n: int) -> list[Tensor]:
    """Readings of the thermometer and the hygrometer, and the sales, of n days."""
    sensor, humidity_sensor = [17.0, 18.5, 21.0, 24.0, 19.5], [70.0, 92.0, 65.0, 88.0, 79.0]
    return list(torch.tensor([sensor, humidity_sensor, [41.0, 55.0, 47.0, 60.0, 52.0]])[:, :n])


def _few_sales() -> dict[str, Tensor]:
    """Values at which the linear predictor is about -3, -1 and 1, so that links differ."""
    values = {"alpha": 0.0, "beta": 0.5, "gamma": 0.02, "temp": [14.0, 18.0, 22.0]}
    values["sales"] = [0.0, 0.0, 1.0]
    return {site: torch.tensor(value) for site, value in values.items()}


def _given(model: Callable) -> Callable:
    """The model, called with data and with the values of latent sites by their names."""
    return lambda *data, **latent: poutine.condition(model, data=latent)(*data)


@exercise("the shop")
def shop_model(answer: Any) -> None:
    sensor, _, sales = _days(5)
    same_model(answer, [call(sensor, sales), call(sensor[:3], **_few_sales())], of=_given)


@exercise("the check")
def share_as_regular(answer: Any) -> None:
    rates = torch.linspace(5.0, 80.0, 600)[:, None].expand(600, 8)
    lists = dist.Poisson(rates).sample()
    lists[::3, 1] = lists[::3, 0]  # some are more regular than chance
    lists[::50] = 7.0  # and some quite regular: "at most" counts them
    calls = [call(lists, 1.03 * lists[k]) for k in (40, 301, 560)]
    calls += [call(lists, torch.full((8,), 30.0)), call(lists[::7, :3] / 4, lists[1, 5:])]
    hint = "Compare each list's variance / mean with that of `sales`."
    same_function(answer, calls, returns=("share",), hint=hint)


@exercise("a noise of its own")
def regular_shop_model(answer: Any) -> None:
    sensor, _, sales = _days(5)
    some = torch.tensor([0.2, -3.1, 2.6])
    given = {name: value for name, value in _few_sales().items() if name != "sales"}
    same_model(answer, [call(sensor, sales), call(sensor[:3], sales=some, **given)], of=_given)


@exercise("the weather")
def weather_model(answer: Any) -> None:
    sensor, humidity_sensor, _ = _days(3)
    same_model(answer, [call(sensor, humidity_sensor), call(sensor[:2], humidity_sensor[:2])])


@exercise("tomorrow")
def tomorrow(answer: Any) -> None:
    # Without coefficients the weather does not matter: the rate is softplus(alpha).
    sites = ("alpha", "beta", "gamma", "noise", "temp_10", "humidity_10")
    still = dict.fromkeys(sites, torch.zeros(650))
    still |= {"alpha": torch.linspace(-4.0, 20.0, 13).repeat(50), "noise": torch.full((650,), 2.0)}
    (rate, sales), (_, again) = (_rate_and_sales(answer, still) for _ in range(2))
    right = torch.nn.functional.softplus(still["alpha"].cpu().double())
    if torch.allclose(sales, right, atol=0.51):
        if not torch.allclose(rate, right, atol=1e-3):
            fail("`rate` is the expected number. Have `rate` and `sales` changed places?")
        fail("`sales` is the expected number itself; the noise is missing.")
    if torch.equal(sales, again):
        fail("it draws the same tomorrow each time.", "Does it set the seed of the random numbers?")
    same_function(answer, [call(still)], of=lambda f: lambda d: f(d)[0], returns=("rate",))
    # Rates between 5 and 85, where softplus is a straight line, and no exponential overflows.
    n, k = 7500, torch.arange(7500)
    moving = {
        "alpha": 35 + 10 * torch.rand(n),
        "beta": 4.0 * ((k % 3 != 0) & (k >= 60)),
        "gamma": 0.5 * ((k % 3 != 1) & (k >= 60)),
        "temp_10": 18 + 4 * torch.rand(n),
        "humidity_10": 65 + 30 * torch.rand(n),
        "noise": 1 + 5 * torch.rand(n),
    }
    hint = "Compare with the weather model, which has the changes, and with the rate of version 3."
    same_function(answer, [call(moving)], of=_weather_in_rate, tolerance=0.07, hint=hint)


def _rate_and_sales(tomorrow: Callable, draws: Draws) -> tuple[Tensor, Tensor]:
    """What the answer returns, in double precision: a rate and sales for each draw."""
    result, shape = tomorrow(dict(draws)), draws["alpha"].shape
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail("`tomorrow` should return two tensors, `rate` and `sales`.")
    for name, values in zip(("rate", "sales"), result, strict=True):
        need_tensor(name, values)
        if values.shape != shape:
            fail(
                f"`{name}` should have one entry for each draw, shape {tuple(shape)}; "
                f"yours has shape {tuple(values.shape)}.",
                "A distribution made from n means draws n numbers in one call.",
            )
        if not values.isfinite().all():
            fail(f"`{name}` is not always a finite number.")
    rate, sales = (values.detach().cpu().double() for values in result)
    return rate, sales


def _weather_in_rate(tomorrow: Callable) -> Callable[[Draws], dict[str, Tensor]]:
    """A function of the draws: of which parts the rate is made, by least squares.

    They are alpha, beta (temp - 20) and gamma (humidity - 80), and what is left is the overnight
    changes. Some draws have no beta, some no gamma, and a few have neither.
    """

    def parts_of(draws: Draws) -> dict[str, Tensor]:
        rate, sales = _rate_and_sales(tomorrow, draws)
        values = (values.cpu().double() for values in draws.values())
        alpha, beta, gamma, temp, humidity, sd_of_sales = values
        neither, both = (beta == 0) & (gamma == 0), (beta > 0) & (gamma > 0)
        if not torch.allclose(rate[neither], alpha[neither], atol=1e-3):
            fail(
                "a draw's rate is not computed from that draw's own values.",
                "No means over the draws, and no change of their order.",
            )
        noise = (sales - rate) / sd_of_sales
        if abs(noise.mean()) > 0.06 or abs(noise.std() - 1) > 0.06:
            if torch.equal(sales, sales.round()) and ((sales - rate) / rate.sqrt()).std() > 0.9:
                fail(
                    "`sales` looks like Poisson counts, the chance that failed the check.",
                    "Version 3 has a normal distribution there.",
                )
            fail(
                "`sales` is not normal around the rate that you return,",
                "with the draw's own noise as its standard deviation.",
            )
        terms = [alpha, beta, beta * (temp - 20), gamma, gamma * (humidity - 80)]
        matrix = torch.stack(terms, dim=1)
        factors = torch.linalg.lstsq(matrix, rate[:, None]).solution[:, 0]
        rest, (_, at_20, by_temp, at_80, by_humidity) = rate - matrix @ factors, factors
        sd, humidity_sd = rest[gamma == 0].std() / 4, rest[beta == 0].std() / 0.5
        for what, name, site, factor, change in (
            ("temperature", "beta", "temp_10", by_temp, sd),
            ("humidity", "gamma", "humidity_10", by_humidity, humidity_sd / 3),
        ):
            if abs(factor) < 0.1 and change < 0.1:
                fail(
                    f"`rate`: the {what} does not enter draw by draw; its coefficient is {name}.",
                    f"Each draw starts from its own {site}, and gets a tomorrow of its own.",
                )
            if abs(factor) < 0.1:
                fail(f"`rate`: {name} multiplies the {what}, which starts from the draw's {site}.")
            if change < 0.1:
                fail(
                    f"the overnight change of the {what} is missing, or the same for all draws.",
                    "Draw one for each draw, around today's value, as the weather model does.",
                )
        if rest[both].var() > 1.4 * ((4 * sd) ** 2 + (0.5 * humidity_sd) ** 2):
            fail(
                "the temperature and the humidity change by the same random number.",
                "Each has an overnight change of its own.",
            )
        return {  # in units that make the Monte-Carlo errors alike
            "the overnight change of the temperature": sd,
            "the overnight change of the humidity": humidity_sd / 10,
            "the temperature's part of the rate": torch.stack([at_20 / 3, by_temp]),
            "the humidity's part of the rate": torch.stack([at_80 / 10, by_humidity]),
        }

    return parts_of


@exercise("the best stock")
def best_stock(answer: Any) -> None:
    # Each draw five times, so that a quantile is the same however it is computed.
    sales = torch.poisson(dist.Gamma(4.0, 0.08).sample((201,))).repeat_interleave(5)
    calls = [call(sales, 0.5, 2.0), call(sales, 3.0, 4.0)]
    stock = calls[0].of(answer) if callable(answer) else None
    if isinstance(stock, float | Tensor) and torch.as_tensor(stock).ndim == 0 and 0 < stock < 1:
        fail("that is a probability; the stock is the number of portions that it belongs to.")
    hint = "It is a quantile of the draws, at the probability of the formula."
    same_function(answer, calls, returns=("stock",), hint=hint)
    for too_many, too_few, right in ((1.0, 3.0, 3), (1.0, 4.0, 4), (3.0, 1.0, 1)):
        stock = answer(torch.tensor([2.0, 4.0, 1.0, 3.0]), too_many, too_few)
        if stock != right:
            fail(
                f"for the sales 1, 2, 3, 4 and the fraction {too_few / (too_few + too_many):g} the "
                f"best stock is {right}; yours is {describe(stock)}.",
                "The share only has to *reach* the fraction: count the draws, `sales <= k`.",
                "(`.quantile` goes between them, and rounding does not mend that.)",
            )


@exercise("one day of the filter")
def filter_step(answer: Any) -> None:
    mean, variance, reading = torch.tensor([18.3, 0.6, 21.2], dtype=torch.float64, device="cpu")
    calls = [
        call(mean, variance, reading, 0.7, 1.3),
        call(mean, 4 * variance, reading - 5, step_sd=6.0, noise_sd=4.0),
    ]
    same_function(answer, calls, returns=("mean", "variance"))
