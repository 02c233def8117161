"""Lines, bars and points over one axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.ticker import MaxNLocator

from tradewind.output import words
from tradewind.output.report.canvas import INK, RULE, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

BEFORE, AFTER = "#D98324", "#3C87C7"
"""Orange and blue of one lightness class, apart for any colour vision and legible on light and dark."""
WIDTH, HEIGHT = 4.2, 3.0
MARKED = 40
"""Points up to which each is marked."""


@dataclass(frozen=True)
class Picture:
    """A picture on the page: inline SVG, a heading and a line below it."""

    heading: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes
    ----------
    band
        Half width of a band around it, such as the spread; None for none.
    dashed
        ``"--"`` for what is expected, ``"-"`` for what was found.
    """

    values: Array
    colour: str
    band: Array | None = None
    style: str = "-"


def chart(
    x: Any, curves: Mapping[str, Curve], labels: tuple[str, str], alt: str, adapt: Adapt | None = None
) -> str:  # fmt: skip
    """Draw curves over a common axis as inline SVG.

    Parameters
    ----------
    labels
        Of the axes.
    adapt
        Changes the axes at the end.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for label, curve in curves.items():
            _draw(axes, x, label, curve)
        axes.set(xlabel=labels[0], ylabel=labels[1])
        if np.asarray(x).dtype.kind == "M":
            _dates(axes)
        elif np.asarray(x).dtype.kind == "i":
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        if len(curves) > 1:
            legend(axes)
        opened(axes)
        axes.grid(axis="y", color=RULE, linewidth=0.4, alpha=0.6)
        if adapt is not None:
            adapt(axes)

    return picture(draw, (WIDTH, HEIGHT), alt)


Adapt: TypeAlias = "Callable[[Axes], object]"


def from_zero(axes: Axes) -> None:
    """Let the axis of values begin at zero."""
    axes.set_ylim(bottom=0.0)


def _draw(axes: Axes, x: Any, label: str, curve: Curve) -> None:
    # a lone point has no line
    marker = "o" if len(curve.values) <= MARKED and curve.style == "-" else ""
    marker = "o" if len(curve.values) == 1 else marker
    axes.plot(x, curve.values, marker=marker, ms=3.5, lw=1.4, ls=curve.style, c=curve.colour, label=label)
    if curve.band is not None:
        low, high = curve.values - curve.band, curve.values + curve.band
        axes.fill_between(x, low, high, color=curve.colour, alpha=0.2, linewidth=0)


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def bars(heights: NDArray[Any], labels: tuple[str, str], alt: str, level: float) -> str:
    """Draw bars from 0 onwards, with a line at `level`, which is expected."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        x = np.arange(len(heights))
        axes.bar(x, heights, width=0.86, color=AFTER, alpha=0.75, linewidth=0)
        axes.axhline(level, color=INK, linewidth=0.9, ls="--", alpha=0.7)
        axes.set(xlabel=labels[0], ylabel=labels[1], xlim=(-0.6, len(heights) - 0.4))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        opened(axes)

    return picture(draw, (WIDTH, HEIGHT), alt)


def opened(axes: Axes, sides: tuple[str, ...] = ("top", "right")) -> None:
    """Take away sides of the frame."""
    for side in sides:
        axes.spines[side].set_visible(False)


def legend(axes: Axes) -> None:
    """Name the curves above the axes."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderpad=0.0, handlelength=1.2)
    for handle in axes.get_legend().legend_handles:  # type: ignore[union-attr]
        if isinstance(handle, PathCollection):
            handle.set(sizes=[22.0], alpha=0.9)
    opened(axes)


def labelled(name: str, units: str) -> str:
    """Return the label of an axis with its units."""
    pretty = words.units(units)
    return f"{name} ({pretty})" if pretty else name
