"""Checks of variational_autoencoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyro
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
    same_function,
)
from checks.models import same_guide, same_model
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
    if not torch.equal(made(z), made(z)):
        fail("two calls with the same input differ: is there a Dropout?")
    weights = [parameter.detach() for layer in linear for parameter in (layer.weight, layer.bias)]

    def with_these_weights(network: Callable) -> Callable:
        def run(z: Tensor) -> Tensor:
            layers = network(3, 11, 7)
            inner = [m for m in layers.modules() if isinstance(m, nn.Linear)]
            for own, given in zip(
                [p for m in inner for p in (m.weight, m.bias)], weights, strict=True
            ):
                own.data.copy_(given)
            return layers(z)

        return run

    same_function(
        answer,
        [call(z)],
        of=with_these_weights,
        returns=("the network's output",),
        hint="After each of the two hidden layers one nn.GELU(), and nothing else.",
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
    sizes = ((x, 3), (x[:2], 4))
    extra = more or (None, None)
    return [
        call(x, _VAE(d), *([] if value is None else [value]))
        for (x, d), value in zip(sizes, extra, strict=True)
    ]


@exercise("the model")
def vae_model(answer: Any) -> None:
    calls = _calls()
    _reject_plates_of_other_sizes(answer, calls[0])
    same_model(answer, calls)


def _reject_plates_of_other_sizes(answer: Any, c: Call) -> poutine.Trace | None:
    """What plate and events of the images may not be; the trace, as far as the answer gets."""
    if not callable(answer):
        return None
    recorder = poutine.trace()
    with pyro.validation_enabled(False), recorder, suppress(ValueError, RuntimeError):
        answer(*c.args)  # the comparison tells better what it raises
    for name, site in recorder.trace.nodes.items():
        size, part = (getattr(site.get("fn"), key, None) for key in ("size", "subsample_size"))
        if part is not None and part != size:
            fail(
                f"the plate `{name}` draws {part} of {size} images.",
                "The `x` that comes in is the minibatch already: the plate has its length.",
            )
        if size is not None and size > len(c.args[0]):
            fail(
                f"the plate `{name}` has {size} places, and {len(c.args[0])} images come in.",
                "The plate needs the size of the data: take it from the model's arguments.",
            )
        if getattr(site.get("fn"), "event_dim", 0) == 2:
            fail(
                f"`{name}`: .to_event(2) makes all images one event.",
                "What belongs to one image is one vector, .to_event(1); the images are "
                "independent: they need a plate.",
            )
        if site["type"] == "param" and "$$$" not in name:  # as pyro.module names them
            fail(
                f"`{name}` is a pyro.param, and none is needed.",
                "The weights are in the networks already.",
            )
    return recorder.trace


@exercise("the encoder")
def encoder(answer: Any) -> None:
    if isinstance(answer, nn.Module):
        fail("give the class `Encoder` itself, without parentheses.")
    calls = []
    for n, d in ((6, 2), (4, 3)):
        network, mean_image = nn.Linear(PIXELS, 2 * d), torch.rand(PIXELS)
        with torch.no_grad():
            network.weight.mul_(2)
            network.bias.copy_(torch.randn(2 * d) - 1)
        x = torch.bernoulli(torch.full((n, PIXELS), 0.4))
        calls.append(call(network, mean_image, x))

    def encoding(cls: Callable) -> Callable:
        return lambda network, mean_image, x: cls(network, mean_image)(x)

    same_function(answer, calls, of=encoding, returns=("mean", "sd"), tolerance=1e-5)
    for name, value in zip(("mean", "sd"), encoding(answer)(*calls[0].args), strict=True):
        if not value.requires_grad:
            fail(f"`{name}` is cut off from the network's weights, so no fit can move them.")


def _reject_cut_off(guide: Callable, c: Call) -> None:
    """The encoder's mean or sd with the right numbers, but out of the gradient's reach."""
    fn = poutine.trace(guide).get_trace(*c.args).nodes["z"]["fn"]
    weights = list(c.args[1].encoder.parameters())
    for name, value in (("mean", fn.mean), ("standard deviation", fn.stddev)):
        reached = value.requires_grad and any(
            gradient is not None
            for gradient in torch.autograd.grad(
                value.sum(), weights, allow_unused=True, retain_graph=True
            )
        )
        if not reached:
            fail(
                f"`z`: its {name} has the right value, but the encoder's weights do not reach it.",
                "Without .detach(), .item() or torch.no_grad() the gradient finds its way.",
            )


@exercise("a draw that lets gradients through")
def reparameterise(answer: Any) -> None:
    mean, sd = torch.randn(400, 3), 0.3 + torch.rand(400, 3)
    z = answer(mean.requires_grad_(), sd.requires_grad_())
    _reject_other_than_tensor("z", z)
    try:
        same_function(answer, [call(mean.detach(), sd.detach())], returns=("z",))
    except CheckFailed:  # which is right for draws that are made in another way
        if not _draws_right(answer):
            raise
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
    draws = answer(m.expand(n, 3), s.expand(n, 3)).detach()
    if draws.shape != (n, 3):
        return False
    noise = (draws - m) / s
    wanted = ((noise, 0.0), (noise**2, 1.0), (noise**4, 3.0), (noise * noise.roll(1, -1), 0.0))
    # Five standard errors, of the fourth power √(96/n) for each.
    return all(((x.mean(0) - e).abs() < 5 * (96 / n) ** 0.5).all() for x, e in wanted)


def _reject_other_than_tensor(name: str, value: Any) -> None:
    if value is None:
        fail(f"`{name}` is None.", "Does your function end in a `return`?")
    if not isinstance(value, Tensor):
        fail(
            f"`{name}` should be a tensor, not {type(value).__name__}.",
            "The next cells go on with it as a tensor: no `.tolist()`, `.numpy()`, and no loop "
            "that makes a list.",
        )


@exercise("what is lost, and what it costs")
def distortion_and_rate(answer: Any) -> None:
    calls = []
    for n, pixels, d, size in ((5, 12, 3, 2.0), (4, 9, 2, 2.0), (3, 7, 4, 60.0)):
        x, logits = torch.bernoulli(torch.full((n, pixels), 0.4)), size * torch.randn(n, pixels)
        calls.append(call(x, logits, 1.5 * torch.randn(n, d), 0.2 + torch.rand(n, d)))
    if isinstance(result := calls[-1].of(answer), tuple) and not all(
        torch.isfinite(torch.as_tensor(value)).all() for value in result
    ):
        same_function(answer, calls[:2], returns=("D", "R"))
        fail(
            "right for small logits; for large ones D is not a finite number.",
            "The sigmoid of 60 is rounded to 1, and ln(1 - 1) is infinite: Bernoulli takes logits.",
        )
    same_function(answer, calls, returns=("D", "R"))
    D, R = call(*calls[0].args[:1], *(a.requires_grad_() for a in calls[0].args[1:])).of(answer)
    for name, value in (("D", D), ("R", R)):
        if not value.requires_grad:
            fail(
                f"`{name}` has the right value, but no gradient passes through it.",
                "No .detach(), .item() or torch.no_grad(): the fit follows this gradient.",
            )


@exercise("ln p(x) without a grid")
def importance_weighted(answer: Any) -> None:
    calls = []
    for K, n, level in ((7, 4, -3.0), (12, 3, -140.0), (9, 5, -1000.0)):
        calls.append(call(level + 2 * torch.randn(K, n), -1.0 + torch.randn(K, n)))
    far_apart = torch.tensor([-3.0, -2000.0])  # two images, the second much less probable
    calls.append(call(far_apart + 2 * torch.randn(8, 2).double(), torch.randn(8, 2).double()))
    _reject_other_than_tensor("estimate", calls[0].of(answer))
    if not all(torch.isfinite(torch.as_tensor(c.of(answer))).all() for c in calls[1:]):
        same_function(answer, calls[:1], returns=("estimate",))
        fail(
            "right for large weights; for tiny ones, as images have, the result is infinite.",
            "e^-140 is 0 in single precision, and beyond e^-745 in double, too.",
            "Which function takes logarithms to logarithms?",
        )
    hint = "Is K the number of draws that come in, and no fixed number?"
    same_function(answer, calls, returns=("estimate",), hint=hint)


@exercise("β in the ELBO")
def beta_elbo(beta_model: Any, beta_guide: Any) -> None:
    calls = _calls(2.5, 0.4)
    for name, answer in (("beta_model", beta_model), ("beta_guide", beta_guide)):
        if not callable(answer):
            fail(f"`{name}` should be a function, not {type(answer).__name__}.")
    trace = _reject_plates_of_other_sizes(beta_guide, calls[0])
    if trace and "x" in trace.nodes and trace.nodes["x"]["type"] == "sample":
        fail("`beta_guide` samples `x`: have model and guide changed places?")
    with naming("beta_model"):
        same_model(beta_model, calls, name="beta_model")
    with naming("beta_guide"):
        same_model(beta_guide, calls, name="beta_guide")
        _reject_cut_off(beta_guide, calls[0])

        def registered(x: Tensor, vae: nn.Module, beta: float) -> Any:
            pyro.module("encoder", vae.encoder)  # makes the weights known as parameters
            with poutine.block(hide_types=["param"]):  # what the answer registers itself
                return beta_guide(x, vae, beta)

        with warnings.catch_warnings():  # of a module whose weights are replaced one by one
            warnings.simplefilter("ignore", UserWarning)
            same_guide(registered, beta_model, calls[:1])


def elbo_at_least(elbo: float, limit: float) -> None:
    """Pass if the ELBO of the fifty-dimensional model is at least ``limit`` nats."""
    if not elbo >= limit:  # nan too
        fail(
            f"The ELBO for d = 50 is {elbo:.2f} nats; at least {limit:g} can be reached.",
            "Was the fit cut short, or are encoder, decoder or loop not those of the exercises?",
        )
    print(f"✓ ELBO for d = 50: at least {limit:g} nats")
