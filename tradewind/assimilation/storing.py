"""Where members' states lie between windows: in memory, or on disk as files that are mapped into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from tradewind.errors import DataError

if TYPE_CHECKING:
    from tradewind.assimilation.waves import Wave
    from tradewind.coupled.tape import Moment


class Store(Protocol):
    """Keeps waves that are not being stepped."""

    def keep(self, wave: Wave) -> None:
        """Put a wave's moment where it is kept."""


class InMemory:
    """Leaves everything where it is."""

    def keep(self, wave: Wave) -> None:
        """Do nothing."""


@dataclass
class OnDisk:
    """Writes moments into files of a folder, and lets them refer to these.

    A file loses its name as soon as it is mapped: its place on disk is free again when nobody refers to it
    any more, also when the run is killed.
    """

    folder: Path

    def keep(self, wave: Wave) -> None:
        """Write a moment's fields into files.

        Raises
        ------
        DataError
            When they cannot be written.
        """
        if wave.moment is None or not wave.ids:
            return
        try:
            wave.moment = _each(wave.moment, self._written)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(f"cannot keep members there: {reason}", where=str(self.folder)) from error

    def _written(self, value: Tensor) -> Tensor:
        if not value.numel() or value.dtype != torch.float64:
            return value
        with TemporaryFile(dir=self.folder) as file:
            made = np.memmap(file, dtype=np.float64, mode="w+", shape=tuple(value.shape))
            made[...] = value.detach().numpy()
        return torch.from_numpy(made)


def _each(moment: Moment, store: Callable[[Tensor], Tensor]) -> Moment:
    def all_of(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: store(value) for name, value in values.items()}

    states = {name: replace(state, fields=all_of(state.fields)) for name, state in moment.states.items()}
    buffers = tuple(b._replace(windows={k: store(v) for k, v in b.windows.items()}) for b in moment.buffers)
    return moment._replace(
        states=states, held=all_of(moment.held), exports=all_of(moment.exports), buffers=buffers
    )


def store_of(folder: Path | None) -> Store:
    """Return where members are kept.

    Raises
    ------
    DataError
        When the folder cannot be made.
    """
    if folder is None:
        return InMemory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot keep members there: {reason}", where=str(folder)) from error
    return OnDisk(folder)
