"""Execute every solution with SEED = 0 ... 9 and report how far the scorecards are off.

    python -m tools.seeds [--only NAME] [--seeds 10]

Each notebook checks its own scorecard in its last code cell; a seed that fails there fails here.
Printed are, over the seeds, the largest errors in the scorecard's own units.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
from nbclient.exceptions import CellExecutionError

from tools import notebooks


def scorecard_with_seed(source: Path, seed: int) -> pd.DataFrame:
    """Execute a solution with another seed and return its scorecard.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed, perhaps the scorecard's own check.
    """
    notebook = notebooks.read_source(source)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f"SEED = {seed}"
    notebook.cells.append(
        nbformat.v4.new_code_cell("print(scorecard.to_json(double_precision=15))")
    )
    notebooks.run(notebook, source.parent)
    return pd.read_json(io.StringIO(notebook.cells[-1].outputs[0].text), precise_float=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.seeds", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", metavar="NAME", help="sources that contain NAME")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0")
    options = parser.parse_args(argv)

    failed = False
    for source in notebooks.sources():
        if options.only not in source.stem:
            continue
        cards = {}
        for seed in range(options.seeds):
            began = time.perf_counter()
            try:
                cards[seed] = scorecard_with_seed(source, seed)
                verdict = "passed"
            except CellExecutionError as error:
                failed = True
                verdict = f"FAILED: {error.evalue}"
            print(f"{source.stem}, seed {seed}: {time.perf_counter() - began:.0f} s, {verdict}")
        if cards:
            for truth, error in (("exact", "error"), ("optimum", "error (optimum)")):
                if error in cards[min(cards)]:
                    print(summary(cards, truth, error).round(4).to_string(), end="\n\n")
    return int(failed)


def summary(cards: dict[int, pd.DataFrame], truth: str, error: str) -> pd.DataFrame:
    """The largest and the mean errors of each quantity over the seeds, in respect of a truth."""
    errors = pd.concat({seed: card[error] for seed, card in cards.items()}, axis=1)
    approximate = pd.concat({seed: card["approximate"] for seed, card in cards.items()}, axis=1)
    exact = cards[min(cards)][truth]
    return pd.DataFrame(
        {
            truth: exact,
            "largest error": errors.abs().max(axis=1),
            "mean error": errors.mean(axis=1),
            "largest difference": approximate.sub(exact, axis=0).abs().max(axis=1),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
