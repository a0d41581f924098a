"""Arrays in, Plotly figure out: every figure of the pages and the report.

Backgrounds and text are left to the theme; traces take mid tones that stand out on white and on
near-black alike. Whatever can be large arrives here already binned (``redshift_core.statistics``).
"""

from redshift_core.figures.frame import BLUE, RED, layout, mark_simulated, range_colours
from redshift_core.figures.redshifts import (
    DENSITY_SCALES,
    density,
    error_per_bin,
    redshift_histogram,
    true_and_predicted,
)
from redshift_core.figures.spectra import (
    average_flux,
    line_positions,
    published_averages,
    spectrum,
)
from redshift_core.figures.tuning import importance_bars, parallel_coordinates

__all__ = [
    "BLUE",
    "DENSITY_SCALES",
    "RED",
    "average_flux",
    "density",
    "error_per_bin",
    "importance_bars",
    "layout",
    "line_positions",
    "mark_simulated",
    "parallel_coordinates",
    "published_averages",
    "range_colours",
    "redshift_histogram",
    "spectrum",
    "true_and_predicted",
]
