"""The Tune page: the form, the start, and a search in every state."""

import os

import pandas as pd
import psutil
import pytest

from pages.ui.tune.lines import default_lines, taken_over
from redshift_core.settings.presets import preset
from redshift_core.settings.space import DEFAULT_SPACE
from redshift_core.store import read_json, write_json
from tests.pages.made_up import every_slot_taken, make_dataset, open_page, texts
from tests.pages.made_up_searches import make_entry, make_tuning


def opened(**query):
    return open_page("tune", **query)


def seen(tuning, **query):
    """The page with a search on it."""
    at = opened(search_view="Searches", tuning=tuning.id, **query)
    assert not at.exception
    return at


def keys(at):
    return {button.key for button in at.button}


def metrics(at):
    return {metric.label: metric.value for metric in at.metric}


@pytest.fixture
def alive():
    """Pid and start time of a living process: this one."""
    return {"pid": os.getpid(), "pid_started": psutil.Process().create_time()}


@pytest.fixture
def waiting(store):
    """Jobs started here are real but wait for a slot, so nothing is computed."""
    with every_slot_taken(store):
        yield


def test_without_a_dataset_the_page_says_what_to_do(store):
    at = opened()
    assert not at.exception
    assert "nothing to search on yet" in texts(at)
    assert "start_search" not in keys(at)


def test_without_a_search_the_list_says_where_to_begin(store):
    make_dataset(store)
    at = opened(search_view="Searches")
    assert not at.exception
    assert "no search yet" in texts(at)


def test_a_dataset_without_redshifts_is_refused_before_the_form(store):
    make_dataset(store, with_z=False)
    at = opened()
    assert not at.exception
    assert any("no redshifts" in error.value for error in at.error)
    assert "start_search" not in keys(at)


def test_the_default_space_is_the_dissertations_and_the_rest_can_be_added(store):
    make_dataset(store)
    at = opened()
    assert not at.exception
    table = at.data_editor[0].value
    assert list(table.parameter[table.search]) == [one.name for one in DEFAULT_SPACE]
    assert {"learning_rate", "batch_size", "scaler", "dropout"} <= set(table.parameter)


def test_what_trials_take_over_is_said_as_they_have_it():
    lines = pd.DataFrame(default_lines())
    assert "architecture cnn" in taken_over(lines, preset("fast"))  # convolutions are searched
    lines.loc[lines.parameter.str.startswith("conv_"), "search"] = False
    assert "architecture mlp" in taken_over(lines, preset("fast"))


def test_what_is_chosen_is_explained_where_it_is_chosen(store):
    make_dataset(store)
    at = opened()
    at.selectbox(key="search_algorithm").set_value("hyperband").run()
    assert "the best of them longer" in texts(at)
    for word in ("`sigmoid`: S-shaped", "`huber`: Squared", "`adamax`: Adam with"):
        assert word in texts(at)
    assert "`minmax`" not in texts(at)
    edit(at, {9 + 2: {"search": True}})
    assert "`minmax`" in texts(at)


def edit(at, rows):
    """Edit lines of the search space as a user would; then run."""
    version = at.session_state["_search_space_version"]
    at.session_state[f"space_{version}"] = {
        "edited_rows": rows, "added_rows": [], "deleted_rows": [],
    }  # fmt: skip
    return at.run()


@pytest.mark.parametrize(
    ("row", "change", "sentence"),
    [
        (0, {"low": 5}, "conv_layers: the range from 5 to 4 is empty"),
        (1, {"low": 0}, "conv_filters"),
        (3, {"values": "relu, rehlu"}, "'rehlu' is not known"),
        (3, {"values": ""}, "the choice is empty"),
        (3, {"values": None}, "the choice is empty"),
        (7, {"kind": "fixed"}, "loss is fixed, but its value"),
        (0, {"low": None}, "give a number"),
    ],
)
def test_a_space_that_cannot_work_is_explained_before_the_start(store, row, change, sentence):
    make_dataset(store)
    at = edit(opened(), {row: change})
    assert not at.exception
    assert any(sentence in error.value.replace("\\", "") for error in at.error)
    assert at.button(key="start_search").disabled


def test_reset_gives_the_usual_space_back(store):
    make_dataset(store)
    at = edit(opened(), {0: {"low": 5}})
    at.button(key="reset_space").click().run()
    assert not at.error
    assert not at.button(key="start_search").disabled


def test_a_grid_says_how_many_points_it_has(store):
    make_dataset(store)
    at = opened()
    at.selectbox(key="search_algorithm").set_value("grid")
    fixed = {row: {"search": False} for row in range(7)}
    edit(at, fixed)
    assert not at.exception
    assert "The grid has **9 points**" in texts(at)


def test_start_writes_the_chosen_settings_and_turns_to_the_search(store, waiting):
    folder = make_dataset(store)
    at = opened()
    at.selectbox(key="search_algorithm").set_value("random")
    at.number_input(key="search_trials").set_value(7)
    at.text_input(key="search_name").set_value("Wide *net*")
    edit(at, {0: {"high": 2}, 7: {"kind": "fixed", "values": "mae"}, 9: {"search": True}})
    at.button(key="start_search").click().run()
    assert not at.exception
    (tuning,) = store.tunings()
    config = tuning.config
    assert (tuning.name, config.algorithm, config.trials) == ("Wide *net*", "random", 7)
    assert config.dataset == config.base.dataset == folder.id
    space = {one.name: one for one in config.space}
    assert space["conv_layers"].high == 2
    assert (space["loss"].kind, space["loss"].value) == ("fixed", "mae")
    assert "learning_rate" in space
    assert at.query_params["tuning"] == tuning.id
    assert f"stop_{tuning.id}" in keys(at)


def test_a_running_search_shows_where_it_is_and_can_be_stopped(store, alive):
    entries = [
        make_entry(0),
        make_entry(1, "failed", message="The loss is not a number."),
        make_entry(2, "running", epochs=1, worker="node01:17"),
    ]
    said = "Trial 3 of 12, epoch 2 of 3."
    tuning = make_tuning(store, make_dataset(store), "running", entries, message=said, **alive)
    at = seen(tuning)
    assert metrics(at)["Trials ended"] == "2 of 12"
    assert metrics(at)["Failed"] == "1"
    progress = at.get("progress")[0].proto.text
    assert "Trial 3 of 12, epoch 2 of 3" in progress
    assert progress.count("1 min 15 s left") == 1
    assert "about 5 min 0 s for all 12 trials" in progress
    assert "At work: trial 02 on node01\\:17 (1 of at most 3 epochs)." in texts(at)
    assert "Trial 02" in [heading.value for heading in at.subheader]
    at.button(key=f"stop_{tuning.id}").click().run()
    assert not at.exception
    assert tuning.stop_path.exists()
    assert at.button(key=f"stop_{tuning.id}").disabled


def test_before_the_first_trial_every_figure_says_when_it_begins(store, alive):
    at = seen(make_tuning(store, make_dataset(store), "running", [], **alive))
    for words in (
        "after the trial's first epoch",
        "begins with the first trial",
        "second finished trial",
    ):
        assert words in texts(at)


def test_any_trial_can_be_looked_at_with_the_reason_it_failed(store):
    entries = [make_entry(0), make_entry(1, "failed", message="The loss is *not* a number.")]
    tuning = make_tuning(store, make_dataset(store), "finished", entries)
    at = seen(tuning)
    assert "Trial 00 (the best)" in [heading.value for heading in at.subheader]
    at.selectbox(key="pick_trial").set_value("01").run()
    assert not at.exception
    assert at.query_params["trial"] == "01"
    assert any(r"\*not\* a number" in error.value for error in at.error)
    table = next(one.value for one in at.dataframe if "val_mae" in one.value)
    assert table.remark.fillna("").tolist() == ["", "The loss is *not* a number."]


def test_a_repaired_trial_says_what_was_left_out(store):
    entry = make_entry(0)
    entry["values"] |= {"conv_layers": 8, **{f"conv_kernels_{i}": 8 for i in range(1, 9)}}
    entry["values"] |= {f"conv_filters_{i}": 16 for i in range(1, 9)}
    at = seen(make_tuning(store, make_dataset(store), "finished", [entry]))
    assert "convolutional layers left out" in texts(at)


def test_importance_needs_eight_finished_trials(store):
    few = [make_entry(number) for number in range(7)]
    at = seen(make_tuning(store, make_dataset(store), "stopped", few))
    assert "needs 8 finished trials that differ; there are 7" in texts(at)
    assert len(at.get("plotly_chart")) == 1


def test_the_importance_says_what_it_is_and_over_how_many_trials(store):
    many = [make_entry(number) for number in range(30)]
    at = seen(make_tuning(store, make_dataset(store), "finished", many, trials=30))
    assert "permutation importance over 30 finished trials" in texts(at)
    assert len(at.get("plotly_chart")) == 2


def test_train_this_opens_the_train_page_with_the_trials_settings(store, waiting):
    tuning = make_tuning(store, make_dataset(store), "finished")
    at = seen(tuning, trial="04")
    at.button(key="train_trial").click().run()
    assert not at.exception
    assert at.title[0].value == "Train"
    at.switch_page("pages/train.py")  # a test does not follow a change of page by itself
    at.button(key="start_training").click().run()
    assert not at.exception
    (run,) = store.runs()
    assert run.config == tuning.trial("04").config
    assert run.name.startswith("Trial 04 of")


def test_the_way_back_from_a_trial_to_the_presets(store):
    tuning = make_tuning(store, make_dataset(store), "finished")
    at = open_page("train", from_trial=f"{tuning.id}:04")
    assert "trial 04" in texts(at)
    at.button(key="leave_trial").click().run()
    assert not at.exception
    assert "699,073 trainable parameters" in texts(at)


def test_a_trial_that_is_gone_leaves_the_presets(store):
    make_dataset(store)
    at = open_page("train", from_trial="nowhere:04")
    assert not at.exception
    assert "Showing the presets" in texts(at)
    assert at.selectbox(key="preset").value == "dissertation"


def test_train_the_best_starts_it_in_full(store, waiting):
    tuning = make_tuning(store, make_dataset(store), "finished")
    at = seen(tuning, trial="04")
    at.button(key="train_best").click().run()
    assert not at.exception
    (run,) = store.runs()
    scores = {one.trial: one.score for one in tuning.trials}
    assert run.config == tuning.trial(min(scores, key=scores.get)).config
    assert at.query_params["run"] == run.id


def test_a_stopped_search_can_be_resumed_with_more_trials(store, waiting):
    tuning = make_tuning(store, make_dataset(store), "stopped")
    at = seen(tuning)
    at.number_input(key=f"trials_{tuning.id}").set_value(20).run()
    at.button(key="resume_tuning").click().run()
    assert not at.exception
    assert tuning.config.trials == 20
    assert f"stop_{tuning.id}" in keys(at)


def test_a_finished_search_goes_on_only_to_more_trials(store):
    tuning = make_tuning(store, make_dataset(store), "finished", trials=10)
    at = seen(tuning)
    assert at.number_input(key=f"trials_{tuning.id}").min == 11


def test_a_failed_search_shows_its_sentence_and_log(store):
    message = "The search ended: 5 trials in a row failed."
    at = seen(make_tuning(store, make_dataset(store), "failed", [], message=message))
    assert any("in a row failed" in error.value for error in at.error)
    assert "all is well" in at.code[0].value


def test_a_search_whose_worker_died_is_lost_and_its_trial_interrupted(store):
    entries = [make_entry(0), make_entry(1, "running", epochs=1)]
    dead = {"pid": 2**22 + 7, "pid_started": 1.0}
    tuning = make_tuning(store, make_dataset(store), "running", entries, **dead)
    at = seen(tuning)
    assert "without a report" in texts(at)
    assert "resume_tuning" in keys(at)
    table = next(one.value for one in at.dataframe if "val_mae" in one.value)
    assert list(table.state) == ["finished", "interrupted"]


def test_a_dataset_deleted_meanwhile_leaves_the_results_and_says_so(store):
    folder = make_dataset(store)
    tuning = make_tuning(store, folder, "stopped")
    folder.delete()
    at = seen(tuning)
    assert "not in the store any more" in texts(at)
    at.button(key="resume_tuning").click().run()
    assert not at.exception
    assert any("not in the store any more" in error.value for error in at.error)
    at.button(key="train_best").click().run()
    assert not at.exception
    assert store.runs() == []


def test_a_newer_schema_gets_its_sentence_and_the_others_stay_reachable(store):
    folder = make_dataset(store)
    make_tuning(store, folder, name="old")
    tuning = make_tuning(store, folder, name="new")
    write_json(tuning.config_path, {**read_json(tuning.config_path), "schema_version": 99})
    at = seen(tuning)
    assert "schema version 99" in texts(at)
    assert list(at.dataframe[-1].value.name) == ["old"]


def test_a_simulated_survey_is_marked_from_the_first_moment_and_when_it_is_gone(store, alive):
    folder = make_dataset(store)
    folder.update_info(simulated=True)
    young = make_tuning(store, folder, "starting", [], name="young", **alive)
    young.environment_path.unlink()
    assert "SIMULATED" in texts(seen(young))
    old = make_tuning(store, folder, "finished", name="old")
    folder.delete()
    at = seen(old)
    assert "SIMULATED" in texts(at)
    assert all("SIMULATED" in chart.proto.spec for chart in at.get("plotly_chart"))
    assert sorted(at.dataframe[-1].value.state) == ["finished", "starting"]


def test_a_search_can_be_renamed_and_deleted(store):
    tuning = make_tuning(store, make_dataset(store), "finished")
    at = seen(tuning)
    next(box for box in at.text_input if box.label == "Name").set_value("Better *name*")
    next(b for b in at.button if b.label == "Save").click().run()
    assert tuning.name == "Better *name*"
    at.checkbox(key=f"sure_{tuning.id}").check().run()
    at.button(key=f"delete_{tuning.id}").click().run()
    assert not at.exception
    assert store.tunings() == []
