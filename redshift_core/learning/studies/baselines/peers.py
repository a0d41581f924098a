"""Boosted trees of XGBoost, LightGBM and CatBoost: the usual first choice for tables of numbers.

The settings of all three are as similar as their options allow: trees of depth 8 or with 63 leaves,
a learning rate of 0.08 or 0.1, three tenths of the columns at a time, and squared error. Training
stops when the absolute error on the validation rows no longer falls. With absolute error as the
loss, XGBoost and LightGBM had a 1 to 4 % higher MAE on 25,200 SIMULATED spectra and took longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.jobs.machine import n_cores
from redshift_core.learning.studies.baselines.fitted import Fitted, FloatArray, Rows
from redshift_core.prediction.reader import Answer
from redshift_core.settings.bench import PEERS, check_installed

MAX_TREES = 3_000
PATIENCE = 30  # trees in a row without a lower validation error that end the training
DEPTH = 8  # of a tree of XGBoost or CatBoost
N_LEAVES = 63  # of a tree of LightGBM
RATE = 0.08  # part of each tree that is added
CATBOOST_RATE = 0.1
COLUMN_SHARE = 0.3  # of the columns, drawn for each tree (CatBoost: for each split)
MAX_THREADS = 2  # threads of a peer at most: the number of cores behind the published bench


def package_of(row: str) -> Any:
    """Import the package that a row of a bench needs."""
    check_installed(row)
    return import_module(PEERS[row])


def n_threads() -> int:
    """Threads of a peer."""
    return min(MAX_THREADS, n_cores())


def xgboost(train: Rows, val: Rows, seed: int) -> Fitted:
    """Boosted trees of XGBoost (Chen & Guestrin 2016)."""
    model = package_of("xgboost").XGBRegressor(
        n_estimators=MAX_TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        colsample_bytree=COLUMN_SHARE,
        eval_metric="mae",
        early_stopping_rounds=PATIENCE,
        n_jobs=n_threads(),
        random_state=seed,
    )
    begin = time.perf_counter()
    watched = [(val.features, val.z_spec)]
    model.fit(train.features, train.z_spec, eval_set=watched, verbose=False)
    return _fitted(begin, model.predict, model.best_iteration + 1)


def lightgbm(train: Rows, val: Rows, seed: int) -> Fitted:
    """Boosted trees of LightGBM (Ke et al. 2017)."""
    package = package_of("lightgbm")
    settings = {
        "objective": "regression",
        "metric": "l1",
        "num_leaves": N_LEAVES,
        "learning_rate": RATE,
        "feature_fraction": COLUMN_SHARE,
        "num_threads": n_threads(),
        "seed": seed,
        "verbose": -1,
    }
    begin = time.perf_counter()
    data = package.Dataset(train.features, train.z_spec)
    data_val = package.Dataset(val.features, val.z_spec, reference=data)
    stop = package.early_stopping(PATIENCE, verbose=False)
    model = package.train(settings, data, MAX_TREES, valid_sets=[data_val], callbacks=[stop])
    return _fitted(begin, model.predict, model.best_iteration)


def catboost(train: Rows, val: Rows, seed: int) -> Fitted:
    """Boosted symmetric trees of CatBoost (Prokhorenkova et al. 2018)."""
    model = package_of("catboost").CatBoostRegressor(
        iterations=MAX_TREES,
        depth=DEPTH,
        learning_rate=CATBOOST_RATE,
        rsm=COLUMN_SHARE,
        loss_function="RMSE",
        eval_metric="MAE",
        early_stopping_rounds=PATIENCE,
        thread_count=n_threads(),
        random_seed=seed,
        allow_writing_files=False,
        verbose=False,
    )
    begin = time.perf_counter()
    model.fit(train.features, train.z_spec, eval_set=(val.features, val.z_spec))
    return _fitted(begin, model.predict, model.tree_count_)


def _fitted(
    begin: float, predict: Callable[[NDArray[np.float32]], FloatArray], n_trees: int
) -> Fitted:
    """Baseline of a model whose fit started at ``begin`` (s of the clock)."""
    seconds = time.perf_counter() - begin

    def answer(features: NDArray[np.float32]) -> Answer:
        return Answer(np.asarray(predict(features), np.float64))

    return Fitted(answer, seconds, f"{n_trees:,} trees, the most that lower the validation MAE")
