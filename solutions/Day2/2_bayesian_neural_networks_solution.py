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
# # Bayesian neural networks: do they know what they don't know?
#
# **After this notebook you will be able to**
#
# - train a network that predicts a mean *and* a variance, and say which uncertainty it lacks;
# - write a Bayesian neural network in Pyro, and fit it by mean-field;
# - integrate its last layer out, and draw from the rest by Hamiltonian Monte Carlo;
# - judge methods by the truth, by calibration, and by images that are no digits.
#
# **Time:** 75 minutes in class. **Before:** Day 1, and the first notebook of Day 2. You need models,
# guides, mean-field, Pareto $\hat k$, and Metropolis' rule.
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
import math

from checks import bayesian_neural_networks as check
from pyro import poutine
from pyro.infer.autoguide import AutoNormal, init_to_value
from pyro.infer.importance import vectorized_importance_weights
from pyro.nn import PyroModule, PyroSample
from torch import nn
from tqdm.auto import trange
from utils import inference
from utils.data import load_gap, load_gap_posterior, load_mnist
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)
torch.set_num_threads(1)  # for small matrices faster than two

# %% [markdown]
# ## 1. One line, too sure
#
# A neural network with one hidden layer of $H$ units is a sum of $H$ smooth steps,
#
# $$h(x; \theta) = b_2 + \sum_{k=1}^H v_k \tanh(w_k x + b_k),$$
#
# each with a place, a steepness and a height; $\theta$ are all its *weights*. Our data are made up,
# so that we know the truth: 120 points with $x \in [-10, 0]$ and $x \in [5, 10]$, and nothing
# between,
#
# $$y \mid x \sim \mathcal{N}\bigl(0.5 x + 7 \sin(0.75 x),\ (1.5 + 0.1 x)^2\bigr).$$

# %%
x, y = torch.tensor(load_gap().to_numpy(), dtype=torch.float32).T
x_line = torch.linspace(-13, 13, 261)


def true_mean(x):
    return 0.5 * x + 7 * torch.sin(0.75 * x)


# %% [markdown]
# In PyTorch a layer `nn.Linear(a, b)` maps rows of $a$ numbers to rows of $b$, hence `x[:, None]`;
# $x / 5$ brings the inputs to the order of 1. `minimise` is Adam, with a rate that decays.


# %%
def network(units):
    return nn.Sequential(nn.Linear(1, units), nn.Tanh(), nn.Linear(units, 1))


def output(network, x):
    return network(x[:, None] / 5).squeeze(-1)


def minimise(loss, parameters, steps, rate=0.1, final_rate=0.001):
    optimiser = torch.optim.Adam(parameters, lr=rate)
    for k in trange(steps, leave=False):
        optimiser.param_groups[0]["lr"] = rate * (final_rate / rate) ** (
            k / steps
        )
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_value_(parameters, 10.0)  # no wild steps
        optimiser.step()


# %% [markdown]
# **Predict.** Trained by least squares, what will the network say in the gap, and beyond the data?

# %% tags=["picture=one_line"]
pyro.set_rng_seed(SEED)
h = network(10)
minimise(
    lambda: ((y - output(h, x)) ** 2).mean(), [*h.parameters()], steps=1500
)
line = output(h, x_line).detach()
data = {"data": (x, y)}
look = {"xlabel": "x", "ylabel": "y", "exact": true_mean(x_line)}
plotting.regression(data, x_line, lines={"data": line}, **look)

# %% [markdown]
# Dashed is the true mean. Where there are data the line is near it. In the gap and outside it goes
# its own way, with the same confidence everywhere: without a word about it.

# %% [markdown]
# ## 2. Two heads: a mean and a variance
#
# Least squares is the likelihood of noise with one fixed sd. Let a second network predict the
# variance:
#
# $$p(y \mid x, \theta) = \mathcal{N}\bigl(h(x; \theta_h),\ g(x; \theta_g)\bigr).$$
#
# A variance is positive, so $g = \operatorname{softplus}(a) + 0.01$ of the network's output $a$,
# with $\operatorname{softplus}(a) = \ln(1 + e^a)$.
#
# ### ✏️ Exercise 1: the loss of two heads (6 min)
#
# Maximum likelihood minimises minus the mean log density,
#
# $$L(\theta) = \frac{1}{n} \sum_{i=1}^n \Bigl[ \tfrac{1}{2} \ln\bigl(2 \pi\, v_i\bigr) +
# \frac{(y_i - m_i)^2}{2 v_i} \Bigr], \qquad m_i = h(x_i; \theta_h), \quad v_i = g(x_i; \theta_g).$$
#
# Complete `gaussian_loss`; `mean`, `variance` and `y` hold the $m_i$, $v_i$ and $y_i$. Take the
# mean over the *last* dimension: later `mean` and `variance` have a row for each of many networks,
# and there is one loss for each row.
#
# <details><summary>Hint</summary>
#
# `variance.log()` and `.mean(-1)`. Or let a distribution do the work: `dist.Normal(...)` has a
# `.log_prob(y)`; what does it take as its second argument?
#
# </details>


# %%
def gaussian_loss(mean, variance, y):
    ### BEGIN SOLUTION
    ll = 0.5 * (2 * math.pi * variance).log() + (y - mean) ** 2 / (2 * variance)
    loss = ll.mean(-1)
    ### END SOLUTION
    return loss


# %% tags=["nbval-check-output"]
check.gaussian_loss(gaussian_loss)

# %%
pyro.set_rng_seed(SEED)
h, g = network(10), network(5)


def two_heads(x):
    return output(h, x), nn.functional.softplus(output(g, x)) + 0.01


weights = [*h.parameters(), *g.parameters()]
minimise(lambda: gaussian_loss(*two_heads(x), y), weights, steps=1500)
mean, variance = (values.detach() for values in two_heads(x_line))
reach = 1.96 * variance.sqrt()
band = {"data": [(mean - reach, mean + reach)]}
plotting.regression(data, x_line, lines={"data": mean}, bands=band, **look)

# %% [markdown]
# The band, where 95% of the points are expected, is the noise *around the line*, the **aleatoric**
# uncertainty. That the line itself is not known, the **epistemic** uncertainty, nobody has told the
# network: there is one $\theta$ only.

# %% [markdown]
# ## 3. Priors on weights
#
# Like everything else that we do not know, the weights become random variables, and the answer is
# their posterior. In a **`PyroModule`** an attribute may be a **`PyroSample(prior)`**: wherever
# `forward` uses it, Pyro samples it, as a site named after the path that leads to it, such as
# `"h.hidden.weight"`.
#
# ### ✏️ Exercise 2: a Bayesian layer (7 min)
#
# Write `BayesianLinear`. Set `self.weight`, one matrix of shape `[inputs, outputs]` whose entries
# are independent $\mathcal{N}(0, \text{weight\_scale}^2)$, and `self.bias`, one vector of shape
# `[outputs]` with entries $\mathcal{N}(0, \text{bias\_scale}^2)$.
#
# `forward` is given. It works on the last dimensions only: with many draws of the weights, in
# dimensions further left, it does the same for each draw.
#
# <details><summary>Hint</summary>
#
# `dist.Normal(0.0, s).expand([a, b])` is a matrix of separate normals, and `.to_event(2)` makes its
# two dimensions *one* event, one draw of a whole matrix. A vector has one dimension.
#
# </details>


# %%
class BayesianLinear(PyroModule):
    def __init__(self, inputs, outputs, weight_scale, bias_scale):
        super().__init__()
        ### BEGIN SOLUTION
        weights = dist.Normal(0.0, weight_scale).expand([inputs, outputs])
        biases = dist.Normal(0.0, bias_scale).expand([outputs])
        self.weight = PyroSample(weights.to_event(2))
        self.bias = PyroSample(biases.to_event(1))
        ### END SOLUTION

    def forward(self, x):
        return x @ self.weight + self.bias.unsqueeze(-2)


# %% tags=["nbval-check-output"]
check.bayesian_linear(BayesianLinear)

# %% [markdown]
# Nobody has an opinion on the weight of unit 7. What we can have an opinion on is the *function*.
# The sum of $H$ terms has an sd that grows like $\sqrt{H}$; dividing the scale of the output
# weights by $\sqrt{H}$ makes it independent of the number of units (Neal 1996).


# %%
class BayesianNetwork(PyroModule):
    def __init__(self, units, input_scale, output_scale):
        super().__init__()
        self.hidden = BayesianLinear(1, units, input_scale, input_scale)
        scale = output_scale / math.sqrt(units)
        self.output = BayesianLinear(units, 1, scale, output_scale)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x[:, None] / 5))).squeeze(-1)


# %% [markdown]
# **Predict.** Functions drawn from this prior with `input_scale` 1, 5 and 25: which are the waviest?

# %%
pyro.set_rng_seed(SEED)
_, axes = plt.subplots(1, 3, figsize=(8.8, 3.4), sharey=True)
for ax, scale in zip(axes, (1.0, 5.0, 25.0), strict=True):
    with torch.no_grad(), pyro.plate("draws", 12):
        functions = {"data": BayesianNetwork(10, scale, 20.0)(x_line)}
    plotting.regression(data, x_line, lines=functions, xlabel="x", ax=ax)
    ax.set(title=f"input_scale {scale:g}", ylim=(-45, 45))

# %% [markdown]
# With 1 the functions hardly bend; with 25 they are staircases; 5 allows a few hills, of about the
# width of those that we see. A flat prior is no way out: here *wide* does not mean *vague*, it means
# *jumpy*. We take 5 for $h$, and a smoother network $g$ for the variance. The 120 values of `y` are
# *one* vector, `.to_event(1)`, not a plate: batch dimensions remain free, for many networks at once.
# `predict` takes weights, site -> tensor, and returns mean and variance of all their networks.


# %%
class NeuralRegressor(PyroModule):
    def __init__(self):
        super().__init__()
        self.h = BayesianNetwork(10, input_scale=5.0, output_scale=20.0)
        self.g = BayesianNetwork(5, input_scale=2.0, output_scale=4.0)

    def forward(self, x, y=None):
        mean = self.h(x)
        variance = nn.functional.softplus(self.g(x)) + 0.01
        pyro.sample("y", dist.Normal(mean, variance.sqrt()).to_event(1), obs=y)
        return mean, variance


regressor = NeuralRegressor()


def predict(weights, x):
    with torch.no_grad():
        return pyro.condition(regressor, data=weights)(x)


# %% [markdown]
# ## 4. Fast: many optima, and mean-field
#
# First a popular rival. A **deep ensemble** (Lakshminarayanan et al. 2017) trains networks from
# different random starts, and takes them all together. We train 32 at once, each to a maximum of
# $p(y, \theta)$, in a plate of networks.


# %%
def prior_draws(model, x, plate):
    with plate:
        sites = poutine.trace(model).get_trace(x).iter_stochastic_nodes()
    named = {name: site["value"].detach() for name, site in sites}
    return {k: w.clone().requires_grad_() for k, w in named.items() if "." in k}


def minus_log_joint():
    with networks:
        model = pyro.condition(regressor, data=deep_ensemble)
        return -poutine.trace(model).get_trace(x, y).log_prob_sum()


pyro.set_rng_seed(SEED)
networks = pyro.plate("networks", 32)
deep_ensemble = prior_draws(regressor, x, networks)
minimise(minus_log_joint, [*deep_ensemble.values()], steps=1000)

# %% [markdown]
# The usual guide of a Bayesian neural network is mean-field (Blundell et al. 2015): every weight
# has a normal distribution of its own, independent of the others. As is common, ours starts at a
# trained network, the one of the 32 that fits best.

# %%
best = gaussian_loss(*predict(deep_ensemble, x), y).argmin()
at_best = {site: w[best].detach() for site, w in deep_ensemble.items()}
start = {"init_loc_fn": init_to_value(values=at_best), "init_scale": 0.02}
settings = {"steps": 1200, "particles": 2, "max_plate_nesting": 0}
settings |= {"learning_rate": 0.05, "final_learning_rate": 0.0005}
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
guide = AutoNormal(regressor, **start)
losses = inference.fit(regressor, guide, x, y, **settings)
plotting.elbo_curve(losses)

# %%
with torch.no_grad():
    log_ratios, trace, _ = vectorized_importance_weights(
        regressor, guide, x, y, num_samples=2000, max_plate_nesting=0
    )
mean_field = {site: trace.nodes[site]["value"] for site in at_best}
inference.trust(log_ratios)

# %% [markdown]
# The Pareto $\hat k$, far above 0.7, says without the exact answer that this guide is not to be
# trusted. What does it get wrong? For that we need the truth.

# %% [markdown]
# ## 5. The last layer, integrated out
#
# Given the hidden layer, $h$ is *linear* in its output weights: $h(x_i) = \sum_k \phi_{ik} u_k$,
# where the **features** $\phi_{ik}$ are the units (and a one for the bias) times the prior sds, and
# $u_k \sim \mathcal{N}(0, 1)$. It is the regression of the first day, with learned features. A sum
# of normals is normal, so nobody needs to draw $u$:
#
# $$p(y \mid \Phi, v) = \int p(y \mid u, \Phi, v)\, p(u)\, du =
# \mathcal{N}\bigl(y \mid 0,\ \Phi \Phi^\top + \operatorname{diag}(v)\bigr).$$
#
# Here $v$ are the variances $g(x_i)$ of section 2. Of 47 weights 47 − 11 = 36 are left: the hidden
# layer of $h$, and all of $g$.
#
# ### ✏️ Exercise 3: the marginal density (7 min)
#
# Complete `log_marginal`, the logarithm of this density, one number for each network. `features`
# has shape `(M, n, k)`, `variance` has shape `(M, n)`, `y` has shape `(n,)`. A covariance of the
# form $W W^\top + \operatorname{diag}(d)$ has its own distribution in Pyro,
# `dist.LowRankMultivariateNormal(loc, cov_factor, cov_diag)`.
#
# <details><summary>Hint</summary>
#
# Which of Φ and v is $W$, which is $d$? The mean is a vector of zeros, `torch.zeros(len(y))`.
#
# </details>


# %%
def log_marginal(features, variance, y):
    ### BEGIN SOLUTION
    zeros = torch.zeros(len(y))
    normal = dist.LowRankMultivariateNormal(zeros, features, variance)
    log_p = normal.log_prob(y)
    ### END SOLUTION
    return log_p


# %% tags=["nbval-check-output"]
check.log_marginal(log_marginal)

# %% [markdown]
# Now the features and variances of many networks at once. A row of `z` holds the 36 numbers of one
# network, in units of their prior sds, so that the prior of $z$ is $\mathcal{N}(0, I)$.


# %%
def features_and_variance(z, x):
    hidden, output, bias = z.split([30, 5, 1], dim=-1)
    scales = torch.tensor([5.0] * 10 + [2.0] * 5)  # of h, of g
    inputs = torch.stack([x / 5, torch.ones_like(x)], dim=-1)
    units = torch.tanh(inputs @ (hidden.unflatten(-1, (2, 15)) * scales))
    ones = torch.ones_like(units[..., :1])
    features = 20 * torch.cat([units[..., :10] / math.sqrt(10), ones], dim=-1)
    a = (units[..., 10:] @ output[..., None]).squeeze(-1) * 4 / math.sqrt(5)
    return features, nn.functional.softplus(a + 4 * bias) + 0.01


# %% [markdown]
# The chains below need this density some nine thousand times, with gradient. You may skip how
# (the exercise above gives the same number): by linear algebra of $k \times k$ matrices it takes
# less time than Pyro's, and gives $u$: with $\tilde\Phi$ and $\tilde y$, the rows of $\Phi$ and $y$ divided
# by $\sqrt{v_i}$, the posterior precision of $u$ is $A = I + \tilde\Phi^\top \tilde\Phi = L
# L^\top$, and its mean is $A^{-1} \tilde\Phi^\top \tilde y$. `last_layer` returns $L$, $c = L^{-1}
# \tilde\Phi^\top \tilde y$, and the log marginal density.


# %%
def last_layer(z):
    features, variance = features_and_variance(z, x)
    scaled, target = features / variance.sqrt()[..., None], y / variance.sqrt()
    L = torch.linalg.cholesky(torch.eye(11) + scaled.mT @ scaled)
    projected = scaled.mT @ target[..., None]
    c = torch.linalg.solve_triangular(L, projected, upper=False)
    log_p = (c.square().sum((-2, -1)) - target.square().sum(-1)) / 2
    log_p = log_p - L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return L, c, log_p - (2 * math.pi * variance).log().sum(-1) / 2


# %% [markdown]
# ## 6. The truth: a batch of chains
#
# Metropolis proposes a random step, and in 36 dimensions nearly all of them are bad.
# **Hamiltonian Monte Carlo** (Neal 2011) lets $z$ roll like a ball through the landscape
# $-\ln p(y, z)$: it gives it a random momentum, $m \sim \mathcal{N}(0, I)$, and follows the
# gradient for a while, in *leapfrog* steps of size $\epsilon$. `log_joint` returns $\ln p(y, z)$, up
# to a constant, and its gradient, for each chain.


# %%
def log_joint(z):
    z = z.detach().requires_grad_()
    log_p = last_layer(z)[2] - z.square().sum(-1) / 2
    return log_p.detach(), torch.autograd.grad(log_p.sum(), z)[0]


def leapfrog(z, gradient, momentum, step, n):
    for _ in range(n):
        momentum = momentum + step / 2 * gradient
        z = z + step * momentum
        log_p, gradient = log_joint(z)
        momentum = momentum + step / 2 * gradient
    return z, log_p, gradient, momentum


# %% [markdown]
# ### ✏️ Exercise 4: accept or stay (6 min)
#
# An exact ball would keep its energy; steps of finite size do not, and Metropolis' rule mends that.
# The joint density of place and momentum is
#
# $$\ln p(z, m) = \ln p(y, z) - \tfrac{1}{2} \textstyle\sum_k m_k^2,$$
#
# and a new pair is accepted with probability $\min(1, p(z', m') / p(z, m))$. Complete `accept` for
# many chains at once: `log_p` and `new_log_p` are the $\ln p(y, z)$ before and after, one for each
# chain; the momenta have shape `(chains, 36)`. Return whether each chain accepts: whether its
# number in `u`, uniform between 0 and 1, is below its `probability`; and the probabilities, of
# which the chains learn their step sizes.
#
# <details><summary>Hint</summary>
#
# `.square().sum(-1)` sums over the 36 numbers of each chain. Exponentiate the *difference* of the
# logarithms; `.clamp(max=1)` is the minimum with 1.
#
# </details>


# %%
def accept(log_p, momentum, new_log_p, new_momentum, u):
    ### BEGIN SOLUTION
    before = log_p - momentum.square().sum(-1) / 2
    after = new_log_p - new_momentum.square().sum(-1) / 2
    probability = (after - before).exp().clamp(max=1)
    accepted = u < probability
    ### END SOLUTION
    return accepted, probability


# %% tags=["nbval-check-output"]
check.accept(accept)

# %% [markdown]
# Every chain has its own step size. During the warm-up it grows where more than 80% of the moves
# are accepted and shrinks where fewer are; then it is fixed, and draws are kept.


# %%
def run_chains(z, iterations=400, warmup=100):
    log_p, gradient = log_joint(z)
    log_step, kept = torch.full((len(z), 1), math.log(0.02)), []
    for i in trange(iterations, desc="HMC"):
        m, n = torch.randn_like(z), int(torch.randint(15, 31, ()))
        new = leapfrog(z, gradient, m, log_step.exp(), n)
        accepted, chance = accept(log_p, m, new[1], new[3], torch.rand(len(z)))
        z = new[0].where(accepted[:, None], z)
        log_p = new[1].where(accepted, log_p)
        gradient = new[2].where(accepted[:, None], gradient)
        if i < warmup:
            error = chance.nan_to_num(0.0)[:, None] - 0.8
            log_step = (log_step + error / math.sqrt(i + 1)).clamp(max=0)
        else:
            kept.append(z)
    return torch.stack(kept, dim=1)  # (chains, draws, 36)


# %% [markdown]
# The 64 chains start at networks that are pulled each to a draw of its own from the prior, not to
# 0: alike where data decide, different elsewhere (*randomised MAP*, Pearce et al. 2020).

# %%
pyro.set_rng_seed(SEED)
prior_draw = torch.randn(64, 36)
z = prior_draw.clone().requires_grad_()


def pulled_loss():
    return (z - prior_draw).square().sum() / 2 - last_layer(z)[2].sum()


minimise(pulled_loss, [z], steps=150, rate=0.05, final_rate=0.005)
z = z.detach()
yours = log_marginal(*features_and_variance(z, x), y)
print("yours and ours, difference:", (yours - last_layer(z)[2]).abs().max())
chains = run_chains(z)

# %% [markdown]
# The output layer comes back exactly: given $z$, it is normal, with the mean and the precision
# above, so each draw becomes a whole network. Did the chains get everywhere? We look at functions,
# $h(x)$ on the grid of the stored answer; renumbering the units gives the same function, so weights
# need not agree.


# %%
draws = chains.flatten(0, 1)
with torch.no_grad():
    L, c, _ = last_layer(draws)
u = torch.linalg.solve_triangular(L.mT, c + torch.randn_like(c), upper=True)


def hmc(x, every=1):
    features, variance = features_and_variance(draws[::every], x)
    return (features @ u[::every]).squeeze(-1), variance


grid = torch.linspace(-13, 13, 53)
h_on_grid = hmc(grid)[0]
in_chains = h_on_grid.unflatten(0, chains.shape[:2])
convergence = inference.convergence(in_chains)
convergence

# %% [markdown]
# R-hat is above the 1.01 that one wants of long chains: each of ours is short, and their means
# still differ a little. Together they are worth the effective draws printed, of the place that
# mixes worst. Is the answer right? Long NUTS chains (Hoffman and Gelman 2014) of all 47 weights are
# stored with the course; they know nothing of our integral.


# %%
def answers(mean, sd, places=range(53)):
    means = {f"E[h | x = {grid[k]:g}]": mean[k] for k in places}
    return means | {f"sd[h | x = {grid[k]:g}]": sd[k] for k in places}


summary, nuts = load_gap_posterior()
nuts_h = summary.filter(like="h(x)", axis=0)
values = nuts_h[["mean", "sd"]].to_numpy()
exact = nuts_mean, nuts_sd = torch.tensor(values, dtype=torch.float32).T
ours = h_on_grid.mean(0), h_on_grid.std(0)
whole_grid = make_scorecard(answers(*ours), answers(*exact))
worst = whole_grid["error"].abs().groupby(whole_grid.index.str[:2]).max()
print(f"NUTS: R-hat at most {summary['r_hat'].max():.4f}", worst, sep="\n")

# %% [markdown]
# NUTS's 20,000 draws have 59 *divergences*, steps that went numerically astray: a reason for doubt.
# That a sampler which shares nothing with it but the model finds the same answer settles it.

# %% [markdown]
# ## 7. Who knows what they don't know?
#
# **Predict.** Where will mean-field be too sure, and where not sure enough? And the deep ensemble?

# %% tags=["picture=what_networks_know"]
methods = {"mean-field": lambda x: predict(mean_field, x)}
methods |= {"deep ensemble": lambda x: predict(deep_ensemble, x), "HMC": hmc}
levels = torch.tensor([0.025, 0.975])
h_nuts = predict(nuts, grid)[0]
truth = torch.cat([nuts_mean[None], h_nuts.quantile(levels, dim=0)])
_, axes = plt.subplots(1, 3, figsize=(9.6, 3.6), sharey=True)
for ax, (name, method) in zip(axes, methods.items(), strict=True):
    functions = method(grid)[0]
    look = {"exact": truth, "title": name, "xlabel": "x", "ax": ax}
    look |= {
        "lines": {"data": functions.mean(0)},
        "ylabel": "h(x)",
        "ylim": (-25, 25),
    }
    bands = {"data": [functions.quantile(levels, dim=0)]}
    plotting.regression(data, grid, bands=bands, **look)

# %% [markdown]
# Lines are means, bands hold 95% of the functions, and dashed is the truth, by NUTS. One number
# says it at each place: the sd of $h(x)$, as a share of the true one. In the table are its median
# among the data ($|x| \le 10$, without the gap), in the gap and outside, and its smallest and
# largest value.


# %%
def regions(x):
    names = {(False, False): "data", (True, False): "gap"}
    pairs = [(0 < place < 5, abs(place) > 10) for place in x.tolist()]
    return [names.get(pair, "outside") for pair in pairs]


sds = {name: method(grid)[0].std(0) for name, method in methods.items()}
shares = {name: (sd / nuts_sd).tolist() for name, sd in sds.items()}
by_region = pd.DataFrame(shares, index=regions(grid)).groupby(level=0)
by_region.agg(["median", "min", "max"]).T.unstack().round(2)

# %% [markdown]
# - **Mean-field** is wrong in both directions: too wide at most places among the data, typically by
#   a third or more, and too narrow in the gap and at most places outside.
# - **The deep ensemble** opens in the gap, with most seeds not quite as wide as the truth, and
#   outside, wider. Among the data it is at some places about half as wide as the truth or less, at
#   others many times as wide: all its members count, also those that fit badly.
# - **HMC** is right everywhere, within a few per cent.

# %% [markdown]
# ## 8. Calibration
#
# Who is *calibrated*? What is called 95% sure should happen 95% of the time. The prediction is a
# mixture of $M$ normals, one for each network, and we judge it on new points by the mean of
# $\ln p(y \mid x, D)$, and by the share of points in its 95% interval. A point lies in it if
# the mixture's distribution function $F(y)$ is between 0.025 and 0.975.

# %%
pyro.set_rng_seed(3)
x_new = torch.linspace(-13, 13, 2601)
y_new = true_mean(x_new) + (1.5 + 0.1 * x_new) * torch.randn_like(x_new)


def judge(mean, variance, y):
    normal = dist.Normal(mean, variance.sqrt())
    log_p = normal.log_prob(y).logsumexp(0) - math.log(len(mean))
    return log_p, (normal.cdf(y).mean(0) - 0.5).abs() < 0.475


# %%
methods["two heads"] = lambda x: [v[None].detach() for v in two_heads(x)]
methods |= {"HMC": lambda x: hmc(x, 16), "NUTS": lambda x: predict(nuts, x)}
judged = {}
for name, method in methods.items():
    log_p, inside = judge(*method(x_new), y_new)
    judged[name, "ln p"] = log_p.tolist()
    judged[name, "in 95%"] = inside.float().tolist()
judged = pd.DataFrame(judged, index=regions(x_new)).groupby(level=0).mean()
judged.T.unstack().round(3)

# %% [markdown]
# Among the data all are near 95%, two heads a little below. In the gap, mean-field, two heads and,
# with most seeds, the deep ensemble hold too few points, the exact posterior nearly enough.
# Outside, even the exact posterior is **too sure**, HMC and NUTS alike: its interval holds not even
# two thirds. Inference is not to blame, so the prior is: a sum of $\tanh$ goes flat, and does not
# believe that a wave goes on. The deep ensemble, wider than the posterior, predicts better there:
# an exact answer is only as good as its model.

# %% [markdown]
# ## 9. Images: does it notice what is no digit?
#
# A classifier of handwritten digits returns ten probabilities. Given a picture of something else,
# it has to answer all the same. The network is the same as above, with 784 pixels, 100 units
# $\max(0, a)$ and your `BayesianLinear`: 79,510 weights, each $\mathcal{N}(0, 1)$. Each step sees a
# random minibatch of 500; the plate knows that there are 60,000 images, and scales the likelihood.

# %%
images, digits = load_mnist()
test_images, test_digits = load_mnist(train=False)


class DigitNetwork(PyroModule):
    def __init__(self):
        super().__init__()
        self.hidden = BayesianLinear(784, 100, 1.0, 1.0)
        self.output = BayesianLinear(100, 10, 1.0, 1.0)

    def forward(self, x):
        return self.output(self.hidden(x).relu())


digit_network = DigitNetwork()


def classifier():
    batch = torch.randint(len(images), (500,))
    logits = digit_network(images[batch])
    with pyro.plate("images", len(images), subsample=batch):
        pyro.sample("digit", dist.Categorical(logits=logits), obs=digits[batch])


# %% [markdown]
# The strong rival is an ensemble of five plain networks, each trained by maximum likelihood from
# its own random start.


# %%
def logits_of(weights, x):
    return pyro.condition(digit_network, data=weights)(x)


def plain_loss():
    batch = torch.randint(len(images), (500,))
    logits = logits_of(plain, images[batch]).flatten(0, 1)
    return 5 * nn.functional.cross_entropy(logits, digits[batch].repeat(5))


pyro.set_rng_seed(SEED)
drawn = prior_draws(digit_network, images[:1], pyro.plate("networks", 5))
plain = {k: (0.05 * w).detach().requires_grad_() for k, w in drawn.items()}
rates = {"rate": 0.01, "final_rate": 0.0005}
minimise(plain_loss, [*plain.values()], steps=720, **rates)

# %% [markdown]
# The Bayesian network's guide is mean-field, and starts at the first of the five. All log densities
# are divided by 60,000, so that no gradient is clipped.

# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
at_plain = {site: values[0].detach() for site, values in plain.items()}
start = {"init_loc_fn": init_to_value(values=at_plain), "init_scale": 0.05}
guide = AutoNormal(classifier, **start)
settings = {"steps": 720, "particles": 1, "max_plate_nesting": 1}
settings |= {"learning_rate": 0.02, "final_learning_rate": 0.0002}
per_image = poutine.scale(scale=1 / len(images))
losses = inference.fit(per_image(classifier), per_image(guide), **settings)
with torch.no_grad(), pyro.plate("draws", 30, dim=-2):
    bayesian = {site: values.squeeze(1) for site, values in guide().items()}

# %% [markdown]
# How uncertain are ten probabilities? Their **entropy**, $H(p) = -\sum_k p_k \ln p_k$, is 0 if one
# of them is 1, and largest, $\ln 10 \approx 2.3$, if all are equal.
#
# ### ✏️ Exercise 5: predictive entropy (6 min)
#
# Complete `predictive_entropy`. `p` has shape `(M, n, 10)`: the probabilities of $M$ networks for
# $n$ images. The ensemble's prediction is their average over the networks; return its entropy for
# each image, shape `(n,)`. A probability may be exactly 0; $0 \ln 0$ counts as 0.
#
# <details><summary>Hint</summary>
#
# The average first: ten networks that are each sure of another digit are *not* sure together.
# `torch.xlogy(a, b)` is $a \ln b$, and 0 where $a$ is 0; `.clamp(min=...)` is another way.
#
# </details>


# %%
def predictive_entropy(p):
    ### BEGIN SOLUTION
    average = p.mean(0)
    entropy = -torch.xlogy(average, average).sum(-1)
    ### END SOLUTION
    return entropy


# %% tags=["nbval-check-output"]
check.predictive_entropy(predictive_entropy)


# %%
def probabilities(weights, x):
    with torch.no_grad():
        pieces = [logits_of(weights, part).softmax(-1) for part in x.split(500)]
    return torch.cat(pieces, dim=1)


noise, inverted = torch.rand(2000, 784), 1 - test_images[:2000]
strange = {"digits": test_images, "noise": noise, "inverted": inverted}
each = [{site: w[k : k + 1] for site, w in plain.items()} for k in range(5)]
networks = {f"plain {k}": weights for k, weights in enumerate(each, 1)}
networks |= {"five together": plain, "Bayesian": bayesian}

# %% [markdown]
# **Predict.** What will a single plain network be in doubt about? And five? And the Bayesian one?

# %%
entropy, scores = {}, {}
for name, weights in networks.items():
    p = {kind: probabilities(weights, v) for kind, v in strange.items()}
    entropy[name] = {kind: predictive_entropy(q) for kind, q in p.items()}
    right = p["digits"].mean(0).argmax(1) == test_digits
    scores[name] = {f"entropy, {k}": e.mean() for k, e in entropy[name].items()}
    scores[name]["accuracy"] = right.float().mean()
pd.DataFrame(scores).T.astype(float).round(3)

# %% [markdown]
# All are about equally good at digits. Single plain networks differ by their random start alone:
# one has several times as much doubt about noise as another, and with most seeds some have less
# about noise or negatives than about digits. Five together have more doubt about both than single
# ones have on average, and the Bayesian networks most. A strong ensemble comes a long way; section
# A.1 shows more.

# %% [markdown]
# ## 10. Scorecard
#
# The batch of chains beside NUTS, at five places: two outside, two among the data, and one in the
# gap; and the prediction of new points among the data.


# %%
five = (0, 16, 31, 41, 52)  # x = -13, -5, 2.5, 7.5, 13
approximate, truth = answers(*ours, five), answers(*exact, five)
for method, card in (("HMC", approximate), ("NUTS", truth)):
    card["mean ln p(y), among the data"] = judged.loc["data", (method, "ln p")]
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard, trust=convergence)

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard, mean=0.1, sd=0.06, nats=0.02)
check.scorecard_within(whole_grid, mean=0.1, sd=0.06)

# %% [markdown]
# ## After class
#
# ### A.1 One number for two histograms
#
# The means hide how the entropies are spread:

# %% tags=["picture=digits_entropy"]
_, axes = plt.subplots(1, 3, figsize=(9.6, 3.6), sharex=True, sharey=True)
look = {"bins": 40, "range": (0, 2.3), "density": True, "histtype": "step"}
for ax, name in zip(axes, list(networks)[-3:], strict=True):
    for line, kind in zip(("-", "--", "-."), strange, strict=True):
        ax.hist(entropy[name][kind].cpu(), **look, ls=line, lw=1.8, label=kind)
    ax.set(title=name, yscale="log", xlabel="entropy (nats)")
axes[0].set_ylabel("density (log scale)")
_ = axes[0].legend(loc="upper right")

# %% [markdown]
# ### ✏️ Exercise 6: AUROC (10 min)
#
# How well does entropy tell digits from the rest? Pick one image of each kind at random. The
# probability that the *other* image has the larger entropy is called **AUROC** (area under the
# receiver operating characteristic): 1 is perfect, ½ is a coin toss, and 0 means that the digits
# always have the larger one.
#
# Complete `auroc`. `digits` and `others` are vectors of entropies, of sizes $m$ and $n$. Of all $m
# n$ pairs, count those in which the other image has the larger entropy; a tie counts half; divide
# by $m n$.
#
# <details><summary>Hint</summary>
#
# `others[:, None] > digits` compares all pairs at once: its shape is $(n, m)$.
#
# </details>


# %%
def auroc(digits, others):
    ### BEGIN SOLUTION
    larger = (others[:, None] > digits).float().mean()
    ties = (others[:, None] == digits).float().mean()
    area = larger + 0.5 * ties
    ### END SOLUTION
    return area


# %% tags=["nbval-check-output"]
check.auroc(auroc)

# %%
kinds, aurocs = ("noise", "inverted"), {}
for name, of in entropy.items():
    some = of["digits"][::3]
    aurocs[name] = {kind: float(auroc(some, of[kind])) for kind in kinds}
pd.DataFrame(aurocs).T.round(4)

# %% [markdown]
# In the table, single plain networks, which differ in their random start alone, range from below
# one half to above nine tenths: one start says little of the method. Five together do well on both
# kinds of images, and the Bayesian network does better still.
#
# ### A.2 A digit that turns
#
# The picture of Louizos and Welling (2017): take one test image and rotate it. At each angle, a
# point shows the mean probability of a digit, and the bar the middle 90% of the networks.

# %%
import torchvision.transforms.functional as images_of

angles = list(range(0, 181, 15))
digit = test_images[22].reshape(1, 28, 28)
bilinear = images_of.InterpolationMode.BILINEAR
turned = torch.stack([images_of.rotate(digit, a, bilinear)[0] for a in angles])
plotting.image_grid(turned, columns=13, titles=[f"{a}°" for a in angles])

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.8), sharey=True)
often = probabilities(bayesian, turned.flatten(1)).mean(0).amax(0)
often = often.argsort(descending=True)[:4].sort()[0].tolist()
levels_90 = torch.tensor([0.05, 0.95])
for ax, name in zip(axes, ("five together", "Bayesian"), strict=True):
    p = probabilities(networks[name], turned.flatten(1))
    (low, high), mean = p.quantile(levels_90, dim=0), p.mean(0)
    reach = torch.stack([mean - low, high - mean]).clamp(min=0).cpu()
    for k, marker, shift in zip(often, "o^sD", (-2, -0.7, 0.7, 2), strict=True):
        place = [angle + shift for angle in angles]  # side by side
        ax.errorbar(
            place,
            mean[:, k].cpu(),
            reach[..., k],
            fmt=marker,
            label=f"“{k}”" if ax is axes[0] else None,
        )
    ax.set_xticks(angles[::2], [f"{angle}°" for angle in angles[::2]])
    ax.set(title=name, xlabel="rotation")
axes[0].set_ylabel("probability")
_ = figure.legend(loc="outside lower center", ncols=4)

# %% [markdown]
# Upright it is a 6, upside down it looks like a 9, and on the way it is neither. There the bars are
# long: members of both ensembles contradict one another. What looks like a 9 is mostly taken for
# one: an ensemble notices what looks unlike all digits, not what is upside down.

# %% [markdown]
# ## Going further
#
# - **The prior, again.** Outside the data even the exact posterior is too sure. Which activation
#   would let the functions of the prior go on as waves? Try $\sin$ in place of $\tanh$.
# - **Fewer chains, longer.** What do R-hat and the table of section 7 say of 16 chains of 1,200
#   iterations?
#
# ### References
#
# - C. Blundell, J. Cornebise, K. Kavukcuoglu and D. Wierstra (2015). Weight uncertainty in neural
#   networks. *International Conference on Machine Learning*, PMLR 37, 1613–1622.
#   [arXiv:1505.05424](https://arxiv.org/abs/1505.05424)
# - M. D. Hoffman and A. Gelman (2014). The No-U-Turn Sampler. *Journal of Machine Learning
#   Research* 15, 1593–1623. [jmlr.org](https://jmlr.org/papers/v15/hoffman14a.html)
# - B. Lakshminarayanan, A. Pritzel and C. Blundell (2017). Simple and scalable predictive
#   uncertainty estimation using deep ensembles. *Advances in Neural Information Processing Systems*
#   30. [arXiv:1612.01474](https://arxiv.org/abs/1612.01474)
# - C. Louizos and M. Welling (2017). Multiplicative normalizing flows for variational Bayesian
#   neural networks. *International Conference on Machine Learning*, PMLR 70, 2218–2227.
#   [arXiv:1703.01961](https://arxiv.org/abs/1703.01961)
# - R. M. Neal (1996). *Bayesian Learning for Neural Networks*. Springer.
#   [doi:10.1007/978-1-4612-0745-0](https://doi.org/10.1007/978-1-4612-0745-0)
# - R. M. Neal (2011). MCMC using Hamiltonian dynamics. *Handbook of Markov Chain Monte Carlo*,
#   chapter 5. [arXiv:1206.1901](https://arxiv.org/abs/1206.1901)
# - T. Pearce, F. Leibfried and A. Brintrup (2020). Uncertainty in neural networks: Approximately
#   Bayesian ensembling. *Artificial Intelligence and Statistics*, PMLR 108, 234–244.
#   [arXiv:1810.05546](https://arxiv.org/abs/1810.05546)
