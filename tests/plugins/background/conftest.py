"""A small box in the real winds of January 1996."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tradewind.couplers.coupling.time.clock import Clock
from tradewind.plugins.background.model import Background
from tradewind.plugins.background.options import BackgroundOptions
from tradewind.plugins.transport.advection import Upwind

WEATHER = Path(__file__).parents[3] / "examples" / "january_1996.nc"
REGION = {"west": -110, "east": -100, "south": 30, "north": 38}
NOON = datetime(1996, 1, 15, 12)
CLOCK = Clock(NOON, NOON + timedelta(hours=12), timedelta(hours=6))


@pytest.fixture
def upwind() -> Upwind:
    return Upwind()


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def clock() -> Clock:
    """Return twelve hours in two steps."""
    return CLOCK


def build(clock: Clock | None = CLOCK, asked: tuple[str, ...] = ("oh",), **options: object) -> Background:
    settings = {"weather": WEATHER, "region": REGION, "spacing": 2.0, "substep": 1800.0, "spin_up": "4d"}
    made = Background(BackgroundOptions.model_validate(settings | options))
    made.asked(asked)
    if clock is not None:
        made.verify(clock)
    return made


@pytest.fixture(scope="session")
def make():
    """Return a function that builds a background of 4 by 5 cells of two degrees."""
    return build


@pytest.fixture(scope="session")
def background() -> Background:
    """Return one that has spun up for four days."""
    return build()
