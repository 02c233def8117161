"""An exchange: units, grids, and a ledger that balances."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.quantities import quantity_operator
from tradewind.couplers.regrid.regridder import Regridder

HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1, 1))
FINE = Grid.latlon(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
COARSE = Grid.latlon(np.arange(-60.0, 90, 60), np.arange(30.0, 360, 60))


def end(component: str, grid: Grid) -> End:
    return End(component, Variable("flux", "kg s-1", grid), Layout(grid))


@pytest.fixture
def globe() -> Exchange:
    source, target = end("a", FINE), end("b", COARSE)
    return Exchange(source, target, Regridder.build(source.layout, target.layout), 1000.0)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_is_named_after_its_ends(globe):
    assert globe.name == "a.flux -> b.flux"


def test_a_constant_arrives_in_the_other_units(globe):
    arrived = globe.forward(torch.full((2, FINE.size), 3.0, dtype=torch.float64))
    assert arrived.shape == (2, COARSE.size)
    assert torch.allclose(arrived, torch.tensor(3000.0, dtype=torch.float64), rtol=1e-13)


def test_an_integral_over_the_sphere_is_four_pi(globe):
    ones = torch.ones(1, FINE.size, dtype=torch.float64)
    assert globe.source.integral(ones) == pytest.approx(4 * np.pi, rel=1e-13)


def test_levels_and_members_are_added_in_an_integral(globe):
    ones = torch.ones(2, 3, COARSE.size, dtype=torch.float64)
    assert globe.target.integral(ones) == pytest.approx(6 * 4 * np.pi, rel=1e-13)


def test_the_ledger_of_a_conservative_exchange_balances(globe):
    field = 1.0 + draw(3, FINE.size).square()
    entry = globe.account(field, globe.forward(field), HOUR)
    assert entry.exchange == globe.name
    assert entry.interval == HOUR
    assert entry.left == pytest.approx(1000 * globe.source.integral(field))
    assert abs(entry.residual) <= 1e-13


def test_the_ledger_shows_what_was_lost(globe):
    field = torch.ones(1, FINE.size, dtype=torch.float64)
    entry = globe.account(field, 0.9 * globe.forward(field), HOUR)
    assert entry.residual == pytest.approx(-0.1)


def test_a_residual_of_nothing_is_the_plain_difference():
    assert LedgerEntry("a -> b", HOUR, 0.0, 0.25).residual == 0.25


def test_a_sink_has_a_residual_of_the_same_sign_as_what_it_lost():
    # -10 left, -9 arrived: a tenth of the sink is missing
    assert LedgerEntry("a -> b", HOUR, -10.0, -9.0).residual == pytest.approx(0.1)


def test_forward_and_adjoint_pass_the_dot_test(globe):
    x, y = draw(FINE.size), draw(COARSE.size, seed=1)
    ax, aty = globe.forward(x), globe.adjoint(y)
    gap = abs(float(ax @ y) - float(x @ aty))
    assert gap <= 1e-13 * float(ax.norm() * y.norm())


def test_on_one_grid_nothing_changes_but_the_units():
    source, target = end("a", COARSE), end("b", COARSE)
    exchange = Exchange(source, target, IdentityOperator(Distributed(source.layout)), 2.0)
    field = draw(1, COARSE.size)
    assert torch.equal(exchange.forward(field), 2 * field)
    assert torch.equal(exchange.adjoint(field), 2 * field)


# ---------------------------------------------------------------------- the integral of a quantity
def grid(south: float, step: float, error: float, seed: int, mask: np.ndarray | None = None) -> Grid:
    """Return a global grid whose model uses areas that miss the polygons' by up to a fraction `error`."""
    lat, lon = np.arange(south, 90, step), np.arange(step / 2, 360, step)
    plain = Grid.latlon(lat, lon)
    drawn = np.random.default_rng(seed).uniform(-1, 1, plain.shape)
    return Grid.latlon(lat, lon, mask=mask, area=plain.area.reshape(plain.shape) * (1 + error * drawn))


def exchange_of(kind: Kind, source: Grid, target: Grid) -> Exchange:
    ends = [End(name, Variable("f", "kg", g, kind), Layout(g)) for name, g in (("a", source), ("b", target))]
    return Exchange(*ends, quantity_operator(ends[0].layout, ends[1].layout, kind, backend="native"))


@pytest.mark.parametrize("kind", [Kind.FLUX_INTENSIVE, Kind.STATE_EXTENSIVE, Kind.FLUX_EXTENSIVE])
@pytest.mark.parametrize("error", [0.0, 0.03])
def test_the_ledger_closes_by_the_areas_of_the_models(kind, error):
    exchange = exchange_of(kind, grid(-85.0, 10, error, 1), grid(-75.0, 30, error, 2))
    field = 1.0 + draw(2, exchange.source.layout.n_local).square()
    assert abs(exchange.account(field, exchange.forward(field), HOUR).residual) <= 1e-13


def test_without_area_correction_it_would_show_what_is_lost():
    source, target = grid(-85.0, 10, 0.03, 1), grid(-75.0, 30, 0.03, 2)
    exchange = exchange_of(Kind.FLUX_INTENSIVE, source, target)
    plain = Regridder.build(source, target, norm="dstarea", backend="native")
    field = 1.0 + draw(1, source.size).square()
    assert abs(exchange.account(field, plain.forward(field), HOUR).residual) > 1e-5


def test_amounts_are_added_up_not_integrated():
    amounts = End("a", Variable("mass", "kg", FINE, Kind.STATE_EXTENSIVE), Layout(FINE))
    assert amounts.integral(torch.ones(2, FINE.size, dtype=torch.float64)) == 2 * FINE.size


def test_masked_cells_count_for_nothing_whatever_they_hold():
    land = np.arange(648).reshape(18, 36) % 3 > 0
    exchange = exchange_of(Kind.FLUX_INTENSIVE, grid(-85.0, 10, 0.0, 1, land), grid(-75.0, 30, 0.0, 2))
    field = 1.0 + draw(1, 648).square()
    field[:, ~torch.from_numpy(land.ravel())] = float("nan")
    entry = exchange.account(field, exchange.forward(field), HOUR)
    assert abs(entry.residual) <= 1e-13


def test_points_have_no_areas_and_say_so():
    points = Grid.points([10.0, 50.0], [10.0, 50.0])
    assert np.isnan(End("a", Variable("t", "K", points), Layout(points)).integral(torch.ones(1, 2).double()))
    counted = End("a", Variable("n", "kg", points, Kind.FLUX_EXTENSIVE), Layout(points))
    assert counted.integral(torch.ones(1, 2).double()) == 2.0


# ---------------------------------------------------------------------- fractions and levels on the way
def test_a_fraction_of_the_source_multiplies_factor_and_offset():
    source, target = end("a", COARSE), end("b", COARSE)
    part = torch.linspace(0, 1, COARSE.size, dtype=torch.float64)
    exchange = Exchange(source, target, IdentityOperator(Distributed(source.layout)), 2.0 * part, 10.0 * part)
    field = draw(3, COARSE.size)
    assert torch.allclose(exchange.forward(field), part * (2.0 * field + 10.0), rtol=1e-14)
    assert torch.equal(exchange.tangent(field), 2.0 * part * field)
    assert torch.equal(exchange.adjoint(field), 2.0 * part * field)


def test_the_integral_of_an_offset_is_that_of_one_member():
    source, target = end("a", COARSE), end("b", COARSE)
    identity = IdentityOperator(Distributed(source.layout))
    assert Exchange(source, target, identity).offset_integral == 0.0
    exchange = Exchange(source, target, identity, offset=2.0)
    assert exchange.offset_integral == pytest.approx(8 * np.pi, rel=1e-13)


def levelled(levels: int) -> Exchange:
    """Return an exchange that takes the last of some levels, in other units and with an offset."""
    from tradewind.couplers.coupling.levels import OneLevel, selected

    column = Variable("t", "K", COARSE, extra=(("level", levels),))
    source, target = End("a", column, Layout(COARSE)), end("b", COARSE)
    last = OneLevel(selected(levels, [-1]))
    return Exchange(source, target, IdentityOperator(Distributed(source.layout)), 2.0, 1.0, levels=last)


def test_what_leaves_is_counted_on_the_imports_levels():
    field = torch.ones(2, 3, COARSE.size, dtype=torch.float64)
    field[:, :2] = 1e6
    assert levelled(3).leaving(field) == pytest.approx(2 * 2 * 4 * np.pi, rel=1e-13)
    assert levelled(3).offset_integral == pytest.approx(4 * np.pi, rel=1e-13)
    entry = levelled(3).account(field, levelled(3).forward(field), HOUR)
    assert abs(entry.residual) <= 1e-13


def test_adjoints_go_through_levels():
    exchange, x, y = levelled(3), draw(2, 3, COARSE.size), draw(2, COARSE.size, seed=1)
    there, back = (exchange.tangent(x) * y).sum(), (x * exchange.adjoint(y)).sum()
    assert abs(float(there - back)) <= 1e-13 * float(x.norm() * y.norm())


def test_the_part_that_an_exchange_answers_for():
    source, target = end("a", COARSE), end("b", COARSE)
    identity, half = IdentityOperator(Distributed(source.layout)), torch.full((COARSE.size,), 0.5).double()
    assert Exchange(source, target, identity).part is None
    assert Exchange(source, target, identity, fraction=half).part is half
    assert Exchange(source, target, identity, share=half).part is half
