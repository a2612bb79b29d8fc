"""What nbgrader does besides its own steps: one bad cell costs at most its own exercise."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Integer

Resources = dict[str, Any]
TOO_MUCH_MEMORY = ("MemoryError", "allocate memory", "out of memory", "OutOfMemoryError")


def nbgrader_data(cell: NotebookNode) -> dict[str, Any]:
    return cell.get("metadata", {}).get("nbgrader") or {}


def marks(cell: NotebookNode) -> set[str]:
    """The ids by which a released cell is known again, whatever editor saved it."""
    metadata = cell.get("metadata", {})  # where Colab keeps the id
    ids = {cell.get("id"), metadata.get("id"), nbgrader_data(cell).get("grade_id")}
    return {name for name in ids if name}


def words(cell: NotebookNode) -> str:
    """The text of a cell, by which it is known again without an id; blanks may all be the same."""
    return "" if "raise NotImplementedError" in cell.source else " ".join(cell.source.split())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Restore(NbGraderPreprocessor):
    """Give a submission what the released notebook has: nbgrader's metadata, and missing code.

    Of a cell that was copied or split all pieces stay, and the last one counts; a cell that was
    deleted comes back in its place, an answer as an empty cell. The notebook's metadata
    say what was done, as `restored`, and which file was graded, as `submitted`.
    """

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        told = resources["nbgrader"]
        name = f"{told['notebook']}.ipynb"
        path = Path("release", told["assignment"], name)
        released, notes = nbformat.read(path, as_version=4).cells, []
        submitted = digest(Path("submitted", told["student"], told["assignment"], name))
        cells = []
        for cell in nb.cells:  # anew, for other editors leave odd fields in them
            new = new_code_cell if cell.cell_type == "code" else new_markdown_cell
            cells.append(new(cell.source))
        order, following, left = list(cells), None, set(range(len(cells)))
        for model in reversed(released):
            name, text = nbgrader_data(model).get("grade_id"), words(model)
            same = [i for i in left if marks(nb.cells[i]) & marks(model)]
            alike = [i for i in same or left if text and words(cells[i]) == text]
            if same or alike:
                left.discard(last := max(alike or same))
                following = cells[last]
                if name and len(same) > 1:
                    notes.append(f"{name}: the last of {len(same)} cells counts")
            elif model.cell_type == "code":
                is_answer = nbgrader_data(model).get("solution")
                new = new_code_cell("# This answer was deleted." if is_answer else model.source)
                order.insert(order.index(following) if following else len(order), new)
                following = new
                notes.append(f"{name or 'a cell of code'}: was missing")
            if name:
                following.metadata = model.metadata
        metadata = {"restored": notes[::-1], "submitted": submitted}
        return new_notebook(cells=order, metadata=metadata), resources


def note_on(notebook: NotebookNode, index: int, what: str) -> None:
    """For the report: what became of a cell."""
    name = nbgrader_data(notebook.cells[index]).get("grade_id") or f"cell {index + 1}"
    notebook.metadata.setdefault("restored", []).append(f"{name}: {what}")


class ExecuteAll(Execute):
    """Execute all cells, and begin again without the one that ends Python, or never ends."""

    memory = Integer(8 * 2**30, help="Bytes that a notebook may take (on Linux).").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: Resources, km: Any = None
    ) -> tuple[NotebookNode, Resources]:
        self.fatal: dict[int, str] = {}
        while True:
            self.current = None
            try:
                return super().preprocess(nb, resources, km)
            except (DeadKernelError, CellTimeoutError) as error:
                if self.current is None or self.current in self.fatal:
                    raise
                reason = "it never ends" if isinstance(error, CellTimeoutError) else str(error)
                self.fatal[self.current] = f"left out: {reason}"
                note_on(nb, self.current, self.fatal[self.current])

    def start_new_kernel(self, **settings: Any) -> None:
        super().start_new_kernel(**settings)
        if hasattr(resource, "prlimit"):
            pid = self.km.provisioner.pid
            resource.prlimit(pid, resource.RLIMIT_DATA, (self.memory, self.memory))

    def preprocess_cell(
        self, cell: NotebookNode, resources: Resources, index: int
    ) -> tuple[NotebookNode, Resources]:
        if index not in self.fatal:
            self.current = index
            return super().preprocess_cell(cell, resources, index)
        reason = self.fatal[index]
        message = [f"This cell was {reason}"]
        cell.outputs = [new_output("error", ename="LeftOut", evalue=reason, traceback=message)]
        return cell, resources

    def on_cell_executed(self, **told: Any) -> None:
        super().on_cell_executed(**told)
        reply = told["execute_reply"]["content"]
        problem = f"{reply.get('ename', '')}: {reply.get('evalue', '')}"
        if reply.get("ename") == "CellTimeoutError":  # interrupted, and Python goes on
            note_on(self.nb, told["cell_index"], f"stopped after {self.timeout} s")
        if "ask_exit" in [payload.get("source") for payload in reply.get("payload", [])]:
            raise DeadKernelError("exit()")
        if any(words in problem for words in TOO_MUCH_MEMORY):
            raise DeadKernelError(problem)
