"""The dashboard's pages as a visitor uses them, without a browser: Streamlit's AppTest."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import server
from pages.ui.data import intake
from pages.ui.nav import SECTIONS
from pages.ui.text import escape
from redshift_core import data, jobs
from redshift_core.prediction.columns import COLUMNS
from redshift_core.settings.names import USUAL_ENDINGS
from redshift_core.settings.presets import preset
from redshift_core.store import CHECKOUT, RunFolder, Store, write_json
from redshift_core.store.writers import TableWriter
from tests.pages.made_up import every_slot_taken

PAGES = {title: file for entries in SECTIONS.values() for file, title, _, _ in entries}


def app(page: str = "Home", **query: str) -> AppTest:
    at = AppTest.from_file(str(CHECKOUT / "app.py"), default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    return at.switch_page(PAGES[page]).run()


def words(at: AppTest) -> str:
    kinds = (at.title, at.markdown, at.caption, at.info, at.warning, at.error, at.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def address(at: AppTest, name: str) -> str:
    value = at.query_params.get(name, "")
    return value if isinstance(value, str) else value[0]


def button(at: AppTest, label: str):
    return next(b for b in at.button if b.label == label)


def run_until(at: AppTest, condition: Callable[[], bool], seconds: float = 60.0) -> AppTest:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)
        at.run()
    assert condition(), words(at)
    return at


def fake_run(store: Store, dataset: str, name: str, state: str) -> RunFolder:
    """Folder of a run that ended in some state, with a model file that no page opens."""
    run = store.new_run(name)
    write_json(run.config_path, preset("fast", dataset).to_dict())
    write_json(run.status_path, {"state": state, "kind": "train"})
    run.model_path.touch()
    return run


@pytest.mark.parametrize(
    "file", sorted((CHECKOUT / "pages").glob("[!_]*.py")), ids=lambda p: p.stem
)
def test_every_file_of_a_page_stands_in_the_menu_and_lets_visitors_in_through_it(file):
    page = f"pages/{file.name}"
    assert page in PAGES.values(), f"Add {page} to SECTIONS in pages/ui/nav.py."
    assert f'\nguard("{page}")\n' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_works_empty_and_offers_a_way_on(store, page):
    at = app(page)
    assert not at.exception
    assert at.title[0].value == ("Redshift Lab" if page == "Home" else page)
    assert at.button or page in ("Data", "Glossary")  # nothing is missing there


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_a_dataset_and_no_run(dataset, page):
    at = app(page)
    assert not at.exception, at.exception[0].value
    assert address(at, "dataset") in (dataset.id, "")  # Home and Predict choose none


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_many_runs_in_any_state(store, dataset, page):
    for state in ("finished", "failed", "stopped", "running"):  # "running" is seen as lost
        fake_run(store, dataset.id, state, state)
    at = app(page)
    assert not at.exception, at.exception[0].value


def test_no_page_loads_tensorflow(store, dataset):
    fake_run(store, dataset.id, "any", "finished")
    script = (
        "import sys\n"
        "from tests.pages.test_app import PAGES, app\n"
        "at = app()\n"
        "for page in PAGES.values(): assert not at.switch_page(page).run().exception\n"
        "loaded = {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)\n"
        "print('loaded:', *sorted(loaded))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=CHECKOUT, timeout=120
    )
    assert done.stdout.strip().splitlines()[-1:] == ["loaded:"], done.stderr


def test_the_address_keeps_the_dataset_over_a_change_of_page(store, survey_file, dataset):
    other = data.ingest(_shorter(survey_file, store.root / "other.parquet"), store, name="other")
    at = app("Explore", dataset=dataset.id)
    assert address(at, "dataset") == dataset.id
    at.selectbox(key="pick_dataset").set_value(other.id).run()
    assert address(at, "dataset") == other.id
    at.query_params.clear()  # as a click in the menu does
    at.switch_page(PAGES["Data"]).run()
    assert address(at, "dataset") == other.id
    assert at.selectbox(key="pick_dataset").value == other.id


def test_latest_in_the_address_is_the_newest_and_a_lost_id_says_so(store, dataset):
    assert address(app("Explore", dataset="latest"), "dataset") == dataset.id
    at = app("Explore", dataset="20000101-000000-gone")
    assert "not here any more" in words(at)
    assert address(at, "dataset") == dataset.id


def test_the_demo_button_reads_the_demo_survey_and_lands_on_explore(store):
    at = app()
    at.button(key="demo_button").click().run()
    run_until(at, lambda: at.title[0].value == "Explore")
    assert not at.exception
    (dataset,) = store.datasets()
    assert dataset.info["n_rows"] == 5000
    assert dataset.info["simulated"]
    again = app()
    again.button(key="demo_button").click().run()
    assert again.title[0].value == "Explore"
    assert len(store.jobs()) == 1  # the second click found the dataset


def test_an_uploaded_file_is_ingested_by_itself_and_its_copy_removed(store, survey_file):
    at = app("Data")
    _arrive(at, store, "galaxies.parquet", survey_file.read_bytes())
    at.run()
    run_until(at, lambda: bool(store.datasets()) and "Fit for training" in _metrics(at))
    assert not at.exception
    at.run()
    assert list(store.inbox.iterdir()) == []
    assert store.datasets()[0].info["n_rows"] == 600


def test_an_upload_that_is_no_spectra_says_why_and_leaves_nothing_but_its_record(store):
    at = app("Data")
    _arrive(at, store, "letter.csv", b"Dear sir,\nthank you for the galaxies.\n")
    at.run()
    run_until(at, lambda: bool(at.error))
    assert "letter" in at.error[0].value
    at.run()
    assert list(store.inbox.iterdir()) == []
    assert store.datasets() == []
    (job,) = store.jobs()
    assert jobs.status(job).user_error
    assert escape(jobs.status(job).message) in words(app("Data"))  # still told to the next visitor


def test_an_unknown_header_opens_a_mapping_with_a_preview(store, survey_file):
    own = _renamed(survey_file, store.inbox / "odd.csv")
    at = app("Data")
    assert at.selectbox(key="in_data").options == [f"odd.csv · {intake.size(own.stat().st_size)}"]
    button(at, "Use this file").click().run()
    assert at.selectbox(key="z_data").options[:2] == ["none", "how_far"]
    assert len(at.dataframe) >= 1
    assert store.jobs() == []
    at.selectbox(key="z_data").set_value("how_far")
    at.selectbox(key="source_id_data").set_value("who")
    at.selectbox(key="first_data").set_value("a_000")
    at.selectbox(key="last_data").set_value("a_185")
    button(at, "Use these columns").click().run()
    run_until(at, lambda: bool(store.datasets()) and "Fit for training" in _metrics(at))
    assert not at.exception
    assert store.datasets()[0].info["has_z"]
    assert own.exists()  # the user put it there; it stays


def test_a_redshift_under_an_unknown_name_is_asked_for(store, survey_file):
    table = pd.read_parquet(survey_file).rename(columns={"z": "how_far"})
    table.to_parquet(store.inbox / "odd.parquet")
    at = app("Data")
    button(at, "Use this file").click().run()
    assert "called like a redshift" in words(at)
    at.selectbox(key="z_data").set_value("how_far")
    button(at, "Use these columns").click().run()
    run_until(at, lambda: bool(store.datasets()) and "Fit for training" in _metrics(at))
    assert store.datasets()[0].info["has_z"]


def test_a_mapping_that_does_not_fit_says_so_and_can_be_cancelled(store, survey_file):
    _renamed(survey_file, store.inbox / "odd.csv")
    at = app("Data")
    button(at, "Use this file").click().run()
    at.selectbox(key="first_data").set_value("a_003")
    button(at, "Use these columns").click().run()
    assert "183" in words(at)
    assert store.jobs() == []
    at.button(key="cancel_data").click().run()
    assert "how_far" not in str([box.options for box in at.selectbox])


def test_a_new_simulated_survey_becomes_a_dataset(store):
    at = app("Data")
    next(one for one in at.number_input if one.label == "Galaxies").set_value(200)
    button(at, "Simulate").click().run()
    run_until(at, lambda: bool(store.datasets()) and "Fit for training" in _metrics(at), 120)
    assert store.datasets()[0].info["simulated"]
    assert store.datasets()[0].info["n_rows"] == 200


def test_a_dataset_is_renamed_noted_and_deleted_after_asking(store, dataset):
    at = app("Data")
    at.text_input(key=f"name_{dataset.id}").set_value("Coma *cluster*")
    at.text_area(key=f"note_{dataset.id}").set_value("first try")
    button(at, "Save").click().run()
    assert (dataset.name, dataset.note) == ("Coma *cluster*", "first try")
    assert "first try" in words(at)
    at.button(key=f"delete_{dataset.id}").click().run()
    assert not at.exception
    assert store.datasets() == []
    assert "No dataset yet" in words(at)


def test_a_dataset_that_a_job_works_on_is_not_deleted_and_the_page_says_why(store, dataset):
    with every_slot_taken(store):
        run = jobs.start_training(store, preset("fast", dataset.id))
        at = app("Data")
        at.button(key=f"delete_{dataset.id}").click().run()
        assert not at.exception
        assert f"cannot be deleted while {run.id} works on it; stop that first" in words(at)
        assert [folder.id for folder in store.datasets()] == [dataset.id]


def test_flagged_rows_are_shown_by_reason_with_examples(store, survey_file):
    table = pd.read_parquet(survey_file)
    table.loc[3, "flux_7"] = np.nan
    table.loc[5, "z"] = 0.9
    path = store.inbox / "flawed.parquet"
    table.to_parquet(path)
    data.ingest(path, store, name="flawed")
    at = app("Data")
    shown = next(d.value for d in at.dataframe if "Reason" in d.value)
    assert shown["Rows"].tolist() == [1, 1]
    assert shown.iloc[:, 2].tolist() == ["3", "5"]


@pytest.mark.parametrize("intervals", [{}, {"z_low68": 0.1, "z_high68": 0.2}])
def test_the_predict_page_shows_what_a_finished_job_left(store, dataset, intervals):
    run = fake_run(store, dataset.id, "one", "finished")
    job = store.new_job("predict")
    job.output.mkdir()
    table = pd.DataFrame(
        {
            "row": range(4),
            "source_id": range(4),
            "z_phot": [0.1, 0.2, np.nan, 0.7],
            **intervals,
            "flags": ["", "", "bad_flux", "z_phot_out_of_range"],
        }
    )
    files = [job.output / f"predictions{ending}" for ending in USUAL_ENDINGS]
    with TableWriter(files, {"run": run.id}, COLUMNS) as writer:
        writer.write(table)
    write_json(job.request_path, {"kind": "predict", "run": run.id, "file": "/x/new_ones.csv"})
    write_json(job.status_path, {"state": "finished", "kind": "predict"})
    flagged = {"bad_flux": 1, "outside_training_range": 0, "z_phot_out_of_range": 1}
    write_json(
        job.result_path,
        {"rows": 4, "flagged": flagged, "out": str(files[0]), "files": [str(f) for f in files]},
    )
    at = app("Predict", job=job.id)
    assert not at.exception, at.exception[0].value
    assert [m.value for m in at.metric] == ["4", "3", "2", "0.2000"]
    assert "1 more outside" in words(at)
    assert ("z_low68 to z_high68" in words(at)) == bool(intervals)
    links = [element.proto.url for element in at.get("link_button")]
    assert links == [server.download_url(job, file) for file in files]
    titles = [element.proto.label.split(" (")[0] for element in at.get("link_button")]
    assert titles == [f"Download {one}" for one in ("CSV", "Parquet", "FITS", "VOTable", "ECSV")]
    assert "TOPCAT" in words(at)


def test_text_of_a_user_is_shown_as_it_stands():
    assert escape("free `redshift-lab jobs --clean` a_b `x`") == (
        "free `redshift-lab jobs --clean` a\\_b \\`x\\`"
    )
    assert escape("a*b_[x](javascript:1) $y$ <b> :red[z]") == (
        r"a\*b\_\[x\]\(javascript\:1\) \$y\$ \<b\> \:red\[z\]"
    )


def _metrics(at: AppTest) -> list[str]:
    return [metric.label for metric in at.metric]


def _arrive(at: AppTest, store: Store, name: str, content: bytes) -> None:
    """Leave a file as the upload route leaves it."""
    ticket = server.ticket(at.session_state["_token_upload_data"])
    ticket.folder.mkdir(parents=True)
    ticket.path = ticket.folder / name
    ticket.path.write_bytes(content)
    ticket.state = "done"


def _shorter(source: Path, path: Path) -> Path:
    pd.read_parquet(source).head(300).to_parquet(path)
    return path


def _renamed(source: Path, path: Path) -> Path:
    """The same galaxies as CSV under names that nobody could guess."""
    table = pd.read_parquet(source)
    flux = [f"flux_{pixel}" for pixel in range(186)]
    names = {f"flux_{pixel}": f"a_{pixel:03d}" for pixel in range(186)}
    table = table[["z", "source_id", *flux]].rename(
        columns={**names, "z": "how_far", "source_id": "who"}
    )
    table.to_csv(path, index=False)
    return path
