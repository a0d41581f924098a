"""A run made anew for other spectra, without their redshifts.

``transport`` is the map from one survey's spectra to the look of another's, ``survey`` writes a
dataset moved by it, ``job`` does both for a run and starts the training.
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
