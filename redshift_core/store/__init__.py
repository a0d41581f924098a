"""Dataset, run, tuning and job folders on disk: the only place that knows their file names.

    datasets/<id>/   flux.npy  catalogue.parquet  dataset.json
    runs/<id>/       config.json  environment.json  history.csv  split.npz  scaler.npz  coverage.npz
                     prior.npz  seen.npz  model.keras  model.onnx  checkpoint/
                     start/ (of a fine-tuned run)  meta.json  scaler.npz  model.keras
                     evaluations/<dataset>/metrics.json  predictions.parquet  pdf.npy
                     real_galaxies.json  stress.json
    tuning/<id>/     config.json  environment.json  split.npz  trials.json
                     trials/<trial>/config.json  history.csv  attempt.json  progress.json
    limits/<id>/     config.json  environment.json  plan.json  rows.json  recipes.json
                     limit.json  limit.md  limit.html
                     trainings/<galaxies>-<repeat>/ (a run)  answers.npz
                     surveys/datasets/ (simulated, until their trainings are done)
                     recipes/<run>.npz
    bench/<id>/      config.json  environment.json  rows/<row>.json  output/
    jobs/<id>/       output/
    every job (a run, a tuning, a limit or a bench is one):
                     request.json  status.json  result.json  log.txt  STOP
                     .room (space for its last status, while it is at work)
    inbox/  cache/  locks/  priors/<name>.csv (a user's n(z))

Files are written under a hidden name, ``.tmp-…``, and renamed, so a reader never sees half of one.
"""

from redshift_core.store.context import ACTIVE_STATES, STATUS_INTERVAL, JobContext, Stopped
from redshift_core.store.damage import damage
from redshift_core.store.evaluations import EvaluationFolder
from redshift_core.store.files import (
    CHECKOUT,
    PACKAGE,
    atomic,
    dashboard_root,
    demo_file,
    file_digest,
    part_of,
    read_json,
    readable,
    reading,
    slug,
    store_root,
    write_json,
)
from redshift_core.store.folders import (
    DatasetFolder,
    Folder,
    JobFolder,
    LongFolder,
    RunFolder,
    TuningFolder,
)
from redshift_core.store.store import Store, publish
from redshift_core.store.study_folders import BenchFolder, LimitFolder

__all__ = [
    "ACTIVE_STATES",
    "CHECKOUT",
    "PACKAGE",
    "STATUS_INTERVAL",
    "BenchFolder",
    "DatasetFolder",
    "EvaluationFolder",
    "Folder",
    "JobContext",
    "JobFolder",
    "LimitFolder",
    "LongFolder",
    "RunFolder",
    "Stopped",
    "Store",
    "TuningFolder",
    "atomic",
    "damage",
    "dashboard_root",
    "demo_file",
    "file_digest",
    "part_of",
    "publish",
    "read_json",
    "readable",
    "reading",
    "slug",
    "store_root",
    "write_json",
]
