"""Settings of gridded emissions."""

from __future__ import annotations

from tradewind.plugins.options import Options, RelativePath


class GriddedOptions(Options):
    """Settings of an inventory that is constant in time.

    Attributes
    ----------
    file
        CF netCDF file with a flux on a latitude-longitude grid.
    variable
        Its name in the file, and that of the export.
    """

    file: RelativePath
    variable: str = "methane_flux"
