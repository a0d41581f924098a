"""Every setting of a bench, and the rows it may have."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from redshift_core.errors import InputError
from redshift_core.settings import names
from redshift_core.settings.fields import Settings, setting

ORDER = (  # cheap ones first, the dissertation's net last: an interrupted bench shows most
    "prior", "ridge", "knn", "fast", "lightgbm", "fast_cnn", "best",
    "hist_gradient_boosting", "random_forest", "svm", "xgboost", "catboost", "flexzboost",
    "dissertation",
)  # fmt: skip
ROWS = {name: (names.BASELINES | names.PRESETS)[name] for name in ORDER}
PEERS = {  # rows of the extra ``peers`` → package that each needs
    "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost", "flexzboost": "xgboost",
}  # fmt: skip
FEWEST = 100  # galaxies of a size
SCALE = (10_000, 50_000, 200_000, 1_000_000, 5_000_000)  # galaxies of --scale
QUICK = {"n": 10_000, "epochs_dissertation": 3}  # what --quick replaces


def scale_rows(text: str) -> list[int]:
    """Numbers of galaxies of a bench of sizes, rising, from text such as ``10000,100000``.

    Examples
    --------
    >>> scale_rows("100000, 10000")
    [10000, 100000]
    """
    try:
        rows = sorted({int(word) for word in text.split(",")})
    except ValueError:
        rows = []
    if not rows or rows[0] < FEWEST:
        raise InputError(
            f"--rows {text!r} is no list of sizes; give whole numbers from {FEWEST} on, separated "
            "by commas, such as 10000,100000."
        )
    return rows


def installed(row: str) -> bool:
    """Whether a row has the package that it needs."""
    return row not in PEERS or find_spec(PEERS[row]) is not None


def check_installed(row: str) -> None:
    """Refuse a row whose package is not installed, and say how to install it."""
    if not installed(row):
        raise InputError(
            f"The row {row} needs the package {PEERS[row]}, which is not installed; get it with "
            "pip install 'redshift-lab[peers]'."
        )


@dataclass(frozen=True)
class BenchConfig(Settings):
    """One bench, whole."""

    dataset: str = setting("", "Dataset id; empty simulates a survey.")
    n: int = setting(200_000, "Galaxies of the simulated survey.", low=100, high=100_000_000)
    seed: int = setting(5, "Seed of the simulated survey.", low=0, high=2**31 - 1)
    rows: tuple[str, ...] = setting(
        tuple(row for row in ROWS if installed(row)),
        "What stands side by side; as it stands all whose packages are installed.",
        names=ROWS,
    )
    epochs_dissertation: int = setting(
        20, "Epochs of the dissertation's recipe.", low=1, high=100_000
    )
    epochs: int = setting(
        0, "Epochs of the other networks; 0 takes each preset's own.", low=0, high=100_000
    )
    flat_n: int = setting(
        0, "Galaxies of a second survey with flat redshifts, on which `best` is judged; 0 none.",
        low=0, high=100_000_000,
    )  # fmt: skip
    flat_seed: int = setting(6, "Seed of that survey.", low=0, high=2**31 - 1)

    def check(self) -> None:
        """Refuse a bench without rows, and a flat survey without the network that it judges."""
        if not self.rows:
            raise InputError(f"A bench needs a row; choose some of {', '.join(ROWS)}.")
        if self.flat_n and "best" not in self.rows:
            raise InputError(
                "A survey with flat redshifts judges the row best, which is not among those "
                f"chosen ({', '.join(self.rows)}); add it, or leave --flat-n out."
            )

    @property
    def ordered(self) -> list[str]:
        """Rows in the order in which they are done."""
        return [name for name in ROWS if name in self.rows]

    @property
    def networks(self) -> list[str]:
        """Rows that are trained with TensorFlow."""
        return [name for name in self.rows if name in names.PRESETS]
