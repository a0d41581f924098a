"""What one study of the information limit and one bench are on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.limit import LimitConfig
from redshift_core.store.files import read_json, write_json
from redshift_core.store.folders import LongFolder, RunFolder

if TYPE_CHECKING:  # making the records costs every command 15 ms, and few need them
    from redshift_core.store.study_records import BenchResult, LimitResult, LimitRow, QuotedRun


@dataclass(frozen=True)
class LimitFolder(LongFolder):
    """A study of the information limit of the simulated survey."""

    @property
    def config(self) -> LimitConfig:
        """Every setting of the study, checked."""
        return self.read_config(LimitConfig)

    @property
    def plan_path(self) -> Path:
        """Passes of every size, decided once, and the speed they were decided by."""
        return self.path / "plan.json"

    @property
    def rows_path(self) -> Path:
        """An entry per finished training."""
        return self.path / "rows.json"

    @property
    def recipes_path(self) -> Path:
        """An entry per run that is quoted against the limit."""
        return self.path / "recipes.json"

    @property
    def limit_path(self) -> Path:
        """Rows, limit with its intervals, recipes: all of the result."""
        return self.path / "limit.json"

    @property
    def table_path(self) -> Path:
        """The result as Markdown."""
        return self.path / "limit.md"

    @property
    def outcome(self) -> LimitResult | None:
        """Content of ``limit.json``; None before the first training is done."""
        from redshift_core.store.study_records import LimitResult

        found = read_json(self.limit_path)
        return LimitResult.from_dict(found, self.limit_path) if found else None

    @property
    def figure_path(self) -> Path:
        """The result as a figure, one HTML file."""
        return self.path / "limit.html"

    @property
    def rows(self) -> list[LimitRow]:
        """Entries of ``rows.json``; empty before the first training is done."""
        from redshift_core.store.study_records import LimitRow

        path = self.rows_path
        return [LimitRow.from_dict(one, path) for one in read_json(path, list)]

    @property
    def recipes(self) -> list[QuotedRun]:
        """Entries of ``recipes.json``."""
        from redshift_core.store.study_records import QuotedRun

        path = self.recipes_path
        return [QuotedRun.from_dict(one, path) for one in read_json(path, list)]

    @property
    def surveys_path(self) -> Path:
        """A store of their own for the simulated surveys that trainings still need."""
        return self.path / "surveys"

    def training(self, key: str) -> RunFolder:
        """Folder of one training: an ordinary run, with a checkpoint until it is judged."""
        return RunFolder(self.path / "trainings" / key)

    def answers_path(self, key: str) -> Path:
        """What one training's model says of each test galaxy."""
        return self.training(key).path / "answers.npz"

    def recipe_path(self, run: str) -> Path:
        """What a run's model says of each test galaxy."""
        return self.path / "recipes" / f"{run}.npz"


@dataclass(frozen=True)
class BenchFolder(LongFolder):
    """Networks and baselines side by side, a file per row; the networks are ordinary runs."""

    @property
    def config(self) -> BenchConfig:
        """Every setting of the bench, checked."""
        return self.read_config(BenchConfig)

    @property
    def table_path(self) -> Path:
        """The rows so far, as Markdown."""
        return self.output / "bench.md"

    @property
    def json_path(self) -> Path:
        """Everything measured so far, as one JSON object."""
        return self.output / "bench.json"

    @property
    def outcome(self) -> BenchResult | None:
        """Content of ``bench.json``; None before the first row is done."""
        from redshift_core.store.study_records import BenchResult

        found = read_json(self.json_path)
        return BenchResult.from_dict(found, self.json_path) if found else None

    @property
    def page_path(self) -> Path:
        """Table and figure, as one HTML file."""
        return self.output / "bench.html"

    def row(self, name: str) -> dict[str, Any]:
        """What is known of a row: who computes it, and its figures when it is done."""
        return read_json(self.row_path(name))

    def row_path(self, name: str) -> Path:
        """Where a row is kept."""
        return self.path / "rows" / f"{name}.json"

    def write_row(self, name: str, row: dict[str, Any]) -> None:
        """Keep what is known of a row."""
        path = self.row_path(name)
        path.parent.mkdir(exist_ok=True)
        write_json(path, row)
