"""When to stop training: the best score so far, and how long ago it was."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Remembers the best validation score and counts the epochs since.

    Attributes
    ----------
    patience
        Epochs without improvement after which `exhausted` is true.
    best, best_epoch
        The smallest score so far and its epoch; -1 before the first.
    """

    patience: int
    best: float = math.inf
    best_epoch: int = -1
    _epoch: int = -1

    def improved(self, score: float) -> bool:
        """Take the next epoch's score; return whether it is the best so far."""
        self._epoch += 1
        if not score < self.best:
            return False
        self.best, self.best_epoch = score, self._epoch
        return True

    @property
    def exhausted(self) -> bool:
        """Whether the patience is used up."""
        return self._epoch - self.best_epoch >= self.patience
