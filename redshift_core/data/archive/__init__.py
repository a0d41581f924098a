"""From Gaia's archive to a dataset: a sample, its redshifts, its spectra, fetched in chunks.

``adql``, ``request`` → ``services`` (``tap``, ``datalink``, ``bulk``, on ``web``) → ``redshifts`` →
``chunks`` → ``job`` → ``result``
"""

from redshift_core.data.archive.adql import CUTS, around, candidates, parse_cone
from redshift_core.data.archive.job import fetch_job
from redshift_core.data.archive.request import FetchRequest
from redshift_core.data.archive.result import missing_ids
from redshift_core.data.archive.services import RELEASE, SITES

__all__ = [
    "CUTS",
    "RELEASE",
    "SITES",
    "FetchRequest",
    "around",
    "candidates",
    "fetch_job",
    "missing_ids",
    "parse_cone",
]
