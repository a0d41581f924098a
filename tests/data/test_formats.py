"""Every format of the registry: the same table, the same dataset; offered where files come in."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from redshift_core.cli import app
from redshift_core.data import ingest, open_dataset
from redshift_core.data.readers import READERS
from redshift_core.data.sniff import FOREIGN, format_of
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMAT_TITLES, FORMATS
from tests.data.tables import IDS, WRITERS, redshifts, spectra, survey

ROOT = Path(__file__).parents[2]


def written(path: Path, name: str, n: int = 6) -> Path:
    """A small table in a format, with ids that no float holds."""
    if name not in WRITERS:
        pytest.fail(
            f"No writer of the format {name!r}: add a function (path, flux, z, source_id) to "
            "WRITERS in tests/data/tables.py that writes the three in this format."
        )
    WRITERS[name](path, spectra(n), redshifts(n), np.resize(IDS, n))
    return path


@pytest.fixture(params=READERS)
def name(request) -> str:
    """Each format in turn; one that nobody can choose ends here."""
    assert request.param in FORMATS, f"Add {request.param} to choices.FORMATS: title, endings."
    return request.param


def test_every_format_has_a_reader_and_is_not_called_foreign():
    assert list(READERS) == list(FORMATS)
    for one in FORMATS.values():
        magics = [m for m, _ in FOREIGN if one.magic and one.magic.startswith(m)]
        assert not magics, f"sniff.FOREIGN still calls {one.title} unreadable; remove its line."


def test_every_format_becomes_the_same_dataset(tmp_path, store, name):
    for suffix in FORMATS[name].suffixes:
        path = written(tmp_path / f"a{suffix}", name)
        found = open_dataset(ingest(path, store))
        assert found.flux.tolist() == spectra().astype(np.float32).tolist()
        assert found.catalogue.columns.tolist() == [
            "row", "source_id", "z_spec", "brightness", "flags",
        ]  # fmt: skip
        assert found.z_spec.tolist() == redshifts().tolist()
        assert found.source_id.tolist() == IDS.tolist()


def test_every_format_without_redshifts_and_with_missing_values_is_the_same_dataset(
    tmp_path, store, name
):
    flux, z = spectra(), redshifts()
    flux[2, 17], flux[4], z[3] = np.nan, np.nan, np.nan
    for k, redshift in enumerate((None, z)):
        path = tmp_path / f"{k}{FORMATS[name].suffixes[0]}"
        WRITERS[name](path, flux, redshift, IDS)
        found = open_dataset(ingest(path, store))
        assert found.flux.tobytes() == flux.astype(np.float32).tobytes()
        wanted = np.full(6, np.nan) if redshift is None else z
        np.testing.assert_array_equal(found.z_spec, wanted)
        assert found.info["has_z"] == (redshift is not None)
        assert found.info["flagged"] == {"nan_flux": 2, **({"z_missing": 1} if k else {})}


def test_every_format_of_another_width_gets_one_sentence(tmp_path, store, name):
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    WRITERS[name](path, spectra(6, 185), redshifts(), IDS)
    sentence = rf"{path.name}(: table\.csv)? has 185 flux columns .*expected 186"
    with pytest.raises(InputError, match=sentence):
        ingest(path, store)
    assert store.datasets() == []


def test_a_format_is_known_by_its_content(tmp_path, name):
    assert format_of(written(tmp_path / f"a{FORMATS[name].suffixes[0]}", name)) == name
    if FORMATS[name].magic:
        path = written(tmp_path / f"b{FORMATS[name].suffixes[0]}", name)
        assert format_of(path.rename(tmp_path / "b.csv")) == name


def test_a_broken_file_of_every_format_gives_one_sentence_and_leaves_nothing(tmp_path, store, name):
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    whole = written(path, name, 200).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=path.name):
        ingest(path, store)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=f"{path.name} is empty"):
        ingest(path, store)
    if FORMATS[name].magic:
        survey(tmp_path / "text.csv").rename(path)
        with pytest.raises(InputError, match=f"is not a {FORMATS[name].title} file"):
            ingest(path, store)
    assert store.datasets() == []
    assert not list((store.root / "datasets").glob(".new-*"))


def test_the_upload_takes_every_format_and_says_so(store):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    at.switch_page("pages/data.py").run()
    (proto,) = (one.proto for one in at.get("bidi_component"))
    data = json.loads(proto.json)
    assert data["accept"].split(",") == [s for one in FORMATS.values() for s in one.suffixes]
    assert FORMAT_TITLES in data["hint"]


@pytest.mark.parametrize("command", ["ingest", "predict", "adapt"])
def test_the_help_names_every_format(command):
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"}).output
    assert FORMAT_TITLES in text


def test_the_readme_names_every_format():
    assert FORMAT_TITLES in (ROOT / "README.md").read_text(encoding="utf-8")
