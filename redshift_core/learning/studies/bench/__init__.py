"""The bench: networks and baselines compared on one survey.

* ``run``: the job that computes every row, one after the other, and can resume
* ``measure``: jobs that train and judge a baseline, and time a network's predictions
* ``checks``: further checks of `best`: flat redshifts, and spectra that are no galaxies

`redshift_core.reports.bench` turns the rows into tables.
"""
