"""Judge a check by the answers that it is meant to tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from utils.checks import CheckFailed


class Wrong(NamedTuple):
    """A typical wrong answer to an exercise, and a part of the message meant for it."""

    check: Callable
    mistake: str
    message: str
    answer: tuple


class Right(NamedTuple):
    """A right answer, written in a way of its own."""

    check: Callable
    way: str
    answer: tuple


def each(cases: Iterable[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda c: f"{c.check.__name__}: {c[1]}")


def assert_caught(case: Wrong, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckFailed) as caught:
        case.check(*case.answer)
    shown = "\n".join(caught.value._render_traceback_())
    assert case.message in shown
    assert len(shown.splitlines()) <= 3
    assert shown.startswith("✗ Exercise")
    assert "✓" not in capsys.readouterr().out


def assert_accepted(case: Right, capsys: pytest.CaptureFixture[str]) -> None:
    case.check(*case.answer)
    shown = capsys.readouterr().out
    assert shown.startswith("✓ Exercise")
    assert len(shown.splitlines()) == 1


def assert_enough(module: ModuleType, wrong: Iterable[Wrong], right: Iterable[Right]) -> None:
    """Every exercise of a module of checks has at least six wrong and two right answers."""
    caught, accepted = (Counter(case.check for case in cases) for cases in (wrong, right))
    exercises = {getattr(module, name) for name in module.__all__} - {module.scorecard_within}
    assert set(caught) == set(accepted) == exercises
    assert min(caught.values()) >= 6
    assert min(accepted.values()) >= 2
