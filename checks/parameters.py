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

from checks.engine import Call, fail


def compare_parameters(answer: Callable, reference: Callable, c: Call) -> None:
    """Accept the parameters of a model or guide, then give each a value that has an effect.

    Compared with the solution in an empty store: names, shapes, constraints, and where they start;
    if the start is random, by its mean and standard deviation. The store then holds other values
    of the same parameters, so that none can be left out of a density unnoticed.
    """
    (theirs, _), (again, _) = _parameters(reference, c), _parameters(reference, c)
    mine, error = _parameters(answer, c)
    arguments = inspect.signature(reference).bind(*c.args, **c.kwargs).arguments
    for name, (start, constraint) in theirs.items():
        if name not in mine:
            if error is not None:
                raise error
            fail(
                f"there is no parameter named `{name}`"
                + (f"; yours: {', '.join(f'`{other}`' for other in mine)}." if mine else "."),
                f'What the fit should move is a pyro.param("{name}", initial value), '
                "under a name of its own, and no pyro.sample.",
            )
        value, own_constraint = mine[name]
        if value.shape != start.shape:
            turned = value.ndim == 2 and value.shape == start.shape[::-1]
            yours = "is transposed" if turned else f"has shape {tuple(value.shape)}"
            fail(f"the parameter `{name}` should have shape {tuple(start.shape)}; yours {yours}.")
        _compare_bounds(name, bounds(own_constraint), bounds(constraint))
        _compare_start(name, value, start, again[name][0], arguments)
    store = pyro.get_param_store()
    for name, (start, constraint) in theirs.items():
        shift = 0.3 * torch.randn_like(start)
        shift += 0.3 * shift.sign()
        store[name] = transform_to(constraint)(transform_to(constraint).inv(start) + shift)


def _parameters(model: Callable, c: Call) -> tuple[dict[str, tuple], Exception | None]:
    """The parameters made in an empty store, (start, constraint), and what stopped the model."""
    pyro.clear_param_store()
    error = None
    try:
        with pyro.validation_enabled(False):
            poutine.block(model)(*c.args, **c.kwargs)  # Pyro warns outside of inference
    except (RuntimeError, ValueError) as stopped:
        error = stopped
    store = pyro.get_param_store()
    made = {name: (store[name].detach(), store._constraints[name]) for name in store}
    return made, error


def bounds(constraint: Any) -> tuple[float, float]:
    """The least and the greatest number that a constraint or a support allows."""
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    if constraint is constraints.boolean:
        return 0.0, 1.0
    return (
        float(torch.as_tensor(getattr(constraint, "lower_bound", -math.inf)).min()),
        float(torch.as_tensor(getattr(constraint, "upper_bound", math.inf)).max()),
    )


def _compare_bounds(name: str, mine: tuple[float, float], theirs: tuple[float, float]) -> None:
    positive = theirs[0] == 0
    if positive and mine[0] < 0:
        fail(
            f"`{name}` itself is always positive; yours may be any number.",
            "Nothing keeps it positive while it is optimised: give its pyro.param "
            "constraint=constraints.positive, and use it without exp.",
        )
    if mine[0] > max(theirs[0], -1000) + 0.001 or mine[1] < min(theirs[1], 1000):
        numbers = "any positive number" if positive else "any number"
        fail(
            f"`{name}` may be {numbers}, and its constraint excludes some.",
            f"In a fit yours stays between {mine[0]:g} and {mine[1]:g}.",
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
        fail(
            f"`{name}` should start at {where}{yours}.",
            "The initial value is the second argument of pyro.param.",
        )
