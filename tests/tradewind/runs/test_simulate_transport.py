"""Forward runs on real winds: what stands in for the transport, and what need not be stepped then."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.budget import EARTH_RADIUS
from tradewind.check import check
from tradewind.errors import ConfigError
from tradewind.execute import execute
from tradewind.results import InversionResult, SimulationResult
from tradewind.simulation import Begin, simulate

FORWARD = "solve=null"


def run_as(kind: str) -> str:
    return f"components.transport.run_as={kind}"


def answered(result) -> set[tuple[str, str, str]]:
    return {(c.component, c.plugin, c.what) for c in result.calls}


@pytest.mark.parametrize("kind", ["reference", "surrogate", "guarded", "shadow"])
def test_simulates_what_the_inversion_takes_for_its_prior(small_run, kind):
    path = small_run()
    inversion = execute(path, [run_as(kind)])
    result = execute(path, [FORWARD, run_as(kind)])
    assert isinstance(inversion, InversionResult)
    assert isinstance(result, SimulationResult)
    for window, simulated in inversion.posterior.simulated.items():
        assert torch.equal(result.simulated[window], simulated["prior"])


def test_the_surrogate_spares_the_transport(small_run):
    result = simulate(small_run(), [run_as("surrogate")])
    assert answered(result) == {
        ("inventory", "gridded-emissions", "step"), ("transport", "jacobian-emulator", "linearize"),
    }  # fmt: skip
    # what would have reached it is accounted for all the same
    assert len(result.budgets[0].entries) == 4
    assert abs(result.budgets[0].residual) < 1e-14


def test_a_field_of_the_transport_does_not_spare_it(small_run):
    asked = "output.fields=[transport.methane_mass]"
    result = simulate(small_run(), [run_as("surrogate"), asked])
    assert ("transport", "transport", "step") in answered(result)
    assert ("transport", "jacobian-emulator", "linearize") in answered(result)
    assert result.fields[0].values.shape == (4, 6, 43 * 43)


def test_a_field_that_reaches_the_transport_spares_it(small_run):
    asked = "output.fields=[transport.methane_flux]"
    result = simulate(small_run(), [run_as("surrogate"), asked])
    assert ("transport", "transport", "step") not in answered(result)
    (flux,) = result.fields
    area = torch.from_numpy(flux.variable.grid.area)
    emitted = result.budgets[0].entries[0].left
    assert float(flux.values[0] @ area) == pytest.approx(emitted, rel=1e-13)


def test_emits_what_the_inventory_says(small_run):
    """A day of 1e-9 (1 + ... + 9) kg m-2 s-1, on cells of half a degree."""
    path = small_run()
    (budget,) = simulate(path).budgets
    half = np.radians(0.25)
    area = [2 * half * (np.sin(np.radians(t) + half) - np.sin(np.radians(t) - half)) for t in
            (32.25, 32.75, 33.25)]  # fmt: skip
    emitted = sum(a * 1e-9 * (6 + 9 * row) for row, a in enumerate(area))
    assert budget.total("left") == pytest.approx(emitted * EARTH_RADIUS**2 * 86400, rel=1e-6)
    assert budget.weight.units == "kg"


def test_what_was_emitted_is_in_the_air(small_run):
    """Nothing leaves the region in half a day, so the tracer's mass is what the ledger let in.

    But for areas: between great circles in the ledger, between parallels in the model, 2e-5 apart.
    """
    result = simulate(small_run(), ["output.fields=[transport.methane_mass]"])
    masses = result.fields[0].values.sum((1, 2))
    entries = result.budgets[0].entries
    arrived = [e.arrived * e.interval.seconds * EARTH_RADIUS**2 for e in entries]
    assert float(masses[1]) == pytest.approx(arrived[0] + arrived[1], rel=1e-4)
    # the second window begins with clean air
    assert float(masses[2]) == pytest.approx(arrived[2], rel=1e-4)


@pytest.mark.parametrize("kind", ["reference", "surrogate"])
def test_goes_on_to_the_same_bits(small_run, kind):
    path = small_run()
    keep = ["run.restart={folder: restart}", "output.fields=[transport.methane_flux]", run_as(kind)]
    execute(path, [FORWARD, *keep])
    with xr.open_dataset(path.with_name("posterior.nc"), decode_cf=False) as ds:
        whole = ds.load()

    def interrupt(name, length):
        left = iter([None, None, KeyboardInterrupt])

        def advanced():
            if next(left):
                raise KeyboardInterrupt

        return advanced

    with pytest.raises(KeyboardInterrupt):
        execute(path, [FORWARD, *keep], None, interrupt)
    execute(path, [FORWARD, *keep], begin=Begin.RESUME)
    with xr.open_dataset(path.with_name("posterior.nc"), decode_cf=False) as ds:
        assert all(np.array_equal(v.values, whole[n].values) for n, v in ds.variables.items())


def test_without_a_control_the_reference_answers(small_run):
    path = small_run()
    with_control = simulate(path).simulated
    without = simulate(path, [FORWARD, "control=null"]).simulated
    assert all(torch.equal(without[w], y) for w, y in with_control.items())


def test_an_inversion_does_not_go_on(small_run):
    with pytest.raises(ConfigError, match="an assimilation has no restart files"):
        execute(small_run(), begin=Begin.RESUME)


def test_settings_without_effect_are_said(small_run):
    path = small_run()
    forward = ["output.fields=[transport.methane_mass]", "run.restart={folder: restart}"]
    told = "\n".join(check(path, forward).lines)
    assert "output.fields are of forward runs" in told
    assert "run.restart is of forward runs" in told
    told = "\n".join(check(path, [FORWARD, "output.report=report.html"]).lines)
    assert "a forward run makes none" in told
