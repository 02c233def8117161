"""Mole fractions by layer: exported where they are asked for, and what columns are made of."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Kind
from tradewind.plugins.transport.model import COLUMN, FLUX, PROFILE, TRACER

START = datetime(1996, 1, 15, 18)
LAYERS = (1.0, 0.96, 0.90, 0.80, 0.65, 0.45, 0.0)


@pytest.fixture
def layered(make_transport):
    """Return a model that exports layers."""
    transport = make_transport()
    transport.asked({PROFILE, "whatever else"})
    return transport


def stepped(transport, flux, hours=3.0):
    interval = Interval(START, START + timedelta(hours=hours))
    state = transport.initialize(transport.describe(), {}, len(flux))
    return transport.step(state, {FLUX: flux}, {}, interval), interval.stop


def test_layers_are_exported_only_where_they_are_asked_for(make_transport):
    transport = make_transport()
    assert [v.name for v in transport.describe().exports] == [COLUMN]
    transport.asked({COLUMN})
    assert [v.name for v in transport.describe().exports] == [COLUMN]
    transport.asked({PROFILE})
    assert [v.name for v in transport.describe().exports] == [COLUMN, PROFILE]


def test_levels_are_fractions_of_the_grounds_pressure(layered):
    profile = layered.describe().exports[1]
    assert (profile.units, profile.kind, profile.extra) == ("1e-9", Kind.STATE_INTENSIVE, (("layer", 6),))
    assert profile.interfaces == LAYERS
    assert profile.levels == pytest.approx((0.98, 0.93, 0.85, 0.725, 0.55, 0.225))


def test_who_asks_for_layers_changes_no_bit_of_the_columns(make_transport, layered, draw):
    flux = 1e-9 * draw(2, 12 * 14)
    (plain, state), _ = stepped(make_transport(), flux)
    (both, after), _ = stepped(layered, flux)
    assert plain.keys() == {COLUMN}
    assert both.keys() == {COLUMN, PROFILE}
    assert torch.equal(both[COLUMN], plain[COLUMN])
    assert torch.equal(after.fields[TRACER], state.fields[TRACER])


def test_the_mean_over_the_air_is_the_column(layered, draw):
    (exports, _), _ = stepped(layered, 1e-9 * draw(2, 12 * 14))
    share = torch.tensor([a - b for a, b in pairwise(LAYERS)], dtype=torch.float64)
    mean = (exports[PROFILE] * share[:, None]).sum(1)
    assert exports[PROFILE].shape == (2, 6, 12 * 14)
    assert torch.allclose(mean, exports[COLUMN], rtol=1e-12)


def test_a_mole_fraction_is_that_of_the_layers_own_air(layered, draw):
    # moles of methane over moles of air of the layer, by molar masses 16.0425 and 28.9644
    (exports, state), end = stepped(layered, 1e-9 * draw(1, 12 * 14))
    air = layered.flows.at(START).air_at(end).flatten(1)
    expected = 1e9 * (state.fields[TRACER][0] / 16.0425) / (air / 28.9644)
    assert torch.allclose(exports[PROFILE][0], expected, rtol=1e-12)


def test_what_is_emitted_stays_near_the_ground_at_first(layered):
    flux = torch.zeros(1, 12, 14, dtype=torch.float64)
    flux[0, 6, 7] = 1e-9
    (exports, _), _ = stepped(layered, flux.flatten(1), hours=0.5)
    profile = exports[PROFILE][0, :, 6 * 14 + 7]
    assert bool((profile.diff() < 0).all())
    assert float(profile[0]) > 5 * float(exports[COLUMN][0, 6 * 14 + 7])


def test_gradients_flow_through_layers(layered):
    # the derivative of a linear model is the model: y . M x = M' y . x
    generator = torch.Generator().manual_seed(3)
    x, y = (torch.rand(*s, generator=generator).double() for s in ((1, 168), (1, 6, 168)))
    flux = (1e-9 * x).requires_grad_()
    (exports, _), _ = stepped(layered, flux, hours=1.0)
    total = (exports[PROFILE] * y).sum()
    (gradient,) = torch.autograd.grad(total, flux)
    assert float((gradient * flux).sum().detach()) == pytest.approx(float(total.detach()), rel=1e-12)
