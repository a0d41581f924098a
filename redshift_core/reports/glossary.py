"""The words of this program, each in one or two plain sentences: ``resources/glossary.toml``.

``GLOSSARY`` maps an anchor (``?word=sigma_nmad``) to its entry, ``SECTIONS`` a subject to those
of its words.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.store import demo_file

EXAMPLE_Z = (0.08, 0.12)  # redshift range of the example galaxy


@dataclass(frozen=True)
class Entry:
    """One word."""

    word: str
    text: str  # Markdown, one line
    figure: str = ""  # entry of ``FIGURES`` in ``pages/ui/glossary/figures.py``, where one helps


def _sections() -> dict[str, dict[str, Entry]]:
    """Subject → anchor → entry, as they stand in ``resources/glossary.toml``."""
    path = files("redshift_core") / "resources" / "glossary.toml"
    subjects = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        subject: {
            name: Entry(**one | {"text": " ".join(one["text"].split())})
            for name, one in words.items()
        }
        for subject, words in subjects.items()
    }


SECTIONS = _sections()
GLOSSARY: dict[str, Entry] = {name: one for part in SECTIONS.values() for name, one in part.items()}


def search(text: str) -> list[str]:
    """Anchors of the entries whose word or text holds every word searched for.

    Examples
    --------
    >>> search("huber")[0]
    'huber'
    """
    wanted = text.lower().split()
    matches = [
        name
        for name, one in GLOSSARY.items()
        if all(part in f"{name} {one.word} {one.text}".lower() for part in wanted)
    ]
    return sorted(matches, key=lambda name: text.lower() not in GLOSSARY[name].word.lower())


@cache
def example_spectrum() -> tuple[NDArray[np.float32], float]:
    """Flux, shape (186,), and redshift of the demo survey's brightest galaxy near z = 0.1.

    SIMULATED.
    """
    import pyarrow.parquet as pq

    z = pq.read_table(demo_file(), columns=["z"]).column(0).to_numpy()
    names = [f"flux_{pixel}" for pixel in range(N_PIXELS)]
    columns = pq.read_table(demo_file(), columns=names).columns
    flux = np.stack([column.to_numpy() for column in columns], axis=1)
    inside = (z > EXAMPLE_Z[0]) & (z < EXAMPLE_Z[1])
    row = int(np.where(inside, flux.mean(axis=1), -np.inf).argmax())
    spectrum = flux[row].astype(np.float32)
    spectrum.setflags(write=False)
    return spectrum, float(z[row])
