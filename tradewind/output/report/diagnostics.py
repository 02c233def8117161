"""Diagnostics of departures on the page: pictures and the rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.output import words
from tradewind.output.netcdf.coordinates import times
from tradewind.output.report.canvas import INK
from tradewind.output.report.lines import AFTER, BEFORE, Curve, Picture, bars, chart, from_zero, labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.component import Interval
    from tradewind.diagnostics import Descent, Diagnosis, Part, RankHistogram, SpreadSkill

EXPECTED = "#8A8F94"
"""Grey of what is expected, beside what was found."""
LOGARITHMIC = 20.0
"""Ratio of costs from which their axis is logarithmic."""


def moments(windows: Sequence[Interval]) -> NDArray[Any]:
    """Return the ends of windows for an axis: dates, or numbers in calendars that pictures do not know."""
    ends = times(window.stop for window in windows)
    return ends if ends.dtype.kind == "M" else np.arange(1.0, len(windows) + 1.0)


def pictures(found: Diagnosis, windows: Sequence[Interval], units: str) -> Iterator[Picture]:
    """Draw departures and chi-square over time, the rank histogram, and spread beside skill."""
    if len(windows) > 1:
        yield over_time(found, windows, units)
        yield mean_over_time(found, windows, units)
    if found.ranks is not None:
        yield _ranks(found.ranks)
    if found.spread_skill is not None:
        yield _spread(found.spread_skill, units)
    if len(windows) > 1 and any(np.isfinite(part.chi_square) for part in found.windows):
        yield _chi_square(found, windows)


def over_time(found: Diagnosis, windows: Sequence[Interval], units: str) -> Picture:
    """Draw root mean squares of departures, and what assumed errors make of them."""
    curves = {
        "background": Curve(_of(found, lambda p: p.innovations.before.rms), BEFORE),
        "analysis": Curve(_of(found, lambda p: p.innovations.after.rms), AFTER),
    }
    expected = _of(found, _expected)
    if np.isfinite(expected).any():
        curves["expected"] = Curve(expected, EXPECTED, style="--")
    alt = f"Root mean square of observed minus simulated in {len(windows)} windows"
    caption = "Root mean square of observed minus simulated; dashed: what assumed errors let one expect."
    labels = (_axis(windows), labelled("RMS", units))
    return Picture("Departures", chart(moments(windows), curves, labels, alt, from_zero), caption)


def mean_over_time(found: Diagnosis, windows: Sequence[Interval], units: str) -> Picture:
    """Draw the means of departures."""
    curves = {
        "background": Curve(_of(found, lambda p: p.innovations.before.mean), BEFORE),
        "analysis": Curve(_of(found, lambda p: p.innovations.after.mean), AFTER),
    }
    alt = f"Mean of observed minus simulated in {len(windows)} windows"
    caption = "Mean of observed minus simulated: around zero where nothing is biased."
    labels = (_axis(windows), labelled("mean", units))
    return Picture("Bias", chart(moments(windows), curves, labels, alt, _zero_line), caption)


def _axis(windows: Sequence[Interval]) -> str:
    return "end of the window" if moments(windows).dtype.kind == "M" else "window"


def _zero_line(axes: Axes) -> None:
    axes.axhline(0.0, color=INK, linewidth=0.8, alpha=0.6)


def _one_line(axes: Axes) -> None:
    axes.axhline(1.0, color=INK, linewidth=0.8, alpha=0.6)
    axes.set_ylim(bottom=0.0)


def _expected(part: Part) -> float:
    found = part.desroziers
    return float(np.sqrt(found.observation_assumed + found.background_assumed))


def _of(found: Diagnosis, ask: Any) -> NDArray[np.float64]:
    return np.array([ask(part) for part in found.windows], dtype=np.float64)


def _ranks(ranks: RankHistogram) -> Picture:
    total, members = int(ranks.counts.sum()), len(ranks.counts) - 1
    alt = f"Rank histogram of {total} observations among {members} members"
    judged = np.isfinite(ranks.p_value)
    flat = f"Flat with p = {words.number(ranks.p_value, 2)}" if judged else "Too few to judge"
    outside = words.percent(ranks.outside).lstrip("+")
    caption = f"{flat}; {outside} outside of all members. A U: too little spread. A dome: too much."
    labels = ("rank among the members", "observations")
    return Picture("Rank histogram", bars(ranks.counts, labels, alt, float(ranks.counts.mean())), caption)


def _spread(found: SpreadSkill, units: str) -> Picture:
    both = np.concatenate([found.spread, found.skill])
    ends = np.array([both.min(), both.max()])

    def diagonal(axes: Axes) -> None:
        axes.plot(ends, ends, color=INK, linewidth=0.8, alpha=0.6)

    ratio = words.number(found.ratio)
    alt = f"Root mean square of innovations over what spread makes one expect, ratio {ratio}"
    caption = f"Spread over skill {ratio}; below the line members are spread too much."
    labels = (labelled("expected of spread and errors", units), labelled("found", units))
    curve = {"found": Curve(found.skill, AFTER)}
    return Picture("Spread and skill", chart(found.spread, curve, labels, alt, diagonal), caption)


def _chi_square(found: Diagnosis, windows: Sequence[Interval]) -> Picture:
    curve = {"chi-square": Curve(_of(found, lambda p: p.chi_square), AFTER)}
    alt = f"Chi-square of the innovations over their number in {len(windows)} windows"
    caption = "1: errors are as large as assumed. Above: larger."
    svg = chart(moments(windows), curve, (_axis(windows), "χ² / m"), alt, _one_line)
    return Picture("Chi-square", svg, caption)


def consistency(found: Diagnosis) -> list[tuple[str, Part]]:
    """Return the rows of the table of consistency: streams where there are several, and all together."""
    streams = list(found.streams.items()) if len(found.streams) > 1 else []
    return [*streams, ("all", found.whole)] if found.whole.count else []


def rejections(found: Diagnosis) -> list[tuple[str, str, int]]:
    """Return the rows of the table of rejected observations: stream, reason, count."""
    return [(stream, reason, n) for stream, why in found.rejected.items() for reason, n in why.items()]


def descent_picture(found: Descent) -> Picture:
    """Draw the terms of the cost by iteration."""
    curves = {
        "prior": Curve(found.prior, BEFORE),
        "observations": Curve(found.observations, AFTER),
        "total": Curve(found.total, EXPECTED, style="--"),
    }
    total = found.total[np.isfinite(found.total)]
    steep = len(total) > 0 and total.min() > 0 and total.max() / total.min() > LOGARITHMIC
    alt = f"Cost in {len(found.number)} iterations"
    saved = words.percent(float(found.reduction[-1])).lstrip("+")
    caption = f"Without the factor 1/2; the last is {saved} lower than the first."
    svg = chart(found.number, curves, ("iteration", "cost"), alt, _logarithmic if steep else from_zero)
    return Picture("Cost by iteration", svg, caption)


def _logarithmic(axes: Axes) -> None:
    # the prior's part is zero where iterations begin at the prior
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(bottom=0.0)
