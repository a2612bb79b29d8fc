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
# # Factor analysis: an autoencoder with linear transformations
#
# **After this notebook you will be able to**
#
# - write a model of images without labels, in which a few hidden numbers explain 784 pixels;
# - write an *amortised* guide, one function that maps every image to its posterior;
# - fit both to 60,000 images in minibatches, and say by how many nats the result misses the exact
#   maximum likelihood, and why;
# - say what a rotation of the hidden numbers leaves as it is, and what that means for "interpreting
#   the factors";
# - choose the number of factors by held-out likelihood, and say why noise per pixel breaks.
#
# **Time:** 110 minutes. **Before:** Day 1 and the first two notebooks of Day 2. You need plates,
# `to_event`, `pyro.param`, guides and the ELBO.
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

from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import SVI, Trace_ELBO
from tqdm.auto import tqdm

from checks import factor_analysis as check
from utils.data import load_mnist
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)
double = {"dtype": torch.float64, "device": "cpu"}  # for what has to be exact

# %% [markdown]
# ## 1. Learning without labels
#
# In regression every $\mathbf{x}$ came with an answer $y$. Here there are only the $\mathbf{x}$,
# and the aim is to find structure in them. The idea of the lecture: behind each observation stands
# a hidden vector $\mathbf{z}$, much shorter than $\mathbf{x}$, from which it was made.
#
# - **A generative model**, or *decoder*, says how: $\mathbf{z} \sim p(\mathbf{z})$ and
#   $\mathbf{x} \sim p(\mathbf{x} \mid \mathbf{z}, \theta)$, with parameters $\theta$ to be learned.
# - **Variational inference** goes back. The guide $q(\mathbf{z} \mid \mathbf{x}, \phi) \approx
#   p(\mathbf{z} \mid \mathbf{x}, \theta)$, or *encoder*, has parameters $\phi$.
#
# With neural networks for both, this is a *variational autoencoder*, the topic of the next
# notebook. Here both are linear, the simplest choice, for which everything has an exact answer. So
# you will see what such a method can do, what it cannot, and whether its ELBO is to be trusted.

# %% [markdown]
# ## 2. The data
#
# MNIST: 60,000 handwritten digits to learn from and 10,000 more for tests. Each image has 28 × 28
# pixels between 0 (background) and 1 (ink), here as one row of 784 numbers. The labels are not used
# to learn, only to colour pictures.

# %%
images, labels = load_mnist()
test_images, test_labels = load_mnist(train=False)
mean_image = images.mean(0)

plotting.image_grid(images[:20], title="The first twenty of 60,000 images")

# %%
never_ink = images.amax(0) == 0
print(f"images: {tuple(images.shape)}; pixels that are 0 in all of them: {never_ink.sum().item()}")

# %% [markdown]
# Remember those pixels in the corners that never change. They will cause trouble in section 10.

# %% [markdown]
# ## 3. The model
#
# Each image has $q$ **factors**, hidden numbers $\mathbf{z} = (z_1, \dots, z_q)$. Its pixels are a
# linear function of them, plus noise:
#
# $$\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I}), \qquad
# \mathbf{x} \mid \mathbf{z} \sim \mathcal{N}(\mathbf{W} \mathbf{z} + \mathbf{b},\
# \sigma^2 \mathbf{I}).$$
#
# $\mathbf{I}$ is the identity matrix: the factors are independent, each with standard deviation 1,
# and every pixel has noise of its own, with one standard deviation $\sigma$ for all. The
# parameters are $\theta = (\mathbf{W}, \mathbf{b}, \sigma)$:
#
# - $\mathbf{W}$, of shape `(784, q)`, the **loadings**: column $j$ is what one unit of $z_j$ adds
#   to the image, and is an image itself;
# - $\mathbf{b}$, of shape `(784,)`, the image of $\mathbf{z} = \mathbf{0}$;
# - $\sigma$, a number: what the factors leave unexplained.
#
# (The letter $q$ has two meanings, both customary: alone it is the number of factors; with an
# argument, as in $q(\mathbf{z} \mid \mathbf{x})$, the density of the guide.)
#
# The parameters get no prior. A `pyro.param` may stand in a *model*, too: then the fit moves it to
# where the ELBO is largest, together with the guide's parameters. So $\mathbf{z}$ is inferred, with
# a posterior, and $\theta$ is estimated, as a point. With 60,000 images that is no great loss.
#
# ### ✏️ Exercise 1: the model
#
# Write `factor_model`. `x` holds $n$ images, shape `(n, 784)`, `q` is the number of factors and
# `mean` the mean image, where `b` starts. The parameters are `W`, initially
# `0.1 * torch.randn(784, q)`, `b`, initially a copy of `mean`, and `sigma`, initially
# `torch.tensor(1.0)` (an initial value is always a tensor) and always positive. The sites are `z`
# and `x`, in a plate over the images, named `images`. The vector of one image is *one* event, for
# both sites.
#
# <details><summary>Hint</summary>
#
# Three `pyro.param` and, in the plate, two `pyro.sample` with `.to_event(1)`. The plate is as large
# as the batch: `len(x)`. For all images at once, $\mathbf{W}\mathbf{z}$ is `z @ W.T`, of shape
# `(n, 784)`. A prior of $q$ standard normals: `dist.Normal(torch.zeros(q), 1.0)`. An initial value
# may be a function, `lambda: ...`, which Pyro calls only once; and `mean.clone()` is a copy of
# `mean`, which the fit may change.
#
# </details>


# %%
def factor_model(x, q, mean):
    ### BEGIN SOLUTION
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param("sigma", torch.tensor(1.0), constraint=constraints.positive)
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.factor_model(factor_model)

# %%
plotting.draw_model(factor_model, images[:4], 2, mean_image, labels={"z": r"$\mathbf{z}$"})

# %% [markdown]
# Two things in `W` are for the fit. It starts at *random* values: at $\mathbf{W} = \mathbf{0}$ no
# factor has an effect, so there is nothing that a guide could read off the image, and nothing that
# tells the factors apart. And they are small, so that at the start the noise explains the image,
# not a random pattern.

# %% [markdown]
# ## 4. The guide
#
# So far each unknown had parameters of its own in the guide. Here every image has its own
# $\mathbf{z}$: $2q$ parameters for each of 60,000 images, and a new fit for each new one. An
# **amortised** guide learns a *function* from the image to its posterior instead, and so spreads
# the cost over all images. Ours is linear:
#
# $$q(\mathbf{z} \mid \mathbf{x}) = \mathcal{N}\bigl(\mathbf{V} (\mathbf{x} - \bar{\mathbf{x}}),\
# \mathrm{diag}(s_1^2, \dots, s_q^2)\bigr).$$
#
# $\bar{\mathbf{x}}$ is the mean image. The parameters are $\phi = (\mathbf{V}, \mathbf{s})$:
# $\mathbf{V}$, of shape `(q, 784)`, reads the factors off the image, and $\mathbf{s}$, of shape
# `(q,)`, holds their standard deviations, the same for all images. Is that too simple? A diagonal
# covariance says that the factors are independent given the image: mean-field again, and the last
# notebooks have warned you. Section 6 has the answer.
#
# ### ✏️ Exercise 2: the guide
#
# Write `factor_guide`, with the arguments of the model, its plate, and the parameters `V`,
# initially zero, and `s`, initially 1 for every factor and always positive. Use the argument `mean`
# for $\bar{\mathbf{x}}$.
#
# <details><summary>Hint</summary>
#
# Which sites does the model have that are not observed? They need the same plate, with the same
# name. For all images at once, $\mathbf{V} (\mathbf{x} - \bar{\mathbf{x}})$ is
# `(x - mean) @ V.T`.
#
# </details>


# %%
def factor_guide(x, q, mean):
    ### BEGIN SOLUTION
    V = pyro.param("V", torch.zeros(q, 784))
    s = pyro.param("s", torch.ones(q), constraint=constraints.positive)
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal((x - mean) @ V.T, s).to_event(1))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.factor_guide(factor_guide)

# %% [markdown]
# `V` may start at zero because `W` does not: the patterns in `W` give it a direction to go. If both
# started at zero, no factor would have an effect, none would be read off, and neither would move.

# %%
for q in (2, 10, 50):
    print(f"q = {q:2}: {784 * q + 785:6} parameters in the model, {785 * q:6} in the guide")

# %% [markdown]
# ## 5. The fit
#
# ### Minibatches
#
# One step with all 60,000 images would be slow, and mostly wasted: a few hundred images tell nearly
# the same about where to go. A **minibatch** is a small random part of the data, new at every step.
# The mean ELBO of its images is, on average over all minibatches, that of all images: its gradient
# is noisy, but unbiased, like the gradient from draws of $\mathbf{z}$. Two kinds of noise, and one
# cure for both: a learning rate that decays.
#
# ### The scale of the loss
#
# `Trace_ELBO` returns a *sum* over the images. How large is its gradient, at the start, in a batch
# of 400?


# %%
def share_clipped(model, guide, q=2):
    pyro.clear_param_store()
    Trace_ELBO().loss_and_grads(model, guide, images[:400], q, mean_image)
    return {
        name: (value.unconstrained().grad.abs() > 10).float().mean().item()
        for name, value in pyro.get_param_store().items()
    }


def per_image(function, batch=400):
    return poutine.scale(function, scale=1 / batch)


pd.DataFrame(
    {
        "sum over 400 images": share_clipped(factor_model, factor_guide),
        "per image": share_clipped(per_image(factor_model), per_image(factor_guide)),
    }
).round(2)

# %% [markdown]
# These are the shares of the gradients' entries that are beyond ±10. Our optimiser, `ClippedAdam`,
# clips them there, as a safeguard against accidents. A gradient that is clipped at every step has
# lost its size, and keeps its sign only. The cure: `poutine` holds Pyro's tools to change how a
# model runs, and `poutine.scale` multiplies each of its log-densities by a number: those of the
# model and those of the guide, or the two terms of the ELBO would have different weights. With
# $1 / 400$ the loss is in nats *per image*, and can be compared whatever the size of the batch.
# Only the gradient of $\sigma$ is still clipped, at the start, where 784 pixels say at once that 1
# is far too much. (A plate with a `subsample_size` does the opposite: it scales a minibatch up to
# all data.)
#
# ### The loop
#
# In view, with all its settings. A step takes 400 images at random; the learning rate decays from
# 0.03 to 0.00005 (`lrd` is the factor of each step). `validation_enabled(False)` spares Pyro its
# checks of every value at every step, which take time. The function returns the losses, and which
# images each step took.


# %%
def fit(model, guide, q, steps=1000, batch=400, first=0.03, last=0.00005):
    pyro.clear_param_store()
    optimiser = pyro.optim.ClippedAdam({"lr": first, "lrd": (last / first) ** (1 / steps)})
    svi = SVI(per_image(model, batch), per_image(guide, batch), optimiser, Trace_ELBO())
    losses, batches = [], torch.randint(len(images), (steps, batch))
    with pyro.validation_enabled(False):
        for chosen in tqdm(batches, desc=f"q = {q}"):
            losses.append(svi.step(images[chosen], q, mean_image))
    return losses, batches


# %% [markdown]
# The losses belong to single minibatches. The ELBO that counts is the mean over all images; call it
# $\mathcal{L}$. It takes one draw of $\mathbf{z}$ for each image, which with 60,000 is plenty.


# %%
@torch.no_grad()
def elbo_per_image(model, guide, x, q):
    parts = x.split(10_000)  # not all at once: that would take a lot of memory
    losses = [Trace_ELBO().loss(model, guide, part, q, mean_image) for part in parts]
    return -sum(losses) / len(x)


# %% [markdown]
# Three fits, with 2, 10 and 50 factors. Keep the losses, the ELBO, and a copy of the parameters:
# the next fit overwrites them.

# %%
losses, batches, elbos, fitted = {}, {}, {}, {}
for q in (2, 10, 50):
    pyro.set_rng_seed(SEED)
    losses[q], batches[q] = fit(factor_model, factor_guide, q)
    elbos[q] = elbo_per_image(factor_model, factor_guide, images, q)
    fitted[q] = {name: pyro.param(name).detach().clone() for name in ("W", "b", "sigma", "V", "s")}
    print(f"q = {q:2}: ELBO per image {elbos[q]:.3f} nats")
again = elbo_per_image(factor_model, factor_guide, images, 50)
print(f"q = 50: with other draws  {again:.3f} nats")

# %% [markdown]
# Is that good? Nothing in these numbers says so. A log *density* of pixels may well be positive,
# and has no natural scale. We need the truth.

# %% [markdown]
# ## 6. The truth
#
# If $\mathbf{z}$ is normal and $\mathbf{x}$ a linear function of it plus normal noise, then
# $\mathbf{x}$ is normal too. Its mean is $\mathbf{b}$; its covariance is that of
# $\mathbf{W}\mathbf{z}$, plus the noise:
#
# $$\mathbf{x} \sim \mathcal{N}(\mathbf{b}, \mathbf{C}), \qquad
# \mathbf{C} = \mathbf{W} \mathbf{W}^\top + \sigma^2 \mathbf{I}.$$
#
# The integral over $\mathbf{z}$ is done: $p(\mathbf{x} \mid \theta)$ is known exactly, and which
# $\theta$ makes the data most probable is known as well. Tipping and Bishop (1999) call the model
# **probabilistic principal component analysis**. Take the covariance $\mathbf{S}$ of the images,
# with eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots \ge \lambda_{784}$ and eigenvectors
# $\mathbf{u}_1, \mathbf{u}_2, \dots$ of length 1, that is, $\mathbf{S} \mathbf{u}_j = \lambda_j
# \mathbf{u}_j$. The $\mathbf{u}_j$ are the *principal axes* of the data: orthogonal directions,
# along which the images are uncorrelated, with the variance $\lambda_j$ along the $j$-th. The
# maximum of the likelihood is at $\mathbf{b} = \bar{\mathbf{x}}$ and
#
# $$\sigma^2 = \frac{1}{784 - q} \sum_{j > q} \lambda_j, \qquad
# \mathbf{W} = \mathbf{U}_q (\boldsymbol{\Lambda}_q - \sigma^2 \mathbf{I})^{1/2} \mathbf{R}.$$
#
# $\mathbf{U}_q$ has the first $q$ eigenvectors as its columns, $\boldsymbol{\Lambda}_q$ the first
# $q$ eigenvalues on its diagonal, and $\mathbf{R}$ is *any* rotation, that is, $\mathbf{R}^\top
# \mathbf{R} = \mathbf{I}$ (a reflection, such as a change of a factor's sign, counts as one); take
# $\mathbf{R} = \mathbf{I}$ for now. In words: the factors take the directions of largest variance,
# and the noise is the mean variance of all the others.
#
# The eigenvalues of all 60,000 images, in double precision. (`correction=0` divides by the number
# of images, not by one less: that is the covariance of maximum likelihood.)

# %%
S = torch.cov(images.cpu().double().T, correction=0)
ascending, axes_ascending = torch.linalg.eigh(S)
eigenvalues = ascending.flip(0).clamp(min=0)  # rounding makes zeros a little negative
eigenvectors = axes_ascending.flip(1)  # column j belongs to eigenvalue j

share = eigenvalues.cumsum(0) / eigenvalues.sum()
print("largest eigenvalues:", [round(value, 2) for value in eigenvalues[:5].tolist()])
print("share of the variance:", {q: f"{share[q - 1]:.0%}" for q in (2, 10, 50, 200)})

# %% [markdown]
# ### ✏️ Exercise 3: maximum likelihood
#
# Complete `maximum_likelihood` for images of $D$ pixels; here $D$ is 784. From the eigenvalues,
# shape `(D,)` and in descending order, the eigenvectors, shape `(D, D)`, one a column, and `q`,
# compute `W`, shape `(D, q)`, and `sigma`, a tensor of one number, both in double precision like
# the eigenvalues.
#
# <details><summary>Hint</summary>
#
# First the variance: it is a mean. To multiply a matrix by a diagonal matrix from the right is to
# multiply each column by a number: `matrix * row`, with a `row` of shape `(q,)`.
#
# </details>


# %%
def maximum_likelihood(eigenvalues, eigenvectors, q):
    ### BEGIN SOLUTION
    sigma2 = eigenvalues[q:].mean()
    W = eigenvectors[:, :q] * (eigenvalues[:q] - sigma2).sqrt()
    sigma = sigma2.sqrt()
    ### END SOLUTION
    return W, sigma


# %% tags=["nbval-check-output"]
check.maximum_likelihood(maximum_likelihood)

# %% [markdown]
# How probable are the images then? In the coordinates of the eigenvectors $\mathbf{C}$ is diagonal,
# with the variances $\lambda_1, \dots, \lambda_q, \sigma^2, \dots, \sigma^2$, so the
# density is a product of 784 normal densities of one number. Let $v_j$ be the mean square of
# $\mathbf{u}_j^\top (\mathbf{x} - \mathbf{b})$ over the images whose likelihood is asked for. The
# mean log-likelihood per image is
#
# $$\frac{1}{N} \sum_{i=1}^N \ln p(\mathbf{x}_i \mid \theta) = -\frac{1}{2} \sum_{j=1}^{784} \Bigl(
# \ln 2\pi + \ln c_j + \frac{v_j}{c_j} \Bigr), \qquad
# c_j = \begin{cases} \lambda_j & j \le q \\ \sigma^2 & j > q. \end{cases}$$
#
# For the images that the model was fitted to, $v_j = \lambda_j$. For others it is not; you will
# need that in section 9.
#
# ### ✏️ Exercise 4: the exact log-likelihood
#
# Complete `log_likelihood`. `eigenvalues` holds the $\lambda_j$ and `v` the $v_j$, both of shape
# `(D,)` and in double precision, as `log_lik`, the mean log-likelihood, should be. $\sigma^2$ is
# the closed form of Exercise 3.
#
# <details><summary>Hint</summary>
#
# Make a copy, `c = eigenvalues.clone()`, and overwrite `c[q:]`. `math.log(2 * math.pi)` is
# $\ln 2\pi$; it is added once for every pixel.
#
# </details>


# %%
def log_likelihood(eigenvalues, v, q):
    ### BEGIN SOLUTION
    c = eigenvalues.clone()
    c[q:] = eigenvalues[q:].mean()
    log_lik = -0.5 * (math.log(2 * math.pi) + c.log() + v / c).sum()
    ### END SOLUTION
    return log_lik


# %% tags=["nbval-check-output"]
check.log_likelihood(log_likelihood)

# %% [markdown]
# No other parameters of this model, with two factors and one $\sigma$, give the images a larger
# likelihood, and no ELBO of this model can be above it. Here is the line, per image:

# %%
exact = {q: log_likelihood(eigenvalues, eigenvalues, q).item() for q in (2, 10, 50)}

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
for ax, q in zip(axes, (2, 10), strict=True):
    plotting.elbo_curve(
        losses[q],
        evidence=exact[q],
        ylabel="ELBO per image (nats)",
        title="q = 2: the ELBO per image climbs ..."
        if q == 2
        else "q = 10: ... to the exact maximum",
        ax=ax,
    )

# %% [markdown]
# Does it touch the line? The noise hides it. Most of that is luck: some minibatches have images
# that are easy to explain, and lie above the line; only the mean over *all* images cannot. But now
# we know exactly how easy an image is: its own $\ln p(\mathbf{x}_i)$, with the best parameters. For
# a normal distribution with the covariance $\mathbf{W} \mathbf{W}^\top + \sigma^2 \mathbf{I}$ torch
# has a class, `LowRankMultivariateNormal`. So subtract from each step's ELBO the mean of $\ln
# p(\mathbf{x}_i)$ over its batch, and what is left is the distance to the line, without the luck.


# %%
def log_density(x, W, b, sigma):
    normal = dist.LowRankMultivariateNormal(b, W, (sigma**2).expand(784))
    return torch.cat([normal.log_prob(part) for part in x.split(10_000)])


below, window = {}, 75
for q in (2, 10):
    W, sigma = (t.to(images) for t in maximum_likelihood(eigenvalues, eigenvectors, q))
    easy = log_density(images, W, mean_image, sigma)
    distance = easy[batches[q]].mean(1) + torch.tensor(losses[q])
    smooth = distance.unfold(0, window, 1).mean(1)
    below[f"q = {q}"] = (torch.arange(len(smooth)) + window // 2, smooth)
    print(f"q = {q:2}: smallest distance {smooth.min():.3f} nats")

plotting.curves(
    below,
    yscale="log",
    xlabel="step",
    ylabel="nats below the exact maximum",
    title="Without the luck of the batch: ever closer to the line, from below",
)

# %% [markdown]
# (Each point is a mean over 75 steps. A logarithmic axis cannot show a point *above* the line, a
# negative distance; the smallest are printed, and there is none.) How far from the line are all
# 60,000 images at the end? With $\ln p(\mathbf{x} \mid \theta)$ for the mean over the images, as in
# Exercise 4, two gaps add up:
#
# $$\underbrace{\max_\theta \ln p(\mathbf{x} \mid \theta) -
# \ln p(\mathbf{x} \mid \theta_{\text{fit}})}_{\text{the parameters are not the best}} +
# \underbrace{\ln p(\mathbf{x} \mid \theta_{\text{fit}}) - \mathcal{L}}_{
# \text{the guide is not the posterior}}.$$

# %%
rows, guide_gap = {}, {}
for q, p in fitted.items():
    at_fit = log_density(images, p["W"], p["b"], p["sigma"]).mean().item()
    _, sigma = maximum_likelihood(eigenvalues, eigenvectors, q)
    guide_gap[q] = at_fit - elbos[q]
    gaps = [exact[q] - at_fit, guide_gap[q]]
    rows[q] = [elbos[q], at_fit, exact[q], *gaps, p["sigma"].item(), sigma.item()]
columns = ["ELBO", "ln p(x | fit)", "max ln p(x)", "gap: parameters", "gap: guide"]
columns += ["σ fitted", "σ exact"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("q").round(3)
# %% [markdown]
# For $q = 2$ both gaps are one or two hundredths of a nat. With more factors there are more
# parameters for the noise of the minibatches to shake, and the gaps grow: with 10 they are a
# quarter of a nat together, and with 50, where $\mathbf{W}$ and $\mathbf{V}$ have nearly 40,000
# entries each and got no more steps, nearly three. $\sigma$ is right in all three. How much of the
# guide's gap is the price of mean-field is a question for section 7.
#
# ### The same plane?
#
# $\mathbf{W}$ cannot be compared with the closed form number by number, because any rotation
# $\mathbf{R}$ is as good. What must agree is the *space* that the columns span: the set of images
# $\mathbf{W}\mathbf{z} + \mathbf{b}$. For $q = 2$ it is a plane in a space of 784 dimensions. Two
# planes differ by **principal angles**. If the columns of $\mathbf{Q}_A$ and $\mathbf{Q}_B$ have
# length 1 and are orthogonal, and span the two spaces, then the singular values of
# $\mathbf{Q}_A^\top \mathbf{Q}_B$ are the cosines of these angles. All angles are 0 if the spaces
# are the same; the largest says how far they are apart.
#
# ### ✏️ Exercise 5: the largest principal angle
#
# Complete `largest_angle`, in degrees. `A` and `B` have shape `(784, q)`; their columns are
# anything, not of length 1.
#
# <details><summary>Hint</summary>
#
# `torch.linalg.qr(A)[0]` has orthogonal columns of length 1 that span the same space, and
# `torch.linalg.svdvals` gives singular values. Which cosine belongs to the largest angle? Rounding
# may put it a little above 1: `.clamp(max=1)`. Then `torch.arccos` and `torch.rad2deg`.
#
# </details>


# %%
def largest_angle(A, B):
    ### BEGIN SOLUTION
    Q_A, Q_B = torch.linalg.qr(A)[0], torch.linalg.qr(B)[0]
    cosines = torch.linalg.svdvals(Q_A.T @ Q_B).clamp(max=1)
    angle = torch.rad2deg(torch.arccos(cosines.min()))
    ### END SOLUTION
    return angle


# %% tags=["nbval-check-output"]
check.largest_angle(largest_angle)

# %%
angles = {
    q: largest_angle(p["W"].cpu().double(), eigenvectors[:, :q]).item() for q, p in fitted.items()
}
for q, angle in angles.items():
    step = (eigenvalues[q - 1] / eigenvalues[q] - 1).item()
    print(f"q = {q:2}: {angle:4.1f}°; variance of axis {q} above that of axis {q + 1}: {step:.0%}")

# %% [markdown]
# With 2 and with 10 factors the fit has found the space of the principal axes. With 50 one
# direction is far off, and it costs next to nothing: the 50th and the 51st axis explain nearly the
# same variance, so the likelihood hardly cares which of the two is among the factors. An ELBO that
# is less than three nats below the exact maximum does not mean that every parameter is right.

# %% [markdown]
# ## 7. The posterior, and what a rotation does
#
# The exact posterior of $\mathbf{z}$ for one image follows from Bayes' rule for normals:
#
# $$\mathbf{z} \mid \mathbf{x} \sim \mathcal{N}\bigl(\mathbf{M}^{-1} \mathbf{W}^\top (\mathbf{x} -
# \mathbf{b}),\ \sigma^2 \mathbf{M}^{-1}\bigr), \qquad
# \mathbf{M} = \mathbf{W}^\top \mathbf{W} + \sigma^2 \mathbf{I}.$$
#
# Its mean is a linear function of the image, as in your guide. Its covariance does not depend on
# the image, as in your guide. But it is a full matrix, unless $\mathbf{W}^\top \mathbf{W}$ is
# diagonal, that is, unless the columns of $\mathbf{W}$ are orthogonal.
#
# ### ✏️ Exercise 6: the exact posterior of one image
#
# Complete `exact_posterior` for one image `x`, shape `(784,)`. The posterior's mean, `z_mean`, has
# shape `(q,)` and its `covariance` shape `(q, q)`.
#
# <details><summary>Hint</summary>
#
# `torch.eye(q)` is the identity matrix; `W.shape[1]` is $q$. `torch.linalg.inv` inverts a matrix,
# and `@` multiplies matrices, or a matrix and a vector.
#
# </details>


# %%
def exact_posterior(x, W, b, sigma):
    ### BEGIN SOLUTION
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1])
    M_inverse = torch.linalg.inv(M)
    z_mean = M_inverse @ W.T @ (x - b)
    covariance = sigma**2 * M_inverse
    ### END SOLUTION
    return z_mean, covariance


# %% tags=["nbval-check-output"]
check.exact_posterior(exact_posterior)

# %% [markdown]
# For the first image of the *test* set, which took no part in the fit, with the fitted decoder:

# %%
p = fitted[2]
z_mean, covariance = exact_posterior(test_images[0], p["W"], p["b"], p["sigma"])
guide_mean = p["V"] @ (test_images[0] - mean_image)
plotting.regions(
    {"guide": (guide_mean, torch.diag(p["s"] ** 2)), "exact": (z_mean, covariance)},
    xlabel="$z_1$",
    ylabel="$z_2$",
    title=f"A {test_labels[0].item()} not seen by the fit: the guide is close to its posterior",
)

# %% [markdown]
# One matrix product, and the posterior of a new image is there. That is what amortised means. But
# where is the correlation that a diagonal guide cannot have? With two factors it is small whatever
# the rotation, for both explain similar variances. And a fit can avoid it: of all rotations
# of $\mathbf{W}$, which all give the same likelihood, those with orthogonal columns have a
# posterior that a diagonal guide can match. The ELBO pulls towards these. How strongly? Take the
# closed-form $\mathbf{W}$ and rotate it by an angle $\alpha$. The best diagonal guide for a normal
# posterior with the precision matrix (the inverse of the covariance) $\mathbf{P} = \mathbf{M} /
# \sigma^2$ has the right mean and the variances $1 / P_{jj}$ (Bishop 2006, sec. 10.1.2), and its
# ELBO falls short by
#
# $$\mathrm{KL} = \tfrac{1}{2} \Bigl( \sum_j \ln P_{jj} - \ln \det \mathbf{P} \Bigr).$$


# %%
def mean_field_gap(W, sigma):
    P = W.T @ W / sigma**2 + torch.eye(W.shape[1], **double)
    return 0.5 * (P.diagonal().log().sum() - torch.logdet(P))


def rotation(alpha):
    cosine, sine = math.cos(alpha), math.sin(alpha)
    return torch.tensor([[cosine, -sine], [sine, cosine]], **double)


W_exact, sigma_exact = maximum_likelihood(eigenvalues, eigenvectors, 2)
degrees = torch.linspace(-90, 90, 181, **double)
gaps = [mean_field_gap(W_exact @ rotation(math.radians(d)), sigma_exact) for d in degrees]
plotting.curves(
    {"ELBO of the best diagonal guide": (degrees, exact[2] - torch.stack(gaps))},
    exact=(degrees, torch.full_like(degrees, exact[2])),
    xlabel=r"rotation of $\mathbf{W}$ (degrees)",
    ylabel="nats per image",
    title="The likelihood is blind to rotations; the ELBO of a diagonal guide is not",
)
print(f"q = 2, the worst rotation: {torch.stack(gaps).max():.3f} nats per image")

# %% [markdown]
# The likelihood (dashed) is the same for every rotation. The ELBO touches it where the factors are
# the principal axes, and again a quarter turn on, where they have changed places. So this guide
# *breaks* the symmetry: among equally good models it prefers the one that is easy for itself. Lucas
# et al. (2019) prove that for this model and guide nothing is lost by that: at its maximum the ELBO
# is the log-likelihood, and it has no local maxima that the likelihood does not have. A guide with
# a full covariance would touch the line everywhere, and leave the rotation to chance.
#
# With two factors the pull is that of a hundredth of a nat per image at most: hardly anything. So
# the small gap of the guide for $q = 2$ proved nothing. With ten factors there is more to lose. For
# random rotations, and for the fitted $\mathbf{W}$ (the angles: a column for each axis, the best
# match first, then the best of the rest):


# %%
def matched(W):
    """The columns of W in the order of the principal axes, with their sign, and the cosines."""
    cosines = eigenvectors[:, : W.shape[1]].T @ (W / W.norm(dim=0))
    free, order = cosines.abs(), [0] * len(cosines)
    for _ in order:
        axis, column = divmod(free.argmax().item(), len(cosines))
        order[axis] = column
        free[axis], free[:, column] = -1, -1  # both are taken
    cosine = cosines[range(len(order)), order]
    return W[:, order] * cosine.sign(), cosine.abs()


W_10, sigma_10 = maximum_likelihood(eigenvalues, eigenvectors, 10)
random_rotations = torch.linalg.qr(torch.randn(200, 10, 10).cpu().double())[0]
gaps = torch.stack([mean_field_gap(W_10 @ R, sigma_10) for R in random_rotations])
print(f"q = 10, random rotations: {gaps.mean():.2f} ± {gaps.std():.2f} nats per image")
for q in (2, 10):
    W_fit, sigma_fit = (fitted[q][name].cpu().double() for name in ("W", "sigma"))
    gap = mean_field_gap(W_fit, sigma_fit)
    off = torch.rad2deg(torch.arccos(matched(W_fit)[1]))
    print(
        f"q = {q:2}, as fitted: {gap:.3f} of the guide's gap of {guide_gap[q]:.3f} nats per image"
    )
    print(f"        columns {off.min():.0f}° to {off.max():.0f}° off the principal axes")

# %% [markdown]
# With ten factors the fit has gone most of the way: from the 0.4 nats of a random rotation to a
# fifth of that. It is not there yet. Its columns are still far from the axes, and so are those for
# $q = 2$, about 30°: the last hundredths of a nat are a weak pull. (The rest of the guide's gap is
# $\mathbf{V}$ and $\mathbf{s}$, which are not quite at their best for this $\mathbf{W}$ either.) We
# can finish for it, by changing nothing but the rotation. Every rotation without a reflection is
# $\exp(\mathbf{A} - \mathbf{A}^\top)$ for some matrix $\mathbf{A}$, where $\exp$ is the exponential
# of a matrix; so go downhill in $\mathbf{A}$ until the gap is closed.

# %%
A = torch.zeros(10, 10, **double, requires_grad=True)
optimiser = torch.optim.Adam([A], lr=0.03)
for _ in range(400):
    W_best = W_fit @ torch.matrix_exp(A - A.T)
    gap = mean_field_gap(W_best, sigma_fit)
    optimiser.zero_grad()  # PyTorch adds up gradients: begin anew at each step
    gap.backward()
    optimiser.step()
print(f"q = 10, rotated on: {gap.item():.6f} nats per image")

# %% [markdown]
# ### Interpreting factors
#
# The ten columns of $\mathbf{W}$ as images; red adds ink, blue takes it away. First row: the
# principal axes, in order of their variance. Second: the fit, rotated on as above. Columns have no
# order and no sign, so both are chosen to match: each axis has a column of its own, as in the
# angles above. The number is the cosine of the angle between the two. Third row: the fit as it was,
# in the same way. Last row: a random rotation, whose columns belong to no axis in particular.

# %%
rows = [matched(W) for W in (W_10, W_best.detach(), W_fit)]
cosines = [[f"{c:.2f}" for c in cosine] for _, cosine in rows]
W_random = W_10 @ random_rotations[0]
plotting.image_grid(
    torch.cat([*(columns.T for columns, _ in rows), W_random.T]),
    titles=[f"axis {j + 1}" for j in range(10)] + cosines[1] + cosines[2] + ["?"] * 10,
    row_names=["PCA", "fit, rotated", "fit", "PCA, rotated"],
    title="Four sets of factors; rows 1 and 4 are equally likely, and so are rows 2 and 3",
    vmin=-0.4,
    vmax=0.4,
    cmap="RdBu_r",
)

# %% [markdown]
# It is tempting to give the columns names: "the stroke of a zero", "a seven's slant". The last row
# would get other names, and it is *the same model* as the first, with the same $\mathbf{C}$ and
# hence the same probability for every image that there could be. The data determine the space that
# the factors span, and nothing within. What picks the axes in the second row is our diagonal guide,
# a convenience of the computation; and where two of them explain similar variances, the
# small errors of the fit decide how they mix. What picks those in the third row is also where the
# fit happened to stop. Whoever interprets factors interprets all that, too.
#
# The space itself has a meaning. The posterior means of 5,000 test images, for $q = 2$:

# %%
p = fitted[2]
codes, digits = (test_images[:5000] - mean_image) @ p["V"].T, test_labels[:5000]
_, ax = plt.subplots(figsize=(5.6, 5.4))
for digit in range(10):
    z_1, z_2 = codes[digits == digit].T.cpu()
    ax.scatter(z_1, z_2, s=24, marker=f"${digit}$", lw=0, color=plt.get_cmap("tab10")(digit))
    box = {"boxstyle": "round,pad=0.15", "fc": "white", "alpha": 0.8}
    ax.text(z_1.median(), z_2.median(), digit, weight="bold", bbox=box)
ax.set_title("Two factors, learned without labels: 0 and 1 stand out")
_ = ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")

# %% [markdown]
# (Each number is at the median of its digit, or a line leads there.) How far apart are they? Guess
# the digit of each image from its 15 nearest neighbours in this plane, by a vote of their labels:

# %%
nearest = torch.cdist(codes, codes).topk(16, largest=False).indices[:, 1:]  # the first is itself
vote = digits[nearest].mode(1)[0]
shares = {digit: (vote[digits == digit] == digit).float().mean().item() for digit in range(10)}
pd.DataFrame({"recognised": shares}).rename_axis("digit").T.map("{:.0%}".format)

# %% [markdown]
# A guess in the dark is right for 10%. 0 and 1 are recognised although no label was used to learn
# the two factors, 3 and 4 half of the time; most others lie on top of each other, 7 on 4 and 9. Two
# numbers are not enough for ten digits.

# %% [markdown]
# ## 8. What a linear decoder can draw
#
# ### ✏️ Exercise 7: a reconstruction
#
# Complete `reconstruct`: send images through the encoder and back through the decoder, with means
# only, no draws. `x` has shape `(n, 784)`, `mean` is $\bar{\mathbf{x}}$, and `p` holds the
# parameters by name, as in `p["W"]`:
#
# $$\hat{\mathbf{z}} = \mathbf{V} (\mathbf{x} - \bar{\mathbf{x}}), \qquad
# \hat{\mathbf{x}} = \mathbf{W} \hat{\mathbf{z}} + \mathbf{b}.$$
#
# <details><summary>Hint</summary>
#
# Both products are in your guide and your model already.
#
# </details>


# %%
def reconstruct(x, mean, p):
    ### BEGIN SOLUTION
    z_hat = (x - mean) @ p["V"].T
    x_hat = z_hat @ p["W"].T + p["b"]
    ### END SOLUTION
    return x_hat


# %% tags=["nbval-check-output"]
check.reconstruct(reconstruct)

# %%
ten = torch.stack([test_images[test_labels == digit][0] for digit in range(10)])
rows = [ten] + [reconstruct(ten, mean_image, p) for p in fitted.values()]
plotting.image_grid(
    torch.cat(rows),
    row_names=["image", *(f"q = {q}" for q in fitted)],
    title="Test images, and what is left of them with 2, 10 and 50 factors",
)

# %%
rows = {}
for q, p in fitted.items():
    x_hat = reconstruct(test_images, mean_image, p)
    Q = eigenvectors[:, :q].to(x_hat)
    by_pca = (test_images - mean_image) @ Q @ Q.T + mean_image
    errors = [((test_images - other) ** 2).mean().sqrt().item() for other in (x_hat, by_pca)]
    rows[q] = [*errors, (x_hat < -0.05).float().mean().item()]
columns = ["typical error of a pixel", "the same by PCA", "share of pixels below -0.05"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("q").round(3)

# %% [markdown]
# With 50 numbers instead of 784 most digits can be read, with 2 hardly any. Plain PCA, which
# projects the image on the principal axes, has the smallest error that any $q$ linear numbers can
# have on the images they were learned from; the model's is equal to three decimals. (It shrinks
# $\hat{\mathbf{z}}$ a little towards the prior, and so trades a very little error for probability.)
# But the last column is odd: ink is never negative. A linear function knows no bounds; the pictures
# show what is below 0 as white.
#
# The real test of a generative model is what it *generates*. Draw $\mathbf{z}$ from the prior, and
# look at $\mathbf{W} \mathbf{z} + \mathbf{b}$; in the last row the noise is there too, for a
# complete draw of $\mathbf{x}$ with $q = 50$:

# %%
rows = []
for q, p in fitted.items():
    z = torch.randn(10, q)
    x_mean = z @ p["W"].T + p["b"]
    rows.append(x_mean)
noisy = x_mean + fitted[50]["sigma"] * torch.randn(10, 784)
plotting.image_grid(
    torch.cat([*rows, noisy]),
    row_names=[*(f"q = {q}" for q in fitted), "with noise"],
    title="Draws from the model: more factors, more detail, but no more digits",
)

# %% [markdown]
# Ghosts. More factors do not help: they add detail, but not *digits*. The reason is one picture
# away. Take a 0 and a 1, and go from one to the other in a straight line through the space of the
# factors:

# %%
z_ends = (ten[:2] - mean_image) @ fitted[50]["V"].T
t = torch.linspace(0, 1, 10)[:, None]
z_path = (1 - t) * z_ends[0] + t * z_ends[1]
plotting.image_grid(
    z_path @ fitted[50]["W"].T + fitted[50]["b"],
    title="Half-way between a 0 and a 1: both at once, each at half strength",
)

# %% [markdown]
# For a linear decoder the image half-way is *the mean of the two reconstructions*, a double
# exposure. Nothing can bend, narrow or lean on the way. A draw from the prior is such a mixture,
# too, of many images at once. What is missing is a decoder that is not linear: the next notebook.

# %% [markdown]
# ## 9. How many factors?
#
# More factors always fit the training images better; that is no argument. **Held-out likelihood**
# is: fit on some images, and ask for the probability of others. The closed forms of section 6 make
# it cheap. First, suppose there were only 500 images to learn from.


# %%
def moments(train, test):
    """Eigenvalues of the training images, and the v of the test images along the same axes."""
    train, test = train.cpu().double(), test.cpu().double()
    values, axes = torch.linalg.eigh(torch.cov(train.T, correction=0))
    along_axes = (test - train.mean(0)) @ axes.flip(1)
    return values.flip(0).clamp(min=0), (along_axes**2).mean(0)


few_eigenvalues, few_v = moments(images[:500], test_images)

# %% [markdown]
# ### ✏️ Exercise 8: the number of factors
#
# With your `log_likelihood`, `few_eigenvalues` and `few_v`, compute the log-likelihood of a test
# image for $q = 1, 2, \dots, 300$ factors: `held_out`, a tensor of shape `(300,)`. Then `best_q`,
# the number of factors for which it is largest.
#
# <details><summary>Hint</summary>
#
# `torch.stack([... for q in range(1, 301)])` makes one tensor of many numbers. `.argmax()` says
# *where* in the tensor the largest one is; the first place is 0. Which $q$ belongs to it?
#
# </details>

# %%
held_out = best_q = None
### BEGIN SOLUTION
held_out = torch.stack([log_likelihood(few_eigenvalues, few_v, q) for q in range(1, 301)])
best_q = held_out.argmax().item() + 1
### END SOLUTION

# %% tags=["nbval-check-output"]
check.number_of_factors(held_out, best_q, few_eigenvalues, few_v)

# %%
q_axis = torch.arange(1, 301)
training = torch.stack([log_likelihood(few_eigenvalues, few_eigenvalues, q) for q in range(1, 301)])
plotting.curves(
    {"the 500 training images": (q_axis, training), "10,000 test images": (q_axis, held_out)},
    marks={f"best: q = {best_q}": best_q},
    xlabel="number of factors $q$",
    ylabel="log-likelihood per image (nats)",
    title="500 images: the training likelihood climbs on, the held-out one turns",
)
plt.ylim(0, 800)
print(f"q = 300, outside the picture: {training[-1]:.0f} and {held_out[-1]:.0f} nats")

# %% [markdown]
# With 500 images about ninety factors pay; the following ones describe these 500 images and no
# others. How does that depend on the number of images?

# %%
rows = {}
for n in (500, 1000, 2000, 60_000):
    if n == 60_000:
        along_axes = (test_images - mean_image).cpu().double() @ eigenvectors
        values, v = eigenvalues, (along_axes**2).mean(0)
    else:
        values, v = moments(images[:n], test_images)
    rank = int((values > 1e-9).sum())  # there is no variance along the other axes
    # From q = rank on nothing would be left for σ²: stop before.
    curve = torch.stack([log_likelihood(values, v, q) for q in range(1, rank)])
    best = curve.argmax().item() + 1
    sigma = values[best:].mean().sqrt().item()
    rows[n] = [rank, best, curve.max().item(), curve[1].item(), curve[9].item(), sigma]
columns = ["axes with variance", "best q", "held-out, best q", "q = 2", "q = 10", "σ at best q"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("images").round(4)

# %% [markdown]
# (500 images vary along 499 axes at most, all of them along more. With all 60,000 the test images
# are a little *more* probable than the training images of section 6: they are a little easier. And
# whoever wants to know how good the *chosen* model is needs a third set, for these images have
# served to choose.) With all 60,000 held-out likelihood
# takes nearly *every* axis along which the images vary at all. It has no reason to stop: no number
# of factors makes a normal distribution of handwritten digits, so each further one is an
# improvement, and 60,000 images are enough to learn it. But look at $\sigma$: less than a tenth of
# one grey level, which is $1/255 \approx 0.004$. The model is now praised for knowing that border
# pixels are nearly always exactly 0. Held-out likelihood guards against learning the data by heart;
# it does not say what is worth modelling.

# %% [markdown]
# ## 10. Why not noise per pixel?
#
# Classical **factor analysis** gives every pixel a noise of its own, $\sigma_1, \dots,
# \sigma_{784}$, which sounds like a remedy. In the code it is one word. (600 steps are enough to
# see what happens, with a learning rate that starts larger and ends larger; so its curve ends
# earlier.)


# %%
def noise_per_pixel(x, q, mean):
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param("sigma", torch.ones(784), constraint=constraints.positive)  # the word
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)


pyro.set_rng_seed(SEED)
losses_per_pixel, _ = fit(noise_per_pixel, factor_guide, 2, 600, first=0.05, last=0.005)
sigmas = pyro.param("sigma").detach().clone()

# %%
plotting.elbo_curve(
    {"one σ": losses[2], "noise per pixel": losses_per_pixel},
    ylabel="ELBO per image (nats)",
    title="Noise per pixel: a thousand nats more, too good to be true",
)

# %% [markdown]
# Where the curve plunges now and then, a minibatch had an image with ink on a pixel that nearly
# never has any, and that the model by then takes for certain. Where does the gain come from? Noise
# of $\sigma_d$ instead of $\sigma$ raises the log density of a
# pixel that it fits by about $\ln (\sigma / \sigma_d)$. By how many images have ink there:

# %%
in_some = (images > 0).float().sum(0)
rows = {}
for name, pixels in (
    ("in none", in_some == 0),
    ("in 1 to 60", (in_some >= 1) & (in_some <= 60)),
    ("in more", in_some > 60),
):
    gain = (fitted[2]["sigma"] / sigmas[pixels]).log().sum().item()
    rows[name] = [pixels.sum().item(), sigmas[pixels].median().item(), gain]
columns = ["pixels", "median of σ_d", "sum of ln(σ / σ_d)"]
by_ink = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
by_ink.rename_axis("ink in how many images").round(4)

# %% [markdown]
# Four fifths of it come from pixels that are never or hardly ever inked, which nobody would look
# at. Whoever compares ELBOs alone would call it the better model by far. For a pixel that is 0 in
# all images, with its row of $\mathbf{W}$ and its entry of $\mathbf{b}$ at 0, the log density is
# $-\ln \sigma_d - \frac{1}{2} \ln 2\pi$: as $\sigma_d \to 0$ it grows without limit. **There is no
# maximum.** The fit ended only because its steps did. Go on by hand: set these rows to 0, and make
# the $\sigma$ of those pixels smaller.

# %%
rows = {}
few = images[:10_000]  # enough to see it
for exponent in (-2, -4, -6, -8):
    with torch.no_grad():
        for name, value in (("W", 0.0), ("b", 0.0), ("sigma", 10.0**exponent)):
            changed = pyro.param(name).clone()
            changed[never_ink] = value
            pyro.get_param_store()[name] = changed
    rows[f"1e{exponent}"] = [
        elbo_per_image(noise_per_pixel, factor_guide, x, 2) for x in (few, test_images)
    ]
inked = (test_images[:, never_ink] > 0).sum(1)
print(f"test images with ink on one of the {never_ink.sum()} pixels: {(inked > 0).sum()}")
columns = ["ELBO, training images", "ELBO, test images"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("σ of these pixels").map(
    "{:,.0f}".format
)

# %% [markdown]
# Each factor of 100 adds $67 \ln 100 = 309$ nats on the training images, for ever. And the test
# images? A single one of the 10,000 has ink where no training image has any, which the model calls
# impossible; with it the mean plunges without limit. *Unbounded* likelihoods are the rule when a
# variance is estimated for something that does not vary. What helps: one $\sigma$ for all pixels,
# as above; a floor under the variances; a prior on them; or a likelihood that is made for pixels,
# with no variance at all, which is what the next notebook does.

# %% [markdown]
# ## 11. Scorecard
#
# The fits beside the closed forms. The exact value of the ELBO is the maximum of the
# log-likelihood, which it attains only if decoder *and* guide are right. The ELBO's error is in
# nats per image, that of $\sigma$ relative, that of an angle in degrees; if the space spanned is
# the right one, the angle is 0.

# %%
approximate, truth = {}, {}
for q in (2, 10):
    _, sigma = maximum_likelihood(eigenvalues, eigenvectors, q)
    approximate |= {
        f"ELBO per image (q = {q})": elbos[q],
        f"sigma (q = {q})": fitted[q]["sigma"],
        f"largest principal angle (q = {q})": angles[q],
    }
    truth |= {
        f"ELBO per image (q = {q})": exact[q],
        f"sigma (q = {q})": sigma,
        f"largest principal angle (q = {q})": 0.0,
    }

# %%
scorecard = make_scorecard(approximate, truth, parameters=("sigma (q = 2)", "sigma (q = 10)"))
show_scorecard(scorecard)

# %% [markdown]
# Over the seeds 0 to 9 the ELBO is within 0.05 nats of the exact maximum with two factors and
# within 0.5 with ten, $\sigma$ within 1%, and the largest angle below 5 degrees.

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard[:3], nats=0.05, parameter=0.01, degrees=5)
check.scorecard_within(scorecard[3:], nats=0.5, parameter=0.01, degrees=5)

# %% [markdown]
# ## 12. Going further
#
# - **A full covariance.** Replace the guide's normal by `dist.MultivariateNormal` with a parameter
#   `scale_tril` (`constraints.lower_cholesky`). Is the ELBO better? Are the columns of
#   $\mathbf{W}$ still orthogonal? Fit with two seeds and compare them.
# - **A floor.** Give the pixels noise of their own, but with $\sigma_d \ge 0.05$. Which pixels end
#   up at the floor? What happens to the held-out likelihood, and to the draws?
# - **One digit.** Learn from the images of the digit 3 alone (`images[labels == 3]`). How many
#   factors do its draws need to look like threes? Why is it so much easier than ten digits?
#
# ### References
#
# - M. E. Tipping and C. M. Bishop (1999). Probabilistic principal component analysis. *Journal of
#   the Royal Statistical Society B* 61(3), 611–622.
# - J. Lucas, G. Tucker, R. Grosse and M. Norouzi (2019). Don't blame the ELBO! A linear VAE
#   perspective on posterior collapse. *Advances in Neural Information Processing Systems* 32.
# - D. P. Kingma and M. Welling (2019). An introduction to variational autoencoders. *Foundations
#   and Trends in Machine Learning* 12(4), 307–392.
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
# - Y. LeCun, C. Cortes and C. J. C. Burges. The MNIST database of handwritten digits.
