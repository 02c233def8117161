"""From control through a coupled run to simulated observations, window by window.

Every window starts from the components' initial state and what x says of it, so windows are independent of
each other given x; what was in the air before is the observations' background.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Tape, Watch, sparing
from tradewind.coupled.derivatives.operators import ByAdjoint, PartsOperator
from tradewind.coupled.derivatives.paths import on_the_way
from tradewind.coupled.model.errors import covariance
from tradewind.coupled.model.looking import begun, fields_of, looked_at, looks_of, simulated, watch
from tradewind.coupled.model.names import Companies, Names
from tradewind.coupled.model.stand_in import Calls, StandIn
from tradewind.coupled.model.standing import StandingStill
from tradewind.coupled.model.surrogates import Parts, StandIns, from_part
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event, Participant
from tradewind.couplers.assimilation import Control, Look, ObservationOperator
from tradewind.couplers.assimilation.linearization import CountedOperator, WindowModel, squared
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.couplers.operators import LinearOperator, Replicated
from tradewind.couplers.ranks.parallel import Communicator, Serial

if TYPE_CHECKING:
    from tradewind.plugins.caller import StepCaller

Kind: TypeAlias = Callable[[CoupledRun, Time], type[Tape]]
"""How a run is recorded from where it stands to a time."""


@dataclass
class CoupledModel:
    """A coupled run seen from the control on one side and the observations on the other.

    Attributes
    ----------
    run
        The run, with one member.
    control
        What x stands for: parameters and state variables, put as each window begins.
    observe
        The observation operator.
    windows
        Equal, consecutive, independent.
    callers
        Hook callers by component; only components that are not linearized from the tape need one.
    comm
        Ranks among which windows are dealt; every rank holds whole windows.
    insisting
        Components for which a surrogate of the linearization has to answer, and not their model.
    """

    run: CoupledRun
    control: Control
    observe: ObservationOperator
    windows: Sequence[Interval]
    callers: Mapping[str, StepCaller] = field(default_factory=dict)
    comm: Communicator = field(default_factory=Serial)
    insisting: Collection[str] = ()
    calls: Calls = field(default_factory=Calls)
    companies: Companies = field(default_factory=Companies)

    def __call__(self, x: Tensor, window: Interval) -> Tensor:
        """Return the simulated observations of `window`, shape ``(*batch, m)``, for x ``(*batch, n)``.

        Where a surrogate stands in for the linearization of a linear component, all that feeds it is stepped
        and the answer is the superposition of its sensitivities to the mean of what it imports; otherwise
        the whole run is stepped, up to the last look. Members are stepped together, each with its own bits.
        """
        looks, offset = looks_of(self.observe, window), self.observe.offset(window)
        rows = x.reshape(-1, x.shape[-1])
        fields = self._fields(rows, looks, window) if looks and len(rows) else {}
        return simulated(looks, fields, offset, len(rows)).reshape(*x.shape[:-1], len(offset))

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return K of `window`: looks, components, exchanges and control composed."""
        looks, stand_in = looks_of(self.observe, window), self.stand_in(window, x)
        if stand_in is None:
            chain = self._from_tape(self.run, x, looks, window)
        else:
            chain = self._seen(looks, stand_in.exported, window) @ stand_in.chain
            if others := self._stand_ins.others(looks):
                chain = chain + self._from_tape(self._stand_ins.beside, x, others, window)
        whole = chain @ self.control.at(window).linearize(x)
        return ByAdjoint(whole) if self._only_adjoint else whole

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return what is known of the surrogate's own error in y about x; None: nothing.

        Where the surrogate knows how its errors hang together, their covariance ``(m, m)`` in what is seen,
        for a truth that is spread about x as the prior says. Where it knows variances by cell only,
        variances ``(m,)`` at x, which H carries with the squares of its entries, as if errors in different
        cells were independent.
        """
        stand_in = self.stand_in(window, x)
        if stand_in is None:
            return None
        seen = self._seen(looks_of(self.observe, window), stand_in.exported, window)
        known = covariance(stand_in, self.control.at(window), x, seen)
        if known is not None or stand_in.variance is None:
            return known
        return squared(seen, stand_in.variance)

    def standing_still(self) -> StandingStill:
        """Return the model that keeps the controlled fields through each window.

        Raises
        ------
        SpecError
            When something is observed that x does not set.
        """
        return StandingStill(self.run, self.control, self.observe, self.windows, self.comm)

    # ------------------------------------------------------------------ the run, stepped
    def _fields(self, rows: Tensor, looks: Mapping[Event, Look], window: Interval) -> Mapping[Event, Tensor]:
        """Return what is looked at, by event, shape ``(member, *extra, cell)``."""
        exported = self._stand_ins.exported(rows, window)
        answered = {} if exported is None else dict.fromkeys(looks, exported)
        others = looks if exported is None else self._stand_ins.others(looks)
        if not others:
            return answered
        run = self.companies.of(self.run if exported is None else self._stand_ins.beside, len(rows))
        return {**answered, **self._stepped(run, rows, others, window, _watching)[1]}

    def _stepped(
        self, run: CoupledRun, rows: Tensor, looks: Mapping[Event, Look], window: Interval, kind: Kind
    ) -> tuple[Tape, dict[Event, Tensor]]:
        """Step a run from the window's start to the last look; return its tape, and what is looked at."""
        run.rewind(run.start(window.start))
        with run.recording(kind(run, window.stop)) as tape:
            watch(run, tape, looks, window)
            for target, values in fields_of(self.control.at(window), rows).items():
                if target in run.ports.inputs:
                    run.put(target, values)
            tape.seen |= begun(run, looks, window)
            run.advance(max(time for _, time in looks))
        return tape, looked_at(looks, tape.seen)

    def _from_tape(
        self, run: CoupledRun, x: Tensor, looks: Mapping[Event, Look], window: Interval
    ) -> LinearOperator:
        """Return the derivative of what is looked at of a run, or of a part of it, by what is controlled."""
        control = self.control.at(window)
        given = self.names.given(control.targets, window)
        if not looks:
            m = Replicated(len(self.observe.offset(window)))
            return PartsOperator(list(given.values()), [], m)
        tape, fields = self._stepped(run, x[None], looks, window, sparing)
        wanted = {event: look.linearize(fields[event][0]) for event, look in looks.items()}
        count = self.calls.of(self._counted, "reference")
        return CountedOperator(from_part(given, run, tape, wanted), count)

    # ------------------------------------------------------------------ a surrogate's
    def stand_in(self, window: Interval, x: Tensor | None = None) -> StandIn | None:
        """Return what a surrogate puts in place of the observed component at x, None where there is none.

        Parameters
        ----------
        x
            The control vector, at which all that feeds the component is stepped; None: the prior.

        Raises
        ------
        SpecError
            When a surrogate that can only linearize has to answer, and something else is looked at than one
            export at the window's end.
        """
        return self._stand_ins.at(self.control.prior if x is None else x, window)

    @property
    def replaced(self) -> str:
        """The component for which a surrogate answered last; empty before one has."""
        return self._stand_ins.component

    def parts(self, window: Interval) -> Parts:
        """Return the observed component's linearization at the prior, and what feeds it."""
        return self._stand_ins.parts(self.control.prior, window)

    def window_model(self, observed: Participant, window: Interval) -> WindowModel:
        """Return what a surrogate of `observed` is asked about `window`."""
        return self._stand_ins.window_model(observed, window)

    @cached_property
    def _stand_ins(self) -> StandIns:
        return StandIns(self)

    def _seen(self, looks: Mapping[Event, Look], exported: Tensor, window: Interval) -> LinearOperator:
        """Return H' of the looks at one export."""
        export = self._stand_ins.export
        terms = [(0, look.linearize(exported)) for (port, _), look in looks.items() if port == export]
        space = self.names.space(export)
        return PartsOperator([space], terms, Replicated(len(self.observe.offset(window))))

    # ------------------------------------------------------------------ names
    @property
    def names(self) -> Names:
        """Spaces and participants of the run."""
        return Names(self.run)

    @property
    def _counted(self) -> str:
        """The component under whose name the run's own derivatives are counted: the first observed."""
        return self.observe.observes[0].partition(".")[0]

    @cached_property
    def _only_adjoint(self) -> bool:
        """Whether a component on the way brings an adjoint of its own, but no tangent."""
        ways = on_the_way(self.run.exchanges, self.control.targets, self.observe.observes)
        own = [p.component for p in self.run.participants if p.name in ways]
        return any(hasattr(c, "vjp") and not hasattr(c, "jvp") for c in own)


def _watching(run: CoupledRun, until: Time) -> type[Tape]:
    return Watch
