"""Mutated files of every format, and hostile settings, addresses and ZIP files, for minutes.

Whatever comes in gives a result or one sentence (InputError): never another error, a warning, or
something left in the store. ``SOAK_SECONDS`` sets how long each trial goes on, 60 by default.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from redshift_core.data import ingest
from redshift_core.data.nz import read_prior
from redshift_core.data.readers import READERS
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import LIMITS, Choice
from redshift_core.pdf import Estimate
from redshift_core.settings.names import FORMATS
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.settings.run import setting_paths
from redshift_core.settings.selection import Selection
from redshift_core.store import Store
from redshift_core.store.archive import MANIFEST, NAMES, import_run
from scripts.soak import Outcome

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
SHOWN = 5  # kinds of failure that the note names
WORDS = (  # cells, values and texts that have broken a reader somewhere
    "", " ", "null", "nan", "NaN", "-inf", "1e400", "1e20", "-999", "9" * 5000, "1" * 400, "0x10",
    "1_000", "1,5", "1.5D+03", "٣", "²", "true", "None", "[1, 2]", "(1, 2)", "{}", "NaT", "\x00",
    "σ", '"', '"a\nb"', "=1+1", "2024-01-01", "z", "flux_0", "..", "0..", "nan..1", "1e400..",
    "z_spec:0.1,0.2", "[" * 3000, "-", ":", ",", ";", "\t", "#", "\ufeff", "9223372036854775808",
)  # fmt: skip

Attempt = Callable[[], object]


def files_of_every_format(scratch: Path) -> Outcome:
    """Real small files of each format, mutated byte by byte and word by word, and ingested."""
    store = Store(scratch / "home")
    wholes = {name: _whole(scratch, name) for name in READERS}

    def attempts(rng: random.Random) -> Iterator[Attempt]:
        for name in itertools.cycle(READERS):
            path = scratch / f"mutated{FORMATS[name].suffixes[0]}"
            path.write_bytes(mutated(wholes[name], rng))
            yield partial(_ingested, path, store)

    return _tried("Mutated files of every format", attempts)


def texts(scratch: Path) -> Outcome:
    """Settings, addresses and tables of n(z)."""
    table = scratch / "n.csv"

    def attempts(rng: random.Random) -> Iterator[Attempt]:
        names = list(setting_paths())
        while True:
            word, other = (mutated_text(rng.choice(WORDS), rng) for _ in range(2))
            name, base = rng.choice(names), rng.choice(list(PRESETS))
            yield partial(preset(base, "x").with_values, {name: word})
            limits = {"z": word, "brightness": other, "flag": word}
            yield partial(Selection.from_params, limits)
            yield partial(Selection.parse, f"z={word} flag={other}")
            yield partial(Choice.parse, rng.choice([*LIMITS]), word)
            yield partial(Estimate.parse, word)
            lines = "\n".join(f"{rng.choice(WORDS[:12])},{k}" for k in range(3))
            table.write_bytes(mutated(f"z,n\n0,1\n0.3,2\n{lines}\n".encode(), rng))
            yield partial(read_prior, table)

    return _tried("Settings, addresses and n(z)", attempts)


def zips(scratch: Path) -> Outcome:
    """ZIP files that pretend to be runs."""
    store, path = Store(scratch / "home"), scratch / "run.zip"

    def attempts(rng: random.Random) -> Iterator[Attempt]:
        while True:
            hostile_zip(path, rng)
            yield partial(_imported, path, store)

    return _tried("ZIP files that pretend to be runs", attempts)


TRIALS = (files_of_every_format, texts, zips)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut out, doubled, or replaced by a hostile word."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        end = min(len(data), at + rng.choice((1, 4, 64, 4096)))
        if kind == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at:end]
        elif kind == 2:
            data[at:at] = data[at:end]
        elif kind == 3:
            del data[at:]
        else:
            _replace_cell(data, at, rng.choice(WORDS).encode())
    return bytes(data)


def mutated_text(text: str, rng: random.Random) -> str:
    """A text, perhaps with another one in it."""
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(("", "", "", *WORDS)) + text[at:]


def hostile_zip(path: Path, rng: random.Random) -> None:
    """A ZIP file with some of a run's files, whose content and digests may be anything."""
    import hashlib

    files = {name: mutated(_content(name, rng), rng) for name in NAMES if rng.random() < 0.9}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest: dict[str, object] = {
        "format": 1, "run": "20260101-000000-x", "name": "x", "note": "", "files": digests
    }  # fmt: skip
    if rng.random() < 0.3:
        values = (None, [], {}, 1e999, float("nan"), 10**30, "9" * 5000, -1, "a/b")
        manifest[rng.choice(list(manifest))] = rng.choice(values)
    text = json.dumps(manifest)
    folder = rng.choice(("", "", "run/", "../", "/", "C:\\"))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        archive.writestr(folder + MANIFEST, mutated_text(text, rng) if rng.random() < 0.1 else text)
        for name, content in files.items():
            archive.writestr(folder + name, content)
    if rng.random() < 0.2:
        path.write_bytes(mutated(path.read_bytes(), rng))


def _content(name: str, rng: random.Random) -> bytes:
    """Something like the content of a run's file."""
    if name.endswith(".json"):
        return json.dumps({"dataset": rng.choice(WORDS), "model": {}, "z": 1e999}).encode()
    if name.endswith(".npz"):
        import io

        buffer = io.BytesIO()
        np.savez(buffer, train=np.arange(3), edges=np.zeros(3))
        return buffer.getvalue()
    return b"epoch,loss\n1,2\n"


def _replace_cell(data: bytearray, at: int, word: bytes) -> None:
    """Put a word in place of what stands between two commas."""
    begin, end = data.rfind(b",", 0, at), data.find(b",", at)
    if 0 <= begin < end < begin + 200:
        data[begin + 1 : end] = word
    else:
        data[at : at + len(word)] = word


def _whole(scratch: Path, name: str) -> bytes:
    from tests.data.tables import IDS, WRITERS, redshifts, spectra

    path = scratch / f"whole{FORMATS[name].suffixes[0]}"
    WRITERS[name](path, spectra(), redshifts(), IDS)
    return path.read_bytes()


def _ingested(path: Path, store: Store) -> None:
    with suppress(InputError):
        ingest(path, store).delete()
    _nothing_left(store.root / "datasets")


def _imported(path: Path, store: Store) -> None:
    with suppress(InputError):
        import_run(store, path)[0].delete()
    _nothing_left(store.root / "runs")


def _nothing_left(folder: Path) -> None:
    left = [one.name for one in folder.glob("*")] if folder.exists() else []
    if left:
        raise AssertionError(f"{left[0]} is left")


def _tried(what: str, attempts: Callable[[random.Random], Iterator[Attempt]]) -> Outcome:
    """Try until the time is over; the note names the kinds of failure."""
    seed = int(os.environ.get("SOAK_SEED", "0"))
    tried, failures, end = 0, {}, time.monotonic() + SECONDS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for attempt in attempts(random.Random(seed)):
            tried += 1
            try:
                attempt()
            except InputError:
                pass
            except (Exception, Warning) as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
                failures.setdefault(f"{kind}: {str(error)[:100]}", tried)
            if time.monotonic() > end:
                break
    note = "; ".join(list(failures)[:SHOWN]).replace("|", "/")
    return Outcome(what, tried, tried - len(failures), len(failures), note)
