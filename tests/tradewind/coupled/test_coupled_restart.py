"""A run kept in a file goes on as if it had never stopped, or says why it cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from math import isnan

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.errors import DataError, SpecError


@pytest.fixture
def half_way(make_chain, toys):
    run = make_chain(toys.Leaky, toys.FINE, members=2)
    run.put("source.flux", toys.draw(2, 4))
    run.advance(toys.at(3))
    return run


def test_a_restored_run_goes_on_with_the_same_bits(half_way, make_chain, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    half_way.advance(toys.at(6))
    again = make_chain(toys.Leaky, toys.FINE, members=2)
    again.restore(tmp_path / "run.safetensors")
    assert again.time == toys.at(3)
    again.advance(toys.at(6))
    for port in ("tank.level", "tank.amount", "tank.inflow", "source.flux"):
        assert torch.equal(again.get(port), half_way.get(port))


def test_exports_can_be_read_before_the_next_step(half_way, make_chain, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    again = make_chain(toys.Leaky, toys.FINE, members=2)
    again.restore(tmp_path / "run.safetensors")
    assert torch.equal(again.get("tank.level"), half_way.get("tank.level"))


def test_extras_come_back_as_they_were(make_chain, toys, tmp_path):
    class Counting(toys.Tank):
        def step(self, state, imports, parameters, interval):
            exports, new = super().step(state, imports, parameters, interval)
            count = state.extras.get("count", 0) + 1
            return exports, State(new.fields, {"count": count, "stream": ["a", 1.5, None]})

    run, again = make_chain(Counting), make_chain(Counting)
    run.advance(toys.at(2))
    run.save(tmp_path / "run.safetensors")
    again.restore(tmp_path / "run.safetensors")
    assert again.moment.states["tank"].extras == {"count": 2, "stream": ["a", 1.5, None]}
    again.advance(toys.at(3))
    assert again.moment.states["tank"].extras["count"] == 3


@pytest.mark.parametrize("extra", [object(), (1, 2), float("nan"), {1: "a"}])
def test_extras_that_would_not_come_back_are_refused(make_chain, toys, tmp_path, extra):
    run = make_chain()
    state = run.moment.states["tank"]
    run.moment.states["tank"] = State(state.fields, {"handle": extra})
    with pytest.raises(SpecError, match="component 'tank': its state's extras are no plain values"):
        run.save(tmp_path / "run.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_header_says_what_is_not_carried(half_way, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    with safe_open(tmp_path / "run.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["tradewind-run"])
    assert "not the tape" in header["carries"]
    assert header["time"] == "2000-01-01T03:00:00"


def test_an_open_tape_starts_anew(half_way, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    with half_way.recording() as tape:
        half_way.advance(toys.at(4))
        half_way.restore(tmp_path / "run.safetensors")
        assert len(tape) == 0


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"members": 3}, "members is '3' in this run, '2' in the file"),
        ({"grid": "COARSE"}, r"import tank\.inflow is .*2x2.* in this run, .*4x3"),
        ({"tank": "Wider"}, r"state tank\.more is .* in this run, 'absent' in the file"),
    ],
)
def test_the_file_of_another_run_is_refused(half_way, make_chain, toys, tmp_path, change, what):
    class Wider(toys.Leaky):
        def describe(self):
            spec = super().describe()
            more = toys.Variable("more", "kg", self.grid)
            return toys.Spec(spec.imports, spec.exports, (*spec.state, more), spec.parameters)

        def initialize(self, spec, layouts, members):
            zeros = torch.zeros(members, layouts["more"].n_local, dtype=torch.float64)
            return State({"amount": zeros, "more": zeros})

    kinds = {"Wider": Wider, "COARSE": toys.COARSE}
    keywords = {"tank": toys.Leaky, "grid": toys.FINE, "members": 2}
    other = make_chain(**keywords | {k: kinds.get(v, v) for k, v in change.items()})
    half_way.save(tmp_path / "run.safetensors")
    with pytest.raises(DataError, match=f"holds another run: {what}"):
        other.restore(tmp_path / "run.safetensors")
    assert other.time == toys.START


def test_a_run_that_ends_earlier_is_refused(half_way, make_chain, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    short = make_chain(toys.Leaky, toys.FINE, members=2, hours=2)
    with pytest.raises(DataError, match="stands at 2000-01-01 03:00:00, this run stops at"):
        short.restore(tmp_path / "run.safetensors")


def test_a_truncated_file_is_refused(half_way, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"run\.safetensors: is damaged"):
        half_way.restore(path)


def test_changed_numbers_are_noticed(half_way, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="its numbers are not those that were saved"):
        half_way.restore(path)


def test_a_file_of_something_else_is_refused(half_way, tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "net.safetensors")
    with pytest.raises(DataError, match="is no saved run"):
        half_way.restore(tmp_path / "net.safetensors")
    with pytest.raises(DataError, match="no such file"):
        half_way.restore(tmp_path / "missing.safetensors")


def test_a_folder_that_is_not_there_is_named_and_nothing_is_left(half_way, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        half_way.save(tmp_path / "nowhere" / "run.safetensors")


def test_an_older_file_is_replaced_whole(half_way, toys, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    before = load_file(path)
    half_way.advance(toys.at(4))
    half_way.save(path)
    assert not torch.equal(load_file(path)["state:tank.amount"], before["state:tank.amount"])
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


# ---------------------------------------------------------------------- in the middle of a period
def in_time(toys, timing, members=1, hours=12, start=None, **changes):
    """Return a run of a tap, every hour, and a tank, every 3 hours; the tap's flux is what was put."""
    start = start or toys.START
    tap = replace(toys.participant("tap", toys.Source(toys.FINE)), step=toys.HOUR)
    tank = toys.participant("tank", toys.Leaky(toys.FINE), {"rate": toys.scalar(0.5)})
    exchange = toys.connect(tap, "flux", tank, "inflow", changes.pop("factor", 1.0))
    exchange = replace(exchange, timing=timing, **changes)
    clock = Clock(start, start + hours * toys.HOUR, 6 * toys.HOUR)
    everybody = [tap, replace(tank, step=3 * toys.HOUR)]
    run = CoupledRun(clock, everybody, [exchange], members)
    run.put("tap.flux", toys.draw(1, toys.FINE.size))
    return run


def go_on(run, toys, hour):
    """Advance by an hour at a time, with another flux each time."""
    while run.time < run.clock.stop:
        run.put("tap.flux", toys.draw(1, toys.FINE.size, seed=(run.time - run.clock.start) // toys.HOUR))
        run.advance(run.time + toys.HOUR)
        if run.time == run.clock.start + hour * toys.HOUR:
            return


TIMINGS = {
    "mean": Timing(reduction=Reduction.MEAN),
    "largest, lagging": Timing(reduction=Reduction.MAX, lag=3, initial=0.25),
    "on a line": Timing(every=timedelta(hours=6), interpolation=Interpolation.LINEAR, initial=2.0),
}


@pytest.mark.parametrize("hour", [1, 3, 4, 8])
@pytest.mark.parametrize("timing", TIMINGS.values(), ids=TIMINGS.keys())
def test_half_full_periods_go_on_with_the_same_bits_and_the_same_ledger(toys, tmp_path, timing, hour):
    whole, again = in_time(toys, timing, 2), in_time(toys, timing, 2)
    go_on(whole, toys, hour)
    whole.save(tmp_path / "run.safetensors")
    again.restore(tmp_path / "run.safetensors")
    past = len(whole.ledger)
    for run in (whole, again):
        go_on(run, toys, 12)
    assert torch.equal(again.get("tank.level"), whole.get("tank.level"))
    assert again.ledger == whole.ledger[past:]
    assert len(again.ledger) >= 1


def test_what_is_not_a_number_comes_back(toys, tmp_path):
    # a grid of points has no areas: all integrals are NaN
    points = toys.Grid.points([10.0, 20.0], [0.0, 10.0])
    tap = toys.participant("tap", toys.Source(points), {"flux": torch.ones(1, 2, dtype=torch.float64)})
    tank = toys.participant("tank", toys.Tank(points), {"rate": toys.scalar(1.0)})
    exchange = replace(toys.connect(tap, "flux", tank, "inflow"), timing=Timing(lag=1, initial=1.0))
    run = CoupledRun(Clock(toys.START, toys.at(2), toys.HOUR), [tap, tank], [exchange])
    run.advance(toys.at(1))
    run.save(tmp_path / "run.safetensors")
    run.restore(tmp_path / "run.safetensors")
    assert [isnan(left) for left in run.moment.buffers[0].left.values()] == [True]


def test_a_moment_of_another_calendar_comes_back(toys, tmp_path):
    start = Calendar.DAYS_360.time(2000, 2, 29, 18)
    run, again = (in_time(toys, TIMINGS["mean"], hours=18, start=start) for _ in range(2))
    go_on(run, toys, 13)
    run.save(tmp_path / "run.safetensors")
    again.restore(tmp_path / "run.safetensors")
    assert again.time == Calendar.DAYS_360.time(2000, 2, 30, 7)
    go_on(again, toys, 18)
    go_on(run, toys, 18)
    assert torch.equal(again.get("tank.level"), run.get("tank.level"))


def ramp(toys, slope):
    return slope * torch.arange(float(toys.FINE.size), dtype=torch.float64)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"timing": Timing(reduction=Reduction.MAX)}, "time max.* in this run, .*time mean"),
        ({"timing": Timing(every=timedelta(hours=6), reduction=Reduction.MEAN)}, "every 6:00:00"),
        ({"timing": replace(TIMINGS["mean"], lag=1, initial=0.0)}, "lag 1, .*initial 0.0"),
        ({"factor": 2.0}, "factor 2.0"),
        ({"factor": 1.0}, "factor a field"),
        ({"offset": 1.0}, "offset 1.0"),
        ({"fraction": 0.5}, "fraction a field"),
        ({"fraction": None}, "in this run, .*fraction a field"),
        ({"merge": Merge.SUM}, "merge sum"),
    ],
)
def test_every_setting_of_an_exchange_has_to_be_the_same(toys, tmp_path, change, what):
    fields = {"factor": ramp(toys, 0.5), "fraction": ramp(toys, 1.0)}
    in_time(toys, TIMINGS["mean"], **fields).save(tmp_path / "run.safetensors")
    if change.get("fraction"):
        change = {"fraction": ramp(toys, change["fraction"])}
    settings = {"timing": TIMINGS["mean"], **fields, **change}
    with pytest.raises(
        DataError, match=rf"holds another run: exchange 1 is 'tap\.flux -> tank\.inflow: .*{what}"
    ):
        in_time(toys, **settings).restore(tmp_path / "run.safetensors")


def test_other_steps_are_another_run(toys, tmp_path):
    run = in_time(toys, TIMINGS["mean"])
    run.save(tmp_path / "run.safetensors")
    tap, tank = run.participants
    other = CoupledRun(run.clock, [tap, replace(tank, step=toys.HOUR)], run.exchanges)
    with pytest.raises(DataError, match="holds another run: step of tank is"):
        other.restore(tmp_path / "run.safetensors")


# ---------------------------------------------------------------------- damage
def rewritten(path, change):
    """Change the header of a file, and leave its numbers."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["tradewind-run"])
    save_file(load_file(path), path, {"tradewind-run": change(header)})


def test_a_file_of_the_first_format_is_refused(half_way, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    rewritten(path, lambda header: json.dumps(header | {"format": 1}))
    with pytest.raises(DataError, match=r"has format 1, expected 2 \(it was written by another version"):
        half_way.restore(path)


@pytest.mark.parametrize("change", [{"number": 7}, {"time": "2000-01-01T02:00:00"}, {"ledger": []}])
def test_a_changed_header_is_noticed(half_way, tmp_path, change):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    rewritten(path, lambda header: json.dumps(header | change))
    with pytest.raises(DataError, match="its numbers are not those that were saved"):
        half_way.restore(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "7"])
def test_a_header_that_is_none_is_refused(half_way, tmp_path, text):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    rewritten(path, lambda _: text)
    with pytest.raises(DataError, match=r"run\.safetensors: is damaged"):
        half_way.restore(path)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_a_file_that_ends_early_is_refused_wherever_it_ends(half_way, tmp_path, keep):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"run\.safetensors: is damaged"):
        half_way.restore(path)
