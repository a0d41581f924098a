"""Coefficients by ESA's DataLink: a POST of ids, a ZIP of FITS tables back."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from itertools import product

import pyarrow as pa

from redshift_core.data.archive.memory import Memory
from redshift_core.data.archive.tables import SPECTRA, of_astropy, spectra_of
from redshift_core.data.archive.web import ArchiveError, Web, check_status

STRUCTURES = ("RAW", "DATAMODEL_GAIA")  # one table of all sources, before and since 2026
RETRIEVAL_TYPES = ("XP_CONTINUOUS", "MEAN_SPECTRUM_XP")  # of mean spectra, until DR3 and from DR4
WORDS_REFUSED = (400, 404, 500)  # status with which it answers to a word that it does not know
DIALECT = "dialect"  # under which the words that worked are remembered


class WordError(ArchiveError):
    """The archive may not know a word of the request; another may do."""


class DataLink:
    """The data server at one address."""

    def __init__(self, url: str, release: str, web: Web, memory: Memory):
        self.url, self.release, self.web, self.memory = url, release, web, memory
        types = RETRIEVAL_TYPES if release.upper().endswith("DR3") else RETRIEVAL_TYPES[::-1]
        self._dialects = [list(pair) for pair in product(types, STRUCTURES)]

    def spectra(self, ids: Sequence[int]) -> pa.Table:
        """Coefficients of those sources that the archive has.

        Raises
        ------
        ArchiveError
            Where the answer is anything but a ZIP of tables with coefficients.
        """
        empty: list[pa.Table] = []

        def ask(dialect: list[str]) -> pa.Table:
            table = self._ask(ids, *dialect)
            if not table.num_rows and not self.memory.knows(DIALECT):
                empty.append(table)
                raise WordError("it has none of these sources")
            return table

        try:
            return self.memory.first_that_works(DIALECT, self._dialects, ask, WordError)
        except WordError:
            if empty:  # so it is not for the words
                return empty[0]
            raise

    def _ask(self, ids: Sequence[int], retrieval_type: str, structure: str) -> pa.Table:
        fields = {
            "ID": ",".join(str(int(one)) for one in ids),
            "RELEASE": self.release,
            "RETRIEVAL_TYPE": retrieval_type,
            "DATA_STRUCTURE": structure,
            "FORMAT": "fits",
            "VALID_DATA": "false",
            "USE_ZIP_ALWAYS": "true",
        }
        status, body = self.web.post(self.url, data=fields)
        try:
            check_status(status, body)
        except ArchiveError as error:
            if status in WORDS_REFUSED and type(error) is ArchiveError:
                raise WordError(*error.args) from None
            raise
        return unpack(body)


def unpack(body: bytes) -> pa.Table:
    """Rows of ``tables.SPECTRA`` in the FITS tables of a ZIP: one of all sources, or one of each.

    Raises
    ------
    ArchiveError
        Where it is no whole ZIP, or a table in it is broken.
    """
    if not body.startswith(b"PK"):
        start = " ".join(body[:80].decode("utf-8", "replace").split())
        raise ArchiveError(f"it should have sent a ZIP, and sent {start!r}")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            names = [name for name in packed.namelist() if ".fit" in name.lower()]
            parts = [part for name in names if (part := _spectra(packed.read(name))) is not None]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError) as error:
        raise ArchiveError(f"its answer is cut off or damaged ({error})") from error
    return pa.concat_tables(parts) if parts else SPECTRA.empty_table()


def _spectra(content: bytes) -> pa.Table | None:
    """Rows of one FITS file; None where it holds another product."""
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(io.BytesIO(content), memmap=False) as hdus:
        for hdu in hdus[1:]:
            names = {name.lower(): name for name in hdu.columns.names}
            if all(name in names for name in SPECTRA.names):
                if not len(hdu.data):
                    return SPECTRA.empty_table()
                columns = [hdu.data[names[name]] for name in SPECTRA.names]
                return spectra_of(of_astropy(Table(columns, names=SPECTRA.names)))
    return None
