"""The pictures of a report: maps, totals, and simulated against observed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.ticker import MaxNLocator

from tradewind.output import words
from tradewind.output.fit import Comparison, array
from tradewind.output.report.canvas import INK, RULE, picture
from tradewind.output.report.maps import WIDTH, Map, Scale, colour_bar, finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tradewind.output.fit import Array
    from tradewind.output.report.maps import Places
    from tradewind.results import InversionResult, Totals

BEFORE, AFTER = "#D98324", "#3C87C7"
"""Orange and blue of one lightness class, apart for any colour vision and legible on light and dark."""

MANY = 2500


@dataclass(frozen=True)
class Picture:
    """A picture on the page: inline SVG, a heading and a line below it."""

    heading: str
    svg: str
    caption: str


def maps(result: InversionResult, comparison: Comparison) -> Iterator[Picture]:
    """Draw prior, posterior, their difference, the posterior error and the sensitivity."""
    prior, posterior = array(result.prior_field), array(result.posterior_field)
    sigma, sensitivity = array(result.posterior_sigma), array(result.sensitivity)
    fields = Scale.sequential(prior, posterior)
    changes, errors = Scale.diverging(posterior - prior), Scale.sequential(sigma, colours="cividis")
    units, places = result.field_units, _places(comparison)
    same = "On one colour scale with the {}."
    dots = f"Dots: where observations were made, {words.whole(len(comparison))} in all." if places else ""
    drawn = (
        ("Prior", prior, units, fields, same.format("posterior")),
        ("Posterior", posterior, units, fields, same.format("prior")),
        ("Posterior \N{MINUS SIGN} prior", posterior - prior, units, changes.like(fields),
         "What the observations changed."),
        ("Posterior error", sigma, units, errors.like(fields), "One standard error."),
        ("Averaging-kernel sensitivity", sensitivity, "1", Scale.sequential(sensitivity, colours="magma"),
         f"0: all from the prior. 1: all from the observations. {dots}"),
    )  # fmt: skip
    for heading, field, its_units, scale, caption in drawn:
        shown = places if field is sensitivity else None
        svg = Map(result.grid, field, its_units, scale, shown).svg(_in_words(heading, field, its_units))
        yield Picture(heading, svg, caption)


def _in_words(heading: str, field: Array, units: str) -> str:
    values = finite(field)
    ends = f"from {words.number(float(values.min()))} to {words.number(float(values.max()))}"
    return f"Map. {heading}: {ends} {words.units(units)}".strip()


def _places(comparison: Comparison) -> Places | None:
    names = ("longitude", "latitude")
    if not len(comparison) or any(n not in comparison.coordinates for n in names):
        return None
    lon, lat = (comparison.coordinates[n].astype(np.float64) for n in names)
    return lon, lat


def total(totals: Totals) -> str:
    """Draw the total before and after, with bars of one and two standard errors."""
    rows = (
        ("prior", totals.prior, totals.prior_sigma, BEFORE),
        ("posterior", totals.posterior, totals.posterior_sigma, AFTER),
    )

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for height, (_, value, sigma, colour) in zip((1, 0), rows, strict=True):
            for width, bars in ((1.4, 2), (4.5, 1)):
                axes.plot([value - bars * sigma, value + bars * sigma], [height, height], lw=width, c=colour,
                          solid_capstyle="round")  # fmt: skip
            axes.plot([value], [height], "|", ms=13, c=INK, mew=1.8)
        axes.set(yticks=(1, 0), yticklabels=("prior", "posterior"), ylim=(-0.6, 1.6))
        axes.set_xlabel(words.units(totals.units))
        _open(axes, ("left", "top", "right"))
        axes.grid(axis="x", color=RULE, linewidth=0.4)
        axes.tick_params(axis="y", length=0)

    told = "; ".join(f"{name} {words.with_error(value, sigma)}" for name, value, sigma, _ in rows)
    return picture(draw, (WIDTH + 0.6, 1.6), f"Totals in {words.units(totals.units)}: {told}")


def _open(axes: Axes, sides: tuple[str, ...] = ("top", "right")) -> None:
    for side in sides:
        axes.spines[side].set_visible(False)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderpad=0.0, handlelength=1.2)
    for handle in axes.get_legend().legend_handles:  # type: ignore[union-attr]
        if isinstance(handle, PathCollection):
            handle.set(sizes=[22.0], alpha=0.9)
    _open(axes)


def kernel(matrix: Array) -> Picture:
    """Draw the averaging kernel: how each element's estimate answers to each element's truth."""
    scale = Scale.diverging(matrix)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        edges = np.arange(len(matrix) + 1) - 0.5
        drawn = axes.pcolormesh(edges, edges, scale.shown(matrix), cmap=scale.colours, rasterized=True)
        drawn.set_clim(scale.low, scale.high)
        axes.set(aspect="equal", xlabel="element of the truth", ylabel="element of the estimate")
        axes.invert_yaxis()
        colour_bar(figure, drawn, scale.extend(matrix.reshape(-1)), scale.label("1"))

    alt = f"Matrix. Averaging kernel of {len(matrix)} elements, trace {words.number(float(np.trace(matrix)))}"
    caption = "One row for each estimate; a perfect inversion has ones on the diagonal, zeros beside it."
    return Picture("Averaging kernel", picture(draw, (WIDTH, 4.4), alt), caption)


def by_window(comparison: Comparison, units: str) -> str:
    """Draw the RMSE of each window, before and after."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for stage, colour in (("prior", BEFORE), ("posterior", AFTER)):
            heights = [m.rmse for m in comparison.by_window(stage)]
            axes.plot(np.arange(1, len(heights) + 1), heights, "o-", c=colour, ms=5, lw=1.5, label=stage)
        axes.set(xlabel="window", ylabel=_labelled("RMSE", units), ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        _legend(axes)

    return picture(
        draw, (WIDTH, 3.4), f"Line chart of the RMSE in {comparison.windows} windows, prior and posterior"
    )


def scatter(comparison: Comparison, units: str) -> str:
    """Draw simulated against observed, before and after."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for stage, colour in (("prior", BEFORE), ("posterior", AFTER)):
            axes.scatter(
                comparison.y, comparison.simulated[stage], s=_dot_size(comparison), c=colour, alpha=0.55,
                linewidths=0, rasterized=len(comparison) > MANY, label=stage,
            )  # fmt: skip
        values = np.concatenate([comparison.y, *comparison.simulated.values()])
        ends = np.nanmin(values), np.nanmax(values)
        axes.plot(ends, ends, color=INK, linewidth=0.8, alpha=0.6)
        axes.set(xlabel=_labelled("observed", units), ylabel=_labelled("simulated", units))
        _legend(axes)

    alt = (
        f"Scatter of {len(comparison)} simulated against observed values, before and after, and the 1:1 line"
    )
    return picture(draw, (WIDTH, 3.4), alt)


def _dot_size(comparison: Comparison) -> float:
    return float(np.clip(4000.0 / len(comparison), 2.0, 16.0))


def _labelled(name: str, units: str) -> str:
    pretty = words.units(units)
    return f"{name} ({pretty})" if pretty else name


def histogram(comparison: Comparison, units: str) -> str:
    """Draw how residuals are spread, before and after."""
    residuals = {stage: comparison.residuals(stage) for stage in ("prior", "posterior")}
    finite = np.concatenate([r[np.isfinite(r)] for r in residuals.values()])
    ends = np.percentile(finite, [0.2, 99.8]) if len(finite) else np.array([-1.0, 1.0])
    bins = np.linspace(ends[0], max(ends[1], ends[0] + 1e-12), int(np.clip(len(comparison) ** 0.5, 12, 60)))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for (stage, values), colour in zip(residuals.items(), (BEFORE, AFTER), strict=True):
            inside = np.clip(values[np.isfinite(values)], bins[0], bins[-1])
            axes.hist(inside, bins=bins.tolist(), color=colour, alpha=0.35, label=stage)
            axes.hist(inside, bins=bins.tolist(), histtype="step", color=colour, linewidth=1.5)
        axes.axvline(0.0, color=INK, linewidth=0.8, alpha=0.6)
        axes.set(xlabel=_labelled("simulated \N{MINUS SIGN} observed", units), ylabel="observations")
        _legend(axes)

    told = ", ".join(f"{s} bias {words.signed(comparison.misfit(s).bias)}" for s in residuals)
    return picture(draw, (WIDTH, 3.4), f"Histogram of simulated minus observed: {told} {words.units(units)}")
