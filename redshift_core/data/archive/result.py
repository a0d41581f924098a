"""What a fetch leaves in its dataset: where it comes from, and which sources it lacks."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from redshift_core import __version__
from redshift_core.data.archive import redshifts
from redshift_core.data.archive.request import FetchRequest
from redshift_core.data.archive.services import Site
from redshift_core.store import DatasetFolder, Store, atomic

MISSING = "missing.csv"  # in the dataset's folder
PROVENANCE = "archive"  # key in dataset.json
CLIENTS = ("pyvo", "requests", "astropy")


def finished(store: Store, key: str) -> DatasetFolder | None:
    """Dataset that an earlier fetch made of the same request."""
    for dataset in store.datasets():
        if (dataset.info.get(PROVENANCE) or {}).get("key") == key:
            return dataset
    return None


def missing_ids(dataset: DatasetFolder) -> list[int]:
    """Ids that were asked for and of which the archive has no spectrum."""
    path = dataset.path / MISSING
    if not path.exists():
        return []
    return [int(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def write_missing(dataset: DatasetFolder, ids: list[int]) -> None:
    """Keep the ids that are missing, one a line, in the dataset's folder."""
    if ids:
        with atomic(dataset.path / MISSING) as part:
            part.write_text("\n".join(["source_id", *map(str, ids)]) + "\n", encoding="utf-8")


def provenance(
    request: FetchRequest, site: Site, n_asked: int, n_missing: int, **found: Any
) -> dict[str, Any]:
    """What ``dataset.json`` says of where its spectra come from.

    Parameters
    ----------
    found : optional
        What the fetch found out: ``redshifts`` and ``names_that_worked``.
    """
    if request.redshifts in redshifts.CATALOGUES:
        catalogue = redshifts.CATALOGUES[request.redshifts]
        found["redshifts"] |= {"catalogue": catalogue.table, "by": "CDS X-Match"}
    return {
        "key": request.key,
        "service": site.title,
        "url": site.url,
        "release": request.release,
        "adql": request.adql or None,
        "ids": Path(request.ids).name or None,
        "n_asked": n_asked,
        "n_missing": n_missing,
        "fetched": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {"redshift-lab": __version__, **{one: version(one) for one in CLIENTS}},
        **found,
    }


def result(dataset: DatasetFolder, existing: bool, file: Path | None = None) -> dict[str, Any]:
    """What the job returns; ``file`` holds the coefficients, for download."""
    info = dataset.info
    return {
        "dataset": dataset.id,
        "rows": info["n_rows"],
        "missing": missing_ids(dataset),
        "flagged": info["flagged"],
        "existing": existing,
        "file": str(file) if file else None,
    }
