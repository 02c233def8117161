"""A run config, opened by a host: its components, and the coupled run where that keeps the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from tradewind.assembly import assemble
from tradewind.assembly.components import caller_of, layouts_of
from tradewind.assembly.parts import Unfed
from tradewind.couplers.coupling.time.calendars import parse_time
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import ConfigError, blaming, did_you_mean
from tradewind.hosting.component import HostedComponent
from tradewind.hosting.derivatives import What
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.threads import ranks_sharing, threads
from tradewind.simulation.answers import Answers

if TYPE_CHECKING:
    from pathlib import Path

    from tradewind.assembly import Assembly
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Participant
    from tradewind.couplers.assimilation import Control
    from tradewind.couplers.coupling.component import Component, Interval
    from tradewind.couplers.coupling.fields import State
    from tradewind.couplers.coupling.time.calendars import Time
    from tradewind.couplers.coupling.time.clock import Clock
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.advances import Advances
    from tradewind.hosting.analysing import Analyses
    from tradewind.hosting.solving import Standing
    from tradewind.results import InversionResult

TANGENT, ADJOINT = What.TANGENT, What.ADJOINT


class Session:
    """What a run config describes, between a host's init and finalize.

    Nothing of it is kept in a module: sessions may stand side by side. It installs no signal handlers, and
    never exits.

    Parameters
    ----------
    config
        Path of the run config.
    comm
        The ranks that call together.

    Attributes
    ----------
    assembly
        Everything that the config asks for.
    parts
        Components that the host has asked for, by name.
    solved
        What the config's solver has found; None before.
    solved_at
        x at which windows begin since; None before.
    keeps
        Whether what is run and advanced is kept for derivatives.

    Raises
    ------
    ConfigError
        With every fault of the config.
    """

    def __init__(self, config: str, comm: Communicator) -> None:
        ranks = None if comm.size == 1 else comm
        self.comm = comm
        self.assembly: Assembly = assemble(config, (), ranks, Unfed.BY_HOST)
        self.parts: dict[str, HostedComponent] = {}
        self.keeps = self.closed = False
        self.solved: InversionResult | None = None
        self.solved_at: Tensor | None = None
        self._participants: dict[str, Participant] = {}
        self._window: Interval | None = None
        torch.set_num_threads(threads(self.assembly.config.run.threads, sharing=ranks_sharing(comm)))

    # ------------------------------------------------------------------ what it is made of
    @property
    def abort_on_error(self) -> bool:
        """Whether a call without a status ends the run when it fails."""
        return self.assembly.config.host.on_error == "abort"

    @property
    def recording_folder(self) -> Path | None:
        """Where what the host puts and gets is to be kept; None: nowhere."""
        return self.assembly.config.host.record

    @property
    def clock(self) -> Clock:
        """Start, stop and coupling interval."""
        return self.assembly.clock

    @cached_property
    def members(self) -> int:
        """Length of the first axis of every field: those of the ensemble, else one."""
        config = self.assembly.config
        return config.ensemble.members if self.assembly.filter is not None and config.ensemble else 1

    def component(self, name: str) -> HostedComponent:
        """Return a component; the same one for the same name.

        Raises
        ------
        CallError
            When the config has none of that name.
        """
        if name not in self.assembly.members:
            hint = did_you_mean(name, self.assembly.members)
            raise CallError(Code.FIELD, "there is no such component", component=name, hint=hint)
        return self.parts.setdefault(name, HostedComponent(self, name))

    def participant(self, name: str) -> Participant:
        """Return a component as it takes part in runs."""
        if self.started:
            return next(p for p in self.coupled.participants if p.name == name)
        member = self.assembly.members[name]
        found = self._participants.get(name)
        if found is None or found.layouts is not member.layouts:
            found = self._participants[name] = self.assembly.participant(name, member)
        return found

    def initial(self, name: str) -> State:
        """Return the state that a component begins with."""
        if self.started:
            return self.coupled.moment.states[name]
        p = self.participant(name)
        with blaming(name):
            return p.component.initialize(p.spec, p.layouts, self.members)

    def refuse_gridless(self, name: str) -> None:
        """Refuse a component that takes the host's grid, before there is one.

        Raises
        ------
        CallError
            With the call that is missing.
        """
        component = self.assembly.members[name].component
        if getattr(component, "gridless", False):
            what, hint = "it has no grid of its own", "call set_grid before put, describe and run"
            raise CallError(Code.ORDER, what, component=name, hint=hint)

    def enlist(self, name: str, component: Component) -> None:
        """Let another component answer under a name, such as a host's own step; before anything runs.

        Raises
        ------
        CallError
            When the component has been described, or the coupled run has begun.
        """
        if self.started or (name in self.parts and self.parts[name].described):
            hint = "register before the first put, describe, run or advance"
            raise CallError(Code.ORDER, "has been described already", component=name, hint=hint)
        member = self.assembly.members[name]
        known = next(iter(member.layouts.values()), None)
        member.component, member.spec = component, component.describe()
        member.layouts = layouts_of(member.spec, *([] if known is None else [known]))
        self.assembly.callers[name] = caller_of(name, member)
        self._participants.pop(name, None)

    # ------------------------------------------------------------------ the coupled run
    @property
    def started(self) -> bool:
        """Whether there is a coupled run."""
        return "answers" in self.__dict__ or "coupled" in self.__dict__

    @cached_property
    def answers(self) -> Answers:
        """What brings the run to the start of a window."""
        return Answers(self.assembly, ())

    @cached_property
    def coupled(self) -> CoupledRun:
        """The coupled run, at its start."""
        for name in self.assembly.members:
            self.refuse_gridless(name)
        return self.answers.whole if self.analyses is None else self.analyses.run

    @cached_property
    def analyses(self) -> Analyses | None:
        """The members that a filter analyses, and the windows that they go through; None without a filter."""
        from tradewind.hosting.analysing import Analyses

        return None if self.assembly.filter is None else Analyses(self.assembly)

    @cached_property
    def advances(self) -> Advances:
        """What is kept of the coupled run for derivatives."""
        from tradewind.hosting.advances import Advances

        found = Advances(self.coupled)
        found.record(self.keeps)
        return found

    def advance(self, until: float) -> None:
        """Step all components, in order, up to `until` seconds after the start; collective.

        Independent windows of the config begin anew, as they do in ``tradewind run``; what was put holds.

        Raises
        ------
        ConfigError
            When that lies in the past, or no step ends then.
        """
        target, run, advances = self._time(until), self.coupled, self.advances
        self._refuse_between(target, run)
        step = run.advance if self.analyses is None else self.analyses.advance
        for stop in self._stretches(run, target):
            self._enter(run)
            step(stop)
        advances.advanced()
        self.take_over()

    def _refuse_between(self, target: Time, run: CoupledRun) -> None:
        """Refuse a time at which no step ends before anything is stepped: windows lie in between."""
        tick = (target - self.clock.start) % self.clock.step
        if target > self.clock.stop or (tick and tick not in run.plan.ticks):
            ticks = ", ".join(str(t) for t in run.plan.ticks)
            start, stop, step = self.clock.start, self.clock.stop, self.clock.step
            hint = f"steps end {ticks} after {start}, every {step}, up to {stop}"
            raise ConfigError(f"no step ends at {target}", where="advance", hint=hint)

    def _stretches(self, run: CoupledRun, target: Time) -> Iterator[Time]:
        """Yield where to advance to: the ends of the windows before, and the target."""
        inner = [w.stop for w in self.windows if run.time < w.stop < target]
        yield from (*inner, target)

    @property
    def windows(self) -> tuple[Interval, ...]:
        """Stretches that begin anew; none but the whole run where an ensemble is carried through them."""
        return self.assembly.windows if self.members == 1 else ()

    def _enter(self, run: CoupledRun) -> None:
        """Begin the window in which the run stands, if that has not been done; hand over what was put."""
        window = next((w for w in self.windows if w.start <= run.time < w.stop), None)
        anew = window is not None and window != self._window
        if window is not None and anew:
            self._window = window
            if run.time == window.start:
                self.answers.start(run, window)
                self.advances.restarted()
        for part in self.parts.values():
            part.hand_over(run, anew)

    def stand_at(self, control: Standing) -> None:
        """Let windows begin at another x than the prior."""
        self.answers.control, self.solved_at = cast("Control", control), control.prior

    def resume(self) -> None:
        """Go on within the window in which the coupled run was brought to stand."""
        now = self.coupled.time
        self._window = next((w for w in self.windows if w.start <= now < w.stop), None)
        self.take_over()

    def begin_at(self, control: Standing) -> None:
        """Begin the coupled run anew, at another x than the prior; collective."""
        self.stand_at(control)
        self.begin_anew()
        self._enter(self.coupled)
        self.take_over()

    def begin_anew(self) -> None:
        """Bring the coupled run to its start, before anything was put."""
        self.coupled.rewind(self.coupled.start())
        self.advances.restarted()
        self._window = None
        self.take_over()

    def held(self, port: str) -> Tensor | None:
        """Return what the coupled run holds of an import or a parameter; None where nothing was put."""
        return self.coupled.moment.held.get(port) if self.started else None

    def take_over(self) -> None:
        """Let all components show what the coupled run has made."""
        for part in self.parts.values():
            part.take_over(self.coupled)

    # ------------------------------------------------------------------ time
    def times(self) -> tuple[float, float, float]:
        """Return where the coupled run stands, its stop and its step, in seconds since the start."""
        now = self.coupled.time if self.started else self.clock.start
        return self._seconds(now), self._seconds(self.clock.stop), self.clock.step.total_seconds()

    def seconds(self, date: str) -> float:
        """Return a date in seconds since the start.

        Raises
        ------
        ConfigError
            When it is not a date of the run's calendar.
        """
        return self._seconds(parse_time(date, self.clock.calendar))

    def _seconds(self, time: Time) -> float:
        return (time - self.clock.start).total_seconds()

    def _time(self, seconds: float) -> Time:
        try:
            return self.clock.start + timedelta(seconds=seconds)
        except (ValueError, OverflowError) as error:
            raise CallError(Code.DATA, f"{seconds:g} s is not a time of the run") from error

    # ------------------------------------------------------------------ derivatives
    def record(self, on: bool) -> None:
        """Keep what is put, run and advanced from here on, for derivatives; or end that."""
        self.keeps = on
        for part in self.parts.values():
            part.kept.clear()
        if "advances" in self.__dict__:
            self.advances.record(on)

    def advance_tangent(self) -> None:
        """Propagate what was put as tangents through the next advance that is kept; collective."""
        self.advances.tangent(self._ports(TANGENT))
        self._hand_out(TANGENT)

    def advance_adjoint(self) -> None:
        """Propagate what was put as adjoints back through the advance before; collective."""
        self.advances.adjoint(self._ports(ADJOINT))
        self._hand_out(ADJOINT)

    def _ports(self, what: What) -> dict[str, Tensor]:
        parts = [(part, part.taken_in(what)) for part in self.parts.values() if part.described]
        return {f"{part.name}.{key[1]}": value for part, given in parts for key, value in given.items()}

    def _hand_out(self, what: What) -> None:
        for part in self.parts.values():
            if part.described:
                keys = {slot.key: slot.port for slot in part.places.gettable(what)}
                came = {key: self.advances.came(what, port) for key, port in keys.items()}
                part.hand_out(what, {key: value for key, value in came.items() if value is not None})

    # ------------------------------------------------------------------ estimation and files
    def analyse(self) -> None:
        """Analyse the members as they stand, by the config's filter; collective."""
        from tradewind.hosting.analysing import analyse

        analyse(self)

    def solve(self) -> None:
        """Solve the config's inversion; collective."""
        from tradewind.hosting.solving import solve

        solve(self)

    def checkpoint(self, path: str) -> None:
        """Write what the session remembers; collective."""
        from tradewind.hosting.keeping import checkpoint

        checkpoint(self, path)

    def restore(self, path: str) -> None:
        """Go on from what was written; collective."""
        from tradewind.hosting.keeping import restore

        restore(self, path)

    def report(self, path: str) -> None:
        """Write what the session has done; collective."""
        from tradewind.hosting.reporting import report

        report(self, path)

    def close(self) -> None:
        """Release what the components hold; collective, and once."""
        if not self.closed:
            self.closed = True
            with agree(self.comm, "closing the session"):
                self.assembly.finalize()
            self.parts.clear()
