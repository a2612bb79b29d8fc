"""Checks of Day2/1_bayesian_regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.infer.autoguide import AutoDiagonalNormal, AutoNormal
from torch import Tensor

from utils.checks.engine import (
    CheckFailed,
    Twin,
    call,
    close_to,
    exercise,
    fail,
    probability_close_to,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_guide, same_model

__all__ = [
    "african_fit",
    "conditional_posterior",
    "gradient_step",
    "linear_model",
    "logistic_model",
    "predictive_probability",
    "scorecard_within",
    "slope_probabilities",
    "variance_parts",
]

Draws = Mapping[str, Tensor]


def _squared_error_gradient(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    residual = y - (w[0] + w[1] * x)
    return torch.stack([-2 * residual.sum(), -2 * (residual * x).sum()])


@exercise("Exercise 1, a gradient step")
def gradient_step(answer) -> None:
    gradient = _squared_error_gradient

    def twin(rule, message):
        return Twin(
            lambda w, x, y, learning_rate: rule(w, gradient(w, x, y), learning_rate), message
        )

    x, y = torch.randn(7), torch.randn(7)
    w = torch.randn(2)
    steps = [answer(w.clone(), x, y, learning_rate=rate) for rate in (0.03, 0.2)]
    if all(isinstance(step, Tensor) for step in steps) and torch.equal(*steps):
        if torch.allclose(steps[0], gradient(w, x, y)):
            fail("that is the gradient itself; the step starts from w.")
        if torch.equal(steps[0], w):
            fail("`w` does not move: new_w must be w minus a step.")
        fail("`learning_rate` is missing: the step is α∇L.")
    same_function(
        answer,
        lambda w, x, y, learning_rate: w - learning_rate * gradient(w, x, y),
        [call(w, x, y, learning_rate=rate) for rate in (0.03, 0.2)],
        name="gradient_step",
        returns=("new_w",),
        twins=[
            twin(lambda w, g, a: w + a * g, "this step climbs: the gradient points *uphill*."),
            twin(lambda w, g, a: a * g, "that is the step; new_w is w minus it."),
            twin(lambda w, g, a: -a * g, "that is the step; add it to w."),
            twin(
                lambda w, g, a: w - a * g / 7,
                "your gradient is that of the *mean* squared error; L is a sum.",
            ),
            twin(lambda w, g, a: w - a * g / 2, "your gradient is half of ∇L: a factor 2 is lost."),
            twin(lambda w, g, a: w - a * g[0], "both weights move by the gradient of w0."),
            Twin(
                lambda w, x, y, learning_rate: (
                    w - learning_rate * ((y - (w[0] + w[1] * x)) ** 2).sum()
                ),
                "you subtract the loss; subtract its gradient.",
            ),
        ],
    )


def _linear_model(x, y=None, scale=10.0, noise=lambda s: s.sqrt(), line=lambda a, b, x: a + b * x):
    w0 = pyro.sample("w0", dist.Normal(0.0, scale))
    w1 = pyro.sample("w1", dist.Normal(0.0, scale))
    sigma2 = pyro.sample("sigma2", dist.Gamma(1.0, 1.0))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Normal(line(w0, w1, x), noise(sigma2)), obs=y)


@exercise("Exercise 2, the linear model")
def linear_model(answer) -> None:
    x, y = torch.randn(7), torch.randn(7)

    def twin(message, **changes):
        return Twin(lambda x, y=None: _linear_model(x, y, **changes), message)

    same_model(
        answer,
        _linear_model,
        [call(x, y), call(torch.randn(5))],
        twins=[
            twin(
                "`y`: its mean is w0 + w1 x, and you have w0 and w1 the other way round.",
                line=lambda a, b, x: b + a * x,
            ),
            twin("`y`: the slope w1 must multiply x.", line=lambda a, b, x: a + b + x),
            twin("`y`: the intercept w0 is missing.", line=lambda a, b, x: b * x),
            twin("`y`: the sign of the slope is reversed.", line=lambda a, b, x: a - b * x),
        ],
    )


def _conditional_posterior(sigma2: Tensor, X: Tensor, y: Tensor, noise=1, prior=0.01):
    s = sigma2[..., None, None] ** noise
    covariance = torch.linalg.inv(X.T @ X / s + prior * torch.eye(2).to(X))
    return (covariance @ (X.T @ y) / s).squeeze(-1), covariance


@exercise("Exercise 3, the weights given the noise")
def conditional_posterior(answer) -> None:
    # With so few points, and so noisy ones, the prior's precision shows.
    X = torch.stack([torch.ones(4), torch.randn(4)], dim=1)
    y = torch.randn(4, 1)
    calls = [call(sigma2, X, y) for sigma2 in (torch.tensor([0.5, 20.0, 70.0]), torch.tensor(30.0))]

    def precision(sigma2, X):
        return X.T @ X / sigma2[..., None, None] + 0.01 * torch.eye(2)

    def covariance_twin(wrong, message):
        return Twin(lambda sigma2, X, y: wrong(sigma2, X), message)

    inverse = torch.linalg.inv
    same_function(
        lambda *arguments: answer(*arguments)[1],
        lambda *arguments: _conditional_posterior(*arguments)[1],
        calls,
        name="conditional_posterior",
        returns=("covariance",),
        tolerance=1e-3,
        twins=[
            covariance_twin(precision, "that is the precision; its inverse is the covariance V."),
            covariance_twin(
                lambda s, X: 1 / precision(s, X),
                "`1 / M` inverts each entry; torch.linalg.inv(M) inverts the matrix.",
            ),
            covariance_twin(
                lambda s, X: inverse(X.T @ X + 0.01 * torch.eye(2)),
                "the noise is missing from V: XᵀX is divided by σ².",
            ),
            covariance_twin(
                lambda s, X: inverse(X.T @ X * s[..., None, None] + 0.01 * torch.eye(2)),
                "in V, XᵀX is *divided* by σ².",
            ),
            covariance_twin(
                lambda s, X: inverse(X.T @ X) * s[..., None, None] + 0.01 * torch.eye(2),
                "the inverse is of the whole sum, the prior's precision included.",
            ),
            covariance_twin(
                lambda s, X: inverse(X.T @ X) / s[..., None, None] + 0.01 * torch.eye(2),
                "the inverse is of the whole sum, the prior's precision included.",
            ),
            covariance_twin(
                lambda s, X: inverse(precision(s, X) - 0.01 * torch.eye(2) + 0.01),
                "1/100 is added to every entry: the prior's precision is a *matrix*, I / 100.",
            ),
            covariance_twin(
                lambda s, X: inverse(precision(s, X) - 0.02 * torch.eye(2)),
                "the two precisions are added, not subtracted.",
            ),
            covariance_twin(
                lambda s, X: inverse(precision(s, X) - 0.0099 * torch.eye(2)),
                "`prior_precision` is I / 100 already.",
            ),
            *(
                Twin(lambda *a, changes=changes: _conditional_posterior(*a, **changes)[1], message)
                for changes, message in (
                    ({"prior": 0}, "the precision of the prior, I / 100, is missing from V."),
                    ({"prior": 1}, "the prior's precision is I / 100, not I."),
                    ({"prior": 100}, "the prior adds its *precision* I / 100, not its variance."),
                    ({"noise": 0.5}, "you divide by σ; `sigma2` is σ² already."),
                    ({"noise": 2}, "you divide by σ⁴; `sigma2` is σ² already."),
                )
            ),
        ],
    )

    def mean_twin(wrong, message):
        def mean(sigma2, X, y):
            right, covariance = _conditional_posterior(sigma2, X, y)
            return wrong(right, covariance, (X.T @ y).expand(*covariance.shape[:-1], 1), sigma2)

        return Twin(mean, message)

    same_function(
        lambda *arguments: answer(*arguments)[0],
        lambda *arguments: _conditional_posterior(*arguments)[0],
        calls,
        name="conditional_posterior",
        returns=("mean",),
        tolerance=1e-3,
        twins=[
            mean_twin(lambda m, V, Xy, s: m * s[..., None], "V is right; m has a factor 1/σ²."),
            mean_twin(lambda m, V, Xy, s: m * s[..., None] ** 2, "m is *divided* by σ²."),
            mean_twin(
                lambda m, V, Xy, s: Xy.squeeze(-1) / s[..., None],
                "V is right, but m is V times (1/σ²) Xᵀy.",
            ),
            mean_twin(
                lambda m, V, Xy, s: m * s[..., None].sqrt(),
                "V is right, but in m you divide by σ; `sigma2` is σ² already.",
            ),
        ],
    )


@exercise("Exercise 4, the African group")
def african_fit(
    african_guide: Any, african_losses: Any, x: Tensor, y: Tensor, log_evidence: float
) -> None:
    if isinstance(african_guide, list):
        fail(
            "`african_guide` is a list of losses.",
            "inference.fit changes the guide in place; keep the guide, not what fit returns.",
        )
    if isinstance(african_guide, type):
        fail(
            "`african_guide` is the class itself; make a guide with AutoMultivariateNormal(model)."
        )
    if isinstance(african_guide, AutoDiagonalNormal | AutoNormal):
        fail(
            "this guide treats w0 and w1 as independent (its turn comes in section 5.3).",
            "A full covariance matrix is what AutoMultivariateNormal has.",
        )
    if not isinstance(african_losses, Sequence) or not african_losses:
        fail("`african_losses` should be the list that inference.fit returns.")
    reached = -sum(african_losses[-50:]) / len(african_losses[-50:])
    try:
        same_guide(
            african_guide, _linear_model, [call(x, y)], best_elbo=log_evidence, elbo_tolerance=0.12
        )
    except CheckFailed as problem:
        earlier = -sum(african_losses[-100:-50]) / max(1, len(african_losses[-100:-50]))
        flat = len(african_losses) >= 100 and abs(reached - earlier) < 0.5
        elsewhere = abs(reached - log_evidence) > 1
        if flat and elsewhere and "can be reached" in str(problem):
            fail(
                f"the fit converged to {reached:.1f}, but not for the African countries.",
                "Which data, in which order, did you give to inference.fit?",
            )
        raise


@exercise("Exercise 5, probabilities from draws")
def slope_probabilities(
    p_outside: Any, p_inside: Any, p_both: Any, draws: Mapping[str, Draws]
) -> None:
    outside, inside = draws["non-African"]["w1"], draws["African"]["w1"]
    p, q = (outside < 0).float().mean().item(), (inside > 0).float().mean().item()
    density = dist.Normal(outside.mean(), outside.std()).log_prob(torch.tensor(0.0)).exp().item()
    close_to(
        "p_outside",
        p_outside,
        p,
        tolerance=1e-4,
        is_probability=True,
        twins=[
            Twin(1 - p, "`p_outside`: that is P(w1 > 0); outside Africa the question is w1 < 0."),
            Twin(q, "`p_outside`: these are the African draws."),
            Twin(1 - q, "`p_outside`: these are the African draws."),
            Twin(density, "`p_outside`: a density is not a probability; count draws."),
        ],
        hint='Is it the share of draws["non-African"]["w1"] below 0?',
    )
    close_to(
        "p_inside",
        p_inside,
        q,
        tolerance=1e-4,
        is_probability=True,
        twins=[
            Twin(1 - q, "`p_inside`: that is P(w1 < 0); inside Africa the question is w1 > 0."),
            Twin(p, "`p_inside`: these are the non-African draws."),
            Twin(1 - p, "`p_inside`: these are the non-African draws."),
        ],
        hint='Is it the share of draws["African"]["w1"] above 0?',
    )
    probability_close_to(
        "p_both",
        p_both,
        p * q,
        draws=len(outside),
        twins=[
            Twin(p + q - p * q, "`p_both`: that is the probability of *at least one* of the two."),
            Twin(
                min(p, q), "`p_both`: even if one holds, the other may fail. Are they independent?"
            ),
            Twin((p + q) / 2, "`p_both`: the average is not the probability of both."),
            Twin((1 - p) * (1 - q), "`p_both`: that is the probability that both are *false*."),
        ],
    )


def _variance_parts(d: Draws, x: Tensor) -> tuple[Tensor, Tensor]:
    return (d["w0"][:, None] + d["w1"][:, None] * x).var(0), d["sigma2"].mean()


@exercise("Exercise 6, two variances")
def variance_parts(answer) -> None:
    w0 = torch.randn(3000) + 9
    w1 = -0.8 * (w0 - 9) + 0.3 * torch.randn(3000)
    d = {"w0": w0, "w1": w1, "sigma2": dist.Gamma(5.0, 5.0).sample((3000,))}
    x = torch.tensor([0.0, 1.0, 2.0, 5.0])
    right = _variance_parts

    def epistemic(d, x):
        return right(d, x)[0]

    def aleatoric(d):
        return d["sigma2"].mean()

    sd_line = lambda d, x: (epistemic(d, x).sqrt(), aleatoric(d))  # noqa: E731
    same_function(
        answer,
        right,
        [call(d, x)],
        name="variance_parts",
        returns=("epistemic", "aleatoric"),
        tolerance=2e-3,
        twins=[
            Twin(lambda d, x: right(d, x)[::-1], "the two parts have changed places."),
            Twin(
                sd_line, "`epistemic` is a standard deviation; the variances add up, not the sds."
            ),
            Twin(
                lambda d, x: (epistemic(d, x).sqrt(), aleatoric(d).sqrt()),
                "these are standard deviations; the variances add up, not the sds.",
            ),
            Twin(
                lambda d, x: (d["w0"].var() + d["w1"].var() * x**2, aleatoric(d)),
                "w0 and w1 are correlated, and you add their variances as if they were not.\n"
                "  Take the variance of the whole line, w0 + w1 x.",
            ),
            Twin(
                lambda d, x: (epistemic(d, x), d["sigma2"].var()),
                "`aleatoric` is the *mean* of σ², not its variance.",
            ),
            Twin(
                lambda d, x: (epistemic(d, x), d["sigma2"].sqrt().mean()),
                "`aleatoric` is the mean of σ², a variance; no square root.",
            ),
            Twin(
                lambda d, x: (epistemic(d, x), (d["sigma2"] ** 2).mean()),
                "`sigma2` is σ² already: no square.",
            ),
            Twin(
                lambda d, x: (epistemic(d, x) + aleatoric(d), aleatoric(d)),
                "`epistemic` is the variance of the *line*; leave the noise out.",
            ),
            Twin(
                lambda d, x: ((d["w0"][:, None] + d["w1"][:, None] * x).mean(0), aleatoric(d)),
                "`epistemic` is the *variance* of the lines at each x, not their mean.",
            ),
        ],
    )


def _logistic_model(x, y=None, scale=2.5, predictor=lambda b, w, x: b + (x * w).sum(-1)):
    b = pyro.sample("b", dist.Normal(0.0, scale))
    w = pyro.sample("w", dist.Normal(0.0, scale).expand([2]).to_event(1))
    with pyro.plate("countries", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=predictor(b, w, x)), obs=y)


@exercise("Exercise 7, the logistic model")
def logistic_model(answer) -> None:
    x, y = torch.randn(7, 2), torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])

    def twin(message, predictor):
        return Twin(lambda x, y=None: _logistic_model(x, y, predictor=predictor), message)

    same_model(
        answer,
        _logistic_model,
        [call(x, y), call(torch.randn(5, 2))],
        twins=[
            twin("`y`: the intercept b is missing.", lambda b, w, x: (x * w).sum(-1)),
            twin(
                "`y`: the two predictors share the first weight.",
                lambda b, w, x: b + (x * w[..., :1]).sum(-1),
            ),
            twin(
                "`y`: each predictor has the other's weight.",
                lambda b, w, x: b + (x * w.flip(-1)).sum(-1),
            ),
            twin(
                "`y`: the linear predictor is a *sum* over the predictors, not their mean.",
                lambda b, w, x: b + (x * w).mean(-1),
            ),
        ],
    )


@exercise("Exercise 8, a predictive probability")
def predictive_probability(answer) -> None:
    # Wide draws, so that the mean of the sigmoid and the sigmoid of the mean differ clearly.
    d = {"b": 1 + 2 * torch.randn(400), "w": torch.tensor([1.0, -2.0]) + torch.randn(400, 2)}
    x = torch.randn(6, 2)

    def logits(x, d):
        return d["b"][:, None] + d["w"] @ x.T

    def exact(x, d):
        return torch.sigmoid(logits(x, d)).mean(0)

    first, second = answer(x, d), answer(x, d)
    if isinstance(first, Tensor) and not torch.equal(first, second):
        fail(
            "you draw 0s and 1s and average them: right in the long run, but noisy.",
            "The probabilities themselves are known: average these.",
        )
    same_function(
        answer,
        exact,
        [call(x, d)],
        name="predictive_probability",
        returns=("probability",),
        twins=[
            Twin(
                lambda x, d: torch.sigmoid(logits(x, d).mean(0)),
                "you average first and squash afterwards: that plugs in the mean parameters.\n"
                "  Average the probabilities of the draws.",
            ),
            Twin(lambda x, d: logits(x, d).mean(0), "these are logits: the sigmoid is missing."),
            Twin(
                lambda x, d: torch.sigmoid(logits(x, d)),
                "one probability for each draw and country: average over the draws.",
            ),
            Twin(
                lambda x, d: torch.sigmoid(logits(x, d)).mean(1),
                "you average over the countries; average over the draws (dimension 0).",
            ),
            Twin(lambda x, d: torch.sigmoid(d["w"] @ x.T).mean(0), "the intercept b is missing."),
            Twin(lambda x, d: 1 - exact(x, d), "that is the probability of *not* African."),
            Twin(lambda x, d: (logits(x, d) > 0).float().mean(0), _SHARE),
            Twin(
                lambda x, d: torch.sigmoid(logits(x, d)).median(0).values,
                "that is the median over the draws; a predictive probability is the mean.",
            ),
        ],
    )


_SHARE = (
    "that is the share of the draws that *favour* African.\n"
    "  How sure each draw is counts too: average the sigmoids."
)
