"""How the user says which column is which.

A mapping is a dictionary or one text, ``z=my_z,source_id=objid,flux=f{}``; every key may be left
out (then that column is recognised by name):

    z=NAME            the redshift; ``z=none`` where the file has none
    source_id=NAME    the source id; ``source_id=none`` to number the rows instead
    flux=PREFIX{}     the columns PREFIX0 … or PREFIX1 …, in order of their number
    flux=FIRST:LAST   the columns from FIRST to LAST, as they stand in the file
    flux=bp{}+rp{}    two sets, BP then RP, each in either form
    bases=FILE        basis functions, and
    sampling=FILE     wavelengths of the pixels, that fluxes are made with where the file holds the
                      coefficients of mean spectra
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from redshift_core.errors import InputError

KEYS = ("z", "source_id", "flux")
MADE_KEYS = ("bases", "sampling")  # where fluxes are made of coefficients
NONE = "none"  # value of a mapping for a column that the file does not have
HOW = (
    "say which columns are the fluxes with --columns flux=PREFIX{} or flux=FIRST:LAST (and "
    "z=NAME), or choose them on the Data page."
)


class UnknownColumnsError(InputError):
    """A table whose columns the user has to name: the Data page opens its mapping."""


def parse_columns(columns: Mapping[str, str] | str | None) -> dict[str, str]:
    """Mapping from a dictionary or from the command line's text; empty values are left out.

    >>> parse_columns("z=my_z,flux=f{}")
    {'z': 'my_z', 'flux': 'f{}'}
    """
    if isinstance(columns, str):
        pairs = [part.partition("=") for part in columns.split(",") if part.strip()]
        if bad := [key for key, equals, _ in pairs if not equals]:
            raise InputError(
                f"--columns: {bad[0]!r} has no '='; write for instance "
                "z=my_z,source_id=objid,flux=f{}."
            )
        columns = {key.strip(): value.strip() for key, _, value in pairs}
    wanted = {key: value for key, value in (columns or {}).items() if value}
    if unknown := sorted(set(wanted) - {*KEYS, *MADE_KEYS}):
        raise InputError(
            f"A column mapping has no {unknown[0]!r}; it takes z, source_id and flux, for instance "
            "z=my_z,source_id=objid,flux=f{}."
        )
    return wanted


def mapped_flux(file: str, names: list[str], text: str) -> list[int]:
    """Positions of the flux columns that a mapping names."""
    positions = []
    for part in [text] if _mapped_part(names, text) else text.split("+"):
        found = _mapped_part(names, part.strip())
        if not found:
            raise UnknownColumnsError(
                f"{file}: flux={part.strip()} fits no column; {HOW} {list_names(names)}"
            )
        positions += found
    if len(set(positions)) < len(positions):
        raise InputError(f"{file}: flux={text} names some columns twice.")
    return positions


def _mapped_part(names: list[str], text: str) -> list[int]:
    head, braces, tail = text.partition("{}")
    if not braces:
        for cut_at in (match.start() for match in re.finditer(":", text)):
            first, last = (_find(names, t) for t in (text[:cut_at], text[cut_at + 1 :]))
            if first is not None and last is not None:
                return list(range(first, last + 1))
        tail = ""
    link = "" if braces else r"[\s_\-.]?"
    shape = re.compile(re.escape(head) + link + r"(\d{1,9})" + re.escape(tail))
    found = [(int(m[1]), p) for p, name in enumerate(names) if (m := shape.fullmatch(name.strip()))]
    return [position for _, position in sorted(found)]


def _find(names: list[str], name: str) -> int | None:
    """Position of a name: as written, else without regard to case and blanks."""
    for alike in (str, lambda text: text.strip().lower()):
        here = [p for p, known in enumerate(names) if alike(known) == alike(name)]
        if here:
            return here[0]
    return None


def mapped_single(file: str, names: list[str], what: str, name: str) -> int | None:
    """Position of the redshift or id column that a mapping names; None where it says ``none``."""
    if name.lower() == NONE:
        return None
    position = _find(names, name)
    if position is None:
        raise UnknownColumnsError(f"{file} has no column {name!r} for {what}. {list_names(names)}")
    return position


def list_names(names: list[str]) -> str:
    """Sentence that names the columns of a file."""
    shown = ", ".join(names[:6]) + (f" … {names[-1]}" if len(names) > 6 else "")
    return f"Its {len(names)} columns are {shown[:200]}."
