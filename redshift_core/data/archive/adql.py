"""Queries as text, for the user to read and change."""

from __future__ import annotations

import re
from collections.abc import Iterable

from redshift_core.errors import InputError

SOURCE_COLUMNS = ("ra", "dec", "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag")
CANDIDATES = "galaxy_candidates"  # table with UGC's redshift
CANDIDATE_COLUMNS = (
    "classprob_dsc_combmod_galaxy", "redshift_ugc", "redshift_ugc_lower", "redshift_ugc_upper",
)  # fmt: skip
CUTS = {  # cuts that have a name
    "pure": "c.radius_sersic IS NOT NULL OR c.classlabel_dsc_joint = 'galaxy' "
    "OR c.vari_best_class_name = 'GALAXY'",  # Gaia Collaboration, Bailer-Jones et al. 2023, § 9
}


def schema(release: str) -> str:
    """Schema of a release's tables.

    Examples
    --------
    >>> schema("Gaia DR3")
    'gaiadr3'
    """
    return re.sub(r"[^a-z0-9_]", "", release.lower())


def candidates(release: str, cuts: str = "", cone: tuple[float, float, float] | None = None) -> str:
    """Query of the galaxy candidates that have a spectrum.

    Parameters
    ----------
    cuts : str
        A condition in ADQL on ``g`` (gaia_source) and ``c`` (galaxy_candidates), or a name in
        ``CUTS``; none where empty.
    cone : tuple, optional
        Right ascension, declination and radius of a circle on the sky, degrees.
    """
    conditions = ["g.has_xp_continuous = 'True'", *_cone(cone)]
    if cuts.strip():
        conditions.append(f"({CUTS.get(cuts.strip().lower(), cuts.strip())})")
    name = schema(release)
    return (
        f"SELECT {_columns(True)}\n"
        f"FROM {name}.gaia_source AS g\n"
        f"JOIN {name}.{CANDIDATES} AS c ON c.source_id = g.source_id\n"
        f"WHERE {' AND '.join(conditions)}"
    )


def around(release: str, cone: tuple[float, float, float]) -> str:
    """Query of all sources in a circle on the sky that have a spectrum, stars among them."""
    conditions = ["g.has_xp_continuous = 'True'", *_cone(cone)]
    return _sources(release, True, " AND ".join(conditions))


def sources(release: str, ids: Iterable[int], with_candidates: bool = True) -> str:
    """Query of what the catalogue says of some sources."""
    return _sources(release, with_candidates, f"g.source_id IN ({_list(ids)})")


def coefficients(table: str, ids: Iterable[int]) -> str:
    """Query of the coefficients of some sources, where a service has them in a table."""
    return (
        "SELECT source_id, bp_basis_function_id, rp_basis_function_id, bp_coefficients, "
        f"rp_coefficients\nFROM {table}\nWHERE source_id IN ({_list(ids)})"
    )


def count(adql: str) -> str:
    """Query of the number of rows of another query."""
    return f"SELECT COUNT(*) AS n_rows FROM (\n{clean(adql)}\n) AS asked"


def clean(adql: str) -> str:
    """A user's query without comments and the semicolon at its end."""
    return re.sub(r"--[^\n]*", "", adql).strip().rstrip(";").strip()


def parse_cone(text: str) -> tuple[float, float, float]:
    """Circle on the sky from ``RA,DEC,RADIUS`` in degrees.

    Examples
    --------
    >>> parse_cone("150.1, 2.2, 0.5")
    (150.1, 2.2, 0.5)
    """
    try:
        ra, dec, radius = (float(part) for part in text.split(","))
    except ValueError:
        ra, dec, radius = -1.0, 0.0, 0.0
    if not (0 <= ra <= 360 and -90 <= dec <= 90 and 0 < radius <= 90):
        raise InputError(
            f"{text!r} is no circle on the sky; write RA,DEC,RADIUS in degrees, such as "
            "150.1,2.2,0.5."
        )
    return ra, dec, radius


def _sources(release: str, with_candidates: bool, condition: str) -> str:
    name = schema(release)
    join = f"LEFT JOIN {name}.{CANDIDATES} AS c ON c.source_id = g.source_id\n"
    return (
        f"SELECT {_columns(with_candidates)}\nFROM {name}.gaia_source AS g\n"
        f"{join if with_candidates else ''}WHERE {condition}"
    )


def _columns(with_candidates: bool) -> str:
    names = [f"g.{name}" for name in ("source_id", *SOURCE_COLUMNS)]
    names += [f"c.{name}" for name in CANDIDATE_COLUMNS] if with_candidates else []
    return ", ".join(names)


def _cone(cone: tuple[float, float, float] | None) -> list[str]:
    if cone is None:
        return []
    ra, dec, radius = cone
    return [f"1 = CONTAINS(POINT('ICRS', g.ra, g.dec), CIRCLE('ICRS', {ra}, {dec}, {radius}))"]


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(one)) for one in ids)
