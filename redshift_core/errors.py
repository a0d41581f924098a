"""The exceptions that pages and the command line show to the user as they stand."""

from __future__ import annotations

from pathlib import Path

RESTORE = "Bring it back from a copy or a ZIP, or delete the folder."
JUDGE_AGAIN = "Evaluate the run again."


class InputError(ValueError):
    """Something the user can fix: what was received, what was expected, how to fix it."""


class ReadOnlyError(InputError):
    """Something that would change a store which is only looked at here."""


class DamagedError(InputError):
    """A file of the store that cannot be used: which, what is wrong with it, what can be done."""

    @classmethod
    def of(cls, path: Path, reason: str, remedy: str = RESTORE) -> DamagedError:
        """The error of one file.

        Parameters
        ----------
        path : Path
            The file.
        reason : str
            What is wrong with it, as a clause: "it is empty".
        remedy : str
            What can be done, in a sentence.
        """
        return cls(f"{path} is damaged: {reason.rstrip('.')}. {remedy}")
