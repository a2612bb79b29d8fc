"""The engine of the checks: what it leaves behind, what it shows, models and guides, the scorecard.

The exercises themselves are tested in test_answers.py.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import pytest
import torch
from IPython.testing.globalipapp import start_ipython
from pyro.distributions import constraints
from pyro.infer.autoguide import AutoGuideList, AutoMultivariateNormal, AutoNormal

from checks import engine
from checks.engine import CheckFailed, Exercise, StillBlank, call, close_to, fail, same_function
from checks.mistakes import mutants
from checks.models import same_model
from checks.reference import Reference, edited, rows
from checks.scorecard import scorecard_within
from utils.scorecard import make_scorecard


def message_of(check: Callable, *args, **kwargs) -> str:
    with pytest.raises(CheckFailed) as caught:
        check(*args, **kwargs)
    return str(caught.value)


def checking(solution: str, check: Callable, table: str = "") -> Exercise:
    """An exercise whose answer is called f."""
    cell = f"### BEGIN SOLUTION\n{solution.strip()}\n### END SOLUTION"
    made = Exercise("Exercise 0", check, table)
    made.reference = Reference(cell, "check.f(f)", {"torch": torch, "pyro": pyro, "dist": dist})
    return made


calling = Exercise("Exercise 0", lambda answer: answer())  # right if the answer can be called


# ------------------------------------------------------------------------- what is left behind


def random_numbers() -> tuple[float, ...]:
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002


def test_a_check_draws_the_same_random_numbers_every_time_and_leaves_no_trace():
    drawn = []

    def body(answer):
        pyro.param("new", torch.tensor(1.0))
        pyro.param("old", torch.tensor(9.0))
        drawn.append(random_numbers())
        pyro.clear_param_store()
        answer()

    check = Exercise("Exercise 0", body, "")
    pyro.param("old", torch.tensor(2.0), constraint=constraints.positive)
    check(lambda: None)
    pyro.set_rng_seed(7)
    expected = random_numbers()
    pyro.set_rng_seed(7)
    check(lambda: None)
    with pytest.raises(CheckFailed):
        check(lambda: fail("wrong"))
    assert random_numbers() == expected
    assert drawn == 3 * drawn[:1]
    assert set(pyro.get_param_store().keys()) == {"old"}
    assert pyro.param("old").item() == pytest.approx(2.0)


def test_a_check_sees_no_parameters_of_the_notebook():
    seen = []
    check = Exercise("Exercise 0", lambda answer: seen.extend(pyro.get_param_store()), "")
    pyro.param("W", torch.zeros(784, 10))
    check(lambda: None)
    assert (seen, [*pyro.get_param_store()]) == ([], ["W"])


def test_an_answer_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(engine, "LIMIT", 0.2)

    def answer():
        while True:
            pass

    with pytest.raises(CheckFailed, match="not come to an end"):
        calling(answer)


def gaussian_model(x=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    pyro.sample("x", dist.Normal(mu, gamma.rsqrt()).expand([3]).to_event(1), obs=x)


def test_a_check_leaves_guides_as_they_are():
    run = Exercise("Exercise 0", lambda guide: print(guide(torch.zeros(3))), "")
    run(guide := AutoMultivariateNormal(gaussian_model))
    assert guide.prototype_trace is None
    guides = AutoGuideList(gaussian_model)
    for name in ("mu", "gamma"):
        guides.append(AutoNormal(pyro.poutine.block(gaussian_model, expose=[name])))
    run(guides)
    assert set(guides(torch.zeros(3))) == {"mu", "gamma"}


# ------------------------------------------------------------------------------ what is shown


def test_jupyter_shows_the_lines_without_a_traceback(capsys):
    shell = start_ipython()
    shell.push({"CheckFailed": CheckFailed})
    shell.run_cell("raise CheckFailed('wrong', 'look here')")
    shown = capsys.readouterr().out
    assert "✗ wrong\n  look here" in shown
    assert "Traceback" not in shown


def blank():
    raise NotImplementedError("Still blank")


def test_a_blank_is_told_from_a_wrong_answer():
    for kind in (StillBlank, NotImplementedError):
        with pytest.raises(kind, match="still blank"):
            calling(blank)
    two = Exercise("Exercise 0", lambda model, guide: (model(), guide()), "")
    assert "`blank` is still blank" in message_of(two, lambda: None, blank)
    assert "`guide` is None" in message_of(two, lambda: None, None)


@pytest.mark.parametrize(
    ("crash", "hint"),
    [
        (lambda: torch.zeros(2) @ torch.zeros(3), "your code raises RuntimeError: incon"),
        (lambda: torch.arange(3).mean(), "a mean of whole numbers"),
        (lambda: pyro.sample(dist.Normal(0.0, 1.0)), "the name of the site first"),
        (lambda: dist.Normal(0.0, 1.0, obs=1.0), "`obs=` is an argument of pyro.sample"),
        (lambda: pyro.sample("x", 15.0), "takes a distribution"),
        (lambda: pyro.param("s", torch.ones(2), constraint="positive"), "not a string"),
        (lambda: torch.nn.Sequential(torch.nn.GELU), "missing its brackets"),
        (lambda: {"V": 1}.V, "stand in brackets"),
        (lambda: math.pi, "is not imported here"),  # noqa: F821
        (lambda: [].append(1)[-1], "a list is None"),
        (lambda: [].append(2 * torch.ones(1, requires_grad=True).backward()), "in `.grad` of"),
        (lambda: 0 < torch.zeros(2) & torch.zeros(2) < 1, "each comparison into brackets"),
        (lambda: dist.Normal(0.0, -1.0), "`scale`. It must be positive"),
        (lambda: dist.Normal(0.0, 1.0).to_event(1), "A single number needs none"),
        (lambda: __import__("math").sqrt(torch.ones(3)), "takes one number"),
        (lambda: dist.Normal(0.0, 1.0).expand(3), "a shape is a list or a tuple"),
        (lambda: pyro.sample(temp, dist.Normal(0.0, 1.0)), "`temp` has no value"),  # noqa: F821
        (lambda: (temp := temp + 1), "is a string, in quotes"),  # noqa: F821, F841
        (lambda: 0.1 * torch.ones(1, requires_grad=True).backward(), "the gradient in `.grad`"),
        (lambda: [][0], "append"),
        (lambda: dist.VonMises(0.0, 1.0).cdf(torch.tensor(0.0)), "NotImplementedError"),
    ],
)
def test_a_crash_is_explained(crash, hint):
    said, line = message_of(calling, crash).split("\n")  # the line, of this file, holds the hint
    assert hint in said
    assert line == f"Look at: `{inspect.getsource(crash).strip()}`"


def test_only_the_answer_is_blamed_for_its_arguments():
    check = Exercise("Exercise 0", lambda answer: answer(1, y=2), "")
    assert "does not take the arguments" in message_of(check, lambda x: x)
    inner = message_of(check, lambda x, y: len(x, y))
    assert "does not take the arguments" not in inner
    assert "Look at: `" in inner
    wrong_check = Exercise("Exercise 0", lambda answer: close_to("p", answer(), 1.0, name="p"), "")
    with pytest.raises(TypeError, match="close_to"):
        wrong_check(lambda: 1.0)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (lambda x, p: p["b"].mul_(1.5), "p"),
        (lambda x, p: p.pop("b"), "p"),
        (lambda x, p: x[:1].mul_(2), "x"),
        (lambda x, p: x.sub_(0.1), "x"),
    ],
)
def test_an_answer_that_changes_its_arguments_is_told_so(answer, name):
    check = checking(
        "f = lambda x, p: x",
        lambda f: same_function(f, [call(torch.ones(3), {"b": torch.ones(2)})]),
    )
    assert f"your function changes its argument `{name}` in place" in message_of(check, answer)


# ---------------------------------------------------------------------- numbers and functions


@pytest.mark.parametrize("value", [1.0, 1, np.float64(1.0), torch.tensor(1.0), np.array(1.0)])
def test_close_to_takes_any_kind_of_number(value):
    close_to("p", value, 1.0, tolerance=1e-6)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (None, "is None"),
        ("one", "should be a number"),
        ([1.0, 2.0], "a single number"),
        (float("nan"), "not a finite number"),
        (2.0, "too large"),
        (-0.5, "too small"),
    ],
)
def test_close_to_says_what_is_wrong(value, part):
    assert part in message_of(close_to, "p", value, 1.0, tolerance=0.1)


SOLUTION = """
def f(x, n):
    first = x.mean() / n
    return first, x
"""


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda x, n: x, "should return 2 values: first, second"),
        (3, "should be a function"),
        (lambda x, n: None, "`f` returns is None"),
        (lambda x, n: (x.sum() / n, x), "`first`: a sum where it should be the mean"),
        (lambda x, n: (x.mean() / n, 2 * x), "`second`"),
        (lambda x, n: (x.mean() / 2.0, x), "does not depend on the argument `n`"),
        (lambda x, n: (x.mean() / n + 7, x), "seven too many"),
        (lambda x, n: (x.mean() / n + 8, x), "Look here."),
    ],
)
def test_same_function_finds_the_mistake(answer, part):
    check = checking(
        SOLUTION,
        lambda f: same_function(
            f, [call(torch.rand(5), 3.0)], returns=("first", "second"), hint="Look here."
        ),
        "return first, x => return first + 7, x\n    seven too many",
    )
    check(lambda x, n: [x.sum() / len(x) / n, x])
    assert part in message_of(check, answer)


def test_a_table_of_mistakes_is_read_row_by_row():
    first, second = rows("""
        a => b || c
        => d
            One sentence,
            and another.

        * => e
            The last.
    """)
    assert first == (["a => b || c", "=> d"], "One sentence,\nand another.")
    assert second == (["* => e"], "The last.")
    reference = Reference("### BEGIN SOLUTION\nx = a\n### END SOLUTION", "check.f(x)", {"a": 1})
    (row,) = rows("a => 2 || 3\n=> x += 1\n    no")
    run = [reference.run(code)["x"] for code in reference.changed(row)]
    assert run == [3, 4]
    with pytest.raises(ValueError, match="'b' is not in the solution"):
        list(reference.changed(*rows("b => c\n    no")))


def test_mutants_change_one_place_and_leave_the_rest():
    region = "### BEGIN SOLUTION\n    z = (x - y).sqrt()\n    ### END SOLUTION"
    cell = f"def f(x, y):\n    z = y\n    {region}\n    return z"
    sentences = {mutant.sentence for mutant in mutants(cell)}
    assert "the square root is missing." in sentences
    assert "a difference is the wrong way round, so its sign is reversed." in sentences
    assert "you use `y` where `x` belongs." in sentences
    assert "`x` and `y` have changed places." in sentences


# ---------------------------------------------------------------------------- models, guides

LINEAR = """
def f(x):
    a = pyro.param("a", torch.ones(2, 3))
    with pyro.plate("data", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ a, 1.0).to_event(1), obs=x)
"""


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("z @ a => torch.mm(z, a)", "many draws at once"),
        ("z @ a => z.detach() @ a", "but not its gradient in `z`"),
        ("z @ a => z @ a.detach()", "`a` does not reach the distributions"),
        ("a = pyro => pyro.set_rng_seed(0); a = pyro", "sets the seed"),
    ],
)
def test_a_model_has_to_serve_inference(change, part):
    calls = [call(torch.ones(4, 3))]
    check = checking(LINEAR, lambda f: same_model(f, calls))
    with torch.no_grad():  # which the reader has switched off
        check(check.reference.run()["f"])
    answer = check.reference.run(edited(check.reference.cell, change))["f"]
    assert part in message_of(check, answer)
    if "many draws" in part:
        checking(LINEAR, lambda f: same_model(f, calls, batched=False))(answer)


def test_days_that_are_alike_by_chance_are_not_called_swapped():
    days = """
def f(readings):
    for t in range(len(readings)):
        warm = pyro.sample(f"warm_{t}", dist.Bernoulli(0.5))
        pyro.sample(f"sensor_{t}", dist.Normal(15 + 5 * warm, 1.0), obs=readings[t])
"""
    check = checking(days, lambda f: same_model(f, [call(torch.full((6,), 17.0))]))
    check(check.reference.run()["f"])


# -------------------------------------------------------------------------------- scorecard


EXACT = {"E[w]": 1.0, "sd[w]": 1.0, "P(w)": 0.5, "alpha": 5.0, "ELBO": -9.0}
LIMITS = {"mean": 0.1, "sd": 0.06, "probability": 0.01, "parameter": 0.004, "nats": 0.02}


def card(found: dict[str, float]) -> pd.DataFrame:
    return make_scorecard(EXACT | found, EXACT, parameters=["alpha"])


def test_a_scorecard_within_its_limits(capsys):
    near = {"E[w]": 1.09, "sd[w]": 0.95, "P(w)": 0.509, "alpha": 5.01, "ELBO": -9.01}
    scorecard_within(card(near), **LIMITS)
    shown = capsys.readouterr().out
    assert shown.startswith("✓ Scorecard: 5 quantities")
    assert "parameters within 0.4%, logs within 0.02 nats" in shown
    assert "it is empty" in message_of(scorecard_within, card({})[:0], **LIMITS)
    no_number = card({"E[w]": float("nan")})  # which is refused even if there is no limit
    assert "first `E[w]`" in message_of(scorecard_within, no_number, sd=0.06)


@pytest.mark.parametrize(
    ("quantity", "value", "limit"),
    [
        ("E[w]", 0.89, "mean"),
        ("sd[w]", 1.07, "sd"),
        ("P(w)", 0.511, "probability"),
        ("alpha", 5.03, "parameter"),
        ("ELBO", -9.03, "nats"),
    ],
)
def test_a_scorecard_out_of_its_limits(quantity, value, limit):
    frame = card({quantity: value})
    assert f"first `{quantity}`" in message_of(scorecard_within, frame, **LIMITS)
    scorecard_within(frame, **{kind: LIMITS[kind] for kind in LIMITS if kind != limit})
