"""Several fields set at once, parameters and states, and looks at any port and time: numbers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tradewind.coupled.derivatives import checkpoints, operators
from tradewind.coupled.model import CoupledModel
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.assimilation import FunctionLook, LinearLook
from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    Scale,
)
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import Distributed, MatrixOperator, Replicated, dot_test
from tradewind.errors import SpecError

FLUX, AMOUNT = [1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]
PER_CELL = Clustering(Per.CELL)


def x_of(*values):
    return torch.tensor(values, dtype=torch.float64)


class Watched:
    """Observation operator: looks by port and hour of the window, and an offset."""

    def __init__(self, looks, offset):
        self.at, self.background = looks, offset
        self.observes = tuple(dict.fromkeys(port for port, _ in looks))

    def looks(self, window):
        hour = (window.stop - window.start) / 2  # windows take two hours
        return {(port, window.start + hours * hour): look for (port, hours), look in self.at.items()}

    def offset(self, window):
        return self.background


@pytest.fixture
def scene(make_chain, toys):
    """Return a function that makes a model of a tank: flux, amount at first and rate are controlled."""

    def make(looks, tank=toys.Tank, parts=("flux", "amount", "rate"), m=2, offset=None):
        run = make_chain(tank)
        layout = run.participants[1].layouts["level"]
        known = {
            "flux": FieldControl("source.flux", x_of(*FLUX), layout, PER_CELL, change=Scale()),
            "amount": FieldControl("tank.amount", x_of(*AMOUNT), layout, PER_CELL, change=Add()),
            "rate": FieldControl("tank.rate", x_of(0.5)[0], None, Clustering(Per.TOTAL), change=Lognormal()),
        }
        control = JointControl([known[name] for name in parts])
        windows = [Interval(toys.at(0), toys.at(2)), Interval(toys.at(2), toys.at(4))]
        offset = torch.zeros(m, dtype=torch.float64) if offset is None else offset
        return CoupledModel(run, control, Watched(looks, offset), windows)

    return make


def picks(*cells, of=4):
    """Return a look at some cells, one for each observation; None sees nothing."""
    matrix = torch.zeros(len(cells), of, dtype=torch.float64)
    for row, cell in enumerate(cells):
        if cell is not None:
            matrix[row, cell] = 1.0
    space = Distributed(LAYOUT[0]) if of == 4 else Replicated(of)
    return LinearLook(MatrixOperator(matrix, space))


LAYOUT = []


@pytest.fixture(autouse=True)
def layout(toys):
    LAYOUT[:] = [toys.Layout(toys.COARSE)]
    return LAYOUT[0]


def squares(layout):
    def look(field):
        return torch.stack([field.square().sum() / 1e4, (field[1] / 1e3).sin()])

    return FunctionLook(look, Distributed(layout), 2)


EVERYWHERE = (
    ("tank.amount", 0),
    ("tank.level", 1),
    ("tank.inflow", 2),
    ("source.flux", 1),
    ("tank.amount", 2),
)


@pytest.fixture
def everything(scene, layout, toys):
    """A model of a tank that is linear in nothing, looked at at its start, within and at its end."""
    looks = {event: picks(k % 4, (k + 1) % 4) for k, event in enumerate(EVERYWHERE)}
    looks["tank.level", 2] = squares(layout)
    return scene(looks, toys.Leaky, offset=x_of(100.0, 200.0))


X = x_of(1.0, 0.5, -0.25, 2.0, 0.1, -0.3, 0.2, 0.0, 0.4)


# ---------------------------------------------------------------------- values
def test_a_look_at_the_start_sees_the_state_that_the_window_begins_with(scene):
    made = scene({("tank.amount", 0): picks(1, 3)})
    assert made(X, made.windows[1]).tolist() == pytest.approx([20.0 - 0.3, 40.0])


def test_looks_within_the_window_and_at_its_end_are_added_up(scene):
    # level after an hour: rate (a + f); amount after two: a + 2 f; seen are cell 2 of the first, 0 of both
    looks = {("tank.level", 1): picks(2, 0), ("tank.amount", 2): picks(None, 0)}
    made = scene(looks, offset=x_of(7.0, 0.0))
    rate = 0.5 * np.exp(0.4)
    first, second = rate * (30.2 + 3 * -0.25) + 7.0, rate * (10.1 + 1.0) + (10.1 + 2.0)
    for window in made.windows:
        assert made(X, window).tolist() == pytest.approx([first, second], rel=1e-15)


def test_what_an_import_was_given_and_what_was_exported_can_be_seen(scene):
    made = scene({("tank.inflow", 1): picks(3, None), ("source.flux", 2): picks(None, 1)})
    assert made(X, made.windows[0]).tolist() == [8.0, 1.0]


def test_the_run_is_stepped_to_the_last_look_only(scene, toys):
    made = scene({("tank.amount", 1): picks(0, 1)})
    made(X, made.windows[0])
    assert made.run.time == toys.at(1)


def test_without_a_look_what_is_seen_is_the_offset(scene):
    made = scene({}, offset=x_of(1.0, 2.0))
    made.observe.observes = ("tank.level",)
    assert made(X[None].expand(3, -1), made.windows[0]).tolist() == [[1.0, 2.0]] * 3
    assert made.linearize(X, made.windows[0]).forward(X).tolist() == [0.0, 0.0]


# ---------------------------------------------------------------------- members
@pytest.mark.parametrize("batch", [(1,), (5,), (2, 3)])
def test_members_have_the_bits_that_they_have_alone(everything, toys, batch):
    x = everything.control.prior + 0.3 * toys.draw(*batch, 9)
    for window in everything.windows:
        together = everything(x, window)
        alone = [everything(row, window) for row in x.reshape(-1, 9)]
        assert torch.equal(together, torch.stack(alone).reshape(*batch, 2))


def test_no_members_have_their_shape(everything):
    assert everything(torch.zeros(0, 9, dtype=torch.float64), everything.windows[0]).shape == (0, 2)


def test_a_run_is_kept_for_each_number_of_members(everything, toys):
    x = everything.control.prior + 0.1 * toys.draw(4, 9)
    everything(x, everything.windows[0])
    run = everything.companies.of(everything.run, 4)
    everything(x, everything.windows[1])
    assert everything.companies.of(everything.run, 4) is run
    assert run.members == 4


# ---------------------------------------------------------------------- derivatives
def test_the_derivative_is_exact_in_every_direction(everything, toys):
    window, h = everything.windows[1], 1e-4
    K = everything.linearize(X, window).forward(torch.eye(9, dtype=torch.float64))
    # of fourth order: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h
    steps = h * torch.eye(9, dtype=torch.float64)
    near = everything(X + steps, window) - everything(X - steps, window)
    far = everything(X + 2 * steps, window) - everything(X - 2 * steps, window)
    torch.testing.assert_close(K, (8 * near - far) / (12 * h), rtol=1e-7, atol=1e-6)


def test_its_remainder_falls_with_the_square_of_the_step(everything, toys):
    window, along = everything.windows[0], toys.draw(9)
    here, slope = everything(X, window), everything.linearize(X, window).forward(along)
    found = [float((everything(X + h * along, window) - here - h * slope).norm()) for h in (1e-2, 5e-3)]
    assert found[0] / found[1] == pytest.approx(4.0, rel=0.05)


def test_its_adjoint_is_its_adjoint(everything):
    K = everything.linearize(X, everything.windows[0])
    assert dot_test(K, batch=(3,)) <= 1e-13
    rows = K.adjoint(torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(rows.T, K.forward(torch.eye(9, dtype=torch.float64)), rtol=1e-12, atol=1e-12)


def test_cotangents_that_are_made_one_by_one_give_the_same_bits(everything, monkeypatch):
    K, y = everything.linearize(X, everything.windows[0]), x_of(1.0, -2.0)
    whole = K.adjoint(y)
    monkeypatch.setattr(operators, "LARGE", 0)
    assert torch.equal(K.adjoint(y), whole)


def test_a_tape_of_moments_gives_the_same_bits(everything, monkeypatch):
    found = []
    for large in (2**29, 0):
        monkeypatch.setattr(checkpoints, "LARGE", large)
        K = everything.linearize(X, everything.windows[1])
        found.append((K.forward(X), K.adjoint(x_of(1.0, -2.0))))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_a_state_that_is_looked_at_as_it_begins_is_the_identity(scene):
    made = scene({("tank.amount", 0): picks(2, 0)}, parts=("amount",))
    K = made.linearize(X[:4], made.windows[0])
    assert K.forward(x_of(1, 2, 3, 4)).tolist() == [3.0, 1.0]
    assert K.adjoint(x_of(5, 6)).tolist() == [6.0, 0.0, 5.0, 0.0]


def test_a_state_that_is_not_controlled_does_not_depend_on_x(scene):
    made = scene({("tank.amount", 0): picks(2, 0)}, parts=("flux",))
    K = made.linearize(X[:4], made.windows[0])
    assert made(X[:4], made.windows[0]).tolist() == [0.0, 0.0]
    assert (K.forward(X[:4]).tolist(), K.adjoint(x_of(1, 1)).tolist()) == ([0.0] * 2, [0.0] * 4)


def test_the_trajectory_is_not_stepped_again_when_the_derivative_is_applied(everything, toys):
    K = everything.linearize(X, everything.windows[0])
    everything.run.rewind(everything.run.start(toys.at(2)))
    reference = K.forward(X)
    assert everything.run.time == toys.at(2)
    everything(2 * X, everything.windows[1])
    assert torch.equal(K.forward(X), reference)


# ---------------------------------------------------------------------- extra axes
@pytest.fixture
def column(toys):
    """A model of a state with two levels, exported under its own name: each level takes from the other."""

    class Column(toys.Source):
        def describe(self):
            profile = toys.Variable("profile", "K", self.grid, extra=(("level", 2),))
            return toys.Spec(exports=(profile,), state=(profile,))

        def initialize(self, spec, layouts, members):
            return toys.State({"profile": torch.ones(members, 2, 4, dtype=torch.float64)})

        def step(self, state, imports, parameters, interval):
            old = state.fields["profile"]
            new = old + 0.1 * old.flip(-2).square()
            return {"profile": new}, toys.State({"profile": new})

    participant = toys.participant("column", Column())
    run = CoupledRun(toys.Clock(toys.START, toys.at(4), toys.HOUR), [participant], [])
    layout = participant.layouts["profile"]
    prior = torch.arange(1.0, 9.0, dtype=torch.float64).reshape(2, 4) / 8
    control = FieldControl("column.profile", prior, layout, PER_CELL, change=Add())
    sums = MatrixOperator(
        torch.arange(16.0, dtype=torch.float64).reshape(2, 8) / 16, Distributed(layout, (2,))
    )
    looks = {("column.profile", hour): LinearLook(sums) for hour in (0, 1, 2)}
    windows = [Interval(toys.at(0), toys.at(2))]
    return CoupledModel(run, control, Watched(looks, x_of(0.0, 0.0)), windows)


def test_levels_are_put_seen_and_differentiated(column, toys):
    (window,), x, h = column.windows, 0.2 * toys.draw(8), 1e-6
    level = (torch.arange(1.0, 9.0, dtype=torch.float64) / 8 + x).reshape(2, 4)
    total = torch.zeros(2, 4, dtype=torch.float64)
    for _ in range(3):
        total, level = total + level, level + 0.1 * level.flip(0).square()
    weights = torch.arange(16.0, dtype=torch.float64).reshape(2, 8) / 16
    torch.testing.assert_close(column(x, window), weights @ total.reshape(-1), rtol=1e-13, atol=0)
    K, steps = column.linearize(x, window), h * torch.eye(8, dtype=torch.float64)
    difference = (column(x + steps, window) - column(x - steps, window)) / (2 * h)
    torch.testing.assert_close(K.forward(steps / h), difference, rtol=1e-8, atol=1e-8)
    assert dot_test(K, batch=(2,)) <= 1e-13


# ---------------------------------------------------------------------- standing still
def test_standing_still_keeps_the_fields_through_the_window(scene):
    looks = {("tank.amount", 0): picks(0, None), ("tank.amount", 2): picks(1, 2)}
    still = scene(looks, parts=("flux", "amount"), offset=x_of(0.0, 5.0)).standing_still()
    x, window = X[:8], still.windows[0]
    # 10.1 + 19.7, and 30.2 + 5
    assert still(x, window).tolist() == pytest.approx([29.8, 35.2])
    expected = torch.stack([x_of(29.8, 35.2), x_of(30.0, 35.0)])
    torch.testing.assert_close(still(torch.stack([x, 0 * x]), window), expected)
    K = still.linearize(x, window)
    assert K.forward(torch.eye(8, dtype=torch.float64)).T.tolist() == [
        [0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 0],
    ]
    assert dot_test(K) <= 1e-15
    assert still.error(x, window) is None


def test_looks_that_are_not_linear_are_linearized_where_it_stands(scene, layout, toys):
    still = scene({("tank.amount", 1): squares(layout)}, parts=("amount",)).standing_still()
    x, h, window = X[:4], 1e-6, still.windows[0]
    steps = h * torch.eye(4, dtype=torch.float64)
    difference = (still(x + steps, window) - still(x - steps, window)) / (2 * h)
    torch.testing.assert_close(
        still.linearize(x, window).forward(steps / h), difference, rtol=1e-6, atol=1e-6
    )


def test_what_x_does_not_set_cannot_stand_still(scene):
    made = scene({("tank.amount", 0): picks(0, 1), ("tank.level", 1): picks(0, 1)})
    with pytest.raises(SpecError, match=r"tank.level: is observed, but x does not set it"):
        made.standing_still()


# ---------------------------------------------------------------------- faults
@pytest.mark.parametrize(
    ("event", "message"),
    [
        (("tank.level", 0), "tank.level: is no state variable"),
        (("tank.level", 3), "tank.level: is looked at at .*, which is not in the window"),
        (("tank.lid", 1), "tank.lid: no component exports such a variable"),
    ],
)
def test_a_look_at_what_is_not_there_is_refused(scene, event, message):
    made = scene({event: picks(0, 1)})
    for ask in (made, made.linearize):
        with pytest.raises(SpecError, match=message):
            ask(X, made.windows[0])


def test_a_look_between_the_steps_of_its_component_is_refused(scene, toys):
    made = scene({("source.flux", 1): picks(0, 1)})
    source, tank = made.run.participants
    run = made.run
    made.run = CoupledRun(
        toys.Clock(toys.START, toys.at(4), 2 * toys.HOUR),
        [replace(source, step=2 * toys.HOUR), replace(tank, step=toys.HOUR)],
        run.exchanges,
    )
    with pytest.raises(SpecError, match=r"source.flux: no step of 'source' ends at 2000-01-01 01:00"):
        made(X, made.windows[0])


def test_a_look_of_another_length_than_the_offset_is_refused(scene):
    made = scene({("tank.level", 1): picks(0, 1)}, offset=x_of(0.0))
    with pytest.raises(SpecError, match=r"gives \(2,\), the offset has \(1,\)"):
        made(X, made.windows[0])
