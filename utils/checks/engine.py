"""Compare what an answer *does* with what it should do, and say in one sentence what is wrong.

A check never depends on luck and leaves no trace: it fixes its own seed, and restores the
reader's random state and parameter store. A wrong answer raises :class:`CheckFailed`, which
Jupyter shows without a traceback.
"""

from __future__ import annotations

import copy
import functools
import inspect
import linecache
import math
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyro
import torch
from IPython import get_ipython
from pyro.infer.autoguide import AutoGuide
from torch import Tensor

from utils.device import leaving_no_trace
from utils.scorecard import kind_of_row

SEED = 20  # of the checks themselves
BLANK = "Still blank: replace this line with your code."  # what the stub of a blank raises


class CheckFailed(AssertionError):  # noqa: N818  (the reader sees this name)
    """An answer is wrong; the lines say what, and what to look at."""

    def __init__(self, *lines: str) -> None:
        lines = tuple(line.strip() for line in lines)
        super().__init__("\n".join(lines))
        self.lines = lines

    def _render_traceback_(self) -> list[str]:
        first, *rest = self.lines
        return [f"✗ {first}", *(f"  {line}" for line in rest)]


class StillBlank(CheckFailed, NotImplementedError):  # noqa: N818
    """The blank has not been filled in yet."""


def fail(*lines: str) -> None:
    """Reject the answer with one to three lines."""
    raise CheckFailed(*lines)


class Call(NamedTuple):
    args: tuple
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        words = [_describe(a) for a in self.args]
        words += [f"{k}={_describe(v)}" for k, v in self.kwargs.items()]
        return f"({', '.join(words)})"


def call(*args, **kwargs) -> Call:
    """The arguments of one call of the answer."""
    return Call(args, kwargs)


class Twin(NamedTuple):
    """A typical wrong answer, and the sentence for whoever gives it."""

    answer: Any
    message: str


# --------------------------------------------------------------------------- running an answer


def _own_copy(answer: Any) -> Any:
    """A guide or module sets itself up when it is called: use a copy, and leave the reader's."""
    if not isinstance(answer, torch.nn.Module):
        return answer
    guides = {name: m for name, m in answer.named_modules() if isinstance(m, AutoGuide)}
    kept = {name: (guide._model, guide.master) for name, guide in guides.items()}
    duplicate = copy.deepcopy(answer)  # which takes model and master from the original, too
    copies = dict(duplicate.named_modules())
    for name, guide in guides.items():
        guide._model, guide.master = kept[name]
        copies[name]._model = guide._model
    return duplicate


def _snapshot(value: Any) -> Any:
    """A copy of the numbers in an argument; of anything else, nothing is kept."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {key: _snapshot(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_snapshot(part) for part in value]
    return None


def _unchanged(value: Any, kept: Any) -> bool:
    if isinstance(kept, Tensor):
        value = value.detach()
        if value.shape != kept.shape or value.dtype != kept.dtype:
            return False
        return torch.equal(value, kept) or bool(((value == kept) | (value != value)).all())
    if isinstance(kept, np.ndarray):
        return np.array_equal(value, kept, equal_nan=kept.dtype.kind in "fc")
    if isinstance(kept, dict):
        return value.keys() == kept.keys() and all(_unchanged(value[k], kept[k]) for k in kept)
    if isinstance(kept, list):
        return len(value) == len(kept) and all(map(_unchanged, value, kept))
    return True


def _arguments(answer: Callable, args: tuple, kwargs: Mapping[str, Any]) -> Iterator[tuple]:
    """The (name, value) of every argument, by the names that the reader gave them."""
    try:
        bound = inspect.signature(answer).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # the call itself will complain
        return
    for name, value in bound.items():
        kind = inspect.signature(answer).parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def outcome(answer: Callable, c: Call, name: str) -> Any:
    """What the answer returns; it may neither return nothing nor change its arguments in place.

    Args:
        name: what the reader calls the function.
    """
    result = _leaving_arguments(answer)(*copy.deepcopy(c.args), **copy.deepcopy(c.kwargs))
    if result is None:
        fail(f"what `{name}` returns is None.", "Does your function end in a `return`?")
    return result


def _leaving_arguments(answer: Any) -> Any:
    """The answer; if it is a function, with a complaint if it changes an argument in place."""
    if not inspect.isroutine(answer):
        return answer

    @functools.wraps(answer)
    def guarded(*args, **kwargs):
        given = list(_arguments(answer, args, kwargs))
        kept = [_snapshot(value) for _, value in given]
        result = answer(*args, **kwargs)
        for (name, value), copied in zip(given, kept, strict=True):
            if not _unchanged(value, copied):
                fail(
                    f"your function changes its argument `{name}` in place (`-=`, `*=`, "
                    "`x[...] =`, `.sub_()`, ...): the variables of the notebook change with it.",
                    "Make a copy first, or write a new value: `x = x - y`, not `x -= y`.",
                )
        return result

    return guarded


def exercise(title: str) -> Callable[[Callable], Callable]:
    """Make a named check of a function that raises :class:`CheckFailed` if the answer is wrong.

    The named check prints one line if the answer is right. Whatever the answer itself raises is
    reported with the line of the reader's code that raised it. Give the parameters of ``check`` the
    names that the reader gives the answers: the message says which of them is still None.
    """

    def decorate(check: Callable) -> Callable:
        names = list(inspect.signature(check).parameters)

        @functools.wraps(check)
        def named_check(*answers, **kwargs) -> None:
            answers = tuple(_leaving_arguments(_own_copy(answer)) for answer in answers)
            try:
                if unset := [name for name, a in zip(names, answers, strict=False) if a is None]:
                    raise StillBlank(
                        f"still blank: {' and '.join(f'`{name}`' for name in unset)} "
                        f"{'is' if len(unset) == 1 else 'are'} None.",
                        "Set it in the cell above. Did that cell stop with an error, or is a name "
                        "misspelt?",
                    )
                with leaving_no_trace():
                    pyro.set_rng_seed(SEED)
                    check(*answers, **kwargs)
            except CheckFailed as problem:
                raise type(problem)(f"{title}: {problem.lines[0]}", *problem.lines[1:]) from None
            except Exception as error:
                if _is_blank(error):
                    raise StillBlank(
                        f"{title}: still blank.",
                        "Replace the line `raise NotImplementedError(...)` with your code, "
                        "run that cell, then this one.",
                    ) from None
                raise CheckFailed(f"{title}: {_crash(error)}", *reader_line(error)) from None
            print(f"✓ {title}")

        return named_check

    return decorate


def _crash(error: Exception) -> str:
    text = " ".join(str(error).split()).partition(" Trace Shapes:")[0]
    if "to satisfy the constraint" in text:
        hint = ""
        if any(f"{kind}(lower_bound=0.0)" in text for kind in ("GreaterThan", "GreaterThanEq")):
            hint = (
                " It must be positive: are the arguments in the right order? If they are, "
                "exp or softplus makes it so."
            )
        elif "Interval(lower_bound=0.0, upper_bound=1.0)" in text:
            hint = " It must lie between 0 and 1: the sigmoid makes it so."
        parameter = text.partition("parameter ")[2].partition(" ")[0]
        return f"your code gives a distribution an impossible `{parameter}`.{hint}"
    if isinstance(error, TypeError) and "argument" in text and not reader_line(error):
        return f"your function does not take the arguments that it is called with: {text[:150]}."
    if "could not infer output dtype" in text and "Bool" in text:
        return "the mean of True and False: make numbers of them first, `.float().mean()`."
    if "bitwise_and" in text or "bitwise_or" in text:
        return "`&` comes before `<`: put each comparison into brackets, `(a < u) & (u < b)`."
    if "must be Tensor, not int" in text or "must be Tensor, not float" in text:
        return "a function of torch, like `torch.log`, takes a tensor; for a number: `math.log`."
    if "bitwise_xor" in text:
        return "`^` is no power in Python; the square of x is x**2."
    if isinstance(error, KeyError) and "pyro.param(" in "".join(reader_line(error)):
        return (
            f"no parameter {text} has been made here. Take it from the arguments of the function, "
            "or give pyro.param an initial value."
        )
    if isinstance(error, NameError):
        return f"`{error.name}` has no value: it is misspelt, or was never assigned."
    if "'NoneType'" in text:
        return f"your code raises: {text[:120]}. (The data are None when there are none yet.)"
    if "Multiple sample sites named" in text:
        name = text.partition("named ")[2].strip("'")
        return (
            f"two sites are named `{name}`, and every site needs a name of its own. In a loop over "
            'time, put the number into it, as in f"temp_{t + 1}". Over data points, no loop: '
            "`with pyro.plate(...):` takes all at once."
        )
    if "Boolean value of Tensor" in text:
        return (
            "Python's `if`, `and`, `max` and `min` take one number, and this tensor holds many. "
            "For tensors there are .clamp, torch.maximum and torch.where."
        )
    if "Shape mismatch inside plate" in text:
        text += ". The check brings data of its own size: use len(x), and look at the sums"
    return f"your code raises {type(error).__name__}: {text[:200]}"


def _reader_frames(error: Exception) -> list[traceback.FrameSummary]:
    """The frames of the traceback that are code of the reader's."""
    libraries = [sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")]
    ours = str(Path(__file__).parent)
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*libraries, ours, "<frozen", "<string"))
    ]


def _is_blank(error: Exception) -> bool:
    """Whether a blank raised it, and not an operation that some library lacks."""
    if not isinstance(error, NotImplementedError):
        return False
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    if BLANK in str(error):
        return True
    # torch raises this error, too, for what it cannot do; then the reader's line is no `raise`.
    return _reader_frames(error)[-1:] == innermost and (
        not str(error) or innermost[0].line.startswith("raise")
    )


def reader_line(error: Exception) -> list[str]:
    """The innermost line of the traceback that the reader wrote."""
    own = _reader_frames(error)
    if not own:
        return []
    line = (own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno or 0)).strip()
    return [f"Look at: `{line}`"] if line else []


def explain_missing_name(result: Any) -> None:
    """After a cell that stopped at a NameError: one line on what mends it."""
    error = result.error_in_exec
    if isinstance(error, NameError) and error.name:
        print(
            f"`{error.name}` has no value. If the name is not misspelt: run the cells above, from "
            "the top. Did one of them stop, at a blank or with an error? Begin with that one."
        )


if shell := get_ipython():
    shell.events.register("post_run_cell", explain_missing_name)


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        if value.ndim == 0:
            return f"{value.item():.3g}"
        return f"tensor of shape {tuple(value.shape)}"
    return "None" if value is None else repr(value)


# ----------------------------------------------------------------------------------- numbers


def close_to(
    name: str,
    value: Any,
    expected: Any,
    *,
    tolerance: float,
    twins: Sequence[Twin] = (),
    hint: str | None = None,
    is_probability: bool = False,
) -> None:
    """Accept ``value`` if every entry is within ``tolerance`` of ``expected``.

    Args:
        name: what the reader calls it.
        value: a number or tensor, of the shape of ``expected``.
        tolerance: absolute; for a Monte-Carlo answer, what its number of draws implies.
        twins: wrong values, each with its message, tried in order.
        hint: what to look at if no twin is recognised.
        is_probability: whether the value has to lie between 0 and 1.
    """
    expected = torch.as_tensor(expected)
    value = _as_number(name, value, expected)
    if is_probability and not ((value >= 0) & (value <= 1)).all():
        fail(
            f"`{name}` is {_describe(value)}, and a probability is between 0 and 1.",
            "It is the *share* of the draws for which the statement is true.",
        )
    if not torch.isfinite(value).all():
        fail(f"`{name}` is not a finite number.", f"Yours: {_describe(value)}.")

    def close(other: Any) -> bool:
        other = torch.as_tensor(other).to(value)
        return bool(((value - other).abs() <= tolerance).all())

    if close(expected):
        return
    for twin in twins:
        if close(twin.answer):
            fail(*twin.message.split("\n"))
    if expected.ndim == 0:
        side = "large" if value > expected.to(value) else "small"
        fail(f"`{name}` is {value.item():.6g}: too {side}.", *([hint] if hint else []))
    wrong = (value - expected.to(value)).abs() > tolerance
    fail(
        f"`{name}` has the right shape, but {int(wrong.sum())} of {wrong.numel()} entries differ.",
        *([hint] if hint else []),
    )


def _as_number(name: str, value: Any, expected: Tensor) -> Tensor:
    if value is None:
        fail(f"`{name}` is None.", "Does your function end in a `return`?")
    try:
        value = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        fail(f"`{name}` should be a number or a tensor, not {type(value).__name__}.")
    if value.shape != expected.shape:
        want = f"have shape {tuple(expected.shape)}" if expected.ndim else "be a single number"
        fail(f"`{name}` should {want}; yours has shape {tuple(value.shape)}.")
    return value.to(torch.get_default_device(), torch.float64 if _has_float64() else torch.float32)


def _has_float64() -> bool:
    return torch.get_default_device().type != "mps"


def probability_close_to(
    name: str, value: Any, expected: float, *, draws: int, twins: Sequence[Twin] = ()
) -> None:
    """Accept a Monte-Carlo probability within four standard errors of ``expected``.

    The standard error of a share of ``draws`` independent draws is sqrt(p (1 - p) / draws).
    """
    tolerance = 4 * math.sqrt(max(expected * (1 - expected), 1 / draws) / draws)
    close_to(name, value, expected, tolerance=tolerance, twins=twins, is_probability=True)


def same_function(
    answer: Callable,
    reference: Callable,
    calls: Sequence[Call],
    *,
    name: str,
    returns: Sequence[str] = (),
    tolerance: float = 1e-4,
    twins: Sequence[Twin] = (),
    hint: str | None = None,
) -> None:
    """Accept a function that returns what ``reference`` returns at every call.

    Args:
        name: what the reader calls the function.
        returns: what the reader calls the value, or each of the values of a tuple.
        tolerance: relative to the largest entry, or absolute below 1.
        twins: wrong *functions*: if the answer agrees with one of them at every call, its message
            is the one that helps.
        hint: what to look at if no twin is recognised.
    """
    if not callable(answer):
        fail(f"`{name}` should be a function, not {type(answer).__name__}.")
    results = [outcome(answer, c, name) for c in calls]

    def compare(other: Callable) -> None:
        for c, result in zip(calls, results, strict=True):
            expected = other(*c.args, **c.kwargs)
            if isinstance(expected, tuple):
                if not isinstance(result, tuple | list) or len(result) != len(expected):
                    fail(f"`{name}` should return {len(expected)} values.")
                parts = zip(returns, result, expected, strict=True)
            else:
                parts = [(returns[0] if returns else name, result, expected)]
            for value_name, got, want in parts:
                scale = max(1.0, torch.as_tensor(want).abs().max().item())
                close_to(value_name, got, want, tolerance=tolerance * scale, hint=hint)

    reject_unless_same(compare, reference, twins)


def reject_unless_same(
    compare: Callable[[Any], None], reference: Any, twins: Sequence[Twin]
) -> None:
    """Pass if the answer compares with the reference; else prefer the message of a twin."""
    try:
        compare(reference)
    except CheckFailed:
        for twin in twins:
            try:
                compare(twin.answer)
            except CheckFailed:
                continue
            fail(*twin.message.split("\n"))
        raise


# --------------------------------------------------------------------------------- scorecard


def scorecard_within(
    scorecard: pd.DataFrame,
    *,
    mean: float | None = None,
    sd: float | None = None,
    probability: float | None = None,
    parameter: float | None = None,
    nats: float | None = None,
    degrees: float | None = None,
    truth: str = "exact",
) -> None:
    """Pass if every approximate answer is as near to the exact one as stated.

    Args:
        scorecard: as made by :func:`utils.scorecard.make_scorecard`.
        mean: greatest error of an ``E[...]``, in exact standard deviations.
        sd: greatest relative error of an ``sd[...]``.
        probability: greatest absolute error of a ``P(...)``.
        parameter: greatest relative error of a parameter.
        nats: greatest difference of an ELBO or log-likelihood.
        degrees: greatest difference of an angle.
        truth: the column of the exact answers: ``exact``, or ``optimum`` if there is one.

    A quantity of a kind without a limit is not judged, save that it must be a number.
    """
    if scorecard.empty:
        raise CheckFailed(
            "Scorecard: it is empty.", "Did a cell above stop with an error? Mend that one first."
        )
    error = "error" if truth == "exact" else f"error ({truth})"
    absolute = (scorecard["approximate"] - scorecard[truth]).abs()
    limits = {
        "E": (mean, "means within {:g} sd"),
        "sd": (sd, "sds within {:.0%}"),
        "P": (probability, "probabilities (as such, not their odds) within {:g}"),
        "parameter": (parameter, "parameters within {:.0%}"),
        "nats": (nats, "logs within {:g} nats"),
        "degrees": (degrees, "angles within {:g}°"),
    }
    kinds = scorecard.index.map(kind_of_row)
    size = scorecard[error].abs().where(kinds != "P", absolute)
    unlimited = [math.inf if limits[k][0] is None else limits[k][0] for k in kinds]
    allowed = pd.Series(unlimited, index=scorecard.index)
    judged = allowed < math.inf
    if not judged.any():
        raise CheckFailed("Scorecard: no limit is given for any of its quantities.")
    if (bad := ~(size <= allowed)).any():
        row = scorecard[bad].iloc[0]
        raise CheckFailed(
            f"Scorecard: {int(bad.sum())} of {len(scorecard)} quantities are off, first "
            f"`{row.name}`: {row['approximate']:.4g} against {row[truth]:.4g}.",
            "Is the ELBO flat? Then run the notebook again from the top, in order.",
        )
    parts = [text.format(limit) for limit, text in limits.values() if limit is not None]
    of = "" if truth == "exact" else f" against the {truth}"
    print(f"✓ Scorecard{of}: {int(judged.sum())} quantities; {', '.join(parts)}")
