"""Names of columns as people write them, made comparable: case, blanks, units, numbers."""

from __future__ import annotations

import re
from functools import lru_cache

# ``flux_0 (e-/s)``, ``z []``, ``flux(e-/s)``: a unit in brackets, but no ``flux[0]``.
_UNIT = re.compile(
    r"(.*?)(\s+[(\[](?!\s*\d+\s*[)\]]$).*[)\]]|(?<=\w)[(\[](?!\s*\d+\s*[)\]]$).*[)\]])"
)
_NUMBERED = re.compile(r"(.*?)[\s_\-.\[(]*(\d+)[\])]?$")


@lru_cache(4096)
def without_unit(name: str) -> str:
    """Name of a column without the unit in brackets behind it.

    Examples
    --------
    >>> without_unit("flux_0 (e-/s)"), without_unit("z []"), without_unit("flux[0]")
    ('flux_0', 'z', 'flux[0]')
    """
    name = name.strip()
    found = _UNIT.fullmatch(name)
    return (found[1].rstrip(" _-.") or name) if found else name


@lru_cache(4096)
def key(name: str) -> str:
    """Name without case, unit, blanks, dots, dashes and underscores: ``Z_Spec []`` → ``zspec``."""
    return re.sub(r"[\s_\-.\u200b\ufeff]+", "", without_unit(name).lower())


@lru_cache(4096)
def numbered(name: str) -> tuple[str, int | None]:
    """``Flux_12`` → (``flux``, 12); a name without a number, or with an endless one, has None."""
    match = _NUMBERED.fullmatch(without_unit(name))
    if match and len(match[2]) <= 9:
        return key(match[1]), int(match[2])
    return key(name), None


@lru_cache(4096)
def pattern_of(name: str) -> str:
    """Name with ``{}`` for its number: ``flux_12 (e-/s)`` → ``flux_{} (e-/s)``."""
    name = name.strip()
    base = without_unit(name)
    return re.sub(r"\d+(?=\D*$)", "{}", base) + name[len(base) :]


def is_index(name: str) -> bool:
    """Whether a column is only the row number that pandas wrote, or empty."""
    return re.fullmatch(r"(unnamed: ?\d+.*|__index_level_\d+__|)", name.strip().lower()) is not None
