"""Damage: every file of a small store is cut off, emptied, filled with noise, deleted, replaced.

Commands run as a user runs them. The lists must go on naming all that is whole; a prediction must
give the redshifts of the whole store, or one sentence and exit code 2.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from redshift_core.store import CHECKOUT
from scripts.soak import Outcome
from scripts.soak.faults import Count, hidden, open_store
from tests.damage_scenes import damaged, files_of, kinds_of, make_store, put

THINGS = ("dataset", "run", "tuning", "ingest", "predict")
ENGINES = 1e-6  # two engines, one of which takes over from the other, round differently


def lists(scratch: Path) -> Outcome:
    """The list of a part of the store names all that is whole, whatever is damaged there."""
    store = open_store(scratch / "home")
    things = make_store(store)

    def attempt(thing: Any) -> str:
        part = thing.path.parent
        command = "tunings" if part.name == "tuning" else part.name
        done = _command(command)
        whole = [folder.name for folder in part.iterdir() if folder != thing.path]
        missing = [name for name in whole if name not in done.stdout]
        if done.returncode:
            return f"exit {done.returncode}: {done.stderr[-200:]}"
        return f"{missing[0]} is not listed" if missing else ""

    return _damaged("Lists of a store with a damaged file", things, THINGS, attempt)


def predictions(scratch: Path) -> Outcome:
    """A run with a damaged file predicts the same redshifts, or ends with exit code 2."""
    store = open_store(scratch / "home")
    things, out = make_store(store), scratch / "z.parquet"
    run, file = things["run"], store.inbox / "other.parquet"
    command = ("predict", run.id, str(file), "--out", str(out))

    def predict() -> subprocess.CompletedProcess[str]:
        out.unlink(missing_ok=True)
        return _command(*command)

    predict().check_returncode()
    whole = pd.read_parquet(out).z_phot

    def attempt(_: Any) -> str:
        done = predict()
        if left := hidden(store.root, scratch):
            return f"left {left[0]}"
        if done.returncode == 0:
            same = np.allclose(pd.read_parquet(out).z_phot, whole, rtol=0, atol=ENGINES)
            return "" if same else "other redshifts"
        plain = done.returncode == 2 and "Traceback" not in done.stderr and not out.exists()
        return "" if plain else f"exit {done.returncode}: {done.stderr[-200:]}"

    return _damaged("Predictions of a run with a damaged file", things, ("run",), attempt)


def _damaged(
    what: str, things: dict[str, Any], names: tuple[str, ...], attempt: Callable[[Any], str]
) -> Outcome:
    """Try something with every damage to every file of some things, each undone afterwards."""
    count = Count()
    for name in names:
        for path, kind, content in _cells(things[name]):
            put(path, damaged(content, kind))
            count.add(f"{name}, {path.name} {kind}", lambda name=name: attempt(things[name]))  # type: ignore[misc]
            put(path, content)
    return Outcome(what, count.tried, count.survived, len(count.why), count.note)


def _cells(thing: Any) -> Iterator[tuple[Path, str, bytes]]:
    for path in files_of(thing):
        content = path.read_bytes()
        for kind in kinds_of(path):
            yield path, kind, content


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "redshift_core.cli", *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)


TRIALS = (lists, predictions)
