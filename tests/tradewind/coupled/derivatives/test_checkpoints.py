"""Tapes: what they hold, what they make again, and that nobody can tell the difference."""

from __future__ import annotations

import weakref
from dataclasses import replace

import pytest
import torch

from tradewind.coupled.derivatives import checkpoints
from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep, Watch, sparing
from tradewind.coupled.derivatives.function import gradient_function
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.couplers.coupling.component import Mode, Step
from tradewind.couplers.coupling.fields import PerMember
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.errors import SpecError
from tradewind.markers import hookimpl
from tradewind.plugins.caller import Part, StepCaller
from tradewind.plugins.options import Options
from tradewind.plugins.policies.guard import Guard

FLUX, RATE, AMOUNT, LEVEL = "source.flux", "tank.rate", "tank.amount", "tank.level"
KINDS = pytest.mark.parametrize("kind", [Keep, Checkpoints])


def recorded(run, hours, toys, kind, puts=()):
    """Step `hours` from where the run stands, putting what `puts` says at its hour; return the tape."""
    begin = round((run.time - toys.START) / toys.HOUR)
    with run.recording(kind) as tape:
        for hour in range(begin, begin + hours):
            for port, when, value in puts:
                if when == hour:
                    run.put(port, value)
            run.advance(toys.at(hour + 1))
    return tape


def leaky_puts(toys):
    return [
        (FLUX, 0, toys.draw(2, 4, seed=1)),
        (RATE, 0, toys.draw(2, seed=2)),
        (AMOUNT, 0, toys.draw(2, 12, seed=3)),
        (FLUX, 3, toys.draw(2, 4, seed=4)),
        (AMOUNT, 3, toys.draw(1, 12, seed=5)),
    ]


# ---------------------------------------------------------------------- how much is held
@pytest.mark.parametrize("hours", [1, 2, 3, 4, 5, 8, 9, 24, 60])
def test_moments_and_a_stretch_grow_with_the_square_root(make_chain, toys, hours):
    tape = recorded(make_chain(hours=hours), hours, toys, Checkpoints)
    steps = 2 * hours  # source and tank
    assert len(tape) == steps
    assert tape.moments == -(-steps // tape.stride) <= 2 * tape.stride
    assert tape.moments + tape.stride <= 2.2 * steps**0.5 + 1


def test_going_back_holds_one_stretch_at_a_time(make_chain, toys):
    tape = recorded(make_chain(hours=50), 50, toys, Checkpoints)
    made, most, again = [], 0, tape._again

    def counted(begin, end):
        for taken in again(begin, end):
            made.append(weakref.ref(taken))
            yield taken

    tape._again = counted
    for taken in reversed(tape):
        del taken
        most = max(most, sum(ref() is not None for ref in made))
    assert tape.stride == 8
    assert 0 < most <= tape.stride
    assert len(made) == len(tape)


def test_going_forward_holds_one_step(make_chain, toys):
    tape = recorded(make_chain(hours=50), 50, toys, Checkpoints)
    seen = [weakref.ref(taken) for taken in tape]
    assert sum(ref() is not None for ref in seen) <= 1


def test_a_kept_moment_holds_nothing_that_is_only_there_to_be_read(make_chain, toys):
    tape = recorded(make_chain(), 4, toys, Checkpoints)
    assert all(not moment.exports for moment in tape._moments.values())


# ---------------------------------------------------------------------- the same events, the same bits
@pytest.mark.parametrize("direction", [iter, reversed], ids=["forward", "back"])
def test_both_kinds_give_the_same_events(make_chain, toys, direction):
    told = []
    for kind in (Keep, Checkpoints):
        run = make_chain(toys.Leaky, toys.FINE, members=2)
        told.append(list(direction(recorded(run, 5, toys, kind, leaky_puts(toys)))))
    assert len(told[0]) == 5 + 2 * 5
    for one, other in zip(*told, strict=True):
        assert type(one) is type(other)
        if hasattr(one, "given"):
            assert (one.number, one.interval, one.answered_by) == (
                other.number,
                other.interval,
                other.answered_by,
            )
            assert all(torch.equal(value, other.given()[key]) for key, value in one.given().items())
        else:
            assert (one.port, one.time, one.role) == (other.port, other.time, other.role)


def test_derivatives_have_the_same_bits_with_puts_in_between(make_chain, toys):
    found = []
    for kind in (Keep, Checkpoints):
        run = make_chain(toys.Leaky, toys.FINE, members=2)
        tape = recorded(run, 6, toys, kind, leaky_puts(toys))
        along = {(p, toys.at(t)): toys.draw(3, *v.shape, seed=t) for p, t, v in leaky_puts(toys)}
        wanted = [(LEVEL, toys.at(6)), (AMOUNT, toys.at(2)), ("tank.inflow", toys.at(4))]
        moved = tangents(run, tape, along, wanted)
        back = gradients(run, tape, {e: toys.draw(*v.shape, seed=9) for e, v in moved.items()})
        found.append({**moved, **back})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(value, found[1][event]) for event, value in found[0].items())


def test_a_tape_can_be_gone_through_again(make_chain, toys):
    run, one = make_chain(toys.Leaky), torch.ones(1, 1, 4, dtype=torch.float64)
    tape = recorded(run, 5, toys, Checkpoints, [(FLUX, 0, one[0])])
    first, second = (gradients(run, tape, {(LEVEL, toys.at(5)): one}) for _ in range(2))
    assert torch.equal(first[FLUX, toys.at(0)], second[FLUX, toys.at(0)])


def test_stepping_again_leaves_run_and_ledger_alone(make_chain, toys):
    run, one = make_chain(toys.Leaky), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 4, toys, Checkpoints, [(FLUX, 0, one[0])])
    moment, entries = run.moment, len(run.ledger)
    run.vjp({(LEVEL, toys.at(4)): one})
    assert run.moment is moment
    assert len(run.ledger) == entries == 4


@KINDS
def test_recording_may_begin_in_the_middle_of_an_accumulation(toys, kind):
    # the mean of six hours; recorded from the third on: three of six hours of what is put then, at rate 1/2
    run = slow_tank(toys, Timing(reduction=Reduction.MEAN))
    run.advance(toys.at(3))
    with run.recording(kind) as tape:
        run.put(FLUX, torch.ones(1, 4, dtype=torch.float64))
        run.advance(toys.at(6))
    one = torch.ones(1, 1, 4, dtype=torch.float64)
    # six hours of inflow at its mean: 6 * 3/6 * 1/2
    assert gradients(run, tape, {(LEVEL, toys.at(6)): one})[FLUX, toys.at(3)].tolist() == [[[1.5] * 4]]
    moved = tangents(run, tape, {(FLUX, toys.at(3)): one}, [(LEVEL, toys.at(6))])
    assert moved[LEVEL, toys.at(6)].tolist() == [[[1.5] * 4]]


def slow_tank(toys, timing):
    """Return a source of hourly steps, and a tank that steps every six."""
    flux = {"flux": torch.full((1, 4), 2.0, dtype=torch.float64)}
    source = replace(toys.participant("source", toys.Source(), flux), step=toys.HOUR)
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(0.5)})
    exchange = replace(toys.connect(source, "flux", tank, "inflow"), timing=timing)
    return toys.CoupledRun(toys.Clock(toys.START, toys.at(12), 6 * toys.HOUR), [source, tank], [exchange])


# ---------------------------------------------------------------------- what is not repeated
class Log:
    """A policy that writes down what passes; not in replay."""

    def __init__(self):
        self.modes = frozenset({Mode.FORWARD, Mode.TANGENT})
        self.seen = []

    @hookimpl(wrapper=True)
    def tradewind_step(self, call):
        step = yield
        self.seen.append(call.interval)
        return step


def test_logs_and_counts_are_those_of_the_run_alone(make_chain, toys):
    log = Log()
    caller = StepCaller("tank", Part("tank", toys.Tank()), None, [Part("log", log)])
    run, one = make_chain(answer=caller, plugin="tank"), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 5, toys, Checkpoints, [(FLUX, 0, one[0])])
    run.vjp({(LEVEL, toys.at(5)): one})
    assert len(log.seen) == caller.tally["tank"].calls == 5


def test_a_step_made_again_takes_the_branch_that_was_recorded(make_chain, toys):
    # the surrogate is ten times the tank, valid below 3 kg/s when first asked, and everywhere later
    tank, modes = toys.Tank(), []

    class TenTimes:
        def tradewind_step(self, call):
            exports, state = tank.step(call.state, call.imports, call.parameters, call.interval)
            modes.append(call.mode)
            valid = call.imports["inflow"].detach().amax(1) < (3.0 if call.mode is Mode.FORWARD else 99.0)
            return Step({"level": 10 * exports["level"]}, state, valid)

    caller = StepCaller(
        "tank", Part("tank", tank), Part("ten", TenTimes()), [Part("guard", Guard(Options()))]
    )
    run = make_chain(answer=caller, plugin="tank", members=2)
    flux = torch.tensor([[1.0], [5.0]], dtype=torch.float64).expand(2, 4)
    tape = recorded(run, 2, toys, Checkpoints, [(FLUX, 0, flux)])
    found = run.vjp({(LEVEL, toys.at(2)): torch.ones(1, 2, 4, dtype=torch.float64)})
    assert found[FLUX, toys.at(0)][0, :, 0].tolist() == [10.0, 1.0]
    assert [taken.branch.tolist() for taken in tape if getattr(taken, "branch", None) is not None] == [
        [False, True]
    ] * 2
    assert modes[:2] == [Mode.FORWARD] * 2
    assert set(modes[2:]) == {Mode.REPLAY}


def test_memory_beyond_the_state_variables_is_made_again_too(make_chain, toys):
    # a tank that leaks more with every step, as its extras count them for each member
    class Older(toys.Tank):
        def initialize(self, spec, layouts, members):
            return replace(
                super().initialize(spec, layouts, members), extras={"age": PerMember([0] * members)}
            )

        def step(self, state, imports, parameters, interval):
            age = state.extras["age"]
            kept = 1.0 / torch.tensor([a + 1.0 for a in age], dtype=torch.float64)[:, None]
            amount = kept * state.fields["amount"] + imports["inflow"]
            new = toys.State({"amount": amount}, {"age": PerMember(a + 1 for a in age)})
            return {"level": parameters["rate"][:, None] * amount}, new

    found, one = [], torch.ones(1, 1, 4, dtype=torch.float64)
    for kind in (Keep, Checkpoints):
        run = make_chain(Older)
        recorded(run, 4, toys, kind, [(FLUX, 0, one[0])])
        found.append(run.vjp({(LEVEL, toys.at(4)): one})[FLUX, toys.at(0)][0, 0, 0].item())
    # amounts 1, 1 + 1/2, 1 + 1.5/3, 1 + 1.5/4: level is half of the last
    assert found == pytest.approx([0.6875, 0.6875], rel=1e-15)


def test_a_model_that_fails_when_stepped_again_says_so(make_chain, toys):
    class Moody(toys.Tank):
        fails = False

        def step(self, state, imports, parameters, interval):
            if self.fails:
                raise ValueError("not again")
            return super().step(state, imports, parameters, interval)

    run, one = make_chain(Moody), torch.ones(1, 1, 4, dtype=torch.float64)
    recorded(run, 2, toys, Checkpoints, [(FLUX, 0, one[0])])
    next(p.component for p in run.participants if p.name == "tank").fails = True
    with pytest.raises(ValueError, match="not again"):
        run.vjp({(LEVEL, toys.at(2)): one})


# ---------------------------------------------------------------------- opening, rewinding, asking
@KINDS
def test_rewinding_empties_the_open_tape(make_chain, toys, kind):
    run = make_chain()
    moment = run.moment
    with run.recording(kind) as tape:
        run.put(FLUX, torch.ones(1, 4, dtype=torch.float64))
        run.advance(toys.at(3))
        run.rewind(moment)
        assert len(tape) == len(tape.puts) == 0
        assert not tape.has_step("tank", toys.at(1))
        run.advance(toys.at(2))
    assert len(tape) == len(list(tape)) == len(list(reversed(tape))) == 2 * 2


@KINDS
def test_a_tape_knows_puts_and_ends_of_steps(toys, kind):
    run = slow_tank(toys, Timing(reduction=Reduction.MEAN))
    run.advance(toys.at(2))
    tape = recorded(run, 5, toys, kind, [(FLUX, 4, torch.ones(1, 4, dtype=torch.float64))])
    assert list(tape.puts) == [(FLUX, toys.at(4))]
    assert [h for h in range(14) if tape.has_step("source", toys.at(h))] == [3, 4, 5, 6, 7]
    assert [h for h in range(14) if tape.has_step("tank", toys.at(h))] == [6]


@KINDS
def test_a_tape_of_nothing_but_puts_goes_both_ways(make_chain, toys, kind):
    run = make_chain()
    with run.recording(kind) as tape:
        run.put(FLUX, torch.ones(1, 4, dtype=torch.float64))
        run.put(RATE, toys.scalar(1.0))
    assert [put.port for put in tape] == [FLUX, RATE]
    assert [put.port for put in reversed(tape)] == [RATE, FLUX]


@KINDS
def test_a_tape_within_a_tape_leaves_no_gap_in_the_outer_one(make_chain, toys, kind):
    run, one = make_chain(), torch.ones(1, 1, 4, dtype=torch.float64)
    with run.recording(kind) as outer:
        run.put(FLUX, one[0])
        run.advance(toys.at(1))
        with run.recording(kind) as inner:
            run.advance(toys.at(2))
        run.advance(toys.at(3))
    assert (len(outer), len(inner)) == (7, 2)
    assert gradients(run, outer, {(LEVEL, toys.at(3)): one})[FLUX, toys.at(0)].tolist() == [[[1.5] * 4]]


# ---------------------------------------------------------------------- which kind, where nobody says
def test_a_short_run_keeps_everything_and_a_long_one_moments(make_chain, toys, monkeypatch):
    run = make_chain()
    assert sparing(run, toys.at(6)) is Keep
    # an hour takes 4 cells of the source's parameter, 4 of amount and inflow each, and a rate: 13 numbers
    monkeypatch.setattr(checkpoints, "LARGE", 8 * 13 * 6)
    assert sparing(run, toys.at(6)) is Keep
    monkeypatch.setattr(checkpoints, "LARGE", 8 * 13 * 6 - 1)
    assert sparing(run, toys.at(6)) is Checkpoints
    assert sparing(run, toys.at(5)) is Keep


def test_the_torch_function_of_a_long_run_gives_the_same_bits(make_chain, toys, monkeypatch):
    found = []
    for large in (2**29, 0):
        monkeypatch.setattr(checkpoints, "LARGE", large)
        run, flux = make_chain(toys.Leaky), toys.draw(1, 4).requires_grad_()
        (level,) = gradient_function(run, [FLUX], [(LEVEL, toys.at(6))], toys.at(6))(flux)
        level.square().sum().backward()
        assert type(run.tape) is (Keep if large else Checkpoints)
        found.append(flux.grad)
    assert torch.equal(*found)


# ---------------------------------------------------------------------- components that run ahead
def ahead(toys):
    """Return a source and a tank of hourly steps, joined by the mean of six hours: the source runs ahead."""
    source = toys.participant("source", toys.Source(), {"flux": torch.ones(1, 4, dtype=torch.float64)})
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(0.5)})
    source, tank = (replace(p, step=toys.HOUR) for p in (source, tank))
    timing = Timing(6 * toys.HOUR, Reduction.MEAN)
    exchange = replace(toys.connect(source, "flux", tank, "inflow"), timing=timing)
    echo = toys.participant("echo", toys.Tank(), {"rate": toys.scalar(1.0)})
    fed = toys.connect(source, "flux", echo, "inflow")
    echo = replace(echo, step=toys.HOUR)
    return toys.CoupledRun(
        toys.Clock(toys.START, toys.at(12), 6 * toys.HOUR), [source, tank, echo], [exchange, fed]
    )


def test_the_torch_function_reads_what_stood_at_the_time_not_what_was_made_since(toys):
    # when the tank's first hour is made, the echo has stepped for six: 6 kg in it, but 2 after two hours
    run = ahead(toys)
    function = gradient_function(
        run, ["source.flux"], [("echo.amount", toys.at(2)), (AMOUNT, toys.at(1))], toys.at(2)
    )
    flux = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    early, filled = function(flux)
    assert early.tolist() == [[2.0] * 4]
    torch.testing.assert_close(filled, torch.ones(1, 4, dtype=torch.float64), rtol=1e-15, atol=0)
    assert run.get("echo.amount").tolist() != early.tolist()  # it has run ahead
    early.sum().backward()
    assert flux.grad.tolist() == [[2.0] * 4]


def test_the_torch_function_refuses_times_at_which_no_step_ends(make_chain, toys):
    one = torch.ones(1, 4, dtype=torch.float64)
    function = gradient_function(make_chain(), [FLUX], [(LEVEL, toys.at(3))], toys.at(2))
    with pytest.raises(
        SpecError, match=r"tank\.level: no step ends at 2000-01-01 03:00:00, up to 2000-01-01 02"
    ):
        function(one)
    function = gradient_function(make_chain(), [FLUX], [("tank.levle", toys.at(2))], toys.at(2))
    with pytest.raises(SpecError, match="no component exports such a variable"):
        function(one)


def test_a_tape_that_only_watches_holds_nothing_else(make_chain, toys):
    run = make_chain()
    event = ("tank.level", toys.at(2))
    with run.recording(Watch) as tape:
        tape.watch("tank", event)
        run.put("source.flux", toys.draw(1, 4))
        run.advance(toys.at(3))
    assert (len(tape), list(tape), list(reversed(tape))) == (0, [], [])
    with run.recording() as kept:
        kept.watch("tank", event)
        run.rewind(run.start())
        run.put("source.flux", toys.draw(1, 4))
        run.advance(toys.at(2))
    assert torch.equal(tape.seen[event], kept.seen[event])
    assert torch.equal(tape.seen[event], run.get("tank.level"))
