"""One caller per component: every step is one hook call, answered by one plugin and wrapped by policies.

A call passes the policies in their declared order, outermost first, then asks the surrogate, which answers
or returns None, and last the reference model. The hooks are called per step, never per cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import pluggy

from tradewind.couplers.coupling.component import Mode, Step, StepCall
from tradewind.errors import PluginError
from tradewind.markers import PROJECT, hookimpl
from tradewind.plugins import hooks
from tradewind.plugins.manager import explain

if TYPE_CHECKING:
    import torch

    from tradewind.couplers.coupling.component import Component, Interval
    from tradewind.couplers.coupling.fields import Fields
    from tradewind.couplers.operators import LinearOperator

UNLESS_REPLAYED = frozenset({Mode.FORWARD, Mode.TANGENT})
CALL_HOOKS = ("tradewind_step", "tradewind_linearize")


@dataclass(frozen=True)
class Part:
    """A named participant of a model call: a reference model, a surrogate or a policy.

    Attributes
    ----------
    name
        The plugin's name in the run config; errors and reports use it.
    target
        A reference is a `Component`. A surrogate has a method ``tradewind_step(call)``,
        ``tradewind_linearize(model, x, window)`` or both. A policy has such methods, marked
        ``@hookimpl(wrapper=True)``, and may name the modes in which it acts in an attribute ``modes``
        (a set of `Mode`; all but replay when absent).
    """

    name: str
    target: object


@dataclass
class Tally:
    """How many calls a plugin has answered, and the seconds that this took; replays are not counted."""

    calls: int = 0
    seconds: float = 0.0

    def add(self, mode: Mode, seconds: float) -> None:
        """Count one answer."""
        if mode is not Mode.REPLAY:
            self.calls += 1
            self.seconds += seconds


class Reference:
    """The reference model as the answerer that is asked last."""

    def __init__(self, component: str, part: Part) -> None:
        self.name, self.tally = part.name, Tally()
        self._where = f"component {component!r}, plugin {part.name!r}"
        self._target = cast("Component", part.target)
        self._linearize = getattr(part.target, "tradewind_linearize", None)
        if not callable(getattr(part.target, "step", None)):
            raise PluginError(
                f"{type(part.target).__name__} has no method step",
                where=self._where,
                hint="a reference model implements tradewind.couplers.coupling.component.Component",
            )

    @hookimpl(trylast=True)
    def tradewind_step(self, call: StepCall) -> Step:
        """Advance the model."""
        begin = perf_counter()
        answer = self._target.step(call.state, call.imports, call.parameters, call.interval)
        self.tally.add(call.mode, perf_counter() - begin)
        if not isinstance(answer, tuple) or len(answer) != 2:
            got = type(answer).__name__
            raise PluginError(f"step returned {got}", where=self._where, hint="return (exports, state)")
        exports, state = answer
        return Step(exports, state, None, self.name)

    @hookimpl(trylast=True)
    def tradewind_linearize(
        self, model: Any, x: torch.Tensor | None, window: Interval
    ) -> LinearOperator | None:
        """Linearize, where the model can do so by itself."""
        return None if self._linearize is None else self._linearize(model, x, window)


class Stand:
    """A surrogate as the answerer that is asked first."""

    def __init__(self, component: str, part: Part) -> None:
        self.name, self.tally = part.name, Tally()
        self._where = f"component {component!r}, surrogate {part.name!r}"
        self._step, self._linearize = (getattr(part.target, hook, None) for hook in CALL_HOOKS)
        if self._step is None and self._linearize is None:
            raise PluginError(
                f"{type(part.target).__name__} answers no call",
                where=self._where,
                hint=f"give it a method {' or '.join(CALL_HOOKS)}",
            )

    @hookimpl(tryfirst=True)
    def tradewind_step(self, call: StepCall) -> Step | None:
        """Answer in place of the model, or return None."""
        if self._step is None:
            return None
        begin = perf_counter()
        answer = self._step(call)
        if answer is None:
            return None
        self.tally.add(call.mode, perf_counter() - begin)
        if not isinstance(answer, Step):
            got = type(answer).__name__
            raise PluginError(
                f"tradewind_step returned {got}", where=self._where, hint="return a Step or None"
            )
        return answer if answer.answered_by else replace(answer, answered_by=self.name)

    @hookimpl(tryfirst=True)
    def tradewind_linearize(
        self, model: Any, x: torch.Tensor | None, window: Interval
    ) -> LinearOperator | None:
        """Linearize in place of the model, or return None."""
        if self._linearize is None:
            return None
        begin = perf_counter()
        operator: LinearOperator | None = self._linearize(model, x, window)
        if operator is not None:
            self.tally.add(Mode.FORWARD, perf_counter() - begin)
        return operator


class StepCaller:
    """Calls the hooks of one component.

    Parameters
    ----------
    component
        Its name in the run config, for errors.
    reference
        The model; None where a surrogate runs without one.
    surrogate
        The one surrogate that may answer first.
    policies
        Wrappers of every call, outermost first.

    Raises
    ------
    PluginError
        When there is no answerer, a policy would answer rather than wrap, or two share a name.
    """

    def __init__(
        self,
        component: str,
        reference: Part | None,
        surrogate: Part | None = None,
        policies: Sequence[Part] = (),
    ) -> None:
        self.component = component
        self._reference = None if reference is None else Reference(component, reference)
        self._surrogate = None if surrogate is None else Stand(component, surrogate)
        self._answerers = [a for a in (self._reference, self._surrogate) if a is not None]
        if not self._answerers:
            raise PluginError(
                "nobody answers its steps", where=self._where, hint="name a model under `plugin:`"
            )
        # the last one registered is called first: outermost
        self._policies = list(reversed(policies))
        # without wrappers they are asked at once, in the order in which pluggy would
        self._alone = self._reference if surrogate is None and not policies else None
        self._first = self._surrogate if self._reference is not None and not policies else None
        self._hooks = {mode: self._relay(mode) for mode in Mode}

    @property
    def _where(self) -> str:
        return f"component {self.component!r}"

    @property
    def tally(self) -> Mapping[str, Tally]:
        """Answers and seconds of the reference model and the surrogate, by plugin name."""
        return {a.name: a.tally for a in self._answerers}

    def _relay(self, mode: Mode) -> pluggy.HookRelay:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hooks)
        wrappers = [(p.name, p.target) for p in self._policies if mode in _modes(p.target)]
        for name, plugin in [*((a.name, a) for a in self._answerers), *wrappers]:
            self._register(manager, name, plugin)
        for name, plugin in wrappers:
            self._check_wraps(manager, name, plugin)
        return manager.hook

    def _register(self, manager: pluggy.PluginManager, name: str, plugin: object) -> None:
        try:
            manager.register(plugin, name)
            manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(
                f"{name!r} cannot take part in its steps: {explain(error)}",
                where=self._where,
                hint="each plugin takes part once, with the arguments of tradewind.plugins.hooks",
            ) from error

    def _check_wraps(self, manager: pluggy.PluginManager, name: str, plugin: object) -> None:
        callers = manager.get_hookcallers(plugin) or []
        implementations = [i for c in callers for i in c.get_hookimpls() if i.plugin is plugin]
        plain = [i for i in implementations if not i.wrapper or i.tryfirst or i.trylast]
        if plain or not implementations or {c.name for c in callers} - set(CALL_HOOKS):
            raise PluginError(
                f"policy {name!r} does not wrap",
                where=self._where,
                hint=f"mark its {' or '.join(CALL_HOOKS)} with @hookimpl(wrapper=True) and nothing else: "
                "one surrogate and one model may answer, and the config declares the order",
            )

    def __call__(self, call: StepCall) -> Step:
        """Advance the component and return the answer.

        Parameters
        ----------
        call
            The request; its `reference` is set here.

        Raises
        ------
        PluginError
            When nobody answers, or a policy returns something else than a `Step`.
        """
        if self._alone is not None:
            return self._alone.tradewind_step(call)
        call = self._with_reference(call)
        if self._first is not None and self._reference is not None:
            return self._first.tradewind_step(call) or self._reference.tradewind_step(call)
        answer = self._hooks[call.mode].tradewind_step(call=call)
        if not isinstance(answer, Step):
            names = ", ".join([*(a.name for a in self._answerers), *(p.name for p in self._policies)])
            raise PluginError(
                f"the step over {call.interval} came back as {type(answer).__name__}",
                where=self._where,
                hint=f"one of {names} must answer, and policies must return what they were given",
            )
        return answer

    def _with_reference(self, call: StepCall) -> StepCall:
        reference = self._reference
        if reference is None:
            return call

        def ask(members: torch.Tensor | None = None) -> Step:
            """Return the model's answer for all members, or those given."""
            return reference.tradewind_step(call if members is None else _select(call, members))

        # as `replace` does, in a third of the time
        return StepCall(
            call.component, call.state, call.imports, call.parameters, call.interval, call.mode, ask,
            call.branch, call.comm,
        )  # fmt: skip

    def linearize(self, model: Any, x: torch.Tensor | None, window: Interval) -> LinearOperator | None:
        """Return the linear operator of `model` about `x`, or None when it must come from the tape.

        Parameters
        ----------
        model
            What is linearized, as the run hands it to its answerers.
        x
            The control vector to linearize about; None where the model is linear.
        window
            The `Interval` to linearize over.
        """
        operator: LinearOperator | None = self._hooks[Mode.FORWARD].tradewind_linearize(
            model=model, x=x, window=window
        )
        return operator


def _modes(policy: object) -> frozenset[Mode]:
    modes: frozenset[Mode] = getattr(policy, "modes", UNLESS_REPLAYED)
    return modes


def _select(call: StepCall, members: torch.Tensor) -> StepCall:
    imports, parameters = _members(call.imports, members), _members(call.parameters, members)
    return replace(call, state=call.state.select(members), imports=imports, parameters=parameters)


def _members(fields: Fields, members: torch.Tensor) -> Fields:
    return {name: field[members] for name, field in fields.items()}
