"""Small pieces of real and made-up air, and a slow transport model to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.transport.massflux import Flow, substeps
from tradewind.plugins.transport.model import Transport
from tradewind.plugins.transport.options import TransportOptions
from tradewind.plugins.transport.solver import ORDERS, Solver

WEATHER = Path(__file__).parents[3] / "examples" / "january_1996.nc"
REGION = {"west": -110, "east": -96, "south": 26, "north": 38}
NOON = datetime(1996, 1, 15, 12)
AXES = {-1: 0, -2: 1, -3: 2}

MakeTransport = Callable[..., Transport]


def build(**options: object) -> Transport:
    settings = {"weather": WEATHER, "region": REGION, "spacing": 1.0, "substep": 900.0, **options}
    return Transport(TransportOptions.model_validate(settings))


@pytest.fixture(scope="session")
def make_transport() -> MakeTransport:
    """Return a function that builds a transport model on real winds, 12 by 14 cells of one degree."""
    return build


@pytest.fixture(scope="session", params=["upwind", "van_leer"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """Return the model with either scheme."""
    return build(scheme=request.param)


@pytest.fixture(scope="session")
def analyses() -> xr.Dataset:
    """Return the real analyses of one day."""
    with xr.open_dataset(WEATHER) as ds:
        return ds.sel(time=slice("1996-01-15T00", "1996-01-16T00")).load()


@pytest.fixture
def six_hours() -> Interval:
    """Return the time between two analyses."""
    return Interval(NOON, NOON + timedelta(hours=6))


def faces(tracer: np.ndarray, air: np.ndarray, flux: np.ndarray, axis: int, scheme: str) -> np.ndarray:
    """Return what crosses each face along `axis`, face by face: the textbook, in no hurry."""
    t, a, f = (np.moveaxis(x, axis, 0) for x in (tracer, air, flux))
    ratio, crossing = t / a, np.zeros_like(f)
    for face in range(len(f)):
        for cell, sign in ((face - 1, 1.0), (face, -1.0)):
            leaves = np.maximum(sign * f[face], 0.0)
            if 0 <= cell < len(a):
                profile = ratio[cell] + sign * 0.5 * (1.0 - leaves / a[cell]) * slope(ratio, cell, scheme)
                crossing[face] += sign * leaves * profile
    return np.moveaxis(crossing, 0, axis)


def slope(ratio: np.ndarray, cell: int, scheme: str) -> np.ndarray | float:
    if scheme == "upwind" or not 0 < cell < len(ratio) - 1:
        return 0.0
    left, right = ratio[cell] - ratio[cell - 1], ratio[cell + 1] - ratio[cell]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left * right > 0.0, 2.0 * left * right / (left + right), 0.0)


@dataclass
class SlowModel:
    """The same equations in flux form, in numpy, which counts what leaves through the sides."""

    solver: Solver
    scheme: str
    left: float = 0.0

    def advance(self, tracer: np.ndarray, emission: np.ndarray, flow: Flow, interval: Interval) -> np.ndarray:
        for number, part in enumerate(substeps(interval, self.solver.substep)):
            tracer = tracer.copy()
            tracer[0] += emission * part.seconds
            tracer = self.advect(tracer, flow, part, ORDERS[number % 2])
            matrix = self.solver.mixing.matrix(self.solver.domain, part.seconds).numpy()
            tracer = np.einsum("kl,lyx->kyx", matrix, tracer)
        return tracer

    def advect(self, tracer: np.ndarray, flow: Flow, part: Interval, order: tuple[int, ...]) -> np.ndarray:
        middle = part.start + (part.stop - part.start) / 2
        fluxes, air = [f.numpy() for f in flow.at(middle)], flow.air_at(part.start).numpy()
        for axis in order:
            flux = fluxes[AXES[axis]] * part.seconds
            crossing = faces(tracer, air, flux, axis, self.scheme)
            ends = np.moveaxis(crossing, axis, 0)
            self.left += ends[-1].sum() - ends[0].sum()
            tracer, air = tracer - np.diff(crossing, axis=axis), air - np.diff(flux, axis=axis)
        return tracer


@pytest.fixture
def slow_model() -> type[SlowModel]:
    """Return the class of the slow model."""
    return SlowModel


@pytest.fixture
def draw() -> Callable[..., torch.Tensor]:
    """Return a function that draws positive random fields, float64."""

    def fields(*shape: int, seed: int = 0) -> torch.Tensor:
        return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return fields
