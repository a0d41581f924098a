"""Every number on Evaluate, computed once more from predictions.parquet with plain NumPy."""

import base64
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from redshift_core import data, reference
from redshift_core.evaluation.intervals import fitting
from redshift_core.evaluation.metrics import METRICS
from redshift_core.store import read_json
from tests.pages.made_up import add_evaluation, make_dataset, make_run, open_page, texts
from tests.test_metrics import TWINS

N = 400  # galaxies, as many as the dataset has


class Scene:
    """A run with its predictions as plain arrays."""

    def __init__(self, store):
        self.folder = make_dataset(store)
        self.run = make_run(store, self.folder)
        add_evaluation(self.run, self.folder, n=N)
        table = pd.read_parquet(self.run.predictions_path(self.folder.id))
        self.table = table
        self.spec, self.phot = table.z_spec.to_numpy(), table.z_phot.to_numpy()
        self.flux = np.array(data.open_dataset(self.folder).flux, float)
        self.error = self.phot - self.spec
        self.e_z = self.error / (1 + self.spec)

    def open(self, **query):
        at = open_page("evaluate", run=self.run.id, **query)
        assert not at.exception
        return at


@pytest.fixture
def scene(store):
    return Scene(store)


def headlines(spec, phot):
    """Every figure of merit by its name, computed by its naive twin."""
    return {name: twin(spec.tolist(), phot.tolist()) for name, twin in TWINS.items()}


def wilson(share):
    """Ends of Wilson's interval of a share of the galaxies, the two roots of a square equation.

    (p − x)² = x (1 − x) / N
    """
    return np.sort(np.roots([1 + 1 / N, -(2 * share + 1 / N), share**2]))


def test_every_headline_is_the_one_computed_from_the_predictions(scene):
    at = scene.open()
    stored = read_json(scene.run.metrics_path(scene.folder.id))
    assert {m.label: m.value for m in at.metric} == {
        METRICS[name].title: METRICS[name].text(value, METRICS[name].interval(stored))
        for name, value in headlines(scene.spec, scene.phot).items()
    }
    said = texts(at)
    assert f"{N} test rows" in said
    half = np.median(np.abs(scene.e_z - np.median(scene.e_z)))
    form = fitting(".4f", METRICS["sigma_nmad"].interval(stored))
    assert f"within {half:{form}} of the median" in said
    assert f"{(np.abs(scene.e_z) > 0.05).sum()} of {N} galaxies are further off than 0.05" in said


def test_every_interval_is_the_one_of_the_same_draws(scene):
    random = np.random.default_rng(7)  # the seed and the number of draws of made_up
    draws = []
    for _ in range(20):
        rows = random.integers(0, N, N)
        draws.append(headlines(scene.spec[rows], scene.phot[rows]))
    said = [caption.value for caption in scene.open().caption]
    said = [text.removeprefix("68 %: ") for text in said if text.startswith("68 %: ")]
    whole = headlines(scene.spec, scene.phot)
    for name, text in zip(METRICS, said, strict=True):
        ends = np.percentile([draw[name] for draw in draws], [16, 84])
        if name.startswith("outlier"):
            ends = wilson(whole[name])
        words = text.split(". ")[0].split(" to ")
        times = 100 if words[0].endswith("%") else 1
        numbers = [word.rstrip("%") for word in words]
        half_of_last = 0.501 * 10.0 ** -len(numbers[0].partition(".")[2])
        assert list(map(float, numbers)) == pytest.approx(times * ends, abs=half_of_last), name


def lines(scene, values, edges):
    """The error table, written out."""
    table = []
    for low, high in itertools.pairwise(edges):
        last = high == edges[-1]
        inside = (values >= low) & ((values <= high) if last else (values < high))
        error, e_z, n = scene.error[inside], scene.e_z[inside], int(inside.sum())
        scatter = n > 2
        table.append(
            {
                "n": n,
                "%": 100 * n / N,
                "mean error": error.mean() if n else np.nan,
                "standard error": error.std() / np.sqrt(n) if scatter else np.nan,
                "σ": error.std() if scatter else np.nan,
                "σ_NMAD": 1.4826 * np.median(abs(e_z - np.median(e_z))) if scatter else np.nan,
                "% > 0.05": 100 * np.mean(abs(e_z) > 0.05) if n else np.nan,
                "% > 0.15": 100 * np.mean(abs(e_z) > 0.15) if n else np.nan,
            }
        )
    return pd.DataFrame(table)


@pytest.mark.parametrize(
    ("query", "edges"),
    [
        ({}, np.round(np.arange(13) * 0.05, 2)),
        ({"width": "0.1"}, np.round(np.arange(7) * 0.1, 1)),
        ({"by": "z_phot"}, np.round(np.arange(13) * 0.05, 2)),
        ({"by": "brightness", "parts": "5"}, None),
    ],
)
def test_every_cell_of_the_table_is_the_one_computed_from_the_predictions(scene, query, edges):
    by = query.get("by", "z_spec")
    values = scene.table[by].to_numpy()
    if edges is None:
        edges = np.quantile(values, np.linspace(0, 1, 6))
    shown = scene.open(**query).dataframe[0].value
    wanted = lines(scene, values, edges)
    pd.testing.assert_frame_equal(shown[list(wanted)], wanted, check_dtype=False)
    if query == {}:
        published = reference.table_3()
        assert shown["published mean"].tolist() == published.mean_error.tolist()
        assert shown["published σ"].tolist() == published["std"].tolist()
        assert shown["UGC σ (read off a figure)"].tolist() == published.ugc_std.tolist()
    else:
        assert "published mean" not in shown


def test_another_runs_columns_are_its_own(store, scene):
    other = make_run(store, scene.folder, name="other")
    add_evaluation(other, scene.folder, n=N, seed=9)
    shown = scene.open(against=other.id).dataframe[0].value
    table = pd.read_parquet(other.predictions_path(scene.folder.id))
    inside = table[(table.z_spec >= 0.1) & (table.z_spec < 0.15)]
    error = inside.z_phot - inside.z_spec
    assert shown["other mean"][2] == pytest.approx(error.mean())
    assert shown["other σ"][2] == pytest.approx(error.std(ddof=0))


def traces(at):
    """Traces of every chart of the page, by the chart's key, with plain lists for arrays."""
    found = {}
    for chart in at.get("plotly_chart"):
        spec = json.loads(chart.proto.spec)
        key = chart.proto.id.rsplit("-", 1)[-1]
        found[key] = [{k: plain(v) for k, v in trace.items()} for trace in spec["data"]]
    return found


def plain(value):
    if isinstance(value, dict) and "bdata" in value:
        array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        return (
            array.reshape([int(n) for n in str(value["shape"]).split(",")])
            if "shape" in value
            else array
        )
    return value


def test_every_figure_draws_what_the_predictions_hold(scene):
    drawn = traces(scene.open(cells="50"))
    first = next(t for t in drawn["error_per_bin"] if t["name"] == "this run")
    table = lines(scene, scene.spec, np.round(np.arange(13) * 0.05, 2))
    filled = table[table.n > 0]
    np.testing.assert_allclose(first["y"], filled["mean error"])
    np.testing.assert_allclose(plain(first["error_y"]["array"]), filled["σ"])
    heat = drawn["plane"][0]
    edges = np.linspace(0, 0.6, 51)
    counts, _, _ = np.histogram2d(scene.phot, scene.spec, bins=(edges, edges))
    np.testing.assert_array_equal(heat["customdata"], counts)
    np.testing.assert_allclose(10 ** heat["z"][counts > 0], counts[counts > 0], rtol=1e-6)
    median = next(t for t in drawn["plane"] if t.get("name") == "median z_phot")
    inside = (scene.spec >= 0.1) & (scene.spec < 0.11)
    assert inside.sum() >= 20
    place = np.argmin(np.abs(np.array(median["x"]) - scene.spec[inside].mean()))
    assert median["y"][place] == pytest.approx(np.median(scene.phot[inside]))
    spec, phot = drawn["true_and_predicted"]
    fine = np.linspace(0, 0.6, 151)
    np.testing.assert_array_equal(spec["y"], np.histogram(scene.spec, fine)[0])
    np.testing.assert_array_equal(phot["y"], np.histogram(scene.phot, fine)[0])
    for by in ("z_phot", "brightness"):
        values = scene.table[by].to_numpy()
        edges = np.round(np.arange(13) * 0.05, 2)
        if by == "brightness":
            edges = np.quantile(values, np.linspace(0, 1, 11))
        points = next(t for t in drawn[f"error_{by}"] if t["name"] == "this run")
        wanted = lines(scene, values, edges)
        np.testing.assert_allclose(points["y"], wanted["mean error"][wanted.n > 0])


def test_a_box_lists_exactly_its_galaxies_the_largest_error_first(scene):
    at = scene.open(box="0.1,0.2,0.1,0.3")
    inside = scene.table[
        scene.table.z_spec.between(0.1, 0.2) & scene.table.z_phot.between(0.1, 0.3)
    ]
    shown = at.dataframe[1].value
    assert len(inside) > 30
    wanted = inside.assign(error=inside.z_phot - inside.z_spec)
    wanted = wanted.iloc[np.argsort(-wanted.error.abs(), kind="stable")]
    for column in ("row", "z_spec", "z_phot", "error", "brightness", "flags"):
        assert shown[column].tolist() == wanted[column].tolist()
    assert "source_id" not in shown  # the file had none, and row numbers are no ids
    assert f"{len(inside)} galaxies" in texts(at)


def drawn_flux(drawn, name):
    """Values of one spectrum without the gap at the seam."""
    (trace,) = (trace for trace in drawn if trace["name"] == name)
    values = np.array(trace["y"], float)
    return values[np.isfinite(values)]


def test_the_mean_spectra_are_those_of_the_galaxies_and_of_well_predicted_ones(scene):
    drawn = traces(scene.open(bin="z_spec:0.1,0.15"))["mean_spectrum"]
    inside = np.flatnonzero((scene.spec >= 0.1) & (scene.spec < 0.15))
    sigma = 1.4826 * np.median(abs(scene.e_z - np.median(scene.e_z)))
    good = np.flatnonzero(abs(scene.e_z) < sigma)
    nearest = [good[np.argmin(np.abs(scene.spec[good] - scene.spec[one]))] for one in inside]
    for name, rows in (("these galaxies", inside), ("well predicted, same redshifts", nearest)):
        mean = scene.flux[rows].mean(axis=0)
        np.testing.assert_allclose(drawn_flux(drawn, name), mean / mean.mean(), rtol=1e-6)


def test_a_single_spectrum_is_the_galaxys_own_with_lines_at_both_redshifts(scene):
    at = scene.open(bin="z_spec:0.1,0.15", galaxy=str(row := _some_row(scene)))
    drawn = traces(at)["galaxy_spectrum"]
    np.testing.assert_allclose(drawn_flux(drawn, "flux"), scene.flux[row], rtol=1e-6)
    names = {trace["name"] for trace in drawn}
    assert f"lines at z_spec = {scene.spec[row]:.4f}" in names
    assert f"lines at z_phot = {scene.phot[row]:.4f}" in names
    assert f"error **{scene.error[row]:+.4f}**" in texts(at)


def test_the_metrics_file_says_the_same_as_the_page(scene):
    metrics = read_json(scene.run.metrics_path(scene.folder.id))
    assert metrics["mae"] == pytest.approx(headlines(scene.spec, scene.phot)["mae"])


def _some_row(scene):
    return int(np.flatnonzero((scene.spec >= 0.1) & (scene.spec < 0.15))[5])
