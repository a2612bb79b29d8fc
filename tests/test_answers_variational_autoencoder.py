"""Day2/5_variational_autoencoder: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import pandas as pd
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import nn
from torch.nn.functional import softplus

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import CheckFailed
from utils.checks import variational_autoencoder as check

WRONG: list[Wrong] = []
RIGHT: list[Right] = []


def blank(*args):
    raise NotImplementedError


def nothing(*args):
    return None


# ------------------------------------------------------------------------- Exercise 1, decoder


def net(between=nn.GELU, last=None, hidden=None):
    def network(n_in, n_out, hidden=hidden or 300):
        ends = [] if last is None else [last()]
        return nn.Sequential(
            nn.Linear(n_in, hidden), between(), nn.Linear(hidden, hidden), between(),
            nn.Linear(hidden, n_out), *ends,
        )  # fmt: skip

    return network


def rows(*parts):
    """A network of layers whose sizes are named by i(n), h(idden), o(ut); other parts as given."""

    def network(n_in, n_out, hidden=300):
        size = {"i": n_in, "h": hidden, "o": n_out}
        made = [nn.Linear(size[p[0]], size[p[1]]) if isinstance(p, str) else p() for p in parts]
        return nn.Sequential(*made)

    return network


class OwnClass(nn.Module):
    def __init__(self, n_in, n_out, hidden=300):
        super().__init__()
        self.first = nn.Linear(n_in, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.third = nn.Linear(hidden, n_out)

    def forward(self, z):
        h = nn.functional.gelu(self.second(nn.functional.gelu(self.first(z))))
        return self.third(h)


def same_layer_twice(n_in, n_out, hidden=300):
    middle = nn.Linear(hidden, hidden)
    return nn.Sequential(
        nn.Linear(n_in, hidden), nn.GELU(), middle, nn.GELU(), middle, nn.GELU(),
        nn.Linear(hidden, n_out), nn.GELU(),
    )  # fmt: skip


def from_a_list(n_in, n_out, hidden=300):
    sizes, layers = [n_in, hidden, hidden, n_out], []
    for a, b in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(a, b), nn.GELU()]
    return nn.Sequential(*layers[:-1])


D, G = check.decoder, nn.GELU
WRONG += [
    Wrong(D, "sigmoid at the end", "there is a sigmoid after", (net(last=nn.Sigmoid),)),
    Wrong(D, "GELU at the end", "there is a GELU after", (net(last=nn.GELU),)),
    Wrong(D, "softmax at the end", "there is a softmax after",
          (net(last=lambda: nn.Softmax(dim=-1)),)),
    Wrong(D, "no activations", "three linear layers are one", (rows("ih", "hh", "ho"),)),
    Wrong(D, "ReLU", "is ReLU", (net(nn.ReLU),)),
    Wrong(D, "SiLU", "is SiLU", (net(nn.SiLU),)),
    Wrong(D, "tanh", "is tanh", (net(nn.Tanh),)),
    Wrong(D, "second activation missing", "missing after the second", (rows("ih", G, "hh", "ho"),)),
    Wrong(D, "first activation missing", "missing after the first", (rows("ih", "hh", G, "ho"),)),
    Wrong(D, "one hidden layer", "yours are: 3 → 7 · 7 → 11", (rows("ih", G, "ho"),)),
    Wrong(D, "three hidden layers", "three linear layers are asked for",
          (rows("ih", G, "hh", G, "hh", G, "ho"),)),
    Wrong(D, "one layer", "three linear layers are asked for", (rows("io"),)),
    Wrong(D, "shrinking", "the layers are 3 → 7 · 7 → 11 · 11 → 11",
          (rows("ih", G, "ho", G, "oo"),)),
    Wrong(D, "wrong way round", "the wrong way round", (lambda i, o, h: net()(o, i, h),)),
    Wrong(D, "hidden unused", "still makes layers of 300 units",
          (lambda i, o, h: net()(i, o, 300),)),
    Wrong(D, "a list", "nn.Sequential puts them in a row",
          (lambda i, o, h: [nn.Linear(i, h), G(), nn.Linear(h, h), G(), nn.Linear(h, o)],)),
    Wrong(D, "dropout", "is there a Dropout", (net(last=lambda: nn.Dropout(0.5)),)),
    Wrong(D, "no bias", "has no bias",
          (lambda i, o, h: nn.Sequential(nn.Linear(i, h, bias=False), G(), nn.Linear(h, h), G(),
                                         nn.Linear(h, o)),)),
    Wrong(D, "a network", "give the function `network` itself", (net()(2, 784),)),
    Wrong(D, "a function", "not function", (lambda i, o, h: lambda z: z,)),
    Wrong(D, "a class", "not type", (lambda i, o, h: nn.Sequential,)),
    Wrong(D, "none", "returns None", (nothing,)),
    Wrong(D, "layer used twice", "what happens between", (same_layer_twice,)),
    Wrong(D, "GELU without parentheses", "TypeError",
          (lambda i, o, h: nn.Sequential(nn.Linear(i, h), nn.GELU, nn.Linear(h, o)),)),
    Wrong(D, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(D, "as in the solution", (net(),)),
    Right(D, "a class of its own", (OwnClass,)),
    Right(D, "in a loop", (from_a_list,)),
]

# --------------------------------------------------------------------------- Exercise 2, model


def model(
    z=lambda x, vae: dist.Normal(torch.zeros(vae.d), 1.0).to_event(1),
    likelihood=lambda z, vae: dist.Bernoulli(logits=vae.decoder(z)).to_event(1),
    names=("z", "x"),
    size=len,
    obs=lambda x: x,
):
    def vae_model(x, vae):
        with pyro.plate("images", size(x)):
            hidden = pyro.sample(names[0], z(x, vae))
            pyro.sample(names[1], likelihood(hidden, vae), obs=obs(x))

    return vae_model


def model_without_plate(x, vae):
    z = pyro.sample("z", dist.Normal(torch.zeros(len(x), vae.d), 1.0).to_event(1))
    pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def model_z_outside(x, vae):
    z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
    with pyro.plate("images", len(x)):
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def model_in_place(x, vae):
    model()(x, vae)
    x.mul_(0.5)


def model_with_subsample(x, vae):
    with pyro.plate("images", len(x), subsample_size=2) as chosen:
        z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x[chosen])


def model_with_subsample_of_z(x, vae):
    with pyro.plate("images", len(x), subsample_size=2):
        z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def model_of_all_data(x, vae):
    with pyro.plate("images", 60_000, subsample_size=len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def model_with_parameter(x, vae):
    b = pyro.param("b", torch.zeros(784))
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z) + b).to_event(1), obs=x)


def model_by_probabilities(x, vae):
    with pyro.plate("images", x.shape[0], dim=-1):
        z = pyro.sample("z", dist.MultivariateNormal(torch.zeros(vae.d), torch.eye(vae.d)))
        probabilities = torch.sigmoid(vae.decoder(z))
        pyro.sample("x", dist.Independent(dist.Bernoulli(probabilities), 1), obs=x)


def model_with_module(x, vae):
    pyro.module("decoder", vae.decoder)
    prior = dist.Normal(0.0, 1.0).expand([vae.d]).to_event(1)
    with pyro.plate("data", len(x)):
        z = pyro.sample("z", prior)
        a = vae.decoder(z)
        pyro.sample("x", dist.Bernoulli(logits=a).to_event(1), obs=x)


def bernoulli(change, **given):
    return lambda z, vae: dist.Bernoulli(**{k: change(vae.decoder(z)) for k in given}).to_event(1)


M = check.vae_model
WRONG += [
    Wrong(M, "probs", "these are no probabilities",
          (model(likelihood=bernoulli(lambda a: a, probs=1)),)),
    Wrong(M, "first argument", "these are no probabilities",
          (model(likelihood=lambda z, vae: dist.Bernoulli(vae.decoder(z)).to_event(1)),)),
    Wrong(M, "sigmoid as logits", "the sigmoid is applied twice",
          (model(likelihood=bernoulli(torch.sigmoid, logits=1)),)),
    Wrong(M, "softmax", "share one unit of ink",
          (model(likelihood=bernoulli(lambda a: a.softmax(-1), probs=1)),)),
    Wrong(M, "sigmoid twice", "the sigmoid is applied twice",
          (model(likelihood=bernoulli(lambda a: a.sigmoid().sigmoid(), probs=1)),)),
    Wrong(M, "minus", "0 and 1 have changed places",
          (model(likelihood=bernoulli(torch.neg, logits=1)),)),
    Wrong(M, "exp", "an exp too many", (model(likelihood=bernoulli(torch.exp, logits=1)),)),
    Wrong(M, "normal", "your Normal allows every number",
          (model(likelihood=lambda z, vae: dist.Normal(vae.decoder(z), 1.0).to_event(1)),)),
    Wrong(M, "grey", "Bernoulli",
          (model(likelihood=lambda z, vae: dist.ContinuousBernoulli(
              logits=vae.decoder(z)).to_event(1)),)),
    Wrong(M, "x without to_event", "`x`: its 784 entries",
          (model(likelihood=lambda z, vae: dist.Bernoulli(logits=vae.decoder(z))),)),
    Wrong(M, "z without to_event", "`z`: its 3 entries",
          (model(z=lambda x, vae: dist.Normal(torch.zeros(vae.d), 1.0)),)),
    Wrong(M, "two entries", "z has vae.d entries",
          (model(z=lambda x, vae: dist.Normal(torch.zeros(2), 1.0).to_event(1)),)),
    Wrong(M, "the encoder's z", "That is the guide",
          (model(z=lambda x, vae: dist.Normal(*vae.encoder(x)).to_event(1)),)),
    Wrong(M, "the encoder's mean", "which knows no x",
          (model(z=lambda x, vae: dist.Normal(vae.encoder(x)[0], 1.0).to_event(1)),)),
    Wrong(M, "mean 1", "mean is 0 for every entry",
          (model(z=lambda x, vae: dist.Normal(torch.ones(vae.d), 1.0).to_event(1)),)),
    Wrong(M, "wide prior", "standard deviation (scale)",
          (model(z=lambda x, vae: dist.Normal(torch.zeros(vae.d), 2.0).to_event(1)),)),
    Wrong(M, "uniform prior", "distribution of `z`: it excludes",
          (model(z=lambda x, vae: dist.Uniform(-torch.ones(vae.d), 1.0).to_event(1)),)),
    Wrong(M, "z unused", "do not depend on z",
          (model(likelihood=lambda z, vae: dist.Bernoulli(
              logits=vae.decoder(torch.zeros_like(z))).to_event(1)),)),
    Wrong(M, "image decoded", "the decoder gets an image",
          (lambda x, vae: model(likelihood=lambda z, v: dist.Bernoulli(
              logits=v.decoder(x)).to_event(1))(x, vae),)),
    Wrong(M, "no obs", "ignores the data", (model(obs=lambda x: None),)),
    Wrong(M, "obs inverted", "not with the data given", (model(obs=lambda x: 1 - x),)),
    Wrong(M, "no plate", "no plate says", (model_without_plate,)),
    Wrong(M, "z outside the plate", "all images share one `z`", (model_z_outside,)),
    Wrong(M, "plate of a fixed size", "with these data it should be (5, 3)",
          (model(size=lambda x: 60_000),)),
    Wrong(M, "name of z", "no site named `z`; the nearest is `Z`", (model(names=("Z", "x")),)),
    Wrong(M, "name of x", "no site named `x`", (model(names=("z", "obs")),)),
    Wrong(M, "prior swapped", "mean and standard deviation have changed places",
          (model(z=lambda x, vae: dist.Normal(1.0, torch.zeros(vae.d)).to_event(1)),)),
    Wrong(M, "subsample", "draws 2 of 5 images", (model_with_subsample,)),
    Wrong(M, "subsample, all data", "draws 2 of 5 images", (model_with_subsample_of_z,)),
    Wrong(M, "size of all data", "draws 5 of 60000 images", (model_of_all_data,)),
    Wrong(M, "parameter", "`b` is a pyro.param, and the model needs none", (model_with_parameter,)),
    Wrong(M, "in place", "`x` in place", (model_in_place,)),
    Wrong(M, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(M, "as in the solution", (model(),)),
    Right(M, "by probabilities", (model_by_probabilities,)),
    Right(M, "with pyro.module", (model_with_module,)),
]

# ------------------------------------------------------------------------- Exercise 3, encoder


def encoder(
    centre=lambda x, m: x - m,
    halves=lambda h: h.chunk(2, -1),
    mean=lambda a: a,
    sd=lambda b: softplus(b) + 0.0001,
    result=lambda mean, sd: (mean, sd),
):
    class Encoder(nn.Module):
        def __init__(self, network, mean_image):
            super().__init__()
            self.network, self.mean_image = network, mean_image

        def forward(self, x):
            first, second = halves(self.network(centre(x, self.mean_image)))
            return result(mean(first), sd(second))

    return Encoder


def by_slices(h):
    d = h.shape[1] // 2
    return h[:, :d], h[:, d:]


mean_image = torch.rand(784)  # a variable of the notebook
E = check.encoder
WRONG += [
    Wrong(E, "no softplus", "entries that are not positive", (encoder(sd=lambda b: b),)),
    Wrong(E, "only the floor", "entries that are not positive", (encoder(sd=lambda b: b + 1e-4),)),
    Wrong(E, "exp", "exp is positive, too", (encoder(sd=lambda b: b.exp() + 1e-4),)),
    Wrong(E, "log variance", "log variance", (encoder(sd=lambda b: (0.5 * b).exp()),)),
    Wrong(E, "abs", "absolute value", (encoder(sd=lambda b: b.abs() + 1e-4),)),
    Wrong(E, "relu", "ReLU makes every negative number", (encoder(sd=lambda b: b.relu() + 1e-4),)),
    Wrong(E, "sigmoid", "the sigmoid is below 1", (encoder(sd=lambda b: b.sigmoid() + 1e-4),)),
    Wrong(E, "no floor", "0.0001 is added to the softplus", (encoder(sd=softplus),)),
    Wrong(E, "cut off at the floor", "0.0001 is added to the softplus",
          (encoder(sd=lambda b: softplus(b).clamp(min=1e-4)),)),
    Wrong(E, "global mean", "not a variable of the notebook",
          (encoder(centre=lambda x, m: x - mean_image),)),
    Wrong(E, "floor of 0.001", "number of zeros", (encoder(sd=lambda b: softplus(b) + 1e-3),)),
    Wrong(E, "floor inside", "after softplus, not before",
          (encoder(sd=lambda b: softplus(b + 1e-4)),)),
    Wrong(E, "root", "a square root, or a square, too many",
          (encoder(sd=lambda b: softplus(b).sqrt() + 1e-4),)),
    Wrong(E, "square", "a square root, or a square, too many",
          (encoder(sd=lambda b: (softplus(b) + 1e-4) ** 2),)),
    Wrong(E, "square, then the floor", "a square root, or a square, too many",
          (encoder(sd=lambda b: softplus(b) ** 2 + 1e-4),)),
    Wrong(E, "swapped halves", "the halves have changed places",
          (encoder(halves=lambda h: h.chunk(2, -1)[::-1]),)),
    Wrong(E, "every second", "every second output",
          (encoder(halves=lambda h: (h[:, ::2], h[:, 1::2])),)),
    Wrong(E, "chunk along images", "split the images in two halves",
          (encoder(halves=lambda h: h.chunk(2)),)),
    Wrong(E, "all outputs", "has all outputs", (encoder(halves=lambda h: (h, h)),)),
    Wrong(E, "swapped results", "have changed places",
          (encoder(result=lambda mean, sd: (sd, mean)),)),
    Wrong(E, "not centred", "is not subtracted", (encoder(centre=lambda x, m: x),)),
    Wrong(E, "added", "subtracted from x, not added", (encoder(centre=lambda x, m: x + m),)),
    Wrong(E, "reversed", "x and x̄ have changed places", (encoder(centre=lambda x, m: m - x),)),
    Wrong(E, "mean of the batch", "not of this batch",
          (encoder(centre=lambda x, m: x - x.mean(0)),)),
    Wrong(E, "one number", "not a single number", (encoder(centre=lambda x, m: x - m.mean()),)),
    Wrong(E, "softplus on both", "softplus on the mean", (encoder(mean=softplus),)),
    Wrong(E, "tanh on the mean", "tanh on the mean", (encoder(mean=torch.tanh),)),
    Wrong(E, "detached", "`sd` is cut off",
          (encoder(sd=lambda b: softplus(b.detach()) + 1e-4),)),
    Wrong(E, "mean alone", "should return two values", (encoder(result=lambda mean, sd: mean),)),
    Wrong(E, "an instance", "give the class `Encoder` itself",
          (encoder()(nn.Linear(784, 4), torch.zeros(784)),)),
    Wrong(E, "blank", "still blank", (encoder(centre=blank),)),
]  # fmt: skip
RIGHT += [
    Right(E, "as in the solution", (encoder(),)),
    Right(E, "by slices", (encoder(halves=by_slices),)),
    Right(E, "softplus by hand", (encoder(sd=lambda b: (1 + b.exp()).log() + 1e-4),)),
    Right(E, "split", (encoder(halves=lambda h: h.split(h.shape[-1] // 2, dim=-1),
                               result=lambda mean, sd: [mean, sd]),)),
]  # fmt: skip

# --------------------------------------------------------------------------- Exercise 4, guide


def guide(wrong=lambda mean, sd: (mean, sd), before=lambda x: x, name="z", family=dist.Normal):
    def vae_guide(x, vae):
        with pyro.plate("images", len(x)):
            pyro.sample(name, family(*wrong(*vae.encoder(before(x)))).to_event(1))

    return vae_guide


def guide_without_plate(x, vae):
    pyro.sample("z", dist.Normal(*vae.encoder(x)).to_event(1))


def guide_without_event(x, vae):
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal(*vae.encoder(x)))


def guide_that_observes(x, vae):
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(*vae.encoder(x)).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def guide_without_gradient(x, vae):
    with torch.no_grad():
        guide()(x, vae)


def guide_with_subsample(x, vae):
    with pyro.plate("images", len(x), subsample_size=2) as chosen:
        pyro.sample("z", dist.Normal(*vae.encoder(x[chosen])).to_event(1))


def guide_with_parameters(x, vae):
    mean = pyro.param("mean", torch.zeros(len(x), vae.d))
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal(mean, 1.0).to_event(1))


def guide_prior(x, vae):
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1))


def guide_by_hand(x, vae):
    mean, sd = vae.encoder(x)
    with pyro.plate("images", x.shape[0]):
        pyro.sample("z", dist.Independent(dist.Normal(loc=mean, scale=sd), 1))


def guide_full(x, vae):
    pyro.module("vae", vae)
    with pyro.plate("data", len(x), dim=-1):
        mean, sd = vae.encoder(x)
        pyro.sample("z", dist.MultivariateNormal(mean, scale_tril=torch.diag_embed(sd)))


Q = check.vae_guide
WRONG += [
    Wrong(Q, "variance", "you gave the variance", (guide(lambda m, s: (m, s**2)),)),
    Wrong(Q, "root", "one square root too many", (guide(lambda m, s: (m, s.sqrt())),)),
    Wrong(Q, "exp", "no exp is needed", (guide(lambda m, s: (m, s.exp())),)),
    Wrong(Q, "softplus", "no softplus is needed", (guide(lambda m, s: (m, softplus(s))),)),
    Wrong(Q, "log variance", "not the logarithm of a variance",
          (guide(lambda m, s: (m, (0.5 * s).exp())),)),
    Wrong(Q, "swapped", "mean and standard deviation have changed", (guide(lambda m, s: (s, m)),)),
    Wrong(Q, "sd of 1", "yours is 1", (guide(lambda m, s: (m, torch.ones_like(s))),)),
    Wrong(Q, "mean of 0", "yours is 0", (guide(lambda m, s: (0 * m, s)),)),
    Wrong(Q, "mean of the batch", "not the mean of all in the batch",
          (guide(lambda m, s: (m.mean(0).expand_as(m), s.mean(0).expand_as(s))),)),
    Wrong(Q, "centred again", "it subtracts the mean image itself",
          (guide(before=lambda x: x - x.mean(0)),)),
    Wrong(Q, "inverted", "not 1 - x", (guide(before=lambda x: 1 - x),)),
    Wrong(Q, "name", "no site named `z`", (guide(name="z_guide"),)),
    Wrong(Q, "detached", "the encoder's weights do not reach them",
          (guide(lambda m, s: (m.detach(), s.detach())),)),
    Wrong(Q, "mean detached", "`z`: its mean has the right value",
          (guide(lambda m, s: (m.detach(), s)),)),
    Wrong(Q, "sd detached", "`z`: its standard deviation has the right value",
          (guide(lambda m, s: (m, s.detach())),)),
    Wrong(Q, "subsample", "draws 2 of 5 images", (guide_with_subsample,)),
    Wrong(Q, "no gradient", "the encoder's weights do not reach them", (guide_without_gradient,)),
    Wrong(Q, "no plate", "no plate says", (guide_without_plate,)),
    Wrong(Q, "no to_event", "`z`: its 3 entries", (guide_without_event,)),
    Wrong(Q, "x as well", "the guide samples `x`", (guide_that_observes,)),
    Wrong(Q, "the prior", "does not depend on the encoder", (guide_prior,)),
    Wrong(Q, "parameters per image", "does not depend on the encoder", (guide_with_parameters,)),
    Wrong(Q, "a point", "single point", (guide(lambda m, s: (m,), family=dist.Delta),)),
    Wrong(Q, "Laplace", "has the family Laplace", (guide(family=dist.Laplace),)),
    Wrong(Q, "log normal", "values that the model does not allow",
          (guide(family=dist.LogNormal),)),
    Wrong(Q, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(Q, "as in the solution", (guide(),)),
    Right(Q, "encoder before the plate", (guide_by_hand,)),
    Right(Q, "a diagonal matrix", (guide_full,)),
]

# ----------------------------------------------------------------- Exercise 5, reparameterise


def seeded(mean, sd):
    torch.manual_seed(0)
    return mean + sd * torch.randn_like(mean)


R, randn = check.reparameterise, torch.randn_like
WRONG += [
    Wrong(R, "mean alone", "that is the mean", (lambda m, s: m,)),
    Wrong(R, "no noise", "that is mean + sd", (lambda m, s: m + s,)),
    Wrong(R, "uniform", "ε is uniform", (lambda m, s: m + s * torch.rand_like(m),)),
    Wrong(R, "variance", "multiplied by the variance", (lambda m, s: m + s**2 * randn(m),)),
    Wrong(R, "root", "a square root too many", (lambda m, s: m + s.sqrt() * randn(m),)),
    Wrong(R, "exp", "no exp is needed", (lambda m, s: m + s.exp() * randn(m),)),
    Wrong(R, "softplus", "no softplus is needed", (lambda m, s: m + softplus(s) * randn(m),)),
    Wrong(R, "log variance", "but not the standard deviation",
          (lambda m, s: m + (0.5 * s).exp() * randn(m),)),
    Wrong(R, "no sd", "does not depend on sd", (lambda m, s: m + randn(m),)),
    Wrong(R, "sum", "is sd added", (lambda m, s: m + s + randn(m),)),
    Wrong(R, "swapped", "have changed places", (lambda m, s: s + m * randn(m),)),
    Wrong(R, "no mean", "the mean is missing", (lambda m, s: s * randn(m),)),
    Wrong(R, "one number", "all numbers of one image", (lambda m, s: m + s * torch.randn(()),)),
    Wrong(R, "per image", "all numbers of one image",
          (lambda m, s: m + s * torch.randn(len(m), 1),)),
    Wrong(R, "per entry", "all images get the same ε",
          (lambda m, s: m + s * torch.randn(m.shape[1]),)),
    Wrong(R, "seed", "is a seed set inside", (seeded,)),
    Wrong(R, "sample", "no gradient passes", (lambda m, s: dist.Normal(m, s).sample(),)),
    Wrong(R, "torch.normal", "gradient", (lambda m, s: torch.normal(m, s),)),
    Wrong(R, "detached sd", "not its gradient in `sd`",
          (lambda m, s: m + s.detach() * randn(m),)),
    Wrong(R, "detached mean", "not its gradient in `mean`",
          (lambda m, s: m.detach() + s * randn(m),)),
    Wrong(R, "shape", "should have the shape of `mean`",
          (lambda m, s: (m + s * randn(m)).sum(-1),)),
    Wrong(R, "none", "end in a `return`", (nothing,)),
    Wrong(R, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(R, "as in the solution", (lambda m, s: m + s * randn(m),)),
    Right(R, "standard normal", (lambda m, s: dist.Normal(0.0, 1.0).sample(m.shape) * s + m,)),
    Right(R, "minus ε", (lambda m, s: m - torch.randn(m.shape) * s,)),
]

# ---------------------------------------------------------------------------- Exercise 6, KL


def kl(
    log=lambda s, s0: (s0 / s).log(),
    top=lambda m, s, m0: s**2 + (m - m0) ** 2,
    bottom=lambda s0: 2 * s0**2,
    end=-0.5,
    reduce=lambda t: t.sum(-1),
):
    return lambda m, s, m0, s0: reduce(log(s, s0) + top(m, s, m0) / bottom(s0) + end)


K = check.kl_normals
WRONG += [
    Wrong(K, "a list", "should be a tensor, not list", (kl(reduce=lambda t: t.sum(-1).tolist()),)),
    Wrong(K, "numpy", "should be a tensor, not ndarray",
          (kl(reduce=lambda t: t.sum(-1).numpy()),)),
    Wrong(K, "d hard-coded", "d is hard-coded", (kl(reduce=lambda t: t[:, 0] + t[:, 1]),)),
    Wrong(K, "log10", "natural logarithm", (kl(log=lambda s, s0: (s0 / s).log10()),)),
    Wrong(K, "other way round", "the other way round",
          (lambda m, s, m0, s0: kl()(m0.expand_as(m), s0.expand_as(s), m, s),)),
    Wrong(K, "sign", "the sign is reversed", (kl(reduce=lambda t: -t.sum(-1)),)),
    Wrong(K, "mean", "is not their sum", (kl(reduce=lambda t: t.mean(-1)),)),
    Wrong(K, "no sum", "one number for each entry", (kl(reduce=lambda t: t),)),
    Wrong(K, "sum of all", "one number for all images", (kl(reduce=torch.sum),)),
    Wrong(K, "sum over images", "the sum runs over the images", (kl(reduce=lambda t: t.sum(0)),)),
    Wrong(K, "no half", "the ½ at the end is missing", (kl(end=0.0),)),
    Wrong(K, "plus half", "subtracted, not added", (kl(end=0.5),)),
    Wrong(K, "one", "yours is 1", (kl(end=-1.0),)),
    Wrong(K, "half once", "belongs to every entry",
          (kl(end=0.0, reduce=lambda t: t.sum(-1) - 0.5),)),
    Wrong(K, "log upside down", "upside down", (kl(log=lambda s, s0: (s / s0).log()),)),
    Wrong(K, "log of variances", "yours is of variances",
          (kl(log=lambda s, s0: (s0**2 / s**2).log()),)),
    Wrong(K, "no log", "the logarithm is missing", (kl(log=lambda s, s0: s0 / s),)),
    Wrong(K, "log term missing", "the term with the logarithm", (kl(log=lambda s, s0: 0 * s),)),
    Wrong(K, "standard prior", "right for N(0, I) only",
          (kl(log=lambda s, s0: -s.log(), top=lambda m, s, m0: s**2 + m**2,
              bottom=lambda s0: 2.0),)),
    Wrong(K, "sd of 1", "standard deviation 1 only",
          (kl(log=lambda s, s0: -s.log(), bottom=lambda s0: 2.0),)),
    Wrong(K, "s0 not in log", "missing in the logarithm", (kl(log=lambda s, s0: -s.log()),)),
    Wrong(K, "no m0", "μ₀ is missing", (kl(top=lambda m, s, m0: s**2 + m**2),)),
    Wrong(K, "2 s0", "yours by 2σ₀", (kl(bottom=lambda s0: 2 * s0),)),
    Wrong(K, "no 2", "the 2 in 2σ₀² is missing", (kl(bottom=lambda s0: s0**2),)),
    Wrong(K, "s", "and yours is σ", (kl(top=lambda m, s, m0: s + (m - m0) ** 2),)),
    Wrong(K, "not squared", "the difference of the means is squared",
          (kl(top=lambda m, s, m0: s**2 + (m - m0)),)),
    Wrong(K, "square of the sum", "not of the sum with σ",
          (kl(top=lambda m, s, m0: (s + m - m0) ** 2),)),
    Wrong(K, "no s", "σ² is missing", (kl(top=lambda m, s, m0: (m - m0) ** 2),)),
    Wrong(K, "brackets", "all of σ² + (μ - μ₀)² is divided",
          (lambda m, s, m0, s0: ((s0 / s).log() + s**2 + (m - m0) ** 2 / (2 * s0**2) - 0.5)
           .sum(-1),)),
    Wrong(K, "brackets below", "divides by 2 and multiplies", (kl(bottom=lambda s0: 2 / s0**2),)),
    Wrong(K, "power", "is no power", (lambda m, s, m0, s0: (s^2 + (m - m0)^2).sum(-1),)),
    Wrong(K, "none", "end in a `return`", (nothing,)),
    Wrong(K, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(K, "as in the solution", (kl(),)),
    Right(K, "logs apart", (kl(log=lambda s, s0: s0.log() - s.log()),)),
    Right(K, "by torch", (lambda m, s, m0, s0: torch.distributions.kl_divergence(
        torch.distributions.Normal(m, s), torch.distributions.Normal(m0, s0)).sum(-1),)),
]  # fmt: skip

# ---------------------------------------------------------------- Exercise 7, importance weights


def weighted(weights=lambda j, q: j - q, result=lambda w: w.logsumexp(0) - math.log(len(w))):
    return lambda j, q: result(weights(j, q))


def stable_by_hand(j, q):
    w = j - q
    top = w.amax(0)
    return top + (w - top).exp().mean(0).log()


I = check.importance_weighted  # noqa: E741
WRONG += [
    Wrong(I, "a list", "should be a tensor, not list",
          (weighted(result=lambda w: (w.logsumexp(0) - math.log(len(w))).tolist()),)),
    Wrong(I, "one shift for all images", "the result is infinite",
          (weighted(result=lambda w: (w - w.max()).exp().mean(0).log() + w.max()),)),
    Wrong(I, "log10", "natural logarithm",
          (weighted(result=lambda w: w.logsumexp(0) - math.log10(len(w))),)),
    Wrong(I, "K times n", "each image has its own mean",
          (weighted(result=lambda w: w.logsumexp(0) - math.log(w.numel())),)),
    Wrong(I, "harmonic", "upside down",
          (weighted(result=lambda w: math.log(len(w)) - (-w).logsumexp(0)),)),
    Wrong(I, "largest over K", "divided by K",
          (weighted(result=lambda w: w.amax(0) - math.log(len(w))),)),
    Wrong(I, "median", "not the median", (weighted(result=lambda w: w.median(0)[0]),)),
    Wrong(I, "ELBO", "a mean of *logarithms*", (weighted(result=lambda w: w.mean(0)),)),
    Wrong(I, "no 1/K", "1/K is missing", (weighted(result=lambda w: w.logsumexp(0)),)),
    Wrong(I, "divided by K", "inside the logarithm",
          (weighted(result=lambda w: w.logsumexp(0) / len(w)),)),
    Wrong(I, "minus K", "-ln K, not -K", (weighted(result=lambda w: w.logsumexp(0) - len(w)),)),
    Wrong(I, "plus ln K", "the sign of ln K",
          (weighted(result=lambda w: w.logsumexp(0) + math.log(len(w))),)),
    Wrong(I, "ln n", "not of images",
          (weighted(result=lambda w: w.logsumexp(0) - math.log(w.shape[1])),)),
    Wrong(I, "largest", "the largest weight alone", (weighted(result=lambda w: w.amax(0)),)),
    Wrong(I, "exp", "its log is asked for",
          (weighted(result=lambda w: (w.logsumexp(0) - math.log(len(w))).exp()),)),
    Wrong(I, "sum of logs", "a sum of *logarithms*", (weighted(result=lambda w: w.sum(0)),)),
    Wrong(I, "underflow", "is 0 in single precision",
          (weighted(result=lambda w: w.exp().mean(0).log()),)),
    Wrong(I, "underflow in double precision", "beyond e^-745 in double, too",
          (weighted(result=lambda w: w.double().exp().mean(0).log().float()),)),
    Wrong(I, "K fixed", "yours divides by 250 in both cases",
          (weighted(result=lambda w: w.logsumexp(0) - math.log(250)),)),
    Wrong(I, "underflow without 1/K", "1/K is missing",
          (weighted(result=lambda w: w.exp().sum(0).log()),)),
    Wrong(I, "upside down", "upside down", (weighted(lambda j, q: q - j),)),
    Wrong(I, "no q", "q is missing", (weighted(lambda j, q: j),)),
    Wrong(I, "plus q", "ln q is added", (weighted(lambda j, q: j + q),)),
    Wrong(I, "quotient of logs", "the logarithms are divided", (weighted(lambda j, q: j / q),)),
    Wrong(I, "quotient of sums", "a quotient of two sums",
          (lambda j, q: j.logsumexp(0) - q.logsumexp(0),)),
    Wrong(I, "sign", "the sign is reversed",
          (weighted(result=lambda w: math.log(len(w)) - w.logsumexp(0)),)),
    Wrong(I, "over images", "one number for each draw, and",
          (weighted(result=lambda w: w.logsumexp(1) - math.log(w.shape[1])),)),
    Wrong(I, "all images", "one number for all images",
          (weighted(result=lambda w: (w.logsumexp(0) - math.log(len(w))).mean()),)),
    Wrong(I, "weights", "the mean over the draws is missing", (weighted(result=lambda w: w),)),
    Wrong(I, "none", "end in a `return`", (nothing,)),
    Wrong(I, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(I, "as in the solution", (weighted(),)),
    Right(I, "by hand", (stable_by_hand,)),
    Right(
        I, "K inside", (weighted(result=lambda w: torch.logsumexp(w - math.log(w.shape[0]), 0)),)
    ),
]

# ----------------------------------------------------------------------------- Exercise 8, β


def beta_model(z=lambda b: b, x=lambda b: 1.0, prior_sd=lambda b: 1.0):
    def answer(images, vae, beta):
        with pyro.plate("images", len(images)):
            with poutine.scale(scale=z(beta)):
                prior = dist.Normal(torch.zeros(vae.d), prior_sd(beta)).to_event(1)
                hidden = pyro.sample("z", prior)
            with poutine.scale(scale=x(beta)):
                likelihood = dist.Bernoulli(logits=vae.decoder(hidden)).to_event(1)
                pyro.sample("x", likelihood, obs=images)

    return answer


def beta_guide(z=lambda b: b, sd=lambda s, b: s, mean=lambda m: m):
    def answer(x, vae, beta):
        with pyro.plate("images", len(x)), poutine.scale(scale=z(beta)):
            loc, scale = vae.encoder(x)
            pyro.sample("z", dist.Normal(mean(loc), sd(scale, beta)).to_event(1))

    return answer


def model_by_wrapping(x, vae, beta):
    with pyro.plate("images", len(x)):
        draw = poutine.scale(
            lambda: pyro.sample("z", dist.Normal(torch.zeros(vae.d), 1.0).to_event(1)), beta
        )
        z = draw()
        pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def one(b):
    return 1.0


B, M1, G1 = check.beta_elbo, beta_model(), beta_guide()
WRONG += [
    Wrong(B, "model not scaled", "beta_model: `z` counts once", (beta_model(one), G1)),
    Wrong(B, "guide not scaled", "two logarithms, p and q", (M1, beta_guide(one))),
    Wrong(B, "neither", "beta_model: `z` counts once", (beta_model(one), beta_guide(one))),
    Wrong(B, "x scaled", "`x` is scaled, and `z`", (beta_model(one, lambda b: b), G1)),
    Wrong(B, "both scaled", "`x` is scaled, too", (beta_model(x=lambda b: b), G1)),
    Wrong(B, "1 / beta", "scaled by 1/β", (beta_model(lambda b: 1 / b), G1)),
    Wrong(B, "1 / beta in the guide", "beta_guide: it is scaled by 1/β",
          (M1, beta_guide(lambda b: 1 / b))),
    Wrong(B, "x divided", "1/β on `x`", (beta_model(one, lambda b: 1 / b), G1)),
    Wrong(B, "prior's sd", "β changes the standard deviation",
          (beta_model(one, prior_sd=lambda b: b), G1)),
    Wrong(B, "guide's sd", "beta_guide: β changes the standard deviation",
          (M1, beta_guide(one, lambda s, b: s * b))),
    Wrong(B, "mean detached", "beta_guide: `z`: its mean has the right value",
          (M1, beta_guide(mean=torch.Tensor.detach))),
    Wrong(B, "sd detached", "beta_guide: `z`: its standard deviation has the right",
          (M1, beta_guide(sd=lambda s, b: s.detach()))),
    Wrong(B, "fixed", "not the argument beta", (beta_model(lambda b: 4.0), G1)),
    Wrong(B, "squared", "scaled by β²", (beta_model(lambda b: b**2), G1)),
    Wrong(B, "swapped", "have model and guide changed places", (G1, M1)),
    Wrong(B, "without beta", "does not take the arguments", (model(), guide())),
    Wrong(B, "guide without event", "`z`: its 3 entries",
          (M1, lambda x, vae, beta: guide_without_event(x, vae))),
    Wrong(B, "blank", "still blank", (blank, blank)),
    Wrong(B, "half blank", "still blank", (M1, blank)),
    Wrong(B, "None", "still blank: `beta_guide`", (M1, None)),
]  # fmt: skip
RIGHT += [
    Right(B, "as in the solution", (M1, G1)),
    Right(B, "encoder outside", (model_by_wrapping, lambda x, vae, beta: poutine.scale(
        guide(), scale=beta)(x, vae))),
]  # fmt: skip


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


def test_enough_answers_for_every_exercise():
    assert_enough(check, WRONG, RIGHT)


# ------------------------------------------------------------------------------- the scorecard


def scorecard(elbo: float) -> pd.DataFrame:
    return pd.DataFrame({"approximate": [elbo]}, index=["ELBO, d = 50"])


def test_a_good_elbo_passes(capsys):
    check.elbo_at_least(scorecard(-96.0), "ELBO, d = 50", -97.5)
    assert capsys.readouterr().out == "✓ Scorecard: ELBO, d = 50 is at least -97.5 nats\n"


@pytest.mark.parametrize(
    ("elbo", "row", "message"),
    [
        (-98.0, "ELBO, d = 50", "is -98.00 nats; at least -97.5"),
        (math.nan, "ELBO, d = 50", "is nan nats"),
        (-96.0, "ELBO, d = 5", "has no row named"),
    ],
)
def test_a_bad_elbo_does_not(elbo, row, message):
    with pytest.raises(CheckFailed, match=message):
        check.elbo_at_least(scorecard(elbo), row, -97.5)


def test_the_parts_of_the_elbo_are_pyros():
    """The reference model and guide, by the loss of the notebook's loop and by hand."""
    torch.manual_seed(0)
    vae = check._VAE(3)
    x = torch.bernoulli(torch.full((4, 784), 0.3))
    loss = pyro.infer.TraceMeanField_ELBO(num_particles=2000, vectorize_particles=True,
                                          max_plate_nesting=1)  # fmt: skip
    by_pyro = loss.loss(check.reference_model, check.reference_guide, x, vae)
    mean, sd = vae.encoder(x)
    z = mean + sd * torch.randn(2000, 4, 3)
    distortion = -dist.Bernoulli(logits=vae.decoder(z)).log_prob(x).sum((-1, -2)).mean()
    rate = kl()(mean, sd, torch.zeros(3), torch.ones(3)).sum()
    assert by_pyro == pytest.approx((distortion + rate).item(), rel=5e-3)
