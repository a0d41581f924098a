"""Arrays in, Plotly figure out: every figure of the pages and the report.

Backgrounds and text are left to the theme; traces take mid tones that stand out on white and on
near-black alike. Whatever can be large arrives here already binned (``evaluation.statistics``).
"""

from redshift_core.figures.bench import accuracy_against_time
from redshift_core.figures.comparison import bias_of_runs, mean_and_std, split_parts
from redshift_core.figures.errors import error_per_bin
from redshift_core.figures.explain import EXPLANATION_CAPTION, explanation
from redshift_core.figures.frame import BLUE, RED, layout, mark_simulated, range_colours
from redshift_core.figures.learning import learning_curve, validation_curves
from redshift_core.figures.likeness import LIKENESS_CAPTION, likeness, likeness_table
from redshift_core.figures.limit import limit_curve
from redshift_core.figures.pdf import coverage, one_density, pit_histogram, real_densities
from redshift_core.figures.redshifts import (
    PLANE_SCALES,
    redshift_histogram,
    redshift_plane,
    true_and_predicted,
)
from redshift_core.figures.spectra import (
    FLUX_TITLE,
    average_flux,
    line_positions,
    published_averages,
    real_spectrum,
    spectrum,
)
from redshift_core.figures.stress import STRESS_CAPTION, stress_ratios
from redshift_core.figures.survey import absolute_averages, column_extremes
from redshift_core.figures.tuning import importance_bars, parallel_coordinates

__all__ = [
    "BLUE",
    "EXPLANATION_CAPTION",
    "FLUX_TITLE",
    "LIKENESS_CAPTION",
    "PLANE_SCALES",
    "RED",
    "STRESS_CAPTION",
    "absolute_averages",
    "accuracy_against_time",
    "average_flux",
    "bias_of_runs",
    "column_extremes",
    "coverage",
    "error_per_bin",
    "explanation",
    "importance_bars",
    "layout",
    "learning_curve",
    "likeness",
    "likeness_table",
    "limit_curve",
    "line_positions",
    "mark_simulated",
    "mean_and_std",
    "one_density",
    "parallel_coordinates",
    "pit_histogram",
    "published_averages",
    "range_colours",
    "real_densities",
    "real_spectrum",
    "redshift_histogram",
    "redshift_plane",
    "spectrum",
    "split_parts",
    "stress_ratios",
    "true_and_predicted",
    "validation_curves",
]
