"""Intervals of 68 %: those of shares, and how many digits of a figure its interval means."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

Z = 1.0  # half width of 68 % of a normal distribution, in standard deviations
FEWEST = 3  # galaxies whose scatter, or whose mean drawn again, means anything
ONE_DIGIT = 3.55  # leading digits of a half width from which one of them is enough


def wilson(share: float, n: int) -> list[float]:
    """Wilson's 68 % interval of a share of ``n`` galaxies: never empty, never outside 0 to 1.

    (p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n) with z = 1.

    Parameters
    ----------
    share : float
        From 0 to 1.
    n : int
        At least 1.

    References
    ----------
    Wilson 1927, JASA 22, 209; recommended for small n by Brown, Cai & DasGupta 2001.

    Examples
    --------
    >>> wilson(0.0, 3), wilson(1.0, 3), wilson(1.0, 1)
    ([0.0, 0.25], [0.75, 1.0], [0.5, 1.0])
    """
    grown = 1 + Z**2 / n
    middle = (share + Z**2 / (2 * n)) / grown
    half = Z / grown * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return [round(middle - half, 12), round(middle + half, 12)]  # 0 and 1 are met exactly


def fitting(form: str, ends: Sequence[float] | None) -> str:
    """Format of a number, with no more decimals than its interval means.

    The half width of the interval has two digits where they begin with up to 3.5, else one: the
    rule by which the Particle Data Group rounds.

    Parameters
    ----------
    form : str
        ``.4f``, ``+.4f`` or ``.2%``: the most decimals there may be.
    ends : sequence, optional
        Of the interval; without it the format stays.

    Examples
    --------
    >>> fitting(".4f", [0.021, 0.052]), fitting(".2%", [0.0, 0.0083]), fitting(".2%", [0.0, 0.25])
    ('.3f', '.1%', '.0%')
    """
    if not ends or not 0 < ends[1] - ends[0] < math.inf:
        return form
    sign, most, kind = re.fullmatch(r"(\+?)\.(\d+)([f%])", form).groups()  # type: ignore[union-attr]
    half = (ends[1] - ends[0]) / 2 * (100 if kind == "%" else 1)
    place = math.floor(math.log10(half))
    digits = 2 if half / 10**place < ONE_DIGIT else 1
    return f"{sign}.{max(0, min(int(most), digits - 1 - place))}{kind}"
