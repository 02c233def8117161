"""What a host is left with: traps, rounding, flags, signals, locale, environment; and its own steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Host = Callable[..., Any]
calls = pytest.mark.calls
DIVIDE = "init divides.yaml; component double; put x 1,2,3; run; get y 3; "


@calls(f"trap; {DIVIDE} floating; finalize; calm")
def test_traps_rest_while_python_works_and_are_back_afterwards(told: Any) -> None:
    assert told.rows("floating") == [["traps", "nearest", "", ""]]
    assert told.rows("values") == [["2,4,6"]]


@calls(f"upward; raise; {DIVIDE} floating; finalize; calm")
def test_rounding_and_flags_are_the_hosts_again(told: Any) -> None:
    assert told.rows("floating") == [["calm", "upward", "underflow", ""]]


@calls("upward; init thirds.yaml; component double; put x 1,2,3; run; get y 3; finalize; calm")
def test_numbers_do_not_depend_on_the_hosts_rounding(told: Any) -> None:
    # the second is 1/3 of the component less 1/3 as it is here; rounded upwards they would differ by a bit
    assert told.rows("values") == [["0.666667,0,0"]]


@calls("trap; upward; init fails-in-run.yaml; component double; run; run; floating; finalize; calm")
def test_failing_calls_restore_as_well(told: Any) -> None:
    assert told.rows("floating") == [["traps", "upward", "", ""]]


@calls("trap; init a.yaml; component double; register 0; put x 1,2,3; run; get y 3; floating; finalize; calm")
def test_a_step_of_the_host_has_its_own_environment(told: Any) -> None:
    assert told.rows("step") == [["0", "1", "traps"]]
    assert told.rows("values") == [["2,4,6"]]
    assert told.rows("floating") == [["traps", "nearest", "", ""]]


@calls("init a.yaml; component double; register 5; put x 1,2,3; run; finalize")
def test_the_code_of_a_step_is_told(told: Any) -> None:
    assert told.answer("run").code == "model"
    assert told.answer("run").message == "double: the host's step answers 5"


@calls("init a.yaml; component double; register_end; run; finalize; finalize")
def test_a_session_is_not_closed_by_its_own_step(told: Any) -> None:
    assert told.codes[3:] == ["finalize order", "run ok", "finalize ok", "finalize ok"]


def test_signals_locale_and_environment_are_as_before(host: Host) -> None:
    told = host(f"unset OMP_NUM_THREADS; {DIVIDE} signals; finalize")
    assert told.rows("signals") == [["0", "C", "unset"]]


def test_threads_may_open_the_first_sessions_at_once(host: Host) -> None:
    assert host("crowd").rows("threads") == [["0"]]
