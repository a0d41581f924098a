"""What the dissertation's figures are made from here: a dataset and, if there is one, a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core import reference
from redshift_core.data import Dataset
from redshift_core.data.split import Split, split_rows
from redshift_core.errors import DamagedError
from redshift_core.evaluation.predictions import read_judged
from redshift_core.reports.document import Part
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.store import RunFolder
from redshift_core.store.history import read_history
from redshift_core.store.records import Evaluation

FEW_EPOCHS, MANY_EPOCHS = 20, 30  # of the dissertation's two loss figures
ENDS = (0, 1, 2, 183, 184, 185)  # pixels that Table 1 shows


@dataclass(frozen=True)
class Source:
    """A dataset and a run on it; everything is read when an item first needs it."""

    dataset: Dataset
    run: RunFolder | None = None
    seed: int = 0  # of the galaxies that are drawn

    @property
    def simulated(self) -> bool:
        """Whether the spectra are simulated."""
        return bool(self.dataset.info.get("simulated"))

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Usable rows of the dataset."""
        return self.dataset.usable_rows()

    @cached_property
    def config(self) -> RunConfig:
        """Settings of the run; the dissertation's own where there is none."""
        return self.run.config if self.run else preset("dissertation", self.dataset.id)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Loss and MAE per epoch; empty without a run."""
        return read_history(self.run) if self.run else reference.history().head(0)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Facts the run was made with and on."""
        return self.run.environment if self.run else {}

    @cached_property
    def damage(self) -> str:
        """What is wrong with the run's evaluation on this dataset; empty where nothing is."""
        try:
            if self.run and self.run.metrics(self.dataset.id):
                _ = self.predictions
        except DamagedError as error:
            return str(error)
        return ""

    @cached_property
    def metrics(self) -> Evaluation | None:
        """The run's evaluation on this dataset; None where there is none, or a damaged one."""
        if self.run is None or self.damage:
            return None
        return self.run.metrics(self.dataset.id)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """``z_spec`` and ``z_phot`` of the evaluated rows, where both are finite."""
        judged = read_judged(self.run.predictions_path(self.dataset.id))
        return pd.DataFrame({"z_spec": judged.z_spec, "z_phot": judged.z_phot})

    @cached_property
    def split(self) -> Split:
        """Rows that train, validate and test: the run's, else what its settings would give."""
        if self.run and self.run.split_path.exists():
            return Split.load(self.run.split_path)
        return split_rows(self.rows, self.config.split)

    @cached_property
    def is_private(self) -> bool:
        """Whether the dataset holds all three galaxies of the published Table 1."""
        return all(self._has(z, (*first, *last)) for z, first, last in reference.RANDOM_ROWS)

    def _has(self, z: float, ends: tuple[float, ...]) -> bool:
        near = np.flatnonzero(np.abs(self.dataset.z_spec - z) < 1e-7)
        flux = np.asarray(self.dataset.flux[near])[:, ENDS]
        return bool((np.abs(flux - np.array(ends)) < 6e-4).all(axis=1).any())


@dataclass(frozen=True)
class Item:
    """One figure or table of the dissertation and how it is made here."""

    number: str  # "Figure 9"; empty for the figures in its text
    title: str
    says: str  # what it shows, in one sentence
    private: str  # what of it can match only on the private data; empty where any data will do
    build: Callable[[Source], list[Part]]
    needs: str = "dataset"  # or "history", "metrics"

    @property
    def key(self) -> str:
        """Short name for keys and addresses: ``figure-9``."""
        return (self.number or self.title).lower().replace(" ", "-")

    @property
    def heading(self) -> str:
        """Number and title."""
        return f"{self.number}: {self.title}" if self.number else self.title

    def reservation(self, source: Source) -> str:
        """What of the item can match only on the private data, as a sentence; empty on those."""
        only = self.private and not source.is_private
        return f"Can match only on the private data: {self.private}" if only else ""

    def missing(self, source: Source) -> str:
        """What is not there yet to build the item; empty where it can be built."""
        if self.needs == "history" and not len(source.history):
            return "Needs a run with at least one epoch."
        if self.needs == "metrics" and not source.metrics:
            return "Needs a run that was evaluated on this dataset."
        return ""
