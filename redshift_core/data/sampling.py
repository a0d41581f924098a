"""A table of the pixels' wavelengths, such as ESA's, becomes the grid of the fluxes."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import BP_KEPT, N_BAND_FULL, N_BP, N_RP, RP_KEPT, FloatArray
from redshift_core.errors import InputError

KEPT = {"bp": BP_KEPT, "rp": RP_KEPT}
SIZES = {"bp": (N_BP, N_BAND_FULL), "rp": (N_RP, N_BAND_FULL)}
NM = (300.0, 1150.0)  # wavelengths of Gaia's bands, in nm
EXPECTED = (
    "expected a CSV with a column of wavelengths in nm, 80 or 120 of BP and then 106 or 120 of RP, "
    "each rising, as ESA publishes it"
)


def read_sampling(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and width of each of the 186 pixels in pseudo-wavelength u, shape (186,) each.

    Wavelengths become u by the dispersion of Gaia DR3. Edges of pixels lie halfway between the
    centres; the first and the last pixel are as wide as their only distance to a neighbour says.

    Raises
    ------
    InputError
        If the file holds no such table.
    """
    bands = _wavelengths(path)
    with (files("redshift_core") / "resources" / "xp_bases.npz").open("rb") as file:
        dispersion = np.load(file)["dispersion"]
    centres, widths = [], []
    for column, (band, nm) in enumerate(bands.items(), start=1):
        known = np.isfinite(dispersion[:, column])
        u = np.interp(nm, dispersion[known, 0], dispersion[known, column])
        step = np.abs(np.diff(u))
        width = np.convolve(np.r_[step[0], step, step[-1]], [0.5, 0.5], "valid")
        kept = KEPT[band] if len(nm) == N_BAND_FULL else slice(None)
        centres.append(u[kept])
        widths.append(width[kept])
    return np.concatenate(centres), np.concatenate(widths)


def _wavelengths(path: Path) -> dict[str, FloatArray]:
    """Wavelengths of each band, in nm, rising."""
    import pandas as pd

    try:
        table = pd.read_csv(path, comment="#", sep=None, engine="python")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {EXPECTED}.") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path.name} is no table ({error}); {EXPECTED}.") from None
    numbers = table.apply(pd.to_numeric, errors="coerce")
    fits = [name for name in numbers if numbers[name].between(*NM).all()]
    named = [name for name in fits if re.search(r"wave|lambda|nm", str(name).lower())]
    if not (named or fits):
        raise InputError(
            f"{path.name} has no column of wavelengths from 300 to 1150 nm; {EXPECTED}."
        )
    nm = numbers[(named or fits)[0]].to_numpy(float)
    turns = np.flatnonzero(np.diff(nm) <= 0) + 1
    parts = np.split(nm, turns)
    sizes = [len(part) for part in parts]
    if len(parts) != 2 or any(
        size not in SIZES[band] for band, size in zip(SIZES, sizes, strict=True)
    ):
        shown = " + ".join(map(str, sizes[:4]))
        raise InputError(f"{path.name} has {shown} rising wavelengths; {EXPECTED}.")
    return dict(zip(SIZES, parts, strict=True))
