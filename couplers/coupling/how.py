"""How an exchange may treat levels, totals and its neighbours: words of a run config, and nothing heavy."""

from __future__ import annotations

from enum import StrEnum


class Along(StrEnum):
    """What an interpolation between levels is linear in."""

    LINEAR = "linear"
    """The coordinate itself."""
    LOG = "log"
    """Its logarithm, as is usual for pressure."""


class Outside(StrEnum):
    """What becomes of what lies beyond the other side's levels."""

    REFUSE = "refuse"
    NEAREST = "nearest"
    """It takes from, or goes to, the nearest level."""


class Keep(StrEnum):
    """What layers keep."""

    MEAN = "mean"
    """Values that hold per mass, such as mixing ratios: a layer's is the mean over its thickness."""
    AMOUNT = "amount"
    """Values that are amounts of a layer, such as kg m-2: they are shared out by thickness."""


class Merge(StrEnum):
    """How an exchange goes together with others into the same import."""

    SUM = "sum"
    """It is added, whatever the others bring."""
    FRACTIONS = "fractions"
    """It is added, and its fraction and those of the others add up to 1."""


class Conserve(StrEnum):
    """What is done about a total that an operator does not keep."""

    GLOBAL = "global"
    """What it lacks is spread over all active cells of the target."""


class Side(StrEnum):
    """On whose cells a fraction is given."""

    SOURCE = "source"
    TARGET = "target"
