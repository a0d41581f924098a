"""How a text table is written: separator, decimal sign, header, first rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from redshift_core.data.cells import all_ids, is_number
from redshift_core.data.headerless import column_names, is_counting
from redshift_core.data.lines import decode, is_passed_over, is_ruler, records, split_line
from redshift_core.data.text_forms import TEXT, is_missing
from redshift_core.errors import InputError

FIRST_ROWS = 200  # rows looked at before the file is read
MOST_ABOVE = 5_000  # lines of comments above the table
MOST_TITLES = 30  # lines among which a wide table may begin
WIDE = 150  # columns of a table that cannot be mistaken for a title
HEADINGS = 3  # rows of units, types or strokes that may stand below the names
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+,\d+|,\d+)([eEdD][+-]?\d+)?\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?(\d+\.\d*|\.\d+)([eEdD][+-]?\d+)?\s*")
_DECLARED = re.compile(rf'"?{TEXT.declaration}(\\t|.)"?', re.IGNORECASE)
_SEPARATORS = [sign for sign in TEXT.separators.values() if sign != " "]


@dataclass(frozen=True)
class Dialect:
    """How one text file is written."""

    delimiter: str
    names: list[str]  # of each cell of a line; empty ones are no column of the table
    has_header: bool
    first: list[list[str]]  # first rows of data, as text
    start: int  # bytes before the first row of data
    decimal: str = "."
    header: bytes = b""  # its line, which may stand again further down
    units: str = ""  # begin of a row below the names that was passed over, as it holds no number

    @property
    def blanks(self) -> bool:
        """Whether columns are set apart by runs of blanks."""
        return self.delimiter == " "


def dialect_of(file: str, head: bytes, whole: bool, n_first: int = FIRST_ROWS) -> Dialect:
    """Dialect of a text table from its first bytes; ``whole`` where these are all it has."""
    if b"\n" not in head and b"\r" in head:
        raise InputError(f"{file} has the line ends of an old Mac; save it again as plain CSV.")
    if not whole:
        head = head[: head.rfind(b"\n") + 1]  # cut somewhere
    declared, above = _declared(head)
    above = above or _titles(head)
    known = declared or _guessed(head, above)
    lines = [line for _, line in islice(records(head, known), n_first + MOST_ABOVE)]
    at = next((k for k in range(above, len(lines)) if not is_passed_over(lines[k])), None)
    if at is None:
        raise InputError(f"{file} has only comments and blank lines; expected a table of spectra.")
    cells = split_line(decode(lines[at]), known)
    units = ""
    if at and (commented := _commented_header(lines[:at], known, cells)):
        names, has_header, data = commented, True, at
    elif _are_values(cells) and not is_counting(cells):
        names, has_header, data = column_names(len(cells)), False, at
    else:
        has_header = not is_counting(cells)
        names = cells if has_header else column_names(len(cells))
        data, units = _below_names(len(names), lines, at + 1, known)
    first = [split_line(decode(line), known) for line in lines[data:] if not is_passed_over(line)]
    first = first[:n_first]
    return Dialect(
        known,
        _fitted([name.strip() for name in names], first, has_header, known),
        has_header,
        first,
        sum(map(len, lines[:data])),
        _decimal(first[:20]),
        lines[at].strip() if has_header and data > at else b"",
        units,
    )


def _are_values(cells: list[str]) -> bool:
    """Whether a line holds numbers, and at most an id that is text, and no names."""
    texts = list(islice((cell for cell in cells if not is_number(cell)), 2))
    return not texts or (len(cells) > 2 and len(texts) == 1 and all_ids(texts))


def _declared(head: bytes) -> tuple[str, int]:
    """Separator that Excel's first line names, and the lines it takes; empty and 0 without one."""
    found = _DECLARED.fullmatch(decode(head.partition(b"\n")[0]).strip(" \r"))
    return (found[1].replace("\\t", "\t"), 1) if found else ("", 0)


def _titles(head: bytes) -> int:
    """Lines above a wide table that are no comments, and yet no row of it."""
    for k, line in enumerate(head.splitlines()[:MOST_TITLES]):
        if is_passed_over(line):
            continue
        text = decode(line)
        cells = max((split_line(text, sign) for sign in TEXT.separators.values()), key=len)
        if len(cells) >= WIDE:
            return k
        if len(cells) > WIDE / 10 or all(map(is_number, cells)):
            break
    return 0


def _guessed(head: bytes, above: int) -> str:
    """Separator by the first line that is no comment: blanks where it has no other.

    Decimal commas are told from separators by standing between digits, one a cell.
    """
    lines = (line for line in head.splitlines()[above:] if not is_passed_over(line))
    line = re.sub(r'"[^"]*"?', "", decode(next(lines, b"")))
    counts = {sign: line.count(sign) for sign in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda sign: counts[sign])
    if not counts[best]:
        return " "
    if best == ",":
        second = max(_SEPARATORS[1:], key=lambda sign: counts[sign])
        if counts[second] and counts[second] >= 0.45 * counts[","]:
            return second
        words = line.split()
        if len(words) > 1 and all(map(_is_word_number, words)):
            return " "
    return best


def _commented_header(lines: list[bytes], delimiter: str, cells: Sequence[str]) -> list[str] | None:
    """Header in a comment line (``# z flux_0 …``) above a line with numbers, as NumPy writes it."""
    if not any(is_number(cell) and not is_missing(cell) for cell in cells):
        return None
    signs = "".join(TEXT.comments) + " "
    for line in reversed(lines):
        text = decode(line).lstrip(signs)
        for between in dict.fromkeys((delimiter, ",", " ")):
            names = split_line(text, between)
            if len(names) == len(cells) and not any(map(_is_real, names)):
                return names
    return None


def _below_names(n: int, lines: list[bytes], start: int, delimiter: str) -> tuple[int, str]:
    """First line of data below the names, and how a row of units that was passed over begins."""
    places = [k for k in range(start, len(lines)) if not is_passed_over(lines[k])]
    rows = [split_line(decode(lines[k]), delimiter) for k in places[: HEADINGS + 20]]
    n_over = _headings(n, rows)
    rulers = [k for k in range(start, min(start + HEADINGS, len(lines))) if is_ruler(lines[k])]
    for ruler in rulers:  # what stands above strokes is no row, even if it is empty
        n_above = sum(k < ruler for k in places)
        if not any(_is_real(cell) for row in rows[:n_above] for cell in row):
            n_over = max(n_over, n_above)
    shown = ", ".join(cell for row in rows[:n_over] for cell in row if cell.strip(" -="))
    return places[n_over] if n_over < len(places) else len(lines), shown[:60]


def _headings(n: int, rows: list[list[str]]) -> int:
    """Rows below the names that are units, types or strokes: no number in them, numbers below."""
    leading = list(
        takewhile(lambda row: len(row) in (n, n + 1) and not any(map(_is_real, row)), rows)
    )[:HEADINGS]
    for k in reversed(range(len(leading))):
        below = [row for row in rows[k + 1 :] if len(row) in (n, n + 1)]
        for place, cell in enumerate(leading[k]):
            others = [row[place] for row in below if place < len(row)]
            if not is_number(cell) and others and all(map(is_number, others)):
                return k + 1
    return 0


def _is_word_number(word: str) -> bool:
    return word[-1] != "," and is_number(word)


def _is_real(cell: str) -> bool:
    return not is_missing(cell) and is_number(cell)


def _fitted(names: list[str], rows: list[list[str]], has_header: bool, delimiter: str) -> list[str]:
    """Names for every cell of the lines: row names of R and separators at their ends have none."""
    width = len(rows[0]) if rows else len(names)
    if not rows or any(len(row) != width for row in rows[:20]):
        return names
    ends = delimiter != " " and all(not row[-1].strip() for row in rows if len(row) == width)
    if not has_header:
        return [*column_names(width - 1), ""] if ends and width > 1 else names
    if width == len(names) + 1:
        return [*names, ""] if ends else ["", *names]
    if width == len(names) - 1 and not names[-1]:
        return names[:-1]
    return names


def _decimal(rows: list[list[str]]) -> str:
    """Sign that stands in more of the numbers of the first rows."""
    cells = [cell for row in rows for cell in row]
    commas = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells if "," in cell)
    points = commas and sum(_DECIMAL_POINT.fullmatch(cell) is not None for cell in cells)
    return "," if commas > points else "."
