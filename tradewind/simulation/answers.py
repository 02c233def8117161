"""What a forward run says of the observations: stepped, or by a surrogate's superposition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.coupled.forward import Calls, CoupledModel
from tradewind.plugins.solvers.windows import refuse_nan

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Port
    from tradewind.couplers.coupling.component import Interval


class Answers:
    """Chooses what is stepped in a window, and gives its simulated observations.

    With a control, the run stands at its prior. Where a surrogate stands in for the linearization of the
    observed component, its superposition is the answer, and that component is not stepped at all unless
    another component, or a field that is asked for, depends on it.

    Parameters
    ----------
    asked
        Fields that the output asks for.
    """

    def __init__(self, assembly: Assembly, asked: Sequence[Port]) -> None:
        self.observe, self.control, self.asked = assembly.observe, assembly.control, asked
        self.model: CoupledModel | None = None
        if assembly.observe is not None and assembly.control is not None:
            self.model = assembly.model()
        self.whole = assembly.run() if self.model is None else self.model.run

    @property
    def calls(self) -> Calls:
        """Who was asked to linearize."""
        return Calls() if self.model is None else self.model.calls

    def stands_in(self, window: Interval) -> bool:
        """Return whether a surrogate answers for the observed component."""
        return self.model is not None and self.model.stand_in(window) is not None

    def run(self, window: Interval) -> CoupledRun:
        """Return the run that is stepped in a window."""
        return self._without_observed if self.stands_in(window) else self.whole

    def start(self, run: CoupledRun, window: Interval) -> None:
        """Bring a run to the start of a window, at the prior."""
        run.rewind(run.start(window.start))
        control = self.control
        if control is not None and control.target in run.ports.inputs:
            run.put(control.target, control.to_fields(control.prior)[control.target][None])

    def simulated(self, run: CoupledRun, window: Interval) -> Tensor:
        """Return the simulated observations of a window at whose end the run stands, shape ``(m,)``.

        Raises
        ------
        DataError
            When one of them is not finite.
        """
        if self.observe is None:
            return torch.zeros(0, dtype=torch.float64)
        if self.model is not None and self.stands_in(window):
            values = self.model(self.model.control.prior, window)
        else:
            exported = run.get(self.observe.observes)[0]
            values = self.observe.operator(window).forward(exported) + self.observe.offset(window)
        refuse_nan(values, "simulated observation", window)
        return values.detach()

    @cached_property
    def _without_observed(self) -> CoupledRun:
        """The run without the observed component, or the whole one where that is needed."""
        observed = "" if self.observe is None else self.observe.observes.partition(".")[0]
        above = self.whole.upstream(observed)
        stepped = {p.name for p in above.participants} | {observed}
        spared = {p.name for p in self.whole.participants} <= stepped
        return above if spared and all(port in above.ports.outputs for port in self.asked) else self.whole
