"""One damaged file takes nothing with it: every file × every damage × everything that reads it.

An action on a thing with a damaged file ends in one sentence or in the very answer of the whole
thing; every list names all other things, and the damaged one as damaged or as it was. Runs compute
with their ONNX file, and with the Keras model where that file is damaged.
"""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from redshift_core import cli, jobs, prediction
from redshift_core.data.scaling import Scaler
from redshift_core.data.split import Split
from redshift_core.errors import DamagedError, InputError
from redshift_core.evaluation.bootstrap import bootstrap
from redshift_core.jobs import launch, watch
from redshift_core.learning import models
from redshift_core.learning.training.checkpoint import load_state
from redshift_core.reports.run import write_report
from redshift_core.store import JobContext, Store, write_json
from redshift_core.store.archive import export_run, import_run
from tests.damage_scenes import copied, damaged, files_of, kinds_of, make_store, put
from tests.pages.made_up import open_page, texts

PARTS = ("datasets", "runs", "tuning", "limits", "bench", "jobs")


class Scene:
    """The store, what is in it, and what its run says while all is well."""

    def __init__(self, store: Store):
        self.store = store
        self.things = make_store(store)
        self.run, self.dataset = self.things["run"], self.things["dataset"]
        self.answers = {name: action(self) for name, action in ACTIONS.items()}

    def job(self, kind: str, **request) -> JobContext:
        """A job of this process, out of the lists when it has ended."""
        job = self.store.new_job(kind)
        write_json(job.request_path, {"kind": kind, "run": self.run.id, **request})
        return JobContext(job, self.store)

    def listed(self) -> dict[str, list[str]]:
        """Ids of what can be used, part by part."""
        store = self.store
        found = (store.datasets(), store.runs(), store.tunings(), store.limits(), store.benches())
        lists = zip(PARTS, (*found, store.jobs()), strict=True)
        return {part: [one.id for one in folders] for part, folders in lists}


def evaluate(scene: Scene):
    """MAE, CRPS and number of the galaxies judged; what was added to the evaluation is kept."""
    context, added = scene.job("evaluate"), scene.run.stress_path(scene.dataset.id)
    content = added.read_bytes() if added.exists() else None
    try:
        found = prediction.evaluate_job(context)["metrics"]
    finally:
        context.folder.delete()
        put(added, content)
    return found["rows"], found["n"], found["mae"], found["pdf"]["crps"]


def predict(scene: Scene):
    """Every redshift of a file, and the mark of the spectra that the run was trained on."""
    out = scene.store.cache / "out.parquet"
    out.unlink(missing_ok=True)
    file = str(scene.store.inbox / "other.parquet")
    context = scene.job("predict", file=file, out=str(out))
    try:
        found = prediction.predict_job(context)
    finally:
        context.folder.delete()
    return [*pd.read_parquet(out).z_phot, found["simulated"]]


def resume(scene: Scene):
    """What the worker goes on from; the process itself is not started."""
    run = scene.run
    jobs.resume(run, 20)
    state = load_state(run)
    _ = state and (Split.load(run.split_path), Scaler.load(run.scaler_path))
    return state is not None and state.progress.epoch


def report(scene: Scene):
    """Whether the report shows an evaluation, as it must where there is one."""
    out = scene.store.cache / "report.html"
    out.unlink(missing_ok=True)
    text = write_report(scene.run, out, scene.store).read_text("utf-8")
    return ("has not been evaluated yet" in text) != bool(scene.run.evaluated())


def export(scene: Scene):
    """The run as it arrives in another store."""
    out, other = scene.store.cache / "run.zip", Store(scene.store.cache / "elsewhere")
    out.unlink(missing_ok=True)
    shutil.rmtree(other.root, ignore_errors=True)
    arrived, _ = import_run(other, export_run(scene.run, out))
    return arrived.config.to_dict()


JOB, JUDGED = ("request.json", "result.json", "status.json"), ("real_galaxies.json", "stress.json")
UNREAD = {  # what an action does not open: one kind of damage to it is enough
    "report": (*JOB, *JUDGED),
    "predict": (*JOB, *JUDGED, "metrics.json", "predictions.parquet", "pdf.npy", "history.csv"),
}
ACTIONS = {
    "evaluate": evaluate, "predict": predict, "resume": resume, "report": report, "export": export,
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """One scene for the file; no worker is started, and a model is built once for its bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(tmp_path_factory.mktemp("damage")))
        patch.setattr(launch, "submit", lambda folder, *_: folder)
        load, kept = models.load_model, {}

        def load_once(path: Path):
            content = path.read_bytes() if path.exists() else None
            if content not in kept:
                kept[content] = load(path)
            return kept[content]

        patch.setattr(models, "load_model", load_once)
        predictor = prediction.reader.predictor
        patch.setattr(prediction.reader, "predictor", functools.cache(predictor))
        patch.setattr(prediction.reader, "tensorflow_is_loaded", lambda: False)
        patch.setattr(prediction.judgement, "bootstrap", functools.partial(bootstrap, n=10))
        yield Scene(Store())


def command(capsys, *arguments):
    """Exit code and output of a command in this process."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return ended.value.code, *capsys.readouterr()


def check_listings(scene: Scene, whole: dict[str, list[str]], thing, path: Path) -> None:
    """All is listed but the damaged thing, and that is listed as damaged."""
    part = thing.path.parent.name
    now = scene.listed()
    broken = {folder.id: why for folder, why in scene.store.damaged()}
    assert set(broken) <= {thing.id}
    assert all(path.name in why and why.endswith(".") for why in broken.values())
    for name, ids in whole.items():
        missing = set(ids) - set(now[name])
        assert missing == (set(broken) if name == part else set())
    for job in (*scene.store.long_jobs(), *scene.store.jobs(), *[thing][: part != "datasets"]):
        assert jobs.status(job).state in watch.STATES
    assert thing.name


def check_action(scene: Scene, name: str, path: Path, kind: str) -> None:
    """A sentence that names the file, or the very answer of the whole run."""
    try:
        answer = ACTIONS[name](scene)
    except InputError as error:
        said = str(error)
        assert said.endswith(".")
        assert "\n" not in said
        assert path.name in said or kind == "deleted", said
    else:
        whole = scene.answers[name]
        engines = isinstance(whole, list | tuple)  # two, which round differently
        assert answer == (pytest.approx(whole, abs=1e-6) if engines else whole), (path, kind)


def cells(scene: Scene, names: tuple[str, ...]):
    """Every file of some things, and every damage to it, undone afterwards."""
    for name in names:
        for path in files_of(scene.things[name]):
            content = path.read_bytes()
            for kind in kinds_of(path):
                put(path, damaged(content, kind))
                yield scene.things[name], path, kind
                put(path, content)


def test_no_file_takes_others_out_of_the_lists(scene):
    """Every file of everything."""
    whole, n = scene.listed(), 0
    names = ("dataset", "run", "tuning", "limit", "bench", "ingest", "predict")
    for thing, path, _ in cells(scene, names):
        check_listings(scene, whole, thing, path)
        n += 1
    assert scene.listed() == whole
    assert n == 332


def test_a_run_with_a_damaged_file_answers_rightly_or_says_why(scene):
    """Every file of a run, and of its dataset, × evaluate, predict, resume, report, export."""
    n = 0
    for _, path, kind in cells(scene, ("run", "dataset")):
        for name in ACTIONS:
            if name == "report" and path.suffix in (".npz", ".npy", ".keras", ".onnx"):
                continue  # it reads none, and takes longest
            if path.name in UNREAD.get(name, ()) and kind != "cut":
                continue
            content = path.read_bytes() if path.exists() else None
            check_action(scene, name, path, kind)
            put(path, content)  # what an evaluation has written anew is damaged again
            n += 1
    assert n == 440


def test_the_command_lists_what_is_damaged_refuses_it_and_deletes_it(scene, capsys):
    store = scene.store
    for part, thing in (("datasets", "other"), ("runs", "spare"), ("tunings", "tuning")):
        copy = copied(scene.things[thing], f"broken-{part}")
        path = copy.info_path if part == "datasets" else copy.config_path
        put(path, b"[1, 2")
        code, out, _ = command(capsys, part, "--json")
        assert code == 0
        states = {line["id"]: line["state"] for line in json.loads(out)}
        assert states[copy.id] == "damaged"
        assert scene.things[thing].id in states
        code, out, _ = command(capsys, part)
        assert f"{copy.id}: {path} is damaged: it is cut off" in out
        for asked in (["rename", copy.id, "new name"], ["note", copy.id, "a note"]):
            code, _, err = command(capsys, *asked)
            assert (code, err.count("\n")) == (2, 1)
            assert path.name in err
        assert command(capsys, "delete", copy.id, "--yes")[0] == 0
        assert not copy.path.exists()
    assert store.damaged() == []


def test_each_command_on_a_damaged_run_ends_with_code_2_and_one_sentence(scene, capsys):
    copy = copied(scene.things["spare"], "newer")
    put(copy.config_path, damaged(copy.config_path.read_bytes(), "newer"))
    out = scene.store.cache
    try:
        for asked in (
            ["evaluate", copy.id], ["resume", copy.id], ["adapt", copy.id, "--to", "other"],
            ["predict", copy.id, out / "x.csv", "--out", out / "y.csv"], ["stop", copy.id],
            ["report", copy.id, "--out", out / "r.html"], ["explain", copy.id, "--row", "1"],
            ["export", copy.id, "--out", out / "r.zip"], ["stress", copy.id],
        ):  # fmt: skip
            code, _, err = command(capsys, *asked)
            assert (code, err.count("\n")) == (2, 1), err
            assert "config.json is damaged: Unknown setting 'future'" in err
            assert "update this one" in err
    finally:
        copy.delete()


def test_latest_never_passes_over_a_damaged_newest_one(scene):
    newest = copied(scene.things["spare"], "x")
    later = newest.path.rename(newest.path.with_name("29991231-235959-newest"))
    foreign = later.with_name("my-notes")
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    try:
        assert scene.store.run("latest").path == later
        put(later / "config.json", None)
        with pytest.raises(DamagedError, match=r"config\.json is damaged: it is missing"):
            scene.store.run("latest")
        assert {one.id for one, _ in scene.store.damaged()} == {later.name, "my-notes"}
    finally:
        shutil.rmtree(later)
        shutil.rmtree(foreign)


ALONE = {  # what is damaged at once → page that shows it, and what is still on it
    ("metrics.json",): ("evaluate", "pick_run"),
    ("predictions.parquet",): ("evaluate", "pick_run"),
    ("pdf.npy", "real_galaxies.json", "stress.json"): ("evaluate", "stress"),
    ("status.json",): ("train", "resume_run"),
}


@pytest.mark.parametrize("names", ALONE, ids=lambda names: names[0])
def test_a_page_says_what_is_wrong_with_a_part_and_shows_the_rest(scene, names):
    """A run of its own for every kind of damage, as it stands in the address."""
    page, key = ALONE[names]
    for kind in ("random", "deleted"):
        run = copied(scene.things["spare"], f"part-{kind}")
        paths = [path for path in files_of(run) if path.name in names and kind in kinds_of(path)]
        if not paths:
            run.delete()
            continue
        for path in paths:
            put(path, damaged(path.read_bytes(), kind))
        at = open_page(page, run=run.id, on=scene.dataset.id, view="Runs")
        assert not at.exception, at.exception[0].value
        assert key in {one.key for one in (*at.button, *at.selectbox)}
        said = texts(at).replace("\\", "")
        told = [path.name for path in paths if f"{path.name} is damaged" in said]
        if kind != "deleted":
            assert told == [path.name for path in paths], (kind, said)
        run.delete()


@pytest.fixture(scope="module")
def ruins(scene):
    """Beside all that is whole: a copy of everything for every damage to every file of it."""
    for name in ("other", "spare", "tuning", "limit", "bench", "ingest", "predict"):
        thing = scene.things[name]
        for path in files_of(thing):
            place = path.relative_to(thing.path)
            if place.parts[0] in ("oracle", "trials") and "00" not in place.parts:
                continue
            for kind in kinds_of(path):
                word = f"{name}-{place}-{kind}".lower().replace("/", "-").replace(".", "-")
                copy = copied(thing, word)
                put(copy.path / place, damaged(path.read_bytes(), kind))
    for part in PARTS:
        (scene.store.root / part / "my-notes").mkdir()
        (scene.store.root / part / "my-notes" / "notes.txt").write_text("mine")


PAGES = {
    "home": {}, "data": {}, "explore": {}, "train": {"view": "Runs"},
    "tune": {"search_view": "Searches"}, "evaluate": {}, "compare": {}, "reproduce": {},
    "predict": {}, "glossary": {},
}  # fmt: skip


@pytest.mark.usefixtures("ruins")
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_among_ruins(page):
    """All that is damaged at once."""
    at = open_page(page, **PAGES[page])
    assert not at.exception, at.exception[0].value
    if page != "glossary":
        assert "my-notes" in texts(at).replace("\\", "")
        assert any(one.key.startswith("delete_damaged_") for one in at.button)
