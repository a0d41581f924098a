"""KerasTuner's four search algorithms, made resumable after a kill at any moment.

The parameters of layer i exist only if there are at least i layers (KerasTuner's conditions). So
random and grid search never train the same network twice because of a layer that it does not have,
and the Bayesian model treats two identical networks as one point.

``Resumable`` works around four faults of KerasTuner 1.4.8: it writes its files in place, it repeats
finished trials after a reload, its grid search forgets its position, and three failures in a row
raise an exception while its lock is held.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from redshift_core.errors import InputError
from redshift_core.learning.tuning.trial_log import ENDED, TrialLog
from redshift_core.settings.layers import CONVOLVED
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import CONV_SETTINGS, PER_LAYER, Parameter, fixed, free, n_layers
from redshift_core.store import TuningFolder, write_json

LOST_LIMIT = 2  # deaths of its process after which a trial counts as failed
FAILURE_LIMIT = 5  # failures in a row that end a search, since they probably share one cause
HYPERBAND_FACTOR = 3  # Li et al. 2018: one trial in three continues, for three times the epochs
NOISE = 0.1  # variance of a score's noise, in units of that of the scores (KerasTuner: 1e-4)
N_CANDIDATES = 500  # random candidates of a Bayesian step
N_BEST, N_NEAR = 5, 100  # best trials so far, candidates near each
SHARE_CHANGED = 0.2  # of the values of a candidate near a trial
_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


class Resumable:
    """Mixin for an oracle of KerasTuner: it writes files atomically and reloads without losses."""

    trial_log: TrialLog
    closed = ""  # why no further trial begins
    failed = False  # whether the reason is a failure
    n_failed = 0  # failures in a row

    def save(self) -> None:
        """Write oracle.json atomically."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        """Continue from the files: finished trials stay, interrupted trials are queued again."""
        super().reload()
        self.ongoing_trials = {}
        self._retry_queue = []
        self.start_order += sorted(set(self.trials) - set(self.start_order))
        for name in reversed(self.start_order):  # the queue is served from its end
            trial = self.trials[name]
            if name not in self.trial_log.entries:
                self.trial_log.begin(trial, worker="")
            state = self.trial_log.entries[name]["state"]
            if trial.status not in _ENDED:
                self._queue(trial, lost=state == "running")
            elif state not in ENDED:
                self.trial_log.end(trial)
        self.save()

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Next trial of a worker: RUNNING, IDLE (ask again) or STOPPED (no trial is left)."""
        if self.closed and tuner_id not in self.ongoing_trials:
            return Trial(keras_tuner.HyperParameters(), status=TrialStatus.STOPPED)
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING:
            self.trial_log.begin(trial, tuner_id)
        elif trial.status == TrialStatus.STOPPED and self.ongoing_trials:
            trial.status = TrialStatus.IDLE  # another worker may die and lose its trial
        elif trial.status == TrialStatus.STOPPED:
            self.closed = "every combination was tried"
            if len(self.trials) >= self.max_trials:
                self.closed = "all trials are done"
        return trial

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Take note of how a trial ended; too many failures in a row close the search."""
        super().end_trial(trial)
        self.save()  # again, because only now the trial is no longer in progress
        ended = self.trials[trial.trial_id]
        self.trial_log.end(ended)
        self.n_failed = self.n_failed + 1 if ended.status == TrialStatus.FAILED else 0
        if self.n_failed >= FAILURE_LIMIT:
            self.failed = True
            self.closed = f"{self.n_failed} trials in a row failed. The last failure was: " + (
                ended.message or "no reason given"
            )

    @keras_tuner.synchronized
    def end_trial_of(self, worker: str, trial: Trial) -> bool:
        """End a trial of a worker; False if the trial has been given to another worker."""
        if not self.owns(worker, trial.trial_id):
            return False
        self.end_trial(trial)
        return True

    @keras_tuner.synchronized
    def give_back(self, worker: str) -> str | None:
        """Queue the trial of a worker that is gone; returns the id of the trial, if it had one."""
        self.tuner_ids.discard(worker)
        trial = self.ongoing_trials.pop(worker, None)
        if trial is None:
            return None
        self._queue(trial, lost=True)
        self.save()
        return trial.trial_id

    def owns(self, worker: str, trial_id: str) -> bool:
        """Whether a worker is training this trial."""
        trial = self.ongoing_trials.get(worker)
        return trial is not None and trial.trial_id == trial_id

    @property
    def done(self) -> bool:
        """Whether no trial is in progress and no further trial will begin."""
        if self.ongoing_trials:
            return False
        full = len(self.trials) >= self.max_trials and not self._retry_queue
        return bool(self.closed) or full

    def _queue(self, trial: Trial, lost: bool) -> None:
        """Queue an interrupted trial again, unless its process has died too often."""
        n_lost = self.trial_log.entries[trial.trial_id]["retries"] + int(lost)
        trial.metrics, trial.score = type(trial.metrics)(), None
        if n_lost >= LOST_LIMIT:
            trial.status = TrialStatus.FAILED
            trial.message = (
                f"Its process died {n_lost} times (it was killed or ran out of memory), "
                "so it is left out."
            )
            self.end_order.append(trial.trial_id)
            self.trial_log.end(trial)
        else:
            trial.status = TrialStatus.INVALID
            self._retry_queue.append(trial.trial_id)
            self.trial_log.queue(trial.trial_id, lost)
        self._save_trial(trial)


class Bayesian(Resumable, keras_tuner.oracles.BayesianOptimizationOracle):
    """Gaussian process over the trials so far; the next trial is the best of many candidates.

    The process, the kernel and the bound (the lowest mean − β · deviation wins) are KerasTuner's.
    Only the search for the lowest bound differs. KerasTuner follows gradients through a cube, one
    prediction at a time, and treats missing layers, steps and names as distances. Here the
    candidates are networks that can be built: random ones, and variations of the best trials.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of the most promising candidate; random values while there are few trials."""
        finished = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        if len(finished) < self.num_initial_points:
            return self._random_populate_space()
        self._fit(finished)
        generator = np.random.default_rng([self.seed, len(self.trials)])
        best = sorted(finished, key=lambda trial: trial.score)[:N_BEST]
        bases = [None] * N_CANDIDATES + [t.hyperparameters.values for t in best] * N_NEAR
        candidates = [self._draw(generator, base) for base in bases]
        candidates = [values for values in candidates if not self._duplicate(values)]
        if not candidates:
            return self._random_populate_space()
        mean, deviation = self.gpr.predict(self._embedded(candidates), return_std=True)
        values = candidates[int(np.argmin(mean - self.beta * deviation))]
        return {"status": TrialStatus.RUNNING, "values": values}

    def _fit(self, finished: list[Trial]) -> None:
        """Fit the process; a running trial counts with a pessimistic guess, as in KerasTuner."""
        x = self._embedded([trial.hyperparameters.values for trial in finished])
        y = np.array([trial.score for trial in finished])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.gpr.fit(x, y)
            if self.ongoing_trials:
                under_way = [t.hyperparameters.values for t in self.ongoing_trials.values()]
                guessed = self._embedded(under_way)
                mean, deviation = self.gpr.predict(guessed, return_std=True)
                self.gpr.fit(np.vstack([x, guessed]), np.concatenate([y, mean + deviation]))

    def _embedded(self, choices: list[dict[str, Any]]) -> NDArray[np.float64]:
        """Choices in the unit cube, (n, n_parameters); a missing parameter has its default."""
        space = self.hyperparameters.space
        return np.array(
            [
                [hp.value_to_prob(values.get(hp.name, hp.default)) for hp in space]
                for values in choices
            ]
        )

    def _draw(self, generator: np.random.Generator, base: dict[str, Any] | None) -> dict[str, Any]:
        """Random values, or the values of a base with a few of them drawn again."""
        drawn = keras_tuner.HyperParameters()
        for hp in self.hyperparameters.space:
            if drawn.is_active(hp):
                if base and hp.name in base and generator.random() > SHARE_CHANGED:
                    drawn.values[hp.name] = base[hp.name]
                else:
                    drawn.values[hp.name] = hp.prob_to_value(generator.random())
        return drawn.values


class Random(Resumable, keras_tuner.oracles.RandomSearchOracle):
    """Independent draws."""


class Hyperband(Resumable, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best are trained for longer."""


class Grid(Resumable, keras_tuner.oracles.GridSearchOracle):
    """Every combination in turn; the last trial determines the next, so a search can resume."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of the combination after the last one."""
        if not self.start_order:
            return super().populate_space(trial_id)
        last = self.trials[self.start_order[-1]].hyperparameters.values
        values = self._get_next_combination(last)
        if values is None:
            return {"status": TrialStatus.STOPPED, "values": None}
        whole = {hp.name for hp in self.hyperparameters.space if type(hp).__name__ == "Int"}
        values = {name: int(v) if name in whole else v for name, v in values.items()}
        return {"status": TrialStatus.RUNNING, "values": values}


def open_oracle(tuning: TuningFolder, config: TuningConfig, trial_log: TrialLog) -> Any:
    """Oracle of a search, in its last saved state.

    Raises
    ------
    InputError
        If its files cannot be read.
    """
    space = hyperparameters(config.space, config.base)
    common = {
        "objective": keras_tuner.Objective(config.objective, "min"),
        "hyperparameters": space,
        "seed": _spread(config.seed),
        "max_consecutive_failed_trials": sys.maxsize,  # Resumable counts the failures itself
    }
    oracle = _ORACLES[config.algorithm](config, common)
    oracle.max_trials = config.trials
    oracle.trial_log = trial_log
    oracle.verbose = 0
    oracle._set_project_dir(str(tuning.path), tuning.oracle_path.name)
    if Path(oracle._get_oracle_fname()).exists():
        try:
            oracle.reload()
        except (ValueError, LookupError, TypeError, RuntimeError, OSError) as error:
            raise InputError(
                f"{tuning.id} cannot continue: {tuning.oracle_path} cannot be read ({error}). Its "
                "trials can still be read; start a new search."
            ) from error
    return oracle


def _spread(seed: int) -> int:
    """Seed for KerasTuner. KerasTuner counts up from it, so nearby seeds would repeat trials.

    The result is never 0, which KerasTuner would replace by a random seed.
    """
    return int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1) or 1


def hyperparameters(space: Sequence[Parameter], base: RunConfig) -> keras_tuner.HyperParameters:
    """Search space in KerasTuner's form, without the fixed parameters."""
    given = fixed(space)
    names = {parameter.name for parameter in free(space)}
    tuner_space = keras_tuner.HyperParameters()
    for parameter in free(space):
        name, counter = parameter.name, PER_LAYER.get(parameter.name)
        of_conv = name in CONV_SETTINGS or "conv_layers" in (name, counter)
        if of_conv and given.get("architecture", "cnn") not in CONVOLVED:
            continue
        outer = (
            ("architecture", list(CONVOLVED))
            if of_conv and "architecture" in names
            else (None, None)
        )
        with tuner_space._maybe_conditional_scope(*outer):
            if counter:
                numbers = n_layers(space, base, counter)
                for i in range(1, numbers[-1] + 1):
                    deeper = [n for n in numbers if n >= i]
                    parent = (counter, deeper) if counter in names else (None, None)
                    _add(tuner_space, parameter, f"{name}_{i}", *parent)
            elif name in CONV_SETTINGS and "conv_layers" in names:
                present = [n for n in n_layers(space, base, "conv_layers") if n]
                if present:
                    _add(tuner_space, parameter, name, "conv_layers", present)
            else:
                _add(tuner_space, parameter, name)
    return tuner_space


def _add(
    tuner_space: keras_tuner.HyperParameters,
    parameter: Parameter,
    name: str,
    parent: str | None = None,
    parent_values: list[int] | None = None,
) -> None:
    under = {"parent_name": parent, "parent_values": parent_values}
    if parameter.kind == "choice":
        tuner_space.Choice(name, _numbers(parameter.choices), **under)
        return
    number = int if parameter.kind == "int" else float
    add = tuner_space.Int if parameter.kind == "int" else tuner_space.Float
    add(
        name,
        number(parameter.low),
        number(parameter.high),
        step=number(parameter.step) if parameter.step else None,
        sampling="log" if parameter.log else "linear",
        **under,
    )


def _numbers(texts: Sequence[str]) -> list[Any]:
    """Choices as numbers if all of them are numbers, because a search can use their order."""
    for kind in (int, float):
        try:
            return [kind(text) for text in texts]
        except ValueError:
            continue
    return list(texts)


def _bayesian(config: TuningConfig, common: dict[str, Any]) -> Bayesian:
    # KerasTuner's default, three random trials per dimension, would make most searches random.
    n_dimensions = len(common["hyperparameters"].space)
    n_random = min(3 * n_dimensions, max(3, config.trials // 2))
    return Bayesian(num_initial_points=n_random, alpha=NOISE, **common)


def _hyperband(config: TuningConfig, common: dict[str, Any]) -> Hyperband:
    # The brackets are repeated without end; the number of trials ends the search.
    return Hyperband(
        max_epochs=config.epochs,
        factor=HYPERBAND_FACTOR,
        hyperband_iterations=None,
        **common,
    )


_ORACLES: dict[str, Callable[[TuningConfig, dict[str, Any]], Any]] = {
    "bayesian": _bayesian,
    "random": lambda _config, common: Random(**common),
    "grid": lambda _config, common: Grid(**common),
    "hyperband": _hyperband,
}
