"""The loop of a filter: by hand where that can be done, in waves and on disk, with any control."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.assimilation import EnsembleLoop, assimilate
from tradewind.check import plan
from tradewind.errors import ConfigError, DataError
from tradewind.execute import execute
from tradewind.results import AssimilationResult
from tradewind.simulation import Begin

FOUR = [[-1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
"""Two members that differ in the first of four cells: mean 0, variance 2."""
REJECTING = (
    "{operator: point, of: model.x, reject: {departure: 3}, "
    'options: {file: observed.nc, variable: x, units: "1"}}'
)
LORENZ = "{plugin: lorenz-96, options: {size: 6, changes: {0: 9.0}}}"


def same(a: AssimilationResult, b: AssimilationResult) -> bool:
    fields = all(torch.equal(x.analysis, y.analysis) for x, y in zip(a.fields, b.fields, strict=True))
    members = all(torch.equal(a.members[name], b.members[name]) for name in b.members)
    return fields and members and all(
        np.array_equal(x.rank, y.rank) for x, y in zip(a.departures, b.departures, strict=True)
    )  # fmt: skip


# ---------------------------------------------------------------------- by hand
def test_one_observation_is_a_kalman_filter_by_hand(ensemble):
    # P = 2, R = 2, y = 3: K = 1/2, mean 3/2, variance 1; members of a symmetric root at 3/2 ± sqrt(1/2)
    result = assimilate(ensemble([(1, 0, 0, 3.0, math.sqrt(2.0))], FOUR))
    (field,), (seen,) = result.fields, result.departures
    assert field.port == "model.x"
    assert field.forecast[0].tolist() == [0, 0, 0, 0]
    assert torch.allclose(field.analysis[0], torch.tensor([1.5, 0, 0, 0], dtype=torch.float64), atol=1e-14)
    assert field.forecast_spread[0, 0] == pytest.approx(math.sqrt(2.0))
    assert field.analysis_spread[0, 0] == pytest.approx(1.0)
    assert result.members["model.x"][:, 0].tolist() == pytest.approx([1.5 - 0.5**0.5, 1.5 + 0.5**0.5])
    assert (seen.y[0], seen.background[0], seen.analysis[0]) == pytest.approx((3.0, 0.0, 1.5))
    assert (seen.sigma[0], seen.background_sigma[0], seen.analysis_sigma[0]) == pytest.approx(
        (2**0.5, 2**0.5, 1)
    )
    assert seen.members == 2
    assert 0 <= seen.rank[0] <= 2


def test_members_go_on_from_their_analyses(ensemble):
    # twice the same observation: precisions add up, 1/2 + 1/2 + 1/2, and so do the pulls: mean 3 (2/3)
    rows = [(1, 0, 0, 3.0, 2.0**0.5), (2, 0, 0, 3.0, 2.0**0.5)]
    result = assimilate(ensemble(rows, FOUR, hours=2))
    assert result.fields[0].analysis[:, 0].tolist() == pytest.approx([1.5, 2.0])
    assert result.fields[0].analysis_spread[1, 0] == pytest.approx((2 / 3) ** 0.5)
    assert [t.hour for t in result.fields[0].times] == [1, 2]


def test_an_observation_within_the_window_is_seen_when_it_was_made(ensemble):
    # the field moves eastwards by a column each hour; what stands at 1E after an hour stood at 0E before
    moving = "{plugin: shift, options: {grid: {lat: [0.0, 1.0], lon: [0.0, 1.0]}, columns: 1}}"
    loop = EnsembleLoop(ensemble([(1, 0, 1, 3.0, 2.0**0.5)], FOUR, model=moving, hours=2))
    for window in loop.assembly.windows:
        loop.cycle(window)
    result = loop.result()
    assert result.fields[0].analysis[0].tolist() == pytest.approx([0, 1.5, 0, 0])
    assert result.fields[0].analysis[1].tolist() == pytest.approx([1.5, 0, 0, 0])
    assert any("1 of 2 windows had no observation" in note for note in result.notes)


def test_a_parameter_is_estimated_with_the_state(ensemble, function_model):
    # x -> x + b each hour with b of mean 0: members (b = ±1) show ±1; y = 3 moves the mean of b to 3/2
    result = assimilate(ensemble(
        [(1, 0, 0, 3.0, 2.0**0.5)], model=function_model("state['x'] + parameters['b'][:, None]"),
        control="{field: model.b, change: add, prior_error: 1.0}",
        ensemble="{members: 200}",
    ))  # fmt: skip
    (field,) = result.fields
    P = float(field.forecast_spread[0, 0]) ** 2
    assert 0.8 < P < 1.2
    assert float(field.forecast[0, 0]) == pytest.approx(0.0, abs=1e-12)
    assert float(field.analysis[0, 0]) == pytest.approx(3 * P / (P + 2))
    assert field.grid is None
    assert result.members["model.b, of no place"].shape == (200, 1)


def test_windows_that_begin_anew_carry_only_the_control(ensemble, function_model):
    # each window is x = 0 + b after its hour, so the second sees the same thing again
    said = {"model": function_model("state['x'] + parameters['b'][:, None]"), "hours": 2}
    rows = [(1, 0, 0, 3.0, 2.0**0.5), (2, 0, 0, 3.0, 2.0**0.5)]
    result = assimilate(ensemble(
        rows, control="{field: model.b, change: add, prior_error: 1.0}",
        ensemble="{members: 50, begin: initial}", **said,
    ))  # fmt: skip
    P = float(result.fields[0].forecast_spread[0, 0]) ** 2
    mean = [3 * (n / 2) / (1 / P + n / 2) for n in (1, 2)]
    assert result.fields[0].analysis[:, 0].tolist() == pytest.approx(mean)


def test_a_lognormal_state_stays_positive(ensemble):
    said = "{plugin: shift, options: {grid: {lat: [0.0, 1.0], lon: [0.0, 1.0]}, initial: 1.0}}"
    result = assimilate(ensemble(
        [(1, 0, 0, -5.0, 0.1)], model=said, control="{field: model.x, change: lognormal, prior_error: 1.0}",
        ensemble="{members: 5}",
    ))  # fmt: skip
    assert bool((result.members["model.x"].exp() > 0).all())
    assert float(result.fields[0].analysis[0, 0]) < float(result.fields[0].forecast[0, 0])


# ---------------------------------------------------------------------- how members are kept
def test_waves_and_disk_change_no_bit(ensemble, tmp_path):
    rows = [(h, 0, lon, 8.0 + lon / 100, 1.0) for h in (1, 2, 3) for lon in (0, 60, 120)]
    results = [
        assimilate(ensemble(rows, model=LORENZ, hours=3, ensemble=said))
        for said in ("{members: 5}", "{members: 5, wave: 2}", "{members: 5, wave: 1, folder: states}")
    ]
    assert same(results[0], results[1])
    assert same(results[0], results[2])
    assert not list((tmp_path / "states").iterdir())


def test_drawn_members_have_the_prior_as_their_mean_unless_they_shall_not(ensemble):
    rows = [(1, 0, 0, 8.0, 1e6)]
    centred, loose = (
        EnsembleLoop(ensemble(rows, model=LORENZ, ensemble=said))
        for said in ("{members: 4}", "{members: 4, centre: false}")
    )
    mean = [loop.waves[0].moment.states["model"].fields["x"].mean(dim=0) for loop in (centred, loose)]
    prior = torch.tensor([9.0, 8, 8, 8, 8, 8], dtype=torch.float64)
    assert torch.allclose(mean[0], prior, atol=1e-13)
    assert (mean[1] - prior).abs().max() > 0.1


def test_the_seed_is_that_of_the_run_unless_the_ensemble_has_its_own(ensemble):
    rows = [(1, 0, 0, 8.0, 1.0)]
    first, second, other = (
        assimilate(ensemble(rows, model=LORENZ, ensemble=said))
        for said in ("{members: 3}", "{members: 3, seed: 3}", "{members: 3, seed: 4}")
    )
    assert same(first, second)
    assert not same(first, other)


def test_only_the_last_means_are_kept_when_that_is_enough(ensemble):
    rows = [(h, 0, 0, 3.0, 1.0) for h in (1, 2, 3)]
    every, last = (
        assimilate(ensemble(rows, FOUR, hours=3, ensemble=said))
        for said in ("{members: 2}", "{members: 2, means: last}")
    )
    assert torch.equal(last.fields[0].analysis, every.fields[0].analysis[-1:])
    assert [t.hour for t in last.fields[0].times] == [3]
    assert len(last.departures) == 3


# ---------------------------------------------------------------------- the background check
def test_observations_too_far_off_are_rejected_with_their_reason(ensemble):
    rows = [(1, 0, 0, 3.0, 2.0**0.5), (1, 1, 1, 50.0, 1.0)]
    result = assimilate(ensemble(rows, FOUR, observations=REJECTING))
    (seen,) = result.departures
    assert seen.reason.tolist() == ["", "background check"]
    assert seen.analysis[0] == pytest.approx(1.5)
    assert np.isnan(seen.analysis[1])
    assert any("1 of 2 observations were rejected" in note for note in result.notes)


def test_a_window_whose_observations_are_all_rejected_is_a_forecast(ensemble):
    result = assimilate(ensemble([(1, 0, 0, 50.0, 1.0)], FOUR, observations=REJECTING))
    assert result.members["model.x"].tolist() == FOUR
    assert any("no observation that could be used" in note for note in result.notes)


# ---------------------------------------------------------------------- a run from its config
def test_a_config_with_a_filter_runs_its_loop(ensemble):
    assembly = ensemble([(1, 0, 0, 3.0, 2.0**0.5)], FOUR)
    result = execute(assembly.config.source.file)
    assert isinstance(result, AssimilationResult)
    assert (result.name, result.method) == ("run", "etkf")
    assert result.calls[0].component == "model"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"ensemble": "{members: 1}"}, "run.yaml:6: ensemble.members"),
        ({"ensemble": "{members: 2, limits: {model.y: [0, 1]}}"}, "run.yaml:6: ensemble.limits.model.y"),
        ({"ensemble": "{members: 2, limits: {model.x: [2, 1]}}"}, "nothing lies between 2 and 1"),
        ({"ensemble": "{members: 3, file: members.nc}"}, "run.yaml:6: ensemble.file: .*is member, of 3"),
        ({"ensemble": "{members: 2, begin: now}"}, "run.yaml:6: ensemble.begin"),
        ({"ensemble": "null"}, "run.yaml:7: solve: the filter 'etkf' needs the section `ensemble:`"),
        ({"method": "etkv"}, "run.yaml:7: solve.method"),
    ],
)  # fmt: skip
def test_faults_are_found_before_anything_runs(ensemble, tmp_path, said, fault):
    xr.Dataset({"x": (("member", "cell"), FOUR)}).to_netcdf(tmp_path / "members.nc")
    with pytest.raises(ConfigError, match=fault):
        ensemble([(1, 0, 0, 3.0, 1.0)], **said)


def test_restart_files_are_refused_and_not_forgotten(ensemble):
    path = ensemble([(1, 0, 0, 3.0, 1.0)], FOUR).config.source.file
    with pytest.raises(ConfigError, match="keeps no restart files yet"):
        assemble(path, ["run.restart={folder: kept}"])
    with pytest.raises(ConfigError, match="an assimilation has no restart files"):
        execute(path, begin=Begin.RESUME)


def test_the_plan_says_what_is_carried(ensemble):
    assembly = ensemble([(1, 0, 0, 3.0, 1.0)], ensemble="{members: 8, wave: 2}")
    said = "ensemble   8 members drawn from the prior, in waves of 2, carried from window to window"
    assert said in list(plan(assembly))


def test_a_solver_that_is_given_an_ensemble_says_that_it_has_none(ensemble):
    assembly = ensemble([(1, 0, 0, 3.0, 1.0)], method="analytical")
    assert any("ensemble: is of filters" in note for note in assembly.notes)


def test_members_with_holes_are_named(ensemble):
    assembly = ensemble([(1, 0, 0, 3.0, 1.0)], [FOUR[0], [1.0, np.nan, 0.0, 0.0]])
    with pytest.raises(DataError, match="x of member 1 has missing values"):
        EnsembleLoop(assembly)
