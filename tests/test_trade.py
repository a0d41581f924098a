"""What a flat prior costs and brings, on a few galaxies counted by hand."""

import numpy as np
import pytest

from redshift_core.evaluation.prior_cost import prior_cost


def test_the_tail_begins_lower_until_it_holds_twenty_galaxies():
    z_spec = np.concatenate([np.full(80, 0.1), np.full(15, 0.37), np.full(5, 0.5)])
    training = np.concatenate([np.full(80, 0.11), np.full(20, 0.3)])
    flat = np.concatenate([np.full(80, 0.13), np.full(20, 0.41)])
    found = prior_cost(z_spec, training, flat)
    assert (found.z_low, found.n) == (0.35, 20)
    assert found.tail == pytest.approx(((15 * -0.07 + 5 * -0.2) / 20, (15 * 0.04 + 5 * -0.09) / 20))
    assert found.mae[0] == pytest.approx((80 * 0.01 + 15 * 0.07 + 5 * 0.2) / 100)
    said = found.sentences()
    assert "come out 0.102 too low on average" in said
    assert "0.007 too high" in said


def test_nothing_is_said_of_fewer_distant_galaxies():
    z = np.full(100, 0.1)
    assert prior_cost(z, z, z) is None


def test_a_flat_prior_that_costs_nothing_is_not_called_a_price():
    z_spec = np.full(30, 0.5)
    assert (
        "average error is least" not in prior_cost(z_spec, z_spec - 0.1, z_spec - 0.05).sentences()
    )
