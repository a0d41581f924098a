"""Networks and baselines side by side in one run, from survey to table.

* ``run``: the job that has every row computed, one after the other, and resumes
* ``measure``: the jobs of its own: train and judge a baseline; time a network's predictions
* ``rows``: the figures of one row, from what its run or job left
* ``checks``: what `best` is asked besides: its tail, and spectra that are no galaxies
* ``table``: rows in, Markdown, JSON and HTML out
"""
