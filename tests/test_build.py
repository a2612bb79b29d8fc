"""The build, on a small course of its own: what is made, kept, noticed and refused."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from tools import notebooks

SOURCE = '''\
# %% [markdown]
# # Title
#
# ### ✏️ Exercise 1: twice

# %% tags=["setup"]
{setup}

# %%
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
print(double(21))
'''


def publish(course: Path, repository: object, branch: object = "main") -> None:
    """Change the setting; JSON is TOML, as far as strings and numbers go."""
    config = (
        f"[tool.course]\nrepository = {json.dumps(repository)}\nbranch = {json.dumps(branch)}\n"
    )
    (course / "pyproject.toml").write_text(config)


@pytest.fixture
def course(tmp_path) -> Path:
    (tmp_path / "solutions" / "Day1").mkdir(parents=True)
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "helper.py").write_text("A = 1\n")
    (tmp_path / "tools").mkdir()
    setup = 'import os\n\nREPOSITORY, BRANCH = "", ""\n'
    (tmp_path / "tools" / "setup_cell.py").write_text(setup)
    publish(tmp_path, "")
    text = SOURCE.format(setup="pass")
    (tmp_path / "solutions" / "Day1" / "1_first_solution.py").write_text(text)
    return tmp_path


@pytest.fixture
def source(course) -> Path:
    (only,) = notebooks.sources(course)
    return only


@pytest.fixture
def built(course, source) -> Path:
    assert notebooks.build(source, root=course).startswith("executed")
    return source


def files(course: Path) -> dict[Path, tuple[bytes, int]]:
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in course.rglob("*") if p.is_file()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_both_notebooks_are_made(course, built):
    solution = nbformat.read(notebooks.solution_path(built), as_version=4)
    student = nbformat.read(course / "Day1" / "1_first.ipynb", as_version=4)
    nbformat.validate(solution)
    nbformat.validate(student)
    assert solution.cells[-1].outputs[0].text == "42\n"
    assert "return 2 * x" in solution.cells[2].source
    assert student.cells[2].source == (
        'def double(x):\n    """Twice x."""\n    # YOUR CODE HERE\n'
        '    raise NotImplementedError("Still blank: replace this line with your code.")'
    )
    assert all(not cell.get("outputs") for cell in student.cells)
    assert [c.id for c in student.cells] == [c.id for c in solution.cells]
    assert len({c.id for c in student.cells}) == len(student.cells)
    assert student.cells[1].metadata.tags == ["setup"]
    assert notebooks.out_of_step(built, course) == []


def both(source: Path) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    solution, student = notebooks.solution_path(source), notebooks.student_path(source)
    return nbformat.read(solution, as_version=4), nbformat.read(student, as_version=4)


def test_the_setup_cell_comes_from_its_template(course, built):
    expected = 'import os\n\nREPOSITORY, BRANCH = "", "main"'
    for notebook in both(built):
        assert notebook.cells[1].source == expected
        assert notebook.cells[0].source.startswith("# Title")  # without badges
    assert 'import os\n\nREPOSITORY, BRANCH = "", ""\n' in built.read_text()


def test_publishing_the_course_is_one_setting_and_executes_nothing(course, built):
    before = files(course)
    publish(course, "https://github.com/some-body/a.course", "spring/2026")
    assert len(notebooks.out_of_step(built, course)) == 2

    assert notebooks.build(built, root=course) == "up to date, not executed"
    assert notebooks.out_of_step(built, course) == []
    solution, student = both(built)
    for notebook in (solution, student):
        stamp = 'REPOSITORY, BRANCH = "https://github.com/some-body/a.course", "spring/2026"'
        assert notebook.cells[1].source == f"import os\n\n{stamp}"
    assert solution.cells[-1].outputs[0].text == "42\n"
    assert notebooks.build(built, root=course) == "up to date, not executed"

    publish(course, "")
    assert notebooks.build(built, root=course) == "up to date, not executed"
    assert {p for p, content in files(course).items() if content[0] != before[p][0]} == set()


def test_badges_open_the_notebook_that_they_stand_in(course, built):
    publish(course, "https://github.com/some-body/a.course", "spring/2026")
    notebooks.build(built, root=course)
    solution, student = both(built)
    assert student.cells[0].source == (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        "(https://colab.research.google.com/github/some-body/a.course/blob/spring/2026/"
        "Day1/1_first.ipynb)\n"
        "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        "(https://mybinder.org/v2/gh/some-body/a.course/spring%2F2026"
        "?labpath=Day1%2F1_first.ipynb)\n\n"
        "# Title\n\n### ✏️ Exercise 1: twice"
    )
    assert "/blob/spring/2026/solutions/Day1/1_first_solution.ipynb)" in solution.cells[0].source
    assert "?labpath=solutions%2FDay1%2F1_first_solution.ipynb)" in solution.cells[0].source
    assert "Open in Colab" not in built.read_text()


@pytest.mark.parametrize("ending", ["", "/", ".git", ".git/"])
def test_the_repository_may_be_written_as_a_browser_or_git_does(course, ending):
    publish(course, f"https://github.com/some-body/a.course{ending}", "v1.2")
    found = notebooks.publication(course)
    assert found == notebooks.Publication("https://github.com/some-body/a.course", "v1.2")


@pytest.mark.parametrize(
    "repository",
    [
        "some-body/a.course",
        "http://github.com/some-body/a.course",
        "https://gitlab.com/some-body/a.course",
        "https://github.com/some-body",
        "https://github.com/some-body/a.course/tree/main",
        'https://github.com/some-body/"; print("',
        "git@github.com:some-body/a.course.git",
        "https://github.com/some-body/a.course\n",
        " ",
        7,
    ],
)
def test_an_odd_repository_is_refused(course, repository):
    publish(course, repository)
    with pytest.raises(notebooks.BuildError, match="must look like .https://github.com/OWNER/NAME"):
        notebooks.publication(course)


@pytest.mark.parametrize("branch", ["", " ", "-b", "a b", "a..b", "a//b", "a/", 'a"b', "a\n", 1])
def test_an_odd_branch_is_refused(course, branch):
    publish(course, "https://github.com/some-body/a.course", branch)
    with pytest.raises(notebooks.BuildError, match="name of a branch or a tag"):
        notebooks.publication(course)


def test_an_odd_setting_leaves_the_notebooks(course, built):
    before = files(course)
    publish(course, "https://github.com/some-body")
    with pytest.raises(notebooks.BuildError):
        notebooks.build(built, root=course)
    publish(course, "")
    assert {p for p, content in files(course).items() if content[0] != before[p][0]} == set()


@pytest.mark.parametrize("config", ["[tool.course\n", None])
def test_an_unreadable_setting_is_refused(course, config):
    (course / "pyproject.toml").unlink()
    if config:
        (course / "pyproject.toml").write_text(config)
    with pytest.raises(notebooks.BuildError, match="pyproject.toml cannot be read"):
        notebooks.publication(course)


def test_building_again_changes_nothing(course, built):
    before = files(course)
    assert notebooks.build(built, root=course) == "up to date, not executed"
    assert files(course) == before


def test_forced_execution_changes_nothing_either(course, built):
    before = files(course)
    assert notebooks.build(built, root=course, force=True).startswith("executed")
    assert files(course) == before


def test_a_change_of_prose_keeps_the_outputs(course, built):
    edit(built, "# # Title", "# # A better title")
    assert len(notebooks.out_of_step(built, course)) == 2
    assert notebooks.build(built, root=course) == "up to date, not executed"
    solution = nbformat.read(notebooks.solution_path(built), as_version=4)
    assert solution.cells[0].source.startswith("# A better title\n")
    assert solution.cells[-1].outputs[0].text == "42\n"
    assert notebooks.out_of_step(built, course) == []


@pytest.mark.parametrize("what", ["code", "utils"])
def test_a_change_of_code_or_utils_executes_again(course, built, what):
    if what == "code":
        edit(built, "double(21)", "double(4)")
    else:
        (course / "utils" / "helper.py").write_text("A = 2\n")
    (problem, *_) = notebooks.out_of_step(built, course)
    assert "make notebooks" in problem
    assert notebooks.build(built, root=course).startswith("executed")
    assert notebooks.out_of_step(built, course) == []


def test_an_edited_student_notebook_is_noticed_and_made_again(course, built):
    student = notebooks.student_path(built)
    edit(student, "Title", "Titel")
    (problem,) = notebooks.out_of_step(built, course)
    assert "Day1/1_first.ipynb" in problem
    assert "make notebooks" in problem
    notebooks.build(built, root=course)
    assert notebooks.out_of_step(built, course) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"\xff\xfe"])
def test_a_damaged_notebook_is_made_again(course, built, damage):
    notebooks.student_path(built).write_bytes(damage)
    notebooks.solution_path(built).write_bytes(damage)
    assert notebooks.out_of_step(built, course)
    notebooks.build(built, root=course)
    assert notebooks.out_of_step(built, course) == []


@pytest.mark.parametrize("change", ["output", "cell"])
def test_a_solution_that_was_saved_by_hand_is_executed_again(course, built, change):
    path = notebooks.solution_path(built)
    solution = nbformat.read(path, as_version=4)
    if change == "output":
        solution.cells[-1].outputs[0].text = "999\n"
    else:
        del solution.cells[-1]
    nbformat.write(solution, path)
    assert len(notebooks.out_of_step(built, course)) == 1
    assert notebooks.build(built, root=course).startswith("executed")
    assert nbformat.read(path, as_version=4).cells[-1].outputs[0].text == "42\n"


def test_printed_lines_are_one_output_however_slowly_they_come(course, built):
    edit(built, "print(double(21))", "import time; print(1, flush=True); time.sleep(0.6); print(2)")
    notebooks.build(built, root=course)
    (output,) = nbformat.read(notebooks.solution_path(built), as_version=4).cells[-1].outputs
    assert output.text == "1\n2\n"


def test_a_failing_cell_leaves_the_old_notebooks(course, built):
    before = files(course)
    edit(built, "double(21)", "double(1 / 0)")
    with pytest.raises(notebooks.BuildError, match="ZeroDivisionError"):
        notebooks.build(built, root=course)
    after = files(course)
    assert {p for p in before if before[p] != after[p]} == {built}


def test_a_warning_fails_the_build(course, built):
    edit(built, "print(double(21))", "import warnings; warnings.warn('old')")
    with pytest.raises(notebooks.BuildError, match="old"):
        notebooks.build(built, root=course)


def test_a_progress_bar_is_not_frozen_in_the_outputs(course, built):
    edit(built, "print(double(21))", "from tqdm.auto import trange; print(len(list(trange(5))))")
    notebooks.build(built, root=course)
    (output,) = nbformat.read(notebooks.solution_path(built), as_version=4).cells[-1].outputs
    assert output.text == "5\n"


def test_unpaired_markers_are_refused(source):
    edit(source, "    ### END SOLUTION\n", "")
    with pytest.raises(notebooks.BuildError, match=r"1_first_solution.py: 1 BEGIN and 0 END"):
        notebooks.read_source(source)


def test_a_source_without_setup_cell_is_refused(course, source):
    edit(source, ' tags=["setup"]', "")
    with pytest.raises(notebooks.BuildError, match="no setup cell"):
        notebooks.build(source, root=course)


def test_a_notebook_over_a_megabyte_is_refused(course, built):
    edit(built, "print(double(21))", "print('x' * 2_000_000)")
    with pytest.raises(notebooks.BuildError, match="lower a figure's dpi"):
        notebooks.build(built, root=course)


def test_a_notebook_without_source_is_noticed(course, built):
    stray = course / "Day1" / "9_stray.ipynb"
    stray.write_text("{}")
    assert notebooks.orphans(course) == [stray]


def test_command_line(capsys):
    assert notebooks.main(["--check"]) == 0
    assert "in step" in capsys.readouterr().out
    assert notebooks.main(["--only", "no such notebook"]) == 2
    assert "no such notebook" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--check"], []])
def test_command_line_refuses_an_odd_setting(capsys, monkeypatch, options):
    def refuse():
        raise notebooks.BuildError("repository must look otherwise")

    monkeypatch.setattr(notebooks, "publication", refuse)
    assert notebooks.main(options) == 1
    assert capsys.readouterr().err == "repository must look otherwise\n"


def test_a_picture_is_kept_for_the_readme(source, course):
    cell = '\n# %% tags=["picture=square"]\nfrom PIL import Image\n\nImage.new("L", (2, 2))\n'
    edit(source, "print(double(21))\n", f"print(double(21))\n{cell}")
    notebooks.build(source, root=course)
    picture = course / "images" / "square.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    before = files(course)
    notebooks.build(source, root=course)
    assert files(course) == before
    picture.write_bytes(b"another")
    (problem,) = notebooks.out_of_step(source, course)
    assert "images/square.png is not the picture in 1_first_solution.ipynb" in problem


def test_a_picture_that_is_not_drawn_is_refused(source, course):
    edit(source, "# %%\nprint", '# %% tags=["picture=square"]\nprint')
    with pytest.raises(notebooks.BuildError, match="picture=square.* draws nothing"):
        notebooks.build(source, root=course)
