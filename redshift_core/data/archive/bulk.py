"""Coefficients from a folder of the archive's bulk files, ``XpContinuousMeanSpectrum_*.csv.gz``."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from redshift_core.data.archive.tables import SPECTRA, spectra_of
from redshift_core.errors import InputError

if TYPE_CHECKING:
    from redshift_core.data.archive.services import Site

LEVEL_8 = 43  # bits of a source_id below its HEALPix cell of level 8
BLOCK = 16 << 20  # bytes of text read at once
_NAME = re.compile(r"(?:XpContinuousMeanSpectrum|[A-Za-z]*MeanSpectrum[A-Za-z]*)_(\d+)-(\d+)\.csv")


class BulkFiles:
    """A folder of bulk files; each holds the sources of a range of HEALPix cells."""

    has_catalogue = False
    is_certain = True

    def __init__(self, site: Site, tick: Callable[[], None]):
        self.site, self.tick = site, tick
        self.files = sorted(
            (int(match[1]), int(match[2]), path)
            for path in Path(site.url).iterdir()
            if (match := _NAME.match(path.name))
        )
        if not self.files:
            raise InputError(
                f"{site.url} holds no file XpContinuousMeanSpectrum_AAAAAA-BBBBBB.csv.gz; "
                "download those of your sources from cdn.gea.esac.esa.int/Gaia."
            )

    def query(self, text: str, quick: bool = False) -> pa.Table:
        """Files answer no query."""
        raise InputError(
            "A folder of bulk files answers no query; give the sources with --ids FILE, which may "
            "have columns ra and dec."
        )

    def sources(self, ids: Sequence[int]) -> pa.Table:
        """Files hold no catalogue."""
        return self.query("")

    def coefficients(self, ids: Sequence[int]) -> pa.Table:
        """Rows of those sources that the files hold."""
        wanted = pa.array(np.asarray(ids, np.int64))
        parts = [SPECTRA.empty_table()]
        for path in {self._file(one): None for one in ids}:
            for block in _blocks(path) if path else ():
                self.tick()
                rows = block.filter(pc.is_in(block["source_id"], wanted))
                if rows.num_rows:
                    parts.append(spectra_of(rows))
        return pa.concat_tables(parts)

    def parts(self, ids: Sequence[int], chunk: int) -> list[int]:
        """All sources of a file at once, so that each file is read once."""
        return [len(list(group)) for _, group in groupby(ids, self._file)]

    def _file(self, source_id: int) -> Path | None:
        cell = int(source_id) >> LEVEL_8
        return next((path for low, high, path in self.files if low <= cell <= high), None)


def _blocks(path: Path) -> Iterator[pa.Table]:
    """Coefficients of a file as text, some hundred rows at a time."""
    kinds = {name: pa.string() for name in SPECTRA.names} | {"source_id": pa.int64()}
    kinds |= {name: pa.int64() for name in SPECTRA.names if name.endswith("_id")}
    convert = csv.ConvertOptions(
        column_types=kinds, include_columns=SPECTRA.names, null_values=["", "null"],
        strings_can_be_null=True,
    )  # fmt: skip
    read = csv.ReadOptions(block_size=BLOCK)
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            head = next(line for line in file if not line.startswith(b"#"))
            with csv.open_csv(_After(head, file), read, convert_options=convert) as reader:
                for batch in reader:
                    yield pa.table(batch)
    except (OSError, EOFError, zlib.error, StopIteration, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:150].rstrip(".")
        raise InputError(
            f"{path.name} is broken ({said or 'it is empty'}). Download it again."
        ) from None


class _After(io.RawIOBase):
    """A file from its header line on, without the comments above it."""

    def __init__(self, head: bytes, file: object):
        self._head, self._file = head, file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)  # type: ignore[attr-defined]
