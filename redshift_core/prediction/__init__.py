"""A run applied to spectra: redshifts, p(z), flags, and its judgement on its test rows.

Spectra pass in blocks, so memory does not grow with the catalogue. Nothing is left out in
silence: a spectrum that no redshift can be given for stays in the table, empty and flagged.
"""

from redshift_core.prediction.jobs import evaluate_job, predict_job, stress_job
from redshift_core.prediction.judgement import evaluate_run, judge_again
from redshift_core.prediction.reader import (
    Answer,
    Reader,
    bad_flux,
    flag_text,
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
    "open_reader",
    "predict_job",
    "predict_redshift",
    "predictor",
    "stress_job",
    "stress_run",
]
