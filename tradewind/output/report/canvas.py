"""From a matplotlib figure to a small SVG that takes on the fonts and colours of the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, RULE = "#010203", "#040506"
"""Colours that stand for the page's own, which follow the reader's light or dark theme."""

THEME = {INK: "currentColor", RULE: "var(--rule)"}
STYLE: dict[str, Any] = {
    "font.size": 9,
    "font.family": ["sans-serif"],
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.titlesize": 9,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "axes.unicode_minus": True,
}
RASTER_DPI = 220


def picture(draw: Callable[[Figure], None], size: tuple[float, float], alt: str) -> str:
    """Return inline SVG of what `draw` puts on a figure.

    Parameters
    ----------
    size
        Width and height in inches; the page scales it.
    alt
        What the picture shows, in words, for those who cannot see it.
    """
    from matplotlib.figure import Figure

    stream = io.StringIO()
    # the salt makes names of clip paths differ between pictures on one page, and alike between runs
    style: Any = STYLE | {"svg.hashsalt": alt}
    with mpl.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(stream, format="svg", dpi=RASTER_DPI, metadata={"Date": None}, transparent=True)
    return _embedded(stream.getvalue(), alt)


def _embedded(svg: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg role="img" aria-label="{escape(alt)}" {box[0] if box else ""} xmlns:xlink="http://www.w3.org/1999/xlink">'
    svg = re.sub(r"<svg[^>]*>", lambda _: head, svg, count=1)
    for stand_in, colour in THEME.items():
        svg = svg.replace(stand_in, colour)
    return _without_idle_names(svg).strip()


def _without_idle_names(svg: str) -> str:
    # "axes_1" and its like are in every picture, and a page may hold a name only once
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    return re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
