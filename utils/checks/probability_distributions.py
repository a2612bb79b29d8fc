"""Checks of Day1/1_probability_distributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import Distribution

from utils.checks.engine import (
    Twin,
    call,
    close_to,
    exercise,
    fail,
    same_function,
    scorecard_within,
)

__all__ = [
    "draws_needed",
    "five_quantities",
    "july",
    "log_likelihood",
    "monte_carlo",
    "predicted_shapes",
    "scorecard_within",
    "temperatures",
]


# ------------------------------------------------------------------------ comparing distributions


def _reject_unless_distribution(name: str, answer: Any) -> None:
    if isinstance(answer, type):
        fail(f"{name} is the class {answer.__name__} itself; give it its arguments in brackets.")
    if isinstance(answer, Tensor | float | int):
        fail(
            f"{name} is a number or a tensor, not a distribution.",
            "Return or assign the distribution object itself: no .sample(), no .log_prob().",
        )
    if callable(getattr(answer, "sample", None)) and isinstance(answer, Distribution):
        return
    fail(f"{name} should be a distribution, not {_article(type(answer).__name__)}.")


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiouAEIOU' else 'a'} {word}"


def _family(answer: Distribution) -> str:
    while isinstance(answer, torch.distributions.Independent):
        answer = answer.base_dist
    return type(answer).__name__.removeprefix("Expanded")


def _same_density(answer: Distribution, other: Distribution, values: Tensor) -> bool:
    if answer.support.is_discrete != other.support.is_discrete:
        return False
    if not (answer.support.check(values).all() and other.support.check(values).all()):
        return False
    a, b = answer.log_prob(values), other.log_prob(values)
    return a.shape == b.shape and torch.allclose(a, b.to(a), rtol=1e-3, atol=1e-3)


def _same_distribution(
    name: str,
    answer: Any,
    reference: Distribution,
    *,
    impossible: Sequence[float] = (),
    twins: Sequence[Twin] = (),
) -> None:
    """Accept a distribution of one number with the log-density of ``reference``.

    Args:
        impossible: values that the quantity cannot take, which the support must exclude.
        twins: wrong distributions, each with its message.
    """
    name = f"`{name}`"
    _reject_unless_distribution(name, answer)
    if answer.event_shape:
        fail(
            f"{name}: one draw should be one number; a draw of {_article(_family(answer))} is a "
            f"vector of {answer.event_shape[-1]}."
        )
    if answer.batch_shape:
        fail(
            f"{name} is a batch of shape {tuple(answer.batch_shape)}; it should be a single "
            "distribution.",
            "Give single numbers as its arguments, not lists or tensors of them.",
        )
    values = reference.sample((60,))
    if answer.support.is_discrete and not reference.support.is_discrete:
        fail(f"{name} is not a whole number, but {_family(answer)} draws nothing else.")
    if reference.support.is_discrete and not answer.support.is_discrete:
        fail(f"{name} is a whole number, but {_family(answer)} draws numbers in between, too.")
    for twin in twins:
        if _same_density(answer, twin.answer, values):
            fail(twin.message)
    if not answer.support.check(values).all():
        fail(f"{name}: {_family(answer)} excludes some values that are possible.")
    for value in impossible:
        if answer.support.check(torch.tensor(value)):
            fail(
                f"{name} can never be {value:g}, but with your {_family(answer)} it can.",
                "Look for the support in the table.",
            )
    if _same_density(answer, reference, values):
        return
    if _family(answer) == "Categorical":
        fail(f"{name}: the probabilities of 0, 1 and 2 are not those of the text.")
    mean, variance = answer.mean.item(), answer.variance.item()
    if math.isclose(mean, reference.mean.item(), rel_tol=0.01) and math.isclose(
        variance, reference.variance.item(), rel_tol=0.01
    ):
        fail(
            f"{name}: mean and variance are right, but {_family(answer)} is not the family meant.",
            "Which one does the text name or describe?",
        )
    fail(
        f"{name}: yours has mean {mean:.3g} and variance {variance:.3g}, which is not what the "
        "text says."
    )


# ---------------------------------------------------------------------------------- Exercise 1


@exercise("Exercise 1, July")
def july(july: Any, density: Any) -> None:
    _same_distribution(
        "july",
        july,
        dist.Normal(24.0, 3.0),
        twins=[
            Twin(
                dist.Normal(24.0, 9.0),
                "`july`: Normal takes the standard deviation, and you gave the variance.",
            ),
            Twin(dist.Normal(24.0, 81.0), "`july`: 9 is the variance already; take a root of it."),
            Twin(dist.Normal(9.0, 24.0), "`july`: the mean comes first, then the spread."),
            Twin(dist.Normal(3.0, 24.0), "`july`: the mean comes first, then the spread."),
            Twin(
                dist.Normal(24.0, 4.5),
                "`july`: the standard deviation is the square root of the variance, not its half.",
            ),
        ],
    )
    right = dist.Normal(24.0, 3.0)
    at = torch.tensor(27.0)
    density_at = right.log_prob(at).exp()
    close_to(
        "density",
        density,
        density_at,
        tolerance=5e-4,
        twins=[
            Twin(right.log_prob(at), "`density`: that is its logarithm."),
            Twin(
                right.log_prob(at) / math.log(10),
                "`density`: that is its logarithm (to base 10).",
            ),
            Twin(
                right.log_prob(torch.tensor(24.0)).exp(), "`density`: that is the density at 24 °C."
            ),
            Twin(
                dist.Normal(24.0, 9.0).log_prob(at).exp(),
                "`density`: `july` is right, but this density is that of a normal with sd 9.",
            ),
            Twin(
                _temp_density(at),
                "`density`: that is the density of `temp`; ask `july` for its own.",
            ),
            Twin(right.cdf(at), "`density`: that is the probability of at most 27 °C, an area."),
            Twin(1 - right.cdf(at), "`density`: that is the probability of more than 27 °C."),
            Twin(
                10 ** right.log_prob(at),
                "`density`: log_prob is a natural logarithm; 10 to that power does not undo it.",
            ),
        ],
        hint="Is it the exponential of july's log_prob at 27.0?",
    )


def _temp_density(at: Tensor) -> Tensor:
    """The density of section 2's temperature, a likely mix-up."""
    return dist.Normal(15.0, 4.0).log_prob(at).exp()


# ---------------------------------------------------------------------------------- Exercise 2


@exercise("Exercise 2, five quantities")
def five_quantities(customers: Any, wait: Any, flavour: Any, litres: Any, vegan: Any) -> None:
    _same_distribution(
        "customers",
        customers,
        dist.Poisson(12.0),
        impossible=(-1.0,),
        twins=[
            Twin(
                dist.Poisson(1 / 12),
                "`customers`: the rate of a Poisson *is* the average number, not 1 divided by it.",
            ),
        ],
    )
    _same_distribution(
        "wait",
        wait,
        dist.Exponential(0.2),
        impossible=(-1.0,),
        twins=[
            Twin(
                dist.Exponential(5.0),
                "`wait`: Exponential takes a rate; with yours the mean is a fifth of a minute.",
            ),
        ],
    )
    _same_distribution(
        "flavour",
        flavour,
        dist.Categorical(torch.tensor([0.5, 0.3, 0.2])),
        impossible=(-1.0, 3.0),
        twins=[
            Twin(
                dist.Categorical(torch.tensor([0.0, 0.5, 0.3, 0.2])),
                "`flavour`: the kinds are counted from 0, so the first probability is vanilla's.",
            ),
            Twin(
                dist.Categorical(logits=torch.tensor([0.5, 0.3, 0.2])),
                "`flavour`: `logits=` takes logarithms; for probabilities leave it out.",
            ),
        ],
    )
    _same_distribution(
        "litres",
        litres,
        dist.Gamma(9.0, 1.5),
        impossible=(-1.0,),
        twins=[
            Twin(
                dist.Gamma(6.0, 4.0),
                "`litres`: Gamma takes a shape and a rate, not a mean and a variance.",
            ),
            Twin(
                dist.Gamma(6.0, 2.0),
                "`litres`: Gamma takes a shape and a rate, not a mean and an sd.",
            ),
            Twin(
                dist.Gamma(9.0, 2 / 3),
                "`litres`: the second argument is a rate β; you gave a scale, 1/β.",
            ),
            Twin(dist.Gamma(1.5, 9.0), "`litres`: the shape comes first, then the rate."),
            Twin(
                dist.Gamma(2.25, 0.375),
                "`litres`: the mean is right, but 4 is the variance, and yours is the sd.",
            ),
        ],
    )
    _same_distribution(
        "vegan",
        vegan,
        dist.Beta(2.0, 6.0),
        impossible=(-0.5, 1.5),
        twins=[
            Twin(dist.Beta(6.0, 2.0), "`vegan`: that is the share of guests who are *not* vegan."),
            Twin(
                dist.Beta(0.25, 8.0),
                "`vegan`: Beta takes a and b, not their mean and their sum.",
            ),
            Twin(
                dist.Beta(1.0, 3.0),
                "`vegan`: the mean is right, but a and b add up to 4 instead of 8.",
            ),
            Twin(dist.Beta(2.0, 8.0), "`vegan`: here b is 8, but it is a + b that should be 8."),
            Twin(
                dist.Beta(0.25, 0.75),
                "`vegan`: the mean is right, but a and b add up to 1 instead of 8.",
            ),
            Twin(
                dist.Beta(0.25, 7.75),
                "`vegan`: a and b add up to 8, but the mean is a / (a + b), not a.",
            ),
        ],
    )


# ---------------------------------------------------------------------------------- Exercise 3


def _objects() -> dict[str, Distribution]:
    return {
        "A": dist.Normal(torch.zeros(4), 1.0),
        "B": dist.Bernoulli(0.3).expand([2, 3]),
        "C": dist.Dirichlet(torch.ones(5)),
        "D": dist.Normal(torch.zeros(4, 3), 1.0).to_event(1),
        "E": dist.MultivariateNormal(torch.zeros(2), torch.eye(2)).expand([6]),
    }


def _as_shape(name: str, shape: Any) -> tuple[int, ...]:
    if isinstance(shape, bool) or not isinstance(shape, int | tuple | list):
        fail(f"{name} should be a tuple of sizes, not {_article(type(shape).__name__)}.")
    if isinstance(shape, int):
        fail(
            f"{name}: for Python ({shape}) is the number {shape}, not a tuple.",
            "A tuple with one entry needs a comma, as in `(7,)`.",
        )
    return tuple(shape)


@exercise("Exercise 3, predicted shapes")
def predicted_shapes(predicted: Any) -> None:
    objects = _objects()
    if not isinstance(predicted, dict):
        fail(
            f"`predicted` should be a dictionary, not {_article(type(predicted).__name__)}.",
            "It has the keys A to E, and a pair of tuples for each.",
        )
    if missing := [letter for letter in objects if letter not in predicted]:
        fail(f'`predicted` has no entry "{missing[0]}".')
    for letter, d in objects.items():
        pair = predicted[letter]
        if isinstance(pair, tuple | list) and pair and all(isinstance(n, int) for n in pair):
            fail(
                f"{letter}: that is one shape; a pair of shapes is wanted.",
                "First the shape of the draws, then that of log_prob, each in its own brackets.",
            )
        if not isinstance(pair, tuple | list) or isinstance(pair, torch.Size) or len(pair) != 2:
            fail(
                f"{letter}: give two tuples, the shape of the draws and the shape of log_prob.",
                "That is one pair of brackets around two pairs of brackets.",
            )
        draws = _as_shape(f"{letter}, draws", pair[0])
        log_prob = _as_shape(f"{letter}, log_prob", pair[1])
        _compare_draws(letter, draws, d, log_prob)
        _compare_log_prob(letter, log_prob, d)


def _compare_draws(
    letter: str,
    draws: tuple[int, ...],
    d: Distribution,
    predicted_log_prob: tuple[int, ...] = (),
) -> None:
    sample, batch, event = (10,), tuple(d.batch_shape), tuple(d.event_shape)
    if draws == sample + batch + event:
        return
    if draws == batch + event:
        fail(f"{letter}, draws: that is the shape of *one* draw; there are ten.")
    if draws == sample + batch and event and predicted_log_prob == sample + batch + event:
        fail(f"{letter}: the pair is the wrong way round: first the draws, then log_prob.")
    if draws == batch + event + sample:
        fail(f"{letter}, draws: the sample shape comes first, on the left.")
    if event and draws == sample + batch:
        fail(
            f"{letter}, draws: one draw is a whole vector, and its entries are missing.",
            "What is the event shape?",
        )
    if batch and draws == sample + event:
        fail(f"{letter}, draws: the batch shape is missing.", "How many separate distributions?")
    if draws == sample:
        fail(f"{letter}, draws: each of the ten draws is more than one number.")
    if batch and event and draws == sample + event + batch:
        fail(f"{letter}, draws: the event shape comes last, on the right.")
    fail(
        f"{letter}, draws: they do not have shape {draws}.",
        "Sample shape + batch shape + event shape: what are these three?",
    )


def _compare_log_prob(letter: str, log_prob: tuple[int, ...], d: Distribution) -> None:
    sample, batch, event = (10,), tuple(d.batch_shape), tuple(d.event_shape)
    if log_prob == sample + batch:
        return
    if event and log_prob == sample + batch + event:
        fail(
            f"{letter}, log_prob: that is the shape of the draws.",
            "How many log-densities does a whole vector have?",
        )
    if log_prob == batch:
        fail(f"{letter}, log_prob: that is for *one* draw; each of the ten has its own.")
    if log_prob in ((), sample):
        fail(
            f"{letter}, log_prob: too few numbers. It sums over events, and over nothing else.",
            "Each distribution of the batch, in each draw, keeps its own.",
        )
    if event and log_prob in (sample + event, event):
        fail(f"{letter}, log_prob: it sums over the event and keeps the batch, not vice versa.")
    fail(
        f"{letter}, log_prob: it does not have shape {log_prob}.",
        "Sample shape + batch shape: what are these two?",
    )


# ---------------------------------------------------------------------------------- Exercise 4


@exercise("Exercise 4, one vector for each town")
def temperatures(answer: Callable) -> None:
    if not callable(answer) or isinstance(answer, Distribution):
        fail("`temperatures` should be a function that returns a distribution.")
    for towns, days in ((2, 5), (4, 3)):
        d = answer(towns, days)
        what = f"`temperatures({towns}, {days})`"
        if d is None:
            fail(f"{what} is None.", "Does your function end in a `return`?")
        if isinstance(d, list | tuple):
            fail(f"{what} is a {type(d).__name__} of {len(d)}; one object holds them all.")
        _reject_unless_distribution(what, d)
        _compare_town_shapes(what, d, towns, days)
        values = 20 + 3 * torch.randn(towns, days)
        reference = dist.Normal(20.0, 3.0).expand([towns, days]).to_event(1)
        for sd, message in (
            (9.0, "each temperature has sd 9: Normal takes the standard deviation, 3."),
            (3**0.5, "each temperature has variance 3; it should have standard deviation 3."),
        ):
            twin = dist.Normal(20.0, sd).expand([towns, days]).to_event(1)
            if _same_density(d, twin, values):
                fail(message)
        if not _same_density(d, reference, values):
            fail(
                "the shapes are right, but the temperatures are not independent and N(20, 3²).",
                f"Yours is made of {_family(d)}; what are its mean and its standard deviation?",
            )


def _compare_town_shapes(what: str, d: Distribution, towns: int, days: int) -> None:
    batch, event = tuple(d.batch_shape), tuple(d.event_shape)
    if (batch, event) == ((towns,), (days,)):
        return
    mine = f"{what} has batch shape {batch} and event shape {event}."
    if (batch, event) == ((towns, days), ()):
        fail(mine, "Every day is an outcome of its own; the days of a town should be one vector.")
    if (batch, event) == ((days, towns), ()) or (batch, event) == ((days,), (towns,)):
        fail(mine, "Towns and days have changed places.")
    if (batch, event) in (((), (towns, days)), ((), (days, towns))):
        fail(mine, "You have made *one* outcome of all towns; the towns should stay apart.")
    if (batch, event) == ((), ()):
        fail(mine, "That is one temperature; there are towns × days of them.")
    if (batch, event) in (((), (days,)), ((days,), ())):
        fail(mine, "That is one town.")
    if (batch, event) in (((), (towns,)), ((towns,), ())):
        fail(mine, "That is one day.")
    if (batch, event) in (((2,), (5,)), ((3,), (7,)), ((2,), (3,)), ((2,), (7,))):
        fail(mine, "Use the arguments `towns` and `days` instead of fixed numbers.")
    fail(mine, "Separate towns are the batch; the vector of days is the event.")


# ---------------------------------------------------------------------------------- Exercise 5


def _log_densities(readings: Tensor, candidates: Tensor, sd: float = 1.0) -> Tensor:
    return dist.Normal(candidates[:, None], sd).log_prob(readings)


@exercise("Exercise 5, ten readings, many candidates")
def log_likelihood(answer: Callable) -> None:
    full = _log_densities
    calls = [call(18 + torch.randn(n), 18 + 2 * torch.rand(g)) for n, g in ((5, 4), (3, 3), (1, 6))]

    def clear(readings, candidates):
        try:
            return answer(readings, candidates)
        except (RuntimeError, ValueError) as error:
            if "broadcast" in str(error) or "must match the size" in str(error):
                n, g = len(readings), len(candidates)
                fail(
                    f"{n} readings, shape ({n},), and {g} candidates, shape ({g},), do not "
                    "broadcast.",
                    "Which of the two needs a dimension of size 1, and where?",
                )
            raise

    if not callable(answer):
        fail(f"`log_likelihood` should be a function, not {_article(type(answer).__name__)}.")
    readings, candidates = calls[0].args
    result = clear(readings, candidates)
    _reject_shape_of_likelihood(result, len(readings), len(candidates))
    constant = 0.5 * math.log(2 * math.pi)
    same_function(
        clear,
        lambda s, t: full(s, t).sum(-1),
        calls,
        name="log_likelihood",
        twins=[
            Twin(
                lambda s, t: full(s, t).mean(-1), "you average; independent readings are *summed*."
            ),
            Twin(
                lambda s, t: full(s, t).exp().prod(-1),
                "that is the likelihood, a product; its logarithm is a sum.",
            ),
            Twin(
                lambda s, t: full(s, t).exp().sum(-1),
                "you add up densities; add up their logarithms.",
            ),
            Twin(
                lambda s, t: full(s, t).exp().sum(-1).log(),
                "you take the logarithm of a sum; it is a sum of logarithms.",
            ),
            Twin(lambda s, t: -full(s, t).sum(-1), "the sign is reversed."),
            Twin(
                lambda s, t: (full(s, t) + constant).sum(-1),
                "the constant -½ ln(2π) of each reading is missing; log_prob has it.",
            ),
            Twin(
                lambda s, t: (full(s, t) + constant).sum(-1) * 2,
                "that is the squared error; log_prob of a Normal has a ½ and a constant, too.",
            ),
            Twin(
                lambda s, t: dist.Normal(t, 1.0).log_prob(s.mean()),
                "that is the log-density of the *average* reading; every reading counts.",
            ),
            Twin(
                lambda s, t: len(s) * dist.Normal(t, 1.0).log_prob(s.mean()),
                "that is n times the log-density of the *average*; the readings scatter.",
            ),
            *(
                Twin(
                    lambda s, t, sd=sd: full(s, t, sd).sum(-1),
                    "each reading has standard deviation 1.",
                )
                for sd in (0.1, 0.5, 2.0, 3.0, 4.0, 10.0, 10**0.5)
            ),
            Twin(lambda s, t: full(s, t)[:, 0], "only the first reading counts."),
        ],
    )


def _reject_shape_of_likelihood(result: Any, n: int, g: int) -> None:
    if not isinstance(result, Tensor) or result.shape == (g,):
        return
    given = f"{n} readings and {g} candidates give shape {tuple(result.shape)}"
    if tuple(result.shape) in ((g, n), (n, g)):
        fail(
            f"{given}: one number for each pair of reading and candidate.",
            "The readings belong together: sum over their dimension.",
        )
    if result.shape == (n,):
        fail(
            f"{given}: you sum over the candidates.",
            "Sum over the readings: which dimension is theirs?",
        )
    if result.ndim == 0:
        fail(
            f"{given}: you sum over everything.",
            "One number for each candidate: over which dimension is the sum?",
        )
    if tuple(result.shape) in ((g, 1), (1, g)):
        fail(f"{given}; it should be ({g},).", "Does the sum keep its dimension?")


# ---------------------------------------------------------------------------------- Exercise 6


class _Tape(dist.Normal):
    """A normal whose draws are known beforehand, and counted."""

    def on_tape(self, values: Tensor) -> _Tape:
        self.values, self.counter = values, [0]
        return self

    @property
    def count(self) -> int:
        return self.counter[0]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        if isinstance(sample_shape, int):
            fail(
                f"d.sample({sample_shape}) is an error: the sample shape is a tuple.",
                f"A tuple with one entry needs a comma: ({sample_shape},).",
            )
        shape = (*sample_shape, *self.batch_shape)
        size = math.prod(shape)
        places = (self.counter[0] + torch.arange(size)) % len(self.values)
        self.counter[0] += size
        return self.values[places].reshape(shape)

    rsample = sample

    def expand(self, batch_shape: Any, _instance: Any = None) -> _Tape:
        copies = _Tape(self.loc.expand(batch_shape), self.scale.expand(batch_shape))
        copies.values, copies.counter = self.values, self.counter
        return copies


@exercise("Exercise 6, an estimate and its error")
def monte_carlo(answer: Callable) -> None:
    if not callable(answer):
        fail(f"`monte_carlo` should be a function, not {_article(type(answer).__name__)}.")
    for f, n in ((lambda t: t**2 + 3 * t, 400), (lambda t: (t > 1.2).float(), 100)):
        tape = (1 + 0.5 * torch.randn(n)).detach()
        d = _Tape(1.0, 0.5).on_tape(tape)
        result = answer(f, d, n)
        if not isinstance(result, tuple | list) or len(result) != 2:
            fail("`monte_carlo` should return two numbers, `estimate` and `standard_error`.")
        _compare_draw_count(d.count, n)
        _compare_estimate(result[0], f, tape)
        _compare_standard_error(result[1], f, tape)


def _compare_draw_count(count: int, n: int) -> None:
    if count == 0:
        fail(
            "nothing was drawn from the argument `d`.",
            "It has to work for any distribution: use d.sample.",
        )
    if count < n:
        times = "once" if count == 1 else f"{count} times"
        fail(f"`n` is {n}, but you draw {times} from `d`.", "Look at the sample shape.")
    if count not in (n, 2 * n):  # twice: once for the estimate, once for its error
        fail(f"`n` is {n}, but you draw {count} times from `d`.", "Use the argument `n`.")


def _compare_estimate(estimate: Any, f: Callable, tape: Tensor) -> None:
    values = f(tape)
    close_to(
        "estimate",
        estimate,
        values.mean(),
        tolerance=1e-4,
        twins=[
            Twin(
                f(tape.mean()),
                "`estimate`: you average the draws first, and apply f to their average.\n"
                "  First f, then the average.",
            ),
            Twin(f(torch.tensor(1.0)), "`estimate`: that is f of the mean of `d`."),
            Twin(tape.mean(), "`estimate`: that is the average of the draws; apply f to them."),
            Twin(values.sum(), "`estimate`: that is the sum of the values of f, not their mean."),
            Twin(values.median(), "`estimate`: that is the median; E[f(T)] is a mean."),
            Twin(values[0], "`estimate`: that is one value; average all of them."),
            Twin(
                values.std() / math.sqrt(len(tape)),
                "`estimate` and `standard_error` have changed places.",
            ),
        ],
        hint="Is it the mean of f at the draws?",
    )


def _compare_standard_error(standard_error: Any, f: Callable, tape: Tensor) -> None:
    values, n = f(tape), len(tape)
    s, root = values.std(), math.sqrt(n)
    name = "`standard_error`"
    if isinstance(standard_error, complex) or (
        isinstance(standard_error, Tensor | float) and math.isnan(standard_error)
    ):
        fail(
            f"{name} is the root of a negative number.",
            "p (1 - p) belongs to shares; here `f` is any function, and s its standard deviation.",
        )
    close_to(
        "standard_error",
        standard_error,
        s / root,
        # A variance divided by n instead of n - 1 is right, too.
        tolerance=0.006 * (s / root).item(),
        twins=[
            Twin(
                s,
                f"{name}: that is the spread s of single values; their *average* varies less.",
            ),
            Twin(s / n, f"{name}: you divide by n, not by its square root."),
            Twin(s**2 / n, f"{name}: that is its square, a variance."),
            Twin(s**2 / root, f"{name}: s is a standard deviation, and you took the variance."),
            Twin(s**2, f"{name}: that is the variance of the values; the formula is s / √n."),
            Twin(s * root, f"{name}: you multiply by √n: more draws would make it worse."),
            Twin(2 * s / root, f"{name}: that is *two* standard errors."),
            Twin(1.96 * s / root, f"{name}: that is 1.96 standard errors."),
            Twin(
                tape.std() / root,
                f"{name}: s is the spread of the values of f, not of the draws.",
            ),
            Twin(
                torch.tensor(0.5 / root),
                f"{name}: s is the spread of the values of f, not of `d` itself.",
            ),
            Twin(values.mean() / root, f"{name}: you divide the mean by √n, not s."),
            Twin(torch.tensor(1 / root), f"{name}: that is 1 / √n; s is missing."),
        ],
        hint="It is the standard deviation of the values of f, divided by √n.",
    )


# ---------------------------------------------------------------------------------- Exercise 7


@exercise("Exercise 7, how many draws")
def draws_needed(answer: Callable) -> None:
    def n(p, se):
        return p * (1 - p) / se**2

    same_function(
        answer,
        lambda p, se: math.ceil(n(p, se)),
        [call(0.02, 0.003), call(0.3, 0.0045), call(0.9, 0.023), call(0.5, 0.25)],
        name="draws_needed",
        tolerance=1e-6,
        twins=[
            Twin(n, "n is a whole number: round it up."),
            Twin(lambda p, se: math.floor(n(p, se)), "you round down: then se is a bit too large."),
            Twin(
                lambda p, se: round(n(p, se)),
                "you round to the nearest number; if that is below, se is a bit too large.",
            ),
            Twin(
                lambda p, se: math.ceil(n(p, se)) + 1,
                "one draw fewer is enough: round up once.",
            ),
            Twin(
                lambda p, se: math.floor(n(p, se)) + 1,
                "right, unless n comes out whole: then you have one draw too many.",
            ),
            *(
                twin
                for wrong, message in (
                    (lambda p, se: p * (1 - p) / se, "solve for n: the standard error is squared."),
                    (
                        lambda p, se: math.sqrt(p * (1 - p)) / se,
                        "that is √n: square it.",
                    ),
                    (
                        lambda p, se: math.sqrt(p * (1 - p)) / se**2,
                        "if you square the equation, the root over p (1 - p) goes, too.",
                    ),
                    (lambda p, se: 1 / se**2, "the spread s, with s² = p (1 - p), is missing."),
                    (lambda p, se: p / se**2, "s² is p (1 - p): the factor 1 - p is missing."),
                    (lambda p, se: p**2 / se**2, "s² is p (1 - p), not p²."),
                    (
                        lambda p, se: 0.25 / se**2,
                        "that is the worst case, p = ½: use the argument `p`.",
                    ),
                    (
                        lambda p, se: 4 * p * (1 - p) / se**2,
                        "that is for *two* standard errors; the task asks for one.",
                    ),
                    (
                        lambda p, se: se**2 / (p * (1 - p)),
                        "a smaller error needs *more* draws: look where `standard_error` stands.",
                    ),
                )
                for twin in (
                    Twin(wrong, message),
                    Twin(lambda p, se, wrong=wrong: math.ceil(wrong(p, se)), message),
                )
            ),
        ],
    )
