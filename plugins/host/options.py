"""Settings of the component `host`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from tradewind.plugins.options import Options
from tradewind.plugins.prescribed.options import (
    GridOptions,
    Name,
    ParameterOptions,
    PortOptions,
    StateOptions,
)


class Precision(StrEnum):
    """In which kind of numbers a host keeps its fields."""

    SINGLE = "single"
    DOUBLE = "double"


class HostOptions(Options):
    """Settings of what a host model puts and gets.

    Attributes
    ----------
    grid
        Where all fields live; None: the host tells it, by set_grid.
    precision
        Of all fields.
    linear
        Whether a step that the host registers is linear in state and imports.
    """

    grid: GridOptions | None = None
    precision: Precision = Precision.DOUBLE
    imports: dict[Name, PortOptions] = Field(default_factory=dict)
    exports: dict[Name, PortOptions] = Field(default_factory=dict)
    state: dict[Name, StateOptions] = Field(default_factory=dict)
    parameters: dict[Name, ParameterOptions] = Field(default_factory=dict)
    linear: bool = False

    @model_validator(mode="after")
    def _useful(self) -> HostOptions:
        if not (self.imports or self.exports or self.state):
            raise ValueError("a host that neither takes nor gives anything: name imports, exports or state")
        taken = self.parameters.keys() & {*self.imports, *self.exports, *self.state}
        if taken:
            raise ValueError(f"a parameter needs a name of its own, {min(taken)!r} is taken")
        return self
