"""The website and the talks: they build without a warning, and look right in a browser, offline."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from test_instructors import NUMBER, PLAN, SOURCES, chapter, is_shown, printed_by, text_of_guide

from tools import build

TALKS = {day: build.ROOT / "talks" / f"{day.lower()}.md" for day in ("Day1", "Day2")}
each_day = pytest.mark.parametrize("day", TALKS)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The website, and the talks in its folder `slides`: as `make site` makes them."""
    folder = tmp_path_factory.mktemp("site")
    for kind, place in (["-b", "html"], "."), (["-t", "talks", "-b", "revealjs"], "slides"):
        command = [sys.executable, "-m", "sphinx", "-q", "-W", *kind, "-c", "website", "."]
        subprocess.run([*command, folder / place], cwd=build.ROOT, check=True)
    return folder


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page that notes what it asks for beyond its folder, and what goes wrong in it."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        page, trouble = context.new_page(), []
        page.on("request", lambda r: trouble.append(r.url) if r.url[:5] not in OWN else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("requestfailed", lambda r: trouble.append(f"failed: {r.url}"))
        yield page
        assert trouble == []


OWN = ("file:", "data:", "blob:")
MATHS_IS_READY = "() => window.MathJax?.startup?.promise.then(() => true)"


@pytest.mark.ours
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_notebook_is_a_page(site, page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto((site / "solutions/Day1/2_probabilistic_models_solution.html").as_uri())
    page.wait_for_function(MATHS_IS_READY)
    assert page.locator("mjx-container").count() > 20
    assert page.locator("mjx-merror").count() == 0
    picture = page.locator(".cell_output img").first
    assert picture.get_attribute("alt")
    background = picture.evaluate("image => getComputedStyle(image).backgroundColor")
    assert scheme == "light" or min(map(int, re.findall(r"\d+", background))) > 200
    folded = page.locator("details.hide.above-input")
    assert folded.count() >= 5
    assert not folded.first.locator("pre").is_visible()
    folded.first.locator("summary").click()
    assert folded.first.locator("pre").is_visible()
    assert page.locator("a.download[href$='/2_probabilistic_models.ipynb']").count() == 1


@pytest.mark.parametrize("name", ["README", "INSTRUCTORS"])
def test_a_guide_is_a_page(site, page, name):
    page.goto((site / f"{name}.html").as_uri())
    assert page.locator("article h1").inner_text()
    assert page.locator("article table").count() > 0
    for source in SOURCES:
        assert page.locator(f"nav a[href*='{source.stem}']").count() > 0


# What is too small to read, or reaches beyond the slide, on the slide that is shown.
UNREADABLE = """slide => {
    const found = [], scale = Reveal.getScale(), frame = {right: 1280, bottom: 720};
    for (const part of slide.querySelectorAll("h1, h2, h3, p, li, td, pre, img, mjx-container")) {
        const box = part.getBoundingClientRect();
        if (!box.width || part.closest("aside.notes")) continue;
        const text = part.textContent.trim().slice(0, 40), size = getComputedStyle(part).fontSize;
        if (box.right > frame.right + 1 || box.bottom > frame.bottom + 1 || box.left < -1)
            found.push(`beyond the slide: ${part.tagName} ${text}`);
        if (part.tagName != "IMG" && text && parseFloat(size) * scale < 19.5)
            found.push(`${size}: ${text}`);
        if (part.tagName == "PRE" && part.scrollWidth > part.clientWidth + 1)
            found.push(`too wide: ${text}`);
    }
    return found;
}"""


@pytest.mark.ours
@each_day
def test_every_slide_fits_and_is_legible(site, page, day):
    page.goto((site / "slides" / "talks" / f"{day.lower()}.html").as_uri())
    page.wait_for_function("() => window.Reveal?.isReady()")
    page.wait_for_function(MATHS_IS_READY)
    page.evaluate("Reveal.configure({fragments: false, transition: 'none'})")
    places = page.evaluate(
        "Reveal.getSlides().map(s => Reveal.getIndices(s)).map(i => [i.h, i.v ?? 0])"
    )
    assert 40 <= len(places) <= 60
    problems = {}
    for h, v in places:
        page.evaluate("([h, v]) => Reveal.slide(h, v)", [h, v])
        found = page.evaluate(f"({UNREADABLE})(Reveal.getCurrentSlide())")
        problems |= {f"{h}.{v}": found} if found else {}
    assert problems == {}
    assert page.locator("mjx-merror").count() == 0


@pytest.mark.ours
@each_day
def test_the_pieces_are_those_of_the_plan(day):
    found = re.findall(r"^## (.*) \((\d+) min\)$", TALKS[day].read_text(encoding="utf-8"), re.M)
    days = chapter(text_of_guide(), PLAN).split("| Day 2 |")
    planned = re.findall(r"\| Talk: (.*) \| (\d+) \|", days[day == "Day2"])
    assert [(title[0].lower() + title[1:], minutes) for title, minutes in found] == planned


@pytest.mark.ours
@each_day
def test_figures_of_a_talk_are_those_of_its_notebooks(day):
    text = TALKS[day].read_text(encoding="utf-8")
    figures = [code for code in re.findall(r"`([^`\n]+)`", text) if NUMBER.fullmatch(code)]
    printed = [n for source in SOURCES if source.parent.name == day for n in printed_by(source)]
    assert [figure for figure in figures if not is_shown(figure, printed)] == []


@pytest.mark.ours
@each_day
def test_a_slide_has_words_and_notes(day):
    text = TALKS[day].read_text(encoding="utf-8")
    slides = re.split(r"^#{1,3} ", text, flags=re.M)[1:]
    assert all("```{revealjs-notes}" in slide for slide in slides)
    pictures = re.findall(r"!\[([^\]]*)\]\(\.\./images/(\w+)\.png\)", text)
    made = {tag for s in SOURCES for c in build.read_source(s).cells for tag in build.tags(c)}
    assert len(pictures) >= 8
    assert all(len(alt) > 20 and f"picture={name}" in made for alt, name in pictures)
