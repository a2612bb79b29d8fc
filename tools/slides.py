"""Make the slides: one reveal.js deck for each notebook, and one for each day.

From ``solutions/DayN/NAME_solution.ipynb``, as it is stored: nothing is executed. Prose, formulas,
pictures, tables and short code become slides; of an exercise only the task does. A deck is one file
that needs nothing else: no network, no folder beside it.

    python -m tools.slides                         all decks, into build/slides
    python -m tools.slides --only 1_bayesian       only decks whose name contains this
    python -m tools.slides --to FOLDER             into another folder

In a deck: arrow keys or space to turn, Esc for the overview, F for full screen; with `?print-pdf`
at the end of the address it prints to PDF, a slide a page.
"""

from __future__ import annotations

import argparse
import ast
import base64
import copy
import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby
from math import ceil
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools import build, pagination
from tools.pagination import COLUMN, GEOMETRY, Block, Group

ROOT = build.ROOT
DECK = Path(__file__).parent / "deck"
VENDOR = DECK / "vendor"
TARGET = ROOT / "build" / "slides"
COURSE = "Probabilistic models with deep neural networks, in Pyro"
HINT = re.compile(r"<details>.*?</details>", flags=re.S)
SIGN = "✏️ "  # of an exercise; drawn by the style sheet instead
SHORT = 3  # lines that are no slide of their own
STUB_ERROR = build.STUB.splitlines()[-1]
MAX_LINES = 14  # of code that defines nothing
MAX_LINES_OF_DEFINITION = 19


class SlidesError(RuntimeError):
    """A notebook cannot be made into slides; the message says which, and the mend."""


@dataclass
class Section:
    """What stands under one heading."""

    title: str
    above: str = ""  # the section that a subsection belongs to
    is_exercise: bool = False
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Slide:
    id: str
    kind: str  # title, agenda, theory or exercise
    title: str
    above: str = ""
    footer: str = ""
    html: str = ""
    part: str = ""  # "2/3" of a section that needs several slides
    chapter: str = ""  # the slides of one chapter stand below each other in the overview


@dataclass(frozen=True)
class Deck:
    name: str
    title: str
    slides: Sequence[Slide]


# --------------------------------------------------------------------------- blocks of Markdown


class Renderer(IPythonRenderer):
    """Markdown as nbconvert reads it; formulas are left to KaTeX, and links lead out or nowhere."""

    def block_math(self, body: str) -> str:
        return f'<span class="math display">{escape(body.strip())}</span>'

    def inline_math(self, body: str) -> str:
        return f'<span class="math">{escape(body.strip())}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, url, title) if "://" in url else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text  # a badge, or another thing that only a network could show


def markdown(text: str) -> BeautifulSoup:
    """Markdown as HTML, without the folded hints."""
    renderer = Renderer(escape=False, exclude_anchor_links=True)
    html = MarkdownWithMath(renderer=renderer).render(HINT.sub("", text))
    return BeautifulSoup(html, "html.parser")


def text_block(html: str, kind: str = "text", group: Group | None = None) -> Block:
    words, extra = pagination.words_of(html)
    plain = BeautifulSoup(html, "html.parser").get_text().strip()
    tag = "p" if kind == "text" else "li"
    html = html if html.startswith("<li") else f"<{tag}>{html.strip()}</{tag}>"
    return Block(kind, html, words=words, extra=extra, group=group, plain=plain)


def formula_block(tex: str) -> Block:
    """A displayed formula; one that is too wide goes on in the next line after a `\\qquad`."""
    lines: list[str] = []
    for part in tex.split(r"\qquad"):
        longer = rf"{lines[-1]}\qquad{part}" if lines else ""
        if longer and pagination.formula_width(longer) <= COLUMN:
            lines[-1] = longer
        else:
            lines.append(part.strip())
    width = max(map(pagination.formula_width, lines))
    height = sum(map(pagination.formula_height, lines))
    html = "".join(f'<span class="math display">{escape(line)}</span>' for line in lines)
    dense = " dense" if width > COLUMN else ""
    html = f'<div class="formula{dense}">{html}</div>'
    return Block("formula", html, size=(min(width, COLUMN), height), plain=tex)


def paragraph_blocks(paragraph: Tag) -> Iterator[Block]:
    """A paragraph, cut at its displayed formulas."""
    running = ""
    for child in paragraph.children:
        if isinstance(child, Tag) and "display" in child.get("class", []):
            if running.strip():
                yield text_block(running)
            running = ""
            yield formula_block(child.get_text())
        else:
            running += str(child) if isinstance(child, Tag) else escape(str(child), quote=False)
    if running.strip():
        yield text_block(running)


def list_blocks(element: Tag) -> Iterator[Block]:
    group = Group(f"<{element.name}>", f"</{element.name}>")
    first = int(element.get("start", 1))
    for number, item in enumerate(element.find_all("li", recursive=False), first):
        if element.name == "ol":
            item["value"] = str(number)
        yield text_block(str(item), "item", group)


def table_blocks(table: Tag) -> Iterator[Block]:
    """A table, row by row; pandas' marks, and its second line of headings, are taken off."""
    kind = "numbers" if table.find("tbody").find("th") else "prose"
    for tag in table.find_all(True):
        tag.attrs = {k: v for k, v in tag.attrs.items() if k in ("rowspan", "colspan")}
    table.attrs = {}
    head, body = table.find("thead"), table.find("tbody")
    heads = head.find_all("tr")
    if len(heads) == 2:
        top, below = (row.find_all("th") for row in heads)
        names_of_index = [cell.get_text(strip=True) for cell in below]
        if not any(a and b.get_text(strip=True) for a, b in zip(names_of_index, top, strict=False)):
            for name, cell in zip(names_of_index, top, strict=False):
                if name:
                    cell.string = name
            heads.pop().decompose()
    height = GEOMETRY["row"] * len(heads) + 4
    opening = '<div class="table">'
    if caption := table.find("caption"):
        opening += f'<p class="caption">{caption.decode_contents()}</p>'
        height += GEOMETRY["row"] * ceil(pagination.text_width(caption.get_text()) / COLUMN)
    group = Group(f'{opening}<table class="{kind}">{head}<tbody>', "</tbody></table></div>", height)
    rows = body.find_all("tr")
    cells = [
        [len(cell.get_text(strip=True)) for cell in row.find_all(("th", "td"))] for row in rows
    ]
    cells += [[len(cell.get_text(strip=True)) for cell in heads[0].find_all("th")]]
    columns = max(map(len, cells))
    widest = [max(row[i] if i < len(row) else 0 for row in cells) for i in range(columns)]
    width = min(COLUMN, sum(0.53 * GEOMETRY["cell"] * n + 28 for n in widest))
    if table.find(attrs={"rowspan": True}):  # rows that hang together stay together
        inner = "".join(map(str, rows))
        yield Block("row", inner, size=(width, GEOMETRY["row"] * len(rows)), group=group)
        return
    for row in rows:
        yield Block("row", str(row), size=(width, GEOMETRY["row"]), group=group)


def markdown_blocks(elements: Sequence[Tag]) -> Iterator[Block]:
    for element in elements:
        if element.name in ("ul", "ol"):
            yield from list_blocks(element)
        elif element.name == "table":
            yield from table_blocks(element)
        elif element.name == "pre" or element.find("pre"):
            yield code_block(element.get_text())
        else:
            yield from paragraph_blocks(element)


# -------------------------------------------------------------------------------- blocks of code


def code_block(source: str, kind: str = "code") -> Block:
    """Code, or (``kind="output"``) what it printed."""
    source = re.sub(rf"\n *{re.escape(STUB_ERROR)}", "", source)
    source = re.sub(r"\n{3,}", "\n\n", source.strip("\n"))
    lines = source.split("\n")
    room = COLUMN - 2 * GEOMETRY["code_padding"] - 4
    longest = max(map(len, lines)) * pagination.CHARACTER
    small = "small_" if longest * GEOMETRY["code"] > room else ""
    size = GEOMETRY[f"{small}code"]
    per_line = int(room / (pagination.CHARACTER * size))
    rows = sum(1 + max(0, len(line) - 1) // per_line for line in lines)
    height = rows * GEOMETRY[f"{small}code_line"] + 2 * GEOMETRY["code_padding"]
    width = min(longest * size, room) + COLUMN - room
    formatter = HtmlFormatter(nowrap=True)
    html = highlight(source, PythonLexer(), formatter) if kind == "code" else escape(source)
    return Block(kind, f'<pre class="{kind} {small[:-1]}">{html}</pre>', size=(width, height))


def picture_block(png: str, alt: str) -> Block:
    png = "".join(png.split())
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        size = image.size
    html = f'<img alt="{escape(alt)}" style="width: WIDTHpx" src="data:image/png;base64,{png}">'
    return Block("picture", html, size=size, plain=alt)


def titles_in(source: str) -> str:
    """The titles of the plots that some code draws, to stand for a picture that is not seen."""
    titles = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        named = [keyword.value for keyword in node.keywords if keyword.arg == "title"]
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("set_title", "suptitle"):
            named += node.args[:1]
        titles += [
            n.value for n in named if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
    return "; ".join(titles)


def shows_code(cell: NotebookNode) -> bool:
    """Whether a cell's code is worth a slide: it is short, and not there to draw or tabulate."""
    tree = ast.parse(cell.source).body
    lines = cell.source.count("\n") + 1
    if any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree):
        return False
    defines = any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree)
    is_model = defines and "pyro.sample" in cell.source
    draws = any({"image/png", "text/html"} & set(o.get("data", {})) for o in cell.outputs)
    if draws and not is_model:
        return False
    return lines <= (MAX_LINES_OF_DEFINITION if defines else MAX_LINES)


def output_blocks(cell: NotebookNode, alt: str) -> Iterator[Block]:
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            yield picture_block(data["image/png"], titles_in(cell.source) or alt)
        elif "text/html" in data:
            for table in BeautifulSoup(data["text/html"], "html.parser").find_all("table"):
                yield from table_blocks(table)
        elif text := output.get("text") or data.get("text/plain"):
            yield code_block(text, "output")


def code_blocks(cell: NotebookNode, alt: str) -> Iterator[Block]:
    code = code_block(cell.source)
    if shows_code(cell) and code.size[1] <= pagination.ROOM:
        yield code
    yield from output_blocks(cell, alt)


# ------------------------------------------------------------------------------------ a notebook


def is_left_out(cell: NotebookNode) -> bool:
    """Whether a code cell has no place in a deck: the setup, a check."""
    tags = set(cell.metadata.get("tags", []))
    return bool(tags & {"setup", "parameters"}) or cell.source.startswith("check.")


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """A copy in which an exercise's cell is what the student gets, and shows no result."""
    notebook = copy.deepcopy(notebook)
    student = build.student_version(notebook)
    for cell, given in zip(notebook.cells, student.cells, strict=True):
        if build.BEGIN in cell.source:
            cell.source, cell.outputs = given.source, []
    return notebook


def sections_of(notebook: NotebookNode) -> list[Section]:
    """The notebook's sections, in order; the first one holds what stands under its title."""
    sections = [Section("")]
    section_title = ""
    after_setup = False
    for cell in without_solutions(notebook).cells:
        if cell.cell_type == "code":
            after_setup = after_setup or "setup" in cell.metadata.get("tags", [])
            if cell.source.startswith("check.") and sections[-1].is_exercise:
                # What comes of an exercise is no longer its task.
                sections.append(Section(section_title))
            alt = BeautifulSoup(sections[-1].title, "html.parser").get_text()
            blocks = [] if is_left_out(cell) else list(code_blocks(cell, alt))
            if not blocks:
                end_sentence(sections[-1].blocks)
            sections[-1].blocks += blocks
            continue
        if cell.cell_type != "markdown":
            continue
        running: list[Tag] = []
        for element in markdown(cell.source).find_all(True, recursive=False):
            if not re.fullmatch(r"h[1-6]", element.name):
                running.append(element)
                continue
            if element.name != "h1":  # above the title there are only badges
                sections[-1].blocks += markdown_blocks(running)
            running = []
            title = element.decode_contents().replace(SIGN, "")
            if element.name == "h1":
                sections[-1].title = title
            elif element.name == "h2":
                section_title = title
                sections.append(Section(title))
            else:
                sections.append(Section(title, section_title, SIGN in element.get_text()))
        if after_setup and len(sections) == 1:
            continue  # about the cells that import, which are left out
        sections[-1].blocks += markdown_blocks(running)
    return merged([section for section in sections if section.blocks])


def end_sentence(blocks: list[Block]) -> None:
    """Where the last sentence announces a cell that has no place in the deck, end it."""
    if blocks and blocks[-1].html.endswith(":</p>"):
        html = blocks[-1].html.removesuffix(":</p>") + ".</p>"
        blocks[-1] = replace(blocks[-1], html=html, plain=blocks[-1].plain[:-1] + ".")


def merged(sections: Sequence[Section]) -> list[Section]:
    """The sections; the lines that lead to a first subsection stand on that one's slide."""
    result: list[Section] = []
    for section in sections:
        before = result[-1] if result else None
        if before and before.title == section.above and is_short(before):
            section.blocks[:0] = before.blocks
            result.pop()
        result.append(section)
    return result


def is_short(section: Section) -> bool:
    words = all(block.kind == "text" for block in section.blocks)
    height = sum(block.height(COLUMN) for block in section.blocks)
    return words and height <= SHORT * GEOMETRY["line"]


def name_of(source: Path) -> str:
    """The name of a notebook's deck: ``Day1_2_probabilistic_models``."""
    return f"{source.parent.name}_{build.student_path(source).stem}"


def notebook_deck(source: Path, root: Path = ROOT) -> Deck:
    """The deck of one notebook, from its stored outputs.

    Raises:
        SlidesError: the notebook was not executed with this source, or a block fits on no slide.
    """
    if problems := build.out_of_step(source, root):
        raise SlidesError(problems[0])
    sections = sections_of(nbformat.read(build.solution_path(source), as_version=4))
    name = name_of(source)
    number, day = source.stem.partition("_")[0], source.parent.name.removeprefix("Day")
    title = sections[0].title
    above = f"Day {day}, notebook {number}"
    slides = [Slide(f"{name}-1", "title", title, above, COURSE, chapter=name)]
    for section in sections:
        try:
            pages = pagination.paginate(section.blocks)
        except ValueError as problem:
            raise SlidesError(
                f"{source.name}: under “{section.title}” this fits on no slide; "
                f"cut it in two:\n{str(problem)[:300]}"
            ) from problem
        for i, page in enumerate(pages, 1):
            slides.append(
                Slide(
                    id=f"{name}-{len(slides) + 1}",
                    kind="exercise" if section.is_exercise else "theory",
                    title=section.title,
                    above=section.above,
                    footer=title,
                    html=page.html,
                    part=f"{i}/{len(pages)}" if len(pages) > 1 else "",
                    chapter=name if section is sections[0] else section.above or section.title,
                )
            )
    return Deck(name, title, slides)


def day_deck(day: str, decks: Sequence[Deck]) -> Deck:
    """All decks of a day, one after the other, behind a slide that links to each."""
    links = "".join(f'<li><a href="#/{deck.name}-1">{deck.title}</a></li>' for deck in decks)
    title = day.replace("Day", "Day ")
    agenda = Slide(f"{day}-1", "agenda", title, "", COURSE, f"<ol>{links}</ol>")
    return Deck(day, title, [agenda, *(slide for deck in decks for slide in deck.slides)])


# --------------------------------------------------------------------------------------- writing


def _data_url(path: Path) -> str:
    packed = base64.b64encode(path.read_bytes()).decode()
    return f"data:font/{path.suffix[1:]};base64,{packed}"


def _katex_css() -> str:
    """KaTeX's style sheet, with its fonts inside and their older formats left out."""
    css = (VENDOR / "katex" / "katex.min.css").read_text(encoding="utf-8")
    css = re.sub(r",url\([^)]*\) format\(\"(?:woff|truetype)\"\)", "", css)
    return re.sub(r"url\(([^)]*)\)", lambda m: f"url({_data_url(VENDOR / 'katex' / m[1])})", css)


def _licences() -> str:
    texts = [
        f"{folder.name}\n\n{(folder / 'LICENSE').read_text(encoding='utf-8').strip()}"
        for folder in sorted(VENDOR.iterdir())
    ]
    return "\n\n".join(texts).replace("--", "- -")


def render(deck: Deck) -> str:
    """The deck as one HTML page that refers to nothing outside."""
    environment = Environment(
        loader=FileSystemLoader(DECK), undefined=StrictUndefined, keep_trailing_newline=True
    )
    fonts = sorted((VENDOR / "source-sans").glob("*.woff"))
    return environment.get_template("deck.html.jinja").render(
        deck=deck,
        chapters=[list(group) for _, group in groupby(deck.slides, lambda s: s.chapter)],
        geometry=GEOMETRY,
        fonts={font.stem.removeprefix("deck-sans-"): _data_url(font) for font in fonts},
        code_css=HtmlFormatter(style="default").get_style_defs("pre.code"),
        katex_css=_katex_css(),
        katex_js=(VENDOR / "katex" / "katex.min.js").read_text(encoding="utf-8"),
        reveal_css=(VENDOR / "reveal.js" / "reveal.css").read_text(encoding="utf-8"),
        reveal_js=(VENDOR / "reveal.js" / "reveal.js").read_text(encoding="utf-8"),
        licences=_licences(),
    )


def write(deck: Deck, folder: Path) -> Path:
    """Write a deck atomically; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{deck.name}.html"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(render(deck), encoding="utf-8", newline="\n")
    temporary.replace(path)
    return path


def make(folder: Path, only: str = "", root: Path = ROOT) -> list[Path]:
    """Write the decks whose name contains ``only``; return where.

    Raises:
        SlidesError: see `notebook_deck`; or no deck has such a name.
    """
    by_day: dict[str, list[Path]] = {}
    for source in build.sources(root):
        by_day.setdefault(source.parent.name, []).append(source)
    written = []
    for day, sources in by_day.items():
        of_day = only in day
        chosen = [source for source in sources if of_day or only in name_of(source)]
        decks = [notebook_deck(source, root) for source in chosen]
        written += [write(deck, folder) for deck in decks]
        if of_day:
            written.append(write(day_deck(day, decks), folder))
    if not written:
        raise SlidesError(f"No deck's name contains {only!r}.")
    return written


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.slides", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", metavar="NAME", help="decks whose name contains NAME")
    parser.add_argument("--to", type=Path, default=TARGET, metavar="FOLDER")
    options = parser.parse_args(argv)
    try:
        for path in make(options.to, options.only):
            print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    except SlidesError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
