"""Every exercise of every notebook: known mistakes get their sentence, right answers pass.

Nothing here names an exercise. The wrong answers are the tables in `checks/tables`, the mutants of
the solutions, and `tests/wrong_answers`; the right ones stand in `tests/right_answers`. Each is
played as a reader plays it: the answer's cell, then the check's, in the notebook's context.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import nbformat
import pyro
import pytest

from checks.crashes import BLANK
from checks.engine import CheckFailed, Exercise, StillBlank, ran
from checks.reference import Row, exported, rows, sections, with_solution
from tests.examples import EXAMPLES, SLOW
from tests.places import find, place
from tools import build

HERE, CHECKS = Path(__file__).parent, build.ROOT / "checks"
NOTEBOOKS = {build.references_path(source).stem: source for source in build.sources()}
SECTION = r"^# %% ([\w, ]+)"  # of a table of mistakes, or of written answers


def name_of(exercise: Exercise) -> str:
    return f"{exercise.__module__.removeprefix('checks.')}.{exercise.__name__}"


def exercises_of(notebook: str) -> Iterator[Exercise]:
    """The checks of exercises in `checks/NOTEBOOK.py`."""
    if (CHECKS / f"{notebook}.py").is_file():
        for found in vars(importlib.import_module(f"checks.{notebook}")).values():
            if isinstance(found, Exercise) and found.__module__ == f"checks.{notebook}":
                yield found


# What does not belong together is missing here, and named by the first tests below.
EXERCISES = {
    name_of(exercise): exercise
    for notebook, source in NOTEBOOKS.items()
    if build.references_path(source).is_file()
    for exercise in exercises_of(notebook)
    if exercise.__name__ in exported(notebook)["exercises"]
}
EQUIVALENT = json.loads((HERE / "equivalent_mutants.json").read_text(encoding="utf-8"))


class Case(NamedTuple):
    exercise: Exercise
    name: str
    code: str | Row


MISTAKES = [Case(e, row.sentence, row) for e in EXERCISES.values() for row in rows(e.table)]


def written(folder: str) -> Iterator[Case]:
    """The answers of a folder: sections `# %% exercise: words`, and below them the code.

    The code replaces the solution, or the whole cell if it begins with a definition.
    """
    for path in sorted((HERE / folder).glob("*.txt")):
        for head, code in sections(path.read_text(encoding="utf-8")):
            name, _, words = head.partition(": ")
            code = code.strip("\n")
            if (exercise := EXERCISES.get(f"{path.stem}.{name}")) is None:
                continue
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


def rejected(exercise: Exercise, code: str | CodeType, *, vaguely: bool = True) -> str:
    """What the reader sees; it may say only that the answer is wrong, or has to say why."""
    with pytest.raises(CheckFailed) as caught:
        play(exercise, code)
    shown = "\n".join(caught.value._render_traceback_())
    assert len(shown.splitlines()) <= 3
    assert shown.startswith("✗ Exercise")
    assert vaguely or not caught.value.vague, shown
    return shown


def test_every_check_of_a_notebook_is_an_exercise():
    """Only these are tried with right and wrong answers; the scorecard's is none."""
    problems = [
        f"{place(source, f'check.{check[1]}(')}: in checks/{notebook}.py a function `{check[1]}` "
        "is missing, or is not decorated with @exercise(...)"
        for notebook, source in NOTEBOOKS.items()
        for cell in build.read_source(source).cells
        if (check := build.CHECK.match(cell.source))
        and cell.metadata["nbgrader"]["grade_id"] != "check_scorecard"
        and check[1] not in {exercise.__name__ for exercise in exercises_of(notebook)}
    ]
    assert not problems, "\n".join(problems)


def test_nothing_is_kept_for_an_exercise_that_no_notebook_has():
    problems = [
        f"{place(CHECKS / f'{path.stem}.py', f'def {exercise.__name__}(')}: no notebook has "
        f"`check.{exercise.__name__}(...)` behind an answer; drop it, or `make notebooks`"
        for path in CHECKS.glob("*.py")
        for exercise in exercises_of(path.stem)
        if name_of(exercise) not in EXERCISES
    ]
    firsts = {}  # so that each name is told once a file
    folders = (CHECKS / "tables", HERE / "right_answers", HERE / "wrong_answers")
    for path in (path for folder in folders for path in folder.glob("*.txt")):
        for where, section in find(SECTION, path):
            for name in section[1].split(", "):
                firsts.setdefault((path.parent.name, f"{path.stem}.{name}"), where)
    problems += [
        f"{where}: no exercise is called `{name}`; drop its sections in this file"
        for (_, name), where in firsts.items()
        if name not in EXERCISES
    ]
    problems += [
        f"{place(HERE / file, name)}: no exercise is called `{name}`; drop this entry"
        for file, names in {"equivalent_mutants.json": EQUIVALENT, "examples.py": EXAMPLES}.items()
        for name in names
        if name not in EXERCISES
    ]
    assert not problems, "\n".join(problems)


def test_stored_solutions_show_the_numbers_and_subjects_of_today():
    """Neither executes a notebook again."""
    problems = []
    for name, source in NOTEBOOKS.items():
        path = build.solution_path(source)
        stored = nbformat.read(path, as_version=4) if path.is_file() else build.read_source(source)
        for cell in build.code_cells(stored):
            check = build.CHECK.match(cell.source)
            exercise = EXERCISES.get(f"{name}.{check[1]}") if check else None
            shown = "".join(output.get("text", "") for output in cell.get("outputs", []))
            if exercise and shown and not shown.startswith(f"✓ {exercise.title}"):
                problems.append(
                    f"{place(path, shown.splitlines()[0])}: it is “{exercise.title}” now; run "
                    f"`.venv/bin/python -m tools.build --only {name} --force`"
                )
    assert not problems, "\n".join(problems)


def test_every_exercise_has_two_right_answers_that_are_written_differently():
    written_for = {name: {exercise.reference.cell} for name, exercise in EXERCISES.items()}
    for case in written("right_answers"):
        written_for[name_of(case.exercise)].add(case.code)
    problems = [
        f"tests/right_answers/{name.replace('.', '.txt: `')}` has {len(answers) - 1}, that differ "
        "from the solution and one another; write two, below `# %% NAME: in other words`"
        for name, codes in written_for.items()
        if len(answers := {ast.dump(ast.parse(code)) for code in codes}) < 3  # without comments
    ]
    assert not problems, "\n".join(problems)


@each([*MISTAKES, *written("wrong_answers")])
def test_a_known_mistake_gets_its_sentence(case, capsys):
    try:
        row = isinstance(case.code, Row)
        codes = list(case.exercise.reference.changed(case.code)) if row else [case.code]
    except ValueError as problem:
        table = CHECKS / "tables" / f"{case.exercise.__module__.removeprefix('checks.')}.txt"
        pytest.fail(f"{place(table, case.code.changes[0])}: {problem}")
    for code in codes:
        shown = rejected(case.exercise, code)
        assert " ".join(case.name.split()) in " ".join(shown.split())
        assert "✓" not in capsys.readouterr().out


@each([*written("right_answers")])
def test_a_right_answer_passes(case, capsys):
    play(case.exercise, case.code)
    assert capsys.readouterr().out.startswith(f"✓ {case.exercise.title}")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_passes_and_a_blank_is_told_so(name, capsys):
    exercise = EXERCISES[name]
    play(exercise, exercise.reference.cell)
    assert capsys.readouterr().out == f"✓ {exercise.title}\n"
    blank = with_solution(exercise.reference.cell, f'raise NotImplementedError("{BLANK}")')
    if re.search(r"^ +### BEGIN", exercise.reference.cell, flags=re.M):  # within a definition
        with pytest.raises(StillBlank, match="still blank"):
            play(exercise, blank)


@pytest.mark.filterwarnings("ignore")  # of torch, about what some mutants do
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
    listed, entry = EQUIVALENT.get(name, {}), json.dumps(accepted, indent=2, ensure_ascii=False)
    assert accepted == listed, (
        f"{place(HERE / 'equivalent_mutants.json', name)}: the check accepts other changes of the "
        "solution than those listed. It computes with too weak data; or nobody can tell them from "
        f'the solution, and the entry is\n "{name}": {entry},'
    )


@pytest.mark.parametrize("name", [name for name in EXERCISES if name not in SLOW])
def test_generic_mistakes_are_explained(name):
    """Every fifteenth mutant, as an answer, gets a sentence that is not only "wrong"."""
    exercise, known = EXERCISES[name], EQUIVALENT.get(name, {})
    for sentence, code in exercise.reference.mutants[::15]:
        runs = partial(exercise.reference.run, code, **given(exercise))
        if sentence not in known and ran(runs):
            rejected(exercise, code, vaguely=False)
