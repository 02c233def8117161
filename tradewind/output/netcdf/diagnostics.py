"""Diagnostics of departures as CF variables, on windows, streams, bins and ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.output.netcdf.coordinates import Variables, variable

if TYPE_CHECKING:
    import xarray as xr

    from tradewind.diagnostics import Descent, Diagnosis, Part

SQUARED = {"": "", "1": "1"}
SIDES = {"innovation": ("before", "background"), "residual": ("after", "analysis")}
MOMENTS = {"mean": "mean", "sd": "standard deviation", "rms": "root mean square"}


def diagnostics_variables(found: Diagnosis, units: str) -> Variables:
    """Return all diagnostics: scalars, along ``window`` and ``stream``, by rank and by bin of spread.

    Parameters
    ----------
    units
        Of the observations.
    """
    out: Variables = {}
    for name, (dim, parts) in _sides(found).items():
        out |= {f"{name}{key}": v for key, v in _statistics(dim, parts, units).items()}
    out |= _streams(found) | _members(found, units)
    out["influence_dofs"] = variable((), found.dofs, "1", "degrees of freedom for signal, from the spread")
    out["rejected"] = variable((), found.rejections, "1", "observations that were not used")
    return out


def _sides(found: Diagnosis) -> dict[str, tuple[str, Sequence[Part]]]:
    sides: dict[str, tuple[str, Sequence[Part]]] = {"": ("", [found.whole])}
    # netCDF knows no dimension of length zero
    if found.windows:
        sides["window_"] = "window", found.windows
    if found.streams:
        sides["stream_"] = "stream", list(found.streams.values())
    return sides


def _statistics(dim: str, parts: Sequence[Part], units: str) -> Variables:
    square = SQUARED.get(units, f"({units})2")
    asked: list[tuple[str, str, str, Callable[[Part], float]]] = [
        ("chi_square", "1", "chi-square of the innovations over their number", lambda p: p.chi_square)
    ]
    for side, long in (("before", "background"), ("after", "analysis")):
        name = {"before": "innovation", "after": "residual"}[side]
        for moment, meaning in (("mean", "mean"), ("sd", "standard deviation"), ("rms", "root mean square")):
            asked.append(
                (f"{name}_{moment}", units, f"{meaning} of observed minus {long}", _moment(side, moment))
            )
    for what in ("observation", "background", "analysis"):
        long = f"variance of the {what}'s error in observation space"
        asked.append((f"desroziers_{what}", square, f"{long}, estimated", _field(what)))
        asked.append((f"assumed_{what}", square, f"{long}, assumed", _field(f"{what}_assumed")))
    out = {name: _along(dim, [ask(p) for p in parts], u, long) for name, u, long, ask in asked}
    out["used"] = _along(dim, [p.count for p in parts], "1", "observations that were used", np.int64)
    return out


def _moment(side: str, moment: str) -> Callable[[Part], float]:
    return lambda part: float(getattr(getattr(part.innovations, side), moment))


def _field(name: str) -> Callable[[Part], float]:
    return lambda part: float(getattr(part.desroziers, name))


def _along(dim: str, values: Sequence[float], units: str, long: str, kind: Any = np.float64) -> xr.Variable:
    return variable(dim or (), np.array(values if dim else values[0], dtype=kind), units, long)


def _streams(found: Diagnosis) -> Variables:
    if not found.streams:
        return _reasons(found)
    impacts = [found.impacts[name] for name in found.streams]
    told = {
        "dofs": "degrees of freedom for signal of the stream",
        "share": "the stream's part of all degrees of freedom for signal",
        "each": "mean influence of one observation of the stream",
        "reduction": "fraction by which the mean-square departure became smaller",
    }
    out = {
        f"stream_{n}": _along("stream", [getattr(i, n) for i in impacts], "1", long)
        for n, long in told.items()
    }
    names = np.array(list(found.streams), dtype=object)
    return out | {"stream_name": variable("stream", names, "", "name of the stream")} | _reasons(found)


def _reasons(found: Diagnosis) -> Variables:
    rows = [(s, reason, count) for s, why in found.rejected.items() for reason, count in why.items()]
    if not rows:
        return {}
    columns = {
        "rejection_stream": ([r[0] for r in rows], "stream of the rejected observations", object),
        "rejection_reason": ([r[1] for r in rows], "why they were rejected", object),
        "rejection_count": ([r[2] for r in rows], "how many were rejected", np.int64),
    }
    return {
        name: variable("rejection", np.array(values, dtype=kind), "1" if kind is np.int64 else "", long)
        for name, (values, long, kind) in columns.items()
    }


def _members(found: Diagnosis, units: str) -> Variables:
    out: Variables = {}
    if found.ranks is not None:
        out["rank_count"] = variable(
            "rank", found.ranks.counts, "1", "observations by rank among the members"
        )
        out["rank_chi_square"] = variable((), found.ranks.chi_square, "1", "chi-square of a flat histogram")
        out["rank_p_value"] = variable((), found.ranks.p_value, "1", "chance of a larger one if it is flat")
    if found.spread_skill is not None:
        spread = found.spread_skill
        long = "root mean square of the innovations that the spread makes one expect"
        out["spread"] = variable("bin", spread.spread, units, long)
        out["skill"] = variable("bin", spread.skill, units, "root mean square of the innovations")
        out["spread_count"] = variable("bin", spread.counts, "1", "observations in the bin of spread")
        out["spread_skill_ratio"] = variable((), spread.ratio, "1", "spread over skill")
    return out


def descent_variables(found: Descent | None) -> Variables:
    """Return the cost by iteration, along ``iteration``; nothing where the method tells none."""
    return {} if found is None else dict(_descent(found))


def _descent(found: Descent) -> Iterator[tuple[str, xr.Variable]]:
    told = {
        "prior": "cost of the distance from the prior",
        "observations": "cost of the distance from the observations",
        "total": "cost function, without the factor 1/2",
        "reduction": "fraction by which the cost became smaller",
    }
    for name, long in told.items():
        key = "iteration_reduction" if name == "reduction" else f"iteration_cost_{name}"
        yield key, variable("iteration", getattr(found, name), "1", long)
    for name, values in found.others.items():
        yield f"iteration_{name}", variable("iteration", values, "", name.replace("_", " "))
    yield "iteration", variable("iteration", found.number, "", "number of the iteration")
