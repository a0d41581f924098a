"""The exceptions that pages and the command line show to the user as they stand."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
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


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'seed'?)`` for a name that is almost one of the known, else nothing.

    Examples
    --------
    >>> nearest("Batchsize", ["batch_size", "seed"])
    " (did you mean 'batch_size'?)"
    >>> nearest("20261126-2244", ["20261126-224402-first"])
    " (did you mean '20261126-224402-first'?)"
    >>> nearest("nonsense", ["batch_size", "seed"])
    ''
    """
    folded = {str(one).lower(): str(one) for one in known}
    wanted = str(name).lower()
    near = [one for one in folded if len(wanted) > 3 and one.startswith(wanted)]
    near = near or difflib.get_close_matches(wanted, folded, 1, 0.75)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""
