"""The package as ``pip install redshift-lab`` brings it, without the extra ``train``.

Slow, as it installs into a fresh environment: ``pytest -m study tests/test_small_install.py``. The
run that is applied there was trained and packed here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pages.ui.nav import SECTIONS
from redshift_core.jobs import extras
from redshift_core.store import CHECKOUT
from tests.browser import Server, Visit, browser
from tests.commands import command

pytestmark = [pytest.mark.study, pytest.mark.timeout(1200)]

PREDICTION_TESTS = (
    "prediction", "prediction_pdf", "flagged", "stress", "recalibration", "judged", "evaluation",
    "incumbent", "real_galaxies", "base",
)  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Python of an environment that has the wheel and what it requires, at the locked versions."""
    folder = tmp_path_factory.mktemp("small")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    lock = CHECKOUT / "requirements.lock"
    pip = [folder / "bin" / "pip", "install", "--quiet", "--constraint", lock, CHECKOUT]
    subprocess.run(pip, check=True, cwd=folder)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, survey_file) -> tuple[Path, pd.DataFrame]:
    """A run with p(z) that was trained and packed here, and what it predicts here."""
    folder = tmp_path_factory.mktemp("elsewhere")
    values = ("head=pdf", "loss=cross_entropy", "dense_units=16", "members=2", "min_steps=0")
    settings = [word for one in values for word in ("--set", one)]
    with pytest.MonkeyPatch.context() as env:
        env.setenv("REDSHIFT_LAB_HOME", str(folder / "home"))
        for arguments in (
            ["ingest", survey_file, "--name", "small"],
            ["train", "small", "--preset", "fast", "--epochs", "3", *settings],
            ["predict", "latest", survey_file, "--out", folder / "z.parquet"],
            ["export", "latest", "--out", folder / "run.zip"],
        ):
            done = command(*arguments)
            assert done.returncode == 0, done.stderr
    return folder / "run.zip", pd.read_parquet(folder / "z.parquet")


@pytest.fixture(scope="module")
def scene(small, elsewhere, tmp_path_factory, survey_file):
    """Folder with a store, and the command in it; the run and a survey have been taken in."""
    folder = tmp_path_factory.mktemp("scene")
    env = {**os.environ, "REDSHIFT_LAB_HOME": str(folder / "home")}
    env.pop("PYTHONPATH", None)

    def run(text: str) -> subprocess.CompletedProcess:
        arguments = [small.with_name("redshift-lab"), *text.split()]
        return subprocess.run(arguments, cwd=folder, env=env, capture_output=True, text=True)

    table = pq.read_table(survey_file)
    pq.write_table(table, folder / "known.parquet")
    pq.write_table(table.drop_columns(["z"]), folder / "new.parquet")
    for text in (f"import {elsewhere[0]}", "ingest known.parquet --name small"):
        assert run(text).returncode == 0
    return folder, run


def test_the_environment_has_neither_tensorflow_nor_dask(small):
    look = "from importlib.util import find_spec; import json; print(json.dumps([n for n in "
    look += "('tensorflow', 'keras', 'keras_tuner', 'onnx', 'dask', 'streamlit') if find_spec(n)]))"
    done = subprocess.run([small, "-c", look], capture_output=True, text=True, cwd=small.parent)
    assert json.loads(done.stdout) == ["streamlit"]


def test_the_redshifts_are_those_of_where_the_run_was_trained(scene, elsewhere):
    folder, run = scene
    done = run("predict latest new.parquet --out z.parquet --json")
    assert done.returncode == 0, done.stderr
    table, expected = pd.read_parquet(folder / "z.parquet"), elsewhere[1]
    for name in ("z_phot", "z_low68", "z_high68", "z_low95", "z_high95"):
        np.testing.assert_allclose(table[name], expected[name], atol=1e-4)
    assert table["flags"].tolist() == expected["flags"].tolist()


@pytest.mark.parametrize(
    "text",
    [
        "--version", "datasets", "runs", "tunings", "jobs", "fetch --help", "train --help",
        "simulate --n 300 --out simulated.csv", "simulate --n 300",
        "ingest new.parquet --name unknown", "evaluate latest --dataset small",
        "evaluate latest --dataset small --prior flat",
        "evaluate base --dataset small", "stress latest --dataset small",
        "report latest --out run.html",
        "export latest --out again.zip", "import again.zip",
        "predict base new.parquet --out b.fits",
        "predict base new.parquet --out w.csv --recalibrate known.parquet --prior flat",
        "bench --dataset small --only prior,ridge,knn", "note small seen", "jobs --clean",
    ],
)  # fmt: skip
def test_the_commands_work(text, scene):
    done = scene[1](text)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text", ["train small", "tune small", "limit", "explain base --row 0 --dataset small"]
)
def test_what_cannot_be_done_is_refused(text, scene):
    done = scene[1](text)
    assert done.returncode == 2
    assert done.stderr.strip() == extras.sentence(text.split()[0])


@pytest.mark.browser
def test_every_page_opens_in_a_browser_and_spectra_are_predicted_there(scene, small, tmp_path):
    folder, run = scene
    listed = json.loads(run("datasets --json").stdout)
    (dataset,) = (one["id"] for one in listed if one["name"] == "small")
    find = "from redshift_core.store import dashboard_root; print(dashboard_root())"
    root = subprocess.check_output([small, "-c", find], text=True, cwd=folder).strip()
    server = Server(folder / "home", tmp_path / "log", python=str(small), root=Path(root))
    with pytest.MonkeyPatch.context() as env:
        env.delenv("PYTHONPATH", raising=False)
        server.start()
    try:
        with browser() as context:
            visit = Visit(context.new_page(), server).open(f"?dataset={dataset}")
            for entries in SECTIONS.values():
                for _, title, _, _ in entries:
                    if title != "Home":
                        visit.menu(title)
                    assert "Traceback" not in visit.text()
                    visit.shot(f"small-{title.lower()}")
            visit.menu("Train")
            assert extras.sentence("train") in visit.text()
            assert visit.page.get_by_role("button", name="Start training").is_disabled()
            visit.menu("Predict").page.get_by_role("tab", name="Demo survey").click()
            visit.page.get_by_role("button", name="Predict the demo survey").click()
            visit.page.get_by_role("heading", name="Predicted redshifts").wait_for()
            assert (visit.strangers, visit.errors) == ([], [])
        assert "tensorflow" not in server.maps()
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()


def test_the_prediction_tests_pass_where_tensorflow_cannot_be_imported():
    files = [f"tests/test_{name}.py" for name in PREDICTION_TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *files], cwd=CHECKOUT, capture_output=True,
        text=True, env={**os.environ, "REDSHIFT_LAB_WITHOUT_TENSORFLOW": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
