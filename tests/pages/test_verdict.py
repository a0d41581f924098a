"""The verdict on the spectra as a whole, on Evaluate and Predict."""

import pandas as pd
import pytest

from redshift_core.store import read_json, write_json
from tests.pages.made_up import make_dataset, make_run, open_page

TEXT = "As a whole, these spectra are what they are."


def leave_verdict(page, store, run, dataset, verdict):
    """Put a verdict where the worker leaves it; the query that shows it."""
    if page == "evaluate":
        path = run.metrics_path(dataset.id)
        write_json(path, {**read_json(path), **verdict})
        return {"run": run.id}
    job = store.new_job("predict")
    job.output.mkdir()
    table = pd.DataFrame({"row": [0], "source_id": [1], "z_phot": [0.1], "flags": [""]})
    files = [job.output / "predictions.csv", job.output / "predictions.parquet"]
    table.to_csv(files[0], index=False)
    table.to_parquet(files[1])
    write_json(job.request_path, {"kind": "predict", "run": run.id, "file": "/x/new.csv"})
    write_json(job.status_path, {"state": "finished", "kind": "predict"})
    names = [str(file) for file in files]
    write_json(
        job.result_path, {"rows": 1, "flagged": {}, "out": names[0], "files": names, **verdict}
    )
    return {"run": run.id, "job": job.id}


@pytest.mark.parametrize("page", ["evaluate", "predict"])
@pytest.mark.parametrize("unlike", [True, False, None])
def test_other_data_is_warned_of_and_the_same_kind_noted(store, page, unlike):
    dataset = make_dataset(store)
    run = make_run(store, dataset, evaluated=True)
    verdict = {} if unlike is None else {"verdict": {"unlike": unlike, "text": TEXT}}
    at = open_page(page, **leave_verdict(page, store, run, dataset, verdict))
    assert not at.exception
    assert (TEXT in [warning.value for warning in at.warning]) is (unlike is True)
    assert (TEXT in [caption.value for caption in at.caption]) is (unlike is False)
