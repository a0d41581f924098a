"""The job that fetches from an archive: its dataset, its redshifts, its missing sources."""

import gzip
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from redshift_core.data.archive import job, missing_ids
from redshift_core.data.archive.job import Fetch, fetch_job
from redshift_core.data.archive.memory import Memory
from redshift_core.data.archive.request import FetchRequest
from redshift_core.data.archive.services import open_service, site_of
from redshift_core.data.archive.web import Patience
from redshift_core.errors import InputError
from redshift_core.store import JobContext, Stopped, write_json
from tests.archive_galaxies import faults, ids_of, small_archive, write_ids
from tests.archive_standin import serving

FAST = {"tries": 4, "wait": 0.01, "timeout": 1.0}


@pytest.fixture(scope="module")
def archive():
    """Archive of 40 galaxies that does nothing wrong."""
    with serving(small_archive(40)) as served:
        yield served


@pytest.fixture
def ids_file(tmp_path):
    return lambda ids: write_ids(tmp_path / "ids.csv", ids)


def fetch_here(store, archive, **request):
    """The job, in this process; its result."""
    folder = store.new_job("fetch")
    values = {"service": archive.url, "name": "fetched", **FAST, **request}
    write_json(folder.request_path, {"kind": "fetch", **values})
    return fetch_job(JobContext(folder, store))


def test_a_fetch_gives_a_dataset_of_every_source_that_the_archive_has(store, archive, ids_file):
    ids = ids_of(40)
    asked = [*ids[::-1], 77, 78, *ids[:5]]  # in no order, some twice, two that it does not have
    result = fetch_here(store, archive, ids=str(ids_file(asked)), chunk=7)
    assert (result["rows"], result["missing"]) == (40, [77, 78])
    dataset = store.dataset(result["dataset"])
    table = pq.read_table(dataset.catalogue_path)
    assert table["source_id"].to_pylist() == sorted(ids)
    assert {"ra", "dec", "phot_g_mean_mag", "redshift_ugc", "redshift_ugc_upper"} <= set(
        table.column_names
    )
    assert missing_ids(dataset) == [77, 78]
    info = dataset.info
    assert info["simulated"] is True  # the stand-in's ids are those of simulations
    assert info["has_z"] is False  # UGC's redshift is a column, and not the redshift
    about = info["archive"]
    assert (about["url"], about["release"], about["ids"]) == (archive.url, "Gaia DR3", "ids.csv")
    assert (about["n_asked"], about["n_missing"]) == (42, 2)
    assert set(about["versions"]) == {"redshift-lab", "pyvo", "requests", "astropy"}
    assert not list(store.cache.glob("archive-*"))  # nothing is left but the dataset


def test_fluxes_are_those_of_the_coefficients_of_the_same_source(store, archive, ids_file):
    from redshift_core.data.coefficients import BANDS, Converter

    result = fetch_here(store, archive, ids=str(ids_file(ids_of(12)[::-1])), chunk=5)
    dataset = store.dataset(result["dataset"])
    flux = np.load(dataset.flux_path)
    designs = [Converter().design(band, basis) for band, basis in zip(BANDS, (56, 57), strict=True)]
    for row, one in enumerate(pq.read_table(dataset.catalogue_path)["source_id"].to_pylist()):
        pair = zip(archive.spectra[one], designs, strict=True)
        wanted = np.concatenate([coefficients @ design for coefficients, design in pair])
        np.testing.assert_allclose(flux[row], wanted, rtol=1e-5, atol=1e-4)


def test_the_same_request_again_finds_its_dataset_and_asks_nothing(store, archive):
    query = "SELECT source_id, ra, dec FROM gaiadr3.gaia_source WHERE phot_g_mean_mag < 17"
    first = fetch_here(store, archive, adql=query)
    n_calls = len(archive.calls)
    again = fetch_here(store, archive, adql=query + " ;\n", chunk=3)
    assert (again["dataset"], again["existing"]) == (first["dataset"], True)
    assert len(archive.calls) == n_calls


def test_a_count_says_what_it_would_be_and_fetches_nothing(store, archive):
    before = archive.counts["data-server"]
    result = fetch_here(
        store, archive, adql="SELECT source_id FROM gaiadr3.gaia_source;", count=True
    )
    assert (result["rows"], result["calls"]) == (40, 1)
    assert result["megabytes"] == pytest.approx(40 * 0.0133, abs=0.06)
    assert archive.counts["data-server"] == before
    assert not list(store.cache.glob("archive-*"))


def test_a_source_that_one_answer_leaves_out_is_asked_for_again(store, ids_file):
    short = small_archive(20, faults=lambda kind, number: "short" if number % 2 == 0 else "")
    with serving(short):
        result = fetch_here(store, short, ids=str(ids_file(ids_of(20))), chunk=8)
    assert (result["rows"], result["missing"]) == (20, [])


def test_a_service_that_wants_fewer_ids_gets_fewer(store, ids_file):
    with serving(small_archive(20, limit=6)) as served:
        result = fetch_here(store, served, ids=str(ids_file(ids_of(20))), chunk=20)
    assert result["rows"] == 20
    assert max(map(len, served.asked)) <= 6


def test_a_fetch_that_is_killed_when_its_dataset_is_there_only_writes_down_where_it_is_from(
    store, archive, ids_file, monkeypatch
):
    request = {"ids": str(ids_file([*ids_of(5), 9])), "chunk": 2}

    def killed(*_):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_missing", killed)
        with pytest.raises(RuntimeError):
            fetch_here(store, archive, **request)
    (dataset,) = store.datasets()
    assert "archive" not in dataset.info
    result = fetch_here(store, archive, **request)
    assert (result["dataset"], result["missing"]) == (dataset.id, [9])
    assert store.datasets()[0].info["archive"]["n_missing"] == 1


def test_what_came_is_kept_where_the_archive_dies_and_the_same_request_goes_on(store, ids_file):
    path = str(ids_file(ids_of(20)))
    dies = lambda kind, number: "dead" if kind == "data-server" and number >= 3 else ""  # noqa: E731
    with serving(small_archive(20, faults=dies)) as served:
        with pytest.raises(InputError, match="What has come is kept; the same command goes on"):
            fetch_here(store, served, ids=path, chunk=4)
        kept = {one for ids in served.asked for one in ids}
        assert len(kept) == 12
        served.asked.clear()
        served.faults = lambda *_: ""
        assert fetch_here(store, served, ids=path, chunk=4)["rows"] == 20
        assert sorted(one for ids in served.asked for one in ids) == sorted(set(ids_of(20)) - kept)


def test_stop_is_heard_while_the_archive_is_silent(store, ids_file):
    silent = small_archive(5, faults=faults({0: "silent"}), silence=20.0)
    with serving(silent):
        folder = store.new_job("fetch")
        request = {"ids": str(ids_file(ids_of(5))), "service": silent.url, "timeout": 60.0}
        context = JobContext(folder, store)
        context.request = {"kind": "fetch", "name": "x", **request}
        fetch = Fetch(context, FetchRequest.of_job(context.request))
        begun = time.monotonic()
        tick = fetch._tick

        def stop_soon():
            if time.monotonic() - begun > 0.5:
                folder.stop_path.touch()
            tick()

        fetch.service.web.tick = stop_soon
        with pytest.raises(Stopped):
            fetch.run()
        assert time.monotonic() - begun < 3.0


def test_redshifts_by_x_match_are_unique_both_ways(store, monkeypatch, ids_file):
    served = small_archive(8)
    table, ids = served.redshifts, ids_of(8)
    table["ra2"][1] = table["ra2"][0]  # two galaxies of the catalogue at the first source …
    table["dec2"][1] = table["dec2"][0]  # … so that the second source has none
    table["ra2"][2] += 1.6 / 3600 / np.cos(np.deg2rad(table["dec2"][2]))  # too far away
    table["spCl"][3] = "STAR"
    table.add_row(table[4])  # the same spectrum twice is one
    with serving(served):
        monkeypatch.setenv("REDSHIFT_LAB_XMATCH", served.url + "xmatch/api/v1/sync")
        result = fetch_here(store, served, ids=str(ids_file(ids)), redshifts="sdss")
        dataset = store.dataset(result["dataset"])
        rows = pq.read_table(dataset.catalogue_path).to_pylist()
        found = {row["source_id"]: row["z_spec"] for row in rows}
        expected = {ids[k]: table["zsp"][k] for k in range(4, 8)}
        assert {one: z for one, z in found.items() if np.isfinite(z)} == pytest.approx(expected)
        assert dataset.info["archive"]["redshifts"]["n_ambiguous"] == 1
        assert result["rows"] == 8
        only = fetch_here(
            store, served, ids=str(ids_file(ids)), redshifts="sdss", matched_only=True
        )
        assert only["rows"] == 4


def test_x_match_gets_fewer_positions_where_it_wants_fewer(store, archive, monkeypatch, ids_file):
    monkeypatch.setenv("REDSHIFT_LAB_XMATCH", archive.url + "xmatch")
    start = archive.counts["xmatch"]
    monkeypatch.setattr(archive, "faults", faults({start: "413"}, "xmatch"))
    result = fetch_here(store, archive, ids=str(ids_file(ids_of(9))), redshifts="sdss")
    assert np.isfinite(
        pq.read_table(store.dataset(result["dataset"]).catalogue_path)["z_spec"]
    ).all()
    assert archive.counts["xmatch"] - start > 2


def test_a_catalogue_matches_by_position_and_by_id(store, archive, ids_file, tmp_path):
    ids = ids_of(10)
    held = archive.redshifts
    near, by_id = tmp_path / "near.csv", tmp_path / "by_id.csv"
    lines = [f"{held['ra2'][k]},{held['dec2'][k] + 1.0 / 3600},{held['zsp'][k]}" for k in range(6)]
    lines.append(f"{held['ra2'][7]},{held['dec2'][7] + 1.6 / 3600},0.3")  # too far away
    near.write_text("\n".join(["RA_ICRS,DE_ICRS,z_spec", *lines]))
    lines = [f"{one},{0.1 + 0.01 * k}" for k, one in enumerate(ids[:4])]
    by_id.write_text("\n".join(["source_id,z", *lines, f"{ids[0]},0.4"]))  # one has two redshifts
    for path, expected in (
        (near, {ids[k]: held["zsp"][k] for k in range(6)}),
        (by_id, {ids[k]: 0.1 + 0.01 * k for k in range(1, 4)}),
    ):
        result = fetch_here(store, archive, ids=str(ids_file(ids)), redshifts=str(path))
        rows = pq.read_table(store.dataset(result["dataset"]).catalogue_path).to_pylist()
        found = {r["source_id"]: r["z_spec"] for r in rows if np.isfinite(r["z_spec"])}
        assert found == pytest.approx(expected)


def test_the_archives_own_redshift_stands_in_both_columns_where_it_is_asked_for(store, archive):
    query = (
        "SELECT g.source_id, c.redshift_ugc FROM gaiadr3.gaia_source AS g "
        "JOIN gaiadr3.galaxy_candidates AS c ON c.source_id = g.source_id"
    )
    result = fetch_here(store, archive, adql=query, redshifts="ugc")
    table = pq.read_table(store.dataset(result["dataset"]).catalogue_path)
    assert table["z_spec"].to_pylist() == table["redshift_ugc"].to_pylist()


def test_a_missing_band_is_kept_and_flagged(store, ids_file):
    served = small_archive(5)
    one = ids_of(5)[2]
    served.spectra[one] = (np.empty(0), served.spectra[one][1])
    with serving(served):
        result = fetch_here(store, served, ids=str(ids_file(ids_of(5))))
    assert (result["rows"], result["missing"]) == (5, [])
    assert result["flagged"] == {"nan_flux": 1}


def test_a_folder_of_bulk_files_gives_the_sources_of_a_list(store, ids_file, tmp_path):
    rng = np.random.default_rng(3)
    cells = (500_000, 500_001, 614_517, 700_000)  # of HEALPix level 8; the last in no file
    ids = [(cell << 43) + k for cell in cells for k in range(5)]
    held = {one: rng.normal(100, 30, (2, 55)).round(6) for one in ids}
    folder = tmp_path / "bulk"
    folder.mkdir()
    for low, high in ((500_000, 500_001), (614_517, 614_573)):
        with gzip.open(folder / f"XpContinuousMeanSpectrum_{low}-{high}.csv.gz", "wt") as file:
            file.write(
                "# %ECSV 1.0\n# ---\n# datatype:\nsource_id,solution_id,bp_basis_function_id,"
            )
            file.write("bp_coefficients,rp_basis_function_id,rp_coefficients\n")
            for one in (one for one in ids if low <= one >> 43 <= high):
                bp, rp = ("[" + ",".join(map(repr, map(float, c))) + "]" for c in held[one])
                bp = "null" if one == ids[1] else f'"{bp}"'
                file.write(f'{one},1,56,{bp},57,"{rp}"\n')
    folder_service = open_service(site_of(str(folder)), "Gaia DR3", Patience(), Memory(), print)
    found = folder_service.coefficients(ids[:7])
    assert sorted(found["source_id"].to_pylist()) == ids[:7]
    assert folder_service.parts(ids, 1000) == [10, 5, 5]
    context = JobContext(store.new_job("fetch"), store)
    request = {"ids": str(ids_file(ids)), "service": str(folder), "name": "bulk"}
    context.request = {"kind": "fetch", **request}
    result = fetch_job(context)
    assert (result["rows"], result["missing"]) == (15, ids[15:])
    assert result["flagged"] == {"nan_flux": 1}
    with pytest.raises(InputError, match="answers no query"):
        folder_service.query("SELECT 1")


def test_coefficients_that_no_fluxes_can_be_made_of_are_refused_after_the_first_chunk(
    store, ids_file
):
    served = small_archive(12)
    for one, (_, rp) in served.spectra.items():
        served.spectra[one] = (np.ones(48), rp)
    with (
        serving(served),
        pytest.raises(InputError, match=r"has 48 bp coefficients .*What has come is kept"),
    ):
        fetch_here(store, served, ids=str(ids_file(ids_of(12))), chunk=4)
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (
            {"adql": "SELECT ra FROM gaiadr3.gaia_source"},
            "returns no column source_id; it returns ra",
        ),
        ({"adql": "SELECT source_id FROM gaiadr3.gaia_source WHERE ra < 0"}, "returns no source"),
        ({}, "needs one sample: a file of ids, or a query; got none"),
        ({"adql": "SELECT 1", "release": "!"}, "names no release"),
    ],
)
def test_a_sample_that_cannot_be_is_one_sentence(store, archive, request_, word):
    with pytest.raises(InputError, match=word):
        fetch_here(store, archive, **request_)
    assert not list(store.cache.glob("archive-*"))


def test_sources_without_any_spectrum_are_no_dataset(store, archive, ids_file):
    with pytest.raises(InputError, match="has a spectrum of none of the sources"):
        fetch_here(store, archive, ids=str(ids_file([1, 2])))
    assert store.datasets() == []
    assert not list(store.cache.glob("archive-*"))  # and the same command asks again
