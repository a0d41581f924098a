"""Spectra moved to the mean and covariance of others, and a run trained anew on them."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from redshift_core import cli, data
from redshift_core.data.split import Split, split_rows, training_rows
from redshift_core.errors import InputError
from redshift_core.learning.adaptation import (
    Adaptation,
    Moments,
    adapt_job,
    transport,
    write_adapted,
)
from redshift_core.prediction.rows import is_own
from redshift_core.settings.adapt import LEAST
from redshift_core.settings.presets import preset
from redshift_core.store import JobContext, demo_file, read_json, write_json
from tests.pages.made_up import every_slot_taken

TINY = {"dense_units": "8", "epochs": 1, "scaler": "spectrum"}
N = 800  # galaxies of the run to adapt; 504 of them are for training


def spectra(n=3000, seed=0, tilt=0.0, gain=1.0, spread=0.4, depth=0.1):
    """Correlated made-up spectra of positive mean, shape (n, 186)."""
    random = np.random.default_rng(seed)
    pixels = np.linspace(-1, 1, 186)
    modes = np.stack([np.sin((k + 1) * 3 * pixels) for k in range(6)])
    shape = 1 + tilt * pixels + depth * random.standard_normal((n, 6)) @ modes
    shape += 0.01 * random.standard_normal((n, 186))
    return gain * random.lognormal(1, spread, (n, 1)) * shape


def moments(flux):
    return Moments.measure([flux])


def test_moments_are_those_of_the_spectra_divided_by_their_mean():
    flux = spectra(700)
    found = moments(flux)
    mean = flux.mean(axis=1, keepdims=True)
    assert found.n == 700
    np.testing.assert_allclose(found.mean, (flux / mean).mean(axis=0), rtol=1e-12)
    covariance = np.cov((flux / mean).T, bias=True)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)
    assert found.log_mean == pytest.approx(np.log(mean).mean())
    assert found.log_scatter == pytest.approx(np.log(mean).std())


def test_blocks_of_any_size_give_the_same_moments():
    flux = spectra(700)
    whole, parts = moments(flux), Moments.measure(flux[k : k + 97] for k in range(0, 700, 97))
    for name in ("n", "mean", "covariance", "log_mean", "log_scatter"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12)


def test_spectra_without_signal_have_no_say():
    flux = spectra(500)
    noise = np.random.default_rng(1).standard_normal((40, 186))
    bad = np.full((3, 186), [[np.nan], [np.inf], [0.0]])
    filled = flux[:4].copy()
    filled[:, 30:40] = 1e20
    found = moments(np.concatenate([flux, noise, -flux[:5], bad, filled]))
    assert found.n == 500
    np.testing.assert_allclose(found.covariance, moments(flux).covariance, atol=1e-12)


def test_the_map_gives_mean_covariance_and_brightness_of_the_target():
    source = spectra(4000, 1)
    target = spectra(3000, 2, tilt=0.3, gain=2.0, spread=0.7, depth=0.15)
    here, there = moments(source), moments(target)
    moved = moments(Adaptation.fit(here, there).apply(source))
    wanted = (3000 * there.covariance + transport.PRIOR * here.covariance) / (
        3000 + transport.PRIOR
    )
    np.testing.assert_allclose(moved.mean, there.mean, atol=2e-4)
    np.testing.assert_allclose(moved.covariance, wanted, atol=1e-4 * wanted.max())
    assert moved.log_mean == pytest.approx(there.log_mean, abs=1e-3)
    assert moved.log_scatter == pytest.approx(there.log_scatter, abs=1e-3)
    assert np.abs(here.covariance - wanted).max() > 0.1 * wanted.max()  # so it had to move


def test_between_gaussians_in_two_numbers_the_map_is_the_known_one():
    """For covariances that commute, M scales each direction by the ratio of their scatters."""
    one, other = np.full(186, 0.04), np.full(186, 0.01)
    flat = np.ones(186)
    here = Moments(10**9, flat, np.diag(one), 0.0, 1.0)
    there = Moments(10**9, flat, np.diag(other), 0.0, 1.0)
    matrix = Adaptation.fit(here, there).matrix
    np.testing.assert_allclose(matrix, 0.5 * np.eye(186), atol=1e-5)


def test_spectra_are_not_moved_to_where_they_are():
    flux = spectra(2000)
    same = moments(flux)
    moved = Adaptation.fit(same, same).apply(flux)
    np.testing.assert_allclose(moved, flux, rtol=1e-5, atol=1e-5)


def test_a_faint_or_negative_spectrum_stays_finite_and_faint():
    source = spectra(2000)
    adaptation = Adaptation.fit(moments(source), moments(spectra(2000, 2, gain=3.0)))
    odd = np.stack([np.full(186, 1e-9), -source[0], 0.01 * np.sin(np.arange(186))])
    moved = adaptation.apply(odd)
    assert np.isfinite(moved).all()
    assert np.abs(moved[[0, 2]]).max() < 1
    assert np.abs(moved).max() < 3e3


def test_of_few_spectra_the_covariance_is_drawn_to_the_sources():
    source, flux = moments(spectra(5000, 1)), spectra(5000, 3, tilt=0.2)
    truth = Adaptation.fit(source, moments(flux)).matrix
    few = moments(flux[:LEAST])

    def error():
        return np.abs(Adaptation.fit(source, few).matrix - truth).max()

    drawn = error()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "PRIOR", 0)
        assert drawn < 0.7 * error()


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Galaxies of the demo survey (SIMULATED) to train on, and others, redder and brighter."""
    folder = tmp_path_factory.mktemp("tables")
    whole = pq.read_table(demo_file())
    pq.write_table(whole.slice(0, N), folder / "known.parquet")
    other = whole.slice(N, 600).to_pandas()
    names = [name for name in other if name.startswith("flux")]
    other[names] *= np.linspace(1.2, 2.0, 186)
    other.drop(columns="z").to_csv(folder / "new.csv", index=False)
    return folder


@pytest.fixture
def run(store, tables):
    """A run's folder before its training; that is all that adapting it needs."""
    return made_run(store, data.ingest(tables / "known.parquet", store, name="known"))


def made_run(store, dataset, **values):
    run = store.new_run("first")
    config = preset("fast", dataset.id).with_values({**TINY, **values})
    write_json(run.config_path, config.to_dict())
    return run


def context(store, **request):
    folder = store.new_job("adapt")
    write_json(folder.request_path, {"kind": "adapt", **request})
    return JobContext.of(folder)


def test_the_dataset_keeps_rows_ids_redshifts_and_flags(store, tables):
    table = pd.read_parquet(tables / "known.parquet")
    table.loc[5, table.columns[-1]] = np.nan
    table.loc[7, "z"] = np.nan
    table.to_parquet(store.inbox / "known.parquet")
    source = data.open_dataset(data.ingest(store.inbox / "known.parquet", store, name="known"))
    there = moments(2 * np.array(source.flux[100:500]))
    adaptation = Adaptation.fit(moments(np.array(source.flux)), there)
    target = {"name": "new.csv", "sha256": "0", "n": 400}
    folder = write_adapted(store, source, adaptation, "moved", {"target": target})
    moved = data.open_dataset(folder)
    for name in ("z_spec", "source_id", "flags"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(source, name))
    good = np.flatnonzero((source.flags & data.BAD_FLUX) == 0)
    assert 5 not in good
    np.testing.assert_array_equal(moved.flux[5], source.flux[5])
    np.testing.assert_array_equal(moved.flux[good], adaptation.apply(source.flux[good]))
    np.testing.assert_allclose(
        moved.brightness[good], np.mean(moved.flux[good], axis=1, dtype=float), rtol=1e-6
    )
    assert moved.info["simulated"] is True
    assert moved.info["adapted"]["target"] == target
    assert moved.info["sha256"] != source.info["sha256"]
    assert moved.galaxies == source.galaxies == source.info["sha256"]


@pytest.mark.parametrize("change", ["few", "gone", "brightness", "pixels", "no file"])
def test_what_cannot_be_adapted_is_refused_and_leaves_nothing(store, tables, run, change):
    file, sentence = tables / "new.csv", ""
    if change == "few":
        file = store.inbox / "few.csv"
        pd.read_csv(tables / "new.csv").head(200).to_csv(file, index=False)
        sentence = r"few\.csv has .* spectra .* adapting needs 300 or more"
    elif change == "gone":
        store.dataset("known").delete()
        sentence = "not in the store any more"
    elif change == "brightness":
        run = made_run(store, store.dataset("known"), selection="brightness=1..")
        sentence = "trained without a limit on brightness"
    elif change == "pixels":
        file = store.inbox / "short.csv"
        pd.read_csv(tables / "new.csv").iloc[:, :-2].to_csv(file, index=False)
        sentence = "184"
    else:
        file, sentence = store.inbox / "absent.csv", "file .* no longer exists"
    before = [*store.datasets(), *store.runs()]
    with pytest.raises(InputError, match=sentence):
        adapt_job(context(store, run=run.id, file=str(file)))
    assert [*store.datasets(), *store.runs()] == before
    assert list((store.root / "datasets").glob(".*")) == []


def test_a_stopped_job_leaves_nothing(store, tables, run):
    asked = context(store, run=run.id, file=str(tables / "new.csv"))
    asked.folder.stop_path.touch()
    assert adapt_job(asked) == {"stopped": True}
    assert len(store.datasets()) == len(store.runs()) == 1
    assert list((store.root / "datasets").glob(".*")) == []


def test_a_dataset_of_the_store_serves_as_target(store, tables, run):
    target = data.ingest(tables / "new.csv", store, name="new ones")
    with every_slot_taken(store):  # the training that follows is real but waits
        result = adapt_job(context(store, run=run.id, dataset=target.id, name="for them"))
    about = store.dataset(result["dataset"]).info["adapted"]["target"]
    assert about == {
        "name": "new ones", "sha256": target.info["sha256"], "n": result["n_target"],
    }  # fmt: skip
    assert store.run(result["run"]).name == "for them"


def test_what_is_neither_file_nor_dataset_is_named(store, run, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["adapt", "first", "--to", "nowhere.csv"])
    assert ended.value.code == 2
    assert "'nowhere.csv' is no file, and no dataset" in capsys.readouterr().err
    assert store.jobs() == []


def test_the_command_adapts_a_run_and_trains_it_on_the_same_split(store, tables, run, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["adapt", "first", "--to", str(tables / "new.csv"), "--json"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    new = store.runs()[0]
    said = json.loads(out)
    assert (said["run"], said["state"]) == (new.id, "finished")
    assert new.name == "first adapted to new.csv"
    assert "spectra of new.csv" in new.note
    assert "SIMULATED" in err
    moved = store.dataset(new.config.dataset)
    assert moved.name == "known adapted to new.csv"
    assert new.trained_on["adapted"] == moved.info["adapted"]
    assert moved.info["adapted"]["target"]["n"] > 590
    assert {**new.config.to_dict(), "dataset": ""} == {**run.config.to_dict(), "dataset": ""}
    known = store.dataset("known")
    rows = training_rows(data.open_dataset(known), run.config.split)
    wanted, now = split_rows(rows, run.config.split), Split.load(new.split_path)
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(getattr(now, part), getattr(wanted, part))
    target = data.ingest(tables / "new.csv", store)
    ratio = moved.info["brightness_median"] / target.info["brightness_median"]
    assert 0.9 < ratio < 1.1
    assert is_own(new, known)  # so only galaxies that it has not seen are judged
    assert read_json(new.metrics_path(moved.id))["n"] == len(now.test)
