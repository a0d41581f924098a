"""SHA-256 of a table's files, made in a thread of its own while they are parsed."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from redshift_core.data.files import files_of

CHUNK = 1 << 20  # bytes


class Fingerprint:
    """Hash under way; leaving the context ends it."""

    def __init__(self, path: Path):
        self._path = path
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[str] = self._pool.submit(self._run)

    def result(self) -> str:
        """Hexadecimal SHA-256; waits for it."""
        return self._future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()

    def _run(self) -> str:
        digest = hashlib.sha256()
        chunk = bytearray(CHUNK)
        view = memoryview(chunk)
        for path in files_of(self._path):
            with path.open("rb", buffering=0) as file:
                while not self._stop.is_set() and (n := file.readinto(chunk)):
                    digest.update(view[:n])
        return digest.hexdigest()
