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
# - write a linear and a logistic regression as probabilistic models, and fit them;
# - answer a question about the world with a probability, beside its exact value;
# - say what a mean-field guide gets wrong, by how much, and what cures it;
# - tell *not knowing the line* from *noise around the line*, and doubt the model itself.
#
# **Time:** 65 minutes in class. **Before:** Day 1, notebooks 1 to 3. You need `pyro.sample`, `obs=`,
# `pyro.plate`, and SVI as a tool.
#
# Five exercises in class and one after it are marked ✏️. The cell after each one checks your answer
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
from checks import bayesian_regression as check
from pyro.infer.autoguide import AutoDiagonalNormal, AutoMultivariateNormal
from pyro.infer.autoguide.initialization import init_to_mean
from pyro.infer.importance import vectorized_importance_weights
from utils import inference
from utils.data import load_rugged
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. The question
#
# Nunn and Puga (2012) asked what rugged terrain does to an economy. Hills make farming, building
# and trade expensive, so rugged countries should be poorer. In Africa, they argue, there was a
# second effect: rugged terrain sheltered people from the slave trades, and that protection still
# shows in incomes today. So: **is the effect of ruggedness on income larger in Africa than
# elsewhere, and how sure can we be?**
#
# The table has one row for each country whose income is known: the terrain ruggedness index
# `rugged` (in units of 100 m), the real GDP per person in the year 2000, its natural logarithm
# `log_gdp`, and whether the country is in Africa.

# %%
countries = load_rugged()
countries.head()

# %% [markdown]
# One pair `(x, y)` of tensors for each group: $x$ is ruggedness, $y$ is log GDP. A step of 1 in $y$
# is a factor of $e \approx 2.7$ in income.

# %% tags=["picture=rugged"]
columns = ["rugged", "log_gdp"]
data = {}
for group, african in {"non-African": 0, "African": 1}.items():
    rows = countries[countries["cont_africa"] == african]
    values = torch.tensor(rows[columns].to_numpy(), dtype=torch.float32)
    data[group] = tuple(values.T)
labels = {"xlabel": "ruggedness (100 m)", "ylabel": "log GDP per person (2000)"}
plotting.regression(data, title="Countries of the world", **labels)

# %% [markdown]
# ## 2. The best line
#
# The simplest model is a line, $y = w_0 + w_1 x$. The best one has the least squared error
#
# $$L(\mathbf{w}) = \sum_{i=1}^n \bigl(y_i - (w_0 + w_1 x_i)\bigr)^2,
# \qquad \mathbf{w} = (w_0, w_1).$$
#
# The lecture finds it by gradient descent; for a line there is a ready-made routine. It takes the
# $n \times 2$ matrix $X$ with rows $(1, x_i)$.

# %%
x_line = torch.linspace(0, 7, 100)
best, slopes = {}, []
for group, (x, y) in data.items():
    X = torch.stack([torch.ones_like(x), x], dim=1)
    w0, w1 = torch.linalg.lstsq(X, y[:, None]).solution.squeeze()
    best[group] = w0 + w1 * x_line
    slopes.append(f"{w1:+.3f} ({group})")
title = "Slopes: " + ", ".join(slopes)
plotting.regression(data, x_line, lines=best, title=title, **labels)

# %% [markdown]
# The lecture asks: *are we 100 % sure about the conclusion?* A slope is one number, and says
# neither how far the data pin it down nor how much of it hangs on the two African countries at the
# far right, Lesotho and the Seychelles. What we want is a distribution of the slope, given these
# data.

# %% [markdown]
# ## 3. The model
#
# Write the noise down, give a prior to each quantity that is not known, and the regression is a
# probabilistic model:
#
# $$w_0, w_1 \sim \mathcal{N}(0, 100), \qquad \sigma^2 \sim \mathcal{G}(1, 1),
# \qquad y_i \mid x_i, \mathbf{w}, \sigma^2 \sim \mathcal{N}(w_0 + w_1 x_i,\ \sigma^2).$$
#
# $\mathcal{N}(\mu, \sigma^2)$ has the **variance** $\sigma^2$, `dist.Normal(loc, scale)` takes the
# **standard deviation**. $\mathcal{G}(\alpha, \beta)$ is a Gamma distribution with shape $\alpha$
# and rate $\beta$, `dist.Gamma` in Pyro.
#
# ### ✏️ Exercise 1: the linear model (9 min)
#
# Write the model for one group. Its sites are `w0`, `w1`, `sigma2` and `y`; the argument `y` holds
# the data, or `None` to draw new ones. The `n` countries are independent given the parameters:
# `y` is sampled in a plate; `countries` is a good name for it.
#
# <details><summary>Hint</summary>
#
# Sample the three parameters first. Then `with pyro.plate("countries", len(x)):` and, inside, one
# `pyro.sample` for all countries with `obs=y`. Which standard deviation belongs to a variance of
# 100? To a variance of `sigma2`?
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

# %%
plotting.draw_model(model, *data["African"])

# %% [markdown]
# ## 4. The posterior, three ways
#
# ### 4.1 Exactly
#
# This model is small enough to do without approximation. **Given** $\sigma^2$, the weights have a
# normal posterior (Bishop 2006, sec. 3.3.1). It is the formula of your `normal_posterior` once
# more, with matrices: the precision of the data and that of the prior add up.
#
# $$\mathbf{w} \mid \sigma^2, D \sim \mathcal{N}(\mathbf{m}, V), \qquad
# V^{-1} = \tfrac{1}{\sigma^2} X^\top X + \tfrac{1}{100} I, \qquad
# \mathbf{m} = \tfrac{1}{\sigma^2} V X^\top \mathbf{y}.$$
#
# And with $\mathbf{w}$ integrated out, the data are jointly normal, $\mathbf{y} \mid \sigma^2 \sim
# \mathcal{N}(\mathbf{0},\ 100\, X X^\top + \sigma^2 I)$. One unknown is left, $\sigma^2$, and that
# one goes on a grid, even in $u = \ln \sigma^2$.


# %%
def exact_posterior(x, y):
    X = torch.stack([torch.ones_like(x), x], dim=1).cpu().double()
    y = y.cpu().double()
    u = torch.linspace(-3, 3, 601, dtype=torch.float64, device="cpu")
    sigma2 = u.exp()[:, None]
    evidence = dist.LowRankMultivariateNormal(0 * y, 10 * X, sigma2 + 0 * y)
    log_joint = evidence.log_prob(y) + u - u.exp()  # u - e^u: the prior of u
    V = torch.linalg.inv(X.T @ X / sigma2[..., None] + torch.eye(2).to(X) / 100)
    return {
        "weight": log_joint.softmax(0),
        "m": V @ (X.T @ y) / sigma2,
        "V": V,
        "log_evidence": (log_joint.logsumexp(0) + (u[1] - u[0]).log()).item(),
    }


exact = {group: exact_posterior(x, y) for group, (x, y) in data.items()}

# %% [markdown]
# The posterior is a mixture of normals, one for each grid point; its mean, covariance, density and
# probabilities are weighted sums over them.


# %%
def moments(p):
    mean = p["weight"] @ p["m"]
    spread = p["m"] - mean
    between = spread[:, :, None] * spread[:, None, :]
    return mean, (p["weight"][:, None, None] * (p["V"] + between)).sum(0)


def slope(p):
    normals = dist.Normal(p["m"][:, 1], p["V"][:, 1, 1].sqrt())
    return dist.MixtureSameFamily(dist.Categorical(p["weight"]), normals)


# %% [markdown]
# This is the truth against which we measure what follows.
#
# ### 4.2 By variational inference
#
# Most models have no exact answer, so here is SVI as in *Probabilistic models*, with
# `AutoMultivariateNormal` as the guide: *one* normal distribution over $(w_0, w_1, \ln \sigma^2)$,
# correlations included. The logarithm is there because a normal may be negative and $\sigma^2$ may
# not. `fit_and_draw` also keeps the guide's Pareto k̂, which the scorecard will show.

# %%
rates = {"learning_rate": 0.3, "final_learning_rate": 0.0003}
settings = {"steps": 500, "particles": 64, "max_plate_nesting": 1} | rates


def fit_and_draw(model, make_guide, x, y):
    pyro.clear_param_store()
    guide = make_guide(model, init_loc_fn=init_to_mean)  # of the prior
    losses = inference.fit(model, guide, x, y, **settings)
    before, after = -sum(losses[-200:-100]) / 100, -sum(losses[-100:]) / 100
    print(f"ELBO {after:.2f}; a hundred steps earlier {before:.2f}")
    ratios, _, _ = vectorized_importance_weights(  # ln p(y, z) - ln q(z)
        model, guide, x, y, num_samples=50_000, max_plate_nesting=1
    )
    draws = inference.draw(guide, x, y, max_plate_nesting=1)
    return draws, losses, inference.trust(ratios)["Pareto k̂"]


draws, losses, k_hat = {}, {}, {}
for group, (x, y) in data.items():
    draws[group], losses[group], k_hat[group] = fit_and_draw(
        model, AutoMultivariateNormal, x, y
    )

# %% [markdown]
# The slope of the African line according to the guide, and the exact curve on top:

# %%
slope_grid = torch.linspace(-1, 1, 1001, dtype=torch.float64, device="cpu")
density = slope(exact["African"]).log_prob(slope_grid).exp()
plotting.densities(
    {"full covariance": draws["African"]["w1"]},
    exact=(slope_grid, density),
    marks={"flat": 0.0},
    xlabel="$w_1$ (log GDP per 100 m)",
    title="African group",
    start=1,
)

# %% [markdown]
# Most of the curve is right of 0, not all of it.

# %% [markdown]
# ### 4.3 By mean-field
#
# A **mean-field** guide treats all unknowns as independent; `AutoDiagonalNormal` is such a normal.
# It is cheaper, and the usual choice where there are thousands of weights. The fit is the same.

# %%
x, y = data["non-African"]
mean_field, mean_field_losses, _ = fit_and_draw(model, AutoDiagonalNormal, x, y)
plotting.elbo_curve(
    {"full covariance": losses["non-African"], "mean-field": mean_field_losses},
    evidence=exact["non-African"]["log_evidence"],
    title="Non-African group: have they arrived, and where?",
)

# %% [markdown]
# Both have arrived: one just below $\ln p(D)$, which no ELBO can exceed (a noisy estimate of it can),
# the other clearly lower.
# What does that cost? A line with a higher $w_0$ has to fall more steeply to fit the same points, so
# the exact posterior of $(w_0, w_1)$ is a tilted ellipse. Mean-field can only draw upright ones.
# **Predict.** Sketch the best upright one: as long as the tilted one, as narrow, or in between?


# %% tags=["picture=mean_field"]
def weight_moments(d):
    weights = torch.stack([d["w0"], d["w1"]])
    return weights.mean(1), torch.cov(weights)


regions = {
    "full covariance": weight_moments(draws["non-African"]),
    "mean-field": weight_moments(mean_field),
    "exact": moments(exact["non-African"]),
}
names = {"xlabel": "$w_0$ (log GDP)", "ylabel": "$w_1$ (log GDP per 100 m)"}
plotting.regions(regions, title="Regions of 50 % and 95 %", **names)

# %% [markdown]
# Right in the middle, somewhat too wide across the tilted one, and much too short along it: too
# narrow in $w_0$ and in $w_1$. Theory says by how much. For a normal target the best independent fit
# has the *conditional* variances (Bishop 2006, sec. 10.1.2), so with a correlation $\rho$ between two
# unknowns
#
# $$\frac{\mathrm{sd}_{\text{mean-field}}}{\mathrm{sd}_{\text{exact}}} = \sqrt{1 - \rho^2}.$$


# %%
def compare_sd(d, p):
    _, cov = moments(p)
    sd = cov.diagonal().sqrt()
    rho = cov[0, 1] / sd.prod()
    print(
        f"correlation {rho:.3f}: the ratio should be {(1 - rho**2).sqrt():.3f}"
    )
    print(f"mean-field sd of w1 / exact sd: {d['w1'].std().item() / sd[1]:.3f}")


compare_sd(mean_field, exact["non-African"])

# %% [markdown]
# Mean-field claims to know the slope much better than anybody can. It has converged, this is the
# best that such a guide can do, and its own flat curve does not tell.
#
# ### ✏️ Exercise 2: a better origin (6 min)
#
# There is a cure that costs nothing. The intercept $w_0$ is the log income at ruggedness 0, at the
# edge of the data. Measure ruggedness from another origin $c$: the line is
# $y = w_0 + w_1 (x - c)$, with the same slope, and $w_0$ is the log income at ruggedness $c$. For
# which $c$ are $w_0$ and $w_1$ uncorrelated? Look at $V^{-1}$ above, now with the rows
# $(1, x_i - c)$ in $X$: which $c$ makes its off-diagonal entry zero? Complete `origin`, for any
# tensor `x` of ruggednesses.
#
# <details><summary>Hint</summary>
#
# The off-diagonal entry of $X^\top X$ is the product of its two columns, $\sum_i 1 \cdot (x_i -
# c)$.
#
# </details>


# %%
def origin(x):
    ### BEGIN SOLUTION
    c = x.mean()
    ### END SOLUTION
    return c


# %% tags=["nbval-check-output"]
check.origin(origin)

# %% [markdown]
# The same guide, the same lines, and only the coordinates are better (the wide prior of $w_0$ now
# stands at ruggedness $c$, which hardly matters):

# %%
shifted = x - origin(x)
centred, _, _ = fit_and_draw(model, AutoDiagonalNormal, shifted, y)
compare_sd(centred, exact_posterior(shifted, y))

# %% [markdown]
# The error is gone. Where you cannot find such coordinates, the guide has to be able to correlate.
# From here on we use the one with the full covariance.

# %% [markdown]
# ## 5. The answer
#
# With draws from the posterior, the probability of *any* statement is the share of the draws for
# which it holds. The two groups have no parameter in common, so their slopes are independent: the
# $j$-th draw of one and the $j$-th draw of the other make a pair from the joint posterior. (So
# `fit_and_draw` sets no seed: with the same one for both groups, the draws would rise and fall
# together.)
#
# ### ✏️ Exercise 3: three probabilities (8 min)
#
# `outside` and `inside` are draws of $w_1$, of shape `(S,)`, for the non-African and the African
# group. `p_outside` is $P(w_1 < 0)$ outside Africa. Add
#
# - `p_inside`: the slope is positive inside Africa;
# - `p_both`: it is negative outside **and** positive inside;
# - `p_larger`: the slope inside Africa is larger than the one outside, the lecture's question.
#
# <details><summary>Hint</summary>
#
# A comparison gives one `True` or `False` for each draw, and two tensors of draws can be compared
# with each other. `a & b` is true where both are.
#
# </details>


# %%
def slope_probabilities(outside, inside):
    p_outside = (outside < 0).float().mean()
    ### BEGIN SOLUTION
    p_inside = (inside > 0).float().mean()
    p_both = p_outside * p_inside
    p_larger = (inside > outside).float().mean()
    ### END SOLUTION
    return p_outside, p_inside, p_both, p_larger


# %% tags=["nbval-check-output"]
check.slope_probabilities(slope_probabilities)

# %% [markdown]
# **Predict.** Which is the most probable, and which the least?

# %%
statements = ["P(w1 < 0 | non-African)", "P(w1 > 0 | African)", "P(both)"]
statements.append("P(African slope > non-African slope)")
outside, inside = (d["w1"] for d in draws.values())
probabilities = slope_probabilities(outside, inside)
for statement, p in zip(statements, probabilities, strict=True):
    print(f"{statement} = {p:.3f}")

# %% [markdown]
# "Both" is the least probable, because it asks for the most. The lecture's question is the surest:
# whenever both hold, the African slope is the larger one, and it can also be larger otherwise.
#
# How much of this hangs on single countries? The exact posterior takes a moment, so leave some out.
# Outside Africa nothing changes. With the density $p$ of the African slope and the distribution
# function $F$ of the other, $P(\text{larger}) = \int p(s)\, F(s)\, ds$, a sum over the grid.
# **Predict.** Without the Seychelles, which of the two probabilities suffers?


# %%
def exact_probabilities(african):
    non_african, s = slope(exact["non-African"]), slope(african)
    zero = torch.zeros_like(slope_grid[0])
    p_outside, p_inside = non_african.cdf(zero), 1 - s.cdf(zero)
    area = s.log_prob(slope_grid).exp() * non_african.cdf(slope_grid)
    p_larger = area.sum() * (slope_grid[1] - slope_grid[0])
    return p_outside, p_inside, p_outside * p_inside, p_larger


african, table = countries[countries["cont_africa"] == 1], {}
for absent in ("nobody", "Lesotho", "Rwanda", "Seychelles"):
    keep = torch.tensor((african["country"] != absent).to_numpy())
    x, y = (values[keep] for values in data["African"])
    p = exact_probabilities(exact_posterior(x, y))
    table[f"without {absent}"] = [p[1].item(), p[3].item()]
pd.DataFrame(table, index=[statements[1], statements[3]]).T.round(3)

# %% [markdown]
# That ruggedness *helps* in Africa is largely the word of one country, the Seychelles, rugged and
# rich. That it hurts less than elsewhere, or not at all, remains nearly certain without it.

# %% [markdown]
# ## 6. What we do not know, and what cannot be known
#
# A prediction for a country with ruggedness $x$ is uncertain for two reasons. The law of total
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
# ### ✏️ Exercise 4: two variances (9 min)
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
# The thin lines are forty draws from each posterior. The band holds about 90 % of new *countries*:
# the mean ± 1.645 standard deviations, as for a normal distribution. Printed is the epistemic share
# of the variance, at ruggedness 1 and 6.

# %% tags=["picture=posterior_lines"]
lines, bands = {}, {}
for group, d in draws.items():
    epistemic, aleatoric = variance_parts(d, x_line)
    middle = d["w0"].mean() + d["w1"].mean() * x_line
    reach = 1.645 * (epistemic + aleatoric).sqrt()
    bands[group] = [(middle - reach, middle + reach)]
    lines[group] = d["w0"][:40, None] + d["w1"][:40, None] * x_line
    share = epistemic / (epistemic + aleatoric)
    print(f"{group}: epistemic {share[14]:.0%} at 1, {share[85]:.0%} at 6")
title = "Which lines, and which countries?"
plotting.regression(
    data, x_line, lines=lines, bands=bands, title=title, **labels
)

# %% [markdown]
# Near the bulk of the data the line is known well, and nearly all of the uncertainty is scatter
# among countries. Where countries are few, the lines fan out: the model knows what it does not
# know. All of this is *given* the model, though, and A.1 shows that its normal noise does not
# describe the African countries well: whoever reports these probabilities should say so.

# %% [markdown]
# ## 7. Logistic regression
#
# Now turn the question round. Given its ruggedness and its income, is a country African? The
# outcome is a yes or a no, so the likelihood is a Bernoulli distribution, and the line becomes a
# *linear predictor* that the sigmoid $s(a) = 1 / (1 + e^{-a})$ turns into a probability:
#
# $$b, w_1, w_2 \sim \mathcal{N}(0, 2.5^2), \qquad
# y_i \mid \mathbf{x}_i \sim \text{Bernoulli}\bigl(s(b + w_1 x_{i1} + w_2 x_{i2})\bigr).$$
#
# The predictors, ruggedness and log GDP, are *standardised* (mean 0, standard deviation 1), so that
# one prior fits both.
#
# ### ✏️ Exercise 5: the logistic model (8 min)
#
# Write the model. `x` has shape `(n, 2)`. The sites are `b` (a number), `w` (**one** vector of two
# weights) and `y`, inside a plate. Write the linear predictor as `b + (x * w).sum(-1)` rather than
# with `@`: then it also works when inference evaluates many draws of `b` and `w` at once.
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
raw = torch.tensor(countries[columns].to_numpy(), dtype=torch.float32)
x_class = (raw - raw.mean(0)) / raw.std(0)
y_class = torch.tensor(countries["cont_africa"].to_numpy()).float()
class_draws, _, k_hat["logistic"] = fit_and_draw(
    logistic_model, AutoMultivariateNormal, x_class, y_class
)

# %% [markdown]
# For the exact answer a grid is still possible: 41 values of each parameter, and for each of the
# $41^3$ combinations a weight proportional to prior times likelihood.

# %%
ranges = ((-3.2, 0.3), (-1.8, 1.1), (-3.8, 0.0))
axes = [torch.linspace(*r, 41).to(slope_grid) for r in ranges]
grid = torch.cartesian_prod(*axes)  # columns b, w_rugged, w_log_gdp
logits = grid[:, :1] + grid[:, 1:] @ x_class.to(grid).T
log_joint = dist.Bernoulli(logits=logits).log_prob(y_class.to(grid)).sum(1)
log_joint += dist.Normal(torch.zeros_like(grid), 2.5).log_prob(grid).sum(1)
weight = log_joint.softmax(0).reshape(41, 41, 41).sum((0, 2))  # of w_rugged

w_rugged = class_draws["w"][:, 0]
plotting.densities(
    {"full covariance": w_rugged},
    exact=(axes[1], weight / (axes[1][1] - axes[1][0])),
    xlabel="w_rugged (log odds per sd of ruggedness)",
    title=f"P(w_rugged < 0) = {(w_rugged < 0).float().mean():.3f}",
)

# %% [markdown]
# Of two countries that are equally rich, the *less* rugged one is probably the more likely to be
# African.

# %% [markdown]
# ## 8. Scorecard
#
# Variational inference with the full covariance, beside the exact answer. The error of a
# probability is that of its odds, $p / (1 - p)$: near 0 and 1 a large one may be a tiny difference of
# the probability itself, and it is this difference that the check limits.

# %%
approximate = dict(zip(statements, probabilities, strict=True))
truth = dict(
    zip(statements, exact_probabilities(exact["African"]), strict=True)
)
for group, d in draws.items():
    mean, cov = moments(exact[group])
    for k, name in enumerate(["w0", "w1"]):
        approximate[f"E[{name} | {group}]"] = d[name].mean()
        approximate[f"sd[{name} | {group}]"] = d[name].std()
        truth[f"E[{name} | {group}]"] = mean[k]
        truth[f"sd[{name} | {group}]"] = cov[k, k].sqrt()
approximate["E[w_rugged]"] = w_rugged.mean()
approximate["sd[w_rugged]"] = w_rugged.std()
truth["E[w_rugged]"] = mean = weight @ axes[1]
truth["sd[w_rugged]"] = (weight @ (axes[1] - mean) ** 2).sqrt()

scorecard = make_scorecard(approximate, truth)
named = {f"Pareto k̂ ({group})": k for group, k in k_hat.items()}
show_scorecard(scorecard, trust=named)

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.05, sd=0.06, probability=0.01)

# %% [markdown]
# The caption's Pareto k̂ judges a guide by its draws alone, without the exact answer: the smaller
# the better, and above 0.7 do not rely on the guide (Yao et al. 2018). Day 2 explains it.

# %% [markdown]
# ## After class
#
# ### A.1 Is the model right?
#
# The model's noise is symmetric, while a few African countries are far richer than the rest. Let
# the fitted model draw whole data sets, and compare the skewness of log GDP (0 for a symmetric
# distribution) with that of the real one, as in *The ice-cream shop*:


# %%
from pyro.infer import Predictive


def skewness(y):
    deviation = y - y.mean(-1, keepdim=True)
    return (deviation**3).mean(-1) / (deviation**2).mean(-1) ** 1.5


x, y = data["African"]
few = {site: values[:4000] for site, values in draws["African"].items()}
replicated = skewness(Predictive(model, few, parallel=True)(x)["y"])
as_large = (replicated > skewness(y)).float().mean().item()
plotting.densities(
    {"drawn from the model": replicated},
    marks={"observed": skewness(y).item()},
    xlabel="skewness of log GDP, Africa",
    title=f"{as_large:.1%} of the data sets drawn are more skewed",
    start=1,
)

# %% [markdown]
# Such data would be rare: normal noise does not describe these countries well. The probabilities of
# section 5 are statements *within* a model that is strained.
#
# ### A.2 The bootstrap
#
# There is an older answer to "are we sure?": had history gone slightly differently, we would have
# seen slightly different countries. To imitate that, draw countries anew from the table, with
# replacement, and fit the line again; do so 5,000 times. For a line the least-squares slope is
# $\operatorname{cov}(x, y) / \operatorname{var}(x)$, so all of it is one tensor expression.


# %%
def bootstrap_slopes(x, y, repeats=5000):
    rows = torch.randint(len(x), (repeats, len(x)))
    dx = x[rows] - x[rows].mean(1, keepdim=True)
    dy = y[rows] - y[rows].mean(1, keepdim=True)
    return (dx * dy).sum(1) / (dx**2).sum(1)


resampled = {group: bootstrap_slopes(x, y) for group, (x, y) in data.items()}
shares = [f"{(s < 0).float().mean():.1%} ({g})" for g, s in resampled.items()]
plotting.densities(
    resampled,
    marks={"flat": 0.0},
    xlabel="least-squares slope (log GDP per 100 m)",
    title="Negative slopes: " + ", ".join(shares),
)

# %% [markdown]
# The shares look like the posterior's probabilities, but they answer another question: how the
# *estimate* would vary over data sets, not how probable a slope is, given this one.
#
# ### A.3 Who is African?
#
# ### ✏️ Exercise 6: a predictive probability (7 min)
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
rugged_axis = torch.linspace(0, 7.3, 80)
gdp_axis = torch.linspace(5.8, 11.4, 80)
plane = torch.stack(torch.meshgrid(rugged_axis, gdp_axis, indexing="xy"), -1)
plane = ((plane - raw.mean(0)) / raw.std(0)).reshape(-1, 2)
thousand = {name: values[:1000] for name, values in class_draws.items()}
logits = thousand["b"][:40, None] + thousand["w"][:40] @ plane.T
probability = predictive_probability(plane, thousand).reshape(80, 80).cpu()

_, ax = plt.subplots(figsize=(7.0, 4.4))
xy = rugged_axis.cpu(), gdp_axis.cpu()
colours = {"cmap": "coolwarm", "vmin": 0, "vmax": 1, "alpha": 0.5}
mesh = ax.pcolormesh(*xy, probability, **colours)
ax.figure.colorbar(mesh, label="probability of being African")
for single in logits.reshape(-1, 80, 80).cpu():
    ax.contour(*xy, single, [0.0], colors="0.3", linewidths=0.5, alpha=0.5)
ax.contour(*xy, probability, [0.5], colors="black")
limits = {"xlim": (0, 7.3), "ylim": (5.8, 11.4)}
plotting.regression(data, ax=ax, title="African or not?", **limits, **labels)

# %% [markdown]
# The boundary is well known among typical countries, and fans out beyond. What does the posterior
# say that a point estimate cannot? For single countries: the predictive probability, the 90 %
# interval of $s(b + \mathbf{w}^\top \mathbf{x})$, and what plugging in the posterior mean of the
# parameters would say.

# %%
names = ["Switzerland", "Luxembourg", "Nepal", "Tajikistan", "Yemen"]
names += ["Lesotho", "Seychelles", "Equatorial Guinea", "Rwanda", "Mauritius"]
chosen = countries[countries["country"].isin(names)]
x_chosen = x_class[chosen.index.tolist()]
b, w = class_draws["b"][:20_000], class_draws["w"][:20_000]
single = torch.sigmoid(b[:, None] + w @ x_chosen.T)
low, high = single.quantile(torch.tensor([0.05, 0.95]), dim=0)
plug_in = torch.sigmoid(b.mean() + x_chosen @ w.mean(0))
chosen[["country", "cont_africa"]].assign(
    predictive=predictive_probability(x_chosen, class_draws).tolist(),
    low=low.tolist(),
    high=high.tolist(),
    plug_in=plug_in.tolist(),
).set_index("country").sort_values("predictive").round(3)

# %% [markdown]
# The plug-in column differs by a few hundredths at most. But only the interval tells a guess from
# knowledge: Tajikistan gets "about a half", which could be anything from a quarter to four fifths.
# The Seychelles show what no interval can: a confident answer is wrong for a country unlike the
# others.

# %% [markdown]
# ## Going further
#
# - **Better noise.** Replace the normal likelihood by `dist.StudentT` with an unknown number of
#   degrees of freedom. Does the check on skewness improve? Which answer changes?
# - **One model for both groups.** Write a single regression with an African intercept and an
#   African slope that are *differences* from the rest of the world. What does a prior on the
#   difference let you say that two separate fits do not?
# - **Leave one out.** How well is a country classified given *the other 169*? No refit is needed:
#   weigh each point of the grid by one over that country's likelihood (Vehtari et al. 2017).
#
# ### References
#
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
#   [Microsoft Research](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/).
# - N. Nunn and D. Puga (2012). Ruggedness: The blessing of bad geography in Africa. *Review of
#   Economics and Statistics* 94(1), 20–36.
#   [doi:10.1162/REST_a_00161](https://doi.org/10.1162/REST_a_00161).
# - A. Vehtari, A. Gelman and J. Gabry (2017). Practical Bayesian model evaluation using leave-one-out
#   cross-validation and WAIC. *Statistics and Computing* 27, 1413–1432.
#   [doi:10.1007/s11222-016-9696-4](https://doi.org/10.1007/s11222-016-9696-4).
# - Y. Yao, A. Vehtari, D. Simpson and A. Gelman (2018). Yes, but did it work?: Evaluating variational
#   inference. *Proceedings of Machine Learning Research* 80, 5581–5590.
#   [proceedings.mlr.press/v80/yao18a](https://proceedings.mlr.press/v80/yao18a.html).
