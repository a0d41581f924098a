"""The simulated survey: galaxies as Gaia would see them, for trying, testing and comparing.

Nothing made here measures accuracy on real Gaia galaxies; everything that shows it says
SIMULATED. The files in the order the data passes: ``inputs`` (measured), ``physics``,
``instrument``, ``table`` (precomputed once), ``galaxies``, ``observing``, ``survey``, ``files``,
``job``; ``study`` compares the result with what was published.
"""

from redshift_core.simulation.files import SUFFIXES, survey_metadata, write_survey
from redshift_core.simulation.job import DISK_BYTES, simulate_job, survey_dataset
from redshift_core.simulation.survey import REDSHIFTS, Block, blocks, simulate
from redshift_core.simulation.table import open_table

__all__ = [
    "DISK_BYTES",
    "REDSHIFTS",
    "SUFFIXES",
    "Block",
    "blocks",
    "open_table",
    "simulate",
    "simulate_job",
    "survey_dataset",
    "survey_metadata",
    "write_survey",
]
