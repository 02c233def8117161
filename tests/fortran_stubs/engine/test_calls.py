"""What every call has in common: handles, order, what is remembered, and the policy where nobody looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Host = Callable[..., Any]
calls = pytest.mark.calls
OPEN = "init a.yaml; component double; "


@calls(f"{OPEN} describe; put x 1,2,3; run; get y 3; time; finalize")
def test_a_session_from_init_to_finalize(told: Any) -> None:
    assert {code.split()[1] for code in told.codes} == {"ok"}
    assert told.rows("values") == [["2,4,6"]]
    assert told.rows("times") == [["0", "10", "1"]]


@calls(f"{OPEN} fields; field 0; field 3; finalize")
def test_what_a_component_declares(told: Any) -> None:
    assert told.rows("declared") == [["x", "m s-1", "1", "2", "1", "3"], ["y", "m s-1", "2", "2", "1", "3"]]
    assert [a.code for a in told.answers("field")] == ["field", "field"]


@calls(f"{OPEN} put x 5,5,5; component double; run; get y 3; finalize")
def test_the_same_name_is_the_same_component(told: Any) -> None:
    assert told.rows("values") == [["10,10,10"]]


@calls(f"{OPEN} finalize; run; put x 1,2,3; finalize")
def test_handles_of_a_closed_session_are_known_to_be_closed(told: Any) -> None:
    assert told.codes[3:] == ["run closed", "put closed", "finalize ok"]
    assert "has been finalized" in told.answer("run").message


@calls(f"{OPEN} finalize; init b.yaml; put x 1,2,3; component double; put x 1,2,3; finalize")
def test_a_handle_does_not_come_to_mean_a_later_session(told: Any) -> None:
    assert told.codes[3:] == ["init ok", "put closed", "component ok", "put ok", "finalize ok"]


@calls("session 3; run; component double; agree; finalize; session 0")
def test_calls_before_init(told: Any) -> None:
    assert told.codes == ["run closed", "component closed", "agree closed", "finalize ok"]


@calls(
    f"{OPEN} put x 1,1,1; session 1; {OPEN} put x 2,2,2; session 0; run; session 1; run;"
    " session 0; finalize; session 1; get y 3; finalize; session 0"
)
def test_sessions_stand_side_by_side(told: Any) -> None:
    assert {code.split()[1] for code in told.codes} == {"ok"}
    assert told.rows("values") == [["4,4,4"]]


def python_raised(told: Any, phase: str, where: str) -> None:
    first = told.answers(phase)[0]
    assert (first.code, first.first, first.where) == ("domain", 0, where)
    assert first.traced
    assert first.message == f"asked to fail in {phase}"


@calls("init fails-in-describe.yaml; component double; describe; finalize")
def test_what_describe_raises_is_told_with_its_traceback(told: Any) -> None:
    python_raised(told, "describe", "double.")


@calls("init fails-in-put.yaml; component double; put x 1,2,3; put x 1,2,3; finalize")
def test_what_put_raises_is_told_with_its_field(told: Any) -> None:
    python_raised(told, "put", "double.x")


@calls("init fails-in-run.yaml; component double; run; finalize")
def test_what_run_raises_is_told_with_its_traceback(told: Any) -> None:
    python_raised(told, "run", "double.")


@calls("init fails-in-open.yaml; run; init a.yaml; component double; run; finalize")
def test_a_session_that_cannot_be_opened_leaves_nothing_behind(told: Any) -> None:
    assert told.codes == ["init domain", "run closed", "init ok", "component ok", "run ok", "finalize ok"]


@calls("init exits-in-run.yaml; component double; run; finalize")
def test_sys_exit_in_python_does_not_end_the_host(told: Any) -> None:
    assert told.codes[2:] == ["run internal", "finalize ok"]
    assert told.exit == 0


@calls("init deep-in-run-returns.yaml; component double; run; finalize")
def test_the_end_of_a_long_traceback_is_kept(told: Any) -> None:
    assert told.rows("traceback") == [["DomainError: at the bottom"]]


@calls("init fails-in-close.yaml; finalize; agree")
def test_a_session_whose_end_fails_is_closed_all_the_same(told: Any) -> None:
    assert told.codes == ["init ok", "finalize domain", "agree closed"]


@calls(f"{OPEN} put z 1,2,3; put z 1,2,3; finalize")
def test_a_field_that_is_not_there(told: Any) -> None:
    assert [(a.code, a.where) for a in told.answers("put")] == [("field", "double.z")] * 2


@calls("init a.yaml; component triple; finalize")
def test_a_component_that_is_not_there(told: Any) -> None:
    assert (told.answer("component").code, told.answer("component").where) == ("field", "triple.")


@calls(f"{OPEN} put x nan,2,3; run; run; finalize")
def test_a_local_failure_is_told_by_the_next_collective_call_and_then_forgotten(told: Any) -> None:
    assert told.codes[2:] == ["put data", "run data", "run ok", "finalize ok"]
    assert told.answers("run")[0].where == "double.x"


@calls(f"{OPEN} put x nan,2,3; put x 1,2,3; run; finalize")
def test_a_failed_call_that_is_made_again_well_is_mended(told: Any) -> None:
    assert told.codes[2:] == ["put data", "put ok", "run ok", "finalize ok"]


@calls(f"{OPEN} put x nan,2,3; put y 1,2,3; run; finalize")
def test_another_call_that_is_well_mends_nothing(told: Any) -> None:
    assert told.codes[2:] == ["put data", "put ok", "run data", "finalize ok"]


@calls(f"{OPEN} put x nan,2,3; finalize; run")
def test_finalize_does_not_tell_again_what_has_failed(told: Any) -> None:
    assert told.codes[2:] == ["put data", "finalize ok", "run closed"]


@calls("init fails-in-run-returns.yaml; component double; quiet; run; finalize")
def test_without_a_status_a_failure_is_printed_and_the_code_returned(
    told: Any,
) -> None:
    assert told.codes[2:] == ["run domain", "finalize ok"]
    assert "tradewind: rank 0: run of double: domain: asked to fail in run" in told.errors
    assert "Traceback" in told.errors


@calls("init fails-in-run.yaml; component double; quiet; run; finalize")
def test_without_mpi_running_nothing_is_aborted(told: Any) -> None:
    assert told.codes[2:] == ["run domain", "finalize ok"]


@calls("init a.yaml; solve; finalize")
def test_what_python_does_not_do_is_told(told: Any) -> None:
    assert told.codes == ["init ok", "solve internal", "finalize ok"]
    assert "solve" in told.answer("solve").message


@calls("init ;")
def test_a_config_without_a_name(told: Any) -> None:
    assert told.answer("init").code == "config"


@calls(f"{OPEN} grid 10,20,30; finalize")
def test_cells_of_the_host(told: Any) -> None:
    assert told.answer("set_grid").code == "ok"
    assert "grid [1, 2, 3] [10.0, 20.0, 30.0] [0.0, 0.0, 0.0] None" in told.lines


@calls(f"{OPEN} grid ,; finalize")
def test_a_rank_may_have_no_cells(told: Any) -> None:
    assert told.answer("set_grid").code == "ok"
    assert "grid [] [] [] None" in told.lines


@calls(f"{OPEN} grid 10,nan,30; finalize")
def test_a_grid_with_nan(told: Any) -> None:
    assert (told.answer("set_grid").code, told.answer("set_grid").where) == ("grid", "double.lon")


@calls("init a.yaml; ping; finalize; ping")
def test_what_a_call_costs_can_be_asked(told: Any) -> None:
    assert [row[0] for row in told.rows("ping")] == ["ok", "ok", "closed", "closed"]


@calls("init a.yaml; component double; threads; finalize")
def test_threads_of_the_host_may_call(told: Any) -> None:
    assert told.rows("threads") == [["0"]]


def test_memory_does_not_grow_with_sessions(host: Host) -> None:
    ((failed, grown),) = host("cycles 200 a.yaml").rows("cycles")
    assert failed == "0"
    assert int(grown) <= 64  # KiB; a status lost each time would be 3 600
