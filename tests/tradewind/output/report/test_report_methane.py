"""Totals by sector and region, other hyper-parameters, periods, a plume and a footprint on the page."""

from __future__ import annotations

import pytest

from tradewind.output.report.inversion import render_report


@pytest.fixture
def page(methane, tmp_path_factory):
    text = render_report(methane)
    (tmp_path_factory.getbasetemp() / "methane.html").write_text(text)
    return text


def test_has_a_section_for_each(page):
    for heading in ("Totals by sector and region", "Other hyper-parameters", "Period by period",
                    "A plume and a footprint", "What was not used"):  # fmt: skip
        assert f">{heading}</h2>" in page
