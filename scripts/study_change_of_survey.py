"""A SIMULATED survey of another sky: noise, sizes and brightness all changed by the same factor.

How a run trained on the ordinary survey does there says what it would do where the simulation is
wrong by that much::

    python -m scripts.study_change_of_survey changed.parquet --n 40000 --seed 41 --factor 1.2
    redshift-lab ingest changed.parquet
    redshift-lab evaluate RUN --dataset latest

and a run trained on another changed survey says what could be had there. The changed survey says so
in its name and its metadata.
"""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pyarrow.parquet as pq

from redshift_core.simulation import files, galaxies, observing


def changed_survey(path: Path, n: int, seed: int, factor: float, cache: Path | None = None) -> None:
    """Write a Parquet file of ``n`` galaxies whose noise, sizes and fluxes are ``factor`` times.

    Objects brighter or fainter than Gaia's limits are drawn again, as in the ordinary survey.
    """
    magnitude = 2.5 * math.log10(factor)
    z_sizes, sizes = galaxies.SIZE_FACTOR
    z_brightening, brightening = galaxies.BRIGHTENING
    changes = {
        (observing, "NOISE_GAIN"): tuple(factor * gain for gain in observing.NOISE_GAIN),
        (galaxies, "SIZE_FACTOR"): (z_sizes, tuple(factor * size for size in sizes)),
        (galaxies, "BLUE_SIZE"): factor * galaxies.BLUE_SIZE,
        (galaxies, "BRIGHTENING"): (z_brightening, tuple(b + magnitude for b in brightening)),
        (galaxies, "BLUE_MAGNITUDE"): galaxies.BLUE_MAGNITUDE - magnitude,
    }
    with ExitStack() as stack:
        for (module, name), value in changes.items():
            stack.enter_context(patch.object(module, name, value))
        files.write_survey(path, n, seed, cache=cache)
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[files.METADATA_KEY])
    facts["changed"] = f"noise, sizes and brightness times {factor:g}"
    metadata = {**table.schema.metadata, files.METADATA_KEY: json.dumps(facts)}
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=files.GROUP_ROWS)


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--n", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--factor", type=float, default=1.2)
    given = parser.parse_args()
    changed_survey(given.path, given.n, given.seed, given.factor)
    print(f"{given.n:,} SIMULATED galaxies, changed by {given.factor:g}, in {given.path}")


if __name__ == "__main__":
    main()
