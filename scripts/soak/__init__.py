"""Tries for long what the tests try briefly: kills, full disks, damage, many users, many runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How one trial went.

    Attributes
    ----------
    what : str
        What was tried, in a few words: a row of docs/soak.md.
    tried, survived, lost : int
        How often; how often the product went on, or said in one sentence why not; how often
        something was lost, half-written, or ended without a word.
    note : str
        What failed, or a figure worth keeping. Empty if there is nothing to say.
    """

    what: str
    tried: int
    survived: int
    lost: int
    note: str = ""


Trial = Callable[[Path], Outcome]
