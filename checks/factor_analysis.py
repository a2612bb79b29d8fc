"""Checks of factor_analysis."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from checks.engine import (
    Call,
    Exercise,
    call,
    exercise,
    fail,
    outcome,
    same_function,
    same_values,
    solution,
)
from checks.models import same_guide, same_model
from checks.parameters import same_parameters, same_plates
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]

PIXELS = 784


@contextmanager
def arguments_only(answer: Any) -> Iterator[None]:
    """If a function fails that uses variables of the notebook, which it should not, say so."""
    try:
        yield
    except Exception as problem:
        function = inspect.unwrap(answer) if callable(answer) else answer
        if not inspect.isfunction(function) or not getattr(problem, "vague", True):
            raise
        steps = dis.get_instructions(function)
        names = [step.argval for step in steps if step.opname == "LOAD_GLOBAL"]
        known = (Tensor, int, Mapping)
        used = [name for name in names if isinstance(function.__globals__.get(name), known)]
        if used:
            fail(
                f"your function uses `{used[0]}`, a variable of the notebook.",
                "The check brings other data: use the function's own arguments only.",
            )
        calls_param = "param" in function.__code__.co_names
        if calls_param and "param" not in Exercise.running.reference.cell:
            fail(
                "pyro.param gives the parameters of the last fit, whichever that was.",
                "The check brings others: use the function's own arguments only.",
            )
        raise


def _images() -> list[Call]:
    mean, x = torch.rand(PIXELS), torch.rand(5, PIXELS)
    return [call(x, 3, mean), call(x[:2], 3, mean)]


@exercise("the model")
def factor_model(answer: Any) -> None:
    calls = _images()
    with arguments_only(answer):
        same_parameters(answer, calls[0])
        same_model(answer, calls, batched=False)
        same_plates(answer, calls[0])


@exercise("the guide")
def factor_guide(answer: Any) -> None:
    calls = _images()
    with arguments_only(answer):
        same_parameters(answer, calls[0])
        same_guide(answer, solution("factor_model"), calls)
        same_model(answer, calls, batched=False)
        same_plates(answer, calls[0])


def _need_tensors(answer: Any, c: Call, *names: str) -> None:
    """Fail if the function returns other than the tensors with which the notebook goes on."""
    if not callable(answer):
        return  # same_function says so
    result = outcome(answer, c, Exercise.running.reference.answers[0])
    several = len(names) > 1 and isinstance(result, tuple | list)
    for name, value in zip(names, result if several else [result], strict=False):
        if not isinstance(value, Tensor):
            fail(
                f"`{name}` should be a tensor, not {type(value).__name__}.",
                "The next cells go on with it as a tensor.",
            )


@exercise("the best guide")
def best_guide(answer: Any) -> None:
    calls = []
    for pixels, q, sigma in ((15, 2, 0.2), (25, 3, 1.6), (20, 4, 1.1)):
        W = torch.linalg.qr(torch.randn(pixels, q))[0] * torch.linspace(0.3, 3.0, q)
        calls.append(call(W, torch.tensor(sigma)))
    names = ("V", "s")
    with arguments_only(answer):
        _need_tensors(answer, calls[0], *names)
        hint = "Compare M, of shape (q, q), and what is made of it with the posterior."
        same_function(answer, calls, returns=names, hint=hint)


@exercise("a reconstruction")
def reconstruct(answer: Any) -> None:
    calls = []
    for n, pixels, q in ((4, 11, 2), (3, 16, 3)):
        W, V = torch.randn(pixels, q), torch.randn(q, pixels)
        p = {"W": W, "b": torch.rand(pixels), "sigma": torch.tensor(0.3), "V": V}
        p["s"] = 0.1 + torch.rand(q)
        calls.append(call(torch.rand(n, pixels), torch.rand(pixels), p))
    with arguments_only(answer):
        first, second = (answer(*calls[0].args) for _ in range(2))
        if isinstance(first, Tensor) and not torch.equal(first, second):
            fail("two calls give two results: there should be means only, no draws.")
        _need_tensors(answer, calls[0], "x_hat")
        hint = "ẑ has x, x̄ and V in it, x̂ has ẑ, W and b, and neither has anything else."
        same_function(answer, calls, returns=("x_hat",), hint=hint)


@exercise("the number of factors")
def number_of_factors(held_out: Any, best_q: Any, eigenvalues: Tensor, v: Tensor) -> None:
    if isinstance(held_out, list | tuple):
        fail("`held_out` should be one tensor, not a list.", "torch.stack makes one of many.")
    remembered = functools.cache(solution("log_likelihood"))  # each mistake computes 300 of them
    same_values(
        {"held_out": held_out, "best_q": best_q},
        given={"few_eigenvalues": eigenvalues, "few_v": v, "log_likelihood": remembered},
        tolerance={"held_out": 0.01, "best_q": 0.1},
        hints={"best_q": "Where is your `held_out` largest?"},
    )
