"""The pictures of a report: maps, totals, and simulated against observed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from tradewind.output import words
from tradewind.output.fit import Comparison, array
from tradewind.output.report.canvas import INK, RULE, picture
from tradewind.output.report.fields import Layer, is_map, layers, pair, shown
from tradewind.output.report.lines import AFTER, BEFORE, WIDTH, Picture, labelled, legend, opened
from tradewind.output.report.maps import Scale, colour_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tradewind.output.fit import Array
    from tradewind.output.report.maps import Places
    from tradewind.results import ControlledField, InversionResult, Totals

MANY = 2500
NO_SCALE = Scale("", 0.0, 1.0)
"""Of what is drawn as a line."""


def maps(result: InversionResult, comparison: Comparison) -> Iterator[Picture]:
    """Draw, of each field, prior, posterior, their difference, the posterior error and the sensitivity."""
    for field in result.fields:
        yield from _field(field, comparison, several=len(result.fields) > 1)


def _field(field: ControlledField, comparison: Comparison, several: bool) -> Iterator[Picture]:
    of = f" of {field.port}" if several else ""
    if not is_map(field.grid):
        yield from _profiles(field, of)
        return
    prior, posterior = array(field.prior), array(field.posterior)
    both = Scale.sequential(prior, posterior)
    change, same = posterior - prior, "On one colour scale with the {}."
    yield from _each(f"Prior{of}", field, prior, both, same.format("posterior"))
    yield from _each(f"Posterior{of}", field, posterior, both, same.format("prior"))
    yield from _each(
        f"Posterior \N{MINUS SIGN} prior{of}", field, change, Scale.diverging(change).like(both),
        "What the observations changed.",
    )  # fmt: skip
    if field.sigma is not None:
        scale = Scale.sequential(array(field.sigma), colours="cividis").like(both)
        yield from _each(f"Posterior error{of}", field, array(field.sigma), scale, "One standard error.")
    if field.sensitivity is not None:
        yield from _sensitivity(field, comparison, of)
    if field.dofs is not None:
        yield from _dofs(field, of)


def _each(
    heading: str, field: ControlledField, values: Array, scale: Scale, caption: str
) -> Iterator[Picture]:  # fmt: skip
    for layer in layers(field.grid, values):
        yield shown(heading, layer, field.units, scale, caption)


def _sensitivity(field: ControlledField, comparison: Comparison, of: str) -> Iterator[Picture]:
    values, places = array(field.sensitivity), _places(comparison)  # type: ignore[arg-type]
    scale = Scale.sequential(values, colours="magma")
    dots = f"Dots: where observations were made, {words.whole(len(comparison))} in all." if places else ""
    caption = f"0: all from the prior. 1: all from the observations. {dots}"
    for layer in layers(field.grid, values):
        yield shown(f"Averaging-kernel sensitivity{of}", layer, "1", scale, caption, places)


def _dofs(field: ControlledField, of: str) -> Iterator[Picture]:
    values = array(field.dofs)  # type: ignore[arg-type]
    whole = words.number(float(values.sum()))
    caption = f"Degrees of freedom for signal, {whole} in all; an element's are shared equally by its cells."
    for layer in layers(field.grid, np.where(array(field.element) >= 0, values, np.nan)):
        yield shown(f"DOFS{of}", layer, "1", Scale.sequential(values, colours="magma"), caption)


def _profiles(field: ControlledField, of: str) -> Iterator[Picture]:
    """Draw a field that fills no area before and after, with bands of one standard error."""
    values = (field.prior, field.posterior, field.prior_sigma, field.sigma)
    parts = [None if v is None else layers(field.grid, array(v)) for v in values]
    caption = "Bands: one standard error." if field.sigma is not None else "Band: the prior's standard error."
    for k, both in enumerate(zip(parts[0] or (), parts[1] or (), strict=True)):
        before, after = (_named(layer, field) for layer in both)
        bands = [None if part is None else part[k].values for part in parts[2:]]
        yield pair(f"Prior and posterior{of}", before, after, field.units, bands, caption)
        if len(after.values) > 1:
            change = replace(after, values=after.values - before.values)
            heading = f"Posterior \N{MINUS SIGN} prior{of}"
            yield shown(heading, change, field.units, NO_SCALE, "What the observations changed.")


def _named(layer: Layer, field: ControlledField) -> Layer:
    """Return a layer without a place with what the variable calls its values."""
    names = field.variable.labels if field.grid is None else ()
    return replace(layer, names=names if len(names) == len(layer.values) else ())


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
        opened(axes, ("left", "top", "right"))
        axes.grid(axis="x", color=RULE, linewidth=0.4)
        axes.tick_params(axis="y", length=0)

    told = "; ".join(f"{name} {words.with_error(value, sigma)}" for name, value, sigma, _ in rows)
    return picture(draw, (WIDTH + 0.6, 1.6), f"Totals in {words.units(totals.units)}: {told}")


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
        axes.set(xlabel="window", ylabel=labelled("RMSE", units), ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        legend(axes)

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
        axes.set(xlabel=labelled("observed", units), ylabel=labelled("simulated", units))
        legend(axes)

    alt = (
        f"Scatter of {len(comparison)} simulated against observed values, before and after, and the 1:1 line"
    )
    return picture(draw, (WIDTH, 3.4), alt)


def _dot_size(comparison: Comparison) -> float:
    return float(np.clip(4000.0 / len(comparison), 2.0, 16.0))


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
        axes.set(xlabel=labelled("simulated \N{MINUS SIGN} observed", units), ylabel="observations")
        legend(axes)

    told = ", ".join(f"{s} bias {words.signed(comparison.misfit(s).bias)}" for s in residuals)
    return picture(draw, (WIDTH, 3.4), f"Histogram of simulated minus observed: {told} {words.units(units)}")
