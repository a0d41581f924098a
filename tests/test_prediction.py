"""A run applied to spectra: blocks, flags, the rows it is judged on, the files it writes."""

import json
import shutil
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from redshift_core import data, pdf, prediction
from redshift_core.data.scaling import fit_scaler
from redshift_core.data.split import Split, split_rows
from redshift_core.errors import InputError
from redshift_core.evaluation import training_range
from redshift_core.evaluation.bins import evaluate
from redshift_core.evaluation.bootstrap import bootstrap
from redshift_core.evaluation.verdict import Tally
from redshift_core.learning import models
from redshift_core.prediction import jobs as prediction_jobs
from redshift_core.prediction import reader
from redshift_core.settings.presets import preset
from redshift_core.store import JobContext, Store, read_json, write_json
from redshift_core.store.archive import export_run, import_run
from redshift_core.store.arrays import save_arrays

SETTINGS = {
    "mlp": {"dense_units": "16", "scaler": "spectrum"},
    "cnn": {
        "architecture": "cnn",
        "conv_filters": "4",
        "conv_kernels": "5",
        "dense_units": "8",
        "scaler": "minmax",
    },
}


def make_run(store, dataset, kind="mlp", **settings):
    """Run folder as training leaves it, with the weights a network starts from."""
    config = preset("fast", dataset.id).with_values({**SETTINGS[kind], **settings})
    opened = data.open_dataset(dataset)
    run = store.new_run("untrained")
    write_json(run.config_path, config.to_dict())
    split = split_rows(opened.usable_rows(), config.split)
    split.save(run.split_path)
    scaler = fit_scaler(config.scaler, opened.flux, split)
    training_range.fit_coverage(opened.flux, split.train, split.val).save(run.coverage_path)
    models.keras.utils.set_random_seed(1)
    models.build_model(config.model, scaler).save(run.model_path)
    known = {key: dataset.info[key] for key in ("sha256", "simulated")}
    write_json(run.environment_path, {"dataset": {"id": dataset.id, **known}})
    return run


@pytest.fixture
def run(store, dataset):
    return make_run(store, dataset)


def job(store, kind, **request):
    folder = store.new_job(kind)
    write_json(folder.request_path, {"kind": kind, **request})
    return JobContext.of(folder)


def spectra_file(path, dataset, **columns):
    """CSV of the dataset's first 20 spectra without redshifts, with some columns replaced."""
    table = pd.DataFrame(
        np.array(data.open_dataset(dataset).flux[:20]), columns=[f"flux_{k}" for k in range(186)]
    )
    table.insert(0, "source_id", 2**62 + 1 + np.arange(20))
    table.assign(**columns).to_csv(path, index=False)
    return path


def test_blocks_read_side_by_side_come_in_the_order_of_the_file(run, survey_file, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    coverage, slow = training_range.coverage_of(run), iter(range(1000))

    def predict(flux):
        time.sleep(0.02 if next(slow) % 3 == 0 else 0.0)  # later blocks are done earlier
        return reader.Answer(flux.sum(axis=1).astype(np.float64))

    one = reader.Reader(predict, coverage, pdf.Estimate(), {})
    blocks = list(data.read_blocks(survey_file, block_rows=50))
    whole, together = Tally(coverage), Tally(coverage)
    for (block, (columns, _, _), tally), expected in zip(
        prediction_jobs.read_ahead(one, iter(blocks)), blocks, strict=True
    ):
        assert block is expected
        assert columns["z_phot"].tolist() == predict(block.flux).z_phot.tolist()
        together.merge(tally)
        whole.add(block.flux)
    assert together.verdict() == whole.verdict()
    assert together.spread.quantiles() == whole.spread.quantiles()


@pytest.mark.parametrize("kind", SETTINGS)
def test_blocks_of_any_size_give_what_the_model_gives_at_once(store, dataset, kind):
    run = make_run(store, dataset, kind)
    model = models.load_model(run.model_path)
    flux = data.open_dataset(dataset).flux
    wanted = np.clip(model.predict(np.array(flux), verbose=0)[:, 0], 0.0, 0.6)
    for block in (None, 1, 97, 599, 600):
        z_phot = prediction.predict_redshift(model, flux, block)
        assert z_phot.shape == (600,)
        assert z_phot.dtype == np.float64
        np.testing.assert_allclose(z_phot, wanted, rtol=1e-4, atol=1e-6)


def test_a_bad_spectrum_gets_no_redshift_and_leaves_its_neighbours_alone(run, dataset):
    model = models.load_model(run.model_path)
    flux = np.array(data.open_dataset(dataset).flux[:10])
    clean = prediction.predict_redshift(model, flux)
    flux[2, 5], flux[4, 0], flux[6] = np.nan, np.inf, 0.0
    z_phot = prediction.predict_redshift(model, flux)
    assert np.flatnonzero(np.isnan(z_phot)).tolist() == [2, 4, 6]
    good = [0, 1, 3, 5, 7, 8, 9]
    np.testing.assert_allclose(z_phot[good], clean[good], rtol=1e-5)


def test_no_spectra_give_no_redshifts(run):
    model = models.load_model(run.model_path)
    assert prediction.predict_redshift(model, np.zeros((0, 186))).shape == (0,)


def test_another_number_of_pixels_is_refused(run):
    model = models.load_model(run.model_path)
    with pytest.raises(ValueError, match=r"shape \(2, 185\)"):
        prediction.predict_redshift(model, np.zeros((2, 185)))


def test_on_its_own_dataset_a_run_is_judged_on_its_test_rows_only(run, dataset):
    metrics = prediction.evaluate_run(run, dataset).to_dict()
    table = pd.read_parquet(run.predictions_path(dataset.id))
    opened = data.open_dataset(dataset)
    columns = ["row", "source_id", "z_spec", "z_phot", "brightness", "flags"]
    assert list(table.columns) == columns
    flux = np.array(opened.flux, float)[table.row]
    np.testing.assert_allclose(table.brightness, flux.mean(axis=1), rtol=1e-5)
    assert table.row.tolist() == sorted(Split.load(run.split_path).test.tolist())
    assert table.z_spec.tolist() == np.asarray(opened.z_spec)[table.row].tolist()
    assert table.source_id.tolist() == np.asarray(opened.source_id)[table.row].tolist()
    assert metrics["rows"] == "test"
    assert metrics["n"] == len(table) == 60
    figures = evaluate(table.z_spec, table.z_phot).to_dict()
    assert {key: metrics[key] for key in figures} == figures
    drawn = bootstrap(table.z_spec, table.z_phot)
    assert {key: metrics[key] for key in drawn} == drawn
    assert read_json(run.metrics_path(dataset.id)) == metrics
    assert (metrics["verdict"]["n"], metrics["verdict"]["unlike"]) == (60, False)
    real = read_json(run.real_galaxies_path(dataset.id))
    assert len(real["z_phot"]) == len(real["scatter"]) == 3
    assert not {"density", "inside68", "z_low68"} & set(real)  # the network gives no p(z)


def test_the_predictions_are_the_models_on_those_rows(run, dataset):
    prediction.evaluate_run(run, dataset)
    table = pd.read_parquet(run.predictions_path(dataset.id))
    flux = np.array(data.open_dataset(dataset).flux)[table.row]
    wanted = np.clip(models.load_model(run.model_path).predict(flux, verbose=0)[:, 0], 0, 0.6)
    np.testing.assert_allclose(table.z_phot, wanted, rtol=1e-4, atol=1e-6)


def test_a_simulated_dataset_is_called_so_in_the_metrics(run, dataset):
    assert prediction.evaluate_run(run, dataset).simulated is True


def test_the_same_file_under_another_id_does_not_let_training_rows_in(run, dataset):
    twin = type(dataset)(shutil.copytree(dataset.path, dataset.path.with_name("2-twin")))
    assert prediction.evaluate_run(run, twin).n == 60


def test_another_dataset_is_judged_on_every_row_with_a_redshift(run, dataset):
    other = type(dataset)(shutil.copytree(dataset.path, dataset.path.with_name("2-other")))
    other.update_info(sha256="of another file")
    flux = np.load(other.flux_path)
    np.save(other.flux_path, flux + np.float32(0.01))  # else they are the galaxies it knows
    metrics = prediction.evaluate_run(run, other).to_dict()
    assert (metrics["rows"], metrics["n"]) == ("all", 600)
    assert metrics["scaler_saw_test_rows"] is False


def test_metrics_say_when_the_scaler_saw_the_test_rows(store, dataset):
    run = make_run(store, dataset, fit_on="all")
    assert prediction.evaluate_run(run, dataset).scaler_saw_test_rows is True


def test_a_run_without_test_rows_is_refused(store, dataset):
    run = make_run(store, dataset, test_fraction=0.0)
    with pytest.raises(InputError, match="kept no test rows"):
        prediction.evaluate_run(run, dataset)


def test_a_run_without_a_model_is_refused_with_what_to_do(run, dataset, store):
    run.model_path.unlink()
    with pytest.raises(InputError, match=f"redshift-lab resume {run.id}"):
        prediction.evaluate_run(run, dataset)
    context = job(store, "predict", run=run.id, file="nowhere.csv")
    with pytest.raises(InputError, match="has no saved model yet"):
        prediction.predict_job(context)


def test_a_dataset_without_redshifts_is_refused(run, store, dataset, tmp_path):
    other = data.ingest(spectra_file(tmp_path / "faint.csv", dataset), store)
    with pytest.raises(InputError, match="use predict for spectra without redshifts"):
        prediction.evaluate_run(run, other)


def test_the_evaluate_job_takes_the_runs_own_dataset_by_default(run, store, dataset):
    result = prediction.evaluate_job(job(store, "evaluate", run=run.id))
    assert (result["run"], result["dataset"]) == (run.id, dataset.id)
    assert result["metrics"] == read_json(run.metrics_path(dataset.id))


def test_a_file_is_predicted_into_every_written_format(run, store, dataset, tmp_path):
    flux = np.array(data.open_dataset(dataset).flux[:20])
    odd = {"flux_3": np.where(np.arange(20) == 4, np.nan, flux[:, 3])}
    file = spectra_file(tmp_path / "new.csv", dataset, **odd)
    context = job(store, "predict", run=run.id, file=str(file))
    result = prediction.predict_job(context)
    assert [path.name for path in sorted(context.folder.output.iterdir())] == [
        "predictions.csv", "predictions.ecsv", "predictions.fits", "predictions.parquet",
        "predictions.vot",
    ]  # fmt: skip
    text = pd.read_csv(result["out"], keep_default_na=False, na_values={"z_phot": [""]})
    table = pd.read_parquet(context.folder.output / "predictions.parquet")
    pd.testing.assert_frame_equal(text, table, check_dtype=False)
    for path in result["files"][2:]:
        other = Table.read(path)
        assert other.colnames == list(table.columns)
        assert other["source_id"].tolist() == table.source_id.tolist()
        np.testing.assert_array_equal(other["z_phot"].filled(np.nan), table.z_phot)
    about = fits.getheader(context.folder.output / "predictions.fits", 1)
    assert (about["RUN"], about["SIMULATE"]) == (run.id, True)
    assert list(table.columns) == ["row", "source_id", "z_phot", "flags"]
    assert table.row.tolist() == list(range(20))
    assert table.source_id.tolist() == [2**62 + 1 + k for k in range(20)]
    assert np.flatnonzero(table.z_phot.isna()).tolist() == [4]
    assert table["flags"][4] == "bad_flux"
    assert (result["rows"], result["flagged"]["bad_flux"]) == (20, 1)
    assert result["verdict"]["n"] == 19
    assert "19 spectra are too few to tell" in result["verdict"]["text"]


def test_a_predicted_file_agrees_with_the_prediction_of_its_array(run, store, dataset, tmp_path):
    file = spectra_file(tmp_path / "new.csv", dataset)
    out = tmp_path / "z.parquet"
    prediction.predict_job(job(store, "predict", run=run.id, file=str(file), out=str(out)))
    flux = np.array(data.open_dataset(dataset).flux[:20])
    wanted = prediction.predict_redshift(models.load_model(run.model_path), flux)
    np.testing.assert_allclose(pd.read_parquet(out).z_phot, wanted, atol=2e-7)
    said = json.loads(pq.read_schema(out).metadata[b"redshift_lab_predictions"])
    assert said == {"run": run.id, "SIMULATED spectra": True}


def test_spectra_unlike_the_training_rows_are_flagged(run, store, dataset, tmp_path):
    flux = np.array(data.open_dataset(dataset).flux[:20])
    flux[7] *= 1e4
    flux[9] = flux[9].mean()
    columns = {f"flux_{k}": flux[:, k] for k in range(186)}
    file = spectra_file(tmp_path / "new.csv", dataset, **columns)
    out = tmp_path / "z.parquet"
    request = {"run": run.id, "file": str(file), "out": str(out)}
    result = prediction.predict_job(job(store, "predict", **request))
    flags = pd.read_parquet(out)["flags"].str.split("|")
    outside = [row for row, names in enumerate(flags) if "outside_training_range" in names]
    assert {7, 9} <= set(outside)
    assert result["flagged"]["outside_training_range"] == len(outside) <= 4


def test_the_range_of_an_earlier_version_is_fitted_again_while_its_dataset_is_there(run, dataset):
    wanted = training_range.Coverage.load(run.coverage_path)
    older = {"edges": np.zeros(3), "limit": np.array(2)}
    save_arrays(run.coverage_path, older)
    assert training_range.coverage_of(run).means.shape == wanted.means.shape
    assert training_range.Coverage.load(run.coverage_path) is not None
    save_arrays(run.coverage_path, older)
    dataset.delete()
    with pytest.raises(InputError, match=r"not in the store to fit it again; train the run again"):
        training_range.coverage_of(run)


def test_redshifts_beyond_the_range_are_flagged_and_set_to_its_end(run, store, dataset, tmp_path):
    model = models.load_model(run.model_path)
    kernel, bias = model.get_layer("z_phot").get_weights()
    model.get_layer("z_phot").set_weights([kernel * 0, bias + 0.75])
    model.save(run.model_path)
    file, out = spectra_file(tmp_path / "new.csv", dataset), tmp_path / "z.csv"
    request = {"run": run.id, "file": str(file), "out": str(out)}
    result = prediction.predict_job(job(store, "predict", **request))
    table = pd.read_csv(out)
    assert table.z_phot.tolist() == [0.6] * 20
    assert table["flags"].str.contains("z_phot_out_of_range").all()
    assert result["flagged"]["z_phot_out_of_range"] == 20


def test_an_output_that_cannot_be_written_is_refused_before_the_file_is_read(run, store, tmp_path):
    for out, text in (("z.txt", "does not end in"), ("missing/z.csv", "does not exist")):
        request = {"run": run.id, "file": str(tmp_path / "nowhere.csv")}
        with pytest.raises(InputError, match=text):
            prediction.predict_job(job(store, "predict", **request, out=str(tmp_path / out)))


def test_a_file_that_is_no_spectra_leaves_no_output(run, store, tmp_path):
    (tmp_path / "letter.csv").write_text("Dear reader,\nthis is not a table of spectra.\n")
    request = {"run": run.id, "file": str(tmp_path / "letter.csv"), "out": str(tmp_path / "z.csv")}
    with pytest.raises(InputError, match=r"letter\.csv"):
        prediction.predict_job(job(store, "predict", **request))
    assert not list(tmp_path.glob("*z.csv*"))


@pytest.mark.parametrize("kind", ["predict", "evaluate"])
def test_a_stopped_job_leaves_no_half_results(run, store, dataset, tmp_path, kind):
    file = spectra_file(tmp_path / "new.csv", dataset)
    context = job(store, kind, run=run.id, file=str(file))
    context.folder.stop_path.touch()
    result = getattr(prediction, f"{kind}_job")(context)
    assert result["stopped"] is True
    assert not context.folder.output.exists() or not list(context.folder.output.iterdir())
    assert not run.metrics_path(dataset.id).exists()


def test_flags_are_joined_by_a_bar_in_their_order():
    flags = {"a": np.array([0, 1, 1], bool), "b": np.array([0, 0, 1], bool)}
    assert prediction.flag_text(flags).tolist() == ["", "a", "a|b"]
    assert prediction.flag_text({"a": np.array([], bool)}).tolist() == []


def test_a_run_from_another_store_predicts_the_same_without_its_dataset(run, dataset, tmp_path):
    fit_scaler(run.config.scaler, data.open_dataset(dataset).flux, Split.load(run.split_path)).save(
        run.scaler_path
    )
    arrived, _ = import_run(Store(tmp_path / "away"), export_run(run, tmp_path / "run.zip"))
    file = spectra_file(tmp_path / "new.csv", dataset)
    tables = []
    for one in (run, arrived):
        store = Store(one.path.parent.parent)
        result = prediction.predict_job(job(store, "predict", run=one.id, file=str(file)))
        tables.append(pd.read_parquet(result["files"][1]))
    assert Store(tmp_path / "away").datasets() == []
    assert tables[0].z_phot.notna().all()
    pd.testing.assert_frame_equal(*tables)


def predicted(store, run, file, **request):
    """Table and result of a prediction of a file, as Parquet."""
    out = file.with_name(f"z-{file.stem}.parquet")
    context = job(store, "predict", run=run.id, file=str(file), out=str(out), **request)
    result = prediction_jobs.predict_job(context)
    return pq.read_table(out), result


def test_a_file_gives_the_same_redshifts_whatever_stands_beside_the_fluxes(
    store, run, dataset, tmp_path
):
    path = spectra_file(tmp_path / "ordinary.csv", dataset)
    wanted, ordinary = predicted(store, run, path)
    assert ordinary["source_ids"] == {"missing": 0, "repeated": 0, "text": ""}
    table = pd.read_csv(path)
    words = pd.DataFrame({"z": ["0.1", "see note", *["0.2"] * 18]})
    two = pd.DataFrame({"z": [0.1] * 20, "redshift": [0.2] * 20})
    for name, other in {
        "shuffled": table[np.random.default_rng(0).permutation(table.columns)],
        "bad_z": pd.concat([words, table], axis=1),
        "two_z": pd.concat([two, table], axis=1),
    }.items():
        other.to_csv(tmp_path / f"{name}.csv", index=False)
        assert predicted(store, run, tmp_path / f"{name}.csv")[0].equals(wanted), name
    pd.concat([words, table], axis=1).to_parquet(tmp_path / "typed.parquet")
    assert predicted(store, run, tmp_path / "typed.parquet")[0].equals(wanted)


def test_row_numbers_never_go_out_as_source_ids(store, run, dataset, tmp_path):
    path = spectra_file(tmp_path / "ordinary.csv", dataset)
    wanted, _ = predicted(store, run, path)
    table = pd.read_csv(path)
    table.drop(columns="source_id").to_csv(tmp_path / "no_ids.csv", index=False)
    found, result = predicted(store, run, tmp_path / "no_ids.csv")
    assert found.equals(wanted.drop(["source_id"]))
    assert result["source_ids"]["text"] == (
        "The file has no source ids, so the redshifts go by row, counted from 0."
    )
    ids = table.source_id.astype("Int64")
    ids[3], ids[5] = None, ids[4]
    table.assign(source_id=ids).to_csv(tmp_path / "some.csv", index=False)
    for ending in (".csv", ".parquet", ".fits", ".vot", ".ecsv"):
        out = tmp_path / f"some{ending}"
        file = str(tmp_path / "some.csv")
        out = tmp_path / f"out{ending}"
        result = prediction_jobs.predict_job(
            job(store, "predict", run=run.id, file=file, out=str(out))
        )
        assert result["source_ids"] == {
            "missing": 1, "repeated": 1,
            "text": "Rows without a source_id, which go by row, counted from 0: 1. "
            "Rows with the source_id of an earlier row: 1.",
        }  # fmt: skip
        if ending in (".csv", ".parquet"):
            read = pd.read_csv if ending == ".csv" else pd.read_parquet
            values = read(out)["source_id"].astype("Int64" if ending == ".csv" else object)
            assert values.isna().tolist() == [k == 3 for k in range(20)]
        else:
            form = {"format": "ascii.ecsv"} if ending == ".ecsv" else {}
            values = np.ma.asarray(Table.read(out, **form)["source_id"])
            assert np.ma.getmaskarray(values).tolist() == [k == 3 for k in range(20)]
            assert values[4] == ids[4]


def test_a_spectrum_with_a_sentinel_gets_no_redshift_and_its_flag(store, run, dataset, tmp_path):
    clean, _ = predicted(store, run, spectra_file(tmp_path / "clean.csv", dataset))
    path = spectra_file(tmp_path / "a.csv", dataset)
    table = pd.read_csv(path)
    table.loc[2, ["flux_7", "flux_8"]] = 1e20
    table.loc[4, "flux_100"] = -999
    table.to_csv(path, index=False)
    found, result = predicted(store, run, path)
    flags = found["flags"].to_pylist()
    assert flags[2] == flags[4] == "bad_flux|sentinel_flux"
    assert result["flagged"]["sentinel_flux"] == 2
    assert result["verdict"]["n"] == 18  # the verdict on the file is that on the others
    others = [k for k in range(20) if k not in (2, 4)]
    assert found.take(others).equals(clean.take(others))
    assert found["z_phot"].take([2, 4]).null_count == 2
