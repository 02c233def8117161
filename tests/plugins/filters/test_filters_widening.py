"""Inflation, relaxation, rotation, and factors learnt from innovations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.plugins.filters.inflation import Learning, learnt
from tradewind.plugins.filters.local.letkf import LESTKF, LETKF
from tradewind.plugins.filters.options import (
    EAKFOptions,
    ETKFOptions,
    FiniteSizeOptions,
    LESTKFOptions,
    LETKFOptions,
)
from tradewind.plugins.filters.rotation import rotation, zero_sums
from tradewind.plugins.filters.serial.eakf import EAKF
from tradewind.plugins.filters.transform.etkf import ETKF

NEAR = {"radius": 2000.0}
FILTERS = {
    "etkf": lambda **given: ETKF(ETKFOptions(**given)),
    "letkf": lambda **given: LETKF(LETKFOptions(localization=NEAR, **given)),
    "eakf": lambda **given: EAKF(EAKFOptions(**given)),
    "eakf-local": lambda **given: EAKF(EAKFOptions(localization=NEAR, **given)),
}
each = pytest.mark.parametrize("name", FILTERS)


def moments(x):
    return x.mean(0), x - x.mean(0)


def analysed(ring, name, **given):
    return moments(FILTERS[name](**given).analyse(ring.ensemble, ring.observations).fields["x"])


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@each
def test_a_factor_after_the_analysis(ring, name):
    mean, anomalies = analysed(ring(), name)
    wider_mean, wider = analysed(ring(), name, inflation={"analysis": 1.3})
    close(wider_mean, mean)
    close(wider, 1.3 * anomalies)


@each
def test_forgetting_is_a_factor_before_the_analysis(ring, name):
    for a, b in zip(analysed(ring(), name, inflation={"forget": 0.64}),
                    analysed(ring(), name, inflation=1.25), strict=True):  # fmt: skip
        close(a, b)


@each
def test_relaxation_to_the_perturbations(ring, name):
    forecast = moments(ring().x)[1]
    mean, anomalies = analysed(ring(), name)
    relaxed_mean, relaxed = analysed(ring(), name, inflation={"rtpp": 0.4})
    close(relaxed_mean, mean)
    close(relaxed, 0.6 * anomalies + 0.4 * forecast)


@each
def test_relaxation_to_the_spread(ring, name):
    before = moments(ring().x)[1].square().sum(0).sqrt()
    after = analysed(ring(), name)[1].square().sum(0).sqrt()
    mean, relaxed = analysed(ring(), name, inflation={"rtps": 0.7, "analysis": 1.1})
    close(relaxed.square().sum(0).sqrt(), 1.1 * (0.3 * after + 0.7 * before))
    close(mean, analysed(ring(), name)[0])


@each
def test_a_rotation_keeps_mean_and_covariance(ring, name):
    mean, anomalies = analysed(ring(), name)
    turned_mean, turned = analysed(ring(), name, rotation="random")
    close(turned_mean, mean)
    close(turned.T @ turned, anomalies.T @ anomalies)
    assert (turned - anomalies).abs().max() > 0.1


def test_rotations_follow_from_seed_and_number():
    first = rotation(6, 1, 0)
    np.testing.assert_allclose(first @ first.T, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(first.sum(1), 1.0, atol=1e-14)
    np.testing.assert_array_equal(first, rotation(6, 1, 0))
    assert np.abs(first - rotation(6, 1, 1)).max() > 0.1
    assert np.abs(first - rotation(6, 2, 0)).max() > 0.1


def test_rotations_are_evenly_spread():
    # of ω Q ωᵀ + 1/N: mean 1/N, variance ((N-1)/N)²/(N-1) for each element
    drawn = np.stack([rotation(5, 0, k) for k in range(4000)])
    np.testing.assert_allclose(drawn.mean(0), 0.2, atol=4 * 0.4 / 4000**0.5)
    np.testing.assert_allclose(drawn.var(0), 0.16, atol=0.02)


def test_the_space_of_zero_sums():
    basis = zero_sums(4)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(basis.sum(0), 0.0, atol=1e-15)


def far(ring):
    """Return a problem in which cells beyond 2000 km of longitude 5 see nothing."""
    given = ring(m=1)
    return given, (given.layout.grid.lon > 40) & (given.layout.grid.lon < 330)


def test_where_nothing_is_seen_the_letkf_widens_and_the_lestkf_does_not(ring):
    given, unseen = far(ring)
    inflation = {"forget": 0.64, "analysis": 1.5}
    wide = LETKF(LETKFOptions(localization=NEAR, inflation=inflation))
    still = LESTKF(LESTKFOptions(localization=NEAR, inflation={"forget": 0.64}))
    forecast = given.x[:, unseen]
    mean, anomalies = moments(wide.analyse(given.ensemble, given.observations).fields["x"][:, unseen])
    close(mean, forecast.mean(0))
    close(anomalies, 1.5 * 1.25 * moments(forecast)[1])
    close(still.analyse(given.ensemble, given.observations).fields["x"][:, unseen], forecast)


def test_a_factor_is_learnt_as_worked_out_by_hand():
    # Σρd² = 30, ΣρVar = 8, Σρ = 10 and λ = 1: λ̂ = 20/8 = 2.5, its variance 2/10 (18/8)² = 1.0125
    gain = 0.5 / (0.5 + 1.0125)
    assert learnt(1.0, (30.0, 8.0, 10.0), Learning(0.5, 0.1, 9.0)) == pytest.approx(1 + gain * 1.5)
    assert learnt(1.0, (30.0, 8.0, 10.0), Learning(0.5, 0.1, 1.2)) == 1.2
    assert learnt(1.0, (0.0, 8.0, 10.0), Learning(0.5, 0.9, 1.2)) == 0.9
    assert learnt(1.3, (30.0, 0.0, 10.0), Learning(0.5, 0.1, 9.0)) == 1.3


@each
def test_what_was_learnt_inflates_the_next_analysis(ring, name):
    given = ring()
    method = FILTERS[name](inflation={"adaptive": {"error": 1.0, "lowest": 0.1}})
    first = method.analyse(given.ensemble, given.observations)
    close(first.fields["x"], FILTERS[name]().analyse(given.ensemble, given.observations).fields["x"])
    second = method.analyse(replace(given.ensemble, memory=first.memory), given.observations).fields["x"]
    kept = first.memory["inflation"]
    factors = kept["x"] if isinstance(kept, dict) else torch.full((36,), kept, dtype=torch.float64)
    cell = 3
    a_cell = FILTERS[name](
        inflation={"adaptive": {"initial": float(factors[cell]), "highest": 99, "lowest": 0.1}}
    )
    close(second[:, cell], a_cell.analyse(given.ensemble, given.observations).fields["x"][:, cell])
    assert abs(float(factors[cell]) - 1) > 0.01


@pytest.mark.parametrize("given", [{"forget": 0}, {"forget": 1.1}, {"rtpp": 2}, {"analysis": 0}, {"rtsp": 1}])
def test_what_makes_no_sense_is_refused(given):
    with pytest.raises(ValidationError, match=next(iter(given))):
        ETKFOptions(inflation=given)


def test_the_finite_size_filter_is_not_taught():
    with pytest.raises(ValidationError, match="finds its own"):
        FiniteSizeOptions(inflation={"adaptive": {}})
