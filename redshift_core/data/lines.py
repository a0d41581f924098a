"""Lines of a text table: where one ends although a quoted cell holds line ends, and its cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache

from redshift_core.data.text_forms import MISSING, TEXT

BOM = b"\xef\xbb\xbf"
MOST_LINES = 1_000  # of one quoted cell; more is a quote that was never closed
_BLANKS = re.compile(rb'(?<![^ \t\n])("[^"\n]*")|[ \t]+')  # or a quoted cell, to be kept
_RUNS = re.compile(rb"[ \t]+")
_EDGES = re.compile(rb"(?m)^ | (?=\r?$)")
_RULER = re.compile(rb"[\s|+,;]*[-=]{2,}[-=\s|+,;]*")
_FOOTER = re.compile(rb"\s*\(\d+ rows?( affected)?\)\s*|\x1a")
_FIRST = re.compile(rb"[^,;|\s]*")
_COMMENTS = tuple(sign.encode() for sign in TEXT.comments)


def records(text: bytes, delimiter: str) -> Iterator[tuple[int, bytes]]:
    """Number of its first line, from 1, and each line with its end; quoted line ends are inside."""
    lines = text.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        record, n = lines[at], 1
        if record.count(b'"') % 2 and opened(record, delimiter) is not None:
            parts = [record]
            for line in lines[at + 1 : at + MOST_LINES]:
                parts.append(line)
                if b'"' in line and opened(joined := b"".join(parts), delimiter) is None:
                    record, n = joined, len(parts)
                    break
        yield at + 1, record
        at += n


def opened(text: bytes | bytearray, delimiter: str, end: int | None = None) -> int | None:
    """Where the quoted cell begins that is still open at the end of the text; None without one."""
    for cell in _quoted(delimiter).finditer(text, 0, len(text) if end is None else end):
        if cell[1] == b"":
            return cell.start()
    return None


def quoted_cells(text: bytes, delimiter: str) -> Iterator[tuple[int, bytes]]:
    """Where each quoted cell begins, and the cell with its quotes."""
    for cell in _quoted(delimiter).finditer(text):
        yield cell.start(), cell[0]


def end_of_records(text: bytes | bytearray, delimiter: str, size: int) -> int:
    """Bytes up to the last line end that stands in no quoted cell; 0 where there is none."""
    end = text.rfind(b"\n", 0, size) + 1
    if text.find(b'"', 0, end) < 0 or text.count(b'"', 0, end) % 2 == 0:
        return end
    start = opened(text, delimiter, end)  # or a quote stands within a text
    return end if start is None else text.rfind(b"\n", 0, start + 1) + 1


def split_line(line: str, delimiter: str) -> list[str]:
    """Cells of one line."""
    if delimiter == " ":
        if '"' not in line:
            return line.split()
        line = squeeze(line.encode()).decode()
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
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


def decode(line: bytes) -> str:
    """Text of a line without its end: UTF-8, else as Windows or Latin-1 has it."""
    line = line.removeprefix(BOM).rstrip(b"\r\n")
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def is_passed_over(line: bytes) -> bool:
    """Whether a line is blank, a comment, a ruler (``----  ---``), or a count of rows."""
    line = line.removeprefix(BOM).strip()
    if not line:
        return True
    if line.startswith(_COMMENTS):  # or with a missing value, as #N/A
        return _FIRST.match(line)[0].decode("latin-1").lower() not in MISSING
    return is_ruler(line) or _FOOTER.fullmatch(line) is not None


def is_ruler(line: bytes) -> bool:
    """Whether a line is nothing but strokes that set off the header, three or more at a time.

    Examples
    --------
    >>> is_ruler(b"-----|---"), is_ruler(b"=== ="), is_ruler(b"--,--,--"), is_ruler(b"-1 -2")
    (True, True, False, False)
    """
    return (b"---" in line or b"===" in line) and _RULER.fullmatch(line.strip()) is not None


@lru_cache
def _quoted(delimiter: str) -> re.Pattern[bytes]:
    """Quoted cells; the first group is empty where one is never closed."""
    before = (
        rb"^" if delimiter == "" else rb"(?:^|(?<=[" + re.escape(delimiter.encode()) + rb"\n]))"
    )
    return re.compile(before + rb'"(?:[^"]|"")*("|\Z)')
