"""Applies a run to spectra: redshifts, p(z) and flags, and the judgement on its test rows.

Spectra are processed in blocks, so memory does not grow with the catalogue. No row is dropped: a
spectrum without a redshift stays in the table with an empty value and a flag.
"""

from redshift_core.prediction.jobs import evaluate_job, predict_job, stress_job
from redshift_core.prediction.judgement import evaluate_run, judge_again
from redshift_core.prediction.reader import (
    Answer,
    Reader,
    bad_flux,
    flag_text,
    open_coverage,
    open_reader,
    predict_redshift,
    predictor,
)
from redshift_core.prediction.stress import stress_run

__all__ = [
    "Answer",
    "Reader",
    "bad_flux",
    "evaluate_job",
    "evaluate_run",
    "flag_text",
    "judge_again",
    "open_coverage",
    "open_reader",
    "predict_job",
    "predict_redshift",
    "predictor",
    "stress_job",
    "stress_run",
]
