"""Intervals of shares and of few galaxies, and the digits of a figure: values derived by hand.

Wilson with z = 1: (p + 1/2n ± √(p(1−p)/n + 1/4n²)) / (1 + 1/n). For k = 0 that is 0 to 1/(n + 1):
1/2n ± 1/2n over (n + 1)/n. For k = n it is n/(n + 1) to 1.
"""

import numpy as np
import pytest

from redshift_core.cli.results import metrics_text
from redshift_core.constants import N_Z_BINS
from redshift_core.evaluation.bins import binned, evaluate
from redshift_core.evaluation.calibration import evaluate_pdf
from redshift_core.evaluation.density_metrics import FIGURES
from redshift_core.evaluation.intervals import fitting, wilson
from redshift_core.evaluation.metrics import METRICS
from redshift_core.pdf import WIDTH
from redshift_core.prediction.judgement import judged_figures
from redshift_core.store.records import Evaluation


@pytest.mark.parametrize(
    ("k", "n", "ends"),
    [
        (0, 120, (0.0, 1 / 121)),  # 0.83 %
        (0, 3, (0.0, 1 / 4)),
        (3, 3, (3 / 4, 1.0)),
        (1, 1, (1 / 2, 1.0)),
        (0, 1, (0.0, 1 / 2)),
        (2, 4, (0.5 - 5**0.5 / 10, 0.5 + 5**0.5 / 10)),  # (1/2 + 1/8 ± √(1/16 + 1/64)) / (5/4)
    ],
)
def test_a_share_has_wilsons_interval(k, n, ends):
    assert wilson(k / n, n) == pytest.approx(ends, abs=1e-12)
    low, high = wilson(k / n, n)
    assert 0 <= low < high <= 1


@pytest.mark.parametrize(
    ("form", "ends", "wanted"),
    [
        (".4f", (0.0215, 0.0217), ".4f"),  # half 0.0001: five decimals, of which four are had
        (".4f", (0.0341, 0.0404), ".4f"),  # 0.00315: two digits
        (".4f", (0.029, 0.0445), ".3f"),  # 0.00775: one digit
        (".4f", (0.05, 0.25), ".2f"),  # 0.1: two digits
        ("+.4f", (-0.06, 0.02), "+.2f"),  # 0.04
        (".2%", (0.0, 1 / 121), ".1%"),  # 0.41 %
        (".2%", (0.0, 0.25), ".0%"),  # 12.5 %
        (".4f", (0.02, 0.02), ".4f"),
        (".4f", (-500.0, 500.0), ".0f"),
        (".4f", None, ".4f"),
    ],
)
def test_a_figure_has_the_digits_that_its_interval_means(form, ends, wanted):
    assert fitting(form, ends) == wanted


def judged(n, spread=0.03):
    """Evaluation of some galaxies none of which is off by more than 0.15 (1 + z)."""
    random = np.random.default_rng(n)
    z_spec = random.uniform(0.1, 0.5, n)
    return judged_figures(z_spec, z_spec + random.uniform(-spread, spread, n), np.ones(n))


def test_no_outlier_among_few_galaxies_says_what_it_can_say():
    for n, text in ((120, "0.0% to 0.8%"), (3, "0% to 25%"), (1, "0% to 50%")):
        values = judged(n).to_dict()
        outliers = METRICS["outlier_fraction_0.15"]
        assert values["intervals"][outliers.key] == pytest.approx([0, 1 / (n + 1)])
        assert outliers.interval_text(values) == text
        assert outliers.shown(values) == text.split()[0]
        assert outliers.meaning(values).startswith(f"0 of {n} galax")


@pytest.mark.parametrize("n", [1, 2])
def test_a_scatter_of_fewer_than_three_galaxies_is_a_dash(n):
    values = judged(n).to_dict()
    for name in ("sigma_nmad", "sigma_iqr", "outlier_fraction_lsst"):
        assert values[name] is values["intervals"][name] is None
        assert METRICS[name].shown(values) == "–"
        assert METRICS[name].interval_text(values) == ""
    assert values["mae"] > 0
    assert METRICS["mae"].interval_text(values) == ""  # one draw is like the other, or nearly
    lines = {line.split("  ")[0]: line.split() for line in metrics_text(judged(n)).splitlines()}
    assert lines["σ_NMAD"][-1] == "–"
    filled = [one for one in binned([0.11] * n, [0.12] * n) if one.n]
    assert [(one.std, one.sem, one.sigma_nmad) for one in filled] == [(None, None, None)]


def test_three_galaxies_have_a_scatter():
    values = judged(3).to_dict()
    assert values["sigma_nmad"] > 0
    assert METRICS["sigma_nmad"].interval_text(values)
    assert [one.std is None for one in binned([0.11] * 3, [0.12, 0.13, 0.1]) if one.n] == [False]


def test_what_an_earlier_version_wrote_is_shown_as_it_is_meant_now():
    old = evaluate([0.1], [0.1]).to_dict()
    old |= {"sigma_nmad": 0.0, "sigma_iqr": 0.0, "outlier_fraction_lsst": 0.0, "n": 1}
    old["intervals"] = {name: [0.0, 0.0] for name in METRICS}
    values = Evaluation.from_dict(old, "metrics.json").to_dict()
    assert METRICS["sigma_nmad"].shown(values) == "–"
    assert METRICS["outlier_fraction_0.15"].interval_text(values) == "0% to 50%"
    assert METRICS["mae"].interval_text(values) == ""


def test_the_share_of_intervals_that_hold_has_wilsons_interval_too():
    z_spec = np.full(8, 0.3)
    density = np.zeros((8, N_Z_BINS))
    density[:, 119:121] = 0.5 / WIDTH  # all at 0.3, the true redshift: inside each interval
    found = evaluate_pdf(density, z_spec, z_spec, None)
    assert found["coverage68"] == 1.0
    assert found["intervals"]["coverage68"] == pytest.approx([8 / 9, 1.0])
    assert FIGURES["coverage68"].interval_text(found) == "89% to 100%"  # half of it is 5.6 %
    assert FIGURES["coverage68"].shown(found) == "100%"
    few = evaluate_pdf(density[:1], z_spec[:1], z_spec[:1], None)
    assert few["intervals"]["crps"] is None
    assert few["intervals"]["coverage95"] == pytest.approx([0.5, 1.0])
