"""Kills, at random moments: what is begun again must end as if nothing had happened.

Each trial first lets its job end undisturbed, for its answer and its duration; then the worker is
killed (SIGKILL) at a random moment of that duration, the work is taken up as its user would, and
the answer is compared. A kill after the end counts: it must harm nothing.
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from redshift_core import jobs
from redshift_core.jobs import launch
from redshift_core.jobs.housekeeping import clear_lost
from redshift_core.jobs.lost import CHILDREN
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import Parameter
from redshift_core.store import CHECKOUT, JobFolder, RunFolder, Store, TuningFolder, file_digest
from scripts.soak import Outcome
from scripts.soak.faults import (
    Count,
    end,
    hidden,
    open_store,
    small_dataset,
    small_training,
    survey,
)

SEED = 16
COMMAND = [sys.executable, "-m", "redshift_core.cli"]


def trainings(scratch: Path) -> Outcome:
    """Trainings killed and resumed give the same history."""
    store = open_store(scratch / "home")
    config = small_training(small_dataset(store, scratch).id)

    def begin() -> RunFolder:
        return jobs.start_training(store, config, "killed")

    def answer(run: JobFolder) -> Any:
        with (run.path / "history.csv").open(encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        return [{name: line[name] for name in line if name != "seconds"} for line in lines]

    return _killed("Trainings killed and resumed", 20, begin, jobs.resume, answer, store)


def searches(scratch: Path) -> Outcome:
    """Searches killed and resumed try the same networks, with the same scores."""
    store = open_store(scratch / "home")
    dataset = small_dataset(store, scratch)
    space = (Parameter("dense_units", "int", low=4, high=16, step=2, log=True),)
    base = small_training(dataset.id)
    config = TuningConfig(dataset=dataset.id, base=base, algorithm="random", trials=2, epochs=2)
    config = replace(config, space=space)

    def begin() -> TuningFolder:
        return jobs.start_tuning(store, config, "killed")

    def answer(search: Any) -> Any:
        return [(one.trial, one.state, one.values, one.score) for one in search.trials]

    return _killed("Searches killed and resumed", 10, begin, jobs.resume_tuning, answer, store)


def predictions(scratch: Path) -> Outcome:
    """The command killed at its worker ends with a sentence, leaves nothing, and does it again."""
    store, count = open_store(scratch / "home"), Count()
    (folder := scratch / "out").mkdir()
    file, out = survey(scratch / "larger.parquet", 60_000), folder / "z.csv"
    command = [*COMMAND, "predict", store.run("base").id, str(file), "--out", str(out)]
    began = time.monotonic()
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    seconds, whole = time.monotonic() - began, file_digest(out)
    moments = random.Random(SEED)

    def attempt() -> str:
        out.unlink(missing_ok=True)
        before = {job.id for job in store.jobs()}
        process = subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(moments.uniform(0.3, 1) * seconds)
        for job in store.jobs():
            if job.id not in before:
                jobs.kill(job)
        _, said = process.communicate()
        if left := hidden(folder, store.root):
            return f"left {left[0].name}"
        if process.returncode and "ended without a report: it was killed (SIGKILL)" not in said:
            return said
        subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
        return "" if file_digest(out) == whole else "other redshifts"

    for number in range(20):
        count.add(f"kill {number}", attempt)
    return Outcome("Predictions killed and made again", count.tried, count.survived,
                   len(count.why), count.note)  # fmt: skip


def ingests(scratch: Path) -> Outcome:
    """Files whose reading is killed are read again."""
    store = open_store(scratch / "home")
    file = survey(scratch / "larger.parquet", 60_000)

    def begin() -> JobFolder:
        return jobs.start(store, "ingest", file=str(file), name="killed")

    def answer(job: JobFolder) -> Any:
        dataset = store.dataset(job.result["dataset"])
        found = file_digest(dataset.flux_path), job.result["rows"], job.result["flagged"]
        dataset.delete()
        return found

    return _killed("Files whose reading was killed, read again", 10, begin, None, answer, store)


def evaluations(scratch: Path) -> Outcome:
    """Evaluations killed and made again, with the old one whole in between."""
    store = open_store(scratch / "home")
    dataset, run = small_dataset(store, scratch), store.run("base")

    def begin() -> JobFolder:
        return jobs.start(store, "evaluate", run=run.id, dataset=dataset.id)

    def answer(job: JobFolder) -> Any:
        return run.metrics(dataset.id), file_digest(run.predictions_path(dataset.id))

    return _killed("Evaluations killed and made again", 10, begin, None, answer, store)


def simulations(scratch: Path) -> Outcome:
    """Surveys whose simulation is killed are simulated again."""
    store = open_store(scratch / "home")

    def begin() -> JobFolder:
        return jobs.start(store, "simulate", n=2000, seed=3)

    def answer(job: JobFolder) -> Any:
        dataset = store.dataset(job.result["dataset"])
        digest = file_digest(dataset.flux_path)
        dataset.delete()
        return digest

    end(begin())  # makes the simulator's table
    return _killed("Simulations killed and made again", 10, begin, None, answer, store)


def _killed(
    what: str,
    n: int,
    begin: Callable[[], Any],
    go_on: Callable[[Any], Any] | None,
    answer: Callable[[Any], Any],
    store: Store,
) -> Outcome:
    """Kill a job ``n`` times; ``go_on`` resumes it, and where it is None it is begun anew."""
    job, began, count, moments = begin(), time.monotonic(), Count(), random.Random(SEED)
    if (now := end(job)).state != "finished":
        raise RuntimeError(now.message)
    seconds, whole = time.monotonic() - began, answer(job)

    def attempt() -> str:
        job = begin()
        time.sleep(moments.uniform(0, 1) * seconds)
        jobs.kill(job)
        now = end(job)
        if now.state == "lost" and "ended without a report: it was killed" not in now.message:
            return now.message
        if now.state == "lost":
            clear_lost(job)  # as the command and the page do that see it
            job = go_on(job) if go_on else begin()
        if (now := end(job)).state != "finished":
            return f"{now.state}: {now.message}"
        if answer(job) != whole:
            return "another answer"
        left = hidden(store.root)
        return f"left {left[0]}" if left else ""

    for number in range(n):
        count.add(f"kill {number}", attempt)
    note = f"one takes {seconds:.1f} s" + (f"; {count.note}" if count.note else "")
    return Outcome(what, count.tried, count.survived, len(count.why), note)


def many_processes(_: Path) -> Outcome:
    """Searches, catalogues, studies and benches whose workers are killed: tests marked ``soak``."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "soak"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    said = done.stdout.splitlines()[-1]  # 5 passed, 1 failed in 60 s
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", said)}
    passed, lost = counts.get("passed", 0), counts.get("failed", 0) + counts.get("error", 0)
    return Outcome("Workers of searches, catalogues, studies and benches killed", passed + lost,
                   passed, lost or int(not passed), said if lost or not passed else "")  # fmt: skip


def memory(scratch: Path) -> Outcome:
    """Trainings with too little memory finish, or say what they need and may have."""
    store, count = open_store(scratch / "home"), Count()
    config, start = small_training(small_dataset(store, scratch).id, 2), subprocess.Popen
    notes = []

    def attempt(limit: Callable[[], None], few: str) -> str:
        def limited(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
            return start(*arguments, **named, preexec_fn=limit)

        launch.subprocess.Popen = limited  # type: ignore[misc, assignment]
        try:
            run = jobs.start_training(store, config, few)
        finally:
            launch.subprocess.Popen = start  # type: ignore[misc]
        now = end(run)
        CHILDREN[run.path].wait()
        if now.state != "finished" and "needs about" not in now.message:
            return now.message
        notes.append(f"{few}: {'finished' if now.state == 'finished' else 'said what it needs'}")
        return ""

    for megabytes in (60, 300, 450, 1000, 2000, 3000):
        most = megabytes * 10**6

        def addresses(most: int = most) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

        few = f"{megabytes} MB of addresses"
        count.add(few, lambda limit=addresses, few=few: attempt(limit, few))  # type: ignore[misc]
    group = Path("/sys/fs/cgroup/memory/redshift-soak")  # of version 1, where root may make one
    for megabytes in (200, 300, 450):
        try:
            group.mkdir(exist_ok=True)
            (group / "memory.limit_in_bytes").write_text(str(megabytes * 10**6))
        except OSError:
            notes.append("no control group of memory can be made here")
            break

        def join() -> None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

        few = f"{megabytes} MB of memory"
        count.add(few, lambda few=few: attempt(join, few))  # type: ignore[misc]
        with contextlib.suppress(OSError):
            group.rmdir()
    note = "; ".join([*notes, count.note] if count.note else notes)
    return Outcome("Trainings with too little memory", count.tried, count.survived,
                   len(count.why), note)  # fmt: skip


TRIALS = (
    trainings,
    searches,
    predictions,
    ingests,
    evaluations,
    simulations,
    many_processes,
    memory,
)
