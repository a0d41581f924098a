"""The report of a run, and the commands that hand results on."""

import json
import zipfile

import psutil
import pytest

from redshift_core import cli, jobs
from redshift_core.errors import InputError
from redshift_core.evaluation.metrics import METRICS
from redshift_core.jobs import Status
from redshift_core.reports.run import write_report
from redshift_core.settings.presets import preset
from redshift_core.store import read_json, write_json
from tests.pages.made_up import add_densities, add_evaluation, make_run
from tests.test_document import own_markup
from tests.test_reproduce import dissertation_run


@pytest.fixture
def run(store, dataset):
    made = make_run(store, dataset, name="best <run>", evaluated=True)
    facts = {"dataset": {"name": "small", "sha256": "ab" * 32, "simulated": True}}
    facts |= {"versions": {"tensorflow": "2.21.0"}, "device": {"text": "AMD EPYC, 2 threads"}}
    write_json(made.environment_path, facts | {"split": {"train": 378}, "n_parameters": 89601})
    with zipfile.ZipFile(made.model_path, "w") as model:
        model.writestr("config.json", "{}")
    return made


def written(run, store, tmp_path, **options):
    return own_markup(write_report(run, tmp_path / "r.html", store, **options).read_text("utf-8"))


def test_a_report_holds_every_metric_setting_and_fact(run, store, tmp_path):
    text = written(run, store, tmp_path)
    metrics = read_json(run.metrics_path(run.config.dataset))
    assert all(f">{METRICS[key].shown(metrics)}</td>" in text for key in METRICS)
    assert all(f">model.{key}</td>" in text for key in run.config.model.to_dict())
    for fact in ("ab" * 32, "2.21.0", "AMD EPYC, 2 threads", "89,601", "378"):
        assert fact in text
    assert "best &lt;run&gt;" in text
    assert "<run>" not in text
    assert text.count('<div class="chart"') == 5
    assert "SIMULATED: no telescope" in text


def test_a_report_of_a_run_with_densities_says_whether_they_are_honest(
    run, dataset, store, tmp_path
):
    judged = add_densities(run, dataset, n=300)["pdf"]
    text = written(run, store, tmp_path)
    assert f">{judged['crps']:.4f}</td>" in text
    assert "Densities p(z)" in text
    assert text.count('<div class="chart"') == 7


def test_intervals_stand_in_the_report_where_the_evaluation_has_them(run, store, tmp_path):
    path = run.metrics_path(run.config.dataset)
    write_json(path, read_json(path) | {"intervals": {}})
    assert "68 % interval" not in written(run, store, tmp_path)
    write_json(path, read_json(path) | {"intervals": {"mae": [0.0201, 0.0212]}})
    assert "0.0201 to 0.0212" in written(run, store, tmp_path)


def test_a_run_not_evaluated_or_not_trained_yet_is_reported_as_such(store, dataset, tmp_path):
    text = written(make_run(store, dataset, "failed", epochs_done=0), store, tmp_path)
    assert "has not been evaluated" in text
    assert "No epoch was completed" in text


def test_a_report_needs_neither_its_dataset_nor_its_predictions(run, store, dataset, tmp_path):
    run.predictions_path(dataset.id).unlink()
    dataset.delete()
    text = written(run, store, tmp_path)
    assert "not in this store" in text
    assert text.count('<div class="chart"') == 3


def test_a_report_shows_the_evaluation_asked_for(run, store, tmp_path):
    class Other:
        id = "20260101-000000-other"

    add_evaluation(run, Other, n=321)
    assert "2,000 galaxies" in written(run, store, tmp_path)
    assert "321 galaxies" in written(run, store, tmp_path, dataset=Other.id)
    with pytest.raises(InputError, match="was not evaluated on elsewhere"):
        written(run, store, tmp_path, dataset="elsewhere")


def test_a_scaler_that_saw_the_test_rows_is_named(run, store, tmp_path):
    path = run.metrics_path(run.config.dataset)
    write_json(path, read_json(path) | {"scaler_saw_test_rows": True})
    assert "not independent" in written(run, store, tmp_path)


def test_the_job_makes_the_report_and_the_zip(run, store):
    job = jobs.start(store, "report", run=run.id)
    assert jobs.wait(job, timeout=60).state == "finished", jobs.log_tail(job)
    names = sorted(path.name for path in job.output.iterdir())
    assert names == ["best-run.html", "best-run.zip"]
    assert [path.rsplit("/", 1)[1] for path in job.result["files"]] == names


def test_report_and_export_and_import_from_the_command_line(here, run, store, tmp_path):
    out = tmp_path / "r.html"
    code, printed, _ = here("report", run.id, "--out", out, "--json")
    assert code == 0
    assert json.loads(printed) == {"run": run.id, "out": str(out), "bytes": out.stat().st_size}
    packed = tmp_path / "r.zip"
    for name in ("scaler.npz", "coverage.npz"):
        with zipfile.ZipFile(run.path / name, "w"):
            pass
    assert here("export", run.id, "--out", packed)[0] == 0
    code, printed, _ = here("import", packed, "--json")
    assert json.loads(printed) == {"run": run.id, "name": run.name, "existing": True}
    run.delete()
    assert "is in the store" in here("import", packed)[1]
    assert store.runs()[0].name == "best <run>"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "nobody", "--out", "r.html"], "No run 'nobody' here."),
        (["report", "{run}", "--out", "r.pdf"], "does not end in .html"),
        (["report", "{run}", "--out", "no/folder/r.html"], "does not exist"),
        (["report", "{run}", "--out", "r.html", "--dataset", "x"], "No dataset 'x' here."),
        (["export", "{run}", "--out", "r.tar"], "does not end in .zip"),
        (["import", "nowhere.zip"], "There is no file"),
        (["reproduce", "nothing"], "No dataset 'nothing' here."),
        (["reproduce", "{dataset}", "--out", "d.pdf"], "does not end in .html"),
        (["reproduce", "{dataset}", "--epochs", "0"], "Invalid value for '--epochs'"),
    ],
)
def test_what_the_user_can_fix_is_one_sentence_and_exit_2(here, run, dataset, arguments, sentence):
    code, out, err = here(*(a.format(run=run.id, dataset=dataset.id) for a in arguments))
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_run_at_work_is_not_exported(here, store, dataset, tmp_path):
    process = psutil.Process()
    alive = {"pid": process.pid, "pid_started": process.create_time()}
    run = make_run(store, dataset, "running", **alive)
    code, _, err = here("export", run.id, "--out", tmp_path / "r.zip")
    assert code == 2
    assert "export it when it has ended" in err


def test_reproduce_takes_the_finished_run_of_the_preset(here, store, dataset, tmp_path):
    run = dissertation_run(store, dataset, evaluated=True)
    make_run(store, dataset, evaluated=True)
    out = tmp_path / "d.html"
    code, printed, _ = here("reproduce", dataset.id, "--out", out, "--json")
    assert code == 0
    assert json.loads(printed) == {"run": run.id, "out": str(out), "items": 14}
    assert "Figure 18" in out.read_text(encoding="utf-8")
    assert "14 figures and tables (SIMULATED)" in here("reproduce", dataset.id, "--out", out)[1]


def test_reproduce_trains_the_dissertations_network_where_there_is_no_run(
    here, store, dataset, tmp_path, monkeypatch
):
    asked = []

    def training(run):
        asked.append((run.config.preset, run.config.training.epochs))
        make = {"run": run.id, "epochs": 3, "val_mae": 0.02, "stopped": False}
        write_json(run.result_path, make)
        add_evaluation(run, dataset)
        return Status(state="finished")

    def start(_, config):
        run = store.new_run("new")
        write_json(run.config_path, config.to_dict())
        return run

    monkeypatch.setattr(cli.reports, "follow", training)
    monkeypatch.setattr(cli.reports.jobs, "start_training", start)
    out = tmp_path / "d.html"
    code, printed, err = here("reproduce", "small", "--epochs", 3, "--out", out, "--json")
    assert code == 0
    assert asked == [("dissertation", 3)]
    assert json.loads(printed)["run"] == store.runs()[0].id
    assert "Training the dissertation's network (SIMULATED)" in err
    assert here("reproduce", "small", "--run", "new", "--out", out)[0] == 0
    assert len(asked) == 1


def test_reproduce_goes_on_with_a_run_that_has_fewer_epochs(
    here, store, dataset, tmp_path, monkeypatch
):
    run = dissertation_run(store, dataset, evaluated=True)
    longer = []
    monkeypatch.setattr(cli.reports.jobs, "resume", lambda _, epochs: longer.append(epochs))
    monkeypatch.setattr(cli.reports, "follow", lambda _: Status(state="stopped"))
    out = tmp_path / "d.html"
    code, printed, _ = here("reproduce", dataset.id, "--epochs", 30, "--out", out, "--json")
    assert (code, longer) == (0, [30])
    assert json.loads(printed) == {"run": run.id, "state": "stopped"}
    assert not out.exists()


def test_reproduce_refuses_a_run_of_another_dataset(here, store, dataset):
    run = store.new_run("elsewhere")
    write_json(run.config_path, preset("dissertation", "other").to_dict())
    code, _, err = here("reproduce", dataset.id, "--run", run.id)
    assert code == 2
    assert "was trained on other, not on" in err
