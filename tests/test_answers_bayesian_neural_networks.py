"""Day2/3_bayesian_neural_networks: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch import nn
from torch.nn.functional import gaussian_nll_loss, softplus

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import CheckFailed
from utils.checks import bayesian_neural_networks as check

WRONG: list[Wrong] = []
RIGHT: list[Right] = []


def blank(*args, **kwargs):
    raise NotImplementedError


# ---------------------------------------------------------------- Exercise 1, loss of two heads

LN_2PI = math.log(2 * math.pi)


def loss(terms):
    return lambda mean, variance, y: terms(mean, variance, y).mean(-1)


def loss_in_place(mean, variance, y):
    y = y.expand(mean.shape).clone()
    y -= mean
    return (0.5 * (2 * torch.pi * variance).log() + 0.5 * y.pow(2) / variance).mean(dim=-1)


def loss_by_torch(mean, variance, y):
    y = y.expand_as(mean)
    return gaussian_nll_loss(mean, y, variance, full=True, reduction="none").mean(-1)


def loss_by_numpy(mean, variance, y):
    mean, variance, y = mean.numpy(), variance.numpy(), y.numpy()
    terms = 0.5 * np.log(2 * np.pi * variance) + (y - mean) ** 2 / (2 * variance)
    return torch.from_numpy(np.asarray(terms.mean(-1)))


def loss_that_changes_y(mean, variance, y):
    if mean.ndim == 1:
        y -= mean
        mean = torch.zeros_like(mean)
    return loss_by_torch(mean, variance, y)


def loss_without_return(mean, variance, y):
    loss_by_torch(mean, variance, y)


def only_with_data():
    class NeuralRegressor(check.NeuralRegressor):
        def forward(self, x, y=None):
            m, v = self.h(x), softplus(self.g(x)) + 0.01
            if y is not None:
                pyro.sample("y", dist.Normal(m, v.sqrt()).to_event(1), obs=y)
            return m, v

    return NeuralRegressor()


def log_densities(mean, variance, y):
    return dist.Normal(mean, variance.sqrt()).log_prob(y)


L = check.gaussian_loss
WRONG += [
    Wrong(L, "no minus", "the sign is reversed",
          (loss(lambda m, v, y: dist.Normal(m, v.sqrt()).log_prob(y)),)),
    Wrong(L, "variance as sd", "used as if it were a standard deviation",
          (loss(lambda m, v, y: -dist.Normal(m, v).log_prob(y)),)),
    Wrong(L, "variance as sd, and no minus", "two slips",
          (loss(lambda m, v, y: dist.Normal(m, v).log_prob(y)),)),
    Wrong(L, "sum", "that is the sum over the data",
          (lambda m, v, y: -dist.Normal(m, v.sqrt()).log_prob(y).sum(-1),)),
    Wrong(L, "mean over everything", "there should be three losses",
          (lambda m, v, y: -dist.Normal(m, v.sqrt()).log_prob(y).mean(),)),
    Wrong(L, "no mean", "one number for each data point",
          (lambda m, v, y: -dist.Normal(m, v.sqrt()).log_prob(y),)),
    Wrong(L, "v for 2v", "divided by 2v",
          (loss(lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / v),)),
    Wrong(L, "brackets", "put 2 * v into brackets",
          (loss(lambda m, v, y: 0.5 * (2 * math.pi * v).log() + (y - m) ** 2 / 2 * v),)),
    Wrong(L, "no half", "the factor ½ of the first term",
          (loss(lambda m, v, y: (2 * math.pi * v).log() + (y - m) ** 2 / (2 * v)),)),
    Wrong(L, "no constant", "the constant ½ ln 2π is missing",
          (loss(lambda m, v, y: 0.5 * v.log() + (y - m) ** 2 / (2 * v)),)),
    Wrong(L, "no logarithm", "the first term, ½ ln(2πv), is missing",
          (loss(lambda m, v, y: (y - m) ** 2 / (2 * v)),)),
    Wrong(L, "squared error", "that is the squared error", (loss(lambda m, v, y: (y - m) ** 2),)),
    Wrong(L, "minus between the terms", "both terms are added",
          (loss(lambda m, v, y: 0.5 * (LN_2PI + v.log()) - (y - m) ** 2 / (2 * v)),)),
    Wrong(L, "math.log", "Look at", (loss(lambda m, v, y: 0.5 * math.log(2 * math.pi * v)),)),
    Wrong(L, "minus the logarithm", "has the wrong sign",
          (loss(lambda m, v, y: -0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / (2 * v)),)),
    Wrong(L, "squared denominator", "only y - m is squared",
          (loss(lambda m, v, y: 0.5 * (LN_2PI + v.log()) + 0.5 * ((y - m) / v) ** 2),)),
    Wrong(L, "squared denominator, no half", "and 2v is the denominator",
          (loss(lambda m, v, y: 0.5 * (LN_2PI + v.log()) + ((y - m) / v) ** 2),)),
    Wrong(L, "no square", "the square of y - m is missing",
          (loss(lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) / (2 * v)),)),
    Wrong(L, "not divided by v", "divided by v, too",
          (loss(lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / 2),)),
    Wrong(L, "divided by 120", "the number of data, 120",
          (lambda m, v, y: -dist.Normal(m, v.sqrt()).log_prob(y).sum(-1) / 120,)),
    Wrong(L, "arguments of torch in a wrong order", "have changed places",
          (lambda m, v, y: gaussian_nll_loss(m, v, y.expand_as(m), full=True,
                                             reduction="none").mean(-1),)),
    Wrong(L, "sd first", "dist.Normal(mean, sd)",
          (loss(lambda m, v, y: -dist.Normal(v.sqrt(), m).log_prob(y)),)),
    Wrong(L, "variance cut off", "no gradient reaches `variance`",
          (lambda m, v, y: loss_by_torch(m, v.detach(), y),)),
    Wrong(L, "mean cut off", "no gradient reaches `mean`",
          (lambda m, v, y: loss_by_torch(m.detach(), v, y),)),
    Wrong(L, "no_grad", "nothing can be learned", (torch.no_grad()(loss_by_torch),)),
    Wrong(L, "numpy", "nothing can be learned", (loss_by_numpy,)),
    Wrong(L, "in place", "changes its argument `y` in place", (loss_that_changes_y,)),
    Wrong(L, "no return", "Does your function end in a `return`", (loss_without_return,)),
    Wrong(L, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(L, "by a distribution",
          (lambda m, v, y: -dist.Normal(m, v**0.5).log_prob(y).mean(-1),)),
    Right(L, "by torch", (loss_by_torch,)),
    Right(L, "in place", (loss_in_place,)),
]  # fmt: skip

# ----------------------------------------------------------------- Exercise 2, Bayesian layer


def matrix(scale, *shape):
    return dist.Normal(0.0, scale).expand(list(shape)).to_event(len(shape))


def layer(
    weight=lambda i, o, s: PyroSample(matrix(s, i, o)),
    bias=lambda o, s: PyroSample(matrix(s, o)),
    scales=lambda a, b: (a, b),
    forward=lambda self, x: x @ self.weight + self.bias.unsqueeze(-2),
):
    class BayesianLinear(PyroModule):
        def __init__(self, inputs, outputs, weight_scale, bias_scale):
            super().__init__()
            a, b = scales(weight_scale, bias_scale)
            if weight:
                self.weight = weight(inputs, outputs, a)
            if bias:
                self.bias = bias(outputs, b)

        def forward(self, x):
            return forward(self, x)

    return BayesianLinear


def drawn(i, o, s):
    return matrix(s, i, o).sample()


class BlankLayer(PyroModule):
    def __init__(self, inputs, outputs, weight_scale, bias_scale):
        super().__init__()
        raise NotImplementedError


B = check.bayesian_linear
WRONG += [
    Wrong(B, "no to_event", "both dimensions an event",
          (layer(lambda i, o, s: PyroSample(dist.Normal(0.0, s).expand([i, o]))),)),
    Wrong(B, "to_event(1) of the matrix", "not one draw of a whole matrix",
          (layer(lambda i, o, s: PyroSample(dist.Normal(0.0, s).expand([i, o]).to_event(1))),)),
    Wrong(B, "no to_event of the vector", "not one draw of a whole vector",
          (layer(bias=lambda o, s: PyroSample(dist.Normal(0.0, s).expand([o]))),)),
    Wrong(B, "transposed", "Inputs first",
          (layer(lambda i, o, s: PyroSample(matrix(s, o, i))),)),
    Wrong(B, "no expand", "makes copies of a distribution",
          (layer(lambda i, o, s: PyroSample(dist.Normal(0.0, s))),)),
    Wrong(B, "expand without a list", "takes a list",
          (layer(lambda i, o, s: PyroSample(dist.Normal(0.0, s).expand(i, o).to_event(2))),)),
    Wrong(B, "expand of a number", "takes a list",
          (layer(bias=lambda o, s: PyroSample(dist.Normal(0.0, s).expand(o).to_event(1))),)),
    Wrong(B, "bias of the size of the inputs", "for 3 inputs and 2 outputs",
          (layer(bias=lambda o, s: PyroSample(matrix(s, 3))),)),
    Wrong(B, "no bias", "there is no `self.bias`", (layer(bias=None),)),
    Wrong(B, "drawn once", "drawn once and for all", (layer(drawn),)),
    Wrong(B, "a distribution", "nothing samples it", (layer(lambda i, o, s: matrix(s, i, o)),)),
    Wrong(B, "a parameter", "is a parameter",
          (layer(lambda i, o, s: PyroParam(torch.randn(i, o))),)),
    Wrong(B, "torch's parameter", "is a parameter",
          (layer(lambda i, o, s: nn.Parameter(torch.randn(i, o))),)),
    Wrong(B, "scales swapped", "have changed places", (layer(scales=lambda a, b: (b, a)),)),
    Wrong(B, "variances", "so are the two scales", (layer(scales=lambda a, b: (a**2, b**2)),)),
    Wrong(B, "one scale", "it has its own", (layer(scales=lambda a, b: (a, a)),)),
    Wrong(B, "fixed scales", "take them from the arguments", (layer(scales=lambda a, b: (1, 1)),)),
    Wrong(B, "no class", "should be a class", (lambda i, o, a, b: None,)),
    Wrong(B, "plain linear", "should be a class", (nn.Linear,)),
    Wrong(B, "blank", "still blank", (BlankLayer,)),
]  # fmt: skip
RIGHT += [
    Right(B, "as in the solution", (layer(),)),
    Right(B, "of tensors",
          (layer(lambda i, o, s: PyroSample(dist.Normal(torch.zeros(i, o), s).to_event()),
                 lambda o, s: PyroSample(dist.Normal(torch.zeros(o), s).to_event())),)),
    Right(B, "by functions",
          (layer(lambda i, o, s: PyroSample(lambda self: matrix(s, i, o)),
                 lambda o, s: PyroSample(lambda self: matrix(s, o))),)),
]  # fmt: skip

# -------------------------------------------------------------- Exercise 3, neural regressor


def regressor(
    mean=lambda self, x: self.h(x),
    variance=lambda self, x: softplus(self.g(x)) + 0.01,
    y=lambda m, v: dist.Normal(m, v.sqrt()).to_event(1),
    name="y",
    observe=lambda y: y,
    returned=lambda m, v: (m, v),
    plate=None,
):
    class NeuralRegressor(PyroModule):
        def __init__(self):
            super().__init__()
            self.h = check.BayesianNetwork(10, input_scale=5.0, output_scale=20.0)
            self.g = check.BayesianNetwork(5, input_scale=2.0, output_scale=4.0)

        def forward(self, x, y_data=None):
            m, v = mean(self, x), variance(self, x)
            if plate:
                with pyro.plate("data", len(x)):
                    pyro.sample(name, y(m, v), obs=observe(y_data))
            else:
                pyro.sample(name, y(m, v), obs=observe(y_data))
            return returned(m, v)

    return NeuralRegressor


class BlankRegressor(PyroModule):
    def forward(self, x, y=None):
        raise NotImplementedError


class ForgottenSample(check.NeuralRegressor):
    def forward(self, x, y=None):
        return self.h(x), softplus(self.g(x)) + 0.01


def by_hand(self, x):
    return torch.log1p(self.g(x).exp()) + 0.01


N = check.neural_regressor
WRONG += [
    Wrong(N, "x as a column", "give them x as it is",
          (regressor(mean=lambda s, x: s.h(x[:, None])),)),
    Wrong(N, "plate and to_event", "there is a plate around `y`", (regressor(plate=True),)),
    Wrong(N, "drawn only with data", "No `if`: obs=None", (only_with_data,)),
    Wrong(N, "variance as sd", "you gave the variance",
          (regressor(y=lambda m, v: dist.Normal(m, v).to_event(1)),)),
    Wrong(N, "no softplus", "It must be positive",
          (regressor(variance=lambda self, x: self.g(x) + 0.01,
                     y=lambda m, v: dist.Normal(m, v).to_event(1)),)),
    Wrong(N, "no floor", "0.01, is missing",
          (regressor(variance=lambda self, x: softplus(self.g(x))),)),
    Wrong(N, "exponential", "not its exponential",
          (regressor(variance=lambda self, x: self.g(x).exp() + 0.01),)),
    Wrong(N, "rectified", "relu is not the softplus",
          (regressor(variance=lambda self, x: self.g(x).relu() + 0.01),)),
    Wrong(N, "precision", "not a precision",
          (regressor(y=lambda m, v: dist.Normal(m, v**-0.5).to_event(1)),)),
    Wrong(N, "networks swapped", "have changed places",
          (regressor(lambda self, x: self.g(x), lambda self, x: softplus(self.h(x)) + 0.01),)),
    Wrong(N, "absolute value", "not the softplus",
          (regressor(variance=lambda self, x: self.g(x).abs() + 0.01),)),
    Wrong(N, "no to_event", "turns the last batch dimension",
          (regressor(y=lambda m, v: dist.Normal(m, v.sqrt())),)),
    Wrong(N, "a plate", "there is a plate around `y`",
          (regressor(y=lambda m, v: dist.Normal(m, v.sqrt()), plate=True),)),
    Wrong(N, "no obs", "ignores the data", (regressor(observe=lambda y: None),)),
    Wrong(N, "another name", "no site named `y`", (regressor(name="obs"),)),
    Wrong(N, "sd under the name of variance", "keep its name true",
          (regressor(variance=lambda self, x: (softplus(self.g(x)) + 0.01).sqrt(),
                     y=lambda m, s: dist.Normal(m, s).to_event(1)),)),
    Wrong(N, "floor in the sample only", "lacks the floor",
          (regressor(variance=lambda self, x: softplus(self.g(x)),
                     y=lambda m, v: dist.Normal(m, (v + 0.01).sqrt()).to_event(1)),)),
    Wrong(N, "returns the mean", "should return the pair", (regressor(returned=lambda m, v: m),)),
    Wrong(N, "h twice", "`self.g` is never called",
          (regressor(variance=lambda self, x: softplus(self.h(x)) + 0.01),)),
    Wrong(N, "g twice", "`self.h` is never called", (regressor(lambda self, x: self.g(x)),)),
    Wrong(N, "the other order", "in the other order", (regressor(returned=lambda m, v: (v, m)),)),
    Wrong(N, "a pair without gradient", "nothing can be learned",
          (regressor(returned=lambda m, v: (m.detach(), v.detach())),)),
    Wrong(N, "a variance without gradient", "nothing can be learned",
          (regressor(returned=lambda m, v: (m, v.detach())),)),
    Wrong(N, "no gradient through the sample", "gradient",
          (regressor(y=lambda m, v: dist.Normal(m.detach(), v.sqrt()).to_event(1)),)),
    Wrong(N, "no sample", "no site named `y`", (ForgottenSample,)),
    Wrong(N, "blank", "still blank", (BlankRegressor,)),
]  # fmt: skip
RIGHT += [
    Right(N, "as in the solution", (regressor(),)),
    Right(N, "softplus by hand", (regressor(variance=by_hand),)),
    Right(N, "independent",
          (regressor(y=lambda m, v: dist.Independent(dist.Normal(m, v**0.5), 1)),)),
]  # fmt: skip

# ----------------------------------------------------------- Exercise 4, predictive density


def log_density(m, v, y):
    return dist.Normal(m, v.sqrt()).log_prob(y)


def by_mixture(m, v, y):
    weights = dist.Categorical(logits=torch.zeros(m.T.shape))
    return dist.MixtureSameFamily(weights, dist.Normal(m.T, v.T.sqrt())).log_prob(y)


def by_shift(m, v, y):
    log_p = log_density(m, v, y)
    top = log_p.max(0).values
    return top + (log_p - top).exp().mean(0).log()


P = check.log_predictive
WRONG += [
    Wrong(P, "M hard-coded", "by 500",
          (lambda m, v, y: log_densities(m, v, y).logsumexp(0) - math.log(500),)),
    Wrong(P, "M times n", "by 24",
          (lambda m, v, y: log_densities(m, v, y).logsumexp(0) - math.log(m.numel()),)),
    Wrong(P, "something added", "small number added",
          (lambda m, v, y: (log_densities(m, v, y).exp().mean(0) + 1e-30).log(),)),
    Wrong(P, "mean of logs", "the logarithm of the mean",
          (lambda m, v, y: log_density(m, v, y).mean(0),)),
    Wrong(P, "no 1/M", "what is missing is 1/M",
          (lambda m, v, y: log_density(m, v, y).logsumexp(0),)),
    Wrong(P, "divided by M", "1/M stands inside",
          (lambda m, v, y: log_density(m, v, y).logsumexp(0) / len(m),)),
    Wrong(P, "plus ln M", "*subtracting* ln M",
          (lambda m, v, y: log_density(m, v, y).logsumexp(0) + math.log(len(m)),)),
    Wrong(P, "ln n", "not of data points",
          (lambda m, v, y: log_density(m, v, y).logsumexp(0) - math.log(len(y)),)),
    Wrong(P, "no logarithm", "asked is its logarithm",
          (lambda m, v, y: log_density(m, v, y).exp().mean(0),)),
    Wrong(P, "rounded to 0", "rounded to 0",
          (lambda m, v, y: log_density(m, v, y).exp().mean(0).log(),)),
    Wrong(P, "variance as sd", "takes a standard deviation",
          (lambda m, v, y: dist.Normal(m, v).log_prob(y).logsumexp(0) - math.log(len(m)),)),
    Wrong(P, "plug-in", "no ensemble any more",
          (lambda m, v, y: log_density(m.mean(0), v.mean(0), y),)),
    Wrong(P, "one normal", "the ensemble is a mixture",
          (lambda m, v, y: log_density(m.mean(0), v.mean(0) + m.var(0), y),)),
    Wrong(P, "sum of logs", "a *product*", (lambda m, v, y: log_density(m, v, y).sum(0),)),
    Wrong(P, "over the data", "averaged over the data",
          (lambda m, v, y: log_density(m, v, y).logsumexp(1) - math.log(len(m)),)),
    Wrong(P, "M - 1", "not by M - 1",
          (lambda m, v, y: log_density(m, v, y).logsumexp(0) - math.log(len(m) - 1),)),
    Wrong(P, "torch.log of a number", "math.log",
          (lambda m, v, y: log_density(m, v, y).logsumexp(0) - torch.log(len(m)),)),
    Wrong(P, "no 2π", "-½ ln 2π, is missing",
          (lambda m, v, y: (-0.5 * v.log() - (y - m) ** 2 / (2 * v)).logsumexp(0)
           - math.log(len(m)),)),
    Wrong(P, "a list", "is of type list", (lambda *a: by_mixture(*a).tolist(),)),
    Wrong(P, "numpy", "is of type ndarray", (lambda *a: by_mixture(*a).numpy(),)),
    Wrong(P, "in place", "changes its argument `m` in place",
          (lambda m, v, y: log_density(m.sub_(y), v, torch.zeros(())).logsumexp(0)
           - math.log(len(m)),)),
    Wrong(P, "no average", "the networks are to be averaged", (log_density,)),
    Wrong(P, "one number", "one for each data point",
          (lambda m, v, y: (log_density(m, v, y).logsumexp(0) - math.log(len(m))).mean(),)),
    Wrong(P, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(P, "by a mixture", (by_mixture,)),
    Right(P, "by a shift", (by_shift,)),
    Right(P, "by torch.logsumexp",
          (lambda m, v, y: torch.logsumexp(log_density(m, v, y) - np.log(m.shape[0]), dim=0),)),
]  # fmt: skip

# ---------------------------------------------------------- Exercise 5, epistemic, aleatoric

V = check.variance_parts
WRONG += [
    Wrong(V, "median", "`aleatoric` is no median", (lambda m, v: (m.var(0), v.median(0)),)),
    Wrong(V, "standard error", "not that of the mean",
          (lambda m, v: (m.var(0) / len(m), v.mean(0)),)),
    Wrong(V, "500 networks", "is written into it", (lambda m, v: (m.var(0), v.sum(0) / 500),)),
    Wrong(V, "499 networks", "is written into it",
          (lambda m, v: (((m - m.mean(0)) ** 2).sum(0) / 499, v.mean(0)),)),
    Wrong(V, "mean sd, squared", "average the variances",
          (lambda m, v: (m.var(0), v.sqrt().mean(0) ** 2),)),
    Wrong(V, "swapped", "have changed places", (lambda m, v: (v.mean(0), m.var(0)),)),
    Wrong(V, "sd", "`epistemic` is a standard deviation", (lambda m, v: (m.std(0), v.mean(0)),)),
    Wrong(V, "two sds", "these are standard deviations",
          (lambda m, v: (m.std(0), v.mean(0).sqrt()),)),
    Wrong(V, "mean of h", "not its mean", (lambda m, v: (m.mean(0), v.mean(0)),)),
    Wrong(V, "variance of g", "not its variance", (lambda m, v: (m.var(0), v.var(0)),)),
    Wrong(V, "variance of g as epistemic", "not of g", (lambda m, v: (v.var(0), v.mean(0)),)),
    Wrong(V, "mean sd", "leave out the square root",
          (lambda m, v: (m.var(0), v.sqrt().mean(0)),)),
    Wrong(V, "squared g", "no square", (lambda m, v: (m.var(0), (v**2).mean(0)),)),
    Wrong(V, "mean square", "subtract the square", (lambda m, v: ((m**2).mean(0), v.mean(0)),)),
    Wrong(V, "total", "the sum of both parts", (lambda m, v: (m.var(0) + v.mean(0), v.mean(0)),)),
    Wrong(V, "over x", "the wrong dimension", (lambda m, v: (m.var(1), v.mean(1)),)),
    Wrong(V, "over everything", "a single number", (lambda m, v: (m.var(), v.mean()),)),
    Wrong(V, "aleatoric over everything", "`aleatoric` is a single number",
          (lambda m, v: (m.var(0), v.mean()),)),
    Wrong(V, "numpy", "is of type ndarray",
          (lambda m, v: (m.var(0).numpy(), v.mean(0).numpy()),)),
    Wrong(V, "lists", "is of type list",
          (lambda m, v: (m.var(0).tolist(), v.mean(0).tolist()),)),
    Wrong(V, "in place", "changes its argument `m` in place",
          (lambda m, v: (m.sub_(m.mean(0)).square().mean(0), v.mean(0)),)),
    Wrong(V, "sum only", "should return 2 values", (lambda m, v: m.var(0) + v.mean(0),)),
    Wrong(V, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(V, "as in the solution", (lambda m, v: (m.var(0), v.mean(0)),)),
    Right(V, "by moments",
          (lambda m, v: ((m**2).mean(0) - m.mean(0) ** 2, v.sum(0) / len(v)),)),
    Right(V, "biased", (lambda m, v: (torch.var(m, dim=0, correction=0), torch.mean(v, 0)),)),
]  # fmt: skip

# ---------------------------------------------------------------------- Exercise 6, coverage


def mixture_cdf(m, v, y):
    return dist.Normal(m, v.sqrt()).cdf(y).mean(0)


def covered(rule):
    return lambda m, v, y, c: rule(mixture_cdf(m, v, y), c).float().mean()


def covered_by(u, level):
    return ((u - 0.5).abs() < level / 2).float().mean()


def by_distance(m, v, y, level):
    return ((mixture_cdf(m, v, y) - 0.5).abs() < level / 2).float().mean()


def by_count(m, v, y, level):
    u = torch.special.ndtr((y - m) / v.sqrt()).mean(0)
    return torch.logical_and(u >= (1 - level) / 2, u <= 1 - (1 - level) / 2).sum() / len(y)


def per_network(m, v, y, c):
    u = dist.Normal(m, v.sqrt()).cdf(y)
    return ((u > (1 - c) / 2) & (u < (1 + c) / 2)).float().mean(1)


C = check.coverage
WRONG += [
    Wrong(C, "outside", "the points *outside*",
          (covered(lambda u, c: (u < (1 - c) / 2) | (u > (1 + c) / 2)),)),
    Wrong(C, "a number", "that is their number",
          (lambda m, v, y, c: (by_distance(m, v, y, c) * len(y)),)),
    Wrong(C, "percent", "no percent", (lambda m, v, y, c: 100 * by_distance(m, v, y, c),)),
    Wrong(C, "which", "asked is their share",
          (lambda m, v, y, c: (mixture_cdf(m, v, y) - 0.5).abs() < c / 2,)),
    Wrong(C, "variance as sd", "takes a standard deviation",
          (lambda m, v, y, c: by_distance(m, v**2, y, c),)),
    Wrong(C, "below the quantile c", "on both sides", (covered(lambda u, c: u < c),)),
    Wrong(C, "1 - c on each side", "half of that", (covered(lambda u, c: (1 - c < u) & (u < c)),)),
    Wrong(C, "no lower end", "the lower end", (covered(lambda u, c: u < (1 + c) / 2),)),
    Wrong(C, "no upper end", "the upper end", (covered(lambda u, c: u > (1 - c) / 2),)),
    Wrong(C, "or", "both have to hold",
          (covered(lambda u, c: (u > (1 - c) / 2) | (u < (1 + c) / 2)),)),
    Wrong(C, "one share a network", "one share for each network", (per_network,)),
    Wrong(C, "networks' intervals", "the networks' intervals",
          (lambda *a: per_network(*a).mean(),)),
    Wrong(C, "one normal", "as one normal",
          (lambda m, v, y, c: by_distance(m.mean(0)[None], (m.var(0) + v.mean(0))[None], y, c),)),
    Wrong(C, "plug-in", "the average mean and variance",
          (lambda m, v, y, c: by_distance(m.mean(0)[None], v.mean(0)[None], y, c),)),
    Wrong(C, "one normal, biased variance", "as one normal",
          (lambda m, v, y, c: by_distance(
              m.mean(0)[None], (m.var(0, correction=0) + v.mean(0))[None], y, c),)),
    Wrong(C, "1.96 sd", "is the 95% interval of *one normal*",
          (lambda m, v, y, c: ((y - m.mean(0)).abs() < 1.96 * (m.var(0) + v.mean(0)).sqrt())
           .float().mean(),)),
    Wrong(C, "over the data", "average the Φ's over the data",
          (lambda m, v, y, c: covered_by(dist.Normal(m, v.sqrt()).cdf(y).mean(1), c),)),
    Wrong(C, "level / 2", "it is (1 - c)/2",
          (covered(lambda u, c: (c / 2 < u) & (u < 1 - c / 2)),)),
    Wrong(C, "always 95%", "whatever `level` is",
          (lambda m, v, y, c: by_distance(m, v, y, 0.95),)),
    Wrong(C, "a fixed number of points", "is written into it",
          (lambda m, v, y, c: by_distance(m, v, y, c) * len(y) / 3000,)),
    Wrong(C, "averaged quantiles", "average the quantiles",
          (lambda m, v, y, c: (
              (dist.Normal(m, v.sqrt()).icdf(torch.tensor((1 - c) / 2)).mean(0) < y)
              & (y < dist.Normal(m, v.sqrt()).icdf(torch.tensor((1 + c) / 2)).mean(0))
          ).float().mean(),)),
    Wrong(C, "mean of a bool", ".float().mean()",
          (lambda m, v, y, c: ((mixture_cdf(m, v, y) - 0.5).abs() < c / 2).mean(),)),
    Wrong(C, "no brackets", "each comparison into brackets",
          (covered(lambda u, c: (1 - c) / 2 < u & u < (1 + c) / 2),)),
    Wrong(C, "in place", "changes its argument `v` in place",
          (lambda m, v, y, c: covered_by(dist.Normal(m, v.sqrt_()).cdf(y).mean(0), c),)),
    Wrong(C, "and", "For tensors there are",
          (covered(lambda u, c: u > (1 - c) / 2 and u < (1 + c) / 2),)),
    Wrong(C, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(C, "by distance", (by_distance,)),
    Right(C, "by a count", (by_count,)),
    Right(C, "as a number", (lambda *a: by_distance(*a).item(),)),
    Right(
        C,
        "by torch.where",
        (
            lambda m, v, y, c: torch.where(
                (mixture_cdf(m, v, y) - 0.5).abs() < c / 2, 1.0, 0.0
            ).mean(),
        ),
    ),
]

# ----------------------------------------------------------------------- Exercise 7, entropy


def entropy(q):
    return -(q * q.log()).sum(-1)


def by_clamp(p):
    q = p.mean(dim=0)
    return -(q * q.clamp(min=1e-30).log()).sum(dim=-1)


H = check.predictive_entropy
WRONG += [
    Wrong(H, "50 networks", "is written into it",
          (lambda p: -torch.xlogy(p.sum(0) / 50, p.sum(0) / 50).sum(-1),)),
    Wrong(H, "softmax of each", "no softmax",
          (lambda p: -torch.xlogy(p.softmax(-1).mean(0), p.softmax(-1).mean(0)).sum(-1),)),
    Wrong(H, "median", "not the median",
          (lambda p: -torch.xlogy(p.median(0)[0], p.median(0)[0]).sum(-1),)),
    Wrong(H, "mean of entropies", "the mean of the networks' entropies",
          (lambda p: entropy(p).mean(0),)),
    Wrong(H, "no average", "one entropy for each network and image", (entropy,)),
    Wrong(H, "nan", "0 · ln 0 gives nan", (lambda p: entropy(p.mean(0)),)),
    Wrong(H, "sign", "an entropy is not negative", (lambda p: -entropy(p.mean(0)),)),
    Wrong(H, "bits", "that is in bits", (lambda p: entropy(p.mean(0)) / math.log(2),)),
    Wrong(H, "mean over classes", "not a mean", (lambda p: entropy(p.mean(0)) / 10,)),
    Wrong(H, "no weight", "weighted with p itself", (lambda p: -p.mean(0).log().sum(-1),)),
    Wrong(H, "softmax again", "no softmax", (lambda p: entropy(p.mean(0).softmax(-1)),)),
    Wrong(H, "sum over networks", "where you took the sum", (lambda p: entropy(p.sum(0)),)),
    Wrong(H, "first network", "the first network alone", (lambda p: entropy(p[0]),)),
    Wrong(H, "one number", "one for each image", (lambda p: entropy(p.mean(0)).mean(),)),
    Wrong(H, "no sum", "a sum over the classes", (lambda p: -(p.mean(0) * p.mean(0).log()),)),
    Wrong(H, "over images", "look at the dimensions", (lambda p: entropy(p.mean(1)),)),
    Wrong(H, "coarse clamp", "Too coarse a clamp",
          (lambda p: entropy(p.mean(0).clamp(min=1e-3)),)),
    Wrong(H, "coarse clamp in the logarithm", "Too coarse a clamp",
          (lambda p: -(p.mean(0) * p.mean(0).clamp(min=1e-3).log()).sum(-1),)),
    Wrong(H, "in place", "changes its argument `p` in place",
          (lambda p: by_clamp(p.clamp_(min=1e-9)),)),
    Wrong(H, "numpy", "is of type ndarray", (lambda p: by_clamp(p).numpy(),)),
    Wrong(H, "1 - max", "not the entropy", (lambda p: 1 - p.mean(0).max(-1).values,)),
    Wrong(H, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(H, "by clamp", (by_clamp,)),
    Right(H, "by torch.special", (lambda p: torch.special.entr(p.mean(0)).sum(-1),)),
    Right(H, "by a small number",
          (lambda p: -(p.mean(0) * (p.mean(0) + 1e-8).log()).sum(-1),)),
    Right(H, "by a distribution", (lambda p: dist.Categorical(probs=p.mean(0)).entropy(),)),
    Right(H, "by nan_to_num",
          (lambda p: -(p.mean(0) * p.mean(0).log()).nan_to_num().sum(-1),)),
]  # fmt: skip

# ------------------------------------------------------------------------- Exercise 8, AUROC


def pairs(rule):
    return lambda digits, others: rule(others[:, None], digits).double().mean()


def by_ranks(digits, others):
    everything = torch.cat([digits, others])
    ordered = everything.sort().values
    low = torch.searchsorted(ordered, others)
    high = torch.searchsorted(ordered, others, right=True)
    ranks = (low + high + 1) / 2
    m, n = len(digits), len(others)
    return (ranks.sum() - n * (n + 1) / 2) / (m * n)


def by_sign(digits, others):
    return 0.5 + 0.5 * torch.sign(others.unsqueeze(1) - digits.unsqueeze(0)).mean()


def by_loop(digits, others):
    total = sum((o > d).item() + 0.5 * (o == d).item() for o in others for d in digits)
    return total / (len(digits) * len(others))


A = check.auroc
WRONG += [
    Wrong(A, "half of the ties, rounded down", "Is every tie counted half",
          (lambda d, o: ((o[:, None] > d).sum() + (o[:, None] == d).sum() // 2)
           / (len(d) * len(o)),)),
    Wrong(A, "divided by a fixed number", "by the number of all pairs",
          (lambda d, o: check._auroc(d, o) * len(d) * len(o) / 3334**2,)),
    Wrong(A, "the other way round", "the *digit* has the larger",
          (lambda d, o: by_sign(o, d),)),
    Wrong(A, "no ties", "ties are missing", (pairs(lambda o, d: o > d),)),
    Wrong(A, "ties in full", "a tie counts half", (pairs(lambda o, d: o >= d),)),
    Wrong(A, "the other way round, no ties", "the wrong way round, without ties",
          (pairs(lambda o, d: o < d),)),
    Wrong(A, "a count", "divide by m n",
          (lambda d, o: by_sign(d, o) * len(d) * len(o),)),
    Wrong(A, "divided by m", "not by m", (lambda d, o: by_sign(d, o) * len(o),)),
    Wrong(A, "above the mean", "with the mean of the digits",
          (lambda d, o: (o > d.mean()).float().mean(),)),
    Wrong(A, "above the median", "with the median of the digits",
          (lambda d, o: (o > d.median()).float().mean(),)),
    Wrong(A, "above the largest", "with the largest digit only",
          (lambda d, o: (o > d.max()).float().mean(),)),
    Wrong(A, "near ties", "nearly so",
          (lambda d, o: by_sign(d.mul(1000).round(), o.mul(1000).round()),)),
    Wrong(A, "ranks of argsort, from 0", "Ranks from argsort",
          (lambda d, o: (torch.cat([d, o]).argsort(stable=True).argsort()[len(d):].sum()
                         - len(o) * (len(o) + 1) / 2) / (len(d) * len(o)),)),
    Wrong(A, "ranks of argsort", "a tie counts half",
          (lambda d, o: (torch.cat([d, o]).argsort(stable=True).argsort()[len(d):].sum()
                         - len(o) * (len(o) - 1) / 2) / (len(d) * len(o)),)),
    Wrong(A, "in place", "changes its argument `d` in place",
          (lambda d, o: by_sign(d.mul_(2), 2 * o),)),
    Wrong(A, "one number an image", "asked is one number",
          (lambda d, o: (o[:, None] > d).float().mean(1),)),
    Wrong(A, "pair by pair", "your code raises", (lambda d, o: (o > d).float().mean(),)),
    Wrong(A, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(A, "by ranks", (by_ranks,)),
    Right(A, "by signs", (by_sign,)),
    Right(A, "by a loop", (by_loop,)),
]


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


def test_every_exercise_has_enough_of_both():
    assert_enough(check, WRONG, RIGHT)


def test_claims(capsys):
    check.claims({"one": True, "two": torch.tensor(1.0) > 0})
    assert capsys.readouterr().out == "✓ 2 claims hold\n"
    with pytest.raises(CheckFailed, match="two"):
        check.claims({"one": True, "two": np.False_})
