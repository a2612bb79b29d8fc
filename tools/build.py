"""Make the notebooks: source -> executed solution, student notebook, references for the checks.

``solutions/DayN/NAME_solution.py`` (jupytext py:percent) is the only file that people edit. From it
come ``NAME_solution.ipynb`` beside it, executed from a clean kernel; the student's
``DayN/NAME.ipynb``, in which every solution is a stub that raises ``NotImplementedError``;
``checks/references/NAME.json``, the solutions that the checks compare with; and the pictures that
other pages show: ``images/PICTURE.png``, drawn by the cell tagged ``picture=PICTURE``.

A notebook is executed again only if its own code changed, or what it uses of `utils` and the data:
text, hints and checks execute nothing, nor does the course's address in pyproject.toml.
"""

from __future__ import annotations

import argparse
import ast
import base64
import copy
import hashlib
import io
import json
import os
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from symtable import symtable
from typing import Any, NamedTuple
from urllib.parse import quote

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearOutput, ClearSolutions, ComputeChecksums, LockCells
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = '# YOUR CODE HERE\nraise NotImplementedError("Still blank: put your code here.")'
FETCH = """\
if "google.colab" in sys.modules and not Path("course/utils/start.py").exists():
    !git clone --quiet --depth=1 --branch={branch} https://github.com/{name} course
"""
BADGES = {
    "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
    "Binder": "https://mybinder.org/badge_logo.svg",
}
FITS_BINDER = ("Day1",)  # its machines have 2 GB of memory
ADDRESS = re.compile(r"(https://github\.com/([a-z0-9-]+/[\w.-]+?)(\.git)?/?)?", re.A | re.I)
BRANCH = re.compile(r"(?!.*(\.\.|//))\w([\w./-]*[\w-])?", re.A)
PART = re.compile(r"^### ✏️ Exercise (\d+)|^## [\d.]+ (Scorecard)", re.M)
CHECK = re.compile(r"^check\.(\w+)\(", re.M)
LOCKED = {"setup", "parameters"}  # tags of cells that nbgrader restores
UNGRADED = {"schema_version": 3, "cell_type": "code", "task": False, "grade": False}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_BYTES = 1_000_000
DEFINITION = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
PLAIN = (ast.Constant, ast.UnaryOp, ast.unaryop, ast.List, ast.Tuple, ast.Dict)
PLAIN += (ast.Name, ast.Attribute, ast.expr_context)


class BuildError(RuntimeError):
    """A source cannot be made into notebooks; the message says where and why."""


def sources(root: Path = ROOT) -> list[Path]:
    """The notebooks' sources, in teaching order."""
    return sorted(root.glob("solutions/Day*/*_solution.py"))


def source_named(name: str, root: Path = ROOT) -> Path:
    """The source with ``name`` in its own; raises BuildError unless there is just one."""
    found = [source for source in sources(root) if name in source.stem]
    if len(found) != 1:
        raise BuildError(f"{len(found)} notebooks have {name!r} in their name; it takes one")
    return found[0]


def solution_path(source: Path) -> Path:
    return source.with_suffix(".ipynb")


def student_path(source: Path) -> Path:
    name = source.stem.removesuffix("_solution")
    return source.parents[2] / source.parent.name / f"{name}.ipynb"


def references_path(source: Path) -> Path:
    name = student_path(source).stem.partition("_")[2]
    return source.parents[2] / "checks" / "references" / f"{name}.json"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def grade_id(cell: NotebookNode) -> str:
    """nbgrader's name of a cell, "" if it has none."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def read_source(source: Path) -> NotebookNode:
    """A source as a notebook without outputs, with stable cell ids and nbgrader's metadata.

    Raises:
        BuildError: there is no setup cell, or a code cell is no Python, has markers that do not
            pair up, or cannot be graded.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    if sum("setup" in tags(cell) for cell in code_cells(notebook)) != 1:
        raise BuildError(f'{source.name} needs one setup cell: `# %% tags=["setup"]`')
    part, seen = "", Counter()
    for cell in notebook.cells:
        # Jupytext makes random ids: an id made of the text keeps diffs small.
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell.id = f"{digest}-{seen[digest]}"
        seen[digest] += 1
        if cell.cell_type != "code":
            for exercise, scorecard in PART.findall(cell.source):
                part = exercise or scorecard.lower()
            continue
        try:
            ast.parse(cell.source)
            _make_gradable(cell, part, seen)
        except (SyntaxError, ValueError) as problem:
            first = cell.source.partition("\n")[0]
            raise BuildError(f"{source.name}, the cell `{first}`: {problem}") from problem
    return notebook


def _make_gradable(cell: NotebookNode, part: str, seen: Counter[str]) -> None:
    """Tell nbgrader that a cell is an answer (`exercise_3`), a check (`check_3`), or locked.

    A check gives one point; with `points=2` in the header of its cell in the source, two.
    """
    is_check, is_answer = bool(CHECK.match(cell.source)), BEGIN in cell.source
    points = cell.metadata.pop("points", int(is_check))
    if type(points) not in (int, float) or not points >= 0 or (points and not is_check):
        raise ValueError(f"points={points!r}; a check may have some, 0 or more")
    if cell.source.count(BEGIN) != cell.source.count(END):
        raise ValueError(f"not as many {BEGIN} as {END}")
    locked = min(LOCKED.intersection(tags(cell)), default="")
    if not (locked or is_check or is_answer):
        return
    name = locked or f"{'check' if is_check else 'exercise'}_{part}"
    seen[name] += 1
    if name.endswith("_"):
        raise ValueError("no exercise before it: put `### ✏️ Exercise N: ...` there")
    if is_check and seen[name] > 1:
        raise ValueError(
            "a second check of one exercise: join the two, or number the headings 1, 2, 3"
        )
    told = {"points": points, "grade": True} if is_check else {}
    told |= {"locked": not is_answer, "solution": is_answer}
    told["grade_id"] = name if seen[name] == 1 else f"{name}_{seen[name]}"
    cell.metadata["nbgrader"] = NotebookNode(UNGRADED | told)


def references(notebook: NotebookNode) -> bytes:
    """What checks compare with, as JSON: each exercise's number, answer, check, and context."""
    exercises: dict[str, dict[str, str | list[str]]] = {}
    answer = []
    for cell in code_cells(notebook):
        if BEGIN in cell.source:
            answer += ["", *cell.source.splitlines()]
        elif answer and (check := CHECK.search(cell.source)):
            number = cell.metadata["nbgrader"]["grade_id"].removeprefix("check_")
            lines = {"cell": answer[1:], "check": cell.source.splitlines()}
            exercises[check[1]] = {"number": number, **lines}
            answer = []
    wanted = set().union(*(_names("\n".join(e["cell"]))[1] for e in exercises.values()))
    content = {"context": context(notebook, wanted), "exercises": exercises}
    return f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode()


def context(notebook: NotebookNode, wanted: set[str]) -> list[str]:
    """The imports, functions, classes and plain values of these names, as lines of code.

    And what these use in turn; but nothing that computes, draws or reads.
    """
    cells = [c.source for c in code_cells(notebook) if not LOCKED.intersection(tags(c))]
    lines, wanted = [], wanted.copy()
    for statement in reversed(ast.parse("\n".join(cells)).body):
        code = ast.unparse(statement)
        bound, needed = _names(code)
        parts = ast.walk(statement.value) if isinstance(statement, ast.Assign) else [statement]
        if bound & wanted and all(isinstance(part, (*DEFINITION, *PLAIN)) for part in parts):
            lines[:0] = code.splitlines()
            wanted |= needed
    return ["from utils.start import *", *lines]


def definitions(name: str, *wanted: str) -> dict[str, Any]:
    """What the notebook with ``name`` in its own defines as ``wanted``; its cells are not run.

    Raises:
        BuildError: no notebook, or more than one, has ``name`` in its own.
    """
    namespace: dict[str, Any] = {"__name__": name}
    exec("\n".join(context(read_source(source_named(name)), {*wanted})), namespace)
    return namespace


def _names(code: str) -> tuple[set[str], set[str]]:
    """The names that code binds at its top level, and those that it needs from elsewhere."""
    tables = [symtable(code, "<cell>", "exec")]
    top = tables[0].get_symbols()
    bound = {s.get_name() for s in top if s.is_assigned() or s.is_imported() or s.is_namespace()}
    needed = set()
    for table in tables:  # which grows by the functions in it
        tables += table.get_children()
        symbols = table.get_symbols()
        needed |= {s.get_name() for s in symbols if s.is_global() and s.is_referenced()}
    return bound, needed - bound


def fingerprint(notebook: NotebookNode, executed: NotebookNode, root: Path = ROOT) -> str:
    """A hash of the outputs of ``executed`` and of all that they depend on.

    These are the code of ``notebook``; what it imports from `utils`, and what this imports or
    names in turn; and its data, by their checksums: `load_gap` reads the files named `gap...`.
    """
    code = [cell.source for cell in code_cells(notebook)]
    outputs = [cell.outputs for cell in code_cells(executed)]
    names = _imports("\n".join(code))
    loaders = re.findall(r"^utils\.data\.load_(\w+?)(?:_posterior)?$", "\n".join(names), re.M)
    sums = (root / "data" / "SHA256SUMS").read_text("utf-8").splitlines()
    data = [line for line in sums if line.split()[1].lower().startswith(tuple(loaders))]
    files = {path: path.read_text("utf-8") for path in (root / "utils").glob("*.*")}
    used = {}
    while found := {path for path in files if {path.name, f"utils.{path.stem}"} & names}:
        for path in found:
            used[path.name] = files.pop(path)
            names |= _imports(used[path.name]) if path.suffix == ".py" else set()
    content = json.dumps([code, outputs, data, used], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _imports(code: str) -> set[str]:
    """The full names of what code imports, and the strings in it, which may be names of files."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module, names):
                found |= {f"{module}", *(f"{module}.{alias.name}" for alias in names)}
            case ast.Constant(str(text)):
                found.add(text)
    return found


def run(notebook: NotebookNode, folder: Path, timeout: int = 900) -> None:
    """Execute a notebook in place, in ``folder``, from a clean kernel.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    settings = {"kernel_name": "python3", "record_timing": False, "coalesce_streams": True}
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=timeout, resources=place, **settings)
    # A backend chosen in the shell would keep the figures out of the notebook.
    client.execute(env={k: v for k, v in os.environ.items() if k != "MPLBACKEND"})


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Return an executed copy, with its outputs as they are stored.

    Raises:
        BuildError: a cell failed, or wrote to stderr: a stored notebook shows no warnings.
    """
    notebook, heading = copy.deepcopy(notebook), ""
    try:
        run(notebook, folder)
    except CellExecutionError as error:
        raise BuildError(f"a cell fails with {error.ename}: {error.evalue}\n{error}") from error
    for cell in notebook.cells:
        if cell.cell_type != "code":
            heading = (re.findall(r"^#+ (.*)$", cell.source, re.M) or [heading])[-1]
            continue
        # A widget means nothing without its kernel: a progress bar goes, an explorer leaves its
        # picture.
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data.pop(WIDGET, None)
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            if output.get("name") == "stderr":
                raise BuildError(f"a cell warns instead of just working: {output.text}")
            if picture := output.get("data", {}).get("image/png"):
                output.data["image/png"] = smaller_png(picture)
                about = output.metadata.setdefault("image/png", NotebookNode())
                about.setdefault("alt", alt_text(heading, cell.source))
    return notebook


def smaller_png(picture: str) -> str:
    """The picture (base64) with a palette of 256 colours: a third of the size, and no worse."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        palette = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    palette.save(packed, "png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def alt_text(heading: str, code: str) -> str:
    """What a picture shows: the heading above it, its titles, and the labels of its axes."""
    words = [
        node.value.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.keyword) and node.arg in ("suptitle", "title", "xlabel", "ylabel")
        if isinstance(node.value, ast.Constant) and node.value.value
    ]
    return ": ".join(filter(None, [heading.removeprefix("✏️ "), "; ".join(dict.fromkeys(words))]))


def student_version(notebook: NotebookNode, first: int = 0) -> NotebookNode:
    """Return a copy with stubs for solutions and without outputs, as nbgrader releases it.

    The answers of exercises before the ``first`` are filled in.
    """
    student, clear = copy.deepcopy(notebook), ClearSolutions(code_stub={"python": STUB})
    steps = (ClearOutput(), clear, LockCells(lock_readonly_cells=False), ComputeChecksums())
    for step in steps:
        student, _ = step.preprocess(student, {})
    for cell, solved in zip(student.cells, notebook.cells, strict=True):
        if BEGIN in solved.source and int(grade_id(solved).split("_")[1]) < first:
            cell.source = re.sub(rf"^ *({BEGIN}|{END})\n?", "", solved.source, flags=re.M).rstrip()
    return student


class Publication(NamedTuple):
    """Where the course is published: OWNER/NAME on GitHub, "" for nowhere, and two branches."""

    name: str
    branch: str
    """The branch of the whole course."""
    students: str
    """The branch of what students get (see `tools.hand_out`)."""


def publication(root: Path = ROOT) -> Publication:
    """What pyproject.toml says.

    Raises:
        BuildError: it says nothing that can be read.
    """
    try:
        course = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["course"]
        address = ADDRESS.fullmatch(course["repository"])
        branches = [BRANCH.fullmatch(course[name]) for name in ("branch", "students")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"[tool.course] in pyproject.toml cannot be read: {error!r}") from error
    if not address or not all(branches):
        raise BuildError(
            '[tool.course] in pyproject.toml: repository is "https://github.com/OWNER/NAME", or '
            '"" while there is none; branch and students are branches or tags like "main", '
            f"not {course}"
        )
    return Publication(address[2] or "", *(branch[0] for branch in branches))


def branch_with(path: Path, root: Path = ROOT) -> str:
    """The branch on which a notebook is opened: solutions are on one that students do not see."""
    _, branch, students = publication(root)
    return branch if path.is_relative_to(root / "solutions") else students


def places_to_open(path: Path, root: Path = ROOT) -> dict[str, str]:
    """Where a published notebook can be opened: name -> address; none if it is not published."""
    name, branch = publication(root).name, branch_with(path, root)
    if not name:
        return {}
    file = quote(path.relative_to(root).as_posix())
    places = {"Colab": f"https://colab.research.google.com/github/{name}/blob/{branch}/{file}"}
    if path.parent.name in FITS_BINDER:
        branch, file = quote(branch, safe=""), file.replace("/", "%2F")
        places["Binder"] = f"https://mybinder.org/v2/gh/{name}/{branch}?labpath={file}"
    return places


def published(notebook: NotebookNode, path: Path, root: Path = ROOT) -> NotebookNode:
    """Return a copy that can be opened elsewhere, if the course is published.

    Its first cell fetches the course in Colab, and badges at its top open the notebook, stored at
    ``path``, in Colab, and in Binder where its memory serves.
    """
    notebook, places = copy.deepcopy(notebook), places_to_open(path, root)
    if places:
        badges = [f"[![Open in {p}]({BADGES[p]})]({address})" for p, address in places.items()]
        notebook.cells[0].source = "\n".join([*badges, "", notebook.cells[0].source])
        (setup,) = (cell for cell in code_cells(notebook) if "setup" in tags(cell))
        fetch = FETCH.format(name=publication(root).name, branch=branch_with(path, root))
        setup.source = setup.source.replace("\n\n", f"\n\n{fetch}", 1)
    return notebook


def products(
    source: Path, notebook: NotebookNode, executed: NotebookNode, root: Path = ROOT
) -> dict[Path, bytes]:
    """All that is made of a source, with the outputs of ``executed``: path -> content.

    Raises:
        BuildError: a notebook is too large, or a cell tagged ``picture=NAME`` draws nothing.
    """
    made = {references_path(source): references(notebook)}
    solution = copy.deepcopy(notebook)
    for cell, done in zip(code_cells(solution), code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
        drawn = [o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})]
        for name in (tag.partition("=")[2] for tag in tags(cell) if tag.startswith("picture=")):
            if not drawn:
                raise BuildError(f"the cell tagged picture={name} draws nothing")
            made[root / "images" / f"{name}.png"] = base64.b64decode(drawn[0])
    solution.metadata["fingerprint"] = fingerprint(notebook, solution, root)
    student = student_version(notebook)
    for path, version in ((solution_path(source), solution), (student_path(source), student)):
        made[path] = f"{nbformat.writes(published(version, path, root))}\n".encode()
        if len(made[path]) > MAX_BYTES:
            raise BuildError(f"{path.name} has {len(made[path]):,} bytes: lower a figure's dpi")
    return made


def stored(source: Path, notebook: NotebookNode, root: Path = ROOT) -> NotebookNode | None:
    """The stored solution, if its outputs are those that the build got from this code."""
    try:
        old = nbformat.read(solution_path(source), as_version=4)
        return old if old.metadata["fingerprint"] == fingerprint(notebook, old, root) else None
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError):
        return None


def build(source: Path, *, root: Path = ROOT, force: bool = False) -> str:
    """Make what is out of step with a source; return what was done."""
    notebook, _ = read_source(source), publication(root)  # a mistake there is told at once
    write(references_path(source), references(notebook))  # the checks in the notebook need them
    old = None if force else stored(source, notebook, root)
    executed = old or execute(notebook, source.parent)
    for path, content in products(source, notebook, executed, root).items():
        write(path, content)
    return "not executed" if old else "executed"


def write(path: Path, content: bytes) -> None:
    """Write a file if it changes, and whole: an interrupted run leaves the old one."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(content)
        temporary.replace(path)


def out_of_step(source: Path, root: Path = ROOT) -> list[str]:
    """What is out of step with ``source``: one sentence each, none if all is well."""
    notebook, mend = read_source(source), "run `make notebooks` and commit what it writes"
    executed = stored(source, notebook, root)
    if executed is None:
        return [f"{solution_path(source).name} was not executed with this code: {mend}"]
    return [
        f"{path.relative_to(root)} is not what {source.name} makes: {mend}"
        for path, content in products(source, notebook, executed, root).items()
        if not path.is_file() or path.read_bytes() != content
    ]


def orphans(root: Path = ROOT) -> list[Path]:
    """Notebooks and references that no source makes."""
    made = {f(s) for s in sources(root) for f in (solution_path, student_path, references_path)}
    patterns = ("Day*/*.ipynb", "solutions/Day*/*.ipynb", "checks/references/*")
    return sorted({path for pattern in patterns for path in root.glob(pattern)} - made)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", metavar="NAME", help="sources that contain NAME")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--force", action="store_true", help="execute even if nothing changed")
    what.add_argument("--references", action="store_true", help="make the references alone")
    what.add_argument("--check", action="store_true", help="only report; exit 1 if out of step")
    options = parser.parse_args(argv)
    chosen = [source for source in sources() if options.only in source.stem]
    if not chosen:
        parser.error(f"no source's name contains {options.only!r}")
    problems: list[str] = []
    try:
        for source in chosen:
            if options.check:
                problems += out_of_step(source)
            elif options.references:
                write(references_path(source), references(read_source(source)))
            else:
                print(f"{source.stem} ... ", end="", flush=True)
                print(build(source, force=options.force))
    except BuildError as problem:
        problems = [str(problem)]
    print("\n".join(problems) or "Done.", file=sys.stderr if problems else sys.stdout)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
