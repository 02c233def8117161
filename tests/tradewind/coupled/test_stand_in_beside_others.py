"""A surrogate of a linearization is given all that its component imports, not the controlled part only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tradewind.coupled.model import CoupledModel
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.timing import Timing
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.plugins.caller import Part, StepCaller

CELLS = 4


class Same:
    """A surrogate that is right: level after two hours = rate 1/2 times 2 h times the mean inflow."""

    def tradewind_linearize(self, model, x, window):
        return IdentityOperator(Distributed(model.layouts[model.given]))


def model(toys, answered_by, timing):
    """Return a tank that a controlled source fills, and another of 10 kg/s everywhere."""
    flux = {"flux": torch.full((1, CELLS), 2.0, dtype=torch.float64)}
    other = {"flux": torch.full((1, CELLS), 10.0, dtype=torch.float64)}
    source, second = (toys.participant(n, toys.Source(), f) for n, f in (("source", flux), ("other", other)))
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(0.5)})
    merged = [
        toys.connect(source, "flux", tank, "inflow"),
        replace(toys.connect(second, "flux", tank, "inflow"), timing=timing),
    ]
    run = CoupledRun(toys.Clock(toys.START, toys.at(4), toys.HOUR), [tank, source, second], merged)
    layout = tank.layouts["level"]
    windows = [Interval(toys.at(0), toys.at(2)), Interval(toys.at(2), toys.at(4))]
    surrogate = Part("same", Same()) if answered_by == "surrogate" else None
    callers = {"tank": StepCaller("tank", Part("tank", toys.Tank()), surrogate, ())}
    return CoupledModel(run, toys.Scaled(layout), toys.Looks(layout), windows, callers)


@pytest.mark.parametrize("timing", [Timing(), Timing(lag=1, initial=30.0)], ids=["at once", "lagged"])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_surrogate_and_reference_see_the_same_imports(toys, timing, scale):
    x = torch.full((CELLS,), scale, dtype=torch.float64)
    found = []
    for name in ("reference", "surrogate"):
        made = model(toys, name, timing)
        found.append(made(x, made.windows[1]))
    # two hours at half of (x times 1, 2, 3, 4, and the other's mean: 10, or of 30 and 10)
    others = 10.0 if timing.lag == 0 else 20.0
    expected = scale * toys.Scaled.field + others
    torch.testing.assert_close(found[0], expected, rtol=1e-15, atol=0)
    torch.testing.assert_close(found[1], expected, rtol=1e-15, atol=0)


def test_the_derivative_does_not_see_what_others_bring(toys):
    made = model(toys, "surrogate", Timing())
    jacobian = made.linearize(made.control.prior, made.windows[0])
    torch.testing.assert_close(jacobian.forward(torch.ones(CELLS, dtype=torch.float64)), toys.Scaled.field)
