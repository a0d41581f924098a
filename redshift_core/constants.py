"""Numbers that the whole product shares, each with its unit and source."""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

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

FLUX_UNIT = "e⁻ s⁻¹ per pixel"  # Gaia internal calibration, integrated over one pixel

FLAGS: dict[str, int] = {  # what ingest found wrong with a row → its bit
    "nan_flux": 1,
    "infinite_flux": 2,
    "zero_flux": 4,
    "z_missing": 8,
    "z_out_of_range": 16,
    "duplicate_id": 32,
}


@cache
def wavelength() -> NDArray[np.float64]:
    """Central wavelength of each of the 186 pixels, shape (186,), in nm.

    Inferred, not published: pixels equidistant in Gaia's pseudo-wavelength whose ends match the
    published 366–996 nm; uncertain by ±10 nm at BP's end and ±6 nm at RP's start. Made by
    ``scripts/condense_inputs.py``.
    """
    path = files("redshift_core") / "resources" / "wavelength_nm.csv"
    grid = np.loadtxt(path.open(encoding="utf-8"), delimiter=",", skiprows=1, usecols=1)
    grid.setflags(write=False)
    return grid
