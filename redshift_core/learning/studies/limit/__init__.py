"""The information limit of the simulated survey: the error that more data cannot remove.

One recipe is trained on more and more new galaxies. One fixed test survey judges every training,
and the errors are extrapolated to infinite data. Everything here is SIMULATED.

* ``part``: one training of a study: an ordinary run on a survey made for it
* ``judge``: the test survey, and the answers of a model on it
* ``job``: the study, one training after the other
"""

from redshift_core.learning.studies.limit.job import limit_job

__all__ = ["limit_job"]
