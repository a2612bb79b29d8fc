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


def test_parameters_and_logs_have_errors_of_their_own_and_a_second_truth():
    approximate = {"E[w]": 1.1, "sd[w]": 0.5, "alpha": 49.0, "ELBO": -9.5, "ln p(x)": -9.0}
    exact = {"E[w]": 1.0, "sd[w]": 0.5, "alpha": 50.0, "ELBO": -9.0, "ln p(x)": -9.0}
    optimum = {"E[w]": 1.1, "sd[w]": 0.4, "alpha": 49.0, "ELBO": -9.4, "ln p(x)": -9.0}
    card = make_scorecard(approximate, exact, optimum=optimum, parameters=("alpha",))
    assert card["error"].tolist() == pytest.approx([0.2, 0, -0.02, -0.5, 0])
    assert card["error (optimum)"].tolist() == pytest.approx([0, 0.25, 0, -0.1, 0])
    assert "of a parameter relative, of an ELBO" in show_scorecard(card).data
    with pytest.raises(ValueError, match="alpha"):
        make_scorecard(approximate, exact)


def test_rows_with_a_remark_and_angles_are_differences():
    approximate = {"ELBO per image (q = 2)": 90.0, "mean ln p(y | x)": -2.0, "largest angle": 1.5}
    exact = {"ELBO per image (q = 2)": 90.5, "mean ln p(y | x)": -2.1, "largest angle": 0.0}
    card = make_scorecard(approximate, exact)
    assert card["error"].tolist() == pytest.approx([-0.5, 0.1, 1.5])
    assert "of an angle in degrees" in show_scorecard(card).data


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
    assert "error: of a probability relative in its odds<" in table.data
    assert table.data == show_scorecard(card).data
