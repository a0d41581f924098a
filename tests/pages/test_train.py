"""The Train page: the form, the start, and a run in every state."""

import dataclasses
import os

import psutil
import pytest

from redshift_core import jobs
from redshift_core.cli.follow import describe
from redshift_core.settings.names import LOSSES, LOSSES_OF
from redshift_core.settings.names import PRESETS as PRESET_LINES
from redshift_core.settings.presets import PRESETS
from redshift_core.settings.run import SECTIONS, TrainingConfig
from redshift_core.store import read_json, write_json
from tests.pages.made_up import every_slot_taken, make_dataset, make_run, open_page, texts


def opened(**query):
    return open_page("train", **query)


def keys(at):
    return {button.key for button in at.button}


def widget(at, key):
    return at.session_state[key]


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
    assert "nothing to train on yet" in texts(at)
    assert "start_training" not in keys(at)


def test_the_default_form_is_the_dissertation_with_its_parameter_count(store):
    make_dataset(store)
    at = opened()
    assert not at.exception
    assert "699,073 trainable parameters" in texts(at)


def test_every_setting_that_matters_has_a_widget(store):
    make_dataset(store)
    at = opened()
    for section, kind in SECTIONS.items():
        for item in dataclasses.fields(kind):
            hidden = item.name in (
                "momentum", "weight_decay", "min_delta", "target_width", "noise_rows",
            )  # fmt: skip
            assert (f"set_dissertation_{section}_{item.name}" in at.session_state) is not hidden, (
                item.name
            )


def test_a_preset_fills_the_form(store):
    make_dataset(store)
    at = opened()
    at.selectbox(key="preset").set_value("fast").run()
    assert not at.exception
    training = PRESETS["fast"].training
    assert widget(at, "set_fast_training_batch_size") == training.batch_size
    assert widget(at, "set_fast_training_optimizer") == training.optimizer


def test_settings_appear_when_they_begin_to_matter(store):
    make_dataset(store)
    at = opened()
    assert "set_dissertation_training_momentum" not in at.session_state
    at.selectbox(key="set_dissertation_training_optimizer").set_value("sgd").run()
    assert widget(at, "set_dissertation_training_momentum") == TrainingConfig().momentum


def test_a_head_offers_the_losses_that_judge_what_it_gives(store):
    make_dataset(store)
    at = opened()
    at.selectbox(key="set_dissertation_model_head").set_value("pdf").run()
    assert not at.exception
    loss = at.selectbox(key="set_dissertation_training_loss_pdf")
    assert (loss.value, loss.options) == ("cross_entropy", list(LOSSES_OF["pdf"]))
    assert "set_dissertation_training_target_width" in at.session_state
    assert "set_dissertation_training_huber_delta" not in {one.key for one in at.number_input}
    assert not at.button(key="start_training").disabled


def test_a_preset_shows_the_settings_that_matter_to_it_alone(store):
    make_dataset(store)
    at = opened()
    at.selectbox(key="preset").set_value("best").run()
    assert not at.exception
    assert PRESET_LINES["best"] in texts(at)
    assert "set_best_model_members" in at.session_state
    assert "set_best_model_conv_filters" in at.session_state
    assert "set_best_model_pool_size" not in at.session_state
    assert at.selectbox(key="set_best_training_loss").options == list(LOSSES_OF["pdf"])
    at.selectbox(key="preset").set_value("fast").run()
    assert "set_fast_model_dense_units" in at.session_state
    assert "set_fast_model_conv_filters" not in at.session_state


def test_a_list_of_layers_changes_the_parameter_count(store):
    make_dataset(store)
    at = opened()
    at.text_input(key="set_dissertation_model_dense_units").set_value("256 , 10").run()
    assert not at.exception
    assert "699,073 trainable" not in texts(at)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("dense_units", "256, many", "is not a whole number"),
        ("conv_kernels", "5, 5", "give one kernel length"),
        ("conv_kernels", "186, 5, 3, 2", "Use fewer layers"),
    ],
)
def test_a_setting_that_cannot_work_is_explained_before_the_start(store, key, value, sentence):
    make_dataset(store)
    at = opened()
    at.text_input(key=f"set_dissertation_model_{key}").set_value(value).run()
    assert not at.exception
    assert any(sentence in error.value for error in at.error)
    assert at.button(key="start_training").disabled


def test_fitting_the_scaler_on_all_rows_warns(store):
    make_dataset(store)
    at = opened()
    at.selectbox(key="set_dissertation_scaler_fit_on").set_value("all").run()
    assert "not independent" in texts(at)


def test_start_writes_the_chosen_settings_and_turns_to_the_run(store, waiting):
    folder = make_dataset(store)
    at = opened()
    at.number_input(key="set_dissertation_training_epochs").set_value(3)
    at.text_input(key="run_name").set_value("My first").run()
    at.button(key="start_training").click().run()
    assert not at.exception
    (run,) = store.runs()
    assert run.name == "My first"
    wanted = PRESETS["dissertation"].with_values({"epochs": 3})
    assert run.config == dataclasses.replace(wanted, dataset=folder.id)
    assert at.query_params["run"] == run.id
    assert f"stop_{run.id}" in keys(at)


def test_start_means_the_preset_chosen_an_instant_before(store, waiting):
    """Both reach the page in one go where the machine is slow."""
    make_dataset(store)
    at = opened()
    at.selectbox(key="preset").set_value("fast")
    at.button(key="start_training").click().run()
    assert not at.exception
    (run,) = store.runs()
    assert run.config == dataclasses.replace(PRESETS["fast"], dataset=run.config.dataset)


def test_a_running_run_shows_progress_and_can_be_stopped(store, alive):
    run = make_run(store, make_dataset(store), "running", **alive)
    at = opened(view="Runs", run=run.id)
    assert not at.exception
    assert "5/10" in [metric.value for metric in at.metric]
    epoch, whole = (bar.proto for bar in at.get("progress"))
    assert epoch.text == "Epoch 6 of 10 · step 30 of 120"
    assert epoch.value == int(100 * 0.875 * 30 / 120)
    assert whole.text == "50% of the run · about 1 min 15 s left"
    assert whole.value == 50
    assert "CPU, 2 threads" in texts(at)
    assert "23,456" in [metric.value for metric in at.metric]
    at.button(key=f"stop_{run.id}").click().run()
    assert not at.exception
    assert run.stop_path.exists()
    assert at.button(key=f"stop_{run.id}").disabled


def test_a_run_that_is_judged_shows_how_far_that_is(store, alive):
    message = "Judging the test rows. Predicted 250 of 500 spectra."
    run = make_run(store, make_dataset(store), "running", message=message, **alive)
    now = read_json(run.status_path)
    write_json(run.status_path, {**now, "done": 10, "detail": {**now["detail"], "judged": 0.5}})
    at = opened(view="Runs", run=run.id)
    judging, whole = (bar.proto for bar in at.get("progress"))
    assert (judging.text, judging.value) == ("Judging the test rows", 50)
    assert (whole.text, whole.value) == (message.rstrip("."), 100)
    assert describe(jobs.status(run)) == f"running. {message}"


def test_the_address_alone_leads_back_to_the_run(store, alive):
    folder = make_dataset(store)
    older = make_run(store, folder, "running", name="older", **alive)
    make_run(store, folder, "finished", name="newer")
    at = opened(view="Runs", run=older.id)
    assert f"stop_{older.id}" in keys(at)


def test_a_finished_run_links_to_its_evaluation_and_can_go_on(store, waiting):
    run = make_run(store, make_dataset(store), "finished")
    at = opened(view="Runs", run=run.id)
    assert not at.exception
    assert "validation MAE 0.0223" in at.success[0].value
    assert "Evaluate it" in str([link.proto.label for link in at.get("page_link")])
    at.number_input(key=f"total_{run.id}").set_value(25).run()
    at.button(key="continue_run").click().run()
    assert not at.exception
    assert run.config.training.epochs == 25
    assert run.request == {"kind": "train", "resume": True, "more": True}


def test_a_stopped_run_can_be_resumed(store, waiting):
    run = make_run(store, make_dataset(store), "stopped")
    at = opened(view="Runs", run=run.id)
    at.button(key="resume_run").click().run()
    assert not at.exception
    assert run.request["resume"] is True


def test_a_run_that_diverged_is_resumed_with_a_lower_learning_rate(store, waiting):
    run = make_run(store, make_dataset(store), "failed", message="It diverged.", learning_rate=0.02)
    said = read_json(run.status_path)
    write_json(run.status_path, {**said, "detail": {**said["detail"], "diverged": 6}})
    at = opened(view="Runs", run=run.id)
    assert at.number_input(key=f"rate_{run.id}").value == pytest.approx(0.002)
    at.number_input(key=f"rate_{run.id}").set_value(0.005).run()
    at.button(key="resume_run").click().run()
    assert not at.exception
    assert run.config.training.learning_rate == 0.005
    assert run.info["changed"][0]["learning_rate"] == [0.02, 0.005]


def test_a_failed_run_shows_its_sentence_and_log(store):
    run = make_run(store, make_dataset(store), "failed", message="The loss is not a number.")
    at = opened(view="Runs", run=run.id)
    assert not at.exception
    assert any("not a number" in error.value for error in at.error)
    assert "all is well" in at.code[0].value


def test_a_run_whose_worker_died_is_lost_not_running(store):
    run = make_run(store, make_dataset(store), "running", pid=2**22 + 7, pid_started=1.0)
    at = opened(view="Runs", run=run.id)
    assert not at.exception
    assert "without a report" in texts(at)
    assert "resume_run" in keys(at)
    assert f"stop_{run.id}" not in keys(at)


def test_a_run_before_its_first_epoch_has_no_curve_yet(store, alive):
    run = make_run(store, make_dataset(store), "running", epochs_done=0, **alive)
    at = opened(view="Runs", run=run.id)
    assert not at.exception
    assert "after the first epoch" in texts(at)
    assert "0 of the 6 epochs" in texts(at)


def test_memory_and_time_are_told_before_the_start(store):
    make_dataset(store)
    at = opened()
    labels = [metric.label for metric in at.metric]
    assert labels == [
        "Rows: training · validation · test",
        "Memory, about",
        "One epoch, about",
        "All 20 epochs, about",
    ]
    assert at.metric[0].value == "251 · 109 · 40"  # of 400; 0.7 · 360 is 251.99… in binary
    assert "no finished run of this kind" in texts(at)


def test_a_small_set_gets_more_epochs_unless_the_user_names_a_number(store, waiting):
    make_dataset(store)
    at = opened(preset="fast")
    assert "up to 136 epochs, which are 1,496 steps of 25 spectra" in texts(at)  # 251 rows
    assert at.metric[3].label == "All 136 epochs, about"
    at.number_input(key="set_fast_training_epochs").set_value(4).run()
    assert "which are 1,500 steps" not in texts(at)
    assert at.metric[3].label == "All 4 epochs, about"
    at.button(key="start_training").click().run()
    (run,) = store.runs()
    assert run.config.training == PRESETS["fast"].with_values({"epochs": 4}).training


def test_what_is_odd_about_the_settings_is_said_and_what_cannot_run_is_blocked(store):
    make_dataset(store)
    at = opened()
    at.number_input(key="set_dissertation_training_batch_size").set_value(300).run()
    assert "larger than the 251 training rows" in texts(at)
    assert not at.button(key="start_training").disabled
    at.number_input(key="set_dissertation_training_early_stopping").set_value(20).run()
    assert "cannot happen within 20" in texts(at)
    at.text_input(key="set_dissertation_model_dense_units").set_value("8192," * 90).run()
    assert any("the machine has" in error.value for error in at.error)
    assert at.button(key="start_training").disabled


def test_every_choice_is_explained_where_it_is_made(store):
    make_dataset(store)
    at = opened()
    assert LOSSES["huber"] in texts(at)
    at.selectbox(key="set_dissertation_training_loss").set_value("mae").run()
    assert LOSSES["huber"] not in texts(at)
    assert LOSSES["mae"] in texts(at)


def test_the_curves_are_read_out_in_words(store):
    folder = make_dataset(store)
    early = make_run(store, folder, "finished", epochs_done=5)
    assert "5 of the 6 epochs" in texts(opened(view="Runs", run=early.id))
    late = make_run(store, folder, "finished", name="late", epochs_done=40)
    assert "Since about epoch 35" in texts(opened(view="Runs", run=late.id))


def test_other_jobs_at_work_are_listed_and_can_be_stopped(store, alive):
    folder = make_dataset(store)
    shown = make_run(store, folder, "running", name="shown", **alive)
    other = make_run(store, folder, "queued", name="second", **alive)
    at = opened(view="Runs", run=shown.id)
    assert "Also at work" in texts(at)
    assert "Training second" in str([link.proto.label for link in at.get("page_link")])
    at.button(key=f"stop_other_{other.id}").click().run()
    assert not at.exception
    assert other.stop_path.exists()
    assert not shown.stop_path.exists()
    at = opened(view="New run")
    assert {f"stop_other_{run.id}" for run in (shown, other)} <= keys(at)


def test_a_run_that_ends_while_it_is_watched_announces_itself(store, alive):
    run = make_run(store, make_dataset(store), "running", name="mine", **alive)
    at = opened(view="Runs", run=run.id)
    assert not at.toast
    write_json(run.status_path, {**read_json(run.status_path), "state": "finished"})
    at.run()
    assert [toast.value for toast in at.toast] == ["mine has finished."]
    assert at.success
    assert not at.run().toast  # once


def test_a_half_written_history_line_does_not_break_the_page(store, alive):
    run = make_run(store, make_dataset(store), "running", **alive)
    with run.history_path.open("a") as file:
        file.write("6,0.00")
    at = opened(view="Runs", run=run.id)
    assert not at.exception


def test_a_run_can_be_renamed_and_deleted(store):
    run = make_run(store, make_dataset(store), "finished")
    at = opened(view="Runs", run=run.id)
    name = next(box for box in at.text_input if box.label == "Name")
    name.set_value("Better *name*")
    next(b for b in at.button if b.label == "Save").click().run()
    assert run.name == "Better *name*"
    assert at.button(key=f"delete_{run.id}").disabled
    at.checkbox(key=f"sure_{run.id}").check().run()
    at.button(key=f"delete_{run.id}").click().run()
    assert not at.exception
    assert store.runs() == []


def test_a_run_at_work_cannot_be_deleted(store, alive):
    run = make_run(store, make_dataset(store), "running", **alive)
    at = opened(view="Runs", run=run.id)
    assert f"delete_{run.id}" not in keys(at)


def test_a_run_with_unreadable_settings_does_not_hide_the_others(store):
    folder = make_dataset(store)
    make_run(store, folder, "finished", name="good")
    bad = make_run(store, folder, "finished", name="bad")
    bad.config_path.write_text('{"surprise": 1}')
    at = opened(view="Runs", run=bad.id)
    assert not at.exception
    assert "surprise" in texts(at)
    assert "is damaged" in texts(at)
    assert list(at.dataframe[-1].value["name"]) == ["good"]


def test_the_list_says_whether_the_dataset_of_a_run_is_damaged_or_deleted(store):
    named = enumerate(("whole", "cut", "gone"))
    whole, damaged, gone = (make_dataset(store, name, seed=seed) for seed, name in named)
    runs = [make_run(store, folder, "finished") for folder in (whole, damaged, gone)]
    damaged.flux_path.write_bytes(b"")
    gone.delete()
    frame = opened(view="Runs").dataframe[-1].value.set_index("id")
    assert [frame["dataset"][run.id] for run in runs] == [
        "whole", "cut (damaged)", f"{gone.id} (not here)",
    ]  # fmt: skip
