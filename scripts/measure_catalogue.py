"""Predicts a SIMULATED catalogue of millions of spectra in parts, with kills, and measures.

    python -m scripts.measure_catalogue FOLDER --run RUN --rows 5000000      all of it
    python -m scripts.measure_catalogue FOLDER --run RUN --steps kills          one step
    python -m scripts.measure_catalogue FOLDER --plan                        docs/scale.md's tables

RUN is a run of the store of $REDSHIFT_LAB_HOME. What was measured is in ``FOLDER/figures.json``;
the catalogue is made once, ``FOLDER/catalogue``: 100,000 galaxies of the product's simulator, drawn
again and again with fresh white noise of 5e-4 of their mean flux. The steps:

once      the folder predicted at once by one process, into one file
workers   in parts by 1 and by 2 processes: spectra/s, CPU, memory of each, efficiency
kills     in parts in one folder, while workers, the job and a scheduler are killed with SIGKILL at
          random moments; then every row is looked for, and compared with `once`
reading   CPU of reading alone, from Parquet and from bulk files of coefficients made up for it
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from redshift_core.constants import N_PIXELS
from redshift_core.data.coefficients import BANDS
from redshift_core.data.parts import find_parts, part_blocks
from redshift_core.simulation import write_survey
from redshift_core.store import Store, read_json, write_json

DRAWN = 100_000  # galaxies that are simulated
NOISE = 5e-4  # of the mean flux, added to each draw
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # so that one process takes one core
POLL = 0.2  # s between two looks at processes
KILLS = (  # in this order, at random moments; the scheduler of two workers here is in the job
    "worker", "worker", "job", "worker", "job", "cluster worker", "scheduler", "cluster worker",
)  # fmt: skip
OF_CLUSTER = ("cluster worker", "scheduler")  # where a scheduler and workers run by themselves
ENDING = ("job", "scheduler")  # whose death ends the command
BULK_ROWS = 300  # of the made-up bulk file
PLANS = {  # spectra of a catalogue; the last is the announced number of sources, not of spectra
    "galaxy candidates of DR3": 4_842_342,
    "mean spectra of DR3": 219_197_643,
    "2 billion sources of DR4": 2_000_000_000,
}


def make(folder: Path, rows: int, part_rows: int, seed: int) -> Path:
    """The catalogue; parts that are there already stay."""
    survey = folder / "survey.parquet"
    if not survey.exists():
        write_survey(survey, min(DRAWN, rows), seed, cache=Store().cache)
    table = pq.read_table(survey)
    names = [f"flux_{pixel}" for pixel in range(N_PIXELS)]
    flux = np.column_stack([table[name].to_numpy() for name in names]).astype(np.float32)
    mean = flux.mean(axis=1, keepdims=True)
    for number, first in enumerate(range(0, rows, part_rows)):
        path = folder / "catalogue" / f"{number // 100:03d}" / f"part-{number:05d}.parquet"
        n = min(part_rows, rows - first)
        if path.exists() and pq.read_metadata(path).num_rows == n:
            continue
        rng = np.random.default_rng([seed, number])
        drawn = rng.integers(0, len(flux), n)
        noise = rng.standard_normal((n, N_PIXELS), np.float32) * (np.float32(NOISE) * mean[drawn])
        values = pa.array((flux[drawn] + noise).ravel())
        columns = {
            "source_id": -np.arange(first + 1, first + n + 1),  # negative: SIMULATED
            "flux": pa.FixedSizeListArray.from_arrays(values, N_PIXELS),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = pa.table(columns).replace_schema_metadata(table.schema.metadata)
        pq.write_table(part, path, use_dictionary=False)
    return folder / "catalogue"


class Predicting:
    """A command that predicts, and what its processes take."""

    def __init__(self, run: str, catalogue: Path, out: Path, *options: str):
        command = [sys.executable, "-m", "redshift_core.cli", "predict", run, str(catalogue)]
        self.begin = time.monotonic()
        self.process = psutil.Popen(
            [*command, "--out", str(out), "--json", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ONE_THREAD,
        )  # fmt: skip
        self.cpu: dict[int, float] = {}  # pid → s, user and system
        self.memory: dict[str, int] = {}  # job, or worker and pid → most bytes

    def look(self) -> dict[str, list[psutil.Process]]:
        """Its living processes by what they are."""
        found: dict[str, list[psutil.Process]] = {"job": [], "worker": []}
        for child in self.process.children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                words = " ".join(child.cmdline())
                kind = "worker" if "spawn_main" in words else "job" * ("jobs.worker" in words)
                if kind:
                    found[kind].append(child)
                    name = kind if kind == "job" else f"worker {child.pid}"
                    self.memory[name] = max(self.memory.get(name, 0), _peak(child.pid))
                    self.cpu[child.pid] = sum(child.cpu_times()[:2])
        return found

    def end(self) -> tuple[int, dict[str, Any], str]:
        """Wait for its end: exit code, what it printed as JSON, the end of what it said."""
        while self.process.poll() is None:
            self.look()
            time.sleep(POLL)
        printed, said = self.process.communicate()
        return self.process.returncode, json.loads(printed or "{}"), said[-600:]

    def figures(self) -> dict[str, Any]:
        """What a command that must succeed took."""
        code, value, said = self.end()
        if code:
            raise SystemExit(f"exit code {code}: {said}")
        wall = time.monotonic() - self.begin
        rows = value["rows"]
        return {
            "rows": rows, "seconds": round(wall, 2), "rate": round(rows / wall, 1),
            "cpu_seconds": round(sum(self.cpu.values()), 2), "memory": self.memory,
        }  # fmt: skip


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def measure_workers(run: str, catalogue: Path, folder: Path) -> dict[str, Any]:
    """Spectra/s of 1 and 2 processes, each into a new folder."""
    found: dict[str, Any] = {}
    for n in (1, 2):
        out = folder / f"out-{n}"
        shutil.rmtree(out, ignore_errors=True)
        found[str(n)] = Predicting(run, catalogue, out, "--workers", str(n)).figures()
        print(n, found[str(n)], flush=True)
    found["efficiency"] = round(found["2"]["rate"] / found["1"]["rate"] / 2, 3)
    return found


def kill_at_random(run: str, catalogue: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Predict with kills; after each that ends the command, the same command is started again."""
    rng, out = random.Random(seed), folder / "out-killed"
    shutil.rmtree(out, ignore_errors=True)
    n_parts = len(find_parts(catalogue))
    moments = sorted(n_parts * rng.uniform(0.03, 0.9) for _ in KILLS)
    left, log = list(zip(KILLS, moments, strict=True)), []
    while True:
        in_cluster = not left or left[0][0] in OF_CLUSTER
        with _cluster(folder) if in_cluster else contextlib.nullcontext() as cluster:
            where = ("--scheduler", cluster.address) if cluster else ("--workers", "2")
            command = Predicting(run, catalogue, out, *where)
            while left and _until(command, out, left[0][1], rng):
                what = left.pop(0)[0]
                victim = rng.choice(cluster.processes(what) if cluster else command.look()[what])
                log.append({"killed": what, "pid": victim.pid, "parts_done": _n_done(out)})
                victim.kill()
                if what in ENDING:
                    break
            code, value, said = command.end()
            log.append({"exit": code, "said": said.splitlines()[-1:]})
        if not code:
            figures = {name: value[name] for name in ("rows", "parts", "n_failed")}
            return {"kills_left": len(left), **figures, "log": log}


def _until(command: Predicting, out: Path, n_done: float, rng: random.Random) -> bool:
    """Wait until so many parts are done and a random moment more; whether it still computes."""
    while command.process.poll() is None:
        command.look()
        if _n_done(out) >= n_done:
            time.sleep(rng.uniform(0, 1))
            return command.process.poll() is None
        time.sleep(0.05)
    return False


def _n_done(out: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return (out / "manifest.jsonl").read_bytes().count(b"\n") - 1
    return 0


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler and a process that keeps two workers."""

    address: str
    scheduler: psutil.Popen
    nannies: psutil.Popen

    def processes(self, what: str) -> list[psutil.Process]:
        """Those that are to be killed."""
        if what == "scheduler":
            return [self.scheduler]
        children = self.nannies.children(recursive=True)
        return [one for one in children if "spawn_main" in " ".join(one.cmdline())]


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    log = (folder / "dask.log").open("ab")
    dask = [sys.executable, "-m", "dask"]
    options = {"stdout": log, "stderr": log, "cwd": folder, "env": ONE_THREAD}
    usual = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = psutil.Popen([*dask, "scheduler", *usual, "--port", port], **options)
    more = ["--nworkers", "2", "--nthreads", "1", "--memory-limit", "0"]
    nannies = psutil.Popen([*dask, "worker", address, *usual, *more], **options)
    cluster = Cluster(address, scheduler, nannies)
    try:
        while len(cluster.processes("cluster worker")) < 2:
            time.sleep(POLL)
        yield cluster
    finally:
        for process in (*nannies.children(recursive=True), nannies, scheduler):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in (nannies, scheduler):
            process.wait()
        log.close()


def compare(catalogue: Path, out: Path, once: Path | None) -> dict[str, Any]:
    """Every row once, in the order of the input, and as the prediction at once has it."""
    at_once = pq.ParquetFile(once).iter_batches(1 << 16) if once else iter(())
    held, worst, unlike, rows = pa.table({}), 0.0, 0, 0
    for part in find_parts(catalogue):
        ids = pq.read_table(catalogue / part.name, columns=["source_id"])["source_id"]
        found = pq.read_table(out / part.out)
        if not found["source_id"].equals(ids):
            raise SystemExit(f"{part.out} does not hold the rows of {part.name}")
        rows += len(ids)
        if not once:
            continue
        while len(held) < len(ids):
            more = pa.Table.from_batches([next(at_once)])
            held = pa.concat_tables([held, more]) if held.num_columns else more
        wanted, held = held.slice(0, len(ids)), held.slice(len(ids))
        for name in wanted.column_names[1:]:
            one, other = (table[name].to_numpy() for table in (wanted, found))
            if one.dtype.kind == "f":
                worst = max(worst, float(np.nanmax(np.abs(one - other), initial=0)))
                unlike += int((np.isnan(one) != np.isnan(other)).sum())
            else:
                unlike += int((one != other).sum())
    extra = {path.relative_to(out).as_posix() for path in out.rglob("*.parquet")}
    extra -= {part.out for part in find_parts(catalogue)}
    return {
        "rows": rows, "largest_difference": worst, "other_values": unlike, "extra": sorted(extra)
    }  # fmt: skip


def measure_reading(catalogue: Path, folder: Path, seed: int) -> dict[str, Any]:
    """CPU seconds and bytes of reading a spectrum, from Parquet and from a bulk file."""
    bulk = _bulk_file(folder / "bulk" / "XpContinuousMeanSpectrum_SIMULATED.csv.gz", seed)
    found = {}
    for name, path in (("parquet", catalogue / find_parts(catalogue)[0].name), ("bulk", bulk)):
        next(part_blocks(path))  # imports, and the basis functions
        begin, rows = time.process_time(), sum(len(block) for block in part_blocks(path))
        seconds = time.process_time() - begin
        found[name] = {
            "rows": rows, "cpu_us": round(1e6 * seconds / rows, 2),
            "bytes": round(path.stat().st_size / rows, 1),
        }  # fmt: skip
        print(name, found[name], flush=True)
    return found


def _bulk_file(path: Path, seed: int) -> Path:
    """A bulk file of made-up coefficients with all that stands beside them, of usual lengths."""
    rng = np.random.default_rng(seed)
    lengths = {"coefficients": 55, "coefficient_errors": 55, "coefficient_correlations": 1485}
    names = ["source_id", "solution_id"]
    names += [f"{band}_{what}" for band in BANDS for what in ("basis_function_id", *lengths)]
    lines = [",".join(names)]
    for row in range(BULK_ROWS):
        cells = [str(-row - 1), "4545469030156206080"]
        for basis in (56, 57):
            cells.append(str(basis))
            for what, n in lengths.items():
                values = rng.uniform(-1, 1, n).astype("f8" if what == "coefficients" else "f4")
                cells.append(f'"({", ".join(map(str, values))})"')
        lines.append(",".join(cells))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def plan(figures: dict[str, Any]) -> str:
    """Tables of docs/scale.md, from what was measured."""
    one, two, read = figures["workers"]["1"], figures["workers"]["2"], figures["reading"]
    out_bytes, total = figures["out_bytes"], 1e6 * one["cpu_seconds"] / one["rows"]
    compute = total - read["parquet"]["cpu_us"]
    efficiency = figures["workers"]["efficiency"]
    lines = [
        f"Measured on {one['rows']:,} SIMULATED spectra by run {figures['run']}:", "",
        "| processes | spectra/s | CPU s | MB of the job | MB of each worker |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for n, found in (("1", one), ("2", two)):
        workers = [m / 1e6 for name, m in found["memory"].items() if name != "job"]
        each = ", ".join(f"{m:.0f}" for m in workers) or "–"
        job = found["memory"].get("job", 0) / 1e6
        said = (n, f"{found['rate']:,.0f}", f"{found['cpu_seconds']:,.0f}", f"{job:.0f}", each)
        lines.append(f"| {' | '.join(said)} |")
    lines += [
        "", f"Efficiency of two processes: {efficiency:.2f}.", "",
        "| | spectra | files | core hours | of them reading | TB read | TB written |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for title, n in PLANS.items():
        for kind, name in (("parquet", "Parquet"), ("bulk", "bulk files")):
            us = read[kind]["cpu_us"] + compute
            said = (
                title, f"{n:,}", name, f"{n * us / 3.6e9:,.2f}",
                f"{read[kind]['cpu_us'] / us:.0%}", f"{n * read[kind]['bytes'] / 1e12:,.3f}",
                f"{n * out_bytes / 1e12:,.4f}",
            )  # fmt: skip
            lines.append(f"| {' | '.join(said)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the steps that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", help="id or name of the run that predicts")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--part-rows", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", nargs="+", default=["once", "workers", "kills", "reading"])
    parser.add_argument("--plan", action="store_true", help="only print the tables")
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    path = folder / "figures.json"
    figures = read_json(path)
    if asked.plan:
        print(plan(figures))
        return
    wanted = {"rows": asked.rows, "part_rows": asked.part_rows, "seed": asked.seed}
    if other := {name for name, n in wanted.items() if figures.get(name, n) != n}:
        raise SystemExit(f"{path} is of another catalogue ({', '.join(other)}); take a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    run = Store().run(asked.run).id
    figures |= {"run": run, "SIMULATED": True, **wanted}
    write_json(path, figures)
    catalogue, once = make(folder, asked.rows, asked.part_rows, asked.seed), folder / "once.parquet"
    if "once" in asked.steps:
        figures["once"] = Predicting(run, catalogue, once).figures()
    if "workers" in asked.steps:
        figures["workers"] = measure_workers(run, catalogue, folder)
        parts = (folder / "out-1").rglob("*.parquet")
        figures["out_bytes"] = sum(one.stat().st_size for one in parts) / asked.rows
    if "kills" in asked.steps:
        figures["kills"] = kill_at_random(run, catalogue, folder, asked.seed)
        known = once if once.exists() else None
        figures["compared"] = compare(catalogue, folder / "out-killed", known)
    if "reading" in asked.steps:
        figures["reading"] = measure_reading(catalogue, folder, asked.seed)
    write_json(path, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
