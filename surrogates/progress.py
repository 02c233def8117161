"""What is told of a training's course: a bar on the terminal, a checkpoint at every improvement."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tradewind.surrogates.checkpoint import CheckpointHeader, save_checkpoint

if TYPE_CHECKING:
    from tradewind.surrogates.networks import WindowNetwork


@dataclass(frozen=True)
class Epoch:
    """One line of the history: mean losses over the training and the validation set."""

    number: int
    train_loss: float
    validation_loss: float


class Progress:
    """Told of a training's course; this one does nothing, its children do something."""

    def started(self, epochs: int, batches: int) -> None:
        """Take note that training starts."""

    def batch(self, loss: float) -> None:
        """Take note that one batch is done."""

    def epoch(self, line: Epoch, best: float) -> None:
        """Take note that one epoch is done and scored."""

    def improved(self, network: WindowNetwork, line: Epoch) -> None:
        """Take note that the network is better than ever."""

    def finished(self) -> None:
        """Take note that training is over, well or not."""


class Together(Progress):
    """Tells several."""

    def __init__(self, parts: Sequence[Progress]) -> None:
        self.parts = tuple(parts)

    def started(self, epochs: int, batches: int) -> None:
        """Tell all that training starts."""
        for part in self.parts:
            part.started(epochs, batches)

    def batch(self, loss: float) -> None:
        """Tell all that one batch is done."""
        for part in self.parts:
            part.batch(loss)

    def epoch(self, line: Epoch, best: float) -> None:
        """Tell all that one epoch is done."""
        for part in self.parts:
            part.epoch(line, best)

    def improved(self, network: WindowNetwork, line: Epoch) -> None:
        """Tell all that the network is better than ever."""
        for part in self.parts:
            part.improved(network, line)

    def finished(self) -> None:
        """Tell all that training is over."""
        for part in self.parts:
            part.finished()


class KeepBest(Progress):
    """Writes a checkpoint at every improvement, so that an interrupted training loses little.

    Parameters
    ----------
    path
        The checkpoint; replaced atomically.
    header
        Gives the header for the network at an epoch.
    """

    def __init__(self, path: Path, header: Callable[[WindowNetwork, Epoch], CheckpointHeader]) -> None:
        self.path, self.header = path, header

    def improved(self, network: WindowNetwork, line: Epoch) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.path, network, self.header(network, line))


class Bar(Progress):
    """A progress bar on standard error, silent when that is no terminal."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        from rich import progress
        from rich.console import Console

        console = Console(file=stream or sys.stderr)
        columns = (
            progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(), progress.TextColumn("{task.fields[losses]}"),
        )  # fmt: skip
        self.bar = progress.Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task(label, total=None, losses="")

    def started(self, epochs: int, batches: int) -> None:
        """Show the bar, counting batches."""
        self.bar.update(self.task, total=epochs * batches)
        self.bar.start()

    def batch(self, loss: float) -> None:
        """Advance by one batch."""
        self.bar.advance(self.task)

    def epoch(self, line: Epoch, best: float) -> None:
        """Show the losses."""
        losses = f"epoch {line.number}: {line.train_loss:.4g}, validation {line.validation_loss:.4g}"
        self.bar.update(self.task, losses=f"{losses}, best {best:.4g}")

    def finished(self) -> None:
        """Leave the bar as it stands."""
        self.bar.stop()
