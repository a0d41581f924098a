"""What is done of a catalogue that is worked on in parts: ``manifest.jsonl`` beside its result.

The first line says what the work is, each further one what became of a part; of several lines of
one part the last counts. A line is appended when a part is done, so a kill costs only the parts
that were under way, and a line that it cut off counts as none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock

from redshift_core.errors import DamagedError, InputError
from redshift_core.store.files import atomic, file_digest

NAME = "manifest.jsonl"
LOCK = ".manifest.lock"
REMEDY = "Bring it back from a copy, or choose another folder for the result."


class Manifest:
    """The manifest of a folder, held by one process at a time.

    Parameters
    ----------
    folder : Path
        Made where it is missing; one that holds other files is refused.
    about : mapping
        What the work is, for JSON. ``run`` and ``catalogue`` are named where it is refused.
    same : sequence of str
        Entries of ``about`` that must be as they were when the work began.

    Raises
    ------
    InputError
        Where another process works there, or the folder belongs to other work.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], same: tuple[str, ...]):
        self.path = folder / NAME
        self.records: dict[str, dict[str, Any]] = {}  # part → its last line, when it was opened
        if folder.is_dir() and not self.path.exists() and _visible(folder):
            raise InputError(
                f"{folder} holds files and no {NAME}; choose a new or an empty folder for the "
                "result."
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(folder / LOCK)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise InputError(
                f"Another job is writing into {folder}; wait for its end, or stop it."
            ) from None
        try:
            self._read(about, same)
            self._rewrite(about)
            self._file = self.path.open("a", encoding="utf-8")
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.release()

    def add(self, record: dict[str, Any]) -> None:
        """Note what became of a part: ``part`` is its name, ``failed`` why it has no result.

        Else ``input`` (size and time of its file), ``out`` (path below the folder), ``bytes``,
        ``sha256`` and ``rows``.
        """
        self._file.write(_line(record))
        self._file.flush()

    def is_whole(self, record: Mapping[str, Any], stamp: list[int]) -> bool:
        """Whether the result of a part is whole and was made of the file as it now is."""
        if "failed" in record or record["input"] != stamp:
            return False
        path = self.path.parent / record["out"]
        if not path.is_file() or path.stat().st_size != record["bytes"]:
            return False
        return file_digest(path) == record["sha256"]

    def _read(self, about: Mapping[str, Any], same: tuple[str, ...]) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").split("\n")
        try:
            first, *records = map(json.loads, lines[:-1])  # the last is empty, or cut off
            self.records = {record["part"]: record for record in records}
            known = {name: first[name] for name in (*same, "run")}
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError.of(self.path, f"it holds something else ({error})", REMEDY) from None
        if known["run"] != about["run"]:
            raise InputError(
                f"{self.path} is that of run {known['run']}, and this is run {about['run']}; "
                "choose another folder for the result, or that run."
            )
        if other := [name for name in same if known[name] != about[name]]:
            raise InputError(
                f"{self.path} was begun with another {' and another '.join(other)} of the same "
                "run; choose another folder for the result, or give the same options as then."
            )

    def _rewrite(self, about: Mapping[str, Any]) -> None:
        """Leave out what no longer counts."""
        with atomic(self.path) as part, part.open("w", encoding="utf-8") as file:
            file.writelines(map(_line, [dict(about), *self.records.values()]))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _visible(folder: Path) -> bool:
    return any(not path.name.startswith(".") for path in folder.iterdir())
