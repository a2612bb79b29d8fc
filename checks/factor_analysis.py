"""Checks of Day2/4_factor_analysis."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
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

DOUBLE = {"dtype": torch.float64, "device": "cpu"}
PIXELS = 784


@contextmanager
def arguments_only(answer: Any) -> Iterator[None]:
    """If a function fails that takes tensors of the notebook, which it should not, say so."""
    try:
        yield
    except Exception as problem:
        function = inspect.unwrap(answer) if callable(answer) else answer
        if inspect.isfunction(function) and getattr(problem, "vague", True):
            steps = dis.get_instructions(function)
            names = [step.argval for step in steps if step.opname == "LOAD_GLOBAL"]
            for name in names:
                if isinstance(function.__globals__.get(name), Tensor):
                    fail(
                        f"your function uses `{name}`, a variable of the notebook.",
                        "The check brings other data: use the function's own arguments only.",
                    )
        raise


def _images() -> list[Call]:
    mean, x = torch.rand(PIXELS), torch.rand(5, PIXELS)
    return [call(x, 3, mean), call(x[:2], 3, mean)]


@exercise("Exercise 1, the model")
def factor_model(answer: Any) -> None:
    calls = _images()
    with arguments_only(answer):
        same_parameters(answer, calls[0])
        same_model(answer, calls, batched=False)
        same_plates(answer, calls[0])


@exercise("Exercise 2, the guide")
def factor_guide(answer: Any) -> None:
    calls = _images()
    with arguments_only(answer):
        same_parameters(answer, calls[0])
        same_guide(answer, solution("factor_model"), calls)
        same_model(answer, calls, batched=False)
        same_plates(answer, calls[0])


def _need_tensors(answer: Any, c: Call, *names: str, dtype: torch.dtype | None = None) -> None:
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
        if dtype not in (None, value.dtype):
            fail(
                f"`{name}` is in single precision; the eigenvalues are in double.",
                "Did you convert it, with `.float()` or `torch.zeros(...)`?",
            )


def _eigenvalues(pixels: int, rank: int) -> Tensor:
    values = torch.linspace(3.0, 0.5, pixels, **DOUBLE) ** 2
    values[rank:] *= 0.1
    return values


def _passes(compare: Callable[[], None]) -> bool:
    explains, Exercise.explains = Exercise.explains, False
    try:
        compare()
    except Exception:
        return False
    finally:
        Exercise.explains = explains
    return True


HARD_CODED = (
    "784 is hard-coded, and the check brings fewer pixels.",
    "Their number is len(eigenvalues).",
)


def _signs_chosen(W: Tensor) -> Tensor:
    """The sign of an eigenvector is arbitrary: the largest entry of each column is positive."""
    return W * W.gather(0, W.abs().argmax(0, keepdim=True)).sign()


@exercise("Exercise 3, maximum likelihood")
def maximum_likelihood(answer: Any) -> None:
    def spectrum(pixels: int, rank: int, q: int) -> Call:
        vectors = torch.linalg.qr(torch.randn(pixels, pixels).to(**DOUBLE))[0]
        return call(_eigenvalues(pixels, rank), vectors, q)

    def compare(calls: Sequence[Call], part: Callable = _signs_chosen) -> None:
        _need_tensors(answer, calls[0], "W", "sigma", dtype=torch.float64)
        same_function(
            answer,
            calls,
            of=lambda function: sigma_first(function, part),
            returns=("sigma", "W"),
            hint="σ² is a mean of D - q eigenvalues; W has a root of q differences.",
        )

    def sigma_first(function: Callable, part: Callable) -> Callable:
        def run(eigenvalues: Tensor, eigenvectors: Tensor, q: int) -> tuple[Tensor, Tensor]:
            result = function(eigenvalues, eigenvectors, q)
            if not isinstance(result, tuple | list) or len(result) != 2:
                fail("`maximum_likelihood` should return two values, `W` and `sigma`.")
            W, sigma = result
            return sigma, part(W) if W.ndim == 2 else W

        return run

    few = [spectrum(9, 5, 2), spectrum(12, 7, 4)]
    try:
        compare(few)
    except Exception:
        if _passes(lambda: compare(few, lambda W: W @ W.T)):
            fail(
                "`W` is right up to a rotation, and the task is for R = I.",
                "Column j is then a multiple of eigenvector j; later figures rely on that.",
            )
        axes = torch.eye(PIXELS, **DOUBLE)[torch.randperm(PIXELS).cpu()]
        if _passes(lambda: compare([call(_eigenvalues(PIXELS, PIXELS), axes, 3)])):
            fail(*HARD_CODED)
        raise


@exercise("Exercise 4, the exact log-likelihood")
def log_likelihood(answer: Any) -> None:
    def about(values: Tensor, q: int) -> Call:
        return call(values, values * (0.5 + torch.rand(len(values)).to(values)), q)

    def compare(calls: Sequence[Call]) -> None:
        _need_tensors(answer, calls[0], "log_lik", dtype=torch.float64)
        hint = "Compare the three terms of each pixel with the formula, one by one."
        same_function(answer, calls, returns=("log_lik",), tolerance=1e-6, hint=hint)

    try:
        compare([about(_eigenvalues(9, 5), 2), about(_eigenvalues(14, 8), 5)])
    except Exception:
        if _passes(lambda: compare([about(_eigenvalues(PIXELS, PIXELS), 3)])):
            fail(*HARD_CODED)
        raise
    dark = about(torch.linspace(0.3, 0.01, PIXELS, **DOUBLE) ** 6, 10)  # all below 1e-3
    if not torch.isfinite(dark.of(answer)):
        fail(
            f"right for a few pixels; for {PIXELS} pixels that hardly vary it is not finite.",
            "A product of so many small numbers is rounded to 0: add up logarithms instead.",
        )
    if not _passes(lambda: compare([dark])):
        fail(
            "right for large variances, but not for those near 0.",
            "Is there a `clamp`, or a small number added? The formula has none.",
        )


@exercise("Exercise 5, the largest principal angle")
def largest_angle(answer: Any) -> None:
    calls, same = [], []
    for pixels, q in ((12, 2), (30, 4)):
        A = (torch.randn(pixels, q) + 0.3).to(**DOUBLE)
        B = A @ torch.randn(q, q).to(**DOUBLE) + 0.8 * torch.randn(pixels, q).to(**DOUBLE)
        calls.append(call(A, B))
        same += [call(A, A @ torch.randn(q, q).to(A)) for _ in range(5)]
    if any(torch.as_tensor(outcome(answer, c, "largest_angle")).isnan().any() for c in calls):
        fail(
            "arccos gives nan: a cosine is above 1, or below -1.",
            "Are the columns of both matrices orthogonal, and of length 1?",
        )
    _need_tensors(answer, calls[0], "angle")
    same_function(
        answer,
        calls,
        returns=("angle",),
        tolerance=1e-5,
        hint="One by one: have *both* matrices orthogonal columns? Is the product (q, q)? "
        "Which singular value has the largest angle?",
    )
    if not all(c.of(answer).abs() < 1e-3 for c in same):  # nan, too
        fail(
            "for two matrices that span the same space yours is not 0.",
            "Does rounding put a cosine above 1? Then `.clamp(max=1)`.",
        )


@exercise("Exercise 6, the exact posterior of one image")
def exact_posterior(answer: Any) -> None:
    calls = [
        call(4 * torch.randn(p), 0.5 * torch.randn(p, q), torch.rand(p), torch.tensor(s))
        for p, q, s in ((15, 2, 0.7), (25, 3, 1.6), (20, 4, 1.1))
    ]
    names = ("z_mean", "covariance")
    with arguments_only(answer):
        _need_tensors(answer, calls[0], *names)
        hint = "Compare M, of shape (q, q), and what is made of it with the formulas."
        same_function(answer, calls, returns=names, hint=hint)


@exercise("Exercise 7, a reconstruction")
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


@exercise("Exercise 8, the number of factors")
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
