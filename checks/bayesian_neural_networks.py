"""Checks of Day2/2_bayesian_neural_networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import torch
from pyro.nn import PyroModule
from torch.overrides import TorchFunctionMode

from checks.engine import call, exercise, fail, same_function
from checks.models import same_model
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]


@exercise("the loss of two heads")
def gaussian_loss(answer: Any) -> None:
    # All positive, like a variance, so that mixed-up arguments are told, and not only an error.
    mean, y = 0.2 + 2 * torch.rand(2, 7)
    variance = 0.3 + 2 * torch.rand(7)
    three_networks = call(0.2 + 2 * torch.rand(3, 7), 0.3 + torch.rand(3, 7), y)
    negative = call(y + 0.1, 0.02 + 0.1 * torch.rand(7), y)
    calls = [call(mean, variance, y), three_networks, negative]
    same_function(answer, calls, returns=("loss",), gradients=("mean", "variance"))


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
    x = torch.randn(5, 3)
    one, many = ({"weight": torch.randn(*n, 3, 2), "bias": torch.randn(*n, 2)} for n in ((), (4,)))
    same_function(
        answer,
        [call(one, x), call(many, x)],
        of=lambda made: lambda weights, x: pyro.condition(made(3, 2, 0.7, 1.9), data=weights)(x),
        returns=("what the layer returns",),
        hint="Leave `forward` as it was: it takes many draws of the weights at once.",
    )


@exercise("the marginal density")
def log_marginal(answer: Any) -> None:
    y = 2 * torch.randn(7)
    calls = [call(torch.randn(m, 7, 4), 0.3 + 2 * torch.rand(m, 7), y) for m in (3, 2)]
    calls.append(call(torch.randn(2, 7, 4) / 9, 0.01 + torch.rand(2, 7) / 99, y / 50))  # ln p > 1
    same_function(answer, calls, returns=("log_p",), tolerance=1e-3, tensors=True)


@exercise("accept or stay")
def accept(answer: Any) -> None:
    chains = 200  # so many that some u are just below, some just above
    log_p, new_log_p = 2 * torch.randn(2, chains) - 1
    momentum, new_momentum = 1.5 * torch.randn(2, chains, 5)
    u = torch.linspace(0.03, 0.97, chains)
    made = call(log_p, momentum, new_log_p, new_momentum, u)

    def in_numbers(answer: Callable) -> Callable:
        return lambda *given: [torch.as_tensor(value).float() for value in answer(*given)]

    always = torch.zeros_like(u)  # so that no rounding decides
    tiny = call(log_p - 400, momentum, new_log_p - 400, new_momentum, always)
    rounded = (
        "right, but densities of many data are so small that a computer rounds them to 0: 0 / 0.",
        "Exponentiate the *difference* of the logarithms.",
    )
    parts = ("accepted", "probability")
    same_function(answer, [made], returns=parts, of=in_numbers, extremes=[(tiny, rounded)])
    if torch.as_tensor(made.of(answer)[0]).dtype != torch.bool:
        fail(
            "`accepted` should hold True and False; yours holds numbers.",
            "The comparison `u < ...` is all that is needed.",
        )


@exercise("predictive entropy")
def predictive_entropy(answer: Any) -> None:
    nearly_sure = torch.full((3, 2, 10), 3.5e-4)
    nearly_sure[..., 6] = 1 - 9 * 3.5e-4
    coarse = (
        "right, but not for small probabilities. Is a clamp, or what you add, too coarse?",
        "0.001 is a probability like any other; take 1e-10, say.",
    )
    sure = torch.zeros(3, 2, 10)
    sure[:, 0, 3] = sure[0, 1, 3] = sure[1:, 1, 5] = 1.0
    undefined = (
        "right, but not if a probability is 0: 0 · ln 0 gives nan, and counts as 0.",
        "torch.xlogy(p, p), or a very small clamp inside the logarithm.",
    )
    same_function(
        answer,
        [call((2.0 * torch.randn(6, 4, 10)).softmax(-1))],
        returns=("entropy",),
        tensors=True,
        extremes=[(call(nearly_sure), coarse), (call(sure), undefined)],
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
