"""A forward model without its dynamics: what 3D-Var looks at."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tradewind.coupled.derivatives.operators import PartsOperator
from tradewind.coupled.model.looking import fields_of, looks_of, simulated
from tradewind.coupled.model.names import Names
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.assimilation import Control, ObservationOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator, Replicated
from tradewind.couplers.ranks.parallel import Communicator, Serial
from tradewind.errors import SpecError, did_you_mean


class StandingStill:
    """The controlled fields, kept through every window: ``y = Σ_t H_t x + offset``.

    Parameters
    ----------
    run
        Declares the variables; it is not stepped.
    control, observe, windows, comm
        As in `CoupledModel`.

    Raises
    ------
    SpecError
        When something is observed that x does not set.
    """

    def __init__(
        self,
        run: CoupledRun,
        control: Control,
        observe: ObservationOperator,
        windows: Sequence[Interval],
        comm: Communicator | None = None,
    ) -> None:
        for port in observe.observes:
            if port not in control.targets:
                hint = did_you_mean(port, control.targets)
                raise SpecError("is observed, but x does not set it", where=port, hint=hint)
        self.run, self.control, self.observe, self.windows = run, control, observe, windows
        self.comm = comm or Serial()

    def __call__(self, x: Tensor, window: Interval) -> Tensor:
        """Return the simulated observations of `window`, shape ``(*batch, m)``, for x ``(*batch, n)``."""
        looks, offset = looks_of(self.observe, window), self.observe.offset(window)
        rows = x.reshape(-1, x.shape[-1])
        fields = fields_of(self.control.at(window), rows) if len(rows) else {}
        seen = {event: fields[event[0]] for event in looks} if len(rows) else {}
        return simulated(looks, seen, offset, len(rows)).reshape(*x.shape[:-1], len(offset))

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return ``Σ_t H'_t`` at the fields of x, composed with the control's derivative."""
        control, looks = self.control.at(window), looks_of(self.observe, window)
        fields, order = control.to_fields(x), list(control.targets)
        terms = [(order.index(port), look.linearize(fields[port])) for (port, _), look in looks.items()]
        spaces = list(Names(self.run).given(order, window).values())
        return PartsOperator(spaces, terms, Replicated(len(self.observe.offset(window)))) @ control.linearize(
            x
        )

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return None: how far a model is off that stands still is not known."""
        return None
