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
# - say with a plate that observations are independent, and what that buys;
# - learn an unknown mean by maximum likelihood and by Bayes' rule, and say what the second adds;
# - predict new data, and see in time that a model does not fit the old ones.
#
# **Time:** 90 minutes. **Before:** Day 1, notebook 1. You need `dist.Normal`, `sample`, `log_prob`
# and shapes.
#
# Eight exercises are marked ✏️. The cell after each one checks your answer and gives a hint if
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
import math
import time

from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import SVI, Predictive, Trace_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from checks import probabilistic_models as check
from utils import inference
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. A model is a stochastic function
#
# A **probabilistic model** tells a story of how data come about, chance included. In Pyro the story
# is a Python function that draws random numbers: a *stochastic* function. Here is a short one. You
# wait for a bus for up to 10 minutes; the ride then takes 15 minutes, give or take 2 (the standard
# deviation):
#
# $$\text{wait} \sim \mathcal{U}(0, 10), \qquad
# \text{journey} \mid \text{wait} \sim \mathcal{N}(\text{wait} + 15,\ 2^2).$$
#
# The sign $\sim$ is read "has the distribution"; $\mathcal{U}$ is a uniform distribution, and
# $\mathcal{N}(\mu, \sigma^2)$ a normal one with mean $\mu$ and variance $\sigma^2$. In code it is
# `dist.Normal(mu, sigma)`, with the **standard deviation**: here 2, not 4.


# %%
def journey_model(journey=None):
    wait = pyro.sample("wait", dist.Uniform(0.0, 10.0))
    return pyro.sample("journey", dist.Normal(wait + 15.0, 2.0), obs=journey)


# %% [markdown]
# `pyro.sample(name, distribution)` draws a value, as `distribution.sample()` does, **and** tells
# Pyro that there is a random quantity of this name: a *sample site*, or site for short. The name
# must be a string, and different for each site. The second site depends on the first, simply
# because its distribution is made from `wait`. Every call tells the story anew:

# %%
print("five journeys (minutes):", [round(journey_model().item(), 1) for _ in range(5)])

# %% [markdown]
# The argument `obs=` is for data. If it is a value, the site is **observed**: nothing is drawn, the
# site *has* this value (a tensor, such as `torch.tensor(27.0)`). If it is `None`, as in these five
# calls, the site is drawn. So one function serves to make up data and to take them in; section 2
# shows the second.
#
# Now the model of this notebook. The temperature outdoors, in °C, is 15 give or take 2. You
# cannot see it; you read it off a cheap sensor, whose error is about one degree:
#
# $$\text{temp} \sim \mathcal{N}(15,\ 2^2), \qquad
# \text{sensor} \mid \text{temp} \sim \mathcal{N}(\text{temp},\ 1^2).$$
#
# ### ✏️ Exercise 1: your first model
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
# A model is easily simulated. Five thousand readings, and how they scatter:

# %%
simulated = torch.stack([temperature_model() for _ in range(5000)])
print(f"mean {simulated.mean():.2f}, standard deviation {simulated.std():.2f}")

# %% [markdown]
# The readings scatter more than the temperature does: the variances of two independent causes add
# up, $2^2 + 1^2 = 5$, and $\sqrt{5} \approx 2.24$.

# %% [markdown]
# ## 2. What Pyro knows about a model
#
# A function can be more than called. `poutine.trace(model)` runs the model once and writes down
# everything that happens at its sites: the **trace** of this run. (`poutine` is the part of
# Pyro that watches and changes how functions run.)

# %%
trace = poutine.trace(temperature_model).get_trace()
print(list(trace.nodes))

# %% [markdown]
# Between the arguments and the returned value you find your sites. For each of them the trace holds
# the distribution, the value, whether it was observed, and the logarithm of the value's density. A
# table shows that best:


# %%
def table_of_sites(trace):
    trace.compute_log_prob()
    rows = {
        name: {
            "distribution": f"Normal({site['fn'].loc:.2f}, {site['fn'].scale:.2f})",
            "value": site["value"].item(),
            "observed": site["is_observed"],
            "log density": site["log_prob"].item(),
        }
        for name, site in trace.nodes.items()
        if site["type"] == "sample"
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("site")


table_of_sites(trace)

# %% [markdown]
# The distribution of `sensor` has the value of `temp` as its mean: this is how one site
# depends on the other. The sum of the last column is
#
# $$\ln p(\text{temp}, \text{sensor}) =
# \ln p(\text{temp}) + \ln p(\text{sensor} \mid \text{temp}),$$
#
# the log of the **joint** density of all sites, or *log joint*: how probable the model finds this
# whole run. `trace.log_prob_sum()` computes it.

# %%
by_hand = table_of_sites(trace)["log density"].sum()
print(f"{trace.log_prob_sum():.4f} = {by_hand:.4f}")

# %% [markdown]
# Pyro can also draw the structure, from the code that you wrote. An arrow says that one site's
# distribution depends on another site's value, and a grey site is observed.

# %%
figure, axes = plt.subplots(1, 2, figsize=(5, 2.2), layout="none")
plotting.draw_model(temperature_model, title="no data", ax=axes[0])
plotting.draw_model(temperature_model, torch.tensor(18.0), title="sensor = 18.0", ax=axes[1])

# %% [markdown]
# ### Two ways to bring in data
#
# With `obs=` the author of a model says which site can be observed. `pyro.condition(model,
# data={name: value, ...})` does the same from outside, for *any* sites: it returns a new model
# in which these sites have the given values. Compare:

# %%
reading = torch.tensor(18.0)
from_outside = pyro.condition(temperature_model, data={"sensor": reading})

pyro.set_rng_seed(SEED)
table_of_sites(poutine.trace(from_outside).get_trace())

# %%
pyro.set_rng_seed(SEED)
table_of_sites(poutine.trace(temperature_model).get_trace(sensor=reading))

# %% [markdown]
# The two are one and the same. And note what observing does *not* do: `temp` was drawn from
# $\mathcal{N}(15, 2^2)$ as before, as if there were no reading. Drawing conclusions from the data
# is the business of *inference*, in section 3. What inference needs from a model is the log joint,
# at values of its own choice.
#
# ### ✏️ Exercise 2: the log joint
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
    conditioned = pyro.condition(temperature_model, data={"temp": temp, "sensor": sensor})
    total = poutine.trace(conditioned).get_trace().log_prob_sum()
    ### END SOLUTION
    return total


# %% tags=["nbval-check-output"]
check.log_joint(log_joint)

# %% [markdown]
# ## 3. One reading
#
# The sensor says 18.0. How warm is it? Before the reading you believed in $\mathcal{N}(15, 2^2)$,
# the **prior**. What you should believe now is the **posterior**,
# $p(\text{temp} \mid \text{sensor} = 18.0)$. Bayes' rule:
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
# With one unknown, an integral is nearly a sum over a fine grid. Your `log_joint`, at 1001
# temperatures:

# %%
grid = torch.linspace(5.0, 25.0, 1001)
log_joint_on_grid = torch.tensor([float(log_joint(temp, reading)) for temp in grid])

# %% [markdown]
# ### ✏️ Exercise 3: Bayes' rule on a grid
#
# Complete `bayes_on_grid`. From the log joint at the grid's points, which are `step` apart, compute
#
# $$\text{evidence} = \sum_k p(\text{temp}_k, \text{sensor}) \cdot \text{step}, \qquad
# \text{density}_k = \frac{p(\text{temp}_k, \text{sensor})}{\text{evidence}}.$$
#
# <details><summary>Hint</summary>
#
# You are given *logarithms*: `.exp()` first. The rest is the two formulas.
#
# </details>


# %%
def bayes_on_grid(log_joint_on_grid, grid):
    step = grid[1] - grid[0]
    ### BEGIN SOLUTION
    joint = log_joint_on_grid.exp()
    evidence = joint.sum() * step
    density = joint / evidence
    ### END SOLUTION
    return density, evidence


# %% tags=["nbval-check-output"]
check.bayes_on_grid(bayes_on_grid)

# %% [markdown]
# Prior, likelihood and posterior in one picture. The *likelihood* is
# $p(\text{sensor} = 18 \mid \text{temp})$, read as a function of `temp`: which temperatures explain
# the reading well.

# %%
grid_density, evidence = bayes_on_grid(log_joint_on_grid, grid)
plotting.curves(
    {
        "prior": (grid, dist.Normal(15.0, 2.0).log_prob(grid).exp()),
        "likelihood of 18.0": (grid, dist.Normal(grid, 1.0).log_prob(reading).exp()),
        "posterior": (grid, grid_density),
    },
    xlabel="temp (°C)",
    ylabel="density",
    title="The posterior lies between prior and reading, and is narrower than both",
)
# %% [markdown]
# You believe the sensor more than the prior, because it is the more precise of the two. In numbers,
# the mean E and the standard deviation sd of the posterior:

# %%
step = grid[1] - grid[0]
grid_mean = (grid_density * grid).sum() * step
grid_sd = ((grid_density * (grid - grid_mean) ** 2).sum() * step).sqrt()
print(f"E[temp | sensor = 18]  = {grid_mean:.4f}")
print(f"sd[temp | sensor = 18] = {grid_sd:.4f}")
print(f"p(sensor = 18)         = {evidence:.4f}")

# %% [markdown]
# ### 3.2 In closed form
#
# A normal prior and a normal likelihood have a normal posterior, and there is a formula for it
# (Bishop 2006, sec. 2.3.6). It is easiest in terms of **precision**, one over the variance: *the
# precisions add up, and the means are averaged with the precisions as weights.* With prior
# $\mathcal{N}(\mu_0, \sigma_0^2)$ and a reading $y \sim \mathcal{N}(\text{temp}, \sigma^2)$, the
# posterior is $\mathcal{N}(m, s^2)$ with
#
# $$\frac{1}{s^2} = \frac{1}{\sigma_0^2} + \frac{1}{\sigma^2}, \qquad
# m = s^2 \left( \frac{\mu_0}{\sigma_0^2} + \frac{y}{\sigma^2} \right).$$
#
# ### ✏️ Exercise 4: two normals make a normal
#
# Complete `normal_posterior` with these formulas: `mean` is $m$, and `sd` is $s$ (**not** $s^2$).
# All arguments are tensors: single numbers, or vectors for many readings at once.
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
exact_log_evidence = dist.Normal(15.0, math.sqrt(5)).log_prob(reading).item()
print(f"E[temp | sensor = 18]  = {exact_mean:.4f}")
print(f"sd[temp | sensor = 18] = {exact_sd:.4f}")
print(f"p(sensor = 18)         = {math.exp(exact_log_evidence):.4f}")

# %% [markdown]
# The same numbers, to four decimals. (The evidence is a density of $\mathcal{N}(15, 5)$, the
# distribution of readings that you simulated in section 1.)
#
# ### 3.3 By variational inference
#
# A grid needs few unknowns, and a formula needs luck. The method of this course needs neither.
# **Variational inference** turns the question into an optimisation: choose a family of
# distributions with parameters, and look for the member that is nearest to the posterior. Today you
# use it as a tool; Day 2 explains it. The family is called the **guide**. It is a stochastic
# function like the model, with the same *unobserved* sites, but its distributions have parameters
# to adjust:
#
# $$q(\text{temp}) = \mathcal{N}(\text{mean},\ \text{scale}^2).$$
#
# A parameter is not a random quantity. `pyro.param(name, initial_value)` declares it, and returns
# its present value; Pyro keeps that value in the *parameter store*, and the optimisation changes it
# there. A parameter that must be positive needs `constraint=constraints.positive` as well.
#
# ### ✏️ Exercise 5: your first guide
#
# Write the guide. Its parameters are `mean`, initially 15, and `scale`, initially 1 and always
# positive; its only site is `temp`. It takes the same argument as the model, but ignores it. (It
# returns its draw by name, so that draws can be collected later.)
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
    scale = pyro.param("scale", torch.tensor(1.0), constraint=constraints.positive)
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
# over draws of `temp` from the guide: again, all that the model has to deliver is its log joint.
# **SVI** (*stochastic* variational inference) estimates the ELBO from a number of draws, follows
# its gradient (the slope in each parameter) a small step uphill, and repeats. This is the whole
# loop, once:

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()

steps, learning_rate, final_learning_rate = 1000, 0.3, 0.003
decay = (final_learning_rate / learning_rate) ** (1 / steps)
optimiser = pyro.optim.ClippedAdam({"lr": learning_rate, "lrd": decay})
elbo = Trace_ELBO(num_particles=512, vectorize_particles=True, max_plate_nesting=0)
svi = SVI(temperature_model, guide, optimiser, elbo)

losses, path = [], []
for _ in range(steps):
    losses.append(svi.step(reading))
    path.append(pyro.param("mean").item())

# %% [markdown]
# - `pyro.clear_param_store()` forgets all parameters, so that the fit starts from the initial
#   values also when you run the cell again; `set_rng_seed` makes the run repeatable.
# - `svi.step(reading)` calls model and guide with these arguments, and makes one step. It returns a
#   *loss*, which is minus the ELBO: optimisers make things small.
# - `ClippedAdam` is Adam, a popular optimiser. Its *learning rate* says how long the steps are:
#   long at first, to arrive quickly, and then shorter and shorter (`lrd` is the factor from one
#   step to the next), to come to rest.
# - `num_particles=512`: each step averages over 512 draws. More draws, less noise.
#   `vectorize_particles=True` evaluates them at once, as one tensor. (For that it has to
#   know how many plates are nested: none, hence `max_plate_nesting=0`. Plates come in section 4.)
#
# **Did it arrive?** Never trust a fit before you have seen that its ELBO is flat. The unit, *nat*,
# is that of natural logarithms.

# %%
plotting.elbo_curve(
    losses,
    evidence=exact_log_evidence,
    title="To a thousandth of a nat, the ELBO settles at the exact log evidence",
)
# %% [markdown]
# Mind the scale: the first steps are far below the picture, whose whole height is a few thousandths
# of a nat. The faint line is the estimate of each step, which may exceed the bound by chance; the
# strong one is a running average. This fit has arrived. What did the parameter `mean` do in the
# first 200 steps?

# %%
plotting.curves(
    {"mean": (torch.arange(200), torch.tensor(path[:200]))},
    exact=(torch.tensor([0, 200]), exact_mean.repeat(2)),
    xlabel="step",
    ylabel="mean (°C)",
    title="Whoever stops too early reads off a number that depends on when",
)
# %% [markdown]
# That happens. On one slide of the lecture that this course accompanies, a fit of this very model
# prints `Normal(loc: 17.1155, scale: 0.9070)`. All answers side by side; the last column is the
# distance of the mean from the exact one, in posterior standard deviations:

# %%
fitted_mean, fitted_scale = pyro.param("mean").item(), pyro.param("scale").item()
answers = {
    "closed form": (float(exact_mean), float(exact_sd)),
    "grid": (grid_mean.item(), grid_sd.item()),
    "SVI": (fitted_mean, fitted_scale),
    "lecture's slide": (17.1155, 0.9070),
}
rows = {
    name: [*pair, (pair[0] - float(exact_mean)) / float(exact_sd)] for name, pair in answers.items()
}
pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "off by (sd)"]).round(4)

# %%
near = torch.linspace(13.5, 21.5, 300)
plotting.curves(
    {
        name: (near, dist.Normal(*answers[name]).log_prob(near).exp())
        for name in ("SVI", "lecture's slide")
    },
    exact=(near, dist.Normal(exact_mean, exact_sd).log_prob(near).exp()),
    xlabel="temp (°C)",
    ylabel="density",
    title="SVI finds the posterior; the slide shows a fit that had not arrived",
)
# %% [markdown]
# With the posterior known, *any* question about the temperature has an answer, as a probability:
# the share of draws for which it holds. `inference.draw` draws 200,000 times from a guide and
# returns the draws by site.

# %%
draws_one = inference.draw(guide, reading, max_plate_nesting=0)
p_above = (draws_one["temp"] > 18).float().mean().item()
exact_p_above = 1 - dist.Normal(exact_mean, exact_sd).cdf(reading).item()
print(f"P(temp > 18 | sensor = 18) = {p_above:.3f}, exactly {exact_p_above:.3f}")

# %% [markdown]
# The sensor reads 18.0, and yet it is three times as probable that the temperature is below 18 as
# above: days above 18 are rare, and a reading a little too high is not.

# %% [markdown]
# ## 4. Ten readings
#
# Over ten days you took ten readings, one a day. Every day has a temperature of its own:
#
# $$\text{temp}_i \sim \mathcal{N}(15,\ 2^2), \qquad
# \text{sensor}_i \mid \text{temp}_i \sim \mathcal{N}(\text{temp}_i,\ 1^2), \qquad i = 1, \dots,
# n.$$

# %%
readings = torch.tensor([18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1])

# %% [markdown]
# ### With a loop
#
# The obvious way: a loop, with a number in each name, for every site needs a name of its own.
# (`n` is a separate argument so that the model can also make up data when there are none.)


# %%
def loop_model(n, sensor=None):
    for i in range(n):
        temp = pyro.sample(f"temp_{i}", dist.Normal(15.0, 2.0))
        observed = None if sensor is None else sensor[i]
        pyro.sample(f"sensor_{i}", dist.Normal(temp, 1.0), obs=observed)


plotting.draw_model(loop_model, 10, readings)

# %% [markdown]
# Twenty sites, and Pyro cannot see that they are ten times the same.
#
# ### With a plate
#
# A **plate** says: *what is inside is repeated, independently*. `with pyro.plate(name, size):`
# makes each site inside a vector of `size` independent values under one name, and works on all of
# them in one tensor operation. For example, five tosses of a coin (1 is heads):


# %%
def coin_model(n, heads=None):
    with pyro.plate("tosses", n):
        return pyro.sample("heads", dist.Bernoulli(0.5), obs=heads)


print(coin_model(5))

# %% [markdown]
# ### ✏️ Exercise 6: ten days in a plate
#
# Write `days_model`: the model of the formulas above, without a loop. Its sites are `temp` and
# `sensor`, both inside one plate of size `n`; `days` is a good name for it.
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
plotting.draw_model(days_model, 10, readings)

# %% [markdown]
# The box is the plate. It is the same model as the loop: at the same temperatures, both have the
# same log joint.

# %%
some_temps = dist.Normal(15.0, 2.0).sample((10,))
in_loop = pyro.condition(loop_model, data={f"temp_{i}": t for i, t in enumerate(some_temps)})
in_plate = pyro.condition(days_model, data={"temp": some_temps})
for name, conditioned in (("loop", in_loop), ("plate", in_plate)):
    total = poutine.trace(conditioned).get_trace(10, readings).log_prob_sum()
    print(f"{name}: {total:.4f}")

# %% [markdown]
# ### What the plate buys
#
# Time, for one thing. How long does one evaluation of the log joint take, for more and more
# readings? (The best of three attempts. Exact times differ from computer to computer, so
# what is printed is a lower bound of the ratio.)


# %%
def seconds(model, sensor):
    best = math.inf
    for _ in range(3):
        began = time.perf_counter()
        poutine.trace(model).get_trace(len(sensor), sensor).log_prob_sum().item()
        best = min(best, time.perf_counter() - began)
    return best


for n in (10, 100, 1000):
    many = dist.Normal(15.0, 5**0.5).sample((n,))
    ratio = seconds(loop_model, many) / seconds(days_model, many)
    bound = max(b for b in (1, 2, 5, 10, 20, 50, 100, 200) if b < max(ratio, 1.5))
    print(f"{n:4} readings: the loop takes more than {bound} times as long as the plate")

# %% [markdown]
# For another, meaning. Because you have *said* that the days are independent, Pyro knows which
# dimension of a tensor is the days, and can add one of its own on the left, for many draws of the
# guide at once. From now on every model has a plate. Two more things get easier:
#
# - **Ready-made guides.** `AutoNormal(model)` reads the model and writes the guide of Exercise 5
#   itself: for each unobserved quantity a normal with a mean and a scale of its own.
# - **The loop of section 3.3** is `inference.fit`, with the same settings, all in view. The days'
#   plate is not inside another one, so `max_plate_nesting` is 1.
#
# Draw from a guide before you fit the next one: guides of one class keep their parameters under
# the same names.

# %%
settings = {
    "steps": 1000,
    "learning_rate": 0.3,
    "final_learning_rate": 0.003,
    "particles": 512,
    "max_plate_nesting": 1,
}

pyro.set_rng_seed(SEED)
pyro.clear_param_store()
days_guide = AutoNormal(days_model)
days_losses = inference.fit(days_model, days_guide, 10, readings, **settings)
draws_days = inference.draw(days_guide, 10, readings, max_plate_nesting=1)

# %% [markdown]
# Each day is a problem like that of section 3, so your `normal_posterior` has the exact answer for
# all ten at once, and their log evidences add up:

# %%
exact_days, exact_days_sd = normal_posterior(prior_mean, prior_sd, readings, noise_sd)
reached = -sum(days_losses[-100:]) / 100
log_evidence = dist.Normal(15.0, 5**0.5).log_prob(readings).sum()
print(f"ELBO at the end {reached:.2f}, log evidence {log_evidence:.2f}")
pd.DataFrame(
    {
        "reading": readings.tolist(),
        "E[temp] (SVI)": draws_days["temp"].mean(0).tolist(),
        "E[temp] (exact)": exact_days.tolist(),
        "sd[temp] (SVI)": draws_days["temp"].std(0).tolist(),
        "sd[temp] (exact)": float(exact_days_sd),
    },
    index=pd.RangeIndex(1, 11, name="day"),
).round(2)

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
# Does `days_model` ever make ten readings as warm as ours on average?

# %%
made_up = Predictive(days_model, num_samples=10_000, parallel=True)(10)["sensor"]
plotting.densities(
    {"average of ten made-up readings": made_up.mean(-1)},
    marks={"observed": readings.mean().item()},
    xlabel="average reading (°C)",
    title="The model with mean 15 makes up nothing like the data",
)
print(f"{(made_up.mean(-1) >= readings.mean()).sum()} of 10,000 averages reach the observed one")

# %% [markdown]
# So the model is wrong, although its fit was perfect: inference answers *given* the model. Ten
# days in a row that are too warm say that it is warmer here than 15 on average. The mean, call it
# `mean_temp`, has to be learnt from the data.
#
# ### 5.2 Maximum likelihood
#
# The classical answer: take the value of `mean_temp` that makes the data most probable. It is then
# a number to be optimised, and that is a `pyro.param`, this time in the *model*:


# %%
def ml_model(n, sensor=None):
    mean_temp = pyro.param("mean_temp", torch.tensor(15.0))
    with pyro.plate("days", n):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


plotting.draw_model(ml_model, 10, readings)

# %% [markdown]
# The small blue box is a parameter: it has no distribution. The fit is the one that you know.

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
ml_guide = AutoNormal(ml_model)
ml_losses = inference.fit(ml_model, ml_guide, 10, readings, **settings)
ml_mean = pyro.param("mean_temp").item()

# %% [markdown]
# Why is that maximum likelihood? SVI raises the ELBO in all parameters, those of the guide and
# those of the model. For each `mean_temp` the guide comes as near to the posterior as it can; here
# it can *be* the posterior, so the ELBO becomes the log evidence, which is the log likelihood of
# `mean_temp`. Without the temperatures in between, a reading is $\text{sensor}_i \sim
# \mathcal{N}(\mathrm{mean\_temp},\ 2^2 + 1^2)$; the likelihood of that is greatest at the average
# of the readings.

# %%
average = readings.mean()
greatest = dist.Normal(average, 5**0.5).log_prob(readings).sum()
print(f"mean_temp: {ml_mean:.2f} by SVI, {average:.2f} exactly")
print(f"ELBO {-sum(ml_losses[-100:]) / 100:.2f}, greatest log likelihood {greatest:.2f}")

# %% [markdown]
# ### 5.3 Bayes
#
# Maximum likelihood returns one number and keeps quiet about how well it is known. The Bayesian
# answer: `mean_temp` is not known, hence it is a random quantity, with a prior. Every day's
# temperature scatters around it. Such a model of several levels is called **hierarchical**:
#
# $$\mathrm{mean\_temp} \sim \mathcal{N}(15,\ 2^2), \qquad
# \text{temp}_i \mid \mathrm{mean\_temp} \sim \mathcal{N}(\mathrm{mean\_temp},\ 2^2), \qquad
# \text{sensor}_i \mid \text{temp}_i \sim \mathcal{N}(\text{temp}_i,\ 1^2).$$
#
# ### ✏️ Exercise 7: a hierarchical model
#
# Write `hierarchical_model`, with the sites `mean_temp`, `temp` and `sensor`.
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
# each day would have been a little warmer. The guide should be able to say so.
# `AutoMultivariateNormal` is *one* normal distribution over all eleven unknowns, correlations
# included. The next models use it too, so here is the recipe as a function. It prints the ELBO at
# the end and a hundred steps before, which should be the same:


# %%
def fit_and_draw(model, sensor):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    guide = AutoMultivariateNormal(model)
    losses = inference.fit(model, guide, len(sensor), sensor, **settings)
    before, after = -sum(losses[-200:-100]) / 100, -sum(losses[-100:]) / 100
    print(f"ELBO {after:.2f}; a hundred steps earlier {before:.2f}")
    return inference.draw(guide, len(sensor), sensor, max_plate_nesting=1)


draws = fit_and_draw(hierarchical_model, readings)

# %% [markdown]
# Also here there is an exact answer. The average of $n$ readings is itself a reading of
# `mean_temp`, with variance $(2^2 + 1^2) / n$, so `normal_posterior` does it. Given `mean_temp`,
# each temperature is four fifths of its reading plus one fifth of `mean_temp`, with variance $4/5$;
# what is not known about `mean_temp` adds $(1/5)^2$ of its variance.


# %%
def exact_hierarchy(sensor):
    noise_of_average = torch.tensor(math.sqrt(5 / len(sensor)))
    mean, sd = normal_posterior(prior_mean, prior_sd, sensor.mean(), noise_of_average)
    temp = 4 / 5 * sensor + 1 / 5 * mean
    temp_sd = math.sqrt(4 / 5 + sd**2 / 25)
    return mean, sd, temp, temp_sd


exact_mean_temp, exact_mean_temp_sd, exact_temp, exact_temp_sd = exact_hierarchy(readings)

mean_grid = torch.linspace(6.0, 24.0, 400)
plotting.densities(
    {"prior": dist.Normal(15.0, 2.0).sample((200_000,)), "posterior (SVI)": draws["mean_temp"]},
    exact=(mean_grid, dist.Normal(exact_mean_temp, exact_mean_temp_sd).log_prob(mean_grid).exp()),
    marks={"max. likelihood": ml_mean},
    xlabel="mean_temp (°C)",
    title="The posterior of mean_temp is a little below the average reading",
)
# %% [markdown]
# ### 5.4 What the Bayesian answer adds
#
# **An uncertainty**, and with it good sense when there are few data. Take only the first reading,
# the first three, or all ten. The two columns on the right are the standard deviation of
# tomorrow's reading: maximum likelihood takes its estimate for the truth, so it always says
# $\sqrt{5}$; Bayes adds what is not known about `mean_temp`.

# %%
rows = {}
for n in (1, 3, 10):
    mean, sd, _, _ = exact_hierarchy(readings[:n])
    rows[n] = [readings[:n].mean().item(), float(mean), float(sd), 5**0.5, math.sqrt(5 + sd**2)]
columns = ["estimate (ML)", "E[mean_temp]", "sd[mean_temp]", "next sd (ML)", "next sd (Bayes)"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("readings").round(2)

# %% [markdown]
# After one reading, two standard deviations either way reach from 13 to 19 degrees: little is
# known, and Bayes says so. Maximum likelihood says 18.00.
#
# **Shared strength.** Every day's estimate learns from all the others through `mean_temp`. The bars
# are intervals that hold 90% of the draws:


# %%
day = torch.arange(1, 11, device="cpu")
learnt = {"mean fixed at 15": draws_days["temp"], "mean learnt": draws["temp"]}
_, ax = plt.subplots()
ax.plot(day - 0.2, readings.cpu(), "o", label="reading")
for shift, marker, (name, temps) in zip((0, 0.2), "^s", learnt.items(), strict=True):
    low, high = temps[:20_000].quantile(torch.tensor([0.05, 0.95]), dim=0).cpu()
    mean = temps.mean(0).cpu()
    ax.errorbar(day + shift, mean, torch.stack([mean - low, high - mean]), fmt=marker, label=name)
ax.axhline(float(exact_mean_temp), color="0.35", lw=1, ls=":", label="E[mean_temp]")
ax.set_title("A day is pulled towards what is normal; the second model has learnt what that is")
ax.set(xticks=day, xlabel="day", ylabel="temperature (°C)")
_ = ax.figure.legend(loc="outside lower center", ncols=4)
# %% [markdown]
# On the hottest day, the sixth, the learnt mean still says that part of the 22.4 degrees was the
# sensor's error; on the coldest, the fourth, that the sensor read too little.
#
# **A prediction.** The **posterior predictive** distribution is that of new data after the old
# ones. `Predictive` makes them if it is given posterior draws. The next day will have a temperature
# of its own, so hand over the draws of `mean_temp` only; `Predictive` draws the rest from the
# model.

# %%
prior_reading = Predictive(hierarchical_model, num_samples=200_000, parallel=True)(1)["sensor"]
known = {"mean_temp": draws["mean_temp"]}
next_reading = Predictive(hierarchical_model, known, parallel=True)(1)["sensor"]

next_grid = torch.linspace(0.0, 32.0, 400)
exact_next = dist.Normal(exact_mean_temp, math.sqrt(5 + exact_mean_temp_sd**2))
plotting.densities(
    {"prior predictive": prior_reading, "posterior predictive": next_reading},
    exact=(next_grid, exact_next.log_prob(next_grid).exp()),
    xlabel="next day's reading (°C)",
    title="Ten readings narrow down the next one",
)
p_next = (next_reading > 21).float().mean().item()
exact_p_next = 1 - exact_next.cdf(torch.tensor(21.0)).item()
print(f"P(next reading > 21 | data) = {p_next:.3f}, exactly {exact_p_next:.3f}")

# %% [markdown]
# And the check of section 5.1, repeated: does the model that has learnt make up data like ours?

# %%
some = {"mean_temp": draws["mean_temp"][:10_000]}
made_up = Predictive(hierarchical_model, some, parallel=True)(10)["sensor"]
plotting.densities(
    {"average of ten made-up readings": made_up.mean(-1)},
    marks={"observed": average.item()},
    xlabel="average reading (°C)",
    title="The average of the data is now a typical one",
)
as_even = (made_up.std(-1) <= readings.std()).float().mean()
print(f"{as_even:.0%} of the made-up tens scatter as little as the readings")

# %% [markdown]
# The average is what the model has learnt, so that much was to be expected. How far the readings
# scatter is a test that it could have failed: they scatter less than most that it makes up, but not
# so little that you would have to give the model up.

# %% [markdown]
# ## 6. Unknown noise
#
# So far you took the manufacturer's word that the sensor's error is one degree. Can the data tell?
# Not in this model: a reading's variance is $2^2 + \text{noise}^2$, and only the sum leaves a
# trace. Days that differ by 2 degrees with a noise of 1 look like days that differ by 1 with a
# noise of 2:

# %%
for temp_sd, noise in ((2.0, 1.0), (1.0, 2.0)):
    log_likelihood = dist.Normal(average, (temp_sd**2 + noise**2) ** 0.5).log_prob(readings).sum()
    print(f"days differ by {temp_sd}, noise {noise}: log likelihood {log_likelihood:.4f}")

# %% [markdown]
# Such parameters are *not identifiable*; more data of the same kind would not help, other data do.
# So let the story be another one: the ten readings were taken **in one afternoon, of one
# temperature**, as in notebook 1. Then the scatter among them is the noise. Its prior says "about
# 1, give or take a factor of 1.65", and keeps it positive: $\ln \text{noise} \sim \mathcal{N}(0,
# 0.5^2)$, which is called a log-normal distribution.


# %%
def noise_model(n, sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    noise = pyro.sample("noise", dist.LogNormal(0.0, 0.5))
    with pyro.plate("readings", n):
        pyro.sample("sensor", dist.Normal(temp, noise), obs=sensor)


plotting.draw_model(noise_model, 10, readings)

# %% [markdown]
# Two unknowns, no formula, but a grid still does: 501 temperatures times 401 values of
# $\ln \text{noise}$, in double precision. The function takes the likelihood as an argument, because
# you will need it again with another one.


# %%
def exact_on_grid(likelihood, sensor):
    double = {"dtype": torch.float64, "device": "cpu"}
    temp = torch.linspace(5, 25, 501, **double)[:, None]
    log_noise = torch.linspace(-2, 3, 401, **double)[None, :]
    log_joint = dist.Normal(torch.full_like(temp, 15.0), 2.0).log_prob(temp)
    log_joint = log_joint + dist.Normal(torch.zeros_like(log_noise), 0.5).log_prob(log_noise)
    for y in sensor.cpu().double():
        log_joint = log_joint + likelihood(temp, log_noise.exp()).log_prob(y)
    weight = log_joint.flatten().softmax(0).reshape(501, 401)
    return {
        "temp": (temp[:, 0], weight.sum(1)),
        "noise": (log_noise[0].exp(), weight.sum(0)),
        "border": 1 - weight[1:-1, 1:-1].sum().item(),
    }


def moments(values, weight):
    mean = (weight * values).sum()
    return mean.item(), (weight * (values - mean) ** 2).sum().sqrt().item()


exact_noise = exact_on_grid(dist.Normal, readings)
print(f"probability at the border of the grid: {exact_noise['border']:.0e}")

# %%
draws_noise = fit_and_draw(noise_model, readings)
values, weight = exact_noise["noise"]
log_step = (values[1] / values[0]).log()
plotting.densities(
    {"SVI": draws_noise["noise"]},
    exact=(values, weight / (values * log_step)),
    marks={"promised": 1.0},
    xlabel="noise (°C)",
    title="The sensor is probably worse than promised",
)
p_worse = (draws_noise["noise"] > 1).float().mean().item()
exact_p_worse = weight[values > 1].sum().item()
print(f"P(noise > 1 | data) = {p_worse:.2f}, exactly {exact_p_worse:.2f}")

# %% [markdown]
# This is the first picture in which SVI and the exact curve differ. The guide is a normal
# distribution over `temp` and $\ln \text{noise}$; the exact posterior has a longer tail to the
# right than that allows. This is no fault of the optimiser: it is the best that this family can do.
# Section 8 says what it costs.

# %% [markdown]
# ## 7. A broken sensor
#
# The same afternoon, an eleventh reading: 35.0. For a moment the sensor must have been in the
# sun. What do the models believe now?

# %%
broken = torch.cat([readings, torch.tensor([35.0])])
known_mean, known_sd = normal_posterior(
    prior_mean, prior_sd, broken.mean(), torch.tensor(1 / math.sqrt(11))
)
print(f"noise known to be 1: temp = {known_mean:.1f} ± {known_sd:.1f} (mean ± sd)")

draws_broken = fit_and_draw(noise_model, broken)
plotting.densities(
    {"ten good readings": draws_noise["temp"], "... and 35.0": draws_broken["temp"]},
    marks={"noise known": float(known_mean)},
    xlabel="temp (°C)",
    title="One bad reading: sure of the wrong value, or sure of little",
)

# %% [markdown]
# If the noise is known to be 1, the 35.0 counts as much as any reading: the model is *sure* of a
# temperature that only three of the eleven readings reach. If the noise is unknown, the model saves
# itself by giving up on the sensor:

# %%
print(f"ten good readings: noise = {draws_noise['noise'].mean():.1f}")
print(f"... and 35.0:      noise = {draws_broken['noise'].mean():.1f}")

# %% [markdown]
# The temperature is about where it was, but not because the model has seen through the bad reading:
# it trusts none of the eleven, so that the prior's 15 counts again and happens to cancel the 35.
# What the ten good readings knew is lost, as the width of the curve shows. Neither belief is
# sensible, and no inference can mend that: the *model* says that errors are normal, and under a
# normal distribution a wild one is nearly impossible.
#
# **Student's t** distribution looks like a normal in the middle, but has *heavy tails*: wild values
# are rare, not impossible. `dist.StudentT(df, loc, scale)` has a third argument, the *degrees of
# freedom*; the smaller it is, the heavier the tails. The log density at 10 scales from the middle:

# %%
ten = torch.tensor(10.0)
print(f"Normal(0, 1):      {dist.Normal(0.0, 1.0).log_prob(ten):.1f}")
print(f"StudentT(3, 0, 1): {dist.StudentT(3.0, 0.0, 1.0).log_prob(ten):.1f}")

# %% [markdown]
# ### ✏️ Exercise 8: a robust model
#
# Write `robust_model`: as `noise_model`, but with
#
# $$\text{sensor}_i \mid \text{temp}, \text{noise} \sim
# \text{StudentT}(\text{df} = 3,\ \text{loc} = \text{temp},\ \text{scale} = \text{noise}).$$
#
# The priors stay: $\text{temp} \sim \mathcal{N}(15, 2^2)$ and
# $\ln \text{noise} \sim \mathcal{N}(0, 0.5^2)$.
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
draws_robust = fit_and_draw(robust_model, broken)
exact_robust = exact_on_grid(lambda temp, noise: dist.StudentT(3.0, temp, noise), broken)
exact_broken = exact_on_grid(dist.Normal, broken)

values, weight = exact_robust["temp"]
plotting.densities(
    {
        "ten good readings": draws_noise["temp"],
        "... and 35.0": draws_broken["temp"],
        "... and 35.0, robust model": draws_robust["temp"],
    },
    exact=(values, weight / (values[1] - values[0])),
    xlabel="temp (°C)",
    title="With heavy tails, one bad reading does little harm",
)
# %% [markdown]
# (The dashed line is the exact posterior of the robust model.) How does it do that? Nobody told it
# which reading is the bad one. One can show that under Student's t a reading counts with a weight
# proportional to $4 / (3 + z^2)$, where $z$ is its distance from `temp` in units of `noise`
# (Lange, Little and Taylor 1989): far-off readings hardly count. Relative to a reading at $z = 0$:

# %%
z = (broken - draws_robust["temp"].mean()) / draws_robust["noise"].mean()
for y, w in zip(broken.tolist(), (3 / (3 + z**2)).tolist(), strict=True):
    print(f"reading {y:.1f}: weight {w:.2f}")

# %% [markdown]
# (Computed at the posterior means of `temp` and `noise`.) The 35.0 is all but ignored. That has a
# price: honest readings that are a little off, such as 22.4 and 17.8, count less as well, so that
# the posterior is somewhat wider than that of the ten good readings under normal noise.

# %% [markdown]
# ## 8. Scorecard
#
# What variational inference told us in sections 3 to 5, beside the exact answers. The `error` of a
# mean is in units of the exact posterior standard deviation; that of a standard deviation is
# relative; that of a probability is the relative error of its odds, $p / (1 - p)$. `temp_4` and
# `temp_6` are the coldest and the hottest day.

# %%
approximate = {
    "E[temp | sensor = 18]": draws_one["temp"].mean(),
    "sd[temp | sensor = 18]": draws_one["temp"].std(),
    "P(temp > 18 | sensor = 18)": p_above,
    "E[mean_temp]": draws["mean_temp"].mean(),
    "sd[mean_temp]": draws["mean_temp"].std(),
    "P(next reading > 21)": p_next,
}
truth = {
    "E[temp | sensor = 18]": exact_mean,
    "sd[temp | sensor = 18]": exact_sd,
    "P(temp > 18 | sensor = 18)": exact_p_above,
    "E[mean_temp]": exact_mean_temp,
    "sd[mean_temp]": exact_mean_temp_sd,
    "P(next reading > 21)": exact_p_next,
}
by_model = {
    "mean fixed": (draws_days, exact_days, exact_days_sd),
    "mean learnt": (draws, exact_temp, exact_temp_sd),
}
for name, (d, mean, sd) in by_model.items():
    for day in (4, 6):
        approximate[f"E[temp_{day} | {name}]"] = d["temp"][:, day - 1].mean()
        approximate[f"sd[temp_{day} | {name}]"] = d["temp"][:, day - 1].std()
        truth[f"E[temp_{day} | {name}]"] = mean[day - 1]
        truth[f"sd[temp_{day} | {name}]"] = sd

# %%
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard)

# %% [markdown]
# Run with the seeds 0 to 9, every mean is within 0.02 standard deviations of the truth, every
# standard deviation within 1.5%, and every probability itself (not its odds) within 0.005. The
# check allows a little more:

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.03, sd=0.03, probability=0.01)

# %% [markdown]
# All these posteriors *are* normal, so a normal guide can be exact. That is not so in sections 6
# and 7. The same comparison there:

# %%
rows = {}
cases = {
    "ten readings, normal": (draws_noise, exact_noise),
    "eleven, normal": (draws_broken, exact_broken),
    "eleven, Student's t": (draws_robust, exact_robust),
}
for case, (d, exact) in cases.items():
    for site in ("temp", "noise"):
        mean, sd = moments(*exact[site])
        rows[case, site] = {
            "E (SVI)": d[site].mean().item(),
            "E (exact)": mean,
            "sd (SVI)": d[site].std().item(),
            "sd (exact)": sd,
            "sd error": d[site].std().item() / sd - 1,
        }
pd.DataFrame.from_dict(rows, orient="index").round(2)

# %% [markdown]
# The means are good, but every standard deviation is too small: the guide has not the form of
# the posterior, and where it cannot follow, variational inference errs on the sure side. More
# steps do not help; a guide with more freedom would. Day 2 says why the error has this sign.

# %% [markdown]
# ## 9. Going further
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
# - E. Bingham, J. P. Chen, M. Jankowiak, F. Obermeyer, N. Pradhan, T. Karaletsos, R. Singh,
#   P. Szerlip, P. Horsfall and N. D. Goodman (2019). Pyro: Deep universal probabilistic
#   programming. *Journal of Machine Learning Research* 20(28), 1–6.
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
# - A. Gelman, J. B. Carlin, H. S. Stern, D. B. Dunson, A. Vehtari and D. B. Rubin (2013). *Bayesian
#   Data Analysis*, third edition. CRC Press. Chapter 5: hierarchical models; chapter 6: predictive
#   checks.
# - K. L. Lange, R. J. A. Little and J. M. G. Taylor (1989). Robust statistical modeling using the t
#   distribution. *Journal of the American Statistical Association* 84(408), 881–896.
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. arXiv:1908.03442.
