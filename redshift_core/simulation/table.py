"""The precomputed grid that makes the simulation fast.

For every amount of dust, galaxy profile, redshift and component (five templates, three groups of
emission lines), it holds the 240 window elements. A survey then only needs look-ups and one small
matrix product. The grid is built once in a cache folder and memory-mapped afterwards.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from redshift_core.constants import SIMULATOR_VERSION, Z_MAX, FloatArray
from redshift_core.errors import InputError
from redshift_core.simulation import instrument, physics
from redshift_core.simulation.inputs import Inputs, load_inputs
from redshift_core.store import Store, part_of
from redshift_core.store.files import clear_left

VERSION = SIMULATOR_VERSION  # version of the table's content
DUST = np.linspace(-0.25, 0.5, 7)  # A_V of the galaxy's own dust, mag
SIZES = np.geomspace(0.12, 4.0, 14)  # half-light radius, ″
PROFILES = (1, 4)  # Sérsic index: late, early
Z_STEP = 0.004
Z_GRID = np.arange(round(Z_MAX / Z_STEP) + 1) * Z_STEP
N_COMPONENTS = 8  # five templates, three groups of lines
N_WINDOW = 2 * instrument.N_ELEMENTS
NEEDED_BYTES = 300_000_000  # free disk space needed: the 229 MB of the table and a reserve
FLUX_UNIT = 1e-17  # erg s⁻¹ cm⁻² Å⁻¹, unit of the templates
RP_CELLS = slice(instrument.N_ELEMENTS, None)


@dataclass(frozen=True)
class Table:
    """The precomputed grid.

    Attributes
    ----------
    window : array, shape (7 dust, 28 profiles, 151 z, 8 components, 240), e⁻ s⁻¹ per u, float32,
        memory-mapped; profile = size + 14 × (0 late, 1 early)
    rp_total : array, shape (7, 28, 151, 8), e⁻ s⁻¹ of the whole RP window
    """

    window: NDArray[np.float32]
    rp_total: NDArray[np.float64]


def open_table(folder: Path | None = None) -> Table:
    """Map the table of a cache folder (default: the store's); it is built if it is missing.

    The table takes 229 MB on disk; building it takes about 10 s on one core.
    """
    folder = Store().cache if folder is None else Path(folder)
    path = folder / f"simulation-table-v{VERSION}"
    if not (path / "window.npy").exists():
        _build(path)
    return _mapped(path.resolve())


@cache
def _mapped(path: Path) -> Table:
    return Table(
        window=np.load(path / "window.npy", mmap_mode="r", allow_pickle=False),
        rp_total=np.load(path / "rp_total.npy", allow_pickle=False),
    )


def _build(path: Path) -> None:
    """Write both files under temporary names and rename them, so that two builders do no harm."""
    clear_left(path.parent, path.name)
    part = part_of(path)
    part.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(part).free
    if free < NEEDED_BYTES:  # writing a mapped file to a full disk would kill the process
        shutil.rmtree(part)
        raise InputError(
            f"{path.parent} has {free / 1e6:.0f} MB free, and the simulator's table needs "
            f"{NEEDED_BYTES / 1e6:.0f}; free some space or set REDSHIFT_LAB_HOME to another disk."
        )
    try:
        shape = (len(DUST), len(SIZES) * len(PROFILES), len(Z_GRID), N_COMPONENTS, N_WINDOW)
        window = np.lib.format.open_memmap(
            part / "window.npy", mode="w+", dtype=np.float32, shape=shape
        )
        _fill(load_inputs(), window)
        window.flush()
        np.save(part / "rp_total.npy", 0.5 * window[..., RP_CELLS].sum(axis=-1, dtype=np.float64))
        del window
        os.replace(part, path)
    except OSError:
        if not (path / "window.npy").exists():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(inputs: Inputs, window: NDArray[np.float32]) -> None:
    """Fill the grid: light per fine cell, times the spreading matrix of each profile."""
    profiles = [light_profile(radius, index) for index in PROFILES for radius in SIZES]
    for number, name in enumerate(instrument.BANDS):
        band = instrument.Band(inputs, name)
        light = cell_light(inputs, band)  # (dust, z, component, cell)
        elements = slice(number * instrument.N_ELEMENTS, (number + 1) * instrument.N_ELEMENTS)
        for row, profile in enumerate(profiles):
            window[:, row, :, :, elements] = light @ band.spread(profile)


def light_profile(radius: float, index: int) -> FloatArray:
    """Share of a galaxy's light per fine cell along scan, shape (1281,); ``radius`` in ″."""
    reach, step = instrument.KERNEL_REACH, instrument.U_STEP * instrument.PIXEL_ARCSEC
    edges = (np.arange(-reach, reach + 2) - 0.5) * step
    return physics.sersic_strip(radius, index, edges, instrument.ACROSS_HALF_WIDTH)


def cell_light(inputs: Inputs, band: instrument.Band) -> NDArray[np.float32]:
    """Electrons per second in each fine cell, shape (7, 151, 8, n_cells).

    S = A T/(hc) ∫ f_λ λ dλ with f_λ(λ) = f(λ/(1 + z))/(1 + z); the integral over a cell is exact,
    so that no narrow line falls between two cells.
    """
    light = np.empty((len(DUST), len(Z_GRID), N_COMPONENTS, len(band.u)), dtype=np.float32)
    cumulated = _Cumulated(inputs)
    for row, z in enumerate(Z_GRID):
        rest = band.edges * 10 / (1 + z)  # Å
        inside = cumulated(rest[:, 1]) - cumulated(rest[:, 0])
        bare = FLUX_UNIT * (1 + z) * band.gain * inside
        attenuation = physics.calzetti_extinction(band.wavelength * 10 / (1 + z))
        light[:, row] = 10 ** (-0.4 * np.multiply.outer(DUST, attenuation))[:, None, :] * bare
    return light


class _Cumulated:
    """∫ f λ dλ from the blue end to a rest wavelength, for every component."""

    def __init__(self, inputs: Inputs):
        self.wavelength = inputs.template_wavelength
        steps = inputs.template_flux * self.wavelength * np.gradient(self.wavelength)
        self.templates = np.cumsum(steps, axis=1) - 0.5 * steps

    def __call__(self, rest: FloatArray) -> FloatArray:
        """Shape (8, n) at rest wavelengths, shape (n,), Å; lines for 1 Å on a continuum of 1."""
        result = np.zeros((N_COMPONENTS, len(rest)))
        for row, template in enumerate(self.templates):
            result[row] = np.interp(rest, self.wavelength, template)
        for row, lines in enumerate(physics.LINES.values(), start=len(self.templates)):
            for centre, share in lines:
                sigma = centre * physics.LINE_WIDTH / physics.C_KM_S
                below = np.clip((rest - centre) / sigma, -40, 40)
                result[row] += share * centre * ndtr(below)
        return result
