"""A small inversion from its config to its posterior: who answers, and what is written."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.budget import EARTH_RADIUS
from tradewind.config import RunAs
from tradewind.couplers.operators import dot_test
from tradewind.errors import DomainError
from tradewind.execute import execute

YEAR = 365.25 * 86400


def run_as(kind: str) -> list[str]:
    return [f"components.transport.run_as={kind}"]


def test_the_posterior_is_that_of_the_textbook(small_run):
    path = small_run()
    result = execute(path)
    assembly = assemble(path)
    model = assembly.model()
    x = model.control.prior
    blocks, gaps = [], []
    for window, seen in assembly.observe.windows(assembly.windows).items():
        blocks.append(model.linearize(x, window).forward(torch.eye(9, dtype=torch.float64)).T)
        gaps.append(seen.y - model(x, window))
    K, d = torch.cat(blocks).numpy(), torch.cat(gaps).numpy()
    S = np.linalg.inv(K.T @ K / 0.25 + np.eye(9) / 0.25)
    assert np.allclose(result.posterior.mean, 1 + S @ K.T @ d / 0.25, rtol=1e-10)
    assert np.allclose(result.posterior.covariance, S, rtol=1e-9)
    assert result.posterior.dofs == pytest.approx(9 - 4 * np.trace(S))
    # what is written is what was returned
    with xr.open_dataset(path.with_name("posterior.nc")) as ds:
        A = result.posterior.averaging_kernel
        assert np.array_equal(ds["averaging_kernel"].values, A.numpy())
    # 1e-9 (1 + 2 + ... + 9) kg m-2 s-1, on cells of half a degree
    half = np.radians(0.25)
    area = [
        2 * half * (np.sin(np.radians(t) + half) - np.sin(np.radians(t) - half))
        for t in (32.25, 32.75, 33.25)
    ]
    emitted = sum(a * 1e-9 * (6 + 9 * row) for row, a in enumerate(area))
    assert result.totals.prior == pytest.approx(emitted * EARTH_RADIUS**2 * YEAR / 1e9, rel=1e-6)
    assert [(c.component, c.plugin, c.what) for c in result.calls if c.what == "linearize"] == [
        ("transport", "transport", "linearize")
    ]


def test_the_shadow_changes_no_bit(small_run):
    path = small_run()
    alone, shadowed = (execute(path, run_as(kind)) for kind in ("reference", "shadow"))
    assert torch.equal(alone.posterior.mean, shadowed.posterior.mean)
    assert torch.equal(alone.posterior.covariance, shadowed.posterior.covariance)
    plugins = {c.plugin for c in shadowed.calls}
    assert {"transport", "jacobian-emulator"} <= plugins
    assert any("differs by" in c.note for c in shadowed.calls)


def test_the_surrogate_answers_alone_and_guarded_alike_within_its_domain(small_run):
    path = small_run()
    alone, guarded = (execute(path, run_as(kind)) for kind in ("surrogate", "guarded"))
    assert torch.allclose(alone.posterior.mean, guarded.posterior.mean, rtol=1e-12)
    answered = {(c.component, c.plugin, c.what) for c in alone.calls}
    assert answered == {
        ("inventory", "gridded-emissions", "step"),
        ("transport", "jacobian-emulator", "linearize"),
    }


def test_outside_its_domain_the_surrogate_refuses_and_the_guard_asks_the_model(small_run, pieces):
    path = small_run()
    pieces.checkpoint(path.with_name("net.safetensors"), widest=1e-3)
    reference, guarded = (execute(path, run_as(kind)) for kind in ("reference", "guarded"))
    assert torch.allclose(guarded.posterior.mean, reference.posterior.mean, rtol=1e-9)
    with pytest.raises(DomainError, match="9 emitting cells lie outside the emulator's domain"):
        execute(path, run_as("surrogate"))


@pytest.mark.parametrize("kind", list(RunAs))
def test_jacobians_pass_the_dot_test(small_run, kind):
    model = assemble(small_run(), run_as(kind)).model()
    for window in model.windows:
        assert dot_test(model.linearize(model.control.prior, window)) <= 1e-12


def test_the_jacobian_is_the_derivative_of_the_model(small_run):
    model = assemble(small_run()).model()
    window, x = model.windows[0], model.control.prior
    step = torch.linspace(-1, 1, 9, dtype=torch.float64)
    difference = model(x + step, window) - model(x, window)  # the model is linear
    assert torch.allclose(model.linearize(x, window).forward(step), difference, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------- the surrogate's own error
def test_the_emulators_error_is_left_out_unless_asked_for(small_run):
    model = assemble(small_run(), run_as("surrogate")).model()
    assert model.error(model.control.prior, model.windows[0]) is None
    reference = assemble(small_run()).model()
    assert reference.error(reference.control.prior, reference.windows[0]) is None


def test_the_emulators_error_in_observation_space(small_run):
    """With the relative part, and H picking single cells: Σ_i e_i² (0.001² + (f_ij/10)²), e_i what i adds."""
    kinds = [*run_as("surrogate"), "components.transport.surrogate_options.error=in_observation_space"]
    model = assemble(small_run(), kinds).model()
    x, window = model.control.prior, model.windows[0]
    variance = model.error(x, window)
    K = model.linearize(x, window).forward(torch.eye(9, dtype=torch.float64)).T
    relative = 0.01 * K.square().sum(1)
    assert variance.shape == (10,)
    assert bool((variance > relative).all())
    # the floor adds the same in all cells of a window but for the air in the column
    floor = (variance - relative).sqrt()
    assert float(floor.max() / floor.min()) < 1.05
    assert torch.allclose(model.error(2 * x, window), 4 * variance, rtol=1e-12)


def test_its_error_loosens_the_posterior(small_run):
    path = small_run()
    ignored = execute(path, run_as("surrogate"))
    known = [*run_as("surrogate"), "components.transport.surrogate_options.error=in_observation_space"]
    counted = execute(path, known)
    assert counted.posterior.dofs < ignored.posterior.dofs


def test_totals_do_not_depend_on_the_units_of_the_inventory(small_run, pieces):
    path = small_run()
    in_kg = execute(path)
    grams = pieces.flux(units="g m-2 s-1")
    grams["methane_flux"].values *= 1000.0
    grams.to_netcdf(path.with_name("prior.nc"))
    in_g = execute(path)
    assert in_g.field_units == "g m-2 s-1"
    assert in_g.totals.prior == pytest.approx(in_kg.totals.prior, rel=1e-12)
    assert in_g.totals.posterior == pytest.approx(in_kg.totals.posterior, rel=1e-10)
    assert in_g.totals.posterior_sigma == pytest.approx(in_kg.totals.posterior_sigma, rel=1e-10)


def test_the_result_knows_the_units_of_what_was_observed(small_run):
    assert execute(small_run()).provenance["observed_units"] == "1e-9"
