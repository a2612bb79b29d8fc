"""The scorecard: its errors, its refusals, and how it is shown."""

from __future__ import annotations

import pytest
import torch

from utils.scorecard import make_scorecard, show_scorecard


def test_scorecard_errors_are_in_the_units_of_their_kind():
    approximate = {"E[w]": 1.1, "sd[w]": 0.9, "P(w > 0)": 0.8}
    exact = {"E[w]": torch.tensor(1.0), "sd[w]": 0.5, "P(w > 0)": 0.75}
    card = make_scorecard(approximate, exact)
    assert card.index.name == "quantity"
    assert list(card.columns) == ["approximate", "exact", "error"]
    assert card["error"].tolist() == pytest.approx([0.2, 0.8, 4 / 3 - 1], rel=1e-6)


@pytest.mark.parametrize(
    ("approximate", "exact", "message"),
    [
        ({"E[w]": 1.0}, {"E[w]": 1.0}, r"lack sd\[w\]"),
        ({"sd[w]": 1.0}, {}, r"lack sd\[w\]"),
        ({"w": 1.0}, {"w": 1.0}, "is named"),
    ],
)
def test_scorecard_refuses_what_it_cannot_judge(approximate, exact, message):
    with pytest.raises(ValueError, match=message):
        make_scorecard(approximate, exact)


@pytest.mark.parametrize(
    ("approximate", "exact", "error"),
    [
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 0.0),
        (0.1, 0.0, float("inf")),
        (0.5, 1.0, -1.0),
        (0.0, 0.5, -1.0),
    ],
)
def test_odds_at_the_ends(approximate, exact, error):
    assert make_scorecard({"P(w)": approximate}, {"P(w)": exact})["error"].item() == error


def test_the_table_says_what_its_errors_mean_and_is_the_same_every_time():
    card = make_scorecard({"P(a<b)": 0.5}, {"P(a<b)": 0.4})
    table = show_scorecard(card)
    assert "P(a&lt;b)" in table.data
    assert "of a mean in exact sd" in table.data
    assert table.data == show_scorecard(card).data
