"""Full disks, no memory, kills: one sentence each, and nothing half-written is left."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import resource
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pages.ui import server
from redshift_core import data, jobs, prediction
from redshift_core.cli import follow
from redshift_core.data.archive.chunks import Chunks
from redshift_core.data.parts import Part
from redshift_core.errors import InputError
from redshift_core.jobs import cost, housekeeping, launch, lost, machine, worker
from redshift_core.learning.training.checkpoint import Progress, State, save_state
from redshift_core.learning.tuning import attempt
from redshift_core.prediction import parts
from redshift_core.settings.presets import preset
from redshift_core.settings.search import TuningConfig
from redshift_core.simulation import files as simulation_files
from redshift_core.store import CHECKOUT, JobContext, Store, part_of, write_json
from redshift_core.store.arrays import RowWriter
from redshift_core.store.faults import FullDiskError
from redshift_core.store.files import clear_left, reading
from redshift_core.store.tables import check_out
from tests.fault_scenes import fill, parts_left, small_disk

DISK = 48_000_000  # bytes; the base network and a small dataset take half of it


@pytest.fixture(scope="module")
def scene(tmp_path_factory, survey_file):
    """A store on a small disk: a dataset, the base network and a run with its settings."""
    folder = tmp_path_factory.mktemp("faults")
    with small_disk(folder / "disk", DISK) as disk, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(disk / "home"))
        store = Store()
        dataset, base = data.ingest(survey_file, store, name="small"), store.run("base")
        run = store.new_run("r")
        write_json(run.config_path, preset("fast", dataset.id).to_dict())
        table = pq.read_table(survey_file)
        larger = folder / "larger.parquet"
        pq.write_table(table.set_column(0, "source_id", pa.array(np.arange(600) + 7)), larger)
        yield SimpleNamespace(
            disk=disk, store=store, dataset=dataset, base=base, run=run, file=survey_file,
            other=larger, aside=folder,
        )  # fmt: skip


def _context(scene, kind, **request):
    job = scene.store.new_job(kind)
    write_json(job.request_path, {"kind": kind, "run": scene.base.id, **request})
    return JobContext(job, scene.store)


def _predict(scene):
    return prediction.predict_job(
        _context(scene, "predict", file=str(scene.file), out=str(scene.disk / "z.fits"))
    )


def _evaluate(scene):
    return prediction.evaluate_run(scene.base, scene.dataset)


def _checkpoint(scene):
    save_state(scene.run, State(Progress(), [np.ones(300_000, np.float32)], []))


def _fetched_chunk(scene):
    folder = scene.store.cache / "archive-1"
    folder.mkdir(exist_ok=True)
    values = np.random.default_rng(0).random(200_000)
    Chunks(folder).table("spectra", 0, lambda: pa.table({"x": values}))


def _simulate(scene):
    flux = np.random.default_rng(0).random((5000, 186))
    one = SimpleNamespace(source_id=np.arange(5000), z=np.ones(5000), flux=flux)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation_files, "blocks", lambda *_, **__: iter([one]))
        simulation_files.write_survey(scene.disk / "sim.csv", 5000, 1)


def _densities(scene):
    with RowWriter(scene.disk / "p.npy", 240, "float16") as rows:
        for _ in range(20):
            rows.write(np.ones((1000, 240)))


def _start(scene):
    jobs.start(scene.store, "ingest", file=str(scene.file))


def _search(scene):
    config = TuningConfig(dataset=scene.dataset.id)
    jobs.start_tuning(scene.store, config)


WRITES = {  # what is done → bytes left on the disk, and the file it stops at
    "ingest": (
        lambda scene: data.ingest(scene.other, scene.store),
        200_000,
        r"larger.parquet needs [56]\d\d kB and",
    ),
    "predict": (_predict, 60_000, "z.fits"),
    "evaluate": (_evaluate, 16_384, "real_galaxies|predictions|metrics|pdf|summary"),
    "checkpoint": (_checkpoint, 400_000, "state.npz needs 1.2 MB and"),
    "fetch": (_fetched_chunk, 200_000, "spectra-00000.parquet"),
    "simulate": (_simulate, 300_000, "sim.csv"),
    "densities": (_densities, 100_000, "p.npy"),
    "job": (_start, 16_384, "this job needs 65.5 kB and"),
    "search": (_search, 16_384, "this job needs 65.5 kB and"),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_is_named_with_what_was_needed_and_nothing_is_left(scene, name):
    write, left, file = WRITES[name]
    before = {part: len(list((scene.store.root / part).glob("*"))) for part in ("tuning", "runs")}
    jobs_before = set(scene.store.jobs())
    fill(scene.disk, left)
    with pytest.raises(InputError, match=rf"The disk at {scene.disk} is full") as said:
        write(scene)
    assert re.search(file, str(said.value)), said.value
    assert str(said.value).count("\n") == 0
    fill(scene.disk, 4_000_000)
    for job in set(scene.store.jobs()) - jobs_before:
        assert name not in ("job", "search"), "a job that could not be begun has left its folder"
        job.delete()
    assert parts_left(scene.disk) == []
    after = {part: len(list((scene.store.root / part).glob("*"))) for part in before}
    assert after == before


def test_an_upload_that_meets_a_full_disk_says_so_and_leaves_nothing(scene):
    fill(scene.disk, 300_000)
    folder = scene.store.inbox / "upload-1"

    async def pieces():
        for _ in range(8):
            yield bytes(100_000)

    request = SimpleNamespace(headers={"content-length": "800000"}, stream=pieces)
    with pytest.raises(Exception, match=rf"The disk at {scene.disk} is full: a.csv needs 800 kB"):
        asyncio.run(server._receive(request, folder, "a.csv"))


def test_the_last_word_of_a_job_is_written_on_a_disk_without_a_byte(scene):
    fill(scene.disk, 1_000_000)
    context = _context(scene, "ingest")
    context.keep_room()
    context.set_state("running", kind="ingest", pid=os.getpid())
    fill(scene.disk, 0)
    context.report(1, 2, "half", now=True)  # progress alone does not end a job
    context.set_state("failed", message="The disk is full. " * 500, user_error=True)
    found = jobs.status(context.folder)
    assert (found.state, len(found.message)) == ("failed", 9000)
    fill(scene.disk, 0)
    context.set_state("failed", message="Again.")  # without room, over what was there
    assert jobs.status(context.folder).message == "Again."
    context.folder.delete()
    assert parts_left(scene.disk) == []


def test_a_worker_on_a_full_disk_ends_with_the_sentence(scene, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    fill(scene.disk, 200_000)
    job = jobs.start(scene.store, "ingest", file=str(scene.other))
    now = jobs.wait(job, timeout=60)
    assert (now.state, now.user_error) == ("failed", True), jobs.log_tail(job)
    assert f"The disk at {scene.disk} is full: " in now.message
    assert parts_left(scene.disk) == []
    job.delete()


KILLED = """
import os, sys
from pathlib import Path
from redshift_core.store.files import part_of
part = part_of(Path(sys.argv[1])); part.write_text("half")
folder = part_of(Path(sys.argv[1]).with_name("folder")); folder.mkdir(); (folder / "a").touch()
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_prediction_had_begun_is_removed_and_what_others_write_stays(store, tmp_path):
    out = tmp_path / "z*[1].csv"
    subprocess.run([sys.executable, "-c", KILLED, str(out)], cwd=CHECKOUT, check=False)
    mine, elsewhere = part_of(out), part_of(out.with_name("other.csv"))
    for part in (mine, elsewhere):
        part.write_text("being written")
    assert len(list(tmp_path.glob(".tmp-*"))) == 4
    job = store.new_job("predict")
    write_json(job.request_path, {"kind": "predict", "run": "r", "out": str(out)})
    gone = {"pid": 2**22 + 1, "pid_started": 1.0, "host": platform.node()}
    JobContext(job, store).keep_room()
    JobContext(job, store).set_state("running", kind="predict", **gone)
    with pytest.raises(follow.JobFailed, match=r"was lost: The worker process ended") as said:
        follow.check(job, jobs.status(job))
    assert "Do it again; nothing half-written is left." in str(said.value)
    assert not job.room_path.exists()
    left = set(tmp_path.glob(".tmp-*"))
    assert {mine, elsewhere} < left
    assert {path for path in left if path.suffix} == {mine, elsewhere}
    clear_left(tmp_path)
    assert set(tmp_path.glob(".tmp-*")) == {mine, elsewhere}
    subprocess.run([sys.executable, "-c", KILLED, str(out)], cwd=CHECKOUT, check=False)
    check_out(out)  # the next command that writes there
    assert [path for path in tmp_path.glob(".tmp-*") if "[1]" in path.name] == [mine]
    write_json(job.request_path, {"kind": "catalogue", "out": str(tmp_path)})
    housekeeping.clear_lost(job)  # nobody holds the folder, so whatever is hidden is left over
    assert not [path for path in tmp_path.glob(".tmp-*") if path.suffix]


def _ended(code):
    """Worker, as far as the parent sees, that has ended so."""
    how = f"os.kill(os.getpid(), {-code})" if code < 0 else f"sys.exit({code})"
    child = subprocess.Popen([sys.executable, "-S", "-c", f"import os, sys; {how}"])
    child.wait()
    return child


@pytest.mark.parametrize(
    ("code", "log", "said"),
    [
        (-9, "", r"was killed \(SIGKILL\).* It held 400 MB at its last report. This job \(train\) "
         r"needs about 50\d MB of memory, and its process may have 450 MB"),
        (-11, "", r"it crashed \(SIGSEGV\)\. `redshift-lab resume"),
        (1, "MemoryError", r"got no memory .* needs about 50\d MB"),
        (3, "no", r"it ended with exit code 3\. The end of its log is below"),
    ],
)  # fmt: skip
def test_a_lost_job_says_why_and_how_to_go_on(store, monkeypatch, code, log, said):
    run = store.new_run("r")
    write_json(run.config_path, preset("fast", "gone").to_dict())
    write_json(run.request_path, {"kind": "train"})
    run.log_path.write_text(log)
    monkeypatch.setitem(lost.CHILDREN, run.path, _ended(code))
    here = {"memory": 400_000_000, "allowed": 450_000_000, "pid": os.getpid()}
    JobContext(run, store).set_state("running", kind="train", **here)
    now = jobs.status(run)
    assert now.state == "lost"
    assert re.search(said, now.message), now.message
    assert f"`redshift-lab resume {run.id}` goes on from its last checkpoint." in now.message


def test_a_worker_whose_libraries_find_no_memory_says_so_at_once(store, survey_file, monkeypatch):
    start, limit = subprocess.Popen, 60_000_000

    def limited(*arguments, **named):
        at_most = lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))  # noqa: E731
        return start(*arguments, **named, preexec_fn=at_most)

    monkeypatch.setattr(launch.subprocess, "Popen", limited)
    monkeypatch.setattr(machine, "address_limit", lambda: limit)
    job = jobs.start(store, "ingest", file=str(survey_file))
    now = jobs.wait(job, timeout=30)
    assert now.state == "lost"
    assert "This job (ingest) needs about 150 MB of memory and 2 GB of addresses" in now.message
    assert "may map 60 MB (ulimit -v)" in now.message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libx.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
    ],
)
def test_an_error_for_want_of_memory_names_what_was_needed_and_had(store, error, monkeypatch):
    monkeypatch.setattr(machine, "total_memory", lambda: 300_000_000)
    job = store.new_job("ingest")
    write_json(job.request_path, {"kind": "ingest"})
    said = lost.remedy(error, job)
    assert "needs about 150 MB of memory, and its process may have 300 MB" in said
    assert lost.remedy(RuntimeError("a bug"), job) == ""
    assert lost.command_starved(error).endswith("and its process may have 300 MB.")
    assert lost.command_starved(ImportError("No module named x")) == ""
    with pytest.raises(type(error)), reading(job.request_path):  # not that the file is damaged
        raise error


def test_the_memory_of_a_control_group_counts_as_the_machines(tmp_path, monkeypatch):
    whole = machine.total_memory()
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_group_limits", lambda: [limit, tmp_path / "none"])
    assert machine.total_memory() == whole
    limit.write_text("max\n")
    assert machine.total_memory() == whole
    limit.write_text("450000000\n")
    assert machine.total_memory() == 450_000_000
    assert machine.free_memory() <= 450_000_000
    assert cost.LIGHT_BYTES < cost.TENSORFLOW_BYTES < cost.LIGHT_ADDRESSES


def test_a_worker_that_is_told_to_end_stops_as_when_asked(store):
    job, before = store.new_job("ingest"), signal.getsignal(signal.SIGTERM)
    try:
        worker._stop_when_told_to_end(job)
        os.kill(os.getpid(), signal.SIGTERM)
        assert job.stop_path.exists()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # a second one ends it
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_full_disk_fails_no_trial_and_no_part(store, monkeypatch):
    tuning = store.new_tuning("s")
    folder = tuning.trial("00")
    folder.path.mkdir(parents=True)

    def full(*_):
        raise FullDiskError("The disk is full.")

    with pytest.raises(FullDiskError):
        attempt.answer_of(tuning, "00", full)
    assert not (folder.path / attempt.ANSWER).exists()  # so that it is done when the search goes on
    monkeypatch.setattr(parts, "opened", lambda *_: None)
    monkeypatch.setattr(parts, "_predicted", full)
    order = parts.Order(folder.path, "", folder.path, folder.path)
    with pytest.raises(FullDiskError):
        parts.predict_part(order, Part("a.parquet", 1, 1))
