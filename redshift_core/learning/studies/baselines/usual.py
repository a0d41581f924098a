"""Baselines of scikit-learn, which is always installed, so that every bench has them."""

from __future__ import annotations

import itertools
import time

import numpy as np
from numpy.typing import NDArray

from redshift_core import pdf
from redshift_core.constants import N_Z_BINS, Z_MIN
from redshift_core.jobs.machine import n_cores
from redshift_core.learning.studies.baselines.fitted import (
    N_CHOOSING,
    Fitted,
    FloatArray,
    IntArray,
    Rows,
    best_of,
    mae,
    timed,
)
from redshift_core.prediction.reader import Answer

N_COMPONENTS = 20  # principal components used to find neighbours
NEIGHBOURS = (10, 20, 40)  # numbers of neighbours tried
WIDTHS = (0.004, 0.008, 0.016, 0.032)  # σ of the smoothing of a density, in z
RIDGES = (1.0, 10.0, 100.0)  # penalties tried
N_TREES = 100
LEAF = 5  # smallest number of training galaxies in a leaf of the forest
BOOSTING = {"learning_rate": 0.1, "max_iter": 600, "n_iter_no_change": 15, "early_stopping": True}
N_VECTORS = 8_000  # spectra of the support vector machine; UGC had 6,000 to 10,000
FLAT_BIN = 0.05  # in z; each bin of this width gives about the same number of spectra
KERNELS = tuple(itertools.product((1.0, 4.0), (0.001, 0.003, 0.01)))  # C and γ tried
TUBE = 0.02  # ε: a support vector machine ignores errors in z below this


def prior(train: Rows, val: Rows, seed: int) -> Fitted:
    """The training redshifts alone: the same p(z) for every galaxy, and its median."""
    begin = time.perf_counter()
    density = (pdf.training_prior(train.z_spec) / pdf.WIDTH).astype(np.float32)
    density /= density.sum() * pdf.WIDTH
    z_phot = pdf.point(density[None])[0]

    def predict(features: NDArray[np.float32]) -> Answer:
        n = len(features)
        return Answer(np.full(n, z_phot), np.broadcast_to(density, (n, N_Z_BINS)))

    return Fitted(predict, time.perf_counter() - begin)


def ridge(train: Rows, val: Rows, seed: int) -> Fitted:
    """Linear regression with a penalty on squared weights."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fit(penalty: float) -> Fitted:
        model = make_pipeline(StandardScaler(), Ridge(penalty, solver="cholesky"))
        return timed(model, train.features.astype(np.float64), train.z_spec)

    return best_of({f"penalty {penalty:g}": fit(penalty) for penalty in RIDGES}, val, seed)


def knn(train: Rows, val: Rows, seed: int) -> Fitted:
    """Nearest neighbours in principal components, weighted by 1 / distance.

    p(z) is the neighbours' weighted histogram, smoothed; the redshift is its median.
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    begin = time.perf_counter()
    n_components = min(N_COMPONENTS, len(train.z_spec))
    components = PCA(n_components, svd_solver="covariance_eigh").fit(train.features)
    index = NearestNeighbors(n_jobs=n_cores()).fit(components.transform(train.features))
    seconds = time.perf_counter() - begin
    bins = _bins(train.z_spec)

    def histograms(features: NDArray[np.float32], n: int) -> FloatArray:
        distance, neighbours = index.kneighbors(components.transform(features), n_neighbors=n)
        weight = 1 / np.maximum(distance, 1e-6)
        return _histograms(bins[neighbours], weight)

    chosen = val.draw(N_CHOOSING, seed)
    numbers = [n for n in NEIGHBOURS if n <= len(bins)] or [len(bins)]
    scores = {}
    for n in numbers:
        raw = histograms(chosen.features, n)
        scores |= {(n, width): _crps(raw, width, chosen) for width in WIDTHS}
    (n, width), score = min(scores.items(), key=lambda item: item[1])

    def predict(features: NDArray[np.float32]) -> Answer:
        return _answer(histograms(features, n), width)

    note = f"{n} neighbours, p(z) smoothed by {width:g}: validation CRPS {score:.4f}"
    return Fitted(predict, seconds, note)


def random_forest(train: Rows, val: Rows, seed: int) -> Fitted:
    """Random forest whose leaves keep their redshifts (Meinshausen 2006).

    p(z) is the mean over the trees of the histogram of the leaf reached, smoothed; the redshift is
    its median.
    """
    from scipy.sparse import csr_array
    from sklearn.ensemble import RandomForestRegressor

    begin = time.perf_counter()
    forest = RandomForestRegressor(
        N_TREES, min_samples_leaf=LEAF, max_features=1 / 3, n_jobs=n_cores(), random_state=seed
    ).fit(train.features, train.z_spec)
    bins, n_nodes = _bins(train.z_spec), [tree.tree_.node_count for tree in forest.estimators_]
    shares = []
    for reached, n in zip(forest.apply(train.features).T, n_nodes, strict=True):
        size = np.bincount(reached, minlength=n)
        share = (1 / size[reached]).astype(np.float32)
        shares.append(csr_array((share, (reached, bins)), shape=(n, N_Z_BINS)))
    seconds = time.perf_counter() - begin

    def histograms(features: NDArray[np.float32]) -> FloatArray:
        leaves = forest.apply(features).T
        return sum(share[leaf].toarray() for share, leaf in zip(shares, leaves, strict=True)) / len(
            shares
        )

    chosen = val.draw(N_CHOOSING, seed)
    raw = histograms(chosen.features)
    scores = {width: _crps(raw, width, chosen) for width in WIDTHS}
    width = min(scores, key=scores.__getitem__)
    note = f"p(z) smoothed by {width:g}: validation CRPS {scores[width]:.4f}"
    return Fitted(lambda features: _answer(histograms(features), width), seconds, note)


def hist_gradient_boosting(train: Rows, val: Rows, seed: int) -> Fitted:
    """Boosted trees on binned features; squared or absolute error, whichever validates better."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    def fit(loss: str) -> Fitted:
        model = HistGradientBoostingRegressor(loss=loss, random_state=seed, **BOOSTING)
        return timed(model, train.features, train.z_spec)

    return best_of({loss: fit(loss) for loss in ("squared_error", "absolute_error")}, val, seed)


def svm(train: Rows, val: Rows, seed: int) -> Fitted:
    """Support vector machine with a radial kernel, on spectra almost flat in redshift.

    This follows Gaia DR3's Unresolved Galaxy Classifier, which chose such a set to learn high
    redshifts as well. The kernel and the penalty are chosen with a quarter of the spectra.

    References
    ----------
    Delchambre et al. 2023, A&A 674, A31, section 7 (UGC).
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    def fit(n: int, penalty: float, gamma: float) -> Fitted:
        model = SVR(C=penalty, gamma=gamma, epsilon=TUBE, cache_size=500)
        rows = train.take(flat_rows(train.z_spec, n, seed))
        return timed(make_pipeline(StandardScaler(), model), rows.features, rows.z_spec)

    tried = {f"C {c:g}, γ {gamma:g}": (c, gamma) for c, gamma in KERNELS}
    chosen = val.draw(N_CHOOSING, seed)
    scores = {name: mae(fit(N_VECTORS // 4, *kernel), chosen) for name, kernel in tried.items()}
    name = min(scores, key=scores.__getitem__)
    n = len(flat_rows(train.z_spec, N_VECTORS, seed))
    kept = fit(N_VECTORS, *tried[name])
    which = "about flat in z" if n < len(train.z_spec) else "(all there are)"
    note = f"{n:,} spectra {which}; {name} of {len(tried)} kernels tried"
    return Fitted(kept.predict, kept.seconds, note)


def flat_rows(z_spec: FloatArray, n: int, seed: int) -> IntArray:
    """Positions of at most ``n`` galaxies, about equally many from each bin of 0.05 in redshift.

    Bins with too few galaxies give all they have, and the other bins share the rest.

    Examples
    --------
    >>> z = np.repeat([0.01, 0.06, 0.11], [100, 100, 4])
    >>> np.bincount((z[flat_rows(z, 24, seed=0)] / 0.05).astype(int)).tolist()
    [10, 10, 4]
    """
    random = np.random.default_rng(seed)
    kind = np.floor(z_spec / FLAT_BIN + 1e-9).astype(np.int64)
    groups = sorted(
        (random.permutation(np.flatnonzero(kind == k)) for k in np.unique(kind)), key=len
    )
    drawn: list[IntArray] = []
    left = n
    for place, group in enumerate(groups):
        drawn.append(group[: left // (len(groups) - place)])
        left -= len(drawn[-1])
    return np.sort(np.concatenate(drawn))


def _crps(raw: FloatArray, width: float, rows: Rows) -> float:
    density = _answer(raw, width).density
    return float(pdf.crps(density, rows.z_spec).mean())


def _bins(z_spec: FloatArray) -> IntArray:
    """Number of the bin of each redshift, (n,); those outside count in the first or last bin."""
    return np.clip(((z_spec - Z_MIN) / pdf.WIDTH).astype(np.int64), 0, N_Z_BINS - 1)


def _histograms(bins: IntArray, weight: FloatArray) -> FloatArray:
    """Weighted histogram of each row of bin numbers (n, k), shape (n, 240), of sum 1."""
    n = len(bins)
    place = (np.arange(n)[:, None] * N_Z_BINS + bins).ravel()
    histograms = np.bincount(place, weight.ravel(), n * N_Z_BINS).reshape(n, N_Z_BINS)
    return histograms / histograms.sum(axis=1, keepdims=True)


def _answer(probability: FloatArray, width: float) -> Answer:
    """Density of bin probabilities (n, 240) smoothed by a Gaussian of σ ``width``; its median.

    Each kernel is normalised on 0–0.6, so no probability leaves that range.
    """
    kernel = np.exp(-0.5 * ((pdf.CENTRES[:, None] - pdf.CENTRES) / width) ** 2)
    kernel /= kernel.sum(axis=1, keepdims=True) * pdf.WIDTH
    density = (probability @ kernel).astype(np.float32)
    return Answer(pdf.point(density), density)
