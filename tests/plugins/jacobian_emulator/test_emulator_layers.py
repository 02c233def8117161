"""Mole fractions by layer from a network of columns: shares by distance from the source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DomainError
from tradewind.plugins.jacobian_emulator.layers import KEY, RINGS, LayeredJacobian, LayerShares, measure, tell
from tradewind.plugins.jacobian_emulator.options import EmulatorOptions, OwnError
from tradewind.plugins.jacobian_emulator.samples import HALF, Period, SampleMaker
from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator
from tradewind.plugins.transport.model import COLUMN, PROFILE, Transport
from tradewind.plugins.transport.windows import Windows
from tradewind.surrogates.checkpoint import read_header

WIDTH = 2 * HALF + 1
THICKNESS = (0.04, 0.06, 0.10, 0.15, 0.20, 0.45)


@pytest.fixture(scope="module")
def shares():
    """Return shares that differ from ring to ring."""
    rows = torch.rand(len(RINGS) - 1, 6, generator=torch.Generator().manual_seed(1)).double()
    return LayerShares(RINGS, tuple(map(tuple, (rows / rows.sum(1, keepdim=True)).tolist())))


@pytest.fixture(scope="module")
def layered(transport, write_checkpoint, tmp_path_factory):
    """Return a function that builds an emulator whose checkpoint has shares."""

    def layered(shares, **options):
        path = write_checkpoint(
            tmp_path_factory.mktemp("layered") / "net.safetensors", **{KEY: shares.told()}
        )
        return JacobianEmulator(EmulatorOptions(checkpoint=path, **options), transport)

    return layered


@pytest.fixture(scope="module")
def by_layer(model, transport):
    """Return what a linearization of the profile is asked about."""
    asked = Transport(transport.options)
    asked.asked({PROFILE})
    layouts = {**model.layouts, PROFILE: model.layouts[COLUMN]}
    return replace(model, spec=asked.describe(), wanted=PROFILE, layouts=layouts)


@pytest.fixture(scope="module")
def window(emulator):
    """Return the window that ends when the checkpoint's weather does."""
    end = datetime(1996, 1, 16, 6)
    return Interval(end - emulator.length, end)


@pytest.fixture
def flux(interior):
    """Return three fluxes from two cells each."""
    flux = torch.zeros(3, 44, 45, dtype=torch.float64)
    for k in range(3):
        for row, column in interior[2 * k : 2 * k + 2]:
            flux[k, row, column] = 1e-9 * (1 + k)
    return flux.flatten(1)


# ---------------------------------------------------------------------- shares
def test_shares_are_of_the_mass_within_a_ring():
    # at the source all lies in the lowest layer; in the ring around it 3 of 4 in the second; no more beyond
    layered = torch.zeros(2, 3, WIDTH, WIDTH)
    layered[:, 0, HALF, HALF] = 5.0
    layered[0, 1, HALF, HALF + 1], layered[1, 2, HALF - 1, HALF] = 3.0, 1.0
    layered[:, :, 0, :] = 1.0
    shares = LayerShares.measured(layered)
    assert shares.shares[0] == (1.0, 0.0, 0.0)
    assert shares.shares[1] == (0.0, 0.75, 0.25)
    maps = shares.maps()
    assert maps.shape == (3, WIDTH, WIDTH)
    assert maps[:, HALF, HALF].tolist() == [1.0, 0.0, 0.0]
    assert maps[:, HALF + 1, HALF - 1].tolist() == [0.0, 0.75, 0.25]
    assert maps[:, 0, 0].tolist() == pytest.approx([1 / 3] * 3)


def test_a_checkpoint_keeps_them_as_plain_numbers(shares):
    assert LayerShares.known({KEY: shares.told()}) == shares
    assert LayerShares.known({}) is None


def test_a_checkpoint_can_be_told_later(shares, write_checkpoint, tmp_path, emulator):
    path = write_checkpoint(tmp_path / "net.safetensors")
    tell(path, shares)
    header = read_header(path)
    assert LayerShares.known(header.provenance) == shares
    assert header.model_copy(update={"provenance": {}}) == emulator.header.model_copy(
        update={"provenance": {}}
    )


def test_layers_of_windows_add_up_to_their_columns(transport, interior, window):
    windows = Windows(transport.flows, transport.solver, HALF, window.stop - window.start)
    layered = windows.layered(interior[:2], window.stop)
    assert torch.equal(layered.sum(1), windows.fractions(interior[:2], window.stop))


def test_the_reference_leaves_more_near_the_ground_beside_the_source(transport, window):
    maker = SampleMaker(transport, window.stop - window.start)
    found = measure(maker, Period(window.start, window.stop), 2, seed=1)
    assert all(sum(row) == pytest.approx(1.0) for row in found.shares)
    assert found.shares[0][0] > found.shares[5][0] > THICKNESS[0]


# ---------------------------------------------------------------------- the operator
def test_the_mean_over_the_layers_is_the_column(layered, shares, by_layer, model, window, flux):
    emulator = layered(shares)
    found = emulator.tradewind_linearize(by_layer, None, window)
    assert isinstance(found, LayeredJacobian)
    profile = found.forward(flux).reshape(3, 6, -1)
    mean = (profile * torch.tensor(THICKNESS).double()[:, None]).sum(1)
    column = emulator.tradewind_linearize(model, None, window).forward(flux)
    assert torch.allclose(mean, column, rtol=1e-6, atol=1e-7 * float(column.max()))


def test_shares_of_the_air_give_the_column_in_every_layer(layered, by_layer, model, window, flux):
    emulator = layered(LayerShares(RINGS, (THICKNESS,) * (len(RINGS) - 1)))
    profile = emulator.tradewind_linearize(by_layer, None, window).forward(flux).reshape(3, 6, -1)
    column = emulator.tradewind_linearize(model, None, window).forward(flux)
    assert torch.allclose(profile, column[:, None].expand(profile.shape), rtol=1e-6)


def test_forward_and_adjoint_are_transposes(layered, shares, by_layer, window):
    found = layered(shares).tradewind_linearize(by_layer, None, window)
    inside = torch.zeros(found.domain.size).double()
    inside[found.valid] = 1e-9
    y = torch.rand(found.range.size, generator=torch.Generator().manual_seed(2)).double()
    assert float(found.forward(inside) @ y) == pytest.approx(float(inside @ found.adjoint(y)), rel=1e-12)
    assert found.forward(torch.zeros(found.domain.size).double()).shape == (6 * 44 * 45,)


def test_how_far_layers_are_off_is_not_known(layered, shares, by_layer, window):
    found = layered(shares).tradewind_linearize(by_layer, None, window)
    assert found.variance(torch.zeros(found.domain.size)) is None


# ---------------------------------------------------------------------- what is refused
def test_without_shares_layers_are_refused(emulator, by_layer, window):
    with pytest.raises(DomainError, match=r"knows methane_column, and nothing of methane_profile .*guarded"):
        emulator.tradewind_linearize(by_layer, None, window)


def test_an_export_of_another_name_is_refused(layered, shares):
    with pytest.raises(DomainError, match="nothing of methane_mass"):
        layered(shares).check_export("methane_mass")


def test_an_error_that_is_not_known_by_layer_is_refused(layered, shares):
    emulator = layered(shares, error=OwnError.IN_OBSERVATION_SPACE)
    emulator.check_export(COLUMN)
    with pytest.raises(DomainError, match="does not know how far methane_profile is off"):
        emulator.check_export(PROFILE)
