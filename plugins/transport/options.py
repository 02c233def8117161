"""Settings of the reference transport model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from tradewind.plugins.options import Options, RelativePath

LAYERS = (1.0, 0.96, 0.90, 0.80, 0.65, 0.45, 0.0)


class Region(Options):
    """Outer edges of the model's box, degrees."""

    west: Annotated[float, Field(ge=-360, le=360)]
    east: Annotated[float, Field(ge=-360, le=360)]
    south: Annotated[float, Field(ge=-89, le=89)]
    north: Annotated[float, Field(ge=-89, le=89)]

    @model_validator(mode="after")
    def _ordered(self) -> Region:
        if self.east <= self.west or self.north <= self.south:
            raise ValueError("east must exceed west, and north south")
        return self


class BoundaryLayer(Options):
    """Vertical mixing: depth in m, eddy diffusivities inside and above in m2 s-1."""

    depth: PositiveFloat = 1000.0
    inside: PositiveFloat = 50.0
    above: PositiveFloat = 1.0


class TransportOptions(Options):
    """Settings of the transport model.

    Attributes
    ----------
    weather
        CF netCDF file with winds on pressure levels and surface (or sea-level) pressure.
    region
        The model's box.
    spacing
        Cell width in both directions, degrees.
    layers
        Layer interfaces as fractions of surface pressure, from 1 down to 0.
    substep
        Longest time step, s.
    scheme
        ``upwind`` is linear, as analytical inversions assume; ``van_leer`` is sharper, but not linear.
    boundary_layer
        Vertical mixing.
    """

    weather: RelativePath
    region: Region
    spacing: PositiveFloat = 0.5
    layers: tuple[float, ...] = LAYERS
    substep: PositiveFloat = 540.0
    scheme: Literal["upwind", "van_leer"] = "upwind"
    boundary_layer: BoundaryLayer = BoundaryLayer()
