"""Checks of Day2/3_bayesian_neural_networks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.nn import PyroModule, PyroSample
from torch import Tensor
from torch.nn.functional import softplus

from utils.checks.engine import (
    CheckFailed,
    Twin,
    call,
    close_to,
    exercise,
    fail,
    reader_line,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_model

__all__ = [
    "auroc",
    "bayesian_linear",
    "coverage",
    "gaussian_loss",
    "log_predictive",
    "neural_regressor",
    "predictive_entropy",
    "scorecard_within",
    "variance_parts",
]


def true_mean(x: Tensor) -> Tensor:
    return 0.5 * x + 7 * torch.sin(0.75 * x)


def true_sd(x: Tensor) -> Tensor:
    return 1.5 + 0.1 * x


class BayesianLinear(PyroModule):
    """A linear layer with normal priors, of sd ``weight_scale`` and ``bias_scale``."""

    def __init__(self, inputs: int, outputs: int, weight_scale: float, bias_scale: float) -> None:
        super().__init__()
        self.weight = PyroSample(
            dist.Normal(0.0, weight_scale).expand([inputs, outputs]).to_event(2)
        )
        self.bias = PyroSample(dist.Normal(0.0, bias_scale).expand([outputs]).to_event(1))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias.unsqueeze(-2)


class BayesianNetwork(PyroModule):
    """One input, one hidden layer of tanh units, one output; any number of draws at once."""

    def __init__(self, units: int, input_scale: float, output_scale: float) -> None:
        super().__init__()
        self.hidden = BayesianLinear(1, units, input_scale, input_scale)
        self.output = BayesianLinear(units, 1, output_scale / math.sqrt(units), output_scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.tanh(self.hidden(x[:, None] / 5))).squeeze(-1)


class NeuralRegressor(PyroModule):
    """y ~ N(h(x), softplus(g(x)) + 0.01), with priors on all weights of the networks h and g."""

    def __init__(self) -> None:
        super().__init__()
        self.h = BayesianNetwork(10, input_scale=5.0, output_scale=20.0)
        self.g = BayesianNetwork(5, input_scale=2.0, output_scale=4.0)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        mean, variance = self.h(x), softplus(self.g(x)) + 0.01
        return pyro.sample("y", dist.Normal(mean, variance.sqrt()).to_event(1), obs=y)


def _check_that_it_learns(value: object, inputs: Mapping[str, Tensor]) -> None:
    """Reject a value through which no gradient reaches one of the inputs."""
    ways = "`.detach()`, `torch.no_grad()`, `torch.tensor(...)`, `.item()` or numpy cut it off."
    if not (isinstance(value, Tensor) and value.requires_grad):
        fail("the numbers are right, but nothing can be learned: no gradient goes through.", ways)
    gradients = torch.autograd.grad(value.sum(), list(inputs.values()), allow_unused=True)
    for name, gradient in zip(inputs, gradients, strict=True):
        if gradient is None or not gradient.abs().sum() > 0:
            fail(f"the numbers are right, but no gradient reaches {name}.", ways)


def _reject_if_no_tensor(name: str, value: object) -> None:
    if value is not None and not isinstance(value, Tensor):
        fail(
            f"`{name}` is of type {type(value).__name__}, and the cells below need a tensor.",
            "Stay with torch: no `.tolist()`, no `.numpy()`.",
        )


# ------------------------------------------------------------------------ 1, loss of two heads

LN_2PI = math.log(2 * math.pi)


def _loss(mean: Tensor, variance: Tensor, y: Tensor) -> Tensor:
    return (0.5 * (LN_2PI + variance.log()) + (y - mean) ** 2 / (2 * variance)).mean(-1)


@exercise("Exercise 1, the loss of two heads")
def gaussian_loss(answer) -> None:
    mean, y = 0.2 + 2 * torch.rand(2, 7)  # positive, like a variance: arguments may be mixed up
    variance = 0.3 + 2 * torch.rand(7)
    rows = call(0.2 + 2 * torch.rand(3, 7), 0.3 + torch.rand(3, 7), y)
    first = answer(mean, variance, y)
    if isinstance(first, Tensor) and first.shape == mean.shape:
        fail("that is one number for each data point.", "L is their mean: .mean(-1).")
    many = answer(*rows.args)
    if isinstance(many, Tensor) and not many.shape and isinstance(first, Tensor):
        fail(
            "for three networks there should be three losses, and yours is one number.",
            "Take the mean over the last dimension only: .mean(-1).",
        )

    def twin(rule, message):
        return Twin(lambda m, v, y: rule(m, v, y).mean(-1), message)

    same_function(
        answer,
        _loss,
        [call(mean, variance, y), rows],
        name="gaussian_loss",
        returns=("loss",),
        twins=[
            Twin(lambda *a: -_loss(*a), "the sign is reversed: that is to be maximised."),
            Twin(
                lambda m, v, y: 7 * _loss(m, v, y), "that is the sum over the data; L is the mean."
            ),
            Twin(
                lambda m, v, y: -7 * _loss(m, v, y),
                "that is the sum of the log densities; L is minus their mean.",
            ),
            Twin(
                lambda m, v, y: _loss(m, v**2, y),
                "`variance` is used as if it were a standard deviation.\n"
                "  dist.Normal takes a standard deviation, and v is a variance already.",
            ),
            Twin(
                lambda m, v, y: -_loss(m, v**2, y),
                "two slips: the sign, and `variance` used as if it were a standard deviation.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / v,
                "the second term is divided by 2v, not by v. (`a / 2 * v` multiplies by v.)",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / 2 * v,
                "`a / 2 * v` multiplies by v; put 2 * v into brackets.",
            ),
            twin(
                lambda m, v, y: LN_2PI + v.log() + (y - m) ** 2 / (2 * v),
                "the factor ½ of the first term is missing.",
            ),
            twin(
                lambda m, v, y: 0.5 * LN_2PI + v.log() + (y - m) ** 2 / (2 * v),
                "the factor ½ belongs to ln v, too: ½ ln(2πv).",
            ),
            twin(
                lambda m, v, y: 0.5 * v.log() + (y - m) ** 2 / (2 * v),
                "the constant ½ ln 2π is missing. (Likelihoods are to be compared.)",
            ),
            twin(
                lambda m, v, y: 0.5 * LN_2PI + (y - m) ** 2 / (2 * v),
                "ln v is missing; without it, the best variance would be infinite.",
            ),
            twin(
                lambda m, v, y: (y - m) ** 2 / (2 * v),
                "the first term, ½ ln(2πv), is missing; without it, the best v is infinite.",
            ),
            twin(lambda m, v, y: (y - m) ** 2, "that is the squared error; v has to enter."),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) - (y - m) ** 2 / (2 * v),
                "both terms are added: a large error makes a large loss.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m).abs() / (2 * v),
                "the distance of y and m is squared.",
            ),
            twin(
                lambda m, v, y: 0.5 * (2 * math.pi * v) + (y - m) ** 2 / (2 * v),
                "the first term is a logarithm.",
            ),
            twin(
                lambda m, v, y: -0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / (2 * v),
                "the first term, ½ ln(2πv), has the wrong sign: a larger variance costs something.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + ((y - m) / v) ** 2 / 2,
                "v is the square of the standard deviation already: only y - m is squared.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + ((y - m) / (2 * v)) ** 2,
                "v is the square of the standard deviation already: only y - m is squared.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + ((y - m) / v) ** 2,
                "v is the square of the standard deviation already: only y - m is squared,\n"
                "  and 2v is the denominator.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) / (2 * v),
                "the square of y - m is missing.",
            ),
            twin(
                lambda m, v, y: 0.5 * (LN_2PI + v.log()) + (y - m) ** 2 / 2,
                "the second term is to be divided by v, too.",
            ),
            Twin(
                lambda m, v, y: _loss(m, v, y) * 7 / 120,
                "the number of data, 120, is written into it, and the check brings 7: .mean(-1).",
            ),
            *(
                Twin(
                    lambda *a, k=k: _loss(*(a[i] for i in k)),
                    "the arguments have changed places: they are `mean, variance, y`.",
                )
                for k in ((1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0))
            ),
            Twin(
                lambda m, v, y: _loss(v.sqrt(), m**2, y),
                "mean and standard deviation have changed places: dist.Normal(mean, sd).",
            ),
            Twin(
                lambda m, v, y: -_loss(v.sqrt(), m**2, y),
                "mean and standard deviation have changed places (and the sign is reversed).",
            ),
        ],
    )
    parts = {"`mean`": mean.requires_grad_(), "`variance`": variance.requires_grad_()}
    try:
        loss = answer(mean, variance, y)
    except RuntimeError as error:
        if "requires grad" not in str(error):
            raise
        loss = None  # converted to numpy
    _check_that_it_learns(loss, parts)


# -------------------------------------------------------------------------- 2, Bayesian layer


@exercise("Exercise 2, a Bayesian layer")
def bayesian_linear(answer) -> None:
    if not (isinstance(answer, type) and issubclass(answer, PyroModule)):
        fail("`BayesianLinear` should be a class that inherits from PyroModule.")
    try:
        layer = answer(3, 2, 0.7, 1.9)
    except (AttributeError, TypeError) as error:
        if not any(".expand(" in line for line in reader_line(error)):
            raise
        fail("`.expand` takes a list, in brackets of its own: `.expand([...])`.",
             *reader_line(error))  # fmt: skip
    for name in ("weight", "bias"):
        if name not in layer._pyro_samples:
            if name in layer._parameters or name in layer._pyro_params:
                fail(
                    f"`self.{name}` is a parameter, to be optimised.",
                    "What has a prior is a PyroSample(prior).",
                )
            value = layer.__dict__.get(name)
            if value is None:
                fail(f"there is no `self.{name}`.", "Set it in __init__, to a PyroSample(prior).")
            if hasattr(value, "log_prob"):
                fail(
                    f"`self.{name}` is a distribution, and nothing samples it.",
                    "Wrap it: PyroSample(prior).",
                )
            fail(
                f"`self.{name}` is a {type(value).__name__}, drawn once and for all.",
                "PyroSample(prior) is sampled anew in every call.",
            )
    want = {"weight": (3, 2), "bias": (2,)}
    for name in want:
        fn = layer._pyro_samples[name]
        if not hasattr(fn, "event_shape"):
            continue  # a function that makes the prior: the traces tell
        shape = tuple(fn.batch_shape) + tuple(fn.event_shape)
        if shape == want[name][::-1] != want[name]:
            fail(
                f"`weight` has shape {shape}, and should have {want[name]}.",
                "Inputs first: `x @ self.weight` multiplies rows of x by it.",
            )
        if shape != want[name]:
            fail(
                f"`{name}` has shape {shape}; for 3 inputs and 2 outputs it should be "
                f"{want[name]}.",
                "`.expand([...])` makes copies of a distribution.",
            )
        if fn.batch_shape:
            fail(
                f"`{name}` is a batch of separate numbers, not one draw of a whole "
                f"{'matrix' if name == 'weight' else 'vector'}.",
                f"`.to_event({len(want[name])})` makes "
                f"{'both dimensions' if name == 'weight' else 'its dimension'} an event.",
            )

    def reference(weight_scale, bias_scale, x):
        return BayesianLinear(3, 2, weight_scale, bias_scale)(x)

    def twin(change, message):
        return Twin(lambda a, b, x: reference(*change(a, b), x), message)

    # In the order of what the reader writes: the weight is compared first.
    same_model(
        lambda a, b, x: answer(3, 2, a, b)(x),
        reference,
        [call(0.7, 1.9, torch.randn(5, 3)), call(2.3, 0.4, torch.randn(4, 3))],
        twins=[
            twin(lambda a, b: (b, a), "weight_scale and bias_scale have changed places."),
            twin(
                lambda a, b: (a**2, b**2),
                "`dist.Normal` takes a standard deviation, and so are the two scales.",
            ),
            twin(lambda a, b: (a, a), "`bias` has the scale of the weights; it has its own."),
            twin(lambda a, b: (b, b), "`weight` has the scale of the bias; it has its own."),
            twin(lambda a, b: (1.0, 1.0), "both scales are 1; take them from the arguments."),
            twin(lambda a, b: (a, 1.0), "`bias` has scale 1; it should be `bias_scale`."),
            twin(
                lambda a, b: (a / math.sqrt(3), b),
                "`weight_scale` is the scale itself; nothing is divided here.",
            ),
        ],
    )
    x = torch.randn(5, 3)
    weights = {"weight": torch.randn(4, 3, 2), "bias": torch.randn(4, 2)}
    output = pyro.condition(layer, data=weights)(x)
    close_to(
        "forward(x)", output, x @ weights["weight"] + weights["bias"].unsqueeze(-2), tolerance=1e-4
    )


# ------------------------------------------------------------------------ 3, neural regressor


def _regressor(transform=softplus, floor=0.01, scale=torch.sqrt, swap=False):
    class Variant(NeuralRegressor):
        def forward(self, x, y=None):
            h, g = (self.g, self.h) if swap else (self.h, self.g)
            variance = transform(g(x)) + floor
            return pyro.sample("y", dist.Normal(h(x), scale(variance)).to_event(1), obs=y)

    return Variant()


def _reject_wrong_event(regressor: PyroModule, x: Tensor, y: Tensor) -> None:
    """Here the data are one event, not a plate: what the general checks advise would mislead."""
    try:
        without, given = (poutine.trace(regressor).get_trace(*a).nodes for a in ((x,), (x, y)))
    except (RuntimeError, ValueError):  # the general checks say what is wrong
        return
    if "y" in given and "y" not in without:
        fail(
            "without data there is no site `y`, and then the model should draw one.",
            "No `if`: obs=None does that.",
        )
    if "y" not in given:
        return
    if any(frame.vectorized for frame in given["y"]["cond_indep_stack"]):
        fail(
            "there is a plate around `y`; this time the vector of the data is one event.",
            "Take the plate away, and use `.to_event(1)`.",
        )


@exercise("Exercise 3, the neural regressor")
def neural_regressor(answer) -> None:
    x, y = torch.linspace(-9, 9, 7), torch.randn(7)
    regressor = answer()
    returned = regressor(x)
    if not isinstance(returned, tuple) or len(returned) != 2:
        fail("`forward` should return the pair `mean, variance`.", "Leave its last line as it is.")
    called = {name.partition(".")[0] for name in poutine.trace(regressor).get_trace(x).nodes}
    for network, other in (("h", "g"), ("g", "h")):
        if network not in called and other in called:
            fail(
                f"the network `self.{network}` is never called, and `self.{other}` is.",
                "The mean is the output of self.h, the variance comes from self.g.",
            )

    for name, value in zip(("mean", "variance"), returned, strict=True):
        if isinstance(value, Tensor) and tuple(value.shape) == (7, 1):
            fail(
                f"`{name}` has shape (7, 1), and should have (7,).",
                "The networks make a column of x themselves: give them x as it is.",
            )
    _reject_wrong_event(regressor, x, y)

    def variant(message, **changes):
        return Twin(_regressor(**changes), message)

    same_model(
        regressor,
        NeuralRegressor(),
        [call(x, y), call(x)],
        twins=[
            variant(
                "`y`: dist.Normal takes the standard deviation, and you gave the variance.",
                scale=lambda v: v,
            ),
            variant("`y`: the floor of the variance, 0.01, is missing.", floor=0.0),
            variant(
                "`y`: the variance is the softplus of g, not its exponential.",
                transform=torch.exp,
            ),
            variant("`y`: the networks h and g have changed places.", swap=True),
            variant("`y`: a variance, not a precision: no 1 / ...", scale=lambda v: v**-0.5),
            variant("`y`: one square root too many.", scale=lambda v: v**0.25),
            variant("`y`: the absolute value is not the softplus.", transform=torch.abs),
            variant("`y`: relu is not the softplus.", transform=torch.relu),
        ],
    )
    with torch.no_grad():
        weights = {
            name: site["value"]
            for name, site in poutine.trace(NeuralRegressor()).get_trace(x).iter_stochastic_nodes()
            if name != "y"
        }
        reference = NeuralRegressor()
        with poutine.condition(data=weights):
            mean, variance = regressor(x)
            right_mean, right_variance = reference.h(x), softplus(reference.g(x)) + 0.01
    close_to(
        "mean",
        mean,
        right_mean,
        tolerance=1e-3,
        twins=[Twin(right_variance, "the pair is returned in the other order: mean, variance.")],
    )
    close_to(
        "variance",
        variance,
        right_variance,
        tolerance=1e-3,
        twins=[
            Twin(right_variance.sqrt(), "`variance` is a standard deviation: keep its name true."),
            Twin(right_variance - 0.01, "`variance` lacks the floor of 0.01."),
        ],
    )
    weights = {name: value.requires_grad_() for name, value in weights.items()}
    with poutine.condition(data=weights):
        pair = regressor(x)
    for name, value, network in zip(("mean", "variance"), pair, "hg", strict=True):
        of_network = {f"self.{network}, from the `{name}` that is returned": weights[site]
                      for site in weights if site.startswith(network)}  # fmt: skip
        _check_that_it_learns(value, of_network)


# ---------------------------------------------------------------------- 4, predictive density


def _log_predictive(mean: Tensor, variance: Tensor, y: Tensor) -> Tensor:
    log_densities = dist.Normal(mean, variance.sqrt()).log_prob(y)
    return log_densities.logsumexp(0) - math.log(len(mean))


@exercise("Exercise 4, the predictive density")
def log_predictive(answer) -> None:
    mean, variance, y = torch.randn(6, 4), 0.3 + torch.rand(6, 4), torch.randn(4)
    ordinary = call(mean, variance, y)
    far = call(mean, variance, y + 40)  # its densities are too small for a float

    def log_density(m, v, y):
        return dist.Normal(m, v.sqrt()).log_prob(y)

    value = answer(*ordinary.args)
    _reject_if_no_tensor("log_density", value)
    if isinstance(value, Tensor):
        if value.shape == mean.shape:
            fail(
                "that is one number for each network and point; the networks are to be averaged.",
                "Over which dimension?",
            )
        if value.shape == mean.shape[:1]:
            fail(
                "that is one number for each network: you have averaged over the data.",
                "The networks are the first dimension, 0.",
            )
        if not value.shape:
            fail("that is a single number; there should be one for each data point.")
    twins = [
        Twin(
            lambda m, v, y: log_density(m, v, y).mean(0),
            "that is the mean of the logarithms, and asked is the logarithm of the mean.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).logsumexp(0),
            "that is the logarithm of the *sum*: what is missing is 1/M.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).logsumexp(0) + math.log(len(m)),
            "dividing by M is *subtracting* ln M.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).logsumexp(0) / len(m),
            "1/M stands inside the logarithm: there, dividing by M is subtracting ln M.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).logsumexp(0) - math.log(m.shape[1]),
            "M is the number of networks, not of data points.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).logsumexp(0) - math.log(len(m) - 1),
            "a mean of M numbers is their sum divided by M, not by M - 1.",
        ),
        Twin(
            lambda m, v, y: _log_predictive(m, v, y) + LN_2PI / 2,
            "the constant of the normal density, -½ ln 2π, is missing.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).exp().mean(0),
            "that is the density; asked is its logarithm.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v**2, y).logsumexp(0) - math.log(len(m)),
            "`variance` is a variance, and dist.Normal takes a standard deviation.",
        ),
        Twin(
            lambda m, v, y: log_density(m.mean(0), v.mean(0), y),
            "that is one normal with the average mean and variance: no ensemble any more.\n"
            "  Average the *densities* of the networks.",
        ),
        Twin(
            lambda m, v, y: log_density(m.mean(0), v.mean(0) + m.var(0), y),
            "that is one normal with the ensemble's mean and variance; the ensemble is a mixture.",
        ),
        Twin(
            lambda m, v, y: log_density(m, v, y).sum(0),
            "a sum of logarithms is the logarithm of a *product*.",
        ),
        Twin(
            lambda m, v, y: math.log(len(m)) - log_density(m, v, y).logsumexp(0),
            "the sign is reversed.",
        ),
    ]
    if isinstance(value, Tensor) and value.shape == y.shape:
        shift = log_density(*ordinary.args).logsumexp(0) - value
        divisor = shift.mean().exp().item()
        a_number = shift.std() < 1e-3 and abs(divisor - round(divisor)) < 1e-2 * divisor
        if a_number and round(divisor) not in (1, 4, 5, 6):
            fail(
                f"for 6 networks yours divides the sum of their densities by {divisor:.0f}.",
                "M is the number of networks that come in, len(mean).",
            )
    same_function(
        answer, _log_predictive, [ordinary], name="log_predictive", returns=("log_density",),
        twins=twins,
    )  # fmt: skip
    value = torch.as_tensor(answer(*far.args))
    if torch.isinf(value).any() or torch.isnan(value).any():
        fail(
            "right, but far from the data the densities are rounded to 0, and ln 0 is -inf.",
            "`.logsumexp(0)` on the log densities never leaves the logarithmic scale.",
        )
    same_function(
        answer, _log_predictive, [far], name="log_predictive", returns=("log_density",),
        hint="Far from the data any clamp, or small number added, is larger than the densities.",
    )  # fmt: skip


# ------------------------------------------------------------------- 5, epistemic and aleatoric


def _variance_parts(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    return mean.var(0), variance.mean(0)


@exercise("Exercise 5, epistemic and aleatoric")
def variance_parts(answer) -> None:
    mean = torch.randn(4000, 3) * torch.tensor([0.5, 1.3, 2.0]) + 4.0
    variance = dist.Gamma(3.0, 2.0).sample((4000, 3)) * torch.tensor([0.5, 1.0, 3.0])
    right = _variance_parts

    def epistemic(rule, message):
        return Twin(lambda m, v: (rule(m, v), right(m, v)[1]), message)

    def aleatoric(rule, message):
        return Twin(lambda m, v: (right(m, v)[0], rule(m, v)), message)

    parts = answer(mean, variance)
    if isinstance(parts, tuple) and len(parts) == 2:
        for name, part in zip(("epistemic", "aleatoric"), parts, strict=True):
            if isinstance(part, torch.return_types.median):
                fail(f"`{name}` is no median: look at the formula.")
            _reject_if_no_tensor(name, part)
            shape = tuple(torch.as_tensor(part).shape) if part is not None else None
            if shape == (4000,):
                fail(
                    f"`{name}` has one number for each network: that is the wrong dimension.",
                    "The networks are dimension 0.",
                )
            if shape == () and part is not None:
                fail(
                    f"`{name}` is a single number; there should be one for each x.",
                    "Take it over the networks only, dimension 0.",
                )
    same_function(
        answer,
        right,
        [call(mean, variance)],
        name="variance_parts",
        returns=("epistemic", "aleatoric"),
        tolerance=2e-3,
        twins=[
            Twin(lambda m, v: right(m, v)[::-1], "the two parts have changed places."),
            Twin(
                lambda m, v: (m.std(0), v.mean(0)),
                "`epistemic` is a standard deviation; it is the variances that add up.",
            ),
            Twin(
                lambda m, v: (m.std(0), v.mean(0).sqrt()),
                "these are standard deviations; it is the variances that add up.",
            ),
            Twin(
                lambda m, v: (m.std(0), v.sqrt().mean(0)),
                "these are standard deviations; it is the variances that add up.",
            ),
            epistemic(lambda m, v: m.mean(0), "`epistemic` is the *variance* of h, not its mean."),
            epistemic(
                lambda m, v: (m**2).mean(0),
                "`epistemic`: the mean of the squares is not the variance; "
                "subtract the square of the mean.",
            ),
            epistemic(
                lambda m, v: m.var(0) + v.mean(0),
                "`epistemic` is the variance of h alone; you have the sum of both parts.",
            ),
            epistemic(
                lambda m, v: m.var(0) / len(m),
                "`epistemic` is the variance of h itself, not that of the mean of many h.",
            ),
            epistemic(
                lambda m, v: m.var(0) * (len(m) - 1) / 499,
                "`epistemic`: the number of networks is written into it; `.var(0)` counts them.",
            ),
            aleatoric(
                lambda m, v: v.mean(0) * len(v) / 500,
                "`aleatoric`: the number of networks is written into it; `.mean(0)` counts them.",
            ),
            aleatoric(
                lambda m, v: v.sqrt().mean(0) ** 2,
                "`aleatoric`: average the variances; you square the average of their roots.",
            ),
            epistemic(
                lambda m, v: v.var(0), "`epistemic` is the variance of the *means* h, not of g."
            ),
            aleatoric(lambda m, v: v.var(0), "`aleatoric` is the *mean* of g, not its variance."),
            aleatoric(
                lambda m, v: v.sqrt().mean(0),
                "`aleatoric`: g is the variance; leave out the square root.",
            ),
            aleatoric(
                lambda m, v: v.mean(0).sqrt(),
                "`aleatoric`: g is the variance; leave out the square root.",
            ),
            aleatoric(
                lambda m, v: (v**2).mean(0), "`aleatoric`: g is the variance already: no square."
            ),
            aleatoric(
                lambda m, v: m.var(0) + v.mean(0),
                "`aleatoric` is the mean of g alone; you have the sum of both parts.",
            ),
            aleatoric(
                lambda m, v: v.median(0).values, "`aleatoric` is the mean of g, not its median."
            ),
        ],
    )


# --------------------------------------------------------------------------------- 6, coverage


def _mixture_cdf(mean: Tensor, variance: Tensor, y: Tensor) -> Tensor:
    return dist.Normal(mean, variance.sqrt()).cdf(y).mean(0)


def _coverage(mean: Tensor, variance: Tensor, y: Tensor, level: float) -> Tensor:
    u = _mixture_cdf(mean, variance, y)
    return (((1 - level) / 2 < u) & (u < (1 + level) / 2)).float().mean()


@exercise("Exercise 6, coverage")
def coverage(answer) -> None:
    n = 1500  # not the number of test points of the notebook
    mean = torch.tensor([[-3.0], [-2.5], [0.0], [1.0], [4.0]]) + torch.zeros(n)
    variance = torch.tensor([[0.2], [1.5], [0.5], [0.3], [4.0]]) * torch.ones(n)
    y = 17 * torch.linspace(0, 1, n) ** 0.6 - 7  # not evenly spaced
    calls = [call(mean, variance, y, level) for level in (0.5, 0.9)]
    value = answer(*calls[0].args)
    if isinstance(value, Tensor) and value.shape == y.shape:
        fail("that says which points lie inside; asked is their share.", "The share is a mean.")
    if isinstance(value, Tensor) and value.shape == (5,):
        fail(
            "that is one share for each network; the interval is that of the ensemble.",
            "Average the Φ's over the networks, dimension 0, before you compare.",
        )

    def share(rule):
        return lambda m, v, y, c: rule(_mixture_cdf(m, v, y), c).float().mean()

    def one_normal(correction):
        def rule(m, v, y, c):
            variance = m.var(0, correction=correction) + v.mean(0)
            return _coverage(m.mean(0)[None], variance[None], y, c)

        return Twin(rule, "that treats the ensemble as one normal; F is the mean of the Φ's.")

    def within(z, correction):
        def rule(m, v, y, c):
            sd = (m.var(0, correction=correction) + v.mean(0)).sqrt()
            return ((y - m.mean(0)).abs() < z * sd).float().mean()

        return Twin(
            rule,
            f"mean ± {z:g} sd is the 95% interval of *one normal*; take the mean of the Φ's,\n"
            "  and compare it with levels that depend on `level`.",
        )

    def over_the_data(m, v, y, c):
        u = dist.Normal(m, v.sqrt()).cdf(y).mean(1)
        return (((1 - c) / 2 < u) & (u < (1 + c) / 2)).float().mean()

    def averaged_quantiles(m, v, y, c):
        low, high = (dist.Normal(m, v.sqrt()).icdf(torch.tensor(p)).mean(0)
                     for p in ((1 - c) / 2, (1 + c) / 2))  # fmt: skip
        return ((low < y) & (y < high)).float().mean()

    def one_by_one(m, v, y, c):
        u = dist.Normal(m, v.sqrt()).cdf(y)
        return (((1 - c) / 2 < u) & (u < (1 + c) / 2)).float().mean()

    same_function(
        answer,
        _coverage,
        calls,
        name="coverage",
        returns=("share",),
        tolerance=3e-3,
        twins=[
            Twin(
                over_the_data,
                "you average the Φ's over the data; the networks are the first dimension, 0.",
            ),
            Twin(lambda *a: 1 - _coverage(*a), "that is the share of the points *outside*."),
            Twin(lambda *a: n * _coverage(*a), "that is their number; the share is a mean."),
            Twin(lambda *a: 100 * _coverage(*a), "a share is between 0 and 1: no percent."),
            Twin(
                lambda m, v, y, c: _coverage(m, v**2, y, c),
                "`variance` is a variance, and dist.Normal takes a standard deviation.",
            ),
            Twin(
                share(lambda u, c: u < c),
                "that is the interval from -∞ to the quantile c; cut off (1 - c)/2 on both sides.",
            ),
            Twin(
                share(lambda u, c: u > 1 - c),
                "that interval has no upper end; cut off (1 - c)/2 on both sides.",
            ),
            Twin(
                share(lambda u, c: (1 - c < u) & (u < c)),
                "you cut off 1 - c on each side; it is half of that.",
            ),
            Twin(share(lambda u, c: u < (1 + c) / 2), "the lower end, (1 - c)/2, is missing."),
            Twin(share(lambda u, c: u > (1 - c) / 2), "the upper end, (1 + c)/2, is missing."),
            Twin(
                share(lambda u, c: (u > (1 - c) / 2) | (u < (1 + c) / 2)),
                "with *or*, every point is inside: both have to hold, `&`.",
            ),
            Twin(
                one_by_one,
                "you compare for each network, then average: those are the networks' intervals.\n"
                "  Average the Φ's first; that is the ensemble's F.",
            ),
            one_normal(0),
            one_normal(1),
            *(within(z, correction) for z in (1.96, 2.0) for correction in (0, 1)),
            Twin(
                share(lambda u, c: (c / 2 < u) & (u < 1 - c / 2)),
                "you cut off c/2 on each side; it is (1 - c)/2.",
            ),
            *(
                Twin(
                    lambda m, v, y, c, fixed=fixed: _coverage(m, v, y, fixed),
                    f"that is the interval of {fixed:.0%} whatever `level` is.",
                )
                for fixed in (0.95, 0.8)
            ),
            *(
                Twin(
                    lambda m, v, y, c, size=size: _coverage(m, v, y, c) * n / size,
                    f"the number of points, {size}, is written into it: the share is a mean.",
                )
                for size in (1000, 2000, 3000, 6000)
            ),
            Twin(
                lambda m, v, y, c: _coverage(m, v, y, c) * n / len(m),
                "that is divided by the number of networks; the share is one of the points.",
            ),
            Twin(
                averaged_quantiles,
                "you average the quantiles of the networks; average their Φ's, which is F.",
            ),
            Twin(
                lambda m, v, y, c: _coverage(m.mean(0)[None], v.mean(0)[None], y, c),
                "that is one normal with the average mean and variance.\n"
                "  Average the Φ's of the networks.",
            ),
        ],
    )


# ---------------------------------------------------------------------------------- 7, entropy


def _entropy(p: Tensor) -> Tensor:
    average = p.mean(0)
    return -torch.xlogy(average, average).sum(-1)


@exercise("Exercise 7, predictive entropy")
def predictive_entropy(answer) -> None:
    p = (2.0 * torch.randn(6, 4, 10)).softmax(-1)
    ordinary = call(p)
    sure = torch.zeros(3, 2, 10)
    sure[:, 0, 3] = 1.0
    sure[0, 1, 3] = sure[1:, 1, 5] = 1.0

    value = answer(p)
    _reject_if_no_tensor("entropy", value)
    if isinstance(value, Tensor):
        if value.shape == (6, 4):
            fail(
                "that is one entropy for each network and image; the ensemble's prediction is the "
                "average of the probabilities.",
                "Average over the networks, dimension 0, first.",
            )
        if not value.shape:
            fail("that is a single number; there should be one for each image.")
        if value.shape == (4, 10):
            fail("that is one number for each image and class.", "H is a sum over the classes.")
        if value.shape in ((10,), (6,), (6, 10)):
            fail(
                f"yours has shape {tuple(value.shape)}: look at the dimensions.",
                "Average over 0, the networks; sum over -1, the classes.",
            )

    def of_average(rule):
        return lambda p: rule(p.mean(0))

    def h(q):
        return -(q * q.log()).sum(-1)

    same_function(
        answer,
        _entropy,
        [ordinary],
        name="predictive_entropy",
        returns=("entropy",),
        twins=[
            Twin(
                lambda p: h(p).mean(0),
                "that is the mean of the networks' entropies: it misses where they disagree.\n"
                "  The average of the probabilities comes first.",
            ),
            Twin(lambda p: _entropy(p) - h(p).mean(0), "that is the networks' disagreement alone."),
            Twin(lambda p: -_entropy(p), "the sign is reversed: an entropy is not negative."),
            Twin(of_average(lambda q: h(q) / math.log(2)), "that is in bits; take log, not log2."),
            Twin(
                of_average(lambda q: h(q) / math.log(10)), "that is with the logarithm of base 10."
            ),
            Twin(of_average(lambda q: h(q) / 10), "H is a sum over the classes, not a mean."),
            Twin(of_average(lambda q: -q.log().sum(-1)), "each ln p is weighted with p itself."),
            Twin(
                of_average(lambda q: h(q.softmax(-1))),
                "`p` are probabilities already: no softmax.",
            ),
            Twin(of_average(lambda q: 1 - q.amax(-1)), "that is 1 - max p, not the entropy."),
            Twin(lambda p: h(p.softmax(-1).mean(0)), "`p` are probabilities already: no softmax."),
            Twin(
                lambda p: h(p.sum(0) / 50),
                "the number of networks, 50, is written into it: `.mean(0)` counts them.",
            ),
            Twin(lambda p: h(p.median(0)[0]), "the *mean* over the networks, not the median."),
            Twin(lambda p: h(p.sum(0)), "average over the networks, where you took the sum."),
            Twin(lambda p: h(p[0]), "that is the entropy of the first network alone."),
            Twin(of_average(lambda q: q.var(-1)), "that is the variance of the probabilities."),
        ],
    )
    value = torch.as_tensor(answer(sure))
    if torch.isnan(value).any() or torch.isinf(value).any():
        fail(
            "right, but not if a probability is 0: 0 · ln 0 gives nan.",
            "torch.xlogy(p, p), or a clamp inside the logarithm.",
        )
    nearly_sure = torch.full((3, 2, 10), 3.5e-4)  # what 1e-3 in place of p does to these shows
    nearly_sure[..., 6] = 1 - 9 * 3.5e-4
    same_function(
        answer, _entropy, [call(sure), call(nearly_sure)],
        name="predictive_entropy", returns=("entropy",), tolerance=1e-3,
        hint="Too coarse a clamp? 0.001 is a probability like any other; take 1e-10, say.",
    )  # fmt: skip


# ------------------------------------------------------------------------------------ 8, AUROC


def _auroc(digits: Tensor, others: Tensor, tie: float = 0.5) -> Tensor:
    pairs = others[:, None] - digits
    return (pairs > 0).double().mean() + tie * (pairs == 0).double().mean()


@exercise("Exercise 8, one number for two histograms")
def auroc(answer) -> None:
    digits = torch.tensor([0.0, 0.0, 0.3, 0.4, 0.4, 1.7])
    others = torch.tensor([0.0, 0.3, 0.4, 0.9, 1.1, 1.6, 1.6, 1.70001, 2.2])
    calls = [call(digits, others), call(others[:4], digits), call(digits, digits + 3)]

    def near_ties(d, o):
        pairs = o[:, None] - d
        return (pairs > 1e-3).double().mean() + 0.5 * (pairs.abs() <= 1e-3).double().mean()

    value = answer(*calls[0].args)
    if value is not None and (value := torch.as_tensor(value)).shape:
        fail(f"that has shape {tuple(value.shape)}; asked is one number, a share of all pairs.")
    ties = (others[:, None] == digits).float().mean()
    hint = (
        "Compare each of the others with each digit, `others[:, None] > digits`; divide by the "
        "number of all pairs, whatever it is."
    )
    if value is not None and abs(value - _auroc(digits, others)) <= ties + 1 / len(digits):
        hint = (
            "Is every tie counted half, and nothing else? Ranks from argsort tell ties apart, as "
            "if one were larger; a tie needs the average of the ranks."
        )
    same_function(
        answer,
        _auroc,
        calls,
        name="auroc",
        returns=("area",),
        tolerance=1e-4,
        hint=hint,
        twins=[
            Twin(
                near_ties,
                "a tie is what is *equal*; you also count entropies that are nearly so.",
            ),
            Twin(
                lambda d, o: _auroc(o, d),
                "that is the share of pairs in which the *digit* has the larger entropy.",
            ),
            Twin(lambda d, o: _auroc(d, o, 0.0), "ties are missing: each counts half."),
            Twin(
                lambda d, o: _auroc(o, d, 0.0), "the pairs are the wrong way round, without ties."
            ),
            Twin(lambda d, o: _auroc(d, o, 1.0), "a tie counts half, and yours count in full."),
            Twin(
                lambda d, o: _auroc(d, o) * len(d) * len(o),
                "that is the number of pairs; divide by m n.",
            ),
            Twin(
                lambda d, o: _auroc(d, o) * len(d), "divide by m n, the number of pairs, not by n."
            ),
            Twin(
                lambda d, o: _auroc(d, o) * len(o), "divide by m n, the number of pairs, not by m."
            ),
            Twin(
                lambda d, o: (o > d.mean()).double().mean(),
                "you compare with the mean of the digits; compare with every digit.",
            ),
            Twin(
                lambda d, o: (o > d.median()).double().mean(),
                "you compare with the median of the digits; compare with every digit.",
            ),
            Twin(
                lambda d, o: (o > d.max()).double().mean(),
                "you compare with the largest digit only; compare with every digit.",
            ),
        ],
    )


# ------------------------------------------------------------------------------------- claims


def claims(held: Mapping[str, object]) -> None:
    """Pass if every claim holds; the last lines of the notebook rest on them."""
    if broken := [claim for claim, holds in held.items() if not bool(holds)]:
        raise CheckFailed(f"Claims: not true is “{broken[0]}”.", "Has every fit come to rest?")
    print(f"✓ {len(held)} claims hold")
