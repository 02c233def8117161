"""What the command line says when something fails."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.errors import ConfigError, RankError, TradewindError

if TYPE_CHECKING:
    from rich.console import Console

BUG, INTERRUPTED = 1, 130


@dataclass(frozen=True)
class Failure:
    """An error in words; it travels between ranks.

    Attributes
    ----------
    code
        Exit code of the command.
    message
        The error, one line for each fault; empty to exit without a word.
    hint
        What to do about it.
    traceback
        For ``--debug``; empty otherwise.
    echo
        Whether this rank only repeats what another rank says.
    """

    code: int
    message: str
    hint: str = ""
    traceback: str = ""
    echo: bool = False

    def show(self, console: Console, rank: int | None = None) -> None:
        """Print the failure, with the number of the rank where it is given."""
        from rich.text import Text

        if not self.message:
            return
        if self.traceback:
            console.print(Text(self.traceback.rstrip()), soft_wrap=True)
        where = "" if rank is None else f"rank {rank}: "
        console.print(Text.assemble(("error: ", "bold red"), f"{where}{self.message}"), soft_wrap=True)
        if self.hint:
            console.print(Text.assemble(("hint: ", "bold"), self.hint), soft_wrap=True)


def failure_of(error: BaseException | None, debug: bool = False) -> Failure | None:
    """Return what `error` means for the command: None when it means success."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return None
    trace = "".join(traceback.format_exception(error)) if debug else ""
    if isinstance(error, TradewindError):
        echo = isinstance(error, RankError)
        return Failure(error.exit_code, _message(error), _hint(error), trace, echo)
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, "interrupted", traceback=trace)
    if isinstance(error, SystemExit | BrokenPipeError):
        code = getattr(error, "code", BUG)
        return Failure(code if isinstance(code, int) else BUG, "" if isinstance(code, int) else str(code))
    hint = "" if debug else "this looks like a bug: run again with --debug to see where"
    return Failure(BUG, f"unexpected {type(error).__name__}: {_first_line(error)}", hint, trace)


def _message(error: TradewindError) -> str:
    faults = error.faults if isinstance(error, ConfigError) else ()
    if len(faults) > 1:
        return "\n".join([f"{len(faults)} faults in the config", *(f"  {f}" for f in faults)])
    if faults:
        return faults[0]
    return f"{error.where}: {error.what}" if error.where else error.what


def _hint(error: TradewindError) -> str:
    # each fault of a config carries its own
    return "" if isinstance(error, ConfigError) and error.faults else error.hint


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
