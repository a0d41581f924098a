"""What the base network does on a changed survey, before and after it is adapted (SIMULATED).

    REDSHIFT_LAB_HOME=/tmp/base-store python -m scripts.study_base

In the store in which ``scripts.make_base`` measured it, this fits the intervals of the base network
anew to some labelled galaxies of the changed survey and judges them on all others, over several
draws; and goes on training from it with some thousand galaxies of a further changed survey, judged
on the same test galaxies and on the three real ones.
"""

import argparse

import numpy as np

from redshift_core import jobs, pdf
from redshift_core.evaluation.predictions import open_densities
from redshift_core.evaluation.recalibration import recalibrate
from redshift_core.reference.real_galaxies import RealAnswers
from redshift_core.store import DatasetFolder, RunFolder, Store, read_json
from redshift_core.store.arrays import read_table
from redshift_core.store.base import BASE
from scripts.make_base import CHANGED_SEED, FACTOR, ended, judged, survey

LABELS = (100, 300, 1000)  # galaxies to fit intervals to
DRAWS = 20
TUNED_ON = (500, 2000, 10_000)  # galaxies of the changed survey to learn on from
TUNE_SEED = 74
HARDER, HARDER_SEED, N_HARDER = 1.5, 75, 6000  # a survey changed by more, to fit intervals to


def recalibrations(run: RunFolder, dataset: DatasetFolder) -> None:
    """Coverage on the galaxies that were not drawn, mean and scatter over the draws."""
    folder = run.evaluation(dataset.id)
    table = read_table(folder.predictions_path, ["z_spec"])
    density = np.asarray(open_densities(folder.pdf_path, len(table)), np.float32)
    z = table.z_spec.to_numpy()
    for n in LABELS:
        found = []
        for draw in range(DRAWS):
            order = np.random.default_rng([n, draw]).permutation(len(z))
            known, others = order[:n], order[n : n + 4000]
            how, _ = recalibrate(density[known], z[known])
            changed = how.apply(density[others])
            apart = np.abs(pdf.pit(changed, z[others]) - 0.5)
            inside = [(apart <= level / 2).mean() for level in (0.68, 0.95)]
            mae = np.abs(pdf.point(changed) - z[others]).mean()
            found.append([how.temperature, how.shift, *inside, mae])
        names = ("temperature", "shift", "68 % covers", "95 % covers", "MAE")
        pairs = zip(names, np.mean(found, axis=0), np.std(found, axis=0), strict=True)
        print(f"intervals fitted to {n}:", *(f"{k} {m:.4f} ± {s:.4f}" for k, m, s in pairs))


def tuned(store: Store, base: RunFolder, n: int) -> RunFolder:
    """The base network, trained on with ``n`` galaxies of a changed survey."""
    name = f"base-tuned-{n}"
    if known := [run for run in store.runs() if run.name == name]:
        return known[0]
    dataset = survey(store, f"{name}-survey", n, TUNE_SEED, FACTOR)
    config = jobs.fine_tuned(base, dataset).with_values({"threads": 1})
    return ended(jobs.start_training(store, config, name))


def tell(run: RunFolder, store: Store, dataset: DatasetFolder) -> None:
    """Figures of a run on the changed survey and on the three real galaxies."""
    values = judged(store, run, dataset)
    print(run.name, {key: round(value, 4) for key, value in values.items() if value is not None})
    print(RealAnswers.from_dict(read_json(run.real_galaxies_path(dataset.id))).table().to_string())


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    store = Store()
    base = next(run for run in store.runs() if run.name == BASE)
    changed = next(one for one in store.datasets() if one.name == f"base-changed-{CHANGED_SEED}")
    tell(base, store, changed)
    recalibrations(base, changed)
    harder = survey(store, f"base-changed-{HARDER_SEED}-by-{HARDER}", N_HARDER, HARDER_SEED, HARDER)
    tell(base, store, harder)
    recalibrations(base, harder)
    for n in TUNED_ON:
        tell(tuned(store, base, n), store, changed)


if __name__ == "__main__":
    main()
