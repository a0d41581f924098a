"""From a file of spectra to a dataset of the store: recognise, read in blocks, flag, keep.

``sniff`` → ``dialect``, ``headers`` → ``text`` | ``columnar`` → ``ingest`` → ``dataset``. Formats
of typed columns are ``arrow_files``, ``fits``, ``votable`` and ``array_text``; where they hold
Gaia's ``coefficients``, fluxes are made of them.
"""

from redshift_core.data.dataset import Dataset, galaxies_of, open_dataset
from redshift_core.data.ingest import ingest, ingest_job
from redshift_core.data.mapping import UnknownColumnsError, parse_columns
from redshift_core.data.readers import READERS, Preview, preview, read_blocks
from redshift_core.data.spectra import (
    BAD_FLUX,
    FLAG_TEXT,
    FLAGS,
    Spectra,
    brightness,
    flag_names,
    flag_rows,
    ids_as_text,
    without_row_numbers,
)
from redshift_core.data.suggest import Suggestion, suggest

__all__ = [
    "BAD_FLUX",
    "FLAGS",
    "FLAG_TEXT",
    "READERS",
    "Dataset",
    "Preview",
    "Spectra",
    "Suggestion",
    "UnknownColumnsError",
    "brightness",
    "flag_names",
    "flag_rows",
    "galaxies_of",
    "ids_as_text",
    "ingest",
    "ingest_job",
    "open_dataset",
    "parse_columns",
    "preview",
    "read_blocks",
    "suggest",
    "without_row_numbers",
]
