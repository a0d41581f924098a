"""All folders under one root: list them, find one, make one."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redshift_core.errors import DamagedError, InputError, nearest
from redshift_core.store import base, faults, read_only
from redshift_core.store.damage import damage
from redshift_core.store.files import decoded, slug, store_root
from redshift_core.store.folders import (
    DatasetFolder,
    Folder,
    JobFolder,
    LongFolder,
    RunFolder,
    TuningFolder,
)
from redshift_core.store.remembered import stamp_of
from redshift_core.store.study_folders import BenchFolder, LimitFolder

PARTS: dict[str, type[Folder]] = {  # folder of the store → what each folder in it is
    "datasets": DatasetFolder, "runs": RunFolder, "tuning": TuningFolder, "limits": LimitFolder,
    "bench": BenchFolder, "jobs": JobFolder,
}  # fmt: skip
_IN_THE_MAKING = 10.0  # s that a new folder may be empty before it counts as damaged
_ID = re.compile(r"\d{8}-\d{6}-.")  # how the id of a folder made here begins
_look: ContextVar[dict[Any, list[tuple[Any, str]]] | None] = ContextVar("look", default=None)


@contextlib.contextmanager
def one_look() -> Iterator[None]:
    """Within it, whether a folder can be used is looked at once, however often it is listed."""
    token = _look.set({})
    try:
        yield
    finally:
        _look.reset(token)


@dataclass(frozen=True)
class Store:
    """All folders under one root.

    Lists hold what can be used; `damaged` holds the rest.
    """

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
        return self._whole("datasets")

    def runs(self) -> list[RunFolder]:
        """Every run, newest first."""
        return self._whole("runs")

    def tunings(self) -> list[TuningFolder]:
        """Every search, newest first."""
        return self._whole("tuning")

    def limits(self) -> list[LimitFolder]:
        """Every study of the information limit, newest first."""
        return self._whole("limits")

    def benches(self) -> list[BenchFolder]:
        """Every bench, newest first."""
        return self._whole("bench")

    def long_jobs(self) -> list[LongFolder]:
        """Every run, search, study and bench."""
        return [*self.runs(), *self.tunings(), *self.limits(), *self.benches()]

    def jobs(self) -> list[JobFolder]:
        """Every short job, newest first."""
        return self._whole("jobs")

    def damaged(self, *parts: str) -> list[tuple[Any, str]]:
        """Every folder that cannot be used, newest first, and why; of all ``PARTS`` or some."""
        listed = [pair for part in parts or PARTS for pair in self.listed(part)]
        return [(folder, why) for folder, why in listed if why]

    def dataset(self, name: str) -> DatasetFolder:
        """Dataset by id, or by name where only one has it."""
        return self._find(name, "datasets", "dataset")

    def run(self, name: str, *, take_in: bool = True) -> RunFolder:
        """Run by id, or by name where only one has it; ``latest`` is the newest.

        ``base`` is the network that comes with the package; the first time, it is taken in,
        unless only what is here already is asked for.
        """
        if take_in and name == base.BASE and base.base_id():
            return base.named_base(self)
        if take_in and name == base.base_id() and not base.is_complete(self):
            return base.base_run(self)
        return self._find(name, "runs", "run")

    def tuning(self, name: str) -> TuningFolder:
        """Search by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, "tuning", "tuning")

    def limit(self, name: str) -> LimitFolder:
        """Study by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, "limits", "limit")

    def bench(self, name: str) -> BenchFolder:
        """Bench by id, or by name where only one has it; ``latest`` is the newest."""
        return self._find(name, "bench", "bench")

    def job(self, name: str) -> JobFolder:
        """Short job by id."""
        return self._find(name, "jobs", "job")

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
        if read_only.is_read_only():
            return path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # who only looks can do without it; who writes is told
            if error.errno not in faults.DENIED:
                raise
        return path

    def _whole(self, part: str) -> list[Any]:
        """Folders that can be used, newest first."""
        return [folder for folder, why in self.listed(part) if not why]

    def listed(self, part: str) -> list[tuple[Any, str]]:
        """Every folder, newest first, the base network last, and why it cannot be used."""
        look, root = _look.get(), self.root / part
        if look is None:
            return self._looked(part)
        key = root, stamp_of(root)  # what comes or goes changes the folder
        if key not in look:
            look[key] = self._looked(part)
        return list(look[key])

    def _looked(self, part: str) -> list[tuple[Any, str]]:
        pairs = [(folder, damage(folder)) for folder in self.folders(part)]
        return [(folder, why) for folder, why in pairs if not why or not comes_or_goes(folder)]

    def folders(self, part: str) -> list[Any]:
        """Every folder as `listed` has it, without a look into it."""
        root = self.root / part
        if not root.exists():
            return []
        with os.scandir(root) as entries:
            names = [one.name for one in entries if one.name[0] != "." and one.is_dir()]
        first = base.base_id() if part == "runs" else None
        names.sort(key=lambda name: (name != first, name), reverse=True)
        return [PARTS[part](root / name) for name in names]

    def _find(self, name: str, part: str, what: str) -> Any:
        listed, name = self.listed(part), decoded(name)
        if name == "latest" and listed:
            newest = next((pair for pair in listed if not pair[1] or _ID.match(pair[0].id)), None)
            listed, name = ([newest], newest[0].id) if newest else (listed, name)
        matches = [p for p in listed if p[0].id == name] or [p for p in listed if p[0].name == name]
        if len(matches) == 1:
            folder, why = matches[0]
            if why:
                raise DamagedError(why)
            return folder
        kinds = "benches" if what == "bench" else f"{what}s"
        if matches:
            ids = ", ".join(folder.id for folder, _ in matches)
            raise InputError(f"{len(matches)} {kinds} are called {name!r}; give the id: {ids}.")
        whole = [folder.id for folder, why in listed if not why]
        known = ", ".join(whole[:5]) or f"none; the store is {self.root}"
        near = nearest(name, [one for folder, _ in listed for one in (folder.name, folder.id)])
        raise InputError(f"No {what} {name!r} here{near}. Newest {kinds}: {known}.")

    def _new(self, part: str, name: str, hidden: bool = False) -> Path:
        read_only.refuse_writing()
        folder = self._made(part)
        base = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug(name)}"
        for attempt in range(1, 1000):
            final = base if attempt == 1 else f"{base}-{attempt}"
            path = folder / (f".new-{final}" if hidden else final)
            if (folder / final).exists():
                continue
            try:
                with faults.writing(path):
                    path.mkdir()
            except FileExistsError:
                continue
            return path
        raise InputError(f"More than 1000 folders begin with {base} in {folder}; delete some.")


def comes_or_goes(folder: Folder) -> bool:
    """Whether a folder is just being made, or was deleted meanwhile."""
    try:
        is_new = time.time() - folder.path.stat().st_mtime < _IN_THE_MAKING
        return is_new and not any(folder.path.iterdir())
    except OSError:
        return True


def publish(dataset: DatasetFolder) -> DatasetFolder:
    """Show a dataset made by ``Store.new_dataset``, whole, under its final id."""
    final = dataset.path.with_name(dataset.path.name.removeprefix(".new-"))
    os.rename(dataset.path, final)
    return DatasetFolder(final)
