"""Training of one run: prepare the data, loop over epochs, save, stop and resume.

* ``job``: runs the epochs: it reports, saves, stops and resumes, and judges the trained run
* ``prepare``: makes the split, the scaler, the scaled features and environment.json
* ``loop``: holds the compiled training steps
* ``checkpoint``: saves the state of a run to disk and reads it back
"""

from redshift_core.learning.training.job import train_and_judge, train_job

__all__ = ["train_and_judge", "train_job"]
