"""Which column of a table is which, and what of it is doubtful: for a form, or a question.

`suggest` never reads a file: names and first rows are enough, of any format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redshift_core.data.headerless import by_position
from redshift_core.data.headers import Columns, find_redshift, find_source_id, recognise
from redshift_core.data.mapping import NONE, UnknownColumnsError


@dataclass(frozen=True)
class Suggestion:
    """What the columns of a table seem to be."""

    mapping: dict[str, str]  # z and source_id → a column or "none"; flux only where it is known
    doubts: list[str] = field(default_factory=list)  # sentences: what was not taken, and why
    likely_z: list[str] = field(default_factory=list)  # columns that may be the redshift, in order
    problem: str | None = None  # the sentence, where the user has to name the columns
    columns: Columns | None = None  # their positions; None where there is a problem


def suggest(
    names: list[str],
    rows: list[list[str]],
    wanted: Mapping[str, str] | None = None,
    *,
    file: str = "The table",
    has_header: bool = True,
) -> Suggestion:
    """Column of each role by the names and first rows of a table.

    Parameters
    ----------
    names : list of str
        Names of the columns.
    rows : list of list of str
        Its first rows, as text; by them a magnitude called ``z`` is told from a redshift.
    wanted : mapping, optional
        What the user says, which is checked.
    file : str
        How sentences call the table.
    has_header : bool
        Whether the names stand in the file, or were made up for it.

    Raises
    ------
    InputError
        Where naming the columns would not help, or the user's mapping cannot be right.

    Examples
    --------
    >>> names = ["z", "z_best", *(f"flux_{k}" for k in range(186))]
    >>> found = suggest(names, [["17.2", "0.21", *["1.5"] * 186]])
    >>> found.mapping, found.likely_z
    ({'z': 'none', 'source_id': 'none', 'flux': 'flux_{}'}, ['z_best'])
    """
    asked = dict(wanted or {})
    try:
        if not has_header and "flux" not in asked:
            asked = {**by_position(file, rows).mapping, **asked}
        found = recognise(file, names, asked, rows, has_header)
    except UnknownColumnsError as error:
        return _partly(file, names, rows, asked, str(error))
    return Suggestion(found.mapping, list(found.doubts), list(found.likely_z), columns=found)


def _partly(
    file: str, names: list[str], rows: list[list[str]], asked: dict[str, str], problem: str
) -> Suggestion:
    """What is known where the fluxes, or one of two redshifts, have to be named."""
    doubts, likely = [], []
    mapping = {"z": NONE, "source_id": NONE, **asked}
    if "z" not in asked:
        try:
            z, doubts, likely = find_redshift(file, names, rows, range(len(names)))
            mapping["z"] = NONE if z is None else names[z]
        except UnknownColumnsError:
            pass  # two of them: the problem says so
    if "source_id" not in asked:
        source_id = find_source_id(names, rows)
        mapping["source_id"] = NONE if source_id is None else names[source_id]
    return Suggestion(mapping, doubts, likely, problem)
