"""From an error to words: what is said, what is hinted at, and with which exit code the command ends."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tradewind.commands.failure import BUG, Failure, failure_of
from tradewind.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    GridError,
    PluginError,
    RankError,
    TradewindError,
    UnitsError,
)


def shown(failure: Failure, rank: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=40)
    failure.show(console, rank)
    return console.file.getvalue()


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Return `error` with a traceback, as it comes out of a command."""
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


@pytest.mark.parametrize(
    "kind", [CheckpointError, DataError, GridError, PluginError, UnitsError, TradewindError]
)
def test_what_a_user_can_mend_is_2(kind):
    failure = failure_of(kind("is truncated", where="net.safetensors", hint="train it again"))
    assert failure == Failure(2, "net.safetensors: is truncated", "train it again")


def test_success_is_none():
    assert failure_of(None) is None
    assert failure_of(SystemExit(0)) is None
    assert failure_of(SystemExit(None)) is None


def test_an_exit_keeps_its_code():
    assert failure_of(SystemExit(3)) == Failure(3, "")


def test_an_exit_with_words_is_a_failure():
    assert failure_of(SystemExit("no")) == Failure(BUG, "no")


def test_one_fault_of_a_config_stands_alone():
    error = ConfigError("1 fault", where="a.yaml")
    error.faults = ("a.yaml:3: unknown key 'grud'",)
    assert failure_of(error).message == "a.yaml:3: unknown key 'grud'"


def test_a_config_error_without_a_list_is_told_as_any_other():
    failure = failure_of(ConfigError("cannot be read", where="a.yaml", hint="is it there?"))
    assert (failure.message, failure.hint) == ("a.yaml: cannot be read", "is it there?")


def test_the_echo_of_another_rank_is_known_as_such():
    assert failure_of(RankError("DataError: a NaN", where="rank 1")).echo
    assert not failure_of(DataError("a NaN")).echo


def test_a_bug_is_told_in_one_line():
    failure = failure_of(KeyError("first\nsecond"))
    assert failure.code == BUG
    assert "\n" not in failure.message


def test_an_error_without_words_is_named():
    assert failure_of(RuntimeError()).message == "unexpected RuntimeError: "


def test_the_traceback_names_the_place():
    failure = failure_of(raised(ValueError("x")), debug=True)
    assert "test_cli_failure.py" in failure.traceback
    assert failure.hint == ""


def test_the_cause_is_in_the_traceback():
    error = raised(DataError("no ratio"), cause=ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in failure_of(error, debug=True).traceback


def test_lines_are_as_long_as_they_are():
    assert shown(Failure(2, "word " * 20 + "end")) == "error: " + "word " * 20 + "end\n"


def test_the_rank_is_named_where_it_matters():
    assert shown(Failure(2, "a NaN"), rank=3) == "error: rank 3: a NaN\n"


def test_no_message_no_words():
    assert shown(Failure(3, "", "a hint")) == ""
