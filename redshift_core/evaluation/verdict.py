"""Whether a file as a whole is the kind of data that a run was trained on.

One spectrum with a little more noise than usual says nothing; a thousand of them do. So the
distances of a file's spectra (`MEASURES`) are compared with those of validation rows of
the same brightness: of a file of the same survey half lie above their median, and a tenth above
their 90 % quantile. The verdict looks at these two shares, so fainter or redder galaxies than in
training are no other data, while another noise, pixel grid, line spread or calibration is.

Measured on SIMULATED surveys, with a range of 40,000 training and 10,000 validation rows: files of
8,000–10,000 spectra are called unlike with half a pixel of shift, noise 20 % larger or smaller,
calibration errors of 3 %, white noise from 2e-3 of the mean flux on, and where they come from the
survey of version 1. Not called are white noise of 1e-3, two decimals, and galaxies of one range of
redshift, brightness or colour; the bluest 5 % are. Of noise 30 % larger 300 spectra are enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS, FloatArray, counted
from redshift_core.data.spectra import band_sums
from redshift_core.evaluation.spread import Spread
from redshift_core.evaluation.training_range import FALSE_FLAGS, MEASURES, USUAL, Coverage

BLOCK = 4096  # spectra looked at at a time
FEWEST = 20  # fewer spectra cannot tell
SIGMAS = 4.5  # a share must leave what is usual by so many standard errors, and by what follows:
MUCH_OUTSIDE = 0.20  # share outside that no selection of galaxies has
NOISIER = 0.175  # share above the 90 % quantile of "span"
QUIETER = 0.40  # share above its median, and fewer
DISPLACED = 0.40  # share above the 90 % quantile of "shift"; white noise of 1e-3 gives 0.21
ODD_KINDS = 0.25  # share above the 90 % quantile of "kind" …
LIKE_BRIGHTNESS = (0.5, 2.0)  # … of a file about as bright as the training spectra
LIKE_COLOUR = (0.85, 1.15)  # … and of their colour: rare galaxies are far from every kind
MOSTLY = 0.5  # share above the 90 % quantile of "rest" from which on it is what stands out
NOTABLE_BRIGHTNESS = 0.15  # a ratio farther from 1 is said
NOTABLE_COLOUR = 0.05
DARK = 1e-30  # light in RP of spectra that have none there: JSON has no infinity


@dataclass(frozen=True)
class Verdict:
    """What a file of spectra is beside the training spectra of a run."""

    n: int  # spectra with usable flux
    share_outside: float | None  # of them outside the training range; about 0.01 is usual
    brightness: float | None  # typical (geometric) mean flux over that of the training set
    colour: float | None  # BP flux over RP flux, over the same of the training set; below 1 redder
    shares: dict[str, list[float]]  # measure → shares above the median and the 90 % quantile
    unlike: bool  # another survey, noise, calibration or pixel grid; False where unknown
    text: str  # all this in one to three sentences

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Tally:
    """Counts what a verdict needs, block by block, in bounded memory."""

    def __init__(self, coverage: Coverage):
        self.coverage = coverage
        self.n, self.n_outside = 0, 0
        self.above = np.zeros((len(MEASURES), len(USUAL)))
        self.light, self.spread = np.zeros(3), Spread()

    def add(self, flux: FloatArray, departures: FloatArray | None = None) -> None:
        """Count some spectra (n, 186); those without usable flux are left out.

        Parameters
        ----------
        departures : array, shape (n, 4), optional
            What `Coverage.departures` says of them, where it is known already.
        """
        apart = self.coverage.departures(flux) if departures is None else departures
        good = np.isfinite(apart).all(axis=1) & flux.any(axis=1)  # infinite where the flux is not
        bands, apart = band_sums(flux)[:, good], np.asarray(apart)[good]
        usual = self.coverage.usual[:, self.coverage.bins(bands.sum(axis=0) / N_PIXELS)]
        self.n += len(apart)
        self.n_outside += int((apart.max(axis=1) > 1).sum())
        self.above += (apart.T[:, :, None] > usual).sum(axis=1)  # usual is (4, n, 2)
        self.light += self.coverage.light_of(bands)
        self.spread.add(bands, apart.max(axis=1))

    def merge(self, other: Tally) -> None:
        """Add what another one has counted of further spectra."""
        self.n += other.n
        self.n_outside += other.n_outside
        self.above += other.above
        self.light += other.light
        self.spread.counts += other.spread.counts

    def counts(self) -> dict[str, Any]:
        """What the verdict rests on, for JSON; `add_counts` adds it to another tally."""
        above, light = self.above.tolist(), self.light.tolist()
        return {"n": self.n, "n_outside": self.n_outside, "above": above, "light": light}

    def add_counts(self, counts: Mapping[str, Any]) -> None:
        """Count the spectra that another tally of the same run has counted."""
        self.n += counts["n"]
        self.n_outside += counts["n_outside"]
        self.above += counts["above"]
        self.light += counts["light"]

    def verdict(self) -> Verdict:
        """What the spectra counted so far are."""
        if not self.n:
            return Verdict(0, None, None, None, {}, False, "No spectrum has usable flux.")
        outside, shares = self.n_outside / self.n, self.above / self.n
        if not self.coverage.n_val:
            return Verdict(self.n, outside, None, None, {}, False, _earlier_text(self.n, outside))
        training = self.coverage.light
        mean = self.light / self.n
        brightness = float(np.exp(mean[0] - training[0]))
        red = mean[2] or DARK
        colour = float((mean[1] / red) / (training[1] / training[2]))
        reasons = [] if self.n < FEWEST else self._reasons(outside, shares, brightness, colour)
        return Verdict(
            self.n, outside, brightness, colour,
            {name: share.tolist() for name, share in zip(MEASURES, shares, strict=True)},
            bool(reasons), _text(self.n, outside, brightness, colour, reasons),
        )  # fmt: skip

    def _reasons(
        self, outside: float, shares: NDArray[np.float64], brightness: float, colour: float
    ) -> list[str]:
        """What sets the file apart; nothing for data of the same kind."""
        half, most = (dict(zip(MEASURES, column, strict=True)) for column in shares.T)
        reasons = []
        displaced = most["shift"] > self._bound(1 - USUAL[1], DISPLACED)
        if displaced and most["rest"] > MOSTLY:
            reasons.append(
                "they hold what no mean spectrum of Gaia can contain, such as noise or rounding of "
                "single pixels, or pixels in other places"
            )
        elif displaced:
            reasons.append(
                "edges and lines lie at other pixels (another pixel grid or line spread)"
            )
        if most["span"] > self._bound(1 - USUAL[1], NOISIER):
            reasons.append("they are noisier than training spectra of their brightness")
        if half["span"] < -self._bound(-USUAL[0], -QUIETER):
            reasons.append("they are less noisy than training spectra of their brightness")
        like = _between(brightness, LIKE_BRIGHTNESS) and _between(colour, LIKE_COLOUR)
        if like and most["kind"] > self._bound(1 - USUAL[1], ODD_KINDS):
            reasons.append("their smooth shapes differ (another calibration or other objects)")
        if not reasons and outside > self._bound(FALSE_FLAGS, MUCH_OUTSIDE):
            reasons.append("too many are unlike any galaxy of the training set")
        return reasons

    def _bound(self, usual: float, least: float) -> float:
        """Share from which on a file departs: ``least``, or more where it holds few spectra."""
        spread = abs(usual) * (1 - abs(usual)) * (1 / self.n + 1 / int(self.coverage.n_val))
        return max(least, usual + SIGMAS * float(np.sqrt(spread)))


def verdict(coverage: Coverage, flux: FloatArray, departures: FloatArray | None = None) -> Verdict:
    """Whether spectra as a whole are the kind of data that a run was trained on.

    Parameters
    ----------
    coverage : Coverage
        Range of the run's training spectra.
    flux : array, shape (n_sources, 186)
        Raw flux, e⁻ s⁻¹ per pixel.
    departures : array, shape (n_sources, 4), optional
        What ``coverage.departures(flux)`` says, where it is known already.
    """
    tally = Tally(coverage)
    for start in range(0, len(flux), BLOCK):
        here = slice(start, start + BLOCK)
        tally.add(flux[here], None if departures is None else departures[here])
    return tally.verdict()


def _between(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


def _earlier_text(n: int, outside: float) -> str:
    return (
        "Whether this file as a whole is the kind of data the run was trained on cannot be told: "
        "an earlier version described the run's training range, by shape and brightness alone. "
        f"{_outside_text(n, outside)}."
    )


def _outside_text(n: int, outside: float) -> str:
    return (
        f"{outside:.1%} of {counted(n, 'spectrum')} lie{'s' * (n == 1)} outside the training range "
        f"({FALSE_FLAGS:.0%} would be usual)"
    )


def _text(n: int, outside: float, brightness: float, colour: float, reasons: Sequence[str]) -> str:
    share = _outside_text(n, outside)
    if n < FEWEST:
        return (
            f"{counted(n, 'spectrum')} {'is' if n == 1 else 'are'} too few to tell whether this "
            f"file is the kind of data the run was trained on; at least {FEWEST} are needed."
        )
    light = _light_text(brightness, colour)
    if not reasons:
        return (
            f"As a whole, these spectra are the kind of data the run was trained on: "
            f"{share}.{light}"
        )
    return (
        "As a whole, these spectra are another kind of data than the run was trained on: "
        f"{', and '.join(reasons)}. {share}.{light} Errors and intervals measured on "
        "the run's test rows do not hold for them."
    )


def _light_text(brightness: float, colour: float) -> str:
    differences = []
    if abs(brightness - 1) > NOTABLE_BRIGHTNESS:
        word = "brighter" if brightness > 1 else "fainter"
        differences.append(
            f"{word} than the training spectra, typically {brightness:.2f} times as bright"
        )
    if abs(colour - 1) > NOTABLE_COLOUR:
        word = "bluer" if colour > 1 else "redder"
        differences.append(f"{word}, with {colour:.2f} times their ratio of BP to RP flux")
    return f" They are {' and '.join(differences)}." if differences else ""
