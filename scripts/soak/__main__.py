"""Runs every trial and writes docs/soak.md: ``python -m scripts.soak [NAME ...]``.

A NAME is a module of this package; without one, all run. Each trial gets its own empty folder.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
import tempfile
import time
from pathlib import Path

from scripts.soak import Outcome, Trial

MODULES: tuple[str, ...] = ("kills", "disk", "damage", "files", "doors", "load")
PAGE = Path(__file__).parents[2] / "docs" / "soak.md"


def main() -> int:
    """Runs the trials; the exit code is 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--out", type=Path, default=PAGE, help="the page to write")
    chosen = parser.parse_args()
    rows = []
    for name in chosen.names or MODULES:
        for trial in importlib.import_module(f"scripts.soak.{name}").TRIALS:
            rows.append(_attempt(trial))
            print(_line(*rows[-1]), flush=True)
    chosen.out.write_text(_page(rows), encoding="utf-8")
    return int(any(outcome.lost for outcome, _ in rows))


def _attempt(trial: Trial) -> tuple[Outcome, float]:
    """How a trial went, and the seconds it took; one that breaks counts as lost."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="redshift-soak-") as scratch:
        try:
            outcome = trial(Path(scratch))
        except Exception as error:
            outcome = Outcome(trial.__name__, 1, 0, 1, f"{type(error).__name__}: {error}")
    return outcome, time.monotonic() - began


def _page(rows: list[tuple[Outcome, float]]) -> str:
    """The Markdown of docs/soak.md."""
    today = datetime.date.today().isoformat()
    head = (
        "# What was tried on purpose\n\n"
        f"Measured on {today} with `make soak`. *Survived* means that the product went on, or said "
        "in one sentence why not; *lost* means anything else.\n\n"
        "| What | Tried | Survived | Lost | Seconds | Note |\n|---|---|---|---|---|---|\n"
    )
    return head + "".join(_line(*row) + "\n" for row in rows)


def _line(outcome: Outcome, seconds: float) -> str:
    """One row of the table."""
    cells = (outcome.what, outcome.tried, outcome.survived, outcome.lost, f"{seconds:.0f}")
    return "| " + " | ".join(str(cell) for cell in (*cells, outcome.note)) + " |"


if __name__ == "__main__":
    sys.exit(main())
