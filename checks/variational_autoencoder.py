"""Checks of Day2/4_variational_autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pyro import poutine
from torch import Tensor, nn
from torch.nn.functional import softplus

from checks.engine import (
    Call,
    CheckFailed,
    call,
    exercise,
    fail,
    naming,
    outcome,
    ran,
    same_function,
)
from checks.models import same_model, same_plates
from checks.scorecard import scorecard_within

__all__ = ["scorecard_within"]

PIXELS = 784


@exercise("the decoder")
def decoder(answer: Any) -> None:
    if isinstance(answer, nn.Module):
        fail("give the function `network` itself, not a network that it made.")
    made = outcome(answer, call(3, 11, 7), "network")
    if isinstance(made, list | tuple):
        fail("these are layers, not yet a network: nn.Sequential puts them in a row.")
    if not isinstance(made, nn.Module):
        fail(f"`network` should return a network, an nn.Module, not {type(made).__name__}.")
    linear = [m for m in made.modules() if isinstance(m, nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in linear]
    text = " · ".join(f"{a} → {b}" for a, b in sizes) or "none"
    if sizes == [(11, 7), (7, 7), (7, 3)]:
        fail("it is the wrong way round.", "The first argument is the number of inputs.")
    if len(sizes) != 3:
        fail(
            f"three linear layers are asked for; for network(3, 11, 7) yours are: {text}.",
            "Two hidden layers, and a layer from the second one to the outputs.",
        )
    if 300 in sum(sizes, ()):
        fail(
            "a call with another `hidden` still makes layers of 300 units.",
            "Use the argument `hidden`: neither the number 300, nor `settings`.",
        )
    if sizes != [(3, 7), (7, 7), (7, 11)]:
        fail(
            f"for network(3, 11, 7) the layers are {text}.",
            "Inputs to hidden, hidden to hidden, hidden to outputs.",
        )
    if any(layer.bias is None for layer in linear):
        fail("a linear layer has no bias: leave `bias` as it is.")
    z = 3 * torch.randn(40, 3)
    weights = [parameter.detach() for parameter in made.parameters()]

    def with_these_weights(network: Callable) -> Callable:
        def run(z: Tensor) -> Tensor:
            layers = network(3, 11, 7)
            for own, given in zip(layers.parameters(), weights, strict=True):
                own.data.copy_(given)
            return layers(z)

        return run

    same_function(
        answer,
        [call(z)],
        of=with_these_weights,
        returns=("the network's output",),
        hint="After each of the two hidden layers one nn.GELU(), and nothing else.",
        if_random=["two calls with the same input differ: is there a Dropout?"],
    )


class _Part(nn.Module):
    """A small encoder or decoder that complains of what it should not get."""

    def __init__(self, d: int, decodes: bool) -> None:
        super().__init__()
        self.d, self.decodes = d, decodes
        self.layer = nn.Linear(d, PIXELS) if decodes else nn.Linear(PIXELS, 2 * d)

    def forward(self, inputs: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if not isinstance(inputs, Tensor):
            fail("the networks take a tensor: the decoder z, the encoder x.")
        if not self.decodes:
            if inputs.shape[-1:] != (PIXELS,):
                fail("the encoder takes images, `x`.")
            mean, raw = self.layer(inputs).chunk(2, -1)
            return 3 * mean, softplus(2 * raw - 1) + 0.05
        if inputs.shape[-1:] == (PIXELS,):
            fail("the decoder gets an image; it takes z.")
        if inputs.shape[-1:] != (self.d,):
            fail(
                f"in the check vae.d is {self.d}, and the decoder gets something of shape "
                f"{tuple(inputs.shape)}.",
                "z has vae.d entries for each image.",
            )
        return torch.tanh(self.layer(inputs)) * 2


class _VAE(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.d, self.encoder, self.decoder = d, _Part(d, decodes=False), _Part(d, decodes=True)


def _calls(*more: float) -> list[Call]:
    x = torch.bernoulli(torch.full((5, PIXELS), 0.4))
    return [call(x, _VAE(3), *more[:1]), call(x[:2], _VAE(4), *more[1:])]


@exercise("the model")
def vae_model(answer: Any) -> None:
    same_model(answer, _calls())


@exercise("the encoder")
def encoder(answer: Any) -> None:
    if isinstance(answer, nn.Module):
        fail("give the class `Encoder` itself, without parentheses.")
    calls = []
    for n, d in ((6, 2), (4, 3)):
        weight, bias = torch.randn(2 * d, PIXELS) / 25, torch.randn(2 * d) - 1
        x = torch.bernoulli(torch.full((n, PIXELS), 0.4))
        calls.append(call(weight, bias, torch.rand(PIXELS), x))

    def encoding(cls: Callable) -> Callable:
        def run(weight: Tensor, bias: Tensor, mean_image: Tensor, x: Tensor) -> Any:
            return cls(lambda images: nn.functional.linear(images, weight, bias), mean_image)(x)

        return run

    same_function(
        answer,
        calls,
        of=encoding,
        returns=("mean", "sd"),
        tolerance=1e-5,
        gradients=("weight",),
    )


@exercise("a draw that lets gradients through")
def reparameterise(answer: Any) -> None:
    mean, sd = torch.randn(400, 3), 0.3 + torch.rand(400, 3)
    try:
        same_function(answer, [call(mean, sd)], returns=("z",), tensors=True)
    except CheckFailed:  # which is right for draws that are made in another way
        if not _draws_right(answer):
            raise
    z = answer(mean.requires_grad_(), sd.requires_grad_())
    if torch.equal(z, answer(mean, sd)):
        fail("two calls give the same draw: is a seed set inside?")
    gradients = [None, None]
    if z.requires_grad:
        gradients = torch.autograd.grad(z.sum(), [mean, sd], allow_unused=True)
    wanted = {"mean": torch.ones_like(mean), "sd": ((z - mean) / sd).detach()}
    for (name, want), gradient in zip(wanted.items(), gradients, strict=True):
        if gradient is None or not torch.allclose(gradient, want, atol=1e-3):
            fail(
                f"the draw is right, but no gradient passes through it to `{name}`.",
                "Does it come from .sample(), torch.normal or .detach()? Compute it from mean, sd "
                "and ε.",
            )


def _draws_right(answer: Callable) -> bool:
    """Whether the draws are independent and normal, by the moments of many."""
    n, m, s = 40_000, torch.tensor([2.0, -3.0, 0.5]), torch.tensor([0.4, 1.8, 0.7])
    draws = answer(m.expand(n, 3), s.expand(n, 3))
    if not isinstance(draws, Tensor) or draws.shape != (n, 3):
        return False
    noise = (draws.detach() - m) / s
    wanted = ((noise, 0.0), (noise**2, 1.0), (noise**4, 3.0), (noise * noise.roll(1, -1), 0.0))
    # Five standard errors, of the fourth power √(96/n) for each.
    return all(((x.mean(0) - e).abs() < 5 * (96 / n) ** 0.5).all() for x, e in wanted)


@exercise("what is lost, and what it costs")
def distortion_and_rate(answer: Any) -> None:
    calls = []
    for n, pixels, d, size in ((5, 12, 3, 2.0), (4, 9, 2, 2.0), (3, 7, 4, 60.0)):
        x, logits = torch.bernoulli(torch.full((n, pixels), 0.4)), size * torch.randn(n, pixels)
        calls.append(call(x, logits, 1.5 * torch.randn(n, d), 0.2 + torch.rand(n, d)))
    rounded = (
        "right for small logits; for large ones D is not a finite number.",
        "The sigmoid of 60 is rounded to 1, and ln(1 - 1) is infinite: Bernoulli takes logits.",
    )
    same_function(
        answer,
        calls[:2],
        returns=("D", "R"),
        extremes=[(calls[2], rounded)],
        gradients=("logits", "mean", "sd"),
    )


@exercise("ln p(x) without a grid")
def importance_weighted(answer: Any) -> None:
    calls = [call(2 * torch.randn(K, n) - 3, torch.randn(K, n) - 1) for K, n in ((7, 4), (12, 3))]
    levels = torch.tensor([-1000.0, -3000.0])  # two images, the second much less probable
    tiny = call(levels + 2 * torch.randn(8, 2), torch.randn(8, 2))
    infinite = (
        "right for large weights; for tiny ones, as images have, the result is infinite.",
        "e^-140 is 0 in single precision, and beyond e^-745 in double, too.",
        "Which function takes logarithms to logarithms?",
    )
    same_function(
        answer,
        calls,
        returns=("estimate",),
        hint="Is K the number of draws that come in, and no fixed number?",
        tensors=True,
        extremes=[(tiny, infinite)],
    )


@exercise("β in the ELBO")
def beta_elbo(beta_model: Any, beta_guide: Any) -> None:
    calls = _calls(2.5, 0.4)
    trace = ran(lambda: poutine.trace(beta_guide).get_trace(*calls[0].args))
    if trace and "x" in trace.nodes:
        fail("`beta_guide` samples `x`: have model and guide changed places?")
    for name, answer in (("beta_model", beta_model), ("beta_guide", beta_guide)):
        with naming(name):
            same_model(answer, calls, name=name)
    same_plates(beta_guide, beta_model, calls[0])


def elbo_at_least(elbo: float, limit: float) -> None:
    """Pass if the ELBO of the fifty-dimensional model is at least ``limit`` nats."""
    if not elbo >= limit:  # nan too
        fail(
            f"The ELBO for d = 50 is {elbo:.2f} nats; at least {limit:g} can be reached.",
            "Was the fit cut short, or are encoder, decoder or loop not those of the exercises?",
        )
    print(f"✓ ELBO for d = 50: at least {limit:g} nats")
