"""What a call of a host comes to: a code, and what there is to tell."""

from __future__ import annotations

import re
import traceback
from enum import IntEnum
from typing import TypeAlias

from tradewind import errors
from tradewind.coupled.stepping.stepper import UngivenError
from tradewind.errors import TradewindError
from tradewind.output.files import UnwritableError

Told: TypeAlias = tuple[int, str, str, str, str]
"""Code, component, field, message, traceback."""
ECHO = -1
"""Code of a rank that only repeats what another rank has told."""


class Code(IntEnum):
    """The codes of ``tradewind.h``."""

    OK = 0
    CONFIG = 1
    PLUGIN = 2
    FIELD = 3
    SHAPE = 4
    KIND = 5
    UNITS = 6
    GRID = 7
    DATA = 8
    CHECKPOINT = 9
    DOMAIN = 10
    LEDGER = 11
    MODEL = 12
    NOT_DIFFERENTIABLE = 13
    ORDER = 14
    CLOSED = 15
    PYTHON = 16
    MEMORY = 17
    FILE = 18
    MPI = 19
    UNSUPPORTED = 20
    INTERNAL = 21


class CallError(TradewindError):
    """A call of a host that cannot be followed.

    Parameters
    ----------
    code
        What the host is told.
    what
        What is wrong, in one sentence.
    component, field
        Whom it concerns, where that is one.
    hint
        What to do about it.
    """

    def __init__(
        self, code: Code, what: str, *, component: str = "", field: str = "", hint: str = ""
    ) -> None:
        self.code, self.component, self.field = code, component, field
        super().__init__(what, where=".".join(part for part in (component, field) if part), hint=hint)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.code, self.what, self.component, self.field, self.hint)


def _rebuilt(code: Code, what: str, component: str, field: str, hint: str) -> CallError:
    return CallError(code, what, component=component, field=field, hint=hint)


# the first that an error is an instance of
CODES: tuple[tuple[type[BaseException], Code | int], ...] = (
    (errors.RankError, ECHO),
    (errors.ConfigError, Code.CONFIG),
    (errors.PluginError, Code.PLUGIN),
    (UngivenError, Code.FIELD),
    (errors.SpecError, Code.SHAPE),
    (errors.UnitsError, Code.UNITS),
    (errors.GridError, Code.GRID),
    (UnwritableError, Code.FILE),
    (errors.DataError, Code.DATA),
    (errors.CheckpointError, Code.CHECKPOINT),
    (errors.DomainError, Code.DOMAIN),
    (errors.LedgerError, Code.LEDGER),
    (errors.ModelError, Code.MODEL),
    (errors.NotDifferentiableError, Code.NOT_DIFFERENTIABLE),
    (TradewindError, Code.CONFIG),
    (ImportError, Code.PYTHON),
    (OSError, Code.FILE),
)
OURS = -2
"""Where the errors that are ours end."""
COMPONENT = re.compile(r"component '([^']+)'")
PORT = re.compile(r"([A-Za-z][\w-]*)\.([A-Za-z_]\w*)")


def told(error: BaseException) -> Told:
    """Return what a host is told of an error: code, component, field, message and traceback.

    The code of a rank that only repeats another's failure is -1. What is not an error of ours and came out of
    a component is that component's failure; anything else is a mistake of ours.
    """
    trace = "".join(traceback.format_exception(error))
    code = int(error.code) if isinstance(error, CallError) else _code_of(error)
    component, field = _whom(error)
    return code, component, field, _message(error), trace


def _code_of(error: BaseException) -> int:
    if _is_of_memory(error):
        return Code.MEMORY
    # what a component raises is its failure, whatever it may mean elsewhere
    foreign = getattr(error, "in_component", "")
    known, otherwise = (CODES[:OURS], Code.MODEL) if foreign else (CODES, Code.INTERNAL)
    return next((int(code) for kind, code in known if isinstance(error, kind)), otherwise)


def _is_of_memory(error: BaseException) -> bool:
    # torch has no exception of its own for it
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def _whom(error: BaseException) -> tuple[str, str]:
    """Return component and field: as the error has them, or as it names its place."""
    if isinstance(error, CallError):
        return error.component, error.field
    where = error.where if isinstance(error, TradewindError) else ""
    # the place of others may be a file
    if isinstance(error, errors.SpecError | errors.UnitsError) and (port := PORT.fullmatch(where)):
        return port[1], port[2]
    named = COMPONENT.search(where)
    return (named[1] if named else str(getattr(error, "in_component", "")), "")


def _message(error: BaseException) -> str:
    faults = error.faults if isinstance(error, errors.ConfigError) else ()
    if len(faults) > 1:
        return "\n".join([f"{len(faults)} faults in the config", *(f"  {fault}" for fault in faults)])
    return str(error) if isinstance(error, TradewindError) else f"{type(error).__name__}: {error}"
