"""Settings of the Jacobian emulator."""

from __future__ import annotations

from tradewind.plugins.options import Options, RelativePath


class EmulatorOptions(Options):
    """Settings of the surrogate.

    Attributes
    ----------
    checkpoint
        Trained network, made by ``tradewind train``.
    """

    checkpoint: RelativePath
