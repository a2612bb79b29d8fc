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
# - say why the evidence is the obstacle, and how the ELBO gets round it;
# - climb the ELBO with gradients that come from draws;
# - write a guide by hand, see that a fit has not converged, and repair it;
# - say whether a guide can be trusted when nobody knows the exact answer.
#
# **Time:** 75 minutes in class. **Before:** Day 1. You need models, guides, `pyro.param` and
# plates.
#
# Six exercises in class and three after it are marked ✏️. The cell after each one checks your
# answer and gives a hint if it is not right yet. Cells build on one another, so solve them in
# order; if you are stuck, ask.

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

from checks import simple_gaussian_model as check
from pyro.distributions import constraints
from pyro.infer import SVI, Trace_ELBO
from tqdm.auto import trange
from utils import inference
from utils.explorer import explore
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. The obstacle
#
# A probabilistic model is a joint distribution of hidden variables $\mathbf{z}$ and observed
# variables $\mathbf{x}$; what we want is the posterior,
#
# $$p(\mathbf{z} \mid \mathbf{x}) = \frac{p(\mathbf{x}, \mathbf{z})}{p(\mathbf{x})}, \qquad
# p(\mathbf{x}) = \int p(\mathbf{x}, \mathbf{z})\, d\mathbf{z}.$$
#
# The numerator is easy: it is the log joint of Day 1. The denominator, the **evidence**, is an
# integral over everything that we do not know. For the thermometer of Day 1 that is one number, the
# temperature $z$, and the reading is $x = 18$ (°C):
#
# $$z \sim \mathcal{N}(15,\ 2^2), \qquad x \mid z \sim \mathcal{N}(z,\ 1^2).$$
#
# A sum over a grid will do. What has to be exact is computed in double precision on the CPU.


# %%
double = {"dtype": torch.float64, "device": "cpu"}


def log_joint(z):
    log_prior = dist.Normal(torch.full_like(z, 15.0), 2.0).log_prob(z)
    log_likelihood = dist.Normal(z, 1.0).log_prob(torch.full_like(z, 18.0))
    return log_prior + log_likelihood


for points in (11, 31, 2001):
    grid = torch.linspace(5, 25, points, **double)
    step = grid[1] - grid[0]
    log_evidence = (log_joint(grid).logsumexp(0) + step.log()).item()
    print(f"{points:4} points: ln p(x) = {log_evidence:.6f}")
print(f"20 days need {31.0**20:.0e} points")

# %% [markdown]
# With 31 points the integral is right to five digits. But with a temperature for each of 20 days, a
# grid that is as fine in every direction has more points than any computer can visit, and a neural
# network has not 20 unknowns but millions. We need a way to the posterior that does without the
# integral.

# %% [markdown]
# ## 2. The nearest distribution
#
# **Variational inference** chooses a family of simple distributions $q(\mathbf{z} \mid
# \boldsymbol{\nu})$, the *guide*, with parameters $\boldsymbol{\nu}$ (the Greek letter nu), and
# looks for the member that is nearest to the posterior. *Nearest* is measured by the
# **Kullback–Leibler divergence**,
#
# $$\mathrm{KL}(q \,\|\, p) = \mathbb{E}_q\bigl[\ln q(z) - \ln p(z)\bigr] =
# \int q(z)\, \bigl(\ln q(z) - \ln p(z)\bigr)\, dz,$$
#
# the mean, over draws $z$ from $q$, of how much more probable $q$ finds the draw than $p$ does. It
# is never negative, and zero only if the two are the same.
#
# ### ✏️ Exercise 1: the divergence on a grid (5 min)
#
# Complete `kl_on_grid`. `log_q` and `log_p` are log densities at points $z_k$ that are `step`
# apart, so that the integral becomes a sum:
#
# $$\mathrm{KL}(q \,\|\, p) \approx \sum_k q(z_k)\, \bigl(\ln q(z_k) - \ln p(z_k)\bigr) \cdot
# \text{step}.$$
#
# Sum over the last dimension, `.sum(-1)`: then either argument may hold many densities at once, as
# rows.
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
# Which of the two stands first makes a difference. The target $p$ has two bumps: with probability
# 0.6 it is $\mathcal{N}(-2, 0.8^2)$, otherwise $\mathcal{N}(2.5, 1^2)$. No normal $q$ can match it.
# We try 6,000 of them, and keep the one with the least $\mathrm{KL}(q \,\|\, p)$ and the one with
# the least $\mathrm{KL}(p \,\|\, q)$.
#
# **Predict.** Sketch both. In which of the two would $q$ pay for putting mass where $p$ has none,
# and in which for missing mass that $p$ has?

# %%
z = torch.linspace(-12, 14, 1041, **double)
z_step, zero = z[1] - z[0], torch.zeros_like(z)
left = dist.Normal(zero - 2.0, 0.8).log_prob(z) + math.log(0.6)
right = dist.Normal(zero + 2.5, 1.0).log_prob(z) + math.log(0.4)
log_p = torch.logaddexp(left, right)  # the logarithm of the sum
means = torch.linspace(-4, 4, 81, **double)[:, None, None]
sds = torch.linspace(0.3, 4.0, 75, **double)[:, None]
normals = dist.Normal(means, sds).log_prob(z).flatten(0, 1)  # one a row

# %% tags=["picture=two_humps"]
least_qp = kl_on_grid(normals, log_p, z_step).argmin()
least_pq = kl_on_grid(log_p, normals, z_step).argmin()
nearest = {
    "least KL(q‖p)": (z, normals[least_qp].exp()),
    "least KL(p‖q)": (z, normals[least_pq].exp()),
}
target = (z, log_p.exp())
axis = {"xlabel": "z", "ylabel": "density", "xlim": (-7, 8)}
plotting.curves(nearest, exact=target, title="Which is nearest?", **axis)
for name, (_, density) in (nearest | {"exact": target}).items():
    print(f"{name}: P(z > 0) = {density[z > 0].sum() * z_step:.2f}")

# %% [markdown]
# $\mathrm{KL}(q \,\|\, p)$ is an average over $q$: mass where $p$ has next to none costs dearly,
# missing a bump costs little. So $q$ keeps to one bump (*mode-seeking*). $\mathrm{KL}(p \,\|\, q)$
# is an average over $p$, and $q$ spreads over both (*mass-covering*).
#
# Variational inference minimises the **first**, because it can draw from $q$, and not from the
# posterior. Remember the price: it can be too sure, and it can miss a mode.

# %% [markdown]
# ## 3. The evidence lower bound
#
# The divergence contains the posterior, which we do not know. Bayes' rule sorts the known from the
# unknown. Put $\ln p(\mathbf{z} \mid \mathbf{x}) = \ln p(\mathbf{x}, \mathbf{z}) - \ln
# p(\mathbf{x})$ into it, and
#
# $$\ln p(\mathbf{x}) = \mathcal{L}(\boldsymbol{\nu}) +
# \mathrm{KL}\bigl(q(\mathbf{z} \mid \boldsymbol{\nu})\,\|\,p(\mathbf{z} \mid \mathbf{x})\bigr),
# \qquad \mathcal{L}(\boldsymbol{\nu}) =
# \mathbb{E}_q\bigl[\ln p(\mathbf{x}, \mathbf{z}) - \ln q(\mathbf{z} \mid \boldsymbol{\nu})\bigr].$$
#
# The left side is fixed by the data. So
#
# - what $\mathcal{L}$ gains, the divergence loses: *maximising* $\mathcal{L}$ is *minimising* KL;
# - the divergence is not negative, hence $\mathcal{L}(\boldsymbol{\nu}) \le \ln p(\mathbf{x})$:
#   $\mathcal{L}$ is the *evidence lower bound*, the **ELBO**, in *nats*, units of the natural logarithm;
# - $\mathcal{L}$ contains the log joint only. The integral has gone.
#
# With $\ln p(\mathbf{x}, \mathbf{z}) = \ln p(\mathbf{x} \mid \mathbf{z}) + \ln p(\mathbf{z})$ the
# ELBO falls into two terms that pull against each other:
#
# $$\mathcal{L}(\boldsymbol{\nu}) =
# \underbrace{\mathbb{E}_q\bigl[\ln p(\mathbf{x} \mid \mathbf{z})\bigr]}_{\text{explain the data}} -
# \underbrace{\mathrm{KL}\bigl(q(\mathbf{z} \mid \boldsymbol{\nu})\,\|\,p(\mathbf{z})\bigr)}_{
# \text{stay near the prior}}.$$
#
# The thermometer has closed forms for both. For two normals (`kl_normals` takes standard
# deviations)
#
# $$\mathrm{KL}\bigl(\mathcal{N}(a, b^2)\,\|\,\mathcal{N}(m, s^2)\bigr) =
# \ln\frac{s}{b} + \frac{b^2 + (a - m)^2}{2 s^2} - \frac{1}{2}.$$


# %%
def kl_normals(a, b, m, s):
    a, b, m, s = (torch.as_tensor(value, **double) for value in (a, b, m, s))
    return (s / b).log() + (b**2 + (a - m) ** 2) / (2 * s**2) - 0.5


# %% [markdown]
# ### ✏️ Exercise 2: the two terms of the ELBO (8 min)
#
# Complete `elbo_terms` for the thermometer and a normal guide, with mean $\nu_a$ and standard
# deviation $\nu_b$. `explain` is $\mathbb{E}_q[\ln p(x \mid z)]$ with
#
# $$\ln p(x \mid z) = -\tfrac{1}{2} \ln 2\pi - \tfrac{1}{2} (18 - z)^2,$$
#
# a mean over $z \sim \mathcal{N}(\nu_a, \nu_b^2)$, and `stay` is $\mathrm{KL}(q \,\|\,
# \mathcal{N}(15, 2^2))$.
#
# `nu_a` and `nu_b` are tensors, of one value or of many, and gradients have to pass through.
#
# <details><summary>Hint</summary>
#
# The mean of a square is the square of the mean, plus the variance: what is
# $\mathbb{E}_q[(18 - z)^2]$? `math.log(2 * math.pi)` is a number; `stay` is one call.
#
# </details>


# %%
def elbo_terms(nu_a, nu_b):
    ### BEGIN SOLUTION
    constant = -0.5 * math.log(2 * math.pi)
    explain = constant - 0.5 * ((18.0 - nu_a) ** 2 + nu_b**2)
    stay = kl_normals(nu_a, nu_b, 15.0, 2.0)
    ### END SOLUTION
    return explain, stay


# %% tags=["nbval-check-output"]
check.elbo_terms(elbo_terms)

# %% [markdown]
# Now look for the summit yourself. The sliders move the guide: left on a map of the ELBO, right as
# a density, beside the exact posterior of Day 1, with mean 17.4 and variance 0.8 (dashed).
#
# **Predict** first: which $\nu_a$ and $\nu_b$ would *explain* choose alone, and which would *stay*?
# And what does the sum of ELBO and divergence do while you move?

# %%
a_axis = torch.linspace(11, 21, 161, **double)
b_axis = torch.linspace(0.3, 3.6, 121, **double)
explain, stay = elbo_terms(*torch.meshgrid(a_axis, b_axis, indexing="xy"))
elbo_map = a_axis, b_axis, explain - stay


def draw_map(paths, ax, title):
    levels = [-25, -15, -10, -7, -5, -4, -3.5, -3.1, -2.8, -2.68]
    greys = plt.get_cmap("Greys_r").resampled(25)(range(14, 25))
    areas = ax.contourf(*elbo_map, levels, colors=greys, extend="both")
    ax.figure.colorbar(areas, label="ELBO (nats)", spacing="uniform")
    for (name, path), line in zip(paths.items(), ("-o", "--s"), strict=False):
        x, y = path.T.cpu()
        ax.plot(x, y, line, label=name, markevery=[0, -1], mec="white")
    ax.set(xlabel=r"$\nu_a$ (°C)", ylabel=r"$\nu_b$ (°C)", title=title)
    ax.legend()


# %%
def move_guide(nu_a, nu_b):
    q = torch.tensor([[nu_a, nu_b]], **double)
    explain, stay = (term.item() for term in elbo_terms(*q[0]))
    elbo, kl = explain - stay, kl_normals(*q[0], 17.4, 0.8**0.5)
    _, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.6))
    draw_map({"q": q}, left, f"ELBO = {explain:.2f} − {stay:.2f} = {elbo:.2f}")
    curve = {"q": (grid, dist.Normal(*q[0]).log_prob(grid).exp())}
    exact = grid, (log_joint(grid) - log_evidence).exp()
    title = f"ELBO + KL = {elbo:.2f} + {kl:.2f} = {elbo + kl:.4f}"
    axis = {"xlabel": "z (°C)", "ylabel": "density", "title": title}
    plotting.curves(curve, exact=exact, ax=right, **axis)


explore(move_guide, nu_a=(11.0, 21.0, 14.0), nu_b=(0.3, 3.6, 2.0))

# %% [markdown]
# The first term wants a single point at the reading: $\nu_a = 18$, $\nu_b \to 0$. The second wants
# the prior, 15 and 2. The summit lies between, where $q$ covers the dashed posterior. The sum is
# always the $\ln p(x)$ of section 1; at the summit the divergence is zero and the bound attained.

# %% [markdown]
# ## 4. A gradient from draws
#
# Closed forms are rare. But the ELBO is a mean over draws from the guide, and so is its gradient,
# if we see how a draw moves with the parameters. Draw $\varepsilon \sim \mathcal{N}(0, 1)$, and let
# $z = \nu_a + \nu_b\, \varepsilon$: a draw from $\mathcal{N}(\nu_a, \nu_b^2)$. Since $\ln q(z) =
# -\ln \nu_b - \frac{1}{2} \varepsilon^2 - \frac{1}{2} \ln 2\pi$, the ELBO is
#
# $$\mathcal{L}(\boldsymbol{\nu}) = \mathbb{E}_\varepsilon\bigl[\ln p(x,\ \nu_a + \nu_b\,
# \varepsilon)\bigr] + \ln \nu_b + \text{constant},$$
#
# and the gradient can go inside the mean. This is the *reparameterised* gradient (Kingma and
# Welling 2014).
#
# ### ✏️ Exercise 3: the reparameterised gradient (9 min)
#
# Complete `reparameterised_gradient`. `epsilon` holds $S$ draws, shape `(S,)`. For each of them
# differentiate what stands inside the mean, and $\ln \nu_b$, with respect to $\nu_a$ and to
# $\nu_b$. By the chain rule you need the slope of the log joint at the draw,
#
# $$d(z) = \frac{\partial}{\partial z} \ln p(x, z) = \frac{15 - z}{2^2} + \frac{18 - z}{1^2}.$$
#
# Return one pair $(g_a, g_b)$ for each draw, shape `(S, 2)`; do not average yet.
#
# <details><summary>Hint</summary>
#
# First `z`, then `d`. If $\nu_a$ grows by 1, $z$ grows by 1; if $\nu_b$ grows by 1, $z$ grows by
# $\varepsilon$. And what is the derivative of $\ln \nu_b$? `torch.stack([g_a, g_b], dim=-1)` makes
# pairs.
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
# Now climb: 400 steps from $\boldsymbol{\nu} = (12, 3)$, each along the mean of $S$ such gradients,
# times a learning rate. A noisy step could make $\nu_b$ negative, so the step is made in $\ln
# \nu_b$, whose gradient is $\nu_b\, g_b$, for $\partial \nu_b / \partial \ln \nu_b = \nu_b$.
# **Predict**: how does the path with one draw a step differ from that with 100, on the way and at
# the end?


# %%
def climb(draws, steps=400, learning_rate=0.02):
    pyro.set_rng_seed(SEED)
    nu_a, log_b, path = torch.tensor(12.0), torch.tensor(3.0).log(), []
    for _ in range(steps):
        nu_b = log_b.exp()
        path.append(torch.stack([nu_a, nu_b]))
        noise = torch.randn(draws)
        g_a, g_b = reparameterised_gradient(nu_a, nu_b, noise).mean(0)
        nu_a = nu_a + learning_rate * g_a
        log_b = log_b + learning_rate * nu_b * g_b
    return torch.stack(path)


paths = {f"{draws} a step": climb(draws) for draws in (100, 1)}
_, ax = plt.subplots(figsize=(6.4, 3.8))
draw_map(paths, ax, "The same hill, with 100 draws a step and with 1")

# %% [markdown]
# One draw is enough to find the way: its gradient is right on average. But it does not come to rest
# at the summit. This is **stochastic variational inference**; all that it asks of the model is the
# log joint and its slope, which automatic differentiation provides.

# %% [markdown]
# ## 5. A guide by hand
#
# Pyro does all this: it draws from the guide, evaluates the log joint, and takes the gradient. What
# remains for you is to write the model and the guide.
#
# The data are $n$ draws $x_1, \dots, x_n$ from a normal distribution; unknown are its mean $\mu$
# and its **precision** $\gamma$, one over its variance:
#
# $$\mu \sim \mathcal{N}(0,\ 100^2), \qquad \gamma \sim \mathcal{G}(1, 1), \qquad
# x_i \mid \mu, \gamma \sim \mathcal{N}(\mu,\ 1 / \gamma).$$
#
# $\mathcal{G}(\alpha, \beta)$ is a Gamma distribution with shape $\alpha$ and rate $\beta$, of mean
# $\alpha / \beta$ and standard deviation $\sqrt{\alpha} / \beta$. The data: 100 draws, and a second
# set of 5 for later.


# %%
def gaussian_model(n, x=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", n):
        pyro.sample("x", dist.Normal(mu, 1 / gamma.sqrt()), obs=x)


generator = torch.Generator("cpu").manual_seed(2)  # the same for every SEED
x = (5 + torch.randn(100, generator=generator, device="cpu")).to(device)
x_few = (5 + torch.randn(5, generator=generator, device="cpu")).to(device)

# %% [markdown]
# The guide treats $\mu$ and $\gamma$ as independent, *mean-field*, and has four parameters:
#
# $$q(\mu) = \mathcal{N}(\nu_\mu,\ \nu_{\sigma^2}), \qquad
# q(\gamma) = \mathcal{G}(\nu_\alpha, \nu_\beta).$$
#
# A guide takes the arguments of the model, and has every *unobserved* site of the model, under the
# same name, and no other. A parameter that must be positive gets
# `constraint=constraints.positive`: then Pyro optimises its logarithm, as you did with $\nu_b$.
#
# ### ✏️ Exercise 4: a guide by hand (8 min)
#
# Write `gaussian_guide`, with the parameters `nu_mu`, initially 0, and `nu_sigma2`, `nu_alpha` and
# `nu_beta`, initially 1 and always positive. Which sites does it need, and does it sample `x`?
#
# <details><summary>Hint</summary>
#
# Four lines like `nu_beta = pyro.param("nu_beta", torch.tensor(1.0), constraint=...)`, then two
# `pyro.sample`. `nu_sigma2` is a variance.
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
# Two unknowns are few enough for a grid, so we know the truth:


# %%
def log_joint_gaussian(mu, gamma, x):
    x, n = x.cpu().double(), len(x)
    squares = ((x - x.mean()) ** 2).sum() + n * (x.mean() - mu) ** 2
    log_prior = dist.Normal(torch.zeros_like(mu), 100.0).log_prob(mu) - gamma
    log_scale = 0.5 * n * (gamma / (2 * math.pi)).log()
    return log_prior + log_scale - 0.5 * gamma * squares


def moments(weight, **values):
    numbers = {}
    for name, value in values.items():
        mean = (weight * value).sum()
        sd = (weight * (value - mean) ** 2).sum().sqrt()
        numbers |= {f"E[{name}]": mean.item(), f"sd[{name}]": sd.item()}
    return numbers


# %% [markdown]
# **Predict.** The second data set has a twentieth of the points. How many times as large is the
# posterior's $\mathrm{sd}[\mu]$?


# %%
def exact_posterior(x):
    width = 20 * (x.var() / len(x)).sqrt().item()
    mu = x.mean().item() + torch.linspace(-width, width, 801, **double)
    gamma = torch.linspace(0.01, 12, 1200, **double)
    mu, gamma = torch.meshgrid(mu, gamma, indexing="xy")
    log_p = log_joint_gaussian(mu, gamma, x)
    log_sum = log_p.logsumexp((0, 1))
    evidence = log_sum.item() + math.log(0.01 * width / 400)  # times the cell
    numbers = moments((log_p - log_sum).exp(), mu=mu, gamma=gamma)
    return numbers | {"ELBO": evidence}


exact = {len(data): exact_posterior(data) for data in (x, x_few)}
pd.DataFrame(exact).rename(columns="n = {}".format).round(4)

# %% [markdown]
# More than $\sqrt{20}$ times: with 5 points $\gamma$ is not known well, either. The row *ELBO*
# holds $\ln p(\mathbf{x})$, for the exact posterior's divergence is zero. The next cell draws from
# a guide with given parameters, for the same numbers: its ELBO is the mean of `log_ratios`, $\ln
# p(\mathbf{x}, \mathbf{z}) - \ln q(\mathbf{z})$, over the draws.


# %%
def factors(nu):
    nu = {name: torch.tensor(value, **double) for name, value in nu.items()}
    q_mu = dist.Normal(nu["nu_mu"], nu["nu_sigma2"].sqrt())
    return q_mu, dist.Gamma(nu["nu_alpha"], nu["nu_beta"])


def draw_guide(nu, x, draws=100_000):
    q_mu, q_gamma = factors(nu)
    mu, gamma = q_mu.sample((draws,)), q_gamma.sample((draws,))
    log_q = q_mu.log_prob(mu) + q_gamma.log_prob(gamma)
    return mu, gamma, log_joint_gaussian(mu, gamma, x) - log_q


def summary(nu, x):
    pyro.set_rng_seed(SEED)
    mu, gamma, log_ratios = draw_guide(nu, x)
    numbers = moments(torch.full_like(mu, 1 / len(mu)), mu=mu, gamma=gamma)
    return numbers | {"ELBO": log_ratios.mean().item()}


# %% [markdown]
# ## 6. A first fit
#
# From the initial values of your guide, with Pyro's default of one draw a step and Adam at a fixed
# rate of 0.01, 3,000 steps:

# %% tags=["picture=failed_fit"]
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
adam = pyro.optim.Adam({"lr": 0.01})
svi = SVI(gaussian_model, gaussian_guide, adam, Trace_ELBO())
losses, path = [], []
for _ in trange(3000):
    losses.append(svi.step(len(x), x))
    path.append({k: v.item() for k, v in pyro.get_param_store().items()})
path = pd.DataFrame(path)
failed = path.iloc[-1].to_dict()
_, ax = plt.subplots(figsize=(6, 3.4))
plotting.elbo_curve(losses, ax=ax, title="The ELBO of 3,000 steps")

# %% [markdown]
# **Predict.** Has the fit converged? And if you print $\mathrm{sd}[\mu]$ as the answer, is it right?

# %%
pd.DataFrame({"fit": summary(failed, x), "exact": exact[100]}).round(3)

# %% [markdown]
# The means are tolerable, but the standard deviations are two to four times what they should be: an
# uncertainty that the data do not have. The ELBO's curve did not tell: it is more than five nats
# too low, and on its scale, in the noise of one draw a step, nobody sees that. Look at the
# parameters:

# %%
names = {"alpha": "nu_alpha", "beta": "nu_beta", "σ²": "nu_sigma2"}
paths = {k: (path.index, path[v]) for k, v in names.items()}
axis = {"xlabel": "step", "ylabel": "value", "yscale": "log"}
plotting.curves(paths, title="The same fit, its parameters", **axis)

# %% [markdown]
# When the fit stops, they still move, each in one direction. Four things can be put right:
#
# - **The start.** $q(\mu) = \mathcal{N}(0, 1)$ is far from data whose mean is known to a tenth.
# - **The scale.** Positive parameters move on a logarithmic scale, and a step of Adam is seldom
#   longer than the learning rate: from a variance of 1 to 0.01 is a distance of $\ln 100 = 4.6$, or
#   460 steps that never turn. Start where the data are.
# - **One draw a step** makes a noisy gradient. A few hundred can be evaluated at once.
# - **A fixed rate** never comes to rest.
#
# ## 7. The cure
#
# `pyro.param(name, initial_value)` uses the initial value only if the store has no such parameter
# yet. So whoever puts values into the store *before* the fit chooses the start:


# %%
def fit_gaussian(x, start, **settings):
    pyro.set_rng_seed(SEED)
    pyro.clear_param_store()
    for name, value in start.items():
        kind = constraints.real if name == "nu_mu" else constraints.positive
        pyro.param(name, torch.tensor(float(value)), constraint=kind)
    settings["max_plate_nesting"] = 1
    losses = inference.fit(
        gaussian_model, gaussian_guide, len(x), x, **settings
    )
    return {name: pyro.param(name).item() for name in start}, losses


# %% [markdown]
# ### ✏️ Exercise 5: a fit that has converged (12 min)
#
# Choose a `start` (a dictionary with the four parameters) and the `settings` of `inference.fit` (a
# dictionary with `steps`, `learning_rate`, `final_learning_rate` and `particles`). The check
# compares with the best guide of this family, the *optimum*: means within 0.04 of its standard
# deviations, standard deviations within 3%, $\nu_\alpha$ and $\nu_\beta$ within 5%, the ELBO within
# 0.005 nats. The start may use the data.
#
# <details><summary>Hint</summary>
#
# The data have a mean and a variance, `x.mean().item()` and `x.var().item()`. How well do $n$
# points know a mean? The variance of that is $\operatorname{var} / n$. For the precision, $n$
# points raise $\nu_\alpha$ by about $n / 2$; choose $\nu_\beta$ so that $\mathbb{E}[\gamma] =
# \nu_\alpha / \nu_\beta \approx 1 / \operatorname{var}$. For the settings: about a thousand steps,
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
check.gaussian_fit(nu, losses, start, settings, x)

# %% [markdown]
# No truth was needed to see it: start elsewhere, and a fit that has converged ends in the same
# place. Here with another mean, and half of $\nu_\alpha$ and $\nu_\beta$:

# %%
elsewhere = start | {"nu_mu": 5.2, "nu_alpha": 25.0, "nu_beta": 25.0}
again, _ = fit_gaussian(x, elsewhere, **settings)
comparison = {"failed": failed, "fit": nu, "from elsewhere": again}
table = pd.DataFrame({k: summary(v, x) for k, v in comparison.items()})
table.assign(exact=exact[100]).round(3)

# %% [markdown]
# ## 8. Can the guide be trusted?
#
# The *optimiser's* error is gone. What is left is the *guide's*: it cannot let $\mu$ and $\gamma$
# depend on each other. No optimiser can mend that. Five points, fitted in the same way:

# %%
start_few = {"nu_mu": 5.0, "nu_sigma2": 0.2, "nu_alpha": 2.5, "nu_beta": 2.5}
nu_few, _ = fit_gaussian(x_few, start_few, **settings)

mu = torch.linspace(2.5, 7.5, 401, **double)
gamma = torch.linspace(0.01, 4, 400, **double)
mu_plane, gamma_plane = torch.meshgrid(mu, gamma, indexing="xy")
q_mu, q_gamma = factors(nu_few)
q = (q_mu.log_prob(mu_plane) + q_gamma.log_prob(gamma_plane)).exp()
p = log_joint_gaussian(mu_plane, gamma_plane, x_few).exp()
regions = {"guide": (mu, gamma, q), "exact": (mu, gamma, p)}
axis = {"xlabel": r"$\mu$", "ylabel": r"precision $\gamma$"}
plotting.regions(regions, title="Five points: 50 % and 95 %", **axis)

# %% [markdown]
# If the precision is small, the data are noisy and $\mu$ is known less well: the exact posterior is
# a pear, wide at the bottom. The guide cannot follow, and is too sure of $\mu$.
#
# Here we see it, because we know the exact posterior. What can one say without it? Draw $z_1,
# \dots, z_S$ from the guide and give each the **importance weight**
#
# $$w_s \propto \frac{p(\mathbf{x}, z_s)}{q(z_s)}, \qquad \sum_s w_s = 1.$$
#
# It needs the log joint only. If the guide *is* the posterior, all weights are equal. If it misses
# a part of it, the few draws there get nearly all of the weight. How many of $S$ draws are left,
# in effect? The **share of effective draws** is
#
# $$\text{share} = \frac{1}{S \sum_s w_s^2}.$$
#
# ### ✏️ Exercise 6: the draws that count (7 min)
#
# Complete `effective_share`: from `log_ratios`, the $\ln p(\mathbf{x}, z_s) - \ln q(z_s)$ of $S$
# draws, compute the weights and their share. The ratios can be as small as $e^{-1000}$, which is 0
# to a computer. What is the share if all weights are equal? If one draw has all the weight?
#
# <details><summary>Hint</summary>
#
# `log_ratios.softmax(0)` takes exponentials and divides by their sum, and does it safely. $S$ is
# `len(log_ratios)`.
#
# </details>


# %%
def effective_share(log_ratios):
    ### BEGIN SOLUTION
    weights = log_ratios.softmax(0)
    share = 1 / (len(weights) * (weights**2).sum())
    ### END SOLUTION
    return share


# %% tags=["nbval-check-output"]
check.effective_share(effective_share)

# %% [markdown]
# Equal weights have a share of 1, and a single draw that takes all has $1 / S$.
#
# A share can look good because the draws that matter have not come yet. **Pareto $\hat{k}$** judges
# the tail: it fits a generalised Pareto distribution to the largest weights, and the larger its
# shape $\hat{k}$, the heavier the tail. Below 0.5 the guide is close to the posterior; up to 0.7 it
# is usable, and weighting the draws can mend it; above, do not trust it (Yao et al. 2018; Vehtari
# et al. 2024). `inference.trust` asks ArviZ for it.
#
# **Predict.** What will $\hat{k}$ and the share say of the fit to 100 points, and of that to 5? In
# which does it help to weight the draws?

# %%
pyro.set_rng_seed(SEED)
rows = {}
for n, data, guide in ((100, x, nu), (5, x_few, nu_few)):
    for sample in (1, 2, 3):
        mu, gamma, log_ratios = draw_guide(guide, data)
        weighted = moments(log_ratios.softmax(0), mu=mu, gamma=gamma)
        rows[f"n = {n}", sample] = {
            "Pareto k̂": inference.trust(log_ratios)["Pareto k̂"],
            "share": effective_share(log_ratios).item(),
            "sd[mu]": mu.std().item(),
            "sd[mu], weighted": weighted["sd[mu]"],
            "sd[mu], exact": exact[n]["sd[mu]"],
        }
pd.DataFrame.from_dict(rows, orient="index").round(3)

# %% [markdown]
# With 100 points $\hat{k}$ is small, nearly all draws count, and weighting changes next to nothing:
# you may trust this guide without having seen the last column. With 5 points $\hat{k}$ is above
# 0.5, and comes near 0.7 or passes it; the share is lower, and differs from one set of draws to the
# next. Weighting moves $\mathrm{sd}[\mu]$ towards the exact value here; by how much changes with
# the draws, and where a few of them carry much of the weight, it can go astray. Both numbers warn
# you, and the last column shows that they are right: this guide is too sure of $\mu$.
#
# $\hat{k}$ does not say *what* is wrong. The cure is a better guide, as in section A.1, or another
# method.

# %% [markdown]
# ## 9. Scorecard
#
# Your converged fit beside the exact posterior, and in the caption what you could say without
# it. The error of a mean is in exact standard deviations, that of a standard deviation is relative,
# and that of the ELBO, whose exact value is $\ln p(\mathbf{x})$, is in nats.

# %%
approximate = summary(nu, x)
pyro.set_rng_seed(SEED)
*_, log_ratios = draw_guide(nu, x)
scorecard = make_scorecard(approximate, exact[100])
show_scorecard(scorecard, trust=inference.trust(log_ratios))

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.05, sd=0.04, nats=0.012)

# %% [markdown]
# ## After class
#
# ### A.1 A guide that can be right
#
# With 5 points the posterior was a pear, and the guide could not follow: in it $\mu$ is as well
# known at every $\gamma$. Yet the model says how the two depend on each other: given $\gamma$, the
# mean of $n$ values of precision $\gamma$ is known with a variance in proportion to $1 / \gamma$.
# So let the guide draw $\gamma$ first:
#
# $$\gamma \sim \mathcal{G}(\nu_\alpha, \nu_\beta), \qquad
# \mu \mid \gamma \sim \mathcal{N}(\nu_\mu,\ \nu_c / \gamma).$$
#
# ### ✏️ Exercise 7: a guide with a dependence (8 min)
#
# Write `dependent_guide`, with the parameters `nu_mu`, initially 0, and `nu_c`, `nu_alpha` and
# `nu_beta`, initially 1 and always positive.
#
# <details><summary>Hint</summary>
#
# A guide is a program: what `pyro.sample` returned for `gamma` may stand in the distribution of
# `mu`. `dist.Normal` takes a standard deviation.
#
# </details>


# %%
def dependent_guide(n, x=None):
    ### BEGIN SOLUTION
    positive = constraints.positive
    nu_mu = pyro.param("nu_mu", torch.tensor(0.0))
    nu_c = pyro.param("nu_c", torch.tensor(1.0), constraint=positive)
    nu_alpha = pyro.param("nu_alpha", torch.tensor(1.0), constraint=positive)
    nu_beta = pyro.param("nu_beta", torch.tensor(1.0), constraint=positive)
    gamma = pyro.sample("gamma", dist.Gamma(nu_alpha, nu_beta))
    mu = pyro.sample("mu", dist.Normal(nu_mu, (nu_c / gamma).sqrt()))
    ### END SOLUTION
    return {"mu": mu, "gamma": gamma}


# %% tags=["nbval-check-output"]
check.dependent_guide(dependent_guide)

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
inference.fit(
    gaussian_model, dependent_guide, 5, x_few, max_plate_nesting=1, **settings
)
nu_dependent = {k: v.item() for k, v in pyro.get_param_store().items()}


def draw_dependent(nu, x, draws=100_000):
    nu = {name: torch.tensor(value, **double) for name, value in nu.items()}
    q_gamma = dist.Gamma(nu["nu_alpha"], nu["nu_beta"])
    gamma = q_gamma.sample((draws,))
    q_mu = dist.Normal(nu["nu_mu"], (nu["nu_c"] / gamma).sqrt())
    mu = q_mu.sample()
    log_q = q_mu.log_prob(mu) + q_gamma.log_prob(gamma)
    return mu, gamma, log_joint_gaussian(mu, gamma, x) - log_q


rows, next_value = {"exact": exact[5]}, {}
for name, drawn in {
    "independent": draw_guide(nu_few, x_few),
    "dependent": draw_dependent(nu_dependent, x_few),
}.items():
    mu, gamma, log_ratios = drawn
    equal = torch.full_like(mu, 1 / len(mu))
    rows[name] = moments(equal, mu=mu, gamma=gamma)
    rows[name] |= {"ELBO": log_ratios.mean().item()}
    rows[name] |= inference.trust(log_ratios)
    next_value[name] = dist.Normal(mu, gamma.rsqrt()).sample()
pd.DataFrame(rows).T.round(3)

# %% [markdown]
# Without a look at the first row: the ELBO has risen, $\hat{k}$ has fallen far below 0.5, and all
# draws count. The first row agrees. One line of the guide made the difference.
#
# ### A.2 The best independent guide, without SVI
#
# Your fit was compared with an *optimum*. Here is where it comes from. Among all independent
# pairs $q(\mu)\, q(\gamma)$, hold $q(\gamma)$ fixed. As a function of $q(\mu)$ the ELBO is greatest
# if (Bishop 2006, sec. 10.1.1)
#
# $$\ln q(\mu) = \mathbb{E}_{q(\gamma)}[\ln p(\mathbf{x}, \mu, \gamma)] + \text{constant} =
# -\tfrac{1}{2} \mathbb{E}[\gamma] \sum_i (x_i - \mu)^2 - \tfrac{1}{2} \frac{\mu^2}{10000} +
# \text{constant}.$$
#
# A quadratic function of $\mu$, hence a normal distribution. In the same way $q(\gamma)$ turns out
# to be a Gamma distribution. Compare coefficients, and you have **coordinate-ascent variational
# inference**:
#
# $$\frac{1}{\nu_{\sigma^2}} = n\, \mathbb{E}[\gamma] + \frac{1}{10000}, \qquad
# \nu_\mu = \nu_{\sigma^2}\, \mathbb{E}[\gamma] \sum_i x_i,$$
#
# $$\nu_\alpha = 1 + \frac{n}{2}, \qquad
# \nu_\beta = 1 + \frac{1}{2}\, \mathbb{E}_{q(\mu)}\Bigl[\sum_i (x_i - \mu)^2\Bigr].$$
#
# ### ✏️ Exercise 8: coordinate ascent (10 min)
#
# Complete `cavi_update`: from the present $\mathbb{E}[\gamma]$, called `mean_gamma`, first compute
# the two parameters of $q(\mu)$, then, *with these*, those of $q(\gamma)$.
#
# <details><summary>Hint</summary>
#
# Four lines, one for each formula. For the last one: $\mathbb{E}[(x_i - \mu)^2] = (x_i - \nu_\mu)^2
# + \nu_{\sigma^2}$ for each of the $n$ points.
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
    return {
        "nu_mu": nu_mu,
        "nu_sigma2": nu_sigma2,
        "nu_alpha": nu_alpha,
        "nu_beta": nu_beta,
    }


# %% tags=["nbval-check-output"]
check.cavi_update(cavi_update)

# %%
mean_gamma, updates = 10.0, {}  # a bad guess
for update in range(1, 11):
    optimum = cavi_update(x.cpu().double(), mean_gamma)
    optimum = {name: float(value) for name, value in optimum.items()}
    mean_gamma = optimum["nu_alpha"] / optimum["nu_beta"]
    if update in (1, 2, 3, 10):
        updates[f"{update} updates"] = optimum | summary(optimum, x)
updates["your fit"] = nu | summary(nu, x)
pd.DataFrame(updates).T.round(4)

# %% [markdown]
# Each update can only raise the ELBO, and three are enough: there is no learning rate and no noise.
# But it takes a formula for each factor, which exists for special pairs of prior and likelihood
# only. SVI needs none.
#
# ### A.3 The next value
#
# What will the next value $x_{n+1}$ be? From draws of a guide it is easy: $\mathcal{N}(\mu, 1 /
# \gamma)$, as A.1 has drawn. There is a closed form, too. It rests on a property of the Gamma
# distribution: *if $\gamma \sim \mathcal{G}(\alpha, \beta)$ and $y \mid \gamma \sim \mathcal{N}(m,
# c / \gamma)$, then $y$ has a **Student's t** distribution with $2 \alpha$ degrees of freedom,
# location $m$ and scale $\sqrt{c\, \beta / \alpha}$* (Bishop 2006, sec. 2.3.7). If the prior of
# $\mu$, with its standard deviation of 100, is taken to be flat, the posterior is
#
# $$\gamma \mid \mathbf{x} \sim \mathcal{G}(\alpha', \beta'), \quad
# \alpha' = 1 + \frac{n - 1}{2}, \quad
# \beta' = 1 + \frac{1}{2} \sum_i (x_i - \bar{x})^2, \qquad
# \mu \mid \gamma, \mathbf{x} \sim \mathcal{N}\Bigl(\bar{x},\ \frac{1}{n \gamma}\Bigr).$$
#
# The next value scatters around $\mu$ with variance $1/\gamma$, and $\mu$ around the data's mean
# $\bar{x}$ with variance $1 / (n \gamma)$.
#
# ### ✏️ Exercise 9: the predictive distribution (10 min)
#
# Complete `predictive`: from the data `x`, compute the degrees of freedom `df`, the location `loc`
# and the `scale` of the Student's t distribution of $x_{n+1}$.
#
# <details><summary>Hint</summary>
#
# First $\alpha'$ and $\beta'$. The variances of $x_{n+1}$ around $\mu$ and of $\mu$ around
# $\bar{x}$ add up: what is $c$?
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
# A common and tempting answer is to plug in the estimates, $\mathcal{N}(\bar{x}, s^2)$ with the
# standard deviation $s$ of the data. **Predict**: with 5 points, which answers give a next value
# above 7 too small a probability?

# %%
few = x_few.cpu().double()
line = torch.linspace(-15, 25, 4001, **double)
df, loc, scale = (torch.as_tensor(v, **double) for v in predictive(few))
densities = {
    "plug-in": dist.Normal(few.mean(), few.std()).log_prob(line).exp(),
    "Student's t": dist.StudentT(df, loc, scale).log_prob(line).exp(),
}
above = {k: (p[line > 7].sum() * 0.01).item() for k, p in densities.items()}
for name, draws in next_value.items():
    above[f"{name} guide"] = (draws > 7).double().mean().item()
plotting.curves(
    {"plug-in": (line, densities["plug-in"])},
    exact=(line, densities["Student's t"]),
    xlabel="next value",
    ylabel="density (logarithmic scale)",
    yscale="log",
    xlim=(0, 10),
    ylim=(1e-6, 1),
    title="The next value after five",
)
pd.Series(above, name="P(next > 7)").to_frame().round(4)

# %% [markdown]
# Student's t, drawn dashed, knows that the next value is uncertain for three reasons: the scatter
# of the data, a mean that is not known, and a scatter that is not known. The plug-in answer knows
# the first only. The independent guide, for all that it gets wrong about $\mu$, is much nearer:
# most of the uncertainty about the *next value* is the scatter, not the mean.

# %% [markdown]
# ## Going further
#
# - **The other direction.** Weighted draws estimate the mean and the standard deviation under the
#   *posterior*. Which normal and which Gamma minimise $\mathrm{KL}(p \,\|\, q)$ for the 5 points?
#   What is their $\hat{k}$?
# - **Two modes.** Write a model whose posterior has two bumps, say a reading of $z^2$ instead of
#   $z$, and fit it from ten starts. How often is each found, and what does $\hat{k}$ say?
#
# ### References
#
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer. Chapter 10.
#   [PDF](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/)
# - D. M. Blei, A. Kucukelbir and J. D. McAuliffe (2017). Variational inference: A review for
#   statisticians. *Journal of the American Statistical Association* 112(518), 859–877.
#   [doi:10.1080/01621459.2017.1285773](https://doi.org/10.1080/01621459.2017.1285773)
# - M. D. Hoffman, D. M. Blei, C. Wang and J. Paisley (2013). Stochastic variational inference.
#   *Journal of Machine Learning Research* 14, 1303–1347.
#   [jmlr.org](https://jmlr.org/papers/v14/hoffman13a.html)
# - D. P. Kingma and M. Welling (2014). Auto-encoding variational Bayes. *International Conference
#   on Learning Representations*. [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)
# - A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J. Gabry (2024). Pareto smoothed importance
#   sampling. *Journal of Machine Learning Research* 25(72), 1–58.
#   [arXiv:1507.02646](https://arxiv.org/abs/1507.02646)
# - Y. Yao, A. Vehtari, D. Simpson and A. Gelman (2018). Yes, but did it work?: Evaluating
#   variational inference. *International Conference on Machine Learning*, PMLR 80, 5581–5590.
#   [proceedings.mlr.press](https://proceedings.mlr.press/v80/yao18a.html)
#
# The model of section 6 is the exercise of a summer school,
# [PGM-Lab/2022-ProbAI](https://github.com/PGM-Lab/2022-ProbAI).
