"""Totals by sector and region, other hyper-parameters and periods on the page: pictures and rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.diagnostics import Effect, Rolling, Variants, effects, rolling, variants
from tradewind.findings.aggregates import ALL
from tradewind.output import words
from tradewind.output.fit import array
from tradewind.output.report.canvas import INK, RULE, picture
from tradewind.output.report.lines import (
    AFTER,
    BEFORE,
    WIDTH,
    Curve,
    Picture,
    chart,
    from_zero,
    labelled,
    opened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tradewind.findings.aggregates import Aggregates, PeriodTotals
    from tradewind.results import InversionResult

    Array: TypeAlias = NDArray[np.float64]

DRAWN = 24
"""Totals that are drawn; all are in the table and in the file."""
SERIES = 6
"""Totals whose course over the periods is drawn."""
SHOWN = 12
"""Totals whose correlations are shown as a table."""
EVERYWHERE = "everywhere"
NAMES = {
    "prior_error": "prior error",
    "observation_error": "observation error",
    "gamma": "gamma",
    "boundary_error": "boundary error",
}


@dataclass(frozen=True)
class Row:
    """One total, before and after, with one standard error; its range over the kept variants where known."""

    sector: str
    region: str
    prior: tuple[float, float]
    posterior: tuple[float, float]
    range: tuple[float, float] | None


def rows(found: Aggregates | None) -> list[Row]:
    """Return the rows of the table of totals: none where there is but one, without a range."""
    if found is None or (len(found) == 1 and found.range is None):
        return []
    ends = None if found.range is None else [array(end).tolist() for end in found.range]
    numbers = (found.prior, found.prior_sigma, found.posterior, found.posterior_sigma)
    columns = [array(column).tolist() for column in numbers]
    return [
        Row(
            sector,
            EVERYWHERE if region == ALL else region,
            (columns[0][k], columns[1][k]),
            (columns[2][k], columns[3][k]),
            None if ends is None else (ends[0][k], ends[1][k]),
        )
        for k, (sector, region) in enumerate(zip(found.sectors, found.regions, strict=True))
    ]


def correlations(found: Aggregates | None) -> list[tuple[str, list[float]]]:
    """Return the lines of the table of correlations between errors of totals; none where there are many."""
    if found is None or found.correlation is None or not 1 < len(found) <= SHOWN:
        return []
    return list(zip(found.names, array(found.correlation).tolist(), strict=True))


def totals_picture(found: Aggregates) -> Picture:
    """Draw totals before and after with bars of one standard error, and their range over the variants."""
    chosen = rows(found)[:DRAWN]
    alone = len({row.sector for row in chosen}) == 1
    names = [row.region if alone else f"{row.sector}, {row.region}" for row in chosen]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for height, row in enumerate(reversed(chosen)):
            _bars(axes, height, row)
        axes.set(yticks=range(len(names)), yticklabels=names[::-1], ylim=(-0.6, len(names) - 0.4))
        axes.set_xlabel(words.units(found.units))
        opened(axes, ("left", "top", "right"))
        axes.grid(axis="x", color=RULE, linewidth=0.4)
        axes.tick_params(axis="y", length=0)

    told = "; ".join(f"{n} {words.with_error(*r.posterior)}" for n, r in zip(names, chosen, strict=True))
    alt = f"Posterior totals in {words.units(found.units)}: {told}"
    caption = "Orange before, blue after; bars: one standard error."
    caption += " Thin line: from the least to the greatest of the kept variants." if found.range else ""
    return Picture("Totals", picture(draw, (WIDTH + 1.6, 0.6 + 0.42 * len(chosen)), alt), caption)


def _bars(axes: Axes, height: int, row: Row) -> None:
    for shift, (value, sigma), colour in ((0.16, row.prior, BEFORE), (-0.16, row.posterior, AFTER)):
        if np.isfinite(sigma):
            ends = [value - sigma, value + sigma]
            axes.plot(ends, [height + shift] * 2, lw=4, c=colour, solid_capstyle="round")
        axes.plot([value], [height + shift], "|", ms=9, c=INK, mew=1.4)
    if row.range is not None:
        axes.plot(row.range, [height - 0.32] * 2, lw=1.2, c=AFTER, marker="|", ms=5)


# ---------------------------------------------------------------------- other hyper-parameters
@dataclass(frozen=True)
class Sensitivity:
    """What other hyper-parameters change.

    Attributes
    ----------
    count, kept
        How many inversions there are, and how many count.
    effects
        By value of each hyper-parameter: means over the kept inversions that have it.
    variants
        Each inversion: values of the hyper-parameters, J_A/n, DOFS, the total, and whether it is kept.
    names
        Of the hyper-parameters.
    units
        Of the total; empty where there is none.
    """

    count: int
    kept: int
    effects: list[Effect]
    variants: list[tuple[list[float], float, float, float, bool]]
    names: list[str]
    units: str


def sensitivity(result: InversionResult) -> Sensitivity | None:
    """Return what other hyper-parameters change; None where a method tried none."""
    found, totals = variants(result.posterior), result.aggregates
    if found is None:
        return None
    known = totals is not None and totals.variants is not None
    total = array(totals.variants)[:, 0] if known else np.full(len(found), np.nan)  # type: ignore[union-attr,arg-type]
    asked = {"prior_cost": found.prior_cost, "dofs": found.dofs, "total": total}
    told = [_plain(effect) for effect in effects(found, asked)]
    units = "" if totals is None else totals.units
    names = [NAMES.get(name, name) for name in found.parameters]
    return Sensitivity(len(found), int(found.kept.sum()), told, list(_each(found, total)), names, units)


def _plain(effect: Effect) -> Effect:
    name = NAMES.get(effect.parameter, effect.parameter)
    return Effect(name, effect.value, effect.count, effect.values)


def _each(found: Variants, total: Array) -> Iterator[tuple[list[float], float, float, float, bool]]:
    for k in range(len(found)):
        values = [float(column[k]) for column in found.parameters.values()]
        numbers = float(found.prior_cost[k]), float(found.dofs[k]), float(total[k])
        yield values, *numbers, bool(found.kept[k])


# ---------------------------------------------------------------------- periods
def period_pictures(result: InversionResult) -> Iterator[Picture]:
    """Draw totals and degrees of freedom over the periods of a rolling inversion."""
    found, totals = rolling(result.posterior), result.aggregates
    if found is None or len(found) < 2:
        return
    moments = _moments(found)
    if totals is not None and totals.periods is not None:
        for k, name in enumerate(totals.names[:SERIES]):
            yield _over_time(_series(totals.periods, k), name, totals.units, moments)
    alt = f"Degrees of freedom for signal in {len(found)} periods"
    svg = chart(moments, {"DOFS": Curve(found.dofs, AFTER)}, ("end of the period", "DOFS"), alt, from_zero)
    yield Picture("DOFS over time", svg, "How much the observations of each period decide.")


def _series(found: PeriodTotals, k: int) -> dict[str, Curve]:
    prior, posterior, sigma = (array(part)[:, k] for part in (found.prior, found.posterior, found.sigma))
    return {"prior": Curve(prior, BEFORE), "posterior": Curve(posterior, AFTER, sigma)}


def _over_time(
    curves: dict[str, Curve], name: str, units: str, moments: NDArray[np.generic]
) -> Picture:  # fmt: skip
    labels = ("end of the period", labelled("total", units))
    alt = f"Total of {name} in {len(moments)} periods, before and after"
    caption = "Band: one standard error, of elements as if independent. The prior follows the period before."
    return Picture(f"Total over time: {name}", chart(moments, curves, labels, alt), caption)


def _moments(found: Rolling) -> NDArray[np.generic]:
    from tradewind.output.report.diagnostics import moments

    return moments(found.intervals)
