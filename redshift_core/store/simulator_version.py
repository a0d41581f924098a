"""Which version of the simulator made a survey, and what to say where that is not today's.

A Parquet file of the simulator says so itself, and its dataset keeps it; a CSV file cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redshift_core.constants import SIMULATOR_VERSION
from redshift_core.store import RunFolder, Store, TuningFolder

KEY = "simulator_version"


def version(info: Mapping[str, Any]) -> int | None:
    """Version of the simulator behind a dataset or a run; None where unknown or not simulated.

    Parameters
    ----------
    info : mapping
        Content of ``dataset.json``, or what a run remembers of its dataset (`trained_on`).
    """
    if not info.get("simulated"):
        return None
    number = (info.get("simulation") or info).get(KEY)
    return number if isinstance(number, int) else None


def outdated(info: Mapping[str, Any]) -> str:
    """Sentence on spectra that an older simulator made; empty for others, or where unknown."""
    made_with = version(info)
    if made_with is None or made_with >= SIMULATOR_VERSION:
        return ""
    return (
        f"SIMULATED by version {made_with} of the simulator, whose survey was unlike Gaia's: twice "
        f"as bright, on another pixel grid. Make it anew with version {SIMULATOR_VERSION}."
    )


def remark(info: Mapping[str, Any]) -> str:
    """As `outdated`, and also a sentence where the version of a simulated dataset is unknown."""
    if info.get("simulated") and version(info) is None:
        return (
            "SIMULATED by an unknown version of the simulator: the file does not say which, as no "
            f"CSV file does. If it was made before version {SIMULATOR_VERSION}, its spectra are "
            "unlike Gaia's; make it anew."
        )
    return outdated(info)


def simulated_mark(info: dict[str, Any]) -> str:
    """`` (SIMULATED)`` for a simulated dataset, also by which older version; else nothing."""
    made_with = version(info)
    if made_with is not None and made_with < SIMULATOR_VERSION:
        return f" (SIMULATED by the older version {made_with} of the simulator)"
    return " (SIMULATED)" if info.get("simulated") else ""


def trained_on(folder: RunFolder | TuningFolder, store: Store) -> dict[str, Any]:
    """What a run or search remembers of its dataset, and the simulator's version.

    One that has just begun remembers nothing, and older ones not the version; then the dataset is
    asked, if it is in the store still.
    """
    remembered = folder.trained_on
    if remembered and (KEY in remembered or not remembered.get("simulated")):
        return remembered
    wanted = remembered.get("id") or folder.config.dataset
    info = next((one.info for one in store.datasets() if one.id == wanted), {})
    return {**remembered, KEY: version(info)} if remembered else info
