"""Settings of the stored Jacobian."""

from __future__ import annotations

from tradewind.plugins.options import Options, RelativePath


class StoredOptions(Options):
    """Settings of the surrogate.

    Attributes
    ----------
    file
        Written by ``output: {jacobian: FILE}``, or of the same layout.
    """

    file: RelativePath
