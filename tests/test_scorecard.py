"""The scorecard: its errors, its refusals, and how it is shown."""

from __future__ import annotations

from math import inf

import pytest
import torch

from utils.scorecard import make_scorecard, show_scorecard


@pytest.mark.parametrize(
    ("quantity", "approximate", "exact", "error", "caption"),
    [
        ("E[w]", 1.1, torch.tensor(1.0), 0.2, "of a mean in exact sd"),
        ("E[never w]", 1.0, 1.0, 0.0, "of a mean in exact sd"),  # whose exact sd is 0
        ("E[never w]", 0.9, 1.0, -inf, "of a mean in exact sd"),
        ("sd[w]", 0.9, 0.5, 0.8, "of an sd relative"),
        ("sd[v]", 0.0, 0.0, 0.0, "of an sd relative"),
        ("sd[v]", 0.1, 0.0, inf, "of an sd relative"),
        ("P(w > 0)", 0.8, 0.75, 4 / 3 - 1, "of a probability relative in its odds"),
        ("P(w > 0)", 1.0, 1.0, 0.0, "of a probability relative in its odds"),
        ("P(w > 0)", 1.0, 0.5, inf, "of a probability relative in its odds"),
        ("P(w > 0)", 0.1, 0.0, inf, "of a probability relative in its odds"),
        ("P(w > 0)", 0.5, 1.0, -1.0, "of a probability relative in its odds"),
        ("alpha", 49.0, 50.0, -0.02, "of a parameter relative"),
        ("alpha", -1.0, -2.0, -0.5, "of a parameter relative"),
        ("alpha", -0.1, 0.0, -inf, "of a parameter relative"),
        ("ELBO per image (q = 2)", 90.0, 90.5, -0.5, "of an ELBO or log-likelihood in nats"),
        ("mean ln p(y | x)", -2.0, -2.1, 0.1, "of an ELBO or log-likelihood in nats"),
        ("ln p(x)", -9.0, 0.0, -9.0, "of an ELBO or log-likelihood in nats"),
        ("largest angle (q = 2)", 1.5, 0.0, 1.5, "of an angle in degrees"),
    ],
)
def test_errors_are_in_the_units_of_their_kind(quantity, approximate, exact, error, caption):
    truth = {"sd[w]": 0.5, "sd[never w]": 0.0} | {quantity: exact}
    card = make_scorecard({quantity: approximate}, truth, parameters=["alpha"])
    assert (card.index.name, *card.columns) == ("quantity", "approximate", "exact", "error")
    assert card["error"].item() == pytest.approx(error, rel=1e-6)
    assert f"error: {caption}<" in show_scorecard(card).data


@pytest.mark.parametrize(
    ("quantity", "exact", "message"),
    [
        ("E[w]", {"E[w]": 1.0}, r"lack sd\[w\]"),
        ("sd[w]", {}, r"lack sd\[w\]"),
        ("alpha", {"alpha": 1.0}, "'alpha': a quantity is named"),
    ],
)
def test_what_cannot_be_judged_is_refused(quantity, exact, message):
    with pytest.raises(ValueError, match=message):
        make_scorecard({quantity: 1.0}, exact)


def test_the_table_is_the_same_every_time_and_its_names_are_text():
    card = make_scorecard({"P(a<b)": 0.5}, {"P(a<b)": 0.4})
    assert "P(a&lt;b)" in show_scorecard(card).data
    assert show_scorecard(card).data == show_scorecard(card).data
