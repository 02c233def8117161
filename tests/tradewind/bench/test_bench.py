"""Benchmarks: what they are called, how they time, and what counts as the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind import bench
from tradewind.bench import checkout, timing
from tradewind.bench.inversion import operators, permian
from tradewind.couplers.grids import Grid
from tradewind.errors import ConfigError, DataError


def test_an_unknown_benchmark_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'permian'"):
        bench.run("permain")


def test_the_conditions_name_commit_date_cores_and_versions():
    assert {"commit", "date", "cores", "threads", "versions"} <= set(bench.conditions())


def test_medians_leave_out_the_first_round_and_take_turns():
    order = []
    work = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    found = timing.medians(work, rounds=3)
    assert order == ["a", "b"] * 4
    assert set(found) == {"a", "b"}


def test_the_examples_are_found_from_the_checkout():
    assert (checkout.examples() / "permian.yaml").is_file()


def test_a_failing_child_process_is_an_error_with_its_words():
    with pytest.raises(DataError, match="no such luck"):
        checkout.python(["-c", "raise SystemExit('no such luck')"])


def test_a_child_process_gives_what_it_prints():
    assert checkout.python(["-c", "print(6 * 7)"]) == "42\n"


def test_the_twins_truth_is_what_its_script_says():
    assert permian.true_total() == pytest.approx(3.2, rel=1e-12)


def _file(path: Path, value: float, name: str = "x") -> Path:
    xr.Dataset({name: ("n", np.array([1.0, value]))}).to_netcdf(path)
    return path


def test_the_same_bits_are_the_same_numbers(tmp_path: Path):
    assert permian.same_numbers(_file(tmp_path / "a.nc", 2.0), _file(tmp_path / "b.nc", 2.0))


@pytest.mark.parametrize(("name", "value"), [("x", np.nextafter(2.0, 3.0)), ("y", 2.0)])
def test_one_bit_or_one_name_makes_numbers_differ(tmp_path: Path, name: str, value: float):
    other = _file(tmp_path / "b.nc", value, name)
    assert not permian.same_numbers(_file(tmp_path / "a.nc", 2.0), other)


def test_conservative_regridding_of_a_small_pair_loses_nothing():
    def grid(rows: int, columns: int) -> Grid:
        lat = -90.0 + (np.arange(rows) + 0.5) * 180.0 / rows
        return Grid.latlon(lat, (np.arange(columns) + 0.5) * 360.0 / columns)

    assert operators.conservation(grid(6, 12), grid(9, 10)) < 1e-13


def test_every_grid_operator_of_the_benchmark_passes_the_dot_test():
    from tradewind.couplers.operators import dot_test

    worst = {name: dot_test(op) for name, op in operators.grid_operators(None)}
    assert set(worst) == {*operators.METHODS, "redistribution", "halo"}
    assert max(worst.values()) < 1e-12
