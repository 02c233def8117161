"""Totals by sector and region, other hyper-parameters, periods, a plume and a footprint on the page."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tradewind.couplers.grids import Grid
from tradewind.findings.dropped import Dropped
from tradewind.output.report import inversion
from tradewind.output.report.aggregates import correlations, period_pictures, rows, sensitivity
from tradewind.output.report.examples import around, example_pictures, over_cells
from tradewind.output.report.inversion import headline, render_report

SECTIONS = (
    "Totals by sector and region",
    "Other hyper-parameters",
    "Period by period",
    "A plume and a footprint",
    "What was not used",
)


@pytest.fixture(scope="module")
def page(methane):
    return render_report(methane)


@pytest.fixture(scope="module")
def other(methane):
    """Return the page of two streams, an odd name, many elements, and no variant that is kept."""
    seen = {
        w: replace(o, coordinates={**o.coordinates, "stream": np.array(["tower"] * 4 + ["orbit"] * 6)})
        for w, o in methane.observations.items()
    }
    members = [m | {"kept": False} for m in methane.posterior.details["ensemble"]]
    changed = replace(
        methane, observations=seen, dropped=(Dropped("a<b", "<script>", 1),),
        posterior=replace(methane.posterior, details={"ensemble": members}),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inversion, "DRAWN", 10)
        return render_report(changed)


class TestThePage:
    def test_has_a_section_for_each(self, page):
        assert [s for s in SECTIONS if f">{s}</h2>" not in page] == []

    def test_needs_nothing_beside_it(self, page):
        assert not re.search(r"<script|<link|src=.http", page)

    def test_has_none_where_there_is_nothing(self, other):
        assert ">Period by period</h2>" not in other

    def test_escapes_what_comes_from_the_run(self, other):
        assert "<script>" not in other
        assert "&lt;script&gt;" in other

    def test_names_bias_and_rmse_of_several_streams(self, other):
        assert "tower: bias" in other
        assert "orbit: RMSE" in other

    def test_draws_no_kernel_of_many_elements(self, page, other):
        assert "Matrix. Averaging kernel" in page
        assert "Matrix. Averaging kernel" not in other
        assert "The averaging kernel has 24 rows" in other

    def test_says_where_no_variant_is_kept(self, page, other):
        assert "as none is kept" in other
        assert "as none is kept" not in page


class TestTotals:
    def test_rows_have_errors_and_a_range(self, methane):
        found = rows(methane.aggregates)
        assert [row.region for row in found] == ["everywhere", "west", "north"]
        assert all(row.range[0] <= row.range[1] for row in found)
        assert found[0].posterior[1] == pytest.approx(float(methane.aggregates.posterior_sigma[0]))

    def test_a_single_total_stands_above_already(self, methane):
        alone = {name: getattr(methane.aggregates, name)[:1] for name in ("sectors", "regions", "prior")}
        assert rows(replace(methane.aggregates, **alone, variants=None)) == []

    def test_correlations_have_ones_on_the_diagonal(self, methane):
        table = np.array([line for _, line in correlations(methane.aggregates)])
        np.testing.assert_allclose(np.diag(table), 1.0)
        np.testing.assert_allclose(table, table.T)

    def test_the_headline_is_of_all_sectors(self, methane):
        found = replace(
            methane.aggregates, sectors=("all", "a", "b"),
            prior=torch.tensor([2.0, 1.0, 1.0]), posterior=torch.tensor([3.0, 2.0, 1.0]),
        )  # fmt: skip
        assert "raise the total by 50 %" in headline(replace(methane, aggregates=found))


class TestHyperParameters:
    def test_count_those_that_are_kept(self, methane):
        found = sensitivity(methane)
        assert (found.count, found.kept) == (12, 7)
        assert found.names == ["prior error", "observation error", "gamma"]
        assert {effect.parameter for effect in found.effects} == set(found.names)

    def test_without_a_total_show_none(self, methane):
        found = sensitivity(replace(methane, aggregates=None))
        assert found.units == ""
        assert np.isnan(found.effects[0].values["total"])


class TestPeriods:
    def test_have_a_picture_for_each_total_and_one_of_dofs(self, methane):
        headings = [picture.heading for picture in period_pictures(methane)]
        assert len(headings) == 4
        assert headings[-1] == "DOFS over time"

    def test_one_period_is_no_series(self, methane):
        details = {"periods": methane.posterior.details["periods"][:1]}
        assert not list(
            period_pictures(replace(methane, posterior=replace(methane.posterior, details=details)))
        )


class TestPlumeAndFootprint:
    def test_say_what_and_where(self, methane):
        plume, footprint = example_pictures(methane)
        assert "cluster 3" in plume.caption
        assert re.search(r"at 30\.67°N 104\.\d+°W", footprint.caption)

    def test_a_footprint_lies_on_the_cells_of_its_elements(self, methane):
        (field,) = methane.fields
        element = field.element.clone()
        element[0] = -1
        values = over_cells(np.arange(24.0), replace(field, element=element))
        assert np.isnan(values[0])
        np.testing.assert_array_equal(values[1:], field.element[1:])

    def test_a_map_is_cut_around_the_plume(self):
        grid = Grid.latlon(np.arange(30.0), np.arange(40.0))
        field = np.zeros(grid.shape)
        field[10:12, 20] = 1.0
        cut, values = around(grid, field.reshape(-1), (18.2, 10.0))
        # three cells of margin around rows 10 and 11, columns 18 (the source) to 20
        assert cut.shape == (8, 9)
        assert (cut.lat.min(), cut.lon.min()) == (7.0, 15.0)
        assert values.sum() == 2.0

    def test_other_grids_stay_whole(self):
        grid = Grid.points([0.0, 1.0], [0.0, 1.0])
        assert around(grid, np.ones(2), None)[0] is grid
