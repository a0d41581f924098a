"""What is said of spectra that an older simulator made, or one of unknown version."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from redshift_core import data
from redshift_core.constants import SIMULATOR_VERSION
from redshift_core.data import open_dataset
from redshift_core.data.split import Split
from redshift_core.learning.training.prepare import environment
from redshift_core.store import simulator_version, write_json
from redshift_core.store.simulator_version import simulated_mark


@pytest.fixture
def survey(survey_file, tmp_path, store):
    """A dataset as ``suffix`` and simulator version say; 1 is how the older program wrote it."""

    def make(version, suffix=".parquet"):
        table = pq.read_table(survey_file).slice(0, 60)
        made = json.loads(table.schema.metadata[b"redshift_lab"])
        made["simulator_version"] = version
        table = table.replace_schema_metadata({b"redshift_lab": json.dumps(made).encode()})
        path = tmp_path / f"survey-{version}{suffix}"
        if suffix == ".csv":
            table.to_pandas().to_csv(path, index=False)
        else:
            pq.write_table(table, path)
        return data.ingest(path, store)

    return make


def test_a_survey_of_this_version_needs_no_remark(survey):
    info = survey(SIMULATOR_VERSION).info
    assert simulator_version.version(info) == SIMULATOR_VERSION
    assert simulator_version.outdated(info) == simulator_version.remark(info) == ""
    assert simulated_mark(info) == " (SIMULATED)"


def test_a_survey_of_version_1_says_so_and_what_to_do(survey):
    info = survey(1).info
    said = simulator_version.outdated(info)
    assert said == simulator_version.remark(info)
    assert "SIMULATED by version 1 of the simulator, whose survey was unlike Gaia's" in said
    assert f"Make it anew with version {SIMULATOR_VERSION}." in said
    assert simulated_mark(info) == " (SIMULATED by the older version 1 of the simulator)"


def test_a_csv_file_cannot_say_and_only_its_dataset_remarks_on_it(survey):
    info = survey(1, ".csv").info
    assert info["simulated"]
    assert simulator_version.version(info) is None
    assert simulator_version.outdated(info) == ""
    assert "by an unknown version of the simulator" in simulator_version.remark(info)


def test_real_spectra_have_no_version():
    info = {"simulated": False, "simulation": {"simulator_version": 1}}
    assert simulator_version.version(info) is None
    assert simulator_version.remark(info) == ""


def test_a_run_remembers_the_version_of_its_survey(survey, store):
    folder = survey(1)
    rows = np.arange(60)
    facts = environment(open_dataset(folder), Split(rows[:40], rows[40:50], rows[50:]), {})
    run = store.new_run("new")
    write_json(run.environment_path, facts)
    folder.delete()
    known = simulator_version.trained_on(run, store)
    assert "by version 1" in simulator_version.outdated(known)


def test_an_older_run_asks_its_dataset_while_that_is_there(survey, store):
    folder = survey(1)
    run = store.new_run("old")
    write_json(run.environment_path, {"dataset": {"id": folder.id, "simulated": True}})
    assert simulator_version.version(simulator_version.trained_on(run, store)) == 1
    folder.delete()
    assert simulator_version.version(simulator_version.trained_on(run, store)) is None
