"""Search for a network: KerasTuner chooses the trials, and our training loop trains them.

* ``job``: runs a search from start to end, in one process or with workers
* ``oracle``: KerasTuner's four algorithms, as functions of what stands in trials.json
* ``search``: which trial begins next, and what became of those that began
* ``trial_log``: keeps trials.json, the record of every trial
* ``trial``: trains and scores one trial
* ``cluster``: hands the trials to the workers of a Dask cluster
* ``attempt``: what such a worker does: an attempt at a trial, which counts while it is the newest

Nothing is imported here, so that a worker of Dask loads what its task needs and nothing else.
"""
