"""A run judged on one dataset: one folder, made aside and then put in place, whole or not at all.

A folder that is not empty cannot be replaced in one step, so the old one is set aside under a
hidden name for the instant until the new one has its place. Where a kill comes between the two
steps, whoever looks next puts the old one back.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from redshift_core.errors import JUDGE_AGAIN, DamagedError
from redshift_core.store import read_only
from redshift_core.store.files import clear_left, lock_of, part_of, read_json
from redshift_core.store.records import Evaluation, Stress, Summary
from redshift_core.store.remembered import remembered
from redshift_core.store.shapes import PERTURB_AGAIN

SET_ASIDE = ".old-"  # before the name of a dataset: the evaluation that is being replaced
T = TypeVar("T")
Stamp = tuple[int, int]  # time of the metrics, ns, and number of their file


@dataclass(frozen=True)
class EvaluationFolder:
    """What a run says of one dataset; every file in it belongs to the same predictions."""

    path: Path

    @property
    def dataset(self) -> str:
        """Id of the dataset."""
        return self.path.name

    @cached_property
    def metrics_path(self) -> Path:
        """Figures of merit; a folder without them is no evaluation."""
        return self.path / "metrics.json"

    @property
    def predictions_path(self) -> Path:
        """Per row: row, source_id, z_spec, z_phot, brightness, flags.

        With a PDF head also z_low68, z_high68, z_low95 and z_high95; where the dataset holds
        Gaia's own redshift, that and its limits (``INCUMBENT_COLUMNS``).
        """
        return self.path / "predictions.parquet"

    @property
    def pdf_path(self) -> Path:
        """p(z) under the training prior, float16 (n, 240) in 1/z, line by line as predicted."""
        return self.path / "pdf.npy"

    @property
    def real_galaxies_path(self) -> Path:
        """What the run says of three real galaxies."""
        return self.path / "real_galaxies.json"

    @property
    def stress_path(self) -> Path:
        """Errors on perturbed spectra: `prediction.stress_run`; added later, if at all."""
        return self.path / "stress.json"

    @property
    def summary_path(self) -> Path:
        """What Evaluate shows at first; an evaluation by an earlier version lacks it."""
        return self.path / "summary.json"

    @property
    def summary(self) -> Summary | None:
        """Content of ``summary.json``; None where it is missing or cannot be used."""
        with contextlib.suppress(DamagedError):
            if found := read_json(self.summary_path):
                return Summary.from_dict(found, self.summary_path)
        return None

    @property
    def metrics(self) -> Evaluation | None:
        """Figures of merit; None where there are none."""
        return remembered(_metrics, self.metrics_path)

    @property
    def mae(self) -> float | None:
        """Mean absolute error, in z, also where the other figures cannot be used; else None."""
        with contextlib.suppress(DamagedError):
            value = remembered(_mae, self.metrics_path)
            return value if isinstance(value, int | float) else None
        return None

    @property
    def stress(self) -> Stress | None:
        """Content of ``stress.json``; None where there is none."""
        found = read_json(self.stress_path, remedy=PERTURB_AGAIN)
        if not found and not self.stress_path.exists():
            return None
        return Stress.from_dict(found, self.stress_path)

    @property
    def written(self) -> float:
        """Unix time at which the run was judged, s; 0 where it was not."""
        stamp = self.stamp
        return stamp[0] / 1e9 if stamp else 0.0

    @property
    def stamp(self) -> Stamp | None:
        """What tells this evaluation from the one before and the one after; None without one."""
        return self._look() or self.settled()._look()

    @contextlib.contextmanager
    def unchanged(self, stamp: Stamp | None) -> Iterator[bool]:
        """Whether it is still the one of that stamp; it stays so until the block ends."""
        with lock_of(self.path.parents[1]):
            yield self._look() == stamp

    def together(self, read: Callable[[EvaluationFolder], T]) -> T:
        """What a function reads from files that belong together.

        It is called again where the evaluation was renewed while it opened them.
        """
        while True:
            stamp = self.stamp
            try:
                result = read(self)
            except (FileNotFoundError, DamagedError):
                if self.stamp == stamp:
                    raise
                continue
            if self.stamp == stamp:
                return result

    def settled(self) -> EvaluationFolder:
        """Undo or complete a replacement that was cut short; the folder itself."""
        set_aside = f"{self.path.parent}/{SET_ASIDE}{self.dataset}"
        if os.path.exists(set_aside) and not read_only.is_read_only():
            with lock_of(self.path.parents[1]):  # a replacement that is under way holds it
                self._settle()
        return self

    @contextlib.contextmanager
    def renewed(self) -> Iterator[EvaluationFolder]:
        """A hidden folder to fill; it takes this one's place when the block ends without an error.

        Whatever was added to the evaluation before goes with it.
        """
        read_only.refuse_writing()
        clear_left(self.path.parent, self.path.name)
        new = EvaluationFolder(part_of(self.path))
        new.path.mkdir(parents=True)
        try:
            yield new
            with lock_of(self.path.parents[1]):
                self._settle()
                if self.path.exists():
                    os.rename(self.path, self._old)
                os.rename(new.path, self.path)
                shutil.rmtree(self._old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(new.path, ignore_errors=True)
            raise

    def _look(self) -> Stamp | None:
        try:
            found = self.metrics_path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_mtime_ns, found.st_ino

    @property
    def _old(self) -> Path:
        return self.path.with_name(f"{SET_ASIDE}{self.dataset}")

    def _settle(self) -> None:
        if not self._old.exists():
            return
        if self.path.exists():
            shutil.rmtree(self._old, ignore_errors=True)
        else:
            os.rename(self._old, self.path)


def _metrics(path: Path) -> Evaluation | None:
    found = read_json(path, remedy=JUDGE_AGAIN)
    return Evaluation.from_dict(found, path) if found or path.exists() else None


def _mae(path: Path) -> Any:
    """Mean absolute error in a ``metrics.json``, of which the bins and densities are most."""
    with contextlib.suppress(
        OSError, ValueError, KeyError
    ):  # the figures stand before the first list
        with open(path, "rb", buffering=0) as file:
            head = file.read(4096).partition(b"[")[0].rpartition(b",")[0]
        return json.loads(head.decode("utf-8") + "}")["mae"]
    return read_json(path).get("mae")


def evaluations_in(folder: Path) -> list[EvaluationFolder]:
    """Every evaluation of a run, newest first; those that are being made are not among them."""
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    datasets = {name.removeprefix(SET_ASIDE) for name in names}
    folders = [
        EvaluationFolder(folder / name).settled() for name in datasets if not name.startswith(".")
    ]
    return sorted(folders, key=lambda one: -one.written)
