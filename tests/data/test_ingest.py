"""A file becomes a dataset: equal in every format, flagged, whole or not there at all."""

import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_core import jobs
from redshift_core.data import (
    FLAG_TEXT,
    FLAGS,
    flag_names,
    ingest,
    ingest_job,
    open_dataset,
    read_blocks,
)
from redshift_core.errors import InputError
from redshift_core.store import DatasetFolder, JobContext, write_json
from tests.data.tables import IDS, PIXELS, arrow, many_rows, redshifts, rows, spectra, survey, write

Z = redshifts()
FLUX = spectra()
HEADER = ["source_id", "z", *PIXELS]
FILLER = """
import sys, time
from pathlib import Path
from redshift_core.data.staging import take_ownership
from redshift_core.store import Store
folder = Store(Path(sys.argv[1])).new_dataset("half")
take_ownership(folder.path)
folder.flux_path.write_bytes(b"half a file")
print("ready", flush=True)
time.sleep(60)
"""


def table(flux=FLUX, z=Z, ids=IDS):
    """The same spectra as an Arrow table."""
    return arrow(flux, z, ids)


def test_a_parquet_file_may_hold_float32(tmp_path, store):
    pq.write_table(table(FLUX.astype(np.float32)), tmp_path / "a.pq")
    opened = open_dataset(ingest(tmp_path / "a.pq", store))
    assert opened.flux.tolist() == FLUX.astype(np.float32).tolist()


def test_a_dataset_holds_what_the_file_held(tmp_path, store):
    path = write(tmp_path / "a.csv", [*HEADER, "ra", "plate"],
                 rows(IDS, Z, FLUX, Z * 100, np.array(["007"] * 6)))  # fmt: skip
    opened = open_dataset(ingest(path, store, name="mine"))
    assert opened.flux.dtype == np.float32
    assert isinstance(opened.flux, np.memmap)
    assert not opened.flux.flags.writeable
    assert opened.source_id.tolist() == IDS.tolist()
    assert opened.z_spec.tolist() == Z.tolist()
    np.testing.assert_allclose(opened.brightness, FLUX.mean(axis=1), rtol=1e-6)
    assert opened.catalogue["ra"].tolist() == (Z * 100).tolist()
    assert opened.catalogue["plate"].tolist() == ["007"] * 6
    assert opened.name == "mine"
    info = opened.info
    assert info["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (info["source_file"], info["n_rows"], info["n_usable"]) == ("a.csv", 6, 6)
    assert info["columns_found"]["other"] == ["ra", "plate"]
    assert info["has_z"]
    assert not info["simulated"]
    assert info["unit"] == "e⁻ s⁻¹ per pixel"
    assert sorted(os.listdir(opened.folder.path)) == [
        "catalogue.parquet", "dataset.json", "flux.npy",
    ]  # fmt: skip


DIALECTS = {
    "semicolons": lambda t: t.replace(",", ";"),
    "semicolons and decimal commas": lambda t: t.replace(",", ";").replace(".", ","),
    "tabs": lambda t: t.replace(",", "\t"),
    "blanks": lambda t: t.replace(",", "  ").replace("\n", " \n "),
    "a byte-order mark": lambda t: "\ufeff" + t,
    "Windows line ends": lambda t: t.replace("\n", "\r\n"),
    "quoted names": lambda t: '"' + t.replace(",", '","', 187).replace("\n", '"\n', 1),
    "a commented header": lambda t: "# made by hand\n# " + t,
    "blank lines": lambda t: "\n" + t.replace("\n", "\n\n"),
    "no last line end": lambda t: t[:-1],
}


@pytest.mark.parametrize("change", DIALECTS.values(), ids=DIALECTS)
def test_a_text_table_may_be_written_in_many_ways(tmp_path, store, change):
    path = write(tmp_path / "a.csv", HEADER, rows(IDS, Z, FLUX))
    if change is DIALECTS["quoted names"]:
        head, _, rest = path.read_text().partition("\n")
        text = ",".join(f'"{name}"' for name in head.split(",")) + "\n" + rest
    else:
        text = change(path.read_text())
    path.write_bytes(text.encode())
    opened = open_dataset(ingest(path, store))
    assert opened.flux.tolist() == FLUX.astype(np.float32).tolist()
    assert opened.z_spec.tolist() == Z.tolist()
    assert opened.source_id.tolist() == IDS.tolist()


def test_a_file_of_many_blocks_keeps_its_order(tmp_path, store):
    n = 12_000
    flux = np.tile(spectra(500), (n // 500, 1))
    path = write(tmp_path / "a.csv", ["z", *PIXELS], many_rows(np.arange(n) / n * 0.6))
    assert path.stat().st_size > 2 * (4 << 20)
    opened = open_dataset(ingest(path, store))
    assert (opened.flux == flux.astype(np.float32)).all()
    assert opened.z_spec.tolist() == (np.arange(n) / n * 0.6).tolist()
    assert opened.catalogue["row"].tolist() == list(range(n))


def test_blocks_have_the_length_asked_for(tmp_path):
    path = survey(tmp_path / "a.csv", 25)
    blocks = list(read_blocks(path, block_rows=10))
    assert [len(block) for block in blocks] == [10, 10, 5]
    assert np.concatenate([block.row for block in blocks]).tolist() == list(range(25))
    assert (np.vstack([block.flux for block in blocks]) == spectra(25).astype(np.float32)).all()


def faulty():
    """Ten rows of which row k has the k-th fault; the last three have none."""
    flux, z = spectra(10), np.linspace(0.05, 0.5, 10)
    ids = np.arange(100, 110)
    body = rows(ids, z, flux)
    body[0][5] = ""
    body[1][6] = "inf"
    body[2][2:] = ["0"] * 186
    body[3][1] = "NaN"
    body[4][1] = "0.6000001"
    body[5][1] = "-0.001"
    body[6][0] = "105"
    return body


EXPECTED_FLAGS = [
    ["nan_flux"], ["infinite_flux"], ["zero_flux"], ["z_missing"], ["z_out_of_range"],
    ["z_out_of_range"], ["duplicate_id"], [], [], [],
]  # fmt: skip


def test_each_fault_is_flagged_counted_and_kept(tmp_path, store):
    opened = open_dataset(ingest(write(tmp_path / "a.csv", HEADER, faulty()), store))
    assert [flag_names(bits) for bits in opened.flags.tolist()] == EXPECTED_FLAGS
    assert opened.info["flagged"] == {
        "nan_flux": 1, "infinite_flux": 1, "zero_flux": 1, "z_missing": 1, "z_out_of_range": 2,
        "duplicate_id": 1,
    }  # fmt: skip
    assert opened.info["examples"]["z_out_of_range"] == [4, 5]
    assert (opened.info["n_rows"], opened.info["n_usable"], opened.info["n_flagged"]) == (10, 3, 7)
    assert opened.usable_rows().tolist() == [7, 8, 9]
    assert opened.usable_rows().dtype == np.int64
    assert opened.usable_rows(include_flagged=True).tolist() == [2, 4, 5, 6, 7, 8, 9]
    assert set(FLAG_TEXT) == set(FLAGS)


def test_faulty_rows_are_read_for_prediction_too(tmp_path):
    (block,) = read_blocks(write(tmp_path / "a.csv", HEADER, faulty()))
    assert block.row.tolist() == list(range(10))
    assert np.isnan(block.flux[0]).any()
    assert np.isinf(block.flux[1]).any()


@pytest.mark.parametrize("word", ["", "nan", "NaN", "null", "NULL", "NA", " "])
def test_a_cell_may_be_missing_in_many_words(tmp_path, store, word):
    body = rows(IDS, Z, FLUX)
    body[1][9] = body[2][1] = word
    opened = open_dataset(ingest(write(tmp_path / "a.csv", HEADER, body), store))
    assert opened.info["flagged"] == {"nan_flux": 1, "z_missing": 1}


def test_a_null_in_parquet_is_a_missing_value(tmp_path, store):
    found = table().set_column(3, "flux_1", pa.array([1.0, None, *FLUX[2:, 1]]))
    pq.write_table(found, tmp_path / "a.parquet")
    opened = open_dataset(ingest(tmp_path / "a.parquet", store))
    assert opened.info["examples"] == {"nan_flux": [1]}


def test_a_float32_redshift_of_0_6_is_in_range(tmp_path, store):
    pq.write_table(table(z=Z.astype(np.float32)), tmp_path / "a.parquet")
    opened = open_dataset(ingest(tmp_path / "a.parquet", store))
    assert opened.z_spec.max() == 0.6
    assert opened.info["flagged"] == {}


def test_a_parquet_id_may_be_text_and_stays_exact(tmp_path, store):
    pq.write_table(table(ids=IDS.astype(str)), tmp_path / "a.parquet")
    assert open_dataset(ingest(tmp_path / "a.parquet", store)).source_id.tolist() == IDS.tolist()


@pytest.mark.parametrize("header", [PIXELS, ["z", *PIXELS]])
def test_without_redshifts_a_dataset_serves_prediction(tmp_path, store, header):
    empty = np.full((6, len(header) - 186), "")
    opened = open_dataset(ingest(write(tmp_path / "a.csv", header, rows(empty, FLUX)), store))
    assert not opened.info["has_z"]
    assert opened.info["flagged"] == {}
    assert (opened.info["n_spectra"], opened.info["n_usable"]) == (6, 0)
    assert opened.info["use"] == "prediction"
    assert "serves prediction, not training" in opened.info["warnings"][0]
    assert opened.usable_rows().tolist() == []


def test_a_redshift_column_that_was_not_recognised_is_pointed_out(tmp_path, store):
    beside = ["ra", "my_z", "phot_g_mean_mag"]  # positions and magnitudes are no redshifts
    path = write(tmp_path / "a.csv", [*beside, *PIXELS], rows(Z + 150, Z, Z + 15, FLUX))
    first = ingest(path, store)
    assert (
        "If my_z is the redshift, ingest again with --columns z=NAME."
        in (first.info["warnings"][0])
    )
    second = ingest(path, store, columns="z=my_z")
    assert second.id != first.id
    assert open_dataset(second).z_spec.tolist() == Z.tolist()


SCALES = {
    "in another unit": (1e-16, "W m⁻² nm⁻¹"),
    "too bright": (1e4, "in known data it is about 1 to 20"),
    "too faint": (1e-3, "in known data it is about 1 to 20"),
}


@pytest.mark.parametrize(("factor", "sentence"), SCALES.values(), ids=SCALES)
def test_an_unlikely_flux_scale_is_pointed_out(tmp_path, store, factor, sentence):
    path = write(tmp_path / "a.csv", ["z", *PIXELS], rows(Z, FLUX * factor))
    assert sentence in ingest(path, store).info["warnings"][0]


def test_normalised_spectra_are_pointed_out(tmp_path, store):
    flux = FLUX / FLUX.mean(axis=1, keepdims=True)
    path = write(tmp_path / "a.csv", ["z", *PIXELS], rows(Z, flux))
    assert "seem to be normalised" in ingest(path, store).info["warnings"][0]


def test_known_data_get_no_warning(dataset):
    assert dataset.info["warnings"] == []


def test_a_simulated_survey_is_known_as_one(tmp_path, store, dataset):
    assert dataset.info["simulated"]
    assert dataset.info["simulation"]["seed"] == 20
    path = write(tmp_path / "a.csv", HEADER, rows(-np.arange(1, 7), Z, FLUX))
    assert ingest(path, store).info["simulated"]


def test_the_same_file_twice_is_one_dataset(tmp_path, store):
    path = survey(tmp_path / "a.csv")
    first = ingest(path, store, name="one")
    copy = tmp_path / "copy.csv"
    copy.write_bytes(path.read_bytes())
    assert ingest(copy, store, name="two") == first
    assert [folder.id for folder in store.datasets()] == [first.id]
    copy.write_bytes(path.read_bytes().replace(b"0.6", b"0.5", 1))  # same size, other content
    assert ingest(copy, store) != first


def test_ingest_as_a_job_tells_what_it_did(tmp_path, store):
    path = write(tmp_path / "a.csv", HEADER, faulty())
    job = jobs.start(store, "ingest", file=str(path), name="A survey")
    assert jobs.wait(job, timeout=60).state == "finished"
    result = job.result
    assert (result["rows"], result["existing"]) == (10, False)
    assert result["flagged"]["z_out_of_range"] == 2
    assert store.dataset("A survey").id == result["dataset"]
    again = jobs.start(store, "ingest", file=str(path))
    assert jobs.wait(again, timeout=60).state == "finished"
    assert again.result == {**result, "existing": True, "process": again.result["process"]}
    assert result["process"]["cpu_seconds"] > 0


def test_progress_grows_to_the_size_of_the_file(tmp_path, store):
    path = survey(tmp_path / "a.csv", 9_000)
    seen = []
    ingest(path, store, report=lambda done, total, message: seen.append((done, total)))
    dones = [done for done, _ in seen]
    assert dones == sorted(dones)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    assert len(set(dones)) > 1


def test_a_job_that_is_asked_to_stop_leaves_no_dataset(tmp_path, store):
    job = store.new_job("ingest")
    write_json(job.request_path, {"kind": "ingest", "file": str(survey(tmp_path / "a.csv"))})
    job.stop_path.touch()
    result = ingest_job(JobContext.of(job))
    assert result["stopped"]
    assert result["dataset"] is None
    assert not list((store.root / "datasets").iterdir())


class _Stop(Exception):  # noqa: N818
    pass


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, store):
    path = survey(tmp_path / "a.csv")
    lines = path.read_text().splitlines(keepends=True)

    def grow(*_):
        path.write_text("".join([*lines, lines[-1]]))

    with pytest.raises(InputError, match=r"a\.csv had .* bytes when reading began and has .* now"):
        ingest(path, store, report=grow)
    assert store.datasets() == []
    assert open_dataset(ingest(path, store)).flux.shape == (7, 186)


def test_a_stop_leaves_nothing_behind(tmp_path, store):
    def stop(*_):
        raise _Stop

    path = survey(tmp_path / "a.csv", 9_000)
    with pytest.raises(_Stop):
        ingest(path, store, report=stop)
    assert not list((store.root / "datasets").iterdir())


def test_what_a_killed_ingest_left_is_swept_away_and_a_living_one_is_not(tmp_path, store):
    command = [sys.executable, "-c", FILLER, str(store.root)]
    fillers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for filler in fillers:
        filler.stdout.readline()
    datasets = store.root / "datasets"
    assert len(list(datasets.glob(".new-*"))) == 2
    fillers[0].kill()
    fillers[0].wait()
    try:
        ingest(survey(tmp_path / "a.csv"), store)
        (left,) = datasets.glob(".new-*")
        assert json.loads((left / "owner.json").read_text())["pid"] == fillers[1].pid
    finally:
        fillers[1].kill()
        fillers[1].wait()
        for filler in fillers:
            filler.stdout.close()


def test_a_hidden_folder_without_owner_goes_only_when_it_is_old(tmp_path, store):
    young, old = (store.new_dataset(name).path for name in ("young", "old"))
    os.utime(old, (time.time() - 7200,) * 2)
    ingest(survey(tmp_path / "a.csv"), store)
    assert young.exists()
    assert not old.exists()


def test_a_missing_dataset_is_told(tmp_path):
    with pytest.raises(InputError, match="There is no dataset in"):
        open_dataset(DatasetFolder(tmp_path / "none"))


def test_numbers_equal_those_of_pandas(tmp_path):
    path = survey(tmp_path / "a.csv", 500)
    (block,) = read_blocks(path)
    plain = pd.read_csv(path, dtype="str")
    assert block.z_spec.tolist() == [float(text) for text in plain["z"]]
    assert (block.flux == plain[PIXELS].to_numpy("float64").astype(np.float32)).all()


LIGHT = """
import sys, redshift_core.data
heavy = {"tensorflow", "sklearn", "streamlit", "plotly", "pandas", "scipy"} & set(sys.modules)
print(sorted(heavy))
"""


def test_importing_the_data_stage_is_light():
    found = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
