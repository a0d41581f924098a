"""Every setting of a search, and the names they may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from redshift_core.errors import InputError
from redshift_core.settings.fields import Settings, setting
from redshift_core.settings.names import METRICS
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.settings.space import DEFAULT_SPACE, Parameter, free, run_config

SCHEMA_VERSION = 1

ALGORITHMS = {
    "bayesian": "Learns from the trials so far which networks are promising (Gaussian process); "
    "the first half of the trials is drawn at random.",
    "random": "Draws every trial independently: simple, hard to beat with many workers.",
    "grid": "Goes through every combination in order; only for small spaces.",
    "hyperband": "Trains many networks briefly and the best of them longer.",
}
OBJECTIVES = {"val_mae": METRICS["mae"], **{k: v for k, v in METRICS.items() if k != "mae"}}


@dataclass(frozen=True)
class TuningConfig(Settings):
    """One search, whole."""

    dataset: str = setting("", "Dataset id.")
    base: RunConfig = field(default_factory=lambda: preset("fast"))  # every setting not searched
    algorithm: str = setting("bayesian", "How the next trial is chosen.", names=ALGORITHMS)
    trials: int = setting(30, "Trials in all.", low=1, high=100_000)
    epochs: int = setting(
        5, "Epochs of each trial; of the longest one in a Hyperband search.", low=1, high=100_000
    )
    hours: float = setting(
        0.0, "No trial begins later than this after the start; 0 sets no limit.", low=0.0
    )
    early_stopping: int = setting(
        0, "End a trial after this many epochs without a lower validation loss; 0 never.", low=0
    )
    train_share: float = setting(
        1.0, "Share of the training rows that trials see; all validation rows judge.",
        low=0.001, high=1.0,
    )  # fmt: skip
    repeats: int = setting(
        1, "Trainings of each trial, from different seeds; their mean counts.", low=1, high=100
    )
    seed: int = setting(1, "Seed of the search and of its share of rows.", low=0, high=2**31 - 2)
    objective: str = setting(
        "val_mae",
        "What is minimised on the validation rows, at the epoch of the lowest validation MAE; of a "
        "bias its size.",
        names=OBJECTIVES,
    )  # fmt: skip
    workers: int = setting(1, "Trials at a time on this machine.", low=1, high=256)
    space: tuple[Parameter, ...] = DEFAULT_SPACE
    schema_version: int = setting(SCHEMA_VERSION, "Version of this list of settings.")

    def check(self) -> None:
        """Refuse a newer schema, names twice, nothing to search, and a look at the test rows."""
        if self.schema_version > SCHEMA_VERSION:
            raise InputError(
                f"This search has schema version {self.schema_version}, this program reads up to "
                f"{SCHEMA_VERSION}; update Redshift Lab."
            )
        names = [parameter.name for parameter in self.space]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{', '.join(twice)} appears twice in the search space; keep one.")
        if not free(self.space):
            raise InputError(
                "The search space has nothing to search: every parameter is fixed or there is "
                "none. Give one a range or a choice."
            )
        if self.base.scaler.fit_on == "all":
            raise InputError(
                "fit_on = 'all' would show the test rows to the scaler, and a search never touches "
                "them. Use fit_on = train."
            )
        run_config(self.base, {p.name: p.value for p in self.space if p.kind == "fixed"})
