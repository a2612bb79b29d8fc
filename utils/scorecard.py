"""The scorecard that ends every notebook: approximate answers beside the exact ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import pandas as pd
from IPython.display import HTML

CAPTION_OF = {
    "E": "of a mean in exact sd",
    "sd": "of an sd relative",
    "P": "of a probability relative in its odds",
    "parameter": "of a parameter relative",
    "nats": "of an ELBO or log-likelihood in nats",
    "degrees": "of an angle in degrees",
}


def make_scorecard(
    approximate: Mapping[str, float],
    exact: Mapping[str, float],
    *,
    optimum: Mapping[str, float] | None = None,
    parameters: Collection[str] = (),
) -> pd.DataFrame:
    """Set approximate answers beside the exact ones.

    Quantities are named ``E[...]`` for a mean, ``sd[...]`` for a standard deviation and
    ``P(...)`` for a probability. The error of a mean is in units of the exact standard deviation
    (``sd[...]`` of the same name must be in ``exact``), that of an sd is relative, and that of a
    probability is the relative error of its odds, p / (1 - p). That of a quantity whose name begins
    with ``ELBO``, ``ln p(`` or ``mean ln p(`` is a difference, in nats; that of one whose name ends
    in ``angle`` (before any parentheses) is a difference, in degrees.

    Args:
        optimum: a second truth: the best that a method of this kind can do. It adds the columns
            ``optimum`` and ``error (optimum)``, the error with respect to it.
        parameters: further quantities, whose error is relative.

    Returns:
        A frame with index ``quantity`` and columns ``approximate``, ``exact`` and ``error``, in
        the order of ``approximate``.

    Raises:
        ValueError: a quantity lacks its exact value, or its name is of no known kind.
    """
    frame = _with_errors(approximate, exact, parameters)
    if optimum is not None:
        second = _with_errors(approximate, optimum, parameters)
        frame["optimum"], frame["error (optimum)"] = second["exact"], second["error"]
    return frame


def _with_errors(
    approximate: Mapping[str, float], exact: Mapping[str, float], parameters: Collection[str]
) -> pd.DataFrame:
    rows = []
    for quantity, value in approximate.items():
        kind, name = ("parameter", quantity) if quantity in parameters else _kind_of(quantity)
        needed = [quantity, f"sd[{name}]"] if kind == "E" else [quantity]
        if missing := [key for key in needed if key not in exact]:
            raise ValueError(f"The exact values lack {', '.join(missing)}.")
        a, e = float(value), float(exact[quantity])
        match kind:
            case "E":
                error = (a - e) / float(exact[f"sd[{name}]"])
            case "sd" | "parameter":
                error = a / e - 1
            case "nats" | "degrees":
                error = a - e
            case "P":
                error = 0.0 if a == e else _odds(a) / _odds(e) - 1 if e > 0 else math.inf
        rows.append((quantity, a, e, error))
    frame = pd.DataFrame(rows, columns=["quantity", "approximate", "exact", "error"])
    return frame.set_index("quantity")


def show_scorecard(scorecard: pd.DataFrame) -> HTML:
    """The scorecard as a table whose caption says what its errors mean."""
    style = scorecard.style.format("{:.3f}").format_index(escape="html")
    kinds = [kind_of_row(quantity) for quantity in scorecard.index]
    caption = ", ".join(text for kind, text in CAPTION_OF.items() if kind in kinds)
    style = style.set_caption(f"error: {caption}").set_uuid("scorecard")
    return HTML(style.to_html())


def _odds(p: float) -> float:
    return p / (1 - p) if p < 1 else math.inf


def kind_of_row(quantity: str) -> str:
    """The kind of a quantity in a scorecard: E, sd, P, nats, degrees or parameter."""
    try:
        return _kind_of(quantity)[0]
    except ValueError:  # its name alone does not say; make_scorecard was told
        return "parameter"


def _kind_of(quantity: str) -> tuple[str, str]:
    if quantity.startswith(("ELBO", "ln p(", "mean ln p(")):
        return "nats", quantity
    if quantity.partition(" (")[0].endswith("angle"):
        return "degrees", quantity
    for prefix, end in (("E[", "]"), ("sd[", "]"), ("P(", ")")):
        if quantity.startswith(prefix) and quantity.endswith(end):
            return prefix[:-1], quantity[len(prefix) : -1]
    raise ValueError(f"{quantity!r}: a quantity is named E[...], sd[...] or P(...).")
