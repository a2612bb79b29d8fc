"""One configuration for the website (`make site`) and the talks (`-t talks`, builder `revealjs`).

Pages are the files of the repository itself: README, the executed solutions, the guides. Nothing
is executed. A cell with a solution is folded; above each notebook stand the ways to open the
student's version.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools import build  # noqa: E402

TALKS = tags.has("talks")  # noqa: F821  (Sphinx defines it)
NAME = build.publication(ROOT).name
NOTEBOOKS = {
    build.solution_path(source).relative_to(ROOT).with_suffix("").as_posix(): source
    for source in build.sources(ROOT)
}
GUIDES = ["INSTRUCTORS", "KIT", "grading/README", "CONTRIBUTING", "data/README"]

project = "Probabilistic models with deep neural networks, in Pyro"
author = copyright = "the authors of the course"
extensions = ["myst_nb", "sphinx-mathjax-offline", "sphinx_revealjs"]
root_doc = "talks/index" if TALKS else "README"
include_patterns = ["talks/*.md"] if TALKS else ["README.md", "solutions/**.ipynb"]
include_patterns += [] if TALKS else [f"{guide}.md" for guide in GUIDES]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

nb_execution_mode = "off"
nb_code_prompt_show = "The solution"
nb_code_prompt_hide = "Fold the solution"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
# Cells have no language of their own; links to folders and files lead to the repository.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

html_theme = "sphinx_book_theme"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_title = "Probabilistic models in Pyro"
html_theme_options = {"use_download_button": True, "show_toc_level": 2, "home_page_in_toc": True}
html_theme_options |= {"navbar_persistent": []}  # one search box is enough
html_theme_options |= {"repository_url": f"https://github.com/{NAME}"} if NAME else {}

revealjs_style_theme = "white"
revealjs_static_path = ["talk.css"]
revealjs_css_files = ["talk.css"]
revealjs_script_conf = {"width": 1280, "height": 720, "margin": 0.04, "hash": True}
revealjs_script_conf |= {"slideNumber": "c/t", "transition": "none", "center": False}
revealjs_script_plugins = [
    {"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"},
]

CONTENTS = """

```{toctree}
:hidden:
:caption: %s

%s
```
"""


def prepare(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the landing page its contents, and a notebook its folded solutions and its links."""
    if docname == "README":
        days = {day: [n for n in NOTEBOOKS if day in n] for day in ("Day1", "Day2")}
        parts = {f"{day[:3]} {day[3:]}": notebooks for day, notebooks in days.items()}
        for caption, pages in (parts | {"For teachers": GUIDES}).items():
            source[0] += CONTENTS % (caption, "\n".join(pages))
    if not TALKS:  # which lie beside the website, in their own form
        student = r"\((Day\d/\w+)\.ipynb\)"
        source[0] = re.sub(student, r"(solutions/\1_solution.ipynb)", source[0])
        talk = r'<a href="slides/talks/\2.html">\1</a>'
        source[0] = re.sub(r"\[([^\]]+)\]\(talks/(day\d)\.md\)", talk, source[0])
    if docname in NOTEBOOKS:
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            if build.BEGIN in "".join(cell["source"]):
                cell["metadata"].setdefault("tags", []).append("hide-input")
        title = notebook["cells"][0]
        text = "".join(title["source"]).partition("# ")[2]  # without the badges of the solution
        heading, _, rest = text.partition("\n")
        title["source"] = f"# {heading}\n\n{ways_to_open(NOTEBOOKS[docname])}\n{rest}"
        source[0] = json.dumps(notebook)


def ways_to_open(source: Path) -> str:
    """Where a student can get or open the notebook of this page."""
    student = build.student_path(source)
    ways = [f"{{download}}`download <../../{student.relative_to(ROOT).as_posix()}>`"]
    ways += [f"[{place}]({url})" for place, url in build.places_to_open(student, ROOT).items()]
    return f"**Student notebook:** {' · '.join(ways)}. Here it is solved: the answers are folded.\n"


def finish(app: Sphinx, problem: Exception | None) -> None:
    """Let the website's address alone lead to its landing page."""
    if problem is None and not TALKS:
        shutil.copy(app.outdir / "README.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    app.connect("source-read", prepare)
    app.connect("build-finished", finish)
