"""What an archive calls things: several names are tried, and the one that worked is remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from redshift_core.data.archive.web import ArchiveError
from redshift_core.store import read_json, write_json

Name = TypeVar("Name")
Answer = TypeVar("Answer")


class Memory:
    """Remembers in a JSON file; where that is None, only as long as the process lives."""

    def __init__(self, path: Path | None = None):
        self._path = path
        self._known = read_json(path) if path else {}

    @property
    def known(self) -> dict[str, object]:
        """What is remembered."""
        return dict(self._known)

    def knows(self, what: str) -> bool:
        """Whether a name is remembered."""
        return what in self._known

    def first_that_works(
        self,
        what: str,
        names: Sequence[Name],
        ask: Callable[[Name], Answer],
        wrong: type[ArchiveError] = ArchiveError,
    ) -> Answer:
        """Answer under the first name that brings one.

        Where the remembered name fails, it is forgotten, so that another try asks under all.

        Parameters
        ----------
        what : str
            Under which the name is remembered.
        names : sequence
            Plain JSON values, the likeliest first.
        ask : callable
        wrong : type
            The error that may be due to the name; any other goes through.
        """
        known = [name for name in names if what in self._known and self._known[what] == name]
        for place, name in enumerate(order := known or list(names)):
            try:
                answer = ask(name)
            except wrong:
                if place == len(order) - 1:
                    self._known.pop(what, None)
                    raise
            else:
                self._keep(what, name)
                return answer
        raise ArchiveError(f"no name for {what} is known")

    def _keep(self, what: str, name: object) -> None:
        if self._known.get(what) != name:
            self._known[what] = name
            if self._path:
                write_json(self._path, self._known)
