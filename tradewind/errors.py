"""Errors that say what is wrong, where, and what to do next.

This is a leaf module: it imports nothing of the project, so every layer can raise these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class TradewindError(Exception):
    """Base of all errors that a user can mend; the command line exits with `exit_code`.

    Parameters
    ----------
    what
        What is wrong, in one sentence.
    where
        Plugin, component, variable, file, line or rank that the fault belongs to.
    hint
        What to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(self._text())

    def _text(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        # errors travel between ranks, and keyword-only arguments do not survive the default
        return _rebuild, (type(self), self.what, self.where, self.hint)


def _rebuild(kind: type[TradewindError], what: str, where: str, hint: str) -> TradewindError:
    return kind(what, where=where, hint=hint)


class ConfigError(TradewindError, ValueError):
    """The run config cannot be used; `faults` lists everything that is wrong with it."""

    faults: tuple[str, ...] = ()


class PluginError(TradewindError, LookupError):
    """A plugin is missing, ambiguous or broken."""


class SpecError(TradewindError, TypeError):
    """Fields, units, shapes or grids do not match what was declared."""


class UnitsError(TradewindError, ValueError):
    """Units that cannot be converted into each other."""


class GridError(TradewindError, ValueError):
    """A grid is degenerate, incomplete or not the one expected."""


class DataError(TradewindError, ValueError):
    """A file or array holds something that cannot be used (missing, NaN, truncated)."""


class CheckpointError(TradewindError, ValueError):
    """A surrogate's checkpoint is missing, damaged or made for something else."""


class DomainError(TradewindError, ValueError):
    """A surrogate was asked outside the domain that it was trained for."""


class LedgerError(TradewindError, ArithmeticError):
    """An exchange has lost or made more than its tolerance allows."""


class ModelError(TradewindError, RuntimeError):
    """An external model could not be started, failed or left no answer; a member of an ensemble failed."""


class NotDifferentiableError(TradewindError, TypeError):
    """A gradient was asked of something that has no adjoint."""


class RankError(TradewindError, RuntimeError):
    """Another rank failed; all ranks raise together and the first failing rank is named."""


def blame(error: BaseException, component: str) -> None:
    """Note that an error came out of a component, for those who tell it (attribute ``in_component``)."""
    error.__dict__.setdefault("in_component", component)


@contextmanager
def blaming(component: str) -> Iterator[None]:
    """Note of every error that is raised within that it came out of a component."""
    try:
        yield
    except BaseException as error:
        blame(error, component)
        raise


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest of `known`, or else all of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(names) if names else "none is known"
