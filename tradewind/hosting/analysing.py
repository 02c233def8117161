"""Ensembles in a session: stepped by `advance`, or put by the host itself, and analysed when the host asks.

The session's run carries all members of the config's ensemble; every rank carries all of them, and makes the
same analysis. What is looked at in a window is kept while the run is advanced through it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.assembly.estimation.targets import StateTarget
from tradewind.assimilation.forecasting import Stepping, Through, look_at, surviving
from tradewind.assimilation.loop import EnsembleLoop
from tradewind.assimilation.sharing import deal_members
from tradewind.assimilation.waves import Wave, together
from tradewind.config.sections.solving import EachWindow, Failure
from tradewind.coupled.derivatives.checkpoints import Watch
from tradewind.coupled.model import CoupledModel
from tradewind.coupled.model.looking import begun, fields_of, looks_of, watch
from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradewind.assembly import Assembly
    from tradewind.coupled.tape import Event, Moment
    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.time.calendars import Time
    from tradewind.hosting.session import Session
    from tradewind.results import AssimilationResult


class Analyses:
    """The loop of a filter, whose windows the host goes through.

    Parameters
    ----------
    assembly
        With a filter, an ensemble, a control and observations.

    Attributes
    ----------
    run
        Of all members, where these stand as the first window begins.
    done
        Windows that were analysed.

    Raises
    ------
    CallError
        When failed members are to be dropped: the host's arrays hold all of them.
    """

    def __init__(self, assembly: Assembly) -> None:
        # a copy: its windows become those that were analysed
        self.assembly, self.ranks = replace(assembly, comm=Serial()), assembly.comm
        self.loop = EnsembleLoop(self.assembly)
        if self.loop.section.failure is Failure.DROP:
            what = "ensemble.failure: drop cannot be followed, the host's arrays hold all members"
            raise CallError(Code.UNSUPPORTED, what, hint="stop or replace")
        self.windows = assembly.windows
        self.done: list[Interval] = []
        members = self.loop.section.members
        self.loop.shares = deal_members(members, None, 1)
        self.wave = together(self.loop.waves)
        self.stepping = self._stepping()
        self.run = self.stepping.run_of(members)
        if self.wave.moment is not None:
            self.run.rewind(self.wave.moment)
        self.seen: dict[Event, Tensor] = {}
        self._left: Moment | None = None

    def _stepping(self) -> Stepping:
        forecaster, section = self.loop.forecaster, self.loop.section
        if isinstance(forecaster, Stepping):
            return forecaster
        return Stepping(self.assembly.run, self.loop.observe, [self.loop.control], section.limits)

    @property
    def _anew(self) -> bool:
        return self.loop.section.begin is EachWindow.INITIAL

    # ------------------------------------------------------------------ advancing
    def advance(self, until: Time) -> None:
        """Step all members to `until`, window by window; those that were not analysed go on as they are.

        Raises
        ------
        ConfigError
            When no step ends at `until`.
        TradewindError
            Whatever a step raises: members are stepped together, so it is not known whose fault it is.
        """
        with torch.no_grad():
            for window in self.windows:
                if self.run.time < window.stop and window.start < until:
                    self._through(window, min(until, window.stop))
            if self.run.time < until:
                self.run.advance(until)

    def _through(self, window: Interval, until: Time) -> None:
        if self.run.time == window.start:
            self._begin(window)
        if self._stands_in(window):
            self.run.rewind(self.run.moment._replace(time=until))
            return
        with self._watching(window):
            self.run.advance(until)
        self._left = self.run.moment

    def _stands_in(self, window: Interval) -> bool:
        """Return whether a surrogate says what members show, so that nothing is stepped."""
        model = getattr(self.loop.forecaster, "model", None)
        return isinstance(model, CoupledModel) and model.stand_in(window) is not None

    def _begin(self, window: Interval) -> None:
        """Put what a window begins with."""
        if self._anew:
            self.run.rewind(self.run.start(window.start))
            for port, value in fields_of(self.loop.control.at(window), self.wave.x).items():
                self.run.put(port, value)
        else:
            self.stepping.put(self.run, self.wave.x, window)
        self.seen = begun(self.run, looks_of(self.loop.observe, window), window)

    @contextmanager
    def _watching(self, window: Interval) -> Iterator[None]:
        with self.run.recording(Watch) as tape:
            watch(self.run, tape, looks_of(self.loop.observe, window), window)
            tape.seen = self.seen
            yield

    # ------------------------------------------------------------------ analysing
    def analyse(self) -> None:
        """Analyse the members as they stand at a window's end, and let the run go on from there.

        Raises
        ------
        CallError
            When no window ends now, or it was analysed already.
        ModelError
            When members have failed, and the loop is to stop.
        """
        window = self._window()
        with torch.no_grad():
            self.loop.close([self._arrived(window)], window)
        self.done.append(window)
        self.wave = together(self.loop.waves)
        if self.wave.moment is not None:
            self.run.rewind(self._shown(self.wave.moment))
        self.seen, self._left = {}, None

    def _window(self) -> Interval:
        now = self.run.time
        window = next((w for w in self.windows if w.stop == now), None)
        if window is None:
            ends = ", ".join(str(w.stop) for w in self.windows if w.stop > now)
            hint = f"advance to {ends[:60]}" if ends else "all windows have ended"
            raise CallError(Code.ORDER, f"no window ends at {now}", hint=hint)
        if window in self.done:
            raise CallError(Code.ORDER, f"window {window} was analysed already", hint="advance first")
        return window

    def _arrived(self, window: Interval) -> Through:
        """Return the members at a window's end, and what they show of its observations."""
        if self._stands_in(window):
            return self.loop.forecaster.forecast(self.wave, window)
        moment = None if self._anew else self.run.moment
        wave, shown = Wave(self.wave.ids, moment, self.wave.x), self._simulated(window)
        # ranks that have cells of their own must agree on whom they have lost
        every = self.ranks.allgather(self.stepping.lost(self.run.moment, shown))
        lost = {member: reason for part in reversed(every) for member, reason in part.items()}
        return surviving(wave, shown, lost)

    def _simulated(self, window: Interval) -> Tensor:
        looks, offset = looks_of(self.loop.observe, window), self.loop.observe.offset(window)
        shown = offset.expand(self.run.members, offset.shape[0])
        for event, look in looks.items():
            shown = shown + look_at(look, self._at(event, window))
        return shown

    def _at(self, event: Event, window: Interval) -> Tensor:
        """Return what is looked at: what the host has put since the last step counts."""
        (port, time), moment = event, self.run.moment
        component, _, name = port.partition(".")
        state = moment.states[component].fields.get(name) if component in moment.states else None
        if time == moment.time and state is not None and self._was_put(component, name):
            return state
        if event not in self.seen:
            what = f"window {window} was not gone through: nothing is known of {port} at {time}"
            raise CallError(
                Code.ORDER, what, component=component, field=name, hint="advance through all of it"
            )
        return self.seen[event]

    def _was_put(self, component: str, name: str) -> bool:
        before = None if self._left is None else self._left.states[component].fields.get(name)
        return before is None or self.run.moment.states[component].fields[name] is not before

    def _shown(self, moment: Moment) -> Moment:
        """Return the analysed moment, in which exports that are states are analysed, too."""
        exports = dict(moment.exports)
        for target in self.loop.targets:
            if isinstance(target, StateTarget) and target.port in exports:
                exports[target.port] = moment.states[target.component].fields[target.port.partition(".")[2]]
        return moment._replace(exports=exports)

    # ------------------------------------------------------------------ what came of it
    @property
    def result(self) -> AssimilationResult:
        """What came of the windows that were analysed."""
        self.assembly.windows = tuple(self.done)
        return self.loop.result()

    def resume(self, x: Tensor) -> None:
        """Go on with the members' elements, shape ``(member, n)``, where the run was brought to stand."""
        self.wave = Wave(self.wave.ids, None if self._anew else self.run.moment, x)
        self._left = self.run.moment


def analyse(session: Session) -> None:
    """Analyse the members of a session as they stand; collective.

    Raises
    ------
    CallError
        When the config names no filter, or no window ends now.
    """
    analyses = session.analyses
    if analyses is None:
        hint = "name one under solve:, see docs/filters.md"
        raise CallError(Code.UNSUPPORTED, "the config names no filter", hint=hint)
    for part in session.parts.values():
        part.hand_over(session.coupled, everything=False)
    analyses.analyse()
    session.advances.restarted()
    session.take_over()
