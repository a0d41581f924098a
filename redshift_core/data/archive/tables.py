"""Tables as they come, from archives or from the user, as Arrow tables with plain types."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from redshift_core.data import headers, redshift_column
from redshift_core.data.array_cells import list_array, lists_of
from redshift_core.data.coefficients import BANDS
from redshift_core.data.sniff import format_of
from redshift_core.errors import InputError

COEFFICIENTS = pa.list_(pa.float64())
SPECTRA = pa.schema(
    [("source_id", pa.int64())]
    + [(f"{band}_basis_function_id", pa.int64()) for band in BANDS]
    + [(f"{band}_coefficients", COEFFICIENTS) for band in BANDS]
)
RA_NAMES = ("ra", "raj2000", "raicrs", "radeg", "targetra", "meanfiberra", "plugra")
DEC_NAMES = (
    "dec", "dej2000", "decj2000", "deicrs", "decdeg", "targetdec", "meanfiberdec", "plugdec",
)  # fmt: skip
Z_NAMES = (*redshift_column.Z_NAMES, "zsp", "zbest", "zdesi")
ID_NAMES = headers.ID_NAMES
_ONE_ID = re.compile(rb"\s*(?:gaia\s+[a-z]*dr\d+\s+)?(-?\d{1,19})\s*,?\s*", re.IGNORECASE)


def of_astropy(table: Any) -> pa.Table:
    """Arrow table of an astropy table: names in lower case, masked cells null, arrays as lists."""
    found = {}
    for name in table.colnames:
        found.setdefault(name.lower(), _of_column(table[name]))
    return pa.table(found)


def spectra_of(table: pa.Table) -> pa.Table:
    """Rows of `SPECTRA` in a table that holds coefficients, under whatever case of their names."""
    found = {name.lower(): column for name, column in zip(table.column_names, table.columns)}  # noqa: B905
    if lacking := [name for name in SPECTRA.names if name not in found]:
        raise InputError(
            f"The archive's answer has no column {lacking[0]}; it has "
            f"{', '.join(table.column_names[:12])}."
        )
    columns = []
    for kind in SPECTRA:
        column = found[kind.name]
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if kind.type == COEFFICIENTS and not pa.types.is_null(column.type):
            column = lists_of(column)  # it may be text such as (1.0, 2.0)
        columns.append(column.cast(kind.type))
    return pa.table(columns, schema=SPECTRA)


def first_of(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Name among a table's columns that is the first of the wanted ones.

    Examples
    --------
    >>> first_of(["RA_ICRS", "Source_ID"], ("sourceid", "gaiaid"))
    'Source_ID'
    """
    by_key = {re.sub(r"[\s_\-.]+", "", name.lower()): name for name in reversed(list(names))}
    return next((by_key[one] for one in wanted if one in by_key), None)


def read_table(path: Path) -> pa.Table:
    """A user's table, in any format that the product reads, whole; names as they stand there."""
    kind = format_of(path)
    try:
        return _READ[kind](path)
    except InputError:
        raise
    except Exception as error:  # every library has its own
        said = " ".join(str(error).split())[:150].rstrip(".")
        raise InputError(
            f"{path.name} cannot be read as {kind} ({said}). Export or transfer it again."
        ) from None


def read_ids(path: Path) -> pa.Table:
    """Sources of a user's file: ``source_id``, each once and rising, and its ra and dec if any.

    Raises
    ------
    InputError
        Where the file has neither a column source_id nor one id a line.
    """
    table = _bare_ids(path) or read_table(path)
    name = first_of(table.column_names, ID_NAMES)
    if name is None:
        raise InputError(
            f"{path.name} has no column source_id; it has {', '.join(table.column_names[:8])}. "
            "Expected such a column, or one id a line."
        )
    ids = whole_ids(table[name], f"{path.name}, column {name}")
    found = {"source_id": ids}
    for wanted, names in (("ra", RA_NAMES), ("dec", DEC_NAMES)):
        if other := first_of(table.column_names, names):
            found[wanted] = numbers(table[other])
    return once(pa.table(found))


def once(table: pa.Table) -> pa.Table:
    """Rows in order of source_id, the first of each; those without an id are left out."""
    table = table.filter(table["source_id"].is_valid())
    _, first = np.unique(table["source_id"].to_numpy(), return_index=True)
    return table.take(pa.array(first)).combine_chunks()


def whole_ids(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Ids as int64; refused where they are numbers that have rounded them."""
    if pa.types.is_floating(column.type):
        raise InputError(
            f"{where} holds {column.type}, which has rounded the source ids; export them as "
            "whole numbers or text."
        )
    try:
        return column.cast(pa.int64())
    except pa.ArrowException:
        raise InputError(f"{where} holds something else than whole numbers.") from None


def numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as float64."""
    return column.cast(pa.float64(), safe=False)


def plain(table: pa.Table) -> pa.Table:
    """Columns as int64, float64, bool or text, so that the chunks of one fetch fit together."""
    columns = []
    for column in table.columns:
        if pa.types.is_integer(column.type):
            column = column.cast(pa.int64())
        elif pa.types.is_floating(column.type) or pa.types.is_null(column.type):
            column = numbers(column)
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _bare_ids(path: Path) -> pa.Table | None:
    """Ids of a file that holds one a line and nothing else; None where it is another file."""
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
        if not _ONE_ID.fullmatch(first):
            return None
        file.seek(0)
        lines = [(number, line) for number, line in enumerate(file, 1) if line.strip()]
    found = [(number, _ONE_ID.fullmatch(line)) for number, line in lines]
    if bad := [number for number, match in found if not match]:
        raise InputError(f"{path.name}, line {bad[0]}: expected one source_id a line.")
    ids = [int(match[1]) for _, match in found if match]
    if large := [one for one in ids if not -(2**63) <= one < 2**63]:
        raise InputError(f"{path.name}: {large[0]} is too large for a source_id.")
    return pa.table({"source_id": pa.array(ids, pa.int64())})


def _of_column(column: Any) -> pa.Array:
    values = np.ma.getdata(column)
    values = np.asarray(values)
    mask = np.broadcast_to(np.ma.getmaskarray(column), values.shape)
    if values.dtype.kind == "O":
        return _of_objects(values, mask)
    if values.ndim > 1:
        return _of_arrays(list(values.reshape(len(values), -1)))
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "U":
        return pa.array(values.tolist(), pa.string(), mask=mask)
    return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=mask)


def _of_objects(values: Any, mask: Any) -> pa.Array:
    cells = [None if hidden is True else cell for cell, hidden in zip(values, mask.tolist())]  # noqa: B905
    if any(isinstance(cell, np.ndarray | list | tuple) for cell in cells):
        return _of_arrays(cells)
    return pa.array([None if cell is None else str(cell) for cell in cells], pa.string())


def _of_arrays(cells: Sequence[Any]) -> pa.Array:
    """Arrow lists of arrays; an absent array is an empty list."""
    parts = [np.ma.filled(np.ma.asarray(() if c is None else c, np.float64), np.nan).ravel()
             for c in cells]  # fmt: skip
    return list_array(parts)


def _read_csv(path: Path) -> pa.Table:
    import gzip

    from pyarrow import csv

    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    lines = [line for line in content.splitlines(keepends=True) if line[:1] != b"#"]
    head = next((line for line in lines if line.strip()), b"")
    comma = max(",;\t|", key=lambda mark: head.count(mark.encode()))
    options = csv.ParseOptions(delimiter=comma)
    return csv.read_csv(io.BytesIO(b"".join(lines)), parse_options=options)


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path)


def _read_feather(path: Path) -> pa.Table:
    from pyarrow import feather

    return feather.read_table(path)


def _read_astropy(path: Path) -> pa.Table:
    from astropy.table import Table

    kind = {"ecsv": "ascii.ecsv"}.get(format_of(path), format_of(path))
    return of_astropy(Table.read(path, format=kind))


_READ = {
    "csv": _read_csv, "csv.gz": _read_csv, "parquet": _read_parquet, "feather": _read_feather,
    "fits": _read_astropy, "votable": _read_astropy, "ecsv": _read_astropy,
}  # fmt: skip
