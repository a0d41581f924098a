"""Readers by format, and the two ways to look into a file without ingesting it.

A new format is a class with the members of ``blocks.Table``, one line in READERS and one in
``choices.FORMATS``: its title, its endings and the first bytes that tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from redshift_core.data.arrow_files import FeatherTable, ParquetTable
from redshift_core.data.blocks import Table
from redshift_core.data.folders import FolderTable
from redshift_core.data.headers import Columns
from redshift_core.data.limits import check_rows
from redshift_core.data.mapping import NONE, UnknownColumnsError, parse_columns
from redshift_core.data.sniff import format_of
from redshift_core.data.spectra import Spectra
from redshift_core.data.suggest import suggest
from redshift_core.data.text import text_table
from redshift_core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def _later(module: str, name: str) -> Callable[[Path], Table]:
    """Reader whose module is only imported, with astropy, for a file of its format."""
    return lambda path: getattr(import_module(f"redshift_core.data.{module}"), name)(path)


def _packed() -> ModuleType:
    return import_module("redshift_core.data.packed")


READERS: dict[str, Callable[[Path], Table]] = {
    "csv": text_table,
    "csv.gz": lambda path: _packed().gzip_table(path, open_table, partial(text_table, packed=True)),
    "parquet": ParquetTable,
    "feather": FeatherTable,
    "fits": _later("fits", "FitsTable"),
    "votable": _later("votable", "VOTable"),
    "ecsv": _later("array_text", "ArrayTextTable"),
    "zip": lambda path: _packed().zip_table(path, open_table),
}
BLOCK_ROWS = 8_192  # spectra handed out at once: 6 MB of flux
PREVIEW_ROWS = 5


@dataclass(frozen=True)
class Preview:
    """First look at a table, for the Data page's column mapping."""

    columns: list[str]  # names of the file's columns
    mapping: dict[str, str]  # what was recognised, as a mapping; without flux where it is unknown
    head: pd.DataFrame  # first rows, as text
    problem: str | None = None  # the sentence, where the user has to name the columns
    other: list[str] = field(default_factory=list)  # neither flux nor mapped: perhaps the redshift
    doubts: list[str] = field(default_factory=list)  # what was not taken for what its name says
    likely_z: list[str] = field(default_factory=list)  # may be the redshift, likeliest first


def open_table(path: Path | str) -> Table:
    """Table in a file, by its content, or in a folder of parts."""
    path = Path(path).expanduser()
    kind = format_of(path)
    if path.is_dir() and kind != "parquet":
        return FolderTable(path, open_table)
    return READERS[kind](path)


def find_columns(table: Table, columns: Mapping[str, str] | str | None = None) -> Columns:
    """Which column is which, or as the user says."""
    return table.columns(parse_columns(columns))


def spare_z(table: Table, columns: Mapping[str, str] | str | None = None) -> Columns:
    """As `find_columns`, of a table whose redshifts nothing depends on, as at prediction.

    Where several columns may be the redshift none is taken, and a cell of it that is no number
    counts as missing.
    """
    wanted = parse_columns(columns)
    try:
        found = table.columns(wanted)
    except UnknownColumnsError:
        if "z" in wanted:
            raise
        found = table.columns({**wanted, "z": NONE})
    return replace(found, z_is_spare=True)


def read_blocks(
    path: Path | str,
    columns: Mapping[str, str] | str | None = None,
    block_rows: int = BLOCK_ROWS,
    needs_z: bool = True,
) -> Iterator[Spectra]:
    """Every row of a file in order, ``block_rows`` at a time (the last block may be shorter).

    Rows with faults are given too: see ``flag_rows``. Without ``needs_z`` no fault of a redshift
    stops the reading: see `spare_z`.

    Raises
    ------
    InputError
        Where the file is not a table of spectra, or a cell is not a number.
    """
    table = open_table(path)
    found = find_columns(table, columns) if needs_z else spare_z(table, columns)
    yield from even_blocks(table, found, block_rows)


def even_blocks(table: Table, columns: Columns, block_rows: int = BLOCK_ROWS) -> Iterator[Spectra]:
    """As `read_blocks`, of a table that is open and columns that are known."""
    waiting: list[Spectra] = []
    for spectra, _ in numbered_blocks(table, columns):
        waiting.append(spectra)
        while sum(map(len, waiting)) >= block_rows:
            joined = _join(waiting)
            yield _rows(joined, slice(0, block_rows))
            waiting = [_rows(joined, slice(block_rows, None))]
    if sum(map(len, waiting)):
        yield _join(waiting)


def numbered_blocks(table: Table, columns: Columns) -> Iterator[tuple[Spectra, int]]:
    """Blocks as the reader makes them, numbered, each with the bytes done by then."""
    check_rows(table.path.name, table.n_rows or 0)
    row = 0
    for block, done in table.blocks(columns):
        check_rows(table.path.name, row + len(block.flux))
        if len(block.flux):
            yield block.numbered(row), done
            row += len(block.flux)
    if not row:
        raise InputError(f"{table.path.name} has a header and no rows; expected spectra below it.")


def preview(path: Path | str, columns: Mapping[str, str] | str | None = None) -> Preview:
    """First rows of a table and the columns recognised in it.

    Raises
    ------
    InputError
        Where the file is no table of spectra, so that naming its columns would not help.
    """
    table = open_table(path)
    if not table.first:
        raise InputError(f"{table.path.name} has a header and no rows; expected spectra below it.")
    import pandas as pd

    fitting = [row for row in table.first if len(row) == len(table.names)][:PREVIEW_ROWS]
    head = pd.DataFrame(fitting, columns=table.names, dtype="str")
    try:
        found = find_columns(table, columns)
    except UnknownColumnsError:
        seen = suggest(
            table.names, table.first, parse_columns(columns), file=table.path.name,
            has_header=table.has_header,
        )  # fmt: skip
        return Preview(
            table.names, seen.mapping, head, seen.problem, doubts=seen.doubts,
            likely_z=seen.likely_z,
        )  # fmt: skip
    other = [table.names[p] for p in found.further]
    doubts, likely = list(found.doubts), list(found.likely_z)
    return Preview(table.names, found.mapping, head, other=other, doubts=doubts, likely_z=likely)


def _join(parts: list[Spectra]) -> Spectra:
    if len(parts) == 1:
        return parts[0]
    import pyarrow as pa

    names = ("flux", "z_spec", "source_id", "row", "known_id")
    others = [part.other for part in parts if part.other is not None]
    return Spectra(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
        other=pa.concat_tables(others) if others else None,
        has_ids=parts[0].has_ids,
    )


def _rows(spectra: Spectra, rows: slice) -> Spectra:
    start, stop, _ = rows.indices(len(spectra))
    names = ("flux", "z_spec", "source_id", "row", "known_id")
    other = None if spectra.other is None else spectra.other.slice(start, stop - start)
    values = (getattr(spectra, name)[rows] for name in names)
    return Spectra(*values, other=other, has_ids=spectra.has_ids)
