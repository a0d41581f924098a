"""Runs every trial and writes docs/soak.md: ``python -m scripts.soak [NAME ...]``.

A NAME is a module of this package, or one of its trials (``load.thousand_runs``); without one, all
run. Each trial gets its own empty folder. What other trials gave stays on the page, with its date.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from scripts.soak import Outcome, Trial

MODULES: tuple[str, ...] = ("kills", "disk", "damage", "files", "doors", "load")
PAGE = Path(__file__).parents[2] / "docs" / "soak.md"
HEAD = (
    "# What was tried on purpose\n\n"
    "`make soak` wrote this. *Survived* means that the product went on, or said in one sentence "
    "why not; *lost* means anything else.\n\n"
    "| What | Tried | Survived | Lost | Seconds | Date | Note |\n|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    """Runs the trials; the exit code is 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--out", type=Path, default=PAGE, help="the page to write")
    chosen = parser.parse_args()
    known = _known(chosen.out) if chosen.names else {}
    n_lost = 0
    for name in chosen.names or MODULES:
        module, _, only = name.partition(".")
        trials = importlib.import_module(f"scripts.soak.{module}").TRIALS
        trials = [one for one in trials if only in ("", one.__name__)]
        if not trials:
            parser.error(f"scripts/soak/{module}.py has no trial {only!r}")
        for trial in trials:
            outcome, seconds = _attempt(trial)
            known[outcome.what] = _line(outcome, seconds)
            n_lost += outcome.lost
            print(known[outcome.what], flush=True)
    chosen.out.write_text(_page(known.values()), encoding="utf-8")
    return int(n_lost > 0)


def _attempt(trial: Trial) -> tuple[Outcome, float]:
    """How a trial went, and the seconds it took; one that breaks counts as lost."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="redshift-soak-") as scratch:
        try:
            outcome = trial(Path(scratch))
        except Exception as error:
            outcome = Outcome(trial.__name__, 1, 0, 1, f"{type(error).__name__}: {error}")
    return outcome, time.monotonic() - began


def _known(page: Path) -> dict[str, str]:
    """Rows that a page has already, by what they are about."""
    text = page.read_text(encoding="utf-8") if page.exists() else HEAD
    rows = text.partition(HEAD)[2].splitlines()
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


def _page(rows: Iterable[str]) -> str:
    """The Markdown of docs/soak.md."""
    return HEAD + "".join(f"{row}\n" for row in rows)


def _line(outcome: Outcome, seconds: float) -> str:
    """One row of the table."""
    today = datetime.date.today().isoformat()
    cells = (outcome.what, outcome.tried, outcome.survived, outcome.lost, f"{seconds:.0f}", today)
    return "| " + " | ".join(str(cell) for cell in (*cells, outcome.note)) + " |"


if __name__ == "__main__":
    sys.exit(main())
