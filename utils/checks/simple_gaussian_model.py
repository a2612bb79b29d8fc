"""Checks of Day2/2_simple_gaussian_model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from torch import Tensor

from utils.checks.engine import (
    Call,
    Twin,
    call,
    exercise,
    fail,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_guide, same_model

__all__ = [
    "cavi_update",
    "elbo_estimate",
    "elbo_terms",
    "gaussian_fit",
    "gaussian_guide",
    "gaussian_model",
    "kl_on_grid",
    "predictive",
    "reparameterised_gradient",
    "scorecard_within",
]

DOUBLE = {"dtype": torch.float64, "device": "cpu"}


def _one_at_a_time(
    answer: Callable,
    reference: Callable,
    calls: Sequence[Call],
    parts: Mapping[Any, tuple[str, Sequence[Twin]]],
    *,
    name: str,
    tolerance: float = 1e-4,
) -> None:
    """Compare each of the values that a function returns, so that each has twins of its own.

    Args:
        parts: index or key of the value -> (what the reader calls it, twins).
    """
    for key, (part, twins) in parts.items():

        def pick(function: Callable, key: Any = key, part: str = part) -> Callable:
            def value(*args):
                found = function(*args)[key]
                if found is None:
                    fail(f"`{part}` is None.")
                return torch.as_tensor(found)

            return value

        same_function(
            pick(answer),
            pick(reference),
            calls,
            name=name,
            returns=(part,),
            tolerance=tolerance,
            twins=[Twin(pick(twin.answer), twin.message) for twin in twins],
        )


# ------------------------------------------------------------------------------- 1, divergence


def _kl(log_q: Tensor, log_p: Tensor, step: Tensor) -> Tensor:
    return (log_q.exp() * (log_q - log_p)).sum(-1) * step


@exercise("Exercise 1, the divergence on a grid")
def kl_on_grid(answer) -> None:
    grid = torch.linspace(-9.0, 9.0, 361)
    step = grid[1] - grid[0]
    zero = torch.zeros_like(grid)
    log_q = dist.Normal(zero, 0.7).log_prob(grid)
    log_p = dist.Normal(zero + 0.5, 1.5).log_prob(grid)
    rows = torch.stack([log_q, log_p, dist.Normal(zero - 1, 1.1).log_prob(grid)])
    one = call(log_q, log_p, step)
    first = answer(*one.args)
    if isinstance(first, Tensor) and first.shape == grid.shape:
        fail("that is one number for each point of the grid.", "An integral is a sum over them.")
    twins = [
        Twin(
            lambda q, p, step: _kl(p, q, step),
            "that is KL(p‖q). In KL(q‖p) the draws come from q: whose density is the weight?",
        ),
        Twin(
            lambda q, p, step: -_kl(q, p, step),
            "the sign is reversed: a divergence is never negative.",
        ),
        Twin(
            lambda q, p, step: _kl(p, q, step) * -1,
            "the weight is the density q, not p.",
        ),
        Twin(
            lambda q, p, step: _kl(q, p, 1.0),
            "the sum stands for an integral: each term is as wide as `step`.",
        ),
        Twin(
            lambda q, p, step: (q.exp() * (q - p)).mean(-1),
            "the mean over the points is not the integral: sum, and multiply by `step`.",
        ),
        Twin(
            lambda q, p, step: (q.exp() * (q - p)).mean(-1) * step,
            "the mean over the points is not the integral: sum, and multiply by `step`.",
        ),
        Twin(
            lambda q, p, step: (q - p).sum(-1) * step,
            "the points do not count alike: each has the weight q(z).",
        ),
        Twin(
            lambda q, p, step: (q * (q - p)).sum(-1) * step,
            "`log_q` is a logarithm; the weight is the density itself.",
        ),
        Twin(
            lambda q, p, step: (q.exp() * (q.exp() - p.exp())).sum(-1) * step,
            "inside the brackets stand log densities, not densities.",
        ),
        Twin(
            lambda q, p, step: (q.exp() * q / p).sum(-1) * step,
            "the logarithm of a quotient is a *difference* of logarithms.",
        ),
        Twin(
            lambda q, p, step: (q.exp() * q).sum(-1) * step,
            "the logarithm of p is missing.",
        ),
        Twin(
            lambda q, p, step: (q.exp() * (q - p)).abs().sum(-1) * step,
            "no absolute values: the terms may have either sign, only their sum is never negative.",
        ),
    ]
    same_function(answer, _kl, [one], name="kl_on_grid", returns=("kl",), twins=twins)
    many = answer(rows, log_p, step)
    if not isinstance(many, Tensor) or many.shape != (3,):
        fail(
            "right for one density, but not for many at once.",
            "Sum over the last dimension only: .sum(-1).",
        )
    same_function(answer, _kl, [call(rows, log_p, step)], name="kl_on_grid", returns=("kl",))


# ------------------------------------------------------------------------------------ 2, terms


def _explain(a: Tensor, b: Tensor, spread: Callable = lambda b: b**2) -> Tensor:
    return -0.5 * math.log(2 * math.pi) - 0.5 * ((18 - a) ** 2 + spread(b))


def _kl_normals(a: Any, b: Any, m: Any, s: Any) -> Tensor:
    a, b, m, s = (torch.as_tensor(value, **DOUBLE) for value in (a, b, m, s))
    return (s / b).log() + (b**2 + (a - m) ** 2) / (2 * s**2) - 0.5


def _terms(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return _explain(a, b), _kl_normals(a, b, 15.0, 2.0)


@exercise("Exercise 2, the two terms of the ELBO")
def elbo_terms(answer) -> None:
    pairs = ((16.0, 1.3), (12.5, 0.6))
    calls = [call(*(torch.tensor(value, **DOUBLE) for value in pair)) for pair in pairs]
    result = answer(*calls[0].args)
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail("`elbo_terms` should return two values, `explain` and `stay`.")

    def first(wrong: Callable, message: str) -> Twin:
        return Twin(lambda a, b: (wrong(a, b), _terms(a, b)[1]), message)

    def second(wrong: Callable, message: str) -> Twin:
        return Twin(lambda a, b: (_terms(a, b)[0], wrong(a, b)), message)

    constant = 0.5 * math.log(2 * math.pi)
    explain = [
        first(
            lambda a, b: _explain(a, b, lambda b: 0 * b),
            "`explain`: that is the log density at the guide's mean.\n"
            "  The mean of a square is not the square of the mean: look at the second formula.",
        ),
        first(
            lambda a, b: dist.Normal(a, (1 + b**2).sqrt()).log_prob(torch.full_like(a, 18.0)),
            "`explain`: that is the logarithm of the mean density of the reading.\n"
            "  The ELBO has the mean of the logarithm.",
        ),
        first(
            lambda a, b: _explain(a, b, lambda b: b), "`explain`: ν_b is an sd; its square counts."
        ),
        first(
            lambda a, b: _explain(a, b, lambda b: -(b**2)),
            "`explain`: the spread of the guide adds to the squared distance.",
        ),
        first(
            lambda a, b: _explain(a, b) + constant,
            "`explain`: the constant -½ ln 2π is missing.",
        ),
        first(
            lambda a, b: _explain(a, b) + 2 * constant,
            "`explain`: the sign of ½ ln 2π is reversed.",
        ),
        first(
            lambda a, b: _explain(a, b) - constant,
            "`explain`: the constant is -½ ln 2π; the ½ is missing.",
        ),
        first(lambda a, b: -_explain(a, b), "`explain`: all its signs are reversed."),
        first(
            lambda a, b: -constant + 0.5 * ((18 - a) ** 2 + b**2),
            "`explain`: a reading far from the guide is *less* probable. Look at the signs.",
        ),
        first(
            lambda a, b: -constant - ((18 - a) ** 2 + b**2),
            "`explain`: the ½ before the square is missing.",
        ),
        first(
            lambda a, b: -constant - 0.5 * (18 - a) ** 2 + b**2,
            "`explain`: -½ belongs to both squares; look at the brackets.",
        ),
        first(
            lambda a, b: -constant - 0.5 * (18 - a) ** 2 - b**2,
            "`explain`: -½ belongs to both squares; look at the brackets.",
        ),
        first(
            lambda a, b: -constant - 0.5 * ((15 - a) ** 2 + b**2),
            "`explain`: the reading is 18; 15 is the prior's mean.",
        ),
        first(
            lambda a, b: _terms(a, b)[1],
            "`explain` and `stay` have changed places.",
        ),
    ]
    stay = [
        second(
            lambda a, b: _kl_normals(15.0, 2.0, a, b),
            "`stay`: that is the divergence *from* the prior. In KL(q‖p) the guide comes first.",
        ),
        second(
            lambda a, b: _kl_normals(a, b, 15.0, 4.0),
            "`stay`: kl_normals takes standard deviations, and 4 is the prior's variance.",
        ),
        second(
            lambda a, b: _kl_normals(a, b**2, 15.0, 2.0),
            "`stay`: kl_normals takes standard deviations, and ν_b is one already.",
        ),
        second(
            lambda a, b: _kl_normals(a, b**2, 15.0, 4.0),
            "`stay`: kl_normals takes standard deviations, and you gave variances.",
        ),
        second(
            lambda a, b: _kl_normals(a, b, 17.4, math.sqrt(0.8)),
            "`stay`: that is the divergence to the posterior; the ELBO has the one to the prior.",
        ),
        second(
            lambda a, b: _kl_normals(a, b, 18.0, 1.0),
            "`stay`: 18 and 1 belong to the likelihood; the prior is N(15, 2²).",
        ),
        second(
            lambda a, b: -_kl_normals(a, b, 15.0, 2.0),
            "`stay` is the divergence itself; the minus comes when the difference is taken.",
        ),
        second(
            lambda a, b: _explain(a, b) - _terms(a, b)[1],
            "`stay`: that is the whole ELBO; return its two terms.",
        ),
    ]
    parts = {0: ("explain", explain), 1: ("stay", stay)}
    _one_at_a_time(answer, _terms, calls, parts, name="elbo_terms")
    # The notebook goes on with many guides at once, and with the gradient.
    a = torch.tensor([16.0, 12.5, 18.0], **DOUBLE).requires_grad_()
    b = torch.tensor([1.3, 0.6, 2.0], **DOUBLE)
    try:
        terms = answer(a, b)
        many = all(isinstance(t, Tensor) and t.shape == (3,) for t in terms)
        gradients = many and all(t.requires_grad for t in terms)
    except (TypeError, ValueError, RuntimeError):
        many = gradients = False
    if not many:
        fail(
            "right for one guide, but not for many at once.",
            "Keep the tensors whole: no .item(), float() or functions of math on nu_a and nu_b.",
        )
    if not gradients:
        fail("the values are right, but no gradient passes through.", "Is there a .detach()?")


# --------------------------------------------------------------------------------- 3, estimate


@exercise("Exercise 3, the ELBO and its standard error")
def elbo_estimate(answer) -> None:
    log_q = torch.randn(400) - 1.0
    log_p = log_q - 3.0 + 0.8 * torch.randn(400)
    result = answer(log_p, log_q)
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail("`elbo_estimate` should return two values, `estimate` and `standard_error`.")

    def sd(p, q):
        return (p - q).std()

    def right(p, q):
        return (p - q).mean(), sd(p, q) / math.sqrt(len(q))

    def first(wrong: Callable, message: str) -> Twin:
        return Twin(lambda p, q: (wrong(p, q), right(p, q)[1]), message)

    def second(wrong: Callable, message: str) -> Twin:
        return Twin(lambda p, q: (right(p, q)[0], wrong(p, q)), message)

    estimate = [
        first(
            lambda p, q: (q - p).mean(),
            "`estimate`: that is minus the ELBO. Which logarithm is subtracted?",
        ),
        first(lambda p, q: (p - q).sum(), "`estimate`: the ELBO is the *mean* over the draws."),
        first(lambda p, q: p.mean(), "`estimate`: ln q is missing: its mean is part of the ELBO."),
        first(lambda p, q: (p + q).mean(), "`estimate`: ln q is subtracted."),
        first(
            lambda p, q: (p - q).exp().mean().log(),
            "`estimate`: you average ratios and then take the logarithm.\n"
            "  That estimates ln p(x); the ELBO is the mean of the logarithms.",
        ),
        first(
            lambda p, q: (p - q).logsumexp(0),
            "`estimate`: a mean of logarithms is asked for, not the logarithm of a sum.",
        ),
        first(
            lambda p, q: (q.exp() * (p - q)).mean(),
            "`estimate`: the draws come from q already; do not weight them by q again.",
        ),
        first(
            lambda p, q: (q.exp() * (p - q)).sum(),
            "`estimate`: the draws come from q already; do not weight them by q again.",
        ),
        first(
            lambda p, q: (p.exp() - q.exp()).mean(),
            "`estimate`: the difference is of the logarithms, as they are given.",
        ),
        first(lambda p, q: (p / q).mean(), "`estimate`: a difference of logarithms, no quotient."),
        first(lambda p, q: (p - q).median(), "`estimate`: the mean is asked for, not the median."),
    ]
    error = [
        second(
            sd,
            "`standard_error`: that is how one draw scatters.\n"
            "  The mean of S draws scatters less: by which factor?",
        ),
        second(
            lambda p, q: sd(p, q) / len(q),
            "`standard_error`: the standard deviation is divided by √S, not by S.",
        ),
        second(
            lambda p, q: (p - q).var() / len(q),
            "`standard_error`: that is its square; take the root.",
        ),
        second(
            lambda p, q: (p - q).var() / math.sqrt(len(q)),
            "`standard_error`: the standard deviation is needed, and you took the variance.",
        ),
        second(
            lambda p, q: (p - q).var(),
            "`standard_error`: that is the variance of one draw.",
        ),
        second(
            lambda p, q: sd(p, q) * math.sqrt(len(q)),
            "`standard_error`: more draws make a mean more precise: divide by √S.",
        ),
        second(
            lambda p, q: p.std() / math.sqrt(len(q)),
            "`standard_error`: what is averaged are the differences f, not ln p alone.",
        ),
        second(
            lambda p, q: (p.std() + q.std()) / math.sqrt(len(q)),
            "`standard_error`: take the standard deviation of the differences f.",
        ),
        second(
            lambda p, q: (p.std() - q.std()) / math.sqrt(len(q)),
            "`standard_error`: take the standard deviation of the differences f.",
        ),
    ]
    parts = {0: ("estimate", estimate), 1: ("standard_error", error)}
    other = call(log_p[:100] + 1, log_q[:100])
    _one_at_a_time(
        answer, right, [call(log_p, log_q), other], parts, name="elbo_estimate", tolerance=6e-4
    )


# --------------------------------------------------------------------------------- 4, gradient


def _slope(z: Tensor) -> Tensor:
    return (15 - z) / 4 + (18 - z)


@exercise("Exercise 4, the reparameterised gradient")
def reparameterised_gradient(answer) -> None:
    epsilon = torch.randn(9)
    nus = [(15.5, 1.7), (12.0, 0.6)]
    calls = [call(torch.tensor(a), torch.tensor(b), epsilon) for a, b in nus]

    def pair(g_a: Callable, g_b: Callable, z: Callable = lambda a, b, e: a + b * e) -> Callable:
        def gradient(a, b, e):
            d = _slope(z(a, b, e))
            return torch.stack([g_a(d, b, e), g_b(d, b, e)], dim=-1)

        return gradient

    def right_a(d, b, e):
        return d

    def right_b(d, b, e):
        return d * e + 1 / b

    def slope_twin(slope: Callable, message: str) -> Twin:
        def gradient(a, b, e):
            d = slope(a + b * e)
            return torch.stack([d, d * e + 1 / b], dim=-1)

        return Twin(gradient, message)

    right = pair(right_a, right_b)
    given = answer(*calls[0].args)
    if isinstance(given, tuple | list):
        fail("these are two tensors; make one of shape (S, 2) of them, with torch.stack.")
    if isinstance(given, Tensor):
        if given.shape == (2,):
            fail("that is averaged over the draws already: return one pair for each draw.")
        if given.shape == (2, 9):
            fail("its shape is (2, S); each *row* should be one draw, shape (S, 2).")
    same_function(
        answer,
        right,
        calls,
        name="reparameterised_gradient",
        returns=("gradient",),
        twins=[
            Twin(
                pair(right_a, lambda d, b, e: d * e),
                "g_b lacks 1/ν_b: widening the guide also changes ln q.",
            ),
            Twin(
                pair(right_a, lambda d, b, e: d + 1 / b),
                "g_b lacks a factor: how far does z move when ν_b does?",
            ),
            Twin(
                pair(right_a, lambda d, b, e: d),
                "g_b is the same as g_a: how far does z move when ν_b does, and what of ln ν_b?",
            ),
            Twin(
                pair(right_a, lambda d, b, e: d * e - 1 / b),
                "g_b: ln ν_b is part of the ELBO with a plus.",
            ),
            Twin(
                pair(right_a, lambda d, b, e: d * e + b),
                "g_b: the derivative of ln ν_b is 1/ν_b.",
            ),
            Twin(
                pair(right_a, lambda d, b, e: d * e + b.log()),
                "g_b: the derivative of ln ν_b is 1/ν_b.",
            ),
            Twin(
                pair(right_a, lambda d, b, e: (d + 1 / b) * e),
                "g_b: only the slope d is multiplied by ε; look at the brackets.",
            ),
            Twin(
                pair(right_a, lambda d, b, e: d * b + 1 / b),
                "g_b: z = ν_a + ν_b ε moves with ν_b by ε, not by ν_b.",
            ),
            Twin(
                pair(lambda d, b, e: -d, lambda d, b, e: -right_b(d, b, e)),
                "the signs are reversed: that is the gradient of the loss, minus the ELBO.",
            ),
            Twin(
                pair(right_b, right_a),
                "g_a and g_b have changed places.",
            ),
            Twin(
                pair(right_a, right_b, lambda a, b, e: a + 0 * e),
                "the slope is taken at ν_a; take it at each draw z.",
            ),
            Twin(
                pair(right_a, right_b, lambda a, b, e: e),
                "the slope is taken at ε; take it at the draw z that ε makes.",
            ),
            Twin(
                pair(right_a, right_b, lambda a, b, e: a + b**2 * e),
                "z: ν_b is a standard deviation already.",
            ),
            Twin(
                pair(right_a, right_b, lambda a, b, e: a + b.sqrt() * e),
                "z: ν_b is a standard deviation already.",
            ),
            Twin(
                pair(right_a, right_b, lambda a, b, e: a + e),
                "z: the draw ε is scaled by ν_b.",
            ),
            Twin(
                pair(right_a, right_b, lambda a, b, e: a * e + b),
                "z: ν_a and ν_b have changed places.",
            ),
            slope_twin(lambda z: 18 - z, "d: the prior's slope, (15 - z)/2², is missing."),
            slope_twin(
                lambda z: (15 - z) / 2 + (18 - z), "d: the prior's slope is divided by 2², by 4."
            ),
            slope_twin(lambda z: (15 - z) / 4, "d: the slope of the likelihood is missing."),
            slope_twin(lambda z: (15 - z) + (18 - z), "d: the prior's slope is divided by 2²."),
            slope_twin(lambda z: (z - 15) / 4 + (z - 18), "d: its sign is reversed."),
        ],
    )


# ------------------------------------------------------------------------------ 5, 6, Pyro


def _gaussian_model(n, x=None, loc=lambda mu: mu, scale=lambda gamma: 1 / gamma.sqrt()):
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", n):
        pyro.sample("x", dist.Normal(loc(mu), scale(gamma)), obs=x)


@exercise("Exercise 5, the model")
def gaussian_model(answer) -> None:
    same_model(
        answer,
        _gaussian_model,
        [call(7, 3 + torch.randn(7)), call(4)],
        twins=[
            Twin(
                lambda n, x=None: _gaussian_model(n, x, scale=lambda gamma: gamma),
                "`x`: its scale is the precision γ; Normal takes a standard deviation.",
            ),
            Twin(
                lambda n, x=None: _gaussian_model(n, x, scale=lambda gamma: gamma.sqrt()),
                "`x`: its scale is √γ; a large precision means a *small* standard deviation.",
            ),
            Twin(
                lambda n, x=None: _gaussian_model(n, x, scale=lambda gamma: 1 / gamma),
                "`x`: its scale is 1/γ, the variance; Normal takes the standard deviation.",
            ),
            Twin(
                lambda n, x=None: _gaussian_model(n, x, scale=lambda gamma: 1 / gamma**2),
                "`x`: its scale is 1/γ²; the variance is 1/γ, and Normal takes its root.",
            ),
            Twin(
                lambda n, x=None: _gaussian_model(n, x, loc=lambda mu: 0 * mu),
                "`x`: its mean is μ.",
            ),
        ],
    )


PARAMETERS = {"nu_mu": 0.0, "nu_sigma2": 1.0, "nu_alpha": 1.0, "nu_beta": 1.0}


@exercise("Exercise 6, the guide")
def gaussian_guide(answer) -> None:
    c = call(7, 3 + torch.randn(7))
    pyro.clear_param_store()
    if callable(answer):
        poutine.trace(answer).get_trace(*c.args)
    store = pyro.get_param_store()
    names = list(store.keys())
    for name in PARAMETERS if names else ():
        if name not in names:
            fail(
                f"the guide has no parameter named `{name}`; it has {', '.join(sorted(names))}.",
                "The name in quotes is the first argument of pyro.param.",
            )
    same_guide(answer, _gaussian_model, [c])
    if extra := [name for name in names if name not in PARAMETERS]:
        fail(f"the guide has a parameter `{extra[0]}` that is not in the formulas.")
    if store._constraints["nu_mu"] is not constraints.real:
        fail("`nu_mu` may be any number: it needs no constraint.")
    for name in ("nu_sigma2", "nu_alpha", "nu_beta"):
        if store._constraints[name] is constraints.real:
            fail(
                f"`{name}` itself is always positive; yours may be any number.",
                "Give its pyro.param constraint=constraints.positive, and use it without exp.",
            )
    for name, right in PARAMETERS.items():
        start = store[name].detach()
        if start.shape:
            fail(f"`{name}` should be a single number; its shape is {tuple(start.shape)}.")
        if abs(start.item() - right) > 1e-3:
            fail(
                f"`{name}` starts at {start.item():.3g}; it should start at {right:g}.",
                "The initial value is the second argument of pyro.param.",
            )
    _check_guide_distributions(answer, c)
    _check_guide_returns(answer, c)


def _check_guide_distributions(answer: Callable, c: Call) -> None:
    values = {"nu_mu": 3.7, "nu_sigma2": 2.3, "nu_alpha": 5.2, "nu_beta": 1.9}
    with poutine.substitute(data={name: torch.tensor(v) for name, v in values.items()}):
        trace = poutine.trace(answer).get_trace(*c.args)
    q_mu, q_gamma = trace.nodes["mu"]["fn"], trace.nodes["gamma"]["fn"]
    for site, q, family in (("mu", q_mu, dist.Normal), ("gamma", q_gamma, dist.Gamma)):
        if not isinstance(q, family):
            fail(f"q({site}) should be a {family.__name__}; yours is {type(q).__name__}.")

    def equal(got: Any, right: float) -> bool:
        return math.isclose(float(got), right, rel_tol=1e-4)

    s2, a, b = values["nu_sigma2"], values["nu_alpha"], values["nu_beta"]
    if not equal(q_mu.loc, values["nu_mu"]):
        fail("q(mu): its mean should be the parameter `nu_mu`.")
    for wrong, message in (
        (s2, "the scale is a standard deviation, and `nu_sigma2` is a variance."),
        (s2**2, "the scale is a standard deviation, and `nu_sigma2` is a variance: no square."),
        (s2**-0.5, "`nu_sigma2` is a variance, not a precision."),
        (math.exp(s2), "the constraint keeps `nu_sigma2` positive already: no exp."),
    ):
        if equal(q_mu.scale, wrong):
            fail(f"q(mu): {message}")
    if not equal(q_mu.scale, s2**0.5):
        fail("q(mu): its variance should be the parameter `nu_sigma2`.")
    given = float(q_gamma.concentration), float(q_gamma.rate)
    if equal(given[0], b) and equal(given[1], a):
        fail("q(gamma): the two arguments of Gamma are the wrong way round.")
    if equal(given[0], a) and equal(given[1], 1 / b):
        fail("q(gamma): Gamma takes a rate, which is what `nu_beta` is: no 1 / nu_beta.")
    for name, got in zip(("nu_alpha", "nu_beta"), given, strict=True):
        if not equal(got, values[name]):
            which = "first" if name == "nu_alpha" else "second"
            fail(f"q(gamma): the {which} argument of its Gamma should be the parameter `{name}`.")


def _check_guide_returns(answer: Callable, c: Call) -> None:
    trace = poutine.trace(answer).get_trace(*c.args)
    returned = trace.nodes["_RETURN"]["value"]
    for site in ("mu", "gamma"):
        if not isinstance(returned, dict) or returned.get(site) is not trace.nodes[site]["value"]:
            fail(
                "the guide should return its draws, as its last line does.",
                f"Does the name `{site}` hold what pyro.sample returned?",
            )


# ------------------------------------------------------------------------------------- 7, CAVI


def _cavi(x, mean_gamma, *, prior=1e-4, one=1.0, half=0.5, spread=1.0) -> dict[str, Tensor]:
    n = len(x)
    s2 = 1 / (n * mean_gamma + prior)
    m = s2 * mean_gamma * x.sum()
    squares = ((x - m) ** 2).sum()
    return {
        "nu_mu": m,
        "nu_sigma2": torch.as_tensor(s2),
        "nu_alpha": torch.tensor(one + n / 2),
        "nu_beta": one + half * (squares + spread * n * s2),
    }


@exercise("Exercise 7, coordinate ascent")
def cavi_update(answer) -> None:
    # So few points, and a precision so small in the second call, that the priors show.
    x = torch.tensor([2.0, 5.0, 3.5, 9.0], **DOUBLE)
    calls = [call(x, 0.3), call(x, 0.0001), call(x[:3], 0.3)]

    def changed(name: str, wrong: Callable, message: str) -> Twin:
        return Twin(
            lambda x, g: (right := _cavi(x, g)) | {name: torch.as_tensor(wrong(x, g, right))},
            f"`{name}`: {message}",
        )

    def squares(x, r):
        return ((x - r["nu_mu"]) ** 2).sum()

    sigma2 = [
        changed(
            "nu_sigma2",
            lambda x, g, r: len(x) * g + 1e-4,
            "that is the precision; the variance is one over it.",
        ),
        changed("nu_sigma2", lambda x, g, r: 1 / (len(x) * g), "the prior's precision is missing."),
        changed(
            "nu_sigma2",
            lambda x, g, r: 1 / (len(x) * g + 1e4),
            "the prior adds its *precision*, one over its variance.",
        ),
        changed(
            "nu_sigma2",
            lambda x, g, r: 1 / (len(x) * g + 1e-2),
            "10000 is the prior's variance: its precision is 1/10000.",
        ),
        changed(
            "nu_sigma2", lambda x, g, r: 1 / (g + 1e-4), "each of the n points adds a precision."
        ),
        changed(
            "nu_sigma2",
            lambda x, g, r: 1 / (len(x) / g + 1e-4),
            "`mean_gamma` is a precision already.",
        ),
        changed(
            "nu_sigma2",
            lambda x, g, r: r["nu_sigma2"].sqrt(),
            "that is the standard deviation; the formula gives the variance.",
        ),
        changed(
            "nu_sigma2",
            lambda x, g, r: 1 / (len(x) * g) + 1e-4,
            "one over the whole sum; look at the brackets.",
        ),
        changed(
            "nu_sigma2",
            lambda x, g, r: 1 / (len(x) * g) + 1e4,
            "the precisions add up, not the variances.",
        ),
    ]
    mu = [
        changed("nu_mu", lambda x, g, r: g * x.sum(), "the factor ν_σ² is missing."),
        changed("nu_mu", lambda x, g, r: r["nu_sigma2"] * x.sum(), "the factor E[γ] is missing."),
        changed("nu_mu", lambda x, g, r: x.mean(), "the prior pulls a little: use the formula."),
        changed(
            "nu_mu",
            lambda x, g, r: r["nu_sigma2"] * g * x.mean(),
            "the formula has the *sum* of the data, not their mean.",
        ),
        changed(
            "nu_mu",
            lambda x, g, r: g * x.sum() / r["nu_sigma2"],
            "ν_σ² is a factor, not a divisor.",
        ),
        changed("nu_mu", lambda x, g, r: r["nu_sigma2"] / g * x.sum(), "E[γ] is a factor."),
    ]
    alpha = [
        changed("nu_alpha", lambda x, g, r: len(x) / 2, "the prior's shape, 1, is missing."),
        changed("nu_alpha", lambda x, g, r: 1.0 + len(x), "each point adds one *half*."),
        changed(
            "nu_alpha",
            lambda x, g, r: (1 + len(x)) / 2,
            "that is (n + 1)/2; there are n of the halves, and a whole 1 from the prior.",
        ),
        changed("nu_alpha", lambda x, g, r: 0.5 + len(x) / 2, "the prior's shape is 1."),
    ]
    beta = [
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * squares(x, r),
            "μ is not known exactly, and that adds to each square: n ν_σ² is missing.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * (squares(x, r) + r["nu_sigma2"]),
            "ν_σ² is added for *each* of the n points.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + squares(x, r) + len(x) * r["nu_sigma2"],
            "the factor ½ is missing.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 0.5 * (squares(x, r) + len(x) * r["nu_sigma2"]),
            "the prior's rate, 1, is missing.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * squares(x, r) + len(x) * r["nu_sigma2"],
            "½ belongs to both terms; look at the brackets.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 0.5 * (1 + squares(x, r) + len(x) * r["nu_sigma2"]),
            "½ does not belong to the prior's 1; look at the brackets.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * (((x - x.mean()) ** 2).sum() + len(x) * r["nu_sigma2"]),
            "the squares are distances from ν_μ, not from the mean of the data.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * ((x**2).sum() + len(x) * r["nu_sigma2"]),
            "the squares are of distances from ν_μ.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * ((x - r["nu_mu"]).sum() ** 2 + len(x) * r["nu_sigma2"]),
            "square each distance first, then sum.",
        ),
        changed(
            "nu_beta",
            lambda x, g, r: 1 + 0.5 * (((x - r["nu_mu"]) ** 2).mean() + r["nu_sigma2"]),
            "a *sum* over the data, not a mean.",
        ),
    ]
    result = answer(*calls[0].args)
    for name, value in result.items():
        shape = tuple(torch.as_tensor(value).shape)
        if shape:
            fail(f"`{name}` should be a single number; yours has shape {shape}.")
    parts = {
        name: (name, twins)
        for name, twins in (
            ("nu_sigma2", sigma2),
            ("nu_mu", mu),
            ("nu_alpha", alpha),
            ("nu_beta", beta),
        )
    }
    _one_at_a_time(answer, _cavi, calls, parts, name="cavi_update")


# -------------------------------------------------------------------------------------- 8, fit


def _elbo(nu: Mapping[str, float], x: Tensor) -> float:
    """The ELBO of a guide, up to a constant that is the same for all."""
    m, s2, a, b = (torch.tensor(float(nu[name]), **DOUBLE) for name in PARAMETERS)
    x = x.cpu().double()
    log_gamma, gamma = torch.digamma(a) - b.log(), a / b
    explain = 0.5 * len(x) * log_gamma - 0.5 * gamma * (((x - m) ** 2).sum() + len(x) * s2)
    log_prior = -0.5e-4 * (m**2 + s2) - gamma
    entropy = 0.5 * s2.log() + a - b.log() + torch.lgamma(a) + (1 - a) * torch.digamma(a)
    return (explain + log_prior + entropy).item()


@exercise("Exercise 8, a fit that has converged")
def gaussian_fit(nu: Any, losses: Any, start: Any, optimum: Mapping[str, float], x: Tensor) -> None:
    if not isinstance(nu, Mapping) or set(nu) != set(PARAMETERS):
        given = ", ".join(nu) if isinstance(nu, Mapping) else type(nu).__name__
        fail(
            f"`start` should hold the four parameters of the guide; it has: {given}.",
            f"They are {', '.join(PARAMETERS)}.",
        )
    if all(math.isclose(start[k], optimum[k], rel_tol=1e-4) for k in PARAMETERS):
        fail(
            "the start is the optimum itself.", "Take it from the data: without it there is no fit."
        )
    if len(losses) < 50 or all(math.isclose(nu[k], start[k], rel_tol=1e-3) for k in PARAMETERS):
        fail(
            "the parameters have hardly moved from the start, so this is no test of a fit.",
            "More steps, and a first learning rate of about 0.1.",
        )
    sd = math.sqrt(optimum["nu_sigma2"])
    mean_gamma = nu["nu_alpha"] / nu["nu_beta"]
    right_gamma = optimum["nu_alpha"] / optimum["nu_beta"]
    sd_gamma = right_gamma / math.sqrt(optimum["nu_alpha"])
    relative = {name: nu[name] / optimum[name] - 1 for name in PARAMETERS}
    problems = []
    if not all(math.isfinite(value) for value in nu.values()):
        fail("a parameter is not a finite number: try a smaller learning rate.")
    if abs(nu["nu_mu"] - optimum["nu_mu"]) > 0.05 * sd:
        off = (nu["nu_mu"] - optimum["nu_mu"]) / sd
        if abs(off) > 10 and abs(nu["nu_mu"] - start["nu_mu"]) < abs(off * sd):
            fail(
                f"`nu_mu` started at {start['nu_mu']:.3g} and ended at {nu['nu_mu']:.3g}, far from "
                "the data.",
                "How far can a step go? Begin where the data are.",
            )
        problems.append(f"`nu_mu` is {off:+.2f} standard deviations from the optimum")
    if abs(math.sqrt(1 + relative["nu_sigma2"]) - 1) > 0.05:
        off = math.sqrt(1 + relative["nu_sigma2"]) - 1
        problems.append(f"the standard deviation √nu_sigma2 is off by {off:+.0%}")
    if abs(mean_gamma - right_gamma) > 0.05 * sd_gamma:
        off = (mean_gamma - right_gamma) / sd_gamma
        problems.append(f"E[γ] = α/β is {off:+.2f} standard deviations from the optimum")
    problems += [
        f"`{name}` is {nu[name]:.3g}, off by {relative[name]:+.0%}"
        for name in ("nu_alpha", "nu_beta")
        if abs(relative[name]) > 0.05
    ]
    missing = _elbo(optimum, x) - _elbo(nu, x)
    if missing > 0.02:
        problems.append(f"the ELBO could be {missing:.2f} nats higher")
    if problems:
        fail(f"{problems[0]}.", *_what_to_change(losses, problems, missing))


def _what_to_change(losses: Sequence[float], problems: Sequence[str], missing: float) -> list[str]:
    """Tell a fit that still climbs from one whose gradient is noisy, and from one that drifted."""
    lines = [f"Also: {problems[-1]}."] if len(problems) > 1 else []
    tail = torch.tensor([float(loss) for loss in losses[-len(losses) // 5 :]], **DOUBLE)
    half = len(tail) // 2
    if half < 10:
        return [*lines, "Only a few steps: the parameters have hardly moved."]
    climbed = (tail[:half].mean() - tail[half:].mean()).item()
    noise = tail[half:].std().item()
    if climbed > max(0.02, 5 * noise / math.sqrt(half)):
        return [*lines, "The ELBO is still rising: a larger first learning rate, or more steps."]
    if noise > 0.3:
        return [*lines, "The ELBO is very noisy from step to step: how many particles are there?"]
    if missing < 0.5 and len(problems) < 3:
        return [*lines, "Nearly there. Start nearer to the data's scale, or let the rate decay."]
    return [*lines, "Flat, but far off: look at `start`, and at how far a step can go."]


# ------------------------------------------------------------------------------- 9, prediction


@exercise("Exercise 9, the predictive distribution")
def predictive(answer) -> None:
    def right(x, *, one=1.0, minus=1, c=lambda n: 1 + 1 / n, half=0.5):
        n = len(x)
        alpha = one + (n - minus) / 2
        beta = one + half * ((x - x.mean()) ** 2).sum()
        return torch.tensor(2.0 * alpha), x.mean(), (c(n) * beta / alpha).sqrt()

    def variant(message: str, **changes) -> Twin:
        return Twin(lambda x: right(x, **changes), message)

    def scale(wrong: Callable, message: str) -> Twin:
        return Twin(lambda x: (*right(x)[:2], wrong(x, right(x)[2])), f"`scale`: {message}")

    def df(wrong: Callable, message: str) -> Twin:
        return Twin(
            lambda x: (torch.tensor(float(wrong(len(x)))), *right(x)[1:]), f"`df`: {message}"
        )

    calls = [
        call(torch.tensor([2.0, 5.0, 3.5, 9.0], **DOUBLE)),
        call(torch.tensor([1.0, -1.0, 0.4, 0.5, 2.2, -3.0, 0.3], **DOUBLE)),
    ]
    result = answer(*calls[0].args)
    if not isinstance(result, tuple | list) or len(result) != 3:
        fail("`predictive` should return three values, `df`, `loc` and `scale`.")
    dfs = [
        df(lambda n: 1 + (n - 1) / 2, "that is α'; the degrees of freedom are twice as many."),
        df(lambda n: n - 1, "the prior's shape counts too: look at the formula of α'."),
        df(lambda n: n + 2, "α' has n - 1, not n: the unknown mean costs half a unit."),
        df(lambda n: n, "the degrees of freedom are 2α'; look at the formula of α'."),
    ]
    locs = [
        Twin(
            lambda x: (right(x)[0], x.sum(), right(x)[2]),
            "`loc` is the mean of the data, not their sum.",
        ),
        Twin(lambda x: (right(x)[0], 0 * x.sum(), right(x)[2]), "`loc` is the mean of the data."),
        Twin(
            lambda x: (right(x)[0], x.median(), right(x)[2]),
            "`loc` is the mean of the data, not the median.",
        ),
    ]
    factor = [
        scale(
            lambda x, s: s / math.sqrt(1 + 1 / len(x)),
            "that is for a known mean. What does not knowing μ add to the variance?",
        ),
        scale(
            lambda x, s: s / math.sqrt(1 + 1 / len(x)) * math.sqrt(1 / len(x)),
            "that is the scale of μ; the next value scatters around it.",
        ),
        scale(lambda x, s: s**2, "that is its square; the property has a root."),
        scale(
            lambda x, s: s * math.sqrt(len(x)) / math.sqrt(len(x) + 1) * (1 + 1 / len(x)),
            "c = 1 + 1/n belongs under the root.",
        ),
        scale(
            lambda x, s: (1 + 1 / len(x)) / s,
            "under the root stands β'/α', and you have α'/β'.",
        ),
        scale(
            lambda x, s: s * math.sqrt(1 - 1 / len(x)) / math.sqrt(1 + 1 / len(x)),
            "the variances of x around μ and of μ around the mean add up: c is larger than 1.",
        ),
        scale(lambda x, s: x.std(), "that is the standard deviation of the data."),
        scale(
            lambda x, s: x.std() * math.sqrt(1 + 1 / len(x)),
            "that is without the prior: look at the formulas of α' and β'.",
        ),
        variant("`scale`: the factor ½ is missing in β'.", half=1.0),
        Twin(
            lambda x: (
                *right(x)[:2],
                (
                    (1 + 1 / len(x)) * (0.5 * ((x - x.mean()) ** 2).sum()) / (1 + (len(x) - 1) / 2)
                ).sqrt(),
            ),
            "`scale`: the prior's rate, 1, is missing in β'.",
        ),
        Twin(
            lambda x: (
                *right(x)[:2],
                ((1 + 1 / len(x)) * (1 + 0.5 * (x**2).sum()) / (1 + (len(x) - 1) / 2)).sqrt(),
            ),
            "`scale`: in β' stand squared distances from the mean.",
        ),
        Twin(
            lambda x: (*right(x)[:2], (right(x)[2] ** 2 * (1 + (len(x) - 1) / 2)).sqrt()),
            "`scale`: β' is divided by α'.",
        ),
        Twin(
            lambda x: (*right(x)[:2], (right(x)[2] ** 2 / 2).sqrt()),
            "`scale`: β' is divided by α', not by the degrees of freedom.",
        ),
    ]
    parts = {0: ("df", dfs), 1: ("loc", locs), 2: ("scale", factor)}
    _one_at_a_time(answer, right, calls, parts, name="predictive")
