# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The ice-cream shop: how many portions for tomorrow?
#
# **After this notebook you will be able to**
#
# - let a model grow, version by version, and say what each version assumes;
# - choose how a rate stays positive, and defend the choice;
# - model what changes from day to day, and keep its correlations in the guide;
# - tell whether an approximate posterior is right, by the exact one beside it;
# - turn a posterior into a decision, and say what a point estimate would have cost.
#
# **Time:** 120 minutes. **Before:** the notebooks *Probability distributions* and *Probabilistic
# models*. You need `pyro.sample`, `obs=`, `pyro.plate`, `inference.fit` and `inference.draw`.
#
# Nine exercises are marked ✏️. The cell after each one checks your answer and gives a hint if
# it is not right yet. Cells build on one another, so solve them in order; if you are stuck, the
# solved notebook is in `solutions/Day1`.

# %% tags=["setup"]
# Find the course: in this folder, in one above it, or (in Colab) in the folder `course`.
import sys
from pathlib import Path

near = [Path("course"), Path(), *Path(globals().get("__vsc_ipynb_file__", "_")).absolute().parents]
sys.path[:0] = found = [str(f.absolute()) for f in near if (f / "utils/start.py").exists()]
assert found, f"The course isn't in {Path.cwd()} or above. In Colab, ask your teacher for its link."
from utils.start import *  # not found? Another "utils" is in the way: restart the kernel

# %% tags=["parameters"]
SEED = 0

# %%
from pyro.infer import Predictive
from pyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal
from torch.nn.functional import softplus

from checks import ice_cream_shop as check
from utils import inference
from utils.data import load_ice_cream, load_ice_cream_posterior
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. Ten days of an ice-cream shop
#
# Every evening the owner of an ice-cream shop must decide how many portions to make for the next
# day. She has kept a list for ten days: the reading of a thermometer in °C (the one of the last
# notebook), the reading of a hygrometer, which measures the relative humidity in per cent, and how
# many portions she sold. She never ran out, so that is also how many her customers asked for. (The
# numbers are made up.)

# %%
days = load_ice_cream()
days.set_index("day")

# %% [markdown]
# We work with tensors. The picture shows sales against temperature, with the straight line that
# has the least squared error.

# %%
sensor, humidity_sensor, sales = (
    torch.tensor(days[column].to_numpy(), dtype=torch.float32)
    for column in ("sensor", "humidity_sensor", "sales")
)
centred = sensor - sensor.mean()
line_slope = ((centred * sales).sum() / (centred**2).sum()).item()
x_line = torch.linspace(17, 23, 50)
plotting.regression(
    {"day": (sensor, sales)},
    x_line,
    lines={"day": sales.mean() + line_slope * (x_line - sensor.mean())},
    xlabel="thermometer (°C)",
    ylabel="portions sold",
    title=f"Each degree more seems to sell {line_slope:.1f} portions more",
)

# %% [markdown]
# A neat line, and it invites a quick answer. But it leaves out what we know:
#
# - the thermometer errs by about one degree, so its reading is not the temperature that customers
#   feel;
# - portions are counted, and who buys one is a matter of chance;
# - there are ten days only, and tomorrow is not one of them.
#
# A probabilistic model says all that. You will write it in four versions, each growing out of the
# ones before: temperature, humidity, time, and the decision.

# %% [markdown]
# ## 2. Version 1: sales depend on the temperature
#
# The temperature part is the model of the last notebook: an unknown mean, one *latent* (unobserved)
# temperature for each day, and a reading of it,
#
# $$\mathrm{mean\_temp} \sim \mathcal{N}(15, 2^2), \qquad
# \text{temp}_i \sim \mathcal{N}(\mathrm{mean\_temp}, 2^2), \qquad
# \text{sensor}_i \sim \mathcal{N}(\text{temp}_i, 1^2),$$
#
# for the days $i = 1, \dots, 10$. Sales are counts, so their distribution is a Poisson
# distribution. Its parameter is the *rate*, the expected number. The rate should rise or fall
# linearly with the temperature, through a *linear predictor*
#
# $$a_i = \alpha + \beta\, (\text{temp}_i - 20).$$
#
# The intercept $\alpha$ is the number of portions that we expect to sell on a day of 20 °C, and the
# slope $\beta$ is how many more one degree brings. (Why minus 20? Without it, $\alpha$ would be the
# sales at 0 °C, a day that nobody has seen; and for whatever error we make in $\beta$, an error
# twenty times as large in $\alpha$ would have to make up.)
#
# ### How does the rate stay positive?
#
# A rate must be positive, and $a_i$ may be negative. A function that turns one into the other is
# called a *link*. Three are in use:
#
# - a *clamp*, $\max(a, 0.001)$;
# - the *exponential*, $e^a$ (its inverse is the logarithm, hence "log link");
# - *softplus*, $\ln(1 + e^a)$.
#
# A fit follows the gradient, and on its way it may try a predictor that is far too low. So look at
# the gradient of $\ln p(\text{sales} = 46)$ at $a = -2$:

# %%
links = {"clamp": lambda a: a.clamp(min=0.001), "exponential": torch.exp, "softplus": softplus}
for name, link in links.items():
    a = torch.tensor(-2.0, requires_grad=True)
    (slope,) = torch.autograd.grad(dist.Poisson(link(a)).log_prob(torch.tensor(46.0)), a)
    print(f"{name:12} gradient at a = -2: {slope:.1f}")

# %% [markdown]
# The clamp has no gradient: a fit that starts there never learns that $a$ is far too low. The other
# two point upwards. They differ in what the coefficients *mean*:

# %%
a = torch.linspace(-4, 8, 200)
rates = {name: link(a) for name, link in links.items()}
plotting.curves(
    {name: (a[rate < 9], rate[rate < 9]) for name, rate in rates.items()},
    xlabel="linear predictor $a$",
    ylabel="rate (portions)",
    title="Softplus is smooth like the exponential and a straight line like the clamp",
)
print(f"softplus(5) = {softplus(torch.tensor(5.0)):.3f},", end=" ")
print(f"softplus(50) = {softplus(torch.tensor(50.0)):.3f}")

# %% [markdown]
# With the exponential, one degree *multiplies* the sales by $e^\beta$. With softplus one degree
# *adds* $\beta$ portions, for above 5 portions softplus is practically the straight line itself. We
# want portions per degree, as in the picture of section 1, so we take softplus:
#
# $$\text{sales}_i \sim \text{Poisson}\bigl(\text{softplus}(a_i)\bigr).$$
#
# The priors say what the owner would say before she has looked at her list: about 50 portions on a
# day of 20 °C, give or take ten; and a degree may change that by a few portions, either way:
#
# $$\alpha \sim \mathcal{N}(50, 10^2), \qquad \beta \sim \mathcal{N}(0, 2^2).$$

# %% [markdown]
# ### ✏️ Exercise 1: the shop
#
# Write version 1. Its sites are `alpha`, `beta`, `mean_temp`, and, for each day, `temp`, `sensor`
# and `sales`. `sensor` and `sales` hold the data; `sales` may be `None`, to draw new ones. The days
# are a plate as large as `sensor`; `days` is a good name for it. (In the formulas $\mathcal{N}(15,
# 2^2)$ shows the variance as the square of the standard deviation, which is what `dist.Normal`
# takes.)
#
# <details><summary>Hint</summary>
#
# Three `pyro.sample`s before the plate, three inside it. The rate is
# `softplus(alpha + ...)` with the day's `temp`, not with its reading. Which two sites have `obs=`?
#
# </details>


# %%
def shop_model(sensor, sales=None):
    ### BEGIN SOLUTION
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
        rate = softplus(alpha + beta * (temp - 20))
        pyro.sample("sales", dist.Poisson(rate), obs=sales)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.shop_model(shop_model)

# %% [markdown]
# The picture of what you wrote: one temperature for each day stands behind both observations.

# %%
plotting.draw_model(shop_model, sensor, sales, labels={"alpha": r"$\alpha$", "beta": r"$\beta$"})
# %% [markdown]
# Is the model sensible before it has seen any sales? Draw ten days of sales from the prior, two
# thousand times (the *prior predictive* distribution). The argument `sensor` only says how many
# days there are: the temperatures are drawn from the prior, too.

# %%
prior = Predictive(shop_model, num_samples=2000, parallel=True)(sensor)
_, ax = plt.subplots()
ax.hist(prior["sales"].flatten().cpu(), bins=range(0, 150, 3), density=True, alpha=0.55)
ax.set_title("Before the data: mostly between 20 and 80 portions a day")
_ = ax.set(xlabel="portions sold in a day, drawn from the prior", ylabel="density")

# %% [markdown]
# That covers what such a shop may sell, and little that is absurd.

# %% [markdown]
# ### The posterior
#
# No closed form exists here: a Poisson likelihood does not fit together with normal priors. We do
# two things.
#
# - **Approximately, now:** `AutoMultivariateNormal`, the guide of the last notebook: a normal
#   distribution with a full covariance matrix over all 13 unknowns ($\alpha$, $\beta$,
#   `mean_temp` and ten temperatures).
# - **Exactly, beforehand:** with *Markov chain Monte Carlo* (MCMC), which draws from the posterior
#   itself, given enough time. The sampler is called NUTS (Hoffman and Gelman 2014). It took a
#   quarter of an hour for the models of this notebook, so the results are stored in `data/`, made
#   by `tools/exact.py`.
#
# Four chains ran from different starting points. Two numbers say whether they can be trusted.
# $\hat{R}$ ("R-hat") compares the differences between the chains with the spread within them, and
# is 1, up to chance, when all chains agree. The *effective sample size* says how many independent
# draws the chains are worth.

# %%
exact, exact_draws = load_ice_cream_posterior()
exact.loc[1].loc[["alpha", "beta", "mean_temp"]].round(4)

# %%
worst_r_hat, least_ess = exact["r_hat"].max(), exact["ess"].min()
print(f"over all quantities: R-hat at most {worst_r_hat:.4f}, ESS at least {least_ess:.0f}")

# %% [markdown]
# With that many independent draws a mean is known to about one hundredth of a standard deviation.
# That is our truth for versions 1 and 2. Now the fit, with every setting in view:

# %%
settings = {
    "steps": 600,
    "learning_rate": 0.7,
    "final_learning_rate": 0.001,
    "particles": 256,
    "max_plate_nesting": 1,
}
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoMultivariateNormal(shop_model)
losses_1 = inference.fit(shop_model, guide, sensor, sales, **settings)
draws_1 = inference.draw(guide, sensor, sales, max_plate_nesting=1)

# %% [markdown]
# For comparison a *mean-field* guide, which treats all unknowns as independent.
# `AutoDiagonalNormal` is such a normal, like the `AutoNormal` of the last notebook, but written as
# one vector.

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoDiagonalNormal(shop_model)
losses_1_mean_field = inference.fit(shop_model, guide, sensor, sales, **settings)
mean_field_1 = inference.draw(guide, sensor, sales, max_plate_nesting=1)

plotting.elbo_curve(
    {"full covariance": losses_1, "mean-field": losses_1_mean_field},
    title="Both have settled; mean-field at a lower ELBO",
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.4))
for ax, name, xlabel, title in (
    (axes[0], "beta", r"$\beta$ (portions per °C)", "Both guides come close for the slope"),
    (axes[1], "mean_temp", "mean_temp (°C)", "Mean-field is too sure of the mean temperature"),
):
    plotting.densities(
        {"full covariance": draws_1[name], "mean-field": mean_field_1[name]},
        exact=exact_draws[f"{name} | version 1"],
        marks={"no effect": 0.0} if name == "beta" else None,
        xlabel=xlabel,
        title=title,
        ax=ax,
    )

# %% [markdown]
# (The small kinks of the exact curves come from drawing them from 4,000 stored draws.) The ratios
# of the standard deviations tell how close the guides are:

# %%
pd.DataFrame(
    {
        name: {
            "exact sd": exact.loc[1, name]["sd"],
            "full covariance / exact": draws_1[name].std().item() / exact.loc[1, name]["sd"],
            "mean-field / exact": mean_field_1[name].std().item() / exact.loc[1, name]["sd"],
        }
        for name in ("alpha", "beta", "mean_temp")
    }
).T.round(3)

# %% [markdown]
# The full covariance is off by a few per cent, most of all for $\beta$. More steps would not mend
# that, for the ELBO is flat: the guide is a normal, and the posterior is not quite one. $\beta$
# multiplies a temperature that is itself unknown, and such products have heavier tails.
#
# Mean-field is also too sure of the mean temperature. It treats that as independent of the ten
# daily temperatures; but if all of these were a little higher, the mean would be, too.

# %% [markdown]
# ### ✏️ Exercise 2: a warm day
#
# How many portions do we *expect* to sell on a day of 25 °C? Each draw of $(\alpha, \beta)$ gives
# one answer, $\text{softplus}(\alpha + 5 \beta)$. Set `low` and `high` to the ends of their 90%
# interval: the values below which 5% and 95% of the answers lie. The draws are
# `draws_1["alpha"]` and `draws_1["beta"]`.
#
# <details><summary>Hint</summary>
#
# First the tensor of 200,000 answers, then `.quantile(0.05)` and `.quantile(0.95)` of it.
#
# </details>

# %%
low, high = None, None
### BEGIN SOLUTION
expected_at_25 = softplus(draws_1["alpha"] + 5 * draws_1["beta"])
low, high = expected_at_25.quantile(0.05), expected_at_25.quantile(0.95)
### END SOLUTION

# %% tags=["nbval-check-output"]
check.warm_day(low, high, draws_1)

# %%
p_warmer = (draws_1["beta"] > 0).float().mean().item()
print(f"on a day of 25 °C we expect {low:.0f} to {high:.0f} portions (90%)")
print(f"P(beta > 0), that warmer days sell more: {p_warmer:.2f}")

# %% [markdown]
# The line of section 1 promised two portions more for each degree. The model is far less certain,
# and for good reasons:
#
# - If sales are Poisson counts with a rate of about 50, chance alone gives them a standard
#   deviation of $\sqrt{50} \approx 7$. Ten numbers between 44 and 54 could all come from one and
#   the same rate.
# - The thermometer's noise hides which days were the warm ones.
# - The prior holds that a degree may matter little.
#
# ### Does the model fit?
#
# Draw new sales from the model, for the same ten days, with parameters and temperatures from the
# posterior (the *posterior predictive* distribution), and compare them with the data. For Poisson
# counts the variance equals the mean, so we look at the ratio of the two.

# %%
some = {site: values[:4000] for site, values in draws_1.items()}
replicates = Predictive(shop_model, some, parallel=True)(sensor)["sales"]
dispersion = replicates.var(-1) / replicates.mean(-1)
observed_dispersion = (sales.var() / sales.mean()).item()
as_small = (dispersion <= observed_dispersion).float().mean().item()
_, ax = plt.subplots()
ax.hist(dispersion.cpu(), bins=45, density=True, alpha=0.55, label="drawn from the model")
ax.axvline(observed_dispersion, color="black", label="observed")
ax.set_title(f"Only {as_small:.1%} of the model's lists are as regular as the owner's")
ax.set(xlabel="variance / mean of ten days' sales", ylabel="density")
_ = ax.figure.legend(loc="outside lower center", ncols=2)

# %% [markdown]
# The owner's sales are far *more* regular than the model expects, as if mostly the same customers
# came every day. So the model takes too much for chance, and is less sure of $\beta$ than
# the data may deserve. Whatever it says is said within that assumption. We keep the Poisson
# distribution in this notebook, and the first question of section 7 replaces it.

# %% [markdown]
# ## 3. Version 2: humidity joins
#
# Perhaps people buy ice cream when the air is sticky. Humidity gets what the temperature has: a
# mean, a latent value for each day, and a sensor with a noise of its own,
#
# $$\mathrm{mean\_humidity} \sim \mathcal{N}(80, 10^2), \qquad
# \text{humidity}_i \sim \mathcal{N}(\mathrm{mean\_humidity}, 8^2), \qquad
# \mathrm{humidity\_sensor}_i \sim \mathcal{N}(\text{humidity}_i, 4^2),$$
#
# all in per cent. (A normal does not know that humidity ends at 100%: a simplification.) The linear
# predictor gets a third coefficient, in portions per per cent:
#
# $$a_i = \alpha + \beta\, (\text{temp}_i - 20) + \gamma\, (\text{humidity}_i - 80),
# \qquad \gamma \sim \mathcal{N}(0, 0.5^2).$$
#
# ### ✏️ Exercise 3: temperature and humidity
#
# Write version 2. The new sites are `gamma`, `mean_humidity`, `humidity` and `humidity_sensor`; all
# others stay as they are. $\alpha$ is now the expected sales at 20 °C and 80% humidity.
#
# <details><summary>Hint</summary>
#
# Copy version 1, and add two sites before the plate and two inside it. Both sensors are observed.
#
# </details>


# %%
def humid_shop_model(sensor, humidity_sensor, sales=None):
    ### BEGIN SOLUTION
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
        rate = softplus(alpha + beta * (temp - 20) + gamma * (humidity - 80))
        pyro.sample("sales", dist.Poisson(rate), obs=sales)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.humid_shop_model(humid_shop_model)

# %%
greek = {"alpha": r"$\alpha$", "beta": r"$\beta$", "gamma": r"$\gamma$"}
plotting.draw_model(humid_shop_model, sensor, humidity_sensor, sales, labels=greek)
# %% [markdown]
# The fit is the same as before, on 25 unknowns.

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoMultivariateNormal(humid_shop_model)
losses_2 = inference.fit(humid_shop_model, guide, sensor, humidity_sensor, sales, **settings)
draws_2 = inference.draw(guide, sensor, humidity_sensor, sales, max_plate_nesting=1)

figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.4))
plotting.elbo_curve(losses_2, title="Flat: converged", ax=axes[0])
plotting.densities(
    {"full covariance": draws_2["gamma"]},
    exact=exact_draws["gamma | version 2"],
    marks={"no effect": 0.0},
    xlabel=r"$\gamma$ (portions per %)",
    title="Humidity may sell ice cream, or not",
    ax=axes[1],
)

# %%
for name, unit in (("beta", "portions per °C"), ("gamma", "portions per %")):
    values = draws_2[name]
    p = (values > 0).float().mean()
    print(f"{name}: {values.mean():.2f} ± {values.std():.2f} {unit}, P({name} > 0) = {p:.2f}")

# %% [markdown]
# Not much better than a coin toss for humidity. The main reason is the one of section 2: ten
# Poisson counts say little. There is a second one. Warm days were mostly humid days, so that the
# model can explain the same sales by a larger $\beta$ with a smaller $\gamma$, or the reverse. In
# the posterior that shows as a negative correlation:

# %%
readings = torch.stack([sensor, humidity_sensor])
coefficients = torch.stack([draws_2["beta"], draws_2["gamma"]])
print(f"correlation of the two sensors' readings: {torch.corrcoef(readings)[0, 1]:.2f}")
print(f"correlation of beta and gamma, posterior: {torch.corrcoef(coefficients)[0, 1]:.2f}")

# %% [markdown]
# ## 4. Version 3: today depends on yesterday
#
# Versions 1 and 2 draw every day's weather afresh. Real weather does not jump like that: today is
# yesterday and a change. On day 1,
#
# $$\text{temp}_1 \sim \mathcal{N}(15, 2^2), \qquad \text{humidity}_1 \sim \mathcal{N}(80, 10^2),$$
#
# and on each later day $t$
#
# $$\text{temp}_t \sim \mathcal{N}(\text{temp}_{t-1}, 0.7^2), \qquad
# \text{humidity}_t \sim \mathcal{N}(\text{humidity}_{t-1}, 6^2).$$
#
# The sensors stay as they were, $\text{sensor}_t \sim \mathcal{N}(\text{temp}_t, 1^2)$ and
# $\mathrm{humidity\_sensor}_t \sim \mathcal{N}(\text{humidity}_t, 4^2)$. The mean temperature and
# the mean humidity are gone: the days before take their place. Without the sales this is called a
# *linear dynamical system* or *linear Gaussian state-space model*, and it has an exact solution.
#
# A plate will not do: its entries are independent, and these days are not. So this model is a loop
# over the days, and each day has sites of its own name, `temp_1`, `temp_2` and so on.
#
# ### ✏️ Exercise 4: the weather
#
# Write the body of the loop. For day 1 to $n$, sample `temp_1`, `humidity_1`, `sensor_1`,
# `humidity_sensor_1`, `temp_2`, …; append today's latent values to the two lists, which the model
# returns.
#
# <details><summary>Hint</summary>
#
# `t` counts from 0, so a site's name is `f"temp_{t + 1}"`. On the first day the list `temps` is
# still empty; later `temps[-1]` is yesterday's temperature: `if t == 0: ... else: ...`.
#
# </details>


# %%
def weather_model(sensor, humidity_sensor):
    temps, humidities = [], []
    for t in range(len(sensor)):
        ### BEGIN SOLUTION
        if t == 0:
            temp_prior, humidity_prior = dist.Normal(15.0, 2.0), dist.Normal(80.0, 10.0)
        else:
            temp_prior = dist.Normal(temps[-1], 0.7)
            humidity_prior = dist.Normal(humidities[-1], 6.0)
        temp = pyro.sample(f"temp_{t + 1}", temp_prior)
        humidity = pyro.sample(f"humidity_{t + 1}", humidity_prior)
        pyro.sample(f"sensor_{t + 1}", dist.Normal(temp, 1.0), obs=sensor[t])
        pyro.sample(f"humidity_sensor_{t + 1}", dist.Normal(humidity, 4.0), obs=humidity_sensor[t])
        temps.append(temp)
        humidities.append(humidity)
        ### END SOLUTION
    return temps, humidities


# %% tags=["nbval-check-output"]
check.weather_model(weather_model)

# %% [markdown]
# Three days of it, drawn from your code: two chains, each with its readings.

# %%
plotting.draw_model(weather_model, sensor[:3], humidity_sensor[:3])
# %% [markdown]
# ### The exact answer: filter and smoother
#
# All variables are normal, so every conditional distribution is normal, too. The **Kalman filter**
# goes through the days once, and on each day does what the last notebook did with a single reading.
# Let $m$ and $v$ be mean and variance of yesterday's temperature given all readings up to
# yesterday.
#
# 1. *Predict.* Today is yesterday and a change with standard deviation $s$: the mean stays, and
#    the variances add up, $\tilde v = v + s^2$.
# 2. *Correct.* Today's reading $y$ has a noise with standard deviation $r$. How much it counts is
#    the *gain*, $K = \tilde v / (\tilde v + r^2)$, and the new mean and variance are
#
# $$m + K\,(y - m), \qquad (1 - K)\, \tilde v.$$
#
# ### ✏️ Exercise 5: one day of the filter
#
# Complete `filter_step`. The arguments are $m$, $v$, $y$, $s$ and $r$, in this order; set `mean`
# and `variance` to today's values.
#
# <details><summary>Hint</summary>
#
# Four lines or fewer: the predicted variance, the gain, the mean, the variance. `step_sd` and
# `noise_sd` are standard deviations: square them.
#
# </details>


# %%
def filter_step(mean, variance, reading, step_sd, noise_sd):
    ### BEGIN SOLUTION
    predicted = variance + step_sd**2
    gain = predicted / (predicted + noise_sd**2)
    mean = mean + gain * (reading - mean)
    variance = (1 - gain) * predicted
    ### END SOLUTION
    return mean, variance


# %% tags=["nbval-check-output"]
check.filter_step(filter_step)

# %% [markdown]
# The filter knows, on each day, only the days before. For the *posterior* of day $t$ all ten
# readings count, the later ones too. The **smoother** of Rauch, Tung and Striebel (1965) therefore
# goes back from the last day: with $G = v_t / (v_t + s^2)$ it adds to the filter's mean $m_t$ and
# variance $v_t$ what tomorrow's smoothed $\hat m_{t+1}$ and $\hat v_{t+1}$ tell about today
# ($G$ says how much of tomorrow's news concerns today),
#
# $$\hat m_t = m_t + G\,(\hat m_{t+1} - m_t), \qquad
# \hat v_t = v_t + G^2\,(\hat v_{t+1} - v_t - s^2).$$
#
# The function below returns means and standard deviations for all days. It computes $\ln p$ of all
# readings on the way: each reading is normal around the day's prediction.


# %%
def smooth(readings, first_mean, first_sd, step_sd, noise_sd):
    mean, variance = [], []
    log_evidence = 0.0
    m, v, change = first_mean, first_sd**2, 0.0  # on the first day nothing has changed yet
    for y in readings.tolist():
        spread = torch.tensor(v + change**2 + noise_sd**2, dtype=torch.float64, device="cpu")
        surprise = torch.tensor(y - m, dtype=torch.float64, device="cpu")
        log_evidence += dist.Normal(torch.zeros_like(surprise), spread.sqrt()).log_prob(surprise)
        m, v = filter_step(m, v, y, change, noise_sd)
        mean.append(m)
        variance.append(v)
        change = step_sd
    for t in reversed(range(len(mean) - 1)):
        back = variance[t] / (variance[t] + step_sd**2)  # G
        mean[t] += back * (mean[t + 1] - mean[t])
        variance[t] += back**2 * (variance[t + 1] - variance[t] - step_sd**2)
    return torch.tensor(mean), torch.tensor(variance).sqrt(), float(log_evidence)


temp_mean, temp_sd, temp_evidence = smooth(sensor, 15.0, 2.0, step_sd=0.7, noise_sd=1.0)
humidity_mean, humidity_sd, humidity_evidence = smooth(
    humidity_sensor, 80.0, 10.0, step_sd=6.0, noise_sd=4.0
)

# %% [markdown]
# ### Two guides
#
# On neighbouring days the temperatures are correlated: if yesterday was warmer than its reading, so
# was today, probably. `AutoMultivariateNormal` can express that, `AutoDiagonalNormal` cannot. Fit
# both to the weather alone. (The model has no plate, so `max_plate_nesting` is 0. A loop over days
# is slower than a plate, so we take fewer but larger steps.)

# %%
settings_over_time = {
    "steps": 400,
    "learning_rate": 1.0,
    "final_learning_rate": 0.003,
    "particles": 128,
    "max_plate_nesting": 0,
}
weather_draws, weather_losses = {}, {}
for name, kind in (("full covariance", AutoMultivariateNormal), ("mean-field", AutoDiagonalNormal)):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    guide = kind(weather_model)
    weather_losses[name] = inference.fit(
        weather_model, guide, sensor, humidity_sensor, **settings_over_time
    )
    weather_draws[name] = inference.draw(guide, sensor, humidity_sensor, max_plate_nesting=0)

plotting.elbo_curve(
    weather_losses,
    evidence=temp_evidence + humidity_evidence,
    title="Full covariance reaches the exact log evidence; mean-field cannot",
)

# %% [markdown]
# The posterior is a normal distribution here, so the full covariance can represent it exactly, and
# the ELBO reaches the log evidence. Now the temperatures: readings, posterior mean and 90% band of
# each guide, and the exact smoother on top, dashed.

# %%
day = torch.arange(1.0, len(sensor) + 1)
z = 1.645  # 90% of a normal lie within 1.645 standard deviations
smoothed = torch.stack([temp_mean - z * temp_sd, temp_mean, temp_mean + z * temp_sd])
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for k, (ax, draws) in enumerate(zip(axes, weather_draws.values(), strict=True)):
    temps = torch.stack([draws[f"temp_{t + 1}"] for t in range(len(sensor))])
    mean, sd = temps.mean(1), temps.std(1)
    plotting.regression(
        {"readings": (day, sensor)},
        day,
        lines={"readings": mean},
        bands={"readings": [(mean - z * sd, mean + z * sd)]},
        exact=smoothed,
        xlabel="day",
        ylabel="temperature (°C)",
        title=("Full covariance: the exact band (dashed)", "Mean-field: too narrow a band")[k],
        start=k,
        ax=ax,
    )

# %% [markdown]
# The curve follows the readings without believing them: the peak on day 6 is smoothed to well below
# its reading, because the days before and after say so. Both guides have the right means. But the
# mean-field band is too narrow, and theory predicts by how much. For a normal posterior the
# best independent fit has the *conditional* variance of each unknown, given all others (Bishop
# 2006, sec. 10.1.2). A day's temperature has three neighbours: its reading, yesterday and tomorrow.
# So in the middle of the chain the conditional variance is $(1/1^2 + 2/0.7^2)^{-1}$, and for
# humidity $(1/4^2 + 2/6^2)^{-1}$:

# %%
rows = []
for name, sd, conditional in (
    ("temp_5", temp_sd[4].item(), (1 / 1.0**2 + 2 / 0.7**2) ** -0.5),
    ("humidity_5", humidity_sd[4].item(), (1 / 4.0**2 + 2 / 6.0**2) ** -0.5),
):
    full, mean_field = (weather_draws[kind][name].std().item() / sd for kind in weather_draws)
    rows.append([name, sd, full, mean_field, conditional / sd])
columns = ["site", "exact sd", "full covariance / exact", "mean-field / exact", "predicted"]
pd.DataFrame(rows, columns=columns).set_index("site").round(3)

# %% [markdown]
# Mean-field reports little more than three quarters of the true standard deviation of the
# temperature, and some 94% of that of the humidity, as predicted. The gap is wider for the
# temperature: it changes less from day to day ($0.7$) than its sensor errs ($1$), so the
# neighbours tell much about a day. For humidity it is the other way round ($6$ against $4$).

# %% [markdown]
# ## 5. Version 4: the decision
#
# How many portions should the owner make for tomorrow, day 11? That needs all we have: the weather
# with its memory, and how sales depend on it.
#
# ### ✏️ Exercise 6: the shop over time
#
# Put the two together: sample `alpha`, `beta` and `gamma` with the priors of version 2, then call
# `weather_model`, and sample `sales_1`, `sales_2`, … with the rate of version 2, in a loop. A model
# may call another: the sites of both count.
#
# <details><summary>Hint</summary>
#
# `temps, humidities = weather_model(sensor, humidity_sensor)`. In the loop, `temps[t]` and
# `humidities[t]` are the day's weather, and `sales[t]` is observed.
#
# </details>


# %%
def shop_in_time(sensor, humidity_sensor, sales):
    ### BEGIN SOLUTION
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    temps, humidities = weather_model(sensor, humidity_sensor)
    for t in range(len(sales)):
        rate = softplus(alpha + beta * (temps[t] - 20) + gamma * (humidities[t] - 80))
        pyro.sample(f"sales_{t + 1}", dist.Poisson(rate), obs=sales[t])
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.shop_in_time(shop_in_time)

# %%
plotting.draw_model(shop_in_time, sensor[:2], humidity_sensor[:2], sales[:2], labels=greek)
# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoMultivariateNormal(shop_in_time)
losses_4 = inference.fit(shop_in_time, guide, sensor, humidity_sensor, sales, **settings_over_time)
draws_4 = inference.draw(guide, sensor, humidity_sensor, sales, max_plate_nesting=0)
plotting.elbo_curve(losses_4, title="The shop over time: flat, converged")

# %% [markdown]
# What does it say about tomorrow? Tomorrow's sales are uncertain for four reasons, and all of them
# count: we do not know the coefficients, nor today's weather, nor how
# it changes overnight; and who buys is a matter of chance.
#
# ### ✏️ Exercise 7: tomorrow
#
# Draw tomorrow from the posterior. For **each** posterior draw in `draws` (`alpha`, `beta`,
# `gamma`, `temp_10`, `humidity_10`, each of shape `(S,)`) draw tomorrow's temperature and humidity
# from the weather model; compute `rate`, the expected sales; and draw `sales`. Return both, shape
# `(S,)`.
#
# <details><summary>Hint</summary>
#
# No loop and no `pyro.sample`: `dist.Normal(draws["temp_10"], ...).sample()` draws one temperature
# for each of the S draws at once. By how much does the temperature change in a night?
#
# </details>


# %%
def tomorrow(draws):
    ### BEGIN SOLUTION
    temp = dist.Normal(draws["temp_10"], 0.7).sample()
    humidity = dist.Normal(draws["humidity_10"], 6.0).sample()
    rate = softplus(draws["alpha"] + draws["beta"] * (temp - 20) + draws["gamma"] * (humidity - 80))
    sales = dist.Poisson(rate).sample()
    ### END SOLUTION
    return rate, sales


# %% tags=["nbval-check-output"]
check.tomorrow(tomorrow)

# %% [markdown]
# The distribution of tomorrow's sales, and what it is made of:

# %%
pyro.set_rng_seed(SEED)
rate_11, sales_11 = tomorrow(draws_4)
print(f"tomorrow: {sales_11.mean():.1f} portions, give or take {sales_11.std():.1f}")
print(f"the sd would be {rate_11.mean().sqrt():.1f} from the chance of the buyers alone,")
print(f"and {rate_11.std():.1f} from what we do not know about rate and weather")

# %% [markdown]
# ### What does a wrong number cost?
#
# A portion that is left over costs its ingredients, 0.50 €. A portion that is missing costs the
# profit that it would have made, 2 €. If the stock is $k$ and $n$ portions are asked for,
#
# $$\text{cost}(k, n) = c_\text{over} \max(k - n, 0) + c_\text{under} \max(n - k, 0), \qquad
# c_\text{over} = 0.50,\ c_\text{under} = 2.$$
#
# Nobody knows $n$. But we have draws of it, `sales_11`, so we know the *expected* cost of each $k$:
# the average over the draws.
#
# ### ✏️ Exercise 8: the expected cost
#
# Complete `expected_cost`: `stock` is $k$, one number; `sales` holds the draws of $n$, shape
# `(S,)`; `too_many` is $c_\text{over}$, and `too_few` is $c_\text{under}$.
#
# <details><summary>Hint</summary>
#
# `(stock - sales).clamp(min=0)` is what is left over, for each draw.
#
# </details>


# %%
def expected_cost(stock, sales, too_many, too_few):
    ### BEGIN SOLUTION
    left_over = (stock - sales).clamp(min=0)
    missing = (sales - stock).clamp(min=0)
    cost = (too_many * left_over + too_few * missing).mean()
    ### END SOLUTION
    return cost


# %% tags=["nbval-check-output"]
check.expected_cost(expected_cost)

# %% [markdown]
# One can try every $k$, and below we do. But there is a formula, too. One portion more helps if it
# is asked for, with probability $P(n > k)$, and then saves $c_\text{under}$; otherwise, with
# probability $P(n \le k)$, it costs $c_\text{over}$. It pays as long as $c_\text{under} \bigl(1 -
# P(n \le k)\bigr) > c_\text{over}\, P(n \le k)$, that is, until
#
# $$P(n \le k) \ge \frac{c_\text{under}}{c_\text{under} + c_\text{over}}.$$
#
# The smallest such $k$ is the best stock. This is the *newsvendor* problem (Arrow, Harris and
# Marschak 1951): the decision is a quantile of the predictive distribution, and the prices say
# which one.
#
# ### ✏️ Exercise 9: the best stock
#
# Complete `best_stock`: the smallest whole number $k$ for which the share of the draws with
# $n \le k$ is at least the fraction above. The arguments are those of `expected_cost`.
#
# <details><summary>Hint</summary>
#
# The share of draws up to `k` is `(sales <= k).float().mean()`. Try one `k` after the other, or all
# at once: `torch.arange(...)[:, None]` is a column, and comparing it with `sales` gives a table.
#
# </details>


# %%
def best_stock(sales, too_many, too_few):
    ### BEGIN SOLUTION
    candidates = torch.arange(int(sales.max()) + 1)
    share = (sales <= candidates[:, None]).float().mean(1)
    stock = candidates[share >= too_few / (too_few + too_many)][0]
    ### END SOLUTION
    return stock


# %% tags=["nbval-check-output"]
check.best_stock(best_stock)

# %% [markdown]
# Both ways on tomorrow's sales: the quantile, and the minimum of the expected cost. The exact
# distribution of tomorrow's sales, from the long chains, stands beside it.

# %%
too_many, too_few = 0.50, 2.00
stock = int(best_stock(sales_11, too_many, too_few))

portions = torch.arange(121.0)
exact_cdf = torch.tensor(
    [exact.loc[4, f"P(sales_11 <= {k})"]["mean"] for k in range(121)], dtype=torch.float32
)
exact_probability = torch.cat([exact_cdf[:1], exact_cdf.diff()])
counts = torch.bincount(sales_11.long(), minlength=121)[:121]
cdf = counts.cumsum(0) / len(sales_11)


def exact_cost(k):
    left_over, missing = (k - portions).clamp(min=0), (portions - k).clamp(min=0)
    return (exact_probability * (too_many * left_over + too_few * missing)).sum().item()


stocks = torch.arange(40.0, 76.0)
costs = torch.stack([expected_cost(k, sales_11, too_many, too_few) for k in stocks])
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
plotting.curves(
    {"posterior": (portions[30:81], cdf[30:81])},
    exact=(portions[30:81], exact_cdf[30:81]),
    marks={f"{stock} portions": stock},
    xlabel="portions $k$",
    ylabel="P(at most $k$ are asked for)",
    title=f"{stock} portions are enough with probability {cdf[stock]:.2f}",
    ax=axes[0],
)
plotting.curves(
    {"posterior": (stocks, costs)},
    exact=(stocks, torch.tensor([exact_cost(k) for k in stocks])),
    marks={"": stock},
    xlabel="portions in stock",
    ylabel="expected cost (€ a day)",
    title="The same stock has the least expected cost",
    ax=axes[1],
)

# %% [markdown]
# ### What would a point estimate have stocked?
#
# Three owners. The first orders what she expects to sell. The second takes the posterior mean of
# every unknown for the truth, and so the best guess of the rate, and knows only the chance of the
# buyers: a quantile of one Poisson distribution. The third, our owner, uses the whole posterior.
# The last row is the exact answer, and the expected costs are computed with the exact distribution.

# %%
plug_in_rate = softplus(
    draws_4["alpha"].mean()
    + draws_4["beta"].mean() * (draws_4["temp_10"].mean() - 20)
    + draws_4["gamma"].mean() * (draws_4["humidity_10"].mean() - 80)
)
plug_in_sales = dist.Poisson(plug_in_rate).sample((200_000,))
owners = {
    "the expected sales": round(sales_11.mean().item()),
    "the quantile, from point estimates": int(best_stock(plug_in_sales, too_many, too_few)),
    "the quantile, from the posterior": stock,
    "the quantile, exact": int((exact_cdf >= too_few / (too_few + too_many)).nonzero()[0]),
}
best = exact_cost(owners["the quantile, exact"])
pd.DataFrame(
    {
        owner: {
            "stock": f"{k}",
            "P(too few)": f"{1 - exact_cdf[k].item():.2f}",
            "expected cost (€ a day)": f"{exact_cost(k):.3f}",
            "more than needed (€ a day)": f"{exact_cost(k) - best:.3f}",
        }
        for owner, k in owners.items()
    }
).T

# %% [markdown]
# Ordering the expected sales ignores the prices. Nearly every other day somebody goes without, a
# missing portion is four times as costly as one left over, and the owner pays for it. The second
# owner asks the right question, but takes the rate for known. That makes a difference of one
# portion and a few cents only, because tomorrow is an ordinary day: the chance of the buyers, on
# which the second and the third agree, makes up most of the uncertainty.
#
# Not so on a day that is *unlike* the others. The weather service announces 28 °C, at 80% humidity.
# The exact answer comes from the stored draws of the long chains. (At 80% the term with $\gamma$ is
# zero.)


# %%
def hot_day(alpha, beta):
    return dist.Poisson(softplus(alpha + beta * (28 - 20))).sample()


hot = hot_day(draws_4["alpha"], draws_4["beta"])
hot_plug_in = hot_day(draws_4["alpha"].mean().expand(200_000), draws_4["beta"].mean())
alpha, beta = (exact_draws[f"{name} | version 4"] for name in ("alpha", "beta"))
hot_exact = hot_day(alpha.repeat(50), beta.repeat(50))

print(f"exact: {hot_exact.mean():.0f} portions, give or take {hot_exact.std():.0f}")
for owner, draws in {"point": hot_plug_in, "posterior": hot, "exact": hot_exact}.items():
    k = best_stock(draws, too_many, too_few)
    cost = expected_cost(k, hot_exact, too_many, too_few)
    print(f"{owner:9} stock {k:.0f}, expected cost {cost:.2f} € a day")

# %% [markdown]
# Nobody has seen a day of 28 °C, so $\beta$ matters most, and $\beta$ is what we know least. The
# point estimate knows nothing of that, and its stock is much too small. That is what a posterior is
# for: it makes a difference where you know little.
#
# One warning remains. The posterior predictive check of section 2 showed that real sales vary less
# than those of version 1, and version 4 has the same Poisson distribution. A better model of the
# noise might well advise a smaller stock.

# %% [markdown]
# ## 6. Scorecard
#
# What the full-covariance guides told us, beside the exact answer: long NUTS chains for versions 1,
# 2 and 4, the smoother for version 3. The `error` of a mean is in units of the exact posterior
# standard deviation, that of a standard deviation is relative, and that of a probability $p$ is the
# relative error of its odds, $p / (1 - p)$.

# %%
approximate, truth = {}, {}


def compare(quantity, version, draws, exact_mean, exact_sd):
    for kind, a, e in (("E", draws.mean(), exact_mean), ("sd", draws.std(), exact_sd)):
        approximate[f"{kind}[{quantity} | version {version}]"] = a
        truth[f"{kind}[{quantity} | version {version}]"] = e


for version, draws, names in (
    (1, draws_1, ("alpha", "beta", "mean_temp")),
    (2, draws_2, ("alpha", "beta", "gamma", "mean_temp", "mean_humidity")),
    (4, draws_4, ("alpha", "beta", "gamma")),
):
    for name in names:
        compare(name, version, draws[name], *exact.loc[version, name][["mean", "sd"]])

for name, mean, sd in (("temp", temp_mean, temp_sd), ("humidity", humidity_mean, humidity_sd)):
    for t in (1, 6, 10):
        site = f"{name}_{t}"
        compare(site, 3, weather_draws["full covariance"][site], mean[t - 1], sd[t - 1])

mean, sd = exact.loc[4, "rate_11"][["mean", "sd"]]
compare("rate_11", 4, rate_11, mean, sd)
compare("sales_11", 4, sales_11, mean, (mean + sd**2) ** 0.5)

approximate |= {
    "P(beta > 0 | version 1)": p_warmer,
    "P(gamma > 0 | version 2)": (draws_2["gamma"] > 0).float().mean(),
    "P(sales_11 <= 55 | version 4)": cdf[55],
}
truth |= {
    "P(beta > 0 | version 1)": exact.loc[1, "P(beta > 0)"]["mean"],
    "P(gamma > 0 | version 2)": exact.loc[2, "P(gamma > 0)"]["mean"],
    "P(sales_11 <= 55 | version 4)": exact_cdf[55],
}

# %%
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard)

# %% [markdown]
# Over the seeds 0 to 9 every mean is within 0.05 standard deviations of the truth, every standard
# deviation within 6.5%, and every probability itself (not its odds) within 0.013. The check allows
# a little more:

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.1, sd=0.07, probability=0.02)

# %% [markdown]
# The standard deviations of $\alpha$, $\beta$ and $\gamma$ are all a little too small, for the
# reason of section 2: these posteriors have heavier tails than a normal. The weather of version 3
# shows no such error, for its posterior *is* normal.

# %% [markdown]
# ## 7. Going further
#
# - **More regular than chance.** The data vary less than a Poisson distribution allows. Replace
#   it by `dist.Normal(rate, noise)` with an unknown `noise`. What becomes of $\beta$, and of the
#   stock?
# - **Back to normal.** In version 3 the weather may drift away for ever. Let it return to a mean,
#   $\text{temp}_t \sim \mathcal{N}(\mu + \phi\,(\text{temp}_{t-1} - \mu), s^2)$ with an unknown
#   $\phi$ between 0 and 1. Does the forecast for a week ahead change?
# - **The last day of the season.** What is left over can be sold on the next day at half price. How
#   does that change the costs, and the stock?
#
# ### References
#
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. arXiv:1908.03442.
# - M. D. Hoffman and A. Gelman (2014). The no-U-turn sampler. *Journal of Machine Learning
#   Research* 15, 1593–1623.
# - H. E. Rauch, F. Tung and C. T. Striebel (1965). Maximum likelihood estimates of linear dynamic
#   systems. *AIAA Journal* 3(8), 1445–1450.
# - K. J. Arrow, T. Harris and J. Marschak (1951). Optimal inventory policy. *Econometrica* 19(3),
#   250–272.
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
