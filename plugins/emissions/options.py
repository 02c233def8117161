"""Settings of gridded emissions."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from tradewind.plugins.options import Options, RelativePath


class GriddedOptions(Options):
    """Settings of an inventory that is constant in time.

    Attributes
    ----------
    file
        CF netCDF file with a flux on a latitude-longitude grid.
    variable
        Its name in the file, and that of the export; with sectors, that of the export alone.
    sectors
        By name of the sector, its variable in the file: parameters of these names, whose sum is exported.
    """

    file: RelativePath
    variable: str = "methane_flux"
    sectors: dict[str, str] = Field(default_factory=dict)

    @field_validator("sectors")
    @classmethod
    def _apart(cls, value: dict[str, str]) -> dict[str, str]:
        twice = sorted(v for v in set(value.values()) if list(value.values()).count(v) > 1)
        if twice:
            raise ValueError(f"{twice[0]!r} is the variable of two sectors and would be counted twice")
        return value

    @model_validator(mode="after")
    def _named_apart(self) -> GriddedOptions:
        if self.variable in self.sectors:
            raise ValueError(f"the sector {self.variable!r} has the name of the sum, call either otherwise")
        return self

    @property
    def parts(self) -> dict[str, str]:
        """Variables in the file by the name of their parameters."""
        return self.sectors or {self.variable: self.variable}
