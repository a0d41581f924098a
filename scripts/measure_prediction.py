"""Times `redshift-lab predict` as users meet it: five cold starts, five whole catalogues.

    export REDSHIFT_LAB_HOME=/tmp/measured
    python scripts/measure_prediction.py
    PYTHONPATH=/path/to/other/code python scripts/measure_prediction.py

Each figure is of a whole process chain: the command, which ends when the redshifts are there, and
the worker that it starts. Wall time is that of the command; CPU seconds and peak memory are told
for both. The second form measures other code, such as an earlier commit, with the same run and the
same files. They are made the first time: a run of preset fast (2 epochs; how good it is does not
matter here), 100 rows, and 520,393 rows of CSV (949 MB), the galaxies of the demo survey again and
again with noise of 0.2 % (SIMULATED). Timings need an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

CODE = Path(__file__).resolve().parents[1]
DEMO = CODE / "data" / "demo" / "survey.parquet"
NAME = "measured-fast"
SIZES = {"cold start, 100 rows": 100, "520,393 rows": 520_393}
NOISE = 0.002  # of each flux, so that no two rows are the same


def command(*arguments: str) -> list[str]:
    """The command line of the code that is found first."""
    return [sys.executable, "-m", "redshift_core.cli", *arguments]


def prepared() -> None:
    """Make the run that predicts, where it is not there yet."""
    runs = json.loads(subprocess.check_output(command("runs", "--json")))
    if not any(run["name"] == NAME for run in runs):
        subprocess.run(command("ingest", str(DEMO), "--name", "measured"), check=True)
        settings = ("--preset", "fast", "--epochs", "2", "--name", NAME)
        subprocess.run(command("train", "measured", *settings), check=True)


def spectra(path: Path, n: int) -> Path:
    """CSV file of so many rows (SIMULATED), made once."""
    if path.exists():
        return path
    demo, random = pq.read_table(DEMO), np.random.default_rng(0)
    part = path.with_suffix(".part")
    with pyarrow.csv.CSVWriter(part, demo.schema) as writer:
        for start in range(0, n, len(demo)):
            rows = demo.slice(0, n - start)
            columns = {name: rows[name].to_numpy() for name in rows.column_names}
            for name in columns:
                if name.startswith("flux_"):
                    noise = 1 + NOISE * random.standard_normal(len(rows))
                    columns[name] = (columns[name] * noise).astype(np.float32)
            columns["source_id"] = np.arange(start, start + len(rows))
            writer.write_table(pa.table(columns, schema=demo.schema))
    part.rename(path)
    return path


def measured(file: Path, home: Path) -> dict[str, float]:
    """Wall time (s), CPU (s) and peak memory (MB) of one command and its worker."""
    begin = time.perf_counter()
    asked = command("predict", NAME, str(file), "--out", str(home / "z.csv"), "--json")
    process = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended, peak = 0, 0.0
    while not ended:
        peak = max(peak, peak_memory(process.pid))
        time.sleep(0.005)
        ended, status, spent = os.wait4(process.pid, os.WNOHANG)
    wall = time.perf_counter() - begin
    process.returncode = status
    if status:
        raise SystemExit(f"{' '.join(asked)} failed")
    newest = max((home / "jobs").glob("*-predict*"), key=lambda job: job.stat().st_mtime)
    worker: dict[str, Any] = json.loads((newest / "result.json").read_text())["process"]
    return {
        "wall s": wall,
        "CPU s, command": spent.ru_utime + spent.ru_stime,
        "CPU s, worker": worker["cpu_seconds"],
        "MB, command": peak,
        "MB, worker": worker["peak_memory"] / 1e6,
    }


def peak_memory(pid: int) -> float:
    """Most memory of a process of Linux so far, in MB; `os.wait4` would tell its parent's too."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(one.split()[1]) for one in lines if one.startswith("VmHWM")), 0) * 1024 / 1e6


def main() -> None:
    """Measure, and print every figure and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    home = Path(os.environ["REDSHIFT_LAB_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYTHONPATH", str(CODE))
    os.chdir(home)  # Python looks for code in the folder it is started in first
    prepared()
    where = subprocess.check_output(
        [sys.executable, "-c", "import redshift_core; print(redshift_core.__path__[0])"], text=True
    )
    print(f"{where.strip()}, load {os.getloadavg()[0]:.1f}")
    for title, n in SIZES.items():
        file = spectra(home / f"spectra-{n}.csv", n)
        found = [measured(file, home) for _ in range(given.times)]
        for key in found[0]:
            values = [one[key] for one in found]
            each = "  ".join(f"{value:.2f}" for value in values)
            print(f"{title:22}{key:16} median {statistics.median(values):8.2f}   of {each}")


if __name__ == "__main__":
    main()
