"""Many at once and many in a row: runs, visitors beside a training, uploads, trainings.

``REDSHIFT_LAB_SOAK_HOME`` names a store that holds 520,393 simulated galaxies and a run judged on
them; without it they are made first, which takes some minutes and 0.6 GB.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import csv
import functools
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import psutil

from redshift_core import jobs
from redshift_core.data import ingest
from redshift_core.jobs.lost import forget_ended
from redshift_core.settings.presets import preset
from redshift_core.store import CHECKOUT, DatasetFolder, RunFolder, Store, demo_file
from redshift_core.store.remembered import SETTLED
from scripts.soak import Outcome
from scripts.soak.copies import copy_datasets, copy_runs
from scripts.soak.visitor import Visitor
from tests.browser import Server

GALAXIES = 520_393
SESSIONS, MINUTES = 20, 2.0
THINK = 5.0, 15.0  # s that a visitor looks at a page
WINDOW = 60.0  # s of training that its speed is taken from, before the visitors come
PAGES = (
    "explore", "evaluate", "data", "train", "predict", "compare", "reproduce", "tune", "",
    "glossary",
)  # fmt: skip
USED = {  # page → what is used on it: label, kind of value, values
    "explore": [("Bin width in z", "double_array_value", ({"data": [0.02]}, {"data": [0.05]})),
                ("Seed of the draw", "double_value", (2, 3, 5, 7)),
                ("Random", "trigger_value", (True,))],
    "evaluate": [("Bin width in z", "double_value", (0.03, 0.04, 0.06, 0.1))],
    "train": [("Epochs", "double_value", (21, 30, 50)), ("Batch size", "double_value", (32, 64))],
}  # fmt: skip
RUNS, LISTED = 1000, 0.3  # runs in a store, and s of CPU that listing them may take
SLOWER = 0.2  # share by which visitors may slow a training
ONNX = {".ses"}  # a file of ONNX Runtime, one for good
IN_A_ROW, IN_A_QUEUE, UPLOADS = 100, 10, 3


def thousand_runs(scratch: Path) -> Outcome:
    """CPU that the lists and pages of a store of many runs take, once its files are read."""
    store = _store(scratch)
    run = _small_run(store, _small(store))
    copy_datasets(store, store.datasets()[0], 24)
    copy_runs(store, run, RUNS)
    time.sleep(SETTLED / 1e9)  # what has just changed is read again by whoever looks
    first, spent = _command_seconds(store, "runs"), {}
    for command in ("runs", "datasets", "jobs", "tunings"):
        spent[f"redshift-lab {command}"] = _command_seconds(store, command)
    with _server(store, scratch) as server:
        for page, seconds in asyncio.run(_each_page(server)).items():
            spent[f"page {page or 'home'}"] = seconds
    slow = {what: seconds for what, seconds in spent.items() if seconds > LISTED}
    said = ", ".join(f"{what} {seconds:.2f}" for what, seconds in spent.items())
    said += f"; the first list of runs ever {first:.2f}"
    return _outcome(f"{RUNS:,} runs in a store, CPU s", len(spent), len(slow), said)


def visitors_beside_a_training(scratch: Path) -> Outcome:
    """Visitors browse while a network trains: how soon pages answer, how much slower it trains."""
    store = _large_store(scratch)
    run = jobs.start_training(store, preset("best", _large(store).id), "beside visitors")
    try:
        _until(lambda: jobs.status(run).detail.get("step", 0) > 20, 300, "the training began")
        alone = _speed(run, WINDOW)
        with _server(store, scratch) as server:
            before, began = server.rss_anon(), _at(run)
            times, errors = asyncio.run(_browse(server, SESSIONS, MINUTES * 60))
            beside, after = _speed_since(run, began), server.rss_anon()
            cpu = sum(psutil.Process(server.pid).cpu_times()[:2])
    finally:
        jobs.kill(run)
        jobs.wait(run)
        run.delete()
    flat = [seconds for several in times.values() for seconds in several]
    slower = 1 - beside / alone
    said = [
        f"{len(flat):,} answers, median {_median(flat):.2f} s, 95 % within {_most(flat):.2f} s",
        *(f"{page}: {_median(some):.2f}/{_most(some):.2f}" for page, some in times.items()),
        f"server {before:.0f} → {after:.0f} MB, {cpu:.0f} s of CPU",
        f"training {alone:,.0f} spectra/s alone, {beside:,.0f} beside them: {slower:.0%} slower",
        *errors[:3],
    ]
    lost = len(errors) + (slower > SLOWER)
    return _outcome(f"{SESSIONS} sessions beside a training", len(flat) + 1, lost, "; ".join(said))


def uploads_at_once(scratch: Path) -> Outcome:
    """Several files are uploaded and read at the same time."""
    store = _store(scratch)
    files = [_table(scratch / f"upload-{number}.csv", 1 + number / 7) for number in range(UPLOADS)]
    with _server(store, scratch) as server, concurrent.futures.ThreadPoolExecutor() as threads:
        before = server.rss_anon()
        addresses = asyncio.run(_upload_addresses(server, UPLOADS))
        arrived = list(threads.map(functools.partial(_put, server), addresses, files))
        grown = server.rss_anon() - before
    kept = {path.read_bytes() for path in store.inbox.rglob("*.csv")}
    whole = sum(path.read_bytes() in kept for path in files)
    started = [jobs.start(store, "ingest", file=str(path)) for path in store.inbox.rglob("*.csv")]
    read = [jobs.wait(job, timeout=300).state for job in started].count("finished")
    rows = [folder.info["n_rows"] for folder in store.datasets()]
    good = min(arrived.count(200), whole, read, rows.count(5000))
    note = f"the server grew by {grown:.0f} MB for {sum(p.stat().st_size for p in files) / 1e6:.0f}"
    return _outcome("Uploads at once", UPLOADS, UPLOADS - good, note)


def queue_in_order(scratch: Path) -> Outcome:
    """Trainings that are submitted together run one after the other, in that order."""
    store = _store(scratch)
    dataset = _small(store)
    runs = [_start_small(store, dataset, number) for number in range(IN_A_QUEUE)]
    order: list[str] = []
    together = 0
    while any(jobs.status(run).active for run in runs):
        working = [run.id for run in runs if jobs.status(run).state == "running"]
        together = max(together, len(working))
        order += [name for name in working if name not in order]
        time.sleep(0.02)
    finished = sum(jobs.status(run).state == "finished" for run in runs)
    right = sum(a == b.id for a, b in zip(order, runs, strict=False))
    note = f"{finished} finished, at most {together} at a time"
    lost = IN_A_QUEUE - min(right, finished) + (together > 1)
    return _outcome("Queued trainings in order", IN_A_QUEUE, lost, note)


def trainings_in_a_row(scratch: Path) -> Outcome:
    """What a hundred trainings leave behind: processes, locks, files aside, memory."""
    store, temporary = _store(scratch), scratch / "tmp"
    temporary.mkdir()
    dataset, me = _small(store), psutil.Process()
    finished, before = 0, 0.0
    with mock.patch.dict(os.environ, TMPDIR=str(temporary)):
        for number in range(IN_A_ROW):
            run = _start_small(store, dataset, number)
            finished += jobs.wait(run, timeout=120).state == "finished"
            _until(lambda run=run: not _workers(run), 10, "the worker ended")
            before = before or me.memory_info().rss
    time.sleep(1.0)  # the last one may still be giving back its memory
    forget_ended()  # as whoever submits the next job does
    aside = [*{path.name for path in store.root.rglob(".*")}, *(_names(temporary) - ONNX)]
    left = {
        "processes": sum(bool(_workers(run)) for run in store.runs()),
        "zombies": sum(child.status() == "zombie" for child in me.children()),
        "locks": len([path for path in store.locks.iterdir() if path.name.startswith("runs-")]),
        "files aside": len(aside),
        "MB": round((me.memory_info().rss - before) / 1e6),
    }
    lost = IN_A_ROW - finished + sum(left.values()) - left["MB"] + (left["MB"] > 20)
    note = "left: " + ", ".join([*(f"{n} {what}" for what, n in left.items()), *aside[:3]])
    return _outcome("Trainings in a row", IN_A_ROW, lost, note)


TRIALS = (
    thousand_runs, visitors_beside_a_training, uploads_at_once, queue_in_order, trainings_in_a_row,
)  # fmt: skip


async def _each_page(server: Server) -> dict[str, float]:
    """CPU of the server, s, for every page when it is opened again: median of three times."""
    process = psutil.Process(server.pid)
    spent: dict[str, list[float]] = {page: [] for page in PAGES}
    async with Visitor(server.url) as visitor:
        for page in PAGES * 4:
            begun = sum(process.cpu_times()[:2])
            await visitor.open(page, "view=Runs" if page == "train" else "")
            await asyncio.sleep(0.3)  # what the server does after its answer counts too
            spent[page].append(sum(process.cpu_times()[:2]) - begun)
        _refuse(visitor.errors)
    return {page: _median(seconds[1:]) for page, seconds in spent.items()}


async def _browse(
    server: Server, sessions: int, seconds: float
) -> tuple[dict[str, list[float]], list[str]]:
    """Seconds of every answer, by page and what was done there, and what went wrong."""
    times: dict[str, list[float]] = {}
    errors: list[str] = []

    def note(what: str) -> Callable[[float], None]:
        return lambda seconds: times.setdefault(what, []).append(seconds)

    async def visit(number: int) -> None:
        chance, end = random.Random(number), time.monotonic() + seconds
        await asyncio.sleep(chance.uniform(0, THINK[1]))
        async with Visitor(server.url) as visitor:
            try:
                while time.monotonic() < end:
                    page = chance.choice(PAGES)
                    note(page or "home")(await visitor.open(page))
                    for label, kind, values in USED.get(page, ()):
                        await visitor.read(chance.uniform(*THINK), note("refresh"))
                        if label in visitor.widgets and time.monotonic() < end:
                            value = {kind: chance.choice(values)}
                            note(f"{page}, {label}")(await visitor.use(label, **value))
                    await visitor.read(chance.uniform(*THINK), note("refresh"))
            except Exception as error:
                errors.append(f"session {number}: {type(error).__name__}: {error}")
            errors.extend(visitor.errors)

    await asyncio.gather(*(visit(number) for number in range(sessions)))
    return dict(sorted(times.items())), errors


async def _upload_addresses(server: Server, n: int) -> list[str]:
    """Where the pages of ``n`` visitors would send their files."""
    found = []
    for _ in range(n):
        async with Visitor(server.url) as visitor:
            await visitor.open("data")
            _refuse(visitor.errors)
            found.append(sorted(visitor.uploads)[0])
    return found


def _put(server: Server, address: str, path: Path) -> int:
    """HTTP status of an upload."""
    request = urllib.request.Request(
        f"{server.url}{address}", path.read_bytes(), {"x-filename": path.name}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.status


def _table(path: Path, times: float) -> Path:
    """The demo survey with other fluxes as a CSV file (SIMULATED)."""
    import pyarrow.parquet as pq

    lines = pq.read_table(demo_file()).to_pylist()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        for line in lines:
            flux = {key: times * value for key, value in line.items() if key.startswith("flux_")}
            writer.writerow({**line, **flux})
    return path


@contextlib.contextmanager
def _server(store: Store, scratch: Path) -> Iterator[Server]:
    server = Server(store.root, scratch / "server.log").start()
    try:
        yield server
    finally:
        server.stop()


def _store(scratch: Path) -> Store:
    """Empty store; child processes find it too."""
    os.environ["REDSHIFT_LAB_HOME"] = str(scratch / "store")
    (scratch / "store").mkdir()
    return Store()


def _large_store(scratch: Path) -> Store:
    """Store of the real size, with a judged run; made where none is named."""
    named = os.environ.get("REDSHIFT_LAB_SOAK_HOME")
    if named:
        os.environ["REDSHIFT_LAB_HOME"] = named
        return Store()
    store = _store(scratch)
    _finish(jobs.start(store, "simulate", n=GALAXIES, seed=1, redshifts="published"))
    config = preset("best", _large(store).id).with_values({"epochs": 1})
    _finish(jobs.start_training(store, config, "one epoch"))
    return store


def _large(store: Store) -> DatasetFolder:
    return next(one for one in store.datasets() if one.info["n_rows"] == GALAXIES)


def _small(store: Store) -> DatasetFolder:
    """The demo survey as a dataset."""
    return ingest(demo_file(), store, name="demo")


def _start_small(store: Store, dataset: DatasetFolder, seed: int) -> RunFolder:
    values = {"epochs": 1, "min_steps": 0, "dense_units": "16", "seed": seed}
    return jobs.start_training(store, preset("fast", dataset.id).with_values(values))


def _small_run(store: Store, dataset: DatasetFolder) -> RunFolder:
    return _finish(_start_small(store, dataset, 1))


def _finish(job: RunFolder) -> RunFolder:
    now = jobs.wait(job)
    if now.state != "finished":
        raise RuntimeError(f"{job.id} is {now.state}: {now.message}")
    return job


def _command_seconds(store: Store, command: str) -> float:
    """CPU, s, of a command in a process that has imported the program already."""
    code = (
        "import contextlib, io, sys, time\n"
        "from redshift_core import cli\n"
        "def run(*arguments):\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        cli.main(arguments)\n"
        "run('--version')\n"
        "begun = time.process_time()\n"
        "run(sys.argv[1])\n"
        "print(time.process_time() - begun)"
    )
    home = {"REDSHIFT_LAB_HOME": str(store.root)}
    done = subprocess.run(
        [sys.executable, "-c", code, command], cwd=CHECKOUT, env={**os.environ, **home},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def _at(run: RunFolder) -> tuple[float, float]:
    """When a training last told how far it was, s, and the epochs it had done then."""
    now = jobs.status(run)
    steps = now.detail.get("steps") or 1
    epochs = now.detail.get("epoch", 1) - 1 + now.detail.get("step", 0) / steps
    return now.heartbeat, epochs


def _speed(run: RunFolder, seconds: float) -> float:
    began = _at(run)
    time.sleep(seconds)
    return _speed_since(run, began)


def _speed_since(run: RunFolder, began: tuple[float, float]) -> float:
    """Spectra per second, validation included."""
    ended = _at(run)
    if not jobs.status(run).active:
        raise RuntimeError(f"{run.id} ended meanwhile: {jobs.status(run).message}")
    n_train = run.environment["split"]["train"]
    return n_train * (ended[1] - began[1]) / (ended[0] - began[0])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _workers(run: RunFolder) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or ()
        if str(run.path) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{seconds:.0f} s passed before {what}")
        time.sleep(0.1)


def _refuse(errors: list[str]) -> None:
    if errors:
        raise RuntimeError(errors[0])


def _median(times: list[float]) -> float:
    return statistics.median(times)


def _most(times: list[float]) -> float:
    """95th percentile."""
    return sorted(times)[int(0.95 * (len(times) - 1) + 0.5)]


def _outcome(what: str, tried: int, lost: int, note: str) -> Outcome:
    return Outcome(what, tried, tried - min(lost, tried), min(lost, tried), note)
