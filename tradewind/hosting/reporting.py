"""What a session has done, written where the host asks for it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tradewind.accounts import call_records, origin
from tradewind.budget import Budget
from tradewind.coupled.model import Calls
from tradewind.couplers.ranks.parallel import agree
from tradewind.hosting.failing import CallError, Code
from tradewind.output.files import write_text
from tradewind.output.terminal.table import terminal_table
from tradewind.output.writing import write_outputs
from tradewind.results import AssimilationResult, InversionResult, SimulationResult

if TYPE_CHECKING:
    from tradewind.hosting.session import Session

    Result: TypeAlias = InversionResult | AssimilationResult | SimulationResult

WIDTH = 120
"""Characters in a line of a plain report."""


def report(session: Session, path: str) -> None:
    """Write a report; collective, rank 0 writes.

    A file that ends in ``.nc`` is what ``output.file`` of the config would be, one in ``.html`` what
    ``output.report`` would be; anything else is plain text. It shows the posterior or the analyses where
    there are any, else the ledger of what was advanced; who answered how many calls, and for how long.

    Raises
    ------
    CallError
        When an HTML page is asked for of a session that has estimated nothing.
    DataError
        When it cannot be written; an older file is as it was.
    """
    file, result = Path(path), result_of(session)
    ending = file.suffix.lower()
    if ending == ".html" and isinstance(result, SimulationResult):
        what, hint = "nothing was analysed or solved: there is no page", "end its name in .nc or .txt"
        raise CallError(Code.ORDER, what, hint=hint)
    if ending == ".nc":
        write_outputs(result, session.comm, file=file)
    elif ending == ".html":
        write_outputs(result, session.comm, report=file)
    else:
        with agree(session.comm, "writing the report"):
            if session.comm.rank == 0:
                write_text(in_words(result), file)


def result_of(session: Session) -> Result:
    """Return what came of a session up to now; collective."""
    solved: Result | None = session.solved
    if solved is not None:
        return solved
    if session.started and session.analyses is not None and session.analyses.done:
        return session.analyses.result
    return forward(session)


def forward(session: Session) -> SimulationResult:
    """Return what was stepped: calls, seconds and ledger; collective."""
    assembly = session.assembly
    ledger = session.coupled.ledger if session.started else []
    now = session.coupled.time if session.started else session.clock.start
    return SimulationResult(
        name=assembly.config.source.file.stem,
        windows=tuple(w for w in assembly.windows if w.start < now),
        budgets=tuple(Budget.of(exchange, ledger) for exchange in assembly.exchanges),
        calls=tuple(call_records(assembly, session.answers.calls if session.started else Calls())),
        provenance=origin(assembly),
        notes=tuple(assembly.notes),
    )


def in_words(result: Result) -> str:
    """Return the table that ``tradewind run`` prints, as plain text."""
    from rich.console import Console

    text = StringIO()
    console = Console(file=text, width=WIDTH, color_system=None, force_terminal=False)
    console.print(terminal_table(result), highlight=False)
    return text.getvalue()
