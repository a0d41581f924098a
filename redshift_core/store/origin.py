"""What a fine-tuned run started from: the run, what that had learned on, and how to say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redshift_core.store.folders import RunFolder
from redshift_core.store.simulator_version import simulated_mark


def ancestors(run: RunFolder) -> Iterator[Mapping[str, Any]]:
    """What is remembered of the run that this one started from, of the one before that, and so on.

    Each has ``run`` (its id), ``name`` and ``dataset`` (what it remembers of its dataset).
    """
    known: Mapping[str, Any] = run.started_from
    while known:
        yield known
        known = known.get("started_from", {})


def sentence(run: RunFolder) -> str:
    """Where a run started and what that had learned on; empty for a run from scratch."""
    parts = [
        f"run {one['name']} ({one['run']}), which learned on {one['dataset'].get('name') or '?'}"
        f"{simulated_mark(dict(one['dataset']))}"
        for one in ancestors(run)
    ]
    return f"Started from {' and started from '.join(parts)}." if parts else ""


def learned_on_simulated(run: RunFolder) -> bool:
    """Whether the run, or one that it goes back to, learned on simulated spectra."""
    seen = [run.trained_on, *(one["dataset"] for one in ancestors(run))]
    return any(one.get("simulated") for one in seen)
