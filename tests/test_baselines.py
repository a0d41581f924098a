"""Baselines: each learns, gives proper densities, and agrees with its plain twin."""

import numpy as np
import pytest
import threadpoolctl
from scipy.optimize import brentq
from sklearn.ensemble import RandomForestRegressor

from redshift_core import pdf
from redshift_core.errors import InputError
from redshift_core.learning.studies.baselines import BASELINES, Rows, flexcode, peers, usual
from redshift_core.learning.studies.baselines.usual import flat_rows
from redshift_core.settings import bench, names
from redshift_core.settings.bench import PEERS


def made_up(n, seed):
    """Spectra whose first features tell the redshift, most galaxies at low z."""
    random = np.random.default_rng(seed)
    z = np.minimum(random.gamma(2.0, 0.07, n), 0.59)
    features = random.normal(0, 0.05, (n, 188))
    features[:, 0] += z
    features[:, 1] += z**2
    return Rows(features.astype(np.float32), z)


@pytest.fixture(scope="module")
def rows():
    return made_up(600, 1), made_up(200, 2), made_up(200, 3)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(usual, "BOOSTING", {"max_iter": 15, "learning_rate": 0.2})
    monkeypatch.setattr(usual, "N_TREES", 10)
    monkeypatch.setattr(peers, "MAX_THREADS", 1)
    monkeypatch.setattr(peers, "MAX_TREES", 40)
    for module in (peers, flexcode):
        monkeypatch.setattr(module, "DEPTH", 3)
    monkeypatch.setattr(flexcode, "N_COSINES", 12)
    monkeypatch.setattr(flexcode, "MAX_TREES", 20)
    with threadpoolctl.threadpool_limits(
        1, "openmp"
    ):  # threads wait for one another on a busy core
        yield


def fitted(name, rows, seed=0):
    """A baseline trained on made-up rows, or a skip where its package is not installed."""
    if name in PEERS:
        pytest.importorskip(PEERS[name])
    return BASELINES[name](*rows[:2], seed)


def test_every_baseline_has_its_sentence():
    assert list(BASELINES) == list(names.BASELINES)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "prior"])
def test_a_baseline_learns_what_the_prior_alone_does_not_know(name, rows):
    test = rows[2]
    errors = {
        one: np.abs(fitted(one, rows).predict(test.features).z_phot - test.z_spec)
        for one in ("prior", name)
    }
    assert errors[name].shape == (200,)
    assert errors[name].mean() < 0.8 * errors["prior"].mean()


@pytest.mark.parametrize("name", ["prior", "knn", "random_forest", "flexzboost"])
def test_a_density_integrates_to_one_and_its_median_is_the_redshift(name, rows):
    answer = fitted(name, rows).predict(rows[2].features)
    assert answer.density.shape == (200, 240)
    assert np.allclose(answer.density.sum(axis=1) * pdf.WIDTH, 1, atol=1e-5)
    assert np.allclose(answer.z_phot, pdf.point(answer.density))


def test_what_is_fitted_does_not_depend_on_the_rows_it_is_asked_about(rows):
    train, val, test = rows
    for name in ("knn", "ridge"):
        predict = BASELINES[name](train, val, 0).predict
        both, alone = predict(test.features), predict(test.features[:7])
        assert np.allclose(both.z_phot[:7], alone.z_phot)


def test_ridge_is_the_solution_of_its_normal_equations(rows, monkeypatch):
    train, val, test = rows
    monkeypatch.setattr(usual, "RIDGES", (10.0,))
    mean, sd = train.features.mean(0, np.float64), train.features.std(0, np.float64)
    x = (train.features - mean) / sd
    weights = np.linalg.solve(
        x.T @ x + 10 * np.eye(188), x.T @ (train.z_spec - train.z_spec.mean())
    )
    expected = (test.features - mean) / sd @ weights + train.z_spec.mean()
    found = BASELINES["ridge"](train, val, 0).predict(test.features).z_phot
    assert np.allclose(found, expected, atol=1e-6)


def test_nearest_neighbours_are_those_of_a_plain_search(rows, monkeypatch):
    train, val, test = rows
    monkeypatch.setattr(usual, "NEIGHBOURS", (5,))
    monkeypatch.setattr(usual, "WIDTHS", (0.01,))
    centred = train.features - train.features.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:20]
    known, asked = centred @ axes.T, (test.features - train.features.mean(0)) @ axes.T
    answer = BASELINES["knn"](train, val, 0).predict(test.features)
    for row in range(20):
        distance = np.linalg.norm(known - asked[row], axis=1)
        nearest = np.argsort(distance)[:5]
        density = np.zeros(240)
        for one in nearest:
            centre = pdf.CENTRES[int(train.z_spec[one] / pdf.WIDTH)]
            bump = np.exp(-0.5 * ((pdf.CENTRES - centre) / 0.01) ** 2)
            density += bump / bump.sum() / distance[one]
        density /= density.sum() * pdf.WIDTH
        assert np.allclose(answer.density[row], density, atol=2e-3 * density.max())


def test_a_forest_s_density_is_that_of_the_leaves_reached(rows, monkeypatch):
    train, val, test = rows
    monkeypatch.setattr(usual, "WIDTHS", (0.004,))
    answer = BASELINES["random_forest"](train, val, 3).predict(test.features[:5])
    forest = RandomForestRegressor(10, min_samples_leaf=5, max_features=1 / 3, random_state=3)
    forest.fit(train.features, train.z_spec)
    bins = (train.z_spec / pdf.WIDTH).astype(int)
    for row, density in enumerate(answer.density):
        expected = np.zeros(240)
        for tree in forest.estimators_:
            alike = tree.apply(train.features) == tree.apply(test.features[row : row + 1])
            for one in bins[alike]:
                bump = np.exp(-0.5 * ((pdf.CENTRES - pdf.CENTRES[one]) / 0.004) ** 2)
                expected += bump / bump.sum() / alike.sum() / 10 / pdf.WIDTH
        assert np.allclose(density, expected, atol=1e-3)


def test_rows_about_flat_in_redshift_take_all_of_the_rare_and_share_the_rest():
    z = np.concatenate([np.full(1000, 0.02), np.full(500, 0.12), np.full(3, 0.57)])
    drawn = flat_rows(z, 203, seed=1)
    assert len(np.unique(drawn)) == 203
    assert [(z[drawn] == one).sum() for one in (0.02, 0.12, 0.57)] == [100, 100, 3]
    assert np.array_equal(drawn, flat_rows(z, 203, seed=1))
    assert len(flat_rows(z, 10_000, seed=1)) == len(z)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost"])
def test_a_peer_grows_no_more_trees_than_lower_the_validation_error(name, rows, monkeypatch):
    monkeypatch.setattr(peers, "PATIENCE", 3)
    train, val = rows[:2]
    unlike = Rows(val.features, np.roll(val.z_spec, 1))  # nothing to be learned lowers its error
    stopped = fitted(name, (train, unlike))
    n_trees = int(stopped.note.split()[0])
    assert n_trees < 15
    assert int(fitted(name, rows).note.split()[0]) > n_trees


def test_a_peer_s_answer_is_that_of_its_seed_whatever_is_asked_beside(rows):
    first, second = (fitted("lightgbm", rows, seed=3).predict for _ in range(2))
    asked = rows[2].features
    assert np.array_equal(first(asked).z_phot, second(asked).z_phot)
    assert np.array_equal(first(asked).z_phot[:7], first(asked[:7]).z_phot)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_whose_package_is_missing_says_how_to_get_it(name, rows, monkeypatch):
    monkeypatch.setattr(bench, "find_spec", lambda package: None)
    with pytest.raises(InputError, match=rf"{name} needs .*pip install 'redshift-lab\[peers\]'"):
        BASELINES[name](*rows[:2], 0)


def some_densities(n=50):
    """Sums of cosines that fall below zero, of integral 1 like FlexCode's, and one of none."""
    beta = np.random.default_rng(5).normal(0, 0.6, (n, flexcode.N_COSINES))
    beta[:, 0] = 1.0
    beta[0] = 0.0
    beta[0, 0] = -1.0
    return beta @ flexcode.cosines(pdf.CENTRES).T / 0.6


def test_what_is_cut_off_below_leaves_a_density_that_integrates_to_one():
    raw = some_densities()
    found = flexcode.proper(raw)
    assert np.allclose(found[0], 1 / 0.6)
    for density, one in zip(found[1:], raw[1:], strict=True):
        level = brentq(lambda c, one=one: np.maximum(one - c, 0).sum() * pdf.WIDTH - 1, -50, 50)
        assert np.allclose(density, np.maximum(one - max(level, 0), 0), atol=1e-6)
    half = flexcode.proper(np.full((1, 240), 0.5))
    assert np.allclose(half, 1 / 0.6)


def test_a_bump_goes_where_it_holds_less_than_the_threshold():
    raw = flexcode.proper(some_densities())
    found = flexcode.without_bumps(raw, 0.1)
    for density, one in zip(found, raw, strict=True):
        stretches = np.split(np.arange(240), np.flatnonzero(np.diff(one > 0)) + 1)
        held = [one[stretch].sum() * pdf.WIDTH for stretch in stretches]
        expected = one.copy()
        for stretch, probability in zip(stretches, held, strict=True):
            if probability < 0.1 and max(held) >= 0.1:
                expected[stretch] = 0
        assert np.allclose(density, expected / expected.sum() / pdf.WIDTH)
    assert ((found == 0) & (raw > 0)).any()
    assert np.allclose(flexcode.without_bumps(raw, 0.0), raw)


def test_a_cosine_is_kept_where_the_cde_loss_is_lower_with_it():
    z = np.random.default_rng(1).uniform(0, 0.6, 400)
    phi, grid = flexcode.cosines(z), flexcode.cosines(pdf.CENTRES)
    beta = 0.5 * phi + np.random.default_rng(2).normal(0, 0.7, phi.shape)
    beta[:, 0] = 1.0
    beta[:, 5] *= -1  # worse than nothing

    def loss(columns):
        squared = ((beta[:, columns] @ grid[:, columns].T / 0.6) ** 2).sum(axis=1) * pdf.WIDTH
        return (squared - 2 * (beta[:, columns] * phi[:, columns]).sum(axis=1) / 0.6).mean()

    kept = flexcode.helpful(beta, phi).tolist()
    everything = list(range(flexcode.N_COSINES))
    for j in everything:
        without = [i for i in everything if i != j]
        assert (j in kept) == (loss(everything) < loss(without))
    assert 5 not in kept
