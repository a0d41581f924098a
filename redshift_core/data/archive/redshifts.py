"""Spectroscopic redshifts for sources: by CDS X-Match, or from a user's catalogue.

A source gets a redshift where it has one counterpart within 1.5″ and that counterpart has no other
source: unique both ways. Two sources so close that Gaia separates them and a fibre does not get
none.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from redshift_core.data.archive.tables import (
    DEC_NAMES,
    ID_NAMES,
    RA_NAMES,
    Z_NAMES,
    first_of,
    numbers,
    of_astropy,
    read_table,
    whole_ids,
)
from redshift_core.data.archive.web import ArchiveError, Web, check_status
from redshift_core.errors import InputError

XMATCH_NAME = "REDSHIFT_LAB_XMATCH"  # environment variable: address of another X-Match
XMATCH_URLS = (  # tried in turn
    "https://cdsxmatch.u-strasbg.fr/xmatch/api/v1/sync",
    "http://cdsxmatch.u-strasbg.fr/xmatch/api/v1/sync",
)
RADIUS = 1.5  # arcsec
POSITIONS = 10_000  # uploaded at once
PAIRS = pa.schema(
    [("source_id", pa.int64()), ("other", pa.string()), ("z", pa.float64()),
     ("distance", pa.float64())]
)  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """A catalogue of spectroscopic redshifts that X-Match has; the first name found counts."""

    title: str
    table: str
    z: tuple[str, ...]
    identity: tuple[str, ...]  # what tells its objects apart
    kind: tuple[str, ...]  # class of the spectrum: only GALAXY counts
    warning: tuple[str, ...]  # quality: only 0 counts


CATALOGUES = {
    "sdss": Catalogue(
        "SDSS DR16", "vizier:V/154/sdss16", ("zsp",), ("objid", "sdss16"), ("spcl", "classsp"),
        ("fzsp", "zwarning"),
    ),
    "desi": Catalogue(
        "DESI DR1", "vizier:V/161/zcatdr1", ("z", "zsp", "redshift"), ("targetid", "desi"),
        ("otype", "spectype"), ("zwarn", "fz"),
    ),
}  # fmt: skip


def xmatch_urls() -> tuple[str, ...]:
    """Addresses of X-Match."""
    own = os.environ.get(XMATCH_NAME)
    return (own,) if own else XMATCH_URLS


def cross_match(sources: pa.Table, catalogue: Catalogue, web: Web, url: str) -> pa.Table:
    """Pairs of `PAIRS` of some sources and the catalogue's galaxies within 1.5″.

    Parameters
    ----------
    sources : table
        With source_id, ra and dec (degrees).

    Raises
    ------
    ArchiveError
        Where X-Match answers anything but a table.
    """
    from pyarrow import csv

    text = io.BytesIO()
    csv.write_csv(sources.select(["source_id", "ra", "dec"]), text)
    fields = {
        "request": "xmatch", "distMaxArcsec": str(RADIUS), "RESPONSEFORMAT": "votable",
        "cat2": catalogue.table, "colRA1": "ra", "colDec1": "dec", "area": "allsky",
    }  # fmt: skip
    files = {"cat1": ("cat1.csv", text.getvalue())}
    status, body = web.post(url, data=fields, files=files)
    if status == 403:
        raise InputError(
            f"{url} refuses this address (HTTP 403): it was sent too many jobs at a time. Wait, "
            "or ask cds-question@unistra.fr."
        )
    check_status(status, body)
    return _pairs(_votable(body), catalogue)


def from_file(path: Path, sources: pa.Table) -> pa.Table:
    """Pairs of `PAIRS` of some sources and the rows of a user's catalogue.

    By source_id where the catalogue has it, else by position within 1.5″.
    """
    table = read_table(path)
    names = table.column_names
    z = first_of(names, Z_NAMES)
    if z is None:
        raise InputError(
            f"{path.name} has no column that is called z; it has {', '.join(names[:8])}."
        )
    values = numbers(table[z])
    if name := first_of(names, ID_NAMES):
        ids = whole_ids(table[name], f"{path.name}, column {name}")
        known = pa.table({"source_id": ids, "z": values})
        known = known.filter(pc.is_in(ids, sources["source_id"].combine_chunks()))
        other = known["source_id"].cast(pa.string())  # so two redshifts of one id are ambiguous
        zeros = pa.array(np.zeros(len(known)))
        return _known(pa.table([known["source_id"], other, known["z"], zeros], schema=PAIRS))
    ra, dec = first_of(names, RA_NAMES), first_of(names, DEC_NAMES)
    if ra is None or dec is None:
        raise InputError(
            f"{path.name} has neither source_id nor ra and dec; it has {', '.join(names[:8])}."
        )
    if "ra" not in sources.column_names:
        raise InputError(
            f"{path.name} has positions and the sources have none; give a catalogue with "
            "source_id, or ids with columns ra and dec."
        )
    here, there = (_vectors(t[a], t[d]) for t, a, d in ((sources, "ra", "dec"), (table, ra, dec)))
    row, other, distance = _near(here, there)
    columns = [sources["source_id"].take(pa.array(row)), pa.array(other.astype(str)),
               values.take(pa.array(other)), pa.array(distance)]  # fmt: skip
    return _known(pa.table(columns, schema=PAIRS))


def unique(pairs: pa.Table) -> tuple[pa.Table, int]:
    """Redshifts of the sources that are matched uniquely, and the number that are not.

    Two rows of a source that have the same redshift are one spectrum.

    Returns
    -------
    table
        With source_id and z.
    int
        Sources with several counterparts, or with one that is another source's, too.
    """
    once = pairs.group_by(["source_id", "z"]).aggregate([("other", "min")])
    alone = np.ones(len(once), bool)
    for name in ("source_id", "other_min"):
        column = once[name].to_numpy(zero_copy_only=False)
        _, place, count = np.unique(column, return_inverse=True, return_counts=True)
        alone &= count[place] == 1
    found = once.filter(pa.array(alone)).select(["source_id", "z"])
    return found, len(pc.unique(once["source_id"])) - len(found)


def _pairs(table: pa.Table, catalogue: Catalogue) -> pa.Table:
    """Pairs in an answer of X-Match; the columns of the upload come first in it."""
    names = table.column_names
    found = {
        what: first_of(names, getattr(catalogue, what))
        for what in ("z", "identity", "kind", "warning")
    }
    if "source_id" not in names or found["z"] is None:
        raise InputError(
            f"X-Match's answer on {catalogue.title} has no column {catalogue.z[0]}; it has "
            f"{', '.join(names[:12])}. Upload a catalogue of redshifts with --redshifts FILE."
        )
    if kind := found["kind"]:
        text = pc.utf8_upper(pc.utf8_trim_whitespace(table[kind].cast(pa.string())))
        table = table.filter(pc.fill_null(pc.equal(text, "GALAXY"), False))
    if warning := found["warning"]:
        table = table.filter(pc.fill_null(pc.equal(numbers(table[warning]), 0.0), True))
    z = numbers(table[found["z"]])
    identity = table[found["identity"]] if found["identity"] else z
    distance = first_of(names, ("angdist",))
    apart = numbers(table[distance]) if distance else pa.array(np.zeros(len(table)))
    columns = [table["source_id"], identity.cast(pa.string()), z, apart]
    return _known(pa.table(columns, schema=PAIRS))


def _known(pairs: pa.Table) -> pa.Table:
    """Pairs whose redshift is a number above 0; stars have one near 0, which galaxies do not."""
    return pairs.filter(pc.fill_null(pc.greater(pairs["z"], 0.0), False))


def _votable(body: bytes) -> pa.Table:
    import warnings

    from astropy.io import votable

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = votable.parse(io.BytesIO(body))
            for info in (info for one in found.resources for info in one.infos):
                if info.name == "QUERY_STATUS" and info.value.upper() == "OVERFLOW":
                    raise InputError("X-Match cut its answer short; fetch fewer sources at a time.")
                if info.name == "QUERY_STATUS" and info.value.upper() == "ERROR":
                    raise ArchiveError(info.content or "an error without a word")
            table = found.get_first_table().to_table(use_names_over_ids=True)
    except (InputError, ArchiveError):
        raise
    except Exception as error:  # of a parser of XML, at whatever came
        said = " ".join(str(error).split())[:120]
        raise ArchiveError(f"an answer that is no VOTable ({said})") from error
    return of_astropy(table)


def _vectors(ra: pa.ChunkedArray, dec: pa.ChunkedArray) -> NDArray[np.float64]:
    """Unit vectors, shape (n, 3); NaN where a position is missing."""
    alpha, delta = (np.deg2rad(numbers(one).to_numpy()) for one in (ra, dec))
    cos = np.cos(delta)
    return np.stack([cos * np.cos(alpha), cos * np.sin(alpha), np.sin(delta)], axis=1)


def _near(
    here: NDArray[np.float64], there: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of all pairs within 1.5″, and their distances in arcsec."""
    from scipy.spatial import cKDTree

    rows = [np.flatnonzero(np.isfinite(one).all(axis=1)) for one in (here, there)]
    chord = 2 * np.sin(np.deg2rad(RADIUS / 3600) / 2)
    trees = [cKDTree(one[row]) for one, row in zip((here, there), rows, strict=True)]
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="ndarray")
    arcsec = np.rad2deg(2 * np.arcsin(near["v"] / 2)) * 3600
    return rows[0][near["i"]], rows[1][near["j"]], arcsec
