"""Coupled cases with answers worked out by hand; the derivation of each stands above it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from math import pi

import numpy as np
import torch
from torch import Tensor

from tradewind.bench.exchange.toys import START, Gauge, Series, coupled, end, joined, participant
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.couplers.grids import Grid

Case = Callable[[], tuple[Tensor, Tensor]]
"""What came out, and what should have."""
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
OCTANTS = Grid.latlon(np.array([-45.0, 45.0]), np.array([45.0, 135.0, 225.0, 315.0]))
TILES = {"land": 10.0, "ocean": 20.0, "ice": 30.0}
FIBONACCI = (1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987)


def errors() -> dict[str, float]:
    """Return the largest relative error of every case."""
    found = {}
    for name, case in cases():
        came, expected = case()
        found[name] = float(((came - expected).abs() / expected.abs().clamp_min(1.0)).max())
    return found


def cases() -> Iterator[tuple[str, Case]]:
    """Yield every case by name."""
    for reduction in Reduction:
        yield f"1 h into 6 h, {reduction}", partial(accumulated, reduction)
    yield "2 h into 3 h", unequal_steps
    yield "lag of one interval", lagged
    yield "two that wait for each other", two_way
    yield "three tiles", three_tiles
    yield "three grids", three_grids


def numbered(length: timedelta, values: Callable[[int], float], grid: Grid = OCTANTS) -> Series:
    """Return a source whose step number n exports ``values(n)`` everywhere."""

    def value(interval: Interval) -> Tensor:
        return torch.full((grid.size,), values((interval.start - START) // length), dtype=torch.float64)

    return Series(grid, value)


def readings(run: CoupledRun, port: str, every: timedelta) -> Tensor:
    """Step a run to its end; return what stood at a port after every `every`, of its first cell."""
    times = [START + (n + 1) * every for n in range((run.clock.stop - START) // every)]
    found = []
    for time in times:
        run.advance(time)
        found.append(run.get(port)[0, 0])
    return torch.stack(found)


def _pair(source: Series, steps: tuple[timedelta, timedelta]) -> dict[str, Participant]:
    return {
        "source": participant("source", source, steps[0]),
        "gauge": participant("gauge", Gauge(source.grid), steps[1]),
    }


def accumulated(reduction: Reduction) -> tuple[Tensor, Tensor]:
    """Reduce steps of 1 h to periods of 6 h.

    Step n exports (n - 2)²: 4, 1, 0, 1, 4, 9 in the first period, 16, 25, 36, 49, 64, 81 in the second.
    Their sums are 19 and 271, so the means 19/6 and 271/6, and the integrals 3600 times the sums; the
    extremes are 0 and 9, 16 and 81, and the last ones 9 and 81.
    """
    expected = {
        Reduction.INSTANT: (9.0, 81.0), Reduction.MEAN: (19.0 / 6.0, 271.0 / 6.0),
        Reduction.SUM: (19.0, 271.0), Reduction.INTEGRAL: (68_400.0, 975_600.0),
        Reduction.MIN: (0.0, 16.0), Reduction.MAX: (9.0, 81.0),
    }  # fmt: skip
    two = _pair(numbered(HOUR, lambda n: (n - 2.0) ** 2), (HOUR, 6 * HOUR))
    exchange = joined(end(two["source"], "x"), end(two["gauge"], "x"), Timing(reduction=reduction))
    run = coupled(two, [exchange], 6 * HOUR, 2)
    return readings(run, "gauge.given", 6 * HOUR), _numbers(*expected[reduction])


def unequal_steps() -> tuple[Tensor, Tensor]:
    """Take steps of 2 h into steps of 3 h.

    Their least common multiple is 6 h: three steps of the source are averaged and given to two of the target.
    (n - 2)² is 4, 1, 0 and then 1, 4, 9: the means are 5/3 and 14/3, each given twice. After 12 h the gauge
    holds 6 h (5/3 + 14/3) = 21600 s · 19/3 = 136800.
    """
    two = _pair(numbered(2 * HOUR, lambda n: (n - 2.0) ** 2), (2 * HOUR, 3 * HOUR))
    timing = Timing(reduction=Reduction.MEAN)
    run = coupled(two, [joined(end(two["source"], "x"), end(two["gauge"], "x"), timing)], 6 * HOUR, 2)
    given = readings(run, "gauge.given", 3 * HOUR)
    total = run.get("gauge.total")[0, :1]
    return torch.cat([given, total]), _numbers(5 / 3, 5 / 3, 14 / 3, 14 / 3, 136_800.0)


def lagged() -> tuple[Tensor, Tensor]:
    """Give the target what the source made one interval before.

    Step n exports n + 1, and before the start there is -7: the target is given -7, 1, 2, ... up to N - 1.
    Steps of 1 s: its gauge holds N (N - 1) / 2 - 7 after N of them.
    """
    two, count = _pair(numbered(SECOND, lambda n: n + 1.0), (SECOND, SECOND)), 9
    timing = Timing(lag=1, initial=-7.0)
    run = coupled(two, [joined(end(two["source"], "x"), end(two["gauge"], "x"), timing)], SECOND, count)
    given = readings(run, "gauge.given", SECOND)
    total = run.get("gauge.total")[0, :1]
    return torch.cat([given, total]), _numbers(-7, *range(1, count), count * (count - 1) / 2 - 7)


def two_way() -> tuple[Tensor, Tensor]:
    """Let two gauges feed each other, one of them with a lag of one interval.

    With steps of 1 s, a_k = a_(k-1) + b_(k-1) and b_k = b_(k-1) + a_k; a and b begin with 0, and what a is
    given before the start is 1. So a_0 = 1, b_0 = 1, a_1 = 2, b_1 = 3: Fibonacci's numbers,
    a_k = F_(2k+1) and b_k = F_(2k+2).
    """
    two = {name: participant(name, Gauge(OCTANTS)) for name in ("a", "b")}
    late = joined(end(two["b"], "total"), end(two["a"], "x"), Timing(lag=1, initial=1.0))
    at_once = joined(end(two["a"], "total"), end(two["b"], "x"))
    run = coupled(two, [late, at_once], SECOND, len(FIBONACCI) // 2)
    a = readings(run, "a.total", SECOND)
    run.rewind(run.start())
    b = readings(run, "b.total", SECOND)
    return torch.stack([a, b]).T.flatten(), _numbers(*FIBONACCI)


def three_tiles() -> tuple[Tensor, Tensor]:
    """Merge land, ocean and ice by fractions that differ from cell to cell and add up to one.

    With 10, 20 and 30 on the tiles and fractions (1, 0, 0), (1/2, 1/4, 1/4), (0, 0, 1), (1/8, 5/8, 1/4) the
    four cells of a row are given 10, 17.5, 30 and 21.25.
    """
    shares = torch.tensor(
        [[1.0, 0.5, 0.0, 0.125], [0.0, 0.25, 0.0, 0.625], [0.0, 0.25, 1.0, 0.25]], dtype=torch.float64
    ).repeat(1, 2)
    gauge = participant("gauge", Gauge(OCTANTS))
    tiles = {name: participant(name, numbered(HOUR, _always(v))) for name, v in TILES.items()}
    exchanges = [
        joined(end(tile, "x"), end(gauge, "x"), fraction=share)
        for tile, share in zip(tiles.values(), shares, strict=True)
    ]
    run = coupled(tiles | {"gauge": gauge}, exchanges, HOUR, 1)
    run.advance(START + HOUR)
    return run.get("gauge.given")[0], _numbers(10.0, 17.5, 30.0, 21.25).repeat(2)


def _always(value: float) -> Callable[[int], float]:
    return lambda _: value


def three_grids() -> tuple[Tensor, Tensor]:
    """Carry a mass over the sphere through three grids, by steps of 1 h, 2 h and 3 h.

    Octant k of the sphere, of area pi / 2 (steradian), sends the flux k, k from 1 to 8: 18 pi in all every
    second, whatever the grids on the way. After 6 h the last grid holds 21600 · 18 pi. The middle one hands
    on what it is given.
    """
    first = Series(OCTANTS, lambda _: torch.arange(1.0, 9.0, dtype=torch.float64))
    three = {
        "first": participant("first", first, HOUR),
        "middle": participant("middle", Gauge(_global(7, 11)), 2 * HOUR),
        "last": participant("last", Gauge(_global(12, 17)), 3 * HOUR),
    }
    mean = Timing(reduction=Reduction.MEAN)
    exchanges = [
        joined(end(three["first"], "x"), end(three["middle"], "x"), mean),
        joined(end(three["middle"], "given"), end(three["last"], "x"), mean),
    ]
    run = coupled(three, exchanges, 6 * HOUR, 1)
    run.advance(run.clock.stop)
    held = exchanges[1].target.integral(run.get("last.total"))
    return _numbers(held), _numbers(21_600.0 * 18.0 * pi)


def _global(rows: int, columns: int) -> Grid:
    lat = -90.0 + (np.arange(rows) + 0.5) * 180.0 / rows
    return Grid.latlon(lat, (np.arange(columns) + 0.5) * 360.0 / columns)


def _numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
