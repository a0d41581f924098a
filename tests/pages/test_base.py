"""The base network on Predict and Evaluate; intervals fitted anew and the file's likeness."""

from redshift_core.store import Store, write_json
from redshift_core.store.base import base_id
from tests.pages.made_up import every_slot_taken, make_dataset, make_run, open_page, texts
from tests.pages.test_adapt import prediction

SAID = "SIMULATED galaxies and on no real one"
QUANTILES = {name: [0.5, 0.7, 1.0, 1.3, 2.0] for name in ("distance", "brightness", "colour")}
FITTED = {
    "n": 300, "temperature": 1.5, "shift": -0.01, "labels": "known.csv", "simulated": False,
    "before": {"coverage68": 0.5, "coverage95": 0.8, "log_likelihood": 1.0, "mae": 0.03},
    "after": {"coverage68": 0.67, "coverage95": 0.94, "log_likelihood": 1.5, "mae": 0.02},
}  # fmt: skip


def test_without_a_run_predict_offers_the_base_network_at_once(store):
    at = open_page("predict")
    assert SAID in texts(at)
    assert store.runs() == []  # looking writes nothing
    at.button(key="use_base").click().run()
    assert not at.exception
    assert [run.id for run in store.runs()] == [base_id()]
    assert at.selectbox(key="pick_run").value == base_id()
    assert any(SAID in info.value for info in at.info)
    with every_slot_taken(store):
        at.button(key="predict_demo").click().run()
        (job,) = store.jobs()
    assert job.request["run"] == base_id()


def test_beside_other_runs_it_is_in_the_list_and_taken_in_when_chosen(store):
    dataset = make_dataset(store)
    run = make_run(store, dataset)
    for page in ("predict", "evaluate"):
        at = open_page(page)
        assert at.selectbox(key="pick_run").value == run.id
        at.selectbox(key="pick_run").set_value(base_id()).run()
        assert not at.exception
        assert at.selectbox(key="pick_run").value == base_id()
        assert base_id() in [one.id for one in Store().runs()]
        store.run("base").delete()
    assert at.button(key="evaluate_other")  # it has no test rows here
    assert "evaluate_own" not in {button.key for button in at.button}


def finished(store, run, file, **more):
    """Finished prediction with what this version's job stores beside the table."""
    job = prediction(store, run, file)
    write_json(job.result_path, {**job.result, **more})
    return job


def test_the_likeness_is_drawn_and_old_predictions_still_show(store):
    run, file = make_run(store, make_dataset(store)), store.inbox / "made up.parquet"
    for known in (
        {"file": QUANTILES, "training": QUANTILES},
        {"file": QUANTILES, "training": None},
    ):
        at = open_page("predict", job=finished(store, run, file, spectra=known).id)
        assert not at.exception
        assert "middle 90 %" in texts(at)
        assert ("is not known" in texts(at)) is (known["training"] is None)
    at = open_page("predict", job=prediction(store, run, file).id)
    assert not at.exception
    assert "middle 90 %" not in texts(at)


def test_intervals_are_fitted_anew_by_one_click_where_redshifts_are_known(store):
    dataset = make_dataset(store)
    run = make_run(store, dataset, head="pdf", loss="cross_entropy")
    file = store.inbox / "made up.parquet"
    at = open_page("predict", job=finished(store, run, file, n_labelled=400).id)
    with every_slot_taken(store):
        at.button(key="recalibrate_own").click().run()
        newest = store.jobs()[0]
        assert newest.request["labels"] == newest.request["file"] == str(file)
    at = open_page("predict", job=finished(store, run, file, n_labelled=0).id)
    assert "recalibrate_own" not in {button.key for button in at.button}
    with every_slot_taken(store):
        at.button(key="recalibrate").click().run()
        assert store.jobs()[0].request["dataset"] == dataset.id
    at = open_page("predict", job=finished(store, run, file, recalibration=FITTED).id)
    (said,) = [one.value for one in at.success if "fitted anew" in one.value]
    assert "300 galaxies of known.csv" in said
    assert "68 % intervals hold 67.0% of these redshifts" in said


def test_a_training_may_start_from_it_before_it_is_in_the_store(store):
    make_dataset(store)
    at = open_page("train")
    at.selectbox(key="from_run").set_value(base_id()).run()
    assert not at.exception
    assert "Starts from the network and the scaler of run base" in texts(at)
    assert [run.id for run in store.runs()] == [base_id()]
