"""``tradewind preview`` of a small inversion: it runs no model, and tells what a run then finds."""

from __future__ import annotations

import json
import sys

import pytest
from rich.console import Console

from tradewind import cli
from tradewind.errors import ConfigError
from tradewind.execute import execute
from tradewind.output.terminal.preview import preview_figures, preview_table
from tradewind.plugins.transport.solver import Solver
from tradewind.preview import preview


@pytest.fixture
def stepless(monkeypatch):
    def refuse(*_):
        raise AssertionError("the model was run")

    monkeypatch.setattr(Solver, "advance", refuse)


def test_runs_no_model(small_run, stepless):
    found = preview(small_run())
    assert found.cost.elements == len(found.names) == 9
    assert (found.cost.observations, found.cost.windows) == (20, 2)
    assert found.winds == "january_1996.nc"


def test_expects_no_more_than_is_there_and_not_far_from_what_is_found(small_run):
    path = small_run()
    found, result = preview(path).expected, execute(path, ["output.file=null"])
    assert 0.0 < found.dofs <= found.dofs_downwind < 9.0
    assert found.dofs < 2.0 * result.posterior.dofs


def test_who_makes_k_and_how_much_of_it(small_run):
    path = small_run()
    reference = preview(path).cost
    assert reference.answered_by == "transport: transport"
    # 10 rows a window are no fewer than 9 columns
    assert (reference.columns, reference.rows) == (18, 0)
    emulator = preview(path, ["components.transport.run_as=surrogate"]).cost
    assert emulator.answered_by == "transport: jacobian-emulator"
    assert emulator.columns == 18
    assert emulator.total_seconds is not None


def test_figures_are_plain_numbers(small_run):
    figures = preview_figures(preview(small_run()))
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert len(figures["each"]) == 9
    assert figures["by_target"]["inventory.methane_flux"]["dofs"] == pytest.approx(figures["dofs"])
    assert figures["bytes"] == sum(figures["bytes_by_part"].values())


def test_the_table_tells_dofs_memory_and_time(small_run):
    console = Console(record=True, width=120)
    console.print(preview_table(preview(small_run())))
    text = console.export_text()
    for part in ("DOFS expected", "above it", "batch of K", "in all", "transport: transport, 18 columns"):
        assert part in text


def test_the_command_prints_json(small_run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tradewind", "preview", str(small_run()), "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert json.loads(capsys.readouterr().out)["observations"] == 20


def test_without_observations_there_is_nothing_to_expect(small_run):
    path = small_run(
        ("observations: {operator: column, options: {file: columns.nc}}\n", ""),
        ("solve: {method: analytical}\n", ""),
    )
    with pytest.raises(ConfigError, match="nothing to estimate"):
        preview(path)
