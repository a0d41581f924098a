"""Learning curves read out in words: made-up curves of each kind, and the published record."""

import numpy as np
import pytest

from redshift_core import reference
from redshift_core.evaluation.curves import MIN_EPOCHS, RISE, read_curves

EPOCHS = np.arange(1, 21)


def test_too_few_epochs_are_not_read():
    reading = read_curves([1.0] * 5, [1.0] * 5)
    assert reading.kind == "too early"
    assert reading.text.startswith(f"5 of the {MIN_EPOCHS} epochs")


def test_losses_that_both_still_fall_are_under_fitting():
    loss = 0.95**EPOCHS  # 5 % an epoch; between windows three apart (1 − 0.95³) / 3 = 4.8 %
    reading = read_curves(loss, 1.1 * loss)
    assert reading.kind == "under-fitting"
    assert "4.8% (training) and 4.8% (validation)" in reading.text


def test_losses_that_have_levelled_off_together_are_healthy():
    reading = read_curves(np.full(20, 1.0), np.full(20, 1.05))
    assert reading.kind == "healthy"
    assert "5.0% above the training loss, at its lowest" in reading.text


def test_dropout_may_leave_the_validation_loss_below():
    assert "10.0% below" in read_curves(np.full(20, 1.0), np.full(20, 0.9)).text


def test_a_validation_loss_that_turns_up_is_over_fitting_since_its_lowest_window():
    val_loss = np.where(EPOCHS <= 10, 2 - 0.1 * EPOCHS, 1 + 0.01 * (EPOCHS - 10))
    loss = 1.9 - 0.05 * EPOCHS
    reading = read_curves(loss, val_loss)  # windows of 3: lowest over epochs 10, 11, 12
    assert reading.kind == "over-fitting"
    assert "Since about epoch 12" in reading.text
    rise = np.mean(val_loss[-3:]) / np.mean(val_loss[9:12]) - 1
    assert f"risen by {rise:.1%}" in reading.text


def test_a_rise_with_a_rising_training_loss_is_not_over_fitting():
    val_loss = np.where(EPOCHS <= 10, 2 - 0.1 * EPOCHS, 1 + 0.01 * (EPOCHS - 10))
    assert read_curves(0.95 * val_loss, val_loss).kind == "healthy"


def test_a_rise_within_the_noise_is_not_over_fitting():
    noise = np.random.default_rng(3).normal(0, 0.1, 80)
    epochs = np.arange(80)
    val_loss = 1 + noise + 0.03 * (epochs > 70)  # σ = 10 %, windows of 10: noise 9 %
    assert read_curves(1 - 0.0005 * epochs, val_loss).kind == "healthy"
    assert read_curves(1 - 0.0005 * epochs, val_loss + 0.12 * (epochs > 70)).kind == "over-fitting"


def test_a_wide_gap_is_over_fitting_even_where_nothing_rises():
    reading = read_curves(np.full(20, 1.0), np.full(20, 1.4))
    assert reading.kind == "over-fitting"
    assert "40% above" in reading.text


@pytest.mark.parametrize(("epochs", "kind"), [(8, "under-fitting"), (20, "healthy")])
def test_the_published_run_is_read_as_its_author_reads_it(epochs, kind):
    history = reference.history().head(epochs)
    assert read_curves(history.loss, history.val_loss).kind == kind


def test_the_published_run_over_fits_slightly_by_its_40th_epoch():
    history = reference.history()
    reading = read_curves(history.loss, history.val_loss)
    lowest, last = history.val_loss[30:35].mean(), history.val_loss[35:].mean()
    assert reading.kind == "over-fitting"
    assert RISE < last / lowest - 1 < 0.03
    assert f"Since about epoch 35 the validation loss has risen by {last / lowest - 1:.1%}" in (
        reading.text
    )


def test_the_published_run_does_not_look_like_over_fitting_before_that():
    history = reference.history()
    for n in range(MIN_EPOCHS, 40):
        assert read_curves(history.loss[:n], history.val_loss[:n]).kind != "over-fitting", n
