"""What reading a large file costs: memory that does not grow, time beside plain pandas."""

import contextlib
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.data.tables import survey

N_FULL = 520_393  # galaxies of the dissertation
INGEST = """
import json, re, sys
from pathlib import Path
from redshift_core.data import ingest
from redshift_core.store import Store
seen = []
def report(*_):
    text = Path("/proc/self/status").read_text()
    seen.append(int(re.search(r"RssAnon:\\s+(\\d+)", text)[1]) / 1024)
folder = ingest(sys.argv[1], Store(Path(sys.argv[2])), report=report)
print(json.dumps({"early": max(seen[:20]), "peak": max(seen), "id": folder.id}))
"""
PANDAS = "import sys, pandas; pandas.read_csv(sys.argv[1])"


def large_file(path: Path, n_rows: int) -> Path:
    """Table of many rows: some spectra again and again, under counted ids."""
    lines = survey(path, 2_003).read_text().splitlines()
    with path.open("w", encoding="utf-8") as file:
        file.write(f"source_id,{lines[0]}\n")
        for first in range(0, n_rows, 2_003):
            rows = range(first, min(first + 2_003, n_rows))
            file.writelines(f"{row},{lines[1 + row - first]}\n" for row in rows)
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_file(tmp_path):
    path = large_file(tmp_path / "a.csv", 100_000)
    command = [sys.executable, "-c", INGEST, str(path), str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    early, peak = (float(re.search(rf'"{k}": ([\d.]+)', found.stdout)[1]) for k in
                   ("early", "peak"))  # fmt: skip
    assert peak < 500  # MB
    assert peak - early < 40, "the fluxes alone are 74 MB in float32"


def run_and_watch(command: list[str]) -> tuple[float, float]:
    """Wall time of a fresh process in s, and the peak of its private memory in MB."""
    peak, began = 0.0, time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    status = Path(f"/proc/{process.pid}/status")
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            with contextlib.suppress(OSError):  # it may end between two looks
                found = re.search(r"RssAnon:\s+(\d+)", status.read_text())
                peak = max(peak, int(found[1]) / 1024 if found else 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    assert process.returncode == 0
    return seconds, peak


@pytest.mark.study
@pytest.mark.timeout(1800)
def test_the_full_survey_is_ingested_within_a_quarter_more_than_pandas(tmp_path, capsys):
    """Five interleaved pairs of fresh processes; ``REDSHIFT_LAB_CSV`` names a file to take."""
    given = os.environ.get("REDSHIFT_LAB_CSV")
    path = Path(given) if given else large_file(tmp_path / "full.csv", N_FULL)
    path.read_bytes()  # both find it in the page cache
    ours, pandas, peaks = [], [], []
    for pair in range(5):
        command = [sys.executable, "-c", INGEST, str(path), str(tmp_path / f"store-{pair}")]
        seconds, peak = run_and_watch(command)
        ours.append(seconds)
        peaks.append(peak)
        pandas.append(run_and_watch([sys.executable, "-c", PANDAS, str(path)])[0])
    ratios = [a / b for a, b in zip(ours, pandas, strict=True)]
    with capsys.disabled():
        print(f"\ningest {np.round(ours, 2)} s, pandas {np.round(pandas, 2)} s")
        print(f"ratios {np.round(ratios, 2)}, median {statistics.median(ratios):.2f}")
        print(f"peak private memory of ingest {max(peaks):.0f} MB")
    assert max(peaks) < 1000
    assert statistics.median(ratios) <= 1.25
