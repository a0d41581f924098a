"""What must stand beside figures: the values by hand, and every surface that shows them."""

import json
import shutil

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from redshift_core import cli, data, prediction
from redshift_core.data import scaling
from redshift_core.data.repeats import Seen
from redshift_core.data.split import Split, learned_rows, split_rows
from redshift_core.errors import InputError
from redshift_core.evaluation import honesty
from redshift_core.jobs.preflight import few_rows
from redshift_core.learning import models
from redshift_core.pdf import training_prior
from redshift_core.reports.run import write_report
from redshift_core.settings.presets import preset
from redshift_core.settings.run import ScalerConfig, SplitConfig
from redshift_core.store import write_json
from redshift_core.store.archive import import_run
from redshift_core.store.arrays import save_arrays
from redshift_core.store.records import Evaluation, Guess, Learned
from tests.pages.made_up import open_page
from tests.test_prediction import make_run


def evaluation(mae=0.03, n=100, **more) -> Evaluation:
    return Evaluation(figures={"mae": mae}, n=n, bins=(), **more)


def levels(found) -> list[str]:
    return [one.level for one in found]


def always(run, z: float) -> None:
    """Make a run's network give the redshift z for every spectrum."""
    model = models.load_model(run.model_path)
    kernel, bias = model.get_layer("z_phot").get_weights()
    model.get_layer("z_phot").set_weights([kernel * 0, bias * 0 + z])
    model.save(run.model_path)


def test_the_error_of_the_median_by_hand():
    # |0.1 − 0.2|, |0.2 − 0.2|, |0.5 − 0.2| = 0.1, 0, 0.3; the last galaxy got no redshift.
    found = honesty.guess(0.2, [0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.3, np.nan])
    assert found.mae == pytest.approx(0.4 / 3)
    assert honesty.guess(0.2, [], []).mae is None
    assert honesty.guess(None, [0.1], [0.1]) is None


def test_worse_than_the_median_is_an_error_and_as_good_is_not():
    guess = Guess(z=0.12, mae=0.03)
    assert honesty.remarks(evaluation(0.03, guess=guess)) == ()
    (said,) = honesty.remarks(evaluation(0.0301, guess=guess))
    assert "on this one galaxy its" in honesty.remarks(evaluation(0.9, 1, guess=guess))[0].text
    assert said.level == "error"
    assert "is 0.0301, and it is 0.0300 where each gets 0.1200, the median" in said.text
    (same,) = honesty.remarks(evaluation(0.0005, guess=Guess(z=0.1, mae=0.0)))
    assert (same.level, "each redshift is 0.1000" in same.text) == ("error", True)


def test_of_a_handful_of_galaxies_nothing_is_concluded():
    assert [len(honesty.remarks(evaluation(n=n))) for n in (1, 29, 30)] == [1, 1, 0]
    assert "from one galaxy" in honesty.remarks(evaluation(n=1))[0].text


def test_galaxies_that_a_run_learned_from_are_counted_in_words():
    counted = honesty.remarks(evaluation(learned=Learned(n_counted=12)))
    left_out = honesty.remarks(evaluation(learned=Learned(n_left_out=20, n_by_spectrum=15)))
    assert levels([*counted, *left_out]) == ["warning", "note"]
    assert "12 of these 100 galaxies stand in the training or validation part" in counted[0].text
    assert "20 rows were left out" in left_out[0].text
    assert "15 are known by their spectrum, and 5 by their source id alone" in left_out[0].text
    assert honesty.remarks(evaluation(learned=Learned())) == ()


@pytest.mark.parametrize(("n_rows", "n_said"), [(30, 2), (198, 2), (199, 1), (291, 0)])
def test_few_rows_are_said_beforehand(n_rows, n_said):
    assert len(few_rows(preset("fast"), n_rows)) == n_said


def test_p_of_z_from_few_rows_names_the_presets_that_work():
    (few, _) = few_rows(preset("best"), 30)
    assert "18 galaxies to learn from are too few" in few.text
    assert "take fast" in few.text


def test_a_useless_run_is_called_so_everywhere(store, dataset, tmp_path, capsys, monkeypatch):
    run = make_run(store, dataset)
    always(run, 0.55)
    opened = data.open_dataset(dataset)
    split = Split.load(run.split_path)
    save_arrays(run.prior_path, {"training": training_prior(opened.z_spec[split.train])})
    scaling.fit_scaler(run.config.scaler, opened.flux, split).save(run.scaler_path)
    write_json(run.status_path, {"state": "finished", "kind": "train"})
    environment = json.loads(run.environment_path.read_text())
    z = float(np.median(opened.z_spec[split.train]))
    write_json(run.environment_path, environment | {"guess": {"z": z, "val_mae": 0.1}})
    metrics = prediction.evaluate_run(run, dataset)

    wanted = np.abs(opened.z_spec[split.test] - z).mean()
    assert metrics.guess.mae == pytest.approx(wanted)
    assert metrics.mae == pytest.approx(np.abs(opened.z_spec[split.test] - 0.55).mean())
    said = metrics.remarks[0].text
    assert levels(metrics.remarks) == ["error"]
    assert honesty.remarks_of_run(run) == metrics.remarks
    assert f'<p class="error">{said}</p>' in write_report(
        run, tmp_path / "r.html", store
    ).read_text("utf-8")
    monkeypatch.setattr(
        "sys.argv", ["redshift-lab", "export", run.id, "--out", str(tmp_path / "r.zip")]
    )
    with pytest.raises(SystemExit):
        cli.main()
    assert said in capsys.readouterr().err
    elsewhere, _ = import_run(type(store)(tmp_path / "elsewhere"), tmp_path / "r.zip")
    assert elsewhere.metrics(dataset.id).remarks == metrics.remarks
    for page in ("evaluate", "train"):
        query = {"view": "Runs"} if page == "train" else {}
        shown = open_page(page, **query)
        assert not shown.exception
        assert any("worse than no network" in one.value for one in shown.error), page
    # Without the exact median, as for a run of an earlier version, that of its prior serves.
    write_json(run.environment_path, environment)
    assert honesty.median_redshift(run) == pytest.approx(z, abs=0.01)


def test_redshifts_lie_in_the_range_whatever_the_network_says(store, dataset):
    run = make_run(store, dataset)
    flux = np.array(data.open_dataset(dataset).flux[:40])
    for z, given in ((19.0, 0.6), (-3.0, 0.0), (0.25, 0.25)):
        always(run, z)
        z_phot = prediction.predict_redshift(models.load_model(run.model_path), flux)
        assert z_phot.tolist() == pytest.approx([given] * 40)


def test_a_run_is_judged_elsewhere_without_the_galaxies_it_learned_from(store, dataset, tmp_path):
    run = make_run(store, dataset)
    opened, split = data.open_dataset(dataset), Split.load(run.split_path)
    other = type(dataset)(shutil.copytree(dataset.path, dataset.path.with_name("2-other")))
    other.update_info(sha256="of another file")
    Seen.of(opened, learned_rows(split)).save(run.seen_path)

    def judged():
        return prediction.evaluate_run(run, other)

    kept = judged()
    assert (kept.n, kept.learned.n_left_out) == (len(split.test), len(split.train) + len(split.val))
    run.seen_path.unlink()  # a run of an earlier version, whose dataset is here
    assert judged().learned == kept.learned
    dataset.delete()  # nothing knows any more what it has learned from
    unknown = judged()
    assert (unknown.n, unknown.learned) == (len(opened), Learned(unknown=True))
    assert "could not be checked" in unknown.remarks[-1].text
    Seen.of(data.open_dataset(other), np.arange(len(opened))).save(run.seen_path)
    with pytest.raises(InputError, match="has learned from each of the 600 usable galaxies"):
        judged()


def test_a_split_that_parts_repeats_is_judged_with_the_sentence(store, dataset):
    run = make_run(store, dataset)
    rows = np.arange(100)
    Split(rows[:50], rows[50:60], np.r_[rows[40:45], rows[60:]]).save(run.split_path)
    metrics = prediction.evaluate_run(run, dataset)
    assert metrics.learned == Learned(n_counted=5)
    assert any(
        "5 of these 45 galaxies stand in the training" in one.text for one in metrics.remarks
    )


@pytest.mark.parametrize("n", [30, 100, 400, 600])
def test_the_whitening_is_shrunk_more_than_ledoit_and_wolf_ask(dataset, n):
    flux = np.array(data.open_dataset(dataset).flux[:n])
    rows = np.sort(split_rows(np.arange(n), SplitConfig()).train)
    floor = scaling.whitening_floor(len(rows))
    whitened = scaling.fit_scaler(ScalerConfig("whitened"), flux, rows)
    inputs = scaling._shape(flux @ whitened.numbers["projection"], whitened.numbers, np)[rows]
    _, least = ledoit_wolf(inputs.astype(np.float64), assume_centered=True)
    shrinkage = floor / (1 + floor)
    assert shrinkage > least > 0
    # S + f·1 is (1 + f) times the shrunk matrix: the whitening is that of the latter, / √(1 + f).
    moment = inputs.T.astype(np.float64) @ inputs / len(rows)
    shrunk = (1 - shrinkage) * moment + shrinkage * np.eye(len(moment))
    size, component = np.linalg.eigh(shrunk)
    wanted = (component / np.sqrt(size)) @ component.T / np.sqrt(1 + floor)
    np.testing.assert_allclose(whitened.numbers["matrix"], wanted, atol=2e-4)


def test_the_whitening_of_many_rows_is_the_one_it_always_was():
    floors = [scaling.whitening_floor(n) for n in (630, 5_000, 63_000, 327_847)]
    assert floors == [1.0, 630 / 5_000, 0.01, 0.01]
