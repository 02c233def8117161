"""Faults that are found while a run is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from tradewind.config.faults import Fault, config_error
from tradewind.config.source import ConfigSource, Key
from tradewind.errors import TradewindError


class Faults:
    """Collects what is wrong, so that a user sees all of it at once.

    Parameters
    ----------
    source
        File and lines of the config.
    found
        What is known to be wrong already.
    """

    def __init__(self, source: ConfigSource, found: Iterable[Fault] = ()) -> None:
        self.source, self.found = source, list(found)

    @contextmanager
    def at(self, *path: Key) -> Iterator[None]:
        """Turn an error of ours raised inside into a fault of the setting at `path`."""
        try:
            yield
        except TradewindError as error:
            self.add(path, str(error))

    def add(self, path: Sequence[Key], what: str) -> None:
        """Add a fault."""
        self.found.append(Fault(tuple(path), what))

    def spoil(self, *path: Key) -> bool:
        """Return whether something is wrong at `path` or below it."""
        return any(fault.path[: len(path)] == path for fault in self.found)

    def settle(self) -> None:
        """Raise what was found, if anything was.

        Raises
        ------
        ConfigError
            With all faults.
        """
        if self.found:
            raise config_error(self.found, self.source)
