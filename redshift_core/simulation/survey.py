"""Makes a survey in blocks; the numbers depend on the seed, not on block size or threads.

Each fixed chunk of rows has its own random generator, and every matrix product is computed for one
chunk on one thread. So the first rows of a long survey equal a short survey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from redshift_core.errors import InputError
from redshift_core.simulation.galaxies import Galaxies, Population, RedshiftLaw
from redshift_core.simulation.inputs import load_inputs
from redshift_core.simulation.observing import Telescope
from redshift_core.simulation.table import Table, open_table

CHUNK = 4096  # rows that share a generator; another value would give another survey
DECIMALS = 3  # decimals of a flux, as in the published rows
MAX_N = 100_000_000
REDSHIFTS = ("published", "flat")
Report = Callable[[int, int, str], None]  # done, total, message


@dataclass(frozen=True)
class Block:
    """Some rows of a simulated survey."""

    source_id: NDArray[np.int64]  # (n,): −1, −2, …; negative marks a simulated source
    z: NDArray[np.float64]  # (n,)
    flux: NDArray[np.float32]  # (n, 186), e⁻ s⁻¹ per pixel


def check_request(n: int, seed: int, redshifts: str) -> None:
    """Raise InputError if a survey cannot be simulated."""
    if not 1 <= n <= MAX_N:
        raise InputError(f"{n} galaxies cannot be simulated; choose from 1 to {MAX_N:,}.")
    if seed < 0:
        raise InputError(f"Seed {seed} is negative; choose a whole number of 0 or more.")
    if redshifts not in REDSHIFTS:
        raise InputError(
            f"Unknown redshift distribution {redshifts!r}; choose {' or '.join(REDSHIFTS)}."
        )


def blocks(
    n: int,
    seed: int,
    redshifts: str = "published",
    *,
    cache: Path | None = None,
    block_rows: int = CHUNK,
    report: Report | None = None,
    start: int = 0,
) -> Iterator[Block]:
    """Simulate ``n`` galaxies, ``block_rows`` at a time, in bounded memory.

    Parameters
    ----------
    n, seed : number of galaxies and seed of the survey
    redshifts : ``published`` (that of the dissertation) or ``flat`` in [0, 0.6]
    cache : folder of the precomputed table; by default the store's
    report : called with (done, total, message) after every block
    start : first row of the survey to make, a multiple of CHUNK
    """
    check_request(n, seed, redshifts)
    if start < 0 or start % CHUNK:
        raise ValueError(f"start = {start} is not a multiple of {CHUNK}.")
    if report:
        report(0, n, "Opening the simulator's table.")
    table = open_table(cache)
    done, held = 0, []
    for block in _chunks(n, seed, redshifts, table, start):
        held.append(block)
        while done + _rows(held) == n or _rows(held) >= block_rows:
            whole, held = _cut(held, min(block_rows, _rows(held)))
            done += len(whole.z)
            yield whole
            if report:
                report(done, n, "Simulating galaxies.")
            if done == n:
                return


def simulate(
    n: int,
    seed: int,
    redshifts: str = "published",
    *,
    cache: Path | None = None,
    report: Report | None = None,
    start: int = 0,
) -> Block:
    """Simulate ``n`` galaxies at once; see ``blocks``."""
    return _joined(list(blocks(n, seed, redshifts, cache=cache, report=report, start=start)))


def galaxies(
    n: int, seed: int, redshifts: str = "published", *, cache: Path | None = None
) -> list[Galaxies]:
    """Galaxies behind the rows of ``simulate`` with the same seed, one ``Galaxies`` per chunk."""
    check_request(n, seed, redshifts)
    law, population, _ = _machinery(open_table(cache), redshifts)
    return [_galaxies(seed, number, law, population)[1] for number in range(-(-n // CHUNK))]


def _chunks(n: int, seed: int, redshifts: str, table: Table, start: int) -> Iterator[Block]:
    law, population, telescope = _machinery(table, redshifts)
    threads = ThreadpoolController()
    end = start + n
    for number in range(start // CHUNK, -(-end // CHUNK)):
        # One thread, because threads may add in another order.
        with threads.limit(limits=1, user_api="blas"):
            rng, objects = _galaxies(seed, number, law, population)
            flux = np.round(telescope.observe(rng, objects), DECIMALS) + np.float32(0)  # no −0
        rows = min(CHUNK, end - number * CHUNK)
        source_id = -1 - number * CHUNK - np.arange(rows, dtype=np.int64)
        yield Block(source_id, objects.z[:rows], flux[:rows])


def _galaxies(
    seed: int, number: int, law: RedshiftLaw, population: Population
) -> tuple[np.random.Generator, Galaxies]:
    rng = np.random.default_rng([seed, number])
    return rng, population.draw(rng, law.draw(rng, CHUNK))


def _machinery(table: Table, redshifts: str) -> tuple[RedshiftLaw, Population, Telescope]:
    inputs = load_inputs()
    return RedshiftLaw(redshifts), Population(inputs, table), Telescope(inputs, table)


def _rows(held: list[Block]) -> int:
    return sum(len(block.z) for block in held)


def _joined(held: list[Block]) -> Block:
    return Block(
        np.concatenate([block.source_id for block in held]),
        np.concatenate([block.z for block in held]),
        np.concatenate([block.flux for block in held]),
    )


def _cut(held: list[Block], rows: int) -> tuple[Block, list[Block]]:
    """First ``rows`` rows of the blocks, and the remaining ones."""
    whole = _joined(held) if len(held) > 1 else held[0]
    first = Block(whole.source_id[:rows], whole.z[:rows], whole.flux[:rows])
    rest = Block(whole.source_id[rows:], whole.z[rows:], whole.flux[rows:])
    return first, [rest] if len(rest.z) else []
