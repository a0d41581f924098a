"""What starting from a trained run brings on few galaxies of another survey (SIMULATED).

    python -m scripts.study_fine_tuning                 from the base network
    python -m scripts.study_fine_tuning --source RUN    from a run of the store, by id or name

The other survey has noise, sizes and brightness ``--factor`` times as large as the ordinary one. On
each number of its galaxies a run is started from the source, and one of the same preset from
scratch; all are judged on further galaxies of that survey, and so is the source as it is. It uses
the store of $REDSHIFT_LAB_HOME, and keeps its surveys and runs there.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq

from redshift_core import jobs, prediction
from redshift_core.data import ingest
from redshift_core.jobs.start_from import copy_start
from redshift_core.learning.training import train_job
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.store import DatasetFolder, JobContext, RunFolder, Store, write_json
from scripts.study_change_of_survey import changed_survey

SIZES = (500, 2_000, 10_000)  # galaxies, of which 63 % train, 27 % validate and 10 % are left out
N_TEST = 10_000
TEST_SEED = 900  # of the survey that judges
Figures = tuple[float, float]  # MAE; share of true redshifts in the 68 % intervals


def survey(store: Store, name: str, n: int, seed: int, factor: float) -> DatasetFolder:
    """The first ``n`` galaxies of a changed survey."""
    whole = store.inbox / f"changed by {factor:g}, seed {seed}.parquet"
    n_whole = max(*SIZES, N_TEST)
    if not whole.exists():
        changed_survey(whole, n_whole, seed, factor, store.cache)
    path = store.inbox / f"{name}.parquet"
    pq.write_table(pq.read_table(whole).slice(0, n), path)
    return ingest(path, store, name=name)


def trained(store: Store, config: RunConfig, name: str) -> RunFolder:
    """A run, trained in this process: to load TensorFlow takes longer than most of them."""
    run = store.new_run(name)
    run.update_info(name=name)
    if config.start_from:
        copy_start(store, run, config, store.dataset(config.dataset))
    write_json(run.config_path, config.to_dict())
    write_json(run.request_path, {"kind": "train"})
    context = JobContext(run, store)
    write_json(run.result_path, train_job(context))
    context.set_state("finished")
    return run


def judged(run: RunFolder, test: DatasetFolder) -> Figures:
    """How good a run is on the test survey."""
    prediction.evaluate_run(run, test, lambda *_: None)
    metrics = run.metrics(test.id)
    coverage = metrics.pdf["coverage68"] if metrics.pdf else float("nan")
    return metrics.figures["mae"], coverage


def main() -> None:
    """Do the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="base", help="run to start from: id, name or base")
    parser.add_argument("--factor", type=float, default=1.4, help="on noise, sizes and brightness")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    store = Store()
    source = store.run(options.source)
    test = survey(store, f"test of {options.factor:g}", N_TEST, TEST_SEED, options.factor)
    ways: dict[str, Callable[[DatasetFolder], RunConfig]] = {
        "started from the source": lambda dataset: jobs.fine_tuned(source, dataset),
        "from scratch": lambda dataset: preset(source.config.preset, dataset.id),
    }
    rows: dict[tuple[str, int], list[Figures]] = defaultdict(list)
    for seed in range(1, options.seeds + 1):
        for n in SIZES:
            name = f"{n} of {options.factor:g}, seed {seed}"
            dataset = survey(store, name, n, 100 + seed, options.factor)
            for way, settings in ways.items():
                config = settings(dataset).with_values({"seed": seed, "threads": 1})
                run = trained(store, config, f"{way}, {name}")
                rows[way, n].append(judged(run, test))
                print(name, way, rows[way, n][-1], run.result["epochs"], flush=True)
    as_it_is = judged(source, test)
    print(
        f"| galaxies (SIMULATED, {options.factor:g}) | way | MAE | each seed | in 68 % interval |"
    )
    print("|---|---|---|---|---|")
    print(f"| 0 | the source as it is | {as_it_is[0]:.4f} | | {as_it_is[1]:.1%} |")
    for (way, n), found in sorted(rows.items(), key=lambda item: item[0][1]):
        mae, coverage = np.mean(found, axis=0)
        each = " ".join(f"{one[0]:.4f}" for one in found)
        print(f"| {n:,} | {way} | {mae:.4f} | {each} | {coverage:.1%} |")


if __name__ == "__main__":
    main()
