"""The trials of a search as tables: what was tried, what came of it, what mattered.

Reads ``trials.json`` and the trials' folders only, so a page may ask while the search is at work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core.constants import FloatArray
from redshift_core.errors import InputError
from redshift_core.settings.run import RunConfig
from redshift_core.settings.space import PER_LAYER
from redshift_core.store import TuningFolder
from redshift_core.store.history import read_history
from redshift_core.store.records import Trial

FEWEST = 8  # finished trials below which importance is not computed
FOLDS, TREES, SHUFFLES = 5, 60, 10
_FACTS = ("trial", "state", "score", "val_mae", "epochs", "seconds", "n_parameters", "worker")


@dataclass(frozen=True)
class Importance:
    """What each parameter adds to a prediction of the score; see `importance`."""

    table: pd.DataFrame  # parameter, importance, std
    n_trials: int  # finished trials it rests on
    explained: float  # R² of the forest on trials it did not see


def finished(trials: Iterable[Trial]) -> list[Trial]:
    """Trials that have a score."""
    return [one for one in trials if one.state == "finished" and one.score is not None]


def best(trials: Iterable[Trial]) -> Trial | None:
    """Finished trial of the lowest score; None before the first."""
    return min(finished(trials), key=lambda one: one.score, default=None)


def find(trials: Iterable[Trial], name: str) -> Trial:
    """Trial by its number, or the ``best``.

    Raises
    ------
    InputError
        Where there is no such trial.
    """
    trials = list(trials)
    by_number = {one.trial: one for one in trials}
    if name == "best":
        if (one := best(trials)) is None:
            raise InputError("No trial of this search has finished yet, so none is the best.")
        return one
    if name not in by_number:
        numbers = ", ".join(by_number) or "none yet"
        raise InputError(f"There is no trial {name!r} in this search; its trials are {numbers}.")
    return by_number[name]


def run_config(tuning: TuningFolder, trial: str) -> RunConfig:
    """Run that a trial (its number, or ``best``) stands for.

    It has the trial's network, every training row and the base's epochs.
    """
    trial = find(tuning.trials, trial).trial
    folder = tuning.trial(trial)
    if not folder.config_path.exists():
        raise InputError(
            f"Trial {trial!r} of {tuning.id} has no stored settings; choose another trial."
        )
    return folder.config


def history(tuning: TuningFolder, trial: str) -> pd.DataFrame:
    """Loss and error of every epoch of a trial; see `redshift_core.store.history.read_history`."""
    return read_history(tuning.trial(trial))


def active_values(trial: Trial) -> dict[str, Any]:
    """Values of the parameters that the trial's network has: no filters of a layer it lacks.

    Examples
    --------
    >>> active_values(Trial("0", "finished", {"dense_layers": 1, "dense_units_1": 64,
    ...                                       "dense_units_2": 32}))
    {'dense_layers': 1, 'dense_units_1': 64}
    """

    def exists(name: str) -> bool:
        stem, _, number = name.rpartition("_")
        count = trial.values.get(PER_LAYER.get(stem, ""))
        return count is None or not number.isdigit() or int(number) <= int(count)

    return {name: value for name, value in trial.values.items() if exists(name)}


def parameters(trials: Iterable[Trial]) -> list[str]:
    """Names of everything that the trials varied, those of one kind side by side."""
    names = {name: None for one in trials for name in active_values(one)}
    order = {name: number for number, name in enumerate(names)}

    def place(name: str) -> tuple[int, int]:
        stem, _, number = name.rpartition("_")
        if not number.isdigit():
            return order[name], 0
        return order.get(f"{stem}_1", order[name]), int(number)

    return sorted(names, key=place)


def table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One line per trial: how it went, what was said about it, its values.

    Missing are the score of a trial that has not finished, and the parameters of layers that a
    network lacks.
    """
    lines = []
    for one in trials:
        facts = {name: getattr(one, name) for name in _FACTS}
        remark = " ".join(part for part in (one.message, *one.repaired) if part)
        remarks = {"remark": remark or None, "begun_again": one.retries or None}
        lines.append({**facts, **remarks, **active_values(one)})
    columns = [*_FACTS, "remark", "begun_again", *parameters(trials)]
    frame = pd.DataFrame(lines, columns=columns)
    return frame.astype({"score": float, "val_mae": float})


def best_so_far(trials: Sequence[Trial]) -> pd.DataFrame:
    """Score of every trial that has ended and the lowest until then.

    Returns
    -------
    DataFrame
        ``number`` (1 is the trial that began first), ``trial``, ``state``, ``score`` and ``best``,
        both missing where there is none.
    """
    numbered = [(number, one) for number, one in enumerate(trials, start=1) if one.ended]
    frame = pd.DataFrame(
        [(number, one.trial, one.state, one.score) for number, one in numbered],
        columns=["number", "trial", "state", "score"],
    ).astype({"number": int, "score": float})
    frame["best"] = frame.score.cummin().ffill()
    return frame


def importance(trials: Sequence[Trial], seed: int = 1) -> Importance | None:
    """How much worse a random forest predicts the score when a parameter is shuffled.

    The forest learns the rank of a trial's score (a network that failed to learn would outweigh
    the rest otherwise) from its values, and is judged on trials it has not seen, in five folds.
    A parameter's importance is the R² lost when its column is shuffled among those trials: 0 means
    that it did not help, and a little below 0 is noise.

    Parameters
    ----------
    trials : sequence of Trial
        Only finished ones count; parameters with a single value are left out.

    Returns
    -------
    Importance or None
        Most important first; None with fewer than eight finished trials or nothing that varied.

    References
    ----------
    Breiman 2001, *Machine Learning* 45, 5, section 10 (permutation importance).
    """
    counted = finished(trials)
    if len(counted) < FEWEST:
        return None
    features = _numbers(counted)
    if not len(features.columns):
        return None
    ranks = pd.Series([one.score for one in counted]).rank().to_numpy()
    target = (ranks - ranks.mean()) / (ranks.std() or 1.0)
    losses, errors = [], []
    for train, test in _folds(len(target), seed):
        forest = _forest(features.to_numpy()[train], target[train], seed)
        lost, error = _shuffled(forest, features.to_numpy()[test], target[test], seed)
        losses.append(lost)
        errors.append(error)
    lost = np.concatenate(losses, axis=1)  # (n_parameters, n_folds · n_shuffles)
    frame = pd.DataFrame(
        {
            "parameter": features.columns,
            "importance": lost.mean(axis=1),
            "std": np.stack([part.mean(axis=1) for part in losses]).std(axis=0),
        }
    ).sort_values("importance", ascending=False, ignore_index=True)
    return Importance(frame, len(counted), float(1.0 - np.concatenate(errors).mean()))


def _numbers(trials: Sequence[Trial]) -> pd.DataFrame:
    """Values as numbers, shape (n_trials, n_parameters): names numbered, absent layers 0."""
    frame = pd.DataFrame([active_values(one) for one in trials])[parameters(trials)]
    for name in frame.columns:
        column = pd.to_numeric(frame[name], errors="coerce")
        if (column.isna() & frame[name].notna()).any():
            column = pd.Series(pd.factorize(frame[name], sort=True)[0] + 1)
        frame[name] = column.fillna(0.0).astype(float)
    return frame.loc[:, frame.nunique() > 1]


def _folds(n: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    parts = np.array_split(np.random.default_rng(seed).permutation(n), FOLDS)
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def _forest(features: FloatArray, target: FloatArray, seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(TREES, max_features=0.5, random_state=seed).fit(features, target)


def _shuffled(
    forest: Any, features: FloatArray, target: FloatArray, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Rise of the squared error when each column is shuffled, and the error as it is.

    Every shuffled copy goes into one call of the forest: the calls, not the trees, cost time.

    Returns
    -------
    array, shape (n_parameters, n_shuffles)
    array, shape (n_trials,)
    """
    generator = np.random.default_rng(seed)
    n, n_parameters = features.shape
    copies = np.tile(features, (n_parameters, SHUFFLES, 1, 1))
    for column in range(n_parameters):
        for shuffle in range(SHUFFLES):
            copies[column, shuffle, :, column] = features[generator.permutation(n), column]
    guessed = forest.predict(np.concatenate([features, copies.reshape(-1, n_parameters)]))
    error = (guessed[:n] - target) ** 2
    shuffled = (guessed[n:].reshape(n_parameters, SHUFFLES, n) - target) ** 2
    return shuffled.mean(axis=2) - error.mean(), error
