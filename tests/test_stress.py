"""Redshifts judged on perturbed spectra: the figures, the words, the job, the command."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from redshift_core import cli, data, figures, pdf, prediction
from redshift_core.cli.stress import stress_text
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.evaluation import stress
from redshift_core.evaluation.perturbations import PERTURBATIONS, perturbed
from redshift_core.evaluation.training_range import coverage_of
from redshift_core.reports.bench import stress_tables
from redshift_core.store import read_json
from redshift_core.store.records import StressLine
from redshift_core.store.study_records import BenchRow
from tests.pages.made_up import bench_row, stress_lines
from tests.test_prediction import job, make_run


def by_name(lines):
    return {line.name: line for line in lines}


@pytest.fixture(scope="module")
def spectra():
    """Flat spectra whose mean flux is 10 (1 + z)."""
    z_spec = np.linspace(0.01, 0.5, 400)
    return (10 * (1 + z_spec))[:, None] * np.ones(186), z_spec


def by_mean(flux):
    """Redshift from the mean flux, always 0.01 too large."""
    return SimpleNamespace(z_phot=flux.mean(axis=1) / 10 - 1 + 0.01, density=None)


def test_each_line_is_the_error_of_the_spectra_so_perturbed(spectra):
    flux, z_spec = spectra
    lines = stress.judge(by_mean, flux, z_spec)
    assert [line.name for line in lines] == ["none", *PERTURBATIONS]
    found = by_name(lines)
    assert found["none"].mae == pytest.approx(0.01, rel=1e-3)
    assert (found["none"].ratio, found["none"].harmed) == (1.0, False)
    for name in PERTURBATIONS:
        error = np.abs(perturbed(name, flux.astype(np.float32)).mean(axis=1) / 10 - 0.99 - z_spec)
        assert found[name].mae == pytest.approx(error.mean(), rel=1e-4)
        assert found[name].ratio == pytest.approx(error.mean() / 0.01, rel=1e-3)
        assert found[name].n == 400
    expected = np.mean(0.3 * (1 + z_spec) + 0.01) / 0.01
    assert found["brightness_30"].ratio == pytest.approx(expected, rel=1e-3)
    assert found["brightness_30"].harmed is True
    assert {line.coverage68 for line in lines} == {line.outside for line in lines} == {None}


def test_the_error_of_a_ratio_is_that_of_galaxies_drawn_again():
    rng = np.random.default_rng(0)
    plain = np.abs(rng.normal(size=500))
    error = plain * 1.1 + 0.05 * np.abs(rng.normal(size=500))
    ratio, scatter = stress._ratio(error, plain)
    rows = rng.integers(0, 500, (2000, 500))
    drawn = error[rows].mean(axis=1) / plain[rows].mean(axis=1)
    assert ratio == error.mean() / plain.mean()
    assert scatter == pytest.approx(drawn.std(), rel=0.1)


def test_coverage_is_the_share_inside_the_middle_68_per_cent(spectra):
    flux, z_spec = spectra

    def predict(given):
        """Even p(z) over 0–0.6 as they are; over 0–0.3 where brighter."""
        density = np.full((len(given), 240), 1 / 0.6, np.float32)
        density[given[:, 0] > 16] *= np.repeat([2.0, 0.0], 120).astype(np.float32)
        return SimpleNamespace(z_phot=pdf.point(density), density=density)

    found = by_name(stress.judge(predict, flux, z_spec))
    inside = (z_spec > 0.6 * 0.16) & (z_spec < 0.6 * 0.84)
    assert found["none"].coverage68 == pytest.approx(inside.mean())
    assert found["brightness_30"].coverage68 < inside.mean()


def test_galaxies_without_a_redshift_are_counted_and_left_out(spectra):
    flux, z_spec = spectra

    def predict(given):
        answer = by_mean(given)
        answer.z_phot[given[:, 0] > 12] = np.nan
        return answer

    found = by_name(stress.judge(predict, flux, z_spec))
    for line in found.values():
        assert line.n + line.n_without == 400
    assert found["brightness_30"].n < found["none"].n < 400

    def silent(given):
        return SimpleNamespace(z_phot=np.full(len(given), np.nan), density=None)

    lines = stress.judge(silent, flux, z_spec)
    assert by_name(lines)["noise_20"].mae is None
    assert "nothing can be compared" in stress.sentences(lines)[0]
    assert len(figures.stress_ratios(lines).data[0].x) == 0


def test_a_judgement_tells_how_far_it_is(spectra, monkeypatch):
    monkeypatch.setattr(stress, "BLOCK", 100)
    said = []
    stress.judge(by_mean, *spectra, report=lambda *now: said.append(now))
    assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)
    assert len(said) == 14 * 5 + 1
    assert said[-2][1:] == (14, "Predicting the spectra: noise +50 %.")
    assert said[-1] == (14, 14, f"Predicted {len(spectra[1]):,} spectra in 14 ways.")


MADE_UP = [StressLine.from_dict(one, Path()) for one in stress_lines()]


def test_what_harms_and_what_no_verdict_warns_of_is_said():
    said = stress.sentences(MADE_UP)
    assert said[0] == "100 galaxies; as they are, the mean absolute error is 0.0200."
    assert said[1].endswith("with white noise 1e-2 (×2.50), calibration 3 % (×1.50).")
    assert said[2].startswith("The verdict on the file does not warn of white noise 1e-2, ")
    assert "warns of none of it" in stress.sentences(MADE_UP[:3])[-1]
    assert "warns of each" in stress.sentences([*MADE_UP[:2], MADE_UP[3]])[-1]
    assert "Nothing tried" in stress.sentences(MADE_UP[:2])[-1]
    few = stress.sentences([dataclasses.replace(line, n=3) for line in MADE_UP])
    assert few[1].startswith("Nothing can be concluded from 3 galaxies")
    assert (few[0][1:], few[2:]) == (said[0][3:], said[1:])


def test_the_figure_tells_apart_what_the_verdict_sees_and_what_it_does_not():
    figure = figures.stress_ratios(MADE_UP)
    assert [list(trace.y) for trace in figure.data] == [
        ["1 decimal"], ["calibration 3 %"], ["white noise 1e-2"],
    ]  # fmt: skip
    assert list(figure.data[2].x) == [2.5]
    assert figure.layout.xaxis.type == "log"


def test_the_table_leaves_out_what_the_method_does_not_have():
    assert list(stress.frame(MADE_UP)) == [
        "spectra", "MAE", "ratio", "± (68 %)", "σ_NMAD", "68 % covers", "outside", "unlike",
        "what was done", "verdict on the file",
    ]  # fmt: skip
    bare = [
        replace(one, coverage68=None, outside=None, unlike=None, verdict=None) for one in MADE_UP
    ]
    assert not {"68 % covers", "outside", "unlike", "verdict on the file"} & set(stress.frame(bare))


def test_a_bench_shows_every_method_and_the_flags_of_those_that_have_them():
    stressed = {one["name"]: one for one in stress_lines()}
    bare = {name: {**one, "outside": None, "unlike": None} for name, one in stressed.items()}
    made_up = (
        bench_row("knn", 0.03, 1.0, stress=bare), bench_row("fast", 0.02, 1.0, stress=stressed),
        bench_row("old", 0.01, 1.0),
    )  # fmt: skip
    rows = [BenchRow.from_dict(row, Path("rows.json")) for row in made_up]
    errors, flags = stress_tables(rows).values()
    assert errors.frame.method.tolist() == ["fast", "knn"]
    assert errors.frame["white noise 1e-2"].tolist() == ["0.0500 (2.500)"] * 2
    assert errors.frame.n.tolist() == ["100", "100"]
    assert flags.frame.method.tolist() == ["fast"]
    assert flags.frame["calibration 3 %"].tolist() == ["1.0% !"]
    assert stress_tables(rows[2:]) == {}


def test_some_rows_are_always_the_same_ascending_and_none_twice():
    rows = np.random.default_rng(0).permutation(1000)
    some = stress.some_rows(rows, 300)
    assert np.array_equal(some, stress.some_rows(rows, 300))
    assert len(some) == 300
    assert (np.diff(some) > 0).all()
    assert np.array_equal(stress.some_rows(rows, 5000), np.arange(1000))


@pytest.fixture
def run(store, dataset):
    return make_run(store, dataset, head="pdf", loss="cross_entropy")


def test_a_run_is_judged_on_its_test_rows_and_the_result_is_kept(run, store, dataset):
    result = prediction.stress_job(job(store, "stress", run=run.id))
    assert read_json(run.stress_path(dataset.id)) == result
    assert (result["rows"], result["simulated"], result["epochs"]) == ("test", True, 0)
    lines = {line["name"]: line for line in result["lines"]}
    metrics = prediction.evaluate_run(run, dataset).to_dict()
    assert lines["none"]["mae"] == pytest.approx(metrics["mae"])
    assert lines["none"]["coverage68"] == pytest.approx(metrics["pdf"]["coverage68"], abs=0.02)
    assert result["n_rows"] == metrics["n"] == lines["none"]["n"]
    outside = metrics["n_outside_training_range"] / metrics["n"]
    assert lines["none"]["outside"] == pytest.approx(outside)
    flux = data.open_dataset(dataset).flux[np.sort(Split.load(run.split_path).test)]
    shifted = coverage_of(run).outside(perturbed("shift_half", flux)).mean()
    assert lines["shift_half"]["outside"] == pytest.approx(shifted)
    assert all(isinstance(one["unlike"], bool) and one["verdict"] for one in lines.values())


def test_a_stop_is_heard_and_nothing_is_kept(run, store, dataset):
    context = job(store, "stress", run=run.id)
    context.folder.stop_path.touch()
    assert prediction.stress_job(context)["stopped"] is True
    assert not run.stress_path(dataset.id).exists()


def test_the_command_prints_the_table_of_the_job(run, store, capsys, dataset):
    with pytest.raises(SystemExit) as ended:
        cli.main(["stress", run.id, "--json"])
    out, _ = capsys.readouterr()
    assert ended.value.code == 0
    value = json.loads(out)
    assert [one["name"] for one in value["lines"]] == ["none", *PERTURBATIONS]
    assert value["lines"] == read_json(run.stress_path(dataset.id))["lines"]
    found = run.stress(dataset.id)
    text = stress_text(found)
    assert f"{dataset.id} (SIMULATED), test rows" in text
    assert "shift ½ pixel" in text
    assert text.splitlines()[-1] == stress.sentences(found.lines)[-1]


def test_a_run_without_a_model_is_refused_with_what_to_do(run, store):
    run.model_path.unlink()
    with pytest.raises(InputError, match=r"no saved model yet"):
        prediction.stress_job(job(store, "stress", run=run.id))
