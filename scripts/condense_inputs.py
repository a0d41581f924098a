"""Condense what the simulated survey needs of two wheels into one small file of the package.

Run once, with the ``gaia`` extra installed::

    python scripts/condense_inputs.py

Writes ``redshift_core/resources/simulation_inputs.npz``, ``xp_bases.npz``, ``wavelength_nm.csv``
and both licences.
It reads the wheels' data files only: importing the packages is slow and not needed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from scipy.optimize import curve_fit, nnls

from redshift_core.constants import N_BP, N_RP
from redshift_core.data import bases
from redshift_core.data.coefficients import RESOURCE
from redshift_core.simulation import physics
from redshift_core.simulation.inputs import FILE_NAME

RESOURCES = Path(__file__).parents[1] / "redshift_core" / "resources"
BANDS = "ugriz"
ERROR_FLOOR = np.array([0.05, 0.02, 0.02, 0.02, 0.03])  # relative, of the SDSS fluxes
AB_OFFSET = np.array([-0.036, 0.012, 0.010, 0.028, 0.040])  # mag, SDSS → AB (kcorrect's own)
CHI2_LIMIT = 40.0  # a worse fit is no galaxy the templates can make
TEMPLATE_RANGE = (1800.0, 11_200.0)  # Å, rest frame: 300 nm at z = 0.6 to 1100 nm at z = 0
FLUX_UNIT = 1e-17  # erg s⁻¹ cm⁻² Å⁻¹
AB_ZERO = 3631e-23 * 2.99792458e18  # f_λ λ² of 0 mag AB, erg s⁻¹ cm⁻² Å
FIRST_BP, LAST_RP = 366.0, 996.0  # nm, centres of those pixels (published range)
BP_WIDTH = 0.3277  # of a pixel, in u; ± 0.001
RP_WIDTH, RP_BEND = 0.3382, -1.69e-4  # u of RP's pixels k = −105 … 0: last + width k + bend k²
BASES_FILE = "OptimisedCalibratedBases_BpId32_RpId37_withNormalisation.xml"
LIGHT_U = np.arange(10.0, 51.0, 4.0)  # where the line spread's offset is measured
LIGHT_SIGMA = 5.0  # width in u of the light that it is measured with


def main() -> None:
    """Write every file of this script."""
    gaia, kcorrect = data_folder("gaiaxpy", "config"), data_folder("kcorrect", "data")
    arrays = gaia_arrays(gaia) | template_arrays(kcorrect)
    arrays |= library_arrays(kcorrect, arrays["template_wavelength"], arrays["template_flux"])
    np.savez_compressed(RESOURCES / FILE_NAME, **arrays)
    write_bases(gaia, arrays["dispersion"])
    write_wavelengths(arrays["dispersion"])
    for package in ("gaiaxpy", "kcorrect"):
        copy_licence(package)
    print(f"{len(arrays['z'])} library galaxies; {(RESOURCES / FILE_NAME).stat().st_size} bytes")


def data_folder(package: str, folder: str) -> Path:
    """Folder of data files inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; run: pip install 'redshift-lab[gaia]'")
    return Path(spec.origin).parent / folder


def gaia_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Dispersion, responses and line spread of DR3's calibration models."""
    dispersion = np.genfromtxt(
        folder / "TabulatedDispersionFunction-DR3-v375wiv142r_20200610.csv",
        delimiter=",",
        skip_header=1,
    )
    return {
        "dispersion": dispersion,
        "bp_response": read_response(folder / "bpC03_v375wi_response.csv"),
        "rp_response": read_response(folder / "rpC03_v142r_response.csv"),
        "line_spread_u": LIGHT_U,
        "line_spread_offset": np.stack(
            [line_spread_offset(folder, name) for name in ("bpC03_v375wi", "rpC03_v142r")]
        ),
    }


def write_bases(folder: Path, dispersion: np.ndarray) -> None:
    """Basis functions of DR3's mean spectra, and the dispersion that places wavelengths in u."""
    arrays = {"dispersion": dispersion}
    hermite = ElementTree.parse(folder / BASES_FILE).getroot()[0]
    for band, known in bases.BASIS_RANGE.items():
        node = hermite.find(f"{band}Config")
        limits = [node.find("range"), node.find("normalizedRange")]
        ranges = tuple(float(limit.get(end)) for limit in limits for end in ("from", "to"))
        n_bases = int(node.findtext("dimension"))
        if (ranges, n_bases) != (known, bases.N_BASES):
            raise SystemExit(
                f"{BASES_FILE}: the {band} bases are not those of redshift_core.data.bases"
            )
        matrix = [float(value.text) for value in node.find("transformationMatrix")]
        arrays |= {
            f"{band}_id": int(node.findtext("uniqueId")),
            f"{band}_range": np.array(ranges),
            f"{band}_matrix": np.reshape(matrix, (n_bases, n_bases)),
        }
    np.savez_compressed(RESOURCES / RESOURCE, **arrays)


def line_spread_offset(folder: Path, name: str) -> np.ndarray:
    """How far from its u light comes down, by Gaia's own instrument model, shape (11,).

    gaiaxpy's "inverse bases" turn a mean spectrum into the light that made it. A Gaussian mean
    spectrum of σ 5 at each of LIGHT_U is turned so; a Gaussian is fitted to the light.
    """
    row = pd.read_csv(folder / f"{name}_bases.csv").iloc[0]
    inverse, turn = (
        np.fromstring(row[column].strip("()"), sep=",").reshape(bases.N_BASES, -1)
        for column in ("inverseBasesCoefficients", "transformationMatrix")
    )
    u = np.arange(0.0, 60.0, 0.05)
    functions = bases.hermite(name[:2], u)
    nm, at_u = np.genfromtxt(folder / f"{name}_dispersion.csv", delimiter=",")
    order = np.argsort(at_u)
    scale = np.abs(np.gradient(np.interp(u, at_u[order], nm[order]), u))
    scale = np.convolve(np.pad(scale, 40, "edge"), np.full(81, 1 / 81), "valid")

    def offset(centre: float) -> float:
        mean_spectrum = np.exp(-0.5 * ((u - centre) / LIGHT_SIGMA) ** 2)
        weights = np.linalg.lstsq((turn @ functions).T, mean_spectrum, rcond=1e-8)[0]
        light = weights @ turn @ inverse @ functions * scale
        near = np.abs(u - centre) < 3.2 * LIGHT_SIGMA
        fitted, _ = curve_fit(
            lambda x, height, middle, width: height * np.exp(-0.5 * ((x - middle) / width) ** 2),
            u[near], light[near], p0=(1.0, centre, 3.0),
        )  # fmt: skip
        return centre - fitted[1]

    return np.array([offset(centre) for centre in LIGHT_U])


def read_response(path: Path) -> np.ndarray:
    """Response file of two lines, as columns wavelength (nm) and response."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return np.array([[float(word) for word in line.split(",")] for line in lines[:2]]).T


def template_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Five templates over the wavelengths in use, with the continuum around each line group."""
    with fits.open(folder / "templates" / "kcorrect-default-v4.fits") as file:
        wavelength = file[1].data["wave"][0].astype(float)
        flux = file[1].data["flux"][0].astype(float)
    near = (wavelength > 5000) & (wavelength < 6000)
    flux /= flux[:, near].mean(axis=1, keepdims=True)
    used = (wavelength >= TEMPLATE_RANGE[0]) & (wavelength <= TEMPLATE_RANGE[1])
    windows = [(wavelength > low) & (wavelength < high) for low, high in physics.CONTINUUM.values()]
    return {
        "template_wavelength": wavelength[used],
        "template_flux": flux[:, used].astype(np.float32),
        "line_continuum": np.stack([np.median(flux[:, w], axis=1) for w in windows], axis=1),
    }


def library_arrays(folder: Path, wavelength: np.ndarray, flux: np.ndarray) -> dict[str, np.ndarray]:
    """Non-negative least-squares fit of the templates to the ugriz of each real galaxy."""
    with fits.open(folder / "test" / "gst_tests_small.fits") as file:
        galaxies = file[1].data
        z = galaxies["Z"].astype(float)
        maggies = galaxies["MODELFLUX"].astype(float) * 1e-9
        error = 1e-9 / np.sqrt(np.maximum(galaxies["MODELFLUX_IVAR"].astype(float), 1e-12))
        correction = 10 ** (0.4 * galaxies["EXTINCTION"].astype(float) - 0.4 * AB_OFFSET)
    maggies, error = maggies * correction, error * correction
    error = np.hypot(error, ERROR_FLOOR * np.abs(maggies))
    filters = [read_filter(folder / "responses" / f"sdss_{band}0.dat") for band in BANDS]
    z_grid = np.linspace(0.0, 0.6, 601)
    grid = np.stack([template_maggies(wavelength, flux, filters, value) for value in z_grid])
    weights, chi2 = np.zeros((len(z), len(flux))), np.zeros(len(z))
    for row in range(len(z)):
        matrix = grid[round(z[row] * 1000)]
        weights[row], norm = nnls(matrix / error[row, :, None], maggies[row] / error[row])
        chi2[row] = norm**2
    kept = (chi2 < CHI2_LIMIT) & (weights.sum(axis=1) > 0)
    print(f"median chi2 {np.median(chi2):.2f}; kept {kept.sum()} of {len(z)}")
    order = np.flatnonzero(kept)[np.argsort(z[kept], kind="stable")]
    rest = -2.5 * np.log10(weights[order] @ grid[0].T)
    modulus = 5 * np.log10(physics.luminosity_distance(z[order]) * 1e5)
    return {
        "z": z[order].astype(np.float32),
        "weights": weights[order].astype(np.float32),
        "magnitude_r": (rest[:, 2] - modulus).astype(np.float32),
        "colour": (rest[:, 1] - rest[:, 2]).astype(np.float32),
    }


def read_filter(path: Path) -> np.ndarray:
    """SDSS filter: wavelength (Å) and response at 1.3 airmasses (column ``pass``)."""
    rows = [line.split("|") for line in path.read_text().splitlines() if line.startswith("|")]
    column = [word.strip() for word in rows[0]].index("pass")
    return np.array([[float(row[1]), float(row[column])] for row in rows[1:]])


def template_maggies(
    wavelength: np.ndarray, flux: np.ndarray, filters: list[np.ndarray], z: float
) -> np.ndarray:
    """AB maggies of each template through each filter at a redshift, shape (5 bands, 5)."""
    result = np.zeros((len(filters), len(flux)))
    for row, table in enumerate(filters):
        step = np.arange(table[0, 0], table[-1, 0], 2.0)
        response = np.interp(step, table[:, 0], table[:, 1]) * step
        zero = (response * AB_ZERO / step**2).sum()
        for column, template in enumerate(flux):
            observed = np.interp(step / (1 + z), wavelength, template) / (1 + z)
            result[row, column] = FLUX_UNIT * (response * observed).sum() / zero
    return result


def write_wavelengths(dispersion: np.ndarray) -> None:
    """Wavelength, u and width in u of each of the 186 pixels; see `constants.pixel_grid`."""
    lines = ["pixel,wavelength_nm,u,width_u"]
    number = {"bp": np.arange(N_BP + 1) - 0.5, "rp": np.arange(N_RP + 1) - N_RP + 0.5}  # edges
    step = {
        "bp": -BP_WIDTH * number["bp"],
        "rp": (RP_WIDTH + RP_BEND * number["rp"]) * number["rp"],
    }
    for column, (band, end) in enumerate((("bp", FIRST_BP), ("rp", LAST_RP)), start=1):
        known = ~np.isnan(dispersion[:, column])
        nm, u = dispersion[known, 0], dispersion[known, column]
        edge = np.interp(end, nm, u) + step[band]
        centre, width = (edge[1:] + edge[:-1]) / 2, np.abs(np.diff(edge))
        order = np.argsort(u)
        for row in zip(np.interp(centre, u[order], nm[order]), centre, width, strict=True):
            lines.append(f"{len(lines) - 1},{row[0]:.3f},{row[1]:.4f},{row[2]:.5f}")
    (RESOURCES / "wavelength_nm.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy_licence(package: str) -> None:
    """Licence text of an installed wheel, under the package's name."""
    for path in importlib.metadata.files(package) or []:
        if path.name == "LICENSE":
            text = Path(path.locate()).read_text(encoding="utf-8")
            version = importlib.metadata.version(package)
            head = (
                f"{FILE_NAME} holds data condensed from {package} {version}, under this licence:\n"
            )
            target = RESOURCES / "licenses" / f"{package}.txt"
            target.parent.mkdir(exist_ok=True)
            target.write_text(f"{head}\n{text}", encoding="utf-8")
            return
    raise SystemExit(f"The installed {package} has no LICENSE file")


if __name__ == "__main__":
    main()
