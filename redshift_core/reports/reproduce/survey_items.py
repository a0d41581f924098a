"""The dissertation's chapter on its data: Table 1 and Figures 9 to 12."""

from __future__ import annotations

import numpy as np
import pandas as pd

from redshift_core import figures, reference
from redshift_core.constants import FLUX_UNIT, wavelength
from redshift_core.evaluation import statistics
from redshift_core.evaluation.bins import bin_edges
from redshift_core.figures.comparison import PART_NAMES
from redshift_core.reports.document import Chart, Part, Table
from redshift_core.reports.reproduce.source import ENDS, Item, Source

N_ROWS = 3  # galaxies of Table 1
N_AVERAGED = 1000  # galaxies of each average spectrum


def random_rows(source: Source) -> list[Part]:
    """Three galaxies: redshift, first and last three fluxes, below them the published three."""
    drawn = statistics.draw_rows(source.rows, N_ROWS, source.seed)
    lines = [
        ("this dataset", source.dataset.z_spec[row], *source.dataset.flux[row, ENDS].tolist())
        for row in drawn
    ]
    lines += [("published", z, *first, *last) for z, first, last in reference.RANDOM_ROWS]
    names = [f"flux_{pixel}" for pixel in ENDS]
    return [
        Table(
            pd.DataFrame(lines, columns=["from", "z", *names]),
            "table-1",
            f"Redshift, and the first and last three of 186 fluxes in {FLUX_UNIT}.",
            "Three galaxies of this dataset and the three published ones",
            {"z": "%.7f", **dict.fromkeys(names, "%.3f")},
        )
    ]


def distribution(source: Source) -> list[Part]:
    """Histogram in bins of 0.01 and its statistics, published beside them."""
    z = source.dataset.z_spec[source.rows]
    edges = bin_edges(0.01)
    figure = figures.redshift_histogram(
        edges, statistics.histogram(z, edges), reference.redshift_histogram()
    )
    measured = {
        **statistics.redshift_statistics(z),
        **{f"{p} % below": v for p, v in statistics.redshift_percentiles(z).items()},
    }
    published = {
        **reference.Z_STATISTICS,
        **{f"{p} % below": v for p, v in reference.Z_PERCENTILES.items()},
    }
    table = pd.DataFrame(
        [
            (name, measured[name], value, measured[name] - value)
            for name, value in published.items()
        ],
        columns=["statistic", "this dataset", "published", "difference"],
    )
    return [
        Chart(
            figure,
            f"Galaxies per redshift bin of 0.01; {len(z):,} galaxies here, "
            f"{reference.N_GALAXIES:,} published (dotted, scaled to the same total).",
            "Histogram of the spectroscopic redshifts with the published one as a dotted line",
        ),
        Table(
            table,
            "figure-9-statistics",
            "Statistics of the redshifts, dimensionless: population moments and percentiles.",
            "Statistics of the redshifts beside the published ones",
            {"this dataset": "%.4f", "published": "%.4f", "difference": "%+.4f"},
        ),
    ]


def one_spectrum(source: Source) -> list[Part]:
    """One galaxy drawn at random."""
    (row,) = statistics.draw_rows(source.rows, 1, source.seed)
    z = float(source.dataset.z_spec[row])
    figure = figures.spectrum({f"row {row}, z = {z:.4f}": source.dataset.flux[row]}, wavelength())
    return [
        Chart(
            figure,
            f"Flux in {FLUX_UNIT} over wavelength in nm (inferred) of row {row:,}, z = {z:.4f}. "
            "The published galaxy is not named, so it cannot be drawn beside this one.",
            f"Spectrum of one galaxy at redshift {z:.4f}, BP and RP parted at the seam",
        )
    ]


def averages(source: Source) -> list[Part]:
    """Average spectrum of up to 1,000 galaxies in each of six redshift ranges."""
    dataset = source.dataset
    averaged = statistics.average_spectra(
        dataset.flux, dataset.z_spec, source.rows, count=N_AVERAGED, seed=source.seed
    )
    published = reference.average_flux()
    names = [name for name in published.columns if name.startswith("z_")]
    peaks = [float(np.nanmax(one.mean)) if one.n else float("nan") for one in averaged]
    table = pd.DataFrame(
        {
            "z range": [f"{one.z_low:g}–{one.z_high:g}" for one in averaged],
            "averaged": [one.n for one in averaged],
            "in the dataset": [one.n_available for one in averaged],
            "peak flux": peaks,
            "peak, relative to the first": np.array(peaks) / peaks[0],
            "published (read off a figure)": [float(published[name].max()) for name in names],
        }
    )
    return [
        Chart(
            figures.average_flux(averaged, wavelength(), bands=False, published=published),
            f"Mean flux in {FLUX_UNIT} over wavelength in nm (inferred). Dotted: published, read "
            "off a figure and scaled to the peak of the first range; gaps where its curves could "
            "not be told apart.",
            "Average spectra of six redshift ranges with the published curves dotted",
        ),
        Table(
            table,
            "figure-11-averages",
            f"Up to {N_AVERAGED:,} random galaxies a range; peak of the mean flux in {FLUX_UNIT}.",
            "Galaxies averaged and peak flux of each redshift range beside the published peak",
            {
                "averaged": "localized",
                "in the dataset": "localized",
                "peak flux": "%.2f",
                "peak, relative to the first": "%.3f",
                "published (read off a figure)": "%.3f",
            },
        ),
    ]


def split(source: Source) -> list[Part]:
    """Rows that train, validate and test."""
    counts = list(source.split.counts.values())
    table = pd.DataFrame(
        {
            "rows": PART_NAMES,
            "this dataset": counts,
            "share": [100 * n / sum(counts) for n in counts],
            "published": reference.N_SPLIT,
            "published share": [100 * n / sum(reference.N_SPLIT) for n in reference.N_SPLIT],
        }
    )
    return [
        Chart(
            figures.split_parts(counts, reference.N_SPLIT),
            f"Share of the rows in per cent, with the number of rows; shuffled with seed "
            f"{source.config.split.random_state}.",
            "Share of training, validation and test rows here and in the dissertation",
        ),
        Table(
            table,
            "figure-12-split",
            "Number of rows and share in per cent.",
            "Rows that train, validate and test beside the published counts",
            {
                "this dataset": "localized",
                "share": "%.2f",
                "published": "localized",
                "published share": "%.2f",
            },
        ),
    ]


ITEMS = (
    Item(
        "Table 1",
        "Three random galaxies",
        "What one row of the data is: a redshift and 186 fluxes, which noise can make negative.",
        "the published galaxies themselves: they are rows of the private file.",
        random_rows,
    ),
    Item(
        "Figure 9",
        "Redshift distribution",
        "Redshifts crowd around 0.1 with a long tail; 99 % lie below 0.37, so a network sees few "
        "galaxies beyond.",
        "the published counts: they are those of the private galaxies.",
        distribution,
    ),
    Item(
        "Figure 10",
        "A random spectrum",
        "What the network is given: BP and RP one after the other, with a dip where they meet.",
        "the galaxy itself.",
        one_spectrum,
    ),
    Item(
        "Figure 11",
        "Average spectra of six redshift ranges",
        "The further a galaxy, the fainter and flatter its spectrum, and the less a network can "
        "hold on to.",
        "the published averages: they are of the private galaxies, and of a draw without a "
        "published seed.",
        averages,
    ),
    Item(
        "Figure 12",
        "Split of the data",
        "63 % of the galaxies train, 27 % validate during training, 10 % test afterwards.",
        "which galaxies fall into which part; the counts follow from the number of rows alone: "
        "520,393 usable rows give the published ones exactly.",
        split,
    ),
)
