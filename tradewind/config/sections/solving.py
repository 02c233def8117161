"""The method, and the ensemble that filters carry: ``solve:`` and ``ensemble:`` of a run config."""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from tradewind.config.sections.section import Count, Section
from tradewind.config.sections.values import Endpoint, Settings
from tradewind.plugins.options import RelativePath


class SolveSection(Section):
    """The method that turns observations into a posterior."""

    method: str
    options: Settings = Field(default_factory=dict)


class EachWindow(StrEnum):
    """Where the members begin each window."""

    CARRIED = "carried"
    """From their analysed states."""
    INITIAL = "initial"
    """From the components' initial states: only elements of the control go on."""


class Failure(StrEnum):
    """What becomes of a member that has blown up, or whose step fails."""

    STOP = "stop"
    REPLACE = "replace"
    DROP = "drop"


class Means(StrEnum):
    """For which analyses means and spreads are kept."""

    EVERY = "every"
    LAST = "last"


def _limits(value: object) -> tuple[float, float]:
    pair = list(value) if isinstance(value, list | tuple) else []
    if len(pair) != 2 or any(isinstance(v, bool) or not isinstance(v, int | float | None) for v in pair):
        raise ValueError(f"write [least, greatest], null for none, not {value!r:.40}")
    least, greatest = pair
    return (-inf if least is None else float(least), inf if greatest is None else float(greatest))


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] < pair[1]:
        raise ValueError(f"nothing lies between {pair[0]:g} and {pair[1]:g}")
    return pair


PAIR = {"type": "array", "items": {"type": ["number", "null"]}, "minItems": 2, "maxItems": 2}
Limits = Annotated[Any, BeforeValidator(_limits), AfterValidator(_ordered), WithJsonSchema(PAIR)]
"""Least and greatest value; null where there is none."""


def _port(value: str) -> str:
    return str(Endpoint.parse(value))


class EnsembleSection(Section):
    """The members that a filter analyses, and how the loop treats them."""

    members: int = Field(ge=2, strict=True, description="How many.")
    begin: EachWindow = Field(
        default=EachWindow.CARRIED, description="Whether states are carried from window to window."
    )
    file: RelativePath | None = Field(
        default=None, description="netCDF file of initial members; default: drawn from the prior."
    )
    centre: bool = Field(
        default=True, description="Whether drawn members are moved so that their mean is the prior."
    )
    seed: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None, description="Of the drawn members and of filters that draw; default: run.seed."
    )
    wave: Count | None = Field(
        default=None, description="How many members are stepped together; default: all of a rank."
    )
    folder: RelativePath | None = Field(
        default=None, description="Where members' states lie on disk; default: in memory."
    )
    failure: Failure = Field(default=Failure.STOP, description="What becomes of a member that fails.")
    limits: dict[Annotated[str, AfterValidator(_port)], Limits] = Field(
        default_factory=dict, description="Bounds of variables beyond which a member has failed."
    )
    means: Means = Field(default=Means.EVERY, description="Which analyses' means and spreads are kept.")
