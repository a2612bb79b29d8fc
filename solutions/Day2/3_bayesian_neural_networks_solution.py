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
# - write a Bayesian neural network in Pyro: a layer, a network, a regressor, a classifier;
# - predict with an ensemble of networks, all in one call, and split what you do not know into an
#   epistemic and an aleatoric part;
# - hold an approximate posterior against the exact one, and say where it fails and why;
# - measure calibration, and whether a classifier notices images that are none of its business.
#
# **Time:** 150 minutes. **Before:** Day 1, and the first two notebooks of Day 2. You need
# models, guides, the ELBO, and mean-field against full covariance.
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
import time

import torchvision.transforms.functional as images_of
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoNormal, init_to_value
from pyro.nn import PyroModule, PyroSample
from torch import nn
from torch.nn.functional import cross_entropy, softplus

from checks import bayesian_neural_networks as check
from utils import inference
from utils.data import load_gap, load_gap_posterior, load_mnist, load_rugged
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. A neural network
#
# A neural network is a function $\mathbf{y} = h(\mathbf{x}; \theta)$ with many parameters $\theta$,
# its *weights*. One with a single hidden layer of $H$ units, for one input and one output, is
#
# $$h(x; \theta) = b_2 + \sum_{k=1}^H v_k \tanh(w_k x + b_k),
# \qquad \theta = (w_1, \dots, w_H, b_1, \dots, b_H, v_1, \dots, v_H, b_2):$$
#
# a sum of $H$ smooth steps, each with a place, a steepness and a height. Training means to minimise
# a loss over the data, $\arg\min_\theta \sum_i \ell(h(x_i; \theta), y_i)$, by gradient descent.
#
# Our data are made up, so that we know the truth. There are 120 points, in two pieces, $x \in [-10,
# 0]$ and $x \in [5, 10]$, with nothing between them. The mean of $y$ is a wave, and its standard
# deviation grows with $x$:
#
# $$y \mid x \sim \mathcal{N}\bigl(0.5 x + 7 \sin(0.75 x),\ (1.5 + 0.1 x)^2\bigr).$$

# %%
gap = load_gap()
x, y = (torch.tensor(gap[name].to_numpy(), dtype=torch.float32) for name in ("x", "y"))


def true_mean(x):
    return 0.5 * x + 7 * torch.sin(0.75 * x)


def true_sd(x):
    return 1.5 + 0.1 * x


# %% [markdown]
# In PyTorch a network is an `nn.Module`: an object that holds its parameters as attributes, and
# whose method `forward` computes the output; `network(x)` calls `forward`. `nn.Linear(a, b)` is a
# *layer*: it has a matrix of weights and a vector of biases, and maps $a$ numbers to $b$. A layer
# takes a matrix with one row for each data point, hence `x[:, None]`; $x / 5$ brings the inputs to
# the order of 1.


# %%
class Network(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.hidden = nn.Linear(1, units)
        self.output = nn.Linear(units, 1)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x[:, None] / 5))).squeeze(-1)


def minimise(loss, parameters, steps, learning_rate=0.1, final_learning_rate=0.001):
    """Adam, with each gradient cut to ±10, and a learning rate that decays geometrically."""
    parameters = list(parameters)
    optimiser = torch.optim.Adam(parameters, lr=learning_rate)
    decay = (final_learning_rate / learning_rate) ** (1 / steps)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, decay)
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        nn.utils.clip_grad_value_(parameters, 10.0)  # so that no single step goes far astray
        optimiser.step()
        schedule.step()
    return value.item()


pyro.set_rng_seed(SEED)
network = Network(10)
mean_square = minimise(lambda: ((y - network(x)) ** 2).mean(), network.parameters(), steps=3000)
print(f"mean squared error: {mean_square:.3f}")

# %%
x_line = torch.linspace(-13, 13, 261)
with torch.no_grad():  # no gradients from here on: we only look
    line = network(x_line)
plotting.regression(
    {"data": (x, y)},
    x_line,
    lines={"data": line},
    exact=true_mean(x_line),
    xlabel="x",
    ylabel="y",
    title="One confident line, where there are data and where there are none",
)

# %% [markdown]
# (The dashed line is the true mean, here and until section 4.) Where there are data the line is
# right. In the gap it cuts off a whole hill, and outside it goes its own way: with the same
# confidence everywhere, which is to say, without a word about it.
#
# ### Fixed, learned, and input-dependent noise
#
# A squared error is a likelihood in disguise. Up to constants, $\frac{1}{2\sigma^2} (y - h(x))^2$
# is minus the log density of $\mathcal{N}(h(x), \sigma^2)$. So least squares assumes noise of one
# *fixed* standard deviation. The next step is to *learn* $\sigma$; the most likely one is the root
# of the mean squared error, printed above. How good are the two as predictions of new data? We
# judge by the **mean test log-likelihood**, the average of $\ln p(y \mid x)$ over points that were
# not used for training. Since we know the truth, we can have thousands of them, in three regions.

# %%
generator = torch.Generator("cpu").manual_seed(3)  # of their own: the same whatever SEED is


def test_points(*intervals):
    pieces = [torch.linspace(*interval, 1000, device="cpu") for interval in intervals]
    x = torch.cat(pieces)
    noise = torch.randn(len(x), generator=generator, device="cpu")
    return x.to(device), (true_mean(x) + true_sd(x) * noise).to(device)


test = {
    "in range": test_points((-10, -5), (-5, 0), (5, 10)),  # as many points for each unit of x
    "gap": test_points((0, 5)),
    "outside": test_points((-13, -10), (10, 13)),
}


def test_log_likelihood(predict_one):
    """``predict_one(x)`` returns a mean and a variance for each x."""
    with torch.no_grad():
        predictions = {r: (*predict_one(x), y) for r, (x, y) in test.items()}
    return {
        region: dist.Normal(mean, variance.sqrt()).log_prob(y).mean().item()
        for region, (mean, variance, y) in predictions.items()
    }


likelihoods = {
    "the truth": test_log_likelihood(lambda x: (true_mean(x), true_sd(x) ** 2)),
    "σ = 1, fixed": test_log_likelihood(lambda x: (network(x), torch.ones_like(x))),
    "one σ, learned": test_log_likelihood(lambda x: (network(x), torch.full_like(x, mean_square))),
}
pd.DataFrame(likelihoods).T.round(2)

# %% [markdown]
# A learned $\sigma$ is better than one that is too small. But the noise of our data is not the same
# everywhere.

# %% [markdown]
# ## 2. Two heads: a mean and a variance
#
# Let a second network predict the variance,
#
# $$p(y \mid x, \theta) = \mathcal{N}\bigl(h(x; \theta_h),\ g(x; \theta_g)\bigr), \qquad
# \theta = (\theta_h, \theta_g).$$
#
# A variance is positive, and a network's output is any number $a$; so $g = \ln(1 + e^a) + 0.01$.
# The function $\ln(1 + e^a)$ is called *softplus*: it is near $e^a$ for small $a$ and near $a$ for
# large $a$. (A bare $e^a$ would make huge variances of moderate outputs; and without the floor of
# 0.01 a variance could come so near to 0 that a single point has an enormous gradient.)
#
# ### ✏️ Exercise 1: the loss of two heads
#
# Maximum likelihood minimises minus the mean log density,
#
# $$L(\theta) = \frac{1}{n} \sum_{i=1}^n \Bigl[ \tfrac{1}{2} \ln\bigl(2 \pi\, v_i\bigr) +
# \frac{(y_i - m_i)^2}{2 v_i} \Bigr], \qquad m_i = h(x_i; \theta_h), \quad v_i = g(x_i; \theta_g).$$
#
# Complete `gaussian_loss`. `mean`, `variance` and `y` hold the $n$ values of $m_i$, $v_i$ and
# $y_i$. Take the mean over the *last* dimension: then, later, `mean` and `variance` may also be
# matrices with a row for each of many networks, and there is one loss for each row.
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
    density = 0.5 * (2 * math.pi * variance).log() + (y - mean) ** 2 / (2 * variance)
    loss = density.mean(-1)
    ### END SOLUTION
    return loss


# %% tags=["nbval-check-output"]
check.gaussian_loss(gaussian_loss)

# %%
pyro.set_rng_seed(SEED)
h, g = Network(10), Network(5)


def two_heads(x):
    return h(x), softplus(g(x)) + 0.01


_ = minimise(
    lambda: gaussian_loss(*two_heads(x), y), [*h.parameters(), *g.parameters()], steps=3000
)
likelihoods["σ(x), two heads"] = test_log_likelihood(two_heads)
pd.DataFrame(likelihoods).T.round(2)

# %%
x_few = torch.tensor([-10.0, -5.0, 0.0, 5.0, 10.0])
with torch.no_grad():
    mean, variance = two_heads(x_line)
    sd_few = two_heads(x_few)[1].sqrt()
plotting.regression(
    {"data": (x, y)},
    x_line,
    lines={"data": mean},
    bands={"data": [(mean - 1.96 * variance.sqrt(), mean + 1.96 * variance.sqrt())]},
    exact=true_mean(x_line),
    xlabel="x",
    ylabel="y",
    title="Two heads: the noise has a size everywhere, the line is as sure as before",
)

# %%
pd.DataFrame(
    {"two heads": sd_few.tolist(), "the truth": true_sd(x_few).tolist()},
    index=[f"x = {value:g}" for value in x_few.tolist()],
).T.round(2)

# %% [markdown]
# The table holds the standard deviation of $y$. The band (the mean ± 1.96 of them, where 95% of new
# points should be) widens on the left as the scatter does. On the right it stops growing, and the
# method has no word of how far its own estimate can be trusted. (Section 5 will count: the band
# holds about 90% of new points.) In range the test log-likelihood gets nearer to
# the truth's; in the gap a nat is gained; outside, tens of nats are *lost*, for a small variance is
# extrapolated, and the line is far off. The predicted variance is the noise *around the line*, the
# **aleatoric** uncertainty. That the line itself is not known, the **epistemic** uncertainty,
# nobody has told the network: for it there is only one $\theta$.

# %% [markdown]
# ## 3. The Bayesian neural network
#
# Like everything else that we do not know, the weights become random variables, with a prior; and
# the answer is their posterior, $p(\theta \mid D)$ for the data $D = \{(x_i, y_i)\}$.
#
# ### 3.1 A layer with priors
#
# Pyro has a counterpart to `nn.Module`, the **`PyroModule`**. Among its attributes may be a
# **`PyroSample(prior)`**: wherever such an attribute is used in `forward`, Pyro samples it, like a
# `pyro.sample` whose name is the path of attributes that leads to it, for instance
# `"h.hidden.weight"`. Used twice in one call, it is sampled once.
#
# ### ✏️ Exercise 2: a Bayesian layer
#
# Write `BayesianLinear`, a layer with `inputs` inputs and `outputs` outputs. Set `self.weight`, one
# matrix of shape `[inputs, outputs]` whose entries are independent $\mathcal{N}(0,
# \text{weight\_scale}^2)$, and `self.bias`, one vector of shape `[outputs]` with entries
# $\mathcal{N}(0, \text{bias\_scale}^2)$.
#
# The method `forward` is given. In `x @ self.weight`, each row of `x` is multiplied by the matrix;
# `unsqueeze(-2)` makes the bias a row. Both work on the last dimensions only: with further
# dimensions on the left, for many draws of the weights, they do the same for each draw.
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
# ### 3.2 What a prior on weights says about functions
#
# Two layers make the network of section 1. Nobody has an opinion on the weight of unit 7; what we
# can have an opinion on is the *function*, and the scales of the priors decide what it looks like.
# The sum of $H$ terms has a standard deviation that grows like $\sqrt{H}$; dividing the scale of
# the output weights by $\sqrt{H}$ makes it independent of the number of units (Neal 1996).


# %%
class BayesianNetwork(PyroModule):
    def __init__(self, units, input_scale, output_scale):
        super().__init__()
        self.hidden = BayesianLinear(1, units, input_scale, input_scale)
        self.output = BayesianLinear(units, 1, output_scale / math.sqrt(units), output_scale)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x[:, None] / 5))).squeeze(-1)


def functions_from_prior(network, n=12):
    with torch.no_grad(), pyro.plate("draws", n):
        return network(x_line)


# %%
pyro.set_rng_seed(SEED)
figure, axes = plt.subplots(1, 3, figsize=(8.8, 3.4), sharey=True)
for ax, input_scale in zip(axes, (1.0, 5.0, 25.0), strict=True):
    functions = functions_from_prior(BayesianNetwork(10, input_scale, output_scale=20.0))
    plotting.regression(
        {"data": (x, y)},
        x_line,
        lines={"data": functions},
        xlabel="x",
        ylabel="y" if input_scale == 1 else "",
        title=f"input_scale {input_scale:g}",
        ax=ax,
    )
    ax.set_ylim(-45, 45)

# %% [markdown]
# Each thin line is one function drawn from the prior. The scale of the input weights decides how
# fast a function may turn: with 1 most of them bend at most once on this range; with 25 they are
# staircases, which jump anywhere; 5 allows a few hills, of about the width of those that we see.
# `output_scale` = 20 decides their height. A flat prior is no way out: here *wide* does not mean
# *vague*, it means *jumpy*. We take 5 and 20.
#
# ### 3.3 The regressor
#
# The lecture's neural regressor has a network for the mean and one for the variance, and priors on
# all weights of both. The network of the variance is smaller, because we expect it to be smoother.
#
# ### ✏️ Exercise 3: the neural regressor
#
# Complete `forward`: set `mean` to the output of the network `self.h`, and `variance` to the
# softplus of that of `self.g`, plus 0.01, as in section 2; and sample the site `y`,
#
# $$y_i \mid x_i, \theta \sim \mathcal{N}\bigl(h(x_i; \theta_h),\ g(x_i; \theta_g)\bigr).$$
#
# This time without a plate: declare the $n$ values as *one* vector, with `.to_event(1)`. A plate of
# data would take the last batch dimension, $-1$, for the data. We shall soon want many networks at
# once, that is, weights with a batch dimension on the left of their own two; the plate of the data
# and the batch of networks would claim the same dimension. If the data are inside the event, all
# batch dimensions are left for networks.
#
# <details><summary>Hint</summary>
#
# `self.h(x)` calls the network. `dist.Normal` takes a standard deviation. The data go to `obs=`.
#
# </details>


# %%
class NeuralRegressor(PyroModule):
    def __init__(self):
        super().__init__()
        self.h = BayesianNetwork(10, input_scale=5.0, output_scale=20.0)
        self.g = BayesianNetwork(5, input_scale=2.0, output_scale=4.0)

    def forward(self, x, y=None):
        ### BEGIN SOLUTION
        mean = self.h(x)
        variance = softplus(self.g(x)) + 0.01
        pyro.sample("y", dist.Normal(mean, variance.sqrt()).to_event(1), obs=y)
        ### END SOLUTION
        return mean, variance


# %% tags=["nbval-check-output"]
check.neural_regressor(NeuralRegressor)

# %% [markdown]
# These are its sites, that is, all that is random in it. `poutine.trace(model).get_trace(...)` runs
# the model and writes down every site: `trace.nodes` maps the name of a site to what is known about
# it, its distribution (`"fn"`), its `"value"`, and whether it was observed.

# %%
regressor = NeuralRegressor()
trace = poutine.trace(regressor).get_trace(x, y)
shapes = {
    name: (site["fn"].event_shape, "data" if site["is_observed"] else "weights")
    for name, site in trace.nodes.items()
    if site["type"] == "sample"
}
n_weights = sum(math.prod(shape) for shape, kind in shapes.values() if kind == "weights")
print(f"{n_weights} weights")
pd.DataFrame(
    {name: [tuple(shape), kind] for name, (shape, kind) in shapes.items()},
    index=["shape", "what"],
).T

# %% [markdown]
# ### 3.4 Many networks at once
#
# A posterior over 47 weights is no bowl with one lowest point. Swap two hidden units, or change the
# signs of all weights of one, and the function is the same: every mode has billions of copies.
# Those do no harm, for we are interested in functions only. But there are also modes that are
# *different functions*, and where an optimiser ends up depends on where it starts. So we start
# often, and look at all of them.
#
# Because every operation above leaves the dimensions on the left alone, a plate around the
# regressor is enough to have many networks, each with weights of its own. (In a trace, `"_RETURN"`
# is what the model returned.)

# %%
starts = 16


def many_networks(x, y=None, n=starts):
    with pyro.plate("starts", n, dim=-1):
        return regressor(x, y)


trace = poutine.trace(many_networks).get_trace(x, y)
print("h.hidden.weight:", tuple(trace.nodes["h.hidden.weight"]["value"].shape))
print("mean:           ", tuple(trace.nodes["_RETURN"]["value"][0].shape))

# %% [markdown]
# And the other way round: given weights, whatever their batch dimensions, `pyro.condition` puts
# them into the regressor, which then returns the mean and the variance of each network at each $x$.


# %%
def predict(weights, x):
    """Mean and variance of every network at every x; weights: site -> tensor (M, ...)."""
    return pyro.condition(regressor, data=weights)(x)


# %% [markdown]
# First we want good places to start from. We take networks drawn from the prior, and optimise each
# of them: minimise $-\ln p(y \mid \theta) - \ln p(\theta)$. With a prior $\mathcal{N}(a, s^2)$ for
# a weight $\theta$ the second term is $(\theta - a)^2 / (2 s^2)$, up to a constant. For $a = 0$,
# our prior, this is **maximum a posteriori** (*MAP*), in other words maximum likelihood with
# *weight decay*. Networks trained like this from random starts are a **deep ensemble**, a popular
# and simple way to uncertainty (Lakshminarayanan et al. 2017). We make one, to compare with.
#
# The recommended recipe, below, starts its guides at a variant, which pulls each network not to 0,
# but to a draw $a$ from the prior of its own (*randomised MAP*; Pearce et al. 2020). Where the data
# decide, the networks come out alike; where they do not, each is drawn to its own draw, and they
# stay more different. The networks do not interact, so we minimise the sum of all their losses.
# Some get stuck: their units have jumped to places where the gradient is nearly zero, and a bend of
# the data is missed for good. So we train 40 and keep the 16 with the smallest loss.


# %%
def draw_from_prior(n):
    with torch.no_grad():
        trace = poutine.trace(many_networks).get_trace(x, y, n)
    weights = {site: node["value"] for site, node in trace.iter_stochastic_nodes()}
    weights.pop("starts")  # the plate has a site, too
    return weights, {site: trace.nodes[site]["fn"].stddev for site in weights}


def fit_networks(pull, n=40, steps=1000):
    """Networks at their optimum. ``pull`` = 0: towards zero; 1: each towards its own prior draw."""
    prior_draw, scale = draw_from_prior(n)
    weights = {site: value.clone().requires_grad_() for site, value in prior_draw.items()}

    def losses():
        misfit = len(y) * gaussian_loss(*predict(weights, x), y)
        distance = [(weights[s] - pull * prior_draw[s]) / scale[s] for s in weights]
        return misfit + sum(d.square().flatten(1).sum(1) for d in distance) / 2

    minimise(lambda: losses().sum(), weights.values(), steps, final_learning_rate=0.01)
    kept = losses().argsort()[:starts]
    return {site: value.detach()[kept] for site, value in weights.items()}


pyro.set_rng_seed(SEED)
deep_ensemble = fit_networks(pull=0.0)
start_points = fit_networks(pull=1.0)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6), sharey=True)
for ax, weights, title in (
    (axes[0], deep_ensemble, "Deep ensemble: as one where data are"),
    (axes[1], start_points, "Pulled to prior draws: more different"),
):
    with torch.no_grad():
        mean, _ = predict(weights, x_line)
    plotting.regression(
        {"data": (x, y)},
        x_line,
        lines={"data": mean},
        xlabel="x",
        ylabel="y" if ax is axes[0] else "",
        title=title,
        ax=ax,
    )
    ax.set_ylim(-25, 25)

# %% [markdown]
# ### 3.5 Mean-field variational inference
#
# The guide of this section is the usual one for Bayesian neural networks (Blundell et al. 2015):
# every weight has a normal distribution of its own, independent of the others. `AutoNormal` is that
# guide, and it respects the plate: it fits many guides at once, and their ELBOs add up. As it is
# commonly used, each starts at an optimum of the plain kind, here at a network of the deep
# ensemble, with small standard deviations. These are our first 16 guides. So as to learn later what
# the *guide* changes and what the *start* changes, 16 more start at the randomised networks.

# %%
begin_at = {site: torch.cat([deep_ensemble[site], start_points[site]]) for site in start_points}

pyro.set_rng_seed(SEED)
pyro.clear_param_store()
mean_field_guide = AutoNormal(
    many_networks, init_loc_fn=init_to_value(values=begin_at), init_scale=0.02
)
mean_field_losses = inference.fit(
    many_networks,
    mean_field_guide,
    x,
    y,
    2 * starts,
    steps=2000,
    learning_rate=0.1,
    final_learning_rate=0.001,
    particles=2,
    max_plate_nesting=1,
)

# %% [markdown]
# The ELBO of each start is the mean of $\ln p(y, \theta) - \ln q(\theta)$ over draws from its
# guide. Pyro has both terms in traces: one of the guide, with a draw of $\theta$; and one of the
# model *replayed*, which means that it takes the guide's values instead of drawing its own.
# `compute_log_prob` adds the log density of each site to its node. The plate of the draws goes to
# the left of the starts, which are dimension $-1$: it is dimension $-2$.


# %%
def draws_and_elbos(model, guide, *data, n=500):
    """Site -> draws, shape (n, starts, ...); the ELBO of each start, and its standard error."""
    with torch.no_grad(), pyro.plate("draws", n, dim=-2):
        guide_trace = poutine.trace(guide).get_trace(*data)
        model_trace = poutine.trace(poutine.replay(model, guide_trace)).get_trace(*data)
    log_ratio = 0.0
    for trace, sign in ((model_trace, 1), (guide_trace, -1)):
        trace.compute_log_prob()
        for name in trace.stochastic_nodes + trace.observation_nodes:
            if name not in ("draws", "starts"):
                log_ratio = log_ratio + sign * trace.nodes[name]["log_prob"]
    weights = [s for s in model_trace.stochastic_nodes if s not in ("draws", "starts")]
    draws = {site: model_trace.nodes[site]["value"] for site in weights}
    return draws, log_ratio.mean(0), log_ratio.std(0) / math.sqrt(n)


def show_elbos(title, elbos):
    print(f"{title:20}", *(f"{elbo:.0f}" for elbo in elbos.sort(descending=True)[0].tolist()))


mean_field_draws, mean_field_elbos, error = draws_and_elbos(
    many_networks, mean_field_guide, x, y, 2 * starts
)
show_elbos("plain starts:", mean_field_elbos[:starts])
show_elbos("randomised starts:", mean_field_elbos[starts:])
print(f"standard error of each: {error.median():.1f}")

# %%
plotting.elbo_curve(
    [loss / (2 * starts) for loss in mean_field_losses],
    title="Mean-field: the average ELBO of the 32 guides",
)

# %% [markdown]
# The starts differ by many nats, much more than the standard error of the estimates. A larger ELBO
# is nearer to the posterior, in the sense of $\mathrm{KL}(q \,\|\, p)$. Of the 16 guides that
# started at the deep ensemble, as is common, the one with the largest ELBO is what we call *the*
# mean-field answer from now on.
#
# ### 3.6 The predictive distribution is an ensemble
#
# A prediction averages over all that we do not know, with $M$ draws $\theta_j$ from the guide:
#
# $$p(y \mid x, D) \approx \int p(y \mid x, \theta)\, q(\theta)\, d\theta \approx
# \frac{1}{M} \sum_{j=1}^M p(y \mid x, \theta_j).$$
#
# So the predictive distribution is an **ensemble of neural networks**: here a mixture of $M$
# normals, one for each network. With `predict`, all of them take one call. Compare with a loop:

# %%
best = mean_field_elbos[:starts].argmax()
mean_field = {site: values[:, best] for site, values in mean_field_draws.items()}

with torch.no_grad():
    began = time.perf_counter()
    one_by_one = [
        predict({site: values[j] for site, values in mean_field.items()}, x_line)[0]
        for j in range(500)
    ]
    middle = time.perf_counter()
    mean, variance = predict(mean_field, x_line)
    end = time.perf_counter()
same = torch.allclose(torch.stack(one_by_one), mean, atol=1e-3)
print(f"500 networks, one by one: {1000 * (middle - began):6.1f} ms")
print(f"500 networks, one call:   {1000 * (end - middle):6.1f} ms; the same numbers: {same}")

# %% [markdown]
# ### ✏️ Exercise 4: the predictive density
#
# Complete `log_predictive`: the logarithm of $\frac{1}{M} \sum_j \mathcal{N}(y \mid m_j, v_j)$ for
# each data point. `mean` and `variance` have shape `(M, n)`, one row for each network, and `y` has
# shape `(n,)`; so has the result. Outside the data densities are so small that a computer rounds
# them to 0: use `.logsumexp(0)`, which computes the logarithm of a sum of exponentials without
# leaving the logarithmic scale.
#
# <details><summary>Hint</summary>
#
# First the log density of each network at each point, shape `(M, n)`. A sum is not yet a mean.
#
# </details>


# %%
def log_predictive(mean, variance, y):
    ### BEGIN SOLUTION
    log_densities = dist.Normal(mean, variance.sqrt()).log_prob(y)
    log_density = log_densities.logsumexp(0) - math.log(len(mean))
    ### END SOLUTION
    return log_density


# %% tags=["nbval-check-output"]
check.log_predictive(log_predictive)

# %% [markdown]
# ### 3.7 Two kinds of not knowing
#
# The law of total variance, which you know from *Bayesian regression*, splits the variance of the
# prediction:
#
# $$\operatorname{Var}[y \mid x, D] =
# \underbrace{\operatorname{Var}_\theta\bigl[h(x; \theta_h)\bigr]}_{\text{epistemic}} +
# \underbrace{\operatorname{E}_\theta\bigl[g(x; \theta_g)\bigr]}_{\text{aleatoric}}.$$
#
# ### ✏️ Exercise 5: epistemic and aleatoric
#
# Complete `variance_parts`. From `mean` and `variance`, both of shape `(M, n)`, estimate the two
# parts, each of shape `(n,)`.
#
# <details><summary>Hint</summary>
#
# One part is a variance over the networks, the other a mean over them. Over which dimension?
#
# </details>


# %%
def variance_parts(mean, variance):
    ### BEGIN SOLUTION
    epistemic = mean.var(0)
    aleatoric = variance.mean(0)
    ### END SOLUTION
    return epistemic, aleatoric


# %% tags=["nbval-check-output"]
check.variance_parts(variance_parts)

# %%
with torch.no_grad():
    mean, variance = predict(mean_field, x_line)
epistemic, aleatoric = variance_parts(mean, variance)
inner, outer = 1.96 * epistemic.sqrt(), 1.96 * (epistemic + aleatoric).sqrt()
centre = mean.mean(0)
plotting.regression(
    {"data": (x, y)},
    x_line,
    lines={"data": centre},
    bands={"data": [(centre - outer, centre + outer), (centre - inner, centre + inner)]},
    exact=true_mean(x_line),
    xlabel="x",
    ylabel="y",
    title="Mean-field: not knowing the line (inner band), and with the noise (outer band)",
)

# %%
figure, ax = plt.subplots()
plotting.curves(
    {
        "epistemic": (x_line, epistemic),
        "aleatoric": (x_line, aleatoric),
        "their sum": (x_line, epistemic + aleatoric),
    },
    marks={"gap begins": 0.0, "gap ends": 5.0},
    xlabel="x",
    ylabel="variance",
    yscale="log",
    title="What more data would mend, and what they would not",
    ax=ax,
)
ticks = [0.2, 0.5, 1, 2, 5, 10]
ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
ax.minorticks_off()

# %% [markdown]
# For the first time there is an inner band: the network says how far it knows the line. But it
# opens only a little in the gap, and hardly at all outside the data. Is it as wide as it *should*
# be? It misses the hill in the gap nearly everywhere.

# %% [markdown]
# ## 4. Is it right?
#
# With 47 weights the exact posterior is not out of reach: it only takes long. Long NUTS chains of
# the same model are stored with the course (`tools/exact.py` made them). NUTS, the *No-U-Turn
# Sampler* (Hoffman and Gelman 2014), walks through the posterior, and what it visits are draws from
# it. Did the walks get everywhere? If several chains, from different starts, agree, the ratio of
# their joint variance to that of each, **R-hat**, is near 1 (below 1.01 is good); the **effective
# sample size** (ESS) says how many independent draws theirs are worth. Both are computed for the
# functions, $h(x)$ and $\ln g(x)$ on a grid of $x$, not for the weights: chains that sit in
# different copies of one mode disagree about the weights and agree about the function. A step of
# the walk that went numerically astray is called *divergent*; here these are 59 of 20,000.

# %%
nuts_summary, nuts_draws = load_gap_posterior()
r_hat, ess = nuts_summary["r_hat"].max(), nuts_summary["ess"].min()
print(f"R-hat is at most {r_hat:.4f}, ESS at least {ess:.0f}")
nuts_summary.loc[[f"h(x) | x = {value}" for value in ("-5", "2.5", "7.5")]].round(4)

# %% [markdown]
# `nuts_draws` holds 2,000 of the 20,000 draws, site by site, like those of any guide: NUTS is an
# ensemble, too, and `predict` takes it. What follows is computed from the 2,000, hence a standard
# deviation of 4.12 at $x = 2.5$, where the table has 4.21.
#
# ### A guide with correlations
#
# What mean-field lacks are correlations: raise the height of one step, and the next must fall for
# the sum to fit the data. A guide with a full covariance has them. `AutoMultivariateNormal` knows
# nothing of our plate (it would make one normal of all 16 starts together), so we write the guide
# by hand: for each start, one normal over the vector $\boldsymbol{\theta}$ of all 47 weights, with
# mean `loc` and covariance $L L^\top$. $L$ is a lower triangular matrix: a `scale` for each weight,
# which a constraint keeps positive, times `tril`, a matrix that another one keeps lower triangular
# with ones on its diagonal (`unit_lower_cholesky`). Then the vector is cut into the sites of the
# model, which, given the vector, are fixed: `Delta` is the distribution of a value that is certain.
# The vector itself is no site of the model; `is_auxiliary` says so.


# %%
class FullCovariance:
    def __init__(self, points, init_scale=0.05):
        self.shapes = {site: value.shape[1:] for site, value in points.items()}
        self.start = torch.cat([v.reshape(len(v), -1) for v in points.values()], dim=1)
        self.init_scale = init_scale

    def __call__(self, *args, **kwargs):
        n, d = self.start.shape
        loc = pyro.param("loc", self.start)
        scale = pyro.param(
            "scale",
            torch.full((n, d), self.init_scale),
            constraint=constraints.softplus_positive,
        )
        tril = pyro.param(
            "tril", torch.eye(d).repeat(n, 1, 1), constraint=constraints.unit_lower_cholesky
        )
        with pyro.plate("starts", n, dim=-1):
            theta = pyro.sample(
                "theta",
                dist.MultivariateNormal(loc, scale_tril=scale[..., None] * tril),
                infer={"is_auxiliary": True},
            )
            parts = theta.split([shape.numel() for shape in self.shapes.values()], dim=-1)
            return {
                site: pyro.sample(
                    site,
                    dist.Delta(part.reshape(*part.shape[:-1], *shape), event_dim=len(shape)),
                )
                for part, (site, shape) in zip(parts, self.shapes.items(), strict=True)
            }


pyro.set_rng_seed(SEED)
pyro.clear_param_store()
full_guide = FullCovariance(start_points)
full_losses = inference.fit(
    many_networks,
    full_guide,
    x,
    y,
    steps=3000,
    learning_rate=0.05,
    final_learning_rate=0.0005,
    particles=8,
    max_plate_nesting=1,
)
full_draws, full_elbos, error = draws_and_elbos(many_networks, full_guide, x, y)
show_elbos("full covariance:", full_elbos)
gain = full_elbos - mean_field_elbos[starts:]
print(f"more than mean-field from the same start: {gain.min():.0f} to {gain.max():.0f} nats")
print(f"standard error of each: {error.median():.1f}")

# %%
plotting.elbo_curve(
    {
        "mean-field (plain and randomised starts)": [
            loss / (2 * starts) for loss in mean_field_losses
        ],
        "full covariance (randomised starts)": [loss / starts for loss in full_losses],
    },
    title="The average ELBO of the starts nearly comes to rest",
)

# %% [markdown]
# From the same start, a Gaussian with correlations gains at least twenty nats on one without. Are
# the fits at rest? Nearly: with 8,000 steps instead of 3,000 their average rises by another 5 nats.
# What that changes is said below.
#
# The best start again gives *the* answer of one Gaussian. But a Gaussian sees one mode, and the
# starts ended in different ones. So take them together: a **mixture** of the guides with equal
# weights, whose draws are the draws of all of them. A start that ends more than 10 nats below the
# best is left out: its Gaussian fits its mode badly, and is often much too wide somewhere. (The
# cell prints how many networks remain, with 150 draws from each start that is kept.) (Why equal
# weights for the others? A difference of a few nats says how well a Gaussian fits its mode, more
# than how much of the posterior is there. A refinement would be to fit the weights of the mixture,
# too.) For comparison we mix the mean-field guides of the *same* randomised networks, those whose
# full covariance is kept.


# %%
def mixture(draws, kept, each=150):
    """Draws of the starts that are kept, taken together: shape (kept * each, ...)."""
    return {site: values[:each, kept].flatten(0, 1) for site, values in draws.items()}


kept = full_elbos > full_elbos.max() - 10
randomised = {site: values[:, starts:] for site, values in mean_field_draws.items()}
ensembles = {
    "mean-field": mean_field,
    "mean-field, mixture": mixture(randomised, kept),
    "full covariance": {site: v[:, full_elbos.argmax()] for site, v in full_draws.items()},
    "full covariance, mixture": mixture(full_draws, kept),
    "deep ensemble": deep_ensemble,
    "NUTS": nuts_draws,
}
networks = len(ensembles["full covariance, mixture"]["g.output.bias"])
print(f"{kept.sum()} of {starts} starts are kept: {networks} networks in each mixture")

places = torch.tensor([-13.0, -5.0, 2.5, 7.5, 13.0])
means, sds = {}, {}
for name, weights in ensembles.items():
    with torch.no_grad():
        mean, variance = predict(weights, places)
    means[name] = mean.mean(0).tolist()
    sds[name] = variance_parts(mean, variance)[0].sqrt().tolist()
columns = [f"x = {place:g}" for place in places.tolist()]
mean_of_h, sd_of_h = (
    pd.DataFrame.from_dict(rows, orient="index", columns=columns) for rows in (means, sds)
)
pd.concat({"mean of h": mean_of_h[["x = 2.5"]], "sd of h": sd_of_h}, axis=1).round(2)

# %%
(sd_of_h / sd_of_h.loc["NUTS"]).round(2)  # as a share of NUTS's

# %%
with torch.no_grad():
    h_in_gap, _ = predict(mean_field_draws, torch.tensor([2.5]))  # shape (500, 2 * starts, 1)
widths = h_in_gap.std(0).squeeze(-1)
for name, of_start in (("plain", widths[:starts]), ("randomised", widths[starts:])):
    print(f"sd of h(2.5), each mean-field guide, {name} starts:", end=" ")
    print(f"{of_start.min():.1f} to {of_start.max():.1f}")

# %% tags=["picture=what_networks_know"]
with torch.no_grad():
    functions = {name: predict(weights, x_line)[0] for name, weights in ensembles.items()}
levels = torch.tensor([0.025, 0.975])
exact = torch.cat([functions["NUTS"].mean(0)[None], functions["NUTS"].quantile(levels, dim=0)])

figure, axes = plt.subplots(2, 2, figsize=(8.8, 6.6), sharex=True, sharey=True)
figure.suptitle("Each method's mean and 95% band; dashed: those of NUTS")
shown = ("mean-field", "full covariance", "deep ensemble", "full covariance, mixture")
for ax, name in zip(axes.flat, shown, strict=True):
    plotting.regression(
        {"data": (x, y)},
        x_line,
        lines={"data": functions[name].mean(0)},
        bands={"data": [functions[name].quantile(levels, dim=0)]},
        exact=exact,
        xlabel="x" if ax in axes[1] else "",
        ylabel="h(x)" if ax in axes[:, 0] else "",
        title=name,
        ax=ax,
    )
    ax.set_ylim(-25, 25)

# %% [markdown]
# Now the dashed lines are NUTS: its mean, and the borders of its 95% band. Read the second table.
#
# - **Mean-field** is wrong in both directions. Where there are data it reports a third to a half
#   more than NUTS. In the gap it reports about a third, and outside a fifth or less: its band
#   hardly opens. Foong et al. (2019) found this *between* two pieces of data: with independent
#   weights, a guide that is sure at both ends of a gap is sure in between, too. Such a Bayesian
#   neural network does *not* know what it doesn't know, at the places where it matters.
# - **One Gaussian with a full covariance** gains many nats, and in range its width is nearly that
#   of NUTS. In the gap it is as wide as the one mode in which it sits, here hardly wider than
#   mean-field. Another start may sit on a mode that has the true hill, and its band will hold the
#   truth: by luck. Nature's curve is one case, and which start has the largest ELBO is nearly a
#   toss-up. What can be relied on is that one mode is not the posterior.
# - **The deep ensemble** is far too sure where data are, for there its members agree: each is a
#   point, which knows nothing of its own uncertainty. In the gap it has about a third of NUTS's
#   width, as mean-field has.
# - **The mixtures** have the width of each Gaussian, and the distances between them. In the gap
#   that is what counts: even the mixture of mean-field guides is twice as wide as the first row,
#   and three quarters as wide as that of the full covariances (over the seeds 0 to 9 it had 0.76 to
#   1.14 times the width of the latter). Correlations pay where there are data: there the mean-field
#   mixture is more than one and a half times as wide as NUTS, the other by about a fifth at most.
#
# Two things distinguish the first row from the recommended one, the mixture of full covariances:
# the guide, and the starts, plain or randomised. (The lines below the tables: what a single
# mean-field guide reports in the gap is anything between a narrow and a wide band, depending on its
# start.) So do not read the difference of these two rows
# as the worth of correlations. The rows *mean-field, mixture* and *full covariance, mixture* have
# the same starts, and so have the gains in nats above.
#
# Do not rely on the mixture's width in the gap either. Sixteen starts are few: over the seeds 0 to
# 9 its standard deviation at $x = 2.5$ was between 3.1 and 5.4 (the first row's, 1.1 to 1.9;
# NUTS's, 4.1). And the fits are not quite at rest: after 8,000 steps instead of 3,000 (seed 0) it
# fell by a quarter, as more of the starts had moved to the same few modes, those that a Gaussian
# fits best. In range, the longer fit changed the standard deviations by less than a tenth. So part
# of the diversity is that of the *starts*, which a short fit keeps. A mixture of Gaussians is a
# better approximation than one, and not a posterior.
#
# The price: a full covariance has $47 \cdot 48 / 2$ entries for each of 16 starts. With
# thousands of weights that is not affordable; a covariance of *low rank* is the usual compromise.

# %% [markdown]
# ## 5. Calibration
#
# A forecaster is *calibrated* if what they call 95% sure happens 95% of the time. For each method:
# how many of the test points lie in its 50%, 80% and 95% intervals?
#
# The interval of level $c$ reaches from the $\frac{1-c}{2}$ quantile of the predictive distribution
# to its $\frac{1+c}{2}$ quantile. It is not necessary to compute these. A point $y$ lies between
# two quantiles if the probability of a smaller value lies between their levels,
#
# $$\frac{1 - c}{2} < F(y) < \frac{1 + c}{2}, \qquad
# F(y) = \frac{1}{M} \sum_{j=1}^M \Phi\Bigl(\frac{y - m_j}{\sqrt{v_j}}\Bigr),$$
#
# where $\Phi$ is the distribution function of the standard normal, and $F$, that of the mixture.
#
# ### ✏️ Exercise 6: coverage
#
# Complete `coverage`: the share of the points whose `y` lies in the interval of this `level`, one
# number. `mean` and `variance` have shape `(M, n)`, `y` has shape `(n,)`.
#
# <details><summary>Hint</summary>
#
# `dist.Normal(mean, sd).cdf(y)` is $\Phi$ of the formula, for each network and point. Average
# first, then compare; `(u > a) & (u < b)` is `True` where both hold.
#
# </details>


# %%
def coverage(mean, variance, y, level):
    ### BEGIN SOLUTION
    cdf = dist.Normal(mean, variance.sqrt()).cdf(y).mean(0)
    inside = (cdf > (1 - level) / 2) & (cdf < (1 + level) / 2)
    share = inside.float().mean()
    ### END SOLUTION
    return share


# %% tags=["nbval-check-output"]
check.coverage(coverage)

# %%
nominal = (0.5, 0.8, 0.95)
rows, shares = {}, {}
for name in ("two heads", *ensembles, "the truth"):
    for region, (x_test, y_test) in test.items():
        with torch.no_grad():
            if name in ensembles:
                mean, variance = predict(ensembles[name], x_test)
            elif name == "two heads":
                mean, variance = (values[None] for values in two_heads(x_test))
            else:
                mean, variance = true_mean(x_test)[None], true_sd(x_test)[None] ** 2
        shares[name, region] = [float(coverage(mean, variance, y_test, c)) for c in nominal]
        score = log_predictive(mean, variance, y_test).mean().item()
        rows.setdefault(name, []).extend([score, shares[name, region][-1]])
columns = pd.MultiIndex.from_product([test, ["mean ln p", "in 95%"]])
calibration = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
calibration.round(3)

# %%
looks = {
    "two heads": {"marker": "o"},
    "mean-field": {"marker": "^"},
    "deep ensemble": {"marker": "s"},
    "full covariance, mixture": {"marker": "D"},
    "NUTS": {"marker": "_", "color": "black", "ms": 14, "mew": 2.5},
}
figure, axes = plt.subplots(1, 3, figsize=(9.0, 3.8), sharey=True)
for ax, region in zip(axes, test, strict=True):
    for k, (name, look) in enumerate(looks.items()):
        x_shown = [interval + 0.2 * (k - 2) for interval in range(3)]
        ax.plot(x_shown, shares[name, region], ls="", label=name, **look)
    for k, level in enumerate(nominal):
        ax.plot([k - 0.45, k + 0.45], [level] * 2, color="0.35", lw=1, ls=":")
        ax.axvline(k + 0.5, color="0.85", lw=0.8)
    ax.set(title=region, xlabel="interval", xlim=(-0.6, 2.6), ylim=(0, 1.02))
    ax.set_xticks(range(3), ["50%", "80%", "95%"])
    ax.grid(visible=False, axis="x")
axes[0].set_ylabel("share of test points inside")
_ = figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)

# %% [markdown]
# (The dotted lines are where a calibrated forecaster would be.) In range nobody is far off;
# two heads and the deep ensemble, without a word for the line's uncertainty or nearly so, have
# intervals that are too short, the other ones slightly too long. The log-likelihood of the mixture
# is within a few hundredths of a nat of NUTS's, and NUTS's within a few of the truth's. The gap
# divides the methods. The 95% interval of mean-field holds a fifth of the points: *fewer* than that
# of two heads, which has no epistemic part at all but happens to be less far off. The mixture's
# holds far more, NUTS's nine tenths; with other seeds the mixture's held a half to nine tenths, as
# its width varies. Note that even NUTS is not calibrated at 50% there. The posterior is an average
# over all functions that the prior allows, and nature has drawn one.
#
# Outside the data **everybody is too sure**, NUTS included: its 95% interval holds not even two
# thirds of the points. It is the exact answer, so inference is not to blame. The prior is: a sum of
# $\tanh$ goes flat beyond the data, and does not believe that a wave goes on. An exact posterior is
# only as good as its prior; and networks inside a probabilistic model do not change that (Masegosa
# et al. 2019 survey such models).

# %% [markdown]
# ## 6. Images: does it notice what is no digit?
#
# A classifier of handwritten digits returns ten probabilities. Given a picture of something else,
# it has to answer all the same. A plain network often does so with full confidence. The images have
# $28 \times 28 = 784$ pixels from 0 (background) to 1 (ink); 60,000 are for training.

# %%
images, digits = load_mnist()
test_images, test_digits = load_mnist(train=False)

pyro.set_rng_seed(SEED)
plain = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
epochs, batch_size = 8, 500
batches = epochs * 60_000 // batch_size


def batch_numbers():
    """Which images each step sees: every epoch goes through all of them, in a new order."""
    order = [torch.randperm(60_000).split(batch_size) for _ in range(epochs)]
    return iter([batch for epoch in order for batch in epoch])


queue = batch_numbers()


def plain_loss():
    batch = next(queue)
    return cross_entropy(plain(images[batch]), digits[batch])


_ = minimise(plain_loss, plain.parameters(), batches, 0.01, 0.0005)

# %% [markdown]
# Two things are new here. A *rectified linear unit*, $\max(0, a)$, stands where $\tanh$ stood. And
# each step sees a **minibatch** of 500 images instead of all 60,000: its mean loss is a noisy, but
# unbiased estimate of the mean over all. One pass through all images is an *epoch*.
#
# ### A Bayesian classifier
#
# The network is the same with your `BayesianLinear` in place of `nn.Linear`: all 79,510 weights
# have $\mathcal{N}(0, 1)$ priors. A popular shortcut treats the last layer alone as Bayesian. We do
# not take it: the features that the last layer sees are made by the first one, and if that one has
# no doubts, an inverted image may well have the features of a perfectly clear digit.
#
# In the model, the plate is told that there are 60,000 images, of which this call sees `len(x)`. It
# multiplies the log likelihood by 60,000 / 500 = 120, so that data and prior keep their proportion.


# %%
class DigitNetwork(PyroModule):
    def __init__(self):
        super().__init__()
        self.hidden = BayesianLinear(784, 100, 1.0, 1.0)
        self.output = BayesianLinear(100, 10, 1.0, 1.0)

    def forward(self, x):
        return self.output(self.hidden(x).relu())


digit_network = DigitNetwork()


def classifier(x, y):
    logits = digit_network(x)
    with pyro.plate("images", len(images), subsample_size=len(x)):
        pyro.sample("digit", dist.Categorical(logits=logits), obs=y)


# %% [markdown]
# `Categorical(logits=a)` has the probabilities $e^{a_k} / \sum_l e^{a_l}$, the *softmax* of $a$.
# The guide is mean-field (a full covariance of 79,510 weights has three billion entries); it starts
# at the plain network. `poutine.scale` divides all log densities by the number of images, in the
# model and in the guide (both, or the two terms of the ELBO would have different weights). That
# makes the gradients small enough for the optimiser's clipping.

# %%
at_plain = {
    "hidden.weight": plain[0].weight.T,
    "hidden.bias": plain[0].bias,
    "output.weight": plain[2].weight.T,
    "output.bias": plain[2].bias,
}
at_plain = {site: value.detach().clone() for site, value in at_plain.items()}

pyro.set_rng_seed(SEED)
pyro.clear_param_store()
digit_guide = AutoNormal(classifier, init_loc_fn=init_to_value(values=at_plain), init_scale=0.05)
decay = (0.0002 / 0.02) ** (1 / batches)
svi = SVI(
    poutine.scale(classifier, 1 / len(images)),
    poutine.scale(digit_guide, 1 / len(images)),
    pyro.optim.ClippedAdam({"lr": 0.02, "lrd": decay}),
    Trace_ELBO(),
)
digit_losses = [svi.step(images[batch], digits[batch]) for batch in batch_numbers()]

# %%
plotting.elbo_curve(digit_losses, title="Per image: nearly flat")

# %% [markdown]
# Most of this nat per image is not misfit but the KL divergence of 79,510 weights from their
# priors, divided by 60,000; how well the digits are predicted, the next table says.
#
# With 50 draws of all weights, the ensemble predicts in one call; large sets of images go through
# in pieces, to save memory.

# %%
with torch.no_grad(), pyro.plate("draws", 50, dim=-2):
    digit_draws = {
        site: values.squeeze(1)  # the dimension of the plate, of size 1
        for site, values in digit_guide(images[:1], digits[:1]).items()
    }


def probabilities(x):
    """Class probabilities of every network for every image: shape (50, n, 10)."""
    with torch.no_grad():
        pieces = [
            pyro.condition(digit_network, data=digit_draws)(piece).softmax(-1)
            for piece in x.split(1000)
        ]
    return torch.cat(pieces, dim=1)


def plain_probabilities(x):
    with torch.no_grad():
        return plain(x).softmax(-1)[None]


methods = {"plain": plain_probabilities, "Bayesian": probabilities}
on_digits = {name: method(test_images) for name, method in methods.items()}
rows = {}
for name, p in on_digits.items():
    p = p.mean(0)
    right = p.gather(1, test_digits[:, None])
    rows[name] = [
        (p.argmax(1) == test_digits).float().mean().item(),
        right.log().mean().item(),
    ]
columns = ["test accuracy", "mean ln p(digit)"]
on_test_digits = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
on_test_digits.round(4)

# %% [markdown]
# ### A digit that turns
#
# The picture of Louizos and Welling (2017): take one test image and rotate it. At each angle, a
# point shows the mean probability of a digit, and the bar the middle 90% of the 50 networks.

# %%
angles = torch.arange(0, 181, 15)
digit = test_images[22].reshape(1, 28, 28)
turned = torch.stack(
    [
        images_of.rotate(digit, angle, images_of.InterpolationMode.BILINEAR)[0]
        for angle in angles.tolist()
    ]
)
plotting.image_grid(turned, columns=13, titles=[f"{a}°" for a in angles.tolist()])

# %%
p = probabilities(turned.flatten(1))
low, high = p.quantile(torch.tensor([0.05, 0.95]), dim=0)
mean = p.mean(0)
low, high = low.minimum(mean), high.maximum(mean)  # a few networks can move the mean far
certain = plain_probabilities(turned.flatten(1))[0]
often = mean.amax(0).argsort(descending=True)[:4].sort()[0].tolist()
figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.8), sharey=True)
for marker, shift, k in zip("o^sD", (-2, -0.7, 0.7, 2), often, strict=True):
    place = angles.cpu() + shift  # side by side
    axes[0].plot(place, certain[:, k].cpu(), marker, label=f"“{k}”")
    reach = torch.stack([mean - low, high - mean])[..., k].cpu()
    axes[1].errorbar(place, mean[:, k].cpu(), reach, fmt=marker)
for ax, title in zip(axes, ("Plain network", "Bayesian: between 6 and 9 it doubts"), strict=True):
    ticks = angles.tolist()[::2]
    ax.set_xticks(ticks, [f"{angle}°" for angle in ticks])
    ax.set(title=title, xlabel="rotation")
    ax.grid(visible=False, axis="x")
axes[0].set_ylabel("probability")
_ = figure.legend(loc="outside lower center", ncols=4)

# %% [markdown]
# Upright it is a 6, upside down a 9, and on the way it is neither. Each point of the plain network
# is one answer, often a sure one for a wrong digit. The Bayesian network has many: on the way its
# bars reach from nearly 0 to nearly 1, its members contradict each other, and no digit has the
# whole of the mean. Turned by 120° to 150°, a 6 looks like a 9, and it says so with little doubt:
# it notices what looks unlike all digits, not what is upside down.
#
# ### The entropy of a prediction
#
# How uncertain are ten probabilities $p_1, \dots, p_{10}$? Their **entropy**,
#
# $$H(p) = -\sum_{k=1}^{10} p_k \ln p_k,$$
#
# is 0 if one of them is 1, and largest, $\ln 10 \approx 2.3$, if all are equal.
#
# ### ✏️ Exercise 7: predictive entropy
#
# Complete `predictive_entropy` for the ensemble's prediction. `p` has shape `(M, n, 10)`: the
# probabilities of $M$ networks for $n$ images. The ensemble's prediction is their average over the
# networks; return its entropy for each image, shape `(n,)`. A probability may be exactly 0; $0 \ln
# 0$ counts as 0.
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

# %% [markdown]
# Now pictures that are not digits: noise, test images with black and white exchanged, and test
# images whose pixels have been shuffled. And one case in between, digits on their side, of which
# some (0, 8) still are digits.

# %%
generator = torch.Generator("cpu").manual_seed(4)
noise = torch.rand(10_000, 784, generator=generator, device="cpu").to(device)
shuffle = torch.rand(10_000, 784, generator=generator, device="cpu").argsort(1).to(device)
strange = {
    "noise": noise,
    "inverted": 1 - test_images,
    "shuffled": test_images.gather(1, shuffle),
    "on their side": test_images.reshape(-1, 28, 28).rot90(1, (1, 2)).flatten(1),
}
entropy = {
    name: {"digits": predictive_entropy(on_digits[name])}
    | {kind: predictive_entropy(method(x_strange)) for kind, x_strange in strange.items()}
    for name, method in methods.items()
}

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.8), sharex=True, sharey=True)
for ax, name in zip(axes, methods, strict=True):
    for line, kind in zip(("-", "--", "-."), ("digits", "noise", "inverted"), strict=True):
        values = entropy[name][kind].cpu()
        look = {"histtype": "step", "ls": line, "lw": 1.8, "label": kind}
        ax.hist(values, bins=45, range=(0, math.log(10)), density=True, **look)
    ax.set(yscale="log", xlabel="entropy of the prediction (nats)")
axes[0].set(title="Plain: sure of noise and of negatives", ylabel="density (logarithmic scale)")
axes[1].set_title("Bayesian: sure of digits only")
_ = figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)

# %% [markdown]
# ### ✏️ Exercise 8: one number for two histograms
#
# How well does entropy tell digits from the rest? Pick one image of each kind at random. The
# probability that the *other* image has the larger entropy is called **AUROC** (area under the
# receiver operating characteristic; the curve of that name leads to the same number): 1 is perfect,
# ½ is a coin toss, and 0 means that the digits always have the larger one.
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
aurocs = pd.DataFrame(
    {
        name: {
            kind: float(auroc(entropy[name]["digits"][::3], values[::3]))
            for kind, values in entropy[name].items()
            if kind != "digits"
        }
        for name in methods
    }
)
aurocs.round(4)

# %% [markdown]
# (Every third image, `[::3]`, for the comparison of all pairs needs memory: there are 11 million of
# them even so.)
#
# The plain network is a good classifier of digits, and for noise and negatives confident nonsense:
# the AUROC of inverted images is *below* one half, so it is more sure of a negative than of a
# digit. (Shuffled images it does tell apart, mostly.) Nearly all noise and all negatives are beyond
# doubt not digits to the Bayesian network, and its accuracy is no worse. Why is mean-field good
# enough here, when it failed in the gap? A likely reason: pixels at the border are 0 in all
# training images. Nothing is known of their weights, which keep their priors, independent of all
# others: mean-field has *that* right. Noise and negatives have ink there, and so the
# networks disagree. Digits on their side have no ink there, and for them the advantage is much
# smaller. That is the *between* of this problem: an image made of strokes in usual places.

# %% [markdown]
# ## 7. Real data again: rugged countries
#
# The day began with a line for each of two groups: log GDP falls with ruggedness outside Africa and
# rises inside it, which was 96% sure *if* the world is made of lines. A Bayesian network can do
# without them. One network takes both inputs, ruggedness and whether the country is in Africa, both
# scaled to the order of 1; the noise has one standard deviation, $\sigma = e^s$ with $s \sim
# \mathcal{N}(0, 1)$. All the rest you know.


# %%
class RuggedRegressor(PyroModule):
    def __init__(self):
        super().__init__()
        self.hidden = BayesianLinear(2, 8, 1.5, 1.5)
        self.output = BayesianLinear(8, 1, 2.0 / math.sqrt(8), 2.0)
        self.s = PyroSample(dist.Normal(0.0, 1.0))

    def forward(self, x, y=None):
        mean = self.output(torch.tanh(self.hidden(x))).squeeze(-1)
        pyro.sample("y", dist.Normal(mean, self.s.exp()[..., None]).to_event(1), obs=y)
        return mean


rugged_regressor = RuggedRegressor()


def many_rugged(x, y=None):
    with pyro.plate("starts", starts, dim=-1):
        return rugged_regressor(x, y)


countries = load_rugged()
ruggedness, africa, log_gdp = (
    torch.tensor(countries[column].to_numpy(), dtype=torch.float32)
    for column in ("rugged", "cont_africa", "log_gdp")
)


def inputs(ruggedness, africa):
    africa = torch.as_tensor(africa, dtype=torch.float32).expand_as(ruggedness)
    return torch.stack([ruggedness / 2 - 0.7, 2 * africa - 1], dim=-1)


# %%
pyro.set_rng_seed(SEED)
pyro.clear_param_store()
with torch.no_grad():
    trace = poutine.trace(many_rugged).get_trace(inputs(ruggedness, africa))
prior_draws = {
    site: node["value"]
    for site, node in trace.iter_stochastic_nodes()
    if site not in ("starts", "y")
}
rugged_guide = FullCovariance(prior_draws, init_scale=0.1)
x_rugged, y_rugged = inputs(ruggedness, africa), log_gdp - log_gdp.mean()
rugged_losses = inference.fit(
    many_rugged,
    rugged_guide,
    x_rugged,
    y_rugged,
    steps=2000,
    learning_rate=0.1,
    final_learning_rate=0.001,
    particles=2,
    max_plate_nesting=1,
)
rugged_draws, rugged_elbos, error = draws_and_elbos(
    many_rugged, rugged_guide, x_rugged, y_rugged, n=200
)
rugged_draws = mixture(rugged_draws, rugged_elbos > rugged_elbos.max() - 10, each=200)
show_elbos("full covariance:", rugged_elbos)
print(f"standard error of each: {error.median():.1f}")


def rugged_functions(ruggedness, africa):
    with torch.no_grad():
        functions = pyro.condition(rugged_regressor, data=rugged_draws)(inputs(ruggedness, africa))
    return functions + log_gdp.mean()


# %%
plotting.elbo_curve(
    [loss / starts for loss in rugged_losses],
    title="Ruggedness: the average ELBO of the starts comes to rest",
)

# %%
x_rugged_line = torch.linspace(0, 7, 71)
middle_90 = torch.tensor([0.05, 0.95])
figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.7), sharey=True)
for k, (ax, group) in enumerate(zip(axes, ("non-African", "African"), strict=True)):
    functions = rugged_functions(x_rugged_line, k)
    here = africa == k
    plotting.regression(
        {group: (ruggedness[here], log_gdp[here])},
        x_rugged_line,
        lines={group: functions.mean(0)},
        bands={group: [functions.quantile(middle_90, dim=0)]},
        xlabel="ruggedness (100 m)",
        ylabel="log GDP per person (2000)" if k == 0 else "",
        title=f"{group}: the mean, and 90% of the curves",
        start=k,
        ax=ax,
    )

# %% [markdown]
# A curve has no slope; it has one at each place. To compare with the lines, ask each drawn curve
# for the slope of the *best line through it* at the ruggedness of the group's countries,
# $\operatorname{ cov}(x, f(x)) / \operatorname{var}(x)$, and for its *average derivative* over
# them. A line has the same value for both. For lines themselves, with a flat prior, the slope has a
# Student's t distribution around that of least squares.

# %%
slopes = {"a line": [], "a network, best line": [], "a network, average slope": []}
for k in (0, 1):
    x_group, y_group = ruggedness[africa == k], log_gdp[africa == k]
    dx = x_group - x_group.mean()
    least_squares = (dx * y_group).sum() / dx.square().sum()
    residual = y_group - y_group.mean() - least_squares * dx
    error = (residual.square().sum() / (len(dx) - 2) / dx.square().sum()).sqrt()
    slopes["a line"].append(dist.StudentT(len(dx) - 2.0, least_squares, error).sample((4000,)))
    curves = rugged_functions(x_group, k)
    slopes["a network, best line"].append((dx * curves).sum(1) / dx.square().sum())
    rise = rugged_functions(x_group + 0.05, k) - rugged_functions(x_group - 0.05, k)
    slopes["a network, average slope"].append(rise.mean(1) / 0.1)

conclusions = pd.DataFrame(
    {
        name: {
            "P(falls outside Africa)": (outside < 0).float().mean().item(),
            "P(rises inside Africa)": (inside > 0).float().mean().item(),
            "P(both)": ((outside < 0) & (inside > 0)).float().mean().item(),
            "sd of the slope outside": outside.std().item(),
            "sd of the slope inside": inside.std().item(),
        }
        for name, (outside, inside) in slopes.items()
    }
)
conclusions.round(3)

# %% [markdown]
# The picture outside Africa agrees with the morning's: falling. Inside, the two questions do not
# even agree on the sign: the best line more probably rises than not, the average slope does not.
# And the statement that was 96% sure is now less probable than not. Several things have changed at
# once. A curve may bend, so that the few very rugged countries no longer fix the slope among all
# others. The lines have a flat prior, and the network's prior shrinks towards functions that are
# not steep. The lines are fitted to each group apart, with a $\sigma$ of its own; the network has
# one $\sigma$, and is shared by the groups, so that it has to be persuaded that Africa is
# different. We have not measured which of these does how much. Nor is there a reference posterior
# here: it is the same approximation as above, unchecked. None of the models is a mistake. But a
# conclusion that depends so much on the model is, to that extent, the model's and not the data's;
# to compare models is the way on, not to choose the one with the stronger conclusion.

# %% [markdown]
# ## 8. Scorecard
#
# The guide that we recommend for a regression of this size, the mixture of full covariances, beside
# NUTS. `sd[h]` is the epistemic standard deviation. In the table, the `error` of a mean is in units
# of the exact `sd[y]` at the same $x$, that of a standard deviation is relative, that of a
# log-likelihood is in nats, and that of a probability is the relative one of its odds, $p / (1 -
# p)$. (The check judges a probability as such.)


# %%
places = torch.tensor([-5.0, 2.5, 7.5])


def answers(weights):
    with torch.no_grad():
        at_places = predict(weights, places)
        in_range = predict(weights, test["in range"][0])
    epistemic, aleatoric = variance_parts(*at_places)
    result = {}
    for k, place in enumerate(places.tolist()):
        result[f"E[y | x = {place:g}]"] = at_places[0][:, k].mean()
        result[f"sd[y | x = {place:g}]"] = (epistemic + aleatoric)[k].sqrt()
        result[f"sd[h | x = {place:g}]"] = epistemic[k].sqrt()
    y_test = test["in range"][1]
    result["P(y in its 95% interval, in range)"] = coverage(*in_range, y_test, 0.95)
    result["mean ln p(y) in range"] = log_predictive(*in_range, y_test).mean()
    return {name: float(value) for name, value in result.items()}


approximate = answers(ensembles["full covariance, mixture"])
truth = answers(nuts_draws)

# %%
scorecard = make_scorecard(approximate, truth)
in_gap = scorecard.index.str.contains("x = 2.5", regex=False)
show_scorecard(scorecard)

# %% [markdown]
# Where there are data the mixture is too wide, by 10% to 30% in `sd[h]`: its Gaussians
# spread over weights that leave the function nearly unchanged. In the gap its width is a matter of
# which modes the starts found: over the seeds 0 to 9 it was between 0.74 and 1.32 times that of
# NUTS, and at least 1.8 times that of mean-field. So the two are judged apart: in range, standard
# deviations within 35%; in the gap, within 45%. Seed 8 would not pass: one badly fitting start of
# its twelve makes it 43% too wide at $x = 7.5$. The last check asks what else we claim.

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard[~in_gap], mean=0.2, sd=0.35, probability=0.03, nats=0.05)
check.scorecard_within(scorecard[in_gap], mean=0.5, sd=0.45)
check.claims(
    {
        "coverage in range between 0.92 and 0.98": 0.92
        <= approximate["P(y in its 95% interval, in range)"]
        <= 0.98,
        "wider than mean-field in the gap": approximate["sd[h | x = 2.5]"]
        > sd_of_h.loc["mean-field", "x = 2.5"],
        "digits: test accuracy at least 0.97": on_test_digits.loc["Bayesian", "test accuracy"]
        >= 0.97,
        "digits: AUROC at least the plain network's, for noise and for inverted images": (
            aurocs["Bayesian"] >= aurocs["plain"]
        )[["noise", "inverted"]].all(),
    }
)

# %% [markdown]
# ## 9. Going further
#
# - **The prior, again.** Outside the data every method is too sure, NUTS included. Which
#   activation, or which scale, would let the functions of the prior go on as waves? Try
#   $\sin$ in place of $\tanh$.
# - **Where to start.** `mean_field_draws` has 16 guides that started at `start_points`. Is each of
#   them too narrow in the gap? What do ELBO and width say together?
# - **The weights of the mixture.** Give the 16 Gaussians a weight each, and fit the weights by the
#   ELBO of the mixture. Which starts remain, and does the band in the gap become better?
#
# ### References
#
# - C. Blundell, J. Cornebise, K. Kavukcuoglu and D. Wierstra (2015). Weight uncertainty in neural
#   networks. *International Conference on Machine Learning*, PMLR 37, 1613–1622.
# - A. Y. K. Foong, Y. Li, J. M. Hernández-Lobato and R. E. Turner (2019). “In-between” uncertainty
#   in Bayesian neural networks. arXiv:1906.11537.
# - M. D. Hoffman and A. Gelman (2014). The No-U-Turn Sampler. *Journal of Machine Learning
#   Research* 15, 1593–1623.
# - B. Lakshminarayanan, A. Pritzel and C. Blundell (2017). Simple and scalable predictive
#   uncertainty estimation using deep ensembles. *Advances in Neural Information Processing Systems*
#   30. arXiv:1612.01474.
# - C. Louizos and M. Welling (2017). Multiplicative normalizing flows for variational Bayesian
#   neural networks. *International Conference on Machine Learning*, PMLR 70, 2218–2227.
# - A. R. Masegosa, R. Cabañas, H. Langseth, T. D. Nielsen and A. Salmerón (2019). Probabilistic
#   models with deep neural networks. arXiv:1908.03442.
# - R. M. Neal (1996). *Bayesian Learning for Neural Networks*. Springer.
# - T. Pearce, F. Leibfried and A. Brintrup (2020). Uncertainty in neural networks: Approximately
#   Bayesian ensembling. *Artificial Intelligence and Statistics*, PMLR 108, 234–244.
