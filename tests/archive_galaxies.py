"""What the stand-in for Gaia's archive holds: galaxies, all SIMULATED, with negative ids."""

import json
import math
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table

N = 55
TABLES = {
    "gaia_source": "ra REAL, dec REAL, phot_g_mean_mag REAL, phot_bp_mean_mag REAL, "
    "phot_rp_mean_mag REAL, has_xp_continuous TEXT",
    "galaxy_candidates": "classprob_dsc_combmod_galaxy REAL, redshift_ugc REAL, "
    "redshift_ugc_lower REAL, redshift_ugc_upper REAL, radius_sersic REAL, "
    "classlabel_dsc_joint TEXT, vari_best_class_name TEXT",
    "xp_continuous_mean_spectrum": "bp_basis_function_id INTEGER, rp_basis_function_id INTEGER, "
    "bp_coefficients TEXT, rp_coefficients TEXT",
}


@dataclass
class Archive:
    """What the stand-in holds, what it is to do wrong, and what it was asked."""

    spectra: dict  # source_id → (bp, rp) coefficients
    database: sqlite3.Connection
    redshifts: Table | None = None  # of X-Match: objID, ra, dec, zsp, spCl
    words: tuple = (("XP_CONTINUOUS", "RAW"),)  # retrieval type and structure that it knows
    limit: int = 5_000  # ids of one call
    sync_rows: int = 2_000
    faults: object = field(default=lambda kind, number: "")
    silence: float = 30.0  # s, of the fault "silent"
    calls: list = field(default_factory=list)  # (kind, number, fault)
    asked: list = field(default_factory=list)  # ids of each call of DataLink
    releases: set = field(default_factory=set)  # that DataLink was asked for
    headers: list = field(default_factory=list)  # of each call
    jobs: dict = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    lock: object = field(default_factory=threading.RLock)
    url: str = ""


def faults(by_number, kind="data-server"):
    """Faults of the calls of one kind, by number."""
    return lambda asked, number: by_number.get(number, "") if asked == kind else ""


def write_ids(path, ids):
    """A file of ids, as a user has it."""
    path.write_text("\n".join(["source_id", *map(str, ids)]) + "\n")
    return path


def ids_of(n):
    """Source ids as large as Gaia's, negative: SIMULATED."""
    return [-(4_000_000_000_000_000_000 + 7 * k) for k in range(n)]


def small_archive(n=60, seed=1, n_candidates=None, **options):
    """Archive of n galaxies (SIMULATED: smooth spectra of no physical meaning)."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.02, 0.5, n)
    fall = np.exp(-np.arange(N) / 4.0)
    bright = rng.uniform(100, 400, (n, 1))
    bp = bright * (fall + z[:, None] * rng.normal(0, 0.02, (n, N)))
    rp = bright * (fall * (1 - z[:, None]) + rng.normal(0, 0.01, (n, N)))
    return archive_of(z, bp, rp, rng, n_candidates, **options)


def survey_archive(path, n=None, seed=1, **options):
    """Archive of the galaxies of a simulated survey (SIMULATED), such as the demo's.

    Coefficients are those whose fluxes come nearest to the survey's.
    """
    from redshift_core.data import read_blocks
    from redshift_core.data.coefficients import BANDS, Converter

    blocks = list(read_blocks(path))
    flux = np.concatenate([one.flux for one in blocks])[:n].astype(float)
    z = np.concatenate([one.z_spec for one in blocks])[:n]
    designs = [Converter().design(band, basis) for band, basis in zip(BANDS, (56, 57), strict=True)]
    parts = np.split(flux, [designs[0].shape[1]], axis=1)
    found = [part @ np.linalg.pinv(one, 1e-4) for part, one in zip(parts, designs, strict=True)]
    return archive_of(z, *found, np.random.default_rng(seed), **options)


def archive_of(z, bp, rp, rng, n_candidates=None, **options):
    """Archive of galaxies with these redshifts and coefficients, somewhere near (150°, 2°)."""
    n = len(z)
    ids = ids_of(n)
    ra, dec = rng.uniform(149, 151, n), rng.uniform(1, 3, n)
    magnitude = 16 + 3 * rng.random(n)
    ugc = z + rng.normal(0, 0.03, n)
    database = sqlite3.connect(":memory:", check_same_thread=False)
    _functions(database)
    database.execute("ATTACH ':memory:' AS gaiadr3")
    for name, columns in TABLES.items():
        database.execute(f"CREATE TABLE gaiadr3.{name} (source_id INTEGER PRIMARY KEY, {columns})")
    insert(
        database, "gaia_source", ids, ra, dec, magnitude, magnitude + 0.4, magnitude - 0.5,
        ["True"] * n,
    )  # fmt: skip
    kinds = ["galaxy" if k % 2 else "star" for k in range(n)]
    lacking = [None] * n
    columns = [ids, [0.9] * n, ugc, ugc - 0.03, ugc + 0.03, lacking, kinds, lacking]
    insert(database, "galaxy_candidates", *(one[:n_candidates] for one in columns))
    texts = [[json.dumps(row.tolist()) for row in part] for part in (bp, rp)]
    insert(database, "xp_continuous_mean_spectrum", ids, [56] * n, [57] * n, *texts)
    redshifts = Table(
        {"objID": 10**18 + np.arange(n), "ra2": ra, "dec2": dec, "zsp": z, "spCl": ["GALAXY"] * n}
    )
    spectra = dict(zip(ids, zip(bp, rp, strict=True), strict=True))
    return Archive(spectra, database, redshifts, **options)


def insert(database, name, *columns):
    rows = zip(*(getattr(one, "tolist", lambda one=one: one)() for one in columns), strict=True)
    marks = ",".join("?" * len(columns))
    database.executemany(f"INSERT INTO gaiadr3.{name} VALUES ({marks})", rows)


def distance(ra, dec, other_ra, other_dec):
    """Arcsec between two positions close to each other."""
    east = (other_ra - ra) * math.cos(math.radians(dec))
    return 3600 * np.hypot(east, other_dec - dec)


def _functions(database):
    """The three functions of ADQL by which a cone is asked for."""
    database.create_function("POINT", 3, lambda _, ra, dec: f"{ra!r} {dec!r}")
    database.create_function("CIRCLE", 4, lambda _, ra, dec, r: f"{ra!r} {dec!r} {r!r}")

    def contains(point, circle):
        here, there = ([float(v) for v in text.split()] for text in (point, circle))
        return int(distance(*here, *there[:2]) <= 3600 * there[2])

    database.create_function("CONTAINS", 2, contains)
