"""The check of the scorecard that ends a notebook."""

from __future__ import annotations

import math

import pandas as pd

from checks.engine import fail
from utils.scorecard import kind_of_row


def scorecard_within(
    scorecard: pd.DataFrame,
    *,
    mean: float | None = None,
    sd: float | None = None,
    probability: float | None = None,
    parameter: float | None = None,
    nats: float | None = None,
    degrees: float | None = None,
) -> None:
    """Pass if every approximate answer is as near to the exact one as stated.

    Args:
        scorecard: as made by :func:`utils.scorecard.make_scorecard`.
        mean: greatest error of an ``E[...]``, in exact standard deviations.
        sd: greatest relative error of an ``sd[...]``.
        probability: greatest absolute error of a ``P(...)``.
        parameter: greatest relative error of a parameter.
        nats: greatest difference of an ELBO or log-likelihood.
        degrees: greatest difference of an angle.

    A quantity of a kind without a limit is not judged, save that it must be a number.
    """
    if scorecard.empty:
        fail("Scorecard: it is empty.", "Did a cell above stop with an error? Mend that one first.")
    absolute = (scorecard["approximate"] - scorecard["exact"]).abs()
    limits = {
        "E": (mean, "means within {limit:g} sd"),
        "sd": (sd, "sds within {percent:g}%"),
        "P": (probability, "probabilities (as such, not their odds) within {limit:g}"),
        "parameter": (parameter, "parameters within {percent:g}%"),
        "nats": (nats, "logs within {limit:g} nats"),
        "degrees": (degrees, "angles within {limit:g}°"),
    }
    kinds = scorecard.index.map(kind_of_row)
    size = scorecard["error"].abs().where(kinds != "P", absolute)
    unlimited = [math.inf if limits[k][0] is None else limits[k][0] for k in kinds]
    allowed = pd.Series(unlimited, index=scorecard.index)
    judged = allowed < math.inf
    if not judged.any():
        fail("Scorecard: no limit is given for any of its quantities.")
    if (bad := ~(size <= allowed)).any():
        row = scorecard[bad].iloc[0]
        fail(
            f"Scorecard: {int(bad.sum())} of {len(scorecard)} quantities are off, first "
            f"`{row.name}`: {row['approximate']:.4g} against {row['exact']:.4g}.",
            "Is the ELBO flat? Then run the notebook again from the top, in order.",
        )
    parts = [
        text.format(limit=limit, percent=100 * limit)
        for limit, text in limits.values()
        if limit is not None
    ]
    print(f"✓ Scorecard: {int(judged.sum())} quantities; {', '.join(parts)}")
