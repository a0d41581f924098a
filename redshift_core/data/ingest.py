"""A file becomes a dataset of the store: read once, in blocks, in bounded memory.

The folder is made under a hidden name and shown when it is whole; a failure or a stop leaves
nothing behind, and what a killed process left is swept away by the next ingest. The same file with
the same columns is the same dataset.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from redshift_core.constants import FLUX_UNIT, N_PIXELS, counted
from redshift_core.data.blocks import Table
from redshift_core.data.catalogue import Catalogue
from redshift_core.data.files import size_of
from redshift_core.data.fingerprint import Fingerprint
from redshift_core.data.headers import Columns
from redshift_core.data.readers import find_columns, numbered_blocks, open_table
from redshift_core.data.spectra import BAD_FLUX
from redshift_core.data.staging import construction, sweep
from redshift_core.errors import InputError
from redshift_core.store import (
    DatasetFolder,
    JobContext,
    Stopped,
    Store,
    publish,
    readable,
    write_json,
)
from redshift_core.store.arrays import RowWriter

SCHEMA_VERSION = 1  # of dataset.json
Report = Callable[[float, float, str], None]


def ingest(
    path: Path | str,
    store: Store,
    name: str = "",
    columns: Mapping[str, str] | str | None = None,
    report: Report | None = None,
) -> DatasetFolder:
    """Read a file of spectra into the store; one that is there already is returned as it is.

    Parameters
    ----------
    path : path
        A table in one of the formats of ``choices.FORMATS``, or a folder of Parquet files.
    name : str
        Name of the dataset; the file's where empty.
    columns : mapping or text, optional
        Which column is which, where the header does not tell; see ``headers``.
    report : callable, optional
        Called with bytes done, bytes in all, and a message, after each block.

    Raises
    ------
    InputError
        Where the file is no table of spectra; nothing is left in the store.
    """
    return ingest_file(path, store, name, columns, report)[0]


def ingest_job(context: JobContext) -> dict[str, Any]:
    """Ingest as a job; the request holds ``file``, ``name`` and, if need be, ``columns``."""
    request = context.request
    try:
        folder, existing = ingest_file(
            request["file"],
            context.store,
            request.get("name", ""),
            request.get("columns"),
            context.report_or_stop,
        )
    except Stopped:
        return {"dataset": None, "rows": 0, "flagged": {}, "existing": False, "stopped": True}
    info = folder.info
    return {
        "dataset": folder.id,
        "rows": info["n_rows"],
        "flagged": info["flagged"],
        "existing": existing,
    }


def ingest_file(
    path: Path | str,
    store: Store,
    name: str = "",
    columns: Mapping[str, str] | str | None = None,
    report: Report | None = None,
) -> tuple[DatasetFolder, bool]:
    """As ``ingest``; also says whether the dataset was there already."""
    table = open_table(path)
    found = find_columns(table, columns)
    sweep(store)
    twin = _twin(store, table, found)
    if twin:
        return twin, True
    name = readable(name) or readable(_stem(table.path)) or "unnamed"
    folder = store.new_dataset(name)
    with construction(folder, table.path.name, size_of(table.path)):
        info = _fill(folder, table, found, report or (lambda *_: None))
        write_json(folder.info_path, {"name": name, "note": "", **info})
    if twin := _same(store, info["sha256"], found):  # made by someone else meanwhile
        shutil.rmtree(folder.path)
        return twin, True
    return publish(folder), False


def _fill(folder: DatasetFolder, table: Table, columns: Columns, report: Report) -> dict[str, Any]:
    """Write flux and catalogue; what ``dataset.json`` says of them."""
    total = size_of(table.path)
    catalogue = Catalogue(columns)
    with Fingerprint(table.path) as fingerprint:
        with RowWriter(folder.flux_path, N_PIXELS, "float32") as writer:
            for spectra, done in numbered_blocks(table, columns):
                writer.write(spectra.flux)
                catalogue.add(spectra)
                report(done, total, f"{counted(catalogue.n_rows, 'spectrum')} read")
        _check_still(table.path, total)
        report(total, total, "Writing the catalogue")
        catalogue.finish(simulated=bool(table.simulation.get("simulated")))
        _check_usable(table.path.name, catalogue)
        catalogue.write(folder.catalogue_path)
        sha256 = fingerprint.result()
    return {
        "schema_version": SCHEMA_VERSION,
        "created": time.time(),
        "source_file": readable(table.path.name),
        "source_bytes": total,
        "sha256": sha256,
        "unit": FLUX_UNIT,
        "columns_found": columns.found(),
        "simulation": table.simulation,
        **catalogue.summary(),
    }


def _check_still(path: Path, n_bytes: int) -> None:
    """InputError where a file has grown or shrunk since reading began; it may be gone by now."""
    if path.exists() and (now := size_of(path)) != n_bytes:
        raise InputError(
            f"{path.name} had {n_bytes:,} bytes when reading began and has {now:,} now: it is "
            "still being written or copied. Read it again when it is whole."
        )


def _check_usable(file: str, catalogue: Catalogue) -> None:
    if not ((catalogue.flags & BAD_FLUX) == 0).any():
        raise InputError(
            f"{file} has no usable row: in each of its {catalogue.n_rows:,} rows a flux is "
            "missing, infinite or a stand-in such as −999, or all are zero. Export the spectra "
            "again."
        )


def _twin(store: Store, table: Table, columns: Columns) -> DatasetFolder | None:
    """Dataset made of this very file earlier; only a file of the same size is hashed for it."""
    size = size_of(table.path)
    if not any(folder.info.get("source_bytes") == size for folder in store.datasets()):
        return None
    with Fingerprint(table.path) as fingerprint:
        return _same(store, fingerprint.result(), columns)


def _same(store: Store, sha256: str, columns: Columns) -> DatasetFolder | None:
    for folder in store.datasets():
        info = folder.info
        if info.get("sha256") == sha256 and info.get("columns_found") == columns.found():
            return folder
    return None


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rsplit(".", 1)[0] or path.name
