"""Baselines: other methods that a user might choose, trained on the same rows as a network.

All of them use flux scaled by the ``spectrum`` scaler: each spectrum divided by its mean, and the
logarithms of that mean and of the scatter. Brightness spans decades and would hide the shape if
each column were scaled, so this input is the fairest. Choices that a method needs (the number of
neighbours, the loss, the kernel) are made on validation rows and recorded in ``Fitted.note``.

* ``fitted``: the input and output of every baseline
* ``usual``: baselines of scikit-learn
* ``peers``: XGBoost, LightGBM and CatBoost, which the extra ``peers`` installs
* ``flexcode``: FlexZBoost, a conditional density of boosted trees

No fitted baseline is saved; only its predictions and figures are kept.
"""

from __future__ import annotations

from redshift_core.learning.studies.baselines.fitted import Fit, Fitted, Rows
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

__all__ = ["BASELINES", "Fit", "Fitted", "Rows"]

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
