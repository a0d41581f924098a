"""Search for a network: KerasTuner chooses the trials, and our training loop trains them.

* ``job``: runs a search from start to end, in one process or with workers
* ``oracle``: makes KerasTuner's four algorithms resumable after a kill
* ``trial_log``: keeps trials.json, the record of every trial
* ``trial``: trains and scores one trial
* ``search``: does one trial after the other, in a single process or in a worker
* ``chief``: serves the oracle to workers, and survives the death of any of them
* ``worker``: a process that trains trials for the chief:
  ``python -m redshift_core.learning.tuning.worker HOST:PORT``
"""

from redshift_core.learning.tuning.job import tune_job

__all__ = ["tune_job"]
