"""Compare the parameters of a model or guide with the solution's: names, shapes, starts, limits."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import constraints
from torch import Tensor
from torch.distributions import transform_to

from checks.engine import Call, Exercise, fail


def same_parameters(answer: Callable, c: Call) -> None:
    """Accept the parameters of a model or guide, then give each a value that has an effect.

    Compared with the solution in an empty store: names, shapes, constraints, and where they start;
    if the start is random, by its mean and standard deviation. The store then holds other values
    of the same parameters, so that none can be left out of a density unnoticed.
    """
    if not callable(answer):
        fail(f"models and guides are functions; yours is of type {type(answer).__name__}.")
    right = _solution()
    (theirs, _), (again, _) = _parameters(right, c), _parameters(right, c)
    mine, error = _parameters(answer, c)
    arguments = inspect.signature(right).bind(*c.args, **c.kwargs).arguments
    for name, (start, constraint) in theirs.items():
        if name not in mine:
            if error is not None:
                raise error
            fail(
                f"there is no parameter named `{name}`"
                + (f"; yours: {', '.join(f'`{other}`' for other in mine)}." if mine else "."),
                f'What the fit should move is a pyro.param("{name}", initial value), '
                "and no pyro.sample.",
            )
        value, own_constraint = mine[name]
        _compare_shape(name, value, start)
        _compare_constraint(name, own_constraint, constraint)
        _compare_start(name, value, start, again[name][0], arguments)
    if extra := [name for name in mine if name not in theirs]:
        fail(
            f"there is a parameter `{extra[0]}` that does not belong here.",
            f"The formulas have {' and '.join(f'`{name}`' for name in theirs)}.",
        )
    store = pyro.get_param_store()
    for name, (start, constraint) in theirs.items():
        shift = 0.3 * torch.randn_like(start)
        shift += 0.3 * shift.sign()
        store[name] = transform_to(constraint)(transform_to(constraint).inv(start) + shift)


def _solution() -> Callable:
    reference = Exercise.running.reference
    return reference.run()[reference.answers[0]]


def _parameters(model: Callable, c: Call) -> tuple[dict[str, tuple], Exception | None]:
    """The parameters made in an empty store, (start, constraint), and what stopped the model."""
    pyro.clear_param_store()
    error = None
    try:
        with pyro.validation_enabled(False):
            model(*c.args, **c.kwargs)
    except (RuntimeError, ValueError) as stopped:
        error = stopped
    store = pyro.get_param_store()
    made = {name: (store[name].detach(), store._constraints[name]) for name in store}
    return made, error


def _compare_shape(name: str, value: Tensor, start: Tensor) -> None:
    if value.shape == start.shape:
        return
    turned = value.ndim == 2 and value.shape == start.shape[::-1]
    yours = "is transposed" if turned else f"has shape {tuple(value.shape)}"
    fail(f"the parameter `{name}` should have shape {tuple(start.shape)}; yours {yours}.")


def _compare_constraint(name: str, mine: Any, theirs: Any) -> None:
    if (bounds := _bounds(mine)) == (wanted := _bounds(theirs)):
        return
    if wanted == (0.0, math.inf) and bounds == (-math.inf, math.inf):
        fail(
            f"nothing keeps `{name}` positive while it is optimised.",
            "Give its pyro.param constraint=constraints.positive.",
        )
    numbers = "any positive number" if wanted[0] == 0 else "any number"
    fail(f"`{name}` may be {numbers}; its constraint says something else.")


def _bounds(constraint: Any) -> tuple[float, float]:
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return tuple(
        float(torch.as_tensor(getattr(constraint, f"{side}_bound", limit)).min())
        for side, limit in (("lower", -math.inf), ("upper", math.inf))
    )


def _moves(value: Tensor, argument: Tensor) -> bool:
    """Whether a step of the optimiser in a parameter would move an argument of the function."""
    before = argument.detach().clone()
    with torch.no_grad():
        value.add_(1.0)
        moved = not torch.equal(argument, before)
        value.sub_(1.0)
    return moved


def _compare_start(
    name: str, value: Tensor, start: Tensor, again: Tensor, arguments: Mapping[str, Any]
) -> None:
    tensors = {key: argument for key, argument in arguments.items() if isinstance(argument, Tensor)}
    for key, argument in tensors.items():
        if _moves(value, argument):
            fail(
                f"`{name}` and the argument `{key}` are the same tensor: the fit would move both.",
                f"Give pyro.param a copy: `{key}.clone()`.",
            )
    if not torch.equal(start, again):  # it is random
        mean, sd = value.mean().item(), value.std().item()
        error = (0.1 + 4 / math.sqrt(start.numel())) * start.std().item()
        if abs(mean - start.mean().item()) > error or abs(sd - start.std().item()) > error:
            fail(
                f"`{name}` starts with entries of mean {mean:.2g} and sd {sd:.2g}.",
                "The task says how it starts: is it randn (rand is uniform), and times what?",
            )
    elif not torch.allclose(value, start, atol=1e-3):
        yours = f"; yours starts at {value.item():.3g}" if value.ndim == 0 else ""
        where = f"{start.flatten()[0]:.3g}"
        if start.unique().numel() > 1:
            same = [f"`{key}`" for key, argument in tensors.items() if torch.equal(argument, start)]
            where = (*same, "the values of the task")[0]
        fail(f"`{name}` should start at {where}{yours}.")


def same_plates(answer: Callable, c: Call) -> None:
    """Accept a model or guide whose plates have the names of the solution's."""
    both = (answer, _solution())
    mine, theirs = (poutine.trace(f).get_trace(*c.args, **c.kwargs).nodes for f in both)
    for name, site in theirs.items():
        wanted = [frame.name for frame in site.get("cond_indep_stack", ())]
        plates = [frame.name for frame in mine.get(name, {}).get("cond_indep_stack", ())]
        if other := [plate for plate in plates if plate not in wanted]:
            fail(
                f"the plate of `{name}` is named `{other[0]}`; the task says `{wanted[0]}`.",
                "Pyro knows by the name that a plate of the guide is the plate of the model.",
            )
