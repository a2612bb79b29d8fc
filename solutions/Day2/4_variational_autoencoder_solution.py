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
# - say what the reparameterisation of a draw is for, and split the ELBO in two: what is lost of an
#   image, and what it costs to describe;
# - measure how far the ELBO is below $\ln p(\mathbf{x})$, with a grid and without one;
# - say what such a model does not know, and what only its encoder does not know.
#
# **Time:** 75 minutes in class. **Before:** Day 1 and the notebooks 1 and 3 of Day 2. You need the
# ELBO, Pareto $\hat{k}$, amortised guides and the minibatch loop of the factor analysis.
#
# Six exercises in class and one after it are marked ✏️. The cell after each one checks your answer
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

from checks import variational_autoencoder as check
from pyro import poutine
from pyro.infer import Trace_ELBO
from torch import nn
from torch.nn.functional import softplus
from tqdm.auto import trange
from utils import inference
from utils.data import load_mnist
from utils.explorer import explore
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# Two sizes in one place: the images in a minibatch, and for two and for fifty dimensions the number of
# **epochs**, passes through all 60,000 images. With a GPU, 50 and 200 epochs are affordable.

# %%
settings = {"batch": 200, "epochs": {2: 3, 50: 4}}

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
# $\theta$ are the weights of the **decoder** network, $\phi$ those of the **encoder**. The price:
# neither the likelihood nor the posterior has a closed form any more. Part of this notebook is to
# find the truth without one.

# %% [markdown]
# ## 2. The data: pixels that are 0 or 1
#
# Every pixel gets a **Bernoulli** distribution: it is 1 (ink) with some probability $\pi$ and else
# 0. Images are then discrete, $p(\mathbf{x})$ is a *probability*, and $\ln p(\mathbf{x}) \le 0$.
#
# But the pixels of MNIST are grey, $0 \le x \le 1$. The formula $x \ln \pi + (1 - x) \ln (1 - \pi)$
# accepts a grey $x$ without complaint, and much code on the web gives it some. Yet
# $\pi^x (1 - \pi)^{1 - x}$ is no density of a grey pixel: over $0 \le x \le 1$ it integrates to one
# half at most (Loaiza-Ganem and Cunningham 2019). With 784 pixels, an "ELBO" of grey images is at
# least $784 \ln 2 = 543$ nats below that of a proper density.
#
# So make the pixels binary: take each grey value as the probability of a 1, and draw. The test set
# is drawn once, so that numbers can be compared; training images are drawn anew at each use.

# %%
images, labels = load_mnist()  # grey, to draw from
test_grey, test_labels = load_mnist(train=False)
fixed = torch.Generator("cpu").manual_seed(0)  # always the same test images
test = torch.bernoulli(test_grey.cpu(), generator=fixed).to(test_grey)
mean_image = images.mean(0)


def binarise(x):
    return (torch.rand_like(x) < x).to(x)  # P(uniform number < x) is x


rows = [images[:10], binarise(images[:10]), binarise(images[:10])]
plotting.image_grid(torch.cat(rows), row_names=["grey", "draw", "draw"])

# %% [markdown]
# ## 3. The model
#
# A *linear layer* `nn.Linear(n_in, n_out)` computes $\mathbf{W} \mathbf{h} + \mathbf{b}$. An
# *activation* is a function of one number, applied to every entry, which is not linear; we take the
# smooth `nn.GELU()`, about 0 for very negative numbers $h$ and about $h$ for large ones.
# `nn.Sequential(first, second, ...)` puts such parts in a row: the output of each is the input of
# the next. Without activations, a row of linear layers would only be one linear layer.
#
# ### ✏️ Exercise 1: the decoder (7 min)
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
def network(n_in, n_out, hidden=300):
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
# ### ✏️ Exercise 2: the model (8 min)
#
# Write `vae_model`. `x` holds $n$ binary images, shape `(n, 784)`. `vae` holds the networks:
# `vae.decoder`, which maps a tensor of shape `(n, d)` to logits of shape `(n, 784)`, and the number
# `vae.d` of entries of $\mathbf{z}$. The sites are `z` and `x`, in a plate `images` over the images:
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
        pyro.sample(
            "x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x
        )
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
# One network does both jobs: of its $2d$ outputs, $d$ are for $\boldsymbol{\mu}$ and $d$ for
# $\boldsymbol{\sigma}$. These outputs are any real numbers, and a standard deviation is positive;
# $\mathrm{softplus}(h) = \ln(1 + e^h)$ makes it so, and a small floor keeps it from rounding to 0.
#
# ### ✏️ Exercise 3: the encoder (8 min)
#
# In PyTorch, whatever has weights is a class that inherits from `nn.Module`; `forward` says what
# happens when it is called. Complete `forward`. `self.network` maps `(n, 784)` to `(n, 2 * d)`;
# `self.mean_image` is $\bar{\mathbf{x}}$, the mean of the training images, to be subtracted. With
# $\mathbf{h}_{\text{first}}$ and $\mathbf{h}_{\text{second}}$ for the two halves of the network's
# output for $\mathbf{x} - \bar{\mathbf{x}}$,
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
# The guide asks the encoder, in a plate of the model's name. What would be wrong with a `to_event`
# forgotten here?


# %%
def vae_guide(x, vae):
    with pyro.plate("images", len(x)):
        mean, sd = vae.encoder(x)
        pyro.sample("z", dist.Normal(mean, sd).to_event(1))


# %% [markdown]
# Without it the $d$ entries of one image's $\mathbf{z}$ would be $d$ separate events, and the plate
# has no room for them. Now put the parts together: `deep(d)` makes a `VAE` with your `network` on
# either side. As `b` in the factor analysis, the decoder's last bias starts at the mean image, at
# its logits.


# %%
class VAE(nn.Module):
    def __init__(self, d, encoder, decoder):
        super().__init__()
        self.d, self.decoder = d, decoder
        self.encoder = Encoder(encoder, mean_image)
        *_, last_bias = decoder.parameters()
        last_bias.data.copy_(torch.logit(mean_image, eps=0.001))


def deep(d):
    return VAE(d, network(784, 2 * d), network(d, 784))


vae = deep(2)
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
# ### ✏️ Exercise 4: a draw that lets gradients through (5 min)
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
# ### ✏️ Exercise 5: what is lost, and what it costs (9 min)
#
# The two parts of the ELBO have names, $\mathcal{L} = -(D + R)$:
#
# - the **distortion** $D$, what is still uncertain about the pixels when $\mathbf{z}$ is known,
#   here for one draw of $\mathbf{z}$ and its logits;
# - the **rate** $R = \mathrm{KL}(q \| p)$, how much, in nats, $\mathbf{z}$ says about this image
#   beyond what the prior says about all.
#
# $$D = -\sum_{j=1}^{784} \ln p(x_j \mid \mathbf{z}), \qquad
# R = \sum_{j=1}^d \Bigl( \frac{\mu_j^2 + \sigma_j^2 - 1}{2} - \ln \sigma_j \Bigr).$$
#
# Complete `distortion_and_rate`. `x` and `logits` have shape `(n, 784)`, `mean` and `sd` shape
# `(n, d)`. Return $D$ and $R$, each of shape `(n,)`: two numbers for each image.
#
# <details><summary>Hint</summary>
#
# A distribution scores: `dist.Bernoulli(logits=...).log_prob(...)` gives a number for each pixel.
# Which dimension holds the pixels, and which the entries of $\mathbf{z}$?
#
# </details>


# %%
def distortion_and_rate(x, logits, mean, sd):
    ### BEGIN SOLUTION
    D = -dist.Bernoulli(logits=logits).log_prob(x).sum(-1)
    R = ((mean**2 + sd**2 - 1) / 2 - sd.log()).sum(-1)
    ### END SOLUTION
    return D, R


# %% tags=["nbval-check-output"]
check.distortion_and_rate(distortion_and_rate)

# %% [markdown]
# With your functions the whole ELBO is three lines. By hand and by Pyro, for the weights as they
# are now, before any fit:


# %%
def elbo(vae, x, mean, sd):
    logits = vae.decoder(reparameterise(mean, sd))
    D, R = distortion_and_rate(x, logits, mean, sd)
    return -(D + R)


with torch.no_grad():
    by_hand = elbo(vae, test, *vae.encoder(test)).mean()
    by_pyro = -Trace_ELBO().loss(vae_model, vae_guide, test, vae) / len(test)
print(f"ELBO by hand {by_hand:.2f}, by Pyro {by_pyro:.2f} nats per image")

# %% [markdown]
# `Trace_ELBO` does not know your formula for $R$: it takes $\ln q(\mathbf{z} \mid \mathbf{x}) - \ln
# p(\mathbf{z})$ at its draw, which has the same mean. The decoder starts at the mean image, so this
# is about what that image alone gets. Your networks have to beat it.

# %% [markdown]
# ## 6. The fit
#
# The loop is that of the factor analysis, with three changes:
#
# - The weights belong to the networks, not to Pyro's parameter store. `differentiable_loss` returns
#   the loss as a tensor, and PyTorch's own optimiser `Adam` moves the weights: `backward()` computes
#   all gradients, and `step()` follows them.
# - Every minibatch is binarised anew.
# - The learning rate rises in the first third of the steps and then falls to nearly 0
#   (`OneCycleLR`).
#
# What do `randperm` and `split` do in the inner loop? (`validation_enabled(False)` saves Pyro's
# checks of all values, which would take time in each of a thousand steps.)


# %%
def fit(vae, epochs, model=vae_model, guide=vae_guide, args=(), rate=0.005):
    losses, loss_of = [], Trace_ELBO().differentiable_loss
    steps = epochs * len(images.split(settings["batch"]))
    adam = torch.optim.Adam(vae.parameters(), rate, fused=device.type == "cpu")
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, rate, steps)
    with pyro.validation_enabled(False):
        for _ in trange(epochs, desc=f"d = {vae.d}"):
            for chosen in torch.randperm(len(images)).split(settings["batch"]):
                x = binarise(images[chosen])
                loss = loss_of(model, guide, x, vae, *args) / len(x)
                adam.zero_grad()
                loss.backward()
                adam.step()
                schedule.step()
                losses.append(loss.detach())
    return torch.stack(losses).cpu()


# %% [markdown]
# Each epoch visits the images in a new random order, in minibatches. With $d = 2$ the latent space
# is a plane that can be drawn:

# %%
pyro.set_rng_seed(SEED)
vae_2 = deep(2)
losses_2 = fit(vae_2, settings["epochs"][2])
with torch.no_grad():
    codes, _ = vae_2.encoder(test)

# %% [markdown]
# ## 7. A plane of digits
#
# The map on the left shows the mean $\boldsymbol{\mu}(\mathbf{x})$ of test images, each as its
# digit. No label was used in the fit. The sliders move the cross; on the right is what the decoder
# makes of that place, as probabilities of ink.
#
# **Predict.** Find two digits that lie on top of each other. What will the decoder draw between
# them? And where the map is empty?


# %% tags=["picture=latent_plane"]
def draw_plane(z_1, z_2):
    _, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4.4))
    for digit in range(10):
        of_digit = codes[:1500][test_labels[:1500] == digit].T.cpu()
        left.scatter(*of_digit, s=24, lw=0, marker=f"${digit}$")
    left.plot(z_1, z_2, "k+", ms=20, mew=3)
    left.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(-4, 4), ylim=(-4, 4))
    with torch.no_grad():
        image = vae_2.decoder(torch.tensor([[z_1, z_2]])).sigmoid()
    right.imshow(image.reshape(28, 28).cpu(), vmin=0, vmax=1)
    right.set(xticks=[], yticks=[], title="decoded")


explore(draw_plane, z_1=(-4.0, 4.0, 0.0), z_2=(-4.0, 4.0, 0.0))

# %% [markdown]
# Strokes lean, close, open: every image is a smooth bend of its neighbours, and blurs where the
# model is unsure. Where the map is empty it draws all the same. Take a line from a 0 to a 1: the
# double exposure of a linear decoder (above: a weighted mean of the two images), and the way
# through the latent plane (below).

# %%
pair = torch.stack([test[test_labels == digit][0] for digit in (0, 1)])
t = torch.linspace(0, 1, 10)[:, None]
with torch.no_grad():
    ends, _ = vae_2.encoder(pair)
    way = vae_2.decoder((1 - t) * ends[0] + t * ends[1]).sigmoid()
rows = [(1 - t) * pair[0] + t * pair[1], way]
plotting.image_grid(torch.cat(rows), row_names=["pixels", "latent plane"])

# %% [markdown]
# ## 8. The truth on a grid
#
# The ELBO is a lower bound of $\ln p(\mathbf{x})$. How far below? For a given decoder
#
# $$p(\mathbf{x}) = \int p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z})\, d\mathbf{z}
# \approx \sum_{\text{cells}} p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z})\, \delta^2,$$
#
# and a plane can be covered with cells of width $\delta$. The log-likelihood is linear in
# $\mathbf{x}$, $\ln p(\mathbf{x} \mid \mathbf{z}) = \mathbf{a}^\top \mathbf{x} - \sum_j
# \mathrm{softplus}(a_j)$, so one pass of the decoder over the cells serves all images. The terms
# are like $e^{-140}$: `logsumexp`, the logarithm of a sum of exponentials, adds them.


# %%
@torch.no_grad()
def log_joint(vae, z, x):
    """ln p(x, z) for each z of shape (g, d) and each image, shape (g, n)."""
    logits = vae.decoder(z)
    log_likelihood = logits @ x.T - softplus(logits).sum(1, keepdim=True)
    log_prior = dist.Normal(0.0, 1.0).log_prob(z).sum(1, keepdim=True)
    return (log_likelihood + log_prior).cpu().double()


def log_p_on_grid(vae, x, width, limit=5.0):
    axis, strips = torch.arange(-limit, limit + width / 2, width), []
    for part in axis.split(50):  # a strip at a time, to spare memory
        cells = log_joint(vae, torch.cartesian_prod(part, axis), x)
        strips.append(cells.logsumexp(0))
    return torch.stack(strips).logsumexp(0) + 2 * math.log(width)


x_200 = test[::50]
exact = log_p_on_grid(vae_2, x_200, 0.03)
change = (exact - log_p_on_grid(vae_2, x_200, 0.06)).abs()
print(f"ln p(x), mean of 200 test images: {exact.mean():.3f} nats")
print(f"twice the width changes one image by {change.max():.2f} at most")

# %% [markdown]
# ### ✏️ Exercise 6: ln p(x) without a grid (6 min)
#
# With 50 dimensions and ten cells along each axis, a grid would have $10^{50}$. But the integral is
# an expectation under $q$, and can be estimated with $K$ draws from it:
#
# $$p(\mathbf{x}) = \mathbb{E}_{q(\mathbf{z} \mid \mathbf{x})} \Bigl[
# \frac{p(\mathbf{x}, \mathbf{z})}{q(\mathbf{z} \mid \mathbf{x})} \Bigr], \qquad
# \ln p(\mathbf{x}) \approx \mathcal{L}_K = \ln \frac{1}{K} \sum_{k=1}^K
# \frac{p(\mathbf{x}, \mathbf{z}_k)}{q(\mathbf{z}_k \mid \mathbf{x})}.$$
#
# Complete `importance_weighted`, from `log_p`, the $\ln p(\mathbf{x}, \mathbf{z}_k)$, and `log_q`,
# the $\ln q(\mathbf{z}_k \mid \mathbf{x})$, both of shape `(K, n)`, for $K$ draws and $n$ images.
# The result has shape `(n,)`.
#
# <details><summary>Hint</summary>
#
# A weight of $e^{-140}$ is rounded to 0 in single precision, and $\ln 0 = -\infty$. Stay with
# logarithms: `t.logsumexp(0)` is $\ln \sum_k e^{t_k}$. The logarithm of $1/K$ is a number to add;
# $K$ is `len(log_q)`.
#
# </details>


# %%
def importance_weighted(log_p, log_q):
    ### BEGIN SOLUTION
    log_weights = log_p - log_q
    estimate = log_weights.logsumexp(0) - math.log(len(log_q))
    ### END SOLUTION
    return estimate


# %% tags=["nbval-check-output"]
check.importance_weighted(importance_weighted)

# %% [markdown]
# For $K = 1$ this is the ELBO of one draw. On average $\mathcal{L}_K$ is a lower bound, too, and it
# reaches $\ln p(\mathbf{x})$ as $K \to \infty$ (Burda et al. 2016). Draw, weigh, and ask $\hat{k}$
# of each image's weights whether to trust them:


# %%
@torch.no_grad()
def report(vae, x, mean, sd, K=500):
    """For each image: the ELBO, the weighted estimate of ln p(x), and k̂."""
    q, prior = dist.Normal(mean, sd), dist.Normal(0.0, 1.0)
    log_p, log_q = torch.zeros(2, K, len(x), dtype=torch.float64, device="cpu")
    for k in range(K):
        z = q.sample()
        log_x = dist.Bernoulli(logits=vae.decoder(z)).log_prob(x).sum(-1)
        log_p[k] = log_x + prior.log_prob(z).sum(-1)
        log_q[k] = q.log_prob(z).sum(-1)
    log_w = log_p - log_q
    k_hat = log_w.new_tensor([inference.trust(w)["Pareto k̂"] for w in log_w.T])
    return log_w.mean(0), importance_weighted(log_p, log_q), k_hat


# %% [markdown]
# ### A guide for each image
#
# The encoder is *one* function for all images. Would a guide of its own serve an image better? Give
# each image a mean and a standard deviation, begin at the likeliest of the codes of 2,000 test
# images, and maximise the ELBO in these alone. The networks stay as they are.


# %%
def fit_each(vae, x, steps=200):
    with torch.no_grad():
        means, sds = vae.encoder(torch.cat([x, test[1::5]]))
    best = log_joint(vae, means, x).argmax(0)  # for each image
    mean = means[best].requires_grad_()
    log_sd = sds[best].log().requires_grad_()
    optimiser = torch.optim.Adam([mean, log_sd], 0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0.05, steps)
    for _ in range(steps):
        loss = -elbo(vae, x, mean, log_sd.exp()).sum()
        mean.grad, log_sd.grad = torch.autograd.grad(loss, [mean, log_sd])
        optimiser.step()
        schedule.step()
    return mean.detach(), log_sd.detach().exp()


# %% [markdown]
# **Predict.** Each image has its gap, $\ln p(\mathbf{x}) - \mathcal{L}(\mathbf{x})$. How large is it
# typically with the encoder, 1 nat or 10? How much of it is left with a guide for each image? And
# will $\hat{k}$, which knows nothing of the grid, tell the bad images from the good? (The last
# column is the largest error of the weighted estimate where $\hat{k} < 0.7$.)

# %%
guides_2 = {"encoder": vae_2.encoder(x_200), "fitted": fit_each(vae_2, x_200)}
reports = {name: report(vae_2, x_200, *q) for name, q in guides_2.items()}
rows = {}
for name, (bound, estimate, k_hat) in reports.items():
    gap, off, good = exact - bound, (estimate - exact).abs(), k_hat < 0.7
    sizes = [gap.median(), gap.mean(), gap.max()]
    rows[name] = [*sizes, good.double().mean(), off[good].max()]
columns = ["median gap", "mean", "largest", "k̂ < 0.7", "largest error there"]
pd.DataFrame(rows, index=columns).T.astype(float).round(2)

# %% [markdown]
# The encoder's typical gap is about 1 nat, its mean several times that: some images it puts in the
# wrong place. This is the price of amortisation (Cremer et al. 2018), and a guide for each image
# gets nearly all of it back, with the same decoder. Without the grid? $\hat{k}$ warns of many
# images, but where it is content some estimates are still off, with the encoder most: a place that no
# draw has met shows in no weight. A guide that started elsewhere can meet it.

# %% [markdown]
# ## 9. Fifty dimensions, for good images
#
# Two numbers are not enough for ten digits in all handwritings. The same functions with $d = 50$:

# %%
pyro.set_rng_seed(SEED)
vae_50 = deep(50)
losses_50 = fit(vae_50, settings["epochs"][50])
plotting.elbo_curve({"d = 2": losses_2, "d = 50": losses_50})

# %% tags=["picture=samples"]
ten = torch.stack([test[test_labels == digit][0] for digit in range(10)])
with torch.no_grad():
    rows = [v.decoder(v.encoder(ten)[0]).sigmoid() for v in (vae_2, vae_50)]
    drawn = vae_50.decoder(torch.randn(10, 50)).sigmoid()
names = ["image", "d = 2", "d = 50", "drawn, d = 50"]
plotting.image_grid(torch.cat([ten, *rows, drawn]), row_names=names)

# %% [markdown]
# The reconstructions are sharper, though not all of the right digit. Of the draws many are digits,
# and some are none. Where do the nats come from?


# %%
@torch.no_grad()
def summary(vae):
    mean, sd = vae.encoder(test)
    logits = vae.decoder(reparameterise(mean, sd))
    D, R = distortion_and_rate(test, logits, mean, sd)
    return [D.mean().item(), R.mean().item(), -(D + R).mean().item()]


parts = ["distortion D", "rate R", "ELBO"]
both = {f"d = {v.d}": summary(v) for v in (vae_2, vae_50)}
pd.DataFrame(both, index=parts).T.round(2)

# %% [markdown]
# The larger model says more about each image in $\mathbf{z}$ (rate), and saves several times as
# much in the pixels (distortion). And $\ln p(\mathbf{x})$? There is no grid now, only guides and
# weights:

# %%
guides = {"encoder": vae_50.encoder(x_200), "fitted": fit_each(vae_50, x_200)}
for name, q in guides.items():
    bound_50, estimate, k_hat = report(vae_50, x_200, *q)
    print(f"{name}: ELBO {bound_50.mean():.2f}, weighted {estimate.mean():.2f}")
    print(f"    share of k̂ below 0.7: {(k_hat < 0.7).double().mean():.2f}")

# %% [markdown]
# Again the guides for single images are nearer. Both estimates are lower bounds on average, so the
# higher is the better; how far below the truth it still is, nobody can say.

# %% [markdown]
# ## 10. What it does not know
#
# The lecture promised models that know what they do not know. A generative model should be the
# right one to ask: what is unlike the training data should have a low $p(\mathbf{x})$. Seven kinds
# of images, of which the model has seen one:

# %%
square, grey = (x[::250].reshape(-1, 1, 28, 28) for x in (test, test_grey))
small = nn.functional.pad(nn.functional.avg_pool2d(grey, 2), (7, 7, 7, 7))
stroke = torch.zeros_like(square)
stroke[..., 8:20, 14] = 1
kinds = {
    "digits": square,
    "rotated": square.rot90(1, (2, 3)),
    "inverted": 1 - square,
    "noise": binarise(torch.full_like(square, square.mean().item())),
    "small": binarise(small),
    "stroke": stroke,
    "empty": torch.zeros_like(square),
}
x = torch.cat(list(kinds.values())).reshape(-1, 784)
shown = torch.stack([kind[k] for k in (0, 1) for kind in kinds.values()])
plotting.image_grid(shown, columns=len(kinds), titles=list(kinds))

# %% [markdown]
# **Predict.** Which kinds get a lower $p(\mathbf{x})$ than digits, by the ELBO? Which a higher one?
#
# The ELBO is a bound, and the encoder was fitted to digits: far from them it may miss by far. So
# the table has it with the encoder, and with a guide for each image. An image is told from a digit
# if its ELBO, the one with its own guide, is the lower one of the two; "told apart" is how often that
# is so, over all pairs of such an image and a digit (by chance in half of them).

# %%
guides = {"encoder": vae_50.encoder(x), "fitted": fit_each(vae_50, x)}
table = {}
for name, q in guides.items():
    bound = elbo(vae_50, x, *q).detach().reshape(len(kinds), -1)
    table[f"ELBO, {name}"] = bound.mean(1).tolist()
apart = bound[:, :, None] < bound[0]  # with the better guides
table["told apart"] = apart.float().mean((1, 2)).tolist()
pd.DataFrame(table, index=list(kinds)).round(2)

# %% [markdown]
# With the encoder noise is about a thousand nats away, and inverted images many thousands; most of
# that is the encoder, off its domain. What a guide for each image leaves is still hundreds or more,
# and these images are told apart. But the model finds small digits, the stroke and the empty image
# *more* probable than digits, with either guide. None of these was in the training data. This is
# the trap that Nalisnick et al. (2019) found in large models of photographs. The same within the
# digits:

# %%
order = bound_50.argsort()
shown = x_200[torch.cat([order[:10], order[-10:]])]
plotting.image_grid(shown, row_names=["lowest ELBO", "highest"])

# %% [markdown]
# A 1 is not more of a digit than an 8; it is simpler. There is no mistake in the model:
# $p(\mathbf{x})$ is the probability of *this very image*, pixel by pixel, and the *most* probable
# images need not be *typical*. With coins that show heads six times out of ten "all heads" is the
# most probable sequence of all, and you will not see it. So a low likelihood is a warning, but a
# high one is no all-clear.

# %% [markdown]
# ## 11. Scorecard
#
# For two dimensions, against the grid: the mean of 200 test images, by the ELBO and by the weighted
# estimate, with the encoder and with a guide for each image. For fifty there is no exact value, and
# so no row.

# %%
approximate, trust = {}, {}
for name, (bound, estimate, k_hat) in reports.items():
    approximate[f"ELBO, {name}"] = bound.mean()
    approximate[f"ln p(x), {name}"] = estimate.mean()
    trust[f"share of k̂ below 0.7, {name}"] = (k_hat < 0.7).double().mean()
truth = dict.fromkeys(approximate, exact.mean())
scorecard = make_scorecard(approximate, truth)
show_scorecard(scorecard, trust=trust)

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard[:1], nats=9)
check.scorecard_within(scorecard[1:2], nats=4.3)
check.scorecard_within(scorecard[2:3], nats=0.6)
check.scorecard_within(scorecard[3:], nats=0.25)
check.elbo_at_least(both["d = 50"][-1], -106)

# %% [markdown]
# ## After class
#
# Five sections that can be read in any order.
#
# ### A.1 Draws without a path for gradients
#
# Is reparameterisation the only way? For any distribution $\nabla_\mu \mathbb{E}_q[f(z)] =
# \mathbb{E}_q[f(z) \nabla_\mu \ln q(z)]$, the *score-function* estimator, which is what Pyro uses
# where a draw cannot be reparameterised. For the normal distribution $\nabla_\mu \ln q(z) = (z -
# \mu) / \sigma^2$. Compare the two on $f(z) = z^2$ with $\mu = 2$ and $\sigma = 0.5$. The
# expectation is $\mu^2 + \sigma^2$, so the gradient is exactly $2\mu = 4$:

# %%
mu = torch.full((100_000,), 2.0, requires_grad=True)
z = reparameterise(mu, torch.full_like(mu, 0.5))
(by_path,) = torch.autograd.grad((z**2).sum(), mu)  # one estimate a draw
by_score = (z**2 * (z - mu) / 0.5**2).detach()
rows = {"reparameterised": by_path, "score function": by_score}
rows = {name: [g.mean().item(), g.std().item()] for name, g in rows.items()}
pd.DataFrame(rows, index=["mean", "sd of one draw"]).T.round(2)

# %% [markdown]
# Both are right on average; the score function is eleven times noisier. It knows only *that* $f$ is
# large at $z$, not in which direction it grows. To be as exact as one reparameterised draw it needs
# more than a hundred.
#
# ### A.2 Where the encoder's guide is wrong
#
# Since $\ln p(\mathbf{x}) - \mathcal{L}(\mathbf{x}) = \mathrm{KL}(q \| p(\mathbf{z} \mid
# \mathbf{x}))$, a large gap means that $q$ is far from the exact posterior. In two dimensions both
# can be drawn: for the image with the median gap of the encoder, for that with the largest, and for
# that which keeps the largest gap with a guide of its own.


# %%
def draw_posterior(i, ax, title):
    x = x_200[i : i + 1]
    (m_1, s_1), (m_2, s_2) = [
        (mean[i], sd[i]) for mean, sd in guides_2.values()
    ]
    ends = torch.stack(
        [m_1 - 4 * s_1, m_1 + 4 * s_1, m_2 - 4 * s_2, m_2 + 4 * s_2]
    )
    low, high = ends.amin(0).tolist(), ends.amax(0).tolist()
    axes = [torch.linspace(low[k], high[k], 200) for k in (0, 1)]
    exact_log = log_joint(vae_2, torch.cartesian_prod(*axes), x)[:, 0]
    exact_p = (exact_log - exact_log.max()).exp().reshape(200, 200).T
    plotting.regions(
        {
            "encoder": (m_1, torch.diag(s_1**2)),
            "fitted": (m_2, torch.diag(s_2**2)),
            "exact": (*axes, exact_p),
        },
        xlabel="$z_1$",
        ylabel="$z_2$",
        title=title,
        ax=ax,
    )


gaps = {name: exact - bound for name, (bound, *_) in reports.items()}
by_gap = gaps["encoder"].argsort()
three = torch.stack(
    [by_gap[len(by_gap) // 2], by_gap[-1], gaps["fitted"].argmax()]
)
_, axes = plt.subplots(1, 3, figsize=(9.6, 3.6))
for i, ax in zip(three, axes, strict=True):
    texts = [f"{name} {gap[i]:.1f}" for name, gap in gaps.items()]
    draw_posterior(i, ax, "gap: " + ", ".join(texts))

# %%
with torch.no_grad():
    rows = [vae_2.decoder(q[0][three]).sigmoid() for q in guides_2.values()]
plotting.image_grid(
    torch.cat([x_200[three], *rows]),
    columns=3,
    row_names=["image", "from the\nencoder", "from its\nown guide"],
    title="What the three are decoded to",
)

# %% [markdown]
# On the left amortisation at work: one pass of the encoder, and its guide overlaps the posterior.
# In the middle the encoder has put the image in the wrong place. On the right is the image that its
# own guide fits worst: with most seeds its exact posterior has a shape that no normal distribution
# with its axes along the coordinates can match. Compare the two gaps: if the encoder's is smaller,
# the fit has stopped at a guide that is not the best one. If its own is many nats, that guide, too, is
# in the wrong place, and most of the posterior lies outside the picture.
#
# ### A.3 Dimensions that are not used
#
# The rate is a sum over the entries of $\mathbf{z}$; here is each one's share with $d = 50$:

# %%
with torch.no_grad():
    mean, sd = vae_50.encoder(test)
each = ((mean**2 + sd**2 - 1) / 2 - sd.log()).mean(0)
plotting.curves(
    {"rate": (torch.arange(1, 51), each.sort(descending=True)[0])},
    xlabel="entry of $\\mathbf{z}$, in order",
    ylabel="rate (nats per image)",
    title=f"Above 0.01 nats: {(each > 0.01).sum()} of 50",
)

# %% [markdown]
# An entry that says less about the pixels than its rate costs is better left at the prior: $\mu =
# 0$ and $\sigma = 1$ whatever the image, and the decoder ignores it. This is called **posterior
# collapse**. In part it is a virtue, for you need not choose $d$; Lucas et al. (2019) show on a
# linear model that the likelihood itself asks for it. Burda et al. (2016) found 19 of 50 in use,
# after far more epochs.
#
# ### A.4 What depth buys
#
# The same likelihood, the same loop, the same binarised test images, but one linear layer on either
# side: factor analysis for binary pixels. It takes a larger learning rate.


# %%
def linear(d):
    return VAE(d, nn.Linear(784, 2 * d), nn.Linear(d, 784))


pyro.set_rng_seed(SEED)
shallow = {d: linear(d) for d in (2, 50)}
for d, v in shallow.items():
    fit(v, settings["epochs"][d], rate=0.03)

rows = {}
for d, v in ((2, vae_2), (50, vae_50)):
    rows[f"linear, d = {d}"] = summary(shallow[d])
    rows[f"deep, d = {d}"] = summary(v)
pd.DataFrame(rows, index=parts).T.round(1)

# %% [markdown]
# With fifty dimensions the linear model reconstructs better: its distortion is the smaller one. But
# it has to say more than twice as much about each image in $\mathbf{z}$, which the deep decoder
# knows about digits in general. With two dimensions, where hardly anything can be said in
# $\mathbf{z}$, depth is worth dozens of nats. And two numbers with a deep decoder are no match for
# fifty with a linear one.
#
# ### A.5 How much to say: β in the ELBO
#
# Rate and distortion are traded against each other, one nat for one. Higgins et al. (2017) change
# the exchange rate:
#
# $$\mathcal{L}_\beta = \mathbb{E}_q[\ln p(\mathbf{x} \mid \mathbf{z})] -
# \beta\, \mathrm{KL}(q \| p).$$
#
# With $\beta > 1$ saying something in $\mathbf{z}$ is expensive, with $\beta < 1$ it is cheap. Only
# with $\beta = 1$ is it $\ln p(\mathbf{x})$ if $q$ is the posterior.
#
# ### ✏️ Exercise 7: β in the ELBO (8 min)
#
# Write `beta_model` and `beta_guide`, which take a third argument `beta`, so that Pyro's loss is
# $-\mathcal{L}_\beta$. The KL divergence is $\mathbb{E}_q[\ln q(\mathbf{z} \mid \mathbf{x}) - \ln
# p(\mathbf{z})]$. So multiply both log-densities of $\mathbf{z}$ by $\beta$, that of the model
# and that of the guide, and leave $\mathbf{x}$ as it is.
#
# <details><summary>Hint</summary>
#
# `with poutine.scale(scale=...):` multiplies the log-densities of all sites inside by a number.
# Start from `vae_model` and `vae_guide`, and put the right lines into such a block.
#
# </details>


# %%
def beta_model(x, vae, beta):
    ### BEGIN SOLUTION
    with pyro.plate("images", len(x)):
        with poutine.scale(scale=beta):
            z = pyro.sample(
                "z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1)
            )
        pyro.sample(
            "x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x
        )
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
# Three short fits of one epoch each. **Predict.** Which $\beta$ gives the sharpest reconstructions,
# and which the best ELBO?

# %%
by_beta = {beta: deep(50) for beta in (0.25, 1.0, 4.0)}
rows = {}
for beta, v in by_beta.items():
    fit(v, 1, beta_model, beta_guide, args=(beta,))
    rows[f"β = {beta:g}"] = summary(v)
pd.DataFrame(rows, index=parts).T.round(2)

# %%
pictures, z = [], torch.randn(5, 50)
with torch.no_grad():
    for v in by_beta.values():
        pictures += [v.decoder(v.encoder(ten[:5])[0]), v.decoder(z)]
plotting.image_grid(
    torch.cat(pictures).sigmoid(),
    row_names=list(rows),
    titles=["rebuilt"] * 5 + ["drawn"] * 5,
)

# %% [markdown]
# Small $\beta$: the encoder says a lot, and the distortion is the smallest. Large $\beta$: little
# is said, and much of what is particular to an image is lost. The ELBO, which is for $\beta = 1$,
# agrees with neither: a good reconstruction does not make a good model, and a cheap code far less.

# %% [markdown]
# ## Going further
#
# - **A better bound.** Fit with `importance_weighted` of 5 draws in place of the ELBO (Burda et al.
#   2016); write the draws of `weigh` with `rsample`, and without `no_grad`. Does $\ln
#   p(\mathbf{x})$ improve? How many dimensions are in use?
# - **A fairer judge.** How would you correct the likelihood for the simplicity of an image? Serrà
#   et al. (2020) subtract the length of its compressed file. Try `zlib.compress` on the binary
#   pixels.
#
# ### References
#
# - D. P. Kingma and M. Welling (2014). Auto-encoding variational Bayes. *ICLR*.
#   [arXiv:1312.6114](https://arxiv.org/abs/1312.6114)
# - D. J. Rezende, S. Mohamed and D. Wierstra (2014). Stochastic backpropagation and approximate
#   inference in deep generative models. *ICML*. [arXiv:1401.4082](https://arxiv.org/abs/1401.4082)
# - D. P. Kingma and M. Welling (2019). An introduction to variational autoencoders. *Foundations
#   and Trends in Machine Learning* 12(4), 307–392.
#   [doi:10.1561/2200000056](https://doi.org/10.1561/2200000056)
# - Y. Burda, R. Grosse and R. Salakhutdinov (2016). Importance weighted autoencoders. *ICLR*.
#   [arXiv:1509.00519](https://arxiv.org/abs/1509.00519)
# - C. Cremer, X. Li and D. Duvenaud (2018). Inference suboptimality in variational autoencoders.
#   *ICML*. [arXiv:1801.03558](https://arxiv.org/abs/1801.03558)
# - I. Higgins et al. (2017). beta-VAE: learning basic visual concepts with a constrained
#   variational framework. *ICLR*. [OpenReview](https://openreview.net/forum?id=Sy2fzU9gl)
# - G. Loaiza-Ganem and J. P. Cunningham (2019). The continuous Bernoulli: fixing a pervasive error
#   in variational autoencoders. *NeurIPS*. [arXiv:1907.06845](https://arxiv.org/abs/1907.06845)
# - J. Lucas, G. Tucker, R. Grosse and M. Norouzi (2019). Don't blame the ELBO! A linear VAE
#   perspective on posterior collapse. *NeurIPS*. [arXiv:1911.02469](https://arxiv.org/abs/1911.02469)
# - E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur and B. Lakshminarayanan (2019). Do deep
#   generative models know what they don't know? *ICLR*.
#   [arXiv:1810.09136](https://arxiv.org/abs/1810.09136)
# - J. Serrà et al. (2020). Input complexity and out-of-distribution detection with likelihood-based
#   generative models. *ICLR*. [arXiv:1909.11480](https://arxiv.org/abs/1909.11480)
# - A. Vehtari et al. (2024). Pareto smoothed importance sampling. *Journal of Machine Learning
#   Research* 25(72). [arXiv:1507.02646](https://arxiv.org/abs/1507.02646)
