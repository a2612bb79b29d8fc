"""The benchmark measures the notebooks' own code, by turns."""

from __future__ import annotations

import re

import pytest

from tools import bench


def test_definitions_are_those_of_the_notebook():
    notebook = bench.definitions("5_variational", constants=("settings",))
    assert "images" not in notebook  # no data are loaded, nothing is fitted
    assert notebook["deep"].__globals__ is notebook
    assert notebook["settings"]["batch"] > 0


def test_an_unknown_notebook_is_refused():
    with pytest.raises(ValueError, match="0 solutions"):
        bench.definitions("no_such_notebook")


def test_actions_run_by_turns():
    calls = []
    actions = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    medians = bench.in_turns(actions, rounds=2)
    assert calls == ["a", "b"] * 3
    assert set(medians) == {"a", "b"}


def test_table():
    text = bench.table("Title", ("what", "seconds"), iter([("x", 1.23456), ("y", 12_345.0)]))
    assert "| what | seconds |" in text
    assert "| x | 1.23 |" in text


@pytest.mark.parametrize("contest", [bench.factor_analysis, bench.autoencoder])
def test_all_sides_of_a_contest_take_the_steps_that_are_counted(contest):
    size = {"steps": 3} if contest is bench.factor_analysis else {"n_images": 600}
    _, fits, steps = contest(**size)
    assert steps == 3
    assert list(fits) == ["pyro", "distributions", "by hand"]
    for fit in fits.values():
        fit()


def test_predictive_draws_are_counted():
    assert [name for name, _ in bench.predictive_draws(draws=3)] == ["one call", "a loop"]


def test_fits_of_the_autoencoder_take_the_epochs_of_the_notebook():
    epochs = bench.definitions("5_variational", constants=("settings",))["settings"]["epochs"]
    rows = list(bench.autoencoder_fits(n_images=400))
    assert {int(d): int(n) for d, n, *_ in rows} == epochs
    assert all(-400 < float(elbo) < 0 for *_, elbo in rows)


def test_threads_wait_in_the_benchmark_and_in_the_tests_as_in_the_notebooks():
    setting = re.compile(r'^os\.environ\.setdefault\("(\w*OMP\w*)", "(\w+)"\)', re.MULTILINE)
    files = ("tools/setup_cell.py", "tools/bench.py", "tests/conftest.py")
    found = [setting.findall((bench.notebooks.ROOT / file).read_text()) for file in files]
    assert found[0] == found[1] == found[2] != []
