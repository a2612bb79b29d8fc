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
# # Variational autoencoders: images from a neural network
#
# **After this notebook you will be able to**
#
# - write a variational autoencoder in Pyro: decoder, model, encoder, guide, and the loop that fits
#   them to 60,000 images;
# - say what the reparameterisation of a draw is for, and split the ELBO in two: what an image costs
#   to describe, and what is lost;
# - read a latent space: its map, its pictures, and the posterior of an image in it;
# - compute $\ln p(\mathbf{x})$ by importance sampling, and know from the exact value when to
#   believe it;
# - say what depth buys, in nats, and what such a model does not know.
#
# **Time:** 120 minutes. **Before:** Day 1 and the notebooks 1, 2 and 4 of Day 2. You need the ELBO,
# amortised guides and the minibatch loop of the factor analysis.
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
from pyro.infer import TraceMeanField_ELBO
from torch import nn
from torch.nn.functional import softplus
from tqdm.auto import trange

from checks import variational_autoencoder as check
from utils.data import load_mnist
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)
double = {"dtype": torch.float64, "device": "cpu"}  # for what has to be exact

# %% [markdown]
# All sizes of this notebook in one place: the layers' width, the images in a minibatch, and for
# each number of dimensions how often the fit sees the 60,000 images (one pass is an **epoch**), and
# its largest learning rate. They suit a laptop; all cells
# use a GPU if there is one, and then the second line is affordable. (The numbers in the text are
# those of the first.)

# %%
settings = {
    "hidden": 300,
    "batch": 200,
    "epochs": {2: 8, 50: 12},
    "rate": {2: 0.003, 50: 0.004},
    "draws": 4000,
}
# settings |= {"hidden": 500, "epochs": {2: 50, 50: 200}, "draws": 20_000}

# %% [markdown]
# ## 1. A decoder that is not linear
#
# The factor analysis drew ghosts. Its decoder was linear, so an image half-way between two others
# was a double exposure. A **variational autoencoder** (Kingma and Welling 2014, Rezende et al.
# 2014) keeps the plan, a hidden $\mathbf{z}$, an image made from it, an amortised guide, and puts
# neural networks where the matrices were:
#
# $$\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I}), \qquad
# \mathbf{x} \sim p(\mathbf{x} \mid \mathbf{z}, \theta), \qquad
# q(\mathbf{z} \mid \mathbf{x}, \phi) \approx p(\mathbf{z} \mid \mathbf{x}, \theta).$$
#
# $\theta$ are the weights of the **decoder** network, $\phi$ those of the **encoder**. What this
# costs: no closed form is left, neither for the likelihood nor for the posterior. Part of this
# notebook is to find the truth without one.

# %% [markdown]
# ## 2. The data: pixels that are 0 or 1
#
# The factor analysis had a normal likelihood, and its $\sigma$ caused trouble. Here every pixel
# gets a **Bernoulli** distribution: it is 1 (ink) with some probability $\pi$ and else 0. There is
# no variance to go astray, and since the images are now discrete, $p(\mathbf{x})$ is a
# *probability*: $\ln p(\mathbf{x}) \le 0$. All possible images share a total of 1, so no model can
# be near 0 for many different ones.
#
# But the pixels of MNIST are grey, $0 \le x \le 1$. The formula for the Bernoulli's
# log-probability, $x \ln \pi + (1 - x) \ln (1 - \pi)$, accepts a grey $x$ without complaint, and
# much code on the web gives it some. Is $\pi^x (1 - \pi)^{1 - x}$ then the density of a grey pixel?
# A density integrates to 1:

# %%
grey = torch.linspace(0, 1, 10_001, **double)
pi = torch.tensor([[0.01], [0.1], [0.5]], **double)
integral = torch.trapezoid(pi**grey * (1 - pi) ** (1 - grey), grey)
for p, value in zip(pi.flatten(), integral, strict=True):
    print(f"π = {p:.2f}: the two values 0 and 1 add up to 1; all grey values to {value:.2f}")

# %% [markdown]
# No: for one pixel it misses the mark by a factor of two to five, for 784 pixels by hundreds of
# orders of magnitude, and the factor depends on $\pi$. So an "ELBO" of grey images bounds no log
# density of theirs. (Loaiza-Ganem and Cunningham 2019 give the likelihood that grey pixels need.)
# What it does bound: take each grey value as the probability of a 1, and draw a binary image
# $\mathbf{b}$. The formula is linear in $x$, so with grey values it is the average over all such
# draws, and the "ELBO" a bound of the average $\ln p(\mathbf{b})$. Then better make the pixels
# binary in the first place, in this usual way (Burda et al. 2016). For the test set draw once and
# for all, so that numbers can be compared; for training anew each time an image is used, so that
# the network hardly ever sees the same one twice.

# %%
images, labels = load_mnist()  # grey, to draw from
test_grey, test_labels = load_mnist(train=False)
fixed = torch.Generator("cpu").manual_seed(0)
test = torch.bernoulli(test_grey.cpu(), generator=fixed).to(test_grey)  # 0 or 1, always the same
mean_image = images.mean(0)


def binarise(x):
    return (torch.rand_like(x) < x).to(x)  # a uniform number is below x with probability x


rows = [images[:10], binarise(images[:10]), binarise(images[:10])]
plotting.image_grid(
    torch.cat(rows),
    row_names=["grey", "a draw", "another"],
    title="Ten training images, and two draws of each",
)

# %% [markdown]
# ## 3. The model
#
# ### Networks in PyTorch
#
# A *linear layer* `nn.Linear(n_in, n_out)` computes $\mathbf{W} \mathbf{h} + \mathbf{b}$; its
# weights are drawn at random when the layer is created. An *activation* is a function of one
# number, applied to every entry, which is not linear; we take the smooth `nn.GELU()`, about 0 for
# very negative numbers $h$ and about $h$ for large ones. `nn.Sequential(first, second, ...)` puts
# such parts in a row: the output of each is the input of the next. Without activations in between,
# a row of linear layers would only be one linear layer.
#
# ### ✏️ Exercise 1: the decoder
#
# Complete `network`, for $n$ inputs and $m$ outputs (`n_in`, `n_out`), with two *hidden* layers
# of $k$ (`hidden`) numbers each and $g$ for GELU:
#
# $$\mathbf{h}_1 = g(\mathbf{W}_1 \mathbf{z} + \mathbf{b}_1), \qquad
# \mathbf{h}_2 = g(\mathbf{W}_2 \mathbf{h}_1 + \mathbf{b}_2), \qquad
# \mathbf{a} = \mathbf{W}_3 \mathbf{h}_2 + \mathbf{b}_3.$$
#
# The decoder will be `network(d, 784)`: from the $d$ entries of $\mathbf{z}$ to 784 *logits*
# $a$, any real numbers. The Bernoulli's probabilities are $\pi = 1 / (1 + e^{-a})$, the sigmoid of
# the logits.
#
# <details><summary>Hint</summary>
#
# `nn.Sequential` of five parts. Which are the inputs and outputs of the second layer? The sigmoid
# is not among the parts.
#
# </details>


# %%
def network(n_in, n_out, hidden=settings["hidden"]):
    ### BEGIN SOLUTION
    layers = nn.Sequential(
        nn.Linear(n_in, hidden),
        nn.GELU(),
        nn.Linear(hidden, hidden),
        nn.GELU(),
        nn.Linear(hidden, n_out),
    )
    ### END SOLUTION
    return layers


# %% tags=["nbval-check-output"]
check.decoder(network)

# %% [markdown]
# ### ✏️ Exercise 2: the model
#
# Write `vae_model`. `x` holds $n$ binary images, shape `(n, 784)`. `vae` holds the networks:
# `vae.decoder`, which maps a tensor of shape `(n, d)` to logits of shape `(n, 784)`, and the number
# `vae.d` of entries of $\mathbf{z}$. The sites are `z` and `x`, in a plate over the images:
#
# $$\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I}), \qquad
# x_j \mid \mathbf{z} \sim \mathrm{Bernoulli}\bigl(\mathrm{sigmoid}(a_j)\bigr), \qquad
# \mathbf{a} = \mathrm{decoder}(\mathbf{z}).$$
#
# There is no `pyro.param`: the weights are in the network already.
#
# <details><summary>Hint</summary>
#
# The plate and `z` are those of the factor analysis. `dist.Bernoulli(logits=...)` applies the
# sigmoid by itself. The pixels of one image are *one* event.
#
# </details>


# %%
def vae_model(x, vae):
    ### BEGIN SOLUTION
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.vae_model(vae_model)

# %% [markdown]
# ## 4. The guide
#
# The encoder takes an image and returns the mean and the standard deviation of each entry of
# $\mathbf{z}$. Unlike in the factor analysis, *both* depend on the image:
#
# $$q(\mathbf{z} \mid \mathbf{x}) = \mathcal{N}\bigl(\boldsymbol{\mu}(\mathbf{x}),\
# \mathrm{diag}(\boldsymbol{\sigma}(\mathbf{x})^2)\bigr).$$
#
# One network does both jobs: it has $2d$ outputs, $d$ of them for $\boldsymbol{\mu}$ and $d$ for
# $\boldsymbol{\sigma}$. The outputs of a network are any real numbers. A standard deviation is
# positive; $\mathrm{softplus}(h) = \ln(1 + e^h)$ makes it so, and a small floor keeps it from
# rounding to 0.
#
# ### ✏️ Exercise 3: the encoder
#
# In PyTorch, whatever has weights is a class that inherits from `nn.Module`; `forward` says what
# happens when it is called. Complete `forward`. `self.network` maps `(n, 784)` to `(n, 2 * d)`;
# `self.mean_image` is $\bar{\mathbf{x}}$, the mean of the training images. It is subtracted so that
# the inputs vary around 0, where a fit gets going more easily. With $\mathbf{h}_{\text{first}}$ and
# $\mathbf{h}_{\text{second}}$ for the two halves of the network's output for
# $\mathbf{x} - \bar{\mathbf{x}}$,
#
# $$\boldsymbol{\mu} = \mathbf{h}_{\text{first}}, \qquad
# \boldsymbol{\sigma} = \mathrm{softplus}(\mathbf{h}_{\text{second}}) + 0.0001.$$
#
# <details><summary>Hint</summary>
#
# `h.chunk(2, -1)` cuts a tensor in two halves along its last dimension. `softplus` is imported.
#
# </details>


# %%
class Encoder(nn.Module):
    def __init__(self, network, mean_image):
        super().__init__()
        self.network, self.mean_image = network, mean_image

    def forward(self, x):
        ### BEGIN SOLUTION
        first, second = self.network(x - self.mean_image).chunk(2, -1)
        mean, sd = first, softplus(second) + 0.0001
        ### END SOLUTION
        return mean, sd


# %% tags=["nbval-check-output"]
check.encoder(Encoder)

# %% [markdown]
# ### ✏️ Exercise 4: the guide
#
# Write `vae_guide`, with the arguments of the model. `vae.encoder` is such an encoder: called with
# `x`, it returns two tensors of shape `(n, d)`.
#
# <details><summary>Hint</summary>
#
# Two lines in the plate: ask the encoder, and sample `z`.
#
# </details>


# %%
def vae_guide(x, vae):
    ### BEGIN SOLUTION
    with pyro.plate("images", len(x)):
        mean, sd = vae.encoder(x)
        pyro.sample("z", dist.Normal(mean, sd).to_event(1))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.vae_guide(vae_guide)

# %% [markdown]
# Now put the parts together. `VAE` holds both networks, so that `vae.parameters()` lists all
# weights. `deep(d)` makes one with your `network`, `linear(d)` one with a single linear layer on
# either side, for comparison. As `b` in the factor analysis started at the mean image, so does the
# decoder's last bias, at its logits.


# %%
class VAE(nn.Module):
    def __init__(self, d, network, decoder):
        super().__init__()
        self.d, self.encoder, self.decoder = d, Encoder(network, mean_image), decoder
        last = [part for part in decoder.modules() if isinstance(part, nn.Linear)][-1]
        with torch.no_grad():
            last.bias.copy_(torch.logit(mean_image, eps=0.001))


def deep(d):
    return VAE(d, network(784, 2 * d), network(d, 784))


def linear(d):
    return VAE(d, nn.Linear(784, 2 * d), nn.Linear(d, 784))


vae = deep(2)
for name, part in (("encoder", vae.encoder), ("decoder", vae.decoder)):
    print(f"{name}: {sum(weights.numel() for weights in part.parameters()):,} weights")

# %%
plotting.draw_model(vae_model, test[:4], vae, labels={"z": r"$\mathbf{z}$"})

# %% [markdown]
# ## 5. The ELBO, and a draw that lets gradients through
#
# For one image the ELBO is
#
# $$\mathcal{L}(\mathbf{x}) =
# \mathbb{E}_{q(\mathbf{z} \mid \mathbf{x})}\bigl[\ln p(\mathbf{x} \mid \mathbf{z})\bigr] -
# \mathrm{KL}\bigl(q(\mathbf{z} \mid \mathbf{x})\ \|\ p(\mathbf{z})\bigr).$$
#
# The fit needs its gradient in $\theta$ *and* in $\phi$. The expectation is estimated by a draw of
# $\mathbf{z}$; but how does a draw depend on $\phi$? "Draw from $\mathcal{N}(\mu, \sigma^2)$" is
# no formula that can be differentiated. The **reparameterisation** makes it one: draw
# $\varepsilon$ from a distribution without parameters, and compute
#
# $$z = \mu + \sigma \varepsilon, \qquad \varepsilon \sim \mathcal{N}(0, 1),$$
#
# so that $\partial z / \partial \mu = 1$ and $\partial z / \partial \sigma = \varepsilon$.
#
# ### ✏️ Exercise 5: a draw that lets gradients through
#
# Complete `reparameterise`, for tensors `mean` and `sd` of the same shape; every entry gets an
# $\varepsilon$ of its own. Do it by hand, without `dist`.
#
# <details><summary>Hint</summary>
#
# `torch.randn_like(mean)` draws standard normal numbers, as many as `mean` has.
#
# </details>


# %%
def reparameterise(mean, sd):
    ### BEGIN SOLUTION
    z = mean + sd * torch.randn_like(mean)
    ### END SOLUTION
    return z


# %% tags=["nbval-check-output"]
check.reparameterise(reparameterise)

# %% [markdown]
# Is there no other way? For any distribution $\nabla_\mu \mathbb{E}_q[f(z)] = \mathbb{E}_q[f(z)
# \nabla_\mu \ln q(z)]$, the *score-function* estimator, which is what Pyro uses where a draw cannot
# be reparameterised. For the normal distribution $\nabla_\mu \ln q(z) = (z - \mu) / \sigma^2$.
# Compare the two on $f(z) = z^2$ with $\mu = 2$ and $\sigma = 0.5$. The expectation is $\mu^2 +
# \sigma^2$, so the gradient is exactly $2\mu = 4$:

# %%
mu = torch.full((100_000,), 2.0, requires_grad=True)
z = reparameterise(mu, torch.full_like(mu, 0.5))
(by_path,) = torch.autograd.grad((z**2).sum(), mu)  # one estimate for each draw
by_score = (z**2 * (z - mu) / 0.5**2).detach()
rows = {
    name: [g.mean().item(), g.std().item()]
    for name, g in (("reparameterised", by_path), ("score function", by_score))
}
pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd of one draw"]).round(2)

# %% [markdown]
# Both are right on average (the standard error of the second is 0.04); the score function is eleven
# times noisier, because it knows only *that* $f$ is large at $z$, not in which direction it grows.
# To be as exact as one reparameterised draw it needs more than a hundred. Pyro reparameterises by
# itself wherever a distribution allows it:

# %%
for family in (dist.Normal, dist.Bernoulli):
    print(f"{family.__name__}: has_rsample = {family.has_rsample}")

# %% [markdown]
# The second part of the ELBO needs no draw. For two normal distributions with independent entries
# the Kullback–Leibler divergence has a closed form:
#
# $$\mathrm{KL}\bigl(\mathcal{N}(\boldsymbol{\mu}, \mathrm{diag}\,\boldsymbol{\sigma}^2)\ \|\
# \mathcal{N}(\boldsymbol{\mu}_0, \mathrm{diag}\,\boldsymbol{\sigma}_0^2)\bigr) = \sum_{j=1}^d
# \Bigl( \ln \frac{\sigma_{0j}}{\sigma_j} +
# \frac{\sigma_j^2 + (\mu_j - \mu_{0j})^2}{2 \sigma_{0j}^2} - \frac{1}{2} \Bigr).$$
#
# ### ✏️ Exercise 6: the KL divergence of two normal distributions
#
# Complete `kl_normals`. `mean` and `sd` have shape `(n, d)`; `mean_0` and `sd_0`, the prior's,
# shape `(d,)`. The result has shape `(n,)`: one number for each image.
#
# <details><summary>Hint</summary>
#
# The formula as it stands, with `.log()` for the logarithm, and `.sum(-1)` at the end.
#
# </details>


# %%
def kl_normals(mean, sd, mean_0, sd_0):
    ### BEGIN SOLUTION
    fraction = (sd**2 + (mean - mean_0) ** 2) / (2 * sd_0**2)
    kl = ((sd_0 / sd).log() + fraction - 0.5).sum(-1)
    ### END SOLUTION
    return kl


# %% tags=["nbval-check-output"]
check.kl_normals(kl_normals)

# %% [markdown]
# With your two functions the whole ELBO is a few lines. Its two parts have names:
#
# - the **distortion** $D = -\mathbb{E}_q[\ln p(\mathbf{x} \mid \mathbf{z})]$, what is still
#   uncertain about the pixels when $\mathbf{z}$ is known;
# - the **rate** $R = \mathrm{KL}(q \| p)$, how much, in nats, $\mathbf{z}$ says about this image
#   beyond what the prior says about all.
#
# So $\mathcal{L} = -(D + R)$. By hand and by Pyro, for the weights as they are now, before any fit:


# %%
@torch.no_grad()
def distortion_and_rate(vae, x):
    mean, sd = vae.encoder(x)
    logits = vae.decoder(reparameterise(mean, sd))
    distortion = -dist.Bernoulli(logits=logits).log_prob(x).sum(-1)
    return distortion, kl_normals(mean, sd, torch.zeros(vae.d), torch.ones(vae.d))


def elbo_per_image(vae, x):
    D, R = distortion_and_rate(vae, x)
    return -(D + R)


D, R = distortion_and_rate(vae, test)
by_pyro = -TraceMeanField_ELBO(max_plate_nesting=1).loss(vae_model, vae_guide, test, vae)
print(f"by hand: ELBO = -(D + R) = -({D.mean():.2f} + {R.mean():.2f}) = {-(D + R).mean():.2f}")
print(f"by Pyro: ELBO = {by_pyro / len(test):.2f} nats per image")

# %% [markdown]
# `TraceMeanField_ELBO` is `Trace_ELBO` with the closed form for the KL divergence where there is
# one, and so with less noise; `max_plate_nesting` says, as before, how many plates are inside one
# another. The decoder starts at the mean image, so this is about what that image alone gets. Your
# networks have to beat it.

# %% [markdown]
# ## 6. The fit
#
# The loop is that of the factor analysis, with three changes:
#
# - The weights belong to the networks, not to Pyro's parameter store. `differentiable_loss`
#   returns the loss as a tensor, and PyTorch's own optimiser `Adam` moves the weights: `backward()`
#   computes all gradients, and `step()` follows them. (`fused` moves all of them in one go, which
#   is a tenth faster, on devices where PyTorch can.)
# - Every minibatch is binarised anew. (`validation_enabled(False)` leaves out Pyro's checks of all
#   values and shapes, which would take time in each of thousands of steps.)
# - The learning rate rises during the first tenth of the steps and then falls to nearly 0
#   (`OneCycleLR`): large steps early tear networks apart, and small ones late average out the
#   noise.


# %%
def fit(vae, epochs, model=vae_model, guide=vae_guide, args=(), rate=0.003):
    batch, loss_of = settings["batch"], TraceMeanField_ELBO(max_plate_nesting=1).differentiable_loss
    steps = epochs * len(images.split(batch))
    optimiser = torch.optim.Adam(vae.parameters(), rate, fused=device.type in ("cpu", "cuda"))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.1, div_factor=10, final_div_factor=100
    )
    losses = []
    with pyro.validation_enabled(False):
        for _ in trange(epochs, desc=f"d = {vae.d}"):
            for chosen in torch.randperm(len(images)).split(batch):
                x = binarise(images[chosen])
                loss = loss_of(model, guide, x, vae, *args) / len(x)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                losses.append(loss.detach())
    return torch.stack(losses).cpu()


# %% [markdown]
# ## 7. Two dimensions, for pictures
#
# With $d = 2$ the latent space is a plane that can be drawn.

# %%
pyro.set_rng_seed(SEED)
vae_2 = deep(2)
losses_2 = fit(vae_2, settings["epochs"][2], rate=settings["rate"][2])
elbo_2 = elbo_per_image(vae_2, test)
print(f"d = 2: ELBO of the test images {elbo_2.mean():.2f} nats per image")

# %%
with torch.no_grad():
    codes, code_sds = vae_2.encoder(test)
_, ax = plt.subplots(figsize=(5.6, 5.4))
for digit in range(10):
    z_1, z_2 = codes[:5000][test_labels[:5000] == digit].T.cpu()
    ax.scatter(z_1, z_2, s=24, marker=f"${digit}$", lw=0, color=plt.get_cmap("tab10")(digit))
    box = {"boxstyle": "round,pad=0.15", "fc": "white", "alpha": 0.8}
    ax.text(z_1.median(), z_2.median(), digit, weight="bold", bbox=box)
ax.set_title("The map of the digits, learned without labels")
_ = ax.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5))

# %% [markdown]
# Each point is the mean $\boldsymbol{\mu}(\mathbf{x})$ for a test image. The two factors of the
# last notebook set 0, 1 and 7 apart; these two numbers also separate 2 and 6, while 4 and 9 still
# lie on top of each other, and 3, 5 and 8 crowd in the middle. No label was used. Now go the other
# way: take a grid of points $\mathbf{z}$ and decode each. To spend the pictures where the prior has
# its mass, the grid is even in *probability*: its coordinates are the quantiles of a standard
# normal.

# %%
shares = torch.linspace(0.02, 0.98, 17)
quantiles = dist.Normal(torch.zeros_like(shares), 1.0).icdf(shares)
with torch.no_grad():
    decoded = vae_2.decoder(torch.cartesian_prod(quantiles, quantiles)).sigmoid()
tiles = decoded.reshape(17, 17, 28, 28).flip(1)  # z_1 across, and z_2 upwards
ticks = [(k + 0.5, f"{quantiles[k].item():.1f}") for k in range(0, 17, 4)]
_, ax = plt.subplots(figsize=(6.4, 6.6))
picture = tiles.permute(1, 2, 0, 3).reshape(476, 476).numpy(force=True)
ax.imshow(picture, extent=(0, 17, 0, 17))
ax.set_xticks(*zip(*ticks, strict=True))
ax.set_yticks(*zip(*ticks, strict=True))
ax.set(xlabel="$z_1$", ylabel="$z_2$", title="What the decoder draws at each point of the plane")
ax.grid(visible=False)

# %% [markdown]
# Every image is a smooth bend of its neighbours: strokes lean, close, open. The probabilities of
# ink are grey, and blur where the model is unsure; *between* two clusters stands something that is
# neither. Take a line from a 0 to a 1 and compare the double exposure of a linear decoder (above:
# a weighted mean of the two images) with the way through the latent plane (below):

# %%
zero, one = (test[test_labels == digit][0] for digit in (0, 1))
t = torch.linspace(0, 1, 10)[:, None]


def path(vae, first, last):
    with torch.no_grad():
        ends, _ = vae.encoder(torch.stack([first, last]))
        return vae.decoder((1 - t) * ends[0] + t * ends[1]).sigmoid()


plotting.image_grid(
    torch.cat([(1 - t) * zero + t * one, path(vae_2, zero, one)]),
    row_names=["pixels", "latent plane"],
    title="From a 0 to a 1: through pixels, and through the latent plane",
)

# %% [markdown]
# ### How sure is the encoder?
#
# $\boldsymbol{\sigma}(\mathbf{x})$ depends on the image. It should be large when the image says
# little about where in the plane it belongs. Make images that say less and less: keep the upper
# rows only, and leave the rest blank.

# %%
kept_rows = (28, 18, 12, 8)
row = torch.arange(28).repeat_interleave(28)  # the row of each pixel
cut = {r: test * (row < r) for r in kept_rows}
with torch.no_grad():
    posteriors = {r: vae_2.encoder(x) for r, x in cut.items()}

nine = (test_labels == 9).nonzero()[2].item()
plotting.regions(
    {
        f"upper {r} rows": (mean[nine], torch.diag(sd[nine] ** 2))
        for r, (mean, sd) in posteriors.items()
    },
    xlabel="$z_1$",
    ylabel="$z_2$",
    title="The less of a digit there is, the wider the guide's ellipse",
)

# %%
plotting.image_grid(
    torch.stack([cut[r][nine] for r in kept_rows]),
    titles=[f"{r} rows" for r in kept_rows],
    title="The four images",
)

# %%
area = {r: (math.pi * sd.prod(1)).median().item() for r, (_, sd) in posteriors.items()}
pd.Series(area, name="area of the ellipse (1 sd), median of 10,000").rename_axis("rows").round(4)

# %% [markdown]
# It holds for one image, and for the median of all. (These are the *guide's* answers to images such
# as the encoder has never seen. The trend is right, single ellipses need not be: section 8 compares
# the guide with the exact posterior.) But beware of reading $\boldsymbol{\sigma}$ as "how sure
# which digit". Double exposures of a 4 and a 9 hardly have larger ellipses than the digits at both
# ends (below): they have a well-defined place, between the two. The second column says where on the
# way from the code of the 4 to that of the 9. $\boldsymbol{\sigma}$ says how exactly the image
# fixes $\mathbf{z}$, nothing else.

# %%
four, nine_grey = (test_grey[test_labels == digit][:500] for digit in (4, 9))
with torch.no_grad():
    between = {
        share: vae_2.encoder(binarise((1 - share) * four + share * nine_grey))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    }
first, way = between[0.0][0], between[1.0][0] - between[0.0][0]
rows = {}
for share, (mean, sd) in between.items():
    place = ((mean - first) * way).sum(1) / (way**2).sum(1)
    rows[share] = [(math.pi * sd.prod(1)).median().item(), place.median().item()]
columns = ["area of the ellipse, median", "place on the way, median"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("share of the 9").round(4)

# %% [markdown]
# ## 8. The truth: $\ln p(\mathbf{x})$ on a grid
#
# The ELBO is a lower bound of $\ln p(\mathbf{x})$. How far below? For a given decoder
#
# $$p(\mathbf{x}) = \int p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z})\, d\mathbf{z}
# \approx \sum_{\text{cells}} p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z})\, \delta^2,$$
#
# and in two dimensions the plane can be covered with cells of width $\delta$. One pass of the
# decoder over the grid serves all images at once, because the log-likelihood of a Bernoulli is
# linear in $\mathbf{x}$: $\ln p(\mathbf{x} \mid \mathbf{z}) = \mathbf{a}^\top \mathbf{x} - \sum_j
# \mathrm{softplus}(a_j)$, a matrix product. The sum over cells is one of numbers like $e^{-140}$
# and less, so it is done in logarithms, and in double precision: `logsumexp` is the logarithm of a
# sum of exponentials, `logaddexp` that of two.


# %%
@torch.no_grad()
def log_joint_on(vae, z, x):
    """ln p(x, z) for each z of shape (g, d) and each image, shape (g, n)."""
    logits = vae.decoder(z)
    log_likelihood = logits @ x.T - softplus(logits).sum(1, keepdim=True)
    log_prior = dist.Normal(torch.zeros(vae.d), 1.0).log_prob(z).sum(1, keepdim=True)
    return (log_likelihood + log_prior).cpu().double()


def log_p_by_quadrature(vae, x, width, limit=5.5):
    axis = torch.arange(-limit, limit + width / 2, width)
    total = torch.full((len(x),), -math.inf, **double)
    for part in axis.split(50):  # a strip of the plane at a time, to spare memory
        cells = log_joint_on(vae, torch.cartesian_prod(part, axis), x) + 2 * math.log(width)
        total = torch.logaddexp(total, cells.logsumexp(0))
    return total


x_500, labels_500 = test[::20], test_labels[::20]  # every 20th test image
coarser = log_p_by_quadrature(vae_2, x_500, 0.06)
exact = log_p_by_quadrature(vae_2, x_500, 0.03)
change = (exact - coarser).abs()
print(f"exact ln p(x), mean of 500 images: {exact.mean():.4f} nats; with twice the width:", end=" ")
print(f"{coarser.mean():.4f}\nchange for one image: median {change.median():.1e}, largest", end=" ")
print(f"{change.max():.1e}")
for limit in (0.01, 0.1):
    print(f"changed by more than {limit} nats: {(change > limit).sum()} of {len(x_500)} images")

# %% [markdown]
# Halving the width changes the mean by less than 0.002 nats. Single images are another matter: one
# in five changes by more than 0.01 nats, a few by more than 0.1, because their posterior is as
# narrow as a wide cell. So the coarse grid is too coarse for them; we take the fine one, and
# compare it with finer ones for six images at the end of this section. And the ELBO of the same
# images?

# %%
elbo_500 = torch.stack([elbo_per_image(vae_2, x_500) for _ in range(50)]).mean(0).cpu().double()
gap = exact - elbo_500
print(f"ELBO, mean of 500 images: {elbo_500.mean():.2f} nats")
print(f"gap, ln p(x) - ELBO: mean {gap.mean():.2f}, median {gap.median():.2f}, largest", end=" ")
print(f"{gap.max():.1f} nats")
print(f"gap above 5 nats: {(gap > 5).sum()} images; one in twenty is above", end=" ")
print(f"{gap.quantile(0.95):.1f} nats")

# %% [markdown]
# Typically the bound is close, within a nat. But the mean gap is several times the median: one
# image in eight has a gap above 5 nats, one in twenty above 20. Since $\ln p(\mathbf{x}) -
# \mathcal{L}(\mathbf{x}) = \mathrm{KL}(q(\mathbf{z} \mid \mathbf{x}) \| p(\mathbf{z} \mid
# \mathbf{x}))$, their $q$ must be far from the exact posterior. We have that, too: it is
# proportional to the joint on a grid. Draw it beside $q$ for three images: one with a typical gap;
# of those with a gap from 2 to 8 nats the one whose exact posterior is the widest; and the one with
# the largest gap of all.


# %%
axis = torch.linspace(-4.5, 4.5, 181)
plane = torch.cartesian_prod(axis, axis)


def posterior_draws(chosen):
    """1000 draws from the exact posterior of each chosen image, shape (images, 1000, 2)."""
    log_joint = log_joint_on(vae_2, plane, x_500[chosen])
    probability = (log_joint - log_joint.logsumexp(0)).exp()
    return plane[probability.T.multinomial(1000, replacement=True)]


def draw_posterior(i, ax, title):
    with torch.no_grad():
        mean, sd = vae_2.encoder(x_500[i : i + 1])
    shown = torch.cat([posterior_draws([i])[0], mean + 3 * sd, mean - 3 * sd])
    low, high = shown.amin(0), shown.amax(0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    x_axis, y_axis = (torch.linspace(low[k].item(), high[k].item(), 150) for k in (0, 1))
    z = torch.cartesian_prod(x_axis, y_axis)
    log_exact = log_joint_on(vae_2, z, x_500[i : i + 1])[:, 0]
    log_q = dist.Normal(mean, sd).log_prob(z).sum(1)
    plotting.regions(
        {
            name: (x_axis, y_axis, (log - log.max()).exp().reshape(150, 150).T)
            for name, log in (("guide", log_q), ("exact", log_exact))
        },
        xlabel="$z_1$",
        ylabel="$z_2$",
        title=title,
        ax=ax,
    )


order = gap.argsort()
medium = ((gap > 2) & (gap < 8)).nonzero().flatten()
widest = posterior_draws(medium).var(1).sum(-1).argmax()
three = {
    "typical": order[250].item(),
    "wide": medium[widest].item(),
    "largest": order[-1].item(),
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.6))
for (name, i), ax in zip(three.items(), axes, strict=True):
    draw_posterior(i, ax, f"{name}: a {labels_500[i].item()}, gap {gap[i]:.1f}")

# %% [markdown]
# Left, amortised inference as it should be: one pass of the encoder, and the posterior is there.
# In the middle an ambiguous image: its exact posterior is in several pieces, for it could have come
# from different places, and one normal distribution cannot be everywhere. On the right the encoder
# has simply put the image in the wrong place. What the three reconstruct:

# %%
i = list(three.values())
with torch.no_grad():
    by_guide = vae_2.decoder(vae_2.encoder(x_500[i])[0]).sigmoid()
best = plane[log_joint_on(vae_2, plane, x_500[i]).argmax(0)]
with torch.no_grad():
    by_mode = vae_2.decoder(best).sigmoid()
plotting.image_grid(
    torch.cat([x_500[i], by_guide, by_mode]),
    columns=3,
    titles=list(three),
    row_names=["image", "from the\nguide's mean", "from the\nexact mode"],
    title="What they are decoded to",
)

# %%
with torch.no_grad():
    log_likelihoods = {
        place: dist.Bernoulli(logits=vae_2.decoder(z)).log_prob(x_500[i]).sum(1).tolist()
        for place, z in (("guide's mean", vae_2.encoder(x_500[i])[0]), ("exact mode", best))
    }
pd.DataFrame(log_likelihoods, index=list(three)).rename_axis("ln p(x | z) at the").round(1)

# %% [markdown]
# The right-hand image the decoder *can* draw; the encoder does not find the place. That part of the
# gap is the price of amortisation (Cremer et al. 2018): one function for all images, instead of a
# fit for each. In the middle the guide sits on the piece of the posterior with the higher peak; it
# has no room for the other, and with its axes along the coordinates not quite the shape of this
# one: that part of the gap is the price of a normal guide. And the decoder
# has no good place for this image at all. The label is 5; even at the likeliest place it draws
# something between a 3 and an 8.
#
# ### Without a grid: importance sampling
#
# With 50 dimensions there is no grid: with ten cells along each axis it would have $10^{50}$. But
# the integral is an expectation under $q$, and can be estimated with $K$ draws from it:
#
# $$p(\mathbf{x}) = \mathbb{E}_{q(\mathbf{z} \mid \mathbf{x})} \Bigl[
# \frac{p(\mathbf{x}, \mathbf{z})}{q(\mathbf{z} \mid \mathbf{x})} \Bigr], \qquad
# \ln p(\mathbf{x}) \approx \mathcal{L}_K = \ln \frac{1}{K} \sum_{k=1}^K
# \frac{p(\mathbf{x}, \mathbf{z}_k)}{q(\mathbf{z}_k \mid \mathbf{x})}.$$
#
# The fractions are the **importance weights**. For $K = 1$ this is the ELBO of one draw. On average
# $\mathcal{L}_K$ is a lower bound as well, grows with $K$, and reaches $\ln p(\mathbf{x})$ as
# $K \to \infty$ (Burda et al. 2016).
#
# ### ✏️ Exercise 7: the importance-weighted estimate
#
# Complete `importance_weighted`, from `log_joint`, the $\ln p(\mathbf{x}, \mathbf{z}_k)$, and
# `log_q`, the $\ln q(\mathbf{z}_k \mid \mathbf{x})$, both of shape `(K, n)`, for $K$ draws and $n$
# images. The result has shape `(n,)`.
#
# <details><summary>Hint</summary>
#
# A weight is $e^{-140}$ or so. In single precision that is rounded to 0, and $\ln 0 = -\infty$; in
# double precision so is what is below $e^{-745}$. Stay with logarithms: `t.logsumexp(0)` is
# $\ln \sum_k e^{t_k}$. The logarithm of $1/K$ is a number to add; $K$ is `len(log_q)`.
#
# </details>


# %%
def importance_weighted(log_joint, log_q):
    ### BEGIN SOLUTION
    log_weights = log_joint - log_q
    log_p = log_weights.logsumexp(0) - math.log(len(log_q))
    ### END SOLUTION
    return log_p


# %% tags=["nbval-check-output"]
check.importance_weighted(importance_weighted)


# %%
@torch.no_grad()
def draw_weights(vae, x, K, widen=1.0):
    mean, sd = vae.encoder(x)
    if widen > 1:
        sd = (widen * sd).clamp(max=1)  # the prior is wide enough
    q, prior = dist.Normal(mean, sd), dist.Normal(torch.zeros(vae.d), 1.0)
    log_joint, log_q = [], []
    chunk = max(1, 5000 // len(x))  # not all draws at once: that would take a lot of memory
    for size in torch.arange(K).split(chunk):
        z = q.sample((len(size),))
        logits = vae.decoder(z)
        log_likelihood = (logits * x).sum(-1) - softplus(logits).sum(-1)
        log_joint.append(log_likelihood + prior.log_prob(z).sum(-1))
        log_q.append(q.log_prob(z).sum(-1))
    return torch.cat(log_joint).cpu().double(), torch.cat(log_q).cpu().double()


log_joint, log_q = draw_weights(vae_2, x_500, 250)
estimate = importance_weighted(log_joint, log_q)
print(f"500 images, 250 draws each: mean {estimate.mean():.2f}, exact {exact.mean():.2f} nats")

# %% [markdown]
# Better than the ELBO, but not the truth: if $q$ has no draws where the posterior is, nothing says
# so. A simple help is to draw more widely. The estimate is right for draws from *any* distribution,
# as long as the weights are divided by *its* density; with many draws, too narrow costs far more
# than too wide. So take 1.5 times the encoder's standard deviation (but no more than the prior's);
# or leave the encoder out altogether, and take 20,000 draws from the prior, the same for all
# images:

# %%
log_joint, log_q = draw_weights(vae_2, x_500, 250, widen=1.5)
log_weights = log_joint - log_q
z = torch.randn(20_000, 2)
log_prior = dist.Normal(torch.zeros(2), 1.0).log_prob(z).sum(1, keepdim=True).cpu().double()
estimates = {
    "q": estimate,
    "1.5 times as wide": importance_weighted(log_joint, log_q),
    "prior": importance_weighted(log_joint_on(vae_2, z, x_500), log_prior),
}
rows = {}
for name, value in estimates.items():
    off = (value - exact).abs()
    rows[name] = [
        value.mean().item(),
        off.median().item(),
        (off > 1).sum().item(),
        off.max().item(),
    ]
columns = ["mean ln p(x)", "median error", "images off by > 1 nat", "largest error"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("draws from").round(2)

# %% [markdown]
# Wider draws help, and some images stay far off. The prior is noisier on most images, but far off
# for fewer: in two dimensions it can still cover the plane. (With 50 it would hardly ever hit.)
#
# Can the weights themselves tell where to be careful? If a few of the $K$ weights make up most of
# their sum, the rest is decoration. The **effective sample size** counts those that count; with
# weights $w_k$ normalised to sum 1 it is $1 / \sum_k w_k^2$, between 1 and $K$. And estimates
# from different draws should agree, say within 0.3 nats. The errors of the second estimate, by
# these two signs:

# %%
w = (log_weights - log_weights.logsumexp(0)).exp()
effective = 1 / (w**2).sum(0) / len(w)  # as a share of K
agree = (estimates["1.5 times as wide"] - estimates["prior"]).abs() < 0.3
off = (estimates["1.5 times as wide"] - exact).abs()
rows = {}
for low, high in ((0, 0.01), (0.01, 0.1), (0.1, 0.5), (0.5, 1)):
    for text, agreed in (("no", ~agree), ("yes", agree)):
        of = off[(effective > low) & (effective <= high) & agreed]
        if len(of):
            rows[f"{low:.0%} to {high:.0%}", text] = [len(of), of.median().item(), of.max().item()]
columns = ["images", "median error", "largest error"]
signs = pd.MultiIndex.from_tuples(rows, names=["effective sample size", "estimates agree"])
pd.DataFrame(list(rows.values()), index=signs, columns=columns).round(3)

# %% [markdown]
# Where hardly any draw counts, the result may be off by dozens of nats. A large effective sample
# size is a good sign, and here it was nearly enough. It is no proof: a piece of the posterior that
# no draw has met does not show in any weight. Below one half, the other estimate is what tells the
# good from the bad. Where both signs are good, so is the estimate. Take the first six images of
# that kind, more draws, and a finer grid around the posterior of each. All numbers side by side:

# %%
six = ((effective > 0.5) & agree).nonzero().flatten()[:6]
x_6 = x_500[six]
weighted_6 = importance_weighted(*draw_weights(vae_2, x_6, 10_000, widen=1.5))


def log_p_on_box(i, cells, reach=12):
    with torch.no_grad():
        mean, sd = vae_2.encoder(x_500[i : i + 1])
    steps = torch.linspace(-reach, reach, cells)
    z = torch.cartesian_prod(mean[0, 0] + sd[0, 0] * steps, mean[0, 1] + sd[0, 1] * steps)
    log_cell = sd.log().sum().item() + 2 * math.log(2 * reach / (cells - 1))
    return log_joint_on(vae_2, z, x_500[i : i + 1]).logsumexp(0)[0] + log_cell


boxes = {cells: torch.stack([log_p_on_box(i, cells) for i in six]) for cells in (61, 121)}
columns = {
    "ELBO": elbo_500[six],
    "weighted": weighted_6,
    "exact, δ = 0.06": coarser[six],
    "δ = 0.03": exact[six],
    "δ = 0.4 sd": boxes[61],
    "δ = 0.2 sd": boxes[121],
}
names = [f"x_{k + 1}, a {labels_500[i].item()}" for k, i in enumerate(six)]
pd.DataFrame({name: value.numpy() for name, value in columns.items()}, index=names).round(3)

# %% [markdown]
# The grids agree with each other; the importance-weighted estimate agrees with them; the ELBO is
# a little below. That is what you may expect of the estimate where both signs are good. In 50
# dimensions draws from the prior hit nothing and there is no grid; keep in mind that the estimate
# may be low there.

# %% [markdown]
# ## 9. Fifty dimensions, for good images
#
# Two numbers are not enough for ten digits in all handwritings. The same functions with $d = 50$,
# and a slightly larger learning rate:

# %%
pyro.set_rng_seed(SEED)
vae_50 = deep(50)
losses_50 = fit(vae_50, settings["epochs"][50], rate=settings["rate"][50])
elbo_50 = elbo_per_image(vae_50, test)
print(f"d = 50: ELBO of the test images {elbo_50.mean():.2f} nats per image")

# %%
plotting.elbo_curve(
    {"d = 2": losses_2, "d = 50": losses_50},
    title="ELBO per image of each minibatch: 50 dimensions are worth dozens of nats",
)

# %% [markdown]
# How much of the rest is the bound's, and how much the model's? The importance-weighted estimate,
# against the number of draws:

# %%
x_250 = x_500[::2]
draws = torch.tensor([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 10_000, 20_000])
bounds = {}
for name, widen, K in (
    ("draws from q", 1.0, settings["draws"] // 4),
    ("1.5 times as wide", 1.5, settings["draws"]),
):
    log_joint, log_q = draw_weights(vae_50, x_250, K, widen)
    upto = draws[draws <= K]
    means = [importance_weighted(log_joint[:k], log_q[:k]).mean() for k in upto]
    bounds[name] = (upto, torch.stack(means))
plotting.curves(
    bounds,
    xscale="log",
    xlabel="number of draws $K$",
    ylabel=r"$\mathcal{L}_K$, mean of 250 images (nats)",
    title="More draws, tighter bound; wider draws are ahead in the end",
)

# %%
log_p_50 = importance_weighted(log_joint, log_q)
elbo_250 = torch.stack([elbo_per_image(vae_50, x_250) for _ in range(20)]).mean(0)
log_p_all = elbo_50.mean().item() + (log_p_50 - elbo_250.cpu()).mean().item()
(*_, before, last), (*_, at_before, at_last) = bounds["1.5 times as wide"]
print(f"250 test images: ELBO {elbo_250.mean():.2f}, ln p(x) {log_p_50.mean():.2f} nats")
print(f"from K = {before} to {last} it still gains {at_last - at_before:.2f} nats")
print(f"all 10,000 (their ELBO, plus the gap of the 250): ln p(x) = {log_p_all:.2f} nats")

# %% [markdown]
# The second half of the draws adds next to nothing: the curve is flat. That is no proof: as section
# 8 has shown, what no draw has met does not show. Burda et al. (2016) report $-86.8$ for a
# variational autoencoder with 50 latent numbers, by importance sampling with 5000 draws, after
# thousands of epochs of training; yours had twelve. The gap between the ELBO and $\ln
# p(\mathbf{x})$ is the guide's: with a better one, the same decoder would get a better ELBO.
#
# ### What it draws

# %%
ten = torch.stack([test[test_labels == digit][0] for digit in range(10)])
rows = [ten]
for vae in (vae_2, vae_50):
    with torch.no_grad():
        rows.append(vae.decoder(vae.encoder(ten)[0]).sigmoid())
plotting.image_grid(
    torch.cat(rows),
    row_names=["image", "d = 2", "d = 50"],
    title="Ten test images, and their reconstructions",
)

# %%
z = torch.randn(20, 50)
with torch.no_grad():
    plotting.image_grid(
        torch.cat([vae_50.decoder(z).sigmoid(), path(vae_50, zero, one)]),
        row_names=["drawn", "drawn", "0 to 1"],
        title="d = 50: twenty draws from the model; from a 0 to a 1",
    )

# %% [markdown]
# Reconstructions are sharp. Most of the draws, too, have the strokes of a pen, not of a ghost; many
# are digits, and some are none. The prior has corners where no digit is at home.
#
# ### Where the nats go

# %%
rows = {}
for name, vae in (("d = 2", vae_2), ("d = 50", vae_50)):
    D, R = (part.mean().item() for part in distortion_and_rate(vae, test))
    rows[name] = [D, R, -(D + R)]
pd.DataFrame.from_dict(rows, orient="index", columns=["distortion D", "rate R", "ELBO"]).round(2)

# %% [markdown]
# The larger model says more about each image in $\mathbf{z}$ (rate), and saves four times as much
# in the pixels (distortion). Is that 50 dimensions' worth? The rate is a sum over the entries of
# $\mathbf{z}$; here is each one's share, in order:

# %%
with torch.no_grad():
    mean, sd = vae_50.encoder(test)
each = torch.stack(
    [kl_normals(mean[:, [j]], sd[:, [j]], torch.zeros(1), torch.ones(1)).mean() for j in range(50)]
)
used = (each > 0.01).sum().item()
plotting.curves(
    {"rate": (torch.arange(1, 51), each.sort(descending=True)[0])},
    xlabel="entry of $\\mathbf{z}$, in order",
    ylabel="rate (nats per image)",
    title=f"{used} of 50 dimensions are in use; the posterior of the others is the prior",
)

# %% [markdown]
# The model *chose* how many dimensions to use. An entry that says less about the pixels than its
# rate costs is better left at the prior: for it $\mu = 0$ and $\sigma = 1$ whatever the image, its
# rate is 0, and the decoder ignores it. This is called **posterior collapse**. In part it is a
# virtue, for you need not choose $d$; Lucas et al. (2019) show on the linear model of the last
# notebook that the likelihood itself asks for it. In part it is the fit's doing: Burda et al.
# (2016) found 19 of 50 in use, after far more epochs.

# %% [markdown]
# ## 10. What depth buys
#
# The same likelihood, the same loop, the same binarised test images, but one linear layer on either
# side: factor analysis for binary pixels. (It takes a larger learning rate, and then fewer epochs:
# with 14 instead of 8 its ELBO for $d = 50$ rises by half a nat.)

# %%
pyro.set_rng_seed(SEED)
shallow = {d: linear(d) for d in (2, 50)}
for d, epochs in ((2, 3), (50, 8)):
    fit(shallow[d], epochs, rate=0.03)

rows = {}
for name, vae in (
    ("linear, d = 2", shallow[2]),
    ("deep, d = 2", vae_2),
    ("linear, d = 50", shallow[50]),
    ("deep, d = 50", vae_50),
):
    D, R = (part.mean().item() for part in distortion_and_rate(vae, test))
    log_p = importance_weighted(*draw_weights(vae, x_500, 200)).mean().item()
    weights = sum(part.numel() for part in vae.decoder.parameters())
    rows[name] = [weights, D, R, -(D + R), log_p]
columns = ["weights of the decoder", "distortion", "rate", "ELBO", "ln p(x), K = 200, 500 images"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(1)

# %% [markdown]
# First a warning: the last column is the estimate whose failures you saw in section 8. For
# the deep model with $d = 2$ it is low by 2 nats; the exact value there is the one to believe. For
# the other rows it is a lower bound on average, no more.
#
# The last two rows are the answer for 50 dimensions: two hidden layers on either side are worth
# about 15 nats of the ELBO, and about 13 of $\ln p(\mathbf{x})$, as estimated. So the deep model
# gives a typical test image $e^{13}$ times, some 400,000 times, the probability that the linear one
# gives it. Not by drawing it more exactly: the *distortions* are about the same. But for that the
# linear model has to say nearly twice as much about each image in $\mathbf{z}$, which the deep
# decoder knows about digits in general. With two dimensions, where hardly anything can be said in
# $\mathbf{z}$, depth is worth about 40 nats. And two numbers with a deep decoder are no match for
# fifty with a linear one.

# %% [markdown]
# ## 11. How much to say: β in the ELBO
#
# Rate and distortion are traded against each other, one nat for one. Higgins et al. (2017) change
# the exchange rate:
#
# $$\mathcal{L}_\beta = \mathbb{E}_q[\ln p(\mathbf{x} \mid \mathbf{z})] -
# \beta\, \mathrm{KL}(q \| p).$$
#
# With $\beta > 1$ saying something in $\mathbf{z}$ is expensive, with $\beta < 1$ it is cheap. Only
# $\beta = 1$ is a lower bound of $\ln p(\mathbf{x})$ that is tight if $q$ is the posterior.
#
# ### ✏️ Exercise 8: β in the ELBO
#
# Write `beta_model` and `beta_guide`, which take a third argument `beta`, so that Pyro's loss is
# $-\mathcal{L}_\beta$. The KL divergence is $\mathbb{E}_q[\ln q(\mathbf{z} \mid \mathbf{x}) - \ln
# p(\mathbf{z})]$. So multiply both log-densities of $\mathbf{z}$ by $\beta$, that of the model
# and that of the guide, and leave $\mathbf{x}$ as it is.
#
# <details><summary>Hint</summary>
#
# `with poutine.scale(scale=...):` multiplies the log-densities of all sites inside by a number.
# Copy your functions, and put the right lines into such a block.
#
# </details>


# %%
def beta_model(x, vae, beta):
    ### BEGIN SOLUTION
    with pyro.plate("images", len(x)):
        with poutine.scale(scale=beta):
            z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)
    ### END SOLUTION


def beta_guide(x, vae, beta):
    ### BEGIN SOLUTION
    with pyro.plate("images", len(x)), poutine.scale(scale=beta):
        mean, sd = vae.encoder(x)
        pyro.sample("z", dist.Normal(mean, sd).to_event(1))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.beta_elbo(beta_model, beta_guide)

# %% [markdown]
# Three short fits of one epoch each, with $\beta = 1/4$, 1 and 4:

# %%
by_beta = {beta: deep(50) for beta in (0.25, 1.0, 4.0)}
for beta, vae in by_beta.items():
    fit(vae, 1, beta_model, beta_guide, args=(beta,), rate=0.005)

rows = {}
for beta, vae in by_beta.items():
    D, R = (part.mean().item() for part in distortion_and_rate(vae, test))
    rows[beta] = [D, R, -(D + R)]
columns = ["distortion D", "rate R", "ELBO (β = 1)"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("β").round(2)

# %%
pictures, z = [], torch.randn(5, 50)
with torch.no_grad():
    for vae in by_beta.values():
        rebuilt = vae.decoder(vae.encoder(ten[:5])[0]).sigmoid()
        pictures += [rebuilt, vae.decoder(z).sigmoid()]
plotting.image_grid(
    torch.cat(pictures),
    row_names=[f"β = {beta:g}" for beta in by_beta],
    titles=["rebuilt"] * 5 + ["drawn"] * 5,
    title="Five reconstructions on the left, five draws on the right",
)

# %% [markdown]
# Small $\beta$: the encoder says a lot, and the distortion is the smallest. Whether the draws are
# worse, five of them cannot tell. Large $\beta$: little is said, and much of what is particular to
# an image is lost. By the ELBO both are worse than $\beta = 1$, and $\beta = 4$ far worse than
# $\beta = 1/4$. A good reconstruction does not make a good model, but neither does a cheap code.

# %% [markdown]
# ## 12. What it does not know
#
# The lecture promised models that know what they do not know. A generative model should be the
# right one to ask: what is unlike the training data should have a low $p(\mathbf{x})$. Try it, with
# the ELBO for $\ln p(\mathbf{x})$. An image is told from a digit if it has the lower ELBO of the
# two; "told apart" is how often that is so, over all pairs of such an image and a test image.


# %%
def compare(sets):
    digits = elbo_per_image(vae_50, x_500)
    rows = {}
    for name, x in sets.items():
        elbo = elbo_per_image(vae_50, x)
        lower = (elbo[:, None] < digits).float().mean()
        apart = "" if x is x_500 else f"{lower:.0%}"
        rows[name] = [f"{x.mean():.1%}", f"{elbo.mean():,.1f}", apart]
    columns = ["share of ink", "ELBO", "told apart"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


square = x_500.view(-1, 28, 28)
ink = x_500.mean().item()
strange = {
    "test digits": x_500,
    "rotated by 90°": square.rot90(1, (1, 2)).flatten(1),
    "mirrored": square.flip(2).flatten(1),
    "inverted": 1 - x_500,
    "noise, half of it ink": binarise(torch.full_like(x_500, 0.5)),
    "noise, with the ink of digits": binarise(torch.full_like(x_500, ink)),
}
compare(strange)

# %% [markdown]
# Noise and inverted images are about a thousand nats away or more; rotated digits are told apart
# nearly always, mirrored ones (a mirrored 0 or 8 is still one) most of the time. So far, so good.
# (The ELBO is drawn anew at each call, so the first row changes a little below.)
# Now try images that are *simple*: digits made half as large, a single stroke, nothing at all.

# %%
small = nn.functional.avg_pool2d(test_grey[::20].view(-1, 1, 28, 28), 2)
stroke, empty = torch.zeros(500, 28, 28), torch.zeros(500, 784)
stroke[:, 8:20, 14] = 1
simple = {
    "test digits": x_500,
    "digits of half the size": binarise(nn.functional.pad(small, (7, 7, 7, 7)).flatten(1)),
    "one stroke": stroke.flatten(1),
    "empty": empty,
}
compare(simple)

# %%
kinds = strange | simple
shown = torch.stack([x[k] for k in (0, 1) for x in kinds.values()])
names = [
    "digit",
    "rotated",
    "mirrored",
    "inverted",
    "noise",
    "less noise",
    "small",
    "stroke",
    "empty",
]
plotting.image_grid(shown, columns=len(kinds), titles=names, title="Two of each kind")

# %%
samples = {
    "test digits": x_500,
    "rotated by 90°": strange["rotated by 90°"],
    "half the size": simple["digits of half the size"],
}
_, ax = plt.subplots()
for line, (name, x) in zip(("-", "--", "-."), samples.items(), strict=True):
    elbo = elbo_per_image(vae_50, x).clamp(min=-320).cpu()
    look = {"histtype": "step", "ls": line, "lw": 1.8, "label": name}
    ax.hist(elbo, bins=45, range=(-320, -20), density=True, **look)
ax.set_title("The model finds small digits, which it has never seen, likelier than digits")
ax.set(xlabel="ELBO (nats; what is below -320 is drawn there)", ylabel="density")
_ = ax.figure.legend(loc="outside lower center", ncols=3)

# %% [markdown]
# None of these was in the training data, and no one would take an empty image for a digit. Yet the
# model finds a small digit *more* probable than a test image in four pairs of five, and the stroke
# and the empty image more probable than nearly all of them. This is the trap that Nalisnick et al.
# (2019) found in large models of photographs. There is no mistake in the model. $p(\mathbf{x})$ is
# the probability of *this very image*, pixel by pixel. A digit has many pixels on the edges of its
# strokes that could as well be otherwise, and each costs; a blank image has none. The same within
# the digits:

# %%
elbo_all = elbo_per_image(vae_50, test)
by_digit = {digit: elbo_all[test_labels == digit].mean().item() for digit in range(10)}
pd.DataFrame([by_digit], index=["ELBO"]).rename_axis(columns="digit").round(1)

# %%
order = elbo_all.argsort()
plotting.image_grid(
    torch.cat([test[order[:10]], test[order[-10:]]]),
    title="The least and the most probable of 10,000 test images",
)

# %% [markdown]
# A 1 is not more of a digit than an 8; it is simpler. The *most* probable images need not be
# *typical* at all: with fair coins "all heads" is as probable as any sequence, with coins that show
# heads six times out of ten it is the most probable of all, and you will not see it. So a low
# likelihood is a warning, but a high one is no all-clear.

# %% [markdown]
# ## 13. Scorecard
#
# For the two-dimensional model the exact values come from the grids. The first six rows are the six
# images of section 8. The seventh is the importance-weighted estimate for 500 images with 250 draws
# of the guide each, the images where it fails included; the eighth their ELBO, whose distance from
# the exact $\ln p(\mathbf{x})$ is the guide's gap. These two are *known* to be low, and you have
# seen why. For 50 dimensions no exact value exists: the last row has the ELBO of all 10,000 test
# images, and in the column `exact` the importance-weighted estimate, itself a lower bound on
# average.

# %%
approximate = {f"ln p(x_{k + 1})": value for k, value in enumerate(weighted_6)}
truth = {f"ln p(x_{k + 1})": value for k, value in enumerate(boxes[121])}
approximate |= {"mean ln p(x), d = 2": estimate.mean(), "ELBO, d = 2": elbo_500.mean()}
truth |= {"mean ln p(x), d = 2": exact.mean(), "ELBO, d = 2": exact.mean()}
approximate["ELBO, d = 50"] = elbo_50.mean()
truth["ELBO, d = 50"] = log_p_all

# %%
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard)

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard[:6], nats=0.1)
check.elbo_at_least(scorecard, "ELBO, d = 50", -97.5)

# %% [markdown]
# ## 14. Going further
#
# - **A better guide.** For the images of section 8 with the largest gaps, start at the encoder's
#   mean and standard deviation and fit both *for this image*, as in the first notebooks. How much
#   of the gap goes? What if you start somewhere else?
# - **A better bound.** Fit with `importance_weighted` of 5 draws in place of the ELBO (Burda et al.
#   2016). (`draw_weights` cuts off the gradient: write its draws with `rsample`, and without
#   `no_grad`.) Does $\ln p(\mathbf{x})$ improve? How many dimensions are in use?
# - **A fairer judge.** How would you correct the likelihood for the simplicity of an image? Serrà
#   et al. (2020) subtract the length of its compressed file. Try `zlib.compress` on the binary
#   pixels.
#
# ### References
#
# - D. P. Kingma and M. Welling (2014). Auto-encoding variational Bayes. *International Conference
#   on Learning Representations*.
# - D. J. Rezende, S. Mohamed and D. Wierstra (2014). Stochastic backpropagation and approximate
#   inference in deep generative models. *International Conference on Machine Learning*.
# - D. P. Kingma and M. Welling (2019). An introduction to variational autoencoders. *Foundations
#   and Trends in Machine Learning* 12(4), 307–392.
# - Y. Burda, R. Grosse and R. Salakhutdinov (2016). Importance weighted autoencoders.
#   *International Conference on Learning Representations*.
# - C. Cremer, X. Li and D. Duvenaud (2018). Inference suboptimality in variational autoencoders.
#   *International Conference on Machine Learning*.
# - I. Higgins et al. (2017). beta-VAE: learning basic visual concepts with a constrained
#   variational framework. *International Conference on Learning Representations*.
# - G. Loaiza-Ganem and J. P. Cunningham (2019). The continuous Bernoulli: fixing a pervasive error
#   in variational autoencoders. *Advances in Neural Information Processing Systems* 32.
# - J. Lucas, G. Tucker, R. Grosse and M. Norouzi (2019). Don't blame the ELBO! A linear VAE
#   perspective on posterior collapse. *Advances in Neural Information Processing Systems* 32.
# - E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur and B. Lakshminarayanan (2019). Do deep
#   generative models know what they don't know? *International Conference on Learning
#   Representations*.
# - J. Serrà et al. (2020). Input complexity and out-of-distribution detection with likelihood-based
#   generative models. *International Conference on Learning Representations*.
