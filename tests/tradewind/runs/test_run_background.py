"""Inversions that estimate what comes in through the sides, beside emissions: reference and surrogate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.check import check
from tradewind.couplers.assimilation.contracts import Observations
from tradewind.couplers.coupling.fields import State
from tradewind.execute import execute
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.options import AnalyticalOptions

BESIDE = """\
  background:
    plugin: background
    options:
      weather: {weather}
      region: {{west: -113, east: -91.5, south: 22, north: 43.5}}
      substep: 1080
      spin_up: 18h
exchanges:
"""
OBSERVED = "observations: {operator: column, "
SUM = "of: [transport.methane_column, background.methane_column], "
CONTROL = "control: {field: inventory.methane_flux, per: cell, prior_error: 0.5}\n"
MORE = """\
control:
  - {field: inventory.methane_flux, per: cell, prior_error: 0.5}
  - {field: background.boundary, change: add, prior_error: 10}
  - {field: background.oh, prior_error: 0.1}
"""


@pytest.fixture
def run_as(small_run, pieces):
    """Return a function that writes the small run with a background beside its transport."""

    def write(how="reference", *more):
        beside = BESIDE.format(weather=pieces.weather)
        return small_run(
            ("exchanges:\n", beside), (OBSERVED, OBSERVED + SUM), (CONTROL, MORE),
            ("run_as: reference", f"run_as: {how}"), *more,
        )  # fmt: skip

    return write


def jacobian(path):
    """Return K, window by window, shape ``(window, m, 15)``."""
    model = assemble(path).model()
    x, eye = model.control.prior, torch.eye(15, dtype=torch.float64)
    return torch.stack([model.linearize(x, w).forward(eye).T for w in model.windows])


def shares(path):
    """Return the columns of the air through each side at the windows' ends, by the component itself."""
    assembly = assemble(path)
    component = assembly.members["background"].component
    put = {"boundary": torch.eye(4).double(), "oh": torch.ones(4, 2).double()}
    return [component.step(State(), {}, put, w)[0]["methane_column"] for w in assembly.windows]


def test_k_of_the_sides_is_the_share_of_air_that_came_in_there(run_as):
    path = run_as()
    found, seen = jacobian(path)[:, :, 9:13], xr.open_dataset(path.parent / "columns.nc")
    lat, lon = (seen[name].values.reshape(2, 10) for name in ("latitude", "longitude"))
    cells = np.floor((lat - 22) / 0.5).astype(int) * 43 + np.floor((lon + 113) / 0.5).astype(int)
    for window, fields in enumerate(shares(path)):
        assert torch.equal(found[window].T, fields[:, cells[window]])


def test_the_surrogate_leaves_the_exact_part_as_it_is(run_as):
    exact, emulated = jacobian(run_as("reference")), jacobian(run_as("surrogate"))
    assert torch.equal(exact[..., 9:], emulated[..., 9:])
    assert not torch.equal(exact[..., :9], emulated[..., :9])


def test_emissions_are_seen_as_without_the_background(run_as, small_run):
    beside = jacobian(run_as())[..., :9]
    model = assemble(small_run()).model()
    x, eye = model.control.prior, torch.eye(9, dtype=torch.float64)
    alone = torch.stack([model.linearize(x, w).forward(eye).T for w in model.windows])
    torch.testing.assert_close(beside, alone, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("how", ["reference", "surrogate"])
def test_what_was_put_in_is_found(run_as, how):
    # observations that are simulated with a change at the sides, and weigh much: it comes out
    model = assemble(run_as(how)).model()
    truth = model.control.prior.clone()
    truth[:9], truth[9:13] = (
        torch.linspace(0.7, 1.4, 9).double(),
        torch.tensor([5.0, -3.0, 2.0, 8.0]).double(),
    )
    seen = {
        w: Observations(model(truth, w), type(o.covariance)(o.covariance.diagonal() * 1e-12))
        for w, o in model.observe.windows(model.windows).items()
    }
    found = Analytical(AnalyticalOptions()).solve(model, model.control, seen)
    known = found.averaging_kernel.diagonal() > 0.999
    assert int(known.sum()) >= 6
    torch.testing.assert_close(found.mean[known], truth[known], rtol=0.05, atol=0.05)


def test_the_other_hemisphere_keeps_its_prior_and_has_no_degree_of_freedom(run_as):
    result = execute(run_as())
    posterior = result.posterior
    assert float(posterior.mean[14]) == 1.0
    assert float(posterior.averaging_kernel[14].abs().max()) == 0.0
    assert float(posterior.covariance[14, 14]) == pytest.approx(0.01, rel=1e-12)


def test_elements_are_named_in_the_outputs(run_as):
    names = assemble(run_as()).control.names
    assert names[9:] == (
        "background.boundary, north", "background.boundary, east", "background.boundary, south",
        "background.boundary, west", "background.oh, northern", "background.oh, southern",
    )  # fmt: skip


def test_guarded_and_shadowed_runs_stand_beside_it_too(run_as):
    exact = jacobian(run_as())
    torch.testing.assert_close(jacobian(run_as("shadow")), exact, rtol=1e-12, atol=1e-15)
    assert torch.equal(jacobian(run_as("guarded"))[..., 9:], exact[..., 9:])


def test_another_box_cannot_be_added(run_as):
    path = run_as(
        "reference", ("substep: 1080\n      spin_up", "spacing: 1.075\n      substep: 1080\n      spin_up")
    )
    (fault,) = check(path).faults
    assert "transport.methane_column and background.methane_column cannot be added up: another grid" in fault


def test_a_place_is_asked_of_what_has_none(run_as):
    path = run_as("reference", ("change: add, ", "change: add, exclude_edge: 1, "))
    (fault,) = check(path).faults
    assert "background.boundary belongs to no place, so it has no exclude_edge" in fault


def test_sources_outside_the_transports_grid_are_named_and_keep_their_prior(small_run, pieces):
    path = small_run()
    lat = np.array([42.75, 43.25, 43.75])  # the last row lies north of the box
    pieces.flux(lat=lat).to_netcdf(path.parent / "prior.nc")
    found = execute(path)
    assert any(
        "33.06% of the source's area lies outside of the target's grid" in note for note in found.notes
    )
    assert found.posterior.mean[6:].tolist() == [1.0] * 3
    assert float(found.posterior.averaging_kernel[6:].abs().max()) == 0.0
