"""Tables of a redshift distribution n(z), read as every other text table is.

Two columns are z and n, per unit of redshift; three are the edges of a bin and n in it. Row numbers
and names above the columns are passed over, z may rise or fall, and the table may be wider than the
redshifts that a run knows.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.data.cells import number
from redshift_core.data.dialect import Dialect, dialect_of
from redshift_core.data.lines import decode, is_passed_over, records, split_line
from redshift_core.data.naming import is_index
from redshift_core.data.redshift_column import named_redshifts
from redshift_core.data.sniff import check_text, encoding_of
from redshift_core.errors import InputError
from redshift_core.pdf.prior import HOW, binned_prior, prior_of

MAX_BYTES = 10_000_000  # of a user's table
TOUCH = 1e-6  # by which the edges of neighbouring bins may miss one another


def read_prior(path: Path) -> NDArray[np.float64]:
    """Prior from a file, shape (240,); see `parse_prior`."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{path.name} has {size:,} bytes, too many for an n(z); {HOW}.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {HOW}.") from error
    return parse_prior(content, path.name)


def parse_prior(content: bytes | str, name: str) -> NDArray[np.float64]:
    r"""Prior on the bins from the text of a table, shape (240,), integral 1.

    Parameters
    ----------
    content : bytes or str
        Lines of z and n, or of the edges of bins and n.
    name : str
        What the table is called in a sentence about it.

    Raises
    ------
    InputError
        No numbers, the same z twice, negative n, or no n > 0 within 0–0.6.

    Examples
    --------
    >>> flat = parse_prior("z;n\n0,6;1,5\n0,0;1,5", "flat.csv")
    >>> bool(np.allclose(flat, 1 / 0.6))
    True
    """
    names, table = _table(content, name)
    if len(table) < 2:
        raise InputError(f"{name} has {len(table)} line(s) of numbers; {HOW}.")
    if table.shape[1] == 3:
        return binned_prior(*_edges(table, name), name)
    z, n = table.T
    if named_redshifts(names) == [1]:
        z, n = n, z
    order = np.argsort(z, kind="stable")
    return prior_of(z[order], n[order], name)


def _table(content: bytes | str, name: str) -> tuple[list[str], NDArray[np.float64]]:
    """Names and numbers of a table's columns, without a row number; (n_rows, 2 or 3)."""
    text = content.encode() if isinstance(content, str) else content
    check_text(name, text[: 1 << 16])
    if encoding := encoding_of(text[: 1 << 12]):
        text = text.decode(encoding, "replace").encode()
    lines = text.splitlines()
    if all(map(is_passed_over, lines)):
        return [], np.empty((0, 2))
    dialect = dialect_of(name, text + b"\n", True)
    kept = [place for place, one in enumerate(dialect.names) if not is_index(one)]
    rows = []
    for line_number, line in records(text[dialect.start :], dialect.delimiter):
        if not is_passed_over(line) and line.strip() != dialect.header:
            line_number += text.count(b"\n", 0, dialect.start)
            rows.append(_row(line, line_number, dialect, kept, name))
    return [dialect.names[place] for place in kept], np.array(rows).reshape(-1, len(kept))


def _row(
    line: bytes, line_number: int, dialect: Dialect, kept: list[int], name: str
) -> list[float]:
    cells = split_line(decode(line), dialect.delimiter)
    try:
        if len(cells) != len(dialect.names) or len(kept) not in (2, 3):
            raise ValueError(line)
        found = [number(cells[place], dialect.decimal) for place in kept]
        if not np.isfinite(found).all():
            raise ValueError(line)
    except ValueError as error:
        shown = decode(line).strip()[:60]
        raise InputError(f"{name}, line {line_number}: {shown!r}; {HOW}.") from error
    return found


def _edges(
    table: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Edges of bins in rising order and n in them; InputError where the columns are no edges."""
    low, high, n = table[np.argsort(table[:, 0], kind="stable")].T
    if (high <= low).any() or any(b < a - TOUCH for a, b in pairwise(np.ravel((low, high), "F"))):
        raise InputError(
            f"{name} has three columns, of which the first two are not the edges of bins that lie "
            f"side by side; {HOW}."
        )
    return low, high, n
