"""Two measurements of the search, on a SIMULATED survey of 12,000 galaxies.

    python scripts/study_search.py workers     wall-clock time of two workers against one
    python scripts/study_search.py bayesian    does Bayesian search find better networks?

They use the store of $REDSHIFT_LAB_HOME, and keep their searches there.
"""

import argparse
import json
import statistics
import time

from redshift_core import jobs
from redshift_core.settings.presets import preset
from redshift_core.settings.search import TuningConfig
from redshift_core.store import Store, TuningFolder

N_GALAXIES = 12_000
BATCH_SIZE = 256


def survey(store: Store) -> str:
    """Id of the simulated survey; made at the first call."""
    name = f"study of searches, {N_GALAXIES} SIMULATED"
    for folder in store.datasets():
        if folder.name == name:
            return folder.id
    job = jobs.start(store, "simulate", n=N_GALAXIES, seed=1, redshifts="published")
    if jobs.wait(job).state != "finished":
        raise SystemExit(f"The simulation failed: {jobs.status(job).message}")
    folder = store.dataset(job.result["dataset"])
    folder.update_info(name=name)
    return folder.id


def search(store: Store, options: argparse.Namespace, **values) -> TuningFolder:
    """Do a search to its end."""
    base = preset("fast").with_values({"batch_size": BATCH_SIZE})
    config = TuningConfig(
        dataset=survey(store), base=base, trials=options.trials, epochs=options.epochs, **values
    )
    tuning = jobs.start_tuning(store, config, f"study {config.algorithm} {config.seed}")
    status = jobs.wait(tuning)
    if status.state != "finished":
        raise SystemExit(f"{tuning.id} {status.state}: {status.message}")
    return tuning


def seconds(tuning: TuningFolder) -> float:
    """From the start of the first trial to the end of the last, s."""
    return max(e.started + e.seconds for e in tuning.trials) - tuning.trials[0].started


def study_workers(store: Store, options: argparse.Namespace) -> dict:
    """Same random trials by one worker with every core, and by two that share them."""
    found = {}
    for workers in (1, 2):
        begin = time.monotonic()
        tuning = search(store, options, algorithm="random", workers=workers)
        found[workers] = seconds(tuning)
        print(f"{workers} worker(s): {found[workers]:.0f} s, with start and end "
              f"{time.monotonic() - begin:.0f} s")  # fmt: skip
    print(f"Two workers need {found[2] / found[1]:.2f} of the time of one.")
    return found


def study_bayesian(store: Store, options: argparse.Namespace) -> dict:
    """Best of each search, and the median of its trials after the random first half."""
    begin, found = time.monotonic(), {}
    half = options.trials // 2
    for seed in range(1, options.seeds + 1):
        for algorithm in ("bayesian", "random"):
            tuning = search(store, options, algorithm=algorithm, seed=seed, workers=options.workers)
            scores = [entry.score for entry in tuning.trials if entry.score is not None]
            later = [e.score for e in tuning.trials[half:] if e.score is not None]
            median = statistics.median(later if algorithm == "bayesian" else scores)
            found[f"{algorithm} {seed}"] = {"best": min(scores), "median": median}
            print(f"{algorithm:9} seed {seed}: best {min(scores):.5f}, median {median:.5f}, "
                  f"{len(scores)} finished, {seconds(tuning):.0f} s", flush=True)  # fmt: skip
    for figure in ("best", "median"):
        means = [
            statistics.mean(v[figure] for k, v in found.items() if k.startswith(algorithm))
            for algorithm in ("bayesian", "random")
        ]
        print(f"mean {figure}: Bayesian {means[0]:.5f}, random {means[1]:.5f}")
    print(f"Median: of the Bayesian trials after the first {half}; of all random ones. "
          f"{(time.monotonic() - begin) / 60:.0f} min in all.")  # fmt: skip
    return found


def main() -> None:
    """Run one of the studies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=("workers", "bayesian"))
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    study = {"workers": study_workers, "bayesian": study_bayesian}[options.study]
    print(json.dumps(study(Store(), options)))


if __name__ == "__main__":
    main()
