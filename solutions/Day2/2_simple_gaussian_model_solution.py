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
# # A simple Gaussian model: variational inference from first principles
#
# **After this notebook you will be able to**
#
# - say why the evidence is the obstacle, and derive the ELBO that gets round it;
# - say which direction of the Kullback–Leibler divergence is minimised, and what follows for the
#   answer;
# - estimate the gradient of an ELBO from draws in two ways, and say what makes each one noisy;
# - write a guide by hand, and tell whether a fit has converged: to the optimum, or to nothing;
# - tell an error of the *optimiser* from an error of the *guide*.
#
# **Time:** 120 minutes. **Before:** Day 1 and the first notebook of Day 2. You need models,
# guides, `pyro.param` and plates.
#
# Nine exercises are marked ✏️. The cell after each one checks your answer and gives a hint if
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
import time
import warnings

from pyro.distributions import constraints
from pyro.infer import SVI, Trace_ELBO
from torch.distributions import kl_divergence

from checks import simple_gaussian_model as check
from utils import inference
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. The obstacle
#
# A probabilistic model is a joint distribution of hidden variables $\mathbf{z}$ and observed
# variables $\mathbf{x}$; what we want is the posterior,
#
# $$p(\mathbf{x}, \mathbf{z}) = p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z}), \qquad
# p(\mathbf{z} \mid \mathbf{x}) = \frac{p(\mathbf{x}, \mathbf{z})}{p(\mathbf{x})}, \qquad
# p(\mathbf{x}) = \int p(\mathbf{x}, \mathbf{z})\, d\mathbf{z}.$$
#
# The numerator is easy: it is the log joint of Day 1. The denominator, the **evidence**, is an
# integral over everything that we do not know. For the thermometer of Day 1 it is an integral over
# one number. There, $z$ is the temperature `temp` and $x$ the reading `sensor` = 18 (°C):
#
# $$z \sim \mathcal{N}(15,\ 2^2), \qquad x \mid z \sim \mathcal{N}(z,\ 1^2).$$
#
# As before, $\mathcal{N}$ takes a variance, and `dist.Normal` a standard deviation. Computations
# that have to be exact are done in double precision on the CPU (`full_like` makes a tensor of the
# type and place of another one).


# %%
double = {"dtype": torch.float64, "device": "cpu"}


def log_joint(z):
    log_prior = dist.Normal(torch.full_like(z, 15.0), 2.0).log_prob(z)
    log_likelihood = dist.Normal(z, 1.0).log_prob(torch.full_like(z, 18.0))
    return log_prior + log_likelihood


grid = torch.linspace(5, 25, 2001, **double)
step = grid[1] - grid[0]
log_evidence = (log_joint(grid).exp().sum() * step).log().item()
closed_form = dist.Normal(15.0, math.sqrt(5.0)).log_prob(torch.tensor(18.0)).item()
print(f"ln p(x): {log_evidence:.6f} by a sum over the grid, {closed_form:.6f} in closed form")

# %% [markdown]
# Two thousand points, six digits. Now let there be $d$ days, each with a temperature and a reading
# of 18: $d$ unknowns. A grid needs points in all directions, so with $k$ points to an axis there
# are $k^d$ of them. Say that we can afford a million points. This cell uses up to that many, for
# more and more days. The days are independent, so we know that the truth is $d$ times the log
# evidence of one day.

# %%
rows = {}
for days in (1, 2, 3, 4, 6, 8):
    points = int(1e6 ** (1 / days) + 1e-6)
    axis = torch.linspace(5, 25, points, **double)
    began = time.perf_counter()
    corners = torch.cartesian_prod(*[axis] * days).reshape(-1, days)
    total = log_joint(corners).sum(1).logsumexp(0)
    seconds = time.perf_counter() - began
    estimate = (total + days * (axis[1] - axis[0]).log()).item()
    rows[days] = [points, len(corners), estimate, days * log_evidence]
columns = ["points to an axis", "points", "ln p(x) by grid", "ln p(x) exactly"]
by_grid = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("days")
by_grid["error (nats)"] = by_grid.iloc[:, 2] - by_grid.iloc[:, 3]
by_grid.round(4)

# %% [markdown]
# Up to four days the grid is exact; with six it has no more than ten points to an axis, which is
# too coarse, and with eight days it is off by 19 nats, a factor of more than a hundred million. (A
# *nat* is the unit of natural logarithms: 1 nat is a factor of $e$.) The other way round, to keep
# the 31 points to an axis that were enough for four days:

# %%
rate = len(corners) / seconds
for days in (4, 8, 20):
    print(f"{days:2} days: {31.0**days:.0e} points, {31.0**days / rate:.0e} seconds at this speed")

# %% [markdown]
# The universe is $4 \cdot 10^{17}$ seconds old. A neural network has not twenty unknowns but
# millions. So we need a way to the posterior that does without the integral.

# %% [markdown]
# ## 2. The nearest distribution
#
# **Variational inference** chooses a family of simple distributions $q(\mathbf{z} \mid
# \boldsymbol{\nu})$, the *guide*, with parameters $\boldsymbol{\nu}$ (the Greek letter nu), and
# looks for the member that is nearest to the posterior:
#
# $$\boldsymbol{\nu}^* = \arg\min_{\boldsymbol{\nu}}
# \mathrm{KL}\bigl(q(\mathbf{z} \mid \boldsymbol{\nu})\,\|\,p(\mathbf{z} \mid \mathbf{x})\bigr).$$
#
# *Nearest* is measured by the **Kullback–Leibler divergence**. For two densities $q$ and $p$,
#
# $$\mathrm{KL}(q \,\|\, p) = \mathbb{E}_q\bigl[\ln q(z) - \ln p(z)\bigr] =
# \int q(z)\, \bigl(\ln q(z) - \ln p(z)\bigr)\, dz,$$
#
# the mean, over draws $z$ from $q$ (that is what $\mathbb{E}_q$ stands for), of how much more
# probable $q$ finds the draw than $p$ does. It is never negative: because $\ln t \le t - 1$,
# $-\mathrm{KL}(q \,\|\, p) = \mathbb{E}_q[\ln (p / q)] \le \mathbb{E}_q[p / q - 1] = 0$. And it is
# zero only if the two are the same.
#
# ### ✏️ Exercise 1: the divergence on a grid
#
# Complete `kl_on_grid`. `log_q` and `log_p` are log densities at points that are `step` apart, so
# that the integral becomes a sum over the points $z_k$, times `step`:
#
# $$\mathrm{KL}(q \,\|\, p) \approx \sum_k q(z_k)\, \bigl(\ln q(z_k) - \ln p(z_k)\bigr) \cdot
# \text{step}.$$
#
# Sum over the last dimension, `.sum(-1)`; then either argument may also hold many densities at
# once, as the rows of a matrix.
#
# <details><summary>Hint</summary>
#
# $q(z_k)$ is `log_q.exp()`. The whole is one line.
#
# </details>


# %%
def kl_on_grid(log_q, log_p, step):
    ### BEGIN SOLUTION
    kl = (log_q.exp() * (log_q - log_p)).sum(-1) * step
    ### END SOLUTION
    return kl


# %% tags=["nbval-check-output"]
check.kl_on_grid(kl_on_grid)

# %% [markdown]
# Which of the two stands first makes a difference. Take two targets $p$ that no normal can match: a
# skewed one (a Gumbel distribution, that of the largest of many draws), and one with two bumps (a
# mixture: with probability 0.6 from $\mathcal{N}(-2, 0.8^2)$, otherwise from $\mathcal{N}(2.5,
# 1^2)$).

# %%
z = torch.linspace(-12, 14, 1041, **double)
z_step = z[1] - z[0]
zero = torch.zeros_like(z)
targets = {
    "skewed": dist.Gumbel(zero, 1.0).log_prob(z),
    "two bumps": torch.logaddexp(  # the logarithm of a sum, from those of its two terms
        math.log(0.6) + dist.Normal(zero - 2.0, 0.8).log_prob(z),
        math.log(0.4) + dist.Normal(zero + 2.5, 1.0).log_prob(z),
    ),
}

# %% [markdown]
# For each target, try 6,000 normals $q$, and keep the one with the least
# $\mathrm{KL}(q \,\|\, p)$ and the one with the least $\mathrm{KL}(p \,\|\, q)$. The axes of the
# tensor are means, standard deviations, and points.

# %%
means = torch.linspace(-4, 4, 81, **double)
sds = torch.linspace(0.3, 4.0, 75, **double)
log_normals = dist.Normal(means[:, None, None], sds[:, None]).log_prob(z)

positive = 0.5 * (1 + torch.sign(z.round(decimals=6)))  # the point at 0 counts half
best, rows = {}, {}
for target, log_p in targets.items():
    qp, pq = kl_on_grid(log_normals, log_p, z_step), kl_on_grid(log_p, log_normals, z_step)
    for direction, kl in (("least KL(q‖p)", qp), ("least KL(p‖q)", pq)):
        i, j = divmod(kl.argmin().item(), len(sds))
        best[target, direction] = log_normals[i, j]
        above_zero = (log_normals[i, j].exp() * positive).sum() * z_step
        rows[target, direction] = [means[i], sds[j], qp[i, j], pq[i, j], above_zero]
    p = log_p.exp() * z_step
    mean = (p * z).sum()
    rows[target, "the target"] = [
        mean,
        (p * (z - mean) ** 2).sum().sqrt(),
        0,
        0,
        (p * positive).sum(),
    ]
pd.DataFrame.from_dict(
    {key: [float(value) for value in row] for key, row in rows.items()},
    orient="index",
    columns=["mean", "sd", "KL(q‖p)", "KL(p‖q)", "P(z > 0)"],
).round(2)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
for ax, (target, log_p) in zip(axes, targets.items(), strict=True):
    plotting.curves(
        {name: (z, best[target, name].exp()) for name in ("least KL(q‖p)", "least KL(p‖q)")},
        exact=(z, log_p.exp()),
        xlabel="z",
        ylabel="density",
        title="KL(q‖p) is narrower than the target"
        if target == "skewed"
        else "... and takes one bump for the whole",
        ax=ax,
    )
    ax.set_xlim(-6, 7)

# %% [markdown]
# (The dashed line, *exact*, is the target $p$.) The formula says why the two differ:
#
# - **$\mathrm{KL}(q \,\|\, p)$ is an average over $q$.** A place where $q$ has mass and $p$ has
#   next to none costs dearly; a place where $p$ has mass and $q$ has none costs nothing. So $q$
#   keeps to where $p$ is large: *mode-seeking*. It is narrow, and it finds one bump.
# - **$\mathrm{KL}(p \,\|\, q)$ is an average over $p$.** Now $q$ must not miss any mass of $p$:
#   *mass-covering*. It spreads over both bumps, with the mean and the standard deviation of $p$ (up
#   to the grid of normals), and is largest where $p$ has next to nothing.
#
# Variational inference minimises the **first**: an average over the guide, from which we can draw,
# and not over the posterior, which we do not know. Remember the price. It tends to be too sure: its
# standard deviation is smaller than the target's. And it can miss a mode without any sign of it: of
# the target with two bumps it says that $z > 0$ has probability 0.01, while the truth is 0.4.

# %% [markdown]
# ## 3. The evidence lower bound
#
# The divergence contains the posterior, which we do not know. Bayes' rule, put in its place,
# sorts the known from the unknown. Because $\ln p(\mathbf{z} \mid \mathbf{x}) = \ln p(\mathbf{x},
# \mathbf{z}) - \ln p(\mathbf{x})$, and because $\ln p(\mathbf{x})$ does not depend on $\mathbf{z}$,
#
# $$\mathrm{KL}\bigl(q \,\|\, p(\mathbf{z} \mid \mathbf{x})\bigr) =
# \mathbb{E}_q\bigl[\ln q(\mathbf{z} \mid \boldsymbol{\nu}) - \ln p(\mathbf{x}, \mathbf{z})\bigr]
# + \ln p(\mathbf{x}).$$
#
# Call minus the first term on the right $\mathcal{L}(\boldsymbol{\nu})$, and move it to the other
# side:
#
# $$\ln p(\mathbf{x}) = \mathcal{L}(\boldsymbol{\nu}) +
# \mathrm{KL}\bigl(q(\mathbf{z} \mid \boldsymbol{\nu})\,\|\,p(\mathbf{z} \mid \mathbf{x})\bigr),
# \qquad \mathcal{L}(\boldsymbol{\nu}) =
# \mathbb{E}_q\bigl[\ln p(\mathbf{x}, \mathbf{z}) - \ln q(\mathbf{z} \mid \boldsymbol{\nu})\bigr].$$
#
# (With a **plus**: a slide of the lecture prints a minus. You are about to compute which is right.)
# The left side is fixed by the data. So
#
# - what $\mathcal{L}$ gains, the divergence loses: *maximising* $\mathcal{L}$ is *minimising* KL;
# - the divergence is not negative, hence $\mathcal{L}(\boldsymbol{\nu}) \le \ln p(\mathbf{x})$:
#   $\mathcal{L}$ is the *evidence lower bound*, the **ELBO**;
# - $\mathcal{L}$ contains the log joint only. The integral has gone.
#
# ### Two terms that pull against each other
#
# With $\ln p(\mathbf{x}, \mathbf{z}) = \ln p(\mathbf{x} \mid \mathbf{z}) + \ln p(\mathbf{z})$ the
# ELBO falls into two parts,
#
# $$\mathcal{L}(\boldsymbol{\nu}) =
# \underbrace{\mathbb{E}_q\bigl[\ln p(\mathbf{x} \mid \mathbf{z})\bigr]}_{\text{explain the data}} -
# \underbrace{\mathrm{KL}\bigl(q(\mathbf{z} \mid \boldsymbol{\nu})\,\|\,p(\mathbf{z})\bigr)}_{
# \text{stay near the prior}}.$$
#
# For the thermometer all of this has closed forms. The guide is normal, with mean $\nu_a$ and
# standard deviation $\nu_b$. For two normals
#
# $$\mathrm{KL}\bigl(\mathcal{N}(a, b^2)\,\|\,\mathcal{N}(m, s^2)\bigr) =
# \ln\frac{s}{b} + \frac{b^2 + (a - m)^2}{2 s^2} - \frac{1}{2},$$
#
# which your `kl_on_grid` confirms:


# %%
def kl_normals(a, b, m, s):
    a, b, m, s = (torch.as_tensor(value, **double) for value in (a, b, m, s))
    return (s / b).log() + (b**2 + (a - m) ** 2) / (2 * s**2) - 0.5


on_grid = kl_on_grid(
    dist.Normal(zero + 1.0, 0.5).log_prob(z), dist.Normal(zero, 2.0).log_prob(z), z_step
)
print(f"{kl_normals(1.0, 0.5, 0.0, 2.0):.6f} by the formula, {on_grid:.6f} on the grid")

# %% [markdown]
# ### ✏️ Exercise 2: the two terms of the ELBO
#
# Complete `elbo_terms` for the thermometer: `explain` is $\mathbb{E}_q[\ln p(x \mid z)]$ with
# $x = 18$ and $x \mid z \sim \mathcal{N}(z, 1^2)$, and `stay` is
# $\mathrm{KL}(q \,\|\, \mathcal{N}(15, 2^2))$; the ELBO will be their difference. For the first you
# need
#
# $$\ln p(x \mid z) = -\tfrac{1}{2} \ln 2\pi - \tfrac{1}{2} (x - z)^2, \qquad
# \mathbb{E}_q\bigl[(x - z)^2\bigr] = (x - \nu_a)^2 + \nu_b^2.$$
#
# `nu_a` and `nu_b` are tensors, of one value or of many, and gradients have to pass through.
#
# <details><summary>Hint</summary>
#
# Two lines. `math.log(2 * math.pi)` is a number; the second line is one call of `kl_normals`.
#
# </details>


# %%
def elbo_terms(nu_a, nu_b):
    ### BEGIN SOLUTION
    explain = -0.5 * math.log(2 * math.pi) - 0.5 * ((18.0 - nu_a) ** 2 + nu_b**2)
    stay = kl_normals(nu_a, nu_b, 15.0, 2.0)
    ### END SOLUTION
    return explain, stay


# %% tags=["nbval-check-output"]
check.elbo_terms(elbo_terms)

# %% [markdown]
# Now the identity. The exact posterior is $\mathcal{N}(17.4,\ 0.8)$, as you computed on Day 1, so
# the divergence to it has a closed form too. Four guides, from bad to exact:

# %%
posterior_sd = (1 / 2**2 + 1 / 1**2) ** -0.5
posterior_mean = posterior_sd**2 * (15 / 2**2 + 18 / 1**2)
rows = []
for a, b in ((12.0, 3.0), (15.0, 2.0), (17.0, 0.5), (posterior_mean, posterior_sd)):
    explain, stay = elbo_terms(torch.tensor(a, **double), torch.tensor(b, **double))
    elbo, kl = (explain - stay).item(), kl_normals(a, b, posterior_mean, posterior_sd).item()
    rows.append([a, b, explain.item(), stay.item(), elbo, kl, elbo + kl])
columns = ["ν_a", "ν_b", "E[ln p(x|z)]", "KL(q‖prior)", "ELBO", "KL(q‖posterior)", "ELBO + KL"]
pd.DataFrame(rows, columns=columns).round(4)

# %% [markdown]
# The last column is always $\ln p(x) = -2.6237$: the sign is a plus. In the last row the guide is
# the posterior, the divergence is zero, and the bound is attained.
#
# What do the two terms want? Vary one parameter and keep the other at its best value:

# %%
a_line, b_line = torch.linspace(13, 20, 200, **double), torch.linspace(0.15, 3, 200, **double)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6), sharey=True)
for ax, values, label, best_value in (
    (axes[0], a_line, r"$\nu_a$ (°C)", posterior_mean),
    (axes[1], b_line, r"$\nu_b$ (°C)", posterior_sd),
):
    vary_a = values is a_line
    explain, stay = elbo_terms(
        values if vary_a else torch.full_like(values, posterior_mean),
        torch.full_like(values, posterior_sd) if vary_a else values,
    )
    plotting.curves(
        {"E[ln p(x|z)]": (values, explain), "−KL(q‖prior)": (values, -stay)}
        | {"ELBO": (values, explain - stay)},
        marks={f"{best_value:.3g}": best_value},
        xlabel=label,
        ylabel="nats",
        title="Mean: the data pull to 18, the prior to 15"
        if vary_a
        else "sd: the data want 0, the prior 2",
        ax=ax,
    )

# %% [markdown]
# Left: the first term is greatest at the reading, 18, the second at the prior's mean, 15; the ELBO
# settles in between, at 17.4. Right: to explain the data best, the guide should be a single point;
# it is the second term that keeps it wide. Drop that term, and you have maximum likelihood.
#
# ### Uphill
#
# The lecture maximises the ELBO by gradient ascent with a learning rate $\alpha$,
#
# $$\boldsymbol{\nu}^{(t+1)} = \boldsymbol{\nu}^{(t)} +
# \alpha \nabla_{\boldsymbol{\nu}} \mathcal{L}(\boldsymbol{\nu}^{(t)}).$$
#
# The gradient comes from automatic differentiation of your function. From $\boldsymbol{\nu} =
# (12, 3)$, eighty steps:


# %%
def ascend(nu, alpha, steps):
    path = [nu]
    for _ in range(steps):
        nu = nu.detach().requires_grad_()
        explain, stay = elbo_terms(nu[0], nu[1])
        (gradient,) = torch.autograd.grad(explain - stay, nu)
        nu = nu + alpha * gradient
        path.append(nu)
    return torch.stack(path).detach()


start = torch.tensor([12.0, 3.0], **double)
path = ascend(start, alpha=0.1, steps=80)
print(f"end of the path: N({path[-1, 0]:.3f}, {path[-1, 1]:.3f}²)")

# %%
a_axis, b_axis = torch.linspace(11, 21, 161, **double), torch.linspace(0.3, 3.6, 121, **double)
explain, stay = elbo_terms(*torch.meshgrid(a_axis, b_axis, indexing="xy"))
hill = a_axis, b_axis, explain - stay


def draw_landscape(paths, title):
    """The ELBO as a map, with paths of shape (steps, 2) from their start (o) to their end (s)."""
    _, ax = plt.subplots(figsize=(7.2, 4.4))
    levels = [-25, -15, -10, -7, -5, -4, -3.5, -3.1, -2.8, -2.68]
    shades = plt.get_cmap("Greys_r").resampled(25)(range(14, 25))
    areas = ax.contourf(*hill, levels, colors=shades, extend="both")
    ax.contour(*hill, levels, colors="0.6", linewidths=0.5)
    ax.figure.colorbar(areas, label=r"$\mathcal{L}(\nu)$ (nats)", spacing="uniform")
    for line, (name, path) in zip(("-", "--", "-."), paths.items(), strict=False):
        x, y = path.T.cpu()
        (drawn,) = ax.plot(x, y, ls=line, label=name)
        for point, marker in ((0, "o"), (-1, "s")):
            ax.plot(x[point], y[point], marker, color=drawn.get_color(), mec="white")
    ax.plot(posterior_mean, posterior_sd, "k+", ms=13, mew=2, label="exact")
    ax.set(title=title, xlabel=r"$\nu_a$ (°C)", ylabel=r"$\nu_b$ (°C)")
    ax.grid(visible=False)
    ax.figure.legend(loc="outside lower center", ncols=4)


draw_landscape(
    {"gradient ascent": path}, title="The ELBO over the guides: ascent ends at N(17.4, 0.894²)"
)

# %% [markdown]
# Each point of the map is a guide, and the lightest is the best; the circle is the start, and the
# square the end. No posterior was needed to get there.

# %% [markdown]
# ## 4. An ELBO from draws
#
# Closed forms are rare. But the ELBO is a mean over draws from the guide, and a mean over draws can
# be estimated. With $z_1, \dots, z_S$ from $q$,
#
# $$\hat{\mathcal{L}} = \frac{1}{S} \sum_{j=1}^S f_j, \qquad
# f_j = \ln p(\mathbf{x}, z_j) - \ln q(z_j \mid \boldsymbol{\nu}).$$
#
# The **standard error** says how far off such an estimate typically is: the standard deviation of
# the $f_j$, divided by $\sqrt{S}$.
#
# ### ✏️ Exercise 3: the ELBO and its standard error
#
# Complete `elbo_estimate`. `log_p` holds the $\ln p(\mathbf{x}, z_j)$ and `log_q` the
# $\ln q(z_j \mid \boldsymbol{\nu})$, both of shape `(S,)`. Set `estimate` to $\hat{\mathcal{L}}$
# and `standard_error` to its standard error.
#
# <details><summary>Hint</summary>
#
# `.mean()` and `.std()` of the differences. `math.sqrt(len(log_q))` is $\sqrt{S}$.
#
# </details>


# %%
def elbo_estimate(log_p, log_q):
    ### BEGIN SOLUTION
    f = log_p - log_q
    estimate = f.mean()
    standard_error = f.std() / math.sqrt(len(f))
    ### END SOLUTION
    return estimate, standard_error


# %% tags=["nbval-check-output"]
check.elbo_estimate(elbo_estimate)

# %% [markdown]
# A bad guide, a better one, and the posterior itself, with a thousand draws each:

# %%
for a, b in ((15.0, 2.0), (17.0, 1.2), (posterior_mean, posterior_sd)):
    q = dist.Normal(torch.tensor(a), torch.tensor(b))
    draws = q.sample((1000,))
    estimate, error = elbo_estimate(log_joint(draws), q.log_prob(draws))
    explain, stay = elbo_terms(torch.tensor(a, **double), torch.tensor(b, **double))
    print(f"N({a:.1f}, {b:.1f}²): {estimate:7.4f} ± {error:.4f}, exactly {explain - stay:.4f}")

# %% [markdown]
# The better the guide, the less noise, and for the posterior there is none at all: then
# $p(\mathbf{x}, z) / q(z) = p(\mathbf{x})$ for *every* $z$.

# %% [markdown]
# ## 5. A gradient from draws
#
# To go uphill we need $\nabla_{\boldsymbol{\nu}} \mathcal{L}$. We cannot simply differentiate the
# average: the draws themselves depend on $\boldsymbol{\nu}$. There are two ways out.
#
# ### 5.1 Reparameterise
#
# Draw $\varepsilon \sim \mathcal{N}(0, 1)$, which has no parameters, and let $z = \nu_a + \nu_b
# \varepsilon$: that is a draw from $\mathcal{N}(\nu_a, \nu_b^2)$, and we see how it moves with the
# parameters. Since $\ln q(z) = -\ln \nu_b - \frac{1}{2} \varepsilon^2 - \frac{1}{2} \ln 2\pi$ in
# terms of $\varepsilon$, the ELBO is
#
# $$\mathcal{L}(\boldsymbol{\nu}) = \mathbb{E}_\varepsilon\bigl[\ln p(x,\ \nu_a + \nu_b
# \varepsilon)\bigr] + \ln \nu_b + \text{constant},$$
#
# and now the gradient can go inside the mean. With the slope of the log joint in $z$,
#
# $$d(z) = \frac{\partial}{\partial z} \ln p(x, z) = \frac{15 - z}{2^2} + \frac{18 - z}{1^2},$$
#
# one draw of $\varepsilon$ gives, by the chain rule, the estimates
#
# $$g_a = d(\nu_a + \nu_b \varepsilon), \qquad
# g_b = d(\nu_a + \nu_b \varepsilon) \cdot \varepsilon + \frac{1}{\nu_b}.$$
#
# ### ✏️ Exercise 4: the reparameterised gradient
#
# Complete `reparameterised_gradient`. `epsilon` holds $S$ draws, shape `(S,)`. Return one pair
# $(g_a, g_b)$ for each draw, shape `(S, 2)`; do not average yet. Use the formulas, not `autograd`.
#
# <details><summary>Hint</summary>
#
# First `z`, then `d`, then the two gradients; `torch.stack([g_a, g_b], dim=-1)` makes pairs of
# them.
#
# </details>


# %%
def reparameterised_gradient(nu_a, nu_b, epsilon):
    ### BEGIN SOLUTION
    z = nu_a + nu_b * epsilon
    d = (15.0 - z) / 4.0 + (18.0 - z)
    gradient = torch.stack([d, d * epsilon + 1 / nu_b], dim=-1)
    ### END SOLUTION
    return gradient


# %% tags=["nbval-check-output"]
check.reparameterised_gradient(reparameterised_gradient)

# %% [markdown]
# ### 5.2 Weight by the score
#
# The second way needs no slope of the model; it moves the gradient onto the guide. Write
# $f(z) = \ln p(x, z) - \ln q(z \mid \boldsymbol{\nu})$, so that
# $\mathcal{L} = \int q\, f\, dz$. By the product rule
#
# $$\nabla_{\boldsymbol{\nu}} \mathcal{L} = \int f\, \nabla q\, dz + \int q\, \nabla f\, dz.$$
#
# In the first integral $\nabla q = q\, \nabla \ln q$. In the second $\nabla f = -\nabla \ln q$, for
# $\ln p(x, z)$ does not contain $\boldsymbol{\nu}$, so it is $-\int q\, \nabla \ln q\, dz = -\nabla
# \int q\, dz = 0$, because a density integrates to 1: the **score** $\nabla \ln q$ has mean zero.
# Therefore
#
# $$\nabla_{\boldsymbol{\nu}} \mathcal{L} = \mathbb{E}_q\bigl[\bigl(f(z) - c\bigr)\,
# \nabla_{\boldsymbol{\nu}} \ln q(z \mid \boldsymbol{\nu})\bigr]$$
#
# for *any* constant $c$, a **baseline**: it multiplies a mean of zero, and changes nothing but the
# noise. In words: make the draws more probable that were better than $c$, and the others less. For
# the normal guide, with $\varepsilon = (z - \nu_a) / \nu_b$, the score is
# $(\varepsilon / \nu_b,\ (\varepsilon^2 - 1) / \nu_b)$.


# %%
def score_function_gradient(nu_a, nu_b, epsilon, baseline=0.0):
    z = nu_a + nu_b * epsilon
    f = log_joint(z) - dist.Normal(nu_a, nu_b).log_prob(z)
    score = torch.stack([epsilon, epsilon**2 - 1], dim=-1) / nu_b
    return (f - baseline)[:, None] * score


# %% [markdown]
# All estimators aim at the same gradient. How much do they scatter around it? A good and simple
# baseline is the mean of $f$, which is the ELBO. At the prior, $\boldsymbol{\nu} = (15, 2)$, and
# near the optimum, from 200,000 draws each:

# %%
rows = {}
for place, pair in (("prior", (15.0, 2.0)), ("near the optimum", (17.2, 1.0))):
    nu_a, nu_b = torch.tensor(pair)
    epsilon = torch.randn(200_000)
    explain, stay = elbo_terms(nu_a.cpu(), nu_b.cpu())
    estimators = {
        "reparameterised": reparameterised_gradient(nu_a, nu_b, epsilon),
        "score": score_function_gradient(nu_a, nu_b, epsilon),
        "score, baseline": score_function_gradient(
            nu_a, nu_b, epsilon, baseline=(explain - stay).item()
        ),
    }
    for name, g in estimators.items():
        (mean_a, mean_b), (variance_a, variance_b) = g.mean(0).tolist(), g.var(0).tolist()
        rows[place, name] = [mean_a, mean_b, variance_a, variance_b]
columns = ["mean of g_a", "mean of g_b", "variance of g_a", "variance of g_b"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(3)

# %% [markdown]
# The means agree (but for noise), the variances do not. At the prior, the score function needs
# about ten times as many draws as reparameterisation for a gradient as precise; the baseline takes
# a part of that away. Near the optimum the baseline takes away nearly all of it, and
# beats even reparameterisation: there $f$ is nearly constant, as section 4 has shown, and once its
# mean is subtracted little is left. That is so because this guide can *be* the posterior, and
# because there is one unknown; with many, the score function weights the gradient for each of them
# by the luck of all the others.
#
# More draws help all of them alike. Average $S$ draws, do so 1,000 times, and see how the averages
# scatter:

# %%
nu_a, nu_b = torch.tensor([15.0, 2.0])
elbo_at_prior = float(
    elbo_estimate(
        log_joint(draws := dist.Normal(nu_a, nu_b).sample((100_000,))),
        dist.Normal(nu_a, nu_b).log_prob(draws),
    )[0]
)
counts = torch.tensor([1, 3, 10, 30, 100, 300, 1000])
scatter = {"reparameterised": [], "score": [], "score, baseline": []}
for count in counts.tolist():
    epsilon = torch.randn(1000 * count)
    for name, g in (
        ("reparameterised", reparameterised_gradient(nu_a, nu_b, epsilon)),
        ("score", score_function_gradient(nu_a, nu_b, epsilon)),
        ("score, baseline", score_function_gradient(nu_a, nu_b, epsilon, elbo_at_prior)),
    ):
        scatter[name].append(g[:, 0].reshape(1000, count).mean(1).std().item())

plotting.curves(
    {name: (counts, torch.tensor(values)) for name, values in scatter.items()},
    xscale="log",
    yscale="log",
    xlabel="number of draws $S$",
    ylabel="sd of the estimate of $g_a$",
    title="A hundred times the draws, a tenth of the noise, whichever the estimator",
)

# %% [markdown]
# Now go uphill with these gradients: 10 draws a step, 400 steps, the same learning rate and the
# same draws of $\varepsilon$ for all. A noisy step could make $\nu_b$ negative, so the step is made
# in $\ln \nu_b$ instead, whose gradient is $\nu_b\, g_b$ by the chain rule.


# %%
def stochastic_ascent(estimator, steps=400, draws=10, alpha=0.02):
    pyro.set_rng_seed(SEED)
    nu_a, log_b, path = torch.tensor(12.0), torch.tensor(3.0).log(), []
    for _ in range(steps):
        path.append(torch.stack([nu_a, log_b.exp()]))
        g_a, g_b = estimator(nu_a, log_b.exp(), torch.randn(draws)).mean(0)
        nu_a, log_b = nu_a + alpha * g_a, log_b + alpha * log_b.exp() * g_b
    return torch.stack(path)


def score_with_baseline(nu_a, nu_b, epsilon):
    explain, stay = elbo_terms(nu_a.cpu(), nu_b.cpu())
    return score_function_gradient(nu_a, nu_b, epsilon, (explain - stay).item())


draw_landscape(
    {
        "reparameterised": stochastic_ascent(reparameterised_gradient),
        "score, baseline": stochastic_ascent(score_with_baseline),
        "score": stochastic_ascent(score_function_gradient),
    },
    title="Ten draws a step: the same hill, climbed more and less straight",
)

# %% [markdown]
# The quiet gradient goes smoothly to the top; the other two stray before they arrive. (None of them
# takes the way of section 3, because the steps are now made in $\ln \nu_b$.)
# That is **stochastic variational inference**, and since all that it asks of the model is its log
# joint (and perhaps the slope), *black-box* variational inference (Ranganath, Gerrish and Blei
# 2014). Reparameterisation (Kingma and Welling 2014) is the quieter one and needs a $z$ that can be
# moved continuously; the score function works for discrete $z$, too. Pyro takes the first wherever
# it can, and the second otherwise.

# %% [markdown]
# ## 6. The same in Pyro
#
# Pyro does all this for you: it draws from the guide, evaluates the log joint, and takes the
# gradient. What remains is to write a model and a guide:


# %%
reading = torch.tensor(18.0)


def temperature_model(sensor):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def temperature_guide(sensor):
    nu_a = pyro.param("nu_a", torch.tensor(12.0))
    nu_b = pyro.param("nu_b", torch.tensor(3.0), constraint=constraints.positive)
    pyro.sample("temp", dist.Normal(nu_a, nu_b))


# %% [markdown]
# `constraint=constraints.positive` is the trick of the last section: Pyro stores and optimises
# $\ln \nu_b$, and hands you $\nu_b$. Every positive parameter is therefore optimised **on a
# logarithmic scale**; keep that in mind for section 7. And this is the loop, written out. It
# records the loss of each step, and where the parameter $\nu_a$ is.


# %%
def run_svi(guide, optimiser, steps=500, particles=10):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    elbo = Trace_ELBO(num_particles=particles, vectorize_particles=True, max_plate_nesting=0)
    svi = SVI(temperature_model, guide, optimiser, elbo)
    losses, path = [], []
    for _ in range(steps):
        losses.append(svi.step(reading))  # one step of stochastic gradient ascent
        path.append(pyro.param("nu_a").item())
    return losses, torch.tensor(path)


def decaying(first, last, steps):
    rate_of_decay = (last / first) ** (1 / steps)
    return pyro.optim.ClippedAdam({"lr": first, "lrd": rate_of_decay})


losses, path_a = run_svi(temperature_guide, decaying(0.3, 0.003, 500))
fitted_a, fitted_b = pyro.param("nu_a").item(), pyro.param("nu_b").item()
print(f"N({fitted_a:.2f}, {fitted_b:.2f}²), ELBO {-sum(losses[-100:]) / 100:.3f}")

# %% [markdown]
# ### What a guide must do
#
# **1. It takes the arguments of the model.** `svi.step(reading)` calls both with the same ones.


# %%
def guide_without_argument():
    temperature_guide(None)


try:
    run_svi(guide_without_argument, decaying(0.3, 0.003, 500))
except TypeError as error:
    print(f"TypeError: {error}")


# %% [markdown]
# **2. It has every unobserved site of the model, under the same name,** and no other. Here is one
# with a slip in the name. Nothing stops; Pyro warns (the warnings are collected and printed here).


# %%
def guide_with_another_name(sensor):
    nu_a = pyro.param("nu_a", torch.tensor(12.0))
    nu_b = pyro.param("nu_b", torch.tensor(3.0), constraint=constraints.positive)
    pyro.sample("temperature", dist.Normal(nu_a, nu_b))


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    losses, path_a = run_svi(guide_with_another_name, decaying(0.3, 0.003, 500), steps=200)
for message in sorted({str(w.message) for w in caught}):
    print("Warning:", message)
print(f"nu_a {path_a[-1]:.2f}, nu_b {pyro.param('nu_b').item():.3g}, 'ELBO' {-losses[-1]:.1f}")

# %% [markdown]
# Believe these warnings. The model drew its `temp` from the prior, the guide's draw went nowhere:
# $\nu_a$ is where it was, and $\nu_b$ grows for ever, because a wide guide has a small $\ln q$. The
# number that should be a lower bound is above $\ln p(x) = -2.6$: no ELBO can be, on average.
#
# **3. Its parameters keep to what they mean.** A standard deviation without a constraint can step
# across zero:


# %%
def guide_without_constraint(sensor):
    nu_a = pyro.param("nu_a", torch.tensor(12.0))
    nu_b = pyro.param("nu_b", torch.tensor(3.0))
    pyro.sample("temp", dist.Normal(nu_a, nu_b))


try:
    run_svi(guide_without_constraint, pyro.optim.Adam({"lr": 1.0}))
except ValueError as error:
    print(f"ValueError: {str(error).split(' of distribution')[0]} ...")
print(f"nu_b is {pyro.param('nu_b').item():.2f}")

# %% [markdown]
# ### Has it converged?
#
# The same guide with three learning rates: one that stays at 0.5, one that stays at 0.003, and one
# that decays from 0.3 to 0.003. Look at the ELBO *and* at the parameter.

# %%
optimisers = {
    "0.5": pyro.optim.Adam({"lr": 0.5}),
    "0.003": pyro.optim.Adam({"lr": 0.003}),
    "0.3 to 0.003": decaying(0.3, 0.003, 500),
}
runs = {name: run_svi(temperature_guide, optimiser) for name, optimiser in optimisers.items()}

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
plotting.elbo_curve(
    {name: losses for name, (losses, _) in runs.items()},
    evidence=log_evidence,
    title="Too small a rate: still rising",
    ax=axes[0],
)
plotting.curves(
    {name: (torch.arange(500), path) for name, (_, path) in runs.items()},
    exact=(torch.tensor([0, 500]), torch.tensor([posterior_mean] * 2)),
    xlabel="step",
    ylabel=r"$\nu_a$ (°C)",
    title="Too large a rate: it never comes to rest",
    ax=axes[1],
)

# %%
rows = {}
for name, (losses, path_a) in runs.items():
    late = path_a[-200:]
    rows[name] = [-sum(losses[-100:]) / 100, late[-1].item(), late.std().item()]
columns = ["ELBO, last 100 steps", "ν_a at the end", "sd of ν_a, last 200 steps"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("learning rate").round(3)

# %% [markdown]
# - **Too small:** the ELBO still rises at the end, and $\nu_a$ still moves one way. More steps, or
#   a larger rate.
# - **Too large:** the ELBO *looks* flat, a little below where it could be; the parameter wanders
#   about the optimum, and where you stop is chance. Averaging 100 steps of the ELBO shows the gap.
# - **Decaying:** large at first to arrive, small at last to come to rest. Flat in both pictures.
#
# Flat is necessary, not sufficient. A fit can also rest in the wrong place. The next section has
# such a case, and the means to see it.

# %% [markdown]
# ## 7. A normal distribution with unknown mean and precision
#
# Now the lecture's exercise. The data are $n$ draws $x_1, \dots, x_n$ from a normal distribution;
# unknown are its mean $\mu$ and its **precision** $\gamma$, one over its variance:
#
# $$\mu \sim \mathcal{N}(0,\ 10000), \qquad \gamma \sim \mathcal{G}(1, 1), \qquad
# x_i \mid \mu, \gamma \sim \mathcal{N}(\mu,\ 1 / \gamma).$$
#
# $\mathcal{G}(\alpha, \beta)$ is a Gamma distribution with shape $\alpha$ and rate $\beta$, of mean
# $\alpha / \beta$ and standard deviation $\sqrt{\alpha} / \beta$. The data: 100 draws with mean 5
# and standard deviation 1, and a second set of 5 for later. They come from a generator of their
# own, so that they, and with them the truth, stay the same whatever `SEED` is.

# %%
generator = torch.Generator("cpu").manual_seed(2)
x = (5 + torch.randn(100, generator=generator, device="cpu")).to(device)
x_few = (5 + torch.randn(5, generator=generator, device="cpu")).to(device)
for data in (x, x_few):
    print(f"n = {len(data)}: mean {data.mean():.3f}, standard deviation {data.std():.3f}")

# %% [markdown]
# ### ✏️ Exercise 5: the model
#
# Write `gaussian_model`, with the sites `mu`, `gamma` and `x`; the $n$ values of `x` are
# independent given the other two; `data` is a good name for their plate.
#
# <details><summary>Hint</summary>
#
# Two `pyro.sample`, then a plate of size `n` with a third one. Which standard deviation belongs to
# a variance of 10000? To a precision `gamma`?
#
# </details>


# %%
def gaussian_model(n, x=None):
    ### BEGIN SOLUTION
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", n):
        pyro.sample("x", dist.Normal(mu, 1 / gamma.sqrt()), obs=x)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.gaussian_model(gaussian_model)

# %%
plotting.draw_model(
    gaussian_model, len(x), x, labels={"mu": r"$\mu$", "gamma": r"$\gamma$", "x": "$x$"}
)
# %% [markdown]
# The guide treats $\mu$ and $\gamma$ as independent (*mean-field*, as in the last notebook), and
# has four parameters:
#
# $$q(\mu) = \mathcal{N}(\nu_\mu,\ \nu_{\sigma^2}), \qquad
# q(\gamma) = \mathcal{G}(\nu_\alpha, \nu_\beta).$$
#
# ### ✏️ Exercise 6: the guide
#
# Write `gaussian_guide`, with the parameters `nu_mu`, initially 0, and `nu_sigma2`, `nu_alpha` and
# `nu_beta`, initially 1 and always positive.
#
# <details><summary>Hint</summary>
#
# Four `pyro.param`, then two `pyro.sample`. `nu_sigma2` is a variance. Does the guide sample `x`?
#
# </details>


# %%
def gaussian_guide(n, x=None):
    ### BEGIN SOLUTION
    positive = constraints.positive
    nu_mu = pyro.param("nu_mu", torch.tensor(0.0))
    nu_sigma2 = pyro.param("nu_sigma2", torch.tensor(1.0), constraint=positive)
    nu_alpha = pyro.param("nu_alpha", torch.tensor(1.0), constraint=positive)
    nu_beta = pyro.param("nu_beta", torch.tensor(1.0), constraint=positive)
    mu = pyro.sample("mu", dist.Normal(nu_mu, nu_sigma2.sqrt()))
    gamma = pyro.sample("gamma", dist.Gamma(nu_alpha, nu_beta))
    ### END SOLUTION
    return {"mu": mu, "gamma": gamma}


# %% tags=["nbval-check-output"]
check.gaussian_guide(gaussian_guide)

# %% [markdown]
# ### 7.1 The truth
#
# Before the fit, let us know what it should find. Given $\gamma$, the mean has a normal posterior:
# precisions add up, and so with the prior's precision $1/10000$
#
# $$\mu \mid \gamma, \mathbf{x} \sim \mathcal{N}(m_\gamma, v_\gamma), \qquad
# \frac{1}{v_\gamma} = n \gamma + \frac{1}{10000}, \qquad
# m_\gamma = v_\gamma\, \gamma \sum_i x_i.$$
#
# One dimension is left for a grid, which is even in $u = \ln \gamma$. (The density of $u$ is
# $p(\gamma)\, \gamma$; and $p(\mathbf{x} \mid \gamma)$ comes from Bayes' rule read backwards, at
# $\mu = m_\gamma$, as in the last notebook.) The data enter through three numbers only: $n$, their
# mean $\bar{x}$, and $\sum_i (x_i - \bar{x})^2$.


# %%
def log_likelihood(mu, gamma, x):
    x = x.cpu().double()
    squares = ((x - x.mean()) ** 2).sum() + len(x) * (x.mean() - mu) ** 2
    return 0.5 * len(x) * (gamma / (2 * math.pi)).log() - 0.5 * gamma * squares


def log_joint_gaussian(mu, gamma, x):
    log_prior_mu = dist.Normal(torch.zeros_like(mu), 100.0).log_prob(mu)
    return log_likelihood(mu, gamma, x) + log_prior_mu - gamma  # ln G(γ; 1, 1) = -γ


def exact_posterior(x):
    u = torch.linspace(-6, 4, 4001, **double)
    gamma = u.exp()
    v = 1 / (len(x) * gamma + 1 / 10000)
    m = v * gamma * x.cpu().double().sum()
    log_conditional = dist.Normal(m, v.sqrt()).log_prob(m)
    log_weight = log_joint_gaussian(m, gamma, x) + u - log_conditional
    weight = log_weight.softmax(0)
    mean_mu, mean_gamma = (weight * m).sum(), (weight * gamma).sum()
    return {
        "gamma": gamma,
        "weight": weight,
        "m": m,
        "v": v,
        "E[mu]": mean_mu.item(),
        "sd[mu]": (weight * (v + (m - mean_mu) ** 2)).sum().sqrt().item(),
        "E[gamma]": mean_gamma.item(),
        "sd[gamma]": (weight * (gamma - mean_gamma) ** 2).sum().sqrt().item(),
        "ln p(x)": (log_weight.logsumexp(0) + (u[1] - u[0]).log()).item(),
    }


exact = {len(data): exact_posterior(data) for data in (x, x_few)}
numbers = ["E[mu]", "sd[mu]", "E[gamma]", "sd[gamma]", "ln p(x)"]
border = max(e["weight"][k].item() for e in exact.values() for k in (0, -1))
print(f"probability at the border of the grid: {border:.0e}")
pd.DataFrame({f"n = {n}": [e[k] for k in numbers] for n, e in exact.items()}, numbers).round(4)

# %% [markdown]
# ### 7.2 The best that this guide can do
#
# A second truth: among *all* independent pairs $q(\mu)\, q(\gamma)$, which has the largest ELBO?
# Hold $q(\gamma)$ fixed. Then the ELBO, as a function of $q(\mu)$ alone, is
#
# $$\mathbb{E}_{q(\mu)}\bigl[\mathbb{E}_{q(\gamma)}[\ln p(\mathbf{x}, \mu, \gamma)] - \ln
# q(\mu)\bigr] + \text{constant},$$
#
# which is minus a KL divergence, from $q(\mu)$ to the density proportional to the exponential of
# the inner mean. It is greatest when they are the same (Bishop 2006, sec. 10.1.1):
#
# $$\ln q(\mu) = \mathbb{E}_{q(\gamma)}[\ln p(\mathbf{x}, \mu, \gamma)] + \text{constant} =
# -\tfrac{1}{2} \mathbb{E}[\gamma] \sum_i (x_i - \mu)^2 - \tfrac{1}{2} \frac{\mu^2}{10000} +
# \text{constant}.$$
#
# A quadratic function of $\mu$, hence a normal distribution. In the same way, for $q(\gamma)$,
#
# $$\ln q(\gamma) = \mathbb{E}_{q(\mu)}[\ln p(\mathbf{x}, \mu, \gamma)] + \text{constant} =
# \tfrac{n}{2} \ln \gamma - \gamma \Bigl(1 + \tfrac{1}{2}\, \mathbb{E}_{q(\mu)}\bigl[\textstyle
# \sum_i (x_i - \mu)^2\bigr]\Bigr) + \text{constant},$$
#
# a Gamma distribution. Nobody assumed these families: they follow from independence and the model.
# Compare coefficients, and you have the updates of **coordinate-ascent variational inference**
# (CAVI):
#
# $$\frac{1}{\nu_{\sigma^2}} = n\, \mathbb{E}[\gamma] + \frac{1}{10000}, \qquad
# \nu_\mu = \nu_{\sigma^2}\, \mathbb{E}[\gamma] \sum_i x_i,$$
#
# $$\nu_\alpha = 1 + \frac{n}{2}, \qquad
# \nu_\beta = 1 + \frac{1}{2} \Bigl(\sum_i (x_i - \nu_\mu)^2 + n\, \nu_{\sigma^2}\Bigr).$$
#
# ### ✏️ Exercise 7: coordinate ascent
#
# Complete `cavi_update`: from the present $\mathbb{E}[\gamma]$, called `mean_gamma`, first compute
# the two parameters of $q(\mu)$, then, *with these*, those of $q(\gamma)$.
#
# <details><summary>Hint</summary>
#
# Four lines, one for each formula, in their order. In the last one, why is there an
# $n\, \nu_{\sigma^2}$? $\mathbb{E}[(x_i - \mu)^2] = (x_i - \nu_\mu)^2 + \nu_{\sigma^2}$ for each
# of the $n$ points.
#
# </details>


# %%
def cavi_update(x, mean_gamma):
    n = len(x)
    ### BEGIN SOLUTION
    nu_sigma2 = 1 / (n * mean_gamma + 1 / 10000)
    nu_mu = nu_sigma2 * mean_gamma * x.sum()
    nu_alpha = 1 + n / 2
    nu_beta = 1 + 0.5 * (((x - nu_mu) ** 2).sum() + n * nu_sigma2)
    ### END SOLUTION
    return {"nu_mu": nu_mu, "nu_sigma2": nu_sigma2, "nu_alpha": nu_alpha, "nu_beta": nu_beta}


# %% tags=["nbval-check-output"]
check.cavi_update(cavi_update)

# %% [markdown]
# The ELBO of such a guide has a closed form as well: the mean of the log likelihood, for which
# $\mathbb{E}[\ln \gamma] = \psi(\nu_\alpha) - \ln \nu_\beta$ ($\psi$ is the *digamma* function),
# minus the two divergences from the priors, which torch knows. Ten updates from
# $\mathbb{E}[\gamma] = 10$, a bad guess:


# %%
def gaussian_elbo(nu, x):
    m, s2, a, b = (
        torch.as_tensor(nu[f"nu_{k}"], **double) for k in ("mu", "sigma2", "alpha", "beta")
    )
    x, zero = x.cpu().double(), torch.zeros((), **double)
    squares = ((x - m) ** 2).sum() + len(x) * s2
    mean_log_gamma = torch.digamma(a) - b.log()
    explain = 0.5 * len(x) * (mean_log_gamma - math.log(2 * math.pi)) - 0.5 * a / b * squares
    stay = kl_divergence(dist.Normal(m, s2.sqrt()), dist.Normal(zero, 100.0))
    stay = stay + kl_divergence(dist.Gamma(a, b), dist.Gamma(zero + 1.0, 1.0))
    return (explain - stay).item()


def coordinate_ascent(x, updates=10, mean_gamma=10.0):
    history = []
    for _ in range(updates):
        nu = {k: float(value) for k, value in cavi_update(x.cpu().double(), mean_gamma).items()}
        mean_gamma = nu["nu_alpha"] / nu["nu_beta"]
        history.append(nu | {"ELBO": gaussian_elbo(nu, x)})
    return nu, pd.DataFrame(history, index=pd.RangeIndex(1, updates + 1, name="update"))


optimum, history = coordinate_ascent(x)
history.iloc[[0, 1, 2, 9]].round(5)

# %% [markdown]
# Each update can only raise the ELBO, and three are enough. There is no learning rate, and no
# noise. From other guesses it ends in the same place:

# %%
for guess in (0.001, 1.0, 1000.0):
    other, _ = coordinate_ascent(x, mean_gamma=guess)
    print(f"from E[γ] = {guess}: ELBO {gaussian_elbo(other, x):.6f}")

# %% [markdown]
# This is the optimum $\boldsymbol{\nu}^*$: **no** optimiser can get more out of this guide.
# Its ELBO is a little below $\ln p(\mathbf{x})$, and by the identity of section 3 we know what the
# difference is: the divergence from the posterior, the price of independence.

# %%
print(f"ELBO* {gaussian_elbo(optimum, x):.4f}, ln p(x) {exact[100]['ln p(x)']:.4f}")
print(f"KL(q* ‖ posterior) = {exact[100]['ln p(x)'] - gaussian_elbo(optimum, x):.4f} nats")

# %% [markdown]
# If coordinate ascent is that good, why not always use it? Because it needs a formula for each
# factor, which exists for special pairs of prior and likelihood only. SVI needs none.

# %% [markdown]
# ### 7.3 A fit that fails
#
# Solutions of this exercise are in circulation that stop after 3,000 steps of an optimiser with a
# fixed learning rate. Let us do the same (Adam, 0.01), with Pyro's default of one draw a step and
# from the initial values of Exercise 6, and follow the parameters.


# %%
def follow(optimiser, steps):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    svi = SVI(gaussian_model, gaussian_guide, optimiser, Trace_ELBO())
    losses, path = [], []
    for _ in range(steps):
        losses.append(svi.step(len(x), x))
        path.append([pyro.param(name).item() for name in optimum])
    return losses, torch.tensor(path)


failed_losses, failed_path = follow(pyro.optim.Adam({"lr": 0.01}), steps=3000)
failed = dict(zip(optimum, failed_path[-1].tolist(), strict=True))


def summary(nu):
    return {
        "E[mu]": nu["nu_mu"],
        "sd[mu]": math.sqrt(nu["nu_sigma2"]),
        "E[gamma]": nu["nu_alpha"] / nu["nu_beta"],
        "sd[gamma]": math.sqrt(nu["nu_alpha"]) / nu["nu_beta"],
        "alpha": nu["nu_alpha"],
        "beta": nu["nu_beta"],
        "ELBO": gaussian_elbo(nu, x),
    }


pd.DataFrame({"3,000 steps": summary(failed), "optimum": summary(optimum)}).round(3)

# %% [markdown]
# The means are tolerable. But the standard deviation of $\mu$ is twice what it should be, that of
# $\gamma$ more than three times, and the shape $\alpha$ is 4 instead of 51. Whoever prints these
# numbers as *the posterior* reports an uncertainty that the data do not have. (One of those
# in circulation has, on data of its own, sd$[\mu]$ = 0.19 instead of 0.114, and $q(\gamma) =
# \mathcal{G}(3.3, 4.1)$ instead of $\mathcal{G}(51, 65.3)$.)
#
# Could one have noticed, without the truth? The two pictures of section 6 tell:

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
plotting.elbo_curve(
    {"one draw a step": failed_losses},
    evidence=exact[100]["ln p(x)"],
    title="The ELBO: has it arrived?",
    ax=axes[0],
)
steps_axis = torch.arange(3000)
plotting.curves(
    {
        r"$\nu_\alpha$": (steps_axis, failed_path[:, 2]),
        r"$\nu_\beta$": (steps_axis, failed_path[:, 3]),
    },
    exact=(torch.tensor([0, 3000]), torch.tensor([optimum["nu_alpha"]] * 2)),
    xlabel="step",
    ylabel="value (logarithmic scale)",
    yscale="log",
    title="The parameters have not",
    ax=axes[1],
)

# %% [markdown]
# (The dashed line on the right is the optimum of $\nu_\alpha$; that of $\nu_\beta$ is nearly the
# same.) On the left, after 2,000 steps there is not much to see: on this scale, and in this noise,
# nobody would notice without the dashed line that more than five nats are missing. The parameters
# leave no doubt: they still move, and have a long way to go. Four things went wrong, and each can
# be put right.
#
# - **The start.** $q(\mu) = \mathcal{N}(0, 1)$ is 5 away from data whose mean is known to a tenth.
#   There the gradients are enormous, and Adam divides its steps by the root mean square of *recent*
#   gradients, about a thousand of them, so that it crawls long after.
# - **The scale.** A positive parameter moves on a logarithmic scale: from 1 to 51 is a distance
#   of $\ln 51 \approx 3.9$, from a variance of 1 to 0.01 is 4.6. A step is at most about one
#   learning rate long. Start where the data are, and the distances are short.
# - **One draw a step** makes a noisy gradient. A few hundred, evaluated at once as one tensor, take
#   about half as much time again.
# - **A fixed rate** never comes to rest.
#
# ### 7.4 The cure
#
# `pyro.param(name, initial_value)` uses the initial value only if the store has no such parameter
# yet. So whoever puts values into the store *before* the fit chooses the start, without touching
# the guide:


# %%
def fit_gaussian(x, start, **settings):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    for name, value in start.items():
        constraint = constraints.real if name == "nu_mu" else constraints.positive
        pyro.param(name, torch.tensor(float(value)), constraint=constraint)
    losses = inference.fit(
        gaussian_model, gaussian_guide, len(x), x, max_plate_nesting=1, **settings
    )
    return {name: pyro.param(name).item() for name in start}, losses


# %% [markdown]
# ### ✏️ Exercise 8: a fit that has converged
#
# Choose a `start` (a dictionary with the four parameters) and the `settings` of `inference.fit` (a
# dictionary with `steps`, `learning_rate`, `final_learning_rate` and `particles`). The check asks
# for every mean within 0.05 standard deviations of the optimum, every standard deviation, $\alpha$
# and $\beta$ within 5%, and the ELBO within 0.02 nats. The start may use the data, but not the
# optimum.
#
# <details><summary>Hint</summary>
#
# The data have a mean and a variance, `x.mean().item()` and `x.var().item()`. How well do $n$
# points know a mean? The variance of that is $\operatorname{var} / n$. Of a precision, with
# $\mathbb{E}[\gamma] = \nu_\alpha / \nu_\beta \approx 1 / \operatorname{var}$, each two points are
# worth about one unit of $\nu_\alpha$. For the settings see section 6: about a thousand steps,
# hundreds of particles, and a learning rate that begins at 0.1 and falls by a factor of 100 or
# more.
#
# </details>

# %%
start, settings, nu, losses = None, None, None, None
### BEGIN SOLUTION
variance = x.var().item()
start = {
    "nu_mu": x.mean().item(),
    "nu_sigma2": variance / len(x),
    "nu_alpha": len(x) / 2,
    "nu_beta": len(x) / 2 * variance,
}
settings = {
    "steps": 1000,
    "learning_rate": 0.1,
    "final_learning_rate": 0.0005,
    "particles": 256,
}
### END SOLUTION
nu, losses = fit_gaussian(x, start, **settings)

# %% tags=["nbval-check-output"]
check.gaussian_fit(nu, losses, start, optimum, x)

# %% [markdown]
# What did each measure contribute? Add them one after the other, with 1,000 steps each, a third of
# the failed fit's. (The decaying rate also begins ten times higher.) The row *another start* is a
# test of convergence that needs no truth: with a shifted mean and half the precisions at the start,
# a fit must end in the same place.

# %%
fixed = {"steps": 1000, "learning_rate": 0.01, "final_learning_rate": 0.01, "particles": 1}
decays = {"steps": 1000, "learning_rate": 0.1, "final_learning_rate": 0.0005, "particles": 1}
sample_variance = x.var().item()
sensible = {
    "nu_mu": x.mean().item(),
    "nu_sigma2": sample_variance / 100,
    "nu_alpha": 50.0,
    "nu_beta": 50.0 * sample_variance,
}
elsewhere = {
    "nu_mu": x.mean().item() + 0.1,
    "nu_sigma2": sample_variance / 50,
    "nu_alpha": 25.0,
    "nu_beta": 25.0 * sample_variance,
}
attempts = {
    "as published": failed,
    "+ sensible start": fit_gaussian(x, sensible, **fixed)[0],
    "+ decaying rate": fit_gaussian(x, sensible, **decays)[0],
    "+ 256 particles": fit_gaussian(x, sensible, **decays | {"particles": 256})[0],
    "another start": fit_gaussian(x, elsewhere, **decays | {"particles": 256})[0],
    "optimum": optimum,
}
pd.DataFrame({name: summary(attempt) for name, attempt in attempts.items()}).T.round(3)

# %% [markdown]
# A sensible start brings everything into the right region, but with one draw a step and a fixed
# rate the parameters jitter: $\mathbb{E}[\gamma]$ is off by more than half its standard deviation.
# With a decaying rate the means come to rest. Yet $\alpha$ is still a quarter too low; that takes
# many particles. Look at the ELBO meanwhile: the third row misses less than 0.05 nats. A flat
# direction of the ELBO is where optimisers are slow and where an ELBO curve tells little; only the
# *parameters* do.
#
# ### 7.5 How far from the truth?
#
# So the optimiser's error is gone. What is left is the guide's: it cannot let $\mu$ and $\gamma$
# depend on each other. With 100 points, does it matter? And with the 5 points of the second data
# set?

# %%
variance_few = x_few.var().item()
start_few = {
    "nu_mu": x_few.mean().item(),
    "nu_sigma2": variance_few / 5,
    "nu_alpha": 2.5,
    "nu_beta": 2.5 * variance_few,
}
nu_few, losses_few = fit_gaussian(x_few, start_few, **settings)
optimum_few, _ = coordinate_ascent(x_few, updates=50)

rows = {}
for n, fitted, best_nu in ((100, nu, optimum), (5, nu_few, optimum_few)):
    three = {"fit": summary(fitted), "optimum": summary(best_nu), "exact": exact[n]}
    for name, values in three.items():
        rows[f"n = {n}", name] = {k: values[k] for k in numbers[:4]}
    rows[f"n = {n}", "optimum / exact"] = {
        k: rows[f"n = {n}", "optimum"][k] / rows[f"n = {n}", "exact"][k] for k in numbers[:4]
    }
pd.DataFrame.from_dict(rows, orient="index").round(3)


# %%
def densities_on_plane(nu, e, x):
    sd_mu, sd_gamma = e["sd[mu]"], e["sd[gamma]"]
    mu = torch.linspace(e["E[mu]"] - 4.5 * sd_mu, e["E[mu]"] + 4.5 * sd_mu, 301, **double)
    low = max(e["E[gamma]"] - 4 * sd_gamma, 1e-3)
    gamma = torch.linspace(low, e["E[gamma]"] + 5 * sd_gamma, 300, **double)
    mu_plane, gamma_plane = torch.meshgrid(mu, gamma, indexing="xy")
    nu = {name: torch.tensor(value, **double) for name, value in nu.items()}
    log_q = dist.Normal(nu["nu_mu"], nu["nu_sigma2"].sqrt()).log_prob(mu_plane)
    log_q = log_q + dist.Gamma(nu["nu_alpha"], nu["nu_beta"]).log_prob(gamma_plane)
    log_p = log_joint_gaussian(mu_plane, gamma_plane, x) - e["ln p(x)"]
    return {"mean-field fit": (mu, gamma, log_q.exp()), "exact": (mu, gamma, log_p.exp())}


figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.8))
for ax, n, data, fitted, title in (
    (axes[0], 100, x, nu, "n = 100: hardly any difference"),
    (axes[1], 5, x_few, nu_few, "n = 5: the fit is too narrow in μ"),
):
    plotting.regions(
        densities_on_plane(fitted, exact[n], data),
        xlabel=r"$\mu$",
        ylabel=r"precision $\gamma$",
        title=title,
        ax=ax,
    )

# %% [markdown]
# Each pair of curves bounds the regions of 50% and 95% probability. If the precision is small, the
# data are noisy and $\mu$ is known less well: the exact posterior is wide at the bottom and narrow
# at the top, like a pear. Under a product of two densities the distribution of $\mu$ is the same at
# every $\gamma$. With 100 points $\gamma$ is known so well that this costs nothing; with 5 points
# the fit is too sure of $\mu$, as the theory of section 2 foretold.
#
# The way to tell the two errors apart: the optimiser's error is the difference between *fit* and
# *optimum*, and goes away with a better fit. The guide's is that between *optimum* and *exact*, and
# goes away with a better guide only.
#
# ### From the bound to the evidence
#
# The ELBO averages logarithms of $p(\mathbf{x}, \mathbf{z}) / q(\mathbf{z})$. Average the ratios
# themselves, and take the logarithm last: then the mean *is* the evidence, $\mathbb{E}_q[p(\mathbf{
# x}, \mathbf{z}) / q(\mathbf{z})] = \int p(\mathbf{x}, \mathbf{z})\, d\mathbf{z} = p(\mathbf{x})$.
# This is *importance sampling*; it works well if the guide is near the posterior, with tails that
# are as heavy.


# %%
def log_ratio(nu, x, draws=100_000):
    nu = {name: torch.tensor(value, **double) for name, value in nu.items()}
    q_mu = dist.Normal(nu["nu_mu"], nu["nu_sigma2"].sqrt())
    q_gamma = dist.Gamma(nu["nu_alpha"], nu["nu_beta"])
    mu, gamma = q_mu.sample((draws,)), q_gamma.sample((draws,))
    return log_joint_gaussian(mu, gamma, x), q_mu.log_prob(mu) + q_gamma.log_prob(gamma)


pyro.set_rng_seed(SEED)
evidence_by_draws = {}
for n, data, fitted in ((100, x, nu), (5, x_few, nu_few)):
    log_p, log_q = log_ratio(fitted, data)
    estimate, error = elbo_estimate(log_p, log_q)
    evidence_by_draws[n] = ((log_p - log_q).logsumexp(0) - math.log(len(log_q))).item()
    print(
        f"n = {n:3}: ELBO {estimate:.4f} ± {error:.4f}, ln p(x) {evidence_by_draws[n]:.4f}, "
        f"exactly {exact[n]['ln p(x)']:.4f}"
    )

# %% [markdown]
# With 100 points the evidence comes out to a thousandth of a nat; what the ELBO lacks is the
# divergence. With 5 points the answer is less good, and changes with the draws: the posterior's
# tails reach where the guide hardly ever draws, and the few draws there carry much of the weight.
# Once more: too narrow a guide, and no sign of it but the comparison.
#
# ### 7.6 The next value
#
# What will the next value $x_{n+1}$ be? From draws it is easy: draw $(\mu, \gamma)$ from the guide,
# then $x_{n+1}$ from $\mathcal{N}(\mu, 1 / \gamma)$. There is a closed form, too. It rests on a
# property of the Gamma distribution: *if $\gamma \sim \mathcal{G}(\alpha, \beta)$ and $y \mid
# \gamma \sim \mathcal{N}(m, c / \gamma)$, then $y$ has a **Student's t** distribution with $2
# \alpha$ degrees of freedom, location $m$ and scale $\sqrt{c\, \beta / \alpha}$* (Bishop 2006, sec.
# 2.3.7).
#
# To use it we need one simplification. Our prior on $\mu$, with a standard deviation of 100, is
# nearly flat; take it to be flat. With $\bar{x}$ the mean of the data, the posterior is then
#
# $$\gamma \mid \mathbf{x} \sim \mathcal{G}(\alpha', \beta'), \quad
# \alpha' = 1 + \frac{n - 1}{2}, \quad
# \beta' = 1 + \frac{1}{2} \sum_i (x_i - \bar{x})^2, \qquad
# \mu \mid \gamma, \mathbf{x} \sim \mathcal{N}\Bigl(\bar{x},\ \frac{1}{n \gamma}\Bigr).$$
#
# The next value scatters around $\mu$ with variance $1/\gamma$, and $\mu$ around $\bar{x}$ with
# variance $1 / (n \gamma)$:
#
# $$x_{n+1} \mid \gamma, \mathbf{x} \sim
# \mathcal{N}\Bigl(\bar{x},\ \bigl(1 + \tfrac{1}{n}\bigr) \frac{1}{\gamma}\Bigr).$$
#
# ### ✏️ Exercise 9: the predictive distribution
#
# Complete `predictive`: from the data `x`, compute the degrees of freedom `df`, the location `loc`
# and the `scale` of the Student's t distribution of $x_{n+1}$.
#
# <details><summary>Hint</summary>
#
# First $\alpha'$ and $\beta'$. Then put them into the property above; what is $c$ here?
#
# </details>


# %%
def predictive(x):
    n = len(x)
    ### BEGIN SOLUTION
    alpha = 1 + (n - 1) / 2
    beta = 1 + 0.5 * ((x - x.mean()) ** 2).sum()
    df = 2 * alpha
    loc = x.mean()
    scale = ((1 + 1 / n) * beta / alpha).sqrt()
    ### END SOLUTION
    return df, loc, scale


# %% tags=["nbval-check-output"]
check.predictive(predictive)

# %% [markdown]
# Is the flat prior a good simplification, and how good is the guide's prediction? The exact
# predictive density needs no simplification: it is a mixture of the normals $\mathcal{N}(m_\gamma,
# v_\gamma + 1/\gamma)$ over the grid of section 7.1. A fourth answer is common and tempting: plug
# in the estimates, $\mathcal{N}(\bar{x}, s^2)$ with the standard deviation $s$ of the data. How
# probable is a next value above 7, by each?


# %%
def student_t(data):
    df, loc, scale = (torch.as_tensor(value, **double) for value in predictive(data.cpu().double()))
    return dist.StudentT(df, loc, scale)


def exact_density(e, grid):
    normals = dist.Normal(e["m"], (e["v"] + 1 / e["gamma"]).sqrt())
    return (e["weight"] * normals.log_prob(grid[:, None]).exp()).sum(1)


def density_from_draws(gamma, nu, grid):
    normals = dist.Normal(nu["nu_mu"], (nu["nu_sigma2"] + 1 / gamma.cpu().double()).sqrt())
    return normals.log_prob(grid[:, None]).exp().mean(1)


next_grid = torch.linspace(-15, 25, 801, **double)
above = next_grid > 7 - 1e-9  # from the point 7 on
next_density, rows = {}, {}
for n, data, fitted in ((100, x, nu), (5, x_few, nu_few)):
    pyro.set_rng_seed(SEED)
    mu = dist.Normal(fitted["nu_mu"], fitted["nu_sigma2"] ** 0.5).sample((200_000,))
    gamma = dist.Gamma(fitted["nu_alpha"], fitted["nu_beta"]).sample((200_000,))
    drawn = dist.Normal(mu, 1 / gamma.sqrt()).sample()
    plug_in = dist.Normal(data.mean().cpu().double(), data.std().cpu().double())
    next_density[n] = {
        "exact": exact_density(exact[n], next_grid),
        "Student's t": student_t(data).log_prob(next_grid).exp(),
        "mean-field": density_from_draws(gamma[:5000], fitted, next_grid),
        "plug-in": plug_in.log_prob(next_grid).exp(),
    }
    rows[f"n = {n}"] = {
        name: torch.trapezoid(density[above], next_grid[above]).item()
        for name, density in next_density[n].items()
        if name != "mean-field"
    } | {"mean-field draws": (drawn > 7).float().mean().item()}
pd.DataFrame.from_dict(rows, orient="index").rename_axis("P(next > 7)").round(4)

# %% [markdown]
# And the densities, on a logarithmic scale, which shows the tails. The mean-field curve is the
# average of $\mathcal{N}(\nu_\mu, \nu_{\sigma^2} + 1/\gamma)$ over draws of $\gamma$.

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6), sharex=True, sharey=True)
for ax, n, title in (
    (axes[0], 100, "n = 100: all answers are nearly one curve"),
    (axes[1], 5, "n = 5: whoever plugs in is too sure"),
):
    plotting.curves(
        {name: (next_grid, next_density[n][name]) for name in ("mean-field", "plug-in")},
        exact=(next_grid, next_density[n]["Student's t"]),
        xlabel="next value",
        ylabel="density (logarithmic scale)",
        yscale="log",
        xlim=(0, 10),
        ylim=(1e-6, 1),
        title=title,
        ax=ax,
    )

for n in next_density:
    worst = (next_density[n]["exact"] - next_density[n]["Student's t"]).abs().max().item()
    print(f"n = {n:3}: flat prior against the exact one, densities differ by {worst:.0e} at most")

# %% [markdown]
# The flat prior costs next to nothing: Student's t is the exact predictive density for all purposes
# here, and is drawn dashed. With 100 points even the plug-in answer is nearly right. With 5 points
# it is not: to it, a value above 7 is less than half as probable as it is. Student's t, with $n + 1
# = 6$ degrees of freedom, knows that the next value is uncertain for three reasons: the scatter of
# the data, a mean that is not known, and a scatter that is not known. The mean-field guide, for all
# that it gets wrong about $\mu$, is much nearer, about an eighth too low: most of the uncertainty
# about the *next value* is the scatter, not the mean.

# %% [markdown]
# ## 8. Scorecard
#
# The fit of section 7.4, beside *two* truths: the exact posterior (`exact`), and the best that any
# mean-field guide can do (`optimum`, by coordinate ascent). `alpha` and `beta` are
# $\nu_\alpha$ and $\nu_\beta$; the exact posterior of $\gamma$ is not quite a Gamma, so beside them
# stand the parameters of the Gamma with its mean and standard deviation. The ELBO of the exact
# posterior is $\ln p(\mathbf{x})$. The `error` of a mean is in units of the exact standard
# deviation, that of a standard deviation or a parameter is relative, and that of the last two rows
# is a difference in nats.

# %%
e = exact[100]
approximate = summary(nu) | {"ln p(x)": evidence_by_draws[100]}
best_possible = summary(optimum) | {"ln p(x)": e["ln p(x)"]}
truth = {name: e[name] for name in numbers} | {
    "alpha": (e["E[gamma]"] / e["sd[gamma]"]) ** 2,
    "beta": e["E[gamma]"] / e["sd[gamma]"] ** 2,
    "ELBO": e["ln p(x)"],
}

# %%
scorecard = make_scorecard(approximate, truth, optimum=best_possible, parameters=("alpha", "beta"))
show_scorecard(scorecard)

# %% [markdown]
# `error (optimum)` is the optimiser's error. Run with the seeds 0 to 9, every mean is within 0.03
# standard deviations of the optimum, every standard deviation within 1%, $\alpha$ and $\beta$
# within 1%, and the ELBO within 0.001 nats. `error` contains the guide's error as well: a standard
# deviation of $\mu$ that is 1% too small, and an ELBO that is 0.005 nats below
# $\ln p(\mathbf{x})$. The check asks for what Exercise 8 asked for, and then for the same with
# respect to the exact posterior:

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.05, sd=0.05, parameter=0.05, nats=0.02, truth="optimum")
check.scorecard_within(scorecard, mean=0.05, sd=0.05, parameter=0.05, nats=0.02)

# %% [markdown]
# ## 9. Going further
#
# - **A guide that can be right.** Let the guide draw `gamma` first, and then `mu` from a normal
#   whose standard deviation is $\nu / \sqrt{\gamma}$. Does the ELBO reach $\ln p(\mathbf{x})$ for
#   the 5 points?
# - **The other direction.** Importance weights $p(\mathbf{x}, \mathbf{z}) / q(\mathbf{z})$ make it
#   possible to estimate the mean and the standard deviation under the *posterior*. Which normal and
#   which Gamma minimise $\mathrm{KL}(p \,\|\, q)$ for the 5 points? Are they wider?
# - **Two modes.** Write a model whose posterior has two bumps, say a reading of $z^2$ instead of
#   $z$, and fit it from ten starts. How often is each found, and what does the ELBO say?
#
# ### References
#
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer. Chapter 10.
# - D. M. Blei, A. Kucukelbir and J. D. McAuliffe (2017). Variational inference: A review for
#   statisticians. *Journal of the American Statistical Association* 112(518), 859–877.
# - M. D. Hoffman, D. M. Blei, C. Wang and J. Paisley (2013). Stochastic variational inference.
#   *Journal of Machine Learning Research* 14, 1303–1347.
# - D. P. Kingma and M. Welling (2014). Auto-encoding variational Bayes. *International Conference
#   on Learning Representations*. arXiv:1312.6114.
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. arXiv:1908.03442.
# - R. Ranganath, S. Gerrish and D. M. Blei (2014). Black box variational inference. *Artificial
#   Intelligence and Statistics*, PMLR 33, 814–822.
