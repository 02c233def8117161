"""Small, made-up hours at an inlet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tradewind.surrogates.footprints.observations import Footprints, Hours, Window
from tradewind.surrogates.footprints.plume import Plume
from tradewind.surrogates.footprints.situations import Situations

MakeHours = Callable[..., Hours]
MakeFootprints = Callable[..., Footprints]


def hours_of(count: int = 1, **given: object) -> Hours:
    """Return hours with a westerly of 8 m/s at an inlet of 100 m at 0.1 N, 0.1 E, unless told otherwise."""
    usual = {
        "time": np.arange(float(count)),
        "run": np.zeros(count, dtype=np.int64),
        "tracer": "inert",
        "latitude": 0.1,
        "longitude": 0.1,
        "height": 100.0,
        "wind_speed": 8.0,
        "wind_from": 270.0,
        "mixing_height": 800.0,
        "temperature": 10.0,
        "pressure": 1000.0,
    } | given
    kinds = {"run": np.int64, "tracer": np.str_}
    return Hours(
        **{
            name: np.array(np.broadcast_to(np.asarray(v, dtype=kinds.get(name, np.float64)), count))
            for name, v in usual.items()
        }
    )


def wide_window(cells: int = 11, size: float = 0.2) -> Window:
    """Return a square of cells around 0.1 N, 0.1 E, which is the middle of the middle cell."""
    edges = 0.1 + size * (np.arange(cells + 1) - cells / 2)
    return Window(edges, edges.copy())


def drawn_hours(count: int, seed: int = 0, **given: object) -> Hours:
    """Return hours whose weather wanders."""
    draw = np.random.default_rng(seed)
    wander = draw.standard_normal((3, count)).cumsum(axis=1)
    weather = {
        "wind_speed": 6.0 + 2.0 * np.tanh(wander[0] / 3),
        "wind_from": (200.0 + 15.0 * wander[1]) % 360,
        "mixing_height": 600.0 * np.exp(0.3 * np.tanh(wander[2])),
    }
    return hours_of(count, **(weather | given))


def plume_footprints(count: int, seed: int = 0, **given: object) -> Footprints:
    """Return footprints that a plume with other parameters than the usual ones has."""
    import torch

    hours, window = drawn_hours(count, seed, **given), wide_window(7)
    plume = Plume()
    with torch.no_grad():
        plume.knobs[:4] += torch.tensor([0.4, -0.2, 0.3, 0.1])
        values = plume(Situations.of(hours, window)).numpy()
    return Footprints(hours, window, values)


@pytest.fixture(scope="session")
def make_hours() -> MakeHours:
    return hours_of


@pytest.fixture(scope="session")
def draw_hours() -> MakeHours:
    return drawn_hours


@pytest.fixture(scope="session")
def window() -> Window:
    return wide_window()


@pytest.fixture(scope="session")
def make_footprints() -> MakeFootprints:
    return plume_footprints
