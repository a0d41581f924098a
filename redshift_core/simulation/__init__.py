"""The simulated survey: galaxies as Gaia would see them, for demonstrations and tests.

Simulated spectra do not measure the accuracy on real Gaia galaxies, so everything that shows them
says SIMULATED. The modules in the order of the data flow are ``inputs`` (measured), ``physics``,
``instrument``, ``table`` (precomputed once), ``galaxies``, ``observing``, ``survey``, ``files`` and
``job``. ``study`` compares the result with published figures.
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
