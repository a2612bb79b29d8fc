"""The pages for people: their links lead somewhere, and their tables are those of the notebooks."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.places import find, place, stated_minutes
from tools import build

LINK = r"(!?)\[([^\]]*)\]\(([^)\s]+)\)"


def pages(root):
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    tracked = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if tracked.returncode:  # not a checkout: a downloaded archive
        return [page for page in root.rglob("*.md") if ".venv" not in page.parts]
    return [root / name for name in tracked.stdout.splitlines()]


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_every_link_leads_somewhere(root):
    broken = []
    for page in pages(root):
        for where, link in find(LINK, page):
            file, _, anchor = link[3].partition("#")
            goal = page.parent / file if file else page
            there = "://" in file or (goal.exists() and (not anchor or anchor in anchors(goal)))
            if not there:
                broken.append(f"{where}: there is no {link[3]}")
    assert not broken, "\n".join(broken)


def test_every_picture_has_words_for_those_who_do_not_see_it(root):
    pictures = [found for page in pages(root) for found in find(LINK, page) if found.match[1]]
    assert pictures
    silent = [f"{where}: more words" for where, picture in pictures if len(picture[2]) <= 40]
    assert not silent, "\n".join(silent)


@pytest.mark.ours
def test_the_table_lists_every_notebook_with_its_time(root, source):
    minutes = str(stated_minutes(source))
    target = build.student_path(source).relative_to(root).as_posix()
    rows = list(find(rf"^.*\]\({target}\).* \| (\w+) min \|$", root / "README.md"))
    table = rows[0].place if rows else place(root / "README.md", "| notebook |")
    assert [row[1] for _, row in rows] == [minutes], (
        f"{table}: one row, with {minutes} min, belongs to {target}"
    )


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_an_adapted_course_is_tested_without_our_plan(root):
    command = ["make", "--dry-run", "test", "ADAPTED=1"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert '-m "not ours"' in done.stdout
