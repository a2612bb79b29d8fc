"""Every exercise of every notebook: known mistakes get their sentence, right answers pass.

Nothing here names an exercise. The wrong answers are the tables in `checks/tables`, the mutants of
the solutions, and `tests/wrong_answers`; the right ones stand in `tests/right_answers`. Each is
played as a reader plays it: the answer's cell, then the check's, in the notebook's context.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pyro
import pytest

from checks.crashes import BLANK
from checks.engine import CheckFailed, Exercise, StillBlank
from checks.reference import Row, exported, rows, sections, with_solution
from tests.examples import EXAMPLES, SLOW

HERE = Path(__file__).parent
NOTEBOOKS = sorted(path.stem for path in (HERE / "right_answers").glob("*.txt"))


def name_of(exercise: Exercise) -> str:
    return f"{exercise.__module__.removeprefix('checks.')}.{exercise.__name__}"


EXERCISES = {
    name_of(exercise): exercise
    for notebook in NOTEBOOKS
    for exercise in vars(importlib.import_module(f"checks.{notebook}")).values()
    if isinstance(exercise, Exercise)
}
EQUIVALENT = json.loads((HERE / "equivalent_mutants.json").read_text(encoding="utf-8"))


class Case(NamedTuple):
    exercise: Exercise
    name: str
    code: str | Row


def mistakes() -> Iterator[Case]:
    for exercise in EXERCISES.values():
        for row in rows(exercise.table):
            yield Case(exercise, row.sentence, row)


def written(folder: str) -> Iterator[Case]:
    """The answers of a folder: sections `# %% exercise: words`, and below them the code.

    The code replaces the solution, or the whole cell if it begins with a definition.
    """
    for notebook in NOTEBOOKS:
        text = (HERE / folder / f"{notebook}.txt").read_text(encoding="utf-8")
        for head, code in sections(text):
            name, _, words = head.partition(": ")
            code = code.strip("\n")
            exercise = EXERCISES[f"{notebook}.{name}"]
            whole = rf"def |class |import |from |({'|'.join(exercise.reference.answers)}) = "
            if not re.match(whole, code):
                code = with_solution(exercise.reference.cell, code)
            yield Case(exercise, words, code)


def each(cases: list[Case]) -> pytest.MarkDecorator:
    ids = [f"{name_of(case.exercise)}: {case.name}"[:100] for case in cases]
    return pytest.mark.parametrize("case", cases, ids=ids)


def given(exercise: Exercise) -> dict[str, Any]:
    """The variables that the notebook has before the answer's cell."""
    return EXAMPLES.get(name_of(exercise), dict)()


def play(exercise: Exercise, code: str | CodeType) -> None:
    """Run the answer's cell and then the check's, as in the notebook."""
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    module = sys.modules[exercise.__module__]
    exec(exercise.reference.check, exercise.reference.run(code, **given(exercise), check=module))


def runs(exercise: Exercise, code: CodeType) -> bool:
    """Whether the answer's cell gets as far as the check."""
    try:
        exercise.reference.run(code, **given(exercise))
    except Exception:
        return False
    return True


def rejected(exercise: Exercise, code: str | CodeType, *, vaguely: bool = True) -> str:
    """What the reader sees; it may say only that the answer is wrong, or has to say why."""
    with pytest.raises(CheckFailed) as caught:
        play(exercise, code)
    shown = "\n".join(caught.value._render_traceback_())
    assert len(shown.splitlines()) <= 3
    assert shown.startswith("✗ Exercise")
    assert vaguely or not caught.value.vague, shown
    return shown


def test_every_solution_has_a_check_and_every_check_a_solution():
    stored = {
        f"{name}.{exercise}" for name in NOTEBOOKS for exercise in exported(name)["exercises"]
    }
    assert stored == set(EXERCISES)


@each([*mistakes(), *written("wrong_answers")])
def test_a_known_mistake_gets_its_sentence(case, capsys):
    row = isinstance(case.code, Row)
    for code in case.exercise.reference.changed(case.code) if row else [case.code]:
        shown = rejected(case.exercise, code)
        assert " ".join(case.name.split()) in " ".join(shown.split())
        assert "✓" not in capsys.readouterr().out


@each([*written("right_answers")])
def test_a_right_answer_passes(case, capsys):
    play(case.exercise, case.code)
    assert capsys.readouterr().out.startswith(f"✓ {case.exercise.title}")


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_passes_and_a_blank_is_told_so(name, capsys):
    exercise = EXERCISES[name]
    play(exercise, exercise.reference.cell)
    assert capsys.readouterr().out == f"✓ {exercise.title}\n"
    blank = with_solution(exercise.reference.cell, f'raise NotImplementedError("{BLANK}")')
    if re.search(r"^ +### BEGIN", exercise.reference.cell, flags=re.M):  # within a definition
        with pytest.raises(StillBlank, match="still blank"):
            play(exercise, blank)


@pytest.mark.parametrize("name", [name for name in EXERCISES if name not in SLOW])
def test_every_mutant_that_behaves_otherwise_is_rejected(name, monkeypatch):
    """Save those listed as equivalent; nothing is explained here, which would take long."""
    monkeypatch.setattr(Exercise, "explains", False)
    exercise, accepted = EXERCISES[name], Counter()
    for sentence, code in exercise.reference.mutants:
        try:
            play(exercise, code)
        except Exception:  # noqa: S112  (some stop before the check)
            continue
        accepted[sentence] += 1
    assert accepted == EQUIVALENT.get(name, {})


@pytest.mark.parametrize("name", [name for name in EXERCISES if name not in SLOW])
def test_generic_mistakes_are_explained(name):
    """Every fifteenth mutant, as an answer, gets a sentence that is not only "wrong"."""
    exercise = EXERCISES[name]
    known = EQUIVALENT.get(name, {})
    for sentence, code in exercise.reference.mutants[::15]:
        if sentence not in known and runs(exercise, code):
            rejected(exercise, code, vaguely=False)
