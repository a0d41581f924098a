"""Search for a network: KerasTuner chooses the trials, our own training loop does them.

* ``job``: a search from start to end, in one process or with workers
* ``oracle``: KerasTuner's four algorithms over a search space, made to survive a kill
* ``book``: trials.json, what is known of every trial
* ``trial``: one trial: rows, training, score
* ``search``: trial after trial, the same for a lone process and for a worker
* ``chief``: the process that serves the oracle to workers, and outlives any of them
* ``member``: a worker process: ``python -m redshift_core.learning.tuning.member HOST:PORT``
"""

from redshift_core.learning.tuning.job import tune_job

__all__ = ["tune_job"]
