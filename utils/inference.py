"""Stochastic variational inference with every setting in view."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyro
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import ClippedAdam
from pyro.poutine.util import prune_subsample_sites
from tqdm.auto import trange

DRAWS = 200_000


class FitFailed(RuntimeError):  # noqa: N818
    """The optimisation met a loss that is not a finite number."""


def fit(
    model: Callable,
    guide: Callable,
    *args: Any,
    steps: int,
    learning_rate: float,
    final_learning_rate: float,
    particles: int,
    max_plate_nesting: int,
) -> list[float]:
    """Maximise the ELBO of ``guide`` by stochastic gradients and return the losses.

    Adam with gradients clipped at ±10 (Pyro's ``ClippedAdam``), and a learning rate that decays
    geometrically from ``learning_rate`` to ``final_learning_rate``. The parameter store is used as
    it is: clear it, or not, before the call.

    Args:
        model, guide: called as ``model(*args)`` and ``guide(*args)``.
        particles: draws from the guide per step, evaluated in one vectorised call.
        max_plate_nesting: how deep the model nests its plates (0 without plates). The draws are
            a batch dimension left of these.

    Returns:
        The loss of each step, in nats: an estimate of minus the ELBO.

    Raises:
        ValueError: a setting is out of range.
        TypeError: the guide is a class, not a guide, or an argument is a tuple of arguments.
        FitFailed: something is not finite or impossible; the message names the site.
    """
    if isinstance(guide, type):
        raise TypeError(f"{guide.__name__} is a class; give fit a guide: {guide.__name__}(model).")
    if any(isinstance(argument, tuple) for argument in args):
        raise TypeError("fit got a tuple where the model takes tensors: put a * before it.")
    if steps < 1 or particles < 1:
        raise ValueError(f"steps and particles must be at least 1, not {steps} and {particles}.")
    if not 0 < final_learning_rate <= learning_rate:
        rates = f"not {final_learning_rate} and {learning_rate}"
        raise ValueError(f"0 < final_learning_rate <= learning_rate is needed, {rates}.")
    decay = (final_learning_rate / learning_rate) ** (1 / steps)
    elbo = Trace_ELBO(particles, max_plate_nesting=max_plate_nesting, vectorize_particles=True)

    def finite_loss_and_grads(*call: Any) -> float:
        try:
            loss = elbo.loss_and_grads(*call)
        except ValueError as error:  # from the validation of a distribution's parameters
            if culprit := _first_bad_site(*call):
                raise FitFailed(f"Step {len(losses)}: {culprit}") from error
            raise
        if not math.isfinite(loss):  # before the optimiser spreads it to every parameter
            culprit = _first_bad_site(*call) or "try a smaller learning rate."
            raise FitFailed(f"Step {len(losses)}: the loss is {loss}; {culprit}")
        return loss

    optimiser = ClippedAdam({"lr": learning_rate, "lrd": decay})
    svi = SVI(model, guide, optimiser, elbo.loss, loss_and_grads=finite_loss_and_grads)
    losses: list[float] = []
    with trange(steps, desc="SVI") as bar:
        for step in bar:
            losses.append(svi.step(*args))
            if step % 50 == 0:
                bar.set_postfix(loss=f"{losses[-1]:.2f}", refresh=False)
    return losses


def draw(guide: Callable, *args: Any, max_plate_nesting: int) -> dict[str, torch.Tensor]:
    """Draw 200,000 times from a fitted guide, in one vectorised call.

    Draw before the next fit: guides of one class share the names of their parameters. ``args`` and
    ``max_plate_nesting`` are those of :func:`fit`.

    Returns:
        Site -> draws, of shape (200_000, *the sizes of the site's plates, *its event shape).
    """
    with torch.no_grad(), pyro.plate("draws", DRAWS, dim=-1 - max_plate_nesting):
        trace = prune_subsample_sites(poutine.trace(guide).get_trace(*args))
    draws = {}
    for name, site in trace.iter_stochastic_nodes():
        if not site["infer"].get("is_auxiliary"):  # an autoguide draws all its sites from one
            own = {frame.dim for frame in site["cond_indep_stack"]}
            others = set(range(-max_plate_nesting, 0)) - own  # dimensions of other sites' plates
            draws[name] = site["value"].squeeze([dim - site["fn"].event_dim for dim in others])
    return draws


def trust(log_ratios: torch.Tensor) -> dict[str, float]:
    """What importance weights say of the guide that the draws came from, without the exact answer.

    Args:
        log_ratios: ln p(data, z) - ln q(z) of independent draws z ~ q, shape (draws,).

    Returns:
        ``Pareto k̂`` (Vehtari et al. 2024; as a check of a guide, Yao et al. 2018): below 0.7 the
        guide can be trusted, or mended by weighting. ``share of effective draws``: what
        the weights leave of the draws.
    """
    from arviz_stats.base import array_stats

    log_ratios = log_ratios.numpy(force=True).astype(float)
    if np.ptp(log_ratios) < 1e-6:  # the guide is the posterior
        return {"Pareto k̂": -math.inf, "share of effective draws": 1.0}
    log_weights, k_hat = array_stats.psislw(-log_ratios)  # made for leave-one-out: 1 / likelihood
    share = 1 / np.exp(2 * log_weights).sum() / len(log_weights)
    return {"Pareto k̂": float(k_hat), "share of effective draws": float(share)}


def convergence(chains: torch.Tensor) -> dict[str, float]:
    """Whether chains have mixed: the worst over all quantities.

    Args:
        chains: draws of each chain, shape (chains, draws, *quantities).

    Returns:
        ``R-hat`` (rank-normalised and split, Vehtari et al. 2021): 1.01 or less is good.
        ``effective draws`` for the bulk: the independent draws that these are worth.
    """
    from arviz_stats.base import array_stats

    draws = chains.numpy(force=True).astype(float).reshape(*chains.shape[:2], -1)
    where = {"chain_axis": 0, "draw_axis": 1}
    worst = np.max(array_stats.rhat(draws, **where)), np.min(array_stats.ess(draws, **where))
    return {"R-hat": float(worst[0]), "effective draws": float(worst[1])}


def _first_bad_site(model: Callable, guide: Callable, *args: Any) -> str | None:
    """Say which parameter, value or log-density is the first that is not finite, if any is."""
    with torch.no_grad(), pyro.validation_enabled(False):
        guide_trace = poutine.trace(guide).get_trace(*args)
        model_trace = poutine.trace(poutine.replay(model, guide_trace)).get_trace(*args)
    kinds = {"param": "parameter", "sample": "site"}
    for where, trace in (("guide", guide_trace), ("model", model_trace)):
        for name, site in trace.nodes.items():
            kind, value = kinds.get(site["type"]), site.get("value")
            if kind and not torch.isfinite(value).all():
                return f"{kind} `{name}` of the {where} has a value that is not finite."
            if kind == "site" and not torch.isfinite(site["fn"].log_prob(value)).all():
                return f"the log-density of site `{name}` of the {where} is not finite."
    return None
