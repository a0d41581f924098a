"""The bench of sizes: its slopes, and a bench that goes on with the steps it lacks."""

import json

import numpy as np
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs.machine import private_memory
from redshift_core.reports.scale import STEPS, read_scale, scale_text, slope, write_scale
from redshift_core.settings.bench import scale_rows
from redshift_core.store import write_json
from redshift_core.store.study_records import Scale, ScaleStep

SIZES = (300, 1000)


def scale(**values):
    return Scale(
        bench="b", simulated=True, machine="a machine", versions={"python": "3"},
        started="now", rows=SIZES, **values,
    )  # fmt: skip


def step(name, rows, seconds=1.0, memory=1e8):
    return ScaleStep(
        step=name, rows=rows, seconds=seconds, cpu_seconds=seconds, private_memory=int(memory)
    )


def test_a_slope_is_the_exponent_of_a_power():
    rows = np.array([10.0, 100.0, 1000.0])
    for power in (0.0, 0.5, 1.0, 2.0):
        assert slope(rows, 3 * rows**power) == pytest.approx(power, abs=1e-12)
    # By hand: points (0, 0), (1, 1), (2, 1) in log10; Σxy − n x̄ȳ = 1, Σx² − n x̄² = 2.
    assert slope([1, 10, 100], [1, 10, 10]) == pytest.approx(0.5)
    assert slope([10], [3.0]) is None


def test_only_lists_of_sizes_are_taken():
    assert scale_rows("1000, 300,1000") == [300, 1000]
    for text in ("", "many", "10,1000", "1e4"):
        with pytest.raises(InputError, match="whole numbers from 100 on"):
            scale_rows(text)


def test_the_tables_show_every_step_its_slope_and_what_failed(tmp_path):
    steps = (step("ingest", 1000, 20), step("ingest", 300, 6), step("predict", 300))
    write_scale(scale(steps=steps, failed={"train 300": "no memory"}), tmp_path)
    text = (tmp_path / "scale.md").read_text()
    assert "SIMULATED" in text
    assert "| Ingest from Parquet | 6.00 | 20.00 | 1.00 |" in text
    assert "| Predict a file | 1.00 | – | – |" in text
    assert "train 300 failed: no memory" in text
    html = (tmp_path / "scale.html").read_text()
    assert "Ingest from Parquet, slope 1.00" in html
    assert scale_text(read_scale(tmp_path)) == text


def test_private_memory_counts_what_a_process_allocates():
    import os

    before = private_memory(os.getpid())
    block = np.ones(5_000_000)
    assert private_memory(os.getpid()) - before > 0.9 * block.nbytes
    assert private_memory(2**22 + 1) == 0  # no such process


@pytest.mark.soak
def test_a_bench_goes_on_with_the_steps_it_lacks(simulating, here):
    """Real jobs and a real page; one epoch of a network, for the run that predicts."""
    known = [step(name, rows) for rows in SIZES for name in STEPS]
    lacking = {(name, 300) for name in ("ingest_csv", "predict", "page_evaluate")}
    kept = tuple(one for one in known if (one.step, one.rows) not in lacking)
    job = simulating.new_job("scale")
    job.output.mkdir()
    write_json(job.request_path, {"kind": "scale", "rows": list(SIZES)})
    write_json(job.output / "scale.json", scale(steps=kept).to_dict())
    code, out, err = here("bench", "--scale", "--resume", job.id, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["failed"] == {}
    measured = {(one["step"], one["rows"]): one for one in found["steps"]}
    assert set(measured) == {(one.step, one.rows) for one in known}
    for key in lacking:
        assert measured[key]["private_memory"] > 3e7
        assert 0 < measured[key]["cpu_seconds"] < 60
    assert measured["train", 300] == step("train", 300).to_dict()
    assert not (job.output / "work").exists()
    assert jobs.status(job).state == "finished"
    assert not simulating.datasets()


def test_other_settings_of_a_bench_are_refused(store, here):
    code, _, err = here("bench", "--scale", "--quick")
    assert code == 2
    assert "--scale goes only with" in err
