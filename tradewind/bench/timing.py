"""Times that can be compared: both sides in turn in one process, medians, ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any


def medians(work: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each piece of work, taken in turn, after one round of warming up.

    Parameters
    ----------
    work
        What to time, by name.
    rounds
        How often; the machine's drift then hits all sides alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, do in work.items():
            begin = perf_counter()
            do()
            seconds[name].append(perf_counter() - begin)
    return {name: median(times[1:]) for name, times in seconds.items()}


def fastest(work: Mapping[str, Callable[[], Callable[[], Any]]], rounds: int) -> dict[str, float]:
    """Return the least seconds of each piece of work, taken in turn.

    Parameters
    ----------
    work
        What prepares a piece of work, by name; only what it returns is timed.
    rounds
        How often. Whatever disturbs a process makes it slower, so the least is nearest to the truth.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, prepare in work.items():
            do = prepare()
            begin = perf_counter()
            do()
            seconds[name].append(perf_counter() - begin)
    return {name: min(times) for name, times in seconds.items()}
