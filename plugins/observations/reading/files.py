"""Several files of observations, each read by itself: one that fails is named, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from glob import has_magic
from pathlib import Path
from typing import TypeVar

from tradewind.errors import DataError, TradewindError
from tradewind.plugins.observations.options import SoundingOptions
from tradewind.plugins.observations.reading.netcdf import reason

Made = TypeVar("Made")
UNREADABLE = (OSError, RuntimeError, ValueError)
"""What libraries raise at files that are damaged, cut short, or none of theirs."""


class Files:
    """The files of a stream, and which of them cannot be used.

    Parameters
    ----------
    options
        Which files, and what becomes of those that fail.
    """

    def __init__(self, options: SoundingOptions) -> None:
        self.options = options
        self.failed: dict[Path, str] = {}

    def each(self, read: Callable[[Path], Made]) -> dict[Path, Made]:
        """Return what `read` makes of every file that can be used, by file.

        Raises
        ------
        TradewindError
            What the first that fails raises, unless failing ones are skipped.
        DataError
            When none is left.
        """
        made: dict[Path, Made] = {}
        for path in self.options.files:
            try:
                made[path] = _read(path, read)
            except TradewindError as error:
                if not self.options.skips:
                    raise
                self.failed[path] = error.what
        if not made:
            raise DataError("; ".join(["none can be used", *self.notes]), where=self.options.where)
        return made

    @property
    def counts(self) -> dict[str, int]:
        """One for each that was left out, by its name and the reason."""
        return {f"file {path.name}: {why}": 1 for path, why in self.failed.items()}

    @property
    def notes(self) -> list[str]:
        """How many were left out, and which, by reason."""
        names: dict[str, list[str]] = {}
        for path, why in self.failed.items():
            names.setdefault(why, []).append(path.name)
        total = len(self.options.files)
        return [f"{len(n)} of {total} files left out: {why}: {', '.join(n)}" for why, n in names.items()]


def _read(path: Path, read: Callable[[Path], Made]) -> Made:
    if not path.exists():
        why = "no file fits this pattern" if has_magic(str(path)) else "there is no such file"
        raise DataError(f"cannot be read: {why}", where=str(path))
    try:
        return read(path)
    except TradewindError:
        raise
    except UNREADABLE as error:
        raise DataError(f"cannot be read: {reason(error)}", where=str(path)) from error
