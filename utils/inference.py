"""Stochastic variational inference with every setting in view."""

from __future__ import annotations

import math
from collections.abc import Callable

import pyro
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import ClippedAdam
from tqdm.auto import trange


class FitFailed(RuntimeError):  # noqa: N818
    """The optimisation met a loss that is not a finite number."""


def fit(
    model: Callable,
    guide: Callable,
    *args,
    steps: int,
    learning_rate: float,
    final_learning_rate: float,
    particles: int,
    max_plate_nesting: int,
    progress: bool = True,
    **kwargs,
) -> list[float]:
    """Maximise the ELBO of ``guide`` by stochastic gradients and return the losses.

    Adam with gradients clipped at ±10 (Pyro's ``ClippedAdam``), and a learning rate that decays
    geometrically from ``learning_rate`` to ``final_learning_rate``. Each step averages the
    gradient over ``particles`` draws from the guide, evaluated in one vectorised call. The
    parameter store is used as it is: clear it, or not, before the call.

    Args:
        model, guide: called as ``model(*args, **kwargs)``.
        steps: number of gradient steps.
        particles: draws from the guide per step.
        max_plate_nesting: how deep the model nests its plates (0 without plates). The draws are
            a batch dimension left of these.
        progress: show a progress bar.

    Returns:
        The loss of each step, in nats: an estimate of minus the ELBO.

    Raises:
        ValueError: a setting is out of range.
        TypeError: the guide is a class instead of a guide, or an argument is a tuple of arguments.
        FitFailed: a parameter, value or loss is not finite, or a distribution's parameter is
            impossible; the message names the site where it went wrong.
    """
    if isinstance(guide, type):
        raise TypeError(f"{guide.__name__} is a class; give fit a guide: {guide.__name__}(model).")
    if any(isinstance(argument, tuple) for argument in args):
        raise TypeError("fit got a tuple where the model takes tensors: put a * before it.")
    if steps < 1 or particles < 1:
        raise ValueError(f"steps and particles must be at least 1, not {steps} and {particles}.")
    if not 0 < final_learning_rate <= learning_rate:
        raise ValueError(
            "0 < final_learning_rate <= learning_rate is needed, "
            f"not {final_learning_rate} and {learning_rate}."
        )
    decay = (final_learning_rate / learning_rate) ** (1 / steps)
    optimiser = ClippedAdam({"lr": learning_rate, "lrd": decay})
    elbo = Trace_ELBO(
        num_particles=particles, vectorize_particles=True, max_plate_nesting=max_plate_nesting
    )

    def finite_loss_and_grads(*call, **kwargs) -> float:
        try:
            loss = elbo.loss_and_grads(*call, **kwargs)
        except ValueError as error:  # from the validation of a distribution's parameters
            if culprit := _first_bad_site(*call, **kwargs):
                raise FitFailed(f"Step {len(losses)}: {culprit}") from error
            raise
        if not math.isfinite(loss):  # before the optimiser spreads it to every parameter
            culprit = _first_bad_site(*call, **kwargs) or "try a smaller learning rate."
            raise FitFailed(f"Step {len(losses)}: the loss is {loss}; {culprit}")
        return loss

    svi = SVI(model, guide, optimiser, elbo.loss, loss_and_grads=finite_loss_and_grads)
    losses: list[float] = []
    with trange(steps, desc="SVI", disable=not progress) as bar:
        for step in bar:
            losses.append(svi.step(*args, **kwargs))
            if step % 50 == 0:
                bar.set_postfix(loss=f"{losses[-1]:.2f}", refresh=False)
    return losses


def draw(
    guide: Callable, *args, max_plate_nesting: int, n: int = 200_000, **kwargs
) -> dict[str, torch.Tensor]:
    """Draw ``n`` times from a fitted guide, in one vectorised call.

    Draw before the next fit: guides of one class share the names of their parameters.

    Args:
        guide: called as ``guide(*args, **kwargs)``; returns its draws by site, like every
            autoguide.
        max_plate_nesting: as in :func:`fit`.

    Returns:
        Site -> draws, shape ``(n, ...)`` with the site's own shape, dimensions of size 1 dropped.

    Raises:
        TypeError: the guide returns nothing; a guide of your own has to return its draws.
    """
    with torch.no_grad(), pyro.plate("draws", n, dim=-1 - max_plate_nesting):
        draws = guide(*args, **kwargs)
    if not isinstance(draws, dict):
        raise TypeError('draw needs a guide that returns its draws, as in `return {"temp": temp}`.')
    return {
        site: values.reshape(n, *(size for size in values.shape[1:] if size != 1))
        for site, values in draws.items()
    }


def _first_bad_site(model: Callable, guide: Callable, *args, **kwargs) -> str | None:
    """Say which parameter, value or log-density is the first that is not finite, if any is."""
    with torch.no_grad(), pyro.validation_enabled(False):
        guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
        model_trace = poutine.trace(poutine.replay(model, guide_trace)).get_trace(*args, **kwargs)
    for where, trace in (("guide", guide_trace), ("model", model_trace)):
        for name, site in trace.nodes.items():
            if site["type"] not in ("param", "sample"):
                continue
            if not torch.isfinite(site["value"]).all():
                kind = "parameter" if site["type"] == "param" else "site"
                return f"{kind} `{name}` of the {where} has a value that is not finite."
            if site["type"] == "sample" and not (
                torch.isfinite(site["fn"].log_prob(site["value"])).all()
            ):
                return f"the log-density of site `{name}` of the {where} is not finite."
    return None
