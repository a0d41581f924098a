"""The services that give Gaia's spectra, against a stand-in on the loopback and its faults."""

import csv
import io
import json
import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_core.data.archive import redshifts
from redshift_core.data.archive.datalink import unpack
from redshift_core.data.archive.memory import Memory
from redshift_core.data.archive.services import open_service, site_of
from redshift_core.data.archive.tables import of_astropy, read_ids, spectra_of
from redshift_core.data.archive.web import Patience, Web
from redshift_core.errors import InputError
from tests.archive_galaxies import faults, ids_of, small_archive
from tests.archive_standin import serving

FIXTURES = Path(__file__).parents[3] / "shared" / "archive" / "fixtures"


def service(archive, name="{}", patience=None, **options):
    site = site_of(name.format(archive.url))
    patience = patience or Patience(4, 0.01, 5.0, 1.0, 20.0)
    return open_service(site, "Gaia DR3", patience, options.get("memory", Memory()), lambda: None)


@pytest.fixture(scope="module")
def archive():
    """Archive of 40 galaxies that does nothing wrong."""
    with serving(small_archive(40)) as served:
        yield served


@pytest.mark.parametrize("name", ["{}", "aip={}tap-server/tap", "ari={}tap-server/tap"])
def test_every_service_gives_the_coefficients_of_the_right_source(archive, name):
    ids = ids_of(42)
    found = service(archive, name).coefficients(ids)
    assert sorted(found["source_id"].to_pylist()) == sorted(ids[:40])
    for row in found.to_pylist():
        for band, held in zip(("bp", "rp"), archive.spectra[row["source_id"]], strict=True):
            assert row[f"{band}_coefficients"] == pytest.approx(held, rel=1e-12)
    assert set(found["bp_basis_function_id"].to_pylist()) == {56}


def impatient(fault):
    """Patience that a busy machine tries only where the service is to be silent."""
    return Patience(3, 0.01, 1.0, 0.2 if fault == "silent" else 10.0, 20.0)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("html", "a web page in place of data"),
        ("service error", "SERVICE ERROR: try later"),
        ("truncated", "cut off or damaged"),
        ("cut off", "cut off"),
        ("500", "HTTP 500: Error 500: null"),
        ("502", "HTTP 502"),
        ("dead", "no connection to it could be made or kept"),
        ("silent", "silent for longer than the time limit"),
    ],
)
def test_a_wrong_answer_is_asked_for_again_and_in_the_end_one_sentence(fault, word):
    patience = impatient(fault)
    served = small_archive(5, faults=faults({0: fault, 1: fault}), silence=0.5)
    if fault == "500":  # may be for a word, so that each try asks by all of them
        served.faults = faults(dict.fromkeys(range(5), fault))
    with serving(served):
        assert service(served, patience=patience).coefficients(ids_of(5)).num_rows == 5
        served.faults = lambda kind, number: fault
        with pytest.raises(InputError, match=r"^The archive gave no spectra after 3 tries") as said:
            service(served, patience=patience).coefficients(ids_of(5))
        assert word in str(said.value)
        assert str(said.value).count("\n") == 0


@pytest.mark.parametrize("fault", ["html", "invalid", "502", "dead", "silent"])
@pytest.mark.parametrize("quick", [True, False])
def test_a_query_is_asked_again_as_well(fault, quick):
    kind = "sync" if quick else "async"
    patience = impatient(fault)
    served = small_archive(5, faults=faults({0: fault}, kind), silence=0.5)
    query = "SELECT source_id FROM gaiadr3.gaia_source"
    with serving(served):
        assert service(served, patience=patience).query(query, quick).num_rows == 5
        served.faults = lambda *_: fault
        with pytest.raises(InputError, match="gave no answer to the query after 3 tries"):
            service(served, patience=patience).query(query, quick)


def test_a_query_that_is_refused_is_asked_twice_at_most(archive):
    before = archive.counts["sync"]
    with pytest.raises(InputError, match=r"after 2 tries.*no such column: nonsense"):
        service(archive).query("SELECT nonsense FROM gaiadr3.gaia_source", quick=True)
    assert archive.counts["sync"] - before == 2


def test_an_error_of_the_catalogue_does_not_take_ugc_away():
    served = small_archive(4, faults=faults({0: "error"}, "sync"))
    with serving(served):
        assert "redshift_ugc" in service(served).sources(ids_of(4)).column_names
        served.faults = lambda *_: "413"
        with pytest.raises(InputError, match="refuses the query as too large"):
            service(served).query("SELECT 1 AS source_id", quick=True)


def test_an_answer_cut_by_the_service_is_refused(archive, monkeypatch):
    monkeypatch.setattr(archive, "sync_rows", 7)
    with pytest.raises(InputError, match="cut its answer short after 7 rows; ask for fewer"):
        service(archive).query("SELECT source_id FROM gaiadr3.gaia_source", quick=True)


def test_the_words_of_the_archive_are_tried_in_turn_and_remembered(tmp_path):
    path = tmp_path / "tried.json"
    words = (("MEAN_SPECTRUM_XP", "DATAMODEL_GAIA"),)
    with serving(small_archive(6, words=words)) as served:
        ids = ids_of(6)
        assert service(served, memory=Memory(path)).coefficients(ids[:3]).num_rows == 3
        asked = served.counts["data-server"]
        assert asked == 4
        assert service(served, memory=Memory(path)).coefficients(ids[3:]).num_rows == 3
        assert served.counts["data-server"] == asked + 1
        served.words = (("XP_CONTINUOUS", "RAW"),)  # and where they change meanwhile
        assert service(served, memory=Memory(path)).coefficients(ids).num_rows == 6


def test_sources_that_the_archive_does_not_have_at_all_are_no_error(archive):
    assert service(archive).coefficients([1, 2, 3]).num_rows == 0


def test_a_token_goes_to_the_service_it_is_for_and_to_no_other(archive, monkeypatch):
    monkeypatch.setenv("REDSHIFT_LAB_ARCHIVE_TOKEN", "secret")
    for name, expected in (("{}", None), ("aip={}tap-server/tap", "Token secret")):
        archive.headers.clear()
        service(archive, name).coefficients(ids_of(2))
        assert {one.get("Authorization") for one in archive.headers} == {expected}


@pytest.mark.parametrize(
    "text",
    [
        "5405570973190252288\n5762406957886626816\n\n5405570973190252288\n",
        "Gaia DR3 5405570973190252288\nGaia DR3 5762406957886626816\n",
        "name,Source_ID\na,5405570973190252288\nb,5762406957886626816\n",
        "SOURCE_ID;z\n5762406957886626816;0.1\n5405570973190252288;0.2\n",
    ],
)
def test_ids_are_read_exactly_from_what_people_have(tmp_path, text):
    path = tmp_path / "ids.txt"
    path.write_text(text)
    assert read_ids(path)["source_id"].to_pylist() == [5405570973190252288, 5762406957886626816]


def test_ids_that_a_float_has_rounded_are_refused(tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("source_id,z\n5.405570973190252e18,0.1\n")
    with pytest.raises(InputError, match="has rounded the source ids"):
        read_ids(path)


def test_matches_are_unique_both_ways():
    rows = [(1, "a", 0.1), (2, "b", 0.2), (2, "c", 0.3), (3, "d", 0.4), (4, "d", 0.4),
            (5, "e", 0.5), (5, "f", 0.5)]  # fmt: skip
    pairs = pa.table(
        [*zip(*[(one, other, z, 0.0) for one, other, z in rows], strict=True)],
        schema=redshifts.PAIRS,
    )
    found, ambiguous = redshifts.unique(pairs)
    assert sorted(zip(*found.to_pydict().values(), strict=True)) == [(1, 0.1), (5, 0.5)]
    assert ambiguous == 3


@pytest.mark.skipif(not FIXTURES.exists(), reason="the recorded answers are not here")
@pytest.mark.parametrize("name", ["XP_CONTINUOUS_RAW", "XP_CONTINUOUS_RAW_with_missing_BP"])
def test_recorded_answers_are_read_as_fits_and_as_votable(name):
    from astropy.table import Table

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.write(FIXTURES / f"{name}.fits")
    by_fits = unpack(content.getvalue())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of astropy, on units of the archive
        table = Table.read(FIXTURES / f"{name}.xml", format="votable")
    by_votable = spectra_of(of_astropy(table))
    with open(FIXTURES / f"{name}.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert by_fits["source_id"].to_pylist() == [int(row["source_id"]) for row in rows]
    for band in ("bp", "rp"):
        expected = [json.loads(f"[{row[f'{band}_coefficients'].strip('()')}]") for row in rows]
        for found in (by_fits, by_votable):
            assert [one or [] for one in found[f"{band}_coefficients"].to_pylist()] == expected
    assert any(len(one) == 0 for one in by_fits["bp_coefficients"].to_pylist()) == (
        "missing" in name
    )


@pytest.mark.skipif(not FIXTURES.exists(), reason="the recorded answers are not here")
def test_a_recorded_answer_of_several_products_and_a_file_a_source_is_read():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for path in (FIXTURES / "individual").glob("*.fits"):
            file.write(path, path.name)
    assert unpack(content.getvalue())["source_id"].to_pylist() == [5937083312263887616]


def test_another_release_is_asked_for_by_its_own_name_and_words():
    served = small_archive(3, words=(("MEAN_SPECTRUM_XP", "DATAMODEL_GAIA"),))
    served.database.execute("ATTACH ':memory:' AS gaiadr4")
    served.database.execute("CREATE TABLE gaiadr4.gaia_source AS SELECT * FROM gaiadr3.gaia_source")
    with serving(served):
        site = site_of(served.url)
        dr4 = open_service(site, "Gaia DR4", Patience(3, 0.01), Memory(), lambda: None)
        found = dr4.sources(ids_of(3))  # it has no table of candidates yet
        assert found.num_rows == 3
        assert "redshift_ugc" not in found.column_names
        assert dr4.coefficients(ids_of(3)).num_rows == 3
        assert served.releases == {"Gaia DR4"}


@pytest.mark.parametrize(
    ("text", "word"),
    [("esaa", "choose esa, aip, ari, a URL"), ("ftp://x", "choose esa"), ("esa=nowhere", "choose")],
)
def test_a_service_that_is_not_known_is_refused(text, word):
    with pytest.raises(InputError, match=word):
        site_of(text)


def test_a_folder_without_bulk_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no file XpContinuousMeanSpectrum"):
        open_service(site_of(str(tmp_path)), "Gaia DR3", Patience(), Memory(), lambda: None)


def test_a_catalogue_of_every_format_gives_its_redshifts(tmp_path):
    from astropy.table import Table

    ids = [5405570973190252288, 5762406957886626816]
    table = Table({"source_id": np.array(ids), "z": [0.1, 0.2]})
    sources = pa.table({"source_id": pa.array(ids, pa.int64())})
    for name, kind in (
        ("a.fits", "fits"), ("a.vot", "votable"), ("a.ecsv", "ascii.ecsv"), ("a.csv", "ascii.csv"),
        ("a.parquet", "parquet"),
    ):  # fmt: skip
        if kind == "parquet":
            pq.write_table(pa.table({"source_id": ids, "z": [0.1, 0.2]}), tmp_path / name)
        else:
            table.write(tmp_path / name, format=kind)
        pairs = redshifts.from_file(tmp_path / name, sources)
        assert redshifts.unique(pairs)[0].to_pydict() == {"source_id": ids, "z": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("source_id\n1\n", "has no column that is called z"),
        ("name,z\na,0.1\n", "has neither source_id nor ra and dec"),
        ("ra,dec,z\n1,1,0.1\n", "the sources have none"),
    ],
)
def test_a_catalogue_that_cannot_be_matched_is_one_sentence(tmp_path, text, word):
    path = tmp_path / "z.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=word):
        redshifts.from_file(path, pa.table({"source_id": pa.array([1], pa.int64())}))


def test_x_match_refusing_or_answering_another_table_is_one_sentence():
    served = small_archive(3)
    sources = pa.table({"source_id": ids_of(3), "ra": [1.0] * 3, "dec": [1.0] * 3})
    with serving(served):
        web = Web(served.url, Patience(2, 0.01), lambda: None)
        ask = partial(redshifts.cross_match, sources, redshifts.CATALOGUES["sdss"], web)
        served.faults = lambda *_: "403"
        with pytest.raises(InputError, match="sent too many jobs"):
            ask(served.url + "xmatch")
        served.faults = lambda *_: ""
        served.redshifts.rename_column("zsp", "photo")
        with pytest.raises(InputError, match="has no column zsp; it has angdist"):
            ask(served.url + "xmatch")
        served.faults = lambda *_: "html"
        with pytest.raises(InputError, match="a web page in place of data"):
            web.call("redshifts", partial(ask, served.url + "xmatch"))
