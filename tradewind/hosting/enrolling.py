"""A restartable step of the host as a component: its tangent and adjoint are functions of the host, too.

The host's functions are called for one member at a time. What they keep of their own between two calls would
make solvers wrong; the state that they need goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from tradewind.assembly.components import caller_of, layouts_of
from tradewind.couplers.coupling.fields import Fields, State
from tradewind.hosting.derivatives import What
from tradewind.hosting.failing import CallError, Code
from tradewind.plugins.host.component import Enlisted, Host

if TYPE_CHECKING:
    from tradewind.couplers.coupling.component import Flat, Interval, Key, StepCall
    from tradewind.couplers.coupling.fields import Spec
    from tradewind.hosting.component import Callback, HostedComponent

Values: TypeAlias = "dict[Key, Tensor]"


class HostStep:
    """Steps of the host, as a component's.

    Parameters
    ----------
    part
        The handle by which the host puts and gets while it is called.
    step, tangent, adjoint
        Functions of the host; None where it has none.
    """

    def __init__(
        self, part: HostedComponent, step: Callback, tangent: Callback | None, adjoint: Callback | None
    ) -> None:
        self.part, self.start = part, part.session.clock.start
        self._calls = {What.VALUE: step, What.TANGENT: tangent, What.ADJOINT: adjoint}

    def has(self, what: What) -> bool:
        """Return whether the host has registered a step, its tangent or its adjoint."""
        return self._calls[what] is not None

    @property
    def _spec(self) -> Spec:
        return self.part.participant.spec

    @property
    def _inputs(self) -> list[Key]:
        return [(role, v.name) for role, v in self.part.participant.given]

    @property
    def _outputs(self) -> list[Key]:
        return [("export", v.name) for v in self._spec.exports] + [
            ("state", v.name) for v in self._spec.state
        ]

    # ------------------------------------------------------------------ as a component
    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Advance every member by the host's own step."""
        given = _flat(state, imports, parameters)
        rows = [
            self._serve(What.VALUE, interval, {What.VALUE: one})
            for one in _members(given, self._count(given))
        ]
        found = _joined(rows)
        exports = {name: value for (role, name), value in found.items() if role == "export"}
        fields = {name: value for (role, name), value in found.items() if role == "state"}
        return exports, State(fields, state.extras)

    def jvp(self, call: StepCall, tangents: Flat) -> dict[Key, Tensor]:
        """Return tangents of exports and new state by the host's tangent."""
        return self._derived(What.TANGENT, call, tangents)

    def vjp(self, call: StepCall, cotangents: Flat) -> dict[Key, Tensor]:
        """Return cotangents of state, imports and parameters by the host's adjoint."""
        return self._derived(What.ADJOINT, call, cotangents)

    def _derived(self, what: What, call: StepCall, derivatives: Flat) -> dict[Key, Tensor]:
        given = _flat(call.state, call.imports, call.parameters)
        batches = []
        for column in _columns(derivatives):
            pairs = zip(
                _members(given, self._count(given)), _members(column, self._count(given)), strict=True
            )
            rows = [self._serve(what, call.interval, {What.VALUE: v, what: d}) for v, d in pairs]
            batches.append(_joined(rows))
        return {key: torch.stack([batch[key] for batch in batches]) for key in batches[0]}

    def _count(self, given: Mapping[Key, Tensor]) -> int:
        return max((len(value) for value in given.values()), default=self.part.members)

    # ------------------------------------------------------------------ one call
    def _serve(self, what: What, interval: Interval, given: Mapping[What, Values]) -> Values:
        callback = self._calls[what]
        if callback is None:
            raise self._missing(what)
        wanted = [(int(what), key) for key in (self._inputs if what is What.ADJOINT else self._outputs)]
        when = _seconds(self.start, interval)
        plain = {int(kind): values for kind, values in given.items()}
        return self.part.serve(callback, when, plain, wanted).get(int(what), {})

    def _missing(self, what: What) -> CallError:
        name = what.name.lower()
        return CallError(
            Code.NOT_DIFFERENTIABLE, f"the host has registered no {name}", component=self.part.name,
            hint=f"give register a {name}, or use a method that needs none",
        )  # fmt: skip


def enroll(part: HostedComponent, step: Callback, tangent: Callback | None, adjoint: Callback | None) -> None:
    """Let the host's own step answer for a component of the plugin ``host``.

    Raises
    ------
    CallError
        When it is a component of another plugin, or it comes too late.
    """
    session, name = part.session, part.name
    member = session.assembly.members[name]
    if not isinstance(member.component, Host):
        what, hint = "has a model of its own", "only a component of the plugin `host` is stepped by the host"
        raise CallError(Code.UNSUPPORTED, what, component=name, hint=hint)
    if part.described or session.started:
        what, hint = "has been described or advanced already", "register the step before the first put"
        raise CallError(Code.ORDER, what, component=name, hint=hint)
    host = HostStep(part, step, tangent, adjoint)
    jvp = host.jvp if host.has(What.TANGENT) else None
    vjp = host.vjp if host.has(What.ADJOINT) else None
    component = Enlisted(member.component, host.step, jvp, vjp)
    spec = component.describe()
    member.component, member.spec = component, spec
    member.layouts = layouts_of(spec, *member.layouts.values())
    member.defaults = dict(component.defaults(member.layouts))
    session.assembly.callers[name] = caller_of(name, member)


def _seconds(start: datetime, interval: Interval) -> tuple[float, float]:
    return (interval.start - start).total_seconds(), interval.seconds


def _flat(state: State, imports: Fields, parameters: Fields) -> Values:
    roles = {"state": state.fields, "import": imports, "parameter": parameters}
    return {(role, name): value for role, fields in roles.items() for name, value in fields.items()}


def _members(values: Mapping[Key, Tensor], count: int) -> Iterator[Values]:
    """Yield the values of each member, shape ``(1, ...)``."""
    for m in range(count):
        yield {key: (v[m : m + 1] if len(v) > 1 else v).contiguous() for key, v in values.items()}


def _columns(derivatives: Flat) -> Iterator[Values]:
    """Yield derivatives column by column, shape ``(member, ...)``."""
    batch = len(next(iter(derivatives.values())))
    for k in range(batch):
        yield {key: value[k] for key, value in derivatives.items()}


def _joined(rows: list[Values]) -> Values:
    return {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
