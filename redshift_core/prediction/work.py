"""What is done of a catalogue: which parts are left, what is told of it, and what it comes to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redshift_core.constants import counted
from redshift_core.data.parts import Part
from redshift_core.errors import InputError
from redshift_core.evaluation.training_range import FLAGS, Coverage
from redshift_core.evaluation.verdict import Tally
from redshift_core.store import JobContext
from redshift_core.store.manifest import Manifest

NAMED = 20  # failed parts that the progress and the result name, at most


class Work:
    """What is done, what is told of it, and what it comes to."""

    def __init__(
        self, context: JobContext, manifest: Manifest, coverage: Coverage, parts: Sequence[Part]
    ):
        self.context, self.manifest, self.parts = context, manifest, parts
        self.tally, self.flagged = Tally(coverage), dict.fromkeys(FLAGS, 0)
        self.n_done = self.n_failed = 0  # parts
        self.failed: list[dict[str, str]] = []  # the first parts that failed, and why
        self.rows = self.rows_before = 0  # of the parts that are done; of them, by earlier jobs
        self.n_without_id = 0  # rows whose file gives them no source_id
        self.n_bytes = sum(part.n_bytes for part in parts)
        self.bytes_left = self.bytes_now = 0  # to be predicted; predicted by this job
        self.begin = time.monotonic()

    def undone(self) -> list[Part]:
        """Parts to be predicted; the others are whole and count as they are."""
        names = {part.name for part in self.parts}
        listed = self.manifest.records.items()  # a failed part has no result that could mislead
        if gone := sorted({name for name, one in listed if not one.get("failed")} - names):
            raise InputError(
                f"{gone[0]} is listed in {self.manifest.path} but is not in the catalogue any "
                "more; give the whole catalogue, or another folder for the result."
            )
        todo = []
        for part in self.parts:
            self.context.report_or_stop(message="Looking at the parts that are done.")
            record = self.manifest.records.pop(part.name, None)
            if record and self.manifest.is_whole(record, part.stamp):
                self._count(record)
            else:
                todo.append(part)
        self.bytes_left = sum(part.n_bytes for part in todo)
        self.rows_before, self.begin = self.rows, time.monotonic()
        self.look()
        return todo

    def add(self, record: dict[str, Any]) -> None:
        """Note a part that is done or has failed; the latter leaves no result."""
        part = Part(record["part"], *record["input"])
        if why := record.get("failed"):
            (self.manifest.path.parent / part.out).unlink(missing_ok=True)
            print(f"{part.name}: {why}", flush=True)
            self.n_failed += 1
            if len(self.failed) < NAMED:
                self.failed.append({"part": part.name, "why": why})
        else:
            self._count(record)
        self.manifest.add(record)
        self.bytes_left -= part.n_bytes
        self.bytes_now += part.n_bytes
        self.look()

    def look(self, under_way: int = 0) -> None:
        """Tell the progress; Stopped is raised where the user asked for it.

        Parameters
        ----------
        under_way : int
            Rows that are predicted of the part that this process has.
        """
        rows, seconds = self.rows + under_way, time.monotonic() - self.begin
        rate = (rows - self.rows_before) / seconds if seconds else 0.0
        more = f", {rate:,.0f} spectra/s" if rate else ""
        more += f", {self.n_failed:,} failed" if self.n_failed else ""
        said = f"Predicted {counted(rows, 'spectrum')} in {self.n_done:,} of "
        said += f"{counted(len(self.parts), 'part')}{more}."
        self.context.report_or_stop(
            self.n_bytes - self.bytes_left, self.n_bytes, said, rate=rate, **self._counts(),
            seconds_left=seconds * self.bytes_left / self.bytes_now if self.bytes_now else None,
        )  # fmt: skip

    def result(self) -> dict[str, Any]:
        """Of the job."""
        seconds, n_new = time.monotonic() - self.begin, self.rows - self.rows_before
        return {
            **self._counts(),
            "flagged": self.flagged,
            "n_without_id": self.n_without_id,
            "verdict": self.tally.verdict().to_dict(),
            "seconds": round(seconds, 3),
            "rows_now": n_new,
            "rate": round(n_new / seconds, 1) if seconds else 0.0,
            "out": str(self.manifest.path.parent),
            "manifest": str(self.manifest.path),
        }

    def _counts(self) -> dict[str, Any]:
        return {
            "rows": self.rows, "parts": self.n_done, "n_parts": len(self.parts),
            "n_failed": self.n_failed, "failed": self.failed,
        }  # fmt: skip

    def _count(self, record: dict[str, Any]) -> None:
        self.n_done += 1
        self.rows += record["rows"]
        self.n_without_id += record.get("n_without_id", 0)
        self.tally.add_counts(record["tally"])
        for name, n in record["flagged"].items():
            self.flagged[name] += n
