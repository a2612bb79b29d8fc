"""The engine of the checks: what it leaves behind, what it shows, and guides and numbers."""

from __future__ import annotations

import random

import nbformat
import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import pytest
import torch
from IPython.testing.globalipapp import start_ipython
from pyro.distributions import constraints
from pyro.infer.autoguide import AutoGuideList, AutoMultivariateNormal, AutoNormal
from pyro.nn import PyroModule, PyroParam

from tools import notebooks
from utils.checks import (
    CheckFailed,
    StillBlank,
    Twin,
    call,
    close_to,
    exercise,
    fail,
    probability_close_to,
    same_function,
    same_guide,
    same_model,
    scorecard_within,
)
from utils.scorecard import make_scorecard


def message_of(check, *args, **kwargs) -> str:
    with pytest.raises(CheckFailed) as caught:
        check(*args, **kwargs)
    return str(caught.value)


# ------------------------------------------------------------------------- what is left behind


def test_a_check_leaves_no_trace():
    @exercise("Exercise 0")
    def check(answer):
        pyro.param("new", torch.tensor(1.0))
        pyro.param("old", torch.tensor(9.0))
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        pyro.clear_param_store()
        answer()

    pyro.param("old", torch.tensor(2.0), constraint=constraints.positive)
    pyro.set_rng_seed(7)
    expected = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002
    pyro.set_rng_seed(7)
    check(lambda: None)
    with pytest.raises(CheckFailed):
        check(lambda: fail("wrong"))
    found = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002
    assert found == expected
    assert set(pyro.get_param_store().keys()) == {"old"}
    assert pyro.param("old").item() == pytest.approx(2.0)


def test_a_check_sees_the_same_random_numbers_every_time():
    seen = []

    @exercise("Exercise 0")
    def check():
        seen.append(torch.rand(3))

    check()
    torch.rand(5)
    check()
    assert torch.equal(*seen)


def test_a_check_leaves_a_list_of_guides_whole():
    guide = AutoGuideList(gaussian_model)
    guide.append(AutoNormal(pyro.poutine.block(gaussian_model, expose=["mu"])))
    guide.append(AutoNormal(pyro.poutine.block(gaussian_model, expose=["gamma"])))

    @exercise("Exercise 0")
    def check(guide):
        same_guide(guide, gaussian_model, [call(torch.zeros(3))])

    check(guide)
    assert set(guide(torch.zeros(3))) == {"mu", "gamma"}


def test_a_check_does_not_set_up_the_reader_s_guide():
    model = gaussian_model

    @exercise("Exercise 0")
    def check(guide):
        same_guide(guide, model, [call(torch.zeros(3))])

    guide = AutoMultivariateNormal(model)
    wrapped_model = guide.model
    check(guide)
    assert guide.prototype_trace is None
    assert guide.model is wrapped_model


# ---------------------------------------------------------------------------- what is shown


def test_jupyter_shows_the_lines_without_a_traceback(capsys):
    shell = start_ipython()
    shell.push({"CheckFailed": CheckFailed})
    shell.run_cell("raise CheckFailed('wrong', 'look here')")
    shown = capsys.readouterr().out
    assert "✗ wrong\n  look here" in shown
    assert "Traceback" not in shown


def test_a_missing_name_is_explained_below_the_error():
    cells = ("from utils.checks import fail", "print(draws_1)", "print(1)", "1 / 0")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    for cell in notebook.cells:
        cell.metadata["tags"] = ["raises-exception"]
    notebooks.run(notebook, notebooks.ROOT)
    outputs = [[o.get("text", o.get("ename")) for o in cell.outputs] for cell in notebook.cells]
    assert outputs[0] == []
    assert outputs[1][0] == "NameError"
    assert "`draws_1` has no value" in outputs[1][1]
    assert "run the cells above" in outputs[1][1]
    assert outputs[2:] == [["1\n"], ["ZeroDivisionError"]]


def test_a_blank_is_told_from_a_wrong_answer():
    @exercise("Exercise 0")
    def check(answer):
        answer()

    def blank():
        raise NotImplementedError("Still blank")

    with pytest.raises(StillBlank, match="still blank"):
        check(blank)
    with pytest.raises(NotImplementedError):
        check(blank)


def test_an_operation_that_does_not_exist_is_not_a_blank():
    @exercise("Exercise 0")
    def check(answer):
        answer()

    shown = message_of(check, lambda: dist.VonMises(0.0, 1.0).cdf(torch.tensor(0.0)))
    assert "still blank" not in shown


def test_a_crash_points_at_the_reader_s_line():
    @exercise("Exercise 0")
    def check(answer):
        answer()

    def crash():
        return torch.zeros(2) @ torch.zeros(3)

    shown = message_of(check, crash)
    assert "RuntimeError" in shown
    assert "Look at: `return torch.zeros(2) @ torch.zeros(3)`" in shown


@pytest.mark.parametrize(
    ("crash", "hint"),
    [
        (lambda: (torch.zeros(2) > 0).mean(), "`.float().mean()`"),
        (lambda: 0 < torch.zeros(2) & torch.zeros(2) < 1, "each comparison into brackets"),
        (lambda: torch.log(3), "`math.log`"),
    ],
)
def test_a_crash_of_torch_is_explained(crash, hint):
    @exercise("Exercise 0")
    def check(answer):
        answer()

    assert hint in message_of(check, crash)


def test_a_negative_scale_is_explained():
    @exercise("Exercise 0")
    def check(answer):
        answer()

    shown = message_of(check, lambda: dist.Normal(0.0, -1.0))
    assert "`scale`" in shown
    assert "exp or softplus" in shown


# --------------------------------------------------------------------------------- numbers


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
        (0.5, "half"),
    ],
)
def test_close_to_says_what_is_wrong(value, part):
    shown = message_of(close_to, "p", value, 1.0, tolerance=0.1, twins=[Twin(0.5, "that is half")])
    assert part in shown


def test_probability_tolerance_is_its_monte_carlo_error():
    # 4 standard errors of a share of 10,000 draws: 4 * sqrt(0.25 / 10,000) = 0.02
    probability_close_to("p", 0.519, 0.5, draws=10_000)
    assert "too large" in message_of(probability_close_to, "p", 0.521, 0.5, draws=10_000)
    assert "between 0 and 1" in message_of(probability_close_to, "p", 1.2, 0.5, draws=10_000)


def test_same_function_compares_shapes_and_counts():
    reference = lambda x: (x, x.sum())  # noqa: E731
    calls = [call(torch.ones(3))]
    options = {"name": "f", "returns": ("first", "second")}
    same_function(lambda x: [x, x.sum()], reference, calls, **options)
    assert "2 values" in message_of(same_function, lambda x: x, reference, calls, **options)
    assert "`second`" in message_of(same_function, lambda x: (x, x), reference, calls, **options)
    assert "a function" in message_of(same_function, 3, reference, calls, **options)


def test_a_function_that_returns_nothing_is_told_so():
    for reference in (lambda x: x, lambda x: (x, x), lambda x: torch.outer(x, x)):
        message = message_of(
            same_function, lambda x: None, reference, [call(torch.ones(3))], name="f",
            returns=("a", "b"),
        )  # fmt: skip
        assert "`f` returns is None" in message
        assert "`return`" in message


def through_a_view(x, p):
    first = x[:1]
    first *= 2
    return x


def through_a_dictionary(x, p):
    p["b"] *= 1.5
    return x


def taking_out(x, p):
    p.pop("b")
    return x


def by_a_slice(x, p):
    x[1:] = 0.0
    return x


def subtracting(x, p):
    x -= 1
    return x


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (through_a_view, "x"),
        (through_a_dictionary, "p"),
        (taking_out, "p"),
        (by_a_slice, "x"),
        (subtracting, "x"),
        (lambda x, p: x.sub_(0.1), "x"),
    ],
)
def test_an_answer_that_changes_its_arguments_is_told_so(answer, name):
    x, p = torch.ones(3), {"b": torch.ones(2)}
    told = f"your function changes its argument `{name}` in place"
    assert told in message_of(same_function, answer, answer, [call(x, p)], name="f", returns=("x",))
    assert torch.equal(x, torch.ones(3))

    @exercise("Exercise 0")
    def check(function):
        function(torch.ones(3), p={"b": torch.ones(2)})

    assert told in message_of(check, answer)


def test_an_answer_that_changes_a_copy_passes():
    def answer(x, p):
        x = x.clone()
        x -= 1
        p = p | {"b": p["b"] * 2}
        return x * p["b"]

    x = torch.tensor([1.0, torch.nan])[:1]
    same_function(answer, lambda x, p: (x - 1) * 2 * p["b"], [call(x, {"b": x})], name="f")

    @exercise("Exercise 0")
    def check(function):
        assert function(torch.full((2,), torch.nan), {"b": 1.0}).isnan().all()

    check(answer)


def test_a_function_that_no_twin_explains_gets_the_hint():
    for reference in (lambda x: 2 * x, lambda x: 2 * x.sum()):
        answer = lambda x, f=reference: f(x) + 1  # noqa: E731
        options = {"name": "f", "hint": "Look here."}
        assert "Look here." in message_of(
            same_function, answer, reference, [call(torch.ones(3))], **options
        )


def linear_model(loc=lambda a, z: z @ a, use=lambda a: a):
    def model(x):
        a = use(pyro.param("a", torch.ones(2, 3)))
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
            pyro.sample("x", dist.Normal(loc(a, z), 1.0).to_event(1), obs=x)

    return model


def test_a_model_for_one_draw_at_a_time_passes_where_no_more_is_asked():
    calls = [call(torch.ones(4, 3))]
    answer = linear_model(lambda a, z: torch.mm(z, a))
    same_model(linear_model(), linear_model(), calls)
    same_model(answer, linear_model(), calls, batched=False)
    assert "many draws at once" in message_of(same_model, answer, linear_model(), calls)


def test_a_parameter_that_no_fit_can_move_is_noticed():
    answer = linear_model(use=lambda a: a.detach())
    message = message_of(same_model, answer, linear_model(), [call(torch.ones(4, 3))])
    assert "`a` does not reach the distributions" in message


def test_a_model_that_changes_the_data_is_told_so():
    def model(x):
        x -= 1
        pyro.sample("mu", dist.Normal(0.0, 1.0))

    check = exercise("Exercise 0")(lambda answer: same_model(answer, model, [call(torch.ones(2))]))
    assert "changes its argument `x` in place" in message_of(check, model)


# ----------------------------------------------------------------------------------- models


def gaussian_model(x=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 100.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", 3):
        pyro.sample("x", dist.Normal(mu, gamma.rsqrt()), obs=x)


def swapped_temperature(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 1.0))
    pyro.sample("sensor", dist.Normal(temp, 2.0), obs=sensor)


def temperature(sensor=None):
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=sensor)


def backwards_temperature(sensor=None):
    sensor = pyro.sample("sensor", dist.Normal(15.0, 2.0), obs=sensor)
    pyro.sample("temp", dist.Normal(sensor, 1.0))


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (lambda sensor=None: None, "no site named `temp`"),
        (swapped_temperature, "`temp`: the standard deviation (scale) of its Normal"),
        (backwards_temperature, "have two distributions changed places"),
    ],
)
def test_same_model_on_the_thermometer(answer, part):
    calls = [call(torch.tensor(18.0)), call()]
    same_model(temperature, temperature, calls)
    assert part in message_of(same_model, answer, temperature, calls)


@pytest.mark.parametrize(
    ("prior", "part"),
    [
        (lambda: dist.Gamma(2.0, 1.0), None),
        (lambda: dist.Gamma(1.0, 2.0), "the wrong way round"),
        (lambda: dist.Gamma(2.0, 3.0), "the rate of its Gamma is not"),
        (lambda: dist.Exponential(1.0), "has the family Exponential"),
        (lambda: dist.Beta(2.0, 1.0), "`r` should be any positive number"),
        (lambda: dist.Poisson(2.0), "a continuous distribution"),
    ],
)
def test_same_model_on_a_positive_site(prior, part):
    def model(make):
        return lambda: pyro.sample("r", make())

    def reference():
        pyro.sample("r", dist.Gamma(2.0, 1.0))

    if part is None:
        same_model(model(prior), reference, [call()])
    else:
        assert part in message_of(same_model, model(prior), reference, [call()])


def test_an_extra_factor_is_noticed():
    def with_factor(sensor=None):
        temperature(sensor)
        pyro.factor("penalty", torch.tensor(-1.0))

    shown = message_of(same_model, with_factor, temperature, [call(torch.tensor(18.0))])
    assert "joint log-density" in shown


def coin(make):
    def model(y=None):
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        with pyro.plate("tosses", 4):
            pyro.sample("y", make(a), obs=y)

    return model


def test_same_model_on_a_discrete_site():
    calls = [call(torch.tensor([0.0, 1.0, 1.0, 0.0])), call()]
    reference = coin(lambda a: dist.Bernoulli(logits=a))
    same_model(coin(lambda a: dist.Binomial(1, logits=a)), reference, calls)
    poisson = coin(lambda a: dist.Poisson(a.exp()))
    assert "`y` should be between 0 and 1" in message_of(same_model, poisson, reference, calls)


@pytest.mark.parametrize("dims", [(-2,), (-1, -2)])
def test_same_model_on_plates_that_are_not_the_last_dimension(dims):
    def model():
        for i, dim in enumerate(dims):
            with pyro.plate(f"plate_{i}", 3, dim=dim):
                pyro.sample(f"x_{i}", dist.Normal(0.0, 1.0))

    same_model(model, model, [call()])


# ----------------------------------------------------------------------------------- guides


class GuideModule(PyroModule):
    def __init__(self, **constraint):
        super().__init__()
        self.loc = PyroParam(torch.tensor(0.0))
        self.scale = PyroParam(torch.tensor(1.0), **constraint)

    def forward(self, sensor=None):
        pyro.sample("temp", dist.Normal(self.loc, self.scale))


def test_a_guide_that_is_a_module():
    calls = [call(torch.tensor(18.0))]
    same_guide(GuideModule(constraint=constraints.positive), temperature, calls)
    pyro.clear_param_store()
    shown = message_of(same_guide, GuideModule(), temperature, calls)
    assert "nothing keeps `scale` positive" in shown


def test_enumerated_sites_are_not_the_guide_s():
    def mixture(x=None):
        loc = pyro.sample("loc", dist.Normal(0.0, 1.0))
        z = pyro.sample("z", dist.Bernoulli(0.5), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(loc + z, 1.0), obs=x)

    guide = AutoNormal(pyro.poutine.block(mixture, hide=["z"]))
    same_guide(guide, mixture, [call(torch.tensor(0.0))])


def guide_with(loc=True, gamma=dist.Gamma, constraint=constraints.positive, mu="mu", extra=False):
    def guide(x=None):
        nu_mu = pyro.param("nu_mu", torch.tensor(0.0)) if loc else torch.tensor(0.0)
        pyro.sample(mu, dist.Normal(nu_mu, 1.0))
        if gamma is None:
            return
        if loc:
            alpha = pyro.param("nu_alpha", torch.tensor(1.0), constraint=constraint)
            beta = pyro.param("nu_beta", torch.tensor(1.0), constraint=constraint)
        else:
            alpha, beta = 1.0, 1.0
        pyro.sample("gamma", gamma(alpha, beta))
        if extra:
            pyro.sample("x", dist.Normal(0.0, 1.0))

    return guide


GUIDE_CALLS = [call(torch.zeros(3))]


@pytest.mark.parametrize(
    "guide", [guide_with(), AutoNormal(gaussian_model), guide_with(gamma=dist.LogNormal)]
)
def test_right_guides_pass(guide):
    same_guide(guide, gaussian_model, GUIDE_CALLS)


@pytest.mark.parametrize(
    ("guide", "part"),
    [
        (guide_with(gamma=None), "no site named `gamma`"),
        (guide_with(mu="nu"), "nearest is `nu`"),
        (guide_with(gamma=dist.Normal), "values that the model does not allow"),
        (guide_with(loc=False), "nothing to optimise"),
        (guide_with(constraint=constraints.real), "nothing keeps `nu_alpha` positive"),
        (guide_with(extra=True), "samples `x`, which is observed"),
        ("guide", "a guide is a function"),
    ],
)
def test_wrong_guides_are_told_why(guide, part):
    assert part in message_of(same_guide, guide, gaussian_model, GUIDE_CALLS)


def test_a_guide_is_held_to_the_known_optimum():
    def exact_guide(sensor=None):
        loc = pyro.param("a", torch.tensor(17.4))
        scale = pyro.param("b", torch.tensor(0.8).sqrt(), constraint=constraints.positive)
        pyro.sample("temp", dist.Normal(loc, scale))

    evidence = dist.Normal(15.0, 5**0.5).log_prob(torch.tensor(18.0)).item()
    calls = [call(torch.tensor(18.0))]
    same_guide(exact_guide, temperature, calls, best_elbo=evidence, elbo_tolerance=0.001)
    pyro.get_param_store()["a"] = torch.tensor(17.0)
    shown = message_of(
        same_guide, exact_guide, temperature, calls, best_elbo=evidence, elbo_tolerance=0.001
    )
    assert "can be reached" in shown


# -------------------------------------------------------------------------------- scorecard


def card(mean=1.0, sd=1.0, p=0.5):
    rows = {"E[w]": (mean, 1.0, mean - 1), "sd[w]": (sd, 1.0, sd - 1), "P(w)": (p, 0.5, 9.0)}
    return pd.DataFrame(rows, index=["approximate", "exact", "error"]).T


LIMITS = {"mean": 0.1, "sd": 0.06, "probability": 0.01}


def test_scorecard_within_its_limits(capsys):
    scorecard_within(card(1.09, 0.95, 0.509), **LIMITS)
    assert capsys.readouterr().out.startswith("✓ Scorecard: 3 quantities")


@pytest.mark.parametrize(
    ("frame", "quantity"),
    [
        (card(mean=0.89), "E[w]"),
        (card(sd=1.07), "sd[w]"),
        (card(p=0.511), "P(w)"),
        (card(mean=float("nan")), "E[w]"),
    ],
)
def test_scorecard_out_of_its_limits(frame, quantity):
    assert f"`{quantity}`" in message_of(scorecard_within, frame, **LIMITS)


def two_truths(**changes):
    rows = {"E[w]": 1.0, "sd[w]": 1.0, "alpha": 5.0, "ELBO": -9.0}
    best = rows | {"sd[w]": 0.98}
    return make_scorecard(rows | changes, best, optimum=rows, parameters=("alpha",))


TWO_LIMITS = {"mean": 0.1, "sd": 0.01, "parameter": 0.05, "nats": 0.02}


def test_scorecard_with_a_second_truth(capsys):
    scorecard_within(two_truths(), **TWO_LIMITS, truth="optimum")
    shown = capsys.readouterr().out
    assert shown.startswith("✓ Scorecard against the optimum: 4 quantities")
    assert "parameters within 5%, logs within 0.02 nats" in shown
    assert "`sd[w]`" in message_of(scorecard_within, two_truths(), **TWO_LIMITS)


@pytest.mark.parametrize(("quantity", "value"), [("alpha", 5.3), ("ELBO", -9.03)])
def test_parameters_and_logs_have_limits_of_their_own(quantity, value):
    frame = two_truths(**{quantity: value})
    shown = message_of(scorecard_within, frame, **TWO_LIMITS, truth="optimum")
    assert f"`{quantity}`" in shown
    scorecard_within(frame, mean=0.1, sd=0.1)  # a kind without a limit is not judged


def test_days_that_are_alike_by_chance_are_not_called_swapped():
    def two_kinds_of_days(readings):
        for t in range(len(readings)):
            warm = pyro.sample(f"warm_{t}", dist.Bernoulli(0.5))
            pyro.sample(f"sensor_{t}", dist.Normal(15 + 5 * warm, 1.0), obs=readings[t])

    calls = [call(torch.full((6,), 17.0))]
    check_days = exercise("Days")(lambda answer: same_model(answer, two_kinds_of_days, calls))
    check_days(lambda readings: two_kinds_of_days(readings))


def test_an_impossible_rate_is_explained():
    def count(n=None):
        rate = pyro.sample("rate", dist.Normal(-5.0, 1.0))
        pyro.sample("n", dist.Poisson(rate), obs=n)

    def reference(n=None):
        rate = pyro.sample("rate", dist.Normal(-5.0, 1.0))
        pyro.sample("n", dist.Poisson(rate.exp()), obs=n)

    calls = [call(torch.tensor(3.0))]
    check_count = exercise("Count")(lambda answer: same_model(answer, reference, calls))
    with pytest.raises(CheckFailed, match="exp or softplus"):
        check_count(count)
