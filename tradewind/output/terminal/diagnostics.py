"""What departures say, on the terminal and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tradewind.output import words

if TYPE_CHECKING:
    from tradewind.diagnostics import Diagnosis, Part
    from tradewind.findings.dropped import Dropped


def diagnostics_figures(found: Diagnosis) -> dict[str, Any]:
    """Return the diagnostics in plain numbers, None where one is not known.

    Keys are ``used``, ``rejected``, ``innovation_mean``, ``innovation_sd``, ``innovation_rms``,
    ``residual_mean``, ``residual_sd``, ``residual_rms``, ``chi_square``, ``spread_skill``,
    ``rank_p_value``, ``rank_outside``, ``desroziers_observation``, ``desroziers_background`` (estimated over
    assumed variance), ``influence_dofs``, ``reasons`` (by stream and reason) and ``streams`` (by stream, with
    these keys and ``share``, ``dofs``, ``reduction``).
    """
    ranks, spread = found.ranks, found.spread_skill
    numbers = _part(found.whole) | {
        "spread_skill": None if spread is None else spread.ratio,
        "rank_p_value": None if ranks is None else ranks.p_value,
        "rank_outside": None if ranks is None else ranks.outside,
        "influence_dofs": found.dofs,
    }
    plain = {name: known(value) for name, value in numbers.items()}
    reasons = {stream: dict(why) for stream, why in found.rejected.items()}
    streams = {name: _stream(found, name) for name in found.streams}
    return plain | {"rejected": found.rejections, "reasons": reasons, "streams": streams}


def _part(part: Part) -> dict[str, float | None]:
    sides = {"innovation": part.innovations.before, "residual": part.innovations.after}
    told: dict[str, float | None] = {"used": part.count}
    for side, moments in sides.items():
        told |= {f"{side}_{name}": getattr(moments, name) for name in ("mean", "sd", "rms")}
    ratios = part.desroziers.ratios
    told |= {f"desroziers_{name}": ratios[name] for name in ("observation", "background")}
    return told | {"chi_square": part.chi_square}


def _stream(found: Diagnosis, name: str) -> dict[str, float | None]:
    impact = found.impacts[name]
    told = _part(found.streams[name])
    told |= {"share": impact.share, "dofs": impact.dofs, "reduction": impact.reduction}
    return {key: known(value) for key, value in told.items()}


def dropped_by_stream(found: Iterable[Dropped]) -> dict[str, dict[str, int]]:
    """Return how many were dropped, by stream and reason."""
    out: dict[str, dict[str, int]] = {}
    for one in found:
        out.setdefault(one.stream, {})[one.reason] = one.count
    return out


def known(value: float | None) -> float | None:
    """Return a number as JSON has it: None for what is not finite."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None


def departures_table(found: Diagnosis, units: str) -> Table:
    """Return the statistics of departures, one line for each stream and one for all where there are several.

    Parameters
    ----------
    units
        Of the observations.
    """
    pretty = words.units(units)
    title = f"Observed minus simulated{f', {pretty}' if pretty else ''}"
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("used", "rejected", "mean", "RMS before", "after", "χ²/m"):
        table.add_column(heading, justify="right")
    for name, part in _rows(found):
        rejected = found.rejections if name == "all" else sum(found.rejected.get(name, {}).values())
        table.add_row(Text(name), words.whole(part.count), words.whole(rejected), *_numbers(part))
    return table


def _rows(found: Diagnosis) -> Iterator[tuple[str, Part]]:
    if len(found.streams) > 1:
        yield from found.streams.items()
    yield "all", found.whole


def _numbers(part: Part) -> Iterator[str]:
    yield words.signed(part.innovations.before.mean)
    yield words.number(part.innovations.before.rms)
    yield words.number(part.innovations.after.rms)
    yield words.number(part.chi_square)
