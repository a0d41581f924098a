"""How much of a file is read: its rows, and what it may unpack to.

A few megabytes can unpack to terabytes of rows. Two environment variables set the limits.
"""

from __future__ import annotations

import gzip
import os
from typing import BinaryIO

from redshift_core.constants import size_text
from redshift_core.errors import InputError

ROWS_NAME = "REDSHIFT_LAB_ROWS_LIMIT"  # environment variable: rows of one table, at most
UNPACKED_NAME = "REDSHIFT_LAB_UNPACKED_GB"  # … and gigabytes that a packed file may unpack to
ROWS, UNPACKED_GB = 100_000_000, 100.0  # where these are not set
RATIO = 100  # times its size that a file may unpack to: numbers shrink to a third, not to this
HARMLESS = 200_000_000  # bytes up to which that does not matter


def rows_limit() -> int:
    """Rows of one table, at most; InputError where the variable is no number."""
    return int(_number(ROWS_NAME, ROWS))


def check_rows(file: str, n_rows: int) -> None:
    """InputError where a table has more rows than the limit."""
    if n_rows > (limit := rows_limit()):
        raise InputError(
            f"{file} has more than {limit:,} rows, the limit of this installation; split it, or "
            f"set {ROWS_NAME} to a larger number."
        )


def check_unpacked(file: str, n_bytes: int, n_packed: int) -> None:
    """InputError where what unpacks from some bytes of a file is too much to be a table.

    Parameters
    ----------
    n_bytes, n_packed : int
        Bytes unpacked, and those that they were unpacked from.
    """
    if n_bytes > HARMLESS and n_bytes > RATIO * max(n_packed, 1):
        raise InputError(
            f"{file} unpacks to more than {RATIO} times its size, which no table of measured "
            "spectra does: its rows repeat. Export the table again."
        )
    if n_bytes > (limit := _number(UNPACKED_NAME, UNPACKED_GB)) * 1e9:
        raise InputError(
            f"{file} unpacks to more than {size_text(limit * 1e9)}, the limit of this "
            f"installation; split it, or set {UNPACKED_NAME} to a larger number."
        )


class Unpacked(gzip.GzipFile):
    """Content of a gzip file, bounded while it is read."""

    def __init__(self, file: str, raw: BinaryIO):
        super().__init__(fileobj=raw, mode="rb")
        self._file, self._raw = file, raw

    def read(self, size: int | None = -1) -> bytes:
        """At most ``size`` bytes, all where it is −1; InputError where there are too many."""
        found = super().read(size)
        check_unpacked(self._file, self.tell(), self._raw.tell())
        return found


def _number(name: str, usual: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else usual
    except ValueError:
        value = -1.0
    if not value > 0:
        raise InputError(f"{name} is {text!r}; it must be a number above 0, such as {usual:,.0f}.")
    return value
