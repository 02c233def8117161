"""What a handle has run, kept for tangents and adjoints, and where a sweep through it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from tradewind.coupled.tape import Participant, Taken
from tradewind.couplers.coupling.component import Key, Step, StepCall
from tradewind.couplers.coupling.fields import State
from tradewind.hosting.failing import CallError, Code


class Ran(NamedTuple):
    """One run of a handle.

    Attributes
    ----------
    call
        What it was given, without halos.
    branch
        Members for which the model had to answer in place of the surrogate.
    by
        Name of the plugin that answered.
    put
        What the host has put, or bound, since the run before: the values that derivatives belong to.
    """

    call: StepCall
    branch: Tensor | None
    by: str
    put: frozenset[Key]

    def taken(self, participant: Participant) -> Taken:
        """Return the run as the derivatives of a step know it."""
        call = self.call
        return Taken(
            participant, call.interval, call.state, call.imports, call.parameters, self.branch, self.by
        )


@dataclass
class Recording:
    """The runs of one handle: the last one, or all since recording began.

    Attributes
    ----------
    keeps
        Whether every run is kept.
    runs
        In order.
    stale
        Whether the last run was given memory of the host that may have changed since.
    changed
        Told when there is another run, or none: sweeps begin anew.
    """

    keeps: bool = False
    runs: list[Ran] = field(default_factory=list)
    stale: bool = False
    changed: Callable[[], None] = lambda: None

    def record(self, keeps: bool) -> None:
        """Begin anew: keep every run from here on, or only the last one."""
        self.keeps, self.stale = keeps, False
        self.runs.clear()
        self.changed()

    def add(self, call: StepCall, step: Step, put: Iterable[Key], bound: Iterable[Key] = ()) -> None:
        """Take note of a run.

        Parameters
        ----------
        put
            What the host has put since the run before, or bound.
        bound
            What lies in memory of the host: copied where all runs are kept.
        """
        shared = frozenset(bound)
        if self.keeps:
            call = copied(call, shared) if shared else call
        else:
            self.stale = bool(shared)
            self.runs.clear()
        branch = None if step.valid is None else ~step.valid
        self.runs.append(Ran(call, branch, step.answered_by, frozenset(put) | shared))
        self.changed()

    def need(self, component: str) -> list[Ran]:
        """Return the runs to be differentiated, at least one.

        Raises
        ------
        CallError
            When nothing was run, or what was given may have changed since.
        """
        if not self.runs:
            what = "there is no run to be differentiated"
            raise CallError(Code.ORDER, what, component=component, hint="call run first")
        if self.stale:
            what, hint = "its arrays are bound, and may have changed since the run", "call record before run"
            raise CallError(Code.ORDER, what, component=component, hint=hint)
        return self.runs


def copied(call: StepCall, keys: frozenset[Key]) -> StepCall:
    """Return a call that shares no memory with the host's."""

    def own(role: str, fields: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: v.clone() if (role, name) in keys else v for name, v in fields.items()}

    state = State(own("state", dict(call.state.fields)), call.state.extras)
    imports, parameters = own("import", dict(call.imports)), own("parameter", dict(call.parameters))
    return StepCall(call.component, state, imports, parameters, call.interval, call.mode, comm=call.comm)
