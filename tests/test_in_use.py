"""What a job works on cannot be deleted, whichever kind of job it is; then it can."""

import psutil
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs import in_use
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.presets import preset
from redshift_core.store import write_json
from tests.pages.made_up import every_slot_taken


def at_work(job, kind, **request):
    """Note a job as one that this very process executes."""
    process = psutil.Process()
    alive = {"pid": process.pid, "pid_started": process.create_time()}
    write_json(job.request_path, {"kind": kind, **request})
    write_json(job.status_path, {"state": "running", "kind": kind, **alive})
    return job


def ended(job):
    write_json(job.status_path, {"state": "finished"})


def trained(store, dataset, name="first"):
    run = store.new_run(name)
    write_json(run.config_path, preset("fast", dataset.id).to_dict())
    ended(run)
    return run


def refused(store, folder, job):
    with pytest.raises(InputError, match=f"{folder.id} cannot be deleted while {job.id} works"):
        in_use.delete(store, folder)
    return folder.path.exists()


def test_a_real_training_keeps_its_dataset_until_it_is_stopped(store, dataset):
    with every_slot_taken(store):
        run = jobs.start_training(store, preset("fast", dataset.id))
        assert refused(store, dataset, run)
        assert refused(store, run, run)
    in_use.delete(store, dataset)
    in_use.delete(store, run)
    assert (store.datasets(), store.runs()) == ([], [])


@pytest.mark.parametrize("kind", ["evaluate", "stress", "speed", "explain", "report", "adapt"])
def test_a_job_on_a_run_keeps_the_run_and_the_dataset_it_was_trained_on(store, dataset, kind):
    run = trained(store, dataset)
    job = at_work(store.new_job(kind), kind, run=run.id)
    assert refused(store, run, job)
    assert refused(store, dataset, job)
    ended(job)
    in_use.delete(store, dataset)


def test_a_prediction_needs_its_run_and_not_the_dataset_of_that(store, dataset):
    run = trained(store, dataset)
    job = at_work(store.new_job("predict"), "predict", run=run.id, file="more.csv")
    assert refused(store, run, job)
    in_use.delete(store, dataset)
    assert store.datasets() == []


def test_a_bench_keeps_its_survey_and_its_runs_between_two_jobs(store, dataset):
    run, bench = trained(store, dataset), store.new_bench("bench")
    write_json(bench.config_path, BenchConfig().to_dict())  # it simulates a survey of its own
    write_json(bench.environment_path, {"dataset": {"id": dataset.id}})
    bench.write_row("fast", {"run": run.id})
    at_work(bench, "bench")
    assert refused(store, run, bench)
    assert refused(store, dataset, bench)
    assert refused(store, bench, bench)


def test_a_study_keeps_the_runs_it_quotes(store, dataset):
    run, study = trained(store, dataset), store.new_limit("limit")
    at_work(study, "limit", against=[run.id])
    assert refused(store, run, study)
    in_use.delete(store, dataset)


@pytest.mark.parametrize("name", ["config.json", "environment.json", "result.json"])
def test_a_training_keeps_its_dataset_while_a_file_of_its_own_is_damaged(store, dataset, name):
    run = trained(store, dataset)
    write_json(run.environment_path, {"dataset": {"id": dataset.id}})
    at_work(run, "train")
    (run.path / name).write_text("{")
    assert store.runs() == []
    assert refused(store, dataset, run)
    assert refused(store, run, run)


def test_settings_that_cannot_be_read_do_not_stand_in_the_way(store, dataset):
    bad = trained(store, dataset, "bad")
    bad.config_path.write_text('"not settings"')
    assert in_use.trained_on(store, dataset) == []
    in_use.delete(store, bad)
    in_use.delete(store, bad)  # of two visitors who press the button, neither meets an error
    assert store.runs() == []
