"""Day2/1_bayesian_regression: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import (
    AutoDelta,
    AutoDiagonalNormal,
    AutoMultivariateNormal,
    AutoNormal,
)

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils import inference
from utils.checks import bayesian_regression as check
from utils.data import load_rugged

# ------------------------------------------------------------------ Exercise 1, a gradient step


def step(rule):
    def gradient_step(w, x, y, learning_rate):
        w = w.detach().requires_grad_()
        loss = ((y - (w[0] + w[1] * x)) ** 2).sum()
        (gradient,) = torch.autograd.grad(loss, w)
        return rule(w, gradient, learning_rate).detach()

    return gradient_step


def step_with_tuple(w, x, y, learning_rate):
    w = w.detach().requires_grad_()
    gradient = torch.autograd.grad(((y - (w[0] + w[1] * x)) ** 2).sum(), w)
    return w - learning_rate * gradient


def step_by_backward(w, x, y, learning_rate):
    w = w.detach().requires_grad_()
    ((y - (w[0] + w[1] * x)) ** 2).sum().backward()
    return (w - learning_rate * w.grad).detach()


def step_in_place(w, x, y, learning_rate):
    w = w.detach().clone().requires_grad_()
    ((y - (w[0] + w[1] * x)) ** 2).sum().backward()
    with torch.no_grad():
        w -= learning_rate * w.grad
    return w.detach()


def step_by_optimiser(w, x, y, learning_rate):
    w = w.detach().clone().requires_grad_()
    optimiser = torch.optim.SGD([w], lr=learning_rate)
    ((y - (w[0] + w[1] * x)) ** 2).sum().backward()
    optimiser.step()
    return w.detach()


def step_by_the_loss(w, x, y, learning_rate):
    return w - learning_rate * ((y - (w[0] + w[1] * x)) ** 2).sum()


def step_by_hand(w, x, y, learning_rate):
    error = w[0] + w[1] * x - y
    return w - 2 * learning_rate * torch.stack([error.sum(), (error * x).sum()])


def step_without_return(w, x, y, learning_rate):
    w - learning_rate * w


def blank_step(w, x, y, learning_rate):
    raise NotImplementedError


G = check.gradient_step
WRONG = [
    Wrong(G, "ascent", "uphill", (step(lambda w, g, a: w + a * g),)),
    Wrong(G, "no rate", "`learning_rate` is missing", (step(lambda w, g, a: w - g),)),
    Wrong(G, "fixed rate", "`learning_rate` is missing", (step(lambda w, g, a: w - 0.01 * g),)),
    Wrong(G, "no step", "does not move", (step(lambda w, g, a: w),)),
    Wrong(G, "gradient", "the gradient itself", (step(lambda w, g, a: g),)),
    Wrong(G, "step only", "w minus it", (step(lambda w, g, a: a * g),)),
    Wrong(G, "mean", "L is a sum", (step(lambda w, g, a: w - a * g / 7),)),
    Wrong(G, "half", "a factor 2 is lost", (step(lambda w, g, a: w - a * g / 2),)),
    Wrong(G, "loss", "subtract its gradient", (step_by_the_loss,)),
    Wrong(G, "tuple", "can't multiply sequence", (step_with_tuple,)),
    Wrong(G, "no return", "Does your function end in a `return`", (step_without_return,)),
    Wrong(G, "blank", "still blank", (blank_step,)),
]
RIGHT = [
    Right(check.gradient_step, "autograd.grad", (step(lambda w, g, a: w - a * g),)),
    Right(check.gradient_step, "backward", (step_by_backward,)),
    Right(check.gradient_step, "by hand", (step_by_hand,)),
    Right(check.gradient_step, "in place", (step_in_place,)),
    Right(check.gradient_step, "by an optimiser", (step_by_optimiser,)),
]

# ---------------------------------------------------------------- Exercise 2, the linear model


def linear(
    prior0=lambda: dist.Normal(0.0, 10.0),
    prior1=lambda: dist.Normal(0.0, 10.0),
    noise=lambda: dist.Gamma(1.0, 1.0),
    likelihood=lambda w0, w1, s, x: dist.Normal(w0 + w1 * x, s.sqrt()),
    names=("w0", "w1", "sigma2", "y"),
    observe=lambda y: y,
):
    def model(x, y=None):
        w0 = pyro.sample(names[0], prior0())
        w1 = pyro.sample(names[1], prior1())
        sigma2 = pyro.sample(names[2], noise())
        with pyro.plate("countries", len(x)):
            pyro.sample(names[3], likelihood(w0, w1, sigma2, x), obs=observe(y))

    return model


def linear_without_plate(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()), obs=y)


def linear_all_in_plate(x, y=None):
    with pyro.plate("countries", len(x)):
        w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
        w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
        sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
        pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()), obs=y)


def linear_without_sigma2(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Normal(w0 + w1 * x, 1.0), obs=y)


def linear_with_params(x, y=None):
    w0 = pyro.param("w0", torch.tensor(0.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()), obs=y)


def linear_with_loop(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    for i in pyro.plate("countries", len(x)):
        pyro.sample(
            f"y_{i}",
            dist.Normal(w0 + w1 * x[i], sigma2.sqrt()),
            obs=None if y is None else y[i],
        )


NOTEBOOK_X = torch.randn(121)


def linear_of_global_x(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    with pyro.plate("countries", len(NOTEBOOK_X)):
        pyro.sample("y", dist.Normal(w0 + w1 * NOTEBOOK_X, sigma2.sqrt()), obs=y)


def linear_in_two_steps(x, y=None):
    """The same model: other order, other plate name, the sd through a power, to_event."""
    precision_free = pyro.sample("sigma2", dist.Exponential(1.0))
    w1 = pyro.sample("w1", dist.Normal(torch.tensor(0.0), torch.tensor(100.0).sqrt()))
    w0 = pyro.sample("w0", dist.Normal(0.0, 100**0.5))
    mean = w0 + w1 * x
    with pyro.plate("nations", x.shape[0]):
        return pyro.sample("y", dist.Normal(mean, precision_free**0.5), obs=y)


def linear_with_math_sqrt(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Normal(w0 + w1 * x, math.sqrt(sigma2)), obs=y)


def linear_with_to_event(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()).to_event(1), obs=y)


def linear_of_121(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    with pyro.plate("countries", 121):
        pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()), obs=y)


def linear_as_one_vector(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    mean = w0[..., None] + w1[..., None] * x
    sd = sigma2.sqrt()[..., None]
    pyro.sample("y", dist.Normal(mean, sd.expand(mean.shape)).to_event(1), obs=y)


def blank_model(x, y=None):
    raise NotImplementedError


def variance_as_scale(w0, w1, s, x):
    return dist.Normal(w0 + w1 * x, s)


M = check.linear_model
WRONG += [
    Wrong(M, "variance in the prior", "you gave the variance",
          (linear(prior0=lambda: dist.Normal(0.0, 100.0)),)),
    Wrong(M, "variance in the likelihood", "you gave the variance",
          (linear(likelihood=variance_as_scale),)),
    Wrong(M, "precision", "Is it a precision",
          (linear(likelihood=lambda w0, w1, s, x: dist.Normal(w0 + w1 * x, 1 / s.sqrt())),)),
    Wrong(M, "no plate", "no plate says", (linear_without_plate,)),
    Wrong(M, "weights in the plate", "every data point gets its own", (linear_all_in_plate,)),
    Wrong(M, "no obs", "ignores the data", (linear(observe=lambda y: None),)),
    Wrong(M, "always observed", "is observed in a call",
          (linear(observe=lambda y: torch.zeros(5) if y is None else y),)),
    Wrong(M, "misspelt", "nearest is `sigma`", (linear(names=("w0", "w1", "sigma", "y")),)),
    Wrong(M, "capital letter", "nearest is `W0`", (linear(names=("W0", "w1", "sigma2", "y")),)),
    Wrong(M, "known noise", "no site named `sigma2`", (linear_without_sigma2,)),
    Wrong(M, "parameter", "is a pyro.param", (linear_with_params,)),
    Wrong(M, "weights swapped", "the other way round",
          (linear(likelihood=lambda a, b, s, x: dist.Normal(b + a * x, s.sqrt())),)),
    Wrong(M, "no intercept", "the intercept w0 is missing",
          (linear(likelihood=lambda a, b, s, x: dist.Normal(b * x, s.sqrt())),)),
    Wrong(M, "sign of the deck's slip", "the sign of the slope",
          (linear(likelihood=lambda a, b, s, x: dist.Normal(a - b * x, s.sqrt())),)),
    Wrong(M, "noise may be negative", "`sigma2` should be any positive number",
          (linear(noise=lambda: dist.Normal(1.0, 1.0)),)),
    Wrong(M, "priors swapped", "belongs to `",
          (linear(prior0=lambda: dist.Gamma(1.0, 1.0), noise=lambda: dist.Normal(0.0, 10.0)),)),
    Wrong(M, "math.sqrt", "Functions of math", (linear_with_math_sqrt,)),
    Wrong(M, "to_event", "declare them with pyro.plate", (linear_with_to_event,)),
    Wrong(M, "fixed size", "use len(x)", (linear_of_121,)),
    Wrong(M, "one argument of Gamma", "your code raises TypeError",
          (linear(noise=lambda: dist.Gamma(1.0)),)),
    Wrong(M, "x as data", "What do you give to `obs=`",
          (linear(observe=lambda y: torch.ones(3, 1)),)),
    Wrong(M, "mean of x", "is the same for all data points",
          (linear(likelihood=lambda a, b, s, x: dist.Normal(a + b * x.mean(), s.sqrt())),)),
    Wrong(M, "other family", "formula says something else",
          (linear(prior0=lambda: dist.Laplace(0.0, 10.0)),)),
    Wrong(M, "loop", "no site named `y`", (linear_with_loop,)),
    Wrong(M, "notebook's x", "from the model's arguments", (linear_of_global_x,)),
    Wrong(M, "blank", "still blank", (blank_model,)),
    Wrong(M, "not a function", "a model is a function", (3,)),
    Wrong(M, "no data argument", "does not take the arguments", (lambda x: None,)),
]  # fmt: skip
RIGHT += [
    Right(M, "as in the solution", (linear(),)),
    Right(M, "other order and plate", (linear_in_two_steps,)),
    Right(M, "y as one vector", (linear_as_one_vector,)),
]

# ------------------------------------------------- Exercise 3, the weights given the noise


def conditional(
    precision=lambda X, s, prior: X.T @ X / s + prior, mean=lambda V, X, y, s: V @ (X.T @ y) / s
):
    def conditional_posterior(sigma2, X, y):
        sigma2 = sigma2[..., None, None]
        covariance = torch.linalg.inv(precision(X, sigma2, torch.eye(2).to(X) / 100))
        return mean(covariance, X, y, sigma2).squeeze(-1), covariance

    return conditional_posterior


def conditional_without_inverse(sigma2, X, y):
    sigma2 = sigma2[..., None, None]
    precision = X.T @ X / sigma2 + torch.eye(2) / 100
    return (precision @ (X.T @ y) / sigma2).squeeze(-1), precision


def conditional_elementwise(sigma2, X, y):
    sigma2 = sigma2[..., None, None]
    covariance = 1 / (X.T @ X / sigma2 + torch.eye(2) / 100)
    return (covariance @ (X.T @ y) / sigma2).squeeze(-1), covariance


def conditional_by_solving(sigma2, X, y):
    s = sigma2[..., None, None]
    precision = X.T @ X / s + torch.eye(2) / 100
    return torch.linalg.solve(precision, X.T @ y / s)[..., 0], precision.inverse()


def conditional_by_cholesky(sigma2, X, y):
    s = sigma2.reshape(*sigma2.shape, 1, 1)
    factor = torch.linalg.cholesky((X.mT @ X) / s + 0.01 * torch.eye(2))
    covariance = torch.cholesky_inverse(factor)
    return (covariance @ X.mT @ y / s).squeeze(-1), covariance


C = check.conditional_posterior
WRONG += [
    Wrong(C, "no inverse", "its inverse is the covariance", (conditional_without_inverse,)),
    Wrong(C, "no prior", "is missing from V", (conditional(lambda X, s, p: X.T @ X / s),)),
    Wrong(C, "prior I", "not I", (conditional(lambda X, s, p: X.T @ X / s + 100 * p),)),
    Wrong(C, "prior variance", "not its variance",
          (conditional(lambda X, s, p: X.T @ X / s + 1e4 * p),)),
    Wrong(C, "sigma", "you divide by σ;",
          (conditional(lambda X, s, p: X.T @ X / s.sqrt() + p,
                       lambda V, X, y, s: V @ (X.T @ y) / s.sqrt()),)),
    Wrong(C, "sigma^4", "σ⁴",
          (conditional(lambda X, s, p: X.T @ X / s**2 + p,
                       lambda V, X, y, s: V @ (X.T @ y) / s**2),)),
    Wrong(C, "m unscaled", "m has a factor 1/σ²",
          (conditional(mean=lambda V, X, y, s: V @ (X.T @ y)),)),
    Wrong(C, "m without V", "m is V times",
          (conditional(mean=lambda V, X, y, s: X.T @ y / s),)),
    Wrong(C, "1 / M", "inverts each entry", (conditional_elementwise,)),
    Wrong(C, "V without noise", "the noise is missing from V",
          (conditional(lambda X, s, p: X.T @ X + p),)),
    Wrong(C, "times noise", "*divided* by σ²", (conditional(lambda X, s, p: X.T @ X * s + p),)),
    Wrong(C, "number for I", "is a *matrix*",
          (conditional(lambda X, s, p: X.T @ X / s + 1 / 100),)),
    Wrong(C, "minus", "not subtracted", (conditional(lambda X, s, p: X.T @ X / s - p),)),
    Wrong(C, "I / 10,000", "is I / 100 already",
          (conditional(lambda X, s, p: X.T @ X / s + p / 100),)),
    Wrong(C, "shapes", "Look at:", (conditional(mean=lambda V, X, y, s: V @ (X @ y) / s),)),
]  # fmt: skip
RIGHT += [
    Right(C, "as in the solution", (conditional(),)),
    Right(C, "solve", (conditional_by_solving,)),
    Right(C, "Cholesky", (conditional_by_cholesky,)),
]

# ------------------------------------------------------ Exercise 5, probabilities from draws

DRAWS = {
    "non-African": {"w1": -0.2 + 0.08 * torch.randn(50_000)},
    "African": {"w1": 0.19 + 0.105 * torch.randn(50_000)},
}
P = (DRAWS["non-African"]["w1"] < 0).float().mean().item()
Q = (DRAWS["African"]["w1"] > 0).float().mean().item()
JOINT = (DRAWS["non-African"]["w1"] < 0) & (DRAWS["African"]["w1"] > 0)

S = check.slope_probabilities
WRONG += [
    Wrong(S, "wrong side outside", "that is P(w1 > 0)", (1 - P, Q, P * Q, DRAWS)),
    Wrong(S, "wrong side inside", "that is P(w1 < 0)", (P, 1 - Q, P * Q, DRAWS)),
    Wrong(S, "groups swapped", "these are the African draws", (Q, P, P * Q, DRAWS)),
    Wrong(S, "other group, other side", "these are the African draws", (1 - Q, Q, P * Q, DRAWS)),
    Wrong(S, "other draws", "Is it the share of", (0.9, Q, P * Q, DRAWS)),
    Wrong(S, "blank", "still blank", (None, None, None, DRAWS)),
    Wrong(S, "count", "between 0 and 1", (P * 50_000, Q, P * Q, DRAWS)),
    Wrong(S, "no mean", "should be a single number", (DRAWS["African"]["w1"] < 0, Q, P * Q, DRAWS)),
    Wrong(S, "at least one", "at least one", (P, Q, P + Q - P * Q, DRAWS)),
    Wrong(S, "minimum", "the other may fail", (P, Q, min(P, Q), DRAWS)),
    Wrong(S, "average", "the average", (P, Q, (P + Q) / 2, DRAWS)),
    Wrong(S, "sum", "between 0 and 1", (P, Q, P + Q, DRAWS)),
    Wrong(S, "word", "should be a number", ("sure", Q, P * Q, DRAWS)),
]
RIGHT += [
    Right(S, "floats", (P, Q, P * Q, DRAWS)),
    Right(S, "tensors", (torch.tensor(P), torch.tensor(Q), torch.tensor(P) * Q, DRAWS)),
    Right(S, "draws paired", (P, Q, JOINT.float().mean(), DRAWS)),
]

# -------------------------------------------------------------- Exercise 6, two variances


def parts(epistemic, aleatoric=lambda d: d["sigma2"].mean()):
    return lambda d, x: (epistemic(d, x), aleatoric(d))


def lines(d, x):
    return d["w0"][:, None] + d["w1"][:, None] * x


def by_covariance(d, x):
    c = torch.cov(torch.stack([d["w0"], d["w1"]]))
    return c[0, 0] + 2 * c[0, 1] * x + c[1, 1] * x**2


def right_epistemic(d, x):
    return lines(d, x).var(0)


V = check.variance_parts
WRONG += [
    Wrong(V, "swapped", "changed places",
          (lambda d, x: (d["sigma2"].mean(), right_epistemic(d, x)),)),
    Wrong(V, "sd", "is a standard deviation", (parts(lambda d, x: lines(d, x).std(0)),)),
    Wrong(V, "sds", "these are standard deviations",
          (parts(lambda d, x: lines(d, x).std(0), lambda d: d["sigma2"].mean().sqrt()),)),
    Wrong(V, "no covariance", "correlated",
          (parts(lambda d, x: d["w0"].var() + d["w1"].var() * x**2),)),
    Wrong(V, "variance of sigma2", "not its variance",
          (parts(right_epistemic, lambda d: d["sigma2"].var()),)),
    Wrong(V, "mean sd", "no square root",
          (parts(right_epistemic, lambda d: d["sigma2"].sqrt().mean()),)),
    Wrong(V, "squared again", "no square.",
          (parts(right_epistemic, lambda d: (d["sigma2"] ** 2).mean()),)),
    Wrong(V, "total", "leave the noise out",
          (parts(lambda d, x: right_epistemic(d, x) + d["sigma2"].mean()),)),
    Wrong(V, "over x", "shape", (parts(lambda d, x: lines(d, x).var(1)),)),
    Wrong(V, "one value", "should return 2 values", (right_epistemic,)),
]  # fmt: skip
RIGHT += [
    Right(V, "variance of the lines", (parts(right_epistemic),)),
    Right(V, "covariance matrix", (parts(by_covariance),)),
    Right(V, "population variance", (parts(lambda d, x: lines(d, x).var(0, correction=0)),)),
]

# ---------------------------------------------------------- Exercise 7, the logistic model


def logistic(
    b=lambda: dist.Normal(0.0, 2.5),
    w=lambda: dist.Normal(0.0, 2.5).expand([2]).to_event(1),
    likelihood=lambda b, w, x: dist.Bernoulli(logits=b + (x * w).sum(-1)),
):
    def model(x, y=None):
        b_, w_ = pyro.sample("b", b()), pyro.sample("w", w())
        with pyro.plate("countries", len(x)):
            pyro.sample("y", likelihood(b_, w_, x), obs=y)

    return model


def logistic_two_sites(x, y=None):
    b = pyro.sample("b", dist.Normal(0.0, 2.5))
    w1 = pyro.sample("w1", dist.Normal(0.0, 2.5))
    w2 = pyro.sample("w2", dist.Normal(0.0, 2.5))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=b + w1 * x[:, 0] + w2 * x[:, 1]), obs=y)


def logistic_with_weights_in_a_plate(x, y=None):
    """A plate over the weights: two sites of one number instead of one vector."""
    b = pyro.sample("b", dist.Normal(0.0, 2.5))
    with pyro.plate("weights", 2):
        w = pyro.sample("w", dist.Normal(0.0, 2.5))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=b + x @ w), obs=y)


L = check.logistic_model
WRONG += [
    Wrong(L, "no to_event", "should be one vector",
          (logistic(w=lambda: dist.Normal(0.0, 2.5).expand([2])),)),
    Wrong(L, "one weight", "`w` has shape ()", (logistic(w=lambda: dist.Normal(0.0, 2.5)),)),
    Wrong(L, "two sites", "no site named `w`; the nearest is `w1`", (logistic_two_sites,)),
    Wrong(L, "variance", "you gave the variance", (logistic(b=lambda: dist.Normal(0.0, 6.25)),)),
    Wrong(L, "probs=", "impossible `probs`",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(probs=b + (x * w).sum(-1))),)),
    Wrong(L, "sigmoid twice", "logits= takes the linear predictor itself",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(
              logits=torch.sigmoid(b + (x * w).sum(-1)))),)),
    Wrong(L, "sign", "0 and 1 have changed places",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(logits=-b - (x * w).sum(-1))),)),
    Wrong(L, "no intercept", "the intercept b is missing",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(logits=(x * w).sum(-1))),)),
    Wrong(L, "normal outcome", "should have a discrete distribution",
          (logistic(likelihood=lambda b, w, x: dist.Normal(b + (x * w).sum(-1), 1.0)),)),
    Wrong(L, "no sum", "Look at",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(logits=b + x * w)),)),
    Wrong(L, "sum over everything", "is the same for all data points",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(
              logits=(b + (x * w).sum()).expand(len(x)))),)),
    Wrong(L, "weights in a plate", "in a plate of its own", (logistic_with_weights_in_a_plate,)),
    Wrong(L, "w[0]", "w[..., 0]",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(
              logits=b + w[0] * x[:, 0] + w[1] * x[:, 1])),)),
    Wrong(L, "wrong covariance", "variances of your MultivariateNormal",
          (logistic(w=lambda: dist.MultivariateNormal(torch.zeros(2), 2.5 * torch.eye(2))),)),
    Wrong(L, "@", "not for many draws",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(logits=b + x @ w)),)),
]  # fmt: skip
RIGHT += [
    Right(L, "as in the solution", (logistic(),)),
    Right(L, "with probs=",
          (logistic(likelihood=lambda b, w, x: dist.Bernoulli(
              probs=torch.sigmoid(b + w[..., 0] * x[:, 0] + w[..., 1] * x[:, 1]))),)),
    Right(L, "w as a multivariate normal",
          (logistic(w=lambda: dist.MultivariateNormal(torch.zeros(2), 6.25 * torch.eye(2))),)),
]  # fmt: skip

# ------------------------------------------------- Exercise 8, a predictive probability


def a(x, d):
    return d["b"][:, None] + d["w"] @ x.T


def sampled(x, d):
    return torch.bernoulli(torch.sigmoid(a(x, d))).mean(0)


def plug_in(x, d):
    return torch.sigmoid(d["b"].mean() + x @ d["w"].mean(0))


R = check.predictive_probability
WRONG += [
    Wrong(R, "plug-in", "plugs in the mean parameters", (plug_in,)),
    Wrong(R, "mean logit", "the sigmoid is missing", (lambda x, d: a(x, d).mean(0),)),
    Wrong(R, "no mean", "average over the draws", (lambda x, d: torch.sigmoid(a(x, d)),)),
    Wrong(R, "other mean", "dimension 0", (lambda x, d: torch.sigmoid(a(x, d)).mean(1),)),
    Wrong(R, "no intercept", "the intercept b is missing",
          (lambda x, d: torch.sigmoid(d["w"] @ x.T).mean(0),)),
    Wrong(R, "votes", "favour", (lambda x, d: (a(x, d) > 0).float().mean(0),)),
    Wrong(R, "drawn outcomes", "noisy", (sampled,)),
    Wrong(R, "shapes", "Look at:", (lambda x, d: torch.sigmoid(d["b"] + d["w"] @ x.T).mean(0),)),
]  # fmt: skip
RIGHT += [
    Right(R, "as in the solution", (lambda x, d: torch.sigmoid(a(x, d)).mean(0),)),
    Right(R, "Bernoulli's probs",
          (lambda x, d: dist.Bernoulli(logits=d["b"] + x @ d["w"].T).probs.mean(-1),)),
]  # fmt: skip


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


# ------------------------------------------------------------ Exercise 4, the African group


@pytest.fixture(scope="module")
def group():
    countries = load_rugged()
    rows = countries[countries["cont_africa"] == 1]
    x, y = (torch.tensor(rows[c].to_numpy(), dtype=torch.float32) for c in ("rugged", "log_gdp"))
    return x, y


LOG_EVIDENCE = -74.8893  # of the African group, by the notebook's quadrature


def fitted(guide, x, y, steps=250, learning_rate=0.2):
    pyro.clear_param_store()
    losses = inference.fit(
        linear(), guide, x, y, steps=steps, learning_rate=learning_rate,
        final_learning_rate=learning_rate / 200, particles=16, max_plate_nesting=1, progress=False,
    )  # fmt: skip
    return guide, losses


def hand_written_guide(x, y=None):
    for name, start in (("w0", 7.3), ("w1", 0.2)):
        loc = pyro.param(f"{name}_loc", torch.tensor(start))
        pyro.sample(name, dist.Normal(loc, pyro.param(f"{name}_scale", torch.tensor(0.1))))
    rate = pyro.param("rate", torch.tensor(1.0), constraint=dist.constraints.positive)
    pyro.sample("sigma2", dist.Gamma(1.0, rate))


FITS = [
    Wrong(check.african_fit, "not fitted", "not been fitted",
          (lambda x, y: (AutoMultivariateNormal(linear()), [75.0]),)),
    Wrong(check.african_fit, "too few steps", "can be reached",
          (lambda x, y: fitted(AutoMultivariateNormal(linear()), x, y, steps=20),)),
    Wrong(check.african_fit, "rate too small", "can be reached",
          (lambda x, y: fitted(AutoMultivariateNormal(linear()), x, y, 50, 1e-4),)),
    Wrong(check.african_fit, "mean-field", "w0 and w1 as independent",
          (lambda x, y: fitted(AutoDiagonalNormal(linear()), x, y, steps=5),)),
    Wrong(check.african_fit, "other group's data", "Which data",
          (lambda x, y: fitted(AutoMultivariateNormal(linear()), x[:20], y[:20] + 2, steps=500),)),
    Wrong(check.african_fit, "x and y swapped", "Which data",
          (lambda x, y: fitted(AutoMultivariateNormal(linear()), y, x, steps=500),)),
    Wrong(check.african_fit, "mean-field, the other class", "w0 and w1 as independent",
          (lambda x, y: fitted(AutoNormal(linear()), x, y, steps=5),)),
    Wrong(check.african_fit, "point estimate", "is a single point",
          (lambda x, y: fitted(AutoDelta(linear()), x, y, steps=5),)),
    Wrong(check.african_fit, "the losses", "is a list of losses",
          (lambda x, y: ([80.0, 75.0], [75.0]),)),
    Wrong(check.african_fit, "the class", "is the class itself",
          (lambda x, y: (AutoMultivariateNormal, [75.0]),)),
    Wrong(check.african_fit, "scale unconstrained", "nothing keeps `w0_scale` positive",
          (lambda x, y: (hand_written_guide, [75.0]),)),
    Wrong(check.african_fit, "no losses", "still blank: `african_losses` is None",
          (lambda x, y: (fitted(AutoMultivariateNormal(linear()), x, y, steps=2)[0], None),)),
]  # fmt: skip


@each(FITS)
def test_wrong_fit_gets_the_message_meant_for_it(case, group, capsys):
    guide_and_losses = case.answer[0](*group)
    assert_caught(case._replace(answer=(*guide_and_losses, *group, LOG_EVIDENCE)), capsys)


@pytest.mark.parametrize("learning_rate", [0.2, 0.4])
def test_right_fit_passes(learning_rate, group, capsys):
    guide_and_losses = fitted(AutoMultivariateNormal(linear()), *group, 500, learning_rate)
    assert_accepted(Right(check.african_fit, "", (*guide_and_losses, *group, LOG_EVIDENCE)), capsys)


def test_enough_answers_for_every_exercise():
    fits_right = [Right(check.african_fit, "", ())] * 2  # the two of test_right_fit_passes
    assert_enough(check, WRONG + FITS, RIGHT + fits_right)
