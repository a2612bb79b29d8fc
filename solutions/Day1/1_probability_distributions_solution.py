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
# - say what a probabilistic programming language does for you, and what it asks of you;
# - pick a distribution, create it, draw from it, and evaluate its log-density;
# - read the three shapes of a distribution (sample, batch, event), and change one into another;
# - write the log-likelihood of many data, for many candidate values at once, without a loop;
# - compute an expectation or a probability from draws, and say how far off it may be.
#
# **Time:** 75 minutes. **Before:** nothing but Python and a first course in probability.
#
# Today you run an ice-cream shop. Its temperatures, its customers and their favourite flavours
# are uncertain, and by the end of the day you will have a model of them. This notebook is about
# what such a model is made of.
#
# Seven exercises are marked ✏️. The cell after each one checks your answer and gives a hint if
# it is not right yet. Run the cells from top to bottom (Shift + Enter); if you are stuck, the
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
import random

from pyro.infer import MCMC, NUTS
from pyro.ops.stats import effective_sample_size

from checks import probability_distributions as check
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# The first of these cells finds the course and imports what every notebook needs: `torch`
# (PyTorch, which does the arithmetic), `pyro`, and `pyro.distributions`, called `dist`. The last
# line fixes the random numbers, so that you get the same ones each time you run the notebook from
# the top; section 7 says more.

# %% [markdown]
# ## 1. Why a probabilistic programming language?
#
# Twenty guests tasted two flavours, and 14 of them liked chocolate better. What share $\theta$
# (theta) of *all* guests likes chocolate better, and how sure can you be with only twenty answers?
#
# A probabilistic model states two things:
#
# $$\theta \sim \text{Beta}(2, 2), \qquad y \mid \theta \sim \text{Binomial}(20, \theta).$$
#
# The **prior** says what you think of $\theta$ before you ask anyone: somewhere between 0 and 1,
# extreme shares being less likely. The **likelihood** says how the number $y$ of chocolate lovers
# among 20 guests comes about if the share is $\theta$. By Bayes' rule the **posterior**, that is,
# what you know about $\theta$ once you have seen $y = 14$, is proportional to their product,
#
# $$p(\theta \mid y) \propto p(\theta, y) = p(\theta)\, p(y \mid \theta).$$
#
# We do it twice: first by hand, then in Pyro. There is no need to follow every line; look at
# what *you* have to write in each case.
#
# ### 1.1 By hand
#
# First the logarithm of the product, the **log joint** density. The densities come from a
# textbook; with $\Gamma$ the gamma function,
#
# $$p(\theta) = \frac{\Gamma(4)}{\Gamma(2)\,\Gamma(2)}\, \theta\,(1 - \theta), \qquad
# p(y \mid \theta) =
# \frac{\Gamma(21)}{\Gamma(y + 1)\, \Gamma(21 - y)}\, \theta^{y} (1 - \theta)^{20 - y}.$$


# %%
def log_joint(theta, y=14):
    log_prior = math.lgamma(4) - 2 * math.lgamma(2) + math.log(theta) + math.log(1 - theta)
    log_likelihood = (
        math.lgamma(21)
        - math.lgamma(y + 1)
        - math.lgamma(21 - y)
        + y * math.log(theta)
        + (20 - y) * math.log(1 - theta)
    )
    return log_prior + log_likelihood


# %% [markdown]
# Then an algorithm that draws from a density known only up to a factor. *Metropolis sampling* takes
# a random walk: it proposes a step, and takes it if the density there is higher, or else with a
# probability equal to the ratio of the densities. In the long run it visits each $\theta$ as
# often as the posterior says.


# %%
def metropolis(log_joint, step, n=20_000):
    theta, accepted, visited = 0.5, 0, []
    for _ in range(n):
        proposal = theta + step * random.gauss(0, 1)
        if 0 < proposal < 1:
            log_ratio = log_joint(proposal) - log_joint(theta)
            if math.log(1 - random.random()) < log_ratio:
                theta, accepted = proposal, accepted + 1
        visited.append(theta)
    return torch.tensor(visited), accepted / n


# %% [markdown]
# The length of its steps is yours to choose. The draws of a random walk resemble their
# predecessors; the **effective sample size** says how many *independent* draws they are worth.
# (It can combine several walks; `[None]` says that there is one.)

# %%
walks = {step: metropolis(log_joint, step) for step in (0.01, 0.25, 10.0)}
pd.DataFrame(
    {
        "accepted": {step: share for step, (_, share) in walks.items()},
        "effective draws of 20,000": {
            step: effective_sample_size(draws[None], 0, 1).item()
            for step, (draws, _) in walks.items()
        },
    }
).rename_axis("step").round(2)

# %% [markdown]
# With tiny steps the walk creeps; with huge ones nearly every proposal is refused. Only the middle
# one is any good, and you found it by trying: that is the *tuning*.
#
# ### 1.2 In Pyro
#
# The model, in Pyro, is a function that says what is drawn from what. `pyro.sample` names a random
# quantity and gives its distribution; `obs=` says that this one was observed, and what it was.


# %%
def model():
    theta = pyro.sample("theta", dist.Beta(2.0, 2.0))
    pyro.sample("y", dist.Binomial(20, theta), obs=torch.tensor(14.0))


# %% [markdown]
# And the algorithm is an *inference engine* from the library. `NUTS` (the no-U-turn sampler,
# Hoffman and Gelman 2014) does not merely walk at random, but follows the slope of the log-density;
# it tunes its own steps during the first `warmup_steps`. (Both algorithms are kinds of `MCMC`,
# Markov chain Monte Carlo.)


# %%
def posterior_draws(model, n=1000):
    engine = MCMC(NUTS(model), num_samples=n, warmup_steps=200, disable_progbar=True)
    engine.run()
    return engine.get_samples()["theta"]


nuts_draws = posterior_draws(model)

# %% [markdown]
# In this small example the posterior is also known exactly: it is $\text{Beta}(2 + 14,\ 2 + 6)$. Do
# the two agree with it? (Both curves are a little bumpy, for they come from draws: 1,000 of them in
# Pyro, and 20,000 that resemble their predecessors by hand.)

# %%
grid = torch.linspace(0.2, 0.99, 300)
plotting.densities(
    {"by hand": walks[0.25][0], "Pyro": nuts_draws},
    exact=(grid, dist.Beta(16.0, 8.0).log_prob(grid).exp()),
    xlabel=r"share $\theta$ of guests who like chocolate better",
    title="Both find the exact posterior; the share is two thirds, give or take a tenth",
)

# %% [markdown]
# ### 1.3 When the model changes
#
# You now learn that one guest in five, on average, did not taste anything and ticked a box at
# random. Then a chocolate tick has probability $0.8\,\theta + 0.2 \cdot \tfrac12$, so the
# likelihood becomes
#
# $$y \mid \theta \sim \text{Binomial}(20,\ 0.8\,\theta + 0.1),$$
#
# and the posterior is no longer a Beta distribution, nor any other with a name. In Pyro one line
# changes, and the engine stays:


# %%
def careless_model():
    theta = pyro.sample("theta", dist.Beta(2.0, 2.0))
    pyro.sample("y", dist.Binomial(20, 0.8 * theta + 0.1), obs=torch.tensor(14.0))


careless_draws = posterior_draws(careless_model)

# %% [markdown]
# To have a truth to compare with, we evaluate prior times likelihood on a fine grid of shares and
# divide by the area under the curve. (That works for one unknown, not for twenty.)

# %%
product = dist.Beta(2.0, 2.0).log_prob(grid).exp()
product = product * dist.Binomial(20, 0.8 * grid + 0.1).log_prob(torch.tensor(14.0)).exp()
plotting.densities(
    {"everybody tasted": nuts_draws, "one in five ticked at random": careless_draws},
    exact=(grid, product / torch.trapezoid(product, grid)),
    xlabel=r"share $\theta$ of guests who like chocolate better",
    title="Careless guests: a wider posterior, further to the right",
    xlim=(0.2, 1.0),
)

# %% [markdown]
# The black dashed line is the exact posterior of the new model. The answers are now worth less, so
# the posterior is wider; and if random ticks diluted the result, the true share was probably larger
# than it looks.
#
# | you write | by hand | in Pyro |
# | --- | --- | --- |
# | the model | its densities, formula by formula | what is drawn from what |
# | the inference | an algorithm, tuned by trying | the name of an engine |
# | for another model | new formulas, new tuning | the lines that differ |
#
# For one unknown the version by hand does well. But a random walk gets lost among many unknowns,
# and the neural networks of Day 2 have hundreds of them.
#
# So a **probabilistic programming language** separates the *model*, which is yours, from the
# *inference*, which is the library's. What does the engine need from your model? Random draws,
# log-densities, and the slopes of these, which PyTorch computes by itself. All of it comes from the
# objects inside `pyro.sample`: the **distributions**. They are what the rest of this notebook is
# about.

# %% [markdown]
# ## 2. A distribution is an object
#
# Here is the temperature of an afternoon in spring, in °C: a normal distribution with mean 15 and
# standard deviation 4.

# %%
temp = dist.Normal(15.0, 4.0)
temp

# %% [markdown]
# Pyro's names are `loc` (location) for the mean and `scale` for the standard deviation. Draw from
# it:

# %%
one_day = temp.sample()
one_day

# %% [markdown]
# The result is a **tensor**: PyTorch's array of numbers, of which this is the smallest possible,
# a single one. `.item()` turns it into an ordinary Python number. The argument of `sample` says how
# many draws you want, as a tuple:

# %%
week = temp.sample((7,))
print("one day as a number:", round(one_day.item(), 2))
print("a week:", week)

# %% [markdown]
# Every tensor has a **shape**: the tuple of its sizes, one for each dimension. A list of seven
# numbers has shape `(7,)` (the comma makes it a tuple), a table of 2 rows and 3 columns `(2, 3)`,
# and a single number `()`, for it has no dimension at all. `torch.Size` is PyTorch's name for such
# a tuple.

# %% tags=["nbval-check-output"]
print("one day:  ", one_day.shape)
print("a week:   ", week.shape)
print("two weeks:", temp.sample((2, 7)).shape)

# %% [markdown]
# A distribution knows its mean, variance and standard deviation. No draws are needed for these:

# %% tags=["nbval-check-output"]
print("mean:    ", temp.mean.item())
print("variance:", temp.variance.item())
print("stddev:  ", temp.stddev.item())

# %% [markdown]
# ### The first trap
#
# In books, $\mathcal{N}(15, 4)$ is a normal distribution with **variance** $\sigma^2 = 4$. In Pyro,
# `Normal(15.0, 4.0)` has **standard deviation** $\sigma = 4$, as the output above shows: its
# variance is 16. A normal written $\mathcal{N}(\mu, \sigma^2)$ is `Normal(μ, σ)` in code. Mixing
# them up gives no error, just another model:

# %%
degrees = torch.linspace(2, 28, 200)
plotting.curves(
    {
        "Normal(15.0, 4.0)": (degrees, dist.Normal(15.0, 4.0).log_prob(degrees).exp()),
        "Normal(15.0, 2.0), which is N(15, 4)": (
            degrees,
            dist.Normal(15.0, 2.0).log_prob(degrees).exp(),
        ),
    },
    xlabel="temperature (°C)",
    ylabel="density",
    title="The same 4, read as a standard deviation and as a variance",
)

# %% [markdown]
# ### `log_prob`
#
# How plausible is a value $t$? The curves above are **densities**,
#
# $$p(t) = \frac{1}{\sigma \sqrt{2 \pi}} \exp\Bigl(-\frac{(t - \mu)^2}{2 \sigma^2}\Bigr),$$
#
# and `log_prob` returns $\ln p(t)$, the natural logarithm of the density (of the probability, if
# the values are discrete). Its argument has to be a tensor, and `torch.tensor(18.0)` makes one. By
# Pyro and by the formula:

# %% tags=["nbval-check-output"]
by_pyro = temp.log_prob(torch.tensor(18.0))
by_formula = -((18 - 15) ** 2) / (2 * 4**2) - math.log(4 * math.sqrt(2 * math.pi))
print(f"Pyro:    {by_pyro.item():.4f}")
print(f"formula: {by_formula:.4f}")

# %% [markdown]
# A density is not a probability: it is a probability *for each degree*, and it may well exceed 1.
# Probabilities are areas below the curve. A thermostat that keeps 15 °C to within a tenth shows it:

# %% tags=["nbval-check-output"]
density = dist.Normal(15.0, 0.1).log_prob(torch.tensor(15.0)).exp()
print(f"density at 15.0: {density.item():.2f}")

# %% [markdown]
# Why logarithms? The density of independent values is the *product* of their densities, and a
# product of many small numbers soon falls below what a computer can tell from zero. The logarithm
# of a product is the sum of the logarithms, which is harmless:

# %%
year = temp.sample((365,))
print("product of densities:   ", temp.log_prob(year).exp().prod().item())
print("sum of their logarithms:", round(temp.log_prob(year).sum().item(), 1))

# %% [markdown]
# ### ✏️ Exercise 1: July
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
# A normal variable can be any real number. Many quantities are not: a count is a whole number, a
# waiting time is positive, a share lies between 0 and 1. The set of possible values is the
# **support** of a distribution; choosing one starts there.
#
# | distribution | support | typical use |
# | --- | --- | --- |
# | `Bernoulli(p)` | 0 or 1 | yes or no; $p$ is the probability of 1 |
# | `Categorical(probs)` | 0, 1, …, k − 1 | which of $k$ kinds |
# | `Poisson(rate)` | 0, 1, 2, … | how many, when `rate` is the average |
# | `Exponential(rate)` | 0 or more | waiting time between events |
# | `Gamma(shape, rate)` | positive | amounts; a positive unknown |
# | `Beta(a, b)` | between 0 and 1 | an unknown share |
#
# (Give the numbers in this order, without names: Pyro calls the Gamma's shape and the two numbers
# of the Beta *concentrations*. `Categorical` takes one tensor, such as `torch.tensor([0.5, 0.4,
# 0.1])`, for it needs several probabilities.) This is what they look like; the triangle marks the
# mean. (The sizes 0, 1, 2 stand for small, medium and large: they are no numbers to be averaged, so
# they have none.)

# %%
unit = torch.linspace(0.001, 0.999, 200)
amount = torch.linspace(0.01, 25.0, 200)
sizes = dist.Categorical(torch.tensor([0.5, 0.4, 0.1]))
panels = {
    "Bernoulli(0.3)": (dist.Bernoulli(0.3), torch.tensor([0.0, 1.0]), "did it rain?"),
    "Categorical([0.5, 0.4, 0.1])": (sizes, torch.arange(3), "size (0, 1, 2)"),
    "Poisson(7.0)": (dist.Poisson(7.0), torch.arange(20.0), "customers in an hour"),
    "Exponential(0.25)": (dist.Exponential(0.25), amount, "waiting time (minutes)"),
    "Gamma(4.0, 0.5)": (dist.Gamma(4.0, 0.5), amount, "ice cream sold (litres)"),
    "Beta(2.0, 5.0)": (dist.Beta(2.0, 5.0), unit, "share of vegan guests"),
}
figure, axes = plt.subplots(2, 3, figsize=(8.4, 5.0))
title = "Discrete distributions have probabilities (bars), continuous ones densities"
figure.suptitle(title, x=0.01, ha="left")
for ax, (name, (d, values, label)) in zip(axes.flat, panels.items(), strict=True):
    height, values = d.log_prob(values).exp().numpy(force=True), values.numpy(force=True)
    if d.support.is_discrete:
        ax.bar(values, height, width=0.6)
        ax.locator_params(axis="x", integer=True)
    else:
        ax.fill_between(values, height, color="C1", alpha=0.15)
        ax.plot(values, height, color="C1")
    ax.plot(float(d.mean), 0, "k^", ms=9, clip_on=False)  # the mean, where there is one
    ylabel = "probability" if d.support.is_discrete else "density"
    ax.set(title=name, xlabel=label, ylabel=ylabel, ylim=(0, None))

# %% [markdown]
# Each of them has a trap of its own. The second argument of the Gamma, and the only one of the
# Exponential, is a **rate**: events *per unit*, not units per event.
#
# | | mean | variance |
# | --- | --- | --- |
# | Bernoulli(p) | p | p (1 − p) |
# | Poisson(λ) | λ | λ |
# | Exponential(λ) | 1/λ | 1/λ² |
# | Gamma(α, β) | α/β | α/β² |
# | Beta(a, b) | a/(a + b) | ab / ((a + b)² (a + b + 1)) |
#
# So a rate of 0.25 customers per minute means 4 minutes between customers. And the Poisson has one
# number only: a mean of 7 customers comes with a variance of 7, whether that suits you or not.

# %% tags=["nbval-check-output"]
for name, d in {
    "Exponential(0.25)": dist.Exponential(0.25),
    "Gamma(4.0, 0.5)": dist.Gamma(4.0, 0.5),
    "Poisson(7.0)": dist.Poisson(7.0),
}.items():
    print(f"{name:18} mean {d.mean.item():.1f}, variance {d.variance.item():.1f}")

# %% [markdown]
# A `Categorical` draws a *number*, the index of a kind, counting from 0. A `Bernoulli` draws 0.0
# or 1.0, a decimal number, so that it can be multiplied, added up and averaged.

# %%
sizes = ["small", "medium", "large"]
size = dist.Categorical(torch.tensor([0.5, 0.4, 0.1])).sample()
rain = dist.Bernoulli(0.3).sample((10,))
print("a size:", size, "->", sizes[size])
print("rain on ten days:", rain)

# %% [markdown]
# A value outside the support is an error, not a zero. It saves you from many a slip:

# %%
try:
    dist.Exponential(0.25).log_prob(torch.tensor(-1.0))
except ValueError as error:
    print(str(error).partition(", but")[0])

# %% [markdown]
# ### ✏️ Exercise 2: five quantities of a shop
#
# Describe each quantity by a distribution:
#
# - `customers`: the number of customers in an hour, 12 on average;
# - `wait`: the minutes until the next customer, an exponential distribution with mean 5;
# - `flavour`: 0 vanilla (50%), 1 chocolate (30%) or 2 strawberry (20%);
# - `litres`: the ice cream sold in a day, a Gamma with mean 6 litres and variance 4;
# - `vegan`: the share of vegan guests, a Beta with mean 0.25 whose two numbers add up to 8.
#
# <details><summary>Hint</summary>
#
# Solve the formulas in the table above for the arguments. For the Gamma, divide the mean by the
# variance first: what is left of α/β and α/β²? `Categorical` takes a tensor of probabilities.
#
# </details>

# %%
customers, wait, flavour, litres, vegan = None, None, None, None, None
### BEGIN SOLUTION
customers = dist.Poisson(12.0)
wait = dist.Exponential(1 / 5)
flavour = dist.Categorical(torch.tensor([0.5, 0.3, 0.2]))
litres = dist.Gamma(9.0, 1.5)
vegan = dist.Beta(2.0, 6.0)
### END SOLUTION

# %% tags=["nbval-check-output"]
check.five_quantities(customers, wait, flavour, litres, vegan)

# %% [markdown]
# ## 4. Many distributions in one object
#
# Three shops, one by the sea, one in town, one in the desert, have different temperatures. One
# object holds all three distributions if its arguments are tensors:

# %%
mean_temp = torch.tensor([12.0, 18.0, 26.0])
shops = dist.Normal(mean_temp, 2.0)
shops.sample()

# %% [markdown]
# The three share the standard deviation 2.0, which is used for each of them. They are three
# separate numbers: independent draws, and three values of `log_prob`. The object says so itself:
# its **batch shape** is `(3,)`, a *batch* being a set of distributions side by side.

# %% tags=["nbval-check-output"]
print("batch shape:         ", tuple(shops.batch_shape))
print("log_prob of one draw:", tuple(shops.log_prob(shops.sample()).shape))

# %% [markdown]
# Other distributions are about *vectors*. Here are two.
#
# - The **Dirichlet** is a Beta for more than two kinds. One draw is a vector of shares that sum
#   to 1: for example, the unknown shares of guests who prefer vanilla, chocolate and strawberry.
# - The **multivariate normal** has a mean vector and a covariance matrix: for example, temperature
#   and humidity of one afternoon, which go together (here with a covariance of −18).
#
# Such a vector is **one** outcome. Its entries depend on each other, so there is one `log_prob` for
# the whole vector. The shape of one outcome is the **event shape**.

# %% tags=["nbval-check-output"]
shares = dist.Dirichlet(torch.tensor([5.0, 3.0, 2.0]))
weather = dist.MultivariateNormal(
    torch.tensor([15.0, 60.0]), torch.tensor([[4.0, -18.0], [-18.0, 100.0]])
)
for name, d in {"shops": shops, "shares": shares, "weather": weather}.items():
    log_prob = d.log_prob(d.sample())
    print(
        f"{name:8} batch {tuple(d.batch_shape)}, event {tuple(d.event_shape)}, "
        f"log_prob {tuple(log_prob.shape)}"
    )

# %% [markdown]
# So there are three shapes, and two rules that settle nearly every question about them.
#
# - **sample shape**: how many draws you ask for, the argument of `sample`;
# - **batch shape**: how many separate distributions the object holds;
# - **event shape**: how large one outcome is.
#
# $$\texttt{sample(s).shape} = \text{sample} + \text{batch} + \text{event}, \qquad
# \texttt{log\_prob(x).shape} = \text{sample} + \text{batch},$$
#
# where + puts one tuple after the other. Here are two draws, `sample((2,))`, from two of these
# objects. Each grey panel is a draw, each colour an entry of the batch, and each outline an
# event. The small number below an outline is its `log_prob`.


# %%
def draw_shapes(objects, title):
    """Two draws of each object: a panel for a draw, an outline for an event, with its log_prob."""
    _, ax = plt.subplots()
    ax.set_title(title)
    y = 0.0  # downwards, in widths of a cell
    for name, d in objects.items():
        x = d.sample((2,))
        batch, event = tuple(d.batch_shape), tuple(d.event_shape)
        shapes = f"sample (2,) + batch {batch} + event {event} = {tuple(x.shape)}"
        ax.text(0, y + 0.9, f"{name}\n{shapes}", fontsize=9)
        # As the tensor is printed: its last dimension goes across, the others down.
        down, across = (1, *batch, 1)[-2:] if event else (1, 1, *batch)[-2:]
        log_prob = d.log_prob(x).reshape(2, down, across).tolist()
        values = x.reshape(2, down, across, -1).tolist()
        size, panel = math.prod(event), across * (math.prod(event) + 0.3) + 0.1
        for s, i, j in [(s, i, j) for s in range(2) for i in range(down) for j in range(across)]:
            left, top = s * (panel + 0.3) + j * (size + 0.3) + 0.2, y + 1.4 + 1.5 * i
            if i == j == 0:
                corner = (left - 0.2, top - 0.2)
                ax.add_patch(plt.Rectangle(corner, panel, 1.5 * down + 0.1, color="#EEEEEE"))
            colour = f"C{i * across + j}"
            ax.add_patch(plt.Rectangle((left, top), size, 0.85, fc=colour, alpha=0.25))
            ax.add_patch(plt.Rectangle((left, top), size, 0.85, fill=False, ec=colour, lw=2))
            for k, value in enumerate(values[s][i][j]):
                ax.text(left + k + 0.5, top + 0.43, f"{value:#.3g}", ha="center", va="center")
            text = f"{log_prob[s][i][j]:.1f}"
            ax.text(left + size / 2, top + 1.08, text, ha="center", va="center", style="italic")
        y += 1.5 * down + 1.5
    ax.set(xlim=(0, 14), ylim=(y, 0), aspect="equal")
    ax.set_axis_off()
    ax.figure.set_size_inches(8.4, 0.6 * y + 0.3)


draw_shapes(
    {"shops = Normal(mean_temp, 2.0)": shops, "shares = Dirichlet([5, 3, 2])": shares},
    title="Three separate numbers, or one vector of three: one log_prob for each outline",
)

# %% [markdown]
# Two methods change the batch shape, without a loop.
#
# - `.expand([...])` copies a distribution until the batch has the shape that you ask for. The
#   copies are independent: each has draws of its own.
# - `.to_event(1)` declares that the last dimension of the batch is part of the *event*: separate
#   numbers become one vector. (`.to_event(2)` takes the last two.)

# %%
draw_shapes(
    {
        "Normal(20.0, 3.0)": dist.Normal(20.0, 3.0),
        "Normal(20.0, 3.0).expand([2, 3])": dist.Normal(20.0, 3.0).expand([2, 3]),
        "Normal(20.0, 3.0).expand([2, 3]).to_event(1)": dist.Normal(20.0, 3.0)
        .expand([2, 3])
        .to_event(1),
    },
    title="expand makes a batch; to_event(1) joins its last dimension into events",
)

# %% [markdown]
# The numbers are drawn in the same way in the last two rows; what changes is what counts as *one
# outcome*, and so the number of `log_prob` values. The object that `to_event` returns is called
# `Independent`: a vector whose entries are independent of each other.

# %%
shops.to_event(1)

# %% [markdown]
# ### ✏️ Exercise 3: predict the shapes
#
# For each of these five objects, what is the shape of ten draws `x = d.sample((10,))`, and what is
# the shape of `d.log_prob(x)`? Think first; then run the code if you like.
#
# - `"A"`: `dist.Normal(torch.zeros(4), 1.0)`
# - `"B"`: `dist.Bernoulli(0.3).expand([2, 3])`
# - `"C"`: `dist.Dirichlet(torch.ones(5))`
# - `"D"`: `dist.Normal(torch.zeros(4, 3), 1.0).to_event(1)`
# - `"E"`: `dist.MultivariateNormal(torch.zeros(2), torch.eye(2)).expand([6])`
#
# (`torch.zeros(4, 3)` is a tensor of that shape full of zeros; `torch.ones` works alike, and
# `torch.eye(2)` is the 2 × 2 identity matrix.) Write a dictionary with a pair of tuples for each
# letter, first the shape of the draws, then that of `log_prob`:
#
# ```python
# predicted = {"A": (shape_of_draws, shape_of_log_prob), "B": ...}
# ```
#
# <details><summary>Hint</summary>
#
# For each object, write down batch and event shape first, then apply the two rules. A tuple with
# one entry needs a comma: `(7,)`. `expand` changes the batch; the event shape stays as it is.
#
# </details>

# %%
predicted = None
### BEGIN SOLUTION
predicted = {
    "A": ((10, 4), (10, 4)),
    "B": ((10, 2, 3), (10, 2, 3)),
    "C": ((10, 5), (10,)),
    "D": ((10, 4, 3), (10, 4)),
    "E": ((10, 6, 2), (10, 6)),
}
### END SOLUTION

# %% tags=["nbval-check-output"]
check.predicted_shapes(predicted)

# %% [markdown]
# ### ✏️ Exercise 4: one vector for each town
#
# Write `temperatures(towns, days)`. It returns **one** distribution object, for `towns` separate
# towns (the batch). In each town an outcome is the vector of the temperatures of `days` days (the
# event), all of them independent and $\mathcal{N}(20, 3^2)$.
#
# <details><summary>Hint</summary>
#
# Three steps: one normal; `expand` it to a batch of towns and days; make the days the event. Does
# $3^2$ go into `Normal`, or 3?
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
# One vector of three independent normals has one log-density. By the rule for independent values
# it is the sum of the three: `to_event` adds up what the batch keeps apart.

# %%
x = torch.tensor([11.0, 18.5, 30.0])
print("batch:         ", shops.log_prob(x))
print("its sum:       ", shops.log_prob(x).sum())
print("after to_event:", shops.to_event(1).log_prob(x))

# %% [markdown]
# In short: `log_prob` sums inside an **event**, and over nothing else. What it leaves apart, the
# batch and the sample dimensions, you sum yourself if the values belong together, for example
# because they are independent observations of one quantity.
#
# ### Broadcasting
#
# The value that you give to `log_prob` need not have the batch shape exactly. PyTorch
# **broadcasts**: it lines two shapes up *from the right*, and stretches a size of 1, or a missing
# dimension, to what the other one has.
#
# | shape | | shape | | result |
# | --- | --- | --- | --- | --- |
# | `(3,)` | with | `()` | → | `(3,)` |
# | `(2, 1)` | with | `(3,)` | → | `(2, 3)` |
# | `(2,)` | with | `(3,)` | → | an error |
#
# You have used the first line already: three means and one standard deviation. The second line
# makes *every combination* of two and three values. `[:, None]` appends a dimension of size 1, so
# it turns a list of shape `(2,)` into a column of shape `(2, 1)`:

# %% tags=["nbval-check-output"]
column = torch.tensor([10.0, 20.0])[:, None]
row = torch.tensor([1.0, 2.0, 3.0])
print(tuple(column.shape), "+", tuple(row.shape), "=", tuple((column + row).shape))
print((column + row).tolist())

# %% [markdown]
# ### ✏️ Exercise 5: ten readings, many candidates
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
# what is the shape of the result? Which dimension is the sum over? (`.sum(0)` sums over the first
# dimension, `.sum(-1)` over the last.)
#
# </details>

# %%
readings = torch.tensor([18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1])


def log_likelihood(readings, candidates):
    ### BEGIN SOLUTION
    return dist.Normal(candidates[:, None], 1.0).log_prob(readings).sum(-1)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.log_likelihood(log_likelihood)

# %% [markdown]
# 301 candidates, 3,010 log-densities, one call. The curve below has its top at the average of the
# readings, as it should for a normal:

# %%
candidates = torch.linspace(18, 21.5, 301)
plotting.curves(
    {"log-likelihood": (candidates, log_likelihood(readings, candidates))},
    marks={"average of the readings": readings.mean().item()},
    xlabel="candidate temperature $t$ (°C)",
    ylabel="log-likelihood (nats)",
    title="Ten readings together single out the temperatures near their average",
)

# %% [markdown]
# (A *nat* is the unit of natural logarithms.) One degree beside the top costs 5 nats: such a $t$
# makes the density of the readings $e^5 \approx 150$ times smaller. In the next notebook such a
# curve, and a prior, become a posterior.

# %% [markdown]
# ## 6. Monte Carlo
#
# Takings grow with the temperature: say that on an afternoon of $t$ °C the shop takes
# $f(t) = 50\, e^{0.1 t}$ euros. If the temperature is $T \sim \mathcal{N}(20, 3^2)$, what are the
# expected takings $\operatorname{E}[f(T)]$? It is tempting to plug in the mean, $f(20)$. Draws tell
# another story: by the law of large numbers, the average over many draws approaches the
# expectation,
#
# $$\operatorname{E}[f(T)] \approx \frac{1}{n} \sum_{i=1}^n f(t_i), \qquad t_1, \dots, t_n
# \text{ drawn from } \mathcal{N}(20, 3^2).$$
#
# This is the **Monte Carlo** method. Here there is also a closed form: $f(T)$ has a log-normal
# distribution, and its mean is $50 \exp(0.1 \cdot 20 + 0.1^2 \cdot 3^2 / 2)$.


# %%
def takings(t):
    return 50 * torch.exp(0.1 * t)


today = dist.Normal(20.0, 3.0)
exact_mean = 50 * math.exp(0.1 * 20 + 0.1**2 * 3**2 / 2)
print(f"plugging in the mean: {takings(today.mean).item():.2f}")
print(f"Monte Carlo:          {takings(today.sample((100_000,))).mean().item():.2f}")
print(f"exact:                {exact_mean:.2f}")

# %% [markdown]
# Hot days gain more than cold days lose, so the average of the takings is not the takings of the
# average day. In general $\operatorname{E}[f(T)] \ne f(\operatorname{E}[T])$: *first* transform
# the draws, *then* average.
#
# ### How far off is it?
#
# An average of $n$ independent draws has a standard deviation of its own, the **standard error**
#
# $$\mathrm{se} = \frac{s}{\sqrt{n}},$$
#
# where $s$ is the standard deviation of the values $f(t_1), \dots, f(t_n)$. By the central limit
# theorem the estimate is within $2\,\mathrm{se}$ of the truth about 95% of the time.
#
# ### ✏️ Exercise 6: an estimate and its error
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
# The expected takings, from more and more draws:

# %%
rows = []
for n in (100, 10_000, 1_000_000):
    estimate, standard_error = monte_carlo(takings, today, n)
    rows.append([n, float(estimate), float(standard_error), float(estimate) - exact_mean])

columns = ["n", "estimate", "standard error", "actual error"]
pd.DataFrame(rows, columns=columns).set_index("n").round(3)

# %% [markdown]
# A hundred times as many draws make the standard error ten times smaller. (The actual error is a
# matter of luck; the standard error says how much luck there is to be had.) Are 95% of the
# estimates really within two standard errors? Here are 5,000 estimates, each from 400 draws of its
# own:

# %%
values = takings(today.sample((5000, 400)))
errors = values.mean(1) - exact_mean
inside = errors.abs() < 2 * values.std(1) / math.sqrt(400)
print(f"within two standard errors: {inside.float().mean():.1%} of the estimates")

# %% [markdown]
# The picture follows the running average of five series of draws. (The exact mean and standard
# deviation are those of a *log-normal* variable, whose logarithm is normal. A running average that
# has strayed from the band stays outside for a while, for it changes slowly.)

# %%
exact_sd = exact_mean * math.sqrt(math.exp(0.1**2 * 3**2) - 1)
n = torch.arange(1, 20_001)
averages = takings(today.sample((5, 20_000))).cumsum(1) / n
_, ax = plt.subplots()
plotting.curves(
    {f"series {k + 1}": (n, average) for k, average in enumerate(averages)},
    exact=(n, torch.full_like(averages[0], exact_mean)),
    xscale="log",
    xlim=(10, 20_000),
    ylim=(0.8 * exact_mean, 1.2 * exact_mean),
    xlabel="number of draws $n$",
    ylabel="average takings (euros)",
    title="The error shrinks like $1/\\sqrt{n}$: slowly, but surely; grey: two standard errors",
    ax=ax,
)
error = 2 * exact_sd / n.cpu().sqrt()
ax.fill_between(n.cpu(), exact_mean - error, exact_mean + error, color="0.5", alpha=0.2, lw=0)
ax.get_legend().remove()

# %% [markdown]
# The standard error comes from the draws themselves, so that you know how far off you may be
# *without* knowing the exact answer. Where there is no exact answer beside it, never report a Monte
# Carlo number without its standard error.
#
# ### Probabilities
#
# A probability is an expectation, too: that of a function which is 1 if the statement is true and 0
# if not. So it is estimated by the *share* of the draws for which the statement is true. Its $s$ is
# $\sqrt{p\,(1 - p)}$, the standard deviation of a Bernoulli.


# %%
def is_hot(t):
    return (t > 25).float()


estimate, standard_error = monte_carlo(is_hot, today, 100_000)
p_hot = 1 - today.cdf(torch.tensor(25.0)).item()
print(f"P(T > 25): {estimate:.4f}, standard error {standard_error:.4f}; exact {p_hot:.4f}")

# %% [markdown]
# `t > 25` is `True` or `False` for each draw, and `.float()` makes these 1.0 and 0.0. `cdf` is the
# *cumulative distribution function*, $P(T \le t)$, which PyTorch computes for the normal.
#
# ### ✏️ Exercise 7: how many draws?
#
# Write `draws_needed(p, standard_error)`: the smallest whole number $n$ for which the share of $n$
# draws estimates a probability $p$ with at most that standard error. Solve
#
# $$\mathrm{se} = \sqrt{\frac{p\,(1 - p)}{n}}$$
#
# for $n$, and round *up*.
#
# <details><summary>Hint</summary>
#
# Square both sides first. `math.ceil` rounds up.
#
# </details>


# %%
def draws_needed(p, standard_error):
    ### BEGIN SOLUTION
    return math.ceil(p * (1 - p) / standard_error**2)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.draws_needed(draws_needed)

# %% [markdown]
# Rare events are expensive. To know a probability with a standard error of 10% of itself, $p / 10$,
# takes

# %% tags=["nbval-check-output"]
for p in (0.5, 0.03, 0.0003):
    print(f"{int(draws_needed(p, p / 10)):>7,} draws for p = {p}")

# %% [markdown]
# ## 7. Seeds
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
# or in another version of PyTorch. And it belongs at the top of a notebook, not inside a loop,
# where every turn would see the same "random" numbers:

# %%
days = []
for _ in range(4):
    pyro.set_rng_seed(SEED)
    days.append(today.sample())
print(torch.stack(days))

# %% [markdown]
# ## 8. Scorecard
#
# Every notebook ends like this: what we computed approximately, beside the exact answer. Here
# all approximations are Monte Carlo.
#
# For three of the shop's quantities of exercise 2, and for the takings, draw 200,000 times from
# each (this needs exercise 2):

# %%
n = 200_000
draws = {
    "customers": customers.sample((n,)),
    "wait": wait.sample((n,)),
    "litres": litres.sample((n,)),
    "takings": takings(today.sample((n,))),
}

# %% [markdown]
# The draws of $\theta$ in section 1 were only 1,000, for the engine needs a few milliseconds for
# each. But now you know how to get many cheaply: put 500 independent copies of the model side by
# side, for PyTorch computes with 500 numbers in a few times the time that one takes. The prior
# becomes *one vector* of 500 shares, and the likelihood one vector of 500 counts, all of them 14.
# (`to_event` is needed because a model has to say what its batch dimensions mean; the next notebook
# has another way.) Each draw of the engine is then a vector, and `.flatten()` makes one long list.


# %%
def copies_of_the_model():
    theta = pyro.sample("theta", dist.Beta(2.0, 2.0).expand([500]).to_event(1))
    pyro.sample("y", dist.Binomial(20, theta).to_event(1), obs=torch.full((500,), 14.0))


draws["theta"] = posterior_draws(copies_of_the_model, n=150).flatten()
print(f"{len(draws['theta']):,} draws of theta")

# %% [markdown]
# For each quantity the table has the mean, the standard deviation and one probability:

# %%
statements = {
    "customers": ("customers > 15", lambda x: x > 15),
    "wait": ("wait > 10", lambda x: x > 10),
    "litres": ("litres > 8", lambda x: x > 8),
    "takings": ("takings > 500", lambda x: x > 500),
    "theta": ("theta > 0.5", lambda x: x > 0.5),
}
approximate = {}
for name, (statement, is_true) in statements.items():
    approximate[f"E[{name}]"] = draws[name].mean()
    approximate[f"sd[{name}]"] = draws[name].std()
    approximate[f"P({statement})"] = is_true(draws[name]).float().mean()

# %% [markdown]
# And the exact values. Means and variances are in the table of section 3, except for the
# takings, whose logarithm is normal. The probabilities are sums or known functions:
#
# - `customers`: a sum of Poisson probabilities $e^{-12}\, 12^k / k!$;
# - `wait`: $e^{-10/5}$, the tail of an exponential;
# - `litres`: the *incomplete gamma function*, which PyTorch calls `gammaincc`;
# - `takings`: $50\, e^{0.1 t} > 500$ means $t > 10 \ln 10$, the tail of a normal;
# - `theta`: the posterior is Beta(16, 8), and for whole numbers $a$ and $b$ a Beta's tail is that
#   of a binomial: $P(\theta > x) = P(K \le a - 1)$ with $K \sim \text{Binomial}(a + b - 1, x)$.


# %%
def double(x):
    return torch.tensor(x, dtype=torch.float64, device="cpu")


truth = {
    "E[customers]": 12,
    "sd[customers]": math.sqrt(12),
    "P(customers > 15)": 1 - sum(math.exp(-12) * 12**k / math.factorial(k) for k in range(16)),
    "E[wait]": 5,
    "sd[wait]": 5,
    "P(wait > 10)": math.exp(-10 / 5),
    "E[litres]": 6,
    "sd[litres]": 2,
    "P(litres > 8)": torch.special.gammaincc(double(9.0), double(1.5 * 8)),
    "E[takings]": exact_mean,
    "sd[takings]": exact_sd,
    "P(takings > 500)": 0.5 * math.erfc((10 * math.log(10) - 20) / 3 / math.sqrt(2)),
    "E[theta]": 16 / 24,
    "sd[theta]": math.sqrt(16 * 8 / (24**2 * 25)),
    "P(theta > 0.5)": sum(math.comb(23, k) for k in range(16)) / 2**23,
}

# %%
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard)

# %% [markdown]
# The `error` of a mean is in units of the exact standard deviation; that of a standard deviation is
# relative; that of a probability is the relative error of its odds, $p / (1 - p)$. (Odds are a
# strict measure: 0.99 and 0.999 are nearly the same probability, and tenfold odds.)
#
# How large should the errors be? In units of the standard deviation, the standard error of a mean
# is $1 / \sqrt{n}$: for 200,000 draws about 0.002. The check below allows a mean 0.02, ten times as
# much, so that it fails for a mistake and not for bad luck. (The draws of $\theta$ are not quite
# independent, so their error is a little harder to foretell.) Over the seeds 0 to 9 every mean is
# within 0.01 standard deviations of the truth, every standard deviation within 1%, and every
# probability itself (not its odds) within 0.0025.

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.02, sd=0.02, probability=0.01)

# %% [markdown]
# ## 9. Going further
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
#   distributions.
# - E. Bingham, J. P. Chen, M. Jankowiak, F. Obermeyer, N. Pradhan, T. Karaletsos, R. Singh,
#   P. Szerlip, P. Horsfall and N. D. Goodman (2019). Pyro: Deep universal probabilistic
#   programming. *Journal of Machine Learning Research* 20(28), 1–6.
# - M. D. Hoffman and A. Gelman (2014). The No-U-Turn sampler. *Journal of Machine Learning
#   Research* 15, 1593–1623.
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. arXiv:1908.03442.
# - *Tensor shapes in Pyro*, https://pyro.ai/examples/tensor_shapes.html.
