"""Make the notebooks: source -> executed solution notebook -> student notebook.

``solutions/DayN/NAME_solution.py`` (jupytext py:percent) is the only file that people edit. From
it come ``solutions/DayN/NAME_solution.ipynb``, executed from a clean kernel, and the student's
``DayN/NAME.ipynb``, in which every region between ``### BEGIN SOLUTION`` and
``### END SOLUTION`` is a stub that raises ``NotImplementedError``.

A solution notebook is executed again only if a code cell of it, `utils` or the CSV data changed;
a change of prose keeps the stored outputs.

`repository` and `branch` under `[tool.course]` in pyproject.toml say where the course is published.
They are stamped into the setup cells and the badges of the notebooks, not into their sources, and a
change of them executes nothing.

    python -m tools.notebooks                      make what is out of step
    python -m tools.notebooks --only 1_bayesian    ... only sources whose name contains this
    python -m tools.notebooks --force              execute even if nothing changed
    python -m tools.notebooks --check              only report; exit 1 if out of step
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import io
import json
import os
import re
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert.preprocessors import ClearMetadataPreprocessor, ClearOutputPreprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from PIL import Image

from tools import grading

ROOT = Path(__file__).resolve().parents[1]
SETUP_CELL = Path("tools/setup_cell.py")
SUFFIX = "_solution"
MEND = "run `make notebooks` and commit what it writes"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = (
    '# YOUR CODE HERE\nraise NotImplementedError("Still blank: replace this line with your code.")'
)
MAX_BYTES = 1_000_000
WIDGET = "application/vnd.jupyter.widget-view+json"
SETTING = re.compile(r"^REPOSITORY, BRANCH = .*$", flags=re.M)
REPOSITORY_FORM = re.compile(
    r"(?P<address>https://github\.com/[A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(\.git)?/?"
)
BRANCH_FORM = re.compile(r"(?!.*(\.\.|//))[A-Za-z0-9_]([A-Za-z0-9._/-]*[A-Za-z0-9_-])?")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


class BuildError(RuntimeError):
    """A source cannot be made into notebooks; the message names the file and the cell."""


def sources(root: Path = ROOT) -> list[Path]:
    """The notebooks' sources, in teaching order."""
    return sorted((root / "solutions").glob(f"Day*/*{SUFFIX}.py"))


def solution_path(source: Path) -> Path:
    return source.with_suffix(".ipynb")


def student_path(source: Path) -> Path:
    root, day = source.parents[2], source.parent.name
    return root / day / f"{source.stem.removesuffix(SUFFIX)}.ipynb"


@dataclass(frozen=True)
class Publication:
    """Where the course is published; ``repository`` is empty while it is not."""

    repository: str
    branch: str


def publication(root: Path = ROOT) -> Publication:
    """The setting in pyproject.toml: repository (without a trailing slash or .git) and branch.

    Raises:
        BuildError: pyproject.toml cannot be read, or one of the two is not what it should be.
    """
    try:
        with (root / "pyproject.toml").open("rb") as file:
            course = tomllib.load(file).get("tool", {}).get("course", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"pyproject.toml cannot be read: {error}") from error
    repository, branch = course.get("repository", ""), course.get("branch", "main")
    found = REPOSITORY_FORM.fullmatch(repository) if isinstance(repository, str) else None
    if repository != "" and not found:
        raise BuildError(
            "[tool.course] in pyproject.toml: repository must look like "
            f'"https://github.com/OWNER/NAME", or be "" while there is none, not {repository!r}'
        )
    if not isinstance(branch, str) or not BRANCH_FORM.fullmatch(branch):
        raise BuildError(
            "[tool.course] in pyproject.toml: branch must be the name of a branch or a tag, "
            f'such as "main", not {branch!r}'
        )
    return Publication(found["address"] if found else "", branch)


def setup_cell(root: Path = ROOT) -> str:
    """The setup cell of every source; the notebooks have the repository stamped into it."""
    return (root / SETUP_CELL).read_text(encoding="utf-8").strip()


def with_setup_cell(text: str, setup: str) -> str:
    """Return a source's text with the cell tagged ``setup`` replaced by ``setup``."""
    marker = '# %% tags=["setup"]\n'
    head, found, tail = text.partition(marker)
    if not found:
        raise BuildError(f"there is no setup cell: add the line `{marker.strip()}`")
    following = re.search(r"^# %%", tail, flags=re.M)
    rest = tail[following.start() :] if following else ""
    return f"{head}{marker}{setup}\n\n{rest}"


def read_source(source: Path) -> NotebookNode:
    """Read a source as a notebook without outputs, with stable cell ids and nbgrader's metadata.

    Raises:
        BuildError: solution markers that do not pair up, an empty source, or a blank or a check
            that cannot be graded.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    if not notebook.cells:
        raise BuildError(f"{source.name} has no cells")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        begins, ends = cell.source.count(BEGIN), cell.source.count(END)
        if begins != ends:
            first = cell.source.partition("\n")[0]
            raise BuildError(f"{source.name}: {begins} BEGIN and {ends} END in the cell `{first}`")
        # Jupytext makes random ids: an id made of the text keeps diffs small.
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell.id = f"{digest}-{seen[digest]}"
        seen[digest] += 1
    try:
        grading.stamp(notebook, blank=BEGIN)
    except ValueError as problem:
        raise BuildError(f"{source.name}: {problem}") from problem
    return notebook


def is_setup(cell: NotebookNode) -> bool:
    return "setup" in cell.metadata.get("tags", [])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _code(cell: NotebookNode) -> str:
    """A code cell's text, without where the course is published."""
    return SETTING.sub("", cell.source, count=1) if is_setup(cell) else cell.source


def fingerprint(notebook: NotebookNode, executed: NotebookNode, root: Path = ROOT) -> str:
    """A hash of the outputs of ``executed`` and of all that they depend on.

    These are the code cells of ``notebook``, `utils`, and the files in `data` itself (not in its
    folders: MNIST's files are verified when they are read). Where the course is published is not
    one of them.
    """
    digest = hashlib.sha256()
    for cell in code_cells(notebook):
        digest.update(_code(cell).encode() + b"\0")
    for cell in code_cells(executed):
        digest.update(json.dumps([_code(cell), cell.outputs], sort_keys=True).encode() + b"\0")
    data = [path for path in (root / "data").glob("*") if path.is_file() and path.suffix != ".md"]
    for path in sorted([*(root / "utils").rglob("*.py"), *data]):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def run(notebook: NotebookNode, folder: Path, timeout: int = 900) -> None:
    """Execute a notebook in place, in ``folder``, from a clean kernel.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    # A backend chosen in the shell would keep the figures out of the notebook.
    client.execute(env={k: v for k, v in os.environ.items() if k != "MPLBACKEND"})


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Return an executed copy, with its outputs as they are stored.

    Raises:
        BuildError: a cell failed, or wrote to stderr: a stored notebook shows no warnings.
    """
    notebook = copy.deepcopy(notebook)
    try:
        run(notebook, folder)
    except CellExecutionError as error:
        raise BuildError(f"a cell fails with {error.ename}: {error.evalue}\n{error}") from error
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        # A progress bar is a widget, which means nothing without its kernel.
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        cell.outputs = joined_streams(cell.outputs)
        for output in cell.outputs:
            if output.get("name") == "stderr":
                first = cell.source.partition("\n")[0]
                raise BuildError(
                    f"the cell `{first}` warns instead of just working:\n{output.text}"
                )
            if picture := output.get("data", {}).get("image/png"):
                output.data["image/png"] = smaller_png(picture)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    return notebook


def joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Printed text in one piece, however the kernel happened to send it."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.get("name") and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def smaller_png(picture: str) -> str:
    """The picture (base64) with a palette of 256 colours: a third of the size, and no worse."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        palette = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    palette.save(packed, "png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def with_outputs_of(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Return a copy with the outputs of a notebook that has the same code cells."""
    notebook = copy.deepcopy(notebook)
    for cell, done in zip(code_cells(notebook), code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    return notebook


def student_version(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with stubs for solutions and without outputs."""
    notebook = copy.deepcopy(notebook)
    clear = ClearSolutions(code_stub={"python": STUB}, enforce_metadata=False)
    for step in (
        ClearOutputPreprocessor(),
        ClearMetadataPreprocessor(
            clear_cell_metadata=True,
            clear_notebook_metadata=False,
            preserve_cell_metadata_mask={"tags"},
        ),
        clear,
    ):
        notebook, _ = step.preprocess(notebook, {})
    return notebook


def published(notebook: NotebookNode, path: Path, root: Path = ROOT) -> NotebookNode:
    """Return a copy that knows where the course is published.

    Its setup cell fetches the course from there, and badges at its top open the notebook itself,
    stored at ``path``, in Colab and Binder. While the course is not published, there are none.

    Raises:
        BuildError: the setting in pyproject.toml is not what it should be.
    """
    notebook, home = copy.deepcopy(notebook), publication(root)
    for cell in filter(is_setup, notebook.cells):
        stamp = f'REPOSITORY, BRANCH = "{home.repository}", "{home.branch}"'
        cell.source = SETTING.sub(stamp, cell.source, count=1)
    if home.repository:
        title = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
        title.source = f"{badges(home, path.relative_to(root))}\n\n{title.source}"
    return notebook


def badges(home: Publication, path: Path) -> str:
    """Links, in Markdown, that open the notebook at ``path`` of the repository."""
    owner_and_name = home.repository.removeprefix("https://github.com/")
    notebook = quote(path.as_posix())
    colab = "https://colab.research.google.com"
    binder = "https://mybinder.org"
    return (
        f"[![Open in Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/{owner_and_name}/blob/{home.branch}/{notebook})\n"
        f"[![Open in Binder]({binder}/badge_logo.svg)]"
        f"({binder}/v2/gh/{owner_and_name}/{quote(home.branch, safe='')}"
        f"?labpath={quote(path.as_posix(), safe='')})"
    )


def stored(path: Path) -> NotebookNode | None:
    """The notebook stored at ``path``, or None if there is none that can be read."""
    try:
        return nbformat.read(path, as_version=4)
    except (
        FileNotFoundError,
        UnicodeDecodeError,
        nbformat.reader.NotJSONError,
        nbformat.ValidationError,
    ):
        return None


def write(notebook: NotebookNode, path: Path) -> None:
    """Write atomically, so that an interrupted run leaves the old notebook."""
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise BuildError(f"{path.name} would be {len(text) / 1e6:.1f} MB; lower a figure's dpi")
    _write_whole(text.encode(), path)


def _write_whole(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _is_executed(source: Path, notebook: NotebookNode, root: Path) -> bool:
    """Whether the stored outputs are those that the build got from this code."""
    old = stored(solution_path(source))
    return old is not None and old.metadata.get("fingerprint") == fingerprint(notebook, old, root)


def _finished_solution(notebook: NotebookNode, source: Path, root: Path) -> NotebookNode:
    notebook.metadata["fingerprint"] = fingerprint(notebook, notebook, root)
    return published(notebook, solution_path(source), root)


def _finished_student(notebook: NotebookNode, source: Path, root: Path) -> NotebookNode:
    return published(student_version(notebook), student_path(source), root)


def pictures(notebook: NotebookNode, root: Path) -> dict[Path, bytes]:
    """What the cells tagged ``picture=NAME`` drew, by the file in `images` that keeps it.

    Raises:
        BuildError: such a cell drew nothing.
    """
    found = {}
    for cell in code_cells(notebook):
        for tag in cell.metadata.get("tags", []):
            key, _, name = tag.partition("=")
            if key == "picture":
                drawn = [output.get("data", {}).get("image/png") for output in cell.outputs]
                if not any(drawn):
                    raise BuildError(f"the cell tagged {tag!r} draws nothing")
                picture = next(filter(None, drawn))
                found[root / "images" / f"{name}.png"] = base64.b64decode(picture)
    return found


def out_of_step(source: Path, root: Path = ROOT) -> list[str]:
    """What is out of step with ``source``: one sentence each, none if all is well."""
    problems = []
    text = source.read_text(encoding="utf-8")
    if with_setup_cell(text, setup_cell(root)) != text:
        problems.append(f"the setup cell of {source.name} is not {SETUP_CELL}'s")
    notebook = read_source(source)
    solution, student = solution_path(source), student_path(source)
    if not _is_executed(source, notebook, root):
        problems.append(f"{solution.relative_to(root)} was not executed with this code")
    else:
        executed = with_outputs_of(notebook, stored(solution))
        if stored(solution) != _finished_solution(executed, source, root):
            problems.append(f"{solution.relative_to(root)} has other text than its source")
        for path, picture in pictures(executed, root).items():
            if not path.is_file() or path.read_bytes() != picture:
                problems.append(f"{path.relative_to(root)} is not the picture in {solution.name}")
    if stored(student) != _finished_student(notebook, source, root):
        problems.append(f"{student.relative_to(root)} is not made from its source")
    return [f"{problem}: {MEND}" for problem in problems]


def orphans(root: Path = ROOT) -> list[Path]:
    """Notebooks that no source makes."""
    made = {path(s) for s in sources(root) for path in (solution_path, student_path)}
    found = [*root.glob("Day*/*.ipynb"), *(root / "solutions").rglob("*.ipynb")]
    return sorted(p for p in found if p not in made and ".ipynb_checkpoints" not in p.parts)


def build(source: Path, *, root: Path = ROOT, force: bool = False) -> str:
    """Make both notebooks of a source; return what was done."""
    text = source.read_text(encoding="utf-8")
    synchronised = with_setup_cell(text, setup_cell(root))
    if synchronised != text:
        source.write_text(synchronised, encoding="utf-8", newline="\n")
    notebook = read_source(source)
    began = time.perf_counter()
    if force or not _is_executed(source, notebook, root):
        solution = execute(notebook, source.parent)
        done = f"executed in {time.perf_counter() - began:.0f} s"
    else:
        solution = with_outputs_of(notebook, stored(solution_path(source)))
        done = "up to date, not executed"
    for path, made in (
        (solution_path(source), _finished_solution(solution, source, root)),
        (student_path(source), _finished_student(notebook, source, root)),
    ):
        if stored(path) != made:
            write(made, path)
    for path, picture in pictures(solution, root).items():
        if not path.is_file() or path.read_bytes() != picture:
            _write_whole(picture, path)
    return done


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", metavar="NAME", help="sources that contain NAME")
    parser.add_argument("--force", action="store_true", help="execute even if nothing changed")
    parser.add_argument("--check", action="store_true", help="report only; exit 1 if out of step")
    options = parser.parse_args(argv)

    chosen = [source for source in sources() if options.only in source.stem]
    if not chosen:
        print(f"No source's name contains {options.only!r}.", file=sys.stderr)
        return 2
    try:
        publication()
    except BuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.check:
        problems = [problem for source in chosen for problem in out_of_step(source)]
        print("\n".join(problems) or "All notebooks are in step with their sources.")
        return 1 if problems else 0
    for source in chosen:
        print(f"{source.relative_to(ROOT)} ... ", end="", flush=True)
        try:
            print(build(source, force=options.force))
        except BuildError as problem:
            print(f"failed: {problem}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
