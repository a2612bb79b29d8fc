"""Day1/1_probability_distributions: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import numpy as np
import pyro.distributions as dist
import torch

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import probability_distributions as check

tensor = torch.tensor

# ------------------------------------------------------------------------- Exercise 1, July


def density_of(d, at=27.0):
    return d.log_prob(tensor(at)).exp()


JULY = dist.Normal(24.0, 3.0)
DENSITY = density_of(JULY)
J = check.july
WRONG = [
    Wrong(J, "variance", "you gave the variance", (dist.Normal(24.0, 9.0), DENSITY)),
    Wrong(J, "squared", "take a root", (dist.Normal(24.0, 81.0), DENSITY)),
    Wrong(J, "swapped", "the mean comes first", (dist.Normal(9.0, 24.0), DENSITY)),
    Wrong(J, "swapped root", "the mean comes first", (dist.Normal(3.0, 24.0), DENSITY)),
    Wrong(J, "half", "not its half", (dist.Normal(24.0, 4.5), DENSITY)),
    Wrong(J, "other mean", "mean 27 and variance 9", (dist.Normal(27.0, 3.0), DENSITY)),
    Wrong(J, "a draw", "not a distribution", (JULY.sample(), DENSITY)),
    Wrong(J, "the class", "is the class Normal itself", (dist.Normal, DENSITY)),
    Wrong(J, "other family", "not the family meant",
          (dist.Laplace(24.0, 3.0 / 2**0.5), DENSITY)),
    Wrong(J, "tensor of one", "is a batch of shape (1,)",
          (dist.Normal(tensor([24.0]), tensor([3.0])), DENSITY)),
    Wrong(J, "two arguments", "should be a distribution, not a tuple", ((24.0, 3.0), DENSITY)),
    Wrong(J, "text", "should be a distribution, not a str", ("N(24, 9)", DENSITY)),
    Wrong(J, "logarithm", "that is its logarithm", (JULY, JULY.log_prob(tensor(27.0)))),
    Wrong(J, "density at the mean", "density at 24", (JULY, density_of(JULY, 24.0))),
    Wrong(J, "density of sd 9", "with sd 9", (JULY, density_of(dist.Normal(24.0, 9.0)))),
    Wrong(J, "density of temp", "density of `temp`", (JULY, density_of(dist.Normal(15.0, 4.0)))),
    Wrong(J, "cdf", "an area", (JULY, JULY.cdf(tensor(27.0)))),
    Wrong(J, "base 10", "10 to that power", (JULY, 10 ** JULY.log_prob(tensor(27.0)))),
    Wrong(J, "the tail", "more than 27", (JULY, 1 - JULY.cdf(tensor(27.0)))),
    Wrong(J, "a draw as density", "too large", (JULY, tensor(25.3))),
    Wrong(J, "vector", "should be a single number", (JULY, JULY.log_prob(tensor([27.0])).exp())),
    Wrong(J, "no density", "still blank", (JULY, None)),
    Wrong(J, "blank", "still blank: `july` and `density` are None", (None, None)),
]  # fmt: skip
RIGHT = [
    Right(J, "as in the solution", (JULY, DENSITY)),
    Right(J, "square root", (dist.Normal(24, math.sqrt(9)), DENSITY.item())),
    Right(J, "torch's own", (torch.distributions.Normal(24.0, 3.0), math.exp(-2.5175508))),
    Right(J, "numpy", (JULY, np.exp(JULY.log_prob(tensor(27.0)).item()))),
]

# ------------------------------------------------------------ Exercise 2, five quantities


def five(**changes):
    answers = {
        "customers": dist.Poisson(12.0),
        "wait": dist.Exponential(0.2),
        "flavour": dist.Categorical(tensor([0.5, 0.3, 0.2])),
        "litres": dist.Gamma(9.0, 1.5),
        "vegan": dist.Beta(2.0, 6.0),
    }
    return tuple((answers | changes).values())


F = check.five_quantities
WRONG += [
    Wrong(F, "rate upside down", "*is* the average", five(customers=dist.Poisson(1 / 12))),
    Wrong(F, "normal count", "is a whole number", five(customers=dist.Normal(12.0, 12**0.5))),
    Wrong(F, "per minute", "`customers`: yours has mean 0.2", five(customers=dist.Poisson(0.2))),
    Wrong(F, "binomial", "`customers`: Binomial excludes",
          five(customers=dist.Binomial(15, 0.8))),
    Wrong(F, "geometric", "yours has mean 12", five(customers=dist.Geometric(1 / 13))),
    Wrong(F, "exponential count", "`customers` is a whole number",
          five(customers=dist.Exponential(12.0))),
    Wrong(F, "mean for rate", "takes a rate", five(wait=dist.Exponential(5.0))),
    Wrong(F, "normal wait", "can never be -1", five(wait=dist.Normal(5.0, 5.0))),
    Wrong(F, "poisson wait", "`wait` is not a whole number", five(wait=dist.Poisson(5.0))),
    Wrong(F, "gamma of the same moments as a normal", "`wait`: yours has mean 5",
          five(wait=dist.Gamma(5.0, 1.0))),
    Wrong(F, "from 1", "counted from 0",
          five(flavour=dist.Categorical(tensor([0.0, 0.5, 0.3, 0.2])))),
    Wrong(F, "logits", "takes logarithms",
          five(flavour=dist.Categorical(logits=tensor([0.5, 0.3, 0.2])))),
    Wrong(F, "order", "not those of the text",
          five(flavour=dist.Categorical(tensor([0.2, 0.3, 0.5])))),
    Wrong(F, "uniform", "not those of the text", five(flavour=dist.Categorical(torch.ones(3)))),
    Wrong(F, "one-hot", "one draw should be one number",
          five(flavour=dist.OneHotCategorical(tensor([0.5, 0.3, 0.2])))),
    Wrong(F, "Dirichlet", "one draw should be one number",
          five(flavour=dist.Dirichlet(tensor([0.5, 0.3, 0.2])))),
    Wrong(F, "Bernoulli batch", "is a batch of shape (3,)",
          five(flavour=dist.Bernoulli(tensor([0.5, 0.3, 0.2])))),
    Wrong(F, "four kinds", "`flavour` can never be 3",
          five(flavour=dist.Categorical(tensor([0.4, 0.3, 0.2, 0.1])))),
    Wrong(F, "Bernoulli", "excludes some values", five(flavour=dist.Bernoulli(0.5))),
    Wrong(F, "mean and variance", "not a mean and a variance", five(litres=dist.Gamma(6.0, 4.0))),
    Wrong(F, "mean and sd", "not a mean and an sd", five(litres=dist.Gamma(6.0, 2.0))),
    Wrong(F, "scale", "you gave a scale", five(litres=dist.Gamma(9.0, 1 / 1.5))),
    Wrong(F, "swapped", "the shape comes first", five(litres=dist.Gamma(1.5, 9.0))),
    Wrong(F, "variance as sd", "yours is the sd", five(litres=dist.Gamma(2.25, 0.375))),
    Wrong(F, "normal", "`litres` can never be -1", five(litres=dist.Normal(6.0, 2.0))),
    Wrong(F, "lognormal", "mean and variance are right",
          five(litres=dist.LogNormal(math.log(6) - math.log(10 / 9) / 2,
                                     math.log(10 / 9) ** 0.5))),
    Wrong(F, "mean only", "`litres`: yours has mean 6", five(litres=dist.Gamma(6.0, 1.0))),
    Wrong(F, "not vegan", "*not* vegan", five(vegan=dist.Beta(6.0, 2.0))),
    Wrong(F, "mean and sum", "not their mean and their sum", five(vegan=dist.Beta(0.25, 8.0))),
    Wrong(F, "b = 8", "a + b that should be 8", five(vegan=dist.Beta(2.0, 8.0))),
    Wrong(F, "sum 1", "add up to 1", five(vegan=dist.Beta(0.25, 0.75))),
    Wrong(F, "a is the mean", "not a.", five(vegan=dist.Beta(0.25, 7.75))),
    Wrong(F, "known share", "`vegan` is not a whole number", five(vegan=dist.Bernoulli(0.25))),
    Wrong(F, "sum 4", "add up to 4", five(vegan=dist.Beta(1.0, 3.0))),
    Wrong(F, "uniform share", "`vegan`: yours has mean 0.5", five(vegan=dist.Uniform(0.0, 1.0))),
    Wrong(F, "gamma share", "`vegan` can never be 1.5", five(vegan=dist.Gamma(2.0, 8.0))),
    Wrong(F, "a number", "not a distribution", five(vegan=0.25)),
    Wrong(F, "one blank", "still blank", five(litres=None)),
]  # fmt: skip
RIGHT += [
    Right(F, "as in the solution", five()),
    Right(F, "tensors", five(customers=dist.Poisson(tensor(12.0)), wait=dist.Exponential(1 / 5))),
    Right(F, "weights instead of probabilities",
          five(flavour=dist.Categorical(tensor([5.0, 3.0, 2.0])))),
    Right(F, "logarithms of probabilities",
          five(flavour=dist.Categorical(logits=tensor([0.5, 0.3, 0.2]).log()))),
    Right(F, "a Gamma of shape 1", five(wait=dist.Gamma(1.0, 0.2))),
    Right(F, "by the formulas", five(litres=dist.Gamma(6.0**2 / 4, 6.0 / 4))),
    Right(F, "a Beta by mean and sum", five(vegan=dist.Beta(0.25 * 8, 0.75 * 8))),
    Right(F, "a Beta as a Dirichlet would have it", five(vegan=dist.Beta(tensor(2), tensor(6)))),
]  # fmt: skip

# ---------------------------------------------------------- Exercise 3, predicted shapes

SHAPES = {
    "A": ((10, 4), (10, 4)),
    "B": ((10, 2, 3), (10, 2, 3)),
    "C": ((10, 5), (10,)),
    "D": ((10, 4, 3), (10, 4)),
    "E": ((10, 6, 2), (10, 6)),
}


def shapes(**changes):
    return (SHAPES | changes,)


P = check.predicted_shapes
WRONG += [
    Wrong(P, "one draw", "A, draws: that is the shape of *one* draw", shapes(A=((4,), (4,)))),
    Wrong(P, "sample last", "A, draws: the sample shape comes first",
          shapes(A=((4, 10), (4, 10)))),
    Wrong(P, "batch summed", "A, log_prob: too few numbers", shapes(A=((10, 4), (10,)))),
    Wrong(P, "all summed", "A, log_prob: too few numbers", shapes(A=((10, 4), ()))),
    Wrong(P, "scalar draws", "A, draws: the batch shape is missing", shapes(A=((10,), (10,)))),
    Wrong(P, "log_prob of one draw", "A, log_prob: that is for *one* draw",
          shapes(A=((10, 4), (4,)))),
    Wrong(P, "product", "B, draws: they do not have shape (10, 6)",
          shapes(B=((10, 6), (10, 6)))),
    Wrong(P, "no event", "C, draws: one draw is a whole vector", shapes(C=((10,), (10,)))),
    Wrong(P, "event kept", "C, log_prob: that is the shape of the draws",
          shapes(C=((10, 5), (10, 5)))),
    Wrong(P, "event instead of sample", "C, log_prob: it sums over the event",
          shapes(C=((10, 5), (5,)))),
    Wrong(P, "to_event ignored", "D, log_prob: that is the shape of the draws",
          shapes(D=((10, 4, 3), (10, 4, 3)))),
    Wrong(P, "other dimension", "D, log_prob: it sums over the event",
          shapes(D=((10, 4, 3), (10, 3)))),
    Wrong(P, "to_event(2)", "D, log_prob: too few", shapes(D=((10, 4, 3), (10,)))),
    Wrong(P, "no batch", "D, draws: the batch shape is missing", shapes(D=((10, 3), (10,)))),
    Wrong(P, "event first", "E, draws: the event shape comes last",
          shapes(E=((10, 2, 6), (10, 6)))),
    Wrong(P, "matrix", "E, draws: they do not have shape (10, 6, 2, 2)",
          shapes(E=((10, 6, 2, 2), (10, 6)))),
    Wrong(P, "no comma", "needs a comma", shapes(C=((10, 5), (10)))),
    Wrong(P, "one tuple", "that is one shape", shapes(A=(10, 4, 10, 4))),
    Wrong(P, "only the draws", "a pair of shapes is wanted",
          shapes(C=(10, 5))),
    Wrong(P, "pair reversed", "the wrong way round", shapes(C=((10,), (10, 5)))),
    Wrong(P, "a key is missing", 'no entry "E"',
          ({k: v for k, v in SHAPES.items() if k != "E"},)),
    Wrong(P, "a list", "should be a dictionary", (list(SHAPES.values()),)),
    Wrong(P, "text", "not a str", shapes(A=("(10, 4)", "(10, 4)"))),
    Wrong(P, "a dictionary of objects", "give two tuples",
          ({k: dist.Normal(0.0, 1.0) for k in SHAPES},)),
    Wrong(P, "blank", "still blank", (None,)),
]  # fmt: skip
RIGHT += [
    Right(P, "as in the solution", shapes()),
    Right(P, "lists", ({k: [list(a), list(b)] for k, (a, b) in SHAPES.items()},)),
    Right(P, "read off", ({k: (torch.Size(a), torch.Size(b)) for k, (a, b) in SHAPES.items()},)),
]

# ------------------------------------------------- Exercise 4, one vector for each town

N = dist.Normal(20.0, 3.0)


def no_return(towns, days):
    N.expand([towns, days]).to_event(1)


def blank_temperatures(towns, days):
    raise NotImplementedError


def by_list(towns, days):
    return [N.expand([days]).to_event(1) for _ in range(towns)]


def correlated(towns, days):
    covariance = 4.5 * torch.eye(days) + 4.5
    return dist.MultivariateNormal(torch.full((days,), 20.0), covariance).expand([towns])


def by_multivariate(towns, days):
    mean, covariance = torch.full((towns, days), 20.0), 9 * torch.eye(days)
    return dist.MultivariateNormal(mean, covariance)


def with_sd_in_covariance(towns, days):
    return dist.MultivariateNormal(torch.full((towns, days), 20.0), 3 * torch.eye(days))


def in_two_steps(towns, days):
    return N.expand([days]).to_event(1).expand([towns])


def by_tensors(towns, days):
    return dist.Normal(20 * torch.ones(towns, days), 3 * torch.ones(days)).to_event(1)


def by_independent(towns, days):
    return dist.Independent(N.expand((towns, days)), 1)


def changed_places(towns, days):
    return N.expand([days, towns]).to_event(1)


T = check.temperatures
WRONG += [
    Wrong(T, "no to_event", "should be one vector", (lambda t, d: N.expand([t, d]),)),
    Wrong(T, "to_event(2)", "*one* outcome of all towns",
          (lambda t, d: N.expand([t, d]).to_event(2),)),
    Wrong(T, "to_event()", "*one* outcome of all towns",
          (lambda t, d: N.expand([t, d]).to_event(),)),
    Wrong(T, "changed places", "changed places", (changed_places,)),
    Wrong(T, "changed places, no event", "changed places", (lambda t, d: N.expand([d, t]),)),
    Wrong(T, "variance", "has sd 9",
          (lambda t, d: dist.Normal(20.0, 9.0).expand([t, d]).to_event(1),)),
    Wrong(T, "root", "has variance 3",
          (lambda t, d: dist.Normal(20.0, 3**0.5).expand([t, d]).to_event(1),)),
    Wrong(T, "sd in the covariance", "has variance 3", (with_sd_in_covariance,)),
    Wrong(T, "no expand", "That is one temperature", (lambda t, d: N,)),
    Wrong(T, "no expand, to_event", "Look at", (lambda t, d: N.to_event(1),)),
    Wrong(T, "days only", "That is one town", (lambda t, d: N.expand([d]).to_event(1),)),
    Wrong(T, "towns only", "That is one day", (lambda t, d: N.expand([t]),)),
    Wrong(T, "a draw", "no .sample()", (lambda t, d: N.sample((t, d)),)),
    Wrong(T, "no return", "end in a `return`", (no_return,)),
    Wrong(T, "a list", "one object holds them all", (by_list,)),
    Wrong(T, "fixed sizes", "Use the arguments", (lambda t, d: N.expand([2, 5]).to_event(1),)),
    Wrong(T, "expand without brackets", "Look at", (lambda t, d: N.expand(t, d).to_event(1),)),
    Wrong(T, "correlated", "not independent", (correlated,)),
    Wrong(T, "other mean", "not independent and N(20",
          (lambda t, d: dist.Normal(0.0, 3.0).expand([t, d]).to_event(1),)),
    Wrong(T, "swapped", "not independent and N(20",
          (lambda t, d: dist.Normal(3.0, 20.0).expand([t, d]).to_event(1),)),
    Wrong(T, "the distribution, not a function", "should be a function",
          (N.expand([2, 3]).to_event(1),)),
    Wrong(T, "blank", "still blank", (blank_temperatures,)),
]  # fmt: skip
RIGHT += [
    Right(T, "as in the solution", (lambda t, d: N.expand([t, d]).to_event(1),)),
    Right(T, "expanded twice", (in_two_steps,)),
    Right(T, "tensors as arguments", (by_tensors,)),
    Right(T, "Independent", (by_independent,)),
    Right(T, "multivariate normal", (by_multivariate,)),
]

# ------------------------------------------------- Exercise 5, ten readings, many candidates


def each_with_each(s, t):
    return dist.Normal(t[:, None], 1.0).log_prob(s)


def by_loop(s, t):
    return torch.stack([dist.Normal(one, 1.0).log_prob(s).sum() for one in t])


def by_formula(s, t):
    squares = (s[None, :] - t[:, None]) ** 2
    return -0.5 * squares.sum(1) - len(s) / 2 * math.log(2 * math.pi)


def by_to_event(s, t):
    return dist.Normal(t[:, None].expand(-1, len(s)), 1.0).to_event(1).log_prob(s)


def blank_likelihood(s, t):
    raise NotImplementedError


L = check.log_likelihood
WRONG += [
    Wrong(L, "no column", "do not broadcast", (lambda s, t: dist.Normal(t, 1.0).log_prob(s),)),
    Wrong(L, "no column, summed", "do not broadcast",
          (lambda s, t: dist.Normal(t, 1.0).log_prob(s).sum(),)),
    Wrong(L, "no column, by hand", "do not broadcast",
          (lambda s, t: (-((s - t) ** 2) / 2).sum(-1),)),
    Wrong(L, "no sum", "one number for each pair", (each_with_each,)),
    Wrong(L, "no sum, transposed", "one number for each pair",
          (lambda s, t: each_with_each(s, t).T,)),
    Wrong(L, "other sum", "you sum over the candidates",
          (lambda s, t: each_with_each(s, t).sum(0),)),
    Wrong(L, "readings in the column, last sum", "you sum over the candidates",
          (lambda s, t: dist.Normal(t, 1.0).log_prob(s[:, None]).sum(-1),)),
    Wrong(L, "whole sum", "you sum over everything", (lambda s, t: each_with_each(s, t).sum(),)),
    Wrong(L, "kept", "Does the sum keep",
          (lambda s, t: each_with_each(s, t).sum(-1, keepdim=True),)),
    Wrong(L, "mean", "you average", (lambda s, t: each_with_each(s, t).mean(-1),)),
    Wrong(L, "likelihood", "that is the likelihood",
          (lambda s, t: each_with_each(s, t).exp().prod(-1),)),
    Wrong(L, "exponential of the sum", "that is the likelihood",
          (lambda s, t: each_with_each(s, t).sum(-1).exp(),)),
    Wrong(L, "sum of densities", "you add up densities",
          (lambda s, t: each_with_each(s, t).exp().sum(-1),)),
    Wrong(L, "logarithm of the sum", "a sum of logarithms",
          (lambda s, t: each_with_each(s, t).logsumexp(-1),)),
    Wrong(L, "loss", "the sign is reversed", (lambda s, t: -each_with_each(s, t).sum(-1),)),
    Wrong(L, "no constant", "-½ ln(2π)",
          (lambda s, t: -0.5 * ((s - t[:, None]) ** 2).sum(-1),)),
    Wrong(L, "squared error", "that is the squared error",
          (lambda s, t: -((s - t[:, None]) ** 2).sum(-1),)),
    Wrong(L, "average reading", "the *average* reading",
          (lambda s, t: dist.Normal(t, 1.0).log_prob(s.mean()),)),
    Wrong(L, "n times the average", "n times the log-density",
          (lambda s, t: len(s) * dist.Normal(t, 1.0).log_prob(s.mean()),)),
    Wrong(L, "other sd", "each reading has standard deviation 1",
          (lambda s, t: dist.Normal(t[:, None], 2.0).log_prob(s).sum(-1),)),
    Wrong(L, "first reading", "only the first",
          (lambda s, t: dist.Normal(t, 1.0).log_prob(s[0]),)),
    Wrong(L, "ten fixed", "Look at",
          (lambda s, t: sum(dist.Normal(t, 1.0).log_prob(s[i]) for i in range(10)),)),
    Wrong(L, "no return", "is None", (lambda s, t: None,)),
    Wrong(L, "blank", "still blank", (blank_likelihood,)),
]  # fmt: skip
RIGHT += [
    Right(L, "as in the solution", (lambda s, t: each_with_each(s, t).sum(-1),)),
    Right(L, "readings in the column",
          (lambda s, t: dist.Normal(t, 1.0).log_prob(s[:, None]).sum(0),)),
    Right(L, "unsqueeze and sum(1)",
          (lambda s, t: dist.Normal(t.unsqueeze(-1), 1).log_prob(s).sum(1),)),
    Right(L, "readings as means",
          (lambda s, t: dist.Normal(s, 1.0).log_prob(t.reshape(-1, 1)).sum(-1),)),
    Right(L, "loop", (by_loop,)),
    Right(L, "formula", (by_formula,)),
    Right(L, "to_event", (by_to_event,)),
]  # fmt: skip

# -------------------------------------------------- Exercise 6, an estimate and its error


def mc(
    estimate=lambda v, x, f, d: v.mean(),
    error=lambda v, x, n: v.std() / math.sqrt(n),
    draw=lambda d, n: d.sample((n,)),
):
    def monte_carlo(f, d, n):
        x = draw(d, n)
        v = f(x)
        return estimate(v, x, f, d), error(v, x, n)

    return monte_carlo


def with_fresh_draws(f, d, n):
    return f(d.sample((n,))).mean(), f(d.sample([n])).std() / n**0.5


def by_single_draws(f, d, n):
    values = torch.stack([f(d.sample()) for _ in range(n)])
    return values.mean().item(), (values.std(correction=0) / n**0.5).item()


def by_expand(f, d, n):
    values = f(d.expand([n]).sample())
    return values.mean(), (values.var() / n).sqrt()


def from_standard_normals(f, d, n):
    values = f(d.mean + d.stddev * torch.randn(n))
    return values.mean(), values.std() / math.sqrt(n)


def blank_monte_carlo(f, d, n):
    raise NotImplementedError


C = check.monte_carlo
WRONG += [
    Wrong(C, "average first", "you average the draws first",
          (mc(lambda v, x, f, d: f(x.mean())),)),
    Wrong(C, "plug-in", "f of the mean of `d`", (mc(lambda v, x, f, d: f(d.mean)),)),
    Wrong(C, "no f", "apply f to them", (mc(lambda v, x, f, d: x.mean()),)),
    Wrong(C, "sum", "the sum of the values", (mc(lambda v, x, f, d: v.sum()),)),
    Wrong(C, "median", "that is the median", (mc(lambda v, x, f, d: v.median()),)),
    Wrong(C, "all values", "should be a single number", (mc(lambda v, x, f, d: v),)),
    Wrong(C, "first value", "that is one value", (mc(lambda v, x, f, d: v[0]),)),
    Wrong(C, "one draw", "you draw once",
          (mc(error=lambda v, x, n: v, draw=lambda d, n: d.sample()),)),
    Wrong(C, "fixed n", "you draw 1000 times", (mc(draw=lambda d, n: d.sample((1000,))),)),
    Wrong(C, "fixed n of few", "you draw 100 times", (mc(draw=lambda d, n: d.sample((100,))),)),
    Wrong(C, "a number, not a tuple", "needs a comma", (mc(draw=lambda d, n: d.sample(n)),)),
    Wrong(C, "notebook's distribution", "nothing was drawn from the argument",
          (mc(draw=lambda d, n: dist.Normal(20.0, 3.0).sample((n,))),)),
    Wrong(C, "standard normals", "nothing was drawn", (from_standard_normals,)),
    Wrong(C, "spread", "single values", (mc(error=lambda v, x, n: v.std()),)),
    Wrong(C, "divided by n", "not by its square root", (mc(error=lambda v, x, n: v.std() / n),)),
    Wrong(C, "variance / n", "that is its square", (mc(error=lambda v, x, n: v.var() / n),)),
    Wrong(C, "variance / root n", "you took the variance",
          (mc(error=lambda v, x, n: v.var() / n**0.5),)),
    Wrong(C, "variance", "variance of the values", (mc(error=lambda v, x, n: v.var()),)),
    Wrong(C, "times root n", "would make it worse", (mc(error=lambda v, x, n: v.std() * n**0.5),)),
    Wrong(C, "two errors", "*two* standard errors",
          (mc(error=lambda v, x, n: 2 * v.std() / n**0.5),)),
    Wrong(C, "spread of the draws", "not of the draws",
          (mc(error=lambda v, x, n: x.std() / n**0.5),)),
    Wrong(C, "mean / root n", "not s", (mc(error=lambda v, x, n: v.mean() / n**0.5),)),
    Wrong(C, "1 / root n", "s is missing", (mc(error=lambda v, x, n: n**-0.5),)),
    Wrong(C, "1.96 errors", "1.96", (mc(error=lambda v, x, n: 1.96 * v.std() / n**0.5),)),
    Wrong(C, "of a share only", "too small",
          (mc(error=lambda v, x, n: (v.mean() * (5 - v.mean()) / n).abs().sqrt()),)),
    Wrong(C, "of a share, a tensor", "root of a negative number",
          (mc(error=lambda v, x, n: (v.mean() * (1 - v.mean()) / n).sqrt()),)),
    Wrong(C, "of a share, a number", "root of a negative number",
          (mc(error=lambda v, x, n: (v.mean().item() * (1 - v.mean().item()) / n) ** 0.5),)),
    Wrong(C, "changed places", "changed places",
          (mc(lambda v, x, f, d: v.std() / len(v) ** 0.5, lambda v, x, n: v.mean()),)),
    Wrong(C, "torch.sqrt of a number", "Look at",
          (mc(error=lambda v, x, n: v.std() / torch.sqrt(n)),)),
    Wrong(C, "one value", "should return two numbers", (lambda f, d, n: f(d.sample((n,))).mean(),)),
    Wrong(C, "blank", "still blank", (blank_monte_carlo,)),
]  # fmt: skip
RIGHT += [
    Right(C, "as in the solution", (mc(),)),
    Right(C, "draws of their own for the error", (with_fresh_draws,)),
    Right(C, "one by one, variance divided by n", (by_single_draws,)),
    Right(C, "expand, root of the variance", (by_expand,)),
    Right(C, "torch.Size, a sum", (mc(lambda v, x, f, d: v.sum() / len(v),
                                      draw=lambda d, n: d.sample(torch.Size([n]))),)),
    Right(C, "a column of draws", (mc(draw=lambda d, n: d.sample((n, 1))),)),
]  # fmt: skip

# ------------------------------------------------------- Exercise 7, how many draws


def exact_n(p, se):
    return p * (1 - p) / se**2


def blank_draws(p, se):
    raise NotImplementedError


D = check.draws_needed
WRONG += [
    Wrong(D, "not rounded", "round it up", (exact_n,)),
    Wrong(D, "int", "you round down", (lambda p, se: int(exact_n(p, se)),)),
    Wrong(D, "floor division", "you round down", (lambda p, se: p * (1 - p) // se**2,)),
    Wrong(D, "round", "to the nearest", (lambda p, se: round(exact_n(p, se)),)),
    Wrong(D, "int + 1", "unless n comes out whole", (lambda p, se: int(exact_n(p, se)) + 1,)),
    Wrong(D, "ceil + 1", "one draw fewer", (lambda p, se: math.ceil(exact_n(p, se)) + 1,)),
    Wrong(D, "not squared", "is squared", (lambda p, se: math.ceil(p * (1 - p) / se),)),
    Wrong(D, "root", "that is √n", (lambda p, se: math.ceil(math.sqrt(p * (1 - p)) / se),)),
    Wrong(D, "half squared", "the root over",
          (lambda p, se: math.ceil((p - p * p) ** 0.5 / se**2),)),
    Wrong(D, "no p", "is missing", (lambda p, se: math.ceil(1 / se**2),)),
    Wrong(D, "no 1 - p", "1 - p is missing", (lambda p, se: math.ceil(p / se**2),)),
    Wrong(D, "p squared", "not p²", (lambda p, se: math.ceil(p**2 / se**2),)),
    Wrong(D, "worst case", "use the argument `p`", (lambda p, se: math.ceil(0.25 / se**2),)),
    Wrong(D, "two errors", "the task asks for one", (lambda p, se: math.ceil(4 * exact_n(p, se)),)),
    Wrong(D, "upside down", "a smaller error needs *more*",
          (lambda p, se: math.ceil(1 / exact_n(p, se)),)),
    Wrong(D, "times", "a smaller error needs *more*",
          (lambda p, se: math.ceil(p * (1 - p) * se**2),)),
    Wrong(D, "brackets", "too small", (lambda p, se: math.ceil(p * 1 - p / se**2),)),
    Wrong(D, "no return", "is None", (lambda p, se: None,)),
    Wrong(D, "blank", "still blank", (blank_draws,)),
]  # fmt: skip
RIGHT += [
    Right(D, "as in the solution", (lambda p, se: math.ceil(exact_n(p, se)),)),
    Right(D, "numpy", (lambda p, se: int(np.ceil(exact_n(p, se))),)),
    Right(D, "floor of minus", (lambda p, se: -int(-exact_n(p, se) // 1),)),
    Right(D, "torch", (lambda p, se: torch.ceil(tensor(exact_n(p, se))),)),
    Right(D, "the root squared", (lambda p, se: math.ceil((math.sqrt(p * (1 - p)) / se) ** 2),)),
]


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


def test_enough_answers_for_every_exercise():
    assert_enough(check, WRONG, RIGHT)
