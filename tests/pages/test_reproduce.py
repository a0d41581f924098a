"""The Reproduce page: a dataset alone, with a run, and the buttons for what is missing."""

import pytest

from pages.ui import server
from redshift_core import jobs
from redshift_core.reports.reproduce import CHAPTERS, DISCREPANCIES
from redshift_core.settings.presets import preset
from redshift_core.store import write_json
from tests.pages.made_up import (
    add_evaluation,
    every_slot_taken,
    make_dataset,
    make_run,
    open_page,
    texts,
)


def opened(**query):
    return open_page("reproduce", **query)


def headings(at):
    return [heading.value for heading in at.subheader]


def keys(at):
    return {button.key for button in at.button}


@pytest.fixture
def waiting(store):
    """Jobs started here are real but wait for a slot, so nothing is computed."""
    with every_slot_taken(store):
        yield


@pytest.fixture
def run(store):
    dataset = make_dataset(store)
    made = make_run(store, dataset, name="again")
    write_json(made.config_path, preset("dissertation", dataset.id).to_dict())
    return made


def test_a_dataset_alone_shows_the_chapter_on_data_and_offers_to_train(store, waiting):
    dataset = make_dataset(store)
    at = opened()
    assert not at.exception
    assert headings(at) == [item.heading for item in CHAPTERS["Data"]]
    assert len(at.get("plotly_chart")) == 4
    at.button(key="train_dissertation").click().run()
    assert not at.exception
    (run,) = store.runs()
    assert run.config == preset("dissertation", dataset.id)
    assert run.config.training.epochs == 20
    assert "train_dissertation" not in keys(at)


def test_chapters_that_need_a_run_say_so_without_one(store):
    make_dataset(store)
    at = opened(chapter="Results")
    assert not at.exception
    assert texts(at).count("Needs a run that was evaluated") == len(CHAPTERS["Results"])
    at.segmented_control(key="chapter").set_value("Network").run()
    assert headings(at)[0] == "Table 2: The network"
    assert len(at.dataframe) == 1


@pytest.mark.parametrize(("chapter", "charts"), [("Network", 3), ("Results", 4)])
def test_a_run_fills_the_other_chapters(store, run, chapter, charts):
    add_evaluation(run, store.datasets()[0])
    at = opened(chapter=chapter)
    assert not at.exception
    assert headings(at) == [item.heading for item in CHAPTERS[chapter]]
    assert len(at.get("plotly_chart")) == charts
    assert "hourglass" not in texts(at)


def test_a_run_without_an_evaluation_offers_one(store, run, waiting):
    at = opened()
    assert "train_dissertation" not in keys(at)
    at.button(key="evaluate_run").click().run()
    assert not at.exception
    (job,) = store.jobs()
    assert job.request == {"kind": "evaluate", "run": run.id, "dataset": run.config.dataset}
    assert "evaluate_run" not in keys(at)


def test_a_finished_run_goes_on_to_the_published_number_of_epochs(store, run, waiting):
    add_evaluation(run, store.datasets()[0])
    opened().button(key="continue_run").click().run()
    assert run.config.training.epochs == 40
    assert jobs.status(run).active


def test_a_run_that_cannot_go_on_says_why(store, run):
    run.update_info(imported={"run": run.id})
    at = opened()
    at.button(key="continue_run").click().run()
    assert "imported without its checkpoint" in texts(at)
    assert run.config.training.epochs == 20


@pytest.mark.parametrize(
    ("state", "preset_name"), [("failed", "dissertation"), ("finished", "fast")]
)
def test_without_a_usable_run_of_the_preset_training_one_is_offered(store, state, preset_name):
    dataset = make_dataset(store)
    run = make_run(store, dataset, state, message="It diverged.")
    write_json(run.config_path, preset(preset_name, dataset.id).to_dict())
    at = opened(run=run.id)
    assert not at.exception
    assert "train_dissertation" in keys(at)
    assert ("It diverged." in texts(at)) == (state == "failed")


def test_other_galaxies_are_drawn_at_a_click(store):
    make_dataset(store)
    at = opened()
    before = at.dataframe[0].value
    at.button(key="draw_others").click().run()
    assert not at.exception
    after = at.dataframe[0].value
    assert after.z[:3].tolist() != before.z[:3].tolist()
    assert after.z[3:].tolist() == before.z[3:].tolist()


def test_a_run_of_another_dataset_is_not_offered(store, run):
    other = make_dataset(store, "other", seed=3)
    at = opened(dataset=other.id, run=run.id)
    assert not at.exception
    assert "train_dissertation" in keys(at)
    assert not [box for box in at.selectbox if box.label == "Run"]


def test_remarks_stand_in_a_chapter_of_their_own(store):
    make_dataset(store)
    at = opened(chapter="Remarks")
    assert at.dataframe[0].value.iloc[:, 1].tolist() == [one.finding for one in DISCREPANCIES]


def test_a_dataset_without_redshifts_is_told_apart(store):
    make_dataset(store, with_z=False)
    assert "has no redshifts" in texts(opened())


def test_the_whole_is_made_as_a_file_and_found_again(store, run):
    dataset = run.config.dataset
    at = opened()
    at.button(key=f"make_reproduce_{run.id}").click().run()
    (job,) = store.jobs()
    assert job.request == {"kind": "reproduce", "dataset": dataset, "run": run.id}
    assert jobs.wait(job, timeout=60).state == "finished", jobs.log_tail(job)
    again = opened()
    links = [element.proto.url for element in again.get("link_button")]
    assert links == [server.download_url(job, job.output / "reproduction.html")]


def test_a_file_made_before_the_last_evaluation_is_not_offered(store, run):
    dataset = store.datasets()[0]
    job = store.new_job("reproduce")
    job.output.mkdir()
    path = job.output / "reproduction.html"
    path.touch()
    write_json(job.request_path, {"kind": "reproduce", "dataset": dataset.id, "run": run.id})
    write_json(job.status_path, {"state": "finished", "heartbeat": 1000.0})
    write_json(job.result_path, {"files": [str(path)]})
    assert len(opened().get("link_button")) == 1
    add_evaluation(run, dataset)
    assert len(opened().get("link_button")) == 0
