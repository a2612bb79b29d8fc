"""Checks of Day2/4_factor_analysis."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from torch import Tensor

from utils.checks.engine import (
    Call,
    Twin,
    call,
    close_to,
    exercise,
    fail,
    outcome,
    reader_line,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_guide, same_model

__all__ = [
    "exact_posterior",
    "factor_guide",
    "factor_model",
    "largest_angle",
    "log_likelihood",
    "maximum_likelihood",
    "number_of_factors",
    "reconstruct",
    "scorecard_within",
]

DOUBLE = {"dtype": torch.float64, "device": "cpu"}
PIXELS = 784
LN_2PI = math.log(2 * math.pi)


def _reject_number(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        fail(
            f"`{name}` should be a tensor, not {type(value).__name__}.",
            "`.item()` and `float()` take the number out of it, and the next cells need the "
            "tensor.",
        )


def _reject_single_precision(name: str, value: Any) -> None:
    _reject_number(name, value)
    if value.dtype != torch.float64:
        fail(
            f"`{name}` is in single precision; the eigenvalues are in double, and so is what is "
            "computed from them.",
            "Did you convert it, with `.float()` or `torch.zeros(...)`?",
        )


def _reject_hard_coded(body: Callable, answer: Callable, c: Call) -> None:
    """The answer is wrong with a few pixels: if it is right with 784, say so."""
    try:
        body(answer, [c])
    except Exception:  # wrong there, too: whatever it was told holds
        return
    fail(
        "784 is hard-coded, and the check brings fewer pixels.",
        "Their number is len(eigenvalues).",
    )


# ---------------------------------------------------------------------------- 1, 2, model and guide


def _factor_model(x, q, mean, loc=None, scale=lambda sigma: sigma, prior=1.0):
    W = pyro.param("W", lambda: 0.1 * torch.randn(PIXELS, q))
    b = pyro.param("b", lambda: mean.clone())
    sigma = pyro.param("sigma", torch.tensor(1.0), constraint=constraints.positive)
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(q), prior).to_event(1))
        loc = z @ W.T + b if loc is None else loc(z, W, b, mean)
        pyro.sample("x", dist.Normal(loc, scale(sigma)).to_event(1), obs=x)


def _factor_guide(x, q, mean, loc=lambda x, V, mean: (x - mean) @ V.T, scale=lambda s: s):
    V = pyro.param("V", torch.zeros(q, PIXELS))
    s = pyro.param("s", torch.ones(q), constraint=constraints.positive)
    with pyro.plate("images", len(x)):
        pyro.sample("z", dist.Normal(loc(x, V, mean), scale(s)).to_event(1))


def _parameters(
    answer: Callable, args: tuple, wanted: Mapping[str, tuple[int, ...]], other: Sequence[str]
) -> dict[str, Tensor]:
    """The parameters that the answer makes in an empty store, if they are those ``wanted``.

    Args:
        wanted: name -> shape.
        other: parameters that belong elsewhere.
    """
    pyro.clear_param_store()
    try:
        trace = poutine.trace(answer).get_trace(*args)
    except ValueError as error:
        mismatch = re.search(
            r"mismatch inside plate.* site (\S+) dim -1, (\d+) vs (\d+)", str(error)
        )
        if mismatch and mismatch[3] in (str(PIXELS), str(args[1])):
            site, images, entries = mismatch.groups()
            fail(
                f"`{site}`: its {entries} entries count as independent data points, and the plate "
                f"has {images} images.",
                "They are one vector: `.to_event(1)`.",
            )
        raise
    except AttributeError as error:
        if re.match("'(float|int)' object", str(error)):
            fail(
                "a pyro.param starts at a *tensor*, and yours at a plain number.",
                "torch.tensor(1.0) makes a tensor of it.",
                *reader_line(error),
            )
        raise
    except RuntimeError as error:
        if "cannot be multiplied" in str(error) or "must match the size" in str(error):
            fail(
                f"the shapes do not fit: {len(args[0])} images, {PIXELS} pixels, q = {args[1]}. "
                "What is the shape of each factor of your product, and of the result?",
                "The hint has the product of the formula for all images at once.",
                *reader_line(error),
            )
        raise
    made = {name: site["value"] for name, site in trace.nodes.items() if site["type"] == "param"}
    sites = [name for name in wanted if trace.nodes.get(name, {}).get("type") == "sample"]
    if sites:
        fail(
            f"`{sites[0]}` is a pyro.sample, so it gets a distribution.",
            "It is a number to be optimised, without a prior: a pyro.param.",
        )
    if stray := [name for name in other if name in made]:
        fail(
            f"`{stray[0]}` is a parameter of the other function.",
            "The guide has V and s; the model has W, b and sigma.",
        )
    if missing := [name for name in wanted if name not in made]:
        extra = [name for name in made if name not in wanted]
        has = f"; yours: {', '.join(f'`{name}`' for name in extra)}" if extra else ""
        fail(
            f"there is no parameter named `{missing[0]}`{has}.",
            f'What the fit should move is a pyro.param("{missing[0]}", initial value).',
        )
    for name, shape in wanted.items():
        if tuple(made[name].shape) == shape:
            continue
        if tuple(made[name].shape) == shape[::-1] and len(shape) == 2:
            fail(f"`{name}` should have shape {shape}; yours is transposed.")
        fail(f"`{name}` should have shape {shape}; yours has shape {tuple(made[name].shape)}.")
    return made


def _shake(names: Sequence[str]) -> None:
    """Values at which every parameter has an effect of its own."""
    store = pyro.get_param_store()
    for name in names:
        old = store[name].detach()
        new = {"sigma": lambda v: 0.6 * torch.ones_like(v), "s": lambda v: 0.3 + torch.rand_like(v)}
        store[name] = new.get(name, lambda v: 0.2 * torch.randn_like(v))(old)


def _reject_without_constraint(name: str) -> None:
    if isinstance(pyro.get_param_store()._constraints[name], type(constraints.real)):
        fail(
            f"nothing keeps `{name}` positive while it is optimised.",
            "Give its pyro.param constraint=constraints.positive.",
        )


def _reject_scaled_plate(answer: Callable, args: tuple) -> None:
    for name, site in poutine.trace(answer).get_trace(*args).nodes.items():
        if site["type"] == "sample" and name in ("z", "x") and site["scale"] != 1.0:
            fail(
                f"the plate multiplies the log density of `{name}` by {site['scale']:g}.",
                "This model is about the images that it gets: the plate's size is len(x).",
            )


def _reject_another_plate(answer: Callable, args: tuple) -> None:
    nodes = poutine.trace(answer).get_trace(*args).nodes
    for name in ("z", "x"):
        frames = nodes[name]["cond_indep_stack"] if name in nodes else ()
        if other := [frame.name for frame in frames if frame.name != "images"]:
            fail(
                f"the plate of `{name}` is named `{other[0]}`; the task says `images`.",
                "Pyro knows by the name that a plate of the guide is the plate of the model.",
            )


@exercise("Exercise 1, the model")
def factor_model(answer) -> None:
    mean = torch.rand(PIXELS)
    x = torch.rand(5, PIXELS)
    if not callable(answer):
        fail(f"a model is a function; yours is of type {type(answer).__name__}.")
    wanted = {"W": (PIXELS, 3), "b": (PIXELS,), "sigma": ()}
    made = _parameters(answer, (x, 3, mean), wanted, ("V", "s"))
    W, b, sigma = (made[name].detach() for name in wanted)
    if (W == 0).all():
        fail(
            "`W` starts at zero. There all factors are alike, and the gradient is zero.",
            "Start it at small random values: 0.1 * torch.randn(784, q).",
        )
    if not 0.07 < W.std().item() < 0.13 or abs(W.mean().item()) > 0.03:
        fail(
            f"`W` starts with entries of mean {W.mean():.2g} and sd {W.std():.2g}.",
            "The task says 0.1 * torch.randn(784, q): randn, not rand.",
        )
    if not torch.allclose(b, mean):
        fail("`b` should start at `mean`, the mean image.")
    _reject_without_constraint("sigma")
    if abs(sigma.item() - 1) > 1e-3:
        fail(f"`sigma` should start at 1; yours starts at {sigma.item():.3g}.")
    z = poutine.trace(answer).get_trace(x, 3, mean).nodes.get("z")
    if z is not None and tuple(z["value"].shape) == (3,):
        fail(
            "all images share one `z`, and every image should have its own.",
            "Put its pyro.sample inside the plate.",
        )
    _shake(list(wanted))
    _reject_scaled_plate(answer, (x, 3, mean))
    kept = mean.clone()
    same_model(
        answer,
        _factor_model,
        [call(x, 3, mean), call(x[:2], 3, mean)],
        twins=[
            Twin(
                lambda x, q, mean: _factor_model(x, q, mean, lambda z, W, b, mean: z @ W.T),
                "`x`: its mean lacks b.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(x, q, mean, lambda z, W, b, mean: z @ W.T + mean),
                "`x`: the argument `mean` is where b *starts*; what is added is b itself.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(
                    x, q, mean, lambda z, W, b, mean: z @ W.T + b + mean
                ),
                "`x`: `mean` is where b starts; it is not added once more.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(x, q, mean, lambda z, W, b, mean: z @ W.T - b),
                "`x`: b is added, not subtracted.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(
                    x, q, mean, lambda z, W, b, mean: torch.sigmoid(z @ W.T + b)
                ),
                "`x`: this decoder is linear; there is no sigmoid in the formula.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(
                    x, q, mean, lambda z, W, b, mean: torch.relu(z @ W.T + b)
                ),
                "`x`: this decoder is linear; there is no relu in the formula.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(
                    x, q, mean, lambda z, W, b, mean: b + 0 * (z @ W.T)
                ),
                "`x`: its mean does not depend on z.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(x, q, mean, scale=lambda sigma: 1.0),
                "`x`: its standard deviation is sigma, and yours is a fixed 1.",
            ),
            Twin(
                lambda x, q, mean: _factor_model(x, q, mean, scale=lambda sigma: sigma.exp()),
                "`x`: the constraint makes sigma positive already; no exp is needed.",
            ),
        ],
        batched=False,
    )
    _reject_another_plate(answer, (x, 3, mean))
    pyro.clear_param_store()
    poutine.trace(answer).get_trace(x, 3, mean)
    with torch.no_grad():
        pyro.param("b").add_(1.0)
    if not torch.equal(mean, kept):
        fail(
            "`b` and the argument `mean` are the same tensor, so the fit would move both.",
            "Give pyro.param a copy: mean.clone().",
        )


@exercise("Exercise 2, the guide")
def factor_guide(answer) -> None:
    mean = torch.rand(PIXELS)
    x = torch.rand(5, PIXELS)
    calls = [call(x, 3, mean), call(x[:2], 3, mean)]
    if not callable(answer):
        fail(f"a guide is a function; yours is of type {type(answer).__name__}.")
    wanted = {"V": (3, PIXELS), "s": (3,)}
    made = _parameters(answer, (x, 3, mean), wanted, ("W", "b", "sigma"))
    V, s = (made[name].detach().clone() for name in wanted)
    _reject_without_constraint("s")
    if not (V == 0).all():
        fail("`V` should start at zero, as the task says.")
    if not torch.allclose(s, torch.ones_like(s), atol=1e-3):
        fail("`s` should start at 1, once for each factor.")
    _shake(list(wanted))
    _reject_scaled_plate(answer, calls[0].args)
    same_guide(answer, _factor_model, calls)
    V = pyro.param("V").detach()
    if not pyro.param("V").requires_grad:
        fail("`V` cannot be moved by the fit.")

    def variant(message: str, **changes: Callable) -> Twin:
        return Twin(lambda x, q, mean: _factor_guide(x, q, mean, **changes), message)

    outside = getattr(inspect.unwrap(answer), "__globals__", {}).get("mean_image", mean.mean())

    same_model(
        answer,
        _factor_guide,
        calls,
        twins=[
            variant(
                "`z`: its mean lacks x̄: the mean image is subtracted first.",
                loc=lambda x, V, mean: x @ V.T,
            ),
            variant(
                "`z`: the mean image is subtracted from x, not added.",
                loc=lambda x, V, mean: (x + mean) @ V.T,
            ),
            variant(
                "`z`: x and x̄ have changed places, so the sign is reversed.",
                loc=lambda x, V, mean: (mean - x) @ V.T,
            ),
            variant(
                "`z`: x̄ is the argument `mean`, of all images, not the mean of this batch.",
                loc=lambda x, V, mean: (x - x.mean(0)) @ V.T,
            ),
            variant(
                "`z`: x̄ is the mean *image*, one number for each pixel, not one for each image.",
                loc=lambda x, V, mean: (x - x.mean(1, keepdim=True)) @ V.T,
            ),
            variant(
                "`z`: x̄ is the mean *image*, not a single number.",
                loc=lambda x, V, mean: (x - mean.mean()) @ V.T,
            ),
            variant(
                "`z`: x̄ is the argument `mean`, and you took a variable of the notebook.",
                loc=lambda x, V, mean: (x - outside) @ V.T,
            ),
            variant(
                "`z`: its mean does not depend on the image.",
                loc=lambda x, V, mean: torch.zeros(len(x), len(V)),
            ),
            variant(
                "`z`: the standard deviations are s itself; the constraint makes it positive.",
                scale=lambda s: s.exp(),
            ),
            variant("`z`: its standard deviation is s, and yours is 1.", scale=torch.ones_like),
        ],
        batched=False,
    )
    _reject_another_plate(answer, calls[0].args)


# ----------------------------------------------------------------------------- 3, 4, closed forms


def _spectrum(pixels: int, rank: int) -> tuple[Tensor, Tensor]:
    values = torch.linspace(3.0, 0.5, pixels, **DOUBLE) ** 2
    values[rank:] *= 0.1
    vectors = torch.linalg.qr(torch.randn(pixels, pixels).to(**DOUBLE))[0]
    return values, vectors


def _maximum_likelihood(values, vectors, q, sigma2=None, root=lambda d: d.clamp(min=0).sqrt()):
    s2 = values[q:].mean() if sigma2 is None else sigma2(values, q)
    return vectors[:, :q] * root(values[:q] - s2), values[q:].mean().sqrt()


@exercise("Exercise 3, maximum likelihood")
def maximum_likelihood(answer) -> None:
    try:
        _same_maximum_likelihood(answer, [call(*_spectrum(9, 5), 2), call(*_spectrum(12, 7), 4)])
    except Exception:
        values = torch.linspace(3.0, 0.5, PIXELS, **DOUBLE) ** 2
        axes = torch.eye(PIXELS, **DOUBLE)[torch.randperm(PIXELS).cpu()]
        _reject_hard_coded(_same_maximum_likelihood, answer, call(values, axes, 3))
        raise


def _same_maximum_likelihood(answer: Callable, calls: Sequence[Call]) -> None:
    for c in calls:
        result = outcome(answer, c, "maximum_likelihood")
        shape = (len(c.args[0]), c.args[2])
        if not isinstance(result, tuple | list) or len(result) != 2:
            fail("`maximum_likelihood` should return two values, `W` and `sigma`.")
        W, sigma = result
        if torch.as_tensor(sigma).shape == shape and not torch.as_tensor(W).ndim:
            fail("`W` and `sigma` have changed places: the function returns first W, then sigma.")
        _reject_single_precision("W", W)
        _reject_single_precision("sigma", sigma)
        if sigma.ndim:
            fail(f"`sigma` should be a single number; yours has shape {tuple(sigma.shape)}.")
        if W.shape == shape[::-1]:
            fail("`W` should have one column for each factor; yours is transposed.")
        if W.ndim == 2 and len(W) == shape[0] and W.shape[1] != shape[1]:
            fail(
                f"`W` should have shape {shape} here, with one column for each of the {shape[1]} "
                f"factors; yours has {W.shape[1]} columns.",
                "Their number is the argument `q`.",
            )
        if W.shape != shape:
            fail(f"`W` should have shape {shape} here; yours has shape {tuple(W.shape)}.")

    def pick_sigma(function: Callable) -> Callable:
        return lambda *args: torch.as_tensor(function(*args)[1])

    def pick_product(function: Callable) -> Callable:
        def product(*args):
            W = torch.as_tensor(function(*args)[0])
            return W @ W.T  # the same for every rotation of the factors

        return product

    def sigma_twin(wrong: Callable, message: str) -> Twin:
        return Twin(lambda values, vectors, q: wrong(values, q), message)

    same_function(
        pick_sigma(answer),
        pick_sigma(_maximum_likelihood),
        calls,
        name="maximum_likelihood",
        returns=("sigma",),
        twins=[
            sigma_twin(
                lambda v, q: v[q:].mean(), "`sigma`: that is its square, the variance of the noise."
            ),
            sigma_twin(
                lambda v, q: v[q:].sum().sqrt(),
                "`sigma`: the variance is the *mean* of the other eigenvalues, not their sum.",
            ),
            sigma_twin(
                lambda v, q: v[q:].sqrt().mean(),
                "`sigma`: first the mean of the variances, then the root.",
            ),
            sigma_twin(
                lambda v, q: (v[q:].sum() / len(v)).sqrt(),
                "`sigma`: how many eigenvalues are left? Not all of them.",
            ),
            sigma_twin(
                lambda v, q: v[q + 1 :].mean().sqrt(),
                "`sigma`: one eigenvalue is forgotten. The first that is left has index q in "
                "Python.",
            ),
            sigma_twin(
                lambda v, q: v[q - 1 :].mean().sqrt(),
                "`sigma`: one eigenvalue too many. The first that is left has index q in Python.",
            ),
            sigma_twin(
                lambda v, q: v[:q].mean().sqrt(),
                "`sigma`: these are the eigenvalues of the factors; the noise has the others.",
            ),
            sigma_twin(
                lambda v, q: v.mean().sqrt(),
                "`sigma`: the mean is over the eigenvalues that are *left*, from q on.",
            ),
            sigma_twin(lambda v, q: v[q].sqrt(), "`sigma`: a mean over *all* that are left."),
            sigma_twin(
                lambda v, q: v[q:].median().sqrt(),
                "`sigma`: the median is not the *mean* of those that are left.",
            ),
            sigma_twin(
                lambda v, q: v[2:].mean().sqrt(),
                "`sigma`: the number of factors is the argument `q`, not always 2.",
            ),
        ],
    )
    if (W == 0).all():
        fail("`W` is zero.")

    def w_twin(wrong: Callable, message: str) -> Twin:
        return Twin(lambda values, vectors, q: _squared(wrong(values, vectors, q)), message)

    def _squared(W: Tensor) -> Tensor:
        return W @ W.T

    same_function(
        pick_product(answer),
        pick_product(_maximum_likelihood),
        calls,
        name="maximum_likelihood",
        returns=("W Wᵀ",),
        twins=[
            w_twin(
                lambda v, u, q: u[:, :q] * v[:q].sqrt(),
                "`W`: the noise has its part of each variance already: σ² is subtracted first.",
            ),
            w_twin(
                lambda v, u, q: u[:, :q] * (v[:q] - v[q:].mean()),
                "`W`: the root is missing, the power ½ of the formula.",
            ),
            w_twin(
                lambda v, u, q: u[:, :q] * (v[:q] - v[q:].mean().sqrt()).clamp(min=0).sqrt(),
                "`W`: σ is subtracted where the formula has σ².",
            ),
            w_twin(
                lambda v, u, q: u[:, :q] * (v[:q].sqrt() - v[q:].mean().sqrt()),
                "`W`: the root is of the difference, not of each term.",
            ),
            w_twin(
                lambda v, u, q: u[:, :q] * (v[:q] + v[q:].mean()).sqrt(),
                "`W`: σ² is subtracted from the eigenvalues.",
            ),
            w_twin(
                lambda v, u, q: u[:, :q] * (v[:q] - v[q:].mean()).sqrt().sum(),
                "`W`: each column has a length of its own; yours all have the same.",
            ),
            w_twin(
                lambda v, u, q: u[:, :q],
                "`W`: its columns have length 1. How far do the images vary along them?",
            ),
            w_twin(
                lambda v, u, q: u[:, :q] * v[:q],
                "`W`: a standard deviation is the root of a variance, and σ² is subtracted first.",
            ),
            w_twin(
                lambda v, u, q: u[:, -q:] * (v[:q] - v[q:].mean()).sqrt(),
                "`W`: these are the *last* eigenvectors; the order is descending.",
            ),
            w_twin(
                lambda v, u, q: u[:, -q:].flip(1) * (v[:q] - v[q:].mean()).sqrt(),
                "`W`: these are the *last* eigenvectors; the order is descending.",
            ),
            w_twin(
                lambda v, u, q: u[:q].T * (v[:q] - v[q:].mean()).sqrt(),
                "`W`: the eigenvectors are the *columns*; you took rows.",
            ),
            w_twin(
                lambda v, u, q: u[:, 1 : q + 1] * (v[1 : q + 1] - v[q:].mean()).clamp(min=0).sqrt(),
                "`W`: the first eigenvector has index 0.",
            ),
        ],
    )


def _log_likelihood(values, v, q, c=None, constant=LN_2PI, factor=-0.5, reduce=torch.sum):
    if c is None:
        c = values.clone()
        c[q:] = values[q:].mean()
    else:
        c = c(values, q)
    return factor * reduce(constant + c.log() + v / c)


@exercise("Exercise 4, the exact log-likelihood")
def log_likelihood(answer) -> None:
    calls = []
    for pixels, rank, q in ((9, 5, 2), (14, 8, 5)):
        values, _ = _spectrum(pixels, rank)
        calls.append(call(values, values * (0.5 + torch.rand(pixels).to(values)), q))
    try:
        _same_log_likelihood(answer, calls)
    except Exception:
        values = torch.linspace(3.0, 0.5, PIXELS, **DOUBLE) ** 2
        many = call(values, values * (1.5 + torch.rand(PIXELS).to(values)), 3)
        _reject_hard_coded(_same_log_likelihood, answer, many)
        raise
    values = torch.linspace(0.3, 0.01, PIXELS, **DOUBLE) ** 6  # all below 1e-3
    dark = call(values, values * (0.5 + torch.rand(PIXELS).to(values)), 10)
    result = outcome(answer, dark, "log_likelihood")
    if not torch.isfinite(result):
        fail(
            f"right for a few pixels; for {PIXELS} pixels that hardly vary yours is {result}.",
            "A product of so many small numbers is rounded to 0: add up logarithms instead.",
        )
    if not math.isclose(result.item(), _log_likelihood(*dark.args).item(), rel_tol=1e-6):
        fail(
            "right for large variances, but not for those near 0.",
            "Is there a `clamp`, or a small number added? The formula has none.",
        )


def _same_log_likelihood(answer: Callable, calls: Sequence[Call]) -> None:
    result = outcome(answer, calls[0], "log_likelihood")
    if isinstance(result, Tensor) and result.shape == calls[0].args[0].shape:
        fail("that is one number for each axis; the log-likelihood is their sum.")
    _reject_single_precision("log_lik", result)

    def split(s2: Callable) -> Callable:
        def c(values, q):
            c = values.clone()
            c[q:] = s2(values[q:])
            return c

        return c

    def variant(message: str, **changes: Any) -> Twin:
        return Twin(lambda values, v, q: _log_likelihood(values, v, q, **changes), message)

    right_c = split(lambda rest: rest.mean())
    constant = math.log(2 * math.pi)
    same_function(
        answer,
        _log_likelihood,
        calls,
        name="log_likelihood",
        returns=("log_lik",),
        tolerance=1e-6,
        twins=[
            variant("the sign is reversed: look at the -½ before the sum.", factor=0.5),
            variant("the ½ before the sum is missing.", factor=-1.0),
            variant("the constant ln 2π is missing; it belongs to every pixel.", constant=0.0),
            Twin(
                lambda values, v, q: _log_likelihood(values, v, q, constant=0.0) - 0.5 * constant,
                "ln 2π is added once; it belongs to *every* pixel, inside the sum.",
            ),
            variant("the constant is ln 2π, and yours is 2π.", constant=2 * math.pi),
            variant("the constant is ln 2π, and yours is ½ ln 2π.", constant=constant / 2),
            variant("a *sum* over the pixels: their log densities add up.", reduce=torch.mean),
            variant(
                "beyond q all c_j are σ², one number; you left the eigenvalues.",
                c=lambda values, q: values,
            ),
            variant(
                "σ² is the *mean* of the eigenvalues that are left, not their sum.",
                c=split(lambda rest: rest.sum()),
            ),
            variant(
                "c_j is a variance: beyond q it is σ², and yours is σ.",
                c=split(lambda rest: rest.mean().sqrt()),
            ),
            variant(
                "σ² is the mean of the eigenvalues that are *left*, from q on.",
                c=lambda values, q: torch.cat([values[:q], values.mean().expand(len(values) - q)]),
            ),
            variant(
                "one off: the first eigenvalue that is left has index q in Python.",
                c=lambda values, q: torch.cat(
                    [values[: q + 1], values[q + 1 :].mean().expand(len(values) - q - 1)]
                ),
            ),
            variant(
                "one off: the first eigenvalue that is left has index q in Python.",
                c=lambda values, q: torch.cat(
                    [values[: q - 1], values[q - 1 :].mean().expand(len(values) - q + 1)]
                ),
            ),
            variant(
                "the first q axes have the indices 0 to q - 1: `j < q`, not `j <= q`.",
                c=lambda values, q: torch.cat(
                    [values[: q + 1], values[q:].mean().expand(len(values) - q - 1)]
                ),
            ),
            variant(
                "one factor is lost: the first q axes have the indices 0 to q - 1.",
                c=lambda values, q: torch.cat(
                    [values[: q - 1], values[q:].mean().expand(len(values) - q + 1)]
                ),
            ),
            variant(
                "in c, it is the part beyond q that becomes σ², and you changed the first.",
                c=lambda values, q: torch.cat([values[q:].mean().expand(q), values[q:]]),
            ),
            Twin(
                lambda values, v, q: _log_likelihood(
                    values, v, q, lambda values, q: torch.cat([v[:q], right_c(values, q)[q:]])
                ),
                "for j up to q, c_j is the eigenvalue, and yours is v_j.",
            ),
            Twin(
                lambda values, v, q: _log_likelihood(
                    values, v, q, lambda values, q: split(lambda rest: v[q:].mean())(values, q)
                ),
                "σ² is the mean of the *eigenvalues* beyond q, and yours is the mean of v.\n"
                "The model has learned it from the images that it was fitted to.",
            ),
            Twin(
                lambda values, v, q: _log_likelihood(values, values, q),
                "`v` is not used: that is right for the training images only.",
            ),
            Twin(
                lambda values, v, q: -0.5 * (constant + right_c(values, q).log() + 1.0).sum(),
                "`v` is not used: that is right for the training images only.",
            ),
            Twin(
                lambda values, v, q: _log_likelihood(v, v, q),
                "all your c_j come from `v`, and they are made from `eigenvalues`.\n"
                "`v` stands above the fraction line only.",
            ),
            Twin(
                lambda values, v, q: _log_likelihood(v, values, q),
                "`eigenvalues` and `v` have changed places.",
            ),
            Twin(
                lambda values, v, q: (
                    -0.5 * (constant + right_c(values, q).log() + v * right_c(values, q)).sum()
                ),
                "the last term is v_j *divided* by c_j.",
            ),
            Twin(
                lambda values, v, q: (
                    -0.5 * (constant + right_c(values, q).log10() + v / right_c(values, q)).sum()
                ),
                "ln is the natural logarithm, `.log()`.",
            ),
            Twin(
                lambda values, v, q: (
                    -0.5 * (constant + right_c(values, q).log() + right_c(values, q) / v).sum()
                ),
                "the fraction is v_j / c_j, and yours is upside down.",
            ),
            Twin(
                lambda values, v, q: (
                    -0.5 * (constant + right_c(values, q).log() + v**2 / right_c(values, q)).sum()
                ),
                "v_j is a mean *square* already.",
            ),
            Twin(
                lambda values, v, q: (
                    -0.5 * (constant + right_c(values, q).log() - v / right_c(values, q)).sum()
                ),
                "v_j / c_j is added inside the brackets.",
            ),
            Twin(
                lambda values, v, q: -0.5 * (constant + v / right_c(values, q)).sum(),
                "ln c_j is missing: without it, the more noise the better.",
            ),
            Twin(
                lambda values, v, q: (
                    _log_likelihood(values, v, q) + 0.25 * right_c(values, q).log().sum()
                ),
                "ln c_j has the factor ½ once; c_j is a variance already.",
            ),
            Twin(
                lambda values, v, q: (
                    -0.5 * (constant + right_c(values, q).log() + v / right_c(values, q))[:q].sum()
                ),
                "the sum ends at q; the axes beyond have noise, and count too.",
            ),
        ],
    )


# ------------------------------------------------------------------------------------- 5, angle


def _cosines(A: Tensor, B: Tensor) -> Tensor:
    Q_A, Q_B = torch.linalg.qr(A)[0], torch.linalg.qr(B)[0]
    return torch.linalg.svdvals(Q_A.T @ Q_B).clamp(max=1)


def _largest_angle(A: Tensor, B: Tensor) -> Tensor:
    return torch.rad2deg(torch.arccos(_cosines(A, B).min()))


@exercise("Exercise 5, the largest principal angle")
def largest_angle(answer) -> None:
    calls = []
    for pixels, q in ((12, 2), (30, 4)):
        A = (torch.randn(pixels, q) + 0.3).to(**DOUBLE)
        B = A @ torch.randn(q, q).to(**DOUBLE) + 0.8 * torch.randn(pixels, q).to(**DOUBLE)
        calls.append(call(A, B))
    A, _ = calls[1].args
    result = outcome(answer, calls[1], "largest_angle")
    _reject_number("angle", result)
    if result.shape == (4,):
        fail("these are all principal angles; the largest is asked for.")
    if torch.isnan(result).any():
        fail(
            "arccos gives nan: a cosine is above 1, or below -1.",
            "Are the columns of both matrices orthogonal, and of length 1?",
        )

    def unit(A: Tensor) -> Tensor:
        return A / A.norm(dim=0)

    def degrees(cosine: Tensor) -> Tensor:
        return torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))

    def by_qr(A: Tensor, B: Tensor, part: int) -> Tensor:
        A, B = torch.linalg.qr(A)[part], torch.linalg.qr(B)[part]
        return torch.linalg.svdvals(A.T @ B)

    def half_done(A: Tensor, B: Tensor) -> Tensor:
        return torch.linalg.svdvals(torch.linalg.qr(A)[0].T @ B)

    def outer(A: Tensor, B: Tensor) -> Tensor:
        return torch.linalg.svdvals(torch.linalg.qr(A)[0] @ torch.linalg.qr(B)[0].T)

    same_function(
        answer,
        _largest_angle,
        calls,
        name="largest_angle",
        returns=("angle",),
        tolerance=1e-5,
        hint="One by one: have *both* matrices orthogonal columns? Is the product (q, q)? "
        "Which singular value has the largest angle?",
        twins=[
            Twin(
                lambda A, B: torch.arccos(_cosines(A, B).min()),
                "that is in radians: torch.rad2deg makes degrees of them.",
            ),
            Twin(
                lambda A, B: torch.deg2rad(torch.arccos(_cosines(A, B).min())),
                "deg2rad goes the wrong way: arccos gives radians.",
            ),
            Twin(
                lambda A, B: degrees(_cosines(A, B).max()),
                "that is the smallest angle: the cosine falls as the angle grows.",
            ),
            Twin(lambda A, B: _cosines(A, B).min(), "that is the cosine; the angle is asked for."),
            Twin(lambda A, B: _cosines(A, B).max(), "that is the cosine; the angle is asked for."),
            Twin(
                lambda A, B: torch.rad2deg(torch.arcsin(_cosines(A, B).min())),
                "singular values are cosines: their inverse is arccos, not arcsin.",
            ),
            Twin(
                lambda A, B: torch.rad2deg(_cosines(A, B).min()),
                "the arccos is missing: singular values are cosines, not angles.",
            ),
            Twin(
                lambda A, B: degrees(_cosines(A, B)).mean(),
                "that is the mean of the angles; the largest is asked for.",
            ),
            Twin(
                lambda A, B: degrees(_cosines(A, B).mean()),
                "that is the angle of the *mean* cosine; the largest angle has one of its own.",
            ),
            *(
                Twin(
                    lambda A, B, f=f, pick=pick: degrees(pick(f(A, B))),
                    message,
                )
                for pick in (torch.min, torch.max)
                for f, message in (
                    (half_done, "the columns of A are orthogonal now; those of B are not."),
                    (
                        lambda A, B: half_done(B, A),
                        "the columns of B are orthogonal now; those of A are not.",
                    ),
                    *(
                        (
                            f,
                            "the columns of Q_A and Q_B do not span the two spaces.\n"
                            "qr, of A itself and not of its transpose, returns two matrices: it "
                            "is the first, [0].",
                        )
                        for f in (
                            lambda A, B: by_qr(A, B, 1),
                            lambda A, B: by_qr(A.T, B.T, 0),
                        )
                    ),
                    (outer, "the product is Q_Aᵀ Q_B, of shape (q, q); yours is Q_A Q_Bᵀ."),
                )
            ),
            Twin(
                lambda A, B: degrees(torch.linalg.svdvals(unit(A).T @ unit(B)).min()),
                "columns of length 1 are not enough: they must be orthogonal, too.",
            ),
            Twin(
                lambda A, B: degrees(torch.linalg.svdvals(A.T @ B).min()),
                "A and B are used as they are: make their columns orthogonal first.",
            ),
            Twin(
                lambda A, B: degrees(torch.linalg.svdvals(A.T @ B).clamp(max=1).min()),
                "A and B are used as they are: make their columns orthogonal first.",
            ),
            Twin(
                lambda A, B: degrees((torch.linalg.qr(A)[0] * torch.linalg.qr(B)[0]).sum(0).min()),
                "column by column is not enough: the same space has many sets of columns.",
            ),
            Twin(
                lambda A, B: degrees(
                    (torch.linalg.qr(A)[0] * torch.linalg.qr(B)[0]).sum(0).abs().min()
                ),
                "column by column is not enough: the same space has many sets of columns.",
            ),
            Twin(
                lambda A, B: degrees((unit(A) * unit(B)).sum(0).min()),
                "column by column is not enough: the same space has many sets of columns.",
            ),
            Twin(
                lambda A, B: degrees((unit(A) * unit(B)).sum(0).abs().min()),
                "column by column is not enough: the same space has many sets of columns.",
            ),
        ],
    )
    same = outcome(answer, call(A, A @ torch.randn(4, 4).to(A)), "largest_angle")
    if not torch.as_tensor(same).abs().item() < 1e-3:  # nan too
        fail(
            "for two matrices that span the same space yours is not 0.",
            "Does rounding put a cosine above 1? Then `.clamp(max=1)`.",
        )


# -------------------------------------------------------------------------------- 6, posterior


@exercise("Exercise 6, the exact posterior of one image")
def exact_posterior(answer) -> None:
    def right(x, W, b, sigma, *, noise=lambda s: s**2, centre=lambda x, b: x - b):
        M = W.T @ W + noise(sigma) * torch.eye(W.shape[1])
        return torch.linalg.inv(M) @ W.T @ centre(x, b), sigma**2 * torch.linalg.inv(M)

    calls = [
        call(torch.rand(p), 0.5 * torch.randn(p, q), torch.rand(p), torch.tensor(s))
        for p, q, s in ((15, 2, 0.7), (25, 3, 1.6))
    ]
    result = outcome(answer, calls[0], "exact_posterior")
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail("`exact_posterior` should return two values, `z_mean` and `covariance`.")
    for name, value in zip(("z_mean", "covariance"), result, strict=True):
        _reject_number(name, value)
    mean, covariance = result
    if mean.ndim == 2 and covariance.ndim == 1:
        fail("`z_mean` and `covariance` have changed places: the function returns the mean first.")
    if covariance.shape == (15, 15):
        fail(
            "`covariance` has a row for each pixel, and z has only q entries.",
            "M is Wᵀ W + σ² I, in this order.",
        )
    if covariance.shape == (2,):
        fail("`covariance` should be a matrix, (q, q): its diagonal is not all of it.")
    if mean.shape == (1, 2) or mean.shape == (2, 1):
        fail(f"`z_mean` should have shape (q,); yours has shape {tuple(mean.shape)}.")

    def part(index: int) -> Callable:
        return lambda function: lambda *args: torch.as_tensor(function(*args)[index])

    def matrix(W, sigma, noise=lambda s: s**2):
        return W.T @ W + noise(sigma) * torch.eye(W.shape[1])

    def mean_twin(wrong: Callable, message: str) -> Twin:
        return Twin(wrong, f"`z_mean`: {message}")

    def covariance_twin(wrong: Callable, message: str) -> Twin:
        return Twin(lambda x, W, b, sigma: wrong(W, sigma), f"`covariance`: {message}")

    inverse = torch.linalg.inv
    both = {
        "in M, σ² stands before the identity matrix, and yours is σ.": lambda s: s,
        "in M, σ² I is missing.": lambda s: 0 * s,
        "M has σ² I, and yours has I.": lambda s: torch.ones_like(s),
        "M has σ² I, and yours has I / σ².": lambda s: 1 / s**2,
        "in M, σ² I is added, not subtracted.": lambda s: -(s**2),
    }
    mean_twins = [
        mean_twin(
            lambda x, W, b, s, n=noise: right(x, W, b, s, noise=n)[0],
            text,
        )
        for text, noise in both.items()
    ]
    mean_twins += [
        mean_twin(
            lambda x, W, b, s: inverse(matrix(W, s)) @ W.T @ x,
            "b is missing: what the factors explain is x - b.",
        ),
        mean_twin(
            lambda x, W, b, s: inverse(matrix(W, s)) @ W.T @ (x + b), "b is subtracted, not added."
        ),
        mean_twin(
            lambda x, W, b, s: inverse(matrix(W, s)) @ W.T @ (b - x), "its sign is reversed."
        ),
        mean_twin(lambda x, W, b, s: W.T @ (x - b), "M⁻¹ is missing."),
        mean_twin(
            lambda x, W, b, s: matrix(W, s) @ W.T @ (x - b), "that is multiplied by M, not by M⁻¹."
        ),
        mean_twin(
            lambda x, W, b, s: s**2 * inverse(matrix(W, s)) @ W.T @ (x - b),
            "σ² is a factor of the covariance, not of the mean.",
        ),
        mean_twin(
            lambda x, W, b, s: inverse(matrix(W, s)) @ W.T @ (x - b) / s**2,
            "it is not divided by σ²; that is in M already.",
        ),
        mean_twin(
            lambda x, W, b, s: (1 / matrix(W, s)) @ W.T @ (x - b),
            "1 / M inverts every entry alone; torch.linalg.inv inverts the matrix.",
        ),
        mean_twin(
            lambda x, W, b, s: right(x, W, b, s)[1] @ W.T @ (x - b),
            "σ² is a factor of the covariance, not of the mean.",
        ),
    ]
    every_entry = "σ² is added to *every* entry of WᵀW; σ² I, `sigma**2 * torch.eye(q)`, is not."
    mean_twins.append(
        mean_twin(lambda x, W, b, s: inverse(W.T @ W + s**2) @ W.T @ (x - b), every_entry)
    )
    covariance_twins = [
        covariance_twin(lambda W, s: s**2 * inverse(W.T @ W + s**2), every_entry),
    ]
    covariance_twins += [
        covariance_twin(lambda W, s, n=noise: s**2 * inverse(matrix(W, s, n)), text)
        for text, noise in both.items()
    ]
    covariance_twins += [
        covariance_twin(lambda W, s: inverse(matrix(W, s)), "the factor σ² is missing."),
        covariance_twin(
            lambda W, s: s * inverse(matrix(W, s)), "the factor is σ², and yours is σ."
        ),
        covariance_twin(lambda W, s: matrix(W, s), "that is M; its inverse is needed."),
        covariance_twin(
            lambda W, s: s**2 * matrix(W, s), "M is inverted, and then multiplied by σ²."
        ),
        covariance_twin(
            lambda W, s: matrix(W, s) / s**2, "that is its inverse, the precision matrix."
        ),
        covariance_twin(
            lambda W, s: inverse(matrix(W, s)) / s**2, "multiply by σ², do not divide."
        ),
        covariance_twin(
            lambda W, s: s**2 / matrix(W, s),
            "1 / M inverts every entry alone; torch.linalg.inv inverts the matrix.",
        ),
        covariance_twin(
            lambda W, s: torch.diag((s**2 * inverse(matrix(W, s))).diagonal()),
            "the entries off its diagonal are not zero.",
        ),
        covariance_twin(
            lambda W, s: W.T @ W, "that is Wᵀ W alone; look at the formulas of M and after it."
        ),
    ]
    for index, name, twins in ((0, "z_mean", mean_twins), (1, "covariance", covariance_twins)):
        pick = part(index)
        same_function(
            pick(answer),
            pick(right),
            calls,
            name="exact_posterior",
            returns=(name,),
            twins=[Twin(twin.answer, twin.message) for twin in twins],
        )


# --------------------------------------------------------------------------- 7, reconstruction


@exercise("Exercise 7, a reconstruction")
def reconstruct(answer) -> None:
    def parameters(pixels: int, q: int) -> dict[str, Tensor]:
        return {
            "W": torch.randn(pixels, q),
            "b": torch.rand(pixels),
            "sigma": torch.tensor(0.3),
            "V": torch.randn(q, pixels),
            "s": 0.1 + torch.rand(q),
        }

    calls = [
        call(torch.rand(n, pixels), torch.rand(pixels), parameters(pixels, q))
        for n, pixels, q in ((4, 11, 2), (3, 16, 3))
    ]

    def right(x, mean, p):
        return (x - mean) @ p["V"].T @ p["W"].T + p["b"]

    result = outcome(answer, calls[0], "reconstruct")
    if isinstance(result, Tensor) and result.shape == (4, 2):
        fail("that is ẑ, of shape (n, q); the reconstruction goes back to the pixels.")
    if isinstance(result, Tensor) and result.shape == (11, 4):
        fail("yours is transposed: one *row* for each image.")
    if isinstance(result, tuple | list):
        fail("return one tensor, the reconstruction.")
    _reject_number("x_hat", result)
    if not torch.equal(result, outcome(answer, calls[0], "reconstruct")):
        fail("two calls give two results: there should be means only, no draws.")
    same_function(
        answer,
        right,
        calls,
        name="reconstruct",
        returns=("x_hat",),
        twins=[
            Twin(lambda x, mean, p: x.clone(), "that is the image itself."),
            Twin(
                lambda x, mean, p: (x - mean) @ p["V"].T @ p["W"].T,
                "b is missing: the factors say how an image differs from it.",
            ),
            Twin(
                lambda x, mean, p: (x - mean) @ p["V"].T @ p["W"].T - p["b"],
                "b is added, not subtracted.",
            ),
            Twin(
                lambda x, mean, p: x @ p["V"].T @ p["W"].T + p["b"],
                "the mean image is not subtracted before V.",
            ),
            Twin(
                lambda x, mean, p: (x + mean) @ p["V"].T @ p["W"].T + p["b"],
                "the mean image is subtracted before V, not added.",
            ),
            Twin(
                lambda x, mean, p: x @ p["V"].T @ p["W"].T,
                "neither the mean image nor b is there.",
            ),
            Twin(
                lambda x, mean, p: (x - mean) @ p["V"].T @ p["W"].T + mean,
                "the decoder adds b, which it has learned, not x̄.",
            ),
            Twin(
                lambda x, mean, p: (x - p["b"]) @ p["V"].T @ p["W"].T + p["b"],
                "the encoder subtracts x̄, the argument `mean`, not b.",
            ),
            Twin(
                lambda x, mean, p: (x - p["b"]) @ p["V"].T @ p["W"].T + mean,
                "x̄ and b have changed places.",
            ),
            Twin(
                lambda x, mean, p: (x - mean) @ p["W"] @ p["W"].T + p["b"],
                "the encoder is V, not the transpose of W: that one is too long.",
            ),
            Twin(
                lambda x, mean, p: (x - mean) @ p["V"].T @ p["V"] + p["b"],
                "the decoder is W, not the transpose of V.",
            ),
            Twin(
                lambda x, mean, p: (x - x.mean(0)) @ p["V"].T @ p["W"].T + p["b"],
                "x̄ is the argument `mean`, of all images, not the mean of these.",
            ),
            Twin(
                lambda x, mean, p: right(x, mean, p).clamp(0, 1),
                "the formula has no limits at 0 and 1; look at what comes out, as it is.",
            ),
            Twin(
                lambda x, mean, p: right(x, mean, p).clamp(min=0),
                "the formula has no limit at 0; look at what comes out, as it is.",
            ),
            Twin(
                lambda x, mean, p: torch.sigmoid(right(x, mean, p)),
                "this decoder is linear; there is no sigmoid in the formula.",
            ),
            Twin(
                lambda x, mean, p: ((x - mean) @ p["V"].T * p["s"]) @ p["W"].T + p["b"],
                "ẑ is the mean of the guide; s has no part in it.",
            ),
            Twin(
                lambda x, mean, p: p["b"].expand(len(x), -1),
                "that is b for every image: z has no part in it.",
            ),
        ],
    )


# -------------------------------------------------------------------------- 8, number of factors


@exercise("Exercise 8, the number of factors")
def number_of_factors(held_out: Any, best_q: Any, eigenvalues: Tensor, v: Tensor) -> None:
    def curve(values: Tensor, v: Tensor, qs: range) -> Tensor:
        return torch.stack([_log_likelihood(values, v, q) for q in qs])

    if isinstance(held_out, list | tuple):
        fail("`held_out` should be one tensor, not a list.", "torch.stack makes one of many.")
    size = tuple(torch.as_tensor(held_out).shape)
    if size in ((299,), (301,)):
        fail(
            f"`held_out` has {size[0]} values, and there should be 300.",
            "range(1, 300) ends at 299, and range(301) begins at 0: look at both ends.",
        )
    if size != (300,):
        fail(f"`held_out` should have shape (300,); yours has shape {size}.")
    right = curve(eigenvalues, v, range(1, 301))
    close_to(
        "held_out",
        held_out,
        right,
        tolerance=0.01,
        twins=[
            Twin(
                curve(eigenvalues, v, range(300)),
                "`held_out` begins at q = 0; its first value should be for one factor.",
            ),
            Twin(
                curve(eigenvalues, eigenvalues, range(1, 301)),
                "`held_out`: that is the likelihood of the *training* images.\n"
                "Which argument holds the test images?",
            ),
            Twin(
                curve(v, eigenvalues, range(1, 301)),
                "`held_out`: `few_eigenvalues` and `few_v` have changed places.",
            ),
            Twin(
                curve(v, v, range(1, 301)),
                "`held_out`: the model is that of the training images, few_eigenvalues.",
            ),
            Twin(
                -right, "`held_out`: the sign is reversed; the log-likelihood itself is asked for."
            ),
            Twin(right / 10_000, "`held_out` is per image already; do not divide once more."),
            Twin(right.exp(), "`held_out`: the logarithm is asked for."),
        ],
    )
    best = int(right.argmax()) + 1
    if best_q is None:
        fail("`best_q` is None; `held_out` is right.")
    number = torch.as_tensor(best_q)
    if number.ndim:
        fail(f"`best_q` should be a single number; yours has shape {tuple(number.shape)}.")
    value = number.item()
    if value == best:
        return
    if value == best - 1:
        fail("`best_q` is one too small: argmax gives a place, and the first place is 0.")
    if math.isclose(value, right.max().item(), rel_tol=1e-3):
        fail("`best_q` is the largest log-likelihood; the *number of factors* is asked for.")
    if value - int(right.argmin()) in (0, 1):
        fail("`best_q` is where `held_out` is *smallest*: did you use argmin?")
    if value == 300:
        fail("`best_q` is the largest q, where the *training* likelihood is largest.")
    fail(f"`best_q` is {value:g}; where is your `held_out` largest?")
