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
# # Probabilistic models: how warm is it, really?
#
# **After this notebook you will be able to**
#
# - write a probabilistic model as a Python function, and say what its sites, its trace and its log
#   joint density are;
# - answer a question about what you did not see, given what you saw: on a grid, in closed form, and
#   by variational inference, each checked by the others;
# - say with a plate that observations are independent;
# - notice that a model cannot have made the data, and write one that can.
#
# **Time:** 70 minutes in class. **Before:** *Probability distributions*. You need `dist.Normal`,
# `sample`, `log_prob` and shapes.
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
from checks import probabilistic_models as check
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import SVI, Predictive, Trace_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal
from utils import inference
from utils.explorer import explore
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. A model is a stochastic function
#
# A **probabilistic model** tells a story of how data come about, chance included. In Pyro the story
# is a Python function that draws random numbers: a *stochastic* function. You wait for a bus for up
# to 10 minutes; the ride then takes 15 minutes, give or take 2:
#
# $$\text{wait} \sim \mathcal{U}(0, 10), \qquad
# \text{journey} \mid \text{wait} \sim \mathcal{N}(\text{wait} + 15,\ 2^2).$$
#
# The sign $\sim$ is read "has the distribution"; $\mathcal{U}$ is a uniform distribution, and
# $\mathcal{N}(\mu, \sigma^2)$ a normal one. In code it is `dist.Normal(mu, sigma)`, with the
# **standard deviation**: here 2, not 4.


# %%
def journey_model(journey=None):
    wait = pyro.sample("wait", dist.Uniform(0.0, 10.0))
    return pyro.sample("journey", dist.Normal(wait + 15.0, 2.0), obs=journey)


print([round(journey_model().item(), 1) for _ in range(5)])

# %% [markdown]
# Five journeys, in minutes. `pyro.sample(name, distribution)` draws a value, as
# `distribution.sample()` does, **and** tells Pyro that there is a random quantity of this name: a
# *sample site*. The name is a string, different for each site. The second site depends on the first
# because its distribution is made from `wait`.
#
# The argument `obs=` is for data. If it is `None`, as here, the site is drawn. If it is a tensor,
# such as `torch.tensor(27.0)`, the site is **observed**: it *has* this value. So one function
# serves to make up data and to take them in.
#
# Now the model of this notebook. The temperature outdoors, in °C, is 15 give or take 2. You cannot
# see it; you read it off a cheap sensor, whose error is about one degree:
#
# $$\text{temp} \sim \mathcal{N}(15,\ 2^2), \qquad
# \text{sensor} \mid \text{temp} \sim \mathcal{N}(\text{temp},\ 1^2).$$
#
# ### ✏️ Exercise 1: your first model (6 min)
#
# Write `temperature_model`. Its sites are `temp` and `sensor`; the argument `sensor` holds the
# reading, or `None` to draw one. The function returns the reading.
#
# <details><summary>Hint</summary>
#
# It has the same two lines as `journey_model`, with other names and distributions. Assign what
# `pyro.sample` returns for the second site to `sensor`, which the last line returns.
#
# </details>


# %%
def temperature_model(sensor=None):
    ### BEGIN SOLUTION
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    sensor = pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    ### END SOLUTION
    return sensor


# %% tags=["nbval-check-output"]
check.temperature_model(temperature_model)

# %% [markdown]
# **Predict.** The temperature has a standard deviation of 2, the sensor's error one of 1. What is
# that of the readings?

# %%
simulated = torch.stack([temperature_model() for _ in range(5000)])
print(f"mean {simulated.mean():.2f}, standard deviation {simulated.std():.2f}")

# %% [markdown]
# The variances of two independent causes add up: $2^2 + 1^2 = 5$, and $\sqrt{5} \approx 2.24$.

# %% [markdown]
# ## 2. What Pyro knows about a model
#
# `poutine.trace(model)` runs the model once and writes down everything that happens at its sites:
# the **trace** of this run. For each site the trace holds the distribution, the value, whether it
# was observed, and the logarithm of the value's density:


# %%
def table_of_sites(trace):
    trace.compute_log_prob()
    rows = {}
    for name, site in trace.nodes.items():
        if site["type"] == "sample":
            loc, scale = site["fn"].loc, site["fn"].scale
            rows[name] = {
                "distribution": f"Normal({loc:.2f}, {scale:.2f})",
                "value": site["value"].item(),
                "observed": site["is_observed"],
                "log density": site["log_prob"].item(),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


trace = poutine.trace(temperature_model).get_trace()
print(f"log joint: {trace.log_prob_sum():.4f}")
table_of_sites(trace)

# %% [markdown]
# The distribution of `sensor` has the value of `temp` as its mean: this is how one site depends on
# the other. The sum of the last column is
#
# $$\ln p(\text{temp}, \text{sensor}) =
# \ln p(\text{temp}) + \ln p(\text{sensor} \mid \text{temp}),$$
#
# the log of the **joint** density of all sites, or *log joint*: how probable the model finds this
# whole run. `trace.log_prob_sum()` computes it.
#
# With `obs=` the author of a model says which site can be observed. From outside, the function
# `pyro.condition(model, data={name: value, ...})` does the same, for *any* sites: it returns a new
# model in which these sites have the given values.
#
# **Predict.** The sensor reads 18.0. Which distribution has `temp` in the table now?

# %%
reading = torch.tensor(18.0)
observed_model = pyro.condition(temperature_model, data={"sensor": reading})
table_of_sites(poutine.trace(observed_model).get_trace())

# %% [markdown]
# The same as before: `temp` was drawn from $\mathcal{N}(15, 2^2)$, as if there were no reading. To
# observe is not to conclude. Drawing conclusions is the business of *inference*, and all that it
# needs from a model is the log joint, at values of its own choice.
#
# ### ✏️ Exercise 2: the log joint (8 min)
#
# Complete `log_joint`: set `total` to $\ln p(\text{temp}, \text{sensor})$ of `temperature_model` at
# the two values given, both tensors. Write down no density yourself: let the model compute it.
#
# <details><summary>Hint</summary>
#
# Condition the model on *both* sites; then nothing is left to be drawn. Then trace it, as above.
#
# </details>


# %%
def log_joint(temp, sensor):
    ### BEGIN SOLUTION
    conditioned = pyro.condition(
        temperature_model, data={"temp": temp, "sensor": sensor}
    )
    total = poutine.trace(conditioned).get_trace().log_prob_sum()
    ### END SOLUTION
    return total


# %% tags=["nbval-check-output"]
check.log_joint(log_joint)

# %% [markdown]
# Pyro can also draw the structure, from the code that you wrote. An arrow says that one site's
# distribution depends on another site's value, and a grey site is observed.

# %% tags=["picture=thermometer"]
plotting.draw_model(temperature_model, reading)

# %% [markdown]
# ## 3. One reading
#
# The sensor says 18.0. How warm is it? Before the reading you believed in $\mathcal{N}(15, 2^2)$,
# the **prior**. What you should believe now is the **posterior**. Bayes' rule:
#
# $$p(\text{temp} \mid \text{sensor}) =
# \frac{p(\text{temp}, \text{sensor})}{p(\text{sensor})}, \qquad
# p(\text{sensor}) = \int p(\text{temp}, \text{sensor})\, d\,\text{temp}.$$
#
# The numerator is the joint density, which you can compute. The denominator, the **evidence**, is
# one number: how probable the model finds the reading, whatever the temperature.
#
# ### 3.1 On a grid
#
# With one unknown, the integral is nearly a sum over a fine grid. **Predict** the posterior's mean
# and standard deviation: is the mean halfway between 15 and 18? Is the standard deviation above 2,
# between 1 and 2, or below 1?

# %%
grid = torch.linspace(5.0, 25.0, 1001)
step = grid[1] - grid[0]
joint = torch.tensor([float(log_joint(t, reading)) for t in grid]).exp()
evidence = joint.sum() * step
density = joint / evidence

grid_mean = (density * grid).sum() * step
grid_sd = ((density * (grid - grid_mean) ** 2).sum() * step).sqrt()
print(f"mean {grid_mean:.4f}, sd {grid_sd:.4f}, p {evidence:.4f}")

# %% [markdown]
# You believe the sensor more than the prior, because it is the more precise of the two, and with
# both you are surer than with either alone. `p` is the evidence.
#
# ### 3.2 In closed form
#
# A normal prior and a normal likelihood have a normal posterior (Bishop 2006, sec. 2.3.6). The
# formula is easiest in terms of **precision**, one over the variance: *the precisions add up, and
# the means are averaged with the precisions as weights.* With prior $\mathcal{N}(\mu_0,
# \sigma_0^2)$ and a reading $y \sim \mathcal{N}(\text{temp}, \sigma^2)$, the posterior is
# $\mathcal{N}(m, s^2)$ with
#
# $$\frac{1}{s^2} = \frac{1}{\sigma_0^2} + \frac{1}{\sigma^2}, \qquad
# m = s^2 \left( \frac{\mu_0}{\sigma_0^2} + \frac{y}{\sigma^2} \right).$$
#
# ### ✏️ Exercise 3: two normals make a normal (8 min)
#
# Complete `normal_posterior` with these formulas: `mean` is $m$, and `sd` is $s$ (**not** $s^2$).
# All arguments are tensors. `reading` may be a vector, of many readings: then `mean` is one, too, and
# `sd` stays a single number, for no reading is in its formula.
#
# <details><summary>Hint</summary>
#
# Compute the precision $1 / s^2$ first. In Python `x**2` is a square and `x**-0.5` is one over the
# square root.
#
# </details>


# %%
def normal_posterior(prior_mean, prior_sd, reading, noise_sd):
    ### BEGIN SOLUTION
    precision = 1 / prior_sd**2 + 1 / noise_sd**2
    mean = (prior_mean / prior_sd**2 + reading / noise_sd**2) / precision
    sd = precision**-0.5
    ### END SOLUTION
    return mean, sd


# %% tags=["nbval-check-output"]
check.normal_posterior(normal_posterior)

# %%
prior_mean, prior_sd, noise_sd = torch.tensor([15.0, 2.0, 1.0])
exact_mean, exact_sd = normal_posterior(prior_mean, prior_sd, reading, noise_sd)
log_evidence = dist.Normal(15.0, 5**0.5).log_prob(reading)
print(f"mean {exact_mean:.4f}, sd {exact_sd:.4f}, p {log_evidence.exp():.4f}")

# %% [markdown]
# The same numbers. Play with them: the *likelihood* is $p(\text{sensor} \mid \text{temp})$ at your
# reading, as a function of `temp`. Which `sd` of the sensor puts the posterior's mean halfway? What
# does the posterior's width do as you move the reading away from 15?


# %% tags=["picture=prior_posterior"]
def beliefs(reading, sd):
    y, noise = torch.tensor([reading, sd])
    mean, posterior_sd = normal_posterior(prior_mean, prior_sd, y, noise)
    logs = {
        "prior": dist.Normal(15.0, 2.0).log_prob(grid),
        "likelihood": dist.Normal(grid, noise).log_prob(y),
        "posterior": dist.Normal(mean, posterior_sd).log_prob(grid),
    }
    curves = {name: (grid, log.exp()) for name, log in logs.items()}
    title = f"posterior: mean {mean:.1f}, sd {posterior_sd:.2f}"
    plotting.curves(curves, title=title, xlabel="temp (°C)", ylabel="density")


explore(beliefs, reading=(10.0, 25.0, 18.0), sd=(0.5, 4.0, 1.0))

# %% [markdown]
# Halfway is at `sd` = 2, where the sensor is as imprecise as the prior. The width does not depend
# on the reading at all.
#
# ### 3.3 By variational inference
#
# A grid needs few unknowns, and a formula needs luck. **Variational inference** needs neither: it
# chooses a family of distributions with parameters, and looks for the member that is nearest to the
# posterior. Day 2 explains it. The family is called the **guide**. It is a stochastic function like
# the model, with the same *unobserved* sites, but its distributions have parameters to adjust:
#
# $$q(\text{temp}) = \mathcal{N}(\text{mean},\ \text{scale}^2).$$
#
# A parameter is not a random quantity. `pyro.param(name, initial_value)` declares it, and returns
# its present value; Pyro keeps that value in the *parameter store*, and the optimisation changes it
# there. A parameter that must be positive needs `constraint=constraints.positive` as well.
#
# ### ✏️ Exercise 4: your first guide (8 min)
#
# Write the guide. Its parameters are `mean`, initially 15, and `scale`, initially 1 and always
# positive; its only site is `temp`. It takes the same argument as the model, but ignores it. It
# returns its draw by name, so that draws can be collected later.
#
# <details><summary>Hint</summary>
#
# Initial values are tensors: `torch.tensor(15.0)`. Two lines with `pyro.param`, then one with
# `pyro.sample("temp", ...)`, whose distribution is made from the two parameters.
#
# </details>


# %%
def guide(sensor=None):
    ### BEGIN SOLUTION
    mean = pyro.param("mean", torch.tensor(15.0))
    scale = pyro.param(
        "scale", torch.tensor(1.0), constraint=constraints.positive
    )
    temp = pyro.sample("temp", dist.Normal(mean, scale))
    ### END SOLUTION
    return {"temp": temp}


# %% tags=["nbval-check-output"]
check.guide(guide)

# %% [markdown]
# How near is the guide to the posterior? The yardstick is the **ELBO** (*evidence lower bound*), a
# number that is the larger the nearer the guide is, and at most the log of the evidence. It is the
# average of
#
# $$\ln p(\text{temp}, \text{sensor}) - \ln q(\text{temp})$$
#
# over draws of `temp` from the guide: all that the model has to deliver is its log joint. **SVI**
# (*stochastic* variational inference) estimates the ELBO from a number of draws, follows its
# gradient a small step uphill, and repeats:

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
steps = 1000
optimiser = pyro.optim.ClippedAdam({"lr": 0.3, "lrd": 0.003 ** (1 / steps)})
elbo = Trace_ELBO(512, vectorize_particles=True, max_plate_nesting=0)
svi = SVI(temperature_model, guide, optimiser, elbo)
losses = [svi.step(reading) for _ in range(steps)]

fitted = [pyro.param(name).item() for name in ("mean", "scale")]
draws_one = inference.draw(guide, reading, max_plate_nesting=0)

# %% [markdown]
# - `clear_param_store` forgets all parameters, so that the fit begins at the initial values also
#   when you run the cell again.
# - `ClippedAdam` is Adam, a popular optimiser. Its learning rate falls from 0.3 to 0.0009: long
#   steps to arrive, then short ones to come to rest.
# - `svi.step` calls model and guide with its arguments, averages over 512 draws and makes one step.
#   It returns a *loss*, which is minus the ELBO.
# - The last two lines read the fitted parameters and draw 200,000 times from the guide. They stand
#   in this cell because the parameter store forgets the guide when the next fit begins.
#
# **Did it arrive?** Never trust a fit before you have seen that its ELBO is flat. The unit, *nat*,
# is that of natural logarithms.

# %%
plotting.elbo_curve(losses, evidence=log_evidence.item(), title="Is it flat?")

# %% [markdown]
# Mind the scale: the first steps are far below the picture. The faint line is the estimate of each
# step, the strong one a running average. All answers side by side, with one from a slide of the
# lecture, which prints a fit of this very model:

# %%
answers = {
    "closed form": [float(exact_mean), float(exact_sd)],
    "SVI": fitted,
    "lecture's slide": [17.1155, 0.9070],
}
table = pd.DataFrame(answers, index=["mean", "sd"]).T
table["off by (sd)"] = (table["mean"] - float(exact_mean)) / float(exact_sd)
table.round(4)

# %% [markdown]
# The slide's number looks as good as any other; it is a third of a standard deviation off. Only a
# flat curve says that a fit can be read off.
#
# With the posterior known, *any* question about the temperature has an answer, as a probability:
# the share of draws for which it holds. The sensor reads 18.0. **Predict**: is it more probably
# warmer or colder than that?

# %%
p_above = (draws_one["temp"] > 18).float().mean().item()
exact_p_above = 1 - dist.Normal(exact_mean, exact_sd).cdf(reading).item()
print(f"P(temp > 18) = {p_above:.3f}, exactly {exact_p_above:.3f}")

# %% [markdown]
# Colder, three to one: days above 18 are rare, and a reading a little too high is not.

# %% [markdown]
# ## 4. Ten readings
#
# Over ten days you took ten readings, one a day. Every day has a temperature of its own:
#
# $$\text{temp}_i \sim \mathcal{N}(15,\ 2^2), \qquad
# \text{sensor}_i \mid \text{temp}_i \sim \mathcal{N}(\text{temp}_i,\ 1^2), \qquad i = 1, \dots,
# n.$$
#
# A loop would do, with a number in each name: twenty sites, and Pyro could not see that they are
# ten times the same. A **plate** says: *what is inside is repeated, independently*. It is written
# `with pyro.plate(name, size):` and makes each site inside a vector of `size` independent values
# under one name, in one tensor operation. For example, five tosses of a coin (1 is heads):


# %%
def coin_model(n, heads=None):
    with pyro.plate("tosses", n):
        return pyro.sample("heads", dist.Bernoulli(0.5), obs=heads)


print(coin_model(5))

# %% [markdown]
# ### ✏️ Exercise 5: ten days in a plate (6 min)
#
# Write `days_model`: the model of the formulas above, without a loop. Its sites are `temp` and
# `sensor`, both inside one plate of size `n`, say `days`.
#
# <details><summary>Hint</summary>
#
# Start from the two lines of `temperature_model`, and indent them under the `with`. No indices are
# needed: `temp` is a vector, and so is the mean of `sensor`.
#
# </details>


# %%
def days_model(n, sensor=None):
    ### BEGIN SOLUTION
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.days_model(days_model)

# %%
readings = torch.tensor(
    [18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1]
)
plotting.draw_model(days_model, 10, readings)

# %% [markdown]
# The box is the plate. From now on `AutoNormal(model)` reads the model, and itself writes a guide
# like your first one: for each unobserved quantity a normal with a mean and a scale of its own. And
# the loop of section 3.3 is `inference.fit`. Here is the whole recipe; it prints the ELBO at the
# end and a hundred steps before, which should be the same:

# %%
rates = {"learning_rate": 0.3, "final_learning_rate": 0.001}
settings = {"steps": 1000, "particles": 512, "max_plate_nesting": 1} | rates


def fit_and_draw(model, make_guide, sensor):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    guide = make_guide(model)
    losses = inference.fit(model, guide, len(sensor), sensor, **settings)
    before, after = -sum(losses[-200:-100]) / 100, -sum(losses[-100:]) / 100
    print(f"ELBO {after:.2f}; a hundred steps earlier {before:.2f}")
    return inference.draw(guide, len(sensor), sensor, max_plate_nesting=1)


draws_days = fit_and_draw(days_model, AutoNormal, readings)

# %% [markdown]
# Each day is a problem like that of section 3, so your `normal_posterior` has the exact answer for
# all ten at once:

# %%
exact_days, days_sd = normal_posterior(prior_mean, prior_sd, readings, noise_sd)
svi_days = draws_days["temp"].mean(0)
rows = {"reading": readings, "SVI": svi_days, "exact": exact_days}
pd.DataFrame({k: v.tolist() for k, v in rows.items()}, range(1, 11)).round(2).T

# %% [markdown]
# Each day's estimate is pulled from the reading towards 15, a fifth of the way. But look: *every*
# reading is well above 15.

# %% [markdown]
# ## 5. An unknown mean
#
# ### 5.1 Would this model have made these data?
#
# The **prior predictive** distribution is that of data which a model makes up *before* it has seen
# any. `Predictive(model, num_samples=S, parallel=True)` runs the model S times at once and returns
# the values by site; the model's arguments, here `n = 10`, follow in a second pair of brackets.
#
# **Predict.** `days_model` makes up ten readings, 10,000 times. How often is their average as high
# as that of our ten?

# %%
made_up = Predictive(days_model, num_samples=10_000, parallel=True)(10)
averages = made_up["sensor"].mean(-1)
reach = (averages >= readings.mean()).sum()
plotting.densities(
    {"average of ten made-up readings": averages},
    marks={"observed": readings.mean().item()},
    xlabel="average reading (°C)",
    title=f"{reach} of 10,000 averages reach the observed one",
)

# %% [markdown]
# So the model is wrong, although its fit was perfect: inference answers *given* the model. Ten days
# in a row that are too warm say that it is warmer here than 15 on average.
#
# ### 5.2 A better model
#
# The mean, call it `mean_temp`, is not known, hence it is a random quantity, with a prior. Every
# day's temperature scatters around it. Such a model of several levels is called **hierarchical**:
#
# $$\mathrm{mean\_temp} \sim \mathcal{N}(15,\ 2^2), \qquad
# \text{temp}_i \mid \mathrm{mean\_temp} \sim \mathcal{N}(\mathrm{mean\_temp},\ 2^2), \qquad
# \text{sensor}_i \mid \text{temp}_i \sim \mathcal{N}(\text{temp}_i,\ 1^2).$$
#
# ### ✏️ Exercise 6: a hierarchical model (6 min)
#
# Write `hierarchical_model`, with the sites `mean_temp`, `temp` and `sensor`, and the days in a plate
# of size `n`.
#
# <details><summary>Hint</summary>
#
# There is *one* `mean_temp`, and there are `n` temperatures and `n` readings. Which of the three
# sites belong inside the plate?
#
# </details>


# %%
def hierarchical_model(n, sensor=None):
    ### BEGIN SOLUTION
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.hierarchical_model(hierarchical_model)

# %%
plotting.draw_model(hierarchical_model, 10, readings)

# %% [markdown]
# In the posterior, `mean_temp` and the temperatures depend on each other: if the mean were higher,
# each day would have been a little warmer. The guide should be able to say so:
# `AutoMultivariateNormal` is *one* normal distribution over all eleven unknowns, correlations
# included.
#
# Also here there is an exact answer. The average of $n$ readings is itself a reading of
# `mean_temp`, with variance $(2^2 + 1^2) / n$. Given `mean_temp`, each temperature is four fifths
# of its reading plus one fifth of `mean_temp`, with variance $4/5$; what is not known about
# `mean_temp` adds $(1/5)^2$ of its variance.

# %%
draws = fit_and_draw(hierarchical_model, AutoMultivariateNormal, readings)

noise_of_average = torch.tensor((5 / 10) ** 0.5)
exact_mean_temp, exact_mean_temp_sd = normal_posterior(
    prior_mean, prior_sd, readings.mean(), noise_of_average
)
exact_temp = 4 / 5 * readings + 1 / 5 * exact_mean_temp
exact_temp_sd = (4 / 5 + exact_mean_temp_sd**2 / 25) ** 0.5

around = torch.linspace(6.0, 24.0, 400)
posterior = dist.Normal(exact_mean_temp, exact_mean_temp_sd)
prior_draws = dist.Normal(15.0, 2.0).sample((200_000,))
plotting.densities(
    {"prior": prior_draws, "posterior (SVI)": draws["mean_temp"]},
    exact=(around, posterior.log_prob(around).exp()),
    marks={"average": readings.mean().item()},
    xlabel="mean_temp (°C)",
    title="What ten readings say about mean_temp",
)

# %% [markdown]
# The posterior lies a little below the average of the readings, for the prior still counts.
#
# What became of the single days? The field's own tool for draws is [ArviZ](https://www.arviz.org),
# which has a table and many pictures. It wants draws by chain; ours are one chain. **Predict** for
# day 6, with its reading of 22.4: is the temperature now estimated higher or lower than with the
# mean fixed at 15?

# %%
from arviz_base import from_dict
from arviz_plots import plot_forest
from arviz_stats import summary


def for_arviz(temp):
    chain = {"temp": temp[None, :20_000].numpy(force=True)}
    day = {"day": range(1, 11)}
    return from_dict({"posterior": chain}, coords=day, dims={"temp": ["day"]})


posteriors = {
    "reading": for_arviz(readings.expand(20_000, 10)),
    "mean fixed at 15": for_arviz(draws_days["temp"]),
    "mean learnt": for_arviz(draws["temp"]),
}
picture = plot_forest(
    posteriors,
    labels=["day"],
    ci_probs=(0.5, 0.9),
    aes={"color": ["model"], "linestyle": ["model"]},
    figure_kwargs={"figsize": (7, 4.5)},
)
picture.add_legend("model")
plt.xlabel("temperature (°C)")
summary(posteriors["mean learnt"], kind="stats", ci_prob=0.9)

# %% [markdown]
# The bars hold 50% and 90% of the draws. The first model pulls every day towards 15, the second
# towards what it has learnt is normal here: part of the 22.4 degrees is still the sensor's error,
# but less of it, and the coldest day, the fourth, is now estimated *warmer* than its reading.
#
# ### 5.3 Does it pass?
#
# The **posterior predictive** distribution is that of new data after the old ones. `Predictive`
# makes them if it is given posterior draws. New days have temperatures of their own, so hand over
# the draws of `mean_temp` only; `Predictive` draws the rest from the model.

# %%
known = {"mean_temp": draws["mean_temp"]}
made_up = Predictive(hierarchical_model, known, parallel=True)(10)["sensor"]
as_high = (made_up.mean(-1) >= readings.mean()).float().mean()
as_even = (made_up.std(-1) <= readings.std()).float().mean()
print(f"{as_high:.0%} of the made-up averages reach the observed one")
print(f"{as_even:.0%} of the made-up tens scatter as little as the readings")

p_next = (made_up[:, 0] > 21).float().mean().item()
next_reading = dist.Normal(exact_mean_temp, (5 + exact_mean_temp_sd**2) ** 0.5)
exact_p_next = 1 - next_reading.cdf(torch.tensor(21.0)).item()
print(f"P(next reading > 21) = {p_next:.3f}, exactly {exact_p_next:.3f}")

# %% [markdown]
# The average is what the model has learnt, so that much was to be expected. The scatter is a test
# that it could have failed: the readings scatter less than most that it makes up, but not so little
# that you would have to give the model up. And a model that passes may be asked about tomorrow: the
# last line is the share of made-up first days above 21 degrees.

# %% [markdown]
# ## 6. Scorecard
#
# What variational inference told us, beside the exact answers; `temp_6` is the hottest day, and the
# odds of a probability are $p / (1 - p)$. Above the table stands what can be said of the guide of
# section 3.3 *without* the exact answer, from $\ln p(\text{temp}, \text{sensor}) - \ln
# q(\text{temp})$ of its draws (constants do not matter): trust it if Pareto k̂ is below 0.7. Day 2
# explains that.

# %%
approximate = {
    "E[temp | sensor = 18]": draws_one["temp"].mean(),
    "sd[temp | sensor = 18]": draws_one["temp"].std(),
    "P(temp > 18 | sensor = 18)": p_above,
    "E[mean_temp]": draws["mean_temp"].mean(),
    "sd[mean_temp]": draws["mean_temp"].std(),
    "P(next reading > 21)": p_next,
    "E[temp_6 | mean fixed]": draws_days["temp"][:, 5].mean(),
    "sd[temp_6 | mean fixed]": draws_days["temp"][:, 5].std(),
    "E[temp_6 | mean learnt]": draws["temp"][:, 5].mean(),
    "sd[temp_6 | mean learnt]": draws["temp"][:, 5].std(),
}
truth = [exact_mean, exact_sd, exact_p_above]
truth += [exact_mean_temp, exact_mean_temp_sd, exact_p_next]
truth += [exact_days[5], days_sd, exact_temp[5], exact_temp_sd]
exact = dict(zip(approximate, truth, strict=True))

# %%
drawn = draws_one["temp"].cpu().double()
log_p = -((drawn - 15) ** 2) / 8 - (18 - drawn) ** 2 / 2
log_q = -(((drawn - fitted[0]) / fitted[1]) ** 2) / 2
trust = inference.trust(log_p - log_q)

scorecard = make_scorecard(approximate, exact)
show_scorecard(scorecard, trust=trust)

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.02, sd=0.02, probability=0.006)

# %% [markdown]
# ## After class
#
# ### A.1 Maximum likelihood
#
# The classical way to an unknown mean: take the value of `mean_temp` that makes the data most
# probable. It is then a number to be optimised, and that is a `pyro.param`, this time in the
# *model*:


# %%
def ml_model(n, sensor=None):
    mean_temp = pyro.param("mean_temp", torch.tensor(15.0))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


fit_and_draw(ml_model, AutoNormal, readings)
ml_mean = pyro.param("mean_temp").item()
average = readings.mean()
greatest = dist.Normal(average, 5**0.5).log_prob(readings).sum()
print(f"mean_temp: {ml_mean:.2f} by SVI, {average:.2f} exactly")
print(f"greatest log likelihood {greatest:.2f}")
plotting.draw_model(ml_model, 10, readings)

# %% [markdown]
# The small blue box is a parameter: it has no distribution. Why is that maximum likelihood? SVI
# raises the ELBO in all parameters, those of the guide and those of the model. For each `mean_temp`
# the guide comes as near to the posterior as it can; here it can *be* the posterior, so the ELBO
# becomes the log evidence, which is the log likelihood of `mean_temp`. Without the temperatures in
# between, a reading is $\text{sensor}_i \sim \mathcal{N}(\mathrm{mean\_temp},\ 2^2 + 1^2)$; the
# likelihood of that is greatest at the average of the readings.
#
# What does the Bayesian answer add? Take only the first reading, the first three, or all ten, and
# ask for tomorrow's reading. Its standard deviation by maximum likelihood is always $\sqrt{5}$, for
# the estimate is taken for the truth; Bayes adds what is not known about `mean_temp`. **Predict**
# the row of a single reading.

# %%
rows = {}
for n in (1, 3, 10):
    noise_of_average = torch.tensor((5 / n) ** 0.5)
    mean, sd = normal_posterior(
        prior_mean, prior_sd, readings[:n].mean(), noise_of_average
    )
    rows[n] = {
        "estimate (ML)": readings[:n].mean().item(),
        "E[mean_temp]": mean.item(),
        "sd[mean_temp]": sd.item(),
        "next sd (ML)": 5**0.5,
        "next sd (Bayes)": (5 + sd.item() ** 2) ** 0.5,
    }
pd.DataFrame(rows).T.rename_axis("readings").round(2)

# %% [markdown]
# After one reading, two standard deviations either way reach from 13 to 19 degrees: little is
# known, and Bayes says so. Maximum likelihood says 18.00.
#
# ### A.2 Unknown noise
#
# So far you took the manufacturer's word that the sensor's error is one degree. Can the ten days
# tell? A reading's variance is $\text{spread}^2 + \text{noise}^2$, where the days differ by
# `spread`. Which of these values do the data like best?

# %%
pairs = [(2.0, 0.01), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0), (1.0, 1.0)]
rows = []
for spread, error in pairs:
    total = dist.Normal(average, (spread**2 + error**2) ** 0.5)
    rows.append([spread, error, total.log_prob(readings).sum().item()])
pd.DataFrame(rows, columns=["spread", "noise", "log likelihood"]).round(2)

# %% [markdown]
# As long as the spread of the days is known to be 2, the data do tell, if little: the less noise
# the better, because the readings scatter by less than 2 as it is. If the spread is unknown as
# well, they cannot: days that differ by 2 with a noise of 1 look like days that differ by 1 with a
# noise of 2, as the equal rows show. Only the sum of the two variances leaves a trace. Such
# parameters are *not identifiable*; more data of the same kind would not help, other data do.
#
# So let the story be another one: the ten readings were taken **in one afternoon, of one
# temperature**. Then the scatter among them is the noise. Its prior says "about 1, give or take a
# factor of 1.65", and keeps it positive: $\ln \text{noise} \sim \mathcal{N}(0, 0.5^2)$, a
# log-normal distribution.


# %%
def noise_model(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    noise = pyro.sample("noise", dist.LogNormal(0.0, 0.5))
    with pyro.plate("readings", n):
        pyro.sample("sensor", dist.Normal(temp, noise), obs=sensor)


# %% [markdown]
# Two unknowns, no formula, but a grid still does: 501 temperatures times 401 values of $\ln
# \text{noise}$, in double precision. The function takes the likelihood as an argument, because you
# will need it again with another one.


# %%
def exact_on_grid(likelihood, sensor):
    double = {"dtype": torch.float64, "device": "cpu"}
    temp = torch.linspace(5, 25, 501, **double)[:, None]
    log_noise = torch.linspace(-2, 3, 401, **double)[None, :]
    log_joint = -((temp - 15) ** 2) / 8 - log_noise**2 / 0.5
    for y in sensor.cpu().double():
        log_joint = log_joint + likelihood(temp, log_noise.exp()).log_prob(y)
    weight = log_joint.flatten().softmax(0).reshape(501, 401)
    return {
        "temp": (temp[:, 0], weight.sum(1)),
        "noise": (log_noise[0].exp(), weight.sum(0)),
    }


draws_noise = fit_and_draw(noise_model, AutoMultivariateNormal, readings)
exact_noise = exact_on_grid(dist.Normal, readings)

values, weight = exact_noise["noise"]
log_step = (values[1] / values[0]).log()
plotting.densities(
    {"SVI": draws_noise["noise"]},
    exact=(values, weight / (values * log_step)),
    marks={"promised": 1.0},
    xlabel="noise (°C)",
    title="What ten readings of one temperature say about the noise",
)
p_worse = (draws_noise["noise"] > 1).float().mean().item()
exact_p_worse = weight[values > 1].sum().item()
print(f"P(noise > 1 | data) = {p_worse:.2f}, exactly {exact_p_worse:.2f}")

# %% [markdown]
# This is the first picture in which SVI and the exact curve differ. The guide is a normal
# distribution over `temp` and $\ln \text{noise}$; the exact posterior has a longer tail to the
# right than that allows. It is no fault of the optimiser, for the ELBO is flat: a guide can only
# choose from its family.
#
# ### A.3 A broken sensor
#
# The same afternoon, an eleventh reading: 35.0. For a moment the sensor must have been in the sun.
# **Predict**: what does the model believe now if the noise is known to be 1, and what if it is
# unknown?

# %%
broken = torch.cat([readings, torch.tensor([35.0])])
known_mean, known_sd = normal_posterior(
    prior_mean, prior_sd, broken.mean(), torch.tensor(11**-0.5)
)
draws_broken = fit_and_draw(noise_model, AutoMultivariateNormal, broken)
print(f"noise known to be 1: temp = {known_mean:.1f} ± {known_sd:.1f}")
for name, d in {"ten": draws_noise, "eleven": draws_broken}.items():
    mean, sd = d["temp"].mean(), d["temp"].std()
    print(f"unknown, {name}: temp = {mean:.1f} ± {sd:.1f}", end=", ")
    print(f"noise = {d['noise'].mean():.1f}")

# %% [markdown]
# If the noise is known, the 35.0 counts as much as any reading: the model is *sure* of a
# temperature that only three of the eleven readings reach. If it is unknown, the model saves itself
# by giving up on the sensor, and what the ten good readings knew is lost. No inference can mend
# that: the *model* says that errors are normal, and under a normal distribution a wild one is
# nearly impossible.
#
# **Student's t** distribution looks like a normal in the middle, but has *heavy tails*: wild values
# are rare, not impossible. `dist.StudentT(df, loc, scale)` has a third argument, the *degrees of
# freedom*; the smaller it is, the heavier the tails. The log density at 10 scales from the middle:

# %%
ten = torch.tensor(10.0)
print(f"Normal(0, 1):      {dist.Normal(0.0, 1.0).log_prob(ten):.1f}")
print(f"StudentT(3, 0, 1): {dist.StudentT(3.0, 0.0, 1.0).log_prob(ten):.1f}")

# %% [markdown]
# ### ✏️ Exercise 7: a robust model (8 min)
#
# Write `robust_model`: as `noise_model`, but with
#
# $$\text{sensor}_i \mid \text{temp}, \text{noise} \sim
# \text{StudentT}(\text{df} = 3,\ \text{loc} = \text{temp},\ \text{scale} = \text{noise}).$$
#
# The priors stay: $\text{temp} \sim \mathcal{N}(15, 2^2)$ and $\ln \text{noise} \sim \mathcal{N}(0,
# 0.5^2)$.
#
# <details><summary>Hint</summary>
#
# One line of `noise_model` changes. Mind the order of the three arguments.
#
# </details>


# %%
def robust_model(n, sensor=None):
    ### BEGIN SOLUTION
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    noise = pyro.sample("noise", dist.LogNormal(0.0, 0.5))
    with pyro.plate("readings", n):
        pyro.sample("sensor", dist.StudentT(3.0, temp, noise), obs=sensor)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.robust_model(robust_model)

# %%
draws_robust = fit_and_draw(robust_model, AutoMultivariateNormal, broken)
exact_robust = exact_on_grid(
    lambda temp, noise: dist.StudentT(3.0, temp, noise), broken
)
values, weight = exact_robust["temp"]
plotting.densities(
    {
        "ten good readings": draws_noise["temp"],
        "... and 35.0": draws_broken["temp"],
        "... and 35.0, robust model": draws_robust["temp"],
    },
    exact=(values, weight / (values[1] - values[0])),
    xlabel="temp (°C)",
    title="What one bad reading does (exact: of the robust model)",
)

# %% [markdown]
# How does it do that? Nobody told it which reading is the bad one. Under Student's t with 3 degrees
# of freedom a reading counts with a weight proportional to $4 / (3 + z^2)$, where $z$ is its
# distance from `temp` in units of `noise` (Lange, Little and Taylor 1989). At the posterior means,
# relative to a reading at $z = 0$:

# %%
z = (broken - draws_robust["temp"].mean()) / draws_robust["noise"].mean()
weights = (3 / (3 + z**2)).tolist()
pd.DataFrame({"reading": broken.tolist(), "weight": weights}).round(2).T

# %% [markdown]
# The 35.0 is all but ignored. That has a price: honest readings that are a little off, such as 22.4
# and 17.8, count less as well.
#
# In these two sections the posterior is not normal, so a normal guide cannot be exact. How far off
# is it?

# %%
exact_broken = exact_on_grid(dist.Normal, broken)
cases = {
    "ten, normal": (draws_noise, exact_noise),
    "eleven, normal": (draws_broken, exact_broken),
    "eleven, Student's t": (draws_robust, exact_robust),
}
rows = {}
for case, (d, truths) in cases.items():
    for site in ("temp", "noise"):
        values, weight = truths[site]
        mean = (weight * values).sum()
        sd = (weight * (values - mean) ** 2).sum().sqrt()
        error = (d[site].mean().item() - mean) / sd
        row = [error.item(), d[site].std().item() / sd.item() - 1]
        rows[case, site] = row
columns = ["error of the mean (sd)", "error of the sd (relative)"]
pd.DataFrame(rows, index=columns).T.round(3)

# %% [markdown]
# The means are good, but every standard deviation is too small here: the guide has not the form of
# the posterior, and as the ELBO is flat, more steps do not help. Day 2 says more about this error.

# %% [markdown]
# ## Going further
#
# - **The other ready-made guide.** Fit `hierarchical_model` with `AutoNormal`, which treats all
#   unknowns as independent. Which standard deviation suffers most, and what does the ELBO say?
# - **A mixture.** Describe the broken sensor differently: each reading is good with probability
#   0.95, and otherwise has an error of 10 degrees. The density of such a reading is a weighted sum
#   of two normals (`dist.MixtureSameFamily`). Does it believe the same as Student's t? With five
#   bad readings of fifteen?
# - **Two sensors.** A second, better sensor (error 0.3) was read on the last three days. Extend
#   `hierarchical_model`. What do the other seven days learn from it?
#
# ### References
#
# - E. Bingham, J. P. Chen, M. Jankowiak, F. Obermeyer, N. Pradhan, T. Karaletsos, R. Singh, P.
#   Szerlip, P. Horsfall and N. D. Goodman (2019). Pyro: Deep universal probabilistic programming.
#   *Journal of Machine Learning Research* 20(28), 1–6.
#   [jmlr.org/papers/v20/18-403](https://jmlr.org/papers/v20/18-403.html).
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer. [Microsoft
#   Research](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/).
# - A. Gelman, J. B. Carlin, H. S. Stern, D. B. Dunson, A. Vehtari and D. B. Rubin (2013). *Bayesian
#   Data Analysis*, third edition. CRC Press. Chapter 5: hierarchical models; chapter 6: predictive
#   checks. [doi:10.1201/b16018](https://doi.org/10.1201/b16018).
# - R. Kumar, C. Carroll, A. Hartikainen and O. Martin (2019). ArviZ: a unified library for
#   exploratory analysis of Bayesian models in Python. *Journal of Open Source Software* 4(33),
#   1143. [doi:10.21105/joss.01143](https://doi.org/10.21105/joss.01143).
# - K. L. Lange, R. J. A. Little and J. M. G. Taylor (1989). Robust statistical modeling using the t
#   distribution. *Journal of the American Statistical Association* 84(408), 881–896.
#   [doi:10.1080/01621459.1989.10478852](https://doi.org/10.1080/01621459.1989.10478852).
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. [arXiv:1908.03442](https://arxiv.org/abs/1908.03442).
# - A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J. Gabry (2024). Pareto smoothed importance
#   sampling. *Journal of Machine Learning Research* 25(72), 1–58.
#   [jmlr.org/papers/v25/19-556](https://jmlr.org/papers/v25/19-556.html).
