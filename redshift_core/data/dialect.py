"""How a text table is written: delimiter, decimal sign, header, first rows."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from redshift_core.data.headerless import column_names, is_counting
from redshift_core.errors import InputError

NULLS = (
    "", "nan", "NaN", "NAN", "-nan", "-NaN", "null", "Null", "NULL", "NA", "N/A", "n/a", "#N/A",
    "<NA>", "None", "none", "--", "masked",
)  # fmt: skip
FIRST_ROWS = 200  # rows looked at before the file is read
BOM = b"\xef\xbb\xbf"
_BLANKS = re.compile(rb'(?<![^ \t\n])("[^"\n]*")|[ \t]+')  # or a quoted cell, to be kept
_RUNS = re.compile(rb"[ \t]+")
_EDGES = re.compile(rb"(?m)^ | (?=\r?$)")


@dataclass(frozen=True)
class Dialect:
    """How one text file is written."""

    delimiter: str
    names: list[str]  # header, or column_1 … where there is none
    has_header: bool
    first: list[list[str]]  # first rows of data, as text
    start: int  # bytes before the first row of data
    decimal: str = "."
    blanks: bool = False  # columns are set apart by runs of blanks


def dialect_of(file: str, head: bytes, whole: bool) -> Dialect:
    """Dialect of a text table from its first bytes; ``whole`` where these are all it has."""
    if b"\n" not in head and b"\r" in head:
        raise InputError(f"{file} has the line ends of an old Mac; save it again as plain CSV.")
    lines = head.splitlines(keepends=True)
    if not whole:
        lines.pop()  # cut somewhere
    at = next((k for k, line in enumerate(lines) if _content(line)), None)
    if at is None:
        raise InputError(f"{file} has only comments and blank lines; expected a table of spectra.")
    delimiter = _delimiter(_text(lines[at]))
    cells = split_line(_text(lines[at]), delimiter)
    if at and (comment := _commented_header(lines[:at], delimiter, len(cells))):
        names, has_header, first_data = comment, True, at
    elif all(is_number(cell, delimiter) for cell in cells) and not is_counting(cells):
        names, has_header, first_data = column_names(len(cells)), False, at
    else:
        has_header = not is_counting(cells)
        names = cells if has_header else column_names(len(cells))
        first_data = at + 1
    first = [split_line(_text(line), delimiter) for line in lines[first_data:] if _content(line)]
    decimal = "," if delimiter != "," and _has_decimal_comma(first[:20]) else "."
    return Dialect(
        delimiter,
        [name.strip() for name in names],
        has_header,
        first[:FIRST_ROWS],
        sum(map(len, lines[:first_data])),
        decimal,
        delimiter == " ",
    )


def split_line(line: str, delimiter: str) -> list[str]:
    """Cells of one line."""
    if delimiter == " ":
        if '"' not in line:
            return line.split()
        line = squeeze(line.encode()).decode()
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a cell of more than 128 kB
        return [line]


def squeeze(block: bytes) -> bytes:
    """Text whose columns are set apart by runs of blanks, with one blank each; quotes stay.

    Examples
    --------
    >>> squeeze(b' 0.1   "NGC  1"  2.5 ')
    b'0.1 "NGC  1" 2.5'
    """
    if b'"' in block:
        block = _BLANKS.sub(lambda found: found[1] or b" ", block)
    else:
        block = _RUNS.sub(b" ", block)
    return _EDGES.sub(b"", block)


def bare(column: pa.Array) -> pa.Array:
    """Text cells without the blanks around them, null where they stand for a missing value."""
    column = pc.ascii_trim_whitespace(column.cast(pa.string()))
    missing = pc.is_in(column, value_set=pa.array(NULLS))
    return pc.if_else(missing, pa.scalar(None, pa.string()), column)


def is_number(cell: str, delimiter: str = ",") -> bool:
    """Whether a cell holds a number, or stands for a missing one."""
    if cell.strip() in NULLS:
        return True
    try:
        float(cell if delimiter == "," else cell.replace(",", "."))
    except ValueError:
        return False
    return "_" not in cell


def _content(line: bytes) -> bool:
    text = line.removeprefix(BOM).strip()
    return bool(text) and not text.startswith(b"#")


def _text(line: bytes) -> str:
    line = line.removeprefix(BOM).rstrip(b"\r\n")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _delimiter(line: str) -> str:
    """The most frequent of comma, semicolon, tab and bar; blanks where there is none."""
    best = max(",;\t|", key=line.count)
    return best if line.count(best) else " "


def _commented_header(lines: list[bytes], delimiter: str, n: int) -> list[str] | None:
    """Header in a comment line (``# z flux_0 …``), as NumPy's savetxt writes it."""
    for line in reversed(lines):
        cells = split_line(_text(line).lstrip("# "), delimiter)
        if len(cells) == n and not all(is_number(cell, delimiter) for cell in cells):
            return cells
    return None


def _has_decimal_comma(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows for cell in row]
    commas = sum(re.fullmatch(r"\s*[+-]?\d+,\d+\s*", cell) is not None for cell in cells)
    return commas > 0.5 * len(cells) > 0
