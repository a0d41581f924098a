"""Whatever comes in gives a result or one sentence: no other error, no warning, nothing left.

The longer hunt, with mutated files of every format, is ``python -m scripts.soak files``.
"""

import json
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redshift_core.data import open_dataset, read_blocks
from redshift_core.data.nz import parse_prior
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import LIMITS, Choice
from redshift_core.pdf import Estimate
from redshift_core.settings.presets import preset
from redshift_core.settings.run import setting_paths
from redshift_core.settings.selection import Selection
from redshift_core.store import Store
from redshift_core.store.archive import MANIFEST, NAMES, import_run
from tests.data.tables import IDS, PIXELS, redshifts, rows, spectra
from tests.pages.made_up import make_dataset, make_run

BRIEF = settings(
    max_examples=60, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
FEW = settings(BRIEF, max_examples=25)  # of what takes milliseconds each
WORDS = (
    "", " ", "null", "nan", "-inf", "1e400", "1e20", "-999", "9" * 5000, "0x10", "1_000", "1,5",
    "1.5D+03", "٣", "²", "None", "(1, 2)", "[" * 2000, '"', '"a\nb"', "\x00", "..", "nan..1",
    "1e400..", "z_spec:0.1,0.2", "\ufeff", "z", "flux_0", "#",
)  # fmt: skip
word = st.sampled_from(WORDS) | st.text(max_size=12) | st.floats().map(str)
HEADER = ["source_id", "z", *PIXELS]
BODY = rows(IDS, redshifts(), spectra())


def said(attempt, *values):
    """Whatever it gives, or the sentence of an InputError; every other error goes through."""
    try:
        return attempt(*values)
    except InputError as error:
        return str(error)


@FEW
@given(
    st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 187), word), max_size=4),
    st.sampled_from([",", ";", "\t", " "]),
    st.booleans(),
    st.binary(max_size=12),
)
def test_any_table_of_text(tmp_path_factory, changes, delimiter, with_header, tail):
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    header, body = list(HEADER), [list(row) for row in BODY]
    for row, column, text in changes:
        (body[row] if row >= 0 else header)[column] = text
    lines = [header, *body] if with_header else body
    content = "\n".join(delimiter.join(line) for line in lines).encode("utf-8", "replace")
    path.write_bytes(content + tail)
    said(lambda: list(read_blocks(path, needs_z=with_header)))


@BRIEF
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory, content):
    for name in ("anything.csv", "anything"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(content)
        said(lambda path=path: list(read_blocks(path)))


@BRIEF
@given(st.sampled_from(sorted(setting_paths())), word)
def test_any_setting(name, text):
    said(preset("best", "x").with_values, {name: text})


@BRIEF
@given(word, word, st.sampled_from([*LIMITS, "nonsense"]))
def test_any_address(one, other, by):
    said(Selection.from_params, {"z": one, "brightness": other, "z_phot": one, "flag": other})
    said(Selection.parse, f"z={one} flag={other}")
    said(Choice.parse, by, one)
    said(Estimate.parse, one)


@BRIEF
@given(st.lists(st.lists(word, max_size=4), max_size=6), st.sampled_from(",; \t"))
def test_any_table_of_redshifts_and_numbers(lines, delimiter):
    text = "\n".join(["z,n", "0,1", "0.3,2", *(delimiter.join(line) for line in lines)])
    said(parse_prior, text, "n.csv")
    said(parse_prior, text.encode("utf-8", "replace")[::-1], "n.csv")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@FEW
@given(
    st.dictionaries(st.sampled_from(["format", "run", "name", "note", "state", "files"]), values),
    st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=40)),
    st.sampled_from(["", "run/", "../", "/", "C:\\", "__MACOSX/"]),
    st.integers(0, 400),
)
def test_any_zip(tmp_path_factory, manifest, files, folder, cut):
    base = tmp_path_factory.getbasetemp()
    store, path = Store(base / "anything-home"), base / "anything.zip"
    about = {"format": 1, "run": "20260101-000000-x", "name": "", "note": "", "files": {}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}{MANIFEST}", json.dumps(about | manifest))
        for name, content in files.items():
            archive.writestr(folder + name, content)
    path.write_bytes(path.read_bytes()[: -cut or None])
    said(import_run, store, path)
    said(lambda: list(read_blocks(path)))
    assert not list((store.root / "runs").iterdir())


@pytest.fixture(scope="module")
def full_store(tmp_path_factory):
    """A store with a dataset and a run, and the JSON files in it with what they hold."""
    store = Store(tmp_path_factory.mktemp("full"))
    make_run(store, make_dataset(store), evaluated=True)
    return store, {path: path.read_text() for path in sorted(store.root.rglob("*.json"))}


@FEW
@given(st.data())
def test_any_json_in_the_store(full_store, data):
    store, files = full_store
    path = data.draw(st.sampled_from(list(files)))
    content = json.loads(files[path])
    name = data.draw(st.sampled_from(sorted(content) or [""]))
    changed = {**content, name: data.draw(values)} if data.draw(st.booleans()) else None
    text = json.dumps(changed) if changed else data.draw(word) + files[path]
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        for dataset in store.datasets():
            said(lambda dataset=dataset: open_dataset(dataset).usable_rows())
        for run in store.runs():
            said(lambda run=run: (run.info, run.config, run.trained_on, run.evaluated()))
    finally:
        path.write_text(files[path])


def test_a_warning_would_be_seen_here():
    with pytest.raises(UserWarning):
        warnings.warn("seen", UserWarning, stacklevel=1)
