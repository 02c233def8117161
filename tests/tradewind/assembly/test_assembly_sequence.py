"""The run sequence of a config: the plan that check shows, circles, orders and steps that do not serve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tradewind.assembly import assemble
from tradewind.check import check
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.errors import ConfigError

MODELS = '''
"""Models of one point that take any imports and give any exports."""
import torch
from tradewind import Grid, Spec, State, Variable, hookimpl
from tradewind.plugins.options import Options

POINT = Grid.latlon([0.0, 10.0], [0.0, 10.0])


class ModelOptions(Options):
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    inner: float | None = None


class Model:
    def __init__(self, options):
        self.options, self.clock = options, None

    def describe(self):
        takes, gives = (tuple(Variable(n, "K", POINT) for n in names)
                        for names in (self.options.takes, self.options.gives))
        return Spec(imports=takes, exports=gives, step_seconds=self.options.inner)

    def verify(self, clock):
        self.clock = clock

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        value = sum(imports.values(), torch.ones(1, 4, dtype=torch.float64))
        return {name: value for name in self.options.gives}, state

    def finalize(self):
        pass


@hookimpl
def tradewind_register_component(register):
    register("model", factory=f"{__name__}:Model", options=f"{__name__}:ModelOptions", summary="anything")
'''
CONFIG = """\
plugins: [models.py]
run:
  start: 2000-02-28
  stop: 2000-03-01
  step: 6h
components:
  air: {plugin: model, options: {takes: [heat, warmth], gives: [t]}}
  land: {plugin: model, step: 1h, options: {takes: [t], gives: [heat]}}
  sea: {plugin: model, options: {takes: [t], gives: [warmth]}}
exchanges:
  - {from: land.heat, to: air.heat}
  - {from: sea.warmth, to: air.warmth}
  - {from: air.t, to: land.t, lag: 6h, initial: 280.0}
  - {from: air.t, to: sea.t, lag: 6h, initial: 280.0}
"""
CIRCLE = (", to: sea.t, lag: 6h, initial: 280.0", ", to: sea.t")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the config, with pairs of texts replaced."""

    def write(*changes: tuple[str, str]) -> Path:
        (tmp_path / "models.py").write_text(MODELS)
        text = CONFIG
        for old, new in changes:
            if old not in text:
                raise ValueError(f"{old!r} is not in the config")
            text = text.replace(old, new)
        (tmp_path / "run.yaml").write_text(text)
        return tmp_path / "run.yaml"

    return write


def sequence(path: Path, *overrides: str) -> list[str]:
    """Return the lines of the plan that show the sequence, its indentation kept."""
    report = check(path, overrides)
    assert report.faults == ()
    lines = list(report.lines)
    first = next(i for i, line in enumerate(lines) if line.startswith("sequence"))
    rest = [line for line in lines[first:] if line.startswith(("sequence", " "))]
    return [line[11:] for line in rest]


def only_fault(path: Path, *overrides: str) -> str:
    report = check(path, overrides)
    assert len(report.faults) == 1, report.faults
    return report.faults[0].rpartition("/")[2]


# ---------------------------------------------------------------------- the plan
def test_the_plan_nests_and_says_what_is_given_before_each_step(write):
    assert sequence(write()) == [
        "every 6 h:",
        "  every 1 h:",
        "    air.t -> land.t (lag 6 h, held for 6 h)",
        "    land",
        "  air.t -> sea.t (lag 6 h)",
        "  sea",
        "  land.heat -> air.heat (last of 6 h)",
        "  sea.warmth -> air.warmth",
        "  air",
    ]


def test_means_and_interpolations_are_told(write):
    mean = ("to: air.heat}", "to: air.heat, time: mean}")
    linear = ("to: land.t,", "to: land.t, interpolate: linear,")
    lines = sequence(write(mean, linear))
    assert "  land.heat -> air.heat (mean over 6 h)" in lines
    assert "    air.t -> land.t (lag 6 h, linear in time)" in lines


def test_the_plan_is_the_order_in_which_a_run_steps(write):
    run = assemble(write()).run()
    assert [planned.call.component for planned in run.plan.steps] == ["land"] * 6 + ["sea", "air"]


def test_a_check_initialises_nothing(write):
    path = write()
    broken = (
        path.with_name("models.py").read_text().replace("return State()", "raise RuntimeError('started')")
    )
    path.with_name("models.py").write_text(broken)
    assert check(path).faults == ()


def test_the_plan_names_the_calendar_and_steps_of_their_own(write):
    lines = check(write(("  step: 6h", "  step: 6h\n  calendar: noleap"))).lines
    assert (
        lines[0]
        == "run        2000-02-28 00:00:00 to 2000-03-01 00:00:00, 4 steps of 6:00:00, noleap calendar"
    )
    assert "component  land: model answers, step 1 h" in lines
    assert "component  air: model answers" in lines


# ---------------------------------------------------------------------- an order that is asked for
def test_an_order_decides_where_the_exchanges_leave_it_open(write):
    assert sequence(write(), "run.sequence=[sea, land, air]")[1:4] == [
        "  every 1 h:", "    air.t -> land.t (lag 6 h, held for 6 h)", "    land",
    ]  # fmt: skip
    lines = sequence(
        write(("land: {plugin: model, step: 1h", "land: {plugin: model")), "run.sequence=[sea, land, air]"
    )
    assert [line.strip() for line in lines if "->" not in line] == ["every 6 h:", "sea", "land", "air"]


def test_an_order_against_the_exchanges_is_refused_with_both_names_and_what_to_do(write):
    path = write(("  step: 6h", "  step: 6h\n  sequence: [air, land, sea]"))
    assert only_fault(path) == (
        "run.yaml:6: run.sequence: air stands before land, but needs land.heat -> air.heat "
        "(every 6:00:00) of the same period (swap them, or let land.heat -> air.heat lag)"
    )


def test_the_answers_do_not_depend_on_an_order_that_serves(write):
    answers = []
    for order in ("[sea, land, air]", "[land, sea, air]"):
        run = assemble(write(), [f"run.sequence={order}"]).run()
        run.advance(run.clock.stop)
        answers.append(run.get("air.t"))
    assert answers[0].equal(answers[1])


def test_an_order_that_leaves_one_out_is_one_fault(write):
    assert "run.sequence: leaves out 'sea'" in only_fault(write(), "run.sequence=[land, air]")


# ---------------------------------------------------------------------- circles
def test_a_circle_is_refused_with_its_components_and_the_exchanges_that_could_lag(write):
    fault = only_fault(write(CIRCLE))
    assert fault.startswith("run.yaml:10: exchanges: exchanges form a circle: ")
    assert "air -> sea -> air" in fault or "sea -> air -> sea" in fault
    assert "let one lag (longer), with `initial`" in fault
    assert "air.t -> sea.t (every 6:00:00)" in fault
    assert "land" not in fault


def test_a_component_that_feeds_itself_at_once_is_a_fault_of_that_exchange(write):
    path = write(("takes: [t], gives: [warmth]", "takes: [t, warmth], gives: [warmth]"),
                 ("exchanges:\n", "exchanges:\n  - {from: sea.warmth, to: sea.warmth}\n"))  # fmt: skip
    fault = only_fault(path)
    assert fault.startswith("run.yaml:11: exchanges.0: exchanges form a circle: sea -> sea")


def test_a_circle_is_found_beside_other_faults(write):
    path = write(CIRCLE, ("gives: [heat]}", "gives: [heat], taks: 1}"))
    faults = check(path).faults
    assert len(faults) == 2
    assert any("form a circle" in fault for fault in faults)


# ---------------------------------------------------------------------- steps
def test_a_component_is_verified_with_the_clock_of_its_own_steps(write):
    assembly = assemble(write())
    steps = {name: str(member.component.clock.step) for name, member in assembly.members.items()}
    assert steps == {"air": "6:00:00", "land": "1:00:00", "sea": "6:00:00"}


def test_a_step_that_does_not_divide_the_runs_is_the_only_fault(write):
    fault = only_fault(write(("step: 1h", "step: 4h")))
    assert fault.startswith(
        "run.yaml:8: components.land.step: the step (4:00:00) must divide run.step (6:00:00)"
    )


@pytest.mark.parametrize("inner", [600, 3600, 0.5])
def test_an_internal_step_that_divides_the_own_step_is_accepted(write, inner):
    assert check(write(("gives: [heat]}", f"gives: [heat], inner: {inner}}}"))).faults == ()


@pytest.mark.parametrize("inner", [5400, 7200, 0, -600])
def test_an_internal_step_that_does_not_is_a_fault_of_the_step(write, inner):
    fault = only_fault(write(("gives: [heat]}", f"gives: [heat], inner: {inner}}}")))
    assert fault.startswith("run.yaml:8: components.land.step: model's internal step of ")
    assert "does not divide 1:00:00" in fault


def test_without_a_step_of_its_own_the_internal_step_divides_the_runs(write):
    assert check(write(("gives: [warmth]}", "gives: [warmth], inner: 7200}"))).faults == ()
    fault = only_fault(write(("gives: [warmth]}", "gives: [warmth], inner: 14400}")))
    assert (
        "run.yaml:9: components.sea.step: model's internal step of 4:00:00 does not divide 6:00:00" in fault
    )


# ---------------------------------------------------------------------- calendars
@pytest.mark.parametrize(("calendar", "steps"), [("standard", 8), ("noleap", 4), ("360_day", 12)])
def test_a_run_goes_through_the_end_of_february_in_its_calendar(write, calendar, steps):
    run = assemble(write(), [f"run.calendar={calendar}"]).run()
    run.advance(run.clock.stop)
    assert run.time == Calendar(calendar).time(2000, 3, 1)
    assert len([e for e in run.ledger if e.exchange == "sea.warmth -> air.warmth"]) == steps


def test_a_run_does_not_advance_to_a_time_of_another_calendar(write):
    run = assemble(write(), ["run.calendar=noleap"]).run()
    with pytest.raises(
        ConfigError, match=r"advance: 2000-02-28 06.* of the standard calendar, .* of the noleap"
    ):
        run.advance(datetime(2000, 2, 28, 6))


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_a_run_of_another_calendar_is_saved_and_goes_on_with_the_same_bits(write, calendar, tmp_path):
    whole, first, second = (assemble(write(), [f"run.calendar={calendar}"]).run() for _ in range(3))
    whole.advance(whole.clock.stop)
    first.advance(Calendar(calendar).time(2000, 2, 28, 15))
    first.save(tmp_path / "a.restart")
    second.restore(tmp_path / "a.restart")
    assert second.time == first.time
    second.advance(second.clock.stop)
    assert second.get("air.t").equal(whole.get("air.t"))
