"""Ranks of a session: all come to the same status, whichever failed; communicators of every sort."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

pytestmark = pytest.mark.mpi
Host = Callable[..., Any]
calls = partial(pytest.mark.calls, ranks=3)
OPEN = "comm world; init a.yaml; component double; "


@calls(f"{OPEN} @1 put x nan,2,3; run; run; finalize")
def test_what_failed_on_one_rank_is_told_to_all(told: Any) -> None:
    assert [(a.code, a.first, a.where) for a in told.answers("run")].count(("data", 1, "double.x")) == 3
    assert [a.code for a in told.answers("run")].count("ok") == 3


@calls(f"{OPEN} @2 put x nan,2,3; @1 put q 1,2,3; agree; finalize")
def test_the_first_of_several_is_told(told: Any) -> None:
    assert {(a.code, a.first, a.where) for a in told.answers("agree")} == {("field", 1, "double.q")}
    assert len(told.answers("agree")) == 3


@calls("comm world; init fails-on-one-in-run.yaml; component double; run; finalize")
def test_who_only_heard_of_it_is_not_the_first(told: Any) -> None:
    assert {(a.code, a.first) for a in told.answers("run")} == {("domain", 2)}
    assert {a.message for a in told.answers("run")} == {"asked to fail in run on rank 2"}
    assert all(a.traced for a in told.answers("run"))


@calls("comm world; init fails-on-one-in-open.yaml; init a.yaml; finalize")
def test_a_session_that_opens_on_some_ranks_only_is_open_on_none(told: Any) -> None:
    assert sorted(told.codes) == sorted(["init domain", "init ok", "finalize ok"] * 3)


@calls("comm halves; init a.yaml; component double; @2 put x nan,1,1; run; finalize")
def test_sub_communicators(told: Any) -> None:
    # ranks 0 and 2 are one half, in which rank 2 comes second
    assert sorted((a.rank, a.code, a.first) for a in told.answers("run")) == [
        (0, "data", 1),
        (1, "ok", -1),
        (2, "data", 1),
    ]


@calls(
    f"{OPEN} session 1; comm halves; init b.yaml; component double; run; session 0; run; finalize;"
    " session 1; run; finalize; session 0"
)
def test_sessions_on_two_communicators_at_once(told: Any) -> None:
    assert {a.code for call in ("init", "run", "finalize") for a in told.answers(call)} == {"ok"}


@calls("comm null; init a.yaml; comm odd; init a.yaml")
def test_communicators_that_are_none(told: Any) -> None:
    assert {a.code for a in told.answers("init")} == {"mpi"}
    assert {
        "MPI_COMM_NULL" in a.message or "not one of this MPI" in a.message for a in told.answers("init")
    } == {True}


@calls("comm world; init fails-in-run-returns.yaml; component double; quiet; run; finalize")
def test_without_a_status_it_goes_on_where_the_config_says_so(told: Any) -> None:
    assert {a.code for a in told.answers("run")} == {"domain"}
    assert told.errors.count("tradewind: rank") == 1


@calls("comm world; cycles 10 a.yaml")
def test_memory_does_not_grow_with_communicators(told: Any) -> None:
    assert [row[0] for row in told.rows("cycles")] == ["0", "0", "0"]
    assert max(int(row[1]) for row in told.rows("cycles")) <= 512


def test_a_python_that_is_missing_on_one_rank(host: Host) -> None:
    told = host("comm world; @1 setenv TRADEWIND_PYTHON /nowhere; init a.yaml; run", ranks=2)
    assert {(a.code, a.first) for a in told.answers("init")} == {("python", 1)}
    assert {a.code for a in told.answers("run")} == {"closed"}


def test_a_communicator_before_mpi_runs(host: Host) -> None:
    answer = host("comm odd; init a.yaml").answer("init")
    assert answer.code == "mpi"
    assert "after MPI_Init" in answer.message


def test_without_a_status_the_program_is_aborted_through_mpi(host: Host) -> None:
    told = host(
        "comm world; init fails-in-run.yaml; component double; quiet; run; finalize", ranks=2, check=False
    )
    assert told.exit != 0
    assert "asked to fail in run" in told.errors
    assert not told.answers("finalize")
