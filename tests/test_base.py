"""The base network of the package: at hand in every store, written to in none."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.learning.adaptation import adapt_job
from redshift_core.store.base import FOLDER, about_base, base_id, base_run, card, is_base
from tests.pages.made_up import make_run
from tests.test_prediction import job
from tests.test_share import DATASET

SIMULATED = "SIMULATED galaxies and on no real one"


def content(folder):
    """Digest of every file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_package_holds_one_base_network_of_ten_megabytes_at_most():
    names = sorted(path.name for path in FOLDER.iterdir())
    assert names == [f"{base_id()}.zip.xz", "measured.json"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 10_000_000


def test_it_is_taken_into_a_store_once_and_the_package_stays_as_it_is(store):
    before = content(FOLDER)
    assert store.runs() == []
    run = store.run("base")
    assert (run.id, run.name) == (base_id(), "base")
    assert is_base(run)
    assert run.trained_on["simulated"] is True
    assert store.run(base_id()) == store.run("base") == run
    assert [one.id for one in store.runs()] == [run.id]
    run.update_info(note="mine")
    run.delete()
    assert store.run(base_id()).note == ""
    assert content(FOLDER) == before


def test_a_copy_of_a_version_that_had_no_onnx_file_gets_it(store):
    run = store.run("base")
    before = content(run.path)
    for name in ("base", base_id()):
        run.onnx_path.unlink()
        assert content(store.run(name).path) == before


def test_those_who_ask_at_the_same_time_get_the_same_copy(store):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(base_run, [store] * 4))
    assert len({run.path for run in found}) == len(store.runs()) == 1


def test_a_run_of_ones_own_that_is_called_so_is_not_hidden(store):
    own = make_run(store, DATASET, name="base")
    with pytest.raises(InputError, match=f"your own {own.id} or the base .*{base_id()}; give"):
        store.run("base")
    assert store.run(own.id) == own
    assert is_base(store.run(base_id()))


def test_other_runs_come_first(store):
    store.run("base")
    old = store.root / "runs" / "20200101-000000-old"
    make_run(store, DATASET).path.rename(old)
    assert [run.id for run in store.runs()] == [old.name, base_id()]
    assert store.run("latest").id == old.name


def test_what_needs_the_galaxies_it_has_learned_from_is_refused_in_a_sentence(store, here, dataset):
    run = store.run("base")
    for more in (None, 20):
        with pytest.raises(InputError, match="without its checkpoint, so it cannot go on"):
            jobs.resume(run, more)
    with pytest.raises(InputError, match=r"those cannot be moved[.] Learn on from it"):
        adapt_job(job(store, "adapt", run=run.id, dataset=dataset.id))
    for name in ("evaluate", "stress"):
        code, _, said = here(name, "base")
        assert code == 2
        assert "no test rows; name a dataset with --dataset" in said


def test_the_list_names_it_and_a_deleted_one_comes_again(store, here):
    assert "`base`, the network that comes with the product" in here("runs")[1]
    store.run("base")
    assert "The base network, which comes with the product." in here("runs")[1]
    assert "comes again" in here("delete", "base", "--yes")[1]
    assert store.runs() == []
    assert here("delete", "base", "--yes")[0] == 2  # it is not taken in to be deleted
    assert store.runs() == []
    assert store.run("base")


def test_what_was_measured_of_it_is_said_in_plain_sentences():
    known, said = card(), about_base()
    assert f"{known['trained_on']:,} {SIMULATED}" in said
    assert f"error is {known['test']['mae']:.4f}" in said
    assert f"MAE {known['real']['mae']:.4f}" in said
    assert known["test"]["mae"] < known["changed"]["mae"]
    assert known["test"]["coverage68"] == pytest.approx(0.68, abs=0.03)


def test_it_predicts_a_file_without_tensorflow_in_a_store_where_nothing_was_trained(
    store, here, survey_file, tmp_path, monkeypatch, no_tensorflow_in_workers
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "survey.parquet"
    pq.write_table(pq.read_table(survey_file).slice(0, 200), file)
    code, said, error = here("predict", "base", file, "--recalibrate", file)
    assert code == 0, error
    assert SIMULATED in said
    assert "Intervals fitted anew to 200 SIMULATED galaxies of survey.parquet" in said
    found, table = pd.read_csv("survey-redshifts.csv"), pd.read_parquet(file)
    assert np.abs(found.z_phot - table.z).mean() < 0.03
    inside = (found.z_low68 <= table.z) & (table.z <= found.z_high68)
    assert inside.mean() == pytest.approx(0.68, abs=0.1)
    (done,) = store.jobs()
    known = done.result["spectra"]
    assert known["training"]["distance"][2] == pytest.approx(known["file"]["distance"][2], rel=0.2)


def test_it_is_judged_and_perturbed_without_tensorflow(
    store, here, dataset, no_tensorflow_in_workers
):
    code, said, error = here("evaluate", "base", "--dataset", dataset.id)
    assert code == 0, error
    assert "(SIMULATED), every usable row" in said
    code, said, error = here("stress", "base", "--dataset", dataset.id)
    assert code == 0, error
    (run,) = store.runs()
    assert run.stress(dataset.id).n_rows == 600


def test_what_needs_tensorflow_asks_for_it(store, here, dataset, no_tensorflow_in_workers):
    """That nothing above passes because the fixture hides nothing."""
    code, _, error = here("explain", "base", "--dataset", dataset.id, "--row", 1)
    assert code
    assert "tensorflow" in error.lower()
