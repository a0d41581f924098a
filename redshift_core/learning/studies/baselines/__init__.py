"""Baselines: what a user would pick instead of a network, trained on the same rows.

All see what the ``spectrum`` scaler makes of the flux: each spectrum divided by its mean, and the
logarithms of that mean and of the scatter. Brightness spans decades and drowns the shape under any
scaling by column, so this is the fairest input for each of them. Choices that a method needs (how
many neighbours, which loss, which kernel) are made on validation rows and told in ``Fitted.note``.

* ``fitted``: what each is given and gives
* ``usual``: scikit-learn's
* ``peers``: XGBoost, LightGBM and CatBoost, with the extra ``peers``
* ``flexcode``: FlexZBoost, a conditional density of boosted trees

Nothing fitted here is saved: a baseline keeps its predictions and its figures, never a pickle.
"""

from __future__ import annotations

from redshift_core.learning.studies.baselines.fitted import Answer, Fit, Fitted, Rows
from redshift_core.learning.studies.baselines.flexcode import flexzboost
from redshift_core.learning.studies.baselines.peers import catboost, lightgbm, xgboost
from redshift_core.learning.studies.baselines.usual import (
    hist_gradient_boosting,
    knn,
    prior,
    random_forest,
    ridge,
    svm,
)

__all__ = ["BASELINES", "Answer", "Fit", "Fitted", "Rows"]

BASELINES: dict[str, Fit] = {
    "prior": prior,
    "ridge": ridge,
    "knn": knn,
    "hist_gradient_boosting": hist_gradient_boosting,
    "random_forest": random_forest,
    "svm": svm,
    "xgboost": xgboost,
    "lightgbm": lightgbm,
    "catboost": catboost,
    "flexzboost": flexzboost,
}
