"""Runs whose scaler an earlier version fitted: Evaluate and Predict say what is wrong with them."""

import numpy as np
import pytest

from redshift_core.data import open_dataset
from redshift_core.data.scaling import BRITTLE, Scaler, fit_scaler
from redshift_core.settings.run import ScalerConfig
from tests.pages.made_up import make_dataset, make_run, open_page, texts


@pytest.mark.parametrize("page", ["evaluate", "predict"])
@pytest.mark.parametrize("old", [True, False])
def test_only_a_run_of_the_old_kind_is_called_brittle(store, page, old):
    dataset = make_dataset(store)
    run = make_run(store, dataset, evaluated=True)
    scaler = fit_scaler(ScalerConfig("whitened"), open_dataset(dataset).flux, np.arange(100))
    numbers = {k: v for k, v in scaler.numbers.items() if not (old and k == "projection")}
    Scaler("whitened", "whitened", numbers).save(run.scaler_path)
    at = open_page(page, run=run.id)
    assert not at.exception
    assert (BRITTLE in texts(at)) is old
