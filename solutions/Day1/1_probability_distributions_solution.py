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
# # Probability distributions in Pyro
#
# **After this notebook you will be able to**
#
# - create a distribution, draw from it, and evaluate its log-density;
# - read its three shapes (sample, batch, event), and change one into another;
# - write the log-likelihood of many data, for many candidate values at once, without a loop;
# - compute an expectation from draws, and say how far off it may be.
#
# **Time:** 55 minutes in class. **Before:** nothing but Python and a first course in probability.
#
# Today you run an ice-cream shop, and by the end of the day you will have a model of its weather
# and its sales.
#
# Six exercises in class and one after it are marked ✏️. The cell after each one checks your answer.
# Run the cells from top to bottom (Shift + Enter); if you are stuck, ask.

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
import math

from checks import probability_distributions as check
from pyro.infer import MCMC, NUTS
from utils import inference
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# These cells import `torch` (PyTorch, which does the arithmetic), `pyro`, and `pyro.distributions`,
# called `dist`. The last line fixes the random numbers.

# %% [markdown]
# ## 1. Why a probabilistic programming language?
#
# Twenty guests tasted two flavours, and 14 liked chocolate better. What share $\theta$ (theta) of
# *all* guests does, and how sure can you be? A probabilistic model states two things:
#
# $$\theta \sim \text{Beta}(2, 2), \qquad y \mid \theta \sim \text{Binomial}(20, \theta).$$
#
# The **prior** says what you think of $\theta$ before you ask anyone. The **likelihood** says how
# the number $y$ of chocolate lovers comes about if the share is $\theta$. The **posterior**, what
# you know about $\theta$ once you have seen $y = 14$, is proportional to their product, by Bayes'
# rule.
#
# In Pyro a model is a function that says what is drawn from what. `pyro.sample` names a random
# quantity and gives its distribution; `obs=` says that it was observed, and what it was.


# %%
def model():
    theta = pyro.sample("theta", dist.Beta(2.0, 2.0))
    pyro.sample("y", dist.Binomial(20, theta), obs=torch.tensor(14.0))


# %% [markdown]
# Drawing from the posterior is the business of an *inference engine*. `NUTS` (the no-U-turn
# sampler, Hoffman and Gelman 2014) walks through the values of $\theta$ and visits each as often as
# the posterior says. Here are four such walks, or **chains**:


# %%
def posterior_draws(model, n=400):
    nuts = NUTS(model)
    engine = MCMC(nuts, num_samples=n, warmup_steps=100, disable_progbar=True)
    engine.run()
    return engine.get_samples()["theta"]


chains = torch.stack([posterior_draws(model) for _ in range(4)])
for name, value in inference.convergence(chains).items():
    print(f"{name}: {round(value, 3):,}")

# %% [markdown]
# **R-hat** compares the chains with each other: at 1.01 or less they agree (Vehtari et al. 2021).
# As the draws of a walk resemble each other, all 1,600 are worth fewer *independent* ones: the
# **effective draws**. Here the posterior is also known exactly. It is
# $\text{Beta}(2 + 14,\ 2 + 6)$:

# %%
grid = torch.linspace(0.2, 0.99, 300)
plotting.densities(
    {"NUTS": chains},
    exact=(grid, dist.Beta(16.0, 8.0).log_prob(grid).exp()),
    xlabel=r"share $\theta$ of guests who like chocolate better",
    title="The posterior: draws, and the exact density",
)

# %% [markdown]
# The share is two thirds, give or take a tenth. A **probabilistic programming language** separates
# the *model*, which is yours, from the *inference*, which is the library's. What inference needs
# from your model, random draws and log-densities, comes from the objects inside `pyro.sample`: the
# **distributions**.

# %% [markdown]
# ## 2. A distribution is an object
#
# The temperature of an afternoon in spring, in °C, is normal with mean 15 and standard deviation 4.
# Pyro calls the mean `loc` and the standard deviation `scale`. The argument of `sample` says how
# many draws you want, as a tuple:

# %%
temp = dist.Normal(15.0, 4.0)
week = temp.sample((7,))
print("one day:  ", temp.sample())
print("a week:   ", week)
print("two weeks:", temp.sample((2, 7)).shape)

# %% [markdown]
# The results are **tensors**, PyTorch's arrays of numbers. A tensor's **shape** is the tuple of its
# sizes: seven numbers have shape `(7,)` (the comma makes it a tuple), a table of 2 rows and 7
# columns `(2, 7)`, and a single number `()`.
#
# In books, $\mathcal{N}(15, 4)$ has **variance** $\sigma^2 = 4$. Is this our `temp`?

# %% tags=["nbval-check-output"]
print("stddev:  ", temp.stddev.item())
print("variance:", temp.variance.item())

# %% [markdown]
# It is not. $\mathcal{N}(\mu, \sigma^2)$ is `Normal(μ, σ)` in code.
#
# ### `log_prob`
#
# How plausible is a value $t$? `log_prob` returns $\ln p(t)$, the natural logarithm of its
# **density**
#
# $$p(t) = \frac{1}{\sigma \sqrt{2 \pi}} \exp\Bigl(-\frac{(t - \mu)^2}{2 \sigma^2}\Bigr)$$
#
# (of its probability, if the values are discrete). The argument has to be a tensor.

# %%
log_density = temp.log_prob(torch.tensor(18.0))
thermostat = dist.Normal(15.0, 0.1)
print("log-density of 18 °C:   ", log_density)
print("its density:            ", log_density.exp())
print("a thermostat's, at 15:  ", thermostat.log_prob(torch.tensor(15.0)).exp())

year = temp.sample((365,))
print("product of 365 densities:", temp.log_prob(year).exp().prod())
print("sum of their logarithms: ", temp.log_prob(year).sum())

# %% [markdown]
# A density is not a probability, but a probability *for each degree*: the thermostat's exceeds 1.
# And a product of many small numbers falls below what a computer can tell from zero; the sum of
# their logarithms does not.
#
# ### ✏️ Exercise 1: July (4 min)
#
# The weather service writes that the temperature of a July afternoon is $\mathcal{N}(24, 9)$, in
# the books' notation. Make `july`, the distribution in Pyro, and set `density` to its density (not
# its logarithm) at 27 °C.
#
# <details><summary>Hint</summary>
#
# What is the standard deviation if the variance is 9? For the density, undo the logarithm of
# `july.log_prob(torch.tensor(27.0))` with `.exp()`.
#
# </details>

# %%
july, density = None, None
### BEGIN SOLUTION
july = dist.Normal(24.0, 3.0)
density = july.log_prob(torch.tensor(27.0)).exp()
### END SOLUTION

# %% tags=["nbval-check-output"]
check.july(july, density)

# %% [markdown]
# ## 3. Choosing a distribution
#
# A count is a whole number, a waiting time is positive, a share lies between 0 and 1. The set of
# possible values is the **support** of a distribution; choosing one starts there.
#
# | distribution | support | typical use | mean | variance |
# | --- | --- | --- | --- | --- |
# | `Bernoulli(p)` | 0 or 1 | yes or no | p | p (1 − p) |
# | `Categorical(probs)` | 0, 1, …, k − 1 | which of $k$ kinds | | |
# | `Poisson(λ)` | 0, 1, 2, … | how many | λ | λ |
# | `Exponential(λ)` | 0 or more | time between events | 1/λ | 1/λ² |
# | `Gamma(α, β)` | positive | an amount | α/β | α/β² |
# | `Beta(a, b)` | between 0 and 1 | a share | a/(a + b) | ab / ((a + b)² (a + b + 1)) |

# %%
amount, share = torch.linspace(0.01, 25.0, 200), torch.linspace(0.0, 1.0, 200)
panels = {
    "Poisson(7.0)": (dist.Poisson(7.0), torch.arange(20), "customers per hour"),
    "Exponential(0.25)": (dist.Exponential(0.25), amount, "wait (minutes)"),
    "Gamma(4.0, 0.5)": (dist.Gamma(4.0, 0.5), amount, "litres sold"),
    "Beta(2.0, 5.0)": (dist.Beta(2.0, 5.0), share, "share of vegan guests"),
}
_, axes = plt.subplots(2, 2, figsize=(7.6, 5.0))
for ax, (name, (d, x, label)) in zip(axes.flat, panels.items(), strict=True):
    line = {name: (x, d.log_prob(x).exp())}
    plotting.curves(line, ax=ax, title=name, xlabel=label, ylabel="density")
    ax.plot(d.mean.item(), 0, "k^", ms=9, clip_on=False)
axes[0, 0].lines[0].set(ls="", marker="o")
_ = axes[0, 0].set_ylabel("probability")

# %% [markdown]
# The triangles mark the means. `Exponential(0.25)` has mean 4: its argument, like the second one of
# the Gamma, is a **rate**, events *per minute* and not minutes per event.
#
# ### ✏️ Exercise 2: three quantities of a shop (6 min)
#
# Describe each quantity by a distribution:
#
# - `customers`: the number of customers in an hour, 12 on average;
# - `wait`: the minutes until the next customer, an exponential distribution with mean 5;
# - `litres`: the ice cream sold in a day, a Gamma with mean 6 litres and variance 4.
#
# <details><summary>Hint</summary>
#
# Solve the formulas in the table above for the arguments. For the Gamma, divide the mean by the
# variance first: what is left of α/β and α/β²?
#
# </details>

# %%
customers, wait, litres = None, None, None
### BEGIN SOLUTION
customers = dist.Poisson(12.0)
wait = dist.Exponential(1 / 5)
litres = dist.Gamma(9.0, 1.5)
### END SOLUTION

# %% tags=["nbval-check-output"]
check.three_quantities(customers, wait, litres)

# %% [markdown]
# ## 4. Three shapes
#
# Three shops have different temperatures. One object holds all three distributions if its arguments
# are tensors. They are a **batch**: distributions side by side, each with its own `log_prob`.
#
# Other distributions are about *vectors*. A draw of the **Dirichlet** is a vector of shares that
# sum to 1, say of guests who prefer each of three flavours. Such a vector is **one** outcome, or
# **event**, with one `log_prob`.

# %% tags=["nbval-check-output"]
shops = dist.Normal(torch.tensor([12.0, 18.0, 26.0]), 2.0)
shares = dist.Dirichlet(torch.tensor([5.0, 3.0, 2.0]))
for name, d in {"shops": shops, "shares": shares}.items():
    x = d.sample()
    print(name, "draw:", tuple(x.shape), "log_prob:", d.log_prob(x).shape)

# %% [markdown]
# So there are three shapes, and two rules.
#
# - **sample shape**: how many draws you ask for, the argument of `sample`;
# - **batch shape**: how many separate distributions the object holds;
# - **event shape**: how large one outcome is.
#
# $$\texttt{sample(s).shape} = \text{sample} + \text{batch} + \text{event}, \qquad
# \texttt{log\_prob(x).shape} = \text{sample} + \text{batch},$$
#
# where + puts one tuple after the other. The picture has two draws, `sample((2,))`, of each object.
# Each outline is an event, and the number below it its `log_prob`.


# %%
def draw_shapes(**objects):
    _, axes = plt.subplots(len(objects), figsize=(8.4, 1.15 * len(objects)))
    for ax, (name, d) in zip(axes, objects.items(), strict=True):
        x = d.sample((2,))
        batch, event = tuple(d.batch_shape), tuple(d.event_shape)
        shapes = f"sample (2,) + batch {batch} + event {event}"
        ax.set_title(f"{name}: {shapes} = {tuple(x.shape)}", fontsize=9)
        log_prob = d.log_prob(x).reshape(2, -1)
        values = x.reshape(*log_prob.shape, -1)
        _, outlines, size = values.shape
        for i in range(2 * outlines):
            left = i % outlines * (size + 0.25) + i // outlines * 8.3
            box = plt.Rectangle((left, 0), size, 1, fc="none", ec="C0", lw=1.5)
            ax.add_patch(box)
            for k, value in enumerate(values.flatten(0, 1)[i].tolist()):
                ax.text(left + k + 0.5, 0.5, f"{value:#.3g}", **centre)
            text = f"{log_prob.flatten()[i].item():.1f}"
            ax.text(left + size / 2, -0.5, text, style="italic", **centre)
        ax.set(xlim=(-0.1, 16), ylim=(-0.9, 1.1))
        ax.set_axis_off()


centre = {"ha": "center", "va": "center", "fontsize": 9}
draw_shapes(shops=shops, shares=shares)

# %% [markdown]
# Two methods change the batch shape.
#
# - `.expand([...])` copies a distribution until the batch has the shape that you ask for. The
#   copies are independent.
# - `.to_event(1)` makes the last dimension of the batch a part of the *event*: separate numbers
#   become one vector.
#
# **Predict.** How many outlines, so how many `log_prob`, has a draw of `batch`, and of `vectors`?

# %% tags=["picture=shapes"]
batch = dist.Normal(20.0, 3.0).expand([2, 3])
vectors = batch.to_event(1)
draw_shapes(single=dist.Normal(20.0, 3.0), batch=batch, vectors=vectors)

# %% [markdown]
# Six, and two. The numbers are drawn in the same way; what changes is what counts as *one outcome*.
#
# ### ✏️ Exercise 3: predict the shapes (6 min)
#
# For each of these objects, what is the shape of ten draws `x = d.sample((10,))`, and what is the
# shape of `d.log_prob(x)`? Think first. `torch.zeros(4, 3)` is a tensor of that shape full of
# zeros; `torch.ones` works alike.
#
# - `"A"`: `dist.Normal(torch.zeros(4), 1.0)`
# - `"B"`: `dist.Dirichlet(torch.ones(5))`
# - `"C"`: `dist.Normal(torch.zeros(4, 3), 1.0).to_event(1)`
#
# Write a dictionary with a pair of tuples for each letter:
#
# ```python
# predicted = {"A": (shape_of_draws, shape_of_log_prob), "B": ...}
# ```
#
# <details><summary>Hint</summary>
#
# Write down batch and event shape first, then apply the two rules. A tuple with one entry needs a
# comma: `(7,)`.
#
# </details>

# %%
predicted = None
### BEGIN SOLUTION
predicted = {
    "A": ((10, 4), (10, 4)),
    "B": ((10, 5), (10,)),
    "C": ((10, 4, 3), (10, 4)),
}
### END SOLUTION

# %% tags=["nbval-check-output"]
check.predicted_shapes(predicted)

# %% [markdown]
# ### ✏️ Exercise 4: one vector for each town (6 min)
#
# Write `temperatures(towns, days)`. It returns **one** distribution object, for `towns` separate
# towns (the batch). In each town an outcome is the vector of the temperatures of `days` days (the
# event), all of them independent and $\mathcal{N}(20, 3^2)$.
#
# <details><summary>Hint</summary>
#
# Three steps: one normal; `expand` it to a batch of towns and days; make the days the event.
#
# </details>


# %%
def temperatures(towns, days):
    ### BEGIN SOLUTION
    return dist.Normal(20.0, 3.0).expand([towns, days]).to_event(1)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.temperatures(temperatures)

# %% [markdown]
# ## 5. What `log_prob` sums over
#
# A vector of three independent normals has one log-density. How is it made of the three?

# %%
x = torch.tensor([11.0, 18.5, 30.0])
print("batch:         ", shops.log_prob(x))
print("after to_event:", shops.to_event(1).log_prob(x))

# %% [markdown]
# It is their sum. `log_prob` sums inside an **event**, and over nothing else. What it leaves apart
# you sum yourself if the values belong together, say as independent observations of one quantity.
#
# The value given to `log_prob` need not have the batch shape exactly. PyTorch **broadcasts**: it
# lines two shapes up *from the right*, and stretches a size of 1, or a missing dimension, to match.
# So `(2,)` with `(3,)` is an error, while `(2, 1)` with `(3,)` gives `(2, 3)`: *every combination*
# of two and three values. `[:, None]` turns a list of shape `(2,)` into a column of shape `(2, 1)`:

# %% tags=["nbval-check-output"]
column = torch.tensor([10.0, 20.0])[:, None]
row = torch.tensor([1.0, 2.0, 3.0])
print((column + row).tolist())

# %% [markdown]
# ### ✏️ Exercise 5: ten readings, many candidates (9 min)
#
# The sensor on your roof gave ten readings $s_1, \dots, s_{10}$ of one temperature $t$ on an
# afternoon, each with a normal error of standard deviation 1. How well does each candidate $t$
# explain all of them? That is the log-likelihood
#
# $$\ell(t) = \sum_{i=1}^{n} \ln p(s_i \mid t), \qquad s_i \mid t \sim \mathcal{N}(t, 1).$$
#
# Write `log_likelihood` for any $n$ readings, shape `(n,)`, and $g$ candidates, shape `(g,)`. It
# returns $g$ numbers, shape `(g,)`, and needs no loop.
#
# <details><summary>Hint</summary>
#
# Put the candidates in a column, as the means of $g$ normals, and evaluate them at all readings:
# what is the shape of the result? `.sum(0)` sums over its first dimension, `.sum(-1)` over the
# last.
#
# </details>


# %%
def log_likelihood(readings, candidates):
    ### BEGIN SOLUTION
    return dist.Normal(candidates[:, None], 1.0).log_prob(readings).sum(-1)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.log_likelihood(log_likelihood)

# %% [markdown]
# Now for 301 candidates:

# %%
readings = [18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1]
readings = torch.tensor(readings)
candidates = torch.linspace(18, 21.5, 301)
plotting.curves(
    {"log-likelihood": (candidates, log_likelihood(readings, candidates))},
    marks={"average of the readings": readings.mean().item()},
    xlabel="candidate temperature $t$ (°C)",
    ylabel="log-likelihood (nats)",
    title="How well each temperature explains ten readings",
)

# %% [markdown]
# A *nat* is the unit of natural logarithms: one degree beside the top costs 5 nats, so such a $t$
# makes the density of the readings $e^5 \approx 150$ times smaller.

# %% [markdown]
# ## 6. Monte Carlo
#
# Takings grow with the temperature: on an afternoon of $t$ °C the shop takes
# $f(t) = 50\, e^{0.1 t}$ euros. The temperature is $T \sim \mathcal{N}(20, 3^2)$, and the average
# day, $f(20)$, brings about 370 euros.
#
# **Predict.** Are the average takings $\operatorname{E}[f(T)]$ more, less, or the same?
#
# The average over many draws approaches the expectation:
#
# $$\operatorname{E}[f(T)] \approx \frac{1}{n} \sum_{i=1}^n f(t_i), \qquad t_1, \dots, t_n
# \text{ drawn from } \mathcal{N}(20, 3^2).$$
#
# This is the **Monte Carlo** method. Here there is also a closed form, for $f(T)$ is log-normal.


# %%
def takings(t):
    return 50 * torch.exp(0.1 * t)


today = dist.Normal(20.0, 3.0)
exact_takings = dist.LogNormal(math.log(50) + 0.1 * 20, 0.1 * 3)
print(f"average day: {takings(today.mean):.1f}")
print(f"Monte Carlo: {takings(today.sample((100_000,))).mean():.1f}")
print(f"exact:       {exact_takings.mean:.1f}")

# %% [markdown]
# More: hot days gain more than cold days lose. *First* transform the draws, *then* average.
#
# How far off is such an average? It has a standard deviation of its own, the **standard error**
#
# $$\mathrm{se} = \frac{s}{\sqrt{n}},$$
#
# where $s$ is the standard deviation of the $n$ values $f(t_1), \dots, f(t_n)$. By the central
# limit theorem the estimate is within $2\,\mathrm{se}$ of the truth about 95% of the time.
#
# ### ✏️ Exercise 6: an estimate and its error (6 min)
#
# Write `monte_carlo(f, d, n)` for any function `f` and any distribution `d` of one number: draw `n`
# times from `d`, and compute the `estimate` of $\operatorname{E}[f(T)]$ and its `standard_error`.
#
# <details><summary>Hint</summary>
#
# Keep the `n` values of `f` in a variable: the estimate is their `.mean()`, and $s$ is their
# `.std()`.
#
# </details>


# %%
def monte_carlo(f, d, n):
    ### BEGIN SOLUTION
    values = f(d.sample((n,)))
    estimate = values.mean()
    standard_error = values.std() / math.sqrt(n)
    ### END SOLUTION
    return estimate, standard_error


# %% tags=["nbval-check-output"]
check.monte_carlo(monte_carlo)

# %% [markdown]
# By how much does the standard error fall from row to row?

# %%
rows = {}
for n in (100, 10_000, 1_000_000):
    estimate, error = map(float, monte_carlo(takings, today, n))
    rows[n] = [estimate, error, estimate - exact_takings.mean.item()]
columns = ["estimate", "standard error", "actual error"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(3)

# %% [markdown]
# A hundred times as many draws make it ten times smaller. The actual error is a matter of luck; the
# standard error, which comes from the draws themselves, says how far off you may be *without* the
# exact answer.
#
# A probability is an expectation, too: of a function which is 1 if the statement is true and 0 if
# not. So it is estimated by the *share* of the draws for which it is true.

# %%
p_hot, error = monte_carlo(lambda t: (t > 25).float(), today, 100_000)
exact = 1 - today.cdf(torch.tensor(25.0))
print(f"P(T > 25): {p_hot:.4f} ± {error:.4f} (exact: {exact:.4f})")

# %% [markdown]
# ## 7. Scorecard
#
# Every class part ends like this: what we computed approximately, beside the exact answer. Draw
# 200,000 times from each of the shop's quantities:

# %%
n = 200_000
draws = {
    "customers": customers.sample((n,)),
    "litres": litres.sample((n,)),
    "takings": takings(today.sample((n,))),
}

# %%
approximate = {}
limits = {"customers": 15, "litres": 8, "takings": 500}
for name, limit in limits.items():
    approximate[f"E[{name}]"] = draws[name].mean()
    approximate[f"sd[{name}]"] = draws[name].std()
    p = (draws[name] > limit).float().mean()
    approximate[f"P({name} > {limit})"] = p

# %% [markdown]
# The exact values. The tail of a Gamma whose first argument is a whole number is a sum of Poisson
# probabilities.


# %%
def at_most(k, d):
    return d.log_prob(torch.arange(k + 1.0)).exp().sum()


truth = {
    "E[customers]": 12,
    "sd[customers]": math.sqrt(12),
    "P(customers > 15)": 1 - at_most(15, dist.Poisson(12.0)),
    "E[litres]": 6,
    "sd[litres]": 2,
    "P(litres > 8)": at_most(8, dist.Poisson(1.5 * 8)),
    "E[takings]": exact_takings.mean,
    "sd[takings]": exact_takings.stddev,
    "P(takings > 500)": 1 - exact_takings.cdf(torch.tensor(500.0)),
}

# %%
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard)

# %% [markdown]
#
# How large should an error be? In units of the standard deviation, the standard error of a mean is
# $1 / \sqrt{n}$: here about 0.002.

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.008, sd=0.01, probability=0.004)

# %% [markdown]
# ## After class
#
# ### A.1 When the model changes
#
# You now learn that one guest in five, on average, did not taste anything and ticked a box at
# random. Then a chocolate tick has probability $0.8\,\theta + 0.2 \cdot \tfrac12$, so the
# likelihood becomes
#
# $$y \mid \theta \sim \text{Binomial}(20,\ 0.8\,\theta + 0.1),$$
#
# and the posterior is no longer a Beta distribution, nor any other with a name. **Predict.** Is it
# wider or narrower than before, further to the left or to the right?
#
# ### ✏️ Exercise 7: careless guests (5 min)
#
# Write `careless_model`. Its sites are `theta` and `y`, as in section 1's `model`; $y = 14$.
#
# <details><summary>Hint</summary>
#
# Copy `model`. One argument of one distribution changes.
#
# </details>


# %%
def careless_model():
    ### BEGIN SOLUTION
    theta = pyro.sample("theta", dist.Beta(2.0, 2.0))
    likelihood = dist.Binomial(20, 0.8 * theta + 0.1)
    pyro.sample("y", likelihood, obs=torch.tensor(14.0))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.careless_model(careless_model)

# %% [markdown]
# The engine stays as it is:

# %%
careless = torch.stack([posterior_draws(careless_model) for _ in range(4)])
for name, value in inference.convergence(careless).items():
    print(f"{name}: {round(value, 3):,}")

# %% [markdown]
# To have a truth to compare with, we evaluate prior times likelihood on a fine grid of shares and
# divide by the area under the curve. That works for one unknown, not for twenty.

# %%
grid = torch.linspace(0.001, 0.999, 999)
log_prior = dist.Beta(2.0, 2.0).log_prob(grid)
careless_likelihood = dist.Binomial(20, 0.8 * grid + 0.1)
log_likelihood_on_grid = careless_likelihood.log_prob(torch.tensor(14.0))
product = (log_prior + log_likelihood_on_grid).exp()
density_on_grid = product / torch.trapezoid(product, grid)
mean = torch.trapezoid(grid * density_on_grid, grid)
var = torch.trapezoid((grid - mean) ** 2 * density_on_grid, grid)

before = dist.Beta(16.0, 8.0)
print(f"everybody tasted: mean {before.mean:.3f}, sd {before.stddev:.3f}")
print(f"one in five did not: mean {mean:.3f}, sd {var.sqrt():.3f}")

# %%
plotting.densities(
    {"everybody tasted": chains, "one in five did not": careless},
    exact=(grid, density_on_grid),
    xlabel=r"share $\theta$ of guests who like chocolate better",
    title="Two models of the same answers; dashed: the second one, exactly",
    xlim=(0.2, 1.0),
)

# %% [markdown]
# The answers are now worth less, so the posterior is wider; and if random ticks diluted the result,
# the true share was probably larger than it looks. R-hat is for harder models than this: what does
# it say of two chains of which one sits elsewhere?

# %%
apart = torch.stack([chains[0], chains[1] - 0.3])
print(f"R-hat: {inference.convergence(apart)['R-hat']:.1f}")

# %% [markdown]
# One draw at a time is slow. Shapes help: 500 independent copies of the first model are *one*
# model, whose prior is one vector of 500 shares, and PyTorch computes with all of them at once.
# What is the shape of 150 draws of `theta`?


# %%
def copies_of_the_model():
    theta = pyro.sample("theta", dist.Beta(2.0, 2.0).expand([500]).to_event(1))
    likelihood = dist.Binomial(20, theta).to_event(1)
    pyro.sample("y", likelihood, obs=torch.full((500,), 14.0))


many = posterior_draws(copies_of_the_model, n=150)
print("shape:", tuple(many.shape))
print(f"mean {many.mean():.4f}, exact {16 / 24:.4f}")
print(f"sd   {many.std():.4f}, exact {math.sqrt(16 * 8 / (24**2 * 25)):.4f}")
for name, value in inference.convergence(many.T).items():
    print(f"{name}: {round(value, 3):,}")

# %% [markdown]
# Effective draws may outnumber the draws: where a step to one side tends to be followed by one to
# the other, errors cancel.

# %% [markdown]
# ### A.2 Are 95% within two standard errors?
#
# Here are 5,000 estimates of the expected takings, each from 400 draws of its own:

# %%
exact_mean = exact_takings.mean.item()
values = takings(today.sample((5000, 400)))
errors = values.mean(1) - exact_mean
inside = errors.abs() < 2 * values.std(1) / math.sqrt(400)
print(f"{inside.float().mean():.1%} are within two standard errors")

# %% [markdown]
# The next picture follows the running average of five series of draws. The grey band is two exact
# standard errors wide on either side.

# %% tags=["picture=monte_carlo"]
n = torch.arange(1, 20_001)
averages = takings(today.sample((5, 20_000))).cumsum(1) / n
error = 2 * exact_takings.stddev / n.sqrt()
_, ax = plt.subplots()
plotting.curves(
    {f"series {k + 1}": (n, average) for k, average in enumerate(averages)},
    exact=(n, torch.full_like(error, exact_mean)),
    xscale="log",
    xlim=(10, 20_000),
    ylim=(0.8 * exact_mean, 1.2 * exact_mean),
    xlabel="number of draws $n$",
    ylabel="average takings (euros)",
    title="Five running averages, and two standard errors (grey)",
    ax=ax,
)
band = (exact_mean - error).cpu(), (exact_mean + error).cpu()
_ = ax.fill_between(n.cpu(), *band, color="0.5", alpha=0.2, lw=0)

# %% [markdown]
# The error shrinks like $1 / \sqrt{n}$: slowly, but surely. A running average that has strayed from
# the band stays outside for a while, for each new draw changes it little.
#
# Rare events are expensive. The spread of a share is $s = \sqrt{p\,(1 - p)}$, so for a standard
# error of 10% of $p$ itself one needs $n = 100\,(1 - p) / p$ draws:

# %% tags=["nbval-check-output"]
for p in (0.5, 0.03, 0.0003):
    print(f"{100 * (1 - p) / p:>9,.0f} draws for p = {p}")

# %% [markdown]
# ### A.3 Seeds
#
# Random numbers on a computer come from a recipe that starts at a number, the **seed**.
# `pyro.set_rng_seed` sets it. The same seed and the same calls in the same order give the same
# draws:

# %%
for attempt in ("first", "second"):
    pyro.set_rng_seed(SEED)
    print(f"{attempt:6} attempt:", today.sample((3,)))
print("and then:      ", today.sample((3,)))

# %% [markdown]
# A seed makes a result *repeatable*, not *right*: another seed gives other numbers, and a
# conclusion worth having survives that. Nor does it promise the same numbers on a GPU as on a CPU,
# or in another version of PyTorch. And it belongs at the top of a notebook, not inside a loop. What
# goes wrong here?

# %%
days = []
for _ in range(4):
    pyro.set_rng_seed(SEED)
    days.append(today.sample())
print(torch.stack(days))

# %% [markdown]
# Every turn draws the same "random" number.

# %% [markdown]
# ## Going further
#
# - **A cheaper rare event.** For $T \sim \mathcal{N}(20, 3^2)$, $P(T > 32)$ is about
#   $3 \cdot 10^{-5}$. Draw from $\mathcal{N}(32, 3^2)$ instead, and weight every draw by the ratio
#   of the two densities (*importance sampling*). How many draws do you need now?
# - **No law of large numbers.** Follow the running average of `dist.Cauchy(0.0, 1.0)`. Why does it
#   not settle, and what would `monte_carlo` report?
# - **Your own shop.** `Poisson` insists that variance and mean are equal. Draw the rate itself from
#   a Gamma, then the count from a Poisson with that rate. What are mean and variance now?
#
# ### References
#
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer. Appendix B lists the
#   distributions. [Microsoft
#   Research](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/).
# - E. Bingham, J. P. Chen, M. Jankowiak, F. Obermeyer, N. Pradhan, T. Karaletsos, R. Singh, P.
#   Szerlip, P. Horsfall and N. D. Goodman (2019). Pyro: Deep universal probabilistic programming.
#   *Journal of Machine Learning Research* 20(28), 1–6.
#   [jmlr.org/papers/v20/18-403](https://jmlr.org/papers/v20/18-403.html).
# - M. D. Hoffman and A. Gelman (2014). The No-U-Turn sampler: Adaptively setting path lengths in
#   Hamiltonian Monte Carlo. *Journal of Machine Learning Research* 15(47), 1593–1623.
#   [jmlr.org/papers/v15/hoffman14a](https://jmlr.org/papers/v15/hoffman14a.html).
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. [arXiv:1908.03442](https://arxiv.org/abs/1908.03442).
# - *Tensor shapes in Pyro*, [pyro.ai](https://pyro.ai/examples/tensor_shapes.html).
# - A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner (2021). Rank-normalization,
#   folding, and localization: An improved R-hat for assessing convergence of MCMC. *Bayesian
#   Analysis* 16(2), 667–718. [doi:10.1214/20-BA1221](https://doi.org/10.1214/20-BA1221).
