"""Every notebook: in step with its source, whole, and runnable from anywhere.

nbval executes the solutions in full; it is part of the same pytest run (see pyproject.toml).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tools import notebooks
from utils.checks.engine import BLANK

ROOT = notebooks.ROOT
SOURCES = notebooks.sources()
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)


@each_source
def test_in_step_with_its_source(source):
    assert notebooks.out_of_step(source) == []


def test_checks_know_the_stub_of_a_blank():
    assert BLANK in notebooks.STUB


def test_every_notebook_has_a_source():
    assert notebooks.orphans() == []


@each_source
def test_anatomy(source):
    notebook = notebooks.read_source(source)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert tags.count("setup") == 1
    assert tags.count("parameters") == 1
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    assert parameters.source == "SEED = 0"
    assert notebook.cells[0].cell_type == "markdown"  # the title, and the place of the badges
    text = "\n".join(cell.source for cell in notebook.cells)
    exercises = text.count("### ✏️ Exercise ")
    assert exercises >= 3
    _, *parts = text.split("### ✏️ Exercise ")
    for part in parts:  # from its heading to the next one, which may have further checks behind it
        task, _, _ = part.partition("\ncheck.")
        assert task.count("<details><summary>Hint") == 1
        assert task.count(notebooks.BEGIN) in (1, 2), "one blank, or the two of a pair"
    assert text.count(notebooks.BEGIN) == sum(
        part.partition("\ncheck.")[0].count(notebooks.BEGIN) for part in parts
    ), "a blank outside an exercise has no check"
    checks = sum(cell.source.startswith("check.") for cell in notebook.cells)
    assert checks == exercises + 1, "one check for each exercise, and one for the scorecard"
    for section in ("you will be able to", "**Time:**", "Scorecard", "Going further", "References"):
        assert section in text


@each_source
def test_stored_outputs_are_fit_to_be_seen(source):
    path = notebooks.solution_path(source)
    assert path.stat().st_size < notebooks.MAX_BYTES
    for cell in notebooks.code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert notebooks.WIDGET not in output.get("data", {})
            assert str(ROOT) not in str(output)
            assert " at 0x" not in str(output), "a memory address changes from run to run"


@each_source
def test_student_notebook_holds_no_solution(source):
    path = notebooks.student_path(source)
    student = nbformat.read(path, as_version=4)
    solution = notebooks.published(notebooks.read_source(source), path)
    assert len(student.cells) == len(solution.cells)
    blanks = 0
    for given, solved in zip(student.cells, solution.cells, strict=True):
        assert not given.get("outputs")
        assert given.get("execution_count") is None
        if notebooks.BEGIN not in solved.source:
            assert given.source == solved.source
            continue
        blanks += 1
        _, _, rest = solved.source.partition(notebooks.BEGIN)
        region, _, _ = rest.partition(notebooks.END)
        for line in map(str.strip, region.splitlines()):
            if any(map(str.isalnum, line)):  # a lone bracket gives nothing away
                assert line not in given.source
        assert "raise NotImplementedError" in given.source
        compile(given.source, "blank", "exec")  # a blank is no syntax error
    assert blanks >= 3


def first_blank(notebook: NotebookNode) -> int:
    """Index among the code cells of the first cell that has a blank."""
    stub = notebooks.STUB.splitlines()[-1]
    return next(i for i, cell in enumerate(notebooks.code_cells(notebook)) if stub in cell.source)


@pytest.fixture(scope="session")
def moved(tmp_path_factory) -> Path:
    """A copy of what students get, at a path with a space in its name."""
    copy = tmp_path_factory.mktemp("another place") / "the course"
    skip = shutil.ignore_patterns("__pycache__", "*-ubyte", ".ipynb_checkpoints")
    for folder in ("utils", "data", "Day1", "Day2"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, copy / folder, ignore=skip)
    return copy


@each_source
@pytest.mark.parametrize("place", ["own folder", "repository root", "copy"])
def test_student_notebook_runs_up_to_the_first_blank(source, place, request):
    path = notebooks.student_path(source)
    home = request.getfixturevalue("moved") if place == "copy" else ROOT
    folder = ROOT if place == "repository root" else home / path.parent.relative_to(ROOT)
    student = nbformat.read(path, as_version=4)
    probe = nbformat.v4.new_code_cell("import utils; print(utils.__path__[0])")
    setup = next(i for i, c in enumerate(student.cells) if "setup" in c.metadata.get("tags", []))
    student.cells.insert(setup + 1, probe)

    with pytest.raises(CellExecutionError) as stop:
        notebooks.run(student, folder)

    # The blank's own error, and nothing before it: a blank in a function body is met by its check.
    assert stop.value.ename in ("NotImplementedError", "StillBlank"), stop.value
    failed = max(
        i for i, c in enumerate(notebooks.code_cells(student)) if c.outputs or c.execution_count
    )
    assert failed - first_blank(student) in (0, 1)
    assert Path(student.cells[setup + 1].outputs[0].text.strip()) == home / "utils"
