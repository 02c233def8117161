"""What pictures say in words, and that they change with what they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tradewind.output.fit import compare
from tradewind.output.report import figures, lines
from tradewind.output.report.canvas import INK, picture
from tradewind.output.report.diagnostics import moments
from tradewind.output.report.fields import Layer, pair
from tradewind.results import Totals


@pytest.fixture(scope="module")
def comparison(example):
    return compare(example)


def dots(count, comparison):
    """Return a comparison of `count` observations whose simulations are perfect afterwards."""
    y = np.linspace(0.0, 1.0, count)
    return replace(comparison, y=y, simulated={"prior": y + 1.0, "posterior": y})


class TestAltTexts:
    def test_totals(self):
        assert 'aria-label="Totals in Tg yr⁻¹: prior 2.10 ± 0.50; posterior 3.00 ± 0.20"' in figures.total(
            Totals(2.1, 0.5, 3.0, 0.2)
        )

    def test_residuals(self, comparison):
        told = figures.histogram(dots(20, comparison), "nmol mol-1")
        assert "prior bias +1.00, posterior bias 0 nmol mol⁻¹" in told

    def test_scatter(self, comparison):
        assert "Scatter of 20 simulated" in figures.scatter(dots(20, comparison), "ppb")

    def test_windows(self, comparison):
        assert "RMSE in 3 windows" in figures.by_window(comparison, "ppb")

    def test_kernel(self):
        assert "Averaging kernel of 4 elements, trace 2.00" in figures.kernel(0.5 * np.eye(4)).svg


class TestCrowds:
    def test_few_dots_stay_sharp(self, comparison):
        assert "<image" not in figures.scatter(dots(20, comparison), "ppb")

    def test_many_dots_become_one_image(self, comparison):
        svg = figures.scatter(dots(figures.MANY + 1, comparison), "ppb")
        assert "<image" in svg
        assert len(svg) < 300_000


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_degenerate_residuals_are_drawn(comparison, value):
    odd = replace(comparison, simulated=dict.fromkeys(("prior", "posterior"), comparison.y + value))
    assert figures.histogram(odd, "").startswith("<svg")


def test_totals_without_errors_are_drawn():
    assert figures.total(Totals(2.0, 0.0, 2.0, 0.0)).startswith("<svg")


class TestCanvas:
    def test_ink_is_the_page_s(self):
        svg = picture(lambda figure: figure.text(0.5, 0.5, "word", color=INK), (2, 1), "a word")
        assert "currentColor" in svg
        assert INK not in svg

    def test_words_stay_words(self):
        assert ">word</text>" in picture(lambda figure: figure.text(0.5, 0.5, "word"), (2, 1), "a word")

    def test_alt_text_is_escaped(self):
        svg = picture(lambda figure: None, (2, 1), 'a "quoted" <word>')
        assert 'aria-label="a &quot;quoted&quot; &lt;word&gt;"' in svg

    def test_pictures_on_one_page_share_no_name(self):
        def draw(figure):
            axes = figure.add_subplot()
            axes.plot([0, 1], [0, 1], "o")

        one, other = (picture(draw, (2, 1), alt) for alt in ("one", "other"))
        names = [{p.split(chr(34))[0] for p in svg.split(" id=" + chr(34))[1:]} for svg in (one, other)]
        assert names[0]
        assert not names[0] & names[1]


def test_a_chart_is_a_picture_in_the_colours_of_the_page(looped):
    curves = {"found": lines.Curve(np.arange(3.0), lines.AFTER, band=np.ones(3))}
    svg = lines.chart(moments(looped.windows[:3]), curves, ("time", "K"), "Three values")
    assert 'aria-label="Three values"' in svg
    assert "2000-Jan" in svg
    assert "currentColor" in svg


@pytest.mark.parametrize(("names", "shown"), [(("north", "east"), True), ((), False)])
def test_values_without_a_place_stand_under_their_names(names, shown):
    layer = Layer(None, np.array([1.0, 2.0]), names=names)
    told = pair("Sides", layer, layer, "1e-9", (np.ones(2), None), "").svg
    assert (">north<" in told) is shown
    assert (">element<" in told) is not shown
