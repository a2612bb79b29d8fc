"""Checks of simple_gaussian_model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

from checks.engine import call, exercise, fail, same_function, solution
from checks.models import same_guide
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]

DOUBLE = {"dtype": torch.float64, "device": "cpu"}  # where the notebook has it, too


@exercise("the divergence on a grid")
def kl_on_grid(answer: Any) -> None:
    with torch.device("cpu"):  # where double precision is
        grid = torch.linspace(-9.0, 9.0, 181, dtype=torch.float64)
        means, sds = torch.tensor([[0.0], [-1.0], [2.0]]), torch.tensor([[[0.7]], [[1.3]]])
        log_q, log_p, narrow = (
            dist.Normal(*parameters).log_prob(grid)
            for parameters in ((means, sds), (0.5, 1.5), (0.0, 0.2))
        )
    step = grid[1] - grid[0]
    calls = [call(log_q[0, 0], log_p, step), call(log_q, log_p, step), call(log_p, log_q, step)]
    far_out = (
        "right, but not for a narrow q: far out its density is 0, and ln 0 is not finite.",
        "Use the logarithms as they are given.",
    )
    extremes = [(call(narrow, log_p, step), far_out)]
    same_function(answer, calls, returns=("kl",), extremes=extremes)


@exercise("the two terms of the ELBO")
def elbo_terms(answer: Any) -> None:
    a, b = torch.tensor([[16.0, 12.5, 18.0], [1.3, 0.6, 2.0]], **DOUBLE)
    same_function(
        answer,
        [call(a[0], b[0]), call(a, b)],
        returns=("explain", "stay"),
        gradients=("nu_a", "nu_b"),
    )


@exercise("the reparameterised gradient")
def reparameterised_gradient(answer: Any) -> None:
    epsilon = torch.linspace(-2.1, 1.9, 9)
    calls = [call(*torch.tensor(nu), epsilon) for nu in ((17.0, 1.7), (12.0, 0.6))]
    same_function(answer, calls, returns=("gradient",), tensors=True)


@exercise("a guide by hand")
def gaussian_guide(answer: Any) -> None:
    same_guide(answer, solution("gaussian_model"), [call(7, 3 + torch.randn(7))])


@exercise("a fit that has converged")
def gaussian_fit(nu: Any, losses: Any, start: Any, settings: Any, x: Tensor) -> None:
    optimum = _optimum(x)
    if not isinstance(nu, Mapping) or nu.keys() != optimum.keys():
        fail(
            "`start` should hold the four parameters of the guide; it has: "
            f"{', '.join(nu) if isinstance(nu, Mapping) else type(nu).__name__}.",
            f"They are {', '.join(optimum)}.",
        )
    if all(math.isclose(start[k], optimum[k], rel_tol=1e-4) for k in optimum):
        fail(
            "the start is the optimum itself.", "Take it from the data: without it there is no fit."
        )
    if len(losses) < 50 or all(math.isclose(nu[k], start[k], rel_tol=1e-3) for k in optimum):
        fail(
            "the parameters have hardly moved from the start, so this is no test of a fit.",
            "More steps, and a first learning rate of about 0.1.",
        )
    if not all(math.isfinite(value) for value in nu.values()):
        fail("a parameter is not a finite number: try a smaller learning rate.")
    relative = {name: nu[name] / optimum[name] - 1 for name in optimum}
    off_mu = (nu["nu_mu"] - optimum["nu_mu"]) / math.sqrt(optimum["nu_sigma2"])
    off_sd = math.sqrt(1 + relative["nu_sigma2"]) - 1
    ratio = (1 + relative["nu_alpha"]) / (1 + relative["nu_beta"])
    off_gamma = (ratio - 1) * math.sqrt(optimum["nu_alpha"])
    if abs(off_mu) > 10:
        fail(
            f"`nu_mu` started at {start['nu_mu']:.3g} and ended at {nu['nu_mu']:.3g}, far from "
            "the data.",
            "How far can a step go? Begin where the data are.",
        )
    missing = _elbo(optimum, x) - _elbo(nu, x)
    misses = {  # in units of what is allowed
        f"`nu_mu` is {off_mu:+.2f} standard deviations from the optimum": off_mu / 0.04,
        f"the standard deviation √nu_sigma2 is off by {off_sd:+.0%}": off_sd / 0.03,
        f"E[γ] = α/β is {off_gamma:+.2f} standard deviations from the optimum": off_gamma / 0.04,
        f"the ELBO could be {missing:.3g} nats higher": math.sqrt(max(0, missing) / 0.005),
    }
    for name in ("nu_alpha", "nu_beta"):
        miss = f"`{name}` is {nu[name]:.3g}, off by {relative[name]:+.0%}"
        misses[miss] = relative[name] / 0.05
    worst = max(misses, key=lambda sentence: abs(misses[sentence]))
    if abs(misses[worst]) > 1:
        arrived = max(abs(off_sd), abs(relative["nu_alpha"])) < 0.05
        far = max(abs(math.log(start[k] / optimum[k])) for k in optimum if start[k] > 0)
        fail(f"{worst}.", _what_to_change(losses, missing, arrived, far, settings or {}))


def _what_to_change(
    losses: Sequence[float],
    missing: float,
    arrived: bool,
    far: float,
    settings: Mapping[str, float],
) -> str:
    """Tell a fit that climbs from one that is noisy, has stopped on the way, or does not rest.

    Args:
        missing: how much higher the ELBO could be (nats).
        arrived: whether the guide is as wide as it should be.
        far: how far the logarithm of a parameter had to go.
    """
    tail = torch.tensor(losses[-len(losses) // 5 :], **DOUBLE)
    early, late = tail.chunk(2)
    climbed, noise = (early.mean() - late.mean()).item(), late.std().item()
    if missing > 0.1 and climbed > max(0.02, 5 * noise / math.sqrt(len(late))):
        return "The ELBO is still rising: a larger first learning rate, or more steps."
    first, last = (settings.get(k, 0) for k in ("learning_rate", "final_learning_rate"))
    if first > last > 0:
        reach = len(losses) * (first - last) / math.log(first / last)
        if reach < far:
            return (
                f"All its steps together reach {reach:.1f}, on the logarithmic scale, and it had "
                f"{far:.1f} to go.\nA larger first learning rate, more steps, or a nearer start."
            )
    # One draw of ln p - ln q has a variance of about twice KL(q‖posterior).
    if 2 * missing < 16 * noise**2 and settings.get("particles", 1) < 100:
        return "The ELBO is noisy, as from few draws a step: how many particles are there?"
    if not arrived:
        return "It stopped on the way: start nearer to the data's scale, or take more steps."
    return "It has arrived, but does not come to rest: let the learning rate decay further."


def _optimum(x: Tensor) -> dict[str, float]:
    """The best guide of the family, by coordinate ascent."""
    nu = {"nu_alpha": 1.0, "nu_beta": 1.0}
    for _ in range(20):
        nu = solution("cavi_update")(x.cpu().double(), nu["nu_alpha"] / nu["nu_beta"])
    return {name: float(nu[name]) for name in ("nu_mu", "nu_sigma2", "nu_alpha", "nu_beta")}


def _elbo(nu: Mapping[str, float], x: Tensor) -> float:
    """The ELBO of a guide (nats), up to a constant that is the same for all."""
    names = ("nu_mu", "nu_sigma2", "nu_alpha", "nu_beta")
    m, s2, a, b = (torch.tensor(float(nu[name]), **DOUBLE) for name in names)
    x = x.cpu().double()
    explain = len(x) * (torch.digamma(a) - b.log()) - a / b * (((x - m) ** 2).sum() + len(x) * s2)
    log_prior = -0.5e-4 * (m**2 + s2) - a / b
    entropy = 0.5 * s2.log() + a - b.log() + torch.lgamma(a) + (1 - a) * torch.digamma(a)
    return (0.5 * explain + log_prior + entropy).item()


@exercise("the draws that count")
def effective_share(answer: Any) -> None:
    log_ratios = 3 * torch.randn(40, **DOUBLE)
    unequal = torch.tensor([0.0, 0.0, 0.0, -1.5], **DOUBLE)
    calls = [call(unequal), call(log_ratios), call(log_ratios - 1000), call(unequal.float() + 200)]
    same_function(answer, calls, returns=("share",))


@exercise("a guide with a dependence")
def dependent_guide(answer: Any) -> None:
    same_guide(answer, solution("gaussian_model"), [call(7, 3 + torch.randn(7))])


@exercise("coordinate ascent")
def cavi_update(answer: Any) -> None:
    # So few points, and so small a precision in one call, that the priors show.
    x = torch.tensor([2.0, 5.0, 3.5, 9.0], **DOUBLE)
    calls = [call(-x[:3], 0.3), call(x, 0.001)]
    same_function(answer, calls, of=_in_order, tolerance=1e-6)


def _in_order(update: Callable) -> Callable:
    """The results in the order of the formulas, so that the first that is wrong is named."""
    order = ("nu_sigma2", "nu_mu", "nu_alpha", "nu_beta")
    return lambda *given: {name: update(*given)[name] for name in order}


@exercise("the predictive distribution")
def predictive(answer: Any) -> None:
    few = torch.tensor([2.0, 5.0, 3.5, 9.0], **DOUBLE)
    more = torch.tensor([1.0, -1.0, 0.4, 0.5, 2.2, -3.0, 0.3], **DOUBLE)
    same_function(answer, [call(-more), call(few)], returns=("df", "loc", "scale"))
