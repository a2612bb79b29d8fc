"""The slides: what is on them and what is not; a deck stands alone; nothing overflows."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import build, pagination, slides
from tools.pagination import Block, Group

SOURCES = build.sources()
DAYS = sorted({source.parent.name for source in SOURCES})
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)


@pytest.fixture(scope="module")
def decks() -> dict[Path, slides.Deck]:
    return {source: slides.notebook_deck(source) for source in SOURCES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, decks) -> Path:
    target = tmp_path_factory.mktemp("decks") / "build" / "slides"
    with pytest.MonkeyPatch.context() as patch:  # so that each deck is made only once
        patch.setattr(slides, "notebook_deck", lambda source, root: decks[source])
        slides.make(target)
    return target


def soup_of(deck: slides.Deck) -> BeautifulSoup:
    """All that is on the slides of a deck, pictures cut short."""
    html = " ".join(f"{slide.title} {slide.html}" for slide in deck.slides)
    return BeautifulSoup(re.sub(r"(base64,.{9})[^\"]*", r"\1", html), "html.parser")


# ------------------------------------------------------------------------- what is on the slides


def test_each_notebook_and_each_day_has_a_deck(folder):
    names = {slides.name_of(source) for source in SOURCES} | set(DAYS)
    assert {path.stem for path in folder.iterdir()} == names
    assert all(path.suffix == ".html" for path in folder.iterdir())


@each_source
def test_exercises_show_their_task_and_blank(source, decks):
    tasks = [slide for slide in decks[source].slides if slide.kind == "exercise"]
    for heading in re.findall(r"^# ### ✏️ (Exercise .*)", source.read_text("utf-8"), flags=re.M):
        title = slides.markdown(heading).get_text().strip()
        shown = [s for s in tasks if BeautifulSoup(s.title, "html.parser").get_text() == title]
        assert shown, f"{title} has no slide"
        text = " ".join(slide.html for slide in shown)
        assert "YOUR CODE HERE" in text
        assert "<p>" in text


@each_source
def test_solutions_hints_checks_and_setup_are_left_out(source, decks):
    said = re.sub(r"\s", "", soup_of(decks[source]).get_text())
    notebook = build.read_source(source)
    elsewhere = "".join(cell.source for cell in slides.without_solutions(notebook).cells)
    elsewhere = re.sub(r"[\s`]", "", elsewhere)  # prose may name a part of the answer
    left_out = 0
    for cell in notebook.cells:
        for region in re.findall(rf"{build.BEGIN}(.*?){build.END}", cell.source, re.S):
            for line in (re.sub(r"\s", "", line) for line in region.splitlines()):
                if sum(map(str.isalnum, line)) > 5 and line not in elsewhere:
                    assert line not in said
                    left_out += 1
        for hint in slides.HINT.findall(cell.source):
            words = re.sub(r"[\s`]", "", hint.partition("</summary>")[2])[:25]
            assert words not in said.replace("`", "")
    assert left_out >= 3
    for trace in ("check.", "<details", "BEGINSOLUTION", "NotImplementedError", "find_course"):
        assert trace not in said


@each_source
def test_pictures_are_shown_with_words_for_who_cannot_see_them(source, decks):
    notebook = nbformat.read(build.solution_path(source), as_version=4)
    shown = [c for c in build.code_cells(notebook) if build.BEGIN not in c.source]
    pictures = sum("image/png" in o.get("data", {}) for c in shown for o in c.outputs)
    images = soup_of(decks[source]).find_all("img")
    assert len(images) == pictures > 0
    for image in images:
        assert image["alt"].strip()
        assert image["src"].startswith("data:image/png;base64,")


@each_source
def test_formulas_are_marked_for_katex(source, decks):
    soup = soup_of(decks[source])
    assert len(soup.select(".math")) >= 20
    for element in soup.select(".math, code, pre"):
        element.decompose()
    assert "$" not in soup.get_text()


def test_a_colon_that_announces_a_cell_left_out_is_a_full_stop():
    cells = [
        new_markdown_cell("# Title"),
        new_markdown_cell("## Section\n\nThe check says more:"),
        new_code_cell("check.scorecard_within(scorecard)"),
        new_markdown_cell("Look:"),
        new_code_cell("1 + 1"),
    ]
    (section,) = slides.sections_of(new_notebook(cells=cells))
    assert [block.plain for block in section.blocks[:2]] == ["The check says more.", "Look:"]
    assert "<p>The check says more.</p>" in section.blocks[0].html


def test_badges_and_other_pictures_from_the_network_are_left_out():
    badge = "[![Open it](https://example.org/badge.svg)](https://example.org/it)"
    text = f"{badge}\n{badge}\n\n# Title\n\nText ![seen](https://example.org/a.png) and more."
    (section,) = slides.sections_of(new_notebook(cells=[new_markdown_cell(text)]))
    assert section.title == "Title"
    assert [block.html for block in section.blocks] == ["<p>Text seen and more.</p>"]


def test_lines_that_lead_to_a_first_subsection_are_no_slide_of_their_own():
    text = "## Section\n\nThere are two ways.\n\n### The first\n\nText.\n\n### The second\n\nText."
    first, second = slides.sections_of(new_notebook(cells=[new_markdown_cell(text)]))
    assert (first.title, first.above, len(first.blocks)) == ("The first", "Section", 2)
    assert (second.title, len(second.blocks)) == ("The second", 1)


def test_a_days_deck_has_its_notebooks_one_after_the_other_and_links_to_each(decks):
    parts = [decks[source] for source in SOURCES if source.parent.name == "Day1"]
    day = slides.day_deck("Day1", parts)
    assert list(day.slides[1:]) == [slide for part in parts for slide in part.slides]
    links = re.findall(r'href="#/([^"]*)"', day.slides[0].html)
    ids = [slide.id for slide in day.slides]
    assert links == [part.slides[0].id for part in parts]
    assert len(set(ids)) == len(ids)


# ------------------------------------------------------------------------------ a deck stands alone


class References(HTMLParser):
    """Collects what a page would load: sources, style sheets, and addresses in its styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag, attributes):
        self.in_style = tag == "style"
        for name, value in attributes:
            if name in ("src", "srcset", "data", "poster") or (name == "href" and tag != "a"):
                self.found.append(value)
            if name == "style":
                self.found += re.findall(r"url\(['\"]?([^'\")]*)", value)

    def handle_data(self, data):
        if self.in_style:
            self.found += re.findall(r"url\(['\"]?([^'\")]*)", data)
            self.found += re.findall(r"@import[^;]*", data)


def test_a_deck_refers_to_nothing_outside(folder):
    for path in folder.iterdir():
        page = References()
        page.feed(path.read_text(encoding="utf-8"))
        assert len(page.found) > 20, "fonts and pictures"
        assert [address[:80] for address in page.found if not address.startswith("data:")] == []


def test_making_a_deck_again_gives_the_same_bytes(folder, tmp_path):
    name = slides.name_of(SOURCES[0])
    (again,) = slides.make(tmp_path, only=name)
    assert again.read_bytes() == (folder / again.name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.html"]


def test_the_licences_travel_with_the_deck(folder):
    text = (folder / f"{DAYS[0]}.html").read_text(encoding="utf-8")
    for owner in ("Hakim El Hattab", "Khan Academy", "Adobe Systems"):
        assert owner in text


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("damage", ["missing", "never executed", "other code"])
def test_a_notebook_that_was_not_executed_is_refused_with_the_mend(tmp_path, damage):
    for name in ("pyproject.toml", "data/SHA256SUMS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(build.ROOT / name, tmp_path / name)
    source = tmp_path / "solutions" / "Day1" / "1_first_solution.py"
    source.parent.mkdir(parents=True)
    setup = '# %% tags=["setup"]\nimport sys\n'
    source.write_text(f"# %% [markdown]\n# # Title\n\n{setup}\n# %%\nprint(1)\n", encoding="utf-8")
    notebook = build.read_source(source)
    if damage != "missing":
        if damage == "other code":
            notebook.cells[-1].source = "print(2)"
        nbformat.write(notebook, build.solution_path(source))
    with pytest.raises(slides.SlidesError, match="1_first_solution.ipynb.*make notebooks"):
        slides.make(tmp_path / "out", root=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_paragraph_that_fits_on_no_slide_is_named(monkeypatch):
    def endless(blocks):
        raise ValueError("word " * 100)

    monkeypatch.setattr(pagination, "paginate", endless)
    with pytest.raises(slides.SlidesError, match=rf"{SOURCES[0].name}.*cut it in two:\nword word"):
        slides.notebook_deck(SOURCES[0])


def test_command_line(tmp_path, capsys):
    assert slides.main(["--only", "no such deck", "--to", str(tmp_path)]) == 1
    assert "no such deck" in capsys.readouterr().err
    assert slides.main(["--only", "Day1_1", "--to", str(tmp_path)]) == 0
    assert "Day1_1_probability_distributions.html" in capsys.readouterr().out


# ------------------------------------------------------------------------ breaking into slides


def paragraph(lines: int, end: str = ".") -> Block:
    """A paragraph of so many full lines."""
    return slides.text_block(" ".join(["Wwwwwwwww"] * 6 * lines) + end)


def picture(width: float = 683, height: float = 376) -> Block:
    return Block("picture", '<img style="width: WIDTHpx">', size=(width, height), plain="picture")


def kinds(pages: list[pagination.Page]) -> list[list[str]]:
    return [[block.kind for block in page.blocks] for page in pages]


def test_a_paragraph_is_as_tall_as_its_lines():
    assert paragraph(3).height(pagination.COLUMN) == 3 * pagination.G["line"]
    assert paragraph(3).height(pagination.COLUMN / 2) >= 6 * pagination.G["line"]


def test_what_fits_stays_on_one_slide_and_what_does_not_is_broken():
    assert len(pagination.paginate([paragraph(3), paragraph(3)])) == 1
    assert kinds(pagination.paginate([paragraph(9), paragraph(9)])) == [["text"], ["text"]]


def test_a_sentence_stays_with_its_picture_and_with_what_its_colon_announces():
    assert kinds(pagination.paginate([paragraph(8), paragraph(1), picture()]))[-1] == [
        "text",
        "picture",
    ]
    code = slides.code_block("x = 1\n" * 8)
    pages = pagination.paginate([paragraph(9), paragraph(1, ":"), code])
    assert kinds(pages) == [["text"], ["text", "code"]]


def test_a_picture_is_enlarged_to_the_room_there_is():
    (alone,) = pagination.paginate([picture()])
    (with_text,) = pagination.paginate([paragraph(2), picture()])
    assert 1 < with_text.scale < alone.scale <= pagination.LARGEST
    assert f"width: {683 * alone.scale:.0f}px" in alone.html


def test_much_text_stands_beside_its_picture():
    (page,) = pagination.paginate([paragraph(3), picture(300, 340), paragraph(4)])
    assert page.beside
    assert page.html.index("</p></div>") < page.html.index("<img")


def test_a_long_table_repeats_its_head_and_a_long_list_counts_on():
    rows = "\n".join(f"| row{i} | {i} |" for i in range(40))
    table = slides.markdown(f"| name | value |\n| --- | --- |\n{rows}\n")
    blocks = list(slides.markdown_blocks(table.find_all(True, recursive=False)))
    pages = pagination.paginate(blocks)
    assert len(pages) == 3
    assert all("<thead>" in page.html and "</table>" in page.html for page in pages)
    assert sum(page.html.count("row") for page in pages) == 40

    items = "\n".join(f"{i}. {'long ' * 40}" for i in range(1, 15))
    blocks = list(slides.markdown_blocks(slides.markdown(items).find_all(True, recursive=False)))
    first, second, *_ = pagination.paginate(blocks)
    assert f'<ol><li value="{first.html.count("<li") + 1}">' in second.html


def test_two_tables_with_the_same_head_remain_two():
    table = "| name | value |\n| --- | --- |\n| a | 1 |\n"
    html = slides.markdown(f"{table}\n<!-- -->\n\n{table}").find_all("table")
    blocks = [block for one in html for block in slides.table_blocks(one)]
    (page,) = pagination.paginate(blocks)
    assert page.html.count("<table") == page.html.count("</table>") == 2


def test_a_block_that_is_too_tall_is_named():
    group = Group("<ul>", "</ul>")
    with pytest.raises(ValueError, match="wwww"):
        pagination.paginate([slides.text_block("wwwwwwwww " * 300, "item", group)])


def test_a_wide_formula_goes_on_in_the_next_line():
    assert slides.formula_block(r"a = b, \qquad c = d").html.count("display") == 1
    wide = r"\mathrm{one} + \mathrm{two} + \mathrm{three} + \mathrm{four} = \mathrm{ten}, \qquad"
    assert slides.formula_block(f"{wide} {wide} {wide} x").html.count("display") > 1


# --------------------------------------------------------------------------------- in a browser

OUTSIDE_THE_SLIDE = """async () => {
  const show = document.createElement("style");
  show.textContent = ".reveal .slides section { display: block !important }";
  document.head.append(show);
  await Promise.all([...document.fonts].map((font) => font.load()));
  const found = [];
  for (const slide of document.querySelectorAll(".slide")) {
    const content = slide.querySelector(".content");
    const inside = (content || slide).getBoundingClientRect();
    for (const part of (content || slide).querySelectorAll("*")) {
      if (part.closest(".katex-mathml, svg")) continue;
      const box = part.getBoundingClientRect();
      if (!box.width || !box.height) continue;
      if (box.left < inside.left - 1 || box.right > inside.right + 1 ||
          box.top < inside.top - 8 || box.bottom > inside.bottom + 1)
        found.push(`${slide.parentElement.id}: ${part.outerHTML.slice(0, 150)}`);
    }
    const heading = slide.querySelector("h2");
    if (heading && heading.scrollHeight > 60) found.push(`${slide.parentElement.id}: heading`);
    if (slide.scrollHeight > 720 || slide.scrollWidth > 1280)
      found.push(`${slide.parentElement.id}: ${slide.scrollWidth} x ${slide.scrollHeight}`);
    for (const [parts, least] of [["p, li, td, th, .katex", 22], ["code", 21], ["pre", 18]])
      for (const part of (content || slide).querySelectorAll(parts))
        if (!part.closest(".katex .katex") && parseFloat(getComputedStyle(part).fontSize) < least)
          found.push(`${slide.parentElement.id}: small ${part.outerHTML.slice(0, 150)}`);
  }
  show.remove();
  return found;
}"""


def test_in_a_browser_without_network_nothing_overflows(browser, folder):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.context.set_offline(True)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url[:80]))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for day in DAYS:  # every slide of every deck is in that of its day
        page.goto((folder / f"{day}.html").as_uri())
        page.wait_for_function("Reveal.isReady()")
        assert page.evaluate(OUTSIDE_THE_SLIDE) == []
        assert page.locator(".katex-error").count() == 0
        formulas = page.locator(".math").count()
        assert page.locator(".math .katex-html").count() == formulas > 0
    page.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_it_prints_a_slide_a_page(browser, folder, decks):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    name = slides.name_of(SOURCES[0])
    page.goto((folder / f"{name}.html").as_uri() + "?print-pdf")
    page.wait_for_function("Reveal.isReady()")
    page.wait_for_selector(".pdf-page")
    assert page.locator(".pdf-page").count() == len(decks[SOURCES[0]].slides)
    page.close()
