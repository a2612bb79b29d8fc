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
# # Bayesian regression: is bad geography bad for the economy?
#
# **After this notebook you will be able to**
#
# - write a linear and a logistic regression as probabilistic models in Pyro;
# - compute a posterior exactly, by variational inference with a full covariance, and with a
#   mean-field guide, and say what the last one gets wrong;
# - answer a question with a probability, and tell *not knowing the line* from *noise around the
#   line*;
# - check a model against the data it was fitted to.
#
# **Time:** 90 minutes. **Before:** Day 1. You need `pyro.sample`, `obs=` and `pyro.plate`.
#
# Eight exercises are marked ✏️. The cell after each one checks your answer and gives a hint if
# it is not right yet. Cells build on one another, so solve them in order; if you are stuck, the
# solved notebook is in `solutions/Day2`.

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

from pyro.infer import SVI, Predictive, Trace_ELBO
from pyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal

from checks import bayesian_regression as check
from utils import inference
from utils.data import load_rugged
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. Why uncertainty?
#
# A model that returns a number leaves two questions open.
#
# - **How confident is it in that number?** "The slope is 0.19" reads the same whether the data
#   pin it to ± 0.01 or to ± 1. Whoever acts on it needs to know which.
# - **Does it know what it does not know?** Asked about a country more rugged than any that it
#   has seen, the model answers as calmly as for a typical one.
#
# A probabilistic model answers both in one language: whatever is not known is a random variable,
# and its distribution, given the data, says how much is known. This notebook takes one question
# from economics all the way from a point estimate to such an answer.

# %% [markdown]
# ## 2. The data
#
# Nunn and Puga (2012) asked what rugged terrain does to an economy. Hills make farming, building
# and trade expensive, so rugged countries should be poorer. In Africa, they argue, there was a
# second effect: rugged terrain sheltered people from the slave trades, and that protection still
# shows in incomes today.
#
# The table has one row for each country whose income is known: the terrain ruggedness index
# `rugged` (in units of 100 m), the real GDP per person in the year 2000, its natural logarithm
# `log_gdp`, and whether the country is in Africa. GDP is in international dollars, which buy the
# same everywhere.

# %%
countries = load_rugged()
countries.head()

# %% tags=["nbval-check-output"]
n_african = int(countries["cont_africa"].sum())
print(f"{len(countries)} countries, {n_african} of them in Africa")

# %% [markdown]
# We work with tensors, one pair `(x, y)` for each group: $x$ is ruggedness, $y$ is log GDP.

# %%
data = {
    group: tuple(
        torch.tensor(rows[column].to_numpy(), dtype=torch.float32)
        for column in ("rugged", "log_gdp")
    )
    for group, rows in (
        ("non-African", countries[countries["cont_africa"] == 0]),
        ("African", countries[countries["cont_africa"] == 1]),
    )
}

# %% [markdown]
# Here they are. A step of 1 on the vertical axis is a factor of $e \approx 2.7$ in income.

# %%
striking = ["Switzerland", "Luxembourg", "Nepal", "Tajikistan"]
striking += ["Lesotho", "Seychelles", "Equatorial Guinea", "Rwanda"]
names = {
    row.country: (row.rugged, row.log_gdp)
    for row in countries.itertuples()
    if row.country in striking
}
axis_labels = {"xlabel": "ruggedness (100 m)", "ylabel": "log GDP per person (2000)"}


def name_countries():
    box = {"fc": "white", "alpha": 0.6, "lw": 0, "pad": 0}
    for country, (x, y) in names.items():
        side = "left" if x < 6 else "right"  # of the text: there is no room beyond 6
        plt.text(x, y + 0.06, f"  {country}  ", ha=side, fontsize=8, bbox=box)


plotting.regression(
    data, title="African countries are poorer; is ruggedness to blame?", **axis_labels
)
name_countries()

# %% [markdown]
# Outside Africa, rugged countries look a little poorer, with Switzerland as the famous exception.
# Inside Africa, if anything, it is the other way round; but two far-off points, Lesotho and the
# Seychelles, seem to do much of the work.

# %% [markdown]
# ## 3. Linear regression
#
# The model is a line, $y = w_0 + w_1 x$. The best line has the least squared error
#
# $$L(\mathbf{w}) = \sum_{i=1}^n \bigl(y_i - (w_0 + w_1 x_i)\bigr)^2,
# \qquad \mathbf{w} = (w_0, w_1),$$
#
# and gradient descent finds it by small steps downhill, with a learning rate $\alpha$:
#
# $$\mathbf{w}^{(t+1)} = \mathbf{w}^{(t)} - \alpha \nabla L(\mathbf{w}^{(t)}).$$


# %%
def squared_error(w, x, y):
    return ((y - (w[0] + w[1] * x)) ** 2).sum()


# %% [markdown]
# ### ✏️ Exercise 1: a gradient step
#
# Complete `gradient_step`: compute the gradient of `loss` with respect to `w` by automatic
# differentiation, and set `new_w` to the result of one step of the formula above.
#
# <details><summary>Hint</summary>
#
# `torch.autograd.grad(loss, w)` returns a tuple with one gradient for each input, here
# only one. (`loss.backward()` followed by `w.grad` does the same.)
#
# </details>


# %%
def gradient_step(w, x, y, learning_rate):
    w = w.detach().clone().requires_grad_()
    loss = squared_error(w, x, y)
    ### BEGIN SOLUTION
    (gradient,) = torch.autograd.grad(loss, w)
    new_w = w - learning_rate * gradient
    ### END SOLUTION
    return new_w.detach()


# %% tags=["nbval-check-output"]
check.gradient_step(gradient_step)

# %% [markdown]
# Two thousand steps from $\mathbf{w} = (0, 0)$ for each group. The least-squares line is also
# known in closed form, so we can see whether the descent has arrived: the distance to it is
# printed beside the result.

# %%
line = {}
comparison = []
for group, (x, y) in data.items():
    w = torch.zeros(2)
    for _ in range(2000):
        w = gradient_step(w, x, y, learning_rate=0.0005)
    X = torch.stack([torch.ones_like(x), x], dim=1)
    closed_form = torch.linalg.solve(X.T @ X, X.T @ y)
    line[group] = w
    comparison.append([group, *w.tolist(), *closed_form.tolist(), (w - closed_form).norm().item()])

columns = ["group", "w0 (descent)", "w1 (descent)", "w0 (exact)", "w1 (exact)", "distance"]
pd.DataFrame(comparison, columns=columns).set_index("group").round(4)

# %% [markdown]
# The descent has converged. These are the two lines:

# %%
x_line = torch.linspace(0, 7, 100)
plotting.regression(
    data,
    x_line,
    lines={group: w[0] + w[1] * x_line for group, w in line.items()},
    title="The best line falls outside Africa and rises inside it",
    **axis_labels,
)
name_countries()

# %% [markdown]
# A negative slope for non-African nations, a positive one for African nations. **Are we sure?**
# Had history gone slightly differently, we would have seen slightly different countries. To
# imitate that, draw countries anew from the table, with replacement, and fit the line again; do
# so 5,000 times (the *bootstrap*). For a line with one predictor the least-squares slope is
# $\operatorname{cov}(x, y) / \operatorname{var}(x)$, so all of it is one tensor expression.


# %%
def bootstrap_slopes(x, y, repeats=5000):
    rows = torch.randint(len(x), (repeats, len(x)))
    dx = x[rows] - x[rows].mean(1, keepdim=True)
    dy = y[rows] - y[rows].mean(1, keepdim=True)
    return (dx * dy).sum(1) / (dx**2).sum(1)


slopes = {group: bootstrap_slopes(x, y) for group, (x, y) in data.items()}
plotting.densities(
    slopes,
    marks={"flat": 0.0},
    xlabel="least-squares slope (log GDP per 100 m)",
    title="Other countries, other slopes: the African one could be flat",
)
# %% [markdown]
# Outside Africa nearly every resample has a falling line. Inside Africa the slope is mostly
# positive, but how often it is not depends on a few countries. See what happens without the two
# that lie far to the right:

# %%
x, y = data["African"]
without = x < 4
without_two = bootstrap_slopes(x[without], y[without])
print(f"Africa: {(slopes['African'] < 0).float().mean():.0%} of the resampled slopes are negative,")
print(f"without Lesotho and the Seychelles {(without_two < 0).float().mean():.0%}")

# %% [markdown]
# So *one* slope is not the whole answer. Nor do these shares say how probable it is that the slope
# is positive: for that we need a distribution *of the slope given these data*.

# %% [markdown]
# ## 4. The probabilistic model
#
# Three lines turn the regression into a probabilistic model: a likelihood, and a prior for each
# quantity that is not known,
#
# $$w_0, w_1 \sim \mathcal{N}(0, 100), \qquad \sigma^2 \sim \mathcal{G}(\alpha = 1, \beta = 1),
# \qquad y_i \mid x_i, \mathbf{w}, \sigma^2 \sim \mathcal{N}(w_0 + w_1 x_i,\ \sigma^2).$$
#
# $\mathcal{N}(\mu, \sigma^2)$ is a normal distribution with **variance** $\sigma^2$, and
# $\mathcal{G}$ a Gamma distribution with shape $\alpha$ (here no learning rate) and rate $\beta$.
# But Pyro's `dist.Normal(loc, scale)` takes the **standard deviation**:

# %% tags=["nbval-check-output"]
print("variance of Normal(0, 100):", dist.Normal(0.0, 100.0).variance.item())
print("variance of Normal(0, 10): ", dist.Normal(0.0, 10.0).variance.item())

# %% [markdown]
# ### ✏️ Exercise 2: the model
#
# Write the model for one group. Its sites are `w0`, `w1`, `sigma2` and `y`; the argument `y` holds
# the data, or `None` to draw new ones. The `n` countries are independent given the parameters, so
# `y` is sampled inside a plate; `countries` is a good name for it.
#
# <details><summary>Hint</summary>
#
# Sample the three parameters first. Then
# `with pyro.plate("countries", len(x)):` and, inside, one `pyro.sample` for all countries with
# `obs=y`. Which standard deviation belongs to a variance of 100? To a variance of `sigma2`?
#
# </details>


# %%
def model(x, y=None):
    ### BEGIN SOLUTION
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()), obs=y)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.linear_model(model)

# %% [markdown]
# Pyro can read the structure of the model from your code. This is the picture of what you wrote:
# arrows say what depends on what, the grey node is observed, and the box is the plate.

# %%
plotting.draw_model(
    model,
    *data["non-African"],
    labels={"w0": "$w_0$", "w1": "$w_1$", "sigma2": r"$\sigma^2$", "y": "$y$"},
)
# %% [markdown]
# What does the model believe *before* it sees an income? Draw parameters and incomes from the
# prior: the **prior predictive** distribution.

# %%
x, y = data["non-African"]
prior = Predictive(model, num_samples=2000, parallel=True)(x)
prior_lines = prior["w0"].reshape(-1, 1) + prior["w1"].reshape(-1, 1) * x_line
plotting.regression(
    {"non-African": (x, y)},
    x_line,
    lines={"non-African": prior_lines[:80]},
    title="Before the data: nearly any line is possible",
    **axis_labels,
)
realistic = ((prior["y"] > 4) & (prior["y"] < 12)).float().mean()
print(f"{realistic:.0%} of the incomes drawn lie between e⁴ = 55 and e¹² = 163,000 dollars")

# %% [markdown]
# The prior allows absurd incomes. Here that does little harm: it is nearly flat over the lines
# that fit, so that the data decide. With fewer data, or more parameters, a prior as wide as this
# would need a second thought.

# %% [markdown]
# ## 5. The posterior, three ways
#
# Bayes' rule gives the distribution of the parameters given the data
# $D = \{(x_i, y_i)\}_{i=1}^n$:
#
# $$p(w_0, w_1, \sigma^2 \mid D) =
# \frac{\prod_{i=1}^n p(y_i \mid x_i, \mathbf{w}, \sigma^2)\; p(\mathbf{w}, \sigma^2)}
# {p(y_1, \dots, y_n \mid x_1, \dots, x_n)}.$$
#
# ### 5.1 Exactly
#
# This model is small enough to do without approximation. Let $X$ be the $n \times 2$ matrix with
# rows $(1, x_i)$. **Given** $\sigma^2$, the weights have a normal posterior,
#
# $$\mathbf{w} \mid \sigma^2, D \sim \mathcal{N}(\mathbf{m}, V), \qquad
# V = \Bigl(\tfrac{1}{\sigma^2} X^\top X + \tfrac{1}{100} I\Bigr)^{-1}, \qquad
# \mathbf{m} = \tfrac{1}{\sigma^2} V X^\top \mathbf{y},$$
#
# (Bishop 2006, eq. 3.49–3.51; the inverse of $V$ adds up the precision that comes from the data and
# that of the prior). Only one dimension, $\sigma^2$, is left, and that one we integrate on a grid.

# %% [markdown]
# ### ✏️ Exercise 3: the weights given the noise
#
# Complete `conditional_posterior` with the formulas for $V$ (`covariance`) and $\mathbf{m}$
# (`mean`, as a column). `sigma2` may hold many values; the first line gives each of them room for
# a $2 \times 2$ matrix, so that your formula need not care.
#
# <details><summary>Hint</summary>
#
# `torch.linalg.inv` inverts a whole batch of matrices. `X.T @ X` is $2 \times 2$ and `X.T @ y` is
# $2 \times 1$.
#
# </details>


# %%
def conditional_posterior(sigma2, X, y):
    """X has shape (n, 2), y (n, 1), sigma2 (...); returns shapes (..., 2) and (..., 2, 2)."""
    sigma2 = sigma2[..., None, None]
    prior_precision = torch.eye(2).to(X) / 100
    ### BEGIN SOLUTION
    covariance = torch.linalg.inv(X.T @ X / sigma2 + prior_precision)
    mean = covariance @ (X.T @ y) / sigma2
    ### END SOLUTION
    return mean.squeeze(-1), covariance


# %% tags=["nbval-check-output"]
check.conditional_posterior(conditional_posterior)

# %% [markdown]
# For the grid we need $p(\sigma^2 \mid D) \propto p(\mathbf{y} \mid \sigma^2)\, p(\sigma^2)$.
# Bayes' rule, read backwards, gives the first factor at no cost: for **any** $\mathbf{w}$,
#
# $$p(\mathbf{y} \mid \sigma^2) =
# \frac{p(\mathbf{y} \mid \mathbf{w}, \sigma^2)\, p(\mathbf{w})}{p(\mathbf{w} \mid \sigma^2, D)},$$
#
# and $\mathbf{w} = \mathbf{m}$ is the handiest. The grid is even in $u = \ln \sigma^2$. By the
# change of variables the density of $u$ is $p(\sigma^2)\, \sigma^2$, and for $\mathcal{G}(1, 1)$
# its logarithm is $-\sigma^2 + u$. All this is done in double precision on the CPU. The sum over
# the grid also yields $\ln p(D)$, the log **evidence**: how probable the model made these data
# before it saw them.


# %%
def exact_posterior(x, y):
    X = torch.stack([torch.ones_like(x), x], dim=1).cpu().double()
    y = y.cpu().double()
    u = torch.linspace(-3, 3, 3001, dtype=torch.float64, device="cpu")
    sigma2 = u.exp()
    mean, covariance = conditional_posterior(sigma2, X, y[:, None])

    log_likelihood = dist.Normal(mean @ X.T, sigma2[:, None].sqrt()).log_prob(y).sum(-1)
    log_prior = dist.Normal(torch.zeros_like(mean), 10.0).log_prob(mean).sum(-1)
    log_conditional = dist.MultivariateNormal(mean, covariance).log_prob(mean)
    log_density_of_u = -sigma2 + u
    log_joint = log_likelihood + log_prior - log_conditional + log_density_of_u
    return {
        "sigma2": sigma2,
        "weight": log_joint.softmax(0),
        "mean": mean,
        "covariance": covariance,
        "log_evidence": (log_joint.logsumexp(0) + (u[1] - u[0]).log()).item(),
    }


exact = {group: exact_posterior(x, y) for group, (x, y) in data.items()}

# %% [markdown]
# The posterior of $\mathbf{w}$ is now a weighted mixture of normals, one for each grid point.
# Its mean, covariance, density and probabilities are weighted sums.


# %%
def mixture_moments(p):
    mean = (p["weight"][:, None] * p["mean"]).sum(0)
    spread = p["mean"] - mean
    between = spread[:, :, None] * spread[:, None, :]
    return mean, (p["weight"][:, None, None] * (p["covariance"] + between)).sum(0)


def slope_density(p, grid):
    normals = dist.Normal(p["mean"][:, 1], p["covariance"][:, 1, 1].sqrt())
    return (p["weight"] * normals.log_prob(grid[:, None]).exp()).sum(1)


def probability_negative_slope(p):
    normals = dist.Normal(p["mean"][:, 1], p["covariance"][:, 1, 1].sqrt())
    return (p["weight"] * normals.cdf(torch.zeros_like(p["weight"]))).sum().item()


exact_moments = {group: mixture_moments(p) for group, p in exact.items()}
pd.DataFrame(
    {
        group: {
            "E[w1]": mean[1].item(),
            "sd[w1]": covariance[1, 1].sqrt().item(),
            "correlation of w0 and w1": (
                covariance[0, 1] / covariance.diagonal().prod().sqrt()
            ).item(),
            "P(w1 < 0)": probability_negative_slope(exact[group]),
            "ln p(D)": exact[group]["log_evidence"],
        }
        for group, (mean, covariance) in exact_moments.items()
    }
).round(4)

# %% [markdown]
# That is the truth against which we measure everything from here on. Note the correlation: a line
# with a higher intercept needs a lower slope to fit the same points.
#
# ### 5.2 Variational inference
#
# Most models have no exact answer. **Variational inference** chooses a family of distributions
# $q(\mathbf{z} \mid \boldsymbol{\nu})$ for the unknowns $\mathbf{z} = (w_0, w_1, \sigma^2)$, the
# *guide*, and looks for the member that is nearest to the posterior. It does so by maximising a
# function of its parameters $\boldsymbol{\nu}$, the *evidence lower bound* (ELBO)
# $\mathcal{L}(\boldsymbol{\nu}) \le \ln p(D)$, by stochastic gradient ascent: *stochastic
# variational inference*, `SVI` in Pyro. The nearer the ELBO comes to $\ln p(D)$, the better the
# guide. Both are measured in *nats*, units of the natural logarithm. The next notebook derives all
# this (see also Masegosa et al. 2019); here you use it.
#
# `AutoMultivariateNormal(model)` is a ready-made guide: a normal distribution with a full
# covariance matrix over $(w_0, w_1, \ln \sigma^2)$. (It works with the logarithm because a normal
# may be negative and $\sigma^2$ may not.) This is the whole loop, once:

# %%
x, y = data["non-African"]
pyro.set_rng_seed(SEED)
pyro.clear_param_store()

guide = AutoMultivariateNormal(model)
steps, learning_rate, final_learning_rate = 700, 0.3, 0.0003
decay = (final_learning_rate / learning_rate) ** (1 / steps)
optimiser = pyro.optim.ClippedAdam({"lr": learning_rate, "lrd": decay})
elbo = Trace_ELBO(num_particles=128, vectorize_particles=True, max_plate_nesting=1)
svi = SVI(model, guide, optimiser, elbo)

losses = {"non-African": [svi.step(x, y) for _ in range(steps)]}

# %% [markdown]
# Each setting is there for a reason. Every step estimates the gradient from `num_particles` = 128
# draws of the guide; more draws, less noise. The draws are evaluated at once, as a batch dimension
# to the left of the plate (hence `max_plate_nesting=1`). The learning rate starts large, to arrive
# quickly, and shrinks by a factor of 1000, so that the parameters come to rest instead of jittering
# around the optimum. (`ClippedAdam` is the Adam optimiser with this decay, `lrd`; it also clips
# each entry of the gradient at ±10, which matters in the first steps only.) Optimisers minimise, so
# `svi.step` returns a *loss*: minus the ELBO, estimated from the draws of this step.
#
# Did it converge? The ELBO has to be flat, and it must not exceed $\ln p(D)$ on average. (The scale
# is fine: the whole height of the picture is about a tenth of a nat.)

# %%
plotting.elbo_curve(
    losses["non-African"],
    evidence=exact["non-African"]["log_evidence"],
    title="Flat, and just below the exact log evidence: converged",
)
# %% [markdown]
# Now draw from the guide: `inference.draw` returns 200,000 draws of each site. Draw *before*
# you fit the next guide: Pyro keeps the parameters of all guides in one store, under the name of
# the guide's class, so a second `AutoMultivariateNormal` would overwrite them. For the same reason
# every fit begins with `clear_param_store`.

# %%
draws = {"non-African": inference.draw(guide, x, y, max_plate_nesting=1)}

# %% [markdown]
# From now on `inference.fit` runs the loop for you, with a progress bar and the same settings in
# view:

# %%
settings = {
    "steps": 700,
    "learning_rate": 0.3,
    "final_learning_rate": 0.0003,
    "particles": 128,
    "max_plate_nesting": 1,
}

# %% [markdown]
# ### ✏️ Exercise 4: fit the African group
#
# Make a full-covariance guide for `model`, assign it to `african_guide`, and fit it to the
# African countries with `inference.fit(model, guide, x, y, **settings)`, which returns the losses:
# assign them to `african_losses`.
#
# <details><summary>Hint</summary>
#
# Two lines. The guide is made just as above; `*data["African"]` in a call stands for its `x, y`.
#
# </details>

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()

african_guide, african_losses = None, None
### BEGIN SOLUTION
african_guide = AutoMultivariateNormal(model)
african_losses = inference.fit(model, african_guide, *data["African"], **settings)
### END SOLUTION

# %% tags=["nbval-check-output"]
check.african_fit(african_guide, african_losses, *data["African"], exact["African"]["log_evidence"])

# %% [markdown]
# The check compared your ELBO with $\ln p(D)$. Draw from this guide too, and look at both numbers:

# %%
losses["African"] = african_losses
draws["African"] = inference.draw(african_guide, *data["African"], max_plate_nesting=1)
for group in data:
    reached = -sum(losses[group][-100:]) / 100
    print(f"{group}: ELBO {reached:.2f}, ln p(D) {exact[group]['log_evidence']:.2f}")

# %% [markdown]
# Here is the slope's posterior by variational inference, and the exact one on top:

# %%
slope_grid = torch.linspace(-0.7, 0.7, 400, dtype=torch.float64, device="cpu")
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for k, (ax, group) in enumerate(zip(axes, data, strict=True)):
    plotting.densities(
        {"full covariance": draws[group]["w1"]},
        exact=(slope_grid, slope_density(exact[group], slope_grid)),
        marks={"flat": 0.0},
        xlabel="$w_1$ (log GDP per 100 m)",
        title=f"{group}: VI matches the exact posterior",
        start=k,
        ax=ax,
    )

# %% [markdown]
# ### 5.3 Mean-field
#
# A **mean-field** guide treats all unknowns as independent. `AutoDiagonalNormal` is a normal with a
# diagonal covariance matrix: cheaper, and the usual choice when there are thousands of weights. The
# fit is the same in all other respects.

# %%
mean_field_draws, mean_field_losses = {}, {}
for group, (x, y) in data.items():
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    guide = AutoDiagonalNormal(model)
    mean_field_losses[group] = inference.fit(model, guide, x, y, **settings)
    mean_field_draws[group] = inference.draw(guide, x, y, max_plate_nesting=1)

plotting.elbo_curve(
    {
        "full covariance": losses["African"],
        "mean-field": mean_field_losses["African"],
    },
    evidence=exact["African"]["log_evidence"],
    title="African group: mean-field converges too, but to a lower ELBO",
)

# %% [markdown]
# What does the lower ELBO cost? The 50% and 95% regions of $(w_0, w_1)$ show it:


# %%
def weight_moments(d):
    weights = torch.stack([d["w0"], d["w1"]])
    return weights.mean(1), torch.cov(weights)


figure, axes = plt.subplots(1, 2, figsize=(8, 3.6))
for ax, group in zip(axes, data, strict=True):
    plotting.regions(
        {
            "full covariance": weight_moments(draws[group]),
            "mean-field": weight_moments(mean_field_draws[group]),
            "exact": exact_moments[group],
        },
        xlabel="$w_0$ (log GDP)",
        ylabel="$w_1$ (log GDP per 100 m)",
        title=f"{group}: mean-field is too sure\nof each weight",
        ax=ax,
    )

# %% [markdown]
# The posterior is a tilted ellipse. Mean-field cannot tilt, so it makes do with an upright one:
# right in the middle, but too narrow in $w_0$ and in $w_1$, each taken by itself. (Across the tilt
# it is even too wide.) Theory predicts by how much. For a normal target the best independent fit
# has the *conditional* variances (Bishop 2006, sec. 10.1.2), so with a correlation $\rho$ between
# two unknowns
#
# $$\frac{\mathrm{sd}_{\text{mean-field}}}{\mathrm{sd}_{\text{exact}}} = \sqrt{1 - \rho^2}.$$

# %%
rows = []
for group, (_, covariance) in exact_moments.items():
    correlation = covariance[0, 1] / covariance.diagonal().prod().sqrt()
    measured = mean_field_draws[group]["w1"].std().item() / covariance[1, 1].sqrt()
    full = draws[group]["w1"].std().item() / covariance[1, 1].sqrt()
    predicted = (1 - correlation**2).sqrt()
    rows.append([group, correlation.item(), predicted.item(), measured.item(), full.item()])

columns = ["group", "correlation", "predicted ratio", "mean-field ratio", "full-covariance ratio"]
pd.DataFrame(rows, columns=columns).set_index("group").round(3)

# %% [markdown]
# Mean-field reports about 61% and 74% of the true standard deviation, as predicted (the rest of the
# error is the one that full covariance has too): not because it has not converged, but because this
# is the best that it can do. An ELBO curve does not show the error;
# the comparison with the truth does.
#
# There is a cure that costs nothing. The correlation comes from where we put the origin of $x$:
# $w_0$ is the log income of a country with ruggedness 0, at the edge of the data. Measure
# ruggedness from the mean instead, $x - \bar{x}$, and $w_0$ becomes the log income of the *average*
# country, which says nothing about the slope.

# %%
centred_ratio = {}
for group, (x, y) in data.items():
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    guide = AutoDiagonalNormal(model)
    inference.fit(model, guide, x - x.mean(), y, **settings)
    centred = inference.draw(guide, x - x.mean(), y, max_plate_nesting=1)
    _, covariance = mixture_moments(exact_posterior(x - x.mean(), y))
    centred_ratio[group] = centred["w1"].std().item() / covariance[1, 1].sqrt().item()

pd.Series(centred_ratio, name="mean-field sd / exact sd, x centred").to_frame().round(3)

# %% [markdown]
# The same guide, the same lines; only the coordinates are better, and the error is gone.

# %% [markdown]
# ## 6. The answer to the question
#
# Are we sure that the slope is negative outside Africa and positive inside it? With draws from the
# posterior, the probability of *any* statement is the share of the draws for which it holds.
#
# ### ✏️ Exercise 5: probabilities from draws
#
# From `draws[group]["w1"]` (the full-covariance guide), compute
#
# - `p_outside` = $P(w_1 < 0 \mid \text{non-African data})$,
# - `p_inside` = $P(w_1 > 0 \mid \text{African data})$,
# - `p_both`, the probability that both statements hold. The two groups were fitted separately, so
#   their slopes are independent.
#
# <details><summary>Hint</summary>
#
# A comparison such as `w1 < 0` gives one `True` or `False` for each draw; `.float().mean()` is the
# share of `True`.
#
# </details>

# %%
p_outside, p_inside, p_both = None, None, None
### BEGIN SOLUTION
p_outside = (draws["non-African"]["w1"] < 0).float().mean().item()
p_inside = (draws["African"]["w1"] > 0).float().mean().item()
p_both = p_outside * p_inside
### END SOLUTION

# %% tags=["nbval-check-output"]
check.slope_probabilities(p_outside, p_inside, p_both, draws)

# %%
print(f"P(w1 < 0 | non-African) = {p_outside:.3f}")
print(f"P(w1 > 0 | African)     = {p_inside:.3f}")
print(f"P(both)                 = {p_both:.3f}")

# %% [markdown]
# So the answer is: *very* sure outside Africa, rather sure inside it, and about 96% sure of both,
# **if** the model is right. We come back to that condition at the end of this section.
#
# ### What we do not know, and what cannot be known
#
# The prediction for a country with ruggedness $x$ is uncertain for two reasons. The law of total
# variance keeps them apart: the variance of $y$ is the variance of its mean given the parameters,
# plus the mean of its variance given the parameters,
#
# $$\operatorname{Var}[y \mid x, D] =
# \underbrace{\operatorname{Var}[w_0 + w_1 x \mid D]}_{\text{epistemic}} +
# \underbrace{\operatorname{E}[\sigma^2 \mid D]}_{\text{aleatoric}}.$$
#
# The **epistemic** part is not knowing the line; more data make it smaller. The **aleatoric** part
# is the scatter around the line; more data of the same kind do not.
#
# ### ✏️ Exercise 6: two variances
#
# Complete `variance_parts`. `d` holds $S$ draws of `w0`, `w1` and `sigma2`, each of shape `(S,)`;
# `x` has shape `(g,)`. Set `epistemic` to one variance for each $x$, shape `(g,)`, and `aleatoric`
# to a single number.
#
# <details><summary>Hint</summary>
#
# `d["w0"][:, None] + d["w1"][:, None] * x` has shape `(S, g)`: one line for each draw. Which
# dimension is the variance taken over?
#
# </details>


# %%
def variance_parts(d, x):
    ### BEGIN SOLUTION
    lines = d["w0"][:, None] + d["w1"][:, None] * x
    epistemic = lines.var(0)
    aleatoric = d["sigma2"].mean()
    ### END SOLUTION
    return epistemic, aleatoric


# %% tags=["nbval-check-output"]
check.variance_parts(variance_parts)

# %% [markdown]
# At each $x$ the inner band holds the middle 90% of the *lines*, the outer band the middle 90% of
# new *countries*.

# %%
bands, lines = {}, {}
for group, d in draws.items():
    some = {site: values[:20_000] for site, values in d.items()}
    all_lines = some["w0"][:, None] + some["w1"][:, None] * x_line
    new_countries = dist.Normal(all_lines, some["sigma2"].sqrt()[:, None]).sample()
    levels = torch.tensor([0.05, 0.95])
    bands[group] = [new_countries.quantile(levels, dim=0), all_lines.quantile(levels, dim=0)]
    lines[group] = all_lines.mean(0)

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
for k, (ax, group) in enumerate(zip(axes, data, strict=True)):
    epistemic, aleatoric = variance_parts(draws[group], torch.tensor([1.0, 6.0]))
    near, far = (epistemic / (epistemic + aleatoric)).tolist()
    plotting.regression(
        {group: data[group]},
        x_line,
        lines=lines,
        bands=bands,
        title=f"{group}: epistemic share of the variance\n{near:.0%} at x = 1, {far:.0%} at x = 6",
        start=k,
        ax=ax,
        **axis_labels,
    )

# %% [markdown]
# Near the bulk of the data the line is known well: nearly all of the uncertainty is scatter among
# countries. Where countries are few, the inner band opens: the model knows what it does not
# know, most visibly in Africa, where there are 49 countries instead of 121.
#
# ### Is the model right?
#
# A **posterior predictive check** draws whole data sets from the fitted model and asks whether the
# real one would stand out among them. What would we expect to stand out? The model's scatter is
# symmetric, but a few African countries (the Seychelles, Equatorial Guinea, Mauritius) are
# far richer than the rest. So we compare the *skewness* of log GDP.


# %%
def skewness(y):
    deviation = y - y.mean(-1, keepdim=True)
    return (deviation**3).mean(-1) / (deviation**2).mean(-1) ** 1.5


figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for k, (ax, group) in enumerate(zip(axes, data, strict=True)):
    x, y = data[group]
    some = {site: values[:4000] for site, values in draws[group].items()}
    replicates = Predictive(model, some, parallel=True)(x)["y"]
    replicated, observed = skewness(replicates), skewness(y).item()
    as_large = (replicated > observed).float().mean().item()
    plotting.densities(
        {"drawn from the model": replicated},
        marks={"observed": observed},
        xlabel="skewness of log GDP",
        title=f"{group}: {as_large:.1%} of draws exceed the data",
        start=k,
        ax=ax,
    )

# %% [markdown]
# Outside Africa the data look like the model's in this respect. Inside Africa such a skewness would
# be rare: normal noise does not describe these countries well. The probability above is a
# statement *within* a model that we have just seen strained, and that is worth saying beside it. A
# likelihood with heavier or skewed tails would be the next thing to try.

# %% [markdown]
# ## 7. Logistic regression: African or not?
#
# Now turn the question round. Given its ruggedness and its income, is a country African? The
# outcome is a yes or a no, so the likelihood is a Bernoulli distribution, and the line becomes a
# *linear predictor* that the sigmoid $s(a) = 1 / (1 + e^{-a})$ turns into a probability:
#
# $$b \sim \mathcal{N}(0, 2.5^2), \qquad w_1, w_2 \sim \mathcal{N}(0, 2.5^2), \qquad
# y_i \mid \mathbf{x}_i \sim \text{Bernoulli}\bigl(s(b + w_1 x_{i1} + w_2 x_{i2})\bigr).$$
#
# The predictors are *standardised* (mean 0, standard deviation 1), so that one prior fits both: a
# weight of 2.5 means that one standard deviation multiplies the odds by $e^{2.5} \approx 12$.

# %%
raw = torch.tensor(countries[["rugged", "log_gdp"]].to_numpy(), dtype=torch.float32)
centre, spread = raw.mean(0), raw.std(0)
x_class = (raw - centre) / spread
y_class = torch.tensor(countries["cont_africa"].to_numpy(), dtype=torch.float32)

# %% [markdown]
# ### ✏️ Exercise 7: the logistic model
#
# `x` has shape `(n, 2)`. The sites are `b` (a number), `w` (**one** vector of two weights) and `y`,
# inside a plate. Write the linear predictor as `b + (x * w).sum(-1)` rather than with `@`: then it
# also works when inference evaluates many draws of `b` and `w` at once.
#
# <details><summary>Hint</summary>
#
# `dist.Normal(0.0, 2.5).expand([2])` is two separate normals; `.to_event(1)` makes them
# one distribution over vectors. `dist.Bernoulli(logits=a)` applies the sigmoid to `a` itself.
#
# </details>


# %%
def logistic_model(x, y=None):
    ### BEGIN SOLUTION
    b = pyro.sample("b", dist.Normal(0.0, 2.5))
    w = pyro.sample("w", dist.Normal(0.0, 2.5).expand([2]).to_event(1))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=b + (x * w).sum(-1)), obs=y)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.logistic_model(logistic_model)

# %%
plotting.draw_model(logistic_model, x_class, y_class)
# %% [markdown]
# The fit is the one that you know, and its ELBO tells whether it converged.

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
logistic_guide = AutoMultivariateNormal(logistic_model)
logistic_losses = inference.fit(logistic_model, logistic_guide, x_class, y_class, **settings)

# %% [markdown]
# The exact answer: with three parameters a grid is still possible. Each parameter gets 41 values,
# and each of the $41^3$ combinations a weight proportional to prior times likelihood. A grid must
# be wide enough (no weight at its border) and fine enough (a few points to a standard deviation).
# Both are easily checked.

# %%
names_of_weights = ["b", "w_rugged", "w_log_gdp"]
grid_axes = [
    torch.linspace(low, high, 41, dtype=torch.float64, device="cpu")
    for low, high in ((-3.2, 0.3), (-1.8, 1.1), (-3.8, 0.0))
]
grid = torch.cartesian_prod(*grid_axes)
X_class = torch.cat([torch.ones_like(x_class[:, :1]), x_class], dim=1).cpu().double()
log_likelihoods = dist.Bernoulli(logits=grid @ X_class.T).log_prob(y_class.cpu().double())
log_prior = dist.Normal(torch.zeros_like(grid), 2.5).log_prob(grid).sum(1)
log_posterior = log_likelihoods.sum(1) + log_prior
grid_weight = log_posterior.softmax(0)

cell = torch.stack([axis[1] - axis[0] for axis in grid_axes])
log_evidence = (log_posterior.logsumexp(0) + cell.log().sum()).item()
grid_mean = grid_weight @ grid
grid_sd = (grid_weight @ (grid - grid_mean) ** 2).sqrt()
cube = grid_weight.reshape(41, 41, 41)
border = 1 - cube[1:-1, 1:-1, 1:-1].sum().item()
print(f"weight at the border: {border:.0e}; points to an sd: {(grid_sd / cell).min():.1f} or more")

# %%
plotting.elbo_curve(
    logistic_losses,
    evidence=log_evidence,
    title="Logistic regression: flat, and just below the exact log evidence",
)
# %% [markdown]
# The marginal posteriors of the three parameters, beside the exact ones:

# %%
class_draws = inference.draw(logistic_guide, x_class, y_class, max_plate_nesting=1)
by_name = {
    "b": class_draws["b"],
    "w_rugged": class_draws["w"][:, 0],
    "w_log_gdp": class_draws["w"][:, 1],
}

figure, axes = plt.subplots(1, 3, figsize=(8.5, 3.2))
for k, (ax, name) in enumerate(zip(axes, names_of_weights, strict=True)):
    other_axes = [axis for axis in range(3) if axis != k]
    plotting.densities(
        {"full covariance": by_name[name]},
        exact=(grid_axes[k], cube.sum(other_axes) / cell[k]),
        xlabel=f"{name} (log odds per sd)" if k else "b (log odds)",
        title="" if k else "VI matches the grid for all three",
        ax=ax,
    )
    ax.locator_params(axis="x", nbins=4)

# %% [markdown]
# The weight of income is negative beyond doubt: of two countries that are equally rugged, the
# poorer is more likely to be African. The weight of ruggedness is probably negative, too:

# %%
p_rugged = (by_name["w_rugged"] < 0).float().mean()
print(f"P(w_rugged < 0) = {p_rugged:.3f}")

# %% [markdown]
# So of two countries that are equally rich, the *less* rugged is more likely to be African.
#
# ### ✏️ Exercise 8: a predictive probability
#
# The probability that a country with predictors $\mathbf{x}$ is African averages over everything
# that we do not know:
#
# $$p(y = 1 \mid \mathbf{x}, D) =
# \int s(b + \mathbf{w}^\top \mathbf{x})\, p(b, \mathbf{w} \mid D)\, db\, d\mathbf{w} \approx
# \frac{1}{S} \sum_{j=1}^S s(b_j + \mathbf{w}_j^\top \mathbf{x}).$$
#
# Complete `predictive_probability`. `x` has shape `(n, 2)`; `d["b"]` has shape `(S,)` and `d["w"]`
# shape `(S, 2)`. Return one probability for each row of `x`, shape `(n,)`.
#
# <details><summary>Hint</summary>
#
# `d["w"] @ x.T` has shape `(S, n)`. `torch.sigmoid` is $s$. Sigmoid first or average first?
#
# </details>


# %%
def predictive_probability(x, d):
    ### BEGIN SOLUTION
    probability = torch.sigmoid(d["b"][:, None] + d["w"] @ x.T).mean(0)
    ### END SOLUTION
    return probability


# %% tags=["nbval-check-output"]
check.predictive_probability(predictive_probability)

# %% [markdown]
# In the plane of the two predictors, the colour is the predictive probability, and the thick line
# is where it is one half. Each thin line is the same boundary for *one* posterior draw; together
# they show how well it is known.

# %%
rugged_axis, gdp_axis = torch.linspace(0, 7.3, 80), torch.linspace(5.8, 11.4, 80)
plane = torch.stack(torch.meshgrid(rugged_axis, gdp_axis, indexing="xy"), dim=-1)
standardised = ((plane - centre) / spread).reshape(-1, 2)
thousand = {name: values[:1000] for name, values in class_draws.items()}
logits = thousand["b"][:40, None] + thousand["w"][:40] @ standardised.T
probability = predictive_probability(standardised, thousand).reshape(80, 80).numpy(force=True)

_, ax = plt.subplots(figsize=(7.0, 4.4))
plane_axes = rugged_axis.numpy(force=True), gdp_axis.numpy(force=True)
mesh = ax.pcolormesh(*plane_axes, probability, cmap="coolwarm", vmin=0, vmax=1, alpha=0.5)
ax.figure.colorbar(mesh, label="probability of being African")
for single in logits.reshape(-1, 80, 80).cpu():  # where each draw has its boundary
    ax.contour(*plane_axes, single, [0.0], colors="0.3", linewidths=0.5, alpha=0.5)
ax.contour(*plane_axes, probability, [0.5], colors="black")
plotting.regression(
    data,
    title="The boundary is well known among typical countries, and fans out beyond",
    xlim=(0, 7.3),
    ylim=(5.8, 11.4),
    ax=ax,
    **axis_labels,
)
for points in ax.collections[-2:]:
    points.set(alpha=1, edgecolor="white", linewidth=0.6)
ax.grid(visible=False)
name_countries()
# %% [markdown]
# What does the posterior say that a point estimate cannot? For single countries: the predictive
# probability, the 90% interval of $s(b + \mathbf{w}^\top \mathbf{x})$, and what plugging in the
# posterior mean of the parameters would say.

# %%
chosen = countries[countries["country"].isin([*striking, "Yemen", "Mauritius"])]
x_chosen = x_class[chosen.index.tolist()]
single = torch.sigmoid(class_draws["b"][:20_000, None] + class_draws["w"][:20_000] @ x_chosen.T)
low, high = single.quantile(torch.tensor([0.05, 0.95]), dim=0)
mean_b, mean_w = class_draws["b"].mean(), class_draws["w"].mean(0)
chosen[["country", "cont_africa"]].assign(
    predictive=predictive_probability(x_chosen, class_draws).tolist(),
    low=low.tolist(),
    high=high.tolist(),
    plug_in=torch.sigmoid(mean_b + x_chosen @ mean_w).tolist(),
).set_index("country").sort_values("predictive").round(3)

# %% [markdown]
# The plug-in column differs by a few hundredths at most, because 170 countries determine three
# parameters well. But only the interval tells a guess from knowledge: Tajikistan gets "about a
# half", which could be anything from a quarter to four fifths, for few countries are that rugged
# and that poor. The Seychelles show what no interval can: a confident answer is wrong for a country
# unlike the others.
#
# ### How good is it?
#
# Accuracy on the data that made the fit flatters the model. **Leave-one-out** asks for each
# country's probability given *the other 169*. No refit is needed. With $\theta = (b, \mathbf{w})$,
# weights $p(\theta \mid D)$ on the grid, and $D_{-i}$ the data without country $i$, Bayes' rule
# gives (Gelfand et al. 1992)
#
# $$p(y_i \mid D_{-i}) =
# \Bigl( \sum_\theta \frac{p(\theta \mid D)}{p(y_i \mid \theta)} \Bigr)^{-1}.$$
#
# The last two rows below are exact, from the grid. The yardstick, in the first, is to answer "not
# African" always, with the share of these countries as its probability.

# %%
log_loo = -(grid_weight.log()[:, None] - log_likelihoods).logsumexp(0)
log_fit = (grid_weight.log()[:, None] + log_likelihoods).logsumexp(0)
majority = y_class.mean().expand(len(y_class))
log_majority = torch.where(y_class == 1, majority, 1 - majority).log()
scores = {
    "always the majority": log_majority,
    "logistic, same data": log_fit,
    "logistic, leave-one-out": log_loo,
}
pd.DataFrame(
    {
        "accuracy": [(p > math.log(0.5)).float().mean().item() for p in scores.values()],
        "mean log probability": [p.mean().item() for p in scores.values()],
    },
    index=list(scores),
).round(3)

# %% [markdown]
# Income and ruggedness do carry information about the continent, well beyond the majority's share;
# and with three parameters for 170 countries, leaving one out changes little.

# %% [markdown]
# ## 8. Scorecard
#
# Everything that variational inference with the full covariance told us, beside the exact answer.
# The `error` of a mean is in units of the exact posterior standard deviation; that of a standard
# deviation is relative; that of a probability is the relative error of its odds, $p / (1 - p)$,
# which is a strict measure near 0 and 1.

# %%
approximate, truth = {}, {}
for group in data:
    mean, covariance = exact_moments[group]
    for k, name in enumerate(("w0", "w1")):
        approximate[f"E[{name} | {group}]"] = draws[group][name].mean()
        approximate[f"sd[{name} | {group}]"] = draws[group][name].std()
        truth[f"E[{name} | {group}]"] = mean[k]
        truth[f"sd[{name} | {group}]"] = covariance[k, k].sqrt()

negative = {group: probability_negative_slope(p) for group, p in exact.items()}
approximate |= {
    "P(w1 < 0 | non-African)": p_outside,
    "P(w1 > 0 | African)": p_inside,
    "P(both)": p_both,
}
truth |= {
    "P(w1 < 0 | non-African)": negative["non-African"],
    "P(w1 > 0 | African)": 1 - negative["African"],
    "P(both)": negative["non-African"] * (1 - negative["African"]),
}
for k, name in enumerate(names_of_weights):
    approximate[f"E[{name}]"], approximate[f"sd[{name}]"] = (
        by_name[name].mean(),
        by_name[name].std(),
    )
    truth[f"E[{name}]"], truth[f"sd[{name}]"] = grid_mean[k], grid_sd[k]

# %%
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard)

# %% [markdown]
# Over the seeds 0 to 9 every mean is within 0.1 standard deviations of the truth, every standard
# deviation within 6%, and every probability itself (not its odds) within 0.01.

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.1, sd=0.06, probability=0.01)

# %% [markdown]
# Look at the signs of the standard deviations' errors: nearly all are a little too small, and that
# is no accident. The guide is a normal; the exact posteriors have slightly heavier tails or lean to
# one side, and the best normal fits the bulk. It shows most in $\sigma^2$, where the guide is
# normal in $\ln \sigma^2$ and the posterior leans to the right:

# %%
p = exact["African"]
log_step = (p["sigma2"][1] / p["sigma2"][0]).log()
exact_mean = (p["weight"] * p["sigma2"]).sum()
exact_sd = (p["weight"] * (p["sigma2"] - exact_mean) ** 2).sum().sqrt().item()
sigma2_draws = draws["African"]["sigma2"]
plotting.densities(
    {"full covariance": sigma2_draws},
    exact=(p["sigma2"], p["weight"] / (p["sigma2"] * log_step)),
    xlabel=r"$\sigma^2$ (squared log GDP)",
    title=f"African: sd {sigma2_draws.std():.3f} instead of {exact_sd:.3f}, a little too sure",
    start=1,
)

# %% [markdown]
# More steps do not mend this: it is the guide, not the optimiser. A guide with more freedom would.

# %% [markdown]
# ## 9. Going further
#
# - **Who carries the result?** Fit the African group without the Seychelles. What happens to
#   $P(w_1 > 0)$, and what does that say about "96% sure"?
# - **Better noise.** Replace the normal likelihood by `dist.StudentT` with an unknown number of
#   degrees of freedom. Does the posterior predictive check improve? Which answer changes?
# - **One model for both groups.** Write a single regression with an African intercept and an
#   African slope that are *differences* from the rest of the world. What does a prior on the
#   difference let you say that two separate fits do not?
#
# ### References
#
# - N. Nunn and D. Puga (2012). Ruggedness: The blessing of bad geography in Africa. *Review of
#   Economics and Statistics* 94(1), 20–36.
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. arXiv:1908.03442.
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
# - A. E. Gelfand, D. K. Dey and H. Chang (1992). Model determination using predictive
#   distributions with implementation via sampling-based methods. *Bayesian Statistics* 4, 147–167.
