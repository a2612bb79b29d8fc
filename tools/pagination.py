"""Break the blocks of a section (paragraphs, formulas, pictures, ...) into slides.

How tall a block will be is estimated from the fonts that the decks embed; `GEOMETRY` holds the
sizes, and the decks' style sheet gets them from here. Where to break is the cheapest way over all
ways (dynamic programming): few slides, but none that parts a picture from its sentence, ends in a
colon, or holds a lone line. That nothing overflows is measured in a browser by the tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag
from PIL import ImageFont

FONT = Path(__file__).parent / "deck" / "vendor" / "source-sans" / "deck-sans-regular.woff"
# All in pixels of a slide of 1280 x 720. The style sheet uses every one of them by its name.
GEOMETRY = {
    "width": 1280,
    "height": 720,
    "margin": 60,
    "top": 118,  # where the content begins, below the heading
    "room": 552,  # for the content
    "text": 26,
    "line": 36,
    "small_text": 24,  # beside a picture
    "small_line": 33,
    "gap": 14,  # between blocks
    "item_gap": 7,
    "column_gap": 36,
    "code": 20,
    "code_line": 27,
    "small_code": 18,  # if a line of it is long
    "small_code_line": 25,
    "code_padding": 12,
    "cell": 22,
    "row": 32,
}
G = GEOMETRY
COLUMN = G["width"] - 2 * G["margin"]
ROOM = G["room"] - 6  # an estimate is not exact
CHARACTER = 0.603  # em; the widest of the usual fixed-width fonts
INDENT = 34  # of a list item
LARGEST = 1.6  # a picture is enlarged at most so much, lest it blur
NARROWEST = 350  # column beside a picture
TALL = re.compile(r"\\(d?frac|sum|int|prod|Bigl|left|hat|underbrace)(?![a-zA-Z])")
BROAD = ("formula", "code", "output", "row", "picture")  # what a sentence leads to


@dataclass(frozen=True, eq=False)  # two tables with the same head are two
class Group:
    """What consecutive blocks share: a list, or a table with the head that each slide repeats."""

    opening: str
    closing: str
    height: float = 0


@dataclass(frozen=True)
class Block:
    """A piece of a slide that is never broken."""

    kind: str  # text, item, formula, code, output, row, picture
    html: str
    words: tuple[float, ...] = ()  # their widths, of running text
    size: tuple[float, float] = (0, 0)  # of what has a size of its own
    extra: float = 0  # height beside that of the lines
    group: Group | None = None
    plain: str = ""

    def height(self, width: float, small: bool = False) -> float:
        """The estimated height in a column of this width."""
        if not self.words:
            return self.size[1]
        scale = G["small_text"] / G["text"] if small else 1
        lines, used = 1, 0.0
        room = width - (INDENT if self.kind == "item" else 0)
        for word in self.words:
            if used and used + word * scale > room:
                lines, used = lines + 1, 0.0
            used += word * scale + SPACE * scale
        return lines * G["small_line" if small else "line"] + self.extra

    @property
    def is_cut_off(self) -> bool:
        """Whether the text needs what follows it: a formula that goes on, an explanation."""
        return self.kind in ("text", "item") and not re.search(r"[.?!)”\"]$", self.plain)

    @property
    def goes_on(self) -> bool:
        """Whether the text begins inside a sentence."""
        return re.match(r"<p>[a-z]", self.html) is not None


@dataclass(frozen=True)
class Page:
    """The content of one slide; a picture of it stands below the text, or beside it."""

    blocks: Sequence[Block]
    beside: bool = False
    scale: float = 1
    cost: float = field(default=0, compare=False)

    @property
    def html(self) -> str:
        if not self.beside:
            return "".join(
                self._picture(block) if isinstance(block, Block) else block
                for block in _grouped(self.blocks)
            )
        (picture,) = (block for block in self.blocks if block.kind == "picture")
        words = [block for block in self.blocks if block is not picture]
        column = COLUMN - G["column_gap"] - self.scale * picture.size[0]
        text = "".join(map(str, _grouped(words)))
        return (
            f'<div class="beside"><div class="words" style="width: {column:.0f}px">{text}</div>'
            f"{self._picture(picture)}</div>"
        )

    def _picture(self, block: Block) -> str:
        width = f"{block.size[0] * self.scale:.0f}"
        return f'<div class="picture">{block.html.replace("WIDTH", width)}</div>'


def _grouped(blocks: Sequence[Block]) -> list[str | Block]:
    """HTML of the blocks, lists and tables put together again; pictures as they are."""
    pieces: list[str | Block] = []
    for group, members in groupby(blocks, key=lambda block: block.group):
        if group is None:
            pieces += [block if block.kind == "picture" else block.html for block in members]
        else:
            inner = "".join(block.html for block in members)
            pieces.append(f"{group.opening}{inner}{group.closing}")
    return pieces


# ------------------------------------------------------------------------------------ measuring


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), G["text"])


def text_width(text: str) -> float:
    """The width of running text, with some air for what is bold."""
    return 1.02 * _font().getlength(text)


SPACE = text_width(" ")


def formula_width(tex: str) -> float:
    """A rough width of a formula in running text, rather too large than too small."""
    tex = re.sub(r"\\texttt\{([^}]*)\}", lambda m: m[1] + "m" * (len(m[1]) // 5), tex)
    tex = re.sub(
        r"\\(begin|end)\{\w+\*?\}|\\(text|math|operatorname|bold|under|over)[a-z]*", "", tex
    )
    tex = re.sub(r"\\(big|Big|left|right|tfrac|frac|sqrt|hat|bar|tilde)[a-z]*", "", tex)
    tex = re.sub(r"\\qquad", "MMM", tex)
    tex = re.sub(r"\\quad", "MM", tex)
    tex = re.sub(
        r"\\(sim|mid|approx|propto|le|ge|to|in|cdot|times|ne)(?![a-zA-Z])|(?<!\\)[=<>+]", "=MM", tex
    )
    tex = re.sub(r"\\(ln|exp|max|min|sin|tanh|arg|det)(?![a-zA-Z])", r"\1", tex)
    tex = re.sub(r"\\[a-zA-Z]+", "m", tex)
    tex = re.sub(r"\\[,;: !]", "i", tex)
    return 0.56 * G["text"] * len(re.sub(r"[{}^_\\\s]", "", tex))


def formula_height(tex: str) -> float:
    """A rough height of a displayed formula."""
    lines = 1 + len(re.findall(r"\\\\", tex))
    height = 46 * lines
    if TALL.search(tex):
        height += 50 * lines
    if "underbrace" in tex:
        height += 26
    return height


def words_of(html: str) -> tuple[tuple[float, ...], float]:
    """The widths of the words of some HTML, and the height that its formulas add to its lines."""
    words: list[float] = []
    extra = 0.0
    glued = False  # whether what comes next continues the last word

    def add(width: float) -> None:
        if glued and words:
            words[-1] += width
        else:
            words.append(width)

    def visit(node: Tag) -> None:
        nonlocal extra, glued
        for child in node.children:
            if isinstance(child, NavigableString):
                for part in re.findall(r"\s+|\S+", str(child)):
                    if part.isspace():
                        glued = False
                    else:
                        add(text_width(part))
                        glued = True
            elif "math" in child.get("class", []):
                tex = child.get_text()
                if "display" in child["class"]:
                    extra += formula_height(tex)
                    glued = False
                else:
                    add(formula_width(tex))
                    glued = True
                    extra += 9 if TALL.search(tex) else 0
            elif child.name == "code":
                for part in re.findall(r"\s+|\S+", child.get_text()):
                    if part.isspace():
                        glued = False
                    else:
                        add(CHARACTER * 0.92 * G["text"] * len(part) + 4)
                        glued = True
            else:
                if child.name in ("li", "p"):
                    glued = False
                    extra += G["line"] / 2
                visit(child)

    visit(BeautifulSoup(html, "html.parser"))
    return tuple(words), extra


# ------------------------------------------------------------------------------------- breaking


def _gap(before: Block, block: Block) -> float:
    if block.kind == "row" and before.group is block.group:
        return 0
    if block.kind == "item" and before.group is block.group:
        return G["item_gap"]
    return G["gap"]


def _height(blocks: Sequence[Block], width: float, small: bool = False) -> float:
    height = 0.0
    for i, block in enumerate(blocks):
        height += block.height(width, small)
        if i:
            height += _gap(blocks[i - 1], block)
        if block.group and (not i or blocks[i - 1].group is not block.group):
            height += block.group.height
    return height


def arrange(blocks: Sequence[Block]) -> Page | None:
    """The best slide with these blocks, or None if they don't fit on one."""
    pictures = [block for block in blocks if block.kind == "picture"]
    if len(pictures) > 1:
        return None
    rest = [block for block in blocks if block.kind != "picture"]
    if not pictures:
        height = _height(blocks, COLUMN)
        if height > ROOM:
            return None
        lonely = 0.6 if height < 3.5 * G["line"] else 0.0
        return Page(blocks, cost=0.6 * (1 - height / ROOM) ** 2 + lonely)
    (picture,) = pictures
    width, height = picture.size
    pages = []
    smallest = min(0.95, ROOM / height, COLUMN / width)  # reduced only if it can't be helped
    room = ROOM - _height(rest, COLUMN) - G["gap"] * bool(rest)
    if (scale := min(LARGEST, COLUMN / width, room / height)) >= smallest:
        pages.append(Page(blocks, False, scale, 1.6 * max(0, 1.35 - scale)))
    for percent in range(int(100 * LARGEST), int(100 * smallest) - 1, -4):
        scale = percent / 100
        column = COLUMN - G["column_gap"] - scale * width
        if not rest or scale * height > ROOM or column < NARROWEST:
            continue
        if any(max(block.size[0], *block.words, 0) > column for block in rest):
            continue
        if _height(rest, column, small=True) <= ROOM:
            cost = 1.6 * max(0, 1.35 - scale) - 0.15 * (column > 430)
            pages.append(Page(blocks, True, scale, cost))
            break
    return min(pages, key=lambda page: page.cost, default=None)


def break_cost(before: Block, after: Block) -> float:
    """How much it hurts to begin a slide between these two."""
    if before.group and before.group is after.group:
        return 1.5 if before.kind == "row" else 0.6
    if before.kind == "code" and after.kind == "output":
        return 3
    if after.goes_on:
        return 3
    if before.plain.endswith(":"):
        return 2.5
    if before.is_cut_off:
        return 2
    if after.kind in BROAD:
        return 1 if before.kind in ("text", "item") else 0.1
    if before.kind in BROAD:
        return 0.35  # what to see in a picture is better said beside it
    return 1.5 if after.kind == "item" else 0.0


def paginate(blocks: Sequence[Block]) -> list[Page]:
    """The slides of a section.

    Raises:
        ValueError: a block is too tall for any slide; its text is the message.
    """
    best: list[tuple[float, list[Page]]] = [(0.0, [])]
    for end in range(1, len(blocks) + 1):
        ways = []
        for begin in range(end - 1, -1, -1):
            page = arrange(blocks[begin:end])
            if page is None:
                if end - begin == 1:
                    raise ValueError(blocks[begin].plain or blocks[begin].html)
                break
            cost, pages = best[begin]
            cost += 1 + page.cost
            if begin:
                cost += break_cost(blocks[begin - 1], blocks[begin])
            ways.append((cost, [*pages, page]))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]
