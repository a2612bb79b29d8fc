"""Checks of Day2/5_variational_autoencoder."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.poutine.util import site_is_subsample
from torch import Tensor, nn
from torch.nn.functional import softplus

from utils.checks.engine import (
    CheckFailed,
    Twin,
    call,
    exercise,
    fail,
    outcome,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_guide, same_model

# The exercises, and the scorecard; `elbo_at_least` belongs to the latter.
__all__ = [
    "beta_elbo",
    "decoder",
    "encoder",
    "importance_weighted",
    "kl_normals",
    "reparameterise",
    "scorecard_within",
    "vae_guide",
    "vae_model",
]

PIXELS = 784


# --------------------------------------------------------------------------------- 1, decoder


def _forward(layers: list[nn.Linear], z: Tensor, between=nn.functional.gelu, last=lambda h: h):
    h = z
    for layer in layers[:-1]:
        h = between(layer(h))
    return last(layers[-1](h))


@exercise("Exercise 1, the decoder")
def decoder(answer) -> None:
    if isinstance(answer, nn.Module):
        fail("give the function `network` itself, not a network that it made.")
    made = answer(3, 11, 7)
    if isinstance(made, list | tuple):
        fail("these are layers, not yet a network: nn.Sequential puts them in a row.")
    if made is None:
        fail("`network` returns None.", "What you make has to be called `layers`.")
    if isinstance(made, type) or not isinstance(made, nn.Module):
        fail(f"`network` should return a network, an nn.Module, not {type(made).__name__}.")
    linear = [m for m in made.modules() if isinstance(m, nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in linear]
    wanted = [(3, 7), (7, 7), (7, 11)]
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
    if sizes != wanted:
        fail(
            f"for network(3, 11, 7) the layers are {text}.",
            "Inputs to hidden, hidden to hidden, hidden to outputs.",
        )
    if any(layer.bias is None for layer in linear):
        fail("a linear layer has no bias: leave `bias` as it is.")
    z = 3 * torch.randn(40, 3)
    with torch.no_grad():
        result = made(z)
        if not torch.equal(result, made(z)):
            fail("two calls with the same input differ: is there a Dropout?")
        if result.shape != (40, 11):
            fail(f"40 inputs should give an output of shape (40, 11), not {tuple(result.shape)}.")

        def same(**changes: Any) -> bool:
            return torch.allclose(result, _forward(linear, z, **changes), atol=1e-5)

        if same():
            return
        if same(between=lambda h: h):
            fail(
                "without a non-linear function between them, three linear layers are one.",
                "nn.GELU() belongs after each hidden layer.",
            )
        f = nn.functional
        ends = {
            "sigmoid": torch.sigmoid, "GELU": f.gelu, "softplus": f.softplus, "tanh": torch.tanh,
            "ReLU": f.relu, "softmax": lambda h: h.softmax(-1),
            "log-softmax": lambda h: h.log_softmax(-1), "log-sigmoid": f.logsigmoid,
        }  # fmt: skip
        for name, end in ends.items():
            if same(last=end):
                fail(
                    f"there is a {name} after the last layer.",
                    "Its outputs are logits, which may be any real numbers.",
                )
        others = {
            "ReLU": f.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "SiLU": f.silu,
            "softplus": f.softplus, "ELU": f.elu, "leaky ReLU": f.leaky_relu,
        }  # fmt: skip
        for name, other in others.items():
            if same(between=other):
                fail(
                    f"the function between the layers is {name}, and the task says nn.GELU().",
                )
        if torch.allclose(result, linear[2](linear[1](f.gelu(linear[0](z)))), atol=1e-5):
            fail("nn.GELU() is missing after the second hidden layer.")
        if torch.allclose(result, linear[2](f.gelu(linear[1](linear[0](z)))), atol=1e-5):
            fail("nn.GELU() is missing after the first hidden layer.")
    fail(
        "the layers are right, but not what happens between them.",
        "After each of the two hidden layers one nn.GELU(), and nothing else.",
    )


# ----------------------------------------------------------------------------- 2, 4, model, guide


class _Decoder(nn.Module):
    """A small decoder that complains of a z of another size."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.d, self.layer = d, nn.Linear(d, PIXELS)

    def forward(self, z: Tensor) -> Tensor:
        if not isinstance(z, Tensor):
            fail("the decoder takes a tensor, the z that was drawn.")
        if z.shape[-1:] != (self.d,):
            if z.shape[-1:] == (PIXELS,):
                fail("the decoder gets an image; it takes z.")
            fail(
                f"in the check vae.d is {self.d}, and the decoder gets something of shape "
                f"{tuple(z.shape)}.",
                "z has vae.d entries for each image.",
            )
        return torch.tanh(self.layer(z)) * 2


class _Encoder(nn.Module):
    """A small encoder that complains of what is not an image."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.layer = nn.Linear(PIXELS, 2 * d)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not isinstance(x, Tensor) or x.shape[-1:] != (PIXELS,):
            fail("the encoder takes images, `x`.")
        mean, raw = self.layer(x).chunk(2, -1)
        return 3 * mean, softplus(2 * raw - 1) + 0.05


class _VAE(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.d, self.encoder, self.decoder = d, _Encoder(d), _Decoder(d)


def reference_model(x, vae, prior=lambda x, vae: dist.Normal(torch.zeros(vae.d), 1.0), logits=None):
    with pyro.plate("images", len(x)):
        z = pyro.sample("z", prior(x, vae).to_event(1))
        logits = vae.decoder(z) if logits is None else logits(z, vae)
        pyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)


def reference_guide(x, vae, wrong=lambda mean, sd: (mean, sd), before=lambda x, vae: x):
    with pyro.plate("images", len(x)):
        mean, sd = wrong(*vae.encoder(before(x, vae)))
        pyro.sample("z", dist.Normal(mean, sd).to_event(1))


def _calls(d: int = 3) -> list:
    x = torch.bernoulli(torch.full((5, PIXELS), 0.4))
    return [call(x, _VAE(d)), call(x[:2], _VAE(d + 1))]


def _reject_entries_as_images(answer: Callable, *args) -> poutine.Trace:
    """A site without to_event in the plate, or other trouble with sizes: say so in words."""
    recorder = poutine.trace()
    try:
        with recorder:
            answer(*args)
    except ValueError as error:
        _reject_subsample(recorder.trace)
        mismatch = re.search(
            r"mismatch inside plate.* site (\S+) dim -1, (\d+) vs (\d+)", str(error)
        )
        if mismatch and mismatch[3] in (str(PIXELS), str(args[1].d)):
            site, images, entries = mismatch.groups()
            fail(
                f"`{site}`: its {entries} entries count as independent data points, and the plate "
                f"has {images} images.",
                "They are one vector: `.to_event(1)`.",
            )
        _reject_logits_as_probs(str(error))
        raise
    _reject_subsample(recorder.trace)
    return recorder.trace


def _reject_subsample(trace: poutine.Trace) -> None:
    for name, site in trace.nodes.items():
        if site["type"] == "sample" and site_is_subsample(site):
            size, part = site["fn"].size, site["fn"].subsample_size
            if part is not None and part != size:
                fail(
                    f"the plate `{name}` draws {part} of {size} images.",
                    "The `x` that comes in is the minibatch already: the plate has its length.",
                )


def _reject_swapped_prior(answer: Callable, args: tuple) -> None:
    """dist.Normal(1.0, zeros) stops with a complaint of the scale; say what has happened."""
    with pyro.validation_enabled(False):
        recorder = poutine.trace()
        try:
            with recorder:
                answer(*args)
        except (ValueError, RuntimeError):  # the site may come before the trouble
            pass
    z = recorder.trace.nodes.get("z")
    base = getattr(z["fn"], "base_dist", z["fn"]) if z else None
    if isinstance(base, dist.Normal) and (base.scale == 0).all() and (base.loc == 1).all():
        fail(
            "`z`: mean and standard deviation have changed places.",
            "dist.Normal takes the mean first.",
        )


def _reject_logits_as_probs(text: str) -> None:
    if "parameter probs" in text:
        fail(
            "`x`: these are no probabilities: the decoder's outputs may be any real numbers.",
            "By which name does dist.Bernoulli take them?",
        )


def _reject_changed_data(answer: Callable, args: tuple) -> None:
    x = args[0].clone()
    poutine.trace(answer).get_trace(x, *args[1:])
    if not torch.equal(x, args[0]):
        fail("your function changes `x` in place.")


@exercise("Exercise 2, the model")
def vae_model(answer) -> None:
    if not callable(answer):
        fail(f"a model is a function; yours is of type {type(answer).__name__}.")
    calls = _calls()
    try:
        trace = _reject_entries_as_images(answer, *calls[0].args)
    except ValueError as error:
        if "parameter scale" in str(error):
            _reject_swapped_prior(answer, calls[0].args)
        raise
    z, x = trace.nodes.get("z"), trace.nodes.get("x")
    shape = () if z is None else tuple(z["value"].shape)
    if len(shape) == 2 and shape[0] > 100:  # here, for more traces of so many images take long
        fail(
            f"`z` has shape {shape}; with these data it should be (5, 3).",
            "The plate needs the size of the data: take it from the model's arguments.",
        )
    if shape == (3,):
        fail(
            "all images share one `z`, and every image should have its own.",
            "Put its pyro.sample inside the plate.",
        )
    if x is not None and isinstance(getattr(x["fn"], "base_dist", x["fn"]), dist.Normal):
        fail("`x`: a pixel is 0 or 1, and your Normal allows every number.")
    for name, site in trace.nodes.items():
        if site["type"] == "param" and name not in ("z", "x") and "$$$" not in name:
            fail(  # pyro.module's parameters have the $$$ in their names
                f"`{name}` is a pyro.param, and the model needs none.",
                "The weights are in the network already.",
            )
    _reject_changed_data(answer, calls[0].args)

    def variant(message: str, **changes: Callable) -> Twin:
        return Twin(lambda x, vae: reference_model(x, vae, **changes), message)

    same_model(
        answer,
        reference_model,
        calls,
        twins=[
            variant(
                "`z` is what the encoder says. That is the guide; the model starts from the prior.",
                prior=lambda x, vae: dist.Normal(*vae.encoder(x)),
            ),
            variant(
                "`z`: its mean is the encoder's. In the model it has the prior, which knows no x.",
                prior=lambda x, vae: dist.Normal(vae.encoder(x)[0], 1.0),
            ),
            variant(
                "`z`: the prior's mean is 0 for every entry.",
                prior=lambda x, vae: dist.Normal(torch.ones(vae.d), 1.0),
            ),
            variant(
                "`x`: its probabilities do not depend on z.",
                logits=lambda z, vae: vae.decoder(torch.zeros_like(z)),
            ),
            variant(
                "`x`: the sigmoid is applied twice.\n"
                "logits= takes the decoder's output itself, probs= its sigmoid.",
                logits=lambda z, vae: torch.sigmoid(vae.decoder(z)),
            ),
            variant(
                "`x`: the softmax makes the pixels share one unit of ink; the sigmoid is for each.",
                logits=lambda z, vae: torch.logit(vae.decoder(z).softmax(-1), eps=1e-7),
            ),
            variant(
                "`x`: the softmax makes the pixels share one unit of ink; the sigmoid is for each.",
                logits=lambda z, vae: vae.decoder(z).softmax(-1),
            ),
            variant(
                "`x`: an exp too many: the decoder's output is the logit itself.",
                logits=lambda z, vae: vae.decoder(z).exp(),
            ),
        ],
    )


def _reaches(value: Tensor, module: nn.Module) -> bool:
    """Whether a gradient flows from the value to a weight of the module."""
    if not value.requires_grad:
        return False
    weights = list(module.parameters())
    gradients = torch.autograd.grad(value.sum(), weights, allow_unused=True, retain_graph=True)
    return any(gradient is not None for gradient in gradients)


def _reject_cut_off(site: dict | None, encoder: nn.Module, x: Tensor, prefix: str = "") -> None:
    """The encoder's mean or sd with the right numbers, but out of the gradient's reach."""
    base = getattr(site["fn"], "base_dist", site["fn"]) if site else None
    if not isinstance(base, dist.Normal | dist.MultivariateNormal):
        return
    mean, sd = encoder(x)
    parts = (("mean", base.mean, mean), ("standard deviation", base.stddev, sd))
    for name, given, wanted in parts:
        same = given.shape == wanted.shape and torch.allclose(given, wanted, rtol=1e-4)
        if same and not _reaches(given, encoder):
            fail(
                f"{prefix}`z`: its {name} has the right value, but the encoder's weights do not "
                "reach it.",
                "Without .detach(), .item() or torch.no_grad() the gradient finds its way.",
            )


@exercise("Exercise 4, the guide")
def vae_guide(answer) -> None:
    if not callable(answer):
        fail(f"a guide is a function; yours is of type {type(answer).__name__}.")
    calls = _calls()
    x, vae = calls[0].args
    mean, sd = vae.encoder(x)
    with pyro.validation_enabled(False):  # for a negative scale would stop it here
        _reject_entries_as_images(answer, x, vae)
        z = poutine.trace(answer).get_trace(x, vae).nodes.get("z")
    base = getattr(z["fn"], "base_dist", z["fn"]) if z else None
    normal = isinstance(base, dist.Normal) and base.loc.shape == sd.shape
    if normal and torch.allclose(base.loc, sd) and torch.allclose(base.scale, mean):
        fail(
            "`z`: mean and standard deviation have changed places.",
            "The encoder returns the mean first, and dist.Normal takes it first.",
        )
    _reject_changed_data(answer, (x, vae))
    if z is not None and not _reaches(z["value"], vae.encoder):
        if normal and torch.allclose(base.loc, mean) and torch.allclose(base.scale, sd):
            fail(
                "the numbers are right, but the encoder's weights do not reach them.",
                "Without .detach(), .item() or torch.no_grad() the gradient finds its way.",
            )
        fail(
            "the draw of `z` does not depend on the encoder, so no fit can move it.",
            "Where do its mean and standard deviation come from?",
        )
    _reject_cut_off(z, vae.encoder, x)

    def registered(x, vae):
        pyro.module("encoder", vae.encoder)  # makes the weights known as parameters
        with poutine.block(hide_types=["param"]):  # what the answer itself registers, if anything
            return answer(x, vae)

    with warnings.catch_warnings():  # of a module whose weights are replaced one by one
        warnings.simplefilter("ignore", UserWarning)
        for c in calls:
            pyro.clear_param_store()
            same_guide(registered, reference_model, [c])
    pyro.clear_param_store()

    def variant(message: str, **changes: Callable) -> Twin:
        return Twin(lambda x, vae: reference_guide(x, vae, **changes), message)

    same_model(
        answer,
        reference_guide,
        calls,
        twins=[
            variant(
                "`z`: the encoder gives a standard deviation already; no exp is needed.",
                wrong=lambda mean, sd: (mean, sd.exp()),
            ),
            variant(
                "`z`: the encoder gives a standard deviation already; no softplus is needed.",
                wrong=lambda mean, sd: (mean, softplus(sd)),
            ),
            variant(
                "`z`: the encoder gives a standard deviation, not the logarithm of a variance.",
                wrong=lambda mean, sd: (mean, (0.5 * sd).exp()),
            ),
            variant(
                "`z`: its standard deviation is the encoder's, and yours is 1.",
                wrong=lambda mean, sd: (mean, torch.ones_like(sd)),
            ),
            variant(
                "`z`: its mean is the encoder's, and yours is 0.",
                wrong=lambda mean, sd: (torch.zeros_like(mean), sd),
            ),
            variant(
                "`z`: every image has a posterior of its own, not the mean of all in the batch.",
                wrong=lambda mean, sd: (
                    mean.mean(0).expand_as(mean),
                    sd.mean(0).expand_as(sd),
                ),
            ),
            variant(
                "`z`: the encoder takes x as it is; it subtracts the mean image itself.",
                before=lambda x, vae: x - x.mean(0),
            ),
            variant(
                "`z`: the encoder takes x itself, not 1 - x.",
                before=lambda x, vae: 1 - x,
            ),
        ],
    )


# --------------------------------------------------------------------------------- 3, encoder


@exercise("Exercise 3, the encoder")
def encoder(answer) -> None:
    if isinstance(answer, nn.Module):
        fail("give the class `Encoder` itself, without parentheses.")
    calls = []
    for n, d in ((6, 2), (4, 3)):
        network, mean_image = nn.Linear(PIXELS, 2 * d), torch.rand(PIXELS)
        with torch.no_grad():
            network.weight.mul_(4)
            network.bias.copy_(torch.randn(2 * d) - 1)
        x = torch.bernoulli(torch.full((n, PIXELS), 0.4))
        calls.append(call(network, mean_image, x))
    network, mean_image, x = calls[0].args
    result = answer(network, mean_image)(x)
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail("`forward` should return two values, `mean` and `sd`.")
    mean, sd = result
    for name, value in (("mean", mean), ("sd", sd)):
        if isinstance(value, Tensor) and tuple(value.shape) == (3, 4):
            fail(
                f"`{name}`: you have split the images in two halves, not the network's outputs.",
                "The outputs are the last dimension, -1.",
            )
        if isinstance(value, Tensor) and tuple(value.shape) == (6, 4):
            fail(f"`{name}` has all outputs of the network; it should have half of them.")
        if isinstance(value, Tensor) and tuple(value.shape) == (6, 1, 2):
            fail(f"`{name}` should have shape (n, d); yours has a dimension of size 1.")
    if isinstance(sd, Tensor) and isinstance(mean, Tensor) and (sd <= 0).any():
        if (mean > 0).all():
            fail("`mean` and `sd` have changed places: return the mean first.")
        fail(
            "`sd` has entries that are not positive, and a standard deviation has to be.",
            "What does the formula apply to the second half?",
        )
    if not (sd.requires_grad and mean.requires_grad):
        name = "mean" if sd.requires_grad else "sd"
        fail(f"`{name}` is cut off from the network's weights, so no fit can move them.")

    def right(network, mean_image, x, centre=None, scale=None, halves=None):
        h = network(x - mean_image if centre is None else centre(x, mean_image))
        first, second = h.chunk(2, -1) if halves is None else halves(h)
        return first, softplus(second) + 1e-4 if scale is None else scale(second)

    def part(index: int, function: Callable) -> Callable:
        return lambda *args: function(*args)[index].detach()

    def build(network, mean_image, x):
        return answer(network, mean_image)(x)

    def twins(index: int, variants: list[tuple[str, dict]]) -> list[Twin]:
        return [
            Twin(part(index, lambda *args, c=changes: right(*args, **c)), message)
            for message, changes in variants
        ]

    outside = getattr(answer.forward, "__globals__", {}).get("mean_image", 0.5)
    inputs = [
        ("the mean image is not subtracted.", {"centre": lambda x, m: x}),
        ("the mean image is subtracted from x, not added.", {"centre": lambda x, m: x + m}),
        ("x and x̄ have changed places.", {"centre": lambda x, m: m - x}),
        (
            "x̄ is the mean of the training images, self.mean_image, not of this batch.",
            {"centre": lambda x, m: x - x.mean(0)},
        ),
        ("x̄ is an image, not a single number.", {"centre": lambda x, m: x - m.mean()}),
        (
            "x̄ is self.mean_image, what the encoder was given, not a variable of the notebook.",
            {"centre": lambda x, m: x - outside},
        ),
        (
            "the halves have changed places: the mean is the first.",
            {"halves": lambda h: h.chunk(2, -1)[::-1]},
        ),
        (
            "every second output is not the first half.",
            {"halves": lambda h: (h[..., ::2], h[..., 1::2])},
        ),
    ]
    both = ("mean", "sd")
    for index, name in enumerate(both):
        own = (
            [("there is a softplus on the mean, which may be any number.", None)]
            if index == 0
            else []
        )
        extra = [Twin(part(0, lambda *a: (softplus(right(*a)[0]),)), message) for message, _ in own]
        extra += [
            Twin(part(0, lambda *a, f=f: (f(right(*a)[0]),)), f"there is a {text} on the mean.")
            for text, f in (("tanh", torch.tanh), ("sigmoid", torch.sigmoid))
            if index == 0
        ]
        if index == 1:
            extra = twins(
                1,
                [
                    (
                        "0.0001 is added to the softplus; yours lacks it, or cuts off there.",
                        {"scale": softplus},
                    ),
                    (
                        "exp is positive, too, but the formula says softplus, plus 0.0001.",
                        {"scale": torch.exp},
                    ),
                    (
                        "exp is positive, too, but the formula says softplus, plus 0.0001.",
                        {"scale": lambda s: s.exp() + 1e-4},
                    ),
                    (
                        "that reads the output as a log variance; the formula says softplus.",
                        {"scale": lambda s: (0.5 * s).exp()},
                    ),
                    (
                        "the absolute value is positive, but the formula says softplus.",
                        {"scale": lambda s: s.abs() + 1e-4},
                    ),
                    (
                        "ReLU makes every negative number the floor, where the gradient is 0.",
                        {"scale": lambda s: s.relu() + 1e-4},
                    ),
                    (
                        "the sigmoid is below 1; the formula says softplus.",
                        {"scale": lambda s: s.sigmoid() + 1e-4},
                    ),
                    (
                        "the 0.0001 is added after softplus, not before.",
                        {"scale": lambda s: softplus(s + 1e-4)},
                    ),
                    (
                        "there is a square root, or a square, too many.",
                        {"scale": lambda s: softplus(s).sqrt() + 1e-4},
                    ),
                    (
                        "there is a square root, or a square, too many.",
                        {"scale": lambda s: (softplus(s) + 1e-4).sqrt()},
                    ),
                    (
                        "there is a square root, or a square, too many.",
                        {"scale": lambda s: (softplus(s) + 1e-4) ** 2},
                    ),
                    (
                        "there is a square root, or a square, too many.",
                        {"scale": lambda s: softplus(s) ** 2 + 1e-4},
                    ),
                    (
                        "that is softplus(...) + 0.001; look at the number of zeros.",
                        {"scale": lambda s: softplus(s) + 1e-3},
                    ),
                ],
            )
        same_function(
            part(index, build),
            part(index, right),
            calls,
            name="Encoder",
            returns=(name,),
            tolerance=2e-5,
            twins=[Twin(t.answer, f"`{name}`: {t.message}") for t in twins(index, inputs) + extra],
        )


# ------------------------------------------------------------------------ 5, 6, the ELBO's parts


@exercise("Exercise 5, a draw that lets gradients through")
def reparameterise(answer) -> None:
    mean = torch.randn(400, 3).requires_grad_()
    sd = (0.3 + torch.rand(400, 3)).requires_grad_()
    z = answer(mean, sd)
    if z is None:
        fail("`z` is None.", "Does your function end in a `return`?")
    if not isinstance(z, Tensor):
        fail(f"`z` should be a tensor, not {type(z).__name__}.")
    if z.shape != mean.shape:
        fail(
            f"`z` should have the shape of `mean`, {tuple(mean.shape)}; yours has "
            f"{tuple(z.shape)}.",
        )
    again = answer(mean, sd)
    noise = (z - mean).detach() / sd.detach()
    if torch.allclose(noise, torch.zeros_like(noise), atol=1e-5):
        fail("that is the mean: there is no noise in it.")
    if torch.allclose(noise, torch.ones_like(noise), atol=1e-4):
        fail("that is mean + sd: ε is random, with a value of its own for every entry.")
    if torch.equal(z, again):
        fail("two calls give the same draw: is a seed set inside?")
    for name, size in (("image", 3), ("entry of z", 400)):
        dim = 1 if size == 3 else 0
        if (noise.std(dim) < 1e-3).all():
            fail(
                f"all numbers of one {name} get the same ε; every number needs its own."
                if dim
                else "all images get the same ε; every one needs its own.",
                "torch.randn_like(mean) has the shape of `mean`.",
            )
    with torch.no_grad():
        _compare_draw(answer, mean, sd)
    if not z.requires_grad:
        fail(
            "the draw is right, but no gradient passes through it.",
            "Does it come from .sample(), torch.normal or .detach()? Compute it from mean, sd and "
            "ε.",
        )
    gradients = torch.autograd.grad(z.sum(), [mean, sd], allow_unused=True)
    for name, gradient, want in zip(
        ("mean", "sd"), gradients, (torch.ones_like(mean), noise), strict=True
    ):
        if gradient is None or not torch.allclose(gradient, want, atol=1e-3):
            fail(
                f"the draw is right, but not its gradient in `{name}`.",
                "Is `.detach()` on it, or does it come from torch.normal?",
            )


def _compare_draw(answer: Callable, mean: Tensor, sd: Tensor) -> None:
    """The distribution of the draws, by the mean and spread of many; then by typical mistakes."""
    n = 40_000
    m, s = torch.tensor([2.0, -3.0, 0.5]), torch.tensor([0.4, 1.8, 0.7])
    m, s = m.to(mean), s.to(sd)
    z = answer(m.expand(n, 3), s.expand(n, 3))
    centre, spread = z.mean(0), z.std(0)
    # Standard errors: s / √n of a mean, s / √(2n) of an sd.
    tolerance = 5 * s / math.sqrt(n)

    def near(a: Tensor, b: Tensor, scale: float | Tensor = 1.0) -> bool:
        return bool(((a - b).abs() <= tolerance * scale).all())

    if near(centre, m) and near(spread, s):
        kurtosis = (((z - m) / s) ** 4).mean().item()
        if abs(kurtosis - 3) > 0.3:
            fail("mean and spread are right, but the draws are not normal.")
        return
    if near(spread, s / math.sqrt(12)):
        fail("ε is uniform: torch.rand. A standard normal comes from torch.randn.")
    if near(centre, m):
        if near(spread, s**2, 10.0):
            fail("ε is multiplied by the variance; sd is the standard deviation itself.")
        if near(spread, s.sqrt(), 3.0):
            fail("there is a square root too many: sd is a standard deviation.")
        if near(spread, s.exp(), 10.0):
            fail("sd is a standard deviation already; no exp is needed.")
        if near(spread, softplus(s), 5.0):
            fail("sd is a standard deviation already; no softplus is needed.")
        if near(spread, torch.ones_like(s), 5.0):
            fail("the spread does not depend on sd: ε is multiplied by it.")
        fail("the draws have the right mean, but not the standard deviation sd.")
    if near(centre, m + s, 2.0):
        fail("the draws lie around mean + sd: is sd added, and not multiplied by ε?")
    if near(centre, s, 12.0):
        fail("mean and sd have changed places.")
    if near(centre, torch.zeros_like(m), 5.0):
        fail("the draws lie around 0: the mean is missing.")
    fail("the draws do not have the mean `mean`.", "Look at the formula again.")


def _kl(mean, sd, mean_0, sd_0, log=None, square=None, constant=-0.5, reduce=None):
    log = (sd_0 / sd).log() if log is None else log(sd, sd_0)
    if square is None:
        square = (sd**2 + (mean - mean_0) ** 2) / (2 * sd_0**2)
    else:
        square = square(mean, sd, mean_0, sd_0)
    terms = log + square + constant
    return terms.sum(-1) if reduce is None else reduce(terms)


def _reject_other_than_tensor(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        fail(
            f"`{name}` should be a tensor, not {type(value).__name__}.",
            "The next cells go on with it as a tensor: no `.tolist()`, `.numpy()`, and no loop "
            "that makes a list.",
        )


@exercise("Exercise 6, the KL divergence of two normal distributions")
def kl_normals(answer) -> None:
    calls = [
        call(torch.randn(n, d), 0.2 + torch.rand(n, d), torch.randn(d), 0.7 + torch.rand(d))
        for n, d in ((5, 3), (4, 2))
    ]
    result = outcome(answer, calls[0], "kl_normals")
    _reject_other_than_tensor("kl", result)
    if isinstance(result, Tensor) and tuple(result.shape) == (5, 3):
        fail("that is one number for each entry of z; the divergence of an image is their sum.")
    if isinstance(result, Tensor) and not result.ndim:
        fail(
            "that is one number for all images; every image has a divergence of its own.",
            "Sum over the last dimension only.",
        )
    if isinstance(result, Tensor) and tuple(result.shape) == (3,):
        fail("the sum runs over the images; it should run over the entries of z, the last ones.")

    def variant(message: str, **changes: Any) -> Twin:
        return Twin(lambda *args: _kl(*args, **changes), message)

    same_function(
        answer,
        _kl,
        calls,
        name="kl_normals",
        returns=("kl",),
        twins=[
            Twin(
                lambda m, s, m0, s0: _kl(m0.expand_as(m), s0.expand_as(s), m, s),
                "that is the divergence the other way round: from the prior to q.",
            ),
            Twin(
                lambda *args: -_kl(*args), "the sign is reversed; a divergence is never negative."
            ),
            variant("the mean over the entries is not their sum.", reduce=lambda t: t.mean(-1)),
            variant(
                "d is hard-coded: z has as many entries as `mean` has columns.",
                reduce=lambda t: t[:, :2].sum(-1),
            ),
            variant("ln is the natural logarithm, `.log()`.", log=lambda s, s0: (s0 / s).log10()),
            variant("the ½ at the end is missing.", constant=0.0),
            variant("the ½ at the end is subtracted, not added.", constant=0.5),
            variant("at the end stands ½, and yours is 1.", constant=-1.0),
            Twin(
                lambda *args: _kl(*args, constant=0.0) - 0.5,
                "the ½ belongs to every entry, inside the sum.",
            ),
            variant(
                "the fraction in the logarithm is upside down.", log=lambda s, s0: (s / s0).log()
            ),
            variant(
                "the logarithm is of standard deviations, and yours is of variances.",
                log=lambda s, s0: (s0**2 / s**2).log(),
            ),
            variant("the logarithm is missing.", log=lambda s, s0: s0 / s),
            variant("the term with the logarithm is missing.", log=lambda s, s0: 0 * s),
            variant(
                "σ₀ is missing: that is right for a prior with standard deviation 1 only.",
                log=lambda s, s0: -s.log(),
                square=lambda m, s, m0, s0: (s**2 + (m - m0) ** 2) / 2,
            ),
            variant(
                "mean and sd of the prior are not used: that is right for N(0, I) only.",
                log=lambda s, s0: -s.log(),
                square=lambda m, s, m0, s0: (s**2 + m**2) / 2,
            ),
            variant("σ₀ is missing in the logarithm.", log=lambda s, s0: -s.log()),
            variant("μ₀ is missing.", square=lambda m, s, m0, s0: (s**2 + m**2) / (2 * s0**2)),
            variant(
                "the fraction is divided by 2σ₀², and yours by 2σ₀.",
                square=lambda m, s, m0, s0: (s**2 + (m - m0) ** 2) / (2 * s0),
            ),
            variant(
                "the 2 in 2σ₀² is missing.",
                square=lambda m, s, m0, s0: (s**2 + (m - m0) ** 2) / s0**2,
            ),
            variant(
                "above the fraction line stands the variance σ², and yours is σ.",
                square=lambda m, s, m0, s0: (s + (m - m0) ** 2) / (2 * s0**2),
            ),
            variant(
                "the difference of the means is squared.",
                square=lambda m, s, m0, s0: (s**2 + (m - m0)) / (2 * s0**2),
            ),
            variant(
                "the square is of the difference of the means, not of the sum with σ.",
                square=lambda m, s, m0, s0: (s + m - m0) ** 2 / (2 * s0**2),
            ),
            variant(
                "brackets are missing: all of σ² + (μ - μ₀)² is divided.",
                square=lambda m, s, m0, s0: s**2 + (m - m0) ** 2 / (2 * s0**2),
            ),
            variant(
                "brackets are missing: `/ 2 * a` divides by 2 and multiplies by a.",
                square=lambda m, s, m0, s0: (s**2 + (m - m0) ** 2) / 2 * s0**2,
            ),
            variant(
                "σ² is missing above the fraction line.",
                square=lambda m, s, m0, s0: (m - m0) ** 2 / (2 * s0**2),
            ),
        ],
    )


# ------------------------------------------------------------------------ 7, importance weights


def _iw(log_joint: Tensor, log_q: Tensor) -> Tensor:
    return (log_joint - log_q).logsumexp(0) - math.log(len(log_q))


@exercise("Exercise 7, the importance-weighted estimate")
def importance_weighted(answer) -> None:
    calls = []
    for K, n, level in ((7, 4, -3.0), (12, 3, -140.0), (9, 5, -1000.0)):
        calls.append(call(level + 2 * torch.randn(K, n), -1.0 + torch.randn(K, n)))
    far_apart = torch.tensor([-3.0, -2000.0])  # two images, the second much less probable
    calls.append(call(far_apart + 2 * torch.randn(8, 2).double(), torch.randn(8, 2).double()))
    result = answer(*calls[0].args)
    if result is None:
        fail("`log_p` is None.", "Does your function end in a `return`?")
    _reject_other_than_tensor("log_p", result)
    if isinstance(result, Tensor) and tuple(result.shape) == (7,):
        fail("yours is one number for each draw, and the sum should run over the draws, dim 0.")
    if isinstance(result, Tensor) and tuple(result.shape) == (7, 4):
        fail("yours is one number for each draw and image; the mean over the draws is missing.")
    if isinstance(result, Tensor) and not result.ndim:
        fail("yours is one number for all images; every image has a probability of its own.")

    def on(function: Callable) -> Callable:
        return lambda log_joint, log_q: function(log_joint - log_q)

    def size(w: Tensor) -> float:
        return math.log(len(w))

    twins = [
        Twin(
            on(lambda w: w.mean(0)),
            "that is a mean of *logarithms*, the ELBO with K draws.\n"
            "Here the logarithm is of the mean.",
        ),
        Twin(on(lambda w: w.logsumexp(0)), "1/K is missing: a mean, not a sum."),
        Twin(on(lambda w: w.logsumexp(0) / len(w)), "the 1/K stands inside the logarithm."),
        Twin(on(lambda w: w.logsumexp(0) - len(w)), "the logarithm of 1/K is -ln K, not -K."),
        Twin(on(lambda w: w.logsumexp(0) + size(w)), "the sign of ln K is reversed."),
        Twin(
            on(lambda w: w.logsumexp(0) - math.log(w.shape[1])),
            "K is the number of draws, not of images.",
        ),
        Twin(on(lambda w: w.amax(0)), "that is the largest weight alone."),
        Twin(on(lambda w: (w.logsumexp(0) - size(w)).exp()), "that is p(x); its log is asked for."),
        Twin(on(lambda w: w.sum(0)), "that is a sum of *logarithms*."),
        Twin(
            on(lambda w: w.logsumexp(0) - math.log10(len(w))),
            "ln is the natural logarithm, math.log.",
        ),
        Twin(
            on(lambda w: w.logsumexp(0) - math.log(w.numel())),
            "K is the number of draws alone: each image has its own mean.",
        ),
        Twin(
            on(lambda w: -(-w).logsumexp(0) + size(w)), "the fraction is upside down: p is above q."
        ),
        Twin(on(lambda w: w.amax(0) - size(w)), "that is the largest weight alone, divided by K."),
        Twin(on(lambda w: w.median(0)[0]), "a mean of the weights, not the median."),
        Twin(lambda j, q: _iw(q, j), "the fraction is upside down: p is above q."),
        Twin(lambda j, q: -_iw(j, q), "the sign is reversed."),
        Twin(lambda j, q: _iw(j, 0 * q), "q is missing: the draws come from it, not from a grid."),
        Twin(
            lambda j, q: _iw(j, -q),
            "ln q is added; a quotient becomes a difference of logarithms.",
        ),
        Twin(
            lambda j, q: j.logsumexp(0) - q.logsumexp(0),
            "that is a quotient of two sums; the formula has a sum of quotients.",
        ),
        Twin(
            lambda j, q: (j / q).logsumexp(0) - size(j),
            "the logarithms are divided; a quotient becomes their difference.",
        ),
    ]
    if not all(torch.isfinite(torch.as_tensor(answer(*c.args))).all() for c in calls[1:]):
        same_function(
            answer, _iw, calls[:1], name="importance_weighted", returns=("log_p",), twins=twins
        )
        fail(
            "right for large weights; for tiny ones, as images have, the result is infinite.",
            "e^-140 is 0 in single precision, and beyond e^-745 in double, too.",
            "Which function takes logarithms to logarithms?",
        )
    shifts = torch.cat(
        [torch.as_tensor(answer(j, q)).flatten() - (j - q).logsumexp(0) for j, q in
         (c.args for c in calls[:2])]
    )  # fmt: skip
    if shifts.std() < 1e-3 and shifts.mean() < -1e-2:  # -ln K, with the same K for 7 and 12 draws
        fail(
            f"7 draws and 12 draws: yours divides by {math.exp(-shifts.mean()):.3g} in both cases.",
            "K is the number of draws that come in.",
        )
    same_function(answer, _iw, calls, name="importance_weighted", returns=("log_p",), twins=twins)


# --------------------------------------------------------------------------------- 8, β


def _scaled_model(x, vae, beta, on_z=lambda beta: beta, on_x=lambda beta: 1.0, sd=lambda beta: 1.0):
    with pyro.plate("images", len(x)):
        with poutine.scale(scale=on_z(beta)):
            z = pyro.sample("z", dist.Normal(torch.zeros(vae.d), sd(beta)).to_event(1))
        with poutine.scale(scale=on_x(beta)):
            pyro.sample("x", dist.Bernoulli(logits=vae.decoder(z)).to_event(1), obs=x)


def _scaled_guide(x, vae, beta, on_z=lambda beta: beta, sd=lambda beta: 1.0):
    with pyro.plate("images", len(x)), poutine.scale(scale=on_z(beta)):
        mean, scale = vae.encoder(x)
        pyro.sample("z", dist.Normal(mean, scale * sd(beta)).to_event(1))


@exercise("Exercise 8, β in the ELBO")
def beta_elbo(beta_model, beta_guide) -> None:
    betas = (2.5, 0.4)
    calls = [call(*c.args, beta) for c, beta in zip(_calls(), betas, strict=True)]
    for name, answer in (("beta_model", beta_model), ("beta_guide", beta_guide)):
        if not callable(answer):
            fail(f"`{name}` should be a function, not {type(answer).__name__}.")
        _reject_entries_as_images(answer, *calls[0].args)
    inside = poutine.trace(beta_guide).get_trace(*calls[0].args)
    if "x" in inside.nodes and inside.nodes["x"]["type"] == "sample":
        fail("`beta_guide` samples `x`: have model and guide changed places?")
    images, vae, _ = calls[0].args
    _reject_cut_off(inside.nodes.get("z"), vae.encoder, images, prefix="beta_guide: ")

    def twins(reference: Callable, variants: list[tuple[str, dict]]) -> list[Twin]:
        return [
            Twin(lambda x, vae, beta, c=changes: reference(x, vae, beta, **c), message)
            for message, changes in variants
        ]

    one = {"on_z": lambda beta: 1.0}
    common = [
        ("it is scaled by 1/β; the KL divergence is multiplied by β.", {"on_z": lambda b: 1 / b}),
        ("it is scaled by β²: is one poutine.scale inside another?", {"on_z": lambda b: b**2}),
        ("it is scaled by a number that is not the argument beta.", {"on_z": lambda b: 4.0}),
        (
            "β changes the standard deviation of z. It belongs to the log-density as a factor.",
            {**one, "sd": lambda b: b},
        ),
        (
            "β changes the standard deviation of z. It belongs to the log-density as a factor.",
            {**one, "sd": lambda b: b**0.5},
        ),
    ]
    in_model = [
        ("`x` is scaled, and `z` is what counts β times.", {**one, "on_x": lambda b: b}),
        ("`x` is scaled, too; its log-density counts once.", {"on_x": lambda b: b}),
        ("1/β on `x` is not the ELBO of the formula.", {**one, "on_x": lambda b: 1 / b}),
        ("`z` counts once, as if β were 1.", one),
        *common,
    ]
    in_guide = [
        ("`z` counts once in the guide. The KL divergence has two logarithms, p and q.", one),
        *common,
    ]
    same_model(
        beta_model,
        _scaled_model,
        calls,
        twins=[Twin(t.answer, f"beta_model: {t.message}") for t in twins(_scaled_model, in_model)],
    )
    same_model(
        beta_guide,
        _scaled_guide,
        calls,
        twins=[Twin(t.answer, f"beta_guide: {t.message}") for t in twins(_scaled_guide, in_guide)],
    )


# --------------------------------------------------------------------------------- scorecard


def elbo_at_least(scorecard: pd.DataFrame, row: str, limit: float) -> None:
    """Pass if the ELBO in this row of the scorecard is at least ``limit`` nats."""
    if row not in scorecard.index:
        raise CheckFailed(f"Scorecard: it has no row named `{row}`.")
    elbo = scorecard.loc[row, "approximate"]
    if not elbo >= limit:  # nan too
        raise CheckFailed(
            f"Scorecard: `{row}` is {elbo:.2f} nats; at least {limit:g} can be reached.",
            "Was the fit cut short, or are encoder, decoder or loop not those of the exercises?",
        )
    print(f"✓ Scorecard: {row} is at least {limit:g} nats")
