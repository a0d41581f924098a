"""Which column is which in a file without a header: by position, and only where that is certain.

The last 186 or 240 columns are the fluxes. Before them may stand, in any order, a row number, a
source id and the redshift, told apart by their first values. Where a guess could be wrong the file
is refused, with the words that settle it.
"""

from __future__ import annotations

from itertools import pairwise

from redshift_core.constants import N_PIXELS, Z_MAX, Z_MIN
from redshift_core.data.cells import all_ids, is_number, number
from redshift_core.data.headers import N_FULL, WANTED, Columns
from redshift_core.data.mapping import UnknownColumnsError
from redshift_core.data.text_forms import is_missing
from redshift_core.errors import InputError

MAX_LEADING = 3  # columns before the fluxes: row number, source id, redshift
MANY = 8  # rows after which a column that stays in the redshift range is no flux
_HINT = (
    "Add a header line such as z,flux_0,…,flux_185, or say which columns are which, for instance "
    "--columns z=column_1,flux=column_2:column_187."
)


def column_names(n: int) -> list[str]:
    """Names for the columns of a file without a header: ``column_1`` and so on."""
    return [f"column_{number}" for number in range(1, n + 1)]


def by_position(file: str, rows: list[list[str]]) -> Columns:
    """Columns of a file without a header.

    Parameters
    ----------
    file : str
        Name of the file, for the sentences.
    rows : list of list of str
        Its first rows, as text.

    Raises
    ------
    UnknownColumnsError
        Where their number fits no form, or the values before the fluxes are no redshift or id.
    InputError
        Where there are too few of them for any mapping.
    """
    n = len(rows[0]) if rows else 0
    rows = [row for row in rows if len(row) == n]
    n_flux = next((k for k in (N_FULL, N_PIXELS) if 0 <= n - k <= MAX_LEADING), None)
    if n_flux is None:
        kind = UnknownColumnsError if n > N_PIXELS else InputError
        raise kind(
            f"{file} has no header and {n} column{'s' if n > 1 else ''}; expected {WANTED} fluxes, "
            f"with the redshift before them. {_HINT}"
        )
    names = column_names(n)
    columns = [[row[k] for row in rows] for k in range(n - n_flux + 1)]
    kinds = [_kind(values) for values in columns[:-1]]
    if len(set(kinds)) < len(kinds) or "unknown" in kinds:
        raise UnknownColumnsError(
            f"{file} has no header, and the first {len(kinds)} of its {n} columns do not look like "
            f"one redshift and one source id (first row: {', '.join(rows[0][: len(kinds)])[:60]}). "
            f"{_HINT}"
        )
    if not kinds and _is_no_flux(columns[0], rows):
        raise UnknownColumnsError(
            f"{file} has no header and {n} columns, of which the first looks like a redshift or an "
            f"id ({', '.join(columns[0][:3])[:60]} …); then only {n - 1} are fluxes, and expected "
            f"are {WANTED}. {_HINT}"
        )
    at = {kind: position for position, kind in enumerate(kinds)}
    flux_text = f"{names[n - n_flux]}:{names[-1]}"
    return Columns(
        tuple(names),
        tuple(range(n - n_flux, n)),
        flux_text,
        at.get("z"),
        at.get("source_id"),
        has_header=False,
    )


def is_counting(cells: list[str]) -> bool:
    """Whether a first line only numbers the columns (0, 1, 2 …), as pandas writes a bare array."""
    words = cells[1:] if cells and not cells[0].strip() else cells
    return len(words) >= N_PIXELS and any(
        words == [str(number) for number in range(first, first + len(words))] for first in (0, 1)
    )


def _is_no_flux(values: list[str], rows: list[list[str]]) -> bool:
    """Whether the first of exactly 186 columns is a redshift or an id after all.

    Faint fluxes lie in the redshift range too, but not all of many, nor with other decimals than
    the column beside them.
    """
    kind = _kind(values)
    if kind != "z" or len(values) < 2:
        return kind in ("index", "source_id") and len(values) > 2 and len(set(values)) > 1
    if not all(is_missing(value) or Z_MIN <= number(value) <= Z_MAX for value in values):
        return False
    decimals = [
        max(len(row[k].replace(",", ".").partition(".")[2].strip()) for row in rows) for k in (0, 1)
    ]
    return len(values) >= MANY or decimals[0] > decimals[1] + 1


def _kind(values: list[str]) -> str:
    """What a leading column is by its first values: index, source_id, z or unknown."""
    words = [value.strip() for value in values]
    known = [word for word in words if not is_missing(word)]
    if not known:
        return "index"
    if all(word.lstrip("+-").isdecimal() and len(word) <= 20 for word in known):
        whole = [int(word) for word in known]
        counted = len(whole) == len(words) and all(b == a + 1 for a, b in pairwise(whole))
        if counted and whole[0] in (0, 1):
            return "index"
        return "source_id" if any(abs(one) > 1 for one in whole) else "z"
    if all_ids(known) and not all(map(_may_be_z, known)):
        return "source_id"
    if not all(map(is_number, known)):
        return "unknown"
    return "z" if sum(map(_may_be_z, known)) > 0.5 * len(known) else "unknown"


def _may_be_z(cell: str) -> bool:
    return is_number(cell) and Z_MIN <= number(cell) <= Z_MAX
