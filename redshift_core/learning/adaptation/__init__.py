"""Adapts a run to other spectra whose redshifts are unknown.

``transport`` is the map that gives one survey's spectra the look of another's. ``survey`` writes
the dataset that it moves. ``job`` does both for a run and starts the training.
"""

from redshift_core.learning.adaptation.job import adapt_job
from redshift_core.learning.adaptation.survey import write_adapted
from redshift_core.learning.adaptation.transport import Adaptation, Moments

__all__ = [
    "Adaptation",
    "Moments",
    "adapt_job",
    "write_adapted",
]
