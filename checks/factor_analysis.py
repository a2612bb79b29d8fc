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
    close_to,
    exercise,
    fail,
    need_tensor,
    same_function,
    same_values,
    solution,
)
from checks.models import same_guide, same_model, same_plates
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
        sources = [
            f"your function uses `{name}`, a variable of the notebook."
            for name in names
            if isinstance(function.__globals__.get(name), Tensor | int | Mapping)
        ]
        if "param" in function.__code__.co_names and "param" not in Exercise.running.reference.cell:
            sources.append("pyro.param gives the parameters of the last fit, whichever that was.")
        if sources:
            fail(sources[0], "The check brings others: use the function's own arguments only.")
        raise


def _images() -> list[Call]:
    mean, x = torch.rand(PIXELS), torch.rand(5, PIXELS)
    return [call(x, 3, mean), call(x[:2], 3, mean)]


@exercise("the model")
def factor_model(answer: Any) -> None:
    calls = _images()
    with arguments_only(answer):
        same_model(answer, calls, batched=False)
        same_plates(answer, solution("factor_model"), calls[0])


@exercise("the guide")
def factor_guide(answer: Any) -> None:
    calls = _images()
    with arguments_only(answer):
        same_guide(answer, solution("factor_model"), calls, batched=False)


@exercise("the best guide")
def best_guide(answer: Any) -> None:
    calls = []
    for pixels, q, sigma in ((15, 2, 0.2), (25, 3, 1.6), (20, 4, 1.1)):
        W = torch.linalg.qr(torch.randn(pixels, q))[0] * torch.linspace(0.3, 3.0, q)
        calls.append(call(W, torch.tensor(sigma)))
    hint = "Compare M, of shape (q, q), and what is made of it with the posterior."
    with arguments_only(answer):
        same_function(answer, calls, returns=("V", "s"), hint=hint, tensors=True)


@exercise("a reconstruction")
def reconstruct(answer: Any) -> None:
    calls = []
    for n, pixels, q in ((4, 11, 2), (3, 16, 3)):
        W, V = torch.randn(pixels, q), torch.randn(q, pixels)
        p = {"W": W, "b": torch.rand(pixels), "sigma": torch.tensor(0.3), "V": V}
        p["s"] = 0.1 + torch.rand(q)
        calls.append(call(torch.rand(n, pixels), torch.rand(pixels), p))
    with arguments_only(answer):
        same_function(
            answer,
            calls,
            returns=("x_hat",),
            hint="ẑ has x, x̄ and V in it, x̂ has ẑ, W and b, and neither has anything else.",
            tensors=True,
            if_random=["two calls give two results: there should be means only, no draws."],
        )


def _compare(name: str, value: Any, right: Any) -> None:
    hint = "Where is your `held_out` largest?" if name == "best_q" else None
    close_to(name, value, right, tolerance=0.01, hint=hint)


@exercise("the number of factors")
def number_of_factors(held_out: Any, best_q: Any, eigenvalues: Tensor, v: Tensor) -> None:
    need_tensor("held_out", held_out)
    remembered = functools.cache(solution("log_likelihood"))  # each mistake computes 300 of them
    given = {"few_eigenvalues": eigenvalues, "few_v": v, "log_likelihood": remembered}
    same_values({"held_out": held_out, "best_q": best_q}, given=given, compare=_compare)
