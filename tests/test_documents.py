"""The pages for people: their links lead somewhere, and their tables are those of the notebooks."""

from __future__ import annotations

import re
import subprocess

import pytest

from tools import build

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def pages(root):
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if tracked.returncode:  # not a checkout: a downloaded archive
        return [page for page in root.rglob("*.md") if ".venv" not in page.parts]
    return [root / name for name in tracked.stdout.splitlines()]


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_every_link_leads_somewhere(root):
    broken = []
    for page in pages(root):
        for _, _, target in LINK.findall(page.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            if "://" in target:
                continue
            goal = page.parent / file if file else page
            if not goal.exists() or (anchor and anchor not in anchors(goal)):
                broken.append(f"{page.relative_to(root)}: {target}")
    assert not broken


def test_every_picture_has_words_for_those_who_do_not_see_it(root):
    pictures = [
        found
        for page in pages(root)
        for found in LINK.findall(page.read_text(encoding="utf-8"))
        if found[0]
    ]
    assert pictures
    assert all(len(alt) > 40 for _, alt, _ in pictures)


@pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem)
def test_the_table_lists_every_notebook_with_its_time(root, source):
    minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", build.read_source(source).cells[0].source)
    target = build.student_path(source).relative_to(root).as_posix()
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if f"]({target})" in line]
    assert f"| {minutes[1]} min |" in row
