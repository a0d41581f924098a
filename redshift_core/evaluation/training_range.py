"""Which spectra lie outside the range that a run was trained on.

A network answers every spectrum, also one unlike any galaxy it has seen. The training rows give a
distance from flux alone. A spectrum is divided by its mean, and said in a few numbers: its
strongest principal components, in units of the noise of each pixel; the log of what they leave; and
the brightness, because faint spectra are noisy and may look as they never do when bright. In that
space a Gaussian mixture finds the kinds of spectra there are, and the distance is that to the
nearest kind, measured by that kind's own scatter (Mahalanobis):

    d² = min_k [(x − μ_k)ᵀ Σ_k⁻¹ (x − μ_k) + ¼ (ln det Σ_k − the least of them)]

With 1 for ¼, and the kinds' shares, this would be the density of the training rows, and the rare
galaxies, which are the most distant, would lie outside; with 0 a kind as wide as the sky would hold
everything. For the rare ones' sake the kinds are also sought among rows spread over redshift.

Beside the kinds stand three `departures`, which look where the training spectra are empty: noise,
pixel grid and digits. Each is taken relative to what one in a hundred validation rows of its
brightness passes; the largest of the four is the distance, and its limit is again set by the
validation rows, of which one in a hundred is outside.

Measured on the SIMULATED survey, version 2 (40,000 training, 10,000 validation, 10,000 test rows;
``shift``: each band moved by a cubic spline, ``grid``: the simulator's own pixels moved): outside
are, in %,

    held-out galaxies 1.5, but at z 0.3–0.4 3.8, and at z 0.4–0.6 of a survey flat in z 7–12
    3 or 2 decimals 1.5, 1 decimal 73 · white noise of 1e-3 of the mean 2.5, 5e-3 54, 1e-2 99.8
    shift by half a pixel 66, one pixel 91–97, one place in the whole row 100 · grid by one 61–71
    calibration errors of 1 % 1.5, of 3 % 2.0 · noise + 30 % 4.3, + 60 % 9.9
    noise, sizes and brightness + 20 % 3.1, − 20 % 0.8 · the survey of version 1: 78
    (trained on version 1: version 2 95, one pixel 96–98, held-out galaxies 1.1)
    empty windows 96, shuffled pixels 100, black bodies 93 · three times as bright 20
    on a pedestal of 5 e⁻ s⁻¹ 97 · two galaxies added 1.2

A spectrum alone cannot tell a little more noise or another calibration; a file can: see `verdict`.
What no distance catches is whatever looks like a galaxy within the noise; nor is a redshift right
because its spectrum is inside.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import BIN_WIDTH, N_PIXELS, Z_MAX, Z_MIN, FloatArray
from redshift_core.data import open_dataset
from redshift_core.data.spectra import band_sums
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.evaluation.departures import departures, squares, whitening
from redshift_core.store import RunFolder, Store
from redshift_core.store.arrays import load_arrays, save_arrays

FLAGS = {  # what is said of one predicted redshift
    "bad_flux": "Flux missing, infinite, beyond float32 or zero throughout: no redshift is given.",
    "sentinel_flux": (
        "A flux is a number that stands for a missing value, such as 1e20 or −999: no redshift is "
        "given."
    ),
    "outside_training_range": (
        "Farther from the spectra the run was trained on than 99 % of its validation spectra, "
        "by shape, noise, pixel grid or brightness."
    ),
    "z_phot_out_of_range": (
        f"Predicted redshift outside {Z_MIN:g}–{Z_MAX:g}; the nearer end is given in its place."
    ),
    "multimodal": "p(z) has several separate modes, each with at least a tenth of the probability.",
    "pile_up": f"Redshift, or a fifth of its p(z), within 0.01 of an end of {Z_MIN:g}–{Z_MAX:g}.",
    "low_signal": "Mean flux below ten times the scatter of the pixels: a noisy spectrum.",
}
MEASURES = ("kind", "span", "shift", "rest")  # distance to the nearest kind, and `departures`
BLOCK = 1024  # spectra worked on at a time: 1.5 MB, which a processor's cache holds
N_FIT = 40_000  # training rows looked at, at most
N_LIMIT = 30_000  # validation rows that set the limit, at most
N_COMPONENTS = 12  # principal components, at most
ROWS_PER_COMPONENT = 20  # training rows that a component needs
N_KINDS = 30  # Gaussians of the mixture, at most
ROWS_PER_KIND = 500  # training rows that a Gaussian needs
VOLUME = 0.25  # weight of a kind's volume in the squared distance
LEAST_SCATTER = 1e-3  # variance added to each Gaussian, of that of all rows
FALSE_FLAGS = 0.01  # share of validation rows that lie outside
FEW = 100  # fewer validation rows than this cannot say where one in a hundred lies …
MARGIN = 1.2  # … so the farthest of them, times this, is the limit
LEAST_LIMIT = 5.4  # … or this: 99 % of a Gaussian in 14 numbers are nearer
BIN_ROWS = 400  # validation rows of a bin of brightness
USUAL = (0.5, 0.9)  # quantiles of the validation rows that `verdict` compares a file with
REST_HARMLESS = 5e-3  # of the mean flux, rms: what the bases cannot make and no network minds
TINY = 1e-6  # keeps what is left of one or of equal spectra from being zero


@dataclass(frozen=True)
class Coverage:
    """Range of the training spectra; fitted by `fit_coverage`."""

    floor: NDArray[np.float64]  # () smallest brightness a spectrum is divided by, e⁻ s⁻¹ per pixel
    centre: NDArray[np.float64]  # (186,) mean of the normalised spectra
    noise: NDArray[np.float64]  # (186,) scatter of what the components leave of them
    basis: NDArray[np.float64]  # (186, n_components) principal directions, orthonormal
    means: NDArray[np.float64]  # (n_kinds, n_components + 2) centres of the kinds
    whiten: NDArray[np.float64]  # (n_kinds, n_components + 2, same) Cholesky of inverse covariances
    volume: NDArray[np.float64]  # (n_kinds,) what each kind adds to the squared distance
    white: NDArray[np.float64]  # (186, 77) frees spectra of correlations, see `departures`
    moved: NDArray[np.float64]  # (186, 4) the same along displacements alone
    edges: NDArray[np.float64]  # (n_bins − 1,) of the bins of brightness, as in `_place`
    limits: NDArray[np.float64]  # (4, n_bins) 99 % of the validation rows of a bin are below
    usual: NDArray[np.float64]  # (4, n_bins, 2) half of them, and 90 %, in units of that
    limit: NDArray[np.float64]  # () departure from which on a spectrum is outside
    light: NDArray[np.float64]  # (3,) means of `light_of` over validation rows
    n_val: NDArray[np.int64]  # () how many validation rows those were; 0 of an earlier version

    def outside(self, flux: FloatArray) -> NDArray[np.bool_]:
        """Whether each spectrum lies outside, shape (n_sources,), from flux (n_sources, 186).

        Spectra with values that are not finite are outside.
        """
        return self.distance(flux) > 1

    def distance(self, flux: FloatArray) -> NDArray[np.float64]:
        """How far each spectrum is from the training spectra, shape (n_sources,); 1 is the limit.

        Infinite where a flux is not finite.
        """
        return self.departures(flux).max(axis=1)

    def departures(self, flux: FloatArray) -> NDArray[np.float64]:
        """The four parts of the distance, named by `MEASURES`, shape (n_sources, 4).

        Each is relative to its limit at the brightness of the spectrum. Infinite where a flux is
        not finite.
        """
        flux = _checked(flux)
        result = np.full((len(flux), len(MEASURES)), np.inf)
        for start in range(0, len(flux), BLOCK):
            values = np.asarray(flux[start : start + BLOCK], np.float64)
            with np.errstate(invalid="ignore"):
                level = values.mean(axis=1)
            good = slice(None)
            if not np.isfinite(level).all():
                good = np.isfinite(values).all(axis=1)
                values, level = values[good], level[good]
            raw = self._measured(values, level)
            result[start : start + BLOCK][good] = raw / self.limits.T[self.bins(level)] / self.limit
        return result

    def bins(self, level: FloatArray) -> NDArray[np.int64]:
        """Bin of brightness of each spectrum, shape (n_sources,), from its finite mean flux."""
        return np.searchsorted(self.edges, _brightness(level, self.floor))

    def light_of(self, bands: FloatArray) -> NDArray[np.float64]:
        """Logarithm of the brightness, and BP over RP, of spectra of finite flux, shape (3,).

        Sums over the spectra, so that those of blocks add: ln(mean flux), at least that of the
        faintest training spectra; flux in BP and in RP over the mean flux.

        Parameters
        ----------
        bands : array, shape (2, n_sources)
            Finite flux in BP and in RP.
        """
        level = bands.sum(axis=0) / N_PIXELS
        light = np.log(np.maximum(level, self.floor)).sum()
        return np.array([light, *(bands / _divisor(level, self.floor)).sum(axis=1)])

    def save(self, path: Path) -> None:
        """Write the fitted numbers as one ``.npz`` file."""
        save_arrays(path, {item.name: getattr(self, item.name) for item in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Coverage | None:
        """Read what `save` wrote; None where an earlier version wrote other numbers."""
        arrays = load_arrays(path)
        known = set(arrays) == {item.name for item in fields(cls)}
        return cls(**arrays) if known else None

    @classmethod
    def load_kinds(cls, path: Path) -> Coverage | None:
        """Read what versions before November 26, 2026 wrote: the kinds, and no departures.

        Its distance is that to the nearest kind alone, as those versions gave it, and ``n_val`` is
        0. None where the file holds other numbers still.
        """
        arrays = load_arrays(path)
        limits = np.full((len(MEASURES), 1), np.inf)
        limits[MEASURES.index("kind")] = 1.0
        lacking = {
            "white": np.zeros((N_PIXELS, 1)), "moved": np.zeros((N_PIXELS, 1)),
            "edges": np.empty(0), "limits": limits, "usual": np.full((*limits.shape, 2), np.inf),
            "light": np.zeros(3), "n_val": np.int64(0),
        }  # fmt: skip
        known = set(arrays) == {item.name for item in fields(cls)} - set(lacking)
        return cls(**arrays, **lacking) if known else None

    def _measured(self, flux: FloatArray, level: FloatArray) -> NDArray[np.float64]:
        """`MEASURES` as they are, shape (n, 4), of spectra and their means."""
        shape = _shape(flux, level, self.floor)
        others = departures(shape, self.centre, self.white, self.moved)
        shape -= self.centre
        shape /= self.noise
        place = _place(shape, _brightness(level, self.floor), self.basis)
        return np.column_stack([self._nearest(place), others])

    def _nearest(self, place: FloatArray) -> NDArray[np.float64]:
        best = np.full(len(place), np.inf)
        for mean, whiten, volume in zip(self.means, self.whiten, self.volume, strict=True):
            apart = place @ whiten
            apart -= mean @ whiten
            np.minimum(best, squares(apart) + volume, out=best)
        return np.sqrt(best)


def coverage_of(run: RunFolder) -> Coverage:
    """Range of a run's training rows, fitted again where an earlier version had fitted another.

    Without the dataset (an imported run) that one is taken as it is, see `Coverage.load_kinds`.

    Raises
    ------
    InputError
        Where neither can be done.
    """
    if (known := Coverage.load(run.coverage_path)) is not None:
        return known
    store = Store(run.path.parent.parent)
    folder = {one.id: one for one in store.datasets()}.get(run.config.dataset)
    if folder is None or not run.split_path.exists():
        if (earlier := Coverage.load_kinds(run.coverage_path)) is not None:
            return earlier
        raise InputError(
            f"Run {run.id} holds the training range as an earlier version described it, and its "
            f"dataset {run.config.dataset} is not in the store to fit it again; train the run "
            "again."
        )
    dataset, split = open_dataset(folder), Split.load(run.split_path)
    fitted = fit_coverage(dataset.flux, split.train, split.val, dataset.z_spec)
    fitted.save(run.coverage_path)
    return fitted


def fit_coverage(
    flux: FloatArray,
    rows: NDArray[np.integer],
    val_rows: NDArray[np.integer],
    z_spec: FloatArray | None = None,
) -> Coverage:
    """Range of the spectra in some rows.

    Parameters
    ----------
    flux : array, shape (n_sources, 186)
        Raw flux, memory-mapped or not; finite in ``rows`` and ``val_rows``.
    rows : array, shape (n_train,)
        Training rows. Of more than 40,000 a fixed part is looked at.
    val_rows : array, shape (n_val,)
        Rows that set the limit; of more than 30,000 a fixed, evenly spread part.
    z_spec : array, shape (n_sources,), optional
        Redshifts; with them the part of the training rows is spread over redshift.
    """
    if not len(rows) or not len(val_rows):
        raise InputError(
            f"There are {len(rows)} training and {len(val_rows)} validation rows; the range of "
            "the training spectra needs some of both."
        )
    spectra = np.asarray(_checked(flux)[_some(np.asarray(rows), z_spec)], np.float64)
    floor = max(float(np.quantile(np.abs(spectra.mean(axis=1)), 0.01)), TINY)
    level = spectra.mean(axis=1)
    shape = _shape(spectra, level, floor)
    centre, noise, basis = _components(shape)
    place = _place((shape - centre) / noise, _brightness(level, floor), basis)
    one = Coverage(
        np.float64(floor), centre, noise, basis, *_kinds(place), *whitening(shape, centre),
        edges=np.empty(0), limits=np.ones((len(MEASURES), 1)),
        usual=np.ones((len(MEASURES), 1, 2)), limit=np.float64(1.0), light=np.empty(0),
        n_val=np.int64(0),
    )  # fmt: skip
    val_rows = np.sort(val_rows)
    few = val_rows[np.linspace(0, len(val_rows) - 1, min(len(val_rows), N_LIMIT)).astype(np.int64)]
    return _limited(one, np.asarray(flux[few], np.float64))


def _limited(one: Coverage, flux: FloatArray) -> Coverage:
    """A range whose limits are those of some validation spectra (n, 186)."""
    level = flux.mean(axis=1)
    brightness = _brightness(level, one.floor)
    n_bins = max(len(flux) // BIN_ROWS, 1)
    edges = np.quantile(brightness, np.linspace(0, 1, n_bins + 1)[1:-1])
    one = replace(one, edges=edges, limits=np.ones((len(MEASURES), n_bins)))
    raw, bins = one.departures(flux), one.bins(level)
    inside = [raw[bins == number] for number in range(n_bins)]
    limits = np.array([[_limit(column) for column in rows.T] for rows in inside]).T
    limits[0] = _limit(raw[:, 0], LEAST_LIMIT)  # the kinds know brightness themselves
    limits[-1] = np.maximum(limits[-1], REST_HARMLESS)
    usual = np.array([np.quantile(rows, USUAL, axis=0).T for rows in inside])
    one = replace(
        one, limits=limits, usual=usual.transpose(1, 0, 2) / limits[:, :, None],
        light=one.light_of(band_sums(flux)) / len(flux), n_val=np.int64(len(flux)),
    )  # fmt: skip
    limit = _limit(one.distance(flux)) if len(flux) >= FEW else 1.0
    return replace(one, limit=np.float64(limit), usual=one.usual / limit)


def _some(rows: NDArray, z_spec: FloatArray | None) -> NDArray[np.int64]:
    """At most `N_FIT` of the rows, ascending; as many of each redshift as there are."""
    rows = np.sort(rows)
    if len(rows) <= N_FIT:
        return rows
    chance = np.ones(len(rows))
    if z_spec is not None:
        slot = np.clip(np.asarray(z_spec)[rows] / BIN_WIDTH, 0, Z_MAX / BIN_WIDTH).astype(int)
        chance = 1 / np.bincount(slot)[slot]
    random = np.random.default_rng(0)
    return np.sort(random.choice(rows, N_FIT, replace=False, p=chance / chance.sum()))


def _components(shape: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean (186,), noise (186,) and principal directions (186, n) of normalised spectra.

    The directions are those of the spectra divided by the noise; the noise is what as many
    directions of the undivided spectra leave.
    """
    n = int(np.clip(len(shape) // ROWS_PER_COMPONENT, 1, N_COMPONENTS))
    centre = shape.mean(axis=0)
    apart = shape - centre
    basis = _directions(apart, n)
    noise = np.sqrt(((apart - apart @ basis @ basis.T) ** 2).mean(axis=0) + TINY)
    return centre, noise, _directions(apart / noise, n)


def _directions(apart: FloatArray, n: int) -> FloatArray:
    return np.linalg.eigh(apart.T @ apart)[1][:, : -n - 1 : -1]


def _kinds(place: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Centres, whitening matrices and volumes of a Gaussian mixture."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    middle, scale = place.mean(axis=0), np.maximum(place.std(axis=0), TINY)
    place = (place - middle) / scale
    if len(place) == 1:
        place = np.repeat(place, 2, axis=0)
    mixture = GaussianMixture(
        int(np.clip(len(place) // ROWS_PER_KIND, 1, N_KINDS)),
        reg_covar=LEAST_SCATTER, tol=3e-3, max_iter=30, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():  # any of its states will do
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(place)
    whiten = mixture.precisions_cholesky_
    volume = -2 * np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1)  # ln det Σ
    means = mixture.means_ * scale + middle
    return means, whiten / scale[:, None], VOLUME * (volume - volume.min())


def _limit(distances: FloatArray, least: float = 0.0) -> float:
    if len(distances) < FEW:
        return max(MARGIN * float(distances.max()), least)
    return float(np.quantile(distances, 1 - FALSE_FLAGS))


def _place(apart: FloatArray, brightness: FloatArray, basis: FloatArray) -> NDArray[np.float64]:
    """Place of spectra where distances are measured, shape (n, n_components + 2).

    Parameters
    ----------
    apart : array, shape (n, 186)
        What sets their shapes apart from the average, in units of the noise of each pixel.
    brightness : array, shape (n,)
        As `_brightness` gives it.
    basis : array, shape (186, n_components)
        Principal directions.
    """
    components = apart @ basis
    left = (squares(apart) - squares(components)) / apart.shape[1]  # the basis is orthonormal
    return np.column_stack([components, np.log(np.maximum(left, 0) + TINY), brightness])


def _brightness(level: FloatArray, floor: float) -> NDArray[np.float64]:
    return np.arcsinh(level / floor)  # logarithm that knows zero and below


def _divisor(level: FloatArray, floor: float) -> NDArray[np.float64]:
    return np.maximum(np.abs(level), floor)


def _shape(flux: FloatArray, level: FloatArray, floor: float) -> NDArray[np.float64]:
    return flux / _divisor(level, floor)[:, None]


def _checked(flux: NDArray[np.floating]) -> NDArray[np.floating]:
    if np.ndim(flux) != 2 or flux.shape[1] != N_PIXELS:
        raise ValueError(f"flux has shape {np.shape(flux)}; it must be (n_sources, {N_PIXELS}).")
    return flux
