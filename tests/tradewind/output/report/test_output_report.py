"""The report: one page that needs nothing beside it, says what the run said, and survives odd runs."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from tradewind.couplers.coupling.fields import Variable
from tradewind.output.report import figures
from tradewind.output.report.inversion import headline, render_report, write_report
from tradewind.results import CallRecord, Totals

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[a] for a in ("href", "src", "xlink:href") if a in given]
        if tag == "svg":
            self.pictures.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(w for w in self.words if w)


def test_headline_says_what_happened(result, change_field):
    for prior, posterior, sigma, told in (
        ((2.0, 1.0), 3.0, 0.5, "The observations raise the total by 50 % and cut its error by 50 %."),
        ((4.0, 1.0), 3.0, 1.2, "The observations lower the total by 25 % and widen its error by 20 %."),
        ((4.0, 1.0), 4.0, 1.0, "The observations leave the total as it was and leave its error as it was."),
        ((4.0, 0.0), 5.0, 0.0, "The observations raise the total by 25 %."),
    ):
        assert headline(change_field(result, totals=Totals(*prior, posterior, sigma))) == told


@pytest.fixture(scope="module")
def text(example):
    return render_report(example)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


class TestPage:
    def test_needs_nothing_beside_it(self, page, text):
        assert [link for link in page.links if not link.startswith(("#", "data:"))] == []
        assert "<script" not in text
        assert "@import" not in text
        assert not re.search(r"url\((?!#)", text)

    def test_uses_every_name_once(self, page):
        assert len(page.ids) == len(set(page.ids))
        assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)

    def test_every_picture_is_told_in_words(self, page):
        assert len(page.pictures) == 10
        assert all(p["role"] == "img" and p["aria-label"] for p in page.pictures)

    def test_pictures_take_the_colours_and_the_width_of_the_page(self, page, text):
        assert "prefers-color-scheme: dark" in text
        assert "#010203" not in text
        assert "currentColor" in text
        assert all("viewbox" in p and "width" not in p for p in page.pictures)

    def test_is_the_same_from_run_to_run(self, result, text, tmp_path):
        write_report(result, tmp_path / "report.html")
        assert (tmp_path / "report.html").read_text("utf-8") == text


def test_the_settings_of_matplotlib_are_left_alone(result):
    before = dict(mpl.rcParams)
    figures.total(result.totals)
    assert dict(mpl.rcParams) == before


class TestContent:
    def test_names_the_run_and_its_period(self, page):
        assert "permian" in page.text
        assert "inventory.methane_flux , 15 January 1996 to 18 January 1996" in page.text

    def test_totals_have_errors_and_units(self, page, result):
        assert f"2.10 ± {result.totals.prior_sigma:.2f}" in page.text
        assert "Tg yr⁻¹" in page.text

    def test_maps_are_there(self, page):
        fields = {
            "Prior",
            "Posterior",
            "Posterior − prior",
            "Posterior error",
            "Averaging-kernel sensitivity",
        }
        assert fields | {"Averaging kernel"} <= set(page.words)

    def test_the_extremes_of_a_map_are_told(self, page):
        assert "Map. Prior: from 1.00 × 10⁻⁹ to 7.00 × 10⁻⁹ kg m⁻² s⁻¹" in [
            p["aria-label"] for p in page.pictures
        ]

    def test_costs_are_summed(self, page):
        assert "total 812.5 38.00" in page.text

    def test_who_answered(self, page):
        assert "transport jacobian-emulator linearize 3 18 0.042 s 2 columns rejected" in page.text

    def test_fit_by_window(self, page):
        assert "1996-01-16 00:00 – 1996-01-17 00:00 10" in page.text

    def test_notes_config_and_provenance(self, page):
        assert "The third level was interpolated in the vertical." in page.text
        assert "solve: {method: analytical}" in page.text
        assert "torch 2.13.0" in page.text


class TestOddRuns:
    def test_whatever_a_run_says_is_escaped(self, result, change_field):
        evil = '"><script>alert(1)</script> $^broken $ {'
        told = dict(result.provenance) | {
            "config": evil,
            "observed": evil,
            "observed_units": evil,
            "x": {evil: evil},
        }
        call = CallRecord(evil, evil, "step", 1, 1, 1.0, evil)
        odd = change_field(result, port=evil, variable=Variable("flux", evil, result.grid))
        odd = replace(odd, name=evil, notes=(evil,), provenance=told, calls=(call,))
        text = render_report(odd)
        assert "<script" not in text
        assert "$^broken $ {" in text

    def test_no_observations(self, result):
        bare = replace(result, observations={}, posterior=replace(result.posterior, simulated={}))
        page = Page(render_report(bare))
        assert "There were no observations" in page.text
        assert "Dots" not in page.text

    def test_nothing_but_a_posterior(self, result, change_field):
        lean = replace(result.posterior, covariance=None, averaging_kernel=None, dofs=None, cost={})
        placeless = {w: replace(o, coordinates={}) for w, o in result.observations.items()}
        unknown = Totals(0.0, 0.0, 0.0, float("nan"))
        odd = replace(change_field(result, totals=unknown), posterior=lean, observations=placeless)
        page = Page(render_report(replace(odd, calls=(), notes=(), provenance={})))
        for absent in ("Cost function", "Who answered", "Dots", "Notes"):
            assert absent not in page.text

    def test_many_windows_are_folded(self, make_result, text):
        assert "<details>\n    <summary>Numbers by window" in render_report(make_result(days=13))
        assert "<details open>\n    <summary>Numbers by window" in text
