"""The summary of an evaluation shows the page of its predictions, without reading them."""

import pytest

from redshift_core.evaluation import predictions, summary
from redshift_core.evaluation.predictions import read_priors
from redshift_core.pdf import USUAL
from redshift_core.store import RunFolder
from tests.pages.made_up import (
    add_densities,
    add_evaluation,
    make_dataset,
    make_run,
    open_page,
    texts,
)


def shown(run, dataset, **query):
    """Everything that Evaluate says and draws."""
    at = open_page("evaluate", run=run.id, on=dataset.id, **query)
    assert not at.exception
    charts = [chart.proto.spec for chart in at.get("plotly_chart")]
    tables = [frame.value.to_csv() for frame in at.dataframe]
    return texts(at), charts, tables


@pytest.mark.parametrize("add", [add_evaluation, add_densities])
def test_the_page_of_a_stored_summary_is_that_of_the_predictions(store, monkeypatch, add):
    dataset = make_dataset(store)
    run = make_run(store, dataset)
    add(run, dataset)
    computed = shown(run, dataset)
    again = make_run(store, dataset)  # another name, so that no cache knows it
    again.update_info(name=run.name)
    add(again, dataset)
    if run.prior_path.exists():
        again.prior_path.write_bytes(run.prior_path.read_bytes())
    summary.write_summary(again.evaluation(dataset.id), read_priors(again, USUAL))

    def refuse(*_, **__):
        raise AssertionError("the predictions were read")

    monkeypatch.setattr(predictions, "read_judged", refuse)
    stored = shown(again, dataset)
    assert [text.replace(again.id, run.id) for text in stored[0].splitlines()] == (
        computed[0].splitlines()
    )
    assert stored[1:] == computed[1:]


def test_a_damaged_summary_is_computed_anew(store):
    dataset = make_dataset(store)
    run = make_run(store, dataset)
    add_evaluation(run, dataset)
    run.evaluation(dataset.id).summary_path.write_text('{"n_without": "many"}')
    assert "2,000 test rows" in shown(run, dataset)[0]
    assert RunFolder(run.path).evaluation(dataset.id).summary is None
