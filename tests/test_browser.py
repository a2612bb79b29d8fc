"""A student notebook in JupyterLab, in a real browser, as a student uses it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import Locator, Page, expect

from tests.browser import NAMES, find_browser, jupyterlab
from tools import build

PATIENCE = 60_000  # milliseconds for whatever the page has to show; it normally needs a few seconds

# The blank of the first exercise: all but the last line is pasted, and the last line is typed.
SHOP_MODEL = """\
alpha = pyro.sample("alpha", dist.Normal(50.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 2.0))
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    with pyro.plate("days", len(sensor)):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)"""
SALES = 'pyro.sample("sales", dist.Poisson(softplus(alpha + beta * ({} - 20))), obs=sales)'

EXPLORER = """\
from utils.explorer import explore
explore(lambda x: plt.plot([0, x]), x=(0.0, 2.0, 1.0))"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[str, str]]:
    """JupyterLab on a copy of what a student needs, at a path with a space in its name."""
    place = tmp_path_factory.mktemp("lab")
    course = place / "the course"
    for folder in ("Day1", "utils", "checks"):
        shutil.copytree(build.ROOT / folder, course / folder)
    shutil.copytree(build.ROOT / "data", course / "data", ignore=shutil.ignore_patterns("MNIST"))
    student = nbformat.read(course / "Day1" / "3_ice_cream_shop.ipynb", as_version=4)
    (setup,) = (cell for cell in build.code_cells(student) if "setup" in build.tags(cell))
    student.cells = [setup, new_code_cell(EXPLORER), new_code_cell("1")]
    nbformat.write(student, course / "Day1" / "explorer.ipynb")
    with jupyterlab(course, place / "home") as running:
        yield running


@pytest.fixture
def page(browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield context.new_page()


class Notebook:
    """A notebook of the first day, opened in JupyterLab."""

    def __init__(self, page: Page, lab: tuple[str, str], name: str) -> None:
        self.page = page
        self.address, token = lab
        page.goto(f"{self.address}lab/tree/Day1/{name}.ipynb?token={token}&reset")
        # What is run before the kernel is there, JupyterLab forgets.
        expect(page.get_by_role("button", name="| Idle")).to_be_visible()
        self.active = page.locator(".jp-Notebook-cell.jp-mod-active")

    def run(self) -> Locator:
        """Press Shift+Enter, wait until the next cell is active, and return the one that runs."""
        index = int(self.active.get_attribute("data-windowed-list-index"))
        self.page.keyboard.press("Shift+Enter")
        expect(self.active).to_have_attribute("data-windowed-list-index", str(index + 1))
        return self.page.locator(f'.jp-Notebook-cell[data-windowed-list-index="{index}"]')

    def run_up_to(self, text: str) -> None:
        """Run cells until the one with this text is active."""
        for _ in range(40):
            if text in self.active.inner_text():
                return
            self.run()
        raise AssertionError(f"no cell with {text!r} among the next 40")

    def select_line(self, cell: Locator, text: str) -> None:
        """Click on the cell's line with this text and select it, so that typing replaces it."""
        cell.locator(".cm-line").filter(has_text=text).click()
        for key in ("End", "Shift+Home"):
            self.page.keyboard.press(key)

    def run_and_read(self, text: str) -> list[str]:
        """Run the cell; return the lines below it, of which the first starts with this text."""
        output = self.run().locator(".jp-OutputArea-output").first
        expect(output).to_contain_text(text)
        lines = output.inner_text().strip().splitlines()
        assert lines[0].startswith(text)
        return lines

    def run_and_see_a_picture(self) -> None:
        picture = self.run().locator(".jp-OutputArea-output img").first
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


@pytest.mark.ours
def test_a_student_works_through_the_first_exercise(lab, page):
    asked = set()
    page.on("request", lambda request: asked.add(request.url))
    notebook = Notebook(page, lab, "3_ice_cream_shop")
    page.get_by_role("heading", name="The ice-cream shop").click()

    notebook.run()
    setup = notebook.run()
    expect(setup.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"))
    expect(setup.locator(".jp-OutputArea-output")).to_have_count(0)
    notebook.run_up_to("plotting.regression(")
    notebook.run_and_see_a_picture()

    notebook.run_up_to("Exercise 1: the shop")
    task = page.locator(".jp-Notebook-cell").filter(has_text="Exercise 1: the shop")
    expect(task.locator("mjx-container").first).to_be_visible()  # a formula, typeset
    hint = task.get_by_text("Three pyro.samples before the plate")
    expect(hint).to_be_hidden()
    task.get_by_text("Hint", exact=True).click()
    expect(hint).to_be_visible()

    notebook.run_up_to("def shop_model(")
    exercise = notebook.run()
    (_, *rest) = notebook.run_and_read("✗ Exercise 1, the shop: still blank.")
    assert "Replace the line" in rest[0]
    assert len(rest) == 1, "a message, and no traceback"

    notebook.select_line(exercise, "raise NotImplementedError")
    page.keyboard.insert_text(SHOP_MODEL)
    page.keyboard.press("Enter")  # and the editor indents
    page.keyboard.type(SALES.format("sensor"))
    notebook.run()
    (first, *rest) = notebook.run_and_read("✗ Exercise 1, the shop: `sales` depends on")
    assert "customers feel the true temperature" in first
    assert len(rest) <= 2, "a message, and no traceback"

    notebook.select_line(exercise, "dist.Poisson(")
    page.keyboard.type(SALES.format("temp"))
    notebook.run()
    assert notebook.run_and_read("✓") == ["✓ Exercise 1, the shop"]
    notebook.run_up_to("plotting.draw_model(")
    notebook.run_and_see_a_picture()

    notebook.run_up_to("losses_1 = inference.fit(")
    output = notebook.run().locator(".jp-OutputArea-output")
    expect(output.locator(".widget-hprogress")).to_be_visible()
    expect(output.first).to_contain_text(re.compile(r"100%.*600/600", re.DOTALL))
    expect(output).to_have_count(2)  # the widget and the picture, and no bar made of text
    ours = (notebook.address, "data:", "blob:", *build.BADGES.values())  # once it is published
    assert [url for url in asked if not url.startswith(ours)] == []


@pytest.mark.ours
def test_an_explorer_follows_its_slider(lab, page):
    notebook = Notebook(page, lab, "explorer")
    page.locator(".jp-Notebook-cell").first.locator(".cm-line").first.click()
    notebook.run()
    shown = notebook.run().locator(".jp-OutputArea-output")
    picture, slider = shown.locator("img"), shown.get_by_role("slider")
    expect(picture).to_have_count(1)  # the one that follows, and not the still one
    before = picture.get_attribute("src")
    slider.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", before)


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_is_found_downloaded_or_on_the_path_and_else_the_tests_are_skipped(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        find_browser(str(tmp_path / "downloaded"))
    (tmp_path / name).touch(mode=0o755)
    assert find_browser(str(tmp_path / "downloaded")) == str(tmp_path / name)
    (tmp_path / "downloaded").touch(mode=0o755)
    assert find_browser(str(tmp_path / "downloaded")) == str(tmp_path / "downloaded")
