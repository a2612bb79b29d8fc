"""Execute every solution with SEED = 0 ... 9 and report how far the scorecards are off.

    python -m tools.seeds [--only NAME] [--seeds 10]

A seed that fails the scorecard's own check fails here.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import nbformat
import pandas as pd
from nbclient.exceptions import CellExecutionError

from tools import build


def scorecard_with_seed(source: Path, seed: int) -> pd.DataFrame:
    """Execute a solution with another seed; raises CellExecutionError if a cell fails."""
    notebook = build.read_source(source)
    for cell in notebook.cells:
        if "parameters" in build.tags(cell):
            cell.source = f"SEED = {seed}"
    show = "print(scorecard.to_json(double_precision=15))"
    notebook.cells.append(nbformat.v4.new_code_cell(show))
    build.run(notebook, source.parent)
    return pd.read_json(io.StringIO(notebook.cells[-1].outputs[0].text), precise_float=True)


def summary(cards: pd.DataFrame) -> pd.DataFrame:
    """The largest and the mean errors of each quantity, and of differences without a unit."""
    cards["difference"] = cards["approximate"] - cards["exact"]
    errors = cards.filter(regex="error|difference")
    largest = errors.abs().groupby("quantity", sort=False).max()
    mean = errors.groupby("quantity", sort=False).mean()
    return pd.concat({"largest": largest, "mean": mean}, axis="columns")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.seeds", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", metavar="NAME", help="sources that contain NAME")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0")
    options = parser.parse_args(argv)
    failed = False
    for source in (s for s in build.sources() if options.only in s.stem):
        cards = {}
        for seed in range(options.seeds):
            try:
                cards[seed] = scorecard_with_seed(source, seed)
            except CellExecutionError as error:
                failed = True
                print(f"{source.stem}, seed {seed} FAILED: {error.evalue}", flush=True)
        if cards:
            table = summary(pd.concat(cards, names=["seed", "quantity"])).round(4)
            print(source.stem, table.to_string(), sep="\n", end="\n\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
