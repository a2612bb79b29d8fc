"""The benchmark measures the notebooks' own code, by turns."""

from __future__ import annotations

import pytest

from tools import bench, build

pytestmark = pytest.mark.ours


def test_definitions_are_those_of_the_notebook():
    notebook = build.definitions("variational_autoencoder", "deep", "settings")
    assert "images" not in notebook, "no data are loaded, nothing is fitted"
    assert notebook["deep"].__globals__ is notebook
    assert notebook["settings"]["batch"] > 0
    with pytest.raises(build.BuildError, match="0 notebooks"):
        build.definitions("no_such_notebook")


def test_both_sides_of_the_contest_take_the_steps_that_are_counted():
    _, steps, loops = bench.autoencoder(steps=3)
    assert [loops["pyro"], loops["plain"]] == list(loops.values())
    losses = loops["pyro"]()
    losses = losses[0] if isinstance(losses, tuple) else losses
    assert len(losses) == len(loops["plain"]()) == steps == 3


def test_loops_run_by_turns_and_the_first_is_not_counted():
    calls = []
    actions = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    assert bench.in_turns(actions, rounds=2).keys() == {"a", "b"}
    assert calls == ["a", "b"] * 3


def test_table_says_how_fast_a_loop_is_relative_to_plain_pytorch():
    *_, notebook, step = bench.lines(iter([("x", 1.23456, None), ("a step", 0.02, 0.01)]))
    assert notebook == "| x | 1.23 | | |"
    assert step == "| a step | 0.02 | 0.01 | 0.50 |"
