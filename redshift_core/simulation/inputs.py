"""Measured inputs of the simulated survey, condensed into one small file of the package.

``scripts/condense_inputs.py`` makes it from gaiaxpy 2.1.5 and kcorrect 5.1.9 (BSD-3-Clause,
licences in ``resources/licenses``): Gaia's dispersion, response and line spread; five galaxy
templates; the template weights of about 9,900 real SDSS galaxies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np

from redshift_core.constants import FloatArray

FILE_NAME = "simulation_inputs.npz"


@dataclass(frozen=True)
class Inputs:
    """Arrays of the condensed file."""

    dispersion: FloatArray  # (n, 3): wavelength nm, pseudo-wavelength in BP and in RP (NaN outside)
    bp_response: FloatArray  # (n, 2): wavelength nm, electrons per photon
    rp_response: FloatArray  # (n, 2)
    line_spread_u: FloatArray  # (11,): pseudo-wavelengths at which the next array is known
    line_spread_offset: FloatArray  # (2 bands, 11): u at which light lands minus its nominal u
    template_wavelength: FloatArray  # (n,), Å, rest frame
    template_flux: FloatArray  # (5, n), 1e-17 erg s⁻¹ cm⁻² Å⁻¹ for weight 1
    line_continuum: FloatArray  # (5, 3): template flux around each group of lines
    z: FloatArray  # (n_library,), increasing
    weights: FloatArray  # (n_library, 5): template weights at the observed brightness
    magnitude_r: FloatArray  # (n_library,): absolute, rest frame, AB
    colour: FloatArray  # (n_library,): rest-frame g − r, AB


@cache
def load_inputs() -> Inputs:
    """Read the condensed file; the arrays are read-only."""
    packed = files("redshift_core") / "resources" / FILE_NAME
    with as_file(packed) as path, np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in Inputs.__dataclass_fields__}
    for array in arrays.values():
        array.setflags(write=False)
    return Inputs(**arrays)
