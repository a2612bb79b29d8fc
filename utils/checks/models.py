"""Compare the reader's models and guides with a reference, by their traces and densities."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoGuide
from pyro.poutine import Trace
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from utils.checks.engine import Call, Twin, fail, reader_line, reject_unless_same

DRAWS = 3  # random latent values at which densities are compared


def same_model(
    answer: Callable,
    reference: Callable,
    calls: Sequence[Call],
    *,
    twins: Sequence[Twin] = (),
    batched: bool = True,
) -> None:
    """Accept a model that defines the same joint density as ``reference``.

    Compared at every call, and at several random latent values: site names, which sites are
    observed, supports, shapes, declared independence (plates), and the log-density of each site
    and of all together; last, that the model also takes a batch of draws at once, and that every
    parameter of its own that the reference has, too, reaches the distributions.

    Args:
        calls: arguments with which both are called; data of another size than the reader's
            tells whether the model uses its arguments.
        twins: wrong models, each with its message, that no general rule recognises.
        batched: whether the model has to take a batch of draws at once.
    """
    if not callable(answer):
        fail(f"a model is a function; yours is of type {type(answer).__name__}.")

    def compare(other: Callable) -> None:
        for c in calls:
            _compare_sites(
                _trace_of_answer(answer, other, c), _trace(other, c), c, _fixed(other, c)
            )
        for c in calls:
            for _ in range(DRAWS):
                _compare_densities(answer, other, c)
        # Vectorised inference needs batches of latent values, with data if there are any.
        with_data = [c for c in calls if _observed(_trace(other, c))]
        for c in (with_data or calls) if batched else ():
            _compare_batched(answer, other, c)
        for c in calls:
            _compare_gradients(answer, other, c)

    reject_unless_same(compare, reference, twins)
    _reject_own_seed(answer, calls[0])
    for c in calls:
        theirs, mine = (_parameter_sites(_trace(model, c)) for model in (reference, answer))
        if common := {name: value for name, value in mine.items() if name in theirs}:
            _check_gradients(answer, common, c)


def _reject_own_seed(answer: Callable, c: Call) -> None:
    """Whatever random state it is called in, an answer that sets the seed leaves the same one."""
    states = []
    for seed in (1, 2):
        pyro.set_rng_seed(seed)
        _trace(answer, c)
        states.append(torch.random.get_rng_state())
    if torch.equal(*states):
        fail(
            "your function sets the seed, so that every call makes the same draws.",
            "Inference needs new draws each time: set the seed once, outside.",
        )


def _parameter_sites(trace: Trace) -> dict[str, Tensor]:
    return {
        name: site["value"]
        for name, site in trace.nodes.items()
        if site["type"] == "param" and site["value"].unconstrained().requires_grad
    }


def _trace_of_answer(answer: Callable, reference: Callable, c: Call) -> Trace:
    """The answer's trace. If it has impossible values, say what leads to them, if we can."""
    try:
        return _trace(answer, c)
    except ValueError:
        fixed, theirs = _fixed(reference, c), _trace(reference, c)
        with pyro.validation_enabled(False):
            try:  # with possible values, as far as the names agree
                mine = _trace(poutine.replay(answer, trace=theirs), c)
            except (RuntimeError, ValueError):
                mine = _trace(answer, c)
            _compare_sites(mine, theirs, c, fixed)
        raise


def _fixed(model: Callable, c: Call) -> set[str]:
    """The sites whose distribution does not depend on other random values: alike in many traces."""
    first, *others = (_sites(_trace(model, c)) for _ in range(12))
    return {name for name in first if all(_same_distribution(first[name], o[name]) for o in others)}


def _trace(model: Callable, c: Call) -> Trace:
    return poutine.trace(model).get_trace(*c.args, **c.kwargs)


def _observed(trace: Trace) -> set[str]:
    return {name for name, site in _sites(trace).items() if site["is_observed"]}


def _plate_depth(model: Callable, c: Call) -> int:
    sites = _sites(_trace(model, c)).values()
    frames = [frame for site in sites for frame in site["cond_indep_stack"] if frame.vectorized]
    return max((-frame.dim for frame in frames), default=0)


def _sites(trace: Trace) -> dict[str, dict]:
    return {
        name: site
        for name, site in trace.nodes.items()
        if site["type"] == "sample"
        and not site_is_subsample(site)
        and not site["infer"].get("is_auxiliary")
        and not site["infer"].get("_deterministic")
    }


def _nearest(name: str, candidates: list[str]) -> str | None:
    def likeness(candidate: str) -> float:
        return difflib.SequenceMatcher(None, name.lower(), candidate.lower()).ratio()

    best = max(candidates, key=likeness, default=None)
    return best if best is not None and likeness(best) >= 0.5 else None


def _compare_names(mine: dict[str, dict], theirs: dict[str, dict], trace: Trace, what: str) -> None:
    missing = [name for name in theirs if name not in mine]
    extra = [name for name in mine if name not in theirs]
    for name in missing:
        base, _, number = name.rpartition("_")
        if number.isdigit() and f"{base}_{int(number) - 1}" in mine:
            fail(
                f"the {what} has a site `{base}_{int(number) - 1}`, but no `{name}`.",
                "Does its loop end too early? A `return` inside the loop would do that.",
            )
        if near := _nearest(name, extra):
            fail(
                f"the {what} has no site named `{name}`; the nearest is `{near}`.",
                "The name in quotes is the first argument of pyro.sample.",
            )
        if name in trace.nodes and trace.nodes[name]["type"] == "param":
            fail(
                f"`{name}` is a pyro.param, a number to be optimised.",
                "A random quantity with a prior is a pyro.sample.",
            )
        fail(
            f"the {what} has no site named `{name}`"
            + (f"; it has {', '.join(f'`{site}`' for site in list(mine)[:4])}." if mine else "."),
            f'Every random quantity needs its own pyro.sample("{name}", ...).',
        )
    if extra:
        fail(f"the {what} has a site `{extra[0]}` that is not in the formulas.")


def _compare_sites(mine_trace: Trace, theirs_trace: Trace, c: Call, fixed: set[str]) -> None:
    mine, theirs = _sites(mine_trace), _sites(theirs_trace)
    _compare_names(mine, theirs, mine_trace, "model")
    for name, other in theirs.items():
        site = mine[name]
        if other["is_observed"] and not site["is_observed"]:
            fail(
                f"`{name}` ignores the data: it is drawn anew although data are given.",
                "Pass them on with `obs=` in its pyro.sample.",
            )
        if site["is_observed"] and not other["is_observed"]:
            given = f" in a call {c}, where no data are given" if c.args or c.kwargs else ""
            fail(
                f"`{name}` is observed{given}.",
                "obs= takes the model's argument (None when there are no data), and only data "
                "are observed.",
            )
    for name, other in theirs.items():
        _compare_shapes(name, mine[name], other)
    _compare_data(mine, theirs)
    for name, other in theirs.items():
        _reject_swapped(name, mine, theirs, fixed)
        _compare_supports(name, mine[name], other)


def _compare_data(mine: dict[str, dict], theirs: dict[str, dict]) -> None:
    """Fail if a site is observed, but with other data than its own."""
    observed = {name: site["value"] for name, site in theirs.items() if site["is_observed"]}
    for name, value in observed.items():
        if _alike(mine[name]["value"], value):
            continue
        for other, data in observed.items():
            if data.shape == value.shape and _alike(mine[name]["value"], data):
                fail(f"`{name}` is observed with the data of `{other}`.", "Look at its `obs=`.")
        fail(f"`{name}` is observed, but not with the data given.", "Look at its `obs=`.")


def _plates(site: dict) -> list[str]:
    return [frame.name for frame in site["cond_indep_stack"] if frame.vectorized]


def _compare_shapes(name: str, site: dict, other: dict) -> None:
    shape, want = tuple(site["value"].shape), tuple(other["value"].shape)
    if _plates(site) and not _plates(other) and other["fn"].event_dim > site["fn"].event_dim:
        fail(
            f"`{name}` is in a plate of its own, `{_plates(site)[0]}`; it should be one vector.",
            "`.expand([n]).to_event(1)` makes one vector of n numbers.",
        )
    if site["is_observed"] and shape != want:
        fail(
            f"`{name}` is observed with values of shape {shape}; the data have shape {want}.",
            "What do you give to `obs=`?",
        )
    declared = {frame.dim for frame in site["cond_indep_stack"] if frame.vectorized}
    batch = site["fn"].batch_shape
    undeclared = [
        d for d in range(-len(batch), 0) if batch[d] != 1 and d not in declared and shape == want
    ]
    if undeclared:
        if other["fn"].event_dim > site["fn"].event_dim:
            fail(
                f"`{name}` is a batch of {batch[undeclared[-1]]} separate numbers; it should be "
                "one vector.",
                "`.to_event(1)` turns the last batch dimension into an event dimension.",
            )
        fail(
            f"`{name}` has {batch[undeclared[-1]]} entries, but no plate says that they are "
            "independent.",
            "Put its pyro.sample inside `with pyro.plate(name, size):`, as large as the data.",
        )
    if shape == want:
        return
    if _plates(site) and not _plates(other):
        fail(
            f"`{name}` is inside the plate `{_plates(site)[0]}`, so every data point gets its own.",
            "One value that all data points share is sampled before the `with`.",
        )
    if not want:
        fail(f"`{name}` should be a single number; yours has shape {shape}.")
    if not shape and _plates(other):
        fail(
            f"`{name}` is a single number; there should be one for each data point.",
            "Put its pyro.sample inside `with pyro.plate(name, size):`, as large as the data.",
        )
    fail(
        f"`{name}` has shape {shape}; with these data it should be {want}.",
        "Plate, distribution and data need the same size: take it from the model's arguments."
        if _plates(other)
        else "`.expand([n])` makes n copies of a distribution.",
    )


def _compare_supports(name: str, site: dict, other: dict) -> None:
    mine, theirs = site["fn"], other["fn"]
    if mine.support.is_discrete != theirs.support.is_discrete:
        kinds = ("a continuous", "a discrete")
        fail(
            f"`{name}` should have {kinds[theirs.support.is_discrete]} distribution; "
            f"{_family(mine)} is not."
        )
    if not mine.support.check(other["value"]).all():
        fail(f"{_family(mine)} is not the distribution of `{name}`: it excludes possible values.")
    if _range(mine) != _range(theirs):
        low, high = _range(theirs)
        where = f"between {low:g} and {high:g}"
        if math.isinf(high):
            where = "any real number"
            if low == 0:
                where = "0, 1, 2, ..." if theirs.support.is_discrete else "any positive number"
        fail(f"`{name}` should be {where}; your {_family(mine)} is something else.")


def _range(fn: dist.Distribution) -> tuple[float, float]:
    support = _base(fn).support
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if support is constraints.boolean:
        return 0.0, 1.0
    return (
        float(torch.as_tensor(getattr(support, "lower_bound", -math.inf)).min()),
        float(torch.as_tensor(getattr(support, "upper_bound", math.inf)).max()),
    )


def _base(fn: Any) -> Any:
    transformed = torch.distributions.TransformedDistribution
    while not isinstance(fn, transformed) and hasattr(fn, "base_dist"):
        fn = fn.base_dist
    return fn


def _family(fn: Any) -> str:
    return type(_base(fn)).__name__


def _compare_densities(answer: Callable, reference: Callable, c: Call) -> None:
    theirs_trace = _trace(reference, c)
    mine_trace = _trace(poutine.replay(answer, trace=theirs_trace), c)
    for trace in (theirs_trace, mine_trace):
        trace.compute_log_prob()
    mine, theirs = _sites(mine_trace), _sites(theirs_trace)
    for name, other in theirs.items():
        a, b = mine[name]["log_prob_sum"].item(), other["log_prob_sum"].item()
        if not _equal(a, b):
            fail(*_diagnose(name, mine, theirs))
    a, b = mine_trace.log_prob_sum().item(), theirs_trace.log_prob_sum().item()
    if not _equal(a, b):
        fail(
            f"every site is right, but the joint log-density is {a:.3f} where it should be {b:.3f}."
        )


def _compare_gradients(answer: Callable, reference: Callable, c: Call) -> None:
    """Inference follows the gradient of the log joint: no value may be cut off from it."""
    latent = {
        name: site["value"].detach().requires_grad_()
        for name, site in _sites(_trace(reference, c)).items()
        if not site["is_observed"] and site["value"].is_floating_point()
    }
    if not latent:
        return

    def gradients(model: Callable) -> tuple[Tensor | None, ...]:
        total = _trace(poutine.condition(model, data=latent), c).log_prob_sum()
        if not total.requires_grad:
            return (None,) * len(latent)
        return torch.autograd.grad(total, list(latent.values()), allow_unused=True)

    for name, mine, theirs in zip(latent, gradients(answer), gradients(reference), strict=True):
        if theirs is None or (mine is not None and torch.allclose(mine, theirs, 1e-2, 1e-3, True)):
            continue
        fail(
            f"the log-density is right, but not its gradient in `{name}`, which inference follows.",
            "torch.tensor(...), .detach(), .item() and float() cut a value off: use it as it is.",
        )


def _equal(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= 1e-3 * (1 + abs(b))


def _parameters(fn: Any) -> dict[str, Tensor]:
    """The parameters as given: a Bernoulli has logits *and* probs, so both can be compared."""
    base = _base(fn)
    names = list(base.arg_constraints)
    return {n: v for n in names if isinstance(v := getattr(base, n, None), Tensor)}


def _alike(a: Tensor, b: Tensor) -> bool:
    try:
        a, b = torch.broadcast_tensors(a, b)
    except RuntimeError:
        return False
    return torch.allclose(a, b.to(a), rtol=1e-3, atol=1e-5)


def _diagnose(name: str, mine: dict[str, dict], theirs: dict[str, dict]) -> list[str]:
    """Why does the log-density of a site differ? Name the typical mistake, if it is one."""
    fn, other = mine[name]["fn"], theirs[name]["fn"]
    family, want = _family(fn), _family(other)
    p, q = _parameters(fn), _parameters(other)
    _reject_swapped(name, mine, theirs, set(theirs))
    if {family, want} == {"Normal", "MultivariateNormal"} and _alike(fn.mean, other.mean):
        return [f"`{name}`: the variances of your {family} are not the formula's."]
    if family != want:
        return [f"`{name}` has the family {family}, and its formula says something else."]

    differing = [key for key in q if not _alike(p[key], q[key])]
    for key in differing:
        if q[key].unique().numel() > 1 and p[key].unique().numel() == 1:
            return [
                f"`{name}`: its {_spoken(key, family)} is the same for all data points.",
                "Does it use the data, and is every sum over the right dimension?",
            ]
    if "scale" in differing:
        if _alike(p["scale"], q["scale"] ** 2):
            return [
                f"`{name}`: {family} takes the standard deviation, and you gave the variance.",
                "A normal written N(μ, σ²) is Normal(μ, σ) in Pyro.",
            ]
        if _alike(p["scale"] ** 2, q["scale"]):
            return [f"`{name}`: one square root too many in the standard deviation."]
        if _alike(p["scale"], 1 / q["scale"]) or _alike(p["scale"], 1 / q["scale"] ** 2):
            return [
                f"`{name}`: its scale is one over what it should be. Is it a precision?",
                f"{family} takes a standard deviation.",
            ]
    if {"concentration", "rate"} <= set(differing) and (
        _alike(p["concentration"], q["rate"]) and _alike(p["rate"], q["concentration"])
    ):
        return [f"`{name}`: the two arguments of {family} are the wrong way round."]
    if differing == ["rate"] and _alike(p["rate"], 1 / q["rate"]):
        return [f"`{name}`: {family} takes a rate β, and you gave a scale 1/β."]
    if "logits" in differing:
        if _alike(p["logits"], -q["logits"]):
            return [f"`{name}`: the sign is reversed, so that 0 and 1 have changed places."]
        if _alike(p["logits"], q["probs"]):
            return [
                f"`{name}`: logits= takes the linear predictor itself.",
                "The sigmoid is applied inside; use it only with probs=.",
            ]
    if not differing and fn.event_dim > other.event_dim:
        return [
            f"`{name}`: .to_event({fn.event_dim}) makes one event of the data points, too.",
            "The plate is there for these: count the dimensions of one data point only.",
        ]
    shown = [key for key in differing if key not in ("probs",)] or differing
    if shown:
        return [
            f"`{name}`: the {' and the '.join(_spoken(k, family) for k in shown)} of its {family} "
            f"{'is' if len(shown) == 1 else 'are'} not the formula's.",
        ]
    return [f"the log-density of `{name}` is not the formula's."]


def _spoken(parameter: str, family: str) -> str:
    names = {"logits": "linear predictor (logits)"}
    if family in ("Normal", "MultivariateNormal"):
        names |= {"loc": "mean (loc)", "scale": "standard deviation (scale)"}
    return names.get(parameter, parameter)


def _reject_swapped(
    name: str, mine: dict[str, dict], theirs: dict[str, dict], comparable: set[str]
) -> None:
    """Fail if a site has the distribution of another one, which does not have it itself.

    Unless both traces hold the same values, only those sites are ``comparable`` whose distribution
    depends on none: others could be alike by chance.
    """
    if _same_distribution(mine[name], theirs[name]):
        return
    for other in theirs:
        if (
            other != name
            and other in comparable
            and _same_distribution(mine[name], theirs[other])
            and not _same_distribution(mine[other], theirs[other])
        ):
            fail(
                f"`{name}` has the distribution that belongs to `{other}`.",
                "Look at the formulas of both: have two distributions changed places?",
            )


def _same_distribution(a: dict, b: dict) -> bool:
    if _family(a["fn"]) != _family(b["fn"]):
        return False
    p, q = _parameters(a["fn"]), _parameters(b["fn"])
    return all(p[k].shape == q[k].shape and _alike(p[k], q[k]) for k in q)


def _compare_batched(answer: Callable, reference: Callable, c: Call) -> None:
    """Both models inside an outer plate of draws: what vectorised inference will do."""
    depth = _plate_depth(reference, c)

    def batched(model: Callable) -> Callable:
        def run(*args, **kwargs):
            with pyro.plate("_draws", 3, dim=-1 - depth):
                return model(*args, **kwargs)

        return run

    lines: list[str] = []
    try:
        theirs = _trace(batched(reference), c)
        mine = _trace(poutine.replay(batched(answer), trace=theirs), c)
        totals = [t.log_prob_sum().item() for t in (mine, theirs)]
        if _equal(*totals):
            return
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        lines = reader_line(error)
    one_draw, reference_draw = _sites(_trace(answer, c)), _sites(_trace(reference, c))
    for name, other in reference_draw.items():
        if one_draw[name]["fn"].event_dim > other["fn"].event_dim and _plates(other):
            fail(
                f"`{name}` is declared as one vector, with to_event.",
                "Its entries are independent data points: declare them with pyro.plate instead.",
            )
    fail(
        "right for one draw of the unobserved variables, but not for many draws at once.",
        _batching_hint(" ".join(lines)),
        *lines,
    )


def _batching_hint(line: str) -> str:
    if ".item(" in line or "float(" in line:
        return "`.item()` and `float()` take one number out; use the whole tensor."
    if "math." in line or "np." in line:
        return "Functions of math and numpy take no batch: use torch's, or methods like x.sqrt()."
    if "@" in line:
        return "`@` takes no batch of weights: (w * x).sum(-1) works in both cases."
    if re.search(r"\w\[\d", line):
        return "`w[0]` is the first *draw* in a batch: w[..., 0] is the first weight in both cases."
    return "A batch puts dimensions on the left: count dimensions from the right (-1, ...)."


def same_guide(
    answer: Callable,
    model: Callable,
    calls: Sequence[Call],
    *,
    best_elbo: float | None = None,
    elbo_tolerance: float = 0.1,
) -> None:
    """Accept a guide for ``model``: the same latent sites, right supports, optimised parameters.

    Args:
        answer: a function, or an ``AutoGuide``.
        model: the model whose latent sites the guide must propose.
        calls: arguments of both.
        best_elbo: if given, the guide has been fitted, and its ELBO (nats, from 5,000 draws)
            must reach this known optimum.
        elbo_tolerance: how far below it may be, beyond four Monte-Carlo standard errors.
    """
    if not callable(answer):
        fail(f"a guide is a function; yours is of type {type(answer).__name__}.")
    unfitted = isinstance(answer, AutoGuide) and answer.prototype_trace is None
    if best_elbo is not None and unfitted:
        fail("the guide has not been fitted yet.", "Give it to inference.fit, before the check.")
    for c in calls:
        theirs_trace = _trace(model, c)
        mine_trace = _trace(answer, c)
        mine = _sites(mine_trace)
        observed = _observed(theirs_trace)
        latent = {
            name: site
            for name, site in _sites(theirs_trace).items()
            if name not in observed and not site["infer"].get("enumerate")
        }
        if leak := [name for name in mine if name in observed]:
            fail(
                f"the guide samples `{leak[0]}`, which is observed.",
                "A guide has exactly the *latent* sites of the model.",
            )
        _compare_names(mine, latent, mine_trace, "guide")
        for name, other in latent.items():
            _compare_guide_site(name, mine[name], other)
        if not any(_has_spread(site) for site in mine_trace.nodes.values()):
            fail(
                "the guide is a single point: every site is a Delta distribution.",
                "A posterior has a spread; choose a guide that has one.",
            )
        _check_parameters(answer, mine_trace, c)
        if best_elbo is not None:
            _check_elbo(answer, model, c, best_elbo, elbo_tolerance)
    if not isinstance(answer, AutoGuide):
        _reject_own_seed(answer, calls[0])


def _compare_guide_site(name: str, site: dict, other: dict) -> None:
    if site["is_observed"]:
        fail(f"`{name}` has obs= in the guide.", "A guide proposes values; it observes nothing.")
    shape, want = tuple(site["value"].shape), tuple(other["value"].shape)
    if shape != want:
        fail(f"`{name}` has shape {shape} in the guide and {want} in the model.")
    if isinstance(_base(site["fn"]), dist.Delta):
        inside = bool(other["fn"].support.check(site["value"]).all())
    else:
        inside = _range(site["fn"]) == _range(other["fn"])
    if not inside:
        fail(
            f"`{name}`: the guide proposes values that the model does not allow.",
            f"{_family(site['fn'])} and the model's {_family(other['fn'])} need the same support.",
        )


def _has_spread(site: dict) -> bool:
    """An AutoGuide draws one auxiliary vector, and its sites are functions of that."""
    return site["type"] == "sample" and not (
        site_is_subsample(site) or isinstance(_base(site["fn"]), dist.Delta)
    )


def _check_parameters(guide: Callable, trace: Trace, c: Call) -> None:
    params = _parameter_sites(trace)
    if not params:
        fail(
            "the guide has no parameters, so there is nothing to optimise.",
            "What the fit should learn is a pyro.param(name, initial value).",
        )
    if isinstance(guide, AutoGuide):
        return  # its constraints are the library's
    _check_gradients(guide, params, c)
    for name, value in params.items():
        constraint = pyro.get_param_store()._constraints[name]
        if not isinstance(constraint, type(constraints.real)):  # real has no equality
            continue
        negative = -1 - value.detach().abs()
        try:
            _trace(poutine.substitute(guide, data={name: negative}), c)
        except ValueError:
            fail(
                f"nothing keeps `{name}` positive while it is optimised.",
                "Give its pyro.param constraint=constraints.positive.",
            )


def _check_gradients(guide: Callable, params: dict[str, Tensor], c: Call) -> None:
    """Every parameter must reach the distributions, or the optimiser cannot move it."""
    leaves = {name: value.unconstrained() for name, value in params.items()}
    trace = _trace(guide, c)
    total = trace.log_prob_sum() + sum(
        site["value"].sum() for site in _sites(trace).values() if site["value"].requires_grad
    )
    gradients = [None] * len(leaves)
    if torch.as_tensor(total).requires_grad:
        gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    for name, gradient in zip(leaves, gradients, strict=True):
        if gradient is None:
            fail(
                f"the parameter `{name}` does not reach the distributions, so no fit can move it.",
                "Give them what pyro.param returns, without .item(), float() or .detach().",
            )


def _check_elbo(guide: Callable, model: Callable, c: Call, best: float, tolerance: float) -> None:
    loss = Trace_ELBO(
        num_particles=500, vectorize_particles=True, max_plate_nesting=_plate_depth(model, c)
    )
    with torch.no_grad():
        elbos = -torch.tensor([loss.loss(model, guide, *c.args, **c.kwargs) for _ in range(10)])
    elbo, error = elbos.mean().item(), elbos.std().item() / math.sqrt(len(elbos))
    if not elbo >= best - tolerance - 4 * error:
        fail(
            f"the guide is right, but its ELBO is {elbo:.2f}, and {best:.2f} can be reached.",
            "Has the loss become flat? More steps, or a learning rate that starts larger and "
            "decays.",
        )
