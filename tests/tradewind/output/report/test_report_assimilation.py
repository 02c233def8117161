"""The report of a filter's loop, and what methods with iterations add to that of an inversion."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tradewind.couplers.coupling.fields import Variable
from tradewind.diagnostics import diagnose
from tradewind.output.fit import compare
from tradewind.output.report import figures, lines, maps
from tradewind.output.report.assimilation import headline, render_assimilation
from tradewind.output.report.fields import is_map, layers
from tradewind.output.report.inversion import render_report


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.headings, self.pictures, self.text, self._open = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        told = dict(attrs)
        if tag == "svg":
            self.pictures.append(told["aria-label"])

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        self.text += data
        if self._open and self._open[-1] in {"h2", "h3", "code"}:
            self.headings.append(data.strip())


@pytest.fixture(scope="module")
def sketched():
    """Let pictures be drawn, and not be turned into SVG, which takes most of the time."""

    def sketch(draw, size, alt):
        draw(Figure(figsize=size))
        return f'<svg role="img" aria-label="{escape(alt)}"></svg>'

    with pytest.MonkeyPatch.context() as patch:
        for module in (figures, lines, maps):
            patch.setattr(module, "picture", sketch)
        yield


@pytest.fixture(scope="module")
def page(looped, sketched):
    return Page(render_assimilation(looped))


@pytest.mark.parametrize(
    "heading",
    ["Departures", "Bias", "Rank histogram", "Spread and skill", "Chi-square", "Rejected observations",
     "Consistency of assumed errors", "Last analysis", "Last increment", "Last spread", "Spread over time",
     "ocean.temperature", "inventory.flux", "Time spent", "Who answered", "Provenance"],
)  # fmt: skip
def test_a_loop_shows(page, heading):
    assert heading in page.headings


def test_an_area_is_a_map_and_a_row_a_line(page):
    assert sum(p.startswith("Map. Last analysis") for p in page.pictures) == 1
    assert sum(p.startswith("Last analysis") for p in page.pictures) == 2


def test_numbers_stand_in_the_text(page, looped):
    found = diagnose(looped.departures)
    assert f"{found.whole.count}" in page.text
    assert "background check" in page.text
    assert "of 480" in page.text


def test_the_headline_tells_how_much_closer(looped, departures_without):
    found = diagnose(looped.departures)
    change = found.whole.innovations
    closer = round(100 * (1 - change.after.rms / change.before.rms))
    assert f"{closer} % closer to what was observed" in headline(found)
    assert "No observation was used" in headline(diagnose(departures_without(1)))


# ---------------------------------------------------------------------- inversions
ITERATIONS = [
    {"iteration": k, "prior": 9.0 * k, "observations": 800.0 / 10**k, "gradient": 10.0**-k} for k in range(3)
]


@pytest.fixture(scope="module")
def lean(example):
    """Return a result of a method that gives no covariance, and tells its iterations, of two fields."""
    first = example.fields[0]
    bare = replace(first, sigma=None, sensitivity=None)
    row = Variable("offset", "nmol mol-1")
    point = replace(
        bare, port="transport.offset", variable=row, grid=None, totals=None,
        prior=torch.zeros(()).double(), posterior=torch.ones(()).double(),
        prior_sigma=torch.ones(()).double(), element=torch.zeros((), dtype=torch.int64),
    )  # fmt: skip
    posterior = replace(
        example.posterior, covariance=None, averaging_kernel=None, dofs=None, members=None,
        details={"iterations": ITERATIONS},
    )  # fmt: skip
    return replace(example, fields=(bare, point), posterior=posterior)


@pytest.fixture(scope="module")
def report(lean, sketched):
    return Page(render_report(lean))


def test_iterations_are_shown(report):
    assert "Iterations" in report.headings
    assert "Cost in 3 iterations" in report.pictures
    assert "gradient" in report.text


def test_what_a_method_does_not_give_is_left_out(report):
    assert not any("Posterior error" in p or "sensitivity" in p for p in report.pictures)
    assert any(p.startswith("Map. Posterior of inventory.methane_flux") for p in report.pictures)


def test_cost_for_each_observation_is_told(report):
    assert "1.27 for each observation" in report.text  # (9.25 + 28.75) / 30


def test_several_fields_are_told_apart(report):
    assert any("transport.offset" in p for p in report.pictures)


def test_a_field_without_place_has_one_point(lean, sketched):
    drawn = list(figures.maps(replace(lean, fields=lean.fields[1:]), compare(lean)))
    assert len(drawn) == 1


def test_levels_between_are_left_to_the_file(looped):
    area = looped.fields[1].grid
    assert is_map(area)
    assert not is_map(looped.fields[0].grid)
    assert [layer.level for layer in layers(area, np.zeros((5, 24)))] == [
        "level 1 of 5", "level 3 of 5", "level 5 of 5",
    ]  # fmt: skip
    assert [layer.level for layer in layers(area, np.zeros(24))] == [""]
