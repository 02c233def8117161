"""An untrained emulator of a small region, whose windows fit into it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch

from tradewind.couplers.assimilation.linearization import WindowModel
from tradewind.couplers.operators import Distributed, MatrixOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.jacobian_emulator.inputs import InputWindows
from tradewind.plugins.jacobian_emulator.options import EmulatorOptions
from tradewind.plugins.jacobian_emulator.samples import HALF
from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator, reference_settings
from tradewind.plugins.transport.model import COLUMN, FLUX, Transport
from tradewind.plugins.transport.options import TransportOptions
from tradewind.surrogates.checkpoint import CheckpointHeader, ErrorModel, save_checkpoint
from tradewind.surrogates.datasets import Windows
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.networks import CompactNetwork
from tradewind.surrogates.normalisation import Normalisation
from tradewind.surrogates.surrogate import describe

WEATHER = Path(__file__).parents[3] / "examples" / "january_1996.nc"
REGION = {"west": -114, "east": -91.5, "south": 22, "north": 44}
END = datetime(1996, 1, 16, 6)
LENGTH = timedelta(hours=12)
SMALL = {
    "widths": (4, 4, 8),
    "plume": {"particles": 4, "ages": 2, "blends": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))},
}


def build(**options: object) -> Transport:
    return Transport(TransportOptions.model_validate({"weather": WEATHER, "region": REGION, **options}))


@pytest.fixture(scope="session")
def make_transport() -> Callable[..., Transport]:
    """Return a function that builds the reference model: 44 by 45 cells, 4 by 5 with whole windows."""
    return build


@pytest.fixture(scope="session")
def transport() -> Transport:
    """Return the reference model."""
    return build()


@pytest.fixture(scope="session")
def interior(transport: Transport) -> list[tuple[int, int]]:
    """Return the cells whose windows lie within the region."""
    return [(r, c) for r in range(20, 24) for c in range(20, 25)]


@pytest.fixture(scope="session")
def write_checkpoint(transport: Transport, interior: list[tuple[int, int]]) -> Callable[..., Path]:
    """Return a function that writes the checkpoint of an untrained network; its domain is today's weather."""
    inputs = InputWindows(transport.flows, HALF, LENGTH)

    def write(path: Path, cells: slice = slice(None), **provenance: object) -> Path:
        asked = interior[cells]
        windows = Windows(inputs(asked, END), inputs.latitude(asked))
        torch.manual_seed(0)
        scales = Normalisation((0.0,) * 12 + (1.0e5,), (10.0,) * 12 + (1000.0,), 0.01)
        network = CompactNetwork(scales, **SMALL)
        settings = reference_settings(transport.options, LENGTH)
        header = CheckpointHeader(
            **describe(network),
            training_period=("1996-01-05", "1996-01-13"),
            provenance={"reference": settings} | provenance,
            seed=0,
            domain=Domain.fit(windows).bounds(),
            error=ErrorModel(floor=1e-4, relative=0.1),
        )
        save_checkpoint(path, network, header)
        return path

    return write


@pytest.fixture(scope="session")
def emulator(transport, write_checkpoint, tmp_path_factory) -> JacobianEmulator:
    """Return the emulator."""
    path = write_checkpoint(tmp_path_factory.mktemp("emulator") / "net.safetensors")
    return JacobianEmulator(EmulatorOptions(checkpoint=path), transport)


@pytest.fixture(scope="session")
def model(transport: Transport) -> WindowModel:
    """Return what a linearization is asked about; the reference operator is ones on the diagonal."""
    layout = Layout(transport.domain.grid)
    size = transport.domain.grid.size

    def reference() -> MatrixOperator:

        return MatrixOperator(torch.eye(size, dtype=torch.float64), Distributed(layout), Distributed(layout))

    return WindowModel(
        "transport", transport.describe(), FLUX, COLUMN, {FLUX: layout, COLUMN: layout}, reference
    )
