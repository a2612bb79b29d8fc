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
# - fit both to 60,000 images in minibatches, and say what is missing to the exact maximum
#   likelihood, and why;
# - say what a linear decoder can draw, and what it cannot.
#
# **Time:** 45 minutes in class. **Before:** Day 1 and the first notebook of Day 2. You need plates,
# `to_event`, `pyro.param`, guides, the ELBO and Pareto $\hat{k}$.
#
# Four exercises in class and one after it are marked ✏️. The cell after each one checks your answer
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

from checks import factor_analysis as check
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import SVI, Trace_ELBO
from tqdm.auto import tqdm
from utils import inference
from utils.data import load_mnist
from utils.scorecard import make_scorecard, show_scorecard

pyro.set_rng_seed(SEED)

# %% [markdown]
# ## 1. Learning without labels
#
# In regression every $\mathbf{x}$ came with an answer $y$. Here there are only the $\mathbf{x}$.
# Behind each, we suppose, stands a hidden vector $\mathbf{z}$, much shorter than $\mathbf{x}$:
#
# - **A generative model**, or *decoder*: $\mathbf{z} \sim p(\mathbf{z})$ and $\mathbf{x} \sim
#   p(\mathbf{x} \mid \mathbf{z}, \theta)$, with parameters $\theta$ to be learned.
# - **A guide**, or *encoder*, with parameters $\phi$, goes back: $q(\mathbf{z} \mid \mathbf{x}, \phi)
#   \approx p(\mathbf{z} \mid \mathbf{x}, \theta)$.
#
# With neural networks for both, this is the *variational autoencoder* of the next notebook. Here
# both are linear, and everything has an exact answer.
#
# The data are the handwritten digits of MNIST: 60,000 images to learn from and 10,000 for tests,
# each a row of 784 numbers, its 28 × 28 pixels, from 0 (background) to 1 (ink).

# %%
images, labels = load_mnist()
test_images, test_labels = load_mnist(train=False)
mean_image = images.mean(0)
plotting.image_grid(images[:20], title="The first twenty of 60,000 images")

# %% [markdown]
# ## 2. The model
#
# Each image has $q$ **factors**, hidden numbers $\mathbf{z} = (z_1, \dots, z_q)$. Its pixels are a
# linear function of them, plus noise:
#
# $$\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I}), \qquad
# \mathbf{x} \mid \mathbf{z} \sim \mathcal{N}(\mathbf{W} \mathbf{z} + \mathbf{b},\
# \sigma^2 \mathbf{I}).$$
#
# $\mathbf{I}$ is the identity matrix. The parameters are $\theta = (\mathbf{W}, \mathbf{b},
# \sigma)$:
#
# - $\mathbf{W}$, of shape `(784, q)`, the **loadings**: column $j$ is what one unit of $z_j$ adds
#   to the image, and is an image itself;
# - $\mathbf{b}$, of shape `(784,)`, the image of $\mathbf{z} = \mathbf{0}$;
# - $\sigma$, a number: what the factors leave unexplained.
#
# The parameters get no prior: a `pyro.param` may stand in a *model*, too, and the fit moves it to
# where the ELBO is largest. So $\mathbf{z}$ gets a posterior, and $\theta$ is estimated, as a
# point.
#
# ### ✏️ Exercise 1: the model (8 min)
#
# Write `factor_model` for `x`, $n$ images of shape `(n, 784)`, `q` factors and the mean image
# `mean`. The parameters are `W`, initially `0.1 * torch.randn(784, q)`, `b`, initially a copy of
# `mean`, and `sigma`, initially `torch.tensor(1.0)` and always positive. The sites are `z` and `x`,
# in a plate named `images`. The vector of one image is *one* event, for both sites.
#
# <details><summary>Hint</summary>
#
# Three `pyro.param` and, in the plate of size `len(x)`, two `pyro.sample` with `.to_event(1)`. For
# all images at once, $\mathbf{W}\mathbf{z}$ is `z @ W.T`, of shape `(n, 784)`. A prior of $q$
# standard normals: `dist.Normal(torch.zeros(q), 1.0)`. A copy: `mean.clone()`.
#
# </details>


# %%
def factor_model(x, q, mean):
    ### BEGIN SOLUTION
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param(
        "sigma", torch.tensor(1.0), constraint=constraints.positive
    )
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.factor_model(factor_model)

# %%
plotting.draw_model(factor_model, images[:4], 2, mean_image)

# %% [markdown]
# ## 3. The guide
#
# So far each unknown had parameters of its own in the guide. Here every image has its own
# $\mathbf{z}$: for two factors that would be 240,000 parameters, and a new fit for each new image.
# An **amortised** guide learns a *function* from the image to its posterior instead. Ours is
# linear:
#
# $$q(\mathbf{z} \mid \mathbf{x}) = \mathcal{N}\bigl(\mathbf{V} (\mathbf{x} - \bar{\mathbf{x}}),\
# \mathrm{diag}(s_1^2, \dots, s_q^2)\bigr).$$
#
# $\bar{\mathbf{x}}$ is the mean image. The parameters are $\phi = (\mathbf{V}, \mathbf{s})$:
# $\mathbf{V}$, of shape `(q, 784)`, reads the factors off the image, and $\mathbf{s}$, of shape
# `(q,)`, holds their standard deviations, the same for all images. Linear, one width for all, and
# mean-field besides: is that too simple?
#
# ### ✏️ Exercise 2: the guide (6 min)
#
# Write `factor_guide`, with the arguments of the model, its plate, and the parameters `V`,
# initially zero, and `s`, initially 1 for every factor and always positive. Use the argument `mean`
# for $\bar{\mathbf{x}}$.
#
# <details><summary>Hint</summary>
#
# Which site of the model is not observed? It needs the same plate, with the same name. For all
# images at once, $\mathbf{V} (\mathbf{x} - \bar{\mathbf{x}})$ is `(x - mean) @ V.T`.
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
# ## 4. The fit
#
# A step with all 60,000 images would be slow. A **minibatch** is a small random part of the data,
# new at every step. The gradient of its mean ELBO is noisy, but unbiased, like that from draws of
# $\mathbf{z}$; for both kinds of noise the learning rate decays.
#
# `Trace_ELBO` returns a *sum* over the images. `poutine.scale` multiplies each log density of a
# model or guide by a number: with 1 / 200, the loss of 200 images is in nats *per image*.


# %%
def fit(model, guide, q, steps=1000, batch=200, first=0.03, last=0.00005):
    pyro.clear_param_store()
    optimiser = pyro.optim.ClippedAdam(
        {"lr": first, "lrd": (last / first) ** (1 / steps)}
    )
    scaled = (poutine.scale(f, scale=1 / batch) for f in (model, guide))
    svi, losses = SVI(*scaled, optimiser, Trace_ELBO()), []
    with pyro.validation_enabled(False):  # spares checks that take time
        for _ in tqdm(range(steps), desc=f"q = {q}"):
            chosen = torch.randint(len(images), (batch,))
            losses.append(svi.step(images[chosen], q, mean_image))
    return losses


# %% [markdown]
# The ELBO that counts, $\mathcal{L}$, is not that of a minibatch but the mean over all images:


# %%
@torch.no_grad()
def elbo_per_image(model, guide, x, q):
    parts = x.split(1000)  # faster than all at once
    losses = [Trace_ELBO().loss(model, guide, p, q, mean_image) for p in parts]
    return -sum(losses) / len(x)


losses, elbos, fitted = {}, {}, {}
for q in (2, 10):
    pyro.set_rng_seed(SEED)
    losses[q] = fit(factor_model, factor_guide, q)
    elbos[q] = elbo_per_image(factor_model, factor_guide, images, q)
    store = pyro.get_param_store()
    fitted[q] = {name: store[name].detach().clone() for name in store}
    print(f"q = {q:2}: ELBO per image {elbos[q]:.3f} nats")

# %% [markdown]
# Is that good? Nothing in these numbers says so: a log *density* has no natural scale.

# %% [markdown]
# ## 5. The exact maximum
#
# A linear function of a normal $\mathbf{z}$, plus normal noise, is normal:
#
# $$\mathbf{x} \sim \mathcal{N}(\mathbf{b},\ \mathbf{W} \mathbf{W}^\top + \sigma^2 \mathbf{I}).$$
#
# So $p(\mathbf{x} \mid \theta)$ is known exactly, and so is its maximum: this is **probabilistic
# principal component analysis** (Tipping and Bishop 1999). The covariance of the images has
# eigenvalues $\lambda_1 \ge \dots \ge \lambda_{784}$ and eigenvectors $\mathbf{u}_1, \mathbf{u}_2,
# \dots$ of length 1: the *principal axes*, along which the images are uncorrelated and have the
# variances $\lambda_j$. The likelihood is largest at $\mathbf{b} = \bar{\mathbf{x}}$ and
#
# $$\sigma^2 = \frac{1}{784 - q} \sum_{j > q} \lambda_j, \qquad
# \text{column } j \text{ of } \mathbf{W} = \sqrt{\lambda_j - \sigma^2}\ \mathbf{u}_j.$$
#
# The factors take the directions of largest variance, and the noise the mean variance of all the
# others. A rotation of the columns among themselves makes no difference (A.1).

# %%
S = torch.cov(images.cpu().double().T, correction=0)
eigenvalues, eigenvectors = (t.flip(-1) for t in torch.linalg.eigh(S))
eigenvalues = eigenvalues.clamp(min=0)  # rounding makes zeros negative


def maximum_likelihood(q):
    sigma2 = eigenvalues[q:].mean()
    W = eigenvectors[:, :q] * (eigenvalues[:q] - sigma2).sqrt()
    return W, sigma2.sqrt()


# %% [markdown]
# Along the axes this normal has the variances $c_j = \lambda_j$ up to $q$ and $c_j = \sigma^2$
# beyond. The mean log density of images needs only their mean squares $v_j$ along the axes; for the
# images of the fit, $v_j = \lambda_j$.


# %%
def log_likelihood(eigenvalues, v, q):
    c = eigenvalues.clone()
    c[q:] = eigenvalues[q:].mean()
    return -0.5 * (math.log(2 * math.pi) + c.log() + v / c).sum()


exact = {q: log_likelihood(eigenvalues, eigenvalues, q).item() for q in (2, 10)}

# %% [markdown]
# **Predict.** The next cell draws this maximum as a dashed line, and the ELBO of each step's
# minibatch. Can the ELBO be above the line?

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
for ax, q in zip(axes, exact, strict=True):
    plotting.elbo_curve(
        losses[q], evidence=exact[q], title=f"q = {q}, per image", ax=ax
    )

# %% [markdown]
# That of a minibatch can: some have images that are easy to explain. Only the mean over *all*
# images, $\mathcal{L}$, cannot. Two gaps separate it from the line:
#
# $$\underbrace{\max_\theta \ln p(\mathbf{x} \mid \theta) -
# \ln p(\mathbf{x} \mid \theta_{\text{fit}})}_{\text{the parameters are not the best}} +
# \underbrace{\ln p(\mathbf{x} \mid \theta_{\text{fit}}) - \mathcal{L}}_{
# \text{the guide is not the posterior}}.$$
#
# As $\mathbf{W}$ is only known up to a rotation, compare the *spaces* that the columns span: the
# **largest principal angle** between them is 0° if they are the same.


# %%
def largest_angle(A, B):
    Q_A, Q_B = torch.linalg.qr(A)[0], torch.linalg.qr(B)[0]
    cosines = torch.linalg.svdvals(Q_A.T @ Q_B).clamp(max=1)
    return torch.rad2deg(torch.arccos(cosines.min())).item()


rows, angles = [], {}
for q, p in fitted.items():
    noise = (p["sigma"] ** 2).expand(784)
    normal = dist.LowRankMultivariateNormal(p["b"], p["W"], noise)
    parts = [normal.log_prob(part).mean() for part in images.split(1000)]
    at_fit = torch.stack(parts).mean().item()
    angles[q] = largest_angle(p["W"].cpu().double(), eigenvectors[:, :q])
    rows.append([exact[q] - at_fit, at_fit - elbos[q], angles[q]])
columns = ["gap: parameters", "gap: guide", "largest angle (°)"]
pd.DataFrame(rows, index=["q = 2", "q = 10"], columns=columns).round(3)

# %% [markdown]
# Both gaps are small, and the space is found to a few degrees. But is the guide's gap the price of
# a guide that is linear and mean-field, or is the fit unfinished?

# %% [markdown]
# ## 6. The best guide
#
# By Bayes' rule for normals, the exact posterior of one image is
#
# $$\mathbf{z} \mid \mathbf{x} \sim \mathcal{N}\bigl(\mathbf{M}^{-1} \mathbf{W}^\top (\mathbf{x} -
# \mathbf{b}),\ \sigma^2 \mathbf{M}^{-1}\bigr), \qquad
# \mathbf{M} = \mathbf{W}^\top \mathbf{W} + \sigma^2 \mathbf{I}.$$
#
# If the columns of $\mathbf{W}$ are orthogonal, as those of the closed form are, $\mathbf{M}$ is
# diagonal.
#
# ### ✏️ Exercise 3: the best guide (7 min)
#
# Complete `best_guide`: for a `W` of shape `(D, q)` with orthogonal columns, $\mathbf{b} =
# \bar{\mathbf{x}}$ and `sigma`, it returns the `V`, shape `(q, D)`, and the `s`, shape `(q,)`, with
# which your guide *is* the posterior of every image.
#
# <details><summary>Hint</summary>
#
# Which matrix stands before $\mathbf{x} - \mathbf{b}$? And what is on the diagonal of the
# covariance? `torch.eye(W.shape[1])` is the identity matrix, `torch.linalg.inv` inverts a matrix,
# and `.diagonal()` takes its diagonal.
#
# </details>


# %%
def best_guide(W, sigma):
    ### BEGIN SOLUTION
    M_inverse = torch.linalg.inv(W.T @ W + sigma**2 * torch.eye(W.shape[1]))
    V = M_inverse @ W.T
    s = sigma * M_inverse.diagonal().sqrt()
    ### END SOLUTION
    return V, s


# %% tags=["nbval-check-output"]
check.best_guide(best_guide)

# %% [markdown]
# **Predict.** Now the ELBO with the closed forms as decoder and your `V` and `s` as encoder. How large
# is the gap?

# %%
closed = {}
for q in (2, 10, 50):
    W, sigma = (t.to(images) for t in maximum_likelihood(q))
    V, s = best_guide(W, sigma)
    closed[q] = {"W": W, "b": mean_image, "sigma": sigma, "V": V, "s": s}
    for name, value in closed[q].items():
        pyro.get_param_store()[name] = value.clone()
    elbo = elbo_per_image(factor_model, factor_guide, images, q)
    best = log_likelihood(eigenvalues, eigenvalues, q)
    print(f"q = {q:2}: ELBO {elbo:.2f}, max ln p(x) {best:.2f}")

# %% [markdown]
# There is none: at the maximum this simple guide *is* the posterior. The fit is unfinished, and may
# go on: Lucas et al. (2019) prove that the ELBO of this model has no local maxima that the
# likelihood does not have.

# %% [markdown]
# ## 7. Two numbers for an image
#
# The mean of the guide places every image in the space of the factors, even one that the fit has
# not seen. **Predict.** Which digits will two numbers tell apart?

# %% tags=["picture=digit_map"]
p = fitted[2]
codes = (test_images[:2000] - mean_image) @ p["V"].T
_, ax = plt.subplots(figsize=(5.6, 5.4))
for digit in range(10):
    look = {"marker": f"${digit}$", "color": plotting.PALETTE[digit % 6]}
    z_1, z_2 = codes[test_labels[:2000] == digit].T.cpu()
    ax.scatter(z_1, z_2, s=36, lw=0, **look)
ax.set_title("2,000 test images, each drawn as its label")
_ = ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")

# %% [markdown]
# 0 and 1 stand out, although no label was used; most others lie on top of each other, say 4, 7 and 9.

# %% [markdown]
# ## 8. What a linear decoder can draw
#
# ### ✏️ Exercise 4: a reconstruction (5 min)
#
# Complete `reconstruct`: send images through the encoder, to the mean of the guide, and from there
# back through the decoder, to the mean $\hat{\mathbf{x}}$ of $\mathbf{x}$. No draws. `x` has shape
# `(n, 784)`, `mean` is $\bar{\mathbf{x}}$, and `p` holds the parameters by name, as in `p["W"]`.
#
# <details><summary>Hint</summary>
#
# Both steps are in your guide and your model already.
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

# %% tags=["picture=linear_reconstructions"]
ten = torch.stack([test_images[test_labels == digit][0] for digit in range(10)])
rows = [ten, *(reconstruct(ten, mean_image, p) for p in closed.values())]
names = ["image", *(f"q = {q}" for q in closed)]
plotting.image_grid(torch.cat(rows), row_names=names, title="Reconstructions")

# %% [markdown]
# With 50 numbers instead of 784 most digits can be read, with 2 hardly any. **Predict.** Draw
# $\mathbf{z}$ from the prior and decode it: will 50 factors draw digits?

# %%
drawn = [torch.randn(10, q) @ p["W"].T + p["b"] for q, p in closed.items()]
plotting.image_grid(torch.cat(drawn), row_names=names[1:], title="Draws")

# %% [markdown]
# Ghosts: more factors add detail, but no digits. To see why, go from a 0 to a 1 in a straight line
# through the space of the factors:

# %%
p, t = closed[50], torch.linspace(0, 1, 10)[:, None]
z_0, z_1 = (ten[:2] - mean_image) @ p["V"].T
path = ((1 - t) * z_0 + t * z_1) @ p["W"].T + p["b"]
plotting.image_grid(path, title="From the code of a 0 to the code of a 1")

# %% [markdown]
# For a linear decoder the image half-way is *the mean of the two reconstructions*, a double
# exposure. What is missing is a decoder that is not linear: the next notebook.

# %% [markdown]
# ## 9. Scorecard
#
# The fits beside the closed forms; the exact ELBO is the maximum of the log-likelihood. And what
# can be said without them? Below the table stands the largest $\hat{k}$ of fifty test images.


# %%
def log_ratios(x, p):
    """ln p(x, z) - ln q(z | x) for a thousand draws of the guide."""
    q = dist.Normal(p["V"] @ (x - mean_image), p["s"]).to_event(1)
    z = q.sample((1000,))
    prior = dist.Normal(torch.zeros_like(z), 1.0).to_event(1)
    pixels = dist.Normal(z @ p["W"].T + p["b"], p["sigma"]).to_event(1)
    return prior.log_prob(z) + pixels.log_prob(x) - q.log_prob(z)


approximate, truth, trust, few = {}, {}, {}, test_images[:50]
for q, p in fitted.items():
    values = elbos[q], p["sigma"], angles[q]
    right = exact[q], maximum_likelihood(q)[1], 0.0
    for i, name in enumerate(("ELBO", "sigma", "largest principal angle")):
        approximate[f"{name} (q = {q})"] = values[i]
        truth[f"{name} (q = {q})"] = right[i]
    k = [inference.trust(log_ratios(x, p))["Pareto k̂"] for x in few]
    trust[f"largest Pareto k̂ of 50 images (q = {q})"] = max(k)

# %%
sigmas = [f"sigma (q = {q})" for q in fitted]
scorecard = make_scorecard(approximate, truth, parameters=sigmas)
show_scorecard(scorecard, trust)

# %% [markdown]
# A $\hat{k}$ below 0.7 says that the guide can be trusted for this image, with the *fitted*
# decoder. That the decoder itself is not the best, it cannot see.

# %% tags=["nbval-check-output"]
check.scorecard_within(scorecard[:3], nats=0.08, parameter=0.004, degrees=4)
check.scorecard_within(scorecard[3:], nats=0.6, parameter=0.004, degrees=7)

# %% [markdown]
# ## After class
#
# ### A.1 What a rotation does
#
# The likelihood depends on $\mathbf{W}$ through $\mathbf{W} \mathbf{W}^\top$ alone, which a
# rotation $\mathbf{W} \mathbf{R}$ leaves as it is, since $\mathbf{R} \mathbf{R}^\top = \mathbf{I}$.
# But the posterior, with the precision matrix (the inverse of the covariance) $\mathbf{P} =
# \mathbf{M} / \sigma^2$, then has correlations, and a diagonal guide cannot. The best one has the
# right mean and the variances $1 / P_{jj}$ (Bishop 2006, section 10.1.2). What its ELBO loses is
#
# $$\mathrm{KL}(q \,\|\, p) = \tfrac{1}{2} \Bigl( \sum_j \ln P_{jj} - \ln \det \mathbf{P} \Bigr).$$


# %%
def mean_field_gap(W, sigma):
    P = W.T @ W / sigma**2 + torch.eye(W.shape[1]).to(W)
    return 0.5 * (P.diagonal().log().sum() - torch.logdet(P)).item()


W_2, sigma_2 = maximum_likelihood(2)
degrees, elbo = torch.linspace(-90, 90, 181), []
for alpha in torch.deg2rad(degrees).tolist():
    cosine, sine = math.cos(alpha), math.sin(alpha)
    R = torch.tensor([[cosine, -sine], [sine, cosine]]).to(W_2)
    elbo.append(exact[2] - mean_field_gap(W_2 @ R, sigma_2))
plotting.curves(
    {"ELBO of the best diagonal guide": (degrees, elbo)},
    exact=(degrees, torch.full_like(degrees, exact[2])),
    xlabel=r"rotation of the closed-form $\mathbf{W}$ (degrees)",
    ylabel="nats per image",
    title="The likelihood (dashed) and the ELBO, q = 2",
)

# %% [markdown]
# The ELBO touches the likelihood where the factors are the principal axes, and again a quarter turn
# on, where they have changed places. So the guide *breaks* the symmetry: among equally good models
# it prefers the one that is easy for itself. With two factors the pull is about a hundredth of a
# nat; with ten there is more to lose:

# %%
W_10, sigma_10 = maximum_likelihood(10)
rotations = torch.linalg.qr(torch.randn(200, 10, 10))[0].to(W_10)
gaps = pd.Series([mean_field_gap(W_10 @ R, sigma_10) for R in rotations])
p = fitted[10]
print(f"random rotations: {gaps.mean():.2f} ± {gaps.std():.2f} nats per image")
print(f"as fitted: {mean_field_gap(p['W'], p['sigma']):.2f} nats per image")

# %% [markdown]
# The ten columns of $\mathbf{W}$ as images: red adds ink, blue takes it away.

# %%
plotting.image_grid(
    torch.cat([W_10.T, (W_10 @ rotations[0]).T, p["W"].cpu().double().T]),
    row_names=["closed form", "rotated", "fitted"],
    **{"vmin": -0.4, "vmax": 0.4, "cmap": "RdBu_r"},
)

# %% [markdown]
# It is tempting to give the columns names: "the stroke of a zero", "a seven's slant". The second
# row would get other names, and it is *the same model* as the first, with the same probability for
# every image that there could be. The data determine the space that the factors span, and nothing
# within. What else the third row shows is our choice of a diagonal guide, and where the fit
# happened to stop.
#
# ### A.2 How many factors?
#
# More factors always fit the training images better. **Held-out likelihood** asks for the
# probability of other images. First, suppose there were only 500 images to learn from: the function
# returns their eigenvalues, and the mean squares $v_j$ of the test images along the same axes.


# %%
def moments(train, test):
    train, test = train.cpu().double(), test.cpu().double()
    values, axes = torch.linalg.eigh(torch.cov(train.T, correction=0))
    along_axes = (test - train.mean(0)) @ axes.flip(1)
    return values.flip(0).clamp(min=0), (along_axes**2).mean(0)


few_eigenvalues, few_v = moments(images[:500], test_images)

# %% [markdown]
# ### ✏️ Exercise 5: the number of factors (7 min)
#
# With `log_likelihood`, `few_eigenvalues` and `few_v`, compute the log-likelihood of a test image
# for $q = 1, 2, \dots, 300$ factors: `held_out`, a tensor of shape `(300,)`. Then `best_q`, the
# number of factors for which it is largest.
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
held_out = torch.stack(
    [log_likelihood(few_eigenvalues, few_v, q) for q in range(1, 301)]
)
best_q = held_out.argmax().item() + 1
### END SOLUTION

# %% tags=["nbval-check-output"]
check.number_of_factors(held_out, best_q, few_eigenvalues, few_v)

# %%
q_axis = torch.arange(1, 301)
training = [log_likelihood(few_eigenvalues, few_eigenvalues, q) for q in q_axis]
plotting.curves(
    {"training": (q_axis, training), "test": (q_axis, held_out)},
    marks={f"best: q = {best_q}": best_q},
    xlabel="number of factors $q$",
    ylabel="log-likelihood per image (nats)",
    title="Learned from 500 images",
    ylim=(0, 800),
)

# %% [markdown]
# Beyond the mark, the factors describe these 500 images and no others. With more images to learn
# from:

# %%
rows = {}
for n in (500, 2000, 60_000):
    values, v = moments(images[:n], test_images)
    rank = int((values > 1e-9).sum())  # no variance along the other axes
    curve = torch.stack([log_likelihood(values, v, q) for q in range(1, rank)])
    best = curve.argmax().item() + 1
    rows[n] = [
        rank,
        best,
        curve.max().item(),
        values[best:].mean().sqrt().item(),
    ]
columns = ["axes with variance", "best q", "held-out, best q", "σ at best q"]
table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
table.rename_axis("images").round(4)

# %% [markdown]
# With all 60,000, held-out likelihood takes nearly *every* axis along which the images vary at all:
# no number of factors makes a normal distribution of handwritten digits, so each further one is an
# improvement. But look at $\sigma$: less than a tenth of one grey level, $1/255 \approx 0.004$.
# Held-out likelihood guards against learning the data by heart; it does not say what is worth
# modelling.
#
# ### A.3 Why not noise per pixel?
#
# Classical **factor analysis** gives every pixel a noise of its own, $\sigma_1, \dots,
# \sigma_{784}$. In the code it is one word.


# %%
def noise_per_pixel(x, q, mean):
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param(
        "sigma", torch.ones(784), constraint=constraints.positive
    )
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)


pyro.set_rng_seed(SEED)
per_pixel = fit(noise_per_pixel, factor_guide, 2, steps=600, last=0.005)
sigmas = pyro.param("sigma").detach().clone()
gain = (fitted[2]["sigma"] / sigmas).log()
hardly = (images > 0).sum(0) <= 60
print(f"{hardly.sum()} pixels have ink in 60 images at most")
print(f"their ln(σ / σ_d): {gain[hardly].sum():.0f} of {gain.sum():.0f} nats")
both = {"one σ": losses[2], "noise per pixel": per_pixel}
plotting.elbo_curve(both, title="Two models with two factors, per image")

# %% [markdown]
# About a thousand nats more. Where they come from: noise of $\sigma_d$ instead of $\sigma$ raises
# the log density of a pixel that it fits by about $\ln (\sigma / \sigma_d)$, and most of that sum
# belongs to pixels with hardly any ink, which nobody would look at. For a pixel that is 0 in all
# images the log density grows without limit as $\sigma_d \to 0$. **There is no maximum.** The fit
# ended only because its steps did. Go on by hand:

# %%
rows, never_ink = {}, images.amax(0) == 0
for exponent in (-2, -4, -6, -8):
    for name, value in (("W", 0.0), ("b", 0.0), ("sigma", 10.0**exponent)):
        changed = pyro.param(name).detach().clone()
        changed[never_ink] = value
        pyro.get_param_store()[name] = changed
    rows[f"1e{exponent}"] = [
        elbo_per_image(noise_per_pixel, factor_guide, x, 2)
        for x in (images[:10_000], test_images)
    ]
inked = (test_images[:, never_ink] > 0).any(1).sum()
print(f"test images with ink on one of the {never_ink.sum()} pixels: {inked}")
columns = ["ELBO, training images", "ELBO, test images"]
table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
table.rename_axis("σ of these pixels").map("{:,.0f}".format)

# %% [markdown]
# The training images gain the same with each step, for ever. A single one of the 10,000 test images
# has ink where no training image has any, and with it the mean plunges. *Unbounded* likelihoods are
# the rule when a variance is estimated for something that does not vary. What helps: one $\sigma$
# for all pixels, a floor under the variances, a prior on them, or a likelihood without a variance,
# as in the next notebook.

# %% [markdown]
# ## Going further
#
# - **A full covariance.** Replace the guide's normal by `dist.MultivariateNormal` with a parameter
#   `scale_tril` (`constraints.lower_cholesky`). Are the columns of $\mathbf{W}$ still orthogonal?
# - **One digit.** Learn from the images of the digit 3 alone (`images[labels == 3]`). How many
#   factors do its draws need to look like threes?
#
# ### References
#
# - C. M. Bishop (2006). *Pattern Recognition and Machine Learning*. Springer.
#   [Microsoft Research](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/)
# - Y. LeCun, C. Cortes and C. J. C. Burges. The MNIST database of handwritten digits.
#   [yann.lecun.com/exdb/mnist](https://yann.lecun.com/exdb/mnist/)
# - J. Lucas, G. Tucker, R. Grosse and M. Norouzi (2019). Don't blame the ELBO! A linear VAE
#   perspective on posterior collapse. *Advances in Neural Information Processing Systems* 32.
#   [arXiv:1911.02469](https://arxiv.org/abs/1911.02469)
# - M. E. Tipping and C. M. Bishop (1999). Probabilistic principal component analysis. *Journal of
#   the Royal Statistical Society B* 61(3), 611–622.
#   [doi:10.1111/1467-9868.00196](https://doi.org/10.1111/1467-9868.00196)
