"""The Compare page: one run, several, none; and the door for a run from elsewhere."""

import json
import zipfile

import pytest

from pages.ui.text import escape
from redshift_core.store import Store
from redshift_core.store.archive import export_run, import_run
from redshift_core.store.arrays import save_arrays
from tests.pages.made_up import add_evaluation, make_dataset, make_run, open_page, texts


def opened(**query):
    return open_page("compare", **query)


def chosen(at):
    return at.multiselect(key="compared").value


def legend(at, number):
    spec = json.loads(at.get("plotly_chart")[number].proto.spec)
    return [trace["name"] for trace in spec["data"]]


@pytest.fixture
def dataset(store):
    return make_dataset(store)


def test_without_a_run_the_page_leads_to_training_and_opens_the_door(store):
    at = opened()
    assert not at.exception
    assert "no run to compare" in texts(at)
    assert at.expander[0].proto.expanded
    assert at.file_uploader(key="import_zip")


def test_two_runs_stand_side_by_side(store, dataset):
    first = make_run(store, dataset, name="first", evaluated=True)
    second = make_run(store, dataset, name="second <b>", evaluated=True, batch_size=32)
    at = opened(runs=f"{first.id},{second.id}")
    assert not at.exception
    settings, metrics = (frame.value for frame in at.dataframe)
    assert settings.to_dict("records") == [
        {"setting": "training.batch_size", "first": "128", "second <b>": "32"}
    ]
    assert metrics.run.tolist() == ["first", "second <b>"]
    for number in (0, 1):
        assert legend(at, number)[:3] == ["first", "second &lt;b&gt;", "dissertation"]


def test_the_choice_lives_in_the_address_and_survives_clearing(store, dataset):
    runs = [make_run(store, dataset, name=name) for name in "abcd"]
    at = opened()
    assert chosen(at) == [run.id for run in reversed(runs[1:])]  # the newest three
    at.multiselect(key="compared").set_value([runs[0].id, runs[3].id]).run()
    assert at.query_params["runs"] in (f"{runs[0].id},{runs[3].id}", [f"{runs[0].id},{runs[3].id}"])
    assert chosen(opened(runs=f"{runs[0].id},{runs[3].id}")) == [runs[0].id, runs[3].id]
    at.multiselect(key="compared").set_value([]).run()
    assert chosen(at) == []
    assert "Choose one run" in texts(at)


def test_a_run_that_is_gone_and_more_than_eight_are_said(store, dataset):
    runs = [make_run(store, dataset, name=str(number), epochs_done=0) for number in range(9)]
    at = opened(runs=f"{runs[0].id},20000101-000000-gone")
    assert chosen(at) == [runs[0].id]
    assert "not here" in texts(at)
    at = opened(runs=",".join(run.id for run in runs))
    assert len(chosen(at)) == 8
    assert "more than 8" in texts(at)


def test_runs_without_an_epoch_or_an_evaluation_are_named(store, dataset):
    judged = make_run(store, dataset, name="judged", evaluated=True)
    fresh = make_run(store, dataset, "failed", name="fresh", epochs_done=0)
    at = opened(runs=f"{judged.id},{fresh.id}")
    assert not at.exception
    assert escape("No epoch completed yet: fresh.") in texts(at)
    assert escape("Not evaluated on this dataset: fresh.") in texts(at)
    at = opened(runs=fresh.id)
    assert "has been evaluated yet" in texts(at)


def test_evaluations_on_different_datasets_can_be_told_apart(store, dataset):
    other = make_dataset(store, "other", seed=5)
    one, two = (make_run(store, dataset, name=name, evaluated=True) for name in ("one", "two"))
    add_evaluation(two, other, n=500)
    at = opened(runs=f"{one.id},{two.id}")
    box = at.selectbox(key="compare_dataset")
    assert box.value == dataset.id
    box.set_value(other.id).run()
    assert at.dataframe[-1].value.galaxies.tolist() == [500]
    assert escape("Not evaluated on this dataset: one.") in texts(at)


def test_two_runs_of_one_name_are_told_apart_by_their_ids(store, dataset):
    twins = [make_run(store, dataset, name="twin") for _ in range(2)]
    at = opened()
    shown = at.multiselect(key="compared").options
    assert all(twin.id in option for twin, option in zip(reversed(twins), shown, strict=True))


def test_a_run_with_settings_that_cannot_be_read_is_said_and_the_others_shown(store, dataset):
    good = make_run(store, dataset, name="good")
    bad = make_run(store, dataset, name="bad")
    bad.config_path.write_text('{"colour": 1}')
    at = opened(runs=f"{good.id},{bad.id}")
    assert not at.exception
    assert "Unknown setting" in texts(at)
    assert legend(at, 0) == ["good", "dissertation"]


def packed_elsewhere(folder):
    """A run of another store, and the ZIP of it."""
    elsewhere = Store(folder / "elsewhere")
    run = make_run(elsewhere, make_dataset(elsewhere), name="from afar", evaluated=True)
    save_arrays(run.scaler_path, {})
    save_arrays(run.coverage_path, {})
    with zipfile.ZipFile(run.model_path, "w") as model:
        model.writestr("config.json", "{}")
    return run, export_run(run, folder / "run.zip")


@pytest.mark.parametrize("page", ["evaluate", "train", "predict", "compare"])
def test_an_imported_run_shows_on_every_page_without_its_dataset(store, tmp_path, page):
    run, path = packed_elsewhere(tmp_path)
    import_run(store, path)
    at = open_page(page, run=run.id, view="Runs")
    assert not at.exception
    assert "from afar" in texts(at) + str([box.options for box in at.selectbox]) + str(
        [box.options for box in at.multiselect]
    ) + str([frame.value for frame in at.dataframe])
    assert store.datasets() == []


def test_a_run_packed_elsewhere_comes_in_by_the_door(store, tmp_path):
    run, path = packed_elsewhere(tmp_path)
    content = path.read_bytes()
    mine = make_run(store, make_dataset(store), name="mine")
    at = opened()
    at.file_uploader(key="import_zip").upload("run.zip", content, "application/zip").run()
    assert not at.exception
    assert any("from afar is here" in message.value for message in at.success)
    assert chosen(at) == [run.id, mine.id]
    assert store.run(run.id).note == run.note
    assert list(store.cache.iterdir()) == []


def test_a_file_that_is_no_run_is_refused_in_one_sentence(store):
    at = opened()
    at.file_uploader(key="import_zip").upload("../x.zip", b"nothing", "application/zip").run()
    assert not at.exception
    assert "x.zip is not a readable ZIP" in at.error[0].value.replace("\\", "")
    assert store.runs() == []
    assert list(store.cache.iterdir()) == []
