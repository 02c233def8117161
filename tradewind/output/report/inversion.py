"""The result as one HTML file that needs nothing beside it: no network, no script, no further file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.diagnostics import cost_per_observation, descent
from tradewind.findings.aggregates import ALL
from tradewind.output import words
from tradewind.output.files import write_text
from tradewind.output.fit import STAGES, Comparison, array, compare, diagnosis_of, observed_units
from tradewind.output.report import figures
from tradewind.output.report.aggregates import (
    correlations,
    period_pictures,
    rows,
    sensitivity,
    totals_picture,
)
from tradewind.output.report.diagnostics import consistency, descent_picture, rejections
from tradewind.output.report.examples import example_pictures
from tradewind.output.report.lines import Picture
from tradewind.output.report.page import rendered
from tradewind.results import Totals

if TYPE_CHECKING:
    from tradewind.diagnostics import Diagnosis, Moments
    from tradewind.results import InversionResult

DRAWN = 500
"""Elements up to which the averaging kernel is drawn: a picture shows no more, and takes several copies."""
LONG = 12
"""Windows beyond which their table is folded away."""


def write_report(result: InversionResult, path: Path) -> None:
    """Write `render_report` to `path`, whole or not at all.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    write_text(render_report(result), path)


def render_report(result: InversionResult) -> str:
    """Return a report of `result`: one self-contained HTML page.

    Pictures are inline SVG that follow the reader's light or dark theme; whatever comes from the run
    (names, notes, config) is escaped.
    """
    comparison, found = compare(result), diagnosis_of(result)
    totals, elements = rows(result.aggregates), len(result.prior)
    steps, units = descent(result.posterior), observed_units(result)
    return rendered(
        "inversion.html", result.provenance,
        result=result,
        comparison=comparison,
        diagnosis=found,
        diagnostics=[],
        consistency=consistency(found),
        rejections=rejections(found),
        descent=steps,
        descent_picture=None if steps is None else descent_picture(steps),
        cost_per_observation=cost_per_observation(result.posterior.cost, len(comparison)),
        observed_units=units,
        observed=result.provenance.get("observed", "observations"),
        headline=headline(result),
        heroes=[(f, figures.total(f.totals)) for f in result.fields if f.totals is not None],
        maps=list(_maps(result, comparison)),
        fits=list(_fits(result, comparison)),
        misfits={stage: comparison.misfit(stage) for stage in STAGES},
        windows=list(_windows(result, comparison)),
        fold=len(result.windows) > LONG,
        costs=list(_costs(result)),
        streams=list(_streams(found)),
        kernel_of=elements if result.posterior.averaging_kernel is not None and elements > DRAWN else 0,
        totals_rows=totals,
        totals_picture=totals_picture(result.aggregates) if result.aggregates and totals else None,
        correlations=correlations(result.aggregates),
        sensitivity=sensitivity(result),
        periods=list(period_pictures(result)),
        examples=list(example_pictures(result)),
    )  # fmt: skip


def headline(result: InversionResult) -> str:
    """Return the outcome in one sentence."""
    totals = _all_sectors(result) or result.totals
    if totals is None:
        return f"The observations {_of_fit(result)}."
    told = [_change("raise", "lower", totals.posterior, totals.prior, "the total")]
    if totals.prior_sigma > 0 and math.isfinite(totals.posterior_sigma):
        told.append(_change("widen", "cut", totals.posterior_sigma, totals.prior_sigma, "its error"))
    return f"The observations {' and '.join(told)}."


def _all_sectors(result: InversionResult) -> Totals | None:
    """Return the total of all sectors together, where there are several."""
    found = result.aggregates
    if found is None or found.sectors[0] != ALL:
        return None
    return Totals(
        float(found.prior[0]), float(found.prior_sigma[0]),
        float(found.posterior[0]), float(found.posterior_sigma[0]), found.units,
    )  # fmt: skip


def _of_fit(result: InversionResult) -> str:
    before, after = (compare(result).misfit(stage).rmse for stage in STAGES)
    return _change("raise", "lower", after, before, "the misfit to them")


def _change(up: str, down: str, after: float, before: float, what: str) -> str:
    change = after / before - 1.0 if before else float("nan")
    size = words.percent(abs(change)).lstrip("+")
    if size == "0 %":
        return f"leave {what} as it was"
    return f"{up if after > before else down} {what} by {size}"


def _maps(result: InversionResult, comparison: Comparison) -> Iterator[Picture]:
    yield from figures.maps(result, comparison)
    if result.posterior.averaging_kernel is not None and len(result.prior) <= DRAWN:
        yield figures.kernel(array(result.posterior.averaging_kernel))


def _fits(result: InversionResult, comparison: Comparison) -> Iterator[Picture]:
    if not len(comparison):
        return
    units = observed_units(result)
    yield Picture(
        "Simulated against observed",
        figures.scatter(comparison, units),
        "On the line, the simulation equals the observation.",
    )
    yield Picture(
        "Residuals",
        figures.histogram(comparison, units),
        "Simulated minus observed; the outermost bars hold what lies beyond.",
    )
    if comparison.windows > 1:
        yield Picture(
            "By window", figures.by_window(comparison, units), "Root mean square of simulated minus observed."
        )


def _streams(found: Diagnosis) -> Iterator[tuple[str, Moments, Moments]]:
    """Yield the departures of each stream before and after, where there are several."""
    for name, part in found.streams.items() if len(found.streams) > 1 else ():
        yield name, part.innovations.before, part.innovations.after


def _windows(result: InversionResult, comparison: Comparison) -> Iterator[dict[str, Any]]:
    prior, posterior = (comparison.by_window(stage) for stage in STAGES)
    for window, before, after in zip(result.windows, prior, posterior, strict=True):
        start, stop = (f"{t:%Y-%m-%d %H:%M}" for t in (window.start, window.stop))
        yield {"start": start, "stop": stop, "prior": before, "posterior": after}


def _costs(result: InversionResult) -> Iterator[tuple[str, float | None, float | None]]:
    cost = result.posterior.cost
    names = dict.fromkeys(name.rpartition("_")[0] for name in cost if name.endswith(("_before", "_after")))
    rows = [(name, cost.get(f"{name}_before"), cost.get(f"{name}_after")) for name in names]
    yield from ((name.replace("_", " "), before, after) for name, before, after in rows)
    befores, afters = [b for _, b, _ in rows if b is not None], [a for _, _, a in rows if a is not None]
    if len(befores) == len(afters) == len(rows) > 1:
        yield "total", sum(befores), sum(afters)
