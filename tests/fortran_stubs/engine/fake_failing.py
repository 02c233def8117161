"""A small stand-in for ``tradewind.hosting.failing``: what errors come to."""

from __future__ import annotations

import traceback
from enum import IntEnum

from tradewind.errors import DomainError, RankError, TradewindError


class Code(IntEnum):
    """Those of ``tradewind.h`` that the stand-in has a use for."""

    FIELD = 3
    DOMAIN = 10
    MODEL = 12
    MPI = 19
    INTERNAL = 21


class CallError(TradewindError):
    def __init__(
        self, code: Code, what: str, *, component: str = "", field: str = "", hint: str = ""
    ) -> None:
        self.code, self.component, self.field = code, component, field
        super().__init__(what, where=component, hint=hint)


def told(error: BaseException) -> tuple[int, str, str, str, str]:
    """Return code (-1: only repeats what another rank tells), component, field, message, traceback."""
    code = int(error.code) if isinstance(error, CallError) else int(Code.INTERNAL)
    if isinstance(error, DomainError):
        code = Code.DOMAIN
    if isinstance(error, RankError):
        code = -1
    trace = "".join(traceback.format_exception(error))
    known = isinstance(error, TradewindError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return code, *_whom(error), message, trace


def _whom(error: BaseException) -> tuple[str, str]:
    return getattr(error, "component", ""), getattr(error, "field", "")
