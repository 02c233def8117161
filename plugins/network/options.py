"""Settings of column networks."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tradewind.plugins.options import Options, RelativePath
from tradewind.plugins.prescribed.options import GridOptions
from tradewind.surrogates.columns.header import Kind


class Outside(StrEnum):
    """What becomes of columns outside the domain that a network was trained for."""

    REFUSE = "refuse"
    ANSWER = "answer"


class StandInOptions(Options):
    """Settings of the surrogate that is a column network."""

    checkpoint: RelativePath = Field(description="The network, a `.safetensors` file.")
    precision: Kind | None = Field(
        default=None, description="Numbers that it computes in; those of its file by default."
    )


class NetworkOptions(StandInOptions):
    """Settings of the component that is a column network."""

    grid: GridOptions | None = Field(
        default=None, description="Where its columns lie; none: a host tells, or there is one column."
    )
    outside: Outside = Field(
        default=Outside.REFUSE, description="What becomes of columns outside its domain."
    )
