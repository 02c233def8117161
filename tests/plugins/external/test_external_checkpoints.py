"""Gradients through a program with restart files, from moments that are kept only every so often."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.external.derivatives import external
from tradewind.plugins.external.options import ExternalOptions

START, HOUR, HOURS = datetime(2000, 1, 1), timedelta(hours=1), 9


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def alone(component):
    """Return a run of nothing but the component."""
    spec = component.describe()
    variables = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    layouts = {v.name: Layout(v.grid) for v in variables if v.grid is not None}

    def answer(call):
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval))

    participant = Participant("box", component, spec, answer, layouts)
    return CoupledRun(Clock(START, START + HOURS * HOUR, HOUR), [participant], [])


@pytest.fixture
def recorded(box, scratch):
    """Return a function that records nine steps, and counts the restart files that are held then."""

    def record(kind):
        run = alone(external(ExternalOptions(**box)))
        with run.recording(kind):
            run.put("box.inflow", 2e-5 + 1e-6 * draw(1, 12, seed=1))
            run.put("box.rate", 1e-5 + 1e-6 * draw(1, seed=2))
            run.advance(START + HOURS * HOUR)
        return run, len(list(scratch.iterdir()))

    return record


def test_the_program_is_run_again_with_the_restart_files_of_the_moment(recorded):
    found, held = [], []
    for kind in (Keep, Checkpoints):
        run, files = recorded(kind)
        back = run.vjp({("box.level", START + HOURS * HOUR): draw(1, 1, 12, seed=3)})
        found.append([back[port, START] for port in ("box.inflow", "box.rate")])
        held.append(files)
        del run
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    assert float(found[0][0].abs().max()) > 0
    # nine states and the last one; of moments 4 steps apart three, and the last state
    assert held == [10, 4]
