"""Day2/4_factor_analysis: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import factor_analysis as check

WRONG: list[Wrong] = []
RIGHT: list[Right] = []
POSITIVE = constraints.positive
DOUBLE = {"dtype": torch.float64, "device": "cpu"}


def blank(*args):
    raise NotImplementedError


# --------------------------------------------------------------------------- Exercise 1, model


def model(
    W=lambda q: 0.1 * torch.randn(784, q),
    b=lambda mean: mean.clone(),
    sigma=lambda: pyro.param("sigma", torch.tensor(1.0), constraint=POSITIVE),
    z=lambda q: dist.Normal(torch.zeros(q), 1.0).to_event(1),
    loc=lambda z, W, b, mean: z @ W.T + b,
    x=lambda loc, sigma: dist.Normal(loc, sigma).to_event(1),
    size=len,
    names=("W", "b", "z", "x"),
    observe=True,
    scale=lambda sigma: sigma,
    plate="images",
):
    W_name, b_name, z_name, x_name = names

    def factor_model(images, q, mean):
        weights = pyro.param(W_name, lambda: W(q))
        offset = pyro.param(b_name, lambda: b(mean))
        noise = scale(sigma())
        with plate(images) if callable(plate) else pyro.plate(plate, size(images)):
            hidden = pyro.sample(z_name, z(q))
            likelihood = x(loc(hidden, weights, offset, mean), noise)
            pyro.sample(x_name, likelihood, obs=images if observe else None)

    return factor_model


def seeded(function):
    def with_seed(*args):
        pyro.set_rng_seed(0)
        return function(*args)

    return with_seed


def model_looping_over_plate(x, q, mean):
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    for i in pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ W.T, 1.0).to_event(1), obs=x[i])


def model_without_plate(x, q, mean):
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param("sigma", torch.tensor(1.0), constraint=POSITIVE)
    z = pyro.sample("z", dist.Normal(torch.zeros(len(x), q), 1.0).to_event(1))
    pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)


def model_z_outside(x, q, mean):
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param("sigma", torch.tensor(1.0), constraint=POSITIVE)
    z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
    with pyro.plate("images", len(x)):
        pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)


def model_with_prior_on_b(x, q, mean):
    W = pyro.param("W", lambda: 0.1 * torch.randn(784, q))
    b = pyro.sample("b", dist.Normal(mean, 1.0).to_event(1))
    sigma = pyro.param("sigma", torch.tensor(1.0), constraint=POSITIVE)
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ W.T + b, sigma).to_event(1), obs=x)


def model_with_guide_parameters(x, q, mean):
    pyro.param("V", torch.zeros(q, 784))
    model()(x, q, mean)


def model_named_differently(x, q, mean):
    q_zeros = torch.zeros(q)
    start = 0.1 * torch.randn(784, q)
    loadings = pyro.param("W", start)
    offset = pyro.param("b", mean.clone())
    noise = pyro.param("sigma", torch.tensor(1.0), constraint=constraints.softplus_positive)
    with pyro.plate("images", x.shape[0]):
        factors = pyro.sample("z", dist.MultivariateNormal(q_zeros, torch.eye(q)))
        likelihood = dist.Normal(torch.einsum("...q,pq->...p", factors, loadings) + offset, noise)
        pyro.sample("x", likelihood.to_event(1), obs=x)


def model_in_low_rank_form(x, q, mean):
    W = pyro.param("W", lambda: torch.randn(784, q) * 0.1)
    b = pyro.param("b", lambda: mean + 0.0)
    sigma = pyro.param("sigma", lambda: torch.ones(()), constraint=POSITIVE)
    with pyro.plate("images", len(x), dim=-1):
        z = pyro.sample("z", dist.Normal(0.0, 1.0).expand([q]).to_event(1))
        loc = torch.matmul(z, W.t()) + b
        pyro.sample("x", dist.Independent(dist.Normal(loc, sigma), 1), obs=x)


def model_in_place(x, q, mean):
    x.sub_(0.1)
    model()(x, q, mean)


def model_changing_mean(x, q, mean):
    mean *= 0.5
    model()(x, q, mean)


def plain_number():
    return pyro.param("sigma", 1.0, constraint=POSITIVE)


M = check.factor_model
WRONG += [
    Wrong(M, "W at zero", "the gradient is zero", (model(W=lambda q: torch.zeros(784, q)),)),
    Wrong(M, "rand for randn", "randn, not rand", (model(W=lambda q: 0.1 * torch.rand(784, q)),)),
    Wrong(M, "W not small", "entries of mean", (model(W=lambda q: torch.randn(784, q)),)),
    Wrong(M, "W transposed", "yours is transposed",
          (model(W=lambda q: 0.1 * torch.randn(q, 784), loc=lambda z, W, b, m: z @ W + b),)),
    Wrong(M, "b at zero", "should start at `mean`", (model(b=torch.zeros_like),)),
    Wrong(M, "b shares memory", "would move both", (model(b=lambda mean: mean),)),
    Wrong(M, "no constraint", "nothing keeps `sigma` positive",
          (model(sigma=lambda: pyro.param("sigma", torch.tensor(1.0))),)),
    Wrong(M, "sigma at 0.1", "should start at 1",
          (model(sigma=lambda: pyro.param("sigma", torch.tensor(0.1), constraint=POSITIVE)),)),
    Wrong(M, "sigma per pixel", "`sigma` should have shape ()",
          (model(sigma=lambda: pyro.param("sigma", torch.ones(784), constraint=POSITIVE)),)),
    Wrong(M, "sigma no parameter", "no parameter named `sigma`", (model(sigma=lambda: 1.0),)),
    Wrong(M, "sigma unused", "yours is a fixed 1", (model(scale=lambda sigma: 1.0),)),
    Wrong(M, "variance", "you gave the variance", (model(scale=lambda sigma: sigma**2),)),
    Wrong(M, "root of sigma", "one square root too many", (model(scale=torch.sqrt),)),
    Wrong(M, "exp of sigma", "no exp is needed", (model(scale=torch.exp),)),
    Wrong(M, "name of W", "no parameter named `W`; yours: `w`",
          (model(names=("w", "b", "z", "x")),)),
    Wrong(M, "name of z", "no site named `z`", (model(names=("W", "b", "Z", "x")),)),
    Wrong(M, "name of x", "no site named `x`", (model(names=("W", "b", "z", "images_x")),)),
    Wrong(M, "no b", "its mean lacks b", (model(loc=lambda z, W, b, m: z @ W.T),)),
    Wrong(M, "mean for b", "is where b *starts*", (model(loc=lambda z, W, b, m: z @ W.T + m),)),
    Wrong(M, "mean and b", "not added once more",
          (model(loc=lambda z, W, b, m: z @ W.T + b + m),)),
    Wrong(M, "minus b", "added, not subtracted", (model(loc=lambda z, W, b, m: z @ W.T - b),)),
    Wrong(M, "sigmoid", "no sigmoid",
          (model(loc=lambda z, W, b, m: torch.sigmoid(z @ W.T + b)),)),
    Wrong(M, "no z", "does not depend on z",
          (model(loc=lambda z, W, b, m: b + 0 * (z @ W.T)),)),
    Wrong(M, "no obs", "ignores the data", (model(observe=False),)),
    Wrong(M, "no plate", "no plate says", (model_without_plate,)),
    Wrong(M, "z outside the plate", "all images share one `z`", (model_z_outside,)),
    Wrong(M, "prior on b", "a pyro.param", (model_with_prior_on_b,)),
    Wrong(M, "V in the model", "parameter of the other function", (model_with_guide_parameters,)),
    Wrong(M, "x without to_event", "`x`: its 784 entries",
          (model(x=lambda loc, sigma: dist.Normal(loc, sigma)),)),
    Wrong(M, "z without to_event", "`z`: its 3 entries",
          (model(z=lambda q: dist.Normal(torch.zeros(q), 1.0)),)),
    Wrong(M, "plate of a fixed size", "with these data it should be (5, 3)",
          (model(size=lambda x: 60_000),)),
    Wrong(M, "plate of 500", "with these data it should be (5, 3)", (model(size=lambda x: 500),)),
    Wrong(M, "W @ z", "the shapes do not fit", (model(loc=lambda z, W, b, m: W @ z + b),)),
    Wrong(M, "W @ z, line", "Look at: ", (model(loc=lambda z, W, b, m: W @ z + b),)),
    Wrong(M, "z @ W", "the shapes do not fit", (model(loc=lambda z, W, b, m: z @ W + b),)),
    Wrong(M, "W @ z.T", "the shapes do not fit", (model(loc=lambda z, W, b, m: W @ z.T + b),)),
    Wrong(M, "x in place", "changes its argument `x` in place", (model_in_place,)),
    Wrong(M, "mean in place", "changes its argument `mean` in place", (model_changing_mean,)),
    Wrong(M, "W detached", "the parameter `W` does not reach",
          (model(loc=lambda z, W, b, m: z @ W.detach().T + b),)),
    Wrong(M, "b detached", "the parameter `b` does not reach",
          (model(loc=lambda z, W, b, m: z @ W.T + b.detach()),)),
    Wrong(M, "sigma detached", "the parameter `sigma` does not reach",
          (model(scale=lambda sigma: sigma.detach()),)),
    Wrong(M, "sigma.item()", "the parameter `sigma` does not reach",
          (model(scale=lambda sigma: sigma.item()),)),
    Wrong(M, "a plain number", "starts at a *tensor*", (model(sigma=plain_number),)),
    Wrong(M, "a plain number, free", "starts at a *tensor*",
          (model(sigma=lambda: pyro.param("sigma", 1.0)),)),
    Wrong(M, "another plate", "the plate of `z` is named `data`", (model(plate="data"),)),
    Wrong(M, "Bernoulli pixels", "`x`",
          (model(x=lambda loc, s: dist.Bernoulli(logits=loc + 0 * s, validate_args=False)
                 .to_event(1)),)),
    Wrong(M, "wide prior", "`z`: the standard deviation",
          (model(z=lambda q: dist.Normal(torch.zeros(q), 2.0).to_event(1)),)),
    Wrong(M, "prior around 1", "`z`: the mean",
          (model(z=lambda q: dist.Normal(torch.ones(q), 1.0).to_event(1)),)),
    Wrong(M, "a seed of its own", "sets the seed", (seeded(model()),)),
    Wrong(M, "the plate as a loop", "no loop: `with pyro.plate", (model_looping_over_plate,)),
    Wrong(M, "scaled plate", "by 12000",
          (model(plate=lambda x: pyro.plate("images", 60_000, subsample_size=len(x))),)),
    Wrong(M, "to_event(2)", "`x`: .to_event(2)",
          (model(x=lambda loc, sigma: dist.Normal(loc, sigma).to_event(2)),)),
    Wrong(M, "order of arguments", "in the right order",
          (model(x=lambda loc, sigma: dist.Normal(sigma, loc).to_event(1)),)),
    Wrong(M, "not called", "a model is a function", (3.0,)),
    Wrong(M, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(M, "as in the solution", (model(),)),
    Right(M, "other names and forms", (model_named_differently,)),
    Right(M, "expand and Independent", (model_in_low_rank_form,)),
    Right(M, "(W @ z.T).T", (model(loc=lambda z, W, b, m: (W @ z.T).T + b),)),
    Right(M, "einsum", (model(loc=lambda z, W, b, m: torch.einsum("nq,dq->nd", z, W) + b),)),
    Right(M, "mm", (model(loc=lambda z, W, b, m: torch.mm(z, W.T) + b),)),
    Right(M, "linear", (model(loc=lambda z, W, b, m: torch.nn.functional.linear(z, W, b)),)),
]

# --------------------------------------------------------------------------- Exercise 2, guide


def guide(
    V=lambda q: torch.zeros(q, 784),
    s=lambda q: pyro.param("s", torch.ones(q), constraint=POSITIVE),
    loc=lambda x, mean, V: (x - mean) @ V.T,
    scale=lambda s: s,
    event=1,
    plate="images",
    name="z",
    V_name="V",
):
    def factor_guide(x, q, mean):
        weights = pyro.param(V_name, V(q))
        sd = scale(s(q))
        with pyro.plate(plate, len(x)):
            normal = dist.Normal(loc(x, mean, weights), sd)
            pyro.sample(name, normal.to_event(event) if event else normal)

    return factor_guide


def guide_sampling_x(x, q, mean):
    guide()(x, q, mean)
    with pyro.plate("again", len(x)):
        pyro.sample("x", dist.Normal(x, 1.0).to_event(1))


def guide_with_obs(x, q, mean):
    V = pyro.param("V", torch.zeros(q, 784))
    s = pyro.param("s", torch.ones(q), constraint=POSITIVE)
    with pyro.plate("images", len(x)):
        z = (x - mean) @ V.T
        pyro.sample("z", dist.Normal(z, s).to_event(1), obs=z)


def guide_with_loadings(x, q, mean):
    W = pyro.param("W", 0.1 * torch.randn(784, q))
    s = pyro.param("s", torch.ones(q), constraint=POSITIVE)
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal((x - mean) @ W, s).to_event(1))


def guide_without_plate(x, q, mean):
    V = pyro.param("V", torch.zeros(q, 784))
    s = pyro.param("s", torch.ones(q), constraint=POSITIVE)
    pyro.sample("z", dist.Normal((x - mean) @ V.T, s).to_event(1))


def guide_point(x, q, mean):
    V = pyro.param("V", torch.zeros(q, 784))
    pyro.param("s", torch.ones(q), constraint=POSITIVE)
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Delta((x - mean) @ V.T).to_event(1))


def guide_cut_off(x, q, mean):
    V = pyro.param("V", torch.zeros(q, 784)).detach()
    s = pyro.param("s", torch.ones(q), constraint=POSITIVE)
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal((x - mean) @ V.T, s).to_event(1))


def guide_multivariate(x, q, mean):
    V = pyro.param("V", lambda: torch.zeros(q, mean.shape[0]))
    s = pyro.param("s", lambda: torch.ones(q), constraint=constraints.softplus_positive)
    with pyro.plate("images", x.shape[0]):
        loc = torch.nn.functional.linear(x - mean, V)
        pyro.sample("z", dist.MultivariateNormal(loc, scale_tril=torch.diag_embed(s)))


def guide_einsum(x, q, mean):
    V = pyro.param("V", torch.zeros(q, 784))
    s = pyro.param("s", torch.ones(q), constraint=POSITIVE)
    with pyro.plate("images", len(x)):
        loc = torch.einsum("np,qp->nq", x - mean, V)
        z = pyro.sample("z", dist.Independent(dist.Normal(loc, s), 1))
    return {"z": z}


def guide_in_place(x, q, mean):
    x -= mean
    guide(loc=lambda x, mean, V: x @ V.T)(x, q, mean)


mean_image = torch.rand(784)  # a variable of the notebook
G = check.factor_guide
WRONG += [
    Wrong(G, "global mean", "took a variable of the notebook",
          (lambda x, q, mean: guide()(x, q, mean_image),)),
    Wrong(G, "a seed of its own", "sets the seed", (seeded(guide()),)),
    Wrong(G, "no start", "give pyro.param an initial value",
          (guide(s=lambda q: pyro.param("s")),)),
    Wrong(G, "not centred", "its mean lacks x̄", (guide(loc=lambda x, mean, V: x @ V.T),)),
    Wrong(G, "mean added", "subtracted from x, not added",
          (guide(loc=lambda x, mean, V: (x + mean) @ V.T),)),
    Wrong(G, "sign", "have changed places", (guide(loc=lambda x, mean, V: (mean - x) @ V.T),)),
    Wrong(G, "mean of the batch", "not the mean of this batch",
          (guide(loc=lambda x, mean, V: (x - x.mean(0)) @ V.T),)),
    Wrong(G, "mean of each image", "one number for each pixel",
          (guide(loc=lambda x, mean, V: (x - x.mean(1, keepdim=True)) @ V.T),)),
    Wrong(G, "one mean", "not a single number",
          (guide(loc=lambda x, mean, V: (x - mean.mean()) @ V.T),)),
    Wrong(G, "image unused", "does not depend on the image",
          (guide(loc=lambda x, mean, V: torch.zeros(len(x), len(V)) + 0 * V.sum()),)),
    Wrong(G, "variance", "you gave the variance", (guide(scale=lambda s: s**2),)),
    Wrong(G, "root", "one square root too many", (guide(scale=torch.sqrt),)),
    Wrong(G, "exp", "the constraint makes it positive", (guide(scale=torch.exp),)),
    Wrong(G, "s unused", "`s` does not reach", (guide(scale=torch.ones_like),)),
    Wrong(G, "no constraint", "nothing keeps `s` positive",
          (guide(s=lambda q: pyro.param("s", torch.ones(q))),)),
    Wrong(G, "one s for all", "`s` should have shape (3,)",
          (guide(s=lambda q: pyro.param("s", torch.tensor(1.0), constraint=POSITIVE)),)),
    Wrong(G, "s per image", "`s` should have shape (3,)",
          (guide(s=lambda q: pyro.param("s", torch.ones(5, q), constraint=POSITIVE)),)),
    Wrong(G, "s at 0.1", "`s` should start at 1",
          (guide(s=lambda q: pyro.param("s", 0.1 * torch.ones(q), constraint=POSITIVE)),)),
    Wrong(G, "V random", "`V` should start at zero",
          (guide(V=lambda q: 0.1 * torch.randn(q, 784)),)),
    Wrong(G, "V transposed", "`V` should have shape (3, 784); yours is transposed",
          (guide(V=lambda q: torch.zeros(784, q), loc=lambda x, mean, V: (x - mean) @ V),)),
    Wrong(G, "name of V", "no parameter named `V`", (guide(V_name="v"),)),
    Wrong(G, "name of z", "no site named `z`", (guide(name="Z"),)),
    Wrong(G, "no to_event", "`z`: its 3 entries", (guide(event=0),)),
    Wrong(G, "two events", "in the guide and (5, 3) in the model", (guide(event=2),)),
    Wrong(G, "samples x", "which is observed", (guide_sampling_x,)),
    Wrong(G, "obs", "observes nothing", (guide_with_obs,)),
    Wrong(G, "W of the model", "parameter of the other function", (guide_with_loadings,)),
    Wrong(G, "no plate", "no plate says", (guide_without_plate,)),
    Wrong(G, "a point", "a single point", (guide_point,)),
    Wrong(G, "detached", "`V` does not reach", (guide_cut_off,)),
    Wrong(G, "V @ x", "the shapes do not fit", (guide(loc=lambda x, mean, V: V @ (x - mean)),)),
    Wrong(G, "in place", "changes its argument `x` in place", (guide_in_place,)),
    Wrong(G, "another plate", "is named `data`", (guide(plate="data"),)),
    Wrong(G, "not a function", "a guide is a function", ("guide",)),
    Wrong(G, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(G, "as in the solution", (guide(),)),
    Right(G, "(V @ x.T).T", (guide(loc=lambda x, mean, V: (V @ (x - mean).T).T),)),
    Right(G, "as a multivariate normal", (guide_multivariate,)),
    Right(G, "by einsum, returning z", (guide_einsum,)),
    Right(G, "products apart", (guide(loc=lambda x, mean, V: x @ V.T - V @ mean),)),
]

# -------------------------------------------------------------- Exercise 3, maximum likelihood


def ml(
    W=lambda v, u, q, s2: u[:, :q] * (v[:q] - s2).sqrt(),
    sigma=lambda v, q: v[q:].mean().sqrt(),
):
    return lambda v, u, q: (W(v, u, q, v[q:].mean()), sigma(v, q))


def ml_by_diagonals(values, vectors, q):
    sigma2 = values[q:].sum() / (len(values) - q)
    W = vectors[:, :q] @ torch.diag(values[:q] - sigma2) ** 0.5
    return W, sigma2**0.5


def ml_rotated(values, vectors, q):
    W, sigma = ml()(values, vectors, q)
    return W @ torch.linalg.qr(torch.randn(q, q).to(W))[0], sigma


def ml_in_place(values, vectors, q):
    sigma2 = values[q:].mean()
    W = vectors[:, :q]
    W *= (values[:q] - sigma2).sqrt()
    return W, sigma2.sqrt()


def ml_overwriting(values, vectors, q):
    values[q:] = values[q:].mean()
    return vectors[:, :q] * (values[:q] - values[q]).sqrt(), values[q].sqrt()


def ml_for_784(values, vectors, q):
    sigma2 = values[q:].sum() / (784 - q)
    return vectors[:, :q] * (values[:q] - sigma2).sqrt(), sigma2.sqrt()


def ml_by_loop_for_784(values, vectors, q):
    sigma2 = sum(values[j] for j in range(q, 784)) / (784 - q)
    return vectors[:, :q] * (values[:q] - sigma2).sqrt(), sigma2.sqrt()


def ml_on_a_copy(values, vectors, q):
    W = vectors[:, :q].clone()
    W *= (values[:q] - values[q:].mean()).sqrt()
    return W, values[q:].mean().sqrt()


L = check.maximum_likelihood
WRONG += [
    Wrong(L, "median", "is not the *mean* of those that are left",
          (ml(sigma=lambda v, q: v[q:].median().sqrt()),)),
    Wrong(L, "W in place", "changes its argument `vectors` in place", (ml_in_place,)),
    Wrong(L, "eigenvalues in place", "changes its argument `values` in place", (ml_overwriting,)),
    Wrong(L, "784", "784 is hard-coded", (ml_for_784,)),
    Wrong(L, "784 in a loop", "784 is hard-coded", (ml_by_loop_for_784,)),
    Wrong(L, "swapped", "`W` and `sigma` have changed places",
          (lambda v, u, q: ml()(v, u, q)[::-1],)),
    Wrong(L, "two columns", "(12, 4) here, with one column for each of the 4 factors; yours has 2",
          (ml(W=lambda v, u, q, s2: u[:, :2] * (v[:2] - s2).sqrt()),)),
    Wrong(L, "two factors", "not always 2", (ml(sigma=lambda v, q: v[2:].mean().sqrt()),)),
    Wrong(L, "single precision", "`W` is in single precision",
          (ml(W=lambda v, u, q, s2: (u[:, :q] * (v[:q] - s2).sqrt()).float()),)),
    Wrong(L, "a plain sigma", "should be a tensor, not float",
          (ml(sigma=lambda v, q: math.sqrt(v[q:].mean())),)),
    Wrong(L, "none", "Does your function end in a `return`", (lambda v, u, q: None,)),
] + [
    Wrong(L, "variance", "that is its square", (ml(sigma=lambda v, q: v[q:].mean()),)),
    Wrong(L, "sum", "not their sum", (ml(sigma=lambda v, q: v[q:].sum().sqrt()),)),
    Wrong(L, "mean of roots", "then the root", (ml(sigma=lambda v, q: v[q:].sqrt().mean()),)),
    Wrong(L, "over all", "Not all of them",
          (ml(sigma=lambda v, q: (v[q:].sum() / len(v)).sqrt()),)),
    Wrong(L, "one off", "is forgotten", (ml(sigma=lambda v, q: v[q + 1 :].mean().sqrt()),)),
    Wrong(L, "one too many", "too many", (ml(sigma=lambda v, q: v[q - 1 :].mean().sqrt()),)),
    Wrong(L, "of the factors", "the noise has the others",
          (ml(sigma=lambda v, q: v[:q].mean().sqrt()),)),
    Wrong(L, "mean of all", "that are *left*", (ml(sigma=lambda v, q: v.mean().sqrt()),)),
    Wrong(L, "only the next", "over *all*", (ml(sigma=lambda v, q: v[q].sqrt()),)),
    Wrong(L, "nothing subtracted", "σ² is subtracted first",
          (ml(W=lambda v, u, q, s2: u[:, :q] * v[:q].sqrt()),)),
    Wrong(L, "no root", "the root is missing",
          (ml(W=lambda v, u, q, s2: u[:, :q] * (v[:q] - s2)),)),
    Wrong(L, "minus sigma", "where the formula has σ²",
          (ml(W=lambda v, u, q, s2: u[:, :q] * (v[:q] - s2.sqrt()).sqrt()),)),
    Wrong(L, "difference of roots", "of the difference",
          (ml(W=lambda v, u, q, s2: u[:, :q] * (v[:q].sqrt() - s2.sqrt())),)),
    Wrong(L, "plus", "σ² is subtracted from",
          (ml(W=lambda v, u, q, s2: u[:, :q] * (v[:q] + s2).sqrt()),)),
    Wrong(L, "axes only", "have length 1", (ml(W=lambda v, u, q, s2: u[:, :q]),)),
    Wrong(L, "last axes", "*last* eigenvectors",
          (ml(W=lambda v, u, q, s2: u[:, -q:] * (v[:q] - s2).sqrt()),)),
    Wrong(L, "rows", "you took rows", (ml(W=lambda v, u, q, s2: u[:q].T * (v[:q] - s2).sqrt()),)),
    Wrong(L, "transposed", "yours is transposed",
          (ml(W=lambda v, u, q, s2: (u[:, :q] * (v[:q] - s2).sqrt()).T),)),
    Wrong(L, "one length for all", "a length of its own",
          (ml(W=lambda v, u, q, s2: u[:, :q] * (v[:q] - s2).sqrt().sum()),)),
    Wrong(L, "all axes", "should have shape (9, 2)",
          (ml(W=lambda v, u, q, s2: u * (v - s2).clamp(min=0).sqrt()),)),
    Wrong(L, "vector for sigma", "should be a single number",
          (ml(sigma=lambda v, q: v[q:].sqrt()),)),
    Wrong(L, "W alone", "should return two values", (lambda v, u, q: ml()(v, u, q)[0],)),
    Wrong(L, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(L, "as in the solution", (ml(),)),
    Right(L, "with diagonal matrices", (ml_by_diagonals,)),
    Right(L, "another rotation", (ml_rotated,)),
    Right(L, "in place on a copy", (ml_on_a_copy,)),
    Right(L, "other signs", (ml(W=lambda v, u, q, s2: -u[:, :q] * (v[:q] - s2).sqrt()),)),
]

# ------------------------------------------------------------------ Exercise 4, log-likelihood


def made_c(rest, q, values):
    c = values.clone()
    c[q:] = rest
    return c


def loglik(
    c=lambda values, v, q: made_c(values[q:].mean(), q, values),
    terms=lambda c, v: math.log(2 * math.pi) + c.log() + v / c,
    total=lambda terms: -0.5 * terms.sum(),
):
    return lambda values, v, q: total(terms(c(values, v, q), v))


def loglik_in_place(values, v, q):
    values[q:] = values[q:].mean()
    return -0.5 * (math.log(2 * math.pi) + values.log() + v / values).sum()


def loglik_by_distribution(values, v, q):
    c = torch.cat([values[:q], values[q:].mean().repeat(len(values) - q)])
    return dist.Normal(torch.zeros_like(c), c.sqrt()).log_prob(v.sqrt()).sum()


def loglik_in_two_sums(values, v, q):
    s2 = values[q:].mean()
    factors = (values[:q].log() + v[:q] / values[:q]).sum()
    noise = (len(values) - q) * s2.log() + v[q:].sum() / s2
    return -(len(values) * math.log(2 * math.pi) + factors + noise) / 2


def loglik_by_product(values, v, q):
    c = made_c(values[q:].mean(), q, values)
    return -0.5 * (len(c) * math.log(2 * math.pi) + c.prod().log() + (v / c).sum())


def loglik_by_determinant(values, v, q):
    C = torch.diag(made_c(values[q:].mean(), q, values))
    return -0.5 * (len(C) * math.log(2 * math.pi) + torch.det(C).log() + (v / C.diag()).sum())


def loglik_by_loop(values, v, q, last=lambda q: q, size=len):
    total, rest = 0.0, values[q:].mean()
    for j in range(size(values)):
        c = values[j] if j < last(q) else rest
        total = total - 0.5 * (math.log(2 * math.pi) + c.log() + v[j] / c)
    return total


def loglik_for_784(values, v, q):
    terms = made_c(values[q:].sum() / (784 - q), q, values)
    return -0.5 * (784 * math.log(2 * math.pi) + (terms.log() + v / terms).sum())


K = check.log_likelihood
TERMS = math.log(2 * math.pi)
WRONG += [
    Wrong(K, "log of the product", "is rounded to 0", (loglik_by_product,)),
    Wrong(K, "log of the determinant", "is rounded to 0", (loglik_by_determinant,)),
    Wrong(K, "clamped", "not for those near 0",
          (loglik(terms=lambda c, v: TERMS + c.clamp(min=1e-3).log() + v / c),)),
    Wrong(K, "product", "*divided* by c_j", (loglik(terms=lambda c, v: TERMS + c.log() + v * c),)),
    Wrong(K, "log10", "natural logarithm",
          (loglik(terms=lambda c, v: TERMS + c.log10() + v / c),)),
    Wrong(K, "sign", "the sign is reversed", (loglik(total=lambda t: 0.5 * t.sum()),)),
    Wrong(K, "no half", "the ½ before the sum", (loglik(total=lambda t: -t.sum()),)),
    Wrong(K, "mean", "a *sum* over the pixels", (loglik(total=lambda t: -0.5 * t.mean()),)),
    Wrong(K, "no sum", "one number for each axis", (loglik(total=lambda t: -0.5 * t),)),
    Wrong(K, "no constant", "ln 2π is missing", (loglik(terms=lambda c, v: c.log() + v / c),)),
    Wrong(K, "2 pi", "yours is 2π", (loglik(terms=lambda c, v: 2 * math.pi + c.log() + v / c),)),
    Wrong(K, "half ln 2 pi", "yours is ½ ln 2π",
          (loglik(terms=lambda c, v: 0.5 * TERMS + c.log() + v / c),)),
    Wrong(K, "constant once", "is added once",
          (loglik(terms=lambda c, v: c.log() + v / c, total=lambda t: -0.5 * (TERMS + t.sum())),)),
    Wrong(K, "all eigenvalues", "you left the eigenvalues", (loglik(c=lambda e, v, q: e),)),
    Wrong(K, "sum of the rest", "not their sum",
          (loglik(c=lambda e, v, q: made_c(e[q:].sum(), q, e)),)),
    Wrong(K, "sigma", "yours is σ.",
          (loglik(c=lambda e, v, q: made_c(e[q:].mean().sqrt(), q, e)),)),
    Wrong(K, "mean of all", "that are *left*", (loglik(c=lambda e, v, q: made_c(e.mean(), q, e)),)),
    Wrong(K, "q + 1", "one off", (loglik(c=lambda e, v, q: made_c(e[q + 1 :].mean(), q + 1, e)),)),
    Wrong(K, "q - 1", "one off", (loglik(c=lambda e, v, q: made_c(e[q - 1 :].mean(), q - 1, e)),)),
    Wrong(K, "v unused", "`v` is not used",
          (loglik(terms=lambda c, v: TERMS + c.log() + 1.0),)),
    Wrong(K, "eigenvalues for v", "`v` is not used",
          (lambda e, v, q: loglik()(e, e, q),)),
    Wrong(K, "c of v", "are made from `eigenvalues`",
          (loglik(c=lambda e, v, q: made_c(v[q:].mean(), q, v)),)),
    Wrong(K, "swapped", "have changed places", (lambda e, v, q: loglik()(v, e, q),)),
    Wrong(K, "upside down", "upside down", (loglik(terms=lambda c, v: TERMS + c.log() + c / v),)),
    Wrong(K, "v squared", "a mean *square* already",
          (loglik(terms=lambda c, v: TERMS + c.log() + v**2 / c),)),
    Wrong(K, "minus", "is added inside", (loglik(terms=lambda c, v: TERMS + c.log() - v / c),)),
    Wrong(K, "no log", "ln c_j is missing", (loglik(terms=lambda c, v: TERMS + v / c),)),
    Wrong(K, "half log", "the factor ½ once",
          (loglik(terms=lambda c, v: TERMS + 0.5 * c.log() + v / c),)),
    Wrong(K, "first q only", "the sum ends at q",
          (lambda e, v, q: -0.5 * (TERMS + e[:q].log() + v[:q] / e[:q]).sum(),)),
    Wrong(K, "in place", "changes its argument `values` in place", (loglik_in_place,)),
    Wrong(K, "all of v", "all your c_j come from `v`",
          (loglik(c=lambda e, v, q: made_c(v[q:].mean(), q, v)),)),
    Wrong(K, "v up to q", "and yours is v_j",
          (loglik(c=lambda e, v, q: made_c(e[q:].mean(), q, v)),)),
    Wrong(K, "v beyond q", "yours is the mean of v",
          (loglik(c=lambda e, v, q: made_c(v[q:].mean(), q, e)),)),
    Wrong(K, "j <= q", "not `j <= q`",
          (lambda e, v, q: loglik_by_loop(e, v, q, lambda q: q + 1),)),
    Wrong(K, "j < q - 1", "one factor is lost",
          (lambda e, v, q: loglik_by_loop(e, v, q, lambda q: q - 1),)),
    Wrong(K, "784", "784 is hard-coded", (loglik_for_784,)),
    Wrong(K, "784 in a loop", "784 is hard-coded",
          (lambda e, v, q: loglik_by_loop(e, v, q, size=lambda e: 784),)),
    Wrong(K, "single precision", "is in single precision",
          (lambda e, v, q: loglik()(e, v, q).float(),)),
    Wrong(K, "item", "should be a tensor, not float", (lambda e, v, q: loglik()(e, v, q).item(),)),
    Wrong(K, "none", "Does your function end in a `return`", (lambda e, v, q: None,)),
    Wrong(K, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(K, "as in the solution", (loglik(),)),
    Right(K, "by a distribution", (loglik_by_distribution,)),
    Right(K, "in two sums", (loglik_in_two_sums,)),
    Right(K, "by a loop", (loglik_by_loop,)),
]

# --------------------------------------------------------------------------- Exercise 5, angle


def basis(A):
    return torch.linalg.qr(A)[0]


def cosines(A, B):
    return torch.linalg.svdvals(basis(A).T @ basis(B)).clamp(max=1)


def degrees(c):
    return torch.rad2deg(torch.arccos(c))


def unit(A):
    return A / A.norm(dim=0)


def angle_by_svd(A, B):
    U, V = torch.linalg.svd(A, full_matrices=False)[0], torch.linalg.svd(B, full_matrices=False)[0]
    return torch.linalg.svd(U.T @ V)[1].min().clamp(max=1).acos() * 180 / math.pi


def angle_by_projectors(A, B):
    P, Q = A @ torch.linalg.pinv(A), B @ torch.linalg.pinv(B)
    return torch.rad2deg(torch.arcsin(torch.linalg.matrix_norm(P - Q, 2).clamp(max=1)))


def angle_in_place(A, B):
    A /= A.norm(dim=0)
    return degrees(cosines(A, B).min())


def by_singular_values(product):
    return lambda a, b: degrees(torch.linalg.svdvals(product(a, b)).clamp(max=1).min())


A = check.largest_angle
WRONG += [
    Wrong(A, "in place", "changes its argument `A` in place", (angle_in_place,)),
    Wrong(A, "one basis", "those of B are not", (by_singular_values(lambda a, b: basis(a).T @ b),)),
    Wrong(A, "the other basis", "those of A are not",
          (by_singular_values(lambda a, b: a.T @ basis(b)),)),
    Wrong(A, "R for Q", "it is the first, [0]",
          (by_singular_values(lambda a, b: torch.linalg.qr(a)[1].T @ torch.linalg.qr(b)[1]),)),
    Wrong(A, "outer product", "yours is Q_A Q_Bᵀ",
          (by_singular_values(lambda a, b: basis(a) @ basis(b).T),)),
    Wrong(A, "transposed", "not of its transpose",
          (by_singular_values(lambda a, b: basis(a.T).T @ basis(b.T)),)),
    Wrong(A, "mean cosine", "the *mean* cosine", (lambda a, b: degrees(cosines(a, b).mean()),)),
    Wrong(A, "something else", "One by one", (lambda a, b: degrees(cosines(a, b)).sum() * 1.3,)),
    Wrong(A, "item", "should be a tensor", (lambda a, b: degrees(cosines(a, b).min()).item(),)),
] + [
    Wrong(A, "radians", "in radians", (lambda a, b: torch.arccos(cosines(a, b).min()),)),
    Wrong(A, "deg2rad", "wrong way",
          (lambda a, b: torch.deg2rad(torch.arccos(cosines(a, b).min())),)),
    Wrong(A, "largest cosine", "the smallest angle", (lambda a, b: degrees(cosines(a, b).max()),)),
    Wrong(A, "first cosine", "the smallest angle", (lambda a, b: degrees(cosines(a, b)[0]),)),
    Wrong(A, "cosine", "that is the cosine", (lambda a, b: cosines(a, b).min(),)),
    Wrong(A, "arcsin", "not arcsin",
          (lambda a, b: torch.rad2deg(torch.arcsin(cosines(a, b).min())),)),
    Wrong(A, "no arccos", "arccos is missing", (lambda a, b: torch.rad2deg(cosines(a, b).min()),)),
    Wrong(A, "mean", "the mean of the angles", (lambda a, b: degrees(cosines(a, b)).mean(),)),
    Wrong(A, "all", "these are all", (lambda a, b: degrees(cosines(a, b)),)),
    Wrong(A, "length 1 only", "they must be orthogonal",
          (lambda a, b: degrees(torch.linalg.svdvals(unit(a).T @ unit(b)).clamp(max=1).min()),)),
    Wrong(A, "as they are", "of length 1",
          (lambda a, b: degrees(torch.linalg.svdvals(a.T @ b).min()),)),
    Wrong(A, "column by column", "column by column",
          (lambda a, b: degrees((basis(a) * basis(b)).sum(0).abs().min()),)),
    Wrong(A, "columns of length 1", "column by column",
          (lambda a, b: degrees((unit(a) * unit(b)).sum(0).abs().min()),)),
    Wrong(A, "no clamp", "Does rounding put a cosine above 1",
          (lambda a, b: degrees(torch.linalg.svdvals(basis(a).T @ basis(b)).min() + 1e-12),)),
    Wrong(A, "none", "Does your function end in a `return`", (lambda a, b: None,)),
    Wrong(A, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(A, "as in the solution", (lambda a, b: degrees(cosines(a, b).min()),)),
    Right(A, "by singular vectors", (angle_by_svd,)),
    Right(A, "by projectors", (angle_by_projectors,)),
    Right(A, "largest of the angles", (lambda a, b: degrees(cosines(a, b)).max(),)),
]

# ----------------------------------------------------------------------- Exercise 6, posterior


def posterior(
    noise=lambda s: s**2,
    mean=lambda M, W, x, b, s: torch.linalg.inv(M) @ W.T @ (x - b),
    covariance=lambda M, W, s: s**2 * torch.linalg.inv(M),
):
    def exact_posterior(x, W, b, sigma):
        M = W.T @ W + noise(sigma) * torch.eye(W.shape[1])
        return mean(M, W, x, b, sigma), covariance(M, W, sigma)

    return exact_posterior


def posterior_by_solve(x, W, b, sigma):
    q = W.shape[1]
    precision = torch.eye(q) + W.T @ W / sigma**2
    covariance = torch.linalg.inv(precision)
    return torch.linalg.solve(precision, W.T @ (x - b) / sigma**2), covariance


def posterior_by_conditioning(x, W, b, sigma):
    gain = W.T @ torch.linalg.inv(W @ W.T + sigma**2 * torch.eye(len(x)))
    return gain @ (x - b), torch.eye(W.shape[1]) - gain @ W


def posterior_pixels(x, W, b, sigma):
    M = W @ W.T + sigma**2 * torch.eye(len(x))
    return W.T @ torch.linalg.inv(M) @ (x - b), sigma**2 * torch.linalg.inv(M)


def posterior_in_place(x, W, b, sigma):
    x -= b
    return posterior(mean=lambda M, W, x, b, s: inv(M) @ W.T @ x)(x, W, b, sigma)


inv = torch.linalg.inv
P = check.exact_posterior
WRONG += [
    Wrong(P, "in place", "changes its argument `x` in place", (posterior_in_place,)),
    Wrong(P, "swapped", "have changed places", (lambda x, W, b, s: posterior()(x, W, b, s)[::-1],)),
    Wrong(P, "none", "Does your function end in a `return`", (lambda x, W, b, s: None,)),
] + [
    Wrong(P, "no identity, mean", "`z_mean`: σ² is added to *every* entry",
          (posterior(mean=lambda M, W, x, b, s: inv(W.T @ W + s**2) @ W.T @ (x - b)),)),
    Wrong(P, "no identity, covariance", "`covariance`: σ² is added to *every* entry",
          (posterior(covariance=lambda M, W, s: s**2 * inv(W.T @ W + s**2)),)),
    Wrong(P, "sigma in M", "and yours is σ", (posterior(noise=lambda s: s),)),
    Wrong(P, "no noise in M", "σ² I is missing", (posterior(noise=lambda s: 0 * s),)),
    Wrong(P, "plain identity", "yours has I.", (posterior(noise=lambda s: s**0),)),
    Wrong(P, "inverse variance", "yours has I / σ²", (posterior(noise=lambda s: 1 / s**2),)),
    Wrong(P, "minus", "added, not subtracted", (posterior(noise=lambda s: -(s**2)),)),
    Wrong(P, "no b", "b is missing", (posterior(mean=lambda M, W, x, b, s: inv(M) @ W.T @ x),)),
    Wrong(P, "plus b", "b is subtracted",
          (posterior(mean=lambda M, W, x, b, s: inv(M) @ W.T @ (x + b)),)),
    Wrong(P, "sign", "sign is reversed",
          (posterior(mean=lambda M, W, x, b, s: inv(M) @ W.T @ (b - x)),)),
    Wrong(P, "no inverse", "M⁻¹ is missing",
          (posterior(mean=lambda M, W, x, b, s: W.T @ (x - b)),)),
    Wrong(P, "times M", "not by M⁻¹", (posterior(mean=lambda M, W, x, b, s: M @ W.T @ (x - b)),)),
    Wrong(P, "covariance for inverse", "not of the mean",
          (posterior(mean=lambda M, W, x, b, s: s**2 * inv(M) @ W.T @ (x - b)),)),
    Wrong(P, "divided", "not divided by σ²",
          (posterior(mean=lambda M, W, x, b, s: inv(M) @ W.T @ (x - b) / s**2),)),
    Wrong(P, "entrywise", "inverts every entry alone",
          (posterior(mean=lambda M, W, x, b, s: (1 / M) @ W.T @ (x - b)),)),
    Wrong(P, "no factor", "the factor σ² is missing",
          (posterior(covariance=lambda M, W, s: inv(M)),)),
    Wrong(P, "sigma", "and yours is σ", (posterior(covariance=lambda M, W, s: s * inv(M)),)),
    Wrong(P, "M", "that is M; its inverse", (posterior(covariance=lambda M, W, s: M),)),
    Wrong(P, "not inverted", "M is inverted", (posterior(covariance=lambda M, W, s: s**2 * M),)),
    Wrong(P, "precision", "the precision matrix",
          (posterior(covariance=lambda M, W, s: M / s**2),)),
    Wrong(P, "divided covariance", "do not divide",
          (posterior(covariance=lambda M, W, s: inv(M) / s**2),)),
    Wrong(P, "entrywise covariance", "inverts every entry alone",
          (posterior(covariance=lambda M, W, s: s**2 / M),)),
    Wrong(P, "diagonal matrix", "off its diagonal",
          (posterior(covariance=lambda M, W, s: torch.diag(torch.diag(s**2 * inv(M)))),)),
    Wrong(P, "diagonal", "its diagonal is not all",
          (posterior(covariance=lambda M, W, s: torch.diag(s**2 * inv(M))),)),
    Wrong(P, "W W'", "a row for each pixel", (posterior_pixels,)),
    Wrong(P, "mean alone", "should return two values",
          (lambda x, W, b, s: posterior()(x, W, b, s)[0],)),
    Wrong(P, "a row", "`z_mean` should have shape (q,)",
          (lambda x, W, b, s: posterior(mean=lambda M, W, x, b, s: (x - b)[None] @ W @ inv(M))(
              x, W, b, s),)),
    Wrong(P, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(P, "as in the solution", (posterior(),)),
    Right(P, "by precision and solve", (posterior_by_solve,)),
    Right(P, "by conditioning", (posterior_by_conditioning,)),
]

# ------------------------------------------------------------------ Exercise 7, reconstruction


def rebuilt(
    encode=lambda x, mean, p: (x - mean) @ p["V"].T,
    decode=lambda z, mean, p: z @ p["W"].T + p["b"],
    after=lambda x: x,
):
    return lambda x, mean, p: after(decode(encode(x, mean, p), mean, p))


def rebuilt_from_x_in_place(x, mean, p):
    x -= mean
    return x @ p["V"].T @ p["W"].T + p["b"]


def rebuilt_from_p_in_place(x, mean, p):
    p["b"] *= 1.5
    return rebuilt()(x, mean, p)


def rebuilt_taking_b_out(x, mean, p):
    b = p.pop("b")
    return rebuilt(decode=lambda z, m, p: z @ p["W"].T + b)(x, mean, p)


R = check.reconstruct
WRONG += [
    Wrong(R, "x in place", "changes its argument `x` in place", (rebuilt_from_x_in_place,)),
    Wrong(R, "p in place", "changes its argument `p` in place", (rebuilt_from_p_in_place,)),
    Wrong(R, "p without b", "changes its argument `p` in place", (rebuilt_taking_b_out,)),
    Wrong(R, "minus b", "b is added, not subtracted",
          (rebuilt(decode=lambda z, m, p: z @ p["W"].T - p["b"]),)),
    Wrong(R, "none", "Does your function end in a `return`", (lambda x, m, p: None,)),
] + [
    Wrong(R, "no b", "b is missing", (rebuilt(decode=lambda z, m, p: z @ p["W"].T),)),
    Wrong(R, "not centred", "not subtracted before V",
          (rebuilt(encode=lambda x, m, p: x @ p["V"].T),)),
    Wrong(R, "added", "subtracted before V, not added",
          (rebuilt(encode=lambda x, m, p: (x + m) @ p["V"].T),)),
    Wrong(R, "neither", "neither the mean image",
          (rebuilt(lambda x, m, p: x @ p["V"].T, lambda z, m, p: z @ p["W"].T),)),
    Wrong(R, "mean for b", "which it has learned",
          (rebuilt(decode=lambda z, m, p: z @ p["W"].T + m),)),
    Wrong(R, "b for mean", "not b", (rebuilt(encode=lambda x, m, p: (x - p["b"]) @ p["V"].T),)),
    Wrong(R, "both swapped", "have changed places",
          (rebuilt(lambda x, m, p: (x - p["b"]) @ p["V"].T, lambda z, m, p: z @ p["W"].T + m),)),
    Wrong(R, "W as encoder", "the encoder is V",
          (rebuilt(encode=lambda x, m, p: (x - m) @ p["W"]),)),
    Wrong(R, "V as decoder", "the decoder is W",
          (rebuilt(decode=lambda z, m, p: z @ p["V"] + p["b"]),)),
    Wrong(R, "mean of these", "not the mean of these",
          (rebuilt(encode=lambda x, m, p: (x - x.mean(0)) @ p["V"].T),)),
    Wrong(R, "clamped", "no limits at 0 and 1", (rebuilt(after=lambda x: x.clamp(0, 1)),)),
    Wrong(R, "no negative ink", "no limit at 0", (rebuilt(after=torch.relu),)),
    Wrong(R, "sigmoid", "no sigmoid", (rebuilt(after=torch.sigmoid),)),
    Wrong(R, "draw of z", "no draws",
          (rebuilt(encode=lambda x, m, p: dist.Normal((x - m) @ p["V"].T, p["s"]).sample()),)),
    Wrong(R, "draw of x", "no draws", (rebuilt(after=lambda x: x + 0.3 * torch.randn_like(x)),)),
    Wrong(R, "times s", "s has no part",
          (rebuilt(encode=lambda x, m, p: (x - m) @ p["V"].T * p["s"]),)),
    Wrong(R, "z only", "goes back to the pixels", (rebuilt(decode=lambda z, m, p: z),)),
    Wrong(R, "the image", "that is the image itself", (lambda x, m, p: x,)),
    Wrong(R, "transposed", "yours is transposed", (rebuilt(after=lambda x: x.T),)),
    Wrong(R, "parameters of the store", "Look at: ",
          (rebuilt(decode=lambda z, m, p: z @ pyro.param("W").T + pyro.param("b")),)),
    Wrong(R, "both", "return one tensor", (lambda x, m, p: (x, rebuilt()(x, m, p)),)),
    Wrong(R, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(R, "as in the solution", (rebuilt(),)),
    Right(R, "one matrix", (lambda x, m, p: (x - m) @ (p["W"] @ p["V"]).T + p["b"],)),
    Right(R, "columns", (lambda x, m, p: (p["W"] @ (p["V"] @ (x - m).T)).T + p["b"],)),
]

# --------------------------------------------------------------- Exercise 8, number of factors

VALUES = torch.cat([torch.linspace(4, -6, 500, **DOUBLE).exp(), torch.full((284,), 1e-3, **DOUBLE)])
TEST = VALUES + 0.02


def held_out(values=VALUES, v=TEST, qs=range(1, 301)):
    return torch.stack([loglik()(values, v, q) for q in qs])


CURVE = held_out()
BEST = CURVE.argmax().item() + 1
FALLING = VALUES + 0.5  # the likelihood is smallest with the most factors
N = check.number_of_factors
WRONG += [
    Wrong(N, "argmax", "one too small", (CURVE, BEST - 1, VALUES, TEST)),
    Wrong(N, "the maximum itself", "the *number of factors*", (CURVE, CURVE.max(), VALUES, TEST)),
    Wrong(N, "training best", "where the *training*", (CURVE, 300, VALUES, TEST)),
    Wrong(N, "minimum", "`held_out` is *smallest*",
          (CURVE, CURVE.argmin().item() + 1, VALUES, TEST)),
    Wrong(N, "argmin", "did you use argmin", (CURVE, CURVE.argmin().item(), VALUES, TEST)),
    Wrong(N, "minimum at the end", "did you use argmin",
          (held_out(v=FALLING), 300, VALUES, FALLING)),
    Wrong(N, "another", "where is your `held_out` largest", (CURVE, 7, VALUES, TEST)),
    Wrong(N, "one too large", "where is your `held_out` largest",
          (CURVE, BEST + 1, VALUES, TEST)),
    Wrong(N, "training curve", "*training* images", (held_out(v=VALUES), 300, VALUES, TEST)),
    Wrong(N, "swapped", "have changed places",
          (held_out(TEST, VALUES), 300, VALUES, TEST)),
    Wrong(N, "test model", "that of the training images",
          (held_out(TEST, TEST), 300, VALUES, TEST)),
    Wrong(N, "from zero", "begins at q = 0", (held_out(qs=range(300)), BEST, VALUES, TEST)),
    Wrong(N, "299", "look at both ends", (held_out(qs=range(1, 300)), BEST, VALUES, TEST)),
    Wrong(N, "301", "look at both ends", (held_out(qs=range(301)), BEST, VALUES, TEST)),
    Wrong(N, "minus", "the sign is reversed", (-CURVE, BEST, VALUES, TEST)),
    Wrong(N, "per image", "per image already", (CURVE / 10_000, BEST, VALUES, TEST)),
    Wrong(N, "a list", "not a list", (CURVE.tolist(), BEST, VALUES, TEST)),
    Wrong(N, "a column", "should have shape (300,)", (CURVE[:, None], BEST, VALUES, TEST)),
    Wrong(N, "all at once", "should be a single number", (CURVE, CURVE, VALUES, TEST)),
    Wrong(N, "blank", "still blank", (None, None, VALUES, TEST)),
    Wrong(N, "half blank", "still blank: `best_q`", (CURVE, None, VALUES, TEST)),
]  # fmt: skip
RIGHT += [
    Right(N, "as in the solution", (CURVE, BEST, VALUES, TEST)),
    Right(N, "a tensor", (CURVE.float(), CURVE.argmax() + 1, VALUES, TEST)),
]


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


def test_the_toy_spectrum_has_an_optimum_inside():
    assert 20 < BEST < 290


def test_enough_answers_for_every_exercise():
    assert_enough(check, WRONG, RIGHT)
