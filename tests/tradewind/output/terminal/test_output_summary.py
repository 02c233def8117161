"""The result for programs and for terminals."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from tradewind.output.terminal.summary import summary
from tradewind.output.terminal.table import print_table


def printed(result, rank=0, **options):
    console = Console(file=io.StringIO(), width=100, **options)
    print_table(result, console, rank)
    return console.file.getvalue()


class TestSummary:
    def test_holds_totals_dofs_and_fit(self, result):
        told = summary(result)
        assert told["total_posterior"] == result.totals.posterior
        assert told["units"] == "Tg yr-1"
        assert told["dofs"] == result.posterior.dofs
        assert told["rmse_posterior"] < told["rmse_prior"]
        assert (told["observations"], told["windows"], told["elements"]) == (30, 3, 6)

    def test_holds_every_term_of_the_cost(self, result):
        told = summary(result)
        assert {k[5:]: told[k] for k in told if k.startswith("cost_")} == dict(result.posterior.cost)

    def test_says_who_answered(self, result):
        assert summary(result)["calls"]["transport.jacobian-emulator.linearize"] == {
            "calls": 3,
            "columns": 18,
            "seconds": 0.042,
            "note": "2 columns rejected",
        }

    def test_survives_json(self, result):
        assert json.loads(json.dumps(summary(result), allow_nan=False)) == summary(result)

    def test_what_is_not_known_is_null(self, result):
        bare = replace(result, observations={}, posterior=replace(result.posterior, dofs=None))
        told = json.loads(json.dumps(summary(bare), allow_nan=False))
        assert (told["bias_prior"], told["dofs"], told["observations"]) == (None, None, 0)


class TestTable:
    @pytest.mark.parametrize(
        "line",
        [
            "permian: inventory.methane_flux",
            "bias",
            "nmol mol⁻¹",
            "cost, observations",
            "30 observations in 3 windows, 6 elements",
            "jacobian-emulator",
            "2 columns rejected",
            "note: The third level was interpolated in the vertical.",
        ],
    )
    def test_holds(self, result, line):
        assert line in printed(result)

    def test_is_plain_where_there_is_no_terminal(self, result):
        assert "\x1b" not in printed(result)
        assert "\x1b" in printed(result, force_terminal=True, color_system="standard")

    def test_is_printed_once(self, result):
        assert printed(result, rank=1) == ""

    def test_names_are_no_markup(self, result):
        assert "[red]x[/red]" in printed(replace(result, name="[red]x[/red]", notes=("[b]",)))

    def test_lean_results_have_a_lean_table(self, result):
        lean = replace(result, calls=(), notes=(), posterior=replace(result.posterior, dofs=None, cost={}))
        assert "cost" not in printed(lean)
        assert "DOFS" not in printed(lean)


class TestTotalsBySectorAndRegion:
    def test_stand_by_name_with_errors_and_a_range(self, methane):
        found = summary(methane)["aggregates"]
        assert list(found) == [
            "inventory.methane_flux",
            "inventory.methane_flux, west",
            "inventory.methane_flux, north",
        ]
        west = found["inventory.methane_flux, west"]
        assert west["least"] <= west["greatest"]
        assert west["posterior_sigma"] == pytest.approx(float(methane.aggregates.posterior_sigma[1]))

    def test_what_was_dropped_is_counted(self, methane):
        reasons = {"its value is missing": 12, "damaged file": 1}
        assert summary(methane)["dropped"] == {"tropomi": reasons}

    def test_are_empty_where_there_are_none(self, result):
        told = summary(result)
        assert (told["aggregates"], told["dropped"]) == ({}, {})
