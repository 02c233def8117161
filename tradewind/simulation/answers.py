"""What a forward run says of the observations: stepped, or by a surrogate's superposition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Watch
from tradewind.coupled.derivatives.paths import reached
from tradewind.coupled.model import Calls, CoupledModel
from tradewind.coupled.model.looking import begun, fields_of, looked_at, looks_of, simulated, watch
from tradewind.plugins.solvers.windows import refuse_nan

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Event, Port
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
        if self.control is None:
            return
        control = self.control.at(window)
        for target, value in fields_of(control, control.prior[None]).items():
            if target in run.ports.inputs:
                run.put(target, value)

    @contextmanager
    def watching(self, run: CoupledRun, window: Interval, seen: dict[Event, Tensor]) -> Iterator[None]:
        """Keep, while a window is stepped, what is looked at in it.

        Parameters
        ----------
        seen
            Takes the fields by port and time, shape ``(1, *extra, cell)``; holds those of before where the
            window was interrupted.
        """
        if self.observe is None or self.stands_in(window):
            yield
            return
        looks = looks_of(self.observe, window)
        if run.time == window.start:
            seen |= begun(run, looks, window)
        with run.recording(Watch) as tape:
            watch(run, tape, looks, window)
            tape.seen = seen
            yield

    def simulated(self, seen: Mapping[Event, Tensor], window: Interval) -> Tensor:
        """Return the simulated observations of a window that was stepped to its end, shape ``(m,)``.

        Parameters
        ----------
        seen
            What was kept while it was stepped.

        Raises
        ------
        DataError
            When one of them is not finite.
        SpecError
            When something is looked at at a time at which no step ends.
        """
        if self.observe is None:
            return torch.zeros(0, dtype=torch.float64)
        if self.model is not None and self.stands_in(window):
            values = self.model(self.model.control.prior, window)
        else:
            looks = looks_of(self.observe, window)
            values = simulated(looks, looked_at(looks, seen), self.observe.offset(window), 1)[0]
        refuse_nan(values, "simulated observation", window)
        return values.detach()

    @cached_property
    def _without_observed(self) -> CoupledRun:
        """The run without the observed component, or the whole one where that is needed."""
        observed = "" if self.model is None else self.model.replaced
        if not observed or reached(self.whole.exchanges, [observed]) != {observed}:
            return self.whole
        others = self.whole.without(observed)
        return others if all(port in others.ports.outputs for port in self.asked) else self.whole
