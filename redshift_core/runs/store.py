"""All folders under one root: list them, find one, make one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redshift_core.errors import InputError
from redshift_core.runs.files import slug, store_root
from redshift_core.runs.folders import (
    BenchFolder,
    DatasetFolder,
    JobFolder,
    LimitFolder,
    LongFolder,
    RunFolder,
    TuningFolder,
)


@dataclass(frozen=True)
class Store:
    """All folders under one root."""

    root: Path = field(default_factory=store_root)

    @property
    def inbox(self) -> Path:
        """Files waiting to be ingested: uploads, and what the user puts there."""
        return self._made("inbox")

    @property
    def cache(self) -> Path:
        """Tables that can be computed again."""
        return self._made("cache")

    @property
    def locks(self) -> Path:
        """OS lock files; a lock dies with its owner."""
        return self._made("locks")

    def prior_names(self) -> list[str]:
        """Names of the redshift distributions that users brought."""
        return sorted(path.stem for path in self._made("priors").glob("*.csv"))

    def prior_path(self, name: str) -> Path:
        """Table of a user's redshift distribution: z, n; inside the store, whatever the name."""
        return self._made("priors") / f"{slug(name)}.csv"

    def datasets(self) -> list[DatasetFolder]:
        """Every dataset, newest first."""
        return self._list("datasets", DatasetFolder)

    def runs(self) -> list[RunFolder]:
        """Every run, newest first."""
        return self._list("runs", RunFolder)

    def tunings(self) -> list[TuningFolder]:
        """Every search, newest first."""
        return self._list("tuning", TuningFolder)

    def limits(self) -> list[LimitFolder]:
        """Every study of the information limit, newest first."""
        return self._list("limits", LimitFolder)

    def benches(self) -> list[BenchFolder]:
        """Every bench, newest first."""
        return self._list("bench", BenchFolder)

    def long_jobs(self) -> list[LongFolder]:
        """Every run, search, study and bench."""
        return [*self.runs(), *self.tunings(), *self.limits(), *self.benches()]

    def jobs(self) -> list[JobFolder]:
        """Every short job, newest first."""
        return self._list("jobs", JobFolder)

    def dataset(self, name: str) -> DatasetFolder:
        """Dataset by id, or by name where only one has it."""
        return self._find(name, self.datasets(), "dataset")

    def run(self, name: str) -> RunFolder:
        """Run by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.runs(), "run")

    def tuning(self, name: str) -> TuningFolder:
        """Search by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.tunings(), "tuning")

    def limit(self, name: str) -> LimitFolder:
        """Study by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.limits(), "limit")

    def bench(self, name: str) -> BenchFolder:
        """Bench by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, self.benches(), "bench")

    def job(self, name: str) -> JobFolder:
        """Short job by id."""
        return self._find(name, self.jobs(), "job")

    def new_dataset(self, name: str) -> DatasetFolder:
        """Empty dataset folder under a hidden name; ``publish`` shows it when it is whole."""
        return DatasetFolder(self._new("datasets", name, hidden=True))

    def new_run(self, name: str) -> RunFolder:
        """Empty run folder."""
        return RunFolder(self._new("runs", name))

    def new_tuning(self, name: str) -> TuningFolder:
        """Empty folder of a search."""
        return TuningFolder(self._new("tuning", name))

    def new_limit(self, name: str) -> LimitFolder:
        """Empty folder of a study."""
        return LimitFolder(self._new("limits", name))

    def new_bench(self, name: str) -> BenchFolder:
        """Empty folder of a bench."""
        return BenchFolder(self._new("bench", name))

    def new_job(self, kind: str) -> JobFolder:
        """Empty job folder."""
        return JobFolder(self._new("jobs", kind))

    def _made(self, part: str) -> Path:
        path = self.root / part
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _list(self, part: str, kind: type) -> list[Any]:
        folder = self.root / part
        if not folder.exists():
            return []
        names = (p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        return [kind(path) for path in sorted(names, reverse=True)]

    def _find(self, name: str, folders: list[Any], what: str) -> Any:
        if name == "latest" and folders:
            return folders[0]
        found = [f for f in folders if f.id == name] or [f for f in folders if f.name == name]
        if len(found) == 1:
            return found[0]
        kinds = "benches" if what == "bench" else f"{what}s"
        if found:
            ids = ", ".join(f.id for f in found)
            raise InputError(f"{len(found)} {kinds} are called {name!r}; give the id: {ids}.")
        known = ", ".join(f.id for f in folders[:5]) or f"none; the store {self.root} is empty"
        raise InputError(f"No {what} {name!r} here. Newest {kinds}: {known}.")

    def _new(self, part: str, name: str, hidden: bool = False) -> Path:
        folder = self._made(part)
        base = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug(name)}"
        for attempt in range(1, 1000):
            final = base if attempt == 1 else f"{base}-{attempt}"
            path = folder / (f".new-{final}" if hidden else final)
            if (folder / final).exists():
                continue
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
        raise InputError(f"More than 1000 folders begin with {base} in {folder}; delete some.")


def publish(dataset: DatasetFolder) -> DatasetFolder:
    """Show a dataset made by ``Store.new_dataset``, whole, under its final id."""
    final = dataset.path.with_name(dataset.path.name.removeprefix(".new-"))
    os.rename(dataset.path, final)
    return DatasetFolder(final)
