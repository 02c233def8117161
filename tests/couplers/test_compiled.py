"""Compiled loops give what Python gives, to the last bit."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tradewind.couplers.compiled import compiled


def mixed(a: float, b: float, c: float) -> float:
    return a * b + c


def running(values: np.ndarray) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def test_products_and_sums_are_rounded_one_after_the_other():
    # with a fused multiply-add 0.1 * 10 - 1 would be 5.6e-17
    assert compiled(mixed)(0.1, 10.0, -1.0) == mixed(0.1, 10.0, -1.0) == 0.0


def test_sums_run_in_the_order_of_the_loop():
    # with vector lanes the ones would be added up first
    values = np.array([1e16, 1.0, -1e16, 1.0] * 100)
    assert compiled(running)(values) == running(values)


def test_errors_are_raised_as_in_python():
    def refusing(n: int) -> int:
        if n > 3:
            raise ValueError("too many")
        return n

    made = compiled(refusing)
    assert made(3) == 3
    with pytest.raises(ValueError, match="too many"):
        made(4)


@pytest.mark.parametrize(
    "module", ["tradewind", "tradewind.couplers.grids", "tradewind.couplers.regrid.regridder"]
)
def test_numba_is_not_loaded_before_there_are_cells_to_loop_over(module):
    code = f"import sys, {module}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_where_nothing_can_be_kept_loops_are_compiled_all_the_same():
    # a function without a file has no folder beside it for the cache
    found: dict[str, object] = {}
    exec("def double(x):\n    return 2 * x", found)
    assert compiled(found["double"])(21) == 42


def test_compiled_loops_are_kept_on_disk():
    assert compiled(mixed).stats.cache_path


def test_loops_can_be_run_as_python_to_debug_them():
    grid = "Grid.latlon([-45, 45], [0, 90, 180, 270])"
    code = f"from tradewind.couplers.grids import Grid; print({grid}.polygon_area[0])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert float(done.stdout) == pytest.approx(np.pi / 2, rel=1e-15), done.stderr
