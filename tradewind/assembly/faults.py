"""Faults that are found while a run is built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """

    def __init__(self, source: ConfigSource) -> None:
        self.source, self.found = source, list[Fault]()

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

    def settle(self) -> None:
        """Raise what was found, if anything was.

        Raises
        ------
        ConfigError
            With all faults.
        """
        if self.found:
            raise config_error(self.found, self.source)
