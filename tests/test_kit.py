"""KIT.md: its cell runs, its times fit the plan, its notation is that of the notebooks."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.places import stated_minutes
from tests.test_instructors import ROOT, chapter, links, plan, table, text_of
from tools import build

pytestmark = pytest.mark.ours

KIT = (ROOT / "KIT.md").read_text(encoding="utf-8")
SOURCES = {build.student_path(s).relative_to(ROOT).as_posix(): s for s in build.sources()}
BY_NUMBERS = {s.parent.name[-1] + s.stem[0]: s for s in SOURCES.values()}  # "12": Day 1, 2

# What the first cells say under *Before*, and the notebooks that this means.
BEFORE = {
    "11": ("nothing but Python", ""),
    "12": ("*Probability distributions*. You need", "11"),
    "13": ("*Probability distributions* and *Probabilistic models*", "11 12"),
    "14": ("Day 1, notebooks 1 to 3", "11 12 13"),
    "21": ("Day 1. You need", "11 12 13 14"),
    "22": ("Day 1, and the first notebook of Day 2", "11 12 13 14 21"),
    "23": ("Day 1 and the first notebook of Day 2", "11 12 13 14 21"),
    "24": ("Day 1 and the notebooks 1 and 3 of Day 2", "11 12 13 14 21 23"),
}


def sections(source: Path) -> dict[int, str]:
    """The text of each numbered section of the class part."""
    in_class = text_of(source).partition("\n## After class")[0]
    _, *found = re.split(r"^## (\d+)\. ", in_class, flags=re.M)
    return dict(zip(map(int, found[::2]), found[1::2], strict=True))


def clock(time: str) -> int:
    hour, minute = time.split(":")
    return 60 * int(hour) + int(minute)


# ------------------------------------------------------------------------------ the letter's cell


def run_cell(folder: Path) -> list[str]:
    (cell,) = re.findall(r"```python\n(.*?)```", KIT, flags=re.S)
    assert len([line for line in cell.splitlines() if line]) < 20
    done = subprocess.run(
        [sys.executable, "-c", cell], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("folder", [".", "Day1"])
def test_in_the_course_you_are_ready(folder):
    versions, verdict = run_cell(ROOT / folder)
    assert torch.__version__ in versions
    assert verdict.startswith("You are ready")


def test_elsewhere_the_cell_says_where_to_go(tmp_path):
    (verdict,) = run_cell(tmp_path)
    assert verdict.startswith(f"Not ready: no course in {tmp_path} or above.")


def test_an_altered_file_is_named(tmp_path):
    shutil.copytree(ROOT / "utils", tmp_path / "utils")
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("MNIST"))
    (tmp_path / "data" / "ice_cream.csv").write_text("day,sensor\n1,18.0\n", encoding="utf-8")
    _, verdict = run_cell(tmp_path)
    assert re.match("Not ready: .*ice_cream.csv is truncated or altered. To mend it, run", verdict)


# ------------------------------------------------------------------------------------- the times


@pytest.mark.parametrize("path", SOURCES)
def test_checkpoints_follow_the_plan(path):
    """Sections exist, times lie in the notebook's block, and leave time for the exercises."""
    (row,) = [r for r in table(chapter(KIT, "By the clock"), "notebook") if links(r[0]) == [path]]
    found = [(int(n), clock(time)) for n, time in re.findall(r"(\d+) at (\d+:\d\d)", row[1])]
    blocks = [(begins, begins + n) for begins, what, n in plan() if path in links(what)]
    text = sections(SOURCES[path])
    assert found[-1] == (max(text), blocks[-1][1])
    done, now = 0, blocks[0][0]
    for number, time in found:
        assert number > done
        exercises = "".join(text[n] for n in range(done + 1, number + 1))
        minutes = map(int, re.findall(r"^### ✏️ .*\((\d+) min\)", exercises, flags=re.M))
        taught = sum(max(0, min(time, ends) - max(now, begins)) for begins, ends in blocks)
        assert taught >= max(1, sum(minutes)), f"section {number} at {time // 60}:{time % 60:02}"
        done, now = number, time


def minutes_of_talks() -> dict[str, int]:
    """For each notebook, the minutes of the talk before it."""
    talks, waiting = {}, 0
    for _, what, minutes in plan():
        if what.startswith("Talk:"):
            waiting = minutes
        for link in links(what):
            talks.setdefault(link[3] + link[5], waiting)
    return talks


def test_the_first_cells_ask_for_these_notebooks():
    for notebook, (says, _) in BEFORE.items():
        assert says in re.sub(r"\s+", " ", text_of(BY_NUMBERS[notebook])), notebook


def test_shorter_plans_add_up_and_keep_the_order():
    talks, known = minutes_of_talks(), []
    for name, begins, ends, notebooks, *minutes in table(chapter(KIT, "Shorter days"), "plan"):
        day, *numbers = re.findall(r"\d", notebooks)
        if name.startswith(("One", "First")):
            known = []
        taught = [day + number for number in numbers]
        for notebook in taught:
            assert set(BEFORE[notebook][1].split()) <= set(known), (name, notebook)
            known.append(notebook)
        in_class = sum(stated_minutes(BY_NUMBERS[n]) for n in taught)
        in_talks = sum(talks[n] for n in taught)
        length = clock(ends) - clock(begins)
        assert [*map(int, minutes)] == [in_class, in_talks, length - in_class - in_talks]
    assert known == list(BEFORE), "the four half-days hold the whole course"


# ------------------------------------------------------------------------------ quiz and notation


def test_every_notebook_has_two_questions_and_their_answers():
    _, *found = re.split(r"^\*\*(?=\[)", chapter(KIT, "Quiz"), flags=re.M)
    assert [links(part)[0] for part in found] == list(SOURCES)
    for part in found:
        assert len(re.findall(r"^\d\. [^*]*\?[^*]* \*[^*]*\*$", part, flags=re.M)) == 2


def test_the_numbers_of_the_answers():
    vectors = torch.distributions.Normal(torch.zeros(2, 3), 1.0)
    shape = torch.distributions.Independent(vectors, 1).log_prob(torch.zeros(5, 2, 3)).shape
    precision = 1 / 3**2 + 1 / 3**2
    answers = [
        f"*{tuple(shape)}: one number",
        f"*{1000 * (0.2 / 0.02) ** 2:,.0f}: ten times",
        f"*Mean {(10 / 3**2 + 16 / 3**2) / precision:.0f}, half-way",
        f"sd {precision**-0.5:.2f}, which is 3/√2",
        f"*{math.sqrt(1 - 0.8**2):.1f}, which is √",
        f"is {-2.6 - -3.0:.1f} nats",
        f"*{-2 * 0.5 * math.log(0.5):.2f}, which is ln 2",
        f"*{2 * 10 * 60_000:,} and {10 * 784 + 10:,} (`V` and `s`)",
    ]
    quiz = " ".join(chapter(KIT, "Quiz").split())
    assert [answer for answer in answers if answer not in quiz] == []


@pytest.mark.parametrize("row", table(chapter(KIT, "Notation"), "symbol"), ids=lambda r: r[0])
def test_notation_is_that_of_the_notebooks(row):
    symbols, _, code, where = row
    day, number, section = re.findall(r"\d+", where)
    text = " ".join(sections(BY_NUMBERS[day + number])[int(section)].split())
    for symbol in re.findall(r"\$([^$]+)\$", symbols):
        assert symbol in text
    without_formulas = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "", text)
    for name in re.findall(r"`([^`]+)`", code):
        assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", without_formulas), name
