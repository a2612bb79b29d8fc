"""Day1/3_ice_cream_shop: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from torch.nn.functional import softplus

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import ice_cream_shop as check


def blank(*args, **kwargs):
    raise NotImplementedError


# ------------------------------------------------------------------------- Exercise 1, the shop


def shop(
    alpha=lambda: dist.Normal(50.0, 10.0),
    beta=lambda: dist.Normal(0.0, 2.0),
    mean=lambda: dist.Normal(15.0, 2.0),
    temp=lambda m: dist.Normal(m, 2.0),
    reading=lambda t: dist.Normal(t, 1.0),
    rate=lambda a, b, t, s: softplus(a + b * (t - 20)),
    count=dist.Poisson,
    names=("alpha", "beta", "mean_temp", "temp", "sensor", "sales"),
    observe_sensor=lambda s: s,
    observe_sales=lambda s: s,
):
    def model(sensor, sales=None):
        a = pyro.sample(names[0], alpha())
        b = pyro.sample(names[1], beta())
        m = pyro.sample(names[2], mean())
        with pyro.plate("days", len(sensor)):
            t = pyro.sample(names[3], temp(m))
            pyro.sample(names[4], reading(t), obs=observe_sensor(sensor))
            pyro.sample(names[5], count(rate(a, b, t, sensor)), obs=observe_sales(sales))

    return model


def shop_without_plate(sensor, sales=None):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0).expand([len(sensor)]))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    pyro.sample("sales", dist.Poisson(softplus(alpha + beta * (temp - 20))), obs=sales)


def shop_with_shared_temperature(sensor, sales=None):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
    with pyro.plate("days", len(sensor)):
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
        pyro.sample("sales", dist.Poisson(softplus(alpha + beta * (temp - 20))), obs=sales)


def shop_all_in_plate(sensor, sales=None):
    with pyro.plate("days", len(sensor)):
        alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
        beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
        mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
        pyro.sample("sales", dist.Poisson(softplus(alpha + beta * (temp - 20))), obs=sales)


def shop_by_log1p(sensor, sales=None):
    intercept = pyro.sample("alpha", dist.Normal(torch.tensor(50.0), torch.tensor(10.0)))
    slope = pyro.sample("beta", dist.Normal(0, 2))
    mean = pyro.sample("mean_temp", dist.Normal(15, 2))
    with pyro.plate("day", size=sensor.shape[0]):
        temp = pyro.sample("temp", dist.Normal(mean, 2))
        pyro.sample("sensor", dist.Normal(temp, 1), obs=sensor)
        predictor = intercept + (temp - 20.0) * slope
        rate = torch.nn.Softplus()(predictor)
        pyro.sample("sales", dist.Poisson(rate=rate), obs=sales)


def shop_cut_off(sensor, sales=None):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0)).detach()
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
        pyro.sample("sales", dist.Poisson(softplus(alpha + beta * (temp - 20))), obs=sales)


def shop_with_one_temperature_outside(sensor, sales=None):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    pyro.sample("sales", dist.Poisson(softplus(alpha + beta * (temp - 20))), obs=sales)


def shop_in_two_plates(sensor, sales=None):
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    days = pyro.plate("days", len(sensor))
    with days:
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    with days:
        rate = torch.logaddexp(alpha + beta * (temp - 20), torch.zeros_like(temp))
        pyro.sample("sales", dist.Poisson(rate), obs=sales)


def clamped(a, b, t, s):
    return (a + b * (t - 20)).clamp(min=0.001)


S = check.shop_model
names = ("alpha", "beta", "mean_temp", "temp", "sensor", "sales")
WRONG = [
    Wrong(S, "variance", "you gave the variance", (shop(alpha=lambda: dist.Normal(50.0, 100.0)),)),
    Wrong(
        S, "variance of temp", "you gave the variance", (shop(temp=lambda m: dist.Normal(m, 4.0)),)
    ),
    Wrong(S, "wrong prior", "the mean (loc)", (shop(mean=lambda: dist.Normal(20.0, 2.0)),)),
    Wrong(
        S,
        "reading",
        "true temperature",
        (shop(rate=lambda a, b, t, s: softplus(a + b * (s - 20))),),
    ),
    Wrong(S, "not centred", "temp − 20", (shop(rate=lambda a, b, t, s: softplus(a + b * t)),)),
    Wrong(S, "exp", "log link", (shop(rate=lambda a, b, t, s: (a + b * (t - 20)).exp()),)),
    Wrong(S, "no link", "positive", (shop(rate=lambda a, b, t, s: a + b * (t - 20)),)),
    Wrong(S, "clamp", "no gradient", (shop(rate=clamped),)),
    Wrong(S, "relu", "positive", (shop(rate=lambda a, b, t, s: torch.relu(a + b * (t - 20))),)),
    Wrong(
        S, "abs", "is not its softplus", (shop(rate=lambda a, b, t, s: (a + b * (t - 20)).abs()),)
    ),
    Wrong(
        S, "sign", "sign of the slope", (shop(rate=lambda a, b, t, s: softplus(a - b * (t - 20))),)
    ),
    Wrong(
        S,
        "swapped",
        "the other way round",
        (shop(rate=lambda a, b, t, s: softplus(b + a * (t - 20))),),
    ),
    Wrong(
        S,
        "partial",
        "the *whole* linear",
        (shop(rate=lambda a, b, t, s: a + softplus(b * (t - 20))),),
    ),
    Wrong(S, "normal sales", "discrete", (shop(count=lambda rate: dist.Normal(rate, 1.0)),)),
    Wrong(S, "no obs", "`sales` ignores the data", (shop(observe_sales=lambda s: None),)),
    Wrong(S, "sensor not observed", "`sensor` ignores", (shop(observe_sensor=lambda s: None),)),
    Wrong(S, "wrong obs", "ignores the data", (shop(observe_sales=lambda s: None),)),
    Wrong(
        S,
        "misspelt",
        "nearest is `temperature`",
        (shop(names=(*names[:3], "temperature", *names[4:])),),
    ),
    Wrong(S, "cut off", "gradient in `beta`", (shop_cut_off,)),
    Wrong(S, "no plate at all", "one for each data point", (shop_with_one_temperature_outside,)),
    Wrong(S, "no plate", "no plate says", (shop_without_plate,)),
    Wrong(S, "one temperature", "`temp`", (shop_with_shared_temperature,)),
    Wrong(S, "all in plate", "every data point gets its own", (shop_all_in_plate,)),
    Wrong(S, "blank", "still blank", (blank,)),
]
RIGHT = [
    Right(S, "as given", (shop(),)),
    Right(S, "nn.Softplus and ints", (shop_by_log1p,)),
    Right(S, "the plate twice", (shop_in_two_plates,)),
]

# ------------------------------------------------------------------------ Exercise 2, a warm day

torch.manual_seed(3)
DRAWS = {"alpha": 50 + 2.3 * torch.randn(200_000), "beta": 1 + 1.3 * torch.randn(200_000)}
AT_25 = softplus(DRAWS["alpha"] + 5 * DRAWS["beta"])


def quantiles(values, inside=0.9):
    return values.quantile((1 - inside) / 2), values.quantile((1 + inside) / 2)


LOW, HIGH = quantiles(AT_25)
W = check.warm_day
WRONG += [
    Wrong(W, "swapped", "changed places", (HIGH, LOW, DRAWS)),
    Wrong(W, "95%", "95% interval", (*quantiles(AT_25, 0.95), DRAWS)),
    Wrong(W, "80%", "80% interval", (*quantiles(AT_25, 0.8), DRAWS)),
    Wrong(
        W, "25 times beta", "25 − 20 is 5", (*quantiles(DRAWS["alpha"] + 25 * DRAWS["beta"]), DRAWS)
    ),
    Wrong(W, "alpha alone", "20 degrees", (*quantiles(DRAWS["alpha"]), DRAWS)),
    Wrong(
        W,
        "one sd",
        "one standard deviation",
        (AT_25.mean() - AT_25.std(), AT_25.mean() + AT_25.std(), DRAWS),
    ),
    Wrong(
        W,
        "quantiles of the parameters",
        "Compute the expected sales for each draw",
        tuple(DRAWS["alpha"].quantile(p) + 5 * DRAWS["beta"].quantile(p) for p in (0.05, 0.95))
        + (DRAWS,),
    ),
    Wrong(W, "of the sales", "interval of the sales", (*quantiles(torch.poisson(AT_25)), DRAWS)),
    Wrong(W, "all draws", "a single number", (AT_25, AT_25, DRAWS)),
    Wrong(W, "blank", "still blank", (None, None, DRAWS)),
    Wrong(W, "half blank", "still blank", (LOW, None, DRAWS)),
]
RIGHT += [
    Right(W, "quantiles", (LOW, HIGH, DRAWS)),
    Right(W, "numbers", (LOW.item(), HIGH.item(), DRAWS)),
    Right(W, "numpy", (*np.percentile(AT_25.numpy(), [5, 95]), DRAWS)),
    Right(W, "sorted", (AT_25.sort().values[10_000], AT_25.sort().values[190_000], DRAWS)),
]

# ------------------------------------------------------------------------- Exercise 3, humidity


def humid(
    gamma=lambda: dist.Normal(0.0, 0.5),
    mean=lambda: dist.Normal(80.0, 10.0),
    humidity=lambda m: dist.Normal(m, 8.0),
    reading=lambda h: dist.Normal(h, 4.0),
    rate=lambda a, b, g, t, h: softplus(a + b * (t - 20) + g * (h - 80)),
    name="humidity_sensor",
    observe=lambda h: h,
):
    def model(sensor, humidity_sensor, sales=None):
        a = pyro.sample("alpha", dist.Normal(50.0, 10.0))
        b = pyro.sample("beta", dist.Normal(0.0, 2.0))
        g = pyro.sample("gamma", gamma())
        m = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
        mh = pyro.sample("mean_humidity", mean())
        with pyro.plate("days", len(sensor)):
            t = pyro.sample("temp", dist.Normal(m, 2.0))
            h = pyro.sample("humidity", humidity(mh))
            pyro.sample("sensor", dist.Normal(t, 1.0), obs=sensor)
            pyro.sample(name, reading(h), obs=observe(humidity_sensor))
            pyro.sample("sales", dist.Poisson(rate(a, b, g, t, h)), obs=sales)

    return model


def humid_with_plates_apart(sensor, humidity_sensor, sales=None):
    mean_humidity = pyro.sample("mean_humidity", dist.Normal(80.0, 10.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("hygrometer", len(humidity_sensor)):
        humidity = pyro.sample("humidity", dist.Normal(mean_humidity, 8.0))
        pyro.sample("humidity_sensor", dist.Normal(humidity, 4.0), obs=humidity_sensor)
    with pyro.plate("thermometer", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    with pyro.plate("days", len(sensor)):
        a = gamma * (humidity - 80) + beta * (temp - 20) + alpha
        pyro.sample("sales", dist.Poisson(softplus(a)), obs=sales)


def humid_on_the_reading(sensor, humidity_sensor, sales=None):
    def rate(a, b, g, t, h):
        return softplus(a + b * (t - 20) + g * (humidity_sensor - 80))

    humid(rate=rate)(sensor, humidity_sensor, sales)


def humid_with_data_swapped(sensor, humidity_sensor, sales=None):
    humid()(humidity_sensor, sensor, sales)


H = check.humid_shop_model
WRONG += [
    Wrong(H, "version 1", "does not take the arguments", (shop(),)),
    Wrong(
        H,
        "not centred",
        "gamma multiplies humidity − 80",
        (humid(rate=lambda a, b, g, t, h: softplus(a + b * (t - 20) + g * h)),),
    ),
    Wrong(
        H,
        "nothing centred",
        "beta multiplies temp − 20, and gamma",
        (humid(rate=lambda a, b, g, t, h: softplus(a + b * t + g * h)),),
    ),
    Wrong(
        H,
        "no humidity",
        "does not enter the rate",
        (humid(rate=lambda a, b, g, t, h: softplus(a + b * (t - 20))),),
    ),
    Wrong(
        H,
        "swapped",
        "changed places",
        (humid(rate=lambda a, b, g, t, h: softplus(a + g * (t - 20) + b * (h - 80))),),
    ),
    Wrong(
        H,
        "beta twice",
        "humidity has gamma",
        (humid(rate=lambda a, b, g, t, h: softplus(a + b * (t - 20) + b * (h - 80))),),
    ),
    Wrong(
        H,
        "sign",
        "sign of gamma",
        (humid(rate=lambda a, b, g, t, h: softplus(a + b * (t - 20) - g * (h - 80))),),
    ),
    Wrong(
        H,
        "no link",
        "positive",
        (humid(rate=lambda a, b, g, t, h: a + b * (t - 20) + g * (h - 80)),),
    ),
    Wrong(
        H, "variance", "you gave the variance", (humid(humidity=lambda m: dist.Normal(m, 64.0)),)
    ),
    Wrong(H, "prior of gamma", "`gamma`", (humid(gamma=lambda: dist.Normal(0.0, 2.0)),)),
    Wrong(H, "not observed", "`humidity_sensor` ignores", (humid(observe=lambda h: None),)),
    Wrong(H, "misspelt", "nearest is `humid_sensor`", (humid(name="humid_sensor"),)),
    Wrong(
        H,
        "noise of the thermometer",
        "`humidity_sensor`",
        (humid(reading=lambda h: dist.Normal(h, 1.0)),),
    ),
    Wrong(
        H,
        "reading of the hygrometer",
        "the true humidity",
        (humid_on_the_reading,),
    ),
    Wrong(H, "data swapped", "the data of `humidity_sensor`", (humid_with_data_swapped,)),
    Wrong(H, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(H, "as given", (humid(),)),
    Right(H, "three plates", (humid_with_plates_apart,)),
]

# ---------------------------------------------------------------------- Exercise 4, the weather


def weather(
    step=0.7,
    first=(15.0, 2.0),
    before=lambda latent, readings: latent[-1],
    day=lambda t: t + 1,
    observe=lambda reading: reading,
    keep=lambda latent, value: latent.append(value),
    returns=lambda temps, humidities: (temps, humidities),
    humidity_step=6.0,
):
    def model(sensor, humidity_sensor):
        temps, humidities = [], []
        for t in range(len(sensor)):
            p = dist.Normal(before(temps, sensor[:t]), step) if t else dist.Normal(*first)
            q = (
                dist.Normal(before(humidities, humidity_sensor[:t]), humidity_step)
                if t
                else dist.Normal(80.0, 10.0)
            )
            temp = pyro.sample(f"temp_{day(t)}", p)
            humidity = pyro.sample(f"humidity_{day(t)}", q)
            pyro.sample(f"sensor_{day(t)}", dist.Normal(temp, 1.0), obs=observe(sensor[t]))
            pyro.sample(
                f"humidity_sensor_{day(t)}", dist.Normal(humidity, 4.0), obs=humidity_sensor[t]
            )
            keep(temps, temp)
            keep(humidities, humidity)
        return returns(temps, humidities)

    return model


def weather_of_one_name(sensor, humidity_sensor):
    temps, humidities = [], []
    for t in range(len(sensor)):
        temps.append(pyro.sample("temp", dist.Normal(15.0, 2.0)))
        humidities.append(pyro.sample("humidity", dist.Normal(80.0, 10.0)))
        pyro.sample("sensor", dist.Normal(temps[-1], 1.0), obs=sensor[t])
        pyro.sample("humidity_sensor", dist.Normal(humidities[-1], 4.0), obs=humidity_sensor[t])
    return temps, humidities


def weather_afresh(sensor, humidity_sensor):
    temps, humidities = [], []
    for t in range(len(sensor)):
        temps.append(pyro.sample(f"temp_{t + 1}", dist.Normal(15.0, 2.0)))
        humidities.append(pyro.sample(f"humidity_{t + 1}", dist.Normal(80.0, 10.0)))
        pyro.sample(f"sensor_{t + 1}", dist.Normal(temps[-1], 1.0), obs=sensor[t])
        pyro.sample(
            f"humidity_sensor_{t + 1}", dist.Normal(humidities[-1], 4.0), obs=humidity_sensor[t]
        )
    return temps, humidities


def weather_by_markov(sensor, humidity_sensor):
    temp, temp_sd, humidity, humidity_sd = 15.0, 2.0, 80.0, 10.0
    temps, humidities = [], []
    for t in pyro.markov(range(len(sensor))):
        temp = pyro.sample(f"temp_{t + 1}", dist.Normal(temp, temp_sd))
        humidity = pyro.sample(f"humidity_{t + 1}", dist.Normal(humidity, humidity_sd))
        temp_sd, humidity_sd = 0.7, 6.0
        pyro.sample(f"sensor_{t + 1}", dist.Normal(temp, 1.0), obs=sensor[t])
        pyro.sample(f"humidity_sensor_{t + 1}", dist.Normal(humidity, 4.0), obs=humidity_sensor[t])
        temps.append(temp)
        humidities.append(humidity)
    return temps, humidities


def keep_a_copy(latent, value):
    latent.append(value.detach())


def weather_of_one_day(sensor, humidity_sensor):
    return weather()(sensor[:1], humidity_sensor[:1])


E = check.weather_model
WRONG += [
    Wrong(E, "from zero", "numbered from 1", (weather(day=lambda t: t),)),
    Wrong(
        E,
        "yesterday's reading",
        "yesterday's *reading*",
        (weather(before=lambda latent, readings: readings[-1]),),
    ),
    Wrong(
        E,
        "the first day",
        "depends on the first one",
        (weather(before=lambda latent, readings: latent[0]),),
    ),
    Wrong(E, "afresh", "drawn afresh", (weather_afresh,)),
    Wrong(E, "variance", "you gave the variance", (weather(step=0.49),)),
    Wrong(E, "square root", "`temp_2`", (weather(step=0.7**0.5),)),
    Wrong(E, "step of the sensor", "`temp_2`", (weather(step=1.0),)),
    Wrong(E, "first day", "`temp_1`", (weather(first=(15.0, 0.7)),)),
    Wrong(E, "not observed", "ignores the data", (weather(observe=lambda reading: None),)),
    Wrong(
        E,
        "yesterday's reading of the temperature",
        "yesterday's *reading*",
        (weather(before=lambda latent, r: r[-1] if len(r) and r[0] < 40 else latent[-1]),),
    ),
    Wrong(E, "cut off", "gradient in `temp_1`", (weather(keep=keep_a_copy),)),
    Wrong(E, "return in the loop", "end too early", (weather_of_one_day,)),
    Wrong(E, "one name", "two sites are named `temp`", (weather_of_one_name,)),
    Wrong(
        E,
        "nothing appended",
        "list index out of range",
        (weather(keep=lambda latent, value: None),),
    ),
    Wrong(
        E,
        "prepended",
        "depends on the first one",
        (weather(keep=lambda latent, value: latent.insert(0, value)),),
    ),
    Wrong(
        E,
        "returned in the wrong order",
        "order of the days",
        (weather(returns=lambda t, h: (h, t)),),
    ),
    Wrong(E, "nothing returned", "two lists", (weather(returns=lambda t, h: None),)),
    Wrong(E, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(E, "as given", (weather(),)),
    Right(E, "markov, without if", (weather_by_markov,)),
]

# ------------------------------------------------------------------------ Exercise 5, the filter


def filtered(
    predict=lambda v, s: v + s**2,
    gain=lambda v, r: v / (v + r**2),
    mean=lambda m, y, k: m + k * (y - m),
    variance=lambda v, k, old: (1 - k) * v,
    returns=lambda m, v: (m, v),
):
    def filter_step(m, v, reading, step_sd, noise_sd):
        predicted = predict(v, step_sd)
        k = gain(predicted, noise_sd)
        return returns(mean(m, reading, k), variance(predicted, k, v))

    return filter_step


def filter_by_precision(m, v, reading, step_sd, noise_sd):
    predicted = v + step_sd * step_sd
    precision = 1 / predicted + 1 / noise_sd**2
    return (m / predicted + reading / noise_sd**2) / precision, 1 / precision


def filter_by_weights(mean, variance, reading, step_sd, noise_sd):
    variance = variance + step_sd**2
    total = variance + noise_sd**2
    return [(noise_sd**2 * mean + variance * reading) / total, variance * noise_sd**2 / total]


def filter_without_squares(m, v, reading, step_sd, noise_sd):
    gain = (v + step_sd) / (v + step_sd + noise_sd)
    return m + gain * (reading - m), (1 - gain) * (v + step_sd)


def filter_with_early_gain(m, v, reading, step_sd, noise_sd):
    gain = v / (v + noise_sd**2)
    return m + gain * (reading - m), (1 - gain) * (v + step_sd**2)


def filter_with_fixed_numbers(m, v, reading, step_sd, noise_sd):
    return filtered()(m, v, reading, 0.7, 1.0)


def filter_with_sds_swapped(m, v, reading, step_sd, noise_sd):
    return filtered()(m, v, reading, noise_sd, step_sd)


F = check.filter_step
WRONG += [
    Wrong(F, "no prediction", "predict first", (filtered(predict=lambda v, s: v),)),
    Wrong(F, "adds the sd", "you add step_sd", (filtered(predict=lambda v, s: v + s),)),
    Wrong(
        F, "noise not squared", "noise_sd is squared", (filtered(gain=lambda v, r: v / (v + r)),)
    ),
    Wrong(
        F,
        "gain reversed",
        "a noisier sensor counts less",
        (filtered(gain=lambda v, r: r**2 / (v + r**2)),),
    ),
    Wrong(F, "gain times", "not gain times", (filtered(variance=lambda v, k, old: k * v),)),
    Wrong(
        F,
        "sd returned",
        "return the variance",
        (filtered(variance=lambda v, k, old: ((1 - k) * v) ** 0.5),),
    ),
    Wrong(
        F,
        "variance of the prediction",
        "the reading makes it smaller",
        (filtered(variance=lambda v, k, old: v),),
    ),
    Wrong(
        F,
        "yesterday's variance",
        "*predicted* variance",
        (filtered(variance=lambda v, k, old: (1 - k) * old),),
    ),
    Wrong(F, "away", "*towards* the reading", (filtered(mean=lambda m, y, k: m - k * (y - m)),)),
    Wrong(
        F,
        "correction only",
        "starts from the old one",
        (filtered(mean=lambda m, y, k: k * (y - m)),),
    ),
    Wrong(F, "no squares", "square step_sd", (filter_without_squares,)),
    Wrong(F, "gain too early", "the *predicted* one", (filter_with_early_gain,)),
    Wrong(F, "gain times reading", "the difference", (filtered(mean=lambda m, y, k: m + k * y),)),
    Wrong(F, "fixed numbers", "use the arguments", (filter_with_fixed_numbers,)),
    Wrong(F, "mean stays", "has not moved", (filtered(mean=lambda m, y, k: m),)),
    Wrong(F, "sds swapped", "step_sd and noise_sd", (filter_with_sds_swapped,)),
    Wrong(F, "swapped", "changed places", (filtered(returns=lambda m, v: (v, m)),)),
    Wrong(F, "mean only", "should return 2 values", (filtered(returns=lambda m, v: m),)),
    Wrong(F, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(F, "as given", (filtered(),)),
    Right(F, "by precisions", (filter_by_precision,)),
    Right(F, "by weights", (filter_by_weights,)),
]

# ----------------------------------------------------------------- Exercise 6, the shop over time


def over_time(
    rate=lambda a, b, g, t, h: softplus(a + b * (t - 20) + g * (h - 80)),
    gamma=lambda: dist.Normal(0.0, 0.5),
    of_day=lambda t: t,
    day=lambda t: t + 1,
    observe=lambda s: s,
):
    def model(sensor, humidity_sensor, sales):
        a = pyro.sample("alpha", dist.Normal(50.0, 10.0))
        b = pyro.sample("beta", dist.Normal(0.0, 2.0))
        g = pyro.sample("gamma", gamma())
        temps, humidities = weather()(sensor, humidity_sensor)
        for t in range(len(sales)):
            expected = rate(a, b, g, temps[of_day(t)], humidities[of_day(t)])
            pyro.sample(f"sales_{day(t)}", dist.Poisson(expected), obs=observe(sales[t]))

    return model


def over_time_on_readings(sensor, humidity_sensor, sales):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    weather()(sensor, humidity_sensor)
    for t in range(len(sales)):
        rate = softplus(alpha + beta * (sensor[t] - 20) + gamma * (humidity_sensor[t] - 80))
        pyro.sample(f"sales_{t + 1}", dist.Poisson(rate), obs=sales[t])


def over_time_without_weather(sensor, humidity_sensor, sales):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    for t in range(len(sales)):
        rate = softplus(alpha + beta * (sensor[t] - 20) + gamma * (humidity_sensor[t] - 80))
        pyro.sample(f"sales_{t + 1}", dist.Poisson(rate), obs=sales[t])


def over_time_zipped(sensor, humidity_sensor, sales):
    days = zip(*weather_by_markov(sensor, humidity_sensor), sales, strict=True)
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    for day, (temp, humidity, sold) in enumerate(days, start=1):
        rate = softplus(alpha + beta * (temp - 20) + gamma * (humidity - 80))
        pyro.sample(f"sales_{day}", dist.Poisson(rate), obs=sold)


T = check.shop_in_time
WRONG += [
    Wrong(T, "from zero", "numbered from 1", (over_time(day=lambda t: t),)),
    Wrong(T, "last day", "the last day's weather", (over_time(of_day=lambda t: -1),)),
    Wrong(T, "the day before", "the day's own", (over_time(of_day=lambda t: max(t - 1, 0)),)),
    Wrong(
        T,
        "no humidity",
        "does not enter",
        (over_time(rate=lambda a, b, g, t, h: softplus(a + b * (t - 20))),),
    ),
    Wrong(
        T,
        "not centred",
        "temp − 20, and gamma",
        (over_time(rate=lambda a, b, g, t, h: softplus(a + b * t + g * h)),),
    ),
    Wrong(
        T,
        "no link",
        "positive",
        (over_time(rate=lambda a, b, g, t, h: a + b * (t - 20) + g * (h - 80)),),
    ),
    Wrong(
        T,
        "exp",
        "log link",
        (over_time(rate=lambda a, b, g, t, h: (a + b * (t - 20) + g * (h - 80)).exp()),),
    ),
    Wrong(T, "not observed", "ignores the data", (over_time(observe=lambda s: None),)),
    Wrong(T, "prior", "`gamma`", (over_time(gamma=lambda: dist.Normal(0.0, 2.0)),)),
    Wrong(T, "readings", "the weather's true values", (over_time_on_readings,)),
    Wrong(T, "no weather", "no site named `temp_1`", (over_time_without_weather,)),
    Wrong(T, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(T, "as given", (over_time(),)),
    Right(T, "zip and enumerate", (over_time_zipped,)),
]

# ------------------------------------------------------------------------ Exercise 7, tomorrow


def next_day(
    steps=(0.7, 6.0),
    predictor=lambda d, t, h: d["alpha"] + d["beta"] * (t - 20) + d["gamma"] * (h - 80),
    link=softplus,
    sales=lambda rate: dist.Poisson(rate).sample(),
    returns=lambda rate, sales: (rate, sales),
):
    def tomorrow(draws):
        temp = draws["temp_10"] + steps[0] * torch.randn_like(draws["temp_10"])
        humidity = draws["humidity_10"] + steps[1] * torch.randn_like(draws["humidity_10"])
        rate = link(predictor(draws, temp, humidity))
        return returns(rate, sales(rate))

    return tomorrow


def tomorrow_from_means(draws):
    means = {name: values.mean() for name, values in draws.items()}
    return next_day()(means)


def tomorrow_with_one_change(draws):
    temp = draws["temp_10"] + 0.7 * torch.randn(())
    humidity = draws["humidity_10"] + 6.0 * torch.randn(())
    rate = softplus(draws["alpha"] + draws["beta"] * (temp - 20) + draws["gamma"] * (humidity - 80))
    return rate, torch.poisson(rate)


def tomorrow_from_another_day(draws):
    rate, _ = next_day()(draws)
    _, sales = next_day()(draws)
    return rate, sales


def tomorrow_by_numpy_style(draws):
    noise = torch.randn(2, len(draws["temp_10"]))
    temp, humidity = draws["temp_10"] + 0.7 * noise[0], draws["humidity_10"] + 6 * noise[1]
    rate = softplus(draws["alpha"] + draws["beta"] * (temp - 20) + draws["gamma"] * (humidity - 80))
    return [rate, torch.poisson(rate)]


def mean_of(values):
    return values.mean().expand(len(values))


def next_day_of(change):
    return lambda draws: next_day()(change(draws))


def tomorrow_with_common_change(draws):
    noise = torch.randn_like(draws["temp_10"])
    temp, humidity = draws["temp_10"] + 0.7 * noise, draws["humidity_10"] + 6 * noise
    rate = softplus(draws["alpha"] + draws["beta"] * (temp - 20) + draws["gamma"] * (humidity - 80))
    return rate, torch.poisson(rate)


def tomorrow_seeded(draws):
    pyro.set_rng_seed(0)
    return next_day()(draws)


def normal_sales(rate):
    return dist.Normal(rate, rate.sqrt()).sample()


M = check.tomorrow
WRONG += [
    Wrong(
        M,
        "today's temperature",
        "overnight change of the temperature is missing",
        (next_day(steps=(0.0, 6.0)),),
    ),
    Wrong(
        M,
        "today's humidity",
        "overnight change of the humidity is missing",
        (next_day(steps=(0.7, 0.0)),),
    ),
    Wrong(M, "variance", "takes the standard deviation", (next_day(steps=(0.49, 6.0)),)),
    Wrong(
        M, "variance of humidity", "takes the standard deviation", (next_day(steps=(0.7, 36.0)),)
    ),
    Wrong(M, "sensor noise", "sd of the sensor", (next_day(steps=(1.0, 6.0)),)),
    Wrong(M, "sensor noise of humidity", "sd of the sensor", (next_day(steps=(0.7, 4.0)),)),
    Wrong(
        M,
        "no temperature",
        "its coefficient is beta",
        (next_day(predictor=lambda d, t, h: d["alpha"] + d["gamma"] * (h - 80)),),
    ),
    Wrong(
        M,
        "no humidity",
        "its coefficient is gamma",
        (next_day(predictor=lambda d, t, h: d["alpha"] + d["beta"] * (t - 20)),),
    ),
    Wrong(
        M,
        "not centred",
        "temp − 20",
        (next_day(predictor=lambda d, t, h: d["alpha"] + d["beta"] * t + d["gamma"] * (h - 80)),),
    ),
    Wrong(
        M,
        "humidity not centred",
        "humidity − 80",
        (next_day(predictor=lambda d, t, h: d["alpha"] + d["beta"] * (t - 20) + d["gamma"] * h),),
    ),
    Wrong(M, "no link", "positive", (next_day(link=lambda a: a),)),
    Wrong(M, "rate as sales", "draw from the Poisson", (next_day(sales=lambda rate: rate),)),
    Wrong(
        M,
        "normal sales",
        "not a whole number",
        (next_day(sales=lambda rate: dist.Normal(rate, 1.0).sample()),),
    ),
    Wrong(M, "sales only", "two tensors", (next_day(returns=lambda rate, sales: sales),)),
    Wrong(M, "swapped", "changed places", (next_day(returns=lambda rate, sales: (sales, rate)),)),
    Wrong(M, "from means", "one entry for each draw", (tomorrow_from_means,)),
    Wrong(M, "one change for all", "overnight change", (tomorrow_with_one_change,)),
    Wrong(M, "two tomorrows", "another rate", (tomorrow_from_another_day,)),
    Wrong(
        M, "mean of beta", "own values", (next_day_of(lambda d: d | {"beta": mean_of(d["beta"])}),)
    ),
    Wrong(
        M,
        "means of all coefficients",
        "own values",
        (next_day_of(lambda d: d | {k: mean_of(d[k]) for k in ("alpha", "beta", "gamma")}),),
    ),
    Wrong(M, "shuffled", "own values", (next_day_of(lambda d: d | {"alpha": d["alpha"].flip(0)}),)),
    Wrong(M, "common change", "the same random number", (tomorrow_with_common_change,)),
    Wrong(M, "seed inside", "set the seed", (tomorrow_seeded,)),
    Wrong(M, "normal of the right spread", "not a whole number", (next_day(sales=normal_sales),)),
    Wrong(M, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(M, "as given", (next_day(),)),
    Right(M, "by torch alone", (tomorrow_by_numpy_style,)),
]

# -------------------------------------------------------------- Exercise 8, the expected cost


def cost(rule):
    def expected_cost(stock, sales, too_many, too_few):
        left, short = (stock - sales).clamp(min=0), (sales - stock).clamp(min=0)
        return rule(left, short, too_many, too_few)

    return expected_cost


def cost_by_where(stock, sales, too_many, too_few):
    enough = sales <= stock
    each = torch.where(enough, too_many * (stock - sales), too_few * (sales - stock))
    return each.mean()


def cost_by_loop(stock, sales, too_many, too_few):
    total = sum(max(stock - n, 0) * too_many + max(n - stock, 0) * too_few for n in sales.tolist())
    return total / len(sales)


def cost_by_relu(stock, sales, too_many, too_few):
    difference = stock - sales
    return too_many * difference.relu().mean() + too_few * (-difference).relu().mean()


def cost_at_the_mean(stock, sales, too_many, too_few):
    return cost_by_where(stock, sales.mean(), too_many, too_few)


def cost_without_clamp(stock, sales, too_many, too_few):
    return (too_many * (stock - sales) + too_few * (sales - stock)).mean()


def cost_by_max(stock, sales, too_many, too_few):
    return (too_many * max(stock - sales, 0) + too_few * max(sales - stock, 0)).mean()


C = check.expected_cost
WRONG += [
    Wrong(
        C,
        "prices swapped",
        "two prices",
        (cost(lambda left, short, m, f: (f * left + m * short).mean()),),
    ),
    Wrong(C, "of each draw", "their mean", (cost(lambda left, short, m, f: m * left + f * short),)),
    Wrong(
        C,
        "sum",
        "sum over all draws",
        (cost(lambda left, short, m, f: (m * left + f * short).sum()),),
    ),
    Wrong(
        C,
        "yes or no",
        "*how many*",
        (cost(lambda left, short, m, f: (m * (left > 0) + f * (short > 0)).mean()),),
    ),
    Wrong(C, "at the mean", "average of the costs", (cost_at_the_mean,)),
    Wrong(
        C,
        "left over only",
        "missing portions",
        (cost(lambda left, short, m, f: (m * left).mean()),),
    ),
    Wrong(
        C,
        "missing only",
        "portions left over",
        (cost(lambda left, short, m, f: (f * short).mean()),),
    ),
    Wrong(C, "no clamp", "below 0", (cost_without_clamp,)),
    Wrong(
        C,
        "difference",
        "both costs are added",
        (cost(lambda left, short, m, f: (m * left - f * short).mean()),),
    ),
    Wrong(
        C,
        "squared",
        "nothing is squared",
        (cost(lambda left, short, m, f: (m * left**2 + f * short**2).mean()),),
    ),
    Wrong(
        C,
        "median",
        "the median",
        (cost(lambda left, short, m, f: (m * left + f * short).median()),),
    ),
    Wrong(C, "python's max", "take one number", (cost_by_max,)),
    Wrong(
        C,
        "fixed prices",
        "are fixed",
        (cost(lambda left, short, m, f: (0.5 * left + 2 * short).mean()),),
    ),
    Wrong(C, "no return", "`return`", (cost(lambda left, short, m, f: None),)),
    Wrong(C, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(C, "where", (cost_by_where,)),
    Right(C, "loop", (cost_by_loop,)),
    Right(C, "relu", (cost_by_relu,)),
]

# ------------------------------------------------------------------ Exercise 9, the best stock


def stock_at(probability):
    def best_stock(sales, too_many, too_few):
        return sales.quantile(probability(too_many, too_few), interpolation="higher")

    return best_stock


def stock_by_search(sales, too_many, too_few):
    for k in range(1000):
        if (sales <= k).float().mean() >= too_few / (too_few + too_many):
            return k
    return None


def stock_by_cost(sales, too_many, too_few):
    stocks = range(int(sales.max()) + 1)
    return min(stocks, key=lambda k: cost_by_where(k, sales, too_many, too_few))


def stock_by_sorting(sales, too_many, too_few):
    return sales.sort().values[math.ceil(too_few / (too_few + too_many) * len(sales)) - 1]


def stock_too_strict(sales, too_many, too_few):
    k = 0
    while (sales < k).float().mean() < too_few / (too_few + too_many):
        k += 1
    return k


def stock_as_share(sales, too_many, too_few):
    return (sales <= sales.mean()).float().mean()


def stock_interpolated(sales, too_many, too_few):
    return sales.quantile(too_few / (too_few + too_many))


B = check.best_stock
WRONG += [
    Wrong(B, "prices swapped", "two prices", (stock_at(lambda m, f: m / (m + f)),)),
    Wrong(B, "median", "the median", (stock_at(lambda m, f: 0.5),)),
    Wrong(B, "mean", "the mean", (lambda sales, m, f: sales.mean(),)),
    Wrong(
        B,
        "ratio of prices",
        "too_few / (too_few + too_many)",
        (stock_at(lambda m, f: min(m / f, f / m)),),
    ),
    Wrong(B, "maximum", "largest number", (lambda sales, m, f: sales.max(),)),
    Wrong(B, "probability", "that is a probability", (lambda sales, m, f: f / (m + f),)),
    Wrong(B, "share", "that is a probability", (stock_as_share,)),
    Wrong(B, "one too many", "one portion off", (stock_too_strict,)),
    Wrong(B, "interpolated", "lies between two draws", (stock_interpolated,)),
    Wrong(B, "rounded mean", "the mean", (lambda sales, m, f: sales.mean().round(),)),
    Wrong(B, "fixed prices", "are fixed", (stock_at(lambda m, f: 0.8),)),
    Wrong(B, "one minus the ratio", "both prices", (stock_at(lambda m, f: max(1 - m / f, 0)),)),
    Wrong(B, "for each draw", "a single number", (lambda sales, m, f: sales,)),
    Wrong(B, "no return", "`return`", (lambda sales, m, f: None,)),
    Wrong(B, "not a function", "should be a function", (56,)),
    Wrong(B, "blank", "still blank", (blank,)),
]
RIGHT += [
    Right(B, "as given", (stock_at(lambda m, f: f / (m + f)),)),
    Right(B, "search", (stock_by_search,)),
    Right(B, "least cost", (stock_by_cost,)),
    Right(B, "sorting", (stock_by_sorting,)),
]


@each(WRONG)
def test_wrong_answer_is_caught(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_is_accepted(case, capsys):
    assert_accepted(case, capsys)


def test_enough_answers_for_every_exercise():
    assert_enough(check, WRONG, RIGHT)
