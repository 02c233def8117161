"""Stepping: who steps when, what is given to whom, and what a moment is."""

from __future__ import annotations

import pytest
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import ConfigError, SpecError


def ones(run, value):
    return torch.full((1, 4), float(value), dtype=torch.float64)


def test_a_source_fills_a_tank(make_chain, toys):
    # 2 kg/h for 3 h make 6 kg; at half a metre a kilogram that is 3 m
    run = make_chain()
    run.advance(toys.at(3))
    assert run.get("tank.amount").tolist() == [[6.0] * 4]
    assert run.get("tank.level").tolist() == [[3.0] * 4]
    assert run.get("tank.inflow").tolist() == [[2.0] * 4]
    assert run.time == toys.at(3)


def test_sources_step_before_targets_whatever_the_declared_order(make_chain):
    assert [p.name for p in make_chain().participants] == ["source", "tank"]


def test_a_put_holds_until_the_next(make_chain, toys):
    # two hours of 1, then one of 10
    run = make_chain()
    run.put("source.flux", ones(run, 1))
    run.advance(toys.at(2))
    run.put("source.flux", ones(run, 10))
    run.advance(toys.at(3))
    assert run.get("tank.amount").tolist() == [[12.0] * 4]


def test_a_state_can_be_put(make_chain, toys):
    run = make_chain()
    run.advance(toys.at(1))
    run.put("tank.amount", ones(run, 100))
    run.advance(toys.at(2))
    assert run.get("tank.amount").tolist() == [[102.0] * 4]


def test_units_are_converted_on_the_way(toys):
    source = toys.participant("source", toys.Source(), {"flux": torch.ones(1, 4, dtype=torch.float64)})
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(1.0)})
    exchange = toys.connect(source, "flux", tank, "inflow", factor=1000.0)
    run = CoupledRun(Clock(toys.START, toys.at(2), toys.HOUR), [source, tank], [exchange])
    run.advance(toys.at(1))
    assert run.get("tank.level").tolist() == [[1000.0] * 4]
    assert run.ledger[0].residual == 0.0


# ---------------------------------------------------------------------- members
def test_members_go_their_own_ways(make_chain, toys):
    run = make_chain(members=3)
    run.put("source.flux", torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64).expand(3, 4))
    run.put("tank.rate", toys.scalar(1.0))  # one for all
    run.advance(toys.at(2))
    assert run.get("tank.level")[:, 0].tolist() == [2.0, 4.0, 6.0]


def test_members_of_a_state_can_be_selected_and_merged():
    state = State({"a": torch.arange(6.0).reshape(3, 2)}, {"seed": 1})
    some = torch.tensor([2, 0])
    picked = state.select(some)
    assert picked.fields["a"].tolist() == [[4.0, 5.0], [0.0, 1.0]]
    doubled = State({"a": 10 * picked.fields["a"]})
    merged = state.merge(doubled, some)
    assert merged.fields["a"].tolist() == [[0.0, 10.0], [2.0, 3.0], [40.0, 50.0]]
    assert merged.extras == {"seed": 1}
    assert state.fields["a"].tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


def test_the_same_run_can_be_had_for_other_members(make_chain, toys):
    one = make_chain()
    one.advance(toys.at(1))
    many = one.with_members(5)
    assert many.time == toys.START
    many.advance(toys.at(1))
    assert torch.equal(many.get("tank.level"), one.get("tank.level").expand(5, 4))


# ---------------------------------------------------------------------- moments
def test_rewinding_gives_the_same_bits(make_chain, toys):
    run = make_chain(toys.Leaky)
    run.put("source.flux", toys.draw(1, 4))
    run.advance(toys.at(2))
    moment = run.moment
    run.advance(toys.at(5))
    first = run.get("tank.level")
    run.put("source.flux", toys.draw(1, 4, seed=1))
    run.rewind(moment)
    run.advance(toys.at(5))
    assert torch.equal(run.get("tank.level"), first)


def test_a_moment_is_a_value(make_chain, toys):
    run = make_chain()
    run.advance(toys.at(1))
    moment, before = run.moment, run.get("tank.amount").clone()
    run.advance(toys.at(4))
    run.put("tank.amount", ones(run, 9))
    assert torch.equal(moment.states["tank"].fields["amount"], before)
    assert moment.time == toys.at(1)


def test_what_was_put_is_not_a_window_into_the_run(make_chain, toys):
    # a tensor that requires a gradient does not tie torch's graph to later steps
    run = make_chain()
    run.put("source.flux", ones(run, 1).requires_grad_())
    run.advance(toys.at(2))
    assert not run.get("tank.level").requires_grad


def test_the_ledger_forgets_what_was_rewound(make_chain, toys):
    run = make_chain()
    run.advance(toys.at(1))
    moment = run.moment
    run.advance(toys.at(3))
    run.rewind(moment)
    run.advance(toys.at(2))
    assert [entry.interval.stop for entry in run.ledger] == [toys.at(1), toys.at(2)]


def test_nothing_is_lost_between_grids(toys):
    # every cell of the fine grid lies within a cell of the wide one, each of which is diluted
    source = toys.participant("source", toys.Source(toys.FINE), {"flux": toys.draw(1, toys.FINE.size)})
    tank = toys.participant("tank", toys.Tank(toys.WIDE), {"rate": toys.scalar(1.0)})
    ends = toys.end(source, "exports", "flux"), toys.end(tank, "imports", "inflow")
    regridder = toys.Regridder.build(ends[0].layout, ends[1].layout, "conservative", norm="dstarea")
    run = CoupledRun(
        Clock(toys.START, toys.at(3), toys.HOUR), [source, tank], [toys.Exchange(*ends, regridder)]
    )
    run.advance(toys.at(3))
    assert len(run.ledger) == 3
    assert max(abs(entry.residual) for entry in run.ledger) <= 1e-13


# ---------------------------------------------------------------------- parts of a run
def test_an_open_end_can_be_read(make_chain, toys):
    whole = make_chain()
    alone = whole.upstream("tank")
    assert [p.name for p in alone.participants if p.spec.exports] == ["source"]
    alone.advance(toys.at(1))
    assert alone.get("tank.inflow").tolist() == [[2.0] * 4]


def test_upstream_leaves_out_what_feeds_nothing(toys):
    # first fills second; third stands apart
    first = toys.participant("first", toys.Source(), {"flux": torch.ones(1, 4, dtype=torch.float64)})
    second = toys.participant("second", toys.Tank(), {"rate": toys.scalar(1.0)})
    third = toys.participant("third", toys.Source(), {"flux": torch.ones(1, 4, dtype=torch.float64)})
    exchange = toys.connect(first, "flux", second, "inflow")
    run = CoupledRun(Clock(toys.START, toys.at(1), toys.HOUR), [third, second, first], [exchange])
    assert [p.name for p in run.upstream("second").participants] == ["first", "second"]
    assert run.upstream("first").participants == ()


# ---------------------------------------------------------------------- what is refused
def two_tanks(toys):
    tanks = [toys.participant(name, toys.Tank(), {"rate": toys.scalar(1.0)}) for name in "ab"]
    clock = Clock(toys.START, toys.at(1), toys.HOUR)
    return tanks, clock


def test_a_circle_is_refused(toys):
    (a, b), clock = two_tanks(toys)
    circle = [toys.connect(a, "level", b, "inflow"), toys.connect(b, "level", a, "inflow")]
    with pytest.raises(ConfigError, match=r"form a circle: (a -> b -> a|b -> a -> b)"):
        CoupledRun(clock, [a, b], circle)


def test_an_import_fed_twice_is_given_the_sum(toys):
    # 2 kg/s and 3 times as much
    source = toys.participant("source", toys.Source(), {"flux": torch.full((1, 4), 2.0).double()})
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(1.0)})
    exchanges = [toys.connect(source, "flux", tank, "inflow", factor) for factor in (1.0, 3.0)]
    run = CoupledRun(Clock(toys.START, toys.at(1), toys.HOUR), [source, tank], exchanges)
    run.advance(toys.at(1))
    assert run.get("tank.inflow").tolist() == [[8.0] * 4]


def test_two_components_of_one_name_are_refused(toys):
    (a, _), clock = two_tanks(toys)
    with pytest.raises(ConfigError, match="share a name"):
        CoupledRun(clock, [a, a], [])


def test_an_exchange_from_something_undeclared_is_refused(toys):
    (a, b), clock = two_tanks(toys)
    wrong = toys.Exchange(
        toys.End("a", a.spec.variable("state", "amount"), a.layouts["amount"]),
        toys.end(b, "imports", "inflow"),
        toys.IdentityOperator(toys.Distributed(a.layouts["amount"])),
    )
    with pytest.raises(SpecError, match=r"a\.amount -> b\.inflow: no export 'amount'"):
        CoupledRun(clock, [a, b], [wrong])


def test_an_import_without_a_value_is_named(toys):
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(1.0)})
    run = CoupledRun(Clock(toys.START, toys.at(1), toys.HOUR), [tank], [])
    with pytest.raises(SpecError, match=r"tank\.inflow: no exchange, put or default"):
        run.advance(toys.at(1))


@pytest.mark.parametrize("port", ["tank.inflw", "tnk.inflow", "tank", "tank.level"])
def test_a_put_to_an_unknown_name_is_refused(make_chain, port):
    with pytest.raises(SpecError, match="no component declares"):
        make_chain().put(port, torch.zeros(1, 4, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(4,), (1, 3), (2, 4), (1, 1, 4)])
def test_a_put_of_another_shape_is_refused(make_chain, shape):
    with pytest.raises(SpecError, match=r"source\.flux: expected shape \(1, 4\), got"):
        make_chain().put("source.flux", torch.zeros(shape, dtype=torch.float64))


def test_a_put_of_integers_is_refused(make_chain):
    with pytest.raises(SpecError, match=r"floating point, got torch\.int64"):
        make_chain().put("source.flux", torch.zeros(1, 4, dtype=torch.int64))


def test_reading_too_early_or_what_is_not_there_is_refused(make_chain):
    run = make_chain()
    with pytest.raises(SpecError, match="has not been exported yet"):
        run.get("tank.level")
    with pytest.raises(SpecError, match=r"did you mean 'tank\.level'"):
        run.get("tank.lvel")


def test_time_does_not_run_backwards(make_chain, toys):
    run = make_chain()
    run.advance(toys.at(2))
    with pytest.raises(ConfigError, match="lies before"):
        run.advance(toys.at(1))


def test_a_step_that_gives_something_else_than_declared_is_refused(make_chain, toys):
    def answer(call):
        return Step({"level": torch.zeros(1, 3)}, call.state)

    run = make_chain(answer=answer)
    with pytest.raises(
        SpecError, match=r"component 'tank': exports came as .*\(1, 3\).* declared is .*\(1, 4\)"
    ):
        run.advance(toys.at(1))


def test_an_initial_state_that_is_not_declared_is_refused(make_chain, toys):
    class Wrong(toys.Tank):
        def initialize(self, spec, layouts, members):
            return State()

    with pytest.raises(SpecError, match="initial state came as"):
        make_chain(Wrong)
