"""How far redshifts can be trusted on spectra that are not quite those of the training.

The same galaxies are judged as they are and after each entry of `perturbations.PERTURBATIONS`.
Beside the errors stands what a user would be told: how many spectra are flagged as outside the
training range, and the verdict on the file as a whole. A row whose error has grown while the
verdict is silent is one to know of before the redshifts are used.

Whatever gives redshifts can be judged: a run (`prediction.stress_run`), or a baseline of the bench.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from redshift_core import pdf
from redshift_core.constants import FloatArray, counted
from redshift_core.evaluation import metrics
from redshift_core.evaluation.bins import number
from redshift_core.evaluation.honesty import too_few
from redshift_core.evaluation.perturbations import PERTURBATIONS, SEED, perturbed
from redshift_core.evaluation.training_range import Coverage
from redshift_core.evaluation.verdict import verdict
from redshift_core.store.records import StressLine

if TYPE_CHECKING:
    import pandas as pd

Report = Callable[[float, float, str], None]

UNPERTURBED = "none"  # name of the first line
N_ROWS = 20_000  # galaxies judged, at most
HARM = 1.2  # an error that has grown by more than this factor counts as harm
BLOCK = 4096  # spectra predicted at a time, so that a stop is heard
LEVEL = 0.68  # of the interval whose coverage is judged
FORMATS = {  # column of `frame` → printf format
    "MAE": "%.4f", "ratio": "%.3f", "± (68 %)": "%.3f", "σ_NMAD": "%.4f", "68 % covers": "%.3f",
    "outside": "%.3f",
}  # fmt: skip
CAPTION = (
    "Ratio: the MAE over that of the same galaxies as they are, with its 68 % error from the "
    "choice of galaxies. 68 % covers: share of true redshifts inside the 68 % interval of p(z). "
    "Outside: share of spectra flagged as outside the training range, from 0 to 1. Unlike: "
    "whether the file as a whole is called another kind of data than the training set."
)


class Answer(Protocol):
    """What is said of some spectra."""

    z_phot: NDArray[np.float64]  # (n,) NaN where there is none
    density: FloatArray | None  # (n, 240) p(z) in 1/z


def some_rows(rows: NDArray[np.int64], n: int = N_ROWS) -> NDArray[np.int64]:
    """At most ``n`` of the rows, ascending: always the same ones, evenly spread.

    Examples
    --------
    >>> some_rows(np.arange(100), 4).tolist()
    [0, 33, 66, 99]
    """
    rows = np.sort(rows)
    if len(rows) <= n:
        return rows
    return rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]


def judge(
    predict: Callable[[FloatArray], Answer],
    flux: FloatArray,
    z_spec: FloatArray,
    coverage: Coverage | None = None,
    report: Report = lambda *_: None,
    seed: int = SEED,
) -> list[StressLine]:
    """Errors of some galaxies as they are and after each perturbation.

    Parameters
    ----------
    predict : callable
        Raw flux (n, 186) → ``z_phot`` (n,) and ``density`` (n, 240) or None.
    flux : array, shape (n_sources, 186)
        Raw flux, finite; held in memory.
    z_spec : array, shape (n_sources,)
        Their true redshifts, finite.
    coverage : Coverage, optional
        Range of the training spectra; without it nothing is flagged.
    report : callable
        Is told (perturbations done, perturbations, a sentence) before each block of spectra.

    Returns
    -------
    list of StressLine
        One for the spectra as they are (``name`` "none"), then one per perturbation.
    """
    flux, z_spec = np.asarray(flux, np.float32), np.asarray(z_spec, np.float64)
    lines: list[StressLine] = []
    plain: FloatArray | None = None
    names = (UNPERTURBED, *PERTURBATIONS)
    for done, name in enumerate(names):
        label = PERTURBATIONS[name].label if name in PERTURBATIONS else "as they are"

        def said(rows: int, done: int = done, label: str = label) -> None:
            report(done + rows / len(flux), len(names), f"Predicting the spectra: {label}.")

        said(0)
        given = flux if name == UNPERTURBED else perturbed(name, flux, seed)
        z_phot, inside = _answers(predict, given, z_spec, said)
        plain = z_phot if plain is None else plain
        figures = _figures(z_spec, z_phot, plain) | _flagged(coverage, given)
        lines.append(StressLine(name=name, label=label, coverage68=inside, **figures))
    report(len(names), len(names), f"Predicted {len(flux):,} spectra in {len(names)} ways.")
    return lines


def _answers(
    predict: Callable[[FloatArray], Answer],
    flux: FloatArray,
    z_spec: FloatArray,
    said: Callable[[int], None],
) -> tuple[FloatArray, float | None]:
    """Redshift of each spectrum, and the share of true ones inside the 68 % interval."""
    z_phot, pits = [], []
    for start in range(0, len(flux), BLOCK):
        said(start)
        here = slice(start, start + BLOCK)
        answer = predict(flux[here])
        z_phot.append(np.asarray(answer.z_phot, np.float64))
        if answer.density is not None:
            pits.append(pdf.pit(answer.density, z_spec[here]))
    if not pits:
        return np.concatenate(z_phot), None
    pit = np.concatenate(pits)
    pit = pit[np.isfinite(pit)]
    inside = float((np.abs(pit - 0.5) <= LEVEL / 2).mean()) if len(pit) else None
    return np.concatenate(z_phot), inside


def _figures(z_spec: FloatArray, z_phot: FloatArray, plain: FloatArray) -> dict[str, Any]:
    """Errors of the galaxies that got a redshift both as they are and here."""
    good = np.isfinite(z_phot) & np.isfinite(plain)
    spec, phot = z_spec[good], z_phot[good]
    ratio, error = _ratio(np.abs(phot - spec), np.abs(plain[good] - spec))
    return {
        "n": len(spec),
        "n_without": int(len(z_spec) - len(spec)),
        "mae": number(metrics.mae(spec, phot)),
        "sigma_nmad": number(metrics.sigma_nmad(spec, phot)),
        "ratio": ratio,
        "ratio_error": error,
        "harmed": None if ratio is None else ratio > HARM,
    }


def _ratio(error: FloatArray, plain: FloatArray) -> tuple[float | None, float | None]:
    """Ratio r of two means over the same galaxies, and its standard error to first order.

    σ_r = sd(error − r · plain) / (√n · mean(plain)): what both have in common does not count.
    """
    if not len(error) or not plain.mean():
        return None, None
    ratio = error.mean() / plain.mean()
    spread = (error - ratio * plain).std() / np.sqrt(len(error)) / plain.mean()
    return float(ratio), float(spread)


def _flagged(coverage: Coverage | None, flux: FloatArray) -> dict[str, Any]:
    if coverage is None:
        return {"outside": None, "unlike": None, "verdict": None}
    judgement = verdict(coverage, flux)
    return {
        "outside": judgement.share_outside,
        "unlike": judgement.unlike,
        "verdict": judgement.text,
    }


def sentences(lines: Sequence[StressLine]) -> list[str]:
    """What the lines of a judgement say, for people who read no table."""
    first, *others = lines
    if first.mae is None:
        return ["None of the spectra got a redshift, so nothing can be compared."]
    texts = [
        f"{counted(first.n, 'galaxy')}; as they are, the mean absolute error is {first.mae:.4f}."
    ]
    texts += filter(None, [too_few(first.n)])
    harmed = [line for line in others if line.harmed]
    if not harmed:
        return [*texts, f"Nothing tried makes the error more than {100 * (HARM - 1):.0f} % larger."]
    names = ", ".join(f"{line.label} (×{line.ratio:.2f})" for line in harmed)
    texts.append(f"The error grows by more than {100 * (HARM - 1):.0f} % with {names}.")
    judged = [line for line in harmed if line.unlike is not None]
    silent = [line for line in judged if not line.unlike]
    if silent:
        names = ", ".join(line.label for line in silent)
        warned = f"does not warn of {names}" if len(silent) < len(judged) else "warns of none of it"
        texts.append(f"The verdict on the file {warned}, so Predict would not tell you.")
    elif judged:
        texts.append("The verdict on the file warns of each of them.")
    return texts


def frame(lines: Sequence[StressLine]) -> pd.DataFrame:
    """The lines as a table; columns that say nothing of this method are left out."""
    import pandas as pd

    table = pd.DataFrame(
        {
            "spectra": [line.label for line in lines],
            "MAE": [line.mae for line in lines],
            "ratio": [line.ratio for line in lines],
            "± (68 %)": [line.ratio_error for line in lines],
            "σ_NMAD": [line.sigma_nmad for line in lines],
            "68 % covers": [line.coverage68 for line in lines],
            "outside": [line.outside for line in lines],
            "unlike": [None if line.unlike is None else _yes(line.unlike) for line in lines],
            "what was done": [_about(line.name) for line in lines],
            "verdict on the file": [line.verdict for line in lines],
        }
    )
    return table.dropna(axis=1, how="all")


def _about(name: str) -> str:
    return PERTURBATIONS[name].about if name in PERTURBATIONS else "Nothing."


def _yes(value: bool) -> str:
    return "yes" if value else "no"
