"""The config's inversion, started by a host: the models are ours, or a step that the host has registered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tradewind.couplers.ranks.parallel import Serial
from tradewind.execute import invert
from tradewind.hosting.failing import CallError, Code
from tradewind.plugins.host.component import Enlisted, Host

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.assembly.parts import Member
    from tradewind.couplers.assimilation import Control
    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.fields import Fields
    from tradewind.hosting.session import Session


def solve(session: Session) -> None:
    """Solve the config's inversion, and let the coupled run begin anew at its answer; collective.

    Imports and parameters that the host has put hold in every window, but for those that are estimated.

    Raises
    ------
    CallError
        When the config has no solver, or a component stands for a host that has registered no step.
    TradewindError
        Whatever the solver raises.
    """
    assembly = session.assembly
    if assembly.solver is None:
        advised = "it names a filter: call analyse" if assembly.filter is not None else "add solve:"
        raise CallError(Code.UNSUPPORTED, "the config names no solver", hint=advised)
    _refuse_unregistered(session)
    session.solved = invert(_prepared(session))
    for field in session.solved.fields:
        component, _, name = field.port.partition(".")
        if component in session.parts:
            session.parts[component].forget(name)
    session.begin_at(Standing(assembly.control, session.solved.posterior.mean))


def _refuse_unregistered(session: Session) -> None:
    for name, member in session.assembly.members.items():
        passive = isinstance(member.component, Host) and not isinstance(member.component, Enlisted)
        if passive and (member.spec.exports or member.spec.state):
            what = "stands for the host, which cannot be stepped again: it has registered no restartable step"
            raise CallError(Code.ORDER, what, component=name, hint="register one, or use a filter: analyse")
        if any(not layout.is_serial for layout in member.layouts.values()):
            what, hint = (
                "its cells lie on several ranks",
                "name its grid in the config, then each rank has all",
            )
            raise CallError(Code.UNSUPPORTED, what, component=name, hint=hint)


def _prepared(session: Session) -> Assembly:
    """Return the assembly with what the host has put.

    A step of the host runs on all ranks together: then every rank solves the same.
    """
    put = _Collected()
    for part in session.parts.values():
        part.hand_over(put, everything=True)  # type: ignore[arg-type]
    members = {name: _with(member, put.of(name)) for name, member in session.assembly.members.items()}
    together = any(isinstance(member.component, Enlisted) for member in members.values())
    comm = Serial() if together else session.assembly.comm
    return replace(session.assembly, members=members, comm=comm)


def _with(member: Member, put: Fields) -> Member:
    states = {v.name for v in member.spec.state}
    held = {name: value for name, value in put.items() if name not in states}
    return replace(member, defaults={**member.defaults, **held}) if held else member


class _Collected:
    """Takes what handles put into a run."""

    def __init__(self) -> None:
        self._put: dict[str, dict[str, Tensor]] = {}

    def put(self, port: str, value: Tensor) -> None:
        """Keep a value; the host has one member here."""
        component, _, name = port.partition(".")
        self._put.setdefault(component, {})[name] = value.clone()

    def of(self, component: str) -> Fields:
        """Return what was put for a component, by name."""
        return self._put.get(component, {})


class Standing:
    """A control at another x than its prior: what the coupled run begins with after it was solved.

    Attributes
    ----------
    prior
        That x, shape ``(n,)``.
    """

    def __init__(self, control: Control | None, x: Tensor) -> None:
        self.control: Any = control
        self.prior = x.detach().to(torch.float64)

    @property
    def targets(self) -> tuple[str, ...]:
        """What x sets."""
        return tuple(self.control.targets)

    def to_fields(self, x: Tensor) -> Fields:
        """Return the fields that x stands for."""
        fields: Fields = self.control.to_fields(x)
        return fields

    def at(self, window: Interval) -> Standing:
        """Return the same x seen from one window."""
        return Standing(self.control.at(window), self.prior)
