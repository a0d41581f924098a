"""What the Evaluate page shows of an evaluation at first, computed once as the run is judged.

Its size does not depend on the number of galaxies, so the page opens as quickly, and in as little
memory, on five million as on five thousand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from redshift_core.constants import BIN_WIDTH, Z_MAX, FloatArray
from redshift_core.evaluation import statistics
from redshift_core.evaluation.bins import N_BRIGHTNESS, bin_edges, binned, binned_by_brightness
from redshift_core.evaluation.flag_table import flag_table
from redshift_core.evaluation.incumbent import beside, bins_beside
from redshift_core.evaluation.predictions import Predictions, read_judged
from redshift_core.evaluation.prior_cost import prior_cost
from redshift_core.pdf import FLAT, Estimate
from redshift_core.store import EvaluationFolder
from redshift_core.store.files import write_text
from redshift_core.store.records import Bin, Summary

RUNNING_WIDTH = 0.01  # bin of the running median, in z_spec
N_HISTOGRAM = 150  # bins of the histogram of true and predicted redshift, as published
N_PLANE = 200  # cells per axis of the plane of true and predicted redshift


def bins_by(known: Predictions, by: str, size: float) -> list[Bin]:
    """Error table by z_spec or z_phot (``size``: width) or by brightness (``size``: bins)."""
    if by == "brightness":
        return binned_by_brightness(known.z_spec, known.z_phot, known.brightness, int(size))
    return binned(known.z_spec, known.z_phot, by=by, bin_width=size)


def summarise(known: Predictions, flat: FloatArray | None = None) -> Summary:
    """Tables, histograms and percentiles with the settings that the page begins with.

    Parameters
    ----------
    known : Predictions
        The galaxies judged.
    flat : array, shape (n_sources,), optional
        Their redshifts under a flat prior, where there are densities.
    """
    pair, columns = (known.z_spec, known.z_phot), known.incumbent
    both = beside(*pair, columns)
    bins = both and bins_beside(*pair, columns)
    trade = None if flat is None else prior_cost(*pair, flat)
    edges = np.linspace(0.0, Z_MAX, N_HISTOGRAM + 1)
    running = statistics.running_percentiles(*pair, bin_edges(RUNNING_WIDTH))
    dark = known.brightness is None
    return Summary(
        n_without=known.n_without,
        reservation=known.reservation,
        by_z_spec=tuple(bins_by(known, "z_spec", BIN_WIDTH)),
        by_z_phot=tuple(bins_by(known, "z_phot", BIN_WIDTH)),
        by_brightness=None if dark else tuple(bins_by(known, "brightness", N_BRIGHTNESS)),
        plane=tuple(statistics.redshift_plane(*pair, N_PLANE)[1].tolist()),
        histograms=tuple(statistics.histogram(z, edges).tolist() for z in pair),
        running=tuple(running.to_dict("records")),
        flags=tuple(flag_table(known).replace({np.nan: None}).to_dict("records")),
        incumbent=both and both.to_dict(),
        own_bins=both and tuple(bins[0]),
        ugc_bins=both and tuple(bins[1]),
        traded=None if flat is None else (trade.sentences() if trade else ""),
    )


def write_summary(folder: EvaluationFolder, priors: Mapping[str, FloatArray]) -> None:
    """Write ``summary.json`` of the predictions and densities in a folder."""
    flat = None
    if folder.pdf_path.exists() and priors:
        estimate = Estimate(prior=FLAT)
        flat = read_judged(folder.predictions_path, folder.pdf_path, estimate, priors).z_phot
    summary = summarise(read_judged(folder.predictions_path), flat)
    write_text(folder.summary_path, json.dumps(summary.to_dict()))
