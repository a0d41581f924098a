"""What is done of a catalogue: which parts are left, what is told of it, and what it comes to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redshift_core.data.parts import Part
from redshift_core.errors import InputError
from redshift_core.evaluation.training_range import FLAGS, Coverage
from redshift_core.evaluation.verdict import Tally
from redshift_core.store import JobContext
from redshift_core.store.manifest import Manifest

NAMED = 20  # failed parts that the progress and the result name, at most


@dataclass
class Work:
    """What is done, what is told of it, and what it comes to."""

    context: JobContext
    manifest: Manifest
    coverage: Coverage
    parts: Sequence[Part]
    begin: float = field(default_factory=time.monotonic)
    done: dict[str, dict[str, Any]] = field(default_factory=dict)  # part → line of the manifest
    failed: dict[str, str] = field(default_factory=dict)  # part → reason
    rows: int = 0  # of the parts that are done
    rows_before: int = 0  # of them, those of earlier jobs
    bytes_left: int = 0  # of the parts that are still to be predicted
    bytes_now: int = 0  # of those that this job has predicted

    def undone(self) -> list[Part]:
        """Parts to be predicted; the others are whole and count as they are."""
        names = {part.name for part in self.parts}
        if gone := sorted(set(self.manifest.records) - names):
            raise InputError(
                f"{gone[0]} stands in {self.manifest.path} and is not in the catalogue any more; "
                "give the whole catalogue, or another folder for the result."
            )
        todo = []
        for part in self.parts:
            self.context.report_or_stop(message="Looking at the parts that are done.")
            if self.manifest.is_done(part.name, part.stamp):
                self._count(self.manifest.records[part.name])
            else:
                todo.append(part)
        self.bytes_left = sum(part.n_bytes for part in todo)
        self.rows_before, self.begin = self.rows, time.monotonic()
        self.look(0)
        return todo

    def add(self, record: dict[str, Any]) -> None:
        """Note a part that is done or has failed."""
        self.manifest.add(record)
        self.bytes_left -= record["input"][0]
        self.bytes_now += record["input"][0]
        if "failed" in record:
            self.failed[record["part"]] = record["failed"]
            print(f"{record['part']}: {record['failed']}", flush=True)
        else:
            self._count(record)
        self.look(0)

    def look(self, under_way: int) -> None:
        """Tell the progress; Stopped is raised where the user asked for it."""
        all_bytes = sum(part.n_bytes for part in self.parts)
        rows, done = self.rows + under_way, all_bytes - self.bytes_left
        seconds = time.monotonic() - self.begin
        rate = (rows - self.rows_before) / seconds if seconds else 0.0
        more = f", {rate:,.0f} spectra/s" if rate else ""
        more += f", {len(self.failed):,} failed" if self.failed else ""
        said = f"Predicted {rows:,} spectra in {len(self.done):,} of {len(self.parts):,} parts"
        self.context.report_or_stop(
            done, all_bytes, f"{said}{more}.", rows=rows, parts=len(self.done),
            n_parts=len(self.parts), rate=rate, n_failed=len(self.failed), failed=self.named(),
            seconds_left=seconds * self.bytes_left / self.bytes_now if self.bytes_now else None,
        )  # fmt: skip

    def named(self) -> list[dict[str, str]]:
        """The first parts that failed, and why."""
        return [{"part": part, "why": self.failed[part]} for part in sorted(self.failed)[:NAMED]]

    def result(self) -> dict[str, Any]:
        """Of the job."""
        tally, flagged = Tally(self.coverage), dict.fromkeys(FLAGS, 0)
        for record in self.done.values():
            tally.add_counts(record["tally"])
            for name, n in record["flagged"].items():
                flagged[name] += n
        seconds = time.monotonic() - self.begin
        n_new = self.rows - self.rows_before
        return {
            "rows": self.rows,
            "parts": len(self.done),
            "n_parts": len(self.parts),
            "n_failed": len(self.failed),
            "failed": self.named(),
            "flagged": flagged,
            "verdict": tally.verdict().to_dict(),
            "seconds": round(seconds, 3),
            "rows_now": n_new,
            "rate": round(n_new / seconds, 1) if seconds else 0.0,
            "out": str(self.manifest.path.parent),
            "manifest": str(self.manifest.path),
        }

    def _count(self, record: dict[str, Any]) -> None:
        self.done[record["part"]] = record
        self.rows += record["rows"]
