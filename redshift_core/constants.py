"""Numbers that the whole product shares, each with its unit and source, and how one is written."""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]  # of either precision

N_BP = 80  # BP pixels kept of 120 (dissertation)
N_RP = 106  # RP pixels kept of 120 (dissertation)
N_PIXELS = N_BP + N_RP  # fluxes of one spectrum, BP then RP
N_BAND_FULL = 120  # pixels of one band as sampled by SMSgen
BP_KEPT = slice(34, 114)  # BP loses its first 34 and its last 6 pixels
RP_KEPT = slice(4, 110)  # RP loses its first 4 and its last 10 pixels

Z_MIN = 0.0  # lowest redshift of the training range (dissertation)
Z_MAX = 0.6  # highest redshift of the training range (dissertation)
N_Z_BINS = 240  # bins of p(z) between them, each 0.0025 wide
BIN_WIDTH = 0.05  # redshift bin of the dissertation's Table 3

SIMULATOR_VERSION = 2  # of the simulated survey: raise it when physics or grids of it change
FLUX_UNIT = "e⁻ s⁻¹ per pixel"  # Gaia internal calibration, integrated over one pixel

MISSING = "–"  # where there is no value

INCUMBENT_COLUMNS = (  # Gaia's own redshift of a galaxy and its limits, by UGC: compared, never z
    "redshift_ugc", "redshift_ugc_lower", "redshift_ugc_upper",
)  # fmt: skip

FLAGS: dict[str, int] = {  # what ingest found wrong with a row → its bit
    "nan_flux": 1,
    "infinite_flux": 2,
    "zero_flux": 4,
    "z_missing": 8,
    "z_out_of_range": 16,
    "duplicate_id": 32,
    "sentinel_flux": 64,
    "repeated_spectrum": 128,
}


def shown(value: float | None, form: str = ".4f") -> str:
    """Number as text, in a format of Python's; a dash where it is None or NaN.

    Examples
    --------
    >>> shown(0.02163), shown(None), shown(12345.6, ",.0f")
    ('0.0216', '–', '12,346')
    """
    return MISSING if value is None or value != value else format(value, form)


def duration(seconds: float | None) -> str:
    """Time span in the two largest units that matter; a dash where it is None.

    Examples
    --------
    >>> duration(75), duration(3700), duration(4), duration(None)
    ('1 min 15 s', '1 h 1 min', '4 s', '–')
    """
    if seconds is None:
        return MISSING
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def counted(n: float, noun: str) -> str:
    """Whole number with its noun, which is in the plural unless there is one.

    Examples
    --------
    >>> counted(1, "galaxy"), counted(5000, "spectrum"), counted(0, "test row")
    ('1 galaxy', '5,000 spectra', '0 test rows')
    """
    if n == 1:
        return f"1 {noun}"
    for ending, plural in (("galaxy", "galaxies"), ("spectrum", "spectra")):
        if noun.endswith(ending):
            return f"{int(n):,} {noun.removesuffix(ending)}{plural}"
    return f"{int(n):,} {noun}s"


def size_text(n_bytes: float) -> str:
    """Bytes as kB, MB or GB (powers of 1000).

    Examples
    --------
    >>> size_text(2.5e8), size_text(12)
    ('250 MB', '12 bytes')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.3g} {unit}"
    return f"{int(n_bytes)} bytes"


def wavelength() -> NDArray[np.float64]:
    """Central wavelength of each of the 186 pixels, shape (186,), in nm.

    Inferred, as `pixel_grid` is: 366.0–626.6 nm in BP and 619.4–996.0 nm in RP, which overlap.
    Certain to ±0.7 nm in BP and ±2.4 nm in RP, from whether the published 366 and 996 nm are
    centres or edges of pixels.
    """
    return _pixel_table()[0]


def pixel_grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and width of each pixel in Gaia's pseudo-wavelength u, shape (186,) each.

    Inferred from the pitch at which real spectra of the dissertation are sampled: a mean spectrum
    is band-limited by its 55 functions, so its published points show their distance. BP is even,
    0.3277 ± 0.001; in RP the width falls from 0.374 to 0.338 (± 0.0006). ESA's own table
    ("Wavelength sampling used for inferring astrophysical parameters in Gaia DR3") was not to be
    had; it would replace ``resources/wavelength_nm.csv``, which ``scripts/condense_inputs.py``
    makes.
    """
    return _pixel_table()[1:]


@cache
def _pixel_table() -> tuple[NDArray[np.float64], ...]:
    """Columns wavelength_nm, u and width_u of the resource, read-only."""
    path = files("redshift_core") / "resources" / "wavelength_nm.csv"
    with path.open(encoding="utf-8") as file:
        columns = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 2, 3), unpack=True)
    columns.setflags(write=False)
    return tuple(columns)
