"""The information limit of the SIMULATED survey, by Bayes' rule instead of a network.

    python -m scripts.study_bayes_limit --n 500 --draws 100000 --file limit.json
    python -m scripts.study_bayes_limit --file limit.json --run RUN     quotes runs against it

The survey's own population is drawn; a draw's likelihood given the spectrum of a test galaxy is
that of the survey's own noise; the posterior of z is the draws' redshifts, weighted by it. No
method can have a smaller MAE than the median of the exact posterior. See docs/limit.md for what is
approximate here. Holds about 0.7 GB for 100,000 draws; one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.linalg import solve_triangular
from scipy.stats import kstest
from threadpoolctl import threadpool_limits

from redshift_core.constants import N_BP, N_PIXELS
from redshift_core.data import bases
from redshift_core.simulation import galaxies as population
from redshift_core.simulation import observing, survey
from redshift_core.simulation.inputs import load_inputs
from redshift_core.simulation.table import open_table
from redshift_core.store import Store

SEED = 770_001  # of the test galaxies; the draws have the next
KERNEL = 0.6  # part of each scatter (as σ) that is integrated analytically around a draw
N_NODES = 5  # noise amplitudes, equally likely
N_FIRST = 20_000  # draws among which those are first looked for
N_NEAR = 50  # best draws whose mean stands for the galaxy in its covariance
FAR = 18.0  # draws this much below the best in ln likelihood are left out
BOOTSTRAP = 2_000
SCATTERS = ("WEIGHT_SCATTER", "MAGNITUDE_SCATTER", "WIDTH_SCATTER")  # the rest of each is drawn
PER_MAG = 0.4 * np.log(10)


class Survey:
    """Draws of the population, and the survey's noise, in the 77 dimensions of a mean spectrum."""

    def __init__(self, n: int, seed: int):
        vectors = np.linalg.eigh(bases.projection())[1]
        self.span = vectors[:, -round(np.trace(bases.projection())) :]  # (186, 77)
        self.telescope = observing.Telescope(load_inputs(), open_table())
        self.to_span = self.telescope.to_pixels @ self.span  # (240, 77)
        rest = np.sqrt(1 - KERNEL**2)
        reduced = {name: rest * getattr(population, name) for name in SCATTERS}
        with mock.patch.multiple(population, **reduced):
            self.blocks = survey.galaxies(n, seed)
        self.z = np.concatenate([block.z for block in self.blocks])[:n]
        parts = [self._parts(block) for block in self.blocks]
        self.parts = np.concatenate(parts)[:n]  # (n, 8, 77)
        self.spectra = self.parts.sum(axis=1)  # (n, 77)
        width = [population.WEIGHT_SCATTER] * 5 + [population.WIDTH_SCATTER] * 3
        self.kernel = np.float32(KERNEL * np.array(width))  # ln, of each component
        self.amplitude = np.float32(KERNEL * PER_MAG * population.MAGNITUDE_SCATTER)  # ln
        self.backgrounds = self._backgrounds()
        self.amplitudes = amplitudes()
        self.noise = observing.noise_colour() @ self.to_span  # (240, 77)

    def _parts(self, block: population.Galaxies) -> np.ndarray:
        """Noiseless spectrum of each component of each galaxy, shape (n, 8, 77)."""
        found = []
        for number in range(block.components.shape[1]):
            only = np.zeros_like(block.components)
            only[:, number] = block.components[:, number]
            one = dataclasses.replace(block, components=only)
            found.append(self.telescope.window(one) @ self.to_span.astype(np.float32))
        return np.stack(found, axis=1)

    def _backgrounds(self) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """Without and with a neighbour: probability, mean (77,), columns of covariance (77, k)."""
        bands = np.kron(np.eye(2), np.ones(len(self.to_span) // 2)) @ self.to_span  # (2, 77)
        slope = self.telescope.band_x @ self.to_span
        level = observing.NEIGHBOUR_FLUX * np.exp(0.7**2 / 2)
        square = observing.NEIGHBOUR_FLUX**2 * np.exp(2 * 0.7**2)
        mean = level * np.exp(0.3**2 / 2)
        covariance = square * np.exp(0.3**2) * np.ones((2, 2)) - mean**2
        covariance += square * (np.exp(2 * 0.3**2) - np.exp(0.3**2)) * np.eye(2)
        covariance += observing.BACKGROUND**2 * np.eye(2)
        tilt = np.sqrt(square * 0.8**2 / 3) * slope
        neighbour = np.column_stack([bands.T @ np.linalg.cholesky(covariance), tilt])
        share = observing.NEIGHBOUR_SHARE
        return [
            (1 - share, np.zeros(bands.shape[1]), observing.BACKGROUND * bands.T),
            (share, mean * bands.sum(axis=0), neighbour),
        ]

    def near(self, rows: np.ndarray, total: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean window (240,) and flux (186,) of some draws, scaled to a total flux."""
        window = np.zeros(len(self.to_span))
        for number, row in zip(*np.divmod(rows, survey.CHUNK), strict=True):
            window += self.telescope.window(self.blocks[number].take(slice(row, row + 1)))[0]
        flux = window @ self.telescope.to_pixels
        scale = max(total / flux.sum(), 1e-6)
        return window * scale, flux * scale

    def covariances(self, window: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Noise of typical amplitude, and calibration with rounding, both (77, 77)."""
        light = np.maximum(window, 0)
        electrons = (light + observing.SKY) * observing.EXPOSURE + observing.READ_NOISE**2
        factor = observing.HALF_PIXEL * observing.NOISE_FACTOR / observing.EXPOSURE**2
        variance = electrons * factor / observing.TRANSITS[1]
        variance += (observing.RELATIVE_NOISE * light) ** 2
        smooth = self.telescope.smooth * flux
        step = observing.BAND_STEP * flux * (np.arange(N_PIXELS) < N_BP)
        columns = np.vstack([smooth, step]) @ self.span
        rounding = 10.0 ** (-2 * survey.DECIMALS) / 12 * np.eye(self.span.shape[1])
        return (self.noise.T * variance) @ self.noise, columns.T @ columns + rounding

    def rank(self, spectra: np.ndarray, y: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """χ² of draws with their amplitudes fitted under the prior, shape (n,)."""
        white = _whitening(covariance)
        spectra = spectra @ white
        rest = (y @ white).astype(np.float32) - spectra
        product, square, chi2 = (
            np.einsum("ij,ij->i", *two)
            for two in ((rest, spectra), (spectra, spectra), (rest, rest))
        )
        return chi2 - product**2 / (square + 1 / self.amplitude**2)


def amplitudes(n: int = 20_000) -> np.ndarray:
    """Equally likely factors of the noise's variance, the largest first: transits and scatter."""
    random = np.random.default_rng(0)
    shape, mean, fewest, most = observing.TRANSITS
    transits = np.clip(random.gamma(shape, mean / shape, n), fewest, most)
    scatter = np.exp(2 * observing.NOISE_SCATTER * random.standard_normal(n))
    factors = scatter * mean / transits
    return np.quantile(factors, (np.arange(N_NODES)[::-1] + 0.5) / N_NODES)


def posterior(known: Survey, flux: np.ndarray, n_kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws that may be the galaxy, and the logarithm of their likelihood, both (m,)."""
    y, total = flux @ known.span, float(flux.sum())
    some = known.spectra[:N_FIRST]
    rows = np.argpartition(np.abs(some - y.astype(np.float32)).sum(axis=1), N_NEAR)[:N_NEAR]
    for spectra in (some, known.spectra):
        noise, fixed = known.covariances(*known.near(rows, total))
        parts = known.parts[rows].mean(axis=0) * known.kernel[:, None]
        loose = noise + fixed + parts.T @ parts
        ranks = [known.rank(spectra, y - mean, loose + b @ b.T) for _, mean, b in known.backgrounds]
        rows = np.argpartition(ranks[0], N_NEAR)[:N_NEAR]
    numbers = (n_kept, n_kept // 4)  # few galaxies have a neighbour
    rows = np.unique(
        np.concatenate([np.argpartition(r, n)[:n] for r, n in zip(ranks, numbers, strict=True)])
    )
    spectra, parts = known.spectra[rows], known.parts[rows]
    directions = np.concatenate(
        [parts * known.kernel[:, None], known.amplitude * spectra[:, None]], axis=1
    )
    found = np.full(len(rows), -np.inf)
    for share, mean, b in known.backgrounds:
        alive = np.arange(len(rows))
        for factor in known.amplitudes:
            value = _log_likelihood(
                y - mean - spectra[alive], directions[alive], factor * noise + fixed + b @ b.T
            )
            found[alive] = np.logaddexp(found[alive], np.log(share / N_NODES) + value)
            alive = alive[value > value.max() - FAR]  # with less noise they are further behind
    possible = np.isfinite(found)
    return rows[possible], found[possible]


def _log_likelihood(rest: np.ndarray, directions: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Log of N(rest; 0, covariance + Σ dᵀd), d a draw's directions, less a constant, (m,)."""
    white = _whitening(covariance)
    x, d = rest.astype(np.float32) @ white, directions @ white
    gram = (d @ d.transpose(0, 2, 1)).astype(np.float64) + np.eye(d.shape[1])
    factor = np.linalg.cholesky(gram)
    product = (d @ x[:, :, None]).astype(np.float64)
    fitted = np.linalg.solve(factor, product)[:, :, 0]
    chi2 = np.einsum("ij,ij->i", x, x, dtype=np.float64) - (fitted**2).sum(axis=1)
    log_det = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return -0.5 * (chi2 + log_det + np.linalg.slogdet(covariance)[1])


def _whitening(covariance: np.ndarray) -> np.ndarray:
    lower = np.linalg.cholesky(covariance)
    return solve_triangular(lower, np.eye(len(lower)), lower=True).T.astype(np.float32)


def weighed(z: np.ndarray, log_weight: np.ndarray, z_spec: float) -> tuple[float, float, float]:
    """Median of the posterior, its probability below z_spec, effective number of draws."""
    order = np.argsort(z)
    weight = np.exp(log_weight[order] - log_weight.max())
    weight /= weight.sum()
    below = np.cumsum(weight) - weight / 2
    median = float(np.interp(0.5, below, z[order]))
    return median, float(np.interp(z_spec, z[order], below)), float(1 / (weight**2).sum())


def judged(z_spec: np.ndarray, found: np.ndarray) -> dict[str, float | list[float]]:
    """Figures of medians, PIT and numbers of draws (n, 3)."""
    error = np.abs(found[:, 0] - z_spec)
    random = np.random.default_rng(0)
    drawn = error[random.integers(0, len(error), (BOOTSTRAP, len(error)))].mean(axis=1)
    few = np.percentile(found[:, 2], [5, 25, 50])
    return {
        "mae": float(error.mean()),
        "mae_68": np.percentile(drawn, [16, 84]).tolist(),
        "pit_ks": float(kstest(found[:, 1], "uniform").statistic),
        "pit_ks_p": float(kstest(found[:, 1], "uniform").pvalue),
        "effective_draws_5_25_50": few.tolist(),
        "share_below_10_draws": float((found[:, 2] < 10).mean()),
    }


def against(name: str, flux: np.ndarray, z_spec: np.ndarray, z_bayes: np.ndarray) -> dict:
    """A run's MAE on the same galaxies, and the limit's ratio to it with its 68 % interval."""
    from redshift_core.learning import models
    from redshift_core.prediction import predictor

    run = Store().run(name)
    answer = predictor(models.load_model(run.model_path))(flux)
    mine, limit = np.abs(answer.z_phot - z_spec), np.abs(z_bayes - z_spec)
    drawn = np.random.default_rng(0).integers(0, len(mine), (BOOTSTRAP, len(mine)))
    ratios = limit[drawn].mean(axis=1) / mine[drawn].mean(axis=1)
    return {
        "run": run.id,
        "mae": float(mine.mean()),
        "limit_over_run": float(limit.mean() / mine.mean()),
        "limit_over_run_68": np.percentile(ratios, [16, 84]).tolist(),
    }


def studied(options: argparse.Namespace, test: survey.Block) -> dict:
    """Posteriors of the test galaxies, with all draws and with a half and a quarter of them."""
    begin, cpu = time.perf_counter(), time.process_time()
    sizes = [options.draws // 4, options.draws // 2, options.draws]
    found = np.empty((len(sizes), options.n, 3))
    with threadpool_limits(1):
        known = Survey(options.draws, options.seed + 1)
        print(f"{options.draws:,} draws after {time.perf_counter() - begin:.0f} s", flush=True)
        for number, flux in enumerate(test.flux.astype(np.float64)):
            rows, log_weight = posterior(known, flux, options.kept)
            for place, size in enumerate(sizes):
                inside = rows < size
                weights = log_weight[inside] if inside.any() else np.zeros(size)
                z = known.z[rows[inside] if inside.any() else slice(size)]
                found[place, number] = weighed(z, weights, test.z[number])
            if (number + 1) % 50 == 0:
                mae = np.abs(found[-1, : number + 1, 0] - test.z[: number + 1]).mean()
                spent = time.perf_counter() - begin
                print(f"{number + 1} galaxies, MAE {mae:.4f}, {spent:.0f} s", flush=True)
    return {
        "simulated": True,
        **{key: getattr(options, key) for key in ("n", "draws", "kept", "seed")},
        "by_draws": {f"{n}": judged(test.z, one) for n, one in zip(sizes, found, strict=True)},
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - cpu,
        "z_spec": test.z.tolist(),
        "z_bayes": found[-1, :, 0].tolist(),
        "pit": found[-1, :, 1].tolist(),
    }


def main() -> None:
    """Do the study, or take one done before, quote runs against it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=500, help="test galaxies")
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--kept", type=int, default=1_500, help="draws judged in full, per galaxy")
    parser.add_argument("--seed", type=int, default=SEED, help="of the test galaxies")
    parser.add_argument("--run", action="append", default=[], help="a run to be quoted")
    parser.add_argument("--file", type=Path, default=Path("bayes_limit.json"))
    options = parser.parse_args()
    if options.file.exists():
        value = json.loads(options.file.read_text(encoding="utf-8"))
        test = survey.simulate(value["n"], value["seed"])
    else:
        test = survey.simulate(options.n, options.seed)
        value = studied(options, test)
    limit = np.array(value["z_bayes"])
    value["runs"] = [against(name, test.flux, test.z, limit) for name in options.run]
    options.file.write_text(json.dumps(value) + "\n", encoding="utf-8")
    shown = {key: v for key, v in value.items() if key not in ("z_spec", "z_bayes", "pit")}
    print(json.dumps(shown, indent=1))


if __name__ == "__main__":
    main()
