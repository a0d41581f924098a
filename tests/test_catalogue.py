"""A catalogue predicted in parts: what is written, resumed, refused and left out."""

import contextlib
import json
import os
import shutil
import signal
import time

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from redshift_core import data, jobs
from redshift_core.data.parts import Part, find_parts
from redshift_core.errors import DamagedError, InputError
from redshift_core.prediction import predict_job, reader, workers
from redshift_core.prediction.catalogue import catalogue_job
from redshift_core.prediction.parts import Order
from redshift_core.store import Store, write_json
from redshift_core.store.manifest import Manifest
from tests import catalogue_scenes as scenes
from tests.data.test_coefficients import as_csv

pytest.importorskip("onnx", reason="onnx is not installed")

NAMES = ["a.parquet", "deep/er/b.parquet", "deep/c.pq", "z.parquet"]
OUTS = ["a.parquet", "deep/c.parquet", "deep/er/b.parquet", "z.parquet"]  # in order of the input
N = 150  # rows of a part


@pytest.fixture(scope="module")
def flux(survey_file):
    """Spectra of the demo survey (SIMULATED), (600, 186) float32."""
    return next(iter(data.read_blocks(survey_file))).flux


@pytest.fixture(scope="module")
def known(tmp_path_factory, flux):
    """Store with one run; child processes find it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(tmp_path_factory.mktemp("catalogues")))
        store = Store()
        yield store, scenes.make_run(store, flux)


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own(monkeypatch):
    """The light run has no Keras model, which earlier tests of this process would make it load."""
    monkeypatch.setattr(reader, "tensorflow_is_loaded", lambda: False)


@pytest.fixture
def catalogue(tmp_path, flux):
    """Four parts, and files that are none."""
    root = tmp_path / "catalogue"
    for k, name in enumerate(NAMES):
        scenes.write_part(root / name, flux[k * N : (k + 1) * N], 1000 * k)
    for name in ("_metadata", ".hidden.parquet", "_old/d.parquet", "README.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"no part")
    return root


@pytest.fixture
def predict(known, catalogue, tmp_path):
    """Predict the catalogue in this process; the job's result."""
    store, run = known

    def job(root=catalogue, out=tmp_path / "out", **request):
        asked = {"run": run.id, "file": root, "out": out, "workers": 1, **request}
        return catalogue_job(scenes.context(store, "catalogue", **asked))

    return job


def lines(out):
    """Content of the manifest: what the work is, and part → its line."""
    first, *rest = map(json.loads, (out / "manifest.jsonl").read_text().splitlines())
    return first, {one["part"]: one for one in rest}


def test_every_row_is_predicted_as_the_folder_at_once_predicts_it(
    known, catalogue, predict, tmp_path
):
    store, run = known
    result, out = predict(), tmp_path / "out"
    assert (result["rows"], result["parts"], result["failed"], result["hats"]) == (
        600,
        4,
        [],
        False,
    )
    once = tmp_path / "once.parquet"
    request = {"run": run.id, "file": catalogue, "out": once}
    whole = predict_job(scenes.context(store, "predict", **request))
    assert (result["flagged"], result["simulated"]) == (whole["flagged"], True)
    assert result["verdict"]["text"] == whole["verdict"]["text"]
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.parquet"))
    assert files == sorted(OUTS)
    assert not list(out.rglob(".tmp-*"))
    wanted = pd.read_parquet(once)
    for k, name in enumerate(OUTS):
        found = pd.read_parquet(out / name)
        rows = wanted.iloc[k * N : (k + 1) * N].reset_index(drop=True)
        assert found.row.tolist() == [*range(N)]
        pd.testing.assert_frame_equal(found.drop(columns="row"), rows.drop(columns="row"))
        meta = pq.read_schema(out / name)
        said = json.loads(meta.metadata[b"redshift_lab_predictions"])
        assert (said["run"], said["SIMULATED spectra"]) == (run.id, True)
        assert meta.field("z_phot").metadata[b"ucd"] == b"src.redshift.phot"
    about, parts = lines(out)
    assert about["run"] == run.id
    assert about["SIMULATED spectra"] is True
    assert sum(one["rows"] for one in parts.values()) == 600


def test_only_what_is_missing_changed_or_damaged_is_done_again(predict, catalogue, tmp_path, flux):
    predict()
    out = tmp_path / "out"
    stamps = {name: (out / name).stat().st_mtime_ns for name in OUTS}
    assert predict()["rows_now"] == 0
    (out / "a.parquet").unlink()
    damaged = bytearray((out / "z.parquet").read_bytes())
    damaged[100] ^= 255  # of the same size
    (out / "z.parquet").write_bytes(damaged)
    scenes.write_part(catalogue / "deep/c.pq", flux[:20], 7)
    result = predict()
    assert (result["rows"], result["rows_now"], result["parts"]) == (470, 320, 4)
    changed = [name for name in OUTS if (out / name).stat().st_mtime_ns != stamps[name]]
    assert changed == ["a.parquet", "deep/c.parquet", "z.parquet"]
    assert pd.read_parquet(out / "deep/c.parquet").source_id.tolist() == [*range(7, 27)]
    assert len((out / "manifest.jsonl").read_text().splitlines()) == 8
    predict()
    assert len((out / "manifest.jsonl").read_text().splitlines()) == 5  # what no longer counts went


def test_a_part_that_was_done_and_has_become_bad_leaves_no_old_result(predict, catalogue, tmp_path):
    predict()
    (catalogue / "z.parquet").write_bytes(b"no Parquet")
    result = predict()
    assert (result["rows"], result["n_failed"]) == (450, 1)
    assert not (tmp_path / "out" / "z.parquet").exists()


def test_how_many_processes_there_are_by_default(known, monkeypatch):
    store, run = known
    large, small = Part("a", 10**9, 0), Part("a", 10**6, 0)
    monkeypatch.setattr(workers, "n_cores", lambda: 4)
    assert [workers.default_workers(store, [part]) for part in (large, small)] == [4, 1]
    me = psutil.Process()
    status = {"state": "running", "kind": "train", "pid": me.pid, "pid_started": me.create_time()}
    write_json(run.status_path, status)
    assert workers.default_workers(store, [large]) == 3
    run.status_path.unlink()
    monkeypatch.setattr(workers, "find_spec", lambda _: None)
    assert workers.default_workers(store, [large]) == 1


def test_a_bad_part_is_named_and_the_rest_goes_on(known, catalogue, predict, tmp_path, here):
    whole = (catalogue / "deep/c.pq").read_bytes()
    (catalogue / "deep/c.pq").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    asked = ("predict", known[1].id, catalogue, "--out", out, "--workers", 1)
    code, printed, said = here(*asked, "--json")
    value = json.loads(printed)
    assert (code, value["rows"], value["parts"], value["n_failed"]) == (1, 450, 3, 1)
    assert value["failed"][0]["part"] == "deep/c.pq"
    assert "is a broken Parquet file" in value["failed"][0]["why"]
    assert "1 failed" in said
    assert not (out / "deep/c.parquet").exists()
    (catalogue / "deep/c.pq").unlink()  # what cannot be read may go
    result = predict()
    assert (result["rows"], result["n_parts"], result["n_failed"]) == (450, 3, 0)
    (catalogue / "deep/c.pq").write_bytes(whole)
    result = predict()
    assert (result["rows"], result["rows_now"], result["n_failed"]) == (600, N, 0)


def test_other_work_is_refused(known, predict, catalogue, tmp_path, flux):
    store, run = known
    out = tmp_path / "out"
    predict()
    other = scenes.make_run(store, flux, "other")
    with pytest.raises(InputError, match=f"is that of run {run.id}, and this is run {other.id}"):
        predict(run=other.id)
    with pytest.raises(InputError, match="begun with another options of the same run"):
        predict(estimate="mean")
    scenes.learn(run, 2)
    try:
        with pytest.raises(InputError, match="begun with another model of the same run"):
            predict()
    finally:
        scenes.learn(run, 1)
    with (
        Manifest(out, lines(out)[0], ()),
        pytest.raises(InputError, match="Another job is writing into"),
    ):
        predict()
    (catalogue / "a.parquet").rename(tmp_path / "a.parquet")
    with pytest.raises(
        InputError, match=r"a\.parquet is listed in .* not in the catalogue any more"
    ):
        predict()
    with pytest.raises(InputError, match=r"holds files and no manifest\.jsonl"):
        predict(out=known[0].root)
    for inside in (catalogue, catalogue / "out", catalogue.parent):
        with pytest.raises(InputError, match="lie within one another"):
            predict(out=inside)
    (out / "manifest.jsonl").write_text('{"run": 1}\nno JSON\n')
    with pytest.raises(DamagedError, match="it holds something else"):
        predict()


def test_a_line_of_the_manifest_that_a_kill_cut_off_counts_as_none(predict, tmp_path):
    predict()
    path = tmp_path / "out" / "manifest.jsonl"
    text = path.read_text()
    path.write_text(text[:-100])
    result = predict()
    assert (result["rows"], result["rows_now"]) == (600, N)
    assert set(lines(tmp_path / "out")[1]) == set(NAMES)


def test_parts_that_cannot_be(tmp_path, catalogue):
    with pytest.raises(InputError, match="holds no part of a catalogue"):
        find_parts(tmp_path / "nowhere")
    shutil.copy(catalogue / "a.parquet", catalogue / "a.pq")
    with pytest.raises(InputError, match=r"would both become a\.parquet; rename one"):
        find_parts(catalogue)


def test_an_empty_part_has_no_rows_and_is_no_fault(predict, catalogue, tmp_path, flux):
    scenes.write_part(catalogue / "empty.parquet", flux[:0], 0)
    result = predict()
    assert (result["rows"], result["parts"], result["n_failed"]) == (600, 5, 0)
    empty = pd.read_parquet(tmp_path / "out" / "empty.parquet")
    assert list(empty.columns) == list(pd.read_parquet(tmp_path / "out" / "a.parquet").columns)
    assert len(empty) == 0


def test_the_result_of_a_hats_catalogue_is_one(predict, tmp_path, flux):
    root, out = tmp_path / "hats", tmp_path / "out"
    leaves = [f"dataset/Norder=1/Dir=0/Npix={k}.parquet" for k in (3, 10, 47)]
    for k, leaf in enumerate(leaves):
        place = {
            "ra": np.linspace(0, 9, 40) + k, "dec": np.linspace(-5, 5, 40), "mag": np.ones(40),
            "_healpix_29": (np.arange(40) + 2**60 + k).astype(np.int64),
        }  # fmt: skip
        scenes.write_part(root / leaf, flux[k * 40 : k * 40 + 40], 100 * k, **place)
    scenes.write_part(root / "dataset/data_thumbnail.parquet", flux[:2], 0)
    (root / "dataset/data_thumbnail.parquet").rename(root / "data_thumbnail.parquet")
    pq.write_metadata(pq.read_schema(root / leaves[0]), root / "dataset/_metadata")
    (root / "partition_info.csv").write_text("Norder,Npix\n1,3\n1,10\n1,47\n")
    (root / "hats.properties").write_text(
        "#HATS catalog\nobs_collection=demo\ndataproduct_type=object\nhats_nrows=120\n"
        "hats_col_ra=ra\nhats_col_dec=dec\nhats_cols_default=ra dec mag\n"
    )
    result = predict(root)
    assert (result["rows"], result["parts"], result["hats"]) == (120, 3, True)
    table = pa.dataset.dataset(out / "dataset", partitioning="hive").to_table().to_pandas()
    assert all((out / leaf).is_file() for leaf in leaves)
    assert not {"mag", "flux"} & set(table)
    table = table.sort_values("source_id")
    assert table.source_id.tolist() == [100 * k + i for k in range(3) for i in range(40)]
    assert table._healpix_29.tolist() == [2**60 + k + i for k in range(3) for i in range(40)]
    assert table.ra.iloc[-1] == 11  # the other columns of the place stay, too
    groups = pq.read_metadata(out / "dataset/_metadata")
    assert (groups.num_rows, groups.row_group(2).column(0).file_path) == (
        120, "Norder=1/Dir=0/Npix=47.parquet",
    )  # fmt: skip
    assert (out / "partition_info.csv").read_text() == (root / "partition_info.csv").read_text()
    said = (out / "hats.properties").read_text().splitlines()
    assert {"obs_collection=demo_redshifts", "hats_nrows=120", "hats_col_ra=ra"} <= set(said)
    assert not any(line.startswith("hats_cols_default") for line in said)


def test_another_prior_and_intervals_fitted_anew_hold_for_every_part(
    known, predict, catalogue, tmp_path, survey_file
):
    store, run = known
    asked = {"estimate": "mean,flat,0.5", "labels": survey_file}
    result = predict(**asked)
    once = {"run": run.id, "file": catalogue / "a.parquet", "out": tmp_path / "once.parquet"}
    whole = predict_job(scenes.context(store, "predict", **once, **asked))
    assert result["recalibration"] == whole["recalibration"]
    found = pd.read_parquet(tmp_path / "out" / "a.parquet")
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "once.parquet"))
    assert predict(**asked)["rows_now"] == 0  # fitted again, to the same numbers


def test_bulk_files_of_coefficients_are_a_catalogue(known, predict, tmp_path):
    store, run = known
    root, wanted = tmp_path / "bulk", []
    root.mkdir()
    for k, name in enumerate(("000000-003111", "003112-005263")):
        path = root / f"XpContinuousMeanSpectrum_{name}.csv.gz"
        as_csv(path, "# text\n" * k)
        (tmp_path / "once.parquet").unlink(missing_ok=True)
        request = {"run": run.id, "file": path, "out": tmp_path / "once.parquet"}
        predict_job(scenes.context(store, "predict", **request))
        wanted.append(pd.read_parquet(tmp_path / "once.parquet"))
    assert predict(root)["rows"] == 6
    for path, table in zip(sorted((tmp_path / "out").glob("*.parquet")), wanted, strict=True):
        assert path.stem in (
            "XpContinuousMeanSpectrum_000000-003111",
            "XpContinuousMeanSpectrum_003112-005263",
        )
        pd.testing.assert_frame_equal(pd.read_parquet(path), table)


def test_a_stop_keeps_what_is_done(known, catalogue, tmp_path):
    store, run = known
    request = {"run": run.id, "file": catalogue, "out": tmp_path / "out", "workers": 1}
    context = scenes.context(store, "catalogue", **request)
    report, seen = context.report_or_stop, []

    def stop_in_the_second_part(done=None, total=None, message=None, **detail):
        seen.append(detail)
        if detail.get("parts") == 1:
            context.folder.stop_path.touch()
        report(done, total, message, **detail)

    context.report_or_stop = stop_in_the_second_part
    result = catalogue_job(context)
    assert (result["stopped"], result["rows"], result["parts"]) == (True, N, 1)
    assert (seen[-1]["n_parts"], seen[-1]["rows"]) == (4, N)
    assert seen[-1]["seconds_left"] > 0
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_options_that_do_not_fit(known, catalogue, tmp_path, here):
    file = catalogue / "a.parquet"
    code, _, said = here("predict", known[1].id, file, "--workers", 2)
    assert (code, "--workers is for a catalogue" in said) == (2, True)
    wrong = ("--out", tmp_path / "out", "--pdf", tmp_path / "p.npy")
    code, _, said = here("predict", known[1].id, catalogue, *wrong)
    assert (code, "is one file of p(z)" in said) == (2, True)


def test_a_scheduler_of_the_user_and_one_that_goes(
    known, predict, catalogue, tmp_path, monkeypatch
):
    distributed = pytest.importorskip("distributed")
    store, run = known
    predict(out=tmp_path / "here")
    usual = {"processes": False, "protocol": "tcp://", "host": "127.0.0.1"}
    more = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**usual, **more) as cluster:
        request = {"run": run.id, "file": catalogue, "out": tmp_path / "out"}
        context = scenes.context(store, "catalogue", scheduler=cluster.scheduler_address, **request)
        report = context.report_or_stop

        def close_after_one(*values, **detail):
            if detail.get("parts") == 1:
                cluster.close()
            report(*values, **detail)

        context.report_or_stop = close_after_one
        with pytest.raises(InputError, match="is gone"):
            catalogue_job(context)
    assert len(lines(tmp_path / "out")[1]) == 1
    with distributed.LocalCluster(**usual, **more) as cluster:
        result = predict(scheduler=cluster.scheduler_address)
        assert (result["rows"], result["rows_now"]) == (600, 450)
        order = Order(run.path, "", tmp_path / "elsewhere", tmp_path)
        with (
            cluster.get_client() as client,
            pytest.raises(InputError, match=r"sees no .*elsewhere"),
        ):
            workers._check_sight(client, order)
    for name in OUTS:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@pytest.mark.soak
def test_killed_workers_and_a_killed_job_leave_every_row_once(known, tmp_path, flux):
    pytest.importorskip("distributed")
    store, run = known
    root, out = tmp_path / "catalogue", tmp_path / "out"
    large = np.tile(flux, (75, 1))  # many blocks, so that a kill finds the part under way
    sizes = {"a": 100, "b": 100, "c": len(large), "d": 100, "e": 100}
    for k, (name, n) in enumerate(sizes.items()):
        scenes.write_part(root / f"{name}.parquet", large[:n], 100_000 * k)
    request = {"run": run.id, "file": str(root), "out": str(out), "workers": 2}
    job = jobs.start(store, "catalogue", **request)
    first = writer_of(out, "c")
    os.kill(first, signal.SIGKILL)
    second = writer_of(out, "c", but=first)  # Dask gives the part to another process
    main = jobs.status(job).pid
    assert main not in (first, second)
    os.kill(main, signal.SIGKILL)
    assert jobs.wait(job, timeout=20).state == "lost"
    _, done = lines(out)
    assert {"a.parquet", "b.parquet"} <= set(done) < {f"{name}.parquet" for name in sizes}
    stamps = {name: (out / name).stat().st_mtime_ns for name in done}
    for one in (first, second):
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(one).wait(20)  # a worker does not outlive its job
    result = catalogue_job(scenes.context(store, "catalogue", **{**request, "workers": 1}))
    assert (result["rows"], result["n_failed"]) == (sum(sizes.values()), 0)
    assert {name: (out / name).stat().st_mtime_ns for name in done} == stamps
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == sorted(
        [*(f"{name}.parquet" for name in sizes), "manifest.jsonl"]
    )
    for k, (name, n) in enumerate(sizes.items()):
        ids = pq.read_table(out / f"{name}.parquet", columns=["source_id"])["source_id"]
        assert ids.to_pylist() == [*range(100_000 * k, 100_000 * k + n)]


def writer_of(out, part, but=0, seconds=120.0):
    """Process that is writing the result of a part."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in out.glob(f".tmp-*-{part}.parquet"):
            if (pid := int(path.name.split("-")[1])) != but:
                return pid
        time.sleep(0.002)
    raise AssertionError(f"nobody has begun to write {part}")
