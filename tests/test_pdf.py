"""p(z) on bins against brute-force twins on a grid far finer than the bins, and known priors."""

import numpy as np
import pytest

from redshift_core import pdf
from redshift_core.data import nz
from redshift_core.errors import InputError

FINE = 400  # points of the twin's grid in each bin
GRID = pdf.EDGES[0] + (np.arange(240 * FINE) + 0.5) * pdf.WIDTH / FINE
STEP = pdf.WIDTH / FINE
N = 40


@pytest.fixture(scope="module")
def density():
    """Densities of many forms: rough, narrow, two-peaked, in the first and in the last bin."""
    random = np.random.default_rng(1)
    found = random.random((N, 240)) ** 8
    centre, width = random.uniform(0, 0.6, N), random.uniform(0.001, 0.1, N)
    found[: N // 2] = np.exp(-0.5 * ((pdf.CENTRES - centre[:20, None]) / width[:20, None]) ** 2)
    found[0], found[1] = np.eye(240)[0], np.eye(240)[239]
    return found / (found.sum(axis=1, keepdims=True) * pdf.WIDTH)


@pytest.fixture(scope="module")
def z_spec():
    z = np.random.default_rng(2).uniform(-0.05, 0.65, N)
    z[:4] = 0.0, 0.6, 0.6, 0.3
    return z


def gaussians(centre, width):
    """Densities (n, 240) of normal form, cut at the ends of the range."""
    centre = np.atleast_1d(np.asarray(centre, float))
    found = np.exp(-0.5 * ((pdf.CENTRES - centre[:, None]) / width) ** 2)
    return found / (found.sum(axis=1, keepdims=True) * pdf.WIDTH)


def test_points_are_those_of_the_piecewise_constant_density(density):
    for line, median, mean in zip(
        density, pdf.point(density), pdf.point(density, "mean"), strict=True
    ):
        fine = np.repeat(line, FINE) * STEP
        assert GRID[np.searchsorted(np.cumsum(fine), 0.5)] == pytest.approx(median, abs=2 * STEP)
        assert (fine * GRID).sum() == pytest.approx(mean, abs=1e-6)
    assert pdf.point(density, "mode").tolist() == pdf.CENTRES[density.argmax(axis=1)].tolist()


@pytest.mark.parametrize("level", [0.1, 0.68, 0.95])
def test_an_interval_leaves_as_much_below_as_above(density, level):
    for line, ends in zip(density, pdf.interval(density, level), strict=True):
        below = [line @ np.clip((z - pdf.EDGES[:-1]), 0, pdf.WIDTH) for z in ends]
        assert below == pytest.approx([(1 - level) / 2, (1 + level) / 2], abs=1e-6)


def test_scores_are_the_integrals_that_define_them(density, z_spec):
    wide = np.arange(-0.1 + STEP / 2, 0.7, STEP)
    for row, (line, z) in enumerate(zip(density, z_spec, strict=True)):
        below = np.array([0.0, *np.cumsum(line) * pdf.WIDTH])
        total = np.interp(wide, pdf.EDGES, below)
        crps = ((total - (wide >= z)) ** 2).sum() * STEP
        inside = 0 <= z <= 0.6
        at = line[min(int(np.searchsorted(pdf.EDGES, z, "right")) - 1, 239)] if inside else 0.0
        one = (density[[row]], z_spec[[row]])
        assert pdf.crps(*one)[0] == pytest.approx(crps, abs=2 * STEP)
        assert pdf.pit(*one)[0] == pytest.approx(np.interp(z, pdf.EDGES, below), abs=1e-6)
        wanted = (line**2).sum() * pdf.WIDTH - 2 * at
        assert pdf.cde_loss(*one)[0] == pytest.approx(wanted, rel=1e-5)
        assert pdf.log_likelihood(*one)[0] == pytest.approx(np.log(max(at, 2.0**-24)), rel=1e-5)


def test_the_crps_of_a_point_is_its_absolute_error():
    narrow = np.eye(240)[[40, 200]] / pdf.WIDTH
    z_spec = np.array([0.3, 0.7])
    found = pdf.crps(narrow, z_spec)
    np.testing.assert_allclose(found, np.abs(z_spec - pdf.CENTRES[[40, 200]]), atol=pdf.WIDTH)


def test_blocks_and_float16_change_nothing_that_matters(monkeypatch):
    from redshift_core.pdf import density as module

    many = gaussians(np.linspace(0.05, 0.55, 1000), 0.03)
    z = np.linspace(0.0, 0.6, 1000)
    at_once = pdf.point(many), pdf.interval(many, 0.68), pdf.crps(many, z)
    monkeypatch.setattr(module, "BLOCK", 7)
    for one, other in zip(
        (pdf.point(many), pdf.interval(many, 0.68), pdf.crps(many, z)), at_once, strict=True
    ):
        assert one.tolist() == other.tolist()
    np.testing.assert_allclose(pdf.point(many.astype(np.float16)), at_once[0], atol=2e-5)


def test_a_row_without_an_answer_stays_without_and_leaves_the_others_alone(density):
    z = np.full(N, 0.2)
    holed = density.copy()
    holed[5] = np.nan
    figures = [
        *(lambda d, name=name: pdf.point(d, name) for name in pdf.POINTS),
        lambda d: pdf.interval(d, 0.68)[:, 0],
        *(
            lambda d, score=score: score(d, z)
            for score in (pdf.pit, pdf.crps, pdf.cde_loss, pdf.log_likelihood)
        ),
        lambda d: pdf.reweight(d, np.ones(240), np.linspace(1, 2, 240))[:, 3],
    ]
    for figure in figures:
        found, whole = figure(holed), figure(density)
        assert np.flatnonzero(np.isnan(found)).tolist() == [5]
        assert np.delete(found, 5).tolist() == np.delete(whole, 5).tolist()
    assert pdf.n_modes(holed)[5] == 0


def test_no_galaxies_have_no_figures():
    none = np.zeros((0, 240), np.float16)
    assert pdf.point(none).shape == pdf.crps(none, []).shape == pdf.n_modes(none).shape == (0,)
    assert pdf.interval(none, 0.68).shape == (0, 2)


def test_shapes_that_would_broadcast_are_refused(density):
    with pytest.raises(ValueError, match=r"density has shape \(40, 239\)"):
        pdf.point(density[:, 1:])
    with pytest.raises(ValueError, match=r"z_spec has shape \(40, 1\)"):
        pdf.crps(density, np.zeros((40, 1)))


def test_modes_are_counted_where_a_valley_parts_them():
    one, far, near = gaussians([0.2, 0.4, 0.23], 0.02)
    mixtures = np.array(
        [one, (one + far) / 2, (one + near) / 2, 0.95 * one + 0.05 * far, 0.85 * one + 0.15 * far]
    )
    assert pdf.n_modes(mixtures).tolist() == [1, 2, 1, 1, 2]
    random = np.random.default_rng(3)
    rough = one * random.uniform(0.8, 1.2, 240) + 0.02 * one.max() * random.random(240)
    assert pdf.n_modes(rough[None] / (rough.sum() * pdf.WIDTH)).tolist() == [1]
    ragged = one * (1 + 0.8 * np.cos(np.pi / 2 * np.arange(240)))  # teeth of 0.01
    assert pdf.n_modes(ragged[None] / (ragged.sum() * pdf.WIDTH)).tolist() == [1]
    three = sum(gaussians([0.0, 0.3, 0.6], 0.02)) / 3
    assert pdf.n_modes(three[None]).tolist() == [3]


def galaxies(n, seed=4):
    """Redshifts under a steep distribution: like a survey, some 0.1 % above z = 0.5."""
    return np.random.default_rng(seed).gamma(3.2, 0.05, 4 * n)[:n].clip(0, 0.6)


def test_the_training_prior_follows_the_galaxies_also_where_they_are_few():
    from scipy.stats import gamma

    for n, off_many, off_few in ((200_000, 0.02, 0.15), (5_000, 0.1, 0.6)):
        z = galaxies(n)
        prior = pdf.training_prior(z[z < 0.6])
        truth = pdf.normalised(np.diff(gamma(3.2, scale=0.05).cdf(pdf.EDGES)))
        ratio = np.abs(np.log(prior / truth))
        assert prior.min() > 0
        assert prior.sum() * pdf.WIDTH == pytest.approx(1.0)
        assert np.median(ratio[20:160]) < off_many
        assert ratio[200:].max() < off_few


def test_a_prior_is_positive_where_no_galaxy_was():
    prior = pdf.training_prior(np.random.default_rng(5).uniform(0.1, 0.2, 1000))
    assert prior[200:].min() * pdf.WIDTH > 0.1 / 1000
    np.testing.assert_allclose(pdf.training_prior([0.7, np.nan]), 1 / 0.6)


@pytest.mark.parametrize(("z", "bin_"), [(0.0, 0), (0.3001, 120), (0.6, -1)])
def test_galaxies_of_one_redshift_have_a_prior_even_at_the_ends(z, bin_):
    """250 galaxies and an eighth in each bin; in an end bin nothing holds the others above 0."""
    share = pdf.training_prior([z] * 250)[bin_] * pdf.WIDTH
    assert share == pytest.approx(250.125 / 280, rel=1e-3) if bin_ in (0, -1) else share > 0.02


def test_dividing_by_the_prior_takes_the_shrinkage_out():
    """Redshifts read through normal noise: the posterior is known, so is what a flat prior gives.

    With a flat prior the density is the normal one around what was read, cut at the ends, so
    there is no bias away from them; under the steep prior high redshifts come out too low.
    """
    random, noise = np.random.default_rng(6), 0.03
    prior = pdf.training_prior(galaxies(126_000))
    z_spec = random.uniform(0.06, 0.54, 4000)
    read = z_spec + random.normal(0, noise, len(z_spec))
    flat = np.exp(-0.5 * ((pdf.CENTRES - read[:, None]) / noise) ** 2)
    true_prior = np.histogram(galaxies(2_000_000, 7), pdf.EDGES)[0] + 0.5
    trained = flat * true_prior
    trained = (trained / (trained.sum(axis=1, keepdims=True) * pdf.WIDTH)).astype(np.float16)
    priors = {"training": prior}
    high = z_spec > 0.4
    as_trained = pdf.Estimate().redshifts(trained, priors) - z_spec
    as_flat = pdf.Estimate(prior="flat").redshifts(trained, priors) - z_spec
    assert as_trained[high].mean() < -0.01
    assert abs(as_flat[high].mean()) < 0.004
    assert abs(as_flat.mean()) < 0.002


def test_weights_and_densities_of_an_estimate_agree(density):
    old = pdf.training_prior(galaxies(20_000))
    priors = {"training": old, "own": pdf.normalised(np.linspace(1, 3, 240))}
    for estimate in (
        pdf.Estimate("mean", "own", 0.4),
        pdf.Estimate("mode", "flat"),
        pdf.Estimate("median", "flat", 0.0),
        pdf.Estimate(),
    ):
        changed = estimate.densities(density, priors)
        np.testing.assert_allclose(changed.sum(axis=1) * pdf.WIDTH, 1, rtol=1e-5)
        wanted = pdf.point(changed, estimate.point)
        np.testing.assert_allclose(estimate.redshifts(density, priors), wanted, atol=2e-6)
    half = pdf.mixed_prior(old, priors["own"], 0.4)
    wanted = pdf.reweight(density, old, half)
    found = pdf.Estimate("mean", "own", 0.4).densities(density, priors)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("average,flat", "No estimate 'average'"),
        ("median,flat,2", "between 0"),
        ("median,flat,half", "is no estimate; give point,prior,share"),
        ("median,flat,0.5,1", "is no estimate"),
        ("median,,1", "no name of a prior"),
    ],
)
def test_what_is_no_estimate_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        pdf.Estimate.parse(text)


def test_an_estimate_survives_its_text():
    for one in (pdf.Estimate(), pdf.Estimate("mode", "own", 1 / 3)):
        assert pdf.Estimate.parse(one.text()) == one
    assert pdf.Estimate.parse("") == pdf.Estimate()
    with pytest.raises(InputError, match="'own' is not known here"):
        pdf.Estimate(prior="own").weight({"training": np.ones(240)})


def test_a_users_table_becomes_a_prior(tmp_path):
    z = np.linspace(0, 0.8, 81)
    path = tmp_path / "nz.csv"
    path.write_text("# mine\nz;n\n" + "\n".join(f"{one};{1000 * one}" for one in z))
    prior = nz.read_prior(path)
    wanted = pdf.normalised(pdf.CENTRES)
    np.testing.assert_allclose(prior, wanted, rtol=1e-6)
    narrow = nz.parse_prior("0.1 1\n0.2 1", "narrow")
    assert 0 < narrow[200] < 1e-5 * narrow.max()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 line"),
        ("z,n\n0.1,1", "has 1 line"),
        ("z,n\n0.1,1\n0.1,2", "z = 0.1 stands there twice"),
        ("0.1,1\n0.2,-1", "n is negative at z = 0.2"),
        ("0.7,1\n0.9,1", "no n above zero"),
        ("z,n\n0.1,1\n0.2,many", "line 3: '0.2,many'"),
        ("z,n\n0.1,1\n0.2,nan", "line 3"),
        ("0.1,1,2\n0.2,1,2", "three columns, of which the first two are not the edges of bins"),
        ("z,n,a,b\n0.1,1,2,3\n0.2,1,2,3", "line 2: '0.1,1,2,3'"),
    ],
)
def test_a_table_that_is_no_prior_is_refused_with_its_place(text, said):
    with pytest.raises(InputError, match=said) as refused:
        nz.parse_prior(text, "nz.csv")
    assert "give two columns" in str(refused.value)


FLAT = "".join(f"{z:.2f},1\n" for z in np.arange(0, 0.605, 0.05))
BINS = "".join(f"{k / 20:.2f},{(k + 1) / 20:.2f},1\n" for k in range(12))
WIDE = "# z nz\n" + "".join(f"{k / 20:.2f} 1.0\n" for k in range(60))
FORMS = {  # each of them a flat n(z)
    "plain": "z,n\n" + FLAT,
    "no header": FLAT,
    "BOM": "\ufeffz,n\n" + FLAT,
    "tab": ("z,n\n" + FLAT).replace(",", "\t"),
    "bar": ("z,n\n" + FLAT).replace(",", "|"),
    "semicolons and decimal commas": ("z,n\n" + FLAT).replace(",", ";").replace(".", ","),
    "that without a header": FLAT.replace(",", ";").replace(".", ","),
    "sep line": "sep=;\n" + ("z,n\n" + FLAT).replace(",", ";"),
    "falling": "z,n\n" + "".join(reversed(FLAT.splitlines(keepends=True))),
    "n before z": "n,z\n" + "".join(f"1,{z:.2f}\n" for z in np.arange(0, 0.605, 0.05)),
    "row numbers of pandas": ",z,n\n" + "".join(
        f"{k},{line}\n" for k, line in enumerate(FLAT.split())
    ),
    "three columns": "zlow,zhigh,n\n" + BINS,
    "three columns, falling": "".join(reversed(BINS.splitlines(keepends=True))),
    "beyond 0.6": WIDE,
    "Fortran": WIDE.replace("1.0", "0.1D+01"),
    "units": "z,n\n,deg-2\n---,-----\n" + FLAT,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_flat_table_in_any_form_gives_one_over_0_6_in_each_bin(form):
    np.testing.assert_allclose(nz.parse_prior(FORMS[form], "nz.txt"), 1 / 0.6, rtol=1e-9)
    recoded = nz.parse_prior(FORMS[form].lstrip("\ufeff").encode("utf-16"), "nz.txt")
    np.testing.assert_allclose(recoded, 1 / 0.6, rtol=1e-9)


def test_bins_of_a_table_keep_their_shape_where_their_edges_meet_no_others():
    """By hand: n = 3 on 0.1–0.2, 1 on 0.2–0.2525 is 0.3 + 0.0525 = 0.3525 galaxies."""
    prior = nz.parse_prior("0.1 0.2 3\n0.2 0.2525 1", "nz.txt")
    np.testing.assert_allclose(prior[40:80], 3 / 0.3525, rtol=1e-4)
    np.testing.assert_allclose(prior[80:101], 1 / 0.3525, rtol=1e-4)
    assert prior[101:].max() < 1e-5 > prior[:40].max()
    spike = nz.parse_prior("z,n\n0.10,0\n0.11,1\n0.12,0\n", "nz.csv")
    assert pdf.CENTRES[spike.argmax()] == pytest.approx(0.11, abs=pdf.WIDTH)
    assert spike.sum() * pdf.WIDTH == pytest.approx(1)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "nz.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputError, match="holds binary data, not text"):
        nz.read_prior(tmp_path / "nz.csv")
    with pytest.raises(InputError, match="cannot be read"):
        nz.read_prior(tmp_path / "missing.csv")
