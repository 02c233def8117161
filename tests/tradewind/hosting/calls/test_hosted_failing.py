"""Errors as hosts are told of them."""

from __future__ import annotations

import copy

import pytest

from tradewind import errors
from tradewind.hosting.failing import CallError, Code, told
from tradewind.output.files import UnwritableError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), Code.CONFIG),
        (errors.PluginError("x"), Code.PLUGIN),
        (errors.SpecError("x"), Code.SHAPE),
        (errors.UnitsError("x"), Code.UNITS),
        (errors.GridError("x"), Code.GRID),
        (errors.DataError("x"), Code.DATA),
        (UnwritableError("x"), Code.FILE),
        (errors.CheckpointError("x"), Code.CHECKPOINT),
        (errors.DomainError("x"), Code.DOMAIN),
        (errors.LedgerError("x"), Code.LEDGER),
        (errors.ModelError("x"), Code.MODEL),
        (errors.NotDifferentiableError("x"), Code.NOT_DIFFERENTIABLE),
        (MemoryError(), Code.MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Code.MEMORY),
        (ImportError("no numpy"), Code.PYTHON),
        (OSError(28, "No space left on device"), Code.FILE),
        (ZeroDivisionError("x"), Code.INTERNAL),
        (SystemExit(3), Code.INTERNAL),
    ],
)
def test_every_error_has_a_code(error, code):
    assert told(error)[0] == code


def test_what_comes_out_of_a_component_is_its_failure():
    error = OSError("its own file")
    errors.blame(error, "ocean")
    assert told(error)[:2] == (Code.MODEL, "ocean")


def test_a_rank_that_only_repeats_is_told_as_an_echo():
    assert told(errors.RankError("rank 1 failed"))[0] == -1


def test_component_and_field_of_a_place_are_told():
    assert told(errors.SpecError("wrong", where="ocean.sst"))[1:3] == ("ocean", "sst")
    assert told(errors.SpecError("wrong", where="component 'ocean'"))[1:3] == ("ocean", "")
    assert told(errors.DataError("wrong", where="posterior.nc"))[1:3] == ("", "")


def test_errors_of_calls_travel_between_ranks():
    error = CallError(Code.UNITS, "wrong", component="ocean", field="sst", hint="mend it")
    again = copy.copy(error)
    assert told(again)[:4] == (Code.UNITS, "ocean", "sst", "ocean.sst: wrong (mend it)")


def test_the_traceback_says_where():
    def deep():
        raise KeyError("lost")

    with pytest.raises(KeyError) as caught:
        deep()
    assert "in deep" in told(caught.value)[4]
