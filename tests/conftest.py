"""What several test files share: a store in a temporary folder, a small survey, a dataset."""

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from streamlit.components.v2 import manifest_scanner

from redshift_core import cli, data
from redshift_core.simulation import open_table
from redshift_core.store import DatasetFolder, Store, demo_file
from tests import predict_elsewhere

LONGEST = (  # files that take a minute or so, nearly all of it in child processes and browsers
    "test_training", "test_tuning_cluster", "test_journey", "test_drill_down",
    "test_search_journey", "test_tuning_trials",
    "test_explore_journey", "test_limit", "test_damage", "test_sharing_journey",
    "test_accessibility", "test_watching", "test_adversaries",
)  # fmt: skip


gc.set_threshold(200_000)  # as in a worker; with 700, TensorFlow takes half a second more to load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process waits for one at the end.

    By itself pytest-xdist begins with those that have most tests, and the journeys have few.
    """
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.fixture(scope="session", autouse=True)
def packages_read_once() -> Iterator[None]:
    """Keep what Streamlit finds in the metadata of all installed packages.

    It reads them anew for every AppTest, which took more than half the time of a page's test.
    """
    with pytest.MonkeyPatch.context() as patch:
        scan = manifest_scanner.scan_component_manifests
        patch.setattr(manifest_scanner, "scan_component_manifests", functools.cache(scan))
        yield


@pytest.fixture(scope="session", autouse=predict_elsewhere.WANTED)
def predicting_elsewhere() -> Iterator[None]:
    """Predict in a process without TensorFlow, where the environment asks for it."""
    with pytest.MonkeyPatch.context() as patch, predict_elsewhere.patch_all(patch):
        yield


@pytest.fixture(scope="module", autouse=True)
def frozen_no_longer() -> Iterator[None]:
    """Let what was kept out of the collection of garbage be collected after each file."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def frozen() -> None:
    """Keep what is loaded out of the collection of garbage.

    Streamlit collects after every script, which takes 0.2 s, and more than a second once a test in
    this process has loaded TensorFlow.
    """
    gc.freeze()


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    """Empty store; child processes find it too."""
    monkeypatch.setenv("REDSHIFT_LAB_HOME", str(tmp_path / "home"))
    return Store()


@pytest.fixture
def here(capsys):
    """Run the command in this process: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


@pytest.fixture
def no_tensorflow_in_workers(tmp_path, monkeypatch):
    """Workers started meanwhile find neither TensorFlow nor Keras."""
    for name in ("tensorflow", "keras"):
        text = f"raise ModuleNotFoundError('No module named {name}', name='{name}')"
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.fixture(scope="session")
def simulation_cache(tmp_path_factory) -> Path:
    """Folder of the simulator's table, built once (10 s) for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "simulation-cache"
    with FileLock(f"{folder}.lock"):
        open_table(folder)
    return folder


@pytest.fixture(scope="module")
def simulating(tmp_path_factory, simulation_cache) -> Iterator[Store]:
    """Store that has the simulator's table already; child processes find it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(tmp_path_factory.mktemp("simulating")))
        for table in simulation_cache.glob("simulation-table-v*"):
            (Store().cache / table.name).symlink_to(table)
        yield Store()


@pytest.fixture(scope="session")
def survey_file(tmp_path_factory) -> Path:
    """First 600 galaxies of the demo survey (SIMULATED), as Parquet."""
    path = tmp_path_factory.mktemp("survey") / "survey.parquet"
    pq.write_table(pq.read_table(demo_file()).slice(0, 600), path)
    return path


@pytest.fixture
def dataset(store, survey_file) -> DatasetFolder:
    """The 600 galaxies, ingested."""
    return data.ingest(survey_file, store, name="small")
