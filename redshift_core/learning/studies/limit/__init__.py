"""The information limit of the simulated survey: what no amount of training data takes away.

One recipe is trained on ever more fresh galaxies; one fixed test survey judges every training, and
the errors are carried on to infinite data. SIMULATED throughout.

* ``part``: one training of a study: an ordinary run on a survey made for it
* ``judge``: the test survey, and what a model answers on it
* ``job``: the study, training after training
* ``table``: its result as JSON, Markdown and figure
"""

from redshift_core.learning.studies.limit.job import limit_job

__all__ = ["limit_job"]
