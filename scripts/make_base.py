"""Makes the base network that comes with the package: trains it, measures it, packs it.

    REDSHIFT_LAB_HOME=/tmp/base-store nice python -m scripts.make_base
    python -m scripts.make_base --renew

It simulates a survey, trains preset best on it, judges the run on a fresh survey, on one of other
physics and on the three real galaxies, and writes ``redshift_core/resources/base``: the run as
`export_run` packs it, without the row numbers of its split, and what was measured, as JSON. What
the store holds already is not made again, so a command that was cut short goes on. With
``--renew`` only the ONNX file of the packed run is written anew, from its weights as they are.
"""

import argparse
import json
import lzma
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from redshift_core import jobs
from redshift_core.data import ingest
from redshift_core.learning.onnx_file import write_onnx
from redshift_core.reference.real_galaxies import RealAnswers
from redshift_core.settings.presets import preset
from redshift_core.simulation import write_survey
from redshift_core.store import DatasetFolder, JobFolder, RunFolder, Store, read_json, write_json
from redshift_core.store.archive import export_run
from redshift_core.store.base import BASE, CARD, ENDING, FOLDER, base_run
from scripts.study_change_of_survey import changed_survey

PRESET, N, SEED = "best", 400_000, 71  # of the survey it learns on
SETTINGS = {"test_fraction": 0.0, "val_fraction": 0.075, "threads": 1}
N_TEST, TEST_SEED, CHANGED_SEED, FACTOR = 20_000, 72, 73, 1.2  # of those it is judged on
LEFT_OUT = ("split.npz", "checkpoint", "evaluations", "log.txt")
WINDOW = 1 << 25  # bytes over which xz looks for what is there twice: both files of the weights


def survey(store: Store, name: str, n: int, seed: int, factor: float = 1.0) -> DatasetFolder:
    """A simulated survey as a dataset, its physics changed by a factor."""
    if known := [one for one in store.datasets() if one.name == name]:
        return known[0]
    path = store.inbox / f"{name}.parquet"
    if factor == 1:
        write_survey(path, n, seed, cache=store.cache)
    else:
        changed_survey(path, n, seed, factor, store.cache)
    folder = ingest(path, store, name=name)
    path.unlink()
    return folder


def ended(job: JobFolder) -> JobFolder:
    """A job that has finished."""
    status = jobs.wait(job)
    if status.state != "finished":
        raise SystemExit(f"{job.id} {status.state}: {status.message}\n{jobs.log_tail(job)}")
    return job


def trained(store: Store, name: str, n: int, seed: int) -> RunFolder:
    """The run that learns on the survey."""
    known = [run for run in store.runs() if run.name == BASE]
    if known and jobs.status(known[0]).state == "finished":
        return known[0]
    dataset = survey(store, f"base-survey-{n}-{seed}", n, seed)
    config = preset(name, dataset.id).with_values(SETTINGS)
    return ended(jobs.start_training(store, config, BASE))


def judged(store: Store, run: RunFolder, test: DatasetFolder) -> dict[str, Any]:
    """Figures of a run on a survey that it has not seen."""
    if run.metrics(test.id) is None:
        ended(jobs.start(store, "evaluate", run=run.id, dataset=test.id))
    values = run.metrics(test.id).to_dict()
    pdf, verdict = values["pdf"], values["verdict"]
    return {
        "n": values["n"],
        **{name: values[name] for name in ("bias", "mae", "rmse", "sigma_nmad") if name in values},
        **{name: pdf[name] for name in ("crps", "coverage68", "coverage95")},
        "pit_ks": pdf["pit"]["ks"],
        "outside": verdict["share_outside"],
        "unlike": verdict["unlike"],
    }


def real(run: RunFolder, test: DatasetFolder) -> dict[str, Any]:
    """What the run says of the three real galaxies."""
    found = read_json(run.real_galaxies_path(test.id))
    RealAnswers.from_dict(found)  # refuses an older version's
    return {name: value for name, value in found.items() if name != "density"}


def pack(run: RunFolder, folder: Path) -> Path:
    """The run as a ZIP without what only its training needs, compressed as a whole by xz."""
    target = folder / f"{run.id}{ENDING}"
    how = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": WINDOW}]
    with tempfile.TemporaryDirectory() as aside:
        copy = Path(aside) / "runs" / run.id
        shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        packed = export_run(RunFolder(copy), Path(aside) / "run.zip", zipfile.ZIP_STORED)
        with packed.open("rb") as source, lzma.open(target, "wb", filters=how) as file:
            shutil.copyfileobj(source, file)
    return target


def renew(folder: Path) -> Path:
    """Write the ONNX file of the packed base network anew; nothing else of it changes."""
    with tempfile.TemporaryDirectory() as aside:
        store = Store(Path(aside))
        run = base_run(store)
        print(write_onnx(run, run.onnx_path, store))
        return pack(run, folder)


def main() -> None:
    """Read the command line, and make what is not made yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=N, help="galaxies to learn from")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--preset", default=PRESET)
    parser.add_argument("--n-test", type=int, default=N_TEST)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--renew", action="store_true", help="only write its ONNX file anew")
    given = parser.parse_args()
    if given.renew:
        print(renew(given.out))
        return
    store = Store()
    run = trained(store, given.preset, given.n, given.seed)
    test = survey(store, f"base-test-{TEST_SEED}", given.n_test, TEST_SEED)
    changed = survey(store, f"base-changed-{CHANGED_SEED}", given.n_test, CHANGED_SEED, FACTOR)
    card = {
        "preset": given.preset,
        "survey": {"n": given.n, "seed": given.seed},
        "trained_on": run.environment["split"]["train"],
        "test": judged(store, run, test),
        "changed": {"factor": FACTOR, **judged(store, run, changed)},
        "real": real(run, test),
    }
    given.out.mkdir(exist_ok=True)
    for old in given.out.iterdir():
        old.unlink()
    packed = pack(run, given.out)
    write_json(given.out / CARD, card)
    print(json.dumps(card, indent=1))
    print(f"{packed}: {packed.stat().st_size / 1e6:.2f} MB; every galaxy but three SIMULATED")


if __name__ == "__main__":
    main()
