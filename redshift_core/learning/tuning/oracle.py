"""KerasTuner's four search algorithms, as functions of what stands in trials.json.

The parameters of layer i exist only if there are at least i layers (KerasTuner's conditions). So
random and grid search never train the same network twice because of a layer that it does not have,
and the Bayesian model treats two identical networks as one point.

An oracle has no file of its own: whoever opens one gives it the trials so far, in the order in
which they began, and it knows what it would know had it never been closed. Of KerasTuner it uses
the public interface and, because nothing public does it, these private names: ``_seed_state`` (how
far the random draws have come), ``_random_values`` and ``_random_populate_space`` (the next draw
that was not tried), ``_record_values`` and ``_duplicate`` (what was tried),
``_get_next_combination`` (of a grid), ``_brackets`` and ``_get_epochs`` (rounds of Hyperband) and
``_maybe_conditional_scope`` (a condition that may be none).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from redshift_core.errors import InputError
from redshift_core.settings.layers import CONVOLVED
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import CONV_SETTINGS, PER_LAYER, Parameter, fixed, free, n_layers

HYPERBAND_FACTOR = 3  # Li et al. 2018: one trial in three continues, for three times the epochs
NOISE = 0.1  # variance of a score's noise, in units of that of the scores (KerasTuner: 1e-4)
N_CANDIDATES = 500  # random candidates of a Bayesian step
N_BEST, N_NEAR = 5, 100  # best trials so far, candidates near each
SHARE_CHANGED = 0.2  # of the values of a candidate near a trial
OWN = "tuner/"  # prefix of the values that KerasTuner adds for itself


class Recalling:
    """Mixin for an oracle of KerasTuner: it chooses values, and is told what became of trials."""

    def choose(self) -> tuple[str, dict[str, Any]] | None:
        """Name and values of a new trial; None if none can begin now, or ever (see `exhausted`)."""
        name = f"{len(self.trials):0{len(str(self.max_trials))}d}"
        answer = self.populate_space(name)
        self.exhausted = answer["status"] == TrialStatus.STOPPED
        if answer["status"] != TrialStatus.RUNNING:
            return None
        self._keep(name, answer["values"])
        return name, answer["values"]

    def recall(self, entries: Iterable[dict[str, Any]]) -> None:
        """Take over the trials of trials.json; those that have not ended count as under way."""
        entries = list(entries)
        for entry in entries:
            self._keep(entry["trial"], self._again(entry["trial"], entry["values"]))
        for entry in entries:
            if entry["state"] in ("finished", "failed"):
                self.close(entry["trial"], entry["score"])

    def close(self, name: str, score: float | None) -> None:
        """Take note that a trial has ended, without a score if it failed."""
        trial = self.ongoing_trials.pop(name)
        trial.score = score
        trial.status = TrialStatus.FAILED if score is None else TrialStatus.COMPLETED

    def _keep(self, name: str, values: dict[str, Any]) -> None:
        trial = Trial(keras_tuner.HyperParameters(), name, TrialStatus.RUNNING)
        trial.hyperparameters.values = values
        self.trials[name] = self.ongoing_trials[name] = trial
        self.start_order.append(name)
        self._record_values(trial)

    def _again(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Values of a trial that was chosen before, with KerasTuner's own."""
        self._draw_again(values)
        return values

    def _draw_again(self, values: dict[str, Any]) -> bool:
        """Draw again what may have been drawn; False, and nothing is drawn, if it was not."""
        before = self._seed_state
        if self._random_values() == values:
            return True
        self._seed_state = before
        return False


class Bayesian(Recalling, keras_tuner.oracles.BayesianOptimizationOracle):
    """Gaussian process over the trials so far; the next trial is the best of many candidates.

    The process, the kernel and the bound (the lowest mean − β · deviation wins) are KerasTuner's.
    Only the search for the lowest bound differs. KerasTuner follows gradients through a cube, one
    prediction at a time, and treats missing layers, steps and names as distances. Here the
    candidates are networks that can be built: random ones, and variations of the best trials.
    """

    has_begun = False  # whether the process has chosen a trial; more trials do not undo that

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of the most promising candidate; random values while there are few trials."""
        finished = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        if not finished or (len(finished) < self.num_initial_points and not self.has_begun):
            return self._random_populate_space()
        self.has_begun = True
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

    def _again(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        self.has_begun = not self._draw_again(values) or self.has_begun
        return values

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


class Random(Recalling, keras_tuner.oracles.RandomSearchOracle):
    """Independent draws."""


class Hyperband(Recalling, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best are trained for longer."""

    def _again(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Put the trial where it was: values that were there before come from the round before."""
        same = (one for one in reversed(self.start_order) if self._plain(one) == values)
        past = next(same, None)
        if past is None:
            return self._first_round(name, values)
        for bracket in reversed(self._brackets):
            for number, trials in enumerate(bracket["rounds"][:-1], start=1):
                if past in (one["id"] for one in trials):
                    bracket["rounds"][number].append({"past_id": past, "id": name})
                    epochs = self._get_epochs(bracket["bracket_num"], number)
                    return {**values, f"{OWN}trial_id": past, f"{OWN}epochs": epochs}
        raise LookupError(f"trial {name} repeats trial {past}, which was in the last round")

    def _first_round(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Put the trial into the first round that has room; no trial counts as finished yet."""
        before = self._seed_state
        drawn = self.populate_space(name)["values"]
        own = {key: value for key, value in drawn.items() if key.startswith(OWN)}
        if drawn != {**values, **own}:
            self._seed_state = before
        return {**values, **own}

    def _plain(self, name: str) -> dict[str, Any]:
        return plain(self.trials[name].hyperparameters.values)


class Grid(Recalling, keras_tuner.oracles.GridSearchOracle):
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


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values without those that KerasTuner adds for itself."""
    return {name: value for name, value in values.items() if not name.startswith(OWN)}


def open_oracle(config: TuningConfig, entries: Iterable[dict[str, Any]]) -> Any:
    """Oracle of a search that has had these trials, entries of trials.json.

    Raises
    ------
    InputError
        If the trials cannot be those of such a search.
    """
    common = {
        "objective": keras_tuner.Objective(config.objective, "min"),
        "hyperparameters": hyperparameters(config.space, config.base),
        "seed": _spread(config.seed),
    }
    oracle = _ORACLES[config.algorithm](config, common)
    oracle.max_trials = config.trials
    try:
        oracle.recall(entries)
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"This search cannot continue: what trials.json says of its trials does not fit its "
            f"settings ({error}). Its trials can still be read; start a new search."
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
