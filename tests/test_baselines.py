"""Baselines: each learns, gives proper densities, and agrees with its plain twin."""

import numpy as np
import pytest
import threadpoolctl
from sklearn.ensemble import RandomForestRegressor

from redshift_core import baselines, choices, pdf
from redshift_core.baselines import BASELINES, Rows, flat_rows


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
    monkeypatch.setattr(baselines, "BOOSTING", {"max_iter": 15, "learning_rate": 0.2})
    monkeypatch.setattr(baselines, "N_TREES", 10)
    with threadpoolctl.threadpool_limits(
        1, "openmp"
    ):  # threads wait for one another on a busy core
        yield


def test_every_baseline_has_its_sentence():
    assert list(BASELINES) == list(choices.BASELINES)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "prior"])
def test_a_baseline_learns_what_the_prior_alone_does_not_know(name, rows):
    train, val, test = rows
    errors = {
        one: np.abs(BASELINES[one](train, val, 0).predict(test.features).z_phot - test.z_spec)
        for one in ("prior", name)
    }
    assert errors[name].shape == (200,)
    assert errors[name].mean() < 0.8 * errors["prior"].mean()


@pytest.mark.parametrize("name", ["prior", "knn", "random_forest"])
def test_a_density_integrates_to_one_and_its_median_is_the_redshift(name, rows):
    train, val, test = rows
    answer = BASELINES[name](train, val, 0).predict(test.features)
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
    monkeypatch.setattr(baselines, "RIDGES", (10.0,))
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
    monkeypatch.setattr(baselines, "NEIGHBOURS", (5,))
    monkeypatch.setattr(baselines, "WIDTHS", (0.01,))
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
    monkeypatch.setattr(baselines, "WIDTHS", (0.004,))
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
