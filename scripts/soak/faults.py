"""What the trials of kills and of full disks share: a store, small work, and what is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from redshift_core import data, jobs
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.store import DatasetFolder, JobFolder, Store, demo_file

LONGEST = 300.0  # s that one job may take before the trial gives it up


def open_store(home: Path) -> Store:
    """A store of its own, which child processes find too."""
    os.environ["REDSHIFT_LAB_HOME"] = str(home)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return Store()


def survey(path: Path, n: int) -> Path:
    """So many spectra of the demo survey (SIMULATED), repeated if it has fewer, as Parquet."""
    table = pq.read_table(demo_file())
    times = -(-n // len(table))
    pq.write_table(pa.concat_tables([table] * times).slice(0, n), path)
    return path


def small_dataset(store: Store, aside: Path) -> DatasetFolder:
    """The first 600 galaxies of the demo survey (SIMULATED)."""
    return data.ingest(survey(aside / "survey.parquet", 600), store, name="small")


def small_training(dataset: str, epochs: int = 12) -> RunConfig:
    """A training that takes seconds."""
    values = {"epochs": str(epochs), "dense_units": "16", "min_steps": "0", "seed": "1"}
    return preset("fast", dataset).with_values(values)


def end(job: JobFolder) -> jobs.Status:
    """Status of a job when it has ended; whatever is at work after a while is killed."""
    if (now := jobs.wait(job, timeout=LONGEST)).active:
        jobs.kill(job)
    return now


def hidden(*folders: Path) -> list[Path]:
    """What was begun and not ended, anywhere in some folders."""
    found = [path for folder in folders for path in folder.rglob(".*")]
    return [path for path in found if path.name.startswith((".tmp-", ".new-", ".room"))]


class Count:
    """Attempts of a trial, and why those that were lost were."""

    def __init__(self) -> None:
        self.tried = self.survived = 0
        self.why: list[str] = []

    def add(self, what: str, attempt: Callable[[], str]) -> None:
        """One attempt; it says what was lost, or nothing. An error that it raises is a loss too."""
        self.tried += 1
        try:
            said = attempt()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        if said:
            self.why.append(f"{what}: {' '.join(said.split())[:200]}")
        else:
            self.survived += 1

    @property
    def note(self) -> str:
        """The first losses."""
        return "; ".join(self.why[:3])
