"""Departures whose numbers are given in place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tradewind.couplers.assimilation import Departures
from tradewind.couplers.coupling.component import Interval

START = datetime(2000, 1, 1)


def made(number: int = 0, members: int = 0, **given: Any) -> Departures:
    """Return departures of window `number`; what is not given is unknown, and y is 0."""
    m = max(len(np.atleast_1d(v)) for v in given.values()) if given else 0
    defaults = {"y": np.zeros(m), "rank": np.full(m, -1), "reason": np.full(m, "")}
    unknown = ("sigma", "background", "analysis", "background_sigma", "analysis_sigma")
    stream = given.pop("stream", None)
    values = defaults | {name: np.full(m, np.nan) for name in unknown} | given
    window = Interval(START + timedelta(days=number), START + timedelta(days=number + 1))
    coordinates = {} if stream is None else {"stream": np.asarray(stream)}
    arrays = {name: np.asarray(value) for name, value in values.items()}
    return Departures(window=window, members=members, coordinates=coordinates, **arrays)


@pytest.fixture
def departures() -> Callable[..., Departures]:
    return made
