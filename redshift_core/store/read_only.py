"""A process that only shows what is in the store: ``$REDSHIFT_LAB_READ_ONLY``, for viewers.

Whatever writes into the store asks here first, so that pages and commands cannot get round it.
"""

from __future__ import annotations

import os

from redshift_core.errors import ReadOnlyError

VARIABLE = "REDSHIFT_LAB_READ_ONLY"


def is_read_only() -> bool:
    """Whether this process may change nothing in the store."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def refuse_writing() -> None:
    """ReadOnlyError where this process may change nothing in the store."""
    if is_read_only():
        raise ReadOnlyError(
            f"Nothing was started, changed or deleted: {VARIABLE} is set here, for those who only "
            "look. Use the dashboard or the command where it is not set."
        )
