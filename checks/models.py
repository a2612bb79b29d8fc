"""Compare the reader's models and guides with the solution, by their traces and densities."""

from __future__ import annotations

import difflib
import functools
import math
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
import pyro
import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from checks.crashes import OF_BATCHES, reader_line
from checks.engine import Call, CheckFailed, Exercise, fail, ran
from checks.parameters import bounds, compare_parameters

_equal = functools.partial(np.isclose, rtol=1e-3, atol=1e-3)
Fixed = Callable[[], set[str]]  # the sites whose distribution depends on no other value
DRAWS = 3  # random latent values at which densities are compared


def same_model(
    answer: Callable,
    calls: Sequence[Call],
    *,
    batched: bool = True,
    of: Callable[[Any], Callable] = lambda answer: answer,
    name: str | None = None,
) -> None:
    """Accept a model or guide that defines the same joint density as the solution.

    Compared are its parameters, see :func:`checks.parameters.compare_parameters`; then, at every
    call and at several random latent values, site names, which sites are observed, supports,
    shapes, declared independence (plates), and the log-density of each site and of all together;
    last, that it also takes a batch of draws at once, that every parameter reaches the
    distributions, and that the draws that the solution returns are returned.

    Args:
        calls: arguments with which both are called; data of another size than the reader's
            tells whether the model uses its arguments.
        batched: whether the model has to take a batch of draws at once.
        of: makes the model from what the cell defines, if that is not a model itself.
        name: what the cell defines, if it defines several things.
    """
    exercise = Exercise.running
    defined = name or exercise.reference.answers[0]
    if not callable(answer):
        fail(f"models and guides are functions; yours is of type {type(answer).__name__}.")
    answer, reference = of(answer), of(exercise.reference.run()[defined])
    with torch.random.fork_rng(devices=[]):
        compare_parameters(answer, reference, calls[0])
    try:
        _compare_models(answer, reference, calls, batched)
    except Exception as problem:
        if Exercise.explains:
            wrong_models = (
                (sentence, of(namespace[defined]), of_table)
                for sentence, run, of_table in exercise.variants()
                if (namespace := ran(run)) is not None
            )
            with warnings.catch_warnings(action="ignore"):
                _explain(answer, reference, calls, problem, wrong_models)
        raise
    _reject_own_seed(answer, calls[0])
    for c in calls:
        mine, theirs = _trace(answer, c), _trace(reference, c)
        _compare_returned(mine, theirs, c)
        _check_parameters(mine, theirs)


def _compare_models(
    answer: Callable, reference: Callable, calls: Sequence[Call], batched: bool
) -> None:
    for c in calls:
        theirs = _trace(reference, c)
        fixed = functools.cache(functools.partial(_fixed, reference, c))
        _compare_sites(_trace_of_answer(answer, theirs, c, fixed), theirs, c, fixed)
    for c in calls:
        for _ in range(DRAWS):
            _compare_densities(answer, reference, c)
    # Vectorised inference needs batches of latent values, with data if there are any.
    with_data = [c for c in calls if _observed(_sites(_trace(reference, c)))]
    for c in (with_data or calls) if batched else ():
        _compare_batched(answer, reference, c)
    for c in calls:
        _compare_gradients(answer, reference, c)


# ------------------------------------------------------------------------- which mistake is it?


def _explain(
    answer: Callable,
    reference: Callable,
    calls: Sequence[Call],
    problem: Exception,
    wrong_models: Iterable[tuple[str, Callable, bool]],
) -> None:
    """Fail with the sentence of the first known mistake that behaves like the answer, if any does.

    Mistakes of the exercise's own table explain whatever they can; generic ones only what is not
    explained yet.
    """
    vague = isinstance(problem, CheckFailed) and problem.vague
    known = not vague and "invalid values" not in str(problem)  # which are told by their values
    points = [(c, _trace(reference, c)) for c in calls]
    right, mine = _behaviour(reference, points), _behaviour(answer, points)
    errors = [key for key in mine if key[1] == "error"]
    differing = [k for k in [*errors, *right, *mine] if not _alike_at(k, mine, right)]
    if not differing:  # not a matter of densities
        return
    first, site = differing[0]
    partly: list[str] = []
    for sentence, wrong_model, of_table in wrong_models:
        if known and not of_table:
            break
        theirs = _behaviour(wrong_model, points[first : first + 1], first)
        stops = (first, "error") in theirs and site != "error"  # which lacks sites for that reason
        if stops or not _alike_at((first, site), mine, theirs):
            continue
        lines = sentence if of_table or site == "error" else f"`{site}`: {sentence}"
        theirs = _behaviour(wrong_model, points)
        if all(_alike_at(k, mine, theirs) for k in {**mine, **theirs}):
            fail(lines)
        density = mine[first, site][-1] if (first, site) in mine else None
        if isinstance(density, Tensor) and density.isfinite().all():  # else all are alike
            partly.append(lines)
    if partly and not known and site != "error":
        fail(partly[0])


def _behaviour(
    model: Callable, points: Sequence[tuple[Call, Trace]], first: int = 0
) -> dict[tuple, Any]:
    """What a model does at the values of given traces: (call, site) -> its density and shape."""
    found: dict[tuple, Any] = {}
    for k, (c, values) in enumerate(points, first):
        try:
            trace = _trace(poutine.replay(model, trace=values), c)
            for name, site in _sites(trace).items():
                fn = site["fn"]
                density = fn.log_prob(site["value"]).detach() if name in values else None
                facts = site["is_observed"], fn.event_shape, len(_plates(site))
                found[k, name] = (*facts, float(site["scale"]), density)
        except Exception as error:  # a wrong model may do anything
            found[k, "error"] = (type(error).__name__, " ".join(str(error).split())[:400])
    return found


def _alike_at(key: tuple, one: dict[tuple, Any], other: dict[tuple, Any]) -> bool:
    if key not in one or key not in other:
        return key not in one and key not in other
    (*facts, a), (*other_facts, b) = one[key], other[key]
    if facts != other_facts:
        return False
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return a is b or a == b
    return a.shape == b.shape and torch.allclose(a, b.to(a), rtol=1e-3, atol=1e-4)


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


def _compare_returned(mine: Trace, theirs: Trace, c: Call) -> None:
    """Fail unless the draws that the solution returns are returned, in the same places."""
    returned, right = (trace.nodes["_RETURN"]["value"] for trace in (mine, theirs))
    draws = {id(site["value"]): name for name, site in _sites(theirs).items()}
    names = [draws[id(leaf)] for leaf in tree_leaves(right) if id(leaf) in draws]
    wanted = tree_map(lambda leaf: mine.nodes[draws[id(leaf)]]["value"], right) if names else right
    if not names or tree_map(id, returned) == tree_map(id, wanted):
        return
    many = len(names) > 3
    fail(
        f"right, but {'' if c.args or c.kwargs else 'without data '}it "
        f"{'returns None, and not' if returned is None else 'does not return'} "
        f"{', '.join(f'`{name}`' for name in names[:3])}{', ... in this order' if many else ''}.",
        "Does each name in its last line hold what pyro.sample returned?"
        + (" Append it to its list once for each day." if many else ""),
    )


def _trace_of_answer(answer: Callable, theirs: Trace, c: Call, fixed: Fixed) -> Trace:
    """The answer's trace. If it has impossible values, say what leads to them, if we can."""
    try:
        return _trace(answer, c)
    except ValueError as error:
        _reject_entries_as_data_points(error, theirs)
        with pyro.validation_enabled(False):
            try:  # with possible values, as far as the names agree
                mine = _trace(poutine.replay(answer, trace=theirs), c)
            except (RuntimeError, ValueError):
                mine = _trace(answer, c)
            _compare_sites(mine, theirs, c, fixed)
        raise


def _reject_entries_as_data_points(error: ValueError, theirs: Trace) -> None:
    """Say so if a site does not fit into its plate because it should be one vector."""
    mismatch = re.search(r"inside plate.* site (\S+) dim -1, (\d+) vs (\d+)", str(error))
    if mismatch and mismatch[1] in theirs.nodes:
        site, plate, entries = mismatch.groups()
        if theirs.nodes[site]["fn"].event_shape[-1:] == (int(entries),):
            fail(
                f"`{site}`: its {entries} entries count as independent data points, and the plate "
                f"has {plate}.",
                "They are one vector: `.to_event(1)`.",
            )


def _fixed(model: Callable, c: Call) -> set[str]:
    """The sites whose distribution does not depend on other random values: alike in many traces."""
    first, *others = (_sites(_trace(model, c)) for _ in range(12))
    return {name for name in first if all(_same_distribution(first[name], o[name]) for o in others)}


def _trace(model: Callable, c: Call) -> Trace:
    return poutine.trace(model).get_trace(*c.args, **c.kwargs)


def _observed(sites: dict[str, dict]) -> dict[str, Tensor]:
    return {name: site["value"] for name, site in sites.items() if site["is_observed"]}


def _sites(trace: Trace) -> dict[str, dict]:
    return {
        name: site
        for name, site in trace.nodes.items()
        if site["type"] == "sample"
        and not site_is_subsample(site)
        and not site["infer"].get("is_auxiliary")
        and not site["infer"].get("_deterministic")
    }


def _compare_names(mine: dict[str, dict], theirs: dict[str, dict], trace: Trace) -> None:
    missing = [name for name in theirs if name not in mine]
    extra = [name for name in mine if name not in theirs]
    spelt = {name.lower(): name for name in extra}
    for name in missing:
        base, _, number = name.rpartition("_")
        if f"{name}_0" in mine or f"{name}_1" in mine:
            fail(
                f"there are separate sites such as `{name}_1`: that is a loop over the data.",
                "`with pyro.plate(name, size):` makes one site of them; leave out the indices.",
            )
        if number.isdigit() and f"{base}_0" in extra:
            fail(
                f"there is a site `{base}_0`, but no `{name}`.",
                "The numbers begin with 1, and range counts from 0.",
            )
        if number.isdigit() and f"{base}_{int(number) - 1}" in mine:
            fail(
                f"there is a site `{base}_{int(number) - 1}`, but no `{name}`.",
                "Does its loop end too early? A `return` inside the loop would do that.",
            )
        if near := difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.5):
            fail(
                f"there is no site named `{name}`; the nearest is `{spelt[near[0]]}`.",
                "The name in quotes is the first argument of pyro.sample.",
            )
        if name in trace.nodes and trace.nodes[name]["type"] == "param":
            fail(
                f"`{name}` is a pyro.param, a number to be optimised.",
                "A random quantity with a prior is a pyro.sample.",
            )
        fail(
            f"there is no site named `{name}`"
            + (f"; it has {', '.join(f'`{site}`' for site in list(mine)[:4])}." if mine else "."),
            f'Every random quantity needs its own pyro.sample("{name}", ...).',
        )
    if extra:
        fail(f"there is a site `{extra[0]}` that is not in the formulas.")


def _compare_sites(mine_trace: Trace, theirs_trace: Trace, c: Call, fixed: Fixed) -> None:
    mine, theirs = _sites(mine_trace), _sites(theirs_trace)
    _compare_names(mine, theirs, mine_trace)
    for name, other in theirs.items():
        site = mine[name]
        if other["is_observed"] and not site["is_observed"]:
            fail(
                f"`{name}` ignores the data: it is drawn anew although data are given.",
                "Pass them on with `obs=` in its pyro.sample.",
            )
        if isinstance(site["value"], float | int):
            fail(f"`{name}` is observed with a plain number.", "obs= takes the model's argument.")
        if site["is_observed"] and not other["is_observed"]:
            if data := list(_observed(theirs)):
                fail(f"`{name}` is observed; the data are those of `{data[0]}`.", "Which has obs=?")
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
    observed = _observed(theirs)
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
                f"one {'vector' if other['fn'].event_dim == 1 else 'matrix'}.",
                f"`.to_event({other['fn'].event_dim})` turns the last batch dimensions into event "
                "dimensions.",
            )
        fail(
            f"`{name}` has {batch[undeclared[-1]]} entries, but no plate says that they are "
            "independent.",
            "Put its pyro.sample inside `with pyro.plate(name, size):`, as large as the data.",
        )
    if _plates(site) and _plates(other) and site["fn"].event_dim > other["fn"].event_dim:
        fail(
            f"`{name}`: .to_event({site['fn'].event_dim}) makes one event of the data points, too.",
            "The plate is there for these: count the dimensions of one data point only.",
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
    if _plates(other) and not _plates(site) and shape == want[len(_plates(other)) :]:
        fail(
            f"`{name}` is one for all data points; there should be one for each.",
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
            f"{family_of(mine)} is not."
        )
    if not mine.support.check(other["value"]).all():
        fail(f"{family_of(mine)} is not the distribution of `{name}`: it excludes possible values.")
    low, high = bounds(theirs.support)
    if bounds(mine.support) != (low, high):
        where = f"between {low:g} and {high:g}"
        if math.isinf(high):
            where = "any real number"
            if low == 0:
                where = "0, 1, 2, ..." if theirs.support.is_discrete else "any positive number"
        fail(f"`{name}` should be {where}; your {family_of(mine)} is something else.")


def _base(fn: Any) -> Any:
    transformed = torch.distributions.TransformedDistribution
    while not isinstance(fn, transformed) and hasattr(fn, "base_dist"):
        fn = fn.base_dist
    return fn


def family_of(fn: Any) -> str:
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
            _diagnose(name, mine, theirs)
    a, b = mine_trace.log_prob_sum().item(), theirs_trace.log_prob_sum().item()
    if not _equal(a, b):
        fail(
            f"every site is right, but the joint log-density is {a:.3f}; it should be {b:.3f}.",
            vague=True,
        )


def _compare_gradients(answer: Callable, reference: Callable, c: Call) -> None:
    """Inference follows the gradient of the log joint: no value may be cut off from it.

    Values are those of the latent sites, and the weights of networks among the arguments.
    """
    latent = {
        name: site["value"].detach().requires_grad_()
        for name, site in _sites(_trace(reference, c)).items()
        if not site["is_observed"] and site["value"].is_floating_point()
    }
    networks = [argument for argument in c.args if isinstance(argument, torch.nn.Module)]
    values = latent | {n: w for network in networks for n, w in network.named_parameters()}

    def gradients(model: Callable) -> tuple[Tensor | None, ...]:
        total = _trace(poutine.condition(model, data=latent), c).log_prob_sum()
        if not values or not total.requires_grad:
            return (None,) * len(values)
        return torch.autograd.grad(total, list(values.values()), allow_unused=True)

    for name, mine, theirs in zip(values, gradients(answer), gradients(reference), strict=True):
        if theirs is None or (mine is not None and torch.allclose(mine, theirs, 1e-2, 1e-3, True)):
            continue
        fail(
            f"the log-density is right, but not its gradient in `{name}`, which inference follows.",
            "torch.tensor(...), .detach(), .item(), float() and torch.no_grad() cut a value off.",
        )


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


def _diagnose(name: str, mine: dict[str, dict], theirs: dict[str, dict]) -> NoReturn:
    """Fail with what differs about the distribution of a site."""
    fn, other = mine[name]["fn"], theirs[name]["fn"]
    family, want = family_of(fn), family_of(other)
    p, q = _parameters(fn), _parameters(other)
    _reject_swapped(name, mine, theirs, lambda: set(theirs))
    if {family, want} == {"Normal", "MultivariateNormal"} and _alike(fn.mean, other.mean):
        fail(f"`{name}`: the variances of your {family} are not the formula's.")
    if family != want:
        fail(f"`{name}` has the family {family}, and its formula says something else.")
    differing = [key for key in q if not _alike(p[key], q[key])]
    for key in differing:
        if q[key].unique().numel() > 1 and p[key].unique().numel() == 1:
            fail(
                f"`{name}`: its {_spoken(key, family)} is the same for all data points.",
                "Does it use the data, and is every sum over the right dimension?",
                vague=True,
            )
    shown = [_spoken(key, family) for key in differing if key != "probs" or len(differing) == 1]
    fail(
        f"`{name}`: the {' and the '.join(shown)} of its {family} "
        f"{'is' if len(shown) == 1 else 'are'} not the formula's."
        if shown
        else f"the log-density of `{name}` is not the formula's.",
        vague=True,
    )


def _spoken(parameter: str, family: str) -> str:
    names = {"logits": "linear predictor (logits)"}
    if family in ("Normal", "MultivariateNormal"):
        names |= {"loc": "mean (loc)", "scale": "standard deviation (scale)"}
    return names.get(parameter, parameter)


def _reject_swapped(
    name: str, mine: dict[str, dict], theirs: dict[str, dict], comparable: Fixed
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
            and _same_distribution(mine[name], theirs[other])
            and not _same_distribution(mine[other], theirs[other])
            and other in comparable()
        ):
            fail(
                f"`{name}` has the distribution that belongs to `{other}`.",
                "Look at the formulas of both: have two distributions changed places?",
            )


def _same_distribution(a: dict, b: dict) -> bool:
    if family_of(a["fn"]) != family_of(b["fn"]):
        return False
    p, q = _parameters(a["fn"]), _parameters(b["fn"])
    return all(p[k].shape == q[k].shape and _alike(p[k], q[k]) for k in q)


def _compare_batched(answer: Callable, reference: Callable, c: Call) -> None:
    """Both models inside an outer plate of draws: what vectorised inference will do."""
    reference_draw = _sites(_trace(reference, c))
    frames = [frame for site in reference_draw.values() for frame in site["cond_indep_stack"]]
    depth = max((-frame.dim for frame in frames if frame.vectorized), default=0)
    many = pyro.plate("_draws", 3, dim=-1 - depth)
    lines: list[str] = []
    try:
        for _ in range(3):  # at some draws a right formula overflows
            theirs = _trace(many(reference), c)
            mine = _trace(poutine.replay(many(answer), trace=theirs), c)
            totals = [t.log_prob_sum().item() for t in (mine, theirs)]
            if _equal(*totals):
                return
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        lines = reader_line(error)
    one_draw = _sites(_trace(answer, c))
    for name, other in reference_draw.items():
        if one_draw[name]["fn"].event_dim > other["fn"].event_dim and _plates(other):
            fail(
                f"`{name}` is declared as one vector, with to_event.",
                "Its entries are independent data points: declare them with pyro.plate instead.",
            )
    fail(
        "right for one draw of the unobserved variables, but not for many draws at once.",
        next(say for pattern, say in OF_BATCHES.items() if re.search(pattern, " ".join(lines))),
        *lines,
    )


def same_guide(
    answer: Callable, model: Callable, calls: Sequence[Call], *, batched: bool = True
) -> None:
    """Accept a guide for a model that defines the same density as the solution.

    Args:
        model: the model whose latent sites the guide must propose.
        calls: arguments of both.
        batched: as for :func:`same_model`.
    """
    for c in calls if callable(answer) else ():
        sites = _sites(_trace(model, c))
        trace = ran(functools.partial(_trace, answer, c))  # same_model tells what it raises
        for name, site in _sites(trace).items() if trace else ():
            if site["is_observed"] or sites.get(name, site)["is_observed"]:
                fail(
                    f"the guide samples `{name}`, which is observed.",
                    "A guide has exactly the *latent* sites of the model, and no obs=.",
                )
    same_model(answer, calls, batched=batched)
    same_plates(answer, model, calls[0])


def same_plates(answer: Callable, model: Callable, c: Call) -> None:
    """Accept a model or guide whose plates have the names of those of another model."""
    mine, theirs = (_sites(_trace(f, c)) for f in (answer, model))
    for name in mine:
        wanted = _plates(theirs[name])
        if other := [plate for plate in _plates(mine[name]) if plate not in wanted]:
            fail(
                f"the plate of `{name}` is named `{other[0]}`, and should be `{wanted[0]}`.",
                "Pyro knows by the name that a plate of the guide is the plate of the model.",
            )


def _check_parameters(mine: Trace, theirs: Trace) -> None:
    """Each is in the formulas, and reaches the distributions, or the optimiser cannot move it."""
    # Pyro writes $$$ into the names of the weights of modules that a model registers.
    params, wanted = ([p for p in t.param_nodes if "$$$" not in p] for t in (mine, theirs))
    if extra := [name for name in params if name not in wanted]:
        fail(
            f"there is a parameter `{extra[0]}` that is not in the formulas.",
            f"They have {', '.join(f'`{name}`' for name in wanted) or 'none'}.",
        )
    total = mine.log_prob_sum() + sum(
        site["value"].sum() for site in _sites(mine).values() if site["value"].requires_grad
    )
    for name in params:
        leaf = mine.nodes[name]["value"].unconstrained()
        moved = torch.as_tensor(total).requires_grad and torch.autograd.grad(
            total, leaf, allow_unused=True, retain_graph=True
        )
        if not moved or moved[0] is None:
            fail(
                f"the parameter `{name}` does not reach the distributions, so no fit can move it.",
                "Give them what pyro.param returns, without .item(), float() or .detach().",
            )
