"""Where TensorFlow is not installed: what goes on as ever, and the one sentence about the rest.

Every process here has it blocked (``without_tensorflow/sitecustomize.py``), workers included; the
base network stands for a run that was trained elsewhere.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pages.ui.nav import SECTIONS
from pages.ui.text import escape
from redshift_core import data
from redshift_core.errors import InputError
from redshift_core.jobs import extras, launch, worker
from redshift_core.settings.bench import BenchConfig
from redshift_core.store import CHECKOUT, RunFolder, Store, write_json
from redshift_core.store.archive import import_run
from tests.pages.made_up import make_run
from tests.pages.made_up_searches import make_tuning

BLOCKED = Path(__file__).with_name("without_tensorflow")
INSTALL = "needs TensorFlow, which is not installed here; get it with pip install"
TITLES = [title for entries in SECTIONS.values() for _, title, _, _ in entries]
REFUSED = {  # command → kind of job that it would start
    "train small": "train",
    "resume elsewhere": "train",
    "tune small": "tune",
    "tune --resume latest": "tune",
    "limit": "limit",
    "bench --quick": "bench",
    "adapt base --to small": "adapt",
    "explain base --row 0 --dataset small": "explain",
    "export base --onnx": "onnx",
    "reproduce small": "train",
    "predict elsewhere new.parquet --out z.csv": "predict",
    "evaluate elsewhere": "evaluate",
    "stress elsewhere": "stress",
}
PAGES = [
    *({"page": title, "query": {}} for title in TITLES),
    {"page": "Train", "query": {"view": "Runs", "run": "elsewhere"}},
    {"page": "Tune", "query": {"search_view": "Searches"}},
    {"page": "Evaluate", "query": {"run": "elsewhere"}},
    {"page": "Predict", "query": {"run": "elsewhere"}},
]


def blocked(home: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    """A Python process in which TensorFlow cannot be imported, nor in those that it starts."""
    path = os.pathsep.join([str(BLOCKED), str(CHECKOUT)])
    env = {**os.environ, "REDSHIFT_LAB_HOME": str(home), "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], env=env, cwd=cwd, capture_output=True, text=True, timeout=200
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory, survey_file):
    """Folder of the files, store, what became of commands and pages, folders before and after."""
    folder = tmp_path_factory.mktemp("light")
    store = Store(folder / "home")
    dataset = data.ingest(survey_file, store, name="small")
    table = pq.read_table(survey_file).slice(0, 100)
    pq.write_table(table.drop_columns(["z"]), folder / "new.parquet")
    own = store.run("base")
    old = make_run(store, dataset, name="elsewhere", evaluated=True)  # without an ONNX file
    broken = shutil.copytree(own.path, own.path.with_name("20260101-000000-broken"))
    RunFolder(broken).update_info(name="broken")
    RunFolder(broken).onnx_path.write_bytes(b"no network")
    make_tuning(store, dataset, state="stopped")
    commands = {
        "predict": "predict base new.parquet --out z.parquet --prior flat --pdf p.npy --json",
        "evaluate": "evaluate base --dataset small --json",
        "stress": "stress base --dataset small --json",
        "report": "report base --dataset small --out base.html",
        "export": "export base --out base.zip",
        **{text: text for text in REFUSED},
        "broken": "predict broken new.parquet --out z.csv",
    }
    pages = [
        {**one, "query": {"run": old.id} | one["query"] | {"run": old.id}}
        if "elsewhere" in one["query"].values()
        else {**one, "query": one["query"] | {"run": own.id}}
        for one in PAGES
    ]
    scenes = {"commands": [text.split() for text in commands.values()], "pages": pages}
    write_json(folder / "scenes.json", scenes)
    done = blocked(store.root, "-m", "tests.without_tensorflow_scenes", "scenes.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["loaded"] == []
    found["commands"] = dict(zip(commands, found["commands"], strict=True))
    return folder, store, found


def test_the_blocked_process_is_like_one_without_the_package(tmp_path):
    script = "from importlib.util import find_spec; print(find_spec('keras')); import tensorflow"
    done = blocked(tmp_path, "-c", script, cwd=tmp_path)
    assert done.stdout == "None\n"
    assert "ModuleNotFoundError: No module named 'tensorflow'" in done.stderr


def test_a_run_is_applied_judged_perturbed_reported_and_packed(scene):
    folder, _, found = scene
    for name in ("predict", "evaluate", "stress", "report", "export"):
        done = found["commands"][name]
        assert done["code"] == 0, done["err"]
    table = pd.read_parquet(folder / "z.parquet")
    assert len(table) == table.z_phot.notna().sum() == 100
    assert np.load(folder / "p.npy").shape == (100, 240)
    judged = json.loads(found["commands"]["evaluate"]["out"])
    assert 0.01 < judged["mae"] < 0.03
    assert (folder / "base.html").stat().st_size > 100_000
    arrived, _ = import_run(Store(folder / "away"), folder / "base.zip")
    assert arrived.onnx_path.exists()


def test_every_kind_of_job_that_needs_tensorflow_is_known():
    learning = {kind for kind, place in worker.JOBS.items() if ".learning." in place}
    parts = {"baseline", "coordinate", "speed"}  # of a bench or a search, refused with these
    assert learning - parts <= extras.NEEDING.keys()


def test_a_bench_of_baselines_needs_no_tensorflow(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    check = launch._check_networks
    check(BenchConfig(rows=("prior", "knn", "ridge")))
    with pytest.raises(InputError, match=INSTALL):
        check(BenchConfig(rows=("prior", "best")))


@pytest.mark.parametrize("command", REFUSED)
def test_what_needs_tensorflow_is_refused_in_one_sentence(command, scene):
    done = scene[2]["commands"][command]
    assert (done["code"], done["out"]) == (2, "")
    sentences = [line for line in done["err"].splitlines() if "Left out:" not in line]
    assert sentences == [extras.sentence(REFUSED[command])]


def test_nothing_is_left_of_what_was_refused(scene):
    folder, store, _ = scene
    assert len(store.runs()) == 3
    assert len(store.tunings()) == 1
    assert store.limits() == store.benches() == []
    kinds = sorted(job.request["kind"] for job in store.jobs())
    assert kinds == ["evaluate", "predict", "predict", "stress"]
    assert not (folder / "z.csv").exists()


@pytest.mark.parametrize("number", range(len(PAGES)), ids=[one["page"] for one in PAGES])
def test_every_page_opens(number, scene):
    assert scene[2]["pages"][number]["error"] is None


def seen(scene, page, **query):
    """What a page showed."""
    number = PAGES.index({"page": page, "query": query})
    return scene[2]["pages"][number]


def test_pages_say_it_where_the_start_button_is(scene):
    old = {"run": "elsewhere"}
    for page, query, kind, label in (
        ("Train", {}, "train", "Start training"),
        ("Train", {"view": "Runs"} | old, "train", "Continue for more epochs"),
        ("Tune", {}, "tune", "Start the search"),
        ("Tune", {"search_view": "Searches"}, "tune", "Resume"),
        ("Tune", {"search_view": "Searches"}, "train", "Train the best"),
        ("Compare", {}, "limit", "Start"),
        ("Compare", {}, "bench", "Start"),
        ("Reproduce", {}, "train", "Train the dissertation's network"),
        ("Evaluate", old, "evaluate", "Evaluate"),
    ):
        shown = seen(scene, page, **query)
        assert escape(extras.sentence(kind)) in shown["info"], page
        assert label in shown["off"], page
    assert escape(extras.sentence("predict")) in seen(scene, "Predict", **old)["info"]


def test_pages_of_a_run_that_came_with_its_onnx_file_say_nothing_of_it(scene):
    for page in ("Home", "Data", "Explore", "Evaluate", "Predict", "Glossary"):
        assert escape(INSTALL) not in seen(scene, page)["words"], page
    assert seen(scene, "Predict")["off"] == []


def test_an_onnx_file_that_cannot_be_used_is_told_of_by_the_worker(scene):
    folder, _, found = scene
    done = found["commands"]["broken"]
    assert (done["code"], done["out"]) == (2, "")
    assert done["err"].splitlines()[-1] == extras.sentence("predict")
    assert not (folder / "z.csv").exists()
