"""Spectra that are no galaxies, as Gaia would record them, to test the training range.

There are three kinds (SIMULATED): empty windows, which contain only background and noise; galaxies
whose pixels are in random order; and stars as black bodies, which are point sources and so are
blurred only by the line-spread function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FloatArray
from redshift_core.simulation import instrument, survey
from redshift_core.simulation.galaxies import Galaxies, Population, RedshiftLaw
from redshift_core.simulation.inputs import load_inputs
from redshift_core.simulation.observing import Telescope
from redshift_core.simulation.table import RP_CELLS, open_table

TEMPERATURE = (2500.0, 30_000.0)  # K, of the black bodies; log-uniform
SECOND_RADIATION = 1.438776877e7  # hc/k, nm K


def adversaries(kind: str, n: int, seed: int, cache: Path | None = None) -> NDArray[np.float32]:
    """Flux of ``n`` SIMULATED spectra of one of `KINDS`, shape (n, 186), e⁻ s⁻¹ per pixel.

    Parameters
    ----------
    kind : ``zero flux``, ``shuffled pixels`` or ``black bodies``
    cache : folder of the simulator's table; by default the store's
    """
    table, inputs = open_table(cache), load_inputs()
    rng = np.random.default_rng([seed, 0, 2])  # a random stream that no survey with this seed uses
    galaxies = Population(inputs, table).draw(rng, RedshiftLaw("published").draw(rng, n))
    return KINDS[kind](rng, Telescope(inputs, table), galaxies).round(survey.DECIMALS)


def zero_flux(
    rng: np.random.Generator, telescope: Telescope, galaxies: Galaxies
) -> NDArray[np.float32]:
    """Empty windows with background and noise."""
    return telescope.record(rng, np.zeros((len(galaxies.z), 2 * instrument.N_ELEMENTS), np.float32))


def shuffled_pixels(
    rng: np.random.Generator, telescope: Telescope, galaxies: Galaxies
) -> NDArray[np.float32]:
    """Galaxies whose pixels are shuffled, each in its own order."""
    return rng.permuted(telescope.observe(rng, galaxies), axis=1)


def black_bodies(
    rng: np.random.Generator, telescope: Telescope, galaxies: Galaxies
) -> NDArray[np.float32]:
    """Point sources of thermal light, as bright in RP as the galaxies."""
    temperature = np.exp(rng.uniform(*np.log(TEMPERATURE), len(galaxies.z)))
    window = point_source_window(temperature)
    window *= (galaxies.rp_flux / rp_flux(window))[:, None]
    return telescope.record(rng, window.astype(np.float32))


def rp_flux(window: FloatArray) -> FloatArray:
    """Electrons per second in the whole RP window, shape (n,), of windows (n, 240)."""
    return 0.5 * window[:, RP_CELLS].sum(axis=1)


def point_source_window(temperature: FloatArray) -> FloatArray:
    """Window elements of black bodies, shape (n, 240), per u, for temperatures (n,) in K.

    f_λ ∝ λ⁻⁵ / (exp(hc/λkT) − 1), in arbitrary units, without the Milky Way's dust.
    """
    parts = []
    for band, spread in _point_spread():
        nm = band.wavelength
        light = nm**-5.0 / np.expm1(SECOND_RADIATION / (nm * temperature[:, None]))
        parts.append((light * nm * band.gain * np.ptp(band.edges, axis=1)) @ spread)
    return np.concatenate(parts, axis=1)


@cache
def _point_spread() -> list[tuple[instrument.Band, NDArray[np.float32]]]:
    """Each band, and the matrix that spreads the light of a point source over the window."""
    inputs = load_inputs()
    point = np.zeros(2 * instrument.KERNEL_REACH + 1)
    point[instrument.KERNEL_REACH] = 1.0
    bands = [instrument.Band(inputs, name) for name in instrument.BANDS]
    return [(band, band.spread(point)) for band in bands]


KINDS: dict[str, Callable[..., NDArray[np.float32]]] = {
    "zero flux": zero_flux,
    "shuffled pixels": shuffled_pixels,
    "black bodies": black_bodies,
}
