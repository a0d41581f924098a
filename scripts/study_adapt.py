"""What adapting to spectra without redshifts brings back, on SIMULATED surveys.

    python -m scripts.study_adapt                to noise, sizes and brightness 1.2 times as large
    python -m scripts.study_adapt --factor 1 --source old.parquet   from another survey to this one

A run of preset fast is trained on one survey and judged on another of other physics; then adapted
to that one's spectra without their redshifts; then, for comparison, trained on them with theirs.
Last it is adapted as one must not: only to the galaxies beyond z = 0.2. It uses the store of
$REDSHIFT_LAB_HOME, and keeps its surveys and runs there.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from redshift_core import jobs
from redshift_core.data import ingest
from redshift_core.settings.presets import preset
from redshift_core.store import DatasetFolder, JobFolder, RunFolder, Store, read_json
from scripts.study_change_of_survey import changed_survey

FAR = 0.2  # redshift beyond which galaxies are adapted to wrongly
N_TEST = 10_000


def ended(job: JobFolder) -> JobFolder:
    """A job that has finished."""
    status = jobs.wait(job)
    if status.state != "finished":
        raise SystemExit(f"{job.id} {status.state}: {status.message}\n{jobs.log_tail(job)}")
    return job


def survey(store: Store, name: str, n: int, seed: int, factor: float) -> tuple[Path, DatasetFolder]:
    """A survey, its physics changed by a factor, as a file and as a dataset."""
    path = store.inbox / f"{name}.parquet"
    changed_survey(path, n, seed, factor, store.cache)
    return path, ingest(path, store, name=name)


def trained(store: Store, dataset: DatasetFolder, seed: int, name: str) -> RunFolder:
    """A run of preset fast on a dataset."""
    config = preset("fast", dataset.id).with_values({"seed": seed})
    return ended(jobs.start_training(store, config, f"{name}, seed {seed}"))


def adapted(store: Store, run: RunFolder, file: Path) -> RunFolder:
    """The run adapted to the spectra of a file."""
    job = ended(jobs.start(store, "adapt", run=run.id, file=str(file)))
    return ended(store.run(job.result["run"]))


def judged(store: Store, run: RunFolder, test: DatasetFolder) -> tuple[float, float, float]:
    """MAE, MAE beyond FAR, and share outside the training range, of a run on the test survey."""
    ended(jobs.start(store, "evaluate", run=run.id, dataset=test.id))
    table = pd.read_parquet(run.predictions_path(test.id))
    error = (table.z_phot - table.z_spec).abs()
    figures = read_json(run.metrics_path(test.id))
    outside = figures["n_outside_training_range"] / figures["n"]
    return figures["mae"], error[table.z_spec > FAR].mean(), outside


def main() -> None:
    """Do the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=int, default=20_000, help="of each survey to learn from")
    parser.add_argument("--factor", type=float, default=1.2, help="on the target's physics")
    parser.add_argument("--source", type=Path, help="survey to train on; else one is simulated")
    parser.add_argument("--spectra", type=int, help="adapt to only so many; else to all")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    store, n = Store(), options.galaxies
    if options.source:
        source = ingest(options.source, store, name="source")
    else:
        _, source = survey(store, "source", n, 1, 1.0)
    file, target = survey(store, "target", n, 2, options.factor)
    _, test = survey(store, "test", N_TEST, 3, options.factor)
    table = pd.read_parquet(file)
    unlabelled = store.inbox / "unlabelled.parquet"
    table[: options.spectra].drop(columns="z").to_parquet(unlabelled)
    far = store.inbox / "far.parquet"
    table[table.z > FAR].to_parquet(far)
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(1, options.seeds + 1):
        run = trained(store, source, seed, "source")
        runs = {
            "as trained": run,
            "adapted": adapted(store, run, unlabelled),
            "trained on the target's own redshifts": trained(store, target, seed, "own"),
            f"adapted wrongly, to z > {FAR} alone": adapted(store, run, far),
        }
        for name, one in runs.items():
            rows.setdefault(name, []).append(judged(store, one, test))
    print(f"| SIMULATED | MAE | each seed | MAE beyond z {FAR} | outside training range |")
    print("|---|---|---|---|---|")
    for name, found in rows.items():
        mae, mae_far, outside = np.mean(found, axis=0)
        each = " ".join(f"{one[0]:.4f}" for one in found)
        print(f"| {name} | {mae:.4f} | {each} | {mae_far:.4f} | {outside:.1%} |")


if __name__ == "__main__":
    main()
