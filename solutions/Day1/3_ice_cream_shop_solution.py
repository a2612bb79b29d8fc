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
# - let a failed predictive check lead you to a better model;
# - model what changes from day to day;
# - turn a posterior into a decision, and say what a point estimate would have cost.
#
# **Time:** 80 minutes in class. **Before:** the notebooks *Probability distributions* and
# *Probabilistic models*. You need `pyro.sample`, `obs=`, `pyro.plate`, `Predictive`,
# `inference.fit` and `inference.draw`.
#
# Six exercises in class and one after it are marked ✏️. The cell after each one checks your answer
# and gives a hint if it is not right yet. Cells build on one another, so solve them in order; if
# you are stuck, ask.

# %% tags=["setup"]
# Find the course: here, in a folder above, or (in Colab) in `course`.
import sys
from pathlib import Path

near = Path(vars().get("__vsc_ipynb_file__", "course/_")).absolute().parents
sys.path[:0] = found = [str(f) for f in near if (f / "utils/start.py").exists()]
assert found, f"No course in {Path.cwd()} or above: ask your teacher."
from utils.start import *  # fails? Another `utils` is in the way: restart

# %% tags=["parameters"]
SEED = 0

# %%
from checks import ice_cream_shop as check
from pyro.infer import Predictive
from pyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal
from pyro.infer.importance import vectorized_importance_weights
from torch.nn.functional import softplus
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
    title=f"Least squares: {line_slope:.1f} portions more for each degree",
)

# %% [markdown]
# The line invites a quick answer. But it leaves out what we know:
#
# - the thermometer errs by about one degree, so its reading is not the temperature that customers
#   feel;
# - portions are counted, and who buys one is a matter of chance;
# - there are ten days only, and tomorrow is not one of them.
#
# A probabilistic model says all that. It grows in three versions: temperature; a noise of its own;
# humidity and time. The third one decides.

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
# for the days $i = 1, \dots, 10$. Sales are counts, so a Poisson distribution is the first choice.
# Its parameter is the *rate*, the expected number, which follows the temperature through a *linear
# predictor* $a_i$:
#
# $$a_i = \alpha + \beta\, (\text{temp}_i - 20), \qquad
# \text{sales}_i \sim \text{Poisson}\bigl(\text{softplus}(a_i)\bigr).$$
#
# A rate must be positive, and $a_i$ may be negative; $\text{softplus}(a) = \ln(1 + e^a)$ turns one
# into the other. Above 5 it is practically $a$ itself, so $\alpha$ is the number of portions that
# we expect to sell on a day of 20 °C, and $\beta$ is how many more one degree brings. Before she
# has looked at her list, the owner would say: about 50 portions on a day of 20 °C, give or take
# ten; and a degree may change that by a few portions, either way:
#
# $$\alpha \sim \mathcal{N}(50, 10^2), \qquad \beta \sim \mathcal{N}(0, 2^2).$$

# %% [markdown]
# ### ✏️ Exercise 1: the shop (10 min)
#
# Write version 1. Its sites are `alpha`, `beta`, `mean_temp`, and, for each day, `temp`, `sensor`
# and `sales`. `sensor` and `sales` hold the data; `sales` may be `None`, to draw new ones. The days
# are a plate as large as `sensor`; `"days"` is a good name for it. (In the formulas $\mathcal{N}(15,
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
plotting.draw_model(
    shop_model, sensor, sales, labels={"alpha": r"$\alpha$", "beta": r"$\beta$"}
)

# %% [markdown]
# ### The posterior
#
# No closed form exists here: a Poisson likelihood does not fit together with normal priors. So we
# fit the guide of the last notebook, a normal distribution with a full covariance matrix over all
# 13 unknowns, with every setting in view. Does the ELBO still rise at the end?

# %%
settings = {"steps": 600, "particles": 256, "max_plate_nesting": 1}
settings |= {"learning_rate": 0.7, "final_learning_rate": 0.001}


def last_gain(losses):
    last, before = (-sum(losses[-n:][:100]) / 100 for n in (100, 200))
    return f"ELBO: {last - before:+.3f} nats in the last hundred steps"


pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoMultivariateNormal(shop_model)
losses_1 = inference.fit(shop_model, guide, sensor, sales, **settings)
draws_1 = inference.draw(guide, sensor, sales, max_plate_nesting=1)
plotting.elbo_curve(losses_1, title=last_gain(losses_1))

# %% [markdown]
# By a few thousandths of a nat, less than a single step's noise: it has settled. The truth to
# compare with comes from *Markov chain Monte Carlo* (MCMC), which draws from the
# posterior itself, given enough time. Four long chains of a sampler called NUTS (Hoffman and Gelman
# 2014) ran beforehand, and their results are stored. Two numbers say whether to trust them.
# $\hat{R}$ ("R-hat") compares the chains with one another, and is 1 when all agree; the *effective
# sample size* (ESS) says how many independent draws they are worth.

# %%
exact, exact_draws = load_ice_cream_posterior()
r_hat, ess = exact["r_hat"].max(), exact["ess"].min()
print(f"R-hat at most {r_hat:.4f}, ESS at least {ess:.0f}")
p_warmer = (draws_1["beta"] > 0).float().mean().item()
plotting.densities(
    {"guide": draws_1["beta"]},
    exact=exact_draws["beta | version 1"],
    marks={"no effect": 0.0},
    xlabel=r"$\beta$ (portions per °C)",
    title=f"Version 1: P(warmer days sell more) = {p_warmer:.2f}",
)

# %% [markdown]
# The line of section 1 promised two portions for each degree; version 1 is far less certain. Its
# counts have a standard deviation of $\sqrt{50} \approx 7$ by chance alone, so that ten numbers
# between 44 and 54 could all come from one and the same rate. But *are* they a matter of so much
# chance?

# %% [markdown]
# ## 3. Does the model fit?
#
# Draw new lists of ten days from the model, with parameters and temperatures from the posterior
# (the *posterior predictive* distribution; Gelman, Meng and Stern 1996). If the model is right, the
# owner's list should look like one of them. We compare how regular the lists are: the variance of
# the ten sales, divided by their mean. For counts from one Poisson distribution that *dispersion*
# is about 1.

# %%
some = {site: values[:4000] for site, values in draws_1.items()}
lists_1 = Predictive(shop_model, some, parallel=True)(sensor)["sales"]
print("the first list:", lists_1[0].int().tolist())
print("the owner's:   ", sales.int().tolist())

# %% [markdown]
# **Predict.** Look at the two lists. Is the owner's more regular than most of the model's, less, or
# like them?
#
# ### ✏️ Exercise 2: the check (6 min)
#
# Complete `share_as_regular`: of the lists, the share whose dispersion is *at most* that of
# `sales`. `lists` has shape `(S, n)`, one list of $n$ days in each row; `sales` has shape `(n,)`.
# Return one number, or a tensor with one entry.
#
# <details><summary>Hint</summary>
#
# `lists.var(-1)` has one variance for each list, and a comparison gives `True` or `False` for each.
#
# </details>


# %%
def share_as_regular(lists, sales):
    ### BEGIN SOLUTION
    dispersion = lists.var(-1) / lists.mean(-1)
    share = (dispersion <= sales.var() / sales.mean()).float().mean()
    ### END SOLUTION
    return share


# %% tags=["nbval-check-output"]
check.share_as_regular(share_as_regular)

# %% tags=["picture=shop_check"]
plotting.densities(
    {"lists of version 1": lists_1.var(-1) / lists_1.mean(-1)},
    marks={"the owner's list": (sales.var() / sales.mean()).item()},
    xlabel="dispersion: variance / mean of ten days' sales",
    title=f"As regular as the owner's: {share_as_regular(lists_1, sales):.1%}",
)

# %% [markdown]
# The model fails. Hardly any of its lists is as regular as the owner's: it takes too much for
# chance. (Perhaps mostly the same people come every day.) Inference answers *given* the model, so
# neither $\beta$ nor any stock computed from this model can be trusted.

# %% [markdown]
# ## 4. Version 2: a noise of its own
#
# A Poisson distribution has no parameter for its spread: the variance *is* the rate. So replace it
# by a distribution that has one. With counts near 50 a normal will do, and its standard deviation,
# `noise`, is learnt:
#
# $$\text{noise} \sim \text{LogNormal}(1, 0.4), \qquad
# \text{sales}_i \sim \mathcal{N}\bigl(\text{softplus}(a_i), \text{noise}^2\bigr).$$
#
# (`dist.LogNormal(1.0, 0.4)` is the distribution of $e^u$ for $u \sim \mathcal{N}(1, 0.4^2)$. The
# owner thinks that on two days of the same weather her sales differ by a few portions; this prior
# has 90% between 1.4 and 5.2.)
#
# **Predict.** What will this do to the posterior of $\beta$: wider, narrower, or the same?
#
# ### ✏️ Exercise 3: a noise of its own (5 min)
#
# Complete version 2: the sites `noise` and `sales`. There is one `noise` for all days; the plate is
# called `plate`, and `with plate:` may be used again.
#
# <details><summary>Hint</summary>
#
# What is sampled inside the plate is sampled once for each day. Which of the two sites is that?
#
# </details>


# %%
def regular_shop_model(sensor, sales=None):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    plate = pyro.plate("days", len(sensor))
    with plate:
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    rate = softplus(alpha + beta * (temp - 20))
    ### BEGIN SOLUTION
    noise = pyro.sample("noise", dist.LogNormal(1.0, 0.4))
    with plate:  # the same days
        pyro.sample("sales", dist.Normal(rate, noise), obs=sales)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.regular_shop_model(regular_shop_model)

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoMultivariateNormal(regular_shop_model)
losses_2 = inference.fit(regular_shop_model, guide, sensor, sales, **settings)
narrow_2 = inference.draw(guide, sensor, sales, max_plate_nesting=1)
plotting.elbo_curve(losses_2, title=last_gain(losses_2))

# %% [markdown]
# ### Can the guide be trusted?
#
# The ELBO is flat, but that only says that this guide can do no better. Without an exact answer one
# can still compare guide and model at each draw $z$ of the guide, by the *importance weight*
# $p(\text{data}, z) / q(z)$, where $q$ is the guide's density. If $q$ were the posterior, all
# weights would be equal. So give each of the $S$ draws its weight, and draw again, with
# replacement, in proportion to the weights. No draw may count for more than $1/\sqrt{S}$ of the
# total (Ionides 2008).
#
# Two numbers say how wild the weights are. *Pareto* $\hat{k}$ (Yao et al. 2018): up to about 0.7
# redrawing mends a guide, far above that nothing does. And the share of effective draws: what the
# weights leave of 200,000. *A simple Gaussian model*, on the second day, comes back to both. You
# need not read `redraw`: it computes the weights, caps them, and draws again.


# %%
@torch.no_grad()
def redraw(model, guide, *data, **options):
    log_ratios, _, q = vectorized_importance_weights(
        model, guide, *data, num_samples=inference.DRAWS, **options
    )
    weights = log_ratios.softmax(0).clamp(max=len(log_ratios) ** -0.5)
    chosen = weights.multinomial(len(weights), replacement=True)
    sites = q.iter_stochastic_nodes()
    draws = {name: site["value"][chosen].squeeze(-1) for name, site in sites}
    return draws, log_ratios


draws_2, ratios_2 = redraw(
    regular_shop_model, guide, sensor, sales, max_plate_nesting=1
)
print({name: round(x, 2) for name, x in inference.trust(ratios_2).items()})

# %%
sds = [draws["beta"].std().item() for draws in (narrow_2, draws_2)]
sds.append(exact.loc[2, "beta"]["sd"])
plotting.densities(
    {"guide": narrow_2["beta"], "redrawn": draws_2["beta"]},
    exact=exact_draws["beta | version 2"],
    marks={"no effect": 0.0},
    xlabel=r"$\beta$ (portions per °C)",
    title="sd: {:.2f} by the guide, {:.2f} redrawn, {:.2f} exact".format(*sds),
)

# %%
some = {site: values[:4000] for site, values in draws_2.items()}
lists_2 = Predictive(regular_shop_model, some, parallel=True)(sensor)["sales"]
share = share_as_regular(lists_2, sales)
print(f"version 2: {share:.0%} of its lists are as regular as the owner's")

# %% [markdown]
# Narrower: what chance does not explain, the temperature may, and "no effect" is now far out in the
# tail. The new model passes the check. That is a mild test, for it has learnt its noise from these
# very sales; but version 1 failed even that.
#
# The guide alone is too sure of $\beta$, and redrawing mends most of it. With $\hat{k}$ at the
# limit, "most" is all that one may hope for; but two in a hundred of 200,000 draws are still
# thousands.

# %% [markdown]
# ## 5. Version 3: humidity, and today depends on yesterday
#
# Perhaps people buy ice cream when the air is sticky, so humidity gets what the temperature has: a
# latent value for each day, and a sensor with a noise of its own. And real weather does not jump:
# today is yesterday and a change. On day 1,
#
# $$\text{temp}_1 \sim \mathcal{N}(15, 2^2), \qquad \text{humidity}_1 \sim \mathcal{N}(80, 10^2),$$
#
# on each later day $t$
#
# $$\text{temp}_t \sim \mathcal{N}(\text{temp}_{t-1}, 0.7^2), \qquad
# \text{humidity}_t \sim \mathcal{N}(\text{humidity}_{t-1}, 6^2),$$
#
# and on every day
#
# $$\text{sensor}_t \sim \mathcal{N}(\text{temp}_t, 1^2), \qquad
# \mathrm{humidity\_sensor}_t \sim \mathcal{N}(\text{humidity}_t, 4^2).$$
#
# `mean_temp` is no longer needed: yesterday takes its place. A plate will not do: its entries are
# independent, and these days are not. So this model is a loop over the days, and each day has sites
# of its own name, `temp_1`, `temp_2` and so on.
#
# ### ✏️ Exercise 4: the weather (14 min)
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
            temp_prior = dist.Normal(15.0, 2.0)
            humidity_prior = dist.Normal(80.0, 10.0)
        else:
            temp_prior = dist.Normal(temps[-1], 0.7)
            humidity_prior = dist.Normal(humidities[-1], 6.0)
        temp = pyro.sample(f"temp_{t + 1}", temp_prior)
        humidity = pyro.sample(f"humidity_{t + 1}", humidity_prior)
        pyro.sample(f"sensor_{t + 1}", dist.Normal(temp, 1.0), obs=sensor[t])
        pyro.sample(
            f"humidity_sensor_{t + 1}",
            dist.Normal(humidity, 4.0),
            obs=humidity_sensor[t],
        )
        temps.append(temp)
        humidities.append(humidity)
        ### END SOLUTION
    return temps, humidities


# %% tags=["nbval-check-output"]
check.weather_model(weather_model)

# %% [markdown]
# Version 3 calls it: a model may call another, and the sites of both count. Humidity has a
# coefficient, too, in portions per percentage point, so that $\alpha$ is the expected sales at 20 °C and
# 80% humidity:
#
# $$a_t = \alpha + \beta\, (\text{temp}_t - 20) + \gamma\, (\text{humidity}_t - 80),
# \qquad \gamma \sim \mathcal{N}(0, 0.5^2).$$


# %%
def shop_in_time(sensor, humidity_sensor, sales=None):
    alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 0.5))
    noise = pyro.sample("noise", dist.LogNormal(1.0, 0.4))
    weather = zip(*weather_model(sensor, humidity_sensor), strict=True)
    for t, (temp, humidity) in enumerate(weather):
        rate = softplus(alpha + beta * (temp - 20) + gamma * (humidity - 80))
        sold = None if sales is None else sales[t]
        pyro.sample(f"sales_{t + 1}", dist.Normal(rate, noise), obs=sold)


plotting.draw_model(
    shop_in_time,
    *(sensor[:2], humidity_sensor[:2], sales[:2]),
    labels={name: rf"$\{name}$" for name in ("alpha", "beta", "gamma")},
)

# %% [markdown]
# New are the arrows from yesterday to today, and those of the humidity, $\gamma$ and the noise. The
# fit, over 24 unknowns: a loop is slower than a plate, so we take fewer particles. (Without a
# plate, `max_plate_nesting` is 0.) **Predict.** Will $\beta$ now be known better, or less well?

# %%
in_time = {"steps": 600, "particles": 128, "max_plate_nesting": 0}
in_time |= {"learning_rate": 0.5, "final_learning_rate": 0.003}
data = sensor, humidity_sensor, sales
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoMultivariateNormal(shop_in_time)
losses_3 = inference.fit(shop_in_time, guide, *data, **in_time)
draws_3, ratios_3 = redraw(shop_in_time, guide, *data, max_plate_nesting=0)
plotting.elbo_curve(losses_3, title=last_gain(losses_3))

# %%
print({name: round(x, 2) for name, x in inference.trust(ratios_3).items()})
some = {site: values[:4000] for site, values in draws_3.items()}
made_up = Predictive(shop_in_time, some, parallel=True)(*data[:2])
lists_3 = torch.stack([made_up[f"sales_{t}"] for t in range(1, 11)], dim=-1)
share = share_as_regular(lists_3, sales)
print(f"version 3: {share:.0%} of its lists are as regular as the owner's")
for name in ("beta", "gamma"):
    print(f"{name}: {draws_3[name].mean():.2f} ± {draws_3[name].std():.2f}")

# %% [markdown]
# Less well: $\beta$ is half as certain as in version 2. Neighbouring days now hold each other's
# temperature, so that the ten lie closer together and say less about a slope; and the humidity
# competes. The ELBO gained little in its last hundred steps, version 3 passes the check, and
# $\hat{k}$ is a little above 0.7: the decision may rest on it, with some care, and the scorecard
# compares it with the exact answer.

# %% [markdown]
# ## 6. The decision
#
# How many portions should the owner make for tomorrow, day 11? Tomorrow's sales are uncertain for
# four reasons, and all of them count: we do not know the coefficients, nor today's weather, nor how
# it changes overnight; and there is the noise.
#
# ### ✏️ Exercise 5: tomorrow (10 min)
#
# Draw tomorrow from the posterior. For **each** posterior draw in `draws` (`alpha`, `beta`,
# `gamma`, `noise`, `temp_10`, `humidity_10`, each of shape `(S,)`) draw tomorrow's temperature and
# humidity from the weather model; compute `rate`, the expected sales; and draw `sales`, as version
# 3 does. Return both, shape `(S,)`.
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
    rate = softplus(
        draws["alpha"]
        + draws["beta"] * (temp - 20)
        + draws["gamma"] * (humidity - 80)
    )
    sales = dist.Normal(rate, draws["noise"]).sample()
    ### END SOLUTION
    return rate, sales


# %% tags=["nbval-check-output"]
check.tomorrow(tomorrow)

# %% [markdown]
# Portions are whole, so we round the sales.

# %%
pyro.set_rng_seed(SEED)
rate_11, sales_11 = tomorrow(draws_3)
sales_11 = sales_11.round()
print(f"tomorrow: {sales_11.mean():.1f} ± {sales_11.std():.1f} portions")
print(f"± {rate_11.std():.1f} from what we do not know of rate and weather")

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

# %%
too_many, too_few = 0.50, 2.00


def expected_cost(stock, sales):
    left_over = (stock - sales).clamp(min=0)
    missing = (sales - stock).clamp(min=0)
    return (too_many * left_over + too_few * missing).mean()


print(f"a stock of 50: {expected_cost(50, sales_11):.2f} € a day")

# %% [markdown]
# **Predict.** Which stock costs least: the expected sales, or more, or fewer? By how many?
#
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
# ### ✏️ Exercise 6: the best stock (9 min)
#
# Complete `best_stock`: the smallest whole number $k$ for which the share of the draws with
# $n \le k$ is at least the fraction above. `sales` holds the draws of $n$, shape `(S,)`; `too_many`
# is $c_\text{over}$, and `too_few` is $c_\text{under}$.
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
# Both ways: the quantile (dotted), and the minimum of the expected cost. Beside them the exact
# answer, from the long chains.

# %%
stock = int(best_stock(sales_11, too_many, too_few))
rows = [exact.loc[3, f"P(sales_11 <= {k})"]["mean"] for k in range(121)]
exact_cdf = torch.tensor(rows, dtype=torch.float32)


def exact_cost(k):  # E[max(k - n, 0)] is the sum of P(n <= j) over j < k
    left_over, missing = exact_cdf[:k].sum(), (1 - exact_cdf[k:]).sum()
    return (too_many * left_over + too_few * missing).item()


ks = torch.arange(48, 63)
costs = torch.stack([expected_cost(k, sales_11) for k in ks])
plotting.curves(
    {"posterior": (ks, costs)},
    exact=(ks, torch.tensor([exact_cost(k) for k in ks])),
    marks={"": stock},
    xlabel="portions in stock",
    ylabel="expected cost (€ a day)",
    title=f"Least cost at {ks[costs.argmin()]}; the quantile is {stock}",
)

# %% [markdown]
# ### What would others have stocked?
#
# Four owners, and in the last row the best possible. The first makes what she expects to sell,
# rounded up. The second keeps to the Poisson distribution that failed the check, around the same
# rates. The third takes the posterior mean of every unknown for the truth. The fourth, our owner,
# uses the whole posterior. Their expected costs are computed with the exact distribution.


# %%
def rate_at(draws, temp, humidity):
    a = draws["alpha"] + draws["beta"] * (temp - 20)
    return softplus(a + draws["gamma"] * (humidity - 80))


point = {name: values.mean() for name, values in draws_3.items()}
point_rate = rate_at(point, point["temp_10"], point["humidity_10"])
many = (inference.DRAWS,)
demands = {
    "Poisson noise": dist.Poisson(rate_11).sample(),
    "point estimates": dist.Normal(point_rate, point["noise"]).sample(many),
    "the whole posterior": sales_11,
}
owners = {"the expected sales": int(sales_11.mean().ceil())}
for owner, demand in demands.items():
    owners[owner] = int(best_stock(demand.round(), too_many, too_few))
owners["exact"] = int((exact_cdf >= 0.8).nonzero()[0])
columns = "stock", "P(too few)", "expected cost (€ a day)"
table = [[k, 1 - exact_cdf[k].item(), exact_cost(k)] for k in owners.values()]
pd.DataFrame(table, index=list(owners), columns=columns).round(2)

# %% [markdown]
# Making the expected sales ignores the prices: a missing portion is four times as costly as one
# left over. The failed model costs more than anything else here: it prepares, every day, for a
# chance that is not there. The point estimates are nearly right, for tomorrow is an ordinary day.
#
# Not so on a day that is *unlike* the others. The weather service announces 28 °C, at 80% humidity.

# %%
sites = "alpha", "beta", "gamma", "noise"
chains = {s: exact_draws[f"{s} | version 3"].repeat(50) for s in sites}
hot = {
    who: dist.Normal(rate_at(draws, 28, 80), draws["noise"]).sample(size)
    for who, draws, size in (
        ("point", point, many),
        ("posterior", draws_3, ()),
        ("exact", chains, ()),
    )
}
for owner, demand in hot.items():
    k = best_stock(demand.round(), too_many, too_few)
    cost = expected_cost(k, hot["exact"])
    print(f"{owner:9} {demand.mean():.0f} ± {demand.std():.0f},", end=" ")
    print(f"stock {k:.0f}, expected cost {cost:.2f} € a day")

# %% [markdown]
# Nobody has seen a day of 28 °C, so $\beta$ matters most, and $\beta$ is what we know least (and
# all of them take the straight line for granted). The point estimate knows nothing of that, and its
# stock is much too small. That is what a posterior is for: it makes a difference where you know
# little.

# %% [markdown]
# ## 7. Scorecard
#
# What the guides told us, redrawn by their weights for versions 2 and 3, beside the exact answer.
# The caption says in which unit each `error` is, and what one could have said without the exact
# answer.

# %%
approximate, truth = {}, {}
for version, draws, names in (
    (1, draws_1, ("alpha", "beta", "mean_temp")),
    (2, draws_2, ("alpha", "beta", "noise")),
    (3, draws_3 | {"rate_11": rate_11}, ("beta", "gamma", "noise", "rate_11")),
):
    for name in names:
        quantity = f"{name} | version {version}"
        mean, sd = exact.loc[version, name][["mean", "sd"]]
        approximate[f"E[{quantity}]"] = draws[name].mean()
        approximate[f"sd[{quantity}]"] = draws[name].std()
        truth |= {f"E[{quantity}]": mean, f"sd[{quantity}]": sd}

approximate |= {
    "P(beta > 0 | version 1)": p_warmer,
    "P(gamma > 0 | version 3)": (draws_3["gamma"] > 0).float().mean(),
    "P(sales_11 <= 54 | version 3)": (sales_11 <= 54).float().mean(),
}
truth |= {
    "P(beta > 0 | version 1)": exact.loc[1, "P(beta > 0)"]["mean"],
    "P(gamma > 0 | version 3)": exact.loc[3, "P(gamma > 0)"]["mean"],
    "P(sales_11 <= 54 | version 3)": exact_cdf[54],
}
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard, trust=inference.trust(ratios_3))

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.1, sd=0.2, probability=0.03)

# %% [markdown]
# ## After class
#
# ### A.1 How does the rate stay positive?
#
# A function that makes a linear predictor positive is called a *link*. Three are in use: a *clamp*,
# $\max(a, 0.001)$; the *exponential*, $e^a$ (its inverse is the logarithm, hence "log link"); and
# *softplus*. A fit follows the gradient, and on its way it may try a predictor that is far too low.
# **Predict.** Which of the three has no gradient of $\ln p(\text{sales} = 46)$ at $a = -2$?

# %%
links = {
    "clamp": lambda a: a.clamp(min=0.001),
    "exponential": torch.exp,
    "softplus": softplus,
}
for name, link in links.items():
    a = torch.tensor(-2.0, requires_grad=True)
    log_p = dist.Poisson(link(a)).log_prob(torch.tensor(46.0))
    (slope,) = torch.autograd.grad(log_p, a)
    print(f"{name:12} gradient at a = -2: {slope:.1f}")

a = torch.linspace(-4, 8, 200)
rates = {name: link(a) for name, link in links.items()}
plotting.curves(
    {name: (a[rate < 9], rate[rate < 9]) for name, rate in rates.items()},
    xlabel="linear predictor $a$",
    ylabel="rate (portions)",
    title=f"Three links; softplus(5) = {softplus(torch.tensor(5.0)):.3f}",
)

# %% [markdown]
# A fit that starts at −2 with the clamp never learns that $a$ is far too low. The other two point
# upwards, and differ in what the coefficients *mean*. With the exponential, one degree *multiplies*
# the sales by $e^\beta$; with softplus it *adds* $\beta$ portions.

# %% [markdown]
# ### A.2 The weather has an exact answer
#
# Without the sales the model of the weather is a *linear Gaussian state-space model*. All variables
# are normal, so every conditional distribution is normal, too. The **Kalman filter** goes through
# the days once, and on each day does what the last notebook did with a single reading. Let $m$ and
# $v$ be mean and variance of yesterday's temperature given all readings up to yesterday.
#
# 1. *Predict.* Today is yesterday and a change with standard deviation $s$: the mean stays, and
#    the variances add up, $\tilde v = v + s^2$.
# 2. *Correct.* Today's reading $y$ has a noise with standard deviation $r$. How much it counts is
#    the *gain*, $K = \tilde v / (\tilde v + r^2)$, and the new mean and variance are
#
# $$m + K\,(y - m), \qquad (1 - K)\, \tilde v.$$
#
# ### ✏️ Exercise 7: one day of the filter (8 min)
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
# variance $v_t$ what tomorrow's smoothed $\hat m_{t+1}$ and $\hat v_{t+1}$ tell about today,
#
# $$\hat m_t = m_t + G\,(\hat m_{t+1} - m_t), \qquad
# \hat v_t = v_t + G^2\,(\hat v_{t+1} - v_t - s^2).$$
#
# The function below returns means and standard deviations for all days. It computes $\ln p$ of all
# readings on the way: each reading is normal around the day's prediction.


# %%
def smooth(readings, first_mean, first_sd, step_sd, noise_sd):
    mean, variance, log_evidence = [], [], 0.0
    m, v, change = first_mean, first_sd**2, 0.0  # no change on the first day
    for y in readings.tolist():
        spread = torch.tensor(v + change**2 + noise_sd**2).sqrt()
        log_evidence += dist.Normal(m, spread).log_prob(torch.tensor(y)).item()
        m, v = filter_step(m, v, y, change, noise_sd)
        mean.append(m)
        variance.append(v)
        change = step_sd
    for t in reversed(range(len(mean) - 1)):
        back = variance[t] / (variance[t] + step_sd**2)  # G
        mean[t] += back * (mean[t + 1] - mean[t])
        variance[t] += back**2 * (variance[t + 1] - variance[t] - step_sd**2)
    return torch.tensor(mean), torch.tensor(variance).sqrt(), log_evidence


temp_mean, temp_sd, temp_evidence = smooth(sensor, 15.0, 2.0, 0.7, 1.0)
_, humidity_sd, humidity_evidence = smooth(
    humidity_sensor, 80.0, 10.0, 6.0, 4.0
)

# %% [markdown]
# ### A.3 Two guides for the weather
#
# On neighbouring days the temperatures are correlated: if yesterday was warmer than its reading, so
# was today, probably. `AutoMultivariateNormal` can express that. `AutoDiagonalNormal`, a
# *mean-field* guide, treats all unknowns as independent. **Predict.** Which of the two reaches the
# exact log evidence?

# %%
weather_draws, weather_losses = {}, {}
for name, kind in (
    ("full covariance", AutoMultivariateNormal),
    ("mean-field", AutoDiagonalNormal),
):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    guide = kind(weather_model)
    weather_losses[name] = inference.fit(
        weather_model, guide, *data[:2], **in_time
    )
    weather_draws[name] = inference.draw(guide, *data[:2], max_plate_nesting=0)

plotting.elbo_curve(
    weather_losses,
    evidence=temp_evidence + humidity_evidence,
    title="Two guides for the weather",
)

# %% [markdown]
# The posterior is a normal distribution here, so the full covariance can represent it exactly. Now
# the temperatures: readings, posterior mean and 90% band of each guide, and the exact smoother on
# top, dashed.

# %%
day = torch.arange(1.0, len(sensor) + 1)
z = 1.645  # 90% of a normal lie within 1.645 standard deviations
smoothed = torch.stack([temp_mean + c * temp_sd for c in (-z, 0, z)])
_, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for k, (name, draws) in enumerate(weather_draws.items()):
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
        title=name,
        start=k,
        ax=axes[k],
    )

# %% [markdown]
# The curve follows the readings without believing them: the peak on day 6 is smoothed to well below
# its reading, because the days before and after say so. Both guides have the right means, but the
# mean-field band is too narrow, and theory predicts by how much. For a normal posterior the best
# independent fit has the *conditional* variance of each unknown, given all others (Bishop 2006,
# sec. 10.1.2). A day's temperature has three neighbours: its reading, yesterday and tomorrow. So in
# the middle of the chain the conditional variance is $(1/1^2 + 2/0.7^2)^{-1}$, and for humidity
# $(1/4^2 + 2/6^2)^{-1}$:

# %%
rows = {}
for name, sd, conditional in (
    ("temp_5", temp_sd[4].item(), (1 / 1.0**2 + 2 / 0.7**2) ** -0.5),
    ("humidity_5", humidity_sd[4].item(), (1 / 4.0**2 + 2 / 6.0**2) ** -0.5),
):
    ratios = [draws[name].std().item() / sd for draws in weather_draws.values()]
    rows[name] = [sd, *ratios, conditional / sd]
columns = ["exact sd", *weather_draws, "mean-field, predicted"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(3)

# %% [markdown]
# The columns of the guides are ratios to the exact sd. The gap is wider for the temperature, which
# changes less from day to day ($0.7$) than its sensor errs ($1$), so that the neighbours tell much
# about a day. For humidity it is the other way round ($6$ against $4$).

# %% [markdown]
# ## Going further
#
# - **Another check.** Version 2 draws every day afresh. Do neighbouring days of the owner's list
#   resemble each other more than those of its lists? And of version 3's?
# - **Back to normal.** In version 3 the weather may drift away for ever. Let it return to a mean,
#   $\text{temp}_t \sim \mathcal{N}(\mu + \phi\,(\text{temp}_{t-1} - \mu), s^2)$ with an unknown
#   $\phi$ between 0 and 1. Does the forecast for a week ahead change?
# - **The last day of the season.** What is left over can be sold on the next day at half price. How
#   does that change the costs, and the stock?
#
# ### References
#
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. [arXiv:1908.03442](https://arxiv.org/abs/1908.03442).
# - M. D. Hoffman and A. Gelman (2014). The no-U-turn sampler. *Journal of Machine Learning
#   Research* 15, 1593–1623. [jmlr.org](https://jmlr.org/papers/v15/hoffman14a.html).
# - A. Gelman, X.-L. Meng and H. Stern (1996). Posterior predictive assessment of model fitness via
#   realized discrepancies. *Statistica Sinica* 6, 733–760.
#   [Statistica Sinica](https://www3.stat.sinica.edu.tw/statistica/j6n4/j6n41/j6n41.htm).
# - Y. Yao, A. Vehtari, D. Simpson and A. Gelman (2018). Yes, but did it work? Evaluating
#   variational inference. *ICML*. [arXiv:1802.02538](https://arxiv.org/abs/1802.02538).
# - K. J. Arrow, T. Harris and J. Marschak (1951). Optimal inventory policy. *Econometrica* 19(3),
#   250–272. [doi:10.2307/1906813](https://doi.org/10.2307/1906813).
# - E. L. Ionides (2008). Truncated importance sampling. *Journal of Computational and Graphical
#   Statistics* 17(2), 295–311.
#   [doi:10.1198/106186008X320456](https://doi.org/10.1198/106186008X320456).
# - H. E. Rauch, F. Tung and C. T. Striebel (1965). Maximum likelihood estimates of linear dynamic
#   systems. *AIAA Journal* 3(8), 1445–1450. [doi:10.2514/3.3166](https://doi.org/10.2514/3.3166).
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
#   [book](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/).
