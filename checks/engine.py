"""Compare what an answer *does* with what it should do, and say in one sentence what is wrong.

A check never depends on luck and leaves no trace: it fixes its own seed, and restores the
reader's random state and parameter store. A wrong answer raises :class:`CheckFailed`, which
Jupyter shows without a traceback.
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pyro
import torch
from pyro.infer.autoguide import AutoGuide
from torch import Tensor
from torch.utils._pytree import tree_map

from checks.crashes import crash, is_blank, is_of_the_check, reader_line
from checks.reference import TABLES, Reference, exported, rows, sections, stored_text
from utils.device import leaving_no_trace

SEED = 20  # of the checks themselves
LIMIT = 60.0  # seconds
NOT_FINITE = "is not a finite number"


class CheckFailed(AssertionError):  # noqa: N818  (the reader sees this name)
    """An answer is wrong; the lines say what, and what to look at.

    Args:
        vague: whether the lines only say *that* it is wrong, so that the sentence of a known
            mistake with the same behaviour is better.
    """

    def __init__(self, *lines: str, vague: bool = False) -> None:
        self.lines = tuple(part.strip() for line in lines for part in line.split("\n"))
        self.vague = vague
        super().__init__("\n".join(self.lines))

    def _render_traceback_(self) -> list[str]:
        first, *rest = self.lines
        return [f"✗ {first}", *(f"  {line}" for line in rest)]


class StillBlank(CheckFailed, NotImplementedError):  # noqa: N818
    """The blank has not been filled in yet."""


def fail(*lines: str, vague: bool = False) -> NoReturn:
    """Reject the answer with one to three lines."""
    raise CheckFailed(*lines, vague=vague)


class Call(NamedTuple):
    args: tuple
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        words = [describe(a) for a in self.args]
        words += [f"{k}={describe(v)}" for k, v in self.kwargs.items()]
        return f"({', '.join(words)})"

    def of(self, function: Callable, seed: int = SEED) -> Any:
        """What the function returns for copies of these arguments, with the checks' own seed."""
        if torch.get_default_device().type == "cpu":
            torch.default_generator.manual_seed(seed)  # a hundred times as fast as Pyro's
        else:
            pyro.set_rng_seed(seed + 1)
        return function(*copy.deepcopy(self.args), **copy.deepcopy(self.kwargs))


def call(*args, **kwargs) -> Call:
    """The arguments of one call of the answer."""
    return Call(args, kwargs)


# --------------------------------------------------------------------------------- exercises


class Exercise:
    """The named check of one exercise: prints a line if the answer is right, else raises.

    Whatever the answer itself raises is reported with the line of the reader's code that raised it.

    Args:
        name: what the exercise is about, for the line that the reader sees.
        check: compares the answers with the reference; raises :class:`CheckFailed`. What it returns
            is a remark on a right answer.
    """

    running: Exercise  # the one whose check runs now
    explains = True  # whether mistakes are looked for that explain a wrong answer

    def __init__(self, name: str, check: Callable, table: str = "") -> None:
        functools.update_wrapper(self, check)
        self.name, self.check = name, check
        self.notebook = self.__module__.rpartition(".")[2]
        if table:
            self.table = table

    @functools.cached_property
    def title(self) -> str:
        """What the reader sees first: the exercise's number in its notebook, and its name."""
        with suppress(OSError, KeyError):
            number = exported(self.notebook)["exercises"][self.__name__]["number"]
            return f"Exercise {number}, {self.name}"
        return self.name  # no notebook has it: see tests/test_answers.py

    @functools.cached_property
    def table(self) -> str:
        """The mistakes of this exercise: see :class:`checks.reference.Row`."""
        try:
            parts = sections(stored_text(TABLES / f"{self.notebook}.txt"))
        except FileNotFoundError:  # a notebook whose mistakes are all generic
            return ""
        return "".join(rows for names, rows in parts if self.__name__ in names.split(", "))

    @functools.cached_property
    def reference(self) -> Reference:
        return Reference.stored(self.notebook, self.__name__)

    def __call__(self, *answers, **kwargs) -> None:
        answers = tuple(guarded(_own_copy(answer)) for answer in answers)
        names = inspect.signature(self.check).parameters
        unset = [name for name, answer in zip(names, answers, strict=False) if answer is None]
        try:
            if unset:
                raise StillBlank(
                    f"still blank: {' and '.join(f'`{name}`' for name in unset)} "
                    f"{'is' if len(unset) == 1 else 'are'} None.",
                    "Set it in the cell above. Did that cell stop with an error, or is a name "
                    "misspelt?",
                )
            with leaving_no_trace(), torch.enable_grad(), time_limit():
                pyro.set_rng_seed(SEED)
                pyro.clear_param_store()  # here alone: what a fit has left has other shapes
                Exercise.running = self
                remark = self.check(*answers, **kwargs)
        except CheckFailed as problem:
            first, *rest = problem.lines
            raise type(problem)(f"{self.title}: {first}", *rest, vague=problem.vague) from None
        except Exception as error:
            if is_of_the_check(error):
                raise
            if not is_blank(error):
                raise CheckFailed(f"{self.title}: {crash(error)}", *reader_line(error)) from None
            blank = traceback.extract_tb(error.__traceback__)[-1].name
            raise StillBlank(
                f"{self.title}: {f'`{blank}` is ' if len(answers) > 1 else ''}still blank.",
                "Replace the line `raise NotImplementedError(...)` with your code, "
                "run that cell, then this one.",
            ) from None
        print(f"✓ {self.title}", *filter(None, [remark]), sep="\n  ")

    def variants(self, **given: Any) -> Iterator[tuple[str, Callable[[], dict[str, Any]], bool]]:
        """Wrong solutions: the sentence, what runs the cell, and whether it is of the table."""
        run = functools.partial(self.reference.run, **given)
        for row in rows(self.table):
            with suppress(ValueError):  # a row that does not fit is told by the tests, to no reader
                for cell in [*self.reference.changed(row)]:
                    yield row.sentence, functools.partial(run, cell), True
        for mutant in self.reference.mutants:
            yield mutant.sentence, functools.partial(run, mutant.code), False


def exercise(name: str, table: str = "") -> Callable[[Callable], Exercise]:
    """Make the decorated function the check of an exercise, with a table of its mistakes."""
    return lambda check: Exercise(name, check, table)


def solution(name: str) -> Any:
    """What the notebook calls ``name``, all solved, for the exercise whose check runs."""
    exercise = Exercise.running
    if name in exercise.reference.known:
        return exercise.reference.known[name]
    names = exported(exercise.notebook)["exercises"]
    others = (Reference.stored(exercise.notebook, other) for other in names)
    return next(other.run()[name] for other in others if name in other.answers)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Begin what is said inside with the name of one of several answers."""
    try:
        yield
    except CheckFailed as problem:
        first, *rest = problem.lines
        raise CheckFailed(f"`{name}`: {first}", *rest, vague=problem.vague) from None


# --------------------------------------------------------------------------- running an answer


@contextmanager
def time_limit() -> Iterator[None]:
    """Stop an answer that never ends: after a minute, where a check takes seconds.

    Only where Python has an alarm: in the main thread, and not on Windows.
    """
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield
        return

    def stop(*_: Any) -> NoReturn:
        fail(
            "your code has not come to an end in a minute.",
            "Which loop goes on for ever? Can its condition be reached, and does every round move?",
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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


def guarded(answer: Any) -> Any:
    """The answer; if it is a function, with a complaint about calls that cannot work.

    These are arguments that it does not take, and arguments that it changes in place.
    """
    if not inspect.isfunction(answer):
        return answer
    signature = inspect.signature(answer)

    @functools.wraps(answer)
    def wrapper(*args, **kwargs):
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            takes = ", ".join(f"`{name}`" for name in signature.parameters) or "none"
            fail(
                f"your function does not take the arguments that it is called with: {error}.",
                f"Its arguments are {takes}. Leave the line with `def` as it was.",
            )
        given = {name: value for name, value in given.items() if name not in kwargs} | kwargs
        kept = {name: bits(value) for name, value in given.items()}
        result = answer(*args, **kwargs)
        for name, value in given.items():
            if bits(value) != kept[name]:
                fail(
                    f"your function changes its argument `{name}` in place (`-=`, `*=`, "
                    "`x[...] =`, `.sub_()`, ...): the variables of the notebook change with it.",
                    "Make a copy first, or write a new value: `x = x - y`, not `x -= y`.",
                )
        return result

    return wrapper


def bits(value: Any) -> Any:
    """The numbers in a value, bit by bit, in the same containers: to be compared with ``==``."""

    def of_leaf(leaf: Any) -> tuple | None:
        if not isinstance(leaf, Tensor | np.ndarray | float | int):
            return None
        array = torch.as_tensor(leaf).detach().cpu().numpy() + 0  # of -0.0, it makes 0.0
        return array.dtype.str, array.shape, array.tobytes()

    return tree_map(of_leaf, value)


def outcome(answer: Callable, c: Call, name: str) -> Any:
    """What the answer returns, which may not be None."""
    result = c.of(answer)
    if result is None:
        fail(f"what `{name}` returns is None.", "Does your function end in a `return`?")
    return result


def describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{value.item():.3g}" if value.ndim == 0 else f"tensor of shape {tuple(value.shape)}"
    return "None" if value is None else repr(value)


# ------------------------------------------------------------------------ values and functions


def close_to(
    name: str,
    value: Any,
    expected: Any,
    *,
    tolerance: float = 1e-4,
    hint: str | None = None,
) -> None:
    """Accept ``value`` if every entry is within ``tolerance`` of ``expected``.

    Args:
        name: what the reader calls it.
        value: a number or tensor, of the shape of ``expected``; one entry is a number, too.
        tolerance: absolute; for a Monte-Carlo answer, what its number of draws implies.
        hint: what to look at if nothing else explains the difference.
    """
    expected = torch.as_tensor(expected)
    value = as_number(name, value, expected)
    expected = expected.to(value)
    if torch.allclose(value, expected, rtol=0.0, atol=tolerance, equal_nan=True):
        return
    if not torch.isfinite(value).all():
        why = "Is there a logarithm or a root of a negative number, or a division by 0?"
        fail(f"`{name}` {NOT_FINITE}.", why, vague=True)
    lines = [hint] if hint else []
    if expected.ndim == 0:
        side = "large" if value > expected else "small"
        fail(f"`{name}` is {value.item():.6g}: too {side}.", *lines, vague=True)
    wrong = (value - expected).abs() > tolerance
    fail(
        f"`{name}` has the right shape, but {int(wrong.sum())} of {wrong.numel()} entries differ.",
        *lines,
        vague=True,
    )


def as_number(name: str, value: Any, expected: Tensor) -> Tensor:
    """The answer as a tensor of the expected shape, in double precision where there is one."""
    if value is None:
        fail(f"`{name}` is None.", "Does your function end in a `return`?")
    if isinstance(value, tuple) and hasattr(value, "values"):
        fail(f"`{name}` is a pair, values and indices: take its `.values`.")
    if callable(value) and not isinstance(value, Tensor):
        fail(f"`{name}` is a function: call it, with brackets `()`, to get its value.")
    try:
        value = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        fail(f"`{name}` should be a number or a tensor, not {type(value).__name__}.")
    if expected.ndim == 0 and value.numel() == 1:
        value = value.reshape(())
    if value.shape != expected.shape:
        want = f"have shape {tuple(expected.shape)}" if expected.ndim else "be a single number"
        fail(f"`{name}` should {want}; yours has shape {tuple(value.shape)}.", vague=True)
    device = torch.get_default_device()
    return value.to(device, torch.float32 if device.type == "mps" else torch.float64)


def same_values(
    answers: Mapping[str, Any],
    *,
    given: Mapping[str, Any] | None = None,
    compare: Callable[[str, Any, Any], None] = close_to,
) -> None:
    """Accept variables with the values that the solution gives them.

    Args:
        answers: the reader's values by the names of the notebook.
        given: variables of the notebook from which the solution computes them.
        compare: called with a name, the reader's value and the right one; raises
            :class:`CheckFailed`, vaguely if a mistake may explain it.
    """
    exercise, given = Exercise.running, dict(given or {})

    def compare_all(other: Mapping[str, Any], names: Sequence[str]) -> None:
        for name in names:
            compare(name, answers[name], other[name])

    judge(compare_all, exercise.reference.run(**given), list(answers), exercise.variants(**given))


def same_function(
    answer: Callable,
    calls: Sequence[Call],
    *,
    returns: Sequence[str] = (),
    tolerance: float = 1e-4,
    hint: str | None = None,
    of: Callable[[Any], Callable] = lambda answer: answer,
    tensors: bool = False,
    if_random: Sequence[str] = (),
    extremes: Sequence[tuple[Call, Sequence[str]]] = (),
    gradients: Sequence[str] = (),
) -> None:
    """Accept a function that returns what the solution returns at every call.

    Args:
        returns: what the reader calls the value, or each of the values of a tuple.
        tolerance: relative to the largest entry, or absolute below 1.
        hint: what to look at if no known mistake explains the difference.
        of: makes the function from what the cell defines, if that is not a function itself.
        tensors: whether the notebook goes on with the values as tensors.
        if_random: the lines for who returns something else at a second call.
        extremes: calls at which a formula may overflow, each with the lines for one that is right
            elsewhere; ten times the tolerance.
        gradients: arguments to which the gradient of each value has to pass, as in the solution.
    """
    exercise = Exercise.running
    name = exercise.reference.answers[0]
    if not callable(answer):
        fail(f"`{name}` should be a function, not {type(answer).__name__}.")
    right = exercise.reference.run()
    function, reference = of(answer), of(right[name])
    results = [outcome(function, c, name) for c in calls]

    def values_of(result: Any) -> dict[str, Any]:
        if isinstance(result, tuple | list) and len(returns) > 1:
            return dict(zip(returns, result, strict=True))
        return result if isinstance(result, dict) else {(returns or [name])[0]: result}

    expected = [values_of(c.of(reference)) for c in calls]
    names = list(expected[0])
    for result in results:
        if len(returns) > 1 and (
            not isinstance(result, tuple | list) or len(result) != len(returns)
        ):
            fail(f"`{name}` should return {len(returns)} values: {', '.join(returns)}.")
        if returns == () and len(names) > 1 and not isinstance(result, dict):
            fail(f"`{name}` should return a dictionary.")
        for part, value in values_of(result).items() if tensors else ():
            need_tensor(part, value)
    scales = {
        part: tolerance
        * max(1.0, *(torch.as_tensor(e[part]).detach().abs().max().item() for e in expected))
        for part in names
    }

    def draws(f: Callable) -> bool:
        first, second = (calls[0].of(f, SEED + more) for more in (0, 1))
        return bits(first) != bits(second)

    def compare_at(c: Call, result: Any, wrong: Callable, names: Sequence[str], room: int) -> None:
        mine, values = values_of(result), values_of(c.of(wrong))
        for part in names:
            close_to(part, mine.get(part), values[part], tolerance=room * scales[part], hint=hint)

    def compare(other: Mapping[str, Any], names: Sequence[str]) -> None:
        wrong = of(other[name])
        for c, result in zip(calls, results, strict=True):
            compare_at(c, result, wrong, names, room=1)

    if if_random and draws(function):
        fail(*if_random)
    try:
        judge(compare, right, names, exercise.variants())
    except CheckFailed as problem:
        if problem.vague and Exercise.explains:
            _reject_unused_arguments(function, reference, calls[0])
            if draws(function) and not draws(reference):
                fail(
                    "your function draws random numbers: the same input gives another result.",
                    *problem.lines,
                )
        raise
    for c, lines in extremes:
        result = outcome(function, c, name)
        with suppress(CheckFailed):
            compare_at(c, result, reference, names, room=10)
            continue
        fail(*lines)
    for argument in gradients:
        given = inspect.signature(reference).bind(*calls[0].args, **calls[0].kwargs).arguments
        given[argument] = leaf = given[argument].clone().requires_grad_()
        both = (_gradients(f, given.values(), leaf) for f in (function, reference))
        for part, mine, theirs in itertools.zip_longest(names, *both):
            if theirs is not None and (
                mine is None or not torch.allclose(mine, theirs, rtol=1e-2, atol=1e-3)
            ):
                fail(
                    f"`{part}` has the right value, but {'no' if mine is None else 'a wrong'} "
                    f"gradient passes through it to `{argument}`.",
                    "`.detach()`, `no_grad()`, `torch.tensor()`, `.item()` and numpy cut it off.",
                )


def _gradients(function: Callable, arguments: Iterable, leaf: Tensor) -> list[Tensor | None]:
    """The gradient of each value that a function returns, by one of its arguments, if any."""
    try:
        result = function(*arguments)
    except RuntimeError as error:  # of numpy
        if "require" not in str(error):
            raise
        return []
    values = map(torch.as_tensor, result if isinstance(result, tuple | list) else [result])
    return [
        torch.autograd.grad(v.sum(), leaf, allow_unused=True, retain_graph=True)[0]
        if v.requires_grad
        else None
        for v in values
    ]


def need_tensor(name: str, value: Any) -> None:
    """Fail if a value is none of the tensors with which the notebook goes on."""
    if not isinstance(value, Tensor):
        fail(
            f"`{name}` should be a tensor, not {type(value).__name__}.",
            "The next cells go on with it as a tensor: no `.tolist()`, no `.numpy()`; torch.stack "
            "makes one of several.",
        )


def _reject_unused_arguments(function: Callable, reference: Callable, c: Call) -> None:
    """Fail if an argument that matters has no influence on what the function returns."""
    functions = (function, reference)
    bound = inspect.signature(reference).bind(*c.args, **c.kwargs)
    for argument, value in bound.arguments.items():
        if not isinstance(value, float) and not (
            isinstance(value, Tensor) and value.is_floating_point()
        ):
            continue
        moved = []
        for other in (value * 0.9, value * 0.5, -value, value + 1):
            changed = copy.copy(bound)
            changed.arguments = {**bound.arguments, argument: other}
            move = Call(changed.args, changed.kwargs)
            with suppress(ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
                moved.append([bits(move.of(f)) != bits(c.of(f)) for f in functions])
        mine, theirs = map(any, zip(*moved, strict=True)) if moved else (True, True)
        if theirs and not mine:
            fail(
                f"what you return does not depend on the argument `{argument}`.",
                "Does your code use a fixed number, or a variable of the notebook, instead?",
            )


def judge(
    compare: Callable[[Any, Sequence[str]], None],
    right: Mapping[str, Any],
    names: Sequence[str],
    variants: Iterator[tuple[str, Callable[[], dict[str, Any]], bool]],
) -> None:
    """Pass if the answer compares with the right solution; else say which mistake it is.

    The sentence is that of the first wrong solution with which the answer agrees: in all its parts,
    or at least in the first part that is wrong.

    Args:
        compare: raises :class:`CheckFailed` unless the named parts of the answer agree.
        right: the solution's variables.
        names: the parts of the answer.
    """
    problems = ((name, _problem(compare, right, [name])) for name in names)
    wrong, problem = next((found for found in problems if found[1]), ("", None))
    if problem is None:
        return
    if not getattr(problem, "vague", False) or not Exercise.explains:
        raise problem
    explained: list[str] = []
    no_number = NOT_FINITE in problem.lines[0]  # which many a change brings about
    with warnings.catch_warnings(action="ignore"):
        for sentence, run, of_table in variants:
            other = ran(run) if of_table or not no_number else None
            if other is None or _problem(compare, other, names[: names.index(wrong) + 1]):
                continue
            explained.append(sentence if of_table or len(names) == 1 else f"`{wrong}`: {sentence}")
            if not _problem(compare, other, names):
                fail(explained[-1])
    if explained or no_number:
        fail(*(explained[:1] or problem.lines))
    raise problem


def ran(run: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What a wrong solution defines; it may also raise anything."""
    with suppress(Exception):
        return run()
    return None


def _problem(compare: Callable, other: Mapping[str, Any], names: Sequence[str]) -> Exception | None:
    """What keeps the named parts of the answer from agreeing with another solution."""
    try:
        compare(other, names)
    except Exception as problem:
        return problem
    return None
