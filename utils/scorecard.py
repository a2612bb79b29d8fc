"""The scorecard that ends every notebook: approximate answers beside the exact ones."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

import pandas as pd
from IPython.display import HTML

KINDS = {  # of a quantity: its name, and what the caption says of its error
    "E": (r"E\[.*\]", "of a mean in exact sd"),
    "sd": (r"sd\[.*\]", "of an sd relative"),
    "P": (r"P\(.*\)", "of a probability relative in its odds"),
    "parameter": ("", "of a parameter relative"),
    "nats": (r"(ELBO|(mean )?ln p\().*", "of an ELBO or log-likelihood in nats"),
    "degrees": (r"[^(]*angle( \(.*)?", "of an angle in degrees"),
}


def make_scorecard(
    approximate: Mapping[str, float],
    exact: Mapping[str, float],
    *,
    parameters: Collection[str] = (),
) -> pd.DataFrame:
    """Set approximate answers beside the exact ones.

    The name of a quantity says its kind, and the kind the unit of its error (see ``KINDS``). That
    of ``E[...]`` is in exact standard deviations: ``exact`` must hold ``sd[...]``, too.

    Args:
        parameters: further quantities, whose error is relative.

    Returns:
        A frame with index ``quantity`` and columns ``approximate``, ``exact`` and ``error``, in
        the order of ``approximate``.

    Raises:
        ValueError: a quantity lacks its exact value, or its name is of no known kind.
    """
    errors = {name: _error(name, a, exact, parameters) for name, a in approximate.items()}
    columns = {
        "approximate": {name: float(a) for name, a in approximate.items()},
        "exact": {name: float(exact[name]) for name in approximate},
        "error": errors,
    }
    return pd.DataFrame(columns).rename_axis("quantity")


def show_scorecard(scorecard: pd.DataFrame, trust: Mapping[str, float] | None = None) -> HTML:
    """The scorecard as a table whose caption says what its errors mean.

    Args:
        trust: what one can say without the exact answer, say R-hat or Pareto k̂: name -> value.
    """
    kinds = set(map(kind_of_row, scorecard.index))
    caption = ", ".join(text for kind, (_, text) in KINDS.items() if kind in kinds)
    caption = f"error: {caption}"
    if trust:
        values = ", ".join(f"{name} {value:,.4g}" for name, value in trust.items())
        caption += f"<br>without the exact answer: {values}"
    style = scorecard.style.format("{:.3f}").format_index(escape="html")
    return HTML(style.set_caption(caption).set_uuid("scorecard").to_html())


def kind_of_row(quantity: str) -> str:
    """The kind of a quantity in a scorecard; `parameter` if its name does not say."""
    named = (kind for kind, (name, _) in KINDS.items() if re.fullmatch(name, quantity))
    return next(named, "parameter")


def _error(
    quantity: str, approximate: float, truth: Mapping[str, float], parameters: Collection[str]
) -> float:
    """The difference from the truth, in the unit of its kind."""
    kind = "parameter" if quantity in parameters else kind_of_row(quantity)
    if kind == "parameter" and quantity not in parameters:
        raise ValueError(f"{quantity!r}: a quantity is named E[...], sd[...] or P(...).")
    needed = [quantity] if kind != "E" else [quantity, f"sd{quantity[1:]}"]
    if missing := [name for name in needed if name not in truth]:
        raise ValueError(f"The exact values lack {', '.join(missing)}.")
    a, e, last = float(approximate), float(truth[quantity]), float(truth[needed[-1]])
    # That of the odds a / (1 - a), relative to e / (1 - e), is (a - e) / (e (1 - a)).
    unit = {"E": last, "sd": e, "parameter": e, "P": e * (1 - a)}.get(kind, 1.0)
    if unit == 0:
        return math.copysign(math.inf, a - e) if a != e else 0.0
    return (a - e) / unit
