"""One hook call per step: who answers, who wraps, in which order, and what replay leaves out."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest
import torch

from tradewind.couplers.coupling.component import Interval, Mode, Step, StepCall
from tradewind.couplers.coupling.fields import State
from tradewind.errors import PluginError
from tradewind.markers import hookimpl
from tradewind.plugins.caller import Part, StepCaller

DAY = Interval(datetime(2000, 1, 1), datetime(2000, 1, 2))
MEMBERS = 4


def call(mode: Mode = Mode.FORWARD, **changed: Any) -> StepCall:
    """Return a call for four members, whose state is 0, 1, 2, 3 and whose import is ten times that."""
    x = torch.arange(MEMBERS, dtype=torch.float64)[:, None]
    whole = StepCall("air", State({"x": x}), {"u": 10 * x}, {"k": 100 * x}, DAY, mode)
    return replace(whole, **changed)


class Model:
    """Adds state, import and parameter; counts the members that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def step(
        self, state: State, imports: Any, parameters: Any, interval: Interval
    ) -> tuple[dict[str, torch.Tensor], State]:
        x = state.fields["x"] + imports["u"] + parameters["k"]
        self.asked.append(len(x))
        return {"x": x}, State({"x": x})


class Net:
    """Answers -1 for every member and trusts only those of even number."""

    def tradewind_step(self, call: StepCall) -> Step | None:
        x = torch.full_like(call.state.fields["x"], -1.0)
        return Step({"x": x}, State({"x": x}), valid=torch.arange(len(x)) % 2 == 0)


class Silent:
    """A surrogate that is never at home."""

    def tradewind_step(self, call: StepCall) -> Step | None:
        return None

    def tradewind_linearize(self, model: Any, x: Any, window: Any) -> Any:
        return None


class Spy:
    """A wrapper that notes when it was entered and left."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    @hookimpl(wrapper=True)
    def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
        self.log.append(f"into {self.name}")
        step = yield
        self.log.append(f"out of {self.name}")
        return step


class Guard:
    """Replaces the members that are not valid by the reference's; in replay, those of the branch."""

    modes = frozenset(Mode)

    @hookimpl(wrapper=True)
    def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
        step = yield
        members = call.branch if call.mode is Mode.REPLAY else self.doubtful(step)
        if members is None or len(members) == 0 or call.reference is None:
            return step
        real = call.reference(members)
        x = step.exports["x"].index_copy(0, members, real.exports["x"])
        return replace(step, exports={"x": x}, state=step.state.merge(real.state, members))

    def doubtful(self, step: Step) -> torch.Tensor | None:
        return None if step.valid is None else torch.nonzero(~step.valid)[:, 0]


def caller(surrogate: object = None, *policies: object, model: object | None = None) -> StepCaller:
    """Return a caller with named parts."""
    return StepCaller(
        "air",
        Part("model", model or Model()),
        None if surrogate is None else Part("net", surrogate),
        [Part(f"policy-{i}", policy) for i, policy in enumerate(policies)],
    )


def test_without_a_surrogate_the_model_answers() -> None:
    step = caller()(call())
    assert step.answered_by == "model"
    assert step.exports["x"][:, 0].tolist() == [0.0, 111.0, 222.0, 333.0]


def test_the_surrogate_answers_first() -> None:
    model = Model()
    step = caller(Net(), model=model)(call())
    assert (step.answered_by, model.asked) == ("net", [])


def test_a_surrogate_that_declines_leaves_the_answer_to_the_model() -> None:
    assert caller(Silent())(call()).answered_by == "model"


def test_a_surrogate_may_sign_its_answer_itself() -> None:
    class Signed(Net):
        def tradewind_step(self, call: StepCall) -> Step | None:
            return Step({}, call.state, answered_by="net, second head")

    assert caller(Signed())(call()).answered_by == "net, second head"


def test_policies_nest_in_their_declared_order() -> None:
    log: list[str] = []
    caller(None, Spy("a", log), Spy("b", log), Spy("c", log))(call())
    assert log == ["into a", "into b", "into c", "out of c", "out of b", "out of a"]


def test_a_guard_merges_answers_member_by_member() -> None:
    model = Model()
    step = caller(Net(), Guard(), model=model)(call())
    assert step.exports["x"][:, 0].tolist() == [-1.0, 111.0, -1.0, 333.0]
    assert step.state.fields["x"][:, 0].tolist() == [-1.0, 111.0, -1.0, 333.0]
    assert model.asked == [2]


def test_the_reference_can_be_asked_for_all_members() -> None:
    class Always:
        @hookimpl(wrapper=True)
        def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
            yield
            assert call.reference is not None
            return call.reference(None)

    step = caller(Net(), Always())(call())
    assert (step.answered_by, len(step.exports["x"])) == ("model", MEMBERS)


def test_in_replay_only_policies_that_say_so_wrap() -> None:
    log: list[str] = []
    calling = caller(Net(), Spy("shadow", log), Guard())
    step = calling(call(Mode.REPLAY, branch=torch.tensor([0])))
    assert log == []
    assert step.exports["x"][:, 0].tolist() == [0.0, -1.0, -1.0, -1.0]


def test_in_a_tangent_step_all_policies_wrap() -> None:
    log: list[str] = []
    caller(None, Spy("a", log))(call(Mode.TANGENT))
    assert log == ["into a", "out of a"]


def test_gradients_pass_through_a_call() -> None:
    x = torch.ones(MEMBERS, 1, dtype=torch.float64, requires_grad=True)
    step = caller(Net(), Guard())(call(state=State({"x": x})))
    step.exports["x"].sum().backward()
    assert x.grad is not None
    assert x.grad[:, 0].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_answers_are_tallied_by_plugin_wherever_they_were_asked_for() -> None:
    calling = caller(Net(), Guard())
    for _ in range(3):
        calling(call())
    calling(call(Mode.REPLAY))
    tally = calling.tally
    assert (tally["net"].calls, tally["model"].calls) == (3, 3)
    assert min(tally["net"].seconds, tally["model"].seconds) > 0.0


def test_a_surrogate_that_declines_has_answered_nothing() -> None:
    calling = caller(Silent())
    calling(call())
    assert (calling.tally["net"].calls, calling.tally["model"].calls) == (0, 1)


def test_the_call_of_the_caller_s_caller_is_left_alone() -> None:
    given = call()
    caller()(given)
    assert given.reference is None


def test_a_surrogate_may_run_without_a_model() -> None:
    step = StepCaller("air", None, Part("net", Net()))(call())
    assert step.answered_by == "net"


def test_when_nobody_answers_all_who_could_are_named() -> None:
    calling = StepCaller("air", None, Part("net", Silent()))
    with pytest.raises(PluginError, match=r"component 'air': .*2000-01-01 00:00/.*one of net must answer"):
        calling(call())


def test_a_policy_that_forgets_to_return_is_found_out() -> None:
    class Forgetful:
        @hookimpl(wrapper=True)
        def tradewind_step(self, call: StepCall) -> Generator[None, Step, None]:
            yield

    with pytest.raises(PluginError, match=r"NoneType.*policy-0.*must return"):
        caller(None, Forgetful())(call())


def test_without_any_answerer_there_is_no_caller() -> None:
    with pytest.raises(PluginError, match="component 'air': nobody answers its steps"):
        StepCaller("air", None)


class Answers:
    """A policy that would be a second answerer."""

    @hookimpl
    def tradewind_step(self, call: StepCall) -> Step | None: ...


class Pushy:
    """A policy that would jump the queue."""

    @hookimpl(wrapper=True, tryfirst=True)
    def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
        return (yield)


class OldStyle:
    @hookimpl(hookwrapper=True)
    def tradewind_step(self, call: StepCall) -> Generator[None, Any, None]:
        yield


class Registers:
    @hookimpl(wrapper=True)
    def tradewind_register_solver(self, register: Any) -> Generator[None, Any, Any]:
        return (yield)


@pytest.mark.parametrize("policy", [Answers(), Pushy(), OldStyle(), Registers(), object()])
def test_a_policy_that_does_not_plainly_wrap_is_refused_at_start(policy: object) -> None:
    with pytest.raises(PluginError, match=r"component 'air': policy 'policy-0' does not wrap"):
        caller(None, policy)


def test_a_policy_with_wrong_arguments_is_refused_at_start() -> None:
    class Wrong:
        @hookimpl(wrapper=True)
        def tradewind_step(self, request: StepCall) -> Generator[None, Step, Step]:
            return (yield)

    with pytest.raises(PluginError, match=r"'policy-0' cannot take part.*request"):
        caller(None, Wrong())


def test_a_policy_with_a_misspelt_hook_is_refused_at_start() -> None:
    class Misspelt(Spy):
        @hookimpl(wrapper=True)
        def tradewind_stp(self, call: StepCall) -> Generator[None, Step, Step]:
            return (yield)

    with pytest.raises(PluginError, match="tradewind_stp"):
        caller(None, Misspelt("a", []))


def test_a_policy_takes_part_once() -> None:
    spy = Spy("a", [])
    with pytest.raises(PluginError, match="takes part once"):
        caller(None, spy, spy)


def test_a_policy_may_be_a_plain_dataclass() -> None:
    @dataclass
    class Counter:
        calls: int = 0

        @hookimpl(wrapper=True)
        def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
            self.calls += 1
            return (yield)

    counter = Counter()
    caller(None, counter)(call())
    assert counter.calls == 1


def test_a_model_without_step_is_refused_at_start() -> None:
    with pytest.raises(PluginError, match="plugin 'model': object has no method step"):
        caller(model=object())


def test_a_surrogate_without_answers_is_refused_at_start() -> None:
    with pytest.raises(PluginError, match="surrogate 'net': object answers no call"):
        caller(object())


def test_a_model_that_forgets_the_state_is_named() -> None:
    class Forgetful:
        def step(self, *_: Any) -> dict[str, torch.Tensor]:
            return {}

    with pytest.raises(
        PluginError, match=r"plugin 'model': step returned dict \(return \(exports, state\)\)"
    ):
        caller(model=Forgetful())(call())


def test_a_surrogate_that_answers_something_else_is_named() -> None:
    class Odd:
        def tradewind_step(self, call: StepCall) -> Any:
            return 3

    with pytest.raises(PluginError, match="surrogate 'net': tradewind_step returned int"):
        caller(Odd())(call())


def test_errors_of_the_model_pass_through_policies() -> None:
    class Explodes:
        def step(self, *_: Any) -> Any:
            raise FloatingPointError("blew up")

    log: list[str] = []
    with pytest.raises(FloatingPointError, match="blew up"):
        caller(None, Spy("a", log), model=Explodes())(call())


class Tangent:
    """A surrogate that stands in for a linearization only."""

    def tradewind_linearize(self, model: Any, x: Any, window: Any) -> Any:
        return f"K of {model} about {x} over {window}"


def test_a_surrogate_linearizes_first() -> None:
    calling = caller(Tangent())
    assert calling.linearize("model", "x", DAY) == f"K of model about x over {DAY}"
    assert calling.tally["net"].calls == 1


def test_a_surrogate_of_linearizations_leaves_steps_to_the_model() -> None:
    assert caller(Tangent())(call()).answered_by == "model"


def test_a_model_may_linearize_itself() -> None:
    class Own(Model):
        def tradewind_linearize(self, model: Any, x: Any, window: Any) -> Any:
            return "own K"

    assert caller(Silent(), model=Own()).linearize("model", "x", DAY) == "own K"


def test_without_a_linearization_the_tape_must_do_it() -> None:
    assert caller().linearize("model", "x", DAY) is None


def test_policies_may_wrap_linearizations() -> None:
    class Doubles:
        @hookimpl(wrapper=True)
        def tradewind_linearize(self, model: Any, x: Any, window: Any) -> Generator[None, Any, Any]:
            return 2 * (yield)

    class Three:
        def tradewind_linearize(self, model: Any, x: Any, window: Any) -> Any:
            return 3

    assert caller(Three(), Doubles()).linearize("model", "x", DAY) == 6
