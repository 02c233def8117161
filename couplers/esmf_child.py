"""The child process in which ESMPy makes weights: ``python -m tradewind.couplers.esmf_child`` in a folder.

Reads ``ask.npz`` and writes ``answer.npz`` (see `esmf_runs.in_child`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tradewind.couplers import esmf_runs
from tradewind.errors import TradewindError


def answer(folder: Path) -> None:
    """Make the weights that a folder asks for.

    Raises
    ------
    TradewindError
        When ESMPy is broken or refuses the grids.
    """
    made = esmf_runs.in_process(*esmf_runs.asked(folder / "ask.npz"))
    np.savez(folder / "answer.npz", row=made.row, col=made.col, value=made.value, frac=made.frac_target)


def main() -> None:
    """Answer in the current folder; on failure the last line of stderr says why."""
    try:
        answer(Path.cwd())
    except TradewindError as error:
        sys.exit(error.what)


if __name__ == "__main__":
    main()
