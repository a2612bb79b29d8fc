"""Checks of probability_distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import Distribution

from checks.engine import call, close_to, exercise, fail, same_function, same_values, solution
from checks.models import family_of, same_model
from checks.parameters import bounds
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]


def _reject_other_than_distribution(name: str, answer: Any) -> None:
    if isinstance(answer, type):
        fail(f"{name} is the class {answer.__name__} itself; give it its arguments in brackets.")
    if isinstance(answer, Tensor | float | int):
        fail(
            f"{name} is a number or a tensor, not a distribution.",
            "Return or assign the distribution object itself: no .sample(), no .log_prob().",
        )
    if answer is None:
        fail(f"{name} is None.", "Does your function end in a `return`?")
    if not isinstance(answer, Distribution):
        fail(f"{name} should be *one* distribution, not of type {type(answer).__name__}.")


def _compare(name: str, answer: Any, expected: Any) -> None:
    """Accept a number, or the distribution of one number, that is as expected."""
    if not isinstance(expected, Distribution):
        close_to(name, answer, expected, tolerance=5e-4, hint="Is it exp of july's log_prob at 27?")
        return
    _reject_other_than_distribution(f"`{name}`", answer)
    if shape := tuple(answer.batch_shape + answer.event_shape):
        fail(
            f"`{name}`: one draw should be one number, and a draw of yours has shape {shape}.",
            "Is it the right family, and are its arguments single numbers?",
        )
    (whole, low, high), possible = (
        (d.support.is_discrete, *bounds(d.support)) for d in (answer, expected)
    )
    if (whole, low, high) != possible:
        kind = "whole" if whole else "all"
        fail(
            f"`{name}`: your {family_of(answer)} draws {kind} numbers from {low:g} to {high:g}.",
            "Which are possible? Look for the support in the table.",
            vague=True,
        )
    values = expected.sample((60,))
    if torch.allclose(*(d.log_prob(values).float() for d in (answer, expected)), 1e-3, 1e-3):
        return
    moments = [torch.stack([d.mean, d.variance]).float() for d in (answer, expected)]
    mean, variance = moments[0].tolist()
    problem = f"yours has mean {mean:.3g} and variance {variance:.3g}, not those of the text."
    if torch.allclose(*moments, rtol=0.01):
        problem = f"mean and variance are right, but {family_of(answer)} is not the family meant."
    fail(f"`{name}`: {problem}", vague=True)


@exercise("July")
def july(july: Any, density: Any) -> None:
    same_values({"july": july, "density": density}, compare=_compare)


@exercise("three quantities")
def three_quantities(customers: Any, wait: Any, litres: Any) -> None:
    same_values({"customers": customers, "wait": wait, "litres": litres}, compare=_compare)


# Wrong shapes, made of s(ample), b(atch) and e(vent), or of nothing (0), and what they are.
OF_DRAWS = {
    "be": "that is the shape of *one* draw; there are ten.",
    "bes": "the sample shape comes first, on the left.",
    "sb": "one draw is a whole vector, and its entries are missing.\nWhat is the event shape?",
    "se": "the batch shape is missing.\nHow many separate distributions?",
    "s": "each of the ten draws is more than one number.",
    "seb": "the event shape comes last, on the right.",
    "else": "it is sample shape + batch shape + event shape.\nWhat are these three?",
}
OF_LOG_PROB = {
    "sbe": "that is the shape of the draws.\nHow many log-densities has a whole vector?",
    "b": "that is for *one* draw; each of the ten has its own.",
    "s 0": "too few numbers: it sums over events, and over nothing else.",
    "se e": "it sums over the event and keeps the batch, not vice versa.",
    "else": "it is sample shape + batch shape.\nWhat are these two?",
}
# The same of t(owns) and d(ays): batch shape | event shape.
OF_TOWNS = {
    "td|": "Every day is an outcome of its own; the days of a town should be one vector.",
    "dt| d|t": "Towns and days have changed places.",
    "|td |dt": "You have made *one* outcome of all towns; the towns should stay apart.",
    "|": "That is one temperature; there are towns × days of them.",
    "|d d|": "That is one town.",
    "|t t|": "That is one day.",
    "else": "The towns are the batch, and a vector of days is the event: use both arguments.",
}


def _compare_shape(what: str, shape: tuple, right: tuple, sentences: dict, **parts: tuple) -> None:
    """Say what a wrong shape is, if it is made of the parts in some order."""
    for orders, sentence in sentences.items() if shape != right else ():
        for order in orders.split():
            if order == "else" or shape == sum((parts.get(part, ()) for part in order), ()):
                fail(f"{what} {sentence}")


@exercise("predicted shapes")
def predicted_shapes(predicted: Any) -> None:
    if not isinstance(predicted, dict):
        fail('`predicted` should be a dictionary, with a pair of tuples for each key "A" to "C".')
    for letter, (draws, log_prob) in solution("predicted").items():
        pair = predicted.get(letter)
        shapes = pair if isinstance(pair, tuple | list) else ()
        if [isinstance(shape, tuple | list) for shape in shapes] != [True, True]:
            fail(
                f"{letter}: give two tuples, the shape of the draws and the shape of log_prob.",
                "For Python, (7) is a number: a tuple with one entry needs a comma, as in `(7,)`.",
            )
        first, second = map(tuple, shapes)
        if (first, second) == (log_prob, draws) != (draws, log_prob):
            fail(f"{letter}: the pair is the wrong way round: first the draws, then log_prob.")
        parts = {"s": draws[:1], "b": log_prob[1:], "e": draws[len(log_prob) :]}
        _compare_shape(f"{letter}, draws:", first, draws, OF_DRAWS, **parts)
        _compare_shape(f"{letter}, log_prob:", second, log_prob, OF_LOG_PROB, **parts)


@exercise("one vector for each town")
def temperatures(answer: Any) -> None:
    if isinstance(answer, Distribution):
        fail("`temperatures` should be a function that returns a distribution.")
    hint = "They should be independent and N(20, 3²). What are mean and sd of yours?"
    same_function(answer, [call(2, 5), call(4, 3)], of=_log_prob_of_towns, hint=hint)


def _log_prob_of_towns(function: Callable) -> Callable:
    def log_prob(towns: int, days: int) -> Tensor:
        d, what = function(towns, days), f"`temperatures({towns}, {days})`"
        _reject_other_than_distribution(what, d)
        batch, event = tuple(d.batch_shape), tuple(d.event_shape)
        what += f" has batch shape {batch} and event shape {event}.\n"
        parts = {"t": (towns,), "d": (days,), "|": ("|",)}
        _compare_shape(what, (*batch, "|", *event), (towns, "|", days), OF_TOWNS, **parts)
        return d.log_prob(20 + 3 * torch.randn(towns, days))

    return log_prob


@exercise("ten readings, many candidates")
def log_likelihood(answer: Any) -> None:
    calls = [call(18 + torch.randn(n), 18 + 2 * torch.rand(g)) for n, g in ((5, 4), (3, 3), (1, 6))]
    hint = "For each candidate: the log-densities of all readings, with sd 1, added up."
    same_function(answer, calls, hint=hint)


class _Tape(dist.Normal):
    """A normal whose draws are known beforehand, and counted."""

    def __init__(self, values: Tensor, count: list[int]) -> None:
        super().__init__(1.0, 0.5)
        self.values, self.count = values, count

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        places = (self.count[0] + torch.arange(shape.numel())) % len(self.values)
        self.count[0] += shape.numel()
        return self.values[places].reshape(shape)

    rsample = sample

    def expand(self, batch_shape: Any, _instance: Any = None) -> _Tape:
        return super().expand(batch_shape, _Tape(self.values, self.count))


def _counted(result: Any, d: _Tape, n: int) -> Any:
    """What a function returns that was to draw n times from d; or twice, for the error again."""
    if d.count[0] not in (n, 2 * n):
        fail(
            f"`n` is {n}, but the number of draws from the argument `d` is {d.count[0]}.",
            "Use d.sample, and `n` in its sample shape: it has to work for any `d` and `n`.",
        )
    return result


@exercise("an estimate and its error")
def monte_carlo(answer: Any) -> None:
    calls = [
        call(f, _Tape(1 + 0.5 * torch.randn(n), [0]), n)
        for f, n in ((lambda t: t**2 + 3 * t - 9, 400), (lambda t: (t > 1.2).float(), 100))
    ]
    same_function(
        answer,
        calls,
        returns=("estimate", "standard_error"),
        tolerance=5e-4,
        hint="First f, then the mean; the error is the sd of the values of f, divided by √n.",
        of=lambda function: lambda f, d, n: _counted(function(f, d, n), d, n),
    )


@exercise("careless guests")
def careless_model(answer: Any) -> None:
    same_model(answer, [call()])
