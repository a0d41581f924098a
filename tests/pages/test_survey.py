"""Data: how like Gaia's the simulated survey is, and surveys of an older simulator."""

import json

import pyarrow.parquet as pq

from pages.ui.data.likeness import likeness_table
from redshift_core import data
from redshift_core.constants import SIMULATOR_VERSION
from redshift_core.store import demo_file, write_json
from tests.pages.made_up import make_run, open_page, texts

OLDER = "SIMULATED by version 1 of the simulator"


def old_survey(store):
    """Some galaxies of the demo survey in a file that says version 1."""
    table = pq.read_table(demo_file()).slice(0, 100)
    made = json.loads(table.schema.metadata[b"redshift_lab"]) | {"simulator_version": 1}
    path = store.inbox / "old.parquet"
    pq.write_table(table.replace_schema_metadata({b"redshift_lab": json.dumps(made)}), path)
    return data.ingest(path, store, name="old")


def test_likeness_is_drawn_only_when_it_is_opened(store):
    at = open_page("data")
    assert not at.exception
    assert not at.get("plotly_chart")
    at.session_state["likeness"] = True
    at.run()
    assert not at.exception
    averages, extremes = at.get("plotly_chart")
    for drawn in (averages, extremes):
        assert "SIMULATED" in json.dumps(json.loads(drawn.proto.spec)["layout"]["annotations"])
    said = texts(at)
    assert f"SIMULATED by version {SIMULATOR_VERSION} of the simulator, seed 1; 4,000" in said
    assert f"SIMULATED by version {SIMULATOR_VERSION} of the simulator, seed 1; 520,393" in said


def test_the_short_table_holds_the_six_ranges_within_what_was_asked():
    table = likeness_table()
    assert list(table.z) == ["0.0–0.1", "0.1–0.2", "0.2–0.3", "0.3–0.4", "0.4–0.5", "0.5–0.6"]
    assert table.Brightness.astype(float).between(0.95, 1.08).all()
    assert table["of the shape / %"].astype(float).head(5).max() <= 1.2
    assert table["BP : RP"].astype(float).head(4).between(0.97, 1.03).all()


def test_a_survey_of_an_older_simulator_says_so_wherever_it_is_shown(store):
    old = old_survey(store)
    for page in ("data", "explore", "train", "reproduce"):
        assert OLDER in texts(open_page(page, dataset=old.id)), page


def test_a_run_trained_on_one_says_so_too(store):
    old = old_survey(store)
    run = make_run(store, old, evaluated=True)
    about = {"id": old.id, "name": "old", "simulated": True, "simulator_version": 1}
    write_json(run.environment_path, {"dataset": about})
    for page, more in (("evaluate", {}), ("predict", {}), ("train", {"view": "Runs"})):
        assert OLDER in texts(open_page(page, run=run.id, **more)), page


def test_a_survey_of_this_version_says_nothing_of_the_kind(store):
    new = data.ingest(demo_file(), store, name="Demo survey")
    assert "of the simulator" not in texts(open_page("data", dataset=new.id))
