"""Reader of the text tables that astropy knows better: IPAC, CDS, fixed-width; whole in memory."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from redshift_core.data.columnar import WholeTable
from redshift_core.data.lines import decode
from redshift_core.data.text_forms import MAX_ASTROPY_BYTES, TEXT
from redshift_core.data.text_stream import TextStream
from redshift_core.errors import InputError

RULERS = {"ipac": "|", "rst": "=", "fixed_width_two_line": "-"}  # sign of the line of all places


class AsciiTable(WholeTable):
    """A text table in one of the forms of ``TEXT.astropy``, plain or compressed with gzip."""

    def __init__(self, path: Path, packed: bool, kind: str):
        title = TEXT.astropy[kind]
        with TextStream(path, packed) as (stream, _):
            text = stream.read(MAX_ASTROPY_BYTES + 1)
        if len(text) > MAX_ASTROPY_BYTES:
            raise InputError(
                f"{path.name} is {_article(title)} {title} table of more than "
                f"{MAX_ASTROPY_BYTES / 1e6:.0f} MB, which can only be read whole. Save it as CSV, "
                "FITS or Parquet (TOPCAT, stilts tcopy, or astropy's Table.write)."
            )
        lines = decode(text).splitlines()
        if kind in RULERS:
            _check_places(path.name, lines, RULERS[kind])
        super().__init__(path, _read(path.name, lines, kind, title))


def _check_places(file: str, lines: list[str], sign: str) -> None:
    """Refuse a row that stands where no column is: its numbers would be cut.

    Between columns are the bars of an IPAC header, else the blanks of a line of strokes.
    """
    at = next(k for k, line in enumerate(lines) if line.strip().startswith(sign))
    between = "|" if sign == "|" else " "
    gaps = [place for place, one in enumerate(lines[at]) if one == between]
    for number, line in enumerate(lines[at + 1 :], start=at + 2):
        if line.startswith(("|", "\\")) or set(line) <= {sign, " "}:
            continue
        if any(line[place : place + 1].strip() for place in gaps):
            raise InputError(
                f"{file}, line {number}: a value stands between the columns that the header marks, "
                "so where it begins and ends is not certain. Save the table as CSV, FITS or "
                "Parquet."
            )


def _read(file: str, lines: list[str], kind: str, title: str) -> pa.RecordBatch:
    from astropy.io import ascii

    options: dict[str, Any] = {"guess": False}
    if kind != "cds":  # whose description knows the types
        options["fill_values"] = [("", "0"), ("null", "0")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small offences against the format
        try:
            table = ascii.read(lines, format=kind, **options)
        except Exception as error:  # astropy lets through whatever its parsers raise
            reason = " ".join(str(error).split())[:150].rstrip(".")
            raise InputError(
                f"{file} seems to be {_article(title)} {title} table, by its first lines, and "
                f"cannot be read as one ({reason}). Save it as CSV, FITS or Parquet."
            ) from None
    arrays = [_column(np.ma.asarray(table[name])) for name in table.colnames]
    return pa.RecordBatch.from_arrays(arrays, list(table.colnames))


def _column(values: Any) -> pa.Array:
    """Column as Arrow; text where it holds anything but numbers."""
    data, mask = np.ma.getdata(values), np.ma.getmaskarray(values)
    if data.dtype.kind in "biuf":
        return pa.array(data, mask=mask)
    cells = [None if gone else str(cell) for cell, gone in zip(data, mask, strict=True)]
    return pa.array(cells, pa.string())


def _article(title: str) -> str:
    return "an" if title[0] in "IA" else "a"
