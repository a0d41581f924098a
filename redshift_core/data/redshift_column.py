"""Which column is the redshift: by name, checked by its first values, or only likely to be it.

A column ``z`` is a magnitude in photometric catalogues, so a name is not enough: the values decide
whether it is taken. What is only likely to be the redshift is named and never taken.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence

from redshift_core.data.cells import number
from redshift_core.data.incumbent import is_incumbent
from redshift_core.data.naming import key, without_unit

Z_NAMES = (
    "z", "redshift", "zspec", "specz", "zspectroscopic", "spectroscopicredshift", "zsdss", "sdssz",
    "ztrue", "truez", "redshiftspec", "specredshift",
)  # fmt: skip
HIGHEST_Z = 12.0  # a column whose median lies above this holds magnitudes or the like
_STAND_IN = re.compile(r"99+(\.9+)?")
_LIKELY = re.compile(
    r"(redshift.*|.*redshift|z(best|final|sp|spect?r?o?|hel|helio?|cmb|gal|obs|fit|em|abs|sys|lit"
    r"|ned|host|cosmo?|vi|ph|phot|photo|pdf|ml|mc|med|median|mean|peak|mode|desi|boss|lamost|gama)"
    r"\d*|(spec|best|final|obs|true|host|helio|desi|lamost|gama|ned|lit|photo?|my)z)"
)
_BESIDE = re.compile(  # what stands beside a redshift: its error, flag, limits
    r"(e|err|error|errors|unc|sigma|std|var|flag|flags|warn|warning|qual|quality|q|conf|prob|n"
    r"|mag|lower|upper|low|high|lo|hi|min|max|chi2|source|ref|reference|type|method|bib\w*|\w*err"
    r"|\w*error|\w*warn|\w*warning|\w*flag|\w*qual|\w*quality|\w*conf)"
)


def column_numbers(rows: Sequence[Sequence[str]], position: int) -> list[float]:
    """Finite numbers of one column among the first rows, decimal commas included."""
    found = []
    for row in rows:
        if position < len(row):
            try:
                found.append(number(row[position]))
            except ValueError:
                continue
    return [one for one in found if math.isfinite(one)]


def typical(rows: Sequence[Sequence[str]], position: int) -> float | None:
    """Median of a column's first numbers, without stand-ins such as −9999 and 99; None without."""
    numbers = column_numbers(rows, position)
    likely = [one for one in numbers if one > -0.1 and not _STAND_IN.fullmatch(f"{one:g}")]
    return statistics.median(likely or numbers) if numbers else None


def is_no_redshift(rows: Sequence[Sequence[str]], position: int) -> bool:
    """Whether a column's first values are too large for redshifts, as magnitudes are."""
    middle = typical(rows, position)
    return middle is not None and middle > HIGHEST_Z


def named_redshifts(names: Sequence[str]) -> list[int]:
    """Positions of the columns that are called as redshifts are."""
    return [position for position, name in enumerate(names) if key(name) in Z_NAMES]


def likely_redshifts(
    names: Sequence[str], rows: Sequence[Sequence[str]], among: Sequence[int]
) -> list[str]:
    """Names of columns that may be the redshift by their name and first values, likeliest first.

    Examples
    --------
    >>> likely_redshifts(["u", "z", "z_best", "z_best_err"], [["19", "17", ".2", ".1"]], range(4))
    ['z_best']
    """
    found = [position for position in among if _looks_like_one(names[position])]
    fits = [
        position
        for position in found
        if (middle := typical(rows, position)) is None or -0.1 <= middle <= HIGHEST_Z
    ]
    measured = [p for p in fits if not re.search(r"ph|pdf|ml|mc", key(names[p]))]
    return [names[p] for p in [*measured, *(p for p in fits if p not in measured)]]


def _looks_like_one(name: str) -> bool:
    words = [word for word in re.split(r"[\s_\-.]+", without_unit(name).lower()) if word]
    if is_incumbent(name) or any(_BESIDE.fullmatch(word) for word in words):
        return False
    return key(name) in Z_NAMES or "z" in words or _LIKELY.fullmatch(key(name)) is not None
