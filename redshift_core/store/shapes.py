"""What the JSON files of the store must hold for those who read them; a foreign file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redshift_core.errors import RESTORE, DamagedError

PERTURB_AGAIN = "Perturb the spectra again."
NEWER = "If a newer Redshift Lab wrote it, update this one; else restore it or delete the folder."
DATASET_VERSION = 1  # newest schema_version of dataset.json that is read here

_NAMED = {"name": (str, type(None)), "note": (str, type(None))}
_COLUMNS = {"n_flux": int, "other": list}
_DATASET = {
    "n_rows": int, "n_usable": int, "n_flagged": int, "flagged": dict, "examples": dict,
    "source_file": str, "source_bytes": int, "sha256": str, "unit": str, "columns_found": dict,
    "simulation": dict, "simulated": bool, "z_range": (list, type(None)), "warnings": list,
}  # fmt: skip
_RESULTS = {  # kind of a short job → what its result has when it has finished
    "ingest": {"dataset": str, "rows": int},
    "simulate": {"dataset": str, "rows": int},
    "fetch": {"rows": int},
    "evaluate": {"dataset": str, "metrics": dict},
    "predict": {"files": list, "rows": int, "flagged": dict},
    "catalogue": {"rows": int, "parts": int, "failed": list, "flagged": dict},
    "adapt": {"dataset": str, "run": str},
}


def check(path: Path, value: Any, shape: Mapping[str, Any], remedy: str = RESTORE) -> None:
    """Refuse a table of values in which one is missing or of another type.

    Parameters
    ----------
    path : Path
        The file that it stands in.
    shape : mapping
        Name → type, or types, that the value must have.

    Raises
    ------
    DamagedError
    """
    value = value if isinstance(value, dict) else {}
    for name, kind in shape.items():
        if name in value and isinstance(value[name], kind):
            continue
        optional = isinstance(kind, tuple) and type(None) in kind
        if name in value or not optional:
            problem = (
                f"{name} is {str(value[name])[:40]!r}" if name in value else f"it has no {name}"
            )
            raise DamagedError.of(path, problem, remedy)


def check_named(path: Path, value: dict[str, Any]) -> None:
    """Name and note are text where they are given."""
    check(path, value, _NAMED)


def check_dataset(path: Path, value: dict[str, Any]) -> None:
    """Content of ``dataset.json``."""
    check_named(path, value)
    version = value.get("schema_version", 1)
    if not isinstance(version, int) or version > DATASET_VERSION:
        raise DamagedError.of(path, f"its schema version {version!r} is not known here", NEWER)
    check(path, value, _DATASET)
    check(path, value["columns_found"], _COLUMNS)


def check_environment(path: Path, value: dict[str, Any]) -> None:
    """Content of ``environment.json``."""
    parts = ("dataset", "split", "scaler", "versions")
    check(path, {name: value.get(name, {}) for name in parts}, dict.fromkeys(parts, dict))


def check_started_from(path: Path, value: dict[str, Any]) -> None:
    """What a run remembers of the run it started from, which may have started from another."""
    if value:
        check(path, value, {"run": str, "name": str, "dataset": dict})
        check_started_from(path, value.get("started_from", {}))


def check_request(path: Path, value: dict[str, Any]) -> None:
    """Content of ``request.json``."""
    texts = dict.fromkeys(("file", "run", "dataset"), (str, type(None)))
    check(path, value, {"kind": str, "against": (list, type(None)), **texts})


def check_result(path: Path, value: dict[str, Any], kind: str) -> None:
    """Content of ``result.json`` of a short job that has finished."""
    check(path, value, _RESULTS.get(kind, {}), "Delete the folder, and do it again.")
