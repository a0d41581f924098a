"""Galaxies with known redshifts, to which a reader's intervals are fitted anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core import data
from redshift_core.constants import Z_MAX, Z_MIN
from redshift_core.data.fingerprint import Fingerprint
from redshift_core.data.readers import open_table
from redshift_core.errors import InputError
from redshift_core.evaluation.recalibration import MOST, SEED, recalibrate
from redshift_core.prediction.reader import Reader, bad_flux
from redshift_core.prediction.rows import open_judged, seen_by
from redshift_core.store import JobContext, RunFolder, origin


def recalibrated(
    reader: Reader, run: RunFolder, context: JobContext
) -> tuple[Reader, dict[str, Any]]:
    """The reader with intervals fitted to the galaxies that a request names, and what it brought.

    The request has ``dataset`` (an id; only rows that the run has not seen count) or ``labels`` (a
    file, with ``label_columns``).

    Raises
    ------
    InputError
        Where there are too few such galaxies, or the run has learned from the file.
    """
    request = context.request
    context.report(message="Reading the galaxies with known redshifts.", now=True)
    if request.get("dataset"):
        judged = open_judged(run, context.store.dataset(request["dataset"]))
        rows = _some(judged.rows)
        flux, z_spec = judged.dataset.flux[rows], np.asarray(judged.dataset.z_spec)[rows]
        about = {"labels": judged.dataset.name, "simulated": judged.facts["simulated"]}
    else:
        path = Path(request["labels"])
        flux, z_spec = _of_file(run, path, request.get("label_columns"))
        about = {"labels": path.name, "simulated": bool(open_table(path).simulation)}
    density = reader.predict(flux).density
    found, report = recalibrate(density, z_spec)
    return replace(reader, recalibration=found), {**report.to_dict(), **about}


def labelled(spectra: data.Spectra) -> NDArray[np.bool_]:
    """Whether each spectrum can say something of intervals: known redshift, usable flux; (n,)."""
    z = spectra.z_spec
    return (z >= Z_MIN) & (z <= Z_MAX) & ~bad_flux(spectra.flux)


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most `MOST` of the rows, ascending, drawn at random."""
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, MOST, replace=False))


def _of_file(
    run: RunFolder, path: Path, columns: dict[str, str] | str | None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Flux and redshift of labelled spectra of a file, at most `MOST`, drawn at random.

    Spectra that the run has learned from are left out.
    """
    known = [run.trained_on, *(one["dataset"] for one in origin.ancestors(run))]
    with Fingerprint(path) as fingerprint:
        same = fingerprint.result() in map(data.galaxies_of, known)
    if same:
        raise InputError(
            f"Run {run.id} has learned from {path.name}, so its errors there are too small to fit "
            "intervals to; give the dataset, of which only the test rows are used, or other "
            "galaxies."
        )
    random, seen = np.random.default_rng(SEED), seen_by(run)
    flux, z, keys = [], [], np.empty(0)
    for block in data.read_blocks(path, columns):
        good = labelled(block)
        if seen is not None:
            good &= ~seen.knows(block.flux)
        flux, z = [*flux, block.flux[good]], [*z, block.z_spec[good]]
        keys = np.concatenate([keys, random.random(int(good.sum()))])
        if len(keys) > MOST:  # the smallest keys are a fair draw of all rows so far
            kept = np.sort(np.argsort(keys)[:MOST])
            flux, z, keys = [np.concatenate(flux)[kept]], [np.concatenate(z)[kept]], keys[kept]
    return np.concatenate(flux), np.concatenate(z)
