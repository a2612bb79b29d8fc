"""Checks of bayesian_neural_networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyro
import torch
from pyro.nn import PyroModule
from torch import Tensor
from torch.overrides import TorchFunctionMode

from checks.engine import Call, Exercise, call, exercise, fail, outcome, same_function, solution
from checks.models import same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]

Inputs = Mapping[str, Tensor]


@exercise("the loss of two heads")
def gaussian_loss(answer: Any) -> None:
    # All positive, like a variance, so that mixed-up arguments are told, and not only an error.
    mean, y = 0.2 + 2 * torch.rand(2, 7)
    variance = 0.3 + 2 * torch.rand(7)
    three_networks = call(0.2 + 2 * torch.rand(3, 7), 0.3 + torch.rand(3, 7), y)
    negative = call(y + 0.1, 0.02 + 0.1 * torch.rand(7), y)
    calls = [call(mean, variance, y), three_networks, negative]
    same_function(answer, calls, returns=("loss",))
    heads = {"mean": mean, "variance": variance}
    _same_gradients(lambda loss: lambda heads: loss(*heads.values(), y), answer, heads)


def _same_gradients(of: Callable[[Any], Callable], answer: Any, inputs: Inputs) -> None:
    """Reject right numbers from which nothing can be learned.

    Args:
        of: makes, from the answer or the solution, the function of the inputs to differentiate.
    """

    def gradients(function: Callable[[Inputs], Any]) -> Sequence[Tensor | None]:
        leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
        try:
            value = torch.as_tensor(function(leaves)).sum()
            return torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        except RuntimeError as error:  # of numpy, or of the value, if nothing is left to follow
            if "require" not in str(error):
                raise
            return [None] * len(leaves)

    right = gradients(of(solution(Exercise.running.reference.answers[0])))
    for name, mine, theirs in zip(inputs, gradients(of(answer)), right, strict=True):
        if mine is None or not torch.allclose(mine, theirs, rtol=1e-2, atol=1e-3):
            fail(
                f"right numbers, but not the right gradient in `{name}`, which learning follows.",
                "`.detach()`, `no_grad()`, `torch.tensor()`, `.item()` and numpy cut values off.",
            )


@exercise("a Bayesian layer")
def bayesian_linear(answer: Any) -> None:
    if not (isinstance(answer, type) and issubclass(answer, PyroModule)):
        fail("`BayesianLinear` should be a class that inherits from PyroModule.")
    layer = answer(3, 2, 0.7, 1.9)
    for name in ("weight", "bias"):
        if name not in layer._pyro_samples:
            value = layer.__dict__.get(name)
            what = "is not there" if value is None else f"is a {type(value).__name__}, drawn once"
            if name in layer._parameters or name in layer._pyro_params:
                what = "is a parameter, to be optimised"
            if hasattr(value, "log_prob"):
                what = "is a distribution, and nothing samples it"
            fail(
                f"`self.{name}` {what}.",
                "Set it in __init__ to a PyroSample(prior), which is sampled anew in every call.",
            )
    calls = [call(0.7, 1.9, torch.randn(5, 3)), call(2.3, 0.4, torch.randn(4, 3))]
    same_model(answer, calls, of=lambda layer: lambda a, b, x: layer(3, 2, a, b)(x))
    weights = {"weight": torch.randn(4, 3, 2), "bias": torch.randn(4, 2)}
    _right_at(
        call(weights, torch.randn(5, 3)),
        answer,
        "the layer is right, but not what `forward` returns for many draws of its weights.",
        "Leave `forward` as it was.",
        of=_given_weights(3, 2, 0.7, 1.9),
    )


def _given_weights(*sizes: float) -> Callable[[type[PyroModule]], Callable]:
    """What makes, from a class, the function of weights and x that its modules compute."""
    return lambda made: lambda weights, x: pyro.condition(made(*sizes), data=weights)(x)


def _same_tensors(answer: Any, c: Call, *returns: str, tolerance: float = 1e-4) -> None:
    """The same numbers, as tensors, which the cells below the exercise need."""
    same_function(answer, [c], returns=returns, tolerance=tolerance)
    value = c.of(answer)
    for name, part in zip(returns, value if len(returns) > 1 else [value], strict=True):
        if not isinstance(part, Tensor):
            fail(
                f"`{name}` is of type {type(part).__name__}, and the cells below need a tensor.",
                "Stay with torch: no `.tolist()`, no `.numpy()`.",
            )


def _right_at(c: Call, answer: Any, *lines: str, of: Callable = lambda answer: answer) -> None:
    """Reject, with these lines, an answer that is right elsewhere, and not for this call."""
    name = Exercise.running.reference.answers[0]
    expected = c.of(of(solution(name)))
    value = outcome(of(answer), c, name).to(expected)
    if value.shape != expected.shape or not torch.allclose(value, expected, rtol=1e-3, atol=1e-3):
        fail(*lines)


@exercise("the marginal density")
def log_marginal(answer: Any) -> None:
    y = 2 * torch.randn(7)
    calls = [call(torch.randn(m, 7, 4), 0.3 + 2 * torch.rand(m, 7), y) for m in (3, 2)]
    calls.append(call(torch.randn(2, 7, 4) / 9, 0.01 + torch.rand(2, 7) / 99, y / 50))  # ln p > 1
    same_function(answer, calls, returns=("log_p",), tolerance=1e-3)
    _same_tensors(answer, calls[0], "log_p", tolerance=1e-3)


@exercise("accept or stay")
def accept(answer: Any) -> None:
    chains = 200  # so many that some u are just below, some just above
    log_p, new_log_p = 2 * torch.randn(2, chains) - 1
    momentum, new_momentum = 1.5 * torch.randn(2, chains, 5)
    u = torch.linspace(0.03, 0.97, chains)
    made = call(log_p, momentum, new_log_p, new_momentum, u)

    def in_numbers(answer: Callable) -> Callable:
        return lambda *given: [torch.as_tensor(value).float() for value in answer(*given)]

    same_function(answer, [made], returns=("accepted", "probability"), of=in_numbers)
    _right_at(
        call(log_p - 400, momentum, new_log_p - 400, new_momentum, u),
        answer,
        "right, but densities of many data are so small that a computer rounds them to 0: 0 / 0.",
        "Exponentiate the *difference* of the logarithms.",
        of=lambda answer: lambda *given: torch.as_tensor(answer(*given)[1]),
    )
    if torch.as_tensor(made.of(answer)[0]).dtype != torch.bool:
        fail(
            "`accepted` should hold True and False; yours holds numbers.",
            "The comparison `u < ...` is all that is needed.",
        )


@exercise("predictive entropy")
def predictive_entropy(answer: Any) -> None:
    _same_tensors(answer, call((2.0 * torch.randn(6, 4, 10)).softmax(-1)), "entropy")
    nearly_sure = torch.full((3, 2, 10), 3.5e-4)
    nearly_sure[..., 6] = 1 - 9 * 3.5e-4
    _right_at(
        call(nearly_sure),
        answer,
        "right, but not for small probabilities. Is a clamp, or what you add, too coarse?",
        "0.001 is a probability like any other; take 1e-10, say.",
    )
    sure = torch.zeros(3, 2, 10)
    sure[:, 0, 3] = sure[0, 1, 3] = sure[1:, 1, 5] = 1.0
    _right_at(
        call(sure),
        answer,
        "right, but not if a probability is 0: 0 · ln 0 gives nan, and counts as 0.",
        "torch.xlogy(p, p), or a very small clamp inside the logarithm.",
    )


class _Counter(TorchFunctionMode):
    """Counts the calls of torch's functions."""

    calls = 0

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


@exercise("AUROC")
def auroc(answer: Any) -> str | None:
    digits = torch.tensor([0.0, 0.0, 0.3, 0.4, 0.4, 1.7])
    others = torch.tensor([0.0, 0.3, 0.4, 0.9, 1.1, 1.6, 1.6, 1.70001, 2.2])
    calls = [call(digits, others), call(others[:4], digits), call(digits, digits + 3)]
    hint = "Compare each of the others with each digit; divide by the number of all pairs."
    same_function(answer, calls, returns=("area",), hint=hint)
    with _Counter() as counter:
        answer(digits, others)
    if counter.calls < len(digits) * len(others):
        return None
    return "A loop over all pairs takes minutes below: there are 11 million. Compare them at once."
