"""Draws galaxies at given redshifts: light, size, dust and lines of real SDSS galaxies.

Redshifts are drawn first and only once. An object that Gaia could not see is replaced by another
one at the same redshift, so the redshifts follow exactly the requested distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from redshift_core import reference
from redshift_core.constants import BIN_WIDTH, Z_MAX, Z_MIN, FloatArray
from redshift_core.simulation import physics
from redshift_core.simulation.inputs import Inputs
from redshift_core.simulation.table import DUST, PROFILES, SIZES, Z_GRID, Z_STEP, Table

IntArray = NDArray[np.integer]

RP_ZERO_POINT = 24.7479  # mag of 1 e⁻ s⁻¹ in RP (Gaia DR3, Vega)
RP_FAINTEST = 20.6  # mag; Gaia detects no fainter object
RP_BRIGHTEST = 14.7  # mag; brighter galaxies are resolved and have no spectrum here
MAX_DRAWS = 30  # draws of an object outside those limits, before it is scaled to them
REDSHIFT_TAIL = 12.0  # decrease of the density inside a slot above z = 0.4, per unit of z
NEIGHBOUR_Z = 0.012  # largest difference in z between an object and its library galaxy
MIN_NEIGHBOURS = 40  # if fewer library galaxies are that near, the nearest ones are used
MAX_MOVE = 4.0  # largest factor by which moving a galaxy nearer may brighten it
LUMINOUS_Z = (0.22, 0.34)  # z of library galaxies that represent all objects beyond z = 0.3
BLUE_START, BLUE_FULL = 0.35, 0.55  # the share of compact blue objects grows from 0 to 1
BLUE_COLOUR = 0.42  # rest g − r below which a library galaxy can be one
RED_COLOUR = 0.65  # rest g − r above which a galaxy has the early profile
WEIGHT_SCATTER = 0.25  # natural log of the template weights
MAGNITUDE_SCATTER = 0.25  # mag
SIZE_FACTOR = (  # factor on the half-light radius by z, from Gaia's selection of compact cores
    (0.0, 0.1, 0.2, 0.35, 0.45, 0.6),
    (0.64, 0.565, 0.52, 0.36, 0.165, 0.09),
)
SIZE_SCATTER = 0.35  # natural log
BLUE_SIZE = 0.12  # ″, median of the compact blue objects
BLUE_MAGNITUDE = 19.1  # RP, median of the compact blue objects
BLUE_MAGNITUDE_SCATTER = 0.5  # mag
BRIGHTENING = (  # mag by z: effect of the selection on a galaxy moved to that redshift
    (0.06, 0.15, 0.25, 0.35, 0.45, 0.6),
    (-0.66, -0.75, -0.86, -0.94, 0.03, 0.30),
)
EQUIVALENT_WIDTH = np.array([12.0, 14.0, 35.0])  # Å, extra emission of a blue galaxy per group
WIDTH_SCATTER = 0.6  # natural log, each group
ACTIVITY_SCATTER = 0.5  # natural log, all groups together
AGN_SHARE = 0.05
AGN_BOOST = np.array([1.5, 5.0, 2.5])  # factor on the widths (at least a blue galaxy's)
DUST_MEAN, DUST_SCATTER = 0.20, 0.2  # A_V in addition to that of the templates, mag
MILKY_WAY_MEAN, MILKY_WAY_MAX = 0.035, 0.12  # E(B−V), mag
RP_EXTINCTION = 1.85  # A(RP)/E(B−V), mag/mag


@dataclass
class Galaxies:
    """Properties of objects, one row each; ``take`` and ``put`` read and replace rows."""

    z: FloatArray  # (n,)
    components: FloatArray  # (n, 8): weights of the table's components
    dust: IntArray  # (n,): step of the table
    profile: IntArray  # (n,): step of the table
    milky_way: FloatArray  # (n,): E(B−V), mag
    rp_flux: FloatArray  # (n,): e⁻ s⁻¹ in the whole RP window
    blue: NDArray[np.bool_]  # (n,): compact blue object

    def take(self, rows: slice) -> Galaxies:
        """Galaxies of some rows."""
        return Galaxies(*(getattr(self, item.name)[rows] for item in fields(self)))

    def put(self, rows: IntArray, other: Galaxies) -> None:
        """Replace the galaxies of some rows."""
        for item in fields(self):
            getattr(self, item.name)[rows] = getattr(other, item.name)


class RedshiftLaw:
    """Distribution of the redshifts: ``published`` or ``flat``."""

    def __init__(self, name: str):
        self.edges, density = _published_density() if name == "published" else _flat_density()
        self.cumulated = np.concatenate([[0.0], np.cumsum(density * np.diff(self.edges))])
        self.cumulated /= self.cumulated[-1]

    def draw(
        self, rng: np.random.Generator, n: int, low: float = Z_MIN, high: float = Z_MAX
    ) -> FloatArray:
        """``n`` redshifts in [low, high], 7 decimals as in the published rows."""
        share = rng.uniform(*np.interp([low, high], self.edges, self.cumulated), n)
        return np.round(np.interp(share, self.cumulated, self.edges), 7)


def _flat_density() -> tuple[FloatArray, FloatArray]:
    return np.array([Z_MIN, Z_MAX]), np.ones(1)


def _published_density() -> tuple[FloatArray, FloatArray]:
    """Published histogram inside each 0.05-wide slot, slot totals as published."""
    histogram = reference.redshift_histogram()
    ends = np.append(histogram.z_low.to_numpy(), histogram.z_high.to_numpy()[-1])
    counts = histogram.relative_count.fillna(0).to_numpy()
    edges = np.linspace(Z_MIN, Z_MAX, 1201)
    centres = 0.5 * (edges[1:] + edges[:-1])
    density = np.interp(centres, 0.5 * (ends[1:] + ends[:-1]), counts)
    slot = np.minimum((centres / BIN_WIDTH).astype(int), 11)
    density = np.where(centres > 0.4, np.exp(-REDSHIFT_TAIL * centres), density)
    share = reference.table_3().percent.to_numpy()
    return edges, density * (share / np.bincount(slot, density))[slot]


class Population:
    """Draws galaxies at given redshifts."""

    def __init__(self, inputs: Inputs, table: Table):
        self.inputs = inputs
        self.table = table
        z = inputs.z
        self.luminous = np.flatnonzero((z > LUMINOUS_Z[0]) & (z < LUMINOUS_Z[1]))
        self.blue = np.flatnonzero(inputs.colour < BLUE_COLOUR)
        self.distance = physics.luminosity_distance(z)

    def draw(self, rng: np.random.Generator, z: FloatArray) -> Galaxies:
        """An object that Gaia sees at each redshift, shape (n,)."""
        galaxies = self._draw_once(rng, z)
        for _ in range(MAX_DRAWS):
            unseen = np.flatnonzero(_unseen(galaxies.rp_flux))
            if not len(unseen):
                return galaxies
            galaxies.put(unseen, self._draw_once(rng, z[unseen]))
        limits = _rp_flux(RP_FAINTEST), _rp_flux(RP_BRIGHTEST)
        scale = np.clip(galaxies.rp_flux, *limits) / galaxies.rp_flux
        galaxies.components *= scale[:, None]
        galaxies.rp_flux *= scale
        return galaxies

    def _draw_once(self, rng: np.random.Generator, z: FloatArray) -> Galaxies:
        n = len(z)
        blue = rng.random(n) < np.clip((z - BLUE_START) / (BLUE_FULL - BLUE_START), 0, 1)
        source = self._library_rows(rng, z, blue)
        weights = self.inputs.weights[source] * np.exp(
            WEIGHT_SCATTER * rng.standard_normal((n, self.inputs.weights.shape[1]))
        )
        dimming = self._dimming(rng, z, source)
        weights *= dimming[:, None]
        colour = self.inputs.colour[source]
        components = np.concatenate([weights, self._lines(rng, weights, colour)], axis=1)
        dust = _between(rng, DUST, DUST_MEAN + DUST_SCATTER * rng.standard_normal(n))
        milky_way = np.minimum(rng.exponential(MILKY_WAY_MEAN, n), MILKY_WAY_MAX)
        profile = self._profile(rng, z, source, dimming, blue)
        rp_flux = self._rp_flux(z, components, dust, profile)
        wanted = BLUE_MAGNITUDE + BLUE_MAGNITUDE_SCATTER * rng.standard_normal(n)
        scale = np.where(blue, _rp_flux(wanted) / rp_flux, 1.0)
        rp_flux *= 10 ** (-0.4 * RP_EXTINCTION * milky_way)
        return Galaxies(
            z, components * scale[:, None], dust, profile, milky_way, rp_flux * scale, blue
        )

    def _library_rows(
        self, rng: np.random.Generator, z: FloatArray, blue: NDArray[np.bool_]
    ) -> IntArray:
        """Library galaxy that represents each object, shape (n,)."""
        low = np.searchsorted(self.inputs.z, z - NEIGHBOUR_Z)
        high = np.searchsorted(self.inputs.z, z + NEIGHBOUR_Z)
        lacking = np.maximum(MIN_NEIGHBOURS - (high - low), 0)
        low = np.clip(low - lacking // 2, 0, len(self.inputs.z) - MIN_NEIGHBOURS)
        high = np.maximum(high, low + MIN_NEIGHBOURS)
        pick = rng.random(len(z))
        near = low + (pick * (high - low)).astype(int)
        luminous = self.luminous[(pick * len(self.luminous)).astype(int)]
        compact = self.blue[(pick * len(self.blue)).astype(int)]
        return np.where(blue, compact, np.where(z > LUMINOUS_Z[1], luminous, near))

    def _dimming(self, rng: np.random.Generator, z: FloatArray, source: IntArray) -> FloatArray:
        """Brightness relative to that of the library galaxy, shape (n,)."""
        moved = (self.distance[source] / physics.luminosity_distance(np.maximum(z, 1e-4))) ** 2
        magnitude = MAGNITUDE_SCATTER * rng.standard_normal(len(z))
        magnitude += np.interp(z, *BRIGHTENING)
        return np.minimum(moved, MAX_MOVE) * 10 ** (0.4 * magnitude)

    def _lines(
        self, rng: np.random.Generator, weights: FloatArray, colour: FloatArray
    ) -> FloatArray:
        """Flux of the three groups of emission lines, shape (n, 3)."""
        n = len(weights)
        blueness = np.clip((0.85 - colour) / 0.45, 0.02, 1.5)
        agn = rng.random(n) < AGN_SHARE
        activity = np.where(agn, np.maximum(blueness, 1.0), blueness)
        activity = activity * np.exp(ACTIVITY_SCATTER * rng.standard_normal(n))
        width = EQUIVALENT_WIDTH * activity[:, None]
        width *= np.exp(WIDTH_SCATTER * rng.standard_normal((n, 3)))
        width[agn] *= AGN_BOOST
        return width * (weights @ self.inputs.line_continuum)

    def _profile(
        self,
        rng: np.random.Generator,
        z: FloatArray,
        source: IntArray,
        dimming: FloatArray,
        blue: NDArray[np.bool_],
    ) -> IntArray:
        """Step of the table's size and profile axis, shape (n,)."""
        n = len(z)
        luminosity = dimming * (physics.luminosity_distance(z) / self.distance[source]) ** 2
        magnitude = self.inputs.magnitude_r[source] - 2.5 * np.log10(np.maximum(luminosity, 1e-6))
        early = (self.inputs.colour[source] > RED_COLOUR) & ~blue
        kpc = physics.half_light_radius(magnitude, early) * np.interp(z, *SIZE_FACTOR)
        angular_distance = physics.luminosity_distance(np.maximum(z, 1e-3)) / (1 + z) ** 2
        arcsec = np.where(blue, BLUE_SIZE, kpc / (angular_distance * physics.KPC_PER_ARCSEC))
        arcsec = arcsec * np.exp(SIZE_SCATTER * rng.standard_normal(n))
        step = _between(rng, np.log(SIZES), np.log(arcsec))
        return step + len(SIZES) * np.where(early, PROFILES.index(4), PROFILES.index(1))

    def _rp_flux(
        self, z: FloatArray, components: FloatArray, dust: IntArray, profile: IntArray
    ) -> FloatArray:
        """Electrons per second in the RP window without the Milky Way's dust, shape (n,)."""
        step, part = redshift_step(z)
        total = self.table.rp_total
        per_weight = (1 - part)[:, None] * total[dust, profile, step]
        per_weight += part[:, None] * total[dust, profile, step + 1]
        return (per_weight * components).sum(axis=1)


def redshift_step(z: FloatArray) -> tuple[IntArray, FloatArray]:
    """Table step below each redshift, and the fraction of the way to the next, both (n,)."""
    step = np.minimum((z / Z_STEP).astype(np.int64), len(Z_GRID) - 2)
    return step, z / Z_STEP - step


def _between(rng: np.random.Generator, grid: FloatArray, values: FloatArray) -> IntArray:
    """Random step of an even grid beside each value; nearer is likelier, so averages hold."""
    place = (values - grid[0]) / (grid[1] - grid[0]) + rng.random(len(values))
    return np.clip(np.floor(place).astype(np.int64), 0, len(grid) - 1)


def _rp_flux(magnitude: FloatArray) -> FloatArray:
    return 10 ** (0.4 * (RP_ZERO_POINT - magnitude))


def _unseen(rp_flux: FloatArray) -> NDArray[np.bool_]:
    return (rp_flux < _rp_flux(RP_FAINTEST)) | (rp_flux > _rp_flux(RP_BRIGHTEST))
