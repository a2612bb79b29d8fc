"""Day2/2_simple_gaussian_model: typical wrong answers are caught, unusual right ones pass."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.distributions import constraints
from pyro.infer.autoguide import AutoNormal

from tests.answers import Right, Wrong, assert_accepted, assert_caught, assert_enough, each
from utils.checks import simple_gaussian_model as check

WRONG: list[Wrong] = []
RIGHT: list[Right] = []

# ---------------------------------------------------------------------- Exercise 1, divergence


def blank(*args):
    raise NotImplementedError


def kl_by_torch(log_q, log_p, step):
    terms = torch.nn.functional.kl_div(log_p, log_q, reduction="none", log_target=True)
    return terms.sum(-1) * step


def kl_by_trapezoid(log_q, log_p, step):
    return torch.trapezoid(log_q.exp() * (log_q - log_p), dx=float(step), dim=-1)


def kl_without_return(log_q, log_p, step):
    (log_q.exp() * (log_q - log_p)).sum(-1) * step


K = check.kl_on_grid
WRONG += [
    Wrong(K, "directions swapped", "that is KL(p‖q)",
          (lambda q, p, s: (p.exp() * (p - q)).sum(-1) * s,)),
    Wrong(K, "sign", "the sign is reversed", (lambda q, p, s: (q.exp() * (p - q)).sum(-1) * s,)),
    Wrong(K, "weight p", "the weight is the density q",
          (lambda q, p, s: (p.exp() * (q - p)).sum(-1) * s,)),
    Wrong(K, "no step", "as wide as `step`", (lambda q, p, s: (q.exp() * (q - p)).sum(-1),)),
    Wrong(K, "mean", "is not the integral", (lambda q, p, s: (q.exp() * (q - p)).mean(-1),)),
    Wrong(K, "mean times step", "is not the integral",
          (lambda q, p, s: (q.exp() * (q - p)).mean(-1) * s,)),
    Wrong(K, "no weight", "each has the weight", (lambda q, p, s: (q - p).sum(-1) * s,)),
    Wrong(K, "log as weight", "the weight is the density itself",
          (lambda q, p, s: (q * (q - p)).sum(-1) * s,)),
    Wrong(K, "densities in brackets", "stand log densities",
          (lambda q, p, s: (q.exp() * (q.exp() - p.exp())).sum(-1) * s,)),
    Wrong(K, "quotient of logs", "is a *difference*",
          (lambda q, p, s: (q.exp() * (q / p)).sum(-1) * s,)),
    Wrong(K, "entropy only", "p is missing", (lambda q, p, s: (q.exp() * q).sum(-1) * s,)),
    Wrong(K, "absolute values", "no absolute values",
          (lambda q, p, s: (q.exp() * (q - p)).abs().sum(-1) * s,)),
    Wrong(K, "no sum", "one number for each point", (lambda q, p, s: q.exp() * (q - p) * s,)),
    Wrong(K, "sum over everything", "not for many at once",
          (lambda q, p, s: (q.exp() * (q - p)).sum() * s,)),
    Wrong(K, "no return", "Does your function end in a `return`", (kl_without_return,)),
    Wrong(K, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(K, "as in the solution", (lambda q, p, s: (q.exp() * (q - p)).sum(-1) * s,)),
    Right(K, "by torch", (kl_by_torch,)),
    Right(K, "by the trapezoidal rule", (kl_by_trapezoid,)),
]

# --------------------------------------------------------------------------- Exercise 2, terms

DOUBLE = {"dtype": torch.float64, "device": "cpu"}
CONSTANT = 0.5 * math.log(2 * math.pi)


def kl_normals(a, b, m, s):
    a, b, m, s = (torch.as_tensor(value, **DOUBLE) for value in (a, b, m, s))
    return (s / b).log() + (b**2 + (a - m) ** 2) / (2 * s**2) - 0.5


def terms(
    explain=lambda a, b: -CONSTANT - 0.5 * ((18 - a) ** 2 + b**2),
    stay=lambda a, b: kl_normals(a, b, 15.0, 2.0),
):
    return lambda nu_a, nu_b: (explain(nu_a, nu_b), stay(nu_a, nu_b))


def terms_by_distributions(nu_a, nu_b):
    q = dist.Normal(nu_a, nu_b)
    prior = dist.Normal(torch.full_like(nu_a, 15.0), 2.0)
    at_mean = dist.Normal(nu_a, torch.ones_like(nu_a)).log_prob(torch.full_like(nu_a, 18.0))
    return at_mean - nu_b**2 / 2, torch.distributions.kl_divergence(q, prior)


def terms_as_numbers(nu_a, nu_b):
    return tuple(term.item() for term in terms()(nu_a, nu_b))


def terms_detached(nu_a, nu_b):
    return terms()(nu_a.detach(), nu_b.detach())


T = check.elbo_terms
WRONG += [
    Wrong(T, "numbers", "for many at once", (terms_as_numbers,)),
    Wrong(T, "detached", "no gradient passes", (terms_detached,)),
    Wrong(T, "plug-in", "not the square of the mean",
          (terms(lambda a, b: -CONSTANT - 0.5 * (18 - a) ** 2),)),
    Wrong(T, "sd for variance", "its square counts",
          (terms(lambda a, b: -CONSTANT - 0.5 * ((18 - a) ** 2 + b)),)),
    Wrong(T, "spread subtracted", "adds to the squared distance",
          (terms(lambda a, b: -CONSTANT - 0.5 * ((18 - a) ** 2 - b**2)),)),
    Wrong(T, "no constant", "½ ln 2π is missing",
          (terms(lambda a, b: -0.5 * ((18 - a) ** 2 + b**2)),)),
    Wrong(T, "whole ln 2π", "the ½ is missing",
          (terms(lambda a, b: -2 * CONSTANT - 0.5 * ((18 - a) ** 2 + b**2)),)),
    Wrong(T, "bracket", "look at the brackets",
          (terms(lambda a, b: -CONSTANT - 0.5 * (18 - a) ** 2 + b**2),)),
    Wrong(T, "no half", "before the square is missing",
          (terms(lambda a, b: -CONSTANT - ((18 - a) ** 2 + b**2)),)),
    Wrong(T, "signs of explain", "all its signs are reversed",
          (terms(lambda a, b: CONSTANT + 0.5 * ((18 - a) ** 2 + b**2)),)),
    Wrong(T, "15 for 18", "the reading is 18",
          (terms(lambda a, b: -CONSTANT - 0.5 * ((15 - a) ** 2 + b**2)),)),
    Wrong(T, "log of the mean", "The ELBO has the mean of the logarithm",
          (terms(lambda a, b: dist.Normal(a, (1 + b**2) ** 0.5).log_prob(0 * a + 18)),)),
    Wrong(T, "kl swapped", "the guide comes first",
          (terms(stay=lambda a, b: kl_normals(15.0, 2.0, a, b)),)),
    Wrong(T, "variance 4", "4 is the prior's variance",
          (terms(stay=lambda a, b: kl_normals(a, b, 15.0, 4.0)),)),
    Wrong(T, "nu_b squared", "ν_b is one already",
          (terms(stay=lambda a, b: kl_normals(a, b**2, 15.0, 2.0)),)),
    Wrong(T, "to the posterior", "the one to the prior",
          (terms(stay=lambda a, b: kl_normals(a, b, 17.4, 0.8**0.5)),)),
    Wrong(T, "to the likelihood", "belong to the likelihood",
          (terms(stay=lambda a, b: kl_normals(a, b, 18.0, 1.0)),)),
    Wrong(T, "minus", "the minus comes",
          (terms(stay=lambda a, b: -kl_normals(a, b, 15.0, 2.0)),)),
    Wrong(T, "terms swapped", "have changed places",
          (lambda a, b: terms()(a, b)[::-1],)),
    Wrong(T, "the difference", "should return two values",
          (lambda a, b: terms()(a, b)[0] - terms()(a, b)[1],)),
    Wrong(T, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(T, "as in the solution", (terms(),)),
    Right(T, "by distributions", (terms_by_distributions,)),
]

# ------------------------------------------------------------------------ Exercise 3, estimate


def estimate(mean=lambda p, q: (p - q).mean(), error=lambda p, q: (p - q).std() / len(q) ** 0.5):
    return lambda log_p, log_q: (mean(log_p, log_q), error(log_p, log_q))


E = check.elbo_estimate
WRONG += [
    Wrong(E, "loss", "minus the ELBO", (estimate(lambda p, q: (q - p).mean()),)),
    Wrong(E, "sum", "the *mean* over the draws", (estimate(lambda p, q: (p - q).sum()),)),
    Wrong(E, "no entropy", "ln q is missing", (estimate(lambda p, q: p.mean()),)),
    Wrong(E, "plus", "ln q is subtracted", (estimate(lambda p, q: (p + q).mean()),)),
    Wrong(E, "evidence", "That estimates ln p(x)",
          (estimate(lambda p, q: (p - q).exp().mean().log()),)),
    Wrong(E, "weighted by q", "do not weight them",
          (estimate(lambda p, q: (q.exp() * (p - q)).sum()),)),
    Wrong(E, "quotient", "no quotient", (estimate(lambda p, q: (p / q).mean()),)),
    Wrong(E, "densities", "the difference is of the logarithms",
          (estimate(lambda p, q: (p.exp() - q.exp()).mean()),)),
    Wrong(E, "sd", "by which factor", (estimate(error=lambda p, q: (p - q).std()),)),
    Wrong(E, "by S", "by √S, not by S", (estimate(error=lambda p, q: (p - q).std() / len(q)),)),
    Wrong(E, "squared error", "take the root",
          (estimate(error=lambda p, q: (p - q).var() / len(q)),)),
    Wrong(E, "variance", "you took the variance",
          (estimate(error=lambda p, q: (p - q).var() / len(q) ** 0.5),)),
    Wrong(E, "times root S", "divide by √S",
          (estimate(error=lambda p, q: (p - q).std() * len(q) ** 0.5),)),
    Wrong(E, "sd of ln p", "not ln p alone",
          (estimate(error=lambda p, q: p.std() / len(q) ** 0.5),)),
    Wrong(E, "difference of sds", "of the differences f",
          (estimate(error=lambda p, q: (p.std() - q.std()) / len(q) ** 0.5),)),
    Wrong(E, "None", "`estimate` is None", (lambda p, q: (None, None),)),
    Wrong(E, "one value", "should return two values", (lambda p, q: (p - q).mean(),)),
    Wrong(E, "100 draws", "`standard_error`",
          (estimate(error=lambda p, q: (p - q).std() / 1000**0.5),)),
    Wrong(E, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(E, "as in the solution", (estimate(),)),
    Right(E, "by var",
          (estimate(lambda p, q: p.mean() - q.mean(),
                    lambda p, q: ((p - q).var() / q.numel()).sqrt()),)),
    Right(E, "by sums",
          (estimate(lambda p, q: (p - q).sum() / q.shape[0],
                    lambda p, q: torch.std(p - q) / math.sqrt(len(p))),)),
]  # fmt: skip

# ------------------------------------------------------------------------ Exercise 4, gradient


def slope(z):
    return (15 - z) / 4 + (18 - z)


def gradient(
    g_a=lambda d, b, e: d,
    g_b=lambda d, b, e: d * e + 1 / b,
    z=lambda a, b, e: a + b * e,
    d=slope,
):
    def reparameterised(nu_a, nu_b, epsilon):
        s = d(z(nu_a, nu_b, epsilon))
        return torch.stack([g_a(s, nu_b, epsilon), g_b(s, nu_b, epsilon)], dim=-1)

    return reparameterised


def gradient_by_autograd(nu_a, nu_b, epsilon):
    a = nu_a.expand(len(epsilon)).clone().requires_grad_()
    b = nu_b.expand(len(epsilon)).clone().requires_grad_()
    z = a + b * epsilon
    f = dist.Normal(15.0, 2.0).log_prob(z) + dist.Normal(z, 1.0).log_prob(torch.tensor(18.0))
    return torch.stack(torch.autograd.grad((f + b.log()).sum(), (a, b)), dim=1)


def gradient_by_columns(nu_a, nu_b, epsilon):
    d = slope(nu_a + nu_b * epsilon)[:, None]
    return torch.cat([d, d * epsilon[:, None] + nu_b**-1], dim=1)


G = check.reparameterised_gradient
WRONG += [
    Wrong(G, "no entropy", "g_b lacks 1/ν_b", (gradient(g_b=lambda d, b, e: d * e),)),
    Wrong(G, "no epsilon", "g_b lacks a factor", (gradient(g_b=lambda d, b, e: d + 1 / b),)),
    Wrong(G, "twice g_a", "g_b is the same as g_a", (gradient(g_b=lambda d, b, e: d),)),
    Wrong(G, "entropy's sign", "with a plus", (gradient(g_b=lambda d, b, e: d * e - 1 / b),)),
    Wrong(G, "log", "the derivative of ln ν_b", (gradient(g_b=lambda d, b, e: d * e + b.log()),)),
    Wrong(G, "bracket", "look at the brackets", (gradient(g_b=lambda d, b, e: (d + 1 / b) * e),)),
    Wrong(G, "nu_b for epsilon", "moves with ν_b by ε",
          (gradient(g_b=lambda d, b, e: d * b + 1 / b),)),
    Wrong(G, "loss", "the gradient of the loss",
          (gradient(lambda d, b, e: -d, lambda d, b, e: -d * e - 1 / b),)),
    Wrong(G, "swapped", "have changed places",
          (gradient(lambda d, b, e: d * e + 1 / b, lambda d, b, e: d),)),
    Wrong(G, "at the mean", "at each draw z", (gradient(z=lambda a, b, e: a + 0 * e),)),
    Wrong(G, "at epsilon", "that ε makes", (gradient(z=lambda a, b, e: e),)),
    Wrong(G, "variance", "standard deviation already",
          (gradient(z=lambda a, b, e: a + b.sqrt() * e),)),
    Wrong(G, "unscaled", "is scaled by ν_b", (gradient(z=lambda a, b, e: a + e),)),
    Wrong(G, "no prior", "(15 - z)/2², is missing", (gradient(d=lambda z: 18 - z),)),
    Wrong(G, "sd of the prior", "divided by 2², by 4",
          (gradient(d=lambda z: (15 - z) / 2 + (18 - z)),)),
    Wrong(G, "no likelihood", "of the likelihood is missing",
          (gradient(d=lambda z: (15 - z) / 4),)),
    Wrong(G, "sign of d", "its sign is reversed",
          (gradient(d=lambda z: (z - 15) / 4 + (z - 18)),)),
    Wrong(G, "averaged", "averaged over the draws already",
          (lambda a, b, e: gradient()(a, b, e).mean(0),)),
    Wrong(G, "transposed", "each *row* should be one draw",
          (lambda a, b, e: gradient()(a, b, e).T,)),
    Wrong(G, "a pair of tensors", "with torch.stack",
          (lambda a, b, e: tuple(gradient()(a, b, e).T),)),
    Wrong(G, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(G, "as in the solution", (gradient(),)),
    Right(G, "by autograd", (gradient_by_autograd,)),
    Right(G, "by columns", (gradient_by_columns,)),
]

# --------------------------------------------------------------------------- Exercise 5, model


def gaussian(
    mu=lambda: dist.Normal(0.0, 100.0),
    gamma=lambda: dist.Gamma(1.0, 1.0),
    likelihood=lambda mu, gamma: dist.Normal(mu, gamma**-0.5),
    names=("mu", "gamma", "x"),
    observe=lambda x: x,
):
    def model(n, x=None):
        m = pyro.sample(names[0], mu())
        g = pyro.sample(names[1], gamma())
        with pyro.plate("data", n):
            pyro.sample(names[2], likelihood(m, g), obs=observe(x))

    return model


def gaussian_without_plate(n, x=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    pyro.sample("x", dist.Normal(mu, gamma**-0.5).expand([n]), obs=x)


def gaussian_all_in_plate(n, x=None):
    with pyro.plate("data", n):
        mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
        gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
        pyro.sample("x", dist.Normal(mu, gamma**-0.5), obs=x)


def gaussian_of_100(n, x=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", 100):
        pyro.sample("x", dist.Normal(mu, gamma**-0.5), obs=x)


def gaussian_with_params(n, x=None):
    mu = pyro.param("mu", torch.tensor(0.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", n):
        pyro.sample("x", dist.Normal(mu, gamma**-0.5), obs=x)


def gaussian_in_another_order(n, x=None):
    precision = pyro.sample("gamma", dist.Exponential(torch.tensor(1.0)))
    mean = pyro.sample("mu", dist.Normal(torch.tensor(0.0), 10000**0.5))
    with pyro.plate("points", n):
        return pyro.sample("x", dist.Normal(mean, torch.rsqrt(precision)), obs=x)


M = check.gaussian_model
WRONG += [
    Wrong(M, "prior's variance", "you gave the variance",
          (gaussian(mu=lambda: dist.Normal(0.0, 10000.0)),)),
    Wrong(M, "gamma as scale", "its scale is the precision",
          (gaussian(likelihood=lambda m, g: dist.Normal(m, g)),)),
    Wrong(M, "root of gamma", "a *small* standard deviation",
          (gaussian(likelihood=lambda m, g: dist.Normal(m, g.sqrt())),)),
    Wrong(M, "variance as scale", "1/γ, the variance",
          (gaussian(likelihood=lambda m, g: dist.Normal(m, 1 / g)),)),
    Wrong(M, "1/γ²", "Normal takes its root",
          (gaussian(likelihood=lambda m, g: dist.Normal(m, 1 / g**2)),)),
    Wrong(M, "no plate", "no plate says", (gaussian_without_plate,)),
    Wrong(M, "all in the plate", "every data point gets its own", (gaussian_all_in_plate,)),
    Wrong(M, "100", "from the model's arguments", (gaussian_of_100,)),
    Wrong(M, "mu a parameter", "is a pyro.param", (gaussian_with_params,)),
    Wrong(M, "no obs", "ignores the data", (gaussian(observe=lambda x: None),)),
    Wrong(M, "misspelt", "nearest is `gama`", (gaussian(names=("mu", "gama", "x")),)),
    Wrong(M, "Greek name", "no site named `mu`", (gaussian(names=("μ", "gamma", "x")),)),
    Wrong(M, "normal precision", "`gamma` should be any positive number",
          (gaussian(gamma=lambda: dist.Normal(1.0, 1.0)),)),
    Wrong(M, "priors swapped", "that belongs to `",
          (gaussian(mu=lambda: dist.Gamma(1.0, 1.0), gamma=lambda: dist.Normal(0.0, 100.0)),)),
    Wrong(M, "math.sqrt", "Functions of math",
          (gaussian(likelihood=lambda m, g: dist.Normal(m, 1 / math.sqrt(g))),)),
    Wrong(M, "no mu", "its mean is μ",
          (gaussian(likelihood=lambda m, g: dist.Normal(0, g**-0.5)),)),
    Wrong(M, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(M, "as in the solution", (gaussian(),)),
    Right(M, "in another order", (gaussian_in_another_order,)),
]

# --------------------------------------------------------------------------- Exercise 6, guide

POSITIVE = constraints.positive


def guide(
    start=(0.0, 1.0, 1.0, 1.0),
    names=("nu_mu", "nu_sigma2", "nu_alpha", "nu_beta"),
    constraint=(constraints.real, POSITIVE, POSITIVE, POSITIVE),
    q_mu=lambda m, s2: dist.Normal(m, s2.sqrt()),
    q_gamma=lambda a, b: dist.Gamma(a, b),
    sites=("mu", "gamma"),
    returned=lambda mu, gamma: {"mu": mu, "gamma": gamma},
):
    def gaussian_guide(n, x=None):
        m, s2, a, b = (
            pyro.param(name, torch.tensor(value), constraint=c)
            for name, value, c in zip(names, start, constraint, strict=True)
        )
        mu, gamma = pyro.sample(sites[0], q_mu(m, s2)), pyro.sample(sites[1], q_gamma(a, b))
        return returned(mu, gamma)

    return gaussian_guide


def guide_with_x(n, x=None):
    draws = guide()(n, x)
    with pyro.plate("data", n):
        pyro.sample("x", dist.Normal(draws["mu"], draws["gamma"] ** -0.5), obs=x)
    return draws


def guide_in_a_plate(n, x=None):
    with pyro.plate("data", n):
        return guide()(n, x)


def guide_without_params(n, x=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    return {"mu": mu, "gamma": pyro.sample("gamma", dist.Gamma(1.0, 1.0))}


def guide_without_argument():
    return guide()(7)


def guide_gamma_first(n, x=None):
    b = pyro.param("nu_beta", torch.tensor(1.0), constraint=constraints.greater_than(0.0))
    a = pyro.param("nu_alpha", torch.tensor(1.0), constraint=constraints.softplus_positive)
    gamma = pyro.sample("gamma", dist.Gamma(rate=b, concentration=a))
    s2 = pyro.param("nu_sigma2", lambda: torch.ones(()), constraint=constraints.positive)
    mu = pyro.sample("mu", dist.Normal(pyro.param("nu_mu", torch.zeros(())), s2**0.5))
    return {"gamma": gamma, "mu": mu}


def guide_with_math(n, x=None):
    return guide(q_mu=lambda m, s2: dist.Normal(m, s2.item() ** 0.5))(n, x)


U = check.gaussian_guide
WRONG += [
    Wrong(U, "a number taken out", "`nu_sigma2` does not reach", (guide_with_math,)),
    Wrong(U, "variance as scale", "`nu_sigma2` is a variance.",
          (guide(q_mu=lambda m, s2: dist.Normal(m, s2)),)),
    Wrong(U, "square", "no square", (guide(q_mu=lambda m, s2: dist.Normal(m, s2**2)),)),
    Wrong(U, "precision", "not a precision", (guide(q_mu=lambda m, s2: dist.Normal(m, s2**-0.5)),)),
    Wrong(U, "exp", "no exp", (guide(q_mu=lambda m, s2: dist.Normal(m, s2.exp())),)),
    Wrong(U, "gamma's arguments", "wrong way round",
          (guide(q_gamma=lambda a, b: dist.Gamma(b, a)),)),
    Wrong(U, "scale for rate", "no 1 / nu_beta",
          (guide(q_gamma=lambda a, b: dist.Gamma(a, 1 / b)),)),
    Wrong(U, "exp by hand", "use it without exp",
          (guide(constraint=(constraints.real,) * 4, q_mu=lambda m, s2: dist.Normal(m, s2.exp()),
                 q_gamma=lambda a, b: dist.Gamma(a.exp(), b.exp())),)),
    Wrong(U, "no constraint", "nothing keeps `nu_sigma2` positive",
          (guide(constraint=(constraints.real,) * 4),)),
    Wrong(U, "mean positive", "it needs no constraint",
          (guide(constraint=(POSITIVE,) * 4, start=(1.0, 1.0, 1.0, 1.0)),)),
    Wrong(U, "other start", "`nu_alpha` starts at 2", (guide(start=(0.0, 1.0, 2.0, 1.0)),)),
    Wrong(U, "other name", "no parameter named `nu_sigma2`",
          (guide(names=("nu_mu", "nu_sigma", "nu_alpha", "nu_beta")),)),
    Wrong(U, "other site", "the guide has no site named `gamma`", (guide(sites=("mu", "gama")),)),
    Wrong(U, "x in the guide", "samples `x`, which is observed", (guide_with_x,)),
    Wrong(U, "in a plate", "has shape (7,) in the guide", (guide_in_a_plate,)),
    Wrong(U, "no parameters", "nothing to optimise", (guide_without_params,)),
    Wrong(U, "log-normal", "q(gamma) should be a Gamma",
          (guide(q_gamma=lambda a, b: dist.LogNormal(a, b)),)),
    Wrong(U, "normal gamma", "values that the model does not allow",
          (guide(q_gamma=lambda a, b: dist.Normal(a, b)),)),
    Wrong(U, "fixed mean", "its mean should be",
          (guide(q_mu=lambda m, s2: dist.Normal(0 * m, s2.sqrt())),)),
    Wrong(U, "nothing returned", "should return its draws", (guide(returned=lambda m, g: None),)),
    Wrong(U, "draws swapped", "should return its draws",
          (guide(returned=lambda m, g: {"mu": g, "gamma": m}),)),
    Wrong(U, "no argument", "does not take the arguments", (guide_without_argument,)),
    Wrong(U, "ready-made", "no parameter named `nu_mu`", (AutoNormal(gaussian()),)),
    Wrong(U, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [Right(U, "as in the solution", (guide(),)), Right(U, "gamma first", (guide_gamma_first,))]

# ---------------------------------------------------------------------------- Exercise 7, CAVI


def cavi(
    s2=lambda n, g: 1 / (n * g + 1e-4),
    m=lambda x, g, s2: s2 * g * x.sum(),
    a=lambda n: 1 + n / 2,
    b=lambda x, m, s2: 1 + 0.5 * (((x - m) ** 2).sum() + len(x) * s2),
):
    def update(x, mean_gamma):
        n = len(x)
        nu_sigma2 = s2(n, mean_gamma)
        nu_mu = m(x, mean_gamma, nu_sigma2)
        return {
            "nu_mu": nu_mu,
            "nu_sigma2": nu_sigma2,
            "nu_alpha": a(n),
            "nu_beta": b(x, nu_mu, nu_sigma2),
        }

    return update


def squares(x, m):
    return ((x - m) ** 2).sum()


def cavi_by_expansion(x, mean_gamma):
    n, total, total2 = len(x), x.sum(), (x**2).sum()
    s2 = (n * mean_gamma + 0.0001) ** -1
    m = total * mean_gamma * s2
    expected = total2 - 2 * m * total + n * (m**2 + s2)
    return {"nu_mu": m, "nu_sigma2": s2, "nu_alpha": torch.tensor(0.5 * (n + 2)),
            "nu_beta": expected / 2 + 1}  # fmt: skip


def cavi_with_whole_numbers(x, mean_gamma):
    return cavi()(x, mean_gamma) | {"nu_alpha": torch.tensor(1.0 + len(x) // 2)}


A = check.cavi_update
WRONG += [
    Wrong(A, "n // 2", "`nu_alpha`", (cavi_with_whole_numbers,)),
    Wrong(A, "precision", "one over it", (cavi(s2=lambda n, g: n * g + 1e-4),)),
    Wrong(A, "no prior", "`nu_sigma2`: the prior's precision is missing",
          (cavi(s2=lambda n, g: 1 / (n * g)),)),
    Wrong(A, "prior's variance", "one over its variance",
          (cavi(s2=lambda n, g: 1 / (n * g + 10000)),)),
    Wrong(A, "prior's sd", "its precision is 1/10000",
          (cavi(s2=lambda n, g: 1 / (n * g + 1 / 100)),)),
    Wrong(A, "no n", "each of the n points", (cavi(s2=lambda n, g: 1 / (g + 1e-4)),)),
    Wrong(A, "bracket", "one over the whole sum", (cavi(s2=lambda n, g: 1 / (n * g) + 1e-4),)),
    Wrong(A, "sd", "that is the standard deviation",
          (cavi(s2=lambda n, g: torch.tensor(n * g + 1e-4) ** -0.5),)),
    Wrong(A, "no s2 in m", "the factor ν_σ² is missing", (cavi(m=lambda x, g, s2: g * x.sum()),)),
    Wrong(A, "no gamma in m", "the factor E[γ] is missing",
          (cavi(m=lambda x, g, s2: s2 * x.sum()),)),
    Wrong(A, "sample mean", "use the formula", (cavi(m=lambda x, g, s2: x.mean()),)),
    Wrong(A, "mean for sum", "has the *sum*", (cavi(m=lambda x, g, s2: s2 * g * x.mean()),)),
    Wrong(A, "no sum", "should be a single number", (cavi(m=lambda x, g, s2: s2 * g * x),)),
    Wrong(A, "no prior shape", "the prior's shape, 1", (cavi(a=lambda n: n / 2),)),
    Wrong(A, "1 + n", "one *half*", (cavi(a=lambda n: 1 + n),)),
    Wrong(A, "halved", "n of the halves, and a whole", (cavi(a=lambda n: (1 + n) / 2),)),
    Wrong(A, "n - 1", "n of the halves, and a whole", (cavi(a=lambda n: 1 + (n - 1) / 2),)),
    Wrong(A, "plug-in", "μ is not known exactly",
          (cavi(b=lambda x, m, s2: 1 + 0.5 * squares(x, m)),)),
    Wrong(A, "s2 once", "for *each* of the n points",
          (cavi(b=lambda x, m, s2: 1 + 0.5 * (squares(x, m) + s2)),)),
    Wrong(A, "s2 in the sum's bracket", "½ belongs to both terms",
          (cavi(b=lambda x, m, s2: 1 + 0.5 * squares(x, m) + len(x) * s2),)),
    Wrong(A, "no half", "the factor ½ is missing",
          (cavi(b=lambda x, m, s2: 1 + squares(x, m) + len(x) * s2),)),
    Wrong(A, "no prior rate", "the prior's rate, 1",
          (cavi(b=lambda x, m, s2: 0.5 * (squares(x, m) + len(x) * s2)),)),
    Wrong(A, "sample mean in beta", "not from the mean of the data",
          (cavi(b=lambda x, m, s2: 1 + 0.5 * (squares(x, x.mean()) + len(x) * s2)),)),
    Wrong(A, "square of the sum", "square each distance first",
          (cavi(b=lambda x, m, s2: 1 + 0.5 * ((x - m).sum() ** 2 + len(x) * s2)),)),
    Wrong(A, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(A, "as in the solution", (cavi(),)),
    Right(A, "squares expanded", (cavi_by_expansion,)),
    Right(A, "s2 inside the sum",
          (cavi(b=lambda x, m, s2: 1 + ((x - m) ** 2 + s2).sum() / 2),)),
]  # fmt: skip

# ----------------------------------------------------------------------------- Exercise 8, fit

X = (5 + torch.randn(100, generator=torch.Generator("cpu").manual_seed(2), device="cpu")).double()


def optimum():
    nu, mean_gamma = {}, 1.0
    for _ in range(20):
        nu = {name: float(value) for name, value in cavi()(X, mean_gamma).items()}
        mean_gamma = nu["nu_alpha"] / nu["nu_beta"]
    return nu


OPTIMUM = optimum()


def scaled(**factors):
    return {name: value * factors.get(name, 1.0) for name, value in OPTIMUM.items()}


def losses(slope=0.0, noise=0.01, steps=1000):
    steps_axis = torch.arange(float(steps), device="cpu")
    wiggle = noise * torch.randn(
        steps, generator=torch.Generator("cpu").manual_seed(1), device="cpu"
    )
    return (150 - slope * steps_axis + wiggle).tolist()


START = {"nu_mu": 0.0, "nu_sigma2": 1.0, "nu_alpha": 2.0, "nu_beta": 2.0}

F = check.gaussian_fit
WRONG += [
    Wrong(F, "as published", "still rising",
          ({"nu_mu": 5.08, "nu_sigma2": 0.041, "nu_alpha": 4.2, "nu_beta": 4.0},
           losses(slope=0.01, noise=5.0, steps=3000), START, OPTIMUM, X)),
    Wrong(F, "one particle", "how many particles",
          (scaled(nu_alpha=0.65, nu_beta=0.65), losses(noise=1.0), START, OPTIMUM, X)),
    Wrong(F, "not quite", "`nu_alpha` is 43.4",
          (scaled(nu_alpha=0.85, nu_beta=0.85), losses(), START, OPTIMUM, X)),
    Wrong(F, "not quite: what to do", "let the rate decay",
          (scaled(nu_alpha=0.85, nu_beta=0.85), losses(), START, OPTIMUM, X)),
    Wrong(F, "mean off", "`nu_mu` is +0.50 standard deviations",
          (OPTIMUM | {"nu_mu": OPTIMUM["nu_mu"] + 0.5 * OPTIMUM["nu_sigma2"] ** 0.5},
           losses(), START, OPTIMUM, X)),
    Wrong(F, "too wide", "√nu_sigma2 is off by +41%",
          (scaled(nu_sigma2=2.0), losses(), START, OPTIMUM, X)),
    Wrong(F, "mean precision off", "E[γ] = α/β is",
          (scaled(nu_beta=1.04), losses(), START, OPTIMUM, X)),
    Wrong(F, "diverged", "not a finite number",
          (scaled(nu_alpha=float("nan")), losses(), START, OPTIMUM, X)),
    Wrong(F, "far off and flat", "Flat, but far off",
          (scaled(nu_sigma2=20.0, nu_alpha=0.1, nu_beta=0.1), losses(), START, OPTIMUM, X)),
    Wrong(F, "ten steps", "hardly moved",
          ({"nu_mu": 0.1, "nu_sigma2": 1.1, "nu_alpha": 0.9, "nu_beta": 1.2}, losses(steps=10),
           START, OPTIMUM, X)),
    Wrong(F, "a parameter is missing", "four parameters",
          ({"nu_mu": 5.0, "nu_sigma2": 0.01}, losses(), START, OPTIMUM, X)),
    Wrong(F, "a misspelt parameter", "it has: nu_mu, nu_sigma, nu_alpha, nu_beta",
          ({"nu_mu": 5.0, "nu_sigma": 0.1, "nu_alpha": 51.0, "nu_beta": 51.0}, losses(), START,
           OPTIMUM, X)),
    Wrong(F, "start at the optimum", "the optimum itself",
          (OPTIMUM, losses(), OPTIMUM, OPTIMUM, X)),
    Wrong(F, "no fit at all", "hardly moved from the start", (START, losses(), START, OPTIMUM, X)),
    Wrong(F, "started far away", "Begin where the data are",
          (scaled(nu_mu=90.0), losses(), START | {"nu_mu": OPTIMUM["nu_mu"] * 100}, OPTIMUM, X)),
    Wrong(F, "not filled in", "still blank", (None, None, None, OPTIMUM, X)),
]  # fmt: skip
RIGHT += [
    Right(F, "the optimum", (OPTIMUM, losses(), START, OPTIMUM, X)),
    Right(F, "near it",
          (scaled(nu_alpha=1.03, nu_beta=1.03, nu_sigma2=0.97), losses(), START, OPTIMUM, X)),
]  # fmt: skip

# ---------------------------------------------------------------------- Exercise 9, prediction


def student(
    df=lambda n: n + 1,
    loc=lambda x: x.mean(),
    scale=lambda x, n, a, b: ((1 + 1 / n) * b / a).sqrt(),
    alpha=lambda n: 1 + (n - 1) / 2,
    beta=lambda x: 1 + 0.5 * ((x - x.mean()) ** 2).sum(),
):
    return lambda x: (df(len(x)), loc(x), scale(x, len(x), alpha(len(x)), beta(x)))


P = check.predictive
WRONG += [
    Wrong(P, "df = alpha", "twice as many", (student(df=lambda n: (n + 1) / 2),)),
    Wrong(P, "df = n - 1", "the prior's shape counts", (student(df=lambda n: n - 1),)),
    Wrong(P, "df = n + 2", "n - 1, not n", (student(df=lambda n: n + 2),)),
    Wrong(P, "df = n", "the degrees of freedom are 2α'", (student(df=lambda n: n),)),
    Wrong(P, "loc a sum", "not their sum", (student(loc=lambda x: x.sum()),)),
    Wrong(P, "loc a median", "not the median", (student(loc=lambda x: x.median()),)),
    Wrong(P, "mean known", "not knowing μ", (student(scale=lambda x, n, a, b: (b / a).sqrt()),)),
    Wrong(P, "scale of mu", "the scale of μ",
          (student(scale=lambda x, n, a, b: (b / a / n).sqrt()),)),
    Wrong(P, "no root", "that is its square",
          (student(scale=lambda x, n, a, b: (1 + 1 / n) * b / a),)),
    Wrong(P, "c outside", "belongs under the root",
          (student(scale=lambda x, n, a, b: (1 + 1 / n) * (b / a).sqrt()),)),
    Wrong(P, "inverted", "you have α'/β'",
          (student(scale=lambda x, n, a, b: ((1 + 1 / n) * a / b).sqrt()),)),
    Wrong(P, "1 - 1/n", "c is larger than 1",
          (student(scale=lambda x, n, a, b: ((1 - 1 / n) * b / a).sqrt()),)),
    Wrong(P, "sample sd", "the standard deviation of the data",
          (student(scale=lambda x, n, a, b: x.std()),)),
    Wrong(P, "textbook's t", "without the prior",
          (student(scale=lambda x, n, a, b: x.std() * (1 + 1 / n) ** 0.5),)),
    Wrong(P, "no half in beta", "the factor ½ is missing",
          (student(beta=lambda x: 1 + ((x - x.mean()) ** 2).sum()),)),
    Wrong(P, "no prior in beta", "the prior's rate, 1",
          (student(beta=lambda x: 0.5 * ((x - x.mean()) ** 2).sum()),)),
    Wrong(P, "squares", "squared distances from the mean",
          (student(beta=lambda x: 1 + 0.5 * (x**2).sum()),)),
    Wrong(P, "by 2 alpha", "not by the degrees of freedom",
          (student(scale=lambda x, n, a, b: ((1 + 1 / n) * b / (2 * a)).sqrt()),)),
    Wrong(P, "a distribution", "should return three values",
          (lambda x: dist.StudentT(float(len(x) + 1), x.mean(), x.std()),)),
    Wrong(P, "blank", "still blank", (blank,)),
]  # fmt: skip
RIGHT += [
    Right(P, "as in the solution", (student(),)),
    Right(P, "by var",
          (student(beta=lambda x: 1 + (len(x) - 1) * x.var() / 2,
                   scale=lambda x, n, a, b: torch.sqrt(b / a + b / (n * a))),)),
]  # fmt: skip


@each(WRONG)
def test_wrong_answer_gets_the_message_meant_for_it(case, capsys):
    assert_caught(case, capsys)


@each(RIGHT)
def test_right_answer_passes(case, capsys):
    assert_accepted(case, capsys)


@pytest.mark.parametrize("blanked", [0, 1])
def test_an_unfitted_exercise_is_blank(blanked, capsys):
    answers = [OPTIMUM, losses(), START, OPTIMUM, X]
    answers[blanked] = None
    assert_caught(Wrong(F, "blank", "still blank", tuple(answers)), capsys)


def test_enough_answers_for_every_exercise():
    assert_enough(check, WRONG, RIGHT)
