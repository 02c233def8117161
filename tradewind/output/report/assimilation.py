"""A filter's loop as one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.diagnostics import Diagnosis, diagnose
from tradewind.output import words
from tradewind.output.files import write_text
from tradewind.output.fit import array, observed_units, size_of
from tradewind.output.report.diagnostics import consistency, pictures, rejections
from tradewind.output.report.fields import Layer, is_map, layers, pair, shown
from tradewind.output.report.lines import AFTER, BEFORE, Curve, Picture, chart, from_zero, labelled
from tradewind.output.report.maps import Scale
from tradewind.output.report.page import rendered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.results import Analysed, AssimilationResult

    Array: TypeAlias = NDArray[np.float64]


def write_assimilation_report(result: AssimilationResult, path: Path) -> None:
    """Write `render_assimilation` to `path`, whole or not at all.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    write_text(render_assimilation(result), path)


def render_assimilation(result: AssimilationResult) -> str:
    """Return a report of `result`: one self-contained HTML page, as that of an inversion is."""
    found, units = diagnose(result.departures), observed_units(result)
    windows = [d.window for d in result.departures]
    return rendered(
        "assimilation.html", result.provenance,
        result=result,
        members=max((len(m) for m in result.members.values()), default=0),
        headline=headline(found),
        diagnosis=found,
        diagnostics=list(pictures(found, windows, units)),
        consistency=consistency(found),
        rejections=rejections(found),
        fields=[(field.port, list(_field(field))) for field in result.fields],
        observed_units=units,
    )  # fmt: skip


def headline(found: Diagnosis) -> str:
    """Return the outcome in one sentence."""
    if not found.whole.count:
        return "No observation was used: the analyses are the forecasts."
    change = found.whole.innovations
    parts = []
    if np.isfinite(change.reduction):
        ratio = change.after.rms / change.before.rms if change.before.rms else float("nan")
        parts.append(f"bring the members {words.percent(abs(1.0 - ratio)).lstrip('+')} "
                     f"{'closer to' if ratio <= 1 else 'further from'} what was observed")  # fmt: skip
    if found.spread_skill is not None:
        parts.append(f"their spread over their error is {words.number(found.spread_skill.ratio, 2)}")
    return f"The analyses {'; '.join(parts)}." if parts else "The analyses were made."


def _field(field: Analysed) -> Iterator[Picture]:
    """Draw the last analysis of a field, and its spread and increments over time."""
    if len(field.times) > 1:
        yield _over_time(field)
    stages = ("forecast", "analysis", "forecast_spread", "analysis_spread")
    last = {stage: array(getattr(field, stage))[-1] for stage in stages} if len(field.times) else {}
    if not last:
        return
    drawn = _maps if is_map(field.grid) else _lines
    yield from drawn({k: layers(field.grid, values) for k, values in last.items()}, units_of(field))


def units_of(field: Analysed) -> str:
    """Return the units of what was analysed; elements of a control are as they are in x."""
    return "" if field.names else field.variable.units


def _maps(last: dict[str, list[Layer]], units: str) -> Iterator[Picture]:
    for before, after, spread in zip(
        last["forecast"], last["analysis"], last["analysis_spread"], strict=True
    ):
        change = Layer(after.grid, after.values - before.values, after.level)
        yield shown("Last analysis", after, units, Scale.sequential(after.values), "Mean of the members.")
        told = "What the last analysis changed."
        yield shown("Last increment", change, units, Scale.diverging(change.values), told)
        scale = Scale.sequential(spread.values, colours="cividis")
        yield shown("Last spread", spread, units, scale, "Standard deviation of the members after it.")


def _lines(last: dict[str, list[Layer]], units: str) -> Iterator[Picture]:
    caption = "Mean of the members before and after; bands: their standard deviation."
    for before, after, *spreads in zip(*last.values(), strict=True):
        bands = [layer.values for layer in spreads]
        yield pair("Last analysis", before, after, units, bands, caption)
        change = Layer(after.grid, after.values - before.values, after.level)
        yield shown("Last increment", change, units, Scale("", 0.0, 1.0), "What the last analysis changed.")


def _over_time(field: Analysed) -> Picture:
    """Draw root mean squares over all cells of spread before and after, and of the increments."""
    increments = array(field.analysis) - array(field.forecast)
    curves = {
        "spread before": Curve(_sizes(array(field.forecast_spread)), BEFORE),
        "spread after": Curve(_sizes(array(field.analysis_spread)), AFTER),
        "increment": Curve(_sizes(increments), "#8A8F94", style="--"),
    }
    labels = ("time of the analysis", labelled("RMS", units_of(field)))
    caption = "Root mean square over all cells; spread is the standard deviation of the members."
    alt = f"Spread and increments of {field.port} in {len(field.times)} analyses"
    return Picture("Spread over time", chart(_times(field), curves, labels, alt, from_zero), caption)


def _times(field: Analysed) -> NDArray[np.generic]:
    from tradewind.output.netcdf.coordinates import times

    found = times(field.times)
    return found if found.dtype.kind == "M" else np.arange(1.0, len(found) + 1.0)


def _sizes(values: Array) -> Array:
    return np.array([size_of(one) for one in values])
