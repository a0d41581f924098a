"""Published figures that the product shows beside its own.

Source: A. Kiraleos, "Application of Machine Learning Methods on Astronomical Databases: Predicting
Galaxy Redshifts with Convolutional Neural Networks", its text, Tables 2 and 3, its published
training record and its figures. Columns marked *read off a figure* are good to about ±0.003.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

TEST_MAE = 0.021  # mean absolute error in z on the dissertation's test rows
N_GALAXIES = 520_393  # galaxies of the dissertation
N_SPLIT = (327_847, 140_506, 52_040)  # its train, validation and test rows
N_PARAMETERS = 699_073  # trainable parameters of its network
LAYER_PARAMETERS = (1_536, 327_936, 98_432, 16_448, 147_712, 65_792, 32_896, 8_256, 65)  # Table 2

Z_STATISTICS = {  # of the 520,393 redshifts
    "mean": 0.142,
    "median": 0.126,
    "sd": 0.079,
    "skewness": 1.094,
    "excess kurtosis": 1.270,
}
Z_PERCENTILES = {  # percentile → redshift
    1: 0.0256,
    5: 0.0446,
    10: 0.0596,
    25: 0.0843,
    50: 0.1257,
    75: 0.1811,
    90: 0.2586,
    95: 0.3023,
    99: 0.3694,
}

RANDOM_ROWS = (  # Table 1: z; first three and last three fluxes, e⁻ s⁻¹ per pixel
    (0.1735581, (0.539, 0.514, 0.439), (2.909, 2.705, 2.386)),
    (0.2647779, (-0.213, -0.140, 0.052), (13.063, 12.639, 12.429)),
    (0.1288678, (0.394, 0.329, 0.287), (5.484, 5.281, 5.123)),
)

REAL_LN_BRIGHTNESS = (  # z of SDSS; ln(flux_140 / published mean of its range), six real galaxies
    (0.119, 0.40),
    (0.157, -0.13),
    (0.091, -0.36),
    (0.323, -0.04),
    (0.031, -0.42),
    (0.145, -0.58),
)

SIMULATED_AVERAGES = "simulated_average_flux.csv"
SIMULATED_EXTREMES = "simulated_minmax.csv"

_TABLE_3 = """
0.00  0.0216 0.0236  6.62  0.056 0.075
0.05  0.0117 0.0208 27.77  0.023 0.044
0.10  0.0013 0.0243 28.99  0.016 0.050
0.15 -0.0081 0.0296 16.61  0.014 0.055
0.20 -0.0110 0.0346  8.80  0.019 0.059
0.25 -0.0122 0.0333  6.00  0.030 0.063
0.30 -0.0248 0.0351  3.55  0.040 0.069
0.35 -0.0458 0.0416  1.15  0.029 0.069
0.40 -0.0793 0.0593  0.30  0.002 0.069
0.45 -0.1327 0.0806  0.11 -0.018 0.069
0.50 -0.1804 0.1128  0.06 -0.060 0.070
0.55 -0.2100 0.0978  0.04 -0.110 0.074
"""


@cache
def table_3() -> pd.DataFrame:
    """Dissertation's Table 3: error = z(CNN) − z(SDSS) per bin, with Gaia's UGC beside it.

    Columns ``z_low``, ``z_high``, ``mean_error``, ``std``, ``percent``, and ``ugc_mean_error``,
    ``ugc_std`` (both read off a figure).
    """
    names = ["z_low", "mean_error", "std", "percent", "ugc_mean_error", "ugc_std"]
    rows = [[float(word) for word in line.split()] for line in _TABLE_3.strip().splitlines()]
    import pandas as pd

    table = pd.DataFrame(rows, columns=names)
    table.insert(1, "z_high", (table.z_low + 0.05).round(2))
    return table


@cache
def history() -> pd.DataFrame:
    """Loss and MAE of each of the 40 published epochs, with the column names of ``history.csv``."""
    table = _read("dissertation_history.csv")
    return table.rename(
        columns={"mean_absolute_error": "mae", "val_mean_absolute_error": "val_mae"}
    )


@cache
def redshift_histogram() -> pd.DataFrame:
    """Published redshift histogram: ``z_low``, ``z_high``, ``relative_count``."""
    return _read("published_redshift_histogram.csv")


@cache
def average_flux() -> pd.DataFrame:
    """Published average spectra of six redshift ranges, divided by the peak of z < 0.1.

    Read off a figure; empty where the curves could not be told apart.
    """
    return _read("published_average_flux.csv")


@cache
def average_flux_absolute() -> pd.DataFrame:
    """Published average spectra of six redshift ranges, e⁻ s⁻¹ per pixel.

    Digitised from a figure of the dissertation whose flux axis has numbers; empty where the curves
    could not be told apart.
    """
    return _read("published_average_flux_absolute.csv")


@cache
def recovered_minmax() -> pd.DataFrame:
    """Lowest and highest flux of each column of the 520,393 galaxies: ``pixel``, ``low``, ``high``.

    Recovered from two published figures, of average spectra as they are and scaled to the range of
    each column; good to 2e-4 of that range.
    """
    return _read("recovered_minmax.csv")


@cache
def simulated_average_flux() -> pd.DataFrame:
    """Average SIMULATED spectra, with the columns of `average_flux_absolute`.

    Written, as `simulated_minmax` is, by ``redshift-lab study-simulation --write``.
    """
    return _read(SIMULATED_AVERAGES)


@cache
def simulated_minmax() -> pd.DataFrame:
    """Extremes of the columns of a SIMULATED survey, with the columns of `recovered_minmax`."""
    return _read(SIMULATED_EXTREMES)


def simulated_with() -> tuple[str, str]:
    """What `simulated_average_flux` and `simulated_minmax` were made with, a sentence each."""
    return _comment(SIMULATED_AVERAGES), _comment(SIMULATED_EXTREMES)


def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    with _path(name).open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")


def _comment(name: str) -> str:
    with _path(name).open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip() + "."


def _path(name: str) -> Traversable:
    return files("redshift_core") / "resources" / "reference" / name
