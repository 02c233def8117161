"""Weights between grids, made once for all exchanges that want the same."""

from __future__ import annotations

from pathlib import Path

from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Scheme


class Weights:
    """The weights of a run.

    Parameters
    ----------
    cache
        Folder that keeps them from run to run, if any.
    """

    def __init__(self, cache: Path | None) -> None:
        self.cache = cache
        self._made: dict[tuple[str, str, Scheme], Regridder] = {}

    def between(self, source: Layout, target: Layout, scheme: Scheme) -> Regridder:
        """Return weights, the same object for the same layouts and scheme; collective when they are made.

        Raises
        ------
        GridError
            Grids that do not overlap, or lack what the method needs.
        """
        key = source.fingerprint, target.fingerprint, scheme
        if key not in self._made:
            self._made[key] = Regridder.build(source, target, scheme, cache=self.cache)
        return self._made[key]
