"""Physics of the simulated survey: distances, dust, emission lines, sizes, galaxy light.

All are pure functions of numbers and arrays, each with its source. Wavelengths are in nm in the
observer's frame and in Å in the galaxy's frame, as is usual in the literature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from redshift_core.constants import FloatArray

H0 = 70.0  # Hubble constant, km s⁻¹ Mpc⁻¹
OMEGA_M = 0.3  # matter density of a flat universe
C_KM_S = 299_792.458  # speed of light, km s⁻¹
KPC_PER_ARCSEC = 1e3 * np.pi / 180 / 3600  # kpc subtended by 1″ at 1 Mpc

LINES = {  # group → rest wavelength (Å, in air) and share of the group's flux, typical of spirals
    "OII": ((3727.4, 1.0),),
    "Hb+OIII": ((4861.3, 0.38), (4958.9, 0.155), (5006.8, 0.465)),
    "Ha+NII+SII": (
        (6562.8, 0.60),
        (6548.1, 0.065),
        (6583.4, 0.195),
        (6716.4, 0.08),
        (6730.8, 0.06),
    ),
}
LINE_WIDTH = 150.0  # km s⁻¹, far below Gaia's resolution
CONTINUUM = {  # group → rest window (Å) around its lines whose median is their continuum
    "OII": (3640.0, 3820.0),
    "Hb+OIII": (4800.0, 5080.0),
    "Ha+NII+SII": (6450.0, 6800.0),
}


def luminosity_distance(z: FloatArray) -> FloatArray:
    """Luminosity distance of a flat universe, (1 + z) c/H0 ∫ dz/E(z), same shape as ``z``, Mpc."""
    grid = np.linspace(0.0, 1.0, 2001)
    inverse_e = 1.0 / np.sqrt(OMEGA_M * (1 + grid) ** 3 + 1 - OMEGA_M)
    steps = 0.5 * (inverse_e[1:] + inverse_e[:-1]) * np.diff(grid)
    comoving = C_KM_S / H0 * np.concatenate([[0.0], np.cumsum(steps)])
    return (1 + np.asarray(z)) * np.interp(z, grid, comoving)


def milky_way_extinction(wavelength: FloatArray) -> FloatArray:
    """A(λ)/E(B−V) of the Milky Way for R = 3.1, same shape as ``wavelength`` (nm), mag/mag.

    References
    ----------
    Cardelli, Clayton & Mathis 1989, ApJ 345, 245, equations 2 and 3 (0.3 to 3.3 µm⁻¹).
    """
    x = np.clip(1e3 / np.asarray(wavelength, dtype=float), 0.3, 3.3)
    y = x - 1.82
    a = np.polyval(
        [0.32999, -0.77530, 0.01979, 0.72085, -0.02427, -0.50447, 0.17699, 1.0],
        y,
    )
    b = np.polyval(
        [-2.09002, 5.30260, -0.62251, -5.38434, 1.07233, 2.28305, 1.41338, 0.0],
        y,
    )
    infrared = x < 1.1
    a = np.where(infrared, 0.574 * x**1.61, a)
    b = np.where(infrared, -0.527 * x**1.61, b)
    return 3.1 * a + b


def calzetti_extinction(wavelength: FloatArray) -> FloatArray:
    """A(λ)/A_V of starburst dust in the galaxy's frame, same shape as ``wavelength`` (Å).

    References
    ----------
    Calzetti et al. 2000, ApJ 533, 682, equation 4, R = 4.05.
    """
    micron = np.clip(np.asarray(wavelength, dtype=float) * 1e-4, 0.12, 2.2)
    red = 2.659 * (-1.857 + 1.040 / micron) + 4.05
    blue = 2.659 * (-2.156 + 1.509 / micron - 0.198 / micron**2 + 0.011 / micron**3) + 4.05
    return np.where(micron < 0.63, blue, red) / 4.05


def half_light_radius(magnitude_r: FloatArray, early: NDArray[np.bool_]) -> FloatArray:
    """Median half-light radius for an absolute r magnitude, shape (n,), kpc.

    References
    ----------
    Shen et al. 2003, MNRAS 343, 978, equations 14 and 15 with the r-band values of their Table 1.
    """
    late = -1.71 - 0.4 * 0.26 * magnitude_r
    late += (0.51 - 0.26) * np.log10(1 + 10 ** (-0.4 * (magnitude_r + 20.91)))
    return 10 ** np.where(early, -0.4 * 0.65 * magnitude_r - 5.06, late)


def sersic_strip(radius: float, index: int, edges: FloatArray, half_width: float) -> FloatArray:
    """Share of a galaxy's light per cell along a strip across it.

    I(r) ∝ exp(−b (r/R)^(1/n)) integrated over |y| < ``half_width`` and over each cell of x; light
    outside the strip or the cells is lost, so the sum is below 1.

    Parameters
    ----------
    radius : half-light radius R, in the unit of ``edges``
    index : Sérsic index n
    edges : array, shape (n_cells + 1,), increasing
    half_width : half the strip's width, same unit

    Returns
    -------
    array, shape (n_cells,)
    """
    b = gammaincinv(2 * index, 0.5)
    # In r, the profile has a cusp that an even grid would miss; in t = (r/R)^(1/n) it is smooth.
    t = (np.arange(4000) + 0.5) / 4000 * (40.0 / b)
    light = np.exp(-b * t) * t ** (2 * index - 1)
    light /= light.sum()
    r = radius * t**index
    angle = (np.arange(64) + 0.5) / 64 * (np.pi / 2)  # one quadrant; the others are mirror images
    x = np.outer(r, np.cos(angle)).ravel()
    inside = np.outer(r, np.sin(angle)).ravel() < half_width
    weight = np.repeat(light / angle.size, angle.size)[inside]
    right = np.histogram(x[inside], edges, weights=weight)[0]
    left = np.histogram(-x[inside], edges, weights=weight)[0]
    return 0.5 * (right + left)
