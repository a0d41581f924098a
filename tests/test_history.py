"""The learning record is read whole, or as far as it is whole."""

import pytest

from redshift_core.store.history import COLUMNS, read_history

HEAD = "epoch,loss,mae,val_loss,val_mae,seconds,learning_rate\n"


@pytest.fixture
def run(store):
    return store.new_run("any")


def test_a_run_without_a_record_has_no_epochs(run):
    assert list(read_history(run).columns) == list(COLUMNS)
    assert len(read_history(run)) == 0
    run.history_path.touch()
    assert len(read_history(run)) == 0


def test_half_a_line_is_not_an_epoch(run):
    run.history_path.write_text(HEAD + "1,0.5,0.1,0.4,0.1,2.0,0.001\n2")
    assert read_history(run).epoch.tolist() == [1]


def test_what_is_no_number_is_no_epoch(run):
    run.history_path.write_text(HEAD + "1,0.5,0.1,0.4,0.1,2.0,0.001\n2,<b>,0.1,0.4,0.1,2,1\n")
    history = read_history(run)
    assert history.val_mae.tolist() == [0.1]
    assert all(kind.kind in "if" for kind in history.dtypes)
