"""Writes a copy of a dataset with moved spectra and the same rows, ids, redshifts and flags."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.data import BAD_FLUX, Dataset, brightness
from redshift_core.data.fingerprint import Fingerprint
from redshift_core.data.staging import construction, sweep
from redshift_core.learning.adaptation.transport import Adaptation
from redshift_core.store import DatasetFolder, Store, publish, write_json
from redshift_core.store.arrays import RowWriter

BLOCK_ROWS = 8192  # spectra moved at a time

Report = Callable[[float, float, str], None]


def write_adapted(
    store: Store,
    source: Dataset,
    adaptation: Adaptation,
    name: str,
    origin: dict[str, Any],
    report: Report = lambda *_: None,
) -> DatasetFolder:
    """Write a copy of a dataset in which every usable spectrum is moved; returns the copy.

    Parameters
    ----------
    source : Dataset
        The dataset to copy. Rows keep their order; rows without usable flux stay unchanged.
    name : str
        Name of the new dataset.
    origin : dict
        Facts about the target for ``adapted`` in ``dataset.json``; the source is added here.
    report : callable
        Called after each block with rows done, rows in total and a message; may raise to stop.
    """
    sweep(store)
    folder = store.new_dataset(name)
    with construction(folder, f"The dataset adapted from {source.name}", 4 * source.flux.size):
        bright = np.array(source.brightness)
        with RowWriter(folder.flux_path, N_PIXELS, "float32") as writer:
            for start in range(0, len(source), BLOCK_ROWS):
                rows = slice(start, start + BLOCK_ROWS)
                flux = _moved(source.flux[rows], source.flags[rows], adaptation)
                bright[rows] = brightness(flux)
                writer.write(flux)
                report(min(rows.stop, len(source)), len(source), "Moving the spectra.")
        _write_catalogue(source.folder, folder, bright)
        with Fingerprint(folder.flux_path) as fingerprint:
            sha256 = fingerprint.result()
        usable = (source.flags & BAD_FLUX) == 0
        write_json(
            folder.info_path,
            {
                **source.info,
                "name": name,
                "note": "",
                "created": time.time(),
                "sha256": sha256,
                "brightness_median": float(np.median(bright[usable])),
                "adapted": {"dataset": source.id, "galaxies": source.galaxies, **origin},
            },
        )
    return publish(folder)


def _write_catalogue(
    source: DatasetFolder, folder: DatasetFolder, bright: NDArray[np.float64]
) -> None:
    """Catalogue of the source with the brightness of the moved spectra, (n,)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(source.catalogue_path)
    place = table.column_names.index("brightness")
    table = table.set_column(place, "brightness", pa.array(bright))
    pq.write_table(table, folder.catalogue_path, compression="zstd")


def _moved(
    flux: NDArray[np.float32], flags: NDArray[np.uint16], adaptation: Adaptation
) -> NDArray[np.float32]:
    """Spectra of a block with the usable ones moved, shape (n, 186)."""
    flux = np.array(flux)
    usable = (flags & BAD_FLUX) == 0
    flux[usable] = adaptation.apply(flux[usable])
    return flux
