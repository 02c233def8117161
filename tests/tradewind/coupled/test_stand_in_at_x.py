"""A surrogate of the linearization in a run: sources that are not linear, steps, lags, merges."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tradewind.coupled.derivatives import checkpoints
from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep
from tradewind.coupled.derivatives.operators import ByAdjoint, RunTangent, Weighted
from tradewind.coupled.model import CoupledModel
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.assimilation.control import Add, Clustering, FieldControl, JointControl, Per
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.couplers.operators import (
    DiagonalOperator,
    Distributed,
    MatrixOperator,
    dot_test,
)
from tradewind.errors import SpecError
from tradewind.plugins.caller import Part, StepCaller

CELLS, HOURS = 4, 12
TIMES = torch.arange(1.0, 5.0, dtype=torch.float64)
X = torch.tensor([1.0, 0.5, -0.25, 2.0], dtype=torch.float64)


class Exact:
    """A surrogate that is right: level = rate 1/2 times twelve hours times the mean inflow."""

    def __init__(self):
        self.asked = 0

    def tradewind_linearize(self, model, x, window):
        self.asked += 1
        weight = torch.full((CELLS,), 6.0, dtype=torch.float64)
        return DiagonalOperator(weight, Distributed(model.layouts[model.given]))


@pytest.fixture
def scene(toys):
    """Return a function that makes the model: three sources of different steps merge into a tank."""

    class Squared(toys.Source):
        def describe(self):
            return replace(super().describe(), linear=False)

        def step(self, state, imports, parameters, interval):
            hours = (interval.stop - toys.START) / toys.HOUR
            return {"flux": parameters["flux"].square() * hours}, state

    def make(surrogate, tank=toys.Tank):
        ones = {"flux": torch.ones(1, CELLS, dtype=torch.float64)}
        made = {
            "source": (Squared(), 1, ones),
            "wetland": (Squared(), 2, ones),
            "still": (toys.Source(), 6, ones),
            "tank": (tank(), 3, {"rate": toys.scalar(0.5)}),
        }
        members = {
            name: replace(toys.participant(name, component, given), step=hours * toys.HOUR)
            for name, (component, hours, given) in made.items()
        }
        timings = {
            "source": Timing(3 * toys.HOUR, Reduction.MEAN),
            "wetland": Timing(6 * toys.HOUR, Reduction.MEAN, lag=1, initial=5.0),
            "still": Timing(6 * toys.HOUR),
        }
        exchanges = [
            replace(
                toys.connect(members[name], "flux", members["tank"], "inflow", factor=2.0),
                timing=timing, merge=Merge.SUM, offset=0.25 if name == "still" else 0.0,
            )
            for name, timing in timings.items()
        ]  # fmt: skip
        run = CoupledRun(
            toys.Clock(toys.START, toys.at(2 * HOURS), 6 * toys.HOUR), list(members.values()), exchanges
        )
        layout = members["tank"].layouts["level"]
        windows = [Interval(toys.at(0), toys.at(HOURS)), Interval(toys.at(HOURS), toys.at(2 * HOURS))]
        parts = None if surrogate is None else Part("exact", surrogate)
        callers = {"tank": StepCaller("tank", Part("tank", made["tank"][0]), parts, ())}
        return CoupledModel(run, toys.Scaled(layout), toys.Looks(layout), windows, callers)

    return make


def test_values_by_hand(scene):
    # of the source: (x t)² times 6.5, the mean of 1 ... 12; of the wetland: 5 for six hours, then 4, the mean
    # of 2, 4, 6; of the third 1; doubled, and 1/4 on top; six times the mean inflow
    expected = 6 * (2 * ((TIMES * X) ** 2 * 6.5 + 4.5 + 1.0) + 0.25)
    for surrogate in (None, Exact()):
        made = scene(surrogate)
        torch.testing.assert_close(made(X, made.windows[0]), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("number", [0, 1])
def test_where_the_surrogate_is_exact_it_is_the_reference(scene, number):
    found = []
    for surrogate in (None, Exact()):
        made = scene(surrogate)
        window = made.windows[number]
        K = made.linearize(X, window)
        assert dot_test(K) <= 1e-13
        found.append((made(X, window), K.forward(torch.eye(CELLS, dtype=torch.float64))))
    torch.testing.assert_close(found[0], found[1], rtol=1e-13, atol=1e-13)


def test_what_feeds_a_surrogate_is_linearized_at_x(scene):
    made, h = scene(Exact()), 1e-6
    along = torch.tensor([1.0, -1.0, 0.5, 2.0], dtype=torch.float64)
    window = made.windows[1]
    difference = (made(X + h * along, window) - made(X - h * along, window)) / (2 * h)
    torch.testing.assert_close(made.linearize(X, window).forward(along), difference, rtol=1e-7, atol=1e-7)


def test_a_surrogate_is_asked_once_for_a_window_and_sources_are_stepped_once_for_each_x(scene):
    surrogate = Exact()
    made = scene(surrogate)
    for x in (X, 2 * X, X):
        first, second = made.stand_in(made.windows[0], x), made.stand_in(made.windows[0], x.clone())
        assert first is second
    assert surrogate.asked == 1
    assert made.stand_in(made.windows[0]).mean.tolist() != first.mean.tolist()  # the prior's


def test_a_tank_that_is_not_empty_at_first_adds_what_it_holds(scene, toys):
    class Full(toys.Tank):
        def initialize(self, spec, layouts, members):
            state = super().initialize(spec, layouts, members)
            return toys.State({"amount": state.fields["amount"] + 40.0})

    empty, full = scene(Exact()), scene(Exact(), Full)
    window = empty.windows[0]
    torch.testing.assert_close(full(X, window), empty(X, window) + 20.0, rtol=1e-14, atol=0)
    torch.testing.assert_close(full(X, window), scene(None, Full)(X, window), rtol=1e-14, atol=0)


def test_members_are_superposed_as_they_are_alone(scene, toys):
    made = scene(Exact())
    x = X + 0.3 * toys.draw(3, CELLS)
    for window in made.windows:
        alone = torch.stack([made(row, window) for row in x])
        torch.testing.assert_close(made(x, window), alone, rtol=1e-14, atol=0)
    full = torch.stack([scene(None)(row, made.windows[1]) for row in x])
    torch.testing.assert_close(made(x, made.windows[1]), full, rtol=1e-13, atol=0)


def test_several_fields_upstream_are_stood_in_for_together(scene, toys):
    found = []
    x = torch.cat([X, torch.tensor([0.5, 2.0, 1.0, -1.0], dtype=torch.float64)])
    for surrogate in (None, Exact()):
        made = scene(surrogate)
        ones = torch.ones(CELLS, dtype=torch.float64)
        made.control = JointControl(
            [
                FieldControl(f"{name}.flux", ones, made.observe.layout, Clustering(Per.CELL), change=Add())
                for name in ("source", "still")
            ]
        )
        K = made.linearize(x, made.windows[1])
        assert (made.stand_in(made.windows[1], x) is None) is (surrogate is None)
        assert dot_test(K) <= 1e-13
        found.append((made(x, made.windows[1]), K.forward(torch.eye(2 * CELLS, dtype=torch.float64))))
    torch.testing.assert_close(found[0], found[1], rtol=1e-13, atol=1e-13)


class Halfway:
    """Observation operator: every cell, in the middle of the window and at its end."""

    observes = ("tank.level",)

    def __init__(self, looks):
        self.whole = looks

    def looks(self, window):
        ((_, look),) = self.whole.looks(window).items()
        middle = window.start + (window.stop - window.start) / 2
        return {("tank.level", time): look for time in (middle, window.stop)}

    def offset(self, window):
        return self.whole.offset(window)


def test_looks_that_it_does_not_know_are_stepped_unless_it_insists(scene):
    surrogate = Exact()
    made, reference = scene(surrogate), scene(None)
    for model in (made, reference):
        model.observe = Halfway(model.observe)
    window = made.windows[0]
    assert torch.equal(made(X, window), reference(X, window))
    assert surrogate.asked == 0
    made = scene(surrogate)
    made.observe, made.insisting = Halfway(made.observe), {"tank"}
    for ask in (made, made.linearize, made.error):
        with pytest.raises(SpecError, match="its surrogate knows one export at a window's end"):
            ask(X, window)


def test_a_surrogate_cannot_stand_in_where_the_control_is_in_its_component(scene, toys):
    surrogate = Exact()
    made = scene(surrogate)
    made.control = toys.Scaled(made.observe.layout, "tank.rate")
    assert made.stand_in(made.windows[0]) is None
    assert surrogate.asked == 0


def test_nor_where_its_component_feeds_itself_through_another(scene, toys):
    class Fed(toys.Tank):
        """A source that looks at the tank."""

        def describe(self):
            flux = toys.Variable("flux", "kg s-1", self.grid, toys.Kind.FLUX_INTENSIVE)
            return toys.Spec(
                (toys.Variable("seen", "m", self.grid),), (flux,), parameters=(flux,), linear=True
            )

        def initialize(self, spec, layouts, members):
            return toys.State()

        def step(self, state, imports, parameters, interval):
            return {"flux": parameters["flux"] - 0.01 * imports["seen"]}, state

    one = {"flux": torch.ones(1, CELLS, dtype=torch.float64)}
    source, tank = (
        toys.participant(name, component, given)
        for name, component, given in (
            ("source", Fed(), one),
            ("tank", toys.Tank(), {"rate": toys.scalar(0.5)}),
        )
    )
    exchanges = [
        toys.connect(source, "flux", tank, "inflow"),
        replace(toys.connect(tank, "level", source, "seen"), timing=Timing(lag=1, initial=0.0)),
    ]
    made, surrogate = scene(None), Exact()
    made.run = CoupledRun(toys.Clock(toys.START, toys.at(12), toys.HOUR), [source, tank], exchanges)
    made.callers = {"tank": StepCaller("tank", Part("tank", toys.Tank()), Part("exact", surrogate), ())}
    assert made.stand_in(made.windows[0]) is None
    assert surrogate.asked == 0
    assert dot_test(made.linearize(X, made.windows[0])) <= 1e-13


@pytest.mark.parametrize("surrogate", [None, Exact()], ids=["reference", "surrogate"])
def test_long_windows_are_recorded_by_moments_with_the_same_bits(scene, surrogate, monkeypatch):
    found, every = [], torch.eye(CELLS, dtype=torch.float64)
    for large, kind in ((2**29, Keep), (0, Checkpoints)):
        monkeypatch.setattr(checkpoints, "LARGE", large)
        made = scene(surrogate)
        K = made.linearize(X, made.windows[0])
        run = made.run if surrogate is None else made._stand_ins.above
        assert isinstance(run.tape, kind)
        found.append((K.forward(every), K.adjoint(every)))
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


# ---------------------------------------------------------------------- an adjoint, and nothing else
def test_an_adjoint_alone_makes_a_jacobian(scene, toys):
    class OnlyAdjoint(toys.Tank):
        """A model that torch cannot see through, and which brings an adjoint."""

        linear = False

        def step(self, state, imports, parameters, interval):
            with torch.no_grad():
                return super().step(state, imports, parameters, interval)

        def vjp(self, call, cotangents):
            zero = torch.zeros(1, *call.imports["inflow"].shape, dtype=torch.float64)
            level = cotangents.get(("export", "level"), zero)
            amount = call.parameters["rate"][:, None] * level + cotangents.get(("state", "amount"), zero)
            hours = call.interval.seconds / 3600
            return {("state", "amount"): amount, ("import", "inflow"): hours * amount}

    found = []
    for tank in (toys.Tank, OnlyAdjoint):
        made = scene(None, tank)
        K = made.linearize(X, made.windows[0])
        assert isinstance(K, ByAdjoint) is (tank is OnlyAdjoint)
        assert dot_test(K) <= 1e-13
        found.append(K.forward(torch.eye(CELLS, dtype=torch.float64)))
    torch.testing.assert_close(*found, rtol=1e-13, atol=1e-13)


def test_an_operator_known_by_its_adjoint_makes_its_matrix_once(toys):
    class Counted(MatrixOperator):
        rows = 0

        def forward(self, x):
            raise AssertionError("only the adjoint is there")

        def adjoint(self, y):
            self.rows += len(y)
            return super().adjoint(y)

    matrix = toys.draw(3, 5)
    counted = Counted(matrix)
    operator = ByAdjoint(counted)
    x = toys.draw(2, 5, seed=1)
    for _ in range(2):
        torch.testing.assert_close(operator.forward(x), x @ matrix.T, rtol=1e-14, atol=1e-14)
    assert counted.rows == 3
    assert torch.equal(operator.adjoint(matrix[:, :3]), matrix[:, :3] @ matrix)


def test_a_derivative_of_a_put_that_nothing_depends_on_is_zero(make_chain, toys):
    run = make_chain()
    with run.recording() as tape:
        run.put("tank.rate", toys.scalar(0.5))
        run.put("source.flux", torch.ones(1, 4, dtype=torch.float64))
        run.advance(toys.at(1))
    space = Distributed(run.participants[0].layouts["flux"])
    wanted = {("source.flux", toys.at(1)): Weighted(2.0, space)}
    operator = RunTangent(run, tape, {("source.flux", toys.at(0)): space}, wanted)
    assert operator.adjoint(torch.ones(4, dtype=torch.float64)).tolist() == [2.0] * 4
