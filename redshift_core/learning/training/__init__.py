"""Training of one run: prepare the data, loop over epochs, save, stop and resume.

* ``job``: the epochs of a run, seen from Python: stop, report, save, early stopping; its judgement
* ``prepare``: split, scaler, scaled features, environment.json
* ``loop``: the compiled steps, the only file here that needs TensorFlow
* ``checkpoint``: where a run stands, on disk
"""

from redshift_core.learning.training.job import train_and_judge, train_job

__all__ = ["train_and_judge", "train_job"]
