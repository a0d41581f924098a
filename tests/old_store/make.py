"""Makes the store of an older commit with the command line of that commit, and notes its figures.

``python tests/old_store/make.py CHECKOUT``: CHECKOUT is a work tree of the older commit. It writes
``store.tar.xz`` and ``expected.json`` beside this script; README.md says what they are.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SMALL = {
    "threads": "1", "batch_size": "32", "test_fraction": "0.2", "conv_filters": "6,4",
    "conv_kernels": "5,3", "conv_strides": "2", "dense_units": "12,8",
}  # fmt: skip
SPACE = [
    {"name": "learning_rate", "kind": "float", "low": 1e-4, "high": 1e-2, "log": True},
    {"name": "batch_size", "kind": "choice", "choices": [16, 32]},
]
LEFT_OUT = ("cache", "locks", "inbox")  # made again when they are needed, as are reports (5 MB)
STOP_AT = 40  # epochs after which the stopped run is told to stop
EPOCHS = 120  # of that run in all


class Old:
    """The older command line, and a store of its own."""

    def __init__(self, checkout: Path, home: Path):
        self.checkout, self.home = checkout, home

    def run(self, *arguments: str) -> dict[str, Any]:
        """What a command printed as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "redshift_core.cli", *arguments, "--json"],
            cwd=self.checkout, stdout=subprocess.PIPE, check=True, text=True,
            env={**os.environ, "PYTHONPATH": str(self.checkout),
                 "REDSHIFT_LAB_HOME": str(self.home), "CUDA_VISIBLE_DEVICES": "-1"},
        )  # fmt: skip
        return json.loads(done.stdout)

    def train(self, dataset: str, name: str, preset: str, epochs: int, *more: str, **values: str):
        """Id of a run of a small network."""
        wanted = [f"--set={key}={value}" for key, value in {**SMALL, **values}.items()]
        arguments = ("--preset", preset, "--epochs", str(epochs), "--name", name)
        return self.run("train", dataset, *arguments, *wanted, *more)["run"]

    def redshifts(self, run: str, spectra: Path) -> list[dict[str, float]]:
        """Numbers of the table that ``predict`` writes for a file."""
        out = self.home.parent / f"{run}.csv"
        self.run("predict", run, str(spectra), "--out", str(out))
        with out.open() as lines:
            return [
                {key: float(value) for key, value in row.items() if key.startswith("z_")}
                for row in csv.DictReader(line for line in lines if not line.startswith("#"))
            ]


def fill(old: Old, files: Path) -> dict[str, Any]:
    """Make every kind of folder; what the older code says of them."""
    spectra = files / "spectra.csv"
    survey = old.run("simulate", "--n", "300", "--seed", "11")["dataset"]
    old.run("simulate", "--n", "24", "--seed", "12", "--redshifts", "flat", "--out", str(spectra))
    other = old.run("ingest", str(spectra), "--name", "flat, from a file")["dataset"]
    runs = {
        "regression": old.train(survey, "regression", "dissertation", 30),
        "pdf": old.train(survey, "p(z)", "best", 20, members="2"),
    }
    runs["stopped"] = stopped(old, survey)
    space = files / "space.json"
    space.write_text(json.dumps(SPACE))
    units = f"--set=dense_units={SMALL['dense_units']}"
    tuning = old.run(
        "tune", survey, "--trials", "3", "--epochs", "3", "--preset", "fast", "--space", str(space),
        "--name", "search", units, "--set=threads=1", "--set=test_fraction=0.2",
        "--set=scaler=minmax",  # a trial fits its scaler anew, and the whitening has changed since
    )["tuning"]  # fmt: skip
    bench = old.run("bench", "--dataset", survey, "--only", "ridge,knn", "--name", "bench")["bench"]
    limit = old.run(
        "limit", "--preset", "dissertation", "--sizes", "400,800,1600", "--n-test", "200",
        "--passes", "2000", "--no-check-passes", "--against", runs["regression"], "--name", "limit",
        *(f"--set={key}={value}" for key, value in SMALL.items() if key != "test_fraction"),
    )["limit"]  # fmt: skip
    old.run("export", runs["pdf"], "--out", str(files / "exported.zip"))
    return {
        "datasets": {"survey": survey, "other": other},
        "runs": runs,
        "tuning": tuning,
        "bench": bench,
        "limit": limit,
        "metrics": {
            kind: {
                "own": old.run("evaluate", runs[kind]),
                "other": old.run("evaluate", runs[kind], "--dataset", other),
            }
            for kind in ("regression", "pdf")
        },
        "flat_prior": old.run("evaluate", runs["pdf"], "--prior", "flat", "--point", "mode"),
        "redshifts": {kind: old.redshifts(runs[kind], spectra) for kind in ("regression", "pdf")},
    }


def stopped(old: Old, survey: str) -> str:
    """A run that was stopped before its end, with its checkpoint."""
    run = old.train(survey, "stopped", "fast", EPOCHS, "--detach")
    path = old.home / "runs" / run / "status.json"
    wait(path, lambda status: status.get("detail", {}).get("epoch", 0) >= STOP_AT)
    old.run("stop", run)
    wait(path, lambda status: status["state"] == "stopped")
    return run


def wait(path: Path, reached: Callable[[dict[str, Any]], bool]) -> None:
    """Return once a job has come so far; an error where it ends before."""
    while not reached(status := json.loads(path.read_text())):
        if status["state"] in ("finished", "failed"):
            raise RuntimeError(f"{path.parent} has {status['state']} too early.")
        time.sleep(0.02)


def resumed(old: Old, expected: dict[str, Any]) -> dict[str, Any]:
    """What becomes of the stopped run and the search, resumed by the older code in a copy."""
    run, tuning = expected["runs"]["stopped"], expected["tuning"]
    old.run("resume", run)
    old.run("tune", "--resume", tuning, "--trials", "4")
    return {
        "metrics": {**expected["metrics"], "stopped": {"own": old.run("evaluate", run)}},
        "trials": old.run("trials", tuning),
    }


def pack(home: Path, files: Path) -> None:
    """Write ``store.tar.xz``: ``home``, the exported run and the spectra to predict."""
    for name in LEFT_OUT:
        shutil.rmtree(home / name, ignore_errors=True)
    for page in home.glob("**/*.html"):
        page.unlink()
    with tarfile.open(HERE / "store.tar.xz", "w:xz", preset=9) as archive:
        archive.add(home, "home")
        for name in ("exported.zip", "spectra.csv"):
            archive.add(files / name, name)


def main(checkout: Path) -> None:
    """Make both files."""
    with tempfile.TemporaryDirectory() as place:
        files = Path(place)
        old = Old(checkout, files / "home")
        expected = fill(old, files)
        shutil.copytree(old.home, files / "copy")
        pack(old.home, files)
        expected |= resumed(Old(checkout, files / "copy"), expected)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
